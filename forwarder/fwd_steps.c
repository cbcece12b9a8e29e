
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The steps of one record: what is to be sent next.
 *
 * It goes up from the first step to the last.  When a step has failed for
 * good it turns round, and goes down over those that were done.  "at" is the
 * step it stands at on both ways, and never goes back but for forget.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_call.h"
#include "fwd_map_private.h"
#include "fwd_sequence_private.h"


static fwd_step_next_t fwd_steps_up(fwd_steps_t *steps, fwd_step_t *step);
static fwd_step_next_t fwd_steps_down(fwd_steps_t *steps, fwd_step_t *step);
static fwd_rc_t fwd_steps_when(fwd_steps_t *steps);
static fwd_rc_t fwd_steps_make(fwd_steps_t *steps,
    fwd_step_program_t program);
static fwd_rc_t fwd_steps_keep(fwd_steps_t *steps,
    const fwd_record_t *record);
static int fwd_steps_steered(jv value);
static void fwd_steps_show(fwd_steps_t *steps, fwd_step_t *step);
static void fwd_steps_dead_reason(fwd_steps_t *steps);


fwd_steps_t *
fwd_steps_begin(fwd_sequence_t *seq, martech_str_t record,
    martech_str_t progress)
{
    uint32_t      i;
    fwd_steps_t  *steps;

    steps = calloc(1, sizeof(fwd_steps_t));

    if (steps == NULL) {
        return NULL;
    }

    steps->seq = seq;
    steps->record = fwd_jv_parse_guarded(&seq->tape, NULL, record);

    if (!jv_is_valid(steps->record)) {
        jv_free(steps->record);
        free(steps);
        return NULL;
    }

    fwd_buf_init(&steps->request, FWD_BATCH_MAPPED_MAX);
    fwd_buf_init(&steps->value, FWD_SEQUENCE_CACHED_MAX);

    for (i = 0; i < seq->count; i++) {
        steps->states[i] = FWD_STEP_STATE_AHEAD;
        steps->vars[i] = jv_null();
    }

    fwd_steps_id(steps, record);

    if (progress.len != 0 && seq->conf->desc->resume == FWD_RESUME_STEP) {
        fwd_steps_restore(steps, progress);
    }

    return steps;
}


void
fwd_steps_free(fwd_steps_t *steps)
{
    uint32_t  i;

    if (steps == NULL) {
        return;
    }

    for (i = 0; i < steps->seq->count; i++) {
        jv_free(steps->vars[i]);
    }

    jv_free(steps->record);
    fwd_buf_free(&steps->request);
    fwd_buf_free(&steps->value);
    free(steps);
}


fwd_step_next_t
fwd_steps_next(fwd_steps_t *steps, fwd_step_t *step)
{
    fwd_step_next_t  next;

    memset(step, 0, sizeof(fwd_step_t));

    do {
        if (steps->end != FWD_STEP_NEXT) {
            return steps->end;
        }

        next = steps->compensating ? fwd_steps_down(steps, step)
                                   : fwd_steps_up(steps, step);
    } while (next == FWD_STEP_NEXT);

    return next;
}


static fwd_step_next_t
fwd_steps_up(fwd_steps_t *steps, fwd_step_t *step)
{
    fwd_rc_t  rc;

    if (steps->at == steps->seq->count) {
        return fwd_steps_end(steps, FWD_STEP_DONE, FWD_OUTCOME_DELIVERED);
    }

    if (!steps->made) {
        (void) strcpy(steps->said, "sequence_error");
        rc = steps->asked ? FWD_OK : fwd_steps_when(steps);

        if (rc == FWD_OK && !steps->asked) {
            rc = fwd_steps_key(steps, steps->at, steps->key);

            if (rc == FWD_OK) {
                fwd_steps_show(steps, step);
                return FWD_STEP_LOOKUP;
            }

            steps->asked = (rc == FWD_NONE);
            rc = (rc == FWD_NONE) ? FWD_OK : rc;
        }

        if (rc == FWD_OK) {
            rc = fwd_steps_make(steps, FWD_STEP_MAP);
        }

        if (rc == FWD_NONE) {
            fwd_steps_go(steps, FWD_STEP_STATE_SKIPPED);
            return FWD_STEP_NEXT;
        }

        if (rc == FWD_AGAIN) {
            return fwd_steps_pause(steps, FWD_OUTCOME_PAUSED,
                                   fwd_steps_text("out of memory"));
        }

        if (rc != FWD_OK) {
            return fwd_steps_refused(steps, fwd_steps_text(steps->said), 1);
        }
    }

    fwd_steps_show(steps, step);

    return FWD_STEP_SEND;
}


