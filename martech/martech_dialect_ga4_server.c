
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The Measurement Protocol: an object with what its events have in common and
 * an array of them.
 */


#include <string.h>

#include "martech_dialect_ga4.h"
#include "martech_form.h"


/* Members of the request, in the order of the names below. */

enum {
    MARTECH_MP_CLIENT = 0,
    MARTECH_MP_INSTANCE,
    MARTECH_MP_USER,
    MARTECH_MP_TIME,
    MARTECH_MP_PROPERTIES,
    MARTECH_MP_IP,
    MARTECH_MP_AGENT,
    MARTECH_MP_DEVICE,
    MARTECH_MP_EVENTS,
    MARTECH_MP_VALIDATION,               /* plumbing */
    MARTECH_MP_COUNT
};


typedef struct {
    uint32_t         nodes[MARTECH_MP_COUNT];
    martech_names_t  written;
    unsigned         others:1;
} martech_ga4_request_t;


static void martech_ga4_request_read(const martech_translation_t *t,
    martech_ga4_request_t *mp);
static unsigned martech_ga4_request_field(const martech_json_tape_t *tape,
    uint32_t node);
static void martech_ga4_event(martech_translation_t *t,
    martech_ga4_request_t *mp, uint32_t event);
static int64_t martech_ga4_time(const martech_translation_t *t,
    uint32_t node);
static void martech_ga4_id(martech_translation_t *t, const char *name,
    uint32_t node);
static void martech_ga4_event_context(martech_translation_t *t,
    martech_ga4_request_t *mp, uint32_t params);
static void martech_ga4_page(martech_translation_t *t, uint32_t params);
static void martech_ga4_traits(martech_translation_t *t,
    martech_ga4_request_t *mp);
static void martech_ga4_others(martech_translation_t *t,
    martech_ga4_request_t *mp);


static const martech_str_t  martech_ga4_members[MARTECH_MP_COUNT] = {
    [MARTECH_MP_CLIENT] = martech_string("client_id"),
    [MARTECH_MP_INSTANCE] = martech_string("app_instance_id"),
    [MARTECH_MP_USER] = martech_string("user_id"),
    [MARTECH_MP_TIME] = martech_string("timestamp_micros"),
    [MARTECH_MP_PROPERTIES] = martech_string("user_properties"),
    [MARTECH_MP_IP] = martech_string("ip_override"),
    [MARTECH_MP_AGENT] = martech_string("user_agent"),
    [MARTECH_MP_DEVICE] = martech_string("device"),
    [MARTECH_MP_EVENTS] = martech_string("events"),
    [MARTECH_MP_VALIDATION] = martech_string("validation_behavior"),
};


martech_rc_t
martech_ga4_server(martech_translation_t *t)
{
    uint32_t                    i, events;
    martech_rc_t                rc;
    martech_str_t               key;
    unsigned char              *room;
    martech_ga4_request_t       mp;
    const martech_json_node_t  *nodes;

    rc = martech_dialect_scan(t, t->request->body);

    if (rc != MARTECH_OK) {
        return rc;
    }

    nodes = t->tape->nodes;
    t->field = "";

    if (nodes[0].kind != MARTECH_JSON_OBJECT) {
        return MARTECH_BODY_NOT_OBJECT;
    }

    martech_ga4_request_read(t, &mp);

    t->field = "/events";
    events = mp.nodes[MARTECH_MP_EVENTS];

    if (events == MARTECH_JSON_NONE
        || nodes[events].kind != MARTECH_JSON_ARRAY)
    {
        return MARTECH_BATCH_NOT_ARRAY;
    }

    if (nodes[events].count == 0) {
        return MARTECH_BATCH_EMPTY;
    }

    if (nodes[events].count > t->limits->batch_count_max) {
        return MARTECH_BATCH_COUNT;
    }

    /* every event has these, so that their number is bounded */

    t->field = "/user_properties";

    if (nodes[0].count > MARTECH_FLAT_OTHERS_MAX
        || (mp.nodes[MARTECH_MP_PROPERTIES] != MARTECH_JSON_NONE
            && nodes[mp.nodes[MARTECH_MP_PROPERTIES]].count
               > MARTECH_BATCH_MEMBERS_MAX))
    {
        return MARTECH_BATCH_MEMBERS;
    }

    key = martech_form_value(t->request->args, "measurement_id", 14);

    if (key.data == NULL) {
        key = martech_form_value(t->request->args, "firebase_app_id", 15);
    }

    room = martech_dialect_room(t, key.len);

    if (room) {
        key = martech_form_decode(key, room);
    }

    martech_dialect_begin(t, key, -1);

    for (i = events + 1; i < nodes[events].next && !t->out.overflow;
         i = nodes[i].next)
    {
        martech_ga4_event(t, &mp, i);
    }

    martech_dialect_end(t);

    return MARTECH_OK;
}


