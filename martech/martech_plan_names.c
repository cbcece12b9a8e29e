
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Memory of a plan, and its tables from names to numbers.
 *
 * A table is made of names that the author of the plan chose, so a sender can
 * not make its chains long; that is why the hash needs no secret.
 */


#include <stdlib.h>
#include <string.h>

#include "martech_plan_private.h"


#define MARTECH_PLAN_BLOCK_SIZE   16384
#define MARTECH_PLAN_ALIGN        16
#define MARTECH_PLAN_SLOTS_MIN    8


struct martech_plan_block_s {
    martech_plan_block_t  *next;
    size_t                 size;
    size_t                 used;
    size_t                 pad;          /* data stays aligned */
    unsigned char          data[];
};


static uint64_t martech_plan_hash(const unsigned char *data, size_t len);
static int martech_plan_names_grow(martech_plan_names_t *names);
static martech_plan_slot_t *martech_plan_names_slot(
    const martech_plan_names_t *names, const unsigned char *data, size_t len,
    uint64_t hash);


void *
martech_plan_alloc(martech_plan_t *plan, size_t size)
{
    void                  *p;
    size_t                 room;
    martech_plan_block_t  *block;

    size = (size + MARTECH_PLAN_ALIGN - 1) & ~(size_t) (MARTECH_PLAN_ALIGN - 1);
    block = plan->blocks;

    if (block == NULL || block->size - block->used < size) {
        room = (size > MARTECH_PLAN_BLOCK_SIZE) ? size
                                                : MARTECH_PLAN_BLOCK_SIZE;

        block = calloc(1, sizeof(martech_plan_block_t) + room);
        if (block == NULL) {
            return NULL;
        }

        block->size = room;
        block->next = plan->blocks;
        plan->blocks = block;
    }

    p = block->data + block->used;
    block->used += size;

    return p;
}


void
martech_plan_free_blocks(martech_plan_t *plan)
{
    martech_plan_block_t  *block;

    while (plan->blocks != NULL) {
        block = plan->blocks;
        plan->blocks = block->next;
        free(block);
    }
}


/* Eight bytes at a time; the last ones overlap, so that no loop is left. */

static uint64_t
martech_plan_hash(const unsigned char *data, size_t len)
{
    uint64_t  h, a, b;
    uint32_t  x, y;

    h = len * 0x9e3779b97f4a7c15ULL;

    if (len >= 8) {

        while (len > 16) {
            memcpy(&a, data, 8);
            h = (h ^ a) * 0xbf58476d1ce4e5b9ULL;
            h ^= h >> 29;
            data += 8;
            len -= 8;
        }

        memcpy(&a, data, 8);
        memcpy(&b, data + len - 8, 8);

    } else if (len >= 4) {
        memcpy(&x, data, 4);
        memcpy(&y, data + len - 4, 4);
        a = x;
        b = y;

    } else {
        a = (len > 0) ? data[0] | (uint64_t) data[len / 2] << 8 : 0;
        b = (len > 0) ? data[len - 1] : 0;
    }

    h = (h ^ a) * 0xbf58476d1ce4e5b9ULL;
    h ^= h >> 32;
    h = (h ^ b) * 0x94d049bb133111ebULL;

    return h ^ (h >> 29);
}


int
martech_plan_names_add(martech_plan_names_t *names, martech_str_t name,
    int value)
{
    uint64_t              hash;
    martech_plan_slot_t  *slot;

    if (names->count * 2 >= names->size
        && martech_plan_names_grow(names) == -1)
    {
        return -1;
    }

    hash = martech_plan_hash(name.data, name.len);
    slot = martech_plan_names_slot(names, name.data, name.len, hash);

    if (slot->name.data != NULL) {
        return 1;
    }

    slot->name = name;
    slot->hash = hash;
    slot->value = value;
    names->count++;

    return 0;
}


static int
martech_plan_names_grow(martech_plan_names_t *names)
{
    uint32_t              i;
    martech_plan_slot_t  *slot;
    martech_plan_names_t  more;

    more.size = names->size ? names->size * 2 : MARTECH_PLAN_SLOTS_MIN;
    more.count = names->count;
    more.slots = calloc(more.size, sizeof(martech_plan_slot_t));

    if (more.slots == NULL) {
        return -1;
    }

    for (i = 0; i < names->size; i++) {
        slot = &names->slots[i];

        if (slot->name.data != NULL) {
            *martech_plan_names_slot(&more, slot->name.data, slot->name.len,
                                     slot->hash) = *slot;
        }
    }

    free(names->slots);
    *names = more;

    return 0;
}


/* The slot of a name, or the free one where it belongs. */

static martech_plan_slot_t *
martech_plan_names_slot(const martech_plan_names_t *names,
    const unsigned char *data, size_t len, uint64_t hash)
{
    uint32_t              i, mask;
    martech_plan_slot_t  *slot;

    mask = names->size - 1;

    for (i = (uint32_t) hash & mask; /* void */ ; i = (i + 1) & mask) {
        slot = &names->slots[i];

        if (slot->name.data == NULL
            || (slot->hash == hash && slot->name.len == len
                && memcmp(slot->name.data, data, len) == 0))
        {
            return slot;
        }
    }
}


int
martech_plan_names_find(const martech_plan_names_t *names,
    const unsigned char *data, size_t len)
{
    martech_plan_slot_t  *slot;

    if (names->slots == NULL) {
        return -1;
    }

    slot = martech_plan_names_slot(names, data, len,
                                   martech_plan_hash(data, len));

    return (slot->name.data == NULL) ? -1 : slot->value;
}


void
martech_plan_names_free(martech_plan_names_t *names)
{
    free(names->slots);
    names->slots = NULL;
    names->size = 0;
    names->count = 0;
}
