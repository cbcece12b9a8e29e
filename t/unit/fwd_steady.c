
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of the clock without steps.
 */


#include "fwd_test.h"

#include "fwd_steady.h"


#define HOUR_MS  3600000ull
#define START    1790000000000ull


/* Looks every 100 ms for a time; the last answer. */

static uint64_t
look_for(fwd_steady_t *steady, uint64_t *us, uint64_t wall, uint64_t ms)
{
    uint64_t  end, now, before;

    before = 0;
    now = 0;

    for (end = *us + ms * 1000; *us < end; /* void */) {
        *us += 100000;
        wall += 100;
        now = fwd_steady_look(steady, wall, *us);
        assert_true(now > before);
        before = now;
    }

    return now;
}


static void
test_follows(void **state)
{
    uint64_t      us = 5000000;
    fwd_steady_t  steady = { 0, 0 };

    (void) state;

    assert_int_equal(fwd_steady_look(&steady, START, us), START);
    assert_int_equal(look_for(&steady, &us, START, 60000), START + 60000);
}


static void
test_set_forward(void **state)
{
    uint64_t      us = 0;
    fwd_steady_t  steady = { 0, 0 };

    (void) state;

    (void) fwd_steady_look(&steady, START, us);

    /* a minute: a quarter of it is made up for; four hours: all */

    assert_in_range(look_for(&steady, &us, START + HOUR_MS, 60000),
                    START + 74900, START + 75100);
    assert_int_equal(look_for(&steady, &us, START + HOUR_MS + 60000,
                              4 * HOUR_MS),
                     START + 5 * HOUR_MS + 60000);
}


static void
test_set_back(void **state)
{
    uint64_t      us = 0;
    fwd_steady_t  steady = { 0, 0 };

    (void) state;

    (void) fwd_steady_look(&steady, START, us);

    assert_in_range(look_for(&steady, &us, START - HOUR_MS, 60000),
                    START + 44900, START + 45100);
    assert_int_equal(look_for(&steady, &us, START - HOUR_MS + 60000,
                              4 * HOUR_MS),
                     START + 3 * HOUR_MS + 60000);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_follows),
        cmocka_unit_test(test_set_forward),
        cmocka_unit_test(test_set_back)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
