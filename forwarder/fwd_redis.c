
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The connection.
 *
 * States: WAITING (timer) -> RESOLVING -> CONNECTING -> LOGIN -> UP, and from
 * each of them back to WAITING.  hiredis calls back synchronously while it
 * frees a context; so a context is freed in one place only, fwd_redis_drop(),
 * which first takes it out of the connection, and is never entered from a
 * callback of hiredis: those post it.
 */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_backoff.h"
#include "fwd_redis_private.h"


#define FWD_REDIS_STABLE_MS     1000     /* up that long: waits start anew */
#define FWD_REDIS_LOG_MS        60000    /* the same trouble is named again */


static int fwd_redis_has_others(const fwd_redis_t *r);
static void fwd_redis_wait(fwd_redis_t *r);
static void fwd_redis_log_up(const fwd_redis_t *r);
static void fwd_redis_watch(fwd_redis_t *r);
static void fwd_redis_drop(void *data);
static void fwd_redis_lost(fwd_redis_t *r);
static void fwd_redis_notice(fwd_redis_t *r, const redisReply *reply);
static void fwd_redis_censor(redisReply *reply);
static void fwd_redis_reply(redisAsyncContext *ac, void *reply,
    void *privdata);
static void fwd_redis_closed(uv_handle_t *handle);


/*
 * Waits between attempts to connect, never given up.  One attempt and one
 * wait together are what it may take us to see that Redis is back.
 */
static const fwd_backoff_t  fwd_redis_backoff = {
    .base_ms = 100, .factor = 2, .cap_ms = 1500
};

/* When there are others to ask for it: a failover is over soon. */
static const fwd_backoff_t  fwd_redis_backoff_short = {
    .base_ms = 100, .factor = 2, .cap_ms = 800
};


fwd_redis_t *
fwd_redis_create(fwd_core_t *core, const fwd_redis_conf_t *conf,
    const char *role, const fwd_redis_scripts_t *scripts,
    const fwd_redis_handler_t *handler)
{
    return fwd_redis_create_at(core, conf, NULL, 0, role, scripts, handler);
}


fwd_redis_t *
fwd_redis_create_at(fwd_core_t *core, const fwd_redis_conf_t *conf,
    const char *host, uint64_t port, const char *role,
    const fwd_redis_scripts_t *scripts, const fwd_redis_handler_t *handler)
{
    fwd_redis_t  *r;

    r = calloc(1, sizeof(fwd_redis_t));
    if (r == NULL) {
        return NULL;
    }

    r->core = core;
    r->conf = conf;
    r->role = role;
    r->at_host = host;
    r->at_port = port;
    r->handler = *handler;

    if (scripts != NULL) {
        r->scripts = *scripts;
    }

    fwd_list_init(&r->calls);
    fwd_list_init(&r->spare);
    fwd_post_init(&r->drop, fwd_redis_drop, r);

    if (uv_timer_init(core->loop, &r->timer) != 0) {
        free(r);
        return NULL;
    }

    r->timer.data = r;
    r->resolve.data = r;

    fwd_redis_start(r);

    return r;
}


void
fwd_redis_destroy(fwd_redis_t *r)
{
    if (r == NULL) {
        return;
    }

    fwd_redis_set(r, FWD_REDIS_CLOSED);
    fwd_post_cancel(&r->drop);
    fwd_redis_drop(r);
    fwd_sentinel_cancel(r->ask);
    r->ask = NULL;

    if (r->resolving) {
        (void) uv_cancel((uv_req_t *) &r->resolve);
    }

    uv_close((uv_handle_t *) &r->timer, fwd_redis_closed);
}


void
fwd_redis_on_elsewhere(fwd_redis_t *r, void (*elsewhere)(void *data))
{
    r->elsewhere = elsewhere;
}


void
fwd_redis_once(fwd_redis_t *r)
{
    r->once = 1;
}


const char *
fwd_redis_host(const fwd_redis_t *r)
{
    return r->host;
}


int
fwd_redis_is_up(const fwd_redis_t *r)
{
    return r != NULL && r->state == FWD_REDIS_UP;
}


uint32_t
fwd_redis_pending(const fwd_redis_t *r)
{
    return r->calls_count;
}


fwd_rc_t
fwd_redis_command(fwd_redis_t *r, fwd_redis_reply_pt cb, void *data,
    int argc, const char **argv, const size_t *lens, uint64_t timeout_ms)
{
    if (!fwd_redis_is_up(r)) {
        return FWD_AGAIN;
    }

    return fwd_redis_send(r, cb, data, argc, argv, lens, timeout_ms);
}


fwd_rc_t
fwd_redis_words(fwd_redis_t *r, fwd_redis_reply_pt cb, void *data, ...)
{
    int          argc;
    size_t       lens[FWD_REDIS_WORDS_MAX];
    va_list      args;
    const char  *argv[FWD_REDIS_WORDS_MAX];

    va_start(args, data);

    for (argc = 0; argc < FWD_REDIS_WORDS_MAX; argc++) {
        argv[argc] = va_arg(args, const char *);

        if (argv[argc] == NULL) {
            break;
        }

        lens[argc] = strlen(argv[argc]);
    }

    va_end(args);

    return fwd_redis_command(r, cb, data, argc, argv, lens, 0);
}


