
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * RudderStack: the event model's own form under its paths, a beacon and an
 * image that name their key in the query, and the configuration that the
 * browser SDK fetches before it sends anything.
 */


#include <string.h>

#include "martech_base64.h"
#include "martech_dialect_flat.h"
#include "martech_dialect_list.h"
#include "martech_form.h"
#include "martech_nest.h"
#include "martech_time.h"
#include "martech_uuid.h"


#define MARTECH_RUDDER_KEY_MAX  256      /* bytes of a key that is echoed */


static const martech_endpoint_t *martech_rudder_match(
    const martech_request_t *request);
static const martech_endpoint_t *martech_rudder_event(martech_str_t word);
static int martech_rudder_after(martech_str_t *path, const char *word,
    size_t len);
static martech_str_t martech_rudder_visitor(const martech_request_t *request,
    unsigned char *out);
static martech_rc_t martech_rudder_track(martech_translation_t *t);
static martech_rc_t martech_rudder_page(martech_translation_t *t);
static martech_rc_t martech_rudder_query(martech_translation_t *t,
    const char *type);
static martech_str_t martech_rudder_key(const martech_request_t *request,
    unsigned char *out);
static int martech_rudder_basic(martech_str_t *header);
static void martech_rudder_reply(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);
static void martech_rudder_reply_image(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);
static void martech_rudder_reply_config(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);
static void martech_rudder_config_write(martech_json_writer_t *w,
    const martech_request_t *request, martech_str_t key);


#define martech_rudder_native(word, kind)                                     \
    { .name = word, .methods = MARTECH_POST, .type = kind, .native = 1,       \
      .visitor = martech_rudder_visitor, .reply = martech_rudder_reply }


/* By the type of their event; a batch has none. */

static const martech_endpoint_t  martech_rudder_events[] = {
    martech_rudder_native("batch", MARTECH_EVENT_UNKNOWN),
    martech_rudder_native("track", MARTECH_EVENT_TRACK),
    martech_rudder_native("identify", MARTECH_EVENT_IDENTIFY),
    martech_rudder_native("page", MARTECH_EVENT_PAGE),
    martech_rudder_native("screen", MARTECH_EVENT_SCREEN),
    martech_rudder_native("group", MARTECH_EVENT_GROUP),
    martech_rudder_native("alias", MARTECH_EVENT_ALIAS),
};

static const martech_endpoint_t  martech_rudder_pixel_track = {
    .name = "pixel/track",
    .methods = MARTECH_GET,
    .image = 1,
    .translate = martech_rudder_track,
    .reply = martech_rudder_reply_image
};

static const martech_endpoint_t  martech_rudder_pixel_page = {
    .name = "pixel/page",
    .methods = MARTECH_GET,
    .image = 1,
    .translate = martech_rudder_page,
    .reply = martech_rudder_reply_image
};

static const martech_endpoint_t  martech_rudder_config = {
    .name = "sourceConfig",
    .methods = MARTECH_GET,
    .silent = 1,
    .reply = martech_rudder_reply_config
};


const martech_dialect_t  martech_dialect_rudderstack = {
    .name = martech_string("rudderstack"),
    .match = martech_rudder_match
};


#define martech_rudder_is(path, word)                                         \
    martech_dialect_path_is(path, word, sizeof(word) - 1)


static const martech_endpoint_t *
martech_rudder_match(const martech_request_t *request)
{
    martech_str_t  path;

    path = request->path;

    if (martech_rudder_after(&path, "/v1/", 4)) {
        return martech_rudder_event(path);
    }

    if (martech_rudder_is(path, "/beacon/v1/batch")) {
        return &martech_rudder_events[MARTECH_EVENT_UNKNOWN];
    }

    if (martech_rudder_is(path, "/pixel/v1/track")) {
        return &martech_rudder_pixel_track;
    }

    if (martech_rudder_is(path, "/pixel/v1/page")) {
        return &martech_rudder_pixel_page;
    }

    if (martech_rudder_is(path, "/sourceConfig")) {
        return &martech_rudder_config;
    }

    return NULL;
}


