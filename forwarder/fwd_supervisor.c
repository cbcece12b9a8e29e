
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The supervisor: signals, the order of start and end, deaths of children.
 * Configurations come and go in fwd_reload.c.
 */


#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fwd_core.h"
#include "fwd_loop.h"
#include "fwd_supervisor.h"


#define FWD_SUPERVISOR_LOOK_MS   100     /* between looks of the watchdog */


static fwd_rc_t fwd_supervisor_start(fwd_supervisor_t *s);
static fwd_rc_t fwd_supervisor_signals(fwd_supervisor_t *s);
static void fwd_supervisor_protect(const fwd_supervisor_t *s);
static uint64_t fwd_supervisor_now(void);
static void fwd_supervisor_loop(fwd_supervisor_t *s);
static void fwd_supervisor_wait(fwd_supervisor_t *s);
static void fwd_supervisor_take_signals(fwd_supervisor_t *s);
static void fwd_supervisor_secrets(fwd_supervisor_t *s);
static void fwd_supervisor_stop(fwd_supervisor_t *s, uint32_t signum);
static void fwd_supervisor_children(fwd_supervisor_t *s, fwd_set_t *set);
static void fwd_supervisor_watch(fwd_supervisor_t *s, fwd_child_t *child);
static void fwd_supervisor_died(fwd_supervisor_t *s, fwd_child_t *child,
    const fwd_death_t *death);
static void fwd_supervisor_poison(fwd_supervisor_t *s, fwd_child_t *child,
    const fwd_death_t *death);
static void fwd_supervisor_fail(fwd_supervisor_t *s);
static void fwd_supervisor_free(fwd_supervisor_t *s);


int
fwd_supervisor_run(const char *file)
{
    int               rc;
    fwd_supervisor_t  s;

    memset(&s, 0, sizeof(fwd_supervisor_t));
    s.file = file;
    s.signal_fd = -1;
    s.fail_at = getenv("MARTECH_FAIL_AT");

    if (s.fail_at != NULL) {
        s.fail_at = strdup(s.fail_at);   /* children wipe the environment */
    }

    fwd_keeper_init(&s.keeper);

    (void) umask(077);
    (void) signal(SIGPIPE, SIG_IGN);
    fwd_supervisor_protect(&s);

    if (fwd_supervisor_start(&s) == FWD_OK) {
        fwd_supervisor_loop(&s);

    } else {
        s.failed = 1;
    }

    rc = s.failed ? FWD_EXIT_FAILED : FWD_EXIT_OK;

    if (!s.failed) {
        fwd_log(s.log, FWD_LOG_INFO, "stopped");
    }

    fwd_supervisor_free(&s);

    return rc;
}


/* A debugger of the same user would show secrets; dumps are off already. */

static void
fwd_supervisor_protect(const fwd_supervisor_t *s)
{
#if !defined(__SANITIZE_ADDRESS__)

    if (s->fail_at == NULL) {
        (void) prctl(PR_SET_DUMPABLE, 0);
    }

#else

    (void) s;                            /* leaks are found by ptrace() */

#endif
}


static fwd_rc_t
fwd_supervisor_start(fwd_supervisor_t *s)
{
    fwd_rc_t      rc;
    fwd_report_t  report;

    rc = fwd_check_load(&s->next, s->next_sha, s->file, NULL, &report);
    fwd_check_print(&report);

    s->checking = 1;

    if (rc != FWD_OK) {
        return FWD_ERROR;
    }

    s->log = fwd_log_create(STDERR_FILENO,
                            (fwd_log_level_t) s->next.log_level);
    s->poison = fwd_poison_create();

    if (s->log == NULL || s->poison == NULL
        || fwd_supervisor_signals(s) != FWD_OK
        || fwd_checker_start(&s->checker, &s->next, fwd_supervisor_now())
           != FWD_OK)
    {
        (void) fprintf(stderr, "martech-forwarder: cannot start: %s\n",
                       strerror(errno));
        return FWD_ERROR;
    }

    return FWD_OK;
}


/*
 * All signals that mean something to us or our children are blocked, also
 * between fork() and the moment when a child has its handlers.
 */

static fwd_rc_t
fwd_supervisor_signals(fwd_supervisor_t *s)
{
    sigset_t  set;

    (void) sigemptyset(&set);
    (void) sigaddset(&set, SIGTERM);
    (void) sigaddset(&set, SIGINT);
    (void) sigaddset(&set, SIGHUP);
    (void) sigaddset(&set, SIGCHLD);

    s->signal_fd = signalfd(-1, &set, SFD_NONBLOCK|SFD_CLOEXEC);

    (void) sigaddset(&set, SIGUSR2);

    return s->signal_fd != -1 && sigprocmask(SIG_BLOCK, &set, NULL) == 0
           ? FWD_OK : FWD_ERROR;
}


