/* AES-256 in counter mode with Poly1305-AES over the ciphertext, as restic's format has it. */
#ifndef NIGHTSAFE_AEAD_H
#define NIGHTSAFE_AEAD_H

#include <Python.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

enum { AEAD_NONCE = 16, AEAD_MAC = 16, AEAD_OVERHEAD = AEAD_NONCE + AEAD_MAC, AEAD_BATCH = 256 };

/* Of processes: a fork must not use a nonce a second time. */
static unsigned long aead_generation;
static int aead_fork_error;

typedef struct {
    EVP_CIPHER_CTX *stream, *block;
    EVP_MAC_CTX *mac;
    uint8_t r[16];
    uint8_t nonces[AEAD_BATCH * AEAD_NONCE], pads[AEAD_BATCH * AEAD_NONCE];
    int next;
    unsigned long born;
} Aead;

static inline void
aead_forked(void)
{
    aead_generation++;
}

static inline void
aead_begin_watching(void)
{
    aead_fork_error = pthread_atfork(NULL, NULL, aead_forked);
}

/* Sees to it once for the process, not for each interpreter; false if that is not possible. */
static inline int
aead_watch_forks(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    return pthread_once(&once, aead_begin_watching) == 0 && aead_fork_error == 0;
}

/* Begins with a key whose `r` is there already; false if OpenSSL failed. */
static inline int
aead_begin(Aead *self, const uint8_t *encrypt, const uint8_t *k)
{
    self->next = AEAD_BATCH;
    self->stream = EVP_CIPHER_CTX_new();
    self->block = EVP_CIPHER_CTX_new();
    EVP_MAC *poly = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    if (poly != NULL)
        self->mac = EVP_MAC_CTX_new(poly);
    EVP_MAC_free(poly);
    return self->stream != NULL && self->block != NULL && self->mac != NULL &&
           EVP_EncryptInit_ex(self->stream, EVP_aes_256_ctr(), NULL, encrypt, NULL) &&
           EVP_EncryptInit_ex(self->block, EVP_aes_128_ecb(), NULL, k, NULL) &&
           EVP_CIPHER_CTX_set_padding(self->block, 0);
}

static inline void
aead_end(Aead *self)
{
    EVP_CIPHER_CTX_free(self->stream);
    EVP_CIPHER_CTX_free(self->block);
    EVP_MAC_CTX_free(self->mac);
    OPENSSL_cleanse(self->r, sizeof self->r);
    OPENSSL_cleanse(self->pads, sizeof self->pads);
}

static inline int
aead_draw_nonces(Aead *self)
{
    size_t held = 0;
    while (held < sizeof self->nonces) { /* at most 256 bytes a call come in one piece */
        ssize_t got = getrandom(self->nonces + held, sizeof self->nonces - held, 0);
        if (got < 0)
            return 0;
        held += (size_t)got;
    }
    int size = 0;
    if (!EVP_EncryptUpdate(self->block, self->pads, &size, self->nonces, sizeof self->nonces))
        return 0;
    self->next = 0;
    self->born = aead_generation;
    return size == (int)sizeof self->nonces;
}

/* Encrypts or decrypts, which is the same. Texts are shorter than 2 GiB. */
static inline int
aead_stream(Aead *self, const uint8_t *nonce, uint8_t *target, const uint8_t *text, size_t size)
{
    int done = 0;
    return EVP_EncryptInit_ex(self->stream, NULL, NULL, NULL, nonce) &&
           EVP_EncryptUpdate(self->stream, target, &done, text, (int)size) && done == (int)size;
}

static inline int
aead_tag(Aead *self, const uint8_t *pad, const uint8_t *text, size_t size, uint8_t *tag)
{
    uint8_t key[32];
    size_t length = 0;
    memcpy(key, self->r, 16);
    memcpy(key + 16, pad, 16);
    int is_done = EVP_MAC_init(self->mac, key, sizeof key, NULL) &&
                  EVP_MAC_update(self->mac, text, size) &&
                  EVP_MAC_final(self->mac, tag, &length, AEAD_MAC) && length == AEAD_MAC;
    OPENSSL_cleanse(key, sizeof key);
    return is_done;
}

/* Seals `size` bytes into `target`, which has room for AEAD_OVERHEAD more. */
static inline int
aead_seal(Aead *self, uint8_t *target, const uint8_t *plain, size_t size)
{
    if ((self->next == AEAD_BATCH || self->born != aead_generation) && !aead_draw_nonces(self))
        return 0;
    const uint8_t *nonce = self->nonces + self->next * AEAD_NONCE;
    const uint8_t *pad = self->pads + self->next * AEAD_NONCE;
    self->next++;
    memcpy(target, nonce, AEAD_NONCE);
    return aead_stream(self, nonce, target + AEAD_NONCE, plain, size) &&
           aead_tag(self, pad, target + AEAD_NONCE, size, target + AEAD_NONCE + size);
}

/* Opens into `plain`, which has room: 1 done, 0 the MAC does not fit, -1 OpenSSL failed. */
static inline int
aead_open(Aead *self, uint8_t *plain, const uint8_t *sealed, size_t size)
{
    uint8_t pad[16], tag[AEAD_MAC];
    int length = 0;
    if (size < AEAD_OVERHEAD)
        return 0;
    size_t inner = size - AEAD_OVERHEAD;
    if (!EVP_EncryptUpdate(self->block, pad, &length, sealed, AEAD_NONCE) || length != AEAD_NONCE)
        return -1;
    if (!aead_tag(self, pad, sealed + AEAD_NONCE, inner, tag))
        return -1;
    if (CRYPTO_memcmp(tag, sealed + AEAD_NONCE + inner, AEAD_MAC) != 0)
        return 0;
    return aead_stream(self, sealed, plain, sealed + AEAD_NONCE, inner) ? 1 : -1;
}

#endif
