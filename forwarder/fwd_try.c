
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A destination without sending.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_map.h"
#include "fwd_map_private.h"
#include "fwd_target.h"
#include "fwd_try_private.h"


typedef struct {
    const fwd_dest_conf_t  *conf;
    const fwd_try_input_t  *in;
    fwd_try_output_t     *out;
    fwd_pool_t           *pool;
    fwd_batch_t          *batch;
    fwd_event_t          *events;        /* message ids, for ids of calls */
    fwd_item_t           *items;
    uint32_t              at;            /* the event being mapped */
    uint32_t              sequences;     /* records of it */
    fwd_record_t          said;          /* of it: why there is none */
} fwd_try_t;


#define FWD_TRY_WAIT_MAX  64             /* of a Retry-After, as fwd_reply.h */


typedef fwd_rc_t (*fwd_try_create_pt)(fwd_map_t **map,
    const fwd_dest_conf_t *conf, fwd_report_t *report);


static fwd_rc_t fwd_try_program(fwd_map_t **map, fwd_map_t **kept,
    const fwd_dest_conf_t *conf, fwd_try_create_pt create,
    fwd_report_t *report);
static fwd_rc_t fwd_try_map(fwd_try_t *t, fwd_map_t *map, fwd_error_t *err);
static void fwd_try_steers(fwd_try_t *t);
static fwd_rc_t fwd_try_one(fwd_try_t *t, fwd_map_t *map);
static fwd_rc_t fwd_try_record(void *data, const fwd_record_t *record);
static fwd_rc_t fwd_try_keep_sequence(fwd_try_t *t,
    const fwd_record_t *record);
static fwd_rc_t fwd_try_calls(fwd_try_t *t, fwd_error_t *err);
static fwd_rc_t fwd_try_call(fwd_try_t *t, fwd_auth_t *auth, uint32_t n,
    fwd_error_t *err);
static uint64_t fwd_try_wait(const fwd_try_answer_t *in,
    fwd_outcome_t outcome);


fwd_rc_t
fwd_try_conf(fwd_dest_conf_t *conf, const fwd_desc_t *desc,
    const char *settings, const char *environment, fwd_report_t *report,
    fwd_pool_t *pool)
{
    size_t      errors, len;
    char       *text;
    fwd_yaml_t  y;

    errors = report->count;

    memset(conf, 0, sizeof(fwd_dest_conf_t));
    conf->name = desc->name;
    conf->use = desc->name;
    conf->desc = desc;
    conf->limits = desc->limits;
    conf->policy = desc->policy;
    conf->wanted.consent = desc->consent;
    conf->environment = environment;
    conf->plain_secrets = 1;

    /* JSON is YAML */

    len = strlen(settings);
    text = fwd_pool_alloc(pool, len + 1);
    memcpy(text, settings, len);

    if (fwd_yaml_open_text(&y, "settings", text, len, report, pool)
        != FWD_OK)
    {
        return FWD_ERROR;
    }

    conf->settings_node = fwd_yaml_root(&y);
    fwd_target_build(&y, conf);
    conf->settings_node = NULL;

    if (report->count == errors && conf->http.endpoints == NULL
        && desc->kind == FWD_KIND_HTTP)
    {
        /* the frame of a batch, as an endpoint */
        fwd_endpoint_force(&y, conf);
    }

    fwd_yaml_close(&y);

    return report->count == errors ? FWD_OK : FWD_ERROR;
}


