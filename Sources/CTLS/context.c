#include "context.h"
#include "internal.h"
#include "tickets.h"
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// Groups of the key exchange, best first. P-521 costs much and gives nothing that P-384 does not.
#define GROUPS "X25519:P-256:P-384"
#define SUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

enum { OCSP_LIMIT = 4, SESSION_CONTEXT_COUNT = 32 };

// What a server's context has beside what the library keeps.
typedef struct {
    uint8_t *protocols;
    size_t protocols_count;
    ctls_tickets *tickets;
    uint8_t session_context[SESSION_CONTEXT_COUNT];
    struct {
        X509 *leaf;
        uint8_t *response;
        size_t count;
    } ocsp[OCSP_LIMIT];
    size_t ocsp_count;
} server_part;

static int server_index = -1;
static int session_index = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void server_free(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long argl, void *argp) {
    (void)parent;
    (void)data;
    (void)index;
    (void)argl;
    (void)argp;
    server_part *part = value;
    if (part == NULL) return;
    free(part->protocols);
    ctls_tickets_release(part->tickets);
    for (size_t index = 0; index < part->ocsp_count; index++) {
        X509_free(part->ocsp[index].leaf);
        free(part->ocsp[index].response);
    }
    free(part);
}

static void session_free(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long argl, void *argp) {
    (void)parent;
    (void)data;
    (void)index;
    (void)argl;
    (void)argp;
    SSL_SESSION_free(value);
}

static void begin(void) {
    server_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, server_free);
    session_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, session_free);
}

static int prepare(void) {
    pthread_once(&once, begin);
    return ctls_begin() && server_index >= 0 && session_index >= 0;
}

// MARK: PEM

static int no_password(char *to, int room, int writes, void *unused) {
    (void)to;
    (void)room;
    (void)writes;
    (void)unused;
    return -1;
}

static BIO *memory(const uint8_t *bytes, size_t count) { return count > INT32_MAX ? NULL : BIO_new_mem_buf(bytes, (int)count); }

// Every certificate of a PEM text goes to `take`, whose reference it is from then on; how many, or -1.
static int each_certificate(const uint8_t *pem, size_t count, int (*take)(void *, X509 *, int), void *to) {
    BIO *source = memory(pem, count);
    if (source == NULL) return -1;
    int number = 0;
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509_AUX(source, NULL, no_password, NULL)) != NULL) {
        if (!take(to, certificate, number)) {
            BIO_free(source);
            return -1;
        }
        number++;
    }
    BIO_free(source);
    unsigned long error = ERR_peek_last_error();
    if (ERR_GET_LIB(error) != ERR_LIB_PEM || ERR_GET_REASON(error) != PEM_R_NO_START_LINE) return -1;
    ERR_clear_error();
    return number;
}

static int take_authority(void *to, X509 *certificate, int number) {
    (void)number;
    SSL_CTX *context = to;
    int is_added = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate);
    X509_free(certificate);
    return is_added;
}

static int take_client_authority(void *to, X509 *certificate, int number) {
    SSL_CTX *context = to;
    // The client is told whose certificates are wanted.
    if (!SSL_CTX_add_client_CA(context, certificate)) {
        X509_free(certificate);
        return 0;
    }
    return take_authority(to, certificate, number);
}

typedef struct {
    X509 *leaf;
    STACK_OF(X509) * chain;
} chain_parts;

static int take_link(void *to, X509 *certificate, int number) {
    chain_parts *parts = to;
    if (number == 0) {
        parts->leaf = certificate;
        return 1;
    }
    if (sk_X509_push(parts->chain, certificate) > 0) return 1;
    X509_free(certificate);
    return 0;
}

// MARK: Hooks of a server

static int on_protocols(
    SSL *stream, const unsigned char **out, unsigned char *out_count, const unsigned char *in, unsigned int in_count, void *unused) {
    (void)unused;
    const server_part *part = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(stream), server_index);
    if (part == NULL || part->protocols_count == 0) return SSL_TLSEXT_ERR_NOACK;
    unsigned char *chosen;
    int found = SSL_select_next_proto(
        &chosen, out_count, part->protocols, (unsigned int)part->protocols_count, in, in_count);
    if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int on_ticket(SSL *stream, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seals) {
    const server_part *part = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(stream), server_index);
    if (part == NULL || part->tickets == NULL) return seals ? -1 : 0;
    int result = ctls_tickets_prepare(part->tickets, name, iv, cipher, mac, seals);
    // In TLS 1.3 clients use a ticket once (RFC 8446 appendix C.4): without a new one, their next connection would shake hands in
    // full. The library asks for it by itself only where it has the keys.
    return result == 1 && !seals && SSL_version(stream) == TLS1_3_VERSION ? 2 : result;
}

