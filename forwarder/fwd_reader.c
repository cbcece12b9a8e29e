
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The reader.
 *
 * What is read is in the consumer's pending list from then on.  So whenever
 * entries cannot be used (a lost reply, a shard that has changed hands or has
 * started anew in the meantime) the shard reads its pending list again.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_reader.h"
#include "fwd_shard.h"


#define FWD_READER_COUNT     256         /* entries of a shard and read */
#define FWD_READER_TOTAL     4096        /* of all shards that are asked */
#define FWD_READER_SHORT_MS  100         /* wait when one may join soon */
#define FWD_READER_GRACE_MS  3000        /* the reply may be late */
#define FWD_READER_PAUSE_MS  100         /* after an error */


struct fwd_reader_s {
    fwd_engine_t         *engine;
    fwd_shard_t          *shards;        /* of the engine, neighbours */
    uint32_t              shards_count;
    fwd_redis_t          *redis;
    fwd_post_t            read;
    uv_timer_t            timer;         /* pause after an error */
    uint32_t             *asked;         /* shards of the read on its way */
    uint32_t             *generations;   /* of these shards then */
    uint32_t              asked_count;
    fwd_log_limit_t       limit;
    unsigned              reading:1;
    unsigned              pausing:1;
    unsigned              stopped:1;
};


static void fwd_reader_up(void *data);
static void fwd_reader_down(void *data);
static void fwd_reader_read(void *data);
static void fwd_reader_reply(void *data, redisReply *reply);
static void fwd_reader_failed(fwd_reader_t *reader, const redisReply *reply);
static void fwd_reader_stream(fwd_reader_t *reader, const redisReply *stream);
static void fwd_reader_resync(fwd_reader_t *reader, const char *reason);
static void fwd_reader_pause(fwd_reader_t *reader);
static void fwd_reader_timer(uv_timer_t *timer);
static void fwd_reader_closed(uv_handle_t *handle);


fwd_reader_t *
fwd_reader_create(fwd_engine_t *engine, fwd_shard_t *shards, uint32_t count,
    const fwd_node_t *node)
{
    fwd_reader_t         *reader;
    fwd_redis_handler_t   handler;

    reader = calloc(1, sizeof(fwd_reader_t));
    if (reader == NULL) {
        return NULL;
    }

    reader->engine = engine;
    reader->shards = shards;
    reader->shards_count = count;
    fwd_post_init(&reader->read, fwd_reader_read, reader);

    if (uv_timer_init(engine->core->loop, &reader->timer) != 0) {
        free(reader);
        return NULL;
    }

    reader->timer.data = reader;

    reader->asked = calloc(count, sizeof(uint32_t));
    reader->generations = calloc(count, sizeof(uint32_t));

    handler.up = fwd_reader_up;
    handler.down = fwd_reader_down;
    handler.data = reader;

    if (reader->asked != NULL && reader->generations != NULL) {
        reader->redis = (node == NULL)
                        ? fwd_redis_create(engine->core, &engine->conf->redis,
                                           "reader", NULL, &handler)
                        : fwd_node_connect(node, "reader", &handler);
    }

    if (reader->redis == NULL) {
        fwd_reader_destroy(reader);
        return NULL;
    }

    return reader;
}


void
fwd_reader_destroy(fwd_reader_t *reader)
{
    if (reader == NULL) {
        return;
    }

    reader->stopped = 1;
    fwd_post_cancel(&reader->read);
    fwd_redis_destroy(reader->redis);
    uv_close((uv_handle_t *) &reader->timer, fwd_reader_closed);
}


static void
fwd_reader_closed(uv_handle_t *handle)
{
    fwd_reader_t  *reader;

    reader = handle->data;

    free(reader->asked);
    free(reader->generations);
    free(reader);
}


void
fwd_reader_wake(fwd_reader_t *reader)
{
    if (reader != NULL && !reader->reading && !reader->pausing
        && !reader->stopped)
    {
        fwd_post(reader->engine->core, &reader->read);
    }
}


