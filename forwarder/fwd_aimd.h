
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * How many requests to a destination may be under way: additive increase,
 * multiplicative decrease, from failures and round trip times.  Pure: times
 * are arguments.
 */


#ifndef _FWD_AIMD_H_INCLUDED_
#define _FWD_AIMD_H_INCLUDED_


#include "fwd.h"


typedef enum {
    FWD_AIMD_OK = 0,              /* the vendor answered */
    FWD_AIMD_FAILED,
    FWD_AIMD_THROTTLED,           /* the vendor said "slower" */
    FWD_AIMD_NEUTRAL              /* says nothing about the vendor */
} fwd_aimd_result_t;


typedef struct {
    double                limit;         /* 1 to max */
    uint32_t              max;
    uint32_t              samples;       /* of round trips, up to enough */
    double                mean_us;       /* of round trips, moving */
    double                deviation_us;  /* from it, moving */
    uint64_t              least_us;      /* shortest round trip of late */
    uint64_t              reduced_us;    /* when the limit was lowered */
} fwd_aimd_t;


/* Starts at 2, or at 1 where max is 1. */
void fwd_aimd_init(fwd_aimd_t *a, uint32_t max);

/* After a pause: from 1 up again. */
void fwd_aimd_restart(fwd_aimd_t *a);

/* Requests that may be under way. */
uint32_t fwd_aimd_allowed(const fwd_aimd_t *a);

/*
 * A request has ended that took so long; inflight counts it too.  Times are
 * monotonic.
 */
void fwd_aimd_report(fwd_aimd_t *a, fwd_aimd_result_t result,
    uint64_t round_trip_us, uint32_t inflight, uint64_t now_us);


#endif /* _FWD_AIMD_H_INCLUDED_ */
