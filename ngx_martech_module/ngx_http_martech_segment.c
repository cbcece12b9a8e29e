
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Heads, frames and the scan.  Numbers are little-endian whatever the machine
 * is, so that a spool may move with its disk.
 */


#include <string.h>

#include <zlib.h>

#include "ngx_http_martech_segment.h"


/* Offsets in the head. */
enum {
    NGX_HTTP_MARTECH_HEAD_MAGIC = 0,
    NGX_HTTP_MARTECH_HEAD_VERSION = 8,
    NGX_HTTP_MARTECH_HEAD_SIZE = 12,
    NGX_HTTP_MARTECH_HEAD_ID = 16,
    NGX_HTTP_MARTECH_HEAD_CREATED = 24,
    NGX_HTTP_MARTECH_HEAD_SALT = 32,
    NGX_HTTP_MARTECH_HEAD_ZONE = 40,
    NGX_HTTP_MARTECH_HEAD_CRC = 48
};


/* Offsets in a frame. */
enum {
    NGX_HTTP_MARTECH_FRAME_MAGIC = 0,
    NGX_HTTP_MARTECH_FRAME_LEN = 4,
    NGX_HTTP_MARTECH_FRAME_SEQ = 8,
    NGX_HTTP_MARTECH_FRAME_HASH = 16,
    NGX_HTTP_MARTECH_FRAME_CRC = 24,
    NGX_HTTP_MARTECH_FRAME_RESERVED = 28
};


/* What is at a place: a record, none, or more must be seen to know. */
typedef enum {
    NGX_HTTP_MARTECH_PLACE_NONE = 0,
    NGX_HTTP_MARTECH_PLACE_MORE,
    NGX_HTTP_MARTECH_PLACE_RECORD
} ngx_http_martech_place_e;


/*
 * Both have bytes that UTF-8 has nowhere, so that no event can contain them.
 * "\n\r" shows a transfer that translated line breaks.
 */
static const unsigned char  ngx_http_martech_head_magic[8] = {
    0xfe, 'm', 't', 's', 'e', 'g', '\n', '\r'
};

static const unsigned char  ngx_http_martech_frame_magic[4] = {
    0xff, 'm', 't', 'r'
};

const unsigned char
    ngx_http_martech_segment_padding[NGX_HTTP_MARTECH_SEGMENT_ALIGN] = { 0 };


static ngx_http_martech_segment_scan_e ngx_http_martech_segment_found(
    ngx_http_martech_segment_scan_t *scan, const unsigned char **pos,
    const unsigned char *end,
    const ngx_http_martech_segment_record_t *record);
static ngx_http_martech_segment_scan_e ngx_http_martech_segment_finish(
    ngx_http_martech_segment_scan_t *scan);
static void ngx_http_martech_segment_skip(
    ngx_http_martech_segment_scan_t *scan, const unsigned char *p, size_t n);
static ngx_http_martech_place_e ngx_http_martech_segment_place(
    ngx_http_martech_segment_scan_t *scan, const unsigned char *p,
    size_t avail, uint64_t beyond, ngx_http_martech_segment_record_t *record);
static ngx_http_martech_place_e ngx_http_martech_segment_want(
    ngx_http_martech_segment_scan_t *scan, size_t need, size_t avail,
    uint64_t beyond);
static const unsigned char *ngx_http_martech_segment_bulk(
    const unsigned char *p, const unsigned char *end, const char *value);
static uint32_t ngx_http_martech_segment_crc(uint64_t salt,
    const unsigned char *frame, const unsigned char *payload, size_t len);
static uint32_t ngx_http_martech_segment_get32(const unsigned char *p);
static uint64_t ngx_http_martech_segment_get64(const unsigned char *p);
static void ngx_http_martech_segment_put32(unsigned char *p, uint32_t n);
static void ngx_http_martech_segment_put64(unsigned char *p, uint64_t n);