/* Whole words only: single letters are another dialect's. */

static const martech_endpoint_t *
martech_rudder_event(martech_str_t word)
{
    martech_event_type_t  type;

    if (martech_rudder_is(word, "batch")) {
        return &martech_rudder_events[MARTECH_EVENT_UNKNOWN];
    }

    type = (word.len > 1) ? martech_event_type(word) : MARTECH_EVENT_UNKNOWN;

    return (type != MARTECH_EVENT_UNKNOWN) ? &martech_rudder_events[type]
                                           : NULL;
}


static int
martech_rudder_after(martech_str_t *path, const char *word, size_t len)
{
    if (path->len < len || memcmp(path->data, word, len) != 0) {
        return 0;
    }

    path->data += len;
    path->len -= len;

    return 1;
}


/* The header AnonymousId: base64, as the gateway of the vendor has it. */

static martech_str_t
martech_rudder_visitor(const martech_request_t *request, unsigned char *out)
{
    long           n;
    size_t         i;
    martech_str_t  header, id = { 0, NULL };

    header = request->header(request, "anonymousid", 11);

    if (header.len == 0
        || martech_base64_decoded(header.len) > MARTECH_ID_SIZE_MAX)
    {
        return id;
    }

    n = martech_base64_decode(header, out);

    for (i = 0; n > 0 && i < (size_t) n; i++) {

        /* no id of the SDK has anything else */

        if (out[i] <= 0x20 || out[i] >= 0x7f) {
            return id;
        }
    }

    id.data = out;
    id.len = (n > 0) ? (size_t) n : 0;

    return id;
}


static martech_rc_t
martech_rudder_track(martech_translation_t *t)
{
    return martech_rudder_query(t, "track");
}


static martech_rc_t
martech_rudder_page(martech_translation_t *t)
{
    return martech_rudder_query(t, "page");
}


/* Names with dots are nested: "context.page.url". */

static martech_rc_t
martech_rudder_query(martech_translation_t *t, const char *type)
{
    int             good;
    unsigned        i;
    martech_str_t   none = { 0, NULL };
    martech_flat_t  flat;
    martech_nest_t  pairs[MARTECH_FLAT_OTHERS_MAX];

    /* the key is for this server, the type is in the path */

    static const martech_str_t         names[] = { martech_string("type"),
                                                   martech_string("writeKey")
                                                 };
    static const uint8_t               from[] = { 0, 0, 0, 0, 0, 1, 1, 1, 1,
                                                  2 };
    static const martech_flat_table_t  table = { names, 2, from, 8 };

    martech_flat_init(&flat, &table);
    good = martech_flat_form(t, &flat, t->request->args);

    martech_dialect_begin(t, none, -1);

    if (!good) {
        martech_json_raw(&t->out, "null", 4);
        martech_dialect_end(t);
        return MARTECH_OK;
    }

    for (i = 0; i < flat.names.count; i++) {
        pairs[i].name = flat.names.names[i];
        pairs[i].value = flat.values[i];
    }

    martech_json_begin(&t->out, '{');
    martech_json_name(&t->out, "type");
    martech_json_cstring(&t->out, type);
    martech_nest_write(&t->out, pairs, flat.names.count);
    martech_json_end(&t->out, '}');

    martech_dialect_end(t);

    return MARTECH_OK;
}


/* The key of the request, in out of MARTECH_RUDDER_KEY_MAX bytes. */

