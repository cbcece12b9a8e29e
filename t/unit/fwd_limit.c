
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Rate limits: several loops, a model of what Redis books, and a clock that
 * moves by milliseconds.  What is checked is what the vendor sees: no window
 * of that length holds more than the limit, wherever it starts.
 */


#include "fwd_test.h"

#include "fwd_limit.h"


#define TEST_LOOPS     4
#define TEST_SLOTS     2048
#define TEST_ARRIVALS  200000
#define TEST_FLYING    4096
#define TEST_REDIS     1700000000000ULL  /* its clock, when ours is 0 */


/* What the script does with one key. */
typedef struct {
    uint64_t              slot;
    int64_t               count;
} test_slot_t;


typedef struct {
    test_slot_t           slots[TEST_SLOTS];
    uint32_t              slots_count;
} test_key_t;


typedef struct {
    fwd_limit_t           limit;
    uint64_t              answer_ms;     /* a reply comes then; 0: none */
    uint64_t              granted[2];
    uint64_t              redis_ms;
    uint64_t              wait_ms;
    unsigned              some:1;
    uint32_t              calls;
} test_loop_t;


/* A request on its way. */
typedef struct {
    fwd_limit_ticket_t    ticket;
    uint64_t              arrives_ms;
    uint64_t              ends_ms;
    uint32_t              loop;
} test_flight_t;


static test_key_t     test_keys[2];
static test_loop_t    test_loops[TEST_LOOPS];
static test_flight_t  test_flights[TEST_FLYING];
static uint32_t       test_flights_count;
static uint64_t       test_arrivals[TEST_ARRIVALS];
static uint32_t       test_arrivals_count;
static uint64_t       test_random;


static uint64_t
test_next_random(void)
{
    test_random ^= test_random << 13;
    test_random ^= test_random >> 7;
    test_random ^= test_random << 17;

    return test_random;
}


static void
test_book(test_key_t *key, uint64_t slot, int64_t count)
{
    uint32_t  i;

    for (i = 0; i < key->slots_count; i++) {
        if (key->slots[i].slot == slot) {
            key->slots[i].count += count;

            if (key->slots[i].count <= 0) {
                key->slots[i] = key->slots[--key->slots_count];
            }

            return;
        }
    }

    if (count > 0) {
        assert_true(key->slots_count < TEST_SLOTS);
        key->slots[key->slots_count].slot = slot;
        key->slots[key->slots_count].count = count;
        key->slots_count++;
    }
}


/* Answers how many are free; else *wait_ms is raised to when there are. */

static uint64_t
test_room_of(test_key_t *key, uint64_t max, uint64_t window, uint64_t least,
    uint64_t redis_ms, uint64_t *wait_ms)
{
    int64_t   sum, left;
    uint32_t  i;
    uint64_t  first;

    for (i = 0; i < key->slots_count; /* void */ ) {
        if (key->slots[i].slot + window <= redis_ms) {
            key->slots[i] = key->slots[--key->slots_count];
            continue;
        }

        i++;
    }

    sum = 0;

    for (i = 0; i < key->slots_count; i++) {
        sum += key->slots[i].count;
    }

    if (least > max && sum == 0) {
        return least;
    }

    if (sum + (int64_t) least <= (int64_t) max) {
        return max - (uint64_t) sum;
    }

    left = sum + (int64_t) least - (int64_t) max;
    first = 0;

    /* the smallest first, until enough of them are gone */

    while (left > 0) {
        uint32_t  n;
        uint64_t  next;

        next = UINT64_MAX;
        n = key->slots_count;

        for (i = 0; i < key->slots_count; i++) {
            if (key->slots[i].slot > first && key->slots[i].slot < next) {
                next = key->slots[i].slot;
                n = i;
            }
        }

        if (n == key->slots_count) {
            break;
        }

        first = next;
        left -= key->slots[n].count;
    }

    if (first + window - redis_ms > *wait_ms) {
        *wait_ms = first + window - redis_ms;
    }

    return 0;
}


/* The call of a loop reaches Redis. */

