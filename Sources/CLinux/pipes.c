#include "pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int cl_pipe(int ends[2], int capacity) {
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0) return -errno;
    int has = fcntl(ends[1], F_SETPIPE_SZ, capacity);
    return has < 0 ? fcntl(ends[1], F_GETPIPE_SZ) : has;
}

long cl_splice(int from, int to, size_t count) {
    ssize_t result;
    do result = splice(from, NULL, to, NULL, count, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}
