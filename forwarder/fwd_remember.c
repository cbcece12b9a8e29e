
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reading of fingerprints.
 *
 * A bucket is read when it is asked about for the first time, so a shard that
 * was claimed reads all of its window before anything is routed; and after a
 * lost reply only what stands behind the part that is known.
 */


#include <inttypes.h>
#include <stdio.h>

#include "fwd_remember.h"


#define FWD_REMEMBER_CHUNK  (256 * 1024) /* bytes a read */


static void fwd_remember_reply(void *data, redisReply *reply);
static void fwd_remember_log(fwd_shard_t *shard);


fwd_rc_t
fwd_remember_ready(fwd_shard_t *shard, uint64_t number)
{
    char                key[FWD_REMEMBER_KEY_MAX];
    size_t              len;
    fwd_args_t         *args;
    fwd_seen_bucket_t  *bucket;

    if (shard->seen.width_ms == 0) {
        return FWD_OK;
    }

    if (shard->remembering) {
        return FWD_AGAIN;
    }

    bucket = fwd_seen_unknown(&shard->seen, number);
    if (bucket == NULL) {
        return FWD_OK;
    }

    args = &shard->engine->args;
    len = fwd_remember_key(key, shard, bucket->number);

    fwd_args_reset(args);
    fwd_args_text(args, "GETRANGE");
    fwd_args_add(args, key, len);
    fwd_args_number(args, bucket->length);
    fwd_args_number(args, bucket->length + FWD_REMEMBER_CHUNK - 1);

    if (fwd_args_send(args, shard->redis, fwd_remember_reply, shard, 0)
        == FWD_OK)
    {
        shard->remembering = 1;
        shard->remember_stale = 0;
        shard->remember_number = bucket->number;
    }

    return FWD_AGAIN;                    /* or the tick tries again */
}


static void
fwd_remember_reply(void *data, redisReply *reply)
{
    size_t              len;
    fwd_shard_t        *shard = data;
    fwd_seen_bucket_t  *bucket;

    shard->remembering = 0;

    if (reply == NULL) {
        return;
    }

    if (reply->type != REDIS_REPLY_STRING) {
        fwd_shard_error(shard, "seen", reply);
        return;                          /* the tick tries again */
    }

    bucket = fwd_seen_bucket(&shard->seen, shard->remember_number);

    if (bucket != NULL && !shard->remember_stale) {
        len = (size_t) reply->len;

        fwd_seen_add(&shard->seen, bucket, (const unsigned char *) reply->str,
                     len, 0);
        fwd_remember_log(shard);

        bucket->length += len - len % FWD_SEEN_BYTES;
        bucket->known |= (len < FWD_REMEMBER_CHUNK);
    }

    fwd_post(shard->engine->core, &shard->route);
}


size_t
fwd_remember_key(char *out, const fwd_shard_t *shard, uint64_t number)
{
    /* "{tag}:in" begins with what all keys of the shard begin with */

    return (size_t) snprintf(out, FWD_REMEMBER_KEY_MAX, "%.*s:seen:%" PRIu64,
                             (int) shard->in.len - 3, shard->in.data, number);
}


uint64_t
fwd_remember_ttl(const fwd_shard_t *shard)
{
    return shard->seen.width_ms * (FWD_SEEN_PARTS + 1);
}


void
fwd_remember_added(fwd_shard_t *shard, uint64_t number,
    const unsigned char *prints, size_t len, uint64_t length)
{
    fwd_seen_bucket_t  *bucket;

    bucket = fwd_seen_bucket(&shard->seen, number);

    if (bucket == NULL) {
        return;
    }

    fwd_seen_add(&shard->seen, bucket, prints, len, 1);
    fwd_remember_log(shard);

    if (length > bucket->length + len) {
        bucket->known = bucket->forgotten;   /* somebody else wrote */
        return;
    }

    bucket->length = length;
}


void
fwd_remember_clear(fwd_shard_t *shard)
{
    fwd_seen_clear(&shard->seen);
    shard->remember_stale = 1;
}


/* Once in the life of a shard: what is meant is the setting. */

static void
fwd_remember_log(fwd_shard_t *shard)
{
    if (!shard->seen.full || shard->remember_logged) {
        return;
    }

    shard->remember_logged = 1;

    fwd_log(shard->engine->core->log, FWD_LOG_WARN,
            "more events than dedup.events, the oldest are forgotten",
            fwd_kv_int("shard", shard->index),
            fwd_kv_int("events", shard->seen.max));
}
