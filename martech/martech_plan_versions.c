
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The versions of an entry's schema: which there are, which are accepted, and
 * which is the newest of these.
 */


#include <string.h>

#include "martech_plan_private.h"


static int martech_plan_shapes(martech_plan_reader_t *r,
    martech_plan_item_t *item, uint32_t count);
static int martech_plan_read_shapes(martech_plan_reader_t *r, uint32_t node,
    uint32_t accept, martech_plan_item_t *item);
static int martech_plan_read_accept(martech_plan_reader_t *r, uint32_t node,
    martech_plan_item_t *item);
static void martech_plan_choose_newest(martech_plan_item_t *item);


/* "properties" is short for one version, "1". */

int
martech_plan_read_versions(martech_plan_reader_t *r, uint32_t one,
    uint32_t many, uint32_t accept, martech_plan_item_t *item)
{
    static const martech_str_t  name = martech_string("1");

    if (accept != MARTECH_JSON_NONE && many == MARTECH_JSON_NONE) {
        return martech_plan_wrong(r, accept, "needs \"versions\" beside it");
    }

    if (one != MARTECH_JSON_NONE && many != MARTECH_JSON_NONE) {
        return martech_plan_wrong(r, many, "stands beside \"properties\"; "
                                  "one of the two is allowed");
    }

    if (one == MARTECH_JSON_NONE && many == MARTECH_JSON_NONE) {
        return 0;
    }

    if (many != MARTECH_JSON_NONE) {
        return martech_plan_read_shapes(r, many, accept, item);
    }

    if (martech_plan_shapes(r, item, 1) == -1) {
        return -1;
    }

    item->nshapes = 1;
    item->shapes[0].name = name;
    item->shapes[0].accepted = 1;

    if (martech_plan_read_schema(r, one, item, &item->shapes[0]) == -1) {
        return -1;
    }

    martech_plan_choose_newest(item);

    return 0;
}


static int
martech_plan_shapes(martech_plan_reader_t *r, martech_plan_item_t *item,
    uint32_t count)
{
    item->shapes = martech_plan_alloc(r->plan,
                                      count * sizeof(martech_plan_shape_t));

    return (item->shapes == NULL) ? martech_plan_no_memory(r) : 0;
}


/* Which are accepted is read first: what only others name is no field. */

static int
martech_plan_read_shapes(martech_plan_reader_t *r, uint32_t node,
    uint32_t accept, martech_plan_item_t *item)
{
    uint32_t                    i;
    martech_plan_shape_t       *shape;
    const martech_json_node_t  *nodes;

    if (martech_plan_kind(r, node, MARTECH_JSON_OBJECT) == -1) {
        return -1;
    }

    nodes = r->tape->nodes;

    if (nodes[node].count == 0
        || nodes[node].count > MARTECH_PLAN_VERSIONS_MAX)
    {
        return martech_plan_wrong(r, node, "has %u versions; 1 to %d are "
                                  "allowed", nodes[node].count,
                                  MARTECH_PLAN_VERSIONS_MAX);
    }

    if (martech_plan_shapes(r, item, nodes[node].count) == -1) {
        return -1;
    }

    for (i = node + 1; i < nodes[node].next; i = nodes[i].next) {
        shape = &item->shapes[item->nshapes++];

        if (martech_plan_key(r, i, &shape->name) == -1
            || martech_plan_word(r, i, shape->name) == -1)
        {
            return -1;
        }
    }

    if (martech_plan_read_accept(r, accept, item) == -1) {
        return -1;
    }

    shape = item->shapes;

    for (i = node + 1; i < nodes[node].next; i = nodes[i].next) {

        if (martech_plan_read_schema(r, i, item, shape++) == -1) {
            return -1;
        }
    }

    martech_plan_choose_newest(item);

    return 0;
}


static int
martech_plan_read_accept(martech_plan_reader_t *r, uint32_t node,
    martech_plan_item_t *item)
{
    unsigned                    k;
    uint32_t                    i;
    martech_str_t               name;
    const martech_json_node_t  *nodes;

    if (node == MARTECH_JSON_NONE) {

        for (k = 0; k < item->nshapes; k++) {
            item->shapes[k].accepted = 1;
        }

        return 0;
    }

    if (martech_plan_kind(r, node, MARTECH_JSON_ARRAY) == -1) {
        return -1;
    }

    nodes = r->tape->nodes;

    if (nodes[node].count == 0) {
        return martech_plan_wrong(r, node, "is empty; at least one of "
                                  "\"versions\" must be accepted");
    }

    for (i = node + 1; i < nodes[node].next; i = nodes[i].next) {

        if (martech_plan_text(r, i, MARTECH_PLAN_WORD_MAX, &name) == -1) {
            return -1;
        }

        for (k = 0; k < item->nshapes; k++) {
            if (item->shapes[k].name.len == name.len
                && memcmp(item->shapes[k].name.data, name.data, name.len) == 0)
            {
                break;
            }
        }

        if (k == item->nshapes) {
            return martech_plan_wrong(r, i, "is none of \"versions\"");
        }

        if (item->shapes[k].accepted) {
            return martech_plan_wrong(r, i, "stands here twice");
        }

        item->shapes[k].accepted = 1;
    }

    return 0;
}


static void
martech_plan_choose_newest(martech_plan_item_t *item)
{
    unsigned  i;

    for (i = 0; i < item->nshapes; i++) {
        if (item->shapes[i].accepted) {
            item->newest = (int) i;
            item->entry.schema = item->shapes[i].schema;
        }
    }
}
