
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The way back from disk: segments are read in their order, and their events
 * sent to Redis behind what comes from clients, one block at a time.
 *
 * A segment is deleted when Redis has answered all of it.  How far it has
 * come is noted in the file, so a worker that dies in the middle leaves at
 * most one block to be sent twice.  What Redis refuses is sent again after a
 * pause: an event that was acknowledged is never given up.
 *
 * The same thread looks for folders whose worker has left, and moves their
 * segments to ours.
 */


#include "ngx_http_martech_spool.h"


#define NGX_HTTP_MARTECH_REPLAY_LOOK   1000      /* ms */
#define NGX_HTTP_MARTECH_REPLAY_PAUSE  1000      /* ms, refused */

/* looks in a row: others may be about to count what they have found */
#define NGX_HTTP_MARTECH_REPLAY_FRUITLESS  5


struct ngx_http_martech_replay_s {
    ngx_http_martech_worker_t          *worker;
    ngx_http_martech_spool_t           *spool;
    ngx_http_martech_replay_task_t      job;
    ngx_thread_task_t                   task;
    ngx_http_martech_sealed_t          *segment;      /* that is replayed */
    uint64_t                            replayed;     /* of the segment */
    ngx_uint_t                          pending;      /* of the block */
    ngx_uint_t                          refused;      /* of the block */
    ngx_uint_t                          foreign;      /* left, and logged */
    uint64_t                            strays;       /* at the last look */
    ngx_uint_t                          fruitless;    /* looks for them */
    ngx_msec_t                          looked;       /* for orphans */
    ngx_msec_t                          look_after;
    ngx_event_t                         timer;
    ngx_connection_t                    dummy;
    unsigned                            busy:1;       /* a thread has the job */
    unsigned                            closed:1;
};


static void ngx_http_martech_replay_wake(ngx_http_martech_replay_t *replay,
    ngx_msec_t ms);
static void ngx_http_martech_replay_timer_handler(ngx_event_t *ev);
static void ngx_http_martech_replay_next(ngx_http_martech_replay_t *replay);
static ngx_uint_t ngx_http_martech_replay_may(
    ngx_http_martech_replay_t *replay);
static void ngx_http_martech_replay_run(ngx_http_martech_replay_t *replay,
    ngx_http_martech_replay_job_e kind);
static void ngx_http_martech_replay_completed(ngx_event_t *ev);
static ngx_uint_t ngx_http_martech_replay_unreadable(
    ngx_http_martech_replay_t *replay);
static void ngx_http_martech_replay_adopted(ngx_http_martech_replay_t *replay);
static void ngx_http_martech_replay_strays(ngx_http_martech_replay_t *replay);
static void ngx_http_martech_replay_send(ngx_http_martech_replay_t *replay);
static void ngx_http_martech_replay_block(ngx_http_martech_replay_t *replay);
static void ngx_http_martech_replay_put_off(
    ngx_http_martech_replay_t *replay);
static void ngx_http_martech_replay_ended(ngx_http_martech_replay_t *replay);


ngx_int_t
ngx_http_martech_replay_init(ngx_http_martech_worker_t *worker)
{
    ngx_http_martech_replay_t       *replay;
    ngx_http_martech_replay_task_t  *job;

    if (worker->spool == NULL) {
        return NGX_OK;
    }

    replay = ngx_calloc(sizeof(ngx_http_martech_replay_t), worker->log);

    if (replay == NULL) {
        return NGX_ERROR;
    }

    replay->worker = worker;
    replay->spool = worker->spool;
    replay->looked = ngx_current_msec;
    replay->look_after = ngx_random() % NGX_HTTP_MARTECH_REPLAY_LOOK;

    job = &replay->job;
    job->conf = worker->conf;
    job->store = &worker->spool->job.store;

    replay->dummy.fd = (ngx_socket_t) -1;
    replay->dummy.data = replay;

    replay->task.ctx = job;
    replay->task.handler = ngx_http_martech_replay_thread;
    replay->task.event.handler = ngx_http_martech_replay_completed;
    replay->task.event.data = replay;
    replay->task.event.log = worker->log;

    replay->timer.handler = ngx_http_martech_replay_timer_handler;
    replay->timer.data = &replay->dummy;
    replay->timer.log = worker->log;
    replay->timer.cancelable = 1;

    job->records = ngx_alloc(NGX_HTTP_MARTECH_REPLAY_RECORDS
                             * sizeof(ngx_http_martech_record_t),
                             worker->log);
    job->behind = ngx_alloc(NGX_HTTP_MARTECH_REPLAY_RECORDS
                            * sizeof(uint64_t), worker->log);

    if (job->records == NULL || job->behind == NULL) {
        return NGX_ERROR;
    }

    worker->replay = replay;

    ngx_http_martech_replay_wake(replay, replay->look_after + 1);

    return NGX_OK;
}


