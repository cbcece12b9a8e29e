
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_sequence and fwd_desc_sequence: what each outcome of
 * a step leads to, what is captured, cached and kept, how it goes on, how it
 * is undone, and what is no sequence.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE                      /* clearenv() */
#endif

#include "fwd_test.h"

/* this project */
#include "martech_base64.h"

/* forwarder */
#include "fwd_attempts.h"
#include "fwd_sequence.h"
#include "fwd_try.h"


#define TEST_HEAD                                                             \
    "name: acme\nkind: http\nsettings: { pixel: { default: p-1 }, "           \
    "token: { secret: true } }\n"                                             \
    "endpoints:\n"                                                            \
    "  one: { url: 'https://x.example.com/one' }\n"                           \
    "  two: { url: 'https://x.example.com/two/{record.id}', "                 \
    "ambiguous: dead, batch: { count: 1, bytes: 1k } }\n"                     \
    "  three: { url: 'https://x.example.com/three', ambiguous: done }\n"

#define TEST_MAP  "{ \"@endpoint\": \"sequence\", n: .event.n }"

/* Two steps with an undo each, and a third. */
#define TEST_THREE                                                            \
    "sequence:\n"                                                             \
    "  - { name: a, endpoint: one, map: '{s: \"a\", n: .record.n}', "         \
    "capture: { id: .body.id }, idempotent: true, "                           \
    "compensate: { endpoint: one, map: '{u: .steps.a.id}' } }\n"              \
    "  - { name: b, endpoint: two, map: '{s: \"b\", \"@path\": "              \
    "{id: .steps.a.id}}', compensate: { endpoint: three, "                    \
    "map: '{u: .steps.b.done}' } }\n"                                         \
    "  - { name: c, endpoint: three, map: '{s: \"c\"}' }\n"

#define TEST_CACHE                                                            \
    "sequence:\n"                                                             \
    "  - { name: a, endpoint: one, map: '{s: \"a\"}', "                       \
    "capture: { id: .body.id }, idempotent: true, "                           \
    "cache: { key: .record.n, ttl: 1h, negative: 1m }, "                      \
    "compensate: { endpoint: one, map: '{u: 1}' } }\n"                        \
    "  - { name: b, endpoint: one, map: '{s: \"b\", id: .steps.a.id}' }\n"


typedef struct {
    fwd_pool_t            pool;
    fwd_report_t          report;
    fwd_dest_conf_t       conf;
    fwd_sequence_t       *seq;
} test_dest_t;


/* The answers in their order, "OUTCOME BODY", and what is done. */
typedef struct {
    const char           *about;
    const char           *yaml;
    const char           *record;
    const char           *answers[8];
    const char           *log;
} test_row_t;


