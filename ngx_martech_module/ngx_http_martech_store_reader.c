
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reading a segment forward, through a window that grows to the largest record
 * and no further.
 */


#include "ngx_http_martech_store_private.h"

#include <stdlib.h>


#define NGX_HTTP_MARTECH_STORE_WINDOW  (256 * 1024)


static int ngx_http_martech_store_reader_head(
    ngx_http_martech_store_reader_t *reader,
    ngx_http_martech_store_error_t *err);
static int ngx_http_martech_store_reader_fail(
    const ngx_http_martech_store_reader_t *reader, const char *step,
    ngx_http_martech_store_error_t *err);
static int ngx_http_martech_store_reader_fill(
    ngx_http_martech_store_reader_t *reader,
    ngx_http_martech_store_error_t *err);
static int ngx_http_martech_store_reader_grow(
    ngx_http_martech_store_reader_t *reader, size_t need);
static ssize_t ngx_http_martech_store_reader_pread(int fd, void *buf,
    size_t size, uint64_t offset);
static ngx_http_martech_store_next_e ngx_http_martech_store_reader_give(
    const ngx_http_martech_store_reader_t *reader,
    ngx_http_martech_segment_scan_e found, uint64_t at,
    const ngx_http_martech_segment_record_t *from,
    ngx_http_martech_store_record_t *record);


