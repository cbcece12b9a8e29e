
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Parked requests: all of their events are in the buffer, the client waits
 * until each of them is safe.
 *
 * A slot lives outside the request's pool, and only the slot is known to the
 * records.  The request's cleanup handler cuts the tie when the request goes
 * first (client gone, HTTP/2 reset, shutdown), so a late reply finds a slot
 * without a request, never a request without memory.  The events of such a
 * request are stored all the same.
 */


#include "ngx_http_martech.h"


static void ngx_http_martech_park_cleanup(void *data);
static void ngx_http_martech_park_timer(ngx_http_martech_worker_t *worker);
static void ngx_http_martech_park_expire(ngx_http_martech_worker_t *worker,
    ngx_http_martech_slot_t *slot);
static void ngx_http_martech_park_finish(ngx_http_martech_worker_t *worker,
    ngx_http_martech_slot_t *slot);


ngx_http_martech_slot_t *
ngx_http_martech_park_open(ngx_http_martech_worker_t *worker,
    ngx_http_request_t *r)
{
    ngx_queue_t              *q;
    ngx_http_cleanup_t       *cln;
    ngx_http_martech_slot_t  *slot;

    cln = ngx_http_cleanup_add(r, 0);

    if (cln == NULL) {
        return NULL;
    }

    if (!ngx_queue_empty(&worker->free_slots)) {
        q = ngx_queue_head(&worker->free_slots);
        ngx_queue_remove(q);
        slot = ngx_queue_data(q, ngx_http_martech_slot_t, queue);

    } else {
        slot = ngx_alloc(sizeof(ngx_http_martech_slot_t), worker->log);

        if (slot == NULL) {
            return NULL;
        }
    }

    ngx_memzero(slot, sizeof(ngx_http_martech_slot_t));

    slot->worker = worker;
    slot->r = r;
    slot->cleanup = cln;
    slot->start = ngx_current_msec;

    ngx_queue_init(&slot->records);

    cln->handler = ngx_http_martech_park_cleanup;
    cln->data = slot;

    return slot;
}


void
ngx_http_martech_park_add(ngx_http_martech_slot_t *slot,
    ngx_http_martech_record_t *record)
{
    record->slot = slot;
    slot->pending++;

    ngx_queue_insert_tail(&slot->records, &record->siblings);
}


/*
 * From here the outcome of the last of its events, or the deadline, answers
 * the request.
 */

void
ngx_http_martech_park_close(ngx_http_martech_worker_t *worker,
    ngx_http_martech_slot_t *slot)
{
    worker->clients++;
    worker->stats->gauges[NGX_HTTP_MARTECH_GAUGE_PARKED]++;

    slot->r->connection->log->action = "waiting for redis";

    ngx_queue_insert_tail(&worker->parked, &slot->queue);
    ngx_http_martech_park_timer(worker);
}


void
ngx_http_martech_park_discard(ngx_http_martech_worker_t *worker,
    ngx_http_martech_slot_t *slot)
{
    slot->cleanup->handler = NULL;

    ngx_queue_insert_head(&worker->free_slots, &slot->queue);
}


static void
ngx_http_martech_park_cleanup(void *data)
{
    ngx_http_martech_slot_t  *slot = data;

    ngx_http_martech_ctx_t     *ctx;
    ngx_http_martech_worker_t  *worker;

    ctx = ngx_http_martech_ctx(slot->r);
    ctx->verdict = NGX_HTTP_MARTECH_VERDICT_PENDING;

    slot->r = NULL;
    slot->cleanup = NULL;

    worker = slot->worker;
    worker->clients--;

    ngx_http_martech_park_timer(worker);
}


/*
 * The timer runs to the first deadline known when it was set; it is not moved
 * when requests come and go, but looks again when it fires.  It holds back a
 * shutdown as long as a client waits.
 */

static void
ngx_http_martech_park_timer(ngx_http_martech_worker_t *worker)
{
    ngx_queue_t              *q;
    ngx_msec_t                waited, timeout;
    ngx_http_martech_slot_t  *slot;

    worker->deadline.cancelable = (worker->clients == 0 || worker->expired);

    if (worker->closed || worker->deadline.timer_set
        || ngx_queue_empty(&worker->parked))
    {
        return;
    }

    q = ngx_queue_head(&worker->parked);
    slot = ngx_queue_data(q, ngx_http_martech_slot_t, queue);

    waited = ngx_current_msec - slot->start;

    timeout = worker->conf->server.timeout;

    ngx_add_timer(&worker->deadline,
                  (waited < timeout) ? timeout - waited : 1);
}


