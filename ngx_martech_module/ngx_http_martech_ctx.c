
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What we know of a request, from its first check to the log; and the
 * accounting at its end.
 */


#include "ngx_http_martech.h"


static void ngx_http_martech_ctx_cleanup(void *data);
static void ngx_http_martech_ctx_account(ngx_http_request_t *r,
    ngx_http_martech_ctx_t *ctx);


ngx_http_martech_ctx_t *
ngx_http_martech_ctx_create(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t      *cln;
    ngx_http_martech_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_martech_ctx_t));

    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_martech_ctx_t));

    cln->handler = ngx_http_martech_ctx_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_martech_module);

    return ctx;
}


/*
 * An internal redirect clears the contexts of all modules, so ours hangs on
 * the request's pool as well, where it is known by its handler.
 */

static void
ngx_http_martech_ctx_cleanup(void *data)
{
    ngx_http_martech_ctx_t *ctx = data;

    ngx_http_request_t  *r;

    r = ctx->quiet;

    if (r) {

        /* the connection lives on; our handler of the log phase did not run */

        r->connection->log->handler = ctx->log_handler;
        ctx->quiet = NULL;

        ngx_http_martech_ctx_account(r, ctx);
    }
}


/*
 * NGINX logs a request unless that is marked as done.  Lines of its error log
 * get the client, the request line and the referrer from the connection's
 * handler.
 */

void
ngx_http_martech_ctx_quiet(ngx_http_request_t *r, ngx_http_martech_ctx_t *ctx,
    ngx_uint_t on)
{
    if (on && ctx->quiet == NULL) {
        ctx->quiet = r;
        ctx->log_handler = r->connection->log->handler;

        r->connection->log->handler = NULL;
        r->logged = 1;

    } else if (!on && ctx->quiet) {
        r->connection->log->handler = ctx->log_handler;
        r->logged = 0;

        ctx->quiet = NULL;
    }
}


ngx_http_martech_ctx_t *
ngx_http_martech_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t      *cln;
    ngx_http_martech_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_martech_module);

    if (ctx || !(r->internal || r->uri_changed || r->filter_finalize)) {
        return ctx;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_http_martech_ctx_cleanup) {
            ngx_http_set_ctx(r, cln->data, ngx_http_martech_module);
            return cln->data;
        }
    }

    return NULL;
}


/* Also of requests that never came to the content handler, such as a 413. */

ngx_int_t
ngx_http_martech_log_handler(ngx_http_request_t *r)
{
    ngx_http_martech_ctx_t       *ctx;
    ngx_http_martech_loc_conf_t  *mlcf;

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_martech_module);
    ctx = ngx_http_martech_ctx(r);

    if (r != r->main || (!mlcf->collect && ctx == NULL)) {
        return NGX_OK;
    }

    if (ctx && ctx->page) {
        ngx_http_martech_observe_log(r, ctx);

    } else {
        ngx_http_martech_ctx_account(r, ctx);
    }

    return NGX_OK;
}


/* Once for each request, by the log phase or at the end of a quiet one. */

static void
ngx_http_martech_ctx_account(ngx_http_request_t *r,
    ngx_http_martech_ctx_t *ctx)
{
    ngx_http_martech_worker_t     *worker;
    ngx_http_martech_main_conf_t  *mmcf;

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_martech_module);
    worker = ngx_http_martech_worker(mmcf);

    if (worker == NULL) {
        return;
    }

    ngx_http_martech_count(worker, REQUESTS, 1);

    if (ctx == NULL || ctx->verdict == NGX_HTTP_MARTECH_VERDICT_NONE) {
        worker->stats->refused[NGX_HTTP_MARTECH_REFUSED_OUTSIDE]++;
    }
}
