#include "x509.h"
#include "internal.h"
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
    X509 *x509;
    GENERAL_NAMES *names;
    // Whether the extension with the names is there and cannot be read.
    int names_broken;
} entry;

struct ctls_pem {
    entry *entries;
    size_t count;
    size_t capacity;
    EVP_PKEY *key;
};

ctls_pem *ctls_pem_new(void) { return calloc(1, sizeof(ctls_pem)); }

void ctls_pem_free(ctls_pem *pem) {
    if (pem == NULL) return;
    for (size_t index = 0; index < pem->count; index++) {
        GENERAL_NAMES_free(pem->entries[index].names);
        X509_free(pem->entries[index].x509);
    }
    EVP_PKEY_free(pem->key);
    free(pem->entries);
    free(pem);
}

// MARK: Reading

static int add_certificate(ctls_pem *pem, const unsigned char *data, long count, int trusted) {
    const unsigned char *end = data;
    X509 *x509 = trusted ? d2i_X509_AUX(NULL, &end, count) : d2i_X509(NULL, &end, count);
    if (x509 == NULL) return ctls_read_broken;
    if (end != data + count) {
        X509_free(x509);
        return ctls_read_broken;
    }
    if (pem->count == pem->capacity) {
        size_t capacity = pem->capacity == 0 ? 4 : pem->capacity * 2;
        entry *entries = realloc(pem->entries, capacity * sizeof(entry));
        if (entries == NULL) {
            X509_free(x509);
            return ctls_read_memory;
        }
        pem->entries = entries;
        pem->capacity = capacity;
    }
    int critical = -1;
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, &critical, NULL);
    pem->entries[pem->count++] = (entry){x509, names, names == NULL && critical != -1};
    return ctls_read_done;
}

static int add_key(ctls_pem *pem, const char *name, const unsigned char *data, long count) {
    if (pem->key != NULL) return ctls_read_second_key;
    const unsigned char *end = data;
    EVP_PKEY *key;
    if (strcmp(name, PEM_STRING_RSA) == 0) key = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &end, count);
    else if (strcmp(name, PEM_STRING_ECPRIVATEKEY) == 0) key = d2i_PrivateKey(EVP_PKEY_EC, NULL, &end, count);
    else key = d2i_AutoPrivateKey(NULL, &end, count);
    if (key == NULL || end != data + count) {
        EVP_PKEY_free(key);
        return ctls_read_broken;
    }
    pem->key = key;
    return ctls_read_done;
}

static int add_block(
    ctls_pem *pem, const char *name, const char *header, const unsigned char *data, long count, int wanted,
    size_t certificates_max) {
    int trusted = strcmp(name, PEM_STRING_X509_TRUSTED) == 0;
    if (trusted || strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_OLD) == 0) {
        if ((wanted & ctls_want_certificates) == 0) return ctls_read_done;
        if (pem->count >= certificates_max) return ctls_read_too_many_certificates;
        return add_certificate(pem, data, count, trusted);
    }
    size_t length = strlen(name), suffix = strlen(PEM_STRING_PKCS8INF);
    if ((wanted & ctls_want_key) == 0 || length < suffix || strcmp(name + length - suffix, PEM_STRING_PKCS8INF) != 0)
        return ctls_read_done;
    if (strcmp(name, PEM_STRING_PKCS8) == 0 || strstr(header, "ENCRYPTED") != NULL) return ctls_read_encrypted_key;
    return add_key(pem, name, data, count);
}

int ctls_pem_read(ctls_pem *pem, const void *bytes, size_t count, int wanted, size_t certificates_max, size_t *block) {
    *block = 0;
    if (count == 0) return ctls_read_done;
    if (count > INT_MAX) return ctls_read_broken;
    BIO *bio = BIO_new_mem_buf(bytes, (int)count);
    if (bio == NULL) return ctls_read_memory;
    int result = ctls_read_done;
    ERR_clear_error();
    while (result == ctls_read_done) {
        char *name = NULL, *header = NULL;
        unsigned char *data = NULL;
        long length = 0;
        *block += 1;
        if (PEM_read_bio(bio, &name, &header, &data, &length) != 1) {
            unsigned long error = ERR_peek_last_error();
            int isEnd = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
            result = isEnd ? ctls_read_done : ctls_read_broken;
            break;
        }
        result = add_block(pem, name, header, data, length, wanted, certificates_max);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, (size_t)length);
    }
    ERR_clear_error();
    BIO_free(bio);
    return result;
}

