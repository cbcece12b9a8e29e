
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A table of names that is filled once and then asked for every member of
 * every event: open addressing, half empty at least, with a hash that reads
 * the ends of a name only.  The names are the author's, so nobody can make
 * them collide from outside; names that differ in the middle alone share a
 * slot, which costs a comparison.
 */


#include <string.h>

#include "martech_schema_core.h"


static inline uint32_t
martech_schema_names_hash(const unsigned char *data, size_t len)
{
    uint64_t  head, tail;
    uint32_t  first, last;

    if (len >= 8) {
        memcpy(&head, data, 8);
        memcpy(&tail, data + len - 8, 8);

    } else if (len >= 4) {
        memcpy(&first, data, 4);
        memcpy(&last, data + len - 4, 4);
        head = first;
        tail = last;

    } else if (len > 0) {
        head = data[0] | (uint32_t) data[len / 2] << 8;
        tail = data[len - 1];

    } else {
        return 0;
    }

    head = (head ^ len) * 0x9e3779b97f4a7c15ull;
    head = (head ^ (head >> 32) ^ tail) * 0xff51afd7ed558ccdull;

    return (uint32_t) (head >> 32);
}


int
martech_schema_names_init(martech_schema_names_t *names,
    martech_schema_arena_t *arena, size_t max)
{
    size_t  slots;

    for (slots = 4; slots < 2 * max; slots *= 2) { /* void */ }

    names->names = martech_schema_alloc(arena,
                                        max * sizeof(martech_schema_name_t));
    names->slots = martech_schema_alloc(arena, slots * sizeof(uint32_t));

    if (names->names == NULL || names->slots == NULL) {
        return -1;
    }

    memset(names->slots, 0xff, slots * sizeof(uint32_t));

    names->mask = (uint32_t) slots - 1;
    names->count = 0;
    names->max = (uint32_t) max;

    return 0;
}


martech_schema_name_t *
martech_schema_names_find(const martech_schema_names_t *names,
    const unsigned char *data, size_t len)
{
    uint32_t                hash, slot;
    martech_schema_name_t  *name;

    hash = martech_schema_names_hash(data, len);

    for (slot = hash & names->mask;
         names->slots[slot] != MARTECH_SCHEMA_EMPTY;
         slot = (slot + 1) & names->mask)
    {
        name = &names->names[names->slots[slot]];

        if (name->hash == hash && name->len == len
            && (len == 0 || memcmp(name->data, data, len) == 0))
        {
            return name;
        }
    }

    return NULL;
}


martech_schema_name_t *
martech_schema_names_add(martech_schema_names_t *names, martech_str_t text)
{
    uint32_t                slot;
    martech_schema_name_t  *name;

    name = martech_schema_names_find(names, text.data, text.len);
    if (name != NULL) {
        return name;
    }

    name = &names->names[names->count];

    name->data = text.data;
    name->len = (uint32_t) text.len;
    name->hash = martech_schema_names_hash(text.data, text.len);
    name->sub = NULL;
    name->bit = -1;

    slot = name->hash & names->mask;

    while (names->slots[slot] != MARTECH_SCHEMA_EMPTY) {
        slot = (slot + 1) & names->mask;
    }

    names->slots[slot] = names->count++;

    return name;
}
