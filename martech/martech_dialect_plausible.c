
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Plausible: one event a request, with names of one letter or whole words.
 * It has no id of a visitor: that of the identity cookie is taken.
 */


#include <string.h>

#include "martech_dialect_list.h"
#include "martech_dialect_map.h"
#include "martech_field.h"
#include "martech_url.h"


enum {
    MARTECH_PLAUSIBLE_NONE = 0,
    MARTECH_PLAUSIBLE_DOMAIN,
    MARTECH_PLAUSIBLE_ENGAGED,
    MARTECH_PLAUSIBLE_HASH,
    MARTECH_PLAUSIBLE_INTERACTIVE,
    MARTECH_PLAUSIBLE_NAME,
    MARTECH_PLAUSIBLE_PROPS,
    MARTECH_PLAUSIBLE_REVENUE,
    MARTECH_PLAUSIBLE_SCROLL,
    MARTECH_PLAUSIBLE_URL
};


/* An event with the sender's own properties, wherever these stand. */
typedef struct {
    martech_map_t         map;
    martech_json_tape_t   embedded;      /* of properties in a string */
    martech_json_tape_t  *tape;
    uint32_t              node;
    int                   present;       /* there are any */
    unsigned              beside;        /* members for no other place */
} martech_plausible_event_t;


static const martech_endpoint_t *martech_plausible_match(
    const martech_request_t *request);
static martech_rc_t martech_plausible_translate(martech_translation_t *t);
static martech_rc_t martech_plausible_props(martech_translation_t *t,
    martech_plausible_event_t *e);
static void martech_plausible_properties(martech_translation_t *t,
    martech_plausible_event_t *e);
static void martech_plausible_context(martech_translation_t *t,
    martech_plausible_event_t *e, martech_str_t url);
static void martech_plausible_reply(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);


static const martech_known_t  martech_plausible_known[] = {
    { .name = martech_string("$"), .role = MARTECH_PLAUSIBLE_REVENUE },
    { .name = martech_string("d"), .role = MARTECH_PLAUSIBLE_DOMAIN },
    { .name = martech_string("e"), .role = MARTECH_PLAUSIBLE_ENGAGED },
    { .name = martech_string("h"), .role = MARTECH_PLAUSIBLE_HASH },
    { .name = martech_string("i"), .role = MARTECH_PLAUSIBLE_INTERACTIVE },
    { .name = martech_string("m"), .role = MARTECH_PLAUSIBLE_PROPS },
    { .name = martech_string("n"), .role = MARTECH_PLAUSIBLE_NAME },
    { .name = martech_string("p"), .role = MARTECH_PLAUSIBLE_PROPS },
    { martech_string("r"), MARTECH_PLACE_PAGE, "referrer", 0, 0 },
    { .name = martech_string("u"), .role = MARTECH_PLAUSIBLE_URL },
    { martech_string("v"), MARTECH_PLACE_LIBRARY, "version", 0, 0 },
    { martech_string("w"), MARTECH_PLACE_SCREEN, "width", 0, 0 },
    { .name = martech_string("sd"), .role = MARTECH_PLAUSIBLE_SCROLL },
    { .name = martech_string("url"), .role = MARTECH_PLAUSIBLE_URL },
    { .name = martech_string("meta"), .role = MARTECH_PLAUSIBLE_PROPS },
    { .name = martech_string("name"), .role = MARTECH_PLAUSIBLE_NAME },
    { .name = martech_string("props"), .role = MARTECH_PLAUSIBLE_PROPS },
    { .name = martech_string("domain"), .role = MARTECH_PLAUSIBLE_DOMAIN },
    { .name = martech_string("revenue"), .role = MARTECH_PLAUSIBLE_REVENUE },
    { .name = martech_string("hashMode"), .role = MARTECH_PLAUSIBLE_HASH },
    { martech_string("referrer"), MARTECH_PLACE_PAGE, "referrer", 0, 0 },
    { .name = martech_string("interactive"),
      .role = MARTECH_PLAUSIBLE_INTERACTIVE },
    { martech_string("screen_width"), MARTECH_PLACE_SCREEN, "width", 0, 0 },
    { .name = martech_string("scroll_depth"),
      .role = MARTECH_PLAUSIBLE_SCROLL },
    { .name = martech_string("engagement_time"),
      .role = MARTECH_PLAUSIBLE_ENGAGED },
};

