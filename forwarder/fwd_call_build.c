
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * From a call to a request: URL, header lines and body.
 */


#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#include "fwd_call.h"
#include "fwd_mask.h"
#include "fwd_yaml_json.h"


static fwd_rc_t fwd_call_url(fwd_call_request_t *rq,
    const fwd_endpoint_t *endpoint, const fwd_scope_t *scope,
    fwd_error_t *err);
static fwd_rc_t fwd_call_headers(fwd_call_request_t *rq,
    const fwd_batch_t *batch, const fwd_call_t *call,
    const fwd_scope_t *scope, fwd_error_t *err);
static void fwd_call_header(fwd_call_request_t *rq, const char *name,
    const char *value);
static void fwd_call_sign(fwd_call_request_t *rq,
    const fwd_endpoint_t *endpoint, const fwd_scope_t *scope);
static void fwd_call_id(fwd_call_request_t *rq, const fwd_batch_t *batch,
    const fwd_call_t *call);
static void fwd_call_id_step(fwd_call_request_t *rq, const fwd_batch_t *batch,
    const fwd_call_t *call);
static fwd_rc_t fwd_call_pack(fwd_call_request_t *rq,
    const fwd_endpoint_t *endpoint, fwd_error_t *err);
static void fwd_call_replace(fwd_buf_t *text, const char *value, size_t len);


static const char *const  fwd_call_methods[] = {
    [FWD_METHOD_POST] = "POST",
    [FWD_METHOD_PUT] = "PUT",
    [FWD_METHOD_PATCH] = "PATCH",
    [FWD_METHOD_GET] = "GET",
    [FWD_METHOD_DELETE] = "DELETE"
};


const char *
fwd_call_method(uint64_t method)
{
    return fwd_call_methods[method];
}


void
fwd_call_request_init(fwd_call_request_t *rq)
{
    memset(rq, 0, sizeof(fwd_call_request_t));

    fwd_buf_init(&rq->url, FWD_CALL_URL_MAX);
    fwd_buf_init(&rq->headers, FWD_CALL_HEADER_MAX);
    fwd_buf_init(&rq->plain, FWD_CALL_BODY_MAX);
    fwd_buf_init(&rq->packed, FWD_CALL_BODY_MAX);
    fwd_buf_init(&rq->ids, FWD_CALL_BODY_MAX);
}


void
fwd_call_request_free(fwd_call_request_t *rq)
{
    fwd_buf_free(&rq->url);
    fwd_buf_free(&rq->headers);
    fwd_buf_free(&rq->plain);
    fwd_buf_free(&rq->packed);
    fwd_buf_free(&rq->ids);
}


fwd_rc_t
fwd_call_build(fwd_call_request_t *rq, const fwd_batch_t *batch,
    const fwd_call_t *call, const fwd_scope_t *given, fwd_error_t *err)
{
    fwd_rc_t      rc;
    const char   *missing;
    fwd_scope_t   scope;

    scope = *given;
    scope.texts = batch->calls->texts + call->first;
    scope.arrays = batch->calls->arrays + call->first;
    scope.count = call->count;
    scope.group = call->group.len
                  ? jv_parse_sized((const char *) call->group.data,
                                   (int) call->group.len)
                  : jv_invalid();
    scope.path = call->path.len
                 ? jv_parse_sized((const char *) call->path.data,
                                  (int) call->path.len)
                 : jv_invalid();

    fwd_call_id(rq, batch, call);
    scope.id = rq->id;

    rq->method = fwd_call_methods[call->endpoint->method];
    missing = "";

    fwd_buf_reset(&rq->plain);
    rc = fwd_call_body(&rq->plain, call->endpoint, &scope, &missing);

    if (rc == FWD_ERROR) {
        (void) fwd_error(err, "no memory for the body");

    } else if (rc != FWD_OK) {
        rc = fwd_error(err, "the body has no value for \"%.64s\"", missing);
    }

    if (rc == FWD_OK) {
        rc = fwd_call_pack(rq, call->endpoint, err);
    }

    if (rc == FWD_OK) {
        rc = fwd_call_url(rq, call->endpoint, &scope, err);
    }

    if (rc == FWD_OK) {
        rc = fwd_call_headers(rq, batch, call, &scope, err);
    }

    jv_free(scope.group);
    jv_free(scope.path);

    return rc;
}


