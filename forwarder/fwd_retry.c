
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The retry set of a queue: loading what is due, and the bound that trimming
 * needs.
 *
 * A member stays in the set while it is being sent; so the oldest members
 * asked for are partly here already, and the question is widened by as many.
 */


#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "fwd_dest.h"
#include "fwd_load.h"
#include "fwd_shard.h"
#include "fwd_steady.h"


#define FWD_RETRY_SCAN_MS    5000        /* a bound is made exact again ... */
#define FWD_RETRY_SCAN_LARGE 10000       /* ... of sets up to that size, ... */
#define FWD_RETRY_SCAN_LONG_MS  60000    /* ... and of larger ones */
#define FWD_RETRY_SCAN_COUNT 1000        /* members a step */
#define FWD_RETRY_SKEW_MS    60000       /* clocks of two hosts differ */


/* A member that is due, while they are being sorted. */
typedef struct {
    fwd_id_t              id;
    double                due;
} fwd_retry_due_t;


static uint64_t fwd_retry_horizon(const fwd_queue_t *queue);
static int fwd_retry_far(fwd_queue_t *queue, double due);
static void fwd_retry_due_reply(void *data, redisReply *reply);
static void fwd_retry_take(fwd_load_t *load, const redisReply *reply,
    uint32_t max);
static int fwd_retry_by_id(const void *a, const void *b);
static void fwd_retry_next_reply(void *data, redisReply *reply);
static void fwd_retry_tries_reply(void *data, redisReply *reply);
static void fwd_retry_loaded(fwd_load_t *load);
static void fwd_retry_scan_step(fwd_queue_t *queue, const char *cursor);
static void fwd_retry_scan_reply(void *data, redisReply *reply);
static void fwd_retry_bound(fwd_id_t *min, unsigned some, fwd_id_t id);


void
fwd_queue_fetch_due(fwd_queue_t *queue)
{
    int            far;
    char           now[40], horizon[40];
    uint32_t       room;
    fwd_args_t    *args;
    fwd_load_t    *load;
    fwd_engine_t  *engine;

    if (queue->high || queue->retry_load != NULL || queue->moving
        || queue->dest->diverting || !fwd_shard_owned(queue->shard)
        || fwd_core_now_ms(queue->shard->engine->core) < queue->load_ms)
    {
        return;
    }

    room = fwd_dest_retry_room(queue->dest);

    if (room == 0) {
        queue->due_ms = 0;               /* freed items wake us up */
        queue->dest->due_ms = 0;
        return;
    }

    load = fwd_load_create(queue, fwd_retry_loaded);
    if (load == NULL) {
        return;
    }

    load->now_ms = fwd_steady_ms();
    far = (queue->far_ms != 0 && queue->far_ms <= load->now_ms);

    engine = queue->shard->engine;
    args = &engine->args;

    (void) snprintf(now, sizeof(now), "%llu.999",
                    (unsigned long long) load->now_ms);
    (void) snprintf(horizon, sizeof(horizon), "%llu",
                    (unsigned long long) (load->now_ms
                                          + fwd_retry_horizon(queue)));

    fwd_args_reset(args);
    fwd_args_text(args, "ZRANGEBYSCORE");
    fwd_args_add(args, queue->retry.data, queue->retry.len);
    fwd_args_text(args, far ? horizon : "-inf");
    fwd_args_text(args, far ? "+inf" : now);
    fwd_args_text(args, "WITHSCORES");
    fwd_args_text(args, "LIMIT");
    fwd_args_text(args, "0");

    /* one more than can be taken, which tells that there are more */
    fwd_args_number(args, FWD_LOAD_MAX + 1 + queue->items.count);

    if (fwd_args_send(args, queue->shard->redis, fwd_retry_due_reply, load, 0)
        != FWD_OK)
    {
        fwd_load_free(load);
        return;
    }

    load->pending = 1;
    queue->retry_load = load;
    queue->dest->lane_loads++;

    /* and when to look next; if this is lost, so is the first */

    queue->due_ms = UINT64_MAX;

    if (far) {
        queue->far_ms = 0;
        queue->due_ms = 0;               /* those in time were not asked for */
        queue->dest->due_ms = 0;
    }

    fwd_args_reset(args);
    fwd_args_text(args, "ZRANGEBYSCORE");
    fwd_args_add(args, queue->retry.data, queue->retry.len);
    fwd_args_text(args, now);
    fwd_args_text(args, "+inf");
    fwd_args_text(args, "WITHSCORES");
    fwd_args_text(args, "LIMIT");
    fwd_args_text(args, "0");
    fwd_args_text(args, "1");

    if (fwd_args_send(args, queue->shard->redis, fwd_retry_next_reply, queue, 0)
        != FWD_OK)
    {
        queue->due_ms = 0;
        queue->dest->due_ms = 0;
    }
}


