
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Equality of JSON values as JSON Schema means it: numbers by their value,
 * strings un-escaped, objects whatever the order of their members.
 */


#include <string.h>

#include "martech_schema_core.h"


#define MARTECH_SCHEMA_FEW  8            /* items that are compared in pairs */


/* A string or name by its slice. */
typedef struct {
    martech_str_t         slice;
    int                   escaped;
} martech_schema_slice_t;


static martech_schema_slice_t
martech_schema_slice_value(const martech_json_tape_t *tape, uint32_t node)
{
    martech_schema_slice_t  s;

    s.slice = martech_json_slice(tape, node);
    s.escaped = tape->nodes[node].flags & MARTECH_JSON_VALUE_ESCAPED;

    return s;
}


static martech_schema_slice_t
martech_schema_slice_key(const martech_json_tape_t *tape, uint32_t node)
{
    martech_schema_slice_t  s;

    s.slice.data = tape->text + tape->nodes[node].key;
    s.slice.len = tape->nodes[node].key_len;
    s.escaped = tape->nodes[node].flags & MARTECH_JSON_KEY_ESCAPED;

    return s;
}


static int
martech_schema_slice_equal(martech_schema_eval_t *ev,
    martech_schema_slice_t a, martech_schema_slice_t b)
{
    int     rc;
    size_t  used;

    if (!a.escaped && !b.escaped) {
        return a.slice.len == b.slice.len
               && memcmp(a.slice.data, b.slice.data, a.slice.len) == 0;
    }

    used = ev->run->scratch_used;

    if (!martech_schema_spend(ev, (a.slice.len + b.slice.len) / 64)
        || !martech_schema_plain(ev, a.slice, a.escaped, &a.slice)
        || !martech_schema_plain(ev, b.slice, b.escaped, &b.slice))
    {
        return -1;
    }

    rc = a.slice.len == b.slice.len
         && memcmp(a.slice.data, b.slice.data, a.slice.len) == 0;

    ev->run->scratch_used = used;

    return rc;
}


static int
martech_schema_equal_arrays(martech_schema_eval_t *ev,
    const martech_json_tape_t *a, uint32_t i, const martech_json_tape_t *b,
    uint32_t j)
{
    int       rc;
    uint32_t  end;

    end = a->nodes[i].next;
    j++;

    for (i++; i < end; i = a->nodes[i].next) {
        rc = martech_schema_equal(ev, a, i, b, j);

        if (rc != 1) {
            return rc;
        }

        j = b->nodes[j].next;
    }

    return 1;
}


/* The member of an object with the name of another; 0: none, -1: limit. */

static long
martech_schema_member_like(martech_schema_eval_t *ev,
    const martech_json_tape_t *tape, uint32_t object,
    martech_schema_slice_t name)
{
    int       rc;
    uint32_t  i;

    for (i = object + 1; i < tape->nodes[object].next;
         i = tape->nodes[i].next)
    {
        if (!martech_schema_spend(ev, 1)) {
            return -1;
        }

        rc = martech_schema_slice_equal(ev, name,
                                        martech_schema_slice_key(tape, i));

        if (rc != 0) {
            return (rc < 0) ? -1 : (long) i;
        }
    }

    return 0;
}


static int
martech_schema_equal_objects(martech_schema_eval_t *ev,
    const martech_json_tape_t *a, uint32_t i, const martech_json_tape_t *b,
    uint32_t j)
{
    int       rc;
    long      member;
    uint32_t  end;

    end = a->nodes[i].next;

    for (i++; i < end; i = a->nodes[i].next) {
        member = martech_schema_member_like(ev, b, j,
                                            martech_schema_slice_key(a, i));

        if (member <= 0) {
            return (int) member;
        }

        rc = martech_schema_equal(ev, a, i, b, (uint32_t) member);

        if (rc != 1) {
            return rc;
        }
    }

    return 1;
}


int
martech_schema_equal(martech_schema_eval_t *ev, const martech_json_tape_t *a,
    uint32_t i, const martech_json_tape_t *b, uint32_t j)
{
    int                         rc;
    martech_schema_decimal_t    x, y;
    const martech_json_node_t  *m, *n;

    m = &a->nodes[i];
    n = &b->nodes[j];

    if (m->kind != n->kind) {
        return 0;
    }

    if (!martech_schema_spend(ev, 1)
        || ev->depth == MARTECH_SCHEMA_DEPTH_MAX)
    {
        return -1;
    }

    switch (m->kind) {

    case MARTECH_JSON_NUMBER:
        martech_schema_decimal(&x, martech_json_slice(a, i));
        martech_schema_decimal(&y, martech_json_slice(b, j));

        return martech_schema_decimal_compare(&x, &y) == 0;

    case MARTECH_JSON_STRING:
        return martech_schema_slice_equal(ev,
                                          martech_schema_slice_value(a, i),
                                          martech_schema_slice_value(b, j));

    case MARTECH_JSON_ARRAY:
    case MARTECH_JSON_OBJECT:

        if (m->count != n->count) {
            return 0;
        }

        ev->depth++;

        rc = (m->kind == MARTECH_JSON_ARRAY)
             ? martech_schema_equal_arrays(ev, a, i, b, j)
             : martech_schema_equal_objects(ev, a, i, b, j);

        ev->depth--;

        return rc;

    default:
        return 1;
    }
}


