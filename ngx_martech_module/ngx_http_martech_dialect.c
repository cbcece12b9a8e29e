
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A request as the dialects see it, and whose it is.
 *
 * Nothing of the request is copied: a dialect looks at the bytes that NGINX
 * holds, and asks for a header or a cookie when it wants one.
 */


#include "ngx_http_martech.h"


/* Beginnings of a path that are tried where the location has none itself. */
#define NGX_HTTP_MARTECH_DIALECT_TRIES  16


static ngx_inline void ngx_http_martech_dialect_line(ngx_http_request_t *r,
    martech_request_t *request);
static ngx_uint_t ngx_http_martech_dialect_method(ngx_uint_t method);
static ngx_uint_t ngx_http_martech_dialect_next(ngx_http_request_t *r,
    size_t *skip);
static void ngx_http_martech_dialect_ask(ngx_http_request_t *r, size_t skip,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx,
    martech_request_t *request);
static martech_str_t ngx_http_martech_dialect_header(
    const martech_request_t *request, const char *name, size_t len);
static int ngx_http_martech_dialect_each(const martech_request_t *request,
    unsigned i, martech_str_t *name, martech_str_t *value);
static martech_str_t ngx_http_martech_dialect_cookie(
    const martech_request_t *request, const char *name, size_t len);
static ngx_uint_t ngx_http_martech_dialect_cookies(ngx_str_t *cookies,
    const char *name, size_t len, martech_str_t *value);


/* Methods and their bits, in the order in which "Allow" lists them. */

static struct {
    ngx_uint_t   method;
    ngx_uint_t   bit;
    const char  *name;
} ngx_http_martech_dialect_methods[] = {
    { NGX_HTTP_GET, MARTECH_GET, "GET" },
    { NGX_HTTP_HEAD, MARTECH_HEAD, "HEAD" },
    { NGX_HTTP_POST, MARTECH_POST, "POST" },
    { NGX_HTTP_OPTIONS, MARTECH_OPTIONS, "OPTIONS" },
    { NGX_HTTP_PUT, MARTECH_PUT, "PUT" },
    { NGX_HTTP_DELETE, MARTECH_DELETE, "DELETE" },
    { 0, 0, NULL }
};


ngx_uint_t
ngx_http_martech_dialect_find(ngx_http_request_t *r,
    ngx_http_martech_worker_t *worker, ngx_http_martech_loc_conf_t *mlcf,
    ngx_http_martech_ctx_t *ctx)
{
    size_t              skip;
    ngx_uint_t          fixed, tries;
    martech_request_t  *request, *kept;

    request = &worker->request;
    ngx_http_martech_dialect_line(r, request);

    skip = 0;
    tries = 0;
    fixed = (mlcf->skip > 0 && r->uri.len >= mlcf->skip);

    if (fixed) {
        skip = mlcf->skip - (r->uri.data[mlcf->skip - 1] == '/');
    }

    /* without a prefix: the longest part of the URI that somebody knows */

    do {
        ngx_http_martech_dialect_ask(r, skip, mlcf, ctx, request);

    } while (!(ctx->endpoint || ctx->methods || fixed)
             && ngx_http_martech_dialect_next(r, &skip)
             && ++tries < NGX_HTTP_MARTECH_DIALECT_TRIES);

    if (ctx->endpoint == NULL) {
        return ctx->methods ? NGX_HTTP_MARTECH_REFUSED_METHOD
                            : NGX_HTTP_MARTECH_REFUSED_PATH;
    }

    if (ctx->endpoint->native && ctx->endpoint->reply == NULL
        && ctx->endpoint->visitor == NULL)
    {
        return MARTECH_OK;
    }

    kept = ngx_http_martech_dialect_request(r, worker);

    if (kept == NULL) {
        ctx->endpoint = NULL;
        return NGX_HTTP_MARTECH_REFUSED_UNAVAILABLE;
    }

    kept->path = request->path;
    kept->prefix = request->prefix;
    kept->conf = request->conf;

    ctx->request = kept;

    return MARTECH_OK;
}


