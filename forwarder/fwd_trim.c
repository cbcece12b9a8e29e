
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Trimming of the stream up to the first entry that somebody still needs.
 *
 * The script finds the first unrouted entry and the first pointer of each
 * queue; the smallest ID of a retry set cannot be asked of Redis, so a lower
 * bound of it is kept here: exact after a scan, then only lowered.
 *
 * Destinations that were taken out of the configuration with events waiting
 * are found in the ledger: what they wait for is kept.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_dest.h"
#include "fwd_shard.h"


#define FWD_STRANGERS_MAX  256


static int fwd_trim_ready(fwd_shard_t *shard);
static void fwd_trim_reply(void *data, redisReply *reply);
static void fwd_strangers_reply(void *data, redisReply *reply);
static long long fwd_strangers_sum(const redisReply *ledger,
    const char *what, martech_str_t name);
static size_t fwd_strangers_first(const redisReply *ledger,
    martech_str_t name);
static int fwd_strangers_is(const redisReply *field, const char *what,
    martech_str_t name);
static void fwd_strangers_add(fwd_shard_t *shard, const char *name,
    long long waiting);
static void fwd_stranger_scan(fwd_shard_t *shard, fwd_stranger_t *stranger);
static void fwd_stranger_scan_reply(void *data, redisReply *reply);


/* The ends of an event at a destination, in the ledger. */
static const char *const  fwd_trim_ends[] = {
    "done:", "drop:", "dead:", "expired:", "moved:", "dry:"
};


void
fwd_shard_trim(fwd_shard_t *shard)
{
    uint32_t       i;
    fwd_args_t    *args;
    fwd_engine_t  *engine;

    if (!fwd_trim_ready(shard) || !shard->dirty || shard->trimming) {
        return;
    }

    engine = shard->engine;
    args = &engine->args;

    fwd_fail(engine->core, FWD_FAIL_BEFORE_TRIM);

    fwd_args_script(args, FWD_SCRIPT_TRIM,
                    2 + shard->queues_count + 2 * shard->strangers_count);
    fwd_args_add(args, shard->owner.data, shard->owner.len);
    fwd_args_add(args, shard->in.data, shard->in.len);

    for (i = 0; i < shard->queues_count; i++) {
        fwd_args_add(args, shard->queues[i].q.data, shard->queues[i].q.len);
    }

    for (i = 0; i < shard->strangers_count; i++) {
        fwd_args_add(args, shard->strangers[i].q.data,
                     shard->strangers[i].q.len);
        fwd_args_add(args, shard->strangers[i].q_high.data,
                     shard->strangers[i].q_high.len);
    }

    fwd_args_number(args, shard->epoch);
    fwd_args_text(args, FWD_GROUP);

    for (i = 0; i < engine->dests_count; i++) {
        if (shard->queues[i].retry_some) {
            fwd_args_id(args, shard->queues[i].retry_min);
        }
    }

    for (i = 0; i < shard->strangers_count; i++) {
        if (shard->strangers[i].retry_some) {
            fwd_args_id(args, shard->strangers[i].retry_min);
        }
    }

    /* its reply may tell of retries, which are needed */

    if (shard->routing != NULL) {
        fwd_args_id(args, fwd_shard_unrouted(shard, 0)->id);
    }

    if (fwd_args_send(args, shard->redis, fwd_trim_reply, shard, 0)
        == FWD_OK)
    {
        shard->trimming = 1;
        shard->dirty = 0;
    }
}


/* Starts the scans that are missing. */

static int
fwd_trim_ready(fwd_shard_t *shard)
{
    int       ready;
    uint32_t  i;

    if (!shard->strangers_known) {

        /* the last look-up failed, or is under way */

        if (!shard->strangers_asked) {
            fwd_shard_find_strangers(shard);
        }

        return 0;
    }

    ready = 1;

    for (i = 0; i < shard->engine->dests_count; i++) {
        fwd_queue_scan(&shard->queues[i]);

        /* a retry that is being written may lower the bound */
        ready &= shard->queues[i].retry_known;
    }

    for (i = 0; i < shard->strangers_count; i++) {
        ready &= shard->strangers[i].known;
    }

    return ready;
}


