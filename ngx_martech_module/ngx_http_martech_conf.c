
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The setters behind the directives, and what is prepared once from them.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_FILE_MAX    65536
#define NGX_HTTP_MARTECH_BUFFER_MIN  (128 * 1024)


/* A limit of martech_limits: where it goes, what it may be. */
typedef struct {
    ngx_str_t   name;
    size_t      offset;          /* in martech_limits_t */
    ngx_uint_t  bytes;           /* 1: size_t and written as a size */
    ngx_int_t   min;
    ngx_int_t   max;
} ngx_http_martech_limit_t;


static ngx_http_martech_limit_t
    ngx_http_martech_limit_table[NGX_HTTP_MARTECH_LIMITS] =
{
    { ngx_string("event"),
      offsetof(martech_limits_t, event_size_max), 1, 256, 16 * 1024 * 1024 },
    { ngx_string("batch"),
      offsetof(martech_limits_t, batch_size_max), 1, 256, 64 * 1024 * 1024 },
    { ngx_string("events"),
      offsetof(martech_limits_t, batch_count_max), 0, 1, 100000 },
    { ngx_string("message_id"),
      offsetof(martech_limits_t, message_id_max), 0, 16, 128 },
    { ngx_string("depth"),
      offsetof(martech_limits_t, depth_max), 0, 4, 512 },
    { ngx_string("tokens"),
      offsetof(martech_limits_t, tokens_max), 0, 64, 4 * 1024 * 1024 },
    { ngx_string("key"),
      offsetof(martech_limits_t, key_size_max), 0, 32, 65535 },
    { ngx_string("inflate_ratio"),
      offsetof(martech_limits_t, inflate_ratio_max), 0, 1, 2000 },
    { ngx_string("string"),
      offsetof(martech_limits_t, string_size_max), 1, 256, 16 * 1024 * 1024 }
};


static char *ngx_http_martech_limit(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *mlcf, ngx_str_t *value);
static ngx_int_t ngx_http_martech_conf_request_id(ngx_conf_t *cf);
static ngx_str_t *ngx_http_martech_conf_heads(ngx_conf_t *cf,
    ngx_http_martech_main_conf_t *mmcf, const char *key, ngx_uint_t max);
static ngx_int_t ngx_http_martech_conf_wait(ngx_conf_t *cf,
    ngx_http_martech_main_conf_t *mmcf);


u_char *
ngx_http_martech_conf_value(ngx_str_t *param, const char *name, ngx_str_t *s)
{
    size_t  len;

    len = ngx_strlen(name);

    if (param->len <= len || ngx_strncmp(param->data, name, len) != 0
        || param->data[len] != '=')
    {
        return NULL;
    }

    s->data = param->data + len + 1;
    s->len = param->len - len - 1;

    return s->data;
}


char *
ngx_http_martech_conf_invalid(ngx_conf_t *cf, ngx_str_t *value,
    const char *allowed)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\", %s", value, allowed);

    return NGX_CONF_ERROR;
}


/*
 * Reads a small file of secrets at configuration time, as the user that
 * starts NGINX.  Its content goes nowhere but into memory.
 */

ngx_int_t
ngx_http_martech_conf_read(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *content)
{
    ngx_str_t  name;

    name = *path;

    return ngx_http_martech_conf_load(cf, cf->pool, &name,
                                      NGX_HTTP_MARTECH_FILE_MAX, content);
}


ngx_int_t
ngx_http_martech_conf_load(ngx_conf_t *cf, ngx_pool_t *pool, ngx_str_t *path,
    size_t max, ngx_str_t *content)
{
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    /* a pipe that nobody writes to would be waited for */

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", path);
        return NGX_ERROR;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", path);
        goto failed;
    }

    if (!ngx_is_file(&fi) || ngx_file_size(&fi) > (off_t) max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must be a file of at most %uz bytes",
                           path, max);
        goto failed;
    }

    content->len = (size_t) ngx_file_size(&fi);
    content->data = ngx_pnalloc(pool, content->len + 1);

    if (content->data == NULL) {
        goto failed;
    }

    n = ngx_read_fd(fd, content->data, content->len);

    if (n != (ssize_t) content->len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", path);
        goto failed;
    }

    (void) ngx_close_file(fd);

    return NGX_OK;

failed:

    (void) ngx_close_file(fd);

    return NGX_ERROR;
}


