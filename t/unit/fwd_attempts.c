
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_attempts: what is written is read back, the last
 * ones are kept, and nothing that stands there does harm.
 */


#include "fwd_test.h"

/* forwarder */
#include "fwd_attempts.h"
#include "fwd_id.h"


static void
test_add(fwd_attempts_t *tries, uint64_t at, fwd_outcome_t outcome)
{
    fwd_attempt_t  attempt;

    attempt.at_ms = at;
    attempt.ms = 12;
    attempt.status = 500;
    attempt.outcome = outcome;

    fwd_attempts_add(tries, &attempt);
}


static void
test_kept(void **state)
{
    uint64_t        i;
    fwd_attempts_t  tries;

    (void) state;

    memset(&tries, 0, sizeof(tries));

    for (i = 1; i <= 20; i++) {
        test_add(&tries, i, FWD_OUTCOME_RETRY);
    }

    assert_int_equal(tries.count, 20);
    assert_int_equal(tries.first_ms, 1);
    assert_int_equal(tries.kept, FWD_ATTEMPTS_KEPT);
    assert_int_equal(tries.last[0].at_ms, 13);
    assert_int_equal(tries.last[FWD_ATTEMPTS_KEPT - 1].at_ms, 20);
}


static void
test_row(void **state)
{
    fwd_attempts_t  tries;

    (void) state;

    memset(&tries, 0, sizeof(tries));
    assert_int_equal(fwd_attempts_row(&tries, FWD_OUTCOME_RETRY), 0);

    test_add(&tries, 1, FWD_OUTCOME_UNCLASSIFIED);
    test_add(&tries, 2, FWD_OUTCOME_RETRY);
    assert_int_equal(fwd_attempts_row(&tries, FWD_OUTCOME_UNCLASSIFIED), 0);

    test_add(&tries, 3, FWD_OUTCOME_UNCLASSIFIED);
    test_add(&tries, 4, FWD_OUTCOME_UNCLASSIFIED);
    assert_int_equal(fwd_attempts_row(&tries, FWD_OUTCOME_UNCLASSIFIED), 2);
}


static void
test_round_trip(void **state)
{
    int             i;
    char            text[FWD_ATTEMPTS_TEXT_MAX], again[FWD_ATTEMPTS_TEXT_MAX];
    size_t          len;
    fwd_attempts_t  tries, back;

    (void) state;

    memset(&tries, 0, sizeof(tries));

    assert_int_equal(fwd_attempts_format(text, &tries), 3);
    assert_string_equal(text, "0 0");

    test_add(&tries, 1700000000000, FWD_OUTCOME_AMBIGUOUS);
    tries.last[0].status = 0;
    (void) fwd_attempts_format(text, &tries);
    assert_string_equal(text, "1 1700000000000 1700000000000.ambiguous.0.12");

    /* the longest there can be fits */

    for (i = 0; i < 9; i++) {
        test_add(&tries, UINT64_MAX, FWD_OUTCOME_UNCLASSIFIED);
        tries.last[tries.kept - 1].ms = UINT32_MAX;
        tries.last[tries.kept - 1].status = INT32_MIN;
    }

    tries.count = UINT32_MAX;
    tries.first_ms = UINT64_MAX;

    len = fwd_attempts_format(text, &tries);
    assert_true(len < FWD_ATTEMPTS_TEXT_MAX);
    assert_int_equal(len, strlen(text));

    fwd_attempts_parse(&back, text, len);
    assert_int_equal(fwd_attempts_format(again, &back), len);
    assert_string_equal(again, text);
}


static void
test_texts(void **state)
{
    static const struct {
        const char  *text;
        uint32_t     count;
        uint64_t     first;
        uint32_t     kept;
    } rows[] = {
        { "", 0, 0, 0 },
        { "3", 3, 0, 0 },                /* as it was written once */
        { "3 7", 3, 7, 0 },
        { "3 7 9.retry.500.1", 3, 7, 1 },
        { "3 7 9.retry.500.1 10.rejected.-1.0", 3, 7, 2 },
        { "3 7 9.splendid.500.1 10.retry.0.0", 3, 7, 1 },
        { "3 7 9.retry.500 x 9.retry.500.1.4 .... 9", 3, 7, 0 },
        { "nonsense", 0, 0, 0 },
        { "   ", 0, 0, 0 },
        { "2 1 1.retry.0.0 2.retry.0.0 3.retry.0.0 4.retry.0.0 5.retry.0.0"
          " 6.retry.0.0 7.retry.0.0 8.retry.0.0 9.retry.0.0", 2, 1, 8 },
    };

    char            large[8192];
    size_t          i;
    fwd_attempts_t  tries;

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        fwd_attempts_parse(&tries, rows[i].text, strlen(rows[i].text));

        if (tries.count != rows[i].count || tries.first_ms != rows[i].first
            || tries.kept != rows[i].kept)
        {
            test_fail("\"%s\": %u %llu %u", rows[i].text, tries.count,
                      (unsigned long long) tries.first_ms, tries.kept);
        }
    }

    memset(large, '9', sizeof(large));
    fwd_attempts_parse(&tries, large, sizeof(large));
    assert_int_equal(tries.kept, 0);
}


