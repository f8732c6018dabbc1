// The service behind every proxy of the benchmark: fixed answers from one epoll loop, as cheap as they can be, so that
// what is measured is the proxy. GET /1m answers 1 MiB, an upgrade becomes a WebSocket echo, all else 13 bytes.
//
//   upstream STATS_FILE     listens on a free port of 127.0.0.1 and prints it
//
// STATS_FILE is mapped and holds three 64-bit counters: connections accepted, requests, WebSocket messages.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { max_descriptors = 65536, input_size = 16384, large_body = 1 << 20 };

struct counters { volatile uint64_t connections, requests, messages; };
static struct counters *counters;

struct connection {
    char *kept;              // an incomplete request or frame
    uint32_t kept_length;
    uint32_t websocket;
    size_t unsent_large;     // bytes of 1 MiB answers that the socket has not taken yet
    size_t large_offset;     // into `large`
};
static struct connection connections[max_descriptors];

static char large[large_body + 128];
static size_t large_size;
static const char small[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";

static void die(const char *what) { perror(what); exit(1); }

static void sha1(const uint8_t *data, size_t length, uint8_t out[20]) {
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    uint8_t padded[192] = {0};
    if (length > 128) exit(1);
    memcpy(padded, data, length);
    padded[length] = 0x80;
    size_t blocks = (length + 8) / 64 + 1;
    uint64_t bits = length * 8;
    for (int i = 0; i < 8; i++) padded[blocks * 64 - 1 - i] = (uint8_t)(bits >> (8 * i));
    for (size_t block = 0; block < blocks; block++) {
        uint32_t w[80];
        const uint8_t *p = padded + block * 64;
        for (int i = 0; i < 16; i++)
            w[i] = (uint32_t)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
        for (int i = 16; i < 80; i++) {
            uint32_t x = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
            w[i] = x << 1 | x >> 31;
        }
        uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
        for (int i = 0; i < 80; i++) {
            uint32_t f, k;
            if (i < 20) f = (b & c) | (~b & d), k = 0x5A827999;
            else if (i < 40) f = b ^ c ^ d, k = 0x6ED9EBA1;
            else if (i < 60) f = (b & c) | (b & d) | (c & d), k = 0x8F1BBCDC;
            else f = b ^ c ^ d, k = 0xCA62C1D6;
            uint32_t t = (a << 5 | a >> 27) + f + e + k + w[i];
            e = d, d = c, c = b << 30 | b >> 2, b = a, a = t;
        }
        h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
    }
    for (int i = 0; i < 20; i++) out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const uint8_t *in, size_t length, char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t o = 0;
    for (size_t i = 0; i < length; i += 3) {
        uint32_t v = (uint32_t)in[i] << 16 | (i + 1 < length ? in[i + 1] << 8 : 0) | (i + 2 < length ? in[i + 2] : 0);
        out[o++] = digits[v >> 18 & 63];
        out[o++] = digits[v >> 12 & 63];
        out[o++] = i + 1 < length ? digits[v >> 6 & 63] : '=';
        out[o++] = i + 2 < length ? digits[v & 63] : '=';
    }
    out[o] = 0;
}

static void drop(int fd) {
    free(connections[fd].kept);
    memset(&connections[fd], 0, sizeof connections[fd]);
    close(fd);
}

// False when the connection is to be closed.
static int send_all(int fd, const char *bytes, size_t length) {
    // Small answers: a full socket buffer would mean a peer that does not read, which no case here has.
    return send(fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static int push_large(int fd) {
    struct connection *c = &connections[fd];
    while (c->unsent_large > 0) {
        size_t rest = large_size - c->large_offset;
        ssize_t sent = send(fd, large + c->large_offset, rest, MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN;
        c->unsent_large -= (size_t)sent;
        c->large_offset += (size_t)sent;
        if (c->large_offset == large_size) c->large_offset = 0;
    }
    return 1;
}

static int upgrade(int fd, const char *head, size_t length) {
    static const char name[] = "sec-websocket-key:";
    const char *end = head + length;
    for (const char *line = head; line < end; line = memchr(line, '\n', (size_t)(end - line)) + 1) {
        if ((size_t)(end - line) < sizeof name || strncasecmp(line, name, sizeof name - 1) != 0) continue;
        char key[128];
        size_t n = 0;
        for (const char *p = line + sizeof name - 1; p < end && *p != '\r' && n < 64; p++)
            if (*p != ' ') key[n++] = *p;
        memcpy(key + n, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
        uint8_t digest[20];
        char accept[32], answer[256];
        sha1((const uint8_t *)key, n + 36, digest);
        base64(digest, 20, accept);
        int size = snprintf(answer, sizeof answer,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
        connections[fd].websocket = 1;
        return send_all(fd, answer, (size_t)size);
    }
    return 0;
}

// Bytes used, or -1 to close. Answers of one read go out in one write.
static ssize_t serve_requests(int fd, const char *bytes, size_t length) {
    size_t used = 0, output_length = 0;
    static char output[input_size * 2];
    while (used < length) {
        const char *head = bytes + used;
        const char *end = memmem(head, length - used, "\r\n\r\n", 4);
        if (!end) break;
        size_t head_length = (size_t)(end + 4 - head);
        used += head_length;
        if (head_length > 7 && memcmp(head, "GET /ws", 7) == 0) {
            if (!upgrade(fd, head, head_length)) return -1;
            break;
        }
        counters->requests++;
        if (head_length > 7 && memcmp(head, "GET /1m", 7) == 0) {
            connections[fd].unsent_large += large_size;
            continue;
        }
        memcpy(output + output_length, small, sizeof small - 1);
        output_length += sizeof small - 1;
        if (output_length > sizeof output - sizeof small) {
            if (!send_all(fd, output, output_length)) return -1;
            output_length = 0;
        }
    }
    if (output_length && !send_all(fd, output, output_length)) return -1;
    if (connections[fd].unsent_large && !push_large(fd)) return -1;
    return (ssize_t)used;
}

static ssize_t serve_frames(int fd, const uint8_t *bytes, size_t length) {
    size_t used = 0, output_length = 0;
    static uint8_t output[input_size * 2];
    while (length - used >= 6) {
        const uint8_t *frame = bytes + used;
        size_t payload = frame[1] & 127;
        // The load sends masked frames of at most 125 bytes.
        if (payload > 125 || !(frame[1] & 128)) return -1;
        if (length - used < 6 + payload) break;
        if ((frame[0] & 15) == 8) return -1;
        output[output_length++] = frame[0];
        output[output_length++] = (uint8_t)payload;
        for (size_t i = 0; i < payload; i++) output[output_length++] = frame[6 + i] ^ frame[2 + (i & 3)];
        used += 6 + payload;
        counters->messages++;
    }
    if (output_length && !send_all(fd, (const char *)output, output_length)) return -1;
    return (ssize_t)used;
}

static void readable(int fd) {
    static char input[input_size * 2];
    struct connection *c = &connections[fd];
    for (;;) {
        size_t have = c->kept_length;
        if (have) memcpy(input, c->kept, have);
        ssize_t got = recv(fd, input + have, input_size, 0);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) return drop(fd);
        size_t length = have + (size_t)got, used = 0;
        while (used < length) {
            ssize_t n = c->websocket ? serve_frames(fd, (const uint8_t *)input + used, length - used)
                                     : serve_requests(fd, input + used, length - used);
            if (n < 0) return drop(fd);
            if (n == 0) break;
            used += (size_t)n;
        }
        if (length - used > input_size / 2) return drop(fd);
        if (length > used && !c->kept && !(c->kept = malloc(input_size))) die("malloc");
        c->kept_length = (uint32_t)(length - used);
        if (c->kept_length) memcpy(c->kept, input + used, c->kept_length);
        if (got < input_size) return;
    }
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

    int head = snprintf(large, 128, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", large_body);
    memset(large + head, 'x', large_body);
    large_size = (size_t)head + large_body;

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
            int fd = events[i].data.fd;
            if (fd != listener) {
                if ((events[i].events & EPOLLOUT) && connections[fd].unsent_large && !push_large(fd)) { drop(fd); continue; }
                if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(fd);
                continue;
            }
            int accepted;
            while ((accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                if (accepted >= max_descriptors) { close(accepted); continue; }
                setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                counters->connections++;
                event = (struct epoll_event){.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = accepted};
                epoll_ctl(poll, EPOLL_CTL_ADD, accepted, &event);
            }
        }
    }
}
