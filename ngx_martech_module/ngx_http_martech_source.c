
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Sources: who sends, known by a write key.  The directives of one
 * configuration level make one set, kept in a tree by key.
 */


#include "ngx_http_martech.h"


typedef struct {
    ngx_str_node_t              sn;
    ngx_http_martech_source_t  *source;
} ngx_http_martech_key_t;


static ngx_http_martech_sources_t *ngx_http_martech_sources_create(
    ngx_conf_t *cf);
static ngx_http_martech_source_t *ngx_http_martech_source_named(
    ngx_conf_t *cf, ngx_http_martech_sources_t *sources, ngx_str_t *name);
static ngx_int_t ngx_http_martech_source_head(ngx_conf_t *cf, ngx_str_t *name,
    int field, ngx_str_t *head);
static char *ngx_http_martech_source_key(ngx_conf_t *cf,
    ngx_http_martech_sources_t *sources, ngx_http_martech_source_t *source,
    ngx_str_t *key);
static char *ngx_http_martech_source_keys(ngx_conf_t *cf,
    ngx_http_martech_sources_t *sources, ngx_http_martech_source_t *source,
    ngx_str_t *path);


static u_char  ngx_http_martech_source_default_head[] =
    CRLF "$3" CRLF "src" CRLF "$7" CRLF "default" CRLF "$1" CRLF "e" CRLF "$";

static u_char  ngx_http_martech_source_default_quarantine[] =
    CRLF "$3" CRLF "src" CRLF "$7" CRLF "default" CRLF "$1" CRLF "q" CRLF "$";

static ngx_http_martech_source_t  ngx_http_martech_default = {
    ngx_string("default"),
    { sizeof(ngx_http_martech_source_default_head) - 1,
      ngx_http_martech_source_default_head },
    { sizeof(ngx_http_martech_source_default_quarantine) - 1,
      ngx_http_martech_source_default_quarantine },
    0,
    1,
    NULL
};


ngx_http_martech_source_t *
ngx_http_martech_source_default(void)
{
    return &ngx_http_martech_default;
}


ngx_http_martech_sources_t *
ngx_http_martech_source_single(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_http_martech_source_t   *source;
    ngx_http_martech_sources_t  *sources;

    sources = ngx_http_martech_sources_create(cf);

    if (sources == NULL) {
        return NULL;
    }

    source = ngx_http_martech_source_named(cf, sources, name);

    if (source == NULL) {
        return NULL;
    }

    source->client = 0;

    return sources;
}


ngx_http_martech_source_t *
ngx_http_martech_source_find(ngx_http_martech_sources_t *sources, u_char *key,
    size_t len)
{
    ngx_str_t                name;
    ngx_http_martech_key_t  *node;

    name.data = key;
    name.len = len;

    node = (ngx_http_martech_key_t *)
               ngx_str_rbtree_lookup(&sources->keys, &name,
                                     ngx_crc32_long(key, len));

    return node ? node->source : NULL;
}


ngx_int_t
ngx_http_martech_source_request(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx)
{
    u_char     *dst, *src;
    ngx_int_t   rc;
    ngx_str_t   key;

    if (mlcf->sources == NULL) {
        ctx->source = ngx_http_martech_source_default();
        return NGX_OK;
    }

    rc = ngx_http_auth_basic_user(r);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK && r->headers_in.user.len > 0) {
        key = r->headers_in.user;

    } else {

        if (ngx_http_arg(r, (u_char *) "writeKey", 8, &key) != NGX_OK
            || key.len == 0)
        {
            return NGX_DECLINED;
        }

        if (ngx_strlchr(key.data, key.data + key.len, '%')) {
            src = key.data;
            dst = ngx_pnalloc(r->pool, key.len);

            if (dst == NULL) {
                return NGX_ERROR;
            }

            key.data = dst;
            ngx_unescape_uri(&dst, &src, key.len, 0);
            key.len = dst - key.data;
        }
    }

    ctx->source = ngx_http_martech_source_find(mlcf->sources, key.data,
                                               key.len);

    return ctx->source ? NGX_OK : NGX_ERROR;
}


