
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * "plan diff": what a new plan changes, event by event.
 */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_cli_plan_diff.h"


static int fwd_diff_print(fwd_cli_t *cli, fwd_plan_diff_t *d);
static void fwd_diff_all(fwd_plan_diff_t *d);
static void fwd_diff_plan(fwd_plan_diff_t *d);
static void fwd_diff_at(fwd_plan_diff_t *d, const fwd_plan_row_t *row);
static void fwd_diff_gone(fwd_plan_diff_t *d, const fwd_plan_row_t *was);
static const fwd_plan_row_t *fwd_diff_alias(const fwd_plan_file_t *file,
    const fwd_plan_row_t *row);
static void fwd_diff_row(fwd_plan_diff_t *d, const fwd_plan_row_t *was,
    const fwd_plan_row_t *now);
static void fwd_diff_action(fwd_plan_diff_t *d, const fwd_plan_row_t *was,
    const fwd_plan_row_t *now, const char *member, const char *what);
static void fwd_diff_stage(fwd_plan_diff_t *d, const fwd_plan_row_t *was,
    const fwd_plan_row_t *now);
static void fwd_diff_texts(fwd_plan_diff_t *d, const fwd_plan_row_t *was,
    const fwd_plan_row_t *now);
static void fwd_diff_list(fwd_plan_diff_t *d, const fwd_plan_row_t *was,
    const fwd_plan_row_t *now, const char *member, unsigned gone,
    const char *what);
static void fwd_diff_versions(fwd_plan_diff_t *d, const fwd_plan_row_t *was,
    const fwd_plan_row_t *now);
static json_t *fwd_diff_version(const fwd_plan_row_t *row, const char *name,
    int *accepted);
static const char *fwd_diff_or(const char *text, const char *other);


int
fwd_cli_plan_diff(fwd_cli_t *cli)
{
    int               status;
    fwd_plan_diff_t   d;

    memset(&d, 0, sizeof(fwd_plan_diff_t));
    status = FWD_CLI_USAGE;

    if (fwd_plan_load(&d.was, cli->words[0]) == FWD_OK
        && fwd_plan_load(&d.now, cli->words[1]) == FWD_OK)
    {
        d.changes = json_array();
        fwd_buf_init(&d.pointer, FWD_PLAN_POINTER_MAX);

        fwd_diff_all(&d);
        status = fwd_diff_print(cli, &d);

        fwd_buf_free(&d.pointer);
        json_decref(d.changes);
    }

    fwd_plan_close(&d.was);
    fwd_plan_close(&d.now);

    return status;
}


static void
fwd_diff_all(fwd_plan_diff_t *d)
{
    size_t                 i;
    const fwd_plan_row_t  *was, *now;

    d->formats_now = json_is_true(json_object_get(d->now.json, "formats"));

    fwd_diff_plan(d);

    for (i = 0; i < d->was.rows_count; i++) {
        was = &d->was.rows[i];
        now = fwd_plan_row(&d->now, was->section, was->name);
        fwd_diff_at(d, was);

        if (now == NULL) {
            fwd_diff_gone(d, was);

        } else {
            fwd_diff_row(d, was, now);
        }
    }

    for (i = 0; i < d->now.rows_count; i++) {
        now = &d->now.rows[i];

        if (fwd_plan_row(&d->was, now->section, now->name) == NULL
            && fwd_diff_alias(&d->was, now) == NULL)
        {
            fwd_diff_at(d, now);
            fwd_plan_differ(d, FWD_DIFF_NOBODY, "it is new");
        }
    }
}


static void
fwd_diff_at(fwd_plan_diff_t *d, const fwd_plan_row_t *row)
{
    const char  *stage;

    d->section = row ? row->section : NULL;
    d->name = row ? row->name : NULL;
    d->version = NULL;
    fwd_pointer_leave(&d->pointer, 0);

    stage = row ? fwd_plan_text(row, "stage") : NULL;
    d->quiet = (stage != NULL && strcmp(stage, "draft") == 0);
}


