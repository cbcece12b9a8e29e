
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * How a node comes to a connection: where is the master (only with
 * sentinels), dial, handshake.
 *
 *   DOWN --back-off--> CONNECTING --> HANDSHAKE --> READY
 *     ^                    |             |            |
 *     +--------------------+-------------+------------+   any failure
 */


#include "ngx_http_martech.h"


static void ngx_http_martech_connect_master(
    ngx_http_martech_sentinel_t *sentinel,
    ngx_http_martech_endpoint_t *master);
static void ngx_http_martech_connect_dial(ngx_http_martech_node_t *node);
static void ngx_http_martech_connect_dialed(ngx_http_martech_dial_t *dial,
    ngx_connection_t *c);
static void ngx_http_martech_connect_write_handler(ngx_event_t *wev);


void
ngx_http_martech_connect(ngx_http_martech_node_t *node)
{
    ngx_http_martech_worker_t    *worker;
    ngx_http_martech_sentinel_t  *sentinel;

    worker = node->worker;

    if (node->state != NGX_HTTP_MARTECH_NODE_DOWN) {
        return;
    }

    ngx_http_martech_node_set(node, NGX_HTTP_MARTECH_NODE_CONNECTING);

    if (worker->conf->server.mode != NGX_HTTP_MARTECH_MODE_SENTINEL) {
        ngx_http_martech_connect_dial(node);
        return;
    }

    sentinel = &worker->sentinel;

    sentinel->server = &worker->conf->server;
    sentinel->log = worker->log;
    sentinel->handler = ngx_http_martech_connect_master;
    sentinel->data = node;

    ngx_http_martech_sentinel(sentinel);
}


static void
ngx_http_martech_connect_master(ngx_http_martech_sentinel_t *sentinel,
    ngx_http_martech_endpoint_t *master)
{
    ngx_http_martech_node_t  *node;

    node = sentinel->data;

    if (master == NULL) {
        ngx_http_martech_node_fail(node, 0, (char *) sentinel->error);
        return;
    }

    ngx_http_martech_node_use(node, master);
    ngx_http_martech_connect_dial(node);
}


static void
ngx_http_martech_connect_dial(ngx_http_martech_node_t *node)
{
    ngx_http_martech_dial_t    *dial;
    ngx_http_martech_worker_t  *worker;

    dial = &node->dial;
    worker = node->worker;

    dial->server = &worker->conf->server;
    dial->endpoint = node->endpoint;
    dial->timeout = worker->conf->server.connect_timeout;
    dial->log = worker->log;
    dial->handler = ngx_http_martech_connect_dialed;
    dial->data = node;

    ngx_http_martech_dial(dial);
}


static void
ngx_http_martech_connect_dialed(ngx_http_martech_dial_t *dial,
    ngx_connection_t *c)
{
    ngx_http_martech_node_t  *node;

    node = dial->data;

    if (c == NULL) {
        ngx_http_martech_node_fail(node, dial->err, (char *) dial->error);
        return;
    }

    node->connection = c;

    c->data = node;
    c->read->handler = ngx_http_martech_node_read_handler;
    c->write->handler = ngx_http_martech_connect_write_handler;

    ngx_memzero(&node->resp, sizeof(ngx_http_martech_resp_t));

    ngx_http_martech_node_set(node, NGX_HTTP_MARTECH_NODE_HANDSHAKE);

    if (ngx_http_martech_handshake_start(node) != NGX_OK) {
        ngx_http_martech_node_fail(node, 0, "no memory for its handshake");
        return;
    }

    c->read->cancelable = 1;
    ngx_add_timer(c->read, node->worker->conf->server.connect_timeout);

    ngx_http_martech_redis_update(node->worker);
    ngx_http_martech_handshake_write(node);
}


static void
ngx_http_martech_connect_write_handler(ngx_event_t *wev)
{
    ngx_connection_t         *c;
    ngx_http_martech_node_t  *node;

    c = wev->data;
    node = c->data;

    if (node->state == NGX_HTTP_MARTECH_NODE_HANDSHAKE) {
        ngx_http_martech_handshake_write(node);
        return;
    }

    ngx_http_martech_node_flush(node);
}


void
ngx_http_martech_connect_cancel(ngx_http_martech_node_t *node)
{
    ngx_http_martech_worker_t  *worker;

    worker = node->worker;

    if (worker->conf->server.mode == NGX_HTTP_MARTECH_MODE_SENTINEL) {
        ngx_http_martech_sentinel_cancel(&worker->sentinel);
    }

    ngx_http_martech_dial_cancel(&node->dial);
}
