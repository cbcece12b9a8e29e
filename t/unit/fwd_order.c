
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_order: whose an event is, one after another, parked
 * persons, and a long random run against what must always hold.
 */


#include "fwd_test.h"

/* forwarder */
#include "fwd_order.h"


#define TEST_PERSONS  20
#define TEST_EVENTS   3000
#define TEST_STEPS    200000


typedef struct {
    fwd_item_t            item;          /* first: items are cast to this */
    fwd_event_t           event;
    uint32_t              who;
} test_event_t;


static uint64_t  test_seed;


static uint32_t
test_random(uint32_t below)
{
    test_seed = test_seed * 6364136223846793005ULL + 1442695040888963407ULL;

    return (uint32_t) (test_seed >> 33) % below;
}


static void
test_enter(fwd_persons_t *order, test_event_t *event, uint32_t who,
    uint64_t ms)
{
    unsigned char  key[FWD_ORDER_KEY];

    memset(event, 0, sizeof(test_event_t));
    memset(key, 0, sizeof(key));
    memcpy(key, &who, sizeof(who));

    event->item.event = &event->event;
    event->event.id.ms = ms;
    event->who = who;

    assert_int_equal(fwd_order_enter(order, &event->item, key), FWD_OK);
}


/* The first ready person's first event, and nobody else of that person. */

static test_event_t *
test_take(fwd_persons_t *order)
{
    fwd_item_t    *item;
    fwd_person_t  *person;

    if (fwd_list_empty(&order->ready)) {
        return NULL;
    }

    person = fwd_list_data(order->ready.next, fwd_person_t, link);
    item = fwd_order_first(person);

    fwd_order_take(order, person);
    fwd_order_hold(order, person);

    return (test_event_t *) (void *) item;
}


static void
test_key(void **state)
{
    size_t         i, n;
    fwd_event_t    events[4];
    unsigned char  keys[4][FWD_ORDER_KEY];

    (void) state;

    /* two of one person, one of another, one of nobody */

    memset(events, 0, sizeof(events));

    for (i = 0; i < 4; i++) {
        events[i].message_id.data = (const unsigned char *) "m0m1m2m3" + 2 * i;
        events[i].message_id.len = 2;
        events[i].person_some = (i < 3);
        memset(events[i].person, i < 2 ? 7 : 8, FWD_PERSON_LEN);
        fwd_order_key(keys[i], &events[i]);
    }

    for (i = 0; i < 4; i++) {
        for (n = 0; n < i; n++) {
            assert_int_equal(memcmp(keys[i], keys[n], FWD_ORDER_KEY) == 0,
                             i == 1 && n == 0);
        }
    }
}


static void
test_one_after_another(void **state)
{
    uint32_t       i;
    test_event_t   events[4], *first, *second;
    fwd_persons_t  order;

    (void) state;

    fwd_order_init(&order);

    /* 0 and 2 of one person, 1 and 3 of another */

    for (i = 0; i < 4; i++) {
        test_enter(&order, &events[i], i % 2, i + 1);
        fwd_order_add(&order, &events[i].item);
    }

    assert_int_equal(order.ready_count, 4);

    first = test_take(&order);
    second = test_take(&order);

    assert_ptr_equal(first, &events[0]);
    assert_ptr_equal(second, &events[1]);
    assert_null(test_take(&order));
    assert_int_equal(order.ready_count, 0);
    assert_int_equal(fwd_order_held(&order), 2);

    /* done: the next; back: the same again */

    fwd_order_leave(&order, &first->item);
    fwd_order_add(&order, &second->item);

    assert_ptr_equal(test_take(&order), &events[2]);
    assert_ptr_equal(test_take(&order), &events[1]);

    for (i = 1; i < 4; i++) {
        fwd_order_leave(&order, &events[i].item);
    }

    assert_int_equal(order.count, 0);
    assert_int_equal(order.waiting, 0);
    assert_int_equal(order.ready_count, 0);

    fwd_order_free(&order);
}


