
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Compiles the keywords that ask something of one value: its type, equality,
 * size, pattern and format.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "martech_schema_compile.h"


/* The part of a schema for one kind of value, made when it is needed. */

static void *
martech_schema_part(martech_schema_compiler_t *c, void **part, size_t size)
{
    if (*part == NULL) {
        *part = martech_schema_alloc(c->arena, size);

        if (*part == NULL) {
            (void) martech_schema_nomem(c);
        }
    }

    return *part;
}


/* The bit of a type's name, or 0. */

static unsigned
martech_schema_type(const martech_json_tape_t *tape, uint32_t node)
{
    size_t  i;

    static const struct {
        const char  *name;
        unsigned     bits;
    } types[] = {
        { "array", 1 << MARTECH_JSON_ARRAY },
        { "boolean", 1 << MARTECH_JSON_TRUE | 1 << MARTECH_JSON_FALSE },
        { "integer", MARTECH_SCHEMA_INTEGER },
        { "null", 1 << MARTECH_JSON_NULL },
        { "number", 1 << MARTECH_JSON_NUMBER },
        { "object", 1 << MARTECH_JSON_OBJECT },
        { "string", 1 << MARTECH_JSON_STRING },
    };

    if (tape->nodes[node].kind != MARTECH_JSON_STRING) {
        return 0;
    }

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {

        if (martech_json_equals(tape, node, types[i].name,
                                strlen(types[i].name)))
        {
            return types[i].bits;
        }
    }

    return 0;
}


int
martech_schema_set_type(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    unsigned                    bits, all;
    uint32_t                    i;
    const martech_json_tape_t  *tape;

    tape = &use->sub->doc->tape;
    all = 0;

    if (tape->nodes[use->node].kind == MARTECH_JSON_ARRAY) {

        for (i = use->node + 1; i < tape->nodes[use->node].next; i++) {
            bits = martech_schema_type(tape, i);

            if (bits == 0 || (all & bits)) {
                all = 0;
                break;
            }

            all |= bits;
        }

    } else {
        all = martech_schema_type(tape, use->node);
    }

    if (all == 0) {
        return martech_schema_fail(c, use->where, "must be one of \"array\", "
                                   "\"boolean\", \"integer\", \"null\", "
                                   "\"number\", \"object\", \"string\", or an "
                                   "array of different ones");
    }

    use->sub->types = (uint8_t) all;
    use->sub->types_where = use->where;

    return 0;
}


static int
martech_schema_value_add(martech_schema_compiler_t *c,
    martech_schema_value_t *value, const martech_json_tape_t *tape,
    uint32_t node)
{
    martech_str_t  text;

    if (tape->nodes[node].kind != MARTECH_JSON_STRING) {
        value->others[value->nothers++] = node;
        return 0;
    }

    text = martech_schema_text(c->arena, martech_json_slice(tape, node),
                               tape->nodes[node].flags
                               & MARTECH_JSON_VALUE_ESCAPED);
    if (text.data == NULL) {
        return martech_schema_nomem(c);
    }

    (void) martech_schema_names_add(&value->strings, text);

    return 0;
}


/* "enum" and "const"; the offset is the place among the two. */

int
martech_schema_set_value(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    uint32_t                    i, count;
    martech_schema_value_t     *value;
    const martech_json_tape_t  *tape;

    tape = &use->sub->doc->tape;
    count = (use->keyword->offset == 0) ? tape->nodes[use->node].count : 1;

    value = martech_schema_alloc(c->arena, sizeof(martech_schema_value_t));
    if (value == NULL) {
        return martech_schema_nomem(c);
    }

    value->rule = use->keyword->name;
    value->where = use->where;
    value->others = martech_schema_alloc(c->arena, count * sizeof(uint32_t));

    if (value->others == NULL
        || martech_schema_names_init(&value->strings, c->arena, count) != 0)
    {
        return martech_schema_nomem(c);
    }

    use->sub->values[use->keyword->offset] = value;

    if (use->keyword->offset == 1) {
        return martech_schema_value_add(c, value, tape, use->node);
    }

    for (i = use->node + 1; i < tape->nodes[use->node].next;
         i = tape->nodes[i].next)
    {
        if (martech_schema_value_add(c, value, tape, i) != 0) {
            return -1;
        }
    }

    return 0;
}


static void
martech_schema_bound(const martech_schema_use_t *use,
    martech_schema_bound_t *bound)
{
    martech_schema_decimal(&bound->limit,
                           martech_json_slice(&use->sub->doc->tape,
                                              use->node));
    bound->where = use->where;
}


int
martech_schema_set_bound(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    martech_schema_number_t  *number;

    number = martech_schema_part(c, (void **) &use->sub->number,
                                 sizeof(martech_schema_number_t));
    if (number == NULL) {
        return -1;
    }

    martech_schema_bound(use, &number->bounds[use->keyword->offset]);
    number->asked |= 1u << use->keyword->offset;

    return 0;
}


