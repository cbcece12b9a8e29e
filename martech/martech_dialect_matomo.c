
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Matomo: the tracking API of matomo.php, by query, form, or a JSON body with
 * many queries ("bulk").  What a request is of is seen from which parameters
 * it has.
 */


#include <string.h>

#include "martech_dialect_list.h"
#include "martech_dialect_map.h"
#include "martech_dialect_tree.h"
#include "martech_form.h"
#include "martech_time.h"


enum {
    MARTECH_MATOMO_NONE = 0,
    MARTECH_MATOMO_ACTION,               /* ca=1: no page */
    MARTECH_MATOMO_CDT,
    MARTECH_MATOMO_CID,
    MARTECH_MATOMO_CONTENT,
    MARTECH_MATOMO_CRASH,
    MARTECH_MATOMO_DOWNLOAD,
    MARTECH_MATOMO_EVENT,
    MARTECH_MATOMO_GOAL,
    MARTECH_MATOMO_ID,
    MARTECH_MATOMO_INTERACTION,
    MARTECH_MATOMO_ITEMS,
    MARTECH_MATOMO_LINK,
    MARTECH_MATOMO_ORDER,
    MARTECH_MATOMO_PING,
    MARTECH_MATOMO_REC,
    MARTECH_MATOMO_RES,
    MARTECH_MATOMO_REVENUE,
    MARTECH_MATOMO_SEARCH,
    MARTECH_MATOMO_SITE,
    MARTECH_MATOMO_TITLE,
    MARTECH_MATOMO_UID,
    MARTECH_MATOMO_URL
};


/* What the answer has to know of a body. */

enum {
    MARTECH_MATOMO_BULK = 1,
    MARTECH_MATOMO_NO_IMAGE
};


/* One request of the tracker. */
typedef struct {
    martech_map_t   map;
    martech_tree_t  others;              /* parameters of no known name */
    unsigned        properties;          /* those that are properties */
    unsigned        context;             /* those that would hide one */
    unsigned        page:1;
    unsigned        order:1;
} martech_matomo_event_t;


static const martech_endpoint_t *martech_matomo_match(
    const martech_request_t *request);
static martech_rc_t martech_matomo_translate(martech_translation_t *t);
static martech_rc_t martech_matomo_single(martech_translation_t *t);
static martech_rc_t martech_matomo_bulk(martech_translation_t *t);
static martech_rc_t martech_matomo_item(martech_translation_t *t,
    uint32_t node, martech_matomo_event_t *e);
static martech_rc_t martech_matomo_form(martech_translation_t *t,
    martech_matomo_event_t *e, martech_str_t form);
static martech_rc_t martech_matomo_take(martech_matomo_event_t *e,
    martech_str_t name, martech_str_t value);
static martech_rc_t martech_matomo_write(martech_translation_t *t,
    martech_matomo_event_t *e);
static void martech_matomo_name(martech_translation_t *t,
    martech_matomo_event_t *e);
static void martech_matomo_ids(martech_translation_t *t,
    const martech_matomo_event_t *e);
static martech_rc_t martech_matomo_properties(martech_translation_t *t,
    martech_matomo_event_t *e);
static martech_rc_t martech_matomo_items(martech_translation_t *t,
    martech_str_t text);
static martech_rc_t martech_matomo_context(martech_translation_t *t,
    martech_matomo_event_t *e);
static int martech_matomo_no_image(martech_str_t form);
static void martech_matomo_reply(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);


#define MARTECH_MATOMO_OWN(name)                                              \
    { martech_string(name), MARTECH_PLACE_OWN, name, MARTECH_WRITE_NUMBER, 0 }
#define MARTECH_MATOMO_NUMBER(name, to)                                       \
    { martech_string(name), MARTECH_PLACE_PROPERTIES, to,                     \
      MARTECH_WRITE_NUMBER, 0 }
#define MARTECH_MATOMO_TEXT(name, to, role)                                   \
    { martech_string(name), MARTECH_PLACE_PROPERTIES, to, MARTECH_WRITE_TEXT, \
      role }