void
ngx_http_martech_segment_head_write(unsigned char *buf,
    const ngx_http_martech_segment_t *segment)
{
    uint32_t  crc;

    memset(buf, 0, NGX_HTTP_MARTECH_SEGMENT_HEAD);
    memcpy(buf, ngx_http_martech_head_magic,
           sizeof(ngx_http_martech_head_magic));

    ngx_http_martech_segment_put32(buf + NGX_HTTP_MARTECH_HEAD_VERSION,
                                   NGX_HTTP_MARTECH_SEGMENT_VERSION);
    ngx_http_martech_segment_put32(buf + NGX_HTTP_MARTECH_HEAD_SIZE,
                                   NGX_HTTP_MARTECH_SEGMENT_HEAD);
    ngx_http_martech_segment_put64(buf + NGX_HTTP_MARTECH_HEAD_ID,
                                   segment->id);
    ngx_http_martech_segment_put64(buf + NGX_HTTP_MARTECH_HEAD_CREATED,
                                   segment->created_ms);
    ngx_http_martech_segment_put64(buf + NGX_HTTP_MARTECH_HEAD_SALT,
                                   segment->salt);
    ngx_http_martech_segment_put64(buf + NGX_HTTP_MARTECH_HEAD_ZONE,
                                   segment->zone);

    crc = (uint32_t) crc32(0, buf, NGX_HTTP_MARTECH_HEAD_CRC);
    ngx_http_martech_segment_put32(buf + NGX_HTTP_MARTECH_HEAD_CRC, crc);

    ngx_http_martech_segment_progress_write(
                                    buf + NGX_HTTP_MARTECH_SEGMENT_PROGRESS_AT,
                                    segment->salt,
                                    NGX_HTTP_MARTECH_SEGMENT_HEAD);
}


/*
 * The version goes first: another version may have its checksum elsewhere,
 * and what we cannot read must not be taken for damaged.
 */

ngx_http_martech_segment_rc_e
ngx_http_martech_segment_head_read(ngx_http_martech_segment_t *segment,
    const unsigned char *buf)
{
    uint64_t              offset;
    unsigned char         want[NGX_HTTP_MARTECH_SEGMENT_PROGRESS];
    const unsigned char  *progress;

    if (memcmp(buf, ngx_http_martech_head_magic,
               sizeof(ngx_http_martech_head_magic)) != 0)
    {
        return NGX_HTTP_MARTECH_SEGMENT_BAD;
    }

    if (ngx_http_martech_segment_get32(buf + NGX_HTTP_MARTECH_HEAD_VERSION)
        != NGX_HTTP_MARTECH_SEGMENT_VERSION)
    {
        return NGX_HTTP_MARTECH_SEGMENT_FOREIGN;
    }

    if (ngx_http_martech_segment_get32(buf + NGX_HTTP_MARTECH_HEAD_SIZE)
        != NGX_HTTP_MARTECH_SEGMENT_HEAD
        || ngx_http_martech_segment_get32(buf + NGX_HTTP_MARTECH_HEAD_CRC)
           != (uint32_t) crc32(0, buf, NGX_HTTP_MARTECH_HEAD_CRC))
    {
        return NGX_HTTP_MARTECH_SEGMENT_BAD;
    }

    segment->id = ngx_http_martech_segment_get64(
                                    buf + NGX_HTTP_MARTECH_HEAD_ID);
    segment->created_ms = ngx_http_martech_segment_get64(
                                    buf + NGX_HTTP_MARTECH_HEAD_CREATED);
    segment->salt = ngx_http_martech_segment_get64(
                                    buf + NGX_HTTP_MARTECH_HEAD_SALT);
    segment->zone = ngx_http_martech_segment_get64(
                                    buf + NGX_HTTP_MARTECH_HEAD_ZONE);

    progress = buf + NGX_HTTP_MARTECH_SEGMENT_PROGRESS_AT;
    offset = ngx_http_martech_segment_get64(progress);

    ngx_http_martech_segment_progress_write(want, segment->salt, offset);

    if (memcmp(want, progress, sizeof(want)) != 0
        || offset < NGX_HTTP_MARTECH_SEGMENT_HEAD
        || offset % NGX_HTTP_MARTECH_SEGMENT_ALIGN != 0)
    {
        offset = NGX_HTTP_MARTECH_SEGMENT_HEAD;
    }

    segment->progress = offset;

    return NGX_HTTP_MARTECH_SEGMENT_OK;
}