static void
fwd_trim_reply(void *data, redisReply *reply)
{
    fwd_rc_t      rc;
    fwd_shard_t  *shard = data;

    shard->trimming = 0;

    rc = fwd_script_result(shard->redis, reply);

    if (rc == FWD_FENCED) {
        fwd_shard_fenced(shard);
        return;
    }

    if (rc == FWD_ERROR) {
        fwd_shard_error(shard, "trim", reply);
    }

    if (rc != FWD_OK) {
        shard->dirty = 1;
        return;
    }

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
        && reply->element[0]->integer != 0)
    {
        fwd_log(shard->engine->core->log, FWD_LOG_DEBUG, "stream trimmed",
                fwd_kv_int("shard", shard->index),
                fwd_kv_int("count", reply->element[0]->integer));
    }
}


void
fwd_shard_find_strangers(fwd_shard_t *shard)
{
    fwd_args_t  *args;

    shard->strangers_known = 0;

    args = &shard->engine->args;

    fwd_args_reset(args);
    fwd_args_text(args, "HGETALL");
    fwd_args_add(args, shard->ledger.data, shard->ledger.len);

    /* if it cannot be sent or is lost, a later trim asks again */

    shard->strangers_asked = (fwd_args_send(args, shard->redis,
                                            fwd_strangers_reply, shard, 0)
                              == FWD_OK);
}


static void
fwd_strangers_reply(void *data, redisReply *reply)
{
    char            text[FWD_NAME_MAX + 1];
    size_t          i, n;
    long long       waiting;
    fwd_shard_t    *shard = data;
    const char     *field;
    martech_str_t   name;

    shard->strangers_asked = 0;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {

        if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
            fwd_shard_error(shard, "ledger", reply);
        }

        return;
    }

    for (i = 0; i < shard->strangers_count; i++) {
        free((char *) shard->strangers[i].q.data);
    }

    shard->strangers_count = 0;
    shard->strangers_known = 1;

    for (i = 0; i + 1 < reply->elements; i += 2) {

        if (reply->element[i]->type != REDIS_REPLY_STRING
            || reply->element[i + 1]->type != REDIS_REPLY_STRING)
        {
            continue;
        }

        field = reply->element[i]->str;

        if (strncmp(field, "routed:", 7) != 0) {
            continue;
        }

        name.data = (const unsigned char *) field + 7;
        name.len = strcspn(field + 7, ":");

        if (name.len == 0 || name.len > FWD_NAME_MAX
            || fwd_engine_dest(shard->engine, name) >= 0
            || fwd_strangers_first(reply, name) != i)
        {
            continue;
        }

        waiting = fwd_strangers_sum(reply, "routed:", name);

        for (n = 0; n < sizeof(fwd_trim_ends) / sizeof(fwd_trim_ends[0]);
             n++)
        {
            waiting -= fwd_strangers_sum(reply, fwd_trim_ends[n], name);
        }

        if (waiting > 0) {
            (void) snprintf(text, sizeof(text), "%.*s", (int) name.len,
                            (const char *) name.data);
            fwd_strangers_add(shard, text, waiting);
        }
    }
}


/*
 * The sum over the sources.  Fields without a source are of an older version;
 * they count too.
 */

static long long
fwd_strangers_sum(const redisReply *ledger, const char *what,
    martech_str_t name)
{
    size_t     i;
    long long  sum;

    sum = 0;

    for (i = 0; i + 1 < ledger->elements; i += 2) {
        if (fwd_strangers_is(ledger->element[i], what, name)
            && ledger->element[i + 1]->type == REDIS_REPLY_STRING)
        {
            sum += strtoll(ledger->element[i + 1]->str, NULL, 10);
        }
    }

    return sum;
}


/* Where the ledger names it first: a name has a field for each source. */

static size_t
fwd_strangers_first(const redisReply *ledger, martech_str_t name)
{
    size_t  i;

    for (i = 0; i + 1 < ledger->elements; i += 2) {
        if (fwd_strangers_is(ledger->element[i], "routed:", name)) {
            break;
        }
    }

    return i;
}


/* 1 if the field is "what:name" or "what:name:source". */

