
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_event: each rule of docs/SPEC.md section 3 and
 * each refusal, with the pointer it names.  Whole events, byte for byte,
 * stand in t/cases/event.
 */


#include "martech_event_test.h"


#define TRACK     MARTECH_EVENT_TRACK
#define IDENTIFY  MARTECH_EVENT_IDENTIFY
#define PAGE      MARTECH_EVENT_PAGE
#define SCREEN    MARTECH_EVENT_SCREEN
#define GROUP     MARTECH_EVENT_GROUP
#define ALIAS     MARTECH_EVENT_ALIAS
#define BATCH     MARTECH_EVENT_UNKNOWN


typedef struct {
    martech_event_type_t   type;
    const char            *body;
    martech_rc_t           rc;
    const char            *field;
} test_refusal_t;


static const test_refusal_t  test_refusals[] = {

    /* who: one of two ids in every event, null and "" are none */
    { TRACK, "{\"event\":\"e\"}", MARTECH_NO_USER_ANON_ID, "/userId" },
    { TRACK, "{\"event\":\"e\",\"userId\":null}",
      MARTECH_NO_USER_ANON_ID, "/userId" },
    { TRACK, "{\"event\":\"e\",\"userId\":\"\",\"anonymousId\":\"\"}",
      MARTECH_NO_USER_ANON_ID, "/userId" },
    { IDENTIFY, "{}", MARTECH_NO_USER_ANON_ID, "/userId" },
    { IDENTIFY, "{\"messageId\":\"m\"}", MARTECH_NO_USER_ANON_ID,
      "/userId" },
    { PAGE, "{}", MARTECH_NO_USER_ANON_ID, "/userId" },
    { SCREEN, "{}", MARTECH_NO_USER_ANON_ID, "/userId" },
    { GROUP, "{\"groupId\":\"g\"}", MARTECH_NO_USER_ANON_ID, "/userId" },

    /* ids are strings */
    { TRACK, "{\"event\":\"e\",\"userId\":5}",
      MARTECH_ID_NOT_STRING, "/userId" },
    { TRACK, "{\"event\":\"e\",\"userId\":\"u\",\"anonymousId\":5}",
      MARTECH_ID_NOT_STRING, "/anonymousId" },
    { TRACK, "{\"event\":\"e\",\"anonymousId\":\"a\",\"userId\":{}}",
      MARTECH_ID_NOT_STRING, "/userId" },
    { TRACK, "{\"event\":\"e\",\"anonymousId\":\"a\",\"userId\":[]}",
      MARTECH_ID_NOT_STRING, "/userId" },
    { TRACK, "{\"event\":\"e\",\"anonymousId\":false}",
      MARTECH_ID_NOT_STRING, "/anonymousId" },
    { GROUP, "{\"userId\":\"u\",\"groupId\":7}",
      MARTECH_ID_NOT_STRING, "/groupId" },
    { ALIAS, "{\"userId\":\"u\",\"previousId\":7}",
      MARTECH_ID_NOT_STRING, "/previousId" },

    /* what each type requires */
    { TRACK, "{\"userId\":\"u\"}", MARTECH_EVENT_NOT_DEFINED, "/event" },
    { TRACK, "{\"userId\":\"u\",\"event\":\"\"}",
      MARTECH_EVENT_NOT_DEFINED, "/event" },
    { TRACK, "{\"userId\":\"u\",\"event\":1}",
      MARTECH_EVENT_NOT_STRING, "/event" },
    { TRACK, "{\"userId\":\"u\",\"event\":{\"event\":\"e\"}}",
      MARTECH_EVENT_NOT_STRING, "/event" },
    { TRACK, "{\"userId\":\"u\",\"properties\":{\"event\":\"e\"}}",
      MARTECH_EVENT_NOT_DEFINED, "/event" },
    { GROUP, "{\"userId\":\"u\"}", MARTECH_GROUP_ID_REQUIRED, "/groupId" },
    { GROUP, "{\"userId\":\"u\",\"groupId\":null}",
      MARTECH_GROUP_ID_REQUIRED, "/groupId" },
    { GROUP, "{\"userId\":\"u\",\"groupId\":\"\"}",
      MARTECH_GROUP_ID_REQUIRED, "/groupId" },
    { ALIAS, "{\"userId\":\"u\"}",
      MARTECH_PREVIOUS_ID_REQUIRED, "/previousId" },
    { ALIAS, "{\"userId\":\"u\",\"previousId\":\"\"}",
      MARTECH_PREVIOUS_ID_REQUIRED, "/previousId" },
    { ALIAS, "{\"previousId\":\"p\",\"anonymousId\":\"a\"}",
      MARTECH_USER_ID_REQUIRED, "/userId" },
    { ALIAS, "{\"previousId\":\"p\",\"userId\":\"\"}",
      MARTECH_USER_ID_REQUIRED, "/userId" },

    /* kinds */
    { TRACK, "{\"userId\":\"u\",\"event\":\"e\",\"properties\":[]}",
      MARTECH_PROPERTIES_NOT_OBJECT, "/properties" },
    { TRACK, "{\"userId\":\"u\",\"event\":\"e\",\"properties\":\"x\"}",
      MARTECH_PROPERTIES_NOT_OBJECT, "/properties" },
    { PAGE, "{\"userId\":\"u\",\"properties\":1}",
      MARTECH_PROPERTIES_NOT_OBJECT, "/properties" },
    { PAGE, "{\"userId\":\"u\",\"name\":1}",
      MARTECH_NAME_NOT_STRING, "/name" },
    { SCREEN, "{\"userId\":\"u\",\"name\":{}}",
      MARTECH_NAME_NOT_STRING, "/name" },
    { PAGE, "{\"userId\":\"u\",\"category\":[]}",
      MARTECH_CATEGORY_NOT_STRING, "/category" },
    { IDENTIFY, "{\"userId\":\"u\",\"traits\":\"x\"}",
      MARTECH_TRAITS_NOT_OBJECT, "/traits" },
    { IDENTIFY, "{\"userId\":\"u\",\"traits\":[1]}",
      MARTECH_TRAITS_NOT_OBJECT, "/traits" },
    { GROUP, "{\"userId\":\"u\",\"groupId\":\"g\",\"traits\":true}",
      MARTECH_TRAITS_NOT_OBJECT, "/traits" },
    { PAGE, "{\"userId\":\"u\",\"context\":[]}",
      MARTECH_CONTEXT_NOT_OBJECT, "/context" },
    { PAGE, "{\"userId\":\"u\",\"context\":\"x\"}",
      MARTECH_CONTEXT_NOT_OBJECT, "/context" },
    { PAGE, "{\"userId\":\"u\",\"integrations\":true}",
      MARTECH_INTEGRATIONS_NOT_OBJECT, "/integrations" },
    { PAGE, "{\"userId\":\"u\",\"integrations\":[]}",
      MARTECH_INTEGRATIONS_NOT_OBJECT, "/integrations" },

    /* the type */
    { TRACK, "{\"userId\":\"u\",\"event\":\"e\",\"type\":\"page\"}",
      MARTECH_TYPE_MISMATCH, "/type" },
    { PAGE, "{\"userId\":\"u\",\"type\":\"pageview\"}",
      MARTECH_TYPE_UNKNOWN, "/type" },
    { PAGE, "{\"userId\":\"u\",\"type\":\"Page\"}",
      MARTECH_TYPE_UNKNOWN, "/type" },
    { PAGE, "{\"userId\":\"u\",\"type\":5}",
      MARTECH_TYPE_UNKNOWN, "/type" },

    /* the message id */
    { PAGE, "{\"userId\":\"u\",\"messageId\":5}",
      MARTECH_MESSAGE_ID_INVALID, "/messageId" },
    { PAGE, "{\"userId\":\"u\",\"messageId\":{}}",
      MARTECH_MESSAGE_ID_INVALID, "/messageId" },
    { PAGE, "{\"userId\":\"u\",\"messageId\":\"a\\nb\"}",
      MARTECH_MESSAGE_ID_INVALID, "/messageId" },
    { PAGE, "{\"userId\":\"u\",\"messageId\":\"a\\u0000b\"}",
      MARTECH_MESSAGE_ID_INVALID, "/messageId" },
    { PAGE, "{\"userId\":\"u\",\"messageId\":\"a\\u001f\"}",
      MARTECH_MESSAGE_ID_INVALID, "/messageId" },
    { PAGE, "{\"userId\":\"u\",\"messageId\":\"\\u007f\"}",
      MARTECH_MESSAGE_ID_INVALID, "/messageId" },
    { PAGE, "{\"userId\":\"u\",\"messageId\":\"\x7f\"}",
      MARTECH_MESSAGE_ID_INVALID, "/messageId" },

    /* what we read may stand once only, however its name is spelt */
    { PAGE, "{\"userId\":\"u\",\"userId\":\"v\"}",
      MARTECH_FIELD_DUPLICATE, "/userId" },
    { PAGE, "{\"userId\":\"u\",\"user\\u0049d\":\"v\"}",
      MARTECH_FIELD_DUPLICATE, "/userId" },
    { PAGE, "{\"userId\":\"u\",\"anonymousId\":\"a\",\"anonymousId\":null}",
      MARTECH_FIELD_DUPLICATE, "/anonymousId" },
    { PAGE, "{\"userId\":\"u\",\"messageId\":\"a\",\"messageId\":\"b\"}",
      MARTECH_FIELD_DUPLICATE, "/messageId" },
    { PAGE, "{\"userId\":\"u\",\"type\":\"page\",\"type\":\"page\"}",
      MARTECH_FIELD_DUPLICATE, "/type" },
    { TRACK, "{\"userId\":\"u\",\"event\":\"a\",\"event\":\"b\"}",
      MARTECH_FIELD_DUPLICATE, "/event" },
    { PAGE, "{\"userId\":\"u\",\"properties\":{},\"properties\":{}}",
      MARTECH_FIELD_DUPLICATE, "/properties" },
    { IDENTIFY, "{\"userId\":\"u\",\"traits\":{},\"traits\":{}}",
      MARTECH_FIELD_DUPLICATE, "/traits" },
    { PAGE, "{\"userId\":\"u\",\"context\":{},\"context\":{}}",
      MARTECH_FIELD_DUPLICATE, "/context" },
    { PAGE, "{\"userId\":\"u\",\"integrations\":{},\"integrations\":{}}",
      MARTECH_FIELD_DUPLICATE, "/integrations" },
    { PAGE, "{\"userId\":\"u\",\"timestamp\":\"a\",\"timestamp\":\"b\"}",
      MARTECH_FIELD_DUPLICATE, "/timestamp" },
    { PAGE, "{\"userId\":\"u\",\"sentAt\":\"a\",\"sentAt\":\"b\"}",
      MARTECH_FIELD_DUPLICATE, "/sentAt" },
    { PAGE, "{\"userId\":\"u\",\"originalTimestamp\":\"a\","
            "\"originalTimestamp\":\"b\"}",
      MARTECH_FIELD_DUPLICATE, "/originalTimestamp" },
    { GROUP, "{\"userId\":\"u\",\"groupId\":\"a\",\"groupId\":\"b\"}",
      MARTECH_FIELD_DUPLICATE, "/groupId" },
    { ALIAS, "{\"userId\":\"u\",\"previousId\":\"a\",\"previousId\":\"b\"}",
      MARTECH_FIELD_DUPLICATE, "/previousId" },
};


