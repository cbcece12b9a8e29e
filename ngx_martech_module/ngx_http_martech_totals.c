
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Our totals in Redis, so that what came in can be compared with what the
 * forwarder has found: hash {P:00}:edge, a field for each counter of each
 * instance, docs/SPEC.md section 1.
 *
 * One worker of an instance writes them, once a second while something
 * changes: absolute values, so that a lost write needs no care.  Who writes is
 * in shared memory; when it dies, leaves or loses Redis, another one goes on.
 *
 * The command goes the way of events, on the connection that has the first
 * shard, but nothing ever waits for it: neither a request, nor a shutdown, nor
 * the clocks that tell whether Redis is well.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_TOTALS_TICK   1000      /* ms */
#define NGX_HTTP_MARTECH_TOTALS_ARGS                                          \
    (2 + 2 * (NGX_HTTP_MARTECH_TOTALS + 1))


/* a hex digit for four bits */
#define NGX_HTTP_MARTECH_INSTANCE_LEN  16

/* "<instance>:<counter>" */
#define NGX_HTTP_MARTECH_FIELD_MAX     (NGX_HTTP_MARTECH_INSTANCE_LEN + 16)


static void ngx_http_martech_totals_tick(ngx_event_t *ev);
static void ngx_http_martech_totals_publish(
    ngx_http_martech_worker_t *worker);
static ngx_uint_t ngx_http_martech_totals_free(
    ngx_http_martech_worker_t *worker);
static ngx_uint_t ngx_http_martech_totals_claim(
    ngx_http_martech_shared_totals_t *shared);
static void ngx_http_martech_totals_release(
    ngx_http_martech_shared_totals_t *shared);
static ngx_uint_t ngx_http_martech_totals_changed(
    ngx_http_martech_worker_t *worker);
static size_t ngx_http_martech_totals_write(ngx_http_martech_worker_t *worker,
    u_char *out);
static ngx_int_t ngx_http_martech_totals_error(ngx_http_martech_node_t *node,
    ngx_http_martech_record_t *record);
static void ngx_http_martech_totals_refused(ngx_http_martech_node_t *node,
    ngx_http_martech_redis_class_e class);


static const char  *ngx_http_martech_totals_names[NGX_HTTP_MARTECH_TOTALS] = {
    "received", "stored", "rejected", "dropped", "spooled", "replayed",
    "waiting", "quarantined"
};


void
ngx_http_martech_totals_init(ngx_http_martech_worker_t *worker)
{
    ngx_http_martech_totals_t  *totals;

    totals = &worker->totals;

    totals->record.kind = NGX_HTTP_MARTECH_RECORD_TOTALS;
    totals->record.decided = 1;
    totals->record.data = totals->command;

    totals->timer.handler = ngx_http_martech_totals_tick;
    totals->timer.data = &worker->dummy;
    totals->timer.log = worker->log;
    totals->timer.cancelable = 1;

    ngx_add_timer(&totals->timer,
                  1 + ngx_random() % NGX_HTTP_MARTECH_TOTALS_TICK);
}


static void
ngx_http_martech_totals_tick(ngx_event_t *ev)
{
    ngx_connection_t           *dummy;
    ngx_http_martech_worker_t  *worker;

    dummy = ev->data;
    worker = dummy->data;

    ngx_http_martech_totals_publish(worker);

    ngx_add_timer(ev, NGX_HTTP_MARTECH_TOTALS_TICK);
}


static void
ngx_http_martech_totals_publish(ngx_http_martech_worker_t *worker)
{
    ngx_http_martech_record_t         *record;
    ngx_http_martech_shared_totals_t  *shared;

    record = &worker->totals.record;
    shared = ngx_http_martech_stats_totals(worker->conf->zone);

    if (shared->refused) {
        return;
    }

    if (record->place != NGX_HTTP_MARTECH_RECORD_NOWHERE) {

        /* the answer to the last one is still to come, or never will */

        if (ngx_current_msec - record->start
            >= worker->conf->server.timeout)
        {
            ngx_http_martech_totals_release(shared);
        }

        return;
    }

    if (worker->shards[0].node->state != NGX_HTTP_MARTECH_NODE_READY) {
        ngx_http_martech_totals_release(shared);
        return;
    }

    if (!ngx_http_martech_totals_free(worker)
        || !ngx_http_martech_totals_claim(shared)
        || !ngx_http_martech_totals_changed(worker))
    {
        return;
    }

    record->len = (uint32_t) ngx_http_martech_totals_write(worker,
                                                     worker->totals.command);
    record->start = ngx_current_msec;
    record->shard = 0;
    record->moves = 0;
    record->ask = NULL;

    ngx_http_martech_cluster_push(worker, record);
}


/* Events go first: only when none of them waits to be written. */

