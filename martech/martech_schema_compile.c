
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The schema compiler: documents, the queue of schemas, and how one schema
 * is compiled, keyword by keyword.
 */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "martech_schema_compile.h"


static int martech_schema_sub_compile(martech_schema_compiler_t *c,
    martech_schema_sub_t *sub);
static void martech_schema_sub_shortcuts(martech_schema_sub_t *sub);


int
martech_schema_fail(martech_schema_compiler_t *c, martech_str_t where,
    const char *format, ...)
{
    va_list  args;

    snprintf(c->error->pointer, sizeof(c->error->pointer), "%.*s",
             (int) where.len, (const char *) where.data);

    va_start(args, format);
    vsnprintf(c->error->reason, sizeof(c->error->reason), format, args);
    va_end(args);

    return -1;
}


int
martech_schema_nomem(martech_schema_compiler_t *c)
{
    martech_str_t  root = martech_string("");

    return martech_schema_fail(c, root, "no memory left, or the schema needs "
                               "more than %d MiB",
                               MARTECH_SCHEMA_ARENA_MAX / 1024 / 1024);
}


/* Copies text and nodes, so that the offsets begin at 0. */

static int
martech_schema_doc_copy(martech_schema_doc_t *doc,
    martech_schema_arena_t *arena, const martech_json_tape_t *tape,
    uint32_t node)
{
    size_t                size;
    uint32_t              i, count, shift;
    martech_str_t         text;
    unsigned char        *copy;
    martech_json_node_t  *nodes;

    text = martech_json_text(tape, node);
    count = tape->nodes[node].next - node;
    size = count * sizeof(martech_json_node_t);

    copy = martech_schema_alloc(arena, text.len);
    nodes = martech_schema_alloc(arena, size);
    doc->subs = martech_schema_alloc(arena,
                                     count * sizeof(martech_schema_sub_t *));
    doc->resources = martech_schema_alloc(arena,
                                 count * sizeof(martech_schema_resource_t *));

    if (copy == NULL || nodes == NULL || doc->subs == NULL
        || doc->resources == NULL)
    {
        return -1;
    }

    memcpy(copy, text.data, text.len);
    memcpy(nodes, tape->nodes + node, size);

    shift = (uint32_t) (text.data - tape->text);

    nodes[0].key = shift;
    nodes[0].key_len = 0;

    for (i = 0; i < count; i++) {
        nodes[i].value -= shift;
        nodes[i].next -= node;

        if (i == 0 || nodes[i].key != 0) {
            nodes[i].key -= shift;
        }
    }

    doc->tape.nodes = nodes;
    doc->tape.nodes_count = count;
    doc->tape.text = copy;
    doc->tape.len = text.len;

    return 0;
}


martech_schema_doc_t *
martech_schema_doc(martech_schema_compiler_t *c,
    const martech_json_tape_t *tape, uint32_t node, martech_str_t uri)
{
    martech_schema_doc_t  *doc;

    doc = martech_schema_alloc(c->arena, sizeof(martech_schema_doc_t));

    if (doc == NULL
        || martech_schema_doc_copy(doc, c->arena, tape, node) != 0)
    {
        (void) martech_schema_nomem(c);
        return NULL;
    }

    doc->uri = uri;

    return (martech_schema_index(c, doc) == 0) ? doc : NULL;
}


martech_schema_sub_t *
martech_schema_sub(martech_schema_compiler_t *c, martech_schema_doc_t *doc,
    uint32_t node, martech_str_t where, const char *rule)
{
    int                    kind;
    martech_schema_sub_t  *sub;

    if (doc->subs[node] != NULL) {
        return doc->subs[node];
    }

    kind = doc->tape.nodes[node].kind;

    if (kind != MARTECH_JSON_OBJECT && kind != MARTECH_JSON_TRUE
        && kind != MARTECH_JSON_FALSE)
    {
        (void) martech_schema_fail(c, where, "a schema is an object, true or "
                                   "false");
        return NULL;
    }

    if (c->nsubs++ == MARTECH_SCHEMA_SUBS_MAX) {
        (void) martech_schema_fail(c, where, "more than %d schemas",
                                   MARTECH_SCHEMA_SUBS_MAX);
        return NULL;
    }

    sub = martech_schema_alloc(c->arena, sizeof(martech_schema_sub_t));
    if (sub == NULL) {
        (void) martech_schema_nomem(c);
        return NULL;
    }

    sub->types = MARTECH_SCHEMA_ANY;
    sub->accepts = (kind == MARTECH_JSON_TRUE) ? MARTECH_SCHEMA_ANY : 0;
    sub->always = (kind == MARTECH_JSON_TRUE);
    sub->never = (kind == MARTECH_JSON_FALSE);
    sub->rule = rule;
    sub->where = where;
    sub->doc = doc;
    sub->node = node;
    sub->resource = martech_schema_resource(doc, node);

    doc->subs[node] = sub;
    *c->queue_end = sub;
    c->queue_end = &sub->next;

    return sub;
}


