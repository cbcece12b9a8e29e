
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What a thread does for the spool: calls that block.  While it runs, the job
 * is its own; it touches nothing else but the bytes of the records.
 */


#include "ngx_http_martech_spool.h"


static int ngx_http_martech_job_open(ngx_http_martech_job_t *job);
static int ngx_http_martech_job_write(ngx_http_martech_job_t *job);
static int ngx_http_martech_job_append(ngx_http_martech_job_t *job);
static int ngx_http_martech_job_file(ngx_http_martech_job_t *job);
static int ngx_http_martech_job_check(ngx_http_martech_job_t *job);
static int ngx_http_martech_job_create(ngx_http_martech_job_t *job,
    ngx_http_martech_store_file_t *file);
static ngx_uint_t ngx_http_martech_job_iovs(ngx_http_martech_job_t *job);
static int ngx_http_martech_job_seal(ngx_http_martech_job_t *job);


void
ngx_http_martech_job_run(void *data, ngx_log_t *log)
{
    ngx_http_martech_job_t *job = data;

    switch (job->kind) {

    case NGX_HTTP_MARTECH_JOB_OPEN:
        job->rc = ngx_http_martech_job_open(job);
        break;

    case NGX_HTTP_MARTECH_JOB_WRITE:
        job->rc = ngx_http_martech_job_write(job);
        break;

    case NGX_HTTP_MARTECH_JOB_SYNC:
        job->rc = (job->file.fd == -1)
                  ? 0 : ngx_http_martech_store_file_sync(&job->file,
                                                         &job->error);

        if (job->rc != 0) {

            /* nothing more goes into a file whose fsync has failed */

            (void) ngx_http_martech_job_seal(job);
        }

        break;

    case NGX_HTTP_MARTECH_JOB_SPARE:
        job->rc = (job->file.fd == -1)
                  ? ngx_http_martech_job_file(job)
                  : ngx_http_martech_job_create(job, &job->spare);
        break;

    default: /* NGX_HTTP_MARTECH_JOB_SEAL */
        job->rc = ngx_http_martech_job_seal(job);
    }

    /* without its folder nothing helps but to make it once more */

    job->gone = job->rc != 0 && job->opened
                && ngx_http_martech_store_gone(&job->store);

    ngx_memory_barrier();

    job->finished = 1;
}


static int
ngx_http_martech_job_open(ngx_http_martech_job_t *job)
{
    ngx_http_martech_job_close(job);

    if (ngx_http_martech_store_open(&job->store, job->root, job->name,
                                    &job->error)
        != 0)
    {
        return -1;
    }

    job->opened = 1;

    /* whether there is room for a segment is found out by who writes */

    return 0;
}


/* After a failure once more, to a new segment. */

static int
ngx_http_martech_job_write(ngx_http_martech_job_t *job)
{
    int                             rc;
    ngx_http_martech_store_error_t  first;

    rc = ngx_http_martech_job_append(job);

    if (rc == 0) {
        return 0;
    }

    first = job->error;

    if (job->file.fd != -1) {
        (void) ngx_http_martech_job_seal(job);

        rc = ngx_http_martech_job_append(job);

        if (rc != 0 && job->file.fd != -1) {
            (void) ngx_http_martech_job_seal(job);
        }
    }

    if (rc != 0) {
        job->error = first;
    }

    return rc;
}


static int
ngx_http_martech_job_append(ngx_http_martech_job_t *job)
{
    uint64_t                        offset;
    ngx_uint_t                      n;
    ngx_http_martech_store_error_t  ignored;

    if (job->file.fd != -1 && job->file_records > 0
        && job->file.offset + job->bytes > job->segment)
    {
        (void) ngx_http_martech_job_seal(job);
    }

    if (ngx_http_martech_job_file(job) != 0
        || ngx_http_martech_job_check(job) != 0)
    {
        return -1;
    }

    n = ngx_http_martech_job_iovs(job);
    offset = job->file.offset;

    if (ngx_http_martech_store_file_append(&job->file, job->iovs, n,
                                           &job->error)
        == 0
        && (!job->sync
            || ngx_http_martech_store_file_sync(&job->file, &job->error)
               == 0))
    {
        job->file_records += job->records;
        return 0;
    }

    (void) ngx_http_martech_store_file_undo(&job->file, offset, &ignored);

    return -1;
}


/* Makes sure that there is a segment to write to. */

