
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The breaker, with a clock that the tests move.
 */


#include "fwd_test.h"

#include "fwd_breaker.h"


#define TEST_START  1000000


static fwd_breaker_t  test_b;
static uint64_t       test_now;
static uint64_t       test_random;


static uint64_t
test_next_random(void)
{
    test_random ^= test_random << 13;
    test_random ^= test_random >> 7;
    test_random ^= test_random << 17;

    return test_random;
}


static int
test_setup(void **state)
{
    fwd_breaker_conf_t  conf;

    (void) state;

    memset(&conf, 0, sizeof(conf));
    fwd_breaker_init(&test_b, &conf);

    test_now = TEST_START;
    test_random = 88172645463325252ULL;

    return 0;
}


static int
test_allow(void)
{
    uint64_t  wait;

    wait = UINT64_MAX;

    return fwd_breaker_allow(&test_b, test_now, &wait);
}


/* One delivery, to its end; 0 if it was not allowed. */

static int
test_send(fwd_breaker_result_t result)
{
    uint32_t  turn;

    if (!test_allow()) {
        return 0;
    }

    turn = fwd_breaker_sent(&test_b);
    fwd_breaker_report(&test_b, turn, result, test_now, test_next_random());

    return 1;
}


static void
test_fail_until_open(void)
{
    int  i;

    for (i = 0; i < 100 && test_b.state != FWD_BREAKER_OPEN; i++) {
        assert_true(test_send(FWD_BREAKER_FAILED));
    }

    assert_int_equal(test_b.state, FWD_BREAKER_OPEN);
}


static void
test_opens_by_share(void **state)
{
    int  i;

    (void) state;

    /* 10 good ones first: half of 20 is reached at the 10th bad one */

    for (i = 0; i < 10; i++) {
        assert_true(test_send(FWD_BREAKER_OK));
    }

    for (i = 0; i < 9; i++) {
        assert_true(test_send(FWD_BREAKER_FAILED));
        assert_int_equal(test_b.state, FWD_BREAKER_CLOSED);
    }

    assert_true(test_send(FWD_BREAKER_FAILED));
    assert_int_equal(test_b.state, FWD_BREAKER_OPEN);
    assert_string_equal(test_b.reason, "share of failures");
    assert_int_equal(test_b.since_ms, test_now);
    assert_false(test_allow());
}


static void
test_opens_by_the_last_ones(void **state)
{
    int  i;

    (void) state;

    /* half of the window would be a thousand */

    for (i = 0; i < 1000; i++) {
        assert_true(test_send(FWD_BREAKER_OK));
    }

    for (i = 0; i < 19; i++) {
        assert_true(test_send(FWD_BREAKER_FAILED));
        assert_int_equal(test_b.state, FWD_BREAKER_CLOSED);
    }

    assert_true(test_send(FWD_BREAKER_FAILED));
    assert_int_equal(test_b.state, FWD_BREAKER_OPEN);
}


static void
test_share_needs_enough(void **state)
{
    int  i;

    (void) state;

    assert_true(test_send(FWD_BREAKER_OK));

    for (i = 0; i < 18; i++) {
        assert_true(test_send(FWD_BREAKER_FAILED));
        assert_int_equal(test_b.state, FWD_BREAKER_CLOSED);
    }

    assert_true(test_send(FWD_BREAKER_FAILED));
    assert_int_equal(test_b.state, FWD_BREAKER_OPEN);
}


static void
test_window_slides(void **state)
{
    int  i;

    (void) state;

    assert_true(test_send(FWD_BREAKER_OK));

    /* 18 failures in 9 s, and 11 s later another 18: never 20 in 10 s */

    for (i = 0; i < 18; i++) {
        assert_true(test_send(FWD_BREAKER_FAILED));
        test_now += 500;
    }

    assert_true(test_send(FWD_BREAKER_OK));
    test_now += 11000;

    for (i = 0; i < 17; i++) {
        assert_true(test_send(FWD_BREAKER_FAILED));
        assert_int_equal(test_b.state, FWD_BREAKER_CLOSED);
    }

    assert_true(test_send(FWD_BREAKER_ALIVE));

    /* and they are not forgotten too early */

    test_now += 8000;
    assert_true(test_send(FWD_BREAKER_FAILED));
    assert_true(test_send(FWD_BREAKER_FAILED));
    assert_int_equal(test_b.state, FWD_BREAKER_CLOSED);
    assert_true(test_send(FWD_BREAKER_FAILED));
    assert_int_equal(test_b.state, FWD_BREAKER_OPEN);
}


