
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_seen and fwd_hash: fingerprints, buckets, the bound,
 * and the memory an event takes.
 */


#include "fwd_test.h"

/* forwarder */
#include "fwd_hash.h"
#include "fwd_seen.h"


#define TEST_EVENTS  200000
#define TEST_WINDOW  3600000
#define TEST_NOW     1795203360000ULL


static uint64_t
test_print(unsigned n)
{
    char           text[64];
    martech_str_t  id;

    id.len = (size_t) snprintf(text, sizeof(text),
                               "507f191e-810c-4972-9de8-%012x", n);
    id.data = (unsigned char *) text;

    return fwd_seen_print(id);
}


static void
test_add(fwd_seen_t *seen, uint64_t number, unsigned n)
{
    unsigned char  bytes[FWD_SEEN_BYTES];

    while (fwd_seen_unknown(seen, number) != NULL) {
        fwd_seen_unknown(seen, number)->known = 1;
    }

    fwd_seen_write(bytes, test_print(n));
    fwd_seen_add(seen, fwd_seen_bucket(seen, number), bytes, sizeof(bytes), 0);
}


/* Of the paper: key 00 01 .. 0f, messages of 0, 8 and 15 bytes 00 01 ... */

static void
test_hash(void **state)
{
    size_t         i;
    unsigned char  text[15];

    static const fwd_hash_key_t  key = {
        0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL
    };

    (void) state;

    for (i = 0; i < sizeof(text); i++) {
        text[i] = (unsigned char) i;
    }

    assert_true(fwd_hash(&key, text, 0) == 0x726fdb47dd0e0e31ULL);
    assert_true(fwd_hash(&key, text, 8) == 0x93f5f5799a932462ULL);
    assert_true(fwd_hash(&key, text, 15) == 0xa129ca6149be45e5ULL);
}


static void
test_window(void **state)
{
    uint64_t    n;
    fwd_seen_t  seen;

    (void) state;

    fwd_seen_init(&seen, TEST_WINDOW, 1000);
    n = fwd_seen_number(&seen, TEST_NOW);

    test_add(&seen, n, 1);
    assert_int_equal(fwd_seen_has(&seen, n, test_print(1)), 1);
    assert_int_equal(fwd_seen_has(&seen, n, test_print(2)), 0);
    assert_int_equal(fwd_seen_has(&seen, n + 6, test_print(1)), 1);
    assert_int_equal(fwd_seen_has(&seen, n + 7, test_print(1)), 0);
    assert_int_equal(fwd_seen_has(&seen, n - 1, test_print(1)), 0);

    /* one behind the window gives its memory back */

    test_add(&seen, n + 7, 2);
    assert_int_equal(seen.count, 1);
    assert_null(fwd_seen_bucket(&seen, n));

    fwd_seen_clear(&seen);
    assert_int_equal(fwd_seen_memory(&seen), 0);
}


/* What was read stays, but has to be looked at again. */

static void
test_doubt(void **state)
{
    uint64_t            n;
    fwd_seen_t          seen;
    fwd_seen_bucket_t  *bucket;

    (void) state;

    fwd_seen_init(&seen, TEST_WINDOW, 1000);
    n = fwd_seen_number(&seen, TEST_NOW);

    test_add(&seen, n, 1);
    fwd_seen_bucket(&seen, n)->length = 8;
    assert_null(fwd_seen_unknown(&seen, n));

    fwd_seen_doubt(&seen);

    bucket = fwd_seen_unknown(&seen, n);
    assert_non_null(bucket);
    assert_int_equal(bucket->number, n);
    assert_int_equal(bucket->length, 8);
    assert_int_equal(fwd_seen_has(&seen, n, test_print(1)), 1);

    fwd_seen_clear(&seen);
}


/* The oldest bucket goes first; the present one only stops to grow. */

static void
test_bound(void **state)
{
    unsigned    i;
    uint64_t    n;
    fwd_seen_t  seen;

    (void) state;

    fwd_seen_init(&seen, TEST_WINDOW, 100);
    n = fwd_seen_number(&seen, TEST_NOW);

    for (i = 0; i < 60; i++) {
        test_add(&seen, n, i);
    }

    for (i = 60; i < 120; i++) {
        test_add(&seen, n + 1, i);
    }

    assert_int_equal(seen.full, 1);
    assert_int_equal(fwd_seen_has(&seen, n + 1, test_print(0)), 0);
    assert_int_equal(fwd_seen_has(&seen, n + 1, test_print(60)), 1);
    assert_int_equal(fwd_seen_has(&seen, n + 1, test_print(119)), 1);

    /* it is not read again */
    fwd_seen_doubt(&seen);
    assert_true(fwd_seen_unknown(&seen, n + 1)->number != n);

    for (i = 120; i < 300; i++) {
        test_add(&seen, n + 1, i);
    }

    assert_int_equal(seen.count, 100);
    assert_int_equal(fwd_seen_room(&seen, n + 1), 0);
    assert_int_equal(fwd_seen_has(&seen, n + 1, test_print(60)), 1);

    fwd_seen_clear(&seen);
}


static void
test_memory(void **state)
{
    unsigned    i;
    uint64_t    n;
    fwd_seen_t  seen;

    (void) state;

    fwd_seen_init(&seen, TEST_WINDOW, 2 * TEST_EVENTS);
    n = fwd_seen_number(&seen, TEST_NOW);

    for (i = 0; i < TEST_EVENTS; i++) {
        test_add(&seen, n + i / (TEST_EVENTS / 6), i);

        /* beside 128 KiB of a table that is still small */

        assert_true(fwd_seen_memory(&seen) <= 16 * seen.count + 131072);
    }

    assert_int_equal(seen.count, TEST_EVENTS);

    for (i = 0; i < TEST_EVENTS; i++) {
        assert_int_equal(fwd_seen_has(&seen, n + 6, test_print(i)), 1);
        assert_int_equal(fwd_seen_has(&seen, n + 6,
                                      test_print(i + TEST_EVENTS)), 0);
    }

    assert_true(fwd_seen_memory(&seen) <= 16 * TEST_EVENTS);

    fwd_seen_clear(&seen);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_doubt),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_memory),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