/* From "at" down: steps that were done here, and can be undone. */

static fwd_step_next_t
fwd_steps_down(fwd_steps_t *steps, fwd_step_t *step)
{
    fwd_rc_t  rc;

    while (!steps->made) {

        if (steps->states[steps->at] == FWD_STEP_STATE_DONE
            && steps->seq->undo[steps->at] != NULL)
        {
            rc = fwd_steps_make(steps, FWD_STEP_UNDO);

            if (rc == FWD_OK) {
                break;
            }

            if (rc == FWD_AGAIN) {
                return fwd_steps_pause(steps, FWD_OUTCOME_PAUSED,
                                       fwd_steps_text("out of memory"));
            }

            fwd_steps_went_down(steps, rc == FWD_NONE);

        } else if (steps->at != 0) {
            steps->at--;

        } else {
            steps->end = FWD_STEP_DEAD;
        }

        if (steps->end != FWD_STEP_NEXT) {
            fwd_steps_dead_reason(steps);
            return fwd_steps_end(steps, FWD_STEP_DEAD, FWD_OUTCOME_REJECTED);
        }
    }

    fwd_steps_show(steps, step);

    return FWD_STEP_SEND;
}


static void
fwd_steps_show(fwd_steps_t *steps, fwd_step_t *step)
{
    size_t           text;
    fwd_sequence_t  *seq;

    seq = steps->seq;

    step->name = seq->steps[steps->at].name;
    step->index = steps->at;
    step->endpoint = steps->compensating ? seq->undo[steps->at]
                                         : seq->endpoints[steps->at];
    step->compensating = steps->compensating;
    step->idempotent = (!steps->compensating
                        && seq->steps[steps->at].idempotent != 0);
    memcpy(step->key, steps->key, sizeof(step->key));

    if (!steps->made) {
        return;
    }

    text = steps->request.len - steps->group_len - steps->path_len;
    step->text.data = steps->request.data;
    step->text.len = text;
    step->group.data = steps->request.data + text;
    step->group.len = steps->group_len;
    step->path.data = step->group.data + steps->group_len;
    step->path.len = steps->path_len;
}


/* FWD_NONE: the step is not wanted. */

static fwd_rc_t
fwd_steps_when(fwd_steps_t *steps)
{
    jv        value;
    int       go;
    fwd_rc_t  rc;

    if (steps->seq->steps[steps->at].when.text == NULL) {
        return FWD_OK;
    }

    rc = fwd_sequence_run(steps->seq, steps->at, FWD_STEP_WHEN,
                          fwd_steps_input(steps), &value);

    if (rc != FWD_OK) {
        return rc;
    }

    go = (jv_get_kind(value) == JV_KIND_TRUE);
    jv_free(value);

    return go ? FWD_OK : FWD_NONE;
}


/* FWD_NONE: there is nothing to send.  FWD_AGAIN: no memory. */

