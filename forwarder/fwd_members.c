
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The spreading of shards over loops.
 *
 * Nobody decides for all: leases alone say who may work on a shard, and the
 * list of loops only how many each should try to get.  So a wrong or late
 * list costs evenness for a moment, and nothing else.
 *
 * Each loop begins at a place of its own in the ring of shards, so that
 * loops that start together do not ask for the same ones.
 */


#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "../martech/martech_shard.h"

#include "fwd_members.h"
#include "fwd_shard.h"


#define FWD_MEMBERS_BEAT_MS    500
#define FWD_MEMBERS_LOG_MS     30000
#define FWD_MEMBERS_SETTLE_MS  10000     /* patience with what is under way */
#define FWD_MEMBERS_GRACE_MS   3000      /* connect and wait, fwd_redis.c */

#define FWD_MEMBERS_ALONE_MS   1000      /* reads: nobody waits for us, */
#define FWD_MEMBERS_SHARED_MS  250       /* somebody may, */
#define FWD_MEMBERS_MOVING_MS  50        /* and does */


static void fwd_members_beat(fwd_engine_t *engine);
static void fwd_members_reply(void *data, redisReply *reply);
static void fwd_members_list(fwd_engine_t *engine, const redisReply *reply);
static void fwd_members_set(fwd_engine_t *engine, uint32_t count,
    uint32_t rank);
static uint32_t fwd_members_start(const fwd_engine_t *engine);
static uint32_t fwd_members_taken(const fwd_engine_t *engine);
static void fwd_members_look(void *data);
static void fwd_members_claim(fwd_engine_t *engine);
static void fwd_members_give(fwd_engine_t *engine);
static uint64_t fwd_members_settle_ms(const fwd_engine_t *engine);


fwd_rc_t
fwd_members_init(fwd_engine_t *engine)
{
    char            tag[MARTECH_TAG_LEN_MAX];
    fwd_members_t  *m;
    martech_str_t   prefix;

    m = &engine->members;

    prefix.data = (const unsigned char *) engine->conf->prefix;
    prefix.len = strlen(engine->conf->prefix);

    (void) martech_shard_tag(tag, prefix, 0);

    if (asprintf(&m->key, "%s:loops", tag) < 0) {
        m->key = NULL;
        return FWD_ERROR;
    }

    m->key_len = strlen(m->key);
    m->start_ms = fwd_core_now_ms(engine->core);
    fwd_post_init(&m->look, fwd_members_look, engine);

    return FWD_OK;
}


void
fwd_members_cleanup(fwd_engine_t *engine)
{
    if (engine->members.key != NULL) {
        fwd_post_cancel(&engine->members.look);
        free(engine->members.key);
        engine->members.key = NULL;
    }
}


uint32_t
fwd_members_share(uint32_t shards, uint32_t count, uint32_t rank)
{
    return shards / count + (rank < shards % count);
}


void
fwd_members_up(fwd_engine_t *engine)
{
    uint64_t        now;
    fwd_members_t  *m;

    m = &engine->members;
    now = fwd_core_now_ms(engine->core);

    if (m->known && now >= m->grace_ms) {
        m->grace_ms = now + FWD_MEMBERS_GRACE_MS;
        m->quota_kept = m->quota;
    }

    m->beat_ms = 0;
    fwd_members_tick(engine);
}


void
fwd_members_tick(fwd_engine_t *engine)
{
    uint64_t        now;
    fwd_members_t  *m;

    m = &engine->members;
    now = fwd_core_now_ms(engine->core);

    if (now >= m->beat_ms && !m->beating && !m->left) {
        fwd_members_beat(engine);
    }

    if (!m->known && now - m->start_ms >= engine->conf->lease_ms) {

        /* the place of the list is away, the shards may be elsewhere */

        fwd_members_set(engine, 1, 0);
    }

    m->cursor = 0;
    fwd_members_look(engine);
}


void
fwd_members_wake(fwd_engine_t *engine)
{
    if (!engine->stopping) {
        fwd_post(engine->core, &engine->members.look);
    }
}


void
fwd_members_leave(fwd_engine_t *engine)
{
    fwd_members_t  *m;

    m = &engine->members;

    if (m->left) {
        return;
    }

    m->left = 1;
    m->beating = 0;

    fwd_members_beat(engine);
}


int
fwd_members_gone(const fwd_engine_t *engine)
{
    return engine->members.left && !engine->members.beating;
}


uint64_t
fwd_members_patience(const fwd_engine_t *engine)
{
    if (engine->members.unsettled) {
        return FWD_MEMBERS_MOVING_MS;
    }

    return engine->members.count > 1 ? FWD_MEMBERS_SHARED_MS
                                     : FWD_MEMBERS_ALONE_MS;
}


static void
fwd_members_beat(fwd_engine_t *engine)
{
    fwd_args_t     *args;
    fwd_members_t  *m;

    m = &engine->members;
    args = &engine->args;

    fwd_args_script(args, FWD_SCRIPT_BEAT, 1);
    fwd_args_add(args, m->key, m->key_len);
    fwd_args_text(args, engine->conf->owner);
    fwd_args_number(args, m->left ? 0 : engine->conf->lease_ms);

    if (fwd_args_send(args, engine->shards[0].redis, fwd_members_reply,
                      engine, 0)
        != FWD_OK)
    {
        return;                          /* the next tick */
    }

    m->beating = 1;
    m->beat_ms = fwd_core_now_ms(engine->core) + FWD_MEMBERS_BEAT_MS;
}


