
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of where shards go: the slot of a key in a cluster, and the share of
 * each of several loops.
 */


#include "fwd_test.h"

/* forwarder */
#include "fwd_members.h"
#include "fwd_topology.h"


static void
test_slots(void **state)
{
    static const struct {
        const char  *key;
        uint32_t     slot;
    } rows[] = {
        { "123456789", 12739 },          /* of the specification */
        { "{123456789}:in", 12739 },
        { "a{123456789}", 12739 },
        { "{123456789}{b}", 12739 },
        { "", 0 },
    };

    size_t  i;

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        assert_int_equal(fwd_slot(rows[i].key, strlen(rows[i].key)),
                         rows[i].slot);
    }

    /* braces with nothing in them, or not closed, are part of the key */

    assert_int_not_equal(fwd_slot("{}123456789", 11),
                         fwd_slot("123456789", 9));
    assert_int_not_equal(fwd_slot("{123456789", 10), fwd_slot("123456789", 9));
}


static void
test_shares(void **state)
{
    uint32_t  shards, count, rank, share, low, high, sum;

    (void) state;

    for (shards = 1; shards <= 40; shards++) {

        for (count = 1; count <= 50; count++) {
            low = UINT32_MAX;
            high = 0;
            sum = 0;

            for (rank = 0; rank < count; rank++) {
                share = fwd_members_share(shards, count, rank);

                sum += share;
                low = share < low ? share : low;
                high = share > high ? share : high;
            }

            assert_int_equal(sum, shards);
            assert_true(high - low <= 1);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_shares),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
