#pragma once
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// The system calls of every event, inline and raw. Each function returns its result or the negated errno.
//
// The C library's functions for these are cancellation points: in a process with several threads each call switches
// asynchronous cancellation on and off again, with two atomic exchanges (about 50 instructions a call, more than all else
// that happens in user space around it). No thread of this process is ever cancelled.

static inline long cl_call(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__) && defined(__LP64__)
    register long fourth __asm__("r10") = d;
    register long fifth __asm__("r8") = e;
    register long sixth __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__) && defined(__LP64__)
    register long which __asm__("x8") = number;
    register long first __asm__("x0") = a;
    register long second __asm__("x1") = b;
    register long third __asm__("x2") = c;
    register long fourth __asm__("x3") = d;
    register long fifth __asm__("x4") = e;
    register long sixth __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(first)
                     : "r"(which), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "memory");
    return first;
#else
    long result = syscall(number, a, b, c, d, e, f);
    return result < 0 ? -errno : result;
#endif
}

// A negative time waits for ever; otherwise rounded up to milliseconds, an hour at most.
static inline int cl_epoll_wait(int epoll, struct epoll_event *events, int count, int64_t timeout_ns) {
    int milliseconds = -1;
    if (timeout_ns >= 0) {
        milliseconds = timeout_ns >= 3600000000000 ? 3600000 : (int)((timeout_ns + 999999) / 1000000);
    }
    return (int)cl_call(SYS_epoll_pwait, epoll, (long)events, count, milliseconds, 0, 0);
}

static inline long cl_receive(int fd, void *bytes, size_t count) {
    long result;
    do result = cl_call(SYS_recvfrom, fd, (long)bytes, (long)count, 0, 0, 0);
    while (result == -EINTR);
    return result;
}

static inline long cl_send(int fd, const void *bytes, size_t count) {
    long result;
    do result = cl_call(SYS_sendto, fd, (long)bytes, (long)count, MSG_NOSIGNAL, 0, 0);
    while (result == -EINTR);
    return result;
}

// What waits in the kernel for more, or for the end of the direction, and goes with it in one segment.
static inline long cl_send_last(int fd, const void *bytes, size_t count) {
    long result;
    do result = cl_call(SYS_sendto, fd, (long)bytes, (long)count, MSG_NOSIGNAL | MSG_MORE, 0, 0);
    while (result == -EINTR);
    return result;
}

static inline int64_t cl_monotonic_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}
