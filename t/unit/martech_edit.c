
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Lists of changes, and events that are written with them or without their
 * person.
 */


#include "martech_event_test.h"

/* martech */
#include "martech_edit.h"


#define TRACK  MARTECH_EVENT_TRACK
#define BATCH  MARTECH_EVENT_UNKNOWN

#define TEST_EDITS  16


/* What is done to an event: '-' takes a member away, '=' replaces a value. */
typedef struct {
    char         what;
    const char  *pointer;
    const char  *with;
} test_change_t;


typedef struct {
    martech_event_type_t  type;
    const char           *body;
    test_change_t         changes[5];
    const char           *rest;          /* behind the time stamp; M is our
                                            own object of the context */
} test_row_t;


static const uint64_t  test_random[2] = { 1, 2 };


/* The node of a pointer; one that begins with '!' is of the whole document. */
static uint32_t
test_pointed(const test_event_t *t, const char *pointer)
{
    if (pointer[0] == '!') {
        return martech_json_pointer(&t->doc.tape, 0, pointer + 1);
    }

    return martech_json_pointer(&t->doc.tape, t->ev.node, pointer);
}


static void
test_add(const test_event_t *t, martech_edits_t *edits,
    const test_change_t *change)
{
    uint32_t       node, start, end;
    martech_str_t  text, with;

    node = test_pointed(t, change->pointer);
    assert_int_not_equal(node, MARTECH_JSON_NONE);

    text = martech_json_text(&t->doc.tape, node);

    start = (uint32_t) (text.data - t->doc.tape.text);
    end = start + (uint32_t) text.len;

    with = test_str(change->with ? change->with : "");

    if (change->what == '-') {
        start = t->doc.tape.nodes[node].key - 1;
    }

    martech_edit_add(edits, start, end, with);
}


static void
test_prepare(test_event_t *t)
{
    unsigned          i;
    martech_edits_t  *edits;

    static martech_edit_t   list[TEST_EDITS];
    static martech_edits_t  all;

    const test_row_t *row = t->data;

    edits = &all;
    memset(edits, 0, sizeof(martech_edits_t));

    edits->list = list;
    edits->max = TEST_EDITS;

    for (i = 0; i < test_count(row->changes) && row->changes[i].what; i++) {
        test_add(t, edits, &row->changes[i]);
    }

    martech_edit_sort(edits);
    assert_int_equal(edits->full, 0);

    t->ev.edits = edits;
    martech_event_edited(&t->ev, test_random);
}


/* What is written behind the time stamp, with M for our own object. */
static void
test_rest(const test_event_t *t, char *out, size_t size)
{
    size_t                before;
    uint32_t              node;
    martech_str_t         ours;
    const unsigned char  *from;

    node = martech_json_pointer(&t->canonical.tape, 0, "/timestamp");
    ours = martech_json_text(&t->canonical.tape, node);
    from = ours.data + ours.len;

    node = martech_json_pointer(&t->canonical.tape, 0, "/context/martech");
    ours = martech_json_text(&t->canonical.tape, node);
    before = (size_t) (ours.data - from);

    snprintf(out, size, "%.*sM%.*s", (int) before, (const char *) from,
             (int) (t->canonical.tape.text + t->ev.len - ours.data
                    - ours.len),
             (const char *) ours.data + ours.len);
}


