
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Over all that is stored of an event, once: what rules, names, places and
 * values ask to be changed.
 */


#include <string.h>

#include "martech_agent.h"
#include "martech_field.h"
#include "martech_ip.h"
#include "martech_privacy_private.h"


/* digits that any number of a person has */
#define MARTECH_PRIVACY_NUMBER_MIN  6


static void martech_privacy_work(martech_privacy_work_t *w,
    const martech_privacy_t *privacy, const martech_event_t *ev,
    martech_edits_t *edits);
static void martech_privacy_event(martech_privacy_work_t *w);
static void martech_privacy_top(martech_privacy_work_t *w, uint32_t node);
static void martech_privacy_walk(martech_privacy_work_t *w, uint32_t parent,
    unsigned zone, unsigned hints);
static int martech_privacy_leads(martech_privacy_work_t *w, uint32_t parent,
    uint32_t node, martech_privacy_name_t *name, unsigned zone);
static void martech_privacy_value_of(martech_privacy_work_t *w,
    uint32_t node, martech_privacy_name_t *name, unsigned zone,
    unsigned hints);
static int martech_privacy_client(martech_privacy_work_t *w, uint32_t node,
    martech_privacy_name_t *name, unsigned zone);
static void martech_privacy_reduce(martech_privacy_work_t *w, uint32_t node,
    int agent);
static int martech_privacy_product(martech_privacy_work_t *w,
    uint32_t parent);


void
martech_privacy_edit(const martech_privacy_t *privacy,
    const martech_event_t *ev, const martech_str_t *personal,
    unsigned npersonal, martech_edits_t *edits)
{
    martech_privacy_work_t  w;

    martech_privacy_work(&w, privacy, ev, edits);

    w.patterns = privacy->patterns;
    w.usual = (privacy->nvalues == 0);
    w.url = privacy->scrub ? &w.privacy->url : NULL;

    martech_privacy_marks(&w, personal, npersonal, privacy->personal);
    martech_privacy_event(&w);
}


void
martech_privacy_anonymize(const martech_privacy_t *privacy,
    const martech_event_t *ev, martech_str_t ip, martech_str_t agent,
    const martech_str_t *personal, unsigned npersonal,
    martech_edits_t *edits)
{
    martech_url_rules_t        url;
    martech_privacy_work_t     w;
    martech_privacy_secrets_t  secrets;

    martech_privacy_work(&w, privacy, ev, edits);

    secrets.count = 0;
    secrets.used = 0;
    memset(secrets.first, 0, sizeof(secrets.first));
    url.count = 0;
    url.usual = 0;
    url.campaign = 1;

    w.secrets = &secrets;
    w.url = &url;
    w.patterns = MARTECH_PII_ALL | MARTECH_PII_RANDOM;

    martech_privacy_secrets(&w, ip, agent);
    martech_privacy_marks(&w, personal, npersonal, MARTECH_REDACT_DROP);
    martech_privacy_event(&w);
}


static void
martech_privacy_work(martech_privacy_work_t *w,
    const martech_privacy_t *privacy, const martech_event_t *ev,
    martech_edits_t *edits)
{
    /* only the cache and the scratch of a set change */

    w->privacy = (martech_privacy_t *) privacy;
    w->ev = ev;
    w->tape = ev->batch->tape;
    w->edits = edits;
    w->secrets = NULL;
    w->url = NULL;
    w->usual = 0;
    w->mark = 0;
    w->nmarks = 0;
}


static void
martech_privacy_event(martech_privacy_work_t *w)
{
    uint32_t                    i, end;
    const martech_batch_t      *batch;
    const martech_json_node_t  *nodes;

    nodes = w->tape->nodes;
    batch = w->ev->batch;
    end = nodes[w->ev->node].next;

    for (i = w->ev->node + 1; i < end && !w->edits->full; i = nodes[i].next) {
        martech_privacy_top(w, i);
    }

    w->mark = 0;

    if (batch->context != MARTECH_JSON_NONE && !w->edits->full) {
        martech_privacy_top(w, batch->context);
    }

    w->mark = 0;

    if (batch->integrations != MARTECH_JSON_NONE && !w->edits->full) {
        martech_privacy_top(w, batch->integrations);
    }

    w->mark = 0;

    if (batch->sent_at != MARTECH_JSON_NONE && !w->edits->full) {
        martech_privacy_top(w, batch->sent_at);
    }
}


