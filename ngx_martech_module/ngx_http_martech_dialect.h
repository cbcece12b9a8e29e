
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Dialects on the NGINX side: which of them a location speaks, which one a
 * request is of, and what turns a body into the batch that the event model
 * reads.  What the dialects are is in martech_dialect.h.
 *
 *     dialect_conf   the directive
 *     dialect        the request as a dialect sees it, and its endpoint
 *     inflate        the body decompressed
 *     translate      the body as a batch
 *     answer_reply   what the dialect answers
 */


#ifndef _NGX_HTTP_MARTECH_DIALECT_H_INCLUDED_
#define _NGX_HTTP_MARTECH_DIALECT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "martech_dialect.h"


/* The number of what comes by no dialect, behind those of all dialects. */
#define NGX_HTTP_MARTECH_DIALECT_HOOK     MARTECH_DIALECTS_MAX
#define NGX_HTTP_MARTECH_DIALECT_OBSERVE  (MARTECH_DIALECTS_MAX + 1)
#define NGX_HTTP_MARTECH_DIALECT_SLOTS    (MARTECH_DIALECTS_MAX + 2)


/* How a body is encoded, by Content-Encoding. */
#define NGX_HTTP_MARTECH_ENCODING_NONE     0     /* or gzip that does not say
                                                    so */
#define NGX_HTTP_MARTECH_ENCODING_GZIP     1
#define NGX_HTTP_MARTECH_ENCODING_DEFLATE  2


typedef struct ngx_http_martech_ctx_s       ngx_http_martech_ctx_t;
typedef struct ngx_http_martech_loc_conf_s  ngx_http_martech_loc_conf_t;
typedef struct ngx_http_martech_inflate_s   ngx_http_martech_inflate_t;
typedef struct ngx_http_martech_worker_s    ngx_http_martech_worker_t;


/* Counters of one dialect, of a worker; see ngx_http_martech_stats_t. */
typedef struct {
    uint64_t                   received;   /* events */
    uint64_t                   accepted;
    uint64_t                   silent;     /* requests that bring none */
} ngx_http_martech_dialect_stats_t;


/* A dialect that a location speaks. */
typedef struct {
    const martech_dialect_t   *dialect;
    martech_dialect_conf_t     conf;
    ngx_uint_t                 number;     /* in martech_dialects[] */
} ngx_http_martech_spoken_t;


/* Those of a location, in the order in which they are asked. */
typedef struct {
    ngx_uint_t                 count;
    ngx_http_martech_spoken_t  spoken[MARTECH_DIALECTS_MAX];
} ngx_http_martech_dialects_t;


/* Memory of a worker for the request at hand; kept for the next one unless it
   has become large. */
typedef struct {
    u_char                    *data;
    size_t                     size;
} ngx_http_martech_room_t;


/* What a worker works with between a body and its batch. */
typedef struct {
    ngx_http_martech_room_t     inflated;
    ngx_http_martech_room_t     scratch;
    ngx_http_martech_room_t     batch;
    ngx_http_martech_inflate_t *inflate;   /* NULL: not needed so far */
} ngx_http_martech_texts_t;


/* dialect_conf: the directive, and what a location inherits */
char *ngx_http_martech_dialect(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_martech_dialect_merge(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *prev, ngx_http_martech_loc_conf_t *conf);

/*
 * dialect: sets endpoint and dialect of a request, and ctx->request if it is
 * going to be translated or has an answer of its own.  Returns MARTECH_OK, or
 * the reason for a refusal: nobody knows the path, or not with this method;
 * then ctx->methods are those that it has.  _init: once for a worker.
 */
void ngx_http_martech_dialect_init(ngx_http_martech_worker_t *worker);
ngx_uint_t ngx_http_martech_dialect_find(ngx_http_request_t *r,
    ngx_http_martech_worker_t *worker, ngx_http_martech_loc_conf_t *mlcf,
    ngx_http_martech_ctx_t *ctx);

/* The name of what has a number, ended by zero. */
#define NGX_HTTP_MARTECH_DIALECT_NAME  32
void ngx_http_martech_dialect_name(ngx_uint_t number, char *name);

/*
 * A request as a dialect sees it, in the request's pool, but for conf, path
 * and prefix; NULL without memory.
 */
martech_request_t *ngx_http_martech_dialect_request(ngx_http_request_t *r,
    ngx_http_martech_worker_t *worker);

/* What of the URI is in front of a path, in a location; 0: it varies. */
size_t ngx_http_martech_dialect_skip(ngx_http_core_loc_conf_t *clcf);

/* Methods (bits) as a header field "Allow", into at most _ALLOW bytes. */
#define NGX_HTTP_MARTECH_ALLOW  64
u_char *ngx_http_martech_dialect_allow(u_char *p, ngx_uint_t methods);

/*
 * answer_reply: asks the endpoint for its answer to a request that is refused
 * (status), or 0, and sends it.  NGX_DECLINED: it leaves the answer to us;
 * else what ngx_http_finalize_request() takes.
 */
ngx_int_t ngx_http_martech_answer_ask(ngx_http_request_t *r,
    ngx_uint_t status);

#define ngx_http_martech_answer_reply(r, ctx, status)                         \
    (((ctx)->endpoint && (ctx)->endpoint->reply)                              \
     ? ngx_http_martech_answer_ask(r, status) : NGX_DECLINED)

/*
 * answer: sends a response; type NULL: there is no body.  _field adds a field
 * to it before; its name and value stay.
 */
ngx_int_t ngx_http_martech_answer_send(ngx_http_request_t *r,
    ngx_uint_t status, const char *type, u_char *body, size_t len);
ngx_int_t ngx_http_martech_answer_field(ngx_http_request_t *r,
    const char *name, martech_str_t value);

/*
 * texts: makes room for size bytes, of which the first used are kept; NULL
 * without memory.  _trim gives back what is large.
 */
u_char *ngx_http_martech_texts_room(ngx_http_martech_room_t *room, size_t size,
    size_t used, ngx_log_t *log);
void ngx_http_martech_texts_trim(ngx_http_martech_texts_t *texts);


#endif /* _NGX_HTTP_MARTECH_DIALECT_H_INCLUDED_ */
