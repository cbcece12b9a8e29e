
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * An image whose query is an event: for mails, pages without scripts, and
 * whatever can only ask for a URL.  Names are those of the event; a dot leads
 * into an object, and a name that is none of the event's is a property.
 */


#include <string.h>

#include "martech_dialect_list.h"
#include "martech_dialect_map.h"
#include "martech_dialect_tree.h"
#include "martech_event.h"
#include "martech_form.h"


static const martech_endpoint_t *martech_pixel_match(
    const martech_request_t *request);
static martech_rc_t martech_pixel_translate(martech_translation_t *t);
static martech_rc_t martech_pixel_read(martech_translation_t *t,
    martech_tree_t *tree, martech_str_t *key);
static martech_rc_t martech_pixel_add(martech_tree_t *tree,
    martech_str_t name, martech_str_t value);
static martech_rc_t martech_pixel_type(martech_tree_t *tree);
static void martech_pixel_reply(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply);


static const martech_endpoint_t  martech_pixel_image = {
    .name = "pixel",
    .methods = MARTECH_GET,
    .image = 1,
    .translate = martech_pixel_translate,
    .reply = martech_pixel_reply,
};

const martech_dialect_t  martech_dialect_pixel = {
    .name = martech_string("pixel"),
    .match = martech_pixel_match,
};


static const martech_endpoint_t *
martech_pixel_match(const martech_request_t *request)
{
    return (martech_dialect_path_is(request->path, "/pixel", 6)
            || martech_dialect_path_is(request->path, "/pixel.gif", 10)
            || martech_dialect_path_is(request->path, "/p.gif", 6))
           ? &martech_pixel_image : NULL;
}


static martech_rc_t
martech_pixel_translate(martech_translation_t *t)
{
    martech_rc_t    rc;
    martech_str_t   key = { 0, NULL };
    martech_tree_t  tree;

    /* nothing of this request stands on the tape */

    t->tape->nodes_count = 0;

    martech_tree_init(&tree);

    rc = martech_pixel_read(t, &tree, &key);

    if (rc == MARTECH_OK) {
        rc = martech_pixel_type(&tree);
    }

    if (rc != MARTECH_OK) {
        t->field = "query";
        return rc;
    }

    martech_dialect_begin(t, key, -1);
    martech_json_begin(&t->out, '{');
    rc = martech_tree_write(t, &tree, MARTECH_TREE_ROOT);
    martech_json_end(&t->out, '}');
    martech_dialect_end(t);

    return rc;
}


static int
martech_pixel_is(martech_str_t name, const char *word)
{
    return name.len == strlen(word) && memcmp(name.data, word, name.len) == 0;
}


/* An empty value says nothing, and "_" and "cb" are against caches. */

static martech_rc_t
martech_pixel_read(martech_translation_t *t, martech_tree_t *tree,
    martech_str_t *key)
{
    martech_rc_t    rc;
    martech_str_t   name, value;
    martech_form_t  pairs;

    rc = MARTECH_OK;
    pairs.rest = t->request->args;

    while (rc == MARTECH_OK && martech_form_next(&pairs, &name, &value)) {
        name = martech_dialect_decode(t, name);
        value = martech_dialect_decode(t, value);

        if (value.len == 0 || martech_pixel_is(name, "_")
            || martech_pixel_is(name, "cb"))
        {
            continue;
        }

        if (!martech_pixel_is(name, "writeKey")) {
            rc = martech_pixel_add(tree, name, value);

        } else if (key->data == NULL) {
            *key = value;
        }
    }

    return rc;
}


/* The ids, times and names of an event are strings, whatever they look
   like. */

static martech_rc_t
martech_pixel_add(martech_tree_t *tree, martech_str_t name,
    martech_str_t value)
{
    unsigned              i, properties;
    martech_str_t         object;
    const unsigned char  *dot;

    static const char *const  members[] = {
        "type", "event", "name", "category", "messageId", "anonymousId",
        "userId", "groupId", "previousId", "timestamp", "originalTimestamp",
        "sentAt",
    };

    static const char *const  objects[] = {
        "properties", "traits", "context", "integrations",
    };

    static const martech_str_t  own = martech_string("properties");

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (martech_pixel_is(name, members[i])) {
            return martech_tree_add(tree, MARTECH_TREE_ROOT, name, value,
                                    MARTECH_WRITE_TEXT, 0);
        }
    }

    object = name;
    dot = (name.len > 0) ? memchr(name.data, '.', name.len) : NULL;

    if (dot) {
        object.len = (size_t) (dot - name.data);
    }

    for (i = 0; dot && i < sizeof(objects) / sizeof(objects[0]); i++) {
        if (martech_pixel_is(object, objects[i])) {
            return martech_tree_add(tree, MARTECH_TREE_ROOT, name, value,
                                    MARTECH_WRITE_VALUE, 1);
        }
    }

    properties = martech_tree_object(tree, own);

    return properties ? martech_tree_add(tree, properties, name, value,
                                         MARTECH_WRITE_VALUE, 1)
                      : MARTECH_EVENT_SIZE;
}


/* Without a type it is a track event if it has a name, else a page. */

static martech_rc_t
martech_pixel_type(martech_tree_t *tree)
{
    unsigned       i;
    martech_str_t  value;

    static const martech_str_t  type = martech_string("type");
    static const martech_str_t  track = martech_string("track");
    static const martech_str_t  page = martech_string("page");

    value = page;

    for (i = tree->nodes[MARTECH_TREE_ROOT].first; i;
         i = tree->nodes[i].next)
    {
        if (martech_pixel_is(tree->nodes[i].name, "event")) {
            value = track;
        }
    }

    /* does nothing if there is one */

    return martech_tree_add(tree, MARTECH_TREE_ROOT, type, value,
                            MARTECH_WRITE_TEXT, 0);
}


static void
martech_pixel_reply(const martech_request_t *request,
    const martech_verdict_t *verdict, martech_reply_t *reply)
{
    (void) request;

    martech_reply_image(reply, verdict->status ? verdict->status : 200);
}
