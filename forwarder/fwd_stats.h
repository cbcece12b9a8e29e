
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


#define FWD_STATS_LATENCIES  14          /* buckets, by ms of an attempt */
#define FWD_STATS_SIZES      10          /* by events of an attempt */

#define FWD_WATCH_ID_MAX     64          /* of a messageId, for the log */
#define FWD_POISON_MAX       256         /* power of two */


#define FWD_STATS_REASONS     16         /* of a destination; the last one is
                                            for all others */
#define FWD_STATS_REASON_MAX  40

/* Events that a map has dropped, by its reason. */
typedef struct {
    char                  name[FWD_STATS_REASON_MAX + 8];   /* "": free */
    uint64_t              count;
} fwd_reason_stats_t;


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
    uint64_t              hung;          /* FWD_PROGRAM_... that do it again
                                            and again: set by the supervisor,
                                            cleared by the loop when it is
                                            resumed */
    uint64_t              shadow_equal;  /* events with the same records */
    uint64_t              shadow_different;
    uint64_t              warnings;      /* answers with one */
    fwd_reason_stats_t    reasons[FWD_STATS_REASONS];
} fwd_dest_stats_t;


/* Programs of a destination, as bits. */
#define FWD_PROGRAM_MAP   1              /* for what is sent: map.jq, also of
                                            another destination, answer.jq */
#define FWD_PROGRAM_WHEN  2              /* the rule */


/* What a map is at work on; the watchdog reads it. */
typedef struct {
    uint64_t              seq;           /* odd while a program runs */
    uint64_t              program;       /* FWD_PROGRAM_... */
    uint64_t              dest;          /* index */
    uint64_t              shard;         /* IDs are of one shard only */
    fwd_id_t              event;
    char                  message[FWD_WATCH_ID_MAX];  /* messageId, cut */
} fwd_map_watch_t;


/* An event that ended the process that mapped it. */
typedef struct {
    uint64_t              dest;          /* hash of the name */
    uint64_t              shard;
    fwd_id_t              event;
    uint64_t              at_ms;         /* monotonic */
    uint64_t              told;          /* it was one too many */
} fwd_poison_event_t;


/* The last ones of all loops; the supervisor writes, loops read. */
typedef struct {
    uint64_t              count;         /* ever; the ring holds the last */
    fwd_poison_event_t    events[FWD_POISON_MAX];
} fwd_poison_t;


typedef struct {
    const fwd_poison_t   *poison;        /* NULL: there is none; mapped at
                                            one address in all processes */
    uint64_t              successor;     /* 1: loops of an older configuration
                                            are giving their leases back;
                                            written by the supervisor */
    uint64_t              pid;           /* 0: not running */
    uint64_t              beat_ms;       /* monotonic, of the last tick */
    uint64_t              connected;     /* 1: Redis is there */
    uint64_t              shards_owned;
    uint64_t              shards_active; /* of these: reading */
    uint64_t              shards_held;   /* by another owner */
    uint64_t              routed;        /* events */
    uint64_t              duplicates;
    uint64_t              refused;       /* event and destination */
    uint64_t              quarantine;    /* entries in shards that are ours */
    uint64_t              quarantine_ms; /* Unix ms of the oldest, 0: none */
    fwd_map_watch_t       watch;
    fwd_dest_stats_t      dests[];       /* as in the configuration */
} fwd_loop_stats_t;


/* Of several loops together. */
typedef struct {
    uint64_t              shards_owned;
    uint64_t              routed;
    uint64_t              duplicates;
    uint64_t              refused;
    uint64_t              quarantine;
    uint64_t              quarantine_ms;
} fwd_loop_sums_t;


/* Upper bounds of the buckets; the last bucket has none. */
extern const uint64_t  fwd_stats_latencies[FWD_STATS_LATENCIES - 1];
extern const uint64_t  fwd_stats_sizes[FWD_STATS_SIZES - 1];


/* Bytes of a block for so many destinations. */
size_t fwd_stats_size(size_t dests);

/* One attempt has ended. */
void fwd_stats_attempt(fwd_dest_stats_t *stats, fwd_outcome_t outcome,
    uint32_t events, uint64_t us);

/* An event was dropped for a reason. */
void fwd_stats_dropped(fwd_dest_stats_t *stats, const char *reason,
    uint64_t count);

/* Nobody works here any more: counters stay, everything else is zero. */
void fwd_stats_idle(fwd_loop_stats_t *stats, size_t dests);

/* Adds numbers of one loop, without those of its destinations; and these. */
void fwd_stats_add_loop(fwd_loop_sums_t *to, const fwd_loop_stats_t *from);
void fwd_stats_add_dest(fwd_dest_stats_t *to, const fwd_dest_stats_t *from);


#endif /* _FWD_STATS_H_INCLUDED_ */
