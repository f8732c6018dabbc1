// The client of the cases over TLS 1.3. One suite and one group for every proxy, so that the same work is compared.
//
//   load-tls get PORT CONNECTIONS SECONDS PATH      GETs, each waiting for its answer
//   load-tls ws PORT CONNECTIONS SECONDS BYTES      echo round trips of BYTES-byte text messages
//   load-tls full PORT CONNECTIONS SECONDS          connections with a full handshake, closed when their ticket is there
//   load-tls resumed PORT CONNECTIONS SECONDS       the same, each with the ticket that the one before it brought
//   load-tls idle PORT CONNECTIONS                  opens them and holds them, with one GET on each
//   load-tls idle-h2 PORT CONNECTIONS               the same over HTTP/2
//
// Prints `ready` when every connection has had its first answer (`full` and `resumed`: its first end), from where on it
// counts; then `COUNT done, COUNT errors, SECONDS s`, and ends when stdin does: what ending costs is no part of a case.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { record_size = 16384, kept_size = 4096, opened_at_once = 32 };
enum kind { get, ws, full, resumed, idle, idle_h2 };
enum stage { shaking, waiting_for_ticket, serving, closing };
static const char *const kinds[] = {"get", "ws", "full", "resumed", "idle", "idle-h2"};

struct connection {
    SSL *ssl;
    SSL_SESSION *session;     // of the connection before in its place, for one use
    int fd;
    enum stage stage;
    int has_ticket, upgraded, answered;
    size_t have;              // bytes of an incomplete head or frame in `kept`
    size_t body_left;
    char kept[kept_size];
};

static enum kind kind;
static int port, connection_count, poll_fd;
static SSL_CTX *context;
static uint64_t done, errors, answered_connections;
static char request[1024], frame[256], input[kept_size + record_size];
static size_t request_size, frame_size, payload_size;

static void die(const char *what) {
    perror(what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what) {
    if (errors++ == 0) {
        fprintf(stderr, "%s (errno: %s)\n", what, strerror(errno));
        ERR_print_errors_fp(stderr);
    }
    ERR_clear_error();
}

static int take_session(SSL *ssl, SSL_SESSION *given) {
    struct connection *c = SSL_get_app_data(ssl);
    c->has_ticket = 1;
    if (kind != resumed || c->session) return 0;
    c->session = given;
    return 1;
}

static void prepare(void) {
    static const unsigned char h1[] = "\x08http/1.1", h2[] = "\x02h2";
    context = SSL_CTX_new(TLS_client_method());
    if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION)
        || !SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") || !SSL_CTX_set1_groups_list(context, "X25519")
        || SSL_CTX_set_alpn_protos(context, kind == idle_h2 ? h2 : h1, (unsigned)(kind == idle_h2 ? sizeof h2 : sizeof h1) - 1))
        die("TLS");
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, take_session);
}

static void connect_one(struct connection *c, SSL_SESSION *session) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) die("fcntl");
    *c = (struct connection){.ssl = SSL_new(context), .fd = fd, .stage = shaking};
    if (!c->ssl || !SSL_set_fd(c->ssl, fd) || !SSL_set_app_data(c->ssl, c)) die("TLS");
    if (session && !SSL_set_session(c->ssl, session)) die("session");
    SSL_SESSION_free(session);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
    SSL_connect(c->ssl);
}

static void transmit(struct connection *c, const char *bytes, size_t length) {
    if (SSL_write(c->ssl, bytes, (int)length) != (int)length) fail("a write");
}

// What is needed of the peer is that it did what is compared.
static void opened(struct connection *c) {
    static const char wanted[] = "TLS_AES_128_GCM_SHA256";
    if (SSL_version(c->ssl) != TLS1_3_VERSION || strcmp(SSL_get_cipher_name(c->ssl), wanted) != 0) fail("another version or suite");
    int is_resumed = SSL_session_reused(c->ssl);
    if (is_resumed != (kind == resumed && c->answered)) fail(is_resumed ? "resumed" : "not resumed");
    const unsigned char *protocol;
    unsigned length;
    SSL_get0_alpn_selected(c->ssl, &protocol, &length);
    if (kind == idle_h2 && (length != 2 || memcmp(protocol, "h2", 2) != 0)) fail("no HTTP/2");
    if (kind == full || kind == resumed) {
        c->stage = waiting_for_ticket;
        return;
    }
    c->stage = serving;
    transmit(c, request, request_size);
}

