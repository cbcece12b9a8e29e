
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The life of one loop process.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE                      /* clearenv() */
#endif

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <uv.h>

#include "fwd_core.h"
#include "fwd_engine.h"
#include "fwd_loop.h"


#define FWD_LOOP_FDS_MAX  65536          /* where close_range() is missing */


typedef struct {
    fwd_config_t          conf;          /* shallow: with our owner name */
    fwd_core_t            core;
    fwd_engine_t          engine;
    fwd_log_t            *log;
    uv_loop_t             loop;
    uv_signal_t           signals[2];
    unsigned              signaled:1;
} fwd_loop_t;


static int fwd_loop_serve(fwd_loop_t *l, const fwd_loop_start_t *start);
static void fwd_loop_signals(fwd_loop_t *l);
static void fwd_loop_signal(uv_signal_t *handle, int signum);
static void fwd_loop_stopped(void *data);


static const int  fwd_loop_signums[] = { SIGTERM, SIGUSR2 };


int
fwd_loop_run(const fwd_loop_start_t *start)
{
    int         rc;
    fwd_loop_t  l;

    memset(&l, 0, sizeof(fwd_loop_t));

    /* Ctrl-C reaches the whole group: the supervisor says what to do */

    (void) signal(SIGINT, SIG_IGN);
    (void) signal(SIGHUP, SIG_IGN);

    if (fwd_loop_detach(start->parent, SIGTERM) != FWD_OK) {
        return FWD_EXIT_OK;
    }

    fwd_loop_limit_memory(start->conf->map_memory);

    l.conf = *start->conf;
    l.conf.owner = start->owner;
    l.log = fwd_log_create(STDERR_FILENO,
                           (fwd_log_level_t) l.conf.log_level);

    if (l.log == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        (void) fprintf(stderr, "martech-forwarder: out of memory\n");
        return FWD_EXIT_FAILED;
    }

    rc = fwd_loop_serve(&l, start);

    curl_global_cleanup();
    fwd_log_destroy(l.log);

    return rc;
}


fwd_rc_t
fwd_loop_detach(pid_t parent, int signum)
{
    int     fd;
    char  **p;

    (void) prctl(PR_SET_PDEATHSIG, signum);

    if (getppid() != parent) {
        return FWD_ERROR;                /* it died before prctl() */
    }

    fd = STDERR_FILENO + 1;

    if (syscall(SYS_close_range, fd, ~0U, 0) != 0) {
        for ( /* void */ ; fd < FWD_LOOP_FDS_MAX; fd++) {
            (void) close(fd);
        }
    }

    /* clearenv() forgets where the texts are, not what they are */

    for (p = environ; p != NULL && *p != NULL; p++) {
        OPENSSL_cleanse(*p, strlen(*p));
    }

    (void) clearenv();

    return FWD_OK;
}


void
fwd_loop_limit_memory(uint64_t bytes)
{
#if !defined(__SANITIZE_ADDRESS__)

    struct rlimit  limit;

    if (bytes != 0) {
        limit.rlim_cur = bytes;
        limit.rlim_max = bytes;
        (void) setrlimit(RLIMIT_DATA, &limit);
    }

#else

    (void) bytes;                        /* shadow memory is larger */

#endif
}


static int
fwd_loop_serve(fwd_loop_t *l, const fwd_loop_start_t *start)
{
    int          rc;
    size_t       i;
    fwd_error_t  err;

    rc = FWD_EXIT_FAILED;

    if (uv_loop_init(&l->loop) != 0
        || fwd_core_init(&l->core, &l->loop, l->log) != FWD_OK)
    {
        (void) fprintf(stderr, "martech-forwarder: cannot make a loop\n");
        return rc;
    }

    if (start->fail_at != NULL
        && fwd_fail_parse(&l->core, start->fail_at, &err) != FWD_OK)
    {
        (void) fprintf(stderr, "martech-forwarder: %s\n", err.text);
        goto done;
    }

    fwd_loop_signals(l);

    if (fwd_engine_start(&l->engine, &l->core, &l->conf, start->stats, &err)
        != FWD_OK)
    {
        (void) fprintf(stderr, "martech-forwarder: %s\n", err.text);

    } else {
        fwd_log(l->log, FWD_LOG_INFO, "loop started",
                fwd_kv_text("owner", l->conf.owner),
                fwd_kv_int("pid", getpid()));

        /*
         * Without it the C library looks at /etc/localtime each time that a
         * program handles a date.  The programs are compiled, so none can
         * see it.
         */

        (void) setenv("TZ", "UTC0", 1);

        (void) uv_run(&l->loop, UV_RUN_DEFAULT);
        rc = FWD_EXIT_OK;
    }

    fwd_engine_close(&l->engine);

    for (i = 0; i < sizeof(l->signals) / sizeof(l->signals[0]); i++) {
        uv_close((uv_handle_t *) &l->signals[i], NULL);
    }

done:

    fwd_core_stop(&l->core);

    /* runs the close callbacks; a worker thread may still be writing */
    (void) uv_run(&l->loop, UV_RUN_DEFAULT);

    fwd_engine_free(&l->engine);
    (void) uv_loop_close(&l->loop);

    return rc;
}


static void
fwd_loop_signals(fwd_loop_t *l)
{
    size_t    i;
    sigset_t  none;

    for (i = 0; i < sizeof(l->signals) / sizeof(l->signals[0]); i++) {
        (void) uv_signal_init(&l->loop, &l->signals[i]);
        l->signals[i].data = l;
        (void) uv_signal_start(&l->signals[i], fwd_loop_signal,
                               fwd_loop_signums[i]);
    }

    /* the supervisor has them blocked; one that came meanwhile comes now */

    (void) sigemptyset(&none);
    (void) sigprocmask(SIG_SETMASK, &none, NULL);
}


static void
fwd_loop_signal(uv_signal_t *handle, int signum)
{
    uint64_t     patience;
    fwd_loop_t  *l;

    l = handle->data;

    if (l->signaled) {
        return;
    }

    l->signaled = 1;
    patience = l->conf.shutdown_timeout_ms;

    if (signum == SIGUSR2 && patience > FWD_LOOP_PATIENCE_MS) {
        patience = FWD_LOOP_PATIENCE_MS;
    }

    fwd_engine_stop(&l->engine, patience, fwd_loop_stopped, l);
}


static void
fwd_loop_stopped(void *data)
{
    fwd_loop_t  *l = data;

    uv_stop(&l->loop);
}
