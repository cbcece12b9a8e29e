
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * From the address of a page to context.campaign.
 *
 * Names are compared as they stand: who counts utm_Source has never seen it
 * counted elsewhere.
 */


#include <string.h>

#include "martech_campaign.h"
#include "martech_field.h"
#include "martech_form.h"
#include "martech_url.h"


typedef struct {
    martech_str_t  param;
    martech_str_t  name;
} martech_campaign_name_t;


static void martech_campaign_pair(martech_campaign_t *c, martech_str_t name,
    martech_str_t value, const martech_privacy_t *privacy);
static int martech_campaign_known(const martech_campaign_t *c,
    martech_str_t param, martech_campaign_entry_t *entry);
static int martech_campaign_family(const martech_campaign_t *c,
    martech_str_t param);
static unsigned martech_campaign_node(martech_campaign_t *c,
    const martech_event_t *ev, uint32_t node, int query,
    const martech_privacy_t *privacy);
static uint32_t martech_campaign_context(const martech_event_t *ev,
    const char *name, size_t len);
static martech_str_t martech_campaign_wrap(martech_edits_t *edits,
    const char *before, martech_str_t members, const char *after);


#define martech_campaign_entry(param, name)                                   \
    { martech_string(param), martech_string(name) }


/* Segment's names of the Urchin parameters; "campaign" is "name" there. */

static const martech_campaign_name_t  martech_campaign_tags[] = {
    martech_campaign_entry("utm_source", "source"),
    martech_campaign_entry("utm_medium", "medium"),
    martech_campaign_entry("utm_campaign", "name"),
    martech_campaign_entry("utm_term", "term"),
    martech_campaign_entry("utm_content", "content"),
    martech_campaign_entry("utm_id", "id"),
    martech_campaign_entry("utm_source_platform", "source_platform"),
    martech_campaign_entry("utm_creative_format", "creative_format"),
    martech_campaign_entry("utm_marketing_tactic", "marketing_tactic"),
};


/* Ids of clicks keep their names.  mc_eid is not among them: it is the id of
   a subscriber. */

static const martech_str_t  martech_campaign_clicks[] = {
    martech_string("gclid"), martech_string("gbraid"),
    martech_string("wbraid"), martech_string("gclsrc"),
    martech_string("gad_source"), martech_string("gad_campaignid"),
    martech_string("dclid"), martech_string("srsltid"),
    martech_string("fbclid"), martech_string("msclkid"),
    martech_string("ttclid"), martech_string("twclid"),
    martech_string("li_fat_id"), martech_string("rdt_cid"),
    martech_string("ScCid"), martech_string("sccid"), martech_string("epik"),
    martech_string("igshid"), martech_string("yclid"),
    martech_string("qclid"), martech_string("irclickid"),
    martech_string("irclid"), martech_string("_kx"),
    martech_string("mc_cid"),
};


static inline int
martech_campaign_equal(martech_str_t a, martech_str_t b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}


void
martech_campaign_init(martech_campaign_t *c, int clicks)
{
    c->count = 0;
    c->used = 0;
    c->stored = 0;
    c->clicks = (clicks != 0);
}


unsigned
martech_campaign_query(martech_campaign_t *c, martech_str_t query,
    const martech_privacy_t *privacy)
{
    unsigned        i;
    martech_str_t   name, value;
    martech_form_t  form;

    if (query.len > 0 && query.data[0] == '?') {
        query.data++;
        query.len--;
    }

    form.rest = query;

    for (i = 0; i < MARTECH_CAMPAIGN_PAIRS; i++) {

        if (!martech_form_next(&form, &name, &value)) {
            break;
        }

        martech_campaign_pair(c, name, value, privacy);
    }

    return c->count;
}


static void
martech_campaign_pair(martech_campaign_t *c, martech_str_t name,
    martech_str_t value, const martech_privacy_t *privacy)
{
    size_t                     n;
    unsigned                   i;
    unsigned char             *p;
    martech_str_t              pair;
    martech_campaign_entry_t   entry;

    /* three bytes of an escape become one */

    if (value.len == 0 || value.len > 3 * MARTECH_CAMPAIGN_VALUE_MAX
        || c->count == MARTECH_CAMPAIGN_PARAMS
        || !martech_campaign_known(c, name, &entry))
    {
        return;
    }

    for (i = 0; i < c->count; i++) {

        if (martech_campaign_equal(c->list[i].name, entry.name)) {
            return;
        }
    }

    /* a name and its value are neighbours in the query */

    pair.data = name.data;
    pair.len = (size_t) (value.data + value.len - name.data);

    if (privacy && martech_privacy_param(privacy, pair)) {
        return;
    }

    p = c->buf + c->used;
    n = martech_url_decode(value, p, sizeof(c->buf) - c->used);

    if (n == 0 || n > MARTECH_CAMPAIGN_VALUE_MAX
        || c->used + n + name.len > sizeof(c->buf))
    {
        return;
    }

    entry.value.data = p;
    entry.value.len = n;
    p += n;

    /* the query may be gone before the entry is */

    memcpy(p, name.data, name.len);

    if (entry.name.data == name.data) {
        entry.name.data = p;
    }

    entry.param.data = p;
    entry.param.len = name.len;

    c->used += n + name.len;
    c->list[c->count++] = entry;
}


