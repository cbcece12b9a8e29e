
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Routing: entries that were read and not routed, and the step that writes
 * their pointers.
 *
 * One route step of a shard is under way at a time.  Two could arrive in the
 * wrong order of success: if the first failed and the second did not, the
 * entries of the first would be taken for routed.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_dest.h"
#include "fwd_identity.h"
#include "fwd_reader.h"
#include "fwd_remember.h"
#include "fwd_route.h"
#include "fwd_steady.h"


#define FWD_ROUTE_RING_MIN  64
#define FWD_ROUTE_LOG_MS    1000


static fwd_rc_t fwd_route_grow(fwd_shard_t *shard);
static void fwd_route_check(const fwd_shard_t *shard, fwd_event_t *ev);
static void fwd_route_reply(void *data, redisReply *reply);
static void fwd_route_failed(fwd_shard_t *shard, fwd_rc_t rc,
    const redisReply *reply);
static void fwd_route_skip(fwd_shard_t *shard, uint32_t count);
static void fwd_route_done(fwd_shard_t *shard, fwd_route_step_t *step,
    const redisReply *reply);
static fwd_event_t *fwd_route_take(fwd_shard_t *shard);
static void fwd_route_refused(fwd_route_step_t *step,
    const redisReply *reply);
static void fwd_route_offer(const fwd_route_step_t *step, uint32_t n,
    fwd_event_t *ev);
static void fwd_route_bad(fwd_shard_t *shard, const fwd_event_t *ev);


void
fwd_shard_add(fwd_shard_t *shard, fwd_event_t *ev)
{
    uint32_t  n;

    if (shard->unrouted_count == shard->unrouted_size
        && fwd_route_grow(shard) != FWD_OK)
    {
        fwd_event_unref(ev);
        fwd_shard_resync(shard, "out of memory");
        return;
    }

    fwd_route_check(shard, ev);

    n = (shard->unrouted_first + shard->unrouted_count)
        & (shard->unrouted_size - 1);

    shard->unrouted[n] = ev;
    shard->unrouted_count++;

    fwd_post(shard->engine->core, &shard->route);
}


void
fwd_shard_forget_unrouted(fwd_shard_t *shard)
{
    uint32_t  i;

    for (i = 0; i < shard->unrouted_count; i++) {
        fwd_event_unref(fwd_shard_unrouted(shard, i));
    }

    shard->unrouted_first = 0;
    shard->unrouted_count = 0;
    shard->persons_count = 0;
    shard->asking_stale = 1;

    fwd_shard_forget_routing(shard);
}


void
fwd_shard_forget_routing(fwd_shard_t *shard)
{
    uint32_t  i;

    if (shard->routing == NULL) {
        return;
    }

    /* what it does, or has done, is not known */

    shard->routing->shard = NULL;
    shard->routing = NULL;

    fwd_seen_doubt(&shard->seen);

    for (i = 0; i < shard->queues_count; i++) {
        fwd_queue_retry_doubt(&shard->queues[i]);
    }
}


static fwd_rc_t
fwd_route_grow(fwd_shard_t *shard)
{
    uint32_t       i, size;
    fwd_event_t  **ring;

    size = shard->unrouted_size ? shard->unrouted_size * 2
                                : FWD_ROUTE_RING_MIN;

    ring = malloc(size * sizeof(fwd_event_t *));
    if (ring == NULL) {
        return FWD_ERROR;
    }

    for (i = 0; i < shard->unrouted_count; i++) {
        ring[i] = fwd_shard_unrouted(shard, i);
    }

    free(shard->unrouted);

    shard->unrouted = ring;
    shard->unrouted_size = size;
    shard->unrouted_first = 0;

    return FWD_OK;
}


fwd_event_t *
fwd_shard_unrouted(const fwd_shard_t *shard, uint32_t n)
{
    return shard->unrouted[(shard->unrouted_first + n)
                           & (shard->unrouted_size - 1)];
}


