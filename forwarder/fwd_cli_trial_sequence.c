
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A sequence for people: the first request as it would be sent, and the other
 * steps by what the description says of them, for what they send depends on
 * answers.
 */


#include <stdio.h>
#include <string.h>

#include "fwd_cli_event.h"


/* The first request. */
typedef struct {
    char                  step[FWD_NAME_MAX + 2];  /* ""; there is none yet */
    fwd_try_call_t        call;
} fwd_trial_first_t;


static fwd_rc_t fwd_trial_first(void *data, const char *step,
    const fwd_try_call_t *call, fwd_try_answer_t *answer);
static void fwd_trial_step(const fwd_cli_trial_t *trial,
    const fwd_desc_step_t *step);
static void fwd_trial_line(const fwd_cli_trial_t *trial, const char *what,
    const char *text);


fwd_rc_t
fwd_cli_trial_sequence(const fwd_cli_trial_t *trial,
    const fwd_try_output_t *out, fwd_cli_t *cli)
{
    int                 before;
    size_t              i;
    fwd_try_steps_t     ended;
    fwd_try_input_t     in;
    const fwd_desc_t   *desc;
    fwd_trial_first_t   first;
    fwd_try_exchange_t  x;

    memset(&first, 0, sizeof(first));
    memset(&in, 0, sizeof(in));
    memset(&x, 0, sizeof(x));

    in.events = &trial->text;
    in.count = 1;
    in.token = trial->token;
    in.now_ms = trial->now_ms;
    in.show = 1;

    x.in = &in;
    x.record = &out->sequences[0];
    x.pool = &cli->pool;
    x.answer = fwd_trial_first;
    x.data = &first;

    if (fwd_try_sequence(&ended, &trial->conf, &x, &cli->err) != FWD_OK) {
        return FWD_ERROR;
    }

    desc = trial->conf.desc;
    before = 1;

    (void) printf("\nsequence of %zu step%s\n", desc->steps_count,
                  desc->steps_count == 1 ? "" : "s");

    if (first.step[0] == '\0') {
        (void) printf("  no step sends anything: the event ends as %s%s%s\n",
                      ended.outcome, *ended.reason ? ", " : "",
                      ended.reason);
    }

    for (i = 0; i < desc->steps_count; i++) {
        fwd_trial_step(trial, &desc->steps[i]);

        if (strcmp(desc->steps[i].name, first.step) == 0) {
            before = 0;
            (void) printf("\n");
            fwd_cli_trial_print(trial, &first.call);

        } else {
            (void) printf("  %s\n", before ? "is left out"
                          : "what it sends depends on answers");
        }
    }

    return FWD_OK;
}


/* There is no answer: nothing was sent. */

static fwd_rc_t
fwd_trial_first(void *data, const char *step, const fwd_try_call_t *call,
    fwd_try_answer_t *answer)
{
    fwd_trial_first_t  *first = data;

    (void) answer;

    (void) snprintf(first->step, sizeof(first->step), "%s", step);
    first->call = *call;

    return FWD_NONE;
}


static void
fwd_trial_step(const fwd_cli_trial_t *trial, const fwd_desc_step_t *step)
{
    size_t  i;
    char    ttl[FWD_CLI_TIME_MAX];

    (void) printf("\nstep %s: endpoint %s%s%s\n", step->name, step->endpoint,
                  step->idempotent ? ", idempotent" : "",
                  step->optional ? ", optional" : "");

    fwd_trial_line(trial, "when", step->when.text);

    for (i = 0; i < step->vars_count; i++) {
        (void) printf("  captures %s\n", step->vars[i].name);
    }

    if (step->cache_key.text != NULL) {
        (void) printf("  cached for %s, by\n",
                      fwd_cli_age(ttl, step->cache_ttl_ms));
        fwd_trial_line(trial, " ", step->cache_key.text);
    }

    if (step->undo_endpoint != NULL) {
        (void) printf("  undone by endpoint %s\n", step->undo_endpoint);
    }
}


static void
fwd_trial_line(const fwd_cli_trial_t *trial, const char *what,
    const char *text)
{
    if (text != NULL) {
        (void) printf("  %s ", what);
        fwd_cli_trial_text(trial, "", text, strlen(text));
    }
}
