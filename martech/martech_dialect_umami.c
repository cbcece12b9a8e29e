
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Umami: {"type","payload"}, one or (batch) an array of them.  It has no id of
 * a visitor: that of the identity cookie is taken.  Its sessions are a
 * visitor's of a day, its visits of an hour, and so are the ids of the answer.
 */


#include <string.h>

#include "martech_dialect_list.h"
#include "martech_dialect_map.h"
#include "martech_field.h"
#include "martech_uuid.h"


#define MARTECH_UMAMI_DAY_MS   86400000ULL
#define MARTECH_UMAMI_HOUR_MS  3600000ULL
#define MARTECH_UMAMI_ID_MAX   512       /* bytes of a visitor that count */


enum {
    MARTECH_UMAMI_NONE = 0,
    MARTECH_UMAMI_DATA,
    MARTECH_UMAMI_HOSTNAME,
    MARTECH_UMAMI_ID,
    MARTECH_UMAMI_LINK,
    MARTECH_UMAMI_NAME,
    MARTECH_UMAMI_PIXEL,
    MARTECH_UMAMI_SCREEN,
    MARTECH_UMAMI_TIMESTAMP,
    MARTECH_UMAMI_URL,
    MARTECH_UMAMI_WEBSITE
};


/* One event being translated. */
typedef struct {
    martech_map_t  map;                  /* of its payload */
    uint32_t       payload;
    uint32_t       data;
    martech_str_t  type;
    unsigned       others;               /* members that no document names */
    int            identify;
} martech_umami_event_t;


static const martech_endpoint_t *martech_umami_match(
    const martech_request_t *request);
static martech_rc_t martech_umami_translate(martech_translation_t *t);
static void martech_umami_event(martech_translation_t *t, uint32_t node);
static void martech_umami_type(martech_translation_t *t,
    const martech_umami_event_t *e);
static void martech_umami_ids(martech_translation_t *t,
    const martech_umami_event_t *e);
static void martech_umami_properties(martech_translation_t *t,
    const martech_umami_event_t *e);
static void martech_umami_context(martech_translation_t *t,
    martech_umami_event_t *e);
static void martech_umami_reply(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);
static void martech_umami_reply_batch(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);


static const martech_known_t  martech_umami_known[] = {
    { .name = martech_string("id"), .role = MARTECH_UMAMI_ID },
    { martech_string("ip"), MARTECH_PLACE_CONTEXT, "ip", 0, 0 },
    { martech_string("tag"), MARTECH_PLACE_OWN, "tag", 0, 0 },
    { .name = martech_string("url"), .role = MARTECH_UMAMI_URL },
    { .name = martech_string("data"), .role = MARTECH_UMAMI_DATA },
    { martech_string("link"), MARTECH_PLACE_OWN, "link", 0,
      MARTECH_UMAMI_LINK },
    { .name = martech_string("name"), .role = MARTECH_UMAMI_NAME },
    { martech_string("pixel"), MARTECH_PLACE_OWN, "pixel", 0,
      MARTECH_UMAMI_PIXEL },
    { martech_string("title"), MARTECH_PLACE_PAGE, "title", 0, 0 },
    { .name = martech_string("screen"), .role = MARTECH_UMAMI_SCREEN },
    { .name = martech_string("website"), .role = MARTECH_UMAMI_WEBSITE },
    { martech_string("hostname"), MARTECH_PLACE_OWN, "hostname", 0,
      MARTECH_UMAMI_HOSTNAME },
    { martech_string("language"), MARTECH_PLACE_CONTEXT, "locale", 0, 0 },
    { martech_string("referrer"), MARTECH_PLACE_PAGE, "referrer", 0, 0 },
    { .name = martech_string("timestamp"), .role = MARTECH_UMAMI_TIMESTAMP },
    { martech_string("userAgent"), MARTECH_PLACE_CONTEXT, "userAgent", 0, 0 },
};


static const martech_endpoint_t  martech_umami_send = {
    .name = "send",
    .methods = MARTECH_POST,
    .translate = martech_umami_translate,
    .reply = martech_umami_reply,
};

static const martech_endpoint_t  martech_umami_batch = {
    .name = "batch",
    .methods = MARTECH_POST,
    .translate = martech_umami_translate,
    .reply = martech_umami_reply_batch,
};

const martech_dialect_t  martech_dialect_umami = {
    .name = martech_string("umami"),
    .match = martech_umami_match,
};


static const martech_endpoint_t *
martech_umami_match(const martech_request_t *request)
{
    if (martech_dialect_path_is(request->path, "/api/send", 9)) {
        return &martech_umami_send;
    }

    return martech_dialect_path_is(request->path, "/api/batch", 10)
           ? &martech_umami_batch : NULL;
}


/* The site, or what else an event may be of. */

static martech_str_t
martech_umami_key(martech_translation_t *t, uint32_t event)
{
    unsigned  i;
    uint32_t  payload, node;

    static const martech_str_t  names[] = {
        martech_string("website"), martech_string("pixel"),
        martech_string("link"),
    };

    payload = martech_json_member(t->tape, event, "payload", 7);
    node = MARTECH_JSON_NONE;

    for (i = 0; i < 3 && payload && node == MARTECH_JSON_NONE; i++) {
        node = martech_json_member(t->tape, payload,
                                   (const char *) names[i].data, names[i].len);
    }

    return martech_dialect_string(t, node);
}


