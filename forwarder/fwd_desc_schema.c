
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A description against its JSON Schema, destinations/destination.schema.json
 * (its text is a part of the program).
 *
 * The file becomes JSON in its own order, so the n-th value of the tape is
 * the n-th value of the file, and its line is known.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../martech/martech_json.h"
#include "../martech/martech_schema.h"
#include "../martech/martech_time.h"

#include "fwd_buf.h"
#include "fwd_desc.h"
#include "fwd_event.h"
#include "fwd_yaml_json.h"


#define FWD_DESC_VIOLATIONS  32
#define FWD_DESC_PATH_MAX    512
#define FWD_DESC_VALUE_MAX   60          /* bytes of a value in a message */
#define FWD_DESC_SUNSET_MS   (60 * 24 * 3600 * 1000LL)


static fwd_rc_t fwd_desc_schema_check(fwd_yaml_t *y,
    const martech_schema_t *schema, martech_str_t text,
    const fwd_yaml_lines_t *lines);
static void fwd_desc_schema_say(fwd_yaml_t *y,
    const martech_json_tape_t *tape, const martech_schema_violation_t *v,
    const fwd_yaml_lines_t *lines);
static void fwd_desc_schema_path(char *path, const martech_json_tape_t *tape,
    uint32_t node);


void
fwd_desc_schema(fwd_yaml_t *y)
{
    fwd_buf_t                 text;
    martech_str_t             source;
    fwd_yaml_lines_t          lines;
    fwd_reader_tape_t         tape;
    martech_schema_t         *schema;
    martech_schema_error_t    error;
    martech_schema_options_t  options;

    memset(&options, 0, sizeof(options));
    memset(&error, 0, sizeof(error));

    fwd_reader_tape_init(&tape);
    fwd_buf_init(&text, FWD_YAML_JSON_MAX);

    source.data = (const unsigned char *) fwd_desc_schema_text;
    source.len = strlen(fwd_desc_schema_text);
    schema = NULL;

    lines.list = calloc(FWD_YAML_JSON_NODES, sizeof(uint32_t));
    lines.count = 0;

    if (lines.list != NULL
        && fwd_reader_tape_scan(&tape, source) == FWD_OK)
    {
        schema = martech_schema_compile(&tape.tape, 0, &options, &error);
    }

    if (schema == NULL) {
        fwd_report(y->report, y->file, 0, "its schema cannot be used: %s %s",
                   error.pointer, error.reason);

    } else if (fwd_yaml_json(y, fwd_yaml_root(y), &text, &lines) == FWD_OK) {
        source.data = text.data;
        source.len = text.len;

        if (fwd_desc_schema_check(y, schema, source, &lines) != FWD_OK) {
            fwd_report(y->report, y->file, 0,
                       "is too large to be checked by its schema");
        }
    }

    martech_schema_free(schema);
    fwd_reader_tape_free(&tape);
    fwd_buf_free(&text);
    free(lines.list);
}


static fwd_rc_t
fwd_desc_schema_check(fwd_yaml_t *y, const martech_schema_t *schema,
    martech_str_t text, const fwd_yaml_lines_t *lines)
{
    unsigned                    i;
    fwd_rc_t                    rc;
    fwd_reader_tape_t           tape;
    martech_schema_run_t        run;
    martech_schema_verdict_t    verdict;
    martech_schema_violation_t  list[FWD_DESC_VIOLATIONS];

    memset(&run, 0, sizeof(run));
    fwd_reader_tape_init(&tape);

    run.list = list;
    run.max = FWD_DESC_VIOLATIONS;
    run.steps = MARTECH_SCHEMA_STEPS * 10;
    run.scratch_size = MARTECH_SCHEMA_SCRATCH * 4;
    run.scratch = malloc(run.scratch_size);
    rc = FWD_ERROR;

    if (run.scratch != NULL && fwd_reader_tape_scan(&tape, text) == FWD_OK) {
        verdict = martech_schema_check(schema, &tape.tape, 0, &run);

        if (verdict == MARTECH_SCHEMA_INVALID) {
            for (i = 0; i < run.count; i++) {
                fwd_desc_schema_say(y, &tape.tape, &list[i], lines);
            }
        }

        rc = (verdict == MARTECH_SCHEMA_LIMIT) ? FWD_ERROR : FWD_OK;
    }

    free(run.scratch);
    fwd_reader_tape_free(&tape);

    return rc;
}