/* The smallest of each type, and what must not be mistaken for a fault. */
static const struct {
    martech_event_type_t   type;
    const char            *body;
} test_accepted[] = {
    { TRACK, "{\"userId\":\"u\",\"event\":\"e\"}" },
    { TRACK, "{\"anonymousId\":\"a\",\"event\":\"e\"}" },
    { TRACK, "{\"anonymousId\":\"a\",\"userId\":null,\"event\":\"e\"}" },
    { TRACK, "{\"anonymousId\":\"\",\"userId\":\"u\",\"event\":\"e\"}" },
    { IDENTIFY, "{\"userId\":\"u\"}" },
    { IDENTIFY, "{\"userId\":\"u\",\"traits\":{}}" },
    { PAGE, "{\"userId\":\"u\"}" },
    { PAGE, "{\"userId\":\"u\",\"name\":\"\",\"category\":\"\"}" },
    { SCREEN, "{\"userId\":\"u\",\"name\":\"n\"}" },
    { GROUP, "{\"userId\":\"u\",\"groupId\":\"g\"}" },
    { GROUP, "{\"anonymousId\":\"a\",\"groupId\":\"g\"}" },
    { ALIAS, "{\"userId\":\"u\",\"previousId\":\"p\"}" },
    { TRACK, "{\"type\":\"track\",\"userId\":\"u\",\"event\":\"e\"}" },
    { TRACK, "{\"type\":\"tr\\u0061ck\",\"userId\":\"u\",\"event\":\"e\"}" },
    { TRACK, "{\"user\\u0049d\":\"u\",\"\\u0065vent\":\"e\"}" },
    { TRACK, " { \"userId\" : \"u\" , \"event\" : \"e\" } " },
    { PAGE, "{\"userId\":\"u\",\"x\":1,\"x\":2}" },
    { PAGE, "{\"userId\":\"u\",\"properties\":{\"userId\":1,\"userId\":2}}" },
    { PAGE, "{\"userId\":\"u\",\"userid\":1,\"UserId\":2,\"userIds\":3}" },
    { PAGE, "{\"userId\":\"u\",\"context\":{}}" },
    { PAGE, "{\"userId\":\"u\",\"integrations\":{}}" },
    { PAGE, "{\"userId\":\"u\",\"timestamp\":5,\"sentAt\":{}}" },
    { PAGE, "{\"userId\":\"u\",\"messageId\":\" a ~\\u0020\\u0080\"}" },
};


