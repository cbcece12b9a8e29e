
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The kind file: appends batches to event files in the thread pool of libuv.
 *
 * A disk that is full is nobody's fault but the disk's: the batch waits and
 * is written again, no attempt is used up and nothing is given up.
 *
 * A record is a line: line ends inside of strings are escaped in JSON, and
 * those between values are replaced here.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_dest.h"
#include "fwd_segment.h"


typedef struct {
    fwd_core_t           *core;
    fwd_segment_t         segment;
    uv_work_t             work;
    fwd_batch_t          *batch;         /* being written, or NULL */
    uint64_t              now_ms;
    fwd_rc_t              rc;
    fwd_error_t           err;
    unsigned              closing:1;
} fwd_writer_t;


static fwd_rc_t fwd_writer_create(void **ctx, fwd_core_t *core,
    const fwd_dest_conf_t *conf, fwd_error_t *err);
static void fwd_writer_send(void *ctx, fwd_batch_t *batch);
static fwd_rc_t fwd_writer_flatten(fwd_batch_t *batch);
static void fwd_writer_work(uv_work_t *work);
static void fwd_writer_done(uv_work_t *work, int status);
static void fwd_writer_destroy(void *ctx);
static void fwd_writer_free(fwd_writer_t *w);


const fwd_kind_t  fwd_kind_file = {
    "file",
    fwd_writer_create,
    fwd_writer_send,
    fwd_writer_destroy
};


static fwd_rc_t
fwd_writer_create(void **ctx, fwd_core_t *core, const fwd_dest_conf_t *conf,
    fwd_error_t *err)
{
    fwd_writer_t  *w;

    w = calloc(1, sizeof(fwd_writer_t));
    if (w == NULL) {
        return fwd_error(err, "out of memory");
    }

    w->core = core;
    w->work.data = w;
    fwd_segment_init(&w->segment, &conf->file, core);

    *ctx = w;

    return FWD_OK;
}


/* The destination has a concurrency of 1, so no batch is under way. */

static void
fwd_writer_send(void *ctx, fwd_batch_t *batch)
{
    fwd_writer_t  *w = ctx;

    w->batch = batch;
    w->now_ms = fwd_wall_ms();

    if (fwd_writer_flatten(batch) == FWD_OK
        && uv_queue_work(w->core->loop, &w->work, fwd_writer_work,
                         fwd_writer_done)
           == 0)
    {
        return;
    }

    w->batch = NULL;

    batch->outcome = FWD_OUTCOME_PAUSED;
    (void) snprintf(batch->reason, sizeof(batch->reason), "out of memory");
    fwd_batch_done(batch);
}


/*
 * Line ends between values are white space: as blanks they mean the same.
 * Only a producer other than the edge writes such events, so the copy is
 * rare.
 */

static fwd_rc_t
fwd_writer_flatten(fwd_batch_t *batch)
{
    size_t         n;
    uint32_t       i, lines;
    fwd_buf_t      flat;
    unsigned char  c;

    lines = 0;

    for (i = 0; i < batch->records_count; i++) {
        lines += (memchr(batch->records[i].data, '\n', batch->records[i].len)
                  != NULL);
    }

    if (lines == 0) {
        return FWD_OK;
    }

    fwd_buf_init(&flat, FWD_BATCH_MAPPED_MAX);

    for (i = 0; i < batch->records_count; i++) {
        for (n = 0; n < batch->records[i].len; n++) {
            c = batch->records[i].data[n];
            fwd_buf_add_char(&flat, (c == '\n' || c == '\r') ? ' ' : c);
        }
    }

    if (flat.failed) {
        fwd_buf_free(&flat);
        return FWD_ERROR;
    }

    n = 0;

    for (i = 0; i < batch->records_count; i++) {
        batch->records[i].data = flat.data + n;
        n += batch->records[i].len;
    }

    fwd_buf_free(&batch->mapped);
    batch->mapped = flat;

    return FWD_OK;
}


/* In a worker thread: the batch is not touched elsewhere until done. */

static void
fwd_writer_work(uv_work_t *work)
{
    fwd_writer_t  *w;

    w = work->data;

    w->rc = fwd_segment_append(&w->segment, w->batch->records,
                               w->batch->records_count, w->now_ms, &w->err);
}


static void
fwd_writer_done(uv_work_t *work, int status)
{
    fwd_batch_t   *batch;
    fwd_writer_t  *w;

    w = work->data;
    batch = w->batch;
    w->batch = NULL;

    if (w->closing) {
        fwd_writer_free(w);

        /* written or not, it stays queued */

        while (batch->items_count != 0) {
            fwd_item_free(batch->items[--batch->items_count]);
        }

        fwd_batch_free(batch);
        return;
    }

    if (status == 0 && w->rc == FWD_OK) {
        batch->outcome = FWD_OUTCOME_DELIVERED;

    } else {
        batch->outcome = FWD_OUTCOME_PAUSED;
        (void) snprintf(batch->reason, sizeof(batch->reason), "%s",
                        status == 0 ? w->err.text : "canceled");
    }

    fwd_batch_done(batch);
}


static void
fwd_writer_destroy(void *ctx)
{
    fwd_writer_t  *w = ctx;

    if (w->batch != NULL) {
        w->closing = 1;                  /* done() frees it */
        return;
    }

    fwd_writer_free(w);
}


static void
fwd_writer_free(fwd_writer_t *w)
{
    fwd_segment_close(&w->segment);
    free(w);
}