void
ngx_http_martech_park_deadline(ngx_event_t *ev)
{
    ngx_queue_t                *q;
    ngx_connection_t           *dummy;
    ngx_http_martech_slot_t    *slot;
    ngx_http_martech_worker_t  *worker;

    dummy = ev->data;
    worker = dummy->data;

    while (!ngx_queue_empty(&worker->parked)) {
        q = ngx_queue_head(&worker->parked);
        slot = ngx_queue_data(q, ngx_http_martech_slot_t, queue);

        if (ngx_current_msec - slot->start < worker->conf->server.timeout) {
            break;
        }

        ngx_http_martech_park_expire(worker, slot);
    }

    ngx_http_martech_park_timer(worker);
    ngx_http_martech_redis_update(worker);
}


void
ngx_http_martech_park_detach(ngx_http_martech_worker_t *worker)
{
    ngx_queue_t              *q;
    ngx_http_martech_slot_t  *slot;

    for (q = ngx_queue_head(&worker->parked);
         q != ngx_queue_sentinel(&worker->parked);
         q = ngx_queue_next(q))
    {
        slot = ngx_queue_data(q, ngx_http_martech_slot_t, queue);

        if (slot->r) {
            slot->cleanup->handler = NULL;
            slot->r = NULL;
            worker->clients--;
        }
    }
}


void
ngx_http_martech_park_fail(ngx_http_martech_worker_t *worker)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&worker->parked)) {
        q = ngx_queue_head(&worker->parked);

        ngx_http_martech_park_expire(worker,
                         ngx_queue_data(q, ngx_http_martech_slot_t, queue));
    }
}


/*
 * Nobody waits any more; what was sent may still be stored.  The drop of the
 * last record finishes the request.
 */

static void
ngx_http_martech_park_expire(ngx_http_martech_worker_t *worker,
    ngx_http_martech_slot_t *slot)
{
    ngx_uint_t    last;
    ngx_queue_t  *q;

    do {
        q = ngx_queue_head(&slot->records);
        last = (slot->pending == 1);

        ngx_http_martech_record_drop(worker,
                      ngx_queue_data(q, ngx_http_martech_record_t, siblings));
    } while (!last);
}


void
ngx_http_martech_park_outcome(ngx_http_martech_worker_t *worker,
    ngx_http_martech_slot_t *slot, ngx_http_martech_outcome_e outcome)
{
    if (outcome == NGX_HTTP_MARTECH_OUTCOME_DROPPED) {
        slot->failed = 1;

    } else if (outcome == NGX_HTTP_MARTECH_OUTCOME_SPOOLED) {
        slot->spooled = 1;
    }

    slot->pending--;

    if (slot->pending == 0) {
        ngx_http_martech_park_finish(worker, slot);
    }
}


static void
ngx_http_martech_park_finish(ngx_http_martech_worker_t *worker,
    ngx_http_martech_slot_t *slot)
{
    ngx_int_t                rc;
    ngx_connection_t        *c;
    ngx_http_request_t      *r;
    ngx_http_martech_ctx_t  *ctx;

    worker->stats->gauges[NGX_HTTP_MARTECH_GAUGE_PARKED]--;

    ngx_http_martech_stats_ack(worker->stats, ngx_current_msec - slot->start);

    r = slot->r;

    if (r) {
        slot->cleanup->handler = NULL;
        worker->clients--;

    } else {
        ngx_http_martech_count(worker, ABORTED, 1);
    }

    ngx_queue_remove(&slot->queue);
    ngx_queue_insert_head(&worker->free_slots, &slot->queue);

    worker->deadline.cancelable = (worker->clients == 0 || worker->expired);

    if (r == NULL) {
        return;
    }

    ctx = ngx_http_martech_ctx(r);

    ctx->spooled = slot->spooled;

    if (slot->failed) {
        ctx->verdict = NGX_HTTP_MARTECH_VERDICT_UNAVAILABLE;

    } else if (slot->spooled
               && ctx->verdict == NGX_HTTP_MARTECH_VERDICT_STORED)
    {
        ctx->verdict = NGX_HTTP_MARTECH_VERDICT_SPOOLED;
    }

    /* the slot may be taken again from here on */

    c = r->connection;

    rc = ngx_http_martech_answer_events(r);

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}
