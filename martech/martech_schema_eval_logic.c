
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The evaluation of schemas that are applied to the same value: references,
 * combinations, conditions.
 *
 * A schema that is only asked whether it holds is evaluated quietly.  What it
 * has looked at counts for "unevaluated..." if it holds, so it marks that
 * apart at first.
 */


#include "martech_schema_core.h"


static const martech_str_t  martech_schema_nobody = { 0, NULL };


static martech_schema_verdict_t
martech_schema_try(martech_schema_eval_t *ev, const martech_schema_sub_t *sub,
    uint32_t node, martech_schema_marks_t *marks)
{
    size_t                    used;
    martech_schema_marks_t    own;
    martech_schema_verdict_t  rc;

    used = ev->run->scratch_used;
    ev->quiet++;

    if (marks == NULL) {
        rc = martech_schema_eval(ev, sub, node, NULL);

    } else if (martech_schema_marks_init(ev, &own,
                                         ev->tape->nodes[node].count))
    {
        rc = martech_schema_eval(ev, sub, node, &own);

        if (rc == MARTECH_SCHEMA_VALID) {
            martech_schema_marks_merge(marks, &own);
        }

    } else {
        rc = MARTECH_SCHEMA_LIMIT;
    }

    ev->quiet--;
    ev->run->scratch_used = used;

    return rc;
}


static martech_schema_verdict_t
martech_schema_eval_all(martech_schema_eval_t *ev,
    const martech_schema_subs_t *all, uint32_t node,
    martech_schema_marks_t *marks)
{
    uint32_t                  i;
    martech_schema_verdict_t  rc;

    rc = MARTECH_SCHEMA_VALID;

    for (i = 0; i < all->count; i++) {
        rc = martech_schema_worse(rc, martech_schema_eval(ev, all->list[i],
                                                          node, marks));

        if (martech_schema_ends(ev, rc)) {
            return rc;
        }
    }

    return rc;
}


/* "anyOf"; all are tried if somebody wants to know what they look at. */

static martech_schema_verdict_t
martech_schema_eval_any(martech_schema_eval_t *ev,
    const martech_schema_subs_t *any, uint32_t node,
    martech_schema_marks_t *marks)
{
    uint32_t                  i, valid;
    martech_schema_verdict_t  rc;

    valid = 0;

    for (i = 0; i < any->count && (valid == 0 || marks != NULL); i++) {
        rc = martech_schema_try(ev, any->list[i], node, marks);

        if (rc == MARTECH_SCHEMA_LIMIT) {
            return rc;
        }

        valid += (rc == MARTECH_SCHEMA_VALID);
    }

    if (valid > 0) {
        return MARTECH_SCHEMA_VALID;
    }

    return martech_schema_note(ev, node, "anyOf", any->where,
                               martech_schema_nobody);
}


static martech_schema_verdict_t
martech_schema_eval_one(martech_schema_eval_t *ev,
    const martech_schema_subs_t *one, uint32_t node,
    martech_schema_marks_t *marks)
{
    uint32_t                  i, valid;
    martech_schema_verdict_t  rc;

    valid = 0;

    for (i = 0; i < one->count && valid < 2; i++) {
        rc = martech_schema_try(ev, one->list[i], node, marks);

        if (rc == MARTECH_SCHEMA_LIMIT) {
            return rc;
        }

        valid += (rc == MARTECH_SCHEMA_VALID);
    }

    if (valid == 1) {
        return MARTECH_SCHEMA_VALID;
    }

    return martech_schema_note(ev, node, "oneOf", one->where,
                               martech_schema_nobody);
}


static martech_schema_verdict_t
martech_schema_eval_not(martech_schema_eval_t *ev,
    const martech_schema_logic_t *logic, uint32_t node)
{
    martech_schema_verdict_t  rc;

    rc = martech_schema_try(ev, logic->not, node, NULL);

    if (rc == MARTECH_SCHEMA_INVALID) {
        return MARTECH_SCHEMA_VALID;
    }

    if (rc == MARTECH_SCHEMA_LIMIT) {
        return rc;
    }

    return martech_schema_note(ev, node, "not", logic->not_where,
                               martech_schema_nobody);
}


