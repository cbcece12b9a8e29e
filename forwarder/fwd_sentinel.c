
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A question to the sentinels.
 *
 * A connection must not be destroyed in a callback of its own, so each step
 * is posted.
 */


#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_redis.h"
#include "fwd_sentinel.h"
#include "fwd_units.h"


#define FWD_SENTINEL_MS  1000            /* for one of them */


struct fwd_sentinel_s {
    fwd_core_t           *core;
    const fwd_redis_conf_t  *conf;
    fwd_redis_conf_t      one;           /* of the sentinel that is asked */
    uint32_t             *first;
    uint32_t              asked;         /* sentinels so far */
    fwd_redis_t          *redis;
    uv_timer_t            timer;
    fwd_post_t            step;
    fwd_sentinel_pt       cb;            /* NULL: has been called */
    void                 *data;
    char                  at[NI_MAXHOST];    /* host of the sentinel */
    char                  host[NI_MAXHOST];  /* the answer */
    uint64_t              port;          /* 0: there is none yet */
};


static void fwd_sentinel_step(void *data);
static fwd_rc_t fwd_sentinel_next(fwd_sentinel_t *s);
static void fwd_sentinel_up(void *data);
static void fwd_sentinel_down(void *data);
static void fwd_sentinel_reply(void *data, redisReply *reply);
static void fwd_sentinel_timer(uv_timer_t *timer);
static void fwd_sentinel_closed(uv_handle_t *handle);


fwd_sentinel_t *
fwd_sentinel_ask(fwd_core_t *core, const fwd_redis_conf_t *conf,
    uint32_t *first, fwd_sentinel_pt cb, void *data)
{
    fwd_sentinel_t  *s;

    s = calloc(1, sizeof(fwd_sentinel_t));
    if (s == NULL) {
        return NULL;
    }

    s->core = core;
    s->conf = conf;
    s->first = first;
    s->cb = cb;
    s->data = data;
    fwd_post_init(&s->step, fwd_sentinel_step, s);

    if (uv_timer_init(core->loop, &s->timer) != 0) {
        free(s);
        return NULL;
    }

    s->timer.data = s;
    fwd_post(core, &s->step);

    return s;
}


void
fwd_sentinel_cancel(fwd_sentinel_t *s)
{
    if (s == NULL || s->cb == NULL) {
        return;
    }

    s->cb = NULL;
    fwd_redis_destroy(s->redis);
    s->redis = NULL;
    fwd_post_cancel(&s->step);
    uv_close((uv_handle_t *) &s->timer, fwd_sentinel_closed);
}


/* An answer is there, or the next one is to be asked. */

static void
fwd_sentinel_step(void *data)
{
    void             *cb_data;
    uint64_t          port;
    fwd_sentinel_t   *s = data;
    fwd_sentinel_pt   cb;

    fwd_redis_destroy(s->redis);
    s->redis = NULL;

    while (s->port == 0 && s->asked < s->conf->sentinels.count) {
        if (fwd_sentinel_next(s) == FWD_OK) {
            return;
        }
    }

    cb = s->cb;
    cb_data = s->data;
    port = s->port;

    /* memory stays until the handle is closed, at the end of the round */
    fwd_sentinel_cancel(s);

    cb(cb_data, port ? s->host : NULL, port);
}


static fwd_rc_t
fwd_sentinel_next(fwd_sentinel_t *s)
{
    size_t                len;
    uint32_t              n;
    uint64_t              port;
    const char           *address, *colon;
    fwd_redis_handler_t   handler;

    n = (*s->first + s->asked) % (uint32_t) s->conf->sentinels.count;
    s->asked++;

    address = s->conf->sentinels.list[n];
    colon = strrchr(address, ':');

    if (colon == NULL || fwd_units_number(&port, colon + 1) != FWD_OK
        || port == 0 || port > 65535)
    {
        return FWD_ERROR;
    }

    len = (size_t) (colon - address);

    if (len > 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }

    (void) snprintf(s->at, sizeof(s->at), "%.*s", (int) len, address);

    memset(&s->one, 0, sizeof(s->one));
    s->one.address = s->conf->sentinels.list[n];
    s->one.password = s->conf->sentinel_password;
    s->one.tls = s->conf->tls;
    s->one.tls_ca = s->conf->tls_ca;
    s->one.tls_cert = s->conf->tls_cert;
    s->one.tls_key = s->conf->tls_key;
    s->one.tls_server_name = s->conf->tls_server_name;

    handler.up = fwd_sentinel_up;
    handler.down = fwd_sentinel_down;
    handler.data = s;

    s->redis = fwd_redis_create_at(s->core, &s->one, s->at, port, "sentinel",
                                   NULL, &handler);
    if (s->redis == NULL) {
        return FWD_ERROR;
    }

    fwd_redis_once(s->redis);

    (void) uv_timer_start(&s->timer, fwd_sentinel_timer, FWD_SENTINEL_MS, 0);

    return FWD_OK;
}


static void
fwd_sentinel_up(void *data)
{
    fwd_sentinel_t  *s = data;

    if (fwd_redis_words(s->redis, fwd_sentinel_reply, s, "SENTINEL",
                        "get-master-addr-by-name", s->conf->sentinel, NULL)
        != FWD_OK)
    {
        fwd_post(s->core, &s->step);
    }
}


static void
fwd_sentinel_down(void *data)
{
    fwd_sentinel_t  *s = data;

    fwd_post(s->core, &s->step);
}


static void
fwd_sentinel_reply(void *data, redisReply *reply)
{
    fwd_sentinel_t  *s = data;

    if (reply == NULL) {
        return;                          /* down() has been called */
    }

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
        && reply->element[0]->type == REDIS_REPLY_STRING
        && reply->element[1]->type == REDIS_REPLY_STRING
        && fwd_units_number(&s->port, reply->element[1]->str) == FWD_OK
        && s->port != 0 && s->port <= 65535)
    {
        (void) snprintf(s->host, sizeof(s->host), "%s",
                        reply->element[0]->str);
        *s->first = (*s->first + s->asked - 1)
                    % (uint32_t) s->conf->sentinels.count;

    } else {
        s->port = 0;                     /* it does not know that name */
    }

    fwd_post(s->core, &s->step);
}


static void
fwd_sentinel_timer(uv_timer_t *timer)
{
    fwd_sentinel_t  *s;

    s = timer->data;

    fwd_post(s->core, &s->step);
}


static void
fwd_sentinel_closed(uv_handle_t *handle)
{
    free(handle->data);
}