static const test_row_t  test_rows[] = {

    /* the table of outcomes */

    { "all is well", TEST_THREE, "{\"n\":1}",
      { "delivered {\"id\":7}", "delivered", "delivered" },
      "a{\"s\":\"a\",\"n\":1} b{\"s\":\"b\"}{\"id\":7} c{\"s\":\"c\"} "
      "= done delivered" },
    { "a duplicate is captured too", TEST_THREE, "{\"n\":1}",
      { "duplicate {\"id\":\"x\"}", "duplicate", "duplicate" },
      "a{\"s\":\"a\",\"n\":1} b{\"s\":\"b\"}{\"id\":\"x\"} c{\"s\":\"c\"} "
      "= done delivered" },
    { "drop ends it, nothing is undone", TEST_THREE, "{\"n\":1}",
      { "delivered {\"id\":7}", "dropped" },
      "a{\"s\":\"a\",\"n\":1} b{\"s\":\"b\"}{\"id\":7} = drop dropped" },
    { "retry", TEST_THREE, "{\"n\":1}",
      { "delivered {\"id\":7}", "retry" },
      "a{\"s\":\"a\",\"n\":1} b{\"s\":\"b\"}{\"id\":7} = pause retry at b" },
    { "throttled", TEST_THREE, "{\"n\":1}",
      { "delivered {\"id\":7}", "throttled - slow" },
      "a{\"s\":\"a\",\"n\":1} b{\"s\":\"b\"}{\"id\":7} "
      "= pause throttled at b (b:slow)" },
    { "credentials", TEST_THREE, "{\"n\":1}", { "credentials" },
      "a{\"s\":\"a\",\"n\":1} = pause credentials at a" },
    { "stop", TEST_THREE, "{\"n\":1}", { "stop" },
      "a{\"s\":\"a\",\"n\":1} = pause stop at a" },
    { "paused", TEST_THREE, "{\"n\":1}", { "paused" },
      "a{\"s\":\"a\",\"n\":1} = pause paused at a" },
    { "unclassified", TEST_THREE, "{\"n\":1}", { "unclassified" },
      "a{\"s\":\"a\",\"n\":1} = pause unclassified at a" },
    { "ambiguous, idempotent", TEST_THREE, "{\"n\":1}", { "ambiguous" },
      "a{\"s\":\"a\",\"n\":1} = pause retry at a" },
    { "ambiguous, the endpoint says dead", TEST_THREE, "{\"n\":1}",
      { "delivered {\"id\":7}", "ambiguous", "delivered" },
      "a{\"s\":\"a\",\"n\":1} b{\"s\":\"b\"}{\"id\":7} a!{\"u\":7} "
      "= dead rejected (b:ambiguous)" },
    { "ambiguous, the endpoint says done", TEST_THREE, "{\"n\":1}",
      { "delivered {\"id\":7}", "delivered", "ambiguous" },
      "a{\"s\":\"a\",\"n\":1} b{\"s\":\"b\"}{\"id\":7} c{\"s\":\"c\"} "
      "= done delivered" },
    { "done, but nobody knows what: the others cannot be made",
      "sequence:\n"
      "  - { name: a, endpoint: three, map: '{s: 1}', "
      "capture: { id: .body.id } }\n"
      "  - { name: b, endpoint: one, map: '{s: 2}' }\n", "{}",
      { "ambiguous" }, "a{\"s\":1} = done delivered" },
    { "ambiguous, the default", "sequence:\n"
      "  - { name: a, endpoint: one, map: '{s: 1}' }\n", "{}",
      { "ambiguous" }, "a{\"s\":1} = pause retry at a" },
    { "a reject of the first one", TEST_THREE, "{\"n\":1}",
      { "rejected - bad" }, "a{\"s\":\"a\",\"n\":1} "
      "= dead rejected (a:bad)" },
    { "of the last one: the newest step is undone first", TEST_THREE,
      "{\"n\":1}",
      { "delivered {\"id\":7}", "delivered", "rejected - no such",
        "delivered", "delivered" },
      "a{\"s\":\"a\",\"n\":1} b{\"s\":\"b\"}{\"id\":7} c{\"s\":\"c\"} "
      "b!{\"u\":true} a!{\"u\":7} = dead rejected (c:no such)" },
    { "an undo that is refused is passed over", TEST_THREE, "{\"n\":1}",
      { "delivered {\"id\":7}", "delivered", "rejected - x", "rejected - y",
        "dropped" },
      "a{\"s\":\"a\",\"n\":1} b{\"s\":\"b\"}{\"id\":7} c{\"s\":\"c\"} "
      "b!{\"u\":true} a!{\"u\":7} = dead rejected "
      "(c:x (compensation of b failed)) 1 warning" },
    { "an undo that has to wait", TEST_THREE, "{\"n\":1}",
      { "delivered {\"id\":7}", "rejected - x", "throttled" },
      "a{\"s\":\"a\",\"n\":1} b{\"s\":\"b\"}{\"id\":7} a!{\"u\":7} "
      "= pause throttled at a!" },
    { "an undo whose answer never came follows its endpoint", TEST_THREE,
      "{\"n\":1}",
      { "delivered {\"id\":7}", "delivered", "rejected - x", "ambiguous",
        "ambiguous" },
      "a{\"s\":\"a\",\"n\":1} b{\"s\":\"b\"}{\"id\":7} c{\"s\":\"c\"} "
      "b!{\"u\":true} a!{\"u\":7} = pause retry at a!" },

    /* conditions, maps */

    { "when is not true",
      "sequence:\n"
      "  - { name: a, endpoint: one, when: .record.x, map: '{s: 1}' }\n"
      "  - { name: b, endpoint: one, when: '.steps.a.skipped', "
      "map: '{s: 2, a: .steps.a, c: .steps.c}' }\n"
      "  - { name: c, endpoint: one, when: 'empty', map: '{}' }\n"
      "  - { name: d, endpoint: one, map: 'empty' }\n"
      "  - { name: e, endpoint: one, map: '{\"@drop\": \"no\"}' }\n",
      "{\"x\":1}", { "delivered" },
      "b{\"s\":2,\"a\":{\"done\":false,\"skipped\":true},\"c\":null} "
      "= done delivered" },
    { "nothing is wanted at all", "sequence:\n"
      "  - { name: a, endpoint: one, map: 'empty' }\n", "{}", { NULL },
      "= done delivered" },
    { "settings, markers, comments and functions", "sequence:\n"
      "  - name: a\n    endpoint: one\n    map: |\n"
      "      def f: .settings; # of the destination\n"
      "      {p: f.pixel, t: f.token, u: text(.record.n; [\"upper\"])} # x\n",
      "{\"n\":\"q\"}", { "delivered" },
      "a{\"p\":\"p-1\",\"t\":null,\"u\":\"Q\"} = done delivered" },
    { "names of the record are no markers", "sequence:\n"
      "  - { name: a, endpoint: one, map: '{r: .record.n}' }\n",
      "{\"n\":{\"@secret\":\"token\"}}", { "delivered" },
      "a{\"r\":{\"@secret\":\"token\"}} = done delivered" },
    { "a condition that fails", "sequence:\n"
      "  - { name: a, endpoint: one, when: 'error(\"x\")', map: '{}' }\n",
      "{}", { NULL }, "= dead rejected (a:sequence_error)" },
    { "a map that fails", "sequence:\n"
      "  - { name: a, endpoint: one, map: '.record.x.y.z' }\n",
      "{\"x\":1}", { NULL }, "= dead rejected (a:sequence_error)" },
    { "a map that gives no object", "sequence:\n"
      "  - { name: a, endpoint: one, map: '1' }\n",
      "{}", { NULL }, "= dead rejected (a:sequence_error)" },
    { "a map that says why", "sequence:\n"
      "  - { name: a, endpoint: one, map: '{\"@error\": \"No id\"}' }\n",
      "{}", { NULL }, "= dead rejected (a:no_id)" },
    { "a map that steers as of batches", "sequence:\n"
      "  - { name: a, endpoint: one, map: '{\"@merge\": \"x\"}' }\n",
      "{}", { NULL }, "= dead rejected (a:sequence_error)" },
    { "null says nothing", "sequence:\n"
      "  - { name: a, endpoint: one, map: '{\"@merge\": null}' }\n",
      "{}", { "delivered" }, "a{} = done delivered" },
    { "a record above its endpoint's limit", "sequence:\n"
      "  - { name: a, endpoint: two, map: '{x: (\"y\" * 2000)}' }\n",
      "{}", { NULL }, "= dead rejected (a:record_too_large)" },
    { "an undo that fails as a program", "sequence:\n"
      "  - { name: a, endpoint: one, map: '{}', compensate: "
      "{ endpoint: one, map: 'error(\"x\")' } }\n"
      "  - { name: b, endpoint: one, map: '{}', compensate: "
      "{ endpoint: one, map: 'empty' } }\n"
      "  - { name: c, endpoint: one, map: '{}' }\n",
      "{}", { "delivered", "delivered", "rejected - x" },
      "a{} b{} c{} = dead rejected (c:x (compensation of a failed)) "
      "1 warning" },
    { "a step that was left out is not undone", "sequence:\n"
      "  - { name: a, endpoint: one, map: 'empty', compensate: "
      "{ endpoint: one, map: '{}' } }\n"
      "  - { name: b, endpoint: one, map: '{}' }\n",
      "{}", { "rejected - x" }, "b{} = dead rejected (b:x)" },
    { "optional", "sequence:\n"
      "  - { name: a, endpoint: one, map: '{}', optional: true, "
      "capture: { id: .body.id } }\n"
      "  - { name: b, endpoint: one, map: '{a: .steps.a.id}' }\n",
      "{}", { "rejected - x", "delivered" },
      "a{} b{\"a\":null} = done delivered 1 warning" },
    { "optional does not mean impatient", "sequence:\n"
      "  - { name: a, endpoint: one, map: '{}', optional: true }\n",
      "{}", { "throttled" }, "a{} = pause throttled at a" },

    /* captures */

    { "several, of three kinds", "sequence:\n"
      "  - { name: a, endpoint: one, map: '{}', capture: "
      "{ t: .body.t, n: .body.n, b: '.body.b // false', "
      "h: '.headers[\"x-id\"] // \"none\"', w: '\"\\(.step) \\(.endpoint) "
      "\\(.status) \\(.settings.pixel)\"' } }\n"
      "  - { name: b, endpoint: one, map: '.steps.a' }\n",
      "{}", { "delivered {\"t\":\"x\",\"n\":1.5}", "delivered" },
      "a{} b{\"t\":\"x\",\"n\":1.5,\"b\":false,\"h\":\"7\","
      "\"w\":\"a one 200 p-1\",\"done\":true} = done delivered" },
    { "null, idempotent: it is asked for again", TEST_THREE, "{\"n\":1}",
      { "delivered {}" },
      "a{\"s\":\"a\",\"n\":1} = pause retry at a (a:not_captured)" },
    { "an object", TEST_THREE, "{\"n\":1}", { "delivered {\"id\":{}}" },
      "a{\"s\":\"a\",\"n\":1} = pause retry at a (a:not_captured)" },
    { "an answer that is no JSON", TEST_THREE, "{\"n\":1}",
      { "delivered <html>" },
      "a{\"s\":\"a\",\"n\":1} = pause retry at a (a:not_captured)" },
    { "null, not idempotent: it was done once", "sequence:\n"
      "  - { name: a, endpoint: one, map: '{}', "
      "capture: { id: .body.id } }\n", "{}", { "delivered {}" },
      "a{} = dead rejected (a:not_captured)" },
    { "a program without an output", "sequence:\n"
      "  - { name: a, endpoint: one, map: '{}', "
      "capture: { id: empty } }\n", "{}", { "delivered {}" },
      "a{} = dead rejected (a:not_captured)" },
    { "a text above 1 KiB", "sequence:\n"
      "  - { name: a, endpoint: one, map: '{}', "
      "capture: { id: '\"x\" * 1025' } }\n", "{}", { "delivered {}" },
      "a{} = dead rejected (a:not_captured)" },
    { "more than can be kept, and what is before is undone", "sequence:\n"
      "  - { name: a, endpoint: one, map: '{}', "
      "capture: { x: '\"x\" * 1024', y: '\"y\" * 1024' }, "
      "compensate: { endpoint: one, map: '{u: 1}' } }\n"
      "  - { name: b, endpoint: one, map: '{}', optional: true, "
      "capture: { x: '\"x\" * 1024', y: '\"y\" * 1024' } }\n",
      "{}", { "delivered {}", "delivered {}", "delivered" },
      "a{} b{} a!{\"u\":1} = dead rejected (b:captured_too_large)" },

    /* caches */

    { "a miss, and what is stored", TEST_CACHE, "{\"n\":1}",
      { "delivered {\"id\":7}", "delivered" },
      "?a a{\"s\":\"a\"} +{\"id\":7}/3600000 b{\"s\":\"b\",\"id\":7} "
      "= done delivered" },
    { "a hit", TEST_CACHE, "{\"n\":\"hit\"}", { "delivered" },
      "?a b{\"s\":\"b\",\"id\":\"cached\"} = done delivered" },
    { "what was not done here is not undone", TEST_CACHE,
      "{\"n\":\"hit\"}", { "rejected - x" },
      "?a b{\"s\":\"b\",\"id\":\"cached\"} = dead rejected (b:x)" },
    { "no key, no cache", TEST_CACHE, "{}",
      { "delivered {\"id\":7}", "delivered" },
      "a{\"s\":\"a\"} b{\"s\":\"b\",\"id\":7} = done delivered" },
    { "a refusal is kept", TEST_CACHE, "{\"n\":1}", { "rejected - none" },
      "?a a{\"s\":\"a\"} +\"none\"/60000 = dead rejected (a:none)" },
    { "and found", TEST_CACHE, "{\"n\":\"refused\"}", { NULL },
      "?a = dead rejected (a:known)" },
    { "garbage in a cache is a miss", TEST_CACHE, "{\"n\":\"garbage\"}",
      { "retry" }, "?a a{\"s\":\"a\"} = pause retry at a" },
    { "values of another description too", TEST_CACHE,
      "{\"n\":\"other\"}", { "retry" },
      "?a a{\"s\":\"a\"} = pause retry at a" },
    { "a value that turns out wrong", TEST_CACHE, "{\"n\":\"hit\"}",
      { "retry ~a gone" },
      "?a b{\"s\":\"b\",\"id\":\"cached\"} -a = pause retry at a "
      "(b:gone)" },
    { "a name that is none", TEST_CACHE, "{\"n\":\"hit\"}",
      { "retry ~aa gone" },
      "?a b{\"s\":\"b\",\"id\":\"cached\"} = pause retry at b (b:gone)" },
    { "a reject forgets, and stays one", TEST_CACHE, "{\"n\":\"hit\"}",
      { "rejected ~a gone" },
      "?a b{\"s\":\"b\",\"id\":\"cached\"} -a = dead rejected (b:gone)" },
    { "a key that fails", "sequence:\n"
      "  - { name: a, endpoint: one, map: '{}', capture: { id: .body.id }, "
      "cache: { key: 'error(\"x\")', ttl: 1h } }\n", "{}", { NULL },
      "= dead rejected (a:sequence_error)" },
};


