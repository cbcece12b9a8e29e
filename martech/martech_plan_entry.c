
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reading one entry of a plan: an event, page or screen, or traits.
 */


#include <string.h>

#include "martech_plan_private.h"


#define MARTECH_PLAN_DESCRIPTION_MAX  4096
#define MARTECH_PLAN_OWNER_MAX        255
#define MARTECH_PLAN_PERSONAL_SIZE    512    /* bytes of a pointer */


enum {
    MARTECH_PLAN_M_DESCRIPTION = 0,
    MARTECH_PLAN_M_OWNER,
    MARTECH_PLAN_M_STAGE,
    MARTECH_PLAN_M_PRIORITY,
    MARTECH_PLAN_M_PERSONAL,
    MARTECH_PLAN_M_RETENTION,
    MARTECH_PLAN_M_VIOLATION,
    MARTECH_PLAN_M_UNPLANNED_PROPERTY,
    MARTECH_PLAN_M_PROPERTIES,
    MARTECH_PLAN_M_VERSIONS,
    MARTECH_PLAN_M_ACCEPT,
    MARTECH_PLAN_M_ALIASES,              /* the last: traits have none */

    MARTECH_PLAN_M_COUNT
};


static const char *const  martech_plan_entry_members[] = {
    "description", "owner", "stage", "priority", "personal", "retention",
    "violation", "unplanned_property", "properties", "versions", "accept",
    "aliases"
};


static const char *const  martech_plan_stages[] = {
    "draft", "live", "deprecated", "blocked"
};


static int martech_plan_read_words(martech_plan_reader_t *r,
    const uint32_t *m, martech_plan_item_t *item);
static int martech_plan_read_retention(martech_plan_reader_t *r,
    uint32_t node, martech_str_t *retention);
static int martech_plan_read_list(martech_plan_reader_t *r, uint32_t node,
    unsigned max, size_t size, const martech_str_t **list, unsigned *count);
static int martech_plan_read_aliases(martech_plan_reader_t *r, uint32_t node,
    martech_plan_entry_t *entry);
static int martech_plan_read_personal(martech_plan_reader_t *r,
    uint32_t node, martech_plan_entry_t *entry);
static int martech_plan_is_pointer(martech_str_t text);


int
martech_plan_read_entry(martech_plan_reader_t *r, uint32_t node,
    martech_plan_item_t *item)
{
    unsigned               count;
    uint32_t               m[MARTECH_PLAN_M_COUNT];
    martech_plan_entry_t  *entry;

    entry = &item->entry;
    item->newest = -1;
    entry->violation = r->violation;
    entry->unplanned_property = r->unplanned_property;

    count = MARTECH_PLAN_M_COUNT;
    m[MARTECH_PLAN_M_ALIASES] = MARTECH_JSON_NONE;

    if (entry->type == MARTECH_EVENT_IDENTIFY
        || entry->type == MARTECH_EVENT_GROUP)
    {
        count = MARTECH_PLAN_M_ALIASES;
    }

    if (martech_plan_members(r, node, martech_plan_entry_members, count, m)
        == -1
        || martech_plan_read_words(r, m, item) == -1
        || martech_plan_read_aliases(r, m[MARTECH_PLAN_M_ALIASES], entry) == -1
        || martech_plan_read_personal(r, m[MARTECH_PLAN_M_PERSONAL], entry)
           == -1
        || martech_plan_action(r, m[MARTECH_PLAN_M_VIOLATION],
                               &entry->violation)
           == -1
        || martech_plan_action(r, m[MARTECH_PLAN_M_UNPLANNED_PROPERTY],
                               &entry->unplanned_property)
           == -1)
    {
        return -1;
    }

    return martech_plan_read_versions(r, m[MARTECH_PLAN_M_PROPERTIES],
                                      m[MARTECH_PLAN_M_VERSIONS],
                                      m[MARTECH_PLAN_M_ACCEPT], item);
}


void
martech_plan_free_item(martech_plan_item_t *item)
{
    unsigned               i, k;
    martech_plan_shape_t  *shape;

    for (i = 0; i < item->nshapes; i++) {
        shape = &item->shapes[i];

        for (k = 0; k < shape->npatterns; k++) {
            martech_regex_free(shape->patterns[k]);
        }

        martech_schema_free(shape->schema);
    }

    martech_plan_names_free(&item->fields);
}


static int
martech_plan_read_words(martech_plan_reader_t *r, const uint32_t *m,
    martech_plan_item_t *item)
{
    unsigned               i;
    martech_plan_entry_t  *entry;

    entry = &item->entry;

    if (m[MARTECH_PLAN_M_DESCRIPTION] != MARTECH_JSON_NONE
        && martech_plan_text(r, m[MARTECH_PLAN_M_DESCRIPTION],
                             MARTECH_PLAN_DESCRIPTION_MAX,
                             &entry->description)
           == -1)
    {
        return -1;
    }

    if (m[MARTECH_PLAN_M_OWNER] != MARTECH_JSON_NONE
        && martech_plan_text(r, m[MARTECH_PLAN_M_OWNER],
                             MARTECH_PLAN_OWNER_MAX, &entry->owner)
           == -1)
    {
        return -1;
    }

    i = 1;

    if (m[MARTECH_PLAN_M_STAGE] != MARTECH_JSON_NONE
        && martech_plan_choice(r, m[MARTECH_PLAN_M_STAGE],
                               martech_plan_stages, 4, &i)
           == -1)
    {
        return -1;
    }

    entry->stage.data = (const unsigned char *) martech_plan_stages[i];
    entry->stage.len = strlen(martech_plan_stages[i]);
    item->blocked = (i == 3);

    i = MARTECH_PLAN_NORMAL;

    if (m[MARTECH_PLAN_M_PRIORITY] != MARTECH_JSON_NONE
        && martech_plan_choice(r, m[MARTECH_PLAN_M_PRIORITY],
                               martech_plan_priorities, 3, &i)
           == -1)
    {
        return -1;
    }

    entry->priority = (martech_plan_priority_t) i;

    return martech_plan_read_retention(r, m[MARTECH_PLAN_M_RETENTION],
                                       &entry->retention);
}


