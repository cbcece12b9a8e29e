
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_consent: the decision from several signals, what
 * configuration changes, names, and the written form.
 */


#include "martech_test.h"

/* martech */
#include "martech_consent.h"


#define NECESSARY        MARTECH_PURPOSE_NECESSARY
#define FUNCTIONAL       MARTECH_PURPOSE_FUNCTIONAL
#define ANALYTICS        MARTECH_PURPOSE_ANALYTICS
#define ADVERTISING      MARTECH_PURPOSE_ADVERTISING
#define PERSONALIZATION  MARTECH_PURPOSE_PERSONALIZATION


static const char  test_tc_none[] =
    "CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA";       /* policy 2 */
static const char  test_tc_all[] =
    "CQeEcwAQf7GgAAfKABENB-FoAP_gAAAAAAYgGMwAgF5gMZAAAAAA";  /* policy 5 */


static void
test_add(martech_consent_case_t *c, martech_consent_signal_t signal,
    uint8_t granted, uint8_t denied)
{
    martech_consent_t  consent;

    consent.granted = granted;
    consent.denied = denied;

    martech_consent_add(c, signal, &consent);
}


static int
test_read(martech_consent_signal_t signal, const char *value,
    const martech_consent_rules_t *rules, martech_consent_t *consent)
{
    return martech_consent_read(signal, test_str(value), rules, consent);
}


static void
test_first_speaker_decides(void **state)
{
    martech_consent_case_t  c;

    (void) state;

    martech_consent_begin(&c);
    test_add(&c, MARTECH_CONSENT_GPC, 0, ADVERTISING);
    test_add(&c, MARTECH_CONSENT_TCF, ANALYTICS | ADVERTISING, FUNCTIONAL);
    test_add(&c, MARTECH_CONSENT_LIST, FUNCTIONAL, ANALYTICS);

    assert_int_equal(c.open, PERSONALIZATION);

    martech_consent_end(&c, MARTECH_PURPOSES_ALL);

    assert_int_equal(c.decision.granted,
                     NECESSARY | ANALYTICS | PERSONALIZATION);
    assert_int_equal(c.decision.by[1], MARTECH_CONSENT_TCF);
    assert_int_equal(c.decision.by[2], MARTECH_CONSENT_TCF);
    assert_int_equal(c.decision.by[3], MARTECH_CONSENT_GPC);
    assert_int_equal(c.decision.by[4], MARTECH_CONSENT_DEFAULT);
}


/* What is written carelessly must not turn a denial into consent. */

static void
test_denials_are_not_lost(void **state)
{
    size_t                   i;
    martech_consent_t        consent;
    martech_consent_rules_t  rules;

    static const struct {
        martech_consent_signal_t  signal;
        const char               *value;
        uint8_t                   granted;
        uint8_t                   denied;
    } rows[] = {
        { MARTECH_CONSENT_GPC, "1, 1", 0, ADVERTISING | PERSONALIZATION },
        { MARTECH_CONSENT_GPC, "0,1", 0, ADVERTISING | PERSONALIZATION },
        { MARTECH_CONSENT_GPC, "0, 0", 0, 0 },
        { MARTECH_CONSENT_GPC, "11", 0, 0 },
        { MARTECH_CONSENT_DNT, "1,1", 0, MARTECH_PURPOSES_ALL & ~NECESSARY },
        { MARTECH_CONSENT_LIST, "functional,\t-analytics", FUNCTIONAL,
          ANALYTICS },
        { MARTECH_CONSENT_LIST, "%22-analytics%22", 0, ANALYTICS },
        { MARTECH_CONSENT_LIST, "%22-analytics,functional%22", FUNCTIONAL,
          ANALYTICS },
        { MARTECH_CONSENT_LIST, "- analytics functional", FUNCTIONAL,
          ANALYTICS },
        { MARTECH_CONSENT_LIST, "! analytics", 0, ANALYTICS },
        { MARTECH_CONSENT_LIST, "analytics =denied, functional", FUNCTIONAL,
          ANALYTICS },
        { MARTECH_CONSENT_LIST, "functional analytics = denied", FUNCTIONAL,
          ANALYTICS },
        { MARTECH_CONSENT_LIST, "=x analytics", ANALYTICS, 0 },
    };

    (void) state;

    martech_consent_rules_default(&rules);

    for (i = 0; i < test_count(rows); i++) {
        (void) test_read(rows[i].signal, rows[i].value, &rules, &consent);

        if (consent.granted != rows[i].granted
            || consent.denied != rows[i].denied)
        {
            test_fail("\"%s\": granted %u, denied %u", rows[i].value,
                      consent.granted, consent.denied);
        }
    }
}


