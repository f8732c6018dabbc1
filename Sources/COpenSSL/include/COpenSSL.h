#pragma once
#include <stddef.h>
#include <stdint.h>

// One-shot digests over caller's memory; no allocation, no locks. `out` has 32 (SHA-256) or 20 (SHA-1) bytes.
void cossl_sha256(const void *bytes, size_t count, uint8_t *out);
void cossl_sha1(const void *bytes, size_t count, uint8_t *out);
// 1 when both runs are equal; time depends on count alone.
int cossl_equal(const void *left, const void *right, size_t count);
