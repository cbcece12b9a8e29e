
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_plan: what can be asked of a plan, what is written
 * into an event, pointers, limits, and hostile plans and events.  Plans and
 * verdicts case by case stand in t/cases/plan.
 */


#include "martech_plan_test.h"


/* A text that is put together piece by piece. */
typedef struct {
    char    *data;
    size_t   used;
    size_t   size;
} test_text_t;


static void
test_add(test_text_t *text, const char *fmt, ...)
{
    int      n;
    va_list  args;

    if (text->size - text->used < 4096) {
        text->size = text->size * 2 + 8192;
        text->data = realloc(text->data, text->size);
        assert_non_null(text->data);
    }

    va_start(args, fmt);
    n = vsnprintf(text->data + text->used, text->size - text->used, fmt, args);
    va_end(args);

    assert_true(n >= 0 && (size_t) n < text->size - text->used);
    text->used += (size_t) n;
}


static void
test_refused(const char *text, const char *pointer, const char *reason)
{
    martech_plan_t        *plan;
    martech_plan_error_t   error;

    plan = test_plan_compile(text, &error);

    assert_null(plan);
    assert_string_equal(error.pointer, pointer);

    if (strstr(error.reason, reason) == NULL) {
        test_fail("%s, not %s", error.reason, reason);
    }
}


static void
test_ask(void **state)
{
    martech_str_t                name;
    martech_plan_t              *plan;
    const martech_plan_entry_t  *entry;

    (void) state;

    plan = test_plan_open("+\"events\":{\"A\":{"
        "\"description\":\"what \\u00e9\","
        "\"owner\":\"me\",\"stage\":\"draft\",\"aliases\":[\"a\",\"b\"],"
        "\"priority\":\"low\",\"personal\":[\"/properties/x\"],"
        "\"retention\":\"13m\",\"violation\":\"reject\","
        "\"unplanned_property\":\"accept\","
        "\"properties\":{\"properties\":{\"x\":{}}}},\"B\":{}},"
        "\"pages\":{\"A\":{},\"*\":{}},\"traits\":{\"group\":{}}");

    test_str_equal(martech_plan_name(plan), "p");
    test_str_equal(martech_plan_version(plan), "1");
    assert_int_equal(martech_plan_entries(plan), 5);

    entry = martech_plan_entry(plan, 0);
    assert_int_equal(entry->type, MARTECH_EVENT_TRACK);
    test_str_equal(entry->name, "A");
    test_str_equal(entry->description, "what \xc3\xa9");
    test_str_equal(entry->owner, "me");
    test_str_equal(entry->stage, "draft");
    test_str_equal(entry->retention, "13m");
    assert_int_equal(entry->priority, MARTECH_PLAN_LOW);
    assert_int_equal(entry->violation, MARTECH_PLAN_REJECT);
    assert_int_equal(entry->unplanned_property, MARTECH_PLAN_ACCEPT);
    assert_int_equal(entry->naliases, 2);
    test_str_equal(entry->aliases[1], "b");
    assert_int_equal(entry->npersonal, 1);
    test_str_equal(entry->personal[0], "/properties/x");
    assert_non_null(entry->schema);
    assert_int_equal(martech_plan_fields(plan, 0), 1);
    test_str_equal(martech_plan_field(plan, 0, 0), "x");

    entry = martech_plan_entry(plan, 1);
    test_str_equal(entry->stage, "live");
    assert_int_equal(entry->priority, MARTECH_PLAN_NORMAL);
    assert_int_equal(entry->violation, MARTECH_PLAN_REPORT);
    assert_int_equal(entry->unplanned_property, MARTECH_PLAN_REPORT);
    assert_null(entry->schema);
    assert_int_equal(martech_plan_fields(plan, 1), 0);

    name = test_str("b");
    assert_int_equal(martech_plan_find(plan, MARTECH_EVENT_TRACK, name), 0);
    name = test_str("B");
    assert_int_equal(martech_plan_find(plan, MARTECH_EVENT_TRACK, name), 1);
    assert_int_equal(martech_plan_find(plan, MARTECH_EVENT_PAGE, name), 3);
    assert_int_equal(martech_plan_find(plan, MARTECH_EVENT_SCREEN, name),
                     -1);
    name = test_str("A");
    assert_int_equal(martech_plan_find(plan, MARTECH_EVENT_PAGE, name), 2);
    name = test_str("");
    assert_int_equal(martech_plan_find(plan, MARTECH_EVENT_GROUP, name), 4);
    assert_int_equal(martech_plan_find(plan, MARTECH_EVENT_IDENTIFY, name),
                     -1);

    martech_plan_free(plan);
    martech_plan_free(NULL);
}


