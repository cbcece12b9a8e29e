
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The answer to an HTTP request as it comes in: its beginning, and those of
 * its headers that somebody may want to see.  Whatever the other side sends,
 * it takes no more memory than this.  It knows no library of HTTP.
 */


#ifndef _FWD_REPLY_H_INCLUDED_
#define _FWD_REPLY_H_INCLUDED_


#include "fwd.h"
#include "fwd_buf.h"


#define FWD_REPLY_BODY_MAX     65536     /* bytes of a body read */
#define FWD_REPLY_HEAD_MAX     65536     /* of all heads, interim ones too */
#define FWD_REPLY_HEADERS_MAX  4096      /* of headers kept */


typedef struct {
    fwd_buf_t             body;          /* its beginning */
    fwd_buf_t             headers;       /* "name: value\n", lower case */
    size_t                head_bytes;
    char                  retry_after[64];
    const char          **more;          /* names of others that are wanted;
                                            "x*" is a beginning */
    size_t                more_count;
    unsigned              cut:1;         /* the body was longer: not read to
                                            its end */
    unsigned              flooded:1;     /* the head was longer: given up */
} fwd_reply_t;


void fwd_reply_init(fwd_reply_t *reply);
void fwd_reply_reset(fwd_reply_t *reply);
void fwd_reply_free(fwd_reply_t *reply);

/* A line of the head, and a piece of the body; 0: enough, read no more. */
int fwd_reply_header(fwd_reply_t *reply, const char *line, size_t len);
int fwd_reply_body(fwd_reply_t *reply, const char *data, size_t len);


#endif /* _FWD_REPLY_H_INCLUDED_ */
