
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_marker and fwd_record: what markers become, what
 * stays as it is, and what is refused without a value of the event.
 */


#include "fwd_test.h"

/* forwarder */
#include "fwd_jv.h"
#include "fwd_record.h"


static fwd_setting_t  test_settings[] = {
    { .name = "token", .kind = FWD_SETTING_STRING, .secret = 1 },
    { .name = "open", .kind = FWD_SETTING_STRING },
};

static const char  *test_values[] = { "hunter2", "x" };

#define TEST_SHA  "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9" \
                  "aa0f62f"
#define TEST_KEY  "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2" \
                  "d1a3cd8"


/* A record and what is written; NULL: an error. */
static const struct {
    int          omit;
    const char  *record;
    const char  *wanted;
} test_records[] = {
    { 0, "{\"a\":{\"@sha256\":\" John_Smith@gmail.com \",\"do\":[\"trim\","
      "\"lower\"]}}", "{\"a\":\"" TEST_SHA "\"}" },
    { 0, "{\"a\":{\"@sha256\":\"62A14E44F765419D10FEA99367361A727C12365E2520F"
      "32218D505ED9AA0F62F\",\"do\":[\"digits\"]}}",
      "{\"a\":\"" TEST_SHA "\"}" },
    { 0, "{\"a\":{\"@sha1\":\"abc\"},\"b\":{\"@md5\":\"abc\"}}",
      "{\"a\":\"a9993e364706816aba3e25717850c26c9cd0d89d\","
      "\"b\":\"900150983cd24fb0d6963f7d28e17f72\"}" },
    { 0, "{\"a\":{\"@hmac_sha256\":\"The quick brown fox jumps over the lazy "
      "dog\",\"key\":\"key\"}}", "{\"a\":\"" TEST_KEY "\"}" },
    { 0, "{\"a\":{\"@sha256\":\"\"},\"b\":{\"@sha256\":null},"
      "\"c\":{\"@sha256\":\"  \"}}",
      "{\"a\":null,\"b\":null,\"c\":null}" },
    { 1, "{\"a\":{\"@sha256\":\"\"},\"b\":[null,1],\"c\":\"\"}",
      "{\"b\":[1],\"c\":\"\"}" },
    { 2, "{\"a\":{\"b\":{}},\"c\":[],\"d\":[\"\",[],null],\"e\":\"\","
      "\"f\":0}", "{\"d\":[\"\",[]],\"f\":0}" },
    { 0, "{\"a\":{\"@base64\":\"a?>\"},\"b\":{\"@base64url\":\"a?>>\"}}",
      "{\"a\":\"YT8+\",\"b\":\"YT8-Pg\"}" },
    { 0, "{\"a\":{\"@json\":{\"b\":[1,{\"@text\":\"X\",\"do\":\"lower\"}]}}}",
      "{\"a\":\"{\\\"b\\\":[1,\\\"x\\\"]}\"}" },
    { 0, "{\"a\":{\"@uuid5\":\"www.example.com\",\"namespace\":"
      "\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\"}}",
      "{\"a\":\"2ed6657d-e927-568b-95e1-2665a8aea6a2\"}" },
    { 0, "{\"s\":{\"@time\":\"2026-11-20T19:36:00.123Z\",\"as\":\"s\"},"
      "\"u\":{\"@time\":\"2026-11-20T19:36:00.123Z\",\"as\":\"us\"},"
      "\"q\":{\"@time\":1795203360.123,\"as\":\"sql_ms\"},"
      "\"d\":{\"@time\":1795203360.123,\"as\":\"day_ms\"},"
      "\"i\":{\"@time\":1795203360,\"as\":\"iso_s\"},"
      "\"n\":{\"@time\":\"soon\",\"as\":\"s\"}}",
      "{\"s\":1795203360,\"u\":1795203360123000,"
      "\"q\":\"2026-11-20 19:36:00.123\",\"d\":1795132800000,"
      "\"i\":\"2026-11-20T19:36:00Z\",\"n\":null}" },
    { 0, "{\"a\":{\"@number\":\"$1,234.50\"},\"b\":{\"@number\":\"1.234,5 "
      "EUR\"},\"c\":{\"@number\":\"12,5\"},\"d\":{\"@number\":\"1,234\"},"
      "\"e\":{\"@number\":\"-2.6\",\"as\":\"int\"},"
      "\"f\":{\"@number\":\"abc\"},\"g\":{\"@number\":7}}",
      "{\"a\":1234.5,\"b\":1234.5,\"c\":12.5,\"d\":1234,\"e\":-3,\"f\":null,"
      "\"g\":7}" },
    { 0, "{\"a\":{\"@query\":\"https://a/b?x=1&gclid=A%2Bb+c#gclid=n\","
      "\"name\":\"gclid\"},\"b\":{\"@query\":\"https://a/b\",\"name\":"
      "\"x\"}}", "{\"a\":\"A+b c\",\"b\":null}" },
    { 0, "{\"a\":{\"@secret\":\"token\"}}", "{\"a\":\"hunter2\"}" },
    { 0, "{\"a\":{\"@secret\":\"open\"}}", NULL },
    { 0, "{\"a\":{\"@text\":\"x\",\"do\":[\"nope\"]}}", NULL },
    { 0, "{\"a\":{\"@text\":\"x\",\"other\":1}}", NULL },
    { 0, "{\"a\":{\"@nope\":\"hunter2\"}}", NULL },
    { 0, "{\"@nope\":1}", NULL },
    { 0, "{\"@value\":[1,{\"@text\":\"A\",\"do\":[\"lower\"]}]}",
      "[1,\"a\"]" },
    { 0, "{\"@group\":{\"b\":1,\"a\":2},\"@alone\":true,\"x\":1}",
      "{\"x\":1}" },
    { 0, "{\"@drop\":\"x\",\"y\":1}", NULL },
    { 0, "[1]", NULL }
};


