#pragma once
#include <stddef.h>
#include <stdint.h>

// Memory that two processes see. Each function returns its result or the negated errno.

// A file in memory with a size that nobody can change any more: whoever maps it can rely on it being there.
int cl_shared_file(const char *name, size_t size);
// Maps it, or memory of this process's own when fd is negative; NULL and *failure when that fails.
void *cl_map(int fd, size_t size, int *failure);
void cl_unmap(void *memory, size_t size);

// Single words, whole and in no order with others.
static inline void cl_store_relaxed(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }
static inline uint64_t cl_load_relaxed(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