/* Those of some patterns that a string may hold; all if it has escapes. */

static inline unsigned
martech_privacy_may(const martech_privacy_work_t *w, uint32_t node,
    unsigned patterns)
{
    const martech_json_node_t  *value;

    value = &w->tape->nodes[node];

    if (patterns == 0 || (value->flags & MARTECH_JSON_VALUE_ESCAPED)) {
        return patterns;
    }

    if (value->len < MARTECH_PII_LEN_MIN) {
        return 0;
    }

    return patterns & martech_pii_may(w->tape->text + value->value, value->len,
                                      w->tape->text + w->tape->len);
}


/* What pointers ask of a node, or NOT.  Nodes come in order. */

static inline unsigned
martech_privacy_marked(martech_privacy_work_t *w, uint32_t node)
{
    unsigned  how;

    how = MARTECH_REDACT_NOT;

    while (w->mark < w->nmarks && w->marks[w->mark].node <= node) {

        if (w->marks[w->mark].node == node) {
            how = martech_redact_worse(how, w->marks[w->mark].how);
        }

        w->mark++;
    }

    return how;
}


/*
 * 1 if it is clear at a glance that nothing is to be done about a plain value,
 * as it is of most: it is short, and nothing of a pattern is in it.
 */

static inline int
martech_privacy_quiet(const martech_privacy_work_t *w,
    const martech_json_node_t *value, const martech_privacy_name_t *name)
{
    size_t                from;
    const unsigned char  *text;

    if (!w->usual) {
        return 0;
    }

    if (value->kind != MARTECH_JSON_STRING) {
        return value->kind != MARTECH_JSON_NUMBER
               || value->len < MARTECH_PRIVACY_NUMBER_MIN;
    }

    from = value->value;
    text = w->tape->text + from;

    return value->len <= MARTECH_PII_BLOCK
           && from + MARTECH_PII_BLOCK <= w->tape->len
           && !(value->flags & MARTECH_JSON_VALUE_ESCAPED)
           && (*text | 0x20) != 'h'
           && (name == NULL || name->word < MARTECH_WORD_URL)
           && martech_pii_block(text, value->len) == 0;
}


/* A member of the event itself. */

static void
martech_privacy_top(martech_privacy_work_t *w, uint32_t node)
{
    unsigned                 f, how, zone, patterns;
    martech_privacy_name_t  *name;

    name = martech_privacy_known(w, node);
    f = name->field;
    patterns = w->patterns;
    zone = MARTECH_ZONE_DEEP;

    switch (f) {

    case MARTECH_FIELD_TYPE:
    case MARTECH_FIELD_RECEIVED_AT:
    case MARTECH_FIELD_WRITE_KEY:
        return;                  /* never written as it was sent */

    case MARTECH_FIELD_TIMESTAMP:
    case MARTECH_FIELD_ORIGINAL_TIMESTAMP:
    case MARTECH_FIELD_SENT_AT:
        patterns = 0;
        break;

    case MARTECH_FIELD_MESSAGE_ID:
        patterns &= MARTECH_PII_EMAIL;   /* long numbers are usual there */
        break;

    case MARTECH_FIELD_CONTEXT:
        zone = MARTECH_ZONE_CONTEXT;
        break;

    case MARTECH_FIELD_PROPERTIES:
        zone = MARTECH_ZONE_PROPERTIES;
        break;

    default:
        break;
    }

    if (w->secrets) {

        if (f == MARTECH_FIELD_OTHER) {
            martech_privacy_drop(w, node);
            return;
        }

        if (!martech_field_passed(f) && f != MARTECH_FIELD_CONTEXT) {
            return;              /* the writer leaves it out */
        }

        if (f == MARTECH_FIELD_TRAITS) {
            return;
        }

        /* pages and screens have names; who else has one is a person */

        if (f == MARTECH_FIELD_NAME && w->ev->type != MARTECH_EVENT_PAGE
            && w->ev->type != MARTECH_EVENT_SCREEN)
        {
            martech_privacy_drop(w, node);
            return;
        }
    }

    how = martech_redact_worse(martech_privacy_marked(w, node), name->how);

    if (how != MARTECH_REDACT_NOT) {
        martech_privacy_apply(w, node, how);
        return;
    }

    if (w->tape->nodes[node].kind >= MARTECH_JSON_ARRAY) {
        martech_privacy_walk(w, node, zone, 0);
        return;
    }

    if (patterns == w->patterns) {

        if (!martech_privacy_quiet(w, &w->tape->nodes[node], name)) {
            martech_privacy_value_of(w, node, name, MARTECH_ZONE_PAGE, 0);
        }

    } else if (w->tape->nodes[node].kind == MARTECH_JSON_STRING) {
        patterns = martech_privacy_may(w, node, patterns);

        if (patterns || w->privacy->nvalues) {
            martech_privacy_string(w, node, MARTECH_WORD_OTHER, patterns, 0);
        }
    }
}


