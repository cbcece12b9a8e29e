
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The members of an event that we interpret, and the types of events.
 */


#include <string.h>

#include "martech_field.h"


const martech_field_t  martech_fields[MARTECH_FIELD_COUNT] = {
    { martech_string("event"), "/event" },
    { martech_string("name"), "/name" },
    { martech_string("category"), "/category" },
    { martech_string("properties"), "/properties" },
    { martech_string("traits"), "/traits" },
    { martech_string("type"), "/type" },
    { martech_string("messageId"), "/messageId" },
    { martech_string("anonymousId"), "/anonymousId" },
    { martech_string("userId"), "/userId" },
    { martech_string("groupId"), "/groupId" },
    { martech_string("previousId"), "/previousId" },
    { martech_string("timestamp"), "/timestamp" },
    { martech_string("originalTimestamp"), "/originalTimestamp" },
    { martech_string("sentAt"), "/sentAt" },
    { martech_string("receivedAt"), "/receivedAt" },
    { martech_string("context"), "/context" },
    { martech_string("integrations"), "/integrations" },
    { martech_string("writeKey"), "/writeKey" },
};


const martech_str_t  martech_types[MARTECH_EVENT_ALIAS + 1] = {
    martech_string(""),
    martech_string("track"),
    martech_string("identify"),
    martech_string("page"),
    martech_string("screen"),
    martech_string("group"),
    martech_string("alias"),
};


martech_event_type_t
martech_event_type(martech_str_t word)
{
    unsigned  i;

    for (i = MARTECH_EVENT_TRACK; i <= MARTECH_EVENT_ALIAS; i++) {

        /* the short form is the first letter of the type */

        if ((word.len == martech_types[i].len || word.len == 1)
            && memcmp(word.data, martech_types[i].data, word.len) == 0)
        {
            return (martech_event_type_t) i;
        }
    }

    return MARTECH_EVENT_UNKNOWN;
}


/* Which member this is.  Lengths decide nearly always, bytes once. */

unsigned
martech_field(const martech_json_tape_t *tape, const martech_json_node_t *node)
{
    long                  n;
    size_t                len;
    unsigned              f;
    martech_str_t         key;
    unsigned char         buf[32];
    const unsigned char  *name;

    name = tape->text + node->key;
    len = node->key_len;

    if (node->flags & MARTECH_JSON_KEY_ESCAPED) {
        key.data = name;
        key.len = len;

        n = martech_json_unescape(key, buf, sizeof(buf));

        if (n < 0) {
            return MARTECH_FIELD_OTHER;
        }

        name = buf;
        len = (size_t) n;
    }

    for (f = 0; f < MARTECH_FIELD_COUNT; f++) {

        if (len == martech_fields[f].name.len
            && name[0] == martech_fields[f].name.data[0]
            && memcmp(name, martech_fields[f].name.data, len) == 0)
        {
            return f;
        }
    }

    return MARTECH_FIELD_OTHER;
}


int
martech_field_is(const martech_event_t *ev, unsigned field,
    martech_json_kind_t kind)
{
    uint32_t  node;

    node = ev->fields[field];

    return node != MARTECH_JSON_NONE && ev->batch->tape->nodes[node].kind == kind;
}