static const char *const  test_ends[] = {
    [FWD_STEP_NEXT] = "next", [FWD_STEP_SEND] = "send",
    [FWD_STEP_LOOKUP] = "lookup", [FWD_STEP_DONE] = "done",
    [FWD_STEP_DROP] = "drop", [FWD_STEP_DEAD] = "dead",
    [FWD_STEP_PAUSE] = "pause"
};


/* FWD_ERROR with what is wrong in dest->report. */

static fwd_rc_t
test_open(test_dest_t *dest, const char *yaml, const char *settings)
{
    char         text[65536];
    fwd_desc_t  *desc;

    memset(dest, 0, sizeof(*dest));
    fwd_pool_init(&dest->pool);
    dest->report.pool = &dest->pool;

    (void) mkdir(test_path("acme"), 0700);
    (void) snprintf(text, sizeof(text), TEST_HEAD "%s", yaml);
    test_write("acme/destination.yaml", text);
    test_write("acme/map.jq", TEST_MAP);

    if (fwd_desc_load(&desc, fwd_pool_string(&dest->pool, test_path("acme"),
                                             strlen(test_path("acme"))),
                      "acme", &dest->report, &dest->pool)
        != FWD_OK
        || fwd_try_conf(&dest->conf, desc, settings, "production",
                        &dest->report, &dest->pool)
           != FWD_OK)
    {
        return FWD_ERROR;
    }

    return fwd_sequence_create(&dest->seq, &dest->conf, &dest->report);
}


