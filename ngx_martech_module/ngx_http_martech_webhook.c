
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * CONTENT phase of a location with martech_webhook: body, signature, payload,
 * and a batch that goes the way of all others.
 *
 * A request is judged by its bytes as they came; nothing of one that nobody
 * has signed is parsed, stored or logged.
 */


#include "ngx_http_martech_collect.h"
#include "ngx_http_martech_webhook.h"


/* what a batch has besides the payload: once, and of each event */
#define NGX_HTTP_MARTECH_WEBHOOK_ROOM   4096
#define NGX_HTTP_MARTECH_WEBHOOK_EVENT  1024
#define NGX_HTTP_MARTECH_WEBHOOK_TRIES  4        /* each four times as large */


typedef struct {
    ngx_http_request_t          *r;
    ngx_http_martech_ctx_t      *ctx;
    ngx_http_martech_worker_t   *worker;
    ngx_http_martech_loc_conf_t *mlcf;
    ngx_http_martech_webhook_t  *webhook;
    martech_hook_request_t       request;
} ngx_http_martech_delivery_t;


static unsigned ngx_http_martech_webhook_method(ngx_http_request_t *r);
static ngx_uint_t ngx_http_martech_webhook_methods(
    ngx_http_martech_webhook_t *webhook);
static ngx_uint_t ngx_http_martech_webhook_request(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx);
static void ngx_http_martech_webhook_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_martech_webhook_delivery(
    ngx_http_martech_delivery_t *d);
static ngx_int_t ngx_http_martech_webhook_prepare(
    ngx_http_martech_delivery_t *d);
static ngx_int_t ngx_http_martech_webhook_url(ngx_http_martech_delivery_t *d);
static int ngx_http_martech_webhook_header(
    const martech_hook_request_t *request, martech_str_t name,
    martech_str_t *value);
static ngx_uint_t ngx_http_martech_webhook_reason(martech_hook_rc_t rc);
static ngx_int_t ngx_http_martech_webhook_events(
    ngx_http_martech_delivery_t *d);
static ngx_int_t ngx_http_martech_webhook_map(ngx_http_martech_delivery_t *d,
    martech_hook_map_t *map);
static ngx_int_t ngx_http_martech_webhook_silent(
    ngx_http_martech_delivery_t *d, martech_hook_map_t *map);


/* What its events are stored as; it is asked for no path. */

static const martech_dialect_t  ngx_http_martech_webhook_dialect = {
    .name = martech_string("webhook"),
};


