
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Looks after the secrets of the configuration that is at work: whether a
 * file of one has changed, and, by a process of its own, whether Vault gives
 * another value.  Either is a reason to load the configuration anew.
 */


#ifndef _FWD_KEEPER_H_INCLUDED_
#define _FWD_KEEPER_H_INCLUDED_


#include <sys/types.h>

#include "fwd_buf.h"
#include "fwd_config.h"
#include "fwd_log.h"


typedef struct {
    pid_t                 pid;           /* 0: no process */
    int                   fd;            /* what it writes to; -1 */
    fwd_buf_t             text;          /* of a message that is coming */
    char                 *known;         /* the last one, or NULL */
    uint64_t              look_ms;       /* monotonic, next look at files */
    uint64_t              seen;          /* of the files, when loaded */
    uint64_t              last;          /* at the last look */
    uint64_t              last_ms;       /* monotonic, since when */
    uint64_t              start_ms;      /* monotonic, not started before */
    uint64_t              again_ms;      /* wait after a death */
    unsigned              open:1;        /* init was called */
} fwd_keeper_t;


void fwd_keeper_init(fwd_keeper_t *k);

/* A configuration has taken over: looks after that one. */
void fwd_keeper_follow(fwd_keeper_t *k, const fwd_config_t *conf);

/*
 * Called ten times a second.  Returns what has changed, for the log, once for
 * each change; NULL: nothing.
 */
const char *fwd_keeper_look(fwd_keeper_t *k, const fwd_config_t *conf,
    uint64_t now_ms);

/* Forgets what Vault said. */
void fwd_keeper_forget(fwd_keeper_t *k);

/*
 * Sets what is known to what a configuration has: the token of a login, and
 * the values and leases too, or not: then they are to be asked anew.
 */
void fwd_keeper_recall(fwd_keeper_t *k, const fwd_config_t *conf, int values);

/* Ends the process and wipes what is known. */
void fwd_keeper_close(fwd_keeper_t *k);


#endif /* _FWD_KEEPER_H_INCLUDED_ */
