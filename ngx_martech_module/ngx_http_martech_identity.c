
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The identity cookie: a UUID of version 7, which tells its own age, so that
 * an old one can be replaced without a note of it anywhere.
 *
 * Beacons renew it, each time; pages set it where it is missing or too old,
 * so that most of them have no Set-Cookie and stay what caches make of them.
 * Who denies it has none, and loses the one that is there.
 */


#include "ngx_http_martech.h"
#include <sys/random.h>


static martech_str_t ngx_http_martech_identity_new(ngx_http_request_t *r);
static ngx_int_t ngx_http_martech_identity_sent(ngx_http_request_t *r,
    ngx_http_martech_cookie_t *cookie, martech_str_t *id);
static ngx_uint_t ngx_http_martech_identity_page(ngx_http_request_t *r);
static ngx_uint_t ngx_http_martech_identity_document(ngx_http_request_t *r);
static ngx_uint_t ngx_http_martech_identity_caching(ngx_http_request_t *r,
    const char *word);
static ngx_int_t ngx_http_martech_identity_expire(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf);
static ngx_int_t ngx_http_martech_identity_beacon(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx);
static ngx_int_t ngx_http_martech_identity_visit(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx);
static ngx_int_t ngx_http_martech_identity_set(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, martech_str_t id,
    martech_str_t campaign, ngx_http_martech_page_t *page);


martech_str_t
ngx_http_martech_identity(ngx_http_request_t *r, ngx_http_martech_ctx_t *ctx)
{
    u_char                       *p;
    martech_str_t                *id;
    ngx_http_martech_cookie_t    *cookie;
    ngx_http_martech_loc_conf_t  *mlcf;

    id = &ctx->visit.visitor;

    if (ctx->visit.known) {
        return *id;
    }

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_martech_module);
    cookie = mlcf->cookie;

    ctx->visit.known = 1;
    id->len = 0;
    id->data = NULL;

    if (cookie == NULL || ngx_http_martech_identity_denied(r, mlcf, ctx)) {
        return *id;
    }

    if (!cookie->anonymous) {

        if (ngx_http_martech_identity_sent(r, cookie, id) != NGX_OK) {
            *id = ngx_http_martech_identity_new(r);
        }

        return *id;
    }

    p = ngx_pnalloc(r->pool, MARTECH_UUID_LEN);

    if (p && ngx_http_martech_anonymous(r, cookie, ctx->source, p) == NGX_OK) {
        id->data = p;
        id->len = MARTECH_UUID_LEN;
    }

    return *id;
}


/* By the signals of consent, or by a header that says so. */

ngx_uint_t
ngx_http_martech_identity_denied(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx)
{
    ngx_str_t  value;

    if (ngx_http_martech_header_find(r, "sp-anonymous", &value) == NGX_OK) {
        return 1;
    }

    if (ctx && ctx->consent) {
        return ctx->consent->denied || ctx->denied;
    }

    return ngx_http_martech_consent_denies(r, mlcf);
}


/*
 * Ids of events come from a generator whose next number can be told from its
 * last ones; who could tell ids of visitors might speak for them.
 */

