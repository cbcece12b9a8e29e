
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_pattern: names and lists of patterns.
 */


#include "fwd_test.h"

/* forwarder */
#include "fwd_pattern.h"


static void
test_match(void **state)
{
    size_t  i;

    static const struct {
        const char           *pattern;
        const char           *name;
        int                   match;
    } cases[] = {
        { "Order Completed", "Order Completed", 1 },
        { "Order Completed", "order completed", 0 },
        { "Order", "Order Completed", 0 },
        { "Order *", "Order Completed", 1 },
        { "Order *", "Order ", 1 },
        { "Order *", "Order", 0 },
        { "*", "", 1 },
        { "*", "anything", 1 },
        { "", "", 1 },
        { "", "a", 0 },
        { "?", "", 0 },
        { "?", "a", 1 },
        { "?", "ab", 0 },
        { "?", "\xc3\xa4", 1 },
        { "a?c", "a\xe2\x82\xac" "c", 1 },
        { "*ed", "Completed", 1 },
        { "*ed", "edited by", 0 },
        { "a*b*c", "aXbYc", 1 },
        { "a*b*c", "aXcYb", 0 },
        { "**a", "ba", 1 },
        { "a*", "a*", 1 },
        { "[a]", "a", 0 },
        { "a\\*", "a*", 0 },
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        assert_int_equal(fwd_pattern_match(cases[i].pattern,
                                           test_str(cases[i].name)),
                         cases[i].match);
    }
}


/* A pattern that would take for ever if every star were gone back to. */

static void
test_slow(void **state)
{
    char           name[4096];
    martech_str_t  s;

    (void) state;

    memset(name, 'a', sizeof(name));
    s.data = (unsigned char *) name;
    s.len = sizeof(name);

    assert_int_equal(fwd_pattern_match("*a*a*a*a*a*a*a*a*a*a*b", s), 0);
    assert_int_equal(fwd_pattern_match("*a*a*a*a*a*a*a*a*a*a*a", s), 1);
}


static void
test_list(void **state)
{
    fwd_words_t  list;

    static const char  *mixed[] = { "Order *", "!Order Viewed", "page" };
    static const char  *without[] = { "!Internal *", "!?" };

    (void) state;

    list.list = mixed;
    list.count = test_count(mixed);

    assert_int_equal(fwd_pattern_list(&list, test_str("Order Paid")), 1);
    assert_int_equal(fwd_pattern_list(&list, test_str("Order Viewed")), 0);
    assert_int_equal(fwd_pattern_list(&list, test_str("page")), 1);
    assert_int_equal(fwd_pattern_list(&list, test_str("screen")), 0);

    list.list = without;
    list.count = test_count(without);

    assert_int_equal(fwd_pattern_list(&list, test_str("Order Paid")), 1);
    assert_int_equal(fwd_pattern_list(&list, test_str("Internal x")), 0);
    assert_int_equal(fwd_pattern_list(&list, test_str("x")), 0);

    list.count = 0;
    assert_int_equal(fwd_pattern_list(&list, test_str("any")), 1);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_list),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
