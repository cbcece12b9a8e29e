
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * PostHog: the capture routes of its SDKs, and the settings that these fetch.
 *
 * A body is an event, an array of events or an object with "batch"; it comes
 * as JSON or as base64 in a form.  What an SDK knows of the device stands
 * among the properties of each event, with a "$" in front.
 */


#include <string.h>

#include "martech_base64.h"
#include "martech_dialect_list.h"
#include "martech_dialect_map.h"
#include "martech_field.h"
#include "martech_form.h"
#include "martech_time.h"
#include "martech_word.h"


#define MARTECH_POSTHOG_TOKEN_MAX   128  /* of a key in a path */
#define MARTECH_POSTHOG_MERGE_MAX   256  /* of $set and $set_once, each */

/* A query parameter "_" in this range is a time in ms: 2001 to 2286. */
#define MARTECH_POSTHOG_MS_MIN      1000000000000LL
#define MARTECH_POSTHOG_MS_MAX      9999999999999LL


enum {
    MARTECH_POSTHOG_NONE = 0,

    /* members of an event */
    MARTECH_POSTHOG_API_KEY,
    MARTECH_POSTHOG_DISTINCT_ID,
    MARTECH_POSTHOG_EVENT,
    MARTECH_POSTHOG_OFFSET,
    MARTECH_POSTHOG_PROPERTIES,
    MARTECH_POSTHOG_SENT_AT,
    MARTECH_POSTHOG_SET,
    MARTECH_POSTHOG_SET_ONCE,
    MARTECH_POSTHOG_TIMESTAMP,
    MARTECH_POSTHOG_TOKEN,
    MARTECH_POSTHOG_UUID,

    /* properties only */
    MARTECH_POSTHOG_ALIAS,
    MARTECH_POSTHOG_ANON_ID,
    MARTECH_POSTHOG_DEVICE_ID,
    MARTECH_POSTHOG_GROUP_KEY,
    MARTECH_POSTHOG_GROUP_SET,
    MARTECH_POSTHOG_IDENTIFIED,
    MARTECH_POSTHOG_PROFILE,
    MARTECH_POSTHOG_REFERRER,
    MARTECH_POSTHOG_SCREEN_NAME,
    MARTECH_POSTHOG_TITLE,
    MARTECH_POSTHOG_URL,
    MARTECH_POSTHOG_USER_ID
};


/* One event being translated. */
typedef struct {
    martech_map_t         top;
    martech_map_t         map;           /* of its properties */
    martech_event_type_t  type;
    uint32_t              node;
    uint32_t              properties;
    unsigned              others;        /* members of no known name */
} martech_posthog_event_t;


/* Names of members, to be found again; numbers are one more than places. */
typedef struct {
    uint32_t  nodes[MARTECH_POSTHOG_MERGE_MAX];
    uint16_t  next[MARTECH_POSTHOG_MERGE_MAX];
    uint16_t  buckets[MARTECH_POSTHOG_MERGE_MAX];
    unsigned  count;
} martech_posthog_names_t;


static const martech_endpoint_t *martech_posthog_match(
    const martech_request_t *request);
static int martech_posthog_is_array(martech_str_t path);
static martech_rc_t martech_posthog_translate(martech_translation_t *t);
static martech_rc_t martech_posthog_text(martech_translation_t *t,
    martech_str_t *text);
static martech_rc_t martech_posthog_decode(martech_translation_t *t,
    martech_str_t form, martech_str_t *text);
static martech_str_t martech_posthog_key(martech_translation_t *t,
    uint32_t root, uint32_t event);
static martech_str_t martech_posthog_bearer(martech_translation_t *t);
static int64_t martech_posthog_sent(martech_translation_t *t, uint32_t root);
static martech_rc_t martech_posthog_event(martech_translation_t *t,
    uint32_t node, int64_t sent_ms);
static martech_event_type_t martech_posthog_type(
    const martech_translation_t *t, uint32_t event);
static void martech_posthog_name(martech_translation_t *t,
    const martech_posthog_event_t *e);
static void martech_posthog_properties(martech_translation_t *t,
    martech_posthog_event_t *e);
static void martech_posthog_library(martech_translation_t *t,
    martech_posthog_event_t *e);
static void martech_posthog_set(martech_posthog_event_t *e, const char *name,
    martech_str_t value);
static void martech_posthog_time(martech_translation_t *t,
    const martech_posthog_event_t *e, int64_t sent_ms);
static void martech_posthog_ids(martech_translation_t *t,
    const martech_posthog_event_t *e);
static martech_rc_t martech_posthog_context(martech_translation_t *t,
    martech_posthog_event_t *e);
static martech_rc_t martech_posthog_traits(martech_translation_t *t,
    const martech_posthog_event_t *e);
static martech_rc_t martech_posthog_merge(martech_translation_t *t,
    uint32_t set, uint32_t once);
static void martech_posthog_reply(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);
static void martech_posthog_results(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);
static void martech_posthog_flags(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);
static void martech_posthog_config(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);


/* Members of an event beside its properties. */

