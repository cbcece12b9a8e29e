
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What was read but not routed, by us or by anybody before us.
 *
 * All pending entries of the group are made ours (the lease says that no
 * other reader has a right to them), then read in order and routed, and only
 * then are new entries read: pointers must be written in order.
 */


#include <stdio.h>
#include <string.h>

#include "fwd_reader.h"
#include "fwd_shard.h"


#define FWD_RECOVER_COUNT  1000          /* entries made ours a step */


static void fwd_recover_step(fwd_shard_t *shard);
static void fwd_recover_reply(void *data, redisReply *reply);
static void fwd_reread_reply(void *data, redisReply *reply);
static void fwd_look_reply(void *data, redisReply *reply);
static int fwd_look_unseen(fwd_shard_t *shard, const redisReply *first);
static const redisReply *fwd_reread_entries(const redisReply *reply);


void
fwd_shard_recover(fwd_shard_t *shard)
{
    (void) strcpy(shard->cursor, "0-0");
    memset(&shard->reread, 0, sizeof(shard->reread));
    shard->rereading = 0;

    fwd_recover_step(shard);
}


static void
fwd_recover_step(fwd_shard_t *shard)
{
    fwd_args_t    *args;
    fwd_engine_t  *engine;

    engine = shard->engine;
    args = &engine->args;

    fwd_args_script(args, FWD_SCRIPT_RECOVER, 4);
    fwd_args_add(args, shard->owner.data, shard->owner.len);
    fwd_args_add(args, shard->ledger.data, shard->ledger.len);
    fwd_args_add(args, shard->in.data, shard->in.len);
    fwd_args_add(args, shard->entry_dead.data, shard->entry_dead.len);
    fwd_args_number(args, shard->epoch);
    fwd_args_text(args, FWD_GROUP);
    fwd_args_text(args, engine->conf->owner);
    fwd_args_text(args, shard->cursor);
    fwd_args_number(args, FWD_RECOVER_COUNT);
    fwd_args_number(args, fwd_wall_ms());

    shard->rereading = (fwd_args_send(args, shard->redis, fwd_recover_reply,
                                      shard, 0)
                        == FWD_OK);
}


static void
fwd_recover_reply(void *data, redisReply *reply)
{
    fwd_rc_t       rc;
    fwd_log_t     *log;
    fwd_shard_t   *shard = data;

    shard->rereading = 0;
    log = shard->engine->core->log;

    rc = fwd_script_result(shard->redis, reply);

    if (rc == FWD_FENCED) {
        fwd_shard_fenced(shard);
        return;
    }

    if (shard->state != FWD_SHARD_RECOVERING) {
        return;
    }

    if (rc != FWD_OK || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != 5
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[4]->type != REDIS_REPLY_STRING)
    {
        if (reply != NULL && rc != FWD_AGAIN) {
            fwd_shard_error(shard, "recover", reply);
        }

        shard->again_ms = fwd_core_now_ms(shard->engine->core) + 250;
        return;
    }

    if (reply->element[3]->integer == 1 && shard->epoch > 1) {
        fwd_log(log, FWD_LOG_WARN,
                "consumer group was not there, made anew from the start",
                fwd_kv_int("shard", shard->index));
    }

    if (reply->element[4]->len != 0) {
        fwd_log(log, FWD_LOG_WARN, "the stream starts anew",
                fwd_kv_int("shard", shard->index),
                fwd_kv_text("ids", reply->element[4]->str));
    }

    if (reply->element[2]->integer != 0) {
        fwd_log(log, FWD_LOG_ERROR,
                "entries are gone from the stream before they were routed",
                fwd_kv_int("shard", shard->index),
                fwd_kv_int("count", reply->element[2]->integer));
    }

    if (strcmp(reply->element[0]->str, "0-0") != 0) {
        (void) snprintf(shard->cursor, sizeof(shard->cursor), "%s",
                        reply->element[0]->str);
        fwd_recover_step(shard);
        return;
    }

    fwd_shard_set(shard, FWD_SHARD_REREADING);
    fwd_shard_reread(shard);
}


/* The next pending entries, when those before are routed. */

