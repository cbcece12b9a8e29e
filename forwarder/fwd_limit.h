
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The rate limits of one destination in one loop: which tokens are at hand,
 * what is to be asked for, and what has to be put right.  Pure: time is an
 * argument, and the asking is done by fwd_tokens.c.
 *
 * All loops of all processes share a limit through Redis.  A grant is booked
 * there at the end of the time within which its tokens may reach the vendor
 * (the lease, and a margin for the way), and counts for a window from then
 * on.  So whatever reaches the vendor in a window was booked in that window
 * or later, and was counted by each later grant: the limit is never passed.
 * A request that took longer than the lease foresaw is booked anew.
 *
 * Times of Redis are Unix ms of its clock; all others are monotonic.
 */


#ifndef _FWD_LIMIT_H_INCLUDED_
#define _FWD_LIMIT_H_INCLUDED_


#include "fwd_config.h"


#define FWD_LIMIT_MOVES_MAX  32          /* corrections that wait, a rate */
#define FWD_LIMIT_RATES_MAX  8           /* of a destination */
#define FWD_LIMIT_CALLS      20          /* a second, of one destination */


/* A correction of what is booked in a slot. */
typedef struct {
    uint64_t              slot;          /* end of a slot, time of Redis */
    int64_t               count;
} fwd_limit_move_t;


/* What one delivery costs, and the grant that paid for it. */
typedef struct {
    uint64_t              units[3];      /* by fwd_rate_unit_t */
    uint64_t              own[FWD_LIMIT_RATES_MAX];  /* of rates of a single
                                            endpoint, by their place */
    uint64_t              sent_ms;       /* when it was asked for */
    uint64_t              redis_ms;      /* its time of Redis; 0: none */
    uint64_t              hold_ms;       /* booked so much later */
} fwd_limit_ticket_t;


typedef struct {
    fwd_rate_conf_t       conf;
    uint64_t              width_ms;      /* of a slot */
    uint64_t              have;          /* tokens at hand */
    uint64_t              slot;          /* where they are booked */
    uint64_t              need;          /* of a delivery that waits; 0: any */
    fwd_limit_move_t      moves[FWD_LIMIT_MOVES_MAX];
    uint32_t              moves_count;
} fwd_rate_t;


/* The adaptive factor: learns from answers that say "slower". */
typedef struct {
    double                factor;        /* 0.01 to 1 */
    uint64_t              window_ms;
    uint64_t              until_ms;      /* end of the present window */
    uint32_t              finished;      /* in it */
    uint32_t              throttled;     /* of these */
    uint32_t              clean;         /* windows without any, in a row */
    unsigned              rest:1;        /* a cut shows its effect later */
} fwd_adapt_t;


typedef struct {
    fwd_rate_t           *rates;
    uint32_t              rates_count;
    fwd_adapt_t           adapt;
    uint64_t              lease_ms;      /* shortest; from the windows */
    uint64_t              margin_ms;     /* for the way to the vendor */

    uint64_t              sent_ms;       /* when the grant was asked for */
    uint64_t              redis_ms;      /* its time of Redis; 0: no grant */
    uint64_t              hold_ms;       /* its lease and the margin */
    uint64_t              until_ms;      /* its tokens leave before */
    uint64_t              asked_ms;      /* of the call on its way */
    uint64_t              asked_lease_ms;
    uint64_t              trip_ms;       /* of the last call */
    uint64_t              again_ms;      /* no call before */
    double                credit;        /* calls that may be made */
    uint64_t              credit_ms;
    unsigned              asking:1;
    unsigned              correcting:1;  /* that call asks for nothing */
} fwd_limit_t;


/* FWD_ERROR: out of memory.  The rates are copied. */
fwd_rc_t fwd_limit_init(fwd_limit_t *l, const fwd_rate_conf_t *rates,
    size_t count) FWD_MUST_CHECK;
void fwd_limit_cleanup(fwd_limit_t *l);

/* Events that the tokens at hand allow; UINT32_MAX: no limit in sight. */
uint32_t fwd_limit_room(const fwd_limit_t *l, uint64_t now_ms);

/*
 * Takes the tokens of a delivery, whose units are set, from all rates, or
 * from none: FWD_AGAIN.  Then as many are asked for the next time.
 */
fwd_rc_t fwd_limit_take(fwd_limit_t *l, fwd_limit_ticket_t *ticket,
    uint64_t now_ms) FWD_MUST_CHECK;

/*
 * Returns 1 if Redis may be asked now; else *wait_ms is lowered to when.  A
 * call that only puts things right ignores the time of the next tokens.
 */
int fwd_limit_may_ask(fwd_limit_t *l, int correction, uint64_t now_ms,
    uint64_t *wait_ms);

/* 1 if there is something to give back or to put right. */
int fwd_limit_is_dirty(const fwd_limit_t *l, uint64_t now_ms);

/*
 * A call is made: what is at hand becomes a correction.  The lease of the
 * grant is asked_lease_ms.  The caller sends moves of each rate and calls
 * fwd_limit_asked(), which forgets them.
 */
void fwd_limit_ask(fwd_limit_t *l, int correction, uint64_t now_ms);
void fwd_limit_asked(fwd_limit_t *l);

/* The share of a rate that is in force. */
uint64_t fwd_limit_count(const fwd_limit_t *l, const fwd_rate_t *rate);

/* The fewest and the most tokens worth asking for. */
uint64_t fwd_limit_min(const fwd_rate_t *rate);
uint64_t fwd_limit_want(const fwd_limit_t *l, const fwd_rate_t *rate,
    uint64_t usable);

/*
 * The answer: the time of Redis, and what was granted by each rate (NULL:
 * nothing).  wait_ms: when to ask again.
 */
void fwd_limit_answer(fwd_limit_t *l, const uint64_t *granted,
    uint64_t redis_ms, uint64_t wait_ms, uint64_t now_ms);

/* No answer, or a useless one: not again for a while. */
void fwd_limit_failed(fwd_limit_t *l, uint64_t wait_ms, uint64_t now_ms);

/* A delivery cannot have reached the vendor later than arrived_ms. */
void fwd_limit_arrived(fwd_limit_t *l, const fwd_limit_ticket_t *ticket,
    uint64_t arrived_ms);

/* The slot in which a time of Redis is booked. */
uint64_t fwd_limit_slot(const fwd_rate_t *rate, uint64_t redis_ms);


void fwd_adapt_init(fwd_adapt_t *a, uint64_t window_ms);

/* A request has ended.  Returns 1 if the factor has changed. */
int fwd_adapt_report(fwd_adapt_t *a, int throttled, uint64_t now_ms);


#endif /* _FWD_LIMIT_H_INCLUDED_ */
