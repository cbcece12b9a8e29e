
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What becomes of a record.
 *
 * An event is decided once: stored by Redis, spooled on disk, or dropped,
 * which its client is told.  That is the moment when it is counted and when
 * its request may go on.  Its record may have to stay a little longer: as a
 * placeholder for a reply that is still to come, or because a thread is
 * writing it.
 */


#include "ngx_http_martech.h"


void
ngx_http_martech_record_place(ngx_http_martech_record_t *record,
    ngx_queue_t *queue, ngx_uint_t place)
{
    if (record->place != NGX_HTTP_MARTECH_RECORD_NOWHERE) {
        ngx_queue_remove(&record->queue);
    }

    record->place = place & 0x07;

    if (queue) {
        ngx_queue_insert_tail(queue, &record->queue);
    }
}


void
ngx_http_martech_record_done(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record,
    ngx_http_martech_outcome_e outcome)
{
    ngx_http_martech_slot_t  *slot;

    slot = record->slot;

    record->decided = 1;
    worker->live--;

    /* the books must be right when a client is told, see _redis_submit() */

    worker->stats->gauges[NGX_HTTP_MARTECH_GAUGE_WAITING] = worker->live;

    switch (outcome) {

    case NGX_HTTP_MARTECH_OUTCOME_STORED:
        ngx_http_martech_count(worker, STORED, 1);
        ngx_http_martech_count(worker, QUARANTINED, record->quarantined);
        break;

    case NGX_HTTP_MARTECH_OUTCOME_SPOOLED:
        ngx_http_martech_count(worker, SPOOLED, 1);
        break;

    default: /* NGX_HTTP_MARTECH_OUTCOME_DROPPED */
        ngx_http_martech_dropped(worker->stats, UNAVAILABLE, 1);
    }

    if (slot) {
        ngx_queue_remove(&record->siblings);
        record->slot = NULL;
    }

    ngx_http_martech_record_settle(worker, record);

    /* last: the request that goes on may bring the next one */

    if (slot) {
        ngx_http_martech_park_outcome(worker, slot, outcome);
    }
}


void
ngx_http_martech_record_drop(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record)
{
    ngx_http_martech_node_forget(record);
    ngx_http_martech_spool_forget(worker, record);

    ngx_http_martech_record_done(worker, record,
                                 NGX_HTTP_MARTECH_OUTCOME_DROPPED);
}


void
ngx_http_martech_record_left(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record)
{
    ngx_http_martech_record_place(record, NULL,
                                  NGX_HTTP_MARTECH_RECORD_NOWHERE);

    ngx_http_martech_record_settle(worker, record);
}


void
ngx_http_martech_record_discard(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record)
{
    if (record->slot) {
        ngx_queue_remove(&record->siblings);
    }

    worker->live--;

    ngx_http_martech_buffer_free(&worker->buffer, record);
}


/* Gives the memory back once nobody needs it. */

void
ngx_http_martech_record_settle(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record)
{
    if (!record->decided
        || record->place != NGX_HTTP_MARTECH_RECORD_NOWHERE
        || record->spooling != NGX_HTTP_MARTECH_SPOOLING_NO)
    {
        return;
    }

    if (record->kind == NGX_HTTP_MARTECH_RECORD_EVENT) {
        ngx_http_martech_buffer_free(&worker->buffer, record);
    }
}