static const martech_known_t  martech_posthog_top[] = {
    { .name = martech_string("$set"), .role = MARTECH_POSTHOG_SET },
    { .name = martech_string("type") },
    { .name = martech_string("uuid"), .role = MARTECH_POSTHOG_UUID },
    { .name = martech_string("event"), .role = MARTECH_POSTHOG_EVENT },
    { .name = martech_string("token"), .role = MARTECH_POSTHOG_TOKEN },
    { .name = martech_string("offset"), .role = MARTECH_POSTHOG_OFFSET },
    { .name = martech_string("api_key"), .role = MARTECH_POSTHOG_API_KEY },
    { .name = martech_string("sent_at"), .role = MARTECH_POSTHOG_SENT_AT },
    { .name = martech_string("$set_once"), .role = MARTECH_POSTHOG_SET_ONCE },
    { .name = martech_string("timestamp"), .role = MARTECH_POSTHOG_TIMESTAMP },
    { .name = martech_string("properties"),
      .role = MARTECH_POSTHOG_PROPERTIES },
    { .name = martech_string("distinct_id"),
      .role = MARTECH_POSTHOG_DISTINCT_ID },
};

/* Properties that are not the event's own; no id may stay among these. */

static const martech_known_t  martech_posthog_known[] = {
    { martech_string("$ip"), MARTECH_PLACE_CONTEXT, "ip", 0, 0 },
    { martech_string("$os"), MARTECH_PLACE_OS, "name", 0, 0 },
    { martech_string("$lib"), MARTECH_PLACE_LIBRARY, "name", 0, 0 },
    { .name = martech_string("$set"), .role = MARTECH_POSTHOG_SET },
    { .name = martech_string("alias"), .role = MARTECH_POSTHOG_ALIAS },
    { martech_string("title"), MARTECH_PLACE_PAGE, "title", 0,
      MARTECH_POSTHOG_TITLE },
    { .name = martech_string("token"), .role = MARTECH_POSTHOG_TOKEN },
    { martech_string("$title"), MARTECH_PLACE_PAGE, "title", 0, 0 },
    { martech_string("$locale"), MARTECH_PLACE_CONTEXT, "locale", 0, 0 },
    { .name = martech_string("api_key"), .role = MARTECH_POSTHOG_API_KEY },
    { martech_string("$browser"), MARTECH_PLACE_BROWSER, "name", 0, 0 },
    { martech_string("$os_name"), MARTECH_PLACE_OS, "name", 0, 0 },
    { .name = martech_string("$user_id"), .role = MARTECH_POSTHOG_USER_ID },
    { martech_string("$app_name"), MARTECH_PLACE_APP, "name", 0, 0 },
    { martech_string("$referrer"), MARTECH_PLACE_PAGE, "referrer", 0,
      MARTECH_POSTHOG_REFERRER },
    { .name = martech_string("$set_once"), .role = MARTECH_POSTHOG_SET_ONCE },
    { martech_string("$timezone"), MARTECH_PLACE_CONTEXT, "timezone", 0, 0 },
    { martech_string("$app_build"), MARTECH_PLACE_APP, "build", 0, 0 },
    { .name = martech_string("$device_id"),
      .role = MARTECH_POSTHOG_DEVICE_ID },
    { .name = martech_string("$group_key"),
      .role = MARTECH_POSTHOG_GROUP_KEY },
    { .name = martech_string("$group_set"),
      .role = MARTECH_POSTHOG_GROUP_SET },
    { martech_string("$os_version"), MARTECH_PLACE_OS, "version", 0, 0 },
    { .name = martech_string("distinct_id"),
      .role = MARTECH_POSTHOG_DISTINCT_ID },
    { martech_string("$app_version"), MARTECH_PLACE_APP, "version", 0, 0 },
    { .name = martech_string("$current_url"), .role = MARTECH_POSTHOG_URL },
    { martech_string("$device_name"), MARTECH_PLACE_DEVICE, "name", 0, 0 },
    { martech_string("$device_type"), MARTECH_PLACE_DEVICE, "type", 0, 0 },
    { martech_string("$lib_version"), MARTECH_PLACE_LIBRARY, "version", 0, 0 },
    { martech_string("$screen_name"), MARTECH_PLACE_SCREEN, "name", 0,
      MARTECH_POSTHOG_SCREEN_NAME },
    { martech_string("$device_model"), MARTECH_PLACE_DEVICE, "model", 0, 0 },
    { martech_string("$network_wifi"), MARTECH_PLACE_NETWORK, "wifi", 0, 0 },
    { martech_string("$screen_width"), MARTECH_PLACE_SCREEN, "width", 0, 0 },
    { martech_string("$app_namespace"), MARTECH_PLACE_APP, "namespace", 0, 0 },
    { .name = martech_string("$is_identified"),
      .role = MARTECH_POSTHOG_IDENTIFIED },
    { martech_string("$screen_height"), MARTECH_PLACE_SCREEN, "height", 0, 0 },
    { martech_string("$raw_user_agent"), MARTECH_PLACE_CONTEXT, "userAgent", 0,
      0 },
    { martech_string("$browser_version"), MARTECH_PLACE_BROWSER, "version", 0,
      0 },
    { martech_string("$network_carrier"), MARTECH_PLACE_NETWORK, "carrier", 0,
      0 },
    { .name = martech_string("$anon_distinct_id"),
      .role = MARTECH_POSTHOG_ANON_ID },
    { martech_string("$browser_language"), MARTECH_PLACE_CONTEXT, "locale", 0,
      0 },
    { martech_string("$network_cellular"), MARTECH_PLACE_NETWORK, "cellular",
      0, 0 },
    { martech_string("$device_manufacturer"), MARTECH_PLACE_DEVICE,
      "manufacturer", 0, 0 },
    { .name = martech_string("$process_person_profile"),
      .role = MARTECH_POSTHOG_PROFILE },
};


