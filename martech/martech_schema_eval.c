
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The evaluation of a value: what its kind asks for, and what is shared.
 *
 * It recurses with the value and the schema, allocates nothing, and pays a
 * step for each schema it applies and each member or item it looks at, so
 * that no schema and no value makes it last.
 */


#include <string.h>

#include "martech_schema_core.h"


static martech_schema_verdict_t martech_schema_eval_body(
    martech_schema_eval_t *ev, const martech_schema_sub_t *sub, uint32_t node,
    martech_schema_marks_t *marks);
static martech_schema_verdict_t martech_schema_eval_marked(
    martech_schema_eval_t *ev, const martech_schema_sub_t *sub, uint32_t node,
    martech_schema_marks_t *marks);


static const martech_str_t  martech_schema_nobody = { 0, NULL };


/*
 * The list is kept in the order of the instance, whatever the order in which
 * a schema finds things out.
 */

martech_schema_verdict_t
martech_schema_note(martech_schema_eval_t *ev, uint32_t node,
    const char *rule, martech_str_t where, martech_str_t name)
{
    unsigned                     i;
    martech_schema_run_t        *run;
    martech_schema_violation_t  *list;

    if (ev->quiet) {
        return MARTECH_SCHEMA_INVALID;
    }

    run = ev->run;
    list = run->list;

    for (i = run->count; i > 0 && list[i - 1].node > node; i--) { /* void */ }

    if (run->count == run->max) {
        run->more = 1;

    } else {
        run->count++;
    }

    if (i < run->count) {
        memmove(&list[i + 1], &list[i],
                (run->count - i - 1) * sizeof(martech_schema_violation_t));

        list[i].node = node;
        list[i].rule = rule;
        list[i].where = where;
        list[i].name = name;
    }

    return MARTECH_SCHEMA_INVALID;
}


void *
martech_schema_take(martech_schema_eval_t *ev, size_t size)
{
    size_t                 used;
    uintptr_t              at;
    martech_schema_run_t  *run;

    run = ev->run;

    /* the caller's memory may begin anywhere */

    at = (uintptr_t) run->scratch + run->scratch_used;
    used = run->scratch_used + (size_t) (-at & 7);

    if (used > run->scratch_size || size > run->scratch_size - used) {
        return NULL;
    }

    run->scratch_used = used + size;

    return run->scratch + used;
}


int
martech_schema_plain(martech_schema_eval_t *ev, martech_str_t slice,
    int escaped, martech_str_t *text)
{
    unsigned char  *p;

    *text = slice;

    if (!escaped) {
        return 1;
    }

    p = martech_schema_take(ev, slice.len);
    if (p == NULL) {
        return 0;
    }

    text->data = p;
    text->len = (size_t) martech_json_unescape(slice, p, slice.len);

    return 1;
}


int
martech_schema_marks_init(martech_schema_eval_t *ev,
    martech_schema_marks_t *marks, uint32_t count)
{
    marks->words = count / 64 + 1;
    marks->bits = martech_schema_take(ev, marks->words * sizeof(uint64_t));

    if (marks->bits == NULL) {
        return 0;
    }

    memset(marks->bits, 0, marks->words * sizeof(uint64_t));

    return 1;
}


void
martech_schema_marks_merge(martech_schema_marks_t *marks,
    const martech_schema_marks_t *from)
{
    uint32_t  i;

    for (i = 0; i < marks->words; i++) {
        marks->bits[i] |= from->bits[i];
    }
}


/* The schema false: the name is that of the member that may not be there. */

static martech_schema_verdict_t
martech_schema_eval_never(martech_schema_eval_t *ev,
    const martech_schema_sub_t *sub, uint32_t node)
{
    martech_str_t  name;

    name = martech_schema_nobody;

    if (sub->named) {
        name.data = ev->tape->text + ev->tape->nodes[node].key;
        name.len = ev->tape->nodes[node].key_len;
    }

    return martech_schema_note(ev, node, sub->rule, sub->where, name);
}


static int
martech_schema_eval_integer(martech_schema_eval_t *ev, uint32_t node)
{
    size_t                    i;
    martech_str_t             text;
    martech_schema_decimal_t  number;

    text = martech_schema_slice(ev, node);

    for (i = (text.data[0] == '-'); i < text.len; i++) {

        if ((unsigned char) (text.data[i] - '0') > 9) {
            break;
        }
    }

    if (i == text.len) {
        return 1;
    }

    martech_schema_decimal(&number, text);

    return martech_schema_decimal_integer(&number);
}


