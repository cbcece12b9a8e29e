
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Whether a destination may send now.
 */


#include "fwd_dest.h"
#include "fwd_gate.h"


int
fwd_gate_open(fwd_dest_t *dest, uint64_t *wait_ms)
{
    uint64_t  now;

    if (dest->inflight_count >= dest->conf->limits.concurrency) {
        return 0;
    }

    now = fwd_core_now_ms(dest->engine->core);

    if (now < dest->hold_ms) {

        if (dest->hold_ms - now < *wait_ms) {
            *wait_ms = dest->hold_ms - now;
        }

        return 0;
    }

    return 1;
}


fwd_rc_t
fwd_gate_take(fwd_dest_t *dest, const fwd_batch_t *batch, uint64_t *wait_ms)
{
    (void) dest;
    (void) batch;
    (void) wait_ms;

    return FWD_OK;
}


void
fwd_gate_sent(fwd_dest_t *dest, const fwd_batch_t *batch)
{
    (void) batch;

    dest->inflight_count++;
}


void
fwd_gate_judge(fwd_dest_t *dest, const fwd_batch_t *batch)
{
    uint64_t  hold;

    dest->inflight_count--;

    if (batch->outcome == FWD_OUTCOME_THROTTLED && batch->wait_ms != 0) {
        hold = fwd_core_now_ms(batch->core) + batch->wait_ms;

        if (hold > dest->hold_ms) {
            dest->hold_ms = hold;
        }
    }
}
