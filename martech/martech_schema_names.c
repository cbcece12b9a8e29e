
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A table of names that is filled once and then asked for every member of
 * every event (martech_schema_names_find()): open addressing, half empty at
 * least, with a hash that reads the ends of a name only.  The names are the
 * author's, so nobody can make them collide from outside; names that differ
 * in the middle alone share a slot, which costs a comparison.
 */


#include <string.h>

#include "martech_schema_core.h"


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
martech_schema_names_seek(const martech_schema_names_t *names,
    martech_word_t word, const unsigned char *data, size_t len)
{
    uint32_t                slot;
    martech_schema_name_t  *name;

    for (slot = martech_word_hash(word, len) & names->mask;
         names->slots[slot] != MARTECH_SCHEMA_EMPTY;
         slot = (slot + 1) & names->mask)
    {
        name = &names->names[names->slots[slot]];

        if (martech_schema_name_same(name, word, data, len)) {
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
    name->word = martech_word(text.data, text.len);
    name->sub = NULL;
    name->bit = -1;
    name->number = -1;

    slot = martech_word_hash(name->word, text.len) & names->mask;

    while (names->slots[slot] != MARTECH_SCHEMA_EMPTY) {
        slot = (slot + 1) & names->mask;
    }

    names->slots[slot] = names->count++;

    return name;
}