static uint64_t
martech_schema_mix(uint64_t hash)
{
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccdull;

    return hash ^ (hash >> 33);
}


/* Of a string as it is un-escaped; 0 without scratch. */

static int
martech_schema_slice_hash(martech_schema_eval_t *ev, martech_schema_slice_t s,
    uint64_t *hash)
{
    size_t  i, used;

    used = ev->run->scratch_used;

    if (!martech_schema_plain(ev, s.slice, s.escaped, &s.slice)) {
        return 0;
    }

    *hash = 0xcbf29ce484222325ull;

    for (i = 0; i < s.slice.len; i++) {
        *hash = (*hash ^ s.slice.data[i]) * 0x100000001b3ull;
    }

    ev->run->scratch_used = used;

    return 1;
}


/*
 * A hash that equal values share, of a whole tree in one walk over its nodes:
 * the sum of what its values are, without regard to their order or to the
 * names of members.  0 without scratch.
 */

static int
martech_schema_tree_hash(martech_schema_eval_t *ev, uint32_t node,
    uint64_t *hash)
{
    uint32_t                    i;
    uint64_t                    sum, one;
    martech_schema_decimal_t    number;
    const martech_json_tape_t  *tape;
    const martech_json_node_t  *n;

    tape = ev->tape;
    sum = 0;

    for (i = node; i < tape->nodes[node].next; i++) {
        n = &tape->nodes[i];
        one = 0;

        if (n->kind == MARTECH_JSON_STRING) {

            if (!martech_schema_slice_hash(ev,
                                     martech_schema_slice_value(tape, i),
                                     &one))
            {
                return 0;
            }

        } else if (n->kind == MARTECH_JSON_NUMBER) {
            martech_schema_decimal(&number, martech_json_slice(tape, i));
            one = martech_schema_decimal_hash(&number);
        }

        one ^= (uint64_t) n->kind << 32 | n->count;
        sum += martech_schema_mix(one);
    }

    *hash = martech_schema_mix(sum);

    return 1;
}


/* 1: all items differ, 0: two are equal, -1: limit. */

static int
martech_schema_unique_pairs(martech_schema_eval_t *ev, uint32_t array)
{
    int                         rc;
    uint32_t                    i, j, end;
    const martech_json_node_t  *nodes;

    nodes = ev->tape->nodes;
    end = nodes[array].next;

    for (i = array + 1; i < end; i = nodes[i].next) {

        for (j = nodes[i].next; j < end; j = nodes[j].next) {

            if (!martech_schema_spend(ev, 1)) {
                return -1;
            }

            rc = martech_schema_equal(ev, ev->tape, i, ev->tape, j);

            if (rc != 0) {
                return (rc < 0) ? -1 : 0;
            }
        }
    }

    return 1;
}


/* Puts an item into the table; 1: it is new, 0: it is not, -1: limit. */

static int
martech_schema_unique_add(martech_schema_eval_t *ev, uint32_t *slots,
    uint32_t mask, uint32_t node, uint64_t hash)
{
    int       rc;
    uint32_t  slot;

    for (slot = (uint32_t) hash & mask; slots[slot] != 0;
         slot = (slot + 1) & mask)
    {
        if (!martech_schema_spend(ev, 1)) {
            return -1;
        }

        rc = martech_schema_equal(ev, ev->tape, node, ev->tape, slots[slot]);

        if (rc != 0) {
            return (rc < 0) ? -1 : 0;
        }
    }

    slots[slot] = node;

    return 1;
}


static int
martech_schema_unique_table(martech_schema_eval_t *ev, uint32_t array,
    uint32_t *slots, uint32_t mask)
{
    int                         rc;
    uint32_t                    i;
    uint64_t                    hash;
    const martech_json_node_t  *nodes;

    nodes = ev->tape->nodes;

    for (i = array + 1; i < nodes[array].next; i = nodes[i].next) {

        if (!martech_schema_spend(ev, nodes[i].next - i)
            || !martech_schema_tree_hash(ev, i, &hash))
        {
            return -1;
        }

        rc = martech_schema_unique_add(ev, slots, mask, i, hash);

        if (rc != 1) {
            return rc;
        }
    }

    return 1;
}


/*
 * Few items are compared in pairs; more go into a table in scratch that is
 * four fifths full at most.
 */

int
martech_schema_unique(martech_schema_eval_t *ev, uint32_t array)
{
    int        rc;
    size_t     used, size;
    uint32_t  *slots, count, mask;

    count = ev->tape->nodes[array].count;

    if (count <= MARTECH_SCHEMA_FEW) {
        return martech_schema_unique_pairs(ev, array);
    }

    /* before memory is cleared for them */

    if (ev->run->steps < count) {
        return -1;
    }

    for (size = 16; size / 5 * 4 < count; size *= 2) { /* void */ }

    used = ev->run->scratch_used;
    slots = martech_schema_take(ev, size * sizeof(uint32_t));

    if (slots == NULL) {
        return -1;
    }

    memset(slots, 0, size * sizeof(uint32_t));
    mask = (uint32_t) size - 1;

    rc = martech_schema_unique_table(ev, array, slots, mask);

    ev->run->scratch_used = used;

    return rc;
}