static void
test_default_decides_the_rest(void **state)
{
    unsigned                i;
    martech_consent_case_t  c;

    (void) state;

    for (i = 0; i <= MARTECH_PURPOSES_ALL; i++) {
        martech_consent_begin(&c);
        martech_consent_end(&c, (uint8_t) i);
        assert_int_equal(c.decision.granted, i | NECESSARY);

        martech_consent_begin(&c);
        test_add(&c, MARTECH_CONSENT_DNT, 0, MARTECH_PURPOSES_ALL);
        martech_consent_end(&c, (uint8_t) i);
        assert_int_equal(c.decision.granted, NECESSARY);
    }
}


static void
test_denial_counts(void **state)
{
    martech_consent_case_t  c;

    (void) state;

    martech_consent_begin(&c);
    test_add(&c, MARTECH_CONSENT_LIST, ANALYTICS | NECESSARY,
             ANALYTICS | NECESSARY);
    martech_consent_end(&c, 0);

    assert_int_equal(c.decision.granted, NECESSARY);
}


static void
test_write(void **state)
{
    char                    out[MARTECH_CONSENT_TEXT_MAX];
    size_t                  len;
    unsigned                i;
    martech_str_t           text;
    martech_consent_case_t  c;

    (void) state;

    text.data = (unsigned char *) out;

    martech_consent_begin(&c);
    test_add(&c, MARTECH_CONSENT_TCF, ANALYTICS, 0);
    test_add(&c, MARTECH_CONSENT_GPC, 0, ADVERTISING);
    martech_consent_end(&c, 0);

    text.len = martech_consent_write(&c.decision, out);
    test_str_equal(text,
                   "\"consent\":{\"granted\":[\"necessary\",\"analytics\"],"
                   "\"denied\":[\"functional\",\"advertising\","
                   "\"personalization\"],"
                   "\"by\":{\"analytics\":\"tcf\",\"advertising\":\"gpc\"}}");

    martech_consent_begin(&c);
    martech_consent_end(&c, MARTECH_PURPOSES_ALL);

    text.len = martech_consent_write(&c.decision, out);
    test_str_equal(text,
                   "\"consent\":{\"granted\":[\"necessary\",\"functional\","
                   "\"analytics\",\"advertising\",\"personalization\"],"
                   "\"denied\":[],\"by\":{}}");

    /* the longest there is: every signal, every purpose */

    for (i = 0; i < MARTECH_CONSENT_SIGNALS; i++) {
        memset(c.decision.by, (int) i, sizeof(c.decision.by));
        len = martech_consent_write(&c.decision, out);
        assert_true(len <= MARTECH_CONSENT_TEXT_MAX && out[len - 1] == '}');
    }
}


static void
test_names(void **state)
{
    unsigned     i;
    const char  *name;

    (void) state;

    for (i = 0; i < MARTECH_PURPOSES; i++) {
        name = martech_consent_purpose_name(i);
        assert_int_equal(martech_consent_purpose(test_str(name)), 1u << i);
    }

    assert_null(martech_consent_purpose_name(MARTECH_PURPOSES));
    assert_int_equal(martech_consent_purpose(test_str("")), 0);
    assert_int_equal(martech_consent_purpose(test_str("analytic")), 0);
    assert_int_equal(martech_consent_purpose(test_str("Analytics")), 0);

    for (i = 1; i < MARTECH_CONSENT_SIGNALS; i++) {
        name = martech_consent_signal_name((martech_consent_signal_t) i);
        assert_int_equal(martech_consent_signal(test_str(name)), i);
    }

    assert_null(martech_consent_signal_name(MARTECH_CONSENT_SIGNALS));
    assert_int_equal(martech_consent_signal(test_str("default")), 0);
    assert_int_equal(martech_consent_signal(test_str("")), 0);

    assert_int_equal(martech_consent_purposes(test_str("all")),
                     MARTECH_PURPOSES_ALL);
    assert_int_equal(martech_consent_purposes(
                         test_str("analytics, advertising")),
                     ANALYTICS | ADVERTISING);
    assert_int_equal(martech_consent_purposes(test_str("analytics")),
                     ANALYTICS);
    assert_int_equal(martech_consent_purposes(test_str("")), 0);
    assert_int_equal(martech_consent_purposes(test_str("analytics,x")), 0);
    assert_int_equal(martech_consent_purposes(test_str("analytics,")), 0);
    assert_int_equal(martech_consent_purposes(test_str(",analytics")), 0);
    assert_int_equal(martech_consent_purposes(test_str("all,x")), 0);
}


