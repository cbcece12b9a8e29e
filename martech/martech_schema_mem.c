
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The memory of a compiled schema: an arena that is given back as a whole,
 * and the texts that are kept in it.
 */


#include <stdlib.h>
#include <string.h>

#include "martech_schema_core.h"


#define MARTECH_SCHEMA_BLOCK  8192


struct martech_schema_block_s {
    martech_schema_block_t  *next;
    uint64_t                 data[];     /* aligned for all that is put in */
};


void *
martech_schema_alloc(martech_schema_arena_t *arena, size_t size)
{
    void                    *p;
    size_t                   block;
    martech_schema_block_t  *b;

    if (size > MARTECH_SCHEMA_ARENA_MAX) {
        return NULL;
    }

    /* nothing is something, too: NULL means failure */

    size = (size == 0) ? 8 : (size + 7) & ~(size_t) 7;

    if (size > arena->left) {
        block = (size > MARTECH_SCHEMA_BLOCK) ? size : MARTECH_SCHEMA_BLOCK;

        if (block > MARTECH_SCHEMA_ARENA_MAX - arena->total) {
            return NULL;
        }

        b = calloc(1, sizeof(martech_schema_block_t) + block);
        if (b == NULL) {
            return NULL;
        }

        b->next = arena->blocks;
        arena->blocks = b;
        arena->total += block;
        arena->pos = (unsigned char *) b->data;
        arena->left = block;
    }

    p = arena->pos;
    arena->pos += size;
    arena->left -= size;

    return p;
}


void
martech_schema_arena_free(martech_schema_arena_t *arena)
{
    martech_schema_block_t  *b, *next;

    for (b = arena->blocks; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
}


martech_str_t
martech_schema_text(martech_schema_arena_t *arena, martech_str_t slice,
    int escaped)
{
    unsigned char  *p;
    martech_str_t   text;

    if (!escaped) {
        return slice;
    }

    text.data = NULL;
    text.len = 0;

    p = martech_schema_alloc(arena, slice.len);

    if (p != NULL) {
        text.data = p;
        text.len = (size_t) martech_json_unescape(slice, p, slice.len);
    }

    return text;
}


martech_str_t
martech_schema_key(martech_schema_arena_t *arena,
    const martech_json_tape_t *tape, uint32_t node)
{
    martech_str_t  key;

    key.data = tape->text + tape->nodes[node].key;
    key.len = tape->nodes[node].key_len;

    return martech_schema_text(arena, key, tape->nodes[node].flags
                                           & MARTECH_JSON_KEY_ESCAPED);
}


martech_str_t
martech_schema_join(martech_schema_arena_t *arena, martech_str_t pointer,
    const void *name, size_t len)
{
    size_t                i;
    unsigned char        *p;
    martech_str_t         joined;
    const unsigned char  *data;

    joined.data = NULL;
    joined.len = 0;
    data = name;

    /* an escape is twice as long as what it stands for */

    p = martech_schema_alloc(arena, pointer.len + 1 + 2 * len);
    if (p == NULL) {
        return joined;
    }

    joined.data = p;

    if (pointer.len > 0) {
        memcpy(p, pointer.data, pointer.len);
        p += pointer.len;
    }

    *p++ = '/';

    for (i = 0; i < len; i++) {

        if (data[i] == '~' || data[i] == '/') {
            *p++ = '~';
            *p++ = (data[i] == '~') ? '0' : '1';
            continue;
        }

        *p++ = data[i];
    }

    joined.len = (size_t) (p - joined.data);

    return joined;
}