static void
test_unreachable_counts_double(void **state)
{
    int  i;

    (void) state;

    assert_true(test_send(FWD_BREAKER_OK));
    assert_true(test_send(FWD_BREAKER_OK));

    for (i = 0; i < 8; i++) {
        assert_true(test_send(FWD_BREAKER_UNREACHABLE));
        assert_int_equal(test_b.state, FWD_BREAKER_CLOSED);
    }

    assert_true(test_send(FWD_BREAKER_UNREACHABLE));
    assert_int_equal(test_b.state, FWD_BREAKER_OPEN);
}


/* Old buckets go one by one, not all at once. */

static void
test_window_keeps_the_rest(void **state)
{
    int  i;

    (void) state;

    assert_true(test_send(FWD_BREAKER_OK));
    test_now += 9000;

    for (i = 0; i < 9; i++) {
        assert_true(test_send(FWD_BREAKER_FAILED));
    }

    assert_true(test_send(FWD_BREAKER_ALIVE));
    test_now += 1500;

    for (i = 0; i < 10; i++) {
        assert_true(test_send(FWD_BREAKER_FAILED));
        assert_int_equal(test_b.state, FWD_BREAKER_CLOSED);
    }

    assert_true(test_send(FWD_BREAKER_FAILED));
    assert_int_equal(test_b.state, FWD_BREAKER_OPEN);
}


/* One event in ten minutes: the window never holds two. */

static void
test_opens_by_row(void **state)
{
    int  i;

    (void) state;

    assert_true(test_send(FWD_BREAKER_OK));

    for (i = 0; i < 4; i++) {
        test_now += 600000;
        assert_true(test_send(FWD_BREAKER_FAILED));
        assert_int_equal(test_b.state, FWD_BREAKER_CLOSED);
    }

    test_now += 600000;
    assert_true(test_send(FWD_BREAKER_FAILED));
    assert_int_equal(test_b.state, FWD_BREAKER_OPEN);
    assert_string_equal(test_b.reason, "failures in a row");
}


static void
test_row_needs_time(void **state)
{
    int  i;

    (void) state;

    assert_true(test_send(FWD_BREAKER_OK));

    for (i = 0; i < 9; i++) {
        test_now += 3000;
        assert_true(test_send(FWD_BREAKER_FAILED));
        assert_int_equal(test_b.state, FWD_BREAKER_CLOSED);
    }

    /* an answer about the event is one of a vendor that is there */

    test_now += 2000;
    assert_true(test_send(FWD_BREAKER_ALIVE));
    test_now += 2000;
    assert_true(test_send(FWD_BREAKER_FAILED));
    assert_int_equal(test_b.state, FWD_BREAKER_CLOSED);

    test_now += 29000;

    for (i = 0; i < 3; i++) {
        assert_true(test_send(FWD_BREAKER_FAILED));
        assert_int_equal(test_b.state, FWD_BREAKER_CLOSED);
    }

    assert_true(test_send(FWD_BREAKER_FAILED));
    assert_int_equal(test_b.state, FWD_BREAKER_OPEN);
}


static void
test_neutral_says_nothing(void **state)
{
    int  i;

    (void) state;

    for (i = 0; i < 1000; i++) {
        assert_true(test_send(FWD_BREAKER_NEUTRAL));
    }

    assert_int_equal(test_b.state, FWD_BREAKER_CLOSED);
    assert_int_equal(test_b.row, 0);
}


static void
test_half_open(void **state)
{
    int       i;
    uint64_t  wait;
    uint32_t  turn;

    (void) state;

    test_fail_until_open();

    wait = UINT64_MAX;
    assert_false(fwd_breaker_allow(&test_b, test_now, &wait));
    assert_in_range(wait, 4000, 6000);

    test_now += wait - 1;
    assert_false(test_allow());
    test_now += 1;
    assert_true(test_allow());
    assert_int_equal(test_b.state, FWD_BREAKER_HALF_OPEN);

    /* one at a time */

    turn = fwd_breaker_sent(&test_b);
    assert_false(test_allow());

    fwd_breaker_report(&test_b, turn, FWD_BREAKER_OK, test_now, 1);
    assert_int_equal(test_b.state, FWD_BREAKER_HALF_OPEN);
    assert_int_not_equal(test_b.since_ms, 0);

    /* being told to wait is no success and no failure */

    assert_true(test_send(FWD_BREAKER_NEUTRAL));
    assert_int_equal(test_b.state, FWD_BREAKER_HALF_OPEN);

    for (i = 0; i < 2; i++) {
        assert_int_equal(test_b.state, FWD_BREAKER_HALF_OPEN);
        assert_true(test_send(FWD_BREAKER_OK));
    }

    assert_int_equal(test_b.state, FWD_BREAKER_CLOSED);
    assert_int_equal(test_b.since_ms, 0);

    /* and the failures of before are forgotten */

    assert_true(test_send(FWD_BREAKER_FAILED));
    assert_int_equal(test_b.state, FWD_BREAKER_CLOSED);
}


