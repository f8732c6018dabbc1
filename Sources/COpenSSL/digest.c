#define OPENSSL_SUPPRESS_DEPRECATED
#include "COpenSSL.h"
#include <openssl/crypto.h>
#include <openssl/sha.h>

// The low-level calls are deprecated in favour of EVP, which fetches algorithms and allocates on every call.
void cossl_sha256(const void *bytes, size_t count, uint8_t *out) {
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, bytes, count);
    SHA256_Final(out, &context);
}

void cossl_sha1(const void *bytes, size_t count, uint8_t *out) {
    SHA_CTX context;
    SHA1_Init(&context);
    SHA1_Update(&context, bytes, count);
    SHA1_Final(out, &context);
}

int cossl_equal(const void *left, const void *right, size_t count) {
    return CRYPTO_memcmp(left, right, count) == 0;
}
