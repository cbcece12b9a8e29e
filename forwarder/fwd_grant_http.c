
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Requests to token servers.
 */


#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "fwd_grant.h"
#include "fwd_jwt.h"
#include "fwd_safe_curl.h"


#define FWD_GRANT_BODY_MAX    65536
#define FWD_GRANT_ANSWER_MAX  65536
#define FWD_GRANT_TIMEOUT_MS  15000L
#define FWD_GRANT_JWT_S       180        /* an assertion lives so long */


struct fwd_grant_call_s {
    fwd_core_t             *core;
    const fwd_dest_conf_t  *dest;
    const fwd_auth_conf_t  *conf;
    fwd_http_t             *http;
    CURL                   *easy;
    fwd_safe_guard_t        guard;
    fwd_buf_t               body;
    fwd_buf_t               answer;
    struct curl_slist      *headers;
    void                  (*done)(void *data, fwd_granted_t granted,
                                  const char *answer, const char *reason);
    void                   *data;
    unsigned                running:1;
};


static fwd_rc_t fwd_grant_body(fwd_grant_call_t *call, const char *refresh,
    fwd_error_t *err);
static void fwd_grant_pair(fwd_buf_t *body, const char *name,
    const char *value);
static fwd_rc_t fwd_grant_assertion(fwd_grant_call_t *call,
    fwd_error_t *err);
static fwd_rc_t fwd_grant_login(fwd_grant_call_t *call);
static size_t fwd_grant_on_body(char *data, size_t size, size_t n,
    void *userdata);
static void fwd_grant_call_done(CURL *easy, CURLcode code);
static fwd_granted_t fwd_grant_refused(const char *answer, long status,
    const char **reason);


fwd_grant_call_t *
fwd_grant_call_create(fwd_core_t *core, const fwd_dest_conf_t *dest,
    const fwd_auth_conf_t *conf,
    void (*done)(void *data, fwd_granted_t granted, const char *answer,
                 const char *reason), void *data)
{
    CURL              *easy;
    fwd_grant_call_t  *call;

    call = calloc(1, sizeof(fwd_grant_call_t));
    if (call == NULL) {
        return NULL;
    }

    call->core = core;
    call->dest = dest;
    call->conf = conf;
    call->done = done;
    call->data = data;
    fwd_buf_init(&call->body, FWD_GRANT_BODY_MAX);
    fwd_buf_init(&call->answer, FWD_GRANT_ANSWER_MAX);

    call->http = fwd_http_create(core, fwd_grant_call_done);
    if (call->http == NULL) {
        free(call);
        return NULL;
    }

    easy = fwd_http_easy(call->http);
    call->easy = easy;

    if (easy == NULL) {
        fwd_grant_call_destroy(call);
        return NULL;
    }

    fwd_safe_attach(&call->guard, &dest->http.safe, easy);
    (void) curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    (void) curl_easy_setopt(easy, CURLOPT_URL, conf->token_url);
    (void) curl_easy_setopt(easy, CURLOPT_POST, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, FWD_GRANT_TIMEOUT_MS);
    (void) curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                            (long) dest->limits.connect_timeout_ms);
    (void) curl_easy_setopt(easy, CURLOPT_USERAGENT,
                            "martech-forwarder/" MARTECH_VERSION);
    (void) curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, fwd_grant_on_body);
    (void) curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);

    /* a request that dies on a used connection would be sent twice */
    (void) curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);

    return call;
}


void
fwd_grant_call_destroy(fwd_grant_call_t *call)
{
    if (call == NULL) {
        return;
    }

    if (call->running) {
        fwd_http_cancel(call->http, call->easy);
    }

    curl_easy_cleanup(call->easy);
    fwd_http_destroy(call->http);
    curl_slist_free_all(call->headers);
    fwd_auth_wipe(&call->body);
    fwd_auth_wipe(&call->answer);
    fwd_buf_free(&call->body);
    fwd_buf_free(&call->answer);
    free(call);
}