static void
fwd_diff_plan(fwd_plan_diff_t *d)
{
    int  was;

    fwd_diff_at(d, NULL);
    fwd_diff_action(d, NULL, NULL, "unplanned_event", "an unplanned event");

    was = json_is_true(json_object_get(d->was.json, "formats"));

    if (was != (int) d->formats_now) {
        fwd_plan_differ(d, d->formats_now ? FWD_DIFF_SENDERS
                                          : FWD_DIFF_NOBODY,
                        "formats are %s now",
                        d->formats_now ? "checked" : "not checked");
    }

    if (strcmp(fwd_diff_or(json_string_value(json_object_get(d->was.json,
                                                             "draft")),
                           "2020-12"),
               fwd_diff_or(json_string_value(json_object_get(d->now.json,
                                                             "draft")),
                           "2020-12"))
        != 0)
    {
        fwd_plan_differ(d, FWD_DIFF_NOBODY, "the draft of JSON Schema is "
                        "another");
    }
}


static const char *
fwd_diff_or(const char *text, const char *other)
{
    return text ? text : other;
}


/* Its name may live on as an alias: then it was renamed. */

static void
fwd_diff_gone(fwd_plan_diff_t *d, const fwd_plan_row_t *was)
{
    size_t                 i;
    json_t                *aliases;
    const fwd_plan_row_t  *row;

    for (i = 0; i < d->now.rows_count; i++) {
        row = &d->now.rows[i];
        aliases = json_object_get(row->entry, "aliases");

        if (strcmp(row->section, was->section) == 0
            && fwd_plan_lists(aliases, was->name))
        {
            fwd_plan_differ(d, FWD_DIFF_READERS, "it is renamed to \"%s\"",
                            row->name);
            fwd_diff_row(d, was, row);
            return;
        }
    }

    fwd_plan_differ(d, FWD_DIFF_SENDERS | FWD_DIFF_READERS, "it is gone");
}


/* Of another plan the row that one is a new name of, or NULL. */

static const fwd_plan_row_t *
fwd_diff_alias(const fwd_plan_file_t *file, const fwd_plan_row_t *row)
{
    size_t                 i;
    json_t                *alias;
    const fwd_plan_row_t  *old;

    json_array_foreach(json_object_get(row->entry, "aliases"), i, alias) {
        old = fwd_plan_row(file, row->section, json_string_value(alias));

        if (old != NULL) {
            return old;
        }
    }

    return NULL;
}


static void
fwd_diff_row(fwd_plan_diff_t *d, const fwd_plan_row_t *was,
    const fwd_plan_row_t *now)
{
    fwd_diff_stage(d, was, now);
    fwd_diff_action(d, was, now, "violation", "a violation");
    fwd_diff_action(d, was, now, "unplanned_property",
                    "an unplanned property");
    fwd_diff_texts(d, was, now);

    fwd_diff_list(d, was, now, "aliases", FWD_DIFF_SENDERS, "the alias");
    fwd_diff_list(d, was, now, "personal", FWD_DIFF_NOBODY,
                  "the personal field");

    fwd_diff_versions(d, was, now);
}


static void
fwd_diff_action(fwd_plan_diff_t *d, const fwd_plan_row_t *was,
    const fwd_plan_row_t *now, const char *member, const char *what)
{
    martech_plan_action_t  old, new;

    old = fwd_plan_action(&d->was, was, member);
    new = fwd_plan_action(&d->now, now, member);

    if (old != new) {
        fwd_plan_differ(d, new > old ? FWD_DIFF_SENDERS : FWD_DIFF_NOBODY,
                        "%s means %s instead of %s", what,
                        fwd_plan_action_name(new),
                        fwd_plan_action_name(old));
    }
}