// One request or connection is over.
static void count(struct connection *c) {
    done++;
    if (!c->answered) {
        c->answered = 1;
        answered_connections++;
    }
}

static void again(struct connection *c) {
    if (kind == get) transmit(c, request, request_size);
    if (kind == ws) transmit(c, frame, frame_size);
}

// Bytes of the head that starts at `bytes`, 0 when it is not complete; the body's length goes to `body_left`.
static size_t head(struct connection *c, const char *bytes, size_t length, int status) {
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end) return 0;
    if (length < 12 || atoi(bytes + 9) != status) {
        if (errors == 0) fprintf(stderr, "%.*s\n", (int)(length < 400 ? length : 400), bytes);
        fail("another status");
    }
    static const char name[] = "content-length:";
    c->body_left = 0;
    for (const char *line = bytes; line < end; ) {
        if (strncasecmp(line, name, sizeof name - 1) == 0) c->body_left = (size_t)atol(line + sizeof name - 1);
        const char *next = memchr(line, '\n', (size_t)(end - line));
        if (!next) break;
        line = next + 1;
    }
    return (size_t)(end + 4 - bytes);
}

static size_t take_http(struct connection *c, const char *bytes, size_t length) {
    size_t used = 0;
    while (used < length) {
        if (c->body_left) {
            size_t n = length - used < c->body_left ? length - used : c->body_left;
            used += n;
            c->body_left -= n;
        } else {
            size_t n = head(c, bytes + used, length - used, 200);
            if (!n) break;
            used += n;
        }
        if (c->body_left) continue;
        count(c);
        again(c);
    }
    return used;
}

static size_t take_ws(struct connection *c, const char *bytes, size_t length) {
    size_t used = 0;
    if (!c->upgraded) {
        used = head(c, bytes, length, 101);
        if (!used) return 0;
        c->upgraded = 1;
        again(c);
    }
    while (length - used >= 2 + payload_size) {
        if (bytes[used] != (char)0x81 || (size_t)(uint8_t)bytes[used + 1] != payload_size) {
            fail("another frame");
            return length;
        }
        used += 2 + payload_size;
        count(c);
        again(c);
    }
    return used;
}

// Frames until one ends stream 1; no frame of a small answer is larger than what is kept.
static size_t take_h2(struct connection *c, const char *bytes, size_t length) {
    enum { frame_head = 9, data = 0, headers = 1, settings = 4, ack = 1, end_stream = 1 };
    size_t used = 0;
    while (length - used >= frame_head) {
        const uint8_t *at = (const uint8_t *)bytes + used;
        size_t size = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        if (length - used < frame_head + size) break;
        used += frame_head + size;
        int type = at[3], flags = at[4];
        if (type == settings && !(flags & ack)) transmit(c, "\0\0\0\4\1\0\0\0\0", frame_head);
        if (type == headers) {
            const uint8_t *block = at + frame_head;
            // A change of the table's size may stand before the status.
            if (size > 1 && (*block & 0xE0) == 0x20) block++;
            if (size == 0 || *block != 0x88) fail("another status");
        }
        if ((type == headers || type == data) && (flags & end_stream)) count(c);
        if (type == 3 || type == 7) fail("RST_STREAM or GOAWAY");
    }
    return used;
}

static void take(struct connection *c, size_t got) {
    size_t length = c->have + got;
    size_t used = kind == ws ? take_ws(c, input, length)
        : kind == idle_h2    ? take_h2(c, input, length)
                             : take_http(c, input, length);
    c->have = length - used;
    if (c->have > sizeof c->kept) {
        fail("a head or frame too large");
        c->have = 0;
    }
    memcpy(c->kept, input + used, c->have);
}

static void close_one(struct connection *c) {
    SSL_free(c->ssl);
    close(c->fd);
    count(c);
    connect_one(c, c->session);
    c->answered = 1;
}