/* docs/SPEC.md "Time": what is sent, and what becomes of it. */
static const struct {
    const char            *members;       /* of the event */
    const char            *timestamp;
    const char            *original;
    const char            *sent;
    const char            *skew;
} test_times[] = {

    /* nothing sent: the receipt */
    { "", "\"2026-11-20T19:36:00.123Z\"", NULL, NULL, NULL },

    /* both readable: moved to our clock */
    { ",\"timestamp\":\"2026-11-20T19:30:00.000Z\""
      ",\"sentAt\":\"2026-11-20T19:30:01.000Z\"",
      "\"2026-11-20T19:35:59.123Z\"",
      "\"2026-11-20T19:30:00.000Z\"", "\"2026-11-20T19:30:01.000Z\"",
      "359123" },
    { ",\"originalTimestamp\":\"2026-11-20T19:30:00Z\""
      ",\"sentAt\":\"2026-11-20T20:30:01+01:00\"",
      "\"2026-11-20T19:35:59.123Z\"",
      "\"2026-11-20T19:30:00Z\"", "\"2026-11-20T20:30:01+01:00\"",
      "359123" },

    /* the sender's clock runs ahead */
    { ",\"timestamp\":\"2027-11-20T19:35:50.123Z\""
      ",\"sentAt\":\"2027-11-20T19:36:00.123Z\"",
      "\"2026-11-20T19:35:50.123Z\"",
      "\"2027-11-20T19:35:50.123Z\"", "\"2027-11-20T19:36:00.123Z\"",
      "-31536000000" },

    /* originalTimestamp wins over timestamp */
    { ",\"originalTimestamp\":\"2026-11-20T19:00:00Z\""
      ",\"timestamp\":\"2026-11-20T18:00:00Z\"",
      "\"2026-11-20T19:00:00.000Z\"",
      "\"2026-11-20T19:00:00Z\"", NULL, NULL },
    { ",\"originalTimestamp\":null"
      ",\"timestamp\":\"2026-11-20T18:00:00Z\"",
      "\"2026-11-20T18:00:00.000Z\"",
      "\"2026-11-20T18:00:00Z\"", NULL, NULL },

    /* no sentAt: as the sender says, in our form */
    { ",\"timestamp\":\"2026-11-20 19:36:00,0456+01:00\"",
      "\"2026-11-20T18:36:00.045Z\"",
      "\"2026-11-20 19:36:00,0456+01:00\"", NULL, NULL },

    /* never later than the receipt */
    { ",\"timestamp\":\"2026-11-20T19:36:00.124Z\"",
      "\"2026-11-20T19:36:00.123Z\"",
      "\"2026-11-20T19:36:00.124Z\"", NULL, NULL },
    { ",\"timestamp\":\"2099-01-01T00:00:00Z\"",
      "\"2026-11-20T19:36:00.123Z\"",
      "\"2099-01-01T00:00:00Z\"", NULL, NULL },
    { ",\"timestamp\":\"2026-11-20T19:30:02Z\""
      ",\"sentAt\":\"2026-11-20T19:30:01Z\"",
      "\"2026-11-20T19:36:00.123Z\"",
      "\"2026-11-20T19:30:02Z\"", "\"2026-11-20T19:30:01Z\"",
      "359123" },

    /* unreadable: kept as sent, not used */
    { ",\"timestamp\":\"yesterday\"",
      "\"2026-11-20T19:36:00.123Z\"", "\"yesterday\"", NULL, NULL },
    { ",\"timestamp\":1795203360000",
      "\"2026-11-20T19:36:00.123Z\"", "1795203360000", NULL, NULL },
    { ",\"timestamp\":\"2026-11-20T19:30:00Z\",\"sentAt\":\"x\"",
      "\"2026-11-20T19:30:00.000Z\"",
      "\"2026-11-20T19:30:00Z\"", "\"x\"", NULL },

    /* out of every calendar: clamped, no wrap */
    { ",\"timestamp\":\"1970-01-01T00:00:00Z\""
      ",\"sentAt\":\"9999-12-31T23:59:59.999Z\"",
      "\"1970-01-01T00:00:00.000Z\"",
      "\"1970-01-01T00:00:00Z\"", "\"9999-12-31T23:59:59.999Z\"",
      "-251607097439876" },
    { ",\"timestamp\":\"9999-12-31T23:59:59Z\""
      ",\"sentAt\":\"1970-01-01T00:00:00Z\"",
      "\"2026-11-20T19:36:00.123Z\"",
      "\"9999-12-31T23:59:59Z\"", "\"1970-01-01T00:00:00Z\"",
      "1795203360123" },
};


static void
test_refuses(void **state)
{
    size_t        i;
    test_event_t  t;

    (void) state;

    test_event_init(&t);

    for (i = 0; i < test_count(test_refusals); i++) {
        test_event_refused(&t, test_refusals[i].type, test_refusals[i].body,
                           test_refusals[i].rc, test_refusals[i].field);
    }

    test_event_close(&t);
}


static void
test_accepts(void **state)
{
    size_t        i;
    test_event_t  t;

    (void) state;

    test_event_init(&t);

    for (i = 0; i < test_count(test_accepted); i++) {
        test_event_ok(&t, test_accepted[i].type, test_accepted[i].body);
        assert_int_equal(t.ev.type, test_accepted[i].type);
    }

    test_event_close(&t);
}


/* In a batch the same rules hold, and each event needs its own type. */
static void
test_batch_verdicts(void **state)
{
    static const char  body[] =
        "{\"batch\":["
        "{\"type\":\"track\",\"userId\":\"u\",\"event\":\"e\"},"
        "{\"userId\":\"u\",\"event\":\"e\"},"
        "5,"
        "{\"type\":\"page\",\"userId\":\"u\",\"name\":[]},"
        "[{\"type\":\"page\",\"userId\":\"u\"}],"
        "null,"
        "{\"type\":\"batch\",\"userId\":\"u\"},"
        "{\"type\":null,\"userId\":\"u\"},"
        "{\"type\":\"\",\"userId\":\"u\"},"
        "{},"
        "{\"type\":\"alias\",\"userId\":\"u\",\"previousId\":\"p\"}"
        "]}";

    static const struct {
        martech_rc_t   rc;
        const char    *field;
    } want[] = {
        { MARTECH_OK, "" },
        { MARTECH_TYPE_REQUIRED, "/type" },
        { MARTECH_EVENT_NOT_OBJECT, "" },
        { MARTECH_NAME_NOT_STRING, "/name" },
        { MARTECH_EVENT_NOT_OBJECT, "" },
        { MARTECH_EVENT_NOT_OBJECT, "" },
        { MARTECH_TYPE_UNKNOWN, "/type" },
        { MARTECH_TYPE_REQUIRED, "/type" },
        { MARTECH_TYPE_UNKNOWN, "/type" },
        { MARTECH_TYPE_REQUIRED, "/type" },
        { MARTECH_OK, "" },
    };

    uint32_t      i;
    test_event_t  t;
    martech_rc_t  rc;

    (void) state;

    test_event_init(&t);

    assert_int_equal(test_event_open(&t, BATCH, body, sizeof(body) - 1),
                     MARTECH_OK);
    assert_int_equal(t.batch.count, test_count(want));

    for (i = 0; i < test_count(want); i++) {
        rc = test_event_build(&t, i);

        if (rc != want[i].rc
            || (rc != MARTECH_OK && strcmp(t.ev.field, want[i].field) != 0))
        {
            test_fail("event %u: %s at \"%s\"", i, martech_rc_name(rc),
                      t.ev.field);
        }
    }

    test_event_close(&t);
}


static void
test_batch_refuses(void **state)
{
    static const test_refusal_t  table[] = {
        { BATCH, "[]", MARTECH_BODY_NOT_OBJECT, "" },
        { BATCH, "[{\"type\":\"page\",\"userId\":\"u\"}]",
          MARTECH_BODY_NOT_OBJECT, "" },
        { BATCH, "null", MARTECH_BODY_NOT_OBJECT, "" },
        { BATCH, "\"batch\"", MARTECH_BODY_NOT_OBJECT, "" },
        { TRACK, "[]", MARTECH_BODY_NOT_OBJECT, "" },
        { TRACK, "5", MARTECH_BODY_NOT_OBJECT, "" },
        { BATCH, "{}", MARTECH_BATCH_NOT_ARRAY, "/batch" },
        { BATCH, "{\"type\":\"page\",\"userId\":\"u\"}",
          MARTECH_BATCH_NOT_ARRAY, "/batch" },
        { BATCH, "{\"batch\":{}}", MARTECH_BATCH_NOT_ARRAY, "/batch" },
        { BATCH, "{\"batch\":null}", MARTECH_BATCH_NOT_ARRAY, "/batch" },
        { BATCH, "{\"batch\":\"[]\"}", MARTECH_BATCH_NOT_ARRAY, "/batch" },
        { BATCH, "{\"batch\":[]}", MARTECH_BATCH_EMPTY, "/batch" },
        { BATCH, "{\"batch\":[{}],\"batch\":[{}]}",
          MARTECH_FIELD_DUPLICATE, "/batch" },
        { BATCH, "{\"batch\":[{}],\"b\\u0061tch\":[{}]}",
          MARTECH_FIELD_DUPLICATE, "/batch" },
        { BATCH, "{\"context\":{},\"batch\":[{}],\"context\":{}}",
          MARTECH_FIELD_DUPLICATE, "/context" },
        { BATCH, "{\"sentAt\":\"a\",\"batch\":[{}],\"sentAt\":\"b\"}",
          MARTECH_FIELD_DUPLICATE, "/sentAt" },
        { BATCH, "{\"integrations\":{},\"batch\":[{}],"
                 "\"int\\u0065grations\":{}}",
          MARTECH_FIELD_DUPLICATE, "/integrations" },
        { BATCH, "{\"context\":[],\"batch\":[{}]}",
          MARTECH_CONTEXT_NOT_OBJECT, "/context" },
        { BATCH, "{\"context\":\"x\",\"batch\":[{}]}",
          MARTECH_CONTEXT_NOT_OBJECT, "/context" },
        { BATCH, "{\"integrations\":false,\"batch\":[{}]}",
          MARTECH_INTEGRATIONS_NOT_OBJECT, "/integrations" },
    };

    size_t        i;
    test_event_t  t;
    martech_rc_t  rc;

    (void) state;

    test_event_init(&t);

    for (i = 0; i < test_count(table); i++) {
        rc = test_event_open(&t, table[i].type, table[i].body,
                             strlen(table[i].body));

        if (rc != table[i].rc || strcmp(t.field, table[i].field) != 0) {
            test_fail("%s: %s at \"%s\", not %s at \"%s\"", table[i].body,
                      martech_rc_name(rc), t.field,
                      martech_rc_name(table[i].rc), table[i].field);
        }
    }

    test_event_close(&t);
}


