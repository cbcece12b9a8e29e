
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The dialect "segment": the Segment HTTP tracking API.
 *
 *     POST /v1/track ... /v1/batch   the event model's own form, not translated
 *     POST /v1/m                     numbers of the library about itself
 *     GET  /v1/pixel/TYPE            an event as an image: base64 of JSON in
 *                                    "data", or flat names with dots
 *     GET  /v1/projects/KEY/settings what the browser library fetches before
 *                                    it sends anything
 *
 * Paths and forms: https://segment.com/docs/connections/sources/catalog/
 * libraries/server/http-api/ and .../pixel-tracking-api/; what the settings
 * may hold is read by @segment/analytics-next.
 */


#include <string.h>

#include "martech_base64.h"
#include "martech_dialect_list.h"
#include "martech_form.h"
#include "martech_nest.h"


#define MARTECH_SEGMENT_PAIRS  256       /* names in the query of an image */


static const martech_endpoint_t *martech_segment_match(
    const martech_request_t *request);
static const martech_endpoint_t *martech_segment_other(martech_str_t path);
static int martech_segment_after(martech_str_t *path, const char *word,
    size_t len);
static martech_rc_t martech_segment_pixel(martech_translation_t *t);
static martech_rc_t martech_segment_pixel_data(martech_translation_t *t,
    martech_str_t type, martech_str_t data);
static martech_rc_t martech_segment_pixel_event(martech_translation_t *t,
    martech_str_t type);
static martech_rc_t martech_segment_pixel_flat(martech_translation_t *t,
    martech_str_t type);
static int martech_segment_plumbing(martech_str_t name);
static martech_str_t martech_segment_decode(martech_translation_t *t,
    martech_str_t encoded);
static void martech_segment_image(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);
static void martech_segment_taken(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);
static martech_str_t martech_segment_settings_key(
    const martech_request_t *request);
static void martech_segment_settings(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);
static void martech_segment_settings_write(const martech_request_t *request,
    martech_json_writer_t *w);
static void martech_segment_settings_host(const martech_request_t *request,
    martech_json_writer_t *w);
static int martech_segment_https(const martech_request_t *request);


#define martech_segment_native(word, event)                                   \
    { .name = word, .methods = MARTECH_POST, .type = event, .native = 1 }


/* By the type of their event; a batch has none. */

static const martech_endpoint_t  martech_segment_events[] = {
    martech_segment_native("batch", MARTECH_EVENT_UNKNOWN),
    martech_segment_native("track", MARTECH_EVENT_TRACK),
    martech_segment_native("identify", MARTECH_EVENT_IDENTIFY),
    martech_segment_native("page", MARTECH_EVENT_PAGE),
    martech_segment_native("screen", MARTECH_EVENT_SCREEN),
    martech_segment_native("group", MARTECH_EVENT_GROUP),
    martech_segment_native("alias", MARTECH_EVENT_ALIAS),
};

static const martech_endpoint_t  martech_segment_pixels = {
    .name = "pixel",
    .methods = MARTECH_GET,
    .image = 1,
    .translate = martech_segment_pixel,
    .reply = martech_segment_image,
};

static const martech_endpoint_t  martech_segment_metrics = {
    .name = "metrics",
    .methods = MARTECH_POST,
    .silent = 1,
    .reply = martech_segment_taken,
};

static const martech_endpoint_t  martech_segment_project = {
    .name = "settings",
    .methods = MARTECH_GET|MARTECH_HEAD,
    .silent = 1,
    .always = 1,
    .reply = martech_segment_settings,
    .key = martech_segment_settings_key,
};


const martech_dialect_t  martech_dialect_segment = {
    .name = martech_string("segment"),
    .match = martech_segment_match,
};


static const martech_endpoint_t *
martech_segment_match(const martech_request_t *request)
{
    martech_str_t         word;
    martech_event_type_t  type;

    word = request->path;

    if (!martech_segment_after(&word, "/v1/", 4)) {
        return NULL;
    }

    type = martech_event_type(word);

    if (type != MARTECH_EVENT_UNKNOWN
        || (word.len == 5 && memcmp(word.data, "batch", 5) == 0)
        || (word.len == 1 && word.data[0] == 'b'))
    {
        return &martech_segment_events[type];
    }

    return martech_segment_other(word);
}


static const martech_endpoint_t *
martech_segment_other(martech_str_t word)
{
    static const char  tail[] = "/settings";

    if (word.len == 6 && memcmp(word.data, "import", 6) == 0) {
        return &martech_segment_events[MARTECH_EVENT_UNKNOWN];
    }

    if (word.len == 1 && word.data[0] == 'm') {
        return &martech_segment_metrics;
    }

    if (martech_segment_after(&word, "pixel/", 6)) {
        return martech_event_type(word) ? &martech_segment_pixels : NULL;
    }

    if (martech_segment_after(&word, "projects/", 9)
        && word.len >= sizeof(tail)
        && memcmp(word.data + word.len - (sizeof(tail) - 1), tail,
                  sizeof(tail) - 1)
           == 0
        && memchr(word.data, '/', word.len - (sizeof(tail) - 1)) == NULL)
    {
        return &martech_segment_project;
    }

    return NULL;
}


