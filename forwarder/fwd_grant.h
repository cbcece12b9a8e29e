
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The token of one destination, got by OAuth 2.0 (RFC 6749, RFC 7523) and
 * shared by all processes through Redis: whoever finds it too old first takes
 * a lock and gets a new one, all others wait for that.
 *
 * In Redis it is sealed (fwd_seal.h), with the refresh token that goes with
 * it; both are stored before the new one is used.
 */


#ifndef _FWD_GRANT_H_INCLUDED_
#define _FWD_GRANT_H_INCLUDED_


#include <jansson.h>

#include "fwd_auth_conf.h"


#define FWD_GRANT_SPARE_MS  5000         /* a request may take so long */


typedef struct fwd_grant_s  fwd_grant_t;


/* NULL if out of memory.  auth must live as long; core NULL: no I/O. */
fwd_grant_t *fwd_grant_create(fwd_core_t *core, const fwd_dest_conf_t *conf,
    const fwd_auth_conf_t *auth);
void fwd_grant_destroy(fwd_grant_t *g);

/*
 * The token to be used now, NULL if there is none; *used says which one it
 * is.  One that ends soon is given and begins to be refreshed.
 */
const char *fwd_grant_token(fwd_grant_t *g, uint64_t *used);

/* As fwd_auth_refresh(). */
void fwd_grant_wait(fwd_grant_t *g, fwd_auth_wait_t *wait);

/* A member of the answer that gave the token; NULL: there is none. */
const char *fwd_grant_captured(fwd_grant_t *g, const char *name);

/* The answer of a token server, as if it had been asked. */
fwd_rc_t fwd_grant_given(fwd_grant_t *g, const char *json, fwd_error_t *err)
    FWD_MUST_CHECK;


/*
 * Pure, for tests.  A token of such a life is refreshed *early ms before it
 * ends and used until *spare ms before it.
 */
void fwd_grant_margins(uint64_t life_ms, uint64_t early_ms, uint64_t *early,
    uint64_t *spare);

/* ms of life by "expires_in" of an answer; dflt_ms if that says nothing. */
uint64_t fwd_grant_life(const json_t *expires_in, uint64_t dflt_ms);


/* fwd_grant_http.c: one request to a token server. */

typedef enum {
    FWD_GRANTED = 0,
    FWD_GRANT_AWAY,               /* no answer, or one that may change */
    FWD_GRANT_REFUSED             /* a person has to look at it */
} fwd_granted_t;

typedef struct fwd_grant_call_s  fwd_grant_call_t;

/* done() comes once, never inline; answer is JSON, valid during the call. */
fwd_grant_call_t *fwd_grant_call_create(fwd_core_t *core,
    const fwd_dest_conf_t *dest, const fwd_auth_conf_t *conf,
    void (*done)(void *data, fwd_granted_t granted, const char *answer,
                 const char *reason), void *data);
void fwd_grant_call_destroy(fwd_grant_call_t *call);

/* refresh: the refresh token to be used, or NULL. */
fwd_rc_t fwd_grant_call_start(fwd_grant_call_t *call, const char *refresh,
    fwd_error_t *err) FWD_MUST_CHECK;


#endif /* _FWD_GRANT_H_INCLUDED_ */
