
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_answer: what a program sees, what it may say, and
 * that whatever else it says is an error without values of the answer.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE                      /* clearenv() */
#endif

#include "fwd_test.h"

/* forwarder */
#include "fwd_answer.h"


#define TEST_COUNT  3


static const char  *test_body =
    "{\"errors\":[{\"index\":1,\"m\":\"hunter2\"}]}";
static int          test_status = 200;


static fwd_setting_t  test_settings[] = {
    { .name = "pixel", .kind = FWD_SETTING_STRING },
    { .name = "token", .kind = FWD_SETTING_STRING, .secret = 1 },
};

static const char  *test_values[] = { "p-1", "hunter2" };


static fwd_rc_t
test_compile(fwd_map_t **answer, const char *program)
{
    static fwd_pool_t  pool;

    fwd_desc_t       desc;
    fwd_report_t     report;
    fwd_dest_conf_t  conf;

    memset(&desc, 0, sizeof(desc));
    memset(&conf, 0, sizeof(conf));
    memset(&report, 0, sizeof(report));

    fwd_pool_free(&pool);
    report.pool = &pool;

    desc.answer = program;
    desc.answer_file = "answer.jq";
    desc.settings = test_settings;
    desc.settings_count = test_count(test_settings);
    conf.desc = &desc;
    conf.values = test_values;

    return fwd_answer_create(answer, &conf, &report);
}


/* The outcome of all, seconds to wait, the reason, then of each record. */

static void
test_print(char *text, size_t size, fwd_answer_output_t *out)
{
    int       n;
    uint32_t  i;

    n = snprintf(text, size, "%s%s%s %llu \"%.*s\"",
                 fwd_outcome_name(out->all.outcome), out->whole ? "!" : "",
                 out->by_status ? "?" : "",
                 (unsigned long long) out->wait_ms,
                 (int) out->all.reason_len,
                 out->all.reason_len ? (const char *) out->reasons.data
                                       + out->all.reason : "");

    for (i = 0; out->verdicts != NULL && i < TEST_COUNT; i++) {
        n += snprintf(text + n, size - (size_t) n, " %s%s:%.*s",
                      fwd_outcome_name(out->verdicts[i].outcome),
                      out->verdicts[i].how == FWD_VERDICT_BACK ? "+" : "",
                      (int) out->verdicts[i].reason_len,
                      out->verdicts[i].reason_len
                      ? (const char *) out->reasons.data
                        + out->verdicts[i].reason : "");
    }
}


static void
test_run(const char *program, fwd_rc_t rc, const char *wanted)
{
    char                 text[1024];
    fwd_map_t           *answer;
    fwd_error_t          err;
    fwd_answer_input_t   in;
    fwd_answer_output_t  out;

    if (test_compile(&answer, program) != FWD_OK) {
        test_fail("%s: is no program", program);
        return;
    }

    memset(&in, 0, sizeof(in));
    in.status = test_status;
    in.headers.data = (const unsigned char *) "content-type: a/b\nx-id: 7:8\n";
    in.headers.len = strlen((const char *) in.headers.data);
    in.body.data = (const unsigned char *) test_body;
    in.body.len = strlen(test_body);
    in.count = TEST_COUNT;
    in.attempt = 2;

    err.text[0] = '\0';
    fwd_buf_init(&out.reasons, 512);

    if (fwd_answer_run(answer, &in, &out, &err) != rc) {
        test_fail("%s: another result: %s", program, err.text);
    }

    assert_int_equal(err.text[0] != '\0', rc == FWD_ERROR);
    assert_null(strstr(err.text, "hunter2"));

    if (rc == FWD_OK) {
        test_print(text, sizeof(text), &out);

        if (strcmp(text, wanted) != 0) {
            test_fail("%s: %s", program, text);
        }
    }

    assert_true(rc == FWD_OK || out.verdicts == NULL);

    free(out.verdicts);
    fwd_buf_free(&out.reasons);
    fwd_map_destroy(answer);
}


