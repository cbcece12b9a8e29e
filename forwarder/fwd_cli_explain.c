
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * "explain": each decision about an event, in the order in which they are
 * taken: the rules of the destination, its map, what shares a request, and
 * the request.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../martech/martech_time.h"

#include "fwd_cli_event.h"


static void fwd_explain_head(const fwd_cli_trial_t *trial);
static void fwd_explain_rules(const fwd_cli_trial_t *trial);
static void fwd_explain_rule(const fwd_cli_trial_t *trial,
    fwd_wanted_answer_t rule, const char *name, int asked,
    const char *detail);
static const char *fwd_explain_words(const fwd_words_t *words,
    fwd_pool_t *pool);
static void fwd_explain_age(const fwd_cli_trial_t *trial);
static void fwd_explain_map(const fwd_cli_trial_t *trial,
    const fwd_try_output_t *out);
static void fwd_explain_record(const fwd_cli_trial_t *trial,
    martech_str_t record);
static void fwd_explain_steer(const fwd_cli_trial_t *trial,
    const fwd_steer_t *steer);
static void fwd_explain_calls(const fwd_cli_trial_t *trial,
    const fwd_try_output_t *out);


int
fwd_cli_explain(fwd_cli_t *cli)
{
    int               status;
    fwd_cli_trial_t   trial;
    fwd_try_output_t  out;

    if (fwd_cli_trial_open(&trial, cli, &status) != FWD_OK) {
        return status;
    }

    fwd_explain_head(&trial);
    fwd_explain_rules(&trial);
    fwd_explain_age(&trial);

    if (fwd_cli_trial_requests(&out, &trial, 1, 0, &cli->pool, &cli->err)
        != FWD_OK)
    {
        return fwd_cli_fail(cli);
    }

    if (trial.wanted != FWD_WANTED_YES) {
        (void) printf("\nwere it wanted:\n");
    }

    fwd_explain_map(&trial, &out);
    fwd_explain_calls(&trial, &out);

    if (out.sequences_count != 0
        && fwd_cli_trial_sequence(&trial, &out, cli) != FWD_OK)
    {
        return fwd_cli_fail(cli);
    }

    return FWD_CLI_OK;
}


static void
fwd_explain_head(const fwd_cli_trial_t *trial)
{
    const fwd_dest_conf_t  *conf;

    conf = &trial->conf;

    (void) printf("destination %s: %s, environment %s\n", conf->name,
                  conf->desc->folder,
                  conf->environment ? conf->environment : "production");
    (void) printf("event: ");
    fwd_cli_trial_text(trial, "", trial->text.data + trial->event.name.at,
                       trial->event.name.len);

    if (trial->event.name.len == 0) {
        (void) printf("(without a name)\n");
    }

    (void) printf("  %zu bytes, messageId ", trial->text.len);
    fwd_cli_trial_text(trial, "", trial->event.message_id.data,
                       trial->event.message_id.len);

    if (trial->event.message_id.len == 0) {
        (void) printf("(none)\n");
    }
}


