
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The tables of a plan: events, pages, screens and traits by their names and
 * aliases.
 */


#include <string.h>

#include "martech_plan_private.h"


static int martech_plan_count(martech_plan_reader_t *r, uint32_t node,
    unsigned *count);
static int martech_plan_read_table(martech_plan_reader_t *r, uint32_t node,
    martech_event_type_t type);
static int martech_plan_read_traits(martech_plan_reader_t *r, uint32_t node);
static int martech_plan_finish_item(martech_plan_reader_t *r, unsigned n);
static int martech_plan_rename(martech_plan_reader_t *r,
    martech_plan_item_t *item);
static int martech_plan_check_aliases(martech_plan_reader_t *r,
    uint32_t node);


int
martech_plan_read_tables(martech_plan_reader_t *r, const uint32_t *m)
{
    unsigned  i, count;

    for (i = 0; i <= MARTECH_EVENT_ALIAS; i++) {
        r->plan->tables[i].other = -1;
    }

    count = 0;

    for (i = MARTECH_PLAN_F_EVENTS; i <= MARTECH_PLAN_F_TRAITS; i++) {
        if (martech_plan_count(r, m[i], &count) == -1) {
            return -1;
        }
    }

    r->plan->items = martech_plan_alloc(r->plan, (count + 1)
                                               * sizeof(martech_plan_item_t));
    if (r->plan->items == NULL) {
        return martech_plan_no_memory(r);
    }

    if (martech_plan_read_table(r, m[MARTECH_PLAN_F_EVENTS],
                                MARTECH_EVENT_TRACK)
        == -1
        || martech_plan_read_table(r, m[MARTECH_PLAN_F_PAGES],
                                   MARTECH_EVENT_PAGE)
           == -1
        || martech_plan_read_table(r, m[MARTECH_PLAN_F_SCREENS],
                                   MARTECH_EVENT_SCREEN)
           == -1
        || martech_plan_read_traits(r, m[MARTECH_PLAN_F_TRAITS]) == -1)
    {
        return -1;
    }

    for (i = MARTECH_PLAN_F_EVENTS; i <= MARTECH_PLAN_F_SCREENS; i++) {

        if (m[i] != MARTECH_JSON_NONE
            && martech_plan_check_aliases(r, m[i]) == -1)
        {
            return -1;
        }
    }

    return 0;
}


static int
martech_plan_count(martech_plan_reader_t *r, uint32_t node, unsigned *count)
{
    if (node == MARTECH_JSON_NONE) {
        return 0;
    }

    if (martech_plan_kind(r, node, MARTECH_JSON_OBJECT) == -1) {
        return -1;
    }

    *count += r->tape->nodes[node].count;

    if (*count > MARTECH_PLAN_EVENTS_MAX) {
        return martech_plan_wrong(r, node, "brings the entries of the plan "
                                  "to %u, more than the %d that are allowed",
                                  *count, MARTECH_PLAN_EVENTS_MAX);
    }

    return 0;
}


static int
martech_plan_read_table(martech_plan_reader_t *r, uint32_t node,
    martech_event_type_t type)
{
    uint32_t                    i;
    unsigned                    n;
    martech_plan_item_t        *item;
    martech_plan_table_t       *table;
    const martech_json_node_t  *nodes;

    if (node == MARTECH_JSON_NONE) {
        return 0;
    }

    nodes = r->tape->nodes;
    table = &r->plan->tables[type];
    table->governed = 1;

    for (i = node + 1; i < nodes[node].next; i = nodes[i].next) {

        n = r->plan->nitems++;
        item = &r->plan->items[n];
        item->entry.type = type;

        if (martech_plan_key(r, i, &item->entry.name) == -1
            || martech_plan_check_name(r, i, item->entry.name) == -1
            || martech_plan_read_entry(r, i, item) == -1)
        {
            return -1;
        }

        if (item->entry.name.len == 1 && item->entry.name.data[0] == '*') {

            if (type == MARTECH_EVENT_TRACK) {
                return martech_plan_wrong(r, i, "\"*\" is known in \"pages\" "
                                          "and \"screens\" only; for all "
                                          "other events there is "
                                          "\"unplanned_event\"");
            }

            table->other = (int) n;
        }

        if (martech_plan_finish_item(r, n) == -1) {
            return -1;
        }
    }

    return 0;
}


