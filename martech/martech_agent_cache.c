
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The cache of user agents: a place for each hash, and the last one that came
 * there has it.
 */


#include "martech_agent_cache.h"
#include "martech_nh.h"


static martech_str_t
martech_agent_read(martech_str_t agent, unsigned char *out)
{
    martech_str_t  reduced;

    reduced.data = out;
    reduced.len = martech_agent_reduce(agent, out);

    return reduced;
}


#ifdef MARTECH_NH

martech_str_t
martech_agent_recall(martech_agent_cache_t *cache, martech_str_t agent,
    unsigned char out[MARTECH_AGENT_SIZE])
{
    martech_nh_t            hash;
    martech_str_t           reduced;
    martech_agent_known_t  *known;

    if (cache == NULL || agent.len == 0
        || agent.len > MARTECH_AGENT_CACHE_MAX) {
        return martech_agent_read(agent, out);
    }

    hash = martech_nh(cache->key, agent);

    known = &cache->known[(hash.low ^ (hash.low >> 32) ^ hash.high)
                          & (MARTECH_AGENT_CACHE - 1)];

    if (known->low != hash.low || known->high != hash.high
        || known->len != agent.len)
    {
        reduced = martech_agent_read(agent, known->reduced);

        known->low = hash.low;
        known->high = hash.high;
        known->len = (uint16_t) agent.len;
        known->reduced_len = (uint16_t) reduced.len;
    }

    reduced.data = known->reduced;
    reduced.len = known->reduced_len;

    return reduced;
}

#else

martech_str_t
martech_agent_recall(martech_agent_cache_t *cache, martech_str_t agent,
    unsigned char out[MARTECH_AGENT_SIZE])
{
    (void) cache;

    return martech_agent_read(agent, out);
}

#endif
