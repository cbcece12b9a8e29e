
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The directive "martech_dialect".  The directives of one configuration level
 * make one list, in the order of martech_dialects[], however they stand.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_DIALECT_KEY_MIN  16     /* bytes */

#define NGX_HTTP_MARTECH_DIALECT_OPTIONS                                      \
    "an option follows one name of a dialect that takes it: post_path=, "     \
    "redirect= or redirect_key_file="


static ngx_http_martech_dialects_t *ngx_http_martech_dialect_level(
    ngx_conf_t *cf, ngx_http_martech_dialects_t **level);
static char *ngx_http_martech_dialect_unknown(ngx_conf_t *cf,
    ngx_str_t *value);
static ngx_http_martech_spoken_t *ngx_http_martech_dialect_add(
    ngx_http_martech_dialects_t *dialects, ngx_uint_t number);
static char *ngx_http_martech_dialect_option(ngx_conf_t *cf,
    ngx_http_martech_spoken_t *spoken, ngx_str_t *value);
static char *ngx_http_martech_dialect_path(ngx_conf_t *cf,
    martech_dialect_conf_t *conf, ngx_str_t *value, ngx_str_t *path);
static char *ngx_http_martech_dialect_target(ngx_conf_t *cf,
    martech_dialect_conf_t *conf, ngx_str_t *value, ngx_str_t *host);
static ngx_uint_t ngx_http_martech_dialect_host(ngx_str_t *host);
static char *ngx_http_martech_dialect_key(ngx_conf_t *cf,
    martech_dialect_conf_t *conf, ngx_str_t *path);


/* What is spoken where nothing is said. */

static martech_str_t  ngx_http_martech_dialect_default =
                                                  martech_string("segment");


char *
ngx_http_martech_dialect(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    int                         number;
    char                       *rv;
    ngx_str_t                  *value;
    ngx_uint_t                  i, names, options;
    martech_str_t               name;
    ngx_http_martech_spoken_t  *spoken;

    if (ngx_http_martech_dialect_level(cf, &mlcf->dialects) == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;
    spoken = NULL;
    names = 0;
    options = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strlchr(value[i].data, value[i].data + value[i].len, '=')) {

            if (names != 1) {
                return ngx_http_martech_conf_invalid(cf, &value[i],
                                          NGX_HTTP_MARTECH_DIALECT_OPTIONS);
            }

            rv = ngx_http_martech_dialect_option(cf, spoken, &value[i]);

            if (rv != NGX_CONF_OK) {
                return rv;
            }

            options++;
            continue;
        }

        if (options > 0) {
            return ngx_http_martech_conf_invalid(cf, &value[i],
                                          NGX_HTTP_MARTECH_DIALECT_OPTIONS);
        }

        name.data = value[i].data;
        name.len = value[i].len;

        number = martech_dialect_find(name);

        if (number < 0) {
            return ngx_http_martech_dialect_unknown(cf, &value[i]);
        }

        spoken = ngx_http_martech_dialect_add(mlcf->dialects, number);

        if (spoken == NULL) {
            return ngx_http_martech_conf_invalid(cf, &value[i],
                                                 "the dialect is set already");
        }

        names++;
    }

    return NGX_CONF_OK;
}


static ngx_http_martech_dialects_t *
ngx_http_martech_dialect_level(ngx_conf_t *cf,
    ngx_http_martech_dialects_t **level)
{
    if (*level == NGX_CONF_UNSET_PTR) {
        *level = ngx_pcalloc(cf->pool, sizeof(ngx_http_martech_dialects_t));
    }

    return *level;
}


static char *
ngx_http_martech_dialect_unknown(ngx_conf_t *cf, ngx_str_t *value)
{
    u_char      *p, names[512];
    ngx_uint_t   i;

    p = names;

    for (i = 0; martech_dialects[i]; i++) {
        p = ngx_slprintf(p, names + sizeof(names), "%s%*s", i ? ", " : "",
                         martech_dialects[i]->name.len,
                         martech_dialects[i]->name.data);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown dialect \"%V\", there are %*s",
                       value, (size_t) (p - names), names);

    return NGX_CONF_ERROR;
}


/* A dialect into its place in the list; NULL: it is there. */

static ngx_http_martech_spoken_t *
ngx_http_martech_dialect_add(ngx_http_martech_dialects_t *dialects,
    ngx_uint_t number)
{
    ngx_uint_t                  i, k;
    ngx_http_martech_spoken_t  *spoken;

    spoken = dialects->spoken;

    for (i = 0; i < dialects->count; i++) {

        if (spoken[i].number == number) {
            return NULL;
        }

        if (spoken[i].number > number) {
            break;
        }
    }

    for (k = dialects->count++; k > i; k--) {
        spoken[k] = spoken[k - 1];
    }

    ngx_memzero(&spoken[i], sizeof(ngx_http_martech_spoken_t));

    spoken[i].dialect = martech_dialects[number];
    spoken[i].number = number;
    spoken[i].conf.enabled = 1;

    return &spoken[i];
}