static const martech_endpoint_t  martech_posthog_capture = {
    .name = "capture",
    .methods = MARTECH_GET | MARTECH_POST,
    .translate = martech_posthog_translate,
    .reply = martech_posthog_reply,
};

/* "Capture V1": the key is a bearer's, the answer tells of each event. */

static const martech_endpoint_t  martech_posthog_events = {
    .name = "events",
    .methods = MARTECH_POST,
    .translate = martech_posthog_translate,
    .reply = martech_posthog_results,
};

static const martech_endpoint_t  martech_posthog_flags_endpoint = {
    .name = "flags",
    .methods = MARTECH_GET | MARTECH_POST,
    .silent = 1,
    .reply = martech_posthog_flags,
};

static const martech_endpoint_t  martech_posthog_config_endpoint = {
    .name = "config",
    .methods = MARTECH_GET | MARTECH_HEAD,
    .silent = 1,
    .reply = martech_posthog_config,
};

const martech_dialect_t  martech_dialect_posthog = {
    .name = martech_string("posthog"),
    .match = martech_posthog_match,
};


static const martech_endpoint_t *
martech_posthog_match(const martech_request_t *request)
{
    unsigned  i;

    static const struct {
        martech_str_t              path;
        const martech_endpoint_t  *endpoint;
    } routes[] = {
        { martech_string("/i/v0/e"), &martech_posthog_capture },
        { martech_string("/i/v1/analytics/events"), &martech_posthog_events },
        { martech_string("/e"), &martech_posthog_capture },
        { martech_string("/batch"), &martech_posthog_capture },
        { martech_string("/capture"), &martech_posthog_capture },
        { martech_string("/track"), &martech_posthog_capture },
        { martech_string("/engage"), &martech_posthog_capture },
        { martech_string("/flags"), &martech_posthog_flags_endpoint },
        { martech_string("/decide"), &martech_posthog_flags_endpoint },
    };

    for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (martech_dialect_path_is(request->path,
                                    (const char *) routes[i].path.data,
                                    routes[i].path.len))
        {
            return routes[i].endpoint;
        }
    }

    return martech_posthog_is_array(request->path)
           ? &martech_posthog_config_endpoint : NULL;
}


/* Sets token to what stands between two parts of a path. */

static int
martech_posthog_between(martech_str_t path, const char *before,
    const char *after, martech_str_t *token)
{
    size_t  head, tail;

    head = strlen(before);
    tail = strlen(after);

    if (path.len <= head + tail
        || memcmp(path.data, before, head) != 0
        || memcmp(path.data + path.len - tail, after, tail) != 0)
    {
        return 0;
    }

    token->data = path.data + head;
    token->len = path.len - head - tail;

    return 1;
}


/* The key goes into a script: nothing but letters, digits, "_" and "-". */

static int
martech_posthog_token_valid(martech_str_t token)
{
    size_t         i;
    unsigned char  ch;

    for (i = 0; i < token.len; i++) {
        ch = token.data[i] | 0x20;

        if ((ch < 'a' || ch > 'z')
            && (token.data[i] < '0' || token.data[i] > '9')
            && token.data[i] != '_' && token.data[i] != '-')
        {
            return 0;
        }
    }

    return token.len <= MARTECH_POSTHOG_TOKEN_MAX;
}


static int
martech_posthog_is_array(martech_str_t path)
{
    martech_str_t  token;

    return (martech_posthog_between(path, "/array/", "/config", &token)
            || martech_posthog_between(path, "/array/", "/config.js", &token))
           && martech_posthog_token_valid(token);
}


static martech_rc_t
martech_posthog_translate(martech_translation_t *t)
{
    int64_t                     sent_ms;
    uint32_t                    batch, i, first, end, count;
    martech_rc_t                rc;
    martech_str_t               text;
    const martech_json_node_t  *nodes;

    rc = martech_posthog_text(t, &text);

    if (rc == MARTECH_OK) {
        rc = martech_dialect_scan(t, text);
    }

    if (rc != MARTECH_OK) {
        return rc;
    }

    nodes = t->tape->nodes;
    batch = martech_json_member(t->tape, 0, "batch", 5);

    /* the root is an event itself, unless it holds them */

    first = 0;
    end = 1;
    count = 1;

    if (batch != MARTECH_JSON_NONE || nodes[0].kind == MARTECH_JSON_ARRAY) {

        if (nodes[batch].kind != MARTECH_JSON_ARRAY) {
            t->field = "/batch";
            return MARTECH_BATCH_NOT_ARRAY;
        }

        first = batch + 1;
        end = nodes[batch].next;
        count = nodes[batch].count;

    } else if (nodes[0].kind != MARTECH_JSON_OBJECT) {
        return MARTECH_BODY_NOT_OBJECT;
    }

    if (count == 0) {
        return MARTECH_BATCH_EMPTY;
    }

    if (count > t->limits->batch_count_max) {
        return MARTECH_BATCH_COUNT;
    }

    sent_ms = martech_posthog_sent(t, 0);
    martech_dialect_begin(t, martech_posthog_key(t, 0, first), sent_ms);

    for (i = first; i < end && rc == MARTECH_OK; i = nodes[i].next) {
        rc = martech_posthog_event(t, i, sent_ms);
    }

    martech_dialect_end(t);

    return rc;
}