/* A name written with escapes is the same name: "b\u0061tch" is the batch. */
static void
test_batch_name_escaped(void **state)
{
    static const char  body[] =
        "{\"b\\u0061tch\":[{\"type\":\"page\",\"userId\":\"u\"}]}";

    test_event_t  t;

    (void) state;

    test_event_init(&t);

    assert_int_equal(test_event_open(&t, BATCH, body, sizeof(body) - 1),
                     MARTECH_OK);
    assert_int_equal(t.batch.count, 1);

    test_event_close(&t);
}


static void
test_limit_batch_count(void **state)
{
    char          *body, *p;
    uint32_t       i, n;
    test_event_t   t;
    martech_rc_t   rc;

    (void) state;

    test_event_init(&t);
    body = test_alloc(20000);

    for (n = 2499; n <= 2501; n++) {
        p = body + sprintf(body, "{\"batch\":[");

        for (i = 0; i < n; i++) {
            p += sprintf(p, "%s{}", i ? "," : "");
        }

        p += sprintf(p, "]}");

        rc = test_event_open(&t, BATCH, body, (size_t) (p - body));

        if (n <= 2500) {
            assert_int_equal(rc, MARTECH_OK);
            assert_int_equal(t.batch.count, n);

        } else {
            assert_int_equal(rc, MARTECH_BATCH_COUNT);
            assert_string_equal(t.field, "/batch");
        }
    }

    free(body);
    test_event_close(&t);
}


/* What goes into every event of a batch is bounded, with a pointer. */
static void
test_limit_batch_merged(void **state)
{
    static const char *const  names[] = { "context", "integrations" };

    char          *body, *p, field[32];
    size_t         i, n, k;
    test_event_t   t;
    martech_rc_t   rc;

    (void) state;

    test_event_init(&t);
    body = test_alloc(80000);

    for (i = 0; i < test_count(names); i++) {
        snprintf(field, sizeof(field), "/%s", names[i]);

        for (n = MARTECH_BATCH_MEMBERS_MAX;
             n <= MARTECH_BATCH_MEMBERS_MAX + 1; n++)
        {
            p = body + sprintf(body, "{\"batch\":[{}],\"%s\":{", names[i]);

            for (k = 0; k < n; k++) {
                p += sprintf(p, "%s\"m%zu\":1", k ? "," : "", k);
            }

            p += sprintf(p, "}}");

            rc = test_event_open(&t, BATCH, body, (size_t) (p - body));
            assert_int_equal(rc, n <= MARTECH_BATCH_MEMBERS_MAX
                                 ? MARTECH_OK : MARTECH_BATCH_MEMBERS);

            if (rc != MARTECH_OK) {
                assert_string_equal(t.field, field);
            }
        }

        /* the size is that of an event, brackets included */

        for (n = 32768; n <= 32769; n++) {
            p = body + sprintf(body, "{\"batch\":[{}],\"%s\":{\"x\":\"%0*d"
                               "\"}}", names[i], (int) n - 8, 1);

            rc = test_event_open(&t, BATCH, body, (size_t) (p - body));
            assert_int_equal(rc, n <= 32768 ? MARTECH_OK
                                            : MARTECH_EVENT_SIZE);

            if (rc != MARTECH_OK) {
                assert_string_equal(t.field, field);
            }
        }

        /* a name with escapes, which has to be compared */

        t.limits.key_size_max = UINT16_MAX;

        for (n = MARTECH_BATCH_NAME_MAX; n <= MARTECH_BATCH_NAME_MAX + 1; n++)
        {
            p = body + sprintf(body, "{\"batch\":[{}],\"%s\":{\"\\n%0*d\":1}}",
                               names[i], (int) n - 2, 1);

            rc = test_event_open(&t, BATCH, body, (size_t) (p - body));
            assert_int_equal(rc, n <= MARTECH_BATCH_NAME_MAX
                                 ? MARTECH_OK : MARTECH_JSON_KEY_SIZE);
        }
    }

    free(body);
    test_event_close(&t);
}


/* The size of an event counts as it was sent, from brace to brace. */
static void
test_limit_event_size(void **state)
{
    char          *body;
    size_t         n, head;
    test_event_t   t;
    martech_rc_t   rc;

    (void) state;

    test_event_init(&t);
    t.limits.string_size_max = 1024 * 1024;

    body = test_alloc(40000);
    head = (size_t) sprintf(body, "{\"userId\":\"u\",\"x\":\"");

    for (n = 32767; n <= 32769; n++) {
        memset(body + head, 'x', n - head - 2);
        memcpy(body + n - 2, "\"}", 3);

        rc = test_event_one(&t, PAGE, body);

        if (n <= 32768) {
            assert_int_equal(rc, MARTECH_OK);

        } else {
            assert_int_equal(rc, MARTECH_EVENT_SIZE);
            assert_string_equal(t.ev.field, "");
        }
    }

    /* one's own limit; the id is known although the event is refused */

    t.limits.event_size_max = 40;
    test_event_refused(&t, PAGE,
                       "{\"userId\":\"u\",\"messageId\":\"m-1\",\"x\":[1,2]}",
                       MARTECH_EVENT_SIZE, "");
    test_str_equal(t.ev.message_id, "m-1");

    free(body);
    test_event_close(&t);
}


/* Ids count in bytes un-escaped; the message id in characters. */
static void
test_limit_ids(void **state)
{
    static const char *const  names[] = {
        "anonymousId", "userId", "groupId", "previousId"
    };

    /* one byte, as it is and by escape; two bytes */

    static const struct {
        const char   *unit;
        size_t        bytes;
    } units[] = {
        { "x", 1 }, { "\\u0041", 1 }, { "\\n", 1 }, { "\xc3\xa9", 2 },
        { "\\u00e9", 2 }, { "\\ud83d\\ude00", 4 }
    };

    char          *body, *p, field[32];
    size_t         i, u, n, k;
    test_event_t   t;
    martech_rc_t   rc;

    (void) state;

    test_event_init(&t);
    body = test_alloc(10000);

    for (i = 0; i < test_count(names); i++) {
        snprintf(field, sizeof(field), "/%s", names[i]);

        for (u = 0; u < test_count(units); u++) {
            for (n = MARTECH_ID_SIZE_MAX / units[u].bytes;
                 n <= MARTECH_ID_SIZE_MAX / units[u].bytes + 1; n++)
            {
                p = body + sprintf(body, "{%s\"%s\":\"",
                                   i == 1 ? "" : "\"userId\":\"u\",",
                                   names[i]);

                for (k = 0; k < n; k++) {
                    p += sprintf(p, "%s", units[u].unit);
                }

                sprintf(p, "\"}");

                rc = test_event_one(&t, PAGE, body);

                if (n * units[u].bytes <= MARTECH_ID_SIZE_MAX) {
                    assert_int_equal(rc, MARTECH_OK);

                } else {
                    assert_int_equal(rc, MARTECH_ID_SIZE);
                    assert_string_equal(t.ev.field, field);
                }
            }
        }
    }

    free(body);
    test_event_close(&t);
}


