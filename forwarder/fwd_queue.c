
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Items of a queue, and its life with the shard.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_dest.h"
#include "fwd_load.h"
#include "fwd_order.h"
#include "fwd_shard.h"


#define FWD_QUEUE_PAUSE_MS  500          /* after a load that failed */


static void fwd_queue_drop_waiting(fwd_queue_t *queue);
static void fwd_queue_collect(void *value, void *data);
static void fwd_queue_drop_list(fwd_queue_t *queue, fwd_link_t *list);
static void fwd_queue_orphan(void *value, void *data);
static void fwd_item_uncount(fwd_item_t *item);


void
fwd_queue_init(fwd_queue_t *queue, fwd_shard_t *shard, fwd_dest_t *dest)
{
    size_t  i;

    queue->shard = shard;
    queue->dest = dest;
    queue->due_ms = UINT64_MAX;

    fwd_list_init(&queue->fresh);
    fwd_list_init(&queue->held);

    for (i = 0; i < FWD_FINISH_COUNT; i++) {
        fwd_list_init(&queue->finished[i]);
    }

    fwd_post_init(&queue->flush, fwd_queue_flush, queue);
}


void
fwd_queue_pair(fwd_queue_t *normal, fwd_queue_t *high)
{
    normal->lane = high;
    high->lane = normal;
    high->high = 1;
}


void
fwd_queue_cleanup(fwd_queue_t *queue)
{
    fwd_queue_drop(queue);
    fwd_idmap_free(&queue->items);
}


void
fwd_queue_start(fwd_queue_t *queue)
{
    fwd_queue_rewind(queue);

    queue->load_ms = 0;
    queue->retry_known = 0;
    queue->scan_valid = 0;

    if (!queue->high) {
        queue->due_ms = 0;               /* if it cannot be asked for now */
        queue->dest->due_ms = 0;
    }

    fwd_queue_fetch_due(queue);
    fwd_dest_wake(queue->dest);

    fwd_post(queue->shard->engine->core, &queue->flush);
}


void
fwd_queue_drop(fwd_queue_t *queue)
{
    size_t  i;

    fwd_load_cancel(queue->load);
    fwd_load_cancel(queue->retry_load);

    queue->load = NULL;

    if (queue->retry_load != NULL) {
        queue->retry_load = NULL;
        queue->dest->lane_loads--;
    }

    fwd_post_cancel(&queue->flush);

    fwd_queue_drop_waiting(queue);

    for (i = 0; i < FWD_FINISH_COUNT; i++) {
        fwd_queue_drop_list(queue, &queue->finished[i]);
    }

    /* what is left is in batches, or in steps whose replies will come */

    fwd_idmap_each(&queue->items, fwd_queue_orphan, NULL);
    fwd_idmap_free(&queue->items);

    queue->due_ms = UINT64_MAX;
    queue->behind = 0;
    queue->retry_known = 0;
    queue->retry_some = 0;
    queue->scan_valid = 0;
}


static void
fwd_queue_drop_waiting(fwd_queue_t *queue)
{
    fwd_link_t   ordered, *link, *next;
    fwd_item_t  *item;

    fwd_queue_drop_list(queue, &queue->fresh);
    fwd_queue_drop_list(queue, &queue->held);

    /* ours among the retries of the destination */

    for (link = queue->dest->lane.next; link != &queue->dest->lane;
         link = next)
    {
        next = link->next;
        item = fwd_list_data(link, fwd_item_t, link);

        if (item->queue == queue) {
            fwd_list_remove(link);
            queue->dest->lane_count--;
            fwd_item_free(item);
        }
    }

    if (queue->dest->order == NULL) {
        return;
    }

    /* and in the lists of persons */

    fwd_list_init(&ordered);
    fwd_idmap_each(&queue->items, fwd_queue_collect, &ordered);
    fwd_queue_drop_list(queue, &ordered);
}


static void
fwd_queue_collect(void *value, void *data)
{
    fwd_item_t  *item = value;

    if (item->ordered) {
        fwd_order_remove(item->dest->order, item);
        fwd_list_push(data, &item->link);
    }
}


void
fwd_queue_unload(fwd_queue_t *queue)
{
    fwd_queue_drop_waiting(queue);
    fwd_queue_rewind(queue);

    queue->due_ms = 0;
}


void
fwd_queue_rewind(fwd_queue_t *queue)
{
    memset(&queue->loaded, 0, sizeof(queue->loaded));

    queue->behind = 1;
    queue->dest->behind = 1;
    queue->rewound = (queue->load != NULL);
}


void
fwd_queue_load_failed(fwd_queue_t *queue)
{
    queue->load_ms = fwd_core_now_ms(queue->shard->engine->core)
                     + FWD_QUEUE_PAUSE_MS;
    fwd_queue_rewind(queue);
}


void
fwd_queue_forget(fwd_item_t *item)
{
    fwd_queue_t  *queue;

    queue = item->queue;

    if (queue != NULL) {

        if (item->person != NULL) {
            fwd_order_add(item->dest->order, item);
            return;
        }

        if (item->retry) {
            queue->due_ms = 0;
            queue->dest->due_ms = 0;

        } else {
            fwd_queue_rewind(queue);
        }
    }

    fwd_item_free(item);
}


static void
fwd_queue_drop_list(fwd_queue_t *queue, fwd_link_t *list)
{
    fwd_item_t  *item;

    while (!fwd_list_empty(list)) {

        if (list == &queue->fresh) {
            fwd_item_free(fwd_queue_take_fresh(queue));
            continue;
        }

        item = fwd_list_data(list->next, fwd_item_t, link);
        fwd_list_remove(&item->link);
        fwd_item_free(item);
    }
}


