
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A sequence without sending: its steps against answers that are given.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_jv.h"
#include "fwd_sequence.h"
#include "fwd_try_private.h"


/* One more than steps and their compensations, each renewed once. */
#define FWD_TRY_REQUESTS_MAX  (4 * FWD_SEQUENCE_STEPS_MAX + 1)


typedef struct {
    const fwd_try_exchange_t  *x;
    const fwd_dest_conf_t  *conf;
    fwd_sequence_t       *seq;
    fwd_steps_t          *steps;
    fwd_map_t            *answer;        /* NULL: the table of statuses */
    fwd_auth_t           *auth;
    jv                    cached;        /* {step: values} */
    uint32_t              requests;
} fwd_try_run_t;


static fwd_rc_t fwd_try_open(fwd_try_run_t *r, fwd_error_t *err);
static void fwd_try_close(fwd_try_run_t *r);
static fwd_rc_t fwd_try_steps(fwd_try_run_t *r, fwd_step_next_t *end,
    fwd_error_t *err);
static void fwd_try_lookup(fwd_try_run_t *r, const fwd_step_t *step);
static fwd_rc_t fwd_try_send(fwd_try_run_t *r, const fwd_step_t *step,
    fwd_step_next_t *next, fwd_error_t *err);
static fwd_rc_t fwd_try_step_call(fwd_try_run_t *r, const fwd_step_t *step,
    fwd_try_call_t *call, fwd_error_t *err);
static fwd_rc_t fwd_try_judge(fwd_try_run_t *r, const fwd_step_t *step,
    const fwd_try_answer_t *given, int renewed, fwd_step_next_t *next,
    fwd_error_t *err);
static int fwd_try_renews(const fwd_dest_conf_t *conf);
static void fwd_try_effect(fwd_try_run_t *r,
    const fwd_steps_effect_t *effect);
static void fwd_try_end(fwd_try_run_t *r, fwd_step_next_t end,
    fwd_try_steps_t *out);


fwd_rc_t
fwd_try_sequence(fwd_try_steps_t *out, const fwd_dest_conf_t *conf,
    const fwd_try_exchange_t *x, fwd_error_t *err)
{
    fwd_rc_t         rc;
    fwd_try_run_t    r;
    fwd_step_next_t  end;

    memset(out, 0, sizeof(fwd_try_steps_t));
    memset(&r, 0, sizeof(r));
    r.x = x;
    r.conf = conf;
    r.cached = x->cached ? jv_parse(x->cached) : jv_object();

    rc = fwd_try_open(&r, err);

    if (rc == FWD_OK) {
        rc = fwd_try_steps(&r, &end, err);
    }

    if (rc == FWD_OK) {
        fwd_try_end(&r, end, out);
    }

    fwd_try_close(&r);

    return rc;
}


static fwd_rc_t
fwd_try_open(fwd_try_run_t *r, fwd_error_t *err)
{
    fwd_rc_t                   rc;
    fwd_report_t               report;
    martech_str_t              nothing, place;
    const fwd_try_exchange_t  *x;

    x = r->x;
    memset(&report, 0, sizeof(report));
    memset(&nothing, 0, sizeof(nothing));
    report.pool = x->pool;

    if (jv_get_kind(r->cached) != JV_KIND_OBJECT) {
        return fwd_error(err, "what the cache holds is no object");
    }

    if (fwd_sequence_create(&r->seq, r->conf, &report) != FWD_OK
        || (r->conf->desc->answer != NULL
            && fwd_answer_create(&r->answer, r->conf, &report) != FWD_OK))
    {
        return fwd_error(err, "%.250s", report.texts[0]);
    }

    if (r->seq == NULL) {
        return fwd_error(err, "the destination has no sequence");
    }

    fwd_sequence_show(r->seq, x->in->show);
    r->steps = fwd_steps_begin(r->seq, x->record->text, nothing);

    if (r->steps == NULL) {
        return fwd_error(err, "out of memory");
    }

    if (x->place != NULL) {
        place.data = (const unsigned char *) x->place;
        place.len = strlen(x->place);

        if (fwd_steps_place(r->steps, place) != FWD_OK) {
            return fwd_error(err, "the sequence cannot stand there");
        }
    }

    rc = fwd_auth_create(&r->auth, NULL, r->conf, err);

    if (rc == FWD_OK && x->in->token != NULL) {
        rc = fwd_auth_given(r->auth, x->in->token, err);
    }

    return rc;
}


