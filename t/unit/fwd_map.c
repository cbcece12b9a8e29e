
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_map: records, drops and errors of maps, and that a
 * map sees nothing but its input.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE                      /* clearenv() */
#endif

#include "fwd_test.h"

/* forwarder */
#include "fwd_buf.h"
#include "fwd_map.h"


#define TEST_EVENT                                                            \
    "{\"messageId\":\"m1\",\"event\":\"Order\",\"n\":[1,2,3],"                \
    "\"secretish\":\"hunter2\",\"timestamp\":\"2026-11-20T19:35:00.123Z\","  \
    "\"context\":{\"martech\":{\"consent\":{\"granted\":[\"analytics\"],"     \
    "\"denied\":[\"advertising\",\"analytics\"]}}},"                          \
    "\"p\":{\"@secret\":\"token\",\"\\u0065\":\"a\\nb\","          \
    "\"z\":null,\"f\":12.50,"                                                 \
    "\"o\":false,\"big\":1e300,\"q\":{\"@secret\":\"token\"}}}"


/* What a description and a configuration would give. */
static fwd_setting_t  test_settings[] = {
    { .name = "pixel", .kind = FWD_SETTING_STRING },
    { .name = "level", .kind = FWD_SETTING_NUMBER },
    { .name = "loud", .kind = FWD_SETTING_BOOL },
    { .name = "token", .kind = FWD_SETTING_STRING, .secret = 1 },
    { .name = "unset", .kind = FWD_SETTING_STRING },
};

static const char  *test_person;

static const char  *test_values[] = { "p-1", "7", "true", "hunter2", NULL };


static fwd_rc_t
test_compile(fwd_map_t **map, const char *program, fwd_report_t *report)
{
    static fwd_pool_t  pool;

    fwd_desc_t       desc;
    fwd_dest_conf_t  conf;

    memset(&desc, 0, sizeof(desc));
    memset(&conf, 0, sizeof(conf));
    memset(report, 0, sizeof(*report));

    fwd_pool_free(&pool);
    report->pool = &pool;

    desc.map = program;
    desc.map_file = "map.jq";
    desc.settings = test_settings;
    desc.settings_count = test_count(test_settings);
    conf.desc = &desc;
    conf.values = test_values;

    return fwd_map_create(map, &conf, report);
}


static fwd_rc_t
test_record(void *data, const fwd_record_t *record)
{
    fwd_buf_add(data, record->text.data, record->text.len);
    fwd_buf_add_char(data, ';');

    return FWD_OK;
}


static void
test_run(fwd_map_t *map, fwd_rc_t rc, const char *wanted)
{
    fwd_buf_t      out;
    fwd_error_t    err;
    martech_str_t  event;

    event.data = (const unsigned char *) TEST_EVENT;
    event.len = sizeof(TEST_EVENT) - 1;
    err.text[0] = '\0';

    fwd_buf_init(&out, 1 << 20);

    assert_int_equal(fwd_map_run(map, event, test_person, 1795203360123ULL,
                                 test_record, &out, &err), rc);

    /* messages never hold values of the event */
    assert_null(strstr(err.text, "hunter2"));

    if (rc == FWD_OK) {
        assert_string_equal(fwd_buf_string(&out), wanted);
    }

    fwd_buf_free(&out);
}


