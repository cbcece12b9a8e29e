
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * SipHash-2-4.
 */


#include <string.h>

#include "fwd_hash.h"


/* Words are little-endian everywhere: the result is kept in Redis. */
#if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
#define FWD_HASH_LITTLE(x)     (x)
#else
#define FWD_HASH_LITTLE(x)     __builtin_bswap64(x)
#endif

#define FWD_HASH_ROTATE(x, n)  (((x) << (n)) | ((x) >> (64 - (n))))


static uint64_t fwd_hash_rest(const unsigned char *p, size_t len);
static inline void fwd_hash_rounds(uint64_t v[4], unsigned n);


uint64_t
fwd_hash(const fwd_hash_key_t *key, const void *data, size_t len)
{
    size_t                left;
    uint64_t              raw, word, v[4];
    const unsigned char  *p = data;

    v[0] = key->k0 ^ 0x736f6d6570736575ULL;
    v[1] = key->k1 ^ 0x646f72616e646f6dULL;
    v[2] = key->k0 ^ 0x6c7967656e657261ULL;
    v[3] = key->k1 ^ 0x7465646279746573ULL;

    for (left = len; left >= 8; left -= 8) {
        memcpy(&raw, p, 8);
        word = FWD_HASH_LITTLE(raw);
        p += 8;

        v[3] ^= word;
        fwd_hash_rounds(v, 2);
        v[0] ^= word;
    }

    word = fwd_hash_rest(p, left) | (uint64_t) len << 56;

    v[3] ^= word;
    fwd_hash_rounds(v, 2);
    v[0] ^= word;

    v[2] ^= 0xff;
    fwd_hash_rounds(v, 4);

    return v[0] ^ v[1] ^ v[2] ^ v[3];
}


static uint64_t
fwd_hash_rest(const unsigned char *p, size_t len)
{
    size_t    i;
    uint64_t  word;

    word = 0;

    for (i = 0; i < len; i++) {
        word |= (uint64_t) p[i] << (8 * i);
    }

    return word;
}


static inline void
fwd_hash_rounds(uint64_t v[4], unsigned n)
{
    while (n-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = FWD_HASH_ROTATE(v[1], 13) ^ v[0];
        v[3] = FWD_HASH_ROTATE(v[3], 16) ^ v[2];
        v[0] = FWD_HASH_ROTATE(v[0], 32);

        v[2] += v[1];
        v[0] += v[3];
        v[1] = FWD_HASH_ROTATE(v[1], 17) ^ v[2];
        v[3] = FWD_HASH_ROTATE(v[3], 21) ^ v[0];
        v[2] = FWD_HASH_ROTATE(v[2], 32);
    }
}