static void
fwd_try_close(fwd_try_run_t *r)
{
    fwd_auth_destroy(r->auth);
    fwd_steps_free(r->steps);
    fwd_sequence_destroy(r->seq);
    fwd_map_destroy(r->answer);
    jv_free(r->cached);
}


/* *end is SEND if there was no answer to the last request. */

static fwd_rc_t
fwd_try_steps(fwd_try_run_t *r, fwd_step_next_t *end, fwd_error_t *err)
{
    fwd_rc_t         rc;
    fwd_step_t       step;
    fwd_step_next_t  next;

    for ( ;; ) {
        next = fwd_steps_next(r->steps, &step);

        if (next == FWD_STEP_LOOKUP) {
            fwd_try_lookup(r, &step);
            continue;
        }

        if (next == FWD_STEP_SEND) {
            rc = fwd_try_send(r, &step, &next, err);

            if (rc == FWD_ERROR) {
                return FWD_ERROR;
            }
        }

        if (next != FWD_STEP_NEXT) {
            *end = next;
            return FWD_OK;
        }
    }
}


static void
fwd_try_lookup(fwd_try_run_t *r, const fwd_step_t *step)
{
    jv             value;
    fwd_buf_t      text;
    martech_str_t  found;

    fwd_buf_init(&text, FWD_SEQUENCE_CACHED_MAX);
    value = jv_object_get(jv_copy(r->cached), jv_string(step->name));

    if (jv_is_valid(value)) {
        fwd_jv_dump(&text, value);

    } else {
        jv_free(value);
    }

    found.data = text.data;
    found.len = text.len;
    fwd_steps_cached(r->steps, found);
    fwd_buf_free(&text);
}


static fwd_rc_t
fwd_try_send(fwd_try_run_t *r, const fwd_step_t *step, fwd_step_next_t *next,
    fwd_error_t *err)
{
    int               renewed;
    char              name[FWD_NAME_MAX + 2];
    fwd_rc_t          rc;
    fwd_try_call_t    call;
    fwd_try_answer_t  given;

    (void) snprintf(name, sizeof(name), "%s%s", step->name,
                    step->compensating ? "!" : "");

    renewed = 0;

    do {

        if (++r->requests > FWD_TRY_REQUESTS_MAX) {
            return fwd_error(err, "there is no end of requests");
        }

        if (fwd_try_step_call(r, step, &call, err) != FWD_OK) {
            return FWD_ERROR;
        }

        memset(&given, 0, sizeof(given));
        rc = r->x->answer(r->x->data, name, &call, &given);

        if (rc != FWD_OK) {
            *next = FWD_STEP_SEND;
            return FWD_NONE;
        }

        rc = fwd_try_judge(r, step, &given, renewed, next, err);
        renewed = 1;                     /* a second time it counts */

    } while (rc == FWD_AGAIN);

    return rc;
}


/* As a batch of one record. */

static fwd_rc_t
fwd_try_step_call(fwd_try_run_t *r, const fwd_step_t *step,
    fwd_try_call_t *call, fwd_error_t *err)
{
    fwd_rc_t      rc;
    fwd_item_t    item;
    fwd_event_t   event;
    fwd_steer_t   steer;
    fwd_batch_t  *batch;

    memset(&item, 0, sizeof(item));
    memset(&event, 0, sizeof(event));
    memset(&steer, 0, sizeof(steer));

    item.event = &event;
    fwd_try_message(&event, r->x->in->events[r->x->record->event],
                    r->x->pool);
    steer.endpoint = step->endpoint->index;
    steer.group = step->group;
    steer.path = step->path;

    batch = fwd_batch_create(NULL, NULL);

    if (batch == NULL || fwd_batch_add(batch, &item) != FWD_OK
        || fwd_batch_add_copy(batch, step->text.data, step->text.len)
           != FWD_OK
        || fwd_batch_steer(batch, &steer) != FWD_OK)
    {
        fwd_batch_free(batch);
        return fwd_error(err, "out of memory");
    }

    fwd_batch_seal(batch);

    if (fwd_calls_cut(batch, r->conf, 0) != FWD_OK) {
        fwd_batch_free(batch);
        return fwd_error(err, "out of memory");
    }

    batch->calls->list[0].step = step->name;
    batch->calls->list[0].undoes = step->compensating;

    rc = fwd_try_build(call, r->conf, r->x->in, batch, 0, r->auth,
                       r->x->pool, err);
    fwd_batch_free(batch);

    return rc;
}


/* As the engine does it.  FWD_AGAIN: credentials are new, once more. */

