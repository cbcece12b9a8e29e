
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * CloudEvents 1.0 over HTTP: structured and batched (JSON) and binary
 * (attributes as headers), and the handshake of its webhooks.
 */


#include <string.h>

#include "martech_base64.h"
#include "martech_dialect_list.h"
#include "martech_dialect_map.h"
#include "martech_dialect_tree.h"
#include "martech_field.h"
#include "martech_uuid.h"


#define MARTECH_CE_HEADERS_MAX  1024     /* of a request that are looked at */
#define MARTECH_CE_ID_MAX       100      /* bytes of source and id together */


enum {
    MARTECH_CE_NONE = 0,
    MARTECH_CE_ANONYMOUS,
    MARTECH_CE_CONTENT_TYPE,
    MARTECH_CE_DATA,
    MARTECH_CE_DATA_BASE64,
    MARTECH_CE_ID,
    MARTECH_CE_SOURCE,
    MARTECH_CE_TIME,
    MARTECH_CE_TYPE,
    MARTECH_CE_USER,
    MARTECH_CE_VERSION
};


typedef enum {
    MARTECH_CE_BINARY = 0,
    MARTECH_CE_STRUCTURED,
    MARTECH_CE_BATCH
} martech_ce_mode_t;


static const martech_endpoint_t *martech_ce_match(
    const martech_request_t *request);
static martech_ce_mode_t martech_ce_mode(const martech_request_t *request);
static martech_rc_t martech_ce_translate(martech_translation_t *t);
static void martech_ce_json(martech_translation_t *t, uint32_t node);
static martech_rc_t martech_ce_binary(martech_translation_t *t);
static martech_rc_t martech_ce_headers(martech_translation_t *t,
    martech_map_t *map, martech_tree_t *extensions);
static martech_rc_t martech_ce_attribute(martech_translation_t *t,
    martech_str_t *name);
static martech_rc_t martech_ce_header(martech_translation_t *t,
    martech_str_t value, martech_str_t *text);
static int martech_ce_hex(const unsigned char *p);
static int martech_ce_utf8(martech_str_t text);
static int martech_ce_required(martech_translation_t *t,
    const martech_map_t *map);
static void martech_ce_event(martech_translation_t *t,
    const martech_map_t *map);
static void martech_ce_message_id(martech_translation_t *t,
    martech_str_t source, martech_str_t id);
static int martech_ce_is_json(martech_str_t type);
static martech_rc_t martech_ce_body(martech_translation_t *t);
static void martech_ce_handshake(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);


/* Attributes; what else there is are extensions. */

static const martech_known_t  martech_ce_known[] = {
    { martech_string("id"), MARTECH_PLACE_OWN, "id", 0, MARTECH_CE_ID },
    { .name = martech_string("data"), .role = MARTECH_CE_DATA },
    { martech_string("time"), MARTECH_PLACE_OWN, "time", 0, MARTECH_CE_TIME },
    { .name = martech_string("type"), .role = MARTECH_CE_TYPE },
    { martech_string("source"), MARTECH_PLACE_OWN, "source", 0,
      MARTECH_CE_SOURCE },
    { .name = martech_string("userid"), .role = MARTECH_CE_USER },
    { martech_string("subject"), MARTECH_PLACE_OWN, "subject", 0, 0 },
    { martech_string("dataschema"), MARTECH_PLACE_OWN, "dataschema", 0, 0 },
    { .name = martech_string("anonymousid"), .role = MARTECH_CE_ANONYMOUS },
    { .name = martech_string("data_base64"), .role = MARTECH_CE_DATA_BASE64 },
    { .name = martech_string("specversion"), .role = MARTECH_CE_VERSION },
    { martech_string("datacontenttype"), MARTECH_PLACE_OWN, "datacontenttype",
      0, MARTECH_CE_CONTENT_TYPE },
};

#define MARTECH_CE_KNOWN  (sizeof(martech_ce_known) / sizeof(martech_known_t))


/* "cloud events" in 16 bytes */

static const unsigned char  martech_ce_space[16] = "cloud events   ";


static const martech_endpoint_t  martech_ce_events = {
    .name = "events",
    .methods = MARTECH_POST,
    .translate = martech_ce_translate,
};

static const martech_endpoint_t  martech_ce_options = {
    .name = "handshake",
    .methods = MARTECH_OPTIONS,
    .silent = 1,
    .reply = martech_ce_handshake,
};

