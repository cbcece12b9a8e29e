
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * An event in memory: one allocation with the fields of its stream entry,
 * counted references, and the reader that makes it from a reply.
 */


#ifndef _FWD_EVENT_H_INCLUDED_
#define _FWD_EVENT_H_INCLUDED_


#include <hiredis/hiredis.h>

#include "../martech/martech_json.h"

#include "fwd.h"
#include "fwd_id.h"


/* All slices point into the event itself. */
typedef struct {
    fwd_id_t              id;
    fwd_idmap_t          *store;         /* where it is listed; not owned */
    uint32_t              refs;
    uint32_t              size;          /* of the allocation */
    const char           *bad;           /* static reason why it cannot be
                                            read by docs/SPEC.md, or NULL */
    martech_str_t         message_id;
    martech_str_t         source;
    martech_str_t         text;          /* canonical event, JSON */
    martech_str_t         to;            /* only destination, or empty */
    martech_str_t         request_id;    /* context.martech.requestId */
    martech_str_t         traceparent;   /* context.martech.traceparent */
    uint32_t              replays;       /* how often it was replayed */
} fwd_event_t;


/* Scans events; its tape grows to the largest event seen. */
typedef struct {
    martech_json_tape_t   tape;
    martech_limits_t      limits;
} fwd_reader_tape_t;


void fwd_reader_tape_init(fwd_reader_tape_t *rt);
void fwd_reader_tape_free(fwd_reader_tape_t *rt);

/*
 * Makes an event of one element [ID, fields] of a reply, or finds it in the
 * store, and gives the caller a reference.  NULL if the element is no entry
 * at all or memory is short.  An entry that breaks docs/SPEC.md section 2
 * becomes an event with bad set.
 */
fwd_event_t *fwd_event_read(fwd_reader_tape_t *rt, fwd_idmap_t *store,
    const redisReply *entry);

/* An event of which only the ID is left; bad is "missing". */
fwd_event_t *fwd_event_missing(fwd_idmap_t *store, fwd_id_t id);

/* The ID of such an element; FWD_ERROR if it has none. */
fwd_rc_t fwd_event_id(const redisReply *entry, fwd_id_t *id) FWD_MUST_CHECK;

fwd_event_t *fwd_event_ref(fwd_event_t *ev);

/* Gives a reference back; the last one frees the event. */
void fwd_event_unref(fwd_event_t *ev);


#endif /* _FWD_EVENT_H_INCLUDED_ */
