// A client that counts: what wrk cannot do (a fixed number of requests, WebSocket messages, idle connections).
//
//   load http PORT CONNECTIONS REQUESTS PATHS [FIELD...]   REQUESTS GETs over CONNECTIONS, each waiting for its answer;
//                                                   the path of request i is /r(i mod PATHS)/item; PATHS 0: GET /
//   load ws PORT CONNECTIONS SECONDS BYTES          echo round trips of BYTES-byte text messages until SECONDS are over
//   load idle PORT CONNECTIONS                      opens them, one GET on each, prints, and holds them until stdin ends
//
// Prints `COUNT done, COUNT errors, SECONDS s`.

#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { input_size = 65536 };
enum kind { http, ws, idle };

struct connection {
    int fd;
    int upgraded;
    size_t have;              // bytes of an incomplete head or frame in `kept`
    size_t body_left;
    char kept[4096];
};

static enum kind kind;
static int port, connection_count, path_count, poll_fd, started_upgrades;
static size_t payload_size;
static uint64_t wanted, started, done, errors;
static char fields[2048];
static char input[input_size + 4096];
static char frame[256];
static size_t frame_size;
static double deadline;

static void die(const char *what) { perror(what); exit(1); }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void transmit(struct connection *c, const char *bytes, size_t length) {
    if (send(c->fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length) errors++;
}

static void request(struct connection *c) {
    char text[3072];
    int length;
    if (kind == http && started >= wanted) return;
    if (path_count)
        length = snprintf(text, sizeof text, "GET /r%d/item HTTP/1.1\r\nHost: bench.test\r\n%s\r\n",
                          (int)(started % (uint64_t)path_count), fields);
    else
        length = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: bench.test\r\n%s\r\n", fields);
    started++;
    transmit(c, text, (size_t)length);
}

static void message(struct connection *c) {
    if (now() < deadline) transmit(c, frame, frame_size);
}

static void upgrade(struct connection *c) {
    static const char text[] =
        "GET /ws HTTP/1.1\r\nHost: bench.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    transmit(c, text, sizeof text - 1);
}

// Bytes of the head that starts at `bytes`, 0 when it is not complete; the body's length goes to `body_left`.
static size_t head(struct connection *c, const char *bytes, size_t length, int status) {
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end) return 0;
    if (length < 12 || atoi(bytes + 9) != status) {
        errors++;
        if (errors == 1) fprintf(stderr, "%.*s\n", (int)(length < 400 ? length : 400), bytes);
    }
    static const char name[] = "content-length:";
    c->body_left = 0;
    for (const char *line = bytes; line < end; ) {
        if (strncasecmp(line, name, sizeof name - 1) == 0) c->body_left = (size_t)atol(line + sizeof name - 1);
        const char *next = memchr(line, '\n', (size_t)(end - line));
        if (!next) break;
        line = next + 1;
    }
    return (size_t)(end + 4 - bytes);
}

static void answered(struct connection *c) {
    done++;
    if (kind == http) request(c);
}

static size_t take_http(struct connection *c, const char *bytes, size_t length) {
    size_t used = 0;
    while (used < length) {
        if (c->body_left) {
            size_t n = length - used < c->body_left ? length - used : c->body_left;
            used += n;
            c->body_left -= n;
            if (!c->body_left) answered(c);
            continue;
        }
        size_t n = head(c, bytes + used, length - used, 200);
        if (!n) break;
        used += n;
        if (!c->body_left) answered(c);
    }
    return used;
}

static size_t take_ws(struct connection *c, const char *bytes, size_t length) {
    size_t used = 0;
    if (!c->upgraded) {
        used = head(c, bytes, length, 101);
        if (!used) return 0;
        c->upgraded = 1;
        started_upgrades++;
        message(c);
    }
    while (length - used >= 2 + payload_size) {
        if (bytes[used] != (char)0x81 || (size_t)(uint8_t)bytes[used + 1] != payload_size) { errors++; return length; }
        used += 2 + payload_size;
        done++;
        message(c);
    }
    return used;
}

static void readable(struct connection *c) {
    memcpy(input, c->kept, c->have);
    ssize_t got = recv(c->fd, input + c->have, input_size, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        errors++;
        epoll_ctl(poll_fd, EPOLL_CTL_DEL, c->fd, NULL);
        return;
    }
    size_t length = c->have + (size_t)got;
    size_t used = kind == ws ? take_ws(c, input, length) : take_http(c, input, length);
    c->have = length - used;
    if (c->have > sizeof c->kept) { errors++; c->have = 0; }
    memcpy(c->kept, input + used, c->have);
}

static void open_all(struct connection *connections) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int on = 1;
    for (int i = 0; i < connection_count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections[i].fd = fd;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
        if (kind == ws) upgrade(&connections[i]);
        else request(&connections[i]);
    }
}

static int finished(void) {
    if (kind == ws) return now() >= deadline;
    return done + errors >= (kind == idle ? (uint64_t)connection_count : wanted);
}

int main(int argc, char **argv) {
    if (argc < 4) return 64;
    kind = strcmp(argv[1], "ws") == 0 ? ws : strcmp(argv[1], "idle") == 0 ? idle : http;
    port = atoi(argv[2]);
    connection_count = atoi(argv[3]);
    double start = now(), limit = start + 300;
    if (kind == http) {
        if (argc < 6) return 64;
        wanted = strtoull(argv[4], NULL, 10);
        path_count = atoi(argv[5]);
        for (int i = 6; i < argc; i++)
            snprintf(fields + strlen(fields), sizeof fields - strlen(fields), "%s\r\n", argv[i]);
    }
    if (kind == ws) {
        if (argc != 6) return 64;
        deadline = start + atof(argv[4]);
        payload_size = (size_t)atoi(argv[5]);
        if (payload_size > 125) return 64;
        frame[0] = (char)0x81;
        frame[1] = (char)(0x80 | payload_size);
        memcpy(frame + 2, "mask", 4);
        for (size_t i = 0; i < payload_size; i++) frame[6 + i] = (char)('a' ^ frame[2 + (i & 3)]);
        frame_size = 6 + payload_size;
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct connection *connections = calloc((size_t)connection_count, sizeof *connections);
    if (!connections) die("calloc");
    open_all(connections);

    struct epoll_event events[512];
    while (!finished() && now() < limit) {
        int count = epoll_wait(poll_fd, events, 512, 100);
        for (int i = 0; i < count; i++) readable(events[i].data.ptr);
    }
    double end = now();
    if (!finished()) errors++;
    if (kind == ws && started_upgrades != connection_count) errors++;
    printf("%llu done, %llu errors, %.6f s\n", (unsigned long long)done, (unsigned long long)errors, end - start);
    fflush(stdout);
    if (kind == idle) while (read(0, input, 1) > 0) { }
    return errors ? 1 : 0;
}
