
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The life of a shard: claim, renew, lose, release.
 *
 * The lease is trusted for its length after the moment the claim or renewal
 * was sent, not after its reply came: in between the process may have been
 * stopped.  After that nothing is sent, neither to Redis nor outside, until
 * a renewal is confirmed.
 */


#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "../martech/martech_shard.h"

#include "fwd_backoff.h"
#include "fwd_dest.h"
#include "fwd_shard.h"


#define FWD_SHARD_LOG_MS   30000         /* the same trouble is named again */
#define FWD_SHARD_TRIM_MS  2000


static fwd_rc_t fwd_shard_keys(fwd_shard_t *shard);
static void fwd_shard_key(fwd_key_t *key, char **p, const char *tag,
    const char *what, const char *name);
static void fwd_shard_claim(fwd_shard_t *shard);
static void fwd_shard_claim_reply(void *data, redisReply *reply);
static void fwd_shard_claimed(fwd_shard_t *shard, uint64_t epoch);
static void fwd_shard_held(fwd_shard_t *shard, const char *lease);
static void fwd_shard_later(fwd_shard_t *shard);
static void fwd_shard_renew(fwd_shard_t *shard);
static void fwd_shard_renew_reply(void *data, redisReply *reply);
static void fwd_shard_release_reply(void *data, redisReply *reply);
static void fwd_shard_drop(fwd_shard_t *shard);


/* Waits after errors in steps. */
static const fwd_backoff_t  fwd_shard_backoff = {
    .base_ms = 100, .factor = 2, .cap_ms = 5000
};


static const char *const  fwd_shard_states[] = {
    [FWD_SHARD_IDLE] = "idle",
    [FWD_SHARD_CLAIMING] = "claiming",
    [FWD_SHARD_WAITING] = "waiting",
    [FWD_SHARD_RECOVERING] = "recovering",
    [FWD_SHARD_REREADING] = "rereading",
    [FWD_SHARD_ACTIVE] = "active",
    [FWD_SHARD_RELEASED] = "released"
};


fwd_rc_t
fwd_shard_init(fwd_shard_t *shard, fwd_engine_t *engine, uint32_t index)
{
    uint32_t  i;

    shard->engine = engine;
    shard->index = index;
    shard->state = FWD_SHARD_IDLE;

    fwd_post_init(&shard->route, fwd_shard_route, shard);

    shard->queues = calloc(engine->dests_count, sizeof(fwd_queue_t));
    if (shard->queues == NULL) {
        return FWD_ERROR;
    }

    for (i = 0; i < engine->dests_count; i++) {
        fwd_queue_init(&shard->queues[i], shard, &engine->dests[i]);
    }

    return fwd_shard_keys(shard);
}


static fwd_rc_t
fwd_shard_keys(fwd_shard_t *shard)
{
    char           *p, tag[MARTECH_TAG_LEN_MAX];
    size_t          tag_len;
    uint32_t        i;
    fwd_queue_t    *queue;
    const char     *name;
    martech_str_t   prefix;

    prefix.data = (const unsigned char *) shard->engine->conf->prefix;
    prefix.len = strlen(shard->engine->conf->prefix);

    tag_len = martech_shard_tag(tag, prefix, shard->index);

    /* the longest is "{tag}:retry:" with a name, and a zero */

    p = malloc((5 + 4 * shard->engine->dests_count)
               * (tag_len + FWD_NAME_MAX + 16));
    if (p == NULL) {
        return FWD_ERROR;
    }

    shard->names = p;

    fwd_shard_key(&shard->in, &p, tag, "in", NULL);
    fwd_shard_key(&shard->owner, &p, tag, "owner", NULL);
    fwd_shard_key(&shard->epoch_key, &p, tag, "epoch", NULL);
    fwd_shard_key(&shard->ledger, &p, tag, "ledger", NULL);
    fwd_shard_key(&shard->entry_dead, &p, tag, "dead", "_entry");

    for (i = 0; i < shard->engine->dests_count; i++) {
        queue = &shard->queues[i];
        name = shard->engine->dests[i].conf->name;

        fwd_shard_key(&queue->q, &p, tag, "q", name);
        fwd_shard_key(&queue->retry, &p, tag, "retry", name);
        fwd_shard_key(&queue->try, &p, tag, "try", name);
        fwd_shard_key(&queue->dead, &p, tag, "dead", name);
    }

    return FWD_OK;
}


static void
fwd_shard_key(fwd_key_t *key, char **p, const char *tag, const char *what,
    const char *name)
{
    key->data = *p;
    key->len = (size_t) sprintf(*p, "%s:%s%s%s", tag, what,
                                name ? ":" : "", name ? name : "");
    *p += key->len + 1;
}


