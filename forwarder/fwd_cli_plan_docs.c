
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * "plan docs": what a marketer wants to know of each event.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_cli_plan_docs.h"


#define FWD_DOCS_TEXT_MAX   65536        /* of a cell */
#define FWD_DOCS_DEPTH_MAX  6


typedef struct {
    fwd_page_t            page;
    const fwd_plan_row_t *row;
    fwd_buf_t             name;          /* "address.street" */
    fwd_buf_t             pointer;       /* in the event */
    fwd_buf_t             words;
    fwd_buf_t             example;
} fwd_docs_t;


static void fwd_docs_all(fwd_docs_t *d, const fwd_plan_file_t *file);
static void fwd_docs_head(fwd_docs_t *d, const fwd_plan_file_t *file);
static void fwd_docs_contents(fwd_docs_t *d, const fwd_plan_file_t *file);
static const char *fwd_docs_title(const char *section);
static const char *fwd_docs_name(const fwd_plan_row_t *row);
static const char *fwd_docs_stage(const fwd_plan_row_t *row);
static void fwd_docs_entry(fwd_docs_t *d, const fwd_plan_file_t *file,
    size_t number);
static void fwd_docs_facts(fwd_docs_t *d, const fwd_plan_file_t *file);
static void fwd_docs_retention(fwd_docs_t *d);
static void fwd_docs_list(fwd_docs_t *d, const char *label,
    const json_t *list);
static const char *fwd_docs_action(martech_plan_action_t action);
static void fwd_docs_versions(fwd_docs_t *d);
static void fwd_docs_schema(fwd_docs_t *d, json_t *schema, unsigned depth);
static void fwd_docs_inside(fwd_docs_t *d, json_t *schema, unsigned depth);
static void fwd_docs_property(fwd_docs_t *d, const char *name,
    json_t *schema, int required, unsigned depth);
static void fwd_docs_example(fwd_docs_t *d, json_t *schema);


static const char *const  fwd_docs_titles[FWD_PAGE_COLUMNS] = {
    "Property", "What it is", "Required", "Personal", "Example",
    "Description"
};


int
fwd_cli_plan_docs(fwd_cli_t *cli)
{
    fwd_docs_t       d;
    fwd_plan_file_t  file;

    memset(&d, 0, sizeof(fwd_docs_t));
    d.page.html = 1;

    if (cli->o.format != NULL) {
        d.page.html = (strcmp(cli->o.format, "html") == 0);

        if (!d.page.html && strcmp(cli->o.format, "markdown") != 0) {
            return fwd_cli_usage(cli, "\"--format %s\": html or markdown is "
                                 "expected", cli->o.format);
        }
    }

    if (fwd_plan_load(&file, cli->words[0]) != FWD_OK) {
        fwd_plan_close(&file);
        return FWD_CLI_FAILED;
    }

    d.page.file = &file;
    fwd_buf_init(&d.name, FWD_DOCS_TEXT_MAX);
    fwd_buf_init(&d.pointer, FWD_PLAN_POINTER_MAX);
    fwd_buf_init(&d.words, FWD_DOCS_TEXT_MAX);
    fwd_buf_init(&d.example, FWD_DOCS_TEXT_MAX);

    fwd_docs_all(&d, &file);

    fwd_buf_free(&d.name);
    fwd_buf_free(&d.pointer);
    fwd_buf_free(&d.words);
    fwd_buf_free(&d.example);
    fwd_plan_close(&file);

    return FWD_CLI_OK;
}


static void
fwd_docs_all(fwd_docs_t *d, const fwd_plan_file_t *file)
{
    size_t       i;
    const char  *section;

    fwd_docs_head(d, file);
    fwd_docs_contents(d, file);
    section = "";

    for (i = 0; i < file->rows_count; i++) {
        d->row = &file->rows[i];

        if (strcmp(section, d->row->section) != 0) {
            section = d->row->section;
            fwd_page_section(&d->page, fwd_docs_title(section));
        }

        fwd_docs_entry(d, file, i);
    }

    fwd_page_end(&d->page);
}


static void
fwd_docs_head(fwd_docs_t *d, const fwd_plan_file_t *file)
{
    const char  *name, *version, *text;

    name = json_string_value(json_object_get(file->json, "name"));
    version = json_string_value(json_object_get(file->json, "version"));
    text = json_string_value(json_object_get(file->json, "x-description"));

    fwd_plan_printf(&d->words, "Tracking plan %s", name ? name : "");
    fwd_page_begin(&d->page, fwd_buf_string(&d->words));

    fwd_page_paragraph(&d->page, text);

    fwd_buf_reset(&d->words);
    fwd_plan_printf(&d->words, "Version %s. If an event is sent that is not "
                    "planned: %s.", version ? version : "-",
                    fwd_docs_action(fwd_plan_action(file, NULL,
                                                    "unplanned_event")));
    fwd_page_paragraph(&d->page, fwd_buf_string(&d->words));
}