ngx_int_t
ngx_http_martech_webhook_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_uint_t                     reason;
    ngx_http_martech_ctx_t        *ctx;
    ngx_http_martech_worker_t     *worker;
    ngx_http_martech_loc_conf_t   *mlcf;
    ngx_http_martech_main_conf_t  *mmcf;

    if (r != r->main) {
        return NGX_HTTP_FORBIDDEN;
    }

    ctx = ngx_http_martech_ctx(r);

    if (ctx) {

        /* an error_page has led back here */

        return ctx->status ? ctx->status : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_martech_ctx_create(r);
    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_martech_module);
    mmcf = ngx_http_get_module_main_conf(r, ngx_http_martech_module);

    worker = ngx_http_martech_worker(mmcf);

    if (worker == NULL || ctx == NULL
        || ngx_http_martech_consent_request(r, mlcf, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->dialect = &ngx_http_martech_webhook_dialect;
    ctx->dialect_number = NGX_HTTP_MARTECH_DIALECT_HOOK;
    ctx->endpoint = martech_hook_endpoint(mlcf->webhook->hook.scheme);
    ctx->methods = ngx_http_martech_webhook_methods(mlcf->webhook);
    ctx->source = *(ngx_http_martech_source_t **) mlcf->sources->sources.elts;

    reason = ngx_http_martech_webhook_request(r, mlcf, ctx);

    if (reason == MARTECH_OK && !ngx_http_martech_redis_accepts(worker)) {
        reason = NGX_HTTP_MARTECH_REFUSED_UNAVAILABLE;
    }

    if (reason != MARTECH_OK) {
        return ngx_http_martech_answer_refused(r, reason, "", -1);
    }

    rc = ngx_http_read_client_request_body(r, ngx_http_martech_webhook_body);

    return (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? rc : NGX_DONE;
}


static unsigned
ngx_http_martech_webhook_method(ngx_http_request_t *r)
{
    switch (r->method) {

    case NGX_HTTP_POST:
        return MARTECH_POST;

    case NGX_HTTP_GET:
        return MARTECH_GET;

    case NGX_HTTP_HEAD:
        return MARTECH_HEAD;

    case NGX_HTTP_PUT:
        return MARTECH_PUT;

    case NGX_HTTP_DELETE:
        return MARTECH_DELETE;

    default:
        return 0;
    }
}


static ngx_uint_t
ngx_http_martech_webhook_methods(ngx_http_martech_webhook_t *webhook)
{
    const martech_hook_scheme_t  *scheme;

    scheme = webhook->hook.scheme;

    return (scheme->methods ? scheme->methods : MARTECH_POST)
           | scheme->silent;
}


static ngx_uint_t
ngx_http_martech_webhook_request(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx)
{
    if (!(ngx_http_martech_webhook_method(r) & ctx->methods)) {
        return NGX_HTTP_MARTECH_REFUSED_METHOD;
    }

    /* what is signed are the bytes as they came */

    if (!ngx_http_martech_request_encoding(r, ctx)
        || ctx->encoding != NGX_HTTP_MARTECH_ENCODING_NONE)
    {
        return NGX_HTTP_MARTECH_REFUSED_ENCODING;
    }

    if (r->headers_in.content_length_n > (off_t) mlcf->limits.batch_size_max) {
        return NGX_HTTP_MARTECH_REFUSED_BODY_SIZE;
    }

    return MARTECH_OK;
}


static void
ngx_http_martech_webhook_body(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_http_martech_delivery_t    d;
    ngx_http_martech_main_conf_t  *mmcf;

    ngx_memzero(&d, sizeof(ngx_http_martech_delivery_t));

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_martech_module);

    d.r = r;
    d.ctx = ngx_http_martech_ctx(r);
    d.worker = ngx_http_martech_worker(mmcf);
    d.mlcf = ngx_http_get_module_loc_conf(r, ngx_http_martech_module);
    d.webhook = d.mlcf->webhook;

    rc = ngx_http_martech_webhook_delivery(&d);

    if (d.request.scratch) {
        ngx_free(d.request.scratch);
    }

    /* NGX_DONE: the request is parked and holds the reference we were given */

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
    }
}


