
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Requests of batches that are under way: the steps of sequences.
 *
 * A sequence holds its place while it waits for tokens, and holds up nobody:
 * it stands in a line, and the line is looked at whenever there may be
 * tokens.  What has begun goes before what has not, so places come free.
 */


#include <string.h>

#include "fwd_call.h"
#include "fwd_dest.h"
#include "fwd_gate.h"


static fwd_rc_t fwd_gate_step_try(fwd_gate_t *gate, fwd_gate_step_t *step,
    uint64_t *wait_ms);
static fwd_rc_t fwd_gate_step_take(fwd_gate_t *gate, fwd_gate_step_t *step,
    uint64_t *wait_ms);


fwd_rc_t
fwd_gate_step(fwd_dest_t *dest, fwd_gate_step_t *step)
{
    fwd_rc_t  rc;
    uint64_t  wait;

    wait = 0;
    rc = fwd_list_empty(&dest->gate->steps)
         ? fwd_gate_step_try(dest->gate, step, &wait) : FWD_AGAIN;

    if (rc == FWD_AGAIN) {
        fwd_list_push(&dest->gate->steps, &step->link);
        fwd_dest_wake(dest);             /* which sets the time */
    }

    return rc;
}


void
fwd_gate_serve(fwd_dest_t *dest, uint64_t *wait_ms)
{
    fwd_rc_t          rc;
    fwd_gate_t       *gate;
    fwd_gate_step_t  *step;

    gate = dest->gate;

    while (!fwd_list_empty(&gate->steps)) {
        step = fwd_list_data(gate->steps.next, fwd_gate_step_t, link);
        rc = fwd_gate_step_try(gate, step, wait_ms);

        if (rc == FWD_AGAIN) {
            return;
        }

        fwd_list_remove(&step->link);
        step->done(step->data, rc);
    }
}


void
fwd_gate_cancel(fwd_gate_step_t *step)
{
    if (step->link.next != NULL) {
        fwd_list_remove(&step->link);
    }
}


/*
 * As fwd_gate_open() for a new batch.  A destination that is parked lets a
 * single batch through, and that must find a place.
 */

static fwd_rc_t
fwd_gate_step_try(fwd_gate_t *gate, fwd_gate_step_t *step, uint64_t *wait_ms)
{
    uint64_t  now;

    now = fwd_core_now_ms(gate->dest->engine->core);

    if (gate->parked != FWD_PARKED_NOT && !step->batch->probe) {
        return FWD_ERROR;
    }

    if (gate->paused || fwd_gate_held(gate, now, wait_ms)) {
        return FWD_AGAIN;
    }

    if (step->batch->turn != gate->breaker.turn) {

        /* it has opened since the last request: this one may be a probe */

        if (!fwd_breaker_allow(&gate->breaker, now, wait_ms)) {
            return FWD_AGAIN;
        }

        step->batch->turn = fwd_breaker_sent(&gate->breaker);
    }

    return fwd_gate_step_take(gate, step, wait_ms);
}


static fwd_rc_t
fwd_gate_step_take(fwd_gate_t *gate, fwd_gate_step_t *step, uint64_t *wait_ms)
{
    uint64_t             now;
    fwd_calls_t         *calls;
    fwd_limit_ticket_t  *ticket;

    ticket = &step->batch->ticket;
    calls = step->batch->calls;
    memset(ticket, 0, sizeof(fwd_limit_ticket_t));

    if (gate->limit.rates_count == 0) {
        return FWD_OK;
    }

    now = fwd_tokens_now_ms();
    ticket->units[FWD_RATE_EVENTS] = step->events;
    ticket->units[FWD_RATE_BYTES] = calls->list[calls->next].bytes;
    fwd_gate_cost(gate, step->batch, calls->next, 1, ticket);

    if (fwd_limit_take(&gate->limit, ticket, now) == FWD_OK) {
        fwd_gate_limited(gate, 0);
        return FWD_OK;
    }

    memset(ticket, 0, sizeof(fwd_limit_ticket_t));

    if (fwd_limit_may_ask(&gate->limit, 0, now, wait_ms)) {
        fwd_tokens_ask(gate, 0);
    }

    fwd_gate_limited(gate, 1);

    return FWD_AGAIN;
}