void
fwd_shard_cleanup(fwd_shard_t *shard)
{
    uint32_t  i;

    fwd_post_cancel(&shard->route);
    fwd_shard_forget_unrouted(shard);

    if (shard->queues != NULL) {
        for (i = 0; i < shard->engine->dests_count; i++) {
            fwd_queue_cleanup(&shard->queues[i]);
        }
    }

    for (i = 0; i < shard->strangers_count; i++) {
        free((char *) shard->strangers[i].q.data);
    }

    free(shard->strangers);
    free(shard->queues);
    free(shard->unrouted);
    free(shard->names);
    fwd_idmap_free(&shard->events);
}


void
fwd_shard_set(fwd_shard_t *shard, fwd_shard_state_t state)
{
    if (shard->state == state) {
        return;
    }

    fwd_log(shard->engine->core->log, FWD_LOG_DEBUG, "shard changed state",
            fwd_kv_int("shard", shard->index),
            fwd_kv_text("from", fwd_shard_states[shard->state]),
            fwd_kv_text("to", fwd_shard_states[state]));

    shard->state = state;
}


int
fwd_shard_owned(const fwd_shard_t *shard)
{
    return shard->state >= FWD_SHARD_RECOVERING
           && shard->state <= FWD_SHARD_ACTIVE
           && fwd_core_now_ms(shard->engine->core) < shard->lease_ms;
}


int
fwd_shard_readable(const fwd_shard_t *shard)
{
    /* an owner that was stopped and wakes up must not take new entries */

    return shard->state == FWD_SHARD_ACTIVE && fwd_shard_owned(shard)
           && shard->unrouted_count < FWD_UNROUTED_MAX;
}


void
fwd_shard_up(fwd_shard_t *shard)
{
    if (shard->state != FWD_SHARD_IDLE) {
        return;
    }

    fwd_shard_claim(shard);
}


/*
 * What is in memory stays: if the lease is still ours after the connection
 * is back, or nobody else had it, work goes on where it was.
 */

void
fwd_shard_down(fwd_shard_t *shard)
{
    shard->generation++;
    shard->renewing = 0;
    shard->trimming = 0;

    fwd_shard_forget_unrouted(shard);

    if (shard->state != FWD_SHARD_RELEASED) {
        fwd_shard_set(shard, FWD_SHARD_IDLE);
    }
}


void
fwd_shard_tick(fwd_shard_t *shard)
{
    uint32_t  i;
    uint64_t  now;

    now = fwd_core_now_ms(shard->engine->core);

    if (shard->state == FWD_SHARD_WAITING) {

        if (now >= shard->again_ms && !shard->engine->stopping) {
            fwd_shard_claim(shard);
        }

        return;
    }

    if (shard->state < FWD_SHARD_RECOVERING
        || shard->state > FWD_SHARD_ACTIVE)
    {
        return;
    }

    if (now >= shard->renew_ms && !shard->renewing) {
        fwd_shard_renew(shard);
    }

    if (!fwd_shard_owned(shard)) {
        return;
    }

    for (i = 0; i < shard->engine->dests_count; i++) {
        if (!fwd_queue_settled(&shard->queues[i])) {
            fwd_post(shard->engine->core, &shard->queues[i].flush);
        }
    }

    if (shard->unrouted_count != 0) {
        fwd_post(shard->engine->core, &shard->route);
    }

    if (now >= shard->again_ms) {

        /* steps of a start that met an error */

        if (shard->state == FWD_SHARD_RECOVERING && !shard->rereading) {
            fwd_shard_recover(shard);

        } else if (shard->state == FWD_SHARD_REREADING) {
            fwd_shard_reread(shard);
        }
    }

    if (now >= shard->trim_ms && !shard->engine->stopping) {
        shard->trim_ms = now + FWD_SHARD_TRIM_MS;
        fwd_shard_trim(shard);
    }
}


static void
fwd_shard_claim(fwd_shard_t *shard)
{
    fwd_args_t    *args;
    fwd_engine_t  *engine;

    engine = shard->engine;
    args = &engine->args;

    if (engine->stopping) {
        fwd_shard_drop(shard);
        fwd_shard_set(shard, FWD_SHARD_RELEASED);
        return;
    }

    fwd_args_script(args, FWD_SCRIPT_CLAIM, 2);
    fwd_args_add(args, shard->owner.data, shard->owner.len);
    fwd_args_add(args, shard->epoch_key.data, shard->epoch_key.len);
    fwd_args_number(args, shard->epoch);
    fwd_args_text(args, engine->conf->owner);
    fwd_args_number(args, engine->conf->lease_ms);

    /*
     * A process that starts under the name of the owner is its successor
     * and need not wait.  Once fenced it is not: somebody else lives under
     * this name, and the two would take the shard from each other for ever.
     */

    fwd_args_text(args, shard->fenced_once ? "0" : "1");

    shard->claimed_ms = fwd_core_now_ms(engine->core);
    fwd_shard_set(shard, FWD_SHARD_CLAIMING);

    if (fwd_args_send(args, shard->redis, fwd_shard_claim_reply, shard, 0)
        != FWD_OK)
    {
        fwd_shard_later(shard);
    }
}