void
fwd_reader_begin(fwd_shard_t *shard)
{
    fwd_engine_t      *engine;
    const fwd_node_t  *node;

    engine = shard->engine;

    if (engine->topology == NULL) {
        fwd_reader_wake(engine->reader);
        return;
    }

    if (shard->reader == NULL && fwd_shard_readable(shard)
        && !engine->stopping)
    {
        node = fwd_topology_node(engine->topology, shard->index);

        if (node != NULL) {
            shard->reader = fwd_reader_create(engine, shard, 1, node);
        }

        return;                          /* it reads when it is connected */
    }

    fwd_reader_wake(shard->reader);
}


void
fwd_reader_end(fwd_shard_t *shard)
{
    fwd_reader_destroy(shard->reader);
    shard->reader = NULL;
}


int
fwd_reader_reads(const fwd_shard_t *shard)
{
    uint32_t             i;
    const fwd_reader_t  *reader;

    reader = shard->reader ? shard->reader : shard->engine->reader;

    if (reader == NULL || !reader->reading) {
        return 0;
    }

    for (i = 0; i < reader->asked_count; i++) {
        if (&reader->shards[reader->asked[i]] == shard) {
            return 1;
        }
    }

    return 0;
}


static void
fwd_reader_up(void *data)
{
    fwd_reader_wake(data);
}


static void
fwd_reader_down(void *data)
{
    (void) data;                         /* the reply of NULL does it */
}


/* Entries to ask of each shard, so that all replies together stay bounded. */

static uint32_t
fwd_reader_count(uint32_t shards)
{
    uint32_t  count;

    count = FWD_READER_TOTAL / shards;

    if (count > FWD_READER_COUNT) {
        return FWD_READER_COUNT;
    }

    return count ? count : 1;
}


static void
fwd_reader_read(void *data)
{
    uint32_t       i, ready, mine;
    uint64_t       block_ms;
    fwd_args_t    *args;
    fwd_shard_t   *shard;
    fwd_reader_t  *reader = data;
    fwd_engine_t  *engine;

    engine = reader->engine;

    if (reader->reading || reader->stopped || reader->pausing
        || !fwd_redis_is_up(reader->redis))
    {
        return;
    }

    ready = 0;
    mine = 0;

    for (i = 0; i < reader->shards_count; i++) {
        shard = &reader->shards[i];
        mine += shard->mine;

        if (fwd_shard_readable(shard)) {
            reader->asked[ready] = i;
            reader->generations[ready] = shard->generation;
            ready++;
        }
    }

    if (ready == 0) {
        return;                          /* a shard that is ready wakes us */
    }

    block_ms = fwd_members_patience(engine);

    if (ready != mine && block_ms > FWD_READER_SHORT_MS) {
        block_ms = FWD_READER_SHORT_MS;
    }

    args = &engine->args;

    fwd_args_reset(args);
    fwd_args_text(args, "XREADGROUP");
    fwd_args_text(args, "GROUP");
    fwd_args_text(args, FWD_GROUP);
    fwd_args_text(args, engine->conf->owner);
    fwd_args_text(args, "COUNT");
    fwd_args_number(args, fwd_reader_count(ready));
    fwd_args_text(args, "BLOCK");
    fwd_args_number(args, block_ms);
    fwd_args_text(args, "STREAMS");

    for (i = 0; i < ready; i++) {
        shard = &reader->shards[reader->asked[i]];
        fwd_args_add(args, shard->in.data, shard->in.len);
    }

    for (i = 0; i < ready; i++) {
        fwd_args_text(args, ">");
    }

    reader->asked_count = ready;
    reader->reading = (fwd_args_send(args, reader->redis, fwd_reader_reply,
                                     reader, block_ms + FWD_READER_GRACE_MS)
                       == FWD_OK);
}