/*
 * No wait is longer.  What is due later was written before the clock was set
 * back: it waits for the longest backoff, and not for the clock.
 */

static uint64_t
fwd_retry_horizon(const fwd_queue_t *queue)
{
    uint64_t  cap;

    cap = queue->dest->conf->limits.retry.cap_ms;

    return (cap > FWD_RETRY_AFTER_MAX_MS ? cap : FWD_RETRY_AFTER_MAX_MS)
           + FWD_RETRY_SKEW_MS;
}


/* 1 if that is so of a due time; then they are loaded after that wait. */

static int
fwd_retry_far(fwd_queue_t *queue, double due)
{
    uint64_t  now;

    now = fwd_steady_ms();

    if (!(due > (double) (now + fwd_retry_horizon(queue)))) {
        return 0;
    }

    if (queue->far_ms == 0) {
        queue->far_ms = now + queue->dest->conf->limits.retry.cap_ms;
    }

    if (queue->far_ms < queue->due_ms) {
        queue->due_ms = queue->far_ms;
        fwd_dest_due(queue->dest, queue->due_ms);
    }

    return 1;
}


static void
fwd_retry_due_reply(void *data, redisReply *reply)
{
    uint32_t      room;
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
            fwd_shard_error(queue->shard, "retries", reply);
        }

        load->failed = 1;
        fwd_retry_loaded(load);
        return;
    }

    room = fwd_dest_retry_room(queue->dest);
    fwd_retry_take(load, reply, room < FWD_LOAD_MAX ? room : FWD_LOAD_MAX);

    if (load->count == 0) {
        fwd_retry_loaded(load);
        return;
    }

    fwd_retry_tries(load);
}


/* The first due ones that are not here, up to max, into the load. */

static void
fwd_retry_take(fwd_load_t *load, const redisReply *reply, uint32_t max)
{
    size_t             i;
    uint32_t           n;
    fwd_id_t           id;
    fwd_queue_t       *queue;
    fwd_retry_due_t    due[FWD_LOAD_MAX];
    const redisReply  *member, *score;

    queue = load->queue;
    n = 0;

    for (i = 0; i + 1 < reply->elements; i += 2) {
        member = reply->element[i];
        score = reply->element[i + 1];

        if (member->type != REDIS_REPLY_STRING
            || score->type != REDIS_REPLY_STRING
            || fwd_id_parse(&id, member->str, (size_t) member->len) != FWD_OK
            || fwd_idmap_get(&queue->items, id) != NULL
            || fwd_idmap_get(&queue->lane->items, id) != NULL)
        {
            continue;
        }

        if (n == max) {
            queue->due_ms = 0;           /* there are more */
            queue->dest->due_ms = 0;
            break;
        }

        due[n].id = id;
        due[n].due = strtod(score->str, NULL);
        n++;
    }

    if (n > 1) {
        qsort(due, n, sizeof(due[0]), fwd_retry_by_id);
    }

    for (i = 0; i < n; i++) {
        load->ids[i] = due[i].id;
        load->due[i] = due[i].due;
    }

    load->count = n;
}


static int
fwd_retry_by_id(const void *a, const void *b)
{
    const fwd_retry_due_t  *one = a, *two = b;

    return fwd_id_compare(one->id, two->id);
}


