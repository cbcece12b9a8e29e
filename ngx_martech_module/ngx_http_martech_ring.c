
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The ring: bytes on their way to Redis.
 *
 * A record is one command.  It is written into the youngest chunk where it
 * stays until Redis has answered it, so that it can be sent again after a lost
 * connection; that is also the only copy of the event, and the request may go
 * away at any time.  Replies come in the order of the records, so a chunk is
 * given back when its last record is popped.
 *
 * Sequence numbers run on for ever; [head, sent) was sent, [sent, tail) not.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_CHUNK_SIZE   65536
#define NGX_HTTP_MARTECH_CHUNKS_KEPT  16
#define NGX_HTTP_MARTECH_RECORDS_MIN  1024


static ngx_http_martech_chunk_t *ngx_http_martech_ring_chunk(
    ngx_http_martech_ring_t *ring, size_t size, ngx_log_t *log);
static void ngx_http_martech_ring_release(ngx_http_martech_ring_t *ring);
static void ngx_http_martech_ring_free(ngx_http_martech_ring_t *ring,
    ngx_http_martech_chunk_t *chunk);
static ngx_int_t ngx_http_martech_ring_grow(ngx_http_martech_ring_t *ring,
    ngx_log_t *log);


#define ngx_http_martech_chunk_data(chunk)                                    \
    ((u_char *) (chunk) + sizeof(ngx_http_martech_chunk_t))


u_char *
ngx_http_martech_ring_reserve(ngx_http_martech_ring_t *ring, size_t size,
    ngx_log_t *log)
{
    ngx_http_martech_chunk_t  *chunk;

    if (ring->tail - ring->head > ring->mask || ring->records == NULL) {

        if (ngx_http_martech_ring_grow(ring, log) != NGX_OK) {
            return NULL;
        }
    }

    chunk = ring->youngest;

    if (chunk == NULL || (size_t) (chunk->end - chunk->last) < size) {

        if (chunk && chunk == ring->oldest && chunk->records == 0) {

            /* empty and still too small: its bytes are needed */

            ring->oldest = NULL;
            ring->youngest = NULL;
            ngx_http_martech_ring_free(ring, chunk);
        }

        chunk = ngx_http_martech_ring_chunk(ring, size, log);

        if (chunk == NULL) {
            return NULL;
        }

        if (ring->youngest == NULL) {
            ring->oldest = chunk;

        } else {
            ring->youngest->next = chunk;
        }

        ring->youngest = chunk;
    }

    return chunk->last;
}


void
ngx_http_martech_ring_commit(ngx_http_martech_ring_t *ring, size_t len,
    ngx_http_martech_slot_t *slot)
{
    ngx_http_martech_chunk_t   *chunk;
    ngx_http_martech_record_t  *record;

    chunk = ring->youngest;

    record = ngx_http_martech_ring_at(ring, ring->tail);

    record->data = chunk->last;
    record->chunk = chunk;
    record->slot = slot;
    record->len = (uint32_t) len;
    record->dropped = 0;
    record->skipped = 0;

    chunk->last += len;
    chunk->records++;
    ring->tail++;
    ring->live++;
}


ngx_http_martech_mark_t
ngx_http_martech_ring_mark(ngx_http_martech_ring_t *ring)
{
    ngx_http_martech_mark_t  mark;

    mark.tail = ring->tail;
    mark.youngest = ring->youngest;

    return mark;
}


void
ngx_http_martech_ring_rollback(ngx_http_martech_ring_t *ring,
    ngx_http_martech_mark_t mark)
{
    ngx_http_martech_chunk_t   *chunk, *next;
    ngx_http_martech_record_t  *record;

    while (ring->tail > mark.tail) {
        ring->tail--;
        ring->live--;

        record = ngx_http_martech_ring_at(ring, ring->tail);
        record->chunk->last = record->data;
        record->chunk->records--;
    }

    /* chunks younger than the mark hold nothing else */

    if (mark.youngest) {
        chunk = mark.youngest->next;
        mark.youngest->next = NULL;

    } else {
        chunk = ring->oldest;
        ring->oldest = NULL;
    }

    ring->youngest = mark.youngest;

    for ( /* void */ ; chunk; chunk = next) {
        next = chunk->next;
        ngx_http_martech_ring_free(ring, chunk);
    }

    ngx_http_martech_ring_release(ring);
}


