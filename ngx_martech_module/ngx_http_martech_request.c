
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Everything that the request line and the headers decide, before a byte of
 * the body is read.
 *
 * This runs in the CONTENT phase, not in ACCESS: there it would come before
 * allow, deny and auth_request, because handlers of modules loaded later run
 * earlier, and a denied address could find out which keys exist.
 */


#include "ngx_http_martech.h"


static ngx_int_t ngx_http_martech_request_path(ngx_http_request_t *r,
    ngx_http_martech_ctx_t *ctx);
static ngx_uint_t ngx_http_martech_request_media_type(ngx_http_request_t *r);
static ngx_uint_t ngx_http_martech_request_encoded(ngx_http_request_t *r);


static ngx_str_t  ngx_http_martech_media_types[] = {
    ngx_string("application/json"),
    ngx_string("text/plain"),
    ngx_string("application/x-www-form-urlencoded"),
    ngx_string("application/octet-stream"),
    ngx_null_string
};


ngx_uint_t
ngx_http_martech_request(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx)
{
    if (ngx_http_martech_request_path(r, ctx) != NGX_OK) {
        return NGX_HTTP_MARTECH_REFUSED_PATH;
    }

    if (r->method != NGX_HTTP_POST) {
        return NGX_HTTP_MARTECH_REFUSED_METHOD;
    }

    if (ngx_http_martech_request_encoded(r)) {
        return NGX_HTTP_MARTECH_REFUSED_ENCODING;
    }

    if (!ngx_http_martech_request_media_type(r)) {
        return NGX_HTTP_MARTECH_REFUSED_MEDIA_TYPE;
    }

    if (r->headers_in.content_length_n > (off_t) mlcf->limits.batch_size_max) {
        return NGX_HTTP_MARTECH_REFUSED_BODY_SIZE;
    }

    if (ngx_http_martech_source_request(r, mlcf, ctx) == NGX_ERROR) {
        return NGX_HTTP_MARTECH_REFUSED_KEY_UNKNOWN;
    }

    return MARTECH_OK;
}


/* The part of the URI behind the location must be v1/ and a known word. */

static ngx_int_t
ngx_http_martech_request_path(ngx_http_request_t *r,
    ngx_http_martech_ctx_t *ctx)
{
    u_char                    *p, *end;
    size_t                     skip;
    martech_str_t              word;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    p = r->uri.data;
    end = p + r->uri.len;

    skip = clcf->name.len;

#if (NGX_PCRE)
    if (clcf->regex) {
        skip = 0;
    }
#endif

    if (clcf->named || clcf->noname || clcf->exact_match || clcf->lmt_excpt) {
        skip = 0;
    }

    if (skip > 0 && r->uri.len >= skip) {

        /* prefix location: nothing may stand between it and v1/ */

        p += skip;

        if (p[-1] == '/') {
            p--;
        }

    } else {

        while (end - p >= 4 && ngx_strncmp(p, "/v1/", 4) != 0) {
            p++;
        }
    }

    if (end - p < 5 || ngx_strncmp(p, "/v1/", 4) != 0) {
        return NGX_DECLINED;
    }

    word.data = p + 4;
    word.len = end - (p + 4);

    ctx->type = martech_event_type(word);

    if (ctx->type != MARTECH_EVENT_UNKNOWN
        || (word.len == 1 && word.data[0] == 'b')
        || (word.len == 5 && ngx_strncmp(word.data, "batch", 5) == 0))
    {
        return NGX_OK;
    }

    return NGX_DECLINED;
}


/*
 * Browsers send JSON under the types that need no preflight, and some
 * libraries under none or a wrong one; the body itself tells.
 */

static ngx_uint_t
ngx_http_martech_request_media_type(ngx_http_request_t *r)
{
    size_t            len;
    ngx_str_t        *type;
    ngx_table_elt_t  *header;

    header = r->headers_in.content_type;

    if (header == NULL) {
        return 1;
    }

    /* the types are nearly always spelled as above */

    for (type = ngx_http_martech_media_types; type->len; type++) {

        if (header->value.len >= type->len
            && (header->value.len == type->len
                || header->value.data[type->len] == ';')
            && ngx_memcmp(header->value.data, type->data, type->len) == 0)
        {
            return 1;
        }
    }

    for (len = 0; len < header->value.len; len++) {

        if (header->value.data[len] == ';' || header->value.data[len] == ' ') {
            break;
        }
    }

    if (len == 0) {
        return 1;
    }

    for (type = ngx_http_martech_media_types; type->len; type++) {

        if (len == type->len
            && ngx_strncasecmp(header->value.data, type->data, len) == 0)
        {
            return 1;
        }
    }

    return len > sizeof("application/+json") - 1
           && ngx_strncasecmp(header->value.data, (u_char *) "application/",
                              12)
              == 0
           && ngx_strncasecmp(header->value.data + len - 5,
                              (u_char *) "+json", 5)
              == 0;
}


/* NGINX keeps no pointer to Content-Encoding of a request. */

static ngx_uint_t
ngx_http_martech_request_encoded(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        header = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (header[i].key.len != sizeof("Content-Encoding") - 1
                || (header[i].key.data[0] | 0x20) != 'c'
                || ngx_strncasecmp(header[i].key.data,
                                   (u_char *) "Content-Encoding",
                                   sizeof("Content-Encoding") - 1)
                   != 0)
            {
                continue;
            }

            if (header[i].value.len == 0
                || (header[i].value.len == 8
                    && ngx_strncasecmp(header[i].value.data,
                                       (u_char *) "identity", 8)
                       == 0))
            {
                continue;
            }

            return 1;
        }
    }

    return 0;
}
