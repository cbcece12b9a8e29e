
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What a destination sends next.
 *
 * Batches that were cut in halves, or paused, come first.  Then retries and
 * fresh events take turns, 1 to 3, so that old failures cannot starve new
 * events.  Retries are sent in the sets in which they failed: such a set has
 * one due time, with a random fraction, and a fixed order (shard, ID), so
 * its request comes out the same also after a restart.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_call.h"
#include "fwd_dest.h"
#include "fwd_gate.h"
#include "fwd_identity.h"
#include "fwd_shard.h"
#include "fwd_watch.h"


#define FWD_TURN_FRESH   3               /* fresh batches for one of retries */
#define FWD_FILL_LOG_MS  1000
#define FWD_FILL_REST_MS 50              /* for a dead letter to be written */


typedef struct {
    const fwd_dest_t     *dest;
    fwd_batch_t          *batch;
    fwd_rc_t              rc;
    fwd_record_kind_t     kind;          /* what the map says of the event */
    unsigned              sequence:1;    /* a record of it was given */
    char                  reason[FWD_RECORD_REASON_MAX + 1];
} fwd_select_sink_t;


static fwd_batch_t *fwd_select_again(fwd_dest_t *dest);
static fwd_item_t *fwd_select_lane_first(const fwd_dest_t *dest);
static int fwd_select_lane_ready(const fwd_dest_t *dest);
static int fwd_select_fresh_ready(const fwd_dest_t *dest, uint64_t *wait_ms);
static fwd_batch_t *fwd_select_lane(fwd_dest_t *dest);
static uint32_t fwd_select_ready(fwd_dest_t *dest, fwd_link_t *ready,
    fwd_batch_t *batch, size_t *bytes);
static uint32_t fwd_select_queue(fwd_dest_t *dest, fwd_queue_t *queue,
    fwd_batch_t *batch, uint32_t max, size_t *bytes);
static int fwd_select_order(const void *a, const void *b);
static int fwd_fill_holds(const fwd_dest_t *dest, fwd_batch_t *batch);
static int fwd_fill_expired(const fwd_dest_t *dest, const fwd_item_t *item);
static martech_str_t fwd_fill_body(const fwd_dest_t *dest,
    const fwd_event_t *ev);
static int fwd_fill_alone(const fwd_dest_t *dest, const fwd_batch_t *batch);
static fwd_rc_t fwd_fill_item(fwd_dest_t *dest, fwd_batch_t *batch,
    fwd_item_t *item);
static void fwd_fill_failed(fwd_dest_t *dest, const fwd_item_t *item,
    const fwd_error_t *err);
static fwd_rc_t fwd_fill_record(void *data, const fwd_record_t *record);


fwd_batch_t *
fwd_dest_select(fwd_dest_t *dest, uint64_t *wait_ms)
{
    int           lane, fresh;
    fwd_batch_t  *batch;

    if (!fwd_list_empty(&dest->again)) {
        return fwd_select_again(dest);
    }

    if (dest->order != NULL) {
        return fwd_order_select(dest, wait_ms);
    }

    lane = fwd_select_lane_ready(dest);
    fresh = (dest->groups != NULL) ? fwd_groups_wait(dest)
                                   : fwd_select_fresh_ready(dest, wait_ms);

    if (lane
        && (!fresh || fwd_gate_probes(dest)
            || (dest->turn >= FWD_TURN_FRESH && fwd_gate_retry_fits(dest))))
    {
        dest->turn = 0;
        batch = fwd_select_lane(dest);

    } else if (dest->groups != NULL) {
        dest->turn++;
        batch = fwd_groups_take(dest, wait_ms);

    } else if (fresh) {
        dest->turn++;
        batch = fwd_select_fresh(dest);

    } else {
        return NULL;
    }

    if (batch != NULL && batch->items_count == 0) {

        /* what is ready belongs to shards that are in doubt */

        fwd_batch_free(batch);
        return NULL;
    }

    return batch;
}


static fwd_batch_t *
fwd_select_again(fwd_dest_t *dest)
{
    fwd_batch_t  *batch;

    batch = fwd_list_data(dest->again.next, fwd_batch_t, link);
    fwd_list_remove(&batch->link);

    if (!batch->filled) {
        fwd_batch_reset_records(batch);
    }

    return batch;
}


