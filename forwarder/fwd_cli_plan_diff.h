
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What differs between two plans, and whom it breaks: senders, whose events
 * were valid and are not any more, and readers, who find other events than
 * before.
 */


#ifndef _FWD_CLI_PLAN_DIFF_H_INCLUDED_
#define _FWD_CLI_PLAN_DIFF_H_INCLUDED_


#include "fwd_cli_plan.h"


#define FWD_DIFF_NOBODY   0
#define FWD_DIFF_SENDERS  1
#define FWD_DIFF_READERS  2


typedef struct {
    fwd_plan_file_t       was;
    fwd_plan_file_t       now;
    json_t               *changes;
    const char           *section;       /* of the present entry, or NULL */
    const char           *name;
    const char           *version;       /* of the schema, or NULL */
    fwd_buf_t             pointer;       /* in an event */
    unsigned              depth;
    unsigned              quiet:1;       /* nobody relies on it: a draft, or a
                                            version that is not accepted */
    unsigned              free_was:1;    /* unplanned ones were accepted */
    unsigned              free_now:1;
    unsigned              formats_now:1; /* "format" is checked */
} fwd_plan_diff_t;


/* Notes a change at the present place. */
void fwd_plan_differ(fwd_plan_diff_t *d, unsigned breaks, const char *fmt,
    ...) FWD_PRINTF(3, 4);

/* Compares what a value may be. */
void fwd_plan_diff_schema(fwd_plan_diff_t *d, json_t *was, json_t *now);


#endif /* _FWD_CLI_PLAN_DIFF_H_INCLUDED_ */
