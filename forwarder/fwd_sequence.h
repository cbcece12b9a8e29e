
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Sequences: a record that becomes several requests one after another, of
 * which later ones need what earlier ones were answered (docs/DESTINATIONS.md,
 * "sequence").
 *
 * Pure: nothing is sent, no clock, no Redis.  One record goes like this:
 *
 *     steps = fwd_steps_begin(seq, record, progress);
 *
 *     for ( ;; ) {
 *         switch (fwd_steps_next(steps, &step)) {
 *         case FWD_STEP_LOOKUP:  ask the cache, fwd_steps_cached(); next
 *         case FWD_STEP_SEND:    send it, fwd_steps_answer(): FWD_STEP_NEXT,
 *                                or how it ends
 *         default:               it ends
 *         }
 *     }
 *
 * Programs run within next(), cached() and answer(): they are to be under the
 * eyes of the watchdog.
 */


#ifndef _FWD_SEQUENCE_H_INCLUDED_
#define _FWD_SEQUENCE_H_INCLUDED_


#include "fwd_answer.h"
#include "fwd_buf.h"
#include "fwd_config.h"
#include "fwd_endpoint.h"
#include "fwd_outcome.h"


#define FWD_SEQUENCE_VALUE_MAX     1024  /* bytes of a captured text */
#define FWD_SEQUENCE_PROGRESS_MAX  4096  /* of the JSON text */
#define FWD_SEQUENCE_CACHED_MAX    4096  /* of a value in a cache */
#define FWD_SEQUENCE_DIGEST_LEN    32    /* hex */
#define FWD_SEQUENCE_REASON_MAX    256   /* with a zero */


typedef struct fwd_sequence_s  fwd_sequence_t;
typedef struct fwd_steps_s     fwd_steps_t;


typedef enum {
    FWD_STEP_NEXT = 0,            /* of answer(): it goes on with next() */
    FWD_STEP_SEND,                /* the request in *step */
    FWD_STEP_LOOKUP,              /* step->key in the cache of step->name */

    /* it has ended; fwd_steps_outcome() and fwd_steps_reason() say how */
    FWD_STEP_DONE,                /* all is well */
    FWD_STEP_DROP,                /* finished, nothing is undone */
    FWD_STEP_DEAD,                /* for good; compensations are through */
    FWD_STEP_PAUSE                /* it goes on later, fwd_steps_progress() */
} fwd_step_next_t;


/* All slices and texts are of the steps, up to their next call. */
typedef struct {
    const char           *name;          /* of the step, without "!" */
    uint32_t              index;         /* of the step */
    const fwd_endpoint_t *endpoint;      /* of the request */
    martech_str_t         text;          /* the record of the request, JSON */
    martech_str_t         group;         /* as of fwd_record_t */
    martech_str_t         path;
    char                  key[FWD_SEQUENCE_DIGEST_LEN + 1];  /* LOOKUP */
    unsigned              compensating:1;
    unsigned              idempotent:1;  /* may be sent again in any case */
} fwd_step_t;


/* What came of a request.  refresh is the caller's: it is CREDENTIALS here
   only if credentials could not be renewed. */
typedef struct {
    fwd_outcome_t         outcome;
    unsigned              decided:1;     /* by answer.jq; else by the table */
    martech_str_t         reason;        /* the vendor's; empty: none */
    const char           *forget;        /* out->forget of answer.jq, or NULL */
    const fwd_answer_input_t  *in;       /* NULL: there was no answer */
} fwd_step_answer_t;


typedef struct {
    const char           *step;          /* name */
    char                  key[FWD_SEQUENCE_DIGEST_LEN + 1];
} fwd_step_key_t;


/* What is to be done with caches after an answer. */
typedef struct {
    fwd_step_key_t        store;
    martech_str_t         value;         /* JSON; empty: nothing to store */
    uint64_t              ttl_ms;
    fwd_step_key_t        forget[FWD_SEQUENCE_STEPS_MAX];
    uint32_t              forget_count;
} fwd_steps_effect_t;


