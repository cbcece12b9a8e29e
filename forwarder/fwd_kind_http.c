
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The kind http: frames records, signs, and posts.
 *
 * A batch is one request, except with framing object: there each record is a
 * request of its own, sent one after the other, and the event is delivered
 * when all of them are.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_answer.h"
#include "fwd_gate.h"
#include "fwd_kind_http.h"
#include "fwd_sign.h"


#define FWD_BODY_MAX  (512UL * 1024 * 1024)


static fwd_rc_t fwd_sender_create(void **ctx, fwd_core_t *core,
    const fwd_dest_conf_t *conf, fwd_error_t *err);
static fwd_rc_t fwd_sender_sequence(fwd_sender_t *sender, fwd_error_t *err);
static void fwd_sender_send(void *ctx, fwd_batch_t *batch);
static void fwd_sender_destroy(void *ctx);
static int fwd_request_again(void *data);
static fwd_request_t *fwd_request_create(fwd_sender_t *sender);
static void fwd_request_free(fwd_request_t *rq);
static fwd_rc_t fwd_request_start(fwd_request_t *rq);
static martech_str_t fwd_request_body(fwd_request_t *rq);
static void fwd_request_id(fwd_request_t *rq, char *id);
static void fwd_request_header(fwd_request_t *rq, const char *name,
    const char *value);
static size_t fwd_request_on_body(char *data, size_t size, size_t n,
    void *userdata);
static size_t fwd_request_on_header(char *data, size_t size, size_t n,
    void *userdata);
static void fwd_request_done(CURL *easy, CURLcode code);
static void fwd_sender_fail(void *data);


const fwd_kind_t  fwd_kind_http = {
    "http",
    fwd_sender_create,
    fwd_sender_send,
    fwd_sender_destroy
};


/* In every request: no round trip for "100 Continue", no compression. */
static const char *const  fwd_sender_headers[] = {
    "Expect:", "Accept-Encoding: identity"
};

static const char *const  fwd_request_methods[] = {
    [FWD_METHOD_POST] = "POST",
    [FWD_METHOD_PUT] = "PUT",
    [FWD_METHOD_PATCH] = "PATCH"
};


static fwd_rc_t
fwd_sender_create(void **ctx, fwd_core_t *core, const fwd_dest_conf_t *conf,
    fwd_error_t *err)
{
    size_t              i;
    fwd_rc_t            rc;
    fwd_pool_t          pool;
    fwd_report_t        report;
    fwd_sender_t       *sender;
    struct curl_slist  *list;

    sender = calloc(1, sizeof(fwd_sender_t));
    if (sender == NULL) {
        return fwd_error(err, "out of memory");
    }

    sender->core = core;
    sender->conf = conf;
    (void) fwd_error(err, "out of memory");

    fwd_list_init(&sender->idle);
    fwd_list_init(&sender->active);
    fwd_list_init(&sender->failed);
    fwd_buf_init(&sender->ids, FWD_BODY_MAX);
    fwd_post_init(&sender->fail, fwd_sender_fail, sender);

    for (i = 0; i < conf->http.headers_count; i++) {
        list = curl_slist_append(sender->headers, conf->http.headers[i]);
        if (list == NULL) {
            goto failed;
        }

        sender->headers = list;
    }

    for (i = 0; i < sizeof(fwd_sender_headers) / sizeof(char *); i++) {
        list = curl_slist_append(sender->headers, fwd_sender_headers[i]);
        if (list == NULL) {
            goto failed;
        }

        sender->headers = list;
    }

    if (conf->desc->answer != NULL) {
        memset(&report, 0, sizeof(fwd_report_t));
        fwd_pool_init(&pool);
        report.pool = &pool;

        rc = fwd_answer_create(&sender->answer, conf, &report);

        if (rc != FWD_OK) {
            sender->answer = NULL;
            (void) fwd_error(err, "%s", report.texts[0]);
        }

        fwd_pool_free(&pool);

        if (rc != FWD_OK) {
            goto failed;
        }
    }

    if (conf->http.endpoints != NULL
        && fwd_auth_create(&sender->auth, core, conf, err) != FWD_OK)
    {
        goto failed;
    }

    if (fwd_sender_sequence(sender, err) != FWD_OK) {
        goto failed;
    }

    sender->http = fwd_http_create(core, fwd_request_done);
    if (sender->http == NULL) {
        goto failed;
    }

    *ctx = sender;

    return FWD_OK;

failed:

    fwd_sequence_destroy(sender->sequence);
    fwd_auth_destroy(sender->auth);
    fwd_map_destroy(sender->answer);
    curl_slist_free_all(sender->headers);
    free(sender);

    return FWD_ERROR;
}


