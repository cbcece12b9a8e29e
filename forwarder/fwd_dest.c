
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The life of a destination: loads, sends, and judges.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_backoff.h"
#include "fwd_dest.h"
#include "fwd_shard.h"


#define FWD_DEST_EVENT_BYTES  4096        /* of an event not yet seen */
#define FWD_DEST_RETRY_MIN    64         /* retries in memory, at least */
#define FWD_DEST_WAIT_MAX_MS  30000      /* clocks may be set: look again */
#define FWD_DEST_MEMORY_MS    100        /* wait when memory is short */
#define FWD_DEST_LOG_EVENTS   20         /* ids of a batch in the log */


static void fwd_dest_run(void *data);
static void fwd_dest_timer(uv_timer_t *timer);
static void fwd_dest_load(fwd_dest_t *dest);
static void fwd_dest_load_due(fwd_dest_t *dest);
static uint64_t fwd_dest_send(fwd_dest_t *dest);
static void fwd_dest_arm(fwd_dest_t *dest, uint64_t wait_ms);
static void fwd_dest_log(const fwd_batch_t *batch);
static void fwd_dest_delivered(fwd_batch_t *batch);
static void fwd_dest_retry(fwd_batch_t *batch);
static void fwd_dest_rejected(fwd_batch_t *batch);
static void fwd_dest_split(fwd_batch_t *batch);
static void fwd_dest_paused(fwd_batch_t *batch);
static void fwd_dest_forget(fwd_batch_t *batch);


static const fwd_kind_t *const  fwd_dest_kinds[] = {
    [FWD_KIND_FILE] = &fwd_kind_file,
    [FWD_KIND_HTTP] = &fwd_kind_http
};


/* Pauses that the kind asks for without a time, such as of a full disk. */
static const fwd_backoff_t  fwd_dest_pause = {
    .base_ms = 200, .factor = 2, .cap_ms = 10000
};


fwd_rc_t
fwd_dest_init(fwd_dest_t *dest, fwd_engine_t *engine,
    const fwd_dest_conf_t *conf, uint32_t index, fwd_error_t *err)
{
    fwd_report_t  report;

    dest->engine = engine;
    dest->conf = conf;
    dest->index = index;
    dest->kind = fwd_dest_kinds[conf->desc->kind];
    dest->due_ms = UINT64_MAX;

    fwd_list_init(&dest->again);
    fwd_list_init(&dest->ready);
    fwd_list_init(&dest->lane);
    fwd_post_init(&dest->run, fwd_dest_run, dest);

    if (uv_timer_init(engine->core->loop, &dest->timer) != 0) {
        return fwd_error(err, "cannot make a timer");
    }

    dest->timer.data = dest;
    dest->timer_open = 1;

    if (conf->desc->map != NULL) {
        memset(&report, 0, sizeof(fwd_report_t));
        report.pool = (fwd_pool_t *) &engine->conf->pool;

        if (fwd_map_create(&dest->map, conf, &report) != FWD_OK) {
            return fwd_error(err, "%s", report.texts[0]);
        }
    }

    return dest->kind->create(&dest->ctx, engine->core, conf, err);
}


void
fwd_dest_close(fwd_dest_t *dest)
{
    fwd_batch_t  *batch;

    fwd_post_cancel(&dest->run);

    if (dest->timer_open) {
        dest->timer_open = 0;
        uv_close((uv_handle_t *) &dest->timer, NULL);
    }

    if (dest->ctx != NULL) {
        dest->kind->destroy(dest->ctx);
        dest->ctx = NULL;
    }

    while (!fwd_list_empty(&dest->again)) {
        batch = fwd_list_data(dest->again.next, fwd_batch_t, link);
        fwd_list_remove(&batch->link);
        fwd_dest_forget(batch);
    }
}


void
fwd_dest_cleanup(fwd_dest_t *dest)
{
    fwd_post_cancel(&dest->run);
    fwd_map_destroy(dest->map);
    dest->map = NULL;
}


void
fwd_dest_wake(fwd_dest_t *dest)
{
    if (dest->timer_open) {
        fwd_post(dest->engine->core, &dest->run);
    }
}


int
fwd_dest_has_room(const fwd_dest_t *dest, size_t bytes)
{
    /* one event always fits, whatever its size */

    return dest->window_count == 0
           || (dest->window_count < dest->conf->limits.window_count
               && dest->window_bytes + bytes
                  <= dest->conf->limits.window_bytes);
}


uint32_t
fwd_dest_retry_room(const fwd_dest_t *dest)
{
    uint32_t  max;

    max = (uint32_t) dest->conf->limits.batch_count * 2;

    if (max < FWD_DEST_RETRY_MIN) {
        max = FWD_DEST_RETRY_MIN;
    }

    return dest->retry_count < max ? max - dest->retry_count : 0;
}


