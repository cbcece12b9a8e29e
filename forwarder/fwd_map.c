
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * jq as the language of maps.
 *
 * The prelude shadows every built-in that looks outside; it stands on the
 * first line of the program, so line numbers of errors stay true, and as
 * "import" and "include" may only come first, it makes them syntax errors.
 * ~/.jq is not read because jq finds it by $HOME, and there is none.
 */


#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jq.h>

#include "fwd_buf.h"
#include "fwd_jv.h"
#include "fwd_map.h"
#include "fwd_map_private.h"
#include "fwd_marker.h"
#include "fwd_prelude.h"
#include "fwd_units.h"


#define FWD_MAP_PROGRAM_MAX  (FWD_MAP_SIZE_MAX + 32768)


/* Members of the input. */
typedef enum {
    FWD_MAP_EVENT = 0,
    FWD_MAP_SETTINGS,
    FWD_MAP_NOW,
    FWD_MAP_PERSON,
    FWD_MAP_GRANTED,
    FWD_MAP_AGE,
    FWD_MAP_NAMES
} fwd_map_name_t;


struct fwd_map_s {
    jq_state             *jq;
    jv                    settings;
    jv                    names[FWD_MAP_NAMES];  /* of the input */
    fwd_jv_names_t        event_names;
    unsigned              grants:1;      /* the program asks for "granted" */
    unsigned              ages:1;        /* and for "age" */
    fwd_reader_tape_t     tape;
    fwd_record_writer_t   writer;
};


struct fwd_map_event_s {
    jv                    value;
    unsigned              some:1;        /* value holds an event */
};


typedef struct {
    fwd_report_t         *report;
    const char           *file;
    size_t                line;          /* of the first line */
} fwd_map_errors_t;


static fwd_rc_t fwd_map_build(fwd_map_t **out, const fwd_dest_conf_t *conf,
    jv settings, const char *source, const char *file, size_t line,
    fwd_report_t *report);
static jv fwd_map_input(const fwd_map_t *map, jv event, const char *person,
    uint64_t now_ms);
static jv fwd_map_grants(jv event);
static jv fwd_map_age(jv event, uint64_t now_ms);
static jv fwd_map_each(jv grants, jv list, int granted);
static jv fwd_map_settings(const fwd_dest_conf_t *conf);
static jv fwd_map_list(const fwd_words_t *words);
static void fwd_map_compile_error(void *data, jv msg);
static void fwd_map_run_error(void *data, jv msg);
static fwd_rc_t fwd_map_output(fwd_map_t *map, jv value,
    fwd_map_record_pt record, void *data, fwd_error_t *err);


/* Places of fwd_map_name_t. */
static const char *const  fwd_map_names[] = {
    "event", "settings", "now", "person", "granted", "age"
};

static const char  fwd_map_prelude[] =
    /* error(null) would look like the end of the output */
    "def mt_error(m): if m == null then error(\"null\") else error(m) end; "
    "def error(m): m as $m | mt_error($m); def error: mt_error(.); "

    "def env: {}; "
    "def input: error(\"input is not available\"); "
    "def inputs: error(\"inputs is not available\"); "
    "def debug: .; def debug(f): .; def stderr: .; "
    "def input_filename: null; def input_line_number: null; "
    "def modulemeta: error(\"modulemeta is not available\"); "
    "def get_search_list: []; "
    "def now: error(\"now is not available, use .now\"); "
    "def halt: error(\"halt is not available\"); "
    "def halt_error: error(\"halt_error is not available\"); "
    "def halt_error(f): error(\"halt_error is not available\"); ";


fwd_rc_t
fwd_map_create(fwd_map_t **out, const fwd_dest_conf_t *conf,
    fwd_report_t *report)
{
    return fwd_map_compile(out, conf, conf->desc->map, conf->desc->map_file,
                           report);
}


fwd_rc_t
fwd_map_create_when(fwd_map_t **out, const fwd_dest_conf_t *conf,
    fwd_report_t *report)
{
    char  name[FWD_NAME_MAX + 32];

    (void) snprintf(name, sizeof(name), "destinations.%s.when", conf->name);

    return fwd_map_build(out, conf, jv_invalid(), conf->wanted.when, name, 1,
                         report);
}


fwd_rc_t
fwd_map_compile(fwd_map_t **out, const fwd_dest_conf_t *conf,
    const char *source, const char *file, fwd_report_t *report)
{
    return fwd_map_compile_at(out, conf, source, file, 1, report);
}