static fwd_rc_t
fwd_sender_sequence(fwd_sender_t *sender, fwd_error_t *err)
{
    fwd_rc_t      rc;
    fwd_pool_t    pool;
    fwd_report_t  report;

    if (sender->conf->http.endpoints == NULL) {
        return FWD_OK;
    }

    memset(&report, 0, sizeof(fwd_report_t));
    fwd_pool_init(&pool);
    report.pool = &pool;

    rc = fwd_sequence_create(&sender->sequence, sender->conf, &report);

    if (rc != FWD_OK) {
        sender->sequence = NULL;
        (void) fwd_error(err, "%s", report.texts[0]);
    }

    fwd_pool_free(&pool);

    return rc;
}


static void
fwd_sender_destroy(void *ctx)
{
    fwd_request_t  *rq;
    fwd_sender_t   *sender = ctx;

    fwd_post_cancel(&sender->fail);
    fwd_list_move(&sender->active, &sender->failed);

    while (!fwd_list_empty(&sender->active)) {
        rq = fwd_list_data(sender->active.next, fwd_request_t, link);
        fwd_http_cancel(sender->http, rq->easy);
        fwd_call_unwait(rq);
        fwd_http_steps_cancel(rq);

        /* sent or not, nobody knows: it stays queued */

        while (rq->batch->items_count != 0) {
            fwd_item_free(rq->batch->items[--rq->batch->items_count]);
        }

        fwd_batch_free(rq->batch);
        fwd_request_free(rq);
    }

    while (!fwd_list_empty(&sender->idle)) {
        fwd_request_free(fwd_list_data(sender->idle.next, fwd_request_t,
                                       link));
    }

    fwd_http_destroy(sender->http);
    fwd_sequence_destroy(sender->sequence);
    fwd_auth_destroy(sender->auth);
    fwd_map_destroy(sender->answer);
    curl_slist_free_all(sender->headers);
    fwd_buf_free(&sender->ids);
    free(sender);
}


static void
fwd_sender_send(void *ctx, fwd_batch_t *batch)
{
    fwd_sender_t   *sender = ctx;
    fwd_request_t  *rq;

    if (fwd_list_empty(&sender->idle)) {
        rq = fwd_request_create(sender);

    } else {
        rq = fwd_list_data(sender->idle.next, fwd_request_t, link);
        fwd_list_remove(&rq->link);
    }

    if (rq == NULL) {
        batch->outcome = FWD_OUTCOME_PAUSED;
        (void) snprintf(batch->reason, sizeof(batch->reason),
                        "out of memory");
        fwd_batch_done(batch);
        return;
    }

    fwd_list_push(&sender->active, &rq->link);

    rq->batch = batch;
    rq->part = 0;

    if ((batch->calls ? fwd_call_start(rq) : fwd_request_start(rq))
        != FWD_OK)
    {
        /* not from here: the caller is in the middle of its round */

        fwd_list_remove(&rq->link);
        fwd_list_push(&sender->failed, &rq->link);
        fwd_post(sender->core, &sender->fail);
    }
}


static void
fwd_sender_fail(void *data)
{
    fwd_request_t  *rq;
    fwd_sender_t   *sender = data;

    while (!fwd_list_empty(&sender->failed)) {
        rq = fwd_list_data(sender->failed.next, fwd_request_t, link);

        if (rq->batch->calls != NULL) {
            fwd_list_remove(&rq->link);
            fwd_list_push(&sender->active, &rq->link);
            fwd_call_ended(rq);
            continue;
        }

        rq->batch->outcome = FWD_OUTCOME_PAUSED;
        (void) snprintf(rq->batch->reason, sizeof(rq->batch->reason),
                        "request cannot be made");
        fwd_request_end(rq);
    }
}


