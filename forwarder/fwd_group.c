
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Batches that grow: events whose records go to the same endpoints and groups
 * are kept together, so that a batch is one call of each.
 *
 * Events are mapped when they come here, one at a time, and their records go
 * to the open batch of their key.  A batch leaves when it is full, when it
 * has waited for its linger, or when nothing else is under way; the one that
 * was opened first goes when there are too many.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_call.h"
#include "fwd_dest.h"
#include "fwd_gate.h"
#include "fwd_shard.h"


#define FWD_GROUPS_MAX   256             /* open batches of a destination */
#define FWD_GROUPS_PULL  1024            /* events mapped in one go */


typedef struct {
    fwd_batch_t          *batch;
    uint64_t              opened_ms;     /* monotonic */
    uint64_t              linger_ms;
    uint32_t              hash;          /* of the key */
    fwd_buf_t             key;           /* endpoints and groups, each once */
    uint64_t              count_max;
    uint64_t              bytes_max;
    uint32_t              items_max;     /* there were tokens for */
} fwd_group_t;


struct fwd_groups_s {
    fwd_group_t           list[FWD_GROUPS_MAX];  /* the oldest first */
    uint32_t              count;
    fwd_buf_t             key;           /* scratch */
};


static int fwd_groups_needed(const fwd_dest_conf_t *conf);
static uint32_t fwd_groups_pull(fwd_dest_t *dest);
static fwd_rc_t fwd_groups_add(fwd_dest_t *dest, fwd_item_t *item,
    fwd_batch_t *one);
static void fwd_groups_key(fwd_buf_t *key, const fwd_batch_t *one);
static fwd_group_t *fwd_groups_find(fwd_dest_t *dest, const fwd_batch_t *one);
static fwd_rc_t fwd_groups_copy(fwd_batch_t *to, const fwd_batch_t *one,
    fwd_item_t *item);
static uint32_t fwd_groups_items(const fwd_dest_t *dest);
static int fwd_group_full(const fwd_group_t *group);
static fwd_batch_t *fwd_groups_remove(fwd_groups_t *groups, uint32_t index);


fwd_rc_t
fwd_groups_create(fwd_dest_t *dest, fwd_error_t *err)
{
    if (!fwd_groups_needed(dest->conf)) {
        return FWD_OK;
    }

    dest->groups = calloc(1, sizeof(fwd_groups_t));

    if (dest->groups == NULL) {
        return fwd_error(err, "out of memory");
    }

    fwd_buf_init(&dest->groups->key, FWD_RECORD_GROUP_MAX * 16);

    return FWD_OK;
}


/* With one endpoint and no groups all events fit together anyway; in order
   they leave as they come. */

static int
fwd_groups_needed(const fwd_dest_conf_t *conf)
{
    return conf->http.endpoints != NULL && conf->desc->map != NULL
           && conf->policy.order != FWD_ORDER_PERSON
           && (conf->http.endpoints_count > 1
               || strstr(conf->desc->map, "@group") != NULL);
}


void
fwd_groups_destroy(fwd_dest_t *dest)
{
    if (dest->groups != NULL) {
        fwd_groups_recall(dest, NULL);
        fwd_buf_free(&dest->groups->key);
        free(dest->groups);
        dest->groups = NULL;
    }
}


int
fwd_groups_wait(const fwd_dest_t *dest)
{
    return dest->groups != NULL
           && (dest->groups->count != 0 || dest->fresh_count != 0);
}


fwd_batch_t *
fwd_groups_take(fwd_dest_t *dest, uint64_t *wait_ms)
{
    uint32_t       i, best;
    uint64_t       now, age, left;
    fwd_group_t   *group;
    fwd_groups_t  *groups;

    groups = dest->groups;
    now = fwd_core_now_ms(dest->engine->core);
    best = fwd_groups_pull(dest);

    if (best < groups->count) {
        return fwd_groups_remove(groups, best);
    }

    if (groups->count == 0) {
        return NULL;
    }

    /* the oldest first: it stands there */

    if (dest->inflight_count == 0 || groups->count == FWD_GROUPS_MAX) {
        return fwd_groups_remove(groups, 0);
    }

    for (i = 0; i < groups->count; i++) {
        group = &groups->list[i];
        age = now - group->opened_ms;

        if (age >= group->linger_ms) {
            return fwd_groups_remove(groups, i);
        }

        left = group->linger_ms - age;
        *wait_ms = left < *wait_ms ? left : *wait_ms;
    }

    return NULL;
}


