
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Taking note of events.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../martech/martech_format.h"
#include "../martech/martech_shard.h"
#include "fwd_cli_plan_infer.h"


#define FWD_INFER_NAME_MAX    255        /* bytes, MARTECH_PLAN_NAME_MAX */
#define FWD_INFER_DIGITS_MAX  5          /* in a row: more are a number of
                                            somebody */


static fwd_infer_event_t *fwd_infer_event(fwd_infer_t *in,
    const martech_event_t *event);
static const char *fwd_infer_section(const martech_event_t *event,
    const char **member);
static fwd_infer_event_t *fwd_infer_find(fwd_infer_t *in,
    const char *section, const char *name);
static int fwd_infer_string(char *out, size_t size,
    const martech_json_tape_t *tape, martech_str_t slice);
static void fwd_infer_value(fwd_infer_t *in, fwd_infer_field_t *field,
    const martech_json_tape_t *tape, uint32_t node, unsigned depth);
static void fwd_infer_object(fwd_infer_t *in, fwd_infer_field_t *field,
    const martech_json_tape_t *tape, uint32_t node, unsigned depth);
static fwd_infer_field_t *fwd_infer_field(fwd_infer_t *in,
    fwd_infer_field_t *parent, const char *name);
static fwd_infer_field_t *fwd_infer_node(fwd_infer_t *in);
static void fwd_infer_array(fwd_infer_t *in, fwd_infer_field_t *field,
    const martech_json_tape_t *tape, uint32_t node, unsigned depth);
static void fwd_infer_text(fwd_infer_field_t *field,
    const martech_json_tape_t *tape, uint32_t node);
static void fwd_infer_keep(fwd_infer_field_t *field, martech_str_t text);
static int fwd_infer_is_plain(martech_str_t text);
static fwd_infer_kind_t fwd_infer_number(martech_str_t text);
static void fwd_infer_field_free(fwd_infer_field_t *field);


const char *const  fwd_infer_formats[FWD_INFER_FORMATS] = {
    "email", "uuid", "date-time", "date", "uri"
};


void
fwd_infer_add(fwd_infer_t *in, const martech_event_t *event)
{
    uint32_t                    node;
    const char                 *member;
    fwd_infer_event_t          *e;
    const martech_json_tape_t  *tape;

    e = fwd_infer_event(in, event);

    if (e == NULL) {
        in->ignored++;
        return;
    }

    e->seen++;
    tape = event->batch->tape;
    member = strcmp(e->section, "traits") == 0 ? "traits" : "properties";
    node = martech_json_member(tape, event->node, member, strlen(member));

    if (node == MARTECH_JSON_NONE
        || tape->nodes[node].kind != MARTECH_JSON_OBJECT)
    {
        /* none are an object without any */
        e->root.kinds[FWD_INFER_OBJECT]++;
        return;
    }

    fwd_infer_value(in, &e->root, tape, node, 0);
}


static fwd_infer_event_t *
fwd_infer_event(fwd_infer_t *in, const martech_event_t *event)
{
    char                        name[FWD_INFER_NAME_MAX + 1];
    uint32_t                    node;
    const char                 *section, *member;
    const martech_json_tape_t  *tape;

    section = fwd_infer_section(event, &member);

    if (section == NULL) {
        return NULL;
    }

    tape = event->batch->tape;

    if (strcmp(section, "traits") == 0) {
        return fwd_infer_find(in, section, member);
    }

    node = martech_json_member(tape, event->node, member, strlen(member));

    if (node == MARTECH_JSON_NONE
        || tape->nodes[node].kind != MARTECH_JSON_STRING
        || tape->nodes[node].len == 0)
    {
        return fwd_infer_find(in, section, "*");
    }

    if (!fwd_infer_string(name, sizeof(name), tape,
                          martech_json_slice(tape, node)))
    {
        return NULL;
    }

    return fwd_infer_find(in, section, name);
}


/* And the member that has the name, or the name itself. */

static const char *
fwd_infer_section(const martech_event_t *event, const char **member)
{
    *member = "name";

    switch (event->type) {

    case MARTECH_EVENT_TRACK:
        *member = "event";
        return "events";

    case MARTECH_EVENT_PAGE:
        return "pages";

    case MARTECH_EVENT_SCREEN:
        return "screens";

    case MARTECH_EVENT_IDENTIFY:
        *member = "identify";
        return "traits";

    case MARTECH_EVENT_GROUP:
        *member = "group";
        return "traits";

    default:
        return NULL;
    }
}


