
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A quarantined event held against a plan again, and the form in which it
 * goes on.
 */


#ifndef _FWD_QUARANTINE_MOVE_H_INCLUDED_
#define _FWD_QUARANTINE_MOVE_H_INCLUDED_


#include "fwd_buf.h"
#include "fwd_quarantine.h"

#include "../martech/martech_plan.h"


/* What is used again for each event. */
typedef struct {
    const martech_plan_t *plan;          /* NULL: everything passes */
    martech_plan_work_t   work;
    martech_plan_verdict_t  verdict;
    martech_event_t       event;
    martech_batch_t       batch;
    martech_facts_t       facts;
    martech_json_tape_t   tape;          /* of text */
    fwd_buf_t             text;          /* the event as it is checked */
    fwd_buf_t             out;           /* as it goes on */
    char                  written[MARTECH_PLAN_TEXT_MAX];
    unsigned              any:1;         /* events of other plans, too */
} fwd_quarantine_move_t;


/* NULL if out of memory. */
fwd_quarantine_move_t *fwd_quarantine_move_create(
    const martech_plan_t *plan);
void fwd_quarantine_move_destroy(fwd_quarantine_move_t *m);

/*
 * NULL if an event passes; else why not: a rule of the plan, "unreadable", or
 * "another_plan", by whose name it was put aside.  m->verdict is set if there
 * is a plan and the event was held against it, else it has no violations.
 */
const char *fwd_quarantine_check(fwd_quarantine_move_t *m,
    const fwd_quarantined_t *item);

/*
 * The event that passed, as it goes into "in", with what the plan says of it
 * now; len is its length.  NULL if out of memory.
 */
const char *fwd_quarantine_form(fwd_quarantine_move_t *m,
    const fwd_quarantined_t *item, size_t *len);


#endif /* _FWD_QUARANTINE_MOVE_H_INCLUDED_ */
