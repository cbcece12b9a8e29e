
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * From a payload to events: one track event for it, or for each element of an
 * array.  Nothing here decides whether the payload is to be believed.
 */


#include <string.h>

#include "martech_hook_private.h"
#include "martech_time.h"
#include "martech_uuid.h"


#define MARTECH_HOOK_VALUE_MAX  512      /* bytes of an id or a note */
#define MARTECH_HOOK_EVENT_MAX  256      /* of a name */
#define MARTECH_HOOK_SOON_MS    100000000000LL   /* less: seconds */


/* A value found by an expression; text points into buf or elsewhere. */
typedef struct {
    martech_str_t   text;
    uint32_t        node;                /* NONE: of a header */
    unsigned        shared:1;            /* not of the element alone */
    unsigned char   buf[MARTECH_HOOK_VALUE_MAX];
} martech_hook_found_t;


/* The namespace of ids that are made from names here. */
static const unsigned char  martech_hook_namespace[16] = {
    0x5d, 0x0b, 0x8e, 0x21, 0x6c, 0x3f, 0x4a, 0x77,
    0x9e, 0x52, 0x1d, 0xc4, 0x83, 0xf6, 0x0a, 0xb9
};


static uint32_t martech_hook_list(martech_hook_map_t *map);
static int martech_hook_silent(martech_hook_map_t *map);
static int martech_hook_find_value(martech_hook_map_t *map, uint32_t element,
    martech_str_t expression, martech_hook_found_t *found);
static int martech_hook_find_pointer(martech_hook_map_t *map,
    uint32_t element, martech_str_t pointer, martech_hook_found_t *found);
static int martech_hook_find_default(martech_hook_map_t *map,
    uint32_t element, martech_str_t configured, const char *usual,
    martech_hook_found_t *found);
static void martech_hook_event(martech_hook_map_t *map, uint32_t element,
    int index);
static void martech_hook_event_name(martech_hook_map_t *map,
    uint32_t element);
static void martech_hook_event_id(martech_hook_map_t *map, uint32_t element,
    int index);
static void martech_hook_event_person(martech_hook_map_t *map,
    uint32_t element);
static void martech_hook_event_time(martech_hook_map_t *map,
    uint32_t element);
static void martech_hook_event_context(martech_hook_map_t *map,
    uint32_t element);
static void martech_hook_member(martech_hook_map_t *map, const char *name,
    martech_str_t text);
static int martech_hook_uuid(martech_hook_map_t *map, martech_str_t first,
    martech_str_t second, unsigned char *out);
static martech_str_t martech_hook_account(martech_hook_map_t *map,
    uint32_t element, martech_hook_found_t *found);


static martech_str_t
martech_hook_cstring(const char *text)
{
    martech_str_t  s;

    s.data = (const unsigned char *) text;
    s.len = text ? strlen(text) : 0;

    return s;
}


martech_rc_t
martech_hook_map(martech_hook_map_t *map)
{
    int                         index;
    uint32_t                    list, node;
    const martech_json_node_t  *nodes;

    nodes = map->tape->nodes;

    map->field = "";
    map->count = 0;
    map->silent = 0;
    map->reply_len = 0;

    if (nodes[0].kind != MARTECH_JSON_OBJECT
        && nodes[0].kind != MARTECH_JSON_ARRAY)
    {
        return MARTECH_BODY_NOT_OBJECT;
    }

    if (martech_hook_silent(map)) {
        map->silent = 1;
        return MARTECH_OK;
    }

    list = martech_hook_list(map);

    if (nodes[list].kind == MARTECH_JSON_ARRAY
        && nodes[list].count > map->limits->batch_count_max)
    {
        return MARTECH_BATCH_COUNT;
    }

    martech_json_begin(&map->out, '{');
    martech_json_name(&map->out, "batch");
    martech_json_begin(&map->out, '[');

    if (nodes[list].kind == MARTECH_JSON_ARRAY) {
        index = 0;

        for (node = list + 1; node < nodes[list].next;
             node = nodes[node].next)
        {
            martech_hook_event(map, node, index++);
        }

        map->silent = (index == 0);

    } else {
        martech_hook_event(map, list, -1);
    }

    martech_json_end(&map->out, ']');
    martech_json_end(&map->out, '}');

    return MARTECH_OK;
}


