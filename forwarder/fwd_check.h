
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reads and checks a configuration.  Programs of destinations are compiled
 * in a process of their own: libjq may crash or compile for ever, and the
 * supervisor must outlive that.
 */


#ifndef _FWD_CHECK_H_INCLUDED_
#define _FWD_CHECK_H_INCLUDED_


#include <sys/types.h>

#include "fwd_buf.h"
#include "fwd_config.h"


#define FWD_CHECK_SHA_MAX     65         /* hex and zero */
#define FWD_CHECK_TIMEOUT_MS  10000      /* to compile all programs */


/* The command "check": prints what is wrong; returns the exit status. */
int fwd_check_run(const char *file);

/*
 * Reads the file and all it names, but does not compile; sha (of
 * FWD_CHECK_SHA_MAX) is that of the file.  As fwd_config_load_known().
 */
fwd_rc_t fwd_check_load(fwd_config_t *conf, char *sha, const char *file,
    const char *known, fwd_report_t *report) FWD_MUST_CHECK;

/* One line each, on stderr. */
void fwd_check_print(const fwd_report_t *report);


/* The process that compiles. */
typedef struct {
    pid_t                 pid;           /* 0: there is none */
    int                   fd;            /* its errors, a line each */
    uint64_t              until_ms;      /* monotonic, then it is killed */
    fwd_buf_t             errors;
    unsigned              late:1;        /* it was killed */
} fwd_checker_t;


/* FWD_ERROR if it cannot be started. */
fwd_rc_t fwd_checker_start(fwd_checker_t *checker, const fwd_config_t *conf,
    uint64_t now_ms) FWD_MUST_CHECK;

/*
 * Looks whether it has ended: FWD_AGAIN, or the verdict.  With FWD_ERROR the
 * errors hold at least one line.  Then call fwd_checker_free().
 */
fwd_rc_t fwd_checker_look(fwd_checker_t *checker, uint64_t now_ms)
    FWD_MUST_CHECK;

/* Ends it if it lives; a struct of zeros is fine. */
void fwd_checker_free(fwd_checker_t *checker);


#endif /* _FWD_CHECK_H_INCLUDED_ */