static void
fwd_retry_next_reply(void *data, redisReply *reply)
{
    double        due;
    fwd_queue_t  *queue = data;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements < 2
        || reply->element[1]->type != REDIS_REPLY_STRING)
    {
        return;
    }

    due = strtod(reply->element[1]->str, NULL);

    if (fwd_retry_far(queue, due)) {
        return;
    }

    if (due >= 0 && due < (double) queue->due_ms) {
        queue->due_ms = (uint64_t) due;
        fwd_dest_due(queue->dest, queue->due_ms);
    }
}


void
fwd_retry_tries(fwd_load_t *load)
{
    uint32_t       i;
    fwd_args_t    *args;
    fwd_queue_t   *queue;

    queue = load->queue;
    args = &queue->shard->engine->args;

    fwd_args_reset(args);
    fwd_args_text(args, "HMGET");
    fwd_args_add(args, queue->try.data, queue->try.len);

    for (i = 0; i < load->count; i++) {
        fwd_args_id(args, load->ids[i]);
    }

    if (fwd_args_send(args, queue->shard->redis,
                      fwd_retry_tries_reply, load, 0)
        != FWD_OK)
    {
        load->failed = 1;
        load->done(load);
        return;
    }

    load->pending = 1;
}


static void
fwd_retry_tries_reply(void *data, redisReply *reply)
{
    uint32_t           i;
    fwd_load_t        *load = data;
    fwd_attempts_t     known;
    const redisReply  *tries;

    load->pending = 0;

    if (load->queue == NULL) {
        fwd_load_free(load);
        return;
    }

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != load->count)
    {
        if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
            fwd_shard_error(load->queue->shard, "tries", reply);
        }

        load->failed = 1;
        load->done(load);
        return;
    }

    for (i = 0; i < load->count; i++) {
        tries = reply->element[i];

        if (tries->type != REDIS_REPLY_STRING) {
            continue;
        }

        fwd_attempts_parse(&known, tries->str, (size_t) tries->len);
        load->attempts[i] = known.count;

        if (known.first_ms != 0 || known.progress != NULL) {
            load->tries[i] = malloc(sizeof(fwd_attempts_t));

            if (load->tries[i] != NULL) {
                *load->tries[i] = known;

            } else {
                fwd_attempts_clear(&known);
            }
        }
    }

    /* retries are few and far apart in the stream */
    load->sparse = (load == load->queue->retry_load);

    fwd_load_start(load);
}


static void
fwd_retry_loaded(fwd_load_t *load)
{
    uint32_t      i;
    fwd_dest_t   *dest;
    fwd_item_t   *item;
    fwd_queue_t  *queue;

    queue = load->queue;
    dest = queue->dest;

    queue->retry_load = NULL;
    dest->lane_loads--;

    if (load->failed) {
        fwd_queue_load_failed(queue);
        queue->due_ms = 0;
        dest->due_ms = 0;

    } else {
        for (i = 0; i < load->count; i++) {
            item = fwd_item_create(queue, load->events[i]);

            if (item == NULL) {
                fwd_queue_load_failed(queue);
                queue->due_ms = 0;
                dest->due_ms = 0;
                continue;
            }

            /* counted apart from the window of fresh events */

            item->retry = 1;
            dest->window_count--;
            dest->window_bytes -= item->event->size;
            dest->retry_count++;

            item->due = load->due[i];
            item->attempts = load->attempts[i];
            item->tries = load->tries[i];
            load->tries[i] = NULL;

            if (item->event->bad != NULL) {
                item->reason = item->event->bad;
                fwd_queue_finish(item, FWD_FINISH_DEAD);
                continue;
            }

            if (item->person != NULL) {
                fwd_order_add(dest->order, item);
                continue;
            }

            fwd_dest_add_retry(dest, item);
        }
    }

    fwd_load_free(load);
    fwd_dest_wake(dest);
}


