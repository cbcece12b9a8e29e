
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the files of sequences share.  Nobody else includes this.
 */


#ifndef _FWD_SEQUENCE_PRIVATE_H_INCLUDED_
#define _FWD_SEQUENCE_PRIVATE_H_INCLUDED_


#include <jv.h>

#include "fwd_jv.h"
#include "fwd_record.h"
#include "fwd_sequence.h"


#define FWD_STEP_NONE          UINT32_MAX
#define FWD_SEQUENCE_ID_LEN    16        /* hex, of record and description */
#define FWD_SEQUENCE_MISSES    3         /* in a row: it will never come */


/* The programs of a step; their places in the table of all. */
typedef enum {
    FWD_STEP_WHEN = 0,
    FWD_STEP_MAP,
    FWD_STEP_CAPTURE,                    /* all variables as an object */
    FWD_STEP_KEY,
    FWD_STEP_UNDO,
    FWD_STEP_PROGRAMS
} fwd_step_program_t;


struct fwd_sequence_s {
    const fwd_dest_conf_t  *conf;
    const fwd_desc_step_t  *steps;       /* of the description */
    uint32_t              count;
    fwd_map_t            *programs;      /* all of them, as one */
    const fwd_endpoint_t *endpoints[FWD_SEQUENCE_STEPS_MAX];
    const fwd_endpoint_t *undo[FWD_SEQUENCE_STEPS_MAX];  /* NULL: none */
    fwd_record_writer_t   writer;
    fwd_reader_tape_t     tape;
};


/* What has become of a step; the letter stands in the progress. */
typedef enum {
    FWD_STEP_STATE_AHEAD = '-',
    FWD_STEP_STATE_DONE = 'd',
    FWD_STEP_STATE_CACHED = 'c',         /* not sent, so never undone */
    FWD_STEP_STATE_SKIPPED = 's',
    FWD_STEP_STATE_UNDONE = 'u'
} fwd_step_state_t;


struct fwd_steps_s {
    fwd_sequence_t       *seq;
    char                  id[FWD_SEQUENCE_ID_LEN + 1];
    jv                    record;
    uint32_t              at;            /* the step it stands at, or count */
    char                  states[FWD_SEQUENCE_STEPS_MAX + 1];
    jv                    vars[FWD_SEQUENCE_STEPS_MAX];  /* objects, or null */
    uint32_t              misses;        /* in a row, at this step */
    uint32_t              failed;        /* compensations, a bit each */
    uint32_t              warnings;
    fwd_step_next_t       end;           /* NEXT: it has not ended */
    fwd_outcome_t         outcome;
    char                  why[FWD_SEQUENCE_REASON_MAX];     /* of the step
                                            that failed for good */
    char                  reason[FWD_SEQUENCE_REASON_MAX];
    char                  said[FWD_RECORD_REASON_MAX + 1];  /* of a program
                                            that failed */
    char                  name[FWD_NAME_MAX + 2];  /* of at(), with "!" */
    char                  key[FWD_SEQUENCE_DIGEST_LEN + 1];
    fwd_buf_t             request;       /* text, group and path */
    size_t                group_len;
    size_t                path_len;
    fwd_buf_t             value;         /* for a cache */
    unsigned              compensating:1;
    unsigned              asked:1;       /* the cache was, or needs not be */
    unsigned              made:1;        /* the request stands in request */
};


/* The first output of a program; takes the input. */
fwd_rc_t fwd_sequence_run(fwd_sequence_t *seq, uint32_t step,
    fwd_step_program_t program, jv input, jv *out) FWD_MUST_CHECK;

/* {record, steps}, as the programs before the request see it. */
jv fwd_steps_input(const fwd_steps_t *steps);

/* fwd_steps.c: the step it stands at is through. */
void fwd_steps_go(fwd_steps_t *steps, fwd_step_state_t state);
void fwd_steps_went_down(fwd_steps_t *steps, int well);

/* Returns end. */
fwd_step_next_t fwd_steps_end(fwd_steps_t *steps, fwd_step_next_t end,
    fwd_outcome_t outcome);
fwd_step_next_t fwd_steps_pause(fwd_steps_t *steps, fwd_outcome_t outcome,
    martech_str_t reason);

/*
 * It has failed for good: FWD_STEP_NEXT, the way goes down now, or on if the
 * step was optional and the caller cares for that.
 */
fwd_step_next_t fwd_steps_refused(fwd_steps_t *steps, martech_str_t reason,
    int optional);

/* "NAME:reason", in one line. */
void fwd_steps_say(char out[FWD_SEQUENCE_REASON_MAX], const char *name,
    martech_str_t reason);

martech_str_t fwd_steps_text(const char *text);

/*
 * fwd_steps_keep.c: what is kept between attempts and in caches.  restore()
 * sets nothing if the text is not of these steps.
 */
void fwd_steps_restore(fwd_steps_t *steps, martech_str_t progress);
void fwd_steps_id(fwd_steps_t *steps, martech_str_t record);

/* 1 if the values are an object of all variables of a step, and small. */
int fwd_steps_values_valid(const fwd_desc_step_t *step, jv values);

/* 1 if all that was captured fits into the progress, with these values. */
int fwd_steps_fit(const fwd_steps_t *steps, uint32_t index, jv values);

/* The digest of what a program of "cache.key" gives; FWD_NONE: null. */
fwd_rc_t fwd_steps_key(fwd_steps_t *steps, uint32_t index,
    char key[FWD_SEQUENCE_DIGEST_LEN + 1]) FWD_MUST_CHECK;


#endif /* _FWD_SEQUENCE_PRIVATE_H_INCLUDED_ */
