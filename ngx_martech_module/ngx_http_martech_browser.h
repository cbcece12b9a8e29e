
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What pages and their browsers are to us: the configuration of CORS, cookies
 * and campaigns, and what a request has of it.
 *
 *     filter       the header filter, where all of it comes together
 *     header       looks for headers of a request, adds those of an answer
 *     cookie       the same for cookies; cookie_conf
 *     cors         which pages may send, and read the answer; cors_conf
 *     identity     the id of a visitor, sent or new
 *     anonymous    an id of a day, without a cookie
 *     campaign     what has led a visitor to the page
 *     forget       expires all cookies of ours
 */


#ifndef _NGX_HTTP_MARTECH_BROWSER_H_INCLUDED_
#define _NGX_HTTP_MARTECH_BROWSER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "martech_campaign.h"
#include "martech_cors.h"
#include "martech_visitor.h"


/* Origins that may send: of a location, or of a source alone. */
typedef struct {
    ngx_array_t   rules;                 /* martech_origin_rule_t */
    time_t        max_age;               /* seconds, of a preflight */
    unsigned      any:1;                 /* "*" */
    unsigned      credentials:1;
} ngx_http_martech_cors_t;


typedef enum {
    NGX_HTTP_MARTECH_SAME_SITE_LAX = 0,
    NGX_HTTP_MARTECH_SAME_SITE_STRICT,
    NGX_HTTP_MARTECH_SAME_SITE_NONE
} ngx_http_martech_same_site_e;


typedef enum {
    NGX_HTTP_MARTECH_SECURE_AUTO = 0,    /* if the request came by TLS */
    NGX_HTTP_MARTECH_SECURE_ON,
    NGX_HTTP_MARTECH_SECURE_OFF
} ngx_http_martech_secure_e;


/* One martech_cookie. */
typedef struct {
    ngx_str_t                     name;
    ngx_array_t                  *domains;       /* ngx_str_t, or NULL */
    ngx_str_t                     path;
    time_t                        max_age;       /* seconds */
    time_t                        rotate;        /* likewise, 0: never */
    ngx_http_martech_same_site_e  same_site;
    ngx_http_martech_secure_e     secure;
    ngx_str_t                     key;           /* of an id of a day */
    unsigned                      http_only:1;
    unsigned                      anonymous:1;   /* no cookie */
} ngx_http_martech_cookie_t;


/* One martech_campaign that is on. */
typedef struct {
    ngx_str_t                     cookie;        /* its name, or empty */
    time_t                        max_age;
    unsigned                      clicks:1;
} ngx_http_martech_campaign_conf_t;


/* Of a request in a collecting location. */
typedef struct {
    martech_str_t                 visitor;       /* empty: nobody knows */
    ngx_str_t                     campaign;      /* to be kept in a cookie */
    u_char                       *room;          /* that it is written to */
    unsigned                      known:1;       /* visitor was looked for */
} ngx_http_martech_visit_t;


/* Where a search for cookies is. */
typedef struct {
    ngx_list_part_t              *part;
    ngx_uint_t                    i;
    u_char                       *pos;           /* in the i-th header */
} ngx_http_martech_cookies_t;


#endif /* _NGX_HTTP_MARTECH_BROWSER_H_INCLUDED_ */
