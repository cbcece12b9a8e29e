
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Values by key, in the order of their use: a table of chains, and a list.
 *
 * Keys end with digests, so a simple hash spreads them; the table has its
 * size from the start, and a value is one piece of memory with its key.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_list.h"
#include "fwd_lookup.h"


typedef struct fwd_lookup_one_s  fwd_lookup_one_t;

struct fwd_lookup_one_s {
    fwd_link_t            link;          /* by use, the oldest first */
    fwd_lookup_one_t     *next;          /* in its chain */
    uint64_t              until_ms;
    uint32_t              hash;
    size_t                key_len;
    size_t                value_len;
    unsigned char         text[];        /* the key, then the value */
};


struct fwd_lookup_s {
    fwd_link_t            used;
    fwd_lookup_one_t    **chains;
    uint32_t              mask;          /* chains less one */
    uint32_t              count;
    uint32_t              max;
    size_t                bytes;
    size_t                bytes_max;
};


static fwd_lookup_one_t **fwd_lookup_place(fwd_lookup_t *l, uint32_t hash,
    martech_str_t key);
static void fwd_lookup_remove(fwd_lookup_t *l, fwd_lookup_one_t **place);
static void fwd_lookup_shrink(fwd_lookup_t *l);
static uint32_t fwd_lookup_hash(martech_str_t key);


fwd_lookup_t *
fwd_lookup_create(uint32_t max, size_t bytes)
{
    uint32_t       size;
    fwd_lookup_t  *l;

    for (size = 16; size < max; size *= 2) { /* void */ }

    l = calloc(1, sizeof(fwd_lookup_t));
    if (l == NULL) {
        return NULL;
    }

    l->chains = calloc(size, sizeof(fwd_lookup_one_t *));

    if (l->chains == NULL) {
        free(l);
        return NULL;
    }

    fwd_list_init(&l->used);
    l->mask = size - 1;
    l->max = max;
    l->bytes_max = bytes;

    return l;
}


void
fwd_lookup_destroy(fwd_lookup_t *l)
{
    fwd_lookup_one_t  *one;

    if (l == NULL) {
        return;
    }

    while (!fwd_list_empty(&l->used)) {
        one = fwd_list_data(l->used.next, fwd_lookup_one_t, link);
        fwd_list_remove(&one->link);
        free(one);
    }

    free(l->chains);
    free(l);
}


fwd_rc_t
fwd_lookup_get(fwd_lookup_t *l, martech_str_t key, uint64_t now_ms,
    martech_str_t *value)
{
    fwd_lookup_one_t  *one, **place;

    place = fwd_lookup_place(l, fwd_lookup_hash(key), key);
    one = *place;

    if (one == NULL) {
        return FWD_NONE;
    }

    if (one->until_ms <= now_ms) {
        fwd_lookup_remove(l, place);
        return FWD_NONE;
    }

    fwd_list_remove(&one->link);
    fwd_list_push(&l->used, &one->link);

    value->data = one->text + one->key_len;
    value->len = one->value_len;

    return FWD_OK;
}


void
fwd_lookup_put(fwd_lookup_t *l, martech_str_t key, martech_str_t value,
    uint64_t until_ms)
{
    uint32_t           hash;
    fwd_lookup_one_t  *one, **place;

    fwd_lookup_forget(l, key);

    one = malloc(sizeof(fwd_lookup_one_t) + key.len + value.len);
    if (one == NULL) {
        return;
    }

    hash = fwd_lookup_hash(key);
    one->until_ms = until_ms;
    one->hash = hash;
    one->key_len = key.len;
    one->value_len = value.len;
    memcpy(one->text, key.data, key.len);

    if (value.len != 0) {
        memcpy(one->text + key.len, value.data, value.len);
    }

    place = &l->chains[hash & l->mask];
    one->next = *place;
    *place = one;
    fwd_list_push(&l->used, &one->link);

    l->count++;
    l->bytes += sizeof(fwd_lookup_one_t) + key.len + value.len;

    fwd_lookup_shrink(l);
}


void
fwd_lookup_forget(fwd_lookup_t *l, martech_str_t key)
{
    fwd_lookup_one_t  **place;

    place = fwd_lookup_place(l, fwd_lookup_hash(key), key);

    if (*place != NULL) {
        fwd_lookup_remove(l, place);
    }
}


uint32_t
fwd_lookup_count(const fwd_lookup_t *l)
{
    return l->count;
}


/* Where the pointer to it is, or would be: there it is NULL. */

static fwd_lookup_one_t **
fwd_lookup_place(fwd_lookup_t *l, uint32_t hash, martech_str_t key)
{
    fwd_lookup_one_t  *one, **place;

    place = &l->chains[hash & l->mask];

    for (one = *place; one != NULL; one = *place) {

        if (one->hash == hash && one->key_len == key.len
            && memcmp(one->text, key.data, key.len) == 0)
        {
            break;
        }

        place = &one->next;
    }

    return place;
}


static void
fwd_lookup_remove(fwd_lookup_t *l, fwd_lookup_one_t **place)
{
    fwd_lookup_one_t  *one;

    one = *place;
    *place = one->next;
    fwd_list_remove(&one->link);

    l->count--;
    l->bytes -= sizeof(fwd_lookup_one_t) + one->key_len + one->value_len;
    free(one);
}


static void
fwd_lookup_shrink(fwd_lookup_t *l)
{
    martech_str_t      key;
    fwd_lookup_one_t  *one;

    while (l->count > l->max || l->bytes > l->bytes_max) {
        one = fwd_list_data(l->used.next, fwd_lookup_one_t, link);
        key.data = one->text;
        key.len = one->key_len;

        fwd_lookup_remove(l, fwd_lookup_place(l, one->hash, key));
    }
}


/* FNV-1a */

static uint32_t
fwd_lookup_hash(martech_str_t key)
{
    size_t    i;
    uint32_t  hash;

    hash = 2166136261u;

    for (i = 0; i < key.len; i++) {
        hash = (hash ^ key.data[i]) * 16777619u;
    }

    return hash ^ (hash >> 15);
}
