
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Depths.  The last answer of each shard is kept; what is told is the sum
 * over the shards that are ours at that moment.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_depth.h"
#include "fwd_shard.h"


#define FWD_DEPTH_TICKS  20              /* a round over all shards: 2 s */
#define FWD_DEPTH_FIELDS  5              /* of a destination in an answer */
#define FWD_DEPTH_FIRST   2              /* before these: the quarantine */


/* Of one destination in one shard. */
typedef struct {
    uint64_t              depth;
    uint64_t              retry;
    uint64_t              oldest_ms;     /* 0: nothing waits */
} fwd_depth_slot_t;


typedef struct {
    fwd_depth_t          *depth;
    fwd_shard_t          *shard;
    fwd_depth_slot_t     *slots;         /* of each destination */
    fwd_depth_slot_t      quarantine;
    char                 *names;         /* memory of hi */
    fwd_key_t            *hi;            /* key of each high lane */
    unsigned              asked:1;       /* the answer is still to come */
} fwd_depth_shard_t;


struct fwd_depth_s {
    fwd_engine_t         *engine;
    fwd_depth_shard_t    *shards;
    uint32_t              tick;          /* of the round */
};


static fwd_rc_t fwd_depth_init(fwd_depth_shard_t *ds, fwd_depth_t *depth,
    fwd_shard_t *shard);
static void fwd_depth_ask(fwd_depth_shard_t *ds);
static void fwd_depth_reply(void *data, redisReply *reply);
static void fwd_depth_read(fwd_depth_slot_t *slot, const fwd_queue_t *queue,
    redisReply *const *fields);
static void fwd_depth_oldest(fwd_depth_slot_t *slot, uint64_t ms);
static void fwd_depth_first(fwd_depth_slot_t *slot, const redisReply *field);
static void fwd_depth_sum(fwd_depth_t *depth);
static void fwd_depth_sum_quarantine(fwd_depth_t *depth);


fwd_depth_t *
fwd_depth_create(fwd_engine_t *engine)
{
    uint32_t      i;
    fwd_depth_t  *depth;

    depth = calloc(1, sizeof(fwd_depth_t));
    if (depth == NULL) {
        return NULL;
    }

    depth->engine = engine;

    depth->shards = calloc(engine->shards_count, sizeof(fwd_depth_shard_t));
    if (depth->shards == NULL) {
        fwd_depth_free(depth);
        return NULL;
    }

    for (i = 0; i < engine->shards_count; i++) {
        if (fwd_depth_init(&depth->shards[i], depth, &engine->shards[i])
            != FWD_OK)
        {
            fwd_depth_free(depth);
            return NULL;
        }
    }

    return depth;
}


static fwd_rc_t
fwd_depth_init(fwd_depth_shard_t *ds, fwd_depth_t *depth, fwd_shard_t *shard)
{
    char       *p;
    size_t      size;
    uint32_t    i, count;
    fwd_key_t  *q;

    count = depth->engine->dests_count;
    size = 0;

    for (i = 0; i < count; i++) {
        size += shard->queues[i].q.len + sizeof(":hi");
    }

    ds->depth = depth;
    ds->shard = shard;
    ds->slots = calloc(count, sizeof(fwd_depth_slot_t));
    ds->hi = calloc(count, sizeof(fwd_key_t));
    ds->names = malloc(size);

    if (ds->slots == NULL || ds->hi == NULL || ds->names == NULL) {
        return FWD_ERROR;
    }

    p = ds->names;

    for (i = 0; i < count; i++) {
        q = &shard->queues[i].q;

        memcpy(p, q->data, q->len);
        memcpy(p + q->len, ":hi", sizeof(":hi"));

        ds->hi[i].data = p;
        ds->hi[i].len = q->len + 3;
        p += q->len + sizeof(":hi");
    }

    return FWD_OK;
}


void
fwd_depth_free(fwd_depth_t *depth)
{
    uint32_t  i;

    if (depth == NULL) {
        return;
    }

    for (i = 0; depth->shards != NULL && i < depth->engine->shards_count;
         i++)
    {
        free(depth->shards[i].slots);
        free(depth->shards[i].hi);
        free(depth->shards[i].names);
    }

    free(depth->shards);
    free(depth);
}


/* Shard n is asked in tick n modulo 20 of the round. */

void
fwd_depth_tick(fwd_depth_t *depth)
{
    uint32_t  i;

    for (i = depth->tick; i < depth->engine->shards_count;
         i += FWD_DEPTH_TICKS)
    {
        fwd_depth_ask(&depth->shards[i]);
    }

    depth->tick = (depth->tick + 1) % FWD_DEPTH_TICKS;

    /* answers of the last round are there; a new owner is told soon */

    if (depth->tick % 5 == 0) {
        fwd_depth_sum(depth);
        fwd_depth_sum_quarantine(depth);
    }
}


