
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Origins of pages (RFC 6454), as far as the sharing of resources between
 * them (CORS, the Fetch standard) needs them: rules that allow some, whether
 * a page is of the same origin, and the headers that a preflight may ask for.
 */


#ifndef _MARTECH_CORS_H_INCLUDED_
#define _MARTECH_CORS_H_INCLUDED_


#include "martech.h"


#define MARTECH_ORIGIN_MAX         255   /* bytes of an origin compared */
#define MARTECH_CORS_HEADERS_SIZE  512   /* of martech_cors_headers() */


typedef enum {
    MARTECH_ORIGIN_EXACT = 0,
    MARTECH_ORIGIN_BELOW,                /* hosts below one */
    MARTECH_ORIGIN_ANY
} martech_origin_kind_t;


typedef struct {
    martech_origin_kind_t  kind;
    martech_str_t          head;         /* EXACT: all of it; BELOW: up to
                                            "://" */
    martech_str_t          tail;         /* BELOW: ".example.com:8443" */
} martech_origin_rule_t;


/*
 * Reads a rule: "https://shop.example.com", "https://" followed by
 * "*.example.com", "null" or "*".  The rule points into buf, which has
 * text.len bytes.  Returns NULL, or what is wrong (static).
 */
const char *martech_origin_rule(martech_origin_rule_t *rule,
    martech_str_t text, unsigned char *buf);

/* 1 if a rule allows an origin, as a browser has sent it. */
int martech_origin_allowed(const martech_origin_rule_t *rule,
    martech_str_t origin);

/*
 * 1 if a page of this origin asks its own host, given as in the header Host.
 * secure: the request came by TLS.  A page of https is at home on http, too:
 * TLS has ended in front of us.
 */
int martech_origin_same(martech_str_t origin, martech_str_t host, int secure);

/*
 * Of the list that a preflight asks for, those headers that events are sent
 * with; written to out (MARTECH_CORS_HEADERS_SIZE bytes) as a list, returns
 * its length.
 */
size_t martech_cors_headers(martech_str_t asked, unsigned char *out);


#endif /* _MARTECH_CORS_H_INCLUDED_ */