fwd_rc_t
fwd_map_compile_at(fwd_map_t **out, const fwd_dest_conf_t *conf,
    const char *source, const char *file, size_t line, fwd_report_t *report)
{
    return fwd_map_build(out, conf, fwd_map_settings(conf), source, file,
                         line, report);
}


static fwd_rc_t
fwd_map_build(fwd_map_t **out, const fwd_dest_conf_t *conf, jv settings,
    const char *source, const char *file, size_t line, fwd_report_t *report)
{
    int                ok, i;
    char              *prelude;
    size_t             errors;
    fwd_buf_t          program;
    fwd_map_t         *map;
    const char        *text;
    fwd_map_errors_t   sink;

    errors = report->count;

    map = calloc(1, sizeof(fwd_map_t));
    if (map == NULL) {
        jv_free(settings);
        fwd_report(report, file, 0, "out of memory");
        return FWD_ERROR;
    }

    map->settings = settings;
    map->grants = (strstr(source, "granted") != NULL);
    map->ages = (strstr(source, ".age") != NULL);

    for (i = 0; i < FWD_MAP_NAMES; i++) {
        map->names[i] = jv_string(fwd_map_names[i]);
    }

    fwd_reader_tape_init(&map->tape);
    fwd_record_init(&map->writer, conf);
    map->writer.marker.names = &map->event_names;

    map->jq = jq_init();
    if (map->jq == NULL) {
        fwd_report(report, file, 0, "out of memory");
        fwd_map_destroy(map);
        return FWD_ERROR;
    }

    sink.report = report;
    sink.file = file;
    sink.line = line;
    jq_set_error_cb(map->jq, fwd_map_compile_error, &sink);
    jq_set_attr(map->jq, jv_string("JQ_LIBRARY_PATH"), jv_array());

    fwd_buf_init(&program, FWD_MAP_PROGRAM_MAX);
    fwd_buf_add_string(&program, fwd_map_prelude);
    prelude = fwd_prelude(source);
    fwd_buf_add_string(&program, prelude ? prelude : "");
    free(prelude);
    fwd_buf_add_string(&program, source);
    text = fwd_buf_string(&program);

    ok = (text != NULL) && jq_compile(map->jq, text);

    fwd_buf_free(&program);
    jq_set_error_cb(map->jq, fwd_map_run_error, NULL);

    if (!ok) {
        if (report->count == errors) {
            fwd_report(report, file, line > 1 ? line : 0,
                       "is no valid jq program");
        }

        fwd_map_destroy(map);
        return FWD_ERROR;
    }

    *out = map;

    return FWD_OK;
}


void
fwd_map_settle(fwd_map_t *map, const fwd_dest_conf_t *conf)
{
    jv_free(map->settings);
    map->settings = fwd_map_settings(conf);
    map->writer.conf = conf;
}


void
fwd_map_destroy(fwd_map_t *map)
{
    int  i;

    if (map == NULL) {
        return;
    }

    if (map->jq != NULL) {
        jq_teardown(&map->jq);
    }

    for (i = 0; i < FWD_MAP_NAMES; i++) {
        jv_free(map->names[i]);
    }

    jv_free(map->settings);
    fwd_jv_names_free(&map->event_names);
    fwd_reader_tape_free(&map->tape);
    fwd_record_cleanup(&map->writer);
    free(map);
}


/* Secrets are left out: a record may end in a log of the other side. */

static jv
fwd_map_settings(const fwd_dest_conf_t *conf)
{
    jv                    settings, value;
    size_t                i;
    uint64_t              number;
    const char           *text;
    const fwd_setting_t  *setting;

    settings = jv_object();

    for (i = 0; i < conf->desc->settings_count; i++) {
        setting = &conf->desc->settings[i];
        text = conf->values[i];

        if (text == NULL || setting->secret) {
            continue;
        }

        if (setting->list) {
            value = fwd_map_list(&conf->lists[i]);

        } else if (setting->kind == FWD_SETTING_NUMBER
            && fwd_units_number(&number, text) == FWD_OK)
        {
            value = jv_number((double) number);

        } else if (setting->kind == FWD_SETTING_BOOL) {
            value = jv_bool(strcmp(text, "true") == 0);

        } else {
            value = jv_string(text);
        }

        settings = jv_object_set(settings, jv_string(setting->name), value);
    }

    return settings;
}


static jv
fwd_map_list(const fwd_words_t *words)
{
    jv      list;
    size_t  i;

    list = jv_array();

    for (i = 0; i < words->count; i++) {
        list = jv_array_append(list, jv_string(words->list[i]));
    }

    return list;
}


