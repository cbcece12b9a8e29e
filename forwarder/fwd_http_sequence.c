
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Sequences: the steps of a record as requests, one after another, in the
 * place of a single call.
 *
 * What is to be done next is said by fwd_sequence.h; here it is looked up,
 * paid for, sent, and what came of it is told.  Each request counts by itself
 * for the breaker, the limits and the numbers; the batch ends with the event.
 *
 * The next thing is always done from the end of a round: an answer may come
 * from within libcurl or from a connection to Redis that has just been lost.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_kind_http.h"
#include "fwd_shard.h"
#include "fwd_watch.h"


static void fwd_http_steps_go(void *data);
static void fwd_http_steps_recalled(void *data, martech_str_t value);
static void fwd_http_steps_granted(void *data, fwd_rc_t rc);
static int fwd_http_steps_lost(const fwd_request_t *rq);
static fwd_step_next_t fwd_http_steps_next(fwd_request_t *rq);
static fwd_rc_t fwd_http_steps_look(fwd_request_t *rq);
static void fwd_http_steps_cached(fwd_request_t *rq, martech_str_t value);
static fwd_rc_t fwd_http_steps_send(fwd_request_t *rq);
static fwd_rc_t fwd_http_steps_call(fwd_request_t *rq);
static void fwd_http_steps_count(fwd_request_t *rq);
static fwd_step_next_t fwd_http_steps_tell(fwd_request_t *rq);
static void fwd_http_steps_failed(fwd_request_t *rq);
static void fwd_http_steps_keep(fwd_request_t *rq,
    const fwd_steps_effect_t *effect);
static fwd_step_next_t fwd_http_steps_last(fwd_request_t *rq,
    fwd_step_next_t next);
static void fwd_http_steps_end(fwd_request_t *rq, fwd_step_next_t next);
static void fwd_http_steps_say(fwd_request_t *rq, const char *at);
static void fwd_http_steps_dead(fwd_request_t *rq);
static void fwd_http_steps_progress(fwd_request_t *rq);
static void fwd_http_steps_enter(fwd_request_t *rq);
static void fwd_http_steps_leave(fwd_request_t *rq);


void
fwd_http_steps_init(fwd_request_t *rq)
{
    fwd_post_init(&rq->go, fwd_http_steps_go, rq);
    rq->recall.done = fwd_http_steps_recalled;
    rq->recall.data = rq;
    rq->tokens.done = fwd_http_steps_granted;
    rq->tokens.data = rq;
}


void
fwd_http_steps_cancel(fwd_request_t *rq)
{
    fwd_post_cancel(&rq->go);
    fwd_recall_cancel(&rq->recall);
    fwd_gate_cancel(&rq->tokens);
    fwd_steps_free(rq->steps);
    rq->steps = NULL;
}


fwd_rc_t
fwd_http_steps_start(fwd_request_t *rq)
{
    fwd_batch_t           *batch;
    martech_str_t          progress;
    const fwd_attempts_t  *tries;

    batch = rq->batch;
    tries = batch->items[0]->tries;
    memset(&progress, 0, sizeof(progress));

    if (tries != NULL && tries->progress != NULL) {
        progress.data = (const unsigned char *) tries->progress;
        progress.len = strlen(tries->progress);
    }

    batch->calls->next = 0;
    batch->counted = 1;
    rq->tokens.batch = batch;
    rq->paid = 0;
    rq->begun = 0;
    memset(&rq->failed, 0, sizeof(rq->failed));

    fwd_http_steps_enter(rq);
    rq->steps = fwd_steps_begin(rq->sender->sequence, batch->records[0],
                                progress);
    fwd_http_steps_leave(rq);

    if (rq->steps == NULL) {
        return fwd_call_fail(rq, FWD_OUTCOME_PAUSED, "out of memory");
    }

    fwd_post(rq->sender->core, &rq->go);

    return FWD_OK;
}


