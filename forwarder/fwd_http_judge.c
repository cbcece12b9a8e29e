
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What has come of an HTTP request: delivered, refused, or nobody knows.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_answer.h"
#include "fwd_kind_http.h"
#include "fwd_shard.h"
#include "fwd_watch.h"


static fwd_outcome_t fwd_request_broken(fwd_request_t *rq, CURLcode code);
static fwd_rc_t fwd_request_run(fwd_request_t *rq,
    const fwd_answer_input_t *in, fwd_answer_output_t *out, fwd_error_t *err);
static void fwd_request_ask(fwd_request_t *rq, int whole);
static void fwd_request_keep(fwd_request_t *rq);


void
fwd_request_judge(fwd_request_t *rq, CURLcode code)
{
    int           whole;
    long          status;
    fwd_batch_t  *batch;

    batch = rq->batch;
    status = 0;
    rq->forget[0] = '\0';

    (void) curl_easy_getinfo(rq->easy, CURLINFO_RESPONSE_CODE, &status);
    batch->status = (int) status;

    whole = (code == CURLE_OK
             || (code == CURLE_WRITE_ERROR && rq->reply.cut));

    /*
     * A refusal is one also if its text was cut off; half of a success may
     * be anything.
     */

    if (whole || (status >= 300 && !rq->reply.flooded)) {
        batch->outcome = fwd_outcome_http((int) status);

        if (batch->outcome == FWD_OUTCOME_THROTTLED
            && fwd_outcome_retry_after(&batch->wait_ms, rq->reply.retry_after,
                                       fwd_wall_ms())
               != FWD_OK)
        {
            batch->wait_ms = 0;
        }

        if (rq->sender->answer != NULL) {
            fwd_request_ask(rq, whole);
        }

    } else {
        batch->outcome = fwd_request_broken(rq, code);
        (void) snprintf(batch->reason, sizeof(batch->reason), "%s",
                        rq->reply.flooded ? "the head of the answer is too "
                                            "long"
                                          : curl_easy_strerror(code));

        if (rq->guard.refused != NULL) {
            (void) snprintf(batch->reason, sizeof(batch->reason),
                            "the host has an address that is refused: %s",
                            rq->guard.refused);
        }
    }

    /* a step may fail although its answer was a good one */

    if (!fwd_outcome_is_good(batch->outcome) || batch->verdicts != NULL
        || rq->steps != NULL)
    {
        fwd_request_keep(rq);
    }
}


/* What it means that there is no answer, or only a part of it. */

