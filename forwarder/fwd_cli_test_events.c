
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Golden files of events: the exact requests, and what becomes of the events
 * that are in none.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../martech/martech_time.h"

#include "fwd_cli_test.h"


#define FWD_GOLDEN_REPEAT_MAX  (8 * 1024 * 1024)


static json_t *fwd_golden_expand(fwd_golden_t *g, const json_t *value);
static json_t *fwd_golden_repeat(fwd_golden_t *g, const json_t *value);
static fwd_rc_t fwd_golden_select(fwd_golden_t *g, fwd_golden_run_t *run,
    const json_t *events);
static void fwd_golden_requests(fwd_golden_t *g,
    const fwd_golden_run_t *run);
static void fwd_golden_headers(fwd_golden_t *g, const char *path,
    const char *lines, const json_t *want);
static json_t *fwd_golden_header_list(const char *lines);
static const char *fwd_golden_header_name(const json_t *object,
    const char *name);
static void fwd_golden_body(fwd_golden_t *g, const char *path,
    const char *data, size_t len, const json_t *want);
static json_t *fwd_golden_lines(const char *data, size_t len);
static void fwd_golden_records(fwd_golden_t *g, const fwd_golden_run_t *run,
    const json_t *want);
static void fwd_golden_ends(fwd_golden_t *g, const fwd_golden_run_t *run,
    const char *name, fwd_try_end_t end);


static const char *const  fwd_golden_event_names[] = {
    "about", "settings", "environment", "now", "events", "requests",
    "dropped", "dead", "token", NULL
};

static const char *const  fwd_golden_request_names[] = {
    "endpoint", "method", "url", "headers", "body", "text", "lines", NULL
};


void
fwd_golden_events(fwd_golden_t *g)
{
    uint32_t          i;
    fwd_golden_run_t  run;

    if (!fwd_golden_members(g, "", g->doc, fwd_golden_event_names)
        || fwd_golden_run(g, &run) != FWD_OK)
    {
        return;
    }

    for (i = 0; i < run.out.sequences_count; i++) {
        fwd_golden_say(g, "requests", "event %u goes through the sequence: "
                       "\"exchange\" is expected",
                       (unsigned) run.places[run.out.sequences[i].event]);
    }

    fwd_golden_requests(g, &run);
    fwd_golden_ends(g, &run, "dropped", FWD_TRY_DROPPED);
    fwd_golden_ends(g, &run, "dead", FWD_TRY_DEAD);
}


fwd_rc_t
fwd_golden_run(fwd_golden_t *g, fwd_golden_run_t *run)
{
    json_t       *events, *token;
    fwd_rc_t      rc;
    fwd_error_t   err;

    memset(run, 0, sizeof(fwd_golden_run_t));

    if (fwd_golden_now(g, &run->now_ms) != FWD_OK
        || fwd_golden_conf(g) != FWD_OK)
    {
        return FWD_ERROR;
    }

    events = fwd_golden_expand(g, json_object_get(g->doc, "events"));
    rc = (events != NULL) ? fwd_golden_select(g, run, events) : FWD_ERROR;
    json_decref(events);

    if (rc != FWD_OK) {
        return FWD_ERROR;
    }

    token = json_object_get(g->doc, "token");
    run->in.events = run->texts;
    run->in.count = run->count;
    run->in.now_ms = run->now_ms;
    run->in.program = g->map;
    run->in.token = token ? fwd_cli_json_text(token, g->pool, NULL) : NULL;

    if (fwd_try_requests(&run->out, &g->conf, &run->in, g->pool, &err)
        != FWD_OK)
    {
        fwd_golden_say(g, "requests", "cannot be made: %s", err.text);
        return FWD_ERROR;
    }

    return FWD_OK;
}


fwd_rc_t
fwd_golden_now(fwd_golden_t *g, uint64_t *now_ms)
{
    int64_t      ms;
    const char  *text;

    text = json_string_value(json_object_get(g->doc, "now"));

    if (text == NULL
        || martech_time_parse((const unsigned char *) text, strlen(text), &ms)
           != MARTECH_OK)
    {
        fwd_golden_say(g, "now", "a time such as \"2026-11-20T19:36:00Z\" is "
                       "expected");
        return FWD_ERROR;
    }

    *now_ms = (uint64_t) ms;

    return FWD_OK;
}