void
ngx_http_martech_replay_post(ngx_http_martech_worker_t *worker)
{
    if (worker->replay && !worker->replay->closed) {
        ngx_http_martech_replay_wake(worker->replay, 1);
    }
}


ngx_uint_t
ngx_http_martech_replay_busy(ngx_http_martech_worker_t *worker)
{
    return worker->replay && worker->replay->busy;
}


static void
ngx_http_martech_replay_wake(ngx_http_martech_replay_t *replay, ngx_msec_t ms)
{
    if (replay->timer.timer_set) {
        ngx_del_timer(&replay->timer);
    }

    ngx_add_timer(&replay->timer, ms);
}


static void
ngx_http_martech_replay_timer_handler(ngx_event_t *ev)
{
    ngx_connection_t  *dummy;

    dummy = ev->data;

    ngx_http_martech_replay_next(dummy->data);
}


/* Whatever there is to do next; a worker that leaves begins nothing. */

static void
ngx_http_martech_replay_next(ngx_http_martech_replay_t *replay)
{
    ngx_queue_t               *q;
    ngx_http_martech_spool_t  *spool;

    spool = replay->spool;

    if (replay->closed || replay->busy || ngx_exiting) {
        return;
    }

    if (replay->pending > 0) {

        if (replay->refused == replay->pending
            && ngx_http_martech_replay_may(replay))
        {
            ngx_http_martech_replay_block(replay);
        }

        ngx_http_martech_replay_wake(replay, NGX_HTTP_MARTECH_REPLAY_PAUSE);
        return;
    }

    if (spool->gone) {
        ngx_http_martech_replay_wake(replay, NGX_HTTP_MARTECH_REPLAY_LOOK);
        return;
    }

    if (spool->opened
        && ngx_current_msec - replay->looked >= replay->look_after)
    {
        replay->looked = ngx_current_msec;
        replay->look_after = NGX_HTTP_MARTECH_REPLAY_LOOK
                             + ngx_random() % NGX_HTTP_MARTECH_REPLAY_LOOK;

        ngx_http_martech_replay_run(replay,
                                    NGX_HTTP_MARTECH_REPLAY_ADOPT_JOB);
        return;
    }

    if (ngx_http_martech_replay_may(replay)) {

        if (replay->segment) {
            ngx_http_martech_replay_run(replay,
                                        NGX_HTTP_MARTECH_REPLAY_READ_JOB);
            return;
        }

        if (!ngx_queue_empty(&spool->sealed)) {
            q = ngx_queue_head(&spool->sealed);

            replay->segment = ngx_queue_data(q, ngx_http_martech_sealed_t,
                                             queue);
            replay->replayed = 0;
            replay->job.id = replay->segment->id;
            replay->job.damaged = replay->segment->damaged;

            ngx_http_martech_replay_run(replay,
                                        NGX_HTTP_MARTECH_REPLAY_READ_JOB);
            return;
        }

        ngx_http_martech_spool_seal(spool);
    }

    ngx_http_martech_replay_wake(replay, NGX_HTTP_MARTECH_REPLAY_LOOK / 2);
}


/* Redis takes events, as far as we know. */