void
ngx_http_martech_segment_progress_write(unsigned char *buf, uint64_t salt,
    uint64_t offset)
{
    unsigned char  text[16];

    ngx_http_martech_segment_put64(text, salt);
    ngx_http_martech_segment_put64(text + 8, offset);

    ngx_http_martech_segment_put64(buf, offset);
    ngx_http_martech_segment_put32(buf + 8,
                                   (uint32_t) crc32(0, text, sizeof(text)));
}


void
ngx_http_martech_segment_frame_write(unsigned char *buf, uint64_t salt,
    uint64_t seq, uint64_t hash, const unsigned char *payload, size_t len)
{
    uint32_t  crc;

    memcpy(buf, ngx_http_martech_frame_magic,
           sizeof(ngx_http_martech_frame_magic));

    ngx_http_martech_segment_put32(buf + NGX_HTTP_MARTECH_FRAME_LEN,
                                   (uint32_t) len);
    ngx_http_martech_segment_put64(buf + NGX_HTTP_MARTECH_FRAME_SEQ, seq);
    ngx_http_martech_segment_put64(buf + NGX_HTTP_MARTECH_FRAME_HASH, hash);

    crc = ngx_http_martech_segment_crc(salt, buf, payload, len);

    ngx_http_martech_segment_put32(buf + NGX_HTTP_MARTECH_FRAME_CRC, crc);
    ngx_http_martech_segment_put32(buf + NGX_HTTP_MARTECH_FRAME_RESERVED, 0);
}


size_t
ngx_http_martech_segment_size(size_t len)
{
    size_t  size;

    size = NGX_HTTP_MARTECH_SEGMENT_FRAME + len
           + NGX_HTTP_MARTECH_SEGMENT_ALIGN - 1;

    return size - size % NGX_HTTP_MARTECH_SEGMENT_ALIGN;
}


ngx_http_martech_segment_payload_e
ngx_http_martech_segment_payload_check(const unsigned char *payload,
    size_t len)
{
    const unsigned char                 *p, *name, *end;
    ngx_http_martech_segment_payload_e   what;

    end = payload + len;

    p = ngx_http_martech_segment_bulk(payload, end, NULL);
    p = ngx_http_martech_segment_bulk(p, end, "src");
    name = ngx_http_martech_segment_bulk(p, end, NULL);

    p = ngx_http_martech_segment_bulk(name, end, "e");
    what = NGX_HTTP_MARTECH_SEGMENT_EVENT;

    if (p == NULL) {
        p = ngx_http_martech_segment_bulk(name, end, "q");
        what = NGX_HTTP_MARTECH_SEGMENT_QUARANTINE;
    }

    p = ngx_http_martech_segment_bulk(p, end, NULL);

    return (p == end) ? what : NGX_HTTP_MARTECH_SEGMENT_NONE;
}


/*
 * Returns what follows the bulk string at p, NULL if there is none that is
 * whole, not empty and, when a value is given, equal to it.  NULL in, NULL
 * out.
 */

static const unsigned char *
ngx_http_martech_segment_bulk(const unsigned char *p,
    const unsigned char *end, const char *value)
{
    size_t  n;

    if (p == NULL || end - p < 4 || *p != '$' || p[1] == '0') {
        return NULL;
    }

    n = 0;

    for (p++; p < end && *p >= '0' && *p <= '9'; p++) {
        n = n * 10 + (size_t) (*p - '0');

        if (n > NGX_HTTP_MARTECH_SEGMENT_PAYLOAD_MAX) {
            return NULL;
        }
    }

    if (n == 0 || (size_t) (end - p) < n + 4 || memcmp(p, "\r\n", 2) != 0) {
        return NULL;
    }

    p += 2;

    if (value != NULL && (n != strlen(value) || memcmp(p, value, n) != 0)) {
        return NULL;
    }

    return (memcmp(p + n, "\r\n", 2) == 0) ? p + n + 2 : NULL;
}