static int
martech_plan_read_retention(martech_plan_reader_t *r, uint32_t node,
    martech_str_t *retention)
{
    size_t                i;
    const unsigned char  *p;

    if (node == MARTECH_JSON_NONE) {
        return 0;
    }

    if (martech_plan_text(r, node, MARTECH_PLAN_OWNER_MAX, retention) == -1) {
        return -1;
    }

    p = retention->data;

    for (i = 0; i < retention->len && p[i] >= '0' && p[i] <= '9'; i++) {
        /* void */
    }

    if (i < 1 || i > 4 || p[0] == '0' || i + 1 != retention->len
        || (p[i] != 'd' && p[i] != 'm' && p[i] != 'y'))
    {
        return martech_plan_wrong(r, node, "must be a number from 1 to 9999 "
                                  "and d, m or y, such as \"30d\", \"13m\" "
                                  "or \"2y\"");
    }

    return 0;
}


static int
martech_plan_read_list(martech_plan_reader_t *r, uint32_t node, unsigned max,
    size_t size, const martech_str_t **list, unsigned *count)
{
    uint32_t                    i;
    martech_str_t              *text;
    const martech_json_node_t  *nodes;

    if (martech_plan_kind(r, node, MARTECH_JSON_ARRAY) == -1) {
        return -1;
    }

    nodes = r->tape->nodes;

    if (nodes[node].count > max) {
        return martech_plan_wrong(r, node, "has %u elements, more than the "
                                  "%u that are allowed", nodes[node].count,
                                  max);
    }

    text = martech_plan_alloc(r->plan,
                              (nodes[node].count + 1) * sizeof(martech_str_t));
    if (text == NULL) {
        return martech_plan_no_memory(r);
    }

    *list = text;

    for (i = node + 1; i < nodes[node].next; i = nodes[i].next) {

        if (martech_plan_text(r, i, size, text++) == -1) {
            return -1;
        }

        (*count)++;
    }

    return 0;
}


/* That no name is one, too, is known when all names are. */

static int
martech_plan_read_aliases(martech_plan_reader_t *r, uint32_t node,
    martech_plan_entry_t *entry)
{
    int       rc;
    uint32_t  i;
    unsigned  n;

    if (node == MARTECH_JSON_NONE) {
        return 0;
    }

    if (martech_plan_read_list(r, node, MARTECH_PLAN_ALIASES_MAX,
                               MARTECH_PLAN_NAME_MAX, &entry->aliases,
                               &entry->naliases)
        == -1)
    {
        return -1;
    }

    if (entry->name.len == 1 && entry->name.data[0] == '*') {
        return martech_plan_wrong(r, node, "has no meaning for \"*\", which "
                                  "is no name to be stored");
    }

    n = 0;

    for (i = node + 1; i < r->tape->nodes[node].next;
         i = r->tape->nodes[i].next)
    {
        if (martech_plan_check_name(r, i, entry->aliases[n]) == -1) {
            return -1;
        }

        rc = martech_plan_names_add(&r->aliases, entry->aliases[n++], (int) i);

        if (rc == -1) {
            return martech_plan_no_memory(r);
        }

        if (rc == 1) {
            return martech_plan_wrong(r, i, "is an alias already; an alias "
                                      "stands once in a plan");
        }
    }

    return 0;
}


static int
martech_plan_read_personal(martech_plan_reader_t *r, uint32_t node,
    martech_plan_entry_t *entry)
{
    uint32_t  i;
    unsigned  n;

    if (node == MARTECH_JSON_NONE) {
        return 0;
    }

    if (martech_plan_read_list(r, node, MARTECH_PLAN_PERSONAL_MAX,
                               MARTECH_PLAN_PERSONAL_SIZE, &entry->personal,
                               &entry->npersonal)
        == -1)
    {
        return -1;
    }

    n = 0;

    for (i = node + 1; i < r->tape->nodes[node].next;
         i = r->tape->nodes[i].next)
    {
        if (!martech_plan_is_pointer(entry->personal[n++])) {
            return martech_plan_wrong(r, i, "is no JSON pointer into the "
                                      "event, such as \"/properties/email\" "
                                      "(\"~\" is written \"~0\", \"/\" in a "
                                      "name \"~1\")");
        }
    }

    return 0;
}


/* "" would be all of the event, and "/" the member without a name. */

static int
martech_plan_is_pointer(martech_str_t text)
{
    size_t  i;

    if (text.len < 2 || text.data[0] != '/') {
        return 0;
    }

    for (i = 0; i < text.len; i++) {

        if (text.data[i] < 0x20) {
            return 0;
        }

        if (text.data[i] == '~'
            && (i + 1 == text.len
                || (text.data[i + 1] != '0' && text.data[i + 1] != '1')))
        {
            return 0;
        }
    }

    return 1;
}
