
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * martech_cors, and origin= of martech_source.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_CORS_RULES    64
#define NGX_HTTP_MARTECH_CORS_MAX_AGE  7200      /* s: browsers take no more */


static ngx_http_martech_cors_t *ngx_http_martech_cors_create(ngx_conf_t *cf);
static char *ngx_http_martech_cors_parameter(ngx_conf_t *cf,
    ngx_http_martech_cors_t *cors, ngx_str_t *value, ngx_int_t *credentials);
static char *ngx_http_martech_cors_rule(ngx_conf_t *cf,
    ngx_http_martech_cors_t *cors, ngx_str_t *origin);


char *
ngx_http_martech_cors(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    char                     *rv;
    ngx_int_t                 credentials;
    ngx_str_t                *value;
    ngx_uint_t                i;
    ngx_http_martech_cors_t  *cors;

    if (mlcf->cors != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        mlcf->cors = NULL;
        return NGX_CONF_OK;
    }

    cors = ngx_http_martech_cors_create(cf);

    if (cors == NULL) {
        return NGX_CONF_ERROR;
    }

    credentials = NGX_CONF_UNSET;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_martech_cors_parameter(cf, cors, &value[i],
                                             &credentials);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (cors->rules.nelts == 0) {
        return "needs an origin, or off";
    }

    if (cors->any && credentials == 1) {
        return "cannot allow \"credentials=on\" for any origin, name those "
               "that may have them";
    }

    cors->credentials = !cors->any && credentials != 0;
    mlcf->cors = cors;

    return NGX_CONF_OK;
}


static ngx_http_martech_cors_t *
ngx_http_martech_cors_create(ngx_conf_t *cf)
{
    ngx_http_martech_cors_t  *cors;

    cors = ngx_pcalloc(cf->pool, sizeof(ngx_http_martech_cors_t));

    if (cors == NULL
        || ngx_array_init(&cors->rules, cf->pool, 4,
                          sizeof(martech_origin_rule_t))
           != NGX_OK)
    {
        return NULL;
    }

    cors->max_age = NGX_HTTP_MARTECH_CORS_MAX_AGE;

    return cors;
}


static char *
ngx_http_martech_cors_parameter(ngx_conf_t *cf, ngx_http_martech_cors_t *cors,
    ngx_str_t *value, ngx_int_t *credentials)
{
    ngx_str_t  s;

    if (ngx_http_martech_conf_value(value, "max_age", &s)) {
        cors->max_age = ngx_parse_time(&s, 1);

        if (cors->max_age == (time_t) NGX_ERROR || cors->max_age > 86400) {
            return ngx_http_martech_conf_invalid(cf, value,
                                                 "it must be 0 to 1d");
        }

        return NGX_CONF_OK;
    }

    if (ngx_http_martech_conf_value(value, "credentials", &s)) {

        if (ngx_strcmp(s.data, "on") != 0 && ngx_strcmp(s.data, "off") != 0) {
            return ngx_http_martech_conf_invalid(cf, value,
                                                 "it must be on or off");
        }

        *credentials = (s.len == 2);

        return NGX_CONF_OK;
    }

    return ngx_http_martech_cors_rule(cf, cors, value);
}


static char *
ngx_http_martech_cors_rule(ngx_conf_t *cf, ngx_http_martech_cors_t *cors,
    ngx_str_t *origin)
{
    u_char                 *buf;
    const char             *wrong;
    martech_str_t           text;
    martech_origin_rule_t  *rule;

    if (cors->rules.nelts == NGX_HTTP_MARTECH_CORS_RULES) {
        return ngx_http_martech_conf_invalid(cf, origin,
                                             "there can be 64 origins");
    }

    buf = ngx_pnalloc(cf->pool, origin->len + 1);
    rule = ngx_array_push(&cors->rules);

    if (buf == NULL || rule == NULL) {
        return NGX_CONF_ERROR;
    }

    text.data = origin->data;
    text.len = origin->len;

    wrong = martech_origin_rule(rule, text, buf);

    if (wrong) {
        return ngx_http_martech_conf_invalid(cf, origin, wrong);
    }

    if (cors->any || (rule->kind == MARTECH_ORIGIN_ANY
                      && cors->rules.nelts > 1))
    {
        return ngx_http_martech_conf_invalid(cf, origin,
                                    "* stands alone: it allows all others");
    }

    cors->any = (rule->kind == MARTECH_ORIGIN_ANY);

    return NGX_CONF_OK;
}


char *
ngx_http_martech_cors_source(ngx_conf_t *cf,
    ngx_http_martech_source_t *source, ngx_str_t *origin)
{
    char  *rv;

    if (source->cors == NULL) {
        source->cors = ngx_http_martech_cors_create(cf);

        if (source->cors == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    rv = ngx_http_martech_cors_rule(cf, source->cors, origin);

    source->cors->credentials = !source->cors->any;

    return rv;
}


void
ngx_http_martech_cors_merge(ngx_http_martech_loc_conf_t *prev,
    ngx_http_martech_loc_conf_t *conf)
{
    ngx_uint_t                   i;
    ngx_http_martech_source_t  **source;

    ngx_conf_merge_ptr_value(conf->cors, prev->cors, NULL);

    conf->cors_some = 0;
    conf->cors_all = 0;

    if (conf->sources == NULL) {
        return;
    }

    source = conf->sources->sources.elts;
    conf->cors_all = 1;

    for (i = 0; i < conf->sources->sources.nelts; i++) {

        if (source[i]->cors) {
            conf->cors_some = 1;

        } else {
            conf->cors_all = 0;
        }
    }
}