static fwd_infer_event_t *
fwd_infer_find(fwd_infer_t *in, const char *section, const char *name)
{
    uint64_t            hash;
    const char         *p;
    fwd_infer_event_t  *e, **bucket;

    hash = (unsigned char) section[0];

    for (p = name; *p != '\0'; p++) {
        hash = (hash ^ (unsigned char) *p) * 0x100000001b3;
    }

    bucket = &in->buckets[(hash ^ (hash >> 32)) % FWD_INFER_BUCKETS];

    for (e = *bucket; e != NULL; e = e->bucket) {
        if (e->section == section && strcmp(e->name, name) == 0) {
            return e;
        }
    }

    if (in->events == MARTECH_PLAN_EVENTS_MAX) {
        return NULL;
    }

    e = calloc(1, sizeof(fwd_infer_event_t));
    if (e == NULL) {
        return NULL;
    }

    e->name = strdup(name);
    if (e->name == NULL) {
        free(e);
        return NULL;
    }

    e->section = section;
    e->root.formats = (1u << FWD_INFER_FORMATS) - 1;
    e->bucket = *bucket;
    *bucket = e;
    in->events++;

    if (in->last == NULL) {
        in->first = e;

    } else {
        in->last->next = e;
    }

    in->last = e;

    return e;
}


/* 0 if it does not fit. */

static int
fwd_infer_string(char *out, size_t size, const martech_json_tape_t *tape,
    martech_str_t slice)
{
    long  len;

    (void) tape;
    len = martech_json_unescape(slice, (unsigned char *) out, size - 1);

    if (len < 0 || memchr(out, '\0', (size_t) len) != NULL) {
        return 0;
    }

    out[len] = '\0';

    return 1;
}


static void
fwd_infer_value(fwd_infer_t *in, fwd_infer_field_t *field,
    const martech_json_tape_t *tape, uint32_t node, unsigned depth)
{
    switch (tape->nodes[node].kind) {

    case MARTECH_JSON_NULL:
        field->kinds[FWD_INFER_NULL]++;
        break;

    case MARTECH_JSON_FALSE:
    case MARTECH_JSON_TRUE:
        field->kinds[FWD_INFER_BOOLEAN]++;
        break;

    case MARTECH_JSON_NUMBER:
        field->kinds[fwd_infer_number(martech_json_slice(tape, node))]++;
        break;

    case MARTECH_JSON_STRING:
        field->kinds[FWD_INFER_STRING]++;
        fwd_infer_text(field, tape, node);
        break;

    case MARTECH_JSON_ARRAY:
        field->kinds[FWD_INFER_ARRAY]++;
        fwd_infer_array(in, field, tape, node, depth);
        break;

    default:
        field->kinds[FWD_INFER_OBJECT]++;
        fwd_infer_object(in, field, tape, node, depth);
        break;
    }
}


static void
fwd_infer_object(fwd_infer_t *in, fwd_infer_field_t *field,
    const martech_json_tape_t *tape, uint32_t node, unsigned depth)
{
    char                 name[FWD_INFER_NAME_MAX + 1];
    uint32_t             i;
    uint64_t             object;
    martech_str_t        key;
    fwd_infer_field_t   *child;

    if (depth == FWD_INFER_DEPTH_MAX) {
        return;
    }

    object = ++in->objects;

    for (i = node + 1; i < tape->nodes[node].next; i = tape->nodes[i].next) {
        key.data = tape->text + tape->nodes[i].key;
        key.len = tape->nodes[i].key_len;
        child = NULL;

        if (fwd_infer_string(name, sizeof(name), tape, key)) {
            child = fwd_infer_field(in, field, name);
        }

        if (child == NULL) {
            field->more = 1;
            continue;
        }

        child->seen += (child->object != object);
        child->object = object;
        fwd_infer_value(in, child, tape, i, depth + 1);
    }
}


static fwd_infer_field_t *
fwd_infer_field(fwd_infer_t *in, fwd_infer_field_t *parent, const char *name)
{
    fwd_infer_field_t  *field;

    for (field = parent->first; field != NULL; field = field->next) {
        if (strcmp(field->name, name) == 0) {
            return field;
        }
    }

    if (parent->count == FWD_INFER_FIELDS_MAX) {
        return NULL;
    }

    field = fwd_infer_node(in);
    if (field == NULL) {
        return NULL;
    }

    field->name = strdup(name);
    if (field->name == NULL) {
        free(field);
        return NULL;
    }

    parent->count++;

    if (parent->last == NULL) {
        parent->first = field;

    } else {
        parent->last->next = field;
    }

    parent->last = field;

    return field;
}


