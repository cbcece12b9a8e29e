
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_format: what each format takes and what not.  The
 * official suite (t/schema) goes over them, too; here are our own choices and
 * the ends of the ranges.
 */


#include <time.h>

#include "martech_test.h"

/* martech */
#include "martech_format.h"


#define TEST_LONG     (1024 * 1024)
#define TEST_LONG_MS  400       /* sanitized, on a busy machine */


static const struct {
    const char  *format;
    const char  *yes[24];
    const char  *no[32];
} test_rows[] = {
    { "date-time",
      { "2026-11-20T19:36:00Z", "2026-11-20t19:36:00.5z",
        "2026-11-20T19:36:00+05:30", "1998-12-31T23:59:60Z",
        "1998-12-31T15:59:60.12-08:00", "2024-02-29T00:00:00Z",
        "0000-01-01T00:00:00-00:00" },
      { "", "2026-11-20", "2026-11-20 19:36:00Z", "2026-11-20T19:36:00",
        "2026-11-20T19:36Z", "2023-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-04-31T00:00:00Z",
        "2026-00-01T00:00:00Z", "2026-11-20T24:00:00Z",
        "1998-12-31T22:59:60Z", "1998-12-31T23:59:60+01:00",
        "2026-11-20T19:36:00+24:00", "2026-11-20T19:36:00.Z",
        "2026-11-20T19:36:00ZZ", "2026-11-20T19:36:00+0530",
        "2026-11-20T19:36:\xd9\xa3" "0Z" } },
    { "date", { "2026-11-20", "2024-02-29" },
      { "", "2026-11-2", "2026-11-201", "20261120", "2026-11-20Z",
        "2026/11/20", "2026-1-20" } },
    { "time", { "00:00:00Z", "23:59:60Z", "23:59:59.999999999999+23:59",
                "01:29:60+01:30" },
      { "", "00:00:00", "24:00:00Z", "00:60:00Z", "00:00:61Z", "0:00:00Z",
        "12:00:60Z", "00:00:00,5Z", "00:00:00+1:00" } },
    { "duration",
      { "P1Y2M3DT4H5M6S", "P1Y", "PT1S", "P3W", "P1Y3D", "PT1H1S", "P0D",
        "P99999999999999999999Y" },
      { "", "P", "PT", "P1", "1Y", "P1YT", "P1M1Y", "P1W1D", "P1D1W", "P1H",
        "PT1D", "P1.5Y", "P-1Y", "p1y", "P1YY", "PT1S1H" } },
    { "email",
      { "a@b", "a.b+c@example.com", "\"a b\"@example.com",
        "\"a\\\"b\"@example.com", "o'brien@ex-ample.co.uk",
        "x@[127.0.0.1]", "x@[IPv6:2001:db8::1]", "x@xn--bcher-kva.de" },
      { "", "a", "@b", "a@", "a@b@c", ".a@b", "a.@b", "a..b@c", "a b@c",
        "a@-b", "a@b..c", "a@b_c", "a@[1.2.3]", "a@[]", "\"a@b", "\"a\"b@c",
        "\xc3\xa9@example.com", "a@b\xc3\xbc" "cher.de", "a@[x]",
        "a@b.", "\"a\x01\"@b",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "@b" } },
    { "idn-email", { "\xc3\xa9@b\xc3\xbc" "cher.de", "a@b" },
      { "", "\xc3\xa9", "a@b\xc3\xbc" "cher..de" } },
    { "hostname",
      { "a", "a.b", "1.2", "A-1.b", "xn--bcher-kva.example" },
      { "", ".", "a.", ".a", "a..b", "-a", "a-", "a_b", "a b",
        "b\xc3\xbc" "cher.de", "xn--x", "ab--cd", "xn--", "xn--a-", "a\x80",
        "xn--99999999999999999999", "a.-b" } },
    { "idn-hostname", { "b\xc3\xbc" "cher.de", "a", "l\xc2\xb7l",
                        "a\xe3\x80\x82" "b" },
      { "", "\xcc\x80" "a", "a\xc2\xb7" "b", "\xc3\xbc-", "a\xe2\x82\xac",
        "\xf0\x9f\x98\x80.de", "\xff" } },
    { "ipv4", { "0.0.0.0", "255.255.255.255", "1.20.3.4" },
      { "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ",
        "1..2.3", "1.2.3.", "0x7f.0.0.1", "1.2.3.4/8", "2130706433" } },
    { "ipv6",
      { "::", "::1", "1::", "2001:db8::1", "1:2:3:4:5:6:7:8",
        "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1::3:4:5:6:7:8",
        "::2:3:4:5:6:7:8" },
      { "", ":", ":::", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
        "1::2::3", "12345::", "::g", "fe80::1%eth0", "::1/64", "1:2:3:4:5:6:7:",
        ":1:2:3:4:5:6:7", "::1.2.3", "1:2:3:4:5:6:7:1.2.3.4", "[::1]",
        "1::2:3:4:5:6:7:8", "1.2.3.4::", "::1.2.3.4:5" } },
    { "uri",
      { "https://example.com/a?b=c#d", "mailto:a@b", "urn:x:y", "a:",
        "http://[::1]:80/", "http://[v1.x]/", "http://u:p@h:1/",
        "file:///etc", "http://%41/", "x://" },
      { "", "/a", "a", "//a", "http://a b", "http://[::1", "http://[x]/",
        "http://h:x/", "http://a/%4", "http://a/%zz", "1a:b", ":a",
        "http://a/[", "http://a/\"", "http://\xc3\xa9/", "http://a\\b",
        "http://a/^", "http://a@b@c/", "http://[v.x]/", "a:#b#c" } },
    { "uri-reference", { "", "a", "/a", "//h/p", "?q", "#f", "a/b:c", ".." },
      { "a b", "1a:b", "\\a", "%", "#a#b" } },
    { "iri", { "https://\xc3\xa9.de/\xe4\xb8\xad?\xee\x80\x80" },
      { "", "\xc3\xa9", "http://a/\xee\x80\x80", "http://a/\xef\xbf\xbf",
        "http://a/\xff" } },
    { "iri-reference", { "", "\xc3\xa9", "#\xc3\xa9" }, { "\\\xc3\xa9" } },
    { "uri-template",
      { "", "a", "{a}", "{+a}", "{#a,b}", "{a:9999}", "{a*}", "{a.b}",
        "{%41}", "/x{?q*,r:3}", "\xc3\xa9" },
      { "{", "}", "{}", "{a", "{a:}", "{a:0}", "{a:10000}", "{a,}",
        "{a b}", "{a.}", "{.}", "a b", "%4", "{a**}", "{-a}", "<" } },
    { "uuid", { "2eb8aa08-aa98-11ea-b4aa-73b441d16380",
                "2EB8AA08-AA98-11EA-B4AA-73B441D16380" },
      { "", "2eb8aa08aa9811eab4aa73b441d16380",
        "2eb8aa08-aa98-11ea-b4aa-73b441d1638",
        "2eb8aa08-aa98-11ea-b4aa-73b441d16380a",
        "2eb8aa08-aa98-11ea-b4aa73b441d16380-",
        "2eb8aa08-aa98-11ea-b4ga-73b441d16380" } },
    { "json-pointer", { "", "/", "/a/b", "/~0~1", "//" },
      { "a", "/~", "/~2", "#/a" } },
    { "relative-json-pointer", { "0", "1/a", "0#", "10/~1" },
      { "", "/a", "-1", "01", "0##", "1a", "1#a" } },
    { "regex", { "", "^a+$", "(a+)+", "[^]", "\\p{L}" },
      { "(", "a**", "\\a", "[z-a]", "\\Z" } },
};


