#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

// System calls that Swift cannot import (GNU only, variadic, macros, transparent unions). No logic: each function is one call,
// and returns its result or the negated errno.

struct cl_address {
    uint8_t kind;  // 4, 6, 1 (unix) or 0 (none)
    uint16_t port; // host byte order
    uint8_t is_loopback;
    uint8_t bytes[16];
    char path[108];
};

int cl_epoll_create(void);
int cl_epoll_add(int epoll, int fd, uint32_t events, uint64_t data);
int cl_epoll_remove(int epoll, int fd);
uint32_t cl_epoll_edge(void);
uint32_t cl_epoll_exclusive(void);

int cl_accept(int fd, struct cl_address *peer);
// A non-blocking socket that connects; *pending is 1 while it is on its way. -EADDRNOTAVAIL: no port is free to connect from.
int cl_connect(const struct cl_address *address, int *pending);
// A listening socket. `backlog` is cut by the kernel to somaxconn.
int cl_listen(const struct cl_address *address, int backlog);
int cl_local_address(int fd, struct cl_address *address);
int cl_peer_address(int fd, struct cl_address *address);
int cl_socket_error(int fd);
long cl_send_two(int fd, const void *first, size_t first_count, const void *second, size_t second_count);
// 1: open and nothing to read; 0: bytes, end or error are waiting.
int cl_is_quiet(int fd);
// Bytes that were sent and that the peer has not acknowledged (TCP) or read (Unix sockets).
int cl_undelivered(int fd);
// Bytes that the kernel takes beyond what it has put on the wire; 0: as many as the system allows. Accepted sockets inherit it.
// Nothing happens to sockets that are not TCP.
void cl_limit_unsent(int fd, unsigned bytes);
int cl_shutdown_write(int fd);
int cl_close(int fd);
// Closes with a reset.
int cl_abort(int fd);

int cl_eventfd(void);
int cl_eventfd_signal(int fd);
int cl_eventfd_clear(int fd);

void cl_wall_clock(int64_t *seconds, int64_t *nanoseconds);
int cl_random(void *bytes, size_t count);
// Ties the calling thread to one CPU of its affinity mask (the index-th allowed one, modulo their count).
int cl_pin_thread(int index);
