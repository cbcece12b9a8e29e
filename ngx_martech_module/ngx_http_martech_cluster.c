
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Which node takes which shard, in a Redis Cluster.
 *
 * There is no map to be fetched: a node that is asked for a slot of another
 * one says where it is (MOVED, ASK), which is the only moment when it has to
 * be known.  At the start all shards are sent to the first address.
 *
 * Order within a shard holds through a move.  The node that has given the
 * answer sends nothing more until all of its replies are in; what it refused
 * and what it has not sent yet, in this order, then goes to the nodes that own
 * the shards; of each of them one event first, see scout.
 *
 * While a slot is given from one node to another each of them may say that it
 * is the other's.  What has gone to and fro many times goes slowly from then
 * on, until one of them takes it.
 *
 * An ASK is said of a key, not of a slot: other keys of the shard may still be
 * with its owner, and a command sent to where the slot goes would make them a
 * second time, which no migration survives.  So only the stream of events is
 * sent there for a while; a record of any other key is asked for each time.
 */


#include "ngx_http_martech.h"


/* refused so often in a row, a record goes slowly */
#define NGX_HTTP_MARTECH_MOVES_MAX     16
#define NGX_HTTP_MARTECH_REST          20        /* ms */

/* an ASK is good for so long; then the shard's owner may have changed */
#define NGX_HTTP_MARTECH_ASKING_TIME   1000      /* ms */


static ngx_http_martech_node_t *ngx_http_martech_cluster_node(
    ngx_http_martech_worker_t *worker,
    ngx_http_martech_endpoint_t *endpoint);
static void ngx_http_martech_cluster_turn(ngx_http_martech_node_t *node,
    ngx_http_martech_shard_t *shard);
static ngx_http_martech_node_t *ngx_http_martech_cluster_free(
    ngx_http_martech_worker_t *worker);
static void ngx_http_martech_cluster_wake(ngx_http_martech_node_t *node);
static void ngx_http_martech_cluster_remove(ngx_http_martech_node_t *node);
static ngx_http_martech_node_t *ngx_http_martech_cluster_other(
    ngx_http_martech_node_t *node);
static ngx_int_t ngx_http_martech_cluster_address(
    ngx_http_martech_resp_t *resp, ngx_str_t *address);


ngx_int_t
ngx_http_martech_cluster_init(ngx_http_martech_worker_t *worker)
{
    ngx_uint_t  i, n;

    worker->shards = ngx_calloc(worker->conf->shards
                                * sizeof(ngx_http_martech_shard_t),
                                worker->log);
    if (worker->shards == NULL) {
        return NGX_ERROR;
    }

    n = (worker->conf->server.mode == NGX_HTTP_MARTECH_MODE_CLUSTER)
        ? NGX_HTTP_MARTECH_NODES_MAX : 1;

    worker->nodes = ngx_calloc(n * sizeof(ngx_http_martech_node_t),
                               worker->log);
    if (worker->nodes == NULL) {
        ngx_free(worker->shards);
        return NGX_ERROR;
    }

    worker->nnodes = n;

    for (i = 0; i < n; i++) {
        ngx_http_martech_node_init(&worker->nodes[i], worker);
    }

    for (i = 0; i < worker->conf->shards; i++) {
        worker->shards[i].node = &worker->nodes[0];
        worker->shards[i].unsure = (n > 1);
    }

    return NGX_OK;
}


void
ngx_http_martech_cluster_start(ngx_http_martech_worker_t *worker)
{
    if (worker->conf->server.mode == NGX_HTTP_MARTECH_MODE_CLUSTER) {
        (void) ngx_http_martech_cluster_seed(worker);
        return;
    }

    if (worker->conf->server.mode == NGX_HTTP_MARTECH_MODE_SINGLE) {
        ngx_http_martech_node_use(&worker->nodes[0],
                                  &worker->conf->server.endpoints[0]);

    } else {
        ngx_http_martech_node_use(&worker->nodes[0], NULL);
    }

    ngx_http_martech_connect(&worker->nodes[0]);
}