int
martech_schema_drain(martech_schema_compiler_t *c)
{
    martech_schema_sub_t  *sub;

    while (c->queue != NULL) {
        sub = c->queue;

        c->queue = sub->next;

        if (c->queue == NULL) {
            c->queue_end = &c->queue;
        }

        sub->next = c->done;
        c->done = sub;

        if (!sub->always && !sub->never
            && martech_schema_sub_compile(c, sub) != 0)
        {
            return -1;
        }
    }

    return 0;
}


/* Of draft 07: beside "$ref" all is ignored but what others refer to. */

static int
martech_schema_ignored(const martech_schema_sub_t *sub,
    const martech_schema_keyword_t *keyword)
{
    return sub->resource->draft == MARTECH_SCHEMA_07
           && keyword->apply != martech_schema_set_ref
           && keyword->apply != martech_schema_set_definitions
           && martech_json_member(&sub->doc->tape, sub->node, "$ref", 4)
              != MARTECH_JSON_NONE;
}


static int
martech_schema_sub_compile(martech_schema_compiler_t *c,
    martech_schema_sub_t *sub)
{
    martech_str_t               name;
    martech_schema_use_t        use;
    const martech_json_node_t  *nodes;

    nodes = sub->doc->tape.nodes;
    use.sub = sub;

    for (use.node = sub->node + 1; use.node < nodes[sub->node].next;
         use.node = nodes[use.node].next)
    {
        name = martech_schema_key(c->arena, &sub->doc->tape, use.node);
        if (name.data == NULL) {
            return martech_schema_nomem(c);
        }

        use.keyword = martech_schema_keyword(name, sub->resource->draft);

        if (use.keyword == NULL || martech_schema_ignored(sub, use.keyword)) {
            continue;
        }

        use.where = martech_schema_join(c->arena, sub->where, name.data,
                                        name.len);
        if (use.where.data == NULL) {
            return martech_schema_nomem(c);
        }

        if (martech_json_member(&sub->doc->tape, sub->node,
                                (const char *) name.data, name.len)
            != use.node)
        {
            return martech_schema_fail(c, use.where, "stands twice");
        }

        if (martech_schema_form(c, &use) != 0
            || (use.keyword->apply != NULL
                && use.keyword->apply(c, &use) != 0))
        {
            return -1;
        }
    }

    martech_schema_sub_shortcuts(sub);

    return 0;
}


/* 1 if "minimum" stands alone and is not above 0. */

static int
martech_schema_natural(const martech_schema_number_t *number)
{
    const martech_schema_decimal_t  *limit;

    limit = &number->bounds[MARTECH_SCHEMA_MINIMUM].limit;

    return number->asked == 1u << MARTECH_SCHEMA_MINIMUM
           && number->multiple.where.data == NULL
           && limit->brief
           && (limit->value < 0 || (limit->value == 0 && limit->rest <= 0));
}


/* What the evaluation need not find out for every value. */

static void
martech_schema_sub_shortcuts(martech_schema_sub_t *sub)
{
    int       deep;
    unsigned  asked;

    deep = sub->array != NULL || sub->object != NULL || sub->logic != NULL
           || sub->left_items != NULL || sub->left_members != NULL;

    sub->leaf = !deep;
    sub->valued = sub->values[0] != NULL || sub->values[1] != NULL;
    sub->listed = (sub->values[0] == NULL) != (sub->values[1] == NULL)
                  && sub->number == NULL && sub->string == NULL;

    if (sub->number != NULL) {
        sub->number->natural = martech_schema_natural(sub->number) & 1;
    }

    if (sub->valued || sub->logic != NULL) {
        sub->accepts = 0;
        return;
    }

    asked = 0;

    if (sub->number != NULL) {
        asked |= 1 << MARTECH_JSON_NUMBER;
    }

    if (sub->string != NULL) {
        asked |= 1 << MARTECH_JSON_STRING;
    }

    if (sub->array != NULL || sub->left_items != NULL) {
        asked |= 1 << MARTECH_JSON_ARRAY;
    }

    if (sub->object != NULL || sub->left_members != NULL) {
        asked |= 1 << MARTECH_JSON_OBJECT;
    }

    sub->accepts = (uint8_t) (sub->types & MARTECH_SCHEMA_ANY & ~asked);
}
