// The gRPC service behind every proxy of the benchmark: HTTP/2 by prior knowledge, one fixed answer to every call, as cheap as
// it can be. Heads are not read at all (no answer depends on them), so that there is no HPACK state to keep.
//
//   upstream-grpc STATS_FILE     listens on a free port of 127.0.0.1 and prints it
//
// STATS_FILE is mapped and holds two 64-bit counters: connections accepted, calls. A peer that breaks the rules, or does not give
// back its window, loses its connection, which is an error in the case.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { max_descriptors = 65536, input_size = 65536, frame_head = 9, frame_limit = 16384, window_step = 32768 };
enum { data = 0, headers = 1, settings = 4, ping = 6, window_update = 8, ack = 1, end_stream = 1 };
static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct counters { volatile uint64_t connections, calls; };
static struct counters *counters;

struct connection {
    char *kept;               // an incomplete frame
    uint32_t kept_length;
    uint32_t has_preface;
    uint32_t taken;           // bytes of content since the last WINDOW_UPDATE
    int64_t window;           // what the peer takes
};
static struct connection connections[max_descriptors];

static uint8_t output[4 * input_size];
static size_t output_length;

static void die(const char *what) { perror(what); exit(1); }

static void put(const void *bytes, size_t length) {
    memcpy(output + output_length, bytes, length);
    output_length += length;
}

static void put_frame(uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t length) {
    uint8_t head[frame_head] = {
        (uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length, type, flags,
        (uint8_t)(stream >> 24), (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
    put(head, sizeof head);
    put(payload, length);
}

// :status 200 and content-type; a message of 13 bytes; grpc-status 0. No field goes into a dynamic table.
static void answer(struct connection *c, uint32_t stream) {
    static const char head[] = "\x88\x0F\x10\x10" "application/grpc";
    static const char message[] = "\0\0\0\0\x0DHello, world!";
    static const char trailers[] = "\x00\x0Bgrpc-status\x01" "0";
    counters->calls++;
    c->window -= (int64_t)sizeof message - 1;
    put_frame(headers, 4, stream, head, sizeof head - 1);
    put_frame(data, 0, stream, message, sizeof message - 1);
    put_frame(headers, 4 | end_stream, stream, trailers, sizeof trailers - 1);
}

static uint32_t number(const uint8_t *at) { return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]; }

static void give_window(struct connection *c) {
    uint8_t step[4] = {(uint8_t)(c->taken >> 24), (uint8_t)(c->taken >> 16), (uint8_t)(c->taken >> 8), (uint8_t)c->taken};
    put_frame(window_update, 0, 0, step, sizeof step);
    c->taken = 0;
}

// False when the connection is to be closed.
static int take_frame(struct connection *c, const uint8_t *frame, size_t size) {
    uint8_t type = frame[3], flags = frame[4];
    uint32_t stream = number(frame + 5) & 0x7FFFFFFF;
    if (type == data) {
        c->taken += (uint32_t)size;
        if (c->taken >= window_step) give_window(c);
    }
    if ((type == headers || type == data) && (flags & end_stream)) answer(c, stream);
    if (type == settings && !(flags & ack)) put_frame(settings, ack, 0, "", 0);
    if (type == ping && !(flags & ack) && size == 8) put_frame(ping, ack, 0, frame + frame_head, 8);
    if (type == window_update && stream == 0 && size == 4) c->window += number(frame + frame_head) & 0x7FFFFFFF;
    return c->window >= 0;
}

static int flush(int fd) {
    size_t length = output_length;
    output_length = 0;
    // Small answers: a full socket buffer would mean a peer that does not read, which no case here has.
    return length == 0 || send(fd, output, length, MSG_NOSIGNAL) == (ssize_t)length;
}

// Bytes used, or -1 to close. Answers of one read go out in one write.
static ssize_t serve(int fd, const uint8_t *bytes, size_t length) {
    struct connection *c = &connections[fd];
    size_t used = 0;
    if (!c->has_preface) {
        if (length < sizeof preface - 1) return 0;
        if (memcmp(bytes, preface, sizeof preface - 1) != 0) return -1;
        c->has_preface = 1;
        used = sizeof preface - 1;
        // As many streams at once as a proxy likes (SETTINGS_MAX_CONCURRENT_STREAMS).
        put_frame(settings, 0, 0, "\0\3\0\0\4\0", 6);
    }
    while (length - used >= frame_head) {
        size_t size = (size_t)bytes[used] << 16 | (size_t)bytes[used + 1] << 8 | bytes[used + 2];
        if (size > frame_limit) return -1;
        if (length - used < frame_head + size) break;
        if (!take_frame(c, bytes + used, size)) return -1;
        used += frame_head + size;
        if (output_length > sizeof output / 2 && !flush(fd)) return -1;
    }
    return flush(fd) ? (ssize_t)used : -1;
}

static void drop(int fd) {
    free(connections[fd].kept);
    memset(&connections[fd], 0, sizeof connections[fd]);
    output_length = 0;
    close(fd);
}

static void readable(int fd) {
    static uint8_t input[input_size + frame_limit + frame_head];
    struct connection *c = &connections[fd];
    size_t have = c->kept_length;
    if (have) memcpy(input, c->kept, have);
    ssize_t got = recv(fd, input + have, input_size, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return drop(fd);
    size_t length = have + (size_t)got;
    ssize_t used = serve(fd, input, length);
    if (used < 0) return drop(fd);
    size_t rest = length - (size_t)used;
    if (rest && !c->kept && !(c->kept = malloc(frame_limit + frame_head))) die("malloc");
    c->kept_length = (uint32_t)rest;
    if (rest) memcpy(c->kept, input + used, rest);
}

int main(int argc, char **argv) {
    if (argc != 2) return 64;
    int stats = open(argv[1], O_RDWR | O_CREAT, 0600);
    if (stats < 0 || ftruncate(stats, sizeof *counters) < 0) die(argv[1]);
    counters = mmap(NULL, sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED, stats, 0);
    if (counters == MAP_FAILED) die("mmap");
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 8192) < 0) die("listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    int poll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[512];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(poll, events, 512, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd != listener) {
                readable(events[i].data.fd);
                continue;
            }
            int accepted;
            while ((accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                if (accepted >= max_descriptors) { close(accepted); continue; }
                setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                connections[accepted].window = 65535;
                counters->connections++;
                event = (struct epoll_event){.events = EPOLLIN, .data.fd = accepted};
                epoll_ctl(poll, EPOLL_CTL_ADD, accepted, &event);
            }
        }
    }
}
