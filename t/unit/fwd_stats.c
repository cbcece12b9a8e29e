
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of the numbers: buckets and sums of forwarder/fwd_stats, totals over
 * reloads of forwarder/fwd_totals, the page of forwarder/fwd_metrics, and the
 * ring of poison events of forwarder/fwd_watch.
 */


#include "fwd_test.h"

/* system */
#include <unistd.h>

#include <sys/mman.h>

/* forwarder */
#include "fwd_metrics.h"
#include "fwd_stats.h"
#include "fwd_totals.h"
#include "fwd_watch.h"


static void
test_an_attempt_is_in_one_bucket(void **state)
{
    static const struct {
        uint64_t  us;
        size_t    latency;
        uint32_t  events;
        size_t    size;
    } rows[] = {
        { 0, 0, 1, 0 },
        { 5000, 0, 2, 1 },               /* a bound is in its bucket */
        { 5001, 1, 3, 2 },
        { 10000, 1, 5, 2 },
        { 250000, 5, 100, 6 },
        { 250001, 6, 101, 7 },
        { 60000000, 12, 1000, 8 },
        { 60000001, 13, 1001, 9 },
    };

    size_t            i, n;
    fwd_dest_stats_t  stats;

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        memset(&stats, 0, sizeof(stats));
        fwd_stats_attempt(&stats, FWD_OUTCOME_RETRY, rows[i].events,
                          rows[i].us);

        assert_int_equal(stats.attempts[FWD_OUTCOME_RETRY], 1);
        assert_int_equal(stats.events[FWD_OUTCOME_RETRY], rows[i].events);
        assert_int_equal(stats.latency_us, rows[i].us);

        for (n = 0; n < FWD_STATS_LATENCIES; n++) {
            assert_int_equal(stats.latencies[n], n == rows[i].latency);
        }

        for (n = 0; n < FWD_STATS_SIZES; n++) {
            assert_int_equal(stats.sizes[n], n == rows[i].size);
        }
    }
}


static void
test_sums(void **state)
{
    fwd_dest_stats_t  a, b;

    (void) state;

    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));

    a.depth = 3;
    b.depth = 4;
    b.oldest_ms = 1000;
    a.fresh_ms = 70;
    b.fresh_ms = 60;
    b.breaker = 2;
    b.map_killed = 1;
    b.limited_ms = 9;
    b.latencies[13] = 5;

    fwd_stats_add_dest(&a, &b);
    assert_int_equal(a.depth, 7);
    assert_int_equal(a.oldest_ms, 1000);     /* 0 is none, not the oldest */
    assert_int_equal(a.fresh_ms, 70);
    assert_int_equal(a.breaker, 2);
    assert_int_equal(a.map_killed, 1);
    assert_int_equal(a.limited_ms, 9);
    assert_int_equal(a.latencies[13], 5);

    b.oldest_ms = 0;
    b.breaker = 0;
    fwd_stats_add_dest(&a, &b);
    assert_int_equal(a.oldest_ms, 1000);
    assert_int_equal(a.breaker, 2);

    b.oldest_ms = 999;
    fwd_stats_add_dest(&a, &b);
    assert_int_equal(a.oldest_ms, 999);
}


static void
test_idle_keeps_counters(void **state)
{
    fwd_loop_stats_t  *stats;

    (void) state;

    stats = calloc(1, fwd_stats_size(2));
    assert_non_null(stats);

    stats->pid = 5;
    stats->connected = 1;
    stats->shards_owned = 4;
    stats->routed = 9;
    stats->dests[1].depth = 3;
    stats->dests[1].inflight = 2;
    stats->dests[1].attempts[0] = 8;
    stats->dests[1].fresh_ms = 7;

    fwd_stats_idle(stats, 2);

    assert_int_equal(stats->pid, 0);
    assert_int_equal(stats->connected, 0);
    assert_int_equal(stats->shards_owned, 0);
    assert_int_equal(stats->routed, 9);
    assert_int_equal(stats->dests[1].depth, 0);
    assert_int_equal(stats->dests[1].inflight, 0);
    assert_int_equal(stats->dests[1].attempts[0], 8);
    assert_int_equal(stats->dests[1].fresh_ms, 7);

    free(stats);
}


/* A set as the supervisor has it, without processes. */

static fwd_set_t *
test_set(const char *first, const char *second)
{
    fwd_set_t     *set;
    fwd_config_t   conf;

    memset(&conf, 0, sizeof(conf));
    fwd_pool_init(&conf.pool);
    conf.loops = 2;
    conf.owner = "o";
    conf.dests_count = second != NULL ? 2 : 1;
    conf.dests = fwd_pool_alloc(&conf.pool, 2 * sizeof(fwd_dest_conf_t));
    conf.dests[0].name = first;
    conf.dests[1].name = second;

    assert_int_equal(fwd_set_create(&set, &conf, "", NULL), FWD_OK);

    return set;
}


