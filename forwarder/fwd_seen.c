
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tables of fingerprints.
 *
 * A table grows by two fifths when it is three quarters full, so it is never
 * less than half full and an event takes 15 bytes at most (small tables grow
 * faster).  Its size is no power of two, and the place of a fingerprint is
 * the high half of a product.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_hash.h"
#include "fwd_seen.h"


#define FWD_SEEN_SIZE_MIN  64
#define FWD_SEEN_SIZE_FEW  8192          /* below, growing often costs more
                                            than memory */


static uint32_t fwd_seen_home(const fwd_seen_bucket_t *bucket,
    uint64_t print);
static int fwd_seen_find(const fwd_seen_bucket_t *bucket, uint64_t print);
static void fwd_seen_put(fwd_seen_bucket_t *bucket, uint64_t print);
static fwd_rc_t fwd_seen_grow(fwd_seen_bucket_t *bucket);
static fwd_seen_bucket_t *fwd_seen_make(fwd_seen_t *seen, uint64_t number);
static void fwd_seen_free(fwd_seen_t *seen, fwd_seen_bucket_t *bucket);
static void fwd_seen_forget(fwd_seen_t *seen, fwd_seen_bucket_t *bucket);
static fwd_seen_bucket_t *fwd_seen_oldest(fwd_seen_t *seen);


/* Of the format, not a secret: every process has to find what others wrote. */
static const fwd_hash_key_t  fwd_seen_key = {
    0x6d61727465636873ULL, 0x65656e2d70726e74ULL
};


void
fwd_seen_init(fwd_seen_t *seen, uint64_t window_ms, uint64_t max)
{
    memset(seen, 0, sizeof(fwd_seen_t));

    if (window_ms != 0) {
        seen->width_ms = (window_ms + FWD_SEEN_PARTS - 1) / FWD_SEEN_PARTS;
    }

    seen->max = max;
}


void
fwd_seen_clear(fwd_seen_t *seen)
{
    size_t  i;

    for (i = 0; i < FWD_SEEN_BUCKETS; i++) {
        fwd_seen_free(seen, &seen->buckets[i]);
    }
}


void
fwd_seen_doubt(fwd_seen_t *seen)
{
    size_t  i;

    for (i = 0; i < FWD_SEEN_BUCKETS; i++) {
        seen->buckets[i].known = seen->buckets[i].forgotten;
    }
}


uint64_t
fwd_seen_print(martech_str_t message_id)
{
    uint64_t  print;

    print = fwd_hash(&fwd_seen_key, message_id.data, message_id.len);

    return print ? print : 1;
}


uint64_t
fwd_seen_number(const fwd_seen_t *seen, uint64_t ms)
{
    return seen->width_ms ? ms / seen->width_ms : 0;
}


fwd_seen_bucket_t *
fwd_seen_unknown(fwd_seen_t *seen, uint64_t number)
{
    size_t              i;
    uint64_t            n;
    fwd_seen_bucket_t  *bucket;

    for (i = 0; i < FWD_SEEN_BUCKETS; i++) {
        bucket = &seen->buckets[i];

        if (bucket->used && (bucket->number + FWD_SEEN_PARTS < number
                             || bucket->number > number + FWD_SEEN_PARTS))
        {
            fwd_seen_free(seen, bucket);
        }
    }

    for (i = 0; i <= FWD_SEEN_PARTS && i <= number; i++) {
        n = number - i;
        bucket = fwd_seen_bucket(seen, n);

        if (bucket == NULL) {
            bucket = fwd_seen_make(seen, n);
        }

        if (!bucket->known) {
            return bucket;
        }
    }

    return NULL;
}


fwd_seen_bucket_t *
fwd_seen_bucket(fwd_seen_t *seen, uint64_t number)
{
    fwd_seen_bucket_t  *bucket;

    bucket = &seen->buckets[number % FWD_SEEN_BUCKETS];

    return (bucket->used && bucket->number == number) ? bucket : NULL;
}


/* Numbers in use are less than FWD_SEEN_BUCKETS apart: see above. */

static fwd_seen_bucket_t *
fwd_seen_make(fwd_seen_t *seen, uint64_t number)
{
    fwd_seen_bucket_t  *bucket;

    bucket = &seen->buckets[number % FWD_SEEN_BUCKETS];
    fwd_seen_free(seen, bucket);

    bucket->used = 1;
    bucket->number = number;

    return bucket;
}


static void
fwd_seen_free(fwd_seen_t *seen, fwd_seen_bucket_t *bucket)
{
    seen->count -= bucket->count;
    free(bucket->slots);
    memset(bucket, 0, sizeof(fwd_seen_bucket_t));
}


static void
fwd_seen_forget(fwd_seen_t *seen, fwd_seen_bucket_t *bucket)
{
    uint64_t  number;

    number = bucket->number;
    fwd_seen_free(seen, bucket);

    bucket->used = 1;
    bucket->number = number;
    bucket->known = 1;
    bucket->forgotten = 1;
    seen->full = 1;
}


/* The oldest that holds anything. */

