
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * martech_forget: a location that expires the cookies we have set.
 *
 * That is all it does: events that were stored are a matter of the forwarder.
 */


#include "ngx_http_martech.h"


char *
ngx_http_martech_forget(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_martech_main_conf_t  *mmcf;

    if (mlcf->forget != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    mlcf->forget = 1;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_martech_module);
    mmcf->forgets++;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_martech_forget_handler;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_martech_forget_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_http_martech_cookie_t    *cookie;
    ngx_http_martech_loc_conf_t  *mlcf;

    if (r->method != NGX_HTTP_POST) {

        if (ngx_http_martech_header_add(r, "Allow", "POST", 4) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_HTTP_NOT_ALLOWED;
    }

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_martech_module);

    if (!ngx_http_martech_cors_trusted(r, mlcf)) {
        return NGX_HTTP_FORBIDDEN;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    cookie = mlcf->cookie ? mlcf->cookie : ngx_http_martech_cookie_usual();

    if ((mlcf->cookie
         && ngx_http_martech_cookie_forget(r, cookie, &cookie->name)
            != NGX_OK)
        || (mlcf->campaign && mlcf->campaign->cookie.len > 0
            && ngx_http_martech_cookie_forget(r, cookie,
                                              &mlcf->campaign->cookie)
               != NGX_OK)
        || (mlcf->link
            && ngx_http_martech_cookie_forget(r, mlcf->link,
                                              &mlcf->link->name)
               != NGX_OK)
        || ngx_http_martech_header_add(r, "Cache-Control", "no-store", 8)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;

    return ngx_http_send_header(r);
}