static ngx_int_t
ngx_http_martech_webhook_delivery(ngx_http_martech_delivery_t *d)
{
    unsigned           method;
    ngx_int_t          rc;
    martech_hook_t    *hook;
    martech_hook_rc_t  hrc;

    rc = ngx_http_martech_webhook_prepare(d);

    if (rc == NGX_DECLINED) {
        return ngx_http_martech_answer_refused(d->r,
                                   NGX_HTTP_MARTECH_REFUSED_BODY_SIZE, "", -1);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    hook = &d->webhook->hook;
    method = ngx_http_martech_webhook_method(d->r) & hook->scheme->silent;

    if ((method && hook->scheme->arg.len == 0)
        || martech_hook_is_hello(hook, &d->request))
    {
        return ngx_http_martech_webhook_silent(d, NULL);
    }

    hrc = martech_hook_verify(hook, &d->request);

    if (hrc != MARTECH_HOOK_OK && hrc != MARTECH_HOOK_TEST) {
        return ngx_http_martech_answer_refused(d->r,
                              ngx_http_martech_webhook_reason(hrc), "", -1);
    }

    if (method || hrc == MARTECH_HOOK_TEST) {
        return ngx_http_martech_webhook_silent(d, NULL);
    }

    return ngx_http_martech_webhook_events(d);
}


/* NGX_DECLINED: the body is too large. */

static ngx_int_t
ngx_http_martech_webhook_prepare(ngx_http_martech_delivery_t *d)
{
    ngx_int_t                rc;
    ngx_str_t                body, id;
    ngx_time_t              *tp;
    ngx_table_elt_t         *type;
    martech_hook_request_t  *request;

    request = &d->request;

    rc = ngx_http_martech_body(d->r, d->mlcf->limits.batch_size_max, &body);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_martech_count(d->worker, BYTES, body.len);

    request->method.data = d->r->method_name.data;
    request->method.len = d->r->method_name.len;
    request->args.data = d->r->args.data;
    request->args.len = d->r->args.len;
    request->body.data = body.data;
    request->body.len = body.len;

    type = d->r->headers_in.content_type;

    if (type) {
        request->content_type.data = type->value.data;
        request->content_type.len = type->value.len;
    }

    tp = ngx_timeofday();
    request->now_ms = (int64_t) tp->sec * 1000 + tp->msec;

    request->header = ngx_http_martech_webhook_header;
    request->data = d->r;

    if (ngx_http_martech_webhook_url(d) != NGX_OK) {
        return NGX_ERROR;
    }

    if (d->webhook->id) {

        if (ngx_http_complex_value(d->r, d->webhook->id, &id) != NGX_OK) {
            return NGX_ERROR;
        }

        request->id.data = id.data;
        request->id.len = id.len;
    }

    /* nothing of it is needed once the request has been parked */

    request->scratch_size = martech_hook_scratch(request);
    request->scratch = ngx_alloc(request->scratch_size, d->worker->log);

    return request->scratch ? NGX_OK : NGX_ERROR;
}


/* The URL as its sender knows it, if that is signed. */

static ngx_int_t
ngx_http_martech_webhook_url(ngx_http_martech_delivery_t *d)
{
    u_char     *p;
    ngx_str_t   url, *uri;

    if (d->webhook->url.value.data == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(d->r, &d->webhook->url, &url) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!d->webhook->whole) {
        uri = &d->r->unparsed_uri;
        p = ngx_pnalloc(d->r->pool, url.len + uri->len);

        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(ngx_cpymem(p, url.data, url.len), uri->data, uri->len);

        url.data = p;
        url.len += uri->len;
    }

    d->request.url.data = url.data;
    d->request.url.len = url.len;

    return NGX_OK;
}


static int
ngx_http_martech_webhook_header(const martech_hook_request_t *request,
    martech_str_t name, martech_str_t *value)
{
    int                  found;
    ngx_uint_t           i;
    ngx_list_part_t     *part;
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    r = request->data;
    found = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len != name.len
                || ngx_memcmp(h[i].lowcase_key, name.data, name.len) != 0)
            {
                continue;
            }

            if (found && (h[i].value.len != value->len
                          || ngx_memcmp(h[i].value.data, value->data,
                                        value->len)
                             != 0))
            {
                return -1;
            }

            value->data = h[i].value.data;
            value->len = h[i].value.len;
            found = 1;
        }
    }

    return found;
}


static ngx_uint_t
ngx_http_martech_webhook_reason(martech_hook_rc_t rc)
{
    switch (rc) {

    case MARTECH_HOOK_MISSING:
        return NGX_HTTP_MARTECH_REFUSED_SIGNATURE_MISSING;

    case MARTECH_HOOK_MALFORMED:
        return NGX_HTTP_MARTECH_REFUSED_SIGNATURE_MALFORMED;

    case MARTECH_HOOK_NO_TIME:
        return NGX_HTTP_MARTECH_REFUSED_SIGNATURE_NO_TIME;

    case MARTECH_HOOK_OLD:
        return NGX_HTTP_MARTECH_REFUSED_SIGNATURE_OLD;

    case MARTECH_HOOK_NEW:
        return NGX_HTTP_MARTECH_REFUSED_SIGNATURE_NEW;

    default:
        return NGX_HTTP_MARTECH_REFUSED_SIGNATURE_BAD;
    }
}