static const struct {
    const char  *ops;
    const char  *text;
    const char  *wanted;
} test_ops[] = {
    { "\"trim\"", " \u00a0 a b \n", "\"a b\"" },
    { "\"lower\"", "\u00c4RGER \u0416", "\"\u00e4rger \u0436\"" },
    { "\"upper\"", "\u00e4x", "\"\u00c4X\"" },
    { "\"digits\"", "+49 (30) 12", "\"493012\"" },
    { "\"nospace\"", " a b\tc", "\"abc\"" },
    { "\"alnum\"", "a-1 \u00e9!", "\"a1\u00e9\"" },
    { "\"letters\"", "J. \u00c5ngstr\u00f6m 3rd", "\"J\u00c5ngstr\u00f6mrd\"" },
    { "\"words\"", "  a.  b  1 c", "\"a b c\"" },
    { "\"plus\"", "49", "\"+49\"" },
    { "\"nozeros\"", "0049", "\"49\"" },
    { "\"gmail_dots\"", "j.o.e@gmail.com", "\"joe@gmail.com\"" },
    { "\"gmail_dots\"", "j.o.e@mail.com", "\"j.o.e@mail.com\"" },
    { "\"gmail_plus\"", "joe+x@googlemail.com", "\"joe@googlemail.com\"" },
    { "\"snake\"", "Order Completed", "\"order_completed\"" },
    { "\"snake\"", "orderCompleted-now", "\"order_completed_now\"" },
    { "\"ascii\"", "\u00c4\u00e9\u00df\u017c\u4e2d", "\"Aessz\"" },
    { "\"before:-\"", "12345-6789", "\"12345\"" },
    { "\"cut:2\"", "\u00e4\u00f6\u00fc", "\"\u00e4\u00f6\"" },
    { "\"bytes:3\"", "\u00e4\u00f6\u00fc", "\"\u00e4\"" },
    { "\"e164:49\",\"plus\"", "030 123", "\"+4930123\"" },
    { "\"e164:1\"", "+49 30 123", "\"4930123\"" },
    { "\"e164:1\"", "0049 30 123", "\"4930123\"" },
    { "\"e164:1\"", "(650) 555-1212", "\"16505551212\"" },
    { "\"e164:1\"", "1 650 555 1212", "\"16505551212\"" },
    { "\"digits\"", "abc", "null" }
};


static void
test_write_record(fwd_record_writer_t *w, const char *text,
    const char *wanted)
{
    fwd_rc_t      rc;
    fwd_error_t   err;
    fwd_record_t  record;

    err.text[0] = '\0';
    rc = fwd_record_write(w, jv_parse(text), &record, &err);

    if (wanted == NULL) {
        assert_int_equal(rc, FWD_ERROR);
        assert_null(strstr(err.text, "hunter2"));
        return;
    }

    if (rc != FWD_OK) {
        print_error("%s: %s\n", text, err.text);
    }

    assert_int_equal(rc, FWD_OK);
    assert_int_equal(record.text.len, strlen(wanted));
    assert_memory_equal(record.text.data, wanted, strlen(wanted));
}


static void
test_writer(fwd_record_writer_t *w, fwd_desc_t *desc, fwd_dest_conf_t *conf)
{
    memset(desc, 0, sizeof(*desc));
    memset(conf, 0, sizeof(*conf));

    desc->settings = test_settings;
    desc->settings_count = test_count(test_settings);
    conf->desc = desc;
    conf->values = test_values;

    fwd_record_init(w, conf);
}


