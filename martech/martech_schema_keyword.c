
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The keywords of both drafts, and the forms their values have to have.
 * Names that are not here are annotations of somebody, and are ignored as
 * both drafts ask for.
 */


#include <string.h>

#include "martech_schema_compile.h"


#define BOTH  MARTECH_SCHEMA_DRAFT_BOTH
#define OLD   MARTECH_SCHEMA_DRAFT_07
#define NEW   MARTECH_SCHEMA_DRAFT_2020

#define FORM(name)    MARTECH_SCHEMA_FORM_ ## name
#define SET(name)     martech_schema_set_ ## name

#define SUB(member)     offsetof(martech_schema_sub_t, member)
#define STRING(member)  offsetof(martech_schema_string_t, member)
#define ARRAY(member)   offsetof(martech_schema_array_t, member)
#define OBJECT(member)  offsetof(martech_schema_object_t, member)
#define LOGIC(member)   offsetof(martech_schema_logic_t, member)


static int martech_schema_form_strings(martech_schema_compiler_t *c,
    const martech_json_tape_t *tape, uint32_t node, martech_str_t where);
static int martech_schema_form_schemas(martech_schema_compiler_t *c,
    const martech_json_tape_t *tape, uint32_t node, martech_str_t where);
static int martech_schema_form_map(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);


/* Sorted by name. */
static const martech_schema_keyword_t  martech_schema_keywords[] = {
    { "$anchor", NEW, FORM(STRING), NULL, 0 },
    { "$comment", BOTH, FORM(STRING), NULL, 0 },
    { "$defs", BOTH, FORM(MAP), SET(definitions), 0 },
    { "$dynamicAnchor", NEW, FORM(STRING), NULL, 0 },
    { "$dynamicRef", NEW, FORM(STRING), SET(ref), 1 },
    { "$id", BOTH, FORM(STRING), NULL, 0 },
    { "$ref", BOTH, FORM(STRING), SET(ref), 0 },
    { "$schema", BOTH, FORM(STRING), NULL, 0 },
    { "$vocabulary", NEW, FORM(OBJECT), NULL, 0 },
    { "additionalItems", OLD, FORM(SCHEMA), SET(items), 1 },
    { "additionalProperties", BOTH, FORM(SCHEMA), SET(member),
      OBJECT(additional) },
    { "allOf", BOTH, FORM(SCHEMAS), SET(list), LOGIC(all) },
    { "anyOf", BOTH, FORM(SCHEMAS), SET(list), LOGIC(any) },
    { "const", BOTH, FORM(ANY), SET(value), 1 },
    { "contains", BOTH, FORM(SCHEMA), SET(contains), 0 },
    { "contentEncoding", BOTH, FORM(STRING), NULL, 0 },
    { "contentMediaType", BOTH, FORM(STRING), NULL, 0 },
    { "contentSchema", NEW, FORM(SCHEMA), SET(definitions), 1 },
    { "definitions", BOTH, FORM(MAP), SET(definitions), 0 },
    { "dependencies", BOTH, FORM(DEPENDENCIES), SET(dependencies), 0 },
    { "dependentRequired", NEW, FORM(REQUIRED_MAP), SET(dependencies), 0 },
    { "dependentSchemas", NEW, FORM(MAP), SET(dependencies), 0 },
    { "description", BOTH, FORM(STRING), NULL, 0 },
    { "else", BOTH, FORM(SCHEMA), SET(logic), LOGIC(otherwise) },
    { "enum", BOTH, FORM(ARRAY), SET(value), 0 },
    { "exclusiveMaximum", BOTH, FORM(NUMBER), SET(bound),
      MARTECH_SCHEMA_BELOW },
    { "exclusiveMinimum", BOTH, FORM(NUMBER), SET(bound),
      MARTECH_SCHEMA_ABOVE },
    { "format", BOTH, FORM(STRING), SET(format), 0 },
    { "if", BOTH, FORM(SCHEMA), SET(logic), LOGIC(condition) },
    { "items", NEW, FORM(SCHEMA), SET(items), 1 },
    { "items", OLD, FORM(ITEMS), SET(items), 0 },
    { "maxContains", NEW, FORM(COUNT), SET(array_count),
      ARRAY(contains_max) },
    { "maxItems", BOTH, FORM(COUNT), SET(array_count), ARRAY(max) },
    { "maxLength", BOTH, FORM(COUNT), SET(string_count), STRING(max) },
    { "maxProperties", BOTH, FORM(COUNT), SET(object_count), OBJECT(max) },
    { "maximum", BOTH, FORM(NUMBER), SET(bound), MARTECH_SCHEMA_MAXIMUM },
    { "minContains", NEW, FORM(COUNT), SET(array_count),
      ARRAY(contains_min) },
    { "minItems", BOTH, FORM(COUNT), SET(array_count), ARRAY(min) },
    { "minLength", BOTH, FORM(COUNT), SET(string_count), STRING(min) },
    { "minProperties", BOTH, FORM(COUNT), SET(object_count), OBJECT(min) },
    { "minimum", BOTH, FORM(NUMBER), SET(bound), MARTECH_SCHEMA_MINIMUM },
    { "multipleOf", BOTH, FORM(NUMBER), SET(multiple), 0 },
    { "not", BOTH, FORM(SCHEMA), SET(logic), LOGIC(not) },
    { "oneOf", BOTH, FORM(SCHEMAS), SET(list), LOGIC(one) },
    { "pattern", BOTH, FORM(STRING), SET(pattern), 0 },
    { "patternProperties", BOTH, FORM(MAP), SET(patterns), 0 },
    { "prefixItems", NEW, FORM(SCHEMAS), SET(prefix), 0 },
    { "properties", BOTH, FORM(MAP), SET(properties), 0 },
    { "propertyNames", BOTH, FORM(SCHEMA), SET(member),
      OBJECT(member_names) },
    { "required", BOTH, FORM(STRINGS), SET(required), 0 },
    { "then", BOTH, FORM(SCHEMA), SET(logic), LOGIC(then) },
    { "title", BOTH, FORM(STRING), NULL, 0 },
    { "type", BOTH, FORM(TYPE), SET(type), 0 },
    { "unevaluatedItems", NEW, FORM(SCHEMA), SET(left), SUB(left_items) },
    { "unevaluatedProperties", NEW, FORM(SCHEMA), SET(left),
      SUB(left_members) },
    { "uniqueItems", BOTH, FORM(BOOLEAN), SET(unique), 0 },
};