/*
 * Fresh events of a batch: no more than there are tokens for.  A set of
 * retries is not cut, it waits until there are tokens for all of it.
 */

uint32_t
fwd_select_max(const fwd_dest_t *dest)
{
    uint32_t  room;

    room = fwd_gate_room(dest);

    return room < dest->conf->limits.batch_count
           ? room : (uint32_t) dest->conf->limits.batch_count;
}


/* A set is complete when no load is under way; but do not wait for ever. */

static int
fwd_select_lane_ready(const fwd_dest_t *dest)
{
    return dest->lane_count != 0
           && (dest->lane_loads == 0
               || dest->lane_count >= 2 * dest->conf->limits.batch_count
               || fwd_dest_retry_room(dest) == 0)
           && fwd_select_lane_first(dest) != NULL;
}


/* Those of shards that are in doubt, or about to go, stay where they are. */

static fwd_item_t *
fwd_select_lane_first(const fwd_dest_t *dest)
{
    fwd_item_t        *item;
    const fwd_link_t  *link;

    for (link = dest->lane.next; link != &dest->lane; link = link->next) {
        item = fwd_list_data(link, fwd_item_t, link);

        if (fwd_shard_sendable(item->queue->shard)) {
            return item;
        }
    }

    return NULL;
}


/* With nothing under way waiting gains nothing. */

static int
fwd_select_fresh_ready(const fwd_dest_t *dest, uint64_t *wait_ms)
{
    uint64_t             age;
    const fwd_limits_t  *limits;

    if (dest->fresh_count == 0) {
        return 0;
    }

    limits = &dest->conf->limits;

    if (dest->inflight_count == 0
        || dest->fresh_count >= fwd_select_max(dest)
        || dest->fresh_bytes >= limits->batch_bytes)
    {
        return 1;
    }

    age = fwd_core_now_ms(dest->engine->core) - dest->fresh_ms;

    if (age >= limits->linger_ms) {
        return 1;
    }

    if (limits->linger_ms - age < *wait_ms) {
        *wait_ms = limits->linger_ms - age;
    }

    return 0;
}


static fwd_batch_t *
fwd_select_lane(fwd_dest_t *dest)
{
    double        due;
    fwd_item_t   *item;
    fwd_batch_t  *batch;

    batch = fwd_batch_create(dest->engine->core, dest);
    if (batch == NULL) {
        return NULL;
    }

    item = fwd_select_lane_first(dest);
    due = (item != NULL) ? item->due : 0;

    while (item != NULL
           && batch->items_count < dest->conf->limits.batch_count)
    {
        if (item->due > due || fwd_batch_add(batch, item) != FWD_OK) {
            break;
        }

        fwd_list_remove(&item->link);
        item->waiting = 0;
        dest->lane_count--;

        item = fwd_select_lane_first(dest);
    }

    return batch;
}


fwd_batch_t *
fwd_select_fresh(fwd_dest_t *dest)
{
    size_t        bytes;
    uint32_t      queues_count;
    fwd_batch_t  *batch;

    batch = fwd_batch_create(dest->engine->core, dest);
    if (batch == NULL) {
        return NULL;
    }

    bytes = 0;
    queues_count = fwd_select_ready(dest, &dest->ready_high, batch, &bytes);
    queues_count += fwd_select_ready(dest, &dest->ready, batch, &bytes);

    /* the oldest ones are on their way */
    dest->fresh_ms = fwd_core_now_ms(dest->engine->core);

    if (queues_count > 1) {
        qsort(batch->items, batch->items_count, sizeof(fwd_item_t *),
              fwd_select_order);
    }

    return batch;
}


/* From the queues of a list; returns how many have given something. */

static uint32_t
fwd_select_ready(fwd_dest_t *dest, fwd_link_t *ready, fwd_batch_t *batch,
    size_t *bytes)
{
    uint32_t     queues_count, count, max;
    fwd_link_t  *first, *link;

    max = fwd_select_max(dest);
    queues_count = 0;
    first = NULL;

    while (!fwd_list_empty(ready)
           && batch->items_count < max
           && *bytes < dest->conf->limits.batch_bytes)
    {
        link = ready->next;

        if (link == first) {
            break;                       /* all had their turn */
        }

        count = fwd_select_queue(dest,
                                 fwd_list_data(link, fwd_queue_t, ready),
                                 batch, max, bytes);
        queues_count += (count != 0);

        if (link->next != NULL) {

            /* something is left: behind the others, for fairness */

            fwd_list_remove(link);
            fwd_list_push(ready, link);

            if (first == NULL) {
                first = link;
            }
        }
    }

    return queues_count;
}


