// One hostile peer of many connections, from one epoll loop: what a flood costs its sender must not be more than it costs the
// gateway. Source addresses are 127.0.FIRST.1, 127.0.FIRST.2 …, so that attackers are told apart from each other and from
// the client beside them.
//
//   flood KIND PORT FIRST SOURCES CONNECTIONS RATE SECONDS
//
// RATE caps what the whole flood does in a second: bytes of heads and bodies, reads, connections, requests. Every connection
// that the gateway ends is opened again within that rate. Prints `ACTIONS actions, CONNECTIONS opened, CLOSED closed`.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { most_connections = 20000, scratch_size = 65536 };

struct flood {
    const char *name;
    const char *opening;     // sent once a connection stands; one of `openings` when built
    const char *piece;       // sent at each action; `piece` when built
    int receive_buffer;      // 0: the kernel's choice
    int reads;               // bytes that an action reads
    int resets;              // an action ends the connection with a reset and opens another one
    int drains;              // what comes is read and thrown away at once
};

#define HEAD "Host: flood.test\r\n"
// Text that is too long to stand here: `build` makes it.
#define BUILT NULL
static const struct flood floods[] = {
    {"slow-heads", "GET /item HTTP/1.1\r\n" HEAD "X-Slow: ", "x", 0, 0, 0, 1},
    {"slow-bodies", "POST /silent HTTP/1.1\r\n" HEAD "Content-Length: 1000000\r\n\r\n", "x", 0, 0, 0, 1},
    {"slow-readers", "GET /large HTTP/1.1\r\n" HEAD "\r\n", NULL, 4096, 16, 0, 0},
    {"slow-chunk-readers", "GET /chunks HTTP/1.1\r\n" HEAD "\r\n", NULL, 4096, 16, 0, 0},
    {"idle", "", NULL, 0, 0, 0, 1},
    {"idle-kept", "GET /item HTTP/1.1\r\n" HEAD "\r\n", NULL, 0, 0, 0, 1},
    {"churn", "GET /item HTTP/1.1\r\n" HEAD "Connection: close\r\n\r\n", NULL, 0, 0, 0, 1},
    {"aborts", "GET /slow HTTP/1.1\r\n" HEAD "\r\n", NULL, 0, 0, 1, 0},
    {"oversize", BUILT, NULL, 0, 0, 0, 1},
    {"tiny-chunks", "POST /sink HTTP/1.1\r\n" HEAD "Transfer-Encoding: chunked\r\n\r\n", BUILT, 0, 0, 0, 1},
    {"requests-interims", "GET /interims HTTP/1.1\r\n" HEAD "\r\n", "GET /interims HTTP/1.1\r\n" HEAD "\r\n", 0, 0, 0, 1},
    {"requests-endless-head", "GET /endless-head HTTP/1.1\r\n" HEAD "\r\n", "GET /endless-head HTTP/1.1\r\n" HEAD "\r\n", 0, 0, 0, 1},
    {"requests-endless-body", "GET /endless-body HTTP/1.1\r\n" HEAD "\r\n", NULL, 0, 65536, 0, 0},
    {"pipeline", "", BUILT, 0, 0, 0, 1},
    {"tiny-frames", "GET /ws HTTP/1.1\r\n" HEAD "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", BUILT, 0, 0, 0, 1},
};

static const struct flood *flood;
static int port, first, sources, wanted, poll_fd;
static int fds[most_connections];
static uint32_t begun[most_connections];   // so much of a piece is out that the socket did not take whole
static uint64_t opened, closed_by_gateway, actions;
static char scratch[scratch_size];
struct text { char *bytes; size_t size; };
static struct text openings[16], piece;
static int opening_count;
static uint32_t next_source;

// Appends formatted text `times` times.
__attribute__((format(printf, 3, 4)))
static void append(struct text *text, int times, const char *format, ...) {
    char one[256];
    va_list list;
    va_start(list, format);
    size_t size = (size_t)vsnprintf(one, sizeof one, format, list);
    va_end(list);
    text->bytes = realloc(text->bytes, text->size + size * (size_t)times + 1);
    if (!text->bytes) exit(1);
    for (int i = 0; i < times; i++, text->size += size) memcpy(text->bytes + text->size, one, size + 1);
}

static struct text *opening(const char *start_line) {
    struct text *text = &openings[opening_count++];
    append(text, 1, "%s HTTP/1.1\r\n" HEAD, start_line);
    return text;
}

// Each is too large in one way.
static void build_oversize(void) {
    struct text *text = &openings[opening_count++];
    append(text, 1, "GET /");
    append(text, 20000, "z");
    append(text, 1, " HTTP/1.1\r\n" HEAD "\r\n");
    text = &openings[opening_count++];
    append(text, 2000, "M");
    append(text, 1, " /item HTTP/1.1\r\n" HEAD "\r\n");
    text = opening("GET /item");
    append(text, 1, "X-Long: ");
    append(text, 20000, "v");
    append(text, 1, "\r\n\r\n");
    append(opening("GET /item"), 700, "X-Field: %0100d\r\n", 7);
    append(opening("GET /item"), 5000, "X: y\r\n");
    text = opening("POST /sink");
    append(text, 1, "Transfer-Encoding: chunked\r\n\r\n5;");
    append(text, 65536, "e");
    append(text, 1, "\r\nhello\r\n0\r\n\r\n");
    text = opening("POST /sink");
    append(text, 1, "Transfer-Encoding: chunked\r\n\r\n");
    append(text, 2000, "1;extension=%050d\r\nx\r\n", 7);
    append(text, 1, "0\r\n\r\n");
    text = opening("POST /sink");
    append(text, 1, "Transfer-Encoding: chunked\r\n\r\n0\r\n");
    append(text, 1000, "X-Trailer: %050d\r\n", 7);
    append(text, 1, "\r\n");
    text = opening("POST /sink");
    append(text, 1, "Transfer-Encoding: chunked\r\n\r\n");
    append(text, 2000, "0");
    append(text, 1, "1\r\nx\r\n0\r\n\r\n");
    text = opening("POST /limited");
    append(text, 1, "Content-Length: 100000000\r\n\r\n");
    append(text, 65536, "b");
    text = opening("POST /limited");
    append(text, 1, "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 70; i++) {
        append(text, 1, "400\r\n");
        append(text, 1024, "b");
        append(text, 1, "\r\n");
    }
}

