
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Whether a destination may send now.
 *
 * The parts decide each for itself, and the first that says no is the
 * answer: an operator, the vendor's account, the breaker, the vendor's wish
 * to wait, concurrency, tokens.  What they know is of this loop, but for
 * what fwd_shared.c brings from the others.
 */


#include <string.h>

#include "fwd_call.h"
#include "fwd_dest.h"
#include "fwd_gate.h"
#include "fwd_watch.h"


/* Retries among the batches sent while the destination is healthy. */
#define FWD_GATE_RETRY_PERCENT  20
#define FWD_GATE_RETRY_MIN      3


static int fwd_gate_known(const fwd_gate_t *gate, uint64_t now);
static int fwd_gate_parked_open(const fwd_gate_t *gate, uint64_t now,
    uint64_t *wait_ms);
static fwd_gate_second_t *fwd_gate_second(fwd_gate_t *gate);
static int fwd_gate_tokens(fwd_gate_t *gate, uint64_t *wait_ms);


int
fwd_gate_open(fwd_dest_t *dest, uint64_t *wait_ms)
{
    uint64_t     now;
    fwd_gate_t  *gate;

    gate = dest->gate;
    now = fwd_core_now_ms(dest->engine->core);

    if (gate->paused || !fwd_gate_known(gate, now)
        || !fwd_gate_parked_open(gate, now, wait_ms)
        || fwd_watch_hung(dest->stats, FWD_PROGRAM_MAP))
    {
        return 0;
    }

    if (!fwd_list_empty(&gate->steps)) {
        return 0;                        /* what has begun goes first */
    }

    if (!fwd_breaker_allow(&gate->breaker, now, wait_ms)
        || fwd_gate_held(gate, now, wait_ms)
        || dest->inflight_count >= fwd_gate_concurrency(gate))
    {
        return 0;
    }

    return gate->limit.rates_count == 0 || !fwd_gate_wants(dest)
           || fwd_gate_tokens(gate, wait_ms);
}


/*
 * An operator or a vendor may have stopped the destination while we were not
 * there.  Where that cannot be read, others must not wait for ever.
 */

static int
fwd_gate_known(const fwd_gate_t *gate, uint64_t now)
{
    return gate->shared.known || now >= gate->unknown_ms;
}


static int
fwd_gate_parked_open(const fwd_gate_t *gate, uint64_t now, uint64_t *wait_ms)
{
    if (gate->parked == FWD_PARKED_NOT) {
        return 1;
    }

    if (gate->parked == FWD_PARKED_STOP || gate->probing) {
        return 0;
    }

    if (now >= gate->probe_ms) {
        return 1;
    }

    if (gate->probe_ms - now < *wait_ms) {
        *wait_ms = gate->probe_ms - now;
    }

    return 0;
}


int
fwd_gate_held(const fwd_gate_t *gate, uint64_t now, uint64_t *wait_ms)
{
    uint64_t  until;

    until = gate->dest->hold_ms;

    if (until < gate->hold_ms) {
        until = gate->hold_ms;
    }

    if (until < gate->learned_ms) {
        until = gate->learned_ms;
    }

    if (until <= now) {
        return 0;
    }

    if (until - now < *wait_ms) {
        *wait_ms = until - now;
    }

    return 1;
}


/* Where no rate is configured, the factor of the limiter works here. */

uint32_t
fwd_gate_concurrency(const fwd_gate_t *gate)
{
    uint32_t  allowed;

    allowed = fwd_aimd_allowed(&gate->aimd);

    if (gate->limit.rates_count == 0) {
        allowed = (uint32_t) (allowed * gate->limit.adapt.factor);
    }

    return allowed ? allowed : 1;
}


int
fwd_gate_wants(const fwd_dest_t *dest)
{
    return dest->fresh_count != 0 || dest->lane_count != 0
           || (dest->order != NULL && dest->order->ready_count != 0)
           || !fwd_list_empty(&dest->again) || fwd_groups_wait(dest)
           || !fwd_list_empty(&dest->gate->steps);
}


static int
fwd_gate_tokens(fwd_gate_t *gate, uint64_t *wait_ms)
{
    uint64_t  now;

    now = fwd_tokens_now_ms();

    if (fwd_limit_room(&gate->limit, now) != 0) {
        fwd_gate_limited(gate, 0);
        return 1;
    }

    if (fwd_limit_may_ask(&gate->limit, 0, now, wait_ms)) {
        fwd_tokens_ask(gate, 0);
    }

    fwd_gate_limited(gate, 1);

    return 0;
}


void
fwd_gate_limited(fwd_gate_t *gate, int limited)
{
    uint64_t  now;

    now = fwd_core_now_ms(gate->dest->engine->core);

    if (gate->limited_ms != 0) {
        gate->dest->stats->limited_ms += now - gate->limited_ms;
    }

    gate->limited_ms = limited ? now : 0;
}


uint32_t
fwd_gate_room(const fwd_dest_t *dest)
{
    if (dest->gate->limit.rates_count == 0) {
        return UINT32_MAX;
    }

    return fwd_limit_room(&dest->gate->limit, fwd_tokens_now_ms());
}


int
fwd_gate_probes(const fwd_dest_t *dest)
{
    return dest->gate->parked != FWD_PARKED_NOT
           || dest->gate->breaker.state == FWD_BREAKER_HALF_OPEN;
}