static void
test_close(test_dest_t *dest)
{
    fwd_sequence_destroy(dest->seq);
    fwd_pool_free(&dest->pool);
}


/* "OUTCOME BODY": "-" and "~NAME" stand for no body, then the reason. */

static fwd_step_next_t
test_answer(fwd_steps_t *steps, const fwd_step_t *step, const char *text,
    char *log)
{
    char                 word[32], forget[32];
    uint32_t             i;
    const char          *rest;
    fwd_step_next_t      next;
    fwd_step_answer_t    answer;
    fwd_answer_input_t   in;
    fwd_steps_effect_t   effect;

    memset(&in, 0, sizeof(in));
    memset(&answer, 0, sizeof(answer));
    (void) sscanf(text, "%31s", word);
    assert_int_equal(fwd_outcome_parse(&answer.outcome, word), FWD_OK);

    rest = text + strlen(word);
    rest += (*rest == ' ');

    in.status = 200;
    in.headers = test_str("x-id: 7\n");
    in.count = 1;
    in.attempt = 1;
    in.endpoint = step->endpoint->name;
    in.step = step->name;
    in.body = test_str(rest);

    if (*rest == '~') {
        (void) sscanf(rest + 1, "%31s", forget);
        answer.forget = forget;
        rest += 1 + strlen(forget) + 1;
        answer.reason = test_str(rest);

    } else if (*rest == '-') {
        answer.reason = test_str(rest + 2);
    }

    answer.in = (answer.outcome == FWD_OUTCOME_AMBIGUOUS) ? NULL : &in;
    next = fwd_steps_answer(steps, &answer, &effect);

    if (effect.value.len != 0) {
        assert_string_equal(effect.store.step, step->name);
        assert_string_equal(effect.store.key, step->key);
        (void) sprintf(log + strlen(log), "+%.*s/%llu ",
                       (int) effect.value.len,
                       (const char *) effect.value.data,
                       (unsigned long long) effect.ttl_ms);
    }

    for (i = 0; i < effect.forget_count; i++) {
        assert_int_equal(strlen(effect.forget[i].key),
                         FWD_SEQUENCE_DIGEST_LEN);
        (void) sprintf(log + strlen(log), "-%s ", effect.forget[i].step);
    }

    return next;
}


static const char *
test_cached(const char *record)
{
    return strstr(record, "\"hit\"") ? "{\"id\":\"cached\"}"
           : strstr(record, "\"refused\"") ? "\"known\""
           : strstr(record, "\"garbage\"") ? "{\"id\":"
           : strstr(record, "\"other\"") ? "{\"id\":\"1\",\"x\":2}" : "";
}


/* Runs a sequence to its end, or to the end of the answers. */

static fwd_step_next_t
test_walk(fwd_steps_t *steps, const char *record, const char *const *answers,
    char *log)
{
    fwd_step_t       step, again;
    fwd_step_next_t  next;

    for ( ;; ) {
        next = fwd_steps_next(steps, &step);

        /* asked twice it says the same */

        assert_int_equal(fwd_steps_next(steps, &again), next);
        assert_int_equal(again.text.len, step.text.len);

        if (next == FWD_STEP_LOOKUP) {
            assert_int_equal(strlen(step.key), FWD_SEQUENCE_DIGEST_LEN);
            (void) sprintf(log + strlen(log), "?%s ", step.name);
            fwd_steps_cached(steps, test_str(test_cached(record)));
            continue;
        }

        if (next == FWD_STEP_SEND) {
            (void) sprintf(log + strlen(log), "%s%s%.*s%.*s ", step.name,
                           step.compensating ? "!" : "", (int) step.text.len,
                           (const char *) step.text.data,
                           (int) step.path.len,
                           (const char *) step.path.data);

            if (*answers == NULL) {
                return FWD_STEP_SEND;
            }

            next = test_answer(steps, &step, *answers++, log);
        }

        if (next != FWD_STEP_NEXT) {
            return next;
        }
    }
}


static void
test_say(fwd_steps_t *steps, fwd_step_next_t end, char *log)
{
    const char  *reason;

    reason = fwd_steps_reason(steps);

    (void) sprintf(log + strlen(log), "= %s %s", test_ends[end],
                   fwd_outcome_name(fwd_steps_outcome(steps)));

    if (end == FWD_STEP_PAUSE) {
        (void) sprintf(log + strlen(log), " at %s",
                       fwd_steps_at(steps, NULL));
    }

    /* of a pause the name alone says nothing */

    if ((end == FWD_STEP_PAUSE && strchr(reason, ':') != NULL)
        || end == FWD_STEP_DEAD)
    {
        (void) sprintf(log + strlen(log), " (%s)", reason);
    }

    if (fwd_steps_warnings(steps) != 0) {
        (void) sprintf(log + strlen(log), " %u warning",
                       fwd_steps_warnings(steps));
    }
}


static void
test_outcomes(void **state)
{
    char              log[16384];
    size_t            i;
    test_dest_t       dest;
    fwd_steps_t      *steps;
    fwd_step_next_t   end;

    (void) state;

    for (i = 0; i < test_count(test_rows); i++) {

        if (test_open(&dest, test_rows[i].yaml, "{\"token\":\"hunter2\"}")
            != FWD_OK)
        {
            fail_msg("%s: %s", test_rows[i].about, dest.report.texts[0]);
        }

        log[0] = '\0';
        steps = fwd_steps_begin(dest.seq, test_str(test_rows[i].record),
                                test_str(""));
        assert_non_null(steps);
        end = test_walk(steps, test_rows[i].record, test_rows[i].answers,
                        log);
        test_say(steps, end, log);

        if (strcmp(log, test_rows[i].log) != 0) {
            test_fail("%s:\n  %s\n  %s", test_rows[i].about, log,
                      test_rows[i].log);
        }

        fwd_steps_free(steps);
        test_close(&dest);
    }
}


/* Of a pause, the progress; then on with another record, or description. */