static void
fwd_diff_stage(fwd_plan_diff_t *d, const fwd_plan_row_t *was,
    const fwd_plan_row_t *now)
{
    const char  *old, *new;

    old = fwd_diff_or(fwd_plan_text(was, "stage"), "live");
    new = fwd_diff_or(fwd_plan_text(now, "stage"), "live");

    if (strcmp(old, new) != 0) {
        fwd_plan_differ(d, strcmp(new, "blocked") == 0
                           ? FWD_DIFF_SENDERS | FWD_DIFF_READERS
                           : FWD_DIFF_NOBODY,
                        "the stage is %s instead of %s", new, old);
    }
}


static void
fwd_diff_texts(fwd_plan_diff_t *d, const fwd_plan_row_t *was,
    const fwd_plan_row_t *now)
{
    size_t       i;
    const char  *old, *new;

    static const char *const  names[] = {
        "description", "owner", "priority", "retention"
    };

    for (i = 0; i < sizeof(names) / sizeof(char *); i++) {
        old = fwd_diff_or(fwd_plan_text(was, names[i]), "");
        new = fwd_diff_or(fwd_plan_text(now, names[i]), "");

        if (strcmp(old, new) == 0) {
            continue;
        }

        if (i < 2 || old[0] == '\0' || new[0] == '\0') {
            fwd_plan_differ(d, FWD_DIFF_NOBODY, "the %s is %s", names[i],
                            old[0] == '\0' ? "new"
                                           : new[0] ? "another" : "gone");

        } else {
            fwd_plan_differ(d, FWD_DIFF_NOBODY, "the %s is %s instead of %s",
                            names[i], new, old);
        }
    }
}


static void
fwd_diff_list(fwd_plan_diff_t *d, const fwd_plan_row_t *was,
    const fwd_plan_row_t *now, const char *member, unsigned gone,
    const char *what)
{
    size_t       i;
    json_t      *old, *new, *item;
    const char  *text;

    old = json_object_get(was->entry, member);
    new = json_object_get(now->entry, member);

    json_array_foreach(old, i, item) {
        text = json_string_value(item);

        if (!fwd_plan_lists(new, text) && strcmp(text, now->name) != 0) {
            fwd_plan_differ(d, gone, "%s \"%s\" is gone", what, text);
        }
    }

    json_array_foreach(new, i, item) {
        text = json_string_value(item);

        if (!fwd_plan_lists(old, text) && strcmp(text, was->name) != 0) {
            fwd_plan_differ(d, FWD_DIFF_NOBODY, "%s \"%s\" is new", what,
                            text);
        }
    }
}


/* A version beside the others breaks nobody; one that is changed may. */

static void
fwd_diff_versions(fwd_plan_diff_t *d, const fwd_plan_row_t *was,
    const fwd_plan_row_t *now)
{
    int          accepted, still;
    size_t       i;
    json_t      *old, *new;
    unsigned     quiet;
    const char  *name;

    d->free_was = (fwd_plan_action(&d->was, was, "unplanned_property")
                   == MARTECH_PLAN_ACCEPT);
    d->free_now = (fwd_plan_action(&d->now, now, "unplanned_property")
                   == MARTECH_PLAN_ACCEPT);
    quiet = d->quiet;

    for (i = 0; i < fwd_plan_versions(was); i++) {
        old = fwd_plan_version(was, i, &name, &accepted);
        new = fwd_diff_version(now, name, &still);
        d->version = name;
        d->quiet = quiet || !accepted;

        if (!still) {
            fwd_plan_differ(d, FWD_DIFF_SENDERS, new ? "it is not accepted "
                            "any more" : "it is gone");
            continue;
        }

        (void) fwd_pointer_enter(&d->pointer,
                                 strcmp(was->section, "traits") == 0
                                 ? "traits" : "properties");
        fwd_plan_diff_schema(d, old, new);
        fwd_pointer_leave(&d->pointer, 0);
    }

    d->quiet = quiet;

    for (i = 0; i < fwd_plan_versions(now); i++) {
        new = fwd_plan_version(now, i, &name, &accepted);
        old = fwd_diff_version(was, name, &still);
        d->version = name;

        if (old == NULL) {
            fwd_plan_differ(d, fwd_plan_versions(was) == 0 && accepted
                               ? FWD_DIFF_SENDERS : FWD_DIFF_NOBODY,
                            "it is new");
        }
    }

    d->version = NULL;
}


