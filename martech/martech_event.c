
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Checking an event: the members we interpret, the rules of its type, its
 * ids and its time.  Writing it is martech_event_write.c.
 */


#include <string.h>

#include "martech_event.h"
#include "martech_field.h"
#include "martech_time.h"


typedef char  martech_event_fields_fit[
                     (MARTECH_EVENT_FIELDS == MARTECH_FIELD_COUNT) ? 1 : -1];


static martech_rc_t martech_check_fields(martech_event_t *ev);
static martech_rc_t martech_check_message_id(martech_event_t *ev,
    const martech_limits_t *limits);
static martech_rc_t martech_check_type(martech_event_t *ev);
static martech_rc_t martech_check_ids(martech_event_t *ev);
static martech_rc_t martech_check_id(martech_event_t *ev, unsigned field,
    martech_str_t *id, unsigned char *buf);
static martech_rc_t martech_check_missing(martech_event_t *ev,
    unsigned field, martech_rc_t rc);
static martech_rc_t martech_check_required(martech_event_t *ev);
static martech_rc_t martech_check_kinds(martech_event_t *ev);
static int martech_check_read_time(const martech_event_t *ev, uint32_t node,
    int64_t *ms);
static void martech_check_time(martech_event_t *ev);


martech_rc_t
martech_event_build(martech_event_t *ev, const martech_batch_t *batch,
    uint32_t node, const martech_facts_t *facts,
    const martech_limits_t *limits, unsigned char *out)
{
    martech_rc_t  rc;

    rc = martech_event_check(ev, batch, node, facts, limits);

    if (rc == MARTECH_OK) {
        (void) martech_event_write(ev, out);
    }

    return rc;
}


martech_rc_t
martech_event_check(martech_event_t *ev, const martech_batch_t *batch,
    uint32_t node, const martech_facts_t *facts,
    const martech_limits_t *limits)
{
    martech_rc_t  rc;

    ev->type = batch->type;
    ev->message_id.len = 0;
    ev->message_id.data = ev->id_buf;
    ev->identity.len = 0;
    ev->identity.data = ev->identity_buf;
    ev->field = "";
    ev->len = 0;
    ev->edits = NULL;
    ev->extra.len = 0;
    ev->extra.data = NULL;
    ev->context_extra = ev->extra;
    ev->visitor = ev->extra;
    ev->anonymous = 0;
    ev->batch = batch;
    ev->facts = facts;
    ev->node = node;

    if (batch->tape->nodes[node].kind != MARTECH_JSON_OBJECT) {
        return MARTECH_EVENT_NOT_OBJECT;
    }

    rc = martech_check_fields(ev);

    if (rc == MARTECH_OK) {
        rc = martech_check_message_id(ev, limits);
    }

    if (rc == MARTECH_OK
        && batch->tape->nodes[node].len > limits->event_size_max)
    {
        rc = MARTECH_EVENT_SIZE;
    }

    if (rc == MARTECH_OK) {
        rc = martech_check_type(ev);
    }

    if (rc == MARTECH_OK) {
        rc = martech_check_ids(ev);
    }

    if (rc == MARTECH_OK) {
        rc = martech_check_required(ev);
    }

    if (rc == MARTECH_OK) {
        rc = martech_check_kinds(ev);
    }

    if (rc == MARTECH_OK) {
        martech_check_time(ev);
    }

    return rc;
}


/*
 * Finds the members that we interpret, and collects what lies between them:
 * that is passed on as it stands.
 */

static martech_rc_t
martech_check_fields(martech_event_t *ev)
{
    unsigned                    f;
    uint32_t                    i, last;
    const martech_json_node_t  *nodes;

    nodes = ev->batch->tape->nodes;
    last = MARTECH_JSON_NONE;

    ev->nruns = 0;
    memset(ev->fields, 0, sizeof(ev->fields));

    for (i = ev->node + 1; i < nodes[ev->node].next; i = nodes[i].next) {

        f = martech_field(ev->batch->tape, &nodes[i]);

        if (f != MARTECH_FIELD_OTHER) {

            if (ev->fields[f] != MARTECH_JSON_NONE) {
                ev->field = martech_fields[f].pointer;
                return MARTECH_FIELD_DUPLICATE;
            }

            ev->fields[f] = i;
        }

        if (martech_field_passed(f)) {
            martech_event_run(ev, i, last);
            last = i;

        } else {
            last = MARTECH_JSON_NONE;
        }
    }

    return MARTECH_OK;
}


void
martech_event_run(martech_event_t *ev, uint32_t node, uint32_t before)
{
    martech_str_t   text;
    martech_str_t  *run;

    text = martech_member_text(ev->batch->tape, node);

    if (before == MARTECH_JSON_NONE) {
        ev->runs[ev->nruns++] = text;
        return;
    }

    run = &ev->runs[ev->nruns - 1];
    run->len = (size_t) (text.data + text.len - run->data);
}