static void build(void) {
    if (!flood->opening) build_oversize();
    if (!strcmp(flood->name, "pipeline")) append(&piece, 300, "GET /item HTTP/1.1\r\n" HEAD "\r\n");
    if (!strcmp(flood->name, "tiny-chunks")) append(&piece, 300, "1\r\nx\r\n");
    // Text of one byte, masked (RFC 6455 section 5.2).
    if (!strcmp(flood->name, "tiny-frames")) append(&piece, 300, "\x81\x81\x01\x02\x03\x04\x60");
    if (flood->piece) piece = (struct text){(char *)flood->piece, strlen(flood->piece)};
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void open_one(int index) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    int one = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (flood->receive_buffer)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &flood->receive_buffer, sizeof flood->receive_buffer);
    struct sockaddr_in from = {.sin_family = AF_INET};
    uint32_t source = next_source++ % (uint32_t)sources;
    from.sin_addr.s_addr = htonl(0x7F000000u | (uint32_t)(first + (int)(source / 250)) << 8 | (source % 250 + 1));
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(0x7F000001u);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0 ||
        (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)) {
        close(fd);
        return;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u32 = (uint32_t)index};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
    fds[index] = fd;
    begun[index] = 0;
    opened++;
}

static void close_one(int index, int reset) {
    if (reset) {
        struct linger hard = {1, 0};
        setsockopt(fds[index], SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    close(fds[index]);
    fds[index] = -1;
}

static void act(int index) {
    actions++;
    if (fds[index] < 0) {
        open_one(index);
        return;
    }
    if (flood->resets) {
        close_one(index, 1);
        open_one(index);
        return;
    }
    if (flood->reads) {
        ssize_t n = recv(fds[index], scratch, (size_t)flood->reads, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            closed_by_gateway++;
            close_one(index, 0);
        }
        return;
    }
    if (piece.size == 0) return;
    ssize_t sent = send(fds[index], piece.bytes + begun[index], piece.size - begun[index], MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) begun[index] = (begun[index] + (uint32_t)sent) % (uint32_t)piece.size;
    if (sent < 0 && errno != EAGAIN) {
        closed_by_gateway++;
        close_one(index, 0);
    }
}

static void on_event(struct epoll_event *event, uint8_t *greeted) {
    int index = (int)event->data.u32;
    if (fds[index] < 0) return;
    if (event->events & EPOLLOUT && !greeted[index]) {
        greeted[index] = 1;
        struct text text = openings[index % (opening_count ? opening_count : 1)];
        if (flood->opening) text = (struct text){(char *)flood->opening, strlen(flood->opening)};
        if (text.size > 0) send(fds[index], text.bytes, text.size, MSG_NOSIGNAL);
    }
    int over = (event->events & (EPOLLERR | EPOLLHUP)) != 0;
    while (!over && flood->drains) {
        ssize_t n = recv(fds[index], scratch, scratch_size, MSG_DONTWAIT);
        if (n > 0) continue;
        over = n == 0 || errno != EAGAIN;
        break;
    }
    if (over) {
        closed_by_gateway++;
        close_one(index, 0);
    }
}

int main(int count, char **arguments) {
    if (count != 8) return 2;
    for (size_t i = 0; i < sizeof floods / sizeof *floods; i++)
        if (!strcmp(floods[i].name, arguments[1])) flood = &floods[i];
    if (!flood) return 2;
    port = atoi(arguments[2]);
    first = atoi(arguments[3]);
    sources = atoi(arguments[4]);
    wanted = atoi(arguments[5]);
    double rate = atof(arguments[6]), seconds = atof(arguments[7]);
    if (wanted > most_connections) wanted = most_connections;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    build();
    memset(fds, 0xFF, sizeof fds);
    static uint8_t greeted[most_connections];
    static struct epoll_event events[1024];
    poll_fd = epoll_create1(0);
    double start = now(), end = start + seconds;
    double done = 0;
    int turn = 0;
    while (now() < end) {
        int n = epoll_wait(poll_fd, events, 1024, 2);
        for (int i = 0; i < n; i++) on_event(&events[i], greeted);
        double allowed = (now() - start) * rate;
        for (int burst = 0; done < allowed && burst < 2000; burst++, done++) {
            int index = turn++ % wanted;
            if (fds[index] < 0 || flood->resets) greeted[index] = 0;
            act(index);
        }
        // What it could not do in time is not made up for: a burst would be beyond the rate.
        if (done < allowed - rate / 50 - 1) done = allowed - rate / 50 - 1;
    }
    // A process that just ends would close them in good order, and a client that only ends its direction is still answered.
    for (int i = 0; flood->resets && i < wanted; i++)
        if (fds[i] >= 0) close_one(i, 1);
    printf("%lu actions, %lu opened, %lu closed\n", (unsigned long)actions, (unsigned long)opened,
           (unsigned long)closed_by_gateway);
    return 0;
}