void
ngx_http_martech_segment_scan_init(ngx_http_martech_segment_scan_t *scan,
    uint64_t salt)
{
    memset(scan, 0, sizeof(ngx_http_martech_segment_scan_t));

    scan->salt = salt;
}


/*
 * Zeros are skipped like garbage, because a page that never reached the disk
 * may be followed by one that did; only the end tells them apart.
 */

ngx_http_martech_segment_scan_e
ngx_http_martech_segment_scan(ngx_http_martech_segment_scan_t *scan,
    const unsigned char **pos, const unsigned char *end, uint64_t beyond,
    ngx_http_martech_segment_record_t *record)
{
    size_t                     n;
    const unsigned char       *p;
    ngx_http_martech_place_e   place;

    if (!scan->started) {
        scan->started = 1;
        scan->garbage = 0;
        scan->skipped = 0;
    }

    for (p = *pos; p < end; p += n) {
        place = ngx_http_martech_segment_place(scan, p, (size_t) (end - p),
                                               beyond, record);
        if (place == NGX_HTTP_MARTECH_PLACE_MORE) {
            *pos = p;
            return NGX_HTTP_MARTECH_SEGMENT_MORE;
        }

        if (place == NGX_HTTP_MARTECH_PLACE_RECORD) {
            *pos = p;
            return ngx_http_martech_segment_found(scan, pos, end, record);
        }

        n = (size_t) (end - p);
        n = (n < NGX_HTTP_MARTECH_SEGMENT_ALIGN)
            ? n : NGX_HTTP_MARTECH_SEGMENT_ALIGN;

        ngx_http_martech_segment_skip(scan, p, n);
    }

    *pos = end;

    if (beyond > 0) {
        (void) ngx_http_martech_segment_want(scan,
                                             NGX_HTTP_MARTECH_SEGMENT_FRAME,
                                             0, beyond);
        return NGX_HTTP_MARTECH_SEGMENT_MORE;
    }

    return ngx_http_martech_segment_finish(scan);
}


/* A record is at *pos: it is given now, or after what was skipped before. */

static ngx_http_martech_segment_scan_e
ngx_http_martech_segment_found(ngx_http_martech_segment_scan_t *scan,
    const unsigned char **pos, const unsigned char *end,
    const ngx_http_martech_segment_record_t *record)
{
    scan->started = 0;

    if (scan->skipped > 0) {
        return NGX_HTTP_MARTECH_SEGMENT_DAMAGED;
    }

    scan->seq = record->seq;

    /* the padding of the last record may be cut */

    *pos = ((size_t) (end - *pos) < record->size) ? end : *pos + record->size;

    return NGX_HTTP_MARTECH_SEGMENT_RECORD;
}


static ngx_http_martech_segment_scan_e
ngx_http_martech_segment_finish(ngx_http_martech_segment_scan_t *scan)
{
    scan->started = 0;

    return scan->garbage ? NGX_HTTP_MARTECH_SEGMENT_TORN
                         : NGX_HTTP_MARTECH_SEGMENT_END;
}


static void
ngx_http_martech_segment_skip(ngx_http_martech_segment_scan_t *scan,
    const unsigned char *p, size_t n)
{
    scan->skipped += n;

    if (memcmp(p, ngx_http_martech_segment_padding, n) != 0) {
        scan->garbage = 1;
    }
}


/*
 * The cheap tests first: a scan for the next record behind damage comes here
 * for every eight bytes.  No length is used before it is known to be possible.
 */

