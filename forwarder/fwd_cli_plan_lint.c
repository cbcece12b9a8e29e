
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * "plan lint": what the edge would refuse is an error; what a colleague would
 * ask about is a warning.
 */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../martech/martech_regex.h"
#include "fwd_cli_plan.h"


#define FWD_LINT_ERRORS      2
#define FWD_LINT_HIGH_LEAST  4           /* events, to speak of a share */
#define FWD_LINT_FOLD_MAX    300


typedef struct {
    fwd_cli_t            *cli;
    fwd_plan_file_t       file;
    const fwd_plan_row_t *row;
    fwd_buf_t             pointer;       /* in the file */
    fwd_buf_t             event;         /* the same in an event */
    json_t               *names;         /* folded -> [section, name, as] */
    json_t               *found;
    unsigned              depth;
} fwd_lint_t;


static void fwd_lint_all(fwd_lint_t *l);
static void fwd_lint_row(fwd_lint_t *l);
static void fwd_lint_names(fwd_lint_t *l);
static void fwd_lint_name(fwd_lint_t *l, const char *name);
static void fwd_lint_schemas(fwd_lint_t *l);
static void fwd_lint_schema(fwd_lint_t *l, json_t *schema);
static void fwd_lint_property(fwd_lint_t *l, const char *name,
    json_t *schema);
static int fwd_lint_has_type(json_t *schema);
static void fwd_lint_pattern(fwd_lint_t *l, json_t *schema);
static void fwd_lint_priorities(fwd_lint_t *l);
static void fwd_lint_warn(fwd_lint_t *l, const char *fmt, ...)
    FWD_PRINTF(2, 3);
static void fwd_lint_print(const fwd_lint_t *l);
static int fwd_lint_refused(const fwd_cli_t *cli,
    const fwd_plan_problem_t *problem);


int
fwd_cli_plan_lint(fwd_cli_t *cli)
{
    int                  status;
    fwd_lint_t           l;
    fwd_plan_problem_t   problem;

    memset(&l, 0, sizeof(fwd_lint_t));
    l.cli = cli;

    if (fwd_plan_open(&l.file, cli->words[0], &problem) != FWD_OK) {
        status = fwd_lint_refused(cli, &problem);
        fwd_plan_close(&l.file);
        return status;
    }

    fwd_buf_init(&l.pointer, FWD_PLAN_POINTER_MAX);
    fwd_buf_init(&l.event, FWD_PLAN_POINTER_MAX);
    l.names = json_object();
    l.found = json_array();

    fwd_lint_all(&l);
    fwd_lint_print(&l);

    status = (cli->o.strict && json_array_size(l.found) != 0)
             ? FWD_CLI_FAILED : FWD_CLI_OK;

    json_decref(l.names);
    json_decref(l.found);
    fwd_buf_free(&l.pointer);
    fwd_buf_free(&l.event);
    fwd_plan_close(&l.file);

    return status;
}


static int
fwd_lint_refused(const fwd_cli_t *cli, const fwd_plan_problem_t *problem)
{
    if (cli->o.json) {
        fwd_cli_print(json_pack("{s:b,s:[{s:s,s:I,s:s,s:s}],s:[]}", "ok", 0,
                                "errors", "file", cli->words[0], "line",
                                (json_int_t) problem->line, "pointer",
                                problem->pointer, "text", problem->reason,
                                "warnings"), 1);

    } else {
        fwd_plan_complain(stdout, cli->words[0], problem);
    }

    return FWD_LINT_ERRORS;
}


static void
fwd_lint_all(fwd_lint_t *l)
{
    size_t  i, len, end;

    for (i = 0; i < l->file.rows_count; i++) {
        l->row = &l->file.rows[i];

        len = fwd_pointer_enter(&l->pointer, l->row->section);
        end = fwd_pointer_enter(&l->pointer, l->row->name);
        fwd_lint_row(l);
        fwd_pointer_leave(&l->pointer, end);
        fwd_pointer_leave(&l->pointer, len);
    }

    fwd_lint_priorities(l);
}


static void
fwd_lint_row(fwd_lint_t *l)
{
    const char  *text, *stage;

    text = fwd_plan_text(l->row, "description");

    if (text == NULL || text[0] == '\0') {
        fwd_lint_warn(l, "no description");
    }

    text = fwd_plan_text(l->row, "owner");

    if (text == NULL || text[0] == '\0') {
        fwd_lint_warn(l, "no owner");
    }

    stage = fwd_plan_text(l->row, "stage");

    if (stage != NULL && strcmp(stage, "deprecated") == 0
        && fwd_plan_text(l->row, "x-replaced-by") == NULL)
    {
        fwd_lint_warn(l, "deprecated, and \"x-replaced-by\" does not say "
                      "what comes instead");
    }

    fwd_lint_names(l);
    fwd_lint_schemas(l);
}