/* The JSON of a request: its body, or "data" of a form or of the query. */

static martech_rc_t
martech_posthog_text(martech_translation_t *t, martech_str_t *text)
{
    martech_str_t  form;

    form = t->request->body;

    if (martech_dialect_begins(form, '{', '[')) {
        *text = form;
        return MARTECH_OK;
    }

    if (form.len == 0) {
        form = t->request->args;
    }

    return martech_posthog_decode(t, form, text);
}


static martech_str_t
martech_posthog_compression(martech_translation_t *t, martech_str_t form)
{
    martech_str_t  value;

    value = martech_form_value(form, "compression", 11);

    return value.data ? value
                      : martech_form_value(t->request->args, "compression", 11);
}


static martech_rc_t
martech_posthog_decode(martech_translation_t *t, martech_str_t form,
    martech_str_t *text)
{
    long            n;
    size_t          i;
    martech_str_t   data, compression;
    unsigned char  *room;

    compression = martech_posthog_compression(t, form);

    if (compression.len == 4 && memcmp(compression.data, "lz64", 4) == 0) {
        t->field = "compression";
        return MARTECH_REQUEST_FIELD;
    }

    data = martech_form_value(form, "data", 4);

    if (data.len == 0) {
        t->field = "data";
        return (form.len == 0) ? MARTECH_BODY_EMPTY : MARTECH_REQUEST_FIELD;
    }

    room = martech_dialect_room(t, data.len);

    if (room == NULL) {
        return MARTECH_BATCH_SIZE;
    }

    data = martech_form_decode(data, room);

    if (martech_dialect_begins(data, '{', '[')) {
        *text = data;
        return MARTECH_OK;
    }

    /* a "+" of base64 that was not encoded has become a blank */

    if (data.data == room) {
        for (i = 0; i < data.len; i++) {
            if (room[i] == ' ') {
                room[i] = '+';
            }
        }
    }

    room = martech_dialect_room(t, martech_base64_decoded(data.len));
    n = room ? martech_base64_decode(data, room) : -1;

    if (n < 0) {
        t->field = "data";
        return MARTECH_REQUEST_FIELD;
    }

    text->data = room;
    text->len = (size_t) n;

    return MARTECH_OK;
}


/* The key of the request, or else of its first event. */

static martech_str_t
martech_posthog_key(martech_translation_t *t, uint32_t root, uint32_t event)
{
    unsigned  i;
    uint32_t  objects[3], node;

    objects[0] = root;
    objects[1] = event;
    objects[2] = martech_json_member(t->tape, event, "properties", 10);

    for (i = 0; i < 3; i++) {

        if (i == 2 && objects[i] == MARTECH_JSON_NONE) {
            break;
        }

        node = martech_json_member(t->tape, objects[i], "api_key", 7);

        if (node == MARTECH_JSON_NONE) {
            node = martech_json_member(t->tape, objects[i], "token", 5);
        }

        if (node != MARTECH_JSON_NONE) {
            break;
        }
    }

    return (i < 3) ? martech_dialect_string(t, node)
                   : martech_posthog_bearer(t);
}


/* RFC 6750, 2.1. */

static martech_str_t
martech_posthog_bearer(martech_translation_t *t)
{
    size_t         i;
    martech_str_t  value, none = { 0, NULL };

    static const char  scheme[] = "bearer ";

    value = t->request->header(t->request, "authorization", 13);

    if (value.len < sizeof(scheme)) {
        return none;
    }

    for (i = 0; i < sizeof(scheme) - 1; i++) {
        if ((value.data[i] | 0x20) != scheme[i]) {
            return none;
        }
    }

    value.data += i;
    value.len -= i;

    return value;
}


static int64_t
martech_posthog_sent(martech_translation_t *t, uint32_t root)
{
    int64_t        ms;
    martech_str_t  text;

    text = martech_dialect_string(t, martech_json_member(t->tape, root,
                                                         "sent_at", 7));

    if (text.data == NULL) {
        text = t->request->header(t->request, "posthog-request-timestamp", 25);
    }

    if (text.data
        && martech_time_parse(text.data, text.len, &ms) == MARTECH_OK)
    {
        return ms;
    }

    ms = martech_dialect_integer(martech_form_value(t->request->args, "_", 1));

    return (ms >= MARTECH_POSTHOG_MS_MIN && ms <= MARTECH_POSTHOG_MS_MAX)
           ? ms : -1;
}


