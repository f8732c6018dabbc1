#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define RESULT(call) ({ long r_ = (call); r_ < 0 ? -errno : r_; })

int cl_epoll_create(void) { return (int)RESULT(epoll_create1(EPOLL_CLOEXEC)); }

int cl_epoll_add(int epoll, int fd, uint32_t events, uint64_t data) {
    struct epoll_event event = {.events = events, .data.u64 = data};
    return (int)RESULT(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

int cl_epoll_remove(int epoll, int fd) { return (int)RESULT(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL)); }

uint32_t cl_epoll_edge(void) { return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET; }
uint32_t cl_epoll_exclusive(void) { return EPOLLIN | EPOLLEXCLUSIVE; }

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un unix_path;
    struct sockaddr_storage storage;
};

static socklen_t to_kernel(const struct cl_address *address, union any_address *out) {
    memset(out, 0, sizeof *out);
    switch (address->kind) {
    case 4:
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(address->port);
        memcpy(&out->v4.sin_addr, address->bytes, 4);
        return sizeof out->v4;
    case 6:
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(address->port);
        memcpy(&out->v6.sin6_addr, address->bytes, 16);
        return sizeof out->v6;
    case 1:
        out->unix_path.sun_family = AF_UNIX;
        memcpy(out->unix_path.sun_path, address->path, sizeof address->path);
        return sizeof out->unix_path;
    default:
        return 0;
    }
}

static void from_kernel(const union any_address *in, socklen_t size, struct cl_address *address) {
    memset(address, 0, sizeof *address);
    if (size < sizeof(sa_family_t)) return;
    switch (in->any.sa_family) {
    case AF_INET:
        address->kind = 4;
        address->port = ntohs(in->v4.sin_port);
        memcpy(address->bytes, &in->v4.sin_addr, 4);
        break;
    case AF_INET6:
        address->kind = 6;
        address->port = ntohs(in->v6.sin6_port);
        memcpy(address->bytes, &in->v6.sin6_addr, 16);
        break;
    case AF_UNIX:
        address->kind = 1;
        if (size > offsetof(struct sockaddr_un, sun_path)) {
            memcpy(address->path, in->unix_path.sun_path, sizeof address->path);
            address->path[sizeof address->path - 1] = 0;
        }
        break;
    }
}

static void no_delay(int fd, uint8_t kind) {
    int one = 1;
    if (kind != 1) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

// Between processes of one machine nothing is lost and no queue fills: the simplest congestion control, which every kernel has and
// every user may choose, saves the work of those that measure and pace (docs/decisions/0013). Before connect or listen: accepted
// sockets inherit it, and pacing once begun stays. The system's choice is kept when this fails, and for all other addresses.
static void spare_congestion_control(int fd, const struct cl_address *address) {
    if (address->is_loopback) setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

int cl_accept(int fd, struct cl_address *peer) {
    union any_address address;
    socklen_t size = sizeof address;
    int accepted = accept4(fd, &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted < 0) return -errno;
    from_kernel(&address, size, peer);
    no_delay(accepted, peer->kind);
    return accepted;
}

// EADDRNOTAVAIL says that there is no address to connect from, or that all ports of it are in use. A datagram socket needs no
// port of its own towards that destination, so only the first stops it too.
static int has_source_address(const union any_address *address, socklen_t size) {
    int fd = socket(address->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return 0;
    int found = connect(fd, &address->any, size) == 0 || errno == EAGAIN;
    close(fd);
    return found;
}

int cl_connect(const struct cl_address *address, int *pending) {
    union any_address kernel;
    socklen_t size = to_kernel(address, &kernel);
    if (size == 0) return -EAFNOSUPPORT;
    int fd = socket(kernel.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    no_delay(fd, address->kind);
    spare_congestion_control(fd, address);
    *pending = 0;
    if (connect(fd, &kernel.any, size) < 0) {
        if (errno == EINPROGRESS) {
            *pending = 1;
        } else {
            int failure = errno;
            close(fd);
            if (failure == EADDRNOTAVAIL && !has_source_address(&kernel, size)) failure = ENETUNREACH;
            return -failure;
        }
    }
    return fd;
}

int cl_listen(const struct cl_address *address, int backlog) {
    union any_address kernel;
    socklen_t size = to_kernel(address, &kernel);
    if (size == 0) return -EAFNOSUPPORT;
    int fd = socket(kernel.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    spare_congestion_control(fd, address);
    if (address->kind == 6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, &kernel.any, size) < 0 || listen(fd, backlog) < 0) {
        int failure = errno;
        close(fd);
        return -failure;
    }
    return fd;
}

int cl_local_address(int fd, struct cl_address *address) {
    union any_address kernel;
    socklen_t size = sizeof kernel;
    if (getsockname(fd, &kernel.any, &size) < 0) return -errno;
    from_kernel(&kernel, size, address);
    return 0;
}

int cl_peer_address(int fd, struct cl_address *address) {
    union any_address kernel;
    socklen_t size = sizeof kernel;
    if (getpeername(fd, &kernel.any, &size) < 0) return -errno;
    from_kernel(&kernel, size, address);
    return 0;
}

int cl_socket_error(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return errno;
    return error;
}

long cl_send_two(int fd, const void *first, size_t first_count, const void *second, size_t second_count) {
    struct iovec pieces[2] = {
        {.iov_base = (void *)first, .iov_len = first_count},
        {.iov_base = (void *)second, .iov_len = second_count},
    };
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
    long result;
    do result = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

int cl_is_quiet(int fd) {
    char byte;
    long result = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

int cl_undelivered(int fd) {
    int bytes = 0;
    return ioctl(fd, SIOCOUTQ, &bytes) < 0 ? -errno : bytes;
}

void cl_limit_unsent(int fd, unsigned bytes) {
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

int cl_shutdown_write(int fd) { return (int)RESULT(shutdown(fd, SHUT_WR)); }
int cl_close(int fd) { return (int)RESULT(close(fd)); }

int cl_abort(int fd) {
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    return cl_close(fd);
}

int cl_eventfd(void) { return (int)RESULT(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)); }

int cl_eventfd_signal(int fd) {
    uint64_t one = 1;
    return (int)RESULT(write(fd, &one, sizeof one));
}

int cl_eventfd_clear(int fd) {
    uint64_t count;
    return (int)RESULT(read(fd, &count, sizeof count));
}

void cl_wall_clock(int64_t *seconds, int64_t *nanoseconds) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    *seconds = time.tv_sec;
    *nanoseconds = time.tv_nsec;
}

int cl_random(void *bytes, size_t count) {
    return (int)RESULT(getrandom(bytes, count, 0));
}

int cl_pin_thread(int index) {
    cpu_set_t allowed, chosen;
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0) return -errno;
    int count = CPU_COUNT(&allowed);
    if (count == 0) return -EINVAL;
    int wanted = index % count;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed)) continue;
        if (wanted-- > 0) continue;
        CPU_ZERO(&chosen);
        CPU_SET(cpu, &chosen);
        return -pthread_setaffinity_np(pthread_self(), sizeof chosen, &chosen);
    }
    return -EINVAL;
}