static const struct {
    const char  *program;
    fwd_rc_t     rc;
    const char  *wanted;
} test_answers[] = {
    { "null", FWD_NONE, NULL },
    { "{}", FWD_OK, "delivered? 0 \"\"" },
    { "{ outcome: null, reason: 7 }", FWD_OK, "delivered? 0 \"\"" },
    { "{ outcome: \"ok\" }, error(\"never\")", FWD_OK, "delivered 0 \"\"" },
    { "{ outcome: \"duplicate\" }", FWD_OK, "duplicate 0 \"\"" },
    { "{ outcome: \"drop\" }", FWD_OK, "dropped 0 \"\"" },
    { "{ outcome: \"retry\", retry_after: 2.5 }", FWD_OK, "retry 2500 \"\"" },
    { "{ outcome: \"throttled\", retry_after: 1e99 }", FWD_OK,
      "throttled 3600000 \"\"" },
    { "{ outcome: \"throttled\", retry_after: -1 }", FWD_OK,
      "throttled 1000 \"\"" },
    { "{ outcome: \"credentials\" }", FWD_OK, "credentials 0 \"\"" },
    { "{ outcome: \"stop\" }", FWD_OK, "stop 0 \"\"" },
    { "{ outcome: \"split\" }", FWD_OK, "rejected 0 \"\"" },
    { "{ outcome: \"reject\" }", FWD_OK, "rejected! 0 \"\"" },
    { "{ outcome: \"ambiguous\" }", FWD_OK, "ambiguous 0 \"\"" },

    /* the input */
    { "{ reason: \"\\(.status) \\(.count) \\(.attempt) \\(.headers)\" }",
      FWD_OK, "delivered? 0 \"200 3 2 {\"content-type\":\"a/b\","
      "\"x-id\":\"7:8\"}\"" },
    { "{ reason: (.settings | tostring) }", FWD_OK,
      "delivered? 0 \"{\"pixel\":\"p-1\"}\"" },
    { "{ reason: \"a\\nb\\u0000c\\u007fd\" }", FWD_OK,
      "delivered? 0 \"a b c d\"" },
    { "{ reason: ($ENV | tostring) }", FWD_OK, "delivered? 0 \"{}\"" },

    /* records */
    { "{ records: [null, { outcome: \"reject\", reason: \"bad\" }, null] }",
      FWD_OK, "delivered? 0 \"\" delivered: rejected:bad delivered:" },
    { "{ outcome: \"retry\", reason: \"all\", records: [null, "
      "{ outcome: \"ok\" }, { outcome: \"drop\", reason: \"x\" }] }", FWD_OK,
      "retry 0 \"all\" retry:all delivered: dropped:x" },
    { ". as $in | { records: [range(.count) as $i | if [$in.body.errors[]"
      ".index] | index($i) then { outcome: \"reject\" } else null end] }",
      FWD_OK, "delivered? 0 \"\" delivered: rejected: delivered:" },

    /* at once, if another one is to blame */
    { "{ outcome: \"ok\", records: { \"1\": { outcome: \"reject\" }, rest: "
      "{ outcome: \"again\" } } }", FWD_OK,
      "delivered 0 \"\" retry+: rejected: retry+:" },
    { "{ outcome: \"ok\", records: [null, { outcome: \"again\" }, null] }",
      FWD_OK, "delivered 0 \"\" delivered: retry+: delivered:" },
    { "{ outcome: \"ok\", records: { rest: { outcome: \"again\" } } }", FWD_OK,
      "delivered 0 \"\" retry: retry: retry:" },
    { "{ outcome: \"again\" }", FWD_ERROR, NULL },

    { "{ records: [null] }", FWD_ERROR, NULL },
    { "{ records: [null, null, null, null] }", FWD_ERROR, NULL },
    { "{ records: \"all\" }", FWD_ERROR, NULL },
    { "{ records: [null, null, 1] }", FWD_ERROR, NULL },
    { "{ records: [null, null, {}] }", FWD_ERROR, NULL },
    { "{ records: [null, null, { outcome: \"stop\" }] }", FWD_ERROR, NULL },
    { "{ outcome: \"hunter2\" }", FWD_ERROR, NULL },
    { "{ outcome: 1 }", FWD_ERROR, NULL },
    { "{ outcome: \"retry\", retry_after: \"soon\" }", FWD_ERROR, NULL },
    { "empty", FWD_ERROR, NULL },
    { "\"ok\"", FWD_ERROR, NULL },
    { "error(.body.errors[0].m)", FWD_ERROR, NULL },
    { "input", FWD_ERROR, NULL },
    { ".body + 1", FWD_ERROR, NULL },
};


static void
test_programs(void **state)
{
    size_t  i;

    (void) state;

    for (i = 0; i < test_count(test_answers); i++) {
        test_run(test_answers[i].program, test_answers[i].rc,
                 test_answers[i].wanted);
    }

    test_status = 429;
    test_run("{}", FWD_OK, "throttled? 0 \"\"");
    test_status = 200;
}


/* What is no JSON is a text, also if it is not even a text. */

static void
test_bodies(void **state)
{
    static const struct {
        const char  *body;
        const char  *wanted;
    } rows[] = {
        { "", "delivered? 0 \"string:0\"" },
        { "{\"cut\":", "delivered? 0 \"string:7\"" },
        { "<html>", "delivered? 0 \"string:6\"" },
        { "[1,2]", "delivered? 0 \"array:2\"" },
        { "{} {}", "delivered? 0 \"string:5\"" },
        { "\xff\xfe", "delivered? 0 \"string:2\"" },
    };

    size_t       i;
    const char  *body;

    (void) state;

    body = test_body;

    for (i = 0; i < test_count(rows); i++) {
        test_body = rows[i].body;
        test_run("{ reason: \"\\(.body | type):\\(.body | length)\" }",
                 FWD_OK, rows[i].wanted);
    }

    test_body = body;
}


/* A text is cut between two characters, and there is an end to all texts. */

