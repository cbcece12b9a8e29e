
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * "martech_spool": where the spool is, how large it may be, and when its
 * events are safe.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_SPOOL_SIZE      (1024 * 1024 * 1024)
#define NGX_HTTP_MARTECH_SPOOL_SEGMENT   (16 * 1024 * 1024)
#define NGX_HTTP_MARTECH_SPOOL_AFTER     1000      /* ms */
#define NGX_HTTP_MARTECH_SPOOL_INTERVAL  1000      /* ms */


static char *ngx_http_martech_spool_param(ngx_conf_t *cf,
    ngx_http_martech_spool_conf_t *spool, ngx_str_t *value,
    ngx_str_t *threads);
static char *ngx_http_martech_spool_sync(ngx_conf_t *cf,
    ngx_http_martech_spool_conf_t *spool, ngx_str_t *value, ngx_str_t *s);
static char *ngx_http_martech_spool_path(ngx_conf_t *cf,
    ngx_http_martech_spool_conf_t *spool);


char *
ngx_http_martech_spool(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_main_conf_t *mmcf = conf;

    char                           *rv;
    ngx_str_t                      *value, threads;
    ngx_uint_t                      i;
    ngx_http_martech_spool_conf_t  *spool;

    spool = &mmcf->spool;

    if (spool->path.len > 0) {
        return "is duplicate";
    }

    value = cf->args->elts;

    spool->path = value[1];
    spool->size_max = NGX_HTTP_MARTECH_SPOOL_SIZE;
    spool->segment = NGX_HTTP_MARTECH_SPOOL_SEGMENT;
    spool->after = NGX_HTTP_MARTECH_SPOOL_AFTER;

    ngx_str_set(&threads, "default");

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_martech_spool_param(cf, spool, &value[i], &threads);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (spool->size_max < 2 * spool->segment) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "max_size= must be at least twice segment=, that "
                           "is %uz bytes", 2 * spool->segment);
        return NGX_CONF_ERROR;
    }

    spool->threads = ngx_thread_pool_add(cf, &threads);

    if (spool->threads == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_martech_spool_path(cf, spool);
}


static char *
ngx_http_martech_spool_param(ngx_conf_t *cf,
    ngx_http_martech_spool_conf_t *spool, ngx_str_t *value,
    ngx_str_t *threads)
{
    off_t      size;
    ngx_int_t  ms;
    ngx_str_t  s;

    if (ngx_http_martech_conf_value(value, "max_size", &s)) {
        size = ngx_parse_offset(&s);

        if (size == NGX_ERROR || size < 2 * 1024 * 1024) {
            return ngx_http_martech_conf_invalid(cf, value,
                                                 "it must be a size from 2m "
                                                 "on");
        }

        spool->size_max = size;
        return NGX_CONF_OK;
    }

    if (ngx_http_martech_conf_value(value, "segment", &s)) {
        size = ngx_parse_offset(&s);

        if (size == NGX_ERROR || size < 1024 * 1024
            || size > 1024 * 1024 * 1024)
        {
            return ngx_http_martech_conf_invalid(cf, value,
                                                 "it must be 1m to 1g");
        }

        spool->segment = size;
        return NGX_CONF_OK;
    }

    if (ngx_http_martech_conf_value(value, "sync", &s)) {
        return ngx_http_martech_spool_sync(cf, spool, value, &s);
    }

    if (ngx_http_martech_conf_value(value, "after", &s)) {
        ms = ngx_parse_time(&s, 0);

        if (ms == NGX_ERROR || ms < 10 || ms > 60000) {
            return ngx_http_martech_conf_invalid(cf, value,
                                                 "it must be 10ms to 60s");
        }

        spool->after = ms;
        return NGX_CONF_OK;
    }

    if (ngx_http_martech_conf_value(value, "threads", &s) && s.len > 0) {
        *threads = s;
        return NGX_CONF_OK;
    }

    return ngx_http_martech_conf_invalid(cf, value, "it must be max_size=, "
                                         "segment=, sync=, after= or "
                                         "threads=");
}


/* sync=always, sync=interval or sync=interval:TIME */

static char *
ngx_http_martech_spool_sync(ngx_conf_t *cf,
    ngx_http_martech_spool_conf_t *spool, ngx_str_t *value, ngx_str_t *s)
{
    ngx_int_t  ms;
    ngx_str_t  time;

    static ngx_str_t  always = ngx_string("always");
    static ngx_str_t  interval = ngx_string("interval");

    if (s->len == always.len
        && ngx_strncmp(s->data, always.data, s->len) == 0)
    {
        spool->interval = 0;
        return NGX_CONF_OK;
    }

    if (s->len < interval.len
        || ngx_strncmp(s->data, interval.data, interval.len) != 0)
    {
        goto invalid;
    }

    if (s->len == interval.len) {
        spool->interval = NGX_HTTP_MARTECH_SPOOL_INTERVAL;
        return NGX_CONF_OK;
    }

    if (s->data[interval.len] != ':') {
        goto invalid;
    }

    time.data = s->data + interval.len + 1;
    time.len = s->len - interval.len - 1;

    ms = ngx_parse_time(&time, 0);

    if (ms == NGX_ERROR || ms < 10 || ms > 60000) {
        goto invalid;
    }

    spool->interval = ms;

    return NGX_CONF_OK;

invalid:

    return ngx_http_martech_conf_invalid(cf, value, "it must be always, "
                                         "interval or interval:TIME with "
                                         "10ms to 60s");
}


/*
 * NGINX makes the folder when it starts, for the user of its workers.  It
 * creates one level only, so a missing parent is an error of nginx -t.
 */

static char *
ngx_http_martech_spool_path(ngx_conf_t *cf,
    ngx_http_martech_spool_conf_t *spool)
{
    ngx_path_t  *path;

    if (ngx_conf_full_name(cf->cycle, &spool->path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    while (spool->path.len > 1
           && spool->path.data[spool->path.len - 1] == '/')
    {
        spool->path.data[--spool->path.len] = '\0';
    }

    if (spool->path.len >= NGX_HTTP_MARTECH_STORE_PATH_MAX
                           - NGX_HTTP_MARTECH_STORE_NAME_MAX)
    {
        return "has a path that is too long";
    }

    path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));

    if (path == NULL) {
        return NGX_CONF_ERROR;
    }

    path->name = spool->path;
    path->conf_file = cf->conf_file->file.name.data;
    path->line = cf->conf_file->line;

    if (ngx_add_path(cf, &path) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_martech_spool_prepare_conf(ngx_conf_t *cf,
    ngx_http_martech_main_conf_t *mmcf)
{
    if (mmcf->spool.path.len == 0
        || mmcf->spool.after <= mmcf->server.timeout)
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "after= of \"martech_spool\" must not be longer than "
                  "timeout= of \"martech_redis\"");

    return NGX_ERROR;
}