/* Two that a person would take for one. */

static void
fwd_lint_names(fwd_lint_t *l)
{
    size_t   i, len, end;
    json_t  *aliases, *alias;

    if (strcmp(l->row->section, "traits") == 0) {
        return;
    }

    fwd_lint_name(l, l->row->name);

    aliases = json_object_get(l->row->entry, "aliases");
    len = fwd_pointer_enter(&l->pointer, "aliases");

    json_array_foreach(aliases, i, alias) {
        end = l->pointer.len;
        fwd_plan_printf(&l->pointer, "/%zu", i);
        fwd_lint_name(l, json_string_value(alias));
        fwd_pointer_leave(&l->pointer, end);
    }

    fwd_pointer_leave(&l->pointer, len);
}


static void
fwd_lint_name(fwd_lint_t *l, const char *name)
{
    char         folded[FWD_LINT_FOLD_MAX], key[FWD_LINT_FOLD_MAX + 16];
    json_t      *seen;
    const char  *owner, *as;

    fwd_plan_fold(folded, sizeof(folded), name);

    if (folded[0] == '\0') {
        return;
    }

    (void) snprintf(key, sizeof(key), "%s/%s", l->row->section, folded);
    seen = json_object_get(l->names, key);

    if (seen == NULL) {
        json_object_set_new(l->names, key,
                            json_pack("[s,s]", l->row->name, name));
        return;
    }

    owner = json_string_value(json_array_get(seen, 0));
    as = json_string_value(json_array_get(seen, 1));

    /* "order_completed" beside "Order Completed" is what aliases are for */

    if (strcmp(owner, l->row->name) != 0) {
        fwd_lint_warn(l, "\"%s\" differs from \"%s\" of \"%s\" only in case "
                      "or spelling", name, as, owner);
    }
}


static void
fwd_lint_schemas(fwd_lint_t *l)
{
    int          accepted;
    size_t       n, len, end;
    json_t      *schema;
    const char  *version;

    if (fwd_plan_versions(l->row) == 0) {
        fwd_lint_warn(l, "no schema: every property is unplanned or free");
    }

    for (n = 0; n < fwd_plan_versions(l->row); n++) {
        schema = fwd_plan_version(l->row, n, &version, &accepted);
        len = l->pointer.len;

        if (json_object_get(l->row->entry, "versions") != NULL) {
            (void) fwd_pointer_enter(&l->pointer, "versions");
            (void) fwd_pointer_enter(&l->pointer, version);

        } else {
            (void) fwd_pointer_enter(&l->pointer, "properties");
        }

        end = fwd_pointer_enter(&l->event,
                                strcmp(l->row->section, "traits") == 0
                                ? "traits" : "properties");
        fwd_lint_schema(l, schema);
        fwd_pointer_leave(&l->event, end);
        fwd_pointer_leave(&l->pointer, len);
    }
}


static void
fwd_lint_schema(fwd_lint_t *l, json_t *schema)
{
    size_t       len, end, at;
    json_t      *properties, *items, *property;
    const char  *name;

    if (!json_is_object(schema) || l->depth == FWD_PLAN_DEPTH_MAX) {
        return;
    }

    l->depth++;
    properties = json_object_get(schema, "properties");
    len = fwd_pointer_enter(&l->pointer, "properties");

    json_object_foreach(properties, name, property) {
        end = fwd_pointer_enter(&l->pointer, name);
        at = fwd_pointer_enter(&l->event, name);

        fwd_lint_property(l, name, property);
        fwd_lint_schema(l, property);

        fwd_pointer_leave(&l->event, at);
        fwd_pointer_leave(&l->pointer, end);
    }

    fwd_pointer_leave(&l->pointer, len);
    items = json_object_get(schema, "items");

    if (json_is_object(items)) {
        len = fwd_pointer_enter(&l->pointer, "items");
        at = fwd_pointer_enter(&l->event, "0");
        fwd_lint_schema(l, items);
        fwd_pointer_leave(&l->event, at);
        fwd_pointer_leave(&l->pointer, len);
    }

    l->depth--;
}