const martech_dialect_t  martech_dialect_cloudevents = {
    .name = martech_string("cloudevents"),
    .match = martech_ce_match,
};


/*
 * At the root only what cannot be anything else is taken, so that another
 * dialect may have it.
 */

static const martech_endpoint_t *
martech_ce_match(const martech_request_t *request)
{
    int  handshake, root;

    root = (request->path.len <= 1);

    if (!root
        && !martech_dialect_path_is(request->path, "/cloudevents", 12)
        && !martech_dialect_path_is(request->path, "/events", 7))
    {
        return NULL;
    }

    handshake = (request->method == MARTECH_OPTIONS
                 && request->header(request, "webhook-request-origin",
                                    22).data != NULL);

    if (handshake) {
        return &martech_ce_options;
    }

    if (root && martech_ce_mode(request) == MARTECH_CE_BINARY
        && request->header(request, "ce-specversion", 14).data == NULL)
    {
        return NULL;
    }

    return &martech_ce_events;
}


static int
martech_ce_begins(martech_str_t text, const char *word, size_t len)
{
    size_t  i;

    if (text.len < len) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if ((text.data[i] | 0x20) != (unsigned char) word[i]) {
            return 0;
        }
    }

    return 1;
}


/* HTTP protocol binding, section 3; the longer name is asked for first. */

static martech_ce_mode_t
martech_ce_mode(const martech_request_t *request)
{
    if (martech_ce_begins(request->content_type,
                          "application/cloudevents-batch", 29))
    {
        return MARTECH_CE_BATCH;
    }

    return martech_ce_begins(request->content_type, "application/cloudevents",
                             23)
           ? MARTECH_CE_STRUCTURED : MARTECH_CE_BINARY;
}


static martech_rc_t
martech_ce_translate(martech_translation_t *t)
{
    uint32_t           i, first, end;
    martech_rc_t       rc;
    martech_str_t      none = { 0, NULL };
    martech_ce_mode_t  mode;

    mode = martech_ce_mode(t->request);

    if (mode == MARTECH_CE_BINARY) {
        return martech_ce_binary(t);
    }

    rc = martech_dialect_scan(t, t->request->body);

    if (rc != MARTECH_OK) {
        return rc;
    }

    first = 0;
    end = 1;

    if (mode == MARTECH_CE_BATCH) {

        if (t->tape->nodes[0].kind != MARTECH_JSON_ARRAY) {
            return MARTECH_BATCH_NOT_ARRAY;
        }

        if (t->tape->nodes[0].count == 0) {
            return MARTECH_BATCH_EMPTY;
        }

        if (t->tape->nodes[0].count > t->limits->batch_count_max) {
            return MARTECH_BATCH_COUNT;
        }

        first = 1;
        end = t->tape->nodes[0].next;

    } else if (t->tape->nodes[0].kind != MARTECH_JSON_OBJECT) {
        return MARTECH_BODY_NOT_OBJECT;
    }

    martech_dialect_begin(t, none, -1);

    for (i = first; i < end; i = t->tape->nodes[i].next) {
        martech_ce_json(t, i);
    }

    martech_dialect_end(t);

    return MARTECH_OK;
}


/* An event in JSON; one that is not of this version is refused alone. */

static void
martech_ce_json(martech_translation_t *t, uint32_t node)
{
    uint32_t       data;
    unsigned       others;
    martech_map_t  map;
    martech_str_t  text, none = { 0, NULL };

    others = 0;
    martech_map_init(&map, martech_ce_known, MARTECH_CE_KNOWN);

    if (t->tape->nodes[node].kind == MARTECH_JSON_OBJECT) {
        others = martech_map_members(&map, t->tape, node);
    }

    if (!martech_ce_required(t, &map)) {
        martech_json_raw(&t->out, "null", 4);
        return;
    }

    martech_json_begin(&t->out, '{');
    martech_ce_event(t, &map);

    data = martech_map_node(&map, MARTECH_CE_DATA);
    martech_json_name(&t->out, "properties");

    if (data != MARTECH_JSON_NONE
        && t->tape->nodes[data].kind == MARTECH_JSON_OBJECT)
    {
        text = martech_json_text(t->tape, data);
        martech_json_raw(&t->out, text.data, text.len);

    } else {
        martech_json_begin(&t->out, '{');
        martech_dialect_node(t, "data", data);
        martech_dialect_node(t, "data_base64",
                             martech_map_node(&map, MARTECH_CE_DATA_BASE64));
        martech_json_end(&t->out, '}');
    }

    martech_json_name(&t->out, "context");
    martech_json_begin(&t->out, '{');
    martech_map_context(t, &map, none, NULL);

    martech_json_name(&t->out, "cloudevents");
    martech_json_begin(&t->out, '{');
    martech_map_write(t, &map, MARTECH_PLACE_OWN);

    if (others) {
        martech_map_others(t, &map, node);
    }

    martech_json_end(&t->out, '}');

    martech_json_end(&t->out, '}');
    martech_json_end(&t->out, '}');
}