static fwd_infer_field_t *
fwd_infer_node(fwd_infer_t *in)
{
    fwd_infer_field_t  *field;

    if (in->nodes == FWD_INFER_NODES_MAX) {
        return NULL;
    }

    field = calloc(1, sizeof(fwd_infer_field_t));

    if (field != NULL) {
        field->formats = (1u << FWD_INFER_FORMATS) - 1;
        in->nodes++;
    }

    return field;
}


static void
fwd_infer_array(fwd_infer_t *in, fwd_infer_field_t *field,
    const martech_json_tape_t *tape, uint32_t node, unsigned depth)
{
    uint32_t  i;

    if (depth == FWD_INFER_DEPTH_MAX) {
        return;
    }

    if (field->items == NULL) {
        field->items = fwd_infer_node(in);
    }

    if (field->items == NULL) {
        return;
    }

    for (i = node + 1; i < tape->nodes[node].next; i = tape->nodes[i].next) {
        fwd_infer_value(in, field->items, tape, i, depth + 1);
    }
}


static void
fwd_infer_text(fwd_infer_field_t *field, const martech_json_tape_t *tape,
    uint32_t node)
{
    size_t             i;
    martech_str_t      text, name;
    martech_format_pt  is;

    text = martech_json_slice(tape, node);

    if (tape->nodes[node].flags & MARTECH_JSON_VALUE_ESCAPED) {
        field->formats = 0;
        field->many = 1;
        return;
    }

    for (i = 0; i < FWD_INFER_FORMATS; i++) {

        /* one address among other texts is one too many */

        if (i != 0 && !(field->formats & (1u << i))) {
            continue;
        }

        name.data = (const unsigned char *) fwd_infer_formats[i];
        name.len = strlen(fwd_infer_formats[i]);
        is = martech_format(name);

        if (is == NULL || !is(text.data, text.len)) {
            field->formats &= ~(1u << i);

        } else if (i == 0) {
            field->personal = 1;
        }
    }

    fwd_infer_keep(field, text);
}


static void
fwd_infer_keep(fwd_infer_field_t *field, martech_str_t text)
{
    uint32_t  i;

    if (field->many) {
        return;
    }

    if (!fwd_infer_is_plain(text)) {
        field->many = 1;
        return;
    }

    for (i = 0; i < field->values_count; i++) {
        if (strlen(field->values[i]) == text.len
            && memcmp(field->values[i], text.data, text.len) == 0)
        {
            return;
        }
    }

    if (field->values_count == FWD_INFER_VALUES_MAX) {
        field->many = 1;
        return;
    }

    field->values[field->values_count] = strndup((const char *) text.data,
                                                 text.len);

    if (field->values[field->values_count] == NULL) {
        field->many = 1;
        return;
    }

    field->values_count++;
}


/* A word of a list, not something of a person. */

static int
fwd_infer_is_plain(martech_str_t text)
{
    size_t    i;
    unsigned  digits;

    if (text.len > FWD_INFER_VALUE_SIZE) {
        return 0;
    }

    digits = 0;

    for (i = 0; i < text.len; i++) {
        digits = (text.data[i] >= '0' && text.data[i] <= '9') ? digits + 1
                                                              : 0;

        if (digits > FWD_INFER_DIGITS_MAX || text.data[i] == '@') {
            return 0;
        }
    }

    return 1;
}


static fwd_infer_kind_t
fwd_infer_number(martech_str_t text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] == '.' || (text.data[i] | 0x20) == 'e') {
            return FWD_INFER_NUMBER;
        }
    }

    return FWD_INFER_INTEGER;
}


void
fwd_infer_free(fwd_infer_t *in)
{
    fwd_infer_event_t  *e, *next;

    for (e = in->first; e != NULL; e = next) {
        next = e->next;
        fwd_infer_field_free(&e->root);
        free(e->name);
        free(e);
    }

    memset(in, 0, sizeof(fwd_infer_t));
}


/* What is in it; itself it belongs to others. */

static void
fwd_infer_field_free(fwd_infer_field_t *field)
{
    uint32_t            i;
    fwd_infer_field_t  *child, *next;

    for (child = field->first; child != NULL; child = next) {
        next = child->next;
        fwd_infer_field_free(child);
        free(child->name);
        free(child);
    }

    if (field->items != NULL) {
        fwd_infer_field_free(field->items);
        free(field->items);
    }

    for (i = 0; i < field->values_count; i++) {
        free(field->values[i]);
    }
}