static void
fwd_http_steps_go(void *data)
{
    fwd_rc_t         rc;
    fwd_request_t   *rq = data;
    fwd_step_next_t  next;

    for ( ;; ) {

        if (fwd_http_steps_lost(rq)) {
            (void) fwd_call_fail(rq, FWD_OUTCOME_PAUSED, "the shard is lost");
            fwd_http_steps_end(rq, FWD_STEP_NEXT);
            return;
        }

        next = fwd_http_steps_next(rq);

        switch (next) {

        case FWD_STEP_LOOKUP:
            rc = fwd_http_steps_look(rq);
            break;

        case FWD_STEP_SEND:
            rc = fwd_http_steps_send(rq);
            break;

        default:
            fwd_http_steps_end(rq, next);
            return;
        }

        if (rc == FWD_AGAIN) {
            return;                      /* somebody will call */
        }

        if (rc == FWD_ERROR) {
            fwd_http_steps_ended(rq);
            return;
        }
    }
}


/* Whoever has the shard now does it: from where it stood in Redis. */

static int
fwd_http_steps_lost(const fwd_request_t *rq)
{
    const fwd_item_t  *item;

    item = rq->batch->items[0];

    return item->queue == NULL || !fwd_shard_owned(item->queue->shard);
}


static fwd_step_next_t
fwd_http_steps_next(fwd_request_t *rq)
{
    fwd_step_next_t  next;

    fwd_http_steps_enter(rq);
    next = fwd_steps_next(rq->steps, &rq->step);
    fwd_http_steps_leave(rq);

    return next;
}


/* FWD_OK: it is known whether it is known. */

static fwd_rc_t
fwd_http_steps_look(fwd_request_t *rq)
{
    martech_str_t     value;
    fwd_recall_key_t  key;

    key.dest = rq->sender->conf->name;
    key.step = rq->step.name;
    key.digest = rq->step.key;
    memset(&value, 0, sizeof(value));

    if (fwd_recall_get(rq->sender->core->engine, &key, &rq->recall, &value)
        == FWD_AGAIN)
    {
        return FWD_AGAIN;
    }

    fwd_http_steps_cached(rq, value);

    return FWD_OK;
}


static void
fwd_http_steps_recalled(void *data, martech_str_t value)
{
    fwd_request_t  *rq = data;

    fwd_http_steps_cached(rq, value);
    fwd_post(rq->sender->core, &rq->go);
}


static void
fwd_http_steps_cached(fwd_request_t *rq, martech_str_t value)
{
    fwd_http_steps_enter(rq);
    fwd_steps_cached(rq->steps, value);
    fwd_http_steps_leave(rq);
}


/* FWD_ERROR: it is not sent, and the outcome is set. */

static fwd_rc_t
fwd_http_steps_send(fwd_request_t *rq)
{
    fwd_rc_t      rc;
    fwd_batch_t  *batch;

    batch = rq->batch;

    if (fwd_http_steps_call(rq) != FWD_OK) {
        return fwd_call_fail(rq, FWD_OUTCOME_PAUSED, "out of memory");
    }

    if (!rq->paid) {
        rq->tokens.events = rq->begun ? 0 : 1;
        rc = fwd_gate_step(batch->dest, &rq->tokens);

        if (rc == FWD_AGAIN) {
            return FWD_AGAIN;
        }

        if (rc != FWD_OK) {
            return fwd_call_fail(rq, FWD_OUTCOME_PAUSED,
                                 "the destination is parked");
        }
    }

    fwd_fail(rq->sender->core, FWD_FAIL_BEFORE_SEND);

    rq->paid = 0;
    rq->waited = 0;
    rq->refreshed = 0;
    rq->forget[0] = '\0';
    batch->started_us = uv_hrtime() / 1000;
    batch->reason[0] = '\0';
    fwd_batch_reset_call(batch);

    return fwd_call_start(rq) == FWD_OK ? FWD_AGAIN : FWD_ERROR;
}


static void
fwd_http_steps_granted(void *data, fwd_rc_t rc)
{
    fwd_request_t  *rq = data;

    rq->paid = (rc == FWD_OK);
    fwd_post(rq->sender->core, &rq->go);
}


/*
 * The step as the present call.  Its texts are copied: they have to be there
 * for a dead letter, when the steps are gone.
 */