void
fwd_shard_reread(fwd_shard_t *shard)
{
    fwd_args_t    *args;
    fwd_engine_t  *engine;

    if (shard->state != FWD_SHARD_REREADING || shard->rereading
        || shard->unrouted_count != 0 || shard->leaving)
    {
        return;
    }

    engine = shard->engine;
    args = &engine->args;

    fwd_args_reset(args);
    fwd_args_text(args, "XREADGROUP");
    fwd_args_text(args, "GROUP");
    fwd_args_text(args, FWD_GROUP);
    fwd_args_text(args, engine->conf->owner);
    fwd_args_text(args, "COUNT");
    fwd_args_number(args, FWD_ROUTE_MAX);
    fwd_args_text(args, "STREAMS");
    fwd_args_add(args, shard->in.data, shard->in.len);
    fwd_args_id(args, shard->reread);

    shard->rereading = (fwd_args_send(args, shard->redis, fwd_reread_reply,
                                      shard, 0)
                        == FWD_OK);
}


static void
fwd_reread_reply(void *data, redisReply *reply)
{
    size_t             i;
    fwd_id_t           id;
    fwd_event_t       *ev;
    fwd_shard_t       *shard = data;
    const redisReply  *entries;

    shard->rereading = 0;

    if (reply == NULL || shard->state != FWD_SHARD_REREADING) {
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        fwd_shard_error(shard, "read pending", reply);

        /* perhaps the group is gone: from the start again */
        fwd_shard_resync(shard, "pending entries could not be read");
        return;
    }

    entries = fwd_reread_entries(reply);

    if (entries == NULL || entries->elements == 0) {
        fwd_shard_set(shard, FWD_SHARD_ACTIVE);
        shard->failed_count = 0;
        fwd_reader_begin(shard);
        return;
    }

    for (i = 0; i < entries->elements; i++) {

        if (fwd_event_id(entries->element[i], &id) != FWD_OK) {
            continue;
        }

        ev = fwd_event_read(&shard->engine->tape, &shard->events,
                            entries->element[i]);

        if (ev == NULL) {
            fwd_shard_resync(shard, "out of memory");
            return;
        }

        shard->reread = id;
        fwd_shard_add(shard, ev);
    }
}


/* [[key, [entries]]], or nil */

static const redisReply *
fwd_reread_entries(const redisReply *reply)
{
    const redisReply  *stream;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1) {
        return NULL;
    }

    stream = reply->element[0];

    if (stream->type != REDIS_REPLY_ARRAY || stream->elements != 2
        || stream->element[1]->type != REDIS_REPLY_ARRAY)
    {
        return NULL;
    }

    return stream->element[1];
}


/*
 * A reader that was stopped in the middle of a read can get new entries
 * after we have collected all pending ones.  They would stand there until
 * the next entry of the shard runs into them.  So can one of our own name
 * that has died.
 */

void
fwd_shard_look(fwd_shard_t *shard)
{
    if (!shard->looking) {
        shard->looking = (fwd_redis_words(shard->redis, fwd_look_reply, shard,
                                          "XPENDING", shard->in.data,
                                          FWD_GROUP, NULL)
                          == FWD_OK);
    }
}


/* [count, first, last, [[consumer, count], ...]] */

static void
fwd_look_reply(void *data, redisReply *reply)
{
    size_t             i;
    fwd_shard_t       *shard = data;
    const redisReply  *list, *entry;

    shard->looking = 0;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != 4
        || reply->element[3]->type != REDIS_REPLY_ARRAY
        || !fwd_shard_sendable(shard))
    {
        return;
    }

    list = reply->element[3];

    for (i = 0; i < list->elements; i++) {
        entry = list->element[i];

        if (entry->type == REDIS_REPLY_ARRAY && entry->elements == 2
            && entry->element[0]->type == REDIS_REPLY_STRING
            && strcmp(entry->element[0]->str, shard->engine->conf->owner)
               != 0)
        {
            fwd_shard_resync(shard, "entries are pending with another reader");
            return;
        }
    }

    if (fwd_look_unseen(shard, reply->element[1])) {
        fwd_shard_resync(shard, "entries were read, and have not come");
    }
}


/*
 * The first pending entry is the first that is unrouted here; or its reply
 * is on its way, but not from one look to the next.
 */

static int
fwd_look_unseen(fwd_shard_t *shard, const redisReply *first)
{
    int       again;
    fwd_id_t  id;

    if (first->type != REDIS_REPLY_STRING
        || fwd_id_parse(&id, first->str, (size_t) first->len) != FWD_OK
        || (shard->unrouted_count != 0
            && fwd_id_compare(fwd_shard_unrouted(shard, 0)->id, id) <= 0))
    {
        memset(&shard->look_id, 0, sizeof(shard->look_id));
        return 0;
    }

    again = (fwd_id_compare(shard->look_id, id) == 0);
    shard->look_id = id;

    return again;
}
