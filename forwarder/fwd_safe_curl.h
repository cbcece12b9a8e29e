
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Keeps a transfer of libcurl within fwd_safe.h.
 */


#ifndef _FWD_SAFE_CURL_H_INCLUDED_
#define _FWD_SAFE_CURL_H_INCLUDED_


#include <curl/curl.h>

#include "fwd_http.h"
#include "fwd_safe.h"


/* What a transfer met; a member of the object that owns the handle. */
typedef struct {
    const fwd_safe_t     *safe;
    const char           *refused;       /* why an address was; NULL: none */
    unsigned              sent:1;        /* a request was, in this transfer */

    /*
     * libcurl repeats a request by itself when a connection that was used
     * before dies without an answer.  It asks here: 0 forbids.  NULL: it may.
     */
    int                 (*again)(void *data);
    void                 *data;
} fwd_safe_guard_t;


/*
 * Sets a handle up, once: TLS 1.2 or later and verified, no redirects, http
 * and https only, the proxy of safe or none (those of the environment never
 * count), and each address is judged before a socket is made for it and again
 * when it is connected.  The guard must live as long as the handle.  The
 * caller clears guard->refused and guard->sent before each transfer, and asks
 * fwd_safe_url() about a URL that was not known with the configuration.
 */
void fwd_safe_attach(fwd_safe_guard_t *guard, const fwd_safe_t *safe,
    CURL *easy);


#endif /* _FWD_SAFE_CURL_H_INCLUDED_ */