static ngx_uint_t
ngx_http_martech_totals_free(ngx_http_martech_worker_t *worker)
{
    ngx_http_martech_node_t  *node;

    node = worker->shards[0].node;

    return node->state == NGX_HTTP_MARTECH_NODE_READY && !node->paused
           && ngx_queue_empty(&node->queued)
           && node->tls_sent == node->tls_len;
}


/* 1 if it is us who writes. */

static ngx_uint_t
ngx_http_martech_totals_claim(ngx_http_martech_shared_totals_t *shared)
{
    ngx_atomic_uint_t  pid;

    pid = shared->publisher;

    if (pid == (ngx_atomic_uint_t) ngx_pid) {
        return 1;
    }

    return ngx_http_martech_stats_free(pid)
           && ngx_atomic_cmp_set(&shared->publisher, pid, ngx_pid);
}


static void
ngx_http_martech_totals_release(ngx_http_martech_shared_totals_t *shared)
{
    (void) ngx_atomic_cmp_set(&shared->publisher, ngx_pid, 0);
}


/* Takes the present values; 1 if Redis should have them. */

static ngx_uint_t
ngx_http_martech_totals_changed(ngx_http_martech_worker_t *worker)
{
    uint64_t                           values[NGX_HTTP_MARTECH_TOTALS];
    ngx_uint_t                         workers;
    ngx_http_martech_stats_t           sum;
    ngx_http_martech_shared_totals_t  *shared;

    shared = ngx_http_martech_stats_totals(worker->conf->zone);

    ngx_http_martech_stats_sum(worker->conf->zone, &sum, &workers);

    values[0] = sum.counters[NGX_HTTP_MARTECH_COUNT_RECEIVED];
    values[1] = sum.counters[NGX_HTTP_MARTECH_COUNT_STORED];
    values[2] = sum.counters[NGX_HTTP_MARTECH_COUNT_REJECTED];
    values[3] = sum.counters[NGX_HTTP_MARTECH_COUNT_DROPPED];
    values[4] = sum.counters[NGX_HTTP_MARTECH_COUNT_SPOOLED];
    values[5] = sum.counters[NGX_HTTP_MARTECH_COUNT_SPOOL_REPLAYED];
    values[6] = sum.gauges[NGX_HTTP_MARTECH_GAUGE_WAITING];
    values[7] = sum.counters[NGX_HTTP_MARTECH_COUNT_QUARANTINED];

    if (!shared->again
        && ngx_memcmp(values, shared->values, sizeof(values)) == 0)
    {
        return 0;
    }

    ngx_memcpy(shared->values, values, sizeof(values));
    shared->again = 0;
    shared->sent = 1;

    return 1;
}


/* The command for shared->values; returns its length. */

static size_t
ngx_http_martech_totals_write(ngx_http_martech_worker_t *worker, u_char *out)
{
    char                               tag[MARTECH_TAG_LEN_MAX];
    u_char                             key[MARTECH_TAG_LEN_MAX + 8],
                                       fields[NGX_HTTP_MARTECH_TOTALS + 1]
                                             [NGX_HTTP_MARTECH_FIELD_MAX],
                                       values[NGX_HTTP_MARTECH_TOTALS + 1]
                                             [NGX_INT64_LEN];
    uint64_t                           id, value;
    ngx_str_t                          args[NGX_HTTP_MARTECH_TOTALS_ARGS];
    ngx_uint_t                         i, n;
    ngx_time_t                        *tp;
    const char                        *name;
    martech_str_t                      prefix;
    ngx_http_martech_shared_totals_t  *shared;

    shared = ngx_http_martech_stats_totals(worker->conf->zone);
    id = ngx_http_martech_stats_id(worker->conf->zone);
    tp = ngx_timeofday();

    prefix.data = worker->conf->prefix.data;
    prefix.len = worker->conf->prefix.len;

    (void) martech_shard_tag(tag, prefix, 0);

    ngx_str_set(&args[0], "HSET");
    args[1].data = key;
    args[1].len = ngx_sprintf(key, "%s:edge", tag) - key;
    n = 2;

    for (i = 0; i <= NGX_HTTP_MARTECH_TOTALS; i++) {

        if (i < NGX_HTTP_MARTECH_TOTALS) {
            name = ngx_http_martech_totals_names[i];
            value = shared->values[i];

        } else {
            name = "at";
            value = (uint64_t) tp->sec * 1000 + tp->msec;
        }

        args[n].data = fields[i];
        args[n++].len = ngx_sprintf(fields[i], "%016xL:%s", id, name)
                        - fields[i];
        args[n].data = values[i];
        args[n++].len = ngx_sprintf(values[i], "%uL", value) - values[i];
    }

    return ngx_http_martech_query_write(out, n, args) - out;
}


/* What Redis had may be gone with its former process. */

