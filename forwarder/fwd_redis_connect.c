
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * From an address to a connection that is logged in.
 *
 * hiredis would look a name up in the calling thread, so libuv does it.  All
 * commands of the login go out together, and each reply is checked.
 */


#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <netdb.h>

#include "fwd_adapter.h"
#include "fwd_redis_private.h"


#define FWD_REDIS_READER_MAX    (1024 * 1024)


static void fwd_redis_name(fwd_redis_t *r, const char *host, uint64_t port);
static void fwd_redis_asked(void *data, const char *host, uint64_t port);
static void fwd_redis_resolve(fwd_redis_t *r, const char *host,
    uint64_t port);
static void fwd_redis_resolved(uv_getaddrinfo_t *req, int status,
    struct addrinfo *list);
static void fwd_redis_connect(fwd_redis_t *r, const char *address);
static void fwd_redis_connected(const redisAsyncContext *ac, int status);
static void fwd_redis_disconnected(const redisAsyncContext *ac, int status);
static void fwd_redis_login(fwd_redis_t *r);
static fwd_rc_t fwd_redis_login_send(fwd_redis_t *r, ...);
static void fwd_redis_login_reply(void *data, redisReply *reply);


void
fwd_redis_start(fwd_redis_t *r)
{
    const fwd_redis_conf_t  *conf;

    conf = r->conf;

    if (r->at_host != NULL) {
        fwd_redis_resolve(r, r->at_host, r->at_port);
        return;
    }

    if (conf->sentinel != NULL) {
        fwd_redis_name(r, conf->sentinel, 0);
        fwd_redis_set(r, FWD_REDIS_ASKING);

        r->ask = fwd_sentinel_ask(r->core, conf, &r->ask_first,
                                  fwd_redis_asked, r);
        if (r->ask == NULL) {
            fwd_redis_fail(r, "out of memory");
        }

        return;
    }

    if (conf->path != NULL) {
        fwd_redis_name(r, conf->path, 0);
        fwd_redis_connect(r, NULL);
        return;
    }

    fwd_redis_resolve(r, conf->host, conf->port);
}


/* What the log calls it. */

static void
fwd_redis_name(fwd_redis_t *r, const char *host, uint64_t port)
{
    const char  *format;

    if (port == 0) {
        (void) snprintf(r->address, sizeof(r->address), "%s", host);
        return;
    }

    format = strchr(host, ':') ? "[%s]:%u" : "%s:%u";

    (void) snprintf(r->address, sizeof(r->address), format, host,
                    (unsigned) port);
}


static void
fwd_redis_asked(void *data, const char *host, uint64_t port)
{
    fwd_redis_t  *r = data;

    r->ask = NULL;

    if (host == NULL) {
        fwd_redis_fail(r, "no sentinel knows the master");
        return;
    }

    fwd_redis_resolve(r, host, port);
}


static void
fwd_redis_resolve(fwd_redis_t *r, const char *host, uint64_t port)
{
    char             text[8];
    struct addrinfo  hints;

    if (host != r->host) {
        (void) snprintf(r->host, sizeof(r->host), "%s", host);
    }

    r->port = port;
    fwd_redis_name(r, r->host, port);

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_family = AF_UNSPEC;

    (void) snprintf(text, sizeof(text), "%u", (unsigned) port);

    fwd_redis_set(r, FWD_REDIS_RESOLVING);

    /* libuv still holds the request of an attempt that was given up */

    if (r->resolving
        || uv_getaddrinfo(r->core->loop, &r->resolve, fwd_redis_resolved,
                          r->host, text, &hints)
           != 0)
    {
        fwd_redis_fail(r, "cannot look the host name up");
        return;
    }

    r->resolving = 1;
}


static void
fwd_redis_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    int           rc;
    char          address[NI_MAXHOST];
    fwd_redis_t  *r;

    r = req->data;
    r->resolving = 0;

    if (r->state == FWD_REDIS_CLOSED) {
        uv_freeaddrinfo(list);
        fwd_redis_free(r);
        return;
    }

    if (status != 0 || list == NULL) {
        uv_freeaddrinfo(list);
        fwd_redis_fail(r, "host name not found");
        return;
    }

    rc = getnameinfo(list->ai_addr, list->ai_addrlen, address,
                     sizeof(address), NULL, 0, NI_NUMERICHOST);

    uv_freeaddrinfo(list);

    if (rc != 0) {
        fwd_redis_fail(r, "bad address");
        return;
    }

    fwd_redis_connect(r, address);
}


static void
fwd_redis_connect(fwd_redis_t *r, const char *address)
{
    fwd_error_t         err;
    redisAsyncContext  *ac;

    fwd_redis_set(r, FWD_REDIS_CONNECTING);

    ac = (address == NULL)
         ? redisAsyncConnectUnix(r->conf->path)
         : redisAsyncConnect(address, (int) r->port);

    if (ac == NULL) {
        fwd_redis_fail(r, "out of memory");
        return;
    }

    if (ac->err) {
        fwd_redis_fail(r, ac->errstr);
        redisAsyncFree(ac);
        return;
    }

    if (r->conf->tls && fwd_redis_tls_start(&r->tls, r->conf, r->host, ac, &err)
                        != FWD_OK)
    {
        redisAsyncFree(ac);
        fwd_redis_fail(r, err.text);
        return;
    }

    ac->data = r;
    ac->c.reader->maxbuf = FWD_REDIS_READER_MAX;

    if (fwd_adapter_attach(r->core, ac) != FWD_OK) {
        redisAsyncFree(ac);
        fwd_redis_fail(r, "out of memory");
        return;
    }

    r->ac = ac;
    r->deadline_ms = fwd_core_now_ms(r->core) + FWD_REDIS_CONNECT_MS;

    /* the hook for the connect event is set up by the first callback */
    (void) redisAsyncSetDisconnectCallback(ac, fwd_redis_disconnected);
    (void) redisAsyncSetConnectCallback(ac, fwd_redis_connected);

    (void) uv_timer_start(&r->timer, fwd_redis_timer, FWD_REDIS_TICK_MS,
                          FWD_REDIS_TICK_MS);
}


