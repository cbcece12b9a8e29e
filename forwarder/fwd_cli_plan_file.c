
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reading of plans.  The text is kept as a tape beside the tree, so that a
 * pointer becomes a line; a plan that the edge would refuse is refused here
 * with the same words.
 */


#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_cli_plan.h"


#define FWD_PLAN_NODES_MIN  4096
#define FWD_PLAN_DEPTH      512          /* of the file */
#define FWD_PLAN_KEY_MAX    65535


static fwd_rc_t fwd_plan_read(fwd_plan_file_t *file,
    fwd_plan_problem_t *problem);
static fwd_rc_t fwd_plan_index(fwd_plan_file_t *file,
    fwd_plan_problem_t *problem);
static fwd_rc_t fwd_plan_scan(fwd_plan_file_t *file,
    fwd_plan_problem_t *problem);
static fwd_rc_t fwd_plan_tree(fwd_plan_file_t *file,
    fwd_plan_problem_t *problem);
static fwd_rc_t fwd_plan_collect(fwd_plan_file_t *file);
static unsigned fwd_plan_line_at(const fwd_plan_file_t *file, size_t offset);
static fwd_rc_t fwd_plan_problem(fwd_plan_problem_t *problem, unsigned line,
    const char *pointer, const char *fmt, ...) FWD_PRINTF(4, 5);


static const char *const  fwd_plan_sections[] = {
    "events", "pages", "screens", "traits", NULL
};

static const char *const  fwd_plan_actions[] = {
    [MARTECH_PLAN_ACCEPT] = "accept",
    [MARTECH_PLAN_REPORT] = "report",
    [MARTECH_PLAN_QUARANTINE] = "quarantine",
    [MARTECH_PLAN_REJECT] = "reject"
};


fwd_rc_t
fwd_plan_open(fwd_plan_file_t *file, const char *path,
    fwd_plan_problem_t *problem)
{
    martech_plan_error_t  error;

    memset(file, 0, sizeof(fwd_plan_file_t));
    file->path = path;

    if (fwd_plan_read(file, problem) != FWD_OK
        || fwd_plan_index(file, problem) != FWD_OK
        || fwd_plan_scan(file, problem) != FWD_OK)
    {
        return FWD_ERROR;
    }

    memset(&error, 0, sizeof(martech_plan_error_t));

    file->plan = martech_plan_compile((const unsigned char *) file->text,
                                      file->len, &error);
    if (file->plan == NULL) {
        return fwd_plan_problem(problem, fwd_plan_line(file, error.pointer),
                                error.pointer, "%s",
                                error.reason[0] ? error.reason
                                                : "out of memory");
    }

    return fwd_plan_tree(file, problem);
}


