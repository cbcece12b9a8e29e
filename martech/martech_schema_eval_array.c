
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The evaluation of arrays, and of what is left over of a value.
 */


#include "martech_schema_core.h"


static const martech_str_t  martech_schema_nobody = { 0, NULL };


martech_schema_verdict_t
martech_schema_eval_count(martech_schema_eval_t *ev, uint32_t node,
    const martech_schema_count_t *min, const martech_schema_count_t *max,
    const char *min_rule, const char *max_rule)
{
    uint32_t                  count;
    martech_schema_verdict_t  rc;

    rc = MARTECH_SCHEMA_VALID;
    count = ev->tape->nodes[node].count;

    if (min->where.data != NULL && count < min->limit) {
        rc = martech_schema_note(ev, node, min_rule, min->where,
                                 martech_schema_nobody);
    }

    if (max->where.data != NULL && count > max->limit) {
        rc = martech_schema_note(ev, node, max_rule, max->where,
                                 martech_schema_nobody);
    }

    return rc;
}


static martech_schema_verdict_t
martech_schema_eval_items(martech_schema_eval_t *ev,
    const martech_schema_array_t *array, uint32_t node,
    martech_schema_marks_t *marks)
{
    uint32_t                     i, n;
    martech_schema_verdict_t     rc;
    const martech_json_node_t   *nodes;
    const martech_schema_sub_t  *sub;

    rc = MARTECH_SCHEMA_VALID;
    nodes = ev->tape->nodes;
    n = 0;

    for (i = node + 1; i < nodes[node].next; i = nodes[i].next) {
        sub = (n < array->nprefix) ? array->prefix[n] : array->rest;

        if (sub == NULL) {
            break;
        }

        rc = martech_schema_worse(rc, martech_schema_eval(ev, sub, i, NULL));

        if (martech_schema_ends(ev, rc)) {
            return rc;
        }

        if (marks != NULL) {
            martech_schema_mark(marks, n);
        }

        n++;
    }

    return rc;
}


static martech_schema_verdict_t
martech_schema_eval_contains(martech_schema_eval_t *ev,
    const martech_schema_array_t *array, uint32_t node,
    martech_schema_marks_t *marks)
{
    uint32_t                    i, n;
    uint64_t                    found, min, max;
    martech_schema_verdict_t    rc;
    const martech_json_node_t  *nodes;

    nodes = ev->tape->nodes;
    found = 0;
    n = 0;

    min = (array->contains_min.where.data != NULL)
          ? array->contains_min.limit : 1;
    max = (array->contains_max.where.data != NULL)
          ? array->contains_max.limit : UINT64_MAX;

    for (i = node + 1; i < nodes[node].next; i = nodes[i].next) {

        if (marks == NULL && found > max) {
            break;
        }

        if (marks == NULL && found >= min && max == UINT64_MAX) {
            break;
        }

        ev->quiet++;
        rc = martech_schema_eval(ev, array->contains, i, NULL);
        ev->quiet--;

        if (rc == MARTECH_SCHEMA_LIMIT) {
            return rc;
        }

        if (rc == MARTECH_SCHEMA_VALID) {
            found++;

            if (marks != NULL) {
                martech_schema_mark(marks, n);
            }
        }

        n++;
    }

    rc = MARTECH_SCHEMA_VALID;

    if (found < min) {
        rc = (array->contains_min.where.data != NULL)
             ? martech_schema_note(ev, node, "minContains",
                                   array->contains_min.where,
                                   martech_schema_nobody)
             : martech_schema_note(ev, node, "contains",
                                   array->contains_where,
                                   martech_schema_nobody);
    }

    if (found > max) {
        rc = martech_schema_note(ev, node, "maxContains",
                                 array->contains_max.where,
                                 martech_schema_nobody);
    }

    return rc;
}


martech_schema_verdict_t
martech_schema_eval_array(martech_schema_eval_t *ev,
    const martech_schema_array_t *array, uint32_t node,
    martech_schema_marks_t *marks)
{
    int                       unique;
    martech_schema_verdict_t  rc;

    rc = martech_schema_eval_count(ev, node, &array->min, &array->max,
                                   "minItems", "maxItems");

    if (array->unique_where.data != NULL && !martech_schema_ends(ev, rc)) {
        unique = martech_schema_unique(ev, node);

        if (unique < 0) {
            return MARTECH_SCHEMA_LIMIT;
        }

        if (unique == 0) {
            rc = martech_schema_note(ev, node, "uniqueItems",
                                     array->unique_where,
                                     martech_schema_nobody);
        }
    }

    if ((array->rest != NULL || array->nprefix > 0)
        && !martech_schema_ends(ev, rc))
    {
        rc = martech_schema_worse(rc, martech_schema_eval_items(ev, array,
                                                                node, marks));
    }

    if (array->contains != NULL && !martech_schema_ends(ev, rc)) {
        rc = martech_schema_worse(rc, martech_schema_eval_contains(ev, array,
                                                                node, marks));
    }

    return rc;
}


/* "unevaluatedItems" and "unevaluatedProperties" */

martech_schema_verdict_t
martech_schema_eval_left(martech_schema_eval_t *ev,
    const martech_schema_sub_t *left, uint32_t node,
    martech_schema_marks_t *marks)
{
    uint32_t                    i, n;
    martech_schema_verdict_t    rc;
    const martech_json_node_t  *nodes;

    rc = MARTECH_SCHEMA_VALID;
    nodes = ev->tape->nodes;
    n = 0;

    for (i = node + 1; i < nodes[node].next; i = nodes[i].next) {

        if (!(marks->bits[n / 64] & ((uint64_t) 1 << (n % 64)))) {
            rc = martech_schema_worse(rc, martech_schema_eval(ev, left, i,
                                                              NULL));

            if (martech_schema_ends(ev, rc)) {
                return rc;
            }

            martech_schema_mark(marks, n);
        }

        n++;
    }

    return rc;
}
