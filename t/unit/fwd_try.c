
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_try, and with it of descriptions, templates, bodies
 * and the cutting of calls: events go in, requests come out.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE                      /* clearenv() */
#endif

#include "fwd_test.h"

/* forwarder */
#include "fwd_try.h"


#define TEST_NOW  1795203360123ULL

#define TEST_HEAD                                                             \
    "name: acme\nkind: http\nsettings:\n"                                     \
    "  token: { secret: true, required: true, pattern: '^t-[a-z]+$' }\n"      \
    "  region: { enum: [us, eu], default: us }\n"                             \
    "  names: { list: true, default: a }\n  unset: {}\n"                      \
    "regions: { by: region, us: { host: us.example.com }, "                   \
    "eu: { host: eu.example.com } }\n"


/* A description and its map, events, what is sent. */
static const struct {
    const char  *yaml;
    const char  *map;
    const char  *settings;
    const char  *events[6];
    const char  *wanted;                 /* a line a call: method, URL, body */
} test_requests[] = {
    { "request: { url: 'https://{region.host}/v1', body: { k: '{token}', "
      "u: '{unset}', n: 1, r: '@records', t: '@now_s' } }\n"
      "batch: { count: 2 }\n",
      "{ i: .event.n }", "{\"token\":\"t-x\",\"region\":\"eu\"}",
      { "{\"n\":1}", "{\"n\":2}", "{\"n\":3}", NULL },
      "POST https://eu.example.com/v1 "
      "{\"k\":\"t-x\",\"n\":1,\"r\":[{\"i\":1},{\"i\":2}],\"t\":1795203360}\n"
      "POST https://eu.example.com/v1 "
      "{\"k\":\"t-x\",\"n\":1,\"r\":[{\"i\":3}],\"t\":1795203360}\n" },

    /* bytes of the body, with all that stands around the records */
    { "request: { url: 'https://x.example.com/', framing: array, "
      "batch: { count: 100, bytes: 1k } }\n",
      "{ a: (\"x\" * 500) }", "{\"token\":\"t-x\"}",
      { "{}", "{}", "{}", NULL }, NULL },

    /* named arrays, merged records, and the group */
    { "request: { url: 'https://x.example.com/{group.a|raw}', body: "
      "{ one: '@records:one', two: '@records:two', g: '@group.b', "
      "no: '@group.c' } }\n",
      "{ \"@array\": .event.arr, \"@merge\": .event.k, "
      "\"@group\": { a: \"p/q\", b: 2 }, n: .event.n, o: { (.event.arr): 1 } }",
      "{\"token\":\"t-x\"}",
      { "{\"n\":1,\"arr\":\"one\",\"k\":\"x\"}",
        "{\"n\":2,\"arr\":\"two\"}",
        "{\"n\":3,\"arr\":\"one\",\"k\":\"x\"}", NULL },
      "POST https://x.example.com/p/q "
      "{\"one\":[{\"n\":3,\"o\":{\"one\":1}}],\"two\":[{\"n\":2,\"o\":"
      "{\"two\":1}}],\"g\":2}\n" },

    { "request: { url: 'https://x.example.com/{record.id}/a', method: PUT, "
      "body: '@record' }\n",
      "{ \"@path\": { id: .event.id }, n: .event.n }", "{\"token\":\"t-x\"}",
      { "{\"n\":1,\"id\":\"a/b c\"}", "{\"n\":2,\"id\":7}", NULL },
      "PUT https://x.example.com/a%2Fb%20c/a {\"n\":1}\n"
      "PUT https://x.example.com/7/a {\"n\":2}\n" },

    { "request: { url: 'https://x.example.com/', framing: form, body: "
      "{ a: '@records', b: 'x&{region}', c: '@text' } }\n",
      "{ n: .event.n }", "{\"token\":\"t-x\"}", { "{\"n\":1}", NULL },
      "POST https://x.example.com/ a=%5B%7B%22n%22%3A1%7D%5D&b=x%26us"
      "&c=%5B%7B%22n%22%3A1%7D%5D\n" },

    { "request: { url: 'https://x.example.com/', framing: ndjson, "
      "batch: { count: 10 } }\n",
      "{ \"@alone\": (.event.n == 2), n: .event.n }", "{\"token\":\"t-x\"}",
      { "{\"n\":1}", "{\"n\":2}", "{\"n\":3}", NULL },
      "POST https://x.example.com/ {\"n\":1}\n{\"n\":3}\n\n"
      "POST https://x.example.com/ {\"n\":2}\n\n" }
};