static fwd_rc_t
fwd_http_steps_call(fwd_request_t *rq)
{
    fwd_buf_t         *own;
    fwd_call_t        *call;
    fwd_calls_t       *calls;
    martech_str_t     *text;
    const fwd_step_t  *step;

    step = &rq->step;
    calls = rq->batch->calls;
    calls->next = step->compensating ? 1 : 0;
    call = &calls->list[calls->next];
    text = &calls->texts[call->first];
    own = &call->own;

    fwd_buf_reset(own);
    fwd_buf_add(own, step->text.data, step->text.len);
    fwd_buf_add(own, step->group.data, step->group.len);
    fwd_buf_add(own, step->path.data, step->path.len);
    fwd_buf_add_string(own, step->name);
    fwd_buf_add_char(own, '\0');

    if (own->failed) {
        return FWD_AGAIN;
    }

    if (call->exchange != NULL) {
        call->exchange->requested = 0;   /* that was another step */
    }

    text->data = own->data;
    text->len = step->text.len;
    call->group.data = text->data + text->len;
    call->group.len = step->group.len;
    call->path.data = call->group.data + call->group.len;
    call->path.len = step->path.len;
    call->step = (const char *) call->path.data + call->path.len;
    call->endpoint = step->endpoint;
    call->bytes = step->text.len;
    memset(&calls->arrays[call->first], 0, sizeof(martech_str_t));

    return FWD_OK;
}


void
fwd_http_steps_ended(fwd_request_t *rq)
{
    fwd_step_next_t  next;

    fwd_fail(rq->sender->core, FWD_FAIL_AFTER_SEND);

    fwd_http_steps_count(rq);
    next = fwd_http_steps_last(rq, fwd_http_steps_tell(rq));

    if (next == FWD_STEP_NEXT) {
        fwd_post(rq->sender->core, &rq->go);
        return;
    }

    fwd_http_steps_end(rq, next);
}


/* Of what was not sent nothing is to be learned, but for credentials. */

static void
fwd_http_steps_count(fwd_request_t *rq)
{
    fwd_batch_t  *batch;

    batch = rq->batch;

    if (batch->outcome == FWD_OUTCOME_PAUSED) {
        return;
    }

    fwd_batch_count(batch, 0);           /* the event, when it has ended */

    rq->begun = 1;
    batch->probe = 0;
    memset(&batch->ticket, 0, sizeof(batch->ticket));
}


static fwd_step_next_t
fwd_http_steps_tell(fwd_request_t *rq)
{
    fwd_batch_t         *batch;
    const fwd_call_t    *call;
    fwd_step_next_t      next;
    fwd_step_answer_t    answer;
    fwd_answer_input_t   in;
    fwd_steps_effect_t   effect;

    batch = rq->batch;
    call = &batch->calls->list[batch->calls->next];

    memset(&in, 0, sizeof(in));
    in.status = batch->status;
    in.headers.data = rq->reply.headers.data;
    in.headers.len = rq->reply.headers.len;
    in.body.data = rq->reply.body.data;
    in.body.len = rq->reply.body.len;
    in.count = 1;
    in.attempt = batch->attempt;
    in.endpoint = call->endpoint->name;
    in.step = call->step;
    in.records = &batch->calls->texts[call->first];
    in.answer_key = call->endpoint->answer_key;
    in.cut = rq->reply.cut;

    memset(&answer, 0, sizeof(answer));
    answer.outcome = batch->outcome;
    answer.decided = batch->decided;
    answer.forget = rq->forget[0] ? rq->forget : NULL;
    answer.in = batch->status ? &in : NULL;

    if (batch->said.reason_len != 0) {
        answer.reason.data = batch->reasons.data + batch->said.reason;
        answer.reason.len = batch->said.reason_len;
    }

    memset(&effect, 0, sizeof(effect));

    fwd_http_steps_enter(rq);
    next = fwd_steps_answer(rq->steps, &answer, &effect);
    fwd_http_steps_leave(rq);

    fwd_http_steps_failed(rq);
    fwd_http_steps_keep(rq, &effect);

    return next;
}


/* The answer that begins to undo what was done is that of the dead letter. */

static void
fwd_http_steps_failed(fwd_request_t *rq)
{
    if (rq->batch->calls->next == 0) {
        rq->failed = rq->batch->said;
    }
}


static void
fwd_http_steps_keep(fwd_request_t *rq, const fwd_steps_effect_t *effect)
{
    uint32_t           i;
    fwd_engine_t      *engine;
    fwd_recall_key_t   key;

    engine = rq->sender->core->engine;
    key.dest = rq->sender->conf->name;

    for (i = 0; i < effect->forget_count; i++) {
        key.step = effect->forget[i].step;
        key.digest = effect->forget[i].key;
        fwd_recall_forget(engine, &key);
    }

    if (effect->value.len != 0) {
        key.step = effect->store.step;
        key.digest = effect->store.key;
        fwd_recall_put(engine, &key, effect->value, effect->ttl_ms);
    }
}