static void
test_call(test_loop_t *loop, int correction, uint64_t redis_ms)
{
    uint32_t      i, n;
    uint64_t      free[2] = { 0, 0 }, least;
    fwd_rate_t   *rate;
    fwd_limit_t  *l;

    l = &loop->limit;
    loop->wait_ms = 0;
    loop->redis_ms = redis_ms;
    loop->calls++;

    for (i = 0; i < l->rates_count; i++) {
        rate = &l->rates[i];

        for (n = 0; n < rate->moves_count; n++) {
            test_book(&test_keys[i], rate->moves[n].slot,
                      rate->moves[n].count);
        }

        least = correction ? 0 : fwd_limit_min(rate);
        free[i] = test_room_of(&test_keys[i], fwd_limit_count(l, rate),
                            rate->conf.window_ms, least, redis_ms,
                            &loop->wait_ms);
    }

    loop->some = (loop->wait_ms == 0);

    for (i = 0; i < l->rates_count && loop->some; i++) {
        rate = &l->rates[i];
        loop->granted[i] = correction ? 0 : fwd_limit_want(l, rate, 1000);

        if (loop->granted[i] > free[i]) {
            loop->granted[i] = free[i];
        }

        test_book(&test_keys[i],
                  fwd_limit_slot(rate, redis_ms + l->asked_lease_ms
                                       + l->margin_ms),
                  (int64_t) loop->granted[i]);
    }

    fwd_limit_asked(l);
}


static void
test_send(uint32_t n, const fwd_limit_ticket_t *ticket, uint64_t now,
    uint64_t way_max, uint64_t work)
{
    test_flight_t  *flight;

    assert_true(test_flights_count < TEST_FLYING);

    flight = &test_flights[test_flights_count++];
    flight->ticket = *ticket;
    flight->loop = n;
    flight->arrives_ms = now + test_next_random() % (way_max + 1);
    flight->ends_ms = flight->arrives_ms + work;
}


static void
test_fly(uint64_t now, uint64_t work)
{
    uint32_t        i;
    test_flight_t  *flight;

    for (i = 0; i < test_flights_count; /* void */ ) {
        flight = &test_flights[i];

        if (flight->ends_ms > now) {
            i++;
            continue;
        }

        assert_true(test_arrivals_count < TEST_ARRIVALS);
        test_arrivals[test_arrivals_count++] = flight->arrives_ms;

        fwd_limit_arrived(&test_loops[flight->loop].limit, &flight->ticket,
                          now - work);
        *flight = test_flights[--test_flights_count];
    }
}


/*
 * Loops that always have something to send.  way_max is the longest way to
 * the vendor, work the time until its answer, trip that of a call to Redis.
 */

static void
test_run(const fwd_rate_conf_t *rates, size_t count, uint64_t length,
    uint64_t way_max, uint64_t work, uint64_t trip)
{
    uint32_t             i;
    uint64_t             now, wait;
    test_loop_t         *loop;
    fwd_limit_ticket_t   ticket;

    memset(test_keys, 0, sizeof(test_keys));
    memset(test_loops, 0, sizeof(test_loops));
    test_flights_count = 0;
    test_arrivals_count = 0;
    test_random = 88172645463325252ULL;

    for (i = 0; i < TEST_LOOPS; i++) {
        assert_int_equal(fwd_limit_init(&test_loops[i].limit, rates, count),
                         FWD_OK);
    }

    for (now = 1000; now < 1000 + length; now++) {

        test_fly(now, work);

        for (i = 0; i < TEST_LOOPS; i++) {
            loop = &test_loops[(i + now) % TEST_LOOPS];

            if (loop->answer_ms != 0 && now >= loop->answer_ms) {
                loop->answer_ms = 0;
                fwd_limit_answer(&loop->limit,
                                 loop->some ? loop->granted : NULL,
                                 loop->redis_ms, loop->wait_ms, now);
            }

            /* two a millisecond are what it can send */

            memset(&ticket, 0, sizeof(ticket));
            ticket.units[FWD_RATE_EVENTS] = 1;
            ticket.units[FWD_RATE_REQUESTS] = 1;

            if (fwd_limit_room(&loop->limit, now) != 0
                && fwd_limit_take(&loop->limit, &ticket, now) == FWD_OK)
            {
                test_send((i + (uint32_t) now) % TEST_LOOPS, &ticket, now,
                          way_max, work);
                continue;
            }

            wait = UINT64_MAX;

            if (fwd_limit_may_ask(&loop->limit, 0, now, &wait)) {
                fwd_limit_ask(&loop->limit, 0, now);
                test_call(loop, 0, TEST_REDIS + now + trip / 2);
                loop->answer_ms = now + trip;

            } else if (now % 100 == 0
                       && fwd_limit_is_dirty(&loop->limit, now)
                       && fwd_limit_may_ask(&loop->limit, 1, now, &wait))
            {
                fwd_limit_ask(&loop->limit, 1, now);
                test_call(loop, 1, TEST_REDIS + now + trip / 2);
                loop->answer_ms = now + trip;
            }
        }
    }

    for (i = 0; i < TEST_LOOPS; i++) {
        fwd_limit_cleanup(&test_loops[i].limit);
    }
}


