
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The steps finish, retry and dead: many items of a queue in one script.
 *
 * Items stay in memory until Redis has answered.  When the answer is lost
 * they go back to their list and the step is sent again under the next
 * lease; the scripts count an event once, however often they run.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_dead.h"
#include "fwd_dest.h"
#include "fwd_shard.h"


#define FWD_STEP_MAX        256          /* items of one script, ... */
#define FWD_STEP_BYTES_MAX  (1024 * 1024)   /* ... less if they are large */


typedef struct {
    fwd_queue_t          *queue;         /* lives longer than any step */
    fwd_finish_t          how;
    fwd_link_t            items;
} fwd_step_t;


typedef struct {
    fwd_script_t          script;
    fwd_fail_point_t      before;
    fwd_fail_point_t      after;
    const char           *name;
    void                (*args)(fwd_args_t *args, const fwd_step_t *step);
} fwd_step_kind_t;


static fwd_rc_t fwd_step_send(fwd_queue_t *queue, fwd_finish_t how);
static void fwd_step_take(fwd_step_t *step);
static void fwd_step_args_finish(fwd_args_t *args, const fwd_step_t *step);
static void fwd_step_args_group(fwd_args_t *args, const fwd_step_t *step,
    fwd_item_t *first);
static int fwd_step_together(const fwd_item_t *one, const fwd_item_t *two);
static void fwd_step_args_retry(fwd_args_t *args, const fwd_step_t *step);
static void fwd_step_args_tries(fwd_args_t *args, const fwd_item_t *item);
static void fwd_step_args_keep(fwd_args_t *args, const fwd_step_t *step);
static void fwd_step_args_dead(fwd_args_t *args, const fwd_step_t *step);
static void fwd_step_reply(void *data, redisReply *reply);
static void fwd_step_end(fwd_step_t *step);
static void fwd_step_back(fwd_step_t *step);


static const fwd_step_kind_t  fwd_step_kinds[FWD_FINISH_COUNT] = {
    [FWD_FINISH_DONE] = {
        FWD_SCRIPT_FINISH, FWD_FAIL_BEFORE_DONE, FWD_FAIL_AFTER_DONE,
        "done", fwd_step_args_finish
    },
    [FWD_FINISH_RETRY] = {
        FWD_SCRIPT_RETRY, FWD_FAIL_BEFORE_RETRY, FWD_FAIL_AFTER_RETRY,
        "retry", fwd_step_args_retry
    },
    [FWD_FINISH_DEAD] = {
        FWD_SCRIPT_DEAD, FWD_FAIL_BEFORE_DEAD, FWD_FAIL_AFTER_DEAD, "dead",
        fwd_step_args_dead
    },
    [FWD_FINISH_KEEP] = {
        FWD_SCRIPT_KEEP, FWD_FAIL_BEFORE_RETRY, FWD_FAIL_AFTER_RETRY, "keep",
        fwd_step_args_keep
    }
};


/* Names of the counters in the ledger. */
static const char *const  fwd_step_ends[FWD_END_COUNT] = {
    [FWD_END_DONE] = "done",
    [FWD_END_DROP] = "drop",
    [FWD_END_EXPIRED] = "expired",
    [FWD_END_DRY] = "dry"
};


void
fwd_queue_flush(void *data)
{
    size_t        i;
    fwd_queue_t  *queue = data;

    for (i = 0; i < FWD_FINISH_COUNT; i++) {

        while (!fwd_list_empty(&queue->finished[i])
               && fwd_shard_owned(queue->shard)
               && fwd_redis_is_up(queue->shard->redis))
        {
            if (fwd_step_send(queue, (fwd_finish_t) i) != FWD_OK) {
                return;                  /* the shard's tick tries again */
            }
        }
    }
}