static int
martech_plan_read_traits(martech_plan_reader_t *r, uint32_t node)
{
    unsigned                           i, n;
    uint32_t                           m[2];
    martech_plan_item_t               *item;
    static const char *const           names[] = { "identify", "group" };
    static const martech_event_type_t  types[] = {
        MARTECH_EVENT_IDENTIFY, MARTECH_EVENT_GROUP
    };

    if (node == MARTECH_JSON_NONE) {
        return 0;
    }

    if (martech_plan_members(r, node, names, 2, m) == -1) {
        return -1;
    }

    for (i = 0; i < 2; i++) {

        if (m[i] == MARTECH_JSON_NONE) {
            continue;
        }

        n = r->plan->nitems++;
        item = &r->plan->items[n];
        item->entry.type = types[i];
        item->entry.name.data = (const unsigned char *) "";

        r->plan->tables[types[i]].governed = 1;
        r->plan->tables[types[i]].other = (int) n;

        if (martech_plan_read_entry(r, m[i], item) == -1
            || martech_plan_finish_item(r, n) == -1)
        {
            return -1;
        }
    }

    return 0;
}


/* Has the evaluation of each version report a field by its number. */

static void
martech_plan_number(martech_plan_item_t *item, const martech_plan_slot_t *field)
{
    unsigned  i;

    for (i = 0; i < item->nshapes; i++) {

        if (item->shapes[i].accepted) {
            martech_schema_number_name(item->shapes[i].schema, field->name,
                                       (unsigned) field->value);
        }
    }
}


/* Puts an entry's names into its table, and its fields in order. */

static int
martech_plan_finish_item(martech_plan_reader_t *r, unsigned n)
{
    unsigned               i;
    martech_plan_item_t   *item;
    martech_plan_slot_t   *slot;
    martech_plan_table_t  *table;

    item = &r->plan->items[n];
    table = &r->plan->tables[item->entry.type];

    /* a name that is an alias, too, is found by _check_aliases() */

    if (table->other != (int) n
        && (martech_plan_names_add(&table->names, item->entry.name,
                                   (int) (2 * n))
            == -1
            || martech_plan_rename(r, item) == -1))
    {
        return martech_plan_no_memory(r);
    }

    for (i = 0; i < item->entry.naliases; i++) {

        if (martech_plan_names_add(&table->names, item->entry.aliases[i],
                                   (int) (2 * n + 1))
            == -1)
        {
            return martech_plan_no_memory(r);
        }
    }

    item->field_names = martech_plan_alloc(r->plan, (item->nfields + 1)
                                                    * sizeof(martech_str_t));
    item->field_words = martech_plan_alloc(r->plan, (item->nfields + 1)
                                                    * sizeof(martech_word_t));

    if (item->field_names == NULL || item->field_words == NULL) {
        return martech_plan_no_memory(r);
    }

    for (i = 0; i < item->fields.size; i++) {
        slot = &item->fields.slots[i];

        if (slot->name.data != NULL) {
            item->field_names[slot->value] = slot->name;
            item->field_words[slot->value] = martech_word(slot->name.data,
                                                          slot->name.len);
            martech_plan_number(item, slot);
        }
    }

    return 0;
}


static int
martech_plan_rename(martech_plan_reader_t *r, martech_plan_item_t *item)
{
    size_t                 size;
    unsigned char         *p;
    martech_json_writer_t  w;

    if (item->entry.naliases == 0) {
        return 0;
    }

    size = item->entry.name.len * 6 + 2;

    p = martech_plan_alloc(r->plan, size);
    if (p == NULL) {
        return -1;
    }

    martech_json_writer_init(&w, p, size);
    martech_json_string(&w, item->entry.name.data, item->entry.name.len);

    item->rename.data = p;
    item->rename.len = (size_t) (w.pos - w.start);

    return 0;
}


/* No name of a table may be an alias of anything. */

static int
martech_plan_check_aliases(martech_plan_reader_t *r, uint32_t node)
{
    int                         alias;
    uint32_t                    i;
    martech_str_t               name;
    const martech_json_node_t  *nodes;

    nodes = r->tape->nodes;

    for (i = node + 1; i < nodes[node].next; i = nodes[i].next) {

        if (martech_plan_key(r, i, &name) == -1) {
            return -1;
        }

        alias = martech_plan_names_find(&r->aliases, name.data, name.len);

        if (alias != -1) {
            return martech_plan_wrong(r, (uint32_t) alias, "is the name of "
                                      "an entry, too; an alias must be a name "
                                      "that the plan has not");
        }
    }

    return 0;
}