const martech_schema_keyword_t *
martech_schema_keyword(martech_str_t name, martech_schema_draft_t draft)
{
    size_t                           i, count;
    unsigned                         bit;
    const martech_schema_keyword_t  *keyword;

    bit = (draft == MARTECH_SCHEMA_07) ? OLD : NEW;
    count = sizeof(martech_schema_keywords)
            / sizeof(martech_schema_keywords[0]);

    for (i = 0; i < count; i++) {
        keyword = &martech_schema_keywords[i];

        if ((keyword->drafts & bit)
            && strlen(keyword->name) == name.len
            && memcmp(keyword->name, name.data, name.len) == 0)
        {
            return keyword;
        }
    }

    return NULL;
}


static int
martech_schema_form_count(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    uint64_t                    count;
    martech_schema_decimal_t    number;
    const martech_json_tape_t  *tape;

    tape = &use->sub->doc->tape;

    if (tape->nodes[use->node].kind == MARTECH_JSON_NUMBER) {
        martech_schema_decimal(&number, martech_json_slice(tape, use->node));

        if (martech_schema_decimal_count(&number, &count) == 0) {
            return 0;
        }
    }

    return martech_schema_fail(c, use->where, "must be an integer of 0 or "
                               "more");
}


/* style(length): a flat switch */

int
martech_schema_form(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    int                         kind;
    const martech_json_tape_t  *tape;

    tape = &use->sub->doc->tape;
    kind = tape->nodes[use->node].kind;

    switch (use->keyword->form) {

    case MARTECH_SCHEMA_FORM_ANY:
    case MARTECH_SCHEMA_FORM_TYPE:          /* checked as it is read */
        return 0;

    case MARTECH_SCHEMA_FORM_STRING:
        return (kind == MARTECH_JSON_STRING)
               ? 0 : martech_schema_fail(c, use->where, "must be a string");

    case MARTECH_SCHEMA_FORM_BOOLEAN:
        return (kind == MARTECH_JSON_TRUE || kind == MARTECH_JSON_FALSE)
               ? 0 : martech_schema_fail(c, use->where,
                                         "must be true or false");

    case MARTECH_SCHEMA_FORM_NUMBER:
        return (kind == MARTECH_JSON_NUMBER)
               ? 0 : martech_schema_fail(c, use->where, "must be a number");

    case MARTECH_SCHEMA_FORM_COUNT:
        return martech_schema_form_count(c, use);

    case MARTECH_SCHEMA_FORM_STRINGS:
        return martech_schema_form_strings(c, tape, use->node, use->where);

    case MARTECH_SCHEMA_FORM_ARRAY:
        return (kind == MARTECH_JSON_ARRAY)
               ? 0 : martech_schema_fail(c, use->where, "must be an array");

    case MARTECH_SCHEMA_FORM_SCHEMA:
        if (kind == MARTECH_JSON_ARRAY
            && strcmp(use->keyword->name, "items") == 0)
        {
            return martech_schema_fail(c, use->where, "must be one schema; an "
                                       "array of them is \"prefixItems\" in "
                                       "draft 2020-12");
        }

        return 0;                           /* checked as it is compiled */

    case MARTECH_SCHEMA_FORM_ITEMS:
        return (kind == MARTECH_JSON_ARRAY && tape->nodes[use->node].count)
               ? martech_schema_form_schemas(c, tape, use->node, use->where)
               : 0;

    case MARTECH_SCHEMA_FORM_SCHEMAS:
        return martech_schema_form_schemas(c, tape, use->node, use->where);

    default:
        return martech_schema_form_map(c, use);
    }
}