fwd_rc_t
fwd_grant_call_start(fwd_grant_call_t *call, const char *refresh,
    fwd_error_t *err)
{
    struct curl_slist  *list;

    fwd_auth_wipe(&call->answer);
    curl_slist_free_all(call->headers);
    call->headers = NULL;
    call->guard.refused = NULL;

    list = curl_slist_append(NULL, "Accept: application/json");
    call->headers = list;

    if (fwd_grant_body(call, refresh, err) != FWD_OK) {
        return FWD_ERROR;
    }

    if (list == NULL || fwd_grant_login(call) != FWD_OK
        || curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                            (curl_off_t) call->body.len)
           != CURLE_OK
        || curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, call->body.data)
           != CURLE_OK
        || curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers)
           != CURLE_OK
        || fwd_http_start(call->http, call->easy) != FWD_OK)
    {
        return fwd_error(err, "out of memory");
    }

    call->running = 1;

    return FWD_OK;
}


static fwd_rc_t
fwd_grant_body(fwd_grant_call_t *call, const char *refresh, fwd_error_t *err)
{
    size_t                  i;
    fwd_buf_t              *body;
    const fwd_auth_conf_t  *conf;

    body = &call->body;
    conf = call->conf;

    fwd_auth_wipe(body);

    switch (conf->grant) {

    case FWD_GRANT_CLIENT:
        fwd_grant_pair(body, "grant_type", "client_credentials");
        break;

    case FWD_GRANT_REFRESH:
        fwd_grant_pair(body, "grant_type", "refresh_token");
        fwd_grant_pair(body, "refresh_token", refresh);
        break;

    default:
        fwd_grant_pair(body, "grant_type",
                       "urn:ietf:params:oauth:grant-type:jwt-bearer");

        if (fwd_grant_assertion(call, err) != FWD_OK) {
            return FWD_ERROR;
        }
    }

    if (conf->client == NULL || strcmp(conf->client, "body") == 0) {
        fwd_grant_pair(body, "client_id", conf->client_id);
        fwd_grant_pair(body, "client_secret", conf->client_secret);
    }

    if (conf->grant != FWD_GRANT_JWT) {
        fwd_grant_pair(body, "scope", conf->scope);
        fwd_grant_pair(body, "audience", conf->audience);
    }

    for (i = 0; i < conf->extra_count; i++) {
        fwd_grant_pair(body, conf->extra[i].name, conf->extra[i].value);
    }

    return body->failed ? fwd_error(err, "the request is too long") : FWD_OK;
}


static void
fwd_grant_pair(fwd_buf_t *body, const char *name, const char *value)
{
    char  *safe;

    if (value == NULL) {
        return;
    }

    safe = curl_easy_escape(NULL, value, 0);

    if (safe == NULL) {
        body->failed = 1;
        return;
    }

    if (body->len != 0) {
        fwd_buf_add_char(body, '&');
    }

    fwd_buf_add_string(body, name);
    fwd_buf_add_char(body, '=');
    fwd_buf_add_string(body, safe);

    OPENSSL_cleanse(safe, strlen(safe));
    curl_free(safe);
}


/* RFC 7523 3; each has an id of its own, for servers that take one once. */

static fwd_rc_t
fwd_grant_assertion(fwd_grant_call_t *call, fwd_error_t *err)
{
    int                     i;
    char                   *text, jti[33];
    json_t                 *claims;
    fwd_rc_t                rc;
    json_int_t              now_s;
    fwd_buf_t               jwt;
    unsigned char           random[16];
    const fwd_auth_conf_t  *conf;

    conf = call->conf;
    now_s = (json_int_t) (fwd_wall_ms() / 1000);

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return fwd_error(err, "no random numbers");
    }

    for (i = 0; i < 16; i++) {
        (void) snprintf(jti + i * 2, 3, "%02x", random[i]);
    }

    claims = json_pack("{s:s,s:s,s:I,s:I,s:s,s:s*,s:s*}",
                       "iss", conf->issuer,
                       "aud", conf->audience ? conf->audience
                                             : conf->token_url,
                       "iat", now_s,
                       "exp", now_s + FWD_GRANT_JWT_S,
                       "jti", jti,
                       "sub", conf->subject,
                       "scope", conf->scope);
    text = json_dumps(claims, JSON_COMPACT);
    json_decref(claims);

    if (text == NULL) {
        return fwd_error(err, "the claims are not UTF-8");
    }

    fwd_buf_init(&jwt, FWD_GRANT_BODY_MAX);
    rc = fwd_jwt_rs256(&jwt, conf->key, text, err);
    free(text);

    if (rc == FWD_OK) {
        fwd_grant_pair(&call->body, "assertion", fwd_buf_string(&jwt));
    }

    fwd_auth_wipe(&jwt);
    fwd_buf_free(&jwt);

    return rc;
}


/* RFC 6749 2.3.1: both parts are encoded as in a form. */

