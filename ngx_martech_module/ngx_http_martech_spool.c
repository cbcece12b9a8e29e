
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The spool: events that Redis cannot take are written to disk, and count as
 * safe when they are there.
 *
 * A thread of NGINX's pool does what may block; it has one job at a time.
 * What comes while it writes is the next batch, so the more events there are,
 * the more of them share one fsync.  A batch that cannot be written, or whose
 * fsync fails, is written once more to a new segment; after that its clients
 * are told, and for a moment the spool takes nothing.
 *
 * Each worker has a folder of its own (see store).  When it leaves, the folder
 * is an orphan that any other worker adopts (see replay).
 */


#include "ngx_http_martech_spool.h"


#define NGX_HTTP_MARTECH_SPOOL_BYTES   (4 * 1024 * 1024)     /* of a write */
#define NGX_HTTP_MARTECH_JOB_IDS       3         /* that a job may use */


static ngx_int_t ngx_http_martech_spool_create(
    ngx_http_martech_worker_t *worker);
static void ngx_http_martech_spool_destroy(ngx_http_martech_spool_t *spool);
static ngx_uint_t ngx_http_martech_spool_full(ngx_http_martech_spool_t *spool);
static void ngx_http_martech_spool_flush_handler(ngx_event_t *ev);
static void ngx_http_martech_spool_timer_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_martech_spool_short(
    ngx_http_martech_spool_t *spool);
static void ngx_http_martech_spool_batch(ngx_http_martech_spool_t *spool);
static ngx_int_t ngx_http_martech_spool_post(ngx_http_martech_spool_t *spool,
    ngx_http_martech_job_e kind);
static void ngx_http_martech_spool_prepare(ngx_http_martech_spool_t *spool,
    ngx_http_martech_job_e kind);


#define ngx_http_martech_spool_size(record)                                   \
    ngx_http_martech_segment_size((record)->len - (record)->head)