void
fwd_queue_retry_adding(fwd_queue_t *queue, fwd_id_t id)
{
    if (queue->high) {
        queue = queue->lane;
    }

    fwd_retry_bound(&queue->retry_min, queue->retry_some, id);
    queue->retry_some = 1;

    if (queue->scanning) {
        fwd_retry_bound(&queue->scan_min, queue->scan_some, id);
        queue->scan_some = 1;
    }
}


void
fwd_queue_retry_added(fwd_queue_t *queue, const fwd_item_t *item)
{
    fwd_queue_retry_due(queue, (uint64_t) item->due);
}


void
fwd_queue_retry_doubt(fwd_queue_t *queue)
{
    if (!queue->high) {
        queue->retry_known = 0;
        queue->scan_valid = 0;
        queue->due_ms = 0;
        queue->dest->due_ms = 0;
    }
}


void
fwd_queue_retry_due(fwd_queue_t *queue, uint64_t due_ms)
{
    if (queue->high) {
        queue = queue->lane;
    }

    if (due_ms < queue->due_ms) {
        queue->due_ms = due_ms;
        fwd_dest_due(queue->dest, due_ms);
    }
}


void
fwd_queue_scan(fwd_queue_t *queue)
{
    uint64_t  now, pause;

    now = fwd_core_now_ms(queue->shard->engine->core);

    pause = (queue->scan_count > FWD_RETRY_SCAN_LARGE)
            ? FWD_RETRY_SCAN_LONG_MS : FWD_RETRY_SCAN_MS;

    if (queue->scanning
        || (queue->retry_known
            && (!queue->retry_some || now - queue->scan_ms < pause)))
    {
        return;
    }

    queue->scan_ms = now;
    queue->scan_count = 0;
    queue->scan_some = 0;
    queue->scan_valid = 1;

    fwd_retry_scan_step(queue, "0");
}


static void
fwd_retry_scan_step(fwd_queue_t *queue, const char *cursor)
{
    fwd_args_t  *args;

    args = &queue->shard->engine->args;

    fwd_args_reset(args);
    fwd_args_text(args, "ZSCAN");
    fwd_args_add(args, queue->retry.data, queue->retry.len);
    fwd_args_text(args, cursor);
    fwd_args_text(args, "COUNT");
    fwd_args_number(args, FWD_RETRY_SCAN_COUNT);

    queue->scanning = (fwd_args_send(args, queue->shard->redis,
                                     fwd_retry_scan_reply, queue, 0)
                       == FWD_OK);
}


static void
fwd_retry_scan_reply(void *data, redisReply *reply)
{
    size_t             i;
    fwd_id_t           id;
    fwd_queue_t       *queue = data;
    const redisReply  *list;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[1]->type != REDIS_REPLY_ARRAY
        || !queue->scan_valid)
    {
        queue->scanning = 0;
        return;
    }

    list = reply->element[1];
    queue->scan_count += (uint32_t) list->elements / 2;

    for (i = 0; i + 1 < list->elements; i += 2) {

        if (list->element[i]->type == REDIS_REPLY_STRING
            && fwd_id_parse(&id, list->element[i]->str,
                            (size_t) list->element[i]->len)
               == FWD_OK)
        {
            fwd_retry_bound(&queue->scan_min, queue->scan_some, id);
            queue->scan_some = 1;
        }

        /* others may be due all the time, and stand before it */

        if (list->element[i + 1]->type == REDIS_REPLY_STRING) {
            (void) fwd_retry_far(queue,
                                 strtod(list->element[i + 1]->str, NULL));
        }
    }

    if (strcmp(reply->element[0]->str, "0") != 0) {
        fwd_retry_scan_step(queue, reply->element[0]->str);
        return;
    }

    queue->scanning = 0;
    queue->shard->dirty = 1;             /* there may be more to trim */
    queue->retry_known = 1;
    queue->retry_min = queue->scan_min;
    queue->retry_some = queue->scan_some;
}


static void
fwd_retry_bound(fwd_id_t *min, unsigned some, fwd_id_t id)
{
    if (!some || fwd_id_compare(id, *min) < 0) {
        *min = id;
    }
}
