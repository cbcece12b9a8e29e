
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Which properties a schema plans: those that its "properties" and "required"
 * name, with what is applied to the same object: "allOf", "$ref", "if", ...
 *
 * This is about names alone, so it errs on the side of planned: a schema that
 * says nothing of names, speaks of unknown ones itself, or cannot be followed
 * makes the version open.
 */


#include <string.h>

#include "martech_plan_private.h"


#define MARTECH_PLAN_PARTS_DEPTH   64    /* a chain of references may be as
                                            long as the file */
#define MARTECH_PLAN_PATTERNS_MAX  64


typedef struct {
    martech_plan_reader_t      *reader;
    const martech_json_tape_t  *tape;
    unsigned char              *seen;
    martech_plan_item_t        *item;
    martech_plan_shape_t       *shape;
    unsigned                    depth;
    unsigned                    says:1;  /* something of names */
} martech_plan_parts_t;


static int martech_plan_part(martech_plan_parts_t *parts, uint32_t node);
static int martech_plan_part_names(martech_plan_parts_t *parts,
    uint32_t node);
static int martech_plan_part_below(martech_plan_parts_t *parts,
    uint32_t node);
static int martech_plan_part_ref(martech_plan_parts_t *parts, uint32_t node);
static int martech_plan_part_patterns(martech_plan_parts_t *parts,
    uint32_t node);
static int martech_plan_part_others(martech_plan_parts_t *parts,
    uint32_t node);
static int martech_plan_add_field(martech_plan_parts_t *parts,
    martech_str_t slice);


int
martech_plan_collect(martech_plan_reader_t *r,
    const martech_json_tape_t *tape, unsigned char *seen,
    martech_plan_item_t *item, martech_plan_shape_t *shape)
{
    martech_plan_parts_t  parts;

    if (!shape->accepted) {
        return 0;
    }

    shape->planned = martech_plan_alloc(r->plan, MARTECH_PLAN_FIELD_WORDS
                                                 * sizeof(uint64_t));
    if (shape->planned == NULL) {
        return martech_plan_no_memory(r);
    }

    memset(&parts, 0, sizeof(martech_plan_parts_t));

    parts.reader = r;
    parts.tape = tape;
    parts.seen = seen;
    parts.item = item;
    parts.shape = shape;

    if (martech_plan_part(&parts, 0) == -1) {
        return -1;
    }

    if (!parts.says) {
        shape->open = 1;
    }

    return 0;
}


/* A schema that is applied to the properties themselves. */

static int
martech_plan_part(martech_plan_parts_t *parts, uint32_t node)
{
    int  rc;

    if (parts->seen[node]
        || parts->tape->nodes[node].kind != MARTECH_JSON_OBJECT)
    {
        return 0;
    }

    if (parts->depth == MARTECH_PLAN_PARTS_DEPTH) {
        parts->shape->open = 1;
        return 0;
    }

    parts->seen[node] = 1;
    parts->depth++;

    rc = martech_plan_part_names(parts, node);

    if (rc == 0) {
        rc = martech_plan_part_below(parts, node);
    }

    parts->depth--;

    return rc;
}


static int
martech_plan_part_names(martech_plan_parts_t *parts, uint32_t node)
{
    uint32_t                    i, member;
    martech_str_t               name;
    const martech_json_node_t  *nodes;

    nodes = parts->tape->nodes;
    member = martech_json_member(parts->tape, node, "properties", 10);

    if (member != MARTECH_JSON_NONE) {
        parts->says = 1;

        for (i = member + 1; i < nodes[member].next; i = nodes[i].next) {
            name.data = parts->tape->text + nodes[i].key;
            name.len = nodes[i].key_len;

            if (martech_plan_add_field(parts, name) == -1) {
                return -1;
            }
        }
    }

    member = martech_json_member(parts->tape, node, "required", 8);

    if (member != MARTECH_JSON_NONE) {

        for (i = member + 1; i < nodes[member].next; i = nodes[i].next) {

            if (martech_plan_add_field(parts,
                                       martech_json_slice(parts->tape, i))
                == -1)
            {
                return -1;
            }
        }
    }

    if (martech_plan_part_patterns(parts, node) == -1) {
        return -1;
    }

    return martech_plan_part_others(parts, node);
}


/* The schemas beside: lists, single ones, and those by name. */

static int
martech_plan_part_below(martech_plan_parts_t *parts, uint32_t node)
{
    unsigned                    k;
    uint32_t                    i, member;
    const martech_json_node_t  *nodes;
    static const char *const    many[] = {
        "allOf", "anyOf", "oneOf", "dependentSchemas", "dependencies"
    };
    static const char *const    one[] = { "if", "then", "else" };

    nodes = parts->tape->nodes;

    for (k = 0; k < sizeof(many) / sizeof(many[0]); k++) {
        member = martech_json_member(parts->tape, node, many[k],
                                     strlen(many[k]));
        if (member == MARTECH_JSON_NONE) {
            continue;
        }

        for (i = member + 1; i < nodes[member].next; i = nodes[i].next) {
            if (martech_plan_part(parts, i) == -1) {
                return -1;
            }
        }
    }

    for (k = 0; k < sizeof(one) / sizeof(one[0]); k++) {
        member = martech_json_member(parts->tape, node, one[k],
                                     strlen(one[k]));

        if (member != MARTECH_JSON_NONE
            && martech_plan_part(parts, member) == -1)
        {
            return -1;
        }
    }

    return martech_plan_part_ref(parts, node);
}


