
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What loops tell each other.
 *
 * Replies come in order, so what was read while a write of ours was under
 * way is older than what we know and is passed over.  A write that is lost is
 * made again; until then our own copy counts.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../martech/martech_shard.h"

#include "fwd_dest.h"
#include "fwd_shard.h"
#include "fwd_shared.h"
#include "fwd_steady.h"


#define FWD_SHARED_LIVES_MS  5000        /* what a loop tells of itself */


static int fwd_shared_is_up(const fwd_engine_t *engine);
static void fwd_shared_dest(fwd_gate_t *gate, uint64_t now);
static void fwd_shared_write_hold(fwd_gate_t *gate);
static void fwd_shared_write_parked(fwd_gate_t *gate);
static void fwd_shared_hold_reply(void *data, redisReply *reply);
static void fwd_shared_parked_reply(void *data, redisReply *reply);
static void fwd_shared_read(fwd_gate_t *gate);
static void fwd_shared_read_reply(void *data, redisReply *reply);
static void fwd_shared_learn(fwd_gate_t *gate, redisReply **fields);
static uint64_t fwd_shared_number(const redisReply *reply);
static fwd_parked_t fwd_shared_word(const redisReply *reply);
static void fwd_shared_publish(fwd_engine_t *engine);
static void fwd_shared_text(fwd_gate_t *gate);
static double fwd_shared_latency(const fwd_gate_t *gate, double part);


/* In the order in which fwd_shared_learn() reads them. */
static const char *const  fwd_shared_fields[] = {
    "paused", "hold", "parked", "parked_at", "parked_tries"
};

#define FWD_SHARED_FIELDS                                                     \
    (sizeof(fwd_shared_fields) / sizeof(fwd_shared_fields[0]))


static const char *const  fwd_shared_words[] = {
    [FWD_PARKED_CREDENTIALS] = "credentials",
    [FWD_PARKED_STOP] = "stop"
};


void
fwd_shared_tick(fwd_engine_t *engine)
{
    uint32_t  i;
    uint64_t  now;

    if (!fwd_shared_is_up(engine)) {
        return;
    }

    now = fwd_core_now_ms(engine->core);

    for (i = 0; i < engine->dests_count; i++) {
        fwd_shared_dest(engine->dests[i].gate, now);
    }

    if (now >= engine->publish_ms) {
        engine->publish_ms = now + FWD_SHARED_PUBLISH_MS;
        fwd_shared_publish(engine);
    }
}


static int
fwd_shared_is_up(const fwd_engine_t *engine)
{
    return engine->shards_count != 0 && engine->shards[0].redis != NULL
           && fwd_redis_is_up(engine->shards[0].redis);
}


static void
fwd_shared_dest(fwd_gate_t *gate, uint64_t now)
{
    fwd_shared_t  *shared;

    shared = &gate->shared;

    if (shared->writes == 0 && shared->hold_dirty) {
        fwd_shared_write_hold(gate);
    }

    if (shared->writes == 0 && shared->parked_dirty) {
        fwd_shared_write_parked(gate);
    }

    if (now >= shared->read_ms && !shared->reading) {
        shared->read_ms = now + FWD_SHARED_READ_MS;
        fwd_shared_read(gate);
    }
}


void
fwd_shared_hold(fwd_gate_t *gate, uint64_t hold)
{
    uint64_t  before;

    before = gate->hold_ms;
    fwd_gate_hold(gate, hold);

    /* of requests that were under way together the longest wish counts */

    if (gate->hold_ms < before) {
        gate->hold_ms = before;
    }

    if (hold <= gate->shared.hold) {
        return;
    }

    gate->shared.hold = hold;
    gate->shared.hold_dirty = 1;

    if (fwd_shared_is_up(gate->dest->engine)) {
        fwd_shared_write_hold(gate);
    }
}


static void
fwd_shared_write_hold(fwd_gate_t *gate)
{
    fwd_args_t    *args;
    fwd_engine_t  *engine;

    engine = gate->dest->engine;
    args = &engine->args;

    fwd_args_script(args, FWD_SCRIPT_HOLD, 1);
    fwd_args_add(args, gate->shared.key.data, gate->shared.key.len);
    fwd_args_number(args, gate->shared.hold);

    if (fwd_args_send(args, engine->shards[0].redis, fwd_shared_hold_reply,
                      gate, 0)
        == FWD_OK)
    {
        gate->shared.hold_dirty = 0;
        gate->shared.writes++;
    }
}