#define MARTECH_MATOMO_ROLE(name, role)                                       \
    { martech_string(name), MARTECH_PLACE_NONE, NULL, MARTECH_WRITE_TEXT, role }


/* Tracking HTTP API; rand, apiv, send_image are plumbing, token_auth is a
   secret. */

static const martech_known_t  martech_matomo_known[] = {
    MARTECH_MATOMO_OWN("h"),
    MARTECH_MATOMO_OWN("m"),
    MARTECH_MATOMO_ROLE("r", 0),
    MARTECH_MATOMO_OWN("s"),
    MARTECH_MATOMO_OWN("ag"),
    MARTECH_MATOMO_ROLE("ca", MARTECH_MATOMO_ACTION),
    MARTECH_MATOMO_OWN("cs"),
    MARTECH_MATOMO_OWN("qt"),
    { martech_string("ua"), MARTECH_PLACE_CONTEXT, "userAgent", 0, 0 },
    MARTECH_MATOMO_ROLE("_id", MARTECH_MATOMO_ID),
    MARTECH_MATOMO_TEXT("c_i", "content_interaction",
                        MARTECH_MATOMO_INTERACTION),
    MARTECH_MATOMO_TEXT("c_n", "content_name", MARTECH_MATOMO_CONTENT),
    MARTECH_MATOMO_TEXT("c_p", "content_piece", 0),
    MARTECH_MATOMO_TEXT("c_t", "content_target", 0),
    MARTECH_MATOMO_ROLE("cdt", MARTECH_MATOMO_CDT),
    MARTECH_MATOMO_ROLE("cid", MARTECH_MATOMO_CID),
    { martech_string("cip"), MARTECH_PLACE_CONTEXT, "ip", 0, 0 },
    MARTECH_MATOMO_TEXT("cra", "message", MARTECH_MATOMO_CRASH),
    MARTECH_MATOMO_OWN("dir"),
    MARTECH_MATOMO_ROLE("e_a", MARTECH_MATOMO_EVENT),
    MARTECH_MATOMO_TEXT("e_c", "category", 0),
    MARTECH_MATOMO_TEXT("e_n", "label", 0),
    MARTECH_MATOMO_NUMBER("e_v", "value"),
    MARTECH_MATOMO_OWN("fla"),
    { martech_string("lat"), MARTECH_PLACE_LOCATION, "latitude",
      MARTECH_WRITE_NUMBER, 0 },
    MARTECH_MATOMO_OWN("pdf"),
    MARTECH_MATOMO_ROLE("rec", MARTECH_MATOMO_REC),
    MARTECH_MATOMO_ROLE("res", MARTECH_MATOMO_RES),
    MARTECH_MATOMO_ROLE("uid", MARTECH_MATOMO_UID),
    MARTECH_MATOMO_ROLE("url", MARTECH_MATOMO_URL),
    MARTECH_MATOMO_OWN("wma"),
    MARTECH_MATOMO_OWN("_idn"),
    MARTECH_MATOMO_OWN("_rck"),
    MARTECH_MATOMO_OWN("_rcn"),
    MARTECH_MATOMO_OWN("_ref"),
    MARTECH_MATOMO_ROLE("apiv", 0),
    { martech_string("city"), MARTECH_PLACE_LOCATION, "city", 0, 0 },
    { martech_string("cvar"), MARTECH_PLACE_PROPERTIES, "cvar",
      MARTECH_WRITE_JSON, 0 },
    MARTECH_MATOMO_OWN("java"),
    { martech_string("lang"), MARTECH_PLACE_CONTEXT, "locale", 0, 0 },
    MARTECH_MATOMO_TEXT("link", "url", MARTECH_MATOMO_LINK),
    { martech_string("long"), MARTECH_PLACE_LOCATION, "longitude",
      MARTECH_WRITE_NUMBER, 0 },
    MARTECH_MATOMO_ROLE("ping", MARTECH_MATOMO_PING),
    MARTECH_MATOMO_ROLE("rand", 0),
    { martech_string("_cvar"), MARTECH_PLACE_OWN, "_cvar", MARTECH_WRITE_JSON,
      0 },
    MARTECH_MATOMO_OWN("_idts"),
    MARTECH_MATOMO_OWN("_idvc"),
    MARTECH_MATOMO_NUMBER("ec_dt", "discount"),
    MARTECH_MATOMO_TEXT("ec_id", "order_id", MARTECH_MATOMO_ORDER),
    MARTECH_MATOMO_NUMBER("ec_sh", "shipping"),
    MARTECH_MATOMO_NUMBER("ec_st", "subtotal"),
    MARTECH_MATOMO_NUMBER("ec_tx", "tax"),
    MARTECH_MATOMO_OWN("gears"),
    MARTECH_MATOMO_OWN("pv_id"),
    MARTECH_MATOMO_OWN("realp"),
    MARTECH_MATOMO_OWN("_refts"),
    MARTECH_MATOMO_OWN("cookie"),
    MARTECH_MATOMO_ROLE("idgoal", MARTECH_MATOMO_GOAL),
    MARTECH_MATOMO_ROLE("idsite", MARTECH_MATOMO_SITE),
    { martech_string("region"), MARTECH_PLACE_LOCATION, "region", 0, 0 },
    MARTECH_MATOMO_TEXT("search", "query", MARTECH_MATOMO_SEARCH),
    { martech_string("uadata"), MARTECH_PLACE_CONTEXT, "userAgentData",
      MARTECH_WRITE_JSON, 0 },
    { martech_string("urlref"), MARTECH_PLACE_PAGE, "referrer", 0, 0 },
    MARTECH_MATOMO_OWN("_viewts"),
    { martech_string("country"), MARTECH_PLACE_LOCATION, "country", 0, 0 },
    MARTECH_MATOMO_ROLE("revenue", MARTECH_MATOMO_REVENUE),
    MARTECH_MATOMO_TEXT("download", "url", MARTECH_MATOMO_DOWNLOAD),
    MARTECH_MATOMO_ROLE("ec_items", MARTECH_MATOMO_ITEMS),
    MARTECH_MATOMO_OWN("new_visit"),
    MARTECH_MATOMO_TEXT("search_cat", "category", 0),
    MARTECH_MATOMO_ROLE("send_image", 0),
    MARTECH_MATOMO_ROLE("token_auth", 0),
    { martech_string("action_name"), MARTECH_PLACE_PAGE, "title", 0,
      MARTECH_MATOMO_TITLE },
    MARTECH_MATOMO_NUMBER("search_count", "count"),
};