static void
test_limit_message_id(void **state)
{
    static const char *const  units[] = {
        "x", "\\u0041", "\xc3\xa9", "\\u20ac", "\xe2\x82\xac",
        "\\ud83d\\ude00", "\xf0\x9f\x98\x80"
    };

    char          *body, *p;
    size_t         u, n, k;
    test_event_t   t;
    martech_rc_t   rc;

    (void) state;

    test_event_init(&t);
    body = test_alloc(20000);

    for (u = 0; u < test_count(units); u++) {
        for (n = 99; n <= 101; n++) {
            p = body + sprintf(body, "{\"userId\":\"u\",\"messageId\":\"");

            for (k = 0; k < n; k++) {
                p += sprintf(p, "%s", units[u]);
            }

            sprintf(p, "\"}");

            rc = test_event_one(&t, PAGE, body);

            if (n <= 100) {
                assert_int_equal(rc, MARTECH_OK);

            } else {
                assert_int_equal(rc, MARTECH_MESSAGE_ID_SIZE);
                assert_string_equal(t.ev.field, "/messageId");
            }
        }
    }

    /* a large setting does not outgrow the room of an event */

    t.limits.message_id_max = 100000;

    for (u = 0; u < test_count(units); u++) {
        for (n = 500; n <= 600; n += 4) {
            p = body + sprintf(body, "{\"userId\":\"u\",\"messageId\":\"");

            for (k = 0; k < n; k++) {
                p += sprintf(p, "%s", units[u]);
            }

            sprintf(p, "\"}");

            rc = test_event_one(&t, PAGE, body);
            assert_true(rc == MARTECH_OK || rc == MARTECH_MESSAGE_ID_SIZE);
        }
    }

    free(body);
    test_event_close(&t);
}


/* What the entry and the shard are made of, un-escaped. */
static void
test_ids(void **state)
{
    test_event_t  t;

    (void) state;

    test_event_init(&t);

    test_event_ok(&t, PAGE, "{\"messageId\":\"m\",\"userId\":\"u\","
                            "\"anonymousId\":\"a\"}");
    test_str_equal(t.ev.message_id, "m");
    test_str_equal(t.ev.identity, "a");

    test_event_ok(&t, PAGE, "{\"messageId\":\"m\",\"userId\":\"u\","
                            "\"anonymousId\":\"\"}");
    test_str_equal(t.ev.identity, "u");

    test_event_ok(&t, PAGE, "{\"messageId\":\"m\",\"userId\":\"u\","
                            "\"anonymousId\":null}");
    test_str_equal(t.ev.identity, "u");

    /* escapes: un-escaped for the entry, as sent in the event */

    test_event_ok(&t, PAGE, "{\"messageId\":\"m\\\"\\u00e9\\/\","
                            "\"userId\":\"u\\ud83d\\ude00\","
                            "\"anonymousId\":\"a\\\\b\"}");
    test_str_equal(t.ev.message_id, "m\"\xc3\xa9/");
    test_str_equal(t.ev.identity, "a\\b");
    test_event_has(&t, "/messageId", "\"m\\\"\\u00e9\\/\"");
    test_event_has(&t, "/userId", "\"u\\ud83d\\ude00\"");
    test_event_has(&t, "/anonymousId", "\"a\\\\b\"");

    test_event_ok(&t, PAGE, "{\"messageId\":\"m\\u0041\","
                            "\"userId\":\"u\\ud83d\\ude00\"}");
    test_str_equal(t.ev.message_id, "mA");
    test_str_equal(t.ev.identity, "u\xf0\x9f\x98\x80");

    /* both escaped: each in its own buffer */

    test_event_ok(&t, ALIAS, "{\"messageId\":\"\\u006d1\","
                             "\"anonymousId\":\"\\u00611\","
                             "\"userId\":\"\\u00751\","
                             "\"previousId\":\"\\u00701\"}");
    test_str_equal(t.ev.message_id, "m1");
    test_str_equal(t.ev.identity, "a1");

    test_event_close(&t);
}


static void
test_ids_empty_left_out(void **state)
{
    test_event_t  t;

    (void) state;

    test_event_init(&t);

    test_event_ok(&t, PAGE,
                  "{\"userId\":\"u\",\"anonymousId\":null,\"groupId\":\"\","
                  "\"previousId\":null,\"messageId\":null}");

    test_event_has(&t, "/userId", "\"u\"");
    test_event_has(&t, "/anonymousId", NULL);
    test_event_has(&t, "/groupId", NULL);
    test_event_has(&t, "/previousId", NULL);

    test_event_ok(&t, PAGE, "{\"anonymousId\":\"a\",\"userId\":\"\"}");
    test_event_has(&t, "/anonymousId", "\"a\"");
    test_event_has(&t, "/userId", NULL);

    test_event_close(&t);
}


/* None sent, null or "": a UUIDv7 of the receipt, the same in both places. */
static void
test_message_id_made(void **state)
{
    static const char *const  bodies[] = {
        "{\"userId\":\"u\"}",
        "{\"userId\":\"u\",\"messageId\":null}",
        "{\"userId\":\"u\",\"messageId\":\"\"}"
    };

    char          want[64];
    size_t        i;
    test_event_t  t;

    (void) state;

    test_event_init(&t);

    for (i = 0; i < test_count(bodies); i++) {
        t.facts.random[0] = 0x1234567890abcdef;
        t.facts.random[1] = i;

        test_event_ok(&t, PAGE, bodies[i]);

        martech_uuid7((unsigned char *) want + 1, t.facts.now_ms,
                      t.facts.random);
        want[0] = '"';
        want[MARTECH_UUID_LEN + 1] = '"';
        want[MARTECH_UUID_LEN + 2] = '\0';

        test_event_has(&t, "/messageId", want);

        want[MARTECH_UUID_LEN + 1] = '\0';
        test_str_equal(t.ev.message_id, want + 1);
    }

    test_event_close(&t);
}


/* Which of the sender's clocks are readable decides, docs/SPEC.md "Time". */
static void
test_time(void **state)
{
    char          body[512];
    size_t        i;
    test_event_t  t;

    (void) state;

    test_event_init(&t);

    for (i = 0; i < test_count(test_times); i++) {
        snprintf(body, sizeof(body), "{\"userId\":\"u\"%s}",
                 test_times[i].members);

        test_event_ok(&t, PAGE, body);

        test_event_has(&t, "/receivedAt", "\"2026-11-20T19:36:00.123Z\"");
        test_event_has(&t, "/timestamp", test_times[i].timestamp);
        test_event_has(&t, "/originalTimestamp", test_times[i].original);
        test_event_has(&t, "/sentAt", test_times[i].sent);
        test_event_has(&t, "/context/martech/skewMs", test_times[i].skew);
    }

    test_event_close(&t);
}


/* sentAt of the batch serves events that have none of their own. */
static void
test_time_batch(void **state)
{
    static const char  body[] =
        "{\"sentAt\":\"2026-11-20T19:30:01Z\",\"batch\":["
        "{\"type\":\"page\",\"userId\":\"u\","
        "\"timestamp\":\"2026-11-20T19:30:00Z\"},"
        "{\"type\":\"page\",\"userId\":\"u\","
        "\"timestamp\":\"2026-11-20T19:30:00Z\","
        "\"sentAt\":\"2026-11-20T19:30:02Z\"},"
        "{\"type\":\"page\",\"userId\":\"u\",\"sentAt\":null,"
        "\"timestamp\":\"2026-11-20T19:30:00Z\"}]}";

    test_event_t  t;

    (void) state;

    test_event_init(&t);

    assert_int_equal(test_event_open(&t, BATCH, body, sizeof(body) - 1),
                     MARTECH_OK);

    assert_int_equal(test_event_build(&t, 0), MARTECH_OK);
    test_event_has(&t, "/timestamp", "\"2026-11-20T19:35:59.123Z\"");
    test_event_has(&t, "/sentAt", "\"2026-11-20T19:30:01Z\"");
    test_event_has(&t, "/context/martech/skewMs", "359123");

    assert_int_equal(test_event_build(&t, 1), MARTECH_OK);
    test_event_has(&t, "/timestamp", "\"2026-11-20T19:35:58.123Z\"");
    test_event_has(&t, "/sentAt", "\"2026-11-20T19:30:02Z\"");
    test_event_has(&t, "/context/martech/skewMs", "358123");

    assert_int_equal(test_event_build(&t, 2), MARTECH_OK);
    test_event_has(&t, "/timestamp", "\"2026-11-20T19:35:59.123Z\"");
    test_event_has(&t, "/sentAt", "\"2026-11-20T19:30:01Z\"");

    test_event_close(&t);
}