/* The array of events, or the payload that is one. */

static uint32_t
martech_hook_list(martech_hook_map_t *map)
{
    char                  pointer[MARTECH_HOOK_VALUE_MAX];
    uint32_t              node;
    const martech_str_t  *each;

    each = &map->hook->each;

    if (each->len == 0 || each->len >= sizeof(pointer)) {
        return 0;
    }

    memcpy(pointer, each->data, each->len);
    pointer[each->len] = '\0';

    node = martech_json_pointer(map->tape, 0, pointer);

    return (node != MARTECH_JSON_NONE
            && map->tape->nodes[node].kind == MARTECH_JSON_ARRAY)
           ? node : 0;
}


/* What a vendor sends to see whether somebody is there. */

static int
martech_hook_silent(martech_hook_map_t *map)
{
    long                          n;
    uint32_t                      node;
    martech_str_t                 text, type;
    martech_hook_found_t          found;
    const martech_hook_scheme_t  *scheme;

    scheme = map->hook->scheme;

    if (map->tape->nodes[0].kind != MARTECH_JSON_OBJECT) {
        return 0;
    }

    if (scheme->ping
        && martech_hook_find_value(map, 0, martech_hook_cstring(scheme->topic),
                                   &found))
    {
        text = martech_hook_cstring(scheme->ping);

        if (found.text.len == text.len
            && memcmp(found.text.data, text.data, text.len) == 0)
        {
            return 1;
        }
    }

    if (scheme->challenge == NULL) {
        return 0;
    }

    type = martech_hook_cstring(scheme->challenge);
    node = martech_json_member(map->tape, 0, "type", 4);

    if (node == MARTECH_JSON_NONE
        || !martech_json_equals(map->tape, node, (const char *) type.data,
                                type.len))
    {
        return 0;
    }

    node = martech_json_member(map->tape, 0, "challenge", 9);

    if (node != MARTECH_JSON_NONE
        && map->tape->nodes[node].kind == MARTECH_JSON_STRING)
    {
        n = martech_json_unescape(martech_json_slice(map->tape, node),
                                  map->reply, sizeof(map->reply));

        map->reply_len = (n > 0) ? (size_t) n : 0;
    }

    return 1;
}


/* The first alternative that is there and says something. */

static int
martech_hook_find_value(martech_hook_map_t *map, uint32_t element,
    martech_str_t expression, martech_hook_found_t *found)
{
    martech_str_t  part;

    static const martech_str_t  header = martech_string("header:");

    found->node = MARTECH_JSON_NONE;
    found->shared = 0;

    while (expression.len > 0) {
        part = martech_hook_split(&expression, '|');

        if (part.len > 0 && part.data[0] == '/') {

            if (martech_hook_find_pointer(map, element, part, found)) {
                return 1;
            }

            continue;
        }

        part.data += header.len;
        part.len -= header.len;

        if (martech_hook_header(map->hook->scheme, map->request, part,
                                &found->text)
            == 1
            && found->text.len > 0
            && found->text.len <= MARTECH_HOOK_VALUE_MAX)
        {
            found->shared = 1;
            return 1;
        }
    }

    return 0;
}


/* "0" is what vendors have for nobody. */

