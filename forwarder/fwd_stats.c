
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Counting of attempts, and the sums over loops.
 */


#include <string.h>

#include <stdio.h>
#include <string.h>

#include "fwd_stats.h"


static size_t fwd_stats_bucket(const uint64_t *bounds, size_t count,
    uint64_t value);


/* From a local file to a vendor that needs a minute. */
const uint64_t  fwd_stats_latencies[FWD_STATS_LATENCIES - 1] = {
    5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000
};

const uint64_t  fwd_stats_sizes[FWD_STATS_SIZES - 1] = {
    1, 2, 5, 10, 20, 50, 100, 500, 1000
};


void
fwd_stats_attempt(fwd_dest_stats_t *stats, fwd_outcome_t outcome,
    uint32_t events, uint64_t us)
{
    size_t  n;

    stats->attempts[outcome]++;
    stats->events[outcome] += events;
    stats->latency_us += us;

    /* a bound belongs to its bucket: round up */

    n = fwd_stats_bucket(fwd_stats_latencies, FWD_STATS_LATENCIES - 1,
                         (us + 999) / 1000);
    stats->latencies[n]++;

    n = fwd_stats_bucket(fwd_stats_sizes, FWD_STATS_SIZES - 1, events);
    stats->sizes[n]++;
}


static size_t
fwd_stats_bucket(const uint64_t *bounds, size_t count, uint64_t value)
{
    size_t  n;

    for (n = 0; n < count && value > bounds[n]; n++) { /* void */ }

    return n;
}


/* A map may be wrong and give ever new ones: the last row takes the rest. */

void
fwd_stats_dropped(fwd_dest_stats_t *stats, const char *reason, uint64_t count)
{
    size_t               i;
    fwd_reason_stats_t  *row;

    for (i = 0; i < FWD_STATS_REASONS; i++) {
        row = &stats->reasons[i];

        if (i == FWD_STATS_REASONS - 1) {
            reason = "other";
        }

        if (row->name[0] == '\0') {
            (void) snprintf(row->name, sizeof(row->name), "%.*s",
                            FWD_STATS_REASON_MAX, reason);
        }

        if (strcmp(row->name, reason) == 0) {
            row->count += count;
            return;
        }
    }
}


size_t
fwd_stats_size(size_t dests)
{
    return sizeof(fwd_loop_stats_t) + dests * sizeof(fwd_dest_stats_t);
}


void
fwd_stats_idle(fwd_loop_stats_t *stats, size_t dests)
{
    size_t             i;
    fwd_dest_stats_t  *dest;

    stats->pid = 0;
    stats->connected = 0;
    stats->shards_owned = 0;
    stats->shards_active = 0;
    stats->shards_held = 0;
    stats->quarantine = 0;
    stats->quarantine_ms = 0;

    for (i = 0; i < dests; i++) {
        dest = &stats->dests[i];

        dest->breaker = 0;
        dest->concurrency = 0;
        dest->inflight = 0;
        dest->depth = 0;
        dest->depth_retry = 0;
        dest->oldest_ms = 0;
    }
}


void
fwd_stats_add_loop(fwd_loop_sums_t *to, const fwd_loop_stats_t *from)
{
    to->shards_owned += from->shards_owned;
    to->routed += from->routed;
    to->duplicates += from->duplicates;
    to->refused += from->refused;
    to->quarantine += from->quarantine;

    if (from->quarantine_ms != 0
        && (to->quarantine_ms == 0
            || from->quarantine_ms < to->quarantine_ms))
    {
        to->quarantine_ms = from->quarantine_ms;
    }
}


void
fwd_stats_add_dest(fwd_dest_stats_t *to, const fwd_dest_stats_t *from)
{
    size_t  i;

    for (i = 0; i < FWD_OUTCOME_COUNT; i++) {
        to->attempts[i] += from->attempts[i];
        to->events[i] += from->events[i];
    }

    for (i = 0; i < FWD_STATS_LATENCIES; i++) {
        to->latencies[i] += from->latencies[i];
    }

    for (i = 0; i < FWD_STATS_SIZES; i++) {
        to->sizes[i] += from->sizes[i];
    }

    to->latency_us += from->latency_us;
    to->limited_ms += from->limited_ms;
    to->breaker_opened += from->breaker_opened;
    to->map_killed += from->map_killed;
    to->shadow_equal += from->shadow_equal;
    to->shadow_different += from->shadow_different;
    to->warnings += from->warnings;

    for (i = 0; i < FWD_STATS_REASONS; i++) {
        if (from->reasons[i].name[0] != '\0') {
            fwd_stats_dropped(to, from->reasons[i].name,
                              from->reasons[i].count);
        }
    }

    to->concurrency += from->concurrency;
    to->inflight += from->inflight;
    to->depth += from->depth;
    to->depth_retry += from->depth_retry;

    /* the worst state, the oldest that waits, the youngest that arrived */

    if (from->breaker > to->breaker) {
        to->breaker = from->breaker;
    }

    if (from->oldest_ms != 0
        && (to->oldest_ms == 0 || from->oldest_ms < to->oldest_ms))
    {
        to->oldest_ms = from->oldest_ms;
    }

    if (from->fresh_ms > to->fresh_ms) {
        to->fresh_ms = from->fresh_ms;
    }
}