#define MARTECH_MATOMO_KNOWN                                                  \
    (sizeof(martech_matomo_known) / sizeof(martech_known_t))


/* Properties that parameters of other names become. */

static const martech_known_t  martech_matomo_reserved[] = {
    { .name = martech_string("tax") },
    { .name = martech_string("url") },
    { .name = martech_string("cvar") },
    { .name = martech_string("count") },
    { .name = martech_string("label") },
    { .name = martech_string("query") },
    { .name = martech_string("total") },
    { .name = martech_string("value") },
    { .name = martech_string("goal_id") },
    { .name = martech_string("message") },
    { .name = martech_string("revenue") },
    { .name = martech_string("category") },
    { .name = martech_string("discount") },
    { .name = martech_string("order_id") },
    { .name = martech_string("products") },
    { .name = martech_string("shipping") },
    { .name = martech_string("subtotal") },
    { .name = martech_string("content_name") },
    { .name = martech_string("content_piece") },
    { .name = martech_string("content_target") },
    { .name = martech_string("content_interaction") },
};


static const martech_endpoint_t  martech_matomo_track = {
    .name = "track",
    .methods = MARTECH_GET | MARTECH_POST,
    .image = 1,
    .translate = martech_matomo_translate,
    .reply = martech_matomo_reply,
};

const martech_dialect_t  martech_dialect_matomo = {
    .name = martech_string("matomo"),
    .match = martech_matomo_match,
};