/* printf '{"martech_plan":1,"name":"p","version":"1"}' | sha256sum */

static void
test_fingerprint(void **state)
{
    martech_plan_t  *one, *two;

    (void) state;

    one = test_plan_open("{\"martech_plan\":1,\"name\":\"p\","
                         "\"version\":\"1\"}");
    two = test_plan_open("{\"martech_plan\":1,\"name\":\"p\","
                         "\"version\":\"1\"} ");

    assert_string_equal(martech_plan_fingerprint(one), "f06bd894f8d5caa5");
    assert_string_not_equal(martech_plan_fingerprint(one),
                            martech_plan_fingerprint(two));

    martech_plan_free(one);
    martech_plan_free(two);
}


static void
test_rules(void **state)
{
    unsigned  i;

    (void) state;

    for (i = 0; i < MARTECH_PLAN_RULES; i++) {
        assert_int_equal(martech_plan_rule(martech_plan_rule_name(i)), i);
    }

    assert_string_equal(martech_plan_rule_name(martech_plan_rule("none")),
                        "other");
    assert_string_equal(martech_plan_action_name(MARTECH_PLAN_QUARANTINE),
                        "quarantine");
    assert_string_equal(martech_plan_priority_name(MARTECH_PLAN_HIGH),
                        "high");
}


static size_t
test_clean(const char *text, size_t len, char *out, size_t size)
{
    (void) text;
    (void) len;

    return (size_t) snprintf(out, size, "/***\"");
}


static void
test_write(void **state)
{
    size_t           n;
    test_plan_t     *t;
    martech_plan_t  *plan;

    (void) state;

    t = test_plan_init();
    plan = test_plan_open("+\"events\":{\"A\":{\"priority\":\"high\","
        "\"properties\":{\"properties\":{\"a\":{\"type\":\"string\"}}}}}");

    test_plan_check(t, plan, "{\"type\":\"track\",\"event\":\"A\"}");
    assert_string_equal(t->text, "\"plan\":{\"name\":\"p\",\"version\":\"1\","
        "\"event\":\"1\",\"action\":\"accept\"},\"priority\":\"high\"");

    test_plan_check(t, plan, "{\"type\":\"track\",\"event\":\"A\","
                    "\"properties\":{\"a\":1,\"b\\u0001\":2}}");
    assert_string_equal(t->text, "\"plan\":{\"name\":\"p\",\"version\":\"1\","
        "\"event\":\"1\",\"action\":\"report\",\"violations\":["
        "{\"pointer\":\"/properties/a\",\"rule\":\"type\"},"
        "{\"pointer\":\"/properties/b\\u0001\","
        "\"rule\":\"unplanned_property\"}]},\"priority\":\"high\"");

    n = martech_plan_write(plan, &t->event.ev, &t->verdict, test_clean,
                           t->text, MARTECH_PLAN_TEXT_MAX);
    t->text[n] = '\0';
    assert_non_null(strstr(t->text, "{\"pointer\":\"/***\\\"\",\"rule\":"
                           "\"type\"},{\"pointer\":\"/***\\\"\""));

    test_plan_check(t, plan, "{\"type\":\"page\",\"name\":\"A\"}");
    assert_string_equal(t->text, "\"plan\":{\"name\":\"p\",\"version\":\"1\","
                        "\"action\":\"accept\"}");

    test_plan_close(t);
    martech_plan_free(plan);
}