static uint32_t
fwd_select_queue(fwd_dest_t *dest, fwd_queue_t *queue, fwd_batch_t *batch,
    uint32_t max, size_t *bytes)
{
    size_t       size;
    uint32_t     count;
    fwd_item_t  *item;

    if (!fwd_shard_sendable(queue->shard)) {
        return 0;
    }

    count = 0;

    while (!fwd_list_empty(&queue->fresh) && batch->items_count < max) {
        item = fwd_list_data(queue->fresh.next, fwd_item_t, link);
        size = item->event->text.len;

        if (batch->items_count != 0
            && *bytes + size > dest->conf->limits.batch_bytes)
        {
            *bytes = dest->conf->limits.batch_bytes;
            break;
        }

        if (fwd_batch_add(batch, item) != FWD_OK) {
            break;
        }

        (void) fwd_queue_take_fresh(queue);

        *bytes += size;
        count++;
    }

    return count;
}


static int
fwd_select_order(const void *a, const void *b)
{
    const fwd_item_t  *one, *two;

    one = *(fwd_item_t *const *) a;
    two = *(fwd_item_t *const *) b;

    if (one->queue->shard->index != two->queue->shard->index) {
        return one->queue->shard->index < two->queue->shard->index ? -1 : 1;
    }

    return fwd_id_compare(one->event->id, two->event->id);
}


fwd_rc_t
fwd_dest_fill(fwd_dest_t *dest, fwd_batch_t *batch)
{
    int           alone;
    uint32_t      i, count;
    fwd_rc_t      rc;
    fwd_item_t   *item, **items;

    if (batch->filled && fwd_fill_holds(dest, batch)) {
        return FWD_OK;
    }

    if (batch->filled) {
        fwd_batch_reset_records(batch);
    }

    rc = FWD_NONE;
    items = batch->items;
    count = batch->items_count;

    batch->items_count = 0;
    batch->attempt = 0;

    for (i = 0; i < count; i++) {
        item = items[i];

        if (item->queue == NULL) {
            fwd_item_free(item);
            continue;
        }

        if (!fwd_shard_owned(item->queue->shard)) {
            fwd_queue_forget(item);
            continue;
        }

        if (fwd_fill_expired(dest, item)) {
            item->end = FWD_END_EXPIRED;
            fwd_queue_finish(item, FWD_FINISH_DONE);
            continue;
        }

        /* the slot is free: no more were added than looked at */
        items[batch->items_count++] = item;

        if (batch->items_count > 1 && dest->conf->http.endpoints == NULL
            && fwd_fill_alone(dest, batch))
        {
            batch->items_count--;
            fwd_fill_return(dest, &items[i], count - i);
            break;
        }

        rc = fwd_fill_item(dest, batch, item);

        if (rc == FWD_NONE && fwd_dest_rests(dest)) {
            fwd_fill_return(dest, &items[i + 1], count - i - 1);
            break;
        }

        if (rc == FWD_NONE) {
            continue;
        }

        alone = (rc == FWD_OK
                 && fwd_calls_alone(batch, batch->items_count - 1));

        if (rc == FWD_AGAIN
            || (batch->items_count > 1
                && (alone
                    || batch->bytes > dest->conf->limits.batch_bytes)))
        {
            fwd_batch_pop(batch);
            fwd_fill_return(dest, &items[i], count - i);
            break;
        }

        if (item->attempts + 1 > batch->attempt) {
            batch->attempt = item->attempts + 1;
        }

        if (alone) {
            fwd_fill_return(dest, &items[i + 1], count - i - 1);
            break;
        }
    }

    if (batch->items_count != 0) {
        return FWD_OK;
    }

    return (rc == FWD_AGAIN) ? FWD_AGAIN : FWD_NONE;
}


/* 1 if a batch that was mapped before can go as it is. */

