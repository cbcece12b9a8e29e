
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The kind http: frames records, signs, posts, and judges the answer.
 *
 * A batch is one request, except with framing object: there each record is a
 * request of its own, sent one after the other, and the event is delivered
 * when all of them are.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fwd_buf.h"
#include "fwd_dest.h"
#include "fwd_http.h"
#include "fwd_sign.h"


#define FWD_ANSWER_MAX    65536          /* bytes of an answer kept */
#define FWD_BODY_MAX      (512UL * 1024 * 1024)
#define FWD_HEADER_MAX    256            /* of our own headers */
#define FWD_REQUEST_HEADERS  4


typedef struct fwd_sender_s   fwd_sender_t;
typedef struct fwd_request_s  fwd_request_t;

struct fwd_request_s {
    fwd_link_t            link;          /* idle or active */
    fwd_sender_t         *sender;
    fwd_batch_t          *batch;         /* NULL: idle */
    CURL                 *easy;
    uint32_t              part;          /* record, with framing object */
    fwd_buf_t             body;
    fwd_buf_t             answer;        /* its beginning */
    char                  retry_after[64];
    struct curl_slist     headers[FWD_REQUEST_HEADERS];
    char                  lines[FWD_REQUEST_HEADERS][FWD_HEADER_MAX];
    uint32_t              headers_count;
    unsigned              cut:1;         /* the answer was longer than kept */
};


struct fwd_sender_s {
    fwd_core_t           *core;
    const fwd_dest_conf_t  *conf;
    fwd_http_t           *http;
    struct curl_slist    *headers;       /* those that never change */
    fwd_link_t            idle;
    fwd_link_t            active;
    fwd_buf_t             ids;           /* scratch for batch ids */
    fwd_post_t            fail;          /* requests that could not start */
    fwd_link_t            failed;
};


static fwd_rc_t fwd_sender_create(void **ctx, fwd_core_t *core,
    const fwd_dest_conf_t *conf, fwd_error_t *err);
static void fwd_sender_send(void *ctx, fwd_batch_t *batch);
static void fwd_sender_destroy(void *ctx);
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
static void fwd_request_judge(fwd_request_t *rq, CURLcode code);
static void fwd_request_end(fwd_request_t *rq);
static void fwd_sender_fail(void *data);


const fwd_kind_t  fwd_kind_http = {
    "http",
    fwd_sender_create,
    fwd_sender_send,
    fwd_sender_destroy
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
    fwd_sender_t       *sender;
    struct curl_slist  *list;

    sender = calloc(1, sizeof(fwd_sender_t));
    if (sender == NULL) {
        return fwd_error(err, "out of memory");
    }

    sender->core = core;
    sender->conf = conf;
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

    /* no round trip for "100 Continue" */

    list = curl_slist_append(sender->headers, "Expect:");
    if (list == NULL) {
        goto failed;
    }

    sender->headers = list;

    sender->http = fwd_http_create(core, fwd_request_done);
    if (sender->http == NULL) {
        goto failed;
    }

    *ctx = sender;

    return FWD_OK;

failed:

    curl_slist_free_all(sender->headers);
    free(sender);

    return fwd_error(err, "out of memory");
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

    if (fwd_request_start(rq) != FWD_OK) {

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
    fwd_buf_init(&rq->body, FWD_BODY_MAX);
    fwd_buf_init(&rq->answer, FWD_ANSWER_MAX);

    limits = &sender->conf->limits;

    /* what stays the same for all requests; the rest is set by start */

    (void) curl_easy_setopt(easy, CURLOPT_PRIVATE, rq);
    (void) curl_easy_setopt(easy, CURLOPT_URL, sender->conf->http.url);
    (void) curl_easy_setopt(easy, CURLOPT_POST, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST,
                         fwd_request_methods[sender->conf->http.method]);
    (void) curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void) curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void) curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    (void) curl_easy_setopt(easy, CURLOPT_USERAGENT,
                            "martech-forwarder/" MARTECH_VERSION);
    (void) curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                            (long) limits->timeout_ms);
    (void) curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                            (long) limits->connect_timeout_ms);
    (void) curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION,
                            fwd_request_on_body);
    (void) curl_easy_setopt(easy, CURLOPT_WRITEDATA, rq);
    (void) curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION,
                            fwd_request_on_header);
    (void) curl_easy_setopt(easy, CURLOPT_HEADERDATA, rq);

    return rq;
}