ngx_http_martech_node_t *
ngx_http_martech_cluster_place(ngx_http_martech_worker_t *worker,
    ngx_uint_t n)
{
    ngx_http_martech_shard_t  *shard;

    shard = &worker->shards[n];

    return shard->ask ? shard->ask : shard->node;
}


/*
 * An ASK that is over is not forgotten: the node is asked for the slot, by a
 * command without ASKING, so that its answer comes behind those to what it
 * has already.
 */

void
ngx_http_martech_cluster_push(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record)
{
    ngx_http_martech_node_t   *to;
    ngx_http_martech_shard_t  *shard;

    shard = &worker->shards[record->shard];

    if (ngx_http_martech_record_stream(record)) {
        to = ngx_http_martech_cluster_place(worker, record->shard);
        record->asking = ngx_http_martech_cluster_asking(shard);

        if (shard->ask && !record->asking) {
            shard->unsure = 1;
        }

    } else {
        to = record->ask ? record->ask : shard->node;
        record->asking = (record->ask != NULL);
        record->ask = NULL;
    }

    ngx_http_martech_node_push(to, record);
}


ngx_uint_t
ngx_http_martech_cluster_asking(ngx_http_martech_shard_t *shard)
{
    return shard->ask && ngx_current_msec - shard->ask_since
                         < NGX_HTTP_MARTECH_ASKING_TIME;
}


ngx_int_t
ngx_http_martech_cluster_moved(ngx_http_martech_node_t *node,
    ngx_http_martech_record_t *record)
{
    ngx_str_t                     address;
    ngx_uint_t                    asking;
    ngx_http_martech_node_t      *to;
    ngx_http_martech_shard_t     *shard;
    ngx_http_martech_worker_t    *worker;
    ngx_http_martech_endpoint_t  *endpoint;

    worker = node->worker;

    if (worker->conf->server.mode != NGX_HTTP_MARTECH_MODE_CLUSTER
        || record->dropped)
    {
        return NGX_DECLINED;
    }

    if (ngx_http_martech_cluster_address(&node->resp, &address) != NGX_OK) {
        return NGX_DECLINED;
    }

    endpoint = ngx_http_martech_endpoint_parse(&address, node->endpoint,
                                               worker->log);
    if (endpoint == NULL) {
        return NGX_DECLINED;
    }

    to = ngx_http_martech_cluster_node(worker, endpoint);

    if (to == NULL) {
        return NGX_DECLINED;
    }

    asking = (node->resp.text[0] == 'A');

    if (asking && !ngx_http_martech_record_stream(record)) {
        record->ask = to;

    } else {
        shard = &worker->shards[record->shard];
        shard->next = to;
        shard->next_asking = asking;
    }

    if (record->moves < NGX_HTTP_MARTECH_MOVES_MAX) {
        record->moves++;

    } else {
        node->resting = 1;
    }

    ngx_http_martech_count(worker, MOVED, 1);

    ngx_http_martech_record_place(record, &node->moved,
                                  NGX_HTTP_MARTECH_RECORD_MOVED);
    node->paused = 1;

    if (ngx_queue_empty(&node->sent)) {
        ngx_http_martech_cluster_settle(node);
    }

    return NGX_OK;
}


/*
 * All replies are in: what waits goes to the owners of its shards.  A command
 * that is half on its way is finished first, and its reply waited for.
 */

