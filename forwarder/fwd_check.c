
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Checking of configurations.
 */


#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/wait.h>

#include "fwd_check.h"
#include "fwd_loop.h"
#include "fwd_map.h"


#define FWD_CHECK_ERRORS_MAX  (1024 * 1024)


static void fwd_check_list(const char *const *texts, size_t count);
static int fwd_checker_child(const fwd_config_t *conf, pid_t parent,
    int fd);
static void fwd_checker_read(fwd_checker_t *checker);
static fwd_rc_t fwd_checker_verdict(fwd_checker_t *checker, int status);


/*
 * The environment goes before anything is compiled: jq copies it into the
 * program.
 */

int
fwd_check_run(const char *file)
{
    char          sha[FWD_CHECK_SHA_MAX];
    fwd_rc_t      rc;
    fwd_config_t  conf;
    fwd_report_t  report;

    rc = fwd_check_load(&conf, sha, file, NULL, &report);

    (void) clearenv();

    if (rc == FWD_OK) {
        rc = fwd_config_programs(&conf, &report);
    }

    fwd_check_print(&report);
    fwd_check_list(report.warnings, report.warnings_count);

    if (rc == FWD_OK) {
        (void) printf("%s: ok, %zu destination%s\n", file, conf.dests_count,
                      conf.dests_count == 1 ? "" : "s");
    }

    fwd_config_free(&conf);

    return rc == FWD_OK ? FWD_EXIT_OK : FWD_EXIT_FAILED;
}


fwd_rc_t
fwd_check_load(fwd_config_t *conf, char *sha, const char *file,
    const char *known, fwd_report_t *report)
{
    fwd_rc_t  rc;

    memset(report, 0, sizeof(fwd_report_t));

    rc = fwd_config_load_known(conf, file, known, report);
    (void) snprintf(sha, FWD_CHECK_SHA_MAX, "%s", conf->digest);

    /* the pool has moved with the configuration */
    report->pool = &conf->pool;

    return rc;
}


void
fwd_check_print(const fwd_report_t *report)
{
    fwd_check_list(report->texts, report->count);
}


static void
fwd_check_list(const char *const *texts, size_t count)
{
    size_t  i;

    for (i = 0; i < count && i < FWD_REPORT_MAX; i++) {
        (void) fprintf(stderr, "%s\n", texts[i]);
    }

    if (count > FWD_REPORT_MAX) {
        (void) fprintf(stderr, "... and %zu more\n", count - FWD_REPORT_MAX);
    }
}


fwd_rc_t
fwd_checker_start(fwd_checker_t *checker, const fwd_config_t *conf,
    uint64_t now_ms)
{
    int    fds[2];
    pid_t  pid, parent;

    memset(checker, 0, sizeof(fwd_checker_t));
    fwd_buf_init(&checker->errors, FWD_CHECK_ERRORS_MAX);

    if (pipe2(fds, O_CLOEXEC|O_NONBLOCK) != 0) {
        return FWD_ERROR;
    }

    parent = getpid();
    pid = fork();

    if (pid == 0) {
        _exit(fwd_checker_child(conf, parent, fds[1]));
    }

    (void) close(fds[1]);

    if (pid == -1) {
        (void) close(fds[0]);
        return FWD_ERROR;
    }

    checker->pid = pid;
    checker->fd = fds[0];
    checker->until_ms = now_ms + FWD_CHECK_TIMEOUT_MS;

    return FWD_OK;
}


/* Errors go to stderr, and stderr is the pipe: it is all it has to say. */

static int
fwd_checker_child(const fwd_config_t *conf, pid_t parent, int fd)
{
    fwd_rc_t      rc;
    sigset_t      none;
    fwd_pool_t    pool;
    fwd_report_t  report;

    (void) sigemptyset(&none);
    (void) sigprocmask(SIG_SETMASK, &none, NULL);

    if (dup2(fd, STDERR_FILENO) == -1
        || fwd_loop_detach(parent, SIGKILL) != FWD_OK) {
        return FWD_EXIT_FAILED;
    }

    /* a pipe of a few errors never fills; of very many, it waits */
    (void) fcntl(STDERR_FILENO, F_SETFL, 0);

    fwd_loop_limit_memory(conf->map_memory);

    fwd_pool_init(&pool);
    memset(&report, 0, sizeof(fwd_report_t));
    report.pool = &pool;

    rc = fwd_config_programs(conf, &report);
    fwd_check_print(&report);

    return rc == FWD_OK ? FWD_EXIT_OK : FWD_EXIT_FAILED;
}


fwd_rc_t
fwd_checker_look(fwd_checker_t *checker, uint64_t now_ms)
{
    int    status;
    pid_t  pid;

    if (now_ms >= checker->until_ms && !checker->late) {
        checker->late = 1;
        (void) kill(checker->pid, SIGKILL);
    }

    fwd_checker_read(checker);

    pid = waitpid(checker->pid, &status, WNOHANG);

    if (pid == 0 || (pid == -1 && errno == EINTR)) {
        return FWD_AGAIN;
    }

    fwd_checker_read(checker);
    checker->pid = 0;

    return fwd_checker_verdict(checker, pid == -1 ? -1 : status);
}


static void
fwd_checker_read(fwd_checker_t *checker)
{
    char     buf[4096];
    ssize_t  n;

    do {
        n = read(checker->fd, buf, sizeof(buf));

        if (n > 0) {
            fwd_buf_add(&checker->errors, buf, (size_t) n);
        }

    } while (n > 0 || (n == -1 && errno == EINTR));
}


static fwd_rc_t
fwd_checker_verdict(fwd_checker_t *checker, int status)
{
    char  text[64];

    if (status == 0) {
        return FWD_OK;
    }

    if (checker->late) {
        fwd_buf_add_string(&checker->errors,
                           "a program of a destination could not be compiled "
                           "within 10 seconds\n");

    } else if (WIFSIGNALED(status)) {
        (void) snprintf(text, sizeof(text), "the compiler of programs ended "
                        "on signal %d\n", WTERMSIG(status));
        fwd_buf_add_string(&checker->errors, text);

    } else if (checker->errors.len == 0) {
        fwd_buf_add_string(&checker->errors,
                           "programs could not be compiled\n");
    }

    return FWD_ERROR;
}


void
fwd_checker_free(fwd_checker_t *checker)
{
    if (checker->pid != 0) {
        (void) kill(checker->pid, SIGKILL);
        (void) waitpid(checker->pid, NULL, 0);
    }

    if (checker->fd > 0) {
        (void) close(checker->fd);
    }

    fwd_buf_free(&checker->errors);
    memset(checker, 0, sizeof(fwd_checker_t));
}
