
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What a node answers, and what becomes of the record that it is the answer
 * to.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_REPLIES_MAX  1024       /* in one go */


static ngx_int_t ngx_http_martech_node_parse(ngx_http_martech_node_t *node,
    const u_char *p, const u_char *end, ngx_uint_t *replies);
static ngx_int_t ngx_http_martech_node_reply(ngx_http_martech_node_t *node);
static ngx_int_t ngx_http_martech_node_refused(ngx_http_martech_node_t *node,
    ngx_http_martech_record_t *record);
static void ngx_http_martech_node_refused_log(ngx_http_martech_node_t *node,
    ngx_http_martech_redis_class_e class);
static ngx_int_t ngx_http_martech_node_replicas(ngx_http_martech_node_t *node);


void
ngx_http_martech_node_read_handler(ngx_event_t *rev)
{
    ssize_t                   n;
    ngx_uint_t                replies;
    ngx_connection_t         *c;
    ngx_http_martech_node_t  *node;

    c = rev->data;
    node = c->data;

    if (rev->timedout) {
        ngx_http_martech_node_timeout(node);
        return;
    }

    if (c->close) {
        ngx_http_martech_redis_shutdown(node->worker, c);
        return;
    }

    replies = 0;

    while (replies < NGX_HTTP_MARTECH_REPLIES_MAX) {
        n = c->recv(c, node->worker->replies, NGX_HTTP_MARTECH_REPLIES_SIZE);

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_http_martech_node_fail(node, 0, "event failed");
                return;
            }

            break;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_http_martech_node_fail(node, 0, "connection lost");
            return;
        }

        if (ngx_http_martech_node_parse(node, node->worker->replies,
                                        node->worker->replies + n, &replies)
            != NGX_OK)
        {
            return;
        }
    }

    if (replies >= NGX_HTTP_MARTECH_REPLIES_MAX) {

        /* others first; this comes back in the next round */

        ngx_post_event(rev, &ngx_posted_next_events);
    }

    ngx_http_martech_node_progress(node, replies > 0);
}


/* NGX_ERROR: the connection has failed and is closed. */

static ngx_int_t
ngx_http_martech_node_parse(ngx_http_martech_node_t *node, const u_char *p,
    const u_char *end, ngx_uint_t *replies)
{
    int        rc;
    ngx_int_t  result;

    for ( ;; ) {
        rc = ngx_http_martech_resp_parse(&node->resp, &p, end);

        if (rc == 0) {
            return NGX_OK;
        }

        if (rc < 0) {
            ngx_http_martech_node_fail(node, 0, "sends what is no reply");
            return NGX_ERROR;
        }

        (*replies)++;

        if (node->state == NGX_HTTP_MARTECH_NODE_HANDSHAKE) {
            result = ngx_http_martech_handshake_reply(node);

        } else {
            result = ngx_http_martech_node_reply(node);
        }

        if (result != NGX_OK) {
            return NGX_ERROR;
        }
    }
}


/* The reply to the oldest record.  NGX_ERROR: the connection has failed. */

static ngx_int_t
ngx_http_martech_node_reply(ngx_http_martech_node_t *node)
{
    ngx_uint_t                  taken;
    ngx_queue_t                *q;
    ngx_http_martech_record_t  *record;
    ngx_http_martech_worker_t  *worker;

    worker = node->worker;

    if (ngx_queue_empty(&node->sent)) {
        ngx_http_martech_node_fail(node, 0, "answers what was not asked");
        return NGX_ERROR;
    }

    q = ngx_queue_head(&node->sent);
    record = ngx_queue_data(q, ngx_http_martech_record_t, queue);

    if (record->asked) {

        /* of ASKING; its own follows */

        record->asked = 0;
        return NGX_OK;
    }

    taken = (node->resp.type == NGX_HTTP_MARTECH_RESP_BULK
             || node->resp.type == NGX_HTTP_MARTECH_RESP_STATUS);

    ngx_http_martech_scout_back(node, record, taken);

    if (record->kind == NGX_HTTP_MARTECH_RECORD_WAIT) {
        return ngx_http_martech_node_replicas(node);
    }

    if (record->kind == NGX_HTTP_MARTECH_RECORD_TOTALS) {
        return ngx_http_martech_totals_reply(node, record);
    }

    if (!taken) {
        return ngx_http_martech_node_refused(node, record);
    }

    node->refused = 0;
    record->moves = 0;

    if (node->wait.len == 0) {
        ngx_http_martech_redis_stored(worker, record);

    } else if (record->dropped) {

        /* no word of the replicas will come: the spool decides */

        ngx_http_martech_record_left(worker, record);

    } else {
        ngx_http_martech_record_place(record, &node->unconfirmed,
                                      NGX_HTTP_MARTECH_RECORD_UNCONFIRMED);
    }

    if (node->paused && ngx_queue_empty(&node->sent)) {
        ngx_http_martech_cluster_settle(node);
    }

    return NGX_OK;
}