static void
fwd_docs_contents(fwd_docs_t *d, const fwd_plan_file_t *file)
{
    size_t       i;
    const char  *section;

    section = NULL;

    for (i = 0; i < file->rows_count; i++) {

        if (section == NULL || strcmp(section, file->rows[i].section) != 0) {

            if (section != NULL) {
                fwd_page_contents_end(&d->page);
            }

            section = file->rows[i].section;
            fwd_page_contents(&d->page, fwd_docs_title(section));
        }

        fwd_page_link(&d->page, i, fwd_docs_name(&file->rows[i]),
                      fwd_docs_stage(&file->rows[i]));
    }

    if (section != NULL) {
        fwd_page_contents_end(&d->page);
    }
}


static const char *
fwd_docs_title(const char *section)
{
    switch (section[0]) {

    case 'e':
        return "Events";

    case 'p':
        return "Page views";

    case 's':
        return "Screen views";

    default:
        return "Traits";
    }
}


static const char *
fwd_docs_name(const fwd_plan_row_t *row)
{
    if (strcmp(row->section, "traits") == 0) {
        return strcmp(row->name, "group") == 0 ? "Traits of groups"
                                               : "Traits of users";
    }

    if (strcmp(row->name, "*") == 0) {
        return row->section[0] == 'p' ? "All other pages"
                                      : "All other screens";
    }

    return row->name;
}


static const char *
fwd_docs_stage(const fwd_plan_row_t *row)
{
    const char  *stage;

    stage = fwd_plan_text(row, "stage");

    return stage ? stage : "live";
}


static void
fwd_docs_entry(fwd_docs_t *d, const fwd_plan_file_t *file, size_t number)
{
    const char  *priority;

    priority = fwd_plan_text(d->row, "priority");

    fwd_page_entry(&d->page, number, fwd_docs_name(d->row),
                   fwd_docs_stage(d->row), priority ? priority : "normal");
    fwd_page_paragraph(&d->page, fwd_plan_text(d->row, "description"));
    fwd_docs_facts(d, file);
    fwd_docs_versions(d);
    fwd_page_entry_end(&d->page);
}


static void
fwd_docs_facts(fwd_docs_t *d, const fwd_plan_file_t *file)
{
    const char  *priority;

    fwd_page_facts(&d->page);

    if (!d->page.html) {
        priority = fwd_plan_text(d->row, "priority");
        fwd_page_fact(&d->page, "Stage", fwd_docs_stage(d->row));
        fwd_page_fact(&d->page, "Priority", priority);
    }

    fwd_page_fact(&d->page, "Sent when", fwd_plan_text(d->row, "x-when"));
    fwd_page_fact(&d->page, "Owner", fwd_plan_text(d->row, "owner"));
    fwd_page_fact(&d->page, "Replaced by",
                  fwd_plan_text(d->row, "x-replaced-by"));
    fwd_docs_list(d, "Also sent as", json_object_get(d->row->entry,
                                                     "aliases"));
    fwd_docs_retention(d);
    fwd_page_fact(&d->page, "If it violates the plan",
                  fwd_docs_action(fwd_plan_action(file, d->row,
                                                  "violation")));
    fwd_page_fact(&d->page, "With other properties",
                  fwd_docs_action(fwd_plan_action(file, d->row,
                                                  "unplanned_property")));
    fwd_page_facts_end(&d->page);
}


/* "13m" is thirteen months. */

static void
fwd_docs_retention(fwd_docs_t *d)
{
    char         text[64];
    size_t       len;
    const char  *retention, *unit;

    retention = fwd_plan_text(d->row, "retention");

    if (retention == NULL || retention[0] == '\0') {
        return;
    }

    len = strlen(retention) - 1;

    switch (retention[len]) {

    case 'd':
        unit = "day";
        break;

    case 'm':
        unit = "month";
        break;

    default:
        unit = "year";
        break;
    }

    (void) snprintf(text, sizeof(text), "%.*s %s%s",
                    len < 16 ? (int) len : 16, retention, unit,
                    strncmp(retention, "1", len) == 0 ? "" : "s");

    fwd_page_fact(&d->page, "Kept for", text);
}


static void
fwd_docs_list(fwd_docs_t *d, const char *label, const json_t *list)
{
    size_t   i;
    json_t  *item;

    fwd_buf_reset(&d->words);

    json_array_foreach(list, i, item) {
        fwd_plan_printf(&d->words, "%s%s", i ? ", " : "",
                        json_string_value(item));
    }

    fwd_page_fact(&d->page, label, fwd_buf_string(&d->words));
}