int
fwd_gate_retry_fits(const fwd_dest_t *dest)
{
    size_t                    i;
    uint32_t                  sent, retries;
    const fwd_gate_second_t  *second;

    if (dest->gate->breaker.state != FWD_BREAKER_CLOSED) {
        return 1;
    }

    (void) fwd_gate_second(dest->gate);

    sent = 0;
    retries = 0;

    for (i = 0; i < FWD_GATE_SECONDS; i++) {
        second = &dest->gate->seconds[i];
        sent += second->sent;
        retries += second->retries;
    }

    return retries < FWD_GATE_RETRY_MIN
           || (retries + 1) * 100 <= (sent + 1) * FWD_GATE_RETRY_PERCENT;
}


static fwd_gate_second_t *
fwd_gate_second(fwd_gate_t *gate)
{
    uint64_t  second;

    second = fwd_core_now_ms(gate->dest->engine->core) / 1000;

    if (second >= gate->second + FWD_GATE_SECONDS) {
        memset(gate->seconds, 0, sizeof(gate->seconds));
        gate->second = second;
    }

    while (gate->second < second) {
        gate->second++;
        memset(&gate->seconds[gate->second % FWD_GATE_SECONDS], 0,
               sizeof(fwd_gate_second_t));
    }

    return &gate->seconds[second % FWD_GATE_SECONDS];
}


/* What the calls of a batch cost, of all rates and of those of endpoints. */

void
fwd_gate_cost(const fwd_gate_t *gate, const fwd_batch_t *batch,
    uint32_t first, uint32_t count, fwd_limit_ticket_t *ticket)
{
    uint32_t                i, n;
    const char             *name;
    const fwd_call_t       *call;
    const fwd_rate_conf_t  *rate;

    ticket->units[FWD_RATE_REQUESTS] = count;

    for (i = 0; i < gate->limit.rates_count && i < FWD_LIMIT_RATES_MAX; i++) {
        rate = &gate->limit.rates[i].conf;
        name = rate->endpoint;

        for (n = first; name != NULL && n < first + count; n++) {
            call = &batch->calls->list[n];

            if (strcmp(call->endpoint->name, name) == 0) {
                ticket->own[i] += (rate->unit == FWD_RATE_REQUESTS) ? 1
                                  : (rate->unit == FWD_RATE_BYTES)
                                    ? call->bytes : call->records;
            }
        }
    }
}


fwd_rc_t
fwd_gate_take(fwd_dest_t *dest, fwd_batch_t *batch, uint64_t *wait_ms)
{
    fwd_gate_t          *gate;
    fwd_limit_ticket_t  *ticket;

    gate = dest->gate;
    ticket = &batch->ticket;
    memset(ticket, 0, sizeof(fwd_limit_ticket_t));

    if (gate->limit.rates_count == 0) {
        return FWD_OK;
    }

    ticket->units[FWD_RATE_EVENTS] = batch->items_count;
    ticket->units[FWD_RATE_BYTES] = batch->bytes;
    ticket->units[FWD_RATE_REQUESTS] = 1;

    if (batch->calls != NULL && batch->calls->sequence) {
        memset(ticket, 0, sizeof(fwd_limit_ticket_t));
        return FWD_OK;                   /* its requests pay for themselves */
    }

    if (batch->calls != NULL) {
        fwd_gate_cost(gate, batch, 0, batch->calls->count, ticket);

    } else if (dest->conf->desc->kind == FWD_KIND_HTTP
        && dest->conf->http.framing == FWD_FRAMING_OBJECT)
    {
        ticket->units[FWD_RATE_REQUESTS] = batch->records_count;
    }

    if (fwd_limit_take(&gate->limit, ticket, fwd_tokens_now_ms()) == FWD_OK) {
        return FWD_OK;
    }

    if (fwd_limit_may_ask(&gate->limit, 0, fwd_tokens_now_ms(), wait_ms)) {
        fwd_tokens_ask(gate, 0);
    }

    fwd_gate_limited(gate, 1);

    return FWD_AGAIN;
}


fwd_rc_t
fwd_gate_repeat(fwd_dest_t *dest, fwd_batch_t *batch)
{
    uint32_t             i;
    fwd_gate_t          *gate;
    fwd_limit_ticket_t   ticket;

    gate = dest->gate;

    if (gate->limit.rates_count == 0) {
        return FWD_OK;
    }

    /* it is one of those that the batch was made of, at most all of it */

    ticket = batch->ticket;

    if (ticket.units[FWD_RATE_REQUESTS] > 1) {
        ticket.units[FWD_RATE_REQUESTS] = 1;
    }

    for (i = 0; i < gate->limit.rates_count; i++) {
        if (gate->limit.rates[i].conf.unit == FWD_RATE_REQUESTS
            && ticket.own[i] > 1)
        {
            ticket.own[i] = 1;
        }
    }

    if (fwd_limit_take(&gate->limit, &ticket, fwd_tokens_now_ms()) != FWD_OK) {
        return FWD_AGAIN;
    }

    /* the units of the batch, with the newer lease */

    memcpy(ticket.units, batch->ticket.units, sizeof(ticket.units));
    memcpy(ticket.own, batch->ticket.own, sizeof(ticket.own));
    batch->ticket = ticket;

    return FWD_OK;
}


void
fwd_gate_sent(fwd_dest_t *dest, fwd_batch_t *batch)
{
    fwd_gate_t         *gate;
    fwd_gate_second_t  *second;

    gate = dest->gate;
    dest->inflight_count++;

    batch->turn = fwd_breaker_sent(&gate->breaker);
    batch->probe = (gate->parked != FWD_PARKED_NOT);
    gate->probing = batch->probe;

    second = fwd_gate_second(gate);
    second->sent++;
    second->retries += batch->items[0]->retry;

    gate->sequences += (batch->calls != NULL && batch->calls->sequence);

    fwd_gate_update(gate, gate->breaker.reason);
}
