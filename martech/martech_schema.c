
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * JSON Schema: what callers use.
 */


#include <stdlib.h>
#include <string.h>

#include "martech_schema_compile.h"


static int martech_schema_build(martech_schema_compiler_t *c,
    const martech_json_tape_t *tape, uint32_t node);
static int martech_schema_known(martech_schema_compiler_t *c);


martech_schema_t *
martech_schema_compile(const martech_json_tape_t *tape, uint32_t node,
    const martech_schema_options_t *options, martech_schema_error_t *error)
{
    martech_schema_t           *schema;
    martech_schema_compiler_t   c;

    memset(&c, 0, sizeof(martech_schema_compiler_t));
    c.error = error;

    schema = calloc(1, sizeof(martech_schema_t));
    if (schema == NULL) {
        (void) martech_schema_nomem(&c);
        return NULL;
    }

    c.schema = schema;
    c.arena = &schema->arena;
    c.draft = options->draft;
    c.formats = options->formats;
    c.queue_end = &c.queue;

    if (martech_schema_build(&c, tape, node) != 0) {
        martech_schema_free(schema);
        return NULL;
    }

    return schema;
}


static int
martech_schema_build(martech_schema_compiler_t *c,
    const martech_json_tape_t *tape, uint32_t node)
{
    martech_str_t          root = martech_string("");
    martech_schema_doc_t  *doc;

    doc = martech_schema_doc(c, tape, node, root);
    if (doc == NULL) {
        return -1;
    }

    c->schema->root = martech_schema_sub(c, doc, 0, root, "false");

    if (c->schema->root == NULL
        || martech_schema_drain(c) != 0
        || martech_schema_link(c) != 0
        || martech_schema_cycles(c) != 0)
    {
        return -1;
    }

    return martech_schema_known(c);
}


void
martech_schema_free(martech_schema_t *schema)
{
    uint32_t  i;

    if (schema == NULL) {
        return;
    }

    for (i = 0; i < schema->nregexes; i++) {
        martech_regex_free(schema->regexes[i]);
    }

    free(schema->regexes);
    martech_schema_arena_free(&schema->arena);
    free(schema);
}


/* What the root asks of members: what is counted first is collected then. */

typedef struct {
    size_t                  names;
    size_t                  patterns;
    martech_schema_t       *schema;      /* NULL: count */
} martech_schema_roots_t;


static void martech_schema_roots(martech_schema_roots_t *roots,
    const martech_schema_sub_t *sub);


static void
martech_schema_roots_object(martech_schema_roots_t *roots,
    const martech_schema_object_t *object)
{
    uint32_t                      i;
    martech_str_t                 name;
    const martech_schema_name_t  *n;

    roots->names += object->names.count;
    roots->patterns += object->npatterns;

    for (i = 0; roots->schema != NULL && i < object->names.count; i++) {
        n = &object->names.names[i];

        if (n->sub != NULL) {
            name.data = n->data;
            name.len = n->len;
            (void) martech_schema_names_add(&roots->schema->known, name);
        }
    }

    for (i = 0; roots->schema != NULL && i < object->npatterns; i++) {
        roots->schema->matches[roots->schema->nmatches++]
            = object->patterns[i].regex;
    }

    if (roots->schema != NULL && object->additional != NULL
        && !object->additional->always && !object->additional->never)
    {
        roots->schema->other = 1;
    }

    for (i = 0; i < object->ndependencies; i++) {
        martech_schema_roots(roots, object->dependencies[i].sub);
    }
}


static void
martech_schema_roots_list(martech_schema_roots_t *roots,
    const martech_schema_subs_t *subs)
{
    uint32_t  i;

    for (i = 0; i < subs->count; i++) {
        martech_schema_roots(roots, subs->list[i]);
    }
}


/* Without cycles, and not deeper than MARTECH_SCHEMA_NEST_MAX. */

static void
martech_schema_roots(martech_schema_roots_t *roots,
    const martech_schema_sub_t *sub)
{
    uint8_t                        state;
    const martech_schema_logic_t  *logic;

    /* each is looked at once in each of the two passes */

    state = (roots->schema == NULL) ? 3 : 4;

    if (sub == NULL || sub->state == state) {
        return;
    }

    ((martech_schema_sub_t *) (uintptr_t) sub)->state = state;
    logic = sub->logic;

    if (sub->object != NULL) {
        martech_schema_roots_object(roots, sub->object);
    }

    if (roots->schema != NULL && sub->left_members != NULL
        && !sub->left_members->always && !sub->left_members->never)
    {
        roots->schema->other = 1;
    }

    if (logic == NULL) {
        return;
    }

    martech_schema_roots(roots, logic->ref);
    martech_schema_roots_list(roots, &logic->all);
    martech_schema_roots_list(roots, &logic->any);
    martech_schema_roots_list(roots, &logic->one);
    martech_schema_roots(roots, logic->condition);
    martech_schema_roots(roots, logic->then);
    martech_schema_roots(roots, logic->otherwise);
}