static const char *
fwd_docs_action(martech_plan_action_t action)
{
    static const char *const  words[] = {
        [MARTECH_PLAN_ACCEPT] = "it is accepted",
        [MARTECH_PLAN_REPORT] = "it is accepted, and reported",
        [MARTECH_PLAN_QUARANTINE] = "it is set aside until somebody looks",
        [MARTECH_PLAN_REJECT] = "it is refused, and the sender is told"
    };

    return words[action];
}


static void
fwd_docs_versions(fwd_docs_t *d)
{
    int          accepted;
    char         title[128];
    size_t       i, count;
    json_t      *schema;
    const char  *version;

    count = fwd_plan_versions(d->row);

    /* the newest first: it is the one to build for */

    for (i = count; i-- > 0; ) {
        schema = fwd_plan_version(d->row, i, &version, &accepted);

        if (json_object_get(d->row->entry, "versions") != NULL) {
            (void) snprintf(title, sizeof(title), "Version %.64s%s%s",
                            version, i + 1 == count ? ", the newest" : "",
                            accepted ? "" : ", not accepted any more");
            fwd_page_heading(&d->page, title);
        }

        fwd_docs_schema(d, schema, 0);
    }
}


static void
fwd_docs_schema(fwd_docs_t *d, json_t *schema, unsigned depth)
{
    size_t  len;

    schema = fwd_plan_resolve(d->page.file, schema);

    if (json_object_size(json_object_get(schema, "properties")) == 0) {
        fwd_page_paragraph(&d->page, "No properties are planned.");
        return;
    }

    fwd_page_table(&d->page, fwd_docs_titles);

    len = fwd_pointer_enter(&d->pointer,
                            strcmp(d->row->section, "traits") == 0
                            ? "traits" : "properties");
    fwd_docs_inside(d, schema, depth);
    fwd_pointer_leave(&d->pointer, len);

    fwd_page_table_end(&d->page);
}


static void
fwd_docs_inside(fwd_docs_t *d, json_t *schema, unsigned depth)
{
    json_t      *property, *required;
    const char  *name;

    required = json_object_get(schema, "required");

    json_object_foreach(json_object_get(schema, "properties"), name,
                        property)
    {
        fwd_docs_property(d, name, property, fwd_plan_lists(required, name),
                          depth);
    }
}


static void
fwd_docs_property(fwd_docs_t *d, const char *name, json_t *schema,
    int required, unsigned depth)
{
    size_t       len, at;
    json_t      *target, *items;
    const char  *cells[FWD_PAGE_COLUMNS], *pointer;

    target = fwd_plan_resolve(d->page.file, schema);
    len = d->name.len;
    fwd_plan_printf(&d->name, "%s%s", len ? "." : "", name);
    at = fwd_pointer_enter(&d->pointer, name);
    pointer = fwd_buf_string(&d->pointer);

    fwd_buf_reset(&d->words);
    fwd_plan_words(d->page.file, schema, &d->words);
    fwd_docs_example(d, target);

    cells[0] = fwd_buf_string(&d->name);
    cells[1] = fwd_buf_string(&d->words);
    cells[2] = required ? "yes" : "";
    cells[3] = (pointer != NULL && fwd_plan_is_personal(d->row, pointer))
               ? "yes" : "";
    cells[4] = fwd_buf_string(&d->example);
    cells[5] = json_string_value(json_object_get(schema, "description"));

    if (cells[5] == NULL) {
        cells[5] = json_string_value(json_object_get(target,
                                                     "description"));
    }

    fwd_page_row(&d->page, fwd_docs_titles, cells, depth);

    if (depth < FWD_DOCS_DEPTH_MAX) {
        fwd_docs_inside(d, target, depth + 1);
        items = fwd_plan_resolve(d->page.file,
                                 json_object_get(target, "items"));

        if (json_is_object(items)) {
            fwd_buf_add_string(&d->name, "[]");
            (void) fwd_pointer_enter(&d->pointer, "0");
            fwd_docs_inside(d, items, depth + 1);
        }
    }

    fwd_pointer_leave(&d->pointer, at);
    fwd_pointer_leave(&d->name, len);
}


static void
fwd_docs_example(fwd_docs_t *d, json_t *schema)
{
    char    *text;
    json_t  *example;

    fwd_buf_reset(&d->example);
    example = json_array_get(json_object_get(schema, "examples"), 0);

    if (json_is_string(example)) {
        fwd_buf_add_string(&d->example, json_string_value(example));

    } else if (example != NULL) {
        text = json_dumps(example, JSON_ENCODE_ANY | JSON_COMPACT
                                   | JSON_REAL_PRECISION(15));

        if (text != NULL) {
            fwd_buf_add_string(&d->example, text);
            free(text);
        }
    }

    if (example == NULL) {
        fwd_buf_add_string(&d->example, "");
    }
}
