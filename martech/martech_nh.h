
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * NH, the hash of UMAC (RFC 4418), over words of 64 bits: sums of words and
 * key multiplied in pairs, and the products added up.  With a random key that
 * nobody knows two texts of a length have the same by a chance of 2^-64, so
 * that a cache need not keep the texts, which may be personal.
 *
 * Compilers without integers of 128 bits do not have it, nor such caches.
 */


#ifndef _MARTECH_NH_H_INCLUDED_
#define _MARTECH_NH_H_INCLUDED_


#include <stdint.h>
#include <string.h>

#include "martech.h"


#ifdef __SIZEOF_INT128__

#define MARTECH_NH  1


__extension__ typedef unsigned __int128  martech_nh_wide_t;


typedef struct {
    uint64_t  low;
    uint64_t  high;
} martech_nh_t;


/* The key has as many bytes as the text, rounded up to 16. */

static inline martech_nh_t
martech_nh(const uint64_t *key, martech_str_t text)
{
    size_t                len;
    uint64_t              word[2];
    martech_nh_t          hash;
    martech_nh_wide_t     sum;
    const unsigned char  *p;

    sum = 0;
    p = text.data;

    for (len = text.len; len >= 16; len -= 16) {
        memcpy(word, p, 16);
        p += 16;

        sum += (martech_nh_wide_t) (word[0] + key[0]) * (word[1] + key[1]);
        key += 2;
    }

    if (len > 0) {
        memset(word, 0, 16);
        memcpy(word, p, len);

        sum += (martech_nh_wide_t) (word[0] + key[0]) * (word[1] + key[1]);
    }

    hash.low = (uint64_t) sum;
    hash.high = (uint64_t) (sum >> 64);

    return hash;
}

#endif


#endif /* _MARTECH_NH_H_INCLUDED_ */