static void
fwd_shared_hold_reply(void *data, redisReply *reply)
{
    fwd_gate_t  *gate = data;

    gate->shared.writes--;

    if (fwd_script_result(gate->dest->engine->shards[0].redis, reply)
        == FWD_AGAIN)
    {
        gate->shared.hold_dirty = 1;
    }
}


void
fwd_shared_parked(fwd_gate_t *gate)
{
    gate->shared.parked_dirty = 1;

    if (fwd_shared_is_up(gate->dest->engine)) {
        fwd_shared_write_parked(gate);
    }
}


static void
fwd_shared_write_parked(fwd_gate_t *gate)
{
    fwd_args_t    *args;
    fwd_engine_t  *engine;

    engine = gate->dest->engine;
    args = &engine->args;

    fwd_args_reset(args);

    if (gate->parked == FWD_PARKED_NOT) {
        fwd_args_text(args, "HDEL");
        fwd_args_add(args, gate->shared.key.data, gate->shared.key.len);
        fwd_args_text(args, "parked");
        fwd_args_text(args, "parked_at");
        fwd_args_text(args, "parked_tries");

    } else {
        fwd_args_text(args, "HSET");
        fwd_args_add(args, gate->shared.key.data, gate->shared.key.len);
        fwd_args_text(args, "parked");
        fwd_args_text(args, fwd_shared_words[gate->parked]);
        fwd_args_text(args, "parked_at");
        fwd_args_number(args, gate->parked_at);
        fwd_args_text(args, "parked_tries");
        fwd_args_number(args, gate->parked_tries);
    }

    if (fwd_args_send(args, engine->shards[0].redis, fwd_shared_parked_reply,
                      gate, 0)
        == FWD_OK)
    {
        gate->shared.parked_dirty = 0;
        gate->shared.writes++;
    }
}


static void
fwd_shared_parked_reply(void *data, redisReply *reply)
{
    fwd_gate_t  *gate = data;

    gate->shared.writes--;

    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        gate->shared.parked_dirty = 1;
    }
}


static void
fwd_shared_read(fwd_gate_t *gate)
{
    size_t         i;
    fwd_args_t    *args;
    fwd_engine_t  *engine;

    engine = gate->dest->engine;
    args = &engine->args;

    fwd_args_reset(args);
    fwd_args_text(args, "HMGET");
    fwd_args_add(args, gate->shared.key.data, gate->shared.key.len);

    for (i = 0; i < FWD_SHARED_FIELDS; i++) {
        fwd_args_text(args, fwd_shared_fields[i]);
    }

    gate->shared.reading = (fwd_args_send(args, engine->shards[0].redis,
                                          fwd_shared_read_reply, gate, 0)
                            == FWD_OK);
}


static void
fwd_shared_read_reply(void *data, redisReply *reply)
{
    fwd_gate_t    *gate = data;
    fwd_shared_t  *shared;

    shared = &gate->shared;
    shared->reading = 0;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != FWD_SHARED_FIELDS
        || shared->writes != 0 || shared->hold_dirty || shared->parked_dirty)
    {
        return;
    }

    fwd_shared_learn(gate, reply->element);
}


static void
fwd_shared_learn(fwd_gate_t *gate, redisReply **fields)
{
    uint64_t      hold, at, tries;
    unsigned      paused;
    fwd_parked_t  parked;

    paused = (fields[0]->type == REDIS_REPLY_STRING);
    hold = fwd_shared_number(fields[1]);
    parked = fwd_shared_word(fields[2]);
    at = fwd_shared_number(fields[3]);
    tries = fwd_shared_number(fields[4]);

    if (paused != gate->paused) {
        gate->paused = paused;
        fwd_gate_update(gate, "by an operator");
    }

    gate->shared.known = 1;

    /* the same wish read again would have its cap start again */

    if (hold != gate->shared.hold) {
        gate->shared.hold = hold;
        fwd_gate_hold(gate, hold);
        fwd_gate_update(gate, hold ? "the vendor asked to wait" : "resumed");
        fwd_dest_wake(gate->dest);       /* it may be open and held too */
    }

    if (parked != gate->parked
        || (parked != FWD_PARKED_NOT && at > gate->parked_at))
    {
        /* whoever parked it by hand has not said when */
        fwd_gate_park(gate, parked, (uint32_t) tries,
                      at ? at : fwd_wall_ms());
    }
}