/* 1 if eight bytes are printable ASCII, as those of most ids are. */

static inline int
martech_check_ascii(const unsigned char *p)
{
    uint64_t  bytes, odd;

    memcpy(&bytes, p, sizeof(bytes));

    /* the highest bit of a byte: of itself, below 0x20, or of 0x7f */

    odd = bytes | (bytes - 0x2020202020202020ULL)
          | (bytes + 0x0101010101010101ULL);

    return (odd & 0x8080808080808080ULL) == 0;
}


static martech_rc_t
martech_check_message_id(martech_event_t *ev,
    const martech_limits_t *limits)
{
    long                        n;
    size_t                      i, chars;
    uint32_t                    node;
    martech_str_t               id;
    const martech_json_node_t  *value;

    node = ev->fields[MARTECH_FIELD_MESSAGE_ID];
    value = &ev->batch->tape->nodes[node];

    if (node == MARTECH_JSON_NONE || value->kind == MARTECH_JSON_NULL
        || (value->kind == MARTECH_JSON_STRING && value->len == 0))
    {
        ev->fields[MARTECH_FIELD_MESSAGE_ID] = MARTECH_JSON_NONE;

        martech_uuid7(ev->id_buf, ev->facts->now_ms, ev->facts->random);
        ev->message_id.len = MARTECH_UUID_LEN;

        return MARTECH_OK;
    }

    ev->field = martech_fields[MARTECH_FIELD_MESSAGE_ID].pointer;

    if (value->kind != MARTECH_JSON_STRING) {
        return MARTECH_MESSAGE_ID_INVALID;
    }

    id = martech_json_slice(ev->batch->tape, node);

    if (value->flags & MARTECH_JSON_VALUE_ESCAPED) {
        n = martech_json_unescape(id, ev->id_buf, sizeof(ev->id_buf));

        if (n < 0) {
            return MARTECH_MESSAGE_ID_SIZE;
        }

        id.data = ev->id_buf;
        id.len = (size_t) n;
    }

    if (id.len > sizeof(ev->id_buf)) {
        return MARTECH_MESSAGE_ID_SIZE;
    }

    for (i = 0, chars = 0; i < id.len; i++) {

        if (id.len - i >= 8 && martech_check_ascii(id.data + i)) {
            chars += 8;
            i += 7;
            continue;
        }

        if (id.data[i] < 0x20 || id.data[i] == 0x7f) {
            return MARTECH_MESSAGE_ID_INVALID;
        }

        chars += (id.data[i] & 0xc0) != 0x80;
    }

    if (chars > limits->message_id_max) {
        return MARTECH_MESSAGE_ID_SIZE;
    }

    ev->message_id = id;
    ev->field = "";

    return MARTECH_OK;
}


static martech_rc_t
martech_check_type(martech_event_t *ev)
{
    unsigned       i;
    uint32_t       node;
    martech_str_t  type;

    node = ev->fields[MARTECH_FIELD_TYPE];
    ev->field = martech_fields[MARTECH_FIELD_TYPE].pointer;

    if (node == MARTECH_JSON_NONE
        || martech_field_is(ev, MARTECH_FIELD_TYPE, MARTECH_JSON_NULL))
    {
        if (ev->type == MARTECH_EVENT_UNKNOWN) {
            return MARTECH_TYPE_REQUIRED;
        }

        ev->field = "";
        return MARTECH_OK;
    }

    if (!martech_field_is(ev, MARTECH_FIELD_TYPE, MARTECH_JSON_STRING)) {
        return MARTECH_TYPE_UNKNOWN;
    }

    type = martech_json_slice(ev->batch->tape, node);

    for (i = MARTECH_EVENT_TRACK; i <= MARTECH_EVENT_ALIAS; i++) {

        if (martech_json_equals(ev->batch->tape, node,
                                (const char *) martech_types[i].data,
                                martech_types[i].len))
        {
            break;
        }
    }

    if (i > MARTECH_EVENT_ALIAS || type.len == 0) {
        return MARTECH_TYPE_UNKNOWN;
    }

    if (ev->type != MARTECH_EVENT_UNKNOWN && ev->type != i) {
        return MARTECH_TYPE_MISMATCH;
    }

    ev->type = (martech_event_type_t) i;
    ev->field = "";

    return MARTECH_OK;
}


/*
 * Reads the ids; one that is null or "" counts as absent, and the request may
 * know who sends what has no anonymousId.  The first of anonymousId, userId,
 * messageId chooses the shard.
 */

