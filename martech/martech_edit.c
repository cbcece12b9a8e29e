
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A list of changes to a text: filled in any order, sorted once, looked up by
 * offset.  No memory of its own.
 */


#include <string.h>

#include "martech_edit.h"


static int martech_edit_before(const martech_edit_t *a,
    const martech_edit_t *b);
static int martech_edit_sorted(const martech_edits_t *edits);
static void martech_edit_sift(martech_edit_t *list, unsigned root,
    unsigned count);
static void martech_edit_merge(martech_edits_t *edits);


void
martech_edit_add(martech_edits_t *edits, uint32_t start, uint32_t end,
    martech_str_t with)
{
    martech_edit_t  *edit;

    if (edits->count == edits->max) {
        edits->full = 1;
        return;
    }

    edit = &edits->list[edits->count++];

    edit->start = start;
    edit->end = end;
    edit->with = with;
}


unsigned char *
martech_edit_room(martech_edits_t *edits, size_t size)
{
    unsigned char  *p;

    if (size > edits->size - edits->used) {
        edits->full = 1;
        return NULL;
    }

    p = edits->buf + edits->used;
    edits->used += size;

    return p;
}


/*
 * The order of two changes: by start, a longer one first, and of two of the
 * same range the one that leaves nothing.  The text decides at last, so that
 * the result does not depend on the order in which they were found.
 */

static int
martech_edit_before(const martech_edit_t *a, const martech_edit_t *b)
{
    if (a->start != b->start) {
        return a->start < b->start;
    }

    if (a->end != b->end) {
        return a->end > b->end;
    }

    if (a->with.len != b->with.len) {
        return a->with.len < b->with.len;
    }

    return a->with.len > 0
           && memcmp(a->with.data, b->with.data, a->with.len) < 0;
}


static int
martech_edit_sorted(const martech_edits_t *edits)
{
    unsigned  i;

    for (i = 1; i < edits->count; i++) {

        if (martech_edit_before(&edits->list[i], &edits->list[i - 1])) {
            return 0;
        }
    }

    return 1;
}


/*
 * A heap: in place and n log n for any order, because a sender chooses how
 * many there are.
 */

void
martech_edit_sort(martech_edits_t *edits)
{
    unsigned         i;
    martech_edit_t   last, *list;

    if (edits->count < 2) {
        return;
    }

    if (!martech_edit_sorted(edits)) {
        list = edits->list;

        for (i = edits->count / 2; i > 0; i--) {
            martech_edit_sift(list, i - 1, edits->count);
        }

        for (i = edits->count - 1; i > 0; i--) {
            last = list[i];
            list[i] = list[0];
            list[0] = last;

            martech_edit_sift(list, 0, i);
        }
    }

    martech_edit_merge(edits);
}


static void
martech_edit_sift(martech_edit_t *list, unsigned root, unsigned count)
{
    unsigned        child;
    martech_edit_t  edit;

    edit = list[root];

    for ( ;; ) {
        child = 2 * root + 1;

        if (child >= count) {
            break;
        }

        if (child + 1 < count
            && martech_edit_before(&list[child], &list[child + 1]))
        {
            child++;
        }

        if (!martech_edit_before(&edit, &list[child])) {
            break;
        }

        list[root] = list[child];
        root = child;
    }

    list[root] = edit;
}


/*
 * What lies within another one goes.  Two that cross become one, with the
 * text of the first: all that either would take away is away.
 */

static void
martech_edit_merge(martech_edits_t *edits)
{
    unsigned         i, n;
    martech_edit_t  *edit, *last;

    n = 1;

    for (i = 1; i < edits->count; i++) {
        edit = &edits->list[i];
        last = &edits->list[n - 1];

        if (edit->start >= last->end) {
            edits->list[n++] = *edit;

        } else if (edit->end > last->end) {
            last->end = edit->end;
        }
    }

    edits->count = n;
}


unsigned
martech_edit_at(const martech_edits_t *edits, uint32_t offset)
{
    unsigned  low, high, middle;

    low = 0;
    high = edits->count;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (edits->list[middle].end > offset) {
            high = middle;

        } else {
            low = middle + 1;
        }
    }

    return low;
}
