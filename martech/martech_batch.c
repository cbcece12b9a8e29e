
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A request body as a sequence of events: one, or those of a batch with what
 * the batch says for all of them.
 */


#include <string.h>

#include "martech_event.h"
#include "martech_field.h"


static martech_rc_t martech_batch_fields(martech_batch_t *batch,
    const martech_limits_t *limits, const char **field);
static martech_rc_t martech_batch_merged(const martech_batch_t *batch,
    uint32_t *node, martech_rc_t not_object, const martech_limits_t *limits);


martech_rc_t
martech_batch_open(martech_batch_t *batch, const martech_json_tape_t *tape,
    martech_event_type_t type, const martech_limits_t *limits,
    const char **field)
{
    *field = "";

    memset(batch, 0, sizeof(martech_batch_t));

    batch->tape = tape;
    batch->type = type;

    if (tape->nodes[0].kind != MARTECH_JSON_OBJECT) {
        return MARTECH_BODY_NOT_OBJECT;
    }

    if (type != MARTECH_EVENT_UNKNOWN) {
        batch->single = 1;
        batch->count = 1;
        return MARTECH_OK;
    }

    return martech_batch_fields(batch, limits, field);
}


static martech_rc_t
martech_batch_fields(martech_batch_t *batch, const martech_limits_t *limits,
    const char **field)
{
    unsigned                    f;
    uint32_t                    i, events, *place;
    martech_rc_t                rc;
    const martech_json_node_t  *nodes;

    nodes = batch->tape->nodes;
    events = MARTECH_JSON_NONE;

    for (i = 1; i < nodes[0].next; i = nodes[i].next) {

        f = martech_field(batch->tape, &nodes[i]);

        if (f == MARTECH_FIELD_CONTEXT) {
            place = &batch->context;

        } else if (f == MARTECH_FIELD_INTEGRATIONS) {
            place = &batch->integrations;

        } else if (f == MARTECH_FIELD_SENT_AT) {
            place = &batch->sent_at;

        } else if (f == MARTECH_FIELD_OTHER
                   && martech_json_name_is(batch->tape, i, "batch", 5))
        {
            place = &events;

        } else {
            continue;
        }

        if (*place != MARTECH_JSON_NONE) {
            *field = (place == &events) ? "/batch" : martech_fields[f].pointer;
            return MARTECH_FIELD_DUPLICATE;
        }

        *place = i;
    }

    if (events == MARTECH_JSON_NONE
        || nodes[events].kind != MARTECH_JSON_ARRAY)
    {
        *field = "/batch";
        return MARTECH_BATCH_NOT_ARRAY;
    }

    if (batch->sent_at != MARTECH_JSON_NONE
        && (nodes[batch->sent_at].kind != MARTECH_JSON_STRING
            || nodes[batch->sent_at].len > MARTECH_SENT_AT_MAX))
    {
        batch->sent_at = MARTECH_JSON_NONE;
    }

    *field = "/context";
    rc = martech_batch_merged(batch, &batch->context,
                              MARTECH_CONTEXT_NOT_OBJECT, limits);
    if (rc != MARTECH_OK) {
        return rc;
    }

    *field = "/integrations";
    rc = martech_batch_merged(batch, &batch->integrations,
                              MARTECH_INTEGRATIONS_NOT_OBJECT, limits);
    if (rc != MARTECH_OK) {
        return rc;
    }

    *field = "/batch";

    if (nodes[events].count == 0) {
        return MARTECH_BATCH_EMPTY;
    }

    if (nodes[events].count > limits->batch_count_max) {
        return MARTECH_BATCH_COUNT;
    }

    batch->first = events + 1;
    batch->count = nodes[events].count;

    return MARTECH_OK;
}


/*
 * Every event of a batch is merged with its context and integrations, so
 * their size is bounded: it counts once for each event.
 */

static martech_rc_t
martech_batch_merged(const martech_batch_t *batch, uint32_t *node,
    martech_rc_t not_object, const martech_limits_t *limits)
{
    uint32_t                    i;
    const martech_json_node_t  *value, *nodes;

    value = &batch->tape->nodes[*node];

    if (*node == MARTECH_JSON_NONE) {
        return MARTECH_OK;
    }

    if (value->kind == MARTECH_JSON_NULL) {
        *node = MARTECH_JSON_NONE;
        return MARTECH_OK;
    }

    if (value->kind != MARTECH_JSON_OBJECT) {
        return not_object;
    }

    if (value->count > MARTECH_BATCH_MEMBERS_MAX) {
        return MARTECH_BATCH_MEMBERS;
    }

    if (value->len > limits->event_size_max) {
        return MARTECH_EVENT_SIZE;
    }

    nodes = batch->tape->nodes;

    for (i = *node + 1; i < value->next; i = nodes[i].next) {

        if ((nodes[i].flags & MARTECH_JSON_KEY_ESCAPED)
            && nodes[i].key_len > MARTECH_BATCH_NAME_MAX)
        {
            return MARTECH_JSON_KEY_SIZE;
        }
    }

    return MARTECH_OK;
}


/* The key in an object, or an empty slice. */

static martech_str_t
martech_batch_key(const martech_json_tape_t *tape, uint32_t object,
    unsigned char *buf, size_t size)
{
    long                  n;
    uint32_t              node;
    martech_str_t         key = { 0, NULL };
    const martech_str_t  *name;

    name = &martech_fields[MARTECH_FIELD_WRITE_KEY].name;

    node = martech_json_member(tape, object, (const char *) name->data,
                               name->len);

    if (node == MARTECH_JSON_NONE
        || tape->nodes[node].kind != MARTECH_JSON_STRING)
    {
        return key;
    }

    key = martech_json_slice(tape, node);

    if (tape->nodes[node].flags & MARTECH_JSON_VALUE_ESCAPED) {
        n = martech_json_unescape(key, buf, size);

        key.data = buf;
        key.len = (n < 0) ? 0 : (size_t) n;
    }

    return key;
}


martech_str_t
martech_batch_write_key(const martech_batch_t *batch, unsigned char *buf,
    size_t size)
{
    martech_str_t  key;

    key = martech_batch_key(batch->tape, 0, buf, size);

    if (key.len == 0 && !batch->single) {
        key = martech_batch_key(batch->tape, batch->first, buf, size);
    }

    return key;
}
