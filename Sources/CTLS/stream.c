#include "stream.h"
#include "internal.h"
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// What a stream needs beside what the library keeps, until its handshake is done.
typedef struct {
    uint8_t name[256];
    size_t name_count;
    int is_decided;
    int is_refused;
} ctls_hello;

static BIO_METHOD *method;
static int hello_index = -1;
static int late_index = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local unsigned long last_error;

// MARK: The library's transport is the bytes of the running call.

static int transport_read(BIO *bio, char *to, int count) {
    BIO_clear_retry_flags(bio);
    ctls_io *io = BIO_get_data(bio);
    // Not a reason to try again: the call fails.
    if (io != NULL && io->is_flooded) return -1;
    if (io == NULL || io->in_count == 0 || count <= 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t taken = (size_t)count < io->in_count ? (size_t)count : io->in_count;
    memcpy(to, io->in, taken);
    io->in += taken;
    io->in_count -= taken;
    return (int)taken;
}

static int transport_write(BIO *bio, const char *from, int count) {
    BIO_clear_retry_flags(bio);
    ctls_io *io = BIO_get_data(bio);
    if (io == NULL || count <= 0 || io->out_room - io->out_count == 0) {
        BIO_set_retry_write(bio);
        return -1;
    }
    size_t room = io->out_room - io->out_count;
    size_t put = (size_t)count < room ? (size_t)count : room;
    memcpy(io->out + io->out_count, from, put);
    io->out_count += put;
    return (int)put;
}

static long transport_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

static int transport_create(BIO *bio) {
    BIO_set_init(bio, 1);
    return 1;
}

static void hello_free(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long argl, void *argp) {
    (void)parent;
    (void)data;
    (void)index;
    (void)argl;
    (void)argp;
    free(value);
}

static void begin(void) {
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "martlet");
    if (made == NULL) return;
    BIO_meth_set_read(made, transport_read);
    BIO_meth_set_write(made, transport_write);
    BIO_meth_set_ctrl(made, transport_control);
    BIO_meth_set_create(made, transport_create);
    hello_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, hello_free);
    late_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    method = made;
}

int ctls_begin(void) {
    pthread_once(&once, begin);
    return method != NULL && hello_index >= 0 && late_index >= 0;
}

// MARK: Streams

ctls_stream *ctls_stream_new(ctls_context *context, int is_server) {
    if (!ctls_begin()) return NULL;
    SSL *stream = SSL_new(context);
    if (stream == NULL) return NULL;
    BIO *transport = BIO_new(method);
    if (transport == NULL) {
        SSL_free(stream);
        return NULL;
    }
    // One reference serves both directions.
    SSL_set_bio(stream, transport, transport);
    if (is_server) {
        ctls_hello *hello = calloc(1, sizeof *hello);
        if (hello == NULL || !SSL_set_ex_data(stream, hello_index, hello)) {
            free(hello);
            SSL_free(stream);
            return NULL;
        }
        SSL_set_accept_state(stream);
    } else {
        SSL_set_connect_state(stream);
    }
    return stream;
}

