
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The answer that a dialect's senders expect, in place of ours.
 */


#include "ngx_http_martech.h"


static ngx_int_t ngx_http_martech_answer_kept(ngx_http_request_t *r,
    martech_reply_t *reply, martech_str_t *slice);
static ngx_int_t ngx_http_martech_answer_fields(ngx_http_request_t *r,
    martech_reply_t *reply);
static ngx_uint_t ngx_http_martech_answer_printable(martech_str_t *value);


ngx_int_t
ngx_http_martech_answer_ask(ngx_http_request_t *r, ngx_uint_t status)
{
    u_char                     buf[MARTECH_REPLY_SIZE];
    martech_reply_t            reply;
    martech_verdict_t          verdict;
    ngx_http_martech_ctx_t    *ctx;
    const martech_endpoint_t  *endpoint;

    ctx = ngx_http_martech_ctx(r);
    endpoint = ctx->endpoint;

    if (status != 0 && !endpoint->image && !endpoint->always) {
        return NGX_DECLINED;
    }

    verdict.status = status;
    verdict.events = ctx->events;
    verdict.accepted = ctx->accepted;

    ngx_memzero(&reply, sizeof(martech_reply_t));

    reply.buf = buf;
    reply.size = sizeof(buf);

    if (ctx->request) {
        ctx->request->denied = ctx->denied
                               || (ctx->consent && ctx->consent->denied);
    }

    endpoint->reply(ctx->request, &verdict, &reply);

    if (reply.status == 0) {
        return NGX_DECLINED;
    }

    if (ngx_http_martech_answer_kept(r, &reply, &reply.body) != NGX_OK
        || ngx_http_martech_answer_fields(r, &reply) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_martech_answer_send(r, reply.status, reply.type,
                                        (u_char *) reply.body.data,
                                        reply.body.len);
}


/* What stands in the buffer of the reply goes to the pool of the request. */

static ngx_int_t
ngx_http_martech_answer_kept(ngx_http_request_t *r, martech_reply_t *reply,
    martech_str_t *slice)
{
    u_char  *p;

    if (slice->data < reply->buf || slice->data >= reply->buf + reply->size) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, slice->len);

    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, slice->data, slice->len);
    slice->data = p;

    return NGX_OK;
}


static ngx_int_t
ngx_http_martech_answer_fields(ngx_http_request_t *r, martech_reply_t *reply)
{
    ngx_uint_t      i;
    martech_str_t  *value;

    for (i = 0; i < reply->nheaders; i++) {
        value = &reply->headers[i].value;

        if (!ngx_http_martech_answer_printable(value)
            || ngx_http_martech_answer_kept(r, reply, value) != NGX_OK
            || ngx_http_martech_answer_field(r, reply->headers[i].name, *value)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* A value may come from the sender; it must not begin a field of its own. */

static ngx_uint_t
ngx_http_martech_answer_printable(martech_str_t *value)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {

        if (value->data[i] < 0x20 || value->data[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
}
