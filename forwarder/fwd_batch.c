
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Batches.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_batch.h"
#include "fwd_call.h"


#define FWD_BATCH_SIZE_MIN     16
#define FWD_BATCH_REASONS_MAX  (256 * 1024)
#define FWD_BATCH_HEADERS_MAX  8192
#define FWD_BATCH_STEER_MAX    (64 * 1024 * 1024)


static fwd_rc_t fwd_batch_record(fwd_batch_t *batch, martech_str_t text);
static void fwd_batch_seal_steer(fwd_batch_t *batch, martech_str_t *text);


fwd_batch_t *
fwd_batch_create(fwd_core_t *core, fwd_dest_t *dest)
{
    fwd_batch_t  *batch;

    batch = calloc(1, sizeof(fwd_batch_t));
    if (batch == NULL) {
        return NULL;
    }

    batch->core = core;
    batch->dest = dest;
    batch->refs = 1;
    fwd_buf_init(&batch->mapped, FWD_BATCH_MAPPED_MAX);
    fwd_buf_init(&batch->steer, FWD_BATCH_STEER_MAX);
    fwd_buf_init(&batch->reasons, FWD_BATCH_REASONS_MAX);
    fwd_buf_init(&batch->exchange.request_headers, FWD_BATCH_HEADERS_MAX);
    fwd_buf_init(&batch->exchange.headers, FWD_BATCH_HEADERS_MAX);
    fwd_buf_init(&batch->exchange.answer, FWD_EXCHANGE_ANSWER_MAX);

    return batch;
}


fwd_batch_t *
fwd_batch_ref(fwd_batch_t *batch)
{
    batch->refs++;

    return batch;
}


void
fwd_batch_free(fwd_batch_t *batch)
{
    if (batch == NULL || --batch->refs != 0) {
        return;
    }

    fwd_buf_free(&batch->exchange.request_headers);
    fwd_buf_free(&batch->exchange.headers);
    fwd_buf_free(&batch->exchange.answer);
    fwd_buf_free(&batch->reasons);
    fwd_buf_free(&batch->mapped);
    fwd_buf_free(&batch->steer);
    fwd_calls_free(batch->calls);
    free(batch->steers);
    free(batch->verdicts);
    free(batch->records);
    free(batch->record_items);
    free(batch->items);
    free(batch);
}


fwd_rc_t
fwd_batch_add(fwd_batch_t *batch, fwd_item_t *item)
{
    uint32_t      size;
    fwd_item_t  **items;

    if (batch->items_count == batch->items_size) {
        size = batch->items_size ? batch->items_size * 2 : FWD_BATCH_SIZE_MIN;

        items = realloc(batch->items, size * sizeof(fwd_item_t *));
        if (items == NULL) {
            return FWD_ERROR;
        }

        batch->items = items;
        batch->items_size = size;
    }

    batch->items[batch->items_count++] = item;

    return FWD_OK;
}


fwd_rc_t
fwd_batch_add_slice(fwd_batch_t *batch, martech_str_t text)
{
    return fwd_batch_record(batch, text);
}


/*
 * The buffer moves while it grows, so a record is an offset at first.  A
 * batch has either slices or copies: it depends on the destination only.
 */

fwd_rc_t
fwd_batch_add_copy(fwd_batch_t *batch, const void *data, size_t len)
{
    size_t         offset;
    martech_str_t  text;

    offset = batch->mapped.len;
    fwd_buf_add(&batch->mapped, data, len);

    if (batch->mapped.failed) {
        return FWD_ERROR;
    }

    batch->mapped_used = 1;

    text.data = (const unsigned char *) (uintptr_t) offset;
    text.len = len;

    return fwd_batch_record(batch, text);
}


static fwd_rc_t
fwd_batch_record(fwd_batch_t *batch, martech_str_t text)
{
    uint32_t        size, *record_items;
    martech_str_t  *records;

    if (batch->records_count == batch->records_size) {
        size = batch->records_size
               ? batch->records_size * 2 : FWD_BATCH_SIZE_MIN;

        records = realloc(batch->records, size * sizeof(martech_str_t));
        if (records == NULL) {
            return FWD_ERROR;
        }

        batch->records = records;

        record_items = realloc(batch->record_items, size * sizeof(uint32_t));
        if (record_items == NULL) {
            return FWD_ERROR;
        }

        batch->record_items = record_items;
        batch->records_size = size;
    }

    batch->records[batch->records_count] = text;
    batch->record_items[batch->records_count] = batch->items_count - 1;
    batch->records_count++;
    batch->bytes += text.len;

    return FWD_OK;
}