static martech_str_t
martech_rudder_key(const martech_request_t *request, unsigned char *out)
{
    long                  n;
    martech_str_t         text, key = { 0, NULL };
    const unsigned char  *colon;

    text = request->header(request, "authorization", 13);

    if (martech_rudder_basic(&text)
        && martech_base64_decoded(text.len) <= MARTECH_RUDDER_KEY_MAX)
    {
        n = martech_base64_decode(text, out);

        if (n > 0) {
            colon = memchr(out, ':', (size_t) n);
            key.data = out;
            key.len = colon ? (size_t) (colon - out) : (size_t) n;
        }
    }

    if (key.len == 0) {
        text = martech_form_value(request->args, "writeKey", 8);

        if (text.len > 0 && text.len <= MARTECH_RUDDER_KEY_MAX) {
            key = martech_form_decode(text, out);
        }
    }

    return key;
}


/* RFC 7617; leaves what stands behind the scheme. */

static int
martech_rudder_basic(martech_str_t *header)
{
    size_t  i;

    static const char  scheme[] = "basic ";

    if (header->len < sizeof(scheme) - 1) {
        return 0;
    }

    for (i = 0; i < sizeof(scheme) - 1; i++) {

        if ((header->data[i] | 0x20) != (unsigned char) scheme[i]) {
            return 0;
        }
    }

    while (i < header->len && header->data[i] == ' ') {
        i++;
    }

    header->data += i;
    header->len -= i;

    return 1;
}


static void
martech_rudder_reply(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    (void) request;
    (void) verdict;

    martech_reply_set(reply, 200, "text/plain", "OK", 2);
}


static void
martech_rudder_reply_image(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    (void) request;

    martech_reply_image(reply, verdict->status ? verdict->status : 200);
}


static void
martech_rudder_reply_config(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    martech_str_t          key;
    unsigned char          buf[MARTECH_RUDDER_KEY_MAX];
    martech_json_writer_t  w;

    static const char           missing[] = "Invalid Authorization Header";
    static const martech_str_t  never = martech_string("no-store");

    (void) verdict;

    martech_reply_header(reply, "Cache-Control", never);

    key = martech_rudder_key(request, buf);

    if (key.len == 0) {
        martech_reply_set(reply, 401, "text/plain", missing,
                          sizeof(missing) - 1);
        return;
    }

    martech_json_writer_init(&w, reply->buf, reply->size);
    martech_rudder_config_write(&w, request, key);

    martech_reply_set(reply, 200, "application/json",
                      (const char *) reply->buf,
                      (size_t) (w.pos - w.start));
}


/*
 * A source without destinations, so that the SDK loads nothing and sends all
 * it has to where it was pointed; its own statistics are off.  The id follows
 * from the key.
 */

static void
martech_rudder_config_write(martech_json_writer_t *w,
    const martech_request_t *request, martech_str_t key)
{
    unsigned char  id[MARTECH_UUID_LEN], now[MARTECH_TIME_LEN];

    /* RFC 9562 appendix C, "OID": the key names an object of this server */

    static const unsigned char  space[16] = {
        0x6b, 0xa7, 0xb8, 0x12, 0x9d, 0xad, 0x11, 0xd1,
        0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8
    };

    static const char  rest[] =
        "\"config\":{\"statsCollection\":{\"errors\":{\"enabled\":false},"
        "\"metrics\":{\"enabled\":false}}},\"connections\":[],"
        "\"destinations\":[],\"dataplanes\":{}";

    martech_uuid5(id, space, key.data, key.len);
    martech_time_format(now, (int64_t) request->now_ms);

    martech_json_begin(w, '{');
    martech_json_name(w, "updatedAt");
    martech_json_string(w, now, MARTECH_TIME_LEN);
    martech_json_name(w, "source");
    martech_json_begin(w, '{');
    martech_json_name(w, "id");
    martech_json_string(w, id, MARTECH_UUID_LEN);
    martech_json_name(w, "name");
    martech_json_cstring(w, "martech");
    martech_json_name(w, "writeKey");
    martech_json_string(w, key.data, key.len);
    martech_json_name(w, "enabled");
    martech_json_bool(w, 1);
    martech_json_name(w, "workspaceId");
    martech_json_cstring(w, "martech");
    martech_json_raw(w, rest, sizeof(rest) - 1);
    martech_json_end(w, '}');
    martech_json_end(w, '}');
}
