
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The judging of events: bad, addressed to one destination, seen before, and
 * for each destination what its rules say.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_dest.h"
#include "fwd_route.h"
#include "fwd_watch.h"


#define FWD_ROUTE_TABLE  (2 * FWD_ROUTE_MAX)  /* of fingerprints of a step */


static int fwd_route_source(martech_str_t *names, uint32_t *count,
    martech_str_t name);
static fwd_route_kind_t fwd_route_kind(fwd_route_step_t *step,
    const fwd_event_t *ev, uint64_t *table);
static int fwd_route_seen(fwd_route_step_t *step, const fwd_event_t *ev,
    uint64_t *table);
static fwd_wanted_answer_t fwd_route_ask(const fwd_route_step_t *step,
    const fwd_dest_t *dest, fwd_candidate_t *c);
static void fwd_route_judge(fwd_route_step_t *step, uint32_t n,
    const fwd_event_t *ev, uint64_t now);
static void fwd_route_count_verdict(fwd_route_step_t *step, uint32_t dest,
    uint8_t verdict);


uint32_t
fwd_route_count(const fwd_shard_t *shard, uint64_t *bucket)
{
    uint32_t            i, sources_count;
    const fwd_event_t  *ev;
    martech_str_t       sources[FWD_ROUTE_SOURCES];

    sources_count = 0;

    for (i = 0; i < shard->unrouted_count && i < FWD_ROUTE_MAX; i++) {
        ev = fwd_shard_unrouted(shard, i);

        if (i == 0) {
            *bucket = fwd_seen_number(&shard->seen, ev->id.ms);

        } else if (fwd_seen_number(&shard->seen, ev->id.ms) != *bucket) {
            break;
        }

        if (ev->bad == NULL
            && fwd_route_source(sources, &sources_count, ev->source) < 0)
        {
            break;
        }
    }

    return i;
}


/* The index of a name, which is added; -1: there are too many. */

static int
fwd_route_source(martech_str_t *names, uint32_t *count, martech_str_t name)
{
    uint32_t  i;

    for (i = *count; i-- > 0; ) {
        if (names[i].len == name.len
            && memcmp(names[i].data, name.data, name.len) == 0)
        {
            return (int) i;
        }
    }

    if (*count == FWD_ROUTE_SOURCES) {
        return -1;
    }

    names[*count] = name;

    return (int) (*count)++;
}


fwd_route_step_t *
fwd_route_step_create(fwd_shard_t *shard, uint32_t count, uint64_t bucket)
{
    size_t              size;
    uint32_t            i, dests_count;
    uint64_t            now, table[FWD_ROUTE_TABLE];
    fwd_event_t        *ev;
    fwd_route_step_t   *step;

    dests_count = shard->engine->dests_count;
    size = sizeof(fwd_route_step_t) + 4 * dests_count * sizeof(uint32_t)
           + (size_t) dests_count * FWD_ROUTE_MAX;

    step = malloc(size);
    if (step == NULL) {
        return NULL;
    }

    memset(step, 0, offsetof(fwd_route_step_t, kinds));

    step->shard = shard;
    step->count = count;
    step->dests_count = dests_count;
    step->bucket = bucket;
    step->queues = (uint32_t *) (step + 1);
    step->queue_events = step->queues + 2 * dests_count;
    step->verdicts = (uint8_t *) (step->queue_events + 2 * dests_count);

    memset(step->queue_events, 0, 2 * dests_count * sizeof(uint32_t));
    memset(table, 0, sizeof(table));

    now = fwd_wall_ms();

    for (i = 0; i < count; i++) {
        ev = fwd_shard_unrouted(shard, i);

        step->kinds[i] = (uint8_t) fwd_route_kind(step, ev, table);
        step->sources[i] = (step->kinds[i] == FWD_ROUTE_BAD) ? 0
                           : (uint8_t) fwd_route_source(step->source_names,
                                                        &step->sources_count,
                                                        ev->source);
        fwd_route_judge(step, i, ev, now);
    }

    return step;
}


void
fwd_route_step_free(fwd_route_step_t *step)
{
    free(step);
}


