
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Look-ups of steps in Redis.
 *
 * The shard of a key comes from its digest, so that all loops ask at the same
 * place; the connections of other shards are there for whoever asks.  Two
 * commands are one question: how long the value lives, then the value.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_recall.h"
#include "fwd_shard.h"


#define FWD_RECALL_MAX       10000       /* values in memory, of a loop */
#define FWD_RECALL_BYTES     (16 * 1024 * 1024)
#define FWD_RECALL_LOCAL_MS  60000       /* at most, without asking Redis */
#define FWD_RECALL_VALUE_MAX 4096


/* A question on its way to Redis; it outlives whoever asks. */
struct fwd_recall_wait_s {
    fwd_recall_t         *recall;        /* NULL: canceled */
    fwd_engine_t         *engine;
    uint32_t              pending;       /* replies */
    int64_t               ttl_ms;
    size_t                key_len;
    char                  key[FWD_RECALL_KEY_MAX];
};


static uint32_t fwd_recall_name(const fwd_engine_t *engine, char *out,
    const fwd_recall_key_t *key, martech_str_t *name);
static fwd_rc_t fwd_recall_ask(fwd_recall_wait_t *wait, fwd_redis_t *redis);
static void fwd_recall_ttl(void *data, redisReply *reply);
static void fwd_recall_value(void *data, redisReply *reply);
static void fwd_recall_keep(fwd_engine_t *engine, martech_str_t name,
    martech_str_t value, uint64_t ttl_ms);


fwd_rc_t
fwd_recall_get(fwd_engine_t *engine, const fwd_recall_key_t *key,
    fwd_recall_t *recall, martech_str_t *value)
{
    uint32_t            shard;
    martech_str_t       name;
    fwd_recall_wait_t  *wait;

    if (engine == NULL || engine->shards == NULL) {
        return FWD_NONE;
    }

    wait = calloc(1, sizeof(fwd_recall_wait_t));
    if (wait == NULL) {
        return FWD_NONE;
    }

    shard = fwd_recall_name(engine, wait->key, key, &name);

    if (engine->lookup != NULL
        && fwd_lookup_get(engine->lookup, name,
                          fwd_core_now_ms(engine->core), value)
           == FWD_OK)
    {
        free(wait);
        return FWD_OK;
    }

    wait->key_len = name.len;
    wait->engine = engine;
    wait->recall = recall;
    recall->wait = wait;

    if (fwd_recall_ask(wait, engine->shards[shard].redis) != FWD_OK) {
        recall->wait = NULL;

        if (wait->pending == 0) {
            free(wait);

        } else {
            wait->recall = NULL;
        }

        return FWD_NONE;
    }

    return FWD_AGAIN;
}


void
fwd_recall_cancel(fwd_recall_t *recall)
{
    if (recall->wait != NULL) {
        recall->wait->recall = NULL;
        recall->wait = NULL;
    }
}


void
fwd_recall_put(fwd_engine_t *engine, const fwd_recall_key_t *key,
    martech_str_t value, uint64_t ttl_ms)
{
    char           text[FWD_RECALL_KEY_MAX];
    uint32_t       shard;
    fwd_args_t    *args;
    martech_str_t  name;

    if (engine == NULL || engine->shards == NULL || ttl_ms == 0
        || value.len > FWD_RECALL_VALUE_MAX)
    {
        return;
    }

    shard = fwd_recall_name(engine, text, key, &name);
    fwd_recall_keep(engine, name, value, ttl_ms);

    args = &engine->args;
    fwd_args_reset(args);
    fwd_args_text(args, "SET");
    fwd_args_add(args, name.data, name.len);
    fwd_args_add(args, value.data, value.len);
    fwd_args_text(args, "PX");
    fwd_args_number(args, ttl_ms);

    /* lost or refused: it will be asked for again */
    (void) (fwd_args_send(args, engine->shards[shard].redis, NULL, NULL, 0)
            == FWD_OK);
}


