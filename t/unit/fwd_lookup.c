
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_lookup: what was put is found for its time, the one
 * that was used the longest ago goes first, and nothing grows.
 */


#include "fwd_test.h"

/* forwarder */
#include "fwd_lookup.h"


/* "" if it is not there. */

static const char *
test_get(fwd_lookup_t *l, const char *key, uint64_t now_ms)
{
    static char    text[64];
    martech_str_t  value;

    if (fwd_lookup_get(l, test_str(key), now_ms, &value) != FWD_OK) {
        return "";
    }

    (void) snprintf(text, sizeof(text), "%.*s", (int) value.len,
                    (const char *) value.data);

    return text;
}


static void
test_put(fwd_lookup_t *l, const char *key, const char *value, uint64_t until)
{
    fwd_lookup_put(l, test_str(key), test_str(value), until);
}


static void
test_times(void **state)
{
    fwd_lookup_t  *l;

    (void) state;

    l = fwd_lookup_create(10, 10000);

    assert_string_equal(test_get(l, "a", 1), "");
    test_put(l, "a", "one", 100);
    assert_string_equal(test_get(l, "a", 99), "one");
    assert_string_equal(test_get(l, "a", 100), "");
    assert_int_equal(fwd_lookup_count(l), 0);

    test_put(l, "a", "one", 100);
    test_put(l, "a", "two", 200);
    assert_int_equal(fwd_lookup_count(l), 1);
    assert_string_equal(test_get(l, "a", 150), "two");

    fwd_lookup_forget(l, test_str("a"));
    fwd_lookup_forget(l, test_str("a"));
    assert_string_equal(test_get(l, "a", 150), "");

    fwd_lookup_destroy(l);
    fwd_lookup_destroy(NULL);
}


static void
test_use(void **state)
{
    fwd_lookup_t  *l;

    (void) state;

    l = fwd_lookup_create(3, 10000);

    test_put(l, "a", "1", 9);
    test_put(l, "b", "2", 9);
    test_put(l, "c", "3", 9);
    assert_string_equal(test_get(l, "a", 1), "1");
    test_put(l, "d", "4", 9);

    assert_string_equal(test_get(l, "b", 1), "");
    assert_string_equal(test_get(l, "a", 1), "1");
    assert_string_equal(test_get(l, "c", 1), "3");
    assert_string_equal(test_get(l, "d", 1), "4");
    assert_int_equal(fwd_lookup_count(l), 3);

    fwd_lookup_destroy(l);
}


/* Chains are longer than one here; every value is that of its own key. */

static void
test_many(void **state)
{
    int            i;
    char           key[32], value[32];
    fwd_lookup_t  *l;

    (void) state;

    l = fwd_lookup_create(1000, 1000000);

    for (i = 0; i < 5000; i++) {
        (void) snprintf(key, sizeof(key), "{mt:%02d}:sc:%d", i % 16, i);
        (void) snprintf(value, sizeof(value), "v%d", i);
        test_put(l, key, value, 9);
    }

    assert_int_equal(fwd_lookup_count(l), 1000);

    for (i = 0; i < 5000; i++) {
        (void) snprintf(key, sizeof(key), "{mt:%02d}:sc:%d", i % 16, i);
        (void) snprintf(value, sizeof(value), "v%d", i);
        assert_string_equal(test_get(l, key, 1), i < 4000 ? "" : value);
    }

    fwd_lookup_destroy(l);
}


static void
test_bytes(void **state)
{
    int            i;
    char           key[32], value[1001];
    fwd_lookup_t  *l;

    (void) state;

    l = fwd_lookup_create(1000, 20000);
    memset(value, 'x', 1000);
    value[1000] = '\0';

    for (i = 0; i < 100; i++) {
        (void) snprintf(key, sizeof(key), "k%d", i);
        test_put(l, key, value, 9);
    }

    assert_in_range(fwd_lookup_count(l), 10, 19);

    /* too large for all of it: not kept, and nothing breaks */

    fwd_lookup_destroy(l);
    l = fwd_lookup_create(10, 500);
    test_put(l, "k", value, 9);
    assert_int_equal(fwd_lookup_count(l), 0);
    assert_string_equal(test_get(l, "k", 1), "");

    fwd_lookup_destroy(l);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_use),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_bytes),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
