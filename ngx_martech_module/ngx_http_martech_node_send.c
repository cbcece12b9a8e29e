
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Records on their way out of a node's queue.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_BUFS  64


static ngx_int_t ngx_http_martech_node_send(ngx_http_martech_node_t *node);
static ngx_uint_t ngx_http_martech_node_unsent(ngx_http_martech_node_t *node,
    ngx_buf_t *bufs, ngx_uint_t n);
static void ngx_http_martech_node_buf(ngx_buf_t *b, u_char *start,
    u_char *end);
static void ngx_http_martech_node_advance(ngx_http_martech_node_t *node,
    size_t sent);
static ngx_int_t ngx_http_martech_node_send_tls(ngx_http_martech_node_t *node);
static size_t ngx_http_martech_node_stage(ngx_http_martech_node_t *node);
static void ngx_http_martech_node_ask_replicas(ngx_http_martech_node_t *node);


static u_char  ngx_http_martech_asking[] = "*1" CRLF "$6" CRLF "ASKING" CRLF;


#define NGX_HTTP_MARTECH_ASKING_LEN  (sizeof(ngx_http_martech_asking) - 1)

#define ngx_http_martech_node_prefix(record)                                  \
    ((record)->asking ? NGX_HTTP_MARTECH_ASKING_LEN : 0)


void
ngx_http_martech_node_flush(ngx_http_martech_node_t *node)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = node->connection;

    if (node->state != NGX_HTTP_MARTECH_NODE_READY) {
        ngx_http_martech_redis_update(node->worker);
        return;
    }

    if (!node->paused) {
        ngx_http_martech_node_ask_replicas(node);
    }

#if (NGX_SSL)
    rc = c->ssl ? ngx_http_martech_node_send_tls(node)
                : ngx_http_martech_node_send(node);
#else
    rc = ngx_http_martech_node_send(node);
#endif

    if (rc != NGX_OK) {
        ngx_http_martech_node_fail(node, 0, "cannot send");
        return;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_http_martech_node_fail(node, 0, "event failed");
        return;
    }

    ngx_http_martech_node_progress(node, 0);
}


static ngx_int_t
ngx_http_martech_node_send(ngx_http_martech_node_t *node)
{
    off_t              before;
    ngx_buf_t          bufs[NGX_HTTP_MARTECH_BUFS];
    ngx_uint_t         i, n;
    ngx_chain_t        links[NGX_HTTP_MARTECH_BUFS], *rest;
    ngx_connection_t  *c;

    c = node->connection;

    while (c->write->ready) {
        n = ngx_http_martech_node_unsent(node, bufs, NGX_HTTP_MARTECH_BUFS);

        if (n == 0) {
            break;
        }

        for (i = 0; i < n; i++) {
            links[i].buf = &bufs[i];
            links[i].next = (i + 1 < n) ? &links[i + 1] : NULL;
        }

        before = c->sent;
        rest = c->send_chain(c, links, 0);

        ngx_http_martech_count(node->worker, FLUSHES, 1);

        if (rest == NGX_CHAIN_ERROR) {
            return NGX_ERROR;
        }

        ngx_http_martech_node_advance(node, (size_t) (c->sent - before));

        if (rest) {
            break;
        }
    }

    return NGX_OK;
}


/*
 * Up to n buffers of what is to be sent next; returns how many.  In a pause
 * that is the rest of a command that is half on its way, and nothing else.
 * What waits for its scout holds back those behind it, for one round trip.
 */

static ngx_uint_t
ngx_http_martech_node_unsent(ngx_http_martech_node_t *node, ngx_buf_t *bufs,
    ngx_uint_t n)
{
    size_t                      skip, prefix;
    ngx_uint_t                  used;
    ngx_queue_t                *q;
    ngx_http_martech_record_t  *record;

    used = 0;
    skip = node->sent_bytes;

    for (q = ngx_queue_head(&node->queued);
         q != ngx_queue_sentinel(&node->queued);
         q = ngx_queue_next(q))
    {
        record = ngx_queue_data(q, ngx_http_martech_record_t, queue);
        prefix = ngx_http_martech_node_prefix(record);

        if (skip == 0
            && (node->paused || ngx_http_martech_scout_ahead(node, record)))
        {
            break;
        }

        if (skip < prefix) {

            if (used + 1 >= n) {
                break;
            }

            ngx_http_martech_node_buf(&bufs[used++],
                                      ngx_http_martech_asking + skip,
                                      ngx_http_martech_asking + prefix);
            skip = prefix;
        }

        if (used > 0 && bufs[used - 1].last == record->data) {
            bufs[used - 1].last += record->len;

        } else {

            if (used == n) {
                break;
            }

            ngx_http_martech_node_buf(&bufs[used++],
                                      record->data + skip - prefix,
                                      record->data + record->len);
        }

        skip = 0;

        if (ngx_http_martech_scout_needed(node, record)) {

            /* the next one may be of the same shard */

            break;
        }
    }

    return used;
}


