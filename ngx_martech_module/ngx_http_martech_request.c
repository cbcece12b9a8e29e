
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


static ngx_uint_t ngx_http_martech_request_body(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx);
static ngx_uint_t ngx_http_martech_request_source(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx);
static ngx_uint_t ngx_http_martech_request_media_type(ngx_http_request_t *r);
static ngx_int_t ngx_http_martech_request_coding(ngx_str_t *value);


static ngx_str_t  ngx_http_martech_media_types[] = {
    ngx_string("application/json"),
    ngx_string("text/plain"),
    ngx_string("application/x-www-form-urlencoded"),
    ngx_string("application/octet-stream"),
    ngx_null_string
};


ngx_uint_t
ngx_http_martech_request(ngx_http_request_t *r,
    ngx_http_martech_worker_t *worker, ngx_http_martech_loc_conf_t *mlcf,
    ngx_http_martech_ctx_t *ctx)
{
    ngx_uint_t  reason;

    reason = ngx_http_martech_dialect_find(r, worker, mlcf, ctx);

    if (reason != MARTECH_OK) {
        return reason;
    }

    if (!ctx->endpoint->silent) {
        reason = ngx_http_martech_request_body(r, mlcf, ctx);

        if (reason != MARTECH_OK) {
            return reason;
        }
    }

    return ngx_http_martech_request_source(r, mlcf, ctx);
}


/* What is said of the body that is to come. */

static ngx_uint_t
ngx_http_martech_request_body(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx)
{
    if (!ngx_http_martech_request_encoding(r, ctx)) {
        return NGX_HTTP_MARTECH_REFUSED_ENCODING;
    }

    /* what a dialect reads itself it judges by itself */

    if (ctx->endpoint->native && !ngx_http_martech_request_media_type(r)) {
        return NGX_HTTP_MARTECH_REFUSED_MEDIA_TYPE;
    }

    return (r->headers_in.content_length_n
            > (off_t) mlcf->limits.batch_size_max)
           ? NGX_HTTP_MARTECH_REFUSED_BODY_SIZE : MARTECH_OK;
}


static ngx_uint_t
ngx_http_martech_request_source(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx)
{
    martech_str_t  key;

    if (ctx->endpoint->key && mlcf->sources) {
        key = ctx->endpoint->key(ctx->request);

        if (key.data) {
            ctx->source = ngx_http_martech_source_find(mlcf->sources,
                                                       (u_char *) key.data,
                                                       key.len);

            return ctx->source ? MARTECH_OK
                               : NGX_HTTP_MARTECH_REFUSED_KEY_UNKNOWN;
        }
    }

    return (ngx_http_martech_source_request(r, mlcf, ctx) == NGX_ERROR)
           ? NGX_HTTP_MARTECH_REFUSED_KEY_UNKNOWN : MARTECH_OK;
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


/*
 * NGINX keeps no pointer to Content-Encoding of a request.  One coding is
 * undone; 0: there are several, or one that is not known.
 */

ngx_uint_t
ngx_http_martech_request_encoding(ngx_http_request_t *r,
    ngx_http_martech_ctx_t *ctx)
{
    ngx_int_t         coding;
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

            coding = ngx_http_martech_request_coding(&header[i].value);

            if (coding == NGX_HTTP_MARTECH_ENCODING_NONE) {
                continue;
            }

            if (coding == NGX_ERROR
                || ctx->encoding != NGX_HTTP_MARTECH_ENCODING_NONE)
            {
                return 0;
            }

            ctx->encoding = coding;
        }
    }

    return 1;
}


/* RFC 9110 section 8.4.1; NGX_ERROR: another one. */

static ngx_int_t
ngx_http_martech_request_coding(ngx_str_t *value)
{
    ngx_uint_t  i;

    static struct {
        ngx_str_t   name;
        ngx_int_t   coding;
    } codings[] = {
        { ngx_string(""), NGX_HTTP_MARTECH_ENCODING_NONE },
        { ngx_string("identity"), NGX_HTTP_MARTECH_ENCODING_NONE },
        { ngx_string("gzip"), NGX_HTTP_MARTECH_ENCODING_GZIP },
        { ngx_string("x-gzip"), NGX_HTTP_MARTECH_ENCODING_GZIP },
        { ngx_string("deflate"), NGX_HTTP_MARTECH_ENCODING_DEFLATE }
    };

    for (i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {

        if (value->len == codings[i].name.len
            && ngx_strncasecmp(value->data, codings[i].name.data, value->len)
               == 0)
        {
            return codings[i].coding;
        }
    }

    return NGX_ERROR;
}