static int
fwd_fill_holds(const fwd_dest_t *dest, fwd_batch_t *batch)
{
    uint32_t           i;
    const fwd_item_t  *item;

    batch->attempt = 0;

    for (i = 0; i < batch->items_count; i++) {
        item = batch->items[i];

        if (item->queue == NULL || !fwd_shard_owned(item->queue->shard)
            || fwd_fill_expired(dest, item))
        {
            return 0;
        }

        if (item->attempts + 1 > batch->attempt) {
            batch->attempt = item->attempts + 1;
        }
    }

    return 1;
}


fwd_rc_t
fwd_fill_one(fwd_dest_t *dest, fwd_batch_t *batch, fwd_item_t *item)
{
    if (fwd_fill_expired(dest, item)) {
        item->end = FWD_END_EXPIRED;
        fwd_queue_finish(item, FWD_FINISH_DONE);
        return FWD_NONE;
    }

    if (fwd_batch_add(batch, item) != FWD_OK) {
        return FWD_AGAIN;
    }

    return fwd_fill_item(dest, batch, item);
}


/* A clock that was set back makes no event younger than new. */

static int
fwd_fill_expired(const fwd_dest_t *dest, const fwd_item_t *item)
{
    uint64_t  now, max;

    max = dest->conf->policy.max_age_ms;

    if (max == 0) {
        return 0;
    }

    now = fwd_wall_ms();

    return now > item->event->id.ms && now - item->event->id.ms > max;
}


/*
 * The body of its first request, that a replay is to be sent with.  It was
 * made for the destination that the replay is for: a fallback maps the event
 * itself.
 */

static martech_str_t
fwd_fill_body(const fwd_dest_t *dest, const fwd_event_t *ev)
{
    const char     *name;
    martech_str_t   body;

    name = dest->conf->name;
    memset(&body, 0, sizeof(body));

    if (ev->body.len != 0 && ev->to.len == strlen(name)
        && memcmp(ev->to.data, name, ev->to.len) == 0)
    {
        body = ev->body;
    }

    return body;
}


/* Such a body has been framed: it shares its request with nobody. */

static int
fwd_fill_alone(const fwd_dest_t *dest, const fwd_batch_t *batch)
{
    const fwd_event_t  *first, *last;

    first = batch->items[0]->event;
    last = batch->items[batch->items_count - 1]->event;

    return fwd_fill_body(dest, first).len != 0
           || fwd_fill_body(dest, last).len != 0;
}


/* FWD_NONE: the item has no record, and has left the batch. */

static fwd_rc_t
fwd_fill_item(fwd_dest_t *dest, fwd_batch_t *batch, fwd_item_t *item)
{
    char               person[FWD_PERSON_TEXT];
    uint32_t           records;
    fwd_rc_t           rc;
    fwd_error_t        err;
    martech_str_t      body;
    fwd_select_sink_t  sink;

    /* also without a map: it may have been the program for answers */

    if (fwd_poison_has(dest->engine->stats->poison, dest->conf->name,
                       item->queue->shard->index, item->event->id))
    {
        fwd_batch_pop(batch);
        item->reason = "map_killed";
        fwd_queue_finish(item, FWD_FINISH_DEAD);

        dest->rest_ms = fwd_core_now_ms(dest->engine->core)
                        + FWD_FILL_REST_MS;
        return FWD_NONE;
    }

    /* of several endpoints nobody knows which one it was made for */

    memset(&body, 0, sizeof(body));

    if (dest->conf->http.endpoints == NULL) {
        body = fwd_fill_body(dest, item->event);
    }

    if (body.len != 0 || dest->map == NULL) {
        return fwd_batch_add_slice(batch, body.len ? body : item->event->text)
               == FWD_OK ? FWD_OK : FWD_AGAIN;
    }

    records = batch->records_count;
    sink.dest = dest;
    sink.batch = batch;
    sink.rc = FWD_OK;
    sink.kind = FWD_RECORD_SEND;
    sink.reason[0] = '\0';
    sink.sequence = 0;

    fwd_watch_enter(dest->engine->stats, FWD_PROGRAM_MAP, dest->index,
                    item->queue->shard->index, item->event->id,
                    item->event->message_id);

    rc = fwd_map_run(dest->map, item->event->text,
                     dest->needs_person
                     ? fwd_identity_text(person, item->event) : NULL,
                     fwd_wall_ms(), fwd_fill_record, &sink, &err);

    fwd_watch_leave(dest->engine->stats);

    if (sink.rc != FWD_OK) {
        return FWD_AGAIN;                /* memory, not the map */
    }

    /* one progress of an event, and one end */

    if (rc == FWD_OK && sink.sequence && batch->records_count != records + 1)
    {
        rc = fwd_error(&err, FWD_SEQUENCE_ALONE);
    }

    if (rc == FWD_OK && sink.kind != FWD_RECORD_DEAD
        && batch->records_count != records)
    {
        return FWD_OK;
    }

    fwd_batch_pop(batch);
    fwd_shadow_dropped(dest, item);

    if (rc == FWD_OK && sink.kind == FWD_RECORD_DEAD) {
        item->reason = fwd_dest_reason(dest, sink.reason);
        fwd_queue_finish(item, FWD_FINISH_DEAD);
        return FWD_NONE;
    }

    if (rc == FWD_OK) {
        fwd_stats_dropped(dest->stats, sink.kind == FWD_RECORD_DROP
                                       ? sink.reason : "no_record", 1);
        item->end = FWD_END_DROP;
        fwd_queue_finish(item, FWD_FINISH_DONE);
        return FWD_NONE;
    }

    fwd_fill_failed(dest, item, &err);

    item->reason = fwd_outcome_name(FWD_OUTCOME_MAP_ERROR);
    fwd_queue_finish(item, FWD_FINISH_DEAD);

    return FWD_NONE;
}