char *
ngx_http_martech_source(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    char                       *rv;
    size_t                      n;
    ngx_str_t                  *value, s;
    ngx_uint_t                  i, keys;
    ngx_http_martech_source_t  *source;

    if (mlcf->sources == NGX_CONF_UNSET_PTR) {
        mlcf->sources = ngx_http_martech_sources_create(cf);

        if (mlcf->sources == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    source = ngx_http_martech_source_named(cf, mlcf->sources, &value[1]);

    if (source == NULL) {
        return NGX_CONF_ERROR;
    }

    keys = 0;

    for (i = 2; i < cf->args->nelts; i++) {
        rv = NGX_CONF_OK;

        if (ngx_strncmp(value[i].data, "key=", 4) == 0) {
            s.data = value[i].data + 4;
            s.len = value[i].len - 4;

            rv = ngx_http_martech_source_key(cf, mlcf->sources, source, &s);
            keys++;

        } else if (ngx_strncmp(value[i].data, "key_file=", 9) == 0) {
            s.data = value[i].data + 9;
            s.len = value[i].len - 9;

            rv = ngx_http_martech_source_keys(cf, mlcf->sources, source, &s);
            keys++;

        } else if (ngx_strncmp(value[i].data, "origin=", 7) == 0) {
            s.data = value[i].data + 7;
            s.len = value[i].len - 7;

            rv = ngx_http_martech_cors_source(cf, source, &s);

        } else if (ngx_strcmp(value[i].data, "kind=client") == 0) {
            source->client = 1;

        } else if (ngx_strcmp(value[i].data, "kind=server") == 0) {
            source->client = 0;

        } else if (ngx_strncmp(value[i].data, "kind=", 5) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", "
                               "it must be kind=client or kind=server",
                               &value[i]);
            return NGX_CONF_ERROR;

        } else {

            /* what stands behind "=" may be a key */

            for (n = 0; n < value[i].len && value[i].data[n] != '='; n++) {
                /* void */
            }

            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%*s\", it must be key=, "
                               "key_file=, origin= or kind=client|server",
                               n, value[i].data);
            return NGX_CONF_ERROR;
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (keys == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "source \"%V\" needs a key= or a key_file=",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_http_martech_sources_t *
ngx_http_martech_sources_create(ngx_conf_t *cf)
{
    ngx_http_martech_sources_t  *sources;

    sources = ngx_palloc(cf->pool, sizeof(ngx_http_martech_sources_t));

    if (sources == NULL) {
        return NULL;
    }

    if (ngx_array_init(&sources->sources, cf->pool, 4,
                       sizeof(ngx_http_martech_source_t *))
        != NGX_OK)
    {
        return NULL;
    }

    ngx_rbtree_init(&sources->keys, &sources->sentinel,
                    ngx_str_rbtree_insert_value);

    return sources;
}


/* A new source; its name must be new at this level. */

static ngx_http_martech_source_t *
ngx_http_martech_source_named(ngx_conf_t *cf,
    ngx_http_martech_sources_t *sources, ngx_str_t *name)
{
    u_char                       ch;
    ngx_uint_t                   i;
    ngx_http_martech_source_t   *source, **entry;

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if (!((ch >= '0' && ch <= '9') || ch == '_' || ch == '.' || ch == '-'
              || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z')))
        {
            break;
        }
    }

    if (i < name->len || name->len == 0 || name->len > 64) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid source name \"%V\", it must have 1 to 64 "
                           "letters, digits, \"_\", \".\" or \"-\"", name);
        return NULL;
    }

    entry = sources->sources.elts;

    for (i = 0; i < sources->sources.nelts; i++) {

        if (entry[i]->name.len == name->len
            && ngx_strncmp(entry[i]->name.data, name->data, name->len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate source \"%V\"", name);
            return NULL;
        }
    }

    source = ngx_pcalloc(cf->pool, sizeof(ngx_http_martech_source_t));
    entry = ngx_array_push(&sources->sources);

    if (source == NULL || entry == NULL) {
        return NULL;
    }

    *entry = source;
    source->name = *name;
    source->number = i;
    source->client = 1;

    if (ngx_http_martech_source_head(cf, name, 'e', &source->head) != NGX_OK
        || ngx_http_martech_source_head(cf, name, 'q', &source->quarantine)
           != NGX_OK)
    {
        return NULL;
    }

    return source;
}


/* What stands between the id and the event in XADD: field is its name. */

static ngx_int_t
ngx_http_martech_source_head(ngx_conf_t *cf, ngx_str_t *name, int field,
    ngx_str_t *head)
{
    u_char  *p;

    p = ngx_pnalloc(cf->pool, name->len + 64);

    if (p == NULL) {
        return NGX_ERROR;
    }

    head->data = p;
    head->len = ngx_sprintf(p, CRLF "$3" CRLF "src" CRLF "$%uz" CRLF "%V" CRLF
                            "$1" CRLF "%c" CRLF "$", name->len, name, field)
                - p;

    return NGX_OK;
}


/* Errors name the source and never the key. */

static char *
ngx_http_martech_source_key(ngx_conf_t *cf,
    ngx_http_martech_sources_t *sources, ngx_http_martech_source_t *source,
    ngx_str_t *key)
{
    ngx_http_martech_key_t  *node;

    if (key->len == 0 || key->len > NGX_HTTP_MARTECH_KEY_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a key of source \"%V\" has %uz bytes, "
                           "1 to 256 are allowed", &source->name, key->len);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_martech_source_find(sources, key->data, key->len)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a key of source \"%V\" is in use already",
                           &source->name);
        return NGX_CONF_ERROR;
    }

    node = ngx_pcalloc(cf->pool, sizeof(ngx_http_martech_key_t));

    if (node == NULL) {
        return NGX_CONF_ERROR;
    }

    node->sn.str = *key;
    node->sn.node.key = ngx_crc32_long(key->data, key->len);
    node->source = source;

    ngx_rbtree_insert(&sources->keys, &node->sn.node);

    return NGX_CONF_OK;
}


/* One key a line; empty lines and lines that start with # do not count. */

static char *
ngx_http_martech_source_keys(ngx_conf_t *cf,
    ngx_http_martech_sources_t *sources, ngx_http_martech_source_t *source,
    ngx_str_t *path)
{
    u_char     *p, *end;
    ngx_str_t   content, line;
    ngx_uint_t  n;

    if (ngx_http_martech_conf_read(cf, path, &content) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    n = 0;
    p = content.data;
    end = p + content.len;

    while (p < end) {
        line.data = p;

        while (p < end && *p != LF) {
            p++;
        }

        line.len = p++ - line.data;

        while (line.len > 0 && (line.data[line.len - 1] == CR
                                || line.data[line.len - 1] == ' '))
        {
            line.len--;
        }

        if (line.len == 0 || line.data[0] == '#') {
            continue;
        }

        if (ngx_http_martech_source_key(cf, sources, source, &line)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }

        n++;
    }

    if (n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" has no key", path);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
