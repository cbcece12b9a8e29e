
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A connection to Redis that heals: connects, logs in, loads the scripts,
 * and after any loss tries again with jittered waits.
 *
 * Each command has a deadline of its own.  Replies come in order, so the
 * oldest command is the one to watch; when its time is over the connection
 * is closed, because a single command cannot be taken back.
 */


#ifndef _FWD_REDIS_H_INCLUDED_
#define _FWD_REDIS_H_INCLUDED_


#include <hiredis/hiredis.h>

#include "fwd_config.h"
#include "fwd_core.h"


#define FWD_REDIS_TIMEOUT_MS  10000      /* for a command, if not said, ... */
#define FWD_REDIS_SHORT_MS    3000       /* ... if another one may take over */


typedef struct fwd_redis_s  fwd_redis_t;

/*
 * Called once for every accepted command.  The reply belongs to hiredis and
 * is gone after the call.  NULL: the connection was lost, the command may
 * have been carried out or not; then no command may be given in the call.
 */
typedef void (*fwd_redis_reply_pt)(void *data, redisReply *reply);

/* Texts of the scripts to be loaded at each login. */
typedef struct {
    const char *const    *texts;
    size_t                count;
} fwd_redis_scripts_t;

typedef struct {
    /* ready for commands */
    void                (*up)(void *data);

    /* lost; called before the replies of NULL, may not give commands */
    void                (*down)(void *data);

    void                 *data;
} fwd_redis_handler_t;


/*
 * Makes a connection and starts to connect.  role is its name in logs and in
 * CLIENT LIST.  NULL if out of memory.  All arguments stay the caller's.
 */
fwd_redis_t *fwd_redis_create(fwd_core_t *core, const fwd_redis_conf_t *conf,
    const char *role, const fwd_redis_scripts_t *scripts,
    const fwd_redis_handler_t *handler);

/*
 * The same to another place than the configuration says: a node of a
 * cluster, a sentinel.  host must live as long as the connection.
 */
fwd_redis_t *fwd_redis_create_at(fwd_core_t *core,
    const fwd_redis_conf_t *conf, const char *host, uint64_t port,
    const char *role, const fwd_redis_scripts_t *scripts,
    const fwd_redis_handler_t *handler);

/*
 * Called after each reply that says that the slot of the keys is elsewhere
 * or on its way; set by who knows what to do about it.
 */
void fwd_redis_on_elsewhere(fwd_redis_t *r, void (*elsewhere)(void *data));

/* Tries to connect once; down() is called also if that fails, silently. */
void fwd_redis_once(fwd_redis_t *r);

/* Host it was connected to last; "" if there was none. */
const char *fwd_redis_host(const fwd_redis_t *r);

/* 1 if this program can speak TLS with Redis. */
int fwd_redis_tls_supported(void);

/* Closes; replies of NULL are delivered, up() and down() are not called. */
void fwd_redis_destroy(fwd_redis_t *r);

/* 0 also for NULL. */
int fwd_redis_is_up(const fwd_redis_t *r);

/* Commands without a reply yet. */
uint32_t fwd_redis_pending(const fwd_redis_t *r);

/*
 * Sends a command.  FWD_AGAIN if the connection is not up, or r NULL: then
 * the callback is not called.  cb may be NULL.  timeout_ms 0 stands for the
 * default.
 */
fwd_rc_t fwd_redis_command(fwd_redis_t *r, fwd_redis_reply_pt cb, void *data,
    int argc, const char **argv, const size_t *lens, uint64_t timeout_ms)
    FWD_MUST_CHECK;

/* The same from words, ended by NULL. */
fwd_rc_t fwd_redis_words(fwd_redis_t *r, fwd_redis_reply_pt cb, void *data,
    ...) FWD_MUST_CHECK;

/* Closes and connects anew, after a reply that says the server must go. */
void fwd_redis_reconnect(fwd_redis_t *r, const char *reason);

/* Sends the scripts again; commands given later run after them. */
void fwd_redis_reload_scripts(fwd_redis_t *r);

/* 1 if the reply is an error that starts with this word. */
int fwd_redis_is_error(const redisReply *reply, const char *word);

/*
 * 1 if a node of a cluster says that the keys are not here, or not all of
 * them, or that there is nobody for them (MOVED, ASK, TRYAGAIN, CLUSTERDOWN).
 */
int fwd_redis_is_elsewhere(const redisReply *reply);

/*
 * 1 if the error says that this server cannot serve us for now (LOADING,
 * READONLY, MASTERDOWN, ...) and a new connection may find a better one; it
 * is made without being asked for.
 */
int fwd_redis_is_away(const redisReply *reply);


#endif /* _FWD_REDIS_H_INCLUDED_ */
