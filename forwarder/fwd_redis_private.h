
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The inside of a Redis connection, shared by fwd_redis.c (life, commands)
 * and fwd_redis_connect.c (name, socket, login); for nobody else.
 */


#ifndef _FWD_REDIS_PRIVATE_H_INCLUDED_
#define _FWD_REDIS_PRIVATE_H_INCLUDED_


#include <netdb.h>

#include <hiredis/async.h>

#include "fwd_redis.h"
#include "fwd_redis_tls.h"
#include "fwd_sentinel.h"


#define FWD_REDIS_CONNECT_MS    1500     /* a lost packet is sent again
                                            after a second */
#define FWD_REDIS_LOGIN_MS      3000     /* for each answer of it */
#define FWD_REDIS_TICK_MS       250      /* how exact deadlines are */
#define FWD_REDIS_WORDS_MAX     16


typedef enum {
    FWD_REDIS_WAITING = 0,        /* the timer is armed */
    FWD_REDIS_ASKING,             /* sentinels for the master */
    FWD_REDIS_RESOLVING,          /* libuv looks the name up */
    FWD_REDIS_CONNECTING,         /* the context is new */
    FWD_REDIS_LOGIN,              /* AUTH, SELECT, SCRIPT LOAD are out */
    FWD_REDIS_UP,
    FWD_REDIS_CLOSED              /* destroyed, waiting for libuv */
} fwd_redis_state_t;


typedef struct fwd_redis_call_s  fwd_redis_call_t;

struct fwd_redis_call_s {
    fwd_link_t            link;
    fwd_redis_t          *r;
    fwd_redis_reply_pt    cb;
    void                 *data;
    uint64_t              deadline_ms;   /* monotonic */
    unsigned              released:1;    /* hiredis will not call again */
};


struct fwd_redis_s {
    fwd_core_t           *core;
    const fwd_redis_conf_t  *conf;
    const char           *role;
    const char           *at_host;       /* instead of the configured one */
    uint64_t              at_port;
    char                  host[NI_MAXHOST];  /* of the present attempt */
    uint64_t              port;
    char                  address[NI_MAXHOST + 8];  /* of it, for the log */
    fwd_sentinel_t       *ask;           /* under way, else NULL */
    uint32_t              ask_first;     /* who knew it the last time */
    fwd_redis_tls_t      *tls;           /* made at the first connect */
    void                (*elsewhere)(void *data);
    fwd_redis_scripts_t   scripts;
    fwd_redis_handler_t   handler;

    fwd_redis_state_t     state;         /* set by fwd_redis_set() only */
    redisAsyncContext    *ac;            /* NULL unless connecting or more */
    uv_timer_t            timer;
    uv_getaddrinfo_t      resolve;
    fwd_post_t            drop;          /* posted end of the context */
    uint64_t              deadline_ms;   /* of connecting */
    uint64_t              up_ms;         /* since when */
    uint32_t              failed_count;  /* attempts in a row */
    uint32_t              login_count;   /* replies still awaited */

    fwd_link_t            calls;         /* without reply, oldest first */
    fwd_link_t            spare;         /* calls to be used again */
    uint32_t              calls_count;
    fwd_log_limit_t       limit;
    char                  reason[160];   /* of the drop, for the log */
    unsigned              lost:1;        /* the outage was logged */
    unsigned              once:1;        /* no second attempt, no log */
    unsigned              resolving:1;   /* libuv still holds resolve */
    unsigned              timer_closed:1;
};


/* fwd_redis_connect.c: looks the host up and connects. */
void fwd_redis_start(fwd_redis_t *r);

/* The only place where the state changes. */
void fwd_redis_set(fwd_redis_t *r, fwd_redis_state_t state);

/* Notes the reason and ends the context when no callback is on the stack. */
void fwd_redis_fail(fwd_redis_t *r, const char *reason);

/* Sends in any state with a context. */
fwd_rc_t fwd_redis_send(fwd_redis_t *r, fwd_redis_reply_pt cb, void *data,
    int argc, const char **argv, const size_t *lens, uint64_t timeout_ms)
    FWD_MUST_CHECK;

/* The timer: the wait before an attempt, then the watch over deadlines. */
void fwd_redis_timer(uv_timer_t *timer);

/* The login went well. */
void fwd_redis_ready(fwd_redis_t *r);

/* Frees what is left when libuv holds nothing of it any more. */
void fwd_redis_free(fwd_redis_t *r);


#endif /* _FWD_REDIS_PRIVATE_H_INCLUDED_ */
