/* SHA-256 of several messages side by side, on processors that have instructions for it: each
 * instruction waits for the one before it, so a processor that hashes one message is idle half of
 * the time. What it gives is the same as one after the other. */
#ifndef NIGHTSAFE_SHA256_MB_H
#define NIGHTSAFE_SHA256_MB_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SHA256_DIGEST = 32, SHA256_BLOCK = 64, SHA256_LANES = 3 };

typedef struct {
    const uint8_t *data;
    size_t size;
    uint8_t *digest;
} Sha256Message;

#if defined(__GNUC__) && defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define SHA256_MB_TARGET __attribute__((target("sha,sse4.1")))

static const uint32_t sha256_mb_constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* One message on its way. The processor wants the eight words as a, b, e, f and c, d, g, h. */
typedef struct {
    __m128i abef, cdgh;
    const uint8_t *at;
    size_t blocks; /* from `at` on */
    const Sha256Message *message;
    size_t last_blocks; /* those in `last`, or 0 when they are at `at` */
    uint8_t last[2 * SHA256_BLOCK]; /* the message's end, and its length */
} Sha256Lane;

/* Whether this processor has what is needed. */
static inline int
sha256_mb_is_supported(void)
{
    unsigned int a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1))
        return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) != 0;
}

/* Other libraries leave the upper halves of the registers in use (OpenSSL's Poly1305 does), and
 * then each of the instructions below waits for those, too, and takes almost twice as long. */
__attribute__((target("avx"))) static inline void
sha256_mb_clear_upper_halves(void)
{
    _mm256_zeroupper();
}

/* Takes `blocks` blocks of each of the first `count` lanes, which the compiler knows. */
SHA256_MB_TARGET static inline __attribute__((always_inline)) void
sha256_mb_take_blocks(Sha256Lane *lanes, const int count, size_t blocks)
{
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i abef[SHA256_LANES], cdgh[SHA256_LANES];
    const uint8_t *at[SHA256_LANES];
    for (int i = 0; i < count; i++) {
        abef[i] = lanes[i].abef;
        cdgh[i] = lanes[i].cdgh;
        at[i] = lanes[i].at;
    }
    for (size_t block = 0; block < blocks; block++) {
        __m128i words[SHA256_LANES][4], old_abef[SHA256_LANES], old_cdgh[SHA256_LANES];
        for (int i = 0; i < count; i++) {
            old_abef[i] = abef[i];
            old_cdgh[i] = cdgh[i];
            for (int k = 0; k < 4; k++)
                words[i][k] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)at[i] + k), order);
            at[i] += SHA256_BLOCK;
        }
#pragma GCC unroll 16
        for (int round = 0; round < 16; round++) {
            const __m128i constants = _mm_load_si128((const __m128i *)sha256_mb_constants + round);
#pragma GCC unroll 3
            for (int i = 0; i < count; i++) {
                __m128i *word = words[i], sum = _mm_add_epi32(word[round & 3], constants);
                cdgh[i] = _mm_sha256rnds2_epu32(cdgh[i], abef[i], sum);
                abef[i] = _mm_sha256rnds2_epu32(abef[i], cdgh[i], _mm_shuffle_epi32(sum, 0x0e));
                if (round < 12) {
                    __m128i next = _mm_sha256msg1_epu32(word[round & 3], word[(round + 1) & 3]);
                    next = _mm_add_epi32(
                        next, _mm_alignr_epi8(word[(round + 3) & 3], word[(round + 2) & 3], 4));
                    word[round & 3] = _mm_sha256msg2_epu32(next, word[(round + 3) & 3]);
                }
            }
        }
        for (int i = 0; i < count; i++) {
            abef[i] = _mm_add_epi32(abef[i], old_abef[i]);
            cdgh[i] = _mm_add_epi32(cdgh[i], old_cdgh[i]);
        }
    }
    for (int i = 0; i < count; i++) {
        lanes[i].abef = abef[i];
        lanes[i].cdgh = cdgh[i];
        lanes[i].at = at[i];
        lanes[i].blocks -= blocks;
    }
}

SHA256_MB_TARGET static inline void
sha256_mb_take_one(Sha256Lane *lanes, size_t blocks)
{
    sha256_mb_take_blocks(lanes, 1, blocks);
}

