
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Names of a wire format and the places that their values go to.
 */


#include <string.h>

#include "martech_dialect_map.h"
#include "martech_field.h"
#include "martech_form.h"


#define MARTECH_MAP_NAME_MAX    64       /* bytes of a name that is known */
#define MARTECH_MAP_DEPTH_MAX   8        /* of JSON in a text: what it is part
                                            of must stay within the limits */
#define MARTECH_SECONDS_DIGITS  12       /* year 9999 has them */


static const char *const  martech_map_places[MARTECH_PLACE_COUNT] = {
    [MARTECH_PLACE_SCREEN] = "screen",
    [MARTECH_PLACE_LIBRARY] = "library",
    [MARTECH_PLACE_OS] = "os",
    [MARTECH_PLACE_BROWSER] = "browser",
    [MARTECH_PLACE_DEVICE] = "device",
    [MARTECH_PLACE_APP] = "app",
    [MARTECH_PLACE_NETWORK] = "network",
    [MARTECH_PLACE_LOCATION] = "location",
};


void
martech_map_init(martech_map_t *map, const martech_known_t *rows,
    unsigned nrows)
{
    map->rows = rows;
    map->nrows = nrows;
    map->rc = MARTECH_OK;

    memset(map->first, 0, sizeof(map->first));
    memset(map->set, 0, sizeof(map->set));
    memset(map->roles, 0, sizeof(map->roles));
}


int
martech_map_find(const martech_map_t *map, martech_str_t name)
{
    return martech_known_find(map->rows, map->nrows, name);
}