static const martech_endpoint_t *
martech_matomo_match(const martech_request_t *request)
{
    return (martech_dialect_path_is(request->path, "/matomo.php", 11)
            || martech_dialect_path_is(request->path, "/piwik.php", 10))
           ? &martech_matomo_track : NULL;
}


/* The tracker sends a bulk as a form, too: only the body tells. */

static martech_rc_t
martech_matomo_translate(martech_translation_t *t)
{
    if (martech_dialect_begins(t->request->body, '{', '[')) {
        t->note = MARTECH_MATOMO_BULK;

        return martech_matomo_bulk(t);
    }

    if (martech_matomo_no_image(t->request->body)) {
        t->note = MARTECH_MATOMO_NO_IMAGE;
    }

    return martech_matomo_single(t);
}


static int
martech_matomo_no_image(martech_str_t form)
{
    martech_str_t  image;

    image = martech_form_value(form, "send_image", 10);

    return image.len == 1 && image.data[0] == '0';
}


static void
martech_matomo_init(martech_matomo_event_t *e)
{
    static const martech_str_t  properties = martech_string("properties");
    static const martech_str_t  context = martech_string("matomo");

    martech_map_init(&e->map, martech_matomo_known, MARTECH_MATOMO_KNOWN);
    martech_tree_init(&e->others);

    e->properties = martech_tree_object(&e->others, properties);
    e->context = martech_tree_object(&e->others, context);
    e->page = 0;
    e->order = 0;
}


static int
martech_matomo_equal(martech_str_t text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.data, word, text.len) == 0;
}


/* 1 if a parameter is there with this value. */

static int
martech_matomo_is(const martech_matomo_event_t *e, unsigned role,
    const char *value)
{
    unsigned  row;

    row = e->map.roles[role];

    if (row == 0) {
        return 0;
    }

    return martech_matomo_equal(e->map.values[row - 1].text, value);
}


static martech_rc_t
martech_matomo_single(martech_translation_t *t)
{
    martech_rc_t            rc;
    martech_matomo_event_t  e;

    /* nothing of this request stands on the tape */

    t->tape->nodes_count = 0;

    martech_matomo_init(&e);

    rc = martech_matomo_form(t, &e, t->request->args);

    if (rc == MARTECH_OK) {
        rc = martech_matomo_form(t, &e, t->request->body);
    }

    if (rc != MARTECH_OK) {
        return rc;
    }

    if (!martech_matomo_is(&e, MARTECH_MATOMO_REC, "1")) {
        t->field = "rec";
        return MARTECH_REQUEST_FIELD;
    }

    martech_dialect_begin(t, martech_map_text(t, &e.map, MARTECH_MATOMO_SITE),
                          -1);
    rc = martech_matomo_write(t, &e);
    martech_dialect_end(t);

    return rc;
}


static martech_rc_t
martech_matomo_bulk(martech_translation_t *t)
{
    uint32_t                i, requests;
    martech_rc_t            rc;
    martech_json_writer_t   begun;
    martech_matomo_event_t  e;

    rc = martech_dialect_scan(t, t->request->body);

    if (rc != MARTECH_OK) {
        return rc;
    }

    requests = martech_json_member(t->tape, 0, "requests", 8);
    t->field = "/requests";

    if (requests == MARTECH_JSON_NONE
        || t->tape->nodes[requests].kind != MARTECH_JSON_ARRAY)
    {
        return MARTECH_BATCH_NOT_ARRAY;
    }

    if (t->tape->nodes[requests].count == 0) {
        return MARTECH_BATCH_EMPTY;
    }

    if (t->tape->nodes[requests].count > t->limits->batch_count_max) {
        return MARTECH_BATCH_COUNT;
    }

    t->field = "";

    for (i = requests + 1; i < t->tape->nodes[requests].next;
         i = t->tape->nodes[i].next)
    {
        martech_matomo_init(&e);
        rc = martech_matomo_item(t, i, &e);

        /* the site of the first one is the key of all */

        if (i == requests + 1) {
            martech_dialect_begin(t, martech_map_text(t, &e.map,
                                                 MARTECH_MATOMO_SITE), -1);
        }

        begun = t->out;

        if (rc == MARTECH_OK) {
            rc = martech_matomo_write(t, &e);
        }

        if (rc == MARTECH_JSON_TOKENS) {
            return rc;
        }

        if (rc != MARTECH_OK) {
            martech_dialect_refuse(t, &begun);
        }
    }

    martech_dialect_end(t);

    return MARTECH_OK;
}


