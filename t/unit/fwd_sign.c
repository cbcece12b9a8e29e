
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_sign: vectors of Standard Webhooks 1.0.0, bad
 * secrets, and ids.
 */


#include "fwd_test.h"

/* forwarder */
#include "fwd_sign.h"


#define TEST_SECRET  "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


static void
test_vectors(void **state)
{
    static const struct {
        const char  *id;
        uint64_t     stamp;
        const char  *body;
        const char  *signature;
    } rows[] = {

        /* of the libraries of the specification */
        { "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
          "{\"test\": 2432232314}",
          "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" },

        /* made with the npm package standardwebhooks */
        { "msg_demo1", 1750000000,
          "{\"id\":\"evt_1\",\"type\":\"demo.created\"}",
          "v1,g2DUIKtj8U0cXSlHudDG00bjRNUGLRU3UG+ovavSNMw=" },
    };

    char            out[FWD_SIGN_TEXT_MAX];
    size_t          i;
    fwd_error_t     err;
    fwd_sign_key_t  key;

    (void) state;

    assert_int_equal(fwd_sign_key(&key, TEST_SECRET, &err), FWD_OK);
    assert_int_equal(key.len, 24);

    for (i = 0; i < test_count(rows); i++) {
        fwd_sign_v1(out, &key, rows[i].id, rows[i].stamp, rows[i].body,
                    strlen(rows[i].body));
        assert_string_equal(out, rows[i].signature);
    }

    /* one byte of anything makes another signature */

    fwd_sign_v1(out, &key, "msg_demo2", 1750000000, rows[1].body,
                strlen(rows[1].body));
    assert_string_not_equal(out, rows[1].signature);

    fwd_sign_v1(out, &key, "msg_demo1", 1750000001, rows[1].body,
                strlen(rows[1].body));
    assert_string_not_equal(out, rows[1].signature);

    fwd_sign_v1(out, &key, "msg_demo1", 1750000000, rows[1].body,
                strlen(rows[1].body) - 1);
    assert_string_not_equal(out, rows[1].signature);
}


static void
test_keys(void **state)
{
    static const struct {
        const char  *secret;
        int          good;
        size_t       len;
    } rows[] = {
        { "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 1, 24 },
        { "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 1, 32 },
        { "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", 1, 25 },
        { "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
          "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", 1, 64 },

        { "", 0, 0 },
        { "whsec_", 0, 0 },
        { "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 0, 0 },
        { "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", 0, 0 },
        { "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0, 0 },
        { "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA!!", 0, 0 },
        { "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
          "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 0, 0 },
    };

    size_t          i;
    fwd_rc_t        rc;
    fwd_error_t     err;
    fwd_sign_key_t  key;

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        rc = fwd_sign_key(&key, rows[i].secret, &err);

        if ((rc == FWD_OK) != rows[i].good
            || (rows[i].good && key.len != rows[i].len))
        {
            test_fail("row %zu: %d, length %zu", i, rc, key.len);
        }

        /* what was given may be a secret: it is not shown */

        if (rc != FWD_OK && strlen(rows[i].secret) > 6) {
            assert_null(strstr(err.text, rows[i].secret + 6));
        }
    }
}


static void
test_ids(void **state)
{
    char  one[FWD_SIGN_ID_MAX], two[FWD_SIGN_ID_MAX], longer[201];

    (void) state;

    /* an id that is safe in a header is kept */

    fwd_sign_id(one, test_str("Order-4711_b"), 0, 0);
    assert_string_equal(one, "Order-4711_b");

    /* a dot would end the id in the signed text */

    fwd_sign_id(one, test_str("a.b"), 0, 0);
    assert_int_equal(strlen(one), 36);
    assert_int_equal(one[14], '5');
    fwd_sign_id(two, test_str("a.b"), 0, 0);
    assert_string_equal(one, two);
    fwd_sign_id(two, test_str("a.c"), 0, 0);
    assert_string_not_equal(one, two);

    fwd_sign_id(one, test_str("evil\r\nX-Admin: 1"), 0, 0);
    assert_int_equal(strlen(one), 36);

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    fwd_sign_id(one, test_str(longer), 0, 0);
    assert_int_equal(strlen(one), 36);

    /* the second request of an event is another message */

    fwd_sign_id(one, test_str("m1"), 1, 0);
    fwd_sign_id(two, test_str("m1"), 2, 0);
    assert_int_equal(strlen(one), 36);
    assert_string_not_equal(one, two);

    /* a replay is a message that the other side has not seen */

    fwd_sign_id(one, test_str("m1"), 0, 1);
    assert_int_equal(strlen(one), 36);
    fwd_sign_id(two, test_str("m1"), 0, 2);
    assert_string_not_equal(one, two);
    fwd_sign_id(two, test_str("m1"), 1, 0);
    assert_string_not_equal(one, two);
    fwd_sign_id(two, test_str("m1"), 1, 1);
    assert_string_not_equal(one, two);

    /* a batch: the order counts, and where an id ends */

    fwd_sign_batch_id(one, "a\nb\n", 4);
    fwd_sign_batch_id(two, "b\na\n", 4);
    assert_string_not_equal(one, two);
    fwd_sign_batch_id(two, "a\nb\n", 4);
    assert_string_equal(one, two);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_ids),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