static void
fwd_shard_claim_reply(void *data, redisReply *reply)
{
    fwd_rc_t      rc;
    fwd_shard_t  *shard = data;

    if (reply == NULL || shard->state != FWD_SHARD_CLAIMING) {
        return;                          /* fwd_shard_down() has run */
    }

    rc = fwd_script_result(shard->redis, reply);

    if (rc == FWD_OK
        && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2)
    {
        if (reply->element[0]->integer == 1) {
            fwd_shard_claimed(shard,
                              (uint64_t) reply->element[1]->integer);
            return;
        }

        fwd_shard_held(shard, reply->element[1]->str);
        return;
    }

    if (rc == FWD_ERROR) {
        fwd_shard_error(shard, "claim", reply);
    }

    fwd_shard_later(shard);
}


static void
fwd_shard_claimed(fwd_shard_t *shard, uint64_t epoch)
{
    int            kept;
    uint32_t       i;
    fwd_engine_t  *engine;

    engine = shard->engine;

    /* the next epoch right after ours: nobody was in between */

    kept = (shard->epoch != 0
            && (epoch == shard->epoch || epoch == shard->epoch + 1));

    if (!kept) {
        fwd_shard_drop(shard);
    }

    if (epoch != shard->epoch) {
        fwd_log(engine->core->log, FWD_LOG_INFO, "shard claimed",
                fwd_kv_int("shard", shard->index),
                fwd_kv_int("epoch", epoch));
    }

    shard->epoch = epoch;
    shard->lease_ms = shard->claimed_ms + engine->conf->lease_ms;
    shard->renew_ms = shard->claimed_ms + engine->conf->lease_ms / 3;
    shard->fenced_once = 1;
    shard->dirty = 1;

    fwd_fail(engine->core, FWD_FAIL_AFTER_CLAIM);

    fwd_shard_set(shard, FWD_SHARD_RECOVERING);

    for (i = 0; i < engine->dests_count; i++) {
        fwd_queue_start(&shard->queues[i]);
    }

    fwd_shard_find_strangers(shard);
    fwd_shard_recover(shard);
}


static void
fwd_shard_held(fwd_shard_t *shard, const char *lease)
{
    uint64_t       now, pause;
    uint32_t       suppressed;
    fwd_engine_t  *engine;

    engine = shard->engine;
    now = fwd_core_now_ms(engine->core);

    if (fwd_log_pass(&shard->held_limit, now, FWD_SHARD_LOG_MS,
                     &suppressed))
    {
        fwd_log(engine->core->log, FWD_LOG_INFO,
                "shard is held by another owner, waiting",
                fwd_kv_int("shard", shard->index),
                fwd_kv_text("lease", lease ? lease : ""),
                fwd_kv_text("us", engine->conf->owner));
    }

    /* somebody else works on it: what we have is of no use */

    fwd_shard_drop(shard);
    fwd_shard_set(shard, FWD_SHARD_WAITING);

    pause = engine->conf->lease_ms / 4;
    shard->again_ms = now + pause / 2
                      + fwd_core_random(engine->core) % (pause / 2 + 1);
}


static void
fwd_shard_later(fwd_shard_t *shard)
{
    if (shard->state == FWD_SHARD_CLAIMING) {
        fwd_shard_set(shard, FWD_SHARD_WAITING);
    }

    shard->again_ms = fwd_core_now_ms(shard->engine->core)
                      + fwd_backoff_delay(&fwd_shard_backoff,
                                          ++shard->failed_count,
                                          fwd_core_random(
                                                      shard->engine->core));
}


static void
fwd_shard_renew(fwd_shard_t *shard)
{
    fwd_args_t  *args;

    args = &shard->engine->args;

    fwd_args_script(args, FWD_SCRIPT_RENEW, 1);
    fwd_args_add(args, shard->owner.data, shard->owner.len);
    fwd_args_number(args, shard->epoch);
    fwd_args_number(args, shard->engine->conf->lease_ms);

    shard->sent_ms = fwd_core_now_ms(shard->engine->core);

    shard->renewing = (fwd_args_send(args, shard->redis,
                                     fwd_shard_renew_reply, shard, 0)
                       == FWD_OK);
}