static uint64_t
test_delivered(const fwd_totals_t *totals, const fwd_set_t *set,
    const fwd_set_t *old, const char *name)
{
    fwd_dest_stats_t  sum;

    fwd_totals_dest(&sum, totals, set, old, name);

    return sum.attempts[FWD_OUTCOME_DELIVERED];
}


static void
test_counters_never_go_back(void **state)
{
    fwd_set_t        *one, *two, *three;
    fwd_totals_t      totals;
    fwd_loop_sums_t   sums;

    (void) state;

    memset(&totals, 0, sizeof(totals));
    one = test_set("a", "b");
    two = test_set("b", NULL);
    three = test_set("b", "a");

    assert_string_equal(one->children[1].owner, "o#1");

    one->children[0].stats->dests[1].attempts[0] = 10;
    one->children[1].stats->dests[1].attempts[0] = 20;
    one->children[1].stats->dests[0].attempts[0] = 5;
    one->children[1].stats->routed = 7;

    assert_int_equal(test_delivered(&totals, one, NULL, "b"), 30);

    /* during a reload both count, under other indexes */

    two->children[0].stats->dests[0].attempts[0] = 1;
    assert_int_equal(test_delivered(&totals, two, one, "b"), 31);

    fwd_totals_keep(&totals, one);
    fwd_set_free(one);
    assert_int_equal(test_delivered(&totals, two, NULL, "b"), 31);

    /* one that went and came back goes on where it was */

    fwd_totals_keep(&totals, two);
    fwd_set_free(two);
    three->children[0].stats->dests[1].attempts[0] = 2;
    assert_int_equal(test_delivered(&totals, three, NULL, "a"), 7);
    assert_int_equal(test_delivered(&totals, three, NULL, "b"), 31);
    assert_int_equal(test_delivered(&totals, three, NULL, "c"), 0);

    fwd_totals_loops(&sums, &totals, three, NULL);
    assert_int_equal(sums.routed, 7);

    fwd_set_free(three);
    fwd_totals_free(&totals);
}


static void
test_page(void **state)
{
    size_t               i;
    fwd_buf_t            out;
    const char          *page;
    fwd_metrics_t        m;
    fwd_metrics_dest_t   dest;

    static const char *const  lines[] = {
        "\nmartech_forwarder_build_info{version=\"1\\\"\\\\\\n\","
            "stream_format=\"1\"} 1\n",
        "\n# TYPE martech_forwarder_events_total counter\n",
        "\nmartech_forwarder_events_total{destination=\"x\","
            "class=\"delivered\"} 3\n",
        "\nmartech_forwarder_attempt_duration_seconds_bucket"
            "{destination=\"x\",le=\"0.005\"} 0\n",
        "\nmartech_forwarder_attempt_duration_seconds_bucket"
            "{destination=\"x\",le=\"0.01\"} 1\n",
        "\nmartech_forwarder_attempt_duration_seconds_bucket"
            "{destination=\"x\",le=\"+Inf\"} 1\n",
        "\nmartech_forwarder_attempt_duration_seconds_sum"
            "{destination=\"x\"} 0.00702\n",
        "\nmartech_forwarder_batch_events_bucket"
            "{destination=\"x\",le=\"2\"} 0\n",
        "\nmartech_forwarder_batch_events_bucket"
            "{destination=\"x\",le=\"5\"} 1\n",
        "\nmartech_forwarder_batch_events_sum{destination=\"x\"} 3\n",
        "\nmartech_forwarder_limiter_wait_seconds_total"
            "{destination=\"x\"} 1.05\n",
        "\nmartech_forwarder_oldest_age_seconds{destination=\"x\"} 12.5\n",
        "\nmartech_forwarder_breaker_state"
            "{destination=\"x\",state=\"open\"} 1\n",
        "\nmartech_forwarder_breaker_state"
            "{destination=\"x\",state=\"closed\"} 0\n",
    };

    (void) state;

    memset(&m, 0, sizeof(m));
    memset(&dest, 0, sizeof(dest));

    m.version = "1\"\\\n";
    m.format = "1";
    m.config = "";
    m.now_ms = 100000;
    m.dests = &dest;
    m.dests_count = 1;

    dest.name = "x";
    dest.stats.oldest_ms = 87500;
    dest.stats.limited_ms = 1050;
    dest.stats.breaker = 3;
    fwd_stats_attempt(&dest.stats, FWD_OUTCOME_DELIVERED, 3, 7020);

    fwd_buf_init(&out, 65536);
    fwd_metrics_write(&out, &m);
    page = fwd_buf_string(&out);
    assert_non_null(page);

    for (i = 0; i < test_count(lines); i++) {
        if (strstr(page, lines[i]) == NULL) {
            test_fail("not on the page: %s", lines[i]);
        }
    }

    /* what was never delivered has no freshness */
    assert_null(strstr(page, "freshness_seconds{"));

    fwd_buf_free(&out);
}