/* Takes a word off the beginning of a path; 0 if it is not there. */

static int
martech_segment_after(martech_str_t *path, const char *word, size_t len)
{
    if (path->len < len || memcmp(path->data, word, len) != 0) {
        return 0;
    }

    path->data += len;
    path->len -= len;

    return 1;
}


static martech_rc_t
martech_segment_pixel(martech_translation_t *t)
{
    martech_str_t  type, data;

    type = t->request->path;
    (void) martech_segment_after(&type, "/v1/pixel/", 10);

    data = martech_form_value(t->request->args, "data", 4);

    return data.data ? martech_segment_pixel_data(t, type, data)
                     : martech_segment_pixel_flat(t, type);
}


static martech_rc_t
martech_segment_pixel_data(martech_translation_t *t, martech_str_t type,
    martech_str_t data)
{
    long            n;
    size_t          i;
    martech_rc_t    rc;
    martech_str_t   text;
    unsigned char  *room, *out;

    t->field = "data";

    room = martech_dialect_room(t, data.len);
    out = martech_dialect_room(t, martech_base64_decoded(data.len));

    if (room == NULL || out == NULL) {
        return MARTECH_BATCH_SIZE;
    }

    data = martech_form_decode(data, room);

    /* a "+" of the standard alphabet that was not percent-encoded */

    if (data.data == room) {

        for (i = 0; i < data.len; i++) {
            room[i] = (room[i] == ' ') ? '+' : room[i];
        }
    }

    n = martech_base64_decode(data, out);

    if (n < 0) {
        return MARTECH_JSON_INVALID;
    }

    text.data = out;
    text.len = (size_t) n;

    rc = martech_dialect_scan(t, text);

    return (rc == MARTECH_OK) ? martech_segment_pixel_event(t, type) : rc;
}


/* The scanned object as it is, with the type that the path has. */

static martech_rc_t
martech_segment_pixel_event(martech_translation_t *t, martech_str_t type)
{
    uint32_t                    i;
    martech_str_t               none = { 0, NULL }, value;
    const martech_json_node_t  *nodes;

    nodes = t->tape->nodes;

    if (nodes[0].kind != MARTECH_JSON_OBJECT) {
        return MARTECH_BODY_NOT_OBJECT;
    }

    martech_dialect_begin(t, none, -1);
    martech_json_begin(&t->out, '{');
    martech_dialect_text(t, "type", type);

    for (i = 1; i < nodes[0].next; i = nodes[i].next) {

        if (martech_json_name_is(t->tape, i, "type", 4)) {
            value = martech_json_slice(t->tape, i);

            if (nodes[i].kind != MARTECH_JSON_STRING
                || martech_event_type(value) != martech_event_type(type))
            {
                t->field = "/type";
                return MARTECH_TYPE_MISMATCH;
            }

            continue;
        }

        /* with the quotes around its name */

        martech_json_raw(&t->out, t->tape->text + nodes[i].key - 1,
                         (size_t) nodes[i].key_len + 2);
        martech_json_bytes(&t->out, ":", 1);
        t->out.comma = 0;

        value = martech_json_text(t->tape, i);
        martech_json_raw(&t->out, value.data, value.len);
    }

    martech_json_end(&t->out, '}');
    martech_dialect_end(t);

    return MARTECH_OK;
}


static martech_rc_t
martech_segment_pixel_flat(martech_translation_t *t, martech_str_t type)
{
    unsigned         n;
    martech_str_t    none = { 0, NULL };
    martech_nest_t   pairs[MARTECH_SEGMENT_PAIRS], pair;
    martech_form_t   form;

    n = 0;
    form.rest = t->request->args;

    while (martech_form_next(&form, &pair.name, &pair.value)) {
        pair.name = martech_segment_decode(t, pair.name);

        if (martech_segment_plumbing(pair.name)) {
            continue;
        }

        if (n == MARTECH_SEGMENT_PAIRS) {
            t->field = "";
            return MARTECH_JSON_TOKENS;
        }

        pair.value = martech_segment_decode(t, pair.value);
        pairs[n++] = pair;
    }

    martech_dialect_begin(t, none, -1);
    martech_json_begin(&t->out, '{');
    martech_dialect_text(t, "type", type);
    martech_nest_write(&t->out, pairs, n);
    martech_json_end(&t->out, '}');
    martech_dialect_end(t);

    return MARTECH_OK;
}


/* The key is for the server, the type is in the path. */

static int
martech_segment_plumbing(martech_str_t name)
{
    return martech_form_is(name, "writeKey", 8)
           || martech_form_is(name, "type", 4);
}


/* A part of a query has room in what a query may need. */

