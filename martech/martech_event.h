
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The canonical event (docs/SPEC.md section 3): finds the events of a scanned
 * request body, checks one against the rules of its type, and writes it in
 * canonical form.
 */


#ifndef _MARTECH_EVENT_H_INCLUDED_
#define _MARTECH_EVENT_H_INCLUDED_


#include "martech.h"
#include "martech_edit.h"
#include "martech_json.h"
#include "martech_uuid.h"


typedef enum {
    MARTECH_EVENT_UNKNOWN = 0,      /* the event's own "type" decides */
    MARTECH_EVENT_TRACK,
    MARTECH_EVENT_IDENTIFY,
    MARTECH_EVENT_PAGE,
    MARTECH_EVENT_SCREEN,
    MARTECH_EVENT_GROUP,
    MARTECH_EVENT_ALIAS
} martech_event_type_t;


#define MARTECH_USER_AGENT_MAX  512    /* bytes kept of a user agent */
#define MARTECH_BATCH_NAME_MAX  1024   /* bytes of an escaped name in the
                                          batch's own objects */
#define MARTECH_SENT_AT_MAX     64     /* bytes of the batch's sentAt; another
                                          one counts as absent */


/* What the request, not the event, knows.  Slices may be empty. */
typedef struct {
    uint64_t               now_ms;        /* wall clock at receipt */
    uint64_t               random[2];     /* fresh for each event */
    martech_str_t          source;        /* name, never a key */
    martech_str_t          request_id;    /* needs no JSON escape */
    martech_str_t          dialect;       /* needs no JSON escape */
    martech_str_t          ip;            /* added if the event has none */
    martech_str_t          user_agent;    /* likewise; raw header bytes */
    martech_str_t          traceparent;   /* of martech_traceparent() */
    martech_str_t          page;          /* id of the request that served the
                                             page; needs no JSON escape */
    martech_str_t          visitor;       /* anonymousId of events that have
                                             none; needs no JSON escape */
} martech_facts_t;


/* A request body, opened.  Members are nodes, MARTECH_JSON_NONE if absent. */
typedef struct {
    const martech_json_tape_t  *tape;
    martech_event_type_t        type;     /* of all events, or UNKNOWN */
    uint32_t                    first;    /* node of the first event */
    uint32_t                    count;    /* number of events, at least 1 */
    uint32_t                    context;
    uint32_t                    integrations;
    uint32_t                    sent_at;
    unsigned                    single:1; /* the document is the event */
} martech_batch_t;


#define MARTECH_EVENT_FIELDS  18       /* members that we interpret */


/* One event, checked. */
typedef struct {
    martech_event_type_t    type;
    martech_str_t           message_id;   /* un-escaped; into id_buf or the
                                             text; set on refusals, too, but
                                             for those of fields or of itself */
    martech_str_t           identity;     /* what chooses the shard; into the
                                             text or identity_buf */
    const char             *field;        /* of a refusal: JSON pointer in the
                                             event, static, "" = all of it */
    size_t                  len;          /* of the canonical form, written */

    /* zeroed by the check; the caller's between it and the bound */
    const martech_edits_t  *edits;        /* sorted; NULL: none */
    martech_str_t           extra;        /* members of context.martech as
                                             JSON text, no comma around */
    martech_str_t           context_extra;  /* likewise, of context */
    martech_str_t           visitor;      /* set by the check: that of the
                                             facts if it is the anonymousId */
    unsigned                anonymous:1;  /* set by _anonymize() only */

    /* private: between check and write */
    const martech_batch_t  *batch;
    const martech_facts_t  *facts;
    uint32_t                node;
    uint32_t                fields[MARTECH_EVENT_FIELDS];
    martech_str_t           runs[MARTECH_EVENT_FIELDS + 1];
                                          /* members passed on, neighbours
                                             together */
    unsigned                nruns;
    int64_t                 timestamp;
    int64_t                 skew;
    unsigned                skew_known:1;
    unsigned char          *out;
    unsigned char           id_buf[MARTECH_ID_SIZE_MAX];
    unsigned char           identity_buf[MARTECH_ID_SIZE_MAX];
} martech_event_t;


/*
 * Opens a scanned document.  With type UNKNOWN it is a batch: an object with
 * an array "batch".  Otherwise it is one event of that type.  Fails with one
 * of MARTECH_BODY_*, MARTECH_BATCH_*, MARTECH_FIELD_DUPLICATE,
 * MARTECH_CONTEXT_NOT_OBJECT, MARTECH_INTEGRATIONS_NOT_OBJECT,
 * MARTECH_EVENT_SIZE, MARTECH_JSON_KEY_SIZE; then *field is
 * the JSON pointer of the culprit.
 */
martech_rc_t martech_batch_open(martech_batch_t *batch,
    const martech_json_tape_t *tape, martech_event_type_t type,
    const martech_limits_t *limits, const char **field) MARTECH_MUST_CHECK;

/*
 * The "writeKey" of the body, or of its first event, un-escaped if need be
 * into buf (size bytes).  Empty if there is none, or it does not fit.
 */
martech_str_t martech_batch_write_key(const martech_batch_t *batch,
    unsigned char *buf, size_t size);

/*
 * Checks the event at a node.  On MARTECH_OK all public members of ev but len
 * are set; otherwise ev->field says where.  ev keeps pointers to batch and
 * facts until it is written.
 */
martech_rc_t martech_event_check(martech_event_t *ev,
    const martech_batch_t *batch, uint32_t node, const martech_facts_t *facts,
    const martech_limits_t *limits) MARTECH_MUST_CHECK;

/*
 * A checked event shall be stored without a person: it gets a new messageId
 * (from now and fresh random bytes) and is its own identity.  What is written
 * has no other id, no traits, integrations, address, user agent or request,
 * and none of the sender's times.  What leads to a person in the rest of the
 * event is up to the edits.
 */
void martech_event_anonymize(martech_event_t *ev, const uint64_t random[2]);

/*
 * To be called once ev->edits is set, if it is.  An id that edits change
 * cannot name the event any more: one that is replaced by 32 hex digits becomes
 * these, any other a new one.
 */
void martech_event_edited(martech_event_t *ev, const uint64_t random[2]);

/*
 * Room that martech_event_write() needs at most for a checked event, with what
 * was set since.
 */
size_t martech_event_bound(const martech_event_t *ev);

/*
 * Writes a checked event in canonical form to out, which has
 * martech_event_bound() bytes.  Returns the length, also in ev->len.
 */
size_t martech_event_write(martech_event_t *ev, unsigned char *out);

/* Check and write in one; out holds nothing of use after a refusal. */
martech_rc_t martech_event_build(martech_event_t *ev,
    const martech_batch_t *batch, uint32_t node, const martech_facts_t *facts,
    const martech_limits_t *limits, unsigned char *out) MARTECH_MUST_CHECK;

/*
 * The value of a header "traceparent" if it is one of version 00 (W3C Trace
 * Context) that names a trace and a parent; else empty.
 */
martech_str_t martech_traceparent(martech_str_t value);

/* The type a word of the API names ("track", "t"), or UNKNOWN. */
martech_event_type_t martech_event_type(martech_str_t word);


#endif /* _MARTECH_EVENT_H_INCLUDED_ */
