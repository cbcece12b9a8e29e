
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Sums over loops.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_totals.h"


static fwd_metrics_dest_t *fwd_totals_find(const fwd_totals_t *totals,
    const char *name);
static fwd_metrics_dest_t *fwd_totals_add(fwd_totals_t *totals,
    const char *name);
static void fwd_totals_set_dest(fwd_dest_stats_t *sum, const fwd_set_t *set,
    const char *name);
static void fwd_totals_set_loops(fwd_loop_sums_t *sum, const fwd_set_t *set);


void
fwd_totals_keep(fwd_totals_t *totals, const fwd_set_t *set)
{
    size_t               i;
    const char          *name;
    fwd_metrics_dest_t  *dest;

    fwd_totals_set_loops(&totals->sum, set);

    for (i = 0; i < set->conf.dests_count; i++) {
        name = set->conf.dests[i].name;

        dest = fwd_totals_find(totals, name);

        if (dest == NULL) {
            dest = fwd_totals_add(totals, name);
        }

        if (dest != NULL) {
            fwd_totals_set_dest(&dest->stats, set, name);
        }
    }
}


static fwd_metrics_dest_t *
fwd_totals_find(const fwd_totals_t *totals, const char *name)
{
    size_t  i;

    for (i = 0; i < totals->dests_count; i++) {
        if (strcmp(totals->dests[i].name, name) == 0) {
            return &totals->dests[i];
        }
    }

    return NULL;
}


/* Out of memory the counters of a name start anew: no reason to end. */

static fwd_metrics_dest_t *
fwd_totals_add(fwd_totals_t *totals, const char *name)
{
    char                *copy;
    fwd_metrics_dest_t  *dests;

    dests = realloc(totals->dests, (totals->dests_count + 1)
                                   * sizeof(fwd_metrics_dest_t));
    if (dests == NULL) {
        return NULL;
    }

    totals->dests = dests;

    copy = strdup(name);
    if (copy == NULL) {
        return NULL;
    }

    dests += totals->dests_count++;
    memset(dests, 0, sizeof(fwd_metrics_dest_t));
    dests->name = copy;

    return dests;
}


void
fwd_totals_dest(fwd_dest_stats_t *sum, const fwd_totals_t *totals,
    const fwd_set_t *set, const fwd_set_t *old, const char *name)
{
    const fwd_metrics_dest_t  *kept;

    memset(sum, 0, sizeof(fwd_dest_stats_t));
    kept = fwd_totals_find(totals, name);

    if (kept != NULL) {
        *sum = kept->stats;
    }

    fwd_totals_set_dest(sum, set, name);
    fwd_totals_set_dest(sum, old, name);
}


void
fwd_totals_loops(fwd_loop_sums_t *sum, const fwd_totals_t *totals,
    const fwd_set_t *set, const fwd_set_t *old)
{
    *sum = totals->sum;

    fwd_totals_set_loops(sum, set);
    fwd_totals_set_loops(sum, old);
}


static void
fwd_totals_set_dest(fwd_dest_stats_t *sum, const fwd_set_t *set,
    const char *name)
{
    size_t    i;
    uint32_t  n;

    if (set == NULL) {
        return;
    }

    for (i = 0; i < set->conf.dests_count; i++) {

        if (strcmp(set->conf.dests[i].name, name) != 0) {
            continue;
        }

        for (n = 0; n < set->count; n++) {
            fwd_stats_add_dest(sum, &set->children[n].stats->dests[i]);
        }
    }
}


static void
fwd_totals_set_loops(fwd_loop_sums_t *sum, const fwd_set_t *set)
{
    uint32_t  n;

    for (n = 0; set != NULL && n < set->count; n++) {
        fwd_stats_add_loop(sum, set->children[n].stats);
    }
}


void
fwd_totals_free(fwd_totals_t *totals)
{
    size_t  i;

    for (i = 0; i < totals->dests_count; i++) {
        free((char *) totals->dests[i].name);
    }

    free(totals->dests);
    memset(totals, 0, sizeof(fwd_totals_t));
}