static void
test_rules(void **state)
{
    martech_consent_t        consent;
    martech_consent_rules_t  rules;

    (void) state;

    martech_consent_rules_default(&rules);

    rules.gpc = ANALYTICS;
    rules.dnt = FUNCTIONAL | NECESSARY;

    assert_true(test_read(MARTECH_CONSENT_GPC, "1", &rules, &consent));
    assert_int_equal(consent.denied, ANALYTICS);

    assert_true(test_read(MARTECH_CONSENT_DNT, "1", &rules, &consent));
    assert_int_equal(consent.denied, FUNCTIONAL);

    /* the same for the bit in a GPP section, beside its own fields */

    assert_true(test_read(MARTECH_CONSENT_GPP, "DBABLA~BVQqAAAAAAA.YA",
                          &rules, &consent));
    assert_int_equal(consent.denied, ANALYTICS);

    rules.gpc = 0;
    assert_false(test_read(MARTECH_CONSENT_GPC, "1", &rules, &consent));

    /* an outdated policy says nothing, not even "no" */

    assert_true(test_read(MARTECH_CONSENT_TCF, test_tc_none, &rules,
                          &consent));
    rules.tcf_policy_min = 4;
    assert_false(test_read(MARTECH_CONSENT_TCF, test_tc_none, &rules,
                           &consent));
    assert_int_equal(consent.granted | consent.denied, 0);
    assert_true(test_read(MARTECH_CONSENT_TCF, test_tc_all, &rules,
                          &consent));
    rules.tcf_policy_min = 6;
    assert_false(test_read(MARTECH_CONSENT_TCF, test_tc_all, &rules,
                           &consent));
}


static void
test_categories(void **state)
{
    martech_consent_t                 consent;
    martech_consent_rules_t           rules;
    static const martech_consent_category_t  categories[] = {
        { martech_string("C0005"), NECESSARY },
        { martech_string("C0002"), ANALYTICS | FUNCTIONAL },
        { martech_string("grp 7"), ADVERTISING }
    };

    (void) state;

    martech_consent_rules_default(&rules);

    rules.categories = categories;
    rules.ncategories = test_count(categories);

    /* ours before the usual: C0005 counts for nothing, C0004 as usual */

    assert_true(test_read(MARTECH_CONSENT_ONETRUST,
                          "groups=C0004%3A1%2CC0005%3A0%2CC0002%3A0", &rules,
                          &consent));
    assert_int_equal(consent.granted, ADVERTISING);
    assert_int_equal(consent.denied, ANALYTICS | FUNCTIONAL);

    assert_true(test_read(MARTECH_CONSENT_SEGMENT, "{\"grp 7\":false}",
                          &rules, &consent));
    assert_int_equal(consent.denied, ADVERTISING);

    /* as it is configured, to the letter */

    assert_false(test_read(MARTECH_CONSENT_SEGMENT, "{\"GRP 7\":false}",
                           &rules, &consent));
}