static fwd_rc_t
fwd_grant_login(fwd_grant_call_t *call)
{
    char                   *id, *secret, *text;
    size_t                  len;
    fwd_rc_t                rc;
    fwd_buf_t               login;
    struct curl_slist      *list;
    const fwd_auth_conf_t  *conf;

    conf = call->conf;

    if (conf->client == NULL || strcmp(conf->client, "basic") != 0
        || conf->client_id == NULL)
    {
        return FWD_OK;
    }

    id = curl_easy_escape(NULL, conf->client_id, 0);
    secret = curl_easy_escape(NULL, conf->client_secret ? conf->client_secret
                                                        : "", 0);
    rc = FWD_ERROR;
    text = NULL;
    len = 0;
    fwd_buf_init(&login, FWD_GRANT_BODY_MAX);

    if (id != NULL && secret != NULL) {
        fwd_buf_add_string(&login, id);
        fwd_buf_add_char(&login, ':');
        fwd_buf_add_string(&login, secret);

        len = login.len / 3 * 4 + 64;
        text = malloc(len);
    }

    if (text != NULL && !login.failed) {
        (void) strcpy(text, "Authorization: Basic ");
        (void) EVP_EncodeBlock((unsigned char *) text + strlen(text),
                               login.data, (int) login.len);
        list = curl_slist_append(call->headers, text);

        if (list != NULL) {
            call->headers = list;
            rc = FWD_OK;
        }

        OPENSSL_cleanse(text, len);
    }

    free(text);
    fwd_auth_wipe(&login);
    fwd_buf_free(&login);
    curl_free(id);
    curl_free(secret);

    return rc;
}


static size_t
fwd_grant_on_body(char *data, size_t size, size_t n, void *userdata)
{
    fwd_grant_call_t  *call = userdata;

    fwd_buf_add(&call->answer, data, size * n);

    return call->answer.failed ? 0 : size * n;
}


static void
fwd_grant_call_done(CURL *easy, CURLcode code)
{
    char              *data, text[64];
    long               status;
    const char        *answer, *reason;
    fwd_granted_t      granted;
    fwd_grant_call_t  *call;

    (void) curl_easy_getinfo(easy, CURLINFO_PRIVATE, &data);
    call = (fwd_grant_call_t *) (void *) data;
    call->running = 0;
    fwd_auth_wipe(&call->body);

    status = 0;
    (void) curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    answer = fwd_buf_string(&call->answer);
    granted = FWD_GRANT_AWAY;

    if (code != CURLE_OK) {
        reason = call->guard.refused ? "the address is not allowed"
                                     : curl_easy_strerror(code);

    } else if (status == 200 || status == 201) {
        reason = "the answer has no token";
        granted = fwd_grant_refused(answer, status, &reason);

    } else {
        (void) snprintf(text, sizeof(text), "status %ld", status);
        reason = text;
        granted = fwd_grant_refused(answer, status, &reason);
    }

    call->done(call->data, granted, answer ? answer : "", reason);
}


/*
 * RFC 6749 5.2: the words of "error"; their texts are the server's own.  Some
 * say it with a status of 200.
 */

static fwd_granted_t
fwd_grant_refused(const char *answer, long status, const char **reason)
{
    size_t         i;
    json_t        *root;
    const char    *word;
    fwd_granted_t  granted;

    static const char *const  words[] = {
        "invalid_grant", "invalid_client", "unauthorized_client",
        "access_denied", "unsupported_grant_type", "invalid_scope",
        "invalid_request"
    };

    granted = status == 400 || status == 401 || status == 403
              ? FWD_GRANT_REFUSED : FWD_GRANT_AWAY;

    root = answer ? json_loads(answer, 0, NULL) : NULL;
    word = json_string_value(json_object_get(root, "error"));

    for (i = 0; word != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i], word) == 0) {
            *reason = words[i];
            granted = status == 200 ? FWD_GRANT_REFUSED : granted;
        }
    }

    if (json_is_string(json_object_get(root, "access_token"))
        && (status == 200 || status == 201))
    {
        granted = FWD_GRANTED;
    }

    /* words for "later" */

    if (word != NULL && (strcmp(word, "temporarily_unavailable") == 0
                         || strcmp(word, "server_error") == 0
                         || strcmp(word, "slow_down") == 0))
    {
        granted = FWD_GRANT_AWAY;
    }

    json_decref(root);

    return granted;
}