/* An entry for a destination that nobody knows must not vanish. */

static void
fwd_route_check(const fwd_shard_t *shard, fwd_event_t *ev)
{
    if (ev->bad == NULL && ev->to.len != 0
        && fwd_engine_dest(shard->engine, ev->to) < 0)
    {
        ev->bad = "unknown_destination";
    }
}


void
fwd_shard_route(void *data)
{
    uint32_t           count;
    uint64_t           bucket;
    fwd_args_t        *args;
    fwd_shard_t       *shard = data;
    fwd_route_step_t  *step;

    if (shard->unrouted_count == 0 || shard->routing != NULL
        || shard->state < FWD_SHARD_REREADING || !fwd_shard_sendable(shard))
    {
        return;
    }

    count = fwd_route_count(shard, &bucket);

    /* what came while links were asked for waits for the next step */

    if (shard->persons_count != 0 && shard->persons_count < count) {
        count = shard->persons_count;
    }

    if (fwd_remember_ready(shard, bucket) != FWD_OK
        || fwd_identity_of_route(shard, count) != FWD_OK)
    {
        return;
    }

    step = fwd_route_step_create(shard, count, bucket);
    if (step == NULL) {
        return;                          /* the tick tries again */
    }

    args = &shard->engine->args;
    fwd_route_step_args(step, args);

    if (fwd_args_send(args, shard->redis, fwd_route_reply, step, 0)
        != FWD_OK)
    {
        fwd_route_step_free(step);
        return;
    }

    shard->routing = step;
}


static void
fwd_route_reply(void *data, redisReply *reply)
{
    fwd_rc_t           rc;
    fwd_shard_t       *shard;
    fwd_route_step_t  *step = data;

    shard = step->shard;

    if (shard == NULL) {
        fwd_route_step_free(step);       /* what was sent is forgotten */
        return;
    }

    shard->routing = NULL;
    rc = fwd_script_result(shard->redis, reply);

    if (rc == FWD_OK && reply->type == REDIS_REPLY_ARRAY
        && reply->elements >= 2)
    {
        fwd_fail(shard->engine->core, FWD_FAIL_AFTER_ROUTE);

        if (reply->element[0]->integer < 0) {
            fwd_route_skip(shard, (uint32_t) reply->element[1]->integer);

        } else {
            fwd_route_done(shard, step, reply);
        }

    } else {
        fwd_route_failed(shard, rc, reply);
    }

    fwd_route_step_free(step);
}


static void
fwd_route_failed(fwd_shard_t *shard, fwd_rc_t rc, const redisReply *reply)
{
    switch (rc) {

    case FWD_FENCED:
        fwd_shard_fenced(shard);
        return;

    case FWD_OK:
        fwd_shard_resync(shard, "an older entry is pending");
        return;

    case FWD_ERROR:
        fwd_shard_error(shard, "route", reply);

        /* such a step writes nothing; but should it have, it is found */

        fwd_seen_doubt(&shard->seen);
        fwd_shard_rewind(shard);

        if (fwd_redis_is_error(reply, "NOGROUP")) {
            fwd_shard_resync(shard, "the consumer group is gone");
        }

        return;                          /* the tick sends it again */

    default:
        fwd_seen_doubt(&shard->seen);

        if (reply != NULL) {
            fwd_post(shard->engine->core, &shard->route);
        }
    }
}


/* These were routed before; nobody has offered them to the queues here. */

static void
fwd_route_skip(fwd_shard_t *shard, uint32_t count)
{
    while (count-- > 0 && shard->unrouted_count != 0) {
        fwd_event_unref(fwd_route_take(shard));
    }

    fwd_shard_rewind(shard);

    fwd_post(shard->engine->core, &shard->route);
    fwd_shard_reread(shard);
}


