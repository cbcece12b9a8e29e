
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The lease of a shard: claim, renew, lose, release.
 *
 * The lease is trusted for its length after the moment the claim or renewal
 * was sent, not after its reply came: in between the process may have been
 * stopped.  After that nothing is sent, neither to Redis nor outside, until
 * a renewal is confirmed.
 */


#include <string.h>

#include "fwd_dest.h"
#include "fwd_members.h"
#include "fwd_shard.h"


#define FWD_LEASE_LOG_MS   30000
#define FWD_LEASE_AGAIN_MS  250          /* between two tries of a shard */


static void fwd_lease_claim_reply(void *data, redisReply *reply);
static void fwd_lease_claimed(fwd_shard_t *shard, uint64_t epoch,
    uint64_t previous);
static void fwd_lease_held(fwd_shard_t *shard, const redisReply *reply);
static void fwd_lease_renew_reply(void *data, redisReply *reply);
static void fwd_lease_release_reply(void *data, redisReply *reply);


void
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
     * Unless it is ourselves: the answer to our last claim was lost.  Nor
     * while loops of an older configuration live: they finish what they have
     * on its way and give their leases back by themselves.
     */

    fwd_args_text(args, (shard->fenced_once && !shard->claim_lost)
                        || fwd_engine_successor(engine)
                        ? "0" : "1");

    shard->claimed_ms = fwd_core_now_ms(engine->core);
    fwd_shard_set(shard, FWD_SHARD_CLAIMING);

    if (fwd_args_send(args, shard->redis, fwd_lease_claim_reply, shard, 0)
        != FWD_OK)
    {
        fwd_shard_later(shard);
    }
}


static void
fwd_lease_claim_reply(void *data, redisReply *reply)
{
    fwd_rc_t      rc;
    fwd_shard_t  *shard = data;

    if (reply == NULL || shard->state != FWD_SHARD_CLAIMING) {
        return;                          /* fwd_shard_down() has run */
    }

    fwd_members_wake(shard->engine);

    rc = fwd_script_result(shard->redis, reply);

    if (rc == FWD_OK
        && reply->type == REDIS_REPLY_ARRAY && reply->elements == 3)
    {
        shard->claim_lost = 0;

        if (reply->element[0]->integer == 1) {
            fwd_lease_claimed(shard,
                              (uint64_t) reply->element[1]->integer,
                              (uint64_t) reply->element[2]->integer);
            return;
        }

        fwd_lease_held(shard, reply);
        return;
    }

    if (rc == FWD_ERROR) {
        fwd_shard_error(shard, "claim", reply);
    }

    fwd_shard_later(shard);
}


static void
fwd_lease_claimed(fwd_shard_t *shard, uint64_t epoch, uint64_t previous)
{
    int            kept;
    uint32_t       i;
    fwd_engine_t  *engine;

    engine = shard->engine;

    /*
     * The next epoch right after ours: nobody was in between.  Or one more,
     * when that next one was under our name as well: the claim whose answer
     * was lost.
     */

    kept = (shard->epoch != 0
            && (epoch == shard->epoch || epoch == shard->epoch + 1
                || (epoch == shard->epoch + 2
                    && previous == shard->epoch + 1)));

    if (!kept) {
        fwd_shard_drop(shard);
    }

    if (epoch != shard->epoch) {
        fwd_log(engine->core->log, FWD_LOG_INFO, "shard claimed",
                fwd_kv_int("shard", shard->index),
                fwd_kv_int("epoch", epoch));
    }

    shard->epoch = epoch;
    shard->mine = 1;
    shard->leaving = 0;
    shard->releasing = 0;
    shard->lease_ms = shard->claimed_ms + engine->conf->lease_ms;
    shard->renew_ms = shard->claimed_ms + engine->conf->lease_ms / 3;
    shard->fenced_once = 1;
    shard->failed_count = 0;
    shard->dirty = 1;

    fwd_fail(engine->core, FWD_FAIL_AFTER_CLAIM);

    fwd_shard_set(shard, FWD_SHARD_RECOVERING);

    for (i = 0; i < shard->queues_count; i++) {
        fwd_queue_start(&shard->queues[i]);
    }

    fwd_shard_find_strangers(shard);
    fwd_shard_recover(shard);
}