/* Sets the name of a parameter's member; that of a family is its own. */

static int
martech_campaign_known(const martech_campaign_t *c, martech_str_t param,
    martech_campaign_entry_t *entry)
{
    size_t  i;

    if (param.len < 3 || param.len > MARTECH_CAMPAIGN_NAME_MAX) {
        return 0;
    }

    if (memcmp(param.data, "utm", 3) == 0) {

        for (i = 0;
             i < sizeof(martech_campaign_tags)
                 / sizeof(martech_campaign_tags[0]);
             i++)
        {
            if (martech_campaign_equal(param, martech_campaign_tags[i].param))
            {
                entry->name = martech_campaign_tags[i].name;
                return 1;
            }
        }

        return 0;
    }

    if (martech_campaign_family(c, param)) {
        entry->name = param;
        return 1;
    }

    if (!c->clicks) {
        return 0;
    }

    for (i = 0;
         i < sizeof(martech_campaign_clicks)
             / sizeof(martech_campaign_clicks[0]);
         i++)
    {
        if (martech_campaign_equal(param, martech_campaign_clicks[i])) {
            entry->name = martech_campaign_clicks[i];
            return 1;
        }
    }

    return 0;
}


/* 1 for mtm_*, pk_* (tags of Matomo) and hsa_* (of ads, as ids of clicks). */

static int
martech_campaign_family(const martech_campaign_t *c, martech_str_t param)
{
    size_t         i;
    unsigned char  ch;

    if (!(param.len > 4 && memcmp(param.data, "mtm_", 4) == 0)
        && !(param.len > 3 && memcmp(param.data, "pk_", 3) == 0)
        && !(c->clicks && param.len > 4
             && memcmp(param.data, "hsa_", 4) == 0))
    {
        return 0;
    }

    for (i = 0; i < param.len; i++) {
        ch = param.data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9') || ch == '_'))
        {
            return 0;
        }
    }

    return 1;
}


unsigned
martech_campaign_event(martech_campaign_t *c, const martech_event_t *ev,
    const martech_privacy_t *privacy)
{
    uint32_t                    page, properties;
    const martech_json_tape_t  *tape;

    tape = ev->batch->tape;
    page = martech_campaign_context(ev, "page", 4);

    if (page != MARTECH_JSON_NONE
        && (martech_campaign_node(c, ev,
                                  martech_json_member(tape, page, "url", 3), 0,
                                  privacy)
            || martech_campaign_node(c, ev,
                                  martech_json_member(tape, page, "search", 6),
                                  1, privacy)))
    {
        return c->count;
    }

    properties = ev->fields[MARTECH_FIELD_PROPERTIES];

    if (properties != MARTECH_JSON_NONE) {
        (void) martech_campaign_node(c, ev,
                            martech_json_member(tape, properties, "url", 3), 0,
                            privacy);
    }

    return c->count;
}


/* A string of the event, a query or a URL with one. */

static unsigned
martech_campaign_node(martech_campaign_t *c, const martech_event_t *ev,
    uint32_t node, int query, const martech_privacy_t *privacy)
{
    long                        n;
    martech_str_t               text;
    unsigned char               buf[MARTECH_CAMPAIGN_URL_MAX];
    const unsigned char        *p;
    const martech_json_node_t  *value;

    value = &ev->batch->tape->nodes[node];

    if (node == MARTECH_JSON_NONE || value->kind != MARTECH_JSON_STRING
        || value->len == 0)
    {
        return 0;
    }

    text = martech_json_slice(ev->batch->tape, node);

    if (value->flags & MARTECH_JSON_VALUE_ESCAPED) {
        n = martech_json_unescape(text, buf, sizeof(buf));

        if (n <= 0) {
            return 0;
        }

        text.data = buf;
        text.len = (size_t) n;
    }

    if (!query) {
        p = memchr(text.data, '?', text.len);

        if (p == NULL) {
            return 0;
        }

        text.len -= (size_t) (p + 1 - text.data);
        text.data = p + 1;
    }

    p = text.len ? memchr(text.data, '#', text.len) : NULL;

    if (p) {
        text.len = (size_t) (p - text.data);
    }

    return martech_campaign_query(c, text, privacy);
}


/* A member of what will be the event's context. */

static uint32_t
martech_campaign_context(const martech_event_t *ev, const char *name,
    size_t len)
{
    uint32_t  node;

    node = MARTECH_JSON_NONE;

    if (ev->fields[MARTECH_FIELD_CONTEXT] != MARTECH_JSON_NONE) {
        node = martech_json_member(ev->batch->tape,
                                   ev->fields[MARTECH_FIELD_CONTEXT], name,
                                   len);
    }

    if (node == MARTECH_JSON_NONE
        && ev->batch->context != MARTECH_JSON_NONE)
    {
        node = martech_json_member(ev->batch->tape, ev->batch->context, name,
                                   len);
    }

    return node;
}


