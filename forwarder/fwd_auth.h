
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Credentials of requests: what is put to a call, and how it is renewed.
 *
 * One object a destination and loop.  The request asks for a call to be
 * dressed; where a token is missing or too old it waits for a refresh, which
 * may be done by another process.
 */


#ifndef _FWD_AUTH_H_INCLUDED_
#define _FWD_AUTH_H_INCLUDED_


#include "fwd_buf.h"
#include "fwd_config.h"
#include "fwd_core.h"


typedef struct fwd_auth_s  fwd_auth_t;


/* What is to be dressed. */
typedef struct {
    const fwd_endpoint_t *endpoint;      /* whose "auth" counts, if it has
                                            one; NULL: the destination's */
    const char           *method;
    fwd_buf_t            *url;           /* a query may be added */
    fwd_buf_t            *headers;       /* "Name: value\n" are added */
    const void           *body;          /* as it is sent */
    size_t                body_len;
    const char           *id;            /* of the call */
    uint64_t              now_ms;        /* wall clock */
    uint64_t              used;          /* set by attach(): which token */
    unsigned              show:1;        /* for people: "***" for secrets */
} fwd_auth_call_t;


/* A wait for a refresh; a member of the object that waits. */
typedef struct fwd_auth_wait_s  fwd_auth_wait_t;

struct fwd_auth_wait_s {
    fwd_link_t            link;          /* next NULL: does not wait */
    void                (*done)(fwd_auth_wait_t *wait, fwd_rc_t rc);
    void                 *data;
    uint64_t              used;          /* as of the call whose token was
                                            refused; 0: there was none */
};


/* The kinds of "auth"; the description says which. */
typedef enum {
    FWD_AUTH_NONE = 0,
    FWD_AUTH_BEARER,
    FWD_AUTH_BASIC,
    FWD_AUTH_HEADER,
    FWD_AUTH_QUERY,
    FWD_AUTH_BODY,                /* it stands in the body template */
    FWD_AUTH_OAUTH2,
    FWD_AUTH_SIGV4,
    FWD_AUTH_WEBHOOKS
} fwd_auth_kind_t;


extern const char *const  fwd_auth_kinds[];


/*
 * core NULL: nothing can be refreshed (tests, "send" without --live).  A
 * destination without "auth" gets an object that adds nothing.  It dresses the
 * calls of endpoints with an "auth" of their own too.
 */
fwd_rc_t fwd_auth_create(fwd_auth_t **auth, fwd_core_t *core,
    const fwd_dest_conf_t *conf, fwd_error_t *err) FWD_MUST_CHECK;
void fwd_auth_destroy(fwd_auth_t *auth);

/*
 * Dresses a call.  FWD_AGAIN: there is no token yet; fwd_auth_refresh() and
 * then once more.  FWD_ERROR with a text: it cannot be done with what is
 * configured, the call ends as "credentials".
 */
fwd_rc_t fwd_auth_attach(fwd_auth_t *auth, fwd_auth_call_t *call,
    fwd_error_t *err) FWD_MUST_CHECK;

/*
 * Gets new credentials; done() comes once, never inline, with FWD_OK (try
 * again), FWD_AGAIN (the token server is away: as a failed request) or
 * FWD_ERROR (credentials are refused).  Several may wait at a time.  Kinds
 * without a token say FWD_ERROR: what was refused will be refused again.
 */
void fwd_auth_refresh(fwd_auth_t *auth, fwd_auth_wait_t *wait);
void fwd_auth_cancel(fwd_auth_wait_t *wait);

/* Wipes what is put into headers and URL of a call, before it is reused. */
void fwd_auth_wipe(fwd_buf_t *text);

/* "{auth.NAME}": a member of the token's answer; NULL if there is none. */
const char *fwd_auth_captured(void *auth, const char *name);

/* For goldens: the answer of the token server, JSON. */
fwd_rc_t fwd_auth_given(fwd_auth_t *auth, const char *json, fwd_error_t *err)
    FWD_MUST_CHECK;


#endif /* _FWD_AUTH_H_INCLUDED_ */