static fwd_rc_t
test_conf(fwd_dest_conf_t *conf, const char *yaml, const char *map,
    const char *settings, fwd_report_t *report, fwd_pool_t *pool)
{
    char         text[4096];
    fwd_desc_t  *desc;

    (void) mkdir(test_path("acme"), 0700);
    (void) snprintf(text, sizeof(text), TEST_HEAD "%s", yaml);
    test_write("acme/destination.yaml", text);
    test_write("acme/map.jq", map);

    memset(report, 0, sizeof(*report));
    report->pool = pool;

    if (fwd_desc_load(&desc, fwd_pool_string(pool, test_path("acme"),
                                             strlen(test_path("acme"))),
                      "acme", report, pool)
        != FWD_OK)
    {
        return FWD_ERROR;
    }

    return fwd_try_conf(conf, desc, settings, "production", report, pool);
}


static void
test_calls(void **state)
{
    size_t             i, n;
    fwd_buf_t          text;
    fwd_pool_t         pool;
    fwd_error_t        err;
    fwd_report_t       report;
    martech_str_t      events[6];
    fwd_dest_conf_t    conf;
    fwd_try_input_t    in;
    fwd_try_output_t   out;

    (void) state;

    for (i = 0; i < test_count(test_requests); i++) {
        fwd_pool_init(&pool);

        if (test_conf(&conf, test_requests[i].yaml, test_requests[i].map,
                      test_requests[i].settings, &report, &pool)
            != FWD_OK)
        {
            fail_msg("%s", report.texts[0]);
        }

        memset(&in, 0, sizeof(in));

        for (n = 0; test_requests[i].events[n] != NULL; n++) {
            events[n].data = (const unsigned char *)
                             test_requests[i].events[n];
            events[n].len = strlen(test_requests[i].events[n]);
        }

        in.events = events;
        in.count = (uint32_t) n;
        in.now_ms = TEST_NOW;

        if (fwd_try_requests(&out, &conf, &in, &pool, &err) != FWD_OK) {
            fail_msg("%s", err.text);
        }

        fwd_buf_init(&text, 1 << 20);

        for (n = 0; n < out.calls_count; n++) {
            fwd_buf_add_string(&text, out.calls[n].method);
            fwd_buf_add_char(&text, ' ');
            fwd_buf_add_string(&text, out.calls[n].url);
            fwd_buf_add_char(&text, ' ');
            fwd_buf_add(&text, out.calls[n].body, out.calls[n].body_len);
            fwd_buf_add_char(&text, '\n');
            assert_true(out.calls[n].body_len
                        <= conf.http.endpoints[0].bytes_max);
        }

        if (test_requests[i].wanted != NULL) {
            assert_string_equal(fwd_buf_string(&text),
                                test_requests[i].wanted);

        } else {
            assert_int_equal(out.calls_count, 2);
        }

        fwd_buf_free(&text);
        fwd_pool_free(&pool);
    }
}


/* What is wrong with a description or its settings is told. */
static const struct {
    const char  *yaml;
    const char  *settings;
    const char  *wanted;
} test_wrong[] = {
    { "request: { url: 'https://x/' }\n", "{\"token\":\"bad\"}",
      "allowed is what matches" },
    { "request: { url: 'https://x/{region.nope}' }\n", "{\"token\":\"t-x\"}",
      "allowed in braces" },
    { "request: { url: 'https://x/', framing: body }\n", "{}",
      "without request.body" },
    { "request: { url: 'https://x/', body: { a: '@nope' } }\n",
      "{\"token\":\"t-x\"}", "allowed are @records" },
    { "endpoints: { a: { url: 'https://x/' } }\n"
      "rate: [ { count: 1, per: 1s, endpoint: b } ]\n", "{}",
      "\"rate[0].endpoint\" is \"b\"" },
    { "request: { url: 'https://x/' }\nauth: { kind: bearer }\n", "{}",
      "destination.yaml:10: \"auth\" has no \"token\"" },
    { "request: { url: 'https://x/' }\ndedup: { window: 1h }\n", "{}",
      "\"dedup\" has no \"key\"" },
    { "request: { url: 'https://x/', query: { a: [1] } }\n", "{}",
      "allowed is a single value" }
};


