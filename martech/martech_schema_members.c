
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Compiles the keywords for the members of an object.  All names that a
 * schema knows of go into one table, so that one look-up tells what a member
 * is to the schema; those whose presence matters have a bit besides.
 */


#include <string.h>

#include "martech_schema_compile.h"


/* How many names a keyword may bring, its own and those of arrays in it. */

static size_t
martech_schema_names_of(const martech_json_tape_t *tape, uint32_t object,
    const char *keyword)
{
    size_t    count;
    uint32_t  node, i;

    node = martech_json_member(tape, object, keyword, strlen(keyword));
    if (node == MARTECH_JSON_NONE) {
        return 0;
    }

    count = tape->nodes[node].count;

    if (tape->nodes[node].kind == MARTECH_JSON_OBJECT) {

        for (i = node + 1; i < tape->nodes[node].next;
             i = tape->nodes[i].next)
        {
            if (tape->nodes[i].kind == MARTECH_JSON_ARRAY) {
                count += tape->nodes[i].count;
            }
        }
    }

    return count;
}


martech_schema_object_t *
martech_schema_object(martech_schema_compiler_t *c, martech_schema_sub_t *sub)
{
    size_t                      max;
    martech_schema_object_t    *object;
    const martech_json_tape_t  *tape;

    if (sub->object != NULL) {
        return sub->object;
    }

    tape = &sub->doc->tape;

    max = martech_schema_names_of(tape, sub->node, "properties")
          + martech_schema_names_of(tape, sub->node, "required")
          + martech_schema_names_of(tape, sub->node, "dependencies")
          + martech_schema_names_of(tape, sub->node, "dependentRequired")
          + martech_schema_names_of(tape, sub->node, "dependentSchemas");

    object = martech_schema_alloc(c->arena, sizeof(martech_schema_object_t));

    if (object == NULL
        || martech_schema_names_init(&object->names, c->arena, max) != 0)
    {
        (void) martech_schema_nomem(c);
        return NULL;
    }

    sub->object = object;

    return object;
}


/* Reads the name of a member of the keyword's object, and its pointer. */

static int
martech_schema_member(martech_schema_compiler_t *c,
    const martech_schema_use_t *use, uint32_t node, martech_str_t *name,
    martech_str_t *where)
{
    *name = martech_schema_key(c->arena, &use->sub->doc->tape, node);
    if (name->data == NULL) {
        return martech_schema_nomem(c);
    }

    *where = martech_schema_join(c->arena, use->where, name->data, name->len);

    return (where->data != NULL) ? 0 : martech_schema_nomem(c);
}


int
martech_schema_set_properties(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    uint32_t                    i;
    martech_str_t               name, where;
    martech_schema_sub_t       *sub;
    martech_schema_name_t      *entry, **follower;
    martech_schema_object_t    *object;
    const martech_json_node_t  *nodes;

    object = martech_schema_object(c, use->sub);
    if (object == NULL) {
        return -1;
    }

    nodes = use->sub->doc->tape.nodes;
    follower = &object->first;

    for (i = use->node + 1; i < nodes[use->node].next; i = nodes[i].next) {

        if (martech_schema_member(c, use, i, &name, &where) != 0) {
            return -1;
        }

        sub = martech_schema_sub(c, use->sub->doc, i, where, "properties");
        if (sub == NULL) {
            return -1;
        }

        sub->named = 1;

        entry = martech_schema_names_add(&object->names, name);
        entry->sub = sub;

        *follower = entry;
        follower = &entry->follower;
    }

    return 0;
}


int
martech_schema_set_patterns(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    uint32_t                    i;
    martech_str_t               name, where;
    martech_schema_object_t    *object;
    martech_schema_pattern_t   *pattern;
    const martech_json_node_t  *nodes;

    object = martech_schema_object(c, use->sub);
    if (object == NULL) {
        return -1;
    }

    nodes = use->sub->doc->tape.nodes;

    object->patterns = martech_schema_alloc(c->arena,
                     nodes[use->node].count * sizeof(martech_schema_pattern_t));
    if (object->patterns == NULL) {
        return martech_schema_nomem(c);
    }

    for (i = use->node + 1; i < nodes[use->node].next; i = nodes[i].next) {

        if (martech_schema_member(c, use, i, &name, &where) != 0) {
            return -1;
        }

        pattern = &object->patterns[object->npatterns];

        pattern->regex = martech_schema_regex(c, name, where);
        if (pattern->regex == NULL) {
            return -1;
        }

        pattern->sub = martech_schema_sub(c, use->sub->doc, i, where,
                                          "patternProperties");
        if (pattern->sub == NULL) {
            return -1;
        }

        pattern->sub->named = 1;
        object->npatterns++;
    }

    return 0;
}


