
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the files of the kind http share: the sender of a destination and its
 * requests.  Nobody else includes this.
 */


#ifndef _FWD_KIND_HTTP_H_INCLUDED_
#define _FWD_KIND_HTTP_H_INCLUDED_


#include "fwd_buf.h"
#include "fwd_dest.h"
#include "fwd_http.h"
#include "fwd_reply.h"


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
    struct curl_slist     headers[FWD_REQUEST_HEADERS];
    char                  lines[FWD_REQUEST_HEADERS][FWD_HEADER_MAX];
    uint32_t              headers_count;
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
};


/* fwd_http_judge.c: a transfer is over; sets the outcome of the batch. */
void fwd_request_judge(fwd_request_t *rq, CURLcode code);


#endif /* _FWD_KIND_HTTP_H_INCLUDED_ */
