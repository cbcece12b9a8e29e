
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Redis for the commands of people: one command at a time, with time-outs.
 *
 * A command goes to the server that has its key: the only one, the master
 * that the sentinels name, or a node of the cluster.  It is sent again when a
 * connection was lost, so each must be such that a second run does no harm.
 */


#ifndef _FWD_CLI_REDIS_H_INCLUDED_
#define _FWD_CLI_REDIS_H_INCLUDED_


/* libraries */
#include <hiredis/hiredis.h>

/* this folder */
#include "fwd_config.h"
#include "fwd_pool.h"


typedef struct fwd_cli_redis_s  fwd_cli_redis_t;


/* Words of a command; texts live in the pool or with the caller. */
typedef struct {
    fwd_pool_t            pool;
    const char          **argv;
    size_t               *lens;
    int                   count;
    int                   size;
} fwd_cli_args_t;


/* Nothing is connected yet.  Never NULL. */
fwd_cli_redis_t *fwd_cli_redis_create(const fwd_redis_conf_t *conf);
void fwd_cli_redis_destroy(fwd_cli_redis_t *r);

/*
 * Sends a command, formatted as hiredis does it, to where the key is.  NULL
 * with a text if there is no answer, or the answer is an error.
 */
redisReply *fwd_cli_redis_command(fwd_cli_redis_t *r, fwd_error_t *err,
    const char *key, const char *fmt, ...);

/* Runs a script; args are its keys, and then its other arguments. */
redisReply *fwd_cli_redis_script(fwd_cli_redis_t *r, fwd_error_t *err,
    const char *text, int keys, const fwd_cli_args_t *args);

/* Unix ms by the clock of the server of a key; FWD_ERROR with a text. */
fwd_rc_t fwd_cli_redis_time(fwd_cli_redis_t *r, fwd_error_t *err,
    const char *key, uint64_t *ms) FWD_MUST_CHECK;

/* The slot of a key in a cluster. */
uint32_t fwd_cli_redis_slot(const char *key);


void fwd_cli_args_init(fwd_cli_args_t *args);
void fwd_cli_args_free(fwd_cli_args_t *args);
void fwd_cli_args_add(fwd_cli_args_t *args, const void *data, size_t len);
void fwd_cli_args_text(fwd_cli_args_t *args, const char *text);
void fwd_cli_args_number(fwd_cli_args_t *args, uint64_t number);


#endif /* _FWD_CLI_REDIS_H_INCLUDED_ */
