
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Writing an event in canonical form, docs/SPEC.md section 3.
 *
 * Writing is copying: what we interpret is written in front, everything else
 * follows in the sender's own bytes, neighbours in one copy.
 */


#include <string.h>

#include "martech_event.h"
#include "martech_field.h"
#include "martech_time.h"


/*
 * What the fixed part of a canonical event takes at most: names, quotes, four
 * time stamps, a UUID and numbers.
 */
#define MARTECH_EVENT_FIXED_MAX  728


static void martech_put_str(martech_event_t *ev, martech_str_t str);
static void martech_put_field(martech_event_t *ev, unsigned field);
static void martech_put_time(martech_event_t *ev, int64_t ms);
static void martech_write_times(martech_event_t *ev);
static void martech_write_members(martech_event_t *ev, uint32_t object,
    uint32_t over, int ours);
static void martech_write_run(martech_event_t *ev, martech_str_t run);
static int martech_write_overridden(const martech_json_tape_t *tape,
    uint32_t member, uint32_t over);
static int martech_context_has(const martech_event_t *ev, const char *name,
    size_t len);
static void martech_write_context(martech_event_t *ev);
static void martech_write_client(martech_event_t *ev);
static void martech_write_martech(martech_event_t *ev);
static void martech_write_integrations(martech_event_t *ev);
static void martech_write_rest(martech_event_t *ev);


static inline size_t
martech_agent_len(const martech_facts_t *facts)
{
    return (facts->user_agent.len < MARTECH_USER_AGENT_MAX)
           ? facts->user_agent.len : MARTECH_USER_AGENT_MAX;
}


size_t
martech_event_bound(const martech_event_t *ev)
{
    size_t                      size;
    unsigned                    i;
    const martech_batch_t      *batch;
    const martech_facts_t      *facts;
    const martech_json_node_t  *nodes;

    batch = ev->batch;
    facts = ev->facts;
    nodes = batch->tape->nodes;

    /* a byte of a header becomes six in an escape; the ids of an event and
       its time stamps may be the batch's */

    size = MARTECH_EVENT_FIXED_MAX
           + (size_t) nodes[ev->node].len
           + (batch->context ? nodes[batch->context].len : 0)
           + (batch->integrations ? nodes[batch->integrations].len : 0)
           + (batch->sent_at ? nodes[batch->sent_at].len : 0)
           + facts->source.len + facts->request_id.len + facts->dialect.len
           + facts->ip.len + facts->traceparent.len + facts->page.len
           + 6 * martech_agent_len(facts) + ev->extra.len
           + ev->context_extra.len + ev->visitor.len;

    if (ev->edits) {

        for (i = 0; i < ev->edits->count; i++) {
            size += ev->edits->list[i].with.len;
        }
    }

    return size;
}


static inline void
martech_put(martech_event_t *ev, const void *data, size_t len)
{
    memcpy(ev->out, data, len);
    ev->out += len;
}


#define martech_put_text(ev, text)  martech_put(ev, text, sizeof(text) - 1)


static void
martech_put_str(martech_event_t *ev, martech_str_t str)
{
    martech_put(ev, str.data, str.len);
}


/* Bytes of the sender's; nothing may be left of them. */

static inline void
martech_put_source(martech_event_t *ev, martech_str_t text)
{
    if (ev->edits) {
        martech_event_copy_edited(ev, text);
        return;
    }

    martech_put_str(ev, text);
}


/* ,"name":value in the sender's bytes, if the field is there. */

static void
martech_put_field(martech_event_t *ev, unsigned field)
{
    unsigned char  *start, *value;

    start = ev->out;

    if (ev->fields[field] == MARTECH_JSON_NONE) {
        return;
    }

    martech_put_text(ev, ",\"");
    martech_put_str(ev, martech_fields[field].name);
    martech_put_text(ev, "\":");

    value = ev->out;
    martech_put_source(ev, martech_json_text(ev->batch->tape,
                                             ev->fields[field]));
    if (ev->out == value) {
        ev->out = start;
    }
}


static void
martech_put_time(martech_event_t *ev, int64_t ms)
{
    martech_time_format(ev->out, ms);
    ev->out += MARTECH_TIME_LEN;
}