static void readable(struct connection *c) {
    if (c->stage == closing) {
        // All that still comes is the end.
        ssize_t got = recv(c->fd, input, sizeof input, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN)) close_one(c);
        return;
    }
    if (c->stage == shaking) {
        int result = SSL_connect(c->ssl);
        if (result != 1) {
            if (SSL_get_error(c->ssl, result) == SSL_ERROR_WANT_READ) return;
            fail("a handshake");
            epoll_ctl(poll_fd, EPOLL_CTL_DEL, c->fd, NULL);
            return;
        }
        opened(c);
    }
    do {
        memcpy(input, c->kept, c->have);
        int got = SSL_read(c->ssl, input + c->have, record_size);
        if (got <= 0) {
            if (SSL_get_error(c->ssl, got) == SSL_ERROR_WANT_READ) break;
            fail("the connection ended");
            epoll_ctl(poll_fd, EPOLL_CTL_DEL, c->fd, NULL);
            return;
        }
        take(c, (size_t)got);
    } while (SSL_has_pending(c->ssl));
    if (c->stage == waiting_for_ticket && c->has_ticket) {
        SSL_shutdown(c->ssl);
        shutdown(c->fd, SHUT_WR);
        c->stage = closing;
    }
}

static void serve(double until, uint64_t connections) {
    struct epoll_event events[512];
    while (now() < until && answered_connections < connections && errors == 0) {
        int ready = epoll_wait(poll_fd, events, 512, 100);
        for (int i = 0; i < ready; i++) readable(events[i].data.ptr);
    }
}

static void make_request(const char *path) {
    static const char h2[] =
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        "\0\0\0\4\0\0\0\0\0"                        // SETTINGS
        "\0\0\x0F\1\5\0\0\0\1\x82\x87\x84\x41\x0A"  // HEADERS of stream 1: GET, https, /, and the authority
        "bench.test";
    if (kind == idle_h2) {
        request_size = sizeof h2 - 1;
        memcpy(request, h2, request_size);
        return;
    }
    static const char upgrade[] =
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    request_size = (size_t)snprintf(
        request, sizeof request, "GET %s HTTP/1.1\r\nHost: bench.test\r\n%s\r\n", path, kind == ws ? upgrade : "");
}

static void make_frame(size_t size) {
    payload_size = size;
    frame[0] = (char)0x81;
    frame[1] = (char)(0x80 | size);
    memcpy(frame + 2, "mask", 4);
    for (size_t i = 0; i < size; i++) frame[6 + i] = (char)('a' ^ frame[2 + (i & 3)]);
    frame_size = 6 + size;
}

int main(int argc, char **argv) {
    if (argc < 4) return 64;
    while (kind <= idle_h2 && strcmp(argv[1], kinds[kind]) != 0) kind++;
    int is_idle = kind == idle || kind == idle_h2;
    if (kind > idle_h2 || argc != (is_idle ? 4 : kind == get || kind == ws ? 6 : 5)) return 64;
    port = atoi(argv[2]);
    connection_count = atoi(argv[3]);
    if (kind == ws && (atoi(argv[5]) < 0 || atoi(argv[5]) > 125)) return 64;
    if (kind == ws) make_frame((size_t)atoi(argv[5]));
    make_request(kind == get ? argv[5] : kind == ws ? "/ws" : "/");
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    prepare();
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct connection *connections = calloc((size_t)connection_count, sizeof *connections);
    if (!connections) die("calloc");

    double limit = now() + 120;
    for (int i = 0; i < connection_count; i++) {
        connect_one(&connections[i], NULL);
        // Thousands of handshakes at once leave a heap that is their peak's, not that of idle connections.
        if (i >= opened_at_once) serve(limit, (uint64_t)(i + 1 - opened_at_once));
    }
    serve(limit, (uint64_t)connection_count);
    if (answered_connections < (uint64_t)connection_count) fail("not every connection had an answer");
    printf("ready\n");
    fflush(stdout);
    double start = now();
    if (is_idle) start = now();
    else done = 0, serve(start + atof(argv[4]), UINT64_MAX);
    printf("%llu done, %llu errors, %.6f s\n", (unsigned long long)done, (unsigned long long)errors, now() - start);
    fflush(stdout);
    while (read(0, input, 1) > 0) { }
    return errors ? 1 : 0;
}
