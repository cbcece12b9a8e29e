
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Two schemas of the same value.  What can be compared keyword by keyword is;
 * of all other keywords it is known only whether they are the same, and if
 * they are not, senders are warned.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_cli_plan_diff.h"


typedef struct {
    const char           *word;
    int                   upper;         /* 1: a smaller one is stricter */
} fwd_diff_bound_t;


static void fwd_schema_keywords(fwd_plan_diff_t *d, json_t *was,
    json_t *now);
static void fwd_schema_types(fwd_plan_diff_t *d, json_t *was, json_t *now);
static int fwd_schema_type_has(json_t *schema, const char *type);
static void fwd_schema_values(fwd_plan_diff_t *d, json_t *was, json_t *now);
static json_t *fwd_schema_allowed(json_t *schema);
static size_t fwd_schema_missing(const json_t *from, const json_t *in);
static void fwd_schema_bounds(fwd_plan_diff_t *d, json_t *was, json_t *now);
static void fwd_schema_exact(fwd_plan_diff_t *d, json_t *was, json_t *now);
static void fwd_schema_required(fwd_plan_diff_t *d, json_t *was,
    json_t *now);
static void fwd_schema_properties(fwd_plan_diff_t *d, json_t *was,
    json_t *now);
static void fwd_schema_added(fwd_plan_diff_t *d, const char *name,
    json_t *was, json_t *property);
static void fwd_schema_removed(fwd_plan_diff_t *d, const char *name,
    json_t *now);
static void fwd_schema_additional(fwd_plan_diff_t *d, json_t *was,
    json_t *now);
static void fwd_schema_items(fwd_plan_diff_t *d, json_t *was, json_t *now);
static void fwd_schema_others(fwd_plan_diff_t *d, json_t *was, json_t *now);
static int fwd_schema_restricts(json_t *schema);
static int fwd_schema_known(const char *word);


static const char *const  fwd_schema_words[] = {
    "type", "enum", "const", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems",
    "minProperties", "maxProperties", "multipleOf", "pattern", "format",
    "uniqueItems", "required", "properties", "additionalProperties", "items",
    "definitions", "$defs", NULL
};

/* Those say nothing about what is allowed. */

static const char *const  fwd_schema_notes[] = {
    "title", "description", "examples", "default", "deprecated", "readOnly",
    "writeOnly", "$comment", "$schema", "$id", "$anchor", NULL
};

static const char *const  fwd_schema_kinds[] = {
    "null", "boolean", "integer", "number", "string", "array", "object", NULL
};

static const fwd_diff_bound_t  fwd_schema_bound_words[] = {
    { "minimum", 0 }, { "maximum", 1 }, { "exclusiveMinimum", 0 },
    { "exclusiveMaximum", 1 }, { "minLength", 0 }, { "maxLength", 1 },
    { "minItems", 0 }, { "maxItems", 1 }, { "minProperties", 0 },
    { "maxProperties", 1 }, { NULL, 0 }
};


void
fwd_plan_diff_schema(fwd_plan_diff_t *d, json_t *was, json_t *now)
{
    json_t  *old, *new;

    old = fwd_plan_resolve(&d->was, was);
    new = fwd_plan_resolve(&d->now, now);

    if (d->depth == FWD_PLAN_DEPTH_MAX) {
        return;
    }

    if (old == NULL || new == NULL) {

        if (!json_equal(was, now)) {
            fwd_plan_differ(d, FWD_DIFF_SENDERS, "the reference is another, "
                            "what it allows is not compared");
        }

        return;
    }

    if (json_is_object(old) && json_is_object(new)) {
        d->depth++;
        fwd_schema_keywords(d, old, new);
        d->depth--;
        return;
    }

    if (json_is_false(new) && !json_is_false(old)) {
        fwd_plan_differ(d, FWD_DIFF_SENDERS, "nothing is allowed here any "
                        "more");

    } else if (json_is_false(old) && !json_is_false(new)) {
        fwd_plan_differ(d, FWD_DIFF_READERS, "something is allowed here now");

    } else if (json_is_true(old) && fwd_schema_restricts(new)) {
        fwd_plan_differ(d, FWD_DIFF_SENDERS, "anything was allowed, now it "
                        "is checked");

    } else if (json_is_true(new) && fwd_schema_restricts(old)) {
        fwd_plan_differ(d, FWD_DIFF_READERS, "anything is allowed now");
    }
}


