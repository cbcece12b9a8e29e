
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What an ordered destination sends next.
 *
 * Events that failed together have one due time and go out together again, as
 * the same set in the same order (shard, ID); so an event is put only to
 * those of its own due time, and fresh ones have none.
 */


#include <stdlib.h>

#include "fwd_dest.h"
#include "fwd_shard.h"
#include "fwd_steady.h"


#define FWD_ORDER_SKIP_MAX   64          /* persons looked at in vain */
#define FWD_ORDER_STRETCH    4           /* windows, if persons are parked */


static int fwd_order_select_ready(fwd_dest_t *dest, uint64_t *wait_ms);
static uint32_t fwd_order_select_person(fwd_dest_t *dest,
    fwd_person_t *person, fwd_batch_t *batch, size_t *bytes);
static int fwd_order_select_sort(const void *a, const void *b);


fwd_batch_t *
fwd_order_select(fwd_dest_t *dest, uint64_t *wait_ms)
{
    size_t         bytes;
    uint32_t       skipped;
    fwd_link_t    *link, *next;
    fwd_batch_t   *batch;
    fwd_person_t  *person;
    fwd_persons_t  *order;

    order = dest->order;

    if (!fwd_order_select_ready(dest, wait_ms)) {
        return NULL;
    }

    batch = fwd_batch_create(dest->engine->core, dest);
    if (batch == NULL) {
        return NULL;
    }

    bytes = 0;
    skipped = 0;

    for (link = order->ready.next;
         link != &order->ready && skipped < FWD_ORDER_SKIP_MAX
         && batch->items_count < fwd_select_max(dest)
         && bytes < dest->conf->limits.batch_bytes;
         link = next)
    {
        next = link->next;
        person = fwd_list_data(link, fwd_person_t, link);

        if (fwd_order_select_person(dest, person, batch, &bytes) != 0) {
            fwd_order_hold(order, person);

        } else {
            skipped++;
        }
    }

    dest->fresh_ms = fwd_core_now_ms(dest->engine->core);

    if (batch->items_count == 0) {

        /* what is ready belongs to shards that are in doubt */

        fwd_batch_free(batch);
        return NULL;
    }

    qsort(batch->items, batch->items_count, sizeof(fwd_item_t *),
          fwd_order_select_sort);

    return batch;
}


/* With nothing under way waiting gains nothing; nor with a set complete. */

static int
fwd_order_select_ready(fwd_dest_t *dest, uint64_t *wait_ms)
{
    double               now, due;
    uint64_t             age, pause;
    fwd_person_t        *person;
    const fwd_limits_t  *limits;

    limits = &dest->conf->limits;
    now = (double) fwd_steady_ms();
    due = fwd_order_unpark(dest->order, now);

    if (due >= 0) {
        pause = (uint64_t) (due - now) + 1;
        *wait_ms = pause < *wait_ms ? pause : *wait_ms;
    }

    if (fwd_list_empty(&dest->order->ready)) {
        return 0;
    }

    person = fwd_list_data(dest->order->ready.next, fwd_person_t, link);
    age = fwd_core_now_ms(dest->engine->core) - dest->fresh_ms;

    if (dest->inflight_count == 0
        || dest->order->ready_count >= limits->batch_count
        || fwd_order_first(person)->due > 0
        || age >= limits->linger_ms)
    {
        return 1;
    }

    pause = limits->linger_ms - age;
    *wait_ms = pause < *wait_ms ? pause : *wait_ms;

    return 0;
}


static uint32_t
fwd_order_select_person(fwd_dest_t *dest, fwd_person_t *person,
    fwd_batch_t *batch, size_t *bytes)
{
    size_t              size;
    uint32_t            count;
    fwd_item_t         *item;
    const fwd_shard_t  *shard;

    count = 0;
    shard = NULL;

    while (batch->items_count < fwd_select_max(dest)) {
        item = fwd_order_first(person);

        if (item == NULL || !fwd_shard_sendable(item->queue->shard)
            || (shard != NULL && item->queue->shard != shard)
            || (batch->items_count != 0
                && (item->due > batch->items[0]->due
                    || item->due < batch->items[0]->due)))
        {
            break;
        }

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

        fwd_order_take(dest->order, person);

        shard = item->queue->shard;
        *bytes += size;
        count++;
    }

    return count;
}


static int
fwd_order_select_sort(const void *a, const void *b)
{
    const fwd_item_t  *one, *two;

    one = *(fwd_item_t *const *) a;
    two = *(fwd_item_t *const *) b;

    if (one->queue->shard->index != two->queue->shard->index) {
        return one->queue->shard->index < two->queue->shard->index ? -1 : 1;
    }

    return fwd_id_compare(one->event->id, two->event->id);
}


/*
 * Persons that wait for a retry fill the window with events that cannot be
 * sent.  Then more may be loaded, up to an end.
 */

uint64_t
fwd_order_window(const fwd_dest_t *dest)
{
    uint64_t  count;

    count = dest->conf->limits.window_count;

    if (dest->order != NULL && fwd_order_held(dest->order) > count / 2) {
        return count * FWD_ORDER_STRETCH;
    }

    return count;
}


int
fwd_order_has_room(const fwd_dest_t *dest, size_t bytes)
{
    uint64_t  window, stretch;

    window = fwd_order_window(dest);
    stretch = window / dest->conf->limits.window_count;

    return dest->window_count < window
           && dest->window_bytes + bytes
              <= dest->conf->limits.window_bytes * stretch;
}


/* 1 if it is time to load more; says once when order leaves no room. */

int
fwd_order_loads(fwd_dest_t *dest)
{
    uint32_t  held;
    uint64_t  count;

    count = dest->conf->limits.window_count;
    held = fwd_order_held(dest->order);

    if (!fwd_order_has_room(dest, 0)) {

        if (held > count / 2 && !dest->held_up) {
            dest->held_up = 1;

            fwd_log(dest->engine->core->log, FWD_LOG_WARN,
                    "order holds the destination up",
                    fwd_kv_text("destination", dest->conf->name),
                    fwd_kv_int("waiting", held),
                    fwd_kv_int("persons", dest->order->count));
        }

        return 0;
    }

    if (held <= count / 2) {
        dest->held_up = 0;
    }

    return dest->window_count - held <= count / 2;
}
