
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What was served, as a batch of one event that the event model reads.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_OBSERVE_ROOM  1024      /* without what varies */
#define NGX_HTTP_MARTECH_OBSERVE_NAME  256       /* bytes of an event's name */


/* What a page is known by. */
typedef struct {
    ngx_str_t   name;                            /* of the event */
    ngx_str_t   scheme;
    ngx_str_t   host;                            /* as sent, with its port */
    ngx_str_t   uri;                             /* as sent, with its query */
    ngx_str_t   path;                            /* of it */
    ngx_str_t   referrer;
} ngx_http_martech_observe_page_t;


static ngx_int_t ngx_http_martech_observe_page(ngx_http_request_t *r,
    ngx_http_martech_observe_t *observe,
    ngx_http_martech_observe_page_t *page);
static void ngx_http_martech_observe_properties(ngx_http_request_t *r,
    ngx_http_martech_page_t *served, ngx_http_martech_observe_page_t *page,
    martech_json_writer_t *w);
static ngx_int_t ngx_http_martech_observe_context(ngx_http_request_t *r,
    ngx_http_martech_observe_page_t *page, martech_json_writer_t *w);
static int64_t ngx_http_martech_observe_duration(ngx_http_request_t *r);


#define ngx_http_martech_observe_string(w, name, s)                           \
    do {                                                                      \
        martech_json_name(w, name);                                           \
        martech_json_string(w, (s)->data, (s)->len);                          \
    } while (0)


ngx_int_t
ngx_http_martech_observe_text(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx,
    ngx_http_martech_worker_t *worker, ngx_str_t *batch)
{
    size_t                            size;
    martech_json_writer_t             w;
    ngx_http_martech_observe_page_t   page;

    if (ngx_http_martech_observe_page(r, mlcf->observe, &page) != NGX_OK) {
        return NGX_ERROR;
    }

    /* a byte becomes six in an escape; the path is there twice */

    size = NGX_HTTP_MARTECH_OBSERVE_ROOM
           + 6 * (page.name.len + 2 * page.host.len + 3 * page.uri.len
                  + page.referrer.len + ctx->page->type.len
                  + r->method_name.len);

    if (ngx_http_martech_texts_room(&worker->texts.batch, size, 0, worker->log)
        == NULL)
    {
        return NGX_ERROR;
    }

    martech_json_writer_init(&w, worker->texts.batch.data, size);

    martech_json_begin(&w, '{');
    martech_json_name(&w, "batch");
    martech_json_begin(&w, '[');
    martech_json_begin(&w, '{');
    martech_json_name(&w, "type");
    martech_json_cstring(&w, "track");
    ngx_http_martech_observe_string(&w, "event", &page.name);

    ngx_http_martech_observe_properties(r, ctx->page, &page, &w);

    if (ngx_http_martech_observe_context(r, &page, &w) != NGX_OK) {
        return NGX_ERROR;
    }

    martech_json_end(&w, '}');
    martech_json_end(&w, ']');
    martech_json_end(&w, '}');

    batch->data = w.start;
    batch->len = w.pos - w.start;

    return w.overflow ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_martech_observe_page(ngx_http_request_t *r,
    ngx_http_martech_observe_t *observe, ngx_http_martech_observe_page_t *page)
{
    u_char     *query;
    ngx_str_t   forwarded;

    ngx_memzero(page, sizeof(ngx_http_martech_observe_page_t));

    if (observe->event
        && ngx_http_complex_value(r, observe->event, &page->name) != NGX_OK)
    {
        return NGX_ERROR;
    }

    page->name.len = ngx_min(page->name.len, NGX_HTTP_MARTECH_OBSERVE_NAME);

    if (page->name.len == 0) {
        ngx_str_set(&page->name, "Page Served");
    }

    ngx_str_set(&page->scheme, "http");

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        ngx_str_set(&page->scheme, "https");
    }
#endif

    if (ngx_http_martech_header_find(r, "x-forwarded-proto", &forwarded)
        == NGX_OK
        && forwarded.len == 5
        && ngx_strncasecmp(forwarded.data, (u_char *) "https", 5) == 0)
    {
        ngx_str_set(&page->scheme, "https");
    }

    page->host = r->headers_in.host ? r->headers_in.host->value
                                    : r->headers_in.server;
    page->uri = r->unparsed_uri;
    page->path = page->uri;

    query = ngx_strlchr(page->uri.data, page->uri.data + page->uri.len, '?');

    if (query) {
        page->path.len = query - page->uri.data;
    }

    if (r->headers_in.referer) {
        page->referrer = r->headers_in.referer->value;
    }

    return NGX_OK;
}


static void
ngx_http_martech_observe_properties(ngx_http_request_t *r,
    ngx_http_martech_page_t *served, ngx_http_martech_observe_page_t *page,
    martech_json_writer_t *w)
{
    off_t  bytes;

    bytes = r->connection->sent - (off_t) r->header_size;

    martech_json_name(w, "properties");
    martech_json_begin(w, '{');
    martech_json_name(w, "status");
    martech_json_int(w, (int64_t) r->headers_out.status);
    ngx_http_martech_observe_string(w, "method", &r->method_name);
    ngx_http_martech_observe_string(w, "path", &page->path);
    ngx_http_martech_observe_string(w, "host", &r->headers_in.server);
    martech_json_name(w, "bytes");
    martech_json_int(w, (bytes > 0) ? (int64_t) bytes : 0);
    martech_json_name(w, "durationMs");
    martech_json_int(w, ngx_http_martech_observe_duration(r));

    if (served->type.len > 0) {
        ngx_http_martech_observe_string(w, "contentType", &served->type);
    }

#if (NGX_HTTP_CACHE)
    if (r->upstream && r->upstream->cache_status > 0) {
        ngx_http_martech_observe_string(w, "cache",
                        &ngx_http_cache_status[r->upstream->cache_status - 1]);
    }
#endif

    martech_json_end(w, '}');
}


static int64_t
ngx_http_martech_observe_duration(ngx_http_request_t *r)
{
    int64_t      ms;
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    ms = (int64_t) (tp->sec - r->start_sec) * 1000
         + ((int64_t) tp->msec - (int64_t) r->start_msec);

    return ngx_max(ms, 0);
}


static ngx_int_t
ngx_http_martech_observe_context(ngx_http_request_t *r,
    ngx_http_martech_observe_page_t *page, martech_json_writer_t *w)
{
    ngx_str_t  url;

    martech_json_name(w, "context");
    martech_json_begin(w, '{');
    martech_json_name(w, "page");
    martech_json_begin(w, '{');

    if (page->host.len > 0) {
        url.data = ngx_pnalloc(r->pool, page->scheme.len + 3 + page->host.len
                                        + page->uri.len);
        if (url.data == NULL) {
            return NGX_ERROR;
        }

        url.len = ngx_sprintf(url.data, "%V://%V%V", &page->scheme,
                              &page->host, &page->uri)
                  - url.data;

        ngx_http_martech_observe_string(w, "url", &url);
    }

    ngx_http_martech_observe_string(w, "path", &page->path);

    if (page->referrer.len > 0) {
        ngx_http_martech_observe_string(w, "referrer", &page->referrer);
    }

    martech_json_end(w, '}');
    martech_json_end(w, '}');

    return NGX_OK;
}
