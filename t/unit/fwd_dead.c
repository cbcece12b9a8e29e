
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_dead and fwd_mask: a dead letter shows one event of
 * a batch, whatever bytes were on the wire, and no secret.
 */


#include "fwd_test.h"

/* forwarder */
#include "fwd_dead.h"
#include "fwd_mask.h"
#include "fwd_reply.h"


static const char  *test_headers[] = {
    "Content-Type: application/json", "X-Key: ***", "X-Api-Key: visible",
    "Empty-Header:"
};

static fwd_http_target_t  test_target = {
    .url_shown = "https://u:p@host/a/***?key=1&b=2&api_key=3#f",
    .headers_shown = test_headers,
    .headers_count = 4,
    .framing = FWD_FRAMING_ARRAY,
};


static void
test_text(martech_str_t *to, const char *text)
{
    to->data = (const unsigned char *) text;
    to->len = strlen(text);
}


/* Three events; the second one has two records. */

static fwd_batch_t *
test_batch(void)
{
    uint32_t             i;
    fwd_batch_t         *batch;
    martech_str_t        record;
    static fwd_item_t    items[3];
    static const char   *records[] = { "{\"n\":1}", "{\"n\":2}", "{\"n\":3}",
                                       "{\"n\":4}" };
    static const int     owners[] = { 0, 1, 1, 2 };

    batch = fwd_batch_create(NULL, NULL);
    assert_non_null(batch);

    for (i = 0; i < 4; i++) {

        if (i == 0 || owners[i] != owners[i - 1]) {
            assert_int_equal(fwd_batch_add(batch, &items[owners[i]]), FWD_OK);
        }

        test_text(&record, records[i]);
        assert_int_equal(fwd_batch_add_slice(batch, record), FWD_OK);
    }

    batch->exchange.requested = 1;

    return batch;
}


static void
test_request(void **state)
{
    fwd_buf_t     out;
    fwd_batch_t  *batch;

    (void) state;

    batch = test_batch();
    fwd_buf_init(&out, 1 << 20);

    fwd_buf_add_string(&batch->exchange.request_headers,
                       "Idempotency-Key: m1\nwebhook-signature: v1,abc\n");

    fwd_dead_request(&out, batch, &test_target, 1);
    assert_string_equal(fwd_buf_string(&out),
        "{\"method\":\"POST\","
        "\"url\":\"https://***@host/a/***?key=***&b=2&api_key=***\","
        "\"headers\":{\"Content-Type\":\"application/json\","
        "\"X-Key\":\"***\",\"X-Api-Key\":\"***\",\"Idempotency-Key\":\"m1\","
        "\"webhook-signature\":\"***\"},"
        "\"body\":\"[{\\\"n\\\":2},{\\\"n\\\":3}]\"}");

    test_target.framing = FWD_FRAMING_NDJSON;
    fwd_buf_reset(&out);
    fwd_dead_request(&out, batch, &test_target, 2);
    assert_non_null(strstr(fwd_buf_string(&out),
                           "\"body\":\"{\\\"n\\\":4}\\n\"}"));

    /* of several requests of one event the one that failed */

    test_target.framing = FWD_FRAMING_OBJECT;
    batch->exchange.part = 1;
    fwd_buf_reset(&out);
    fwd_dead_request(&out, batch, &test_target, 1);
    assert_non_null(strstr(fwd_buf_string(&out),
                           "\"body\":\"{\\\"n\\\":3}\"}"));

    /* nothing was sent: there is nothing to show */

    test_target.framing = FWD_FRAMING_ARRAY;
    fwd_batch_reset_outcome(batch);
    fwd_buf_reset(&out);
    fwd_dead_request(&out, batch, &test_target, 1);
    assert_int_equal(out.len, 0);

    fwd_buf_free(&out);
    fwd_batch_free(batch);
}


static void
test_large(void **state)
{
    char         *large;
    size_t        len;
    fwd_buf_t     out;
    fwd_batch_t  *batch;

    (void) state;

    batch = test_batch();
    fwd_buf_init(&out, 1 << 20);

    for (len = FWD_DEAD_BODY_MAX - 4; len < FWD_DEAD_BODY_MAX + 4; len++) {
        large = malloc(len);
        assert_non_null(large);
        memset(large, 'x', len);

        batch->records[0].data = (const unsigned char *) large;
        batch->records[0].len = len;

        fwd_buf_reset(&out);
        fwd_dead_request(&out, batch, &test_target, 0);

        assert_true(out.len > FWD_DEAD_BODY_MAX - 4);
        assert_true(out.len < FWD_DEAD_BODY_MAX + 512);

        /* brackets included */
        assert_int_equal(strstr(fwd_buf_string(&out), "\"cut\":true") != NULL,
                         len + 2 > FWD_DEAD_BODY_MAX);
        free(large);
    }

    fwd_buf_free(&out);
    fwd_batch_free(batch);
}