static void
test_resume(void **state)
{
    static const struct {
        const char  *about;
        const char  *answers[4];
        const char  *record;
        const char  *settings;
        const char  *more[8];
        const char  *log;
    } rows[] = {
        { "at the first step there is nothing to keep", { "retry" },
          "{\"n\":1}", "{}", { "retry" }, "a{\"s\":\"a\",\"n\":1} = pause" },
        { "at the second", { "delivered {\"id\":\"i d\"}", "retry" },
          "{\"n\":1}", "{}", { "delivered", "delivered" },
          "b{\"s\":\"b\"}{\"id\":\"i d\"} c{\"s\":\"c\"} = done" },
        { "another record", { "delivered {\"id\":7}", "retry" },
          "{\"n\":2}", "{}", { "retry" },
          "a{\"s\":\"a\",\"n\":2} = pause" },
        { "another setting", { "delivered {\"id\":7}", "retry" },
          "{\"n\":1}", "{\"pixel\":\"p-2\"}", { "retry" },
          "a{\"s\":\"a\",\"n\":1} = pause" },
        { "another secret", { "delivered {\"id\":7}", "retry" },
          "{\"n\":1}", "{\"token\":\"new\"}", { "retry" },
          "b{\"s\":\"b\"}{\"id\":7} = pause" },
        { "while undoing",
          { "delivered {\"id\":7}", "delivered", "rejected - x", "retry" },
          "{\"n\":1}", "{}", { "delivered", "delivered" },
          "b!{\"u\":true} a!{\"u\":7} = dead c:x" },
        { "the third answer without a value", { "delivered {}" },
          "{\"n\":1}", "{}", { "delivered {}" },
          "a{\"s\":\"a\",\"n\":1} = pause" },
    };

    char              log[4096];
    size_t            i;
    fwd_buf_t         kept;
    test_dest_t       dest;
    fwd_steps_t      *steps;
    martech_str_t     progress;
    fwd_attempts_t    tries;
    fwd_step_next_t   end;

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        assert_int_equal(test_open(&dest, TEST_THREE, "{}"), FWD_OK);

        log[0] = '\0';
        steps = fwd_steps_begin(dest.seq, test_str("{\"n\":1}"),
                                test_str(""));
        end = test_walk(steps, "", rows[i].answers, log);
        assert_int_equal(end, FWD_STEP_PAUSE);

        fwd_buf_init(&kept, 8192);
        assert_int_equal(fwd_steps_progress(steps, &kept), FWD_OK);
        fwd_steps_free(steps);
        test_close(&dest);

        assert_int_equal(kept.len == 0, i == 0);

        /* as it goes through the hash "try" */

        memset(&tries, 0, sizeof(tries));
        progress.data = kept.data;
        progress.len = kept.len;
        assert_int_equal(fwd_attempts_progress(&tries, progress), FWD_OK);
        progress = test_str(tries.progress ? tries.progress : "");

        assert_int_equal(test_open(&dest, TEST_THREE, rows[i].settings),
                         FWD_OK);
        log[0] = '\0';
        steps = fwd_steps_begin(dest.seq, test_str(rows[i].record),
                                progress);
        end = test_walk(steps, "", rows[i].more, log);
        (void) sprintf(log + strlen(log), "= %s%s%s", test_ends[end],
                       end == FWD_STEP_DEAD ? " " : "",
                       end == FWD_STEP_DEAD ? fwd_steps_reason(steps) : "");

        if (strcmp(log, rows[i].log) != 0) {
            test_fail("%s:\n  %s\n  %s", rows[i].about, log, rows[i].log);
        }

        fwd_steps_free(steps);
        test_close(&dest);
        fwd_attempts_clear(&tries);
        fwd_buf_free(&kept);
    }
}


/* Three times in a row over attempts, each with the progress before. */

static void
test_misses(void **state)
{
    char              log[1024];
    int               i;
    fwd_buf_t         kept;
    test_dest_t       dest;
    fwd_steps_t      *steps;
    martech_str_t     progress;
    fwd_step_next_t   end;

    static const char *const  answers[] = { "delivered {}", NULL };

    (void) state;

    assert_int_equal(test_open(&dest, TEST_THREE, "{}"), FWD_OK);
    fwd_buf_init(&kept, 8192);

    for (i = 0; i < 3; i++) {
        progress.data = kept.data;
        progress.len = kept.len;
        log[0] = '\0';

        steps = fwd_steps_begin(dest.seq, test_str("{\"n\":1}"), progress);
        end = test_walk(steps, "", answers, log);
        assert_int_equal(end, i < 2 ? FWD_STEP_PAUSE : FWD_STEP_DEAD);
        assert_string_equal(fwd_steps_reason(steps), "a:not_captured");

        fwd_buf_reset(&kept);
        assert_int_equal(fwd_steps_progress(steps, &kept), FWD_OK);
        assert_int_equal(kept.len == 0, i == 2);
        fwd_steps_free(steps);
    }

    fwd_buf_free(&kept);
    test_close(&dest);
}


/* With "start" nothing is kept. */

static void
test_start(void **state)
{
    char              log[1024];
    fwd_buf_t         kept;
    test_dest_t       dest;
    fwd_steps_t      *steps;

    static const char *const  answers[] = { "delivered", "retry", NULL };

    (void) state;

    assert_int_equal(test_open(&dest, "sequence_resume: start\nsequence:\n"
        "  - { name: a, endpoint: one, map: '{}', idempotent: true }\n"
        "  - { name: b, endpoint: one, map: '{}', idempotent: true }\n",
        "{}"), FWD_OK);

    log[0] = '\0';
    fwd_buf_init(&kept, 8192);
    steps = fwd_steps_begin(dest.seq, test_str("{}"), test_str(""));
    assert_int_equal(test_walk(steps, "", answers, log), FWD_STEP_PAUSE);
    assert_string_equal(fwd_steps_at(steps, NULL), "b");
    assert_int_equal(fwd_steps_progress(steps, &kept), FWD_OK);
    assert_int_equal(kept.len, 0);

    fwd_steps_free(steps);
    fwd_buf_free(&kept);
    test_close(&dest);
}


/* The caller gives it up: attempts are used up. */

