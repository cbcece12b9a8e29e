
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_id: the text of stream IDs, their order, and the
 * map against a plain array.
 */


#include "fwd_test.h"

/* forwarder */
#include "fwd_id.h"


static void
test_text(void **state)
{
    static const struct {
        const char  *text;
        int          good;
        uint64_t     ms;
        uint64_t     seq;
    } rows[] = {
        { "0-0", 1, 0, 0 },
        { "1795203360000-7", 1, 1795203360000ULL, 7 },
        { "18446744073709551615-18446744073709551615", 1, UINT64_MAX,
          UINT64_MAX },
        { "18446744073709551616-0", 0, 0, 0 },
        { "0-18446744073709551616", 0, 0, 0 },
        { "1", 0, 0, 0 },
        { "1-", 0, 0, 0 },
        { "-1", 0, 0, 0 },
        { "", 0, 0, 0 },
        { "1-1 ", 0, 0, 0 },
        { " 1-1", 0, 0, 0 },
        { "+1-1", 0, 0, 0 },
        { "1-1-1", 0, 0, 0 },
        { "a-b", 0, 0, 0 },
    };

    char      out[FWD_ID_TEXT_MAX];
    size_t    i;
    fwd_id_t  id;
    fwd_rc_t  rc;

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        rc = fwd_id_parse(&id, rows[i].text, strlen(rows[i].text));

        if ((rc == FWD_OK) != rows[i].good) {
            test_fail("\"%s\" gave %d", rows[i].text, rc);
        }

        if (rc != FWD_OK) {
            continue;
        }

        assert_true(id.ms == rows[i].ms && id.seq == rows[i].seq);
        assert_int_equal(fwd_id_format(out, id), strlen(rows[i].text));
        assert_string_equal(out, rows[i].text);
    }
}


static void
test_order(void **state)
{
    static const fwd_id_t  a = { 5, 9 }, b = { 6, 0 }, c = { 6, 1 };
    static const fwd_id_t  last = { 6, UINT64_MAX };

    (void) state;

    assert_true(fwd_id_compare(a, b) < 0);
    assert_true(fwd_id_compare(c, b) > 0);
    assert_int_equal(fwd_id_compare(b, b), 0);
    assert_int_equal(fwd_id_compare(fwd_id_next(b), c), 0);
    assert_int_equal(fwd_id_next(last).ms, 7);
    assert_int_equal(fwd_id_next(last).seq, 0);
}


static void
test_count_value(void *value, void *data)
{
    (void) value;

    (*(uint32_t *) data)++;
}


/* The same as Lua computes with doubles, also where they are not exact. */

static void
test_digest(void **state)
{
    size_t  i;

    static const struct {
        fwd_id_t              id;
        uint64_t              digest;
    } cases[] = {
        { { 0, 0 }, 0 },
        { { 1, 0 }, 1103515245 },
        { { 0, 1 }, 2654435761 },
        { { 1795203360123, 7 }, 2578318134 },
        { { 1795203360123, 65543 }, 2578318134 },
        { { 2097151, 65535 }, 1733507042 },
        { { 9007199254740993, 9007199254740995 }, 2027808452 },
        { { UINT64_MAX, UINT64_MAX }, 0 },
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        assert_int_equal(fwd_id_digest(cases[i].id), cases[i].digest);
    }
}


/* Random adds and removes; neighbours, as streams have them. */

static void
test_map(void **state)
{
    char         present[600];
    fwd_id_t     id;
    uint32_t     i, n, count, each;
    uint64_t     random;
    fwd_idmap_t  map;

    (void) state;

    memset(&map, 0, sizeof(map));
    memset(present, 0, sizeof(present));
    random = 88172645463325252ULL;
    count = 0;

    for (i = 0; i < 200000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;

        n = (uint32_t) (random % sizeof(present));
        id.ms = 1795203360000ULL + n / 3;
        id.seq = n % 3;

        assert_int_equal(fwd_idmap_get(&map, id) != NULL, present[n]);

        if (present[n]) {
            assert_ptr_equal(fwd_idmap_get(&map, id), &present[n]);
            fwd_idmap_remove(&map, id);
            present[n] = 0;
            count--;

        } else {
            assert_int_equal(fwd_idmap_add(&map, id, &present[n]), FWD_OK);
            present[n] = 1;
            count++;
        }

        assert_int_equal(map.count, count);
    }

    each = 0;
    fwd_idmap_each(&map, test_count_value, &each);
    assert_int_equal(each, count);

    /* of an ID that is not there: nothing */
    id.ms = 1;
    id.seq = 1;
    fwd_idmap_remove(&map, id);
    assert_int_equal(map.count, count);

    fwd_idmap_free(&map);
    assert_null(fwd_idmap_get(&map, id));
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_map),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
