
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_backoff: the ceiling of each wait, the jitter below
 * it, and when an event is given up.
 */


#include "fwd_test.h"

/* forwarder */
#include "fwd_backoff.h"


static const fwd_backoff_t  test_backoff = {
    .base_ms = 1000, .factor = 4, .cap_ms = 300000, .attempts = 8,
    .age_ms = 72 * 3600 * 1000ULL
};


static void
test_ceilings(void **state)
{
    static const struct {
        uint64_t  failed;
        uint64_t  ceiling;
    } rows[] = {
        { 1, 1000 }, { 2, 4000 }, { 3, 16000 }, { 4, 64000 },
        { 5, 256000 }, { 6, 300000 }, { 7, 300000 }, { 1000, 300000 },
        { UINT64_MAX, 300000 },
    };

    size_t  i;

    (void) state;

    for (i = 0; i < test_count(rows); i++) {

        /* the highest and the lowest that jitter gives */

        assert_int_equal(fwd_backoff_delay(&test_backoff, rows[i].failed,
                                           rows[i].ceiling - 1),
                         rows[i].ceiling);
        assert_int_equal(fwd_backoff_delay(&test_backoff, rows[i].failed,
                                           rows[i].ceiling), 1);
    }
}


static void
test_jitter_is_full(void **state)
{
    size_t    i, low, n;
    uint64_t  ms, random;

    (void) state;

    low = 0;
    n = 10000;
    random = 88172645463325252ULL;

    for (i = 0; i < n; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;

        ms = fwd_backoff_delay(&test_backoff, 3, random);

        assert_in_range(ms, 1, 16000);
        low += (ms <= 8000);
    }

    /* half of them in the lower half: 10 deviations are 500 */
    assert_in_range(low, n / 2 - 500, n / 2 + 500);
}


static void
test_extremes(void **state)
{
    fwd_backoff_t  b;

    (void) state;

    b = test_backoff;
    b.factor = 1;
    assert_int_equal(fwd_backoff_delay(&b, 100, 999), 1000);

    b.base_ms = 0;
    b.cap_ms = 0;
    assert_int_equal(fwd_backoff_delay(&b, 1, 12345), 1);

    b.base_ms = UINT64_MAX / 2;
    b.cap_ms = UINT64_MAX;
    b.factor = 16;
    assert_true(fwd_backoff_delay(&b, 64, UINT64_MAX - 1) > 0);
}


static void
test_gives_up_when_both_are_used_up(void **state)
{
    uint64_t  age;

    (void) state;

    age = test_backoff.age_ms;

    assert_false(fwd_backoff_exhausted(&test_backoff, 7, age));
    assert_false(fwd_backoff_exhausted(&test_backoff, 8, age - 1));
    assert_false(fwd_backoff_exhausted(&test_backoff, 5000, age - 1));
    assert_false(fwd_backoff_exhausted(&test_backoff, 1, age * 100));
    assert_true(fwd_backoff_exhausted(&test_backoff, 8, age));
    assert_true(fwd_backoff_exhausted(&test_backoff, 9, age + 1));
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_ceilings),
        cmocka_unit_test(test_jitter_is_full),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_gives_up_when_both_are_used_up),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
