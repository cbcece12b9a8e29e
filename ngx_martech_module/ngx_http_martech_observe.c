
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Pages as the server sees them.  The header filter decides what is one, while
 * its type is known and a cookie can still be set; the LOG phase makes an event
 * of it, which goes the way of all others, but that nobody waits for it.
 *
 * What its person has denied, or a rule drops, is no page in the account of
 * pages and beacons.
 */


#include "ngx_http_martech_collect.h"


static ngx_uint_t ngx_http_martech_observe_wanted(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf);
static ngx_uint_t ngx_http_martech_observe_type(ngx_http_request_t *r,
    ngx_http_martech_observe_t *observe);
static ngx_uint_t ngx_http_martech_observe_is(ngx_str_t *type,
    ngx_str_t *wanted);
static ngx_uint_t ngx_http_martech_observe_condition(ngx_http_request_t *r,
    ngx_http_martech_observe_t *observe);
static ngx_uint_t ngx_http_martech_observe_shown(ngx_http_request_t *r);
static ngx_uint_t ngx_http_martech_observe_delivered(ngx_http_request_t *r);
static void ngx_http_martech_observe_event(ngx_http_request_t *r,
    ngx_http_martech_ctx_t *ctx, ngx_http_martech_worker_t *worker);


static const martech_dialect_t  ngx_http_martech_observe_dialect = {
    .name = martech_string("observe"),
};


