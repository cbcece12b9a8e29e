
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Whether a destination may send now: breaker, concurrency, rate limits,
 * Retry-After, and the operator's pause.  Limits of ours never use up
 * attempts of an event.
 */


#ifndef _FWD_GATE_H_INCLUDED_
#define _FWD_GATE_H_INCLUDED_


#include "fwd.h"
#include "fwd_aimd.h"
#include "fwd_batch.h"
#include "fwd_breaker.h"
#include "fwd_limit.h"


#define FWD_GATE_SECONDS    10           /* of the retry budget */
#define FWD_GATE_LATENCIES  48           /* buckets, two an octave */
#define FWD_GATE_JSON_MAX   320


typedef enum {
    FWD_GATE_CLOSED = 0,          /* the breaker is closed: all is well */
    FWD_GATE_THROTTLED,           /* the vendor asked to wait */
    FWD_GATE_HALF_OPEN,           /* one probe at a time */
    FWD_GATE_OPEN,                /* nothing is sent */
    FWD_GATE_CREDENTIALS,         /* they were refused: parked */
    FWD_GATE_PAUSED,              /* by an operator */
    FWD_GATE_STATES
} fwd_gate_state_t;


/* Why a destination is parked; the words are those of its state in Redis. */
typedef enum {
    FWD_PARKED_NOT = 0,
    FWD_PARKED_CREDENTIALS,       /* a probe now and then: they may change */
    FWD_PARKED_STOP               /* until an operator resumes it */
} fwd_parked_t;


/* What all loops know of a destination, docs/SPEC.md, and our copy of it. */
typedef struct {
    fwd_key_t             key;           /* state:<dest> */
    uint64_t              read_ms;       /* monotonic, when to read next */
    uint64_t              hold;          /* Unix ms to be written */
    uint32_t              writes;        /* on their way: what is read until
                                            then is older than what we know */
    unsigned              known:1;       /* was read once */
    unsigned              reading:1;
    unsigned              hold_dirty:1;  /* to be written */
    unsigned              parked_dirty:1;
} fwd_shared_t;


typedef struct {
    uint32_t              sent;          /* batches */
    uint32_t              retries;       /* of these */
} fwd_gate_second_t;


/*
 * A request of a sequence before it is sent; a member of the object that
 * sends it.
 */
typedef struct {
    fwd_link_t            link;          /* next NULL: it does not wait */
    fwd_batch_t          *batch;
    uint32_t              events;        /* that it counts for */
    void                (*done)(void *data, fwd_rc_t rc);
    void                 *data;
} fwd_gate_step_t;


typedef struct fwd_gate_s {
    fwd_dest_t           *dest;
    fwd_gate_state_t      state;         /* set by fwd_gate_update() only */
    fwd_breaker_t         breaker;
    fwd_aimd_t            aimd;
    fwd_limit_t           limit;
    fwd_key_t            *limits;        /* keys, one a rate */
    char                 *names;         /* memory of all keys */
    fwd_shared_t          shared;
    uint64_t              unknown_ms;    /* monotonic: until then the shared
                                            state is waited for */

    fwd_parked_t          parked;
    uint32_t              parked_tries;  /* probes that failed */
    uint32_t              opened_told;   /* openings that are in stats */
    uint64_t              parked_at;     /* Unix ms, the last of them */
    uint64_t              parked_ms;     /* monotonic, since when; 0: not */
    uint64_t              probe_ms;      /* monotonic, next one */
    uint64_t              hold_ms;       /* monotonic, the vendor asked */
    uint64_t              learned_ms;    /* monotonic: it did not say how
                                            long; ours alone */
    uint32_t              learned_count; /* in a row */
    uint64_t              limited_ms;    /* monotonic, waits for tokens
                                            since; 0: does not */
    fwd_link_t            steps;         /* requests that wait */
    uint32_t              sequences;     /* under way */
    uint64_t              second;        /* of the present member of ... */
    fwd_gate_second_t     seconds[FWD_GATE_SECONDS];
    uint32_t              latencies[2][FWD_GATE_LATENCIES];
    uint64_t              latencies_ms;  /* when the older half goes */
    char                  json[FWD_GATE_JSON_MAX];

    unsigned              paused:1;
    unsigned              probing:1;     /* of credentials */
} fwd_gate_t;


const char *fwd_gate_state_name(fwd_gate_state_t state);