static void
martech_privacy_walk(martech_privacy_work_t *w, uint32_t parent,
    unsigned zone, unsigned hints)
{
    unsigned                    how, inner;
    uint32_t                    i, end;
    martech_privacy_name_t     *name;
    const martech_json_node_t  *nodes, *member;

    nodes = w->tape->nodes;
    end = nodes[parent].next;
    name = NULL;

    for (i = parent + 1; i < end && !w->edits->full; i = nodes[i].next) {
        member = &nodes[i];
        how = martech_privacy_marked(w, i);

        if (member->key) {
            name = martech_privacy_known(w, i);
            how = martech_redact_worse(how, name->how);

            if (w->secrets
                && martech_privacy_leads(w, parent, i, name, zone))
            {
                how = MARTECH_REDACT_DROP;
            }
        }

        if (how != MARTECH_REDACT_NOT) {
            martech_privacy_apply(w, i, how);
            continue;
        }

        if (name != NULL && martech_privacy_client(w, i, name, zone)) {
            continue;
        }

        if (member->kind < MARTECH_JSON_ARRAY) {

            if (!martech_privacy_quiet(w, member, name)) {
                martech_privacy_value_of(w, i, name, zone, hints);
            }

            continue;
        }

        inner = MARTECH_ZONE_DEEP;

        if (w->secrets) {
            inner = martech_privacy_zone(w, i, zone);

        } else if (zone == MARTECH_ZONE_CONTEXT && name != NULL
                   && name->word == MARTECH_WORD_PAGE)
        {
            inner = MARTECH_ZONE_PAGE;
        }

        martech_privacy_walk(w, i, inner,
                             (member->key && w->patterns)
                             ? martech_privacy_hints(w, i, name) : hints);
    }
}


/* 1 if a member must not be in an anonymous event. */

static int
martech_privacy_leads(martech_privacy_work_t *w, uint32_t parent,
    uint32_t node, martech_privacy_name_t *name, unsigned zone)
{
    if (martech_privacy_unknown(w, node, zone)) {
        return 1;
    }

    if (zone != MARTECH_ZONE_DEEP && zone != MARTECH_ZONE_PROPERTIES) {
        return 0;
    }

    if (martech_privacy_person(w, node, name)) {
        return 1;
    }

    /* a "name" is a person's unless it is a product's */

    return name->called && !martech_privacy_product(w, parent);
}


/* A plain value that has to be looked at. */

