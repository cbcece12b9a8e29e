
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The life of a destination: loads and sends.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_call.h"
#include "fwd_dead.h"
#include "fwd_dest.h"
#include "fwd_gate.h"
#include "fwd_shard.h"
#include "fwd_steady.h"


#define FWD_DEST_VERSIONS_MAX  1024
#define FWD_DEST_EVENT_BYTES  4096        /* of an event not yet seen */
#define FWD_DEST_RETRY_MIN    64         /* retries in memory, at least */
#define FWD_DEST_WAIT_MAX_MS  30000      /* clocks may be set: look again */
#define FWD_DEST_MEMORY_MS    100        /* wait when memory is short */


static void fwd_dest_run(void *data);
static void fwd_dest_timer(uv_timer_t *timer);
static void fwd_dest_load(fwd_dest_t *dest);
static uint32_t fwd_dest_load_room(const fwd_dest_t *dest);
static int fwd_dest_load_lane(fwd_dest_t *dest, uint32_t lane, uint32_t room,
    uint32_t first);
static void fwd_dest_load_due(fwd_dest_t *dest);
static uint64_t fwd_dest_send(fwd_dest_t *dest);
static int fwd_dest_loads(fwd_dest_t *dest);
static fwd_rc_t fwd_dest_init_policy(fwd_dest_t *dest, fwd_error_t *err);
static void fwd_dest_arm(fwd_dest_t *dest, uint64_t wait_ms);


static const fwd_kind_t *const  fwd_dest_kinds[] = {
    [FWD_KIND_FILE] = &fwd_kind_file,
    [FWD_KIND_HTTP] = &fwd_kind_http
};


fwd_rc_t
fwd_dest_init(fwd_dest_t *dest, fwd_engine_t *engine,
    const fwd_dest_conf_t *conf, uint32_t index, fwd_error_t *err)
{
    fwd_buf_t     versions;
    fwd_report_t  report;

    dest->engine = engine;
    dest->conf = conf;
    dest->index = index;
    dest->stats = &engine->stats->dests[index];
    dest->stats->concurrency = conf->limits.concurrency;
    dest->kind = fwd_dest_kinds[conf->desc->kind];
    dest->due_ms = UINT64_MAX;

    fwd_list_init(&dest->again);
    fwd_list_init(&dest->ready);
    fwd_list_init(&dest->ready_high);
    fwd_list_init(&dest->lane);
    fwd_post_init(&dest->run, fwd_dest_run, dest);

    if (uv_timer_init(engine->core->loop, &dest->timer) != 0) {
        return fwd_error(err, "cannot make a timer");
    }

    dest->timer.data = dest;
    dest->timer_open = 1;

    if (fwd_gate_create(dest) != FWD_OK) {
        return fwd_error(err, "out of memory");
    }

    memset(&report, 0, sizeof(fwd_report_t));
    report.pool = (fwd_pool_t *) &engine->conf->pool;

    if (conf->desc->map != NULL
        && fwd_map_create(&dest->map, conf, &report) != FWD_OK)
    {
        return fwd_error(err, "%s", report.texts[0]);
    }

    fwd_buf_init(&versions, FWD_DEST_VERSIONS_MAX);
    fwd_dead_versions(&versions, conf, engine->conf->digest);
    dest->versions = fwd_pool_string((fwd_pool_t *) &engine->conf->pool,
                                     versions.data, versions.len);
    fwd_buf_free(&versions);

    if (fwd_wanted_create(&dest->wanted, conf, &report) != FWD_OK) {
        return fwd_error(err, "%s", report.texts[0]);
    }

    dest->needs_person = fwd_wanted_needs_person(&conf->wanted)
                         || conf->policy.order == FWD_ORDER_PERSON
                         || (conf->desc->map != NULL
                             && fwd_map_needs_person(conf->desc->map));
    engine->needs_person |= dest->needs_person;
    if (fwd_dest_init_policy(dest, err) != FWD_OK) {
        return FWD_ERROR;
    }

    return dest->kind->create(&dest->ctx, engine->core, conf, err);
}


static fwd_rc_t
fwd_dest_init_policy(fwd_dest_t *dest, fwd_error_t *err)
{
    if (dest->conf->policy.order == FWD_ORDER_PERSON) {
        dest->order = malloc(sizeof(fwd_persons_t));

        if (dest->order == NULL) {
            return fwd_error(err, "out of memory");
        }

        fwd_order_init(dest->order);
    }

    if (fwd_fallback_init(dest, err) != FWD_OK) {
        return FWD_ERROR;
    }

    if (fwd_groups_create(dest, err) != FWD_OK) {
        return FWD_ERROR;
    }

    return fwd_shadow_create(dest, err);
}