int
martech_campaign_given(const martech_event_t *ev)
{
    uint32_t                    node;
    const martech_json_node_t  *campaign;

    node = martech_campaign_context(ev, "campaign", 8);
    campaign = &ev->batch->tape->nodes[node];

    return node != MARTECH_JSON_NONE && campaign->kind != MARTECH_JSON_NULL
           && !(campaign->kind == MARTECH_JSON_OBJECT
                && campaign->count == 0);
}


size_t
martech_campaign_write(const martech_campaign_t *c,
    const martech_event_t *ev, unsigned char *out)
{
    unsigned                         i;
    uint32_t                         given;
    unsigned char                    name[MARTECH_CAMPAIGN_NAME_MAX + 1];
    martech_json_writer_t            w;
    const martech_campaign_entry_t  *entry;

    given = martech_campaign_context(ev, "campaign", 8);

    martech_json_writer_init(&w, out, MARTECH_CAMPAIGN_TEXT_MAX);

    for (i = 0; i < c->count; i++) {
        entry = &c->list[i];

        if (given != MARTECH_JSON_NONE
            && martech_json_member(ev->batch->tape, given,
                                   (const char *) entry->name.data,
                                   entry->name.len)
               != MARTECH_JSON_NONE)
        {
            continue;
        }

        memcpy(name, entry->name.data, entry->name.len);
        name[entry->name.len] = '\0';

        martech_json_name(&w, (const char *) name);
        martech_json_string(&w, entry->value.data, entry->value.len);
    }

    if (c->stored && w.pos > w.start) {
        martech_json_name(&w, "stored");
        martech_json_bool(&w, 1);
    }

    return w.overflow ? 0 : (size_t) (w.pos - w.start);
}


void
martech_campaign_put(martech_event_t *ev, martech_edits_t *edits,
    martech_str_t members)
{
    uint32_t                    node, at;
    martech_str_t               text;
    const martech_json_node_t  *campaign;

    if (members.len == 0) {
        return;
    }

    node = martech_campaign_context(ev, "campaign", 8);
    campaign = &ev->batch->tape->nodes[node];

    if (node == MARTECH_JSON_NONE) {
        ev->context_extra = martech_campaign_wrap(edits, "\"campaign\":{",
                                                  members, "}");
        return;
    }

    at = campaign->value;

    if (campaign->kind == MARTECH_JSON_NULL) {
        text = martech_campaign_wrap(edits, "{", members, "}");
        martech_edit_add(edits, at, at + campaign->len, text);
        return;
    }

    if (campaign->kind != MARTECH_JSON_OBJECT) {
        return;
    }

    /*
     * In front, where the comma is right whatever is left of the object; with
     * the brace, as the first member may have a change that begins behind it.
     */

    text = martech_campaign_wrap(edits, "{", members,
                                 campaign->count ? "," : "");
    martech_edit_add(edits, at, at + 1, text);
}


static martech_str_t
martech_campaign_wrap(martech_edits_t *edits, const char *before,
    martech_str_t members, const char *after)
{
    size_t          head, tail;
    martech_str_t   text;
    unsigned char  *p;

    head = strlen(before);
    tail = strlen(after);

    text.len = 0;
    text.data = NULL;

    p = martech_edit_room(edits, head + members.len + tail);

    if (p == NULL) {
        return text;
    }

    memcpy(p, before, head);
    memcpy(p + head, members.data, members.len);
    memcpy(p + head + members.len, after, tail);

    text.data = p;
    text.len = head + members.len + tail;

    return text;
}


size_t
martech_campaign_cookie(const martech_campaign_t *c, unsigned char *out)
{
    size_t                k, size;
    unsigned              i;
    unsigned char         ch, *p;
    const martech_str_t  *value;

    static const char  hex[] = "0123456789ABCDEF";

    p = out;

    for (i = 0; i < c->count; i++) {
        value = &c->list[i].value;
        size = c->list[i].param.len + 2 + 3 * value->len;

        if (size > MARTECH_CAMPAIGN_COOKIE_MAX - (size_t) (p - out)) {
            continue;
        }

        if (p > out) {
            *p++ = '&';
        }

        memcpy(p, c->list[i].param.data, c->list[i].param.len);
        p += c->list[i].param.len;
        *p++ = '=';

        for (k = 0; k < value->len; k++) {
            ch = value->data[k];

            if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
                || (ch >= '0' && ch <= '9') || ch == '-' || ch == '.'
                || ch == '_' || ch == '~')
            {
                *p++ = ch;
                continue;
            }

            *p++ = '%';
            *p++ = (unsigned char) hex[ch >> 4];
            *p++ = (unsigned char) hex[ch & 0x0f];
        }
    }

    return (size_t) (p - out);
}