static void
fwd_schema_keywords(fwd_plan_diff_t *d, json_t *was, json_t *now)
{
    fwd_schema_types(d, was, now);
    fwd_schema_values(d, was, now);
    fwd_schema_bounds(d, was, now);
    fwd_schema_exact(d, was, now);
    fwd_schema_required(d, was, now);
    fwd_schema_properties(d, was, now);
    fwd_schema_additional(d, was, now);
    fwd_schema_items(d, was, now);
    fwd_schema_others(d, was, now);
}


static void
fwd_schema_types(fwd_plan_diff_t *d, json_t *was, json_t *now)
{
    int     old, new;
    size_t  i;

    if (json_equal(json_object_get(was, "type"),
                   json_object_get(now, "type")))
    {
        return;
    }

    for (i = 0; fwd_schema_kinds[i] != NULL; i++) {
        old = fwd_schema_type_has(was, fwd_schema_kinds[i]);
        new = fwd_schema_type_has(now, fwd_schema_kinds[i]);

        if (strcmp(fwd_schema_kinds[i], "integer") == 0
            && (old ? fwd_schema_type_has(was, "number") : 0)
               == (new ? fwd_schema_type_has(now, "number") : 0)
            && old == new)
        {
            continue;
        }

        if (old && !new) {
            fwd_plan_differ(d, FWD_DIFF_SENDERS, "it may not be of type %s "
                            "any more", fwd_schema_kinds[i]);

        } else if (!old && new) {
            fwd_plan_differ(d, FWD_DIFF_READERS, "it may be of type %s now",
                            fwd_schema_kinds[i]);
        }
    }
}


/* A number may be an integer. */

static int
fwd_schema_type_has(json_t *schema, const char *type)
{
    json_t  *list;

    list = json_object_get(schema, "type");

    if (list == NULL) {
        return 1;
    }

    if (json_is_string(list)) {
        return strcmp(json_string_value(list), type) == 0
               || (strcmp(type, "integer") == 0
                   && strcmp(json_string_value(list), "number") == 0);
    }

    return fwd_plan_lists(list, type)
           || (strcmp(type, "integer") == 0
               && fwd_plan_lists(list, "number"));
}


static void
fwd_schema_values(fwd_plan_diff_t *d, json_t *was, json_t *now)
{
    size_t   gone, more;
    json_t  *old, *new;

    old = fwd_schema_allowed(was);
    new = fwd_schema_allowed(now);

    if (old == NULL && new != NULL) {
        fwd_plan_differ(d, FWD_DIFF_SENDERS, "only %zu values are allowed "
                        "now", json_array_size(new));

    } else if (old != NULL && new == NULL) {
        fwd_plan_differ(d, FWD_DIFF_READERS, "other values than the %zu of "
                        "before are allowed", json_array_size(old));

    } else if (old != NULL) {
        gone = fwd_schema_missing(old, new);
        more = fwd_schema_missing(new, old);

        if (gone != 0) {
            fwd_plan_differ(d, FWD_DIFF_SENDERS, "%zu of the allowed values "
                            "%s gone", gone, gone == 1 ? "is" : "are");
        }

        if (more != 0) {
            fwd_plan_differ(d, FWD_DIFF_NOBODY, "%zu more %s allowed", more,
                            more == 1 ? "value is" : "values are");
        }
    }

    json_decref(old);
    json_decref(new);
}


/* The values of "enum", or that of "const"; NULL: any. */

static json_t *
fwd_schema_allowed(json_t *schema)
{
    json_t  *value;

    value = json_object_get(schema, "const");

    if (value != NULL) {
        return json_pack("[O]", value);
    }

    return json_incref(json_object_get(schema, "enum"));
}


static size_t
fwd_schema_missing(const json_t *from, const json_t *in)
{
    size_t   i, j, count;
    json_t  *a, *b;

    count = 0;

    json_array_foreach(from, i, a) {

        json_array_foreach(in, j, b) {
            if (json_equal(a, b)) {
                break;
            }
        }

        count += (j == json_array_size(in));
    }

    return count;
}


