
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Concurrency: how it grows and shrinks.
 */


#include "fwd_test.h"

#include "fwd_aimd.h"


static fwd_aimd_t  test_a;
static uint64_t    test_us;


/* Round trips in which all requests that are allowed end alike. */

static void
test_rounds(uint32_t rounds, fwd_aimd_result_t result, uint64_t us)
{
    uint32_t  i, allowed;

    while (rounds-- > 0) {
        allowed = fwd_aimd_allowed(&test_a);
        test_us += us;

        for (i = 0; i < allowed; i++) {
            fwd_aimd_report(&test_a, result, us, allowed, test_us);
        }
    }
}


static int
test_setup(void **state)
{
    (void) state;

    fwd_aimd_init(&test_a, 64);
    test_us = 1000000;

    return 0;
}


static void
test_grows_by_one(void **state)
{
    (void) state;

    assert_int_equal(fwd_aimd_allowed(&test_a), 2);

    test_rounds(10, FWD_AIMD_OK, 20000);
    assert_in_range(fwd_aimd_allowed(&test_a), 9, 12);

    test_rounds(200, FWD_AIMD_OK, 20000);
    assert_int_equal(fwd_aimd_allowed(&test_a), 64);

    fwd_aimd_restart(&test_a);
    assert_int_equal(fwd_aimd_allowed(&test_a), 1);
}


static void
test_grows_when_used(void **state)
{
    int  i;

    (void) state;

    for (i = 0; i < 1000; i++) {
        fwd_aimd_report(&test_a, FWD_AIMD_OK, 1000, 1, test_us += 1000);
    }

    assert_int_equal(fwd_aimd_allowed(&test_a), 2);
}


static void
test_shrinks_once_a_round(void **state)
{
    (void) state;

    test_rounds(200, FWD_AIMD_OK, 20000);

    test_rounds(1, FWD_AIMD_FAILED, 20000);
    assert_in_range(fwd_aimd_allowed(&test_a), 57, 58);

    test_rounds(1, FWD_AIMD_THROTTLED, 20000);
    assert_in_range(fwd_aimd_allowed(&test_a), 28, 29);

    test_rounds(500, FWD_AIMD_FAILED, 20000);
    assert_int_equal(fwd_aimd_allowed(&test_a), 1);

    test_rounds(5, FWD_AIMD_NEUTRAL, 20000);
    assert_int_equal(fwd_aimd_allowed(&test_a), 1);
}


static void
test_slow_answers(void **state)
{
    uint32_t  before;

    (void) state;

    test_rounds(20, FWD_AIMD_OK, 20000);
    before = fwd_aimd_allowed(&test_a);

    /* a little longer is nothing, three times as long is a queue */

    test_rounds(1, FWD_AIMD_OK, 25000);
    assert_in_range(fwd_aimd_allowed(&test_a), before, before + 1);
    assert_true(test_a.reduced_us == 0);

    test_rounds(1, FWD_AIMD_OK, 90000);
    assert_true(test_a.reduced_us != 0);
    assert_in_range(fwd_aimd_allowed(&test_a), before - 3, before + 1);

    /* noise of a fast one does not matter */

    fwd_aimd_init(&test_a, 8);
    test_rounds(20, FWD_AIMD_OK, 200);
    test_rounds(1, FWD_AIMD_OK, 5000);
    assert_int_equal(fwd_aimd_allowed(&test_a), 8);
}


static void
test_one_stays_one(void **state)
{
    (void) state;

    fwd_aimd_init(&test_a, 1);
    test_rounds(50, FWD_AIMD_OK, 1000);
    assert_int_equal(fwd_aimd_allowed(&test_a), 1);

    fwd_aimd_init(&test_a, 0);
    assert_int_equal(fwd_aimd_allowed(&test_a), 1);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_grows_by_one, test_setup),
        cmocka_unit_test_setup(test_grows_when_used, test_setup),
        cmocka_unit_test_setup(test_shrinks_once_a_round, test_setup),
        cmocka_unit_test_setup(test_slow_answers, test_setup),
        cmocka_unit_test_setup(test_one_stays_one, test_setup),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