static void
test_answer(void **state)
{
    fwd_buf_t     out;
    fwd_batch_t  *batch;

    (void) state;

    batch = test_batch();
    fwd_buf_init(&out, 1 << 20);

    batch->status = 207;
    fwd_buf_add_string(&batch->exchange.headers,
                       "content-type: text/plain\nx-request-id: 9\n");
    fwd_buf_add(&batch->exchange.answer, "\xff\"\x01", 3);

    fwd_buf_add_string(&batch->reasons, "badall");
    batch->said.reason = 3;
    batch->said.reason_len = 3;
    batch->verdicts = calloc(4, sizeof(fwd_verdict_t));
    assert_non_null(batch->verdicts);
    batch->verdicts[2].reason_len = 3;

    fwd_dead_answer(&out, batch, 1);
    assert_string_equal(fwd_buf_string(&out),
        "{\"status\":207,\"headers\":{\"content-type\":\"text/plain\","
        "\"x-request-id\":\"9\"},\"body\":\"\xef\xbf\xbd\\\"\\u0001\","
        "\"reason\":\"bad\"}");

    fwd_buf_reset(&out);
    fwd_dead_answer(&out, batch, 2);
    assert_non_null(strstr(fwd_buf_string(&out), "\"reason\":\"all\""));

    /* texts that were lost for want of memory */

    fwd_buf_reset(&batch->reasons);
    fwd_buf_reset(&out);
    fwd_dead_answer(&out, batch, 1);
    assert_null(strstr(fwd_buf_string(&out), "reason"));

    fwd_buf_free(&out);
    fwd_batch_free(batch);
}


static void
test_history(void **state)
{
    fwd_buf_t       out;
    fwd_attempts_t  tries;
    fwd_attempt_t   attempt = { 7, 3, 500, FWD_OUTCOME_RETRY };

    (void) state;

    fwd_buf_init(&out, 4096);
    fwd_dead_history(&out, NULL);
    assert_string_equal(fwd_buf_string(&out), "[]");

    memset(&tries, 0, sizeof(tries));
    fwd_attempts_add(&tries, &attempt);
    fwd_buf_reset(&out);
    fwd_dead_history(&out, &tries);
    assert_string_equal(fwd_buf_string(&out),
        "[{\"at\":7,\"class\":\"retry\",\"status\":500,\"ms\":3}]");

    fwd_buf_free(&out);
}


static void
test_mask(void **state)
{
    static const struct {
        const char  *url;
        const char  *wanted;
    } rows[] = {
        { "http://h/", "http://h/" },
        { "http://h", "http://h" },
        { "http://h/@a?b=c@d", "http://h/@a?b=c@d" },
        { "http://user@h/?x", "http://***@h/?x" },
        { "http://h/?", "http://h/?" },
        { "http://h/?&&token&=1", "http://h/?&&token&=1" },
        { "http://h/?token=", "http://h/?token=***" },
        { "http://h/?a=1&Access_Token=2&c=3",
          "http://h/?a=1&Access_Token=***&c=3" },
        { "***", "***" },
        { "", "" },
    };

    size_t     i;
    fwd_buf_t  out;

    (void) state;

    fwd_buf_init(&out, 4096);

    for (i = 0; i < test_count(rows); i++) {
        fwd_buf_reset(&out);
        fwd_mask_url(&out, rows[i].url);

        if (strcmp(fwd_buf_string(&out), rows[i].wanted) != 0) {
            test_fail("%s: %s", rows[i].url, fwd_buf_string(&out));
        }
    }

    fwd_buf_free(&out);

    assert_true(fwd_mask_name("AUTHORIZATION", 13));
    assert_true(fwd_mask_name("Set-Cookie", 10));
    assert_false(fwd_mask_name("Idempotency-Key", 15));
    assert_false(fwd_mask_name("Content-Type", 12));
}


/* Whatever comes in, it takes no more room than it may. */

static void
test_reply(void **state)
{
    int          i;
    char         line[1000];
    fwd_reply_t  reply;

    (void) state;

    fwd_reply_init(&reply);

    assert_true(fwd_reply_header(&reply, "HTTP/1.1 100\r\n", 14));
    assert_true(fwd_reply_header(&reply, "Retry-After: 5\r\n", 16));
    assert_true(fwd_reply_header(&reply, "HTTP/1.1 200\r\n", 14));
    assert_true(fwd_reply_header(&reply, "X-Request-ID:\t a b \r\n", 21));
    assert_true(fwd_reply_header(&reply, "Set-Cookie: no\r\n", 16));
    assert_true(fwd_reply_header(&reply, "no colon\r\n", 10));
    assert_true(fwd_reply_header(&reply, ":\r\n", 3));
    assert_true(fwd_reply_header(&reply, "Date:", 5));
    assert_string_equal(reply.retry_after, "");
    assert_string_equal(fwd_buf_string(&reply.headers),
                        "x-request-id: a b\ndate: \n");

    memset(line, 'x', sizeof(line));
    memcpy(line, "Date:", 5);

    for (i = 0; i < 64; i++) {
        assert_true(fwd_reply_header(&reply, line, sizeof(line)));
    }

    assert_true(reply.headers.len > 2000);

    for (i = 0; i < 3; i++) {
        (void) fwd_reply_header(&reply, line, sizeof(line));
    }

    assert_true(reply.flooded);

    for (i = 0; i < 65; i++) {
        assert_true(fwd_reply_body(&reply, line, sizeof(line)));
    }

    assert_false(fwd_reply_body(&reply, line, sizeof(line)));
    assert_true(reply.cut);
    assert_int_equal(reply.body.len, FWD_REPLY_BODY_MAX);

    fwd_reply_free(&reply);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_reply),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
