
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_jv: what it reads and writes is what libjq itself
 * reads and writes.
 */


#include "fwd_test.h"

/* forwarder */
#include "fwd_jv.h"


static const char *const  test_texts[] = {
    "null", "true", "false", "0", "-0", "1", "-1", "15", "1.5", "-0.25",
    "0.1", "1e3", "1E+2", "1e-7", "1e15", "1e16", "1e17", "1e18", "1e400",
    "129.90", "-12.50", "0.001", "0.000999", "0.0010001", "0.00001",
    "-0.5", "0.0",
    "123456.789012", "99999999.999999", "999999999.9999999", "9.999999999999",
    "1234567890.12345", "0.3333333333333333", "1000000000000000.5",
    "-1e400", "1e-400", "999999999999999", "-999999999999999",
    "9999999999999999", "123456789012345678", "9007199254740993",
    "3.141592653589793", "100000000000000000000", "0.30000000000000004",
    "\"\"", "\"a\"", "\"\\u0000\\u0001\\u001f\\u007f\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\ud83d\\ude00 \\u00e4\"",
    "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"",
    "[]", "[1]", "[1,[2,[3,[]]],{}]", "[null,true,\"x\"]",
    "{}", "{\"a\":1}", "{\"a\":1,\"a\":2}", "{\"b\":{\"c\":[{\"d\":null}]}}",
    "{\"\\u0061b\":1,\"\":2,\"a b\":\"\\n\"}",
    " { \"a\" : [ 1 , 2 ] } ",
    ("{\"a1\":1,\"a2\":2,\"a3\":3,\"a4\":4,\"a5\":5,\"a6\":6,\"a7\":7,"
     "\"a8\":8,\"a9\":9,\"a10\":10,\"a11\":11,\"a12\":12,\"a13\":13}"),
};


static jv
test_parse(fwd_reader_tape_t *rt, const char *text)
{
    martech_str_t  str;

    str.data = (const unsigned char *) text;
    str.len = strlen(text);

    return fwd_jv_parse(rt, str);
}


static void
test_same_as_libjq(void **state)
{
    jv                 ours, theirs, text;
    size_t             i;
    fwd_buf_t          b;
    fwd_reader_tape_t  rt;

    (void) state;

    fwd_reader_tape_init(&rt);
    fwd_buf_init(&b, 65536);

    for (i = 0; i < test_count(test_texts); i++) {
        ours = test_parse(&rt, test_texts[i]);
        theirs = jv_parse(test_texts[i]);

        if (!jv_equal(jv_copy(ours), jv_copy(theirs))) {
            fail_msg("parsed otherwise: %s", test_texts[i]);
        }

        jv_free(theirs);
        text = jv_dump_string(jv_copy(ours), 0);

        fwd_buf_reset(&b);
        fwd_jv_dump(&b, ours);

        assert_string_equal(fwd_buf_string(&b), jv_string_value(text));
        jv_free(text);
    }

    fwd_buf_free(&b);
    fwd_reader_tape_free(&rt);
}


static void
test_long_string(void **state)
{
    jv                  value;
    char               *text;
    size_t              i;
    fwd_reader_tape_t   rt;

    (void) state;

    /* escaped and longer than what fits without an allocation */

    text = malloc(4003);
    text[0] = '"';

    for (i = 0; i < 2000; i++) {
        memcpy(text + 1 + 2 * i, "\\n", 2);
    }

    memcpy(text + 4001, "\"", 2);

    fwd_reader_tape_init(&rt);
    value = test_parse(&rt, text);

    assert_int_equal(jv_get_kind(value), JV_KIND_STRING);
    assert_int_equal(jv_string_length_bytes(value), 2000);

    fwd_reader_tape_free(&rt);
    free(text);
}


static void
test_depth(void **state)
{
    jv                 value;
    char               text[1024];
    int                depth;
    fwd_reader_tape_t  rt;

    (void) state;

    fwd_reader_tape_init(&rt);

    for (depth = 256; depth <= 257; depth++) {
        memset(text, '[', (size_t) depth);
        memset(text + depth, ']', (size_t) depth);
        text[2 * depth] = '\0';

        value = test_parse(&rt, text);
        assert_int_equal(jv_is_valid(value), depth == 256);
        jv_free(value);
    }

    fwd_reader_tape_free(&rt);
}


static void
test_no_json(void **state)
{
    jv                 value;
    size_t             i;
    fwd_reader_tape_t  rt;

    static const char *const  texts[] = {
        "", " ", "{", "nul", "{\"a\":}", "\"\xff\"", "1 2", "[1,]", "01"
    };

    (void) state;

    fwd_reader_tape_init(&rt);

    for (i = 0; i < test_count(texts); i++) {
        value = test_parse(&rt, texts[i]);
        assert_int_equal(jv_get_kind(value), JV_KIND_INVALID);
        jv_free(value);
    }

    fwd_reader_tape_free(&rt);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_same_as_libjq),
        cmocka_unit_test(test_long_string),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_no_json),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
