
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What an answer means for the events that were sent: the classes, and the
 * table of HTTP statuses.  Pure: no I/O, no clock.
 */


#ifndef _FWD_OUTCOME_H_INCLUDED_
#define _FWD_OUTCOME_H_INCLUDED_


#include "fwd.h"


typedef enum {
    FWD_OUTCOME_DELIVERED = 0,    /* done */
    FWD_OUTCOME_RETRY,            /* again, after a wait */
    FWD_OUTCOME_THROTTLED,        /* again; the whole destination waits */
    FWD_OUTCOME_REJECTED,         /* never again: split, then dead letter */
    FWD_OUTCOME_PAUSED,           /* not the events' fault (a full disk):
                                     again as it is, no attempt is used */
    FWD_OUTCOME_MAP_ERROR,        /* the map failed: dead letter */
    FWD_OUTCOME_DROPPED,          /* the map gave no record: finished */
    FWD_OUTCOME_MISSING,          /* the event is not in Redis any more */
    FWD_OUTCOME_DUPLICATE,        /* the vendor had it already: done */
    FWD_OUTCOME_CREDENTIALS,      /* refused: the destination is parked, no
                                     attempt is used */
    FWD_OUTCOME_STOP,             /* the vendor's account or endpoint is
                                     gone: the destination is parked */
    FWD_OUTCOME_AMBIGUOUS,        /* sent, but the answer never came */
    FWD_OUTCOME_EXPIRED,          /* too old to be sent */
    FWD_OUTCOME_UNCLASSIFIED,     /* a status that nobody knows: again, a few
                                     times, then as REJECTED */
    FWD_OUTCOME_COUNT
} fwd_outcome_t;


#define FWD_RETRY_AFTER_MIN_MS  1000
#define FWD_RETRY_AFTER_MAX_MS  (3600 * 1000)
#define FWD_RETRY_DAILY_MAX_MS  (24 * 3600 * 1000)   /* of a quota of a day */


/* What is to be done again, and how, beside the outcome. */
typedef enum {
    FWD_VERDICT_PLAIN = 0,
    FWD_VERDICT_SPLIT,            /* one of its call is bad, and nobody knows
                                     which */
    FWD_VERDICT_SINGLY,           /* likewise; each alone the next time */
    FWD_VERDICT_BACK,             /* not sent, or not its fault: as it is, at
                                     once, no attempt is used */
} fwd_verdict_how_t;


/* What an answer says about one record. */
typedef struct {
    fwd_outcome_t         outcome;
    uint32_t              reason;        /* offset of the vendor's text */
    uint32_t              reason_len;    /* 0: none */
    fwd_verdict_how_t     how;           /* of the records of a call */
} fwd_verdict_t;


/* The name used in logs and dead letters; never NULL. */
const char *fwd_outcome_name(fwd_outcome_t outcome);

/* The outcome of a name; FWD_NONE if there is none of that name. */
fwd_rc_t fwd_outcome_parse(fwd_outcome_t *outcome, const char *name)
    FWD_MUST_CHECK;

/*
 * Class of a final HTTP status.  STOP stands for 404 and 410; one of them
 * alone is no reason to stop (fwd_judge.c).
 */
fwd_outcome_t fwd_outcome_http(int status);

/* 1 if the events of such an outcome are finished and well. */
int fwd_outcome_is_good(fwd_outcome_t outcome);

/*
 * Of the outcomes of two records of one event the one that counts: what has
 * to be done again outweighs what is done, and a refusal both.
 */
fwd_outcome_t fwd_outcome_worst(fwd_outcome_t one, fwd_outcome_t two);

/*
 * Reads a Retry-After value, seconds or an HTTP date, into a wait from
 * now_ms (wall clock), clamped to the limits above.  FWD_NONE if it is
 * neither; then *wait_ms is untouched.
 */
fwd_rc_t fwd_outcome_retry_after(uint64_t *wait_ms, const char *text,
    uint64_t now_ms) FWD_MUST_CHECK;


#endif /* _FWD_OUTCOME_H_INCLUDED_ */