/* A request of a bulk: a query string, or an object of parameters. */

static martech_rc_t
martech_matomo_item(martech_translation_t *t, uint32_t node,
    martech_matomo_event_t *e)
{
    uint32_t                    i;
    martech_rc_t                rc;
    martech_str_t               text, name;
    const martech_json_node_t  *nodes;

    nodes = t->tape->nodes;
    rc = MARTECH_REQUEST_FIELD;

    if (nodes[node].kind == MARTECH_JSON_STRING) {
        text = martech_dialect_string(t, node);

        if (text.data && text.len > 0 && text.data[0] == '?') {
            text.data++;
            text.len--;
        }

        rc = martech_matomo_form(t, e, text);

    } else if (nodes[node].kind == MARTECH_JSON_OBJECT) {
        rc = MARTECH_OK;

        for (i = node + 1; i < nodes[node].next && rc == MARTECH_OK;
             i = nodes[i].next)
        {
            name = martech_dialect_key(t, i);
            text = martech_dialect_string(t, i);

            if (text.data == NULL) {
                text = martech_json_text(t->tape, i);
            }

            rc = martech_matomo_take(e, name, text);
        }
    }

    if (rc == MARTECH_OK && !martech_matomo_is(e, MARTECH_MATOMO_REC, "1")) {
        rc = MARTECH_REQUEST_FIELD;
    }

    return rc;
}


static martech_rc_t
martech_matomo_form(martech_translation_t *t, martech_matomo_event_t *e,
    martech_str_t form)
{
    martech_rc_t    rc;
    martech_str_t   name, value;
    martech_form_t  pairs;

    rc = MARTECH_OK;
    pairs.rest = form;

    while (rc == MARTECH_OK && martech_form_next(&pairs, &name, &value)) {
        name = martech_dialect_decode(t, name);
        value = martech_dialect_decode(t, value);

        rc = martech_matomo_take(e, name, value);
    }

    if (rc != MARTECH_OK) {
        t->field = "query";
    }

    return rc;
}


/* An empty parameter says nothing; the tracker sends many. */

static martech_rc_t
martech_matomo_take(martech_matomo_event_t *e, martech_str_t name,
    martech_str_t value)
{
    int  row, reserved;

    if (value.len == 0) {
        return MARTECH_OK;
    }

    row = martech_map_find(&e->map, name);

    if (row >= 0 && martech_map_set_text(&e->map, row, value)) {
        return MARTECH_OK;
    }

    reserved = martech_known_find(martech_matomo_reserved,
                                  sizeof(martech_matomo_reserved)
                                  / sizeof(martech_known_t), name) >= 0;

    return martech_tree_add(&e->others,
                            reserved ? e->context : e->properties, name, value,
                            MARTECH_WRITE_NUMBER, 0);
}


static martech_rc_t
martech_matomo_write(martech_translation_t *t, martech_matomo_event_t *e)
{
    martech_rc_t  rc;

    martech_json_begin(&t->out, '{');

    martech_matomo_name(t, e);
    martech_matomo_ids(t, e);
    rc = martech_matomo_properties(t, e);

    if (rc == MARTECH_OK) {
        rc = martech_matomo_context(t, e);
    }

    martech_json_end(&t->out, '}');

    return (rc == MARTECH_OK) ? e->map.rc : rc;
}


/* Which parameters make which event; the first that is there decides. */