static void
test_late_results_are_ignored(void **state)
{
    uint32_t  early;

    (void) state;

    early = fwd_breaker_sent(&test_b);
    test_fail_until_open();

    test_now = test_b.until_ms;
    assert_true(test_allow());
    (void) fwd_breaker_sent(&test_b);

    fwd_breaker_report(&test_b, early, FWD_BREAKER_FAILED, test_now, 1);
    assert_int_equal(test_b.state, FWD_BREAKER_HALF_OPEN);
    assert_false(test_allow());
}


static void
test_grows(void **state)
{
    size_t    i;
    uint64_t  length, from;

    (void) state;

    test_fail_until_open();

    from = test_b.since_ms;
    length = 5000;

    for (i = 0; i < 20; i++) {
        assert_in_range(test_b.until_ms - test_now, length - length / 5,
                        length + length / 5);

        test_now = test_b.until_ms;
        assert_true(test_send(FWD_BREAKER_FAILED));
        assert_int_equal(test_b.state, FWD_BREAKER_OPEN);
        assert_int_equal(test_b.since_ms, from);

        length = (length * 2 > 300000) ? 300000 : length * 2;
    }

    assert_int_equal(test_b.opened, 21);

    /* closed, and open again at once: it goes on; much later it does not */

    test_now = test_b.until_ms;
    assert_true(test_send(FWD_BREAKER_OK));
    assert_true(test_send(FWD_BREAKER_OK));
    assert_true(test_send(FWD_BREAKER_OK));
    assert_int_equal(test_b.state, FWD_BREAKER_CLOSED);

    test_fail_until_open();
    assert_in_range(test_b.until_ms - test_now, 240000, 360000);

    test_now = test_b.until_ms;
    assert_true(test_send(FWD_BREAKER_OK));
    assert_true(test_send(FWD_BREAKER_OK));
    assert_true(test_send(FWD_BREAKER_OK));

    test_now += 3600000;
    test_fail_until_open();
    assert_in_range(test_b.until_ms - test_now, 4000, 6000);
}


/* A vendor that is down for a minute: few probes, and back soon after. */

static void
test_outage(void **state)
{
    uint32_t  probes, sent;
    uint64_t  end;

    (void) state;

    for (sent = 0; sent < 200; sent++) {
        assert_true(test_send(FWD_BREAKER_OK));
        test_now += 10;
    }

    end = test_now + 60000;
    sent = 0;

    while (test_b.state == FWD_BREAKER_CLOSED) {
        sent += (uint32_t) test_send(FWD_BREAKER_UNREACHABLE);
        test_now += 10;
    }

    assert_in_range(test_now - (end - 60000), 1, 3000);

    probes = 0;

    while (test_now < end) {
        probes += (uint32_t) test_send(FWD_BREAKER_UNREACHABLE);
        test_now += 10;
    }

    assert_in_range(probes, 3, 5);

    while (test_b.state != FWD_BREAKER_CLOSED) {
        (void) test_send(FWD_BREAKER_OK);
        test_now += 10;
    }

    assert_in_range(test_now - end, 0, 48000);
}


/* 10 a second for a week, 0.5 % of them fail: it stays closed. */

static void
test_false_alarms(void **state)
{
    uint32_t  i, n;

    (void) state;

    n = 7 * 24 * 3600 * 10;

    for (i = 0; i < n; i++) {
        (void) test_send(test_next_random() % 1000 < 5 ? FWD_BREAKER_FAILED
                                                       : FWD_BREAKER_OK);
        test_now += 100;
    }

    assert_in_range(test_b.opened, 0, 1);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_opens_by_share, test_setup),
        cmocka_unit_test_setup(test_opens_by_the_last_ones, test_setup),
        cmocka_unit_test_setup(test_share_needs_enough, test_setup),
        cmocka_unit_test_setup(test_window_slides, test_setup),
        cmocka_unit_test_setup(test_window_keeps_the_rest, test_setup),
        cmocka_unit_test_setup(test_unreachable_counts_double, test_setup),
        cmocka_unit_test_setup(test_opens_by_row, test_setup),
        cmocka_unit_test_setup(test_row_needs_time, test_setup),
        cmocka_unit_test_setup(test_neutral_says_nothing, test_setup),
        cmocka_unit_test_setup(test_half_open, test_setup),
        cmocka_unit_test_setup(test_late_results_are_ignored, test_setup),
        cmocka_unit_test_setup(test_grows, test_setup),
        cmocka_unit_test_setup(test_outage, test_setup),
        cmocka_unit_test_setup(test_false_alarms, test_setup),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