static martech_rc_t
martech_posthog_event(martech_translation_t *t, uint32_t node,
    int64_t sent_ms)
{
    martech_rc_t             rc;
    martech_json_writer_t    begun;
    martech_posthog_event_t  e;

    begun = t->out;

    martech_map_init(&e.top, martech_posthog_top,
                     sizeof(martech_posthog_top) / sizeof(martech_known_t));
    martech_map_init(&e.map, martech_posthog_known,
                     sizeof(martech_posthog_known) / sizeof(martech_known_t));

    if (t->tape->nodes[node].kind != MARTECH_JSON_OBJECT) {
        martech_dialect_refuse(t, &begun);
        return MARTECH_OK;
    }

    e.node = node;
    e.others = martech_map_members(&e.top, t->tape, node);

    e.properties = martech_map_node(&e.top, MARTECH_POSTHOG_PROPERTIES);
    e.type = martech_posthog_type(t, martech_map_node(&e.top,
                                                      MARTECH_POSTHOG_EVENT));

    if (e.properties != MARTECH_JSON_NONE
        && t->tape->nodes[e.properties].kind != MARTECH_JSON_OBJECT)
    {
        martech_dialect_refuse(t, &begun);
        return MARTECH_OK;
    }

    martech_json_begin(&t->out, '{');

    martech_posthog_properties(t, &e);
    martech_posthog_library(t, &e);
    martech_posthog_name(t, &e);
    martech_posthog_time(t, &e, sent_ms);
    martech_posthog_ids(t, &e);
    rc = martech_posthog_context(t, &e);

    martech_json_end(&t->out, '}');

    if (rc != MARTECH_OK) {
        martech_dialect_refuse(t, &begun);
    }

    return MARTECH_OK;
}


static martech_event_type_t
martech_posthog_type(const martech_translation_t *t, uint32_t event)
{
    unsigned       i;
    martech_str_t  name;

    static const struct {
        martech_str_t         name;
        martech_event_type_t  type;
    } types[] = {
        { martech_string("$pageview"), MARTECH_EVENT_PAGE },
        { martech_string("$screen"), MARTECH_EVENT_SCREEN },
        { martech_string("$identify"), MARTECH_EVENT_IDENTIFY },
        { martech_string("$set"), MARTECH_EVENT_IDENTIFY },
        { martech_string("$groupidentify"), MARTECH_EVENT_GROUP },
        { martech_string("$create_alias"), MARTECH_EVENT_ALIAS },
        { martech_string("$merge_dangerously"), MARTECH_EVENT_ALIAS },
    };

    if (event == MARTECH_JSON_NONE) {
        return MARTECH_EVENT_TRACK;
    }

    name = martech_json_slice(t->tape, event);

    if (name.len == 0 || name.data[0] != '$') {
        return MARTECH_EVENT_TRACK;
    }

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (martech_json_equals(t->tape, event,
                                (const char *) types[i].name.data,
                                types[i].name.len))
        {
            return types[i].type;
        }
    }

    return MARTECH_EVENT_TRACK;
}


static void
martech_posthog_name(martech_translation_t *t,
    const martech_posthog_event_t *e)
{
    static const char *const  types[] = {
        [MARTECH_EVENT_TRACK] = "track", [MARTECH_EVENT_IDENTIFY] = "identify",
        [MARTECH_EVENT_PAGE] = "page", [MARTECH_EVENT_SCREEN] = "screen",
        [MARTECH_EVENT_GROUP] = "group", [MARTECH_EVENT_ALIAS] = "alias",
    };

    martech_json_name(&t->out, "type");
    martech_json_cstring(&t->out, types[e->type]);

    if (e->type == MARTECH_EVENT_TRACK) {
        martech_dialect_node(t, "event",
                             martech_map_node(&e->top, MARTECH_POSTHOG_EVENT));
    }

    if (e->type == MARTECH_EVENT_SCREEN) {
        martech_dialect_node(t, "name",
                             martech_map_node(&e->map,
                                              MARTECH_POSTHOG_SCREEN_NAME));
    }

    martech_dialect_node(t, "messageId",
                         martech_map_node(&e->top, MARTECH_POSTHOG_UUID));
}


/*
 * 1 for a property that is the event's although its name is known: "alias" and
 * "title" are names like any other but in one event, and "$direct" is no
 * referrer.
 */

static int
martech_posthog_is_own(const martech_translation_t *t,
    const martech_posthog_event_t *e, int row, uint32_t node)
{
    switch (martech_posthog_known[row].role) {

    case MARTECH_POSTHOG_ALIAS:
        return e->type != MARTECH_EVENT_ALIAS;

    case MARTECH_POSTHOG_TITLE:
        return e->type != MARTECH_EVENT_PAGE;

    case MARTECH_POSTHOG_REFERRER:
        return martech_json_equals(t->tape, node, "$direct", 7);

    default:
        return 0;
    }
}


/* Writes the event's own ones, and takes the others. */