static int
martech_schema_known(martech_schema_compiler_t *c)
{
    martech_schema_t        *schema;
    martech_schema_roots_t   roots;

    schema = c->schema;

    memset(&roots, 0, sizeof(martech_schema_roots_t));
    martech_schema_roots(&roots, schema->root);

    schema->matches = martech_schema_alloc(&schema->arena,
                                 roots.patterns * sizeof(martech_regex_t *));

    if (schema->matches == NULL
        || martech_schema_names_init(&schema->known, &schema->arena,
                                     roots.names)
           != 0)
    {
        return martech_schema_nomem(c);
    }

    roots.schema = schema;
    martech_schema_roots(&roots, schema->root);

    return 0;
}


unsigned
martech_schema_properties(const martech_schema_t *schema)
{
    return schema->known.count;
}


martech_str_t
martech_schema_name(const martech_schema_t *schema, unsigned property)
{
    martech_str_t  name;

    name.data = schema->known.names[property].data;
    name.len = schema->known.names[property].len;

    return name;
}


/* Names with escapes are seldom: they are looked at one by one. */

static int
martech_schema_property_escaped(const martech_schema_t *schema,
    const martech_json_tape_t *tape, uint32_t member)
{
    uint32_t                      i;
    const martech_schema_name_t  *name;

    for (i = 0; i < schema->known.count; i++) {
        name = &schema->known.names[i];

        if (martech_json_name_is(tape, member, (const char *) name->data,
                                 name->len))
        {
            return (int) i;
        }
    }

    return MARTECH_SCHEMA_UNKNOWN;
}


int
martech_schema_property(const martech_schema_t *schema,
    const martech_json_tape_t *tape, uint32_t member)
{
    int                           place;
    long                          len;
    uint32_t                      i;
    martech_str_t                 key;
    unsigned char                 plain[4096];
    const martech_schema_name_t  *name;

    key.data = tape->text + tape->nodes[member].key;
    key.len = tape->nodes[member].key_len;

    if (tape->nodes[member].flags & MARTECH_JSON_KEY_ESCAPED) {
        place = martech_schema_property_escaped(schema, tape, member);

        if (place >= 0) {
            return place;
        }

        /* patterns see no more of a longer name */

        if (key.len > sizeof(plain)) {
            key.len = 0;
        }

        len = martech_json_unescape(key, plain, sizeof(plain));
        key.data = plain;
        key.len = (size_t) len;

    } else {
        name = martech_schema_names_find(&schema->known, key.data, key.len);

        if (name != NULL) {
            return (int) (name - schema->known.names);
        }
    }

    if (schema->other) {
        return MARTECH_SCHEMA_MATCHED;
    }

    for (i = 0; i < schema->nmatches; i++) {

        if (martech_regex_test(schema->matches[i], key.data, key.len) == 1) {
            return MARTECH_SCHEMA_MATCHED;
        }
    }

    return MARTECH_SCHEMA_UNKNOWN;
}


void
martech_schema_number_name(martech_schema_t *schema, martech_str_t name,
    unsigned number)
{
    martech_schema_name_t  *known;

    if (schema->root->object == NULL) {
        return;
    }

    known = martech_schema_names_find(&schema->root->object->names, name.data,
                                      name.len);

    if (known != NULL) {
        known->number = (int32_t) number;
        schema->numbered = 1;
    }
}


martech_schema_verdict_t
martech_schema_check(const martech_schema_t *schema,
    const martech_json_tape_t *tape, uint32_t node, martech_schema_run_t *run)
{
    martech_schema_eval_t     ev;
    martech_schema_scope_t    scope;

    run->count = 0;
    run->more = 0;
    run->scratch_used = 0;
    run->told = 0;

    scope.outer = NULL;
    scope.resource = schema->root->resource;

    ev.schema = schema;
    ev.tape = tape;
    ev.run = run;
    ev.scope = &scope;
    ev.node = node;
    ev.quiet = (run->max == 0);
    ev.depth = 0;

    return martech_schema_eval(&ev, schema->root, node, NULL);
}