/* As of records: texts are offsets at first. */

fwd_rc_t
fwd_batch_steer(fwd_batch_t *batch, const fwd_steer_t *steer)
{
    size_t           i;
    fwd_steer_t     *to, *steers;
    martech_str_t   *text[4];

    if (batch->steers == NULL || batch->steers_size < batch->records_size) {
        steers = realloc(batch->steers,
                         batch->records_size * sizeof(fwd_steer_t));
        if (steers == NULL) {
            return FWD_ERROR;
        }

        batch->steers = steers;
        batch->steers_size = batch->records_size;
    }

    to = &batch->steers[batch->records_count - 1];
    *to = *steer;

    text[0] = &to->group;
    text[1] = &to->path;
    text[2] = &to->array;
    text[3] = &to->merge;

    for (i = 0; i < 4; i++) {

        if (text[i]->len == 0) {
            continue;
        }

        fwd_buf_add(&batch->steer, text[i]->data, text[i]->len);
        text[i]->data = (const unsigned char *) (uintptr_t)
                        (batch->steer.len - text[i]->len);
    }

    return batch->steer.failed ? FWD_ERROR : FWD_OK;
}


static void
fwd_batch_seal_steer(fwd_batch_t *batch, martech_str_t *text)
{
    if (text->len != 0) {
        text->data = batch->steer.data + (uintptr_t) text->data;
    }
}


void
fwd_batch_pop(fwd_batch_t *batch)
{
    uint32_t  n;

    batch->items_count--;

    while (batch->records_count > 0) {
        n = batch->records_count - 1;

        if (batch->record_items[n] != batch->items_count) {
            break;
        }

        batch->bytes -= batch->records[n].len;
        batch->records_count = n;

        if (batch->mapped_used) {
            batch->mapped.len = (uintptr_t) batch->records[n].data;
        }
    }
}


void
fwd_batch_seal(fwd_batch_t *batch)
{
    uint32_t  i;

    if (!batch->mapped_used) {
        return;
    }

    for (i = 0; i < batch->records_count; i++) {
        batch->records[i].data = batch->mapped.data
                                 + (uintptr_t) batch->records[i].data;
    }

    for (i = 0; batch->steers != NULL && i < batch->records_count; i++) {
        fwd_batch_seal_steer(batch, &batch->steers[i].group);
        fwd_batch_seal_steer(batch, &batch->steers[i].path);
        fwd_batch_seal_steer(batch, &batch->steers[i].array);
        fwd_batch_seal_steer(batch, &batch->steers[i].merge);
    }

    batch->mapped_used = 0;
}


void
fwd_batch_reset_records(fwd_batch_t *batch)
{
    batch->records_count = 0;
    batch->bytes = 0;
    batch->mapped_used = 0;
    batch->filled = 0;
    fwd_buf_reset(&batch->mapped);
    fwd_buf_reset(&batch->steer);

    free(batch->steers);
    batch->steers = NULL;
    fwd_calls_free(batch->calls);
    batch->calls = NULL;
}


void
fwd_batch_reset_call(fwd_batch_t *batch)
{
    batch->outcome = FWD_OUTCOME_RETRY;
    batch->status = 0;
    batch->wait_ms = 0;
    batch->decided = 0;
    batch->whole = 0;
    batch->answer_error = 0;
    batch->connect_failed = 0;
    batch->singly = 0;

    free(batch->verdicts);
    batch->verdicts = NULL;
    memset(&batch->said, 0, sizeof(batch->said));
}


void
fwd_batch_reset_outcome(fwd_batch_t *batch)
{
    fwd_batch_reset_call(batch);

    batch->reason[0] = '\0';
    batch->dead[0] = '\0';
    batch->counted = 0;
    fwd_buf_reset(&batch->reasons);

    fwd_buf_reset(&batch->exchange.request_headers);
    fwd_buf_reset(&batch->exchange.headers);
    fwd_buf_reset(&batch->exchange.answer);
    batch->exchange.part = 0;
    batch->exchange.requested = 0;
}


/* They stand in the order of the items. */

uint32_t
fwd_batch_records(const fwd_batch_t *batch, uint32_t item, uint32_t *count)
{
    uint32_t  low, high, middle, n;

    low = 0;
    high = batch->records_count;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (batch->record_items[middle] < item) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    n = low;

    while (n < batch->records_count && batch->record_items[n] == item) {
        n++;
    }

    *count = n - low;

    return low;
}