static int on_status(SSL *stream, void *unused) {
    (void)unused;
    const server_part *part = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(stream), server_index);
    X509 *leaf = SSL_get_certificate(stream);
    if (part == NULL || leaf == NULL) return SSL_TLSEXT_ERR_NOACK;
    for (size_t index = 0; index < part->ocsp_count; index++) {
        if (X509_cmp(part->ocsp[index].leaf, leaf) != 0) continue;
        // The library frees it with the stream.
        unsigned char *copy = OPENSSL_memdup(part->ocsp[index].response, part->ocsp[index].count);
        if (copy == NULL) return SSL_TLSEXT_ERR_NOACK;
        SSL_set_tlsext_status_ocsp_resp(stream, copy, (long)part->ocsp[index].count);
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

// The name was dealt with when the client said hello; this tells the client so.
static int on_name(SSL *stream, int *alert, void *unused) {
    (void)stream;
    (void)alert;
    (void)unused;
    return SSL_TLSEXT_ERR_OK;
}

void ctls_apply_session_context(ctls_stream *stream, ctls_context *context) {
    const server_part *part = SSL_CTX_get_ex_data(context, server_index);
    if (part != NULL) SSL_set_session_id_context(stream, part->session_context, sizeof part->session_context);
}

// MARK: Contexts

static SSL_CTX *context_new(const SSL_METHOD *kind, int min_version, const char *ciphers) {
    if (!prepare()) return NULL;
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(kind);
    if (context == NULL) return NULL;
    // An idle connection holds no buffers; what is sealed may have moved when it is sealed again.
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_msg_callback(context, ctls_on_message);
    if (!SSL_CTX_set_min_proto_version(context, min_version) || !SSL_CTX_set_cipher_list(context, ciphers)
        || !SSL_CTX_set_ciphersuites(context, SUITES) || !SSL_CTX_set1_groups_list(context, GROUPS)) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

static int add_server_part(SSL_CTX *context, const ctls_server_settings *settings) {
    server_part *part = calloc(1, sizeof *part);
    if (part == NULL) return 0;
    if (!SSL_CTX_set_ex_data(context, server_index, part)) {
        free(part);
        return 0;
    }
    memcpy(part->session_context, settings->session_context, sizeof part->session_context);
    if (settings->tickets != NULL) {
        ctls_tickets_retain(settings->tickets);
        part->tickets = settings->tickets;
    }
    if (settings->protocols_count > 0) {
        part->protocols = malloc(settings->protocols_count);
        if (part->protocols == NULL) return 0;
        memcpy(part->protocols, settings->protocols, settings->protocols_count);
        part->protocols_count = settings->protocols_count;
    }
    return 1;
}

static int ask_client(SSL_CTX *context, const ctls_server_settings *settings) {
    if (settings->client == CTLS_CLIENT_NOT_ASKED) return 1;
    int mode = SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE;
    if (settings->client == CTLS_CLIENT_REQUIRED) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(context, mode, NULL);
    return each_certificate(settings->authorities, settings->authorities_count, take_client_authority, context) > 0;
}

ctls_context *ctls_server_context_new(const ctls_server_settings *settings) {
    SSL_CTX *context = context_new(TLS_server_method(), settings->min_version, settings->ciphers);
    if (context == NULL) {
        ctls_note_error();
        return NULL;
    }
    // Sessions live with clients, in tickets: nothing is kept here that clients could fill.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_client_hello_cb(context, ctls_on_hello, NULL);
    SSL_CTX_set_tlsext_servername_callback(context, on_name);
    // Of the kinds of keys that both sides know, the first of ours: ECDSA, which costs a tenth of RSA.
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    // One ticket for a handshake: every resumption brings a new one, and each costs a fiftieth of a handshake.
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_alpn_select_cb(context, on_protocols, NULL);
    SSL_CTX_set_tlsext_status_cb(context, on_status);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
    if (settings->tickets == NULL) {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(context, 0);
    }
    if (!add_server_part(context, settings)
        || !SSL_CTX_set_session_id_context(context, settings->session_context, SESSION_CONTEXT_COUNT)
        || !ask_client(context, settings)) {
        ctls_note_error();
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

void ctls_context_free(ctls_context *context) { SSL_CTX_free(context); }

static int keep_ocsp(SSL_CTX *context, X509 *leaf, const uint8_t *ocsp, size_t count) {
    server_part *part = SSL_CTX_get_ex_data(context, server_index);
    if (part == NULL || count == 0) return 1;
    if (part->ocsp_count == OCSP_LIMIT) return 0;
    uint8_t *copy = malloc(count);
    if (copy == NULL) return 0;
    memcpy(copy, ocsp, count);
    X509_up_ref(leaf);
    part->ocsp[part->ocsp_count].leaf = leaf;
    part->ocsp[part->ocsp_count].response = copy;
    part->ocsp[part->ocsp_count].count = count;
    part->ocsp_count++;
    return 1;
}

int ctls_context_add_certificate(
    ctls_context *context, const uint8_t *chain, size_t chain_count, const uint8_t *key, size_t key_count,
    const uint8_t *ocsp, size_t ocsp_count) {
    ERR_clear_error();
    chain_parts parts = {NULL, sk_X509_new_null()};
    EVP_PKEY *secret = NULL;
    int is_added = 0;
    if (parts.chain != NULL && each_certificate(chain, chain_count, take_link, &parts) > 0) {
        BIO *source = memory(key, key_count);
        if (source != NULL) secret = PEM_read_bio_PrivateKey(source, NULL, no_password, NULL);
        BIO_free(source);
        is_added = secret != NULL && SSL_CTX_use_cert_and_key(context, parts.leaf, secret, parts.chain, 1)
            && keep_ocsp(context, parts.leaf, ocsp, ocsp_count);
    }
    if (!is_added) ctls_note_error();
    EVP_PKEY_free(secret);
    X509_free(parts.leaf);
    sk_X509_pop_free(parts.chain, X509_free);
    return is_added;
}

// MARK: Clients

static int on_session(SSL *stream, SSL_SESSION *session) { return ctls_keep_session(stream, session); }

int ctls_keep_session(ctls_stream *stream, ctls_session *session) {
    SSL_SESSION *old = SSL_get_ex_data(stream, session_index);
    if (!SSL_set_ex_data(stream, session_index, session)) return 0;
    SSL_SESSION_free(old);
    // The reference is ours from here on.
    return 1;
}

ctls_context *ctls_client_context_new(const ctls_client_settings *settings) {
    SSL_CTX *context = context_new(TLS_client_method(), settings->min_version, settings->ciphers);
    if (context == NULL) {
        ctls_note_error();
        return NULL;
    }
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_session);
    SSL_CTX_set_verify(context, settings->verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    int is_good = SSL_CTX_set_max_proto_version(context, settings->max_version);
    if (is_good && settings->verifies) {
        is_good = settings->authorities_count == 0
            ? SSL_CTX_set_default_verify_paths(context)
            : each_certificate(settings->authorities, settings->authorities_count, take_authority, context) > 0;
    }
    // 0 means success here.
    if (is_good && settings->protocols_count > 0) {
        is_good = SSL_CTX_set_alpn_protos(context, settings->protocols, (unsigned int)settings->protocols_count) == 0;
    }
    if (!is_good) {
        ctls_note_error();
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

int ctls_expect_name(ctls_stream *stream, const char *name, int is_address, int verifies) {
    int is_set = 1;
    if (!is_address) is_set = (int)SSL_set_tlsext_host_name(stream, name);
    if (is_set && verifies) {
        X509_VERIFY_PARAM *parameters = SSL_get0_param(stream);
        X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        is_set = is_address ? X509_VERIFY_PARAM_set1_ip_asc(parameters, name) : SSL_set1_host(stream, name);
    }
    return is_set ? 1 : ctls_note_error();
}

ctls_session *ctls_take_session(ctls_stream *stream) {
    SSL_SESSION *session = SSL_get_ex_data(stream, session_index);
    if (session != NULL) SSL_set_ex_data(stream, session_index, NULL);
    return session;
}

int ctls_resume(ctls_stream *stream, ctls_session *session) {
    return SSL_SESSION_is_resumable(session) && SSL_set_session(stream, session) ? 1 : ctls_note_error();
}

void ctls_session_free(ctls_session *session) { SSL_SESSION_free(session); }
