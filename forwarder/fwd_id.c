
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Stream IDs and the map from IDs to objects.
 *
 * The map uses linear probing and moves entries back on removal instead of
 * leaving marks: entries live for milliseconds, and marks would fill it.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_id.h"


/* Of an ID only so much counts: the products fit into a double. */
#define FWD_ID_DIGEST_MS     (1 << 21)
#define FWD_ID_DIGEST_SEQ    (1 << 16)

#define FWD_IDMAP_SIZE_MIN   16
#define FWD_IDMAP_SIZE_KEEP  1024        /* an emptied map above this size
                                            gives its memory back */


static fwd_rc_t fwd_id_number(uint64_t *n, const char **p, const char *end);
static size_t fwd_id_digits(char *out, uint64_t n);
static uint64_t fwd_id_exact(uint64_t n);
static uint32_t fwd_idmap_home(const fwd_idmap_t *map, fwd_id_t id);
static fwd_rc_t fwd_idmap_grow(fwd_idmap_t *map);
static void fwd_idmap_put(fwd_idmap_t *map, fwd_id_t id, void *value);


fwd_rc_t
fwd_id_parse(fwd_id_t *id, const char *text, size_t len)
{
    uint64_t     ms, seq;
    const char  *p, *end;

    p = text;
    end = text + len;

    if (fwd_id_number(&ms, &p, end) != FWD_OK || p == end || *p != '-') {
        return FWD_ERROR;
    }

    p++;

    if (fwd_id_number(&seq, &p, end) != FWD_OK || p != end) {
        return FWD_ERROR;
    }

    id->ms = ms;
    id->seq = seq;

    return FWD_OK;
}


static fwd_rc_t
fwd_id_number(uint64_t *n, const char **p, const char *end)
{
    unsigned     digit;
    uint64_t     value;
    const char  *start;

    value = 0;
    start = *p;

    while (*p < end && **p >= '0' && **p <= '9') {
        digit = (unsigned) (**p - '0');

        if (value > (UINT64_MAX - digit) / 10) {
            return FWD_ERROR;
        }

        value = value * 10 + digit;
        (*p)++;
    }

    if (*p == start) {
        return FWD_ERROR;
    }

    *n = value;

    return FWD_OK;
}


size_t
fwd_id_format(char *out, fwd_id_t id)
{
    size_t  len;

    len = fwd_id_digits(out, id.ms);
    out[len++] = '-';
    len += fwd_id_digits(out + len, id.seq);
    out[len] = '\0';

    return len;
}


static size_t
fwd_id_digits(char *out, uint64_t n)
{
    char    text[20];
    size_t  len, i;

    len = 0;

    do {
        text[len++] = (char) ('0' + n % 10);
        n /= 10;
    } while (n != 0);

    for (i = 0; i < len; i++) {
        out[i] = text[len - 1 - i];
    }

    return len;
}


int
fwd_id_compare(fwd_id_t a, fwd_id_t b)
{
    if (a.ms != b.ms) {
        return a.ms < b.ms ? -1 : 1;
    }

    if (a.seq != b.seq) {
        return a.seq < b.seq ? -1 : 1;
    }

    return 0;
}


uint64_t
fwd_id_digest(fwd_id_t id)
{
    return ((fwd_id_exact(id.ms) % FWD_ID_DIGEST_MS) * 1103515245
            + (fwd_id_exact(id.seq) % FWD_ID_DIGEST_SEQ) * 2654435761)
           & UINT32_MAX;
}


/* A double holds no more than 53 bits; no clock gives IDs so large. */

static uint64_t
fwd_id_exact(uint64_t n)
{
    int  bits;

    if (n < (1ULL << 53)) {
        return n;
    }

    bits = 11 - __builtin_clzll(n);

    /* to the nearest, halves to the even one */

    n += (1ULL << (bits - 1)) - 1 + ((n >> bits) & 1);

    return n >> bits << bits;
}


