
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_wanted and fwd_suppress: each rule, their order, and
 * that no rule is no object.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE                      /* clearenv() */
#endif

#include "fwd_event_test.h"

/* forwarder */
#include "fwd_identity.h"
#include "fwd_wanted.h"


static fwd_pool_t       test_pool;
static fwd_candidate_t  test_candidate;

static const martech_str_t  test_none;


static void
test_conf(fwd_dest_conf_t *conf)
{
    static const fwd_desc_t  desc;

    memset(conf, 0, sizeof(fwd_dest_conf_t));
    conf->name = "hook";
    conf->desc = &desc;
    conf->wanted.enabled = 1;
    conf->wanted.rollout = 10000;
}


static fwd_wanted_t *
test_create(const fwd_dest_conf_t *conf)
{
    fwd_report_t   report;
    fwd_wanted_t  *wanted;

    memset(&report, 0, sizeof(report));
    report.pool = &test_pool;

    assert_int_equal(fwd_wanted_create(&wanted, conf, &report), FWD_OK);

    return wanted;
}


/* Asks about one event of a source. */

static fwd_wanted_answer_t
test_ask_from(const fwd_wanted_t *wanted, const char *source,
    const char *json)
{
    fwd_event_t          *ev;
    fwd_wanted_answer_t   answer;

    ev = test_event_field(source, json, NULL, NULL);
    fwd_identity_set(ev, test_none);
    fwd_candidate_set(&test_candidate, ev, 1795203360123ULL);

    answer = fwd_wanted(wanted, &test_candidate);

    fwd_candidate_free(&test_candidate);
    fwd_event_unref(ev);

    return answer;
}


static fwd_wanted_answer_t
test_ask(const fwd_wanted_t *wanted, const char *json)
{
    return test_ask_from(wanted, "web", json);
}


static void
test_empty(void **state)
{
    fwd_dest_conf_t  conf;

    (void) state;

    test_conf(&conf);
    assert_null(test_create(&conf));
    assert_int_equal(fwd_wanted_needs_person(&conf.wanted), 0);
}


static void
test_simple(void **state)
{
    fwd_wanted_t     *wanted;
    fwd_dest_conf_t   conf;

    static const char  *sources[] = { "web", "app" };
    static const char  *events[] = { "Order *", "!Order Viewed", "page" };

    (void) state;

    test_conf(&conf);
    conf.wanted.sources.list = sources;
    conf.wanted.sources.count = 2;
    conf.wanted.events.list = events;
    conf.wanted.events.count = 3;
    wanted = test_create(&conf);

    assert_int_equal(test_ask(wanted, "{\"type\":\"track\","
                              "\"event\":\"Order Paid\"}"), FWD_WANTED_YES);
    assert_int_equal(test_ask(wanted, "{\"type\":\"track\","
                              "\"event\":\"Order\\u0020Paid\"}"),
                     FWD_WANTED_YES);
    assert_int_equal(test_ask(wanted, "{\"type\":\"track\","
                              "\"event\":\"Order Viewed\"}"),
                     FWD_WANTED_NAME);
    assert_int_equal(test_ask(wanted, "{\"type\":\"page\"}"), FWD_WANTED_YES);
    assert_int_equal(test_ask(wanted, "{\"type\":\"screen\"}"),
                     FWD_WANTED_NAME);
    assert_int_equal(test_ask_from(wanted, "crm", "{\"type\":\"screen\"}"),
                     FWD_WANTED_SOURCE);
    assert_int_equal(test_ask_from(wanted, "app", "{\"type\":\"page\"}"),
                     FWD_WANTED_YES);
    fwd_wanted_destroy(wanted);

    conf.wanted.enabled = 0;
    wanted = test_create(&conf);
    assert_int_equal(test_ask_from(wanted, "crm", "{}"),
                     FWD_WANTED_DISABLED);
    fwd_wanted_destroy(wanted);
}