static void
fwd_explain_rules(const fwd_cli_trial_t *trial)
{
    char                      rollout[32];
    fwd_pool_t                pool;
    const char               *consent;
    const fwd_event_t        *ev;
    const fwd_wanted_conf_t  *w;

    w = &trial->conf.wanted;
    ev = &trial->event;
    fwd_pool_init(&pool);

    consent = fwd_pool_printf(&pool, "needs %s; %s%.*s",
                              fwd_explain_words(&w->consent, &pool),
                              !ev->consent ? "nobody was asked"
                              : ev->granted.len == 0 ? "nothing is granted"
                                                     : "granted are ",
                              ev->consent ? (int) ev->granted.len : 0,
                              (const char *) ev->text.data + ev->granted.at);

    (void) snprintf(rollout, sizeof(rollout), "%u.%02u%% of persons",
                    (unsigned) w->rollout / 100, (unsigned) w->rollout % 100);

    (void) printf("\nrules\n");

    fwd_explain_rule(trial, FWD_WANTED_DISABLED, "enabled", 1, "");
    fwd_explain_rule(trial, FWD_WANTED_SOURCE, "sources",
                     w->sources.count != 0,
                     fwd_explain_words(&w->sources, &pool));
    fwd_explain_rule(trial, FWD_WANTED_NAME, "events", w->events.count != 0,
                     fwd_explain_words(&w->events, &pool));
    fwd_explain_rule(trial, FWD_WANTED_CONSENT, "consent",
                     w->consent.count != 0, consent);
    fwd_explain_rule(trial, FWD_WANTED_ROLLOUT, "rollout",
                     w->rollout < 10000, rollout);
    fwd_explain_rule(trial, FWD_WANTED_SUPPRESSED, "suppress",
                     w->suppress != NULL, w->suppress ? w->suppress : "");
    fwd_explain_rule(trial, FWD_WANTED_WHEN, "when", w->when != NULL,
                     trial->wanted == FWD_WANTED_WHEN_ERROR
                     ? "the program failed" : w->when ? w->when : "");

    (void) printf("  -> %s%s\n", trial->wanted == FWD_WANTED_YES
                                 ? "wanted" : "not sent: ",
                  fwd_wanted_name(trial->wanted));

    fwd_pool_free(&pool);
}


/* Rules are asked in the order of their answers, up to one that refuses. */

static void
fwd_explain_rule(const fwd_cli_trial_t *trial, fwd_wanted_answer_t rule,
    const char *name, int asked, const char *detail)
{
    const char           *word;
    fwd_wanted_answer_t   answer;

    answer = (trial->wanted == FWD_WANTED_WHEN_ERROR) ? FWD_WANTED_WHEN
                                                      : trial->wanted;

    if (!asked) {
        word = "none";

    } else if (answer == rule) {
        word = "refuses";

    } else if (answer != FWD_WANTED_YES && answer < rule) {
        word = "not asked";

    } else {
        word = "passes";
    }

    if (!asked || *detail == '\0') {
        (void) printf("  %-10s %s\n", name, word);    /* no blanks at its end */
        return;
    }

    (void) printf("  %-10s %-10s %s\n", name, word, detail);
}


static const char *
fwd_explain_words(const fwd_words_t *words, fwd_pool_t *pool)
{
    size_t       i;
    const char  *text;

    text = "";

    for (i = 0; i < words->count; i++) {
        text = fwd_pool_printf(pool, "%s%s%s", text, i ? ", " : "",
                               words->list[i]);
    }

    return text;
}


/* In a stream the age counts from the entry, that is from receivedAt. */

static void
fwd_explain_age(const fwd_cli_trial_t *trial)
{
    char         age[FWD_CLI_TIME_MAX], max[FWD_CLI_TIME_MAX];
    json_t      *event;
    int64_t      ms;
    uint64_t     max_ms;
    const char  *text;

    max_ms = trial->conf.policy.max_age_ms;

    if (max_ms == 0) {
        return;
    }

    event = json_loadb((const char *) trial->text.data, trial->text.len, 0,
                       NULL);
    text = json_string_value(json_object_get(event, "receivedAt"));

    (void) printf("\nage\n");

    if (text == NULL
        || martech_time_parse((const unsigned char *) text, strlen(text), &ms)
           != MARTECH_OK)
    {
        (void) printf("  at most %s; the event has no receivedAt\n",
                      fwd_cli_age(max, max_ms));

    } else {
        ms = (int64_t) trial->now_ms - ms;
        ms = ms > 0 ? ms : 0;

        (void) printf("  %s, at most %s%s\n",
                      fwd_cli_age(age, (uint64_t) ms),
                      fwd_cli_age(max, max_ms),
                      (uint64_t) ms > max_ms
                      ? ": expired, it would not be sent" : "");
    }

    json_decref(event);
}