/* A copy in which {"@repeat": "x", "times": N} is the text so often. */

static json_t *
fwd_golden_expand(fwd_golden_t *g, const json_t *value)
{
    void    *iter;
    size_t   i;
    json_t  *copy, *member;

    if (json_is_object(value)
        && json_object_get(value, "@repeat") != NULL)
    {
        return fwd_golden_repeat(g, value);
    }

    if (json_is_object(value)) {
        copy = json_object();
        iter = json_object_iter((json_t *) value);

        while (iter != NULL) {
            member = fwd_golden_expand(g, json_object_iter_value(iter));

            if (json_object_set_new(copy, json_object_iter_key(iter), member)
                != 0)
            {
                json_decref(copy);
                return NULL;
            }

            iter = json_object_iter_next((json_t *) value, iter);
        }

        return copy;
    }

    if (json_is_array(value)) {
        copy = json_array();

        for (i = 0; i < json_array_size(value); i++) {
            member = fwd_golden_expand(g, json_array_get(value, i));

            if (json_array_append_new(copy, member) != 0) {
                json_decref(copy);
                return NULL;
            }
        }

        return copy;
    }

    return json_incref((json_t *) value);
}


static json_t *
fwd_golden_repeat(fwd_golden_t *g, const json_t *value)
{
    json_t       *text;
    fwd_buf_t     out;
    const char   *what;
    json_int_t    i, times;

    what = json_string_value(json_object_get(value, "@repeat"));
    times = json_integer_value(json_object_get(value, "times"));

    if (what == NULL || *what == '\0' || times < 1
        || times > FWD_GOLDEN_REPEAT_MAX / (json_int_t) strlen(what))
    {
        fwd_golden_say(g, "events", "\"@repeat\" wants a text and \"times\", "
                       "together at most %d bytes", FWD_GOLDEN_REPEAT_MAX);
        return NULL;
    }

    fwd_buf_init(&out, FWD_GOLDEN_REPEAT_MAX + 1);

    for (i = 0; i < times; i++) {
        fwd_buf_add_string(&out, what);
    }

    text = json_stringn((const char *) out.data, out.len);
    fwd_buf_free(&out);

    return text;
}


/* The rules of the destination come before its map. */

static fwd_rc_t
fwd_golden_select(fwd_golden_t *g, fwd_golden_run_t *run,
    const json_t *events)
{
    char                 path[64];
    size_t               i;
    fwd_event_t          ev;
    fwd_error_t          err;
    martech_str_t        text;
    fwd_wanted_answer_t  answer;

    run->ends_count = (uint32_t) json_array_size(events);
    run->ends = fwd_pool_alloc(g->pool, (run->ends_count + 1)
                                        * sizeof(fwd_try_event_t));
    run->texts = fwd_pool_alloc(g->pool, (run->ends_count + 1)
                                         * sizeof(martech_str_t));
    run->places = fwd_pool_alloc(g->pool, (run->ends_count + 1)
                                          * sizeof(uint32_t));

    if (run->ends_count == 0) {
        fwd_golden_say(g, "events", "a list of events is expected");
        return FWD_ERROR;
    }

    for (i = 0; i < run->ends_count; i++) {
        text.data = (const unsigned char *)
                    fwd_cli_json_text(json_array_get(events, i), g->pool,
                                      &text.len);

        if (fwd_cli_event_wanted(&answer, &ev, &g->conf, text, run->now_ms,
                                 g->pool, &err)
            != FWD_OK)
        {
            (void) snprintf(path, sizeof(path), "events[%zu]", i);
            fwd_golden_say(g, path, "%s", err.text);
            return FWD_ERROR;
        }

        if (answer != FWD_WANTED_YES) {
            run->ends[i].end = FWD_TRY_DROPPED;
            (void) snprintf(run->ends[i].reason,
                            sizeof(run->ends[i].reason), "%s",
                            fwd_wanted_name(answer));
            continue;
        }

        run->texts[run->count] = text;
        run->places[run->count++] = (uint32_t) i;
    }

    return FWD_OK;
}