static void
test_consent(void **state)
{
    size_t            i;
    char              json[256];
    fwd_wanted_t     *wanted;
    fwd_dest_conf_t   conf;

    static const char  *purposes[] = { "advertising", "analytics" };
    static const struct {
        const char           *martech;
        fwd_wanted_answer_t   answer;
    } cases[] = {
        { "{}", FWD_WANTED_YES },
        { "{\"consent\":{}}", FWD_WANTED_CONSENT },
        { "{\"consent\":{\"granted\":[]}}", FWD_WANTED_CONSENT },
        { "{\"consent\":{\"granted\":[\"analytics\"]}}",
          FWD_WANTED_CONSENT },
        { "{\"consent\":{\"granted\":[\"analytics\",\"advertising\"]}}",
          FWD_WANTED_YES },
        { "{\"consent\":{\"granted\":[\"anal\\u0079tics\",\"x\","
          "\"advertising\"]}}", FWD_WANTED_YES },
        { "{\"consent\":{\"granted\":[[\"analytics\",\"advertising\"]]}}",
          FWD_WANTED_CONSENT },
        { "{\"consent\":{\"granted\":\"advertising\"}}",
          FWD_WANTED_CONSENT },
    };

    (void) state;

    test_conf(&conf);
    conf.wanted.consent.list = purposes;
    conf.wanted.consent.count = 2;
    wanted = test_create(&conf);

    for (i = 0; i < test_count(cases); i++) {
        (void) snprintf(json, sizeof(json),
                        "{\"type\":\"page\",\"context\":{\"martech\":%s}}",
                        cases[i].martech);
        assert_int_equal(test_ask(wanted, json), cases[i].answer);
    }

    fwd_wanted_destroy(wanted);
}


/* A quarter of the persons, always the same ones, others elsewhere. */

static void
test_rollout(void **state)
{
    char              json[64];
    unsigned          i, in, both, all;
    fwd_wanted_t     *wanted, *again, *other;
    fwd_dest_conf_t   conf, conf_other;

    (void) state;

    test_conf(&conf);
    conf.wanted.rollout = 2500;
    assert_int_equal(fwd_wanted_needs_person(&conf.wanted), 1);

    conf_other = conf;
    conf_other.name = "other";

    wanted = test_create(&conf);
    other = test_create(&conf_other);
    conf.wanted.rollout = 5000;
    in = 0;
    both = 0;
    all = 4000;

    for (i = 0; i < all; i++) {
        (void) snprintf(json, sizeof(json), "{\"userId\":\"u%u\"}", i);

        conf.wanted.rollout = 2500;

        if (test_ask(wanted, json) != FWD_WANTED_YES) {
            continue;
        }

        in++;
        both += (test_ask(other, json) == FWD_WANTED_YES);

        /* whoever is in stays in when the share grows */

        conf.wanted.rollout = 5000;
        again = test_create(&conf);
        assert_int_equal(test_ask(again, json), FWD_WANTED_YES);
        fwd_wanted_destroy(again);
    }

    assert_in_range(in, all / 4 - 120, all / 4 + 120);
    assert_in_range(both, all / 16 - 80, all / 16 + 80);

    conf.wanted.rollout = 0;
    assert_int_equal(test_ask(wanted, "{\"userId\":\"u\"}"),
                     FWD_WANTED_ROLLOUT);

    fwd_wanted_destroy(wanted);
    fwd_wanted_destroy(other);
}


static void
test_suppress(void **state)
{
    fwd_report_t      report;
    fwd_wanted_t     *wanted;
    fwd_dest_conf_t   conf;

    (void) state;

    test_folder_make();
    test_write("ids", "# who asked\n\n  user-1 \r\ndevice 2\n"
               /* of "user-3" */
               "92303aa084836e18e31fc3165e4301ae"
               "12861ea528645ca98123ba828e2195ed\n"
               "last");

    test_conf(&conf);
    conf.wanted.suppress = test_path("ids");
    wanted = test_create(&conf);

    assert_int_equal(test_ask(wanted, "{\"userId\":\"user-1\"}"),
                     FWD_WANTED_SUPPRESSED);
    assert_int_equal(test_ask(wanted, "{\"userId\":\"x\","
                              "\"anonymousId\":\"device 2\"}"),
                     FWD_WANTED_SUPPRESSED);
    assert_int_equal(test_ask(wanted, "{\"userId\":\"user-3\"}"),
                     FWD_WANTED_SUPPRESSED);
    assert_int_equal(test_ask(wanted, "{\"anonymousId\":\"last\"}"),
                     FWD_WANTED_SUPPRESSED);
    assert_int_equal(test_ask(wanted, "{\"userId\":\"user-2\"}"),
                     FWD_WANTED_YES);
    assert_int_equal(test_ask(wanted, "{}"), FWD_WANTED_YES);
    fwd_wanted_destroy(wanted);

    memset(&report, 0, sizeof(report));
    report.pool = &test_pool;
    conf.wanted.suppress = test_path("nothing");
    assert_int_equal(fwd_wanted_create(&wanted, &conf, &report), FWD_ERROR);
    assert_int_equal(report.count, 1);
    assert_non_null(strstr(report.texts[0], "nothing"));

    test_folder_remove();
}