static void
test_markers(void **state)
{
    size_t               i;
    fwd_desc_t           desc;
    fwd_dest_conf_t      conf;
    fwd_record_writer_t  w;

    (void) state;

    test_writer(&w, &desc, &conf);

    for (i = 0; i < test_count(test_records); i++) {
        w.omit = (uint64_t) test_records[i].omit;
        test_write_record(&w, test_records[i].record,
                          test_records[i].wanted);
    }

    fwd_record_cleanup(&w);
}


static void
test_operations(void **state)
{
    char                 text[256], wanted[256];
    size_t               i;
    fwd_desc_t           desc;
    fwd_dest_conf_t      conf;
    fwd_record_writer_t  w;

    (void) state;

    test_writer(&w, &desc, &conf);

    for (i = 0; i < test_count(test_ops); i++) {
        (void) snprintf(text, sizeof(text), "{\"a\":{\"@text\":\"%s\",\"do\":"
                        "[%s]}}", strchr(test_ops[i].text, '\n')
                                  ? " a b " : test_ops[i].text,
                        test_ops[i].ops);
        (void) snprintf(wanted, sizeof(wanted), "{\"a\":%s}",
                        test_ops[i].wanted);

        if (strchr(test_ops[i].text, '\t') == NULL) {
            test_write_record(&w, text, wanted);
        }
    }

    fwd_record_cleanup(&w);
}


static void
test_steering(void **state)
{
    fwd_desc_t           desc;
    fwd_error_t          err;
    fwd_record_t         record;
    fwd_dest_conf_t      conf;
    fwd_record_writer_t  w;

    (void) state;

    test_writer(&w, &desc, &conf);

    assert_int_equal(fwd_record_write(&w, jv_parse(
                         "{\"@group\":{\"b\":1,\"a\":{\"@text\":\"X\","
                         "\"do\":[\"lower\"]}},\"@merge\":\"k\","
                         "\"@array\":\"n\",\"@alone\":true,\"x\":1}"),
                         &record, &err), FWD_OK);
    assert_int_equal(record.group.len, 15);
    assert_memory_equal(record.group.data, "{\"a\":\"x\",\"b\":1}", 15);
    assert_memory_equal(record.merge.data, "k", 1);
    assert_memory_equal(record.array.data, "n", 1);
    assert_true(record.alone);

    assert_int_equal(fwd_record_write(&w, jv_parse("{\"@drop\":\"No Key!\"}"),
                                      &record, &err), FWD_OK);
    assert_int_equal(record.kind, FWD_RECORD_DROP);
    assert_string_equal(record.reason, "no_key_");

    fwd_record_cleanup(&w);
}


/* An object of an event is no marker, whatever its names are. */

static void
test_guard(void **state)
{
    jv                   event;
    fwd_desc_t           desc;
    fwd_error_t          err;
    fwd_record_t         record;
    martech_str_t        text = martech_string("{\"a\":{\"@secret\":"
                                               "\"token\"}}");
    fwd_dest_conf_t      conf;
    fwd_reader_tape_t    tape;
    fwd_record_writer_t  w;

    (void) state;

    test_writer(&w, &desc, &conf);
    fwd_reader_tape_init(&tape);
    event = fwd_jv_parse_guarded(&tape, NULL, text);

    assert_int_equal(fwd_record_write(&w, event, &record, &err), FWD_OK);
    assert_int_equal(record.text.len, text.len);
    assert_memory_equal(record.text.data, text.data, text.len);

    fwd_reader_tape_free(&tape);
    fwd_record_cleanup(&w);
}


/* A marker whose name does not come first would be sent as it stands. */

static void
test_misplaced(void **state)
{
    size_t               i;
    fwd_desc_t           desc;
    fwd_error_t          err;
    fwd_record_t         record;
    fwd_dest_conf_t      conf;
    fwd_record_writer_t  w;

    static const char *const  texts[] = {
        "{\"mail\":{\"do\":[\"trim\"],\"@sha256\":\"ada@example.com\"}}",
        "{\"list\":[{\"as\":\"s\",\"@time\":1}]}",
        "{\"@group\":{\"a\":{\"do\":\"trim\",\"@text\":\"x\"}},\"b\":1}"
    };

    (void) state;

    test_writer(&w, &desc, &conf);

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(fwd_record_write(&w, jv_parse(texts[i]), &record,
                                          &err), FWD_ERROR);
        assert_non_null(strstr(err.text, "that is not its first"));
        assert_null(strstr(err.text, "example"));
    }

    fwd_record_cleanup(&w);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_markers),
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_steering),
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_misplaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
