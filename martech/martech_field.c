
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The members of an event that we interpret, and the types of events.
 */


#include <string.h>

#include "martech_field.h"
#include "martech_word.h"


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


/* The members of each length, so that few names are compared. */

#define MARTECH_FIELD_LEN_MAX  17

#define F0        { MARTECH_FIELD_OTHER, MARTECH_FIELD_OTHER,                 \
                    MARTECH_FIELD_OTHER }
#define F1(a)     { MARTECH_FIELD_##a, MARTECH_FIELD_OTHER,                   \
                    MARTECH_FIELD_OTHER }
#define F2(a, b)  { MARTECH_FIELD_##a, MARTECH_FIELD_##b,                     \
                    MARTECH_FIELD_OTHER }
#define F3(a, b, c)                                                           \
                  { MARTECH_FIELD_##a, MARTECH_FIELD_##b, MARTECH_FIELD_##c }

static const struct {
    uint8_t  field[3];
} martech_fields_by_len[MARTECH_FIELD_LEN_MAX + 1] = {
    { F0 },
    { F0 },
    { F0 },
    { F0 },
    { F2(TYPE, NAME) },
    { F1(EVENT) },
    { F3(USER_ID, SENT_AT, TRAITS) },
    { F2(CONTEXT, GROUP_ID) },
    { F2(CATEGORY, WRITE_KEY) },
    { F2(MESSAGE_ID, TIMESTAMP) },
    { F3(PROPERTIES, PREVIOUS_ID, RECEIVED_AT) },
    { F1(ANONYMOUS_ID) },
    { F1(INTEGRATIONS) },
    { F0 },
    { F0 },
    { F0 },
    { F0 },
    { F1(ORIGINAL_TIMESTAMP) }
};

#undef F0
#undef F1
#undef F2
#undef F3


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


/* Lengths decide nearly always, bytes once. */

static unsigned
martech_field_named(const unsigned char *name, size_t len)
{
    unsigned              i, f;
    martech_word_t        word;
    const unsigned char  *other;

    if (len > MARTECH_FIELD_LEN_MAX) {
        return MARTECH_FIELD_OTHER;
    }

    word = martech_word(name, len);

    for (i = 0; i < 3; i++) {
        f = martech_fields_by_len[len].field[i];

        if (f == MARTECH_FIELD_OTHER) {
            break;
        }

        other = martech_fields[f].name.data;

        if (martech_word_same(word, name, martech_word(other, len), other,
                              len))
        {
            return f;
        }
    }

    return MARTECH_FIELD_OTHER;
}


static unsigned
martech_field_escaped(martech_str_t name)
{
    long           n;
    unsigned char  buf[MARTECH_FIELD_LEN_MAX];

    n = martech_json_unescape(name, buf, sizeof(buf));

    return (n < 0) ? MARTECH_FIELD_OTHER
                   : martech_field_named(buf, (size_t) n);
}


unsigned
martech_field(const martech_json_tape_t *tape, const martech_json_node_t *node)
{
    martech_str_t  name;

    name.data = tape->text + node->key;
    name.len = node->key_len;

    return (node->flags & MARTECH_JSON_KEY_ESCAPED)
           ? martech_field_escaped(name)
           : martech_field_named(name.data, name.len);
}


martech_str_t
martech_member_text(const martech_json_tape_t *tape, uint32_t node)
{
    martech_str_t               text;
    const unsigned char        *end;
    const martech_json_node_t  *member;

    member = &tape->nodes[node];

    end = tape->text + member->value + member->len;

    if (member->kind == MARTECH_JSON_STRING) {
        end++;
    }

    text.data = tape->text + member->key - 1;
    text.len = (size_t) (end - text.data);

    return text;
}