static void
fwd_map_compile_error(void *data, jv msg)
{
    size_t             line;
    const char        *text, *p;
    fwd_map_errors_t  *sink = data;

    msg = jq_format_error(msg);
    text = jv_string_value(msg);

    /* "jq: error: ... at <top-level>, line 3:\n..." */

    line = 0;
    p = strstr(text, ", line ");

    if (p != NULL) {
        line = (size_t) strtoul(p + 7, NULL, 10);
        line = (line != 0) ? sink->line + line - 1 : sink->line;
    }

    /* the last message only counts those before */

    if (strstr(text, " compile error") == NULL) {
        fwd_report(sink->report, sink->file, line, "%.*s",
                   (int) strcspn(text, "\n"), text);
    }

    jv_free(msg);
}


/* Messages at run time may hold values of the event: nobody sees them. */

static void
fwd_map_run_error(void *data, jv msg)
{
    (void) data;

    jv_free(msg);
}


int
fwd_map_needs_person(const char *program)
{
    char         c;
    const char  *p;

    for (p = strstr(program, "person"); p != NULL; p = strstr(p, "person")) {
        c = (p == program) ? ' ' : p[-1];
        p += 6;

        if (!isalnum((unsigned char) c) && c != '_'
            && !isalnum((unsigned char) *p) && *p != '_')
        {
            return 1;
        }
    }

    return 0;
}


/* Takes the event. */

static jv
fwd_map_input(const fwd_map_t *map, jv event, const char *person,
    uint64_t now_ms)
{
    jv  input;

    input = jv_object();

    if (map->grants) {
        input = jv_object_set(input, jv_copy(map->names[FWD_MAP_GRANTED]),
                              fwd_map_grants(event));
    }

    if (map->ages) {
        input = jv_object_set(input, jv_copy(map->names[FWD_MAP_AGE]),
                              fwd_map_age(event, now_ms));
    }

    input = jv_object_set(input, jv_copy(map->names[FWD_MAP_EVENT]), event);

    if (jv_is_valid(map->settings)) {
        input = jv_object_set(input, jv_copy(map->names[FWD_MAP_SETTINGS]),
                              jv_copy(map->settings));
    }

    input = jv_object_set(input, jv_copy(map->names[FWD_MAP_NOW]),
                          jv_number((double) now_ms / 1000));

    return jv_object_set(input, jv_copy(map->names[FWD_MAP_PERSON]),
                         person ? jv_string(person) : jv_null());
}


/*
 * { purpose: true or false } of context.martech.consent, so that a program
 * need not search lists; what is granted outweighs.  Null without one.
 */

static jv
fwd_map_grants(jv event)
{
    jv                        value, grants;
    size_t                    i;
    static const char *const  path[] = { "context", "martech", "consent" };

    value = jv_copy(event);

    for (i = 0; i < sizeof(path) / sizeof(path[0]); i++) {

        if (jv_get_kind(value) != JV_KIND_OBJECT) {
            jv_free(value);
            return jv_null();
        }

        value = jv_object_get(value, jv_string(path[i]));
    }

    if (jv_get_kind(value) != JV_KIND_OBJECT) {
        jv_free(value);
        return jv_null();
    }

    grants = fwd_map_each(jv_object(), jv_object_get(jv_copy(value),
                                                     jv_string("denied")), 0);

    return fwd_map_each(grants, jv_object_get(value, jv_string("granted")),
                        1);
}


/* Seconds since the event's timestamp; below zero: it is to come. */

static jv
fwd_map_age(jv event, uint64_t now_ms)
{
    jv       value;
    int64_t  us;

    if (jv_get_kind(event) != JV_KIND_OBJECT) {
        return jv_null();
    }

    value = jv_object_get(jv_copy(event), jv_string("timestamp"));

    if (fwd_marker_time(value, &us) != FWD_OK) {
        jv_free(value);
        return jv_null();
    }

    jv_free(value);

    return jv_number(((double) now_ms - (double) us / 1000) / 1000);
}


static jv
fwd_map_each(jv grants, jv list, int granted)
{
    jv   purpose;
    int  i, n;

    n = (jv_get_kind(list) == JV_KIND_ARRAY) ? jv_array_length(jv_copy(list))
                                             : 0;

    for (i = 0; i < n; i++) {
        purpose = jv_array_get(jv_copy(list), i);

        if (jv_get_kind(purpose) == JV_KIND_STRING) {
            grants = jv_object_set(grants, purpose, jv_bool(granted));

        } else {
            jv_free(purpose);
        }
    }

    jv_free(list);

    return grants;
}


