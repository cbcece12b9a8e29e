
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Cookies: those of a request by name, and those that we set.
 *
 * Browsers send cookies of one name for several paths and domains side by
 * side, so that a search goes on behind the first.
 */


#include "ngx_http_martech.h"


static ngx_int_t ngx_http_martech_cookie_in(ngx_str_t *header, u_char **pos,
    ngx_str_t *name, martech_str_t *value);
static ngx_str_t *ngx_http_martech_cookie_domain(ngx_http_request_t *r,
    ngx_http_martech_cookie_t *cookie);
static ngx_uint_t ngx_http_martech_cookie_within(ngx_http_request_t *r,
    ngx_str_t *domain);
static ngx_int_t ngx_http_martech_cookie_write(ngx_http_request_t *r,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *name, martech_str_t value,
    time_t max_age, ngx_str_t *domain);


ngx_int_t
ngx_http_martech_cookie_next(ngx_http_request_t *r,
    ngx_http_martech_cookies_t *cookies, ngx_str_t *name,
    martech_str_t *value)
{
    ngx_table_elt_t  *header;

    if (cookies->part == NULL) {
        cookies->part = &r->headers_in.headers.part;
    }

    for ( /* void */ ; cookies->part; cookies->part = cookies->part->next) {
        header = cookies->part->elts;

        for ( /* void */ ; cookies->i < cookies->part->nelts; cookies->i++) {

            if (header[cookies->i].key.len == 6
                && ngx_memcmp(header[cookies->i].lowcase_key, "cookie", 6) == 0
                && ngx_http_martech_cookie_in(&header[cookies->i].value,
                                              &cookies->pos, name, value)
                   == NGX_OK)
            {
                return NGX_OK;
            }

            cookies->pos = NULL;
        }

        cookies->i = 0;

        if (cookies->part->next == NULL) {
            cookies->i = cookies->part->nelts;
            return NGX_DECLINED;
        }
    }

    return NGX_DECLINED;
}


/* The next one in a header; *pos is where to look, NULL: at its start. */

static ngx_int_t
ngx_http_martech_cookie_in(ngx_str_t *header, u_char **pos, ngx_str_t *name,
    martech_str_t *value)
{
    u_char  *p, *stop, *last, *end;

    end = header->data + header->len;

    for (p = *pos ? *pos : header->data; p < end; p = stop + 1) {

        while (p < end && (*p == ' ' || *p == '\t')) {
            p++;
        }

        stop = memchr(p, ';', end - p);

        if (stop == NULL) {
            stop = end;
        }

        if ((size_t) (stop - p) <= name->len || p[name->len] != '='
            || ngx_memcmp(p, name->data, name->len) != 0)
        {
            continue;
        }

        for (last = stop; last[-1] == ' ' || last[-1] == '\t'; last--) {
            /* void */
        }

        value->data = p + name->len + 1;
        value->len = last - value->data;
        *pos = ngx_min(stop + 1, end);

        return NGX_OK;
    }

    return NGX_DECLINED;
}


ngx_uint_t
ngx_http_martech_cookie_has(ngx_http_request_t *r, ngx_str_t *name)
{
    martech_str_t               value;
    ngx_http_martech_cookies_t  cookies;

    ngx_memzero(&cookies, sizeof(ngx_http_martech_cookies_t));

    return ngx_http_martech_cookie_next(r, &cookies, name, &value) == NGX_OK;
}


ngx_int_t
ngx_http_martech_cookie_set(ngx_http_request_t *r,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *name, martech_str_t value,
    time_t max_age)
{
    return ngx_http_martech_cookie_write(r, cookie, name, value, max_age,
                                  ngx_http_martech_cookie_domain(r, cookie));
}


ngx_int_t
ngx_http_martech_cookie_forget(ngx_http_request_t *r,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *name)
{
    ngx_str_t      *domain;
    ngx_uint_t      i;
    martech_str_t   nothing;

    nothing.data = NULL;
    nothing.len = 0;

    if (ngx_http_martech_cookie_write(r, cookie, name, nothing, 0, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (cookie->domains == NULL) {
        return NGX_OK;
    }

    domain = cookie->domains->elts;

    for (i = 0; i < cookie->domains->nelts; i++) {

        if (ngx_http_martech_cookie_within(r, &domain[i])
            && ngx_http_martech_cookie_write(r, cookie, name, nothing, 0,
                                             &domain[i])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* The first that the host is or is below of; NULL: the host alone. */

static ngx_str_t *
ngx_http_martech_cookie_domain(ngx_http_request_t *r,
    ngx_http_martech_cookie_t *cookie)
{
    ngx_str_t   *domain;
    ngx_uint_t   i;

    if (cookie->domains == NULL) {
        return NULL;
    }

    domain = cookie->domains->elts;

    for (i = 0; i < cookie->domains->nelts; i++) {

        if (ngx_http_martech_cookie_within(r, &domain[i])) {
            return &domain[i];
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_martech_cookie_within(ngx_http_request_t *r, ngx_str_t *domain)
{
    u_char     *tail;
    ngx_str_t  *host;

    /* in lower case, without a port */

    host = &r->headers_in.server;

    if (host->len < domain->len) {
        return 0;
    }

    tail = host->data + host->len - domain->len;

    return ngx_memcmp(tail, domain->data, domain->len) == 0
           && (tail == host->data || tail[-1] == '.');
}


static ngx_int_t
ngx_http_martech_cookie_write(ngx_http_request_t *r,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *name, martech_str_t value,
    time_t max_age, ngx_str_t *domain)
{
    u_char      *p, *start;
    ngx_uint_t   secure;

    static const char  *same_site[] = { "Lax", "Strict", "None" };

    secure = (cookie->secure == NGX_HTTP_MARTECH_SECURE_ON);

#if (NGX_HTTP_SSL)

    if (cookie->secure == NGX_HTTP_MARTECH_SECURE_AUTO) {
        secure = (r->connection->ssl != NULL);
    }

#endif

    start = ngx_pnalloc(r->pool, name->len + value.len + cookie->path.len
                                 + (domain ? domain->len : 0)
                                 + NGX_TIME_T_LEN
                                 + sizeof("=; Max-Age=; Domain=; Path=; "
                                          "Secure; HttpOnly; "
                                          "SameSite=Strict"));
    if (start == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(start, name->data, name->len);
    *p++ = '=';

    if (value.len > 0) {
        p = ngx_cpymem(p, value.data, value.len);
    }

    p = ngx_sprintf(p, "; Max-Age=%T", max_age);

    if (domain) {
        p = ngx_sprintf(p, "; Domain=%V", domain);
    }

    p = ngx_sprintf(p, "; Path=%V%s%s; SameSite=%s", &cookie->path,
                    secure ? "; Secure" : "",
                    cookie->http_only ? "; HttpOnly" : "",
                    same_site[cookie->same_site]);

    return ngx_http_martech_header_add(r, "Set-Cookie", (char *) start,
                                       p - start);
}