static void
martech_privacy_value_of(martech_privacy_work_t *w, uint32_t node,
    martech_privacy_name_t *name, unsigned zone, unsigned hints)
{
    unsigned                    may, word;
    const unsigned char        *text;
    const martech_json_node_t  *value;

    value = &w->tape->nodes[node];

    if (value->kind == MARTECH_JSON_NUMBER) {

        if ((value->len >= MARTECH_PRIVACY_NUMBER_MIN && w->patterns)
            || w->secrets)
        {

            if (name != NULL) {
                hints |= martech_privacy_hints(w, node, name);
            }

            martech_privacy_number(w, node, hints);
        }

        return;
    }

    if (value->kind != MARTECH_JSON_STRING || value->len == 0) {
        return;
    }

    text = w->tape->text + value->value;

    may = martech_privacy_may(w, node, w->patterns);
    word = MARTECH_WORD_OTHER;

    if (name != NULL && w->url
        && (name->word == MARTECH_WORD_URL || name->word == MARTECH_WORD_SEARCH)
        && (zone == MARTECH_ZONE_PROPERTIES || zone == MARTECH_ZONE_PAGE
            || w->secrets))
    {
        word = name->word;
    }

    if (may == 0 && w->secrets == NULL && w->privacy->nvalues == 0
        && (w->url == NULL
            || (word == MARTECH_WORD_OTHER
                && !(value->flags & MARTECH_JSON_VALUE_ESCAPED)
                && ((*text | 0x20) != 'h'))))
    {
        return;
    }

    if (name != NULL && (may & ~MARTECH_PII_EMAIL)) {
        hints |= martech_privacy_hints(w, node, name);
    }

    martech_privacy_string(w, node, word, w->secrets ? w->patterns : may,
                           hints);
}


/* Address and user agent in a context; 1 if that is all there is to do. */

static int
martech_privacy_client(martech_privacy_work_t *w, uint32_t node,
    martech_privacy_name_t *name, unsigned zone)
{
    unsigned                    i;
    uint32_t                    child;
    martech_keep_t              keep;
    const martech_json_node_t  *nodes;

    static const martech_str_t  details[] = {
        martech_string("model"), martech_string("platformVersion"),
        martech_string("uaFullVersion"), martech_string("fullVersionList"),
        martech_string("bitness"), martech_string("architecture"),
        martech_string("wow64"), martech_string("formFactors"),
        martech_string("formFactor"),
    };

    if (zone != MARTECH_ZONE_CONTEXT || name->word < MARTECH_WORD_IP
        || name->word > MARTECH_WORD_AGENT_DATA)
    {
        return 0;
    }

    keep = (name->word == MARTECH_WORD_IP) ? w->privacy->ip
                                           : w->privacy->agent;

    if (keep == MARTECH_KEEP) {
        return 0;
    }

    if (keep == MARTECH_REMOVE) {
        martech_privacy_drop(w, node);
        return 1;
    }

    if (name->word != MARTECH_WORD_AGENT_DATA) {
        martech_privacy_reduce(w, node, name->word == MARTECH_WORD_AGENT);
        return 1;
    }

    nodes = w->tape->nodes;

    if (nodes[node].kind != MARTECH_JSON_OBJECT) {
        martech_privacy_drop(w, node);
        return 1;
    }

    for (child = node + 1; child < nodes[node].next; child = nodes[child].next)
    {

        for (i = 0; i < sizeof(details) / sizeof(details[0]); i++) {

            if (martech_json_name_is(w->tape, child,
                                     (const char *) details[i].data,
                                     details[i].len))
            {
                martech_privacy_drop(w, child);
                break;
            }
        }
    }

    return 1;
}


static void
martech_privacy_reduce(martech_privacy_work_t *w, uint32_t node, int agent)
{
    size_t         n;
    martech_str_t  text;
    unsigned char  buf[MARTECH_AGENT_SIZE];

    n = 0;

    if (w->tape->nodes[node].kind == MARTECH_JSON_STRING) {

        if (!martech_privacy_plain(w, node, &text)) {
            return;
        }

        n = agent ? martech_agent_reduce(text, buf)
                  : martech_ip_mask(text, buf);
    }

    if (n == 0) {
        martech_privacy_drop(w, node);
        return;
    }

    martech_privacy_put(w, node, buf, n);
}


/* 1 if the object is of a thing that is sold. */

static int
martech_privacy_product(martech_privacy_work_t *w, uint32_t parent)
{
    size_t  i;

    static const martech_str_t  names[] = {
        martech_string("product_id"), martech_string("productId"),
        martech_string("sku"), martech_string("price"),
        martech_string("list_id"), martech_string("promotion_id"),
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {

        if (martech_json_member(w->tape, parent, (const char *) names[i].data,
                                names[i].len)
            != MARTECH_JSON_NONE)
        {
            return 1;
        }
    }

    return 0;
}