static void
fwd_schema_bounds(fwd_plan_diff_t *d, json_t *was, json_t *now)
{
    json_t                  *old, *new;
    const fwd_diff_bound_t  *bound;

    for (bound = fwd_schema_bound_words; bound->word != NULL; bound++) {
        old = json_object_get(was, bound->word);
        new = json_object_get(now, bound->word);

        if ((old == NULL && new == NULL)
            || (old != NULL && new != NULL
                && json_number_value(old) == json_number_value(new)))
        {
            continue;
        }

        if (new == NULL) {
            fwd_plan_differ(d, FWD_DIFF_NOBODY, "%s %.15g is gone",
                            bound->word, json_number_value(old));

        } else if (old == NULL) {
            fwd_plan_differ(d, FWD_DIFF_SENDERS, "%s %.15g is new",
                            bound->word, json_number_value(new));

        } else {
            fwd_plan_differ(d, (json_number_value(new)
                                > json_number_value(old)) == bound->upper
                               ? FWD_DIFF_NOBODY : FWD_DIFF_SENDERS,
                            "%s is %.15g instead of %.15g", bound->word,
                            json_number_value(new), json_number_value(old));
        }
    }
}


/* What is stricter cannot be seen by looking: another one may be. */

static void
fwd_schema_exact(fwd_plan_diff_t *d, json_t *was, json_t *now)
{
    size_t    i;
    json_t   *old, *new;
    unsigned  breaks;

    static const char *const  words[] = {
        "pattern", "format", "multipleOf", "uniqueItems"
    };

    for (i = 0; i < sizeof(words) / sizeof(char *); i++) {
        old = json_object_get(was, words[i]);
        new = json_object_get(now, words[i]);

        if (json_is_false(old)) {
            old = NULL;
        }

        if (json_is_false(new)) {
            new = NULL;
        }

        if ((old == NULL && new == NULL)
            || (old != NULL && new != NULL && json_equal(old, new)))
        {
            continue;
        }

        breaks = (new != NULL) ? FWD_DIFF_SENDERS : FWD_DIFF_NOBODY;

        if (strcmp(words[i], "format") == 0 && !d->formats_now) {
            breaks = FWD_DIFF_NOBODY;
        }

        fwd_plan_differ(d, breaks, "%s is %s", words[i],
                        old == NULL ? "new" : new == NULL ? "gone"
                                                          : "another");
    }
}


static void
fwd_schema_required(fwd_plan_diff_t *d, json_t *was, json_t *now)
{
    size_t   i, len;
    json_t  *old, *new, *item;

    old = json_object_get(was, "required");
    new = json_object_get(now, "required");

    json_array_foreach(new, i, item) {

        if (json_is_string(item)
            && !fwd_plan_lists(old, json_string_value(item)))
        {
            len = fwd_pointer_enter(&d->pointer, json_string_value(item));
            fwd_plan_differ(d, FWD_DIFF_SENDERS, "it is required now");
            fwd_pointer_leave(&d->pointer, len);
        }
    }

    json_array_foreach(old, i, item) {

        if (json_is_string(item)
            && !fwd_plan_lists(new, json_string_value(item))
            && json_object_get(json_object_get(now, "properties"),
                               json_string_value(item)) != NULL)
        {
            len = fwd_pointer_enter(&d->pointer, json_string_value(item));
            fwd_plan_differ(d, FWD_DIFF_READERS, "it may be missing now");
            fwd_pointer_leave(&d->pointer, len);
        }
    }
}


static void
fwd_schema_properties(fwd_plan_diff_t *d, json_t *was, json_t *now)
{
    size_t       len;
    json_t      *olds, *news, *property, *other;
    const char  *name;

    olds = json_object_get(was, "properties");
    news = json_object_get(now, "properties");

    json_object_foreach(olds, name, property) {
        other = json_object_get(news, name);
        len = fwd_pointer_enter(&d->pointer, name);

        if (other == NULL) {
            fwd_schema_removed(d, name, now);

        } else {
            fwd_plan_diff_schema(d, property, other);
        }

        fwd_pointer_leave(&d->pointer, len);
    }

    json_object_foreach(news, name, property) {

        if (json_object_get(olds, name) == NULL) {
            len = fwd_pointer_enter(&d->pointer, name);
            fwd_schema_added(d, name, was, property);
            fwd_pointer_leave(&d->pointer, len);
        }
    }
}


/* On top level the plan says what becomes of others, below it the schema. */

static void
fwd_schema_removed(fwd_plan_diff_t *d, const char *name, json_t *now)
{
    int  open;

    (void) name;
    open = !json_is_false(json_object_get(now, "additionalProperties"));

    if (d->depth == 1) {
        open = open && d->free_now;
    }

    fwd_plan_differ(d, open ? FWD_DIFF_READERS
                            : FWD_DIFF_READERS | FWD_DIFF_SENDERS,
                    "the property is gone%s", open ? ", but still accepted"
                                                   : "");
}


