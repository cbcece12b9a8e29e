
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A node: one Redis server, our connection to it, and the records that are on
 * their way to it.
 *
 *   queued --write--> sent --reply--> stored, or
 *                                     unconfirmed (waits for replicas), or
 *                                     moved (belongs to another node)
 *
 * Records are written once in two rounds of the event loop, by a posted event,
 * so that all requests of both share one write: it wakes up Redis, which costs
 * more than the bytes do.  The second round does not wait for anything.
 *
 * Replies come in the order of the records.  After a lost connection everything
 * unanswered is queued again, in its order, which may store an event twice and
 * never loses one.
 *
 * How a connection comes about is in connect, the writing in node_send, the
 * answers in node_reply; what is decided above nodes, such as which of them
 * takes a shard, is in redis and cluster.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_BACKOFF_MIN    100      /* ms */
#define NGX_HTTP_MARTECH_BACKOFF_MAX    2000     /* ms, DESIGN section 8 */
#define NGX_HTTP_MARTECH_STEADY         1000     /* ms READY that reset it */
#define NGX_HTTP_MARTECH_FLAPS          3        /* in a row */
#define NGX_HTTP_MARTECH_REFUSED_PAUSE  1000     /* ms */


static void ngx_http_martech_node_rewind(ngx_http_martech_node_t *node);
static void ngx_http_martech_node_retry(ngx_event_t *ev);
static void ngx_http_martech_node_flush_handler(ngx_event_t *ev);


void
ngx_http_martech_node_init(ngx_http_martech_node_t *node,
    ngx_http_martech_worker_t *worker)
{
    ngx_memzero(node, sizeof(ngx_http_martech_node_t));

    node->worker = worker;
    node->down_since = ngx_current_msec;
    node->backoff = NGX_HTTP_MARTECH_BACKOFF_MIN;

    ngx_queue_init(&node->queued);
    ngx_queue_init(&node->sent);
    ngx_queue_init(&node->unconfirmed);
    ngx_queue_init(&node->moved);

    node->dummy.fd = (ngx_socket_t) -1;
    node->dummy.data = node;

    node->reconnect.handler = ngx_http_martech_node_retry;
    node->reconnect.data = &node->dummy;
    node->reconnect.log = worker->log;
    node->reconnect.cancelable = 1;

    node->flush.handler = ngx_http_martech_node_flush_handler;
    node->flush.data = &node->dummy;
    node->flush.log = worker->log;

    node->rest.handler = ngx_http_martech_cluster_rest;
    node->rest.data = &node->dummy;
    node->rest.log = worker->log;
    node->rest.cancelable = 1;

    node->wait.kind = NGX_HTTP_MARTECH_RECORD_WAIT;
    node->wait.decided = 1;
    node->wait.node = node;
    node->wait.data = worker->conf->wait.data;
    node->wait.len = (uint32_t) worker->conf->wait.len;
}


void
ngx_http_martech_node_use(ngx_http_martech_node_t *node,
    ngx_http_martech_endpoint_t *endpoint)
{
    ngx_http_martech_server_t  *server;

    server = &node->worker->conf->server;

    if (node->endpoint
        && server->mode != NGX_HTTP_MARTECH_MODE_SINGLE)
    {
        ngx_http_martech_endpoint_destroy(node->endpoint);
    }

    node->endpoint = endpoint;

    if (endpoint) {
        node->name = endpoint->name;

    } else {
        ngx_str_set(&node->name, "unknown master");
    }
}


