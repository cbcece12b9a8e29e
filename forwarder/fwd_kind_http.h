
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the files of the kind http share: the sender of a destination and its
 * requests.  Nobody else includes this.
 */


#ifndef _FWD_KIND_HTTP_H_INCLUDED_
#define _FWD_KIND_HTTP_H_INCLUDED_


#include "fwd_auth.h"
#include "fwd_buf.h"
#include "fwd_call.h"
#include "fwd_dest.h"
#include "fwd_gate.h"
#include "fwd_http.h"
#include "fwd_recall.h"
#include "fwd_reply.h"
#include "fwd_safe_curl.h"
#include "fwd_sequence.h"


#define FWD_HEADER_MAX    256            /* of our own headers */
#define FWD_REQUEST_HEADERS  5


typedef struct fwd_sender_s   fwd_sender_t;
typedef struct fwd_request_s  fwd_request_t;

struct fwd_request_s {
    fwd_link_t            link;          /* idle or active */
    fwd_sender_t         *sender;
    fwd_batch_t          *batch;         /* NULL: idle */
    CURL                 *easy;
    uint32_t              part;          /* record, with framing object */
    fwd_buf_t             body;
    size_t                body_len;      /* of what is sent */
    fwd_reply_t           reply;
    fwd_safe_guard_t      guard;
    struct curl_slist     headers[FWD_REQUEST_HEADERS];
    char                  lines[FWD_REQUEST_HEADERS][FWD_HEADER_MAX];
    uint32_t              headers_count;

    /* of calls (fwd_http_call.c) */
    fwd_call_request_t    call;
    struct curl_slist    *lines_list;    /* of the call under way */
    fwd_auth_wait_t       wait;
    uint64_t              used;          /* token of this attempt; 0: none */
    unsigned              waited:1;      /* for a first token, likewise */
    unsigned              refreshed:1;   /* credentials, for this call */
    unsigned              refresh:1;     /* the answer asks for it */

    /* of a sequence (fwd_http_sequence.c) */
    fwd_steps_t          *steps;         /* NULL: there is none under way */
    fwd_step_t            step;          /* under way */
    fwd_gate_step_t       tokens;
    fwd_recall_t          recall;
    fwd_post_t            go;
    fwd_verdict_t         failed;        /* what was said of the step that
                                            failed for good */
    char                  forget[FWD_ANSWER_FORGET_MAX];  /* of its answer */
    unsigned              paid:1;        /* tokens were taken */
    unsigned              begun:1;       /* a request was sent */
};


struct fwd_sender_s {
    fwd_core_t           *core;
    const fwd_dest_conf_t  *conf;
    fwd_http_t           *http;
    fwd_map_t            *answer;        /* NULL: the table of statuses */
    struct curl_slist    *headers;       /* those that never change */
    fwd_link_t            idle;
    fwd_link_t            active;
    fwd_buf_t             ids;           /* scratch for batch ids */
    fwd_post_t            fail;          /* requests that could not start */
    fwd_link_t            failed;
    fwd_auth_t           *auth;          /* NULL: no calls */
    fwd_sequence_t       *sequence;      /* NULL: there is none */
};


/* fwd_http_judge.c: a transfer is over; sets the outcome of the batch. */
void fwd_request_judge(fwd_request_t *rq, CURLcode code);

/* fwd_kind_http.c: the batch is through. */
void fwd_request_end(fwd_request_t *rq);

/*
 * fwd_http_call.c: a batch of calls.  start() makes the next one; FWD_ERROR:
 * the outcome is set, and ended() is to be called, not inline.  ended() goes
 * on with the next call, or ends the request.
 */
void fwd_call_init(fwd_request_t *rq);
void fwd_call_free(fwd_request_t *rq);
fwd_rc_t fwd_call_start(fwd_request_t *rq) FWD_MUST_CHECK;
void fwd_call_done(fwd_request_t *rq, CURLcode code);
void fwd_call_ended(fwd_request_t *rq);
void fwd_call_unwait(fwd_request_t *rq);

/* Sets the outcome of a call that cannot be made; returns FWD_ERROR. */
fwd_rc_t fwd_call_fail(fwd_request_t *rq, fwd_outcome_t outcome,
    const char *text);

/*
 * fwd_http_sequence.c: a batch whose record takes steps.  start() as above;
 * ended() is called with the outcome of a step, whatever has come of it.
 */
void fwd_http_steps_init(fwd_request_t *rq);
void fwd_http_steps_cancel(fwd_request_t *rq);
fwd_rc_t fwd_http_steps_start(fwd_request_t *rq) FWD_MUST_CHECK;
void fwd_http_steps_ended(fwd_request_t *rq);


#endif /* _FWD_KIND_HTTP_H_INCLUDED_ */