void
fwd_redis_reconnect(fwd_redis_t *r, const char *reason)
{
    if (r != NULL && r->ac != NULL) {
        fwd_redis_fail(r, reason);
    }
}


void
fwd_redis_reload_scripts(fwd_redis_t *r)
{
    size_t       i;
    const char  *argv[3];
    size_t       lens[3];

    if (r == NULL) {
        return;
    }

    argv[0] = "SCRIPT";
    argv[1] = "LOAD";

    for (i = 0; i < r->scripts.count; i++) {
        argv[2] = r->scripts.texts[i];
        lens[0] = 6;
        lens[1] = 4;
        lens[2] = strlen(argv[2]);

        if (fwd_redis_command(r, NULL, NULL, 3, argv, lens, 0) != FWD_OK) {
            return;
        }
    }
}


void
fwd_redis_set(fwd_redis_t *r, fwd_redis_state_t state)
{
    r->state = state;
}


/* One timer: the wait before an attempt, then the watch over deadlines. */

void
fwd_redis_timer(uv_timer_t *timer)
{
    fwd_redis_t  *r;

    r = timer->data;

    if (r->state == FWD_REDIS_WAITING) {
        fwd_redis_start(r);
        return;
    }

    fwd_redis_watch(r);
}


/* 1 if another server can take the place of this one. */

static int
fwd_redis_has_others(const fwd_redis_t *r)
{
    return r->conf->sentinel != NULL || r->conf->cluster;
}


static void
fwd_redis_wait(fwd_redis_t *r)
{
    uint64_t              ms;
    const fwd_backoff_t  *backoff;

    fwd_redis_set(r, FWD_REDIS_WAITING);

    backoff = fwd_redis_has_others(r) ? &fwd_redis_backoff_short
                                      : &fwd_redis_backoff;

    ms = fwd_backoff_delay(backoff, ++r->failed_count,
                           fwd_core_random(r->core));

    /* full jitter may give nearly nothing; that would be a busy loop */
    ms = (ms < 20) ? 20 : ms;

    (void) uv_timer_start(&r->timer, fwd_redis_timer, ms, 0);
}


void
fwd_redis_ready(fwd_redis_t *r)
{
    fwd_redis_set(r, FWD_REDIS_UP);
    r->up_ms = fwd_core_now_ms(r->core);

    if (!r->lost && !r->once) {
        fwd_redis_log_up(r);
    }

    r->handler.up(r->handler.data);
}


static void
fwd_redis_log_up(const fwd_redis_t *r)
{
    fwd_log(r->core->log, FWD_LOG_INFO, "redis connected",
            fwd_kv_text("role", r->role),
            fwd_kv_text("address", r->address));
}


static void
fwd_redis_watch(fwd_redis_t *r)
{
    uint64_t           now;
    fwd_redis_call_t  *call;

    now = fwd_core_now_ms(r->core);

    if (r->state == FWD_REDIS_CONNECTING && now >= r->deadline_ms) {
        fwd_redis_fail(r, "connecting timed out");
        return;
    }

    if (r->state == FWD_REDIS_UP
        && r->failed_count != 0
        && now - r->up_ms >= FWD_REDIS_STABLE_MS)
    {
        r->failed_count = 0;

        /* not before: a server may accept us and refuse all we ask */

        if (r->lost) {
            r->lost = 0;
            fwd_redis_log_up(r);
        }
    }

    if (fwd_list_empty(&r->calls)) {
        return;
    }

    call = fwd_list_data(r->calls.next, fwd_redis_call_t, link);

    if (now >= call->deadline_ms) {
        fwd_redis_fail(r, "a command timed out");
    }
}


/* Notes the reason and ends the context when no callback is on the stack. */

void
fwd_redis_fail(fwd_redis_t *r, const char *reason)
{
    if (r->state == FWD_REDIS_CLOSED || r->drop.link.next != NULL) {
        return;
    }

    (void) snprintf(r->reason, sizeof(r->reason), "%s", reason);
    fwd_post(r->core, &r->drop);
}


static void
fwd_redis_drop(void *data)
{
    fwd_redis_t         *r = data;
    fwd_redis_call_t    *call;
    redisAsyncContext   *ac;
    fwd_redis_state_t    state;

    state = r->state;

    if (state != FWD_REDIS_CLOSED) {

        fwd_redis_lost(r);

        if (state == FWD_REDIS_UP || r->once) {
            r->handler.down(r->handler.data);
        }
    }

    /* our own calls first: hiredis would call them in the middle of free */

    while (!fwd_list_empty(&r->calls)) {
        call = fwd_list_data(r->calls.next, fwd_redis_call_t, link);

        fwd_list_remove(&call->link);
        r->calls_count--;

        if (call->cb != NULL) {
            call->cb(call->data, NULL);
        }

        if (call->released) {
            free(call);

        } else {
            call->r = NULL;              /* freed when hiredis lets it go */
        }
    }

    ac = r->ac;

    if (ac != NULL) {
        r->ac = NULL;
        ac->data = NULL;
        redisAsyncFree(ac);
    }
}


