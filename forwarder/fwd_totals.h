
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Sums over all loops, also those that are gone: a counter never goes back,
 * whatever is reloaded.  Destinations are matched by name.
 */


#ifndef _FWD_TOTALS_H_INCLUDED_
#define _FWD_TOTALS_H_INCLUDED_


#include "fwd_child.h"
#include "fwd_metrics.h"


/* What loops have left that are gone. */
typedef struct {
    fwd_loop_sums_t       sum;
    fwd_metrics_dest_t   *dests;         /* names are ours */
    size_t                dests_count;
} fwd_totals_t;


/* All processes of the set are dead and its memory is about to go. */
void fwd_totals_keep(fwd_totals_t *totals, const fwd_set_t *set);

/*
 * The numbers of a destination of a set: what was kept, and what the loops
 * of the set and of an older one (or NULL) count now.
 */
void fwd_totals_dest(fwd_dest_stats_t *sum, const fwd_totals_t *totals,
    const fwd_set_t *set, const fwd_set_t *old, const char *name);

/* Likewise those of the loops. */
void fwd_totals_loops(fwd_loop_sums_t *sum, const fwd_totals_t *totals,
    const fwd_set_t *set, const fwd_set_t *old);

void fwd_totals_free(fwd_totals_t *totals);


#endif /* _FWD_TOTALS_H_INCLUDED_ */