void
ngx_http_martech_cluster_settle(ngx_http_martech_node_t *node)
{
    ngx_uint_t                  i;
    ngx_queue_t                *q, all;
    ngx_http_martech_record_t  *record;
    ngx_http_martech_worker_t  *worker;

    worker = node->worker;

    if (!node->paused) {
        return;
    }

    if (node->sent_bytes > 0) {
        ngx_http_martech_node_post(node);
        return;
    }

    if (node->resting) {

        if (!node->rest.timer_set) {
            ngx_add_timer(&node->rest, NGX_HTTP_MARTECH_REST);
        }

        return;
    }

    node->paused = 0;

    for (i = 0; i < worker->conf->shards; i++) {
        ngx_http_martech_cluster_turn(node, &worker->shards[i]);
    }

    ngx_queue_init(&all);

    if (!ngx_queue_empty(&node->moved)) {
        ngx_queue_add(&all, &node->moved);
        ngx_queue_init(&node->moved);
    }

    if (!ngx_queue_empty(&node->queued)) {
        ngx_queue_add(&all, &node->queued);
        ngx_queue_init(&node->queued);
    }

    while (!ngx_queue_empty(&all)) {
        q = ngx_queue_head(&all);
        record = ngx_queue_data(q, ngx_http_martech_record_t, queue);

        if (record->kind == NGX_HTTP_MARTECH_RECORD_WAIT) {
            ngx_http_martech_record_left(worker, record);
            continue;
        }

        /* a node that has been dead for long is not waited for */

        if (record->kind == NGX_HTTP_MARTECH_RECORD_EVENT
            && record->spooling == NGX_HTTP_MARTECH_SPOOLING_NO)
        {
            ngx_http_martech_record_place(record, NULL,
                                          NGX_HTTP_MARTECH_RECORD_NOWHERE);
            ngx_http_martech_redis_submit(worker, record);
            continue;
        }

        ngx_http_martech_cluster_push(worker, record);
    }

    ngx_http_martech_node_post(node);
}


/* What the node has said of the shard holds from now on. */

static void
ngx_http_martech_cluster_turn(ngx_http_martech_node_t *node,
    ngx_http_martech_shard_t *shard)
{
    if (shard->next == NULL || (shard->node != node && shard->ask != node)) {
        return;
    }

    if (shard->next_asking) {
        shard->ask = shard->next;
        shard->ask_since = ngx_current_msec;

    } else {

        /* said of another key, it changes nothing for the stream */

        if (shard->ask == node || shard->ask == shard->next) {
            shard->ask = NULL;
        }

        shard->node = shard->next;
    }

    shard->next = NULL;
    shard->unsure = 1;
}


void
ngx_http_martech_cluster_rest(ngx_event_t *ev)
{
    ngx_connection_t         *dummy;
    ngx_http_martech_node_t  *node;

    dummy = ev->data;
    node = dummy->data;

    node->resting = 0;

    if (ngx_queue_empty(&node->sent)) {
        ngx_http_martech_cluster_settle(node);
    }
}


/*
 * A node cannot be reached: another one knows who has its shards now, or will
 * know once the cluster has agreed on it.
 */

void
ngx_http_martech_cluster_lost(ngx_http_martech_node_t *node)
{
    ngx_uint_t                  i;
    ngx_http_martech_node_t    *to;
    ngx_http_martech_shard_t   *shard;
    ngx_http_martech_worker_t  *worker;

    worker = node->worker;

    if (worker->conf->server.mode != NGX_HTTP_MARTECH_MODE_CLUSTER) {
        return;
    }

    to = ngx_http_martech_cluster_other(node);

    if (to == NULL) {
        return;
    }

    for (i = 0; i < worker->conf->shards; i++) {
        shard = &worker->shards[i];

        if (shard->ask == node) {

            /* its owner knows whether it still is the place to ask */

            shard->next = shard->node;
            shard->next_asking = 0;
        }

        if (shard->node == node) {
            shard->next = to;
            shard->next_asking = 0;
        }
    }

    node->paused = 1;
    ngx_http_martech_cluster_settle(node);
}


/* A node that is ready, else the next of the configured addresses. */

static ngx_http_martech_node_t *
ngx_http_martech_cluster_other(ngx_http_martech_node_t *node)
{
    ngx_uint_t                  i;
    ngx_http_martech_node_t    *other;
    ngx_http_martech_worker_t  *worker;

    worker = node->worker;

    for (i = 0; i < worker->nnodes; i++) {
        other = &worker->nodes[i];

        if (other != node && other->state == NGX_HTTP_MARTECH_NODE_READY) {
            return other;
        }
    }

    for (i = 0; i < worker->conf->server.nendpoints; i++) {
        other = ngx_http_martech_cluster_seed(worker);

        if (other && other != node) {
            return other;
        }
    }

    return NULL;
}