static martech_schema_verdict_t
martech_schema_eval_if(martech_schema_eval_t *ev,
    const martech_schema_logic_t *logic, uint32_t node,
    martech_schema_marks_t *marks)
{
    martech_schema_verdict_t     rc;
    const martech_schema_sub_t  *sub;

    rc = martech_schema_try(ev, logic->condition, node, marks);

    if (rc == MARTECH_SCHEMA_LIMIT) {
        return rc;
    }

    sub = (rc == MARTECH_SCHEMA_VALID) ? logic->then : logic->otherwise;

    return (sub == NULL) ? MARTECH_SCHEMA_VALID
                         : martech_schema_eval(ev, sub, node, marks);
}


/*
 * Where a "$dynamicRef" goes: the outermost resource on the way here that
 * has a dynamic anchor of this name.
 */

static const martech_schema_sub_t *
martech_schema_dynamic_target(martech_schema_eval_t *ev,
    const martech_schema_logic_t *logic)
{
    uint32_t                       i;
    const martech_schema_sub_t    *sub;
    const martech_schema_scope_t  *scope;

    sub = logic->dynamic;

    if (logic->anchor < 0) {
        return sub;
    }

    for (scope = ev->scope; scope != NULL; scope = scope->outer) {

        if (!martech_schema_spend(ev, 1)) {
            return NULL;
        }

        for (i = 0; i < scope->resource->ndynamic; i++) {

            if (scope->resource->dynamic[i].anchor == logic->anchor) {
                sub = scope->resource->dynamic[i].sub;
            }
        }
    }

    return sub;
}


static martech_schema_verdict_t
martech_schema_eval_ref(martech_schema_eval_t *ev,
    const martech_schema_logic_t *logic, uint32_t node,
    martech_schema_marks_t *marks)
{
    martech_schema_verdict_t     rc;
    const martech_schema_sub_t  *sub;

    rc = MARTECH_SCHEMA_VALID;

    if (logic->ref != NULL) {
        rc = martech_schema_eval(ev, logic->ref, node, marks);
    }

    if (logic->dynamic == NULL || martech_schema_ends(ev, rc)) {
        return rc;
    }

    sub = martech_schema_dynamic_target(ev, logic);
    if (sub == NULL) {
        return MARTECH_SCHEMA_LIMIT;
    }

    return martech_schema_worse(rc, martech_schema_eval(ev, sub, node,
                                                        marks));
}


martech_schema_verdict_t
martech_schema_eval_logic(martech_schema_eval_t *ev,
    const martech_schema_logic_t *logic, uint32_t node,
    martech_schema_marks_t *marks)
{
    martech_schema_verdict_t  rc;

    rc = martech_schema_eval_ref(ev, logic, node, marks);

    if (logic->all.count > 0 && !martech_schema_ends(ev, rc)) {
        rc = martech_schema_worse(rc, martech_schema_eval_all(ev, &logic->all,
                                                              node, marks));
    }

    if (logic->any.count > 0 && !martech_schema_ends(ev, rc)) {
        rc = martech_schema_worse(rc, martech_schema_eval_any(ev, &logic->any,
                                                              node, marks));
    }

    if (logic->one.count > 0 && !martech_schema_ends(ev, rc)) {
        rc = martech_schema_worse(rc, martech_schema_eval_one(ev, &logic->one,
                                                              node, marks));
    }

    if (logic->not != NULL && !martech_schema_ends(ev, rc)) {
        rc = martech_schema_worse(rc, martech_schema_eval_not(ev, logic,
                                                              node));
    }

    if (logic->condition != NULL && !martech_schema_ends(ev, rc)) {
        rc = martech_schema_worse(rc, martech_schema_eval_if(ev, logic, node,
                                                             marks));
    }

    return rc;
}