static void
fwd_redis_lost(fwd_redis_t *r)
{
    uint64_t  now;
    uint32_t  suppressed;

    if (r->once) {
        fwd_redis_set(r, FWD_REDIS_WAITING);
        (void) uv_timer_stop(&r->timer);
        return;
    }

    now = fwd_core_now_ms(r->core);

    if (!r->lost
        || fwd_log_pass(&r->limit, now, FWD_REDIS_LOG_MS, &suppressed))
    {
        r->limit.next_ms = now + FWD_REDIS_LOG_MS;
        fwd_log(r->core->log, FWD_LOG_WARN, "redis connection failed",
                fwd_kv_text("role", r->role),
                fwd_kv_text("address", r->address),
                fwd_kv_text("reason", r->reason));
    }

    r->lost = 1;
    fwd_redis_wait(r);
}


fwd_rc_t
fwd_redis_send(fwd_redis_t *r, fwd_redis_reply_pt cb, void *data, int argc,
    const char **argv, const size_t *lens, uint64_t timeout_ms)
{
    fwd_redis_call_t  *call;

    /* after a loss the state lags behind until the posted drop has run */

    if (r->ac == NULL || r->drop.link.next != NULL) {
        return FWD_AGAIN;
    }

    if (fwd_list_empty(&r->spare)) {
        call = malloc(sizeof(fwd_redis_call_t));
        if (call == NULL) {
            return FWD_AGAIN;
        }

    } else {
        call = fwd_list_data(r->spare.next, fwd_redis_call_t, link);
        fwd_list_remove(&call->link);
    }

    call->r = r;
    call->released = 0;
    call->cb = cb;
    call->data = data;

    if (timeout_ms == 0) {
        timeout_ms = fwd_redis_has_others(r) ? FWD_REDIS_SHORT_MS
                                             : FWD_REDIS_TIMEOUT_MS;
    }

    call->deadline_ms = fwd_core_now_ms(r->core) + timeout_ms;

    if (redisAsyncCommandArgv(r->ac, fwd_redis_reply, call, argc, argv, lens)
        != REDIS_OK)
    {
        free(call);
        fwd_redis_fail(r, "command not accepted");
        return FWD_AGAIN;
    }

    fwd_list_push(&r->calls, &call->link);
    r->calls_count++;

    return FWD_OK;
}


/*
 * A server that does not know a command repeats its arguments in quotes, and
 * they may be a password or an event: error texts end before the first quote.
 */

static void
fwd_redis_censor(redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR && reply->str != NULL) {
        reply->len = strcspn(reply->str, "'`\"");
        reply->str[reply->len] = '\0';
    }
}


/*
 * What a reply says of the server, whatever the command was.  Only the
 * connection knows for certain where the reply came from: a shard may be
 * served by another one by now.
 */

static void
fwd_redis_notice(fwd_redis_t *r, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ERROR || r->state != FWD_REDIS_UP) {
        return;
    }

    if (r->elsewhere != NULL && fwd_redis_is_elsewhere(reply)) {
        r->elsewhere(r->handler.data);
        return;
    }

    if (fwd_redis_is_away(reply)) {
        fwd_redis_fail(r, reply->str);
    }
}


static void
fwd_redis_reply(redisAsyncContext *ac, void *reply, void *privdata)
{
    void                *data;
    fwd_redis_t         *r;
    fwd_redis_call_t    *call = privdata;
    fwd_redis_reply_pt   cb;

    (void) ac;

    r = call->r;

    if (r == NULL) {
        free(call);                      /* answered by fwd_redis_drop() */
        return;
    }

    if (reply == NULL) {

        /* hiredis is closing: down() comes first, then the NULL replies */

        call->released = 1;
        fwd_redis_fail(r, "closed by the server");
        return;
    }

    cb = call->cb;
    data = call->data;

    fwd_redis_censor(reply);
    fwd_redis_notice(r, reply);

    fwd_list_remove(&call->link);
    fwd_list_push(&r->spare, &call->link);
    r->calls_count--;

    if (cb != NULL) {
        cb(data, reply);
    }
}


static void
fwd_redis_closed(uv_handle_t *handle)
{
    fwd_redis_t  *r;

    r = handle->data;
    r->timer_closed = 1;

    fwd_redis_free(r);
}


void
fwd_redis_free(fwd_redis_t *r)
{
    fwd_link_t  *link;

    if (!r->timer_closed || r->resolving) {
        return;
    }

    fwd_redis_tls_destroy(r->tls);

    while (!fwd_list_empty(&r->spare)) {
        link = r->spare.next;
        fwd_list_remove(link);
        free(fwd_list_data(link, fwd_redis_call_t, link));
    }

    free(r);
}
