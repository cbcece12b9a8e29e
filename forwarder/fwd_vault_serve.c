
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The process that talks to Vault.  It has nothing else to do, so it waits
 * for each answer; who listens to it never does.
 *
 * A value of KV has no lease, so it is read again and again; a secret with a
 * lease is renewed at two thirds of it, and read anew when that is refused.
 * The token is renewed likewise; one of AppRole is got anew by a login when
 * it cannot be renewed.
 */


#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>
#include <openssl/crypto.h>

#include "fwd_vault_private.h"


#define FWD_VAULT_AGAIN_MS   1000        /* after a failure, then doubled */
#define FWD_VAULT_AGAIN_MAX  30000


static fwd_rc_t fwd_vault_login(fwd_vault_t *v);
static fwd_rc_t fwd_vault_relogin(fwd_vault_t *v);
static fwd_rc_t fwd_vault_token(fwd_vault_t *v, const json_t *auth);
static fwd_rc_t fwd_vault_renew(fwd_vault_t *v);
static fwd_rc_t fwd_vault_lookup(fwd_vault_t *v);
static int fwd_vault_read_all(fwd_vault_t *v);
static fwd_rc_t fwd_vault_read(fwd_vault_t *v, size_t n, int *changed);
static void fwd_vault_lease(fwd_vault_entry_t *e, const json_t *root);
static void fwd_vault_keep_lease(fwd_vault_t *v, size_t n, int *changed);
static int fwd_vault_renew_lease(fwd_vault_t *v, fwd_vault_entry_t *e);
static void fwd_vault_tell(fwd_vault_t *v);
static void fwd_vault_write(fwd_vault_t *v, const char *data, size_t len);
static void fwd_vault_round(fwd_vault_t *v);
static int fwd_vault_sleep(fwd_vault_t *v);
static void fwd_vault_failed(fwd_vault_t *v, const char *what);
static void fwd_vault_wipe(void *p);
static uint64_t fwd_vault_now(void);


void
fwd_vault_serve(const fwd_vault_conf_t *conf, int fd, int keep,
    fwd_log_t *log)
{
    size_t        i;
    fwd_vault_t  *v;

    v = calloc(1, sizeof(fwd_vault_t));

    if (v == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return;
    }

    json_set_alloc_funcs(malloc, fwd_vault_wipe);

    v->conf = conf;
    v->log = log;
    v->fd = fd;
    v->easy = curl_easy_init();
    v->again_ms = FWD_VAULT_AGAIN_MS;
    fwd_buf_init(&v->answer, FWD_VAULT_ANSWER_MAX);

    if (v->easy == NULL) {
        return;
    }

    if (conf->token != NULL) {
        (void) snprintf(v->token, sizeof(v->token), "%s", conf->token);
    }

    if (!keep) {
        if (v->token[0] != '\0' || fwd_vault_login(v) == FWD_OK) {
            (void) fwd_vault_read_all(v);
        }

        fwd_vault_tell(v);
        return;
    }

    /* what the configuration has is no news */

    for (i = 0; i < conf->paths.count; i++) {
        if (conf->values[i] != NULL) {
            v->entries[i].fields = json_loads(conf->values[i], 0, NULL);
        }

        /* a lease that we took over is renewed at once: its end is unknown */

        if (conf->leases[i] != NULL) {
            v->entries[i].lease = strdup(conf->leases[i]);
            v->entries[i].lease_ms = 0;
        }
    }

    /* the token is of the process before us: how long it lives is not known */

    (void) fwd_vault_lookup(v);

    do {
        fwd_vault_round(v);
    } while (fwd_vault_sleep(v));
}


/* ---- the token ---- */

