
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The cache of signals: a place for each hash, and the last one that came
 * there has it.
 */


#include "martech_consent_cache.h"
#include "martech_nh.h"


#ifdef MARTECH_NH

int
martech_consent_recall(martech_consent_cache_t *cache,
    martech_consent_signal_t signal, martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent)
{
    martech_nh_t              hash;
    martech_consent_known_t  *known;

    if (value.len < MARTECH_CONSENT_CACHE_MIN
        || value.len > MARTECH_CONSENT_CACHE_MAX)
    {
        return martech_consent_read(signal, value, rules, consent);
    }

    hash = martech_nh(cache->key, value);

    known = &cache->known[(hash.low ^ (hash.low >> 32) ^ hash.high)
                          & (MARTECH_CONSENT_CACHE - 1)];

    if (known->rules != rules || known->low != hash.low
        || known->high != hash.high || known->len != value.len
        || known->signal != (uint8_t) signal)
    {
        (void) martech_consent_read(signal, value, rules, &known->consent);

        known->low = hash.low;
        known->high = hash.high;
        known->rules = rules;
        known->len = (uint16_t) value.len;
        known->signal = (uint8_t) signal;
    }

    *consent = known->consent;

    return (consent->granted | consent->denied) != 0;
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
