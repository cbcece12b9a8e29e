
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Private to the files of the event: the members that we interpret.
 */


#ifndef _MARTECH_FIELD_H_INCLUDED_
#define _MARTECH_FIELD_H_INCLUDED_


#include "martech_event.h"


/* Members of an event that we interpret; the first group is passed on. */

enum {
    MARTECH_FIELD_EVENT = 0,
    MARTECH_FIELD_NAME,
    MARTECH_FIELD_CATEGORY,
    MARTECH_FIELD_PROPERTIES,
    MARTECH_FIELD_TRAITS,

    MARTECH_FIELD_TYPE,
    MARTECH_FIELD_MESSAGE_ID,
    MARTECH_FIELD_ANONYMOUS_ID,
    MARTECH_FIELD_USER_ID,
    MARTECH_FIELD_GROUP_ID,
    MARTECH_FIELD_PREVIOUS_ID,
    MARTECH_FIELD_TIMESTAMP,
    MARTECH_FIELD_ORIGINAL_TIMESTAMP,
    MARTECH_FIELD_SENT_AT,
    MARTECH_FIELD_RECEIVED_AT,
    MARTECH_FIELD_CONTEXT,
    MARTECH_FIELD_INTEGRATIONS,
    MARTECH_FIELD_WRITE_KEY,

    MARTECH_FIELD_COUNT,
    MARTECH_FIELD_OTHER = MARTECH_FIELD_COUNT
};


#define martech_field_passed(field)                                           \
    ((field) < MARTECH_FIELD_TYPE || (field) == MARTECH_FIELD_OTHER)


typedef struct {
    martech_str_t  name;
    const char    *pointer;
} martech_field_t;


extern const martech_field_t  martech_fields[MARTECH_FIELD_COUNT];
extern const martech_str_t    martech_types[MARTECH_EVENT_ALIAS + 1];


/* Which member a node is, or MARTECH_FIELD_OTHER; escapes are understood. */
unsigned martech_field(const martech_json_tape_t *tape,
    const martech_json_node_t *node);

/* A member as it stands in the text, with its name. */
martech_str_t martech_member_text(const martech_json_tape_t *tape,
    uint32_t node);

/* Adds a member to the run of the one before it, or (NONE) starts a run. */
void martech_event_run(martech_event_t *ev, uint32_t node, uint32_t before);

/*
 * Appends bytes of the tape's text to what is written of an event, changed as
 * its edits say; with no member left, that is nothing.
 */
void martech_event_copy_edited(martech_event_t *ev, martech_str_t text);

/* 1 if an event has the member and it is of the kind. */

static inline int
martech_field_is(const martech_event_t *ev, unsigned field,
    martech_json_kind_t kind)
{
    uint32_t  node;

    node = ev->fields[field];

    return node != MARTECH_JSON_NONE
           && ev->batch->tape->nodes[node].kind == kind;
}


#endif /* _MARTECH_FIELD_H_INCLUDED_ */
