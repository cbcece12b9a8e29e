
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The cache of signals: a place for each hash, and the last one that came
 * there has it.
 *
 * The hash is NH, of UMAC (RFC 4418), over words of 64 bits: sums of words and
 * key multiplied in pairs, and the products added up.
 */


#include <string.h>

#include "martech_consent_cache.h"


#ifdef __SIZEOF_INT128__

__extension__ typedef unsigned __int128  martech_consent_wide_t;


static void martech_consent_hash(const uint64_t *key, martech_str_t value,
    uint64_t *low, uint64_t *high);


int
martech_consent_recall(martech_consent_cache_t *cache,
    martech_consent_signal_t signal, martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent)
{
    uint64_t                  low, high;
    martech_consent_known_t  *known;

    if (value.len < MARTECH_CONSENT_CACHE_MIN
        || value.len > MARTECH_CONSENT_CACHE_MAX)
    {
        return martech_consent_read(signal, value, rules, consent);
    }

    martech_consent_hash(cache->key, value, &low, &high);

    known = &cache->known[(low ^ (low >> 32) ^ high)
                          & (MARTECH_CONSENT_CACHE - 1)];

    if (known->rules != rules || known->low != low || known->high != high
        || known->len != value.len || known->signal != (uint8_t) signal)
    {
        (void) martech_consent_read(signal, value, rules, &known->consent);

        known->low = low;
        known->high = high;
        known->rules = rules;
        known->len = (uint16_t) value.len;
        known->signal = (uint8_t) signal;
    }

    *consent = known->consent;

    return (consent->granted | consent->denied) != 0;
}


static void
martech_consent_hash(const uint64_t *key, martech_str_t value, uint64_t *low,
    uint64_t *high)
{
    size_t                  len;
    uint64_t                word[2];
    const unsigned char    *p;
    martech_consent_wide_t  sum;

    sum = 0;
    p = value.data;

    for (len = value.len; len >= 16; len -= 16) {
        memcpy(word, p, 16);
        p += 16;

        sum += (martech_consent_wide_t) (word[0] + key[0])
               * (word[1] + key[1]);
        key += 2;
    }

    if (len > 0) {
        memset(word, 0, 16);
        memcpy(word, p, len);

        sum += (martech_consent_wide_t) (word[0] + key[0])
               * (word[1] + key[1]);
    }

    *low = (uint64_t) sum;
    *high = (uint64_t) (sum >> 64);
}

#else

int
martech_consent_recall(martech_consent_cache_t *cache,
    martech_consent_signal_t signal, martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent)
{
    (void) cache;

    return martech_consent_read(signal, value, rules, consent);
}

#endif