static martech_rc_t
martech_ce_binary(martech_translation_t *t)
{
    martech_rc_t    rc;
    martech_map_t   map;
    martech_str_t   none = { 0, NULL };
    martech_tree_t  extensions;

    t->tape->nodes_count = 0;

    martech_map_init(&map, martech_ce_known, MARTECH_CE_KNOWN);
    martech_tree_init(&extensions);

    rc = martech_ce_headers(t, &map, &extensions);

    if (rc == MARTECH_OK && !martech_ce_required(t, &map)) {
        rc = MARTECH_REQUEST_FIELD;
    }

    if (rc != MARTECH_OK) {
        t->field = "ce-*";
        return rc;
    }

    martech_dialect_begin(t, none, -1);
    martech_json_begin(&t->out, '{');

    martech_ce_event(t, &map);
    rc = martech_ce_body(t);

    martech_json_name(&t->out, "context");
    martech_json_begin(&t->out, '{');

    martech_json_name(&t->out, "cloudevents");
    martech_json_begin(&t->out, '{');
    martech_map_write(t, &map, MARTECH_PLACE_OWN);

    if (rc == MARTECH_OK) {
        rc = martech_tree_write(t, &extensions, MARTECH_TREE_ROOT);
    }

    martech_json_end(&t->out, '}');

    martech_json_end(&t->out, '}');

    martech_json_end(&t->out, '}');
    martech_dialect_end(t);

    return rc;
}


/* Attributes are headers "ce-NAME"; the type of the data is the body's. */

static martech_rc_t
martech_ce_headers(martech_translation_t *t, martech_map_t *map,
    martech_tree_t *extensions)
{
    int                       row;
    unsigned                  i;
    martech_rc_t              rc;
    martech_str_t             name, value;
    const martech_request_t  *r;

    static const martech_str_t  type = martech_string("datacontenttype");

    r = t->request;
    rc = MARTECH_OK;

    if (r->content_type.len > 0) {
        (void) martech_map_set_text(map, martech_map_find(map, type),
                                    r->content_type);
    }

    for (i = 0; rc == MARTECH_OK && i < MARTECH_CE_HEADERS_MAX
                && r->each(r, i, &name, &value);
         i++)
    {
        if (!martech_ce_begins(name, "ce-", 3)) {
            continue;
        }

        rc = martech_ce_attribute(t, &name);

        if (rc == MARTECH_OK) {
            rc = martech_ce_header(t, value, &value);
        }

        if (rc != MARTECH_OK) {
            break;
        }

        row = martech_map_find(map, name);

        if (row >= 0) {
            (void) martech_map_set_text(map, row, value);

        } else {
            rc = martech_tree_add(extensions, MARTECH_TREE_ROOT, name, value,
                                  MARTECH_WRITE_TEXT, 0);
        }
    }

    return rc;
}


/* The name behind "ce-", in lower case. */

static martech_rc_t
martech_ce_attribute(martech_translation_t *t, martech_str_t *name)
{
    size_t          i;
    unsigned char  *out;

    name->data += 3;
    name->len -= 3;

    out = martech_dialect_room(t, name->len);

    if (out == NULL) {
        return MARTECH_EVENT_SIZE;
    }

    for (i = 0; i < name->len; i++) {
        out[i] = (name->data[i] >= 'A' && name->data[i] <= 'Z')
                 ? name->data[i] | 0x20 : name->data[i];
    }

    name->data = out;

    return MARTECH_OK;
}


static int
martech_ce_hex(const unsigned char *p)
{
    int            i, value;
    unsigned char  ch;

    value = 0;

    for (i = 0; i < 2; i++) {
        ch = p[i] | 0x20;

        if (p[i] >= '0' && p[i] <= '9') {
            value = value * 16 + (p[i] - '0');

        } else if (ch >= 'a' && ch <= 'f') {
            value = value * 16 + (ch - 'a' + 10);

        } else {
            return -1;
        }
    }

    return value;
}