/* Sixteen names of control characters do not fit: the rest is "more". */

static void
test_write_full(void **state)
{
    int              i, k;
    test_text_t      event;
    test_plan_t     *t;
    martech_plan_t  *plan;

    (void) state;

    memset(&event, 0, sizeof(test_text_t));
    test_add(&event, "{\"type\":\"track\",\"event\":\"A\",\"properties\":{");

    for (i = 0; i < 16; i++) {
        test_add(&event, "%s\"%c", i ? "," : "", 'a' + i);

        for (k = 0; k < 170; k++) {
            test_add(&event, "\\u0001");
        }

        test_add(&event, "\":1");
    }

    test_add(&event, "}}");

    t = test_plan_init();
    t->event.limits.key_size_max = 4096;
    plan = test_plan_open("+\"events\":{\"A\":{\"properties\":"
                          "{\"properties\":{}}}}");

    test_plan_check(t, plan, event.data);

    assert_int_equal(t->verdict.count, 16);
    assert_int_equal(t->verdict.more, 0);
    assert_non_null(strstr(t->text, "}],\"more\":true}"));
    assert_true(strlen(t->text) > MARTECH_PLAN_TEXT_MAX - 2048);

    test_plan_close(t);
    martech_plan_free(plan);
    free(event.data);
}


/* A pointer is cut between two characters, whatever room there is. */

static void
test_pointer_cut(void **state)
{
    char             pointer[64];
    size_t           size, len;
    test_plan_t     *t;
    martech_plan_t  *plan;
    static const char  whole[] = "/properties/\xc3\xa9~1\xe2\x82\xac~0x";

    (void) state;

    t = test_plan_init();
    plan = test_plan_open("+\"events\":{\"A\":{\"properties\":"
                          "{\"properties\":{}}}}");

    test_plan_check(t, plan, "{\"type\":\"track\",\"event\":\"A\","
                    "\"properties\":{\"\\u00e9/\\u20ac~x\":1}}");

    for (size = 1; size < sizeof(pointer); size++) {
        memset(pointer, 0x5a, sizeof(pointer));

        len = martech_plan_pointer(&t->event.ev, &t->verdict.list[0], pointer,
                                   size);

        assert_true(len < size);
        assert_int_equal(strlen(pointer), len);
        assert_memory_equal(pointer, whole, len);
        assert_int_not_equal(whole[len] & 0xc0, 0x80);
        assert_true(len == 0 || whole[len - 1] != '~');
    }

    assert_string_equal(pointer, whole);

    test_plan_close(t);
    martech_plan_free(plan);
}


/* More fields than a word has bits, of which every third is sent. */

static void
test_nulls(void **state)
{
    unsigned         i, sent;
    uint64_t         bits[MARTECH_PLAN_FIELD_WORDS];
    test_text_t      text, event;
    test_plan_t     *t;
    martech_plan_t  *plan;

    (void) state;

    memset(&text, 0, sizeof(test_text_t));
    memset(&event, 0, sizeof(test_text_t));
    test_add(&text, "+\"events\":{\"A\":{\"properties\":{\"properties\":{");
    test_add(&event, "{\"type\":\"track\",\"event\":\"A\",\"properties\":{");

    for (i = 0; i < 200; i++) {
        test_add(&text, "%s\"f%u\":{}", i ? "," : "", i);

        if (i % 3 == 0) {
            test_add(&event, "%s\"f%u\":%s", i ? "," : "", i,
                     i % 2 ? "null" : "0");
        }
    }

    test_add(&text, "}}}}");
    test_add(&event, "}}");

    t = test_plan_init();
    plan = test_plan_open(text.data);
    assert_int_equal(martech_plan_fields(plan, 0), 200);

    test_plan_check(t, plan, event.data);
    assert_int_equal(t->verdict.action, MARTECH_PLAN_ACCEPT);

    memset(bits, 0x5a, sizeof(bits));
    assert_int_equal(martech_plan_nulls(plan, &t->work, &t->verdict, bits), 1);

    for (i = 0; i < 256; i++) {
        sent = (i >= 200 || i % 6 == 0);
        assert_int_equal(bits[i / 64] >> (i % 64) & 1, !sent);
    }

    assert_int_equal(bits[4], 0x5a5a5a5a5a5a5a5a);

    test_plan_close(t);
    martech_plan_free(plan);
    free(text.data);
    free(event.data);
}