static fwd_rc_t
fwd_try_judge(fwd_try_run_t *r, const fwd_step_t *step,
    const fwd_try_answer_t *given, int renewed, fwd_step_next_t *next,
    fwd_error_t *err)
{
    fwd_rc_t             rc;
    fwd_verdict_t       *said;
    fwd_step_answer_t    answer;
    fwd_answer_input_t   in;
    fwd_steps_effect_t   effect;
    fwd_answer_output_t  out;

    memset(&in, 0, sizeof(in));
    memset(&out, 0, sizeof(out));
    memset(&answer, 0, sizeof(answer));
    fwd_buf_init(&out.reasons, FWD_TRY_REASONS_MAX);

    in.status = given->status;
    in.headers.data = (const unsigned char *)
                      (given->headers ? given->headers : "");
    in.headers.len = given->headers ? strlen(given->headers) : 0;
    in.body = given->body;
    in.count = 1;
    in.attempt = given->attempt ? given->attempt : 1;
    in.endpoint = step->endpoint->name;
    in.step = step->name;
    in.records = &step->text;
    in.answer_key = step->endpoint->answer_key;

    out.all.outcome = given->status ? fwd_outcome_http(given->status)
                                    : FWD_OUTCOME_AMBIGUOUS;
    rc = FWD_NONE;

    if (given->status != 0 && r->answer != NULL) {
        rc = fwd_answer_run(r->answer, &in, &out, err);

        if (rc == FWD_NONE) {
            out.all.outcome = fwd_outcome_http(given->status);
        }
    }

    if (rc == FWD_ERROR) {
        fwd_buf_free(&out.reasons);
        return FWD_ERROR;
    }

    if (!renewed && fwd_try_renews(r->conf)
        && out.all.outcome == FWD_OUTCOME_CREDENTIALS
        && (out.refresh || given->status == 401))
    {
        rc = FWD_AGAIN;

    } else {
        said = out.verdicts ? &out.verdicts[0] : &out.all;
        answer.outcome = said->outcome;
        answer.decided = (rc == FWD_OK && !out.by_status);
        answer.reason.data = out.reasons.data + said->reason;
        answer.reason.len = said->reason_len;
        answer.forget = out.forget;
        answer.in = given->status ? &in : NULL;

        *next = fwd_steps_answer(r->steps, &answer, &effect);
        fwd_try_effect(r, &effect);
        rc = FWD_OK;
    }

    free(out.verdicts);
    fwd_buf_free(&out.reasons);

    return rc;
}


static int
fwd_try_renews(const fwd_dest_conf_t *conf)
{
    const char  *kind;

    kind = conf->desc->auth.kind;

    return kind != NULL && strcmp(kind, fwd_auth_kinds[FWD_AUTH_OAUTH2]) == 0;
}


static void
fwd_try_effect(fwd_try_run_t *r, const fwd_steps_effect_t *effect)
{
    uint32_t  i;

    for (i = 0; i < effect->forget_count; i++) {
        r->cached = jv_object_delete(r->cached,
                                     jv_string(effect->forget[i].step));
    }

    if (effect->value.len != 0) {
        r->cached = jv_object_set(r->cached, jv_string(effect->store.step),
                        jv_parse_sized((const char *) effect->value.data,
                                       (int) effect->value.len));
    }
}


static void
fwd_try_end(fwd_try_run_t *r, fwd_step_next_t end, fwd_try_steps_t *out)
{
    fwd_buf_t      text;
    fwd_pool_t    *pool;
    const char    *at;
    fwd_verdict_t  verdict;

    pool = r->x->pool;
    memset(&verdict, 0, sizeof(verdict));
    verdict.outcome = fwd_steps_outcome(r->steps);
    at = (end == FWD_STEP_PAUSE || end == FWD_STEP_SEND)
         ? fwd_steps_at(r->steps, NULL) : "";

    out->outcome = (end == FWD_STEP_SEND) ? NULL
                                          : fwd_try_word(&verdict, NULL);
    out->reason = (end == FWD_STEP_PAUSE || end == FWD_STEP_DEAD)
                  ? fwd_pool_string(pool, fwd_steps_reason(r->steps),
                                    strlen(fwd_steps_reason(r->steps)))
                  : "";
    out->at = fwd_pool_string(pool, at, strlen(at));

    fwd_buf_init(&text, FWD_TRY_REASONS_MAX);
    fwd_jv_dump(&text, jv_copy(r->cached));
    out->cached = fwd_pool_string(pool, text.data ? (char *) text.data : "",
                                  text.len);
    fwd_buf_free(&text);
}