int
ngx_http_martech_store_reader_open(ngx_http_martech_store_reader_t *reader,
    const ngx_http_martech_store_t *store, uint64_t id, uint64_t offset,
    uint64_t end, ngx_http_martech_store_error_t *err)
{
    char         buf[NGX_HTTP_MARTECH_STORE_FILE];
    const char  *name;
    struct stat  st;

    memset(reader, 0, sizeof(ngx_http_martech_store_reader_t));

    reader->store = store;
    reader->id = id;

    name = ngx_http_martech_store_file_name(buf, id,
                                            NGX_HTTP_MARTECH_STORE_SEG);

    /* for writing, too: the progress */

    reader->fd = openat(store->fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

    if (reader->fd == -1 || fstat(reader->fd, &st) == -1) {
        (void) ngx_http_martech_store_reader_fail(reader, "opening", err);
        ngx_http_martech_store_reader_close(reader);
        return -1;
    }

    if (!S_ISREG(st.st_mode)) {
        errno = EINVAL;
        (void) ngx_http_martech_store_reader_fail(reader, "opening", err);
        ngx_http_martech_store_reader_close(reader);
        return -1;
    }

    if (ngx_http_martech_store_reader_head(reader, err) == -1) {
        ngx_http_martech_store_reader_close(reader);
        return -1;
    }

    reader->offset = (offset != 0) ? offset : reader->segment.progress;
    reader->end = (uint64_t) st.st_size;

    if (end != 0 && end < reader->end) {
        reader->end = end;
    }

    ngx_http_martech_segment_scan_init(&reader->scan, reader->segment.salt);

    return 0;
}


static int
ngx_http_martech_store_reader_head(ngx_http_martech_store_reader_t *reader,
    ngx_http_martech_store_error_t *err)
{
    ssize_t                         n;
    unsigned char                   head[NGX_HTTP_MARTECH_SEGMENT_HEAD];
    ngx_http_martech_segment_rc_e   rc;

    n = ngx_http_martech_store_reader_pread(reader->fd, head, sizeof(head), 0);

    if (n == -1) {
        return ngx_http_martech_store_reader_fail(reader,
                                                  "reading the head of", err);
    }

    /* a file that is too short is no head, and its version not to be seen */

    memset(head + n, 0, sizeof(head) - (size_t) n);

    rc = ngx_http_martech_segment_head_read(&reader->segment, head);

    if (rc == NGX_HTTP_MARTECH_SEGMENT_OK && n == (ssize_t) sizeof(head)) {
        return 0;
    }

    errno = (rc == NGX_HTTP_MARTECH_SEGMENT_FOREIGN) ? EPROTONOSUPPORT
                                                     : EBADMSG;

    return ngx_http_martech_store_reader_fail(reader, "reading the head of",
                                              err);
}


static int
ngx_http_martech_store_reader_fail(
    const ngx_http_martech_store_reader_t *reader, const char *step,
    ngx_http_martech_store_error_t *err)
{
    char  buf[NGX_HTTP_MARTECH_STORE_FILE];

    return ngx_http_martech_store_fail(err, reader->store,
                   ngx_http_martech_store_file_name(buf, reader->id,
                                                NGX_HTTP_MARTECH_STORE_SEG),
                   step);
}


ngx_http_martech_store_next_e
ngx_http_martech_store_reader_next(ngx_http_martech_store_reader_t *reader,
    ngx_http_martech_store_record_t *record,
    ngx_http_martech_store_error_t *err)
{
    uint64_t                            at, seen, beyond;
    const unsigned char                *pos, *end;
    ngx_http_martech_segment_scan_e     found;
    ngx_http_martech_segment_record_t   from;

    memset(record, 0, sizeof(ngx_http_martech_store_record_t));

    for ( ;; ) {
        at = reader->offset + reader->pos;
        seen = reader->offset + reader->len;
        beyond = (seen < reader->end) ? reader->end - seen : 0;

        /* no window yet: ask the scan with nothing to show */

        pos = (reader->window != NULL) ? reader->window + reader->pos
                                       : ngx_http_martech_segment_padding;
        end = pos + (reader->len - reader->pos);

        memset(&from, 0, sizeof(ngx_http_martech_segment_record_t));

        found = ngx_http_martech_segment_scan(&reader->scan, &pos, end,
                                              beyond, &from);

        reader->pos = reader->len - (size_t) (end - pos);

        if (found != NGX_HTTP_MARTECH_SEGMENT_MORE) {
            return ngx_http_martech_store_reader_give(reader, found, at, &from,
                                                      record);
        }

        if (ngx_http_martech_store_reader_fill(reader, err) == -1) {
            return NGX_HTTP_MARTECH_STORE_ERROR;
        }
    }
}


/*
 * A record begins where the scan began; what is skipped ends where it stopped,
 * and may have begun in an earlier window.
 */

static ngx_http_martech_store_next_e
ngx_http_martech_store_reader_give(
    const ngx_http_martech_store_reader_t *reader,
    ngx_http_martech_segment_scan_e found, uint64_t at,
    const ngx_http_martech_segment_record_t *from,
    ngx_http_martech_store_record_t *record)
{
    if (found == NGX_HTTP_MARTECH_SEGMENT_RECORD) {
        record->payload = from->payload;
        record->len = from->len;
        record->seq = from->seq;
        record->hash = from->hash;
        record->offset = at;
        record->behind = at + from->size;

        return NGX_HTTP_MARTECH_STORE_RECORD;
    }

    record->behind = reader->offset + reader->pos;
    record->offset = record->behind - reader->scan.skipped;

    switch (found) {

    case NGX_HTTP_MARTECH_SEGMENT_DAMAGED:
        return NGX_HTTP_MARTECH_STORE_DAMAGED;

    case NGX_HTTP_MARTECH_SEGMENT_TORN:
        return NGX_HTTP_MARTECH_STORE_TORN;

    default:
        return NGX_HTTP_MARTECH_STORE_END;
    }
}


/* Reads so much that the scan sees what it wants, and more if there is room. */

static int
ngx_http_martech_store_reader_fill(ngx_http_martech_store_reader_t *reader,
    ngx_http_martech_store_error_t *err)
{
    size_t    left, size;
    ssize_t   n;
    uint64_t  seen;

    left = reader->len - reader->pos;

    if (ngx_http_martech_store_reader_grow(reader, reader->scan.need) == -1) {
        return ngx_http_martech_store_reader_fail(reader,
                                                  "allocating a window on",
                                                  err);
    }

    memmove(reader->window, reader->window + reader->pos, left);

    reader->offset += reader->pos;
    reader->pos = 0;
    reader->len = left;

    seen = reader->offset + left;
    size = reader->room - left;

    if (size > reader->end - seen) {
        size = (size_t) (reader->end - seen);
    }

    n = ngx_http_martech_store_reader_pread(reader->fd, reader->window + left,
                                            size, seen);
    if (n == -1) {
        return ngx_http_martech_store_reader_fail(reader, "reading", err);
    }

    reader->len += (size_t) n;

    if ((size_t) n < size) {

        /* somebody cut the file */

        reader->end = reader->offset + reader->len;
    }

    return 0;
}


static int
ngx_http_martech_store_reader_grow(ngx_http_martech_store_reader_t *reader,
    size_t need)
{
    size_t          room;
    unsigned char  *window;

    room = (need > NGX_HTTP_MARTECH_STORE_WINDOW)
           ? need : NGX_HTTP_MARTECH_STORE_WINDOW;

    if (room <= reader->room) {
        return 0;
    }

    window = realloc(reader->window, room);
    if (window == NULL) {
        return -1;
    }

    reader->window = window;
    reader->room = room;

    return 0;
}


/* Reads size bytes, or up to the end of the file. */

static ssize_t
ngx_http_martech_store_reader_pread(int fd, void *buf, size_t size,
    uint64_t offset)
{
    size_t   done;
    ssize_t  n;

    for (done = 0; done < size; done += (size_t) n) {
        n = pread(fd, (unsigned char *) buf + done, size - done,
                  (off_t) (offset + done));

        if (n == -1 && errno == EINTR) {
            n = 0;
            continue;
        }

        if (n == -1) {
            return -1;
        }

        if (n == 0) {
            break;
        }
    }

    return (ssize_t) done;
}


int
ngx_http_martech_store_reader_progress(
    ngx_http_martech_store_reader_t *reader, uint64_t offset,
    ngx_http_martech_store_error_t *err)
{
    ssize_t        n;
    unsigned char  progress[NGX_HTTP_MARTECH_SEGMENT_PROGRESS];

    ngx_http_martech_segment_progress_write(progress, reader->segment.salt,
                                            offset);

    do {
        n = pwrite(reader->fd, progress, sizeof(progress),
                   NGX_HTTP_MARTECH_SEGMENT_PROGRESS_AT);
    } while (n == -1 && errno == EINTR);

    if (n != (ssize_t) sizeof(progress)) {
        errno = (n == -1) ? errno : EIO;
        return ngx_http_martech_store_reader_fail(reader,
                                                  "noting the progress of",
                                                  err);
    }

    return 0;
}


void
ngx_http_martech_store_reader_close(ngx_http_martech_store_reader_t *reader)
{
    if (reader->fd != -1) {
        (void) close(reader->fd);
        reader->fd = -1;
    }

    free(reader->window);
    reader->window = NULL;
    reader->room = 0;
    reader->pos = 0;
    reader->len = 0;
}


int
ngx_http_martech_store_count(const ngx_http_martech_store_t *store,
    uint64_t id, ngx_http_martech_store_count_t *count,
    ngx_http_martech_store_error_t *err)
{
    uint64_t                         size;
    ngx_http_martech_store_next_e    next;
    ngx_http_martech_store_record_t  record;
    ngx_http_martech_store_reader_t  reader;

    memset(count, 0, sizeof(ngx_http_martech_store_count_t));

    if (ngx_http_martech_store_reader_open(&reader, store, id, 0, 0, err)
        == -1)
    {
        return -1;
    }

    count->zone = reader.segment.zone;
    count->size = reader.end;

    do {
        next = ngx_http_martech_store_reader_next(&reader, &record, err);
        size = record.behind - record.offset;

        switch (next) {

        case NGX_HTTP_MARTECH_STORE_RECORD:
            count->records++;
            count->bytes += size;
            break;

        case NGX_HTTP_MARTECH_STORE_DAMAGED:
            count->damaged++;
            count->damaged_bytes += size;
            break;

        case NGX_HTTP_MARTECH_STORE_TORN:
            count->torn = 1;
            count->damaged_bytes += size;
            break;

        default:
            break;
        }

    } while (next == NGX_HTTP_MARTECH_STORE_RECORD
             || next == NGX_HTTP_MARTECH_STORE_DAMAGED);

    ngx_http_martech_store_reader_close(&reader);

    return (next == NGX_HTTP_MARTECH_STORE_ERROR) ? -1 : 0;
}
