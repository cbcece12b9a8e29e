
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Replies of Redis: an incremental parser for the kinds that our commands get
 * (RESP2 and the null of RESP3), and the classes of errors.
 *
 * This file and its .c know neither NGINX nor sockets, so that unit tests and
 * the fuzzer can build them alone.
 */


#ifndef _NGX_HTTP_MARTECH_RESP_H_INCLUDED_
#define _NGX_HTTP_MARTECH_RESP_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define NGX_HTTP_MARTECH_RESP_TEXT_MAX   256
#define NGX_HTTP_MARTECH_RESP_BULK_MAX   65536
#define NGX_HTTP_MARTECH_RESP_LINE_MAX   24
#define NGX_HTTP_MARTECH_RESP_DEPTH_MAX  8
#define NGX_HTTP_MARTECH_RESP_COUNT_MAX  65536     /* elements, all levels */


typedef enum {
    NGX_HTTP_MARTECH_RESP_STATUS = '+',
    NGX_HTTP_MARTECH_RESP_ERROR = '-',
    NGX_HTTP_MARTECH_RESP_INTEGER = ':',
    NGX_HTTP_MARTECH_RESP_BULK = '$',
    NGX_HTTP_MARTECH_RESP_ARRAY = '*',
    NGX_HTTP_MARTECH_RESP_NULL = '_'      /* also "$-1" and "*-1" */
} ngx_http_martech_resp_type_e;


/*
 * A parser and the reply it holds.  Zero it before the first use.
 *
 * The text of an array is that of its scalars, in their order and whatever
 * their level, joined by LF; a null among them is an empty one.
 */
typedef struct {
    int       type;           /* of a complete reply, one of the above */
    size_t    len;            /* of text */
    char      text[NGX_HTTP_MARTECH_RESP_TEXT_MAX];
                              /* status, error, digits, bulk, or the above;
                                 not terminated */
    int       cut;            /* 1: there was more text */

    /* private */
    int       state;
    int       element;        /* type of the present element */
    uint32_t  rest;           /* bytes of a bulk still to come */
    uint32_t  scalars;        /* of this reply so far */
    uint32_t  count;          /* elements of its arrays so far */
    uint32_t  depth;          /* open arrays */
    uint32_t  left[NGX_HTTP_MARTECH_RESP_DEPTH_MAX];
                              /* elements still to come, by level */
    size_t    line_len;
    char      line[NGX_HTTP_MARTECH_RESP_LINE_MAX];
                              /* a number or a length */
} ngx_http_martech_resp_t;


/*
 * Reads from *pos to end and moves *pos behind what was used.  Returns 1 when
 * a reply is complete (and stops behind it; the next call starts the next
 * reply), 0 when more bytes are needed, -1 when this is not a reply we can
 * get: the connection is of no use any more.
 */
int ngx_http_martech_resp_parse(ngx_http_martech_resp_t *resp,
    const unsigned char **pos, const unsigned char *end);


/* What an error reply asks for. */
typedef enum {
    NGX_HTTP_MARTECH_REDIS_OTHER = 0,     /* the command is at fault */
    NGX_HTTP_MARTECH_REDIS_OOM,           /* full; refuse, stay connected */
    NGX_HTTP_MARTECH_REDIS_BUSY,          /* cannot write now; likewise */
    NGX_HTTP_MARTECH_REDIS_LOADING,       /* starting; connect again later */
    NGX_HTTP_MARTECH_REDIS_READONLY,      /* not a master; likewise */
    NGX_HTTP_MARTECH_REDIS_MOVED,         /* another node's shard; refuse, stay:
                                             others of ours may be here */
    NGX_HTTP_MARTECH_REDIS_DENIED,        /* password or rights are wrong */
    NGX_HTTP_MARTECH_REDIS_CLASSES
} ngx_http_martech_redis_class_e;


/* The class of the text of an error reply (without the "-"). */
ngx_http_martech_redis_class_e ngx_http_martech_resp_class(const char *text,
    size_t len);

/* Its name in status, metrics and logs; never NULL. */
const char *ngx_http_martech_resp_class_name(unsigned class);


#endif /* _NGX_HTTP_MARTECH_RESP_H_INCLUDED_ */
