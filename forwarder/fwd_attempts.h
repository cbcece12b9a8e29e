
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The attempts of an event that failed: how many, and what became of the last
 * ones.  They stand in the hash "try" (docs/SPEC.md section 4) as
 *
 *     attempts first_ms at_ms.class.status.ms ...
 *
 * the oldest first.  Pure: no I/O, no clock.
 */


#ifndef _FWD_ATTEMPTS_H_INCLUDED_
#define _FWD_ATTEMPTS_H_INCLUDED_


#include "fwd.h"
#include "fwd_outcome.h"


#define FWD_ATTEMPTS_KEPT      8
#define FWD_ATTEMPTS_TEXT_MAX  640       /* of the longest text, and a zero */


typedef struct {
    uint64_t              at_ms;         /* Unix ms of the answer */
    uint32_t              ms;            /* it took */
    int                   status;        /* 0: none */
    fwd_outcome_t         outcome;
} fwd_attempt_t;


typedef struct {
    uint64_t              first_ms;      /* of the first failure; 0: unknown */
    uint32_t              count;         /* all failures */
    uint32_t              kept;          /* of these in last[] */
    fwd_attempt_t         last[FWD_ATTEMPTS_KEPT];
} fwd_attempts_t;


/* Adds a failure; the oldest one is forgotten if there are too many. */
void fwd_attempts_add(fwd_attempts_t *tries, const fwd_attempt_t *attempt);

/*
 * Reads the text; whatever cannot be read is left out, so a text of a newer
 * or older program does no harm.  A bare number is a count alone.
 */
void fwd_attempts_parse(fwd_attempts_t *tries, const char *text, size_t len);

/* Writes the text and a zero.  Returns its length. */
size_t fwd_attempts_format(char out[FWD_ATTEMPTS_TEXT_MAX],
    const fwd_attempts_t *tries);

/* How many of the last attempts, in a row, had this outcome. */
uint32_t fwd_attempts_row(const fwd_attempts_t *tries, fwd_outcome_t outcome);


#endif /* _FWD_ATTEMPTS_H_INCLUDED_ */