/* What the format says of an event beside the sender's own properties. */

static const struct {
    unsigned     role;
    const char  *name;
    int          context;                /* of the page, not of the event */
} martech_plausible_facts[] = {
    { MARTECH_PLAUSIBLE_INTERACTIVE, "interactive", 0 },
    { MARTECH_PLAUSIBLE_SCROLL, "scroll_depth", 0 },
    { MARTECH_PLAUSIBLE_ENGAGED, "engagement_time", 0 },
    { MARTECH_PLAUSIBLE_HASH, "hash", 1 },
    { MARTECH_PLAUSIBLE_REVENUE, "revenue", 0 },
};

#define MARTECH_PLAUSIBLE_FACTS                                               \
    (sizeof(martech_plausible_facts) / sizeof(martech_plausible_facts[0]))


static const martech_endpoint_t  martech_plausible_event = {
    .name = "event",
    .methods = MARTECH_POST,
    .translate = martech_plausible_translate,
    .reply = martech_plausible_reply,
};

const martech_dialect_t  martech_dialect_plausible = {
    .name = martech_string("plausible"),
    .match = martech_plausible_match,
};


static const martech_endpoint_t *
martech_plausible_match(const martech_request_t *request)
{
    return martech_dialect_path_is(request->path, "/api/event", 10)
           ? &martech_plausible_event : NULL;
}


/* Several domains are separated by commas: the first is the key. */

static martech_str_t
martech_plausible_key(martech_str_t domain)
{
    const unsigned char  *comma;

    comma = (domain.len > 0) ? memchr(domain.data, ',', domain.len) : NULL;

    if (comma) {
        domain.len = (size_t) (comma - domain.data);
    }

    return domain;
}


static martech_rc_t
martech_plausible_translate(martech_translation_t *t)
{
    int                        page;
    martech_rc_t               rc;
    martech_str_t              name, url, domain;
    martech_plausible_event_t  e;

    rc = martech_dialect_scan(t, t->request->body);

    if (rc != MARTECH_OK) {
        return rc;
    }

    if (t->tape->nodes[0].kind != MARTECH_JSON_OBJECT) {
        return MARTECH_BODY_NOT_OBJECT;
    }

    martech_map_init(&e.map, martech_plausible_known,
                     sizeof(martech_plausible_known)
                     / sizeof(martech_known_t));
    e.beside = martech_map_members(&e.map, t->tape, 0);

    name = martech_map_text(t, &e.map, MARTECH_PLAUSIBLE_NAME);
    url = martech_map_text(t, &e.map, MARTECH_PLAUSIBLE_URL);
    domain = martech_map_text(t, &e.map, MARTECH_PLAUSIBLE_DOMAIN);

    if (name.len == 0) {
        t->field = "name";
        return MARTECH_REQUEST_FIELD;
    }

    if (!martech_url_absolute(url)) {
        t->field = "url";
        return MARTECH_REQUEST_FIELD;
    }

    rc = martech_plausible_props(t, &e);

    if (rc != MARTECH_OK) {
        return rc;
    }

    page = (name.len == 8 && memcmp(name.data, "pageview", 8) == 0);

    martech_dialect_begin(t, martech_plausible_key(domain), -1);
    martech_json_begin(&t->out, '{');

    martech_json_name(&t->out, "type");
    martech_json_cstring(&t->out, page ? "page" : "track");

    if (!page) {
        martech_dialect_text(t, "event", name);
    }

    if (t->request->visitor.len > 0) {
        martech_dialect_text(t, "anonymousId", t->request->visitor);
    }

    martech_plausible_properties(t, &e);
    martech_plausible_context(t, &e, url);

    martech_json_end(&t->out, '}');
    martech_dialect_end(t);

    return MARTECH_OK;
}


/* Finds the sender's properties: an object, or a string that holds one. */

