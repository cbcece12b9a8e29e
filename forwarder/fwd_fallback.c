
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * While a destination is down for long, what waits for it goes to another.
 *
 * Memory lets go of everything that waits, so what it still knows of a queue
 * is under way and stays.  All the rest is asked for, oldest first, and moved
 * by one step of Redis.  When the destination may try again, moving stops and
 * its queues are loaded as ever: that is how it comes back.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_dest.h"
#include "fwd_gate.h"
#include "fwd_shard.h"
#include "fwd_steady.h"


#define FWD_FALLBACK_CHUNK     256       /* events of one step */
#define FWD_FALLBACK_PAUSE_MS  250       /* when nothing was left to move */
#define FWD_FALLBACK_KEYS      9


/* A move under way; a queue lives longer. */
typedef struct {
    fwd_queue_t          *queue;
    fwd_queue_t          *other;
    uint32_t              count;
    unsigned              failed:1;
    fwd_id_t              ids[2 * FWD_FALLBACK_CHUNK];
} fwd_move_t;


static int fwd_fallback_wanted(fwd_dest_t *dest);
static void fwd_fallback_begin(fwd_dest_t *dest);
static void fwd_fallback_end(fwd_dest_t *dest);
static void fwd_fallback_queue(fwd_dest_t *dest, fwd_queue_t *queue,
    fwd_queue_t *other);
static void fwd_fallback_list(fwd_move_t *move);
static void fwd_fallback_retries_reply(void *data, redisReply *reply);
static void fwd_fallback_pointers_reply(void *data, redisReply *reply);
static void fwd_fallback_choose(fwd_move_t *move);
static int fwd_fallback_by_id(const void *a, const void *b);
static fwd_rc_t fwd_fallback_send(fwd_move_t *move);
static void fwd_fallback_reply(void *data, redisReply *reply);
static void fwd_fallback_done(fwd_move_t *move, uint64_t pause_ms);


fwd_rc_t
fwd_fallback_init(fwd_dest_t *dest, fwd_error_t *err)
{
    size_t               i;
    const char          *name;
    const fwd_config_t  *conf;

    name = dest->conf->policy.fallback;

    if (name == NULL) {
        return FWD_OK;
    }

    conf = dest->engine->conf;

    for (i = 0; i < conf->dests_count; i++) {

        if (strcmp(conf->dests[i].name, name) == 0
            && &conf->dests[i] != dest->conf)
        {
            dest->fallback = &dest->engine->dests[i];
            return FWD_OK;
        }
    }

    return fwd_error(err, "the fallback of destination \"%s\" is \"%s\", "
                     "which is no other destination", dest->conf->name, name);
}


void
fwd_fallback_run(fwd_dest_t *dest)
{
    uint32_t       i;
    fwd_queue_t   *queue, *other;
    fwd_shard_t   *shard;
    fwd_engine_t  *engine;

    if (dest->fallback == NULL) {
        return;
    }

    if (!fwd_fallback_wanted(dest)) {
        fwd_fallback_end(dest);
        return;
    }

    fwd_fallback_begin(dest);

    engine = dest->engine;

    for (i = 0; i < engine->shards_count; i++) {
        shard = &engine->shards[i];

        if (fwd_shard_owned(shard)) {
            queue = &shard->queues[dest->index];
            other = &shard->queues[dest->fallback->index];

            fwd_fallback_queue(dest, queue->lane, other);
            fwd_fallback_queue(dest, queue, other);
        }
    }
}


/* Down for long, and not in a moment where it may try again. */

static int
fwd_fallback_wanted(fwd_dest_t *dest)
{
    uint64_t  since, now, wait;

    since = fwd_gate_open_since_ms(dest);
    now = fwd_core_now_ms(dest->engine->core);
    wait = UINT64_MAX;

    return since != 0 && now >= since
           && now - since >= dest->conf->policy.fallback_after_ms
           && dest->inflight_count == 0
           && !fwd_gate_open(dest, &wait);
}


static void
fwd_fallback_begin(fwd_dest_t *dest)
{
    uint64_t      since;
    fwd_batch_t  *batch;

    since = fwd_gate_open_since_ms(dest);

    if (dest->diverted_ms != since) {
        dest->diverted_ms = since;

        fwd_log(dest->engine->core->log, FWD_LOG_WARN,
                "destination is down, its events go to the fallback",
                fwd_kv_text("destination", dest->conf->name),
                fwd_kv_text("fallback", dest->fallback->conf->name));
    }

    dest->diverting = 1;

    /* halves, and what was put off: their events wait like any other */

    while (!fwd_list_empty(&dest->again)) {
        batch = fwd_list_data(dest->again.next, fwd_batch_t, link);
        fwd_list_remove(&batch->link);
        fwd_batch_forget(batch);
    }
}