static void
test_long(void **state)
{
    char  wanted[512];

    (void) state;

    (void) snprintf(wanted, sizeof(wanted), "delivered? 0 \"x");

    while (strlen(wanted) < 14 + FWD_ANSWER_REASON_MAX - 2) {
        (void) strcat(wanted, "\xc3\xa4");
    }

    (void) strcat(wanted, "\"");

    test_run("{ reason: (\"x\" + ([range(300) | \"\\u00e4\"] | add)) }",
             FWD_OK, wanted);

    test_run("{ records: [range(3) | { outcome: \"reject\", reason: "
             "([range(200) | \"abcdefg\"] | add) }] | map(.reason |= .[0:7]) }",
             FWD_OK, "delivered? 0 \"\" rejected:abcdefg rejected:abcdefg "
             "rejected:abcdefg");
}


/* ".keys" in the order of the records, and ".step". */

static void
test_keys(void **state)
{
    static const struct {
        const char  *key;
        const char  *wanted;
    } rows[] = {
        { NULL, "null a" },
        { "id", "[\"m-1\",7,null] a" },
        { "/id", "[\"m-1\",7,null] a" },
        { "/o/x~1y", "[null,null,\"deep\"] a" },
        { "/o", "[null,null,null] a" },
        { "none", "[null,null,null] a" },
        { "/o/x~1y/z", "[null,null,null] a" },
    };

    static const char *const  texts[] = {
        "{\"id\":\"m-1\"}", "{\"id\":7,\"o\":[]}",
        "{\"o\":{\"x/y\":\"deep\"},\"id\":{}}"
    };

    char                 text[256];
    size_t               i;
    fwd_map_t           *answer;
    fwd_error_t          err;
    martech_str_t        records[3];
    fwd_answer_input_t   in;
    fwd_answer_output_t  out;

    (void) state;

    assert_int_equal(test_compile(&answer,
                                  "{ reason: \"\\(.keys) \\(.step)\" }"),
                     FWD_OK);

    for (i = 0; i < 3; i++) {
        records[i] = test_str(texts[i]);
    }

    for (i = 0; i < test_count(rows); i++) {
        memset(&in, 0, sizeof(in));
        in.status = 200;
        in.headers.data = (const unsigned char *) "";
        in.body.data = (const unsigned char *) "";
        in.count = 3;
        in.step = "a";
        in.records = records;
        in.answer_key = rows[i].key;

        fwd_buf_init(&out.reasons, 512);
        assert_int_equal(fwd_answer_run(answer, &in, &out, &err), FWD_OK);
        (void) snprintf(text, sizeof(text), "%.*s",
                        (int) out.all.reason_len,
                        (char *) out.reasons.data + out.all.reason);
        assert_string_equal(text, rows[i].wanted);
        assert_string_equal(out.forget, "");
        fwd_buf_free(&out.reasons);
    }

    fwd_map_destroy(answer);
}


/* Names of steps, a blank between; what can be none is left out. */

static void
test_forget(void **state)
{
    static const struct {
        const char  *program;
        const char  *wanted;
    } rows[] = {
        { "{ outcome: \"retry\", forget: [\"a\", \"b_1\"] }", "a b_1" },
        { "{ outcome: \"retry\", forget: [] }", "" },
        { "{ outcome: \"retry\", forget: \"a\" }", "" },
        { "{ outcome: \"retry\", forget: [7, \"\", \"a b\", \"c\"] }",
          "c" },
        { "{ outcome: \"retry\", forget: [range(1000) | tostring | "
          "\"step_\" + . * 5] | map(.[0:3000]) } | .forget |= .[999:]",
          "step_999999999999999" },
    };

    size_t               i;
    fwd_map_t           *answer;
    fwd_error_t          err;
    fwd_answer_input_t   in;
    fwd_answer_output_t  out;

    (void) state;

    memset(&in, 0, sizeof(in));
    in.headers.data = (const unsigned char *) "";
    in.body.data = (const unsigned char *) "";
    in.count = 1;

    for (i = 0; i < test_count(rows); i++) {
        assert_int_equal(test_compile(&answer, rows[i].program), FWD_OK);
        fwd_buf_init(&out.reasons, 512);
        assert_int_equal(fwd_answer_run(answer, &in, &out, &err), FWD_OK);
        assert_string_equal(out.forget, rows[i].wanted);
        fwd_buf_free(&out.reasons);
        fwd_map_destroy(answer);
    }

    /* there is an end to them */

    assert_int_equal(test_compile(&answer, "{ outcome: \"retry\", forget: "
                                  "[range(100) | \"name_\\(.)\"] }"), FWD_OK);
    fwd_buf_init(&out.reasons, 512);
    assert_int_equal(fwd_answer_run(answer, &in, &out, &err), FWD_OK);
    assert_true(strlen(out.forget) < FWD_ANSWER_FORGET_MAX);
    assert_true(strlen(out.forget) > FWD_ANSWER_FORGET_MAX - 16);
    fwd_buf_free(&out.reasons);
    fwd_map_destroy(answer);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_programs),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_forget),
    };

    (void) clearenv();
    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