static char *
ngx_http_martech_dialect_option(ngx_conf_t *cf,
    ngx_http_martech_spoken_t *spoken, ngx_str_t *value)
{
    ngx_str_t   s;
    ngx_uint_t  options;

    options = spoken->dialect->options;

    if ((options & MARTECH_DIALECT_POST_PATH)
        && ngx_http_martech_conf_value(value, "post_path", &s))
    {
        return ngx_http_martech_dialect_path(cf, &spoken->conf, value, &s);
    }

    if ((options & MARTECH_DIALECT_REDIRECT)
        && ngx_http_martech_conf_value(value, "redirect", &s))
    {
        return ngx_http_martech_dialect_target(cf, &spoken->conf, value, &s);
    }

    if ((options & MARTECH_DIALECT_REDIRECT)
        && ngx_http_martech_conf_value(value, "redirect_key_file", &s))
    {
        return ngx_http_martech_dialect_key(cf, &spoken->conf, &s);
    }

    return ngx_http_martech_conf_invalid(cf, value,
                                         NGX_HTTP_MARTECH_DIALECT_OPTIONS);
}


static char *
ngx_http_martech_dialect_path(ngx_conf_t *cf, martech_dialect_conf_t *conf,
    ngx_str_t *value, ngx_str_t *path)
{
    if (conf->path.data) {
        return "has a duplicate \"post_path\"";
    }

    if (path->data[0] != '/' || path->len < 2) {
        return ngx_http_martech_conf_invalid(cf, value,
                                        "a path begins with \"/\" and is "
                                        "what stands behind the location");
    }

    conf->path.data = path->data;
    conf->path.len = path->len;

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_dialect_target(ngx_conf_t *cf, martech_dialect_conf_t *conf,
    ngx_str_t *value, ngx_str_t *host)
{
    if (!ngx_http_martech_dialect_host(host)) {
        return ngx_http_martech_conf_invalid(cf, value,
                                    "it must be a host in lower case, or "
                                    "\"*.\" and one for all hosts below it");
    }

    if (conf->ntargets == MARTECH_TARGETS_MAX) {
        return ngx_http_martech_conf_invalid(cf, value,
                                             "there can be 32 of them");
    }

    conf->targets[conf->ntargets].data = host->data;
    conf->targets[conf->ntargets].len = host->len;
    conf->ntargets++;

    return NGX_CONF_OK;
}


/* Letters, digits and "-" between single dots, two parts at least below
   "*.", so that no entry allows a whole top level. */

static ngx_uint_t
ngx_http_martech_dialect_host(ngx_str_t *host)
{
    u_char      *p, *end, last;
    ngx_uint_t   dots, wild;

    p = host->data;
    end = p + host->len;

    wild = (host->len > 2 && p[0] == '*' && p[1] == '.');

    if (wild) {
        p += 2;
    }

    dots = 0;
    last = '.';

    for ( /* void */ ; p < end; p++) {

        if (*p == '.') {

            if (last == '.') {
                return 0;
            }

            dots++;

        } else if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9')
                     || *p == '-'))
        {
            return 0;
        }

        last = *p;
    }

    return last != '.' && (!wild || dots > 0);
}


/* The key is the file without the line break at its end. */

static char *
ngx_http_martech_dialect_key(ngx_conf_t *cf, martech_dialect_conf_t *conf,
    ngx_str_t *path)
{
    ngx_str_t  key;

    if (conf->key.data) {
        return "has a duplicate \"redirect_key_file\"";
    }

    if (ngx_http_martech_conf_read(cf, path, &key) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    while (key.len > 0 && (key.data[key.len - 1] == LF
                           || key.data[key.len - 1] == CR))
    {
        key.len--;
    }

    if (key.len < NGX_HTTP_MARTECH_DIALECT_KEY_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the key in \"%V\" has %uz bytes, at least %d are "
                           "needed", path, key.len,
                           NGX_HTTP_MARTECH_DIALECT_KEY_MIN);
        return NGX_CONF_ERROR;
    }

    conf->key.data = key.data;
    conf->key.len = key.len;

    return NGX_CONF_OK;
}


char *
ngx_http_martech_dialect_merge(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *prev, ngx_http_martech_loc_conf_t *conf)
{
    if (conf->dialects != NGX_CONF_UNSET_PTR) {
        return NGX_CONF_OK;
    }

    /* made at the uppermost level, so that all below share it */

    if (prev->dialects == NGX_CONF_UNSET_PTR) {

        if (ngx_http_martech_dialect_level(cf, &prev->dialects) == NULL) {
            return NGX_CONF_ERROR;
        }

        (void) ngx_http_martech_dialect_add(prev->dialects,
                     martech_dialect_find(ngx_http_martech_dialect_default));
    }

    conf->dialects = prev->dialects;

    return NGX_CONF_OK;
}