static fwd_seen_bucket_t *
fwd_seen_oldest(fwd_seen_t *seen)
{
    size_t              i;
    fwd_seen_bucket_t  *bucket, *oldest;

    oldest = NULL;

    for (i = 0; i < FWD_SEEN_BUCKETS; i++) {
        bucket = &seen->buckets[i];

        if (bucket->count != 0
            && (oldest == NULL || bucket->number < oldest->number))
        {
            oldest = bucket;
        }
    }

    return oldest;
}


int
fwd_seen_has(const fwd_seen_t *seen, uint64_t number, uint64_t print)
{
    uint64_t                  i, k;
    const fwd_seen_bucket_t  *bucket;

    k = number % FWD_SEEN_BUCKETS;

    for (i = 0; i <= FWD_SEEN_PARTS && i <= number; i++) {
        bucket = &seen->buckets[k];

        if (bucket->count != 0 && bucket->number == number - i
            && fwd_seen_find(bucket, print))
        {
            return 1;
        }

        k = (k != 0) ? k - 1 : FWD_SEEN_BUCKETS - 1;
    }

    return 0;
}


int
fwd_seen_room(fwd_seen_t *seen, uint64_t number)
{
    fwd_seen_bucket_t  *bucket;

    bucket = fwd_seen_bucket(seen, number);

    if (bucket == NULL || bucket->forgotten) {
        return 0;
    }

    if (bucket->count >= seen->max) {
        seen->full = 1;
        return 0;
    }

    return 1;
}


void
fwd_seen_add(fwd_seen_t *seen, fwd_seen_bucket_t *bucket,
    const unsigned char *prints, size_t len, int fresh)
{
    size_t               i, n;
    uint64_t             print;
    fwd_seen_bucket_t   *oldest;

    for (n = 0; n + FWD_SEEN_BYTES <= len && !bucket->forgotten;
         n += FWD_SEEN_BYTES)
    {
        print = 0;

        for (i = 0; i < FWD_SEEN_BYTES; i++) {
            print |= (uint64_t) prints[n + i] << (8 * i);
        }

        if (print == 0 || (!fresh && fwd_seen_find(bucket, print))) {
            continue;
        }

        while (seen->count >= seen->max) {
            oldest = fwd_seen_oldest(seen);

            if (oldest == NULL || oldest->number >= bucket->number) {

                /* this one alone is too many: those that it has stay */

                seen->full = 1;
                return;
            }

            fwd_seen_forget(seen, oldest);
        }

        if ((uint64_t) bucket->count * 4 >= (uint64_t) bucket->size * 3
            && fwd_seen_grow(bucket) != FWD_OK)
        {
            fwd_seen_forget(seen, bucket);
            return;
        }

        fwd_seen_put(bucket, print);
        bucket->count++;
        seen->count++;
    }
}


void
fwd_seen_write(unsigned char *out, uint64_t print)
{
    size_t  i;

    for (i = 0; i < FWD_SEEN_BYTES; i++) {
        out[i] = (unsigned char) (print >> (8 * i));
    }
}


size_t
fwd_seen_memory(const fwd_seen_t *seen)
{
    size_t  i, bytes;

    bytes = 0;

    for (i = 0; i < FWD_SEEN_BUCKETS; i++) {
        bytes += seen->buckets[i].size * sizeof(uint64_t);
    }

    return bytes;
}


static uint32_t
fwd_seen_home(const fwd_seen_bucket_t *bucket, uint64_t print)
{
    return (uint32_t) (((print >> 32) * bucket->size) >> 32);
}


static int
fwd_seen_find(const fwd_seen_bucket_t *bucket, uint64_t print)
{
    uint32_t  i;

    if (bucket->count == 0) {
        return 0;
    }

    i = fwd_seen_home(bucket, print);

    while (bucket->slots[i] != 0) {

        if (bucket->slots[i] == print) {
            return 1;
        }

        i = (i + 1 == bucket->size) ? 0 : i + 1;
    }

    return 0;
}


static void
fwd_seen_put(fwd_seen_bucket_t *bucket, uint64_t print)
{
    uint32_t  i;

    i = fwd_seen_home(bucket, print);

    while (bucket->slots[i] != 0) {
        i = (i + 1 == bucket->size) ? 0 : i + 1;
    }

    bucket->slots[i] = print;
}


static fwd_rc_t
fwd_seen_grow(fwd_seen_bucket_t *bucket)
{
    uint32_t   i, old_size;
    uint64_t  *old, *slots, size;

    if (bucket->size == 0) {
        size = FWD_SEEN_SIZE_MIN;

    } else if (bucket->size < FWD_SEEN_SIZE_FEW) {
        size = (uint64_t) bucket->size * 4;

    } else {
        size = (uint64_t) bucket->size * 7 / 5;
    }

    if (size > UINT32_MAX / 2) {
        return FWD_ERROR;
    }

    slots = calloc(size, sizeof(uint64_t));
    if (slots == NULL) {
        return FWD_ERROR;
    }

    old = bucket->slots;
    old_size = bucket->size;
    bucket->slots = slots;
    bucket->size = (uint32_t) size;

    for (i = 0; i < old_size; i++) {
        if (old[i] != 0) {
            fwd_seen_put(bucket, old[i]);
        }
    }

    free(old);

    return FWD_OK;
}
