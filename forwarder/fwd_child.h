
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The loop processes of one configuration, seen from the supervisor: how
 * they are started, started again, stopped, and what they died of.
 */


#ifndef _FWD_CHILD_H_INCLUDED_
#define _FWD_CHILD_H_INCLUDED_


#include <sys/types.h>

#include "fwd_check.h"
#include "fwd_config.h"
#include "fwd_stats.h"
#include "fwd_watch.h"


#define FWD_LOOPS_MAX  64


typedef struct fwd_set_s  fwd_set_t;


typedef struct {
    fwd_set_t            *set;
    const char           *owner;         /* name in leases */
    fwd_loop_stats_t     *stats;         /* shared; outlives the process */
    pid_t                 pid;           /* 0: not running */
    uint64_t              started_ms;    /* monotonic */
    uint64_t              start_ms;      /* if not running: start it then */
    uint64_t              kill_ms;       /* patience ends; 0: not stopping */
    uint32_t              young_count;   /* early deaths in a row */
    fwd_watch_t           watch;
} fwd_child_t;


/* All loops of one configuration, with memory of that configuration. */
struct fwd_set_s {
    fwd_config_t          conf;
    char                  sha[FWD_CHECK_SHA_MAX];  /* of its file */
    fwd_child_t          *children;
    uint32_t              count;
    size_t                block_bytes;   /* of stats */
    char                 *blocks;
    unsigned              stopping:1;    /* none is started again */
};


/* What became of a child. */
typedef struct {
    pid_t                 pid;
    int                   status;        /* of waitpid() */
    fwd_map_watch_t       event;         /* it was at work on */
    unsigned              poison:1;      /* there was one */
} fwd_death_t;


/*
 * Takes the configuration over; conf is empty afterwards, also on FWD_ERROR.
 * Nothing is started.
 */
fwd_rc_t fwd_set_create(fwd_set_t **set, fwd_config_t *conf, const char *sha,
    const fwd_poison_t *poison) FWD_MUST_CHECK;

/* When no process of it lives; NULL is allowed. */
void fwd_set_free(fwd_set_t *set);

/* Processes that live. */
uint32_t fwd_set_alive(const fwd_set_t *set);

/* Tells all children to end; what lives after patience is killed. */
void fwd_set_stop(fwd_set_t *set, int signum, uint64_t until_ms);

/* Tells whether loops of an older configuration are still there. */
void fwd_set_successor(fwd_set_t *set, int successor);

/* A program of a destination is not run by its loops any more. */
void fwd_set_hung(fwd_set_t *set, uint64_t dest, uint64_t program);

/* FWD_ERROR if there is no process to be had: tried again later. */
fwd_rc_t fwd_child_start(fwd_child_t *child, const char *fail_at,
    uint64_t now_ms);

/*
 * FWD_OK if the child has died; then it is due to be started again at a time
 * that depends on how long it lived.  FWD_NONE: it lives, or never did.
 */
fwd_rc_t fwd_child_reap(fwd_death_t *death, fwd_child_t *child,
    uint64_t now_ms) FWD_MUST_CHECK;


#endif /* _FWD_CHILD_H_INCLUDED_ */
