
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * How long to wait before the next attempt, and when to give up.  Pure: the
 * random number and the ages are arguments.
 */


#ifndef _FWD_BACKOFF_H_INCLUDED_
#define _FWD_BACKOFF_H_INCLUDED_


#include "fwd.h"


typedef struct {
    uint64_t              base_ms;       /* ceiling of the first wait */
    uint64_t              factor;        /* growth per failure, at least 1 */
    uint64_t              cap_ms;        /* no ceiling is higher */
    uint64_t              attempts;      /* give up needs that many ... */
    uint64_t              age_ms;        /* ... and an event that old */
} fwd_backoff_t;


/*
 * The wait after the failed_count-th failure in a row (1 is the first): full
 * jitter, evenly spread over 1 ms to the ceiling, which is
 * base * factor ^ (failed_count - 1), at most cap.
 */
uint64_t fwd_backoff_delay(const fwd_backoff_t *b, uint64_t failed_count,
    uint64_t random);

/* 1 if both the attempts and the age are used up. */
int fwd_backoff_exhausted(const fwd_backoff_t *b, uint64_t failed_count,
    uint64_t age_ms);


#endif /* _FWD_BACKOFF_H_INCLUDED_ */
