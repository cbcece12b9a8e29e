
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reading of bodies.
 *
 * A queue is usually a run of neighbours in the stream, and then one range
 * reads them all.  When less than half of a range was wanted, the rest is
 * read one by one, all commands at once.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_identity.h"
#include "fwd_load.h"
#include "fwd_shard.h"


static void fwd_load_continue(fwd_load_t *load);
static fwd_rc_t fwd_load_range(fwd_load_t *load, uint32_t from, uint32_t to,
    uint32_t count, fwd_redis_reply_pt cb);
static void fwd_load_range_reply(void *data, redisReply *reply);
static void fwd_load_one_reply(void *data, redisReply *reply);
static void fwd_load_match(fwd_load_t *load, const redisReply *entry);
static int fwd_load_reply_bad(fwd_load_t *load, const redisReply *reply);
static void fwd_load_missing(fwd_load_t *load, fwd_id_t last);
static void fwd_load_finish(fwd_load_t *load);


fwd_load_t *
fwd_load_create(fwd_queue_t *queue, void (*done)(fwd_load_t *load))
{
    fwd_load_t  *load;

    load = malloc(sizeof(fwd_load_t));
    if (load == NULL) {
        return NULL;
    }

    load->queue = queue;
    load->done = done;
    load->count = 0;
    load->next = 0;
    load->pending = 0;
    load->now_ms = 0;
    load->sparse = 0;
    load->failed = 0;

    memset(load->events, 0, sizeof(load->events));
    memset(load->attempts, 0, sizeof(load->attempts));
    memset(load->tries, 0, sizeof(load->tries));

    return load;
}


void
fwd_load_free(fwd_load_t *load)
{
    uint32_t  i;

    for (i = 0; i < load->count; i++) {
        if (load->events[i] != NULL) {
            fwd_event_unref(load->events[i]);
        }

        fwd_attempts_free(load->tries[i]);
    }

    free(load);
}


/* Replies that are still to come find queue NULL and free the load. */

void
fwd_load_cancel(fwd_load_t *load)
{
    if (load == NULL) {
        return;
    }

    load->queue = NULL;

    if (load->pending == 0) {
        fwd_load_free(load);
    }
}


void
fwd_load_start(fwd_load_t *load)
{
    uint32_t      i;
    fwd_event_t  *ev;

    for (i = 0; i < load->count; i++) {
        ev = fwd_idmap_get(&load->queue->shard->events, load->ids[i]);

        if (ev != NULL) {
            load->events[i] = fwd_event_ref(ev);
        }
    }

    fwd_load_continue(load);
}


static void
fwd_load_continue(fwd_load_t *load)
{
    uint32_t  i;

    while (load->next < load->count && load->events[load->next] != NULL) {
        load->next++;
    }

    if (load->failed || load->next == load->count) {
        fwd_load_finish(load);
        return;
    }

    if (!load->sparse) {
        if (fwd_load_range(load, load->next, load->count - 1,
                           load->count - load->next, fwd_load_range_reply)
            != FWD_OK)
        {
            load->failed = 1;
            fwd_load_finish(load);
        }

        return;
    }

    for (i = load->next; i < load->count; i++) {

        if (load->events[i] == NULL
            && fwd_load_range(load, i, i, 1, fwd_load_one_reply) != FWD_OK)
        {
            load->failed = 1;
            break;
        }
    }

    if (load->pending == 0) {
        fwd_load_finish(load);
    }
}


static fwd_rc_t
fwd_load_range(fwd_load_t *load, uint32_t from, uint32_t to, uint32_t count,
    fwd_redis_reply_pt cb)
{
    fwd_rc_t      rc;
    fwd_args_t   *args;
    fwd_shard_t  *shard;

    shard = load->queue->shard;
    args = &shard->engine->args;

    fwd_args_reset(args);
    fwd_args_text(args, "XRANGE");
    fwd_args_add(args, shard->in.data, shard->in.len);
    fwd_args_id(args, load->ids[from]);
    fwd_args_id(args, load->ids[to]);
    fwd_args_text(args, "COUNT");
    fwd_args_number(args, count);

    rc = fwd_args_send(args, shard->redis, cb, load, 0);

    if (rc == FWD_OK) {
        load->pending++;
    }

    return rc;
}