/* Section 3.1.3.2: quotes are taken off, then "%XX" is decoded, once. */

static martech_rc_t
martech_ce_header(martech_translation_t *t, martech_str_t value,
    martech_str_t *text)
{
    int             quoted, hex;
    size_t          i, n;
    unsigned char  *out;

    quoted = (value.len >= 2 && value.data[0] == '"'
              && value.data[value.len - 1] == '"');

    if (quoted) {
        value.data++;
        value.len -= 2;
    }

    *text = value;

    if (value.len == 0
        || (memchr(value.data, '%', value.len) == NULL && !quoted))
    {
        return martech_ce_utf8(*text) ? MARTECH_OK : MARTECH_JSON_UTF8;
    }

    out = martech_dialect_room(t, value.len);

    if (out == NULL) {
        return MARTECH_EVENT_SIZE;
    }

    n = 0;

    for (i = 0; i < value.len; i++) {

        if (quoted && value.data[i] == '\\' && i + 1 < value.len) {
            i++;
        }

        hex = (value.data[i] == '%' && value.len - i > 2)
              ? martech_ce_hex(value.data + i + 1) : -1;

        if (hex >= 0) {
            out[n++] = (unsigned char) hex;
            i += 2;

        } else {
            out[n++] = value.data[i];
        }
    }

    text->data = out;
    text->len = n;

    return martech_ce_utf8(*text) ? MARTECH_OK : MARTECH_JSON_UTF8;
}


/* The JSON writer puts U+FFFD for what is no UTF-8; an attribute must be. */

static int
martech_ce_utf8(martech_str_t text)
{
    size_t    i, n;
    uint32_t  code, least;

    for (i = 0; i < text.len; ) {
        code = text.data[i++];

        if (code < 0x80) {
            continue;
        }

        if (code < 0xc2 || code > 0xf4) {
            return 0;
        }

        n = (code < 0xe0) ? 1 : (code < 0xf0) ? 2 : 3;
        least = (n == 1) ? 0x80 : (n == 2) ? 0x800 : 0x10000;
        code &= 0x3fu >> n;

        for (; n > 0; n--, i++) {

            if (i == text.len || (text.data[i] & 0xc0) != 0x80) {
                return 0;
            }

            code = code << 6 | (text.data[i] & 0x3f);
        }

        if (code < least || code > 0x10ffff
            || (code >= 0xd800 && code <= 0xdfff))
        {
            return 0;
        }
    }

    return 1;
}


/* Section 3.1 of the specification: those without which it is no event. */

static int
martech_ce_required(martech_translation_t *t, const martech_map_t *map)
{
    martech_str_t  version;

    version = martech_map_text(t, map, MARTECH_CE_VERSION);

    return version.len == 3 && memcmp(version.data, "1.0", 3) == 0
           && martech_map_text(t, map, MARTECH_CE_ID).len > 0
           && martech_map_text(t, map, MARTECH_CE_SOURCE).len > 0
           && martech_map_text(t, map, MARTECH_CE_TYPE).len > 0;
}


/*
 * Source and id together are what an event is known by.  The id of an event
 * is shorter than they may be, and has no control characters.
 */

static void
martech_ce_message_id(martech_translation_t *t, martech_str_t source,
    martech_str_t id)
{
    size_t          i, len;
    unsigned char  *name, uuid[MARTECH_UUID_LEN];

    len = source.len + 1 + id.len;
    name = martech_dialect_room(t, len);

    if (name == NULL) {
        t->out.overflow = 1;
        return;
    }

    memcpy(name, source.data, source.len);
    name[source.len] = '|';
    memcpy(name + source.len + 1, id.data, id.len);

    for (i = 0; i < len && name[i] >= 0x20 && name[i] != 0x7f; i++) {
        /* to the first control character */
    }

    martech_json_name(&t->out, "messageId");

    /* a "|" in both would make two events one */

    if (i == len && len <= MARTECH_CE_ID_MAX
        && memchr(source.data, '|', source.len) == NULL)
    {
        martech_json_string(&t->out, name, len);
        return;
    }

    name[source.len] = '\0';
    martech_uuid5(uuid, martech_ce_space, name, len);
    martech_json_string(&t->out, uuid, sizeof(uuid));
}


