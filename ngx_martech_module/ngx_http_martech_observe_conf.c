
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * martech_observe: which answers of a location are observed, as whose, and
 * whether their browsers are told so.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_OBSERVE_TYPES  16


static char *ngx_http_martech_observe_parameter(ngx_conf_t *cf,
    ngx_http_martech_observe_t *observe, ngx_str_t *value);
static char *ngx_http_martech_observe_value(ngx_conf_t *cf, ngx_str_t *param,
    ngx_str_t *s, ngx_http_complex_value_t **value);
static char *ngx_http_martech_observe_types(ngx_conf_t *cf,
    ngx_http_martech_observe_t *observe, ngx_str_t *param, ngx_str_t *s);
static char *ngx_http_martech_observe_source(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *conf);
static char *ngx_http_martech_observe_link(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *conf);


char *
ngx_http_martech_observe(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    char                          *rv;
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_martech_observe_t    *observe;
    ngx_http_martech_main_conf_t  *mmcf;

    if (mlcf->observe != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        mlcf->observe = NULL;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "on") != 0) {
        return ngx_http_martech_conf_invalid(cf, &value[1],
                                             "it must be on or off");
    }

    observe = ngx_pcalloc(cf->pool, sizeof(ngx_http_martech_observe_t));

    if (observe == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_martech_observe_parameter(cf, observe, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    mlcf->observe = observe;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_martech_module);
    mmcf->collects++;
    mmcf->observes++;

    return (mmcf->loss || ngx_http_martech_loss_zone(cf, mmcf) == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_martech_observe_parameter(ngx_conf_t *cf,
    ngx_http_martech_observe_t *observe, ngx_str_t *value)
{
    ngx_str_t  s;

    if (ngx_http_martech_conf_value(value, "source", &s)) {
        observe->source = s;

        return s.len ? NGX_CONF_OK
                     : ngx_http_martech_conf_invalid(cf, value,
                                        "it must be a name of martech_source");
    }

    if (ngx_http_martech_conf_value(value, "event", &s)) {

        if (s.len == 0) {
            return ngx_http_martech_conf_invalid(cf, value,
                                               "it must be the event's name");
        }

        return ngx_http_martech_observe_value(cf, value, &s, &observe->event);
    }

    if (ngx_http_martech_conf_value(value, "if", &s)) {

        if (ngx_strlchr(s.data, s.data + s.len, '$') == NULL) {
            return ngx_http_martech_conf_invalid(cf, value,
                                                 "it needs a variable");
        }

        return ngx_http_martech_observe_value(cf, value, &s,
                                              &observe->condition);
    }

    if (ngx_http_martech_conf_value(value, "types", &s)) {
        return ngx_http_martech_observe_types(cf, observe, value, &s);
    }

    if (ngx_http_martech_conf_value(value, "link", &s)) {
        observe->linked = (ngx_strcmp(s.data, "off") != 0);

        if (!observe->linked || ngx_strcmp(s.data, "on") == 0) {
            return NGX_CONF_OK;
        }

        return ngx_http_martech_cookie_name(cf, &s, &observe->link);
    }

    return ngx_http_martech_conf_invalid(cf, value, "it must be source=, "
                                         "event=, if=, types= or link=");
}


static char *
ngx_http_martech_observe_value(ngx_conf_t *cf, ngx_str_t *param, ngx_str_t *s,
    ngx_http_complex_value_t **value)
{
    ngx_http_compile_complex_value_t  ccv;

    if (*value) {
        return ngx_http_martech_conf_invalid(cf, param, "it is given twice");
    }

    *value = ngx_pcalloc(cf->pool, sizeof(ngx_http_complex_value_t));

    if (*value == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = s;
    ccv.complex_value = *value;

    return (ngx_http_compile_complex_value(&ccv) == NGX_OK) ? NGX_CONF_OK
                                                            : NGX_CONF_ERROR;
}


/* A list with commas, or "*". */

static char *
ngx_http_martech_observe_types(ngx_conf_t *cf,
    ngx_http_martech_observe_t *observe, ngx_str_t *param, ngx_str_t *s)
{
    u_char     *p, *end, *slash;
    ngx_str_t  *type;

    if (s->len == 1 && s->data[0] == '*') {
        observe->any = 1;
        return NGX_CONF_OK;
    }

    if (observe->types == NULL) {
        observe->types = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));

        if (observe->types == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    end = s->data + s->len;

    for (p = s->data; p <= end; p += type->len + 1) {

        if (observe->types->nelts == NGX_HTTP_MARTECH_OBSERVE_TYPES) {
            return ngx_http_martech_conf_invalid(cf, param,
                                                 "there can be 16 types");
        }

        type = ngx_array_push(observe->types);

        if (type == NULL) {
            return NGX_CONF_ERROR;
        }

        type->data = p;
        type->len = 0;

        while (p + type->len < end && p[type->len] != ',') {
            type->len++;
        }

        slash = ngx_strlchr(p, p + type->len, '/');

        if (slash == NULL || slash == p || slash == p + type->len - 1) {
            return ngx_http_martech_conf_invalid(cf, param,
                               "it must be types such as text/html, "
                               "with commas between them, or \"*\"");
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_martech_observe_merge(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *prev, ngx_http_martech_loc_conf_t *conf)
{
    ngx_conf_merge_ptr_value(conf->observe, prev->observe, NULL);

    if (conf->observe == NULL) {
        return NGX_CONF_OK;
    }

    /* what takes events is no page: there it says which cookie links them */

    if (!conf->collect && !conf->forget
        && conf->status == NGX_HTTP_MARTECH_STATUS_OFF
        && ngx_http_martech_observe_source(cf, conf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return conf->observe->linked ? ngx_http_martech_observe_link(cf, conf)
                                 : NGX_CONF_OK;
}


/* The source of the pages; it may be left out where there is but one. */

static char *
ngx_http_martech_observe_source(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *conf)
{
    ngx_str_t                   *name;
    ngx_uint_t                   i, n;
    ngx_http_martech_source_t  **source;

    name = &conf->observe->source;
    conf->observed = NULL;

    if (conf->sources == NULL) {
        source = NULL;
        n = 0;

        if (name->len == 0) {
            conf->observed = ngx_http_martech_source_default();
        }

    } else {
        source = conf->sources->sources.elts;
        n = conf->sources->sources.nelts;
    }

    for (i = 0; i < n; i++) {

        if ((name->len == 0 && n == 1)
            || (source[i]->name.len == name->len
                && ngx_strncmp(source[i]->name.data, name->data, name->len)
                   == 0))
        {
            conf->observed = source[i];
        }
    }

    if (conf->observed) {
        return NGX_CONF_OK;
    }

    if (name->len > 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"martech_observe\" has "
                           "\"source=%V\", which no \"martech_source\" of "
                           "this level names", name);

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"martech_observe\" needs "
                           "\"source=\" where there are several");
    }

    return NGX_CONF_ERROR;
}


/*
 * The cookie that tells a page's id is one of the session, whatever that of
 * the visitor is: the same hosts, for half an hour.
 */

static char *
ngx_http_martech_observe_link(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *conf)
{
    u_char                     *p;
    const char                 *wrong;
    ngx_http_martech_cookie_t  *cookie, *usual;

    if (conf->cookie && conf->cookie->anonymous) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"martech_observe\" has "
                           "\"link=\" beside \"martech_cookie\" with "
                           "\"mode=anonymous\", which promises no cookie");
        return NGX_CONF_ERROR;
    }

    usual = conf->cookie ? conf->cookie : ngx_http_martech_cookie_usual();

    cookie = ngx_palloc(cf->pool, sizeof(ngx_http_martech_cookie_t));

    if (cookie == NULL) {
        return NGX_CONF_ERROR;
    }

    *cookie = *usual;
    cookie->name = conf->observe->link;

    if (cookie->name.len == 0) {

        if (conf->cookie == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"martech_observe\" "
                               "with \"link=on\" needs \"martech_cookie\", "
                               "or \"link=NAME\"");
            return NGX_CONF_ERROR;
        }

        p = ngx_pnalloc(cf->pool, usual->name.len + sizeof("_page"));

        if (p == NULL) {
            return NGX_CONF_ERROR;
        }

        cookie->name.data = p;
        cookie->name.len = ngx_sprintf(p, "%V_page%Z", &usual->name) - p - 1;
    }

    ngx_str_set(&cookie->path, "/");
    cookie->max_age = NGX_HTTP_MARTECH_PAGE_AGE;
    cookie->same_site = NGX_HTTP_MARTECH_SAME_SITE_LAX;
    cookie->http_only = 1;

    wrong = ngx_http_martech_cookie_wrong(cookie, &cookie->name);

    if (wrong == NULL && conf->observe->link.len > 0
        && ((usual->name.len == cookie->name.len
             && ngx_strncmp(usual->name.data, cookie->name.data,
                            cookie->name.len)
                == 0)
            || (conf->campaign
                && conf->campaign->cookie.len == cookie->name.len
                && ngx_strncmp(conf->campaign->cookie.data, cookie->name.data,
                               cookie->name.len)
                   == 0)))
    {
        wrong = "another cookie of ours has this name";
    }

    if (wrong) {
        return ngx_http_martech_conf_invalid(cf, &cookie->name, wrong);
    }

    conf->link = cookie;

    return NGX_CONF_OK;
}
