
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Circuit breaker of one destination in one loop.
 *
 * Decides from the results so far whether deliveries may be tried.  It has no
 * timer, reads no clock and does no I/O: time (monotonic) and random numbers
 * are arguments.
 */


#ifndef _FWD_BREAKER_H_INCLUDED_
#define _FWD_BREAKER_H_INCLUDED_


#include "fwd_config.h"


#define FWD_BREAKER_BUCKETS    10        /* of the sliding window */
#define FWD_BREAKER_SUCCESSES  3         /* of probes in a row, to close */


typedef enum {
    FWD_BREAKER_CLOSED = 0,       /* deliveries pass */
    FWD_BREAKER_OPEN,             /* none passes until until_ms */
    FWD_BREAKER_HALF_OPEN         /* one at a time */
} fwd_breaker_state_t;


typedef enum {
    FWD_BREAKER_OK = 0,           /* delivered */
    FWD_BREAKER_ALIVE,            /* the vendor answered, but the answer is
                                     about the event: no part of the ratio */
    FWD_BREAKER_FAILED,
    FWD_BREAKER_UNREACHABLE,      /* no connection, no TLS: counts double */
    FWD_BREAKER_NEUTRAL           /* says nothing about the vendor's health:
                                     throttled, or trouble of our own */
} fwd_breaker_result_t;


typedef struct {
    uint32_t              finished;
    uint32_t              failed;
} fwd_breaker_bucket_t;


typedef struct {
    fwd_breaker_conf_t    conf;          /* no member is 0 */
    fwd_breaker_state_t   state;         /* set in fwd_breaker.c only */
    fwd_breaker_bucket_t  buckets[FWD_BREAKER_BUCKETS];
    uint64_t              bucket;        /* number of the present one, since
                                            time 0 */
    uint64_t              success_ms;    /* the last one; 0: never */
    uint64_t              until_ms;      /* end of OPEN */
    uint64_t              length_ms;     /* of OPEN, this time */
    uint64_t              since_ms;      /* not closed since; 0: closed */
    uint64_t              closed_ms;     /* when it closed, 0: was never
                                            open */
    uint32_t              row;           /* failures since a success */
    uint32_t              row_weight;    /* the same, unreachable is two */
    uint32_t              openings;      /* in a row, for the length */
    uint32_t              opened;        /* ever */
    uint32_t              successes;     /* of probes in a row */
    uint32_t              turn;          /* number of state changes: results
                                            of an earlier turn say nothing */
    unsigned              probing:1;     /* the probe is on its way */
    const char           *reason;        /* of the last change, static */
} fwd_breaker_t;


/* Members of conf that are 0 stand for the defaults of docs/FORWARDER.md. */
void fwd_breaker_init(fwd_breaker_t *b, const fwd_breaker_conf_t *conf);

/*
 * Returns 1 if a delivery may start.  The end of OPEN is noticed here: the
 * state becomes half-open.  If not, and time helps, *wait_ms is lowered to
 * the time that is left.
 */
int fwd_breaker_allow(fwd_breaker_t *b, uint64_t now_ms, uint64_t *wait_ms);

/* A delivery starts; the answer is what fwd_breaker_report() wants back. */
uint32_t fwd_breaker_sent(fwd_breaker_t *b);

/* The delivery of that turn has ended. */
void fwd_breaker_report(fwd_breaker_t *b, uint32_t turn,
    fwd_breaker_result_t result, uint64_t now_ms, uint64_t random);


#endif /* _FWD_BREAKER_H_INCLUDED_ */
