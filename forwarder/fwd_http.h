
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * libcurl on libuv: all that is known about "the application has its own
 * loop" is here.  It knows transfers, not destinations.
 */


#ifndef _FWD_HTTP_H_INCLUDED_
#define _FWD_HTTP_H_INCLUDED_


#include <curl/curl.h>

#include "fwd_core.h"


typedef struct fwd_http_s  fwd_http_t;

/* A transfer is over; the handle is out of the multi handle already. */
typedef void (*fwd_http_done_pt)(CURL *easy, CURLcode code);


/* NULL if out of memory. */
fwd_http_t *fwd_http_create(fwd_core_t *core, fwd_http_done_pt done);

/* Ends all; transfers must have been canceled. */
void fwd_http_destroy(fwd_http_t *http);

/* A handle whose connections belong to this loop.  NULL: no memory. */
CURL *fwd_http_easy(fwd_http_t *http);

/* Starts a transfer; done() comes later, never inline. */
fwd_rc_t fwd_http_start(fwd_http_t *http, CURL *easy) FWD_MUST_CHECK;

/* Ends a transfer without done(). */
void fwd_http_cancel(fwd_http_t *http, CURL *easy);


#endif /* _FWD_HTTP_H_INCLUDED_ */