/* sentAt of a batch is bounded: it is written with every event. */
static void
test_time_batch_sent_at_size(void **state)
{
    char          body[512];
    size_t        n, len;
    test_event_t  t;

    (void) state;

    test_event_init(&t);

    for (n = MARTECH_SENT_AT_MAX - 1; n <= MARTECH_SENT_AT_MAX + 1; n++) {
        len = (size_t) snprintf(body, sizeof(body),
            "{\"sentAt\":\"%0*d\",\"batch\":"
            "[{\"type\":\"page\",\"userId\":\"u\"}]}", (int) n, 7);

        assert_int_equal(test_event_open(&t, BATCH, body, len), MARTECH_OK);
        assert_int_equal(test_event_build(&t, 0), MARTECH_OK);

        if (n > MARTECH_SENT_AT_MAX) {
            test_event_has(&t, "/sentAt", NULL);

        } else {
            assert_int_not_equal(martech_json_pointer(&t.canonical.tape, 0,
                                                      "/sentAt"),
                                 MARTECH_JSON_NONE);
        }
    }

    test_event_close(&t);
}


/* The clock of the edge cannot be set by a sender. */
static void
test_received_at_is_ours(void **state)
{
    test_event_t  t;

    (void) state;

    test_event_init(&t);

    test_event_ok(&t, PAGE, "{\"userId\":\"u\","
                            "\"receivedAt\":\"2020-01-01T00:00:00Z\"}");
    test_event_has(&t, "/receivedAt", "\"2026-11-20T19:36:00.123Z\"");

    test_event_ok(&t, PAGE, "{\"userId\":\"u\","
                            "\"received\\u0041t\":\"2020-01-01T00:00:00Z\"}");
    test_event_has(&t, "/receivedAt", "\"2026-11-20T19:36:00.123Z\"");

    test_event_close(&t);
}


static void
test_context_martech(void **state)
{
    test_event_t  t;

    (void) state;

    test_event_init(&t);

    test_event_ok(&t, PAGE, "{\"userId\":\"u\"}");
    test_event_has(&t, "/context/martech/v", "1");
    test_event_has(&t, "/context/martech/source", "\"web\"");
    test_event_has(&t, "/context/martech/requestId",
                   "\"0123456789abcdef0123456789abcdef\"");
    test_event_has(&t, "/context/martech/dialect", "\"segment\"");

    test_event_close(&t);
}


/*
 * What a sender writes under our name is gone, in whatever spelling and
 * however often: a reader that takes the last of two must not see it.
 */
static void
test_context_martech_forged(void **state)
{
    static const char *const  bodies[] = {
        "{\"userId\":\"u\",\"context\":{\"martech\":{\"source\":\"x\"}}}",
        "{\"userId\":\"u\",\"context\":{\"martech\":5,\"a\":1}}",
        "{\"userId\":\"u\",\"context\":{\"a\":1,\"martech\":null}}",
        "{\"userId\":\"u\",\"context\":{\"m\\u0061rtech\":{}}}",
        "{\"userId\":\"u\",\"context\":"
        "{\"\\u006d\\u0061\\u0072\\u0074\\u0065\\u0063\\u0068\":{}}}",
        "{\"userId\":\"u\",\"context\":"
        "{\"martech\":{},\"a\":1,\"martech\":{},\"m\\u0061rtech\":1}}",
    };

    size_t        i;
    test_event_t  t;
    static const char  batch[] =
        "{\"context\":{\"m\\u0061rtech\":{\"source\":\"x\"},\"b\":2},"
        "\"batch\":[{\"type\":\"page\",\"userId\":\"u\"},"
        "{\"type\":\"page\",\"userId\":\"u\",\"context\":"
        "{\"martech\":{\"source\":\"y\"}}}]}";

    (void) state;

    test_event_init(&t);

    for (i = 0; i < test_count(bodies); i++) {
        test_event_ok(&t, PAGE, bodies[i]);
        test_event_has(&t, "/context/martech/source", "\"web\"");

        /* once, which test_event_has() sees to */
        test_event_has(&t, "/context/martech",
                       "{\"v\":1,\"source\":\"web\",\"requestId\":"
                       "\"0123456789abcdef0123456789abcdef\","
                       "\"dialect\":\"segment\"}");
    }

    assert_int_equal(test_event_open(&t, BATCH, batch, sizeof(batch) - 1),
                     MARTECH_OK);

    for (i = 0; i < 2; i++) {
        assert_int_equal(test_event_build(&t, (uint32_t) i), MARTECH_OK);
        test_event_has(&t, "/context/martech/source", "\"web\"");
        test_event_has(&t, "/context/b", "2");
    }

    test_event_close(&t);
}


/* Member by member, the event's over the batch's. */
static void
test_batch_merge(void **state)
{
    static const char  body[] =
        "{\"context\":{\"locale\":\"de\",\"app\":{\"name\":\"x\",\"v\":1},"
        "\"\\u0062oth\":\"batch\",\"only\":true},"
        "\"integrations\":{\"All\":false,\"GA4\":true},"
        "\"batch\":["
        "{\"type\":\"page\",\"userId\":\"u\"},"
        "{\"type\":\"page\",\"userId\":\"u\",\"context\":{\"app\":{\"v\":2},"
        "\"l\\u006fcale\":\"en\",\"both\":\"event\",\"own\":[1]},"
        "\"integrations\":{\"GA4\":{\"id\":1},\"Mixpanel\":true}},"
        "{\"type\":\"page\",\"userId\":\"u\",\"context\":{},"
        "\"integrations\":{}}]}";

    test_event_t  t;

    (void) state;

    test_event_init(&t);

    assert_int_equal(test_event_open(&t, BATCH, body, sizeof(body) - 1),
                     MARTECH_OK);
    assert_int_equal(t.batch.count, 3);

    assert_int_equal(test_event_build(&t, 0), MARTECH_OK);
    test_event_has(&t, "/context/locale", "\"de\"");
    test_event_has(&t, "/context/app", "{\"name\":\"x\",\"v\":1}");
    test_event_has(&t, "/context/both", "\"batch\"");
    test_event_has(&t, "/context/only", "true");
    test_event_has(&t, "/integrations/All", "false");
    test_event_has(&t, "/integrations/GA4", "true");

    assert_int_equal(test_event_build(&t, 1), MARTECH_OK);
    test_event_has(&t, "/context/locale", "\"en\"");
    test_event_has(&t, "/context/app", "{\"v\":2}");
    test_event_has(&t, "/context/both", "\"event\"");
    test_event_has(&t, "/context/only", "true");
    test_event_has(&t, "/context/own", "[1]");
    test_event_has(&t, "/integrations/All", "false");
    test_event_has(&t, "/integrations/GA4", "{\"id\":1}");
    test_event_has(&t, "/integrations/Mixpanel", "true");

    assert_int_equal(test_event_build(&t, 2), MARTECH_OK);
    test_event_has(&t, "/context/locale", "\"de\"");
    test_event_has(&t, "/integrations/All", "false");

    test_event_close(&t);
}


/* "martech" is our name in the context only; a destination may have it. */
static void
test_batch_merge_integration_named_martech(void **state)
{
    static const char  body[] =
        "{\"integrations\":{\"martech\":false,\"b\":1},"
        "\"batch\":[{\"type\":\"page\",\"userId\":\"u\","
        "\"integrations\":{\"a\":1}},"
        "{\"type\":\"page\",\"userId\":\"u\","
        "\"integrations\":{\"martech\":true}}]}";

    test_event_t  t;

    (void) state;

    test_event_init(&t);

    assert_int_equal(test_event_open(&t, BATCH, body, sizeof(body) - 1),
                     MARTECH_OK);

    assert_int_equal(test_event_build(&t, 0), MARTECH_OK);
    test_event_has(&t, "/integrations/martech", "false");

    assert_int_equal(test_event_build(&t, 1), MARTECH_OK);
    test_event_has(&t, "/integrations/martech", "true");

    test_event_close(&t);
}


