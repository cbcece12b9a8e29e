
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The life of a shard in an engine: its memory, its states, what is done at
 * each tick, and the way out of it.  The lease is the business of
 * fwd_lease.c, and how many shards an engine wants that of fwd_members.c.
 */


#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "../martech/martech_shard.h"

#include "fwd_backoff.h"
#include "fwd_dest.h"
#include "fwd_members.h"
#include "fwd_reader.h"
#include "fwd_remember.h"
#include "fwd_shard.h"


#define FWD_SHARD_LOG_MS   30000         /* the same trouble is named again */
#define FWD_SHARD_TRIM_MS  2000
#define FWD_SHARD_LOOK_MS  5000


static fwd_rc_t fwd_shard_keys(fwd_shard_t *shard);
static void fwd_shard_key(fwd_key_t *key, char **p, const char *tag,
    const char *what, const char *name);
static void fwd_shard_tick_owned(fwd_shard_t *shard, uint64_t now);
static void fwd_shard_under_way(void *value, void *data);


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

    fwd_seen_init(&shard->seen, engine->conf->dedup_window_ms,
                  engine->conf->dedup_max);

    shard->queues = calloc(2 * engine->dests_count, sizeof(fwd_queue_t));
    if (shard->queues == NULL) {
        return FWD_ERROR;
    }

    shard->queues_count = 2 * engine->dests_count;

    for (i = 0; i < engine->dests_count; i++) {
        fwd_queue_init(&shard->queues[i], shard, &engine->dests[i]);
        fwd_queue_init(&shard->queues[engine->dests_count + i], shard,
                       &engine->dests[i]);
        fwd_queue_pair(&shard->queues[i],
                       &shard->queues[engine->dests_count + i]);
    }

    return fwd_shard_keys(shard);
}


