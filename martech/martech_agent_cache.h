
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What user agents were reduced to: browsers of a version share theirs, so a
 * few hundred are most of what comes.
 *
 * None is kept as it was sent, because some are like a fingerprint: only a
 * hash of it (martech_nh.h), and what is stored of it anyhow.
 */


#ifndef _MARTECH_AGENT_CACHE_H_INCLUDED_
#define _MARTECH_AGENT_CACHE_H_INCLUDED_


#include "martech_agent.h"


#define MARTECH_AGENT_CACHE      256     /* places, a power of two */
#define MARTECH_AGENT_CACHE_MAX  512     /* bytes; longer ones are read */


typedef struct {
    uint64_t       low;
    uint64_t       high;
    uint16_t       len;                  /* 0: free */
    uint16_t       reduced_len;
    unsigned char  reduced[MARTECH_AGENT_SIZE];
} martech_agent_known_t;


/* Zeroed by who has it, but for the key: random bytes that nobody knows. */
typedef struct {
    uint64_t               key[MARTECH_AGENT_CACHE_MAX / 8];
    martech_agent_known_t  known[MARTECH_AGENT_CACHE];
} martech_agent_cache_t;


/*
 * martech_agent_reduce(), from the cache (or NULL) if it can be.  The text is
 * that of the cache or in out, and good until the next call.
 */
martech_str_t martech_agent_recall(martech_agent_cache_t *cache,
    martech_str_t agent, unsigned char out[MARTECH_AGENT_SIZE]);


#endif /* _MARTECH_AGENT_CACHE_H_INCLUDED_ */