static void
test_errors(void **state)
{
    size_t            i, n;
    fwd_rc_t          rc;
    fwd_pool_t        pool;
    fwd_report_t      report;
    fwd_dest_conf_t   conf;

    (void) state;

    for (i = 0; i < test_count(test_wrong); i++) {
        fwd_pool_init(&pool);
        rc = test_conf(&conf, test_wrong[i].yaml, "{}",
                       test_wrong[i].settings, &report, &pool);
        assert_int_equal(rc, FWD_ERROR);

        for (n = 0; n < report.count; n++) {
            if (strstr(report.texts[n], test_wrong[i].wanted) != NULL) {
                break;
            }
        }

        if (n == report.count) {
            fail_msg("row %zu: %s", i, report.texts[0]);
        }

        fwd_pool_free(&pool);
    }
}


static void
test_answers(void **state)
{
    fwd_pool_t           pool;
    fwd_error_t          err;
    fwd_report_t         report;
    fwd_dest_conf_t      conf;
    fwd_try_answer_t     in;
    fwd_try_verdict_t    out;

    (void) state;

    fwd_pool_init(&pool);
    test_write("acme/answer.jq",
               "if .status == 401 then { outcome: \"refresh\" }\n"
               "elif .status == 429 then { outcome: \"throttled\", "
               "scope_wait: \"daily\", retry_after: 90000 }\n"
               "elif .status == 503 then null\n"
               "elif .status == 418 then { outcome: \"throttled\" }\n"
               "else { outcome: \"ok\", records: { \"1\": { outcome: "
               "\"reject\", reason: .endpoint }, rest: { outcome: \"retry\" }"
               " } } end\n");
    assert_int_equal(test_conf(&conf, "request: { url: 'https://x/', "
                               "framing: array, batch: { count: 5 } }\n",
                               "{}", "{\"token\":\"t-x\"}", &report, &pool),
                     FWD_OK);

    memset(&in, 0, sizeof(in));
    in.status = 207;
    in.sent = 3;
    in.body.data = (const unsigned char *) "{}";
    in.body.len = 2;

    assert_int_equal(fwd_try_answer(&out, &conf, &in, &pool, &err), FWD_OK);
    assert_string_equal(out.outcome, "ok");
    assert_string_equal(out.outcomes[0], "retry");
    assert_string_equal(out.outcomes[1], "reject");
    assert_string_equal(out.reasons[1], "main");
    assert_string_equal(out.outcomes[2], "retry");

    in.status = 401;
    assert_int_equal(fwd_try_answer(&out, &conf, &in, &pool, &err), FWD_OK);
    assert_string_equal(out.outcome, "refresh");

    in.status = 429;
    assert_int_equal(fwd_try_answer(&out, &conf, &in, &pool, &err), FWD_OK);
    assert_int_equal(out.wait_ms, 24 * 3600 * 1000);

    /* what the program leaves to the table, with its Retry-After */

    in.status = 503;
    in.headers = "date: x\nretry-after: 7\n";
    assert_int_equal(fwd_try_answer(&out, &conf, &in, &pool, &err), FWD_OK);
    assert_string_equal(out.outcome, "throttled");
    assert_int_equal(out.wait_ms, 7000);

    in.headers = "retry-after: Fri, 20 Nov 2026 19:36:09 GMT\n";
    in.now_ms = 1795203360000;           /* 19:36:00 */
    assert_int_equal(fwd_try_answer(&out, &conf, &in, &pool, &err), FWD_OK);
    assert_int_equal(out.wait_ms, 9000);

    in.headers = "retry-after: soon\n";
    assert_int_equal(fwd_try_answer(&out, &conf, &in, &pool, &err), FWD_OK);
    assert_int_equal(out.wait_ms, 0);

    in.status = 418;
    in.headers = "retry-after: 7\n";
    assert_int_equal(fwd_try_answer(&out, &conf, &in, &pool, &err), FWD_OK);
    assert_string_equal(out.outcome, "throttled");
    assert_int_equal(out.wait_ms, 0);

    in.status = 200;
    in.sent = 1;
    assert_int_equal(fwd_try_answer(&out, &conf, &in, &pool, &err),
                     FWD_ERROR);

    fwd_pool_free(&pool);
    (void) unlink(test_path("acme/answer.jq"));
}


int
main(void)
{
    int                      rc;
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_answers),
    };

    (void) clearenv();
    cmocka_set_message_output(CM_OUTPUT_TAP);
    test_folder_make();
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    test_folder_remove();

    return rc;
}