static void
test_fail_for_good(void **state)
{
    char              log[1024];
    uint32_t          index;
    test_dest_t       dest;
    fwd_step_t        step;
    fwd_steps_t      *steps;

    static const char *const  first[] = { "retry", NULL };
    static const char *const  second[] = { "delivered {\"id\":7}", "retry",
                                           NULL };
    static const char *const  none[] = { NULL };
    static const char *const  undone[] = { "retry", NULL };

    (void) state;

    assert_int_equal(test_open(&dest, TEST_THREE, "{}"), FWD_OK);

    /* nothing was done */

    log[0] = '\0';
    steps = fwd_steps_begin(dest.seq, test_str("{\"n\":1}"), test_str(""));
    assert_int_equal(test_walk(steps, "", first, log), FWD_STEP_PAUSE);
    assert_int_equal(fwd_steps_fail(steps, "attempts"), FWD_STEP_DEAD);
    assert_string_equal(fwd_steps_reason(steps), "a:attempts");
    fwd_steps_free(steps);

    /* one step was */

    steps = fwd_steps_begin(dest.seq, test_str("{\"n\":1}"), test_str(""));
    assert_int_equal(test_walk(steps, "", second, log), FWD_STEP_PAUSE);
    assert_int_equal(fwd_steps_fail(steps, "attempts"), FWD_STEP_NEXT);
    assert_true(fwd_steps_compensating(steps));

    log[0] = '\0';
    assert_int_equal(test_walk(steps, "", none, log), FWD_STEP_SEND);
    assert_string_equal(log, "a!{\"u\":7} ");
    assert_string_equal(fwd_steps_at(steps, &index), "a!");
    assert_int_equal(index, 0);

    assert_int_equal(test_walk(steps, "", undone, log), FWD_STEP_PAUSE);
    assert_int_equal(fwd_steps_fail(steps, "attempts"), FWD_STEP_DEAD);
    assert_string_equal(fwd_steps_reason(steps),
                        "b:attempts (compensation of a failed)");
    assert_int_equal(fwd_steps_next(steps, &step), FWD_STEP_DEAD);
    assert_int_equal(fwd_steps_fail(steps, "again"), FWD_STEP_DEAD);
    fwd_steps_free(steps);

    test_close(&dest);
}


static void
test_encode(char *out, const char *json)
{
    char    *p;
    size_t   len;

    len = martech_base64_encode(test_str(json), (unsigned char *) out);
    out[len] = '\0';

    for (p = out; *p != '\0'; p++) {
        *p = (*p == '+') ? '-' : (*p == '/') ? '_' : *p;
        *p = (*p == '=') ? '\0' : *p;

        if (*p == '\0') {
            break;
        }
    }
}


/* The progress behind the first step. */

static void
test_kept(test_dest_t *dest, fwd_buf_t *kept)
{
    char          log[1024];
    fwd_steps_t  *steps;

    static const char *const  answers[] = { "delivered {\"id\":7}", "retry",
                                            NULL };

    log[0] = '\0';
    steps = fwd_steps_begin(dest->seq, test_str("{\"n\":1}"), test_str(""));
    (void) test_walk(steps, "", answers, log);
    assert_int_equal(fwd_steps_progress(steps, kept), FWD_OK);
    fwd_steps_free(steps);
}


static void
test_id(test_dest_t *dest, char id[17])
{
    long            len;
    fwd_buf_t       kept;
    const char     *p;
    martech_str_t   progress;
    unsigned char   plain[8192];

    fwd_buf_init(&kept, 8192);
    test_kept(dest, &kept);

    progress.data = kept.data;
    progress.len = kept.len;
    len = martech_base64_decode(progress, plain);
    assert_true(len > 0);
    plain[len] = '\0';
    fwd_buf_free(&kept);

    p = strstr((char *) plain, "\"r\":\"");
    assert_non_null(p);
    (void) snprintf(id, 17, "%s", p + 5);
}


/* What is not exactly the progress of these steps begins anew. */

static void
test_progress(void **state)
{
    static const struct {
        const char  *json;               /* %s: the id */
        const char  *at;
    } rows[] = {
        { "{\"r\":\"%s\",\"s\":1,\"c\":0,\"k\":\"d--\",\"n\":0,\"f\":0,"
          "\"u\":\"\",\"v\":{\"a\":{\"id\":7}}}", "b" },
        { "{\"r\":\"%s\",\"s\":2,\"c\":0,\"k\":\"ds-\",\"n\":2,\"f\":0,"
          "\"u\":\"\",\"v\":{\"a\":{\"id\":7}},\"new\":1}", "c" },
        { "{\"r\":\"%s\",\"s\":1,\"c\":1,\"k\":\"du-\",\"n\":0,\"f\":2,"
          "\"u\":\"c:x\",\"v\":{\"a\":{\"id\":7}}}", "b!" },
        /* another id */
        { "{\"r\":\"0%.15s\",\"s\":1,\"c\":0,\"k\":\"d--\",\"n\":0,\"f\":0,"
          "\"u\":\"\",\"v\":{\"a\":{\"id\":7}}}", "a" },
        /* places, letters, numbers */
        { "{\"r\":\"%s\",\"s\":3,\"c\":0,\"k\":\"ddd\",\"n\":0,\"f\":0,"
          "\"u\":\"\",\"v\":{\"a\":{\"id\":7}}}", "a" },
        { "{\"r\":\"%s\",\"s\":-1,\"c\":0,\"k\":\"d--\",\"n\":0,\"f\":0,"
          "\"u\":\"\",\"v\":{\"a\":{\"id\":7}}}", "a" },
        { "{\"r\":\"%s\",\"s\":1.5,\"c\":0,\"k\":\"d--\",\"n\":0,\"f\":0,"
          "\"u\":\"\",\"v\":{\"a\":{\"id\":7}}}", "a" },
        { "{\"r\":\"%s\",\"s\":1,\"c\":2,\"k\":\"d--\",\"n\":0,\"f\":0,"
          "\"u\":\"\",\"v\":{\"a\":{\"id\":7}}}", "a" },
        { "{\"r\":\"%s\",\"s\":1,\"c\":0,\"k\":\"d--\",\"n\":3,\"f\":0,"
          "\"u\":\"\",\"v\":{\"a\":{\"id\":7}}}", "a" },
        { "{\"r\":\"%s\",\"s\":1,\"c\":0,\"k\":\"d-\",\"n\":0,\"f\":0,"
          "\"u\":\"\",\"v\":{\"a\":{\"id\":7}}}", "a" },
        { "{\"r\":\"%s\",\"s\":1,\"c\":0,\"k\":\"dd-\",\"n\":0,\"f\":0,"
          "\"u\":\"\",\"v\":{\"a\":{\"id\":7}}}", "a" },
        { "{\"r\":\"%s\",\"s\":1,\"c\":0,\"k\":\"---\",\"n\":0,\"f\":0,"
          "\"u\":\"\",\"v\":{\"a\":{\"id\":7}}}", "a" },
        { "{\"r\":\"%s\",\"s\":1,\"c\":0,\"k\":\"u--\",\"n\":0,\"f\":0,"
          "\"u\":\"\",\"v\":{\"a\":{\"id\":7}}}", "a" },
        { "{\"r\":\"%s\",\"s\":1,\"c\":0,\"k\":\"x--\",\"n\":0,\"f\":0,"
          "\"u\":\"\",\"v\":{\"a\":{\"id\":7}}}", "a" },
        /* values */
        { "{\"r\":\"%s\",\"s\":1,\"c\":0,\"k\":\"d--\",\"n\":0,\"f\":0,"
          "\"u\":\"\",\"v\":{}}", "a" },
        { "{\"r\":\"%s\",\"s\":1,\"c\":0,\"k\":\"d--\",\"n\":0,\"f\":0,"
          "\"u\":\"\",\"v\":{\"a\":{\"id\":null}}}", "a" },
        { "{\"r\":\"%s\",\"s\":1,\"c\":0,\"k\":\"d--\",\"n\":0,\"f\":0,"
          "\"u\":\"\",\"v\":{\"a\":{\"id\":[]}}}", "a" },
        { "{\"r\":\"%s\",\"s\":1,\"c\":0,\"k\":\"d--\",\"n\":0,\"f\":0,"
          "\"u\":\"\",\"v\":{\"a\":{\"id\":1,\"x\":1}}}", "a" },
        { "{\"r\":\"%s\",\"s\":1,\"c\":0,\"k\":\"d--\",\"n\":0,\"f\":0,"
          "\"u\":\"\",\"v\":7}", "a" },
        { "{\"r\":\"%s\",\"s\":1}", "a" },
        { "[\"%s\"]", "a" },
        { "%s", "a" },
    };

    char          json[1024], text[2048], id[17];
    size_t        i;
    test_dest_t   dest;
    fwd_steps_t  *steps;

    (void) state;

    assert_int_equal(test_open(&dest, TEST_THREE, "{}"), FWD_OK);
    test_id(&dest, id);

    for (i = 0; i < test_count(rows); i++) {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void) snprintf(json, sizeof(json), rows[i].json, id);
#pragma GCC diagnostic pop

        test_encode(text, json);
        steps = fwd_steps_begin(dest.seq, test_str("{\"n\":1}"),
                                test_str(text));

        if (strcmp(fwd_steps_at(steps, NULL), rows[i].at) != 0) {
            test_fail("%s: at %s", json, fwd_steps_at(steps, NULL));
        }

        fwd_steps_free(steps);
    }

    test_close(&dest);
}