const char *
fwd_dest_reason(fwd_dest_t *dest, const char *reason)
{
    char      *copy;
    uint32_t   i;

    for (i = 0; i < dest->reasons_count; i++) {
        if (strcmp(dest->reasons[i], reason) == 0) {
            return dest->reasons[i];
        }
    }

    copy = (dest->reasons_count < FWD_DEST_REASONS_MAX) ? strdup(reason)
                                                        : NULL;
    if (copy == NULL) {
        return "map_refused";
    }

    dest->reasons[dest->reasons_count++] = copy;

    return copy;
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

    fwd_groups_recall(dest, NULL);

    while (!fwd_list_empty(&dest->again)) {
        batch = fwd_list_data(dest->again.next, fwd_batch_t, link);
        fwd_list_remove(&batch->link);
        fwd_batch_forget(batch);
    }
}


void
fwd_dest_cleanup(fwd_dest_t *dest)
{
    fwd_post_cancel(&dest->run);
    fwd_map_destroy(dest->map);
    fwd_gate_destroy(dest);
    dest->map = NULL;
    fwd_wanted_destroy(dest->wanted);
    dest->wanted = NULL;

    fwd_shadow_destroy(dest);
    fwd_groups_destroy(dest);

    while (dest->reasons_count != 0) {
        free(dest->reasons[--dest->reasons_count]);
    }

    if (dest->order != NULL) {
        fwd_order_free(dest->order);
        free(dest->order);
        dest->order = NULL;
    }
}


/*
 * An event that ended a loop was put aside just now.  The next one may end
 * this loop, and that has to be in Redis by then.
 */

int
fwd_dest_rests(const fwd_dest_t *dest)
{
    return fwd_core_now_ms(dest->engine->core) < dest->rest_ms;
}


void
fwd_dest_wake(fwd_dest_t *dest)
{
    if (dest->timer_open) {
        fwd_post(dest->engine->core, &dest->run);
    }
}


int
fwd_dest_has_room(const fwd_dest_t *dest, size_t bytes, unsigned high)
{
    const fwd_limits_t  *limits;

    limits = &dest->conf->limits;

    /* one event always fits, whatever its size */

    if (dest->window_count == 0) {
        return 1;
    }

    if (dest->order != NULL) {
        return fwd_order_has_room(dest, bytes);
    }

    return dest->window_count < limits->window_count
                                + (high ? limits->window_count / 4 : 0)
           && dest->window_bytes + bytes
              <= limits->window_bytes
                 + (high ? limits->window_bytes / 4 : 0);
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
    uint64_t     wait, serve;
    fwd_dest_t  *dest = data;

    serve = FWD_DEST_WAIT_MAX_MS;

    if (dest->engine->stopping) {
        fwd_gate_serve(dest, &serve);    /* what is under way may end */
        return;
    }

    fwd_gate_serve(dest, &serve);
    fwd_fallback_run(dest);

    if (!dest->diverting) {
        fwd_dest_load(dest);
        fwd_dest_load_due(dest);
    }

    wait = fwd_dest_send(dest);

    fwd_dest_arm(dest, wait < serve ? wait : serve);
}


/*
 * Starts loads of queues that are behind, from where it stopped the last
 * time, as many as the window has room for.  A load is worth its two round
 * trips only when there is room for a good part of it.  High lanes are loaded
 * first, and into the room that is theirs.
 */

static void
fwd_dest_load(fwd_dest_t *dest)
{
    int  behind;

    if (!dest->behind) {
        return;
    }

    behind = 0;

    if (fwd_dest_has_room(dest, FWD_DEST_EVENT_BYTES, 1)) {
        behind |= fwd_dest_load_lane(dest, dest->engine->dests_count
                                           + dest->index, 1, 0);
    }

    if (!fwd_dest_loads(dest)) {
        return;
    }

    behind |= fwd_dest_load_lane(dest, dest->index, fwd_dest_load_room(dest),
                                 dest->next_fetch);

    dest->behind = (behind != 0);
}


/* How many loads the window has room for. */

static uint32_t
fwd_dest_load_room(const fwd_dest_t *dest)
{
    size_t    average, bytes;
    uint32_t  room, window;

    window = (uint32_t) fwd_order_window(dest);
    room = window - dest->window_count;
    room = 1 + room / 256;

    /* a load is 128 events, of the size of those in the window */

    average = dest->window_count ? dest->window_bytes / dest->window_count
                                 : FWD_DEST_EVENT_BYTES;
    bytes = dest->conf->limits.window_bytes
            * (window / dest->conf->limits.window_count)
            - dest->window_bytes;

    if (room > 1 + bytes / (128 * (average + 1))) {
        room = (uint32_t) (1 + bytes / (128 * (average + 1)));
    }

    return room;
}


