
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Flat events.  Names of a sender are compared by a small hash table of
 * bounded size, so that many of them cost no more than their bytes.
 */


#include <string.h>

#include "martech_dialect_flat.h"
#include "martech_dialect_map.h"
#include "martech_form.h"
#include "martech_word.h"


static int martech_flat_add(const martech_translation_t *t,
    martech_flat_t *flat, martech_str_t name, martech_str_t value);
static martech_str_t *martech_flat_known(martech_flat_t *flat,
    martech_str_t name);
static martech_str_t martech_flat_decode(martech_translation_t *t,
    martech_str_t text);


void
martech_names_clear(martech_names_t *set)
{
    if (set->count > 0) {
        memset(set->slots, 0, sizeof(set->slots));
        set->count = 0;
    }
}


int
martech_names_add(martech_names_t *set, martech_str_t name)
{
    unsigned   i;
    uint32_t   hash;
    uint16_t  *slot;

    hash = martech_word_hash(martech_word(name.data, name.len), name.len);

    for (i = hash; /* void */ ; i++) {
        slot = &set->slots[i % MARTECH_NAMES_SLOTS];

        if (*slot == 0) {
            break;
        }

        if (set->hashes[*slot - 1] == hash
            && set->names[*slot - 1].len == name.len
            && memcmp(set->names[*slot - 1].data, name.data, name.len) == 0)
        {
            return 0;
        }
    }

    if (set->count == MARTECH_NAMES_MAX) {
        return 0;
    }

    set->names[set->count] = name;
    set->hashes[set->count] = hash;
    *slot = (uint16_t) ++set->count;

    return 1;
}


void
martech_flat_init(martech_flat_t *flat, const martech_flat_table_t *table)
{
    flat->table = table;
    flat->names.count = MARTECH_NAMES_MAX;

    martech_flat_clear(flat);
}


void
martech_flat_clear(martech_flat_t *flat)
{
    memset(flat->known, 0, flat->table->count * sizeof(martech_str_t));
    martech_names_clear(&flat->names);
}


int
martech_flat_form(martech_translation_t *t, martech_flat_t *flat,
    martech_str_t form)
{
    martech_str_t   name, value;
    martech_form_t  pairs;

    pairs.rest = form;

    while (martech_form_next(&pairs, &name, &value)) {

        name = martech_flat_decode(t, name);
        value = martech_flat_decode(t, value);

        if (name.data == NULL || value.data == NULL
            || !martech_flat_add(t, flat, name, value))
        {
            return 0;
        }
    }

    return 1;
}


static martech_str_t
martech_flat_decode(martech_translation_t *t, martech_str_t text)
{
    unsigned char  *room;
    martech_str_t   none = { 0, NULL };

    if (text.len == 0
        || (memchr(text.data, '%', text.len) == NULL
            && memchr(text.data, '+', text.len) == NULL))
    {
        return text;
    }

    room = martech_dialect_room(t, text.len);

    return room ? martech_form_decode(text, room) : none;
}


int
martech_flat_object(martech_translation_t *t, martech_flat_t *flat,
    uint32_t object)
{
    uint32_t                    i;
    martech_str_t               name, value;
    const martech_json_node_t  *nodes;

    nodes = t->tape->nodes;

    for (i = object + 1; i < nodes[object].next; i = nodes[i].next) {

        if (nodes[i].kind == MARTECH_JSON_NULL) {
            continue;
        }

        name = martech_flat_key(t, t->tape, i);
        value = martech_flat_value(t, t->tape, i);

        if (name.data == NULL || value.data == NULL
            || !martech_flat_add(t, flat, name, value))
        {
            return 0;
        }
    }

    return 1;
}


static int
martech_flat_add(const martech_translation_t *t, martech_flat_t *flat,
    martech_str_t name, martech_str_t value)
{
    martech_str_t  *known;

    if (value.len > t->limits->string_size_max) {
        return 0;
    }

    known = martech_flat_known(flat, name);

    if (known) {

        if (known->data == NULL && value.len > 0) {
            *known = value;
        }

        return 1;
    }

    /* what would make the whole batch unreadable */

    if (name.len > t->limits->key_size_max
        || memchr(name.data, '\0', name.len) != NULL)
    {
        return 0;
    }

    if (!martech_names_add(&flat->names, name)) {
        return 1;
    }

    if (flat->names.count > MARTECH_FLAT_OTHERS_MAX) {
        return 0;
    }

    flat->values[flat->names.count - 1] = value;

    return 1;
}