static inline martech_schema_verdict_t
martech_schema_eval_type(martech_schema_eval_t *ev,
    const martech_schema_sub_t *sub, uint32_t node)
{
    unsigned  kind;

    kind = ev->tape->nodes[node].kind;

    if ((sub->types & (1u << kind))
        || (kind == MARTECH_JSON_NUMBER
            && (sub->types & MARTECH_SCHEMA_INTEGER)
            && martech_schema_eval_integer(ev, node)))
    {
        return MARTECH_SCHEMA_VALID;
    }

    return martech_schema_note(ev, node, "type", sub->types_where,
                               martech_schema_nobody);
}


/* "enum" and "const" */

static inline martech_schema_verdict_t
martech_schema_eval_values(martech_schema_eval_t *ev,
    const martech_schema_sub_t *sub, uint32_t node)
{
    unsigned                  i;
    martech_schema_verdict_t  rc;

    rc = MARTECH_SCHEMA_VALID;

    for (i = 0; i < 2; i++) {

        if (sub->values[i] != NULL && !martech_schema_ends(ev, rc)) {
            rc = martech_schema_worse(rc, martech_schema_eval_value(ev, sub,
                                                   sub->values[i], node));
        }
    }

    return rc;
}


static inline martech_schema_verdict_t
martech_schema_eval_scalar(martech_schema_eval_t *ev,
    const martech_schema_sub_t *sub, uint32_t node)
{
    unsigned  kind;

    kind = ev->tape->nodes[node].kind;

    if (kind == MARTECH_JSON_STRING && sub->string != NULL) {
        return martech_schema_eval_string(ev, sub->string, node);
    }

    if (kind == MARTECH_JSON_NUMBER && sub->number != NULL) {

        if (sub->number->natural
            && ev->tape->text[ev->tape->nodes[node].value] != '-')
        {
            return MARTECH_SCHEMA_VALID;
        }

        return martech_schema_eval_number(ev, sub->number, node);
    }

    return MARTECH_SCHEMA_VALID;
}


/* A leaf that needs more than a look at its kind and one call. */

static MARTECH_NOINLINE martech_schema_verdict_t
martech_schema_eval_leaf_all(martech_schema_eval_t *ev,
    const martech_schema_sub_t *sub, uint32_t node)
{
    martech_schema_verdict_t  rc;

    rc = martech_schema_eval_type(ev, sub, node);

    if (!martech_schema_ends(ev, rc)) {
        rc = martech_schema_worse(rc, martech_schema_eval_values(ev, sub,
                                                                 node));
    }

    if (martech_schema_ends(ev, rc)) {
        return rc;
    }

    return martech_schema_worse(rc, martech_schema_eval_scalar(ev, sub, node));
}


/* Integers, and constants without any other question. */

static MARTECH_NOINLINE martech_schema_verdict_t
martech_schema_eval_leaf_more(martech_schema_eval_t *ev,
    const martech_schema_sub_t *sub, uint32_t node)
{
    unsigned  kind;

    kind = ev->tape->nodes[node].kind;

    if (sub->listed && (sub->types & (1u << kind))) {
        return martech_schema_eval_value(ev, sub, (sub->values[0] != NULL)
                                                  ? sub->values[0]
                                                  : sub->values[1], node);
    }

    if (!sub->valued && kind == MARTECH_JSON_NUMBER
        && (sub->types & MARTECH_SCHEMA_INTEGER)
        && martech_schema_eval_integer(ev, node))
    {
        return martech_schema_eval_scalar(ev, sub, node);
    }

    return martech_schema_eval_leaf_all(ev, sub, node);
}


/* Most properties are such: a type, and a few questions to a scalar. */

martech_schema_verdict_t
martech_schema_eval_leaf(martech_schema_eval_t *ev,
    const martech_schema_sub_t *sub, uint32_t node)
{
    if (!sub->valued
        && (sub->types & (1u << ev->tape->nodes[node].kind)))
    {
        return martech_schema_eval_scalar(ev, sub, node);
    }

    return martech_schema_eval_leaf_more(ev, sub, node);
}


