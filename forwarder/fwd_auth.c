
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Dressing of calls.  Kinds without a token are done here; those with one ask
 * fwd_grant.c for it.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "fwd_auth_conf.h"
#include "fwd_endpoint.h"
#include "fwd_grant.h"
#include "fwd_mask.h"
#include "fwd_sign.h"
#include "fwd_sign_aws.h"


#define FWD_AUTH_LOGIN_MAX  4096         /* of "user:password" */
#define FWD_AUTH_SIGNED_MAX  65536       /* lines of a signature */


struct fwd_auth_s {
    fwd_auth_conf_t       conf;
    fwd_pool_t            pool;          /* of conf */
    fwd_grant_t          *grant;         /* NULL: no token */
    fwd_sign_key_t        keys[2];       /* len 0: none */
    EVP_PKEY             *pkeys[2];      /* likewise NULL */
    fwd_core_t           *core;          /* NULL: a test */
    fwd_link_t            refused;       /* waits that are in vain */
    fwd_post_t            refuse;
    fwd_auth_t          **own;           /* of endpoints, by index; NULL: as
                                            the destination */
    size_t                own_count;
};


static fwd_rc_t fwd_auth_one(fwd_auth_t **auth, fwd_core_t *core,
    const fwd_dest_conf_t *conf, const fwd_desc_auth_t *from,
    fwd_error_t *err);
static fwd_rc_t fwd_auth_own(fwd_auth_t *auth, const fwd_dest_conf_t *conf,
    fwd_error_t *err);
static fwd_rc_t fwd_auth_basic(fwd_auth_t *auth, fwd_auth_call_t *call,
    fwd_error_t *err);
static void fwd_auth_query(fwd_auth_t *auth, fwd_auth_call_t *call);
static fwd_rc_t fwd_auth_sigv4(fwd_auth_t *auth, fwd_auth_call_t *call,
    fwd_error_t *err);
static fwd_rc_t fwd_auth_webhooks(fwd_auth_t *auth, fwd_auth_call_t *call,
    fwd_error_t *err);
static void fwd_auth_header(fwd_auth_call_t *call, const char *name,
    const char *prefix, const char *value);
static void fwd_auth_refuse(void *data);


fwd_rc_t
fwd_auth_create(fwd_auth_t **out, fwd_core_t *core,
    const fwd_dest_conf_t *conf, fwd_error_t *err)
{
    if (fwd_auth_one(out, core, conf, &conf->desc->auth, err) != FWD_OK) {
        return FWD_ERROR;
    }

    if (fwd_auth_own(*out, conf, err) != FWD_OK) {
        fwd_auth_destroy(*out);
        *out = NULL;
        return FWD_ERROR;
    }

    return FWD_OK;
}


/* None of them has a token, so they need no core. */