size_t ctls_pem_certificate_count(const ctls_pem *pem) { return pem->count; }
int ctls_pem_has_key(const ctls_pem *pem) { return pem->key != NULL; }

// MARK: Facts

static int unix_seconds(const ASN1_TIME *time, int64_t *out) {
    struct tm parts;
    if (time == NULL || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
    *out = timegm(&parts);
    return 1;
}

static int key_kind(EVP_PKEY *key) {
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA: return ctls_key_rsa;
    case EVP_PKEY_RSA_PSS: return ctls_key_rsa_pss;
    case EVP_PKEY_EC: return ctls_key_ecdsa;
    case EVP_PKEY_ED25519: return ctls_key_ed25519;
    case EVP_PKEY_ED448: return ctls_key_ed448;
    default: return ctls_key_other;
    }
}

int ctls_certificate_read(const ctls_pem *pem, size_t index, ctls_certificate *out) {
    memset(out, 0, sizeof *out);
    if (index >= pem->count || pem->entries[index].names_broken) return 0;
    X509 *x509 = pem->entries[index].x509;
    int done = 0;
    unsigned int length = sizeof out->sha256;
    EVP_PKEY *key = X509_get0_pubkey(x509);
    if (key != NULL && unix_seconds(X509_get0_notBefore(x509), &out->not_before)
        && unix_seconds(X509_get0_notAfter(x509), &out->not_after)
        && X509_digest(x509, EVP_sha256(), out->sha256, &length) == 1) {
        out->key_kind = key_kind(key);
        out->key_bits = EVP_PKEY_get_bits(key);
        out->is_authority = X509_check_ca(x509) != 0;
        int names = pem->entries[index].names == NULL ? 0 : sk_GENERAL_NAME_num(pem->entries[index].names);
        out->name_count = names > 0 ? (size_t)names : 0;
        done = 1;
    }
    ERR_clear_error();
    return done;
}

int ctls_certificate_name(const ctls_pem *pem, size_t index, size_t name, const uint8_t **bytes, size_t *count) {
    *bytes = NULL;
    *count = 0;
    if (index >= pem->count || pem->entries[index].names == NULL) return ctls_name_other;
    if (name >= (size_t)sk_GENERAL_NAME_num(pem->entries[index].names)) return ctls_name_other;
    const GENERAL_NAME *found = sk_GENERAL_NAME_value(pem->entries[index].names, (int)name);
    const ASN1_STRING *text;
    int kind;
    if (found->type == GEN_DNS) {
        text = found->d.dNSName;
        kind = ctls_name_dns;
    } else if (found->type == GEN_IPADD) {
        text = found->d.iPAddress;
        kind = ctls_name_address;
    } else {
        return ctls_name_other;
    }
    *bytes = ASN1_STRING_get0_data(text);
    *count = (size_t)ASN1_STRING_length(text);
    return kind;
}

static size_t copy_out(const void *bytes, size_t count, uint8_t *out, size_t room) {
    if (out != NULL) memcpy(out, bytes, count < room ? count : room);
    return count;
}

size_t ctls_certificate_common_name(const ctls_pem *pem, size_t index, uint8_t *out, size_t room) {
    if (index >= pem->count) return 0;
    const X509_NAME *subject = X509_get_subject_name(pem->entries[index].x509);
    int last = -1;
    for (int next; (next = X509_NAME_get_index_by_NID(subject, NID_commonName, last)) >= 0;) last = next;
    if (last < 0) return 0;
    unsigned char *text = NULL;
    int length = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
    ERR_clear_error();
    if (length <= 0) return 0;
    size_t count = copy_out(text, (size_t)length, out, room);
    OPENSSL_free(text);
    return count;
}

size_t ctls_name_text(const X509_NAME *name, uint8_t *out, size_t room) {
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL) return 0;
    size_t count = 0;
    // Bytes beyond ASCII stand as they are, in UTF-8; control characters are escaped.
    if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
        char *bytes = NULL;
        long length = BIO_get_mem_data(bio, &bytes);
        if (length > 0) count = copy_out(bytes, (size_t)length, out, room);
    }
    ERR_clear_error();
    BIO_free(bio);
    return count;
}

