
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the supervisor says of itself: /metrics, /healthz, /readyz.
 */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../martech/martech_json.h"

#include "fwd_core.h"
#include "fwd_metrics.h"
#include "fwd_supervisor.h"


#define FWD_HEALTH_BEAT_MS  5000         /* a loop that is silent so long */
#define FWD_HEALTH_LOOP_MAX 1024         /* bytes of a loop's line */

#define FWD_HEALTH_OK       200
#define FWD_HEALTH_FAILED   503


static int fwd_health_metrics(const fwd_supervisor_t *s, fwd_buf_t *out);
static uint64_t fwd_health_up(const fwd_supervisor_t *s);
static int fwd_health_loops(const fwd_supervisor_t *s, fwd_buf_t *out,
    int ready);
static const char *fwd_health_alive(const fwd_supervisor_t *s,
    const fwd_child_t *child);
static const char *fwd_health_ready(const fwd_supervisor_t *s,
    const fwd_child_t *child);
static void fwd_health_loop(fwd_buf_t *out, const fwd_child_t *child,
    const char *reason);


int
fwd_health_page(void *data, const char *path, fwd_buf_t *out,
    const char **type)
{
    const fwd_supervisor_t  *s = data;

    if (strcmp(path, "/metrics") == 0) {
        *type = "text/plain; version=0.0.4; charset=utf-8";
        return fwd_health_metrics(s, out);
    }

    if (strcmp(path, "/healthz") == 0) {
        return fwd_health_loops(s, out, 0);
    }

    if (strcmp(path, "/readyz") == 0) {
        return fwd_health_loops(s, out, 1);
    }

    return 0;
}


static int
fwd_health_metrics(const fwd_supervisor_t *s, fwd_buf_t *out)
{
    size_t               i;
    fwd_metrics_t        m;
    const fwd_config_t  *conf;

    if (s->set == NULL) {
        return FWD_HEALTH_FAILED;
    }

    conf = &s->set->conf;
    memset(&m, 0, sizeof(fwd_metrics_t));

    m.version = MARTECH_VERSION;
    m.format = MARTECH_FORMAT_VERSION;
    m.config = s->set->sha;
    m.now_ms = fwd_wall_ms();
    m.loops = s->set->count;
    m.loops_up = fwd_health_up(s);
    m.loops_died = s->died_count;
    m.shards = conf->shards;
    m.reload_ok = s->reload_ok;
    m.reload_ms = s->reload_ms;
    m.dests_count = conf->dests_count;
    m.dests = calloc(m.dests_count, sizeof(fwd_metrics_dest_t));

    if (m.dests == NULL) {
        return FWD_HEALTH_FAILED;
    }

    fwd_totals_loops(&m.sum, &s->totals, s->set, s->old);

    for (i = 0; i < m.dests_count; i++) {
        m.dests[i].name = conf->dests[i].name;
        fwd_totals_dest(&m.dests[i].stats, &s->totals, s->set, s->old,
                        m.dests[i].name);
    }

    fwd_metrics_write(out, &m);
    free(m.dests);

    return FWD_HEALTH_OK;
}


/* A loop that hangs does not work, nor one that has not begun to. */

static uint64_t
fwd_health_up(const fwd_supervisor_t *s)
{
    uint32_t            i;
    uint64_t            n;
    const fwd_child_t  *child;

    n = 0;

    for (i = 0; i < s->set->count; i++) {
        child = &s->set->children[i];

        n += (child->pid != 0 && child->stats->beat_ms >= child->started_ms
              && fwd_health_alive(s, child) == NULL);
    }

    return n;
}


/* {"status":"ok","loops":[{"loop":NAME,"pid":N,"status":"ok"}, ...]} */

static int
fwd_health_loops(const fwd_supervisor_t *s, fwd_buf_t *out, int ready)
{
    int          fine;
    uint32_t     i;
    fwd_buf_t    loops;
    const char  *reason;

    fine = (s->set != NULL) && !(ready && s->stopping);

    fwd_buf_init(&loops, FWD_LOOPS_MAX * FWD_HEALTH_LOOP_MAX);
    fwd_buf_add_string(&loops, "");

    for (i = 0; s->set != NULL && i < s->set->count; i++) {

        reason = ready ? fwd_health_ready(s, &s->set->children[i])
                       : fwd_health_alive(s, &s->set->children[i]);

        if (i != 0) {
            fwd_buf_add_char(&loops, ',');
        }

        fwd_health_loop(&loops, &s->set->children[i], reason);
        fine &= (reason == NULL);
    }

    fwd_buf_add_string(out, fine ? "{\"status\":\"ok\",\"loops\":["
                            : s->stopping
                              ? "{\"status\":\"stopping\",\"loops\":["
                              : s->set == NULL
                                ? "{\"status\":\"starting\",\"loops\":["
                                : "{\"status\":\"failed\",\"loops\":[");
    fwd_buf_add(out, loops.data, loops.len);
    fwd_buf_add_string(out, "]}\n");
    fwd_buf_free(&loops);

    return fine ? FWD_HEALTH_OK : FWD_HEALTH_FAILED;
}


/* NULL, or what is wrong.  A loop that has just been started has time. */

static const char *
fwd_health_alive(const fwd_supervisor_t *s, const fwd_child_t *child)
{
    uint64_t  beat_ms;

    beat_ms = __atomic_load_n(&child->stats->beat_ms, __ATOMIC_ACQUIRE);

    if (beat_ms < child->started_ms) {
        beat_ms = child->started_ms;
    }

    if (beat_ms + FWD_HEALTH_BEAT_MS >= s->now_ms) {
        return NULL;
    }

    return child->pid == 0 ? "is not running" : "does not answer";
}


static const char *
fwd_health_ready(const fwd_supervisor_t *s, const fwd_child_t *child)
{
    const char              *reason;
    const fwd_loop_stats_t  *stats;

    reason = fwd_health_alive(s, child);
    stats = child->stats;

    /* those before it still hold the leases, and are about to end */

    if (reason != NULL || fwd_set_alive(s->old) != 0) {
        return reason;
    }

    if (child->pid == 0 || stats->beat_ms < child->started_ms) {
        return "is starting";
    }

    if (!stats->connected) {
        return "has no connection to redis";
    }

    if (stats->shards_owned == 0
        && stats->shards_held < child->set->conf.shards)
    {
        return "has no shard yet";
    }

    return NULL;
}


static void
fwd_health_loop(fwd_buf_t *out, const fwd_child_t *child, const char *reason)
{
    char                   buf[FWD_HEALTH_LOOP_MAX];
    martech_json_writer_t  w;

    martech_json_writer_init(&w, buf, sizeof(buf));
    martech_json_begin(&w, '{');
    martech_json_name(&w, "loop");
    martech_json_cstring(&w, child->owner);
    martech_json_name(&w, "pid");
    martech_json_int(&w, child->pid);
    martech_json_name(&w, "status");
    martech_json_cstring(&w, reason ? reason : "ok");
    martech_json_name(&w, "shards");
    martech_json_int(&w, (int64_t) child->stats->shards_owned);
    martech_json_end(&w, '}');

    fwd_buf_add(out, buf, (size_t) (w.pos - (unsigned char *) buf));
}
