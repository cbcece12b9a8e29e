
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Which messageIds a shard has routed lately, so that a second copy of an
 * event is known.
 *
 * Of each only a fingerprint of 64 bits is kept, in buckets of a sixth of
 * the window, by the time of the stream ID.  Redis has the fingerprints of a
 * bucket as one string, in the order in which they were routed; here they
 * are a table.  Nothing of this file talks to Redis: fwd_remember.c does.
 */


#ifndef _FWD_SEEN_H_INCLUDED_
#define _FWD_SEEN_H_INCLUDED_


#include "fwd.h"


#define FWD_SEEN_PARTS    6              /* buckets of a window */
#define FWD_SEEN_BUCKETS  (2 * FWD_SEEN_PARTS + 2)
#define FWD_SEEN_BYTES    8              /* of a fingerprint in Redis */


/* The fingerprints of one bucket, open addressing. */
typedef struct {
    uint64_t              number;        /* stream ID ms / width */
    uint64_t              length;        /* bytes in Redis known here */
    uint64_t             *slots;         /* 0: free */
    uint32_t              size;
    uint32_t              count;
    unsigned              used:1;
    unsigned              known:1;       /* all that Redis has is here */
    unsigned              forgotten:1;   /* for want of room: stays empty */
} fwd_seen_bucket_t;


typedef struct {
    uint64_t              width_ms;      /* of a bucket; 0: off */
    uint64_t              max;           /* fingerprints of all buckets */
    uint64_t              count;
    fwd_seen_bucket_t     buckets[FWD_SEEN_BUCKETS];
    unsigned              full:1;        /* max was met */
} fwd_seen_t;


void fwd_seen_init(fwd_seen_t *seen, uint64_t window_ms, uint64_t max);

/* Forgets everything: what is in Redis is not known any more. */
void fwd_seen_clear(fwd_seen_t *seen);

/* Redis may have more than we know of: a reply was lost. */
void fwd_seen_doubt(fwd_seen_t *seen);

/* Never 0. */
uint64_t fwd_seen_print(martech_str_t message_id);

/* Bucket of a time. */
uint64_t fwd_seen_number(const fwd_seen_t *seen, uint64_t ms);

/*
 * The first bucket of the window that ends in this one whose content is not
 * known: it has to be read from byte bucket->length on.  NULL: all are known.
 * The youngest ones come first.  Buckets far away are given up.
 */
fwd_seen_bucket_t *fwd_seen_unknown(fwd_seen_t *seen, uint64_t number);

/* The bucket of a number if it is here, or NULL. */
fwd_seen_bucket_t *fwd_seen_bucket(fwd_seen_t *seen, uint64_t number);

/* 1 if it is in the window that ends in this bucket. */
int fwd_seen_has(const fwd_seen_t *seen, uint64_t number, uint64_t print);

/* 1 if the bucket takes one more; else it is not remembered. */
int fwd_seen_room(fwd_seen_t *seen, uint64_t number);

/*
 * Takes fingerprints as they stand in Redis; fresh: none of them is here.
 * Above max the oldest bucket is given up.  Out of memory: so is this one.
 */
void fwd_seen_add(fwd_seen_t *seen, fwd_seen_bucket_t *bucket,
    const unsigned char *prints, size_t len, int fresh);

/* Writes a fingerprint as it stands in Redis. */
void fwd_seen_write(unsigned char *out, uint64_t print);

/* Bytes of memory that the tables take. */
size_t fwd_seen_memory(const fwd_seen_t *seen);


#endif /* _FWD_SEEN_H_INCLUDED_ */
