#include "logs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int cl_log_open(const char *path) {
    // O_NONBLOCK: opening a pipe that nobody reads fails instead of hanging.
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    return fd < 0 ? -errno : fd;
}

int cl_log_datagrams(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    int size = 8 * 1024 * 1024;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        int failure = -errno;
        close(fd);
        return failure;
    }
    return fd;
}

int cl_log_duplicate(int fd) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return copy < 0 ? -errno : copy;
}

int cl_log_kind(int fd) {
    struct stat status;
    if (fstat(fd, &status) < 0) return -errno;
    if (S_ISREG(status.st_mode)) return 0;
    return S_ISSOCK(status.st_mode) ? 2 : 1;
}

long cl_log_write(int fd, int kind, const void *bytes, size_t count, int timeout_ms) {
    if (kind != 0) {
        struct pollfd state = {.fd = fd, .events = POLLOUT};
        int ready = poll(&state, 1, timeout_ms);
        if (ready < 0) return errno == EINTR ? -EAGAIN : -errno;
        if (ready == 0) return -EAGAIN;
    }
    // The open file may be shared with others, so it stays in blocking mode; a pipe that is writable takes PIPE_BUF bytes.
    if (kind == 1 && count > PIPE_BUF) count = PIPE_BUF;
    long written = kind == 2 ? send(fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL) : write(fd, bytes, count);
    if (written >= 0) return written;
    return errno == EINTR ? -EAGAIN : -errno;
}

void cl_log_block_signals(void) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
}