void
ngx_http_martech_node_set(ngx_http_martech_node_t *node,
    ngx_http_martech_node_state_e state)
{
    ngx_http_martech_worker_t  *worker;

    worker = node->worker;

    if (node->state == NGX_HTTP_MARTECH_NODE_READY) {
        worker->stats->gauges[NGX_HTTP_MARTECH_GAUGE_READY]--;

        /* connections that break at once, again and again, are no hope */

        if (ngx_current_msec - node->ready_since
            >= NGX_HTTP_MARTECH_STEADY)
        {
            node->flaps = 0;
        }

        if (node->flaps++ < NGX_HTTP_MARTECH_FLAPS) {
            node->down_since = ngx_current_msec;
        }
    }

    if (state == NGX_HTTP_MARTECH_NODE_READY) {
        worker->stats->gauges[NGX_HTTP_MARTECH_GAUGE_READY]++;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, worker->log, 0,
                   "martech redis %V: %s -> %s", &node->name,
                   ngx_http_martech_node_state(node->state),
                   ngx_http_martech_node_state(state));

    node->state = state;
}


const char *
ngx_http_martech_node_state(ngx_uint_t state)
{
    static const char  *names[] = {
        "down", "connecting", "handshake", "ready", "closed"
    };

    return names[state];
}


ngx_uint_t
ngx_http_martech_node_hopeful(ngx_http_martech_node_t *node)
{
    ngx_msec_t                  patience;
    ngx_queue_t                *q;
    ngx_http_martech_record_t  *oldest;

    patience = node->worker->patience;

    switch (node->state) {

    case NGX_HTTP_MARTECH_NODE_CLOSED:
        return 0;

    case NGX_HTTP_MARTECH_NODE_READY:

        if (node->refused
            && ngx_current_msec - node->refused_since
               < NGX_HTTP_MARTECH_REFUSED_PAUSE)
        {
            return 0;
        }

        if (!ngx_queue_empty(&node->unconfirmed)) {
            q = ngx_queue_head(&node->unconfirmed);
            oldest = ngx_queue_data(q, ngx_http_martech_record_t, queue);

            if (ngx_current_msec - oldest->start >= patience) {
                return 0;
            }
        }

        return ngx_http_martech_node_empty(node, &node->sent)
               || ngx_current_msec - node->waiting_since < patience;

    default:

        /*
         * A short outage is waited for.  After that every event so far has
         * waited in vain, so the next ones need not.
         */

        return ngx_current_msec - node->down_since < patience;
    }
}


void
ngx_http_martech_node_push(ngx_http_martech_node_t *node,
    ngx_http_martech_record_t *record)
{
    record->node = node;
    record->dropped = 0;

    ngx_http_martech_record_place(record, &node->queued,
                                  NGX_HTTP_MARTECH_RECORD_QUEUED);

    ngx_http_martech_node_post(node);
}


void
ngx_http_martech_node_forget(ngx_http_martech_record_t *record)
{
    ngx_http_martech_node_t  *node;

    node = record->node;

    switch (record->place) {

    case NGX_HTTP_MARTECH_RECORD_NOWHERE:
        return;

    case NGX_HTTP_MARTECH_RECORD_SENT:

        /* stays as the placeholder for its reply */

        record->dropped = 1;
        return;

    case NGX_HTTP_MARTECH_RECORD_QUEUED:

        if (node->sent_bytes > 0
            && ngx_queue_head(&node->queued) == &record->queue)
        {
            /* half of it went out, so it must go out whole */

            record->dropped = 1;
            return;
        }

        break;

    default:
        break;
    }

    ngx_http_martech_record_place(record, NULL,
                                  NGX_HTTP_MARTECH_RECORD_NOWHERE);
}


/*
 * The one way out of a connection that is of no use: closes it and tries the
 * next after the back-off.  The records stay.
 */

