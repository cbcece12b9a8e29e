
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Batches of calls: one request after another, and what each means for the
 * records in it.
 *
 * A batch that is one call ends as any other.  Of several calls each record
 * gets a verdict: what was not sent, or is not to blame, goes back as it is.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_gate.h"
#include "fwd_kind_http.h"


static fwd_rc_t fwd_call_lead(fwd_request_t *rq, const fwd_call_t *call);
static fwd_rc_t fwd_call_wait(fwd_request_t *rq, uint64_t used);
static void fwd_call_refreshed(fwd_auth_wait_t *wait, fwd_rc_t rc);
static fwd_rc_t fwd_call_options(fwd_request_t *rq, const fwd_call_t *call);
static fwd_rc_t fwd_call_lines(fwd_request_t *rq);
static int fwd_call_renews(const fwd_request_t *rq);
static void fwd_call_spread(fwd_batch_t *batch);
static void fwd_call_collect(fwd_batch_t *batch);
static fwd_verdict_how_t fwd_call_how(const fwd_batch_t *batch,
    const fwd_call_t *call);
static int fwd_call_stops(const fwd_batch_t *batch);
static void fwd_call_add(fwd_batch_t *batch);
static void fwd_call_finish(fwd_batch_t *batch);


/* The higher, the more it says about the destination. */
static const unsigned char  fwd_call_weights[FWD_OUTCOME_COUNT] = {
    [FWD_OUTCOME_DROPPED] = 0,
    [FWD_OUTCOME_REJECTED] = 1,
    [FWD_OUTCOME_DUPLICATE] = 2,
    [FWD_OUTCOME_DELIVERED] = 3,
    [FWD_OUTCOME_UNCLASSIFIED] = 4,
    [FWD_OUTCOME_AMBIGUOUS] = 5,
    [FWD_OUTCOME_RETRY] = 6,
    [FWD_OUTCOME_THROTTLED] = 7,
    [FWD_OUTCOME_PAUSED] = 8,
    [FWD_OUTCOME_STOP] = 9,
    [FWD_OUTCOME_CREDENTIALS] = 10
};


void
fwd_call_init(fwd_request_t *rq)
{
    fwd_call_request_init(&rq->call);
    rq->wait.done = fwd_call_refreshed;
    rq->wait.data = rq;
    fwd_http_steps_init(rq);
}


void
fwd_call_free(fwd_request_t *rq)
{
    fwd_auth_wipe(&rq->call.url);
    fwd_auth_wipe(&rq->call.headers);
    fwd_call_request_free(&rq->call);
    curl_slist_free_all(rq->lines_list);
}


void
fwd_call_unwait(fwd_request_t *rq)
{
    fwd_auth_cancel(&rq->wait);
}


fwd_rc_t
fwd_call_start(fwd_request_t *rq)
{
    fwd_rc_t          rc;
    fwd_error_t       err;
    fwd_scope_t       scope;
    fwd_batch_t      *batch;
    fwd_sender_t     *sender;
    const fwd_call_t *call;
    fwd_auth_call_t   dress;

    batch = rq->batch;
    sender = rq->sender;

    if (batch->calls->sequence && rq->steps == NULL) {
        return fwd_http_steps_start(rq);
    }

    call = &batch->calls->list[batch->calls->next];

    fwd_reply_reset(&rq->reply);
    fwd_auth_wipe(&rq->call.url);
    fwd_auth_wipe(&rq->call.headers);
    rq->guard.refused = NULL;
    rq->guard.sent = 0;
    rq->refresh = 0;
    rq->used = 0;

    memset(&scope, 0, sizeof(scope));
    scope.conf = sender->conf;
    scope.captured = fwd_auth_captured;
    scope.data = sender->auth;
    scope.now_ms = fwd_wall_ms();

    if (fwd_call_build(&rq->call, batch, call, &scope, &err) != FWD_OK) {

        /* it may lack what comes with a token */

        if (!rq->waited && fwd_call_renews(rq)) {
            rq->waited = 1;
            return fwd_call_wait(rq, 0);
        }

        return fwd_call_fail(rq, FWD_OUTCOME_REJECTED, err.text);
    }

    memset(&dress, 0, sizeof(dress));
    dress.endpoint = call->endpoint;
    dress.method = rq->call.method;
    dress.url = &rq->call.url;
    dress.headers = &rq->call.headers;
    dress.body = rq->call.body;
    dress.body_len = rq->call.body_len;
    dress.id = rq->call.id;
    dress.now_ms = scope.now_ms;

    rc = fwd_auth_attach(sender->auth, &dress, &err);
    rq->used = dress.used;

    if (rc == FWD_AGAIN) {

        if (rq->waited) {
            return fwd_call_fail(rq, FWD_OUTCOME_PAUSED, "there is no token");
        }

        rq->waited = 1;

        return fwd_call_wait(rq, 0);
    }

    if (rc != FWD_OK) {
        return fwd_call_fail(rq, FWD_OUTCOME_CREDENTIALS, err.text);
    }

    if (fwd_call_lead(rq, call) != FWD_OK) {
        return FWD_ERROR;
    }

    if (fwd_call_options(rq, call) != FWD_OK
        || fwd_http_start(sender->http, rq->easy) != FWD_OK)
    {
        return fwd_call_fail(rq, FWD_OUTCOME_PAUSED,
                             "request cannot be made");
    }

    return FWD_OK;
}


