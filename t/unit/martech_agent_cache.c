
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_agent_cache: it answers as reducing does, tells
 * texts apart, and keeps none.
 */


#include "martech_test.h"

/* martech */
#include "martech_agent_cache.h"


static const char  test_agent[] =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36"
    " (KHTML, like Gecko) Chrome/142.0.7444.60 Safari/537.36";


static martech_agent_cache_t *
test_cache(void)
{
    size_t                  i;
    uint64_t                n;
    martech_agent_cache_t  *cache;

    cache = calloc(1, sizeof(martech_agent_cache_t));
    assert_non_null(cache);

    n = 1;

    for (i = 0; i < sizeof(cache->key) / sizeof(cache->key[0]); i++) {
        n = n * 6364136223846793005ULL + 1442695040888963407ULL;
        cache->key[i] = n ^ (n >> 29);
    }

    return cache;
}


/* Asks twice; both answers are those of reducing. */

static void
test_same(martech_agent_cache_t *cache, martech_str_t agent)
{
    int            i;
    size_t         len;
    martech_str_t  reduced;
    unsigned char  expected[MARTECH_AGENT_SIZE], out[MARTECH_AGENT_SIZE];

    len = martech_agent_reduce(agent, expected);

    for (i = 0; i < 2; i++) {
        reduced = martech_agent_recall(cache, agent, out);

        assert_int_equal(reduced.len, len);
        assert_memory_equal(reduced.data, expected, len);
    }
}


static unsigned
test_places(const martech_agent_cache_t *cache)
{
    unsigned  i, n;

    n = 0;

    for (i = 0; i < MARTECH_AGENT_CACHE; i++) {
        n += (cache->known[i].len > 0);
    }

    return n;
}


static void
test_answers_as_reducing_does(void **state)
{
    char                    text[MARTECH_AGENT_CACHE_MAX + 2];
    martech_str_t           agent;
    martech_agent_cache_t  *cache;

    (void) state;

    cache = test_cache();

    test_same(cache, test_str(test_agent));
    test_same(cache, test_str("curl/8.5.0"));
    test_same(cache, test_str("(nothing of it is kept)"));
    test_same(cache, test_str("(nothing of it stays)"));
    test_same(NULL, test_str(test_agent));
    assert_int_equal(test_places(cache), 4);

    test_same(cache, test_str(""));
    assert_int_equal(test_places(cache), 4);

    /* the longest that has a place, and one that is read each time */

    memset(text, 'a', sizeof(text));
    agent.data = (unsigned char *) text;

    agent.len = MARTECH_AGENT_CACHE_MAX + 1;
    test_same(cache, agent);
    assert_int_equal(test_places(cache), 4);

    agent.len = MARTECH_AGENT_CACHE_MAX;
    test_same(cache, agent);
    assert_int_equal(test_places(cache), 5);

    free(cache);
}


/* A changed byte, or one more, is another user agent. */

static void
test_tells_agents_apart(void **state)
{
    char                    text[sizeof(test_agent) + 1];
    size_t                  i;
    martech_str_t           agent;
    martech_agent_cache_t  *cache;

    (void) state;

    cache = test_cache();

    agent.data = (unsigned char *) text;
    agent.len = sizeof(test_agent) - 1;

    for (i = 0; i < sizeof(test_agent) - 1; i++) {
        memcpy(text, test_agent, sizeof(test_agent));
        test_same(cache, agent);

        text[i] ^= 1;
        test_same(cache, agent);
    }

    memcpy(text, test_agent, sizeof(test_agent));
    text[agent.len] = '\0';
    agent.len++;
    test_same(cache, agent);

    free(cache);
}


/* More than there are places for: they take turns, and answers stay right. */

static void
test_many(void **state)
{
    int                     i;
    char                    text[64];
    martech_agent_cache_t  *cache;

    (void) state;

    cache = test_cache();

    for (i = 0; i < 4 * MARTECH_AGENT_CACHE; i++) {
        snprintf(text, sizeof(text), "Mozilla/5.0 (X11; u%d) Firefox/%d.0",
                 i, i % 200);
        test_same(cache, test_str(text));
    }

    assert_in_range(test_places(cache), MARTECH_AGENT_CACHE / 2,
                    MARTECH_AGENT_CACHE);
    free(cache);
}


/* Nothing of a text that is not stored anyhow is found in the cache. */

static void
test_keeps_no_text(void **state)
{
    martech_agent_cache_t  *cache;

    (void) state;

    cache = test_cache();

    test_same(cache, test_str(test_agent));
    test_same(cache, test_str("Mozilla/5.0 (Linux; Android 15; SM-S928B) x"));

    assert_null(memmem(cache, sizeof(martech_agent_cache_t), "7444", 4));
    assert_null(memmem(cache, sizeof(martech_agent_cache_t), "SM-S", 4));
    assert_non_null(memmem(cache, sizeof(martech_agent_cache_t),
                           "Chrome/142.0.0.0", 16));
    free(cache);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_answers_as_reducing_does),
        cmocka_unit_test(test_tells_agents_apart),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_keeps_no_text),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