static const struct {
    const char  *program;
    fwd_rc_t     rc;
    const char  *wanted;
} test_maps[] = {
    { "{ id: .event.messageId }", FWD_OK, "{\"id\":\"m1\"};" },
    { ".event.n[] | { n: . }", FWD_OK, "{\"n\":1};{\"n\":2};{\"n\":3};" },
    { "empty", FWD_OK, "" },
    { "select(.event.event == \"Other\") | {}", FWD_OK, "" },
    { ".settings", FWD_OK, "{\"pixel\":\"p-1\",\"level\":7,\"loud\":true};" },
    { "{ now }", FWD_OK, "{\"now\":1795203360.123};" },

    { "{ a: granted(\"analytics\"), b: granted(\"advertising\"), "
      "c: granted(\"x\") }", FWD_OK, "{\"a\":true,\"b\":false,\"c\":null};" },
    { "{ a: .age }", FWD_OK, "{\"a\":60};" },

    /* what is no object where one is expected has nothing, and stays null */
    { ".event.properties = 5 | .event.traits = true | .event.context = {} "
      "| { a: trait(\"x\"), b: email, c: phone, d: user_id, e: page_url, "
      "f: user_agent, g: ip, h: locale }", FWD_OK,
      "{\"a\":null,\"b\":null,\"c\":null,\"d\":null,\"e\":null,"
      "\"f\":null,\"g\":null,\"h\":null};" },

    /* paths; what is constant is the same value with each event */
    { "{ a: {\"@get\": \"messageId\"}, b: {\"@get\": \"n\"} }", FWD_OK,
      "{\"a\":\"m1\",\"b\":[1,2,3]};" },
    { "{ a: {\"@get\": [\"p.x\", \"event.y\", \"p.z\", \"event\"]}, "
      "b: {\"@get\": \"p.e\"}, c: {\"@get\": \"p.o\"} }", FWD_OK,
      "{\"a\":\"Order\",\"b\":\"a\\nb\",\"c\":false};" },
    { "{ a: {\"@get\": [\"p.x\", \"p.o\", \"event\"]}, "
      "b: {\"@text\": {\"@get\": [\"p.o\", \"event\"]}}, "
      "c: {\"@get\": [\"p.x\", \"p.o\"]}, "
      "d: {\"@get\": [\"p.o\", \"p.x\"]} }", FWD_OK,
      "{\"a\":\"Order\",\"b\":\"Order\",\"c\":false,\"d\":null};" },
    { "{ a: {\"@get\": \"p.z\"}, b: {\"@get\": \"p.z\", else: [1]}, "
      "c: {\"@number\": {\"@get\": \"n.x\", else: \"7\"}} }", FWD_OK,
      "{\"a\":null,\"b\":[1],\"c\":7};" },
    { "{ a: {\"@text\": {\"@get\": \"p.e\"}, do: [\"upper\"]}, "
      "b: {\"@text\": {\"@get\": \"p.f\"}}, "
      "c: {\"@number\": {\"@get\": \"p.f\"}, as: \"int\"}, "
      "d: {\"@number\": {\"@get\": \"p.big\"}, as: \"int\"}, "
      "e: {\"@time\": {\"@get\": \"timestamp\"}, as: \"s\"} }", FWD_OK,
      "{\"a\":\"A\\nB\",\"b\":\"12.5\",\"c\":13,\"d\":1e+300,"
      "\"e\":1795203300};" },
    { "{ a: {\"@json\": {\"@get\": \"n\"}}, b: [{\"@get\": \"nope\"}] }",
      FWD_OK, "{\"a\":\"[1,2,3]\",\"b\":[null]};" },
    { "{ a: {\"@json\": [{\"@get\": \"event\"}, {\"@get\": \"n\"}]} }",
      FWD_OK, "{\"a\":\"[\\\"Order\\\",[1,2,3]]\"};" },
    { ".event.n[] | { n: ., a: {\"@get\": \"event\"} }", FWD_OK,
      "{\"n\":1,\"a\":\"Order\"};{\"n\":2,\"a\":\"Order\"};"
      "{\"n\":3,\"a\":\"Order\"};" },
    { "{ a: {\"@get\": 5} }", FWD_ERROR, NULL },
    { "{ a: {\"@get\": []} }", FWD_ERROR, NULL },
    { "{ a: {\"@get\": \"\"} }", FWD_ERROR, NULL },
    { "{ a: {\"@get\": \"n\", do: \"trim\"} }", FWD_ERROR, NULL },
    { "{ a: {\"@text\": {\"@get\": \"n\", do: \"trim\"}} }", FWD_ERROR,
      NULL },

    /* an object of the event is no marker by this way either */
    { "{ a: {\"@get\": \"p\"} | ., b: 1 }", FWD_OK,
      "{\"a\":{\"@secret\":\"token\",\"e\":\"a\\nb\",\"z\":null,"
      "\"f\":12.5,\"o\":false,\"big\":1e+300,\"q\":{\"@secret\":\"token\"}},"
      "\"b\":1};" },

    { "error(.event.secretish)", FWD_ERROR, NULL },
    { "error(.event.nope)", FWD_ERROR, NULL },
    { "null | error", FWD_ERROR, NULL },
    { "try error(\"x\") catch {caught: .}", FWD_OK, "{\"caught\":\"x\"};" },
    { "{}, error(\"late\")", FWD_ERROR, NULL },
    { ".event.messageId + 1", FWD_ERROR, NULL },
    { ".event.messageId", FWD_ERROR, NULL },
    { "[.event]", FWD_ERROR, NULL },
    { "null", FWD_ERROR, NULL },
    { "range(2000) | {}", FWD_ERROR, NULL },

    /* nothing outside */
    { "{ e: env, v: $ENV }", FWD_OK, "{\"e\":{},\"v\":{}};" },
    { "{ p: env.PATH }", FWD_OK, "{\"p\":null};" },
    { "{ a: input }", FWD_ERROR, NULL },
    { "{ a: [inputs] }", FWD_ERROR, NULL },
    { "{ a: (\"/etc/passwd\" | modulemeta) }", FWD_ERROR, NULL },
    { "{ a: get_search_list }", FWD_OK, "{\"a\":[]};" },
    { "{ a: (1 | debug | stderr) }", FWD_OK, "{\"a\":1};" },
    { "{ a: (0 | now) }", FWD_ERROR, NULL },
    { "{ a: input_filename }", FWD_OK, "{\"a\":null};" },
    { "halt", FWD_ERROR, NULL },
    { "\"x\" | halt_error", FWD_ERROR, NULL },
    { "{ l: $__loc__.line }", FWD_OK, "{\"l\":1};" },
};