static void
fwd_request_free(fwd_request_t *rq)
{
    fwd_list_remove(&rq->link);
    curl_easy_cleanup(rq->easy);
    fwd_buf_free(&rq->body);
    fwd_buf_free(&rq->answer);
    free(rq);
}


static fwd_rc_t
fwd_request_start(fwd_request_t *rq)
{
    char                      id[FWD_SIGN_ID_MAX], text[FWD_SIGN_TEXT_MAX];
    char                      stamp[24];
    uint64_t                  now_s;
    martech_str_t             body;
    const fwd_http_target_t  *target;

    target = &rq->sender->conf->http;

    fwd_buf_reset(&rq->answer);
    rq->retry_after[0] = '\0';
    rq->headers_count = 0;
    rq->cut = 0;

    body = fwd_request_body(rq);
    if (body.data == NULL) {
        return FWD_ERROR;
    }

    fwd_request_id(rq, id);

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


/* One record is sent from where it is; more are put together. */

static martech_str_t
fwd_request_body(fwd_request_t *rq)
{
    int             framing;
    uint32_t        i;
    fwd_batch_t    *batch;
    martech_str_t   body;

    batch = rq->batch;
    framing = (int) rq->sender->conf->http.framing;

    if (framing == FWD_FRAMING_OBJECT) {
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
    uint32_t        i;
    fwd_buf_t      *ids;
    fwd_batch_t    *batch;
    martech_str_t  *one;

    batch = rq->batch;

    if (batch->items_count == 1) {
        fwd_sign_id(id, batch->items[0]->event->message_id, rq->part);
        return;
    }

    ids = &rq->sender->ids;
    fwd_buf_reset(ids);

    for (i = 0; i < batch->items_count; i++) {
        one = &batch->items[i]->event->message_id;
        fwd_buf_add(ids, one->data, one->len);
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
    size_t          len, room;
    fwd_request_t  *rq = userdata;

    len = size * n;
    room = FWD_ANSWER_MAX - rq->answer.len;

    fwd_buf_add(&rq->answer, data, len < room ? len : room);

    if (len > room) {

        /* the status is known; an endless answer need not be read */

        rq->cut = 1;
        return 0;
    }

    return len;
}


static size_t
fwd_request_on_header(char *data, size_t size, size_t n, void *userdata)
{
    size_t          len, skip;
    fwd_request_t  *rq = userdata;

    len = size * n;
    skip = sizeof("retry-after:") - 1;

    if (len > 5 && memcmp(data, "HTTP/", 5) == 0) {
        rq->retry_after[0] = '\0';       /* an interim answer came before */

    } else if (len > skip && strncasecmp(data, "retry-after:", skip) == 0
               && len - skip < sizeof(rq->retry_after))
    {
        memcpy(rq->retry_after, data + skip, len - skip);
        rq->retry_after[len - skip] = '\0';
        rq->retry_after[strcspn(rq->retry_after, "\r\n")] = '\0';
    }

    return len;
}


static void
fwd_request_done(CURL *easy, CURLcode code)
{
    char           *data;
    fwd_request_t  *rq;

    (void) curl_easy_getinfo(easy, CURLINFO_PRIVATE, &data);
    rq = (fwd_request_t *) (void *) data;

    fwd_request_judge(rq, code);

    if (rq->batch->outcome == FWD_OUTCOME_DELIVERED
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


static void
fwd_request_judge(fwd_request_t *rq, CURLcode code)
{
    long          status;
    fwd_batch_t  *batch;

    batch = rq->batch;
    status = 0;

    (void) curl_easy_getinfo(rq->easy, CURLINFO_RESPONSE_CODE, &status);
    batch->status = (int) status;

    if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && rq->cut)) {

        /* sent in full or not: at least once means again */

        batch->outcome = FWD_OUTCOME_RETRY;
        (void) snprintf(batch->reason, sizeof(batch->reason), "%s",
                        curl_easy_strerror(code));
        return;
    }

    batch->outcome = fwd_outcome_http((int) status);

    if (batch->outcome == FWD_OUTCOME_THROTTLED
        && fwd_outcome_retry_after(&batch->wait_ms, rq->retry_after,
                                   fwd_wall_ms())
           != FWD_OK)
    {
        batch->wait_ms = 0;
    }
}


static void
fwd_request_end(fwd_request_t *rq)
{
    fwd_batch_t  *batch;

    batch = rq->batch;
    rq->batch = NULL;

    fwd_list_remove(&rq->link);
    fwd_list_push(&rq->sender->idle, &rq->link);

    fwd_batch_done(batch);
}