static void
martech_matomo_name(martech_translation_t *t, martech_matomo_event_t *e)
{
    unsigned       i;
    martech_str_t  title, event;

    static const struct {
        unsigned       role;
        martech_str_t  event;
    } events[] = {
        { MARTECH_MATOMO_PING, martech_string("Ping") },
        { MARTECH_MATOMO_SEARCH, martech_string("Search") },
        { MARTECH_MATOMO_DOWNLOAD, martech_string("File Downloaded") },
        { MARTECH_MATOMO_LINK, martech_string("Link Clicked") },
        { MARTECH_MATOMO_INTERACTION, martech_string("Content Interaction") },
        { MARTECH_MATOMO_CONTENT, martech_string("Content Impression") },
        { MARTECH_MATOMO_CRASH, martech_string("Crash") },
        { MARTECH_MATOMO_ACTION, martech_string("Custom Action") },
    };

    title = martech_map_text(t, &e->map, MARTECH_MATOMO_TITLE);
    event = martech_map_text(t, &e->map, MARTECH_MATOMO_EVENT);

    if (event.data == NULL && e->map.roles[MARTECH_MATOMO_GOAL]) {
        e->order = martech_matomo_is(e, MARTECH_MATOMO_GOAL, "0");

        event.data = (const unsigned char *)
                     (!e->order ? "Goal Converted"
                      : e->map.roles[MARTECH_MATOMO_ORDER] ? "Order Completed"
                      : "Cart Updated");
        event.len = strlen((const char *) event.data);
    }

    for (i = 0; event.data == NULL && i < sizeof(events) / sizeof(events[0]);
         i++)
    {
        if (e->map.roles[events[i].role]) {
            event = events[i].event;
        }
    }

    e->page = (event.data == NULL);

    martech_json_name(&t->out, "type");
    martech_json_cstring(&t->out, e->page ? "page" : "track");
    martech_dialect_text(t, e->page ? "name" : "event",
                         e->page ? title : event);
}


/* cid is an id that somebody set, _id that of the tracker's cookie. */

static void
martech_matomo_ids(martech_translation_t *t, const martech_matomo_event_t *e)
{
    int64_t        ms;
    martech_str_t  text;

    text = martech_map_text(t, &e->map, MARTECH_MATOMO_CID);

    if (text.data == NULL) {
        text = martech_map_text(t, &e->map, MARTECH_MATOMO_ID);
    }

    martech_dialect_text(t, "anonymousId", text);
    martech_dialect_text(t, "userId",
                         martech_map_text(t, &e->map, MARTECH_MATOMO_UID));

    /* seconds since 1970, or a date */

    text = martech_map_text(t, &e->map, MARTECH_MATOMO_CDT);
    ms = martech_dialect_seconds(text);

    if (ms >= 0) {
        martech_dialect_time(t, "timestamp", ms);

    } else {
        martech_dialect_text(t, "timestamp", text);
    }
}


static martech_rc_t
martech_matomo_properties(martech_translation_t *t,
    martech_matomo_event_t *e)
{
    martech_rc_t   rc;
    martech_str_t  goal;

    goal = martech_map_text(t, &e->map, MARTECH_MATOMO_GOAL);

    martech_json_name(&t->out, "properties");
    martech_json_begin(&t->out, '{');

    martech_map_write(t, &e->map, MARTECH_PLACE_PROPERTIES);

    if (goal.data && !e->order) {
        martech_dialect_number(t, "goal_id", goal);
    }

    martech_dialect_number(t, e->order ? "total" : "revenue",
                           martech_map_text(t, &e->map,
                                            MARTECH_MATOMO_REVENUE));

    rc = martech_matomo_items(t, martech_map_text(t, &e->map,
                                                  MARTECH_MATOMO_ITEMS));

    if (rc == MARTECH_OK) {
        rc = martech_tree_write(t, &e->others, e->properties);
    }

    martech_json_end(&t->out, '}');

    return rc;
}


/* Writes what an item has: sku, name, category (one or a list), price,
   quantity. */

