// The well-behaved client beside a flood: some kept connections and a share of new ones, at a steady pace, each answer
// checked. Its source address is its own.
//
//   victim PORT SOURCE RATE SECONDS [h2]      prints `OK FAILED P50 P99 MAX`, times in microseconds
//
// With `h2` it speaks HTTP/2 (prior knowledge), one request at a time on each connection.
//
// The pace is kept: a request that is late because the one before it took long is counted from when it was due, so that a
// stall shows in every request that it delays.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kept_connections = 8, most_requests = 1 << 20 };

static double times[most_requests];
static int kept[kept_connections];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int connect_to(int port, const char *source) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    struct timeval patience = {5, 0};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, source, &from.sin_addr);
    to.sin_addr.s_addr = htonl(0x7F000001u);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) == 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

static int ask_http1(int fd, int last) {
    static const char get[] = "GET /item HTTP/1.1\r\nHost: victim.test\r\n\r\n";
    static const char get_last[] = "GET /item HTTP/1.1\r\nHost: victim.test\r\nConnection: close\r\n\r\n";
    const char *text = last ? get_last : get;
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0) return 0;
    char answer[4096];
    size_t have = 0;
    while (have < sizeof answer - 1) {
        ssize_t n = recv(fd, answer + have, sizeof answer - 1 - have, 0);
        if (n <= 0) return 0;
        have += (size_t)n;
        answer[have] = 0;
        if (strstr(answer, "\r\n\r\nHello, world!")) return strncmp(answer, "HTTP/1.1 200 ", 13) == 0;
    }
    return 0;
}

static int receive_all(int fd, void *bytes, size_t size) {
    size_t have = 0;
    while (have < size) {
        ssize_t n = recv(fd, (char *)bytes + have, size - have, 0);
        if (n <= 0) return 0;
        have += (size_t)n;
    }
    return 1;
}

// The preface with a table of nothing, so that every field stands there itself, and a window for all that comes.
static int greet(int fd) {
    static const char preface[] =
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\6\4\0\0\0\0\0\0\1\0\0\0\0\0\0\4\10\0\0\0\0\0\x7f\0\0\0";
    return send(fd, preface, sizeof preface - 1, MSG_NOSIGNAL) == sizeof preface - 1;
}

// `stream` is the number of the request. 2: right, and the server wants no more on this connection.
static int ask_http2(int fd, uint32_t stream) {
    unsigned char text[] =
        "\0\0\x18\1\5\0\0\0\0\x82\x86\4\5/item\1\x0bvictim.test";
    text[2] = sizeof text - 1 - 9;
    uint32_t number = htonl(stream);
    memcpy(text + 5, &number, 4);
    if (send(fd, text, sizeof text - 1, MSG_NOSIGNAL) < 0) return 0;
    int is_200 = 0, is_last = 0;
    size_t content = 0;
    unsigned char frame[9 + 16384];
    for (;;) {
        if (!receive_all(fd, frame, 9)) return 0;
        size_t size = (size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2];
        if (size > 16384 || !receive_all(fd, frame + 9, size)) return 0;
        int type = frame[3], flags = frame[4], is_mine = !memcmp(frame + 5, &number, 4);
        if (type == 4 && !(flags & 1)) send(fd, "\0\0\0\4\1\0\0\0\0", 9, MSG_NOSIGNAL);
        if (type == 6 && !(flags & 1)) {
            frame[4] = 1;
            send(fd, frame, 9 + size, MSG_NOSIGNAL);
        }
        if (type == 7) is_last = 1;
        if (!is_mine) continue;
        if (type == 3) return 0;
        if (type == 1) {
            size_t at = 9;
            while (at < 9 + size && (frame[at] & 0xE0) == 0x20) at++;   // the table's size
            is_200 = frame[at] == 0x88;
        }
        if (type == 0) {
            if (size > 13 - content || memcmp(frame + 9, "Hello, world!" + content, size)) return 0;
            content += size;
        }
        if (flags & 1 && (type == 0 || type == 1)) return is_200 && content == 13 ? 1 + is_last : 0;
    }
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int count, char **arguments) {
    if (count != 5 && count != 6) return 2;
    int port = atoi(arguments[1]), is_http2 = count == 6;
    const char *source = arguments[2];
    double rate = atof(arguments[3]), seconds = atof(arguments[4]);
    uint32_t streams[kept_connections] = {0};
    for (int i = 0; i < kept_connections; i++) kept[i] = -1;
    double start = now();
    long total = 0, ok = 0;
    while (total < most_requests) {
        double due = start + (double)total / rate;
        if (due > start + seconds) break;
        double wait = due - now();
        if (wait > 0) usleep((useconds_t)(wait * 1e6));
        int good;
        if (total % 4 == 0) {
            int fd = connect_to(port, source);
            good = fd >= 0 && (is_http2 ? greet(fd) && ask_http2(fd, 1) : ask_http1(fd, 1));
            if (fd >= 0) close(fd);
        } else {
            int place = (int)(total % kept_connections), *fd = &kept[place];
            if (*fd < 0) {
                *fd = connect_to(port, source);
                streams[place] = 1;
                if (*fd >= 0 && is_http2 && !greet(*fd)) close(*fd), *fd = -1;
            }
            good = *fd >= 0 ? (is_http2 ? ask_http2(*fd, streams[place]) : ask_http1(*fd, 0)) : 0;
            streams[place] += 2;
            if (good != 1 && *fd >= 0) close(*fd), *fd = -1;
        }
        times[total++] = now() - due;
        ok += good != 0;
    }
    qsort(times, (size_t)total, sizeof *times, compare);
    if (total == 0) return 1;
    printf("%ld %ld %.0f %.0f %.0f\n", ok, total - ok, times[total / 2] * 1e6, times[total * 99 / 100] * 1e6,
           times[total - 1] * 1e6);
    return 0;
}
