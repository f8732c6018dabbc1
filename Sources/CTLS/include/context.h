#pragma once
#include "stream.h"

// Keys of session tickets, shared by contexts and threads, exchanged while they are in use.
typedef struct ctls_tickets ctls_tickets;

enum {
    // Name, cipher key and authentication key of one ticket key.
    CTLS_TICKET_KEY_COUNT = 16 + 32 + 32,
    CTLS_TICKET_KEYS_LIMIT = 8,
};

enum { CTLS_CLIENT_NOT_ASKED = 0, CTLS_CLIENT_ASKED = 1, CTLS_CLIENT_REQUIRED = 2 };

// NULL when memory has run out.
ctls_tickets *ctls_tickets_new(void);
void ctls_tickets_release(ctls_tickets *tickets);
// `count` keys one behind the other: the first seals, all of them open.
void ctls_tickets_set(ctls_tickets *tickets, const uint8_t *keys, size_t count);
// Bytes that nobody can guess; 0: there are none to be had.
int ctls_random(uint8_t *bytes, size_t count);

typedef struct {
    // 0x0303 or 0x0304.
    int min_version;
    // Cipher suites of 1.2 in OpenSSL's words, best first.
    const char *ciphers;
    // ALPN protocols in wire form, best first; none: the extension is not answered.
    const uint8_t *protocols;
    size_t protocols_count;
    // 32 bytes: a session is resumed only where these are the same.
    const uint8_t *session_context;
    // NULL: sessions are not resumed.
    ctls_tickets *tickets;
    int client;
    // PEM of the authorities that client certificates come from.
    const uint8_t *authorities;
    size_t authorities_count;
} ctls_server_settings;

// Each NULL or 0 on failure; `ctls_last_error` then says why.
ctls_context *ctls_server_context_new(const ctls_server_settings *settings);
void ctls_context_free(ctls_context *context);
// A chain (leaf first) with its key in PEM. One of each kind of key (ECDSA, RSA, EdDSA) may be in a context.
int ctls_context_add_certificate(
    ctls_context *context, const uint8_t *chain, size_t chain_count, const uint8_t *key, size_t key_count,
    const uint8_t *ocsp, size_t ocsp_count);

typedef struct {
    int min_version;
    // 0: the newest.
    int max_version;
    const char *ciphers;
    const uint8_t *protocols;
    size_t protocols_count;
    int verifies;
    // PEM; none: the system's.
    const uint8_t *authorities;
    size_t authorities_count;
} ctls_client_settings;

ctls_context *ctls_client_context_new(const ctls_client_settings *settings);

// For a stream of a client's context, before its handshake: the name that is asked for, and that the certificate must have. An
// address as text is checked as an address and not asked for (RFC 6066 section 3). Ends with 0.
int ctls_expect_name(ctls_stream *stream, const char *name, int is_address, int verifies);

// A session for a later connection.
typedef struct ssl_session_st ctls_session;
// The newest one that the server gave this stream; NULL when there is none. The caller's.
ctls_session *ctls_take_session(ctls_stream *stream);
int ctls_resume(ctls_stream *stream, ctls_session *session);
void ctls_session_free(ctls_session *session);