static void
martech_matomo_product(martech_translation_t *t,
    const martech_json_tape_t *tape, uint32_t item)
{
    unsigned       place;
    uint32_t       i;
    martech_str_t  text;

    static const char *const  names[] = {
        "sku", "name", "category", "price", "quantity",
    };

    martech_json_begin(&t->out, '{');

    place = 0;

    for (i = item + 1; i < tape->nodes[item].next && place < 5;
         i = tape->nodes[i].next)
    {
        text = martech_json_text(tape, i);
        martech_json_name(&t->out, names[place++]);
        martech_json_raw(&t->out, text.data, text.len);
    }

    martech_json_end(&t->out, '}');
}


/* What is not a list of lists is kept as the text it is. */

static martech_rc_t
martech_matomo_items(martech_translation_t *t, martech_str_t text)
{
    uint32_t             i;
    martech_rc_t         rc;
    martech_json_tape_t  tape;

    if (text.data == NULL) {
        return MARTECH_OK;
    }

    rc = martech_dialect_embedded(t, text, &tape);

    if (rc == MARTECH_JSON_TOKENS) {
        return rc;
    }

    if (rc != MARTECH_OK || tape.nodes[0].kind != MARTECH_JSON_ARRAY) {
        martech_dialect_text(t, "ec_items", text);
        return MARTECH_OK;
    }

    martech_json_name(&t->out, "products");
    martech_json_begin(&t->out, '[');

    for (i = 1; i < tape.nodes[0].next; i = tape.nodes[i].next) {

        if (tape.nodes[i].kind == MARTECH_JSON_ARRAY) {
            martech_matomo_product(t, &tape, i);

        } else {
            text = martech_json_text(&tape, i);
            martech_json_raw(&t->out, text.data, text.len);
        }
    }

    martech_json_end(&t->out, ']');

    return MARTECH_OK;
}


static martech_rc_t
martech_matomo_context(martech_translation_t *t, martech_matomo_event_t *e)
{
    martech_rc_t  rc;

    martech_json_name(&t->out, "context");
    martech_json_begin(&t->out, '{');

    martech_map_context(t, &e->map,
                        martech_map_text(t, &e->map, MARTECH_MATOMO_URL),
                        NULL);
    martech_dialect_resolution(t,
                            martech_map_text(t, &e->map, MARTECH_MATOMO_RES));

    rc = MARTECH_OK;

    if (martech_map_has(&e->map, MARTECH_PLACE_OWN)
        || martech_tree_filled(&e->others, e->context))
    {
        martech_json_name(&t->out, "matomo");
        martech_json_begin(&t->out, '{');
        martech_map_write(t, &e->map, MARTECH_PLACE_OWN);
        rc = martech_tree_write(t, &e->others, e->context);
        martech_json_end(&t->out, '}');
    }

    martech_json_end(&t->out, '}');

    return rc;
}


static void
martech_matomo_tracked(const martech_verdict_t *verdict,
    martech_reply_t *reply)
{
    martech_json_writer_t  w;

    martech_json_writer_init(&w, reply->buf, reply->size);
    martech_json_begin(&w, '{');

    martech_json_name(&w, "status");
    martech_json_cstring(&w, "success");
    martech_json_name(&w, "tracked");
    martech_json_int(&w, verdict->accepted);
    martech_json_name(&w, "invalid");
    martech_json_int(&w, (int64_t) verdict->events - verdict->accepted);

    martech_json_end(&w, '}');

    martech_reply_set(reply, 200, "application/json",
                      (const char *) reply->buf, (size_t) (w.pos - w.start));
}


/* A refused bulk has the usual answer, which says why. */

static void
martech_matomo_reply(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    if (request->note == MARTECH_MATOMO_BULK) {

        if (verdict->status == 0) {
            martech_matomo_tracked(verdict, reply);
        }

        return;
    }

    if (request->note == MARTECH_MATOMO_NO_IMAGE
        || martech_matomo_no_image(request->args))
    {

        if (verdict->status == 0) {
            martech_reply_set(reply, 204, NULL, NULL, 0);
        }

        return;
    }

    martech_reply_image(reply, verdict->status ? verdict->status : 200);
}