/* Makes dest->gate, and ends it; NULL is allowed there. */
fwd_rc_t fwd_gate_create(fwd_dest_t *dest) FWD_MUST_CHECK;
void fwd_gate_destroy(fwd_dest_t *dest);

/* Called about ten times a second. */
void fwd_gate_tick(fwd_dest_t *dest);

/* May one more batch be started?  If not, *wait_ms says when to ask again. */
int fwd_gate_open(fwd_dest_t *dest, uint64_t *wait_ms);

/* Events that may be sent now; a batch is cut to it while it is filled. */
uint32_t fwd_gate_room(const fwd_dest_t *dest);

/* 1 if the next batch is a probe: an old event rather than a new one. */
int fwd_gate_probes(const fwd_dest_t *dest);

/* 1 if the share of retries allows another one while fresh events wait. */
int fwd_gate_retry_fits(const fwd_dest_t *dest);

/* Since when the breaker is not closed, or the destination is parked:
   monotonic ms; 0: neither. */
uint64_t fwd_gate_open_since_ms(const fwd_dest_t *dest);

/*
 * Takes tokens for a sealed batch.  FWD_AGAIN: there are none; the batch is
 * kept by the caller, *wait_ms is set, and the destination is woken when they
 * may be there.
 */
fwd_rc_t fwd_gate_take(fwd_dest_t *dest, fwd_batch_t *batch,
    uint64_t *wait_ms) FWD_MUST_CHECK;

/*
 * fwd_gate_step.c: takes tokens for one more request of a batch that is under
 * way: its present call.  FWD_AGAIN: it waits, and done() will be called, in
 * the order of waiting; new batches wait for it.  FWD_ERROR: the destination
 * is parked, so the batch has to end.  serve() looks who can go, cancel() is
 * of one that may wait.
 */
fwd_rc_t fwd_gate_step(fwd_dest_t *dest, fwd_gate_step_t *step)
    FWD_MUST_CHECK;
void fwd_gate_serve(fwd_dest_t *dest, uint64_t *wait_ms);
void fwd_gate_cancel(fwd_gate_step_t *step);

/*
 * Takes tokens for a request of the batch that was sent, and is sent once more
 * within the same attempt: of one request, and of all its events.  FWD_AGAIN:
 * there are none now, it must not be sent.
 */
fwd_rc_t fwd_gate_repeat(fwd_dest_t *dest, fwd_batch_t *batch) FWD_MUST_CHECK;

/* The batch has left, an outcome of it is known, and it has ended. */
void fwd_gate_sent(fwd_dest_t *dest, fwd_batch_t *batch);
void fwd_gate_judge(fwd_dest_t *dest, const fwd_batch_t *batch);
void fwd_gate_ended(fwd_dest_t *dest, const fwd_batch_t *batch);

/* fwd_gate_open.c: requests that may be under way; whether any are wanted. */
uint32_t fwd_gate_concurrency(const fwd_gate_t *gate);
int fwd_gate_wants(const fwd_dest_t *dest);

/* fwd_gate_open.c: 1 if a vendor has asked to wait. */
int fwd_gate_held(const fwd_gate_t *gate, uint64_t now, uint64_t *wait_ms);

/* fwd_gate_open.c: what some calls of a batch cost. */
void fwd_gate_cost(const fwd_gate_t *gate, const fwd_batch_t *batch,
    uint32_t first, uint32_t count, fwd_limit_ticket_t *ticket);

/* Counts the time spent waiting for tokens: it waits now, or does not. */
void fwd_gate_limited(fwd_gate_t *gate, int limited);

/* Looks at the state; a change is logged, with what has led to it. */
void fwd_gate_update(fwd_gate_t *gate, const char *reason);

/* Our copy of what all loops know has changed. */
void fwd_gate_park(fwd_gate_t *gate, fwd_parked_t parked, uint32_t tries,
    uint64_t at);
void fwd_gate_hold(fwd_gate_t *gate, uint64_t hold);


/* fwd_tokens.c: asks Redis for tokens, or only puts right what is booked. */
void fwd_tokens_ask(fwd_gate_t *gate, int correction);

/* Monotonic ms, exact: the loop's own now may be a little old. */
uint64_t fwd_tokens_now_ms(void);


#endif /* _FWD_GATE_H_INCLUDED_ */
