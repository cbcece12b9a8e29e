
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Golden files of sequences: an event, each request in its order and what it
 * is answered, and where that leads.
 */


#include <stdio.h>
#include <string.h>

#include "fwd_cli_test.h"


typedef struct {
    fwd_golden_t         *g;
    const json_t         *list;          /* "exchange" */
    size_t                next;
} fwd_golden_walk_t;


static fwd_rc_t fwd_golden_next(void *data, const char *step,
    const fwd_try_call_t *call, fwd_try_answer_t *answer);
static void fwd_golden_walked(fwd_golden_walk_t *w,
    const fwd_try_steps_t *got);
static void fwd_golden_word(fwd_golden_t *g, const char *name,
    const char *got, const char *missing);


static const char *const  fwd_golden_exchange_names[] = {
    "about", "settings", "environment", "now", "events", "token", "exchange",
    "cached", "progress", "outcomes", "reasons", "resume", "cache", NULL
};

static const char *const  fwd_golden_step_names[] = {
    "step", "request", "answer", NULL
};


void
fwd_golden_exchange(fwd_golden_t *g)
{
    fwd_error_t          err;
    const json_t        *cached, *place;
    fwd_golden_run_t     run;
    fwd_try_steps_t      got;
    fwd_golden_walk_t    w;
    fwd_try_exchange_t   x;

    if (!fwd_golden_members(g, "", g->doc, fwd_golden_exchange_names)
        || fwd_golden_run(g, &run) != FWD_OK)
    {
        return;
    }

    if (run.ends_count != 1) {
        fwd_golden_say(g, "events", "one event is expected");
        return;
    }

    if (run.out.sequences_count != 1) {
        fwd_golden_say(g, "events", "the event does not go through the "
                       "sequence%s%s", run.count ? ": " : "",
                       run.count ? run.out.events[0].reason : "");
        return;
    }

    memset(&w, 0, sizeof(w));
    w.g = g;
    w.list = json_object_get(g->doc, "exchange");

    cached = json_object_get(g->doc, "cached");
    place = json_object_get(g->doc, "progress");

    memset(&x, 0, sizeof(x));
    x.in = &run.in;
    x.record = &run.out.sequences[0];
    x.pool = g->pool;
    x.cached = cached ? fwd_cli_json_text(cached, g->pool, NULL) : NULL;
    x.place = place ? fwd_cli_json_text(place, g->pool, NULL) : NULL;
    x.answer = fwd_golden_next;
    x.data = &w;

    if (fwd_try_sequence(&got, &g->conf, &x, &err) != FWD_OK) {
        fwd_golden_say(g, "exchange", "%s", err.text);
        return;
    }

    if (g->differences == 0 || got.outcome != NULL) {
        fwd_golden_walked(&w, &got);
    }
}


/* The next of the list is to be that step and that request. */

static fwd_rc_t
fwd_golden_next(void *data, const char *step, const fwd_try_call_t *call,
    fwd_try_answer_t *answer)
{
    char                path[64], name[80];
    const json_t       *one, *reply;
    fwd_golden_t       *g;
    fwd_golden_walk_t  *w = data;

    g = w->g;
    one = json_array_get(w->list, w->next);
    (void) snprintf(path, sizeof(path), "exchange[%u]", (unsigned) w->next);
    w->next++;

    if (one == NULL) {
        fwd_golden_text(g, path,
                        fwd_pool_printf(g->pool, "%s: %s %s", step,
                                        call->method, call->url), NULL);
        return FWD_NONE;
    }

    if (!fwd_golden_members(g, path, one, fwd_golden_step_names)) {
        return FWD_NONE;
    }

    (void) snprintf(name, sizeof(name), "%s.step", path);
    fwd_golden_text(g, name, step,
                    json_string_value(json_object_get(one, "step")));

    (void) snprintf(name, sizeof(name), "%s.request", path);
    fwd_golden_request(g, name, call, json_object_get(one, "request"));

    reply = json_object_get(one, "answer");

    if (json_is_null(reply)) {
        return FWD_OK;                   /* it never came */
    }

    (void) snprintf(name, sizeof(name), "%s.answer", path);

    return fwd_golden_reply(g, name, reply, answer) == FWD_OK
           ? FWD_OK : FWD_NONE;
}


static void
fwd_golden_walked(fwd_golden_walk_t *w, const fwd_try_steps_t *got)
{
    char           path[64];
    json_t        *held;
    fwd_golden_t  *g;
    const json_t  *want;

    g = w->g;

    for ( /* void */ ; w->next < json_array_size(w->list); w->next++) {
        want = json_object_get(json_array_get(w->list, w->next), "step");
        (void) snprintf(path, sizeof(path), "exchange[%u]",
                        (unsigned) w->next);
        fwd_golden_text(g, path, NULL, json_string_value(want)
                                       ? json_string_value(want)
                                       : "a request");
    }

    fwd_golden_word(g, "outcomes", got->outcome, "");
    fwd_golden_word(g, "reasons", got->reason, NULL);

    want = json_object_get(g->doc, "resume");
    fwd_golden_text(g, "resume", got->at,
                    json_string_value(want) ? json_string_value(want) : "");

    want = json_object_get(g->doc, "cache");

    if (want != NULL) {
        held = json_loads(got->cached, 0, NULL);
        fwd_golden_compare(g, "cache", held, want);
        json_decref(held);
    }
}


/* A list of one word; missing: what stands for a list that is not there, NULL:
   then nothing is asked. */

static void
fwd_golden_word(fwd_golden_t *g, const char *name, const char *got,
    const char *missing)
{
    const char    *want;
    const json_t  *list;

    list = json_object_get(g->doc, name);

    if (list == NULL && missing == NULL) {
        return;
    }

    want = json_string_value(json_array_get(list, 0));
    fwd_golden_text(g, name, got, want ? want : "");

    if (json_array_size(list) > 1) {
        fwd_golden_say(g, name, "one is expected");
    }
}