static martech_rc_t
martech_plausible_props(martech_translation_t *t,
    martech_plausible_event_t *e)
{
    uint32_t       node;
    martech_rc_t   rc;
    martech_str_t  text;

    node = martech_map_node(&e->map, MARTECH_PLAUSIBLE_PROPS);

    e->tape = t->tape;
    e->node = node;
    e->present = (t->tape->nodes[node].kind == MARTECH_JSON_OBJECT
                  && node != MARTECH_JSON_NONE);

    if (node == MARTECH_JSON_NONE || e->present) {
        return MARTECH_OK;
    }

    text = martech_dialect_string(t, node);

    if (text.data) {
        rc = martech_dialect_embedded(t, text, &e->embedded);

        if (rc == MARTECH_JSON_TOKENS) {
            return rc;
        }

        if (rc == MARTECH_OK
            && e->embedded.nodes[0].kind == MARTECH_JSON_OBJECT)
        {
            e->tape = &e->embedded;
            e->node = 0;
            e->present = 1;

            return MARTECH_OK;
        }
    }

    t->field = "props";

    return MARTECH_REQUEST_FIELD;
}


/* 1 if the sender has a property of its own with this name. */

static int
martech_plausible_taken(const martech_plausible_event_t *e, const char *name)
{
    return e->present
           && martech_json_member(e->tape, e->node, name, strlen(name))
              != MARTECH_JSON_NONE;
}


/* 1 for a fact that does not go among the properties. */

static int
martech_plausible_is_beside(const martech_plausible_event_t *e, unsigned fact)
{
    return martech_plausible_facts[fact].context
           || martech_plausible_taken(e, martech_plausible_facts[fact].name);
}


/* An amount becomes the revenue, with its currency beside it. */

static void
martech_plausible_revenue(martech_translation_t *t,
    const martech_plausible_event_t *e, uint32_t node)
{
    uint32_t       amount, currency;
    martech_str_t  text;

    amount = martech_json_member(t->tape, node, "amount", 6);
    currency = martech_json_member(t->tape, node, "currency", 8);
    text = martech_dialect_string(t, amount);

    if (text.data == NULL || martech_plausible_taken(e, "currency")) {
        martech_dialect_node(t, "revenue", node);
        return;
    }

    martech_dialect_number(t, "revenue", text);
    martech_dialect_node(t, "currency", currency);
}


static void
martech_plausible_properties(martech_translation_t *t,
    martech_plausible_event_t *e)
{
    unsigned       i;
    uint32_t       n, node;
    martech_str_t  text;

    martech_json_name(&t->out, "properties");
    martech_json_begin(&t->out, '{');

    if (e->present) {
        for (n = e->node + 1; n < e->tape->nodes[e->node].next;
             n = e->tape->nodes[n].next)
        {
            text = martech_member_text(e->tape, n);
            martech_json_raw(&t->out, text.data, text.len);
        }
    }

    for (i = 0; i < MARTECH_PLAUSIBLE_FACTS; i++) {
        node = martech_map_node(&e->map, martech_plausible_facts[i].role);

        if (node == MARTECH_JSON_NONE) {
            continue;
        }

        if (martech_plausible_is_beside(e, i)) {
            e->beside++;
            continue;
        }

        if (martech_plausible_facts[i].role == MARTECH_PLAUSIBLE_REVENUE
            && t->tape->nodes[node].kind == MARTECH_JSON_OBJECT)
        {
            martech_plausible_revenue(t, e, node);
            continue;
        }

        martech_dialect_node(t, martech_plausible_facts[i].name, node);
    }

    martech_json_end(&t->out, '}');
}


/* What did not fit among the properties, and what no document names. */

static void
martech_plausible_context(martech_translation_t *t,
    martech_plausible_event_t *e, martech_str_t url)
{
    unsigned  i;
    uint32_t  node;

    martech_json_name(&t->out, "context");
    martech_json_begin(&t->out, '{');
    martech_map_context(t, &e->map, url, NULL);

    if (e->beside == 0) {
        martech_json_end(&t->out, '}');
        return;
    }

    martech_json_name(&t->out, "plausible");
    martech_json_begin(&t->out, '{');

    for (i = 0; i < MARTECH_PLAUSIBLE_FACTS; i++) {
        node = martech_map_node(&e->map, martech_plausible_facts[i].role);

        if (node != MARTECH_JSON_NONE && martech_plausible_is_beside(e, i)) {
            martech_dialect_node(t, martech_plausible_facts[i].name, node);
        }
    }

    martech_map_others(t, &e->map, 0);
    martech_json_end(&t->out, '}');

    martech_json_end(&t->out, '}');
}


/* The tracker reads the status only; 202 is what the vendor's server says. */

static void
martech_plausible_reply(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    (void) request;
    (void) verdict;

    martech_reply_set(reply, 202, "text/plain", "ok", 2);
}
