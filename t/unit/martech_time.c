
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_time: what docs/SPEC.md section 3 calls readable,
 * what it does not, and that text and number agree over eight thousand years.
 */


#include <time.h>

#include "martech_test.h"

/* martech */
#include "martech_time.h"


#define TEST_MS_MAX   253402300799999LL     /* 9999-12-31T23:59:59.999Z */
#define TEST_DAY_MS   86400000LL


static const struct {
    const char            *text;
    int64_t                ms;
} test_readable[] = {
    { "1970-01-01T00:00:00Z", 0 },
    { "1970-01-01T00:00:00.001Z", 1 },
    { "2001-09-09T01:46:40Z", 1000000000000 },
    { "2026-11-20T19:36:00Z", 1795203360000 },
    { "9999-12-31T23:59:59.999Z", TEST_MS_MAX },

    /* a space for the T, no offset */
    { "2026-11-20 19:36:00Z", 1795203360000 },
    { "2026-11-20T19:36:00", 1795203360000 },
    { "2026-11-20 19:36:00.5", 1795203360500 },

    /* fractions: point or comma, any number of digits, cut behind ms */
    { "2026-11-20T19:36:00.1Z", 1795203360100 },
    { "2026-11-20T19:36:00.12Z", 1795203360120 },
    { "2026-11-20T19:36:00.123Z", 1795203360123 },
    { "2026-11-20T19:36:00,123Z", 1795203360123 },
    { "2026-11-20T19:36:00.012Z", 1795203360012 },
    { "2026-11-20T19:36:00.123456+00:00", 1795203360123 },
    { "2026-11-20T19:36:00.123999999Z", 1795203360123 },
    { "2026-11-20T19:36:00.99999999999999999999Z", 1795203360999 },
    { "2026-11-20T19:36:00.000", 1795203360000 },

    /* offsets */
    { "2026-11-20T20:36:00+01:00", 1795203360000 },
    { "2026-11-20T14:06:00-05:30", 1795203360000 },
    { "2026-11-21T01:06:00+05:30", 1795203360000 },
    { "2026-11-21T19:35:00+23:59", 1795203360000 },
    { "2026-11-20T19:36:00-00:00", 1795203360000 },
    { "2026-11-20T20:36:00.25+01:00", 1795203360250 },
    { "1970-01-01T00:00:00-00:01", 60000 },
    { "1970-01-01T01:00:00+01:00", 0 },

    /* a leap second is the first of the next minute */
    { "2016-12-31T23:59:60Z", 1483228800000 },
    { "2016-12-31T18:59:60.5-05:00", 1483228800500 },

    /* leap years */
    { "2000-02-29T00:00:00Z", 951782400000 },
    { "2024-02-29T23:59:59Z", 1709251199000 },
    { "2024-03-01T00:00:00Z", 1709251200000 },
    { "2023-03-01T00:00:00Z", 1677628800000 },
    { "2400-02-29T12:00:00Z", 13574606400000 },
    { "2100-03-01T00:00:00Z", 4107542400000 },
};


