
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_identity and fwd_event: what is taken from an
 * event's text, persons, and links.
 */


#include "fwd_event_test.h"

/* forwarder */
#include "fwd_identity.h"


/* Computed with the uuid module of Python. */
#define TEST_USER    "fdc1800c-a564-506d-983a-5ea1be25e49d"
#define TEST_DEVICE  "4a9abcb5-a906-5df1-b116-d54006ddd96e"

#define TEST_TRACE                                                            \
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


static const martech_str_t  test_none;


/* The person of an event, as text in a buffer of its own. */

static const char *
test_person(const char *json, const char *linked)
{
    static char  text[FWD_PERSON_TEXT];

    const char     *person;
    fwd_event_t    *ev;
    martech_str_t   link;

    link.data = (const unsigned char *) linked;
    link.len = linked ? strlen(linked) : 0;

    ev = test_event(json);
    assert_null(ev->bad);

    fwd_identity_set(ev, link);
    person = fwd_identity_text(text, ev);
    fwd_event_unref(ev);

    return person;
}


static void
test_parts(void **state)
{
    fwd_event_t     *ev;
    unsigned char    buf[FWD_EVENT_PART_MAX];
    martech_str_t    text;

    (void) state;

    ev = test_event(
        "{\"type\":\"track\",\"event\":\"Order \\\"x\\\"\",\"userId\":\"u\","
        "\"properties\":{\"userId\":\"not this\",\"type\":\"nor this\"},"
        "\"context\":{\"consent\":{\"granted\":[\"no\"]},\"martech\":{"
        "\"requestId\":\"r1\",\"traceparent\":\"" TEST_TRACE "\","
        "\"priority\":\"high\",\"consent\":{\"granted\":[\"a\"]}}}}");

    assert_null(ev->bad);
    assert_int_equal(ev->type, FWD_EVENT_TRACK);
    assert_int_equal(ev->high, 1);
    assert_int_equal(ev->consent, 1);

    text = fwd_event_part(ev, ev->name, buf);
    assert_int_equal(text.len, 9);
    assert_memory_equal(text.data, "Order \"x\"", 9);

    text = fwd_event_part(ev, ev->user_id, buf);
    assert_int_equal(text.len, 1);
    assert_memory_equal(text.data, "u", 1);

    text = fwd_event_part(ev, ev->granted, buf);
    assert_int_equal(text.len, 5);
    assert_memory_equal(text.data, "[\"a\"]", 5);

    assert_int_equal(ev->anonymous_id.len, 0);
    assert_int_equal(ev->request_id.len, 2);
    assert_memory_equal(ev->request_id.data, "r1", 2);
    assert_memory_equal(ev->traceparent.data, TEST_TRACE, 55);
    fwd_event_unref(ev);

    ev = test_event("{\"type\":\"page\",\"event\":\"x\",\"name\":\"Home\"}");
    text = fwd_event_part(ev, ev->name, buf);
    assert_memory_equal(text.data, "page", 4);
    assert_int_equal(ev->consent, 0);
    fwd_event_unref(ev);

    ev = test_event_field("web", "{\"type\":\"page\"}", "n", "12");
    assert_int_equal(ev->replays, 12);
    fwd_event_unref(ev);

    ev = test_event_field("web", "{\"type\":\"page\"}", "body", "as sent");
    assert_int_equal(ev->body.len, 7);
    assert_memory_equal(ev->body.data, "as sent", 7);
    assert_int_equal(ev->replays, 0);
    fwd_event_unref(ev);
}


static void
test_persons(void **state)
{
    const char  *user, *json;
    char         anonymous[FWD_PERSON_TEXT];

    (void) state;

    user = test_person("{\"userId\":\"user-1\",\"anonymousId\":\"a\"}", NULL);
    assert_string_equal(user, TEST_USER);

    user = test_person("{\"userId\":\"user\\u002d1\"}", "other");
    assert_string_equal(user, TEST_USER);

    json = "{\"anonymousId\":\"device-1\"}";
    (void) snprintf(anonymous, sizeof(anonymous), "%s",
                    test_person(json, NULL));
    assert_string_equal(anonymous, TEST_DEVICE);
    assert_string_equal(test_person(json, "user-1"), TEST_USER);

    assert_null(test_person("{\"type\":\"track\"}", NULL));
    assert_null(test_person("{\"userId\":7}", NULL));
}


static void
test_links(void **state)
{
    size_t           i;
    fwd_event_t     *ev;
    martech_str_t    device, user;
    unsigned char    device_buf[FWD_EVENT_PART_MAX];
    unsigned char    user_buf[FWD_EVENT_PART_MAX];

    static const struct {
        const char           *json;
        const char           *device;    /* NULL: no link */
    } cases[] = {
        { "{\"type\":\"identify\",\"anonymousId\":\"d\",\"userId\":\"u\"}",
          "d" },
        { "{\"type\":\"identify\",\"anonymousId\":\"d\\u0031\","
          "\"userId\":\"u\"}", "d1" },
        { "{\"type\":\"alias\",\"previousId\":\"p\",\"userId\":\"u\","
          "\"anonymousId\":\"d\"}", "p" },
        { "{\"type\":\"alias\",\"userId\":\"u\",\"anonymousId\":\"d\"}",
          NULL },
        { "{\"type\":\"identify\",\"userId\":\"u\"}", NULL },
        { "{\"type\":\"identify\",\"anonymousId\":\"d\"}", NULL },
        { "{\"type\":\"track\",\"anonymousId\":\"d\",\"userId\":\"u\"}",
          NULL },
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        ev = test_event(cases[i].json);

        assert_int_equal(fwd_identity_link(ev, &device, &user, device_buf,
                                           user_buf),
                         cases[i].device != NULL);

        if (cases[i].device != NULL) {
            assert_int_equal(device.len, strlen(cases[i].device));
            assert_memory_equal(device.data, cases[i].device, device.len);
            assert_memory_equal(user.data, "u", 1);
        }

        fwd_event_unref(ev);
    }

    /* what an operator sends again changes no links */

    ev = test_event_field("web", cases[0].json, "to", "hook");
    assert_int_equal(fwd_identity_link(ev, &device, &user, device_buf,
                                       user_buf), 0);
    fwd_event_unref(ev);
}


static void
test_asks(void **state)
{
    fwd_event_t  *ev;

    (void) state;

    ev = test_event("{\"anonymousId\":\"d\"}");
    assert_int_equal(fwd_identity_asks(ev), 1);
    fwd_identity_set(ev, test_none);
    assert_int_equal(ev->person_known, 1);
    fwd_event_unref(ev);

    ev = test_event("{\"anonymousId\":\"d\",\"userId\":\"u\"}");
    assert_int_equal(fwd_identity_asks(ev), 0);
    fwd_event_unref(ev);

    test_event_end();
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_persons),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_asks),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