static void
fwd_golden_requests(fwd_golden_t *g, const fwd_golden_run_t *run)
{
    char           path[64];
    uint32_t       i;
    const json_t  *wants, *want;

    wants = json_object_get(g->doc, "requests");

    for (i = 0; i < run->count; i++) {
        run->ends[run->places[i]] = run->out.events[i];
    }

    if (g->conf.http.endpoints == NULL) {
        fwd_golden_records(g, run, wants);
        return;
    }

    for (i = 0; i < run->out.calls_count || i < json_array_size(wants); i++) {
        (void) snprintf(path, sizeof(path), "requests[%u]", (unsigned) i);
        want = json_array_get(wants, i);

        if (i >= run->out.calls_count) {
            fwd_golden_text(g, path, NULL,
                            fwd_cli_json_text(want, g->pool, NULL));

        } else if (want == NULL) {
            fwd_golden_text(g, path,
                            fwd_pool_printf(g->pool, "%s %s",
                                            run->out.calls[i].method,
                                            run->out.calls[i].url), NULL);

        } else {
            fwd_golden_request(g, path, &run->out.calls[i], want);
        }
    }
}


void
fwd_golden_request(fwd_golden_t *g, const char *path,
    const fwd_try_call_t *call, const json_t *want)
{
    size_t  i;
    char    name[FWD_GOLDEN_PATH_MAX];

    const struct {
        const char  *name;
        const char  *got;
    } texts[] = {
        { "endpoint", call->endpoint },
        { "method", call->method },
        { "url", call->url }
    };

    if (!fwd_golden_members(g, path, want, fwd_golden_request_names)) {
        return;
    }

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {

        if (i == 0 && json_object_get(want, "endpoint") == NULL) {
            continue;
        }

        (void) snprintf(name, sizeof(name), "%s.%s", path, texts[i].name);
        fwd_golden_text(g, name, texts[i].got,
                        json_string_value(json_object_get(want,
                                                          texts[i].name)));
    }

    (void) snprintf(name, sizeof(name), "%s.headers", path);
    fwd_golden_headers(g, name, call->headers,
                       json_object_get(want, "headers"));

    fwd_golden_body(g, path, (const char *) call->body, call->body_len,
                    want);
}


/* Names in any case; "*": any value. */

static void
fwd_golden_headers(fwd_golden_t *g, const char *path, const char *lines,
    const json_t *want)
{
    void        *iter;
    json_t      *got;
    const char  *key, *value, *there;

    got = fwd_golden_header_list(lines);
    iter = json_object_iter((json_t *) want);

    while (iter != NULL) {
        key = json_object_iter_key(iter);
        value = json_string_value(json_object_iter_value(iter));
        there = fwd_golden_header_name(got, key);
        there = there ? json_string_value(json_object_get(got, there)) : NULL;

        if (there == NULL || value == NULL || strcmp(value, "*") != 0) {
            fwd_golden_text(g, fwd_pool_printf(g->pool, "%s.%s", path, key),
                            there, value);
        }

        iter = json_object_iter_next((json_t *) want, iter);
    }

    iter = json_object_iter(got);

    while (iter != NULL) {
        key = json_object_iter_key(iter);

        if (fwd_golden_header_name(want, key) == NULL) {
            fwd_golden_text(g, fwd_pool_printf(g->pool, "%s.%s", path, key),
                            json_string_value(json_object_iter_value(iter)),
                            NULL);
        }

        iter = json_object_iter_next(got, iter);
    }

    json_decref(got);
}


static json_t *
fwd_golden_header_list(const char *lines)
{
    char        *name;
    json_t      *list;
    const char  *colon, *end, *value;

    list = json_object();

    while (*lines != '\0') {
        end = strchr(lines, '\n');
        end = end ? end : lines + strlen(lines);
        colon = memchr(lines, ':', (size_t) (end - lines));
        colon = colon ? colon : end;
        value = (colon < end) ? colon + 1 : end;
        value += (value < end && *value == ' ');

        name = strndup(lines, (size_t) (colon - lines));

        if (name != NULL) {
            (void) json_object_set_new_nocheck(list, name,
                          json_stringn_nocheck(value, (size_t) (end - value)));
        }

        free(name);
        lines = *end != '\0' ? end + 1 : end;
    }

    return list;
}


static const char *
fwd_golden_header_name(const json_t *object, const char *name)
{
    void  *iter;

    iter = json_object_iter((json_t *) object);

    while (iter != NULL) {

        if (strcasecmp(json_object_iter_key(iter), name) == 0) {
            return json_object_iter_key(iter);
        }

        iter = json_object_iter_next((json_t *) object, iter);
    }

    return NULL;
}


