
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Routing: which destinations an event goes to, and the step that writes
 * the pointers.
 *
 * One route step of a shard is under way at a time.  Two could arrive in the
 * wrong order of success: if the first failed and the second did not, the
 * pointers of the first would be refused for ever as too old.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_dest.h"
#include "fwd_reader.h"
#include "fwd_shard.h"


#define FWD_ROUTE_RING_MIN  64
#define FWD_ROUTE_LOG_MS    1000


static fwd_rc_t fwd_route_grow(fwd_shard_t *shard);
static fwd_event_t *fwd_route_event(const fwd_shard_t *shard, uint32_t n);
static void fwd_route_check(const fwd_shard_t *shard, fwd_event_t *ev);
static int fwd_route_selected(const fwd_dest_t *dest, const fwd_event_t *ev);
static uint32_t fwd_route_args(fwd_shard_t *shard, fwd_args_t *args);
static void fwd_route_args_dest(fwd_shard_t *shard, fwd_args_t *args,
    const fwd_dest_t *dest, uint32_t count);
static void fwd_route_reply(void *data, redisReply *reply);
static void fwd_route_done(fwd_shard_t *shard, const redisReply *reply);
static void fwd_route_bad(fwd_shard_t *shard, const fwd_event_t *ev);
static void fwd_route_offer(fwd_shard_t *shard, fwd_event_t *ev,
    uint32_t position, const redisReply *reply);


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
        fwd_event_unref(fwd_route_event(shard, i));
    }

    shard->unrouted_first = 0;
    shard->unrouted_count = 0;
    shard->routing_count = 0;
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
        ring[i] = fwd_route_event(shard, i);
    }

    free(shard->unrouted);

    shard->unrouted = ring;
    shard->unrouted_size = size;
    shard->unrouted_first = 0;

    return FWD_OK;
}


static fwd_event_t *
fwd_route_event(const fwd_shard_t *shard, uint32_t n)
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


/* Where selection by source, name, consent and so on has its place. */

static int
fwd_route_selected(const fwd_dest_t *dest, const fwd_event_t *ev)
{
    return ev->to.len == 0
           || (strlen(dest->conf->name) == ev->to.len
               && memcmp(dest->conf->name, ev->to.data, ev->to.len) == 0);
}


void
fwd_shard_route(void *data)
{
    uint32_t      count;
    fwd_args_t   *args;
    fwd_shard_t  *shard = data;

    if (shard->unrouted_count == 0 || shard->routing_count != 0
        || shard->state < FWD_SHARD_REREADING || !fwd_shard_sendable(shard))
    {
        return;
    }

    args = &shard->engine->args;
    count = fwd_route_args(shard, args);

    if (fwd_args_send(args, shard->redis, fwd_route_reply, shard, 0)
        == FWD_OK)
    {
        shard->routing_count = count;
    }
}


/* Builds the step for the first events and returns how many. */

static uint32_t
fwd_route_args(fwd_shard_t *shard, fwd_args_t *args)
{
    uint32_t       i, count, good_count;
    fwd_event_t   *ev;
    fwd_engine_t  *engine;

    engine = shard->engine;
    good_count = 0;

    count = shard->unrouted_count < FWD_ROUTE_MAX ? shard->unrouted_count
                                                  : FWD_ROUTE_MAX;

    fwd_args_script(args, FWD_SCRIPT_ROUTE, 4 + engine->dests_count);
    fwd_args_add(args, shard->owner.data, shard->owner.len);
    fwd_args_add(args, shard->ledger.data, shard->ledger.len);
    fwd_args_add(args, shard->in.data, shard->in.len);
    fwd_args_add(args, shard->entry_dead.data, shard->entry_dead.len);

    for (i = 0; i < engine->dests_count; i++) {
        fwd_args_add(args, shard->queues[i].q.data, shard->queues[i].q.len);
    }

    for (i = 0; i < count; i++) {
        good_count += (fwd_route_event(shard, i)->bad == NULL);
    }

    fwd_args_number(args, shard->epoch);
    fwd_args_text(args, FWD_GROUP);
    fwd_args_number(args, fwd_wall_ms());
    fwd_args_number(args, good_count);

    for (i = 0; i < count; i++) {
        ev = fwd_route_event(shard, i);

        if (ev->bad == NULL) {
            fwd_args_id(args, ev->id);
        }
    }

    for (i = 0; i < engine->dests_count; i++) {
        fwd_route_args_dest(shard, args, &engine->dests[i], count);
    }

    for (i = 0; i < count; i++) {
        ev = fwd_route_event(shard, i);

        if (ev->bad != NULL) {
            fwd_args_id(args, ev->id);
            fwd_args_add(args, ev->message_id.data, ev->message_id.len);
            fwd_args_add(args, ev->source.data, ev->source.len);
            fwd_args_add(args, ev->text.data, ev->text.len);
            fwd_args_text(args, ev->bad);
        }
    }

    return count;
}


