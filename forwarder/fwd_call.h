
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Calls: the records of a batch cut into requests, by endpoint, group and the
 * limits of the endpoint; and the requests as they are sent.  Nothing is sent
 * here.
 */


#ifndef _FWD_CALL_H_INCLUDED_
#define _FWD_CALL_H_INCLUDED_


#include "fwd_batch.h"
#include "fwd_endpoint.h"


#define FWD_CALL_BODY_MAX    (512UL * 1024 * 1024)
#define FWD_CALL_URL_MAX     65536
#define FWD_CALL_HEADER_MAX  65536       /* of all lines */


typedef struct {
    const fwd_endpoint_t  *endpoint;
    uint32_t              first;         /* of its texts */
    uint32_t              count;         /* texts: merged records are one */
    uint32_t              records;
    size_t                bytes;         /* of the body, as foreseen */
    martech_str_t         group;         /* JSON, or empty */
    martech_str_t         path;          /* JSON, or empty */
    fwd_exchange_t       *exchange;      /* what went wrong; NULL: nothing */
    const char           *step;          /* of a sequence; else NULL */
    fwd_buf_t             own;           /* its texts */
    unsigned              undoes:1;      /* the step */
} fwd_call_t;


/*
 * The calls of a batch; they go one after another.  Of a sequence there is
 * one; its place has the step under way, and the place behind it what undoes
 * steps, so that the step that failed is known in the end.
 */
struct fwd_calls_s {
    fwd_call_t           *list;
    uint32_t              count;
    uint32_t              size;          /* of the list */
    uint32_t              next;          /* the one under way */
    martech_str_t        *texts;         /* of all calls, each one's together */
    martech_str_t        *arrays;        /* of the texts */
    uint32_t             *call_of;       /* of each record of the batch */
    uint32_t             *text_of;       /* its text, in its call */
    fwd_buf_t             merged;        /* texts of records that became one */
    fwd_verdict_t        *verdicts;      /* of the records, while there are
                                            several calls */
    fwd_outcome_t         outcome;       /* of the calls so far */
    uint64_t              wait_ms;
    int                   status;
    unsigned              connect_failed:1;
    unsigned              answer_error:1;
    unsigned              decided:1;
    unsigned              some:1;        /* a call has ended */
    unsigned              sequence:1;    /* the only record takes steps */
};


/* A request, complete. */
typedef struct {
    const char           *method;
    fwd_buf_t             url;
    fwd_buf_t             headers;       /* "Name: value\n", without those of
                                            fwd_auth.h */
    fwd_buf_t             plain;         /* the body */
    fwd_buf_t             packed;        /* compressed, if the endpoint wants */
    const unsigned char  *body;          /* one of the two; NULL: none */
    size_t                body_len;
    fwd_buf_t             ids;           /* scratch */
    char                  id[FWD_SIGN_ID_MAX];
} fwd_call_request_t;


/*
 * Cuts a sealed batch and sets batch->calls.  single: one record a call, as
 * after the outcome "singly".  FWD_AGAIN: no memory.
 */
fwd_rc_t fwd_calls_cut(fwd_batch_t *batch, const fwd_dest_conf_t *conf,
    int single) FWD_MUST_CHECK;
void fwd_calls_free(fwd_calls_t *calls);

/* Where what went wrong with the call under way is kept; NULL: no memory. */
fwd_exchange_t *fwd_call_exchange(fwd_batch_t *batch);

/* 1 if an item of a batch shares it with nobody: it takes a sequence. */
int fwd_calls_alone(const fwd_batch_t *batch, uint32_t item);

/* 1 if a record of that length fits into a call of its endpoint. */
int fwd_calls_fits(const fwd_endpoint_t *endpoint, martech_str_t text);

void fwd_call_request_init(fwd_call_request_t *rq);
void fwd_call_request_free(fwd_call_request_t *rq);

/*
 * Makes the request of a call.  scope has conf, captured, now_ms and show;
 * the rest is filled here.  FWD_ERROR with a text without values.
 */
fwd_rc_t fwd_call_build(fwd_call_request_t *rq, const fwd_batch_t *batch,
    const fwd_call_t *call, const fwd_scope_t *scope, fwd_error_t *err)
    FWD_MUST_CHECK;

/*
 * The body as it would be for some texts of a call, for a dead letter:
 * secrets are masked, nothing is compressed.
 */
fwd_rc_t fwd_call_body(fwd_buf_t *out, const fwd_endpoint_t *endpoint,
    const fwd_scope_t *scope, const char **missing) FWD_MUST_CHECK;

/* "POST", ... */
const char *fwd_call_method(uint64_t method);

/*
 * Replaces every value of a secret setting by "***": as it is, in JSON, or
 * percent-encoded.
 */
void fwd_call_mask(fwd_buf_t *text, const fwd_dest_conf_t *conf);

/* fwd_call_gzip.c: RFC 1952.  FWD_ERROR: out of memory. */
fwd_rc_t fwd_call_gzip(fwd_buf_t *out, const void *data, size_t len)
    FWD_MUST_CHECK;


#endif /* _FWD_CALL_H_INCLUDED_ */
