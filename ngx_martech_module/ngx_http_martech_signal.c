
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The value of a signal of consent in a request: a header, a cookie, an
 * argument of the query, or a variable.
 *
 * Of several cookies of a name the first counts, which is the one of the
 * narrowest path; headers count all, because who adds one on the way does not
 * choose its place.  NGINX's own $cookie_NAME cannot name a cookie with a dash.
 */


#include "ngx_http_martech.h"


static ngx_int_t ngx_http_martech_signal_header(ngx_http_request_t *r,
    ngx_str_t *name, ngx_uint_t n, martech_str_t *value);
static ngx_int_t ngx_http_martech_signal_cookie(ngx_http_request_t *r,
    ngx_str_t *name, martech_str_t *value);
static ngx_int_t ngx_http_martech_signal_in_cookie(ngx_str_t *header,
    ngx_str_t *name, martech_str_t *value);
static ngx_int_t ngx_http_martech_signal_arg(ngx_http_request_t *r,
    ngx_str_t *name, martech_str_t *value);


ngx_int_t
ngx_http_martech_signal_value(ngx_http_request_t *r,
    ngx_http_martech_signal_t *signal, ngx_uint_t n, martech_str_t *value)
{
    ngx_str_t  text;

    if (n > 0 && signal->carrier != NGX_HTTP_MARTECH_CARRIER_HEADER) {
        return NGX_DECLINED;
    }

    switch (signal->carrier) {

    case NGX_HTTP_MARTECH_CARRIER_HEADER:
        return ngx_http_martech_signal_header(r, &signal->name, n, value);

    case NGX_HTTP_MARTECH_CARRIER_COOKIE:
        return ngx_http_martech_signal_cookie(r, &signal->name, value);

    case NGX_HTTP_MARTECH_CARRIER_ARG:
        return ngx_http_martech_signal_arg(r, &signal->name, value);

    case NGX_HTTP_MARTECH_CARRIER_VALUE:

        if (ngx_http_complex_value(r, &signal->value, &text) != NGX_OK
            || text.len == 0)
        {
            return NGX_DECLINED;
        }

        value->data = text.data;
        value->len = text.len;

        return NGX_OK;

    default:
        return NGX_DECLINED;
    }
}


static ngx_int_t
ngx_http_martech_signal_header(ngx_http_request_t *r, ngx_str_t *name,
    ngx_uint_t n, martech_str_t *value)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        header = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (header[i].key.len == name->len
                && ngx_strncasecmp(header[i].key.data, name->data, name->len)
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


static ngx_int_t
ngx_http_martech_signal_cookie(ngx_http_request_t *r, ngx_str_t *name,
    martech_str_t *value)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        header = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (header[i].key.len == sizeof("Cookie") - 1
                && ngx_strncasecmp(header[i].key.data, (u_char *) "cookie", 6)
                   == 0
                && ngx_http_martech_signal_in_cookie(&header[i].value, name,
                                                     value)
                   == NGX_OK)
            {
                return NGX_OK;
            }
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_martech_signal_in_cookie(ngx_str_t *header, ngx_str_t *name,
    martech_str_t *value)
{
    u_char  *p, *next, *last, *end;

    end = header->data + header->len;

    for (p = header->data; p < end; p = next + 1) {

        while (p < end && (*p == ' ' || *p == '\t')) {
            p++;
        }

        next = ngx_strlchr(p, end, ';');

        if (next == NULL) {
            next = end;
        }

        if ((size_t) (next - p) <= name->len || p[name->len] != '='
            || ngx_memcmp(p, name->data, name->len) != 0)
        {
            continue;
        }

        for (last = next; last[-1] == ' ' || last[-1] == '\t'; last--) {
            /* void */
        }

        value->data = p + name->len + 1;
        value->len = last - value->data;

        return NGX_OK;
    }

    return NGX_DECLINED;
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