static int
fwd_strangers_is(const redisReply *field, const char *what,
    martech_str_t name)
{
    size_t  len;
    char    end;

    len = strlen(what);

    if (field->type != REDIS_REPLY_STRING
        || (size_t) field->len < len + name.len
        || memcmp(field->str, what, len) != 0
        || memcmp(field->str + len, name.data, name.len) != 0)
    {
        return 0;
    }

    end = field->str[len + name.len];

    return end == '\0' || end == ':';
}


static void
fwd_strangers_add(fwd_shard_t *shard, const char *name, long long waiting)
{
    int              tag_len;
    char            *p;
    size_t           len;
    fwd_stranger_t  *list, *stranger;

    /* "{tag}:in" begins with what all keys of the shard begin with */

    tag_len = (int) shard->in.len - 3;
    len = shard->in.len + strlen(name) + 16;

    p = malloc(3 * len);
    list = realloc(shard->strangers, (shard->strangers_count + 1)
                                     * sizeof(fwd_stranger_t));

    if (list != NULL) {
        shard->strangers = list;
    }

    if (p == NULL || list == NULL
        || shard->strangers_count == FWD_STRANGERS_MAX)
    {
        /* what cannot be remembered must not be trimmed away */

        free(p);
        shard->strangers_known = 0;
        return;
    }

    fwd_log(shard->engine->core->log, FWD_LOG_WARN,
            "destination is not configured but has events waiting",
            fwd_kv_text("destination", name),
            fwd_kv_int("shard", shard->index),
            fwd_kv_int("count", waiting));

    stranger = &shard->strangers[shard->strangers_count++];
    memset(stranger, 0, sizeof(fwd_stranger_t));

    stranger->q.data = p;
    stranger->q.len = (size_t) sprintf(p, "%.*s:q:%s", tag_len,
                                       shard->in.data, name);
    p += len;
    stranger->q_high.data = p;
    stranger->q_high.len = (size_t) sprintf(p, "%.*s:q:%s:hi", tag_len,
                                            shard->in.data, name);
    p += len;
    stranger->retry.data = p;
    stranger->retry.len = (size_t) sprintf(p, "%.*s:retry:%s", tag_len,
                                           shard->in.data, name);

    fwd_stranger_scan(shard, stranger);
}


/*
 * Nobody changes these sets, so they are read whole and once.  A set too
 * large for that keeps the stream from being trimmed, which is safe.
 */

static void
fwd_stranger_scan(fwd_shard_t *shard, fwd_stranger_t *stranger)
{
    fwd_args_t  *args;

    args = &shard->engine->args;

    fwd_args_reset(args);
    fwd_args_text(args, "ZRANGE");
    fwd_args_add(args, stranger->retry.data, stranger->retry.len);
    fwd_args_text(args, "0");
    fwd_args_text(args, "100000");

    /* replies come in order: the next scan without an answer is this one */

    if (fwd_args_send(args, shard->redis, fwd_stranger_scan_reply,
                      shard, 0)
        != FWD_OK)
    {
        shard->strangers_known = 0;      /* a later trim looks again */
    }
}


static void
fwd_stranger_scan_reply(void *data, redisReply *reply)
{
    size_t           i;
    uint32_t         n;
    fwd_id_t         id;
    fwd_shard_t     *shard = data;
    fwd_stranger_t  *stranger;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        shard->strangers_known = 0;
        return;
    }

    if (reply->elements > 100000) {
        return;
    }

    for (n = 0; n < shard->strangers_count; n++) {
        if (!shard->strangers[n].known) {
            break;
        }
    }

    if (n == shard->strangers_count) {
        return;
    }

    stranger = &shard->strangers[n];
    stranger->known = 1;

    for (i = 0; i < reply->elements; i++) {

        if (reply->element[i]->type == REDIS_REPLY_STRING
            && fwd_id_parse(&id, reply->element[i]->str,
                            (size_t) reply->element[i]->len)
               == FWD_OK
            && (!stranger->retry_some
                || fwd_id_compare(id, stranger->retry_min) < 0))
        {
            stranger->retry_min = id;
            stranger->retry_some = 1;
        }
    }
}