ngx_int_t
ngx_http_martech_spool_init(ngx_http_martech_worker_t *worker)
{
    if (worker->conf->spool.path.len == 0) {
        return NGX_OK;
    }

    if (ngx_http_martech_spool_create(worker) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_martech_spool_next(worker->spool);

    return NGX_OK;
}


static ngx_int_t
ngx_http_martech_spool_create(ngx_http_martech_worker_t *worker)
{
    ngx_time_t                *tp;
    ngx_http_martech_job_t    *job;
    ngx_http_martech_spool_t  *spool;

    spool = ngx_calloc(sizeof(ngx_http_martech_spool_t), worker->log);

    if (spool == NULL) {
        return NGX_ERROR;
    }

    job = &spool->job;

    job->iovs = ngx_alloc(3 * NGX_HTTP_MARTECH_SPOOL_BATCH
                          * sizeof(struct iovec), worker->log);
    job->frames = ngx_alloc(NGX_HTTP_MARTECH_SPOOL_BATCH
                            * NGX_HTTP_MARTECH_SEGMENT_FRAME, worker->log);

    if (job->iovs == NULL || job->frames == NULL) {
        ngx_http_martech_spool_destroy(spool);
        return NGX_ERROR;
    }

    worker->spool = spool;
    spool->worker = worker;
    spool->conf = &worker->conf->spool;
    spool->next_id = 1;

    ngx_queue_init(&spool->waiting);
    ngx_queue_init(&spool->sealed);
    ngx_queue_init(&job->batch);

    job->file.fd = -1;
    job->spare.fd = -1;
    job->segment = spool->conf->segment;
    job->lazy = (spool->conf->interval > 0);
    job->root = (char *) spool->conf->path.data;
    job->zone = ngx_http_martech_stats_id(worker->conf->zone);

    tp = ngx_timeofday();

    (void) snprintf(job->name, sizeof(job->name), "w%u.%d.%lu%03u-%04x",
                    (unsigned) ngx_worker, (int) ngx_pid,
                    (unsigned long) tp->sec, (unsigned) tp->msec,
                    (unsigned) (ngx_http_martech_random64() & 0xffff));

    spool->dummy.fd = (ngx_socket_t) -1;
    spool->dummy.data = spool;

    spool->task.ctx = job;
    spool->task.handler = ngx_http_martech_job_run;
    spool->task.event.handler = ngx_http_martech_spool_completed;
    spool->task.event.data = spool;
    spool->task.event.log = worker->log;

    spool->flush.handler = ngx_http_martech_spool_flush_handler;
    spool->flush.data = &spool->dummy;
    spool->flush.log = worker->log;

    spool->timer.handler = ngx_http_martech_spool_timer_handler;
    spool->timer.data = &spool->dummy;
    spool->timer.log = worker->log;
    spool->timer.cancelable = 1;

    return NGX_OK;
}


static void
ngx_http_martech_spool_destroy(ngx_http_martech_spool_t *spool)
{
    if (spool->job.iovs) {
        ngx_free(spool->job.iovs);
    }

    if (spool->job.frames) {
        ngx_free(spool->job.frames);
    }

    ngx_free(spool);
}


/*
 * While the folder is being made events may wait for it.  A spool that has
 * just failed takes nothing, so that clients are told at once.
 */

ngx_uint_t
ngx_http_martech_spool_accepts(ngx_http_martech_worker_t *worker)
{
    size_t                     room;
    ngx_http_martech_spool_t  *spool;

    spool = worker->spool;

    if (spool == NULL || spool->closed) {
        return 0;
    }

    if (spool->failed
        && ngx_current_msec - spool->failed_since
           < NGX_HTTP_MARTECH_SPOOL_PAUSE)
    {
        return 0;
    }

    room = spool->room;

    return spool->waiting_bytes < room
           || !ngx_http_martech_spool_full(spool);
}


/* 1 if one more segment would be too much. */

static ngx_uint_t
ngx_http_martech_spool_full(ngx_http_martech_spool_t *spool)
{
    return ngx_http_martech_stats_gauge(spool->worker->conf->zone,
                                        NGX_HTTP_MARTECH_GAUGE_SPOOL_BYTES)
           + spool->conf->segment > spool->conf->size_max;
}


ngx_int_t
ngx_http_martech_spool_put(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record)
{
    ngx_http_martech_spool_t  *spool;

    if (!ngx_http_martech_spool_accepts(worker)) {
        return NGX_DECLINED;
    }

    spool = worker->spool;

    ngx_http_martech_spool_take(worker, record);

    if (!spool->flush.posted) {
        ngx_post_event(&spool->flush, &ngx_posted_events);
    }

    return NGX_OK;
}


void
ngx_http_martech_spool_take(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record)
{
    record->spooling = NGX_HTTP_MARTECH_SPOOLING_QUEUE;
    worker->spool->waiting_bytes += ngx_http_martech_spool_size(record);

    ngx_queue_insert_tail(&worker->spool->waiting, &record->spool);
}


void
ngx_http_martech_spool_forget(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record)
{
    if (record->spooling != NGX_HTTP_MARTECH_SPOOLING_QUEUE) {
        return;
    }

    record->spooling = NGX_HTTP_MARTECH_SPOOLING_NO;
    worker->spool->waiting_bytes -= ngx_http_martech_spool_size(record);

    ngx_queue_remove(&record->spool);
}


static void
ngx_http_martech_spool_flush_handler(ngx_event_t *ev)
{
    ngx_connection_t          *dummy;
    ngx_http_martech_spool_t  *spool;

    dummy = ev->data;
    spool = dummy->data;

    ngx_http_martech_spool_next(spool);
    ngx_http_martech_redis_update(spool->worker);
}


static void
ngx_http_martech_spool_timer_handler(ngx_event_t *ev)
{
    ngx_connection_t  *dummy;

    dummy = ev->data;

    ngx_http_martech_spool_next(dummy->data);
}


/* Gives the thread its next job, if it has none. */

void
ngx_http_martech_spool_next(ngx_http_martech_spool_t *spool)
{
    ngx_msec_t               passed;
    ngx_http_martech_job_t  *job;

    if (spool->busy || spool->closed) {
        return;
    }

    job = &spool->job;

    if (spool->failed) {
        passed = ngx_current_msec - spool->failed_since;

        if (passed < NGX_HTTP_MARTECH_SPOOL_PAUSE) {
            ngx_http_martech_spool_give_up(spool);
            return;
        }
    }

    if (spool->gone && ngx_http_martech_replay_busy(spool->worker)) {

        /* it comes back to us */

        return;
    }

    if (!job->opened || spool->gone) {
        (void) ngx_http_martech_spool_post(spool, NGX_HTTP_MARTECH_JOB_OPEN);
        return;
    }

    if (!ngx_queue_empty(&spool->waiting)) {
        ngx_http_martech_spool_batch(spool);
        (void) ngx_http_martech_spool_post(spool, NGX_HTTP_MARTECH_JOB_WRITE);
        return;
    }

    if (spool->seal) {
        spool->seal = 0;

        if (job->file_records > 0) {
            (void) ngx_http_martech_spool_post(spool,
                                               NGX_HTTP_MARTECH_JOB_SEAL);
            return;
        }
    }

    if (spool->dirty) {
        passed = ngx_current_msec - spool->synced;

        if (passed >= spool->conf->interval) {
            (void) ngx_http_martech_spool_post(spool,
                                               NGX_HTTP_MARTECH_JOB_SYNC);

        } else if (!spool->timer.timer_set) {
            ngx_add_timer(&spool->timer, spool->conf->interval - passed);
        }

        return;
    }

    if (ngx_http_martech_spool_short(spool) && !ngx_exiting
        && !ngx_http_martech_spool_full(spool))
    {
        (void) ngx_http_martech_spool_post(spool, NGX_HTTP_MARTECH_JOB_SPARE);
    }
}


/* 1 if a segment is to be made: to write to, or to have it in reserve. */

static ngx_uint_t
ngx_http_martech_spool_short(ngx_http_martech_spool_t *spool)
{
    if (spool->job.file.fd == -1) {
        return 1;
    }

    if (spool->job.spare.fd != -1 || spool->job.file_records == 0) {
        return 0;
    }

    return !spool->spare_failed
           || ngx_current_msec - spool->spare_failed_since
              >= NGX_HTTP_MARTECH_SPOOL_PAUSE;
}


static void
ngx_http_martech_spool_batch(ngx_http_martech_spool_t *spool)
{
    size_t                      size;
    ngx_queue_t                *q;
    ngx_http_martech_job_t     *job;
    ngx_http_martech_record_t  *record;

    job = &spool->job;

    job->records = 0;
    job->bytes = 0;

    while (!ngx_queue_empty(&spool->waiting)
           && job->records < NGX_HTTP_MARTECH_SPOOL_BATCH)
    {
        q = ngx_queue_head(&spool->waiting);
        record = ngx_queue_data(q, ngx_http_martech_record_t, spool);
        size = ngx_http_martech_spool_size(record);

        if (job->records > 0
            && job->bytes + size > NGX_HTTP_MARTECH_SPOOL_BYTES)
        {
            break;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&job->batch, q);

        record->spooling = NGX_HTTP_MARTECH_SPOOLING_WRITE;

        spool->waiting_bytes -= size;
        job->bytes += size;
        job->records++;
    }
}


static ngx_int_t
ngx_http_martech_spool_post(ngx_http_martech_spool_t *spool,
    ngx_http_martech_job_e kind)
{
    ngx_http_martech_spool_prepare(spool, kind);

    spool->busy = 1;

    if (ngx_http_martech_spool_task(spool, &spool->task) == NGX_OK) {
        return NGX_OK;
    }

    spool->busy = 0;

    spool->job.rc = -1;
    spool->job.error.err = EAGAIN;
    spool->job.error.step = "queueing a task for";
    ngx_cpystrn((u_char *) spool->job.error.file, spool->conf->path.data,
                sizeof(spool->job.error.file));

    ngx_http_martech_spool_result(spool);

    return NGX_ERROR;
}


static void
ngx_http_martech_spool_prepare(ngx_http_martech_spool_t *spool,
    ngx_http_martech_job_e kind)
{
    ngx_time_t              *tp;
    ngx_http_martech_job_t  *job;

    job = &spool->job;
    tp = ngx_timeofday();

    job->kind = kind;
    job->rc = 0;
    job->nsealed = 0;
    job->finished = 0;
    job->now_ms = (uint64_t) tp->sec * 1000 + tp->msec;
    job->full = ngx_http_martech_spool_full(spool) ? 1 : 0;
    job->next_id = ngx_http_martech_spool_ids(spool,
                                              NGX_HTTP_MARTECH_JOB_IDS);
    spool->ids_end = spool->next_id;

    job->sync = spool->conf->interval == 0
                || ngx_current_msec - spool->synced >= spool->conf->interval;
}


/*
 * A process that is its own master has no threads after a reload, because
 * NGINX starts them in new processes; there the task is done at once.
 */

ngx_int_t
ngx_http_martech_spool_task(ngx_http_martech_spool_t *spool,
    ngx_thread_task_t *task)
{
    if (ngx_process == NGX_PROCESS_SINGLE) {
        task->handler(task->ctx, spool->worker->log);
        ngx_post_event(&task->event, &ngx_posted_events);
        return NGX_OK;
    }

    return ngx_thread_task_post(spool->conf->threads, task);
}


uint64_t
ngx_http_martech_spool_ids(ngx_http_martech_spool_t *spool, ngx_uint_t n)
{
    uint64_t  first;

    first = spool->next_id;
    spool->next_id += n;

    return first;
}


/*
 * The worker leaves.  NGINX's pool has finished its tasks, but its handlers
 * are not called any more; in a process that goes on the thread is waited
 * for.
 */

void
ngx_http_martech_spool_finish(ngx_http_martech_worker_t *worker)
{
    ngx_http_martech_job_t    *job;
    ngx_http_martech_spool_t  *spool;

    spool = worker->spool;
    job = &spool->job;

    if (spool->busy) {

        while (!job->finished) {
            ngx_msleep(1);
        }

        ngx_memory_barrier();

        spool->busy = 0;
        ngx_http_martech_spool_result(spool);
    }

    spool->closed = 1;
    spool->failed = 0;

    if (!ngx_queue_empty(&spool->waiting) && (!job->opened || spool->gone)) {
        ngx_http_martech_spool_prepare(spool, NGX_HTTP_MARTECH_JOB_OPEN);
        ngx_http_martech_job_run(job, worker->log);
        ngx_http_martech_spool_result(spool);
    }

    while (!ngx_queue_empty(&spool->waiting) && !spool->failed) {
        ngx_http_martech_spool_batch(spool);
        ngx_http_martech_spool_prepare(spool, NGX_HTTP_MARTECH_JOB_WRITE);
        job->sync = 1;
        ngx_http_martech_job_run(job, worker->log);
        ngx_http_martech_spool_result(spool);
    }

    ngx_http_martech_spool_give_up(spool);

    if (spool->dirty) {
        ngx_http_martech_spool_prepare(spool, NGX_HTTP_MARTECH_JOB_SYNC);
        ngx_http_martech_job_run(job, worker->log);
        ngx_http_martech_spool_result(spool);
    }

    if (spool->timer.timer_set) {
        ngx_del_timer(&spool->timer);
    }

    if (spool->flush.posted) {
        ngx_delete_posted_event(&spool->flush);
    }
}


void
ngx_http_martech_spool_close(ngx_http_martech_worker_t *worker)
{
    ngx_http_martech_job_close(&worker->spool->job);
}