/* Cut off, too long, no base64. */

static void
test_damaged(void **state)
{
    fwd_buf_t       kept;
    test_dest_t     dest;
    fwd_steps_t    *steps;
    martech_str_t   progress;
    unsigned char   plain[8192];

    (void) state;

    assert_int_equal(test_open(&dest, TEST_THREE, "{}"), FWD_OK);
    fwd_buf_init(&kept, 8192);
    test_kept(&dest, &kept);
    progress.data = kept.data;
    progress.len = kept.len;

    steps = fwd_steps_begin(dest.seq, test_str("{\"n\":1}"), progress);
    assert_string_equal(fwd_steps_at(steps, NULL), "b");
    fwd_steps_free(steps);

    progress.len--;
    steps = fwd_steps_begin(dest.seq, test_str("{\"n\":1}"), progress);
    assert_string_equal(fwd_steps_at(steps, NULL), "a");
    fwd_steps_free(steps);

    memset(plain, 'A', sizeof(plain));
    progress.data = plain;
    progress.len = sizeof(plain);
    steps = fwd_steps_begin(dest.seq, test_str("{\"n\":1}"), progress);
    assert_string_equal(fwd_steps_at(steps, NULL), "a");
    fwd_steps_free(steps);

    steps = fwd_steps_begin(dest.seq, test_str("{\"n\":1}"),
                            test_str("***"));
    assert_string_equal(fwd_steps_at(steps, NULL), "a");
    fwd_steps_free(steps);

    fwd_buf_free(&kept);
    test_close(&dest);
}


/* The most that can be captured, with the worst reason, is kept. */

static void
test_largest(void **state)
{
    char              log[8192], text[400];
    fwd_buf_t         kept;
    test_dest_t       dest;
    fwd_steps_t      *steps;
    martech_str_t     progress;
    const char       *answers[4];

    (void) state;

    assert_int_equal(test_open(&dest, "sequence:\n"
        "  - { name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, endpoint: one, "
        "map: '{}', capture: { x: '\"x\" * 1024', y: '\"y\" * 1024', "
        "z: '\"z\" * 1024', v: '\"v\" * 256' }, "
        "compensate: { endpoint: one, map: '{}' } }\n"
        "  - { name: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb, endpoint: one, "
        "map: '{}' }\n", "{}"), FWD_OK);

    (void) strcpy(text, "rejected - ");
    memset(text + strlen(text), '"', 300);
    text[311] = '\0';
    answers[0] = "delivered {}";
    answers[1] = text;
    answers[2] = "retry";
    answers[3] = NULL;

    log[0] = '\0';
    fwd_buf_init(&kept, 8192);
    steps = fwd_steps_begin(dest.seq, test_str("{}"), test_str(""));
    assert_int_equal(test_walk(steps, "", answers, log), FWD_STEP_PAUSE);
    assert_int_equal(fwd_steps_progress(steps, &kept), FWD_OK);
    assert_true(kept.len > 4600 && kept.len < FWD_ATTEMPTS_PROGRESS_MAX);
    fwd_steps_free(steps);

    progress.data = kept.data;
    progress.len = kept.len;
    steps = fwd_steps_begin(dest.seq, test_str("{}"), progress);
    assert_true(fwd_steps_compensating(steps));
    fwd_steps_free(steps);

    fwd_buf_free(&kept);
    test_close(&dest);
}


/* What is no sequence, with the line where it stands. */

