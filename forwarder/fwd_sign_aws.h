
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Signature of outgoing requests, AWS Signature Version 4 (IAM User Guide,
 * "Create a signed AWS API request").  Pure: the time is an argument.
 *
 * libcurl can sign too, but 7.88 signs headers that it does not send, leaves
 * a query as it stands, and other versions do other things.
 */


#ifndef _FWD_SIGN_AWS_H_INCLUDED_
#define _FWD_SIGN_AWS_H_INCLUDED_


#include "fwd_buf.h"


typedef struct {
    const char           *access_key;
    const char           *secret_key;
    const char           *session_token; /* NULL: none */
    const char           *region;
    const char           *service;

    const char           *method;
    const char           *url;           /* as it is requested */
    const char           *lines;         /* "Name: value\n" of the request */
    const void           *body;          /* as it is sent */
    size_t                body_len;
    uint64_t              now_s;
} fwd_sign_aws_t;


/*
 * Adds the lines X-Amz-Date, X-Amz-Security-Token, X-Amz-Content-Sha256 (of
 * the service s3) and Authorization.  Signed are host, content-type and all
 * x-amz-*.  FWD_ERROR with a text that holds no part of the secrets: the URL
 * cannot be read, has more than 64 parameters, or a path that servers
 * normalize ("//", "/../").
 */
fwd_rc_t fwd_sign_aws(fwd_buf_t *headers, const fwd_sign_aws_t *in,
    fwd_error_t *err) FWD_MUST_CHECK;


#endif /* _FWD_SIGN_AWS_H_INCLUDED_ */