/* What the schema reports by itself, and what has to be looked for. */

static void
test_nulls_of(void **state)
{
    size_t           i;
    char             event[256];
    uint64_t         bits[MARTECH_PLAN_FIELD_WORDS];
    test_plan_t     *t;
    martech_plan_t  *plan;

    static const struct {
        const char  *properties;
        const char  *null;               /* fields without a value */
    } cases[] = {
        { "{}", "abcd" },
        { "{\"a\":1,\"b\":2,\"c\":3,\"d\":{}}", "" },
        { "{\"d\":{},\"c\":3,\"b\":2,\"a\":1}", "" },
        { "{\"a\":1,\"b\":null,\"c\":0}", "bd" },
        { "{\"a\":1,\"a\":null}", "bcd" },
        { "{\"a\":null,\"a\":1}", "bcd" },
        { "{\"a\":1,\"\\u0062\":2}", "cd" },
        { "{\"a\":1,\"x\":2,\"c\":null}", "bcd" },
        { "{\"x\":1,\"c\":false}", "abd" },
        { "{\"d\":{\"a\":1,\"b\":2}}", "abc" },
        { "{\"d\":{\"d\":{\"a\":1}},\"b\":2}", "ac" },
        { "{\"a\":\"no number\",\"c\":3}", "bd" },
    };

    (void) state;

    t = test_plan_init();
    plan = test_plan_open("+\"events\":{\"A\":{\"properties\":{"
                          "\"required\":[\"c\"],\"properties\":{"
                          "\"a\":{\"type\":[\"number\",\"null\"]},"
                          "\"b\":{},\"c\":{},\"d\":{\"$ref\":\"#\"}}}}}");

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned  k, null;

        (void) sprintf(event, "{\"type\":\"track\",\"event\":\"A\","
                       "\"properties\":%s}", cases[i].properties);
        test_plan_check(t, plan, event);

        assert_int_equal(martech_plan_nulls(plan, &t->work, &t->verdict,
                                            bits),
                         1);

        for (k = 0; k < 4; k++) {
            null = strchr(cases[i].null,
                          martech_plan_field(plan, 0, k).data[0])
                   != NULL;

            if ((bits[0] >> k & 1) != null) {
                fail_msg("%s: field %u", cases[i].properties, k);
            }
        }
    }

    test_plan_close(t);
    martech_plan_free(plan);
}