void
fwd_dest_due(fwd_dest_t *dest, uint64_t due_ms)
{
    if (due_ms < dest->due_ms) {
        dest->due_ms = due_ms;
        fwd_dest_wake(dest);
    }
}


/* Mostly the new one is the last: look from the end. */

void
fwd_dest_add_retry(fwd_dest_t *dest, fwd_item_t *item)
{
    fwd_link_t  *link;
    fwd_item_t  *other;

    for (link = dest->lane.prev; link != &dest->lane; link = link->prev) {
        other = fwd_list_data(link, fwd_item_t, link);

        if (other->due < item->due) {
            break;
        }

        if (other->due > item->due) {
            continue;
        }

        if (other->queue->shard->index < item->queue->shard->index) {
            break;
        }

        if (other->queue == item->queue
            && fwd_id_compare(other->event->id, item->event->id) < 0)
        {
            break;
        }
    }

    item->waiting = 1;
    fwd_list_insert_before(link->next, &item->link);
    dest->lane_count++;
}


static void
fwd_dest_timer(uv_timer_t *timer)
{
    fwd_dest_wake(timer->data);
}


static void
fwd_dest_run(void *data)
{
    uint64_t     wait;
    fwd_dest_t  *dest = data;

    if (dest->engine->stopping) {
        return;
    }

    fwd_dest_load(dest);
    fwd_dest_load_due(dest);

    wait = fwd_dest_send(dest);

    fwd_dest_arm(dest, wait);
}


/*
 * Starts loads of queues that are behind, from where it stopped the last
 * time, as many as the window has room for.  A load is worth its two round
 * trips only when there is room for a good part of it.
 */

static void
fwd_dest_load(fwd_dest_t *dest)
{
    size_t         average, bytes;
    uint32_t       i, n, behind, room;
    fwd_queue_t   *queue;
    fwd_engine_t  *engine;

    if (!dest->behind
        || dest->window_count > dest->conf->limits.window_count / 2
        || dest->window_bytes > dest->conf->limits.window_bytes / 2)
    {
        return;
    }

    engine = dest->engine;
    room = (uint32_t) dest->conf->limits.window_count - dest->window_count;
    room = 1 + room / 256;
    behind = 0;

    /* a load is 128 events, of the size of those in the window */

    average = dest->window_count ? dest->window_bytes / dest->window_count
                                 : FWD_DEST_EVENT_BYTES;
    bytes = dest->conf->limits.window_bytes - dest->window_bytes;

    if (room > 1 + bytes / (128 * (average + 1))) {
        room = (uint32_t) (1 + bytes / (128 * (average + 1)));
    }

    for (i = 0; i < engine->shards_count && room != 0; i++) {
        n = (dest->next_fetch + i) % engine->shards_count;
        queue = &engine->shards[n].queues[dest->index];

        if (queue->behind) {
            behind++;
            fwd_queue_fetch(queue);
        }

        if (queue->load != NULL) {
            behind++;
            room--;
        }
    }

    if (room == 0) {
        dest->next_fetch = (dest->next_fetch + i) % engine->shards_count;

    } else if (behind == 0) {
        dest->behind = 0;
    }
}


static void
fwd_dest_load_due(fwd_dest_t *dest)
{
    uint32_t       i;
    uint64_t       now;
    fwd_queue_t   *queue;
    fwd_engine_t  *engine;

    now = fwd_wall_ms();

    if (dest->due_ms > now) {
        return;
    }

    engine = dest->engine;
    dest->due_ms = UINT64_MAX;

    for (i = 0; i < engine->shards_count; i++) {
        queue = &engine->shards[i].queues[dest->index];

        if (queue->due_ms <= now) {
            fwd_queue_fetch_due(queue);
        }

        if (queue->due_ms < dest->due_ms) {
            dest->due_ms = queue->due_ms;
        }
    }
}


/* Returns how long there is nothing to do, as far as can be seen here. */

static uint64_t
fwd_dest_send(fwd_dest_t *dest)
{
    fwd_rc_t      rc;
    uint64_t      now, wait;
    fwd_batch_t  *batch;

    now = fwd_core_now_ms(dest->engine->core);
    wait = FWD_DEST_WAIT_MAX_MS;

    while (dest->inflight_count < dest->conf->limits.concurrency) {

        if (now < dest->hold_ms) {
            return dest->hold_ms - now < wait ? dest->hold_ms - now : wait;
        }

        batch = fwd_dest_select(dest, &wait);
        if (batch == NULL) {
            break;
        }

        rc = fwd_dest_fill(dest, batch);

        if (rc != FWD_OK) {
            fwd_batch_free(batch);

            if (rc == FWD_NONE) {
                continue;
            }

            return FWD_DEST_MEMORY_MS;
        }

        fwd_batch_seal(batch);

        batch->started_us = uv_hrtime() / 1000;
        batch->outcome = FWD_OUTCOME_RETRY;
        batch->status = 0;
        batch->wait_ms = 0;
        batch->reason[0] = '\0';

        fwd_fail(dest->engine->core, FWD_FAIL_BEFORE_SEND);

        dest->inflight_count++;
        dest->kind->send(dest->ctx, batch);
    }

    return wait;
}