SHA256_MB_TARGET static inline void
sha256_mb_take_two(Sha256Lane *lanes, size_t blocks)
{
    sha256_mb_take_blocks(lanes, 2, blocks);
}

SHA256_MB_TARGET static inline void
sha256_mb_take_three(Sha256Lane *lanes, size_t blocks)
{
    sha256_mb_take_blocks(lanes, 3, blocks);
}

static inline void
sha256_mb_put_number(uint8_t *to, uint64_t number, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, number >>= 8)
        to[i] = (uint8_t)number;
}

SHA256_MB_TARGET static inline void
sha256_mb_begin(Sha256Lane *lane, const Sha256Message *message)
{
    size_t rest = message->size % SHA256_BLOCK;
    lane->abef = _mm_set_epi32(0x6a09e667, (int)0xbb67ae85, 0x510e527f, (int)0x9b05688c);
    lane->cdgh = _mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab, 0x5be0cd19);
    lane->message = message;
    lane->at = message->data;
    lane->blocks = message->size / SHA256_BLOCK;
    lane->last_blocks = rest < SHA256_BLOCK - 8 ? 1 : 2;
    memset(lane->last, 0, sizeof lane->last);
    if (rest)
        memcpy(lane->last, message->data + message->size - rest, rest);
    lane->last[rest] = 0x80;
    sha256_mb_put_number(lane->last + lane->last_blocks * SHA256_BLOCK - 8,
                         (uint64_t)message->size * 8, 8);
}

SHA256_MB_TARGET static inline void
sha256_mb_end(Sha256Lane *lane)
{
    uint32_t abef[4], cdgh[4];
    _mm_storeu_si128((__m128i *)abef, lane->abef);
    _mm_storeu_si128((__m128i *)cdgh, lane->cdgh);
    const uint32_t words[8] = {abef[3], abef[2], cdgh[3], cdgh[2],
                               abef[1], abef[0], cdgh[1], cdgh[0]};
    for (int i = 0; i < 8; i++)
        sha256_mb_put_number(lane->message->digest + 4 * i, words[i], 4);
}

static inline int
sha256_mb_longer_first(const void *one, const void *other)
{
    const size_t a = ((const Sha256Message *)one)->size, b = ((const Sha256Message *)other)->size;
    return (a < b) - (a > b);
}

/* Only where sha256_mb_is_supported() says so. The messages are put in another order, the longest
 * first, so that at the end none is left alone for long. */
static inline void
sha256_mb_digest(Sha256Message *messages, size_t count)
{
    static void (*const take[])(Sha256Lane *, size_t) = {NULL, sha256_mb_take_one,
                                                         sha256_mb_take_two, sha256_mb_take_three};
    Sha256Lane lanes[SHA256_LANES];
    int used = 0;
    qsort(messages, count, sizeof *messages, sha256_mb_longer_first);
    if (__builtin_cpu_supports("avx"))
        sha256_mb_clear_upper_halves();
    while (used < SHA256_LANES && count) {
        sha256_mb_begin(&lanes[used++], messages++);
        count--;
    }
    while (used) {
        size_t blocks = lanes[0].blocks;
        for (int i = 1; i < used; i++)
            blocks = lanes[i].blocks < blocks ? lanes[i].blocks : blocks;
        if (blocks)
            take[used](lanes, blocks);
        for (int i = used - 1; i >= 0; i--) {
            Sha256Lane *lane = &lanes[i];
            if (lane->blocks)
                continue;
            if (lane->last_blocks) {
                lane->at = lane->last;
                lane->blocks = lane->last_blocks;
                lane->last_blocks = 0;
                continue;
            }
            sha256_mb_end(lane);
            if (count) {
                sha256_mb_begin(lane, messages++);
                count--;
            } else if (--used != i) {
                *lane = lanes[used];
                if (!lane->last_blocks) /* `at` was in the lane itself, which has moved */
                    lane->at = lane->last + (lanes[used].at - lanes[used].last);
            }
        }
    }
}

#else

static inline int
sha256_mb_is_supported(void)
{
    return 0;
}

static inline void
sha256_mb_digest(Sha256Message *messages, size_t count)
{
    (void)messages;
    (void)count;
}

#endif
#endif
