
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Batches.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_batch.h"


#define FWD_BATCH_SIZE_MIN     16
#define FWD_BATCH_REASONS_MAX  (256 * 1024)
#define FWD_BATCH_HEADERS_MAX  8192


static fwd_rc_t fwd_batch_record(fwd_batch_t *batch, martech_str_t text);


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

    batch->mapped_used = 0;
}


void
fwd_batch_reset_records(fwd_batch_t *batch)
{
    batch->records_count = 0;
    batch->bytes = 0;
    batch->mapped_used = 0;
    fwd_buf_reset(&batch->mapped);
}


void
fwd_batch_reset_outcome(fwd_batch_t *batch)
{
    batch->outcome = FWD_OUTCOME_RETRY;
    batch->status = 0;
    batch->wait_ms = 0;
    batch->reason[0] = '\0';
    batch->decided = 0;
    batch->whole = 0;
    batch->answer_error = 0;
    batch->connect_failed = 0;

    free(batch->verdicts);
    batch->verdicts = NULL;
    memset(&batch->said, 0, sizeof(batch->said));
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