/* { 0, lease, ms that it still has } */

static void
fwd_lease_held(fwd_shard_t *shard, const redisReply *reply)
{
    uint64_t       now, pause;
    uint32_t       suppressed;
    const char    *name;
    fwd_engine_t  *engine;

    engine = shard->engine;
    now = fwd_core_now_ms(engine->core);

    name = (reply->element[1]->type == REDIS_REPLY_STRING)
           ? strchr(reply->element[1]->str, ' ') : NULL;

    if (name != NULL && strcmp(name + 1, engine->conf->owner) == 0
        && !fwd_engine_successor(engine)
        && fwd_log_pass(&shard->held_limit, now, FWD_LEASE_LOG_MS,
                        &suppressed))
    {
        fwd_log(engine->core->log, FWD_LOG_WARN,
                "shard is held under our own name, by another process?",
                fwd_kv_int("shard", shard->index),
                fwd_kv_text("lease", reply->element[1]->str));
    }

    /* somebody else works on it: what we have is of no use */

    fwd_shard_drop(shard);
    fwd_shard_set(shard, FWD_SHARD_WAITING);

    /* at the moment when it ends; before that it may be given back */

    pause = FWD_LEASE_AGAIN_MS;

    if (reply->element[2]->integer >= 0
        && (uint64_t) reply->element[2]->integer < pause)
    {
        pause = (uint64_t) reply->element[2]->integer + 1;
    }

    shard->again_ms = fwd_engine_successor(engine) ? now : now + pause;
}


void
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
                                     fwd_lease_renew_reply, shard, 0)
                       == FWD_OK);
}


static void
fwd_lease_renew_reply(void *data, redisReply *reply)
{
    fwd_rc_t      rc;
    fwd_shard_t  *shard = data;

    if (!shard->renewing) {
        return;                          /* of a connection we have left */
    }

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
        || shard->state > FWD_SHARD_ACTIVE
        || shard->releasing)
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


void
fwd_shard_release(fwd_shard_t *shard)
{
    fwd_args_t  *args;

    if (shard->state < FWD_SHARD_RECOVERING
        || shard->state > FWD_SHARD_ACTIVE)
    {
        return;
    }

    if (shard->releasing) {
        return;
    }

    args = &shard->engine->args;

    fwd_args_script(args, FWD_SCRIPT_RELEASE, 1);
    fwd_args_add(args, shard->owner.data, shard->owner.len);
    fwd_args_number(args, shard->epoch);

    shard->releasing = (fwd_args_send(args, shard->redis,
                                      fwd_lease_release_reply, shard, 0)
                        == FWD_OK);
}


/* Refused or lost: then it is not ours, or the next claim tells. */

static void
fwd_lease_release_reply(void *data, redisReply *reply)
{
    fwd_rc_t       rc;
    fwd_shard_t   *shard = data;
    fwd_engine_t  *engine;

    engine = shard->engine;

    if (!shard->releasing || reply == NULL) {
        shard->releasing = 0;
        return;
    }

    shard->releasing = 0;

    if (shard->state < FWD_SHARD_RECOVERING
        || shard->state > FWD_SHARD_ACTIVE)
    {
        return;
    }

    rc = fwd_script_result(shard->redis, reply);

    if (rc == FWD_AGAIN || rc == FWD_ERROR) {
        return;                          /* the tick sends it again */
    }

    fwd_log(engine->core->log, FWD_LOG_INFO, "shard released",
            fwd_kv_int("shard", shard->index),
            fwd_kv_int("epoch", shard->epoch));

    fwd_shard_drop(shard);

    shard->again_ms = fwd_core_now_ms(engine->core) + FWD_LEASE_AGAIN_MS;
    fwd_shard_set(shard, engine->stopping ? FWD_SHARD_RELEASED
                                          : FWD_SHARD_WAITING);
    fwd_members_wake(engine);
    fwd_engine_wake(engine);
}