static uint64_t
fwd_shared_number(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING
           ? strtoull(reply->str, NULL, 10) : 0;
}


/* A word that is not known was written by a later version: be careful. */

static fwd_parked_t
fwd_shared_word(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING) {
        return FWD_PARKED_NOT;
    }

    return strcmp(reply->str, fwd_shared_words[FWD_PARKED_CREDENTIALS]) == 0
           ? FWD_PARKED_CREDENTIALS : FWD_PARKED_STOP;
}


/* Nobody waits for the replies: the next one comes in a second. */

static void
fwd_shared_publish(fwd_engine_t *engine)
{
    char            key[MARTECH_TAG_LEN_MAX + 160], tag[MARTECH_TAG_LEN_MAX];
    uint32_t        i;
    fwd_args_t     *args;
    fwd_gate_t     *gate;
    fwd_redis_t    *redis;
    martech_str_t   prefix;

    args = &engine->args;
    redis = engine->shards[0].redis;
    prefix.data = (const unsigned char *) engine->conf->prefix;
    prefix.len = strlen(engine->conf->prefix);

    (void) martech_shard_tag(tag, prefix, 0);
    (void) snprintf(key, sizeof(key), "%s:loop:%s", tag, engine->conf->owner);

    fwd_args_reset(args);
    fwd_args_text(args, "HSET");
    fwd_args_text(args, key);

    for (i = 0; i < engine->dests_count; i++) {
        gate = engine->dests[i].gate;
        fwd_shared_text(gate);
        fwd_args_text(args, gate->dest->conf->name);
        fwd_args_text(args, gate->json);
    }

    if (fwd_args_send(args, redis, NULL, NULL, 0) != FWD_OK) {
        return;
    }

    fwd_args_reset(args);
    fwd_args_text(args, "PEXPIRE");
    fwd_args_text(args, key);
    fwd_args_number(args, FWD_SHARED_LIVES_MS);

    if (fwd_args_send(args, redis, NULL, NULL, 0) != FWD_OK) {
        return;
    }
}


static void
fwd_shared_text(fwd_gate_t *gate)
{
    uint32_t                 i;
    uint64_t                 sent, failed;
    const fwd_dest_stats_t  *stats;

    stats = gate->dest->stats;
    sent = stats->events[FWD_OUTCOME_DELIVERED]
           + stats->events[FWD_OUTCOME_DUPLICATE];
    failed = 0;

    for (i = 0; i < FWD_OUTCOME_COUNT; i++) {
        failed += stats->events[i];
    }

    (void) snprintf(gate->json, sizeof(gate->json),
        "{\"breaker\":\"%s\",\"inflight\":%u,\"concurrency\":%llu,"
        "\"sent\":%llu,\"failed\":%llu,\"p50\":%.3f,\"p99\":%.3f,"
        "\"limited_ms\":%llu}",
        fwd_gate_state_name(gate->state),
        (unsigned) gate->dest->inflight_count,
        (unsigned long long) stats->concurrency,
        (unsigned long long) sent, (unsigned long long) (failed - sent),
        fwd_shared_latency(gate, 0.5), fwd_shared_latency(gate, 0.99),
        (unsigned long long) stats->limited_ms);
}


/* The upper edge, in ms, of the bucket below which this part is. */

static double
fwd_shared_latency(const fwd_gate_t *gate, double part)
{
    double    edge;
    uint32_t  n;
    uint64_t  total, below;

    total = 0;
    below = 0;

    for (n = 0; n < FWD_GATE_LATENCIES; n++) {
        total += gate->latencies[0][n] + gate->latencies[1][n];
    }

    if (total == 0) {
        return 0;
    }

    edge = 0.128;

    for (n = 0; n < FWD_GATE_LATENCIES - 1; n++) {
        below += gate->latencies[0][n] + gate->latencies[1][n];

        if ((double) below >= part * (double) total) {
            break;
        }

        if (n % 2 == 1) {
            edge *= 2;
        }
    }

    return (n % 2 == 1) ? edge * 1.5 : edge;
}
