
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The tables of "top".
 */


#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fwd_cli_top.h"


#define FWD_TOP_LINE_MAX  1024


static void fwd_top_add(fwd_buf_t *out, const char *fmt, ...)
    FWD_PRINTF(2, 3);
static void fwd_top_draw_loops(const fwd_top_t *top, fwd_buf_t *out);
static void fwd_top_draw_dest(const fwd_top_t *top, size_t i, int width,
    fwd_buf_t *out);
static void fwd_top_draw_ages(const fwd_top_t *top, int width,
    fwd_buf_t *out);
static int fwd_top_wanted(const fwd_top_t *top, size_t i);
static const char *fwd_top_breaker(char *out, size_t size,
    const fwd_top_dest_t *dest);
static const char *fwd_top_rate(char *out, size_t size, double rate);
static int fwd_top_alive(const fwd_top_t *top, const fwd_top_loop_t *loop);
static json_t *fwd_top_json_dest(const fwd_top_t *top, size_t i);


void
fwd_top_draw(const fwd_top_t *top, fwd_buf_t *out)
{
    int     width;
    char    stamp[FWD_CLI_TIME_MAX];
    size_t  i;

    fwd_top_add(out, "%s UTC   %" PRIu64 " shards, %" PRIu64
                " without an owner\n\n", fwd_cli_stamp(stamp, top->now_ms),
                top->cli->conf.shards, top->free_shards);

    fwd_top_draw_loops(top, out);

    width = fwd_cli_names_width(&top->names);

    fwd_top_add(out, "%-*s %9s %8s %7s %8s %8s %7s %-13s %8s %8s  %s\n",
                width, "DESTINATION", "WAITING", "RETRY", "OLDEST", "IN/S",
                "DONE/S", "DEAD", "BREAKER", "P99 MS", "INFLIGHT", "STATE");

    for (i = 0; i < top->names.count; i++) {
        if (fwd_top_wanted(top, i)) {
            fwd_top_draw_dest(top, i, width, out);
        }
    }

    if (top->quarantine != 0) {
        fwd_top_add(out, "\nquarantine: %" PRIu64 " events, oldest %s\n",
                    top->quarantine, fwd_cli_age(stamp,
                                                 fwd_top_quarantine(top)));
    }

    if (top->cli->o.ages) {
        fwd_top_draw_ages(top, width, out);
    }
}


uint64_t
fwd_top_quarantine(const fwd_top_t *top)
{
    return (top->quarantine_ms != 0 && top->now_ms > top->quarantine_ms)
           ? top->now_ms - top->quarantine_ms : 0;
}


static void
fwd_top_add(fwd_buf_t *out, const char *fmt, ...)
{
    int      n;
    char     line[FWD_TOP_LINE_MAX];
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);

    if (n > 0) {
        fwd_buf_add_string(out, line);
    }
}


static void
fwd_top_draw_loops(const fwd_top_t *top, fwd_buf_t *out)
{
    uint32_t               i;
    const fwd_top_loop_t  *loop;

    if (top->loops_count == 0) {
        fwd_top_add(out, "no loop is there\n\n");
        return;
    }

    fwd_top_add(out, "%-40s %7s  %s\n", "LOOP", "SHARDS", "STATE");

    for (i = 0; i < top->loops_count; i++) {
        loop = &top->loops[i];
        fwd_top_add(out, "%-40s %7" PRIu64 "  %s\n", loop->name,
                    loop->shards, fwd_top_alive(top, loop) ? "alive"
                                                           : "gone");
    }

    fwd_top_add(out, "\n");
}


/* One that gives no heart-beat has at least a lease, or we had no name. */

static int
fwd_top_alive(const fwd_top_t *top, const fwd_top_loop_t *loop)
{
    return loop->until_ms == 0 || loop->until_ms > top->now_ms;
}


static void
fwd_top_draw_dest(const fwd_top_t *top, size_t i, int width, fwd_buf_t *out)
{
    char                   age[FWD_CLI_TIME_MAX], in[16], done[16], p99[16];
    char                   breaker[48], state[FWD_CLI_STATE_MAX];
    const fwd_top_dest_t  *dest;

    dest = &top->dests[i];
    (void) strcpy(age, "-");
    (void) strcpy(p99, "-");

    if (dest->depth.oldest_ms != 0) {
        (void) fwd_cli_age(age, top->now_ms > dest->depth.oldest_ms
                                ? top->now_ms - dest->depth.oldest_ms : 0);
    }

    if (dest->p99_ms > 0) {
        (void) snprintf(p99, sizeof(p99), "%.1f", dest->p99_ms);
    }

    fwd_top_add(out, "%-*s %9" PRIu64 " %8" PRIu64 " %7s %8s %8s %7" PRIu64
                " %-13s %8s %8" PRIu64 "  %s\n", width, top->names.list[i],
                dest->depth.q + dest->depth.hi, dest->depth.retry, age,
                fwd_top_rate(in, sizeof(in), dest->in_rate),
                fwd_top_rate(done, sizeof(done), dest->done_rate),
                dest->depth.dead,
                fwd_top_breaker(breaker, sizeof(breaker), dest), p99,
                dest->inflight,
                fwd_cli_state_text(state, top->cli, top->names.list[i],
                                   &dest->state, top->now_ms));
}