static const char *const  test_unreadable[] = {
    "", " ", "Z", "now", "0", "1795203360000", "null",

    /* cut short, or with something more */
    "2026", "2026-11-20", "2026-11-20T", "2026-11-20T19:36",
    "2026-11-20T19:36Z", "2026-11-20T19:36:0Z", "2026-11-20T19:36:00ZZ",
    "2026-11-20T19:36:00Z ", " 2026-11-20T19:36:00Z",
    "2026-11-20T19:36:00 Z", "2026-11-20T19:36:00 +01:00",
    "2026-11-20T19:36:00.123Z0", "2026-11-20T19:36:00x",

    /* other forms */
    "20261120T193600Z", "2026-11-20_19:36:00Z", "2026/11/20T19:36:00Z",
    "26-11-20T19:36:00Z", "02026-11-20T19:36:00Z", "+2026-11-20T19:36:00Z",
    "2026-11-20T19-36-00Z", "2026-11-20T19.36.00Z", "2026-W47-5T19:36:00Z",
    "2026-1-20T19:36:00Z", "2026-11-20T9:36:00Z", "Nov 20 2026 19:36:00",
    "2026-11-20T7:36:00 PM",

    /* out of range */
    "2026-00-20T19:36:00Z", "2026-13-20T19:36:00Z", "2026-11-00T19:36:00Z",
    "2026-11-31T19:36:00Z", "2026-04-31T00:00:00Z", "2026-01-32T00:00:00Z",
    "2026-11-20T24:00:00Z", "2026-11-20T25:00:00Z", "2026-11-20T19:60:00Z",
    "2026-11-20T19:36:61Z", "2026-11-20T19:36:99Z",
    "2023-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2024-02-30T00:00:00Z",
    "1969-12-31T23:59:59Z", "1900-01-01T00:00:00Z", "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",

    /* characters that are nearly digits */
    "2026-11-20T19:3a:00Z", "2026-11-2 T19:36:00Z", "2026-11-20T19:36:0 Z",
    "2026-11-20T19:36:-1Z", "2026-11-20T-1:36:00Z", "2026-11-20T19:36:0:Z",
    "2026-11-20T19:36:0/Z", "-026-11-20T19:36:00Z",

    /* fractions and offsets */
    "2026-11-20T19:36:00.", "2026-11-20T19:36:00.Z", "2026-11-20T19:36:00,Z",
    "2026-11-20T19:36:00.1.2Z", "2026-11-20T19:36:00.x",
    "2026-11-20T19:36:00.-1Z", "2026-11-20T19:36:00:5Z",
    "2026-11-20T19:36:00+", "2026-11-20T19:36:00-", "2026-11-20T19:36:00+1",
    "2026-11-20T19:36:00+01", "2026-11-20T19:36:00+01:",
    "2026-11-20T19:36:00+01:0", "2026-11-20T19:36:00+1:00",
    "2026-11-20T19:36:00+01:60", "2026-11-20T19:36:00+24:00",
    "2026-11-20T19:36:00+01:00Z", "2026-11-20T19:36:00Z+01:00",
    "2026-11-20T19:36:00+01:000", "2026-11-20T19:36:00+-1:00",
    "2026-11-20T19:36:00.+01:00", "2026-11-20T19:36:00+01.00",
    "2026-11-20T19:36:00+aa:00", "2026-11-20T19:36:00+01:bb",

    /* in the year that is named, but not in ours */
    "9999-12-31T23:59:59-00:01",
};


/* Parses a copy in a block of its own size. */
static martech_rc_t
test_parse(const char *text, size_t len, int64_t *ms)
{
    martech_rc_t    rc;
    unsigned char  *copy;

    copy = test_copy(text, len);
    rc = martech_time_parse(copy, len, ms);
    free(copy);

    return rc;
}


static void
test_parse_readable(void **state)
{
    size_t   i;
    int64_t  ms;

    (void) state;

    for (i = 0; i < test_count(test_readable); i++) {
        ms = -1;

        if (test_parse(test_readable[i].text, strlen(test_readable[i].text),
                       &ms) != MARTECH_OK)
        {
            test_fail("\"%s\" not read", test_readable[i].text);
        }

        if (ms != test_readable[i].ms) {
            test_fail("\"%s\": %lld, not %lld", test_readable[i].text,
                      (long long) ms, (long long) test_readable[i].ms);
        }
    }
}


static void
test_parse_unreadable(void **state)
{
    size_t   i;
    int64_t  ms;

    (void) state;

    for (i = 0; i < test_count(test_unreadable); i++) {
        ms = 4711;

        if (test_parse(test_unreadable[i], strlen(test_unreadable[i]), &ms)
            != MARTECH_JSON_INVALID)
        {
            test_fail("\"%s\" read as %lld", test_unreadable[i],
                      (long long) ms);
        }

        assert_int_equal(ms, 4711);
    }
}