static void
test_size(void **state)
{
    char                     *text;
    unsigned                  i;
    martech_str_t             s;
    martech_consent_t         consent;
    martech_consent_rules_t   rules;

    (void) state;

    martech_consent_rules_default(&rules);

    text = test_alloc(MARTECH_CONSENT_SIGNAL_MAX + 1);
    memset(text, ' ', MARTECH_CONSENT_SIGNAL_MAX + 1);
    memcpy(text, "-all", 4);

    s.data = (unsigned char *) text;
    s.len = MARTECH_CONSENT_SIGNAL_MAX;
    assert_true(martech_consent_read(MARTECH_CONSENT_LIST, s, &rules,
                                     &consent));

    s.len = MARTECH_CONSENT_SIGNAL_MAX + 1;
    assert_false(martech_consent_read(MARTECH_CONSENT_LIST, s, &rules,
                                      &consent));

    /* as large as it may be, each byte the same, by every reader */

    s.len = MARTECH_CONSENT_SIGNAL_MAX;

    for (i = 0; i < 256 * MARTECH_CONSENT_SIGNALS; i++) {
        memset(text, (int) (i & 0xff), s.len);
        (void) martech_consent_read(i >> 8, s, &rules, &consent);
    }

    s.data = NULL;
    s.len = 0;

    for (i = 0; i < MARTECH_CONSENT_SIGNALS; i++) {
        assert_false(martech_consent_read(i, s, &rules, &consent));
    }

    free(text);
}


/* 256 words are read, one more and the whole list says nothing. */

static void
test_words(void **state)
{
    char                     *text, *p;
    size_t                    i, n;
    martech_consent_t         consent;
    martech_consent_rules_t   rules;

    static const struct {
        martech_consent_signal_t  signal;
        const char               *begin;
        const char               *word;
        const char               *end;
    } rows[] = {
        { MARTECH_CONSENT_LIST, "", "-ads,", "" },
        { MARTECH_CONSENT_ONETRUST, "groups=", "C0004:0,", "" },
        { MARTECH_CONSENT_COOKIEBOT, "{", "marketing:false,", "}" },
        { MARTECH_CONSENT_SEGMENT, "{\"x\":0", ",\"ads\":false", "}" },
    };

    (void) state;

    martech_consent_rules_default(&rules);
    text = test_alloc(MARTECH_CONSENT_SIGNAL_MAX + 1);

    for (i = 0; i < test_count(rows); i++) {

        p = stpcpy(text, rows[i].begin);

        for (n = (rows[i].signal == MARTECH_CONSENT_SEGMENT); n < 256; n++) {
            p = stpcpy(p, rows[i].word);
        }

        strcpy(p, rows[i].end);
        assert_true(test_read(rows[i].signal, text, &rules, &consent));
        assert_int_equal(consent.denied, ADVERTISING);

        p = stpcpy(p, rows[i].word);
        strcpy(p, rows[i].end);
        assert_false(test_read(rows[i].signal, text, &rules, &consent));
    }

    free(text);
}


static void
test_event(void **state)
{
    size_t                   i;
    uint32_t                 node;
    test_doc_t               doc;
    martech_consent_t        consent;
    martech_consent_rules_t  rules;

    static const struct {
        const char  *text;
        uint8_t      granted;
        uint8_t      denied;
    } rows[] = {
        { "{\"c\":{\"categoryPreferences\":{\"C0002\":true,"
          "\"C0004\":false},\"version\":2}}", ANALYTICS, ADVERTISING },
        { "{\"c\":{\"categoryPreferences\":{}}}", 0,
          MARTECH_PURPOSES_ALL & ~NECESSARY },
        { "{\"c\":{\"analytics\":false}}", 0, ANALYTICS },
        { "{\"c\":{\"version\":2}}", 0, 0 },
        { "{\"c\":{}}", 0, 0 },
        { "{\"c\":null}", 0, 0 },
        { "{\"c\":\"denied\"}", 0, 0 },
        { "{\"c\":[{\"analytics\":false}]}", 0, 0 },
    };

    (void) state;

    martech_consent_rules_default(&rules);

    for (i = 0; i < test_count(rows); i++) {
        test_doc_open(&doc, rows[i].text);

        node = martech_json_member(&doc.tape, 0, "c", 1);

        assert_int_equal(martech_consent_read_event(&doc.tape, node, &rules,
                                                    &consent),
                         (rows[i].granted | rows[i].denied) != 0);
        assert_int_equal(consent.granted, rows[i].granted);
        assert_int_equal(consent.denied, rows[i].denied);

        test_doc_close(&doc);
    }
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_first_speaker_decides),
        cmocka_unit_test(test_denials_are_not_lost),
        cmocka_unit_test(test_default_decides_the_rest),
        cmocka_unit_test(test_denial_counts),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_categories),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_event),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