static void
fwd_members_reply(void *data, redisReply *reply)
{
    fwd_rc_t        rc;
    uint32_t        suppressed;
    fwd_engine_t   *engine = data;
    fwd_members_t  *m;

    m = &engine->members;
    m->beating = 0;

    rc = fwd_script_result(engine->shards[0].redis, reply);

    if (m->left) {
        fwd_engine_wake(engine);
        return;
    }

    if (rc == FWD_OK && reply->type == REDIS_REPLY_ARRAY) {
        fwd_members_list(engine, reply);
        return;
    }

    if (rc != FWD_ERROR) {

        if (reply != NULL) {
            m->beat_ms = 0;              /* the script is there now */
        }

        return;
    }

    if (!fwd_redis_is_elsewhere(reply)
        && fwd_log_pass(&m->limit, fwd_core_now_ms(engine->core),
                        FWD_MEMBERS_LOG_MS, &suppressed))
    {
        fwd_log(engine->core->log, FWD_LOG_ERROR,
                "cannot take part in the list of loops",
                fwd_kv_text("reason", reply->type == REDIS_REPLY_ERROR
                                      ? reply->str : "unexpected reply"),
                fwd_kv_int("suppressed", suppressed));
    }
}


static void
fwd_members_list(fwd_engine_t *engine, const redisReply *reply)
{
    size_t    i;
    uint32_t  rank;

    rank = 0;

    for (i = 0; i < reply->elements; i++) {

        if (reply->element[i]->type == REDIS_REPLY_STRING
            && strcmp(reply->element[i]->str, engine->conf->owner) < 0)
        {
            rank++;
        }
    }

    if (reply->elements != 0) {
        fwd_members_set(engine, (uint32_t) reply->elements, rank);
    }
}


static void
fwd_members_set(fwd_engine_t *engine, uint32_t count, uint32_t rank)
{
    uint32_t        quota;
    fwd_members_t  *m;

    m = &engine->members;
    quota = fwd_members_share(engine->shards_count, count, rank);

    if (!m->known || m->count != count || m->quota != quota) {
        fwd_log(engine->core->log, FWD_LOG_INFO, "loops changed",
                fwd_kv_int("loops", count),
                fwd_kv_int("rank", rank),
                fwd_kv_int("share", quota));
    }

    m->quota_before = m->known ? m->quota : quota;
    m->quota = quota;
    m->count = count;
    m->rank = rank;
    m->known = 1;

    fwd_members_wake(engine);
}


/* Where our part of the ring of shards begins. */

static uint32_t
fwd_members_start(const fwd_engine_t *engine)
{
    const fwd_members_t  *m;

    m = &engine->members;

    return (uint32_t) ((uint64_t) m->rank * engine->shards_count
                       / (m->count ? m->count : 1));
}


static uint32_t
fwd_members_taken(const fwd_engine_t *engine)
{
    uint32_t            i, taken;
    const fwd_shard_t  *shard;

    taken = 0;

    for (i = 0; i < engine->shards_count; i++) {
        shard = &engine->shards[i];
        taken += (shard->mine || shard->state == FWD_SHARD_CLAIMING);
    }

    return taken;
}


static void
fwd_members_look(void *data)
{
    fwd_engine_t  *engine = data;

    if (engine->members.known && !engine->stopping) {
        fwd_members_claim(engine);
        fwd_members_give(engine);
    }
}


/*
 * Asks for as many shards as are missing.  Each answer brings us here again,
 * so what is held by others is passed over in one sweep.
 */

static void
fwd_members_claim(fwd_engine_t *engine)
{
    uint32_t        start, taken, quota;
    uint64_t        now;
    fwd_shard_t    *shard;
    fwd_members_t  *m;

    m = &engine->members;

    if (m->cursor >= engine->shards_count) {
        return;
    }

    now = fwd_core_now_ms(engine->core);
    start = fwd_members_start(engine);
    taken = fwd_members_taken(engine);
    quota = m->quota;

    if (now < m->grace_ms && quota > m->quota_kept) {
        quota = m->quota_kept;
    }

    while (taken < quota && m->cursor < engine->shards_count) {
        shard = &engine->shards[(start + m->cursor) % engine->shards_count];
        m->cursor++;

        if (shard->state == FWD_SHARD_WAITING && !shard->mine
            && now >= shard->again_ms)
        {
            fwd_shard_claim(shard);
            taken += (shard->state == FWD_SHARD_CLAIMING);
        }
    }
}


/* The last one before our part of the ring first: parts become whole. */

static void
fwd_members_give(fwd_engine_t *engine)
{
    uint32_t        i, keep, start, taken, leaving;
    fwd_shard_t    *shard, *last;
    fwd_members_t  *m;

    m = &engine->members;
    taken = fwd_members_taken(engine);
    keep = (m->quota > m->quota_before) ? m->quota : m->quota_before;
    start = fwd_members_start(engine);

    last = NULL;
    leaving = 0;

    for (i = 0; i < engine->shards_count; i++) {
        shard = &engine->shards[(start + i) % engine->shards_count];

        if (shard->leaving) {
            leaving++;

            if (taken <= keep) {
                fwd_shard_stay(shard);   /* whom it was for is gone */
            }
        }

        if (shard->mine && !shard->leaving) {
            last = shard;
        }
    }

    m->unsettled = (taken > m->quota);

    if (leaving == 0 && taken > keep && last != NULL) {
        fwd_shard_leave(last, fwd_members_settle_ms(engine));
    }
}


static uint64_t
fwd_members_settle_ms(const fwd_engine_t *engine)
{
    return engine->conf->lease_ms < FWD_MEMBERS_SETTLE_MS
           ? engine->conf->lease_ms : FWD_MEMBERS_SETTLE_MS;
}