static fwd_rc_t
fwd_steps_make(fwd_steps_t *steps, fwd_step_program_t program)
{
    jv            value;
    fwd_rc_t      rc;
    fwd_error_t   err;
    fwd_record_t  record;

    rc = fwd_sequence_run(steps->seq, steps->at, program,
                          fwd_steps_input(steps), &value);

    if (rc != FWD_OK) {
        return rc;
    }

    if (fwd_steps_steered(value)) {
        jv_free(value);
        return FWD_ERROR;
    }

    if (fwd_record_write(&steps->seq->writer, value, &record, &err)
        != FWD_OK)
    {
        return FWD_ERROR;
    }

    switch (record.kind) {

    case FWD_RECORD_DROP:
        return FWD_NONE;

    case FWD_RECORD_DEAD:
        (void) strcpy(steps->said, record.reason);
        return FWD_ERROR;

    default:
        if (!fwd_calls_fits(program == FWD_STEP_UNDO
                            ? steps->seq->undo[steps->at]
                            : steps->seq->endpoints[steps->at], record.text))
        {
            (void) strcpy(steps->said, "record_too_large");
            return FWD_ERROR;
        }

        return fwd_steps_keep(steps, &record);
    }
}


/* The writer is of all sequences. */

static fwd_rc_t
fwd_steps_keep(fwd_steps_t *steps, const fwd_record_t *record)
{
    fwd_buf_reset(&steps->request);
    fwd_buf_add(&steps->request, record->text.data, record->text.len);
    fwd_buf_add(&steps->request, record->group.data, record->group.len);
    fwd_buf_add(&steps->request, record->path.data, record->path.len);

    if (steps->request.failed) {
        return FWD_AGAIN;
    }

    steps->group_len = record->group.len;
    steps->path_len = record->path.len;
    steps->made = 1;

    return FWD_OK;
}


/* What is of batches has no meaning here: likely it was meant otherwise. */

static int
fwd_steps_steered(jv value)
{
    jv      member;
    int     has;
    size_t  i;

    static const char *const  names[] = {
        "@endpoint", "@array", "@merge", "@alone"
    };

    has = 0;

    for (i = 0; jv_get_kind(value) == JV_KIND_OBJECT
         && i < sizeof(names) / sizeof(names[0]); i++)
    {
        member = jv_object_get(jv_copy(value), jv_string(names[i]));
        has |= (jv_is_valid(member)
                && jv_get_kind(member) != JV_KIND_NULL);
        jv_free(member);
    }

    return has;
}


/* The step it stands at is through. */

void
fwd_steps_go(fwd_steps_t *steps, fwd_step_state_t state)
{
    steps->states[steps->at] = (char) state;
    steps->at++;
    steps->misses = 0;
    steps->asked = 0;
    steps->made = 0;
    steps->key[0] = '\0';
}


void
fwd_steps_went_down(fwd_steps_t *steps, int well)
{
    steps->states[steps->at] = FWD_STEP_STATE_UNDONE;
    steps->made = 0;

    if (!well) {
        steps->failed |= (uint32_t) 1 << steps->at;
        steps->warnings++;
    }
}


fwd_step_next_t
fwd_steps_end(fwd_steps_t *steps, fwd_step_next_t end, fwd_outcome_t outcome)
{
    steps->end = end;
    steps->outcome = outcome;

    return end;
}


fwd_step_next_t
fwd_steps_pause(fwd_steps_t *steps, fwd_outcome_t outcome,
    martech_str_t reason)
{
    fwd_steps_say(steps->reason, fwd_steps_at(steps, NULL), reason);

    return fwd_steps_end(steps, FWD_STEP_PAUSE, outcome);
}


/* For good.  "optional" is of the vendor's word, not of our patience. */

fwd_step_next_t
fwd_steps_refused(fwd_steps_t *steps, martech_str_t reason, int optional)
{
    if (steps->compensating) {
        fwd_steps_went_down(steps, 0);
        return FWD_STEP_NEXT;
    }

    if (optional && steps->seq->steps[steps->at].optional) {
        steps->warnings++;
        fwd_steps_go(steps, FWD_STEP_STATE_SKIPPED);
        return FWD_STEP_NEXT;
    }

    fwd_steps_say(steps->why, steps->seq->steps[steps->at].name, reason);

    steps->compensating = 1;
    steps->misses = 0;
    steps->made = 0;

    return FWD_STEP_NEXT;
}


