
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What a job of the spool has come to, told to everybody concerned.
 */


#include "ngx_http_martech_spool.h"


static void ngx_http_martech_spool_written(ngx_http_martech_spool_t *spool,
    ngx_uint_t success);
static void ngx_http_martech_spool_failed(ngx_http_martech_spool_t *spool,
    ngx_http_martech_record_t *record);


void
ngx_http_martech_spool_completed(ngx_event_t *ev)
{
    ngx_http_martech_spool_t  *spool;

    spool = ev->data;

    if (!spool->busy) {

        /* the worker has left, and has looked at the result itself */

        return;
    }

    spool->busy = 0;

    ngx_http_martech_spool_result(spool);
    ngx_http_martech_spool_next(spool);
}


void
ngx_http_martech_spool_result(ngx_http_martech_spool_t *spool)
{
    ngx_uint_t               i;
    ngx_http_martech_job_t  *job;

    job = &spool->job;

    for (i = 0; i < job->nsealed; i++) {
        (void) ngx_http_martech_spool_add(spool, &job->sealed[i]);
    }

    job->nsealed = 0;
    spool->opened = job->opened;

    if (spool->next_id == spool->ids_end) {

        /* nobody took ids since: what it has not used is free again */

        spool->next_id = job->next_id;
    }

    if (job->gone) {
        spool->gone = 1;
    }

    if (job->rc == 0) {
        spool->failed = 0;

        if (job->kind == NGX_HTTP_MARTECH_JOB_OPEN) {
            spool->gone = 0;

        } else if (job->kind == NGX_HTTP_MARTECH_JOB_SPARE) {
            spool->spare_failed = 0;
        }

        if (job->kind == NGX_HTTP_MARTECH_JOB_WRITE && !job->sync) {
            spool->dirty = 1;

        } else if (job->kind == NGX_HTTP_MARTECH_JOB_WRITE
                   || job->kind == NGX_HTTP_MARTECH_JOB_SYNC)
        {
            spool->synced = ngx_current_msec;
            spool->dirty = 0;
        }

    } else if (job->kind == NGX_HTTP_MARTECH_JOB_SPARE && job->file.fd != -1) {

        /* there is still room in the segment that is being written */

        ngx_http_martech_count(spool->worker, SPOOL_ERRORS, 1);
        ngx_http_martech_spool_log(spool, &job->error, "no segment is in "
                                   "reserve");
        spool->spare_failed = 1;
        spool->spare_failed_since = ngx_current_msec;

    } else {
        ngx_http_martech_count(spool->worker, SPOOL_ERRORS, 1);
        ngx_http_martech_spool_log(spool, &job->error, "events cannot be "
                                   "spooled");
        spool->failed = 1;
        spool->failed_since = ngx_current_msec;
        spool->dirty = 0;

        if (!spool->timer.timer_set && !spool->closed) {
            ngx_add_timer(&spool->timer, NGX_HTTP_MARTECH_SPOOL_PAUSE);
        }
    }

    ngx_http_martech_spool_gauges(spool);

    if (job->kind == NGX_HTTP_MARTECH_JOB_WRITE) {
        ngx_http_martech_spool_written(spool, job->rc == 0);
    }

    if (job->kind == NGX_HTTP_MARTECH_JOB_SEAL) {
        ngx_http_martech_replay_post(spool->worker);
    }
}


/* Popped one by one: a request that goes on may bring the next event. */

static void
ngx_http_martech_spool_written(ngx_http_martech_spool_t *spool,
    ngx_uint_t success)
{
    ngx_queue_t                *q, batch;
    ngx_http_martech_job_t     *job;
    ngx_http_martech_record_t  *record;
    ngx_http_martech_worker_t  *worker;

    job = &spool->job;
    worker = spool->worker;

    ngx_queue_init(&batch);

    if (ngx_queue_empty(&job->batch)) {
        return;
    }

    ngx_queue_add(&batch, &job->batch);
    ngx_queue_init(&job->batch);

    if (success) {
        ngx_http_martech_count(worker, SPOOL_WRITES, 1);
        ngx_http_martech_spool_count(spool, (int64_t) job->records);
    }

    while (!ngx_queue_empty(&batch)) {
        q = ngx_queue_head(&batch);
        record = ngx_queue_data(q, ngx_http_martech_record_t, spool);

        ngx_queue_remove(q);
        record->spooling = NGX_HTTP_MARTECH_SPOOLING_NO;

        if (!success) {
            ngx_http_martech_spool_failed(spool, record);
            continue;
        }

        if (record->decided) {

            /* its client did not wait so long */

            ngx_http_martech_count(worker, SPOOL_FOUND, 1);
            ngx_http_martech_record_settle(worker, record);
            continue;
        }

        ngx_http_martech_record_done(worker, record,
                                     NGX_HTTP_MARTECH_OUTCOME_SPOOLED);
    }

    ngx_http_martech_redis_update(worker);
}


/* The disk does not take it; perhaps Redis has it, or still will. */

static void
ngx_http_martech_spool_failed(ngx_http_martech_spool_t *spool,
    ngx_http_martech_record_t *record)
{
    ngx_http_martech_worker_t  *worker;

    worker = spool->worker;

    if (record->decided) {
        ngx_http_martech_record_settle(worker, record);
        return;
    }

    if (record->stored) {
        ngx_http_martech_record_done(worker, record,
                                     NGX_HTTP_MARTECH_OUTCOME_STORED);
        return;
    }

    if (record->place != NGX_HTTP_MARTECH_RECORD_NOWHERE) {
        record->dropped = 0;

        if (record->slot) {
            ngx_http_martech_record_drop(worker, record);
        }

        return;
    }

    if (record->slot) {
        ngx_http_martech_record_done(worker, record,
                                     NGX_HTTP_MARTECH_OUTCOME_DROPPED);
        return;
    }

    /*
     * Acknowledged from memory: it waits for Redis, or for a better disk.  What
     * a node has said of its key before is too old to be believed.
     */

    record->ask = NULL;
    record->start = ngx_current_msec;
    ngx_http_martech_cluster_push(worker, record);
}


/* Nothing can be written now: who waits for it is told. */

void
ngx_http_martech_spool_give_up(ngx_http_martech_spool_t *spool)
{
    ngx_queue_t                *q, all;
    ngx_http_martech_record_t  *record;

    if (ngx_queue_empty(&spool->waiting)) {
        return;
    }

    ngx_queue_init(&all);
    ngx_queue_add(&all, &spool->waiting);
    ngx_queue_init(&spool->waiting);

    while (!ngx_queue_empty(&all)) {
        q = ngx_queue_head(&all);
        record = ngx_queue_data(q, ngx_http_martech_record_t, spool);

        ngx_http_martech_spool_forget(spool->worker, record);
        ngx_http_martech_spool_failed(spool, record);
    }
}
