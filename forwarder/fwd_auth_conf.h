
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Section auth of a description with the settings of a destination: what each
 * kind needs, expanded and checked.
 */


#ifndef _FWD_AUTH_CONF_H_INCLUDED_
#define _FWD_AUTH_CONF_H_INCLUDED_


#include "fwd_auth.h"
#include "fwd_seal.h"


typedef enum {
    FWD_GRANT_CLIENT = 0,         /* client_credentials */
    FWD_GRANT_REFRESH,            /* refresh_token */
    FWD_GRANT_JWT                 /* jwt_bearer */
} fwd_grant_kind_t;


/* Members that were not given are NULL. */
typedef struct {
    uint64_t              kind;          /* fwd_auth_kind_t */
    const char           *token;         /* bearer */
    const char           *user;          /* basic */
    const char           *password;
    const char           *name;          /* header, query */
    const char           *value;

    const char           *grant_name;    /* oauth2 */
    const char           *token_url;
    const char           *client;        /* "body" or "basic" */
    const char           *client_id;
    const char           *client_secret;
    const char           *scope;
    const char           *audience;
    const char           *refresh_token;
    const char           *issuer;
    const char           *subject;
    const char           *key;           /* PEM */
    const char           *algorithm;
    const char           *lifetime;
    const char           *early;
    uint64_t              grant;         /* fwd_grant_kind_t */
    uint64_t              lifetime_ms;   /* when the answer does not say */
    uint64_t              early_ms;      /* refreshed so long before */
    fwd_pair_t           *extra;         /* parameters of the request */
    size_t                extra_count;
    fwd_seal_key_t        seal;

    const char           *access_key;    /* sigv4 */
    const char           *secret_key;
    const char           *session_token;
    const char           *region;
    const char           *service;

    const char           *secret;        /* standard-webhooks */
    const char           *previous;
    const char           *key_ed25519;
    const char           *previous_ed25519;
} fwd_auth_conf_t;


/* 1 if a kind has such a member: "token", "extra.NAME". */
int fwd_auth_member_valid(const char *kind, const char *name);

/*
 * Fills conf from an "auth" of the description, that of the destination or of
 * an endpoint; texts live in the pool.  FWD_ERROR with a text that holds no
 * secret.
 */
fwd_rc_t fwd_auth_conf(fwd_auth_conf_t *conf, const fwd_desc_auth_t *auth,
    const fwd_dest_conf_t *dest, fwd_pool_t *pool, fwd_error_t *err)
    FWD_MUST_CHECK;


#endif /* _FWD_AUTH_CONF_H_INCLUDED_ */