static martech_rc_t
martech_check_ids(martech_event_t *ev)
{
    unsigned         f;
    martech_rc_t     rc;
    martech_str_t    id;
    unsigned char    buf[MARTECH_ID_SIZE_MAX];

    rc = martech_check_id(ev, MARTECH_FIELD_ANONYMOUS_ID, &ev->identity,
                          ev->identity_buf);
    if (rc != MARTECH_OK) {
        return rc;
    }

    if (ev->identity.len == 0 && ev->facts->visitor.len > 0) {
        ev->visitor = ev->facts->visitor;
        ev->identity = ev->facts->visitor;
    }

    for (f = MARTECH_FIELD_USER_ID; f <= MARTECH_FIELD_PREVIOUS_ID; f++) {

        if (f == MARTECH_FIELD_USER_ID && ev->identity.len == 0) {
            rc = martech_check_id(ev, f, &ev->identity, ev->identity_buf);

        } else {
            rc = martech_check_id(ev, f, &id, buf);
        }

        if (rc != MARTECH_OK) {
            return rc;
        }
    }

    if (ev->identity.len == 0) {
        ev->identity = ev->message_id;
    }

    return MARTECH_OK;
}


static martech_rc_t
martech_check_id(martech_event_t *ev, unsigned field, martech_str_t *id,
    unsigned char *buf)
{
    long                        n;
    uint32_t                    node;
    const martech_json_node_t  *value;

    id->len = 0;
    id->data = buf;

    node = ev->fields[field];
    value = &ev->batch->tape->nodes[node];

    if (node == MARTECH_JSON_NONE || value->kind == MARTECH_JSON_NULL
        || (value->kind == MARTECH_JSON_STRING && value->len == 0))
    {
        ev->fields[field] = MARTECH_JSON_NONE;
        return MARTECH_OK;
    }

    ev->field = martech_fields[field].pointer;

    if (value->kind != MARTECH_JSON_STRING) {
        return MARTECH_ID_NOT_STRING;
    }

    *id = martech_json_slice(ev->batch->tape, node);

    if (value->flags & MARTECH_JSON_VALUE_ESCAPED) {
        n = martech_json_unescape(*id, buf, MARTECH_ID_SIZE_MAX);

        if (n < 0) {
            return MARTECH_ID_SIZE;
        }

        id->data = buf;
        id->len = (size_t) n;
    }

    if (id->len > MARTECH_ID_SIZE_MAX) {
        return MARTECH_ID_SIZE;
    }

    ev->field = "";

    return MARTECH_OK;
}


static martech_rc_t
martech_check_missing(martech_event_t *ev, unsigned field, martech_rc_t rc)
{
    ev->field = martech_fields[field].pointer;

    return rc;
}


/* What the Segment specification requires of each type. */

static martech_rc_t
martech_check_required(martech_event_t *ev)
{
    uint32_t  *fields;

    fields = ev->fields;

    switch (ev->type) {

    case MARTECH_EVENT_TRACK:

        if (fields[MARTECH_FIELD_EVENT] == MARTECH_JSON_NONE
            || martech_field_is(ev, MARTECH_FIELD_EVENT, MARTECH_JSON_NULL))
        {
            return martech_check_missing(ev, MARTECH_FIELD_EVENT,
                                         MARTECH_EVENT_NOT_DEFINED);
        }

        if (!martech_field_is(ev, MARTECH_FIELD_EVENT, MARTECH_JSON_STRING)) {
            return martech_check_missing(ev, MARTECH_FIELD_EVENT,
                                         MARTECH_EVENT_NOT_STRING);
        }

        if (ev->batch->tape->nodes[fields[MARTECH_FIELD_EVENT]].len == 0) {
            return martech_check_missing(ev, MARTECH_FIELD_EVENT,
                                         MARTECH_EVENT_NOT_DEFINED);
        }

        break;

    case MARTECH_EVENT_GROUP:

        if (fields[MARTECH_FIELD_GROUP_ID] == MARTECH_JSON_NONE) {
            return martech_check_missing(ev, MARTECH_FIELD_GROUP_ID,
                                         MARTECH_GROUP_ID_REQUIRED);
        }

        break;

    case MARTECH_EVENT_ALIAS:

        if (fields[MARTECH_FIELD_PREVIOUS_ID] == MARTECH_JSON_NONE) {
            return martech_check_missing(ev, MARTECH_FIELD_PREVIOUS_ID,
                                         MARTECH_PREVIOUS_ID_REQUIRED);
        }

        if (fields[MARTECH_FIELD_USER_ID] == MARTECH_JSON_NONE) {
            return martech_check_missing(ev, MARTECH_FIELD_USER_ID,
                                         MARTECH_USER_ID_REQUIRED);
        }

        break;

    default:
        break;
    }

    if (fields[MARTECH_FIELD_USER_ID] == MARTECH_JSON_NONE
        && fields[MARTECH_FIELD_ANONYMOUS_ID] == MARTECH_JSON_NONE
        && ev->visitor.len == 0)
    {
        return martech_check_missing(ev, MARTECH_FIELD_USER_ID,
                                     MARTECH_NO_USER_ANON_ID);
    }

    return MARTECH_OK;
}