/* Bytes of no text, in every place of a good one. */
static void
test_parse_bad_byte_anywhere(void **state)
{
    static const char           good[] = "2026-11-20T19:36:00.123+01:00";
    static const unsigned char  bad[] = { 0, 0x7f, 0x80, 0xff, '/', ':', 'x',
                                          '"', '\\' };

    char     text[sizeof(good)];
    size_t   i, k;
    int64_t  ms;

    (void) state;

    for (i = 0; i < sizeof(good) - 1; i++) {
        for (k = 0; k < sizeof(bad); k++) {

            if (good[i] == (char) bad[k]) {
                continue;
            }

            memcpy(text, good, sizeof(good));
            text[i] = (char) bad[k];

            ms = 4711;

            if (test_parse(text, sizeof(good) - 1, &ms) == MARTECH_OK) {
                test_fail("byte %02x at %zu read", bad[k], i);
            }

            assert_int_equal(ms, 4711);
        }
    }
}


/*
 * Midnights and last milliseconds of every day, against the C library's
 * calendar, which shares no code with ours.
 */
static void
test_round_trip(void **state)
{
    char           want[64], got[MARTECH_TIME_LEN];
    time_t         t;
    int64_t        day, ms, back, last;
    struct tm      tm;

    (void) state;

    last = TEST_MS_MAX / TEST_DAY_MS;

    for (day = 0; day <= last; day++) {
        t = (time_t) (day * 86400);
        gmtime_r(&t, &tm);

        snprintf(want, sizeof(want), "%04d-%02d-%02dT00:00:00.000Z",
                 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);

        ms = day * TEST_DAY_MS;
        martech_time_format((unsigned char *) got, ms);

        if (memcmp(got, want, MARTECH_TIME_LEN) != 0) {
            test_fail("%lld: \"%.24s\", not \"%s\"", (long long) ms, got,
                      want);
        }

        assert_int_equal(test_parse(got, sizeof(got), &back), MARTECH_OK);
        assert_true(back == ms);

        memcpy(want + 10, "T23:59:59.999Z", 15);

        ms += TEST_DAY_MS - 1;
        martech_time_format((unsigned char *) got, ms);

        if (memcmp(got, want, MARTECH_TIME_LEN) != 0) {
            test_fail("%lld: \"%.24s\", not \"%s\"", (long long) ms, got,
                      want);
        }

        assert_int_equal(test_parse(got, sizeof(got), &back), MARTECH_OK);
        assert_true(back == ms);
    }
}


/* Every second of a day, with a fraction that changes. */
static void
test_round_trip_seconds(void **state)
{
    char     want[64], got[MARTECH_TIME_LEN];
    int      s;
    int64_t  ms, back;

    (void) state;

    for (s = 0; s < 86400; s++) {
        ms = 1795132800000LL + s * 1000LL + s % 1000;

        snprintf(want, sizeof(want), "2026-11-20T%02d:%02d:%02d.%03dZ",
                 s / 3600, s / 60 % 60, s % 60, s % 1000);

        martech_time_format((unsigned char *) got, ms);
        assert_memory_equal(got, want, MARTECH_TIME_LEN);

        assert_int_equal(test_parse(got, sizeof(got), &back), MARTECH_OK);
        assert_true(back == ms);
    }
}


static void
test_format_clamps(void **state)
{
    unsigned char  *out;

    (void) state;

    out = test_alloc(MARTECH_TIME_LEN);

    martech_time_format(out, -1);
    assert_memory_equal(out, "1970-01-01T00:00:00.000Z", MARTECH_TIME_LEN);

    martech_time_format(out, INT64_MIN);
    assert_memory_equal(out, "1970-01-01T00:00:00.000Z", MARTECH_TIME_LEN);

    martech_time_format(out, TEST_MS_MAX);
    assert_memory_equal(out, "9999-12-31T23:59:59.999Z", MARTECH_TIME_LEN);

    martech_time_format(out, TEST_MS_MAX + 1);
    assert_memory_equal(out, "9999-12-31T23:59:59.999Z", MARTECH_TIME_LEN);

    martech_time_format(out, INT64_MAX);
    assert_memory_equal(out, "9999-12-31T23:59:59.999Z", MARTECH_TIME_LEN);

    free(out);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parse_readable),
        cmocka_unit_test(test_parse_unreadable),
        cmocka_unit_test(test_parse_bad_byte_anywhere),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_round_trip_seconds),
        cmocka_unit_test(test_format_clamps),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