/* 1 if there may be more to load. */

static int
fwd_dest_load_lane(fwd_dest_t *dest, uint32_t lane, uint32_t room,
    uint32_t first)
{
    uint32_t       i, n, behind;
    fwd_queue_t   *queue;
    fwd_engine_t  *engine;

    engine = dest->engine;
    behind = 0;

    for (i = 0; i < engine->shards_count && room != 0; i++) {
        n = (first + i) % engine->shards_count;
        queue = &engine->shards[n].queues[lane];

        if (queue->behind) {
            behind++;
            fwd_queue_fetch(queue);
        }

        if (queue->load != NULL) {
            behind++;
            room--;
        }
    }

    if (room == 0 && lane == dest->index) {
        dest->next_fetch = (first + i) % engine->shards_count;
    }

    return room == 0 || behind != 0;
}


static int
fwd_dest_loads(fwd_dest_t *dest)
{
    if (dest->order != NULL) {
        return fwd_order_loads(dest);
    }

    return dest->window_count <= dest->conf->limits.window_count / 2
           && dest->window_bytes <= dest->conf->limits.window_bytes / 2;
}


static void
fwd_dest_load_due(fwd_dest_t *dest)
{
    uint32_t       i;
    uint64_t       now;
    fwd_queue_t   *queue;
    fwd_engine_t  *engine;

    now = fwd_steady_ms();

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
    uint64_t      wait, dry;
    fwd_batch_t  *batch;

    dry = 0;
    wait = FWD_DEST_WAIT_MAX_MS;

    while (fwd_gate_open(dest, &wait)) {

        if (fwd_dest_rests(dest)) {
            return dest->rest_ms - fwd_core_now_ms(dest->engine->core);
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

        if (dest->conf->http.endpoints != NULL && batch->calls == NULL
            && fwd_calls_cut(batch, dest->conf, 0) != FWD_OK)
        {
            fwd_list_insert_before(dest->again.next, &batch->link);
            return FWD_DEST_MEMORY_MS;
        }

        if (dest->conf->policy.mode != FWD_MODE_SEND) {
            fwd_shadow_end(dest, batch);

            if (++dry == dest->conf->limits.concurrency) {
                return 0;                /* others have a turn */
            }

            continue;
        }

        if (fwd_gate_take(dest, batch, &wait) != FWD_OK) {

            /* a lease may be shorter than a map takes: not once more */

            batch->filled = 1;
            fwd_list_insert_before(dest->again.next, &batch->link);
            break;
        }

        batch->filled = 0;
        batch->started_us = uv_hrtime() / 1000;
        fwd_batch_reset_outcome(batch);

        fwd_fail(dest->engine->core, FWD_FAIL_BEFORE_SEND);

        fwd_gate_sent(dest, batch);
        dest->kind->send(dest->ctx, batch);
    }

    return wait;
}


static void
fwd_dest_arm(fwd_dest_t *dest, uint64_t wait_ms)
{
    uint64_t  now;

    /* due times of 0 wait for room, and whoever makes room wakes us */

    if (dest->due_ms != UINT64_MAX && dest->due_ms != 0
        && !dest->diverting)
    {
        now = fwd_steady_ms();

        if (dest->due_ms <= now) {
            wait_ms = 1;

        } else if (dest->due_ms - now < wait_ms) {
            wait_ms = dest->due_ms - now;
        }
    }

    (void) uv_timer_start(&dest->timer, fwd_dest_timer, wait_ms, 0);
}


void
fwd_dest_recall(fwd_dest_t *dest, const fwd_shard_t *shard)
{
    uint32_t      i;
    fwd_link_t   *link, *next;
    fwd_batch_t  *batch;

    fwd_groups_recall(dest, shard);

    for (link = dest->again.next; link != &dest->again; link = next) {
        next = link->next;
        batch = fwd_list_data(link, fwd_batch_t, link);

        for (i = 0; i < batch->items_count; i++) {
            if (batch->items[i]->queue != NULL
                && batch->items[i]->queue->shard == shard)
            {
                fwd_list_remove(link);
                fwd_batch_forget(batch);
                break;
            }
        }
    }
}


void
fwd_batch_forget(fwd_batch_t *batch)
{
    uint32_t  i;

    for (i = 0; i < batch->items_count; i++) {
        fwd_queue_forget(batch->items[i]);
    }

    fwd_batch_free(batch);
}