/* A bad map fails on every event: not a line for each. */

static void
fwd_fill_failed(fwd_dest_t *dest, const fwd_item_t *item,
    const fwd_error_t *err)
{
    uint32_t  suppressed;

    if (!fwd_log_pass(&dest->limit, fwd_core_now_ms(dest->engine->core),
                      FWD_FILL_LOG_MS, &suppressed))
    {
        return;
    }

    fwd_log(dest->engine->core->log, FWD_LOG_WARN, "map failed",
            fwd_kv_text("destination", dest->conf->name),
            fwd_kv_str("event", item->event->message_id),
            fwd_kv_str("request", item->event->request_id),
            fwd_kv_text("class", fwd_outcome_name(FWD_OUTCOME_MAP_ERROR)),
            fwd_kv_text("reason", err->text),
            fwd_kv_int("suppressed", suppressed));
}


static fwd_rc_t
fwd_fill_record(void *data, const fwd_record_t *record)
{
    fwd_steer_t             steer;
    fwd_select_sink_t      *sink = data;
    const fwd_endpoint_t   *endpoints;

    endpoints = sink->dest->conf->http.endpoints;

    if (record->kind != FWD_RECORD_SEND) {

        /* what a person has to mend outweighs what was dropped */

        if (sink->kind != FWD_RECORD_DEAD) {
            sink->kind = record->kind;
            memcpy(sink->reason, record->reason, sizeof(sink->reason));
        }

        return FWD_OK;
    }

    sink->sequence |= (record->endpoint == FWD_ENDPOINT_SEQUENCE);

    /* of a sequence each step is measured for itself */

    if (endpoints != NULL && record->endpoint != FWD_ENDPOINT_SEQUENCE
        && !fwd_calls_fits(&endpoints[record->endpoint], record->text))
    {
        sink->kind = FWD_RECORD_DEAD;
        memcpy(sink->reason, "record_too_large",
               sizeof("record_too_large"));
        return FWD_OK;
    }

    sink->rc = fwd_batch_add_copy(sink->batch, record->text.data,
                                  record->text.len);

    if (sink->rc == FWD_OK && endpoints != NULL) {
        steer.endpoint = record->endpoint;
        steer.group = record->group;
        steer.path = record->path;
        steer.array = record->array;
        steer.merge = record->merge;
        steer.alone = record->alone;
        sink->rc = fwd_batch_steer(sink->batch, &steer);
    }

    return sink->rc;
}


/* From the last to the first, each to the front of where it came from. */

void
fwd_fill_return(fwd_dest_t *dest, fwd_item_t **items, uint32_t count)
{
    fwd_item_t  *item;

    while (count-- > 0) {
        item = items[count];

        if (item->queue == NULL) {
            fwd_item_free(item);

        } else if (item->person != NULL) {
            fwd_order_add(dest->order, item);

        } else if (item->retry) {
            fwd_dest_add_retry(dest, item);

        } else {
            fwd_queue_add_fresh(item->queue, item, 1);
        }
    }
}