static void
fwd_shard_renew_reply(void *data, redisReply *reply)
{
    fwd_rc_t      rc;
    fwd_shard_t  *shard = data;

    shard->renewing = 0;

    rc = fwd_script_result(shard->redis, reply);

    switch (rc) {

    case FWD_OK:
        shard->failed_count = 0;
        shard->lease_ms = shard->sent_ms + shard->engine->conf->lease_ms;
        shard->renew_ms = shard->sent_ms + shard->engine->conf->lease_ms / 3;
        return;

    case FWD_FENCED:
        fwd_shard_fenced(shard);
        return;

    case FWD_ERROR:
        fwd_shard_error(shard, "renew", reply);
        return;

    default:
        return;                          /* at the next tick */
    }
}


void
fwd_shard_fenced(fwd_shard_t *shard)
{
    /* several steps may be refused, one after the other */

    if (shard->state < FWD_SHARD_RECOVERING
        || shard->state > FWD_SHARD_ACTIVE)
    {
        return;
    }

    fwd_log(shard->engine->core->log, FWD_LOG_WARN,
            "lease of shard lost, stopped working on it",
            fwd_kv_int("shard", shard->index),
            fwd_kv_int("epoch", shard->epoch));

    /*
     * The lease may have ended while Redis or we were stopped, and nobody
     * was there to take it.  Then what has been delivered is still true, so
     * memory is dropped only when the next claim tells of another owner.
     */

    shard->generation++;
    shard->lease_ms = 0;
    shard->again_ms = 0;

    fwd_shard_forget_unrouted(shard);
    fwd_shard_set(shard, FWD_SHARD_WAITING);

    fwd_shard_claim(shard);
}


static void
fwd_shard_drop(fwd_shard_t *shard)
{
    uint32_t  i;

    shard->generation++;
    shard->lease_ms = 0;
    shard->strangers_known = 0;

    fwd_shard_forget_unrouted(shard);

    for (i = 0; i < shard->engine->dests_count; i++) {
        fwd_queue_drop(&shard->queues[i]);
    }
}


void
fwd_shard_release(fwd_shard_t *shard)
{
    fwd_args_t  *args;

    if (shard->state < FWD_SHARD_RECOVERING
        || shard->state > FWD_SHARD_ACTIVE)
    {
        fwd_shard_set(shard, FWD_SHARD_RELEASED);
        return;
    }

    if (shard->releasing) {
        return;
    }

    args = &shard->engine->args;

    fwd_args_script(args, FWD_SCRIPT_RELEASE, 1);
    fwd_args_add(args, shard->owner.data, shard->owner.len);
    fwd_args_number(args, shard->epoch);

    if (fwd_args_send(args, shard->redis, fwd_shard_release_reply,
                      shard, 0)
        == FWD_OK)
    {
        shard->releasing = 1;
        return;
    }

    fwd_shard_set(shard, FWD_SHARD_RELEASED);
}


static void
fwd_shard_release_reply(void *data, redisReply *reply)
{
    fwd_shard_t  *shard = data;

    /* refused or lost: then the lease ends by itself */
    (void) reply;

    fwd_shard_drop(shard);
    fwd_shard_set(shard, FWD_SHARD_RELEASED);
}


void
fwd_shard_rewind(fwd_shard_t *shard)
{
    uint32_t  i;

    for (i = 0; i < shard->engine->dests_count; i++) {
        fwd_queue_rewind(&shard->queues[i]);
        fwd_dest_wake(shard->queues[i].dest);
    }
}


void
fwd_shard_resync(fwd_shard_t *shard, const char *reason)
{
    if (shard->state != FWD_SHARD_ACTIVE
        && shard->state != FWD_SHARD_REREADING)
    {
        return;                          /* not there yet, or under way */
    }

    fwd_log(shard->engine->core->log, FWD_LOG_WARN,
            "reading pending entries again",
            fwd_kv_int("shard", shard->index),
            fwd_kv_text("reason", reason));

    shard->generation++;

    if (shard->routing_count != 0) {

        /* its reply will find nobody: see what it has written */

        fwd_shard_rewind(shard);
    }

    fwd_shard_forget_unrouted(shard);

    fwd_shard_set(shard, FWD_SHARD_RECOVERING);
    fwd_shard_later(shard);              /* the tick goes on */
}


void
fwd_shard_error(fwd_shard_t *shard, const char *step,
    const redisReply *reply)
{
    uint32_t  suppressed;

    if (!fwd_log_pass(&shard->limit, fwd_core_now_ms(shard->engine->core),
                      FWD_SHARD_LOG_MS, &suppressed))
    {
        return;
    }

    fwd_log(shard->engine->core->log, FWD_LOG_ERROR, "redis refused a step",
            fwd_kv_int("shard", shard->index),
            fwd_kv_text("step", step),
            fwd_kv_text("reason", reply->type == REDIS_REPLY_ERROR
                                  ? reply->str : "unexpected reply"),
            fwd_kv_int("suppressed", suppressed));
}