void
ngx_http_martech_dialect_init(ngx_http_martech_worker_t *worker)
{
    martech_request_t  *request;

    request = &worker->request;

    request->header = ngx_http_martech_dialect_header;
    request->cookie = ngx_http_martech_dialect_cookie;
    request->each = ngx_http_martech_dialect_each;
}


martech_request_t *
ngx_http_martech_dialect_request(ngx_http_request_t *r,
    ngx_http_martech_worker_t *worker)
{
    ngx_str_t          *host;
    ngx_time_t         *tp;
    martech_request_t  *request;

    request = ngx_palloc(r->pool, sizeof(martech_request_t));

    if (request == NULL) {
        return NULL;
    }

    *request = worker->request;
    ngx_http_martech_dialect_line(r, request);

    host = r->headers_in.host ? &r->headers_in.host->value
                              : &r->headers_in.server;

    request->host.data = host->data;
    request->host.len = host->len;

    request->scheme.data = (u_char *) "http";
    request->scheme.len = 4;

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        request->scheme.data = (u_char *) "https";
        request->scheme.len = 5;
    }
#endif

    request->denied = 0;

    tp = ngx_timeofday();
    request->now_ms = (uint64_t) tp->sec * 1000 + tp->msec;

    return request;
}


/* What chooses an endpoint; every request pays for it.  What is not set here
   is as in the worker's. */

static ngx_inline void
ngx_http_martech_dialect_line(ngx_http_request_t *r,
    martech_request_t *request)
{
    ngx_table_elt_t  *type;
    const ngx_str_t  *value;

    static const ngx_str_t  none;

    request->method = (r->method == NGX_HTTP_POST)
                      ? MARTECH_POST
                      : ngx_http_martech_dialect_method(r->method);

    request->args.data = r->args.data;
    request->args.len = r->args.len;

    type = r->headers_in.content_type;
    value = type ? &type->value : &none;

    request->content_type.data = value->data;
    request->content_type.len = value->len;

    request->data = r;
}


/* 0: it is none that anybody takes. */

static ngx_uint_t
ngx_http_martech_dialect_method(ngx_uint_t method)
{
    ngx_uint_t  i;

    for (i = 0; ngx_http_martech_dialect_methods[i].bit; i++) {

        if (method == ngx_http_martech_dialect_methods[i].method) {
            return ngx_http_martech_dialect_methods[i].bit;
        }
    }

    return 0;
}


void
ngx_http_martech_dialect_name(ngx_uint_t number, char *name)
{
    ngx_str_t  s;

    ngx_str_set(&s, "webhook");

    if (number == NGX_HTTP_MARTECH_DIALECT_OBSERVE) {
        ngx_str_set(&s, "observe");

    } else if (number < NGX_HTTP_MARTECH_DIALECT_HOOK) {
        s.data = (u_char *) martech_dialects[number]->name.data;
        s.len = martech_dialects[number]->name.len;
    }

    (void) ngx_snprintf((u_char *) name, NGX_HTTP_MARTECH_DIALECT_NAME, "%V%Z",
                        &s);
}


u_char *
ngx_http_martech_dialect_allow(u_char *p, ngx_uint_t methods)
{
    u_char      *start;
    ngx_uint_t   i;

    start = p;

    for (i = 0; ngx_http_martech_dialect_methods[i].bit; i++) {

        if (methods & ngx_http_martech_dialect_methods[i].bit) {
            p = ngx_sprintf(p, "%s%s", (p == start) ? "" : ", ",
                            ngx_http_martech_dialect_methods[i].name);
        }
    }

    return p;
}


/* What a prefix location stands for ends in front of the "/" that the path
   begins with. */

size_t
ngx_http_martech_dialect_skip(ngx_http_core_loc_conf_t *clcf)
{
    if (clcf->named || clcf->noname || clcf->exact_match || clcf->lmt_excpt) {
        return 0;
    }

#if (NGX_PCRE)
    if (clcf->regex) {
        return 0;
    }
#endif

    return clcf->name.len;
}


