
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A compressed body: gzip (RFC 1952), or deflate, which is a zlib stream (RFC
 * 1950) and, from some senders, a bare one (RFC 1951).
 *
 * A few bytes can become a thousand times as many.  So what comes out is
 * limited by its length, and by its ratio to what went in, which is looked at
 * after each step; a bomb is found before it costs memory or time.
 */


#include "ngx_http_martech_collect.h"

#include <zlib.h>


#define NGX_HTTP_MARTECH_INFLATE_STEP     65536  /* bytes out at once; up to
                                                    here any ratio is fine */
#define NGX_HTTP_MARTECH_INFLATE_MEMBERS  1024   /* of one body */

/* windowBits of inflateReset2() */
#define NGX_HTTP_MARTECH_WINDOW_GZIP      (MAX_WBITS + 16)
#define NGX_HTTP_MARTECH_WINDOW_ZLIB      MAX_WBITS
#define NGX_HTTP_MARTECH_WINDOW_RAW       (-MAX_WBITS)


/* Of a worker; zlib's own state stays from body to body. */
struct ngx_http_martech_inflate_s {
    z_stream  stream;
};


static int ngx_http_martech_inflate_window(ngx_str_t *body, ngx_uint_t gzip);
static z_stream *ngx_http_martech_inflate_stream(
    ngx_http_martech_worker_t *worker, int window);
static ngx_uint_t ngx_http_martech_inflate_body(
    ngx_http_martech_collect_t *mc, z_stream *z, ngx_uint_t gzip,
    ngx_str_t *body);
static ngx_uint_t ngx_http_martech_inflate_next(z_stream *z, ngx_uint_t gzip,
    ngx_uint_t *members);


ngx_uint_t
ngx_http_martech_inflate(ngx_http_martech_collect_t *mc, ngx_str_t *body)
{
    int          window;
    z_stream    *z;
    ngx_uint_t   gzip;

    gzip = (mc->ctx->encoding != NGX_HTTP_MARTECH_ENCODING_DEFLATE);

    if (body->len == 0) {
        return MARTECH_OK;
    }

    window = ngx_http_martech_inflate_window(body, gzip);
    z = ngx_http_martech_inflate_stream(mc->worker, window);

    if (z == NULL) {
        return NGX_HTTP_MARTECH_REFUSED_UNAVAILABLE;
    }

    return ngx_http_martech_inflate_body(mc, z, gzip, body);
}


/*
 * A zlib stream begins with the method 8 in its low bits and is a multiple of
 * 31.  A bare one cannot look so: its low bits would be a stored block, with
 * bits set in the padding behind that.
 */

static int
ngx_http_martech_inflate_window(ngx_str_t *body, ngx_uint_t gzip)
{
    if (gzip) {
        return NGX_HTTP_MARTECH_WINDOW_GZIP;
    }

    if (body->len >= 2 && (body->data[0] & 0x0f) == Z_DEFLATED
        && (body->data[0] * 256 + body->data[1]) % 31 == 0)
    {
        return NGX_HTTP_MARTECH_WINDOW_ZLIB;
    }

    return NGX_HTTP_MARTECH_WINDOW_RAW;
}


static z_stream *
ngx_http_martech_inflate_stream(ngx_http_martech_worker_t *worker, int window)
{
    ngx_http_martech_inflate_t  *inflate;

    inflate = worker->texts.inflate;

    if (inflate) {
        return (inflateReset2(&inflate->stream, window) == Z_OK)
               ? &inflate->stream : NULL;
    }

    inflate = ngx_calloc(sizeof(ngx_http_martech_inflate_t), worker->log);

    if (inflate == NULL) {
        return NULL;
    }

    if (inflateInit2(&inflate->stream, window) != Z_OK) {
        ngx_free(inflate);
        return NULL;
    }

    worker->texts.inflate = inflate;

    return &inflate->stream;
}


static ngx_uint_t
ngx_http_martech_inflate_body(ngx_http_martech_collect_t *mc, z_stream *z,
    ngx_uint_t gzip, ngx_str_t *body)
{
    int                       rc;
    size_t                    used, max;
    u_char                   *out;
    ngx_uint_t                members;
    ngx_http_martech_room_t  *room;

    room = &mc->worker->texts.inflated;
    max = mc->mlcf->limits.batch_size_max;
    used = 0;
    members = 1;

    z->next_in = body->data;
    z->avail_in = (uInt) body->len;

    for ( ;; ) {
        out = ngx_http_martech_texts_room(room,
                                 used + NGX_HTTP_MARTECH_INFLATE_STEP, used,
                                 mc->worker->log);
        if (out == NULL) {
            return NGX_HTTP_MARTECH_REFUSED_UNAVAILABLE;
        }

        z->next_out = out + used;
        z->avail_out = NGX_HTTP_MARTECH_INFLATE_STEP;

        rc = inflate(z, Z_NO_FLUSH);

        used = z->next_out - out;

        if (used > max) {
            return NGX_HTTP_MARTECH_REFUSED_BODY_SIZE;
        }

        if (used >= NGX_HTTP_MARTECH_INFLATE_STEP
            && used / mc->mlcf->limits.inflate_ratio_max
               > body->len - z->avail_in)
        {
            return NGX_HTTP_MARTECH_REFUSED_INFLATE_RATIO;
        }

        if (rc == Z_STREAM_END && z->avail_in == 0) {
            body->data = out;
            body->len = used;
            return MARTECH_OK;
        }

        if (rc == Z_STREAM_END
            && ngx_http_martech_inflate_next(z, gzip, &members))
        {
            continue;
        }

        /* with room left, there was not enough to read */

        if (rc != Z_OK || z->avail_out > 0) {
            return NGX_HTTP_MARTECH_REFUSED_INFLATE;
        }
    }
}


/* 1 if another member begins, as in files of gzip that were joined. */

static ngx_uint_t
ngx_http_martech_inflate_next(z_stream *z, ngx_uint_t gzip,
    ngx_uint_t *members)
{
    return gzip && ngx_http_martech_inflate_magic(z->next_in, z->avail_in)
           && (*members)++ < NGX_HTTP_MARTECH_INFLATE_MEMBERS
           && inflateReset(z) == Z_OK;
}
