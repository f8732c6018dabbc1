#pragma once
#include "context.h"
#include <openssl/evp.h>

void ctls_tickets_retain(ctls_tickets *tickets);
// Prepares the ciphers for sealing (`seals`) a ticket, or for opening the one that `name` and `iv` came with. As OpenSSL wants it:
// 1: go on; 2: go on, and give a new ticket; 0: no such key; -1: failed.
int ctls_tickets_prepare(
    ctls_tickets *tickets, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seals);