static void
fwd_lint_property(fwd_lint_t *l, const char *name, json_t *schema)
{
    int          traits;
    json_t      *target;
    const char  *text;

    target = fwd_plan_resolve(&l->file, schema);
    text = json_string_value(json_object_get(schema, "description"));

    if (text == NULL) {
        text = json_string_value(json_object_get(target, "description"));
    }

    if (json_is_object(target) && !fwd_lint_has_type(target)) {
        fwd_lint_warn(l, "the property has no type");
    }

    if (json_is_object(schema) && (text == NULL || text[0] == '\0')) {
        fwd_lint_warn(l, "the property has no description");
    }

    traits = (strcmp(l->row->section, "traits") == 0);

    if (fwd_plan_looks_personal(name, traits)
        && fwd_buf_string(&l->event) != NULL
        && !fwd_plan_is_personal(l->row, fwd_buf_string(&l->event)))
    {
        fwd_lint_warn(l, "looks personal, but \"personal\" does not have "
                      "\"%s\"", fwd_buf_string(&l->event));
    }

    fwd_lint_pattern(l, target);
}


static int
fwd_lint_has_type(json_t *schema)
{
    size_t  i;

    static const char *const  words[] = {
        "type", "enum", "const", "allOf", "anyOf", "oneOf", "not", "if",
        "$ref", "$dynamicRef"
    };

    for (i = 0; i < sizeof(words) / sizeof(char *); i++) {
        if (json_object_get(schema, words[i]) != NULL) {
            return 1;
        }
    }

    return 0;
}


/* Examples are what the author had in mind when he wrote the pattern. */

static void
fwd_lint_pattern(fwd_lint_t *l, json_t *schema)
{
    char              error[MARTECH_REGEX_ERROR_SIZE];
    size_t            i, strings, matched;
    json_t           *pattern, *examples, *example;
    martech_str_t     text;
    martech_regex_t  *regex;

    pattern = json_object_get(schema, "pattern");
    examples = json_object_get(schema, "examples");

    if (!json_is_string(pattern) || !json_is_array(examples)) {
        return;
    }

    text.data = (const unsigned char *) json_string_value(pattern);
    text.len = json_string_length(pattern);
    regex = martech_regex_compile(text, MARTECH_REGEX_ECMA, error);

    if (regex == NULL) {
        return;
    }

    strings = 0;
    matched = 0;

    json_array_foreach(examples, i, example) {

        if (json_is_string(example)) {
            strings++;
            matched += (martech_regex_find(regex, (const unsigned char *)
                                           json_string_value(example),
                                           json_string_length(example), 0,
                                           NULL, NULL)
                        == 1);
        }
    }

    martech_regex_free(regex);

    if (strings != 0 && matched == 0) {
        fwd_lint_warn(l, "\"pattern\" matches none of the examples");

    } else if (matched < strings) {
        fwd_lint_warn(l, "\"pattern\" does not match %zu of %zu examples",
                      strings - matched, strings);
    }
}


static void
fwd_lint_priorities(fwd_lint_t *l)
{
    size_t       i, high;
    const char  *priority;

    high = 0;

    for (i = 0; i < l->file.rows_count; i++) {
        priority = fwd_plan_text(&l->file.rows[i], "priority");
        high += (priority != NULL && strcmp(priority, "high") == 0);
    }

    if (l->file.rows_count >= FWD_LINT_HIGH_LEAST
        && high * 2 > l->file.rows_count)
    {
        fwd_lint_warn(l, "priority is high for %zu of %zu: where most are "
                      "first, none is", high, l->file.rows_count);
    }
}


static void
fwd_lint_warn(fwd_lint_t *l, const char *fmt, ...)
{
    char         text[1024];
    va_list      args;
    const char  *pointer;

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    pointer = l->pointer.len ? fwd_buf_string(&l->pointer) : "";
    pointer = pointer ? pointer : "";

    json_array_append_new(l->found,
        json_pack("{s:s,s:I,s:s,s:s}", "file", l->file.path, "line",
                  (json_int_t) fwd_plan_line(&l->file, pointer), "pointer",
                  pointer, "text", text));
}


static void
fwd_lint_print(const fwd_lint_t *l)
{
    size_t       i;
    json_t      *row;
    const char  *pointer;

    if (l->cli->o.json) {
        fwd_cli_print(json_pack("{s:b,s:[],s:O}", "ok", 1, "errors",
                                "warnings", l->found), 1);
        return;
    }

    json_array_foreach(l->found, i, row) {
        pointer = json_string_value(json_object_get(row, "pointer"));

        (void) printf("%s:%" JSON_INTEGER_FORMAT ": warning: ", l->file.path,
                      json_integer_value(json_object_get(row, "line")));
        fwd_plan_plain(stdout, pointer);
        (void) printf("%s", pointer[0] ? ": " : "");
        fwd_plan_plain(stdout,
                       json_string_value(json_object_get(row, "text")));
        (void) printf("\n");
    }

    (void) printf("%s: ok, %zu planned, %zu warnings\n", l->file.path,
                  l->file.rows_count, json_array_size(l->found));
}
