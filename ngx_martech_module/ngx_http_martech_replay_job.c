
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What a thread does for the replay: calls that block.  While it runs, the job
 * is its own.
 */


#include "ngx_http_martech_spool.h"


#define NGX_HTTP_MARTECH_REPLAY_BLOCK  (256 * 1024)     /* bytes */


static void ngx_http_martech_replay_adopt(ngx_http_martech_replay_task_t *job);
static void ngx_http_martech_replay_read(ngx_http_martech_replay_task_t *job);
static ngx_int_t ngx_http_martech_replay_command(
    ngx_http_martech_replay_task_t *job,
    ngx_http_martech_store_record_t *record, size_t *used);
static void ngx_http_martech_replay_end(ngx_http_martech_replay_task_t *job);


void
ngx_http_martech_replay_thread(void *data, ngx_log_t *log)
{
    ngx_http_martech_replay_task_t *job = data;

    switch (job->kind) {

    case NGX_HTTP_MARTECH_REPLAY_ADOPT_JOB:
        ngx_http_martech_replay_adopt(job);
        break;

    case NGX_HTTP_MARTECH_REPLAY_READ_JOB:
        ngx_http_martech_replay_read(job);
        break;

    default: /* NGX_HTTP_MARTECH_REPLAY_END_JOB */
        ngx_http_martech_replay_end(job);
    }

    ngx_memory_barrier();

    job->finished = 1;
}


static void
ngx_http_martech_replay_adopt(ngx_http_martech_replay_task_t *job)
{
    unsigned                         i;
    ngx_http_martech_store_error_t   err;
    ngx_http_martech_store_count_t  *count;

    job->gone = ngx_http_martech_store_gone(job->store);

    job->rc = ngx_http_martech_store_adopt(job->store, job->first_id,
                                           job->adopted,
                                           NGX_HTTP_MARTECH_REPLAY_ADOPT,
                                           &job->adoption, &job->error);

    for (i = 0; i < job->adoption.segments; i++) {
        count = &job->counts[i];

        if (ngx_http_martech_store_count(job->store, job->adopted[i].id,
                                         count, &err)
            != 0)
        {
            /* unreadable now; what it has is found when it is replayed */

            count->records = 0;
        }
    }
}


static void
ngx_http_martech_replay_read(ngx_http_martech_replay_task_t *job)
{
    size_t                           used;
    ngx_http_martech_store_next_e    next;
    ngx_http_martech_store_error_t   err;

    job->nrecords = 0;
    job->skipped = 0;
    used = 0;

    if (!job->reading) {
        job->rc = ngx_http_martech_store_reader_open(&job->reader, job->store,
                                                     job->id, 0, 0,
                                                     &job->error);
        if (job->rc != 0) {
            return;
        }

        job->reading = 1;
        job->held = 0;
        job->progress = 0;
    }

    if (job->progress > 0) {

        /* what is not noted is only sent twice */

        (void) ngx_http_martech_store_reader_progress(&job->reader,
                                                      job->progress, &err);
    }

    while (job->nrecords < NGX_HTTP_MARTECH_REPLAY_RECORDS
           && used < NGX_HTTP_MARTECH_REPLAY_BLOCK)
    {
        next = job->held
               ? NGX_HTTP_MARTECH_STORE_RECORD
               : ngx_http_martech_store_reader_next(&job->reader,
                                                    &job->record,
                                                    &job->error);

        if (next == NGX_HTTP_MARTECH_STORE_RECORD) {

            /* without memory it is the first of the next try */

            job->held = 1;

            if (ngx_http_martech_replay_command(job, &job->record, &used)
                != NGX_OK)
            {
                job->rc = -1;
                return;
            }

            job->held = 0;
            continue;
        }

        if (next == NGX_HTTP_MARTECH_STORE_ERROR) {
            job->rc = -1;
            return;
        }

        if (next == NGX_HTTP_MARTECH_STORE_DAMAGED) {
            job->damaged = 1;
            job->skipped += job->record.behind - job->record.offset;
            continue;
        }

        return;
    }
}


/*
 * The command that stores a record, at the end of the block.  The payload says
 * which stream it is for.  The block may move as it grows, so records are told
 * where their bytes are when all of them are there.
 */

static ngx_int_t
ngx_http_martech_replay_command(ngx_http_martech_replay_task_t *job,
    ngx_http_martech_store_record_t *record, size_t *used)
{
    size_t                      len;
    u_char                     *block;
    ngx_str_t                  *head;
    ngx_uint_t                  shard, quarantined;
    ngx_http_martech_record_t  *command;

    shard = (ngx_uint_t) (record->hash % job->conf->shards);
    quarantined = (ngx_http_martech_segment_payload_check(record->payload,
                                                          record->len)
                   == NGX_HTTP_MARTECH_SEGMENT_QUARANTINE);
    head = quarantined ? &job->conf->quarantine_heads[shard]
                       : &job->conf->heads[shard];
    len = head->len + record->len;

    if (*used + len > job->size) {
        block = realloc(job->block, *used + len);

        if (block == NULL) {
            job->error.err = ENOMEM;
            job->error.step = "allocating a block for";
            job->error.file[0] = '\0';
            return NGX_ERROR;
        }

        job->block = block;
        job->size = *used + len;
    }

    ngx_memcpy(ngx_cpymem(job->block + *used, head->data, head->len),
               record->payload, record->len);

    command = &job->records[job->nrecords];

    ngx_memzero(command, sizeof(ngx_http_martech_record_t));

    command->kind = NGX_HTTP_MARTECH_RECORD_REPLAY;
    command->decided = 1;
    command->quarantined = (unsigned) (quarantined & 1);
    command->hash = record->hash;
    command->shard = (uint16_t) shard;
    command->head = (uint16_t) head->len;
    command->len = (uint32_t) len;

    job->behind[job->nrecords] = record->behind;
    job->nrecords++;

    *used += len;

    return NGX_OK;
}


/* All of it is in Redis; a damaged one is put aside, for a human. */

static void
ngx_http_martech_replay_end(ngx_http_martech_replay_task_t *job)
{
    if (job->reading) {
        ngx_http_martech_store_reader_close(&job->reader);
        job->reading = 0;
    }

    job->rc = job->damaged
              ? ngx_http_martech_store_keep(job->store, job->id, &job->error)
              : ngx_http_martech_store_delete(job->store, job->id,
                                              &job->error);

    if (job->rc != 0 && job->error.err == ENOENT) {

        /* somebody was faster */

        job->rc = 0;
    }
}


/* Notes the records that Redis has, up to the first that it may not have. */

void
ngx_http_martech_replay_note(ngx_http_martech_replay_task_t *job)
{
    ngx_uint_t                      i;
    ngx_http_martech_store_error_t  err;

    for (i = 0; i < job->nrecords && job->records[i].stored; i++) {
        job->progress = job->behind[i];
    }

    if (job->progress > 0) {
        (void) ngx_http_martech_store_reader_progress(&job->reader,
                                                      job->progress, &err);
    }
}