static void
fwd_fallback_end(fwd_dest_t *dest)
{
    uint32_t       i;
    fwd_queue_t   *queue;
    fwd_engine_t  *engine;

    if (!dest->diverting) {
        return;
    }

    engine = dest->engine;
    dest->diverting = 0;
    dest->due_ms = 0;

    for (i = 0; i < engine->shards_count; i++) {
        queue = &engine->shards[i].queues[dest->index];

        fwd_queue_rewind(queue->lane);
        fwd_queue_rewind(queue);
        queue->due_ms = 0;
    }
}


static void
fwd_fallback_queue(fwd_dest_t *dest, fwd_queue_t *queue, fwd_queue_t *other)
{
    fwd_move_t  *move;

    if (queue->moving || queue->load != NULL || queue->retry_load != NULL
        || fwd_core_now_ms(dest->engine->core) < queue->move_ms)
    {
        return;
    }

    move = malloc(sizeof(fwd_move_t));
    if (move == NULL) {
        return;
    }

    move->queue = queue;
    move->other = other;
    move->count = 0;
    move->failed = 0;

    fwd_queue_unload(queue);
    queue->moving = 1;

    fwd_fallback_list(move);
}


/* The last of the two replies goes on. */

static void
fwd_fallback_list(fwd_move_t *move)
{
    fwd_args_t   *args;
    fwd_queue_t  *queue;

    queue = move->queue;
    args = &queue->shard->engine->args;

    if (!queue->high) {
        fwd_args_reset(args);
        fwd_args_text(args, "ZRANGE");
        fwd_args_add(args, queue->retry.data, queue->retry.len);
        fwd_args_text(args, "0");
        fwd_args_number(args, FWD_FALLBACK_CHUNK - 1);

        if (fwd_args_send(args, queue->shard->redis,
                          fwd_fallback_retries_reply, move, 0)
            != FWD_OK)
        {
            fwd_fallback_done(move, FWD_FALLBACK_PAUSE_MS);
            return;
        }
    }

    fwd_args_reset(args);
    fwd_args_text(args, "XRANGE");
    fwd_args_add(args, queue->q.data, queue->q.len);
    fwd_args_text(args, "-");
    fwd_args_text(args, "+");
    fwd_args_text(args, "COUNT");
    fwd_args_number(args, FWD_FALLBACK_CHUNK);

    if (fwd_args_send(args, queue->shard->redis, fwd_fallback_pointers_reply,
                      move, 0)
        == FWD_OK)
    {
        return;
    }

    if (queue->high) {
        fwd_fallback_done(move, FWD_FALLBACK_PAUSE_MS);
        return;
    }

    move->failed = 1;                    /* the first reply ends it */
    move->count = UINT32_MAX;
}


static void
fwd_fallback_retries_reply(void *data, redisReply *reply)
{
    size_t             i;
    fwd_move_t        *move = data;
    const redisReply  *id;

    if (move->count == UINT32_MAX) {
        fwd_fallback_done(move, FWD_FALLBACK_PAUSE_MS);
        return;
    }

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        move->failed = 1;
        return;
    }

    for (i = 0; i < reply->elements && i < FWD_FALLBACK_CHUNK; i++) {
        id = reply->element[i];

        if (id->type == REDIS_REPLY_STRING
            && fwd_id_parse(&move->ids[move->count], id->str,
                            (size_t) id->len)
               == FWD_OK)
        {
            move->count++;
        }
    }
}


static void
fwd_fallback_pointers_reply(void *data, redisReply *reply)
{
    size_t       i;
    fwd_move_t  *move = data;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || move->failed) {

        if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
            fwd_shard_error(move->queue->shard, "move", reply);
        }

        fwd_fallback_done(move, FWD_FALLBACK_PAUSE_MS);
        return;
    }

    for (i = 0; i < reply->elements && i < FWD_FALLBACK_CHUNK; i++) {

        if (fwd_event_id(reply->element[i], &move->ids[move->count])
            == FWD_OK)
        {
            move->count++;
        }
    }

    fwd_fallback_choose(move);

    if (move->count == 0 || !move->queue->dest->diverting
        || fwd_fallback_send(move) != FWD_OK)
    {
        fwd_fallback_done(move, FWD_FALLBACK_PAUSE_MS);
    }
}