static int
test_compare(const void *a, const void *b)
{
    uint64_t  one, two;

    one = *(const uint64_t *) a;
    two = *(const uint64_t *) b;

    return one < two ? -1 : one > two;
}


/* The most arrivals in any window. */

static uint32_t
test_most(uint64_t window)
{
    uint32_t  i, first, most;

    qsort(test_arrivals, test_arrivals_count, sizeof(uint64_t), test_compare);

    first = 0;
    most = 0;

    for (i = 0; i < test_arrivals_count; i++) {

        while (test_arrivals[i] - test_arrivals[first] >= window) {
            first++;
        }

        if (i - first + 1 > most) {
            most = i - first + 1;
        }
    }

    return most;
}


/* Parts of 1,000 of what is allowed, over the whole run; after test_most(). */

static uint64_t
test_used(uint64_t count, uint64_t window)
{
    uint64_t  n;

    /* up to where the last full part starts */

    n = (test_arrivals_count - 1) / count * count;

    return n * window * 1000 / (count * (test_arrivals[n] - test_arrivals[0]));
}


static uint32_t
test_calls(void)
{
    uint32_t  i, calls;

    calls = 0;

    for (i = 0; i < TEST_LOOPS; i++) {
        if (test_loops[i].calls > calls) {
            calls = test_loops[i].calls;
        }
    }

    return calls;
}


static void
test_hundred_in_ten_seconds(void **state)
{
    static const fwd_rate_conf_t  rate = { 100, FWD_RATE_EVENTS, 10000, NULL };

    (void) state;

    test_run(&rate, 1, 595000, 2, 3, 1);
    assert_in_range(test_most(10000), 99, 100);
    assert_in_range(test_used(100, 10000), 980, 1000);

    /* nobody asks while there is nothing to get */
    assert_in_range(test_calls(), 1, 595 * 2);
}


static void
test_slow_ways(void **state)
{
    static const fwd_rate_conf_t  rate = { 100, FWD_RATE_EVENTS, 10000, NULL };

    (void) state;

    /* the way differs by seconds, or Redis is far away */

    test_run(&rate, 1, 300000, 2000, 200, 1);
    assert_in_range(test_most(10000), 60, 100);

    test_run(&rate, 1, 300000, 30, 100, 300);
    assert_in_range(test_most(10000), 90, 100);
}


static void
test_short_windows(void **state)
{
    static const fwd_rate_conf_t  rate = { 1000, FWD_RATE_EVENTS, 1000, NULL };
    static const fwd_rate_conf_t  tiny = { 1, FWD_RATE_EVENTS, 1000, NULL };

    (void) state;

    test_run(&rate, 1, 60000, 5, 20, 1);
    assert_in_range(test_most(1000), 900, 1000);
    assert_in_range(test_used(1000, 1000), 800, 1000);
    assert_in_range(test_calls(), 1, 60 * FWD_LIMIT_CALLS + 20);

    test_run(&tiny, 1, 60000, 5, 5, 1);
    assert_int_equal(test_most(1000), 1);
    assert_in_range(test_used(1, 1000), 900, 1000);
}


static void
test_two_rates(void **state)
{
    static const fwd_rate_conf_t  rates[] = {
        { 100, FWD_RATE_EVENTS, 10000, NULL },
        { 5, FWD_RATE_REQUESTS, 200, NULL }
    };

    (void) state;

    test_run(rates, 2, 200000, 2, 3, 1);
    assert_in_range(test_most(10000), 95, 100);
    assert_in_range(test_most(200), 4, 5);
    assert_in_range(test_used(100, 10000), 900, 1000);
}


