#pragma once
#include <stddef.h>
#include <stdint.h>

// Outputs of logs. Each function returns its result or the negated errno.

// Appends to a file, which is made when it is not there.
int cl_log_open(const char *path);
// A datagram socket connected to a Unix socket path.
int cl_log_datagrams(const char *path);
// Another descriptor of the same open file, closed on exec.
int cl_log_duplicate(int fd);
// What writing to it is like: 0 a regular file, 1 a pipe or terminal, 2 a socket.
int cl_log_kind(int fd);
// Writes as much as can be written without blocking for longer than the time; -EAGAIN when nothing could.
long cl_log_write(int fd, int kind, const void *bytes, size_t count, int timeout_ms);
// The calling thread takes no signals; SIGPIPE least of all.
void cl_log_block_signals(void);