static const test_row_t  test_rows[] = {

    /* members of a run: first, middle, last, all */
    { TRACK, "{\"userId\":\"u\",\"event\":\"e\",\"a\":1,\"b\":2,\"c\":3}",
      { { '-', "/a", NULL } },
      ",\"userId\":\"u\",\"context\":{\"martech\":M},\"event\":\"e\",\"b\":2,"
      "\"c\":3}" },
    { TRACK, "{\"a\":1,\"b\":2,\"userId\":\"u\",\"event\":\"e\"}",
      { { '-', "/a", NULL } },
      ",\"userId\":\"u\",\"context\":{\"martech\":M},\"b\":2,"
      "\"event\":\"e\"}" },
    { TRACK, "{\"a\":1,\"b\":2,\"userId\":\"u\",\"event\":\"e\"}",
      { { '-', "/b", NULL } },
      ",\"userId\":\"u\",\"context\":{\"martech\":M},\"a\":1,"
      "\"event\":\"e\"}" },
    { TRACK, "{\"a\":1 , \"b\":2 ,\"userId\":\"u\",\"event\":\"e\"}",
      { { '-', "/b", NULL }, { '-', "/a", NULL } },
      ",\"userId\":\"u\",\"context\":{\"martech\":M},\"event\":\"e\"}" },
    { TRACK, "{\"userId\":\"u\",\"event\":\"e\",\"a\":1,\"b\":2}",
      { { '-', "/event", NULL }, { '-', "/a", NULL }, { '-', "/b", NULL } },
      ",\"userId\":\"u\",\"context\":{\"martech\":M}}" },

    /* members of an object, with blanks and line breaks */
    { TRACK, "{\"userId\":\"u\",\"event\":\"e\",\"properties\":"
      "{ \"a\" : 1 ,\n \"b\":\"x,\" , \"c\":[1,{\"d\":2}] }}",
      { { '-', "/properties/a", NULL } },
      ",\"userId\":\"u\",\"context\":{\"martech\":M},\"event\":\"e\","
      "\"properties\":{  \"b\":\"x,\" , \"c\":[1,{\"d\":2}] }}" },
    { TRACK, "{\"userId\":\"u\",\"event\":\"e\",\"properties\":"
      "{\"a\":1 ,\n \"b\":\"x,\" , \"c\":[1,{\"d\":2}] }}",
      { { '-', "/properties/b", NULL } },
      ",\"userId\":\"u\",\"context\":{\"martech\":M},\"event\":\"e\","
      "\"properties\":{\"a\":1 , \"c\":[1,{\"d\":2}] }}" },
    { TRACK, "{\"userId\":\"u\",\"event\":\"e\",\"properties\":"
      "{\"a\":1 , \"b\":\"x,\" , \"c\":[1,{\"d\":2}] }}",
      { { '-', "/properties/b", NULL }, { '-', "/properties/c", NULL } },
      ",\"userId\":\"u\",\"context\":{\"martech\":M},\"event\":\"e\","
      "\"properties\":{\"a\":1 }}" },
    { TRACK, "{\"userId\":\"u\",\"event\":\"e\",\"properties\":"
      "{\"a\":1 , \"b\":\"x,\" , \"c\":[1,{\"d\":2}] }}",
      { { '-', "/properties/b", NULL }, { '-', "/properties/c", NULL },
        { '-', "/properties/a", NULL } },
      ",\"userId\":\"u\",\"context\":{\"martech\":M},\"event\":\"e\","
      "\"properties\":{}}" },
    { TRACK, "{\"userId\":\"u\",\"event\":\"e\",\"properties\":"
      "{\"c\":[1,{\"d\":2}],\"z\":\",\"}}",
      { { '-', "/properties/c/1/d", NULL }, { '=', "/properties/c/0", "null" },
        { '-', "/properties/z", NULL } },
      ",\"userId\":\"u\",\"context\":{\"martech\":M},\"event\":\"e\","
      "\"properties\":{\"c\":[null,{}]}}" },

    /* values, an inner one within an outer one, a renamed event */
    { TRACK, "{\"userId\":\"u\",\"event\":\"order_completed\",\"properties\":"
      "{\"a\":{\"b\":\"secret\"},\"d\":7}}",
      { { '=', "/properties/a/b", "\"***\"" },
        { '=', "/properties/a", "\"*\"" },
        { '=', "/event", "\"Order Completed\"" } },
      ",\"userId\":\"u\",\"context\":{\"martech\":M},"
      "\"event\":\"Order Completed\",\"properties\":{\"a\":\"*\",\"d\":7}}" },

    /* the ids that we write ourselves */
    { TRACK, "{\"userId\":\"u\",\"anonymousId\":\"a\",\"event\":\"e\"}",
      { { '-', "/userId", NULL }, { '=', "/anonymousId", "\"h\"" } },
      ",\"anonymousId\":\"h\",\"context\":{\"martech\":M},\"event\":\"e\"}" },
    { TRACK, "{\"userId\":\"u\",\"sentAt\":\"x@y\",\"timestamp\":\"p@q\","
      "\"event\":\"e\"}",
      { { '-', "/sentAt", NULL }, { '=', "/timestamp", "\"***\"" } },
      ",\"originalTimestamp\":\"***\",\"userId\":\"u\","
      "\"context\":{\"martech\":M},\"event\":\"e\"}" },

    /* the context: some, all, as a whole; of a batch */
    { TRACK, "{\"userId\":\"u\",\"event\":\"e\",\"context\":"
      "{\"ip\":\"1.2.3.4\",\"page\":{\"url\":\"u\"},\"martech\":1,"
      "\"x\":2}}",
      { { '-', "/context/ip", NULL }, { '-', "/context/x", NULL } },
      ",\"userId\":\"u\",\"context\":{\"page\":{\"url\":\"u\"},"
      "\"martech\":M},\"event\":\"e\"}" },
    { TRACK, "{\"userId\":\"u\",\"event\":\"e\",\"context\":"
      "{\"ip\":\"1.2.3.4\",\"x\":2}}",
      { { '-', "/context/ip", NULL }, { '-', "/context/x", NULL } },
      ",\"userId\":\"u\",\"context\":{\"martech\":M},\"event\":\"e\"}" },
    { TRACK, "{\"userId\":\"u\",\"event\":\"e\",\"context\":"
      "{\"ip\":\"1.2.3.4\",\"x\":2}}",
      { { '-', "/context", NULL } },
      ",\"userId\":\"u\",\"context\":{\"martech\":M},\"event\":\"e\"}" },
    { TRACK, "{\"userId\":\"u\",\"event\":\"e\",\"context\":"
      "{\"ip\":\"1.2.3.4\",\"x\":2}}",
      { { '=', "/context", "\"***\"" } },
      ",\"userId\":\"u\",\"context\":{\"martech\":M},\"event\":\"e\"}" },
    { BATCH, "{\"batch\":[{\"type\":\"page\",\"userId\":\"u\",\"context\":"
      "{\"a\":1,\"b\":2}}],\"context\":{\"a\":8,\"c\":9,\"d\":10},"
      "\"integrations\":{\"x\":1,\"y\":2}}",
      { { '-', "/context/a", NULL }, { '-', "!/context/c", NULL },
        { '-', "!/integrations/y", NULL } },
      ",\"userId\":\"u\",\"context\":{\"b\":2,\"d\":10,\"martech\":M},"
      "\"integrations\":{\"x\":1}}" },
    { BATCH, "{\"batch\":[{\"type\":\"page\",\"userId\":\"u\","
      "\"integrations\":{\"z\":1}}],\"integrations\":{\"x\":1,\"y\":2}}",
      { { '-', "/integrations/z", NULL }, { '-', "!/integrations/y", NULL },
        { '-', "!/integrations/x", NULL } },
      ",\"userId\":\"u\",\"context\":{\"martech\":M},\"integrations\":{}}" },
    { TRACK, "{\"userId\":\"u\",\"event\":\"e\",\"integrations\":{\"a\":1}}",
      { { '-', "/integrations", NULL } },
      ",\"userId\":\"u\",\"context\":{\"martech\":M},\"event\":\"e\"}" },
};