void
ngx_http_martech_ring_drop(ngx_http_martech_ring_t *ring,
    ngx_http_martech_slot_t *slot)
{
    uint64_t                    seq, last;
    ngx_http_martech_record_t  *record;

    last = ngx_min(slot->first + slot->count, ring->tail);

    for (seq = ngx_max(slot->first, ring->head); seq < last; seq++) {
        record = ngx_http_martech_ring_at(ring, seq);

        if (record->slot == slot) {
            record->slot = NULL;
            record->dropped = 1;
            ring->live--;
        }
    }
}


ngx_http_martech_record_t *
ngx_http_martech_ring_head(ngx_http_martech_ring_t *ring)
{
    ngx_http_martech_record_t  *record;

    while (ring->head < ring->sent) {
        record = ngx_http_martech_ring_at(ring, ring->head);

        if (!record->skipped) {
            return record;
        }

        ngx_http_martech_ring_pop(ring);
    }

    return NULL;
}


void
ngx_http_martech_ring_pop(ngx_http_martech_ring_t *ring)
{
    ngx_http_martech_record_t  *record;

    record = ngx_http_martech_ring_at(ring, ring->head);
    ring->head++;
    ring->live -= !record->dropped;

    record->chunk->records--;

    if (record->chunk->records == 0) {
        ngx_http_martech_ring_release(ring);
    }
}


ngx_uint_t
ngx_http_martech_ring_unsent(ngx_http_martech_ring_t *ring, ngx_buf_t *bufs,
    ngx_uint_t n)
{
    u_char                     *data;
    size_t                      skip;
    uint64_t                    seq;
    ngx_uint_t                  used;
    ngx_http_martech_record_t  *record;

    used = 0;
    skip = ring->sent_bytes;

    for (seq = ring->sent; seq < ring->tail; seq++) {
        record = ngx_http_martech_ring_at(ring, seq);

        /* a record half of which went out must go out whole */

        if (record->dropped && skip == 0) {
            record->skipped = 1;

            if (seq == ring->sent) {
                ring->sent++;
            }

            continue;
        }

        data = record->data + skip;

        if (used > 0 && bufs[used - 1].last == data) {
            bufs[used - 1].last += record->len - skip;

        } else {

            if (used == n) {
                break;
            }

            ngx_memzero(&bufs[used], sizeof(ngx_buf_t));
            bufs[used].start = data;
            bufs[used].pos = data;
            bufs[used].last = record->data + record->len;
            bufs[used].memory = 1;
            used++;
        }

        skip = 0;
    }

    return used;
}


void
ngx_http_martech_ring_advance(ngx_http_martech_ring_t *ring, size_t sent)
{
    size_t                      rest;
    ngx_http_martech_record_t  *record;

    while (ring->sent < ring->tail) {
        record = ngx_http_martech_ring_at(ring, ring->sent);

        if (!record->skipped) {
            rest = record->len - ring->sent_bytes;

            if (sent < rest) {
                ring->sent_bytes += sent;
                return;
            }

            sent -= rest;
        }

        ring->sent++;
        ring->sent_bytes = 0;
    }
}


void
ngx_http_martech_ring_purge(ngx_http_martech_ring_t *ring)
{
    (void) ngx_http_martech_ring_unsent(ring, NULL, 0);
    (void) ngx_http_martech_ring_head(ring);
}


