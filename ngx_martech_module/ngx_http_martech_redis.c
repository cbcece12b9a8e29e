
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Redis as the worker sees it, above single nodes: where a new event goes,
 * what becomes of one that Redis has stored, refused, or has not answered in
 * time, and what may hold back a shutdown.
 *
 * With a spool no event waits for Redis longer than the spool's patience
 * ("after"): then it is written to disk.  Without one it waits as long as its
 * client.
 */


#include "ngx_http_martech.h"


/* with half of the buffer full, patience is that many times shorter */
#define NGX_HTTP_MARTECH_HURRY        10
#define NGX_HTTP_MARTECH_SWEEP_PAUSE  20         /* ms */
#define NGX_HTTP_MARTECH_SWEEP_MAX    500        /* ms, from one to the next */

/* ms, patience of a worker that leaves */
#define NGX_HTTP_MARTECH_PARTING      1000


static void ngx_http_martech_redis_sweep_handler(ngx_event_t *ev);
static void ngx_http_martech_redis_leaving(ngx_http_martech_worker_t *worker);
static void ngx_http_martech_redis_expire(ngx_http_martech_worker_t *worker);
static ngx_msec_t ngx_http_martech_redis_sweep_list(
    ngx_http_martech_worker_t *worker, ngx_queue_t *list,
    ngx_msec_t patience);
static ngx_uint_t ngx_http_martech_redis_hopeful(
    ngx_http_martech_worker_t *worker);