static void
fwd_reader_reply(void *data, redisReply *reply)
{
    size_t         i;
    fwd_reader_t  *reader = data;

    reader->reading = 0;

    if (reader->stopped) {
        return;                          /* pending for the next owner */
    }

    if (reply == NULL) {

        /* it may have been carried out: entries are pending, unseen */

        fwd_reader_resync(reader, "the reading connection was lost");
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        fwd_reader_failed(reader, reply);
        return;
    }

    if (reply->type == REDIS_REPLY_ARRAY) {

        for (i = 0; i < reply->elements; i++) {
            fwd_reader_stream(reader, reply->element[i]);
        }

        if (reply->elements != 0) {
            fwd_fail(reader->engine->core, FWD_FAIL_AFTER_READ);
        }
    }

    for (i = 0; i < reader->asked_count; i++) {
        fwd_shard_settle(&reader->shards[reader->asked[i]]);
    }

    fwd_reader_wake(reader);
}


static void
fwd_reader_failed(fwd_reader_t *reader, const redisReply *reply)
{
    uint64_t  now;
    uint32_t  suppressed;

    now = fwd_core_now_ms(reader->engine->core);

    if (!fwd_redis_is_elsewhere(reply)
        && fwd_log_pass(&reader->limit, now, 30000, &suppressed))
    {
        fwd_log(reader->engine->core->log, FWD_LOG_WARN,
                "reading new entries failed",
                fwd_kv_text("reason", reply->str),
                fwd_kv_int("suppressed", suppressed));
    }

    if (fwd_redis_is_away(reply) && !fwd_redis_is_elsewhere(reply)) {
        return;                          /* it is being made anew */
    }

    /* NOGROUP, or a key of a wrong type: recovering makes or names it */

    fwd_reader_resync(reader, "new entries could not be read");
    fwd_reader_pause(reader);
}


static void
fwd_reader_stream(fwd_reader_t *reader, const redisReply *stream)
{
    size_t             i;
    uint32_t           n;
    fwd_event_t       *ev;
    fwd_shard_t       *shard;
    const redisReply  *key, *entries;

    if (stream->type != REDIS_REPLY_ARRAY || stream->elements != 2
        || stream->element[0]->type != REDIS_REPLY_STRING
        || stream->element[1]->type != REDIS_REPLY_ARRAY)
    {
        return;
    }

    key = stream->element[0];
    entries = stream->element[1];
    shard = NULL;

    for (n = 0; n < reader->asked_count; n++) {
        shard = &reader->shards[reader->asked[n]];

        if (shard->in.len == (size_t) key->len
            && memcmp(shard->in.data, key->str, shard->in.len) == 0)
        {
            break;
        }
    }

    if (shard == NULL || n == reader->asked_count) {
        return;
    }

    if (shard->generation != reader->generations[n]
        || shard->state != FWD_SHARD_ACTIVE)
    {
        fwd_shard_resync(shard, "entries were read in vain");
        return;
    }

    for (i = 0; i < entries->elements; i++) {
        ev = fwd_event_read(&reader->engine->tape, &shard->events,
                            entries->element[i]);

        if (ev == NULL) {
            fwd_shard_resync(shard, "an entry could not be taken");
            return;
        }

        fwd_shard_add(shard, ev);
    }
}


static void
fwd_reader_resync(fwd_reader_t *reader, const char *reason)
{
    uint32_t      i;
    fwd_shard_t  *shard;

    for (i = 0; i < reader->asked_count; i++) {
        shard = &reader->shards[reader->asked[i]];

        if (shard->generation == reader->generations[i]) {
            fwd_shard_resync(shard, reason);
        }
    }
}


static void
fwd_reader_pause(fwd_reader_t *reader)
{
    reader->pausing = 1;
    (void) uv_timer_start(&reader->timer, fwd_reader_timer,
                          FWD_READER_PAUSE_MS, 0);
}


static void
fwd_reader_timer(uv_timer_t *timer)
{
    fwd_reader_t  *reader;

    reader = timer->data;
    reader->pausing = 0;

    fwd_reader_wake(reader);
}