ngx_int_t
ngx_http_martech_observe_begin(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t **ctx)
{
    ngx_http_martech_page_t       *page;
    ngx_http_martech_worker_t     *worker;
    ngx_http_martech_main_conf_t  *mmcf;

    /* with a context it takes events, or is a page already */

    if (*ctx || mlcf->observed == NULL
        || !ngx_http_martech_observe_wanted(r, mlcf))
    {
        return NGX_OK;
    }

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_martech_module);
    worker = ngx_http_martech_worker(mmcf);

    if (worker == NULL) {
        return NGX_OK;
    }

    page = ngx_pcalloc(r->pool, sizeof(ngx_http_martech_page_t));

    if (page == NULL) {
        return NGX_ERROR;
    }

    *ctx = ngx_http_martech_ctx_create(r);

    if (*ctx == NULL) {
        return NGX_ERROR;
    }

    (*ctx)->page = page;
    (*ctx)->source = mlcf->observed;
    (*ctx)->dialect = &ngx_http_martech_observe_dialect;
    (*ctx)->dialect_number = NGX_HTTP_MARTECH_DIALECT_OBSERVE;

    if (ngx_http_martech_consent_page(r, mlcf, *ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_martech_request_id(r, worker, page->buf, &page->id);

    page->type = r->headers_out.content_type;
    page->place = NGX_DECLINED;
    page->drop = ngx_http_martech_drop_request(r, mlcf);
    page->denied = ngx_http_martech_identity_denied(r, mlcf, *ctx) & 1;
    page->shown = (!page->denied && page->drop == NULL
                   && ngx_http_martech_observe_shown(r));

    return NGX_OK;
}


static ngx_uint_t
ngx_http_martech_observe_wanted(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf)
{
    return (r->method & (NGX_HTTP_GET|NGX_HTTP_POST))
           && r->headers_out.status >= NGX_HTTP_OK
           && r->headers_out.status < NGX_HTTP_BAD_REQUEST
           && r->headers_out.status != NGX_HTTP_NO_CONTENT
           && ngx_http_martech_observe_type(r, mlcf->observe)
           && !ngx_http_martech_identity_prefetch(r)
           && ngx_http_martech_observe_condition(r, mlcf->observe);
}


static ngx_uint_t
ngx_http_martech_observe_type(ngx_http_request_t *r,
    ngx_http_martech_observe_t *observe)
{
    ngx_str_t   *type;
    ngx_uint_t   i;

    if (observe->any) {
        return 1;
    }

    if (observe->types == NULL) {
        return ngx_http_martech_identity_html(r);
    }

    type = observe->types->elts;

    for (i = 0; i < observe->types->nelts; i++) {

        if (ngx_http_martech_observe_is(&r->headers_out.content_type,
                                        &type[i]))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_martech_observe_is(ngx_str_t *type, ngx_str_t *wanted)
{
    return type->len >= wanted->len
           && ngx_strncasecmp(type->data, wanted->data, wanted->len) == 0
           && (type->len == wanted->len || type->data[wanted->len] == ';'
               || type->data[wanted->len] == ' ');
}


static ngx_uint_t
ngx_http_martech_observe_condition(ngx_http_request_t *r,
    ngx_http_martech_observe_t *observe)
{
    ngx_str_t  value;

    return observe->condition == NULL
           || (ngx_http_complex_value(r, observe->condition, &value) == NGX_OK
               && value.len > 0
               && !(value.len == 1 && value.data[0] == '0'));
}


/* 1 for what a browser shows by itself, so that a beacon may come of it:
   neither a redirect nor what a script has fetched nor a frame. */

static ngx_uint_t
ngx_http_martech_observe_shown(ngx_http_request_t *r)
{
    ngx_str_t  value;

    if (!ngx_http_martech_identity_html(r)
        || r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT
        || (r->headers_out.status >= NGX_HTTP_SPECIAL_RESPONSE
            && r->headers_out.status != NGX_HTTP_NOT_MODIFIED))
    {
        return 0;
    }

    return ngx_http_martech_header_find(r, "sec-fetch-dest", &value) != NGX_OK
           || (value.len == 8 && ngx_strncmp(value.data, "document", 8) == 0);
}


ngx_int_t
ngx_http_martech_observe_headers(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx)
{
    u_char                        *p, *timing;
    ngx_http_martech_page_t       *page;
    ngx_http_martech_main_conf_t  *mmcf;

    page = ctx->page;

    ngx_http_martech_identity_page_visitor(r, mlcf, ctx);

    if (!page->linked) {
        return NGX_OK;
    }

    /* now: a beacon may come before the page is through */

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_martech_module);

    if (page->place == NGX_DECLINED) {
        ngx_http_martech_loss_open(mmcf->loss, page, &ctx->source->name);
    }

    timing = ngx_pnalloc(r->pool, sizeof("rid;desc=\"\"") + page->id.len);

    if (timing == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(timing, "rid;desc=\"%*s\"", page->id.len, page->id.data);

    return ngx_http_martech_header_add(r, "Server-Timing", (char *) timing,
                                       p - timing);
}


void
ngx_http_martech_observe_log(ngx_http_request_t *r,
    ngx_http_martech_ctx_t *ctx)
{
    ngx_uint_t                     delivered;
    ngx_http_martech_page_t       *page;
    ngx_http_martech_worker_t     *worker;
    ngx_http_martech_main_conf_t  *mmcf;

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_martech_module);
    worker = ngx_http_martech_worker(mmcf);

    if (worker == NULL) {
        return;
    }

    page = ctx->page;
    delivered = ngx_http_martech_observe_delivered(r);

    if (page->shown) {
        ngx_http_martech_loss_served(mmcf->loss, page, &ctx->source->name,
                                     delivered);
    }

    if (!delivered) {
        return;
    }

    if (page->denied) {

        /* there is no id that its event could be stored with */

        ngx_http_martech_count(worker, RECEIVED, 1);
        ngx_http_martech_dropped(worker->stats, CONSENT, 1);

        worker->stats->dialects[ctx->dialect_number].received++;
        worker->stats->dialects[ctx->dialect_number].accepted++;

        return;
    }

    if (ctx->visit.visitor.len > 0) {
        ngx_http_martech_observe_event(r, ctx, worker);
    }
}


/* A client that has gone did not see the page. */

static ngx_uint_t
ngx_http_martech_observe_delivered(ngx_http_request_t *r)
{
    return !r->connection->error && !r->connection->timedout
           && r->headers_out.status >= NGX_HTTP_OK
           && r->headers_out.status < NGX_HTTP_BAD_REQUEST;
}


static void
ngx_http_martech_observe_event(ngx_http_request_t *r,
    ngx_http_martech_ctx_t *ctx, ngx_http_martech_worker_t *worker)
{
    ngx_int_t                     rc;
    ngx_str_t                     batch;
    ngx_http_martech_loc_conf_t  *mlcf;

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_martech_module);

    rc = NGX_BUSY;

    if (ngx_http_martech_redis_accepts(worker)
        && ngx_http_martech_observe_text(r, mlcf, ctx, worker, &batch)
           == NGX_OK)
    {
        rc = ngx_http_martech_collect_aside(r, &batch);
    }

    if (rc != NGX_OK && rc != NGX_DECLINED) {
        ngx_http_martech_count(worker, RECEIVED, 1);
        ngx_http_martech_dropped(worker->stats, UNAVAILABLE, 1);

        worker->stats->dialects[ctx->dialect_number].received++;
    }
}


martech_str_t
ngx_http_martech_observe_known(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx)
{
    size_t                      i;
    martech_str_t               value, none = { 0, NULL };
    ngx_http_martech_cookies_t  cookies;

    ngx_memzero(&cookies, sizeof(ngx_http_martech_cookies_t));

    while (ngx_http_martech_cookie_next(r, &cookies, &mlcf->link->name, &value)
           == NGX_OK)
    {
        if (value.len != NGX_HTTP_MARTECH_PAGE_ID) {
            continue;
        }

        for (i = 0; i < value.len; i++) {

            if (!((value.data[i] >= '0' && value.data[i] <= '9')
                  || (value.data[i] >= 'a' && value.data[i] <= 'f')))
            {
                break;
            }
        }

        if (i == value.len) {
            return value;
        }
    }

    return none;
}