static void
test_written(void **state)
{
    char          rest[2048];
    size_t        i;
    test_event_t  t;

    (void) state;

    for (i = 0; i < test_count(test_rows); i++) {
        test_event_init(&t);

        t.prepare = test_prepare;
        t.data = (void *) &test_rows[i];

        if (test_event_one(&t, test_rows[i].type, test_rows[i].body)
            != MARTECH_OK)
        {
            test_fail("row %zu is refused", i);
        }

        test_rest(&t, rest, sizeof(rest));

        if (strcmp(rest, test_rows[i].rest) != 0) {
            test_fail("row %zu: %s, expected %s", i, rest, test_rows[i].rest);
        }

        test_event_close(&t);
    }
}


/* An address that the event had must not come back from the request. */
static void
test_client(void **state)
{
    char          rest[2048];
    test_event_t  t;

    static const test_row_t  row = {
        TRACK, "", { { '-', "/context/ip", NULL } }, ""
    };

    (void) state;

    test_event_init(&t);

    t.prepare = test_prepare;
    t.data = (void *) &row;
    t.facts.ip = test_str("192.0.2.7");
    t.facts.user_agent = test_str("ua");

    (void) test_event_one(&t, TRACK, "{\"userId\":\"u\",\"event\":\"e\","
                          "\"context\":{\"ip\":\"1.2.3.4\"}}");

    test_rest(&t, rest, sizeof(rest));
    assert_string_equal(rest, ",\"userId\":\"u\",\"context\":"
                        "{\"userAgent\":\"ua\",\"martech\":M},"
                        "\"event\":\"e\"}");
    test_event_close(&t);
}