/* The oldest ones that are not under way, each once. */

static void
fwd_fallback_choose(fwd_move_t *move)
{
    uint32_t  i, n;

    qsort(move->ids, move->count, sizeof(fwd_id_t), fwd_fallback_by_id);

    n = 0;

    for (i = 0; i < move->count && n < FWD_FALLBACK_CHUNK; i++) {

        if ((n != 0 && fwd_id_compare(move->ids[n - 1], move->ids[i]) == 0)
            || fwd_idmap_get(&move->queue->items, move->ids[i]) != NULL)
        {
            continue;
        }

        move->ids[n++] = move->ids[i];
    }

    move->count = n;
}


static int
fwd_fallback_by_id(const void *a, const void *b)
{
    const fwd_id_t  *one = a, *two = b;

    return fwd_id_compare(*one, *two);
}


static fwd_rc_t
fwd_fallback_send(fwd_move_t *move)
{
    char          *high;
    size_t         len;
    fwd_rc_t       rc;
    uint32_t       i;
    fwd_args_t    *args;
    fwd_queue_t   *queue, *other;
    fwd_shard_t   *shard;

    queue = move->queue;
    other = move->other;
    shard = queue->shard;
    args = &shard->engine->args;

    len = other->q.len + sizeof(":hi") - 1;
    high = malloc(len + 1);

    if (high == NULL || !fwd_shard_owned(shard)) {
        free(high);
        return FWD_AGAIN;
    }

    (void) snprintf(high, len + 1, "%.*s:hi", (int) other->q.len,
                    other->q.data);

    fwd_args_script(args, FWD_SCRIPT_MOVE, FWD_FALLBACK_KEYS);
    fwd_args_add(args, shard->owner.data, shard->owner.len);
    fwd_args_add(args, shard->ledger.data, shard->ledger.len);
    fwd_args_add(args, queue->q.data, queue->q.len);
    fwd_args_add(args, queue->retry.data, queue->retry.len);
    fwd_args_add(args, queue->try.data, queue->try.len);
    fwd_args_add(args, shard->in.data, shard->in.len);
    fwd_args_add(args, other->q.data, other->q.len);
    fwd_args_add(args, high, len);
    fwd_args_add(args, other->retry.data, other->retry.len);
    fwd_args_number(args, shard->epoch);
    fwd_args_text(args, queue->dest->conf->name);
    fwd_args_text(args, other->dest->conf->name);
    fwd_args_number(args, fwd_steady_ms());

    for (i = 0; i < move->count; i++) {
        fwd_queue_retry_adding(other, move->ids[i]);
        fwd_args_id(args, move->ids[i]);
    }

    fwd_fail(shard->engine->core, FWD_FAIL_BEFORE_MOVE);

    rc = fwd_args_send(args, shard->redis, fwd_fallback_reply, move, 0);

    free(high);

    return rc;
}


/* A lost reply needs no care: what is still there is asked for again. */

static void
fwd_fallback_reply(void *data, redisReply *reply)
{
    fwd_rc_t      rc;
    uint64_t      now;
    fwd_move_t   *move = data;
    fwd_shard_t  *shard;

    shard = move->queue->shard;

    rc = fwd_script_result(shard->redis, reply);

    if (rc == FWD_FENCED) {
        fwd_shard_fenced(shard);

    } else if (rc == FWD_ERROR) {
        fwd_shard_error(shard, "move", reply);
    }

    if (rc != FWD_OK) {
        fwd_fallback_done(move, FWD_FALLBACK_PAUSE_MS);
        return;
    }

    fwd_fail(shard->engine->core, FWD_FAIL_AFTER_MOVE);

    now = fwd_steady_ms();
    shard->dirty = 1;

    if (now < move->other->due_ms) {
        move->other->due_ms = now;
    }

    fwd_dest_due(move->other->dest, now);
    fwd_fallback_done(move, 0);
}


static void
fwd_fallback_done(fwd_move_t *move, uint64_t pause_ms)
{
    fwd_queue_t  *queue;

    queue = move->queue;

    queue->moving = 0;
    queue->move_ms = fwd_core_now_ms(queue->shard->engine->core) + pause_ms;

    fwd_dest_wake(queue->dest);
    free(move);
}
