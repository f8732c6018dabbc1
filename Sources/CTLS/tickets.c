#include "tickets.h"
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint8_t name[16];
    uint8_t cipher[32];
    uint8_t mac[32];
} ticket_key;

_Static_assert(sizeof(ticket_key) == CTLS_TICKET_KEY_COUNT, "keys are copied as they come");

struct ctls_tickets {
    atomic_int holders;
    pthread_rwlock_t lock;
    EVP_CIPHER *cipher;
    ticket_key keys[CTLS_TICKET_KEYS_LIMIT];
    size_t count;
};

ctls_tickets *ctls_tickets_new(void) {
    ctls_tickets *tickets = calloc(1, sizeof *tickets);
    if (tickets == NULL) return NULL;
    tickets->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    if (tickets->cipher == NULL || pthread_rwlock_init(&tickets->lock, NULL) != 0) {
        EVP_CIPHER_free(tickets->cipher);
        free(tickets);
        return NULL;
    }
    atomic_init(&tickets->holders, 1);
    return tickets;
}

void ctls_tickets_retain(ctls_tickets *tickets) { atomic_fetch_add(&tickets->holders, 1); }

void ctls_tickets_release(ctls_tickets *tickets) {
    if (tickets == NULL || atomic_fetch_sub(&tickets->holders, 1) != 1) return;
    pthread_rwlock_destroy(&tickets->lock);
    EVP_CIPHER_free(tickets->cipher);
    OPENSSL_cleanse(tickets, sizeof *tickets);
    free(tickets);
}

void ctls_tickets_set(ctls_tickets *tickets, const uint8_t *keys, size_t count) {
    if (count > CTLS_TICKET_KEYS_LIMIT) count = CTLS_TICKET_KEYS_LIMIT;
    pthread_rwlock_wrlock(&tickets->lock);
    OPENSSL_cleanse(tickets->keys, sizeof tickets->keys);
    memcpy(tickets->keys, keys, count * sizeof(ticket_key));
    tickets->count = count;
    pthread_rwlock_unlock(&tickets->lock);
}

int ctls_random(uint8_t *bytes, size_t count) { return count <= INT32_MAX && RAND_priv_bytes(bytes, (int)count) == 1; }

static int prepare(
    EVP_CIPHER *algorithm, const ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seals) {
    if (!EVP_CipherInit_ex(cipher, algorithm, NULL, key->cipher, iv, seals)) return 0;
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, parameters);
}

int ctls_tickets_prepare(
    ctls_tickets *tickets, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seals) {
    int result = 0;
    pthread_rwlock_rdlock(&tickets->lock);
    if (seals) {
        result = -1;
        if (tickets->count > 0 && RAND_bytes(iv, 16) == 1) {
            memcpy(name, tickets->keys[0].name, sizeof tickets->keys[0].name);
            if (prepare(tickets->cipher, &tickets->keys[0], iv, cipher, mac, 1)) result = 1;
        }
    } else {
        for (size_t index = 0; index < tickets->count; index++) {
            if (memcmp(name, tickets->keys[index].name, sizeof tickets->keys[index].name) != 0) continue;
            result = prepare(tickets->cipher, &tickets->keys[index], iv, cipher, mac, 0) ? (index == 0 ? 1 : 2) : -1;
            break;
        }
    }
    pthread_rwlock_unlock(&tickets->lock);
    return result;
}