/* The value is shown if it is short; there are no secrets in a description. */

static void
fwd_desc_schema_say(fwd_yaml_t *y, const martech_json_tape_t *tape,
    const martech_schema_violation_t *v, const fwd_yaml_lines_t *lines)
{
    char           path[FWD_DESC_PATH_MAX];
    size_t         line;
    martech_str_t  value;

    line = (v->node < lines->count) ? lines->list[v->node] : 0;
    value = martech_json_text(tape, v->node);
    fwd_desc_schema_path(path, tape, v->node);

    if (strcmp(v->rule, "required") == 0) {
        fwd_report(y->report, y->file, line, "\"%s\" has no \"%.*s\", which "
                   "is needed", path, (int) v->name.len,
                   (const char *) v->name.data);
        return;
    }

    if (strcmp(v->rule, "additionalProperties") == 0) {
        fwd_report(y->report, y->file, line, "\"%s\" is not known", path);
        return;
    }

    fwd_report(y->report, y->file, line, "\"%s\" is %.*s%s, which the schema "
               "does not allow (%s)", path,
               (int) (value.len < FWD_DESC_VALUE_MAX ? value.len
                                                     : FWD_DESC_VALUE_MAX),
               (const char *) value.data,
               value.len < FWD_DESC_VALUE_MAX ? "" : "...", v->rule);
}


/* "endpoints.contacts.batch.count"; an ancestor is a value that begins before
   and ends behind. */

static void
fwd_desc_schema_path(char *path, const martech_json_tape_t *tape,
    uint32_t node)
{
    size_t                      len;
    uint32_t                    i, n, before, parent;
    const martech_json_node_t  *one;

    len = 0;
    parent = 0;
    path[0] = '\0';

    for (i = 1; i <= node; i++) {
        one = &tape->nodes[i];

        if (one->next <= node) {
            i = one->next - 1;           /* not among the ancestors */
            continue;
        }

        if (one->key_len != 0) {
            len += (size_t) snprintf(path + len, FWD_DESC_PATH_MAX - len,
                                     "%s%.*s", len ? "." : "",
                                     (int) one->key_len,
                                     (const char *) tape->text + one->key);

        } else {
            n = 0;

            for (before = parent + 1; before < i;
                 before = tape->nodes[before].next)
            {
                n++;
            }

            len += (size_t) snprintf(path + len, FWD_DESC_PATH_MAX - len,
                                     "[%u]", (unsigned) n);
        }

        if (len >= FWD_DESC_PATH_MAX) {
            return;
        }

        parent = i;
    }
}


void
fwd_desc_sunset(const fwd_desc_t *desc, uint64_t now_ms, fwd_report_t *report)
{
    char     time[32];
    int64_t  end, now;

    if (desc->version.sunset == NULL) {
        return;
    }

    (void) snprintf(time, sizeof(time), "%sT00:00:00Z", desc->version.sunset);

    if (martech_time_parse((unsigned char *) time, strlen(time), &end)
        != MARTECH_OK)
    {
        return;
    }

    now = (int64_t) now_ms;

    if (now + FWD_DESC_SUNSET_MS < end) {
        return;
    }

    fwd_report_warning(report, fwd_pool_printf(report->pool,
                                               "%s/destination.yaml",
                                               desc->folder), 0,
                       "version %s of the vendor's interface %s on %s",
                       desc->version.name, now < end ? "ends" : "ended",
                       desc->version.sunset);
}