static fwd_rc_t
fwd_plan_read(fwd_plan_file_t *file, fwd_plan_problem_t *problem)
{
    FILE    *in;
    size_t   n, size;

    in = fopen(file->path, "rb");
    if (in == NULL) {
        return fwd_plan_problem(problem, 0, "", "%s", strerror(errno));
    }

    size = 0;

    for ( ;; ) {

        if (file->len == size) {
            size = size ? size * 2 : 65536;
            file->text = realloc(file->text, size);

            if (file->text == NULL) {
                (void) fclose(in);
                return fwd_plan_problem(problem, 0, "", "out of memory");
            }
        }

        n = fread(file->text + file->len, 1, size - file->len, in);
        file->len += n;

        if (n == 0 || file->len > MARTECH_PLAN_SIZE_MAX) {
            break;
        }
    }

    n = (ferror(in) != 0);
    (void) fclose(in);

    if (n) {
        return fwd_plan_problem(problem, 0, "", "cannot be read");
    }

    if (file->len > MARTECH_PLAN_SIZE_MAX) {
        return fwd_plan_problem(problem, 0, "", "a plan has at most %d MiB",
                                MARTECH_PLAN_SIZE_MAX / 1024 / 1024);
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_plan_index(fwd_plan_file_t *file, fwd_plan_problem_t *problem)
{
    size_t  i, count;

    count = 1;

    for (i = 0; i < file->len; i++) {
        count += (file->text[i] == '\n');
    }

    file->lines = calloc(count, sizeof(size_t));
    if (file->lines == NULL) {
        return fwd_plan_problem(problem, 0, "", "out of memory");
    }

    file->lines_count = 1;

    for (i = 0; i < file->len; i++) {
        if (file->text[i] == '\n') {
            file->lines[file->lines_count++] = i + 1;
        }
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_plan_scan(fwd_plan_file_t *file, fwd_plan_problem_t *problem)
{
    martech_rc_t      rc;
    martech_limits_t  limits;

    martech_limits_default(&limits);
    limits.depth_max = FWD_PLAN_DEPTH;
    limits.key_size_max = FWD_PLAN_KEY_MAX;
    limits.string_size_max = MARTECH_PLAN_SIZE_MAX;

    file->tape.nodes_max = FWD_PLAN_NODES_MIN;

    do {
        free(file->tape.nodes);
        file->tape.nodes_max *= 2;
        file->tape.nodes = calloc(file->tape.nodes_max,
                                  sizeof(martech_json_node_t));

        if (file->tape.nodes == NULL) {
            return fwd_plan_problem(problem, 0, "", "out of memory");
        }

        rc = martech_json_scan(&file->tape,
                               (const unsigned char *) file->text, file->len,
                               &limits);

    } while (rc == MARTECH_JSON_TOKENS
             && file->tape.nodes_max < MARTECH_PLAN_SIZE_MAX);

    if (rc != MARTECH_OK) {
        return fwd_plan_problem(problem,
                                fwd_plan_line_at(file,
                                                 file->tape.error_offset),
                                "", "no JSON (%s)", martech_rc_name(rc));
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_plan_tree(fwd_plan_file_t *file, fwd_plan_problem_t *problem)
{
    json_error_t  error;

    file->json = json_loadb(file->text, file->len, 0, &error);
    if (file->json == NULL) {
        return fwd_plan_problem(problem, (unsigned) error.line, "", "%s",
                                error.text);
    }

    if (fwd_plan_collect(file) != FWD_OK) {
        return fwd_plan_problem(problem, 0, "", "out of memory");
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_plan_collect(fwd_plan_file_t *file)
{
    size_t           i, count;
    json_t          *section, *entry;
    const char      *name;
    fwd_plan_row_t  *row;

    count = 0;

    for (i = 0; fwd_plan_sections[i] != NULL; i++) {
        count += json_object_size(json_object_get(file->json,
                                                  fwd_plan_sections[i]));
    }

    file->rows = calloc(count + 1, sizeof(fwd_plan_row_t));
    if (file->rows == NULL) {
        return FWD_ERROR;
    }

    for (i = 0; fwd_plan_sections[i] != NULL; i++) {
        section = json_object_get(file->json, fwd_plan_sections[i]);

        json_object_foreach(section, name, entry) {

            if (strncmp(name, "x-", 2) == 0 && !json_is_object(entry)) {
                continue;
            }

            row = &file->rows[file->rows_count++];
            row->section = fwd_plan_sections[i];
            row->name = name;
            row->entry = entry;
        }
    }

    return FWD_OK;
}


void
fwd_plan_close(fwd_plan_file_t *file)
{
    martech_plan_free(file->plan);
    json_decref(file->json);
    free(file->tape.nodes);
    free(file->lines);
    free(file->text);
    free(file->rows);
    memset(file, 0, sizeof(fwd_plan_file_t));
}


fwd_rc_t
fwd_plan_load(fwd_plan_file_t *file, const char *path)
{
    fwd_rc_t             rc;
    fwd_plan_problem_t  *problem;

    problem = calloc(1, sizeof(fwd_plan_problem_t));
    if (problem == NULL) {
        return FWD_ERROR;
    }

    rc = fwd_plan_open(file, path, problem);

    if (rc != FWD_OK) {
        fwd_plan_complain(stderr, path, problem);
    }

    free(problem);

    return rc;
}


void
fwd_plan_complain(FILE *out, const char *path,
    const fwd_plan_problem_t *problem)
{
    (void) fprintf(out, "%s:", path);

    if (problem->line != 0) {
        (void) fprintf(out, "%u:", problem->line);
    }

    (void) fprintf(out, " error: ");
    fwd_plan_plain(out, problem->pointer);
    (void) fprintf(out, "%s", problem->pointer[0] ? ": " : "");
    fwd_plan_plain(out, problem->reason);
    (void) fprintf(out, "\n");
}


unsigned
fwd_plan_line(const fwd_plan_file_t *file, const char *pointer)
{
    uint32_t                    node;
    const martech_json_node_t  *n;

    if (file->tape.nodes_count == 0) {
        return 0;
    }

    node = 0;

    if (pointer[0] != '\0') {
        node = martech_json_pointer(&file->tape, 0, pointer);

        if (node == MARTECH_JSON_NONE) {
            return 0;
        }
    }

    n = &file->tape.nodes[node];

    return fwd_plan_line_at(file, n->key ? n->key : n->value);
}


static unsigned
fwd_plan_line_at(const fwd_plan_file_t *file, size_t offset)
{
    size_t  low, high, middle;

    low = 0;
    high = file->lines_count;

    while (low + 1 < high) {
        middle = low + (high - low) / 2;

        if (file->lines[middle] <= offset) {
            low = middle;

        } else {
            high = middle;
        }
    }

    return (unsigned) low + 1;
}


static fwd_rc_t
fwd_plan_problem(fwd_plan_problem_t *problem, unsigned line,
    const char *pointer, const char *fmt, ...)
{
    va_list  args;

    problem->line = line;
    (void) snprintf(problem->pointer, sizeof(problem->pointer), "%s",
                    pointer);

    va_start(args, fmt);
    (void) vsnprintf(problem->reason, sizeof(problem->reason), fmt, args);
    va_end(args);

    return FWD_ERROR;
}


const fwd_plan_row_t *
fwd_plan_row(const fwd_plan_file_t *file, const char *section,
    const char *name)
{
    size_t  i;

    for (i = 0; i < file->rows_count; i++) {

        if (strcmp(file->rows[i].section, section) == 0
            && strcmp(file->rows[i].name, name) == 0)
        {
            return &file->rows[i];
        }
    }

    return NULL;
}


const char *
fwd_plan_type(const fwd_plan_row_t *row)
{
    switch (row->section[0]) {

    case 'e':
        return "track";

    case 'p':
        return "page";

    case 's':
        return "screen";

    default:
        return row->name;
    }
}


const char *
fwd_plan_text(const fwd_plan_row_t *row, const char *member)
{
    return json_string_value(json_object_get(row->entry, member));
}


martech_plan_action_t
fwd_plan_action(const fwd_plan_file_t *file, const fwd_plan_row_t *row,
    const char *member)
{
    size_t       i;
    const char  *name;

    name = row ? fwd_plan_text(row, member) : NULL;

    if (name == NULL) {
        name = json_string_value(json_object_get(
                               json_object_get(file->json, "defaults"),
                               member));
    }

    for (i = 0; name != NULL && i <= MARTECH_PLAN_REJECT; i++) {
        if (strcmp(fwd_plan_actions[i], name) == 0) {
            return (martech_plan_action_t) i;
        }
    }

    return MARTECH_PLAN_REPORT;
}


const char *
fwd_plan_action_name(martech_plan_action_t action)
{
    return fwd_plan_actions[action];
}


size_t
fwd_plan_versions(const fwd_plan_row_t *row)
{
    json_t  *versions;

    versions = json_object_get(row->entry, "versions");

    if (versions != NULL) {
        return json_object_size(versions);
    }

    return json_object_get(row->entry, "properties") != NULL;
}


json_t *
fwd_plan_version(const fwd_plan_row_t *row, size_t n, const char **name,
    int *accepted)
{
    json_t      *versions, *schema;
    const char  *key;

    versions = json_object_get(row->entry, "versions");
    *name = "1";
    *accepted = 1;

    if (versions == NULL) {
        return json_object_get(row->entry, "properties");
    }

    json_object_foreach(versions, key, schema) {

        if (n-- == 0) {
            *name = key;
            *accepted = fwd_plan_accepts(row, key);
            return schema;
        }
    }

    return NULL;
}


int
fwd_plan_accepts(const fwd_plan_row_t *row, const char *version)
{
    json_t  *versions, *accept;

    versions = json_object_get(row->entry, "versions");
    accept = json_object_get(row->entry, "accept");

    if (versions == NULL) {
        return strcmp(version, "1") == 0;
    }

    return json_object_get(versions, version) != NULL
           && (accept == NULL || fwd_plan_lists(accept, version));
}


json_t *
fwd_plan_resolve(const fwd_plan_file_t *file, json_t *schema)
{
    unsigned     hops;
    const char  *ref;

    for (hops = 0; hops < FWD_PLAN_DEPTH_MAX; hops++) {
        ref = json_string_value(json_object_get(schema, "$ref"));

        if (ref == NULL) {
            return schema;
        }

        if (strncmp(ref, "#/definitions/", 14) != 0
            || strpbrk(ref + 14, "/~%") != NULL)
        {
            return NULL;
        }

        schema = json_object_get(json_object_get(file->json, "definitions"),
                                 ref + 14);
    }

    return NULL;
}


int
fwd_plan_lists(const json_t *list, const char *text)
{
    size_t   i;
    json_t  *item;

    json_array_foreach(list, i, item) {
        if (json_is_string(item) && strcmp(json_string_value(item), text)
                                    == 0)
        {
            return 1;
        }
    }

    return 0;
}