/*
 * Where the URL leads, if that is not known with the configuration.  The host
 * of a record or a group is theirs to mend; with any other one all calls
 * would meet the same, and they wait.
 */

static fwd_rc_t
fwd_call_lead(fwd_request_t *rq, const fwd_call_t *call)
{
    int                    own;
    char                   text[sizeof(rq->batch->reason)];
    const char            *url, *why;
    const fwd_template_t  *t;

    t = call->endpoint->url;

    if (fwd_template_constant(t) != NULL) {
        return FWD_OK;
    }

    url = fwd_buf_string(&rq->call.url);
    why = (url == NULL) ? "out of memory"
                        : fwd_safe_url(&rq->sender->conf->http.safe, url);

    if (why == NULL) {
        return FWD_OK;
    }

    own = fwd_template_needs_record(t) || fwd_template_needs_group(t);
    (void) snprintf(text, sizeof(text), "the host of the URL is refused: %s",
                    why);

    return fwd_call_fail(rq, own && url != NULL ? FWD_OUTCOME_REJECTED
                                                : FWD_OUTCOME_CREDENTIALS,
                         text);
}


/* 1 if credentials can be renewed, and were not for this call. */

static int
fwd_call_renews(const fwd_request_t *rq)
{
    const char  *kind;

    kind = rq->sender->conf->desc->auth.kind;

    return !rq->refreshed && kind != NULL
           && strcmp(kind, fwd_auth_kinds[FWD_AUTH_OAUTH2]) == 0;
}


/* used: the token that was refused, or 0. */

static fwd_rc_t
fwd_call_wait(fwd_request_t *rq, uint64_t used)
{
    rq->wait.used = used;
    fwd_auth_refresh(rq->sender->auth, &rq->wait);

    return FWD_OK;
}


static void
fwd_call_refreshed(fwd_auth_wait_t *wait, fwd_rc_t rc)
{
    fwd_request_t  *rq = wait->data;

    switch (rc) {

    case FWD_OK:

        /* one that was refused is a request more than was paid for */

        if (rq->refreshed
            && fwd_gate_repeat(rq->batch->dest, rq->batch) != FWD_OK)
        {
            (void) fwd_call_fail(rq, FWD_OUTCOME_PAUSED,
                                 "the rate has no room for a repetition");
            break;
        }

        if (fwd_call_start(rq) == FWD_OK) {
            return;
        }

        break;

    case FWD_AGAIN:
        (void) fwd_call_fail(rq, FWD_OUTCOME_PAUSED,
                             "the token server cannot be reached");
        break;

    default:
        (void) fwd_call_fail(rq, FWD_OUTCOME_CREDENTIALS,
                             "the token server refused our credentials");
        break;
    }

    fwd_call_ended(rq);
}


fwd_rc_t
fwd_call_fail(fwd_request_t *rq, fwd_outcome_t outcome, const char *text)
{
    fwd_batch_t  *batch;

    batch = rq->batch;
    batch->outcome = outcome;
    batch->status = 0;
    batch->whole = 1;
    batch->decided = 1;
    (void) snprintf(batch->reason, sizeof(batch->reason), "%.200s", text);

    return FWD_ERROR;
}


