
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What a batch of several calls leaves to be sent once more: the records of
 * calls that were not made, of those that are to be cut in halves, and of
 * those whose records are to go alone.
 */


#include <stdlib.h>

#include "fwd_call.h"
#include "fwd_dest.h"


static int fwd_judge_decides(fwd_outcome_t outcome);
static uint32_t fwd_judge_call(const fwd_batch_t *batch, uint32_t index,
    fwd_verdict_how_t how);
static void fwd_judge_back_again(fwd_batch_t *batch);
static void fwd_judge_halves(fwd_batch_t *batch, uint32_t call);
static void fwd_judge_put(fwd_dest_t *dest, fwd_batch_t *set,
    fwd_item_t **items, uint32_t count);


/*
 * Of the records of one event: one that failed by itself decides, for it has
 * to wait, or is refused; then what brings the bad one out.
 */

fwd_verdict_how_t
fwd_judge_how(const fwd_batch_t *batch, uint32_t index)
{
    uint32_t              i, first, count;
    fwd_verdict_how_t     how;
    const fwd_verdict_t  *v;

    if (batch->verdicts == NULL || batch->calls == NULL) {
        return FWD_VERDICT_PLAIN;
    }

    first = fwd_batch_records(batch, index, &count);
    how = FWD_VERDICT_PLAIN;

    for (i = 0; i < count; i++) {
        v = &batch->verdicts[first + i];

        if (v->how == FWD_VERDICT_PLAIN) {

            if (fwd_judge_decides(v->outcome)) {
                return FWD_VERDICT_PLAIN;
            }

            continue;
        }

        if (how == FWD_VERDICT_PLAIN || how == FWD_VERDICT_BACK) {
            how = v->how;
        }
    }

    return how;
}


/* Whatever is with the event's other records.  AMBIGUOUS may mean "done". */

static int
fwd_judge_decides(fwd_outcome_t outcome)
{
    switch (outcome) {

    case FWD_OUTCOME_REJECTED:
    case FWD_OUTCOME_RETRY:
    case FWD_OUTCOME_THROTTLED:
    case FWD_OUTCOME_UNCLASSIFIED:
        return 1;

    default:
        return 0;
    }
}


/* The call of such a verdict; UINT32_MAX: it is of no use any more. */

static uint32_t
fwd_judge_call(const fwd_batch_t *batch, uint32_t index,
    fwd_verdict_how_t how)
{
    uint32_t  i, first, count;

    first = fwd_batch_records(batch, index, &count);

    for (i = first; i < first + count; i++) {
        if (batch->verdicts[i].how == how) {
            return batch->calls->call_of[i];
        }
    }

    return UINT32_MAX;
}


void
fwd_judge_again(fwd_batch_t *batch)
{
    uint32_t  i;

    for (i = 0; i < batch->calls->count; i++) {
        fwd_judge_halves(batch, i);
    }

    fwd_judge_back_again(batch);
}


/* As they are, and those that go alone; the items leave the batch. */

static void
fwd_judge_back_again(fwd_batch_t *batch)
{
    uint32_t       i, count;
    fwd_item_t   **items;
    fwd_batch_t   *set;

    items = calloc(batch->items_count, sizeof(fwd_item_t *));
    set = fwd_batch_create(batch->core, batch->dest);
    count = 0;

    for (i = 0; i < batch->items_count; i++) {

        if (batch->items[i] == NULL || !batch->items[i]->left) {
            continue;
        }

        batch->items[i]->left = 0;
        batch->items[i]->alone |= (fwd_judge_how(batch, i)
                                   == FWD_VERDICT_SINGLY);

        if (items == NULL) {
            fwd_queue_forget(batch->items[i]);

        } else {
            items[count++] = batch->items[i];
        }

        batch->items[i] = NULL;
    }

    fwd_judge_put(batch->dest, set, items, count);
    free(items);
}


static void
fwd_judge_halves(fwd_batch_t *batch, uint32_t call)
{
    uint32_t       i, count, middle;
    fwd_item_t   **items;

    items = calloc(batch->items_count, sizeof(fwd_item_t *));
    count = 0;

    for (i = 0; items != NULL && i < batch->items_count; i++) {

        if (batch->items[i] == NULL || !batch->items[i]->left
            || fwd_judge_how(batch, i) != FWD_VERDICT_SPLIT
            || fwd_judge_call(batch, i, FWD_VERDICT_SPLIT) != call)
        {
            continue;
        }

        batch->items[i]->left = 0;
        items[count++] = batch->items[i];
        batch->items[i] = NULL;
    }

    middle = (count + 1) / 2;

    if (items != NULL) {
        fwd_judge_put(batch->dest,
                      fwd_batch_create(batch->core, batch->dest),
                      items + middle, count - middle);
        fwd_judge_put(batch->dest,
                      fwd_batch_create(batch->core, batch->dest),
                      items, middle);
    }

    free(items);
}


/* In order they go back to their places: others of their persons wait. */

static void
fwd_judge_put(fwd_dest_t *dest, fwd_batch_t *set, fwd_item_t **items,
    uint32_t count)
{
    uint32_t  i;

    for (i = 0; i < count; i++) {
        if (set == NULL || dest->order != NULL
            || fwd_batch_add(set, items[i]) != FWD_OK)
        {
            fwd_queue_forget(items[i]);
        }
    }

    if (set == NULL || set->items_count == 0) {
        fwd_batch_free(set);
        return;
    }

    fwd_list_insert_before(dest->again.next, &set->link);
}
