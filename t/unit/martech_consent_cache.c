
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_consent_cache: it answers as reading does, does not
 * read twice, and keeps no text.
 */


#include "martech_test.h"

/* martech */
#include "martech_consent_cache.h"


static const char  test_tc_none[] =
    "CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA";       /* policy 2 */
static const char  test_tc_all[] =
    "CQeEcwAQf7GgAAfKABENB-FoAP_gAAAAAAYgGMwAgF5gMZAAAAAA";  /* policy 5 */


static martech_consent_cache_t *
test_cache(void)
{
    size_t                    i;
    uint64_t                  n;
    martech_consent_cache_t  *cache;

    cache = calloc(1, sizeof(martech_consent_cache_t));
    assert_non_null(cache);

    n = 1;

    for (i = 0; i < sizeof(cache->key) / sizeof(cache->key[0]); i++) {
        n = n * 6364136223846793005ULL + 1442695040888963407ULL;
        cache->key[i] = n ^ (n >> 29);
    }

    return cache;
}


/* Asks twice; both answers are those of reading. */

static void
test_same(martech_consent_cache_t *cache, martech_consent_signal_t signal,
    martech_str_t value, const martech_consent_rules_t *rules)
{
    int                i, said;
    martech_consent_t  expected, consent;

    said = martech_consent_read(signal, value, rules, &expected);

    for (i = 0; i < 2; i++) {
        memset(&consent, 0xff, sizeof(consent));

        assert_int_equal(martech_consent_recall(cache, signal, value, rules,
                                                &consent), said);
        assert_int_equal(consent.granted, expected.granted);
        assert_int_equal(consent.denied, expected.denied);
    }
}


static unsigned
test_places(const martech_consent_cache_t *cache)
{
    unsigned  i, n;

    n = 0;

    for (i = 0; i < MARTECH_CONSENT_CACHE; i++) {
        n += (cache->known[i].rules != NULL);
    }

    return n;
}


static void
test_answers_as_reading_does(void **state)
{
    martech_consent_cache_t  *cache;
    martech_consent_rules_t   rules, strict;

    (void) state;

    cache = test_cache();
    martech_consent_rules_default(&rules);
    martech_consent_rules_default(&strict);
    strict.tcf_policy_min = 4;

    test_same(cache, MARTECH_CONSENT_TCF, test_str(test_tc_all), &rules);
    test_same(cache, MARTECH_CONSENT_TCF, test_str(test_tc_none), &rules);
    test_same(cache, MARTECH_CONSENT_TCF, test_str(test_tc_none), &strict);
    test_same(cache, MARTECH_CONSENT_TCF, test_str(test_tc_none), &rules);
    test_same(cache, MARTECH_CONSENT_LIST, test_str(test_tc_all), &rules);
    test_same(cache, MARTECH_CONSENT_LIST,
              test_str("analytics,-advertising"), &rules);
    test_same(cache, MARTECH_CONSENT_USP, test_str("1YYN"), &rules);
    test_same(cache, MARTECH_CONSENT_GPC, test_str(""), &rules);

    free(cache);
}


/* A changed byte, or one more, is another string. */

static void
test_tells_strings_apart(void **state)
{
    char                      text[sizeof(test_tc_all) + 1];
    size_t                    i;
    martech_str_t             value;
    martech_consent_cache_t  *cache;
    martech_consent_rules_t   rules;

    (void) state;

    cache = test_cache();
    martech_consent_rules_default(&rules);

    for (i = 0; i < sizeof(test_tc_all) - 1; i++) {
        test_same(cache, MARTECH_CONSENT_TCF, test_str(test_tc_all), &rules);

        memcpy(text, test_tc_all, sizeof(test_tc_all));
        text[i] = '!';
        test_same(cache, MARTECH_CONSENT_TCF, test_str(text), &rules);
    }

    /* a zero byte more is what the hash fills up with */

    memset(text, 0, sizeof(text));
    memcpy(text, test_tc_all, sizeof(test_tc_all) - 1);
    value = test_str(test_tc_all);

    test_same(cache, MARTECH_CONSENT_TCF, value, &rules);
    value.data = (const unsigned char *) text;
    value.len++;
    test_same(cache, MARTECH_CONSENT_TCF, value, &rules);

    free(cache);
}


static void
test_does_not_read_twice(void **state)
{
    unsigned                  i;
    martech_consent_t         consent;
    martech_consent_cache_t  *cache;
    martech_consent_rules_t   rules;

    (void) state;

    cache = test_cache();
    martech_consent_rules_default(&rules);

    test_same(cache, MARTECH_CONSENT_TCF, test_str(test_tc_all), &rules);
    assert_int_equal(test_places(cache), 1);

    for (i = 0; i < MARTECH_CONSENT_CACHE; i++) {

        if (cache->known[i].rules != NULL) {
            cache->known[i].consent.granted = 0;
            cache->known[i].consent.denied = MARTECH_PURPOSE_ANALYTICS;
        }
    }

    assert_int_equal(martech_consent_recall(cache, MARTECH_CONSENT_TCF,
                                            test_str(test_tc_all), &rules,
                                            &consent), 1);
    assert_int_equal(consent.denied, MARTECH_PURPOSE_ANALYTICS);

    free(cache);
}


/* 1 if six bytes stand somewhere in a cache. */

static int
test_has(const martech_consent_cache_t *cache, const char *text)
{
    size_t                i;
    const unsigned char  *p;

    p = (const unsigned char *) cache;

    for (i = 0; i + 6 <= sizeof(martech_consent_cache_t); i++) {

        if (memcmp(p + i, text, 6) == 0) {
            return 1;
        }
    }

    return 0;
}


static void
test_keeps_no_text(void **state)
{
    char                      text[MARTECH_CONSENT_CACHE_MAX + 2];
    size_t                    i;
    martech_consent_cache_t  *cache;
    martech_consent_rules_t   rules;

    (void) state;

    cache = test_cache();
    martech_consent_rules_default(&rules);

    test_same(cache, MARTECH_CONSENT_TCF, test_str(test_tc_all), &rules);

    for (i = 0; i + 6 < sizeof(test_tc_all); i++) {
        assert_false(test_has(cache, test_tc_all + i));
    }

    /* nor is a place taken by what is too short, or too long for the key */

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';

    test_same(cache, MARTECH_CONSENT_LIST, test_str(text), &rules);
    test_same(cache, MARTECH_CONSENT_LIST, test_str("analytics"), &rules);
    assert_int_equal(test_places(cache), 1);

    test_same(cache, MARTECH_CONSENT_LIST, test_str(text + 1), &rules);
    assert_int_equal(test_places(cache), 2);

    free(cache);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_answers_as_reading_does),
        cmocka_unit_test(test_tells_strings_apart),
        cmocka_unit_test(test_does_not_read_twice),
        cmocka_unit_test(test_keeps_no_text),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