static fwd_rc_t
fwd_vault_login(fwd_vault_t *v)
{
    int       status;
    char     *body, path[256], old[FWD_SECRET_SIZE_MAX];
    json_t   *root, *login;
    fwd_rc_t  rc;

    if (v->conf->role_id == NULL) {
        return FWD_ERROR;
    }

    login = json_pack("{s:s,s:s}", "role_id", v->conf->role_id,
                      "secret_id", v->conf->secret_id);
    body = json_dumps(login, JSON_COMPACT);
    json_decref(login);

    if (body == NULL) {
        return FWD_ERROR;
    }

    /* the one before is not shown, and is as good as it was if this fails */

    memcpy(old, v->token, sizeof(old));
    v->token[0] = '\0';
    (void) snprintf(path, sizeof(path), "auth/%s/login", v->conf->approle);
    status = fwd_vault_call(v, "POST", path, body, &root);
    fwd_vault_wipe(body);

    v->token_full_s = status == 200 ? 0 : v->token_full_s;
    rc = status == 200 ? fwd_vault_token(v, json_object_get(root, "auth"))
                       : FWD_ERROR;
    json_decref(root);

    if (rc != FWD_OK) {
        memcpy(v->token, old, sizeof(old));
        fwd_vault_failed(v, "login");
    }

    OPENSSL_cleanse(old, sizeof(old));

    if (rc != FWD_OK) {
        return rc;
    }

    if (v->log != NULL) {
        fwd_log(v->log, FWD_LOG_INFO, "vault gave a token");
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_vault_token(fwd_vault_t *v, const json_t *auth)
{
    json_int_t   ttl;
    const char  *token;

    token = json_string_value(json_object_get(auth, "client_token"));
    ttl = json_integer_value(json_object_get(auth, "lease_duration"));

    if (token == NULL || strlen(token) >= sizeof(v->token)
        || strpbrk(token, "\r\n") != NULL)
    {
        return FWD_ERROR;
    }

    memmove(v->token, token, strlen(token) + 1);
    v->token_full_s = ttl > v->token_full_s ? ttl : v->token_full_s;
    v->token_ms = ttl > 0 ? fwd_vault_now() + (uint64_t) ttl * 1000 * 2 / 3
                          : 0;

    return FWD_OK;
}


/*
 * A read was forbidden.  Only a token that is of no use is worth a login: a
 * policy that lacks the path would cost one with each look.
 */

static fwd_rc_t
fwd_vault_relogin(fwd_vault_t *v)
{
    int      status;
    char     error[sizeof(v->error)];
    json_t  *root;

    if (v->conf->role_id == NULL) {
        return FWD_ERROR;
    }

    (void) strcpy(error, v->error);
    status = 403;
    root = NULL;

    if (v->token[0] != '\0') {
        status = fwd_vault_call(v, "GET", "auth/token/lookup-self", NULL,
                                &root);
    }

    json_decref(root);

    if (status == 200) {
        (void) strcpy(v->error, error);
    }

    return status == 403 ? fwd_vault_login(v) : FWD_ERROR;
}


static fwd_rc_t
fwd_vault_renew(fwd_vault_t *v)
{
    int          ends, status;
    json_t      *root, *auth;
    fwd_rc_t     rc;
    json_int_t   ttl;

    status = fwd_vault_call(v, "POST", "auth/token/renew-self", "{}", &root);
    auth = json_object_get(root, "auth");
    ttl = json_integer_value(json_object_get(auth, "lease_duration"));

    rc = status == 200 ? fwd_vault_token(v, auth) : FWD_ERROR;
    json_decref(root);

    /* close to its longest life it is renewed for a shorter and shorter time */

    ends = rc == FWD_OK && ttl < v->token_full_s / 2;

    if (rc == FWD_OK && (!ends || v->conf->role_id == NULL)) {
        fwd_log(v->log, FWD_LOG_INFO, "vault renewed our token");
        return FWD_OK;
    }

    if ((ends || (status >= 400 && status < 500))
        && v->conf->role_id != NULL)
    {
        if (fwd_vault_login(v) == FWD_OK) {
            fwd_vault_tell(v);           /* it outlives this process */
            return FWD_OK;
        }

    } else {
        fwd_vault_failed(v, "renewal of the token");
    }

    /* a token that may not be renewed is not asked for again in a hurry */

    v->token_ms = fwd_vault_now() + v->again_ms;

    return FWD_ERROR;
}


static fwd_rc_t
fwd_vault_lookup(fwd_vault_t *v)
{
    int           status;
    json_t       *root, *data;
    json_int_t    ttl;

    if (v->token[0] == '\0') {
        return fwd_vault_login(v);
    }

    status = fwd_vault_call(v, "GET", "auth/token/lookup-self", NULL, &root);

    if (status == 200) {
        data = json_object_get(root, "data");
        ttl = json_integer_value(json_object_get(data, "ttl"));
        v->token_full_s = json_integer_value(json_object_get(data,
                                                            "creation_ttl"));

        if (ttl > 0
            && (json_is_true(json_object_get(data, "renewable"))
                || v->conf->role_id != NULL))
        {
            v->token_ms = fwd_vault_now() + (uint64_t) ttl * 1000 * 2 / 3;
        }

    } else if (status == 403 && fwd_vault_login(v) == FWD_OK) {
        fwd_vault_tell(v);

    } else {
        v->token_ms = fwd_vault_now() + FWD_VAULT_AGAIN_MS;
    }

    json_decref(root);

    return FWD_OK;
}


/* ---- the secrets ---- */

/* 1 if something is another one than was told last. */

static int
fwd_vault_read_all(fwd_vault_t *v)
{
    int     changed;
    size_t  i;

    changed = 0;

    for (i = 0; i < v->conf->paths.count; i++) {
        if (fwd_vault_read(v, i, &changed) != FWD_OK) {
            fwd_vault_failed(v, v->conf->paths.list[i]);
        }
    }

    return changed;
}


static fwd_rc_t
fwd_vault_read(fwd_vault_t *v, size_t n, int *changed)
{
    int                 status, tries;
    char                path[600];
    size_t              mount;
    json_t             *root, *fields;
    const char         *wanted;
    fwd_vault_entry_t  *e;

    e = &v->entries[n];
    wanted = v->conf->paths.list[n];
    mount = strcspn(wanted, "/");

    if (v->conf->kv == 2) {
        (void) snprintf(path, sizeof(path), "%.*s/data/%s", (int) mount,
                        wanted, wanted + mount + 1);

    } else {
        (void) snprintf(path, sizeof(path), "%s", wanted);
    }

    root = NULL;
    status = 0;

    for (tries = 0; tries < 2; tries++) {
        json_decref(root);
        status = fwd_vault_call(v, "GET", path, NULL, &root);

        /* the token has ended, or was taken back */

        if (status != 403 || tries != 0 || fwd_vault_relogin(v) != FWD_OK) {
            break;
        }

        *changed = 1;                    /* the new one outlives us */
    }

    fields = json_object_get(root, "data");

    if (v->conf->kv == 2) {
        fields = json_object_get(fields, "data");
    }

    if (status != 200 || !json_is_object(fields)) {
        json_decref(root);
        return FWD_ERROR;
    }

    if (e->fields == NULL || !json_equal(e->fields, fields)) {
        json_decref(e->fields);
        e->fields = json_incref(fields);
        *changed = 1;
    }

    e->lease_full_s = 0;
    fwd_vault_lease(e, root);
    json_decref(root);

    return FWD_OK;
}


static void
fwd_vault_lease(fwd_vault_entry_t *e, const json_t *root)
{
    json_int_t   seconds;
    const char  *id;

    free(e->lease);
    e->lease = NULL;

    id = json_string_value(json_object_get(root, "lease_id"));
    seconds = json_integer_value(json_object_get(root, "lease_duration"));

    if (id == NULL || *id == '\0' || seconds <= 0) {
        return;
    }

    e->lease = strdup(id);
    e->lease_full_s = seconds > e->lease_full_s ? seconds : e->lease_full_s;
    e->lease_ms = fwd_vault_now() + (uint64_t) seconds * 1000 * 2 / 3;
}


/*
 * Renews it; a lease that Vault does not know, or does not make much longer any
 * more, is replaced by a new one while the old one is still good.  Without an
 * answer it stays: it may be renewed later.
 */

static void
fwd_vault_keep_lease(fwd_vault_t *v, size_t n, int *changed)
{
    int                 status;
    fwd_vault_entry_t  *e;

    e = &v->entries[n];
    status = fwd_vault_renew_lease(v, e);

    if (status == 200 && e->lease != NULL
        && (uint64_t) e->lease_full_s * 1000 / 3
           <= e->lease_ms - fwd_vault_now())
    {
        fwd_log(v->log, FWD_LOG_INFO, "vault renewed a lease");
        return;
    }

    if ((status != 0 && status < 500)
        && fwd_vault_read(v, n, changed) == FWD_OK)
    {
        fwd_log(v->log, FWD_LOG_INFO, "vault gave a new lease");
        return;
    }

    fwd_vault_failed(v, v->conf->paths.list[n]);
    e->lease_ms = fwd_vault_now() + v->again_ms;
}


/* The status. */

static int
fwd_vault_renew_lease(fwd_vault_t *v, fwd_vault_entry_t *e)
{
    int      status;
    char    *body;
    json_t  *root, *lease;

    lease = json_pack("{s:s}", "lease_id", e->lease);
    body = json_dumps(lease, JSON_COMPACT);
    json_decref(lease);

    if (body == NULL) {
        return 0;
    }

    status = fwd_vault_call(v, "PUT", "sys/leases/renew", body, &root);
    fwd_vault_wipe(body);

    if (status == 200) {
        fwd_vault_lease(e, root);
    }

    json_decref(root);

    return status;
}


static void
fwd_vault_tell(fwd_vault_t *v)
{
    char    *text, head[FWD_VAULT_LENGTH + 16];
    size_t   i;
    json_t  *root, *values, *leases;

    root = json_object();
    values = json_object();
    leases = json_object();

    for (i = 0; i < v->conf->paths.count; i++) {
        if (v->entries[i].fields != NULL) {
            (void) json_object_set(values, v->conf->paths.list[i],
                                   v->entries[i].fields);
        }

        if (v->entries[i].lease != NULL) {
            (void) json_object_set_new(leases, v->conf->paths.list[i],
                                       json_string(v->entries[i].lease));
        }
    }

    if (v->conf->role_id != NULL) {
        (void) json_object_set_new(root, "token", json_string(v->token));
        (void) json_object_set_new(root, "role",
                                   json_string(v->conf->role_id));
        (void) json_object_set_new(root, "address",
                                   json_string(v->conf->address));
    }

    (void) json_object_set_new(root, "values", values);
    (void) json_object_set_new(root, "leases", leases);

    if (v->error[0] != '\0') {
        (void) json_object_set_new(root, "error", json_string(v->error));
    }

    text = json_dumps(root, JSON_COMPACT);
    json_decref(root);

    if (text == NULL) {
        return;
    }

    (void) snprintf(head, sizeof(head), "%08x\n",
                    (unsigned) strlen(text));
    fwd_vault_write(v, head, FWD_VAULT_LENGTH);
    fwd_vault_write(v, text, strlen(text));
    fwd_vault_wipe(text);
}


static void
fwd_vault_write(fwd_vault_t *v, const char *data, size_t len)
{
    ssize_t  n;

    while (len > 0) {
        n = write(v->fd, data, len);

        if (n <= 0) {
            return;                      /* nobody listens: sleep() sees it */
        }

        data += n;
        len -= (size_t) n;
    }
}


/* ---- rounds ---- */

static void
fwd_vault_round(fwd_vault_t *v)
{
    int                 changed;
    size_t              i;
    uint64_t            now;
    fwd_vault_entry_t  *e;

    v->error[0] = '\0';
    v->failing = 0;
    now = fwd_vault_now();
    changed = 0;

    if (v->token_ms != 0 && now >= v->token_ms) {
        (void) fwd_vault_renew(v);
    }

    for (i = 0; i < v->conf->paths.count; i++) {
        e = &v->entries[i];

        if (e->lease != NULL && now >= e->lease_ms) {
            fwd_vault_keep_lease(v, i, &changed);
        }
    }

    if (now >= v->read_ms) {

        /* with a lease the value is ours until the lease ends */

        for (i = 0; i < v->conf->paths.count; i++) {
            if (v->entries[i].lease == NULL
                && fwd_vault_read(v, i, &changed) != FWD_OK)
            {
                fwd_vault_failed(v, v->conf->paths.list[i]);
            }
        }

        v->read_ms = now + v->conf->refresh_ms;
    }

    if (v->failing) {
        if (v->read_ms > now + v->again_ms) {
            v->read_ms = now + v->again_ms;
        }

        v->again_ms = v->again_ms * 2 < FWD_VAULT_AGAIN_MAX
                      ? v->again_ms * 2 : FWD_VAULT_AGAIN_MAX;

    } else {
        v->again_ms = FWD_VAULT_AGAIN_MS;
    }

    if (changed) {
        fwd_vault_tell(v);
    }

    fwd_log_flush(v->log);
}


/* 0: the reader is gone. */

static int
fwd_vault_sleep(fwd_vault_t *v)
{
    size_t         i;
    uint64_t       now, until;
    struct pollfd  pfd;

    now = fwd_vault_now();
    until = v->read_ms;

    if (v->token_ms != 0 && v->token_ms < until) {
        until = v->token_ms;
    }

    for (i = 0; i < v->conf->paths.count; i++) {
        if (v->entries[i].lease != NULL && v->entries[i].lease_ms < until) {
            until = v->entries[i].lease_ms;
        }
    }

    pfd.fd = v->fd;
    pfd.events = 0;

    return poll(&pfd, 1, until > now ? (int) (until - now) : 10) <= 0;
}


static void
fwd_vault_failed(fwd_vault_t *v, const char *what)
{
    v->failing = 1;

    if (v->log != NULL) {
        fwd_log(v->log, FWD_LOG_WARN, "vault failed, what it gave stays",
                fwd_kv_text("what", what), fwd_kv_text("reason", v->error));
    }
}


/* ---- memory ---- */

static void
fwd_vault_wipe(void *p)
{
    if (p != NULL) {
        OPENSSL_cleanse(p, malloc_usable_size(p));
        free(p);
    }
}


json_t *
fwd_vault_parse(const char *text, size_t len)
{
    json_set_alloc_funcs(malloc, fwd_vault_wipe);

    return json_loadb(text, len, 0, NULL);
}


void
fwd_vault_parsed(json_t *json)
{
    json_decref(json);
    json_set_alloc_funcs(malloc, free);
}


const char *
fwd_vault_message(fwd_buf_t *text)
{
    size_t       len;
    const char  *data;

    data = fwd_buf_string(text);

    if (data == NULL || text->len < FWD_VAULT_LENGTH
        || data[FWD_VAULT_LENGTH - 1] != '\n')
    {
        return NULL;
    }

    len = strtoul(data, NULL, 16);

    return text->len >= FWD_VAULT_LENGTH + len ? data + FWD_VAULT_LENGTH
                                               : NULL;
}


static uint64_t
fwd_vault_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}
