/* Small files that are read side by side, and their hashes. */
#ifndef NIGHTSAFE_CANDIDATE_H
#define NIGHTSAFE_CANDIDATE_H

#include <Python.h>
#include <openssl/evp.h>
#include <stdint.h>

#include "sha256_mb.h"
#include "status.h"

/* So many files are read and hashed before the first of them is stored, as long as they fit a
 * processor's cache: hashing several side by side takes half of the time. */
enum { CANDIDATE_BATCH = 16, CANDIDATE_BYTES = 256 << 10 };

/* A file that was read to `start` in the room. */
typedef struct {
    PyObject *entry, *name; /* the name is the entry's */
    const char *path;
    const Status *status;
    Py_ssize_t start, size;
    uint8_t id[SHA256_DIGEST];
} Candidate;

/* How files are hashed: several at once where the processor can, else one by one by OpenSSL. */
typedef struct {
    EVP_MD *kind;
    EVP_MD_CTX *context;
    int has_lanes;
} Hashing;

/* False if OpenSSL has no SHA-256. */
static inline int
candidate_begin_hashing(Hashing *by, int with_lanes)
{
    by->has_lanes = with_lanes && sha256_mb_is_supported();
    by->kind = EVP_MD_fetch(NULL, "SHA256", NULL);
    by->context = by->kind == NULL ? NULL : EVP_MD_CTX_new();
    return by->context != NULL;
}

static inline void
candidate_end_hashing(Hashing *by)
{
    EVP_MD_CTX_free(by->context);
    EVP_MD_free(by->kind);
}

static inline int
candidate_hash(Candidate *file, const Hashing *by, char *room)
{
    unsigned int length = 0;
    return EVP_DigestInit_ex2(by->context, by->kind, NULL) &&
           EVP_DigestUpdate(by->context, room + file->start, (size_t)file->size) &&
           EVP_DigestFinal_ex(by->context, file->id, &length) && length == SHA256_DIGEST;
}

static inline int
candidate_hash_all(Candidate *files, int count, const Hashing *by, char *room)
{
    Sha256Message messages[CANDIDATE_BATCH];
    int is_done = 1;
    for (int i = 0; i < count; i++) {
        Candidate *file = &files[i];
        messages[i] = (Sha256Message){
            .data = (uint8_t *)room + file->start, .size = (size_t)file->size, .digest = file->id};
        if (!by->has_lanes)
            is_done = is_done && candidate_hash(file, by, room);
    }
    if (by->has_lanes)
        sha256_mb_digest(messages, (size_t)count);
    return is_done;
}

#endif
