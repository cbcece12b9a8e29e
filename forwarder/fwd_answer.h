
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What an answer means, by the destination's own program answer.jq: vendors
 * say "partly", "wrong key" or "slower" in bodies under a status of 200.
 *
 * Input is { status, headers, body, count, attempt, endpoint, settings }, in a
 * sequence also step, with an answer_key also keys, and the first output is
 * null (the table of statuses decides) or
 *
 *     { outcome, retry_after, reason, forget,
 *       records: [ { outcome, reason } ] }
 *
 * as docs/DESTINATIONS.md has it.  A program sees as little as a map does.
 */


#ifndef _FWD_ANSWER_H_INCLUDED_
#define _FWD_ANSWER_H_INCLUDED_


#include "fwd_buf.h"
#include "fwd_config.h"
#include "fwd_map.h"
#include "fwd_outcome.h"


#define FWD_ANSWER_REASON_MAX  200       /* bytes of a vendor's words kept */
#define FWD_ANSWER_FORGET_MAX  (FWD_SEQUENCE_STEPS_MAX * 33)


typedef struct {
    int                   status;
    martech_str_t         headers;       /* "name: value\n", lower case */
    martech_str_t         body;
    uint32_t              count;         /* records that were sent */
    uint32_t              attempt;
    const char           *endpoint;      /* name; NULL: there is one only */
    const char           *step;          /* name; NULL: in no sequence */
    const martech_str_t  *records;       /* count JSON texts, for keys; NULL */
    const char           *answer_key;    /* of fwd_endpoint_t; NULL: no keys */
    const char           *keys;          /* JSON, instead of these; or NULL */
    unsigned              cut:1;         /* the body is not all of it */
} fwd_answer_input_t;


typedef struct {
    fwd_verdict_t         all;           /* of the request */
    fwd_verdict_t        *verdicts;      /* of each record, or NULL: all have
                                            that; the caller frees it */
    fwd_buf_t             reasons;       /* texts; set up by the caller */
    uint64_t              wait_ms;       /* 0: not said */
    unsigned              whole:1;       /* REJECTED is not to be split */
    unsigned              by_status:1;   /* the outcome is that of the table */
    unsigned              singly:1;      /* REJECTED: each record alone */
    unsigned              refresh:1;     /* CREDENTIALS: but renew them first */
    unsigned              warning:1;     /* there was something to tell */
    char                  forget[FWD_ANSWER_FORGET_MAX];  /* names of steps,
                                            a blank between; "": none */
} fwd_answer_output_t;


/* Compiles desc->answer; as fwd_map_create(), and ended like that. */
fwd_rc_t fwd_answer_create(fwd_map_t **answer, const fwd_dest_conf_t *conf,
    fwd_report_t *report) FWD_MUST_CHECK;

/*
 * FWD_NONE: the program leaves it to the table.  FWD_ERROR with a text
 * without values: it failed, or gave something else than is allowed.
 */
fwd_rc_t fwd_answer_run(fwd_map_t *answer, const fwd_answer_input_t *in,
    fwd_answer_output_t *out, fwd_error_t *err) FWD_MUST_CHECK;


#endif /* _FWD_ANSWER_H_INCLUDED_ */