fwd_map_event_t *
fwd_map_event_create(void)
{
    return calloc(1, sizeof(fwd_map_event_t));
}


void
fwd_map_event_destroy(fwd_map_event_t *parsed)
{
    if (parsed != NULL) {
        fwd_map_event_forget(parsed);
        free(parsed);
    }
}


void
fwd_map_event_forget(fwd_map_event_t *parsed)
{
    if (parsed->some) {
        jv_free(parsed->value);
        parsed->some = 0;
    }
}


fwd_rc_t
fwd_map_test(fwd_map_t *map, fwd_map_event_t *parsed, martech_str_t event,
    const char *person, uint64_t now_ms, int *passed)
{
    jv        value;
    fwd_rc_t  rc;

    if (!parsed->some) {
        parsed->value = fwd_jv_parse(&map->tape, event);
        parsed->some = 1;
    }

    if (!jv_is_valid(parsed->value)) {
        return FWD_ERROR;
    }

    jq_start(map->jq, fwd_map_input(map, jv_copy(parsed->value), person,
                                    now_ms), 0);

    value = jq_next(map->jq);
    rc = FWD_OK;

    if (!jv_is_valid(value)
        && (jv_invalid_has_msg(jv_copy(value)) || jq_halted(map->jq)))
    {
        rc = FWD_ERROR;
    }

    *passed = (jv_get_kind(value) == JV_KIND_TRUE);

    jv_free(value);
    jq_start(map->jq, jv_null(), 0);

    return rc;
}


fwd_rc_t
fwd_map_run(fwd_map_t *map, martech_str_t event, const char *person,
    uint64_t now_ms, fwd_map_record_pt record, void *data, fwd_error_t *err)
{
    jv        input, value;
    unsigned  n;
    fwd_rc_t  rc;

    value = fwd_jv_parse_guarded(&map->tape, &map->event_names, event);

    if (!jv_is_valid(value)) {
        jv_free(value);
        return fwd_error(err, "event cannot be parsed by jq");
    }

    map->writer.marker.event = &map->tape;
    input = fwd_map_input(map, value, person, now_ms);

    jq_start(map->jq, input, 0);

    rc = FWD_OK;

    for (n = 0; rc == FWD_OK; n++) {
        value = jq_next(map->jq);

        if (!jv_is_valid(value)) {

            if (jv_invalid_has_msg(jv_copy(value)) || jq_halted(map->jq)) {
                rc = fwd_error(err, "the map ended with an error");
            }

            jv_free(value);
            break;
        }

        if (n == FWD_MAP_RECORDS_MAX) {
            jv_free(value);
            rc = fwd_error(err, "the map gave more than %d records",
                           FWD_MAP_RECORDS_MAX);
            break;
        }

        rc = fwd_map_output(map, value, record, data, err);
    }

    /* gives the input back now, and not at the next event */
    jq_start(map->jq, jv_null(), 0);
    map->writer.marker.event = NULL;

    return rc;
}


fwd_rc_t
fwd_map_first(fwd_map_t *map, jv input, jv *out)
{
    jv        value;
    fwd_rc_t  rc;

    input = jv_object_set(input, jv_copy(map->names[FWD_MAP_SETTINGS]),
                          jv_copy(map->settings));

    jq_start(map->jq, input, 0);
    value = jq_next(map->jq);
    rc = FWD_OK;

    if (!jv_is_valid(value)) {
        rc = (jv_invalid_has_msg(jv_copy(value)) || jq_halted(map->jq))
             ? FWD_ERROR : FWD_NONE;
    }

    jq_start(map->jq, jv_null(), 0);

    if (rc != FWD_OK) {
        jv_free(value);
        return rc;
    }

    *out = value;

    return FWD_OK;
}


static fwd_rc_t
fwd_map_output(fwd_map_t *map, jv value, fwd_map_record_pt record,
    void *data, fwd_error_t *err)
{
    fwd_record_t  made;

    if (fwd_record_write(&map->writer, value, &made, err) != FWD_OK) {
        return FWD_ERROR;
    }

    if (record(data, &made) != FWD_OK) {
        return fwd_error(err, "out of memory");
    }

    return FWD_OK;
}


void
fwd_map_show(fwd_map_t *map, int show)
{
    map->writer.show = (show != 0);
}
