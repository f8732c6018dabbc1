#pragma once
#include <stddef.h>

// A non-blocking pipe with room for `capacity` bytes, if the kernel lets us have so much: says what it has. ends[0] is read.
int cl_pipe(int ends[2], int capacity);
// Moves bytes from one descriptor to the other inside the kernel; one of them is a pipe. SIGPIPE must be ignored.
long cl_splice(int from, int to, size_t count);