/* "additionalProperties", "propertyNames" */

int
martech_schema_set_member(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    martech_schema_sub_t     *sub;
    martech_schema_object_t  *object;

    object = martech_schema_object(c, use->sub);
    if (object == NULL) {
        return -1;
    }

    sub = martech_schema_sub(c, use->sub->doc, use->node, use->where,
                             use->keyword->name);
    if (sub == NULL) {
        return -1;
    }

    sub->named = 1;

    *(martech_schema_sub_t **) ((char *) object + use->keyword->offset) = sub;

    if (use->keyword->name[0] == 'p') {
        object->member_names_where = use->where;
    }

    return 0;
}


/* The place of a name whose presence matters. */

static uint32_t
martech_schema_present(martech_schema_object_t *object, martech_str_t text)
{
    martech_schema_name_t  *name;

    name = martech_schema_names_add(&object->names, text);

    if (name->bit < 0) {
        name->bit = (int32_t) object->bits++;
    }

    return (uint32_t) (name - object->names.names);
}


/* The places of an array of names; NULL: error told. */

static uint32_t *
martech_schema_presents(martech_schema_compiler_t *c,
    martech_schema_object_t *object, const martech_json_tape_t *tape,
    uint32_t array)
{
    uint32_t        i, n, *places;
    martech_str_t   text;

    places = martech_schema_alloc(c->arena, tape->nodes[array].count
                                            * sizeof(uint32_t));
    if (places == NULL) {
        (void) martech_schema_nomem(c);
        return NULL;
    }

    n = 0;

    for (i = array + 1; i < tape->nodes[array].next; i++) {
        text = martech_schema_text(c->arena, martech_json_slice(tape, i),
                                   tape->nodes[i].flags
                                   & MARTECH_JSON_VALUE_ESCAPED);
        if (text.data == NULL) {
            (void) martech_schema_nomem(c);
            return NULL;
        }

        places[n++] = martech_schema_present(object, text);
    }

    return places;
}


int
martech_schema_set_required(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    int32_t                     bit;
    uint32_t                    i;
    martech_schema_object_t    *object;
    const martech_json_tape_t  *tape;

    object = martech_schema_object(c, use->sub);
    if (object == NULL) {
        return -1;
    }

    tape = &use->sub->doc->tape;

    object->required = martech_schema_presents(c, object, tape, use->node);
    if (object->required == NULL) {
        return -1;
    }

    object->nrequired = tape->nodes[use->node].count;

    for (i = 0; i < object->nrequired; i++) {
        bit = object->names.names[object->required[i]].bit;

        if (bit < 64) {
            object->required_bits |= (uint64_t) 1 << bit;
        }
    }

    object->required_where = use->where;

    return 0;
}


/* The three keywords of dependencies add to one list. */

static martech_schema_dependency_t *
martech_schema_dependencies(martech_schema_compiler_t *c,
    martech_schema_object_t *object, uint32_t more)
{
    size_t                        size;
    martech_schema_dependency_t  *list;

    size = (object->ndependencies + more)
           * sizeof(martech_schema_dependency_t);

    list = martech_schema_alloc(c->arena, size);
    if (list == NULL) {
        (void) martech_schema_nomem(c);
        return NULL;
    }

    if (object->ndependencies > 0) {
        memcpy(list, object->dependencies,
               object->ndependencies * sizeof(martech_schema_dependency_t));
    }

    object->dependencies = list;

    return list;
}


int
martech_schema_set_dependencies(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    uint32_t                      i;
    martech_str_t                 name;
    martech_schema_object_t      *object;
    const martech_json_tape_t    *tape;
    martech_schema_dependency_t  *d;

    tape = &use->sub->doc->tape;
    object = martech_schema_object(c, use->sub);

    if (object == NULL
        || martech_schema_dependencies(c, object, tape->nodes[use->node].count)
           == NULL)
    {
        return -1;
    }

    for (i = use->node + 1; i < tape->nodes[use->node].next;
         i = tape->nodes[i].next)
    {
        d = &object->dependencies[object->ndependencies];
        d->rule = use->keyword->name;

        if (martech_schema_member(c, use, i, &name, &d->where) != 0) {
            return -1;
        }

        d->name = martech_schema_present(object, name);

        if (tape->nodes[i].kind == MARTECH_JSON_ARRAY) {
            d->nneeds = tape->nodes[i].count;
            d->needs = martech_schema_presents(c, object, tape, i);

        } else {
            d->sub = martech_schema_sub(c, use->sub->doc, i, d->where,
                                        use->keyword->name);
        }

        if (d->needs == NULL && d->sub == NULL) {
            return -1;
        }

        object->ndependencies++;
    }

    return 0;
}