static int
martech_hook_find_pointer(martech_hook_map_t *map, uint32_t element,
    martech_str_t pointer, martech_hook_found_t *found)
{
    char                        copy[1025];
    long                        n;
    uint32_t                    node;
    martech_str_t               slice;
    const martech_json_node_t  *value;

    if (pointer.len >= sizeof(copy)) {
        return 0;
    }

    memcpy(copy, pointer.data, pointer.len);
    copy[pointer.len] = '\0';

    found->shared = 0;
    node = martech_json_pointer(map->tape, element, copy);

    if (node == MARTECH_JSON_NONE && element != 0) {
        found->shared = 1;
        node = martech_json_pointer(map->tape, 0, copy);
    }

    if (node == MARTECH_JSON_NONE) {
        return 0;
    }

    value = &map->tape->nodes[node];
    slice = martech_json_slice(map->tape, node);

    if (value->kind == MARTECH_JSON_STRING) {
        n = martech_json_unescape(slice, found->buf, sizeof(found->buf));
        slice.data = found->buf;
        slice.len = (n > 0) ? (size_t) n : 0;

    } else if (value->kind != MARTECH_JSON_NUMBER
               && value->kind != MARTECH_JSON_TRUE
               && value->kind != MARTECH_JSON_FALSE)
    {
        return 0;
    }

    if (slice.len == 0 || slice.len > MARTECH_HOOK_VALUE_MAX
        || (slice.len == 1 && slice.data[0] == '0'))
    {
        return 0;
    }

    found->text = slice;
    found->node = node;

    return 1;
}


static int
martech_hook_find_default(martech_hook_map_t *map, uint32_t element,
    martech_str_t configured, const char *usual, martech_hook_found_t *found)
{
    return martech_hook_find_value(map, element,
               configured.len ? configured : martech_hook_cstring(usual),
               found);
}


/* index -1: the payload is one event. */

static void
martech_hook_event(martech_hook_map_t *map, uint32_t element, int index)
{
    martech_str_t  text;

    map->count++;
    text = martech_json_text(map->tape, element);

    if (map->tape->nodes[element].kind != MARTECH_JSON_OBJECT) {
        martech_json_raw(&map->out, "null", 4);
        return;
    }

    if (map->hook->scheme->native) {
        martech_json_raw(&map->out, text.data, text.len);
        return;
    }

    martech_json_begin(&map->out, '{');

    martech_json_name(&map->out, "type");
    martech_json_cstring(&map->out, "track");

    martech_hook_event_name(map, element);
    martech_hook_event_id(map, element, index);
    martech_hook_event_person(map, element);
    martech_hook_event_time(map, element);

    martech_json_name(&map->out, "properties");
    martech_json_raw(&map->out, text.data, text.len);

    martech_hook_event_context(map, element);

    martech_json_end(&map->out, '}');
}


static size_t
martech_hook_append(unsigned char *buf, size_t used, martech_str_t text)
{
    if (text.len > MARTECH_HOOK_EVENT_MAX - used) {
        text.len = MARTECH_HOOK_EVENT_MAX - used;
    }

    if (text.len > 0) {
        memcpy(buf + used, text.data, text.len);
    }

    return used + text.len;
}


/*
 * A signed delivery is never lost for want of a name: without any of its
 * values a template gives that of the scheme.
 */

static void
martech_hook_event_name(martech_hook_map_t *map, uint32_t element)
{
    size_t                used;
    unsigned              values;
    martech_str_t         rest, part, name;
    unsigned char         buf[MARTECH_HOOK_EVENT_MAX];
    martech_hook_found_t  found;

    static const martech_str_t  topic = martech_string("{topic}");
    static const martech_str_t  suffix = martech_string(" webhook");

    rest = map->hook->event.len ? map->hook->event : topic;
    used = 0;
    values = (memchr(rest.data, '{', rest.len) == NULL);

    while (rest.len > 0) {
        part = martech_hook_split(&rest, '{');
        used = martech_hook_append(buf, used, part);

        if (rest.len == 0) {
            break;
        }

        part = martech_hook_split(&rest, '}');

        if (part.len == topic.len - 2
            && memcmp(part.data, topic.data + 1, part.len) == 0)
        {
            part = martech_hook_cstring(map->hook->scheme->topic);
        }

        if (martech_hook_find_value(map, element, part, &found)) {
            used = martech_hook_append(buf, used, found.text);
            values = 1;
        }
    }

    if (values == 0 || used == 0) {
        used = martech_hook_append(buf, 0, map->hook->scheme->name);
        used = martech_hook_append(buf, used, suffix);
    }

    name.data = buf;
    name.len = used;

    martech_hook_member(map, "event", name);
}