int
martech_known_find(const martech_known_t *rows, unsigned nrows,
    martech_str_t name)
{
    int                   order;
    unsigned              low, high, middle;
    const martech_str_t  *known;

    low = 0;
    high = nrows;

    while (low < high) {
        middle = (low + high) / 2;
        known = &rows[middle].name;

        if (known->len != name.len) {
            order = (known->len < name.len) ? -1 : 1;

        } else {
            order = memcmp(known->data, name.data, name.len);
        }

        if (order == 0) {
            return (int) middle;
        }

        if (order < 0) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    return -1;
}


int
martech_map_find_member(const martech_map_t *map,
    const martech_json_tape_t *tape, uint32_t node)
{
    long                        n;
    martech_str_t               name;
    unsigned char               buf[MARTECH_MAP_NAME_MAX];
    const martech_json_node_t  *member;

    member = &tape->nodes[node];

    name.data = tape->text + member->key;
    name.len = member->key_len;

    if (member->flags & MARTECH_JSON_KEY_ESCAPED) {
        n = martech_json_unescape(name, buf, sizeof(buf));

        if (n < 0) {
            return -1;
        }

        name.data = buf;
        name.len = (size_t) n;
    }

    return martech_map_find(map, name);
}


static int
martech_map_set(martech_map_t *map, int row, martech_value_t value)
{
    unsigned                i;
    const martech_known_t  *known;

    if (map->set[row]) {
        return 1;
    }

    known = &map->rows[row];

    if (known->to) {
        for (i = map->first[known->place]; i; i = map->next[i - 1]) {
            if (strcmp(map->rows[i - 1].to, known->to) == 0) {
                return 0;
            }
        }
    }

    map->set[row] = 1;
    map->values[row] = value;
    map->next[row] = map->first[known->place];
    map->first[known->place] = (unsigned char) (row + 1);

    if (map->roles[known->role] == 0) {
        map->roles[known->role] = (unsigned char) (row + 1);
    }

    return 1;
}


int
martech_map_set_node(martech_map_t *map, int row,
    const martech_json_tape_t *tape, uint32_t node)
{
    martech_value_t  value;

    if (tape->nodes[node].kind == MARTECH_JSON_NULL) {
        return 1;
    }

    value.text.data = NULL;
    value.text.len = 0;
    value.node = node;

    return martech_map_set(map, row, value);
}


int
martech_map_set_text(martech_map_t *map, int row, martech_str_t text)
{
    martech_value_t  value;

    value.text = text;
    value.node = MARTECH_JSON_NONE;

    return martech_map_set(map, row, value);
}


unsigned
martech_map_members(martech_map_t *map, const martech_json_tape_t *tape,
    uint32_t object)
{
    int       row;
    uint32_t  i;
    unsigned  others;

    others = 0;

    for (i = object + 1; i < tape->nodes[object].next; i = tape->nodes[i].next)
    {
        row = martech_map_find_member(map, tape, i);

        if (row < 0) {
            others++;

        } else {
            (void) martech_map_set_node(map, row, tape, i);
        }
    }

    return others;
}


uint32_t
martech_map_node(const martech_map_t *map, unsigned role)
{
    unsigned  row;

    row = map->roles[role];

    return row ? map->values[row - 1].node : MARTECH_JSON_NONE;
}


martech_str_t
martech_map_text(martech_translation_t *t, const martech_map_t *map,
    unsigned role)
{
    unsigned       row;
    martech_str_t  none = { 0, NULL };

    row = map->roles[role];

    if (row == 0) {
        return none;
    }

    if (map->values[row - 1].text.data) {
        return map->values[row - 1].text;
    }

    return martech_dialect_string(t, map->values[row - 1].node);
}


int
martech_map_has(const martech_map_t *map, martech_place_t place)
{
    return map->first[place] != 0;
}


void
martech_map_write(martech_translation_t *t, martech_map_t *map,
    martech_place_t place)
{
    unsigned                row;
    martech_rc_t            rc;
    const martech_known_t  *known;

    for (row = map->first[place]; row; row = map->next[row - 1]) {
        known = &map->rows[row - 1];

        if (map->values[row - 1].text.data == NULL) {
            martech_dialect_node(t, known->to, map->values[row - 1].node);
            continue;
        }

        martech_json_name(&t->out, known->to);
        rc = martech_dialect_value(t, map->values[row - 1].text, known->write);

        if (rc != MARTECH_OK) {
            map->rc = rc;
        }
    }
}


void
martech_map_context(martech_translation_t *t, martech_map_t *map,
    martech_str_t url, const char *own)
{
    unsigned     place;
    const char  *name;

    martech_map_write(t, map, MARTECH_PLACE_CONTEXT);

    if (url.data || martech_map_has(map, MARTECH_PLACE_PAGE)) {
        martech_json_name(&t->out, "page");
        martech_json_begin(&t->out, '{');
        martech_map_write(t, map, MARTECH_PLACE_PAGE);
        martech_dialect_page(t, url);
        martech_json_end(&t->out, '}');
    }

    for (place = MARTECH_PLACE_SCREEN; place < MARTECH_PLACE_COUNT; place++) {
        name = (place == MARTECH_PLACE_OWN) ? own : martech_map_places[place];

        if (name && martech_map_has(map, place)) {
            martech_json_name(&t->out, name);
            martech_json_begin(&t->out, '{');
            martech_map_write(t, map, place);
            martech_json_end(&t->out, '}');
        }
    }
}


void
martech_map_others(martech_translation_t *t, const martech_map_t *map,
    uint32_t object)
{
    uint32_t                    i;
    martech_str_t               text;
    const martech_json_tape_t  *tape;

    tape = t->tape;

    for (i = object + 1; i < tape->nodes[object].next; i = tape->nodes[i].next)
    {
        if (martech_map_find_member(map, tape, i) < 0) {
            text = martech_member_text(tape, i);
            martech_json_raw(&t->out, text.data, text.len);
        }
    }
}


static martech_str_t
martech_dialect_unescape(martech_translation_t *t, martech_str_t text)
{
    unsigned char  *room;

    room = martech_dialect_room(t, text.len);

    if (room == NULL) {
        t->out.overflow = 1;
        text.len = 0;
        return text;
    }

    text.len = (size_t) martech_json_unescape(text, room, text.len);
    text.data = room;

    return text;
}


martech_str_t
martech_dialect_string(martech_translation_t *t, uint32_t node)
{
    martech_str_t               text, none = { 0, NULL };
    const martech_json_node_t  *value;

    value = &t->tape->nodes[node];

    if (node == MARTECH_JSON_NONE
        || (value->kind != MARTECH_JSON_STRING
            && value->kind != MARTECH_JSON_NUMBER))
    {
        return none;
    }

    text = martech_json_slice(t->tape, node);

    return (value->flags & MARTECH_JSON_VALUE_ESCAPED)
           ? martech_dialect_unescape(t, text) : text;
}


martech_str_t
martech_dialect_key(martech_translation_t *t, uint32_t node)
{
    martech_str_t               name;
    const martech_json_node_t  *member;

    member = &t->tape->nodes[node];

    name.data = t->tape->text + member->key;
    name.len = member->key_len;

    return (member->flags & MARTECH_JSON_KEY_ESCAPED)
           ? martech_dialect_unescape(t, name) : name;
}


void
martech_dialect_id(martech_translation_t *t, const char *name, uint32_t node)
{
    if (node != MARTECH_JSON_NONE
        && t->tape->nodes[node].kind == MARTECH_JSON_NUMBER)
    {
        martech_dialect_text(t, name, martech_json_slice(t->tape, node));
        return;
    }

    martech_dialect_node(t, name, node);
}


/* The request itself may stand on the tape, so nothing of it is touched. */

martech_rc_t
martech_dialect_embedded(martech_translation_t *t, martech_str_t text,
    martech_json_tape_t *tape)
{
    martech_rc_t      rc;
    martech_limits_t  limits;

    if (!martech_dialect_begins(text, '{', '[')) {
        return MARTECH_JSON_INVALID;
    }

    limits = *t->limits;

    if (limits.depth_max > MARTECH_MAP_DEPTH_MAX) {
        limits.depth_max = MARTECH_MAP_DEPTH_MAX;
    }

    tape->nodes = t->tape->nodes + t->tape->nodes_count;
    tape->nodes_max = t->tape->nodes_max - t->tape->nodes_count;

    if (tape->nodes_max == 0) {
        return MARTECH_JSON_TOKENS;
    }

    rc = martech_json_scan(tape, text.data, text.len, &limits);

    return (rc == MARTECH_OK || rc == MARTECH_JSON_TOKENS)
           ? rc : MARTECH_JSON_INVALID;
}


martech_rc_t
martech_dialect_value(martech_translation_t *t, martech_str_t text,
    martech_write_t write)
{
    int                  raw;
    martech_rc_t         rc;
    martech_json_tape_t  tape;

    rc = MARTECH_OK;
    raw = 0;

    switch (write) {

    case MARTECH_WRITE_JSON:
        rc = martech_dialect_embedded(t, text, &tape);
        raw = (rc == MARTECH_OK);
        break;

    case MARTECH_WRITE_VALUE:
        raw = (text.len == 4 && memcmp(text.data, "true", 4) == 0)
              || (text.len == 5 && memcmp(text.data, "false", 5) == 0)
              || martech_dialect_is_number(text);
        break;

    case MARTECH_WRITE_NUMBER:
        raw = martech_dialect_is_number(text);
        break;

    case MARTECH_WRITE_TEXT:
        break;
    }

    if (raw) {
        martech_json_raw(&t->out, text.data, text.len);

    } else {
        martech_json_string(&t->out, text.data, text.len);
    }

    return (rc == MARTECH_JSON_TOKENS) ? rc : MARTECH_OK;
}


/* RFC 3986 section 3, as far as it takes to see path and query. */

void
martech_dialect_page(martech_translation_t *t, martech_str_t url)
{
    martech_str_t         path, search;
    const unsigned char  *p, *end;

    if (url.data == NULL) {
        return;
    }

    martech_dialect_text(t, "url", url);

    end = url.data + url.len;
    p = memchr(url.data, ':', url.len);

    if (url.len > 0 && url.data[0] == '/') {
        p = url.data;

    } else if (p && end - p >= 3 && p[1] == '/' && p[2] == '/') {

        for (p += 3; p < end && *p != '/' && *p != '?' && *p != '#'; p++) {
            /* the host */
        }

    } else {
        return;
    }

    path.data = p;

    while (p < end && *p != '?' && *p != '#') {
        p++;
    }

    path.len = (size_t) (p - path.data);
    search.data = p;

    while (p < end && *p != '#') {
        p++;
    }

    search.len = (size_t) (p - search.data);

    if (path.len == 0) {
        path.data = (const unsigned char *) "/";
        path.len = 1;
    }

    martech_dialect_text(t, "path", path);

    if (search.len > 0) {
        martech_dialect_text(t, "search", search);
    }
}


int
martech_dialect_screen(martech_translation_t *t, martech_str_t text)
{
    martech_str_t         width, height;
    const unsigned char  *x;

    x = text.len ? memchr(text.data, 'x', text.len) : NULL;

    if (x == NULL) {
        return 0;
    }

    width.data = text.data;
    width.len = (size_t) (x - text.data);
    height.data = x + 1;
    height.len = text.len - width.len - 1;

    if (martech_dialect_integer(width) < 0
        || martech_dialect_integer(height) < 0)
    {
        return 0;
    }

    martech_json_name(&t->out, "screen");
    martech_json_begin(&t->out, '{');
    martech_json_name(&t->out, "width");
    martech_json_int(&t->out, martech_dialect_integer(width));
    martech_json_name(&t->out, "height");
    martech_json_int(&t->out, martech_dialect_integer(height));
    martech_json_end(&t->out, '}');

    return 1;
}


void
martech_dialect_resolution(martech_translation_t *t, martech_str_t text)
{
    if (text.len == 0 || martech_dialect_screen(t, text)) {
        return;
    }

    martech_json_name(&t->out, "screen");
    martech_json_begin(&t->out, '{');
    martech_dialect_text(t, "resolution", text);
    martech_json_end(&t->out, '}');
}


int64_t
martech_dialect_seconds(martech_str_t text)
{
    size_t         i;
    int            ms, scale;
    int64_t        seconds;
    martech_str_t  whole;

    whole = text;

    for (i = 0; i < text.len && text.data[i] != '.'; i++) {
        /* to the point */
    }

    whole.len = i;
    seconds = (i <= MARTECH_SECONDS_DIGITS) ? martech_dialect_integer(whole)
                                            : -1;

    if (seconds < 0) {
        return -1;
    }

    ms = 0;
    scale = 100;

    for (i++; i < text.len; i++) {

        if (text.data[i] < '0' || text.data[i] > '9') {
            return -1;
        }

        ms += (text.data[i] - '0') * scale;
        scale /= 10;
    }

    return seconds * 1000 + ms;
}


void
martech_dialect_refuse(martech_translation_t *t,
    const martech_json_writer_t *begun)
{
    if (!t->out.overflow) {
        t->out = *begun;
    }

    martech_json_raw(&t->out, "null", 4);
}


martech_str_t
martech_dialect_decode(martech_translation_t *t, martech_str_t value)
{
    unsigned char  *room;

    room = martech_dialect_room(t, value.len);

    if (room == NULL) {
        t->out.overflow = 1;
        value.len = 0;
        return value;
    }

    return martech_form_decode(value, room);
}


int
martech_dialect_begins(martech_str_t text, int one, int other)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {

        if (text.data[i] != ' ' && text.data[i] != '\t'
            && text.data[i] != '\n' && text.data[i] != '\r')
        {
            return text.data[i] == one || text.data[i] == other;
        }
    }

    return 0;
}