static void
test_limits(void **state)
{
    int              i;
    test_text_t      text;
    martech_plan_t  *plan;

    (void) state;

    memset(&text, 0, sizeof(test_text_t));

    /* entries of all tables together */

    test_add(&text, "+\"pages\":{\"*\":{}},\"events\":{\"a\":{}");

    for (i = 0; i < MARTECH_PLAN_EVENTS_MAX - 2; i++) {
        test_add(&text, ",\"e%d\":{}", i);
    }

    test_add(&text, "}");
    plan = test_plan_open(text.data);
    assert_int_equal(martech_plan_entries(plan), MARTECH_PLAN_EVENTS_MAX);
    assert_int_equal(martech_plan_find(plan, MARTECH_EVENT_TRACK,
                                       test_str("e9000")), 9001);
    martech_plan_free(plan);

    text.used--;
    test_add(&text, ",\"z\":{}}");
    test_refused(text.data, "/pages", "10001, more than the 10000");

    /* nesting */

    text.used = 0;
    test_add(&text, "+\"x-a\":");

    for (i = 0; i < MARTECH_PLAN_DEPTH_MAX; i++) {
        test_add(&text, "[");
    }

    test_add(&text, "1");

    for (i = 0; i < MARTECH_PLAN_DEPTH_MAX; i++) {
        test_add(&text, "]");
    }

    test_refused(text.data, "", "nested more deeply than the 64 levels");

    /* aliases, personal fields, definitions */

    text.used = 0;
    test_add(&text, "+\"events\":{\"A\":{\"aliases\":[\"a\"");

    for (i = 0; i < MARTECH_PLAN_ALIASES_MAX; i++) {
        test_add(&text, ",\"a%d\"", i);
    }

    test_add(&text, "]}}");
    test_refused(text.data, "/events/A/aliases", "has 65 elements");

    text.used = 0;
    test_add(&text, "+\"events\":{\"A\":{\"personal\":[\"/a\"");

    for (i = 0; i < MARTECH_PLAN_PERSONAL_MAX; i++) {
        test_add(&text, ",\"/a\"");
    }

    test_add(&text, "]}}");
    test_refused(text.data, "/events/A/personal", "has 257 elements");

    text.used = 0;
    test_add(&text, "+\"definitions\":{\"a\":{}");

    for (i = 0; i < MARTECH_PLAN_DEFINITIONS_MAX; i++) {
        test_add(&text, ",\"a%d\":{}", i);
    }

    test_add(&text, "}");
    test_refused(text.data, "/definitions", "has 1001 definitions");

    free(text.data);
}


static void
test_too_large(void **state)
{
    unsigned char         *text;
    martech_plan_error_t   error;

    (void) state;

    text = test_alloc(MARTECH_PLAN_SIZE_MAX + 1);
    memset(text, ' ', MARTECH_PLAN_SIZE_MAX + 1);

    assert_null(martech_plan_compile(text, MARTECH_PLAN_SIZE_MAX + 1,
                                     &error));
    assert_non_null(strstr(error.reason, "more than the 16777216"));

    assert_null(martech_plan_compile(text, 0, &error));
    assert_non_null(strstr(error.reason, "empty"));

    free(text);
}


/* A version with more properties than have bits is open: none is unplanned. */

static void
test_many_fields(void **state)
{
    int              i;
    test_text_t      text;
    test_plan_t     *t;
    martech_plan_t  *plan;

    (void) state;

    memset(&text, 0, sizeof(test_text_t));
    test_add(&text, "+\"events\":{\"A\":{\"properties\":{\"properties\":{"
             "\"f\":{}");

    for (i = 0; i < MARTECH_PLAN_FIELDS_MAX; i++) {
        test_add(&text, ",\"f%d\":{}", i);
    }

    test_add(&text, "}}}}");

    t = test_plan_init();
    plan = test_plan_open(text.data);

    assert_int_equal(martech_plan_fields(plan, 0), MARTECH_PLAN_FIELDS_MAX);

    test_plan_check(t, plan, "{\"type\":\"track\",\"event\":\"A\","
                    "\"properties\":{\"f1023\":1,\"g\":1}}");
    assert_int_equal(t->verdict.action, MARTECH_PLAN_ACCEPT);

    test_plan_close(t);
    martech_plan_free(plan);
    free(text.data);
}


/*
 * Definitions that refer to each other in a chain, and a schema that refers
 * to itself without end.
 */

static void
test_chains(void **state)
{
    int              i;
    test_text_t      text;
    martech_plan_t  *plan;

    (void) state;

    memset(&text, 0, sizeof(test_text_t));
    test_add(&text, "+\"definitions\":{");

    for (i = 0; i < 200; i++) {
        test_add(&text, "\"d%d\":{\"$ref\":\"#/definitions/d%d\"},", i, i + 1);
    }

    test_add(&text, "\"d200\":{\"properties\":{\"end\":{}}}},\"events\":{"
             "\"A\":{\"properties\":{\"$ref\":\"#/definitions/d0\"}}}");

    plan = test_plan_open(text.data);
    martech_plan_free(plan);
    free(text.data);

    plan = test_plan_open("+\"events\":{\"A\":{\"properties\":{\"properties\":"
                          "{\"a\":{\"$ref\":\"#\"}}}}}");
    assert_int_equal(martech_plan_fields(plan, 0), 1);
    martech_plan_free(plan);
}