/*
 * The id of the delivery, so that what is delivered again is the same event.
 * Ids that are counted by an account, that are too long, or that are missing
 * become one made of what they stand for.
 */

static void
martech_hook_event_id(martech_hook_map_t *map, uint32_t element, int index)
{
    size_t                i, n;
    unsigned              digit;
    martech_str_t         id, account;
    unsigned char         buf[MARTECH_HOOK_VALUE_MAX + 12];
    unsigned char         uuid[MARTECH_UUID_LEN], digits[12];
    martech_hook_found_t  found, owner;

    if (map->request->id.len > 0) {
        found.text = map->request->id;
        found.shared = 1;

    } else if (!martech_hook_find_default(map, element, map->hook->id,
                                          map->hook->scheme->id, &found))
    {
        account = martech_hook_account(map, element, &owner);

        if (map->hook->scheme->content
            && martech_hook_uuid(map, account,
                                 martech_json_text(map->tape, element), uuid))
        {
            id.data = uuid;
            id.len = sizeof(uuid);
            martech_hook_member(map, "messageId", id);
        }

        return;
    }

    n = found.text.len;

    if (n > MARTECH_HOOK_VALUE_MAX) {
        n = MARTECH_HOOK_VALUE_MAX;
    }

    memcpy(buf, found.text.data, n);

    if (found.shared && index >= 0) {
        buf[n++] = '-';
        digit = sizeof(digits);

        do {
            digits[--digit] = (unsigned char) ('0' + index % 10);
            index /= 10;
        } while (index > 0);

        memcpy(buf + n, digits + digit, sizeof(digits) - digit);
        n += sizeof(digits) - digit;
    }

    id.data = buf;
    id.len = n;

    for (i = 0; i < n; i++) {
        if (buf[i] < 0x21 || buf[i] > 0x7e) {
            break;
        }
    }

    if (i < n || n > map->limits->message_id_max
        || (map->hook->scheme->local && map->hook->id.len == 0
            && map->request->id.len == 0))
    {
        account = martech_hook_account(map, element, &owner);

        if (!martech_hook_uuid(map, account, id, uuid)) {
            return;
        }

        id.data = uuid;
        id.len = sizeof(uuid);
    }

    martech_hook_member(map, "messageId", id);
}


/* Every event is somebody's: without a person, its account's. */

static void
martech_hook_event_person(martech_hook_map_t *map, uint32_t element)
{
    int                   known;
    martech_str_t         id, account;
    unsigned char         uuid[MARTECH_UUID_LEN];
    martech_hook_found_t  found;

    known = 0;

    if (martech_hook_find_default(map, element, map->hook->user,
                                  map->hook->scheme->user, &found))
    {
        martech_hook_member(map, "userId", found.text);
        known = 1;
    }

    if (martech_hook_find_value(map, element, map->hook->anonymous, &found)) {
        martech_hook_member(map, "anonymousId", found.text);
        known = 1;
    }

    if (known) {
        return;
    }

    id.len = 0;
    id.data = uuid;

    account = martech_hook_account(map, element, &found);

    if (martech_hook_uuid(map, account, id, uuid)) {
        id.len = sizeof(uuid);
        martech_hook_member(map, "anonymousId", id);
    }
}