static void
martech_ga4_request_read(const martech_translation_t *t,
    martech_ga4_request_t *mp)
{
    unsigned                    f;
    uint32_t                    i;
    const martech_json_node_t  *nodes;

    memset(mp->nodes, 0, sizeof(mp->nodes));
    mp->written.count = MARTECH_NAMES_MAX;
    mp->others = 0;

    nodes = t->tape->nodes;

    for (i = 1; i < nodes[0].next; i = nodes[i].next) {
        f = martech_ga4_request_field(t->tape, i);

        if (f == MARTECH_MP_COUNT) {
            mp->others = 1;

        } else if (mp->nodes[f] == MARTECH_JSON_NONE
                   && nodes[i].kind != MARTECH_JSON_NULL)
        {
            mp->nodes[f] = i;
        }
    }
}


static unsigned
martech_ga4_request_field(const martech_json_tape_t *tape, uint32_t node)
{
    unsigned  f;

    for (f = 0; f < MARTECH_MP_COUNT; f++) {

        if (martech_json_name_is(tape, node,
                                 (const char *) martech_ga4_members[f].data,
                                 martech_ga4_members[f].len))
        {
            break;
        }
    }

    return f;
}


static void
martech_ga4_event(martech_translation_t *t, martech_ga4_request_t *mp,
    uint32_t event)
{
    int                         kind;
    int64_t                     ms;
    size_t                      mark;
    uint32_t                    node, params;
    martech_str_t               text;
    const martech_json_node_t  *nodes;

    nodes = t->tape->nodes;
    mark = t->scratch_used;

    node = martech_json_member(t->tape, event, "name", 4);
    params = martech_json_member(t->tape, event, "params", 6);

    if (nodes[event].kind != MARTECH_JSON_OBJECT
        || node == MARTECH_JSON_NONE
        || nodes[node].kind != MARTECH_JSON_STRING
        || nodes[node].len == 0
        || (params != MARTECH_JSON_NONE
            && nodes[params].kind != MARTECH_JSON_OBJECT
            && nodes[params].kind != MARTECH_JSON_NULL))
    {
        martech_json_raw(&t->out, "null", 4);
        return;
    }

    if (nodes[params].kind == MARTECH_JSON_NULL) {
        params = MARTECH_JSON_NONE;
    }

    martech_json_begin(&t->out, '{');

    kind = martech_ga4_name(t, martech_flat_value(t, t->tape, node));

    if (kind == MARTECH_GA4_SCREEN && params != MARTECH_JSON_NONE) {
        node = martech_json_member(t->tape, params, "screen_name", 11);

        if (node == MARTECH_JSON_NONE) {
            node = martech_json_member(t->tape, params, "firebase_screen",
                                       15);
        }

        if (nodes[node].kind == MARTECH_JSON_STRING) {
            martech_dialect_node(t, "name", node);
        }
    }

    node = mp->nodes[MARTECH_MP_CLIENT];
    martech_ga4_id(t, "anonymousId", node ? node
                                          : mp->nodes[MARTECH_MP_INSTANCE]);
    martech_ga4_id(t, "userId", mp->nodes[MARTECH_MP_USER]);

    ms = martech_ga4_time(t, martech_json_member(t->tape, event,
                                                 "timestamp_micros", 16));
    if (ms < 0) {
        ms = martech_ga4_time(t, mp->nodes[MARTECH_MP_TIME]);
    }

    if (ms >= 0) {
        martech_dialect_time(t, "timestamp", ms);
    }

    martech_json_name(&t->out, "properties");

    if (params != MARTECH_JSON_NONE) {
        text = martech_json_text(t->tape, params);
        martech_json_raw(&t->out, text.data, text.len);

    } else {
        martech_json_raw(&t->out, "{}", 2);
    }

    martech_ga4_event_context(t, mp, params);
    martech_json_end(&t->out, '}');

    t->scratch_used = mark;
}


/* Microseconds as a number or as digits in a string, in milliseconds. */

static int64_t
martech_ga4_time(const martech_translation_t *t, uint32_t node)
{
    int64_t  us;

    if (node == MARTECH_JSON_NONE
        || (t->tape->nodes[node].kind != MARTECH_JSON_NUMBER
            && t->tape->nodes[node].kind != MARTECH_JSON_STRING))
    {
        return -1;
    }

    us = martech_dialect_integer(martech_json_slice(t->tape, node));

    return (us < 0) ? -1 : us / 1000;
}


/* Ids are often sent as numbers. */

static void
martech_ga4_id(martech_translation_t *t, const char *name, uint32_t node)
{
    if (node == MARTECH_JSON_NONE) {
        return;
    }

    if (t->tape->nodes[node].kind == MARTECH_JSON_NUMBER) {
        martech_dialect_text(t, name, martech_json_slice(t->tape, node));

    } else {
        martech_dialect_node(t, name, node);
    }
}