static fwd_rc_t
fwd_step_send(fwd_queue_t *queue, fwd_finish_t how)
{
    fwd_args_t             *args;
    fwd_step_t             *step;
    fwd_engine_t           *engine;
    const fwd_step_kind_t  *kind;

    engine = queue->shard->engine;
    kind = &fwd_step_kinds[how];
    args = &engine->args;

    step = malloc(sizeof(fwd_step_t));
    if (step == NULL) {
        return FWD_AGAIN;
    }

    step->queue = queue;
    step->how = how;
    fwd_list_init(&step->items);

    fwd_step_take(step);

    fwd_args_script(args, kind->script, how == FWD_FINISH_DEAD ? 6 : 5);
    fwd_args_add(args, queue->shard->owner.data, queue->shard->owner.len);
    fwd_args_add(args, queue->shard->ledger.data, queue->shard->ledger.len);
    fwd_args_add(args, queue->q.data, queue->q.len);
    fwd_args_add(args, queue->retry.data, queue->retry.len);
    fwd_args_add(args, queue->try.data, queue->try.len);

    if (how == FWD_FINISH_DEAD) {
        fwd_args_add(args, queue->dead.data, queue->dead.len);
    }

    fwd_args_number(args, queue->shard->epoch);
    fwd_args_text(args, queue->dest->conf->name);
    kind->args(args, step);

    fwd_fail(engine->core, kind->before);

    queue->steps_count++;

    if (fwd_args_send(args, queue->shard->redis, fwd_step_reply, step, 0)
        != FWD_OK)
    {
        queue->steps_count--;
        fwd_step_back(step);
        return FWD_AGAIN;
    }

    return FWD_OK;
}


/* Dead letters are large, and a script is built in memory: not too many. */

static void
fwd_step_take(fwd_step_t *step)
{
    size_t       bytes;
    uint32_t     n;
    fwd_link_t  *list;
    fwd_item_t  *item;

    list = &step->queue->finished[step->how];
    bytes = 0;

    for (n = 0; n < FWD_STEP_MAX && !fwd_list_empty(list); n++) {
        item = fwd_list_data(list->next, fwd_item_t, link);

        if (step->how == FWD_FINISH_DEAD) {
            bytes += fwd_dead_size(item);

            if (n != 0 && bytes > FWD_STEP_BYTES_MAX) {
                break;
            }
        }

        fwd_list_remove(&item->link);
        fwd_list_push(&step->items, &item->link);
        item->waiting = 0;
    }
}


/* Items of one end and one source share counters: a group for each such. */

static void
fwd_step_args_finish(fwd_args_t *args, const fwd_step_t *step)
{
    fwd_link_t  *link;
    fwd_item_t  *item;

    for (link = step->items.next; link != &step->items; link = link->next) {
        fwd_list_data(link, fwd_item_t, link)->grouped = 0;
    }

    for (link = step->items.next; link != &step->items; link = link->next) {
        item = fwd_list_data(link, fwd_item_t, link);

        if (!item->grouped) {
            fwd_step_args_group(args, step, item);
        }
    }
}


/* The group of an item; those before it have theirs. */

static void
fwd_step_args_group(fwd_args_t *args, const fwd_step_t *step,
    fwd_item_t *first)
{
    uint32_t     n;
    uint64_t     digest;
    fwd_link_t  *link;
    fwd_item_t  *item;

    n = 0;
    digest = 0;

    for (link = &first->link; link != &step->items; link = link->next) {
        item = fwd_list_data(link, fwd_item_t, link);

        if (!item->grouped && fwd_step_together(first, item)) {
            item->grouped = 1;
            digest += fwd_id_digest(item->event->id);
            n++;
        }
    }

    fwd_args_text(args, fwd_step_ends[first->end]);
    fwd_args_add(args, first->event->source.data, first->event->source.len);
    fwd_args_number(args, digest);
    fwd_args_text(args, first->doubtful ? "1" : "0");
    fwd_args_number(args, n);

    for (link = &first->link; n > 0; link = link->next) {
        item = fwd_list_data(link, fwd_item_t, link);

        if (fwd_step_together(first, item)) {
            fwd_args_id(args, item->event->id);
            n--;
        }
    }
}


static int
fwd_step_together(const fwd_item_t *one, const fwd_item_t *two)
{
    const martech_str_t  *a, *b;

    a = &one->event->source;
    b = &two->event->source;

    return one->end == two->end && one->doubtful == two->doubtful
           && a->len == b->len
           && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}


