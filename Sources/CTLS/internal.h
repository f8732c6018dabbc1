#pragma once
#include "context.h"

// A name as RFC 4514 writes it, as many bytes of it as there is room for; its whole length.
struct X509_name_st;
size_t ctls_name_text(const struct X509_name_st *name, uint8_t *out, size_t room);
// Prepares what all streams share. 0: memory has run out.
int ctls_begin(void);
// Keeps the first error of the calls since the last one; returns 0.
int ctls_note_error(void);
// OpenSSL's hook for a client's hello.
int ctls_on_hello(ctls_stream *stream, int *alert, void *unused);
// OpenSSL's hook for every message.
void ctls_on_message(
    int is_sent, int version, int kind, const void *bytes, size_t count, ctls_stream *stream, void *unused);
// Which sessions a stream may resume.
void ctls_apply_session_context(ctls_stream *stream, ctls_context *context);
// Gives a stream the session that its server sent.
int ctls_keep_session(ctls_stream *stream, ctls_session *session);
