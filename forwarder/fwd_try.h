
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A destination without sending: what its map and templates make of events,
 * and what its program makes of an answer.  For the commands test, explain
 * and send; all is done by the code that delivers.
 */


#ifndef _FWD_TRY_H_INCLUDED_
#define _FWD_TRY_H_INCLUDED_


#include "fwd_auth.h"
#include "fwd_call.h"
#include "fwd_map.h"
#include "fwd_outcome.h"


/* What becomes of an event. */
typedef enum {
    FWD_TRY_SENT = 0,
    FWD_TRY_DROPPED,              /* the map gives no record */
    FWD_TRY_DEAD                  /* it fails, or says so */
} fwd_try_end_t;


typedef struct {
    fwd_try_end_t         end;
    char                  reason[256];   /* "" of a drop without one */
} fwd_try_event_t;


typedef struct {
    const char           *endpoint;
    const char           *method;
    const char           *url;
    const char           *headers;       /* "Name: value\n" */
    const unsigned char  *body;          /* before it is compressed */
    size_t                body_len;
    unsigned              gzip:1;
    uint32_t              count;         /* records */
    uint32_t             *events;        /* which event each record is of */
    char                  id[FWD_SIGN_ID_MAX];
} fwd_try_call_t;


typedef struct {
    const martech_str_t  *events;        /* canonical, JSON */
    uint32_t              count;
    const char           *person;        /* or NULL */
    const char           *token;         /* answer of a token server, JSON, or
                                            NULL */
    uint64_t              now_ms;
    fwd_map_t           **program;       /* kept for the next call with this
                                            description, whose caller destroys
                                            it; NULL: not kept */
    unsigned              validate:1;    /* the endpoint's "validate" */
    unsigned              show:1;        /* "***" for secrets */
} fwd_try_input_t;


/* A record that goes through the sequence of its destination. */
typedef struct {
    uint32_t              event;         /* which one it is of */
    martech_str_t         text;
} fwd_try_sequence_t;


/* All memory is of the pool that was given. */
typedef struct {
    fwd_try_event_t      *events;        /* one for each given */
    fwd_try_sequence_t   *sequences;     /* not among the records below */
    uint32_t              sequences_count;
    fwd_try_call_t       *calls;
    uint32_t              calls_count;
    char                **records;       /* JSON texts, all events' */
    uint32_t             *record_events;
    fwd_steer_t          *record_steers; /* NULL: nothing was said */
    uint32_t              records_count;
} fwd_try_output_t;


typedef struct {
    const char           *endpoint;      /* NULL: the first */
    int                   status;
    const char           *headers;       /* "name: value\n", lower case */
    martech_str_t         body;
    uint32_t              sent;          /* records of the call */
    uint32_t              attempt;
    uint64_t              now_ms;        /* for a Retry-After with a date */
    const char           *keys;          /* ".keys" of answer.jq, JSON; NULL:
                                            none */
    fwd_map_t           **program;       /* as above */
} fwd_try_answer_t;


/*
 * The answer to a request of a sequence; step is its name, with "!" for a
 * compensation.  FWD_OK: *answer is it, with status 0 for one that never
 * came.  FWD_NONE: there is none, and the trial is over.
 */
typedef fwd_rc_t (*fwd_try_answer_pt)(void *data, const char *step,
    const fwd_try_call_t *call, fwd_try_answer_t *answer);


typedef struct {
    const fwd_try_input_t  *in;          /* as for the records */
    const fwd_try_sequence_t  *record;
    fwd_pool_t           *pool;
    const char           *cached;        /* {step: values}, JSON, or NULL:
                                            what each cache holds */
    const char           *place;         /* as fwd_steps_place(), or NULL */
    fwd_try_answer_pt     answer;
    void                 *data;
} fwd_try_exchange_t;


typedef struct {
    const char           *outcome;       /* as below; NULL: it has not ended */
    const char           *reason;        /* "" if there is none */
    const char           *at;            /* the step it stands at; "" if it
                                            has ended */
    const char           *cached;        /* {step: values}, JSON */
} fwd_try_steps_t;


typedef struct {
    const char           *outcome;       /* the word of answer.jq: "ok",
                                            "retry", ...; by the table if it
                                            says nothing */
    const char           *reason;        /* "" if there is none */
    uint64_t              wait_ms;       /* by answer.jq, else Retry-After;
                                            0: not said */
    const char          **outcomes;      /* of each record; NULL: as above */
    const char          **reasons;
} fwd_try_verdict_t;


/*
 * A destination of a description and settings, both without a configuration:
 * settings is a JSON object; secrets are plain values in it.  What is wrong
 * is reported.
 */
fwd_rc_t fwd_try_conf(fwd_dest_conf_t *conf, const fwd_desc_t *desc,
    const char *settings, const char *environment, fwd_report_t *report,
    fwd_pool_t *pool) FWD_MUST_CHECK;

/*
 * What would be sent for these events, together.  FWD_ERROR: the map is no
 * program, or a request cannot be made.  The environment must be empty
 * (fwd_map.h).
 */
fwd_rc_t fwd_try_requests(fwd_try_output_t *out, const fwd_dest_conf_t *conf,
    const fwd_try_input_t *in, fwd_pool_t *pool, fwd_error_t *err)
    FWD_MUST_CHECK;

/*
 * fwd_try_sequence.c: sends a record through all steps, against the answers
 * that are given.  FWD_ERROR: a program is none, a request cannot be made, or
 * the place is none.
 */
fwd_rc_t fwd_try_sequence(fwd_try_steps_t *out, const fwd_dest_conf_t *conf,
    const fwd_try_exchange_t *x, fwd_error_t *err) FWD_MUST_CHECK;

/* What an answer means. */
fwd_rc_t fwd_try_answer(fwd_try_verdict_t *out, const fwd_dest_conf_t *conf,
    const fwd_try_answer_t *in, fwd_pool_t *pool, fwd_error_t *err)
    FWD_MUST_CHECK;


#endif /* _FWD_TRY_H_INCLUDED_ */