static void
test_takes_all_or_none(void **state)
{
    fwd_limit_t            l;
    fwd_limit_ticket_t     ticket;
    static const uint64_t  granted[] = { 10, 300 };

    static const fwd_rate_conf_t  rates[] = {
        { 100, FWD_RATE_EVENTS, 10000, NULL },
        { 1000, FWD_RATE_BYTES, 10000, NULL }
    };

    (void) state;

    assert_int_equal(fwd_limit_init(&l, rates, 2), FWD_OK);
    assert_int_equal(fwd_limit_room(&l, 1000), 0);

    fwd_limit_ask(&l, 0, 1000);
    fwd_limit_asked(&l);
    fwd_limit_answer(&l, granted, TEST_REDIS, 0, 1001);
    assert_int_equal(fwd_limit_room(&l, 1001), 10);

    memset(&ticket, 0, sizeof(ticket));
    ticket.units[FWD_RATE_EVENTS] = 4;
    ticket.units[FWD_RATE_BYTES] = 301;

    assert_int_equal(fwd_limit_take(&l, &ticket, 1001), FWD_AGAIN);
    assert_int_equal(l.rates[0].have, 10);
    assert_int_equal(fwd_limit_min(&l.rates[1]), 301);
    assert_int_equal(fwd_limit_room(&l, 1001), 0);

    /* tokens of a lease that is over are none, however many there are */

    ticket.units[FWD_RATE_BYTES] = 300;
    assert_int_equal(fwd_limit_take(&l, &ticket, 1000 + l.lease_ms + 1),
                     FWD_AGAIN);
    assert_int_equal(fwd_limit_take(&l, &ticket, 1001), FWD_OK);
    assert_int_equal(l.rates[0].have, 6);
    assert_int_equal(l.rates[1].have, 0);

    /* what is left is given back, where it is booked */

    assert_true(fwd_limit_is_dirty(&l, 1200));
    assert_int_equal(fwd_limit_take(&l, &ticket, 1200), FWD_AGAIN);
    fwd_limit_ask(&l, 1, 1200);
    assert_int_equal(l.rates[0].moves_count, 1);
    assert_int_equal(l.rates[0].moves[0].slot, l.rates[0].slot);
    assert_true(l.rates[0].moves[0].count == -6);

    fwd_limit_cleanup(&l);
}


static void
test_adapts(void **state)
{
    int          i, n;
    uint64_t     now;
    fwd_adapt_t  a;

    (void) state;

    fwd_adapt_init(&a, 10000);
    now = 1000;

    /* half of them are told "slower": 15 % less, then a window of rest */

    for (i = 0; i < 100; i++) {
        (void) fwd_adapt_report(&a, i % 2, now += 102);
    }

    assert_in_range((int) (a.factor * 100 + 0.5), 84, 86);

    for (i = 0; i < 100; i++) {
        (void) fwd_adapt_report(&a, i % 2, now += 102);
    }

    assert_in_range((int) (a.factor * 100 + 0.5), 84, 86);

    /* never less than 1 % */

    for (i = 0; i < 2000; i++) {
        (void) fwd_adapt_report(&a, 1, now += 102);
    }

    assert_in_range((int) (a.factor * 1000 + 0.5), 10, 10);

    /* and 10 % more for two clean windows, up to all of it */

    for (n = 0; n < 23; n++) {
        for (i = 0; i < 100; i++) {
            (void) fwd_adapt_report(&a, 0, now += 102);
        }
    }

    assert_in_range((int) (a.factor * 100 + 0.5), 99, 100);

    /* one in a hundred is nothing */

    for (i = 0; i < 1000; i++) {
        (void) fwd_adapt_report(&a, i % 100 == 0, now += 102);
    }

    assert_in_range((int) (a.factor * 100 + 0.5), 99, 100);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_hundred_in_ten_seconds),
        cmocka_unit_test(test_slow_ways),
        cmocka_unit_test(test_short_windows),
        cmocka_unit_test(test_two_rates),
        cmocka_unit_test(test_takes_all_or_none),
        cmocka_unit_test(test_adapts),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