/* The clock of libuv in the children is the same. */

static uint64_t
fwd_supervisor_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


static void
fwd_supervisor_loop(fwd_supervisor_t *s)
{
    while (!s->stopping || fwd_set_alive(s->set) || fwd_set_alive(s->old)) {

        fwd_log_flush(s->log);
        fwd_supervisor_wait(s);

        s->now_ms = fwd_supervisor_now();

        fwd_supervisor_secrets(s);
        fwd_supervisor_take_signals(s);

        if (s->checking && !s->stopping) {
            fwd_reload_checked(s);
        }

        fwd_supervisor_children(s, s->old);
        fwd_supervisor_children(s, s->set);

        if (s->now_ms >= s->look_ms) {
            s->look_ms = s->now_ms + FWD_SUPERVISOR_LOOK_MS;
        }

        if (s->old != NULL && fwd_set_alive(s->old) == 0) {
            fwd_reload_old_ended(s);
        }

        if (s->status != NULL) {
            fwd_status_run(s->status);
        }
    }
}


static void
fwd_supervisor_wait(fwd_supervisor_t *s)
{
    nfds_t         n;
    struct pollfd  fds[3];

    n = 0;

    fds[n].fd = s->signal_fd;
    fds[n++].events = POLLIN;

    if (s->checking) {
        fds[n].fd = s->checker.fd;
        fds[n++].events = POLLIN;
    }

    if (s->status != NULL) {
        fds[n].fd = fwd_status_fd(s->status);
        fds[n++].events = POLLIN;
    }

    (void) poll(fds, n, FWD_SUPERVISOR_LOOK_MS);
}


static void
fwd_supervisor_take_signals(fwd_supervisor_t *s)
{
    struct signalfd_siginfo  info;

    while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info)) {

        switch (info.ssi_signo) {

        case SIGTERM:
        case SIGINT:
            fwd_supervisor_stop(s, info.ssi_signo);
            break;

        case SIGHUP:
            s->reload_again = 1;
            break;

        default:                         /* children are looked at anyway */
            break;
        }
    }

    if ((s->reload_again || s->secrets_again)
        && !s->stopping && !s->checking && s->old == NULL)
    {
        /* a person who asks for it wants all of it read anew */

        if (s->set != NULL
            && (s->reload_again || s->keeper.known == NULL))
        {
            fwd_keeper_recall(&s->keeper, &s->set->conf, !s->reload_again);
        }

        s->reload_again = 0;
        s->secrets_again = 0;
        fwd_reload_start(s);
    }
}


static void
fwd_supervisor_secrets(fwd_supervisor_t *s)
{
    const char  *what;

    if (s->set == NULL || s->stopping) {
        return;
    }

    what = fwd_keeper_look(&s->keeper, &s->set->conf, s->now_ms);

    if (what != NULL) {
        s->secrets_again = 1;
        fwd_log(s->log, FWD_LOG_INFO, "a secret has changed, reloading",
                fwd_kv_text("kept_in", what));
    }
}


static void
fwd_supervisor_stop(fwd_supervisor_t *s, uint32_t signum)
{
    uint64_t  until;

    if (s->stopping) {
        return;
    }

    s->stopping = 1;
    fwd_log(s->log, FWD_LOG_INFO, "stopping",
            fwd_kv_text("signal", signum == SIGINT ? "INT" : "TERM"));

    if (s->set != NULL) {
        until = s->now_ms + s->set->conf.shutdown_timeout_ms
                + FWD_SUPERVISOR_GRACE_MS;
        fwd_set_stop(s->set, SIGTERM, until);
        fwd_set_stop(s->old, SIGTERM, until);
    }
}


/* One round over the children of a set: reap, watch, kill, start. */

static void
fwd_supervisor_children(fwd_supervisor_t *s, fwd_set_t *set)
{
    uint32_t      i;
    fwd_child_t  *child;
    fwd_death_t   death;

    for (i = 0; set != NULL && i < set->count; i++) {
        child = &set->children[i];

        if (fwd_child_reap(&death, child, s->now_ms) == FWD_OK) {
            fwd_supervisor_died(s, child, &death);

        } else if (child->pid != 0) {

            if (s->now_ms >= s->look_ms) {
                fwd_supervisor_watch(s, child);
            }

            if (child->kill_ms != 0 && s->now_ms >= child->kill_ms) {
                (void) kill(child->pid, SIGKILL);
            }
        }

        if (child->pid == 0 && !set->stopping
            && s->now_ms >= child->start_ms)
        {
            fwd_log_flush(s->log);       /* or the child has it too */
            (void) fwd_child_start(child, NULL, s->now_ms);
        }
    }
}