fwd_rc_t
fwd_call_body(fwd_buf_t *out, const fwd_endpoint_t *endpoint,
    const fwd_scope_t *scope, const char **missing)
{
    fwd_rc_t  rc;
    uint32_t  i;

    if (endpoint->body != NULL) {
        rc = fwd_body_write(endpoint->body, scope, out, missing);
        return rc == FWD_OK && out->failed ? FWD_ERROR : rc;
    }

    if (endpoint->method == FWD_METHOD_GET
        || endpoint->method == FWD_METHOD_DELETE)
    {
        return FWD_OK;
    }

    for (i = 0; i < scope->count; i++) {

        if (endpoint->framing == FWD_FRAMING_ARRAY) {
            fwd_buf_add_char(out, i ? ',' : '[');
        }

        fwd_buf_add(out, scope->texts[i].data, scope->texts[i].len);

        if (endpoint->framing == FWD_FRAMING_NDJSON) {
            fwd_buf_add_char(out, '\n');
        }
    }

    if (endpoint->framing == FWD_FRAMING_ARRAY) {
        fwd_buf_add_char(out, ']');
    }

    return out->failed ? FWD_ERROR : FWD_OK;
}


static fwd_rc_t
fwd_call_pack(fwd_call_request_t *rq, const fwd_endpoint_t *endpoint,
    fwd_error_t *err)
{
    rq->body = rq->plain.len ? rq->plain.data : NULL;
    rq->body_len = rq->plain.len;

    if (!endpoint->gzip || rq->body == NULL) {
        return FWD_OK;
    }

    if (fwd_call_gzip(&rq->packed, rq->body, rq->body_len) != FWD_OK) {
        return fwd_error(err, "no memory for the body");
    }

    rq->body = rq->packed.data;
    rq->body_len = rq->packed.len;

    return FWD_OK;
}


/* A pair of an empty value is left out, and one whose value is missing. */