/* An event without its data and context. */

static void
martech_ce_event(martech_translation_t *t, const martech_map_t *map)
{
    martech_str_t  source, user, anonymous;
    unsigned char  id[MARTECH_UUID_LEN];

    source = martech_map_text(t, map, MARTECH_CE_SOURCE);
    user = martech_map_text(t, map, MARTECH_CE_USER);
    anonymous = martech_map_text(t, map, MARTECH_CE_ANONYMOUS);

    martech_json_name(&t->out, "type");
    martech_json_cstring(&t->out, "track");
    martech_dialect_text(t, "event", martech_map_text(t, map,
                                                      MARTECH_CE_TYPE));
    martech_dialect_text(t, "timestamp", martech_map_text(t, map,
                                                          MARTECH_CE_TIME));

    martech_ce_message_id(t, source, martech_map_text(t, map, MARTECH_CE_ID));

    if (anonymous.len == 0) {
        anonymous = t->request->visitor;
    }

    /* events are of somebody: without an id, of what sent them */

    if (anonymous.len == 0 && user.len == 0) {
        martech_uuid5(id, martech_ce_space, source.data, source.len);
        anonymous.data = id;
        anonymous.len = sizeof(id);
    }

    martech_dialect_text(t, "userId", user);

    if (anonymous.len > 0) {
        martech_dialect_text(t, "anonymousId", anonymous);
    }
}


/* Without a type data is JSON, as in the other modes. */

static int
martech_ce_is_json(martech_str_t type)
{
    size_t                len;
    const unsigned char  *end;

    end = (type.len > 0) ? memchr(type.data, ';', type.len) : NULL;
    len = end ? (size_t) (end - type.data) : type.len;

    while (len > 0 && type.data[len - 1] == ' ') {
        len--;
    }

    type.len = len;

    if (len == 0
        || (len == 16 && martech_ce_begins(type, "application/json", 16))
        || (len == 9 && martech_ce_begins(type, "text/json", 9)))
    {
        return 1;
    }

    if (len < 5) {
        return 0;
    }

    type.data += len - 5;
    type.len = 5;

    return martech_ce_begins(type, "+json", 5);
}


/* Data of the body: what is no JSON object is a property "data". */

static martech_rc_t
martech_ce_body(martech_translation_t *t)
{
    martech_rc_t    rc;
    martech_str_t   type, body;
    unsigned char  *room;

    type = t->request->content_type;
    body = t->request->body;

    martech_json_name(&t->out, "properties");

    if (body.len > 0 && martech_ce_is_json(type)) {
        rc = martech_dialect_scan(t, body);

        if (rc != MARTECH_OK) {
            return rc;
        }

        if (t->tape->nodes[0].kind == MARTECH_JSON_OBJECT) {
            body = martech_json_text(t->tape, 0);
            martech_json_raw(&t->out, body.data, body.len);
            return MARTECH_OK;
        }

        martech_json_begin(&t->out, '{');
        martech_json_name(&t->out, "data");
        body = martech_json_text(t->tape, 0);
        martech_json_raw(&t->out, body.data, body.len);
        martech_json_end(&t->out, '}');

        return MARTECH_OK;
    }

    martech_json_begin(&t->out, '{');

    if (body.len > 0 && martech_ce_begins(type, "text/", 5)
        && martech_ce_utf8(body))
    {
        martech_dialect_text(t, "data", body);

    } else if (body.len > 0) {
        room = martech_dialect_room(t, martech_base64_encoded(body.len));

        if (room == NULL) {
            return MARTECH_BATCH_SIZE;
        }

        body.len = martech_base64_encode(body, room);
        body.data = room;
        martech_dialect_text(t, "data_base64", body);
    }

    martech_json_end(&t->out, '}');

    return MARTECH_OK;
}


/*
 * HTTP webhook profile, section 4.  Whoever may send is decided by the write
 * key and not by the origin, and how much, by the limits of the server.
 */

static void
martech_ce_handshake(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    static const martech_str_t  any = martech_string("*");
    static const martech_str_t  methods = martech_string("OPTIONS, POST");

    (void) request;
    (void) verdict;

    martech_reply_set(reply, 200, NULL, NULL, 0);
    martech_reply_header(reply, "Allow", methods);
    martech_reply_header(reply, "WebHook-Allowed-Origin", any);
    martech_reply_header(reply, "WebHook-Allowed-Rate", any);
}