static void
test_integrations_absent(void **state)
{
    test_event_t  t;

    (void) state;

    test_event_init(&t);

    test_event_ok(&t, PAGE, "{\"userId\":\"u\"}");
    test_event_has(&t, "/integrations", NULL);

    test_event_ok(&t, PAGE, "{\"userId\":\"u\",\"integrations\":{\"a\":1}}");
    test_event_has(&t, "/integrations", "{\"a\":1}");

    test_event_close(&t);
}


/* From the request for a client, unless the sender or its batch says. */
static void
test_ip_and_user_agent(void **state)
{
    static const char  batch[] =
        "{\"context\":{\"ip\":\"192.0.2.7\",\"userAgent\":\"lib\"},"
        "\"batch\":[{\"type\":\"page\",\"userId\":\"u\"}]}";

    test_event_t  t;

    (void) state;

    test_event_init(&t);

    test_event_ok(&t, PAGE, "{\"userId\":\"u\"}");
    test_event_has(&t, "/context/ip", NULL);
    test_event_has(&t, "/context/userAgent", NULL);

    t.facts.ip = test_str("2001:db8::1");
    t.facts.user_agent = test_str("Mozilla/5.0 (\"x\"; \\)");

    test_event_ok(&t, PAGE, "{\"userId\":\"u\"}");
    test_event_has(&t, "/context/ip", "\"2001:db8::1\"");
    test_event_has(&t, "/context/userAgent",
                   "\"Mozilla/5.0 (\\\"x\\\"; \\\\)\"");

    test_event_ok(&t, PAGE, "{\"userId\":\"u\",\"context\":"
                            "{\"ip\":\"192.0.2.7\",\"userAgent\":\"own\"}}");
    test_event_has(&t, "/context/ip", "\"192.0.2.7\"");
    test_event_has(&t, "/context/userAgent", "\"own\"");

    test_event_ok(&t, PAGE, "{\"userId\":\"u\",\"context\":"
                            "{\"i\\u0070\":\"192.0.2.7\"}}");
    test_event_has(&t, "/context/ip", "\"192.0.2.7\"");

    /* a namesake elsewhere is not the sender's own */

    test_event_ok(&t, PAGE, "{\"userId\":\"u\",\"ip\":1,\"context\":"
                            "{\"x\":{\"ip\":2}},\"properties\":{\"ip\":3}}");
    test_event_has(&t, "/context/ip", "\"2001:db8::1\"");

    assert_int_equal(test_event_open(&t, BATCH, batch, sizeof(batch) - 1),
                     MARTECH_OK);
    assert_int_equal(test_event_build(&t, 0), MARTECH_OK);
    test_event_has(&t, "/context/ip", "\"192.0.2.7\"");
    test_event_has(&t, "/context/userAgent", "\"lib\"");

    test_event_close(&t);
}


/* A key is a credential: in no spelling, nowhere it is looked for. */
static void
test_write_key_removed(void **state)
{
    static const char  batch[] =
        "{\"writeKey\":\"s3cret\",\"batch\":["
        "{\"type\":\"page\",\"userId\":\"u\",\"writeKey\":\"s3cret\"},"
        "{\"type\":\"page\",\"userId\":\"u\",\"a\":1,"
        "\"write\\u004bey\":\"s3cret\",\"b\":2}]}";

    uint32_t       i;
    test_event_t   t;
    unsigned char  key[64];

    (void) state;

    test_event_init(&t);

    test_event_ok(&t, PAGE, "{\"writeKey\":\"s3cret\",\"userId\":\"u\"}");
    test_str_equal(martech_batch_write_key(&t.batch, key, sizeof(key)),
                   "s3cret");
    test_event_has(&t, "/writeKey", NULL);
    assert_null(memmem(t.out, t.ev.len, "s3cret", 6));

    assert_int_equal(test_event_open(&t, BATCH, batch, sizeof(batch) - 1),
                     MARTECH_OK);
    test_str_equal(martech_batch_write_key(&t.batch, key, sizeof(key)),
                   "s3cret");

    for (i = 0; i < 2; i++) {
        assert_int_equal(test_event_build(&t, i), MARTECH_OK);
        test_event_has(&t, "/writeKey", NULL);
        assert_null(memmem(t.out, t.ev.len, "s3cret", 6));
    }

    test_event_has(&t, "/a", "1");
    test_event_has(&t, "/b", "2");

    /* in a place where it is not a credential it is the sender's data */

    test_event_ok(&t, PAGE, "{\"userId\":\"u\",\"properties\":"
                            "{\"writeKey\":\"mine\"}}");
    test_event_has(&t, "/properties/writeKey", "\"mine\"");

    test_event_close(&t);
}


static void
test_write_key(void **state)
{
    static const struct {
        martech_event_type_t   type;
        const char            *body;
        const char            *key;
    } table[] = {
        { PAGE, "{\"userId\":\"u\"}", "" },
        { PAGE, "{\"writeKey\":\"k\"}", "k" },
        { PAGE, "{\"writeKey\":5}", "" },
        { PAGE, "{\"writeKey\":null}", "" },
        { PAGE, "{\"writeKey\":\"\"}", "" },
        { PAGE, "{\"writeKey\":\"k\\u0065y\"}", "key" },
        { PAGE, "{\"write\\u004bey\":\"k\"}", "k" },
        { PAGE, "{\"context\":{\"writeKey\":\"k\"}}", "" },
        { BATCH, "{\"batch\":[{}]}", "" },
        { BATCH, "{\"writeKey\":\"k\",\"batch\":[{}]}", "k" },
        { BATCH, "{\"batch\":[{\"writeKey\":\"k\"}]}", "k" },
        { BATCH, "{\"batch\":[{\"writeKey\":\"1\"},{\"writeKey\":\"2\"}]}",
          "1" },
        { BATCH, "{\"writeKey\":\"0\",\"batch\":[{\"writeKey\":\"1\"}]}",
          "0" },
        { BATCH, "{\"writeKey\":null,\"batch\":[{\"writeKey\":\"1\"}]}",
          "1" },
        { PAGE, "{\"writeKey\":\"a\\/b\"}", "a/b" },
        { PAGE, "{\"writeKey\":\"0123456789abcdef\\/\"}", "" },
        { BATCH, "{\"batch\":[5]}", "" },
        { BATCH, "{\"batch\":[{},{\"writeKey\":\"2\"}]}", "" },
    };

    size_t         i;
    test_event_t   t;
    unsigned char  key[16];

    (void) state;

    test_event_init(&t);

    for (i = 0; i < test_count(table); i++) {
        assert_int_equal(test_event_open(&t, table[i].type, table[i].body,
                                         strlen(table[i].body)), MARTECH_OK);
        test_str_equal(martech_batch_write_key(&t.batch, key, sizeof(key)),
                       table[i].key);
    }

    test_event_close(&t);
}


/* Members we do not know keep their bytes and their order. */
static void
test_passes_through(void **state)
{
    static const char  rest[] =
        "\"event\":\"e\\u0301\",\"zz\":1.0,\"big\":12345678901234567890123,"
        "\"exp\":-0.0E+00,\"esc\\u0061ped\":\"\\/\",\"n\":null,"
        "\"x\":[1, 2 ,\t3],\"x\":{},\"properties\":{\"a\" : 1,\"a\":2}";

    char          body[512];
    test_event_t  t;

    (void) state;

    test_event_init(&t);

    snprintf(body, sizeof(body), "{\"userId\":\"u\",%s}", rest);

    test_event_ok(&t, TRACK, body);
    assert_non_null(memmem(t.out, t.ev.len, rest, sizeof(rest) - 1));

    /* taken apart by what we take out */

    test_event_ok(&t, TRACK,
        "{\"a\":1,\"userId\":\"u\",\"b\":2,\"writeKey\":\"k\",\"c\":3,"
        "\"messageId\":\"m\",\"event\":\"e\",\"d\":4,\"context\":{}}");

    test_event_has(&t, "/a", "1");
    test_event_has(&t, "/b", "2");
    test_event_has(&t, "/c", "3");
    test_event_has(&t, "/d", "4");
    test_event_has(&t, "/event", "\"e\"");

    test_event_close(&t);
}