static fwd_rc_t
fwd_call_options(fwd_request_t *rq, const fwd_call_t *call)
{
    int          ok;
    CURL        *easy;
    const char  *url;

    easy = rq->easy;
    url = fwd_buf_string(&rq->call.url);

    if (url == NULL || fwd_call_lines(rq) != FWD_OK) {
        return FWD_ERROR;
    }

    rq->body_len = rq->call.body_len;

    ok = curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK
         && curl_easy_setopt(easy, CURLOPT_HTTPHEADER, rq->lines_list)
            == CURLE_OK;

    if (rq->call.body == NULL && (call->endpoint->method == FWD_METHOD_GET
                                  || call->endpoint->method
                                     == FWD_METHOD_DELETE))
    {
        (void) curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);

    } else {
        (void) curl_easy_setopt(easy, CURLOPT_POST, 1L);
        ok = ok && curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                    (curl_off_t) rq->call.body_len)
                   == CURLE_OK
             && curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                                 rq->call.body ? (const char *) rq->call.body
                                               : "")
                == CURLE_OK;
    }

    (void) curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, rq->call.method);
    (void) curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                            (long) call->endpoint->timeout_ms);
    (void) curl_easy_setopt(easy, CURLOPT_FORBID_REUSE,
                            call->endpoint->ambiguous != FWD_AMBIGUOUS_RETRY
                            ? 1L : 0L);

    return ok ? FWD_OK : FWD_ERROR;
}


/* The lines of the call, and those of every request. */

static fwd_rc_t
fwd_call_lines(fwd_request_t *rq)
{
    size_t              len;
    const char         *p, *end;
    struct curl_slist  *list, *one;

    curl_slist_free_all(rq->lines_list);
    rq->lines_list = NULL;

    list = NULL;
    p = fwd_buf_string(&rq->call.headers);

    if (p == NULL) {
        return FWD_ERROR;
    }

    while (*p != '\0') {
        end = strchr(p, '\n');
        len = (size_t) (end - p);

        /* curl_slist_append() copies up to a zero */

        rq->call.headers.data[end - (char *) rq->call.headers.data] = '\0';
        one = curl_slist_append(list, p);
        rq->call.headers.data[end - (char *) rq->call.headers.data] = '\n';

        if (one == NULL) {
            curl_slist_free_all(list);
            return FWD_ERROR;
        }

        list = one;
        p += len + 1;
    }

    one = curl_slist_append(list, "Expect:");
    list = one ? one : list;
    one = curl_slist_append(list, "Accept-Encoding: identity");
    rq->lines_list = one ? one : list;

    return one ? FWD_OK : FWD_ERROR;
}


void
fwd_call_done(fwd_request_t *rq, CURLcode code)
{
    fwd_batch_t  *batch;

    batch = rq->batch;

    fwd_request_judge(rq, code);

    if (batch->outcome == FWD_OUTCOME_CREDENTIALS
        && (rq->refresh || batch->status == 401) && rq->used != 0
        && fwd_call_renews(rq))
    {
        rq->refreshed = 1;
        fwd_batch_reset_call(batch);
        (void) fwd_call_wait(rq, rq->used);
        return;
    }

    fwd_call_ended(rq);
}


void
fwd_call_ended(fwd_request_t *rq)
{
    fwd_batch_t  *batch;
    fwd_calls_t  *calls;

    batch = rq->batch;
    calls = batch->calls;

    if (rq->steps != NULL) {
        fwd_http_steps_ended(rq);
        return;
    }

    if (calls->count == 1) {
        fwd_call_spread(batch);
        rq->refreshed = 0;
        rq->waited = 0;
        fwd_request_end(rq);
        return;
    }

    for ( ;; ) {
        fwd_call_collect(batch);
        rq->refreshed = 0;
        rq->waited = 0;

        if (fwd_call_stops(batch) || ++calls->next == calls->count) {
            break;
        }

        fwd_batch_reset_call(batch);

        if (fwd_call_start(rq) == FWD_OK) {
            return;
        }
    }

    fwd_call_finish(batch);
    fwd_request_end(rq);
}


/* From the texts of the only call to the records of the batch. */

static void
fwd_call_spread(fwd_batch_t *batch)
{
    uint32_t        i;
    fwd_verdict_t  *verdicts;

    if (batch->verdicts == NULL
        || batch->calls->list[0].count == batch->records_count)
    {
        return;
    }

    verdicts = calloc(batch->records_count, sizeof(fwd_verdict_t));

    for (i = 0; verdicts != NULL && i < batch->records_count; i++) {
        verdicts[i] = batch->verdicts[batch->calls->text_of[i]];
    }

    /* without memory nobody knows which they are: all of them again */

    if (verdicts == NULL) {
        batch->outcome = FWD_OUTCOME_RETRY;
    }

    free(batch->verdicts);
    batch->verdicts = verdicts;
}


/* What a call of several has said, for its records. */

