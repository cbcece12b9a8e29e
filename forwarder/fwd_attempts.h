
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The attempts of an event that failed: how many, and what became of the last
 * ones.  They stand in the hash "try" (docs/SPEC.md section 4) as
 *
 *     attempts first_ms at_ms.class.status.ms ... seq:PROGRESS
 *
 * the oldest first; the last word is there of an event that stands in the
 * middle of a sequence (fwd_sequence.h).  Pure: no I/O, no clock.
 */


#ifndef _FWD_ATTEMPTS_H_INCLUDED_
#define _FWD_ATTEMPTS_H_INCLUDED_


#include "fwd.h"
#include "fwd_outcome.h"


#define FWD_ATTEMPTS_KEPT      8
#define FWD_ATTEMPTS_PROGRESS_MAX  5500  /* of base64url of 4 KiB */

/* Of the longest text, and a zero. */
#define FWD_ATTEMPTS_TEXT_MAX  (640 + 5 + FWD_ATTEMPTS_PROGRESS_MAX)


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
    char                 *progress;      /* of a sequence, base64url; NULL:
                                            none.  Owned, see clear() */
} fwd_attempts_t;


/* Adds a failure; the oldest one is forgotten if there are too many. */
void fwd_attempts_add(fwd_attempts_t *tries, const fwd_attempt_t *attempt);

/*
 * Sets the progress, a copy; an empty text forgets it.  FWD_ERROR, and it is
 * forgotten: it is not base64url, too long, or there is no memory.
 */
fwd_rc_t fwd_attempts_progress(fwd_attempts_t *tries, martech_str_t text);

/* Gives back what it owns, or all of one from malloc(); NULL is fine. */
void fwd_attempts_clear(fwd_attempts_t *tries);
void fwd_attempts_free(fwd_attempts_t *tries);

/*
 * Reads the text into a struct that owns nothing; whatever cannot be read is
 * left out, so a text of a newer or older program does no harm.  A bare
 * number is a count alone.
 */
void fwd_attempts_parse(fwd_attempts_t *tries, const char *text, size_t len);

/* Writes the text and a zero.  Returns its length. */
size_t fwd_attempts_format(char out[FWD_ATTEMPTS_TEXT_MAX],
    const fwd_attempts_t *tries);

/* How many of the last attempts, in a row, had this outcome. */
uint32_t fwd_attempts_row(const fwd_attempts_t *tries, fwd_outcome_t outcome);


#endif /* _FWD_ATTEMPTS_H_INCLUDED_ */