size_t
martech_event_write(martech_event_t *ev, unsigned char *out)
{
    unsigned char  *p;

    ev->out = out;

    martech_put_text(ev, "{\"type\":\"");
    martech_put_str(ev, martech_types[ev->type]);

    martech_put_text(ev, "\",\"messageId\":");

    if (ev->fields[MARTECH_FIELD_MESSAGE_ID] != MARTECH_JSON_NONE) {
        martech_put_str(ev, martech_json_text(ev->batch->tape,
                                     ev->fields[MARTECH_FIELD_MESSAGE_ID]));

    } else {
        martech_put_text(ev, "\"");
        martech_put_str(ev, ev->message_id);
        martech_put_text(ev, "\"");
    }

    martech_write_times(ev);

    martech_put_field(ev, MARTECH_FIELD_ANONYMOUS_ID);

    if (ev->visitor.len > 0) {
        martech_put_text(ev, ",\"anonymousId\":\"");
        martech_put_str(ev, ev->visitor);
        martech_put_text(ev, "\"");
    }

    martech_put_field(ev, MARTECH_FIELD_USER_ID);
    martech_put_field(ev, MARTECH_FIELD_GROUP_ID);
    martech_put_field(ev, MARTECH_FIELD_PREVIOUS_ID);

    martech_write_context(ev);
    martech_write_integrations(ev);
    martech_write_rest(ev);

    martech_put_text(ev, "}");

    ev->len = (size_t) (ev->out - out);

    if (!ev->batch->tape->lines) {
        return ev->len;
    }

    /* in strings line breaks are escapes, so these stand between tokens */

    for (p = out; p < ev->out; p++) {

        if (*p == '\n' || *p == '\r') {
            *p = ' ';
        }
    }

    return ev->len;
}


static void
martech_write_times(martech_event_t *ev)
{
    martech_put_text(ev, ",\"receivedAt\":\"");
    martech_put_time(ev, (int64_t) ev->facts->now_ms);

    martech_put_text(ev, "\",\"timestamp\":\"");
    martech_put_time(ev, ev->timestamp);
    martech_put_text(ev, "\"");

    martech_put_field(ev, MARTECH_FIELD_ORIGINAL_TIMESTAMP);
    martech_put_field(ev, MARTECH_FIELD_SENT_AT);
}


/* "martech" in a context is ours, never the sender's. */

static inline int
martech_write_ours(const martech_json_tape_t *tape, uint32_t member)
{
    return (tape->nodes[member].key_len == 7
            || (tape->nodes[member].flags & MARTECH_JSON_KEY_ESCAPED))
           && martech_json_name_is(tape, member, "martech", 7);
}


/*
 * Writes the members of an object that "over" lacks, and a comma behind them;
 * neighbours together with what stands between them.
 */

static void
martech_write_members(martech_event_t *ev, uint32_t object, uint32_t over,
    int ours)
{
    uint32_t                    i;
    martech_str_t               run, member;
    const martech_json_tape_t  *tape;

    tape = ev->batch->tape;

    if (object == MARTECH_JSON_NONE
        || tape->nodes[object].kind != MARTECH_JSON_OBJECT)
    {
        return;
    }

    run.len = 0;
    run.data = NULL;

    for (i = object + 1; i < tape->nodes[object].next;
         i = tape->nodes[i].next)
    {
        if ((ours && martech_write_ours(tape, i))
            || (over != MARTECH_JSON_NONE
                && martech_write_overridden(tape, i, over)))
        {
            martech_write_run(ev, run);
            run.len = 0;
            continue;
        }

        member = martech_member_text(tape, i);

        if (run.len == 0) {
            run = member;

        } else {
            run.len = (size_t) (member.data + member.len - run.data);
        }
    }

    martech_write_run(ev, run);
}


static void
martech_write_run(martech_event_t *ev, martech_str_t run)
{
    unsigned char  *start;

    if (run.len == 0) {
        return;
    }

    start = ev->out;
    martech_put_source(ev, run);

    if (ev->out > start) {
        martech_put_text(ev, ",");
    }
}


/* 1 if another object has a member with the same name. */

static int
martech_write_overridden(const martech_json_tape_t *tape, uint32_t member,
    uint32_t over)
{
    long                        n;
    martech_str_t               name;
    unsigned char               buf[MARTECH_BATCH_NAME_MAX];
    const martech_json_node_t  *node;

    node = &tape->nodes[member];

    name.data = tape->text + node->key;
    name.len = node->key_len;

    if (node->flags & MARTECH_JSON_KEY_ESCAPED) {

        /* martech_batch_open() has refused longer ones */

        n = martech_json_unescape(name, buf, sizeof(buf));

        name.data = buf;
        name.len = (n < 0) ? 0 : (size_t) n;
    }

    return martech_json_member(tape, over, (const char *) name.data, name.len)
           != MARTECH_JSON_NONE;
}


static int
martech_context_has(const martech_event_t *ev, const char *name, size_t len)
{
    uint32_t  own, batch;

    own = ev->fields[MARTECH_FIELD_CONTEXT];
    batch = ev->batch->context;

    return (own != MARTECH_JSON_NONE
            && martech_json_member(ev->batch->tape, own, name, len)
               != MARTECH_JSON_NONE)
           || (batch != MARTECH_JSON_NONE
               && martech_json_member(ev->batch->tape, batch, name, len)
                  != MARTECH_JSON_NONE);
}


