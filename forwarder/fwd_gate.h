
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Whether a destination may send now: breaker, concurrency, rate limits,
 * Retry-After, and the operator's pause.  Limits of ours never use up
 * attempts of an event.
 */


#ifndef _FWD_GATE_H_INCLUDED_
#define _FWD_GATE_H_INCLUDED_


#include "fwd.h"
#include "fwd_batch.h"


typedef enum {
    FWD_GATE_CLOSED = 0,          /* the breaker is closed: all is well */
    FWD_GATE_THROTTLED,           /* the vendor asked to wait */
    FWD_GATE_HALF_OPEN,           /* one probe at a time */
    FWD_GATE_OPEN,                /* nothing is sent */
    FWD_GATE_CREDENTIALS,         /* they were refused: parked */
    FWD_GATE_PAUSED,              /* by an operator */
    FWD_GATE_STATES
} fwd_gate_state_t;


const char *fwd_gate_state_name(fwd_gate_state_t state);

/* May one more batch be started?  If not, *wait_ms says when to ask again. */
int fwd_gate_open(fwd_dest_t *dest, uint64_t *wait_ms);

/*
 * Takes tokens for a sealed batch.  FWD_AGAIN: there are none; the batch is
 * kept by the caller, *wait_ms is set, and the destination is woken when they
 * may be there.
 */
fwd_rc_t fwd_gate_take(fwd_dest_t *dest, const fwd_batch_t *batch,
    uint64_t *wait_ms) FWD_MUST_CHECK;

/* The batch has left, and its outcome is known. */
void fwd_gate_sent(fwd_dest_t *dest, const fwd_batch_t *batch);
void fwd_gate_judge(fwd_dest_t *dest, const fwd_batch_t *batch);


#endif /* _FWD_GATE_H_INCLUDED_ */