/* A delivery that is what it claims to be. */

static ngx_int_t
ngx_http_martech_webhook_events(ngx_http_martech_delivery_t *d)
{
    off_t                offset;
    ngx_int_t            rc;
    ngx_str_t            text;
    martech_rc_t         mrc;
    martech_hook_map_t   map;

    ngx_memzero(&map, sizeof(martech_hook_map_t));

    map.hook = &d->webhook->hook;
    map.request = &d->request;
    map.limits = &d->mlcf->limits;
    map.tape = &d->worker->tape;
    map.field = "";

    mrc = martech_hook_payload(&map);

    if (mrc != MARTECH_OK) {
        return ngx_http_martech_answer_refused(d->r, mrc, "", -1);
    }

    text.data = (u_char *) map.payload.data;
    text.len = map.payload.len;

    mrc = ngx_http_martech_collect_scan(d->worker, &d->mlcf->limits, &text);

    if (mrc != MARTECH_OK) {
        offset = (mrc == MARTECH_BODY_EMPTY)
                 ? -1 : (off_t) d->worker->tape.error_offset;

        return ngx_http_martech_answer_refused(d->r, mrc, "", offset);
    }

    rc = ngx_http_martech_webhook_map(d, &map);

    if (map.out.start) {
        ngx_free(map.out.start);
    }

    return rc;
}


/* Names and ids are part of the payload, so the first room nearly always does.
   Written once more, the batch comes out the same. */

static ngx_int_t
ngx_http_martech_webhook_map(ngx_http_martech_delivery_t *d,
    martech_hook_map_t *map)
{
    size_t        size;
    u_char       *room;
    ngx_str_t     batch;
    ngx_uint_t    i;
    martech_rc_t  mrc;

    size = 2 * map->payload.len + NGX_HTTP_MARTECH_WEBHOOK_ROOM
           + NGX_HTTP_MARTECH_WEBHOOK_EVENT
             * ngx_min(d->worker->tape.nodes_count,
                       d->mlcf->limits.batch_count_max);

    for (i = 0; i < NGX_HTTP_MARTECH_WEBHOOK_TRIES; i++) {
        room = ngx_alloc(size, d->worker->log);

        if (room == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        martech_json_writer_init(&map->out, room, size);

        mrc = martech_hook_map(map);

        if (mrc != MARTECH_OK) {
            return ngx_http_martech_answer_refused(d->r, mrc, map->field, -1);
        }

        if (map->silent) {
            return ngx_http_martech_webhook_silent(d, map);
        }

        if (!map->out.overflow) {
            batch.data = map->out.start;
            batch.len = map->out.pos - map->out.start;

            return ngx_http_martech_collect_batch(d->r, &batch);
        }

        ngx_free(map->out.start);
        map->out.start = NULL;

        size *= 4;
    }

    return ngx_http_martech_answer_refused(d->r, MARTECH_BATCH_SIZE, "", -1);
}


/* There is nothing to store: all is well, or what was asked for. */

static ngx_int_t
ngx_http_martech_webhook_silent(ngx_http_martech_delivery_t *d,
    martech_hook_map_t *map)
{
    u_char  *p;

    d->ctx->verdict = NGX_HTTP_MARTECH_VERDICT_DROPPED;

    if (map == NULL || map->reply_len == 0) {
        return ngx_http_martech_answer_events(d->r);
    }

    p = ngx_pnalloc(d->r->pool, map->reply_len);

    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(p, map->reply, map->reply_len);

    return ngx_http_martech_answer_plain(d->r, "text/plain", p,
                                         map->reply_len);
}
