
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tokens of rate limits, asked of Redis.
 *
 * One call brings the tokens of all rates of a destination, takes back what
 * was not used and puts right what is booked.  No answer, or an error, is no
 * tokens: then nothing is sent, and the leases are in doubt anyway.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_dest.h"
#include "fwd_gate.h"
#include "fwd_shard.h"


#define FWD_TOKENS_AGAIN_MS  50          /* scripts are being loaded */
#define FWD_TOKENS_ERROR_MS  1000
#define FWD_TOKENS_LOG_MS    10000


static uint64_t fwd_tokens_usable(const fwd_gate_t *gate,
    const fwd_rate_t *rate);
static fwd_rc_t fwd_tokens_send(fwd_gate_t *gate, int correction);
static void fwd_tokens_reply(void *data, redisReply *reply);
static void fwd_tokens_answer(fwd_gate_t *gate, const redisReply *reply);
static void fwd_tokens_error(fwd_gate_t *gate, const redisReply *reply);


uint64_t
fwd_tokens_now_ms(void)
{
    return uv_hrtime() / 1000000;
}


void
fwd_tokens_ask(fwd_gate_t *gate, int correction)
{
    uint64_t  now;

    now = fwd_tokens_now_ms();

    fwd_limit_ask(&gate->limit, correction, now);

    if (fwd_tokens_send(gate, correction) != FWD_OK) {
        fwd_limit_failed(&gate->limit, FWD_TOKENS_AGAIN_MS, now);
        return;
    }

    fwd_limit_asked(&gate->limit);
}


/* What can be sent while a lease lasts, or is there to be sent. */

static uint64_t
fwd_tokens_usable(const fwd_gate_t *gate, const fwd_rate_t *rate)
{
    uint64_t             events, rounds;
    const fwd_dest_t    *dest;
    const fwd_limits_t  *limits;

    dest = gate->dest;
    limits = &dest->conf->limits;

    rounds = 1 + gate->limit.asked_lease_ms * 1000
                 / ((uint64_t) gate->aimd.mean_us + 100);
    events = fwd_aimd_allowed(&gate->aimd) * rounds * limits->batch_count;

    if (events > dest->fresh_count + dest->lane_count) {
        events = dest->fresh_count + dest->lane_count;
    }

    switch (rate->conf.unit) {

    case FWD_RATE_REQUESTS:

        if (gate->sequences != 0) {
            return 1 + events + gate->sequences;
        }

        return 1 + events / limits->batch_count;

    case FWD_RATE_BYTES:
        return events * (1 + dest->fresh_bytes / (dest->fresh_count + 1));

    default:
        return events;
    }
}


static fwd_rc_t
fwd_tokens_send(fwd_gate_t *gate, int correction)
{
    uint32_t       i, n;
    fwd_args_t    *args;
    fwd_rate_t    *rate;
    fwd_limit_t   *l;
    fwd_engine_t  *engine;

    l = &gate->limit;
    engine = gate->dest->engine;
    args = &engine->args;

    fwd_args_script(args, FWD_SCRIPT_LIMIT, l->rates_count);

    for (i = 0; i < l->rates_count; i++) {
        fwd_args_add(args, gate->limits[i].data, gate->limits[i].len);
    }

    for (i = 0; i < l->rates_count; i++) {
        rate = &l->rates[i];

        fwd_args_number(args, fwd_limit_count(l, rate));
        fwd_args_number(args, rate->conf.window_ms);
        fwd_args_number(args, l->asked_lease_ms + l->margin_ms);
        fwd_args_number(args, rate->width_ms);
        fwd_args_number(args, correction ? 0 : fwd_limit_min(rate));
        fwd_args_number(args, correction ? 0
                        : fwd_limit_want(l, rate,
                                         fwd_tokens_usable(gate, rate)));
        fwd_args_number(args, rate->moves_count);

        for (n = 0; n < rate->moves_count; n++) {
            fwd_args_number(args, rate->moves[n].slot);
            fwd_args_signed(args, rate->moves[n].count);
        }
    }

    return fwd_args_send(args, engine->shards[0].redis, fwd_tokens_reply,
                         gate, 0);
}


static void
fwd_tokens_reply(void *data, redisReply *reply)
{
    uint64_t      now;
    fwd_gate_t   *gate = data;
    fwd_redis_t  *redis;

    now = fwd_tokens_now_ms();
    redis = gate->dest->engine->shards[0].redis;

    switch (fwd_script_result(redis, reply)) {

    case FWD_OK:
        fwd_tokens_answer(gate, reply);
        break;

    case FWD_AGAIN:
        fwd_limit_failed(&gate->limit, FWD_TOKENS_AGAIN_MS, now);
        break;

    default:
        fwd_limit_failed(&gate->limit, FWD_TOKENS_ERROR_MS, now);
        fwd_tokens_error(gate, reply);
        break;
    }

    fwd_dest_wake(gate->dest);
}


static void
fwd_tokens_answer(fwd_gate_t *gate, const redisReply *reply)
{
    size_t        i;
    uint64_t     *granted, now, wait;
    fwd_limit_t  *l;

    l = &gate->limit;
    now = fwd_tokens_now_ms();

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2) {
        fwd_limit_failed(l, FWD_TOKENS_ERROR_MS, now);
        return;
    }

    granted = NULL;
    wait = (uint64_t) reply->element[1]->integer;

    if (wait != 0) {

        /* loops that wait for the same tokens do not ask all at once */

        wait += fwd_core_random(gate->dest->engine->core)
                % (l->lease_ms / 4 + 1);

    } else if (reply->elements == 2 + l->rates_count) {
        granted = calloc(l->rates_count, sizeof(uint64_t));
    }

    for (i = 0; granted != NULL && i < l->rates_count; i++) {
        granted[i] = (uint64_t) reply->element[2 + i]->integer;
    }

    fwd_limit_answer(l, granted, (uint64_t) reply->element[0]->integer, wait,
                     now);
    free(granted);
}


static void
fwd_tokens_error(fwd_gate_t *gate, const redisReply *reply)
{
    uint32_t     suppressed;
    fwd_dest_t  *dest;

    dest = gate->dest;

    if (!fwd_log_pass(&dest->limit, fwd_core_now_ms(dest->engine->core),
                      FWD_TOKENS_LOG_MS, &suppressed))
    {
        return;
    }

    fwd_log(dest->engine->core->log, FWD_LOG_ERROR,
            "redis refused a step, nothing is sent",
            fwd_kv_text("destination", dest->conf->name),
            fwd_kv_text("step", "limit"),
            fwd_kv_text("reason", reply->type == REDIS_REPLY_ERROR
                                  ? reply->str : "unexpected reply"),
            fwd_kv_int("suppressed", suppressed));
}
