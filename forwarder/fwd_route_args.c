
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A route step as a script call.
 *
 * What the ledger gains is added up here, because the script either does all
 * of the step or none of it: it only has to write the sums.
 */


#include <stdio.h>
#include <string.h>

#include "fwd_dest.h"
#include "fwd_identity.h"
#include "fwd_remember.h"
#include "fwd_route.h"
#include "fwd_steady.h"


/* Counters of one kind: by source, with the digest. */
typedef struct {
    uint64_t              events[FWD_ROUTE_SOURCES];
    uint64_t              digest[FWD_ROUTE_SOURCES];
} fwd_route_sum_t;


static void fwd_route_args_keys(fwd_route_step_t *step, fwd_args_t *args);
static void fwd_route_args_bad(const fwd_route_step_t *step,
    fwd_args_t *args);
static void fwd_route_args_links(const fwd_route_step_t *step,
    fwd_args_t *args);
static void fwd_route_args_queues(const fwd_route_step_t *step,
    fwd_args_t *args);
static void fwd_route_args_entries(const fwd_route_step_t *step,
    fwd_args_t *args);
static void fwd_route_args_dest(const fwd_route_step_t *step,
    fwd_args_t *args, uint32_t dest);
static void fwd_route_add(fwd_route_sum_t *sum, const fwd_route_step_t *step,
    uint32_t n);
static void fwd_route_args_sum(const fwd_route_step_t *step, fwd_args_t *args,
    const fwd_route_sum_t *sum, const char *what, const char *dest,
    int digest);
static void fwd_route_args_field(const fwd_route_step_t *step,
    fwd_args_t *args, uint32_t source, const char *what, const char *mark,
    const char *dest);


void
fwd_route_step_args(fwd_route_step_t *step, fwd_args_t *args)
{
    uint32_t      i;
    fwd_shard_t  *shard;

    shard = step->shard;

    fwd_route_args_keys(step, args);

    fwd_args_number(args, shard->epoch);
    fwd_args_text(args, FWD_GROUP);
    fwd_args_number(args, fwd_steady_ms());
    fwd_args_number(args, step->count);

    for (i = 0; i < step->count; i++) {
        fwd_args_id(args, fwd_shard_unrouted(shard, i)->id);
    }

    fwd_route_args_bad(step, args);
    fwd_route_args_links(step, args);

    fwd_args_add(args, step->prints, step->prints_len);
    fwd_args_number(args, fwd_remember_ttl(shard));

    fwd_route_args_queues(step, args);
    fwd_route_args_entries(step, args);

    for (i = 0; i < step->dests_count; i++) {
        fwd_route_args_dest(step, args, i);
    }
}


/* Queues that get nothing are not named. */

static void
fwd_route_args_keys(fwd_route_step_t *step, fwd_args_t *args)
{
    char          seen[FWD_REMEMBER_KEY_MAX];
    size_t        len;
    uint32_t      i;
    fwd_queue_t  *queue;
    fwd_shard_t  *shard;

    shard = step->shard;
    step->queues_count = 0;

    for (i = 0; i < 2 * step->dests_count; i++) {
        if (step->queue_events[i] != 0) {
            step->queues[step->queues_count++] = i;
        }
    }

    len = fwd_remember_key(seen, shard, step->bucket);

    if (!fwd_seen_room(&shard->seen, step->bucket)) {
        step->prints_len = 0;
    }

    fwd_args_script(args, FWD_SCRIPT_ROUTE, 6 + 2 * step->queues_count);
    fwd_args_add(args, shard->owner.data, shard->owner.len);
    fwd_args_add(args, shard->ledger.data, shard->ledger.len);
    fwd_args_add(args, shard->in.data, shard->in.len);
    fwd_args_add(args, shard->entry_dead.data, shard->entry_dead.len);
    fwd_args_add(args, shard->link.data, shard->link.len);
    fwd_args_copy(args, seen, len);

    for (i = 0; i < step->queues_count; i++) {
        queue = &shard->queues[step->queues[i]];

        fwd_args_add(args, queue->q.data, queue->q.len);
        fwd_args_add(args, queue->retry.data, queue->retry.len);
    }
}


static void
fwd_route_args_bad(const fwd_route_step_t *step, fwd_args_t *args)
{
    uint32_t            i, count;
    const fwd_event_t  *ev;

    count = 0;

    for (i = 0; i < step->count; i++) {
        count += (step->kinds[i] == FWD_ROUTE_BAD);
    }

    fwd_args_number(args, count);

    for (i = 0; i < step->count; i++) {

        if (step->kinds[i] != FWD_ROUTE_BAD) {
            continue;
        }

        ev = fwd_shard_unrouted(step->shard, i);

        fwd_args_id(args, ev->id);
        fwd_args_add(args, ev->message_id.data, ev->message_id.len);
        fwd_args_add(args, ev->source.data, ev->source.len);
        fwd_args_add(args, ev->text.data, ev->text.len);
        fwd_args_text(args, ev->bad);
    }
}


static void
fwd_route_args_links(const fwd_route_step_t *step, fwd_args_t *args)
{
    uint32_t            i, n;
    martech_str_t       device, user;
    unsigned char       device_buf[FWD_EVENT_PART_MAX];
    unsigned char       user_buf[FWD_EVENT_PART_MAX];
    const fwd_event_t  *links[FWD_ROUTE_MAX];

    n = 0;

    for (i = 0; i < step->count; i++) {
        links[n] = fwd_shard_unrouted(step->shard, i);

        n += (step->kinds[i] == FWD_ROUTE_GOOD
              && fwd_identity_link(links[n], &device, &user, device_buf,
                                   user_buf));
    }

    fwd_args_number(args, n);

    for (i = 0; i < n; i++) {
        (void) fwd_identity_link(links[i], &device, &user, device_buf,
                                 user_buf);
        fwd_args_copy(args, device.data, device.len);
        fwd_args_copy(args, user.data, user.len);
    }
}