static int
ngx_http_martech_job_file(ngx_http_martech_job_t *job)
{
    if (job->file.fd != -1) {
        return 0;
    }

    if (job->spare.fd != -1) {
        job->file = job->spare;
        job->spare.fd = -1;

    } else if (ngx_http_martech_job_create(job, &job->file) != 0) {
        return -1;
    }

    job->file_records = 0;

    return 0;
}


/* What is written to a file that has no name any more would be lost. */

static int
ngx_http_martech_job_check(ngx_http_martech_job_t *job)
{
    if (!ngx_http_martech_store_file_gone(&job->file)) {
        return 0;
    }

    job->error.err = ENOENT;
    job->error.step = "finding a segment in the folder below";

    ngx_cpystrn((u_char *) job->error.file, (u_char *) job->root,
                sizeof(job->error.file));

    return -1;
}


static int
ngx_http_martech_job_create(ngx_http_martech_job_t *job,
    ngx_http_martech_store_file_t *file)
{
    int  rc;

    if (job->full) {
        job->error.err = ENOSPC;
        job->error.step = "keeping to max_size of";

        ngx_cpystrn((u_char *) job->error.file, (u_char *) job->root,
                    sizeof(job->error.file));
        return -1;
    }

    rc = ngx_http_martech_store_file_create(file, &job->store, job->next_id++,
                                            job->zone, job->now_ms,
                                            job->segment, &job->error);
    if (rc != 0) {
        file->fd = -1;
    }

    return rc;
}


/* Frames belong to a segment, so they are made for each try. */

static ngx_uint_t
ngx_http_martech_job_iovs(ngx_http_martech_job_t *job)
{
    size_t                      len, pad;
    u_char                     *frame, *payload;
    uint64_t                    seq;
    ngx_uint_t                  n;
    ngx_queue_t                *q;
    ngx_http_martech_record_t  *record;

    n = 0;
    seq = job->file_records;
    frame = job->frames;

    for (q = ngx_queue_head(&job->batch);
         q != ngx_queue_sentinel(&job->batch);
         q = ngx_queue_next(q))
    {
        record = ngx_queue_data(q, ngx_http_martech_record_t, spool);

        payload = record->data + record->head;
        len = record->len - record->head;

        ngx_http_martech_segment_frame_write(frame, job->file.salt, ++seq,
                                             record->hash, payload, len);

        job->iovs[n].iov_base = frame;
        job->iovs[n++].iov_len = NGX_HTTP_MARTECH_SEGMENT_FRAME;

        job->iovs[n].iov_base = payload;
        job->iovs[n++].iov_len = len;

        pad = ngx_http_martech_segment_size(len) - len
              - NGX_HTTP_MARTECH_SEGMENT_FRAME;

        if (pad > 0) {
            job->iovs[n].iov_base =
                                 (void *) ngx_http_martech_segment_padding;
            job->iovs[n++].iov_len = pad;
        }

        frame += NGX_HTTP_MARTECH_SEGMENT_FRAME;
    }

    return n;
}


/* Ends the segment; one without records is deleted. */

static int
ngx_http_martech_job_seal(ngx_http_martech_job_t *job)
{
    uint64_t                        id, bytes;
    ngx_http_martech_store_error_t  err;

    if (job->file.fd == -1) {
        return 0;
    }

    id = job->file.id;
    bytes = job->file.offset;

    if (job->lazy) {
        (void) ngx_http_martech_store_file_sync(&job->file, &err);
    }

    /* all that counts is on disk; what fails here fails when it is read */

    (void) ngx_http_martech_store_file_seal(&job->file, &err);
    job->file.fd = -1;

    if (job->file_records == 0) {
        (void) ngx_http_martech_store_delete(&job->store, id, &err);

    } else {
        job->sealed[job->nsealed].id = id;
        job->sealed[job->nsealed].records = job->file_records;
        job->sealed[job->nsealed].bytes = bytes;
        job->sealed[job->nsealed].damaged = 0;
        job->nsealed++;
    }

    job->file_records = 0;

    return 0;
}


void
ngx_http_martech_job_close(ngx_http_martech_job_t *job)
{
    uint64_t                        id;
    ngx_http_martech_store_error_t  err;

    if (!job->opened) {
        return;
    }

    (void) ngx_http_martech_job_seal(job);

    if (job->spare.fd != -1) {
        id = job->spare.id;

        ngx_http_martech_store_file_close(&job->spare);
        (void) ngx_http_martech_store_delete(&job->store, id, &err);
    }

    /* with segments left it becomes an orphan */

    if (ngx_http_martech_store_remove(&job->store, &err) != 0) {
        ngx_http_martech_store_close(&job->store);
    }

    job->opened = 0;
}
