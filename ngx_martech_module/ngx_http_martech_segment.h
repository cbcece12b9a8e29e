
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A segment of the disk spool as bytes (docs/SPEC.md section 6): its head, its
 * records, and the scan that finds them again after a crash.
 *
 * Memory only: no files, no clock, no allocation, no NGINX.  Files are
 * ngx_http_martech_store.h.
 */


#ifndef _NGX_HTTP_MARTECH_SEGMENT_H_INCLUDED_
#define _NGX_HTTP_MARTECH_SEGMENT_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define NGX_HTTP_MARTECH_SEGMENT_VERSION      1

/* sizes in bytes; records begin behind the head, at multiples of ALIGN */
#define NGX_HTTP_MARTECH_SEGMENT_HEAD         128
#define NGX_HTTP_MARTECH_SEGMENT_FRAME        32
#define NGX_HTTP_MARTECH_SEGMENT_ALIGN        8
#define NGX_HTTP_MARTECH_SEGMENT_PAYLOAD_MAX  (64 * 1024 * 1024)

/* the one part of a file that is written again: in the head */
#define NGX_HTTP_MARTECH_SEGMENT_PROGRESS_AT  96
#define NGX_HTTP_MARTECH_SEGMENT_PROGRESS     12


/* What the head says. */
typedef struct {
    uint64_t              id;           /* given at creation; the name of the
                                           file may have changed since */
    uint64_t              created_ms;   /* wall clock */
    uint64_t              salt;         /* random; tells our records from old
                                           blocks of another file */
    uint64_t              zone;         /* whose counters know the records */
    uint64_t              progress;     /* offset up to which all is done;
                                           read only, begins at HEAD */
} ngx_http_martech_segment_t;


typedef enum {
    NGX_HTTP_MARTECH_SEGMENT_OK = 0,
    NGX_HTTP_MARTECH_SEGMENT_BAD,       /* not a head, or damaged */
    NGX_HTTP_MARTECH_SEGMENT_FOREIGN    /* of another version */
} ngx_http_martech_segment_rc_e;


/* Which stream a payload is for. */
typedef enum {
    NGX_HTTP_MARTECH_SEGMENT_NONE = 0,
    NGX_HTTP_MARTECH_SEGMENT_EVENT,     /* that of events */
    NGX_HTTP_MARTECH_SEGMENT_QUARANTINE
} ngx_http_martech_segment_payload_e;


/* A record, and where its payload lies in the memory that was scanned. */
typedef struct {
    const unsigned char  *payload;
    size_t                len;          /* of the payload */
    size_t                size;         /* of the record with its padding */
    uint64_t              seq;
    uint64_t              hash;
} ngx_http_martech_segment_record_t;


typedef enum {
    NGX_HTTP_MARTECH_SEGMENT_RECORD = 0,
    NGX_HTTP_MARTECH_SEGMENT_MORE,      /* more bytes are needed */
    NGX_HTTP_MARTECH_SEGMENT_END,       /* nothing but zeros to the end */
    NGX_HTTP_MARTECH_SEGMENT_DAMAGED,   /* garbage, and a record behind it */
    NGX_HTTP_MARTECH_SEGMENT_TORN       /* garbage to the end */
} ngx_http_martech_segment_scan_e;


/* A scan over the records of one segment, in pieces. */
typedef struct {
    uint64_t              salt;
    uint64_t              seq;          /* of the last record */
    uint64_t              skipped;      /* bytes that are no record; valid after
                                           END, DAMAGED and TORN */
    size_t                need;         /* after MORE: how many bytes from *pos
                                           on the next call wants to see */
    /* private */
    int                   started;      /* skipped goes on counting */
    int                   garbage;      /* not all that was skipped is zero */
} ngx_http_martech_segment_scan_t;


/* What stands between the payload and the next record; up to ALIGN - 1. */
extern const unsigned char
    ngx_http_martech_segment_padding[NGX_HTTP_MARTECH_SEGMENT_ALIGN];


/* Writes a head of HEAD bytes with no progress; segment->progress is unused. */
void ngx_http_martech_segment_head_write(unsigned char *buf,
    const ngx_http_martech_segment_t *segment);

/*
 * Reads a head of HEAD bytes.  A progress that is torn reads as HEAD: from the
 * start.  The segment is filled only when the result is OK.
 */
ngx_http_martech_segment_rc_e ngx_http_martech_segment_head_read(
    ngx_http_martech_segment_t *segment, const unsigned char *buf);

/* Writes the PROGRESS bytes that belong at PROGRESS_AT. */
void ngx_http_martech_segment_progress_write(unsigned char *buf, uint64_t salt,
    uint64_t offset);

/*
 * Writes the FRAME bytes that stand in front of a payload, which must be one
 * that ..._payload_check() takes: it is not looked at here, and a reader takes
 * no other.  seq grows with each record of a segment and begins with 1.
 */
void ngx_http_martech_segment_frame_write(unsigned char *buf, uint64_t salt,
    uint64_t seq, uint64_t hash, const unsigned char *payload, size_t len);

/* The bytes of a record with that payload: frame, payload, padding. */
size_t ngx_http_martech_segment_size(size_t len);

/*
 * What a payload is: exactly what may follow the field name "id" of our XADD,
 * five bulk strings, the second "src" and the fourth "e" or "q", none empty;
 * or 0 (NONE).
 */
ngx_http_martech_segment_payload_e ngx_http_martech_segment_payload_check(
    const unsigned char *payload, size_t len);

/* Begins a scan of the records of the segment with that salt. */
void ngx_http_martech_segment_scan_init(ngx_http_martech_segment_scan_t *scan,
    uint64_t salt);

/*
 * Looks at the bytes from *pos to end, behind which the file has beyond more.
 * *pos must be at a multiple of ALIGN in the file, and is moved:
 *
 * RECORD     behind the record, which is filled
 * MORE       to what must be seen again, together with what follows; never
 *            when beyond is 0
 * DAMAGED    to a record; the next call gives it
 * END, TORN  to end
 */
ngx_http_martech_segment_scan_e ngx_http_martech_segment_scan(
    ngx_http_martech_segment_scan_t *scan, const unsigned char **pos,
    const unsigned char *end, uint64_t beyond,
    ngx_http_martech_segment_record_t *record);


#endif /* _NGX_HTTP_MARTECH_SEGMENT_H_INCLUDED_ */