static fwd_route_kind_t
fwd_route_kind(fwd_route_step_t *step, const fwd_event_t *ev, uint64_t *table)
{
    if (ev->bad != NULL) {
        return FWD_ROUTE_BAD;
    }

    if (ev->to.len != 0) {
        return FWD_ROUTE_TO;
    }

    if (step->shard->seen.width_ms != 0 && fwd_route_seen(step, ev, table)) {
        step->duplicates++;
        return FWD_ROUTE_DUPLICATE;
    }

    return FWD_ROUTE_GOOD;
}


/* 1 if a copy was routed, or stands before it in this step. */

static int
fwd_route_seen(fwd_route_step_t *step, const fwd_event_t *ev, uint64_t *table)
{
    uint32_t  i;
    uint64_t  print;

    print = fwd_seen_print(ev->message_id);

    if (fwd_seen_has(&step->shard->seen, step->bucket, print)) {
        return 1;
    }

    for (i = print % FWD_ROUTE_TABLE; table[i] != 0;
         i = (i + 1) % FWD_ROUTE_TABLE)
    {
        if (table[i] == print) {
            return 1;
        }
    }

    table[i] = print;

    fwd_seen_write(step->prints + step->prints_len, print);
    step->prints_len += FWD_SEEN_BYTES;

    return 0;
}


/*
 * A program that did not return is not given the same event again; and none
 * at all, if it does so with one event after the other.
 */

static fwd_wanted_answer_t
fwd_route_ask(const fwd_route_step_t *step, const fwd_dest_t *dest,
    fwd_candidate_t *c)
{
    fwd_loop_stats_t     *stats;
    const fwd_event_t    *ev;
    fwd_wanted_answer_t   answer;

    if (dest->wanted == NULL) {
        return FWD_WANTED_YES;
    }

    if (dest->conf->wanted.when == NULL) {
        return fwd_wanted(dest->wanted, c);
    }

    ev = c->event;
    stats = step->shard->engine->stats;

    if (fwd_watch_hung(dest->stats, FWD_PROGRAM_WHEN)
        || fwd_poison_has(stats->poison, dest->conf->name,
                          step->shard->index, ev->id))
    {
        return FWD_WANTED_WHEN_ERROR;
    }

    fwd_watch_enter(stats, FWD_PROGRAM_WHEN, dest->index, step->shard->index,
                    ev->id, ev->message_id);
    answer = fwd_wanted(dest->wanted, c);
    fwd_watch_leave(stats);

    return answer;
}


static void
fwd_route_judge(fwd_route_step_t *step, uint32_t n, const fwd_event_t *ev,
    uint64_t now)
{
    uint8_t               verdict;
    uint32_t              d;
    const char           *name;
    fwd_dest_t           *dest;
    fwd_candidate_t      *c;
    fwd_wanted_answer_t   answer;

    c = &step->shard->engine->candidate;
    fwd_candidate_set(c, ev, now);

    for (d = 0; d < step->dests_count; d++) {
        dest = &step->shard->engine->dests[d];
        verdict = FWD_VERDICT_NONE;

        if (step->kinds[n] == FWD_ROUTE_GOOD) {
            answer = fwd_route_ask(step, dest, c);

            if (answer != FWD_WANTED_YES) {
                verdict = (uint8_t) (FWD_VERDICT_REFUSED + answer);

            } else {
                verdict = (dest->order == NULL
                           && fwd_wanted_high(dest->wanted, c))
                          ? FWD_VERDICT_HIGH : FWD_VERDICT_NORMAL;
            }

        } else if (step->kinds[n] == FWD_ROUTE_TO) {
            name = dest->conf->name;

            if (strlen(name) == ev->to.len
                && memcmp(name, ev->to.data, ev->to.len) == 0)
            {
                verdict = FWD_VERDICT_NORMAL;
            }
        }

        fwd_route_verdicts(step, d)[n] = verdict;
        fwd_route_count_verdict(step, d, verdict);
    }
}


static void
fwd_route_count_verdict(fwd_route_step_t *step, uint32_t dest,
    uint8_t verdict)
{
    if (verdict == FWD_VERDICT_NORMAL) {
        step->queue_events[dest]++;

    } else if (verdict == FWD_VERDICT_HIGH) {
        step->queue_events[step->dests_count + dest]++;

    } else if (verdict >= FWD_VERDICT_REFUSED) {
        step->refused++;
    }
}