static void
fwd_call_collect(fwd_batch_t *batch)
{
    uint32_t           i;
    fwd_calls_t       *calls;
    fwd_verdict_t     *verdict;
    fwd_verdict_how_t  how;

    calls = batch->calls;

    if (calls->verdicts == NULL) {
        calls->verdicts = calloc(batch->records_count,
                                 sizeof(fwd_verdict_t));

        for (i = 0; calls->verdicts != NULL && i < batch->records_count;
             i++)
        {
            calls->verdicts[i].outcome = FWD_OUTCOME_RETRY;
            calls->verdicts[i].how = FWD_VERDICT_BACK;
        }
    }

    how = fwd_call_how(batch, &calls->list[calls->next]);

    for (i = 0; calls->verdicts != NULL && i < batch->records_count; i++) {

        if (calls->call_of[i] != calls->next) {
            continue;
        }

        verdict = &calls->verdicts[i];

        if (batch->verdicts != NULL) {
            *verdict = batch->verdicts[calls->text_of[i]];
            continue;
        }

        *verdict = batch->said;
        verdict->outcome = batch->outcome;
        verdict->how = how;

        if (batch->outcome == FWD_OUTCOME_STOP && !batch->decided) {
            verdict->outcome = FWD_OUTCOME_RETRY;   /* a 404 */
        }
    }

    fwd_call_add(batch);
}


static fwd_verdict_how_t
fwd_call_how(const fwd_batch_t *batch, const fwd_call_t *call)
{
    uint32_t  i, item, items;

    switch (batch->outcome) {

    case FWD_OUTCOME_CREDENTIALS:
    case FWD_OUTCOME_PAUSED:
        return FWD_VERDICT_BACK;

    case FWD_OUTCOME_STOP:
        return batch->decided ? FWD_VERDICT_BACK : FWD_VERDICT_PLAIN;

    case FWD_OUTCOME_REJECTED:
        break;

    default:
        return FWD_VERDICT_PLAIN;
    }

    if (batch->whole || call->records == 1) {
        return FWD_VERDICT_PLAIN;
    }

    if (batch->singly) {
        return FWD_VERDICT_SINGLY;
    }

    item = UINT32_MAX;
    items = 0;

    for (i = 0; i < batch->records_count; i++) {
        if (batch->calls->call_of[i] == batch->calls->next
            && batch->record_items[i] != item)
        {
            item = batch->record_items[i];
            items++;
        }
    }

    return items > 1 ? FWD_VERDICT_SPLIT : FWD_VERDICT_PLAIN;
}


/* The next call would meet the same, or overtake an event that failed. */

static int
fwd_call_stops(const fwd_batch_t *batch)
{
    if (batch->calls->verdicts == NULL) {
        return 1;
    }

    switch (batch->outcome) {

    case FWD_OUTCOME_THROTTLED:
    case FWD_OUTCOME_CREDENTIALS:
    case FWD_OUTCOME_STOP:
    case FWD_OUTCOME_PAUSED:
        return 1;

    case FWD_OUTCOME_RETRY:
    case FWD_OUTCOME_AMBIGUOUS:
        return batch->status == 0
               || batch->dest->conf->policy.order == FWD_ORDER_PERSON;

    default:
        return batch->dest->conf->policy.order == FWD_ORDER_PERSON
               && (!fwd_outcome_is_good(batch->outcome)
                   || batch->verdicts != NULL);
    }
}


static void
fwd_call_add(fwd_batch_t *batch)
{
    fwd_calls_t  *calls;

    calls = batch->calls;

    if (!calls->some || fwd_call_weights[batch->outcome]
                        > fwd_call_weights[calls->outcome])
    {
        calls->outcome = batch->outcome;
        calls->decided = batch->decided;
        calls->status = batch->status;
    }

    calls->some = 1;
    calls->connect_failed |= batch->connect_failed;
    calls->answer_error |= batch->answer_error;

    if (batch->wait_ms > calls->wait_ms) {
        calls->wait_ms = batch->wait_ms;
    }
}


static void
fwd_call_finish(fwd_batch_t *batch)
{
    fwd_calls_t  *calls;

    calls = batch->calls;

    free(batch->verdicts);
    batch->verdicts = calls->verdicts;
    calls->verdicts = NULL;

    batch->outcome = calls->outcome;
    batch->decided = calls->decided;
    batch->status = calls->status;
    batch->wait_ms = calls->wait_ms;
    batch->connect_failed = calls->connect_failed;
    batch->answer_error = calls->answer_error;

    if (batch->verdicts == NULL) {

        /* no memory: as if none was sent */
        batch->outcome = FWD_OUTCOME_PAUSED;
    }
}