static void
test_programs(void **state)
{
    size_t        i;
    fwd_map_t    *map;
    fwd_report_t  report;

    (void) state;

    for (i = 0; i < test_count(test_maps); i++) {
        if (test_compile(&map, test_maps[i].program, &report) != FWD_OK) {
            test_fail("%s: %s", test_maps[i].program, report.texts[0]);
        }

        /* a run leaves nothing behind that the next one sees */

        test_run(map, test_maps[i].rc, test_maps[i].wanted);
        test_run(map, test_maps[i].rc, test_maps[i].wanted);

        fwd_map_destroy(map);
    }
}


/* More markers than places for them: each keeps its own paths. */

static void
test_many_markers(void **state)
{
    int           i;
    fwd_buf_t     program, wanted;
    fwd_map_t    *map;
    fwd_report_t  report;
    char          text[64];

    (void) state;

    fwd_buf_init(&program, 1 << 20);
    fwd_buf_init(&wanted, 1 << 20);
    fwd_buf_add_char(&program, '[');
    fwd_buf_add_string(&wanted, "{\"a\":[");

    for (i = 0; i < 2000; i++) {
        (void) snprintf(text, sizeof(text), "%s{\"@get\":[\"x%d\",\"%s\"]}",
                        i ? "," : "", i, i % 3 ? "messageId" : "event");
        fwd_buf_add_string(&program, text);
        fwd_buf_add_string(&wanted, i ? "," : "");
        fwd_buf_add_string(&wanted, i % 3 ? "\"m1\"" : "\"Order\"");
    }

    fwd_buf_add_string(&program, "] as $a | {a: $a}");
    fwd_buf_add_string(&wanted, "]};");

    assert_int_equal(test_compile(&map, fwd_buf_string(&program), &report),
                     FWD_OK);
    test_run(map, FWD_OK, fwd_buf_string(&wanted));
    test_run(map, FWD_OK, fwd_buf_string(&wanted));

    fwd_map_destroy(map);
    fwd_buf_free(&program);
    fwd_buf_free(&wanted);
}


static const char *const  test_refused[] = {
    "{ a: ", "include \"x\"; {}", "import \"x\" as x; {}",
    "import \"./x\" as $x; {}", "nosuchfunction", "$nosuch",
    ". as [$a] |"
};


static void
test_compile_errors(void **state)
{
    size_t        i;
    fwd_map_t    *map;
    fwd_report_t  report;

    (void) state;

    for (i = 0; i < test_count(test_refused); i++) {

        if (test_compile(&map, test_refused[i], &report) == FWD_OK) {
            fwd_map_destroy(map);
            test_fail("\"%s\" was accepted", test_refused[i]);
        }

        assert_int_not_equal(report.count, 0);
        assert_int_equal(strncmp(report.texts[0], "map.jq", 6), 0);
    }

    /* the prelude does not shift line numbers */

    assert_int_equal(test_compile(&map, "{\n a: 1,\n b: nosuch\n}", &report),
                     FWD_ERROR);
    assert_non_null(strstr(report.texts[0], "map.jq:3: "));
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_programs),
        cmocka_unit_test(test_many_markers),
        cmocka_unit_test(test_compile_errors),
    };

    (void) clearenv();
    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