void ctls_stream_free(ctls_stream *stream) {
    // Else the library gives the session up that a connection without a close_notify was made with.
    SSL_set_shutdown(stream, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(stream);
}

// What a former call left in this thread's queue, for whichever stream, would be taken for a failure of the next one, and calls
// that succeed may leave something there. A handshake begins with this by itself. Looking costs less than emptying.
static void forget_errors(void) {
    if (ERR_peek_error() != 0) ERR_clear_error();
}

static int outcome(SSL *stream, int result) {
    switch (SSL_get_error(stream, result)) {
    case SSL_ERROR_WANT_READ:
        return CTLS_NEEDS_INPUT;
    case SSL_ERROR_WANT_WRITE:
        return CTLS_NEEDS_ROOM;
    case SSL_ERROR_WANT_CLIENT_HELLO_CB:
        return CTLS_NEEDS_CHOICE;
    case SSL_ERROR_ZERO_RETURN:
        return CTLS_ENDED;
    default:
        // The next call of any stream on this thread looks at the queue.
        ctls_note_error();
        return CTLS_FAILED;
    }
}

int ctls_handshake(ctls_stream *stream, ctls_io *io) {
    // Not `SSL_get_wbio`: during a handshake the library puts a buffer before it.
    BIO *transport = SSL_get_rbio(stream);
    BIO_set_data(transport, io);
    int result = SSL_do_handshake(stream);
    int code = result == 1 ? CTLS_DONE : outcome(stream, result);
    BIO_set_data(transport, NULL);
    if (code == CTLS_DONE) {
        free(SSL_get_ex_data(stream, hello_index));
        SSL_set_ex_data(stream, hello_index, NULL);
        SSL_set_ex_data(stream, late_index, (void *)(intptr_t)1);
    }
    return code;
}

long ctls_read(ctls_stream *stream, ctls_io *io, void *to, size_t room) {
    forget_errors();
    BIO *transport = SSL_get_rbio(stream);
    BIO_set_data(transport, io);
    size_t count = 0;
    int result = SSL_read_ex(stream, to, room, &count);
    long code = result == 1 ? (long)count : outcome(stream, result);
    BIO_set_data(transport, NULL);
    return code;
}

int ctls_write(ctls_stream *stream, ctls_io *io, const void *bytes, size_t count) {
    forget_errors();
    BIO *transport = SSL_get_rbio(stream);
    BIO_set_data(transport, io);
    size_t written = 0;
    int result = SSL_write_ex(stream, bytes, count, &written);
    int code = result == 1 ? CTLS_DONE : outcome(stream, result);
    BIO_set_data(transport, NULL);
    return code == CTLS_DONE && written != count ? CTLS_FAILED : code;
}

size_t ctls_sealed_count(size_t count) {
    // Header, explicit nonce, kind of content and tag of a record: 30 at most with the ciphers that are allowed, all of which
    // authenticate what they seal.
    return count + ((count + SSL3_RT_MAX_PLAIN_LENGTH - 1) / SSL3_RT_MAX_PLAIN_LENGTH) * 64;
}

void ctls_close(ctls_stream *stream, ctls_io *io) {
    BIO *transport = SSL_get_rbio(stream);
    BIO_set_data(transport, io);
    if (SSL_shutdown(stream) < 0) ERR_clear_error();
    BIO_set_data(transport, NULL);
}

int ctls_has_content(const ctls_stream *stream) { return SSL_pending(stream) > 0; }

void ctls_on_message(
    int is_sent, int version, int kind, const void *bytes, size_t count, ctls_stream *stream, void *unused) {
    (void)version;
    (void)bytes;
    (void)count;
    (void)unused;
    if (is_sent || kind != SSL3_RT_HANDSHAKE) return;
    // 0 until the handshake is done: for the library a key update is a handshake again, so that it cannot be asked.
    intptr_t messages = (intptr_t)SSL_get_ex_data(stream, late_index);
    if (messages == 0) return;
    SSL_set_ex_data(stream, late_index, (void *)(messages + 1));
    ctls_io *io = BIO_get_data(SSL_get_rbio(stream));
    if (messages > CTLS_LATE_MESSAGES_LIMIT && io != NULL) io->is_flooded = 1;
}

// MARK: The client's hello

// Looks the name up in the extension (RFC 6066 section 3): a list with one host_name. Anything else is as if none were given; the
// library itself refuses what is malformed.
static void note_name(SSL *stream, ctls_hello *hello) {
    const unsigned char *bytes;
    size_t count;
    if (!SSL_client_hello_get0_ext(stream, TLSEXT_TYPE_server_name, &bytes, &count)) return;
    if (count < 5) return;
    size_t list = (size_t)bytes[0] << 8 | bytes[1];
    if (list != count - 2 || bytes[2] != TLSEXT_NAMETYPE_host_name) return;
    size_t name = (size_t)bytes[3] << 8 | bytes[4];
    if (name != count - 5 || name == 0 || name > 255) return;
    memcpy(hello->name, bytes + 5, name);
    hello->name_count = name;
}

int ctls_on_hello(SSL *stream, int *alert, void *unused) {
    (void)unused;
    ctls_hello *hello = SSL_get_ex_data(stream, hello_index);
    if (hello == NULL) {
        // A second handshake on the connection: there is no renegotiation.
        *alert = SSL_AD_NO_RENEGOTIATION;
        return SSL_CLIENT_HELLO_ERROR;
    }
    if (hello->is_refused) {
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_CLIENT_HELLO_ERROR;
    }
    // After a HelloRetryRequest the same client says hello again: what was chosen stands.
    if (hello->is_decided) return SSL_CLIENT_HELLO_SUCCESS;
    note_name(stream, hello);
    return SSL_CLIENT_HELLO_RETRY;
}

const uint8_t *ctls_hello_name(const ctls_stream *stream, size_t *count) {
    const ctls_hello *hello = SSL_get_ex_data(stream, hello_index);
    *count = hello == NULL ? 0 : hello->name_count;
    return hello == NULL ? NULL : hello->name;
}

void ctls_choose(ctls_stream *stream, ctls_context *context) {
    ctls_hello *hello = SSL_get_ex_data(stream, hello_index);
    if (hello == NULL) return;
    hello->is_decided = 1;
    if (SSL_get_SSL_CTX(stream) == context) return;
    // Takes certificates, trusted CAs, ciphers and ticket keys along; the rest was copied when the stream was made.
    if (SSL_set_SSL_CTX(stream, context) == NULL) {
        hello->is_refused = 1;
        return;
    }
    SSL_set_verify(stream, SSL_CTX_get_verify_mode(context), NULL);
    SSL_set_min_proto_version(stream, SSL_CTX_get_min_proto_version(context));
    SSL_clear_options(stream, SSL_OP_NO_TICKET);
    SSL_set_options(stream, SSL_CTX_get_options(context) & SSL_OP_NO_TICKET);
    SSL_set_num_tickets(stream, SSL_CTX_get_num_tickets(context));
    ctls_apply_session_context(stream, context);
}

void ctls_refuse(ctls_stream *stream) {
    ctls_hello *hello = SSL_get_ex_data(stream, hello_index);
    if (hello != NULL) hello->is_refused = 1;
}

// MARK: Facts

int ctls_version(const ctls_stream *stream) { return SSL_version(stream); }

const char *ctls_cipher(const ctls_stream *stream) {
    const char *name = SSL_CIPHER_standard_name(SSL_get_current_cipher(stream));
    return name == NULL ? "" : name;
}

int ctls_was_resumed(const ctls_stream *stream) { return SSL_session_reused(stream); }

void ctls_protocol(const ctls_stream *stream, const uint8_t **name, size_t *count) {
    unsigned int length = 0;
    SSL_get0_alpn_selected(stream, name, &length);
    *count = length;
}

static size_t write_der(X509 *certificate, uint8_t *to, size_t room) {
    int count = i2d_X509(certificate, NULL);
    if (count <= 0) return 0;
    if ((size_t)count <= room) i2d_X509(certificate, &to);
    return (size_t)count;
}

size_t ctls_peer_certificate(const ctls_stream *stream, uint8_t *to, size_t room) {
    X509 *certificate = SSL_get0_peer_certificate(stream);
    return certificate == NULL ? 0 : write_der(certificate, to, room);
}

size_t ctls_peer_signer(const ctls_stream *stream, size_t index, uint8_t *to, size_t room) {
    STACK_OF(X509) *chain = SSL_get0_verified_chain(stream);
    if (chain == NULL || index >= INT32_MAX || (int)index + 1 >= sk_X509_num(chain)) return 0;
    X509 *certificate = sk_X509_value(chain, (int)index + 1);
    return X509_self_signed(certificate, 0) == 1 ? 0 : write_der(certificate, to, room);
}

int ctls_note_error(void) {
    last_error = ERR_peek_error();
    ERR_clear_error();
    return 0;
}

size_t ctls_peer_subject(const ctls_stream *stream, uint8_t *to, size_t room) {
    X509 *certificate = SSL_get0_peer_certificate(stream);
    return certificate == NULL ? 0 : ctls_name_text(X509_get_subject_name(certificate), to, room);
}

unsigned long ctls_last_error(void) { return last_error; }

const char *ctls_error_text(unsigned long code) {
    const char *text = code == 0 ? NULL : ERR_reason_error_string(code);
    return text == NULL ? "the connection broke off" : text;
}

long ctls_verify_result(const ctls_stream *stream) { return SSL_get_verify_result(stream); }

const char *ctls_verify_text(long result) { return X509_verify_cert_error_string(result); }

int ctls_error_is_alert(unsigned long code) {
    return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) > SSL_AD_REASON_OFFSET;
}