static void
fwd_depth_ask(fwd_depth_shard_t *ds)
{
    uint32_t      i, count;
    fwd_args_t   *args;
    fwd_queue_t  *queue;

    if (ds->asked || !fwd_shard_owned(ds->shard)) {
        return;
    }

    count = ds->depth->engine->dests_count;
    args = &ds->depth->engine->args;

    fwd_args_script(args, FWD_SCRIPT_DEPTH, 1 + 3 * count);
    fwd_args_add(args, ds->shard->quarantine.data,
                 ds->shard->quarantine.len);

    for (i = 0; i < count; i++) {
        queue = &ds->shard->queues[i];

        fwd_args_add(args, queue->q.data, queue->q.len);
        fwd_args_add(args, ds->hi[i].data, ds->hi[i].len);
        fwd_args_add(args, queue->retry.data, queue->retry.len);
    }

    ds->asked = (fwd_args_send(args, ds->shard->redis, fwd_depth_reply, ds,
                               0)
                 == FWD_OK);
}


static void
fwd_depth_reply(void *data, redisReply *reply)
{
    uint32_t            i, count;
    fwd_rc_t            rc;
    fwd_depth_shard_t  *ds = data;

    ds->asked = 0;

    rc = fwd_script_result(ds->shard->redis, reply);

    if (rc == FWD_ERROR) {
        fwd_shard_error(ds->shard, "depth", reply);
        return;
    }

    count = ds->depth->engine->dests_count;

    if (rc != FWD_OK || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != FWD_DEPTH_FIRST + count * FWD_DEPTH_FIELDS)
    {
        return;                          /* in the next round */
    }

    ds->quarantine.depth = (uint64_t) reply->element[0]->integer;
    ds->quarantine.oldest_ms = 0;
    fwd_depth_first(&ds->quarantine, reply->element[1]);

    for (i = 0; i < count; i++) {
        fwd_depth_read(&ds->slots[i], &ds->shard->queues[i],
                       reply->element + FWD_DEPTH_FIRST
                       + i * FWD_DEPTH_FIELDS);
    }
}


static void
fwd_depth_read(fwd_depth_slot_t *slot, const fwd_queue_t *queue,
    redisReply *const *fields)
{
    size_t  i;

    slot->retry = (uint64_t) fields[2]->integer;
    slot->depth = (uint64_t) (fields[0]->integer + fields[1]->integer)
                  + slot->retry;
    slot->oldest_ms = 0;

    for (i = 3; i < FWD_DEPTH_FIELDS; i++) {
        fwd_depth_first(slot, fields[i]);
    }

    /* retries are sorted by due time; trimming needs their oldest anyway */

    if (slot->retry != 0 && queue->retry_some) {
        fwd_depth_oldest(slot, queue->retry_min.ms);
    }
}


/* The first ID of a stream, or "". */

static void
fwd_depth_first(fwd_depth_slot_t *slot, const redisReply *field)
{
    fwd_id_t  id;

    if (field->type == REDIS_REPLY_STRING
        && fwd_id_parse(&id, field->str, field->len) == FWD_OK)
    {
        fwd_depth_oldest(slot, id.ms);
    }
}


static void
fwd_depth_oldest(fwd_depth_slot_t *slot, uint64_t ms)
{
    if (slot->oldest_ms == 0 || ms < slot->oldest_ms) {
        slot->oldest_ms = ms;
    }
}


static void
fwd_depth_sum(fwd_depth_t *depth)
{
    uint32_t                  i, n;
    fwd_depth_slot_t          sum;
    fwd_dest_stats_t         *stats;
    const fwd_depth_slot_t   *slot;
    const fwd_depth_shard_t  *ds;

    for (n = 0; n < depth->engine->dests_count; n++) {
        memset(&sum, 0, sizeof(fwd_depth_slot_t));

        for (i = 0; i < depth->engine->shards_count; i++) {
            ds = &depth->shards[i];

            if (!fwd_shard_owned(ds->shard)) {
                continue;
            }

            slot = &ds->slots[n];
            sum.depth += slot->depth;
            sum.retry += slot->retry;

            if (slot->oldest_ms != 0) {
                fwd_depth_oldest(&sum, slot->oldest_ms);
            }
        }

        stats = &depth->engine->stats->dests[n];
        stats->depth = sum.depth;
        stats->depth_retry = sum.retry;
        stats->oldest_ms = sum.oldest_ms;
    }
}


static void
fwd_depth_sum_quarantine(fwd_depth_t *depth)
{
    uint32_t                  i;
    fwd_depth_slot_t          sum;
    const fwd_depth_shard_t  *ds;

    memset(&sum, 0, sizeof(fwd_depth_slot_t));

    for (i = 0; i < depth->engine->shards_count; i++) {
        ds = &depth->shards[i];

        if (!fwd_shard_owned(ds->shard)) {
            continue;
        }

        sum.depth += ds->quarantine.depth;

        if (ds->quarantine.oldest_ms != 0) {
            fwd_depth_oldest(&sum, ds->quarantine.oldest_ms);
        }
    }

    depth->engine->stats->quarantine = sum.depth;
    depth->engine->stats->quarantine_ms = sum.oldest_ms;
}