void
ngx_http_martech_totals_ready(ngx_http_martech_worker_t *worker)
{
    ngx_http_martech_shared_totals_t  *shared;

    shared = ngx_http_martech_stats_totals(worker->conf->zone);

    if (shared->sent) {
        shared->again = 1;
    }
}


ngx_int_t
ngx_http_martech_totals_reply(ngx_http_martech_node_t *node,
    ngx_http_martech_record_t *record)
{
    ngx_int_t                          rc;
    ngx_http_martech_shared_totals_t  *shared;

    if (node->resp.type == NGX_HTTP_MARTECH_RESP_ERROR) {
        rc = ngx_http_martech_totals_error(node, record);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    ngx_http_martech_record_place(record, NULL,
                                  NGX_HTTP_MARTECH_RECORD_NOWHERE);

    shared = ngx_http_martech_stats_totals(node->worker->conf->zone);

    if (shared->publisher != (ngx_atomic_uint_t) ngx_pid) {

        /* ours were late, and may stand above newer ones of another worker */

        shared->again = 1;
    }

    if (node->paused && ngx_queue_empty(&node->sent)) {
        ngx_http_martech_cluster_settle(node);
    }

    return NGX_OK;
}


/* NGX_DECLINED: there is nothing more to do; else what _reply() returns. */

static ngx_int_t
ngx_http_martech_totals_error(ngx_http_martech_node_t *node,
    ngx_http_martech_record_t *record)
{
    ngx_http_martech_redis_class_e     class;
    ngx_http_martech_shared_totals_t  *shared;

    shared = ngx_http_martech_stats_totals(node->worker->conf->zone);

    class = ngx_http_martech_resp_class(node->resp.text, node->resp.len);
    node->worker->stats->errors[class]++;

    switch (class) {

    case NGX_HTTP_MARTECH_REDIS_MOVED:

        if (ngx_http_martech_cluster_moved(node, record) == NGX_OK) {
            return NGX_OK;
        }

        shared->again = 1;
        break;

    case NGX_HTTP_MARTECH_REDIS_LOADING:
    case NGX_HTTP_MARTECH_REDIS_READONLY:

        /* the next event would find the same, and wait for another server */

        ngx_http_martech_node_fail(node, 0,
                                   ngx_http_martech_resp_class_name(class));
        return NGX_ERROR;

    case NGX_HTTP_MARTECH_REDIS_OOM:
    case NGX_HTTP_MARTECH_REDIS_BUSY:
        shared->again = 1;
        break;

    default:
        ngx_http_martech_totals_refused(node, class);
    }

    return NGX_DECLINED;
}


/* Never again until the next reload; said by one worker, once. */

static void
ngx_http_martech_totals_refused(ngx_http_martech_node_t *node,
    ngx_http_martech_redis_class_e class)
{
    ngx_http_martech_shared_totals_t  *shared;

    shared = ngx_http_martech_stats_totals(node->worker->conf->zone);

    if (!ngx_atomic_cmp_set(&shared->refused, 0, 1)) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, node->worker->log, 0,
                  "martech: redis %V: refuses our totals (%s), no more of "
                  "them until a reload: %*s",
                  &node->name, ngx_http_martech_resp_class_name(class),
                  ngx_http_martech_query_quotable(&node->resp),
                  node->resp.text);
}


void
ngx_http_martech_totals_lost(ngx_http_martech_worker_t *worker)
{
    ngx_http_martech_shared_totals_t  *shared;

    ngx_http_martech_record_place(&worker->totals.record, NULL,
                                  NGX_HTTP_MARTECH_RECORD_NOWHERE);

    shared = ngx_http_martech_stats_totals(worker->conf->zone);
    shared->again = 1;
}


/*
 * The last word: written if it can be without waiting, its answer is not
 * read.  A worker that stays, or leaves later, writes what this one could not.
 */

void
ngx_http_martech_totals_close(ngx_http_martech_worker_t *worker)
{
    size_t                             len;
    u_char                             command[NGX_HTTP_MARTECH_TOTALS_SIZE];
    ngx_connection_t                  *c;
    ngx_http_martech_shared_totals_t  *shared;

    shared = ngx_http_martech_stats_totals(worker->conf->zone);

    if (worker->totals.timer.timer_set) {
        ngx_del_timer(&worker->totals.timer);
    }

    if (!shared->refused
        && ngx_http_martech_totals_free(worker)
        && ngx_http_martech_totals_claim(shared)
        && ngx_http_martech_totals_changed(worker))
    {
        c = worker->shards[0].node->connection;
        len = ngx_http_martech_totals_write(worker, command);

        if (c->send(c, command, len) != (ssize_t) len) {
            shared->again = 1;
        }
    }

    ngx_http_martech_totals_release(shared);
}