static void
fwd_explain_map(const fwd_cli_trial_t *trial, const fwd_try_output_t *out)
{
    uint32_t       i;
    martech_str_t  text;

    (void) printf("\nmap\n");

    if (trial->conf.desc->map == NULL) {
        (void) printf("  there is no map.jq: the event is the record\n");
    }

    if (out->events[0].end != FWD_TRY_SENT) {
        (void) printf("  no record, the event is %s: %s\n",
                      out->events[0].end == FWD_TRY_DEAD
                      ? "a dead letter" : "dropped",
                      out->events[0].reason[0] != '\0'
                      ? out->events[0].reason : "no_record");
        return;
    }

    for (i = 0; i < out->sequences_count; i++) {
        (void) printf("  one record, through the sequence\n");
        fwd_explain_record(trial, out->sequences[i].text);
    }

    for (i = 0; i < out->records_count; i++) {
        (void) printf("  record %u of %u\n", (unsigned) i + 1,
                      (unsigned) out->records_count);

        if (out->record_steers != NULL) {
            fwd_explain_steer(trial, &out->record_steers[i]);
        }

        text.data = (const unsigned char *) out->records[i];
        text.len = strlen(out->records[i]);
        fwd_explain_record(trial, text);
    }
}


static void
fwd_explain_record(const fwd_cli_trial_t *trial, martech_str_t record)
{
    char    *text;
    json_t  *value;

    value = json_loadb((const char *) record.data, record.len,
                       JSON_DECODE_ANY, NULL);
    text = json_dumps(value, JSON_ENCODE_ANY | JSON_INDENT(2)
                             | JSON_REAL_PRECISION(15));
    fwd_cli_trial_text(trial, "    ", text ? text : (const char *) record.data,
                       text ? strlen(text) : record.len);
    free(text);
    json_decref(value);
}


static void
fwd_explain_steer(const fwd_cli_trial_t *trial, const fwd_steer_t *steer)
{
    size_t  i;

    const struct {
        const char           *name;
        const martech_str_t  *text;
    } texts[] = {
        { "@group", &steer->group },
        { "@path", &steer->path },
        { "@array", &steer->array },
        { "@merge", &steer->merge }
    };

    if (steer->endpoint < trial->conf.http.endpoints_count) {
        (void) printf("    @endpoint %s\n",
                      trial->conf.http.endpoints[steer->endpoint].name);
    }

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].text->len != 0) {
            (void) printf("    %s ", texts[i].name);
            fwd_cli_trial_text(trial, "", texts[i].text->data,
                               texts[i].text->len);
        }
    }

    if (steer->alone) {
        (void) printf("    @alone\n");
    }
}


static void
fwd_explain_calls(const fwd_cli_trial_t *trial, const fwd_try_output_t *out)
{
    uint32_t               i;
    const fwd_try_call_t  *call;
    const fwd_endpoint_t  *e;

    for (i = 0; i < out->calls_count; i++) {
        call = &out->calls[i];
        e = fwd_endpoint_find(&trial->conf, call->endpoint,
                              strlen(call->endpoint));

        (void) printf("\nrequest %u of %u: endpoint %s, %u record%s%s\n",
                      (unsigned) i + 1, (unsigned) out->calls_count,
                      call->endpoint, (unsigned) call->count,
                      call->count == 1 ? "" : "s",
                      call->gzip ? ", gzip" : "");

        if (e != NULL) {
            (void) printf("  shared by up to %llu records and %llu bytes; "
                          "these are %zu bytes\n",
                          (unsigned long long) (e->single ? 1 : e->count_max),
                          (unsigned long long) e->bytes_max, call->body_len);
        }

        fwd_cli_trial_print(trial, call);
    }

    if (out->calls_count == 0 && out->records_count != 0) {
        (void) printf("\nwritten to %s\n", trial->conf.file.path
                                           ? trial->conf.file.path : "a file");
    }
}