/* Each of the strings may stand once; there are few, or the table is large
   enough to find out. */

static int
martech_schema_form_strings(martech_schema_compiler_t *c,
    const martech_json_tape_t *tape, uint32_t node, martech_str_t where)
{
    uint32_t                i, count;
    martech_str_t           text;
    martech_schema_names_t  names;

    if (tape->nodes[node].kind != MARTECH_JSON_ARRAY) {
        return martech_schema_fail(c, where, "must be an array of strings");
    }

    if (martech_schema_names_init(&names, c->arena, tape->nodes[node].count))
    {
        return martech_schema_nomem(c);
    }

    for (i = node + 1; i < tape->nodes[node].next; i = tape->nodes[i].next) {

        if (tape->nodes[i].kind != MARTECH_JSON_STRING) {
            return martech_schema_fail(c, where,
                                       "must be an array of strings");
        }

        text = martech_schema_text(c->arena, martech_json_slice(tape, i),
                                   tape->nodes[i].flags
                                   & MARTECH_JSON_VALUE_ESCAPED);
        if (text.data == NULL) {
            return martech_schema_nomem(c);
        }

        count = names.count;
        (void) martech_schema_names_add(&names, text);

        if (names.count == count) {
            return martech_schema_fail(c, where, "has \"%.*s\" twice",
                                       (int) (text.len < 80 ? text.len : 80),
                                       (const char *) text.data);
        }
    }

    return 0;
}


static int
martech_schema_form_schemas(martech_schema_compiler_t *c,
    const martech_json_tape_t *tape, uint32_t node, martech_str_t where)
{
    if (tape->nodes[node].kind == MARTECH_JSON_ARRAY
        && tape->nodes[node].count > 0)
    {
        return 0;
    }

    return martech_schema_fail(c, where, "must be an array of at least one "
                               "schema");
}


/* Objects of anything, of schemas, of arrays of strings, or of both. */

static int
martech_schema_form_map(martech_schema_compiler_t *c,
    const martech_schema_use_t *use)
{
    uint32_t                     i;
    martech_str_t                name, where;
    martech_schema_form_t        form;
    martech_schema_names_t       names;
    const martech_json_node_t   *nodes;
    const martech_json_tape_t   *tape;

    tape = &use->sub->doc->tape;
    nodes = tape->nodes;
    form = use->keyword->form;

    if (nodes[use->node].kind != MARTECH_JSON_OBJECT) {
        return martech_schema_fail(c, use->where, "must be an object");
    }

    if (martech_schema_names_init(&names, c->arena, nodes[use->node].count)) {
        return martech_schema_nomem(c);
    }

    for (i = use->node + 1; i < nodes[use->node].next; i = nodes[i].next) {
        name = martech_schema_key(c->arena, tape, i);
        if (name.data == NULL) {
            return martech_schema_nomem(c);
        }

        if (martech_schema_names_find(&names, name.data, name.len) != NULL) {
            return martech_schema_fail(c, use->where, "has \"%.*s\" twice",
                                       (int) (name.len < 80 ? name.len : 80),
                                       (const char *) name.data);
        }

        (void) martech_schema_names_add(&names, name);

        if (form == MARTECH_SCHEMA_FORM_REQUIRED_MAP
            || (form == MARTECH_SCHEMA_FORM_DEPENDENCIES
                && nodes[i].kind == MARTECH_JSON_ARRAY))
        {
            where = martech_schema_join(c->arena, use->where, name.data,
                                        name.len);

            if (where.data == NULL) {
                return martech_schema_nomem(c);
            }

            if (martech_schema_form_strings(c, tape, i, where) != 0) {
                return -1;
            }
        }
    }

    return 0;
}
