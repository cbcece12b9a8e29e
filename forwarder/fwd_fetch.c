
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Loading of pointers that are in Redis only: after a start, and after the
 * window was full.
 *
 * Replies come in order, so a short answer to "pointers after X" is the end
 * of the queue at that moment, and all that is routed later is offered to
 * the queue and waits in its held list until the load is through.
 */


#include <stdlib.h>

#include "fwd_dest.h"
#include "fwd_load.h"
#include "fwd_shard.h"


static void fwd_fetch_reply(void *data, redisReply *reply);
static void fwd_fetch_loaded(fwd_load_t *load);
static void fwd_fetch_gap(fwd_queue_t *queue);
static fwd_rc_t fwd_fetch_add(fwd_queue_t *queue, fwd_load_t *load,
    uint32_t n);
static void fwd_fetch_end(fwd_queue_t *queue);


void
fwd_queue_fetch(fwd_queue_t *queue)
{
    fwd_args_t    *args;
    fwd_load_t    *load;
    fwd_engine_t  *engine;

    if (!queue->behind || queue->load != NULL || queue->moving
        || !fwd_shard_owned(queue->shard)
        || fwd_core_now_ms(queue->shard->engine->core) < queue->load_ms)
    {
        return;
    }

    load = fwd_load_create(queue, fwd_fetch_loaded);
    if (load == NULL) {
        return;
    }

    engine = queue->shard->engine;
    args = &engine->args;

    fwd_args_reset(args);
    fwd_args_text(args, "XRANGE");
    fwd_args_add(args, queue->q.data, queue->q.len);
    fwd_args_id(args, fwd_id_next(queue->loaded));
    fwd_args_text(args, "+");
    fwd_args_text(args, "COUNT");
    fwd_args_number(args, FWD_LOAD_MAX);

    if (fwd_args_send(args, queue->shard->redis, fwd_fetch_reply, load, 0)
        != FWD_OK)
    {
        fwd_load_free(load);
        return;
    }

    load->pending = 1;
    queue->load = load;
}


static void
fwd_fetch_reply(void *data, redisReply *reply)
{
    size_t        i;
    fwd_id_t      id;
    fwd_load_t   *load = data;
    fwd_queue_t  *queue;

    load->pending = 0;
    queue = load->queue;

    if (queue == NULL) {
        fwd_load_free(load);
        return;
    }

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {

        if (reply != NULL) {
            fwd_shard_error(queue->shard, "fetch", reply);
        }

        load->failed = 1;
        fwd_fetch_loaded(load);
        return;
    }

    if (reply->elements < FWD_LOAD_MAX) {
        queue->behind = 0;
    }

    for (i = 0; i < reply->elements; i++) {

        if (fwd_event_id(reply->element[i], &id) != FWD_OK) {
            continue;
        }

        queue->loaded = id;

        /* after a new connection some are still here */

        if (fwd_idmap_get(&queue->items, id) == NULL) {
            load->ids[load->count++] = id;
        }
    }

    if (queue->dest->order != NULL && load->count != 0) {

        /* what failed stays in q, so attempts may have been made */

        fwd_retry_tries(load);
        return;
    }

    fwd_load_start(load);
}


static void
fwd_fetch_loaded(fwd_load_t *load)
{
    uint32_t      i;
    fwd_queue_t  *queue;

    queue = load->queue;
    queue->load = NULL;

    if (load->failed) {

        /* loaded has moved on: look at the queue from the start again */
        fwd_queue_load_failed(queue);
        fwd_fetch_gap(queue);

    } else if (queue->rewound && queue->dest->order != NULL) {

        fwd_fetch_gap(queue);

    } else {
        for (i = 0; i < load->count; i++) {
            if (fwd_fetch_add(queue, load, i) != FWD_OK)
            {
                fwd_fetch_gap(queue);
                break;
            }
        }
    }

    fwd_load_free(load);
    fwd_fetch_end(queue);
}


/*
 * Older events will be loaded once more.  Where order counts, later ones that
 * wait here must not go before them: they will be loaded too.
 */

static void
fwd_fetch_gap(fwd_queue_t *queue)
{
    fwd_item_t  *item;

    if (queue->dest->order == NULL) {
        return;
    }

    while (!fwd_list_empty(&queue->held)) {
        item = fwd_list_data(queue->held.next, fwd_item_t, link);

        fwd_list_remove(&item->link);
        fwd_item_free(item);
    }
}


static fwd_rc_t
fwd_fetch_add(fwd_queue_t *queue, fwd_load_t *load, uint32_t n)
{
    fwd_item_t   *item;
    fwd_event_t  *ev;

    ev = load->events[n];

    item = fwd_item_create(queue, ev);

    if (item == NULL) {
        fwd_queue_load_failed(queue);
        return FWD_ERROR;
    }

    item->attempts = load->attempts[n];
    item->tries = load->tries[n];
    load->tries[n] = NULL;

    /* a record in try goes with the pointer */
    item->doubtful = (item->attempts != 0);

    if (ev->bad != NULL) {
        item->reason = ev->bad;
        fwd_queue_finish(item, FWD_FINISH_DEAD);
        return FWD_OK;
    }

    fwd_queue_add_fresh(queue, item, 0);

    return FWD_OK;
}


static void
fwd_fetch_end(fwd_queue_t *queue)
{
    fwd_item_t  *item;

    while (!fwd_list_empty(&queue->held)) {
        item = fwd_list_data(queue->held.next, fwd_item_t, link);

        fwd_list_remove(&item->link);
        fwd_queue_add_fresh(queue, item, 0);
    }

    if (queue->rewound) {
        queue->rewound = 0;
        queue->loaded.ms = 0;
        queue->loaded.seq = 0;
        queue->behind = 1;
    }

    if (queue->behind) {
        queue->dest->behind = 1;
    }

    fwd_dest_wake(queue->dest);
}
