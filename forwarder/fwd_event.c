
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Events from replies.
 *
 * The text is scanned once, which proves that it is a JSON object and finds
 * the members that routing looks at; it is never built up as a tree here, and
 * goes to the destinations as the slice it came in.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_event.h"


#define FWD_EVENT_TOKENS_MIN   4096
#define FWD_EVENT_TOKENS_MAX   (4 * 1024 * 1024)
#define FWD_EVENT_DEPTH_MAX    512
#define FWD_EVENT_ID_MAX       400       /* bytes of 100 characters */
#define FWD_EVENT_SOURCE_MAX   64
#define FWD_EVENT_NAME_MAX     64        /* bytes of "to" */
#define FWD_EVENT_TRACEPARENT  55        /* bytes of a traceparent */


typedef struct {
    martech_str_t         version;
    martech_str_t         id;
    martech_str_t         source;
    martech_str_t         text;
    martech_str_t         to;
    martech_str_t         body;
    martech_str_t         replays;
} fwd_event_fields_t;


static void fwd_event_fields(fwd_event_fields_t *f, const redisReply *list);
static const char *fwd_event_check(fwd_reader_tape_t *rt,
    const fwd_event_fields_t *f);
static uint32_t fwd_event_number(martech_str_t text);
static int fwd_event_id_valid(martech_str_t id);
static int fwd_event_source_valid(martech_str_t source);
static fwd_event_t *fwd_event_create(fwd_idmap_t *store, fwd_id_t id,
    const fwd_event_fields_t *f);
static martech_str_t fwd_event_copy(unsigned char **p, martech_str_t from);


void
fwd_reader_tape_init(fwd_reader_tape_t *rt)
{
    memset(rt, 0, sizeof(fwd_reader_tape_t));

    /* the edge has checked its limits; here only the shape counts */

    martech_limits_default(&rt->limits);
    rt->limits.depth_max = FWD_EVENT_DEPTH_MAX;
    rt->limits.key_size_max = UINT16_MAX;
    rt->limits.string_size_max = UINT32_MAX;
    rt->limits.tokens_max = FWD_EVENT_TOKENS_MAX;
}


void
fwd_reader_tape_free(fwd_reader_tape_t *rt)
{
    free(rt->tape.nodes);
    memset(rt, 0, sizeof(fwd_reader_tape_t));
}


fwd_rc_t
fwd_event_id(const redisReply *entry, fwd_id_t *id)
{
    if (entry->type != REDIS_REPLY_ARRAY || entry->elements < 1
        || entry->element[0]->type != REDIS_REPLY_STRING)
    {
        return FWD_ERROR;
    }

    return fwd_id_parse(id, entry->element[0]->str,
                        (size_t) entry->element[0]->len);
}


fwd_event_t *
fwd_event_read(fwd_reader_tape_t *rt, fwd_idmap_t *store,
    const redisReply *entry)
{
    fwd_id_t             id;
    const char          *bad;
    fwd_event_t         *ev;
    fwd_event_fields_t   f;

    if (fwd_event_id(entry, &id) != FWD_OK || entry->elements < 2) {
        return NULL;
    }

    ev = fwd_idmap_get(store, id);
    if (ev != NULL) {
        return fwd_event_ref(ev);
    }

    if (entry->element[1]->type != REDIS_REPLY_ARRAY) {
        return fwd_event_missing(store, id);
    }

    fwd_event_fields(&f, entry->element[1]);

    bad = fwd_event_check(rt, &f);

    ev = fwd_event_create(store, id, &f);
    if (ev == NULL) {
        return NULL;
    }

    ev->bad = bad;

    if (bad == NULL) {
        fwd_event_members(rt, ev);
    }

    return ev;
}


fwd_event_t *
fwd_event_missing(fwd_idmap_t *store, fwd_id_t id)
{
    fwd_event_t         *ev;
    fwd_event_fields_t   f;

    /* another destination may have found the event before it vanished */

    ev = fwd_idmap_get(store, id);
    if (ev != NULL) {
        return fwd_event_ref(ev);
    }

    memset(&f, 0, sizeof(f));

    ev = fwd_event_create(store, id, &f);

    if (ev != NULL) {
        ev->bad = "missing";
    }

    return ev;
}


static void
fwd_event_fields(fwd_event_fields_t *f, const redisReply *list)
{
    size_t             i;
    martech_str_t     *to;
    const redisReply  *name, *value;

    memset(f, 0, sizeof(fwd_event_fields_t));

    for (i = 0; i + 1 < list->elements; i += 2) {
        name = list->element[i];
        value = list->element[i + 1];

        if (name->type != REDIS_REPLY_STRING
            || value->type != REDIS_REPLY_STRING)
        {
            continue;
        }

        if (strcmp(name->str, "e") == 0) {
            to = &f->text;

        } else if (strcmp(name->str, "id") == 0) {
            to = &f->id;

        } else if (strcmp(name->str, "src") == 0) {
            to = &f->source;

        } else if (strcmp(name->str, "v") == 0) {
            to = &f->version;

        } else if (strcmp(name->str, "to") == 0) {
            to = &f->to;

        } else if (strcmp(name->str, "body") == 0) {
            to = &f->body;

        } else if (strcmp(name->str, "n") == 0) {
            to = &f->replays;

        } else {
            continue;
        }

        to->data = (unsigned char *) value->str;
        to->len = (size_t) value->len;
    }
}