/* References by a pointer are followed; what others name is not known. */

static int
martech_plan_part_ref(martech_plan_parts_t *parts, uint32_t node)
{
    long             n;
    char             text[1024];
    uint32_t         member, target;

    if (martech_json_member(parts->tape, node, "$dynamicRef", 11)
        != MARTECH_JSON_NONE)
    {
        parts->shape->open = 1;
    }

    member = martech_json_member(parts->tape, node, "$ref", 4);

    if (member == MARTECH_JSON_NONE) {
        return 0;
    }

    n = martech_json_unescape(martech_json_slice(parts->tape, member),
                              (unsigned char *) text, sizeof(text) - 1);

    if (n < 1 || text[0] != '#' || memchr(text, '%', (size_t) n) != NULL) {
        parts->shape->open = 1;
        return 0;
    }

    text[n] = '\0';

    if (n == 1) {
        return martech_plan_part(parts, 0);
    }

    target = martech_json_pointer(parts->tape, 0, text + 1);

    if (target == MARTECH_JSON_NONE) {
        parts->shape->open = 1;
        return 0;
    }

    return martech_plan_part(parts, target);
}


static int
martech_plan_part_patterns(martech_plan_parts_t *parts, uint32_t node)
{
    long                         n;
    char                         error[MARTECH_REGEX_ERROR_SIZE];
    uint32_t                     i, member;
    martech_str_t                name;
    unsigned char                text[MARTECH_REGEX_SIZE_MAX];
    martech_regex_t             *regex;
    martech_plan_shape_t        *shape;
    const martech_json_node_t   *nodes;

    nodes = parts->tape->nodes;
    member = martech_json_member(parts->tape, node, "patternProperties", 17);

    if (member == MARTECH_JSON_NONE) {
        return 0;
    }

    parts->says = 1;
    shape = parts->shape;

    if (shape->patterns == NULL) {
        shape->patterns = martech_plan_alloc(parts->reader->plan,
                                             MARTECH_PLAN_PATTERNS_MAX
                                             * sizeof(martech_regex_t *));
        if (shape->patterns == NULL) {
            return martech_plan_no_memory(parts->reader);
        }
    }

    for (i = member + 1; i < nodes[member].next; i = nodes[i].next) {
        name.data = parts->tape->text + nodes[i].key;
        name.len = nodes[i].key_len;

        n = martech_json_unescape(name, text, sizeof(text));

        if (n < 0 || shape->npatterns == MARTECH_PLAN_PATTERNS_MAX) {
            shape->open = 1;
            return 0;
        }

        name.data = text;
        name.len = (size_t) n;

        /* the schema's compiler has refused what is no pattern */

        regex = martech_regex_compile(name, MARTECH_REGEX_ECMA, error);
        if (regex == NULL) {
            return martech_plan_no_memory(parts->reader);
        }

        shape->patterns[shape->npatterns++] = regex;
    }

    return 0;
}


/*
 * Other names have a schema of their own, or are refused by the schema: then
 * saying it a second time would help nobody.
 */

static int
martech_plan_part_others(martech_plan_parts_t *parts, uint32_t node)
{
    unsigned                    k;
    uint32_t                    member;
    static const char *const    names[] = {
        "additionalProperties", "unevaluatedProperties"
    };

    for (k = 0; k < 2; k++) {
        member = martech_json_member(parts->tape, node, names[k],
                                     strlen(names[k]));

        if (member != MARTECH_JSON_NONE
            && parts->tape->nodes[member].kind != MARTECH_JSON_TRUE)
        {
            parts->shape->open = 1;
        }
    }

    return 0;
}


/* The fields of an entry are those of all its versions; each has a bit. */

static int
martech_plan_add_field(martech_plan_parts_t *parts, martech_str_t slice)
{
    int                   field;
    long                  n;
    martech_str_t         name;
    unsigned char        *p;
    martech_plan_item_t  *item;

    item = parts->item;

    p = martech_plan_alloc(parts->reader->plan, slice.len + 1);
    if (p == NULL) {
        return martech_plan_no_memory(parts->reader);
    }

    n = martech_json_unescape(slice, p, slice.len);

    name.data = p;
    name.len = (n > 0) ? (size_t) n : 0;

    field = martech_plan_names_find(&item->fields, name.data, name.len);

    if (field == -1) {

        if (item->nfields == MARTECH_PLAN_FIELDS_MAX) {
            parts->shape->open = 1;
            return 0;
        }

        field = (int) item->nfields++;

        if (martech_plan_names_add(&item->fields, name, field) != 0) {
            return martech_plan_no_memory(parts->reader);
        }
    }

    martech_plan_bit_set(parts->shape->planned, (unsigned) field);

    return 0;
}