static void
fwd_load_range_reply(void *data, redisReply *reply)
{
    size_t       i;
    uint32_t     wanted, found;
    fwd_id_t     last;
    fwd_load_t  *load = data;

    if (fwd_load_reply_bad(load, reply)) {
        return;
    }

    wanted = load->count - load->next;
    found = 0;

    for (i = 0; i < reply->elements; i++) {
        fwd_load_match(load, reply->element[i]);
    }

    for (i = load->next; i < load->count; i++) {
        found += (load->events[i] != NULL);
    }

    if (load->failed) {
        fwd_load_finish(load);
        return;
    }

    /* everything up to the last entry, or all if it was short, was seen */

    if (reply->elements < wanted) {
        last = load->ids[load->count - 1];

    } else if (fwd_event_id(reply->element[reply->elements - 1], &last)
               != FWD_OK)
    {
        load->failed = 1;
        fwd_load_finish(load);
        return;
    }

    fwd_load_missing(load, last);

    load->sparse = (found * 2 < wanted);

    fwd_load_continue(load);
}


static void
fwd_load_one_reply(void *data, redisReply *reply)
{
    fwd_load_t  *load = data;

    if (fwd_load_reply_bad(load, reply)) {
        return;
    }

    if (reply->elements != 0) {
        fwd_load_match(load, reply->element[0]);
    }

    if (load->pending == 0) {

        if (!load->failed) {
            fwd_load_missing(load, load->ids[load->count - 1]);
        }

        fwd_load_finish(load);
    }
}


/* 1: the reply is of no use, and has been dealt with. */

static int
fwd_load_reply_bad(fwd_load_t *load, const redisReply *reply)
{
    load->pending--;

    if (load->queue == NULL) {
        if (load->pending == 0) {
            fwd_load_free(load);
        }

        return 1;
    }

    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY && !load->failed) {
        return 0;
    }

    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
        fwd_shard_error(load->queue->shard, "load", reply);
    }

    load->failed = 1;

    if (load->pending == 0) {
        fwd_load_finish(load);
    }

    return 1;
}


static void
fwd_load_match(fwd_load_t *load, const redisReply *entry)
{
    int        order;
    fwd_id_t   id;
    uint32_t   low, high, middle;

    if (fwd_event_id(entry, &id) != FWD_OK) {
        return;
    }

    low = 0;
    high = load->count;

    while (low < high) {
        middle = low + (high - low) / 2;
        order = fwd_id_compare(load->ids[middle], id);

        if (order == 0) {

            if (load->events[middle] == NULL) {
                load->events[middle] =
                           fwd_event_read(&load->queue->shard->engine->tape,
                                          &load->queue->shard->events, entry);

                load->failed |= (load->events[middle] == NULL);
            }

            return;
        }

        if (order < 0) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }
}


static void
fwd_load_missing(fwd_load_t *load, fwd_id_t last)
{
    uint32_t  i;

    for (i = load->next; i < load->count; i++) {

        if (fwd_id_compare(load->ids[i], last) > 0) {
            break;
        }

        if (load->events[i] != NULL) {
            continue;
        }

        load->events[i] = fwd_event_missing(&load->queue->shard->events,
                                            load->ids[i]);

        if (load->events[i] == NULL) {
            load->failed = 1;
            return;
        }
    }
}


static void
fwd_load_finish(fwd_load_t *load)
{
    if (!load->failed && fwd_identity_of_load(load) == FWD_AGAIN) {
        return;
    }

    load->done(load);
}