/* On to the next "/" behind the first byte. */

static ngx_uint_t
ngx_http_martech_dialect_next(ngx_http_request_t *r, size_t *skip)
{
    while (++(*skip) < r->uri.len) {

        if (r->uri.data[*skip] == '/') {
            return 1;
        }
    }

    return 0;
}


/*
 * The first dialect that knows the path with this method has the request; of
 * those that know it with others their methods are noted.
 */

static void
ngx_http_martech_dialect_ask(ngx_http_request_t *r, size_t skip,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx,
    martech_request_t *request)
{
    ngx_uint_t                  i;
    const martech_endpoint_t   *endpoint;
    ngx_http_martech_spoken_t  *spoken;

    request->prefix.data = r->uri.data;
    request->prefix.len = skip;
    request->path.data = r->uri.data + skip;
    request->path.len = r->uri.len - skip;

    if (request->path.len == 0) {
        request->path.data = (u_char *) "/";
        request->path.len = 1;
    }

    for (i = 0; i < mlcf->dialects->count; i++) {
        spoken = &mlcf->dialects->spoken[i];

        request->conf = &spoken->conf;
        endpoint = spoken->dialect->match(request);

        if (endpoint == NULL) {
            continue;
        }

        if (endpoint->methods & request->method) {
            ctx->endpoint = endpoint;
            ctx->dialect = spoken->dialect;
            ctx->dialect_number = spoken->number;
            ctx->type = endpoint->type;
            return;
        }

        ctx->methods |= endpoint->methods;
    }
}


static martech_str_t
ngx_http_martech_dialect_header(const martech_request_t *request,
    const char *name, size_t len)
{
    ngx_uint_t           i;
    martech_str_t        value = { 0, NULL };
    ngx_list_part_t     *part;
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    r = request->data;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == len
                && ngx_memcmp(h[i].lowcase_key, name, len) == 0)
            {
                value.data = h[i].value.data;
                value.len = h[i].value.len;
                return value;
            }
        }
    }

    return value;
}


static int
ngx_http_martech_dialect_each(const martech_request_t *request, unsigned i,
    martech_str_t *name, martech_str_t *value)
{
    ngx_list_part_t     *part;
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    r = request->data;

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        if (i >= part->nelts) {
            i -= part->nelts;
            continue;
        }

        h = part->elts;

        name->data = h[i].key.data;
        name->len = h[i].key.len;
        value->data = h[i].value.data;
        value->len = h[i].value.len;

        return 1;
    }

    return 0;
}


/* NGINX keeps the headers "Cookie" in another way with each version. */

static martech_str_t
ngx_http_martech_dialect_cookie(const martech_request_t *request,
    const char *name, size_t len)
{
    ngx_uint_t           i;
    martech_str_t        value = { 0, NULL };
    ngx_list_part_t     *part;
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    r = request->data;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == sizeof("cookie") - 1
                && ngx_memcmp(h[i].lowcase_key, "cookie", h[i].key.len) == 0
                && ngx_http_martech_dialect_cookies(&h[i].value, name, len,
                                                    &value))
            {
                return value;
            }
        }
    }

    return value;
}


static ngx_uint_t
ngx_http_martech_dialect_cookies(ngx_str_t *cookies, const char *name,
    size_t len, martech_str_t *value)
{
    u_char  *p, *end, *next;

    p = cookies->data;
    end = p + cookies->len;

    while (p < end) {
        next = ngx_strlchr(p, end, ';');

        if (next == NULL) {
            next = end;
        }

        while (p < next && *p == ' ') {
            p++;
        }

        if ((size_t) (next - p) > len && p[len] == '='
            && ngx_memcmp(p, name, len) == 0)
        {
            value->data = p + len + 1;
            value->len = next - (p + len + 1);

            while (value->len > 0 && value->data[value->len - 1] == ' ') {
                value->len--;
            }

            return 1;
        }

        p = next + 1;
    }

    return 0;
}