/*
 * Bound: the smallest bodies with the largest facts, user agents that grow
 * sixfold, a batch whose context goes into every event.  Every build of this
 * file is into a block of the bound, so a byte too much is a report.
 */
static void
test_bound(void **state)
{
    static const char *const  bodies[] = {
        "{\"userId\":\"u\"}",
        "{\"userId\":\"u\",\"timestamp\":1,\"sentAt\":2}",
        "{\"userId\":\"u\",\"timestamp\":\"1970-01-01T00:00:00Z\","
        "\"sentAt\":\"9999-12-31T23:59:59Z\"}",
        "{\"userId\":\"u\",\"context\":{\"a\":1},\"integrations\":{}}",
        "{\"a\":1,\"userId\":\"u\",\"b\":1,\"type\":\"page\",\"c\":1,"
        "\"messageId\":\"\",\"d\":1,\"groupId\":\"g\",\"e\":1}"
    };

    char          agent[4096], id[64];
    size_t        i, n;
    unsigned      c;
    test_event_t  t;
    static const unsigned char  fill[] = { 'x', 0x01, 0xff, '"', 0xc3 };

    (void) state;

    test_event_init(&t);

    memset(id, 'i', sizeof(id));
    t.facts.source.data = (unsigned char *) id;
    t.facts.source.len = sizeof(id);
    t.facts.ip = test_str("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255");
    t.facts.now_ms = 253402300799999ULL;

    t.facts.user_agent.data = (unsigned char *) agent;

    for (c = 0; c < sizeof(fill); c++) {
        memset(agent, fill[c], sizeof(agent));

        for (n = 0; n <= sizeof(agent); n = n * 2 + 1) {
            t.facts.user_agent.len = n;

            for (i = 0; i < test_count(bodies); i++) {
                test_event_ok(&t, PAGE, bodies[i]);
            }
        }
    }

    test_event_close(&t);
}


/* Each part that does not stand in the event counts for its own size. */
static void
test_bound_parts(void **state)
{
    static const char  batch[] =
        "{\"context\":{\"x\":\"%s\"},\"integrations\":{\"x\":\"%s\"},"
        "\"sentAt\":\"%s\","
        "\"batch\":[{\"type\":\"page\",\"userId\":\"u\"}]}";

    char          *body, *large;
    size_t         i, len;
    test_event_t   t;
    martech_str_t  text, *facts[4];

    (void) state;

    test_event_init(&t);

    body = test_alloc(20000);
    large = test_alloc(4001);
    memset(large, 'x', 4000);
    large[4000] = '\0';

    /* of the batch: one large, the others empty; a long time is no time */

    for (i = 0; i < 3; i++) {
        len = (size_t) sprintf(body, batch, i == 0 ? large : "",
                               i == 1 ? large : "", i == 2 ? large : "");

        assert_int_equal(test_event_open(&t, BATCH, body, len), MARTECH_OK);
        assert_int_equal(test_event_build(&t, 0), MARTECH_OK);
        assert_int_equal(t.ev.len > 4000, i < 2);
    }

    /* of the request: one large */

    facts[0] = &t.facts.source;
    facts[1] = &t.facts.request_id;
    facts[2] = &t.facts.dialect;
    facts[3] = &t.facts.ip;

    for (i = 0; i < test_count(facts); i++) {
        text = *facts[i];
        *facts[i] = test_str(large);

        test_event_ok(&t, PAGE, "{\"userId\":\"u\"}");
        assert_true(t.ev.len > 4000);

        *facts[i] = text;
    }

    free(large);
    free(body);
    test_event_close(&t);
}


/* A long user agent is cut; what is kept is its beginning, unchanged. */
static void
test_user_agent_cut(void **state)
{
    char           agent[2048];
    size_t         n;
    uint32_t       node;
    test_event_t   t;
    martech_str_t  s;

    (void) state;

    test_event_init(&t);

    for (n = 0; n < sizeof(agent); n++) {
        agent[n] = (char) ('a' + n % 26);
    }

    t.facts.user_agent.data = (unsigned char *) agent;

    for (n = MARTECH_USER_AGENT_MAX - 1; n <= sizeof(agent); n += 1 + n / 9) {
        t.facts.user_agent.len = n;

        test_event_ok(&t, PAGE, "{\"userId\":\"u\"}");

        node = martech_json_pointer(&t.canonical.tape, 0,
                                    "/context/userAgent");
        assert_int_not_equal(node, MARTECH_JSON_NONE);

        s = martech_json_slice(&t.canonical.tape, node);
        assert_int_equal(s.len, n < MARTECH_USER_AGENT_MAX
                                ? n : MARTECH_USER_AGENT_MAX);
        assert_memory_equal(s.data, agent, s.len);
    }

    test_event_close(&t);
}


/* A refusal tells its id too, so that a sender can find the event. */
static void
test_refusal_has_message_id(void **state)
{
    test_event_t  t;

    (void) state;

    test_event_init(&t);

    test_event_refused(&t, TRACK, "{\"messageId\":\"m-7\",\"userId\":\"u\"}",
                       MARTECH_EVENT_NOT_DEFINED, "/event");
    test_str_equal(t.ev.message_id, "m-7");

    test_event_refused(&t, PAGE, "{\"userId\":5,\"messageId\":\"m\\u002d8\"}",
                       MARTECH_ID_NOT_STRING, "/userId");
    test_str_equal(t.ev.message_id, "m-8");

    test_event_close(&t);
}


static void
test_type_words(void **state)
{
    static const struct {
        const char            *word;
        martech_event_type_t   type;
    } table[] = {
        { "track", TRACK }, { "identify", IDENTIFY }, { "page", PAGE },
        { "screen", SCREEN }, { "group", GROUP }, { "alias", ALIAS },
        { "t", TRACK }, { "i", IDENTIFY }, { "p", PAGE }, { "s", SCREEN },
        { "g", GROUP }, { "a", ALIAS },
        { "", BATCH }, { "batch", BATCH }, { "b", BATCH }, { "x", BATCH },
        { "T", BATCH }, { "Track", BATCH }, { "tracks", BATCH },
        { "trac", BATCH }, { "tr", BATCH }, { "pages", BATCH },
        { "pag\xe9", BATCH },
    };

    size_t           i;
    martech_str_t    word;
    unsigned char   *copy;

    (void) state;

    for (i = 0; i < test_count(table); i++) {
        word.len = strlen(table[i].word);
        copy = test_copy(table[i].word, word.len);
        word.data = copy;

        if (martech_event_type(word) != table[i].type) {
            test_fail("\"%s\": %d", table[i].word, martech_event_type(word));
        }

        free(copy);
    }
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_batch_verdicts),
        cmocka_unit_test(test_batch_refuses),
        cmocka_unit_test(test_batch_name_escaped),
        cmocka_unit_test(test_limit_batch_count),
        cmocka_unit_test(test_limit_batch_merged),
        cmocka_unit_test(test_limit_event_size),
        cmocka_unit_test(test_limit_ids),
        cmocka_unit_test(test_limit_message_id),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_ids_empty_left_out),
        cmocka_unit_test(test_message_id_made),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_time_batch),
        cmocka_unit_test(test_time_batch_sent_at_size),
        cmocka_unit_test(test_received_at_is_ours),
        cmocka_unit_test(test_context_martech),
        cmocka_unit_test(test_context_martech_forged),
        cmocka_unit_test(test_batch_merge),
        cmocka_unit_test(test_batch_merge_integration_named_martech),
        cmocka_unit_test(test_integrations_absent),
        cmocka_unit_test(test_ip_and_user_agent),
        cmocka_unit_test(test_write_key_removed),
        cmocka_unit_test(test_write_key),
        cmocka_unit_test(test_passes_through),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_bound_parts),
        cmocka_unit_test(test_user_agent_cut),
        cmocka_unit_test(test_refusal_has_message_id),
        cmocka_unit_test(test_type_words),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
