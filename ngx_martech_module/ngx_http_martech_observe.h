
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the server itself knows of pages: an event for each answer, and how
 * many of the pages were heard of again by a beacon.
 *
 *     observe_conf    the directive, and what a location inherits
 *     observe         header filter and LOG phase of a page
 *     observe_text    the batch of its event
 *     loss            pages by their ids, in shared memory, and their counts
 *     loss_status     the counts on the status page
 */


#ifndef _NGX_HTTP_MARTECH_OBSERVE_H_INCLUDED_
#define _NGX_HTTP_MARTECH_OBSERVE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "martech.h"
#include "martech_json.h"

#include "ngx_http_martech_browser.h"
#include "ngx_http_martech_dialect.h"


#define NGX_HTTP_MARTECH_PAGE_ID      32     /* hex digits, as $request_id */
#define NGX_HTTP_MARTECH_PAGE_AGE     1800   /* s that a page may be answered
                                                for by a beacon */
#define NGX_HTTP_MARTECH_PAGE_SOURCE  64     /* bytes of a name, at most */


/* One martech_observe that is on. */
typedef struct {
    ngx_str_t                  source;     /* empty: the only one */
    ngx_str_t                  link;       /* name of a cookie; empty: after
                                              that of martech_cookie */
    ngx_http_complex_value_t  *event;      /* its name, NULL: the usual one */
    ngx_http_complex_value_t  *condition;  /* NULL: all */
    ngx_array_t               *types;      /* ngx_str_t, NULL: HTML */
    unsigned                   any:1;      /* all types */
    unsigned                   linked:1;
} ngx_http_martech_observe_t;


/* A page, from its header to the log. */
typedef struct {
    u_char                     buf[NGX_HTTP_MARTECH_PAGE_ID];
    martech_str_t              id;         /* in buf, or of NGINX */
    ngx_str_t                  type;       /* Content-Type, a 304 has none */
    uint64_t                   number;     /* in the table of pages, see loss */
    ngx_int_t                  place;      /* NGX_DECLINED: none was free */
    struct ngx_http_martech_drop_s  *drop; /* rule that holds, or NULL */
    unsigned                   shown:1;    /* as a document, by a browser */
    unsigned                   linked:1;   /* the browser was told its id */
    unsigned                   denied:1;
} ngx_http_martech_page_t;


typedef struct ngx_http_martech_main_conf_s  ngx_http_martech_main_conf_t;


/* observe_conf */
char *ngx_http_martech_observe(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_martech_observe_merge(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *prev, ngx_http_martech_loc_conf_t *conf);

/*
 * observe: _begin decides whether an answer is a page that is observed: then
 * *ctx is made for it.  _headers tells the browser its id.  _log makes the
 * event of it.  _known: the page that a beacon is of; empty: it does not say.
 */
ngx_int_t ngx_http_martech_observe_begin(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t **ctx);
ngx_int_t ngx_http_martech_observe_headers(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx);
void ngx_http_martech_observe_log(ngx_http_request_t *r,
    ngx_http_martech_ctx_t *ctx);
martech_str_t ngx_http_martech_observe_known(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx);

/*
 * observe_text: the batch of a page that was served, in memory of the worker.
 * NGX_ERROR: there is none.
 */
ngx_int_t ngx_http_martech_observe_text(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx,
    ngx_http_martech_worker_t *worker, ngx_str_t *batch);

/*
 * loss: _open notes a page whose header is on its way; _served: what became of
 * it, delivered or not.  _beacon: events came that name this page, or none
 * (empty).
 */
ngx_int_t ngx_http_martech_loss_zone(ngx_conf_t *cf,
    ngx_http_martech_main_conf_t *mmcf);
void ngx_http_martech_loss_open(ngx_shm_zone_t *zone,
    ngx_http_martech_page_t *page, ngx_str_t *source);
void ngx_http_martech_loss_served(ngx_shm_zone_t *zone,
    ngx_http_martech_page_t *page, ngx_str_t *source, ngx_uint_t delivered);
void ngx_http_martech_loss_beacon(ngx_shm_zone_t *zone, martech_str_t id,
    ngx_str_t *source);

/* The counts of a source. */
typedef struct {
    u_char                     name[NGX_HTTP_MARTECH_PAGE_SOURCE + 1];
    uint64_t                   observed;   /* pages */
    uint64_t                   served;     /* of these: that can be confirmed */
    uint64_t                   confirmed;  /* by a beacon */
    uint64_t                   untracked;  /* there was no room for them */
    uint64_t                   unknown;    /* beacons of no page */
    uint64_t                   open;       /* young, and not confirmed; set by
                                              _loss_sum() alone */
} ngx_http_martech_loss_t;

#define NGX_HTTP_MARTECH_LOSS_SOURCES  64  /* the last: all that are more */

/* Copies the counts of all sources, their number is returned. */
ngx_uint_t ngx_http_martech_loss_sum(ngx_shm_zone_t *zone,
    ngx_http_martech_loss_t *loss);

/* loss_status: a member of the JSON page; Prometheus text.  They need _size
   bytes at most. */
size_t ngx_http_martech_loss_size(ngx_http_martech_main_conf_t *mmcf);
void ngx_http_martech_loss_json(ngx_http_martech_main_conf_t *mmcf,
    ngx_pool_t *pool, martech_json_writer_t *w);
void ngx_http_martech_loss_metrics(ngx_http_martech_main_conf_t *mmcf,
    ngx_pool_t *pool, martech_json_writer_t *w);


#endif /* _NGX_HTTP_MARTECH_OBSERVE_H_INCLUDED_ */
