
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_sign_aws: cases of the vendor's test suite for
 * signers, and what it has no case for.
 */


#include "fwd_test.h"

/* forwarder */
#include "fwd_sign_aws.h"


#define KEY     "AKIDEXAMPLE"
#define SECRET  "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define HOST    "https://example.amazonaws.com"
#define NOW_S   1440938160               /* 2015-08-30T12:36:00Z */


static fwd_rc_t
sign(char *out, fwd_sign_aws_t *in, fwd_error_t *err)
{
    fwd_rc_t   rc;
    fwd_buf_t  headers;

    in->access_key = KEY;
    in->secret_key = SECRET;
    in->region = "us-east-1";
    in->service = in->service ? in->service : "service";
    in->now_s = NOW_S;

    fwd_buf_init(&headers, 65536);
    rc = fwd_sign_aws(&headers, in, err);
    assert_true(headers.len < 4096);
    (void) snprintf(out, 4096, "%s", fwd_buf_string(&headers));
    fwd_buf_free(&headers);

    return rc;
}


static void
test_vectors(void **state)
{
    char         out[4096];
    size_t       i;
    fwd_error_t  err;

    static const struct {
        const char  *method;
        const char  *url;
        const char  *lines;
        const char  *body;
        const char  *names;
        const char  *signature;
    } rows[] = {

        /* names of the suite: get-vanilla */
        { "GET", HOST "/", NULL, "", "host;x-amz-date",
          "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },

        /* post-vanilla */
        { "POST", HOST "/", NULL, "", "host;x-amz-date",
          "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },

        /* get-vanilla-query-order-key-case: the query is sorted */
        { "GET", HOST "/?Param2=value2&Param1=value1", NULL, "",
          "host;x-amz-date",
          "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },

        /* get-utf8: the path is encoded */
        { "GET", HOST "/\xe1\x88\xb4", NULL, "", "host;x-amz-date",
          "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85" },

        /* post-x-www-form-urlencoded: a body, and its type */
        { "POST", HOST "/",
          "Content-Type: application/x-www-form-urlencoded\n"
          "Accept: */*\n", "Param1=value1",
          "content-type;host;x-amz-date",
          "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a" }
    };

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        fwd_sign_aws_t  in = { .method = rows[i].method, .url = rows[i].url,
                               .lines = rows[i].lines, .body = rows[i].body };

        in.body_len = strlen(rows[i].body);

        assert_int_equal(sign(out, &in, &err), FWD_OK);
        assert_non_null(strstr(out, "X-Amz-Date: 20150830T123600Z\n"));
        assert_non_null(strstr(out, "Credential=" KEY "/20150830/us-east-1/"
                                    "service/aws4_request, SignedHeaders="));

        if (strstr(out, rows[i].names) == NULL
            || strstr(out, rows[i].signature) == NULL)
        {
            test_fail("row %zu: %s", i, out);
        }
    }
}


/* Two spellings of a request that have one canonical form. */

static void
test_same(void **state)
{
    char         one[4096], two[4096];
    size_t       i;
    fwd_error_t  err;

    static const struct {
        const char  *one;
        const char  *two;
        int          same;
    } rows[] = {
        { "/?a=1&b=2", "/?b=2&a=1", 1 },
        { "/?a=2&a=1", "/?a=1&a=2", 1 },
        { "/?a", "/?a=", 1 },
        { "/?a=%7e", "/?a=~", 1 },
        { "/?a=%2f", "/?a=%2F", 1 },
        { "/?a=%2f", "/?a=/", 1 },
        { "/?a=1&&b=2", "/?a=1&b=2", 1 },
        { "/?a-b=1&a=2", "/?a=2&a-b=1", 1 },
        { "", "/", 1 },
        { "/?", "/", 1 },
        { ":443/", "/", 1 },
        { "/a%20b", "/a%2520b", 0 },
        { "/?a=1", "/?a=2", 0 },
        { ":8443/", "/", 0 }
    };

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        char            first[256], second[256];
        fwd_sign_aws_t  in = { .method = "GET" };

        (void) snprintf(first, sizeof(first), HOST "%s", rows[i].one);
        (void) snprintf(second, sizeof(second), HOST "%s", rows[i].two);

        in.url = first;
        assert_int_equal(sign(one, &in, &err), FWD_OK);
        in.url = second;
        assert_int_equal(sign(two, &in, &err), FWD_OK);

        if ((strcmp(one, two) == 0) != rows[i].same) {
            test_fail("%s and %s", rows[i].one, rows[i].two);
        }
    }
}


static void
test_lines(void **state)
{
    char             out[4096];
    fwd_error_t      err;
    fwd_sign_aws_t   in = { .method = "PUT", .url = HOST "/x",
                            .service = "s3", .session_token = "TOKEN",
                            .lines = "x-amz-b:  two   words \n"
                                     "X-AMZ-A: 1\nX-Other: 2\n" };

    (void) state;

    assert_int_equal(sign(out, &in, &err), FWD_OK);
    assert_non_null(strstr(out, "SignedHeaders=host;x-amz-a;x-amz-b;"
                                "x-amz-content-sha256;x-amz-date;"
                                "x-amz-security-token, "));
    assert_non_null(strstr(out, "X-Amz-Security-Token: TOKEN\n"));
    assert_non_null(strstr(out, "X-Amz-Content-Sha256: e3b0c44298fc1c14"));
    assert_null(strstr(out, SECRET));
}


static void
test_refused(void **state)
{
    char             out[4096], url[1024];
    size_t           i;
    fwd_error_t      err;
    fwd_sign_aws_t   in = { .method = "GET", .url = HOST "/a//b" };

    (void) state;

    assert_int_equal(sign(out, &in, &err), FWD_ERROR);
    in.url = HOST "/a/../b";
    assert_int_equal(sign(out, &in, &err), FWD_ERROR);
    in.url = "http://[";
    assert_int_equal(sign(out, &in, &err), FWD_ERROR);
    in.url = HOST "/?a=%00";
    (void) sign(out, &in, &err);

    (void) strcpy(url, HOST "/?");

    for (i = 0; i < 65; i++) {
        (void) snprintf(url + strlen(url), 8, "p%zu&", i);
    }

    in.url = url;
    assert_int_equal(sign(out, &in, &err), FWD_ERROR);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_refused),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
