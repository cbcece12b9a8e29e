
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the gate learns from the outcome of a batch.
 */


#include <string.h>

#include "fwd_call.h"
#include "fwd_dest.h"
#include "fwd_gate.h"
#include "fwd_shared.h"
#include "fwd_steady.h"


/* "Slower", but not how much: 100 ms, 200 ms, ... 30 s. */
#define FWD_GATE_LEARNED_MS      100
#define FWD_GATE_LEARNED_MAX_MS  30000


static void fwd_gate_judge_probe(fwd_gate_t *gate, const fwd_batch_t *batch);
static void fwd_gate_judge_hold(fwd_gate_t *gate, const fwd_batch_t *batch);
static void fwd_gate_latency(fwd_gate_t *gate, uint64_t us);
static fwd_breaker_result_t fwd_gate_breaker_result(const fwd_batch_t *batch);
static fwd_aimd_result_t fwd_gate_aimd_result(const fwd_batch_t *batch);


void
fwd_gate_judge(fwd_dest_t *dest, const fwd_batch_t *batch)
{
    uint64_t              now, now_us, us;
    fwd_gate_t           *gate;
    fwd_breaker_state_t   before;

    gate = dest->gate;
    now = fwd_core_now_ms(batch->core);
    now_us = uv_hrtime() / 1000;
    us = now_us - batch->started_us;
    before = gate->breaker.state;

    fwd_aimd_report(&gate->aimd, fwd_gate_aimd_result(batch), us,
                    dest->inflight_count, now_us);
    fwd_breaker_report(&gate->breaker, batch->turn,
                       fwd_gate_breaker_result(batch), now,
                       fwd_core_random(batch->core));

    if (before != FWD_BREAKER_CLOSED
        && gate->breaker.state == FWD_BREAKER_CLOSED)
    {
        fwd_aimd_restart(&gate->aimd);
    }

    /* an answer that took longer than the fastest ones may have waited on
       the way there */

    if (batch->ticket.redis_ms != 0) {
        fwd_limit_arrived(&gate->limit, &batch->ticket,
                          (now_us - (gate->aimd.least_us < us
                                     ? gate->aimd.least_us : us)) / 1000);
    }

    if (batch->outcome != FWD_OUTCOME_PAUSED) {
        (void) fwd_adapt_report(&gate->limit.adapt,
                                batch->outcome == FWD_OUTCOME_THROTTLED, now);
    }

    fwd_gate_latency(gate, us);
    fwd_gate_judge_probe(gate, batch);
    fwd_gate_judge_hold(gate, batch);
    fwd_gate_update(gate, batch->outcome == FWD_OUTCOME_THROTTLED
                          ? "the vendor asked to wait"
                          : gate->breaker.reason);
}


void
fwd_gate_ended(fwd_dest_t *dest, const fwd_batch_t *batch)
{
    fwd_gate_t  *gate;

    gate = dest->gate;
    dest->inflight_count--;

    if (batch->calls == NULL || !batch->calls->sequence) {
        return;
    }

    gate->sequences--;

    /* a sequence may end without a request, and a probe has said nothing */

    fwd_breaker_report(&gate->breaker, batch->turn, FWD_BREAKER_NEUTRAL,
                       fwd_core_now_ms(batch->core),
                       fwd_core_random(batch->core));

    if (batch->probe) {
        gate->probing = 0;
        fwd_gate_park(gate, gate->parked, gate->parked_tries, fwd_wall_ms());
    }
}


static void
fwd_gate_judge_probe(fwd_gate_t *gate, const fwd_batch_t *batch)
{
    int  refused;

    refused = (batch->outcome == FWD_OUTCOME_CREDENTIALS
               || batch->outcome == FWD_OUTCOME_STOP);

    if (batch->probe) {
        gate->probing = 0;
    }

    if (refused && (batch->probe || gate->parked == FWD_PARKED_NOT)) {
        fwd_gate_park(gate, batch->outcome == FWD_OUTCOME_STOP
                            ? FWD_PARKED_STOP : FWD_PARKED_CREDENTIALS,
                      gate->parked_tries + batch->probe, fwd_wall_ms());
        fwd_shared_parked(gate);
        return;
    }

    if (!batch->probe || refused || gate->parked == FWD_PARKED_NOT) {
        return;
    }

    switch (fwd_gate_breaker_result(batch)) {

    case FWD_BREAKER_OK:
    case FWD_BREAKER_ALIVE:
        fwd_gate_park(gate, FWD_PARKED_NOT, 0, 0);
        fwd_shared_parked(gate);
        return;

    default:

        /* no word about credentials: once more, after the same time */

        fwd_gate_park(gate, gate->parked, gate->parked_tries,
                      fwd_wall_ms());
        return;
    }
}