static void
martech_write_context(martech_event_t *ev)
{
    uint32_t  own;

    own = ev->fields[MARTECH_FIELD_CONTEXT];

    martech_put_text(ev, ",\"context\":{");

    martech_write_members(ev, own, MARTECH_JSON_NONE, 1);
    martech_write_members(ev, ev->batch->context, own, 1);

    if (ev->context_extra.len > 0) {
        martech_put_str(ev, ev->context_extra);
        martech_put_text(ev, ",");
    }

    if (!ev->anonymous) {
        martech_write_client(ev);
    }

    martech_write_martech(ev);
    martech_put_text(ev, "}");
}


/* What the request knows of its client, if the event does not say it. */

static void
martech_write_client(martech_event_t *ev)
{
    martech_json_writer_t  w;

    if (ev->facts->ip.len > 0 && !martech_context_has(ev, "ip", 2)) {
        martech_put_text(ev, "\"ip\":\"");
        martech_put_str(ev, ev->facts->ip);
        martech_put_text(ev, "\",");
    }

    if (ev->facts->user_agent.len > 0
        && !martech_context_has(ev, "userAgent", 9))
    {
        martech_put_text(ev, "\"userAgent\":");

        martech_json_writer_init(&w, ev->out,
                                 6 * martech_agent_len(ev->facts) + 2);
        martech_json_string(&w, ev->facts->user_agent.data,
                            martech_agent_len(ev->facts));
        ev->out = w.pos;

        martech_put_text(ev, ",");
    }
}


static void
martech_write_martech(martech_event_t *ev)
{
    martech_json_writer_t  w;

    martech_put_text(ev, "\"martech\":{\"v\":" MARTECH_FORMAT_VERSION
                        ",\"source\":\"");
    martech_put_str(ev, ev->facts->source);

    if (!ev->anonymous) {
        martech_put_text(ev, "\",\"requestId\":\"");
        martech_put_str(ev, ev->facts->request_id);
    }

    if (ev->facts->page.len > 0 && !ev->anonymous) {
        martech_put_text(ev, "\",\"pageRequestId\":\"");
        martech_put_str(ev, ev->facts->page);
    }

    martech_put_text(ev, "\",\"dialect\":\"");
    martech_put_str(ev, ev->facts->dialect);
    martech_put_text(ev, "\"");

    if (ev->skew_known) {
        martech_put_text(ev, ",\"skewMs\":");

        martech_json_writer_init(&w, ev->out, 21);
        martech_json_int(&w, ev->skew);
        ev->out = w.pos;
    }

    if (ev->facts->traceparent.len > 0 && !ev->anonymous) {
        martech_put_text(ev, ",\"traceparent\":\"");
        martech_put_str(ev, ev->facts->traceparent);
        martech_put_text(ev, "\"");
    }

    if (ev->extra.len > 0) {
        martech_put_text(ev, ",");
        martech_put_str(ev, ev->extra);
    }

    martech_put_text(ev, "}");
}


static void
martech_write_integrations(martech_event_t *ev)
{
    uint32_t        own, batch;
    unsigned char  *start, *value;

    own = ev->fields[MARTECH_FIELD_INTEGRATIONS];
    batch = ev->batch->integrations;

    if (martech_field_is(ev, MARTECH_FIELD_INTEGRATIONS, MARTECH_JSON_NULL)) {
        own = MARTECH_JSON_NONE;
    }

    if ((own == MARTECH_JSON_NONE && batch == MARTECH_JSON_NONE)
        || ev->anonymous)
    {
        return;
    }

    start = ev->out;
    martech_put_text(ev, ",\"integrations\":");

    if (own == MARTECH_JSON_NONE || batch == MARTECH_JSON_NONE) {
        value = ev->out;
        martech_put_source(ev, martech_json_text(ev->batch->tape,
                                                 own ? own : batch));
        if (ev->out == value) {
            ev->out = start;
        }

        return;
    }

    martech_put_text(ev, "{");
    martech_write_members(ev, own, MARTECH_JSON_NONE, 0);
    martech_write_members(ev, batch, own, 0);

    if (ev->out[-1] == ',') {
        ev->out--;
    }

    martech_put_text(ev, "}");
}


/* All other members, neighbours together with what stands between them. */

static void
martech_write_rest(martech_event_t *ev)
{
    unsigned        i;
    unsigned char  *start;

    for (i = 0; i < ev->nruns; i++) {
        martech_put_text(ev, ",");

        start = ev->out;
        martech_put_source(ev, ev->runs[i]);

        if (ev->out == start) {
            ev->out--;
        }
    }
}