static void
test_parked(void **state)
{
    uint32_t       i;
    test_event_t   events[3], *event;
    fwd_persons_t  order;

    (void) state;

    fwd_order_init(&order);
    assert_true(fwd_order_unpark(&order, 1000) < 0);

    for (i = 0; i < 3; i++) {
        test_enter(&order, &events[i], i / 2, i + 1);
        fwd_order_add(&order, &events[i].item);
    }

    event = test_take(&order);
    assert_ptr_equal(event, &events[0]);

    event->item.due = 1500;
    fwd_order_add(&order, &event->item);

    /* the other person goes on, this one does not */

    assert_int_equal(fwd_order_held(&order), 2);
    assert_ptr_equal(test_take(&order), &events[2]);
    assert_null(test_take(&order));

    assert_true(fwd_order_unpark(&order, 1499) > 1499);
    assert_null(test_take(&order));

    assert_true(fwd_order_unpark(&order, 1500) < 0);
    assert_ptr_equal(test_take(&order), &events[0]);
    assert_null(test_take(&order));

    for (i = 0; i < 3; i++) {
        fwd_order_leave(&order, &events[i].item);
    }

    assert_int_equal(order.count, 0);
    fwd_order_free(&order);
}


/* What is being loaded counts as out, and holds a parked person up. */

static void
test_late(void **state)
{
    test_event_t   early, late;
    fwd_persons_t  order;

    (void) state;

    fwd_order_init(&order);

    test_enter(&order, &late, 1, 20);
    fwd_order_add(&order, &late.item);
    test_enter(&order, &early, 1, 10);
    fwd_order_add(&order, &early.item);

    assert_ptr_equal(test_take(&order), &early);
    assert_null(test_take(&order));

    /* both go while one is out: the shard was lost */

    fwd_order_remove(&order, &late.item);
    fwd_order_leave(&order, &late.item);
    assert_int_equal(order.count, 1);

    fwd_order_leave(&order, &early.item);
    assert_int_equal(order.count, 0);

    fwd_order_free(&order);
}


/*
 * Events are added, sent, fail, come back and are dropped at random.  At any
 * time one event of a person is out, and what is done is done in order.
 */

static void
test_run(void **state)
{
    double          now;
    uint32_t        i, step, added, done, out, batch[16];
    uint32_t        last[TEST_PERSONS], busy[TEST_PERSONS];
    test_event_t   *events, *event;
    fwd_persons_t   order;

    (void) state;

    test_seed = 7;
    events = calloc(TEST_EVENTS, sizeof(test_event_t));
    assert_non_null(events);

    memset(last, 0, sizeof(last));
    memset(busy, 0, sizeof(busy));
    fwd_order_init(&order);

    now = 1;
    added = 0;
    done = 0;
    out = 0;

    for (step = 0; step < TEST_STEPS && done < TEST_EVENTS; step++) {

        now += test_random(3);
        (void) fwd_order_unpark(&order, now);

        switch (test_random(3)) {

        case 0:
            if (added == TEST_EVENTS || test_random(4) != 0) {
                break;
            }

            event = &events[added++];
            test_enter(&order, event, test_random(TEST_PERSONS), added);
            fwd_order_add(&order, &event->item);
            break;

        case 1:
            if (out == test_count(batch)) {
                break;
            }

            event = test_take(&order);
            if (event == NULL) {
                break;
            }

            assert_int_equal(busy[event->who]++, 0);
            assert_true(event->item.due <= now);
            batch[out++] = (uint32_t) (event - events);
            break;

        default:
            if (out == 0) {
                break;
            }

            i = test_random(out);
            event = &events[batch[i]];
            batch[i] = batch[--out];
            busy[event->who]--;

            if (test_random(2) == 0) {
                event->item.due = now + test_random(50);
                fwd_order_add(&order, &event->item);
                break;
            }

            assert_true(event->event.id.ms > last[event->who]);
            last[event->who] = (uint32_t) event->event.id.ms;
            fwd_order_leave(&order, &event->item);
            done++;
            break;
        }

        assert_true(order.ready_count <= order.waiting);
    }

    assert_int_equal(done, TEST_EVENTS);
    assert_int_equal(order.count, 0);
    assert_int_equal(order.waiting, 0);

    fwd_order_free(&order);
    free(events);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_one_after_another),
        cmocka_unit_test(test_parked),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_run)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
