
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Golden files of answers: what becomes of the records of a request.
 */


#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "fwd_cli_test.h"
#include "fwd_reply.h"


#define FWD_GOLDEN_SENT_MAX  100000


static fwd_rc_t fwd_golden_given(fwd_golden_t *g, fwd_try_answer_t *in);
static fwd_rc_t fwd_golden_keys(fwd_golden_t *g, size_t endpoint,
    fwd_try_answer_t *in);
static void fwd_golden_verdict(fwd_golden_t *g,
    const fwd_try_verdict_t *verdict, uint32_t sent);
static json_t *fwd_golden_words(const char *all, const char **each,
    uint32_t sent);


static const char *const  fwd_golden_answer_names[] = {
    "about", "endpoint", "settings", "environment", "now", "sent", "attempt",
    "answer", "outcomes", "outcome", "wait", "reasons", "keys", NULL
};

static const char *const  fwd_golden_reply_names[] = {
    "status", "headers", "body", "text", NULL
};


void
fwd_golden_answer(fwd_golden_t *g)
{
    fwd_error_t        err;
    fwd_try_answer_t   in;
    fwd_try_verdict_t  verdict;

    memset(&in, 0, sizeof(in));

    if (!fwd_golden_members(g, "", g->doc, fwd_golden_answer_names)
        || fwd_golden_conf(g) != FWD_OK
        || fwd_golden_given(g, &in) != FWD_OK
        || fwd_golden_reply(g, "answer", json_object_get(g->doc, "answer"),
                            &in)
           != FWD_OK)
    {
        return;
    }

    in.program = g->answer;

    if (fwd_try_answer(&verdict, &g->conf, &in, g->pool, &err) != FWD_OK) {
        fwd_golden_say(g, "answer.jq", "%s", err.text);
        return;
    }

    fwd_golden_verdict(g, &verdict, in.sent);
}


static fwd_rc_t
fwd_golden_given(fwd_golden_t *g, fwd_try_answer_t *in)
{
    size_t         i;
    json_int_t     sent, attempt;
    const json_t  *value;

    value = json_object_get(g->doc, "sent");
    sent = value ? json_integer_value(value) : 1;
    value = json_object_get(g->doc, "attempt");
    attempt = value ? json_integer_value(value) : 1;

    if (sent < 1 || sent > FWD_GOLDEN_SENT_MAX || attempt < 1
        || attempt > UINT32_MAX)
    {
        fwd_golden_say(g, sent < 1 || sent > FWD_GOLDEN_SENT_MAX
                          ? "sent" : "attempt", "a number is expected");
        return FWD_ERROR;
    }

    if (json_object_get(g->doc, "now") != NULL
        && fwd_golden_now(g, &in->now_ms) != FWD_OK)
    {
        return FWD_ERROR;
    }

    in->sent = (uint32_t) sent;
    in->attempt = (uint32_t) attempt;
    in->endpoint = json_string_value(json_object_get(g->doc, "endpoint"));

    for (i = 0; i < g->desc->endpoints_count; i++) {
        if (in->endpoint == NULL
            || strcmp(g->desc->endpoints[i].name, in->endpoint) == 0)
        {
            return fwd_golden_keys(g, i, in);
        }
    }

    if (in->endpoint == NULL) {
        return FWD_OK;
    }

    fwd_golden_say(g, "endpoint", "there is no \"%s\"", in->endpoint);

    return FWD_ERROR;
}


/* ".keys" of answer.jq, which it has with an answer_key only. */

static fwd_rc_t
fwd_golden_keys(fwd_golden_t *g, size_t endpoint, fwd_try_answer_t *in)
{
    const json_t  *keys;

    keys = json_object_get(g->doc, "keys");

    if (keys == NULL) {
        return FWD_OK;
    }

    if (g->desc->endpoints[endpoint].answer_key == NULL) {
        fwd_golden_say(g, "keys", "endpoint \"%s\" has no \"answer_key\"",
                       g->desc->endpoints[endpoint].name);
        return FWD_ERROR;
    }

    if (json_array_size(keys) != in->sent) {
        fwd_golden_say(g, "keys", "a list of %u is expected, as many as were "
                       "sent", (unsigned) in->sent);
        return FWD_ERROR;
    }

    in->keys = fwd_cli_json_text(keys, g->pool, NULL);

    return FWD_OK;
}


/* What is not asked for is not seen. */