static void
fwd_step_args_retry(fwd_args_t *args, const fwd_step_t *step)
{
    const fwd_item_t  *item;
    const fwd_link_t  *link;

    for (link = step->items.next; link != &step->items; link = link->next) {
        item = fwd_list_data(link, fwd_item_t, link);

        fwd_queue_retry_adding(step->queue, item->event->id);

        fwd_args_id(args, item->event->id);
        fwd_args_due(args, item->due);
        fwd_step_args_tries(args, item);
    }
}


/* What the attempts were, as it stands in try. */

static void
fwd_step_args_tries(fwd_args_t *args, const fwd_item_t *item)
{
    char            text[FWD_ATTEMPTS_TEXT_MAX];
    size_t          len;
    fwd_attempts_t  bare;

    memset(&bare, 0, sizeof(bare));
    bare.count = item->attempts;

    len = fwd_attempts_format(text, item->tries ? item->tries : &bare);
    fwd_args_copy(args, text, len);
}


static void
fwd_step_args_keep(fwd_args_t *args, const fwd_step_t *step)
{
    const fwd_item_t  *item;
    const fwd_link_t  *link;

    for (link = step->items.next; link != &step->items; link = link->next) {
        item = fwd_list_data(link, fwd_item_t, link);

        fwd_args_id(args, item->event->id);
        fwd_step_args_tries(args, item);
    }
}


static void
fwd_step_args_dead(fwd_args_t *args, const fwd_step_t *step)
{
    uint64_t           now;
    const fwd_item_t  *item;
    const fwd_link_t  *link;

    now = fwd_wall_ms();

    for (link = step->items.next; link != &step->items; link = link->next) {
        item = fwd_list_data(link, fwd_item_t, link);

        fwd_args_id(args, item->event->id);
        fwd_dead_args(args, item, now);
    }
}


static void
fwd_step_reply(void *data, redisReply *reply)
{
    fwd_rc_t       rc;
    fwd_step_t    *step = data;
    fwd_queue_t   *queue;
    fwd_shard_t   *shard;

    queue = step->queue;
    shard = queue->shard;

    queue->steps_count--;

    rc = fwd_script_result(shard->redis, reply);

    switch (rc) {

    case FWD_OK:
        fwd_fail(shard->engine->core, fwd_step_kinds[step->how].after);
        shard->dirty = 1;
        fwd_step_end(step);
        return;

    case FWD_FENCED:
        fwd_shard_fenced(shard);
        break;

    case FWD_ERROR:
        fwd_shard_error(shard, fwd_step_kinds[step->how].name, reply);
        break;

    default:

        /* the script was loaded again, or a new connection will come */

        if (reply != NULL) {
            fwd_post(shard->engine->core, &queue->flush);
        }

        break;
    }

    fwd_step_back(step);
}


static void
fwd_step_end(fwd_step_t *step)
{
    fwd_item_t  *item;

    while (!fwd_list_empty(&step->items)) {
        item = fwd_list_data(step->items.next, fwd_item_t, link);
        fwd_list_remove(&item->link);

        if (step->how == FWD_FINISH_RETRY && item->queue != NULL) {
            fwd_queue_retry_added(item->queue, item);
        }

        if (step->how == FWD_FINISH_KEEP && item->queue != NULL) {

            /* from now on it holds up those of its person */

            fwd_order_add(item->dest->order, item);
            fwd_dest_wake(item->dest);
            continue;
        }

        fwd_item_free(item);
    }

    free(step);
}


/* Items go back to where they came from; orphans are gone for good. */

static void
fwd_step_back(fwd_step_t *step)
{
    fwd_item_t  *item;

    while (!fwd_list_empty(&step->items)) {
        item = fwd_list_data(step->items.prev, fwd_item_t, link);
        fwd_list_remove(&item->link);

        if (item->queue == NULL) {
            fwd_item_free(item);
            continue;
        }

        item->waiting = 1;
        item->doubtful = 1;
        fwd_list_insert_before(step->queue->finished[step->how].next,
                               &item->link);
    }

    free(step);
}
