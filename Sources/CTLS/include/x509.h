#pragma once
#include <stddef.h>
#include <stdint.h>

// Certificates and private keys from PEM, in memory alone: nothing here opens a file, looks at a clock or asks for a
// passphrase.

// Certificates in the order in which they were read, and at most one private key.
typedef struct ctls_pem ctls_pem;

// Nil when memory is short.
ctls_pem *ctls_pem_new(void);
void ctls_pem_free(ctls_pem *pem);

// What `ctls_pem_read` takes out of the bytes; other blocks are passed over.
enum { ctls_want_certificates = 1, ctls_want_key = 2 };

enum {
    ctls_read_done = 0,
    ctls_read_memory,
    // The block's frame or its Base64 is broken, or its bytes are no certificate or key.
    ctls_read_broken,
    ctls_read_too_many_certificates,
    ctls_read_encrypted_key,
    ctls_read_second_key,
};

// Adds what stands in the bytes. `block` is the number, from 1, of the block that it stopped at.
int ctls_pem_read(ctls_pem *pem, const void *bytes, size_t count, int wanted, size_t certificates_max, size_t *block);

size_t ctls_pem_certificate_count(const ctls_pem *pem);
int ctls_pem_has_key(const ctls_pem *pem);

enum {
    ctls_key_other = 0,
    ctls_key_rsa,
    ctls_key_rsa_pss,
    ctls_key_ecdsa,
    ctls_key_ed25519,
    ctls_key_ed448,
};

typedef struct {
    // Unix seconds.
    int64_t not_before;
    int64_t not_after;
    int32_t key_kind;
    int32_t key_bits;
    // Whether it may sign others.
    int32_t is_authority;
    // Subject alternative names of all kinds.
    size_t name_count;
    uint8_t sha256[32];
} ctls_certificate;

// 0 when the certificate's times, key or names cannot be read.
int ctls_certificate_read(const ctls_pem *pem, size_t index, ctls_certificate *out);

enum { ctls_name_other = 0, ctls_name_dns, ctls_name_address };

// One subject alternative name: its kind, and its bytes as long as `pem` lives.
int ctls_certificate_name(const ctls_pem *pem, size_t index, size_t name, const uint8_t **bytes, size_t *count);
// The subject's last common name as UTF-8, as many bytes of it as there is room for; its whole length, 0 without one.
size_t ctls_certificate_common_name(const ctls_pem *pem, size_t index, uint8_t *out, size_t room);
// The subject, or the issuer, as RFC 4514 writes it, cut in the same way.
size_t ctls_certificate_subject(const ctls_pem *pem, size_t index, uint8_t *out, size_t room);
size_t ctls_certificate_issuer(const ctls_pem *pem, size_t index, uint8_t *out, size_t room);
// 1 when the second one's key signed the first.
int ctls_certificate_is_issued(const ctls_pem *pem, size_t index, size_t issuer);
// 1 when the private key belongs to the certificate.
int ctls_certificate_has_key(const ctls_pem *pem, size_t index);

enum {
    ctls_refused_nothing = 0,
    ctls_refused_memory,
    ctls_refused_small_key,
    ctls_refused_weak_digest,
    ctls_refused_key,
    ctls_refused_other,
};

// Whether OpenSSL would serve the certificates with the key at its security level 2: why not, which of them, and its own
// words in `reason`, which is ended by a zero.
int ctls_pem_check(const ctls_pem *pem, size_t *index, char *reason, size_t room);

// All certificates as PEM, and the key as PKCS #8 in PEM; their length, and the bytes when there is room for all of them.
// 0: it cannot be written.
size_t ctls_pem_write_certificates(const ctls_pem *pem, uint8_t *out, size_t room);
size_t ctls_pem_write_key(const ctls_pem *pem, uint8_t *out, size_t room);

enum {
    ctls_ocsp_done = 0,
    ctls_ocsp_memory,
    ctls_ocsp_broken,
    // The responder could not answer.
    ctls_ocsp_unsuccessful,
    // Nothing in it is about the first certificate.
    ctls_ocsp_other_certificate,
    // Neither the issuer has signed it nor a responder that the issuer has appointed.
    ctls_ocsp_other_signer,
};

enum { ctls_status_good = 0, ctls_status_revoked, ctls_status_unknown };

typedef struct {
    int32_t status;
    // Unix seconds.
    int64_t this_update;
    int64_t next_update;
    int32_t has_next_update;
} ctls_ocsp;

// Reads an OCSP response in DER about the first certificate. When the second one is its issuer, the response must be signed by it or
// by whom it appointed (RFC 6960 section 4.2.2.2), whatever the time is.
int ctls_ocsp_read(const ctls_pem *pem, const void *der, size_t count, ctls_ocsp *out);
