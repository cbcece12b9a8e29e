
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What signals of consent said, so that a string which comes with each
 * request of a visitor is decoded once.
 *
 * No string is kept, because a cookie may hold an id: only a hash of it with a
 * key of its own, of which two strings of a length have the same by a chance
 * of 2^-64, and the purposes.  A worker has one cache, of a fixed size.
 */


#ifndef _MARTECH_CONSENT_CACHE_H_INCLUDED_
#define _MARTECH_CONSENT_CACHE_H_INCLUDED_


#include "martech_consent.h"


#define MARTECH_CONSENT_CACHE      1024  /* places, a power of two */
#define MARTECH_CONSENT_CACHE_MIN  16    /* bytes; shorter ones are read */
#define MARTECH_CONSENT_CACHE_MAX  1024  /* bytes; longer ones, too */


typedef struct {
    uint64_t                        low;
    uint64_t                        high;
    const martech_consent_rules_t  *rules;   /* NULL: free */
    uint16_t                        len;
    uint8_t                         signal;
    martech_consent_t               consent;
} martech_consent_known_t;


/* Zeroed by who has it, but for the key: random bytes that nobody knows. */
typedef struct {
    uint64_t                 key[MARTECH_CONSENT_CACHE_MAX / 8];
    martech_consent_known_t  known[MARTECH_CONSENT_CACHE];
} martech_consent_cache_t;


/*
 * martech_consent_read(), from the cache if it can be.  The rules must not
 * change as long as the cache is used.
 */
int martech_consent_recall(martech_consent_cache_t *cache,
    martech_consent_signal_t signal, martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent);


#endif /* _MARTECH_CONSENT_CACHE_H_INCLUDED_ */
