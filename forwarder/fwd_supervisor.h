
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The process that "run" starts: reads the configuration, keeps one loop
 * process for each processor alive, replaces them when the configuration
 * changes, and tells how they are.
 *
 * It delivers nothing itself and starts no threads, so that it can fork at
 * any time; for the same reason it uses poll() and signalfd(), and leaves
 * libuv, which installs handlers for the whole process, to the children.
 */


#ifndef _FWD_SUPERVISOR_H_INCLUDED_
#define _FWD_SUPERVISOR_H_INCLUDED_


#include "fwd_check.h"
#include "fwd_child.h"
#include "fwd_keeper.h"
#include "fwd_log.h"
#include "fwd_status.h"
#include "fwd_totals.h"


/* For children to end, after their own patience. */
#define FWD_SUPERVISOR_GRACE_MS  3000


typedef struct {
    const char           *file;          /* of the configuration */
    const char           *fail_at;       /* MARTECH_FAIL_AT, or NULL */
    fwd_log_t            *log;
    fwd_set_t            *set;           /* at work; NULL: not yet started */
    fwd_set_t            *old;           /* ends after a reload, or NULL */
    fwd_config_t          next;          /* while it is checked */
    fwd_checker_t         checker;
    fwd_poison_t         *poison;
    fwd_keeper_t          keeper;
    fwd_status_t         *status;        /* NULL: no address configured */
    fwd_totals_t          totals;
    int                   signal_fd;
    uint64_t              now_ms;        /* monotonic, of this round */
    uint64_t              look_ms;       /* next look of the watchdog */
    uint64_t              reload_ms;     /* Unix, of the last good one */
    uint64_t              died_count;    /* loops that ended unasked */
    char                  next_sha[FWD_CHECK_SHA_MAX];
    unsigned              reload_ok:1;   /* the last one was accepted */
    unsigned              reload_again:1;  /* asked for meanwhile */
    unsigned              secrets_again:1;  /* asked for by the keeper */
    unsigned              checking:1;    /* next is being checked */
    unsigned              reloaded:1;    /* set is not the first */
    unsigned              stopping:1;
    unsigned              failed:1;      /* the start failed */
} fwd_supervisor_t;


/* The command "run"; returns the exit status. */
int fwd_supervisor_run(const char *file);


/*
 * fwd_reload.c: reads the configuration anew and has it checked; looks for
 * the verdict and follows it; the last loop of the one before has ended.
 */
void fwd_reload_start(fwd_supervisor_t *s);
void fwd_reload_checked(fwd_supervisor_t *s);
void fwd_reload_old_ended(fwd_supervisor_t *s);

/* fwd_health.c: the pages of the status server; data is the supervisor. */
int fwd_health_page(void *data, const char *path, fwd_buf_t *out,
    const char **type);


#endif /* _FWD_SUPERVISOR_H_INCLUDED_ */