ngx_int_t
ngx_http_martech_redis_init(ngx_http_martech_worker_t *worker)
{
    worker->replies = ngx_alloc(NGX_HTTP_MARTECH_REPLIES_SIZE, worker->log);

    if (worker->replies == NULL) {
        return NGX_ERROR;
    }

    worker->patience = worker->spool ? worker->conf->spool.after
                                     : worker->conf->server.timeout;

    worker->sweep.handler = ngx_http_martech_redis_sweep_handler;
    worker->sweep.data = &worker->dummy;
    worker->sweep.log = worker->log;
    worker->sweep.cancelable = 1;

    if (ngx_http_martech_cluster_init(worker) != NGX_OK) {
        ngx_free(worker->replies);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_martech_redis_accepts(ngx_http_martech_worker_t *worker)
{
    return !worker->closed && !worker->expired
           && (ngx_http_martech_redis_hopeful(worker)
               || ngx_http_martech_spool_accepts(worker));
}


ngx_uint_t
ngx_http_martech_redis_takes(ngx_http_martech_worker_t *worker,
    ngx_uint_t shard)
{
    return ngx_http_martech_node_hopeful(
                               ngx_http_martech_cluster_place(worker, shard))
           || ngx_http_martech_spool_accepts(worker);
}


static ngx_uint_t
ngx_http_martech_redis_hopeful(ngx_http_martech_worker_t *worker)
{
    ngx_uint_t                i;
    ngx_http_martech_node_t  *node;

    for (i = 0; i < worker->nnodes; i++) {
        node = &worker->nodes[i];

        if (node->endpoint == NULL && i > 0) {
            continue;
        }

        if (ngx_http_martech_node_hopeful(node)) {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_martech_redis_submit(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record)
{
    /* now, and not with the rest: a kill may come behind the next answer */

    worker->stats->gauges[NGX_HTTP_MARTECH_GAUGE_WAITING] = worker->live;

    if (!worker->spool
        || ngx_http_martech_node_hopeful(
                       ngx_http_martech_cluster_place(worker, record->shard))
        || ngx_http_martech_spool_put(worker, record) != NGX_OK)
    {
        ngx_http_martech_cluster_push(worker, record);
    }

    if (worker->spool && 2 * worker->buffer.size > worker->buffer.size_max
        && ngx_current_msec - worker->swept >= NGX_HTTP_MARTECH_SWEEP_PAUSE)
    {
        ngx_http_martech_redis_sweep(worker);
    }
}


void
ngx_http_martech_redis_stored(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record)
{
    if (record->kind == NGX_HTTP_MARTECH_RECORD_REPLAY) {
        ngx_http_martech_record_left(worker, record);
        ngx_http_martech_replay_stored(worker, record);
        return;
    }

    if (record->spooling == NGX_HTTP_MARTECH_SPOOLING_WRITE
        && !record->decided)
    {
        /* the spool answers, and this only if it fails */

        record->stored = 1;
        ngx_http_martech_record_left(worker, record);
        return;
    }

    if (record->decided) {
        ngx_http_martech_record_left(worker, record);
        return;
    }

    ngx_http_martech_spool_forget(worker, record);
    ngx_http_martech_record_place(record, NULL,
                                  NGX_HTTP_MARTECH_RECORD_NOWHERE);
    ngx_http_martech_record_done(worker, record,
                                 NGX_HTTP_MARTECH_OUTCOME_STORED);
}


ngx_int_t
ngx_http_martech_redis_refused(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record, ngx_http_martech_redis_class_e class)
{
    ngx_uint_t  later;

    if (record->kind == NGX_HTTP_MARTECH_RECORD_REPLAY) {
        ngx_http_martech_record_left(worker, record);
        ngx_http_martech_replay_refused(worker, record);
        return NGX_OK;
    }

    if (record->decided
        || record->spooling != NGX_HTTP_MARTECH_SPOOLING_NO)
    {
        ngx_http_martech_record_left(worker, record);
        return NGX_OK;
    }

    /* a command that Redis will never take is of no use in the spool */

    later = (class != NGX_HTTP_MARTECH_REDIS_OTHER);

    if (later && worker->spool
        && ngx_http_martech_spool_put(worker, record) == NGX_OK)
    {
        ngx_http_martech_record_place(record, NULL,
                                      NGX_HTTP_MARTECH_RECORD_NOWHERE);
        return NGX_OK;
    }

    /*
     * A client that waits is told at once.  An event that was acknowledged
     * from memory has nobody to tell: it waits until the probe of a new
     * connection finds that Redis writes again.
     */

    /* a shard of another node: no new connection to this one helps */

    if (later && record->slot == NULL
        && (class != NGX_HTTP_MARTECH_REDIS_MOVED
            || worker->conf->server.mode == NGX_HTTP_MARTECH_MODE_CLUSTER))
    {
        record->moves = 0;
        return NGX_DECLINED;
    }

    ngx_http_martech_record_place(record, NULL,
                                  NGX_HTTP_MARTECH_RECORD_NOWHERE);
    ngx_http_martech_record_done(worker, record,
                                 NGX_HTTP_MARTECH_OUTCOME_DROPPED);
    return NGX_OK;
}


/*
 * Gauges, and what may hold back a shutdown: a worker stays while there are
 * events that are not safe, as long as there is hope for them.
 */

void
ngx_http_martech_redis_update(ngx_http_martech_worker_t *worker)
{
    worker->stats->gauges[NGX_HTTP_MARTECH_GAUGE_WAITING] = worker->live;
    worker->stats->gauges[NGX_HTTP_MARTECH_GAUGE_BUFFER] = worker->buffer.size;

    /* what a replay has sent would be sent twice if it were not waited for */

    if ((worker->live == 0 && !ngx_http_martech_replay_pending(worker))
        || worker->expired || worker->closed)
    {
        worker->sweep.cancelable = 1;
        return;
    }

    if (worker->live == 0 && worker->leaving_since
        && ngx_current_msec - worker->leaving_since
           >= worker->conf->server.timeout)
    {
        /* only a replay, and for too long: at worst it is sent twice */

        worker->sweep.cancelable = 1;
        return;
    }

    worker->sweep.cancelable = (worker->live == 0
                                || !ngx_http_martech_spool_accepts(worker))
                               && !ngx_http_martech_redis_hopeful(worker);

    if (!worker->sweep.timer_set) {
        ngx_add_timer(&worker->sweep, ngx_min(worker->patience,
                                              NGX_HTTP_MARTECH_SWEEP_MAX));
    }
}


static void
ngx_http_martech_redis_sweep_handler(ngx_event_t *ev)
{
    ngx_connection_t  *dummy;

    dummy = ev->data;

    if (ngx_exiting) {
        ngx_http_martech_redis_leaving(dummy->data);
    }

    ngx_http_martech_redis_sweep(dummy->data);
}


/*
 * NGINX tells of the end of worker_shutdown_timeout by connections, and a
 * worker without Redis may have none.  Nor does it stay longer than its
 * clients would have waited when the disk does not take events either.
 */

static void
ngx_http_martech_redis_leaving(ngx_http_martech_worker_t *worker)
{
    ngx_msec_t        stayed;
    ngx_core_conf_t  *ccf;

    if (worker->leaving_since == 0) {
        worker->leaving_since = ngx_max(ngx_current_msec, 1);
    }

    if (worker->expired) {
        return;
    }

    stayed = ngx_current_msec - worker->leaving_since;

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    if ((ccf->shutdown_timeout > 0 && stayed >= ccf->shutdown_timeout)
        || (stayed >= worker->conf->server.timeout
            && !ngx_http_martech_redis_hopeful(worker)))
    {
        ngx_http_martech_redis_expire(worker);
    }
}


/* What Redis has not answered in time goes to the spool. */

void
ngx_http_martech_redis_sweep(ngx_http_martech_worker_t *worker)
{
    ngx_uint_t                i;
    ngx_msec_t                next, patience;
    ngx_http_martech_node_t  *node;

    worker->swept = ngx_current_msec;

    patience = worker->patience;
    next = patience;

    if (worker->spool) {

        if (2 * worker->buffer.size > worker->buffer.size_max) {
            patience /= NGX_HTTP_MARTECH_HURRY;
        }

        if (ngx_exiting) {
            patience = ngx_min(patience, NGX_HTTP_MARTECH_PARTING);
        }

        for (i = 0; i < worker->nnodes; i++) {
            node = &worker->nodes[i];

            next = ngx_min(next, ngx_http_martech_redis_sweep_list(worker,
                                             &node->unconfirmed, patience));
            next = ngx_min(next, ngx_http_martech_redis_sweep_list(worker,
                                             &node->moved, patience));
            next = ngx_min(next, ngx_http_martech_redis_sweep_list(worker,
                                             &node->sent, patience));
            next = ngx_min(next, ngx_http_martech_redis_sweep_list(worker,
                                             &node->queued, patience));
        }
    }

    if (worker->sweep.timer_set) {
        ngx_del_timer(&worker->sweep);
    }

    if (worker->live > 0) {
        next = ngx_min(next, NGX_HTTP_MARTECH_SWEEP_MAX);

        ngx_add_timer(&worker->sweep,
                      ngx_max(next, NGX_HTTP_MARTECH_SWEEP_PAUSE));
    }

    ngx_http_martech_redis_update(worker);
}


/* Returns how long the oldest record that stays has still to go. */

static ngx_msec_t
ngx_http_martech_redis_sweep_list(ngx_http_martech_worker_t *worker,
    ngx_queue_t *list, ngx_msec_t patience)
{
    ngx_msec_t                  waited;
    ngx_queue_t                *q, *next;
    ngx_http_martech_record_t  *record;

    for (q = ngx_queue_head(list); q != ngx_queue_sentinel(list); q = next) {
        next = ngx_queue_next(q);
        record = ngx_queue_data(q, ngx_http_martech_record_t, queue);

        if (record->kind != NGX_HTTP_MARTECH_RECORD_EVENT || record->decided
            || record->spooling != NGX_HTTP_MARTECH_SPOOLING_NO)
        {
            continue;
        }

        waited = ngx_current_msec - record->start;

        if (waited < patience) {
            return patience - waited;
        }

        if (ngx_http_martech_spool_put(worker, record) != NGX_OK) {

            /* it goes on waiting here, and is tried again */

            return worker->patience;
        }

        ngx_http_martech_node_forget(record);
    }

    return worker->patience;
}


/*
 * A worker that shuts down calls the handlers of idle connections, so that
 * they close.  Ours is needed until the end, for requests that are still
 * being read; exit_process closes it.  When worker_shutdown_timeout is over,
 * "error" is set as well: clients are let go, and what is not safe is left
 * to exit_process.
 */

void
ngx_http_martech_redis_shutdown(ngx_http_martech_worker_t *worker,
    ngx_connection_t *c)
{
    c->close = 0;

    if (c->error) {
        ngx_http_martech_redis_expire(worker);
    }
}


static void
ngx_http_martech_redis_expire(ngx_http_martech_worker_t *worker)
{
    worker->expired = 1;
    worker->deadline.cancelable = 1;

    if (worker->spool == NULL) {
        ngx_http_martech_park_fail(worker);
    }

    ngx_http_martech_redis_update(worker);
}


/* The worker leaves and has a spool: all that is not safe goes there. */

void
ngx_http_martech_redis_surrender(ngx_http_martech_worker_t *worker)
{
    ngx_uint_t                  i;
    ngx_queue_t                *q, *next;
    ngx_http_martech_node_t    *node;
    ngx_http_martech_record_t  *record;

    for (i = 0; i < worker->nnodes; i++) {
        node = &worker->nodes[i];

        for (q = ngx_queue_head(&node->queued);
             q != ngx_queue_sentinel(&node->queued);
             q = next)
        {
            next = ngx_queue_next(q);
            record = ngx_queue_data(q, ngx_http_martech_record_t, queue);

            if (record->kind == NGX_HTTP_MARTECH_RECORD_EVENT
                && record->spooling == NGX_HTTP_MARTECH_SPOOLING_NO)
            {
                ngx_http_martech_record_place(record, NULL,
                                             NGX_HTTP_MARTECH_RECORD_NOWHERE);
                ngx_http_martech_spool_take(worker, record);
            }
        }
    }
}


void
ngx_http_martech_redis_close(ngx_http_martech_worker_t *worker)
{
    ngx_uint_t  i;

    for (i = 0; i < worker->nnodes; i++) {
        ngx_http_martech_node_close(&worker->nodes[i]);
    }

    if (worker->sweep.timer_set) {
        ngx_del_timer(&worker->sweep);
    }
}
