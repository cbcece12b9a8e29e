
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The header filter: whatever an answer is and whoever made it, this is where
 * it gets the headers of CORS and its cookies.
 *
 * It is in the chain of every configuration, also of one that uses nothing of
 * it: in single-process mode the chain outlives a reload that has failed.
 */


#include "ngx_http_martech.h"


static ngx_int_t ngx_http_martech_filter(ngx_http_request_t *r);


static ngx_http_output_header_filter_pt  ngx_http_martech_next_filter;


void
ngx_http_martech_filter_init(void)
{
    ngx_http_martech_next_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_martech_filter;
}


static ngx_int_t
ngx_http_martech_filter(ngx_http_request_t *r)
{
    ngx_http_martech_ctx_t       *ctx;
    ngx_http_martech_loc_conf_t  *mlcf;

    if (r != r->main) {
        return ngx_http_martech_next_filter(r);
    }

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_martech_module);
    ctx = ngx_http_martech_ctx(r);

    if (ctx && ctx->conf) {

        /* an error_page may have led elsewhere since */

        mlcf = ctx->conf;
    }

    if ((mlcf->collect || mlcf->forget)
        && ngx_http_martech_cors_headers(r, mlcf, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (mlcf->observe
        && ngx_http_martech_observe_begin(r, mlcf, &ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_martech_identity_headers(r, mlcf, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx && ctx->page
        && ngx_http_martech_observe_headers(r, mlcf, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_martech_next_filter(r);
}