static fwd_request_t *
fwd_request_create(fwd_sender_t *sender)
{
    CURL                 *easy;
    fwd_request_t        *rq;
    const fwd_limits_t   *limits;

    rq = calloc(1, sizeof(fwd_request_t));
    if (rq == NULL) {
        return NULL;
    }

    easy = fwd_http_easy(sender->http);
    if (easy == NULL) {
        free(rq);
        return NULL;
    }

    rq->sender = sender;
    rq->easy = easy;
    fwd_call_init(rq);
    fwd_buf_init(&rq->body, FWD_BODY_MAX);
    fwd_reply_init(&rq->reply);
    rq->reply.more = sender->conf->desc->answer_headers.list;
    rq->reply.more_count = sender->conf->desc->answer_headers.count;

    limits = &sender->conf->limits;

    fwd_safe_attach(&rq->guard, &sender->conf->http.safe, easy);
    rq->guard.again = fwd_request_again;
    rq->guard.data = rq;

    /* what stays the same for all requests; the rest is set by start */

    (void) curl_easy_setopt(easy, CURLOPT_PRIVATE, rq);

    if (sender->conf->http.endpoints == NULL) {
        (void) curl_easy_setopt(easy, CURLOPT_URL, sender->conf->http.url);
        (void) curl_easy_setopt(easy, CURLOPT_POST, 1L);
        (void) curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST,
                         fwd_request_methods[sender->conf->http.method]);
    }

    (void) curl_easy_setopt(easy, CURLOPT_USERAGENT,
                            "martech-forwarder/" MARTECH_VERSION);
    (void) curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                            (long) limits->timeout_ms);
    (void) curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                            (long) limits->connect_timeout_ms);

    if (sender->conf->policy.ambiguous != FWD_AMBIGUOUS_RETRY) {

        /*
         * A request that dies on a used connection is sent again by libcurl
         * itself, and it cannot be told not to: no connection is used twice.
         */

        (void) curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    }

    (void) curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION,
                            fwd_request_on_body);
    (void) curl_easy_setopt(easy, CURLOPT_WRITEDATA, rq);
    (void) curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION,
                            fwd_request_on_header);
    (void) curl_easy_setopt(easy, CURLOPT_HEADERDATA, rq);

    return rq;
}


/* May libcurl repeat the request by itself?  The vendor counts it, so do we. */

static int
fwd_request_again(void *data)
{
    fwd_request_t  *rq = data;

    return fwd_gate_repeat(rq->batch->dest, rq->batch) == FWD_OK;
}


static void
fwd_request_free(fwd_request_t *rq)
{
    fwd_list_remove(&rq->link);
    curl_easy_cleanup(rq->easy);
    fwd_call_free(rq);
    fwd_buf_free(&rq->body);
    fwd_reply_free(&rq->reply);
    free(rq);
}


static fwd_rc_t
fwd_request_start(fwd_request_t *rq)
{
    char                      id[FWD_SIGN_ID_MAX], text[FWD_SIGN_TEXT_MAX];
    char                      stamp[24], traceparent[64];
    uint64_t                  now_s;
    martech_str_t             body;
    const martech_str_t      *trace;
    const fwd_http_target_t  *target;

    target = &rq->sender->conf->http;

    fwd_reply_reset(&rq->reply);
    rq->headers_count = 0;
    rq->guard.refused = NULL;
    rq->guard.sent = 0;

    body = fwd_request_body(rq);
    if (body.data == NULL) {
        return FWD_ERROR;
    }

    rq->body_len = body.len;

    fwd_request_id(rq, id);

    if (rq->batch->items_count == 1
        && rq->batch->items[0]->event->traceparent.len != 0)
    {
        trace = &rq->batch->items[0]->event->traceparent;
        (void) snprintf(traceparent, sizeof(traceparent), "%.*s",
                        (int) trace->len, (const char *) trace->data);
        fwd_request_header(rq, "traceparent", traceparent);
    }

    if (target->idempotency_header != NULL) {
        fwd_request_header(rq, target->idempotency_header, id);
    }

    if (target->key.len != 0) {
        now_s = fwd_wall_ms() / 1000;
        (void) snprintf(stamp, sizeof(stamp), "%llu",
                        (unsigned long long) now_s);
        fwd_sign_v1(text, &target->key, id, now_s, body.data, body.len);

        fwd_request_header(rq, "webhook-id", id);
        fwd_request_header(rq, "webhook-timestamp", stamp);
        fwd_request_header(rq, "webhook-signature", text);
    }

    if (curl_easy_setopt(rq->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t) body.len)
        != CURLE_OK
        || curl_easy_setopt(rq->easy, CURLOPT_POSTFIELDS, body.data)
           != CURLE_OK
        || curl_easy_setopt(rq->easy, CURLOPT_HTTPHEADER,
                            rq->headers_count ? &rq->headers[0]
                                              : rq->sender->headers)
           != CURLE_OK)
    {
        return FWD_ERROR;
    }

    return fwd_http_start(rq->sender->http, rq->easy);
}