static fwd_rc_t
fwd_auth_own(fwd_auth_t *auth, const fwd_dest_conf_t *conf, fwd_error_t *err)
{
    size_t             i;
    const fwd_desc_t  *desc;

    desc = conf->desc;
    auth->own = calloc(desc->endpoints_count + 1, sizeof(fwd_auth_t *));

    if (auth->own == NULL) {
        return fwd_error(err, "out of memory");
    }

    auth->own_count = desc->endpoints_count;

    for (i = 0; i < desc->endpoints_count; i++) {
        if (desc->endpoints[i].auth != NULL
            && fwd_auth_one(&auth->own[i], NULL, conf,
                            desc->endpoints[i].auth, err)
               != FWD_OK)
        {
            return FWD_ERROR;
        }
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_auth_one(fwd_auth_t **out, fwd_core_t *core, const fwd_dest_conf_t *conf,
    const fwd_desc_auth_t *from, fwd_error_t *err)
{
    size_t       i;
    fwd_auth_t  *auth;
    const char  *secrets[2], *privates[2];

    auth = calloc(1, sizeof(fwd_auth_t));
    if (auth == NULL) {
        return fwd_error(err, "out of memory");
    }

    auth->core = core;
    fwd_pool_init(&auth->pool);
    fwd_list_init(&auth->refused);
    fwd_post_init(&auth->refuse, fwd_auth_refuse, auth);

    if (fwd_auth_conf(&auth->conf, from, conf, &auth->pool, err) != FWD_OK) {
        goto failed;
    }

    secrets[0] = auth->conf.secret;
    secrets[1] = auth->conf.previous;
    privates[0] = auth->conf.key_ed25519;
    privates[1] = auth->conf.previous_ed25519;

    for (i = 0; i < 2; i++) {
        if (secrets[i] != NULL
            && fwd_sign_key(&auth->keys[i], secrets[i], err) != FWD_OK)
        {
            goto failed;
        }

        if (privates[i] != NULL
            && fwd_sign_ed25519(&auth->pkeys[i], privates[i], err) != FWD_OK)
        {
            goto failed;
        }
    }

    if (auth->conf.kind == FWD_AUTH_OAUTH2) {

        if (core != NULL && conf->credentials_key == NULL) {
            (void) fwd_error(err, "\"credentials_key\" is missing");
            goto failed;
        }

        auth->grant = fwd_grant_create(core, conf, &auth->conf);

        if (auth->grant == NULL) {
            (void) fwd_error(err, "out of memory");
            goto failed;
        }
    }

    *out = auth;

    return FWD_OK;

failed:

    fwd_auth_destroy(auth);

    return FWD_ERROR;
}


void
fwd_auth_destroy(fwd_auth_t *auth)
{
    size_t  i;

    if (auth == NULL) {
        return;
    }

    for (i = 0; i < auth->own_count; i++) {
        fwd_auth_destroy(auth->own[i]);
    }

    free(auth->own);
    fwd_post_cancel(&auth->refuse);
    fwd_grant_destroy(auth->grant);
    EVP_PKEY_free(auth->pkeys[0]);
    EVP_PKEY_free(auth->pkeys[1]);
    fwd_pool_free(&auth->pool);
    OPENSSL_cleanse(auth, sizeof(fwd_auth_t));
    free(auth);
}


fwd_rc_t
fwd_auth_attach(fwd_auth_t *auth, fwd_auth_call_t *call, fwd_error_t *err)
{
    fwd_rc_t     rc;
    const char  *token;

    rc = FWD_OK;
    call->used = 0;

    if (call->endpoint != NULL && call->endpoint->index < auth->own_count
        && auth->own[call->endpoint->index] != NULL)
    {
        auth = auth->own[call->endpoint->index];
    }

    switch (auth->conf.kind) {

    case FWD_AUTH_BEARER:
        fwd_auth_header(call, "Authorization", "Bearer ", auth->conf.token);
        break;

    case FWD_AUTH_BASIC:
        rc = fwd_auth_basic(auth, call, err);
        break;

    case FWD_AUTH_HEADER:
        fwd_auth_header(call, auth->conf.name, "", auth->conf.value);
        break;

    case FWD_AUTH_QUERY:
        fwd_auth_query(auth, call);
        break;

    case FWD_AUTH_OAUTH2:
        token = fwd_grant_token(auth->grant, &call->used);

        if (token == NULL && !call->show) {
            return FWD_AGAIN;
        }

        fwd_auth_header(call, "Authorization", "Bearer ",
                        token ? token : "");
        break;

    case FWD_AUTH_SIGV4:
        rc = fwd_auth_sigv4(auth, call, err);
        break;

    case FWD_AUTH_WEBHOOKS:
        rc = fwd_auth_webhooks(auth, call, err);
        break;

    default:                             /* none, or a part of the body */
        return FWD_OK;
    }

    if (rc == FWD_OK && (call->headers->failed
                         || (call->url != NULL && call->url->failed)))
    {
        return fwd_error(err, "the credentials are too long");
    }

    return rc;
}


static void
fwd_auth_header(fwd_auth_call_t *call, const char *name, const char *prefix,
    const char *value)
{
    fwd_buf_add_string(call->headers, name);
    fwd_buf_add_string(call->headers, ": ");
    fwd_buf_add_string(call->headers, prefix);
    fwd_buf_add_string(call->headers, call->show ? FWD_MASK : value);
    fwd_buf_add_char(call->headers, '\n');
}


static fwd_rc_t
fwd_auth_basic(fwd_auth_t *auth, fwd_auth_call_t *call, fwd_error_t *err)
{
    int   n;
    char  login[FWD_AUTH_LOGIN_MAX];
    char  text[FWD_AUTH_LOGIN_MAX / 3 * 4 + 8];

    n = snprintf(login, sizeof(login), "%s:%s", auth->conf.user,
                 auth->conf.password ? auth->conf.password : "");

    if (n < 0 || (size_t) n >= sizeof(login)) {
        return fwd_error(err, "the login is too long");
    }

    (void) EVP_EncodeBlock((unsigned char *) text,
                           (const unsigned char *) login, n);
    fwd_auth_header(call, "Authorization", "Basic ", text);

    OPENSSL_cleanse(login, sizeof(login));
    OPENSSL_cleanse(text, sizeof(text));

    return FWD_OK;
}


static void
fwd_auth_query(fwd_auth_t *auth, fwd_auth_call_t *call)
{
    char        *safe;
    const char  *url;

    url = fwd_buf_string(call->url);

    if (url == NULL) {
        return;
    }

    fwd_buf_add_char(call->url, strchr(url, '?') ? '&' : '?');
    fwd_buf_add_string(call->url, auth->conf.name);
    fwd_buf_add_char(call->url, '=');

    if (call->show) {
        fwd_buf_add_string(call->url, FWD_MASK);
        return;
    }

    safe = curl_easy_escape(NULL, auth->conf.value, 0);

    if (safe == NULL) {
        call->url->failed = 1;
        return;
    }

    fwd_buf_add_string(call->url, safe);
    OPENSSL_cleanse(safe, strlen(safe));
    curl_free(safe);
}


/* The last one to look at a call: nothing may be changed behind it. */

static fwd_rc_t
fwd_auth_sigv4(fwd_auth_t *auth, fwd_auth_call_t *call, fwd_error_t *err)
{
    fwd_rc_t        rc;
    fwd_buf_t       lines;
    fwd_sign_aws_t  in;

    if (call->show) {
        fwd_auth_header(call, "Authorization", "", FWD_MASK);
        return FWD_OK;
    }

    memset(&in, 0, sizeof(in));
    in.access_key = auth->conf.access_key;
    in.secret_key = auth->conf.secret_key;
    in.session_token = auth->conf.session_token;
    in.region = auth->conf.region;
    in.service = auth->conf.service;
    in.method = call->method;
    in.url = fwd_buf_string(call->url);
    in.lines = call->headers->len ? fwd_buf_string(call->headers) : "";
    in.body = call->body;
    in.body_len = call->body_len;
    in.now_s = call->now_ms / 1000;

    if (in.method == NULL || in.url == NULL || in.lines == NULL) {
        return fwd_error(err, "the request cannot be signed");
    }

    fwd_buf_init(&lines, FWD_AUTH_SIGNED_MAX);
    rc = fwd_sign_aws(&lines, &in, err);

    if (rc == FWD_OK) {
        fwd_buf_add(call->headers, lines.data, lines.len);
    }

    fwd_auth_wipe(&lines);
    fwd_buf_free(&lines);

    return rc;
}


/* All live keys sign, so that a receiver may know the old or the new one. */

static fwd_rc_t
fwd_auth_webhooks(fwd_auth_t *auth, fwd_auth_call_t *call, fwd_error_t *err)
{
    char         text[FWD_SIGN_V1A_MAX], stamp[24];
    size_t       i;
    uint64_t     now_s;
    const char  *sep;

    if (auth->keys[0].len == 0 && auth->keys[1].len == 0
        && auth->pkeys[0] == NULL && auth->pkeys[1] == NULL)
    {
        return FWD_OK;                   /* nothing is signed */
    }

    now_s = call->now_ms / 1000;
    (void) snprintf(stamp, sizeof(stamp), "%llu", (unsigned long long) now_s);

    fwd_buf_add_string(call->headers, "webhook-id: ");
    fwd_buf_add_string(call->headers, call->id);
    fwd_buf_add_string(call->headers, "\nwebhook-timestamp: ");
    fwd_buf_add_string(call->headers, stamp);
    fwd_buf_add_string(call->headers, "\nwebhook-signature:");
    sep = " ";

    for (i = 0; i < 2; i++) {
        if (auth->keys[i].len != 0) {
            fwd_sign_v1(text, &auth->keys[i], call->id, now_s, call->body,
                        call->body_len);
            fwd_buf_add_string(call->headers, sep);
            fwd_buf_add_string(call->headers, text);
        }
    }

    for (i = 0; i < 2; i++) {
        if (auth->pkeys[i] == NULL) {
            continue;
        }

        if (fwd_sign_v1a(text, auth->pkeys[i], call->id, now_s, call->body,
                         call->body_len)
            != FWD_OK)
        {
            return fwd_error(err, "the request cannot be signed");
        }

        fwd_buf_add_string(call->headers, sep);
        fwd_buf_add_string(call->headers, text);
    }

    fwd_buf_add_char(call->headers, '\n');

    return FWD_OK;
}


void
fwd_auth_refresh(fwd_auth_t *auth, fwd_auth_wait_t *wait)
{
    if (auth->grant != NULL) {
        fwd_grant_wait(auth->grant, wait);
        return;
    }

    fwd_list_push(&auth->refused, &wait->link);
    fwd_post(auth->core, &auth->refuse);
}


static void
fwd_auth_refuse(void *data)
{
    fwd_auth_t       *auth = data;
    fwd_auth_wait_t  *wait;

    while (!fwd_list_empty(&auth->refused)) {
        wait = fwd_list_data(auth->refused.next, fwd_auth_wait_t, link);
        fwd_list_remove(&wait->link);
        wait->done(wait, FWD_ERROR);
    }
}


void
fwd_auth_cancel(fwd_auth_wait_t *wait)
{
    if (wait->link.next != NULL) {
        fwd_list_remove(&wait->link);
        wait->link.next = NULL;
    }
}


void
fwd_auth_wipe(fwd_buf_t *text)
{
    if (text->data != NULL) {
        OPENSSL_cleanse(text->data, text->len);
    }

    fwd_buf_reset(text);
}


const char *
fwd_auth_captured(void *data, const char *name)
{
    fwd_auth_t  *auth = data;

    return auth == NULL ? NULL : fwd_grant_captured(auth->grant, name);
}


fwd_rc_t
fwd_auth_given(fwd_auth_t *auth, const char *json, fwd_error_t *err)
{
    if (auth->grant == NULL) {
        return fwd_error(err, "a token is given, but the destination has "
                         "none");
    }

    return fwd_grant_given(auth->grant, json, err);
}