void
fwd_recall_forget(fwd_engine_t *engine, const fwd_recall_key_t *key)
{
    char           text[FWD_RECALL_KEY_MAX];
    uint32_t       shard;
    fwd_args_t    *args;
    martech_str_t  name;

    if (engine == NULL || engine->shards == NULL) {
        return;
    }

    shard = fwd_recall_name(engine, text, key, &name);

    if (engine->lookup != NULL) {
        fwd_lookup_forget(engine->lookup, name);
    }

    args = &engine->args;
    fwd_args_reset(args);
    fwd_args_text(args, "DEL");
    fwd_args_add(args, name.data, name.len);
    (void) (fwd_args_send(args, engine->shards[shard].redis, NULL, NULL, 0)
            == FWD_OK);
}


/* The key in Redis; returns its shard. */

static uint32_t
fwd_recall_name(const fwd_engine_t *engine, char *out,
    const fwd_recall_key_t *key, martech_str_t *name)
{
    char           tag[MARTECH_TAG_LEN_MAX];
    uint32_t       shard;
    martech_str_t  prefix;

    prefix.data = (const unsigned char *) key->digest;
    prefix.len = strlen(key->digest);
    shard = martech_shard(prefix, engine->shards_count);

    prefix.data = (const unsigned char *) engine->conf->prefix;
    prefix.len = strlen(engine->conf->prefix);
    (void) martech_shard_tag(tag, prefix, shard);

    (void) snprintf(out, FWD_RECALL_KEY_MAX, "%s:sc:%s:%s:%s", tag, key->dest,
                    key->step, key->digest);
    name->data = (const unsigned char *) out;
    name->len = strlen(out);

    return shard;
}


static fwd_rc_t
fwd_recall_ask(fwd_recall_wait_t *wait, fwd_redis_t *redis)
{
    fwd_args_t  *args;

    args = &wait->engine->args;
    fwd_args_reset(args);
    fwd_args_text(args, "PTTL");
    fwd_args_add(args, wait->key, wait->key_len);

    if (fwd_args_send(args, redis, fwd_recall_ttl, wait, 0) != FWD_OK) {
        return FWD_AGAIN;
    }

    wait->pending++;

    fwd_args_reset(args);
    fwd_args_text(args, "GET");
    fwd_args_add(args, wait->key, wait->key_len);

    if (fwd_args_send(args, redis, fwd_recall_value, wait, 0) != FWD_OK) {
        return FWD_AGAIN;
    }

    wait->pending++;

    return FWD_OK;
}


static void
fwd_recall_ttl(void *data, redisReply *reply)
{
    fwd_recall_wait_t  *wait = data;

    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER) {
        wait->ttl_ms = reply->integer;
    }

    if (--wait->pending == 0) {
        free(wait);                      /* the second was never sent */
    }
}


static void
fwd_recall_value(void *data, redisReply *reply)
{
    fwd_recall_t       *recall;
    martech_str_t       name, value;
    fwd_recall_wait_t  *wait = data;

    memset(&value, 0, sizeof(value));

    if (reply != NULL && reply->type == REDIS_REPLY_STRING
        && (size_t) reply->len <= FWD_RECALL_VALUE_MAX)
    {
        value.data = (const unsigned char *) reply->str;
        value.len = (size_t) reply->len;
        name.data = (const unsigned char *) wait->key;
        name.len = wait->key_len;

        if (wait->ttl_ms > 0) {
            fwd_recall_keep(wait->engine, name, value,
                            (uint64_t) wait->ttl_ms);
        }
    }

    recall = wait->recall;
    free(wait);

    if (recall != NULL) {
        recall->wait = NULL;
        recall->done(recall->data, value);
    }
}


/* Made by the first that has something to keep. */

static void
fwd_recall_keep(fwd_engine_t *engine, martech_str_t name,
    martech_str_t value, uint64_t ttl_ms)
{
    if (engine->lookup == NULL) {
        engine->lookup = fwd_lookup_create(FWD_RECALL_MAX, FWD_RECALL_BYTES);
    }

    if (engine->lookup != NULL) {
        fwd_lookup_put(engine->lookup, name, value,
                       fwd_core_now_ms(engine->core)
                       + (ttl_ms < FWD_RECALL_LOCAL_MS ? ttl_ms
                                                       : FWD_RECALL_LOCAL_MS));
    }
}
