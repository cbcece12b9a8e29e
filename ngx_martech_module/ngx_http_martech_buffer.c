
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The buffer of a worker: the memory of events between their request and the
 * moment when they are safe, in Redis or in the spool.
 *
 * It consists of chunks.  In a chunk commands grow from the front, so that
 * neighbours are sent as one piece, and their records from the back:
 *
 *     chunk | command | command | ...   free   ... | record | record |
 *
 * A record and its command stay where they are until the record is given
 * back.  They are the only copy of the event, and the request may go away at
 * any time.  A chunk without records is used again.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_CHUNK_SIZE   65536
#define NGX_HTTP_MARTECH_CHUNKS_KEPT  16


static ngx_http_martech_chunk_t *ngx_http_martech_buffer_chunk(
    ngx_http_martech_buffer_t *buffer, size_t size, ngx_log_t *log);
static void ngx_http_martech_buffer_release(ngx_http_martech_buffer_t *buffer,
    ngx_http_martech_chunk_t *chunk);
static void ngx_http_martech_buffer_rewind(ngx_http_martech_chunk_t *chunk);


u_char *
ngx_http_martech_buffer_reserve(ngx_http_martech_buffer_t *buffer,
    size_t size, ngx_log_t *log)
{
    ngx_http_martech_chunk_t  *chunk, *old;

    size += sizeof(ngx_http_martech_record_t);
    chunk = buffer->current;

    if (chunk && (size_t) (chunk->end - chunk->last) >= size) {
        return chunk->last;
    }

    old = chunk;

    if (old && old->records == 0) {

        /* empty and still too small: its bytes may be needed */

        buffer->current = NULL;
        ngx_http_martech_buffer_release(buffer, old);
    }

    chunk = ngx_http_martech_buffer_chunk(buffer, size, log);

    if (chunk == NULL) {
        return NULL;
    }

    buffer->current = chunk;

    return chunk->last;
}


ngx_http_martech_record_t *
ngx_http_martech_buffer_commit(ngx_http_martech_buffer_t *buffer, size_t len)
{
    ngx_http_martech_chunk_t   *chunk;
    ngx_http_martech_record_t  *record;

    chunk = buffer->current;

    chunk->end -= sizeof(ngx_http_martech_record_t);
    record = (ngx_http_martech_record_t *) chunk->end;

    ngx_memzero(record, sizeof(ngx_http_martech_record_t));

    record->data = chunk->last;
    record->chunk = chunk;
    record->len = (uint32_t) len;
    record->start = ngx_current_msec;

    chunk->last += len;
    chunk->records++;
    buffer->records++;

    return record;
}


void
ngx_http_martech_buffer_free(ngx_http_martech_buffer_t *buffer,
    ngx_http_martech_record_t *record)
{
    ngx_http_martech_chunk_t  *chunk;

    chunk = record->chunk;

    chunk->records--;
    buffer->records--;

    if (chunk->records > 0) {
        return;
    }

    if (chunk == buffer->current) {
        ngx_http_martech_buffer_rewind(chunk);
        return;
    }

    ngx_http_martech_buffer_release(buffer, chunk);
}


static ngx_http_martech_chunk_t *
ngx_http_martech_buffer_chunk(ngx_http_martech_buffer_t *buffer, size_t size,
    ngx_log_t *log)
{
    ngx_http_martech_chunk_t  *chunk;

    size = ngx_align(size + sizeof(ngx_http_martech_chunk_t), NGX_ALIGNMENT);

    if (size < NGX_HTTP_MARTECH_CHUNK_SIZE) {
        size = NGX_HTTP_MARTECH_CHUNK_SIZE;
    }

    if (buffer->size + size > buffer->size_max) {
        return NULL;
    }

    if (size == NGX_HTTP_MARTECH_CHUNK_SIZE && buffer->free) {
        chunk = buffer->free;
        buffer->free = chunk->next;
        buffer->nfree--;

    } else {
        chunk = ngx_alloc(size, log);

        if (chunk == NULL) {
            return NULL;
        }

        chunk->size = size;
    }

    chunk->next = NULL;
    chunk->records = 0;
    ngx_http_martech_buffer_rewind(chunk);

    buffer->size += size;

    return chunk;
}


static void
ngx_http_martech_buffer_release(ngx_http_martech_buffer_t *buffer,
    ngx_http_martech_chunk_t *chunk)
{
    buffer->size -= chunk->size;

    if (chunk->size == NGX_HTTP_MARTECH_CHUNK_SIZE
        && buffer->nfree < NGX_HTTP_MARTECH_CHUNKS_KEPT)
    {
        chunk->next = buffer->free;
        buffer->free = chunk;
        buffer->nfree++;
        return;
    }

    ngx_free(chunk);
}


static void
ngx_http_martech_buffer_rewind(ngx_http_martech_chunk_t *chunk)
{
    chunk->last = (u_char *) chunk + sizeof(ngx_http_martech_chunk_t);
    chunk->end = (u_char *) chunk + chunk->size;
}
