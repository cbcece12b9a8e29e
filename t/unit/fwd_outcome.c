
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_outcome: each HTTP status has the class that stands
 * in docs/FORWARDER.md, and Retry-After is read in all its forms.
 */


#include "fwd_test.h"

/* forwarder */
#include "fwd_outcome.h"


#define D  FWD_OUTCOME_DELIVERED
#define R  FWD_OUTCOME_RETRY
#define T  FWD_OUTCOME_THROTTLED
#define X  FWD_OUTCOME_REJECTED
#define C  FWD_OUTCOME_CREDENTIALS
#define S  FWD_OUTCOME_STOP
#define U  FWD_OUTCOME_UNCLASSIFIED


static void
test_statuses(void **state)
{
    static const struct {
        int            status;
        fwd_outcome_t  outcome;
    } rows[] = {
        { 200, D }, { 201, D }, { 202, D }, { 204, D }, { 207, D },
        { 299, D },
        { 300, X }, { 301, X }, { 302, X }, { 304, X }, { 308, X },
        { 400, X }, { 402, X }, { 405, X }, { 406, X }, { 409, X },
        { 411, X }, { 412, X }, { 413, X }, { 414, X }, { 415, X },
        { 416, X }, { 417, X }, { 421, X }, { 422, X }, { 424, X },
        { 426, X }, { 428, X }, { 431, X }, { 451, X }, { 501, X },
        { 401, C }, { 403, C }, { 407, C },
        { 404, S }, { 410, S },
        { 408, R }, { 423, R }, { 425, R },
        { 429, T }, { 503, T },
        { 500, R }, { 502, R }, { 504, R }, { 505, R }, { 507, R },
        { 520, R }, { 599, R },
        { 418, U }, { 420, U }, { 427, U }, { 440, U }, { 460, U },
        { 499, U },
        { 0, U }, { 100, U }, { 101, U }, { 600, U }, { 999, U }, { -1, U },
    };

    size_t  i;

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        if (fwd_outcome_http(rows[i].status) != rows[i].outcome) {
            test_fail("status %d is %s", rows[i].status,
                      fwd_outcome_name(fwd_outcome_http(rows[i].status)));
        }
    }
}


static void
test_no_status_is_forgotten(void **state)
{
    int            status;
    fwd_outcome_t  outcome;

    (void) state;

    for (status = 100; status < 600; status++) {
        outcome = fwd_outcome_http(status);

        assert_int_equal(outcome == D, status >= 200 && status < 300);

        /* nothing that may be good or passing is refused for ever */

        if (status < 300 || status >= 502) {
            assert_int_not_equal(outcome, X);
        }
    }
}


static void
test_retry_after(void **state)
{
    /* Fri, 20 Nov 2026 19:36:00 GMT */
    static const uint64_t  now = 1795203360000ULL;

    static const struct {
        const char  *text;
        uint64_t     ms;                 /* 0: not readable */
    } rows[] = {
        { "1", 1000 },
        { "120", 120000 },
        { " 7 ", 7000 },
        { "7\r\n", 7000 },
        { "3600", 3600000 },
        { "0", FWD_RETRY_AFTER_MIN_MS },
        { "3601", FWD_RETRY_AFTER_MAX_MS },
        { "1000000000", FWD_RETRY_AFTER_MAX_MS },
        { "99999999999999999999999999999999", FWD_RETRY_AFTER_MAX_MS },
        { "Fri, 20 Nov 2026 19:37:00 GMT", 60000 },
        { "Friday, 20-Nov-26 19:37:00 GMT", 60000 },
        { "Fri Nov 20 19:37:00 2026", 60000 },
        { "Fri, 20 Nov 2026 19:35:00 GMT", FWD_RETRY_AFTER_MIN_MS },
        { "Mon, 23 Nov 2026 19:37:00 GMT", FWD_RETRY_AFTER_MAX_MS },
        { "Thu, 01 Jan 1970 00:00:00 GMT", FWD_RETRY_AFTER_MIN_MS },
        { "", 0 },
        { " ", 0 },
        { "-1", 0 },
        { "+5", 0 },
        { "1.5", 0 },
        { "5 seconds", 0 },
        { "soon", 0 },
        { "0x10", 0 },
    };

    size_t    i;
    uint64_t  ms;
    fwd_rc_t  rc;

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        ms = 77;
        rc = fwd_outcome_retry_after(&ms, rows[i].text, now);

        if (rows[i].ms == 0) {
            if (rc != FWD_NONE || ms != 77) {
                test_fail("\"%s\" was read", rows[i].text);
            }

        } else if (rc != FWD_OK || ms != rows[i].ms) {
            test_fail("\"%s\" gave %llu", rows[i].text,
                      (unsigned long long) ms);
        }
    }
}


static void
test_names(void **state)
{
    int            i;
    fwd_outcome_t  outcome;

    (void) state;

    for (i = 0; i < FWD_OUTCOME_COUNT; i++) {
        assert_int_equal(fwd_outcome_parse(&outcome, fwd_outcome_name(i)),
                         FWD_OK);
        assert_int_equal(outcome, i);
    }

    assert_int_equal(fwd_outcome_parse(&outcome, "splendid"), FWD_NONE);
}


static void
test_worst(void **state)
{
    /* each outweighs all before it, in whatever order they come */
    static const fwd_outcome_t  order[] = {
        FWD_OUTCOME_DROPPED, FWD_OUTCOME_DUPLICATE, D, R, T,
        FWD_OUTCOME_AMBIGUOUS, U, X
    };

    size_t  i, j;

    (void) state;

    for (i = 0; i < test_count(order); i++) {
        assert_int_equal(fwd_outcome_is_good(order[i]), i < 3);

        for (j = 0; j <= i; j++) {
            assert_int_equal(fwd_outcome_worst(order[i], order[j]), order[i]);
            assert_int_equal(fwd_outcome_worst(order[j], order[i]), order[i]);
        }
    }
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_no_status_is_forgotten),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_worst),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
