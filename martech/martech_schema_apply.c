
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Compiles the keywords that apply other schemas: to the same value, or to
 * the items of an array.  Those for members are martech_schema_members.c.
 */


#include <string.h>

#include "martech_schema_compile.h"


/* The value of the keyword as a schema. */

static martech_schema_sub_t *
martech_schema_own(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    return martech_schema_sub(c, use->sub->doc, use->node, use->where,
                              use->keyword->name);
}


/* The items of the keyword's array as schemas; NULL: error told. */

static martech_schema_sub_t **
martech_schema_own_list(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    char                         number[16];
    uint32_t                     i, n;
    martech_str_t                where;
    martech_schema_sub_t       **list;
    const martech_json_node_t   *nodes;

    nodes = use->sub->doc->tape.nodes;

    list = martech_schema_alloc(c->arena, nodes[use->node].count
                                          * sizeof(martech_schema_sub_t *));
    if (list == NULL) {
        (void) martech_schema_nomem(c);
        return NULL;
    }

    n = 0;

    for (i = use->node + 1; i < nodes[use->node].next; i = nodes[i].next) {

        where = martech_schema_join(c->arena, use->where, number,
                          (size_t) martech_schema_index_text(n, number));
        if (where.data == NULL) {
            (void) martech_schema_nomem(c);
            return NULL;
        }

        list[n] = martech_schema_sub(c, use->sub->doc, i, where,
                                     use->keyword->name);

        if (list[n++] == NULL) {
            return NULL;
        }
    }

    return list;
}


static martech_schema_logic_t *
martech_schema_logic(martech_schema_compiler_t *c, martech_schema_sub_t *sub)
{
    if (sub->logic == NULL) {
        sub->logic = martech_schema_alloc(c->arena,
                                          sizeof(martech_schema_logic_t));

        if (sub->logic == NULL) {
            (void) martech_schema_nomem(c);
            return NULL;
        }

        sub->logic->anchor = -1;
    }

    return sub->logic;
}


/* Resolved when all schemas of the document are there. */

int
martech_schema_set_ref(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    martech_schema_ref_t       *ref;
    const martech_json_tape_t  *tape;

    if (martech_schema_logic(c, use->sub) == NULL) {
        return -1;
    }

    ref = martech_schema_alloc(c->arena, sizeof(martech_schema_ref_t));
    if (ref == NULL) {
        return martech_schema_nomem(c);
    }

    tape = &use->sub->doc->tape;

    ref->sub = use->sub;
    ref->where = use->where;
    ref->dynamic = (use->keyword->offset == 1);
    ref->text = martech_schema_text(c->arena,
                                    martech_json_slice(tape, use->node),
                                    tape->nodes[use->node].flags
                                    & MARTECH_JSON_VALUE_ESCAPED);
    if (ref->text.data == NULL) {
        return martech_schema_nomem(c);
    }

    ref->next = c->refs;
    c->refs = ref;

    return 0;
}


/* "not", "if", "then", "else" */

int
martech_schema_set_logic(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    martech_schema_sub_t    *sub;
    martech_schema_logic_t  *logic;

    logic = martech_schema_logic(c, use->sub);
    sub = martech_schema_own(c, use);

    if (logic == NULL || sub == NULL) {
        return -1;
    }

    *(martech_schema_sub_t **) ((char *) logic + use->keyword->offset) = sub;

    if (use->keyword->offset == offsetof(martech_schema_logic_t, not)) {
        logic->not_where = use->where;
    }

    return 0;
}


/* "allOf", "anyOf", "oneOf" */

int
martech_schema_set_list(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    martech_schema_subs_t   *subs;
    martech_schema_logic_t  *logic;

    logic = martech_schema_logic(c, use->sub);
    if (logic == NULL) {
        return -1;
    }

    subs = (martech_schema_subs_t *) ((char *) logic + use->keyword->offset);

    subs->list = martech_schema_own_list(c, use);
    if (subs->list == NULL) {
        return -1;
    }

    subs->count = use->sub->doc->tape.nodes[use->node].count;
    subs->where = use->where;

    return 0;
}


/* "unevaluatedItems", "unevaluatedProperties" */

int
martech_schema_set_left(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    martech_schema_sub_t  *sub;

    sub = martech_schema_own(c, use);
    if (sub == NULL) {
        return -1;
    }

    sub->named = (use->keyword->offset
                  == offsetof(martech_schema_sub_t, left_members));

    *(martech_schema_sub_t **) ((char *) use->sub + use->keyword->offset)
        = sub;

    return 0;
}


static martech_schema_array_t *
martech_schema_array(martech_schema_compiler_t *c, martech_schema_sub_t *sub)
{
    if (sub->array == NULL) {
        sub->array = martech_schema_alloc(c->arena,
                                          sizeof(martech_schema_array_t));

        if (sub->array == NULL) {
            (void) martech_schema_nomem(c);
        }
    }

    return sub->array;
}


int
martech_schema_set_prefix(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    martech_schema_array_t  *array;

    array = martech_schema_array(c, use->sub);
    if (array == NULL) {
        return -1;
    }

    array->prefix = martech_schema_own_list(c, use);
    if (array->prefix == NULL) {
        return -1;
    }

    array->nprefix = use->sub->doc->tape.nodes[use->node].count;

    return 0;
}


/*
 * "items" of both drafts, and "additionalItems", which counts beside an array
 * of "items" only.
 */

int
martech_schema_set_items(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    uint32_t                    items;
    martech_schema_sub_t       *sub;
    martech_schema_array_t     *array;
    const martech_json_tape_t  *tape;

    tape = &use->sub->doc->tape;

    if (use->keyword->offset == 0
        && tape->nodes[use->node].kind == MARTECH_JSON_ARRAY)
    {
        return martech_schema_set_prefix(c, use);
    }

    array = martech_schema_array(c, use->sub);
    sub = martech_schema_own(c, use);

    if (array == NULL || sub == NULL) {
        return -1;
    }

    if (use->keyword->name[0] == 'a') {
        items = martech_json_member(tape, use->sub->node, "items", 5);

        if (items == MARTECH_JSON_NONE
            || tape->nodes[items].kind != MARTECH_JSON_ARRAY)
        {
            return 0;
        }
    }

    array->rest = sub;

    return 0;
}


int
martech_schema_set_contains(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    martech_schema_array_t  *array;

    array = martech_schema_array(c, use->sub);
    if (array == NULL) {
        return -1;
    }

    array->contains_where = use->where;
    array->contains = martech_schema_own(c, use);

    return (array->contains != NULL) ? 0 : -1;
}


/* Schemas that are only there to be referred to; one of them, or a map. */

int
martech_schema_set_definitions(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    uint32_t                    i;
    martech_str_t               name, where;
    const martech_json_node_t  *nodes;

    if (use->keyword->offset == 1) {
        return (martech_schema_own(c, use) != NULL) ? 0 : -1;
    }

    nodes = use->sub->doc->tape.nodes;

    for (i = use->node + 1; i < nodes[use->node].next; i = nodes[i].next) {

        name = martech_schema_key(c->arena, &use->sub->doc->tape, i);
        if (name.data == NULL) {
            return martech_schema_nomem(c);
        }

        where = martech_schema_join(c->arena, use->where, name.data,
                                    name.len);
        if (where.data == NULL) {
            return martech_schema_nomem(c);
        }

        if (martech_schema_sub(c, use->sub->doc, i, where, "false") == NULL) {
            return -1;
        }
    }

    return 0;
}