/* NULL if all is well, else the reason. */

static const char *
fwd_event_check(fwd_reader_tape_t *rt, const fwd_event_fields_t *f)
{
    if (f->version.len != sizeof(MARTECH_FORMAT_VERSION) - 1
        || memcmp(f->version.data, MARTECH_FORMAT_VERSION, f->version.len)
           != 0)
    {
        return "version";
    }

    if (!fwd_event_id_valid(f->id)) {
        return "id";
    }

    if (!fwd_event_source_valid(f->source)) {
        return "source";
    }

    if (f->to.len > FWD_EVENT_NAME_MAX) {
        return "to";
    }

    if (fwd_reader_tape_scan(rt, f->text) != FWD_OK
        || rt->tape.nodes[0].kind != MARTECH_JSON_OBJECT)
    {
        return "event";
    }

    return NULL;
}


fwd_rc_t
fwd_reader_tape_scan(fwd_reader_tape_t *rt, martech_str_t text)
{
    uint32_t              size;
    martech_rc_t          rc;
    martech_json_node_t  *nodes;

    if (text.len == 0 || text.len > UINT32_MAX / 2) {
        return FWD_ERROR;
    }

    for ( ;; ) {
        rc = (rt->tape.nodes_max == 0)
             ? MARTECH_JSON_TOKENS
             : martech_json_scan(&rt->tape, text.data, text.len, &rt->limits);

        if (rc == MARTECH_OK) {
            return FWD_OK;
        }

        if (rc != MARTECH_JSON_TOKENS
            || rt->tape.nodes_max >= FWD_EVENT_TOKENS_MAX)
        {
            return FWD_ERROR;
        }

        size = rt->tape.nodes_max
               ? rt->tape.nodes_max * 2 : FWD_EVENT_TOKENS_MIN;

        nodes = realloc(rt->tape.nodes, size * sizeof(martech_json_node_t));
        if (nodes == NULL) {
            return FWD_ERROR;
        }

        rt->tape.nodes = nodes;
        rt->tape.nodes_max = size;
    }
}


static int
fwd_event_id_valid(martech_str_t id)
{
    size_t  i;

    if (id.len == 0 || id.len > FWD_EVENT_ID_MAX) {
        return 0;
    }

    for (i = 0; i < id.len; i++) {
        if (id.data[i] < 0x20 || id.data[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
}


static int
fwd_event_source_valid(martech_str_t source)
{
    size_t         i;
    unsigned char  c;

    if (source.len == 0 || source.len > FWD_EVENT_SOURCE_MAX) {
        return 0;
    }

    for (i = 0; i < source.len; i++) {
        c = source.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
              || (c >= 'a' && c <= 'z') || c == '_' || c == '.' || c == '-'))
        {
            return 0;
        }
    }

    return 1;
}


static fwd_event_t *
fwd_event_create(fwd_idmap_t *store, fwd_id_t id,
    const fwd_event_fields_t *f)
{
    size_t          size;
    fwd_event_t    *ev;
    unsigned char  *p;

    size = sizeof(fwd_event_t) + f->id.len + f->source.len + f->text.len
           + f->to.len + f->body.len;

    if (size > UINT32_MAX) {
        return NULL;
    }

    ev = malloc(size);
    if (ev == NULL) {
        return NULL;
    }

    memset(ev, 0, sizeof(fwd_event_t));

    ev->id = id;
    ev->store = store;
    ev->refs = 1;
    ev->size = (uint32_t) size;

    p = (unsigned char *) (ev + 1);
    ev->text = fwd_event_copy(&p, f->text);
    ev->message_id = fwd_event_copy(&p, f->id);
    ev->source = fwd_event_copy(&p, f->source);
    ev->to = fwd_event_copy(&p, f->to);
    ev->body = fwd_event_copy(&p, f->body);
    ev->replays = fwd_event_number(f->replays);

    if (fwd_idmap_add(store, id, ev) != FWD_OK) {
        free(ev);
        return NULL;
    }

    return ev;
}


/* What is no number counts as none: it is only told to people. */

static uint32_t
fwd_event_number(martech_str_t text)
{
    size_t    i;
    uint32_t  n;

    n = 0;

    for (i = 0; i < text.len && i < 9; i++) {

        if (text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }

        n = n * 10 + (uint32_t) (text.data[i] - '0');
    }

    return n;
}


static martech_str_t
fwd_event_copy(unsigned char **p, martech_str_t from)
{
    martech_str_t  to;

    to.data = *p;
    to.len = from.len;

    if (from.len != 0) {
        memcpy(*p, from.data, from.len);
        *p += from.len;
    }

    return to;
}


fwd_event_t *
fwd_event_ref(fwd_event_t *ev)
{
    ev->refs++;

    return ev;
}


void
fwd_event_unref(fwd_event_t *ev)
{
    if (--ev->refs != 0) {
        return;
    }

    fwd_idmap_remove(ev->store, ev->id);
    free(ev);
}