void
ngx_http_martech_node_fail(ngx_http_martech_node_t *node, ngx_err_t err,
    const char *what)
{
    const char                 *tls;
    ngx_uint_t                  level, ready;
    ngx_msec_t                  delay;
    ngx_http_martech_worker_t  *worker;

    worker = node->worker;
    ready = (node->state == NGX_HTTP_MARTECH_NODE_READY);

    if (ready) {
        ngx_http_martech_count(worker, FAILURES, 1);

        if ((ngx_msec_int_t) (ngx_current_msec - node->ready_since)
            >= NGX_HTTP_MARTECH_STEADY)
        {
            node->backoff = NGX_HTTP_MARTECH_BACKOFF_MIN;
            node->logged = 0;
        }
    }

    level = NGX_LOG_INFO;

    if (node->logged == 0
        || ngx_time() - node->logged >= NGX_HTTP_MARTECH_LOG_INTERVAL)
    {
        level = NGX_LOG_ERR;
        node->logged = ngx_time();
    }

    /* what TLS has said of a connection that it broke */

    tls = node->connection ? (char *) node->dial.tls.error : "";

    ngx_log_error(level, worker->log, err,
                  "martech: redis %V: %s%s%s, %ui events wait",
                  &node->name, what, tls[0] ? ": " : "", tls, worker->live);

    ngx_http_martech_node_disconnect(node);
    ngx_http_martech_node_set(node, NGX_HTTP_MARTECH_NODE_DOWN);

    /* full jitter: all workers have lost the same server */

    delay = 1 + (ngx_msec_t) ngx_random() % node->backoff;
    node->backoff = ngx_min(2 * node->backoff, NGX_HTTP_MARTECH_BACKOFF_MAX);

    ngx_add_timer(&node->reconnect, delay);

    if (!ready) {
        ngx_http_martech_sentinel_doubt(&worker->sentinel);
        ngx_http_martech_cluster_lost(node);
    }

    ngx_http_martech_redis_update(worker);
}


void
ngx_http_martech_node_disconnect(ngx_http_martech_node_t *node)
{
    ngx_connection_t  *c;

    ngx_http_martech_connect_cancel(node);

    c = node->connection;

    if (c) {
        node->connection = NULL;
        ngx_http_martech_tls_close(c);
    }

    if (node->handshake) {
        ngx_explicit_memzero(node->handshake, node->handshake_len);
    }

    ngx_http_martech_node_rewind(node);
}


/* Everything without an answer is queued again, in its order. */

static void
ngx_http_martech_node_rewind(ngx_http_martech_node_t *node)
{
    ngx_uint_t                  i, resent;
    ngx_queue_t                *q, all, *lists[4];
    ngx_http_martech_record_t  *record;

    lists[0] = &node->unconfirmed;
    lists[1] = &node->moved;
    lists[2] = &node->sent;
    lists[3] = &node->queued;

    ngx_queue_init(&all);

    for (i = 0; i < 4; i++) {

        if (!ngx_queue_empty(lists[i])) {
            ngx_queue_add(&all, lists[i]);
            ngx_queue_init(lists[i]);
        }
    }

    resent = 0;

    while (!ngx_queue_empty(&all)) {
        q = ngx_queue_head(&all);
        record = ngx_queue_data(q, ngx_http_martech_record_t, queue);

        if (record->place == NGX_HTTP_MARTECH_RECORD_SENT) {
            resent += (record->kind == NGX_HTTP_MARTECH_RECORD_EVENT);
        }

        record->asked = 0;
        ngx_http_martech_scout_back(node, record, 0);

        if (record->kind == NGX_HTTP_MARTECH_RECORD_TOTALS) {
            ngx_http_martech_totals_lost(node->worker);
            continue;
        }

        if (record->dropped || record->kind == NGX_HTTP_MARTECH_RECORD_WAIT) {
            ngx_http_martech_record_left(node->worker, record);
            continue;
        }

        ngx_http_martech_record_place(record, &node->queued,
                                      NGX_HTTP_MARTECH_RECORD_QUEUED);
    }

    node->sent_bytes = 0;
    node->tls_sent = 0;
    node->tls_len = 0;
    node->refused = 0;

    ngx_http_martech_count(node->worker, RESENT, resent);
    ngx_http_martech_cluster_settle(node);
}


static void
ngx_http_martech_node_retry(ngx_event_t *ev)
{
    ngx_connection_t         *dummy;
    ngx_http_martech_node_t  *node;

    dummy = ev->data;
    node = dummy->data;

    if (node->worker->conf->server.mode == NGX_HTTP_MARTECH_MODE_CLUSTER
        && !ngx_http_martech_cluster_used(node))
    {
        /* it may have left for ever; who still has it will name it */

        return;
    }

    ngx_http_martech_connect(node);
}