static martech_str_t
martech_segment_decode(martech_translation_t *t, martech_str_t encoded)
{
    unsigned char  *room;

    room = martech_dialect_room(t, encoded.len);

    if (room == NULL) {
        t->out.overflow = 1;
        encoded.len = 0;
        return encoded;
    }

    return martech_form_decode(encoded, room);
}


static void
martech_segment_image(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    (void) request;

    martech_reply_image(reply, verdict->status ? verdict->status : 200);
}


static void
martech_segment_taken(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    static const char  body[] = "{\"success\":true}";

    (void) request;
    (void) verdict;

    martech_reply_set(reply, 200, "application/json", body, sizeof(body) - 1);
}


static martech_str_t
martech_segment_settings_key(const martech_request_t *request)
{
    martech_str_t  key;

    key = request->path;

    (void) martech_segment_after(&key, "/v1/projects/", 13);
    key.len -= sizeof("/settings") - 1;

    return key;
}


/*
 * A key that nobody has gets 404, as where the library fetches its settings
 * otherwise; 401 would make a browser ask for a password.
 */

static void
martech_segment_settings(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    martech_json_writer_t  w;

    static const char  unknown[] =
        "{\"code\":\"key_unknown\",\"message\":\"the write key is unknown\"}";
    static const martech_str_t  for_a_while =
                                      martech_string("public, max-age=300");
    static const martech_str_t  never = martech_string("no-store");

    martech_json_writer_init(&w, reply->buf, reply->size);

    if (verdict->status == 0) {
        martech_segment_settings_write(request, &w);
    }

    if (verdict->status != 0 || w.overflow) {
        martech_reply_set(reply, 404, "application/json", unknown,
                          sizeof(unknown) - 1);
        martech_reply_header(reply, "Cache-Control", never);
        return;
    }

    martech_reply_set(reply, 200, "application/json", (char *) w.start,
                      (size_t) (w.pos - w.start));
    martech_reply_header(reply, "Cache-Control", for_a_while);
}


/*
 * One integration, this server: with a second one the library would load that
 * from a vendor's servers.  It tries again what this server asks it to, for
 * longer than an outage lasts, and drops what will not be taken later either.
 */

static void
martech_segment_settings_write(const martech_request_t *request,
    martech_json_writer_t *w)
{
    martech_str_t  key;

    static const char  http[] =
        "{\"rateLimitConfig\":{\"maxRetryCount\":100,"
        "\"maxRetryInterval\":300,\"maxRateLimitDuration\":43200},"
        "\"backoffConfig\":{\"maxRetryCount\":100,"
        "\"baseBackoffInterval\":0.5,\"maxBackoffInterval\":60,"
        "\"maxTotalBackoffDuration\":43200,\"jitterPercent\":10,"
        "\"default4xxBehavior\":\"drop\",\"default5xxBehavior\":\"retry\","
        "\"statusCodeOverrides\":{\"408\":\"retry\",\"429\":\"retry\","
        "\"501\":\"drop\",\"505\":\"drop\"}}}";

    key = martech_segment_settings_key(request);

    martech_json_begin(w, '{');
    martech_json_name(w, "integrations");
    martech_json_begin(w, '{');
    martech_json_name(w, "Segment.io");
    martech_json_begin(w, '{');

    martech_json_name(w, "apiKey");
    martech_json_string(w, key.data, key.len);
    martech_json_name(w, "apiHost");
    martech_segment_settings_host(request, w);
    martech_json_name(w, "protocol");
    martech_json_cstring(w, martech_segment_https(request) ? "https"
                                                           : "http");
    martech_json_name(w, "httpConfig");
    martech_json_raw(w, http, sizeof(http) - 1);

    martech_json_end(w, '}');
    martech_json_end(w, '}');

    martech_json_name(w, "metrics");
    martech_json_begin(w, '{');
    martech_json_name(w, "sampleRate");
    martech_json_int(w, 0);
    martech_json_end(w, '}');
    martech_json_end(w, '}');
}


/* Where this request came to: host, location, and the version of the API. */

static void
martech_segment_settings_host(const martech_request_t *request,
    martech_json_writer_t *w)
{
    size_t         len;
    unsigned char  place[1024];

    static const char  version[] = "/v1";

    len = request->host.len + request->prefix.len;

    if (request->host.len == 0 || len > sizeof(place) - sizeof(version)) {
        w->overflow = 1;
        return;
    }

    memcpy(place, request->host.data, request->host.len);

    if (request->prefix.len > 0) {
        memcpy(place + request->host.len, request->prefix.data,
               request->prefix.len);
    }

    memcpy(place + len, version, sizeof(version) - 1);

    martech_json_string(w, place, len + sizeof(version) - 1);
}


/*
 * Also in front of a server that speaks TLS for us and says so.  Whoever lies
 * here changes no answer but his own.
 */

static int
martech_segment_https(const martech_request_t *request)
{
    martech_str_t  forwarded;

    if (request->scheme.len == 5) {
        return 1;
    }

    forwarded = request->header(request, "x-forwarded-proto", 17);

    return forwarded.len == 5 && memcmp(forwarded.data, "https", 5) == 0;
}
