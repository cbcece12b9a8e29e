
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_cors: rules, what they allow, one's own origin and
 * the headers of a preflight.
 */


#include "martech_test.h"

/* martech */
#include "martech_cors.h"


typedef struct {
    const char  *rule;
    const char  *origin;
    int          allowed;
} test_allowed_t;


static const test_allowed_t  test_allowed[] = {
    { "https://a.example", "https://a.example", 1 },
    { "https://A.example", "https://a.EXAMPLE", 1 },
    { "https://a.example", "http://a.example", 0 },
    { "https://a.example", "https://a.example:444", 0 },
    { "https://a.example", "https://a.example.evil", 0 },
    { "https://a.example", "https://a.exampl", 0 },
    { "https://a.example", "https://b.a.example", 0 },
    { "https://a.example", "null", 0 },
    { "https://a.example", "", 0 },
    { "https://a.example:8443", "https://a.example:8443", 1 },
    { "http://[::1]:8080", "http://[::1]:8080", 1 },
    { "chrome-extension://abcdef", "chrome-extension://abcdef", 1 },

    { "https://*.a.example", "https://b.a.example", 1 },
    { "https://*.a.example", "https://c.b.a.example", 1 },
    { "https://*.a.example", "https://a.example", 0 },
    { "https://*.a.example", "https://.a.example", 0 },
    { "https://*.a.example", "https://b..a.example", 0 },
    { "https://*.a.example", "https://xa.example", 0 },
    { "https://*.a.example", "http://b.a.example", 0 },
    { "https://*.a.example", "https://b.a.example:444", 0 },
    { "https://*.a.example", "https://evil.example/.a.example", 0 },
    { "https://*.a.example", "https://evil.example#.a.example", 0 },
    { "https://*.a.example", "https://evil.example:80.a.example", 0 },
    { "https://*.a.example", "https://u@b.a.example", 0 },
    { "https://*.a.example", "https://*.a.example", 0 },
    { "https://*.a.example:8443", "https://b.a.example:8443", 1 },
    { "https://*.a.example:8443", "https://b.a.example", 0 },

    { "null", "null", 1 },
    { "null", "https://a.example", 0 },
    { "*", "https://a.example", 1 },
    { "*", "null", 1 },
};


static const char  *test_wrong[] = {
    "", "a.example", "https://", "https:///", "https://a.example/",
    "https://a.example/path", "https://a.example?x", "https://a.example:",
    "https://a.example:0", "https://a.example:65536", "https://a.example:x",
    "https://a.example:443", "http://a.example:80", "https://*", "https://*.",
    "https://a.*.example", "https://a..example", "https://.a.example",
    "https://a.example.", "https://user@a.example", "://a.example",
    "https://a b", "**", "http://[::1", "http://[::g/]",
};


typedef struct {
    const char  *origin;
    const char  *host;
    int          secure;
    int          same;
} test_same_t;


static const test_same_t  test_same[] = {
    { "https://a.example", "a.example", 1, 1 },
    { "https://a.example", "A.Example", 1, 1 },
    { "https://a.example", "a.example:443", 1, 1 },
    { "http://a.example", "a.example", 0, 1 },
    { "http://a.example", "a.example:80", 0, 1 },
    { "http://a.example:8080", "a.example:8080", 0, 1 },
    { "http://[::1]:8080", "[::1]:8080", 0, 1 },

    /* TLS has ended in front of us, and never the other way round */
    { "https://a.example", "a.example", 0, 1 },
    { "http://a.example", "a.example", 1, 0 },

    { "http://a.example:8080", "a.example", 0, 0 },
    { "http://a.example", "a.example:8080", 0, 0 },
    { "https://a.example", "b.example", 1, 0 },
    { "https://a.example", "a.example.evil", 1, 0 },
    { "https://www.a.example", "a.example", 1, 0 },
    { "null", "null", 1, 0 },
    { "", "", 1, 0 },
    { "https://", "", 1, 0 },
    { "ftp://a.example", "a.example", 0, 0 },
};


typedef struct {
    const char  *asked;
    const char  *answer;
} test_headers_t;


static const test_headers_t  test_headers[] = {
    { "", "" },
    { "authorization,content-type", "authorization, content-type" },
    { "Content-Type , AUTHORIZATION", "authorization, content-type" },
    { "x-evil,content-type,cookie", "content-type" },
    { "content-typed,xcontent-type", "" },
    { ",,content-type,,content-type,", "content-type" },
    { "anonymousid, authorization, content-type, sentat",
      "authorization, content-type, anonymousid, sentat" },
    { "sp-anonymous", "sp-anonymous" },
    { "*", "" },
};


static martech_str_t
test_slice(unsigned char **copy, const char *text)
{
    martech_str_t  s;

    *copy = test_copy(text, strlen(text));

    s.data = *copy;
    s.len = strlen(text);

    return s;
}


static void
test_rules(void **state)
{
    size_t                  i;
    martech_str_t           text, origin;
    unsigned char          *a, *b, *buf;
    martech_origin_rule_t   rule;

    (void) state;

    for (i = 0; i < test_count(test_allowed); i++) {
        text = test_slice(&a, test_allowed[i].rule);
        origin = test_slice(&b, test_allowed[i].origin);
        buf = test_alloc(text.len);

        if (martech_origin_rule(&rule, text, buf) != NULL) {
            test_fail("\"%s\" is no rule", test_allowed[i].rule);
        }

        if (martech_origin_allowed(&rule, origin) != test_allowed[i].allowed) {
            test_fail("\"%s\": \"%s\"", test_allowed[i].rule,
                      test_allowed[i].origin);
        }

        free(a);
        free(b);
        free(buf);
    }
}


static void
test_wrong_rules(void **state)
{
    size_t                  i;
    martech_str_t           text;
    unsigned char          *a, *buf;
    martech_origin_rule_t   rule;

    (void) state;

    for (i = 0; i < test_count(test_wrong); i++) {
        text = test_slice(&a, test_wrong[i]);
        buf = test_alloc(text.len);

        if (martech_origin_rule(&rule, text, buf) == NULL) {
            test_fail("\"%s\" is a rule", test_wrong[i]);
        }

        free(a);
        free(buf);
    }
}


static void
test_same_origin(void **state)
{
    size_t          i;
    martech_str_t   origin, host;
    unsigned char  *a, *b;

    (void) state;

    for (i = 0; i < test_count(test_same); i++) {
        origin = test_slice(&a, test_same[i].origin);
        host = test_slice(&b, test_same[i].host);

        if (martech_origin_same(origin, host, test_same[i].secure)
            != test_same[i].same)
        {
            test_fail("\"%s\" at \"%s\"", test_same[i].origin,
                      test_same[i].host);
        }

        free(a);
        free(b);
    }
}


static void
test_asked_headers(void **state)
{
    size_t          i, n;
    martech_str_t   asked;
    unsigned char  *a, *out;

    (void) state;

    out = test_alloc(MARTECH_CORS_HEADERS_SIZE);

    for (i = 0; i < test_count(test_headers); i++) {
        asked = test_slice(&a, test_headers[i].asked);
        n = martech_cors_headers(asked, out);

        if (n != strlen(test_headers[i].answer)
            || memcmp(out, test_headers[i].answer, n) != 0)
        {
            test_fail("\"%s\": \"%.*s\"", test_headers[i].asked, (int) n, out);
        }

        free(a);
    }

    free(out);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_wrong_rules),
        cmocka_unit_test(test_same_origin),
        cmocka_unit_test(test_asked_headers),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