static martech_rc_t
martech_umami_translate(martech_translation_t *t)
{
    uint32_t      i, first, end;
    martech_rc_t  rc;

    rc = martech_dialect_scan(t, t->request->body);

    if (rc != MARTECH_OK) {
        return rc;
    }

    first = 0;
    end = 1;

    if (t->tape->nodes[0].kind == MARTECH_JSON_ARRAY) {
        first = 1;
        end = t->tape->nodes[0].next;

        if (t->tape->nodes[0].count == 0) {
            return MARTECH_BATCH_EMPTY;
        }

        if (t->tape->nodes[0].count > t->limits->batch_count_max) {
            return MARTECH_BATCH_COUNT;
        }

    } else if (t->tape->nodes[0].kind != MARTECH_JSON_OBJECT) {
        return MARTECH_BODY_NOT_OBJECT;
    }

    martech_dialect_begin(t, martech_umami_key(t, first), -1);

    for (i = first; i < end; i = t->tape->nodes[i].next) {
        martech_umami_event(t, i);
    }

    martech_dialect_end(t);

    return MARTECH_OK;
}


static int
martech_umami_is(martech_str_t text, const char *word, size_t len)
{
    return text.len == len && memcmp(text.data, word, len) == 0;
}


static void
martech_umami_event(martech_translation_t *t, uint32_t node)
{
    martech_json_writer_t  begun;
    martech_umami_event_t  e;

    begun = t->out;

    e.payload = martech_json_member(t->tape, node, "payload", 7);
    e.type = martech_dialect_string(t, martech_json_member(t->tape, node,
                                                           "type", 4));
    e.identify = martech_umami_is(e.type, "identify", 8);

    if (t->tape->nodes[e.payload].kind != MARTECH_JSON_OBJECT
        || e.payload == MARTECH_JSON_NONE
        || (!e.identify && !martech_umami_is(e.type, "event", 5)
            && !martech_umami_is(e.type, "performance", 11)))
    {
        martech_dialect_refuse(t, &begun);
        return;
    }

    martech_map_init(&e.map, martech_umami_known,
                     sizeof(martech_umami_known) / sizeof(martech_known_t));
    e.others = martech_map_members(&e.map, t->tape, e.payload);
    e.data = martech_map_node(&e.map, MARTECH_UMAMI_DATA);

    martech_json_begin(&t->out, '{');

    martech_umami_type(t, &e);
    martech_umami_ids(t, &e);
    martech_umami_properties(t, &e);
    martech_umami_context(t, &e);

    martech_json_end(&t->out, '}');
}


static void
martech_umami_type(martech_translation_t *t, const martech_umami_event_t *e)
{
    uint32_t     name;
    const char  *event;

    name = martech_map_node(&e->map, MARTECH_UMAMI_NAME);
    martech_json_name(&t->out, "type");

    if (e->identify) {
        martech_json_cstring(&t->out, "identify");
        return;
    }

    /* "" is no name */

    if (name != MARTECH_JSON_NONE
        && (t->tape->nodes[name].kind != MARTECH_JSON_STRING
            || t->tape->nodes[name].len > 0))
    {
        martech_json_cstring(&t->out, "track");
        martech_dialect_node(t, "event", name);
        return;
    }

    event = NULL;

    if (martech_umami_is(e->type, "performance", 11)) {
        event = "performance";

    } else if (martech_map_node(&e->map, MARTECH_UMAMI_PIXEL)) {
        event = "pixel";

    } else if (martech_map_node(&e->map, MARTECH_UMAMI_LINK)) {
        event = "link";
    }

    martech_json_cstring(&t->out, event ? "track" : "page");

    if (event) {
        martech_json_name(&t->out, "event");
        martech_json_cstring(&t->out, event);
    }
}


static void
martech_umami_ids(martech_translation_t *t, const martech_umami_event_t *e)
{
    int64_t  ms;

    martech_dialect_id(t, "userId",
                       martech_map_node(&e->map, MARTECH_UMAMI_ID));

    if (t->request->visitor.len > 0) {
        martech_dialect_text(t, "anonymousId", t->request->visitor);
    }

    ms = martech_dialect_seconds(martech_map_text(t, &e->map,
                                                  MARTECH_UMAMI_TIMESTAMP));

    if (ms >= 0) {
        martech_dialect_time(t, "timestamp", ms);
    }
}


static int
martech_umami_has_data(const martech_translation_t *t,
    const martech_umami_event_t *e)
{
    return e->data != MARTECH_JSON_NONE
           && t->tape->nodes[e->data].kind == MARTECH_JSON_OBJECT;
}


/*
 * Those of "data"; what a payload has besides (of a performance event, its
 * figures) stands there if there is no data, else in context.umami.
 */