/* A pause after which nothing would follow is a failure for good. */

static fwd_step_next_t
fwd_http_steps_last(fwd_request_t *rq, fwd_step_next_t next)
{
    const char  *reason;

    if (next != FWD_STEP_PAUSE) {
        return next;
    }

    reason = fwd_batch_last(rq->batch, fwd_steps_outcome(rq->steps));

    if (reason == NULL) {
        return FWD_STEP_PAUSE;
    }

    fwd_http_steps_enter(rq);
    next = fwd_steps_fail(rq->steps, reason);
    fwd_http_steps_leave(rq);

    return next;
}


/* NEXT: it has not ended, and the outcome is set. */

static void
fwd_http_steps_end(fwd_request_t *rq, fwd_step_next_t next)
{
    fwd_batch_t  *batch;

    batch = rq->batch;

    fwd_http_steps_progress(rq);

    if (next != FWD_STEP_NEXT) {
        batch->outcome = fwd_steps_outcome(rq->steps);
    }

    if (next == FWD_STEP_PAUSE) {
        fwd_http_steps_say(rq, fwd_steps_at(rq->steps, NULL));
    }

    if (next == FWD_STEP_DEAD) {
        fwd_http_steps_dead(rq);
        fwd_http_steps_say(rq, batch->dead);
    }

    batch->decided = 1;
    batch->dest->stats->warnings += fwd_steps_warnings(rq->steps);
    batch->calls->next = 0;
    free(batch->verdicts);
    batch->verdicts = NULL;

    fwd_steps_free(rq->steps);
    rq->steps = NULL;

    fwd_request_end(rq);
}


/* The log is told the step; what a vendor says of it may be personal. */

static void
fwd_http_steps_say(fwd_request_t *rq, const char *at)
{
    char          why[sizeof(rq->batch->reason)];
    fwd_batch_t  *batch;

    batch = rq->batch;
    (void) snprintf(why, sizeof(why), "%s", batch->reason);
    (void) snprintf(batch->reason, sizeof(batch->reason), "step %.*s%s%.200s",
                    (int) strcspn(at, ":"), at, why[0] ? ": " : "", why);
}


static void
fwd_http_steps_dead(fwd_request_t *rq)
{
    fwd_batch_t           *batch;
    const fwd_exchange_t  *kept;

    batch = rq->batch;
    kept = batch->calls->list[0].exchange;

    (void) snprintf(batch->dead, sizeof(batch->dead), "%s",
                    fwd_steps_reason(rq->steps));
    batch->said = rq->failed;
    batch->status = (kept != NULL && kept->requested) ? kept->status : 0;

    if (batch->dead[0] == '\0') {
        (void) snprintf(batch->dead, sizeof(batch->dead), "%s",
                        fwd_outcome_name(FWD_OUTCOME_REJECTED));
    }

    if (fwd_outcome_is_good(batch->outcome)) {
        batch->outcome = FWD_OUTCOME_REJECTED;
    }
}


/* With the event: it goes wherever its attempts go. */

static void
fwd_http_steps_progress(fwd_request_t *rq)
{
    fwd_buf_t       text;
    fwd_item_t     *item;
    martech_str_t   slice;

    item = rq->batch->items[0];
    fwd_buf_init(&text, FWD_ATTEMPTS_PROGRESS_MAX);

    if (fwd_steps_progress(rq->steps, &text) == FWD_OK) {
        slice.data = text.data;
        slice.len = text.len;
        fwd_item_progress(item, slice);
    }

    fwd_buf_free(&text);
}


/* Under the eyes of the watchdog, in the name of the event. */

static void
fwd_http_steps_enter(fwd_request_t *rq)
{
    fwd_dest_t        *dest;
    const fwd_item_t  *item;

    dest = rq->batch->dest;
    item = rq->batch->items[0];

    fwd_watch_enter(dest->engine->stats, FWD_PROGRAM_MAP, dest->index,
                    item->queue ? item->queue->shard->index : 0,
                    item->event->id, item->event->message_id);
}


static void
fwd_http_steps_leave(fwd_request_t *rq)
{
    fwd_watch_leave(rq->batch->dest->engine->stats);
}