/*
 * Events made to cost: many names that no pattern matches, all versions to be
 * tried, escaped names.  That this ends soon is the test.
 */

static void
test_hostile(void **state)
{
    int              i;
    test_text_t      text, event;
    test_plan_t     *t;
    martech_plan_t  *plan;

    (void) state;

    memset(&text, 0, sizeof(test_text_t));
    memset(&event, 0, sizeof(test_text_t));
    test_add(&text, "+\"events\":{\"A\":{\"versions\":{");

    for (i = 0; i < MARTECH_PLAN_VERSIONS_MAX; i++) {
        test_add(&text, "%s\"%d\":{\"patternProperties\":{\"^.*a%d.*b$\":{},"
                 "\"c.*d.*e%d\":{}},\"properties\":{\"z\":{\"uniqueItems\":"
                 "true,\"items\":{\"anyOf\":[{\"type\":\"string\"},{\"const\":"
                 "%d}]}}},\"required\":[\"no\"]}", i ? "," : "", i, i, i, i);
    }

    test_add(&text, "}}}");
    test_add(&event, "{\"type\":\"track\",\"event\":\"A\",\"properties\":{"
             "\"z\":[0");

    for (i = 1; i < 2500; i++) {
        test_add(&event, ",%d", i);
    }

    test_add(&event, "]");

    for (i = 0; i < 1000; i++) {
        test_add(&event, ",\"\\u0061cdcd%d\":0", i);
    }

    test_add(&event, "}}");

    t = test_plan_init();
    plan = test_plan_open(text.data);
    test_plan_check(t, plan, event.data);

    assert_int_equal(t->verdict.action, MARTECH_PLAN_REPORT);
    assert_int_equal(t->verdict.count, MARTECH_PLAN_VIOLATIONS);
    assert_int_equal(t->verdict.more, 1);
    test_str_equal(t->verdict.version, "15");

    test_plan_close(t);
    martech_plan_free(plan);
    free(text.data);
    free(event.data);
}


/*
 * A sender makes names costly, which a plan allows by its last pattern, and
 * puts one behind them that it does not allow.
 */

static void
test_many_names(void **state)
{
    int              i;
    test_text_t      text, event;
    test_plan_t     *t;
    martech_plan_t  *plan;

    (void) state;

    memset(&text, 0, sizeof(test_text_t));
    memset(&event, 0, sizeof(test_text_t));

    test_add(&text, "+\"events\":{\"A\":{\"unplanned_property\":\"reject\","
                    "\"properties\":{\"patternProperties\":{");

    for (i = 0; i < 50; i++) {
        test_add(&text, "\"^n%d_\":{},", i);
    }

    test_add(&text, "\"^m\":{}}}}}");

    test_add(&event, "{\"type\":\"track\",\"event\":\"A\",\"properties\":{");

    for (i = 0; i < 300; i++) {
        test_add(&event, "\"m%d\":0,", i);
    }

    test_add(&event, "\"odd\":0}}");

    t = test_plan_init();
    plan = test_plan_open(text.data);
    test_plan_check(t, plan, event.data);

    assert_int_equal(t->verdict.action, MARTECH_PLAN_REJECT);
    assert_true(t->verdict.count > 0);
    assert_string_equal(t->verdict.list[0].rule, "limit");

    test_plan_close(t);
    martech_plan_free(plan);
    free(text.data);
    free(event.data);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_ask),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_full),
        cmocka_unit_test(test_pointer_cut),
        cmocka_unit_test(test_nulls),
        cmocka_unit_test(test_nulls_of),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_many_fields),
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_many_names)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