fwd_rc_t
fwd_try_requests(fwd_try_output_t *out, const fwd_dest_conf_t *conf,
    const fwd_try_input_t *in, fwd_pool_t *pool, fwd_error_t *err)
{
    fwd_rc_t      rc;
    fwd_try_t     t;
    fwd_map_t    *map;
    fwd_report_t  report;

    memset(&t, 0, sizeof(t));
    memset(out, 0, sizeof(fwd_try_output_t));
    memset(&report, 0, sizeof(report));
    report.pool = pool;

    t.conf = conf;
    t.in = in;
    t.out = out;
    t.pool = pool;
    t.batch = fwd_batch_create(NULL, NULL);
    t.events = fwd_pool_alloc(pool, (in->count + 1) * sizeof(fwd_event_t));
    t.items = fwd_pool_alloc(pool, (in->count + 1) * sizeof(fwd_item_t));
    out->events = fwd_pool_alloc(pool, (in->count + 1)
                                       * sizeof(fwd_try_event_t));
    out->sequences = fwd_pool_alloc(pool, (in->count + 1)
                                          * sizeof(fwd_try_sequence_t));

    if (t.batch == NULL) {
        return fwd_error(err, "out of memory");
    }

    map = NULL;

    if (conf->desc->map != NULL
        && fwd_try_program(&map, in->program, conf, fwd_map_create, &report)
           != FWD_OK)
    {
        fwd_batch_free(t.batch);
        return fwd_error(err, "%.250s", report.texts[0]);
    }

    if (map != NULL) {
        fwd_map_show(map, (int) in->show);
    }

    rc = fwd_try_map(&t, map, err);

    if (in->program == NULL) {
        fwd_map_destroy(map);
    }

    if (rc == FWD_OK && conf->http.endpoints != NULL
        && t.batch->records_count != 0)
    {
        rc = fwd_try_calls(&t, err);
    }

    fwd_batch_free(t.batch);

    return rc;
}


/* To compile one takes longer than all the rest. */