static martech_str_t *
martech_flat_known(martech_flat_t *flat, martech_str_t name)
{
    unsigned              i, last;
    const martech_str_t  *names;

    if (name.len == 0 || name.len > flat->table->len_max) {
        return NULL;
    }

    names = flat->table->names;
    last = flat->table->from[name.len + 1];

    for (i = flat->table->from[name.len]; i < last; i++) {

        if (names[i].data[0] == name.data[0]
            && memcmp(names[i].data, name.data, name.len) == 0)
        {
            return &flat->known[i];
        }
    }

    return NULL;
}


int
martech_flat_merge(martech_flat_t *flat, const martech_flat_t *base)
{
    unsigned  i;

    for (i = 0; i < flat->table->count; i++) {

        if (flat->known[i].data == NULL) {
            flat->known[i] = base->known[i];
        }
    }

    for (i = 0; i < base->names.count; i++) {

        if (!martech_names_add(&flat->names, base->names.names[i])) {
            continue;
        }

        if (flat->names.count > MARTECH_FLAT_OTHERS_MAX) {
            return 0;
        }

        flat->values[flat->names.count - 1] = base->values[i];
    }

    return 1;
}


martech_str_t
martech_flat_take(martech_flat_t *flat, unsigned field)
{
    martech_str_t  value;

    value = flat->known[field];

    flat->known[field].data = NULL;
    flat->known[field].len = 0;

    return value;
}


int
martech_flat_any(const martech_flat_t *flat)
{
    unsigned  i;

    for (i = 0; i < flat->table->count; i++) {

        if (flat->known[i].data) {
            return 1;
        }
    }

    return flat->names.count > 0;
}


void
martech_flat_rest(martech_translation_t *t, martech_flat_t *flat)
{
    unsigned  i;

    for (i = 0; i < flat->table->count; i++) {
        martech_dialect_text(t, (const char *) flat->table->names[i].data,
                             flat->known[i]);
    }

    for (i = 0; i < flat->names.count; i++) {
        martech_dialect_name(t, flat->names.names[i]);
        martech_json_string(&t->out, flat->values[i].data,
                            flat->values[i].len);
    }
}


/* Un-escaped into room of its size; without any the batch cannot be whole. */

static martech_str_t
martech_flat_unescape(martech_translation_t *t, martech_str_t text)
{
    long            n;
    unsigned char  *room;
    martech_str_t   plain = { 0, NULL };

    room = martech_dialect_room(t, text.len);

    if (room == NULL) {
        t->out.overflow = 1;
        return plain;
    }

    n = martech_json_unescape(text, room, text.len);

    plain.data = room;
    plain.len = (n < 0) ? 0 : (size_t) n;

    return plain;
}


martech_str_t
martech_flat_value(martech_translation_t *t,
    const martech_json_tape_t *tape, uint32_t node)
{
    martech_str_t               none = { 0, NULL };
    const martech_json_node_t  *value;

    value = &tape->nodes[node];

    if (node == MARTECH_JSON_NONE || value->kind == MARTECH_JSON_NULL) {
        return none;
    }

    if (value->flags & MARTECH_JSON_VALUE_ESCAPED) {
        return martech_flat_unescape(t, martech_json_slice(tape, node));
    }

    return martech_json_slice(tape, node);
}


martech_str_t
martech_flat_key(martech_translation_t *t, const martech_json_tape_t *tape,
    uint32_t node)
{
    martech_str_t               name;
    const martech_json_node_t  *member;

    member = &tape->nodes[node];

    name.data = tape->text + member->key;
    name.len = member->key_len;

    if (member->flags & MARTECH_JSON_KEY_ESCAPED) {
        return martech_flat_unescape(t, name);
    }

    return name;
}


void
martech_flat_page(martech_translation_t *t, martech_str_t url,
    martech_str_t referrer, martech_str_t title)
{
    martech_dialect_page(t, url);
    martech_dialect_text(t, "referrer", referrer);
    martech_dialect_text(t, "title", title);
}