/* A message id that is changed: a hash is kept, anything else made anew. */
static void
test_message_id(void **state)
{
    size_t         i;
    test_row_t     row;
    test_event_t   t;
    martech_str_t  id;

    static const char *const  withs[] = {
        "\"***\"", "\"0123456789abcdef0123456789abcdef\"",
        "\"0123456789abcdef0123456789abcdeg\"", NULL
    };

    (void) state;

    for (i = 0; i < test_count(withs); i++) {
        test_event_init(&t);
        memset(&row, 0, sizeof(test_row_t));

        row.changes[0].what = withs[i] ? '=' : '-';
        row.changes[0].pointer = "/messageId";
        row.changes[0].with = withs[i];

        t.prepare = test_prepare;
        t.data = &row;

        (void) test_event_one(&t, TRACK, "{\"userId\":\"u\",\"event\":\"e\","
                              "\"messageId\":\"ann@example.org\"}");

        id = martech_json_slice(&t.canonical.tape,
                                martech_json_pointer(&t.canonical.tape, 0,
                                                     "/messageId"));

        assert_int_equal(id.len, (i == 1) ? 32 : MARTECH_UUID_LEN);
        assert_int_equal(t.ev.message_id.len, id.len);
        assert_memory_equal(t.ev.message_id.data, id.data, id.len);
        assert_null(memmem(t.out, t.ev.len, "ann", 3));

        test_event_close(&t);
    }
}


static void
test_extra(test_event_t *t)
{
    t->ev.extra = test_str("\"consent\":{\"granted\":[]}");

    if (t->data) {
        martech_event_anonymize(&t->ev, test_random);
    }
}


static void
test_anonymous(void **state)
{
    char           rest[2048];
    test_event_t   t;
    martech_str_t  ours;

    static const char  body[] =
        "{\"batch\":[{\"type\":\"track\",\"traits\":{\"email\":\"a@b\"},"
        "\"event\":\"e\",\"messageId\":\"m-1\",\"anonymousId\":\"a-1\","
        "\"userId\":\"u-1\",\"groupId\":\"g-1\",\"previousId\":\"p-1\","
        "\"timestamp\":\"2026-11-20T19:35:00.001Z\",\"x\":1}],"
        "\"sentAt\":\"2026-11-20T19:35:30.002Z\","
        "\"integrations\":{\"All\":true}}";

    static const char  twice[] =
        "{\"batch\":[{\"type\":\"track\",\"userId\":\"u\",\"event\":\"e\","
        "\"traits\":{},\"traits\":null}]}";

    (void) state;

    test_event_init(&t);
    t.prepare = test_extra;
    t.data = &t;
    t.facts.ip = test_str("192.0.2.7");
    t.facts.user_agent = test_str("ua-1");
    t.facts.traceparent = test_str("00-4bf92f3577b34da6a3ce929d0e0e4736-"
                                   "00f067aa0ba902b7-01");

    /* of two members "traits" the second is an error, so there is one */

    assert_int_equal(test_event_open(&t, BATCH, twice, strlen(twice)),
                     MARTECH_OK);
    assert_int_equal(test_event_build(&t, 0), MARTECH_FIELD_DUPLICATE);

    assert_int_equal(test_event_open(&t, BATCH, body, strlen(body)),
                     MARTECH_OK);
    assert_int_equal(test_event_build(&t, 0), MARTECH_OK);

    test_rest(&t, rest, sizeof(rest));
    assert_string_equal(rest, ",\"context\":{\"martech\":M},\"event\":\"e\","
                        "\"x\":1}");

    ours = martech_json_text(&t.canonical.tape,
                             martech_json_pointer(&t.canonical.tape, 0,
                                                  "/context/martech"));

    snprintf(rest, sizeof(rest), "%.*s", (int) ours.len,
             (const char *) ours.data);
    assert_string_equal(rest, "{\"v\":1,\"source\":\"web\","
                        "\"dialect\":\"segment\","
                        "\"consent\":{\"granted\":[]}}");

    assert_int_equal(t.ev.message_id.len, MARTECH_UUID_LEN);
    assert_true(t.ev.identity.data == t.ev.message_id.data);

    test_event_close(&t);
}