ngx_http_martech_node_t *
ngx_http_martech_cluster_seed(ngx_http_martech_worker_t *worker)
{
    ngx_uint_t                    i;
    ngx_http_martech_endpoint_t  *seed, *endpoint;

    i = worker->seed++ % worker->conf->server.nendpoints;
    seed = &worker->conf->server.endpoints[i];

    endpoint = ngx_http_martech_endpoint_parse(&seed->name, seed,
                                               worker->log);

    return endpoint ? ngx_http_martech_cluster_node(worker, endpoint) : NULL;
}


/*
 * The node at an endpoint, known or new; takes the endpoint.  NULL if there
 * are too many.
 */

static ngx_http_martech_node_t *
ngx_http_martech_cluster_node(ngx_http_martech_worker_t *worker,
    ngx_http_martech_endpoint_t *endpoint)
{
    ngx_uint_t                i;
    ngx_http_martech_node_t  *node;

    for (i = 0; i < worker->nnodes; i++) {
        node = &worker->nodes[i];

        if (node->endpoint
            && ngx_http_martech_endpoint_same(node->endpoint, endpoint))
        {
            ngx_http_martech_endpoint_destroy(endpoint);
            ngx_http_martech_cluster_wake(node);

            return node;
        }
    }

    node = ngx_http_martech_cluster_free(worker);

    if (node == NULL) {
        ngx_log_error(NGX_LOG_ERR, worker->log, 0,
                      "martech: redis cluster: more than %d nodes",
                      NGX_HTTP_MARTECH_NODES_MAX);

        ngx_http_martech_endpoint_destroy(endpoint);
        return NULL;
    }

    ngx_http_martech_node_use(node, endpoint);
    ngx_http_martech_cluster_wake(node);

    return node;
}


/*
 * A node that nobody needed is connected when it is named: by its timer,
 * because a connect that fails at once would come back to who names it.
 */

static void
ngx_http_martech_cluster_wake(ngx_http_martech_node_t *node)
{
    if (node->state == NGX_HTTP_MARTECH_NODE_DOWN
        && !node->reconnect.timer_set)
    {
        node->down_since = ngx_current_msec;
        ngx_add_timer(&node->reconnect, 1);
    }
}


/* A place in the table that has no node, or one that has nothing to do. */

static ngx_http_martech_node_t *
ngx_http_martech_cluster_free(ngx_http_martech_worker_t *worker)
{
    ngx_uint_t  i;

    for (i = 0; i < worker->nnodes; i++) {

        if (worker->nodes[i].endpoint == NULL) {
            return &worker->nodes[i];
        }
    }

    for (i = 0; i < worker->nnodes; i++) {

        if (!ngx_http_martech_cluster_used(&worker->nodes[i])) {
            ngx_http_martech_cluster_remove(&worker->nodes[i]);
            return &worker->nodes[i];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_http_martech_cluster_used(ngx_http_martech_node_t *node)
{
    ngx_uint_t                 i;
    ngx_http_martech_shard_t  *shards;

    shards = node->worker->shards;

    for (i = 0; i < node->worker->conf->shards; i++) {

        if (shards[i].node == node || shards[i].next == node
            || shards[i].ask == node)
        {
            return 1;
        }
    }

    return !ngx_queue_empty(&node->queued) || !ngx_queue_empty(&node->sent)
           || !ngx_queue_empty(&node->unconfirmed)
           || !ngx_queue_empty(&node->moved);
}


static void
ngx_http_martech_cluster_remove(ngx_http_martech_node_t *node)
{
    ngx_http_martech_node_close(node);
    ngx_http_martech_node_init(node, node->worker);
}


/* "MOVED 3999 127.0.0.1:6381", "ASK ..." */

static ngx_int_t
ngx_http_martech_cluster_address(ngx_http_martech_resp_t *resp,
    ngx_str_t *address)
{
    u_char  *p, *last;

    p = (u_char *) resp->text;
    last = p + resp->len;

    p = ngx_strlchr(p, last, ' ');

    if (p) {
        p = ngx_strlchr(p + 1, last, ' ');
    }

    if (p == NULL) {
        return NGX_ERROR;
    }

    address->data = p + 1;
    address->len = last - p - 1;

    return NGX_OK;
}