static void
fwd_queue_orphan(void *value, void *data)
{
    fwd_item_t  *item = value;

    (void) data;

    item->queue = NULL;
}


void
fwd_queue_offer(fwd_queue_t *queue, fwd_event_t *ev)
{
    fwd_item_t  *item;

    if (fwd_idmap_get(&queue->items, ev->id) != NULL) {
        return;                          /* routed twice: refused by Redis */
    }

    item = NULL;

    if (!queue->behind
        && fwd_dest_has_room(queue->dest, ev->size, queue->high)
        && !(queue->rewound && queue->dest->order != NULL))
    {
        item = fwd_item_create(queue, ev);
    }

    if (item == NULL) {
        queue->behind = 1;
        queue->dest->behind = 1;
        return;
    }

    queue->loaded = ev->id;

    if (queue->load != NULL) {

        /* older ones are being loaded and go first */

        item->waiting = 1;
        fwd_list_push(&queue->held, &item->link);
        return;
    }

    fwd_queue_add_fresh(queue, item, 0);
    fwd_dest_wake(queue->dest);
}


void
fwd_queue_add_fresh(fwd_queue_t *queue, fwd_item_t *item, int front)
{
    fwd_dest_t  *dest;

    dest = queue->dest;

    if (item->person != NULL) {
        fwd_order_add(dest->order, item);
        return;
    }

    item->waiting = 1;

    if (fwd_list_empty(&queue->fresh)) {
        fwd_list_push(queue->high ? &dest->ready_high : &dest->ready,
                      &queue->ready);
    }

    if (dest->fresh_count == 0) {
        dest->fresh_ms = fwd_core_now_ms(dest->engine->core);
    }

    fwd_list_insert_before(front ? queue->fresh.next : &queue->fresh,
                           &item->link);

    dest->fresh_count++;
    dest->fresh_bytes += item->event->size;
}


fwd_item_t *
fwd_queue_take_fresh(fwd_queue_t *queue)
{
    fwd_item_t  *item;

    item = fwd_list_data(queue->fresh.next, fwd_item_t, link);

    fwd_list_remove(&item->link);
    item->waiting = 0;

    queue->dest->fresh_count--;
    queue->dest->fresh_bytes -= item->event->size;

    if (fwd_list_empty(&queue->fresh)) {
        fwd_list_remove(&queue->ready);
    }

    return item;
}


fwd_item_t *
fwd_item_create(fwd_queue_t *queue, fwd_event_t *ev)
{
    fwd_item_t     *item;
    fwd_persons_t    *order;
    unsigned char   key[FWD_ORDER_KEY];

    item = calloc(1, sizeof(fwd_item_t));
    if (item == NULL) {
        return NULL;
    }

    order = queue->dest->order;

    if (order != NULL) {
        fwd_order_key(key, ev);

        if (fwd_order_enter(order, item, key) != FWD_OK) {
            free(item);
            return NULL;
        }
    }

    if (fwd_idmap_add(&queue->items, ev->id, item) != FWD_OK) {

        if (order != NULL) {
            fwd_order_leave(order, item);
        }

        free(item);
        return NULL;
    }

    item->event = fwd_event_ref(ev);
    item->queue = queue;
    item->dest = queue->dest;

    queue->dest->window_count++;
    queue->dest->window_bytes += ev->size;

    return item;
}


void
fwd_item_free(fwd_item_t *item)
{
    if (item->queue != NULL) {
        fwd_idmap_remove(&item->queue->items, item->event->id);
    }

    if (item->person != NULL) {
        fwd_order_leave(item->dest->order, item);
    }

    fwd_item_uncount(item);
    fwd_batch_free(item->letter);
    fwd_attempts_free(item->tries);
    fwd_event_unref(item->event);
    free(item);
}


/* Without memory for it the event begins anew at its next attempt. */

void
fwd_item_progress(fwd_item_t *item, martech_str_t progress)
{
    if (item->tries == NULL && progress.len != 0) {
        item->tries = calloc(1, sizeof(fwd_attempts_t));

        if (item->tries != NULL) {
            item->tries->count = item->attempts;
        }
    }

    if (item->tries != NULL) {
        (void) fwd_attempts_progress(item->tries, progress);
    }
}


static void
fwd_item_uncount(fwd_item_t *item)
{
    fwd_dest_t  *dest;

    dest = item->dest;

    if (item->retry) {
        dest->retry_count--;

    } else {
        dest->window_count--;
        dest->window_bytes -= item->event->size;
    }

    /* room in the window: there may be more to load */
    fwd_dest_wake(dest);
}


void
fwd_queue_finish(fwd_item_t *item, fwd_finish_t how)
{
    fwd_queue_t  *queue;

    queue = item->queue;

    if (queue == NULL) {
        fwd_item_free(item);
        return;
    }

    if (how == FWD_FINISH_RETRY && item->person != NULL) {
        how = FWD_FINISH_KEEP;

        /* from now on try has a record of it, which has to go with it */
        item->doubtful = 1;
    }

    item->waiting = 1;
    fwd_list_push(&queue->finished[how], &item->link);
    fwd_post(queue->shard->engine->core, &queue->flush);
}


int
fwd_queue_settled(const fwd_queue_t *queue)
{
    size_t  i;

    for (i = 0; i < FWD_FINISH_COUNT; i++) {
        if (!fwd_list_empty(&queue->finished[i])) {
            return 0;
        }
    }

    return queue->steps_count == 0;
}
