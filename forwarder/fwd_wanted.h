
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Which events a destination wants: its rules, in a fixed order, of which
 * the first that refuses an event gives the reason.
 */


#ifndef _FWD_WANTED_H_INCLUDED_
#define _FWD_WANTED_H_INCLUDED_


#include "fwd_event.h"
#include "fwd_map.h"


/* In the order in which the rules are asked. */
typedef enum {
    FWD_WANTED_YES = 0,
    FWD_WANTED_DISABLED,
    FWD_WANTED_SOURCE,
    FWD_WANTED_NAME,
    FWD_WANTED_CONSENT,
    FWD_WANTED_ROLLOUT,
    FWD_WANTED_SUPPRESSED,
    FWD_WANTED_WHEN,
    FWD_WANTED_WHEN_ERROR,
    FWD_WANTED_COUNT
} fwd_wanted_answer_t;


/* The rules of a destination, ready to be asked. */
typedef struct fwd_wanted_s  fwd_wanted_t;


/* An event that all destinations are asked about, one after the other. */
typedef struct {
    const fwd_event_t    *event;
    uint64_t              now_ms;        /* wall clock */
    martech_str_t         name;
    fwd_map_event_t      *parsed;        /* for programs; owned */
    unsigned              name_known:1;
    unsigned char         buf[FWD_EVENT_PART_MAX];
} fwd_candidate_t;


/*
 * *wanted is NULL when there is no rule: everything is wanted.  conf lives
 * longer.  Reports what is wrong with the program or the list of persons.
 */
fwd_rc_t fwd_wanted_create(fwd_wanted_t **wanted,
    const fwd_dest_conf_t *conf, fwd_report_t *report) FWD_MUST_CHECK;
void fwd_wanted_destroy(fwd_wanted_t *wanted);

/* 1 if the rules ask for the person of an event. */
int fwd_wanted_needs_person(const fwd_wanted_conf_t *conf);

/* Zeros make a candidate; each event is set, and the last one forgotten. */
void fwd_candidate_set(fwd_candidate_t *c, const fwd_event_t *ev,
    uint64_t now_ms);
void fwd_candidate_free(fwd_candidate_t *c);

fwd_wanted_answer_t fwd_wanted(const fwd_wanted_t *wanted,
    fwd_candidate_t *c);

/* 1 if the event goes before others; wanted may be NULL. */
int fwd_wanted_high(const fwd_wanted_t *wanted, fwd_candidate_t *c);

/* The reason as it stands in the ledger. */
const char *fwd_wanted_name(fwd_wanted_answer_t answer);


#endif /* _FWD_WANTED_H_INCLUDED_ */
