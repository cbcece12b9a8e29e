
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_visitor: what is an id of ours, and the id of a
 * day.
 */


#include "martech_test.h"

/* martech */
#include "martech_visitor.h"


/* 2026-11-20T19:36:00.123Z */
#define TEST_NOW  1795203360123ULL


static martech_str_t
test_slice(const char *text)
{
    martech_str_t  s;

    s.data = (const unsigned char *) text;
    s.len = strlen(text);

    return s;
}


/* What was made now is valid, until an hour before it was made. */
static void
test_valid_new(void **state)
{
    uint64_t        born, random[2] = { UINT64_MAX, 12345 };
    martech_str_t   value;
    unsigned char  *text;

    (void) state;

    text = test_alloc(MARTECH_UUID_LEN);
    martech_uuid7(text, TEST_NOW, random);

    value.data = text;
    value.len = MARTECH_UUID_LEN;
    born = 0;

    assert_int_equal(martech_visitor_valid(value, TEST_NOW, &born), 1);
    assert_true(born == TEST_NOW);

    assert_int_equal(martech_visitor_valid(value, TEST_NOW - 3600000, &born),
                     1);
    assert_int_equal(martech_visitor_valid(value, TEST_NOW - 3600001, &born),
                     0);

    free(text);
}


/* Each byte changed to something else than a digit makes it worthless. */
static void
test_valid_bytes(void **state)
{
    size_t          i;
    uint64_t        born, random[2] = { 1, 2 };
    martech_str_t   value;
    unsigned char  *text, kept;

    (void) state;

    text = test_alloc(MARTECH_UUID_LEN);
    martech_uuid7(text, TEST_NOW, random);

    value.data = text;

    for (i = 0; i < MARTECH_UUID_LEN; i++) {
        value.len = i;
        assert_int_equal(martech_visitor_valid(value, TEST_NOW, &born), 0);
    }

    value.len = MARTECH_UUID_LEN;

    for (i = 0; i < MARTECH_UUID_LEN; i++) {
        kept = text[i];

        text[i] = 'g';
        assert_int_equal(martech_visitor_valid(value, TEST_NOW, &born), 0);
        text[i] = 'A';
        assert_int_equal(martech_visitor_valid(value, TEST_NOW, &born), 0);
        text[i] = ';';
        assert_int_equal(martech_visitor_valid(value, TEST_NOW, &born), 0);

        text[i] = kept;
    }

    assert_int_equal(martech_visitor_valid(value, TEST_NOW, &born), 1);

    free(text);
}


static void
test_valid_others(void **state)
{
    size_t    i;
    uint64_t  born;

    static const char  *wrong[] = {
        "",
        "0199f6a0-1234-4abc-8def-0123456789ab",   /* version 4 */
        "0199f6a0-1234-8abc-8def-0123456789ab",   /* version 8 */
        "0199f6a0-1234-7abc-cdef-0123456789ab",   /* another variant */
        "0199f6a0-1234-7abc-0def-0123456789ab",
        "00000000-0000-7000-8000-000000000000",   /* 1970 */
        "ffffffff-ffff-7fff-bfff-ffffffffffff",   /* far away */
        "0199f6a0-1234-7abc-8def-0123456789ab0",
        "0199f6a01234-7abc-8def-0123456789ab--",
        "0199F6A0-1234-7ABC-8DEF-0123456789AB",
    };

    (void) state;

    for (i = 0; i < test_count(wrong); i++) {

        if (martech_visitor_valid(test_slice(wrong[i]), TEST_NOW, &born)) {
            test_fail("\"%s\" is valid", wrong[i]);
        }
    }

    assert_int_equal(martech_visitor_valid(
                         test_slice("0199f6a0-1234-7abc-8def-0123456789ab"),
                         TEST_NOW, &born), 1);
}


/*
 * Vectors made with Python's hmac and hashlib: HMAC-SHA256 over parts with
 * two bytes of length each, with version and variant of a UUID.
 */
static void
test_day_vectors(void **state)
{
    unsigned char      out[MARTECH_UUID_LEN];
    unsigned char      salt[MARTECH_VISITOR_SALT];
    martech_visitor_t  v;

    (void) state;

    v.source = test_slice("website");
    v.host = test_slice("www.example.com");
    v.ip = test_slice("198.51.100.7");
    v.user_agent = test_slice("Mozilla/5.0 (X11)");

    martech_visitor_salt(test_slice("0123456789abcdef"), 20777, salt);
    martech_visitor_day(salt, &v, out);
    assert_memory_equal(out, "04f66813-01e3-80ff-8ed9-2d50e5e78265", 36);

    martech_visitor_salt(test_slice("0123456789abcdef"), 20778, salt);
    martech_visitor_day(salt, &v, out);
    assert_memory_equal(out, "cb691dd3-373a-812d-b5e2-fe97f3ec726f", 36);

    /* a key longer than a block */

    martech_visitor_salt(test_slice("0123456789abcdef0123456789abcdef"
                                    "0123456789abcdef0123456789abcdef0"), 0,
                         salt);
    martech_visitor_day(salt, &v, out);
    assert_memory_equal(out, "8d1bcfce-d507-8d1d-9dd3-248b8c1b17c6", 36);
}


/* Each part counts, and so does where it ends; what is too long is cut. */
static void
test_day_parts(void **state)
{
    size_t             i;
    char               agent[1024];
    unsigned char      salt[MARTECH_VISITOR_SALT];
    unsigned char      a[MARTECH_UUID_LEN], b[MARTECH_UUID_LEN];
    martech_visitor_t  one, other;

    (void) state;

    memset(salt, 7, sizeof(salt));
    memset(agent, 'x', sizeof(agent));

    one.source = test_slice("s");
    one.host = test_slice("h");
    one.ip = test_slice("i");
    one.user_agent = test_slice("a");
    martech_visitor_day(salt, &one, a);

    for (i = 0; i < 5; i++) {
        other = one;

        switch (i) {

        case 0:
            other.source = test_slice("S");
            break;

        case 1:
            other.host = test_slice("");
            break;

        case 2:
            other.ip = test_slice("I");
            break;

        case 3:
            other.user_agent.len = 0;
            other.user_agent.data = NULL;
            break;

        default:
            other.source = test_slice("sh");
            other.host = test_slice("");
            break;
        }

        martech_visitor_day(salt, &other, b);
        assert_memory_not_equal(a, b, MARTECH_UUID_LEN);
    }

    one.user_agent.data = (unsigned char *) agent;
    one.user_agent.len = 512;
    martech_visitor_day(salt, &one, a);

    one.user_agent.len = sizeof(agent);
    martech_visitor_day(salt, &one, b);
    assert_memory_equal(a, b, MARTECH_UUID_LEN);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_valid_new),
        cmocka_unit_test(test_valid_bytes),
        cmocka_unit_test(test_valid_others),
        cmocka_unit_test(test_day_vectors),
        cmocka_unit_test(test_day_parts),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
