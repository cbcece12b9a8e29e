
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Locations that take the webhooks of one vendor (martech_webhook):
 *
 *     webhook_conf   the directive
 *     webhook        a request, from its first byte to its batch of events
 *
 * Who signs how is data of martech/, see martech_hook.h.
 */


#ifndef _NGX_HTTP_MARTECH_WEBHOOK_H_INCLUDED_
#define _NGX_HTTP_MARTECH_WEBHOOK_H_INCLUDED_


#include "ngx_http_martech.h"
#include "martech_hook.h"


/* One martech_webhook; its secrets are wiped with the configuration. */
struct ngx_http_martech_webhook_s {
    martech_hook_t               hook;
    martech_hook_scheme_t        scheme;   /* a copy, where it is configured */
    ngx_str_t                    source;
    ngx_http_complex_value_t     url;
    ngx_http_complex_value_t    *id;       /* or NULL */
    unsigned                     whole:1;  /* url is all of it, not only what
                                              stands before the path */
};


/* conf: the directive, and what a location makes of it */
char *ngx_http_martech_webhook(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_martech_webhook_merge(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *prev, ngx_http_martech_loc_conf_t *conf);

ngx_int_t ngx_http_martech_webhook_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_MARTECH_WEBHOOK_H_INCLUDED_ */