static void
martech_posthog_properties(martech_translation_t *t,
    martech_posthog_event_t *e)
{
    int                         row;
    uint32_t                    i;
    martech_str_t               text;
    const martech_json_node_t  *nodes;

    if (e->properties == MARTECH_JSON_NONE) {
        return;
    }

    nodes = t->tape->nodes;

    martech_json_name(&t->out, "properties");
    martech_json_begin(&t->out, '{');

    for (i = e->properties + 1; i < nodes[e->properties].next;
         i = nodes[i].next)
    {
        row = martech_map_find_member(&e->map, t->tape, i);

        if (row >= 0 && martech_posthog_is_own(t, e, row, i)) {
            row = -1;
        }

        if (row >= 0 && martech_map_set_node(&e->map, row, t->tape, i)) {
            continue;
        }

        text = martech_member_text(t->tape, i);
        martech_json_raw(&t->out, text.data, text.len);
    }

    martech_json_end(&t->out, '}');
}


/* An SDK that has no properties for it says "NAME/VERSION" in a header. */

static void
martech_posthog_library(martech_translation_t *t, martech_posthog_event_t *e)
{
    martech_str_t         info, version;
    const unsigned char  *slash;

    if (martech_map_has(&e->map, MARTECH_PLACE_LIBRARY)) {
        return;
    }

    info = t->request->header(t->request, "posthog-sdk-info", 16);

    if (info.len == 0) {
        return;
    }

    slash = memchr(info.data, '/', info.len);

    if (slash) {
        version.data = slash + 1;
        version.len = (size_t) (info.data + info.len - version.data);
        info.len = (size_t) (slash - info.data);

        martech_posthog_set(e, "$lib_version", version);
    }

    martech_posthog_set(e, "$lib", info);
}


/* Sets a property by the name that it has in a table. */

static void
martech_posthog_set(martech_posthog_event_t *e, const char *name,
    martech_str_t value)
{
    int            row;
    martech_str_t  known;

    known.data = (const unsigned char *) name;
    known.len = strlen(name);

    row = martech_map_find(&e->map, known);

    if (row >= 0) {
        (void) martech_map_set_text(&e->map, row, value);
    }
}


/* "offset" is the age at the time of sending, by the sender's clock. */

static void
martech_posthog_time(martech_translation_t *t,
    const martech_posthog_event_t *e, int64_t sent_ms)
{
    int64_t   now, offset;
    uint32_t  timestamp;

    timestamp = martech_map_node(&e->top, MARTECH_POSTHOG_TIMESTAMP);

    if (timestamp != MARTECH_JSON_NONE) {
        martech_dialect_node(t, "timestamp", timestamp);
        return;
    }

    offset = martech_dialect_seconds(martech_map_text(t, &e->top,
                                                 MARTECH_POSTHOG_OFFSET));
    offset = (offset >= 0) ? offset / 1000 : -1;
    now = (sent_ms >= 0) ? sent_ms : (int64_t) t->request->now_ms;

    if (offset >= 0 && offset <= now) {
        martech_dialect_time(t, "timestamp", now - offset);
    }
}


static uint32_t
martech_posthog_distinct_id(const martech_translation_t *t,
    const martech_posthog_event_t *e)
{
    uint32_t  node;

    node = martech_map_node(&e->top, MARTECH_POSTHOG_DISTINCT_ID);

    if (node == MARTECH_JSON_NONE) {
        node = martech_map_node(&e->map, MARTECH_POSTHOG_DISTINCT_ID);
    }

    /* what the browser SDK says if it keeps nothing: the server is to make
       an id */

    return (node != MARTECH_JSON_NONE
            && martech_json_equals(t->tape, node, "$posthog_cookieless", 19))
           ? MARTECH_JSON_NONE : node;
}


static int
martech_posthog_same(const martech_translation_t *t, uint32_t a, uint32_t b)
{
    martech_str_t  one, other;

    if (a == MARTECH_JSON_NONE || b == MARTECH_JSON_NONE) {
        return 0;
    }

    one = martech_json_text(t->tape, a);
    other = martech_json_text(t->tape, b);

    return one.len == other.len && memcmp(one.data, other.data, one.len) == 0;
}


/*
 * A distinct_id is a device's or a user's.  It is a device's if it equals
 * $device_id, if $is_identified is false, and, where neither is sent, if no
 * profile is wanted for it; else a user's.
 */

static int
martech_posthog_is_device(const martech_translation_t *t,
    const martech_posthog_event_t *e, uint32_t id)
{
    uint32_t  device, identified, profile;

    /* a server's $groupidentify without a person is of "$TYPE_KEY" */

    if (e->type == MARTECH_EVENT_GROUP && id != MARTECH_JSON_NONE
        && martech_dialect_begins(martech_json_slice(t->tape, id), '$', '$'))
    {
        return 1;
    }

    device = martech_map_node(&e->map, MARTECH_POSTHOG_DEVICE_ID);
    identified = martech_map_node(&e->map, MARTECH_POSTHOG_IDENTIFIED);
    profile = martech_map_node(&e->map, MARTECH_POSTHOG_PROFILE);

    if (identified != MARTECH_JSON_NONE) {
        return t->tape->nodes[identified].kind == MARTECH_JSON_FALSE;
    }

    if (martech_map_node(&e->map, MARTECH_POSTHOG_USER_ID)
        != MARTECH_JSON_NONE)
    {
        return 0;
    }

    if (device != MARTECH_JSON_NONE) {
        return martech_posthog_same(t, id, device);
    }

    return profile != MARTECH_JSON_NONE
           && t->tape->nodes[profile].kind == MARTECH_JSON_FALSE;
}