int
martech_schema_set_multiple(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    martech_schema_number_t   *number;
    martech_schema_decimal_t  *of;

    number = martech_schema_part(c, (void **) &use->sub->number,
                                 sizeof(martech_schema_number_t));
    if (number == NULL) {
        return -1;
    }

    martech_schema_bound(use, &number->multiple);

    of = &number->multiple.limit;
    number->divisor = martech_schema_decimal_digits(of);

    if (of->negative || number->divisor == 0) {
        return martech_schema_fail(c, use->where, "must be greater than 0, "
                                   "with at most 18 digits");
    }

    return 0;
}


static int
martech_schema_count(martech_schema_compiler_t *c, char *part,
    const martech_schema_use_t *use)
{
    martech_schema_count_t    *count;
    martech_schema_decimal_t   number;

    (void) c;

    if (part == NULL) {
        return -1;
    }

    count = (martech_schema_count_t *) (part + use->keyword->offset);
    count->where = use->where;

    martech_schema_decimal(&number, martech_json_slice(&use->sub->doc->tape,
                                                       use->node));

    return martech_schema_decimal_count(&number, &count->limit);
}


int
martech_schema_set_string_count(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    return martech_schema_count(c,
               martech_schema_part(c, (void **) &use->sub->string,
                                   sizeof(martech_schema_string_t)), use);
}


int
martech_schema_set_array_count(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    return martech_schema_count(c,
               martech_schema_part(c, (void **) &use->sub->array,
                                   sizeof(martech_schema_array_t)), use);
}


int
martech_schema_set_unique(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    martech_schema_array_t  *array;

    array = martech_schema_part(c, (void **) &use->sub->array,
                                sizeof(martech_schema_array_t));
    if (array == NULL) {
        return -1;
    }

    if (use->sub->doc->tape.nodes[use->node].kind == MARTECH_JSON_TRUE) {
        array->unique_where = use->where;
    }

    return 0;
}


martech_regex_t *
martech_schema_regex(martech_schema_compiler_t *c, martech_str_t text,
    martech_str_t where)
{
    char               error[MARTECH_REGEX_ERROR_SIZE];
    size_t             size;
    uint32_t           max;
    martech_regex_t   *regex, **grown;
    martech_schema_t  *schema;

    schema = c->schema;

    if (schema->nregexes == schema->regexes_max) {
        max = schema->regexes_max ? 2 * schema->regexes_max : 16;
        size = max * sizeof(martech_regex_t *);

        grown = realloc(schema->regexes, size);
        if (grown == NULL) {
            (void) martech_schema_nomem(c);
            return NULL;
        }

        schema->regexes = grown;
        schema->regexes_max = max;
    }

    error[0] = '\0';

    regex = martech_regex_compile(text, MARTECH_REGEX_ECMA, error);
    if (regex == NULL) {
        (void) martech_schema_fail(c, where, "%s", error);
        return NULL;
    }

    schema->regexes[schema->nregexes++] = regex;

    return regex;
}


/* The text of a keyword that is a string; .data is NULL: error told. */

static martech_str_t
martech_schema_string(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    martech_str_t               text;
    const martech_json_tape_t  *tape;

    tape = &use->sub->doc->tape;

    text = martech_schema_text(c->arena, martech_json_slice(tape, use->node),
                               tape->nodes[use->node].flags
                               & MARTECH_JSON_VALUE_ESCAPED);
    if (text.data == NULL) {
        (void) martech_schema_nomem(c);
    }

    return text;
}


int
martech_schema_set_pattern(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    martech_str_t             text;
    martech_schema_string_t  *string;

    string = martech_schema_part(c, (void **) &use->sub->string,
                                 sizeof(martech_schema_string_t));
    if (string == NULL) {
        return -1;
    }

    text = martech_schema_string(c, use);
    if (text.data == NULL) {
        return -1;
    }

    string->pattern_where = use->where;
    string->pattern = martech_schema_regex(c, text, use->where);

    return (string->pattern != NULL) ? 0 : -1;
}


/* A format that nobody knows is an annotation, as both drafts say. */

int
martech_schema_set_format(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    martech_str_t             text;
    martech_format_pt         format;
    martech_schema_string_t  *string;

    if (!c->formats) {
        return 0;
    }

    text = martech_schema_string(c, use);
    if (text.data == NULL) {
        return -1;
    }

    format = martech_format(text);
    if (format == NULL) {
        return 0;
    }

    string = martech_schema_part(c, (void **) &use->sub->string,
                                 sizeof(martech_schema_string_t));
    if (string == NULL) {
        return -1;
    }

    string->format = format;
    string->format_where = use->where;

    return 0;
}


int
martech_schema_set_object_count(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    martech_schema_object_t  *object;

    object = martech_schema_object(c, use->sub);

    return martech_schema_count(c, (char *) object, use);
}