static void
fwd_supervisor_watch(fwd_supervisor_t *s, fwd_child_t *child)
{
    char                    id[FWD_ID_TEXT_MAX];
    fwd_map_watch_t         what;
    const fwd_config_t     *conf;

    conf = &child->set->conf;

    if (!fwd_watch_overdue(&child->watch, child->stats, child->pid,
                           conf->map_timeout_ms))
    {
        return;
    }

    what = child->stats->watch;
    what.message[FWD_WATCH_ID_MAX - 1] = '\0';
    (void) fwd_id_format(id, what.event);

    fwd_log(s->log, FWD_LOG_ERROR, "map does not return, killing its loop",
            fwd_kv_text("destination", what.dest < conf->dests_count
                                       ? conf->dests[what.dest].name : ""),
            fwd_kv_text("event", what.message),
            fwd_kv_int("shard", what.shard),
            fwd_kv_text("entry", id),
            fwd_kv_text("loop", child->owner),
            fwd_kv_int("pid", child->pid));

    (void) kill(child->pid, SIGKILL);
}


static void
fwd_supervisor_died(fwd_supervisor_t *s, fwd_child_t *child,
    const fwd_death_t *death)
{
    int  signum, status;

    signum = WIFSIGNALED(death->status) ? WTERMSIG(death->status) : 0;
    status = WIFEXITED(death->status) ? WEXITSTATUS(death->status) : 0;

    if (s->fail_at != NULL && signum == SIGKILL && !s->stopping) {
        fwd_supervisor_fail(s);
    }

    if (death->poison) {
        fwd_supervisor_poison(s, child, death);
    }

    if (child->set->stopping) {

        if (death->status != 0) {
            fwd_log(s->log, FWD_LOG_WARN, "loop did not end in order",
                    fwd_kv_text("loop", child->owner),
                    fwd_kv_int("pid", death->pid),
                    fwd_kv_int("signal", signum));
        }

        return;
    }

    s->died_count++;

    fwd_log(s->log, FWD_LOG_ERROR, "loop died, starting it again",
            fwd_kv_text("loop", child->owner),
            fwd_kv_int("pid", death->pid),
            fwd_kv_int("signal", signum),
            fwd_kv_int("status", status),
            fwd_kv_int("in_ms", child->start_ms - s->now_ms));

    /* it has said what is wrong, and it will be wrong again */

    if (!s->reloaded && status == FWD_EXIT_FAILED
        && child->stats->beat_ms == 0)
    {
        s->failed = 1;
        fwd_supervisor_stop(s, SIGTERM);
    }
}


static void
fwd_supervisor_poison(fwd_supervisor_t *s, fwd_child_t *child,
    const fwd_death_t *death)
{
    char         id[FWD_ID_TEXT_MAX];
    unsigned     many;
    const char  *name;

    if (death->event.dest >= child->set->conf.dests_count) {
        return;
    }

    name = child->set->conf.dests[death->event.dest].name;
    child->stats->dests[death->event.dest].map_killed++;
    (void) fwd_id_format(id, death->event.event);

    many = fwd_poison_add(s->poison, name, death->event.shard,
                          death->event.event, s->now_ms);

    fwd_log(s->log, FWD_LOG_WARN,
            "event ended the loop that mapped it, it becomes a dead letter",
            fwd_kv_text("destination", name),
            fwd_kv_text("event", death->event.message),
            fwd_kv_int("shard", death->event.shard),
            fwd_kv_text("entry", id),
            fwd_kv_int("pid", death->pid));

    if (many != 0) {
        fwd_set_hung(child->set, death->event.dest, death->event.program);

        fwd_log(s->log, FWD_LOG_ERROR,
                "a program ends loop after loop, its destination is parked",
                fwd_kv_text("destination", name),
                fwd_kv_text("program",
                            death->event.program == FWD_PROGRAM_WHEN
                            ? "when" : "map"),
                fwd_kv_int("within_a_minute", many));
    }
}


/* A test has one fail point kill us: we go as if we were one process. */

static void
fwd_supervisor_fail(fwd_supervisor_t *s)
{
    uint32_t  i;

    fwd_log_flush(s->log);

    for (i = 0; i < s->set->count; i++) {
        if (s->set->children[i].pid != 0) {
            (void) kill(s->set->children[i].pid, SIGKILL);
        }
    }

    (void) kill(getpid(), SIGKILL);
}


static void
fwd_supervisor_free(fwd_supervisor_t *s)
{
    fwd_keeper_close(&s->keeper);
    fwd_status_destroy(s->status);
    fwd_checker_free(&s->checker);

    if (s->checking) {
        fwd_config_free(&s->next);
    }

    fwd_set_free(s->old);
    fwd_set_free(s->set);
    fwd_totals_free(&s->totals);
    fwd_poison_free(s->poison);
    fwd_log_destroy(s->log);
    free((char *) s->fail_at);

    if (s->signal_fd != -1) {
        (void) close(s->signal_fd);
    }
}