static fwd_rc_t
fwd_try_program(fwd_map_t **map, fwd_map_t **kept,
    const fwd_dest_conf_t *conf, fwd_try_create_pt create,
    fwd_report_t *report)
{
    if (kept != NULL && *kept != NULL) {
        *map = *kept;
        fwd_map_settle(*map, conf);
        return FWD_OK;
    }

    if (create(map, conf, report) != FWD_OK) {
        return FWD_ERROR;
    }

    if (kept != NULL) {
        *kept = *map;
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_try_map(fwd_try_t *t, fwd_map_t *map, fwd_error_t *err)
{
    uint32_t           i;
    fwd_try_output_t  *out;

    out = t->out;

    for (t->at = 0; t->at < t->in->count; t->at++) {
        fwd_try_message(&t->events[t->at], t->in->events[t->at], t->pool);
        t->items[t->at].event = &t->events[t->at];

        if (fwd_try_one(t, map) != FWD_OK) {
            return fwd_error(err, "out of memory");
        }
    }

    fwd_batch_seal(t->batch);

    out->records_count = t->batch->records_count;
    out->records = fwd_pool_alloc(t->pool, (out->records_count + 1)
                                           * sizeof(char *));
    out->record_events = fwd_pool_alloc(t->pool, (out->records_count + 1)
                                                 * sizeof(uint32_t));

    for (i = 0; i < out->records_count; i++) {
        out->records[i] = fwd_pool_string(t->pool, t->batch->records[i].data,
                                          t->batch->records[i].len);
        out->record_events[i] =
                    (uint32_t) (t->batch->items[t->batch->record_items[i]]
                                - t->items);
    }

    if (t->batch->steers != NULL) {
        fwd_try_steers(t);
    }

    return FWD_OK;
}


/* They outlive the batch. */

static void
fwd_try_steers(fwd_try_t *t)
{
    size_t             n;
    uint32_t           i;
    fwd_steer_t       *to;
    martech_str_t     *text;

    t->out->record_steers = fwd_pool_alloc(t->pool,
                                           (t->out->records_count + 1)
                                           * sizeof(fwd_steer_t));

    for (i = 0; i < t->out->records_count; i++) {
        to = &t->out->record_steers[i];
        *to = t->batch->steers[i];

        martech_str_t *const  texts[] = {
            &to->group, &to->path, &to->array, &to->merge
        };

        for (n = 0; n < sizeof(texts) / sizeof(texts[0]); n++) {
            text = texts[n];
            text->data = (unsigned char *)
                         fwd_pool_string(t->pool, text->len ? text->data
                                         : (const unsigned char *) "",
                                         text->len);
        }
    }
}


static fwd_rc_t
fwd_try_one(fwd_try_t *t, fwd_map_t *map)
{
    uint32_t          records;
    fwd_rc_t          rc;
    fwd_error_t       err;
    fwd_record_t      whole;
    fwd_try_event_t  *event;

    event = &t->out->events[t->at];
    records = t->batch->records_count;
    err.text[0] = '\0';
    memset(&t->said, 0, sizeof(t->said));
    t->sequences = 0;

    if (fwd_batch_add(t->batch, &t->items[t->at]) != FWD_OK) {
        return FWD_ERROR;
    }

    if (map == NULL) {
        memset(&whole, 0, sizeof(whole));
        whole.text = t->in->events[t->at];
        rc = fwd_try_record(t, &whole);

    } else {
        rc = fwd_map_run(map, t->in->events[t->at], t->in->person,
                         t->in->now_ms, fwd_try_record, t, &err);
    }

    if (rc == FWD_OK && t->sequences != 0
        && t->sequences + t->batch->records_count - records != 1)
    {
        rc = fwd_error(&err, FWD_SEQUENCE_ALONE);
    }

    if (rc == FWD_OK && t->said.kind != FWD_RECORD_DEAD
        && t->batch->records_count != records)
    {
        return FWD_OK;
    }

    fwd_batch_pop(t->batch);

    if (rc == FWD_OK && t->said.kind != FWD_RECORD_DEAD && t->sequences == 1)
    {
        t->out->sequences_count++;
        return FWD_OK;
    }

    event->end = (rc != FWD_OK || t->said.kind == FWD_RECORD_DEAD)
                 ? FWD_TRY_DEAD : FWD_TRY_DROPPED;
    (void) snprintf(event->reason, sizeof(event->reason), "%s%.200s",
                    rc != FWD_OK ? "map_error: " : "",
                    rc != FWD_OK ? err.text : t->said.reason);

    return FWD_OK;
}


static fwd_rc_t
fwd_try_record(void *data, const fwd_record_t *record)
{
    fwd_try_t              *t = data;
    fwd_steer_t             steer;
    const fwd_endpoint_t   *endpoints;

    endpoints = t->conf->http.endpoints;

    if (record->kind != FWD_RECORD_SEND) {

        if (t->said.kind != FWD_RECORD_DEAD) {
            t->said = *record;
        }

        return FWD_OK;
    }

    if (record->endpoint == FWD_ENDPOINT_SEQUENCE) {
        return fwd_try_keep_sequence(t, record);
    }

    if (endpoints != NULL
        && !fwd_calls_fits(&endpoints[record->endpoint], record->text))
    {
        t->said.kind = FWD_RECORD_DEAD;
        (void) strcpy(t->said.reason, "record_too_large");
        return FWD_OK;
    }

    steer.endpoint = record->endpoint;
    steer.group = record->group;
    steer.path = record->path;
    steer.array = record->array;
    steer.merge = record->merge;
    steer.alone = record->alone;

    return (fwd_batch_add_copy(t->batch, record->text.data, record->text.len)
            == FWD_OK
            && fwd_batch_steer(t->batch, &steer) == FWD_OK)
           ? FWD_OK : FWD_ERROR;
}


/* Counted once it is known that the event has no others. */

static fwd_rc_t
fwd_try_keep_sequence(fwd_try_t *t, const fwd_record_t *record)
{
    fwd_try_sequence_t  *sequence;

    sequence = &t->out->sequences[t->out->sequences_count];
    sequence->event = t->at;
    sequence->text.data = (unsigned char *)
                          fwd_pool_string(t->pool, record->text.data,
                                          record->text.len);
    sequence->text.len = record->text.len;
    t->sequences++;

    return FWD_OK;
}


void
fwd_try_message(fwd_event_t *ev, martech_str_t text, fwd_pool_t *pool)
{
    jv  event, id;

    ev->message_id.data = (const unsigned char *) "";

    event = jv_parse_sized((const char *) text.data, (int) text.len);
    id = (jv_get_kind(event) == JV_KIND_OBJECT)
         ? jv_object_get(jv_copy(event), jv_string("messageId"))
         : jv_invalid();

    if (jv_get_kind(id) == JV_KIND_STRING) {
        ev->message_id.data = (unsigned char *)
                              fwd_pool_string(pool, jv_string_value(id),
                                              strlen(jv_string_value(id)));
        ev->message_id.len = strlen(jv_string_value(id));
    }

    jv_free(id);
    jv_free(event);
}


static fwd_rc_t
fwd_try_calls(fwd_try_t *t, fwd_error_t *err)
{
    uint32_t     i;
    fwd_rc_t     rc;
    fwd_auth_t  *auth;

    if (fwd_calls_cut(t->batch, t->conf, 0) != FWD_OK) {
        return fwd_error(err, "out of memory");
    }

    auth = NULL;
    rc = fwd_auth_create(&auth, NULL, t->conf, err);

    if (rc == FWD_OK && t->in->token != NULL) {
        rc = fwd_auth_given(auth, t->in->token, err);
    }

    t->out->calls_count = t->batch->calls->count;
    t->out->calls = fwd_pool_alloc(t->pool, t->out->calls_count
                                            * sizeof(fwd_try_call_t));

    for (i = 0; rc == FWD_OK && i < t->out->calls_count; i++) {
        rc = fwd_try_call(t, auth, i, err);
    }

    fwd_auth_destroy(auth);

    return rc;
}


static fwd_rc_t
fwd_try_call(fwd_try_t *t, fwd_auth_t *auth, uint32_t n, fwd_error_t *err)
{
    uint32_t         i;
    fwd_calls_t     *calls;
    fwd_try_call_t  *out;

    calls = t->batch->calls;
    out = &t->out->calls[n];

    if (fwd_try_build(out, t->conf, t->in, t->batch, n, auth, t->pool, err)
        != FWD_OK)
    {
        return FWD_ERROR;
    }

    out->events = fwd_pool_alloc(t->pool, (out->count + 1)
                                          * sizeof(uint32_t));

    for (i = t->batch->records_count; i-- > 0; /* void */) {
        if (calls->call_of[i] == n) {
            out->events[calls->text_of[i]] = t->out->record_events[i];
        }
    }

    return FWD_OK;
}


fwd_rc_t
fwd_try_build(fwd_try_call_t *out, const fwd_dest_conf_t *conf,
    const fwd_try_input_t *in, fwd_batch_t *batch, uint32_t n,
    fwd_auth_t *auth, fwd_pool_t *pool, fwd_error_t *err)
{
    fwd_rc_t             rc;
    fwd_call_t          *call;
    fwd_scope_t          scope;
    const char          *name;
    fwd_auth_call_t      dress;
    fwd_call_request_t   rq;

    call = &batch->calls->list[n];
    name = call->endpoint->name;

    if (in->validate && call->endpoint->validate != NULL) {
        call->endpoint = call->endpoint->validate;
    }

    memset(&scope, 0, sizeof(scope));
    scope.conf = conf;
    scope.captured = fwd_auth_captured;
    scope.data = auth;
    scope.now_ms = in->now_ms;
    scope.show = in->show;

    fwd_call_request_init(&rq);
    rc = fwd_call_build(&rq, batch, call, &scope, err);

    if (rc == FWD_OK) {
        memset(&dress, 0, sizeof(dress));
        dress.endpoint = call->endpoint;
        dress.method = rq.method;
        dress.url = &rq.url;
        dress.headers = &rq.headers;
        dress.body = rq.body;
        dress.body_len = rq.body_len;
        dress.id = rq.id;
        dress.now_ms = in->now_ms;
        dress.show = in->show;
        rc = fwd_auth_attach(auth, &dress, err);
        rc = (rc == FWD_AGAIN) ? fwd_error(err, "there is no token") : rc;
    }

    if (rc == FWD_OK) {
        out->endpoint = name;
        out->method = rq.method;
        out->url = fwd_pool_string(pool, rq.url.data, rq.url.len);
        out->headers = fwd_pool_string(pool, rq.headers.data,
                                       rq.headers.len);
        out->body = (unsigned char *) fwd_pool_string(pool, rq.plain.data,
                                                      rq.plain.len);
        out->body_len = rq.plain.len;
        out->gzip = call->endpoint->gzip;
        out->count = call->count;
        (void) strcpy(out->id, rq.id);
    }

    fwd_call_request_free(&rq);

    return rc;
}


fwd_rc_t
fwd_try_answer(fwd_try_verdict_t *out, const fwd_dest_conf_t *conf,
    const fwd_try_answer_t *in, fwd_pool_t *pool, fwd_error_t *err)
{
    uint32_t              i;
    fwd_rc_t              rc;
    fwd_map_t            *answer;
    fwd_report_t          report;
    fwd_answer_input_t    input;
    fwd_answer_output_t   output;

    memset(out, 0, sizeof(fwd_try_verdict_t));
    memset(&report, 0, sizeof(report));
    memset(&input, 0, sizeof(input));
    memset(&output, 0, sizeof(output));
    report.pool = pool;

    out->reason = "";
    output.all.outcome = fwd_outcome_http(in->status);
    rc = FWD_NONE;
    fwd_buf_init(&output.reasons, FWD_TRY_REASONS_MAX);

    if (conf->desc->answer != NULL) {

        if (fwd_try_program(&answer, in->program, conf, fwd_answer_create,
                            &report)
            != FWD_OK)
        {
            return fwd_error(err, "%.250s", report.texts[0]);
        }

        input.status = in->status;
        input.headers.data = (const unsigned char *)
                             (in->headers ? in->headers : "");
        input.headers.len = in->headers ? strlen(in->headers) : 0;
        input.body = in->body;
        input.count = in->sent;
        input.attempt = in->attempt ? in->attempt : 1;
        input.endpoint = in->endpoint ? in->endpoint
                         : conf->desc->endpoints_count
                           ? conf->desc->endpoints[0].name : "main";
        input.keys = in->keys;

        rc = fwd_answer_run(answer, &input, &output, err);

        if (in->program == NULL) {
            fwd_map_destroy(answer);
        }

        if (rc == FWD_NONE) {
            output.all.outcome = fwd_outcome_http(in->status);
        }
    }

    if (rc != FWD_ERROR) {
        out->outcome = fwd_try_word(&output.all, &output);
        out->wait_ms = output.wait_ms ? output.wait_ms
                                      : fwd_try_wait(in, output.all.outcome);
        out->reason = fwd_pool_string(pool, output.reasons.data
                                            + output.all.reason,
                                      output.all.reason_len);
    }

    if (rc != FWD_ERROR && output.verdicts != NULL) {
        out->outcomes = fwd_pool_alloc(pool, (in->sent + 1) * sizeof(char *));
        out->reasons = fwd_pool_alloc(pool, (in->sent + 1) * sizeof(char *));

        for (i = 0; i < in->sent; i++) {
            out->outcomes[i] = fwd_try_word(&output.verdicts[i], NULL);
            out->reasons[i] =
                    fwd_pool_string(pool, output.reasons.data
                                          + output.verdicts[i].reason,
                                    output.verdicts[i].reason_len);
        }
    }

    free(output.verdicts);
    fwd_buf_free(&output.reasons);

    return rc == FWD_ERROR ? FWD_ERROR : FWD_OK;
}


/* Retry-After, where the status and the outcome are about waiting. */

static uint64_t
fwd_try_wait(const fwd_try_answer_t *in, fwd_outcome_t outcome)
{
    char         value[FWD_TRY_WAIT_MAX];
    size_t       len;
    uint64_t     wait_ms;
    const char  *line;

    if (outcome != FWD_OUTCOME_THROTTLED
        || fwd_outcome_http(in->status) != FWD_OUTCOME_THROTTLED)
    {
        return 0;
    }

    for (line = in->headers ? in->headers : ""; *line != '\0';
         line += len + (line[len] == '\n'))
    {
        len = strcspn(line, "\n");

        if (strncmp(line, "retry-after:", 12) != 0 || len - 12 >= sizeof(value))
        {
            continue;
        }

        memcpy(value, line + 12, len - 12);
        value[len - 12] = '\0';

        return fwd_outcome_retry_after(&wait_ms, value, in->now_ms) == FWD_OK
               ? wait_ms : 0;
    }

    return 0;
}


/* As answer.jq says it. */

const char *
fwd_try_word(const fwd_verdict_t *v, const fwd_answer_output_t *out)
{
    if (v->how == FWD_VERDICT_BACK) {
        return "again";
    }

    switch (v->outcome) {

    case FWD_OUTCOME_DELIVERED:
        return "ok";

    case FWD_OUTCOME_DROPPED:
        return "drop";

    case FWD_OUTCOME_REJECTED:
        return out == NULL ? "reject" : out->singly ? "singly"
               : out->whole ? "reject" : "split";

    case FWD_OUTCOME_CREDENTIALS:
        return (out != NULL && out->refresh) ? "refresh" : "credentials";

    default:
        return fwd_outcome_name(v->outcome);
    }
}
