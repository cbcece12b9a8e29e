
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A body of a dialect as the batch that the event model reads, in memory of
 * the worker; and that memory.
 *
 * What a dialect may write is bounded by what it reads and by the limit of the
 * location, so that a request costs in proportion to its size.
 */


#include "ngx_http_martech_collect.h"


#define NGX_HTTP_MARTECH_TEXTS_MIN   (16 * 1024)
#define NGX_HTTP_MARTECH_TEXTS_KEPT  (1024 * 1024)   /* more is given back */

/* Times the body and the query, and so many bytes that any may have. */
#define NGX_HTTP_MARTECH_OUT         16
#define NGX_HTTP_MARTECH_OUT_FREE    (64 * 1024)
#define NGX_HTTP_MARTECH_SCRATCH     4
#define NGX_HTTP_MARTECH_SCRATCH_FREE  4096

/* Times the limit on a body, however large the query. */
#define NGX_HTTP_MARTECH_OUT_MAX     8


static ngx_int_t ngx_http_martech_translate_rooms(
    ngx_http_martech_collect_t *mc, martech_translation_t *t, size_t *size);
static void ngx_http_martech_texts_free(ngx_http_martech_room_t *room);


ngx_uint_t
ngx_http_martech_translate(ngx_http_martech_collect_t *mc, ngx_str_t *body)
{
    size_t                      size;
    martech_rc_t                rc;
    martech_request_t          *request;
    martech_translation_t       t;
    ngx_http_martech_worker_t  *worker;

    worker = mc->worker;
    request = mc->ctx->request;

    request->body.data = body->data;
    request->body.len = body->len;
    request->random[0] = ngx_http_martech_event_random(worker);
    request->random[1] = ngx_http_martech_event_random(worker);

    if (ngx_http_martech_translate_rooms(mc, &t, &size) != NGX_OK) {
        return NGX_HTTP_MARTECH_REFUSED_UNAVAILABLE;
    }

    t.request = request;
    t.limits = &mc->mlcf->limits;
    t.tape = &worker->tape;

    for ( ;; ) {
        worker->tape.nodes_max = ngx_min(worker->tape_size,
                                         t.limits->tokens_max);
        martech_json_writer_init(&t.out, worker->texts.batch.data, size);

        t.scratch_used = 0;
        t.field = "";
        t.offset = -1;
        t.note = 0;
        t.tokens = 0;

        rc = mc->ctx->endpoint->translate(&t);

        if (!t.tokens
            || ngx_http_martech_collect_tape(worker, t.limits) != NGX_OK)
        {
            break;
        }
    }

    ngx_memzero(&request->body, sizeof(martech_str_t));
    request->note = t.note;

    if (rc == MARTECH_OK && t.out.overflow) {
        rc = MARTECH_BATCH_SIZE;
        t.field = "";
    }

    mc->field = t.field;
    mc->offset = t.offset;

    body->data = t.out.start;
    body->len = t.out.pos - t.out.start;

    return rc;
}


static ngx_int_t
ngx_http_martech_translate_rooms(ngx_http_martech_collect_t *mc,
    martech_translation_t *t, size_t *size)
{
    size_t                     read, max;
    ngx_http_martech_texts_t  *texts;

    texts = &mc->worker->texts;

    read = mc->ctx->request->body.len + mc->ctx->request->args.len;
    max = NGX_HTTP_MARTECH_OUT_MAX * mc->mlcf->limits.batch_size_max
          + NGX_HTTP_MARTECH_OUT_FREE;

    *size = ngx_min(NGX_HTTP_MARTECH_OUT * read + NGX_HTTP_MARTECH_OUT_FREE,
                    max);

    t->scratch_size = NGX_HTTP_MARTECH_SCRATCH * read
                      + NGX_HTTP_MARTECH_SCRATCH_FREE;
    t->scratch = ngx_http_martech_texts_room(&texts->scratch, t->scratch_size,
                                             0, mc->worker->log);

    if (t->scratch == NULL
        || ngx_http_martech_texts_room(&texts->batch, *size, 0,
                                       mc->worker->log)
           == NULL)
    {
        return NGX_ERROR;
    }

    /* no dialect has to know what a tape of no nodes is */

    if (mc->worker->tape_size == 0) {
        return ngx_http_martech_collect_tape(mc->worker, &mc->mlcf->limits);
    }

    return NGX_OK;
}


u_char *
ngx_http_martech_texts_room(ngx_http_martech_room_t *room, size_t size,
    size_t used, ngx_log_t *log)
{
    u_char  *p;

    if (size <= room->size) {
        return room->data;
    }

    size = ngx_max(size, ngx_max(2 * room->size, NGX_HTTP_MARTECH_TEXTS_MIN));

    p = ngx_alloc(size, log);

    if (p == NULL) {
        return NULL;
    }

    if (used > 0) {
        ngx_memcpy(p, room->data, used);
    }

    ngx_http_martech_texts_free(room);

    room->data = p;
    room->size = size;

    return p;
}


void
ngx_http_martech_texts_trim(ngx_http_martech_texts_t *texts)
{
    size_t  size;

    /* usually there is nothing to give back, in one comparison */

    size = texts->inflated.size | texts->scratch.size | texts->batch.size;

    if (size < NGX_HTTP_MARTECH_TEXTS_KEPT) {
        return;
    }

    if (texts->inflated.size > NGX_HTTP_MARTECH_TEXTS_KEPT) {
        ngx_http_martech_texts_free(&texts->inflated);
    }

    if (texts->scratch.size > NGX_HTTP_MARTECH_TEXTS_KEPT) {
        ngx_http_martech_texts_free(&texts->scratch);
    }

    if (texts->batch.size > NGX_HTTP_MARTECH_TEXTS_KEPT) {
        ngx_http_martech_texts_free(&texts->batch);
    }
}


static void
ngx_http_martech_texts_free(ngx_http_martech_room_t *room)
{
    if (room->data) {
        ngx_free(room->data);
    }

    room->data = NULL;
    room->size = 0;
}
