
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


typedef enum {
    FWD_EVENT_OTHER = 0,
    FWD_EVENT_TRACK,
    FWD_EVENT_IDENTIFY,
    FWD_EVENT_ALIAS
} fwd_event_type_t;


#define FWD_PERSON_LEN  16               /* a UUID */


/* A string in the event's text, still escaped; len 0: it is not there. */
typedef struct {
    uint32_t              at;
    uint32_t              len;
} fwd_event_part_t;


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
    martech_str_t         body;          /* of a replay: to be sent as it
                                            is, or empty */
    martech_str_t         request_id;    /* context.martech.requestId */
    martech_str_t         traceparent;   /* context.martech.traceparent */
    fwd_event_part_t      name;          /* "event" of a track, else "type" */
    fwd_event_part_t      user_id;
    fwd_event_part_t      anonymous_id;
    fwd_event_part_t      previous_id;
    fwd_event_part_t      granted;       /* the array
                                            context.martech.consent.granted */
    uint32_t              replays;       /* before this one */
    unsigned char         person[FWD_PERSON_LEN];  /* fwd_identity.h */

    unsigned              type:2;        /* fwd_event_type_t */
    unsigned              escaped:1;     /* one of the parts has a "\\" */
    unsigned              consent:1;     /* there is a consent object */
    unsigned              high:1;        /* context.martech.priority */
    unsigned              person_known:1;  /* it was looked up ... */
    unsigned              person_some:1;   /* ... and there is one */
} fwd_event_t;


/* Scans events; its tape grows to the largest event seen. */
typedef struct {
    martech_json_tape_t   tape;
    martech_limits_t      limits;
} fwd_reader_tape_t;


void fwd_reader_tape_init(fwd_reader_tape_t *rt);
void fwd_reader_tape_free(fwd_reader_tape_t *rt);

/* Scans a JSON text; the tape grows as it must.  FWD_ERROR: it is none. */
fwd_rc_t fwd_reader_tape_scan(fwd_reader_tape_t *rt, martech_str_t text)
    FWD_MUST_CHECK;

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

/* fwd_event_text.c: takes the members of a scanned object; for fwd_event.c. */
void fwd_event_members(const fwd_reader_tape_t *rt, fwd_event_t *ev);

#define FWD_EVENT_PART_MAX  4096         /* of a part un-escaped */

/*
 * A part without escapes: in the event, or in buf (FWD_EVENT_PART_MAX bytes).
 * Empty if it is not there, or is too long to be of use.
 */
martech_str_t fwd_event_part(const fwd_event_t *ev, fwd_event_part_t part,
    unsigned char *buf);

/* The ID of such an element; FWD_ERROR if it has none. */
fwd_rc_t fwd_event_id(const redisReply *entry, fwd_id_t *id) FWD_MUST_CHECK;

fwd_event_t *fwd_event_ref(fwd_event_t *ev);

/* Gives a reference back; the last one frees the event. */
void fwd_event_unref(fwd_event_t *ev);


#endif /* _FWD_EVENT_H_INCLUDED_ */