/* Order, what lies within, what crosses, and the end of the room. */
static void
test_list(void **state)
{
    size_t           i;
    unsigned         k;
    unsigned char    buf[8];
    martech_edit_t   list[64];
    martech_edits_t  edits;

    static const martech_str_t  none = martech_string("");
    static const martech_str_t  stars = martech_string("***");

    (void) state;

    memset(&edits, 0, sizeof(martech_edits_t));
    edits.list = list;
    edits.max = 64;
    edits.buf = buf;
    edits.size = sizeof(buf);

    martech_edit_sort(&edits);
    assert_int_equal(martech_edit_at(&edits, 0), 0);

    martech_edit_add(&edits, 50, 60, stars);
    martech_edit_add(&edits, 10, 20, stars);
    martech_edit_add(&edits, 10, 20, none);
    martech_edit_add(&edits, 12, 14, stars);
    martech_edit_add(&edits, 55, 70, none);
    martech_edit_add(&edits, 20, 21, stars);
    martech_edit_add(&edits, 8, 20, stars);

    martech_edit_sort(&edits);

    assert_int_equal(edits.count, 3);
    assert_int_equal(list[0].start, 8);
    assert_int_equal(list[0].end, 20);
    assert_int_equal(list[1].start, 20);
    assert_int_equal(list[2].start, 50);
    assert_int_equal(list[2].end, 70);

    assert_int_equal(martech_edit_at(&edits, 0), 0);
    assert_int_equal(martech_edit_at(&edits, 19), 0);
    assert_int_equal(martech_edit_at(&edits, 20), 1);
    assert_int_equal(martech_edit_at(&edits, 69), 2);
    assert_int_equal(martech_edit_at(&edits, 70), 3);

    edits.count = 0;

    for (i = 0; i < 64; i++) {
        k = (unsigned) (i * 37 % 64);
        martech_edit_add(&edits, 10 * k, 10 * k + 9, stars);
    }

    assert_int_equal(edits.full, 0);
    martech_edit_sort(&edits);
    assert_int_equal(edits.count, 64);

    for (i = 0; i < 64; i++) {
        assert_int_equal(list[i].start, 10 * i);
    }

    martech_edit_add(&edits, 1, 2, stars);
    assert_int_equal(edits.full, 1);
    assert_int_equal(edits.count, 64);

    edits.full = 0;
    assert_true(martech_edit_room(&edits, 5) == buf);
    assert_true(martech_edit_room(&edits, 3) == buf + 5);
    assert_int_equal(edits.full, 0);
    assert_null(martech_edit_room(&edits, 1));
    assert_int_equal(edits.full, 1);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_written),
        cmocka_unit_test(test_client),
        cmocka_unit_test(test_message_id),
        cmocka_unit_test(test_anonymous),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
