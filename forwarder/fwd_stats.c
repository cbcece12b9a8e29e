
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Counting of attempts.
 */


#include "fwd_stats.h"


void
fwd_stats_attempt(fwd_dest_stats_t *stats, fwd_outcome_t outcome,
    uint32_t events, uint64_t us)
{
    stats->attempts[outcome]++;
    stats->events[outcome] += events;
    stats->latency_us += us;
}
