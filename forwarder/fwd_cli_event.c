
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Events and JSON of files.
 */


#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_cli_event.h"
#include "fwd_yaml_json.h"


#define FWD_CLI_JSON_MAX    (64UL * 1024 * 1024)
#define FWD_CLI_JSON_DEPTH  512


static char *fwd_cli_file_read(const char *file, size_t max, size_t *len,
    fwd_error_t *err);
static void fwd_cli_json_value(fwd_buf_t *out, const json_t *value,
    int depth);
static void fwd_cli_json_real(fwd_buf_t *out, double value);
static void fwd_cli_event_ids(fwd_event_t *ev, martech_str_t text,
    fwd_pool_t *pool);


json_t *
fwd_cli_file_json(const char *file, size_t max, fwd_error_t *err)
{
    char          *text;
    size_t         len;
    json_t        *value;
    json_error_t   error;

    text = fwd_cli_file_read(file, max, &len, err);
    if (text == NULL) {
        return NULL;
    }

    value = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    free(text);

    if (value == NULL) {
        (void) fwd_error(err, "%s:%d: %s", file, error.line, error.text);
        return NULL;
    }

    if (!json_is_object(value)) {
        (void) fwd_error(err, "%s:1: a JSON object is expected", file);
        json_decref(value);
        return NULL;
    }

    return value;
}


static char *
fwd_cli_file_read(const char *file, size_t max, size_t *len, fwd_error_t *err)
{
    int     standard, failed;
    FILE   *in;
    char   *text;

    standard = strcmp(file, "-") == 0;
    in = standard ? stdin : fopen(file, "rb");

    if (in == NULL) {
        (void) fwd_error(err, "%s: %s", file, strerror(errno));
        return NULL;
    }

    text = malloc(max + 1);
    *len = (text != NULL) ? fread(text, 1, max + 1, in) : 0;
    failed = ferror(in);

    if (!standard) {
        (void) fclose(in);
    }

    if (text == NULL || failed || *len > max) {
        (void) fwd_error(err, "%s: %s", file,
                         text == NULL ? "out of memory"
                         : failed ? "cannot be read" : "is too large");
        free(text);
        return NULL;
    }

    return text;
}


void
fwd_cli_json_write(fwd_buf_t *out, const json_t *value)
{
    fwd_cli_json_value(out, value, 0);
}


const char *
fwd_cli_json_text(const json_t *value, fwd_pool_t *pool, size_t *len)
{
    fwd_buf_t    out;
    const char  *text;

    fwd_buf_init(&out, FWD_CLI_JSON_MAX);
    fwd_cli_json_write(&out, value);
    text = fwd_pool_string(pool, out.data, out.len);

    if (len != NULL) {
        *len = out.len;
    }

    fwd_buf_free(&out);

    return text;
}


static void
fwd_cli_json_value(fwd_buf_t *out, const json_t *value, int depth)
{
    char         text[32];
    void        *iter;
    size_t       i;
    const char  *key;

    if (depth == FWD_CLI_JSON_DEPTH) {
        fwd_buf_add_string(out, "null");
        return;
    }

    switch (json_typeof(value)) {

    case JSON_OBJECT:
        fwd_buf_add_char(out, '{');
        iter = json_object_iter((json_t *) value);

        for (i = 0; iter != NULL; i++) {
            key = json_object_iter_key(iter);
            fwd_buf_add_string(out, i != 0 ? "," : "");
            fwd_json_add(out, key, strlen(key));
            fwd_buf_add_char(out, ':');
            fwd_cli_json_value(out, json_object_iter_value(iter), depth + 1);
            iter = json_object_iter_next((json_t *) value, iter);
        }

        fwd_buf_add_char(out, '}');
        break;

    case JSON_ARRAY:
        fwd_buf_add_char(out, '[');

        for (i = 0; i < json_array_size(value); i++) {
            fwd_buf_add_string(out, i != 0 ? "," : "");
            fwd_cli_json_value(out, json_array_get(value, i), depth + 1);
        }

        fwd_buf_add_char(out, ']');
        break;

    case JSON_STRING:
        fwd_json_add(out, json_string_value(value),
                     json_string_length(value));
        break;

    case JSON_INTEGER:
        (void) snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT,
                        json_integer_value(value));
        fwd_buf_add_string(out, text);
        break;

    case JSON_REAL:
        fwd_cli_json_real(out, json_real_value(value));
        break;

    default:
        fwd_buf_add_string(out, json_is_true(value) ? "true"
                                : json_is_false(value) ? "false" : "null");
        break;
    }
}


/* 29.9 stays 29.9. */

static void
fwd_cli_json_real(fwd_buf_t *out, double value)
{
    int   digits;
    char  text[40];

    for (digits = 15; digits <= 17; digits++) {
        (void) snprintf(text, sizeof(text), "%.*g", digits, value);

        if (strtod(text, NULL) - value == 0) {
            break;
        }
    }

    fwd_buf_add_string(out, text);
}


fwd_rc_t
fwd_cli_event_wanted(fwd_wanted_answer_t *answer, fwd_event_t *ev,
    const fwd_dest_conf_t *conf, martech_str_t text, uint64_t now_ms,
    fwd_pool_t *pool, fwd_error_t *err)
{
    fwd_rc_t            rc;
    fwd_report_t        report;
    fwd_wanted_t       *wanted;
    fwd_candidate_t     candidate;
    fwd_reader_tape_t   rt;

    memset(ev, 0, sizeof(fwd_event_t));
    ev->text = text;
    fwd_cli_event_ids(ev, text, pool);

    fwd_reader_tape_init(&rt);
    rc = fwd_reader_tape_scan(&rt, text);

    if (rc == FWD_OK) {
        fwd_event_members(&rt, ev);
    }

    fwd_reader_tape_free(&rt);

    if (rc != FWD_OK) {
        return fwd_error(err, "the event is no JSON that is accepted");
    }

    memset(&report, 0, sizeof(report));
    report.pool = pool;

    if (fwd_wanted_create(&wanted, conf, &report) != FWD_OK) {
        return fwd_error(err, "%.250s", report.texts[0]);
    }

    *answer = FWD_WANTED_YES;

    if (wanted != NULL) {
        memset(&candidate, 0, sizeof(candidate));
        fwd_candidate_set(&candidate, ev, now_ms);
        *answer = fwd_wanted(wanted, &candidate);
        fwd_candidate_free(&candidate);
        fwd_wanted_destroy(wanted);
    }

    return FWD_OK;
}


/* What an entry of a stream has beside the event. */

static void
fwd_cli_event_ids(fwd_event_t *ev, martech_str_t text, fwd_pool_t *pool)
{
    json_t      *event, *martech;
    const char  *id, *source;

    event = json_loadb((const char *) text.data, text.len, 0, NULL);
    martech = json_object_get(json_object_get(event, "context"), "martech");
    id = json_string_value(json_object_get(event, "messageId"));
    source = json_string_value(json_object_get(martech, "source"));

    id = id ? id : "";
    source = source ? source : "";

    ev->message_id.data = (unsigned char *) fwd_pool_string(pool, id,
                                                            strlen(id));
    ev->message_id.len = strlen(id);
    ev->source.data = (unsigned char *) fwd_pool_string(pool, source,
                                                        strlen(source));
    ev->source.len = strlen(source);

    json_decref(event);
}