char *
ngx_http_martech_stream(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_main_conf_t *mmcf = conf;

    ngx_int_t       n;
    ngx_str_t      *value, s;
    ngx_uint_t      i;
    martech_str_t   prefix;

    if (mmcf->prefix.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    prefix.data = value[1].data;
    prefix.len = value[1].len;

    if (!martech_shard_prefix_valid(prefix)) {
        return ngx_http_martech_conf_invalid(cf, &value[1],
                             "a prefix has 1 to 32 letters, digits, \"_\", "
                             "\".\" or \"-\"");
    }

    mmcf->prefix = value[1];

    for (i = 2; i < cf->args->nelts; i++) {

        if (!ngx_http_martech_conf_value(&value[i], "shards", &s)) {
            return ngx_http_martech_conf_invalid(cf, &value[i],
                                                 "it must be shards=");
        }

        n = ngx_atoi(s.data, s.len);

        if (n == NGX_ERROR || n < 1 || n > MARTECH_SHARDS_MAX) {
            return ngx_http_martech_conf_invalid(cf, &value[i],
                                                 "it must be 1 to 1024");
        }

        mmcf->shards = n;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_martech_buffer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_main_conf_t *mmcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (mmcf->buffer != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;
    size = ngx_parse_size(&value[1]);

    if (size == NGX_ERROR || size < NGX_HTTP_MARTECH_BUFFER_MIN) {
        return ngx_http_martech_conf_invalid(cf, &value[1],
                                             "it must be a size from 128k on");
    }

    mmcf->buffer = size;

    return NGX_CONF_OK;
}


char *
ngx_http_martech_ack(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    ngx_str_t   *value, s;
    ngx_uint_t   i;

    if (mlcf->ack != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "redis") == 0) {
        mlcf->ack = NGX_HTTP_MARTECH_ACK_REDIS;

    } else if (ngx_strcmp(value[1].data, "memory") == 0) {
        mlcf->ack = NGX_HTTP_MARTECH_ACK_MEMORY;

    } else {
        return ngx_http_martech_conf_invalid(cf, &value[1],
                                             "it must be redis or memory");
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (!ngx_http_martech_conf_value(&value[i], "retry_after", &s)) {
            return ngx_http_martech_conf_invalid(cf, &value[i],
                                                 "it must be retry_after=");
        }

        mlcf->retry_after = ngx_parse_time(&s, 1);

        if (mlcf->retry_after == NGX_ERROR || mlcf->retry_after < 1
            || mlcf->retry_after > 3600)
        {
            return ngx_http_martech_conf_invalid(cf, &value[i],
                                                 "it must be 1s to 1h");
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_martech_limits(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_martech_limit(cf, conf, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_limit(ngx_conf_t *cf, ngx_http_martech_loc_conf_t *mlcf,
    ngx_str_t *value)
{
    ssize_t                    n;
    ngx_str_t                  s;
    ngx_uint_t                 i;
    ngx_http_martech_limit_t  *limit;

    for (i = 0; i < NGX_HTTP_MARTECH_LIMITS; i++) {
        limit = &ngx_http_martech_limit_table[i];

        if (!ngx_http_martech_conf_value(value, (char *) limit->name.data,
                                         &s))
        {
            continue;
        }

        if (mlcf->limit_values[i] != NGX_CONF_UNSET) {
            return ngx_http_martech_conf_invalid(cf, value,
                                                 "the limit is set already");
        }

        n = limit->bytes ? ngx_parse_size(&s) : ngx_atoi(s.data, s.len);

        if (n == NGX_ERROR || n < limit->min || n > limit->max) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", "
                               "%V must be %i to %i",
                               value, &limit->name, limit->min, limit->max);
            return NGX_CONF_ERROR;
        }

        mlcf->limit_values[i] = n;

        return NGX_CONF_OK;
    }

    return ngx_http_martech_conf_invalid(cf, value, "the limits are event=, "
                  "batch=, events=, message_id=, depth=, tokens=, key=, "
                  "inflate_ratio= and string=");
}


void
ngx_http_martech_limits_merge(ngx_http_martech_loc_conf_t *prev,
    ngx_http_martech_loc_conf_t *conf)
{
    u_char                    *p;
    ngx_uint_t                 i;
    ngx_http_martech_limit_t  *limit;

    martech_limits_default(&conf->limits);

    for (i = 0; i < NGX_HTTP_MARTECH_LIMITS; i++) {
        limit = &ngx_http_martech_limit_table[i];

        ngx_conf_merge_value(conf->limit_values[i], prev->limit_values[i],
                             NGX_CONF_UNSET);

        if (conf->limit_values[i] == NGX_CONF_UNSET) {
            continue;
        }

        p = (u_char *) &conf->limits + limit->offset;

        if (limit->bytes) {
            *(size_t *) p = (size_t) conf->limit_values[i];

        } else {
            *(uint32_t *) p = (uint32_t) conf->limit_values[i];
        }
    }

    /* one string may fill an event unless it was limited by itself */

    if (conf->limit_values[NGX_HTTP_MARTECH_LIMITS - 1] == NGX_CONF_UNSET) {
        conf->limits.string_size_max = conf->limits.event_size_max;
    }
}


char *
ngx_http_martech_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    ngx_str_t                     *value;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_martech_main_conf_t  *mmcf;

    if (mlcf->status != NGX_HTTP_MARTECH_STATUS_OFF) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 1 || ngx_strcmp(value[1].data, "json") == 0) {
        mlcf->status = NGX_HTTP_MARTECH_STATUS_JSON;

    } else if (ngx_strcmp(value[1].data, "prometheus") == 0) {
        mlcf->status = NGX_HTTP_MARTECH_STATUS_PROMETHEUS;

    } else {
        return ngx_http_martech_conf_invalid(cf, &value[1],
                                             "it must be json or prometheus");
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_martech_status_handler;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_martech_module);
    mmcf->pages++;

    return NGX_CONF_OK;
}


/* What is the same for every request is made here, as bytes. */

ngx_int_t
ngx_http_martech_conf_prepare(ngx_conf_t *cf,
    ngx_http_martech_main_conf_t *mmcf)
{
    if (mmcf->server.nendpoints > 0
        && ngx_http_martech_server_prepare(cf, &mmcf->server) != NGX_OK)
    {
        return NGX_ERROR;
    }

    mmcf->request_id = ngx_http_martech_conf_request_id(cf);

    /* the quarantine's also without a plan: for what is in the spool */

    mmcf->heads = ngx_http_martech_conf_heads(cf, mmcf, "in", 0);
    mmcf->quarantine_heads = ngx_http_martech_conf_heads(cf, mmcf,
                                                         "quarantine",
                                                         mmcf->quarantine);

    if (mmcf->heads == NULL || mmcf->quarantine_heads == NULL
        || ngx_http_martech_conf_wait(cf, mmcf) != NGX_OK
        || ngx_http_martech_spool_prepare_conf(cf, mmcf) != NGX_OK
        || ngx_http_martech_plan_prepare(cf, mmcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_martech_stats_zone(cf, mmcf);
}


/*
 * The index of $request_id if something in the configuration uses it, such as
 * a log_format; else NGX_ERROR.  NGINX makes its value with a cryptographic
 * generator, which costs as much as all of our parsing; when nobody can see
 * it, an id of our own serves as well.
 */

static ngx_int_t
ngx_http_martech_conf_request_id(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        if (v[i].name.len == sizeof("request_id") - 1
            && ngx_strncmp(v[i].name.data, "request_id", v[i].name.len) == 0)
        {
            return (ngx_int_t) i;
        }
    }

    return NGX_ERROR;
}


/*
 * The constant front of XADD for each shard, docs/SPEC.md section 2; with max,
 * the stream is cut at about so many entries.  NULL without memory.
 */

static ngx_str_t *
ngx_http_martech_conf_heads(ngx_conf_t *cf,
    ngx_http_martech_main_conf_t *mmcf, const char *key, ngx_uint_t max)
{
    char            tag[MARTECH_TAG_LEN_MAX];
    size_t          len;
    u_char         *p, *last, cut[64 + NGX_INT_T_LEN], digits[NGX_INT_T_LEN];
    ngx_str_t      *heads;
    ngx_uint_t      i;
    martech_str_t   prefix;

    prefix.data = mmcf->prefix.data;
    prefix.len = mmcf->prefix.len;

    heads = ngx_palloc(cf->pool, mmcf->shards * sizeof(ngx_str_t));

    if (heads == NULL) {
        return NULL;
    }

    last = cut;

    if (max > 0) {
        len = ngx_sprintf(digits, "%ui", max) - digits;
        last = ngx_sprintf(cut, "$6" CRLF "MAXLEN" CRLF "$1" CRLF "~" CRLF
                           "$%uz" CRLF "%*s" CRLF, len, len, digits);
    }

    for (i = 0; i < mmcf->shards; i++) {
        len = martech_shard_tag(tag, prefix, (uint32_t) i);

        p = ngx_pnalloc(cf->pool, len + 256);

        if (p == NULL) {
            return NULL;
        }

        heads[i].data = p;

        p = ngx_sprintf(p, "*%d" CRLF "$4" CRLF "XADD" CRLF "$%uz" CRLF
                        "%s:%s" CRLF "%*s$1" CRLF "*" CRLF
                        "$1" CRLF "v" CRLF "$1" CRLF MARTECH_FORMAT_VERSION
                        CRLF "$2" CRLF "id" CRLF,
                        max ? 14 : 11, len + 1 + ngx_strlen(key), tag, key,
                        (size_t) (last - cut), cut);

        heads[i].len = p - heads[i].data;
    }

    return heads;
}


/* WAIT, if an event shall be on replicas before it counts as stored. */

static ngx_int_t
ngx_http_martech_conf_wait(ngx_conf_t *cf,
    ngx_http_martech_main_conf_t *mmcf)
{
    u_char     *p, replicas[NGX_INT_T_LEN], ms[NGX_INT_T_LEN];
    ngx_str_t   args[3];

    if (mmcf->server.wait_replicas == 0) {
        return NGX_OK;
    }

    ngx_str_set(&args[0], "WAIT");

    args[1].data = replicas;
    args[1].len = ngx_sprintf(replicas, "%ui", mmcf->server.wait_replicas)
                  - replicas;

    args[2].data = ms;
    args[2].len = ngx_sprintf(ms, "%M", mmcf->server.wait_ms) - ms;

    p = ngx_pnalloc(cf->pool, ngx_http_martech_query_size(3, args));

    if (p == NULL) {
        return NGX_ERROR;
    }

    mmcf->wait.data = p;
    mmcf->wait.len = ngx_http_martech_query_write(p, 3, args) - p;

    return NGX_OK;
}