static int
test_check(martech_format_pt check, const char *text)
{
    int             rc;
    unsigned char  *copy;

    copy = test_copy(text, strlen(text));
    rc = check(copy, strlen(text));
    free(copy);

    return rc;
}


static void
test_all(void **state)
{
    size_t             i, k;
    martech_format_pt  check;

    (void) state;

    for (i = 0; i < test_count(test_rows); i++) {
        check = martech_format(test_str(test_rows[i].format));
        if (check == NULL) {
            test_fail("%s is not known", test_rows[i].format);
        }

        for (k = 0; k < 24 && test_rows[i].yes[k] != NULL; k++) {
            if (test_check(check, test_rows[i].yes[k]) != 1) {
                test_fail("%s: \"%s\" is refused", test_rows[i].format,
                          test_rows[i].yes[k]);
            }
        }

        for (k = 0; k < 32 && test_rows[i].no[k] != NULL; k++) {
            if (test_check(check, test_rows[i].no[k]) != 0) {
                test_fail("%s: \"%s\" is accepted", test_rows[i].format,
                          test_rows[i].no[k]);
            }
        }
    }
}


static void
test_names(void **state)
{
    (void) state;

    assert_null(martech_format(test_str("")));
    assert_null(martech_format(test_str("Date")));
    assert_null(martech_format(test_str("date-time ")));
    assert_null(martech_format(test_str("color")));
    assert_int_equal(test_count(test_rows), 19);
}


/* A megabyte of what a format has much of. */
static void
test_long(void **state)
{
    clock_t               spent;
    size_t                i, k, n;
    unsigned char        *text;
    martech_format_pt     check;
    static const char    *units[] = {
        "a", "a.", "1", ":", "%41", "{a}", "/", "xn--a", "-", "\xc3\xa9",
        "P1Y", "[", "@", "\"", "~0", "\x00"
    };

    (void) state;

    text = test_alloc(TEST_LONG);

    for (i = 0; i < test_count(test_rows); i++) {
        check = martech_format(test_str(test_rows[i].format));

        for (k = 0; k < test_count(units); k++) {
            for (n = 0; n < TEST_LONG; n++) {
                text[n] = (unsigned char)
                          units[k][n % (strlen(units[k]) + !units[k][0])];
            }

            spent = clock();
            (void) check(text, TEST_LONG);
            spent = (clock() - spent) * 1000 / CLOCKS_PER_SEC;

            if (spent > TEST_LONG_MS) {
                test_fail("%s with \"%s\" took %ld ms", test_rows[i].format,
                          units[k], (long) spent);
            }
        }
    }

    free(text);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_long),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("martech_format", tests, NULL, NULL);
}