static void
martech_ga4_event_context(martech_translation_t *t, martech_ga4_request_t *mp,
    uint32_t params)
{
    uint32_t                    node;
    const martech_json_node_t  *nodes;

    nodes = t->tape->nodes;

    martech_json_name(&t->out, "context");
    martech_json_begin(&t->out, '{');

    if (params != MARTECH_JSON_NONE) {
        martech_ga4_page(t, params);

        node = martech_json_member(t->tape, params, "session_id", 10);

        if (node != MARTECH_JSON_NONE
            && nodes[node].kind <= MARTECH_JSON_STRING)
        {
            martech_json_name(&t->out, "session");
            martech_json_begin(&t->out, '{');
            martech_ga4_id(t, "id", node);
            martech_json_end(&t->out, '}');
        }

        node = martech_json_member(t->tape, params, "language", 8);

        if (nodes[node].kind == MARTECH_JSON_STRING) {
            martech_dialect_node(t, "locale", node);
        }
    }

    if (nodes[mp->nodes[MARTECH_MP_IP]].kind == MARTECH_JSON_STRING) {
        martech_dialect_node(t, "ip", mp->nodes[MARTECH_MP_IP]);
    }

    if (nodes[mp->nodes[MARTECH_MP_AGENT]].kind == MARTECH_JSON_STRING) {
        martech_dialect_node(t, "userAgent", mp->nodes[MARTECH_MP_AGENT]);
    }

    martech_dialect_node(t, "device", mp->nodes[MARTECH_MP_DEVICE]);
    martech_ga4_traits(t, mp);
    martech_ga4_others(t, mp);

    martech_json_end(&t->out, '}');
}


/* The page is told by parameters, which stay properties. */

static void
martech_ga4_page(martech_translation_t *t, uint32_t params)
{
    uint32_t                    url, referrer, title;
    martech_str_t               texts[3];
    const martech_json_node_t  *nodes;

    nodes = t->tape->nodes;

    url = martech_json_member(t->tape, params, "page_location", 13);
    referrer = martech_json_member(t->tape, params, "page_referrer", 13);
    title = martech_json_member(t->tape, params, "page_title", 10);

    url = (nodes[url].kind == MARTECH_JSON_STRING) ? url : 0;
    referrer = (nodes[referrer].kind == MARTECH_JSON_STRING) ? referrer : 0;
    title = (nodes[title].kind == MARTECH_JSON_STRING) ? title : 0;

    if (!url && !referrer && !title) {
        return;
    }

    texts[0] = martech_flat_value(t, t->tape, url);
    texts[1] = martech_flat_value(t, t->tape, referrer);
    texts[2] = martech_flat_value(t, t->tape, title);

    martech_json_name(&t->out, "page");
    martech_json_begin(&t->out, '{');
    martech_flat_page(t, texts[0], texts[1], texts[2]);
    martech_json_end(&t->out, '}');
}


/* {"name": {"value": ...}}, each becomes a trait. */

static void
martech_ga4_traits(martech_translation_t *t, martech_ga4_request_t *mp)
{
    uint32_t                    i, value, properties;
    martech_str_t               name, text;
    const martech_json_node_t  *nodes;

    nodes = t->tape->nodes;
    properties = mp->nodes[MARTECH_MP_PROPERTIES];

    if (properties == MARTECH_JSON_NONE
        || nodes[properties].kind != MARTECH_JSON_OBJECT)
    {
        return;
    }

    martech_names_clear(&mp->written);
    martech_json_name(&t->out, "traits");
    martech_json_begin(&t->out, '{');

    for (i = properties + 1; i < nodes[properties].next; i = nodes[i].next) {
        name = martech_flat_key(t, t->tape, i);
        value = martech_json_member(t->tape, i, "value", 5);
        value = (value == MARTECH_JSON_NONE) ? i : value;

        if (martech_names_add(&mp->written, name)) {
            text = martech_json_text(t->tape, value);
            martech_dialect_name(t, name);
            martech_json_raw(&t->out, text.data, text.len);
        }
    }

    martech_json_end(&t->out, '}');
}


/* What the request says besides: consent, user data, location. */

static void
martech_ga4_others(martech_translation_t *t, martech_ga4_request_t *mp)
{
    uint32_t                    i;
    martech_str_t               name, text;
    const martech_json_node_t  *nodes;

    if (!mp->others) {
        return;
    }

    nodes = t->tape->nodes;

    martech_names_clear(&mp->written);
    martech_json_name(&t->out, "ga4");
    martech_json_begin(&t->out, '{');

    for (i = 1; i < nodes[0].next; i = nodes[i].next) {

        if (martech_ga4_request_field(t->tape, i) != MARTECH_MP_COUNT) {
            continue;
        }

        name = martech_flat_key(t, t->tape, i);

        if (martech_names_add(&mp->written, name)) {
            text = martech_json_text(t->tape, i);
            martech_dialect_name(t, name);
            martech_json_raw(&t->out, text.data, text.len);
        }
    }

    martech_json_end(&t->out, '}');
}