fwd_rc_t
fwd_golden_reply(fwd_golden_t *g, const char *path, const json_t *answer,
    fwd_try_answer_t *in)
{
    void         *iter;
    size_t        len;
    const char   *line, *value, *text;
    fwd_reply_t   reply;
    const json_t *status, *body;

    if (!fwd_golden_members(g, path, answer, fwd_golden_reply_names)) {
        return FWD_ERROR;
    }

    status = json_object_get(answer, "status");
    body = json_object_get(answer, "body");
    text = json_string_value(json_object_get(answer, "text"));

    if (!json_is_integer(status) || json_integer_value(status) < 100
        || json_integer_value(status) > 599)
    {
        fwd_golden_say(g, path, "a \"status\" of 100 to 599 is expected");
        return FWD_ERROR;
    }

    in->status = (int) json_integer_value(status);

    if (body != NULL) {
        in->body.data = (const unsigned char *)
                        fwd_cli_json_text(body, g->pool, &in->body.len);

    } else {
        in->body.data = (const unsigned char *) (text ? text : "");
        in->body.len = text ? strlen(text) : 0;
    }

    fwd_reply_init(&reply);
    reply.more = g->desc->answer_headers.list;
    reply.more_count = g->desc->answer_headers.count;

    iter = json_object_iter(json_object_get(answer, "headers"));

    while (iter != NULL) {
        value = json_string_value(json_object_iter_value(iter));

        if (value == NULL) {
            fwd_golden_say(g, path, "header \"%s\" is no text",
                           json_object_iter_key(iter));
            fwd_reply_free(&reply);
            return FWD_ERROR;
        }

        line = fwd_pool_printf(g->pool, "%s: %s\r\n",
                               json_object_iter_key(iter), value);
        (void) fwd_reply_header(&reply, line, strlen(line));

        iter = json_object_iter_next(json_object_get(answer, "headers"),
                                     iter);
    }

    len = reply.headers.len;
    in->headers = fwd_pool_string(g->pool, len ? (char *) reply.headers.data
                                               : "", len);
    fwd_reply_free(&reply);

    return FWD_OK;
}


static void
fwd_golden_verdict(fwd_golden_t *g, const fwd_try_verdict_t *verdict,
    uint32_t sent)
{
    json_t        *outcomes, *reasons;
    const char    *outcome;
    const json_t  *want, *wait;

    outcomes = fwd_golden_words(verdict->outcome, verdict->outcomes, sent);
    reasons = fwd_golden_words(verdict->reason, verdict->reasons, sent);

    outcome = json_string_value(json_object_get(g->doc, "outcome"));
    want = json_object_get(g->doc, "outcomes");
    wait = json_object_get(g->doc, "wait");

    if (outcome == NULL && want == NULL) {
        fwd_golden_say(g, "", "\"outcome\" or \"outcomes\" is missing");
    }

    if (outcome != NULL && verdict->outcomes != NULL && want == NULL) {
        fwd_golden_text(g, "outcome",
                        fwd_cli_json_text(outcomes, g->pool, NULL),
                        fwd_cli_json_text(json_object_get(g->doc, "outcome"),
                                          g->pool, NULL));

    } else if (outcome != NULL) {
        fwd_golden_text(g, "outcome", verdict->outcome, outcome);
    }

    if (want != NULL) {
        fwd_golden_compare(g, "outcomes", outcomes, want);
    }

    if (json_object_get(g->doc, "reasons") != NULL) {
        fwd_golden_compare(g, "reasons", reasons,
                           json_object_get(g->doc, "reasons"));
    }

    if (wait != NULL
        && (!json_is_number(wait)
            || json_number_value(wait) * 1000 - (double) verdict->wait_ms
               != 0))
    {
        fwd_golden_text(g, "wait",
                        fwd_pool_printf(g->pool, "%g",
                                        (double) verdict->wait_ms / 1000),
                        fwd_cli_json_text(wait, g->pool, NULL));
    }

    json_decref(outcomes);
    json_decref(reasons);
}


/* One word for each record; "": null. */

static json_t *
fwd_golden_words(const char *all, const char **each, uint32_t sent)
{
    uint32_t     i;
    json_t      *list;
    const char  *word;

    list = json_array();

    for (i = 0; i < sent; i++) {
        word = each ? each[i] : all;
        (void) json_array_append_new(list, word != NULL && *word != '\0'
                                           ? json_string(word)
                                           : json_null());
    }

    return list;
}