martech_schema_verdict_t
martech_schema_eval_sub(martech_schema_eval_t *ev,
    const martech_schema_sub_t *sub, uint32_t node,
    martech_schema_marks_t *marks)
{
    martech_schema_scope_t    scope;
    martech_schema_verdict_t  rc;

    if (sub->never) {
        return martech_schema_eval_never(ev, sub, node);
    }

    rc = martech_schema_eval_type(ev, sub, node);

    if (martech_schema_ends(ev, rc)) {
        return rc;
    }

    if (ev->depth == MARTECH_SCHEMA_DEPTH_MAX) {
        return MARTECH_SCHEMA_LIMIT;
    }

    scope.outer = NULL;
    ev->depth++;

    if (ev->schema->dynamic && ev->scope->resource != sub->resource) {
        scope.outer = ev->scope;
        scope.resource = sub->resource;

        /* taken off the list below, before this function returns */
        /* cppcheck-suppress autoVariables */
        ev->scope = &scope;
    }

    if (sub->left_items == NULL && sub->left_members == NULL) {
        rc = martech_schema_worse(rc, martech_schema_eval_body(ev, sub, node,
                                                               marks));

    } else {
        rc = martech_schema_worse(rc, martech_schema_eval_marked(ev, sub,
                                                                 node, marks));
    }

    if (scope.outer != NULL) {
        ev->scope = scope.outer;
    }

    ev->depth--;

    return rc;
}


/* With "unevaluated...": counts anew what the schema itself looks at. */

static martech_schema_verdict_t
martech_schema_eval_marked(martech_schema_eval_t *ev,
    const martech_schema_sub_t *sub, uint32_t node,
    martech_schema_marks_t *marks)
{
    size_t                       used;
    martech_schema_marks_t       own;
    martech_schema_verdict_t     rc;
    const martech_json_node_t   *value;
    const martech_schema_sub_t  *left;

    value = &ev->tape->nodes[node];
    left = NULL;

    if (value->kind == MARTECH_JSON_OBJECT) {
        left = sub->left_members;

    } else if (value->kind == MARTECH_JSON_ARRAY) {
        left = sub->left_items;
    }

    if (left == NULL) {
        return martech_schema_eval_body(ev, sub, node, marks);
    }

    used = ev->run->scratch_used;

    if (!martech_schema_marks_init(ev, &own, value->count)) {
        return MARTECH_SCHEMA_LIMIT;
    }

    rc = martech_schema_eval_body(ev, sub, node, &own);

    if (rc == MARTECH_SCHEMA_VALID
        || (rc == MARTECH_SCHEMA_INVALID && !ev->quiet))
    {
        rc = martech_schema_worse(rc, martech_schema_eval_left(ev, left, node,
                                                               &own));
    }

    if (marks != NULL && rc == MARTECH_SCHEMA_VALID) {
        martech_schema_marks_merge(marks, &own);
    }

    ev->run->scratch_used = used;

    return rc;
}


static martech_schema_verdict_t
martech_schema_eval_kind(martech_schema_eval_t *ev,
    const martech_schema_sub_t *sub, uint32_t node,
    martech_schema_marks_t *marks)
{
    switch (ev->tape->nodes[node].kind) {

    case MARTECH_JSON_NUMBER:
        return (sub->number == NULL) ? MARTECH_SCHEMA_VALID
               : martech_schema_eval_number(ev, sub->number, node);

    case MARTECH_JSON_STRING:
        return (sub->string == NULL) ? MARTECH_SCHEMA_VALID
               : martech_schema_eval_string(ev, sub->string, node);

    case MARTECH_JSON_ARRAY:
        return (sub->array == NULL) ? MARTECH_SCHEMA_VALID
               : martech_schema_eval_array(ev, sub->array, node, marks);

    case MARTECH_JSON_OBJECT:
        return (sub->object == NULL) ? MARTECH_SCHEMA_VALID
               : martech_schema_eval_object(ev, sub->object, node, marks);

    default:
        return MARTECH_SCHEMA_VALID;
    }
}


static martech_schema_verdict_t
martech_schema_eval_body(martech_schema_eval_t *ev,
    const martech_schema_sub_t *sub, uint32_t node,
    martech_schema_marks_t *marks)
{
    martech_schema_verdict_t  rc;

    rc = martech_schema_eval_values(ev, sub, node);

    if (martech_schema_ends(ev, rc)) {
        return rc;
    }

    rc = martech_schema_worse(rc, martech_schema_eval_kind(ev, sub, node,
                                                           marks));

    if (sub->logic == NULL || martech_schema_ends(ev, rc)) {
        return rc;
    }

    return martech_schema_worse(rc, martech_schema_eval_logic(ev, sub->logic,
                                                              node, marks));
}