/* The progress of a sequence is the last word, and others do not see it. */

static void
test_progress(void **state)
{
    static const struct {
        const char  *text;
        const char  *progress;           /* NULL: none */
        uint32_t     kept;
    } rows[] = {
        { "1 7 9.retry.500.1 seq:abc-_9", "abc-_9", 1 },
        { "1 7 seq:abc", "abc", 0 },
        { "1 7 seq:", NULL, 0 },
        { "1 7 seq:a+b", NULL, 0 },
        { "1 7 seq:a=", NULL, 0 },
        { "1 7 seq:abc 9.retry.500.1", "abc", 1 },
        { "seq:abc", NULL, 0 },
        { "1 seq:abc", NULL, 0 },
        { "8 1 1.retry.0.0 2.retry.0.0 3.retry.0.0 4.retry.0.0 5.retry.0.0"
          " 6.retry.0.0 7.retry.0.0 8.retry.0.0 seq:x", "x", 8 },
    };

    int             i;
    char            text[FWD_ATTEMPTS_TEXT_MAX], large[8192];
    size_t          n, len;
    fwd_attempts_t  tries, back, *heap;

    (void) state;

    for (n = 0; n < test_count(rows); n++) {
        fwd_attempts_parse(&tries, rows[n].text, strlen(rows[n].text));

        if (tries.kept != rows[n].kept
            || (tries.progress == NULL) != (rows[n].progress == NULL)
            || (tries.progress != NULL
                && strcmp(tries.progress, rows[n].progress) != 0))
        {
            test_fail("\"%s\": %u %s", rows[n].text, tries.kept,
                      tries.progress ? tries.progress : "none");
        }

        fwd_attempts_clear(&tries);
    }

    /* the longest of both */

    memset(&tries, 0, sizeof(tries));

    for (i = 0; i < 9; i++) {
        test_add(&tries, UINT64_MAX, FWD_OUTCOME_UNCLASSIFIED);
        tries.last[tries.kept - 1].ms = UINT32_MAX;
        tries.last[tries.kept - 1].status = INT32_MIN;
    }

    tries.count = UINT32_MAX;
    tries.first_ms = UINT64_MAX;

    memset(large, 'A', sizeof(large));
    large[FWD_ATTEMPTS_PROGRESS_MAX] = '\0';
    assert_int_equal(fwd_attempts_progress(&tries, test_str(large)), FWD_OK);

    len = fwd_attempts_format(text, &tries);
    assert_int_equal(len, strlen(text));
    fwd_attempts_parse(&back, text, len);
    assert_int_equal(back.kept, FWD_ATTEMPTS_KEPT);
    assert_string_equal(back.progress, large);

    /* of a text that was cut nothing is half read */

    fwd_attempts_clear(&back);
    large[FWD_ATTEMPTS_PROGRESS_MAX] = 'A';
    large[FWD_ATTEMPTS_PROGRESS_MAX + 1] = '\0';
    assert_int_equal(fwd_attempts_progress(&tries, test_str(large)),
                     FWD_ERROR);
    assert_null(tries.progress);

    memset(large, 'A', sizeof(large));
    memcpy(large, "1 7 seq:", 8);
    large[sizeof(large) - 1] = '\0';
    fwd_attempts_parse(&back, large, strlen(large));
    assert_int_equal(back.count, 1);
    assert_null(back.progress);

    /* also if what is left of it could be one */

    memset(large + 4, 'x', 1004);
    memcpy(large + 1008, " seq:", 5);
    large[FWD_ATTEMPTS_TEXT_MAX + 100] = '\0';
    fwd_attempts_parse(&back, large, strlen(large));
    assert_null(back.progress);

    /* forgotten, and of the heap */

    heap = calloc(1, sizeof(*heap));
    assert_int_equal(fwd_attempts_progress(heap, test_str("abc")), FWD_OK);
    assert_int_equal(fwd_attempts_progress(heap, test_str("")), FWD_OK);
    assert_null(heap->progress);
    assert_int_equal(fwd_attempts_progress(heap, test_str("abc")), FWD_OK);
    fwd_attempts_free(heap);
    fwd_attempts_free(NULL);
}


/* The ledger of another program must come to the same sums. */

static void
test_digest(void **state)
{
    static const struct {
        fwd_id_t  id;
        uint64_t  digest;
    } rows[] = {
        { { 0, 0 }, 0 },
        { { 1, 0 }, 1103515245 },
        { { 0, 1 }, 2654435761ULL },
        { { 2097152, 65536 }, 0 },
        { { 1700000000000ULL, 5 }, 789751925 },
    };

    size_t  i;

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        if (fwd_id_digest(rows[i].id) != rows[i].digest) {
            test_fail("row %zu: %llu", i,
                      (unsigned long long) fwd_id_digest(rows[i].id));
        }
    }
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_row),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_digest),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