/* Maps fresh events until a batch is full; its index, or UINT32_MAX. */

static uint32_t
fwd_groups_pull(fwd_dest_t *dest)
{
    uint32_t      i, n, pulled;
    fwd_rc_t      rc;
    fwd_batch_t  *fresh, *one;
    fwd_groups_t *groups;

    groups = dest->groups;
    one = NULL;
    pulled = 0;

    for (i = 0; i < groups->count; i++) {
        if (fwd_group_full(&groups->list[i])) {
            return i;
        }
    }

    while (dest->fresh_count != 0 && pulled < FWD_GROUPS_PULL
           && !fwd_dest_rests(dest))
    {
        fresh = fwd_select_fresh(dest);

        if (fresh == NULL || fresh->items_count == 0) {
            fwd_batch_free(fresh);
            break;
        }

        rc = FWD_OK;

        for (i = 0; i < fresh->items_count && rc != FWD_AGAIN; i++) {
            one = fwd_batch_create(dest->engine->core, dest);

            rc = (one == NULL || groups->count == FWD_GROUPS_MAX
                  || fwd_dest_rests(dest))
                 ? FWD_AGAIN : fwd_groups_add(dest, fresh->items[i], one);

            fwd_batch_free(one);
            one = NULL;

            if (rc == FWD_AGAIN) {
                fwd_fill_return(dest, &fresh->items[i],
                                fresh->items_count - i);
            }
        }

        pulled += fresh->items_count;
        fresh->items_count = 0;
        fwd_batch_free(fresh);

        for (n = 0; n < groups->count; n++) {
            if (fwd_group_full(&groups->list[n])) {
                return n;
            }
        }

        if (rc == FWD_AGAIN) {
            break;
        }
    }

    return UINT32_MAX;
}


/* FWD_AGAIN: no memory, the item is as it was.  FWD_NONE: it has ended. */

static fwd_rc_t
fwd_groups_add(fwd_dest_t *dest, fwd_item_t *item, fwd_batch_t *one)
{
    fwd_rc_t      rc;
    fwd_group_t  *group;

    if (!fwd_shard_owned(item->queue->shard)) {
        fwd_queue_forget(item);
        return FWD_NONE;
    }

    rc = fwd_fill_one(dest, one, item);

    if (rc != FWD_OK) {
        return rc;
    }

    fwd_batch_seal(one);
    group = fwd_groups_find(dest, one);

    return (group != NULL) ? fwd_groups_copy(group->batch, one, item)
                           : FWD_AGAIN;
}


static fwd_group_t *
fwd_groups_find(fwd_dest_t *dest, const fwd_batch_t *one)
{
    uint32_t               i, hash;
    fwd_group_t           *group;
    fwd_groups_t          *groups;
    const fwd_endpoint_t  *endpoint;

    groups = dest->groups;
    fwd_groups_key(&groups->key, one);
    hash = 2166136261u;

    for (i = 0; i < groups->key.len; i++) {
        hash = (hash ^ groups->key.data[i]) * 16777619u;
    }

    for (i = 0; i < groups->count; i++) {
        group = &groups->list[i];

        if (group->hash == hash && group->key.len == groups->key.len
            && memcmp(group->key.data, groups->key.data, group->key.len) == 0
            && !fwd_group_full(group))
        {
            return group;
        }
    }

    if (groups->count == FWD_GROUPS_MAX) {
        return NULL;
    }

    group = &groups->list[groups->count];
    memset(group, 0, sizeof(fwd_group_t));
    group->batch = fwd_batch_create(dest->engine->core, dest);

    if (group->batch == NULL) {
        return NULL;
    }

    fwd_buf_init(&group->key, groups->key.max);
    fwd_buf_add(&group->key, groups->key.data, groups->key.len);
    group->hash = hash;
    group->opened_ms = fwd_core_now_ms(dest->engine->core);
    group->items_max = fwd_groups_items(dest);

    if (one->steers[0].endpoint == FWD_ENDPOINT_SEQUENCE) {
        group->linger_ms = 0;            /* nothing comes to it */
        group->count_max = 1;
        group->bytes_max = UINT64_MAX;

    } else {
        endpoint = &dest->conf->http.endpoints[one->steers[0].endpoint];
        group->linger_ms = endpoint->linger_ms;
        group->count_max = one->steers[0].alone ? 1 : endpoint->count_max;
        group->bytes_max = endpoint->bytes_max;
    }

    groups->count++;

    return group;
}