/* A failed connect is reported here; hiredis frees the context after it. */

static void
fwd_redis_connected(const redisAsyncContext *ac, int status)
{
    fwd_redis_t  *r;

    r = ac->data;

    if (r == NULL) {
        return;
    }

    if (status != REDIS_OK) {
        r->ac = NULL;
        fwd_redis_fail(r, ac->errstr[0] ? ac->errstr : "cannot connect");
        return;
    }

    fwd_redis_login(r);
}


/* Likewise: the context is on its way out when this is called. */

static void
fwd_redis_disconnected(const redisAsyncContext *ac, int status)
{
    fwd_redis_t  *r;

    (void) status;

    r = ac->data;

    if (r == NULL) {
        return;
    }

    r->ac = NULL;
    fwd_redis_fail(r, (ac->errstr && ac->errstr[0])
                      ? ac->errstr : "closed by the server");
}


static void
fwd_redis_login(fwd_redis_t *r)
{
    char                     number[24], name[64];
    size_t                   i, lens[3];
    fwd_rc_t                 rc;
    const char              *argv[3];
    const fwd_redis_conf_t  *conf;

    conf = r->conf;
    rc = FWD_OK;

    fwd_redis_set(r, FWD_REDIS_LOGIN);
    r->login_count = 0;

    if (conf->password != NULL) {
        rc = (conf->user != NULL)
             ? fwd_redis_login_send(r, "AUTH", conf->user, conf->password,
                                    NULL)
             : fwd_redis_login_send(r, "AUTH", conf->password, NULL);
    }

    if (rc == FWD_OK && conf->database != 0) {
        (void) snprintf(number, sizeof(number), "%llu",
                        (unsigned long long) conf->database);
        rc = fwd_redis_login_send(r, "SELECT", number, NULL);
    }

    for (i = 0; rc == FWD_OK && i < r->scripts.count; i++) {
        rc = fwd_redis_login_send(r, "SCRIPT", "LOAD", r->scripts.texts[i],
                                  NULL);
    }

    /* a name in CLIENT LIST is nice to have; an ACL may forbid it */

    if (rc == FWD_OK) {
        argv[0] = "CLIENT";
        argv[1] = "SETNAME";
        argv[2] = name;
        lens[0] = 6;
        lens[1] = 7;
        lens[2] = (size_t) snprintf(name, sizeof(name),
                                    "martech-forwarder:%s", r->role);
        rc = fwd_redis_send(r, NULL, NULL, 3, argv, lens,
                            FWD_REDIS_LOGIN_MS);
    }

    /* sentinels may be behind the times */

    if (rc == FWD_OK && conf->sentinel != NULL) {
        rc = fwd_redis_login_send(r, "ROLE", NULL);
    }

    /* the last one: unlike those before a server that loads refuses it */

    if (rc == FWD_OK) {
        rc = fwd_redis_login_send(r, "PING", NULL);
    }

    if (rc != FWD_OK) {
        fwd_redis_fail(r, "out of memory");
    }
}


static fwd_rc_t
fwd_redis_login_send(fwd_redis_t *r, ...)
{
    int          argc;
    size_t       lens[FWD_REDIS_WORDS_MAX];
    va_list      args;
    const char  *argv[FWD_REDIS_WORDS_MAX];

    va_start(args, r);

    for (argc = 0; argc < FWD_REDIS_WORDS_MAX; argc++) {
        argv[argc] = va_arg(args, const char *);

        if (argv[argc] == NULL) {
            break;
        }

        lens[argc] = strlen(argv[argc]);
    }

    va_end(args);

    r->login_count++;

    return fwd_redis_send(r, fwd_redis_login_reply, r, argc, argv, lens,
                          FWD_REDIS_LOGIN_MS);
}


static void
fwd_redis_login_reply(void *data, redisReply *reply)
{
    fwd_redis_t  *r = data;

    if (reply == NULL || r->state != FWD_REDIS_LOGIN
        || r->drop.link.next != NULL)
    {
        return;                          /* given up, or refused already */
    }

    r->login_count--;

    if (reply->type == REDIS_REPLY_ERROR && r->login_count != 0) {
        fwd_redis_fail(r, reply->str);
        return;
    }

    /* of all replies only that to ROLE is a list */

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements != 0
        && reply->element[0]->type == REDIS_REPLY_STRING
        && strcmp(reply->element[0]->str, "master") != 0)
    {
        fwd_redis_fail(r, "not the master");
        return;
    }

    if (r->login_count != 0) {
        return;
    }

    if (fwd_redis_is_away(reply)) {
        fwd_redis_fail(r, reply->str);
        return;
    }

    fwd_redis_ready(r);
}