fwd_id_t
fwd_id_next(fwd_id_t id)
{
    id.seq++;

    if (id.seq == 0) {
        id.ms++;
    }

    return id;
}


fwd_rc_t
fwd_idmap_add(fwd_idmap_t *map, fwd_id_t id, void *value)
{
    /* at most three quarters full, so that probes stay short */

    if (map->count >= map->size / 4 * 3
        && fwd_idmap_grow(map) != FWD_OK)
    {
        return FWD_ERROR;
    }

    fwd_idmap_put(map, id, value);
    map->count++;

    return FWD_OK;
}


void *
fwd_idmap_get(const fwd_idmap_t *map, fwd_id_t id)
{
    uint32_t           i;
    fwd_idmap_slot_t  *slot;

    if (map->count == 0) {
        return NULL;
    }

    for (i = fwd_idmap_home(map, id);; i = (i + 1) & (map->size - 1)) {
        slot = &map->slots[i];

        if (slot->value == NULL) {
            return NULL;
        }

        if (fwd_id_compare(slot->id, id) == 0) {
            return slot->value;
        }
    }
}


void
fwd_idmap_remove(fwd_idmap_t *map, fwd_id_t id)
{
    uint32_t           i, j, home, mask;
    fwd_idmap_slot_t  *slots;

    if (fwd_idmap_get(map, id) == NULL) {
        return;
    }

    slots = map->slots;
    mask = map->size - 1;

    for (i = fwd_idmap_home(map, id);
         fwd_id_compare(slots[i].id, id) != 0;
         i = (i + 1) & mask)
    {
        /* find it: it is there */
    }

    /* close the gap with what may stand there */

    for (j = (i + 1) & mask; slots[j].value != NULL; j = (j + 1) & mask) {
        home = fwd_idmap_home(map, slots[j].id);

        if (((j - home) & mask) >= ((j - i) & mask)) {
            slots[i] = slots[j];
            i = j;
        }
    }

    slots[i].value = NULL;
    map->count--;

    if (map->count == 0 && map->size > FWD_IDMAP_SIZE_KEEP) {
        fwd_idmap_free(map);
    }
}


void
fwd_idmap_each(const fwd_idmap_t *map,
    void (*handler)(void *value, void *data), void *data)
{
    uint32_t  i;

    for (i = 0; i < map->size; i++) {
        if (map->slots[i].value != NULL) {
            handler(map->slots[i].value, data);
        }
    }
}


void
fwd_idmap_free(fwd_idmap_t *map)
{
    free(map->slots);
    memset(map, 0, sizeof(fwd_idmap_t));
}


static uint32_t
fwd_idmap_home(const fwd_idmap_t *map, fwd_id_t id)
{
    uint64_t  h;

    h = id.ms * 0x9e3779b97f4a7c15ULL + id.seq;
    h ^= h >> 29;
    h *= 0xff51afd7ed558ccdULL;

    return (uint32_t) (h >> 32) & (map->size - 1);
}


static fwd_rc_t
fwd_idmap_grow(fwd_idmap_t *map)
{
    uint32_t           i, size;
    fwd_idmap_t        old;
    fwd_idmap_slot_t  *slots;

    size = map->size ? map->size * 2 : FWD_IDMAP_SIZE_MIN;

    slots = calloc(size, sizeof(fwd_idmap_slot_t));
    if (slots == NULL) {
        return FWD_ERROR;
    }

    old = *map;
    map->slots = slots;
    map->size = size;

    for (i = 0; i < old.size; i++) {
        if (old.slots[i].value != NULL) {
            fwd_idmap_put(map, old.slots[i].id, old.slots[i].value);
        }
    }

    free(old.slots);

    return FWD_OK;
}


static void
fwd_idmap_put(fwd_idmap_t *map, fwd_id_t id, void *value)
{
    uint32_t  i;

    i = fwd_idmap_home(map, id);

    while (map->slots[i].value != NULL) {
        i = (i + 1) & (map->size - 1);
    }

    map->slots[i].id = id;
    map->slots[i].value = value;
}
