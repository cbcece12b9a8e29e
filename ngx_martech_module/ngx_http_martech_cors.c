
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Which pages may send events and read the answers (CORS, the Fetch standard).
 *
 * A page of our own host needs nothing.  Others are held against the list of
 * the source, else of the location; as long as the source is not known, an
 * origin that stands in any of these lists may go on.
 */


#include "ngx_http_martech.h"


typedef enum {
    NGX_HTTP_MARTECH_ORIGIN_NONE = 0,      /* no page, or no list */
    NGX_HTTP_MARTECH_ORIGIN_SAME,
    NGX_HTTP_MARTECH_ORIGIN_ALLOWED,
    NGX_HTTP_MARTECH_ORIGIN_REFUSED
} ngx_http_martech_origin_e;


static ngx_http_martech_origin_e ngx_http_martech_cors_find(
    ngx_http_request_t *r, ngx_http_martech_loc_conf_t *mlcf,
    ngx_http_martech_source_t *source, ngx_str_t *origin,
    ngx_http_martech_cors_t **cors);
static ngx_http_martech_origin_e ngx_http_martech_cors_any(
    ngx_http_martech_loc_conf_t *mlcf, ngx_str_t *origin,
    ngx_http_martech_cors_t **cors);
static ngx_uint_t ngx_http_martech_cors_allows(ngx_http_martech_cors_t *cors,
    ngx_str_t *origin);
static ngx_int_t ngx_http_martech_cors_allow(ngx_http_request_t *r,
    ngx_http_martech_cors_t *cors, ngx_str_t *origin);
static ngx_int_t ngx_http_martech_cors_usual(ngx_http_request_t *r,
    ngx_http_martech_ctx_t *ctx);
static ngx_int_t ngx_http_martech_cors_decide(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf);
static ngx_int_t ngx_http_martech_cors_refuse(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx);
static ngx_int_t ngx_http_martech_cors_answer(ngx_http_request_t *r,
    ngx_http_martech_cors_t *cors);


#define ngx_http_martech_cors_text(r, name, text)                             \
    ngx_http_martech_header_add(r, name, text, sizeof(text) - 1)


ngx_uint_t
ngx_http_martech_cors_check(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx)
{
    ngx_str_t                 origin;
    ngx_http_martech_cors_t  *cors;

    ctx->conf = mlcf;

    if (mlcf->cors == NULL && !mlcf->cors_some) {
        return MARTECH_OK;
    }

    return (ngx_http_martech_cors_find(r, mlcf, ctx->source, &origin, &cors)
            == NGX_HTTP_MARTECH_ORIGIN_REFUSED)
           ? (ngx_uint_t) NGX_HTTP_MARTECH_REFUSED_ORIGIN
           : (ngx_uint_t) MARTECH_OK;
}


ngx_uint_t
ngx_http_martech_cors_trusted(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf)
{
    ngx_str_t                 origin;
    ngx_http_martech_cors_t  *cors;

    switch (ngx_http_martech_cors_find(r, mlcf, NULL, &origin, &cors)) {

    case NGX_HTTP_MARTECH_ORIGIN_SAME:
    case NGX_HTTP_MARTECH_ORIGIN_ALLOWED:
        return 1;

    case NGX_HTTP_MARTECH_ORIGIN_NONE:
        return origin.len == 0;

    default:
        return 0;
    }
}


/* origin is empty if the request has none; cors is the list that allows it. */

static ngx_http_martech_origin_e
ngx_http_martech_cors_find(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_source_t *source,
    ngx_str_t *origin, ngx_http_martech_cors_t **cors)
{
    ngx_uint_t     secure;
    martech_str_t  text, host;

    ngx_str_null(origin);
    *cors = NULL;

    if (ngx_http_martech_header_find(r, "origin", origin) != NGX_OK) {
        return NGX_HTTP_MARTECH_ORIGIN_NONE;
    }

#if (NGX_HTTP_SSL)
    secure = (r->connection->ssl != NULL);
#else
    secure = 0;
#endif

    if (r->headers_in.host) {
        text.data = origin->data;
        text.len = origin->len;
        host.data = r->headers_in.host->value.data;
        host.len = r->headers_in.host->value.len;

        if (martech_origin_same(text, host, (int) secure)) {
            return NGX_HTTP_MARTECH_ORIGIN_SAME;
        }
    }

    if (source == NULL) {
        return ngx_http_martech_cors_any(mlcf, origin, cors);
    }

    *cors = source->cors ? source->cors : mlcf->cors;

    if (*cors == NULL) {
        return NGX_HTTP_MARTECH_ORIGIN_NONE;
    }

    return ngx_http_martech_cors_allows(*cors, origin)
           ? NGX_HTTP_MARTECH_ORIGIN_ALLOWED : NGX_HTTP_MARTECH_ORIGIN_REFUSED;
}


