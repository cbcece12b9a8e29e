
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Variables for log_format.  Each is "not found" ("-" in a log) for requests
 * that did not come as far, such as a 413 of NGINX itself.  Of a request whose
 * person has denied it, only the verdict and the consent are there.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_PURPOSES_SIZE  128     /* the list of all */


static ngx_int_t ngx_http_martech_variable_verdict(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_martech_variable_events(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_martech_variable_message_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_martech_variable_source(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_martech_variable_consent(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_http_variable_t  ngx_http_martech_variables[] = {

    { ngx_string("martech_verdict"), NULL,
      ngx_http_martech_variable_verdict, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("martech_events"), NULL,
      ngx_http_martech_variable_events, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("martech_message_id"), NULL,
      ngx_http_martech_variable_message_id, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("martech_source"), NULL,
      ngx_http_martech_variable_source, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("martech_consent"), NULL,
      ngx_http_martech_variable_consent, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


static ngx_str_t  ngx_http_martech_verdicts[] = {
    ngx_null_string,
    ngx_string("stored"),
    ngx_string("spooled"),
    ngx_string("partial"),
    ngx_string("rejected"),
    ngx_string("refused"),
    ngx_string("unavailable"),
    ngx_string("pending"),
    ngx_string("dropped"),
    ngx_string("preflight"),
    ngx_string("answered")
};


ngx_int_t
ngx_http_martech_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_martech_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);

        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_martech_variable_set(ngx_http_variable_value_t *v, ngx_str_t *value)
{
    if (value == NULL || value->len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = value->data;
    v->len = (unsigned) value->len;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_martech_variable_verdict(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_martech_ctx_t  *ctx;

    ctx = ngx_http_martech_ctx(r);

    return ngx_http_martech_variable_set(v,
                       ctx ? &ngx_http_martech_verdicts[ctx->verdict] : NULL);
}


static ngx_int_t
ngx_http_martech_variable_events(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                value;
    ngx_http_martech_ctx_t  *ctx;

    ctx = ngx_http_martech_ctx(r);

    if (ctx == NULL || ctx->denied) {
        v->not_found = 1;
        return NGX_OK;
    }

    value.data = ngx_pnalloc(r->pool, NGX_INT_T_LEN);

    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%ui", ctx->events) - value.data;

    return ngx_http_martech_variable_set(v, &value);
}


static ngx_int_t
ngx_http_martech_variable_message_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_martech_ctx_t  *ctx;

    ctx = ngx_http_martech_ctx(r);

    return ngx_http_martech_variable_set(v, (ctx && !ctx->denied)
                                            ? &ctx->message_id : NULL);
}


static ngx_int_t
ngx_http_martech_variable_source(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_martech_ctx_t  *ctx;

    ctx = ngx_http_martech_ctx(r);

    return ngx_http_martech_variable_set(v, (ctx && ctx->source && !ctx->denied)
                                            ? &ctx->source->name : NULL);
}


/* The purposes that are granted, as a list; for all events of the request. */

static ngx_int_t
ngx_http_martech_variable_consent(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                  *p;
    ngx_str_t                value;
    ngx_uint_t               i;
    ngx_http_martech_ctx_t  *ctx;

    ctx = ngx_http_martech_ctx(r);

    if (ctx == NULL || ctx->consent == NULL) {
        return ngx_http_martech_variable_set(v, NULL);
    }

    value.data = ngx_pnalloc(r->pool, NGX_HTTP_MARTECH_PURPOSES_SIZE);

    if (value.data == NULL) {
        return NGX_ERROR;
    }

    p = value.data;

    for (i = 0; i < MARTECH_PURPOSES; i++) {

        if (ctx->granted & (1 << i)) {
            p = ngx_sprintf(p, "%s%s", (p > value.data) ? "," : "",
                            martech_consent_purpose_name((unsigned) i));
        }
    }

    value.len = p - value.data;

    return ngx_http_martech_variable_set(v, &value);
}