static ngx_http_martech_place_e
ngx_http_martech_segment_place(ngx_http_martech_segment_scan_t *scan,
    const unsigned char *p, size_t avail, uint64_t beyond,
    ngx_http_martech_segment_record_t *record)
{
    size_t    len, size;
    uint64_t  seq;

    if (avail < NGX_HTTP_MARTECH_SEGMENT_FRAME) {
        return ngx_http_martech_segment_want(scan,
                                             NGX_HTTP_MARTECH_SEGMENT_FRAME,
                                             avail, beyond);
    }

    if (memcmp(p, ngx_http_martech_frame_magic,
               sizeof(ngx_http_martech_frame_magic)) != 0)
    {
        return NGX_HTTP_MARTECH_PLACE_NONE;
    }

    len = ngx_http_martech_segment_get32(p + NGX_HTTP_MARTECH_FRAME_LEN);
    seq = ngx_http_martech_segment_get64(p + NGX_HTTP_MARTECH_FRAME_SEQ);

    if (len > NGX_HTTP_MARTECH_SEGMENT_PAYLOAD_MAX
        || NGX_HTTP_MARTECH_SEGMENT_FRAME + len > avail + beyond
        || seq <= scan->seq
        || ngx_http_martech_segment_get32(
                                   p + NGX_HTTP_MARTECH_FRAME_RESERVED) != 0)
    {
        return NGX_HTTP_MARTECH_PLACE_NONE;
    }

    size = ngx_http_martech_segment_size(len);

    if (size > avail && beyond > 0) {
        return ngx_http_martech_segment_want(scan, size, avail, beyond);
    }

    record->payload = p + NGX_HTTP_MARTECH_SEGMENT_FRAME;
    record->len = len;
    record->size = size;
    record->seq = seq;
    record->hash = ngx_http_martech_segment_get64(
                                           p + NGX_HTTP_MARTECH_FRAME_HASH);

    if (!ngx_http_martech_segment_payload_check(record->payload, len)
        || ngx_http_martech_segment_get32(p + NGX_HTTP_MARTECH_FRAME_CRC)
           != ngx_http_martech_segment_crc(scan->salt, p, record->payload,
                                           len))
    {
        return NGX_HTTP_MARTECH_PLACE_NONE;
    }

    return NGX_HTTP_MARTECH_PLACE_RECORD;
}


/* Asks for need bytes, or for all there are; at the end there is no record. */

static ngx_http_martech_place_e
ngx_http_martech_segment_want(ngx_http_martech_segment_scan_t *scan,
    size_t need, size_t avail, uint64_t beyond)
{
    if (beyond == 0) {
        return NGX_HTTP_MARTECH_PLACE_NONE;
    }

    scan->need = (need < avail + beyond) ? need : (size_t) (avail + beyond);

    return NGX_HTTP_MARTECH_PLACE_MORE;
}


static uint32_t
ngx_http_martech_segment_crc(uint64_t salt, const unsigned char *frame,
    const unsigned char *payload, size_t len)
{
    uLong          crc;
    unsigned char  text[8 + NGX_HTTP_MARTECH_FRAME_CRC];

    ngx_http_martech_segment_put64(text, salt);
    memcpy(text + 8, frame, NGX_HTTP_MARTECH_FRAME_CRC);

    crc = crc32(0, text, sizeof(text));

    return (uint32_t) crc32(crc, payload, (uInt) len);
}


static uint32_t
ngx_http_martech_segment_get32(const unsigned char *p)
{
    return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16
           | (uint32_t) p[3] << 24;
}


static uint64_t
ngx_http_martech_segment_get64(const unsigned char *p)
{
    return (uint64_t) ngx_http_martech_segment_get32(p)
           | (uint64_t) ngx_http_martech_segment_get32(p + 4) << 32;
}


static void
ngx_http_martech_segment_put32(unsigned char *p, uint32_t n)
{
    p[0] = (unsigned char) n;
    p[1] = (unsigned char) (n >> 8);
    p[2] = (unsigned char) (n >> 16);
    p[3] = (unsigned char) (n >> 24);
}


static void
ngx_http_martech_segment_put64(unsigned char *p, uint64_t n)
{
    ngx_http_martech_segment_put32(p, (uint32_t) n);
    ngx_http_martech_segment_put32(p + 4, (uint32_t) (n >> 32));
}