static const char *
fwd_top_rate(char *out, size_t size, double rate)
{
    (void) snprintf(out, size, rate < 0 ? "-" : "%.*f", rate < 10 ? 1 : 0,
                    rate);

    return out;
}


/* "closed", or the other state and in how many of the loops. */

static const char *
fwd_top_breaker(char *out, size_t size, const fwd_top_dest_t *dest)
{
    if (dest->loops == 0) {
        (void) snprintf(out, size, "-");

    } else if (dest->closed == dest->loops) {
        (void) snprintf(out, size, "closed");

    } else {
        (void) snprintf(out, size, "%s %" PRIu32 "/%" PRIu32, dest->breaker,
                        dest->loops - dest->closed, dest->loops);
    }

    return out;
}


static void
fwd_top_draw_ages(const fwd_top_t *top, int width, fwd_buf_t *out)
{
    size_t  i, n;

    fwd_top_add(out, "\n%-*s", width, "YOUNGER THAN");

    for (n = 0; n < FWD_TOP_AGES; n++) {
        fwd_top_add(out, " %9s", fwd_top_age_names[n]);
    }

    fwd_top_add(out, "\n");

    for (i = 0; i < top->names.count; i++) {

        if (!fwd_top_wanted(top, i)) {
            continue;
        }

        fwd_top_add(out, "%-*s", width, top->names.list[i]);

        for (n = 0; n < FWD_TOP_AGES; n++) {
            fwd_top_add(out, " %9" PRIu64, top->dests[i].ages[n]);
        }

        fwd_top_add(out, "\n");
    }
}


static int
fwd_top_wanted(const fwd_top_t *top, size_t i)
{
    return top->cli->o.destination == NULL
           || strcmp(top->cli->o.destination, top->names.list[i]) == 0;
}


json_t *
fwd_top_json(const fwd_top_t *top)
{
    size_t                 i;
    json_t                *loops, *dests;
    const fwd_top_loop_t  *loop;

    loops = json_array();
    dests = json_array();

    for (i = 0; i < top->loops_count; i++) {
        loop = &top->loops[i];
        json_array_append_new(loops,
            json_pack("{s:s,s:I,s:b}", "name", loop->name, "shards",
                      (json_int_t) loop->shards, "alive",
                      fwd_top_alive(top, loop)));
    }

    for (i = 0; i < top->names.count; i++) {
        if (fwd_top_wanted(top, i)) {
            json_array_append_new(dests, fwd_top_json_dest(top, i));
        }
    }

    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "at",
                     (json_int_t) top->now_ms, "shards",
                     (json_int_t) top->cli->conf.shards, "without_owner",
                     (json_int_t) top->free_shards, "quarantine",
                     (json_int_t) top->quarantine, "quarantine_oldest_ms",
                     (json_int_t) fwd_top_quarantine(top), "loops", loops,
                     "destinations", dests);
}


static json_t *
fwd_top_json_dest(const fwd_top_t *top, size_t i)
{
    char                   breaker[48], state[FWD_CLI_STATE_MAX];
    size_t                 n;
    json_t                *row, *ages;
    const fwd_top_dest_t  *dest;

    dest = &top->dests[i];

    row = json_pack("{s:s,s:I,s:I,s:I,s:I,s:f,s:f,s:s,s:I,s:f,s:s}",
                    "destination", top->names.list[i], "waiting",
                    (json_int_t) (dest->depth.q + dest->depth.hi), "retry",
                    (json_int_t) dest->depth.retry, "dead",
                    (json_int_t) dest->depth.dead, "oldest_ms",
                    (json_int_t) (dest->depth.oldest_ms != 0
                                  && top->now_ms > dest->depth.oldest_ms
                                  ? top->now_ms - dest->depth.oldest_ms : 0),
                    "in_per_s", dest->in_rate < 0 ? 0 : dest->in_rate,
                    "done_per_s", dest->done_rate < 0 ? 0 : dest->done_rate,
                    "breaker", fwd_top_breaker(breaker, sizeof(breaker),
                                               dest),
                    "inflight", (json_int_t) dest->inflight, "p99_ms",
                    dest->p99_ms, "state",
                    fwd_cli_state_text(state, top->cli, top->names.list[i],
                                       &dest->state, top->now_ms));

    if (top->cli->o.ages) {
        ages = json_object();

        for (n = 0; n < FWD_TOP_AGES; n++) {
            json_object_set_new(ages, fwd_top_age_names[n],
                                json_integer((json_int_t) dest->ages[n]));
        }

        json_object_set_new(row, "ages", ages);
    }

    return row;
}
