
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What becomes of the events of a batch once its outcome is known.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_backoff.h"
#include "fwd_dest.h"
#include "fwd_gate.h"
#include "fwd_shard.h"


#define FWD_JUDGE_LOG_EVENTS  20         /* ids of a batch in the log */


static void fwd_judge_log(const fwd_batch_t *batch);
static void fwd_judge_delivered(fwd_batch_t *batch);
static void fwd_judge_retry(fwd_batch_t *batch);
static void fwd_judge_rejected(fwd_batch_t *batch);
static void fwd_judge_split(fwd_batch_t *batch);
static void fwd_judge_paused(fwd_batch_t *batch);


/* Pauses that the kind asks for without a time, such as of a full disk. */
static const fwd_backoff_t  fwd_judge_pause = {
    .base_ms = 200, .factor = 2, .cap_ms = 10000
};


void
fwd_batch_done(fwd_batch_t *batch)
{
    fwd_dest_t  *dest;

    dest = batch->dest;

    fwd_fail(dest->engine->core, FWD_FAIL_AFTER_SEND);

    fwd_gate_judge(dest, batch);
    fwd_stats_attempt(dest->stats, batch->outcome, batch->items_count,
                      uv_hrtime() / 1000 - batch->started_us);
    fwd_judge_log(batch);

    if (batch->outcome != FWD_OUTCOME_PAUSED) {
        dest->paused_count = 0;
    }

    switch (batch->outcome) {

    case FWD_OUTCOME_DELIVERED:
        fwd_judge_delivered(batch);
        break;

    case FWD_OUTCOME_REJECTED:
        fwd_judge_rejected(batch);
        break;

    case FWD_OUTCOME_PAUSED:
        fwd_judge_paused(batch);
        break;

    default:
        fwd_judge_retry(batch);
        break;
    }

    fwd_dest_wake(dest);
}


static void
fwd_judge_log(const fwd_batch_t *batch)
{
    uint32_t             i, n;
    uint64_t             ms;
    fwd_log_t           *log;
    const fwd_event_t   *ev;
    fwd_log_level_t      level;
    martech_str_t        ids[FWD_JUDGE_LOG_EVENTS];

    log = batch->core->log;
    level = (batch->outcome == FWD_OUTCOME_DELIVERED)
            ? FWD_LOG_INFO : FWD_LOG_WARN;

    if (!fwd_log_enabled(log, level)
        || (level == FWD_LOG_INFO
            && !batch->dest->engine->conf->log_attempts))
    {
        return;
    }

    ms = (uv_hrtime() / 1000 - batch->started_us) / 1000;
    ev = batch->items[0]->event;

    if (batch->items_count == 1) {
        fwd_log(log, level, "attempt",
                fwd_kv_text("destination", batch->dest->conf->name),
                fwd_kv_str("event", ev->message_id),
                fwd_kv_str("request", ev->request_id),
                fwd_kv_int("attempt", batch->attempt),
                fwd_kv_text("class", fwd_outcome_name(batch->outcome)),
                fwd_kv_int("status", batch->status),
                fwd_kv_int("ms", ms),
                fwd_kv_text("reason", batch->reason));
        return;
    }

    n = batch->items_count < FWD_JUDGE_LOG_EVENTS
        ? batch->items_count : FWD_JUDGE_LOG_EVENTS;

    for (i = 0; i < n; i++) {
        ids[i] = batch->items[i]->event->message_id;
    }

    fwd_log(log, level, "attempt",
            fwd_kv_text("destination", batch->dest->conf->name),
            fwd_kv_int("count", batch->items_count),
            fwd_kv_strs("events", ids, n),
            fwd_kv_int("attempt", batch->attempt),
            fwd_kv_text("class", fwd_outcome_name(batch->outcome)),
            fwd_kv_int("status", batch->status),
            fwd_kv_int("ms", ms),
            fwd_kv_text("reason", batch->reason));
}


static void
fwd_judge_delivered(fwd_batch_t *batch)
{
    uint32_t  i;

    for (i = 0; i < batch->items_count; i++) {
        fwd_queue_finish(batch->items[i], FWD_FINISH_DONE);
    }

    fwd_batch_free(batch);
}


static void
fwd_judge_retry(fwd_batch_t *batch)
{
    double                due;
    uint32_t              i;
    uint64_t              now, age, delay;
    fwd_item_t           *item;
    fwd_dest_t           *dest;
    const fwd_backoff_t  *retry;

    dest = batch->dest;
    retry = &dest->conf->limits.retry;
    now = fwd_wall_ms();

    delay = fwd_backoff_delay(retry, batch->attempt,
                              fwd_core_random(batch->core));

    if (batch->outcome == FWD_OUTCOME_THROTTLED && batch->wait_ms != 0) {
        if (delay < batch->wait_ms) {
            delay = batch->wait_ms;
        }
    }

    /* one time for all of the batch, and unlike that of any other batch */

    due = (double) (now + delay)
          + (double) (fwd_core_random(batch->core) % 1000) / 1024;

    for (i = 0; i < batch->items_count; i++) {
        item = batch->items[i];
        item->attempts++;
        item->status = batch->status;

        age = (now > item->event->id.ms) ? now - item->event->id.ms : 0;

        if (fwd_backoff_exhausted(retry, item->attempts, age)) {
            item->reason = "gave_up";
            fwd_queue_finish(item, FWD_FINISH_DEAD);
            continue;
        }

        item->due = due;
        fwd_queue_finish(item, FWD_FINISH_RETRY);
    }

    fwd_batch_free(batch);
}


static void
fwd_judge_rejected(fwd_batch_t *batch)
{
    fwd_item_t  *item;

    if (batch->items_count > 1) {
        fwd_judge_split(batch);
        return;
    }

    item = batch->items[0];
    item->attempts++;
    item->status = batch->status;
    item->reason = fwd_outcome_name(FWD_OUTCOME_REJECTED);

    fwd_queue_finish(item, FWD_FINISH_DEAD);
    fwd_batch_free(batch);
}


/*
 * One bad event makes a whole batch bad, so halves are sent until it stands
 * alone: log2 n more requests instead of n.
 */

static void
fwd_judge_split(fwd_batch_t *batch)
{
    uint32_t      i, middle;
    fwd_dest_t   *dest;
    fwd_batch_t  *half;

    dest = batch->dest;
    middle = batch->items_count / 2;

    half = fwd_batch_create(batch->core, dest);

    if (half == NULL) {
        fwd_batch_forget(batch);
        return;
    }

    for (i = middle; i < batch->items_count; i++) {
        if (fwd_batch_add(half, batch->items[i]) != FWD_OK) {
            fwd_queue_forget(batch->items[i]);
        }
    }

    batch->items_count = middle;

    fwd_list_insert_before(dest->again.next, &half->link);
    fwd_list_insert_before(dest->again.next, &batch->link);
}


static void
fwd_judge_paused(fwd_batch_t *batch)
{
    uint64_t     wait;
    fwd_dest_t  *dest;

    dest = batch->dest;
    wait = batch->wait_ms;

    if (wait == 0) {
        wait = fwd_backoff_delay(&fwd_judge_pause, ++dest->paused_count,
                                 fwd_core_random(batch->core));
    }

    dest->hold_ms = fwd_core_now_ms(batch->core) + wait;

    fwd_list_insert_before(dest->again.next, &batch->link);
}