/* "body": a JSON value; "lines": one a line; "text": exactly that. */

static void
fwd_golden_body(fwd_golden_t *g, const char *path, const char *data,
    size_t len, const json_t *want)
{
    char           name[FWD_GOLDEN_PATH_MAX];
    json_t        *got;
    json_error_t   error;
    const char    *text;
    const json_t  *body, *lines;

    body = json_object_get(want, "body");
    lines = json_object_get(want, "lines");
    text = json_string_value(json_object_get(want, "text"));

    if (body == NULL && lines == NULL) {
        (void) snprintf(name, sizeof(name), "%s.text", path);
        fwd_golden_text(g, name, len != 0 ? data : "", text ? text : "");
        return;
    }

    (void) snprintf(name, sizeof(name), "%s.%s", path,
                    lines != NULL ? "lines" : "body");

    if (lines != NULL) {
        got = fwd_golden_lines(data, len);

    } else {
        got = json_loadb(len != 0 ? data : "", len,
                         JSON_REJECT_DUPLICATES|JSON_DECODE_ANY, &error);
    }

    if (got == NULL) {
        fwd_golden_say(g, name, "is not JSON: %s",
                       lines != NULL ? "one of its lines" : error.text);
        return;
    }

    fwd_golden_compare(g, name, got, lines != NULL ? lines : body);
    json_decref(got);
}


static json_t *
fwd_golden_lines(const char *data, size_t len)
{
    json_t      *list, *value;
    const char  *end;

    list = json_array();

    while (len != 0) {
        end = memchr(data, '\n', len);
        end = end ? end : data + len;
        value = json_loadb(data, (size_t) (end - data), JSON_DECODE_ANY,
                           NULL);

        if (value == NULL) {
            json_decref(list);
            return NULL;
        }

        (void) json_array_append_new(list, value);

        len -= (size_t) (end - data);
        data = end;

        if (len != 0) {
            len--;
            data++;
        }
    }

    return list;
}


/* Of a destination without requests: the lines that it writes. */

static void
fwd_golden_records(fwd_golden_t *g, const fwd_golden_run_t *run,
    const json_t *want)
{
    uint32_t   i;
    json_t    *list, *got;

    list = json_array();

    for (i = 0; i < run->out.records_count; i++) {
        (void) json_array_append_new(list,
                   json_loads(run->out.records[i], JSON_DECODE_ANY, NULL));
    }

    got = json_array();

    if (run->out.records_count != 0) {
        (void) json_array_append_new(got, json_pack("{sO}", "lines", list));
    }

    fwd_golden_compare(g, "requests", got, want);

    json_decref(got);
    json_decref(list);
}


/* [{"event": N, "reason": text}, ...] by place; no reason in it: any. */

static void
fwd_golden_ends(fwd_golden_t *g, const fwd_golden_run_t *run,
    const char *name, fwd_try_end_t end)
{
    char           path[64];
    size_t         n;
    uint32_t       i;
    json_int_t     at;
    const char    *got, *want;
    const json_t  *list, *one;

    list = json_object_get(g->doc, name);

    for (n = 0; n < json_array_size(list); n++) {
        one = json_object_get(json_array_get(list, n), "event");
        at = json_integer_value(one);

        if (!json_is_integer(one) || at < 0 || at >= run->ends_count) {
            (void) snprintf(path, sizeof(path), "%s[%zu].event", name, n);
            fwd_golden_say(g, path, "the place of an event is expected");
            return;
        }
    }

    for (i = 0; i < run->ends_count; i++) {
        got = (run->ends[i].end == end) ? run->ends[i].reason : NULL;
        want = NULL;

        for (n = 0; n < json_array_size(list); n++) {
            one = json_array_get(list, n);

            if (json_integer_value(json_object_get(one, "event")) == i) {
                want = json_string_value(json_object_get(one, "reason"));
                want = want ? want : got ? got : "any reason";
            }
        }

        if (got != NULL || want != NULL) {
            (void) snprintf(path, sizeof(path), "%s: event %u", name,
                            (unsigned) i);
            fwd_golden_text(g, path, got, want);
        }
    }
}