static martech_str_t
martech_hook_account(martech_hook_map_t *map, uint32_t element,
    martech_hook_found_t *found)
{
    if (map->hook->scheme->account
        && martech_hook_find_value(map, element,
                      martech_hook_cstring(map->hook->scheme->account), found))
    {
        return found->text;
    }

    return map->hook->source;
}


/* A date as text, or a number of seconds or milliseconds, also as text. */

static void
martech_hook_event_time(martech_hook_map_t *map, uint32_t element)
{
    int64_t               ms;
    martech_str_t         text;
    unsigned char         date[MARTECH_TIME_LEN];
    martech_hook_found_t  found;

    if (!martech_hook_find_default(map, element, map->hook->time,
                                   map->hook->scheme->time, &found))
    {
        return;
    }

    text = found.text;

    if (martech_time_parse(text.data, text.len, &ms) != MARTECH_OK) {

        for (ms = 0; (size_t) ms < text.len; ms++) {
            if (text.data[ms] == '.') {
                text.len = (size_t) ms;
            }
        }

        ms = martech_dialect_integer(text);

        if (ms <= 0) {
            return;
        }

        if (ms < MARTECH_HOOK_SOON_MS) {
            ms *= 1000;
        }
    }

    martech_time_format(date, ms);

    text.data = date;
    text.len = sizeof(date);

    martech_hook_member(map, "timestamp", text);
}


static void
martech_hook_event_context(martech_hook_map_t *map, uint32_t element)
{
    unsigned                      i;
    martech_hook_found_t          found;
    const martech_hook_scheme_t  *scheme;

    scheme = map->hook->scheme;

    martech_json_name(&map->out, "context");
    martech_json_begin(&map->out, '{');
    martech_json_name(&map->out, "webhook");
    martech_json_begin(&map->out, '{');

    martech_hook_member(map, "scheme", scheme->name);

    if (map->request->id.len > 0) {
        martech_hook_member(map, "id", map->request->id);

    } else if (martech_hook_find_default(map, element, map->hook->id,
                                         scheme->id, &found))
    {
        martech_hook_member(map, "id", found.text);
    }

    if (martech_hook_find_value(map, element,
                                martech_hook_cstring(scheme->topic), &found))
    {
        martech_hook_member(map, "topic", found.text);
    }

    for (i = 0; i < MARTECH_HOOK_NOTES && scheme->notes[i].name; i++) {

        if (martech_hook_find_value(map, element,
                   martech_hook_cstring(scheme->notes[i].value), &found))
        {
            martech_hook_member(map, scheme->notes[i].name, found.text);
        }
    }

    martech_json_end(&map->out, '}');
    martech_json_end(&map->out, '}');
}


static void
martech_hook_member(martech_hook_map_t *map, const char *name,
    martech_str_t text)
{
    martech_json_name(&map->out, name);
    martech_json_string(&map->out, text.data, text.len);
}


/*
 * An id made of scheme, first and second.  The rest of the writer's room is
 * free, and the name goes there; a full writer makes the batch fail anyway.
 */

static int
martech_hook_uuid(martech_hook_map_t *map, martech_str_t first,
    martech_str_t second, unsigned char *out)
{
    size_t                len;
    unsigned char        *p;
    const martech_str_t  *scheme;

    scheme = &map->hook->scheme->name;
    len = scheme->len + first.len + second.len + 2;

    if (map->out.overflow || (size_t) (map->out.end - map->out.pos) < len) {
        map->out.overflow = 1;
        return 0;
    }

    p = map->out.pos;

    memcpy(p, scheme->data, scheme->len);
    p += scheme->len;
    *p++ = '\n';

    if (first.len > 0) {
        memcpy(p, first.data, first.len);
        p += first.len;
    }

    *p++ = '\n';

    if (second.len > 0) {
        memcpy(p, second.data, second.len);
    }

    martech_uuid5(out, martech_hook_namespace, map->out.pos, len);

    return 1;
}