size_t ctls_certificate_subject(const ctls_pem *pem, size_t index, uint8_t *out, size_t room) {
    return index < pem->count ? ctls_name_text(X509_get_subject_name(pem->entries[index].x509), out, room) : 0;
}

size_t ctls_certificate_issuer(const ctls_pem *pem, size_t index, uint8_t *out, size_t room) {
    return index < pem->count ? ctls_name_text(X509_get_issuer_name(pem->entries[index].x509), out, room) : 0;
}

int ctls_certificate_is_issued(const ctls_pem *pem, size_t index, size_t issuer) {
    if (index >= pem->count || issuer >= pem->count) return 0;
    X509 *child = pem->entries[index].x509, *parent = pem->entries[issuer].x509;
    EVP_PKEY *key = X509_get0_pubkey(parent);
    int issued = key != NULL && X509_check_issued(parent, child) == X509_V_OK && X509_verify(child, key) == 1;
    ERR_clear_error();
    return issued;
}

int ctls_certificate_has_key(const ctls_pem *pem, size_t index) {
    if (index >= pem->count || pem->key == NULL) return 0;
    int has = X509_check_private_key(pem->entries[index].x509, pem->key) == 1;
    ERR_clear_error();
    return has;
}

// MARK: What OpenSSL takes

static int refusal(void) {
    unsigned long error = ERR_peek_last_error();
    if (ERR_GET_LIB(error) == ERR_LIB_SSL) {
        switch (ERR_GET_REASON(error)) {
        case SSL_R_EE_KEY_TOO_SMALL:
        case SSL_R_CA_KEY_TOO_SMALL: return ctls_refused_small_key;
        case SSL_R_CA_MD_TOO_WEAK: return ctls_refused_weak_digest;
        default: return ctls_refused_other;
        }
    }
    return ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE ? ctls_refused_memory : ctls_refused_other;
}

int ctls_pem_check(const ctls_pem *pem, size_t *index, char *reason, size_t room) {
    *index = 0;
    if (room > 0) reason[0] = 0;
    if (pem->count == 0 || pem->key == NULL) return ctls_refused_other;
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    if (context == NULL) return ctls_refused_memory;
    SSL_CTX_set_security_level(context, 2);
    int result = ctls_refused_nothing;
    if (SSL_CTX_use_certificate(context, pem->entries[0].x509) != 1) result = refusal();
    else if (SSL_CTX_use_PrivateKey(context, pem->key) != 1 || SSL_CTX_check_private_key(context) != 1)
        result = ctls_refused_key;
    for (size_t next = 1; result == ctls_refused_nothing && next < pem->count; next++) {
        *index = next;
        if (SSL_CTX_add1_chain_cert(context, pem->entries[next].x509) != 1) result = refusal();
    }
    if (result != ctls_refused_nothing && room > 0) {
        const char *text = ERR_reason_error_string(ERR_peek_last_error());
        if (text != NULL) {
            strncpy(reason, text, room - 1);
            reason[room - 1] = 0;
        }
    }
    ERR_clear_error();
    SSL_CTX_free(context);
    return result;
}

// MARK: Writing

static size_t written(BIO *bio, int isDone, uint8_t *out, size_t room) {
    size_t count = 0;
    char *bytes = NULL;
    long length = BIO_get_mem_data(bio, &bytes);
    if (isDone && length > 0) {
        count = (size_t)length;
        if (out != NULL && room >= count) memcpy(out, bytes, count);
    }
    if (length > 0) OPENSSL_cleanse(bytes, (size_t)length);
    ERR_clear_error();
    BIO_free(bio);
    return count;
}

size_t ctls_pem_write_certificates(const ctls_pem *pem, uint8_t *out, size_t room) {
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL) return 0;
    int isDone = 1;
    for (size_t index = 0; isDone && index < pem->count; index++)
        isDone = PEM_write_bio_X509(bio, pem->entries[index].x509) == 1;
    return written(bio, isDone, out, room);
}

size_t ctls_pem_write_key(const ctls_pem *pem, uint8_t *out, size_t room) {
    if (pem->key == NULL) return 0;
    BIO *bio = BIO_new(BIO_s_secmem());
    if (bio == NULL) return 0;
    int isDone = PEM_write_bio_PKCS8PrivateKey(bio, pem->key, NULL, NULL, 0, NULL, NULL) == 1;
    return written(bio, isDone, out, room);
}