static fwd_outcome_t
fwd_request_broken(fwd_request_t *rq, CURLcode code)
{
    curl_off_t  sent, begun;

    sent = 0;
    begun = 0;

    (void) curl_easy_getinfo(rq->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    (void) curl_easy_getinfo(rq->easy, CURLINFO_PRETRANSFER_TIME_T, &begun);

    if (rq->guard.sent && code == CURLE_ABORTED_BY_CALLBACK) {
        return FWD_OUTCOME_AMBIGUOUS;    /* it was not to be repeated */
    }

    if (begun == 0) {
        rq->batch->connect_failed = 1;   /* not even the handshake */
        return FWD_OUTCOME_RETRY;
    }

    /* sent in part: nobody acts on half a request */

    return (size_t) sent >= rq->body_len ? FWD_OUTCOME_AMBIGUOUS
                                         : FWD_OUTCOME_RETRY;
}


/* Under the eyes of the watchdog, in the name of the first event. */

static fwd_rc_t
fwd_request_run(fwd_request_t *rq, const fwd_answer_input_t *in,
    fwd_answer_output_t *out, fwd_error_t *err)
{
    fwd_rc_t           rc;
    fwd_dest_t        *dest;
    fwd_item_t        *item;
    fwd_loop_stats_t  *stats;

    dest = rq->batch->dest;
    item = rq->batch->items[0];
    stats = dest->engine->stats;

    fwd_watch_enter(stats, FWD_PROGRAM_MAP, dest->index,
                    item->queue ? item->queue->shard->index : 0,
                    item->event->id, item->event->message_id);
    rc = fwd_answer_run(rq->sender->answer, in, out, err);
    fwd_watch_leave(stats);

    return rc;
}


/* What the destination's own program makes of the answer. */

static void
fwd_request_ask(fwd_request_t *rq, int whole)
{
    int                  single;
    fwd_rc_t             rc;
    fwd_batch_t         *batch;
    fwd_error_t          err;
    const fwd_call_t    *call;
    fwd_answer_input_t   in;
    fwd_answer_output_t  out;

    batch = rq->batch;
    call = batch->calls ? &batch->calls->list[batch->calls->next] : NULL;
    memset(&in, 0, sizeof(in));
    single = (call == NULL
              ? rq->sender->conf->http.framing == FWD_FRAMING_OBJECT
              : call->step != NULL);

    in.status = batch->status;
    in.headers.data = rq->reply.headers.data;
    in.headers.len = rq->reply.headers.len;
    in.body.data = rq->reply.body.data;
    in.body.len = rq->reply.body.len;
    in.count = (call != NULL) ? call->count
               : single ? 1 : batch->records_count;
    in.endpoint = (call != NULL) ? call->endpoint->name : NULL;
    in.attempt = batch->attempt;

    if (call != NULL) {
        in.records = &batch->calls->texts[call->first];
        in.answer_key = call->endpoint->answer_key;
        in.step = call->step;
    }

    in.cut = (rq->reply.cut || !whole);

    out.reasons = batch->reasons;
    rc = fwd_request_run(rq, &in, &out, &err);
    batch->reasons = out.reasons;

    if (rc == FWD_NONE) {
        return;
    }

    if (rc == FWD_ERROR) {
        batch->outcome = FWD_OUTCOME_RETRY;
        batch->wait_ms = 0;
        batch->answer_error = 1;
        (void) snprintf(batch->reason, sizeof(batch->reason),
                        "answer_error: %.200s", err.text);
        return;
    }

    batch->outcome = out.all.outcome;
    batch->said = out.all;
    batch->whole = out.whole;
    batch->decided = !out.by_status;
    batch->singly = out.singly;
    rq->refresh = out.refresh;
    memcpy(rq->forget, out.forget, sizeof(rq->forget));
    batch->dest->stats->warnings += out.warning;

    if (out.wait_ms != 0) {
        batch->wait_ms = out.wait_ms;

    } else if (batch->outcome != FWD_OUTCOME_THROTTLED) {
        batch->wait_ms = 0;
    }

    if (single && out.verdicts != NULL) {

        /* of several requests of one event the one that fails decides */

        batch->outcome = out.verdicts[0].outcome;
        batch->said = out.verdicts[0];
        batch->decided = 1;
        free(out.verdicts);
        out.verdicts = NULL;
    }

    batch->verdicts = out.verdicts;
}


/* For a dead letter, should it become one. */

static void
fwd_request_keep(fwd_request_t *rq)
{
    size_t           len;
    uint32_t         i;
    fwd_exchange_t  *kept;

    kept = &rq->batch->exchange;

    if (rq->batch->calls != NULL) {
        kept = fwd_call_exchange(rq->batch);

        if (kept == NULL) {
            return;
        }

        fwd_buf_reset(&kept->request_headers);
        fwd_buf_reset(&kept->url);
        fwd_buf_add(&kept->url, rq->call.url.data, rq->call.url.len);
        fwd_buf_add(&kept->request_headers, rq->call.headers.data,
                    rq->call.headers.len);
        kept->status = rq->batch->status;

    } else {
        fwd_buf_reset(&kept->request_headers);
    }

    kept->requested = 1;
    kept->part = rq->part;

    for (i = 0; i < rq->headers_count; i++) {
        fwd_buf_add_string(&kept->request_headers, rq->lines[i]);
        fwd_buf_add_char(&kept->request_headers, '\n');
    }

    fwd_buf_reset(&kept->headers);
    fwd_buf_add(&kept->headers, rq->reply.headers.data,
                rq->reply.headers.len);

    len = rq->reply.body.len;

    fwd_buf_reset(&kept->answer);
    fwd_buf_add(&kept->answer, rq->reply.body.data,
                len < FWD_EXCHANGE_ANSWER_MAX ? len
                                              : FWD_EXCHANGE_ANSWER_MAX);
}