fwd_step_next_t
fwd_steps_fail(fwd_steps_t *steps, const char *reason)
{
    uint32_t  i;

    if (steps->end != FWD_STEP_NEXT && steps->end != FWD_STEP_PAUSE) {
        return steps->end;
    }

    steps->end = FWD_STEP_NEXT;

    if (!steps->compensating) {

        if (steps->at == steps->seq->count) {
            return FWD_STEP_NEXT;        /* all is done: next() says so */
        }

        (void) fwd_steps_refused(steps, fwd_steps_text(reason), 0);

        for (i = 0; i < steps->at; i++) {
            if (steps->states[i] == FWD_STEP_STATE_DONE
                && steps->seq->undo[i] != NULL)
            {
                return FWD_STEP_NEXT;
            }
        }

    } else {
        for (i = 0; i <= steps->at; i++) {
            if (steps->states[i] == FWD_STEP_STATE_DONE
                && steps->seq->undo[i] != NULL)
            {
                steps->failed |= (uint32_t) 1 << i;
                steps->warnings++;
            }
        }
    }

    fwd_steps_dead_reason(steps);

    return fwd_steps_end(steps, FWD_STEP_DEAD, FWD_OUTCOME_REJECTED);
}


fwd_outcome_t
fwd_steps_outcome(const fwd_steps_t *steps)
{
    return steps->outcome;
}


const char *
fwd_steps_reason(const fwd_steps_t *steps)
{
    return steps->reason;
}


const char *
fwd_steps_at(fwd_steps_t *steps, uint32_t *index)
{
    if (index != NULL) {
        *index = steps->at;
    }

    if (steps->at == steps->seq->count) {
        return "";
    }

    (void) snprintf(steps->name, sizeof(steps->name), "%s%s",
                    steps->seq->steps[steps->at].name,
                    steps->compensating ? "!" : "");

    return steps->name;
}


uint32_t
fwd_steps_warnings(const fwd_steps_t *steps)
{
    return steps->warnings;
}


int
fwd_steps_compensating(const fwd_steps_t *steps)
{
    return steps->compensating;
}


void
fwd_steps_say(char out[FWD_SEQUENCE_REASON_MAX], const char *name,
    martech_str_t reason)
{
    char    *p;
    size_t   len;

    len = reason.len < FWD_ANSWER_REASON_MAX ? reason.len
                                             : FWD_ANSWER_REASON_MAX;

    /* not in the middle of a character */

    while (len < reason.len && len > 0
           && (reason.data[len] & 0xc0) == 0x80)
    {
        len--;
    }

    (void) snprintf(out, FWD_SEQUENCE_REASON_MAX, "%s%s%.*s", name,
                    len ? ":" : "", (int) len,
                    len ? (const char *) reason.data : "");

    for (p = out; *p != '\0'; p++) {
        *p = ((unsigned char) *p < 0x20 || *p == 0x7f) ? ' ' : *p;
    }
}


static void
fwd_steps_dead_reason(fwd_steps_t *steps)
{
    size_t    len;
    uint32_t  i;

    len = (size_t) snprintf(steps->reason, sizeof(steps->reason), "%s",
                            steps->why);

    for (i = 0; i < steps->seq->count && len < sizeof(steps->reason); i++) {
        if (steps->failed & (uint32_t) 1 << i) {
            len += (size_t) snprintf(steps->reason + len,
                                     sizeof(steps->reason) - len,
                                     " (compensation of %s failed)",
                                     steps->seq->steps[i].name);
        }
    }
}


martech_str_t
fwd_steps_text(const char *text)
{
    martech_str_t  str;

    str.data = (const unsigned char *) text;
    str.len = strlen(text);

    return str;
}