static void
fwd_dest_arm(fwd_dest_t *dest, uint64_t wait_ms)
{
    uint64_t  now;

    /* due times of 0 wait for room, and whoever makes room wakes us */

    if (dest->due_ms != UINT64_MAX && dest->due_ms != 0) {
        now = fwd_wall_ms();

        if (dest->due_ms <= now) {
            wait_ms = 1;

        } else if (dest->due_ms - now < wait_ms) {
            wait_ms = dest->due_ms - now;
        }
    }

    (void) uv_timer_start(&dest->timer, fwd_dest_timer, wait_ms, 0);
}


void
fwd_batch_done(fwd_batch_t *batch)
{
    fwd_dest_t  *dest;

    dest = batch->dest;

    fwd_fail(dest->engine->core, FWD_FAIL_AFTER_SEND);

    dest->inflight_count--;

    fwd_dest_log(batch);

    if (batch->outcome != FWD_OUTCOME_PAUSED) {
        dest->paused_count = 0;
    }

    switch (batch->outcome) {

    case FWD_OUTCOME_DELIVERED:
        fwd_dest_delivered(batch);
        break;

    case FWD_OUTCOME_REJECTED:
        fwd_dest_rejected(batch);
        break;

    case FWD_OUTCOME_PAUSED:
        fwd_dest_paused(batch);
        break;

    default:
        fwd_dest_retry(batch);
        break;
    }

    fwd_dest_wake(dest);
}


static void
fwd_dest_log(const fwd_batch_t *batch)
{
    uint32_t             i, n;
    uint64_t             ms;
    fwd_log_t           *log;
    const fwd_event_t   *ev;
    fwd_log_level_t      level;
    martech_str_t        ids[FWD_DEST_LOG_EVENTS];

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

    n = batch->items_count < FWD_DEST_LOG_EVENTS
        ? batch->items_count : FWD_DEST_LOG_EVENTS;

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
fwd_dest_delivered(fwd_batch_t *batch)
{
    uint32_t  i;

    for (i = 0; i < batch->items_count; i++) {
        fwd_queue_finish(batch->items[i], FWD_FINISH_DONE);
    }

    fwd_batch_free(batch);
}


static void
fwd_dest_retry(fwd_batch_t *batch)
{
    double                due;
    uint32_t              i;
    uint64_t              now, age, delay, hold;
    fwd_item_t           *item;
    fwd_dest_t           *dest;
    const fwd_backoff_t  *retry;

    dest = batch->dest;
    retry = &dest->conf->limits.retry;
    now = fwd_wall_ms();

    delay = fwd_backoff_delay(retry, batch->attempt,
                              fwd_core_random(batch->core));

    if (batch->outcome == FWD_OUTCOME_THROTTLED && batch->wait_ms != 0) {
        hold = fwd_core_now_ms(batch->core) + batch->wait_ms;

        if (hold > dest->hold_ms) {
            dest->hold_ms = hold;
        }

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
fwd_dest_rejected(fwd_batch_t *batch)
{
    fwd_item_t  *item;

    if (batch->items_count > 1) {
        fwd_dest_split(batch);
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
fwd_dest_split(fwd_batch_t *batch)
{
    uint32_t      i, middle;
    fwd_dest_t   *dest;
    fwd_batch_t  *half;

    dest = batch->dest;
    middle = batch->items_count / 2;

    half = fwd_batch_create(batch->core, dest);

    if (half == NULL) {
        fwd_dest_forget(batch);
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
fwd_dest_paused(fwd_batch_t *batch)
{
    uint64_t     wait;
    fwd_dest_t  *dest;

    dest = batch->dest;
    wait = batch->wait_ms;

    if (wait == 0) {
        wait = fwd_backoff_delay(&fwd_dest_pause, ++dest->paused_count,
                                 fwd_core_random(batch->core));
    }

    dest->hold_ms = fwd_core_now_ms(batch->core) + wait;

    fwd_list_insert_before(dest->again.next, &batch->link);
}


/* Its events are in Redis and will be loaded again. */

static void
fwd_dest_forget(fwd_batch_t *batch)
{
    uint32_t  i;

    for (i = 0; i < batch->items_count; i++) {
        fwd_queue_forget(batch->items[i]);
    }

    fwd_batch_free(batch);
}