static void
test_when(void **state)
{
    size_t            i;
    fwd_report_t      report;
    fwd_wanted_t     *wanted;
    fwd_dest_conf_t   conf;

    static const struct {
        const char           *when;
        fwd_wanted_answer_t   answer;
    } cases[] = {
        { ".event.properties.value > 10", FWD_WANTED_YES },
        { ".event.properties.value > 100", FWD_WANTED_WHEN },
        { "empty", FWD_WANTED_WHEN },
        { "1", FWD_WANTED_WHEN },
        { "\"true\"", FWD_WANTED_WHEN },
        { "false, true", FWD_WANTED_WHEN },
        { "true, error(\"late\")", FWD_WANTED_YES },
        { "error(\"now\")", FWD_WANTED_WHEN_ERROR },
        { ".event | keys | length > .x", FWD_WANTED_WHEN_ERROR },
        { ".now == 1795203360.123", FWD_WANTED_YES },
        { ".person | length == 36", FWD_WANTED_YES },
        { "has(\"settings\") | not", FWD_WANTED_YES },
        { "env == {}", FWD_WANTED_YES },
    };

    (void) state;

    assert_int_equal(clearenv(), 0);

    for (i = 0; i < test_count(cases); i++) {
        test_conf(&conf);
        conf.wanted.when = cases[i].when;
        wanted = test_create(&conf);

        assert_int_equal(test_ask(wanted, "{\"userId\":\"u\","
                                  "\"properties\":{\"value\":11}}"),
                         cases[i].answer);
        fwd_wanted_destroy(wanted);
    }

    memset(&report, 0, sizeof(report));
    report.pool = &test_pool;
    conf.wanted.when = "true |";
    assert_int_equal(fwd_wanted_create(&wanted, &conf, &report), FWD_ERROR);
    assert_non_null(strstr(report.texts[0], "destinations.hook.when"));
}


static void
test_high(void **state)
{
    size_t            i;
    fwd_event_t      *ev;
    fwd_wanted_t     *wanted;
    fwd_dest_conf_t   conf;

    static const char  *high[] = { "Order *" };
    static const struct {
        const char           *json;
        int                   without;
        int                   with;
    } cases[] = {
        { "{\"type\":\"track\",\"event\":\"Order Paid\"}", 0, 1 },
        { "{\"type\":\"track\",\"event\":\"Seen\"}", 0, 0 },
        { "{\"type\":\"page\",\"context\":{\"martech\":{"
          "\"priority\":\"high\"}}}", 1, 1 },
        { "{\"type\":\"page\",\"context\":{\"martech\":{"
          "\"priority\":\"low\"}}}", 0, 0 },
    };

    (void) state;

    test_conf(&conf);
    conf.wanted.high.list = high;
    conf.wanted.high.count = 1;
    wanted = test_create(&conf);

    for (i = 0; i < test_count(cases); i++) {
        ev = test_event(cases[i].json);
        fwd_candidate_set(&test_candidate, ev, 0);

        assert_int_equal(fwd_wanted_high(NULL, &test_candidate),
                         cases[i].without);
        assert_int_equal(fwd_wanted_high(wanted, &test_candidate),
                         cases[i].with);
        assert_int_equal(fwd_wanted(wanted, &test_candidate),
                         FWD_WANTED_YES);
        fwd_event_unref(ev);
    }

    fwd_wanted_destroy(wanted);
    test_event_end();
    fwd_pool_free(&test_pool);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_simple),
        cmocka_unit_test(test_consent),
        cmocka_unit_test(test_rollout),
        cmocka_unit_test(test_suppress),
        cmocka_unit_test(test_when),
        cmocka_unit_test(test_high),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
