#pragma once
#include <stddef.h>
#include <stdint.h>

// One end of a TLS connection without a socket: bytes go in and come out with each call.
typedef struct ssl_st ctls_stream;
// What many connections share: certificates, versions, ciphers, policies.
typedef struct ssl_ctx_st ctls_context;

// Bytes of one call. `in` is what came from the peer and was not taken yet; a call moves it on. `out` is room for what has to go
// to the peer; a call counts what it put there.
typedef struct {
    const uint8_t *in;
    size_t in_count;
    uint8_t *out;
    size_t out_room;
    size_t out_count;
    // The peer has sent more handshake messages after its handshake than it may: nothing more is taken.
    int is_flooded;
} ctls_io;

// What a call came to, when it did not come to a number of bytes.
enum {
    CTLS_NEEDS_INPUT = -1,
    // There was no room for what has to go out: the same call again with more.
    CTLS_NEEDS_ROOM = -2,
    // The peer closed its direction in order (close_notify).
    CTLS_ENDED = -3,
    // A client's hello is here: `ctls_hello_name`, then `ctls_choose` or `ctls_refuse`, then the handshake goes on.
    CTLS_NEEDS_CHOICE = -4,
    CTLS_FAILED = -5,
    CTLS_DONE = 1,
};

// NULL when memory has run out. A stream holds on to its context.
ctls_stream *ctls_stream_new(ctls_context *context, int is_server);
void ctls_stream_free(ctls_stream *stream);

// CTLS_DONE or one of the codes above.
int ctls_handshake(ctls_stream *stream, ctls_io *io);
// Bytes of content, or one of the codes above.
long ctls_read(ctls_stream *stream, ctls_io *io, void *to, size_t room);
// All of the bytes are sealed, or it fails; `io->out` must have room for `ctls_sealed_count(count)`.
int ctls_write(ctls_stream *stream, ctls_io *io, const void *bytes, size_t count);
// Most bytes that so many bytes of content become: a full record fits into 64 bytes more than its content.
size_t ctls_sealed_count(size_t count);
// Puts a close_notify into `out`.
void ctls_close(ctls_stream *stream, ctls_io *io);
// Content is decrypted and was not read yet.
int ctls_has_content(const ctls_stream *stream);
// Handshake messages of the peer after the handshake (key updates, refused renegotiations, a server's tickets). More end the stream:
// each costs us a thousand times what it costs the peer, and a key is good for 2^24 records (RFC 8446 section 5.5).
enum { CTLS_LATE_MESSAGES_LIMIT = 64 };

// While a choice is awaited: the name that the client asked for, `*count` 0 when it named none. Valid until the choice.
const uint8_t *ctls_hello_name(const ctls_stream *stream, size_t *count);
// Goes on with another context: its certificates, versions and policy.
void ctls_choose(ctls_stream *stream, ctls_context *context);
// Ends the handshake with alert unrecognized_name (RFC 6066 section 3).
void ctls_refuse(ctls_stream *stream);

// Facts about a finished handshake.
int ctls_version(const ctls_stream *stream);
const char *ctls_cipher(const ctls_stream *stream);
int ctls_was_resumed(const ctls_stream *stream);
void ctls_protocol(const ctls_stream *stream, const uint8_t **name, size_t *count);
// The peer's leaf certificate in DER: its size, and the bytes when they fit into `room`; 0: there is none.
size_t ctls_peer_certificate(const ctls_stream *stream, uint8_t *to, size_t room);
// In the same way the certificates behind the leaf that it was verified with, from 0, without the authority that is trusted by
// itself; 0: that was the last one, or the session was resumed, which knows no chain.
size_t ctls_peer_signer(const ctls_stream *stream, size_t index, uint8_t *to, size_t room);
// Its subject as RFC 4514 writes it, as many bytes as there is room for; the whole length, 0 without one.
size_t ctls_peer_subject(const ctls_stream *stream, uint8_t *to, size_t room);

// The error that the last CTLS_FAILED of this thread meant, as OpenSSL's packed code; 0 when it gave none.
unsigned long ctls_last_error(void);
// A few words of the library's own for a code, never NULL.
const char *ctls_error_text(unsigned long code);
// Why the peer's certificate was not accepted, as a code; 0 when that was not it.
long ctls_verify_result(const ctls_stream *stream);
const char *ctls_verify_text(long result);
// Kinds of errors that are told apart.
int ctls_error_is_alert(unsigned long code);