static void
fwd_schema_added(fwd_plan_diff_t *d, const char *name, json_t *was,
    json_t *property)
{
    int  open;

    (void) name;
    open = !json_is_false(json_object_get(was, "additionalProperties"));

    if (d->depth == 1) {
        open = open && d->free_was;
    }

    if (open && fwd_schema_restricts(fwd_plan_resolve(&d->now, property))) {
        fwd_plan_differ(d, FWD_DIFF_SENDERS, "the property is planned now; "
                        "it could be anything before");
        return;
    }

    fwd_plan_differ(d, FWD_DIFF_NOBODY, "the property is new");
}


static void
fwd_schema_additional(fwd_plan_diff_t *d, json_t *was, json_t *now)
{
    json_t  *old, *new;

    old = json_object_get(was, "additionalProperties");
    new = json_object_get(now, "additionalProperties");

    if ((old == NULL || json_is_true(old))
        && (new == NULL || json_is_true(new)))
    {
        return;
    }

    if (old != NULL && new != NULL && json_equal(old, new)) {
        return;
    }

    if (new == NULL || json_is_true(new)) {
        fwd_plan_differ(d, FWD_DIFF_NOBODY, "other properties are allowed "
                        "now");

    } else if (json_is_false(new)) {
        fwd_plan_differ(d, FWD_DIFF_SENDERS, "other properties are not "
                        "allowed any more");

    } else if (json_is_false(old)) {
        fwd_plan_differ(d, FWD_DIFF_NOBODY, "some other properties are "
                        "allowed now");

    } else {
        fwd_plan_differ(d, FWD_DIFF_SENDERS, "what other properties may be "
                        "is another");
    }
}


static void
fwd_schema_items(fwd_plan_diff_t *d, json_t *was, json_t *now)
{
    size_t   len;
    json_t  *old, *new;

    old = json_object_get(was, "items");
    new = json_object_get(now, "items");

    if (old == NULL && new == NULL) {
        return;
    }

    len = fwd_pointer_enter(&d->pointer, "*");

    if (json_is_array(old) || json_is_array(new)) {

        if (old == NULL || new == NULL || !json_equal(old, new)) {
            fwd_plan_differ(d, FWD_DIFF_SENDERS, "the entries are others, "
                            "what they allow is not compared");
        }

    } else if (old == NULL) {

        if (fwd_schema_restricts(fwd_plan_resolve(&d->now, new))) {
            fwd_plan_differ(d, FWD_DIFF_SENDERS, "entries are checked now");
        }

    } else if (new == NULL) {
        fwd_plan_differ(d, FWD_DIFF_READERS, "entries may be anything now");

    } else {
        fwd_plan_diff_schema(d, old, new);
    }

    fwd_pointer_leave(&d->pointer, len);
}


static void
fwd_schema_others(fwd_plan_diff_t *d, json_t *was, json_t *now)
{
    json_t      *value, *other;
    const char  *word;

    json_object_foreach(was, word, value) {

        if (!fwd_schema_known(word) && json_object_get(now, word) == NULL) {
            fwd_plan_differ(d, FWD_DIFF_READERS, "\"%s\" is gone", word);
        }
    }

    json_object_foreach(now, word, value) {
        other = json_object_get(was, word);

        if (!fwd_schema_known(word)
            && (other == NULL || !json_equal(value, other)))
        {
            fwd_plan_differ(d, FWD_DIFF_SENDERS, "\"%s\" is %s", word,
                            other ? "another, what it allows is not compared"
                                  : "new");
        }
    }
}


static int
fwd_schema_known(const char *word)
{
    size_t  i;

    for (i = 0; fwd_schema_words[i] != NULL; i++) {
        if (strcmp(fwd_schema_words[i], word) == 0) {
            return 1;
        }
    }

    for (i = 0; fwd_schema_notes[i] != NULL; i++) {
        if (strcmp(fwd_schema_notes[i], word) == 0) {
            return 1;
        }
    }

    return strncmp(word, "x-", 2) == 0;
}


/* 1 if a value could fail on it. */

static int
fwd_schema_restricts(json_t *schema)
{
    size_t       i;
    json_t      *value;
    const char  *word;

    if (!json_is_object(schema)) {
        return json_is_false(schema);
    }

    json_object_foreach(schema, word, value) {

        for (i = 0; fwd_schema_notes[i] != NULL; i++) {
            if (strcmp(fwd_schema_notes[i], word) == 0) {
                break;
            }
        }

        if (fwd_schema_notes[i] == NULL && strncmp(word, "x-", 2) != 0) {
            return 1;
        }
    }

    return 0;
}