static fwd_rc_t
fwd_call_url(fwd_call_request_t *rq, const fwd_endpoint_t *endpoint,
    const fwd_scope_t *scope, fwd_error_t *err)
{
    char         *safe;
    size_t        i, at, begun;
    const char   *missing;

    fwd_buf_reset(&rq->url);
    missing = "";

    if (fwd_template_expand(endpoint->url, scope, &rq->url, &missing)
        != FWD_OK)
    {
        return fwd_error(err, "the URL has no value for \"%.64s\"", missing);
    }

    for (i = 0; i < endpoint->query_count; i++) {
        begun = rq->url.len;
        fwd_buf_add_char(&rq->url, memchr(rq->url.data, '?', rq->url.len)
                                   ? '&' : '?');

        safe = curl_easy_escape(NULL, endpoint->query[i].name, 0);
        fwd_buf_add_string(&rq->url, safe ? safe : "");
        curl_free(safe);
        fwd_buf_add_char(&rq->url, '=');
        at = rq->url.len;

        if ((fwd_template_expand(endpoint->query[i].value, scope, &rq->url,
                                 NULL)
             != FWD_OK || rq->url.len == at)
            && !rq->url.failed)
        {
            rq->url.len = begun;
        }
    }

    if (fwd_buf_string(&rq->url) == NULL) {
        return fwd_error(err, "the URL has more than %d bytes",
                         FWD_CALL_URL_MAX);
    }

    for (i = 0; i < rq->url.len; i++) {
        if (rq->url.data[i] <= ' ' || rq->url.data[i] == 0x7f) {
            return fwd_error(err, "the URL has a blank or a control "
                             "character");
        }
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_call_headers(fwd_call_request_t *rq, const fwd_batch_t *batch,
    const fwd_call_t *call, const fwd_scope_t *scope, fwd_error_t *err)
{
    char                   traceparent[64];
    size_t                 i, at, begun;
    const fwd_event_t     *ev;
    const fwd_endpoint_t  *endpoint;

    endpoint = call->endpoint;
    fwd_buf_reset(&rq->headers);

    if (rq->body != NULL) {
        fwd_call_header(rq, "Content-Type", endpoint->content_type);

        if (endpoint->gzip) {
            fwd_call_header(rq, "Content-Encoding", "gzip");
        }
    }

    for (i = 0; i < endpoint->headers_count; i++) {
        begun = rq->headers.len;
        fwd_buf_add_string(&rq->headers, endpoint->headers[i].name);
        fwd_buf_add(&rq->headers, ": ", 2);
        at = rq->headers.len;

        if (fwd_template_expand(endpoint->headers[i].value, scope,
                                &rq->headers, NULL)
            != FWD_OK)
        {
            rq->headers.len = rq->headers.failed ? 0 : begun;
            continue;
        }

        /* a value of an event must not make a header of its own */

        for ( /* void */ ; at < rq->headers.len; at++) {
            if (rq->headers.data[at] < ' ' && rq->headers.data[at] != '\t') {
                return fwd_error(err, "header \"%s\" has a control character "
                                 "in its value", endpoint->headers[i].name);
            }
        }

        fwd_buf_add_char(&rq->headers, '\n');
    }

    if (endpoint->idempotency_header != NULL) {
        fwd_call_header(rq, endpoint->idempotency_header, rq->id);
    }

    ev = (batch->items_count == 1 && batch->items[0] != NULL)
         ? batch->items[0]->event : NULL;

    if (ev != NULL && ev->traceparent.len != 0
        && ev->traceparent.len < sizeof(traceparent))
    {
        memcpy(traceparent, ev->traceparent.data, ev->traceparent.len);
        traceparent[ev->traceparent.len] = '\0';
        fwd_call_header(rq, "traceparent", traceparent);
    }

    if (endpoint->key.len != 0) {
        fwd_call_sign(rq, endpoint, scope);
    }

    return rq->headers.failed
           ? fwd_error(err, "the header lines have more than %d bytes",
                       FWD_CALL_HEADER_MAX)
           : FWD_OK;
}


static void
fwd_call_header(fwd_call_request_t *rq, const char *name, const char *value)
{
    fwd_buf_add_string(&rq->headers, name);
    fwd_buf_add(&rq->headers, ": ", 2);
    fwd_buf_add_string(&rq->headers, value);
    fwd_buf_add_char(&rq->headers, '\n');
}


static void
fwd_call_sign(fwd_call_request_t *rq, const fwd_endpoint_t *endpoint,
    const fwd_scope_t *scope)
{
    char  stamp[24], text[FWD_SIGN_TEXT_MAX];

    (void) snprintf(stamp, sizeof(stamp), "%llu",
                    (unsigned long long) (scope->now_ms / 1000));
    fwd_sign_v1(text, &endpoint->key, rq->id, scope->now_ms / 1000,
                rq->body ? (const void *) rq->body : "", rq->body_len);

    fwd_call_header(rq, "webhook-id", rq->id);
    fwd_call_header(rq, "webhook-timestamp", stamp);
    fwd_call_header(rq, "webhook-signature", scope->show ? FWD_MASK : text);
}


/*
 * Of the events in the call, in their order, and its endpoint: the same in
 * every attempt with the same set.
 */

static void
fwd_call_id(fwd_call_request_t *rq, const fwd_batch_t *batch,
    const fwd_call_t *call)
{
    char                 text[32];
    uint32_t             i, n, item, part, first, count;
    const fwd_event_t   *ev;
    const fwd_calls_t   *calls;

    calls = batch->calls;

    if (call->step != NULL) {
        fwd_call_id_step(rq, batch, call);
        return;
    }

    n = (uint32_t) (call - calls->list);
    item = UINT32_MAX;
    part = 0;
    first = 0;

    fwd_buf_reset(&rq->ids);

    for (i = 0; i < batch->records_count; i++) {

        if (batch->record_items[i] == item || calls->call_of[i] != n) {
            continue;
        }

        item = batch->record_items[i];
        ev = batch->items[item]->event;

        if (rq->ids.len == 0) {
            first = i;
            part = i - fwd_batch_records(batch, item, &count);
        }

        fwd_buf_add(&rq->ids, ev->message_id.data, ev->message_id.len);

        if (ev->replays != 0) {
            (void) snprintf(text, sizeof(text), "\nreplay %u",
                            (unsigned) ev->replays);
            fwd_buf_add_string(&rq->ids, text);
        }

        fwd_buf_add_char(&rq->ids, '\n');
    }

    if (batch->items_count == 1) {
        ev = batch->items[batch->record_items[first]]->event;
        fwd_sign_id(rq->id, ev->message_id, part, ev->replays);
        return;
    }

    fwd_buf_add_string(&rq->ids, call->endpoint->name);
    (void) snprintf(text, sizeof(text), "\n%u", (unsigned) part);
    fwd_buf_add_string(&rq->ids, text);
    fwd_sign_batch_id(rq->id, rq->ids.data, rq->ids.len);
}


/* The same whenever the step is sent for this event. */

static void
fwd_call_id_step(fwd_call_request_t *rq, const fwd_batch_t *batch,
    const fwd_call_t *call)
{
    char                text[32];
    const fwd_event_t  *ev;

    ev = batch->items[0]->event;

    fwd_buf_reset(&rq->ids);
    fwd_buf_add(&rq->ids, ev->message_id.data, ev->message_id.len);
    (void) snprintf(text, sizeof(text), "\nreplay %u\n",
                    (unsigned) ev->replays);
    fwd_buf_add_string(&rq->ids, text);
    fwd_buf_add_string(&rq->ids, call->step);
    fwd_buf_add_string(&rq->ids, call->undoes ? "!\n" : "\n");
    fwd_buf_add_string(&rq->ids, call->endpoint->name);
    fwd_sign_batch_id(rq->id, rq->ids.data, rq->ids.len);
}


void
fwd_call_mask(fwd_buf_t *text, const fwd_dest_conf_t *conf)
{
    char        *safe;
    size_t       i;
    fwd_buf_t    json;
    const char  *value;

    for (i = 0; i < conf->desc->settings_count; i++) {
        value = conf->values[i];

        if (!conf->desc->settings[i].secret || value == NULL
            || *value == '\0')
        {
            continue;
        }

        fwd_call_replace(text, value, strlen(value));

        fwd_buf_init(&json, 4 * FWD_CALL_URL_MAX);
        fwd_json_escape(&json, value, strlen(value));

        if (json.len != strlen(value) && !json.failed) {
            fwd_call_replace(text, (char *) json.data, json.len);
        }

        if (json.data != NULL) {
            explicit_bzero(json.data, json.size);
        }

        fwd_buf_free(&json);

        safe = curl_easy_escape(NULL, value, 0);

        if (safe != NULL && strcmp(safe, value) != 0) {
            fwd_call_replace(text, safe, strlen(safe));
        }

        curl_free(safe);
    }
}


static void
fwd_call_replace(fwd_buf_t *text, const char *value, size_t len)
{
    size_t          from;
    fwd_buf_t       out;
    unsigned char  *p;

    if (text->len < len || memmem(text->data, text->len, value, len) == NULL)
    {
        return;
    }

    fwd_buf_init(&out, text->max > 3 * text->len ? text->max : 4 * text->max);
    from = 0;

    for ( ;; ) {
        p = memmem(text->data + from, text->len - from, value, len);

        if (p == NULL) {
            break;
        }

        fwd_buf_add(&out, text->data + from,
                    (size_t) (p - text->data) - from);
        fwd_buf_add_string(&out, FWD_MASK);
        from = (size_t) (p - text->data) + len;
    }

    fwd_buf_add(&out, text->data + from, text->len - from);

    out.max = text->max;
    fwd_buf_free(text);
    *text = out;
}