/*
 * Compiles the programs of conf->desc->sequence, for the life of a loop.
 * Errors are reported with the line in destination.yaml.  As for maps the
 * environment must be empty.  *seq is NULL and the result FWD_OK if there is
 * no sequence.
 */
fwd_rc_t fwd_sequence_create(fwd_sequence_t **seq,
    const fwd_dest_conf_t *conf, fwd_report_t *report) FWD_MUST_CHECK;
void fwd_sequence_destroy(fwd_sequence_t *seq);

/* Steps are for people: "***" stands for secrets, as fwd_map_show(). */
void fwd_sequence_show(fwd_sequence_t *seq, int show);

/*
 * Begins, or goes on, with a record (fwd_record.h).  progress is what
 * fwd_steps_progress() gave at an earlier attempt, or empty; one that cannot
 * be read, or is of another record or description, counts as empty.  Both are
 * copied.  NULL: no memory.
 */
fwd_steps_t *fwd_steps_begin(fwd_sequence_t *seq, martech_str_t record,
    martech_str_t progress);
void fwd_steps_free(fwd_steps_t *steps);

/*
 * Puts it where a test of a description wants it to begin: {"step": name,
 * "steps": {name: {"done": true, var: value}}} in JSON, "name!" for its
 * compensation.  FWD_ERROR: it cannot stand there.
 */
fwd_rc_t fwd_steps_place(fwd_steps_t *steps, martech_str_t place)
    FWD_MUST_CHECK;

/*
 * What is to be done: SEND, LOOKUP, or the end.  Called again before the
 * request was answered it gives the same.
 */
fwd_step_next_t fwd_steps_next(fwd_steps_t *steps, fwd_step_t *step);

/* The answer to LOOKUP; empty, or anything that was not stored: a miss. */
void fwd_steps_cached(fwd_steps_t *steps, martech_str_t value);

/*
 * The answer to SEND: FWD_STEP_NEXT, or the end.  An end by PAUSE has an
 * outcome that may be given to the event as it is: RETRY, THROTTLED,
 * UNCLASSIFIED, PAUSED, CREDENTIALS or STOP.
 */
fwd_step_next_t fwd_steps_answer(fwd_steps_t *steps,
    const fwd_step_answer_t *answer, fwd_steps_effect_t *effect);

/*
 * The step it stands at has failed for good although its answer did not say
 * so: attempts are used up, the event is too old.  To be called after PAUSE,
 * or instead of next() or answer(): FWD_STEP_NEXT if there is something to
 * undo, else FWD_STEP_DEAD.  While compensating it ends that.
 */
fwd_step_next_t fwd_steps_fail(fwd_steps_t *steps, const char *reason);

/* Of the end. */
fwd_outcome_t fwd_steps_outcome(const fwd_steps_t *steps);

/* "STEP:reason", of DEAD and PAUSE; "" if there is none.  No values. */
const char *fwd_steps_reason(const fwd_steps_t *steps);

/* Name of the step it stands at ("name!" while compensating); "" at the end
   of all.  index: of this step, may be NULL. */
const char *fwd_steps_at(fwd_steps_t *steps, uint32_t *index);

/* Steps that were refused and were optional, and compensations that were. */
uint32_t fwd_steps_warnings(const fwd_steps_t *steps);

/* 1 if a request was refused for good and completed steps are undone. */
int fwd_steps_compensating(const fwd_steps_t *steps);

/*
 * Appends the progress, without blanks (base64url, at most
 * FWD_ATTEMPTS_PROGRESS_MAX), for fwd_attempts_progress(); nothing if there
 * is nothing to keep.  FWD_ERROR: no memory.
 */
fwd_rc_t fwd_steps_progress(const fwd_steps_t *steps, fwd_buf_t *out)
    FWD_MUST_CHECK;


#endif /* _FWD_SEQUENCE_H_INCLUDED_ */