ngx_uint_t
ngx_http_martech_ring_rewind(ngx_http_martech_ring_t *ring)
{
    uint64_t                    seq, to;
    ngx_uint_t                  resent;
    ngx_http_martech_record_t  *record;

    /* from the young end, so that what stays keeps its order and its place */

    resent = 0;
    to = ring->sent;

    for (seq = ring->sent; seq > ring->head; /* void */ ) {
        seq--;
        record = ngx_http_martech_ring_at(ring, seq);

        if (record->dropped) {
            record->chunk->records--;
            continue;
        }

        to--;
        *ngx_http_martech_ring_at(ring, to) = *record;

        /* the slots of parked requests count in sequence numbers */

        if (record->slot) {
            record->slot->first = to;
        }

        resent++;
    }

    ring->head = to;
    ring->sent = to;
    ring->sent_bytes = 0;

    ngx_http_martech_ring_release(ring);

    return resent;
}


static ngx_http_martech_chunk_t *
ngx_http_martech_ring_chunk(ngx_http_martech_ring_t *ring, size_t size,
    ngx_log_t *log)
{
    ngx_http_martech_chunk_t  *chunk;

    size += sizeof(ngx_http_martech_chunk_t);

    if (size < NGX_HTTP_MARTECH_CHUNK_SIZE) {
        size = NGX_HTTP_MARTECH_CHUNK_SIZE;
    }

    if (ring->size + size > ring->size_max) {
        return NULL;
    }

    if (size == NGX_HTTP_MARTECH_CHUNK_SIZE && ring->free) {
        chunk = ring->free;
        ring->free = chunk->next;
        ring->nfree--;

    } else {
        chunk = ngx_alloc(size, log);

        if (chunk == NULL) {
            return NULL;
        }

        chunk->end = (u_char *) chunk + size;
    }

    chunk->next = NULL;
    chunk->last = ngx_http_martech_chunk_data(chunk);
    chunk->records = 0;

    ring->size += size;

    return chunk;
}


/* Gives back empty chunks from the old end; the youngest is only rewound. */

static void
ngx_http_martech_ring_release(ngx_http_martech_ring_t *ring)
{
    ngx_http_martech_chunk_t  *chunk;

    while (ring->oldest && ring->oldest->records == 0) {
        chunk = ring->oldest;

        if (chunk == ring->youngest) {
            chunk->last = ngx_http_martech_chunk_data(chunk);
            return;
        }

        ring->oldest = chunk->next;
        ngx_http_martech_ring_free(ring, chunk);
    }
}


static void
ngx_http_martech_ring_free(ngx_http_martech_ring_t *ring,
    ngx_http_martech_chunk_t *chunk)
{
    size_t  size;

    size = (size_t) (chunk->end - (u_char *) chunk);
    ring->size -= size;

    if (size == NGX_HTTP_MARTECH_CHUNK_SIZE
        && ring->nfree < NGX_HTTP_MARTECH_CHUNKS_KEPT)
    {
        chunk->next = ring->free;
        ring->free = chunk;
        ring->nfree++;
        return;
    }

    ngx_free(chunk);
}


/* Doubles the table of records; sequence numbers keep their meaning. */

static ngx_int_t
ngx_http_martech_ring_grow(ngx_http_martech_ring_t *ring, ngx_log_t *log)
{
    uint64_t                    seq;
    ngx_uint_t                  n;
    ngx_http_martech_record_t  *records;

    n = ring->records ? 2 * (ring->mask + 1) : NGX_HTTP_MARTECH_RECORDS_MIN;

    records = ngx_alloc(n * sizeof(ngx_http_martech_record_t), log);

    if (records == NULL) {
        return NGX_ERROR;
    }

    for (seq = ring->head; seq < ring->tail; seq++) {
        records[seq & (n - 1)] = *ngx_http_martech_ring_at(ring, seq);
    }

    if (ring->records) {
        ngx_free(ring->records);
    }

    ring->records = records;
    ring->mask = n - 1;

    return NGX_OK;
}