static void
fwd_route_args_dest(fwd_shard_t *shard, fwd_args_t *args,
    const fwd_dest_t *dest, uint32_t count)
{
    uint32_t      i, position, selected, good_count;
    fwd_event_t  *ev;

    selected = 0;
    good_count = 0;

    for (i = 0; i < count; i++) {
        ev = fwd_route_event(shard, i);

        if (ev->bad == NULL) {
            good_count++;
            selected += fwd_route_selected(dest, ev);
        }
    }

    fwd_args_text(args, dest->conf->name);

    if (selected == good_count) {
        fwd_args_text(args, "*");
        return;
    }

    fwd_args_number(args, selected);
    position = 0;

    for (i = 0; i < count; i++) {
        ev = fwd_route_event(shard, i);

        if (ev->bad != NULL) {
            continue;
        }

        position++;

        if (fwd_route_selected(dest, ev)) {
            fwd_args_number(args, position);
        }
    }
}


static void
fwd_route_reply(void *data, redisReply *reply)
{
    fwd_rc_t      rc;
    fwd_shard_t  *shard = data;

    rc = fwd_script_result(shard->redis, reply);

    if (rc == FWD_FENCED) {
        fwd_shard_fenced(shard);
        return;
    }

    if (shard->routing_count == 0) {
        return;                          /* what was sent is forgotten */
    }

    if (rc == FWD_OK && reply->type == REDIS_REPLY_ARRAY) {
        fwd_fail(shard->engine->core, FWD_FAIL_AFTER_ROUTE);
        fwd_route_done(shard, reply);
        return;
    }

    shard->routing_count = 0;

    if (rc == FWD_OK) {
        fwd_shard_resync(shard, "an older entry is pending");
        return;
    }

    if (rc == FWD_ERROR) {
        fwd_shard_error(shard, "route", reply);

        /* the step may have written some pointers; a repeat has them refused
           and would not offer them, so they are looked for in the queues */

        fwd_shard_rewind(shard);

        if (fwd_redis_is_error(reply, "NOGROUP")) {
            fwd_shard_resync(shard, "the consumer group is gone");
        }

        return;                          /* the tick sends it again */
    }

    if (reply != NULL) {
        fwd_post(shard->engine->core, &shard->route);
    }
}


static void
fwd_route_done(fwd_shard_t *shard, const redisReply *reply)
{
    uint32_t      count, position;
    fwd_event_t  *ev;

    position = 0;

    for (count = shard->routing_count; count != 0; count--) {
        ev = fwd_route_event(shard, 0);

        shard->unrouted_first = (shard->unrouted_first + 1)
                                & (shard->unrouted_size - 1);
        shard->unrouted_count--;

        if (ev->bad == NULL) {
            position++;
            fwd_route_offer(shard, ev, position, reply);

        } else {
            fwd_route_bad(shard, ev);
        }

        fwd_event_unref(ev);
    }

    shard->routing_count = 0;
    shard->dirty = 1;

    if (shard->unrouted_count != 0) {
        fwd_post(shard->engine->core, &shard->route);

    } else {
        fwd_shard_reread(shard);
    }

    fwd_reader_begin(shard);
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


/* The refused pointers, if any, are listed behind the count. */

static void
fwd_route_offer(fwd_shard_t *shard, fwd_event_t *ev, uint32_t position,
    const redisReply *reply)
{
    size_t    i;
    uint32_t  d;
    int       refused;

    for (d = 0; d < shard->engine->dests_count; d++) {

        if (!fwd_route_selected(&shard->engine->dests[d], ev)) {
            continue;
        }

        refused = 0;

        for (i = 1; i + 1 < reply->elements; i += 2) {
            if (reply->element[i]->integer == (long long) d + 1
                && reply->element[i + 1]->integer == (long long) position)
            {
                refused = 1;
                break;
            }
        }

        if (!refused) {
            fwd_queue_offer(&shard->queues[d], ev);
        }
    }
}