void
ngx_http_martech_node_ready(ngx_http_martech_node_t *node)
{
    if (node->logged) {
        ngx_log_error(NGX_LOG_NOTICE, node->worker->log, 0,
                      "martech: redis %V: takes events again after %M ms",
                      &node->name, ngx_current_msec - node->down_since);
    }

    ngx_http_martech_node_set(node, NGX_HTTP_MARTECH_NODE_READY);
    ngx_http_martech_count(node->worker, CONNECTS, 1);

    node->ready_since = ngx_current_msec;
    node->waiting_since = ngx_current_msec;

    if (node->connection->read->timer_set) {
        ngx_del_timer(node->connection->read);
    }

    ngx_http_martech_node_post(node);
    ngx_http_martech_replay_post(node->worker);
    ngx_http_martech_totals_ready(node->worker);
}


void
ngx_http_martech_node_post(ngx_http_martech_node_t *node)
{
    if (!node->flush.posted
        && node->state != NGX_HTTP_MARTECH_NODE_CLOSED)
    {
        ngx_post_event(&node->flush, &ngx_posted_next_events);
    }
}


static void
ngx_http_martech_node_flush_handler(ngx_event_t *ev)
{
    ngx_connection_t  *dummy;

    dummy = ev->data;

    ngx_http_martech_node_flush(dummy->data);
}


/*
 * Keeps the deadline of the oldest unanswered record: replies have an order,
 * so when one does not come, none will, and the connection has to go.
 *
 * The timer is not taken down when nothing waits, which would cost two tree
 * operations a round; it looks again when it fires.
 */

void
ngx_http_martech_node_progress(ngx_http_martech_node_t *node,
    ngx_uint_t progress)
{
    ngx_event_t  *rev;

    ngx_http_martech_redis_update(node->worker);

    if (node->state != NGX_HTTP_MARTECH_NODE_READY) {
        return;
    }

    if (progress) {
        node->waiting_since = ngx_current_msec;
    }

    rev = node->connection->read;

    if (!rev->timer_set && !ngx_http_martech_node_empty(node, &node->sent)) {
        rev->cancelable = 1;
        ngx_add_timer(rev, node->worker->conf->server.timeout);
    }
}


void
ngx_http_martech_node_timeout(ngx_http_martech_node_t *node)
{
    ngx_event_t  *rev;
    ngx_msec_t    waited;

    rev = node->connection->read;
    rev->timedout = 0;

    if (node->state == NGX_HTTP_MARTECH_NODE_READY) {

        if (ngx_http_martech_node_empty(node, &node->sent)) {
            return;
        }

        waited = ngx_current_msec - node->waiting_since;

        if (waited < node->worker->conf->server.timeout) {
            ngx_add_timer(rev, node->worker->conf->server.timeout - waited);
            return;
        }
    }

    ngx_http_martech_node_fail(node, NGX_ETIMEDOUT,
                               "does not answer in time");
}


void
ngx_http_martech_node_close(ngx_http_martech_node_t *node)
{
    if (node->state == NGX_HTTP_MARTECH_NODE_CLOSED) {
        return;
    }

    ngx_http_martech_node_disconnect(node);

    if (node->flush.posted) {
        ngx_delete_posted_event(&node->flush);
    }

    if (node->reconnect.timer_set) {
        ngx_del_timer(&node->reconnect);
    }

    if (node->rest.timer_set) {
        ngx_del_timer(&node->rest);
    }

    ngx_http_martech_node_set(node, NGX_HTTP_MARTECH_NODE_CLOSED);
    ngx_http_martech_node_use(node, NULL);

    if (node->tls) {
        ngx_free(node->tls);
        node->tls = NULL;
    }

    if (node->handshake) {
        ngx_free(node->handshake);
        node->handshake = NULL;
    }
}
