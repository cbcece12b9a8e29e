
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The steps of one record: what an answer, or a cache, changes.
 */


#include <string.h>

#include "fwd_map_private.h"
#include "fwd_sequence_private.h"


static fwd_step_next_t fwd_steps_good(fwd_steps_t *steps,
    const fwd_step_answer_t *answer, fwd_steps_effect_t *effect);
static fwd_step_next_t fwd_steps_capture(fwd_steps_t *steps,
    const fwd_step_answer_t *answer, fwd_steps_effect_t *effect);
static fwd_step_next_t fwd_steps_missed(fwd_steps_t *steps);
static fwd_step_next_t fwd_steps_doubtful(fwd_steps_t *steps,
    martech_str_t reason);
static void fwd_steps_store(fwd_steps_t *steps, jv value, uint64_t ttl_ms,
    fwd_steps_effect_t *effect);
static void fwd_steps_forget(fwd_steps_t *steps, const char *names,
    int resumes, fwd_steps_effect_t *effect);
static int fwd_steps_named(const char *names, const char *name);
static void fwd_steps_back(fwd_steps_t *steps, uint32_t first);


void
fwd_steps_cached(fwd_steps_t *steps, martech_str_t value)
{
    jv                      values;
    martech_str_t           reason;
    const fwd_desc_step_t  *step;

    if (steps->end != FWD_STEP_NEXT || steps->compensating
        || steps->at == steps->seq->count || steps->asked)
    {
        return;
    }

    steps->asked = 1;
    step = &steps->seq->steps[steps->at];

    if (value.len == 0 || value.len > FWD_SEQUENCE_CACHED_MAX) {
        return;
    }

    values = fwd_jv_parse_guarded(&steps->seq->tape, NULL, value);

    if (jv_get_kind(values) == JV_KIND_STRING
        && step->cache_negative_ms != 0)
    {
        reason = fwd_steps_text(jv_string_value(values));
        (void) fwd_steps_refused(steps, reason, 1);

    } else if (fwd_steps_values_valid(step, values)
               && fwd_steps_fit(steps, steps->at, values))
    {
        jv_free(steps->vars[steps->at]);
        steps->vars[steps->at] = jv_copy(values);
        fwd_steps_go(steps, FWD_STEP_STATE_CACHED);
    }

    jv_free(values);
}


fwd_step_next_t
fwd_steps_answer(fwd_steps_t *steps, const fwd_step_answer_t *answer,
    fwd_steps_effect_t *effect)
{
    jv                      reason;
    const fwd_desc_step_t  *step;

    memset(effect, 0, sizeof(fwd_steps_effect_t));

    if (steps->end != FWD_STEP_NEXT || !steps->made) {
        return steps->end;
    }

    step = &steps->seq->steps[steps->at];

    fwd_steps_say(steps->reason, fwd_steps_at(steps, NULL), answer->reason);

    if (answer->forget != NULL && *answer->forget != '\0'
        && !steps->compensating)
    {
        fwd_steps_forget(steps, answer->forget,
                         answer->outcome == FWD_OUTCOME_RETRY, effect);
    }

    switch (answer->outcome) {

    case FWD_OUTCOME_DELIVERED:
    case FWD_OUTCOME_DUPLICATE:
        return fwd_steps_good(steps, answer, effect);

    case FWD_OUTCOME_DROPPED:
        return steps->compensating
               ? fwd_steps_good(steps, answer, effect)
               : fwd_steps_end(steps, FWD_STEP_DROP, FWD_OUTCOME_DROPPED);

    case FWD_OUTCOME_AMBIGUOUS:
        return fwd_steps_doubtful(steps, answer->reason);

    case FWD_OUTCOME_RETRY:
    case FWD_OUTCOME_THROTTLED:
    case FWD_OUTCOME_PAUSED:
    case FWD_OUTCOME_CREDENTIALS:
    case FWD_OUTCOME_STOP:
    case FWD_OUTCOME_UNCLASSIFIED:
        return fwd_steps_end(steps, FWD_STEP_PAUSE, answer->outcome);

    default:
        if (!steps->compensating && steps->key[0] != '\0'
            && step->cache_negative_ms != 0 && answer->in != NULL)
        {
            reason = jv_string_sized((const char *) answer->reason.data,
                                     (int) answer->reason.len);
            fwd_steps_store(steps, reason, step->cache_negative_ms, effect);
        }

        return fwd_steps_refused(steps, answer->reason, 1);
    }
}


static fwd_step_next_t
fwd_steps_good(fwd_steps_t *steps, const fwd_step_answer_t *answer,
    fwd_steps_effect_t *effect)
{
    if (steps->compensating) {
        fwd_steps_went_down(steps, 1);
        return FWD_STEP_NEXT;
    }

    if (steps->seq->steps[steps->at].vars_count != 0) {
        return fwd_steps_capture(steps, answer, effect);
    }

    fwd_steps_go(steps, FWD_STEP_STATE_DONE);

    return FWD_STEP_NEXT;
}