// MARK: OCSP

// Whether the id is that of the first certificate (RFC 6960 section 4.1.1): its serial number, its issuer's name and,
// where the issuer is here, the issuer's key.
static int is_about_leaf(const ctls_pem *pem, const OCSP_CERTID *id) {
    ASN1_OCTET_STRING *name = NULL, *key = NULL;
    ASN1_OBJECT *algorithm = NULL;
    ASN1_INTEGER *serial = NULL;
    if (OCSP_id_get0_info(&name, &algorithm, &key, &serial, (OCSP_CERTID *)id) != 1) return 0;
    X509 *leaf = pem->entries[0].x509;
    if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) != 0) return 0;
    const EVP_MD *digest = EVP_get_digestbyobj(algorithm);
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (digest == NULL || X509_NAME_digest(X509_get_issuer_name(leaf), digest, hash, &length) != 1) return 0;
    if (length != (unsigned int)ASN1_STRING_length(name)
        || memcmp(hash, ASN1_STRING_get0_data(name), length) != 0)
        return 0;
    if (pem->count < 2 || !ctls_certificate_is_issued(pem, 0, 1)) return 1;
    if (X509_pubkey_digest(pem->entries[1].x509, digest, hash, &length) != 1) return 0;
    return length == (unsigned int)ASN1_STRING_length(key) && memcmp(hash, ASN1_STRING_get0_data(key), length) == 0;
}

static int read_basic(const ctls_pem *pem, OCSP_BASICRESP *basic, ctls_ocsp *out) {
    for (int index = 0; index < OCSP_resp_count(basic); index++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, index);
        if (single == NULL || !is_about_leaf(pem, OCSP_SINGLERESP_get0_id(single))) continue;
        int reason = 0;
        ASN1_GENERALIZEDTIME *revoked = NULL, *this_update = NULL, *next_update = NULL;
        int status = OCSP_single_get0_status(single, &reason, &revoked, &this_update, &next_update);
        if (!unix_seconds(this_update, &out->this_update)) return ctls_ocsp_broken;
        out->has_next_update = next_update != NULL;
        if (next_update != NULL && !unix_seconds(next_update, &out->next_update)) return ctls_ocsp_broken;
        switch (status) {
        case V_OCSP_CERTSTATUS_GOOD: out->status = ctls_status_good; break;
        case V_OCSP_CERTSTATUS_REVOKED: out->status = ctls_status_revoked; break;
        default: out->status = ctls_status_unknown; break;
        }
        return ctls_ocsp_done;
    }
    return ctls_ocsp_other_certificate;
}

// Whether the issuer answers for the response. Where it is not among the certificates, nobody knows.
static int check_signer(const ctls_pem *pem, OCSP_BASICRESP *basic) {
    if (pem->count < 2 || !ctls_certificate_is_issued(pem, 0, 1)) return ctls_ocsp_done;
    int result = ctls_ocsp_memory;
    X509 *issuer = pem->entries[1].x509;
    STACK_OF(X509) *known = sk_X509_new_null();
    X509_STORE *trusted = X509_STORE_new();
    // The issuer is enough: it need not be a root. A clock that is wrong must not keep a server from starting.
    if (known != NULL && trusted != NULL && sk_X509_push(known, issuer) > 0 && X509_STORE_add_cert(trusted, issuer)
        && X509_STORE_set_flags(trusted, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME))
        result = OCSP_basic_verify(basic, known, trusted, 0) == 1 ? ctls_ocsp_done : ctls_ocsp_other_signer;
    X509_STORE_free(trusted);
    sk_X509_free(known);
    return result;
}

int ctls_ocsp_read(const ctls_pem *pem, const void *der, size_t count, ctls_ocsp *out) {
    memset(out, 0, sizeof *out);
    if (pem->count == 0 || count > LONG_MAX) return ctls_ocsp_broken;
    const unsigned char *end = der;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &end, (long)count);
    int result = ctls_ocsp_broken;
    if (response != NULL && end == (const unsigned char *)der + count) {
        if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
            result = ctls_ocsp_unsuccessful;
        } else {
            OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
            if (basic != NULL) result = read_basic(pem, basic, out);
            if (result == ctls_ocsp_done) result = check_signer(pem, basic);
            OCSP_BASICRESP_free(basic);
        }
    }
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return result;
}