static void
ngx_http_martech_node_buf(ngx_buf_t *b, u_char *start, u_char *end)
{
    ngx_memzero(b, sizeof(ngx_buf_t));

    b->start = start;
    b->pos = start;
    b->last = end;
    b->memory = 1;
}


static void
ngx_http_martech_node_advance(ngx_http_martech_node_t *node, size_t sent)
{
    size_t                      rest;
    ngx_queue_t                *q;
    ngx_http_martech_record_t  *record;

    while (!ngx_queue_empty(&node->queued)) {
        q = ngx_queue_head(&node->queued);
        record = ngx_queue_data(q, ngx_http_martech_record_t, queue);

        rest = ngx_http_martech_node_prefix(record) + record->len
               - node->sent_bytes;

        if (sent < rest) {
            node->sent_bytes += sent;
            return;
        }

        sent -= rest;
        node->sent_bytes = 0;

        if (ngx_http_martech_node_empty(node, &node->sent)) {
            node->waiting_since = ngx_current_msec;
        }

        record->asked = record->asking;
        ngx_http_martech_scout_sent(node, record);

        ngx_http_martech_record_place(record, &node->sent,
                                      NGX_HTTP_MARTECH_RECORD_SENT);
    }
}


/*
 * TLS wants to be given the same bytes again after a write that could not be
 * done at once, so they are copied into a place of their own, where they
 * count as sent.
 */

static ngx_int_t
ngx_http_martech_node_send_tls(ngx_http_martech_node_t *node)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = node->connection;

    if (node->tls == NULL) {
        node->tls = ngx_alloc(NGX_HTTP_MARTECH_TLS_SIZE, node->worker->log);

        if (node->tls == NULL) {
            return NGX_ERROR;
        }
    }

    while (c->write->ready) {

        if (node->tls_sent == node->tls_len
            && ngx_http_martech_node_stage(node) == 0)
        {
            break;
        }

        n = c->send(c, node->tls + node->tls_sent,
                    node->tls_len - node->tls_sent);

        ngx_http_martech_count(node->worker, FLUSHES, 1);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n > 0) {
            node->tls_sent += n;
        }
    }

    return NGX_OK;
}


static size_t
ngx_http_martech_node_stage(ngx_http_martech_node_t *node)
{
    size_t      size;
    u_char     *p, *end;
    ngx_buf_t   bufs[NGX_HTTP_MARTECH_BUFS];
    ngx_uint_t  i, n;

    p = node->tls;
    end = p + NGX_HTTP_MARTECH_TLS_SIZE;

    n = ngx_http_martech_node_unsent(node, bufs, NGX_HTTP_MARTECH_BUFS);

    for (i = 0; i < n && p < end; i++) {
        size = ngx_min(bufs[i].last - bufs[i].pos, end - p);
        p = ngx_cpymem(p, bufs[i].pos, size);
    }

    node->tls_sent = 0;
    node->tls_len = p - node->tls;

    ngx_http_martech_node_advance(node, node->tls_len);

    return node->tls_len;
}


/* WAIT follows what was sent; one of them is on its way at a time. */

static void
ngx_http_martech_node_ask_replicas(ngx_http_martech_node_t *node)
{
    if (node->wait.len == 0
        || node->wait.place != NGX_HTTP_MARTECH_RECORD_NOWHERE
        || (ngx_http_martech_node_empty(node, &node->queued)
            && ngx_http_martech_node_empty(node, &node->sent)
            && ngx_queue_empty(&node->unconfirmed)))
    {
        return;
    }

    node->wait.dropped = 0;

    ngx_http_martech_record_place(&node->wait, &node->queued,
                                  NGX_HTTP_MARTECH_RECORD_QUEUED);
}