static void
martech_umami_properties(martech_translation_t *t,
    const martech_umami_event_t *e)
{
    martech_str_t  text;

    martech_json_name(&t->out, e->identify ? "traits" : "properties");

    if (martech_umami_has_data(t, e)) {
        text = martech_json_text(t->tape, e->data);
        martech_json_raw(&t->out, text.data, text.len);
        return;
    }

    martech_json_begin(&t->out, '{');
    martech_dialect_node(t, "data", e->data);
    martech_map_others(t, &e->map, e->payload);
    martech_json_end(&t->out, '}');
}


/* An address may lack its host, which stands beside it then. */

static martech_str_t
martech_umami_url(martech_translation_t *t, const martech_map_t *map)
{
    martech_str_t   url, host;
    unsigned char  *room;

    url = martech_map_text(t, map, MARTECH_UMAMI_URL);
    host = martech_map_text(t, map, MARTECH_UMAMI_HOSTNAME);

    if (url.len == 0 || url.data[0] != '/' || host.len == 0) {
        return url;
    }

    room = martech_dialect_room(t, 8 + host.len + url.len);

    if (room == NULL) {
        t->out.overflow = 1;
        return url;
    }

    memcpy(room, "https://", 8);
    memcpy(room + 8, host.data, host.len);
    memcpy(room + 8 + host.len, url.data, url.len);

    url.data = room;
    url.len += 8 + host.len;

    return url;
}


static void
martech_umami_context(martech_translation_t *t, martech_umami_event_t *e)
{
    int            beside;
    martech_str_t  url;

    url = martech_umami_url(t, &e->map);
    beside = (e->others > 0 && martech_umami_has_data(t, e));

    martech_json_name(&t->out, "context");
    martech_json_begin(&t->out, '{');

    martech_map_context(t, &e->map, url, NULL);
    martech_dialect_resolution(t,
                            martech_map_text(t, &e->map, MARTECH_UMAMI_SCREEN));

    if (beside || martech_map_has(&e->map, MARTECH_PLACE_OWN)) {
        martech_json_name(&t->out, "umami");
        martech_json_begin(&t->out, '{');
        martech_map_write(t, &e->map, MARTECH_PLACE_OWN);

        if (beside) {
            martech_map_others(t, &e->map, e->payload);
        }

        martech_json_end(&t->out, '}');
    }

    martech_json_end(&t->out, '}');
}


/* Writes an id that is the same for a visitor within a span of time. */

static void
martech_umami_id(const martech_request_t *request, unsigned char *out,
    uint64_t span_ms)
{
    size_t         i, len;
    uint64_t       n;
    martech_str_t  visitor;
    unsigned char  name[MARTECH_UMAMI_ID_MAX + 16];

    /* "umami session" in 16 bytes */

    static const unsigned char  space[16] = "umami session  ";

    visitor = request->visitor;

    if (visitor.len == 0) {
        visitor = request->header(request, "user-agent", 10);
    }

    len = (visitor.len < MARTECH_UMAMI_ID_MAX) ? visitor.len
                                               : MARTECH_UMAMI_ID_MAX;
    if (len > 0) {
        memcpy(name, visitor.data, len);
    }

    n = span_ms;

    for (i = 0; i < 8; i++) {
        name[len++] = (unsigned char) n;
        n >>= 8;
    }

    n = request->now_ms / span_ms;

    for (i = 0; i < 8; i++) {
        name[len++] = (unsigned char) n;
        n >>= 8;
    }

    martech_uuid5(out, space, name, len);
}


/* "cache" comes back as x-umami-cache, and says nothing: we keep no state. */

static void
martech_umami_reply(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    unsigned char          id[MARTECH_UUID_LEN];
    martech_json_writer_t  w;

    (void) verdict;

    martech_json_writer_init(&w, reply->buf, reply->size);
    martech_json_begin(&w, '{');

    martech_json_name(&w, "cache");
    martech_json_cstring(&w, "edge");

    martech_umami_id(request, id, MARTECH_UMAMI_DAY_MS);
    martech_json_name(&w, "sessionId");
    martech_json_string(&w, id, sizeof(id));

    martech_umami_id(request, id, MARTECH_UMAMI_HOUR_MS);
    martech_json_name(&w, "visitId");
    martech_json_string(&w, id, sizeof(id));

    martech_json_end(&w, '}');

    martech_reply_set(reply, 200, "application/json",
                      (const char *) reply->buf, (size_t) (w.pos - w.start));
}


static void
martech_umami_reply_batch(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    martech_json_writer_t  w;

    (void) request;

    martech_json_writer_init(&w, reply->buf, reply->size);
    martech_json_begin(&w, '{');

    martech_json_name(&w, "size");
    martech_json_int(&w, verdict->events);
    martech_json_name(&w, "processed");
    martech_json_int(&w, verdict->accepted);
    martech_json_name(&w, "errors");
    martech_json_int(&w, (int64_t) verdict->events - verdict->accepted);
    martech_json_name(&w, "details");
    martech_json_begin(&w, '[');
    martech_json_end(&w, ']');

    martech_json_end(&w, '}');

    martech_reply_set(reply, 200, "application/json",
                      (const char *) reply->buf, (size_t) (w.pos - w.start));
}
