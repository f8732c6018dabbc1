// The floor: a TCP relay that looks at nothing. Two reads and two writes per exchange is what any proxy pays that
// does not let the kernel forward by itself; what a proxy costs above this line is its own work.
//
//   relay UPSTREAM_PORT     listens on a free port of 127.0.0.1 and prints it

#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { max_descriptors = 65536, chunk = 65536 };

struct side {
    int peer;            // 0: not open
    char *unsent;        // bytes read from the peer that this socket did not take
    size_t offset, length;
    char held;           // the peer is not read until `unsent` is gone
    char eof;            // the peer has ended; shut down once `unsent` is gone
    char ended;          // this side has ended
};
static struct side sides[max_descriptors];
static char buffer[chunk];
static int poll_fd;

static void die(const char *what) { perror(what); exit(1); }

static void drop(int fd) {
    int peer = sides[fd].peer;
    int both[2] = {fd, peer};
    for (int i = 0; i < 2; i++) {
        free(sides[both[i]].unsent);
        memset(&sides[both[i]], 0, sizeof sides[0]);
        close(both[i]);
    }
}

// Moves what `fd` has to its peer; false when the pair is gone.
static int pump(int fd) {
    for (;;) {
        struct side *to = &sides[sides[fd].peer];
        if (to->held) return 1;
        ssize_t got = recv(fd, buffer, chunk, 0);
        if (got < 0) {
            if (errno == EAGAIN) return 1;
            drop(fd);
            return 0;
        }
        if (got == 0) {
            sides[fd].ended = 1;
            if (to->ended) { drop(fd); return 0; }
            to->eof = 1;
            shutdown(sides[fd].peer, SHUT_WR);
            return 1;
        }
        ssize_t sent = send(sides[fd].peer, buffer, (size_t)got, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN) { drop(fd); return 0; }
            sent = 0;
        }
        if (sent < got) {
            if (!to->unsent && !(to->unsent = malloc(chunk))) die("malloc");
            to->offset = 0;
            to->length = (size_t)(got - sent);
            memcpy(to->unsent, buffer + sent, to->length);
            to->held = 1;
            return 1;
        }
        if (got < chunk) return 1;
    }
}

static int writable(int fd) {
    struct side *s = &sides[fd];
    if (!s->held) return 1;
    ssize_t sent = send(fd, s->unsent + s->offset, s->length, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno == EAGAIN) return 1;
        drop(fd);
        return 0;
    }
    s->offset += (size_t)sent;
    s->length -= (size_t)sent;
    if (s->length) return 1;
    s->held = 0;
    return pump(s->peer);
}

static int watch(int fd) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = fd};
    return epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
}

int main(int argc, char **argv) {
    if (argc != 2) return 64;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct sockaddr_in upstream = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)atoi(argv[1]))};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 8192) < 0) die("listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[512];
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(poll_fd, events, 512, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                // A pair that an earlier event of this round dropped has no peer.
                if (!sides[fd].peer) continue;
                if ((events[i].events & EPOLLOUT) && !writable(fd)) continue;
                if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) pump(fd);
                continue;
            }
            int down;
            while ((down = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                int up = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
                if (up < 0 || up >= max_descriptors || down >= max_descriptors) die("too many connections");
                setsockopt(down, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                setsockopt(up, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                if (connect(up, (struct sockaddr *)&upstream, sizeof upstream) < 0 && errno != EINPROGRESS) die("connect");
                sides[down].peer = up;
                sides[up].peer = down;
                watch(down);
                watch(up);
            }
        }
    }
}
