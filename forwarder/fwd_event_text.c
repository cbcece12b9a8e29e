
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What stands in the text of an event.
 */


#include <string.h>

#include "../martech/martech_event.h"

#include "fwd_event.h"


static void fwd_event_string(const fwd_reader_tape_t *rt, fwd_event_t *ev,
    uint32_t node, const char *name, fwd_event_part_t *part);
static unsigned fwd_event_type(const fwd_event_t *ev, fwd_event_part_t type);
static void fwd_event_context(const fwd_reader_tape_t *rt, fwd_event_t *ev,
    uint32_t martech);
static int fwd_event_plain(const fwd_reader_tape_t *rt, uint32_t node,
    const char *name, martech_str_t *text);


/* What routing and delivery want to know, from one walk over the members. */

void
fwd_event_members(const fwd_reader_tape_t *rt, fwd_event_t *ev)
{
    uint32_t                    node, end, context;
    fwd_event_part_t            type, event;
    const martech_json_node_t  *nodes;

    memset(&type, 0, sizeof(type));
    memset(&event, 0, sizeof(event));

    nodes = rt->tape.nodes;
    end = nodes[0].next;
    context = MARTECH_JSON_NONE;

    for (node = 1; node < end; node = nodes[node].next) {

        switch (nodes[node].key_len) {

        case 4:
            fwd_event_string(rt, ev, node, "type", &type);
            break;

        case 5:
            fwd_event_string(rt, ev, node, "event", &event);
            break;

        case 6:
            fwd_event_string(rt, ev, node, "userId", &ev->user_id);
            break;

        case 7:
            if (context == MARTECH_JSON_NONE
                && martech_json_name_is(&rt->tape, node, "context", 7))
            {
                context = node;
            }

            break;

        case 10:
            fwd_event_string(rt, ev, node, "previousId", &ev->previous_id);
            break;

        case 11:
            fwd_event_string(rt, ev, node, "anonymousId", &ev->anonymous_id);
            break;

        default:
            break;
        }
    }

    ev->type = fwd_event_type(ev, type);
    ev->name = (ev->type == FWD_EVENT_TRACK) ? event : type;

    node = (context != MARTECH_JSON_NONE)
           ? martech_json_member(&rt->tape, context, "martech", 7)
           : MARTECH_JSON_NONE;

    if (node != MARTECH_JSON_NONE) {
        fwd_event_context(rt, ev, node);
    }
}


/* The first of a name counts, as it does for every other look-up. */

static void
fwd_event_string(const fwd_reader_tape_t *rt, fwd_event_t *ev, uint32_t node,
    const char *name, fwd_event_part_t *part)
{
    const martech_json_node_t  *n;

    n = &rt->tape.nodes[node];

    if (part->len != 0 || n->kind != MARTECH_JSON_STRING
        || (n->flags & MARTECH_JSON_KEY_ESCAPED)
        || memcmp(rt->tape.text + n->key, name, n->key_len) != 0)
    {
        return;
    }

    part->at = n->value;
    part->len = n->len;
    ev->escaped |= ((n->flags & MARTECH_JSON_VALUE_ESCAPED) != 0);
}


static unsigned
fwd_event_type(const fwd_event_t *ev, fwd_event_part_t type)
{
    const unsigned char  *p;

    p = ev->text.data + type.at;

    if (type.len == 5 && memcmp(p, "track", 5) == 0) {
        return FWD_EVENT_TRACK;
    }

    if (type.len == 8 && memcmp(p, "identify", 8) == 0) {
        return FWD_EVENT_IDENTIFY;
    }

    if (type.len == 5 && memcmp(p, "alias", 5) == 0) {
        return FWD_EVENT_ALIAS;
    }

    return FWD_EVENT_OTHER;
}


static void
fwd_event_context(const fwd_reader_tape_t *rt, fwd_event_t *ev,
    uint32_t martech)
{
    uint32_t                    node, end, granted;
    martech_str_t               text;
    const martech_json_node_t  *nodes;

    nodes = rt->tape.nodes;

    if (nodes[martech].kind != MARTECH_JSON_OBJECT) {
        return;
    }

    end = nodes[martech].next;

    for (node = martech + 1; node < end; node = nodes[node].next) {

        switch (nodes[node].key_len) {

        case 7:
            if (nodes[node].kind == MARTECH_JSON_OBJECT
                && martech_json_name_is(&rt->tape, node, "consent", 7))
            {
                granted = martech_json_member(&rt->tape, node, "granted", 7);
                ev->consent = 1;

                if (granted != MARTECH_JSON_NONE
                    && nodes[granted].kind == MARTECH_JSON_ARRAY)
                {
                    ev->granted.at = nodes[granted].value;
                    ev->granted.len = nodes[granted].len;
                }
            }

            break;

        case 8:
            if (martech_json_name_is(&rt->tape, node, "priority", 8)) {
                ev->high = (martech_json_equals(&rt->tape, node, "high", 4)
                            == 1);
            }

            break;

        case 9:
            if (fwd_event_plain(rt, node, "requestId", &text)) {
                ev->request_id.data = ev->text.data
                                      + (text.data - rt->tape.text);
                ev->request_id.len = text.len;
            }

            break;

        case 11:
            if (fwd_event_plain(rt, node, "traceparent", &text)
                && martech_traceparent(text).len != 0)
            {
                ev->traceparent.data = ev->text.data
                                       + (text.data - rt->tape.text);
                ev->traceparent.len = text.len;
            }

            break;

        default:
            break;
        }
    }
}


/* 1 if the member has this name, and is a string without escapes. */

static int
fwd_event_plain(const fwd_reader_tape_t *rt, uint32_t node, const char *name,
    martech_str_t *text)
{
    const martech_json_node_t  *n;

    n = &rt->tape.nodes[node];

    if (n->kind != MARTECH_JSON_STRING
        || (n->flags & MARTECH_JSON_VALUE_ESCAPED)
        || !martech_json_name_is(&rt->tape, node, name, n->key_len))
    {
        return 0;
    }

    *text = martech_json_slice(&rt->tape, node);

    return 1;
}


martech_str_t
fwd_event_part(const fwd_event_t *ev, fwd_event_part_t part,
    unsigned char *buf)
{
    long           n;
    martech_str_t  text;

    text.data = ev->text.data + part.at;
    text.len = part.len;

    if (part.len == 0 || !ev->escaped
        || memchr(text.data, '\\', text.len) == NULL)
    {
        return text;
    }

    n = martech_json_unescape(text, buf, FWD_EVENT_PART_MAX);

    text.data = buf;
    text.len = (n > 0) ? (size_t) n : 0;

    return text;
}