static fwd_step_next_t
fwd_steps_capture(fwd_steps_t *steps, const fwd_step_answer_t *answer,
    fwd_steps_effect_t *effect)
{
    jv                      values;
    const fwd_desc_step_t  *step;

    step = &steps->seq->steps[steps->at];

    if (answer->in == NULL
        || fwd_sequence_run(steps->seq, steps->at, FWD_STEP_CAPTURE,
                            fwd_answer_value(answer->in), &values)
           != FWD_OK)
    {
        return fwd_steps_missed(steps);
    }

    if (!fwd_steps_values_valid(step, values)) {
        jv_free(values);
        return fwd_steps_missed(steps);
    }

    if (!fwd_steps_fit(steps, steps->at, values)) {
        jv_free(values);
        return fwd_steps_refused(steps,
                                 fwd_steps_text("captured_too_large"), 0);
    }

    jv_free(steps->vars[steps->at]);
    steps->vars[steps->at] = values;

    if (steps->key[0] != '\0') {
        fwd_steps_store(steps, jv_copy(values), step->cache_ttl_ms, effect);
    }

    fwd_steps_go(steps, FWD_STEP_STATE_DONE);

    return FWD_STEP_NEXT;
}


/*
 * The vendor has done it, and we do not know what.  Asking once more is of
 * use only where that does not do it twice.
 */

static fwd_step_next_t
fwd_steps_missed(fwd_steps_t *steps)
{
    steps->misses++;

    if (!steps->seq->steps[steps->at].idempotent
        || steps->misses >= FWD_SEQUENCE_MISSES)
    {
        return fwd_steps_refused(steps, fwd_steps_text("not_captured"), 1);
    }

    return fwd_steps_pause(steps, FWD_OUTCOME_RETRY,
                           fwd_steps_text("not_captured"));
}


/* It was sent, and may have been done. */

static fwd_step_next_t
fwd_steps_doubtful(fwd_steps_t *steps, martech_str_t reason)
{
    uint64_t                policy;
    const fwd_desc_step_t  *step;

    step = &steps->seq->steps[steps->at];
    policy = steps->compensating ? steps->seq->undo[steps->at]->ambiguous
                                 : steps->seq->endpoints[steps->at]->ambiguous;

    if (step->idempotent && !steps->compensating) {
        policy = FWD_AMBIGUOUS_RETRY;
    }

    switch (policy) {

    case FWD_AMBIGUOUS_DEAD:
        return fwd_steps_refused(steps, fwd_steps_text("ambiguous"), 0);

    case FWD_AMBIGUOUS_DONE:
        if (steps->compensating) {
            fwd_steps_went_down(steps, 1);
            return FWD_STEP_NEXT;
        }

        /* the next steps cannot be made without its values */

        if (step->vars_count != 0) {
            return fwd_steps_end(steps, FWD_STEP_DONE,
                                 FWD_OUTCOME_DELIVERED);
        }

        fwd_steps_go(steps, FWD_STEP_STATE_DONE);
        return FWD_STEP_NEXT;

    default:
        return fwd_steps_pause(steps, FWD_OUTCOME_RETRY, reason);
    }
}


static void
fwd_steps_store(fwd_steps_t *steps, jv value, uint64_t ttl_ms,
    fwd_steps_effect_t *effect)
{
    fwd_buf_reset(&steps->value);
    fwd_jv_dump(&steps->value, value);

    if (steps->value.failed) {
        return;                          /* it is asked for again */
    }

    effect->store.step = steps->seq->steps[steps->at].name;
    memcpy(effect->store.key, steps->key, sizeof(steps->key));
    effect->value.data = steps->value.data;
    effect->value.len = steps->value.len;
    effect->ttl_ms = ttl_ms;
}


/*
 * The keys are computed anew: nothing that they depend on has changed.  It
 * goes on at the first of these steps, so what was made of it is made again.
 */

static void
fwd_steps_forget(fwd_steps_t *steps, const char *names, int resumes,
    fwd_steps_effect_t *effect)
{
    uint32_t         i, first;
    fwd_step_key_t  *key;

    first = steps->at;

    for (i = 0; i < steps->at; i++) {

        if (!fwd_steps_named(names, steps->seq->steps[i].name)
            || steps->seq->steps[i].cache_key.text == NULL
            || steps->states[i] == FWD_STEP_STATE_SKIPPED)
        {
            continue;
        }

        key = &effect->forget[effect->forget_count];

        if (fwd_steps_key(steps, i, key->key) != FWD_OK) {
            continue;
        }

        key->step = steps->seq->steps[i].name;
        effect->forget_count++;
        first = (i < first) ? i : first;
    }

    if (resumes && first != steps->at) {
        fwd_steps_back(steps, first);
    }
}


/* 1 if a name is one of those, which have a blank between. */

static int
fwd_steps_named(const char *names, const char *name)
{
    size_t       len;
    const char  *p;

    len = strlen(name);

    for (p = strstr(names, name); p != NULL; p = strstr(p + 1, name)) {
        if ((p == names || p[-1] == ' ')
            && (p[len] == ' ' || p[len] == '\0'))
        {
            return 1;
        }
    }

    return 0;
}


static void
fwd_steps_back(fwd_steps_t *steps, uint32_t first)
{
    uint32_t  i;

    for (i = first; i < steps->seq->count; i++) {
        jv_free(steps->vars[i]);
        steps->vars[i] = jv_null();
        steps->states[i] = FWD_STEP_STATE_AHEAD;
    }

    steps->at = first;
    steps->misses = 0;
    steps->asked = 0;
    steps->made = 0;
    steps->key[0] = '\0';
}