/*
 * What Redis refuses is either not for this server, and waits; or it is told
 * to who is responsible for the record: the spool, the client, the replay.
 */

static ngx_int_t
ngx_http_martech_node_refused(ngx_http_martech_node_t *node,
    ngx_http_martech_record_t *record)
{
    ngx_http_martech_resp_t         *resp;
    ngx_http_martech_redis_class_e   class;

    resp = &node->resp;

    class = (resp->type == NGX_HTTP_MARTECH_RESP_ERROR)
            ? ngx_http_martech_resp_class(resp->text, resp->len)
            : NGX_HTTP_MARTECH_REDIS_OTHER;

    node->worker->stats->errors[class]++;

    switch (class) {

    case NGX_HTTP_MARTECH_REDIS_LOADING:
    case NGX_HTTP_MARTECH_REDIS_READONLY:
    case NGX_HTTP_MARTECH_REDIS_DENIED:

        /* not this server, not now: the record stays */

        ngx_http_martech_node_fail(node, 0,
                                   ngx_http_martech_resp_class_name(class));
        return NGX_ERROR;

    case NGX_HTTP_MARTECH_REDIS_MOVED:

        if (ngx_http_martech_cluster_moved(node, record) == NGX_OK) {
            return NGX_OK;
        }

        break;

    case NGX_HTTP_MARTECH_REDIS_OOM:
    case NGX_HTTP_MARTECH_REDIS_BUSY:
        node->refused = 1;
        node->refused_since = ngx_current_msec;
        break;

    default:
        break;
    }

    ngx_http_martech_node_refused_log(node, class);

    if (ngx_http_martech_redis_refused(node->worker, record, class)
        != NGX_OK)
    {
        /* acknowledged, and nowhere else to go: it waits for a new probe */

        ngx_http_martech_node_fail(node, 0,
                                   ngx_http_martech_resp_class_name(class));
        return NGX_ERROR;
    }

    if (node->paused && ngx_queue_empty(&node->sent)) {
        ngx_http_martech_cluster_settle(node);
    }

    return NGX_OK;
}


static void
ngx_http_martech_node_refused_log(ngx_http_martech_node_t *node,
    ngx_http_martech_redis_class_e class)
{
    if (ngx_time() - node->logged < NGX_HTTP_MARTECH_LOG_INTERVAL) {
        return;
    }

    node->logged = ngx_time();

    ngx_log_error(NGX_LOG_ERR, node->worker->log, 0,
                  "martech: redis %V: refuses an event (%s): %*s",
                  &node->name, ngx_http_martech_resp_class_name(class),
                  ngx_http_martech_query_quotable(&node->resp),
                  node->resp.text);
}


/*
 * The reply of WAIT: how many replicas have what was sent before it.
 * NGX_ERROR: the connection has failed.
 */

static ngx_int_t
ngx_http_martech_node_replicas(ngx_http_martech_node_t *node)
{
    ngx_int_t                        n;
    ngx_uint_t                       wanted;
    ngx_queue_t                     *q, confirmed;
    ngx_http_martech_record_t       *record;
    ngx_http_martech_redis_class_e   class;

    if (node->resp.type == NGX_HTTP_MARTECH_RESP_ERROR) {
        class = ngx_http_martech_resp_class(node->resp.text, node->resp.len);
        node->worker->stats->errors[class]++;

        ngx_http_martech_node_fail(node, 0, "refuses WAIT");
        return NGX_ERROR;
    }

    ngx_http_martech_record_place(&node->wait, NULL,
                                  NGX_HTTP_MARTECH_RECORD_NOWHERE);

    n = (node->resp.type == NGX_HTTP_MARTECH_RESP_INTEGER)
        ? ngx_atoi((u_char *) node->resp.text, node->resp.len) : 0;

    wanted = node->worker->conf->server.wait_replicas;

    if (n == NGX_ERROR || (ngx_uint_t) n < wanted) {
        ngx_http_martech_count(node->worker, REPLICAS_SHORT, 1);

    } else if (!ngx_queue_empty(&node->unconfirmed)) {
        ngx_queue_init(&confirmed);
        ngx_queue_add(&confirmed, &node->unconfirmed);
        ngx_queue_init(&node->unconfirmed);

        while (!ngx_queue_empty(&confirmed)) {
            q = ngx_queue_head(&confirmed);
            record = ngx_queue_data(q, ngx_http_martech_record_t, queue);

            ngx_http_martech_redis_stored(node->worker, record);
        }
    }

    if (node->paused && ngx_queue_empty(&node->sent)) {
        ngx_http_martech_cluster_settle(node);
    }

    ngx_http_martech_node_post(node);

    return NGX_OK;
}