static martech_str_t
ngx_http_martech_identity_new(ngx_http_request_t *r)
{
    u_char         *p;
    uint64_t        random[2];
    ngx_time_t     *tp;
    martech_str_t   id;

    id.len = 0;
    id.data = NULL;

    p = ngx_pnalloc(r->pool, MARTECH_UUID_LEN);

    if (p == NULL
        || getrandom(random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
    {
        return id;
    }

    tp = ngx_timeofday();

    martech_uuid7(p, (uint64_t) tp->sec * 1000 + tp->msec, random);

    id.data = p;
    id.len = MARTECH_UUID_LEN;

    return id;
}


/* The first cookie that is valid; NGX_DECLINED also if it is too old. */

static ngx_int_t
ngx_http_martech_identity_sent(ngx_http_request_t *r,
    ngx_http_martech_cookie_t *cookie, martech_str_t *id)
{
    uint64_t                     now, born;
    ngx_time_t                  *tp;
    martech_str_t                value;
    ngx_http_martech_cookies_t   cookies;

    tp = ngx_timeofday();
    now = (uint64_t) tp->sec * 1000 + tp->msec;

    ngx_memzero(&cookies, sizeof(ngx_http_martech_cookies_t));

    while (ngx_http_martech_cookie_next(r, &cookies, &cookie->name, &value)
           == NGX_OK)
    {
        if (!martech_visitor_valid(value, now, &born)) {
            continue;
        }

        if (cookie->rotate
            && born + (uint64_t) cookie->rotate * 1000 <= now)
        {
            return NGX_DECLINED;
        }

        *id = value;

        return NGX_OK;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_martech_identity_headers(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx)
{
    if ((mlcf->cookie == NULL && mlcf->link == NULL
         && (mlcf->campaign == NULL || mlcf->campaign->cookie.len == 0))
        || mlcf->forget || mlcf->webhook
        || r->headers_out.status < NGX_HTTP_OK
        || r->headers_out.status >= NGX_HTTP_BAD_REQUEST
        || !(r->method & (NGX_HTTP_GET|NGX_HTTP_POST)))
    {
        return NGX_OK;
    }

    if (mlcf->collect) {

        /*
         * What NGINX has answered by itself is no beacon; nor is what brings
         * no events, and caches may share its answer.
         */

        return (ctx && ctx->endpoint && !ctx->endpoint->silent)
               ? ngx_http_martech_identity_beacon(r, mlcf, ctx) : NGX_OK;
    }

    return ngx_http_martech_identity_page(r)
           ? ngx_http_martech_identity_visit(r, mlcf, ctx) : NGX_OK;
}


/* 1 for what a person has asked for and sees. */

static ngx_uint_t
ngx_http_martech_identity_page(ngx_http_request_t *r)
{
    switch (r->headers_out.status) {

    case NGX_HTTP_MOVED_PERMANENTLY:
    case NGX_HTTP_MOVED_TEMPORARILY:
    case NGX_HTTP_SEE_OTHER:
    case NGX_HTTP_TEMPORARY_REDIRECT:
    case NGX_HTTP_PERMANENT_REDIRECT:
        return ngx_http_martech_identity_document(r);

    default:
        return ngx_http_martech_identity_html(r)
               && ngx_http_martech_identity_document(r);
    }
}


ngx_uint_t
ngx_http_martech_identity_html(ngx_http_request_t *r)
{
    ngx_str_t   *type;
    ngx_uint_t   i;

    static ngx_str_t  types[] = {
        ngx_string("text/html"), ngx_string("application/xhtml+xml")
    };

    type = &r->headers_out.content_type;

    for (i = 0; i < 2; i++) {

        if (type->len >= types[i].len
            && ngx_strncasecmp(type->data, types[i].data, types[i].len) == 0
            && (type->len == types[i].len || type->data[types[i].len] == ';'
                || type->data[types[i].len] == ' '))
        {
            return 1;
        }
    }

    return 0;
}


/* A prefetch is nobody's visit yet. */

ngx_uint_t
ngx_http_martech_identity_prefetch(ngx_http_request_t *r)
{
    ngx_str_t   value;
    ngx_uint_t  i;

    static const char  *purposes[] = { "sec-purpose", "purpose", "x-moz" };

    for (i = 0; i < 3; i++) {

        if (ngx_http_martech_header_find(r, purposes[i], &value) == NGX_OK
            && value.len >= 8
            && ngx_strncasecmp(value.data, (u_char *) "prefetch", 8) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* And no image or script is one. */

static ngx_uint_t
ngx_http_martech_identity_document(ngx_http_request_t *r)
{
    ngx_str_t  value;

    if (ngx_http_martech_identity_prefetch(r)) {
        return 0;
    }

    if (ngx_http_martech_header_find(r, "sec-fetch-dest", &value) != NGX_OK) {
        return 1;
    }

    return (value.len == 8 && ngx_strncmp(value.data, "document", 8) == 0)
           || (value.len == 6 && ngx_strncmp(value.data, "iframe", 6) == 0)
           || (value.len == 5 && ngx_strncmp(value.data, "frame", 5) == 0)
           || (value.len == 5 && ngx_strncmp(value.data, "empty", 5) == 0);
}


static ngx_int_t
ngx_http_martech_identity_beacon(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx)
{
    martech_str_t  id, campaign;

    if (ctx->source && !ctx->source->client) {
        return NGX_OK;
    }

    if ((mlcf->cookie && mlcf->cookie->anonymous)
        || ngx_http_martech_identity_denied(r, mlcf, ctx))
    {
        return ngx_http_martech_identity_expire(r, mlcf);
    }

    id = ngx_http_martech_identity(r, ctx);

    campaign.data = ctx->visit.campaign.data;
    campaign.len = ctx->visit.campaign.len;

    return ngx_http_martech_identity_set(r, mlcf, id, campaign, NULL);
}


static ngx_int_t
ngx_http_martech_identity_visit(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx)
{
    martech_str_t             id, campaign;
    ngx_http_martech_page_t  *page;

    page = (ctx && mlcf->link) ? ctx->page : NULL;

    if ((mlcf->cookie && mlcf->cookie->anonymous)
        || ngx_http_martech_identity_denied(r, mlcf, ctx))
    {
        return ngx_http_martech_identity_expire(r, mlcf);
    }

    /* a page that others are served from a cache sets nobody's cookie */

    if (ngx_http_martech_identity_caching(r, "public")
        || ngx_http_martech_identity_caching(r, "s-maxage"))
    {
        return NGX_OK;
    }

    id.len = 0;
    id.data = NULL;

    if (mlcf->cookie) {

        if (ngx_http_martech_identity_sent(r, mlcf->cookie, &id) == NGX_OK) {
            id.len = 0;

        } else {
            id = ngx_http_martech_identity_new(r);
        }
    }

    if (ctx && id.len > 0) {
        ctx->visit.visitor = id;
    }

    if (ngx_http_martech_campaign_page(r, mlcf, &campaign) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_martech_identity_set(r, mlcf, id, campaign, page);
}


/* The id that was just set or was sent, or that of the day. */

void
ngx_http_martech_identity_page_visitor(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx)
{
    if (mlcf->cookie == NULL || ctx->page->denied) {
        ctx->visit.known = 1;
        return;
    }

    if (mlcf->cookie->anonymous) {
        (void) ngx_http_martech_identity(r, ctx);
        return;
    }

    if (ctx->visit.visitor.len == 0) {
        (void) ngx_http_martech_identity_sent(r, mlcf->cookie,
                                              &ctx->visit.visitor);
    }

    ctx->visit.known = 1;
}


/* 1 if a directive of Cache-Control is in the answer, as far as it is known:
   "expires" and "add_header" come later. */

static ngx_uint_t
ngx_http_martech_identity_caching(ngx_http_request_t *r, const char *word)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        header = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (header[i].hash != 0 && header[i].key.len == 13
                && ngx_strncasecmp(header[i].key.data,
                                   (u_char *) "Cache-Control", 13)
                   == 0
                && ngx_strlcasestrn(header[i].value.data,
                                    header[i].value.data
                                    + header[i].value.len,
                                    (u_char *) word, ngx_strlen(word) - 1)
                   != NULL)
            {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_martech_identity_set(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, martech_str_t id,
    martech_str_t campaign, ngx_http_martech_page_t *page)
{
    ngx_http_martech_cookie_t  *cookie;

    cookie = mlcf->cookie ? mlcf->cookie : ngx_http_martech_cookie_usual();

    if (id.len > 0
        && ngx_http_martech_cookie_set(r, cookie, &cookie->name, id,
                                       cookie->max_age)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (campaign.len > 0
        && ngx_http_martech_cookie_set(r, cookie, &mlcf->campaign->cookie,
                                       campaign, mlcf->campaign->max_age)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (page && page->shown) {

        if (ngx_http_martech_cookie_set(r, mlcf->link, &mlcf->link->name,
                                        page->id, mlcf->link->max_age)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        page->linked = 1;
    }

    /* a POST is not cached; what else has a cookie in it is one person's */

    if (id.len + campaign.len + (page && page->linked) == 0
        || r->method != NGX_HTTP_GET
        || ngx_http_martech_identity_caching(r, "private")
        || ngx_http_martech_identity_caching(r, "no-store"))
    {
        return NGX_OK;
    }

    return ngx_http_martech_header_add(r, "Cache-Control", "private", 7);
}


static ngx_int_t
ngx_http_martech_identity_expire(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf)
{
    martech_str_t               nothing;
    ngx_http_martech_cookie_t  *cookie;

    nothing.data = NULL;
    nothing.len = 0;

    cookie = mlcf->cookie ? mlcf->cookie : ngx_http_martech_cookie_usual();

    if (cookie->name.len > 0
        && ngx_http_martech_cookie_has(r, &cookie->name)
        && ngx_http_martech_cookie_set(r, cookie, &cookie->name, nothing, 0)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (mlcf->link
        && ngx_http_martech_cookie_has(r, &mlcf->link->name)
        && ngx_http_martech_cookie_set(r, mlcf->link, &mlcf->link->name,
                                       nothing, 0)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (mlcf->campaign && mlcf->campaign->cookie.len > 0
        && ngx_http_martech_cookie_has(r, &mlcf->campaign->cookie)
        && ngx_http_martech_cookie_set(r, cookie, &mlcf->campaign->cookie,
                                       nothing, 0)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}