/* Members that must be of one kind if they are there and not null. */

static martech_rc_t
martech_check_kinds(martech_event_t *ev)
{
    unsigned  i, f;

    static const struct {
        unsigned             field;
        martech_json_kind_t  kind;
        martech_rc_t         rc;
    } rules[] = {
        { MARTECH_FIELD_EVENT, MARTECH_JSON_STRING,
          MARTECH_EVENT_NOT_STRING },
        { MARTECH_FIELD_NAME, MARTECH_JSON_STRING, MARTECH_NAME_NOT_STRING },
        { MARTECH_FIELD_CATEGORY, MARTECH_JSON_STRING,
          MARTECH_CATEGORY_NOT_STRING },
        { MARTECH_FIELD_PROPERTIES, MARTECH_JSON_OBJECT,
          MARTECH_PROPERTIES_NOT_OBJECT },
        { MARTECH_FIELD_TRAITS, MARTECH_JSON_OBJECT,
          MARTECH_TRAITS_NOT_OBJECT },
        { MARTECH_FIELD_CONTEXT, MARTECH_JSON_OBJECT,
          MARTECH_CONTEXT_NOT_OBJECT },
        { MARTECH_FIELD_INTEGRATIONS, MARTECH_JSON_OBJECT,
          MARTECH_INTEGRATIONS_NOT_OBJECT },
    };

    for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        f = rules[i].field;

        if (ev->fields[f] == MARTECH_JSON_NONE
            || martech_field_is(ev, f, rules[i].kind)
            || martech_field_is(ev, f, MARTECH_JSON_NULL))
        {
            continue;
        }

        return martech_check_missing(ev, f, rules[i].rc);
    }

    return MARTECH_OK;
}


static int
martech_check_read_time(const martech_event_t *ev, uint32_t node, int64_t *ms)
{
    martech_str_t  text;

    if (node == MARTECH_JSON_NONE
        || ev->batch->tape->nodes[node].kind != MARTECH_JSON_STRING)
    {
        return 0;
    }

    text = martech_json_slice(ev->batch->tape, node);

    return martech_time_parse(text.data, text.len, ms) == MARTECH_OK;
}


/*
 * Moves the sender's time to our clock, docs/SPEC.md section 3.  From here on
 * the field ORIGINAL_TIMESTAMP is what the sender called either way, and
 * SENT_AT that of the event or of the batch.
 */

static void
martech_check_time(martech_event_t *ev)
{
    int       original_known;
    int64_t   now, original, sent;
    uint32_t  *fields;

    fields = ev->fields;

    if (fields[MARTECH_FIELD_ORIGINAL_TIMESTAMP] == MARTECH_JSON_NONE
        || martech_field_is(ev, MARTECH_FIELD_ORIGINAL_TIMESTAMP,
                            MARTECH_JSON_NULL))
    {
        fields[MARTECH_FIELD_ORIGINAL_TIMESTAMP] =
                                             fields[MARTECH_FIELD_TIMESTAMP];
    }

    if (martech_field_is(ev, MARTECH_FIELD_ORIGINAL_TIMESTAMP,
                         MARTECH_JSON_NULL))
    {
        fields[MARTECH_FIELD_ORIGINAL_TIMESTAMP] = MARTECH_JSON_NONE;
    }

    if (fields[MARTECH_FIELD_SENT_AT] == MARTECH_JSON_NONE
        || martech_field_is(ev, MARTECH_FIELD_SENT_AT, MARTECH_JSON_NULL))
    {
        fields[MARTECH_FIELD_SENT_AT] = ev->batch->sent_at;
    }

    now = (int64_t) ev->facts->now_ms;

    original_known = martech_check_read_time(ev,
                                     fields[MARTECH_FIELD_ORIGINAL_TIMESTAMP],
                                     &original);

    ev->skew_known = martech_check_read_time(ev, fields[MARTECH_FIELD_SENT_AT],
                                            &sent);

    ev->timestamp = now;

    if (original_known) {
        ev->timestamp = ev->skew_known ? now - (sent - original) : original;

        if (ev->timestamp > now) {
            ev->timestamp = now;
        }
    }

    if (ev->skew_known) {
        ev->skew = now - sent;
    }
}