static void
martech_posthog_ids(martech_translation_t *t,
    const martech_posthog_event_t *e)
{
    uint32_t  id, anonymous, device;

    id = martech_posthog_distinct_id(t, e);
    device = martech_map_node(&e->map, MARTECH_POSTHOG_DEVICE_ID);
    anonymous = martech_map_node(&e->map, MARTECH_POSTHOG_ANON_ID);

    if (anonymous == MARTECH_JSON_NONE) {
        anonymous = device;
    }

    if (e->type == MARTECH_EVENT_ALIAS) {
        martech_dialect_id(t, "previousId",
                           martech_map_node(&e->map, MARTECH_POSTHOG_ALIAS));

    } else if (e->type != MARTECH_EVENT_IDENTIFY
               && martech_posthog_is_device(t, e, id))
    {
        anonymous = id;
        id = MARTECH_JSON_NONE;

    } else if (e->type == MARTECH_EVENT_IDENTIFY
               && martech_posthog_same(t, id, device))
    {
        /* "$set" of somebody who is not known by name */

        id = MARTECH_JSON_NONE;
    }

    martech_dialect_id(t, "userId", id);
    martech_dialect_id(t, "anonymousId", anonymous);

    if (e->type == MARTECH_EVENT_GROUP) {
        martech_dialect_id(t, "groupId",
                           martech_map_node(&e->map,
                                            MARTECH_POSTHOG_GROUP_KEY));
        martech_dialect_node(t, "traits",
                             martech_map_node(&e->map,
                                              MARTECH_POSTHOG_GROUP_SET));
    }
}


static martech_rc_t
martech_posthog_context(martech_translation_t *t, martech_posthog_event_t *e)
{
    martech_rc_t  rc;

    if (e->type == MARTECH_EVENT_IDENTIFY) {
        rc = martech_posthog_traits(t, e);

        if (rc != MARTECH_OK) {
            return rc;
        }
    }

    martech_json_name(&t->out, "context");
    martech_json_begin(&t->out, '{');

    martech_map_context(t, &e->map,
                        martech_map_text(t, &e->map, MARTECH_POSTHOG_URL),
                        NULL);

    rc = (e->type == MARTECH_EVENT_IDENTIFY) ? MARTECH_OK
                                             : martech_posthog_traits(t, e);

    /* members that no document names */

    if (e->others) {
        martech_json_name(&t->out, "posthog");
        martech_json_begin(&t->out, '{');
        martech_map_others(t, &e->top, e->node);
        martech_json_end(&t->out, '}');
    }

    martech_json_end(&t->out, '}');

    return rc;
}


/* What is known of the person: of the event, or among its properties. */

static uint32_t
martech_posthog_object(const martech_translation_t *t,
    const martech_posthog_event_t *e, unsigned role)
{
    uint32_t  node;

    node = martech_map_node(&e->top, role);

    if (node == MARTECH_JSON_NONE) {
        node = martech_map_node(&e->map, role);
    }

    return (t->tape->nodes[node].kind == MARTECH_JSON_OBJECT)
           ? node : MARTECH_JSON_NONE;
}


static martech_rc_t
martech_posthog_traits(martech_translation_t *t,
    const martech_posthog_event_t *e)
{
    uint32_t  set, once;

    set = martech_posthog_object(t, e, MARTECH_POSTHOG_SET);
    once = martech_posthog_object(t, e, MARTECH_POSTHOG_SET_ONCE);

    if (set == MARTECH_JSON_NONE || once == MARTECH_JSON_NONE) {
        martech_dialect_node(t, "traits", set ? set : once);
        return MARTECH_OK;
    }

    return martech_posthog_merge(t, set, once);
}


static uint32_t
martech_posthog_hash(const martech_translation_t *t, uint32_t node)
{
    const martech_json_node_t  *member;

    member = &t->tape->nodes[node];

    return martech_word_hash(martech_word(t->tape->text + member->key,
                                          member->key_len),
                             member->key_len);
}


static void
martech_posthog_remember(const martech_translation_t *t,
    martech_posthog_names_t *names, uint32_t node)
{
    uint16_t  *bucket;

    bucket = &names->buckets[martech_posthog_hash(t, node)
                             % MARTECH_POSTHOG_MERGE_MAX];

    names->nodes[names->count] = node;
    names->next[names->count] = *bucket;
    *bucket = (uint16_t) ++names->count;
}