static void
test_descriptions(void **state)
{
    static const struct {
        const char  *yaml;
        const char  *text;               /* of a report; NULL: it is right */
        const char  *warning;
    } rows[] = {
        { TEST_THREE, NULL, "yaml:10: warning: step \"b\" is not" },
        { "sequence: []\n", "has 0 steps", NULL },
        { "sequence: 7\n", "has 0 steps", NULL },
        { "sequence_resume: start\n", "without \"sequence\"", NULL },
        { "sequence: [ 7 ]\n", "sequence[0] is not a section", NULL },
        { "sequence:\n  - { name: a, endpoint: one }\n",
          "sequence[0].map is missing", NULL },
        { "sequence:\n  - { name: A, endpoint: one, map: '{}' }\n",
          "yaml:9: \"sequence[0].name\" is \"A\"", NULL },
        { "sequence:\n  - { name: a, endpoint: one, map: '{}' }\n"
          "  - { name: a, endpoint: one, map: '{}' }\n",
          "yaml:10: \"sequence[1].name\" is \"a\", as the step in line 9",
          NULL },
        { "sequence:\n  - { name: a, endpoint: on, map: '{}' }\n",
          "yaml:9: \"sequence[0].endpoint\" is \"on\"", NULL },
        { "sequence:\n  - { name: a, endpoint: one, map: '{}', compensate: "
          "{ endpoint: x, map: '{}' } }\n",
          "\"sequence[0].compensate.endpoint\" is \"x\"", NULL },
        { "sequence:\n  - { name: a, endpoint: one, map: '{}', compensate: "
          "{ endpoint: one } }\n", "compensate.map is missing", NULL },
        { "sequence:\n  - { name: a, endpoint: one, map: '{}', "
          "cache: { key: .x, ttl: 1h } }\n", "without \"capture\"", NULL },
        { "sequence:\n  - { name: a, endpoint: one, map: '{}', "
          "capture: { id: .x }, cache: { key: .x } }\n", "cache.ttl", NULL },
        { "sequence:\n  - { name: a, endpoint: one, map: '{}', "
          "capture: { done: .x } }\n", "but not done", NULL },
        { "sequence:\n  - { name: a, endpoint: one, map: '{}', "
          "capture: {} }\n", "has 0 members", NULL },
        { "sequence:\n  - { name: a, endpoint: one, map: '' }\n",
          "has 0 bytes", NULL },
        { "sequence:\n  - { name: a, endpoint: one, map: '{}', extra: 1 }\n",
          "unknown key \"extra\"", NULL },
        { "sequence_resume: start\nsequence:\n"
          "  - { name: a, endpoint: one, map: '{}' }\n",
          "yaml:10: step \"a\" is not \"idempotent: true\"", NULL },
        { "sequence_resume: middle\nsequence:\n"
          "  - { name: a, endpoint: one, map: '{}' }\n",
          "\"sequence_resume\" is \"middle\"", NULL },
        /* programs */
        { "sequence:\n  - { name: a, endpoint: one, map: '{' }\n",
          "yaml:9: jq: error: syntax error", NULL },
        { "sequence:\n  - name: a\n    endpoint: one\n    map: |\n"
          "      {a: 1,\n       b: nothing}\n",
          "yaml:13: jq: error: nothing/0", NULL },
        { "sequence:\n  - { name: a, endpoint: one, map: '{}', "
          "capture: { id: 'input' } }\n", NULL, NULL },
        { "sequence:\n  - { name: a, endpoint: one, map: '{}', "
          "when: 'foo' }\n", "yaml:9: jq: error: foo/0", NULL },
    };

    size_t       i;
    fwd_rc_t     rc;
    test_dest_t  dest;
    const char  *text;

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        rc = test_open(&dest, rows[i].yaml, "{}");
        text = dest.report.count ? dest.report.texts[0] : "nothing";

        if ((rc == FWD_OK) != (rows[i].text == NULL)
            || (rows[i].text != NULL && strstr(text, rows[i].text) == NULL))
        {
            test_fail("row %zu: %s\n  %s", i, text,
                      rows[i].text ? rows[i].text : "");
        }

        if (rows[i].warning != NULL
            && (dest.report.warnings_count != 1
                || strstr(dest.report.warnings[0], rows[i].warning) == NULL))
        {
            test_fail("row %zu: %zu warnings, %s", i,
                      dest.report.warnings_count,
                      dest.report.warnings_count ? dest.report.warnings[0]
                                                 : "none");
        }

        test_close(&dest);
    }
}


/* 17 steps, 17 variables, an endpoint of the reserved name. */

static void
test_limits(void **state)
{
    int          i, n;
    char         yaml[8192];
    size_t       len;
    test_dest_t  dest;

    (void) state;

    for (n = 16; n <= 17; n++) {
        len = (size_t) sprintf(yaml, "sequence:\n");

        for (i = 0; i < n; i++) {
            len += (size_t) sprintf(yaml + len, "  - { name: s%d, endpoint: "
                                    "one, map: '{}', idempotent: true }\n",
                                    i);
        }

        assert_int_equal(test_open(&dest, yaml, "{}") == FWD_OK, n == 16);

        if (n == 17) {
            assert_non_null(strstr(dest.report.texts[0], "has 17 steps"));
        }

        test_close(&dest);

        len = (size_t) sprintf(yaml, "sequence:\n  - { name: a, endpoint: "
                               "one, map: '{}', capture: {");

        for (i = 0; i < n; i++) {
            len += (size_t) sprintf(yaml + len, "%s v%d: .x", i ? "," : "",
                                    i);
        }

        (void) sprintf(yaml + len, " } }\n");
        assert_int_equal(test_open(&dest, yaml, "{}") == FWD_OK, n == 16);

        if (n == 17) {
            assert_non_null(strstr(dest.report.texts[0], "has 17 members"));
        }

        test_close(&dest);
    }

    assert_int_equal(test_open(&dest, "  sequence: { url: "
                               "'https://x.example.com/' }\n", "{}"),
                     FWD_ERROR);
    assert_non_null(strstr(dest.report.texts[0],
                           "endpoint name \"sequence\" is kept"));
    test_close(&dest);

    /* without one there is nothing to compile */

    assert_int_equal(test_open(&dest, "", "{}"), FWD_OK);
    assert_null(dest.seq);
    test_close(&dest);
}


/* Two records of one loop at once. */

static void
test_two(void **state)
{
    test_dest_t   dest;
    fwd_step_t    one, two;
    fwd_steps_t  *first, *second;

    (void) state;

    assert_int_equal(test_open(&dest, TEST_THREE, "{}"), FWD_OK);

    first = fwd_steps_begin(dest.seq, test_str("{\"n\":1}"), test_str(""));
    second = fwd_steps_begin(dest.seq, test_str("{\"n\":2}"), test_str(""));

    assert_int_equal(fwd_steps_next(first, &one), FWD_STEP_SEND);
    assert_int_equal(fwd_steps_next(second, &two), FWD_STEP_SEND);
    assert_memory_equal(one.text.data, "{\"s\":\"a\",\"n\":1}", one.text.len);
    assert_memory_equal(two.text.data, "{\"s\":\"a\",\"n\":2}", two.text.len);

    fwd_steps_free(first);
    fwd_steps_free(second);
    test_close(&dest);
}


int
main(void)
{
    int  failed;

    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_misses),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_fail_for_good),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_largest),
        cmocka_unit_test(test_descriptions),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_two),
    };

    (void) clearenv();
    test_folder_make();

    cmocka_set_message_output(CM_OUTPUT_TAP);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_folder_remove();

    return failed;
}