static fwd_rc_t
fwd_shard_keys(fwd_shard_t *shard)
{
    char           *p, tag[MARTECH_TAG_LEN_MAX], high[FWD_NAME_MAX + 4];
    size_t          tag_len;
    uint32_t        i;
    fwd_queue_t    *queue, *lane;
    const char     *name;
    martech_str_t   prefix;

    prefix.data = (const unsigned char *) shard->engine->conf->prefix;
    prefix.len = strlen(shard->engine->conf->prefix);

    tag_len = martech_shard_tag(tag, prefix, shard->index);

    /* the longest is "{tag}:retry:" with a name, and a zero */

    p = malloc((7 + 5 * shard->engine->dests_count)
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
    fwd_shard_key(&shard->quarantine, &p, tag, "quarantine", NULL);
    fwd_shard_key(&shard->link, &p, tag, "link", NULL);

    for (i = 0; i < shard->engine->dests_count; i++) {
        queue = &shard->queues[i];
        name = shard->engine->dests[i].conf->name;

        fwd_shard_key(&queue->q, &p, tag, "q", name);
        fwd_shard_key(&queue->retry, &p, tag, "retry", name);
        fwd_shard_key(&queue->try, &p, tag, "try", name);
        fwd_shard_key(&queue->dead, &p, tag, "dead", name);

        (void) snprintf(high, sizeof(high), "%s:hi", name);

        lane = queue->lane;
        fwd_shard_key(&lane->q, &p, tag, "q", high);
        lane->retry = queue->retry;
        lane->try = queue->try;
        lane->dead = queue->dead;
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
    fwd_seen_clear(&shard->seen);

    if (shard->queues != NULL) {
        for (i = 0; i < shard->queues_count; i++) {
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
fwd_shard_sendable(const fwd_shard_t *shard)
{
    return !shard->leaving && fwd_shard_owned(shard);
}


int
fwd_shard_readable(const fwd_shard_t *shard)
{
    /* an owner that was stopped and wakes up must not take new entries */

    return shard->state == FWD_SHARD_ACTIVE && fwd_shard_sendable(shard)
           && shard->unrouted_count < FWD_UNROUTED_MAX;
}


void
fwd_shard_up(fwd_shard_t *shard)
{
    if (shard->state != FWD_SHARD_IDLE) {
        return;
    }

    if (shard->mine) {
        fwd_shard_claim(shard);
        return;
    }

    shard->again_ms = 0;
    fwd_shard_set(shard, FWD_SHARD_WAITING);
    fwd_members_wake(shard->engine);
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

    /* it may have been carried out: fwd_lease.c */
    shard->claim_lost |= (shard->state == FWD_SHARD_CLAIMING);

    fwd_shard_forget_unrouted(shard);
    fwd_reader_end(shard);

    if (shard->state != FWD_SHARD_RELEASED) {
        fwd_shard_set(shard, FWD_SHARD_IDLE);
    }
}


void
fwd_shard_tick(fwd_shard_t *shard)
{
    uint64_t  now;

    now = fwd_core_now_ms(shard->engine->core);

    if (shard->state == FWD_SHARD_WAITING) {

        /* a lease that was never ours is claimed by fwd_members.c */

        if (shard->mine && now >= shard->again_ms) {
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

    fwd_shard_settle(shard);

    if (fwd_shard_owned(shard)) {
        fwd_shard_tick_owned(shard, now);
    }
}


static void
fwd_shard_tick_owned(fwd_shard_t *shard, uint64_t now)
{
    uint32_t  i;

    for (i = 0; i < shard->queues_count; i++) {
        if (!fwd_queue_settled(&shard->queues[i])) {
            fwd_post(shard->engine->core, &shard->queues[i].flush);
        }
    }

    if (shard->leaving) {
        return;
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

    if (shard->state == FWD_SHARD_ACTIVE && now >= shard->look_ms) {
        shard->look_ms = now + FWD_SHARD_LOOK_MS;
        fwd_shard_look(shard);
    }

    if (now >= shard->trim_ms) {
        shard->trim_ms = now + FWD_SHARD_TRIM_MS;
        fwd_shard_trim(shard);
    }
}


void
fwd_shard_leave(fwd_shard_t *shard, uint64_t patience_ms)
{
    uint64_t  now;

    if (!shard->mine || shard->leaving) {
        return;
    }

    now = fwd_core_now_ms(shard->engine->core);

    shard->leaving = 1;
    shard->leave_ms = now + patience_ms;

    fwd_shard_settle(shard);
}


void
fwd_shard_stay(fwd_shard_t *shard)
{
    uint32_t  i;

    if (!shard->leaving || shard->releasing) {
        return;
    }

    shard->leaving = 0;

    if (shard->unrouted_count != 0) {
        fwd_post(shard->engine->core, &shard->route);
    }

    for (i = 0; i < shard->engine->dests_count; i++) {
        fwd_dest_wake(&shard->engine->dests[i]);
    }
}


void
fwd_shard_settle(fwd_shard_t *shard)
{
    uint64_t  now;

    if (!shard->leaving || shard->releasing) {
        return;
    }

    now = fwd_core_now_ms(shard->engine->core);

    if (now < shard->leave_ms && fwd_shard_owned(shard)
        && !fwd_shard_settled(shard))
    {
        return;
    }

    fwd_shard_release(shard);
}


/*
 * Entries that were read but are not being routed are not waited for: they
 * are pending, and the next owner reads them.  But a read that is on its way
 * is: what it brings would be pending with us, unseen by the next owner.
 */

int
fwd_shard_settled(fwd_shard_t *shard)
{
    int           under_way;
    uint32_t      i;
    fwd_queue_t  *queue;

    under_way = 0;

    for (i = 0; i < shard->queues_count; i++) {
        queue = &shard->queues[i];

        /* batches that wait would wait longer than we do */
        fwd_dest_recall(queue->dest, shard);

        if (!fwd_queue_settled(queue)) {
            return 0;
        }

        fwd_idmap_each(&queue->items, fwd_shard_under_way, &under_way);
    }

    return !under_way && shard->routing == NULL
           && !fwd_reader_reads(shard);
}


static void
fwd_shard_under_way(void *value, void *data)
{
    int         *under_way = data;
    fwd_item_t  *item = value;

    *under_way |= !item->waiting;
}


void
fwd_shard_drop(fwd_shard_t *shard)
{
    uint32_t  i;

    shard->generation++;
    shard->lease_ms = 0;
    shard->mine = 0;
    shard->leaving = 0;
    shard->releasing = 0;
    shard->strangers_known = 0;

    fwd_shard_forget_unrouted(shard);
    fwd_reader_end(shard);
    fwd_remember_clear(shard);

    for (i = 0; i < shard->queues_count; i++) {
        fwd_queue_drop(&shard->queues[i]);
    }
}


void
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


void
fwd_shard_rewind(fwd_shard_t *shard)
{
    uint32_t  i;

    for (i = 0; i < shard->queues_count; i++) {
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

    if (shard->routing != NULL) {

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

    if (fwd_redis_is_elsewhere(reply)) {
        return;                          /* no error: fwd_topology.c */
    }

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