static int
martech_posthog_remembers(const martech_translation_t *t,
    const martech_posthog_names_t *names, uint32_t node)
{
    unsigned                    i;
    const martech_json_node_t  *member, *other;

    member = &t->tape->nodes[node];

    for (i = names->buckets[martech_posthog_hash(t, node)
                            % MARTECH_POSTHOG_MERGE_MAX];
         i; i = names->next[i - 1])
    {
        other = &t->tape->nodes[names->nodes[i - 1]];

        if (other->key_len == member->key_len
            && memcmp(t->tape->text + other->key, t->tape->text + member->key,
                      member->key_len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* Writes both; where they have a name in common, $set stands. */

static martech_rc_t
martech_posthog_merge(martech_translation_t *t, uint32_t set, uint32_t once)
{
    uint32_t                    i;
    martech_str_t               text;
    martech_posthog_names_t     names;
    const martech_json_tape_t  *tape;

    tape = t->tape;
    names.count = 0;
    memset(names.buckets, 0, sizeof(names.buckets));

    if (tape->nodes[set].count > MARTECH_POSTHOG_MERGE_MAX
        || tape->nodes[once].count > MARTECH_POSTHOG_MERGE_MAX)
    {
        return MARTECH_EVENT_SIZE;
    }

    martech_json_name(&t->out, "traits");
    martech_json_begin(&t->out, '{');

    for (i = set + 1; i < tape->nodes[set].next; i = tape->nodes[i].next) {
        martech_posthog_remember(t, &names, i);

        text = martech_member_text(tape, i);
        martech_json_raw(&t->out, text.data, text.len);
    }

    for (i = once + 1; i < tape->nodes[once].next; i = tape->nodes[i].next) {

        if (!martech_posthog_remembers(t, &names, i)) {
            text = martech_member_text(tape, i);
            martech_json_raw(&t->out, text.data, text.len);
        }
    }

    martech_json_end(&t->out, '}');

    return MARTECH_OK;
}


/* "beacon=1" asks for an answer without a body. */

static void
martech_posthog_reply(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    martech_str_t      beacon;
    static const char  body[] = "{\"status\":\"Ok\"}";

    (void) verdict;

    beacon = martech_form_value(request->args, "beacon", 6);

    if (beacon.len == 1 && beacon.data[0] == '1') {
        martech_reply_set(reply, 204, NULL, NULL, 0);
        return;
    }

    martech_reply_set(reply, 200, "application/json", body, sizeof(body) - 1);
}


/* By uuid; what is not named is taken. */

static void
martech_posthog_results(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    static const char  body[] = "{\"results\":{}}";

    (void) request;
    (void) verdict;

    martech_reply_set(reply, 200, "application/json", body, sizeof(body) - 1);
}


#define MARTECH_POSTHOG_OFF                                                   \
    "\"supportedCompression\":[\"gzip\",\"gzip-js\",\"base64\"],"             \
    "\"hasFeatureFlags\":false,\"sessionRecording\":false,\"surveys\":false," \
    "\"heatmaps\":false,\"captureDeadClicks\":false,"                         \
    "\"capturePerformance\":false,\"autocapture_opt_out\":false,"             \
    "\"autocaptureExceptions\":false,"                                        \
    "\"errorTracking\":{\"autocaptureExceptions\":false,"                     \
    "\"suppressionRules\":[]},\"defaultIdentifiedOnly\":true,"                \
    "\"elementsChainAsString\":true,\"siteApps\":[],\"toolbarParams\":{},"    \
    "\"isAuthenticated\":false"


static void
martech_posthog_flags(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    static const char  body[] =
        "{\"flags\":{},\"featureFlags\":{},\"featureFlagPayloads\":{},"
        "\"errorsWhileComputingFlags\":false," MARTECH_POSTHOG_OFF "}";

    (void) request;
    (void) verdict;

    martech_reply_set(reply, 200, "application/json", body, sizeof(body) - 1);
}


static void
martech_posthog_put(martech_reply_t *reply, const void *data, size_t len)
{
    if (len <= reply->size - reply->body.len) {
        memcpy(reply->buf + reply->body.len, data, len);
        reply->body.len += len;
    }
}


/* The same as JSON, or as the script that the browser SDK loads. */

static void
martech_posthog_config(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    int            script;
    martech_str_t  token;

    static const char  begin[] =
        "(function(){var w=window;"
        "w._POSTHOG_REMOTE_CONFIG=w._POSTHOG_REMOTE_CONFIG||{};"
        "w._POSTHOG_REMOTE_CONFIG[\"";
    static const char  middle[] = "\"]={config:";
    static const char  config[] = "{\"token\":\"";
    static const char  settings[] = "\"," MARTECH_POSTHOG_OFF "}";
    static const char  end[] = ",siteApps:[]}})();";

    (void) verdict;

    script = martech_posthog_between(request->path, "/array/", "/config.js",
                                     &token);

    if (!script
        && !martech_posthog_between(request->path, "/array/", "/config",
                                    &token))
    {
        return;
    }

    martech_reply_set(reply, 200, script ? "application/javascript"
                                         : "application/json",
                      (const char *) reply->buf, 0);

    if (script) {
        martech_posthog_put(reply, begin, sizeof(begin) - 1);
        martech_posthog_put(reply, token.data, token.len);
        martech_posthog_put(reply, middle, sizeof(middle) - 1);
    }

    martech_posthog_put(reply, config, sizeof(config) - 1);
    martech_posthog_put(reply, token.data, token.len);
    martech_posthog_put(reply, settings, sizeof(settings) - 1);

    if (script) {
        martech_posthog_put(reply, end, sizeof(end) - 1);
    }
}