static void
test_poison(void **state)
{
    unsigned       i, many;
    fwd_id_t       id;
    fwd_poison_t  *poison;

    (void) state;

    poison = fwd_poison_create();
    assert_non_null(poison);

    id.ms = 5;
    id.seq = 1;
    assert_false(fwd_poison_has(NULL, "a", 0, id));
    assert_false(fwd_poison_has(poison, "a", 0, id));

    assert_int_equal(fwd_poison_add(poison, "a", 3, id, 1000), 0);
    assert_true(fwd_poison_has(poison, "a", 3, id));
    assert_false(fwd_poison_has(poison, "b", 3, id));
    assert_false(fwd_poison_has(poison, "a", 4, id));   /* IDs of a shard */
    id.seq = 2;
    assert_false(fwd_poison_has(poison, "a", 3, id));

    /* every sixth within a minute is said: they are counted anew then */

    for (i = 2; i <= 14; i++) {
        id.seq = i;
        many = fwd_poison_add(poison, "a", 3, id, 1000 + i);
        assert_int_equal(many, i % 6 == 0 ? 6 : 0);
        assert_int_equal(fwd_poison_add(poison, "b", 3, id, i * 20000), 0);
    }

    for (i = 1; i <= 5; i++) {
        assert_int_equal(fwd_poison_add(poison, "a", 3, id, 70000 + i), 0);
    }

    assert_int_equal(fwd_poison_add(poison, "a", 3, id, 70010), 6);

    /* the ring holds the last ones */

    for (i = 0; i < 2 * FWD_POISON_MAX; i++) {
        id.ms = 100 + i;
        (void) fwd_poison_add(poison, "c", 0, id, 200000);
    }

    assert_true(fwd_poison_has(poison, "c", 0, id));
    id.ms = 100 + FWD_POISON_MAX;
    assert_true(fwd_poison_has(poison, "c", 0, id));
    id.ms--;
    assert_false(fwd_poison_has(poison, "c", 0, id));

    fwd_poison_free(poison);
}


static void
test_watch(void **state)
{
    fwd_id_t            id;
    fwd_watch_t         watch;
    martech_str_t       name;
    fwd_map_watch_t     what;
    fwd_loop_stats_t   *stats;
    unsigned            rounds;
    volatile uint64_t   n;

    (void) state;

    stats = calloc(1, fwd_stats_size(1));
    assert_non_null(stats);
    memset(&watch, 0, sizeof(watch));

    id.ms = 8;
    id.seq = 9;
    name.data = (const unsigned char *) "a name of a message that is longer "
                                        "than what the watchdog keeps of it";
    name.len = strlen((const char *) name.data);

    assert_int_equal(fwd_watch_died(&what, stats), FWD_NONE);

    fwd_watch_enter(stats, FWD_PROGRAM_WHEN, 4, 7, id, name);
    assert_false(fwd_watch_overdue(&watch, stats, getpid(), 20));

    /* only processor time counts: see it grow */

    n = 0;

    for (rounds = 0; rounds < 100000; rounds++) {

        while (++n % 100000 != 0) { /* void */ }

        if (fwd_watch_overdue(&watch, stats, getpid(), 20)) {
            break;
        }
    }

    assert_true(fwd_watch_overdue(&watch, stats, getpid(), 20));

    fwd_watch_leave(stats);
    assert_false(fwd_watch_overdue(&watch, stats, getpid(), 0));

    fwd_watch_enter(stats, FWD_PROGRAM_WHEN, 4, 7, id, name);
    assert_int_equal(fwd_watch_died(&what, stats), FWD_OK);
    assert_int_equal(what.program, FWD_PROGRAM_WHEN);
    assert_int_equal(what.dest, 4);
    assert_int_equal(what.shard, 7);
    assert_int_equal(what.event.seq, 9);
    assert_int_equal(strlen(what.message), FWD_WATCH_ID_MAX - 1);
    assert_int_equal(fwd_watch_died(&what, stats), FWD_NONE);

    free(stats);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_an_attempt_is_in_one_bucket),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_idle_keeps_counters),
        cmocka_unit_test(test_counters_never_go_back),
        cmocka_unit_test(test_page),
        cmocka_unit_test(test_poison),
        cmocka_unit_test(test_watch),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
