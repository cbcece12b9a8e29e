
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The value of a signal of consent in a request: a header, a cookie, an
 * argument of the query, or a variable.
 *
 * Of several cookies of a name the first counts, of several headers all do.
 * NGINX's own $cookie_NAME cannot name a cookie with a dash.
 */


#include "ngx_http_martech.h"


/* lengths of 64 bytes share bits, which costs a comparison */
#define ngx_http_martech_signal_len(len)  ((uint64_t) 1 << ((len) & 63))


static uint64_t ngx_http_martech_signal_lens(
    ngx_http_martech_consent_conf_t *conf);
static void ngx_http_martech_signal_header(
    ngx_http_martech_consent_conf_t *conf, ngx_table_elt_t *header,
    martech_str_t *values, ngx_uint_t *again);
static void ngx_http_martech_signal_cookies(
    ngx_http_martech_consent_conf_t *conf, ngx_str_t *header,
    martech_str_t *values);
static void ngx_http_martech_signal_cookie(
    ngx_http_martech_consent_conf_t *conf, u_char *p, u_char *end,
    martech_str_t *values);
static ngx_int_t ngx_http_martech_signal_arg(ngx_http_request_t *r,
    ngx_str_t *name, martech_str_t *value);


/*
 * The headers are gone over once for all signals, and few have a name of the
 * length of one; a bit of again: there is another header of that signal's
 * name.
 */

void
ngx_http_martech_signal_values(ngx_http_request_t *r,
    ngx_http_martech_consent_conf_t *conf, martech_str_t *values,
    ngx_uint_t *again)
{
    uint64_t                    lens;
    ngx_str_t                   text;
    ngx_uint_t                  i;
    ngx_list_part_t            *part;
    ngx_table_elt_t            *header;
    ngx_http_martech_signal_t  *signal;

    *again = 0;
    lens = ngx_http_martech_signal_lens(conf);
    ngx_memzero(values, conf->nsignals * sizeof(martech_str_t));

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        header = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (lens & ngx_http_martech_signal_len(header[i].key.len)) {
                ngx_http_martech_signal_header(conf, &header[i], values,
                                               again);
            }
        }
    }

    for (i = 0; i < conf->nsignals; i++) {
        signal = &conf->signals[i];

        if (signal->carrier == NGX_HTTP_MARTECH_CARRIER_ARG) {

            if (ngx_http_martech_signal_arg(r, &signal->name, &values[i])
                != NGX_OK)
            {
                values[i].data = NULL;
            }

        } else if (signal->carrier == NGX_HTTP_MARTECH_CARRIER_VALUE
                   && ngx_http_complex_value(r, &signal->value, &text)
                      == NGX_OK
                   && text.len > 0)
        {
            values[i].data = text.data;
            values[i].len = text.len;
        }
    }
}


/* The lengths of the names of headers that count, a bit for each. */

static uint64_t
ngx_http_martech_signal_lens(ngx_http_martech_consent_conf_t *conf)
{
    uint64_t    lens;
    ngx_uint_t  i;

    lens = ngx_http_martech_signal_len(sizeof("Cookie") - 1);

    for (i = 0; i < conf->nsignals; i++) {

        if (conf->signals[i].carrier == NGX_HTTP_MARTECH_CARRIER_HEADER) {
            lens |= ngx_http_martech_signal_len(conf->signals[i].name.len);
        }
    }

    return lens;
}


static void
ngx_http_martech_signal_header(ngx_http_martech_consent_conf_t *conf,
    ngx_table_elt_t *header, martech_str_t *values, ngx_uint_t *again)
{
    ngx_uint_t                  i;
    ngx_http_martech_signal_t  *signal;

    if (header->key.len == sizeof("Cookie") - 1
        && ngx_memcmp(header->lowcase_key, "cookie", 6) == 0)
    {
        ngx_http_martech_signal_cookies(conf, &header->value, values);
    }

    for (i = 0; i < conf->nsignals; i++) {
        signal = &conf->signals[i];

        if (signal->name.len != header->key.len
            || signal->carrier != NGX_HTTP_MARTECH_CARRIER_HEADER
            || ngx_strncasecmp(header->key.data, signal->name.data,
                               signal->name.len)
               != 0)
        {
            continue;
        }

        if (values[i].data) {
            *again |= (ngx_uint_t) 1 << i;
            continue;
        }

        values[i].data = header->value.data;
        values[i].len = header->value.len;
    }
}


ngx_int_t
ngx_http_martech_signal_again(ngx_http_request_t *r,
    ngx_http_martech_signal_t *signal, ngx_uint_t n, martech_str_t *value)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        header = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (header[i].key.len == signal->name.len
                && ngx_strncasecmp(header[i].key.data, signal->name.data,
                                   signal->name.len)
                   == 0
                && n-- == 0)
            {
                value->data = header[i].value.data;
                value->len = header[i].value.len;
                return NGX_OK;
            }
        }
    }

    return NGX_DECLINED;
}


static void
ngx_http_martech_signal_cookies(ngx_http_martech_consent_conf_t *conf,
    ngx_str_t *header, martech_str_t *values)
{
    u_char  *p, *next, *end;

    end = header->data + header->len;

    for (p = header->data; p < end; p = next + 1) {

        while (p < end && (*p == ' ' || *p == '\t')) {
            p++;
        }

        next = memchr(p, ';', end - p);

        if (next == NULL) {
            next = end;
        }

        ngx_http_martech_signal_cookie(conf, p, next, values);
    }
}


/* One cookie, "NAME=VALUE", with blanks behind it. */

static void
ngx_http_martech_signal_cookie(ngx_http_martech_consent_conf_t *conf,
    u_char *p, u_char *end, martech_str_t *values)
{
    ngx_uint_t   i;
    u_char      *last;
    ngx_str_t   *name;

    for (i = 0; i < conf->nsignals; i++) {
        name = &conf->signals[i].name;

        if (conf->signals[i].carrier != NGX_HTTP_MARTECH_CARRIER_COOKIE
            || values[i].data != NULL || (size_t) (end - p) <= name->len
            || p[name->len] != '='
            || ngx_memcmp(p, name->data, name->len) != 0)
        {
            continue;
        }

        for (last = end; last[-1] == ' ' || last[-1] == '\t'; last--) {
            /* void */
        }

        values[i].data = p + name->len + 1;
        values[i].len = last - values[i].data;
    }
}


static ngx_int_t
ngx_http_martech_signal_arg(ngx_http_request_t *r, ngx_str_t *name,
    martech_str_t *value)
{
    u_char     *dst, *src;
    ngx_str_t   text;

    if (ngx_http_arg(r, name->data, name->len, &text) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (text.len > MARTECH_CONSENT_SIGNAL_MAX) {

        /* it is not going to be read */

        value->data = text.data;
        value->len = text.len;

        return NGX_OK;
    }

    src = text.data;
    dst = ngx_pnalloc(r->pool, text.len);

    if (dst == NULL) {
        return NGX_DECLINED;
    }

    value->data = dst;

    ngx_unescape_uri(&dst, &src, text.len, 0);

    value->len = dst - value->data;

    return NGX_OK;
}