/*
 * One record is sent from where it is; more are put together.  The body of a
 * replay has its frame already.
 */

static martech_str_t
fwd_request_body(fwd_request_t *rq)
{
    int             framing;
    uint32_t        i;
    fwd_batch_t    *batch;
    martech_str_t   body;

    batch = rq->batch;
    framing = (int) rq->sender->conf->http.framing;

    if (framing == FWD_FRAMING_OBJECT
        || batch->items[0]->event->body.len != 0)
    {
        return batch->records[rq->part];
    }

    fwd_buf_reset(&rq->body);

    for (i = 0; i < batch->records_count; i++) {

        if (framing == FWD_FRAMING_ARRAY) {
            fwd_buf_add_char(&rq->body, i ? ',' : '[');
        }

        fwd_buf_add(&rq->body, batch->records[i].data,
                    batch->records[i].len);

        if (framing == FWD_FRAMING_NDJSON) {
            fwd_buf_add_char(&rq->body, '\n');
        }
    }

    if (framing == FWD_FRAMING_ARRAY) {
        fwd_buf_add_char(&rq->body, ']');
    }

    body.data = rq->body.failed ? NULL : rq->body.data;
    body.len = rq->body.len;

    return body;
}


static void
fwd_request_id(fwd_request_t *rq, char *id)
{
    char            again[24];
    uint32_t        i;
    fwd_buf_t      *ids;
    fwd_batch_t    *batch;
    fwd_event_t    *ev;
    martech_str_t  *one;

    batch = rq->batch;

    if (batch->items_count == 1) {
        ev = batch->items[0]->event;
        fwd_sign_id(id, ev->message_id, rq->part, ev->replays);
        return;
    }

    ids = &rq->sender->ids;
    fwd_buf_reset(ids);

    for (i = 0; i < batch->items_count; i++) {
        ev = batch->items[i]->event;
        one = &ev->message_id;
        fwd_buf_add(ids, one->data, one->len);

        if (ev->replays != 0) {
            (void) snprintf(again, sizeof(again), "\nreplay %u",
                            (unsigned) ev->replays);
            fwd_buf_add_string(ids, again);
        }

        fwd_buf_add_char(ids, '\n');
    }

    fwd_sign_batch_id(id, ids->data, ids->len);
}


/*
 * Our lines stand before the constant ones.  The list is public, so nodes
 * and texts can live in the request, and nothing is allocated.
 */

static void
fwd_request_header(fwd_request_t *rq, const char *name, const char *value)
{
    uint32_t  n;

    n = rq->headers_count++;

    (void) snprintf(rq->lines[n], FWD_HEADER_MAX, "%s: %s", name, value);

    rq->headers[n].data = rq->lines[n];
    rq->headers[n].next = rq->sender->headers;

    if (n != 0) {
        rq->headers[n - 1].next = &rq->headers[n];
    }
}


static size_t
fwd_request_on_body(char *data, size_t size, size_t n, void *userdata)
{
    fwd_request_t  *rq = userdata;

    return fwd_reply_body(&rq->reply, data, size * n) ? size * n : 0;
}


static size_t
fwd_request_on_header(char *data, size_t size, size_t n, void *userdata)
{
    fwd_request_t  *rq = userdata;

    return fwd_reply_header(&rq->reply, data, size * n) ? size * n : 0;
}


static void
fwd_request_done(CURL *easy, CURLcode code)
{
    char           *data;
    fwd_request_t  *rq;

    (void) curl_easy_getinfo(easy, CURLINFO_PRIVATE, &data);
    rq = (fwd_request_t *) (void *) data;

    if (rq->batch->calls != NULL) {
        fwd_call_done(rq, code);
        return;
    }

    fwd_request_judge(rq, code);

    if (fwd_outcome_is_good(rq->batch->outcome)
        && rq->sender->conf->http.framing == FWD_FRAMING_OBJECT
        && rq->part + 1 < rq->batch->records_count)
    {
        rq->part++;

        if (fwd_request_start(rq) == FWD_OK) {
            return;
        }

        rq->batch->outcome = FWD_OUTCOME_RETRY;
        (void) snprintf(rq->batch->reason, sizeof(rq->batch->reason),
                        "request cannot be made");
    }

    fwd_request_end(rq);
}


void
fwd_request_end(fwd_request_t *rq)
{
    fwd_batch_t  *batch;

    batch = rq->batch;
    rq->batch = NULL;

    fwd_list_remove(&rq->link);
    fwd_list_push(&rq->sender->idle, &rq->link);

    fwd_batch_done(batch);
}
