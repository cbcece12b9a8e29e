
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Numbers of a loop, in memory that the supervisor shares with it.  One
 * writer each, plain stores; the supervisor adds them up for metrics, health
 * and the watchdog.
 */


#ifndef _FWD_STATS_H_INCLUDED_
#define _FWD_STATS_H_INCLUDED_


#include "fwd.h"
#include "fwd_id.h"
#include "fwd_outcome.h"


/* Upper bounds, the last bucket has none; fwd_stats.c has the values. */
#define FWD_STATS_LATENCIES  14          /* ms of an attempt */
#define FWD_STATS_SIZES      10          /* events of an attempt */


/* Of a destination in one loop. */
typedef struct {
    uint64_t              attempts[FWD_OUTCOME_COUNT];  /* requests */
    uint64_t              events[FWD_OUTCOME_COUNT];    /* in these */
    uint64_t              latencies[FWD_STATS_LATENCIES];
    uint64_t              latency_us;    /* sum */
    uint64_t              sizes[FWD_STATS_SIZES];
    uint64_t              limited_ms;    /* time spent waiting for tokens */
    uint64_t              breaker_opened;
    uint64_t              breaker;       /* fwd_gate_state_t */
    uint64_t              concurrency;   /* allowed now */
    uint64_t              inflight;
    uint64_t              depth;         /* waiting in q and retry */
    uint64_t              depth_retry;   /* of these in retry */
    uint64_t              oldest_ms;     /* Unix ms of the oldest, 0: none */
    uint64_t              fresh_ms;      /* Unix ms when the youngest event
                                            that was delivered came in */
    uint64_t              map_killed;    /* events that ended a loop */
    uint64_t              shadow_equal;  /* events with the same records */
    uint64_t              shadow_different;
} fwd_dest_stats_t;


/* What a map is at work on; the watchdog reads it. */
typedef struct {
    uint64_t              seq;           /* odd while a program runs */
    uint64_t              dest;          /* index */
    fwd_id_t              event;
} fwd_map_watch_t;


typedef struct {
    uint64_t              pid;
    uint64_t              beat_ms;       /* monotonic, of the last tick */
    uint64_t              connected;     /* 1: Redis is there */
    uint64_t              shards_owned;
    uint64_t              shards_active; /* of these: reading */
    uint64_t              routed;        /* events */
    uint64_t              duplicates;
    uint64_t              refused;       /* event and destination */
    fwd_map_watch_t       watch;
    fwd_dest_stats_t      dests[];       /* as in the configuration */
} fwd_loop_stats_t;


/* fwd_stats.c: one attempt has ended. */
void fwd_stats_attempt(fwd_dest_stats_t *stats, fwd_outcome_t outcome,
    uint32_t events, uint64_t us);


#endif /* _FWD_STATS_H_INCLUDED_ */