static ngx_uint_t
ngx_http_martech_replay_may(ngx_http_martech_replay_t *replay)
{
    ngx_uint_t                i;
    ngx_http_martech_node_t  *node;

    for (i = 0; i < replay->worker->nnodes; i++) {
        node = &replay->worker->nodes[i];

        if (node->state == NGX_HTTP_MARTECH_NODE_READY
            && ngx_http_martech_node_hopeful(node))
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_martech_replay_run(ngx_http_martech_replay_t *replay,
    ngx_http_martech_replay_job_e kind)
{
    ngx_http_martech_replay_task_t  *job;

    job = &replay->job;

    job->kind = kind;
    job->rc = 0;
    job->finished = 0;

    if (kind == NGX_HTTP_MARTECH_REPLAY_ADOPT_JOB) {
        job->first_id = ngx_http_martech_spool_ids(replay->spool,
                                              NGX_HTTP_MARTECH_REPLAY_ADOPT);
    }

    replay->busy = 1;

    if (ngx_http_martech_spool_task(replay->spool, &replay->task) != NGX_OK) {
        replay->busy = 0;
        ngx_http_martech_replay_wake(replay, NGX_HTTP_MARTECH_REPLAY_PAUSE);
    }
}


static void
ngx_http_martech_replay_completed(ngx_event_t *ev)
{
    ngx_http_martech_replay_t       *replay;
    ngx_http_martech_replay_task_t  *job;

    replay = ev->data;
    job = &replay->job;

    if (!replay->busy) {

        /* the worker has left */

        return;
    }

    replay->busy = 0;

    if (replay->spool->gone) {
        ngx_http_martech_spool_renew(replay->spool);
    }

    if (job->rc != 0 && ngx_http_martech_replay_unreadable(replay)) {
        return;
    }

    if (job->rc != 0) {
        ngx_http_martech_count(replay->worker, SPOOL_ERRORS, 1);
        ngx_http_martech_spool_log(replay->spool, &job->error,
                                   "replay tries again");
    }

    if (job->kind == NGX_HTTP_MARTECH_REPLAY_ADOPT_JOB) {
        ngx_http_martech_replay_adopted(replay);
        ngx_http_martech_replay_next(replay);
        return;
    }

    if (job->kind == NGX_HTTP_MARTECH_REPLAY_END_JOB) {
        ngx_http_martech_replay_ended(replay);
        return;
    }

    if (job->skipped > 0) {
        ngx_log_error(NGX_LOG_ERR, replay->worker->log, 0,
                      "martech: spool: %uL bytes of segment %uL of \"%s\" are "
                      "damaged, the segment will be kept in \"damaged\"",
                      job->skipped, job->id, job->store->name);
    }

    if (job->nrecords > 0) {

        /* after an error too: what was read before it is good */

        ngx_http_martech_replay_send(replay);
        return;
    }

    if (job->rc != 0) {
        ngx_http_martech_replay_put_off(replay);
        return;
    }

    ngx_http_martech_replay_run(replay, NGX_HTTP_MARTECH_REPLAY_END_JOB);
}


/* A segment that has lost its name or its head is not read again: 1. */

static ngx_uint_t
ngx_http_martech_replay_unreadable(ngx_http_martech_replay_t *replay)
{
    ngx_http_martech_replay_task_t  *job;

    job = &replay->job;

    if (job->kind != NGX_HTTP_MARTECH_REPLAY_READ_JOB || job->reading
        || (job->error.err != ENOENT && job->error.err != EBADMSG))
    {
        return 0;
    }

    ngx_log_error(NGX_LOG_ERR, replay->worker->log, job->error.err,
                  "martech: spool: %s \"%s\" failed, %uL events are lost",
                  job->error.step, job->error.file, replay->segment->records);

    ngx_http_martech_count(replay->worker, SPOOL_ERRORS, 1);

    job->damaged = (job->error.err == EBADMSG);

    ngx_http_martech_replay_run(replay, NGX_HTTP_MARTECH_REPLAY_END_JOB);

    return 1;
}


static void
ngx_http_martech_replay_adopted(ngx_http_martech_replay_t *replay)
{
    unsigned                         i;
    uint64_t                         n, known;
    ngx_http_martech_sealed_t        sealed;
    ngx_http_martech_replay_task_t  *job;

    job = &replay->job;
    n = 0;

    for (i = 0; i < job->adoption.segments; i++) {
        sealed.id = job->adopted[i].id;
        sealed.bytes = job->adopted[i].size;
        sealed.records = job->counts[i].records;
        sealed.damaged = 0;

        n += sealed.records;

        (void) ngx_http_martech_spool_add(replay->spool, &sealed);
    }

    if (job->adoption.segments > 0 || job->adoption.damaged > 0) {
        ngx_log_error(NGX_LOG_NOTICE, replay->worker->log, 0,
                      "martech: spool: adopted %ud segments with %uL events "
                      "of %ud workers that have left",
                      job->adoption.segments, n, job->adoption.folders);
    }

    if (job->adoption.more) {
        replay->look_after = 0;
    }

    if (job->adoption.foreign != replay->foreign) {
        replay->foreign = job->adoption.foreign;

        ngx_log_error(NGX_LOG_WARN, replay->worker->log, 0,
                      "martech: spool: %ui segments of another version are "
                      "left where they are", replay->foreign);
    }

    if (job->gone) {
        ngx_http_martech_spool_renew(replay->spool);
    }

    if (n == 0 && job->adoption.folders == 0) {
        ngx_http_martech_replay_strays(replay);
        return;
    }

    replay->fruitless = 0;

    known = ngx_http_martech_stats_adopt(replay->worker->conf->zone, n);

    ngx_http_martech_count(replay->worker, SPOOL_FOUND, n - known);
    ngx_http_martech_spool_count(replay->spool, (int64_t) n);
}


/*
 * Events that a worker has left on disk, and that nobody finds in so many
 * looks: in an upgrade the workers of another master have adopted them.
 * Should somebody find them later, they count as found.
 */

static void
ngx_http_martech_replay_strays(ngx_http_martech_replay_t *replay)
{
    uint64_t         n;
    ngx_shm_zone_t  *zone;

    zone = replay->worker->conf->zone;

    n = ngx_http_martech_stats_orphans(zone);

    if (n == 0 || n != replay->strays || replay->job.rc != 0) {
        replay->strays = n;
        replay->fruitless = 0;
        return;
    }

    if (++replay->fruitless < NGX_HTTP_MARTECH_REPLAY_FRUITLESS
        || ngx_http_martech_stats_forget(zone, n) != NGX_OK)
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, replay->worker->log, 0,
                  "martech: spool: %uL events of workers that have left are "
                  "not found on disk: another master has taken them, or "
                  "somebody has deleted them", n);

    ngx_http_martech_count(replay->worker, SPOOL_TAKEN, n);
}


static void
ngx_http_martech_replay_send(ngx_http_martech_replay_t *replay)
{
    u_char                          *p;
    ngx_uint_t                       i;
    ngx_http_martech_record_t       *record;
    ngx_http_martech_replay_task_t  *job;

    job = &replay->job;
    p = job->block;

    replay->pending = job->nrecords;
    replay->refused = job->nrecords;

    for (i = 0; i < job->nrecords; i++) {
        record = &job->records[i];
        record->data = p;
        record->refused = 1;
        p += record->len;
    }

    ngx_http_martech_replay_block(replay);
}


/* Sends what is left of the block. */

static void
ngx_http_martech_replay_block(ngx_http_martech_replay_t *replay)
{
    ngx_uint_t                  i;
    ngx_http_martech_record_t  *record;

    replay->refused = 0;

    for (i = 0; i < replay->job.nrecords; i++) {
        record = &replay->job.records[i];

        if (record->refused) {
            record->refused = 0;
            record->moves = 0;
            record->start = ngx_current_msec;
            ngx_http_martech_cluster_push(replay->worker, record);
        }
    }

    ngx_http_martech_replay_wake(replay, NGX_HTTP_MARTECH_REPLAY_PAUSE);
}


void
ngx_http_martech_replay_stored(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record)
{
    ngx_http_martech_replay_t       *replay;
    ngx_http_martech_replay_task_t  *job;

    replay = worker->replay;
    job = &replay->job;

    record->stored = 1;

    replay->pending--;
    replay->replayed++;

    ngx_http_martech_count(worker, SPOOL_REPLAYED, 1);
    ngx_http_martech_count(worker, QUARANTINED, record->quarantined);

    /* the counters and the file do not always agree: the file is right */

    if (replay->replayed <= replay->segment->records) {
        ngx_http_martech_spool_count(replay->spool, -1);

    } else {
        ngx_http_martech_count(worker, SPOOL_FOUND, 1);
    }

    if (replay->pending > 0 || replay->closed) {
        return;
    }

    job->progress = job->behind[job->nrecords - 1];

    if (ngx_exiting) {
        return;
    }

    ngx_http_martech_replay_wake(replay, 0);
}


ngx_uint_t
ngx_http_martech_replay_pending(ngx_http_martech_worker_t *worker)
{
    return worker->replay
           && worker->replay->pending > worker->replay->refused;
}


void
ngx_http_martech_replay_refused(ngx_http_martech_worker_t *worker,
    ngx_http_martech_record_t *record)
{
    record->refused = 1;
    worker->replay->refused++;
}


static void
ngx_http_martech_replay_ended(ngx_http_martech_replay_t *replay)
{
    int64_t                     rest;
    ngx_http_martech_sealed_t  *segment;

    segment = replay->segment;

    if (replay->job.rc != 0) {

        /* it is still there, and would be sent again */

        ngx_http_martech_replay_put_off(replay);
        return;
    }

    if (replay->replayed < segment->records) {
        rest = (int64_t) (segment->records - replay->replayed);

        ngx_http_martech_count(replay->worker, SPOOL_LOST, rest);
        ngx_http_martech_spool_count(replay->spool, -rest);
    }

    ngx_http_martech_spool_remove(replay->spool, segment);

    replay->segment = NULL;

    ngx_http_martech_replay_next(replay);
}


/* A segment that cannot be read must not stand in the way of the others. */

static void
ngx_http_martech_replay_put_off(ngx_http_martech_replay_t *replay)
{
    ngx_http_martech_sealed_t  *segment;

    segment = replay->segment;

    segment->damaged = replay->job.damaged;
    segment->records -= ngx_min(replay->replayed, segment->records);

    ngx_queue_remove(&segment->queue);
    ngx_queue_insert_tail(&replay->spool->sealed, &segment->queue);

    if (replay->job.reading) {
        ngx_http_martech_store_reader_close(&replay->job.reader);
        replay->job.reading = 0;
    }

    replay->segment = NULL;

    ngx_http_martech_replay_wake(replay, NGX_HTTP_MARTECH_REPLAY_PAUSE);
}


/*
 * The worker leaves: notes how far it has come.  What is in the block stays
 * on disk; its records are forgotten with their nodes.
 */

void
ngx_http_martech_replay_close(ngx_http_martech_worker_t *worker)
{
    ngx_uint_t                       i;
    ngx_http_martech_replay_t       *replay;
    ngx_http_martech_replay_task_t  *job;

    replay = worker->replay;

    if (replay == NULL || replay->closed) {
        return;
    }

    job = &replay->job;
    replay->closed = 1;

    if (replay->timer.timer_set) {
        ngx_del_timer(&replay->timer);
    }

    if (replay->busy) {

        while (!job->finished) {
            ngx_msleep(1);
        }

        ngx_memory_barrier();

        replay->busy = 0;

        if (job->kind == NGX_HTTP_MARTECH_REPLAY_ADOPT_JOB) {
            ngx_http_martech_replay_adopted(replay);

        } else if (job->kind == NGX_HTTP_MARTECH_REPLAY_END_JOB) {
            ngx_http_martech_replay_ended(replay);

        } else {
            job->nrecords = 0;
        }
    }

    for (i = 0; replay->pending > 0 && i < job->nrecords; i++) {
        ngx_http_martech_record_place(&job->records[i], NULL,
                                      NGX_HTTP_MARTECH_RECORD_NOWHERE);
    }

    if (job->reading) {
        ngx_http_martech_replay_note(job);
        ngx_http_martech_store_reader_close(&job->reader);
        job->reading = 0;
    }

    free(job->block);
    job->block = NULL;
}