static void
fwd_route_done(fwd_shard_t *shard, fwd_route_step_t *step,
    const redisReply *reply)
{
    uint32_t           i, good;
    fwd_event_t       *ev;
    fwd_loop_stats_t  *stats;

    fwd_route_refused(step, reply);

    if (step->prints_len != 0) {
        fwd_remember_added(shard, step->bucket, step->prints,
                           step->prints_len,
                           (uint64_t) reply->element[1]->integer);
    }

    good = 0;

    for (i = 0; i < step->count; i++) {
        ev = fwd_route_take(shard);

        if (step->kinds[i] == FWD_ROUTE_BAD) {
            fwd_route_bad(shard, ev);

        } else {
            fwd_route_offer(step, i, ev);
            good++;
        }

        fwd_event_unref(ev);
    }

    stats = shard->engine->stats;
    stats->routed += good;
    stats->duplicates += step->duplicates;
    stats->refused += step->refused;

    shard->dirty = 1;

    if (shard->unrouted_count != 0) {
        fwd_post(shard->engine->core, &shard->route);

    } else {
        fwd_shard_reread(shard);
    }

    fwd_reader_begin(shard);
}


static fwd_event_t *
fwd_route_take(fwd_shard_t *shard)
{
    fwd_event_t  *ev;

    ev = fwd_shard_unrouted(shard, 0);

    shard->unrouted_first = (shard->unrouted_first + 1)
                            & (shard->unrouted_size - 1);
    shard->unrouted_count--;

    if (shard->persons_count != 0) {
        shard->persons_count--;
    }

    return ev;
}


/* Pointers that went to the retry set: not offered, but loaded from there. */

static void
fwd_route_refused(fwd_route_step_t *step, const redisReply *reply)
{
    size_t        i;
    uint32_t      n, k;
    fwd_queue_t  *queue;
    fwd_shard_t  *shard;

    shard = step->shard;

    for (i = 2; i + 1 < reply->elements; i += 2) {
        k = (uint32_t) reply->element[i]->integer - 1;
        n = (uint32_t) reply->element[i + 1]->integer - 1;

        if (k >= step->queues_count || n >= step->count) {
            continue;
        }

        k = step->queues[k];
        queue = &shard->queues[k];
        fwd_route_verdicts(step, k % step->dests_count)[n]
                                                       = FWD_VERDICT_NONE;

        fwd_queue_retry_adding(queue, fwd_shard_unrouted(shard, n)->id);
        fwd_queue_retry_due(queue, fwd_steady_ms());
    }

    if (reply->elements > 2) {
        fwd_log(shard->engine->core->log, FWD_LOG_WARN,
                "events are older than those routed before, sent as retries",
                fwd_kv_int("shard", shard->index),
                fwd_kv_int("count", (reply->elements - 2) / 2));
    }
}


static void
fwd_route_offer(const fwd_route_step_t *step, uint32_t n, fwd_event_t *ev)
{
    uint8_t   verdict;
    uint32_t  d;

    for (d = 0; d < step->dests_count; d++) {
        verdict = fwd_route_verdicts(step, d)[n];

        if (verdict == FWD_VERDICT_NORMAL) {
            fwd_queue_offer(&step->shard->queues[d], ev);

        } else if (verdict == FWD_VERDICT_HIGH) {
            fwd_queue_offer(&step->shard->queues[step->dests_count + d], ev);
        }
    }
}


static void
fwd_route_bad(fwd_shard_t *shard, const fwd_event_t *ev)
{
    uint32_t  suppressed;

    if (!fwd_log_pass(&shard->bad_limit,
                      fwd_core_now_ms(shard->engine->core), FWD_ROUTE_LOG_MS,
                      &suppressed))
    {
        return;
    }

    fwd_log(shard->engine->core->log, FWD_LOG_WARN,
            "entry cannot be read, put aside",
            fwd_kv_int("shard", shard->index),
            fwd_kv_text("reason", ev->bad),
            fwd_kv_int("suppressed", suppressed));
}
