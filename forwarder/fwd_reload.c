
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * How a configuration takes over, the first as well as any later one: it is
 * read, checked by a process of its own, and then its loops are started while
 * those before it give their leases back.  Whatever is wrong with it changes
 * nothing.
 */


#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fwd_core.h"
#include "fwd_loop.h"
#include "fwd_supervisor.h"


#define FWD_RELOAD_SHA_LEN  12           /* of a digest in the log */


static void fwd_reload_refuse(fwd_supervisor_t *s, const char *text,
    size_t len);
static void fwd_reload_switch(fwd_supervisor_t *s);
static void fwd_reload_log(const fwd_supervisor_t *s);
static fwd_rc_t fwd_reload_status(fwd_supervisor_t *s, const char *address);


void
fwd_reload_start(fwd_supervisor_t *s)
{
    size_t        i;
    fwd_rc_t      rc;
    fwd_report_t  report;

    rc = fwd_check_load(&s->next, s->next_sha, s->file, s->keeper.known,
                        &report);

    if (rc == FWD_OK) {
        fwd_log_flush(s->log);
        rc = fwd_checker_start(&s->checker, &s->next, s->now_ms);

        if (rc == FWD_OK) {
            s->checking = 1;
            return;
        }

        fwd_report(&report, s->file, 0, "no process to check it: %s",
                   strerror(errno));
    }

    for (i = 0; i < report.count && i < FWD_REPORT_MAX; i++) {
        fwd_reload_refuse(s, report.texts[i], strlen(report.texts[i]));
    }

    fwd_config_free(&s->next);
}


static void
fwd_reload_refuse(fwd_supervisor_t *s, const char *text, size_t len)
{
    martech_str_t  str;

    str.data = (const unsigned char *) text;
    str.len = len;

    s->reload_ok = 0;

    fwd_log(s->log, FWD_LOG_ERROR, "configuration refused, the old one stays",
            fwd_kv_str("error", str));
}


/* The checker may have a verdict. */

void
fwd_reload_checked(fwd_supervisor_t *s)
{
    fwd_rc_t     rc;
    const char  *p, *end;

    rc = fwd_checker_look(&s->checker, s->now_ms);

    if (rc == FWD_AGAIN) {
        return;
    }

    s->checking = 0;

    if (rc == FWD_OK) {
        fwd_checker_free(&s->checker);
        fwd_reload_switch(s);
        return;
    }

    p = fwd_buf_string(&s->checker.errors);

    if (s->set == NULL) {
        (void) fprintf(stderr, "%s", p != NULL ? p : "");
        s->failed = 1;
        s->stopping = 1;

    } else {
        for ( /* void */ ; p != NULL && *p != '\0'; p = end + (*end != 0)) {
            end = p + strcspn(p, "\n");
            fwd_reload_refuse(s, p, (size_t) (end - p));
        }
    }

    fwd_checker_free(&s->checker);
    fwd_config_free(&s->next);
}


/* The configuration in next is good: it takes over. */

static void
fwd_reload_switch(fwd_supervisor_t *s)
{
    uint32_t    i;
    fwd_set_t  *set;

    if (fwd_reload_status(s, s->next.metrics) != FWD_OK
        || fwd_set_create(&set, &s->next, s->next_sha, s->poison) != FWD_OK)
    {
        fwd_reload_refuse(s, "cannot be used, see above", 25);
        fwd_config_free(&s->next);

        if (s->set == NULL) {
            s->failed = 1;
            s->stopping = 1;
        }

        return;
    }

    s->old = s->set;
    s->set = set;
    fwd_keeper_follow(&s->keeper, &set->conf);

    if (s->old != NULL) {
        s->reloaded = 1;
        fwd_set_successor(set, 1);
        fwd_set_stop(s->old, SIGUSR2, s->now_ms + FWD_LOOP_PATIENCE_MS
                                      + FWD_SUPERVISOR_GRACE_MS);
    }

    s->reload_ok = 1;
    s->reload_ms = fwd_wall_ms();
    fwd_reload_log(s);

    fwd_log_flush(s->log);

    for (i = 0; i < set->count; i++) {
        (void) fwd_child_start(&set->children[i],
                               s->reloaded ? NULL : s->fail_at, s->now_ms);
    }
}


static void
fwd_reload_log(const fwd_supervisor_t *s)
{
    martech_str_t     sha;
    const fwd_set_t  *set;

    set = s->set;
    sha.data = (const unsigned char *) set->sha;
    sha.len = strnlen(set->sha, FWD_RELOAD_SHA_LEN);

    fwd_log_set_level(s->log, (fwd_log_level_t) set->conf.log_level);
    fwd_log(s->log, FWD_LOG_INFO, "configuration loaded",
            fwd_kv_str("config", sha),
            fwd_kv_int("destinations", set->conf.dests_count),
            fwd_kv_int("loops", set->count));

    if (!s->reloaded) {
        fwd_log(s->log, FWD_LOG_INFO, "started",
                fwd_kv_text("version", MARTECH_VERSION),
                fwd_kv_text("owner", set->conf.owner),
                fwd_kv_int("shards", set->conf.shards),
                fwd_kv_int("destinations", set->conf.dests_count),
                fwd_kv_int("loops", set->count),
                fwd_kv_int("pid", getpid()));
    }
}


/* A reload keeps the old address if the new one cannot be had. */

static fwd_rc_t
fwd_reload_status(fwd_supervisor_t *s, const char *address)
{
    fwd_error_t    err;
    fwd_status_t  *status;

    if (address == NULL) {
        fwd_status_destroy(s->status);
        s->status = NULL;
        return FWD_OK;
    }

    if (s->status != NULL
        && strcmp(fwd_status_address(s->status), address) == 0)
    {
        return FWD_OK;
    }

    if (fwd_status_create(&status, address, fwd_health_page, s, &err)
        != FWD_OK)
    {
        fwd_log(s->log, FWD_LOG_ERROR, "cannot listen for the status server",
                fwd_kv_text("address", address),
                fwd_kv_text("reason", err.text),
                fwd_kv_text("instead", s->status == NULL ? ""
                                       : fwd_status_address(s->status)));

        return s->set == NULL ? FWD_ERROR : FWD_OK;
    }

    fwd_status_destroy(s->status);
    s->status = status;

    return FWD_OK;
}


void
fwd_reload_old_ended(fwd_supervisor_t *s)
{
    fwd_totals_keep(&s->totals, s->old);
    fwd_set_free(s->old);
    s->old = NULL;

    fwd_set_successor(s->set, 0);
}