static void
fwd_gate_judge_hold(fwd_gate_t *gate, const fwd_batch_t *batch)
{
    uint32_t     i;
    uint64_t     wait;
    fwd_core_t  *core;

    core = batch->core;

    if (batch->outcome == FWD_OUTCOME_DELIVERED
        || batch->outcome == FWD_OUTCOME_DUPLICATE)
    {
        gate->learned_count = 0;
        return;
    }

    if (batch->outcome != FWD_OUTCOME_THROTTLED) {
        return;
    }

    if (batch->wait_ms != 0) {
        fwd_shared_hold(gate, fwd_steady_ms() + batch->wait_ms);
        return;
    }

    /* requests that were under way together are told so together */

    if (batch->started_us / 1000 < gate->learned_ms
        || fwd_gate_breaker_result(batch) != FWD_BREAKER_NEUTRAL)
    {
        return;
    }

    wait = FWD_GATE_LEARNED_MS;

    for (i = 0; i < gate->learned_count && wait < FWD_GATE_LEARNED_MAX_MS;
         i++)
    {
        wait *= 2;
    }

    if (wait > FWD_GATE_LEARNED_MAX_MS) {
        wait = FWD_GATE_LEARNED_MAX_MS;
    }

    gate->learned_count++;
    gate->learned_ms = fwd_core_now_ms(core) + 1 + wait / 2
                       + fwd_core_random(core) % (wait / 2);
}


/* Two buckets an octave, from 128 us on; halves of a minute. */

static void
fwd_gate_latency(fwd_gate_t *gate, uint64_t us)
{
    uint64_t  now, edge;
    uint32_t  n;

    now = fwd_core_now_ms(gate->dest->engine->core);

    if (now >= gate->latencies_ms) {
        memcpy(gate->latencies[1], gate->latencies[0],
               sizeof(gate->latencies[0]));
        memset(gate->latencies[0], 0, sizeof(gate->latencies[0]));
        gate->latencies_ms = now + 30000;
    }

    edge = 128;

    for (n = 0; n + 2 < FWD_GATE_LATENCIES && us > edge; n += 2) {
        edge *= 2;
    }

    if (n != 0 && us <= edge / 4 * 3) {
        n--;
    }

    gate->latencies[0][n]++;
}


static fwd_breaker_result_t
fwd_gate_breaker_result(const fwd_batch_t *batch)
{
    switch (batch->outcome) {

    case FWD_OUTCOME_DELIVERED:
    case FWD_OUTCOME_DUPLICATE:
        return FWD_BREAKER_OK;

    case FWD_OUTCOME_REJECTED:
        return FWD_BREAKER_ALIVE;

    case FWD_OUTCOME_RETRY:
    case FWD_OUTCOME_AMBIGUOUS:
        return batch->connect_failed ? FWD_BREAKER_UNREACHABLE
                                     : FWD_BREAKER_FAILED;

    case FWD_OUTCOME_THROTTLED:

        /* unavailable, without a time: out of order, not too busy for us */

        return (batch->status == 503 && batch->wait_ms == 0)
               ? FWD_BREAKER_FAILED : FWD_BREAKER_NEUTRAL;

    default:
        return FWD_BREAKER_NEUTRAL;
    }
}


static fwd_aimd_result_t
fwd_gate_aimd_result(const fwd_batch_t *batch)
{
    switch (batch->outcome) {

    case FWD_OUTCOME_DELIVERED:
    case FWD_OUTCOME_DUPLICATE:
    case FWD_OUTCOME_REJECTED:
        return FWD_AIMD_OK;

    case FWD_OUTCOME_RETRY:
    case FWD_OUTCOME_AMBIGUOUS:
        return FWD_AIMD_FAILED;

    case FWD_OUTCOME_THROTTLED:
        return FWD_AIMD_THROTTLED;

    default:
        return FWD_AIMD_NEUTRAL;
    }
}