/*
 * Events of a batch that begins now.  A lease of tokens may end while events
 * are mapped; a batch is none the smaller for that, it waits for the next one.
 */

static uint32_t
fwd_groups_items(const fwd_dest_t *dest)
{
    uint32_t  max;

    max = fwd_select_max(dest);

    return max ? max : (uint32_t) dest->conf->limits.batch_count;
}


static void
fwd_groups_key(fwd_buf_t *key, const fwd_batch_t *one)
{
    uint32_t            i, n;
    const fwd_steer_t  *steer, *other;

    fwd_buf_reset(key);

    for (i = 0; i < one->records_count; i++) {
        steer = &one->steers[i];

        for (n = 0; n < i; n++) {
            other = &one->steers[n];

            if (other->endpoint == steer->endpoint
                && other->group.len == steer->group.len
                && (steer->group.len == 0
                    || memcmp(other->group.data, steer->group.data,
                              steer->group.len) == 0))
            {
                break;
            }
        }

        if (n < i) {
            continue;
        }

        fwd_buf_add_char(key, (int) steer->endpoint);
        fwd_buf_add(key, steer->group.data, steer->group.len);
        fwd_buf_add_char(key, steer->alone ? 1 : 0);
    }
}


static fwd_rc_t
fwd_groups_copy(fwd_batch_t *to, const fwd_batch_t *one, fwd_item_t *item)
{
    uint32_t  i;

    if (fwd_batch_add(to, item) != FWD_OK) {
        return FWD_AGAIN;
    }

    for (i = 0; i < one->records_count; i++) {
        if (fwd_batch_add_copy(to, one->records[i].data, one->records[i].len)
            != FWD_OK
            || fwd_batch_steer(to, &one->steers[i]) != FWD_OK)
        {
            fwd_batch_pop(to);
            return FWD_AGAIN;
        }
    }

    to->filled = 1;

    return FWD_OK;
}


static int
fwd_group_full(const fwd_group_t *group)
{
    return group->batch->records_count >= group->count_max
           || group->batch->bytes >= group->bytes_max
           || group->batch->items_count >= group->items_max;
}


static fwd_batch_t *
fwd_groups_remove(fwd_groups_t *groups, uint32_t index)
{
    fwd_batch_t  *batch;

    batch = groups->list[index].batch;
    fwd_buf_free(&groups->list[index].key);

    groups->count--;
    memmove(&groups->list[index], &groups->list[index + 1],
            (groups->count - index) * sizeof(fwd_group_t));

    return batch;
}


void
fwd_groups_recall(fwd_dest_t *dest, const fwd_shard_t *shard)
{
    uint32_t      i, n;
    fwd_batch_t  *batch;

    if (dest->groups == NULL) {
        return;
    }

    for (i = dest->groups->count; i-- > 0; /* void */) {
        batch = dest->groups->list[i].batch;

        for (n = 0; shard != NULL && n < batch->items_count; n++) {
            if (batch->items[n]->queue != NULL
                && batch->items[n]->queue->shard == shard)
            {
                break;
            }
        }

        if (shard == NULL || n < batch->items_count) {
            fwd_batch_forget(fwd_groups_remove(dest->groups, i));
        }
    }
}
