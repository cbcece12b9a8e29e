
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What a child of the supervisor does: one event loop with one engine, until
 * a signal ends it.
 */


#ifndef _FWD_LOOP_H_INCLUDED_
#define _FWD_LOOP_H_INCLUDED_


#include <sys/types.h>

#include "fwd_config.h"
#include "fwd_stats.h"


#define FWD_EXIT_OK      0
#define FWD_EXIT_FAILED  1               /* bad configuration, failed start */
#define FWD_EXIT_USAGE   2

/* Requests under way get so long when another configuration takes over. */
#define FWD_LOOP_PATIENCE_MS  2000


typedef struct {
    const fwd_config_t   *conf;
    const char           *owner;         /* name of the loop in leases */
    fwd_loop_stats_t     *stats;
    const char           *fail_at;       /* MARTECH_FAIL_AT, or NULL */
    pid_t                 parent;
} fwd_loop_start_t;


/*
 * To be called in a process that was just forked; returns its exit status.
 * SIGTERM ends it within the configured time, SIGUSR2 within
 * FWD_LOOP_PATIENCE_MS.
 */
int fwd_loop_run(const fwd_loop_start_t *start);

/*
 * For any process forked by the supervisor: it ends with its parent, has no
 * file but the first three, and its environment, which may hold secrets, is
 * wiped.  FWD_ERROR: the parent is gone already.
 */
fwd_rc_t fwd_loop_detach(pid_t parent, int signum) FWD_MUST_CHECK;

/* At most so many bytes of data, 0: any.  Not with sanitizers. */
void fwd_loop_limit_memory(uint64_t bytes);


#endif /* _FWD_LOOP_H_INCLUDED_ */