static json_t *
fwd_diff_version(const fwd_plan_row_t *row, const char *name, int *accepted)
{
    size_t       i;
    json_t      *schema;
    const char  *other;

    for (i = 0; i < fwd_plan_versions(row); i++) {
        schema = fwd_plan_version(row, i, &other, accepted);

        if (strcmp(name, other) == 0) {
            return schema;
        }
    }

    *accepted = 0;

    return NULL;
}


void
fwd_plan_differ(fwd_plan_diff_t *d, unsigned breaks, const char *fmt, ...)
{
    char         text[1024];
    json_t      *row, *who;
    va_list      args;
    const char  *pointer;

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    who = json_array();

    if ((breaks & FWD_DIFF_SENDERS) && !d->quiet) {
        json_array_append_new(who, json_string("senders"));
    }

    if ((breaks & FWD_DIFF_READERS) && !d->quiet) {
        json_array_append_new(who, json_string("readers"));
    }

    pointer = d->pointer.len ? fwd_buf_string(&d->pointer) : "";
    row = json_pack("{s:o,s:s,s:s}", "breaks", who, "pointer",
                    pointer ? pointer : "", "text", text);

    if (d->section != NULL) {
        json_object_set_new(row, "section", json_string(d->section));
        json_object_set_new(row, "name", json_string(d->name));
    }

    if (d->version != NULL) {
        json_object_set_new(row, "version", json_string(d->version));
    }

    (void) json_array_append_new(d->changes, row);
}


static int
fwd_diff_print(fwd_cli_t *cli, fwd_plan_diff_t *d)
{
    char         last[640], title[640];
    size_t       i, breaking;
    json_t      *row, *who, *other;
    const char  *section, *version, *pointer;

    breaking = 0;
    last[0] = '\0';

    json_array_foreach(d->changes, i, row) {
        who = json_object_get(row, "breaks");
        breaking += (json_array_size(who) != 0);

        if (cli->o.json) {
            continue;
        }

        section = json_string_value(json_object_get(row, "section"));
        version = json_string_value(json_object_get(row, "version"));
        pointer = json_string_value(json_object_get(row, "pointer"));
        other = json_object_get(row, "name");

        (void) snprintf(title, sizeof(title), "%s%s%s",
                        section ? section : "the plan",
                        section ? ": " : "",
                        section ? json_string_value(other) : "");

        if (strcmp(title, last) != 0) {
            fwd_plan_plain(stdout, title);
            (void) printf("\n");
            (void) strcpy(last, title);
        }

        (void) printf("  %-8s  %-15s  ", json_array_size(who) ? "BREAKING"
                                                              : "",
                      json_array_size(who) == 2 ? "senders,readers"
                      : json_array_size(who) == 1
                        ? json_string_value(json_array_get(who, 0)) : "");

        if (version != NULL) {
            (void) printf("version %s%s ", version, pointer[0] ? "" : ":");
        }

        fwd_plan_plain(stdout, pointer);
        (void) printf("%s", pointer[0] ? ": " : "");
        fwd_plan_plain(stdout,
                       json_string_value(json_object_get(row, "text")));
        (void) printf("\n");
    }

    if (cli->o.json) {
        fwd_cli_print(json_pack("{s:b,s:I,s:O}", "breaking", breaking != 0,
                                "breaking_count", (json_int_t) breaking,
                                "changes", d->changes), 1);

    } else {
        (void) printf("%zu changes, %zu breaking\n",
                      json_array_size(d->changes), breaking);
    }

    return (breaking != 0 && !cli->o.allow_breaking) ? FWD_CLI_FAILED
                                                     : FWD_CLI_OK;
}
