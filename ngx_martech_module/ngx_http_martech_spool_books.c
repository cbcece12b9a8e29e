
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The books of the spool: which segments there are, how much is in them.
 */


#include "ngx_http_martech_spool.h"


void
ngx_http_martech_spool_seal(ngx_http_martech_spool_t *spool)
{
    if (!spool->busy && spool->job.file_records > 0) {
        spool->seal = 1;
        ngx_http_martech_spool_next(spool);
    }
}


void
ngx_http_martech_spool_renew(ngx_http_martech_spool_t *spool)
{
    spool->gone = 1;

    if (!spool->flush.posted && !spool->closed) {
        ngx_post_event(&spool->flush, &ngx_posted_events);
    }
}


ngx_int_t
ngx_http_martech_spool_add(ngx_http_martech_spool_t *spool,
    ngx_http_martech_sealed_t *sealed)
{
    ngx_queue_t                *q;
    ngx_http_martech_sealed_t  *entry, *other;

    entry = ngx_alloc(sizeof(ngx_http_martech_sealed_t), spool->worker->log);

    if (entry == NULL) {

        /* the file stays, and is found by who adopts the folder */

        return NGX_ERROR;
    }

    *entry = *sealed;
    spool->bytes += entry->bytes;

    for (q = ngx_queue_last(&spool->sealed);
         q != ngx_queue_sentinel(&spool->sealed);
         q = ngx_queue_prev(q))
    {
        other = ngx_queue_data(q, ngx_http_martech_sealed_t, queue);

        if (other->id < entry->id) {
            break;
        }
    }

    ngx_queue_insert_after(q, &entry->queue);
    ngx_http_martech_spool_gauges(spool);

    return NGX_OK;
}


void
ngx_http_martech_spool_remove(ngx_http_martech_spool_t *spool,
    ngx_http_martech_sealed_t *sealed)
{
    spool->bytes -= sealed->bytes;

    ngx_queue_remove(&sealed->queue);
    ngx_free(sealed);

    ngx_http_martech_spool_gauges(spool);

    if (!spool->flush.posted && !spool->closed) {

        /* there may be room again */

        ngx_post_event(&spool->flush, &ngx_posted_events);
    }
}


void
ngx_http_martech_spool_count(ngx_http_martech_spool_t *spool, int64_t n)
{
    spool->worker->stats->gauges[NGX_HTTP_MARTECH_GAUGE_SPOOL_WAITING] += n;
}


/* Only while no thread has the job. */

void
ngx_http_martech_spool_gauges(ngx_http_martech_spool_t *spool)
{
    uint64_t                 bytes;
    ngx_http_martech_job_t  *job;

    job = &spool->job;
    bytes = spool->bytes;

    if (!spool->busy) {
        spool->room = 0;

        if (job->file.fd != -1) {
            spool->room = spool->conf->segment > job->file.offset
                          ? spool->conf->segment - job->file.offset : 0;
        }

        if (job->spare.fd != -1) {
            spool->room += spool->conf->segment;
        }

        spool->open_bytes = 0;

        if (job->file.fd != -1) {
            spool->open_bytes += ngx_max(spool->conf->segment,
                                         job->file.offset);
        }

        if (job->spare.fd != -1) {
            spool->open_bytes += spool->conf->segment;
        }
    }

    bytes += spool->open_bytes;

    spool->worker->stats->gauges[NGX_HTTP_MARTECH_GAUGE_SPOOL_BYTES] = bytes;
    spool->worker->stats->gauges[NGX_HTTP_MARTECH_GAUGE_SPOOL_READY] =
                                             spool->opened && !spool->failed;
}


void
ngx_http_martech_spool_log(ngx_http_martech_spool_t *spool,
    ngx_http_martech_store_error_t *err, const char *consequence)
{
    ngx_uint_t  level;

    level = NGX_LOG_INFO;

    if (spool->logged == 0
        || ngx_time() - spool->logged >= NGX_HTTP_MARTECH_LOG_INTERVAL)
    {
        level = NGX_LOG_ERR;
        spool->logged = ngx_time();
    }

    ngx_log_error(level, spool->worker->log, err->err,
                  "martech: spool: %s \"%s\" failed, %s", err->step,
                  err->file, consequence);
}