static void
fwd_route_args_queues(const fwd_route_step_t *step, fwd_args_t *args)
{
    uint8_t         wanted;
    uint32_t        i, k, queue;
    const uint8_t  *verdicts;

    for (k = 0; k < step->queues_count; k++) {
        queue = step->queues[k];

        if (step->queue_events[queue] == step->count) {
            fwd_args_text(args, "*");
            continue;
        }

        wanted = (queue < step->dests_count) ? FWD_VERDICT_NORMAL
                                             : FWD_VERDICT_HIGH;
        verdicts = fwd_route_verdicts(step, queue % step->dests_count);

        fwd_args_number(args, step->queue_events[queue]);

        for (i = 0; i < step->count; i++) {
            if (verdicts[i] == wanted) {
                fwd_args_number(args, i + 1);
            }
        }
    }
}


/* "in", "duplicate" and "bad". */

static void
fwd_route_args_entries(const fwd_route_step_t *step, fwd_args_t *args)
{
    uint32_t         i, bad;
    fwd_route_sum_t  in, duplicate;

    memset(&in, 0, sizeof(in));
    memset(&duplicate, 0, sizeof(duplicate));
    bad = 0;

    for (i = 0; i < step->count; i++) {

        switch (step->kinds[i]) {

        case FWD_ROUTE_BAD:
            bad++;
            break;

        case FWD_ROUTE_DUPLICATE:
            fwd_route_add(&duplicate, step, i);
            fwd_route_add(&in, step, i);
            break;

        case FWD_ROUTE_GOOD:
            fwd_route_add(&in, step, i);
            break;

        default:
            break;
        }
    }

    if (bad != 0) {
        fwd_args_text(args, "bad");
        fwd_args_number(args, bad);
    }

    fwd_route_args_sum(step, args, &in, "in", NULL, 1);
    fwd_route_args_sum(step, args, &duplicate, "duplicate", NULL, 0);
}


static void
fwd_route_args_dest(const fwd_route_step_t *step, fwd_args_t *args,
    uint32_t dest)
{
    uint32_t          i, s;
    uint64_t          refused[FWD_WANTED_COUNT][FWD_ROUTE_SOURCES];
    const char       *name;
    const uint8_t    *verdicts;
    fwd_route_sum_t   routed, in_to;

    memset(&routed, 0, sizeof(routed));
    memset(&in_to, 0, sizeof(in_to));
    memset(refused, 0, sizeof(refused));

    name = step->shard->engine->dests[dest].conf->name;
    verdicts = fwd_route_verdicts(step, dest);

    for (i = 0; i < step->count; i++) {

        if (verdicts[i] >= FWD_VERDICT_REFUSED) {
            refused[verdicts[i] - FWD_VERDICT_REFUSED][step->sources[i]]++;

        } else if (verdicts[i] != FWD_VERDICT_NONE) {
            fwd_route_add(&routed, step, i);

            if (step->kinds[i] == FWD_ROUTE_TO) {
                fwd_route_add(&in_to, step, i);
            }
        }
    }

    fwd_route_args_sum(step, args, &routed, "routed", name, 1);
    fwd_route_args_sum(step, args, &in_to, "in_to", name, 1);

    if (step->refused == 0) {
        return;
    }

    for (i = 0; i < FWD_WANTED_COUNT; i++) {

        for (s = 0; s < step->sources_count; s++) {

            if (refused[i][s] != 0) {
                char  what[FWD_NAME_MAX * 2];

                (void) snprintf(what, sizeof(what), "%s:%s", name,
                                fwd_wanted_name((fwd_wanted_answer_t) i));
                fwd_route_args_field(step, args, s, "refused", "", what);
                fwd_args_number(args, refused[i][s]);
            }
        }
    }
}


static void
fwd_route_add(fwd_route_sum_t *sum, const fwd_route_step_t *step, uint32_t n)
{
    uint8_t  source;

    source = step->sources[n];

    sum->events[source]++;
    sum->digest[source] += fwd_id_digest(
                                     fwd_shard_unrouted(step->shard, n)->id);
}


static void
fwd_route_args_sum(const fwd_route_step_t *step, fwd_args_t *args,
    const fwd_route_sum_t *sum, const char *what, const char *dest,
    int digest)
{
    uint32_t  s;

    for (s = 0; s < step->sources_count; s++) {

        if (sum->events[s] == 0) {
            continue;
        }

        fwd_route_args_field(step, args, s, what, "", dest);
        fwd_args_number(args, sum->events[s]);

        if (digest) {
            fwd_route_args_field(step, args, s, what, "~", dest);
            fwd_args_number(args, sum->digest[s]);
        }
    }
}


/* "what:dest:source" */

static void
fwd_route_args_field(const fwd_route_step_t *step, fwd_args_t *args,
    uint32_t source, const char *what, const char *mark, const char *dest)
{
    int            n;
    char           text[256];
    martech_str_t  name;

    name = step->source_names[source];

    n = snprintf(text, sizeof(text), "%s%s%s%s:%.*s", what, mark,
                 dest ? ":" : "", dest ? dest : "", (int) name.len,
                 (const char *) name.data);

    fwd_args_copy(args, text, (size_t) n);
}