static ngx_http_martech_origin_e
ngx_http_martech_cors_any(ngx_http_martech_loc_conf_t *mlcf,
    ngx_str_t *origin, ngx_http_martech_cors_t **cors)
{
    ngx_uint_t                   i;
    ngx_http_martech_source_t  **source;

    if (mlcf->cors && ngx_http_martech_cors_allows(mlcf->cors, origin)) {
        *cors = mlcf->cors;
        return NGX_HTTP_MARTECH_ORIGIN_ALLOWED;
    }

    if (mlcf->cors_some) {
        source = mlcf->sources->sources.elts;

        for (i = 0; i < mlcf->sources->sources.nelts; i++) {

            if (source[i]->cors
                && ngx_http_martech_cors_allows(source[i]->cors, origin))
            {
                *cors = source[i]->cors;
                return NGX_HTTP_MARTECH_ORIGIN_ALLOWED;
            }
        }
    }

    /* its source may be one that has no list */

    return (mlcf->cors || (mlcf->cors_some && mlcf->cors_all))
           ? NGX_HTTP_MARTECH_ORIGIN_REFUSED : NGX_HTTP_MARTECH_ORIGIN_NONE;
}


static ngx_uint_t
ngx_http_martech_cors_allows(ngx_http_martech_cors_t *cors, ngx_str_t *origin)
{
    ngx_uint_t              i;
    martech_str_t           text;
    martech_origin_rule_t  *rule;

    text.data = origin->data;
    text.len = origin->len;

    rule = cors->rules.elts;

    for (i = 0; i < cors->rules.nelts; i++) {

        if (martech_origin_allowed(&rule[i], text)) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_martech_cors_headers(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx)
{
    ngx_str_t                   origin;
    ngx_http_martech_cors_t    *cors;
    ngx_http_martech_origin_e   what;

    if (mlcf->cors == NULL && !mlcf->cors_some) {
        return ngx_http_martech_cors_usual(r, ctx);
    }

    what = ngx_http_martech_cors_find(r, mlcf, ctx ? ctx->source : NULL,
                                      &origin, &cors);

    if (what == NGX_HTTP_MARTECH_ORIGIN_ALLOWED) {
        return ngx_http_martech_cors_allow(r, cors, &origin);
    }

    if (what == NGX_HTTP_MARTECH_ORIGIN_NONE && origin.len > 0
        && ngx_http_martech_cors_usual(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* for another origin the answer would be another one */

    return ngx_http_martech_cors_text(r, "Vary", "Origin");
}


static ngx_int_t
ngx_http_martech_cors_allow(ngx_http_request_t *r,
    ngx_http_martech_cors_t *cors, ngx_str_t *origin)
{
    static const char  name[] = "Access-Control-Allow-Origin";

    if (r->method != NGX_HTTP_OPTIONS
        && ngx_http_martech_cors_text(r, "Access-Control-Expose-Headers",
                                      "Retry-After, X-Martech-Ack")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* "null" is said by a frame that any page can make, not by one origin */

    if (cors->credentials
        && !(origin->len == 4 && ngx_strncmp(origin->data, "null", 4) == 0)
        && ngx_http_martech_cors_text(r, "Access-Control-Allow-Credentials",
                                      "true")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (cors->any) {
        return ngx_http_martech_cors_text(r, name, "*");
    }

    if (ngx_http_martech_header_add(r, name, (char *) origin->data,
                                    origin->len)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_martech_cors_text(r, "Vary", "Origin");
}


/*
 * Without a list, a page of another origin may read one thing: that it has to
 * send its events again, and when.  There is nothing in a 503 that it must not
 * see.
 */

static ngx_int_t
ngx_http_martech_cors_usual(ngx_http_request_t *r, ngx_http_martech_ctx_t *ctx)
{
    ngx_str_t  origin;

    if (ctx == NULL || ctx->verdict != NGX_HTTP_MARTECH_VERDICT_UNAVAILABLE
        || ngx_http_martech_header_find(r, "origin", &origin) != NGX_OK)
    {
        return NGX_OK;
    }

    if (ngx_http_martech_header_add(r, "Access-Control-Allow-Origin",
                                    (char *) origin.data, origin.len)
        != NGX_OK
        || ngx_http_martech_cors_text(r, "Access-Control-Expose-Headers",
                                      "Retry-After")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_martech_cors_text(r, "Vary", "Origin");
}


ngx_int_t
ngx_http_martech_cors_preflight(ngx_http_request_t *r)
{
    ngx_str_t                     text;
    ngx_http_martech_loc_conf_t  *mlcf;

    if (r->method != NGX_HTTP_OPTIONS) {
        return NGX_DECLINED;
    }

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_martech_module);

    if (mlcf->webhook || !(mlcf->collect || mlcf->forget)
        || (mlcf->cors == NULL && !mlcf->cors_some)
        || ngx_http_martech_header_find(r, "access-control-request-method",
                                        &text)
           != NGX_OK
        || ngx_http_martech_header_find(r, "origin", &text) != NGX_OK
        || ngx_http_martech_ctx(r) != NULL)
    {
        return NGX_DECLINED;
    }

    ngx_http_finalize_request(r, ngx_http_martech_cors_decide(r, mlcf));

    return NGX_DONE;
}


/* A preflight brings no key: it may come from any of the sources. */

static ngx_int_t
ngx_http_martech_cors_decide(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf)
{
    ngx_str_t                      origin;
    ngx_http_martech_ctx_t        *ctx;
    ngx_http_martech_cors_t       *cors;
    ngx_http_martech_origin_e      what;
    ngx_http_martech_main_conf_t  *mmcf;

    ctx = NULL;

    if (mlcf->collect) {
        mmcf = ngx_http_get_module_main_conf(r, ngx_http_martech_module);

        if (ngx_http_martech_worker(mmcf) == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx = ngx_http_martech_ctx_create(r);

        if (ctx == NULL
            || ngx_http_martech_consent_request(r, mlcf, ctx) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->conf = mlcf;
        ctx->verdict = NGX_HTTP_MARTECH_VERDICT_PREFLIGHT;
    }

    what = ngx_http_martech_cors_find(r, mlcf, NULL, &origin, &cors);

    if (what == NGX_HTTP_MARTECH_ORIGIN_REFUSED
        || what == NGX_HTTP_MARTECH_ORIGIN_NONE)
    {
        return ngx_http_martech_cors_refuse(r, mlcf, ctx);
    }

    return ngx_http_martech_cors_answer(r, cors);
}


static ngx_int_t
ngx_http_martech_cors_refuse(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx)
{
    return ctx ? ngx_http_martech_answer_refused(r,
                                      NGX_HTTP_MARTECH_REFUSED_ORIGIN, "", -1)
               : NGX_HTTP_FORBIDDEN;
}


/* cors is NULL for our own origin, which asks only by mistake. */

static ngx_int_t
ngx_http_martech_cors_answer(ngx_http_request_t *r,
    ngx_http_martech_cors_t *cors)
{
    size_t         len;
    u_char        *p;
    ngx_int_t      rc;
    ngx_str_t      text;
    martech_str_t  asked;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + MARTECH_CORS_HEADERS_SIZE);

    if (p == NULL
        || ngx_http_martech_cors_text(r, "Access-Control-Allow-Methods",
                                      "GET, POST, OPTIONS")
           != NGX_OK
        || ngx_http_martech_cors_text(r, "Vary",
                                      "Access-Control-Request-Headers")
           != NGX_OK
        || ngx_http_martech_header_add(r, "Access-Control-Max-Age",
                           (char *) p,
                           ngx_sprintf(p, "%T", cors ? cors->max_age : 0) - p)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_martech_header_find(r, "access-control-request-headers",
                                     &text)
        == NGX_OK)
    {
        asked.data = text.data;
        asked.len = text.len;

        p += NGX_TIME_T_LEN;
        len = martech_cors_headers(asked, p);

        if (len > 0
            && ngx_http_martech_header_add(r, "Access-Control-Allow-Headers",
                                           (char *) p, len)
               != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ngx_http_martech_header_find(r,
                            "access-control-request-private-network", &text)
        == NGX_OK
        && text.len == 4 && ngx_strncmp(text.data, "true", 4) == 0
        && ngx_http_martech_cors_text(r,
                               "Access-Control-Allow-Private-Network", "true")
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;

    return ngx_http_send_header(r);
}
