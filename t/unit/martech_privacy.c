
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_privacy: rules are applied to events, the events
 * are written, and what is written is read again.
 */


#include "martech_event_test.h"

/* martech */
#include "martech_agent.h"
#include "martech_ip.h"
#include "martech_privacy.h"
#include "martech_url.h"


#define TEST_EDITS  256
#define TEST_ROOM   65536

#define TRACK  MARTECH_EVENT_TRACK


typedef struct {
    test_event_t        event;
    martech_privacy_t  *privacy;
    martech_edits_t     edits;
    martech_edit_t      list[TEST_EDITS];
    unsigned char       room[TEST_ROOM];
    char                error[MARTECH_PRIVACY_ERROR_SIZE];
} test_privacy_t;


static void
test_rules(test_privacy_t *t)
{
    memset(&t->event, 0, sizeof(t->event));
    test_event_init(&t->event);

    t->privacy = martech_privacy_create();
    assert_non_null(t->privacy);
}


static void
test_rules_end(test_privacy_t *t)
{
    test_event_close(&t->event);
    martech_privacy_free(t->privacy);
}


static void
test_none(const char *error)
{
    if (error != NULL) {
        test_fail("%s", error);
    }
}


static void
test_edits(test_privacy_t *t)
{
    t->edits.list = t->list;
    t->edits.max = TEST_EDITS;
    t->edits.count = 0;
    t->edits.buf = t->room;
    t->edits.size = TEST_ROOM;
    t->edits.used = 0;
    t->edits.full = 0;
}


/* Writes the event with the edits made so far, and reads it back. */

static void
test_write(test_privacy_t *t)
{
    test_event_t  *e;

    e = &t->event;

    if (t->edits.full) {
        test_fail("no room for the edits");
    }

    martech_edit_sort(&t->edits);
    e->ev.edits = &t->edits;
    martech_event_edited(&e->ev, e->facts.random);

    test_doc_close(&e->canonical);
    free(e->out);

    e->bound = martech_event_bound(&e->ev);
    e->out = test_alloc(e->bound);

    (void) martech_event_write(&e->ev, e->out);
    test_event_check(e, MARTECH_OK);
}


static void
test_check(test_privacy_t *t, martech_event_type_t type, const char *body)
{
    martech_rc_t   rc;
    test_event_t  *e;

    e = &t->event;

    rc = test_event_open(e, type, body, strlen(body));
    assert_int_equal(rc, MARTECH_OK);

    rc = martech_event_check(&e->ev, &e->batch, test_event_node(e, 0),
                             &e->facts, &e->limits);
    if (rc != MARTECH_OK) {
        test_fail("%s: %s", body, martech_rc_name(rc));
    }

    test_edits(t);
}


static void
test_apply(test_privacy_t *t, martech_event_type_t type, const char *body)
{
    test_check(t, type, body);
    martech_privacy_edit(t->privacy, &t->event.ev, NULL, 0, &t->edits);
    test_write(t);
}


static void
test_pointer(test_privacy_t *t, const char *pointer, martech_redact_t how)
{
    test_none(martech_privacy_pointer(t->privacy, test_str(pointer), how,
                                      t->error));
}


static void
test_pointers(void **state)
{
    test_privacy_t  t;

    (void) state;

    test_rules(&t);
    test_pointer(&t, "/properties/email", MARTECH_REDACT_MASK);
    test_pointer(&t, "/properties/items/*/sku", MARTECH_REDACT_DROP);
    test_pointer(&t, "/**/secret", MARTECH_REDACT_DROP);
    test_pointer(&t, "/properties/list/1", MARTECH_REDACT_DROP);
    test_pointer(&t, "/properties/a~1b", MARTECH_REDACT_DROP);
    test_pointer(&t, "/context/page/title", MARTECH_REDACT_DROP);
    test_pointer(&t, "/userId", MARTECH_REDACT_DROP);
    test_pointer(&t, "/first", MARTECH_REDACT_DROP);
    test_pointer(&t, "/last", MARTECH_REDACT_DROP);
    test_pointer(&t, "/properties/all", MARTECH_REDACT_MASK);

    test_apply(&t, TRACK, "{\"first\":1,\"event\":\"e\",\"anonymousId\":\"a\","
               "\"userId\":\"u\",\"properties\":{\"email\":\"x\",\"a/b\":1,"
               "\"items\":[{\"sku\":1,\"n\":2},{\"n\":3,\"sku\":4},"
               "{\"sku\":5}],\"list\":[1,2,3],\"secret\":1,\"k\":2,"
               "\"in\":[{\"secret\":{\"x\":1}}],\"all\":{\"b\":[1]},"
               "\"\\u0065mail\":\"twice\"},"
               "\"context\":{\"page\":{\"title\":\"x\"},\"x\":1,"
               "\"secret\":[]},\"last\":2}");

    test_event_has(&t.event, "/properties",
                   "{\"email\":\"***\",\"items\":[{\"n\":2},{\"n\":3},{}],"
                   "\"list\":[1,null,3],\"k\":2,\"in\":[{}],\"all\":\"***\","
                   "\"\\u0065mail\":\"***\"}");
    test_event_has(&t.event, "/userId", NULL);
    test_event_has(&t.event, "/first", NULL);
    test_event_has(&t.event, "/last", NULL);
    test_event_has(&t.event, "/context/page", "{}");
    test_event_has(&t.event, "/context/x", "1");
    test_event_has(&t.event, "/context/secret", NULL);

    /* of the batch's own context, too */

    test_apply(&t, MARTECH_EVENT_UNKNOWN,
               "{\"context\":{\"secret\":1,\"page\":{\"title\":\"t\","
               "\"z\":0}},\"batch\":[{\"type\":\"track\",\"event\":\"e\","
               "\"anonymousId\":\"a\"}]}");
    test_event_has(&t.event, "/context/secret", NULL);
    test_event_has(&t.event, "/context/page", "{\"z\":0}");

    test_rules_end(&t);
}


static void
test_names(void **state)
{
    test_privacy_t  t;

    (void) state;

    test_rules(&t);
    test_none(martech_privacy_name(t.privacy, test_str("E_Mail"), 0,
                                   MARTECH_REDACT_MASK, t.error));
    test_none(martech_privacy_name(t.privacy, test_str("^pass"), 1,
                                   MARTECH_REDACT_DROP, t.error));
    test_none(martech_privacy_name(t.privacy, test_str("code"), 0,
                                   MARTECH_REDACT_HASH, t.error));
    assert_non_null(martech_privacy_ready(t.privacy));
    test_none(martech_privacy_key(t.privacy, test_str("0123456789abcdef"),
                                  t.error));
    assert_null(martech_privacy_ready(t.privacy));

    test_apply(&t, TRACK, "{\"event\":\"e\",\"anonymousId\":\"a\","
               "\"properties\":{\"e_mail\":5,\"Password\":1,\"x\":{\"E_MAIL\":"
               "[1],\"passphrase\":2},\"code\":\"abc\",\"c\":{\"code\":12,"
               "\"d\":{\"code\":[1]}},\"n\":{\"e_mail\":null,\"code\":\"\"}}}");

    /* HMAC-SHA256 by another program */

    test_event_has(&t.event, "/properties",
                   "{\"e_mail\":\"***\",\"x\":{\"E_MAIL\":\"***\"},"
                   "\"code\":\"bcaa92843247bc258080d2824bddeba4\","
                   "\"c\":{\"code\":\"b89b0f489c11f6c8448450cea2594c6c\","
                   "\"d\":{}},\"n\":{\"e_mail\":null,\"code\":\"\"}}");
    test_rules_end(&t);
}


static void
test_values(void **state)
{
    test_privacy_t  t;

    (void) state;

    test_rules(&t);
    test_none(martech_privacy_pattern(t.privacy, test_str("email"),
                                      MARTECH_REDACT_MASK, t.error));
    test_none(martech_privacy_pattern(t.privacy, test_str("card"),
                                      MARTECH_REDACT_DROP, t.error));
    test_none(martech_privacy_pattern(t.privacy, test_str("phone"),
                                      MARTECH_REDACT_MASK, t.error));
    test_none(martech_privacy_value(t.privacy, test_str("X-[0-9]+"),
                                    MARTECH_REDACT_MASK, t.error));

    test_apply(&t, TRACK, "{\"event\":\"to a@example.com\",\"userId\":"
               "\"anna@example.com\",\"messageId\":\"4111111111111111\","
               "\"properties\":{\"a\":\"x \\\"b\\u0040example.com\\\" y\","
               "\"card\":4111111111111111,\"c\":\"pay 4111 1111 1111 1111\","
               "\"d\":[\"4111111111111111\",1],\"phone\":4917612345678,"
               "\"cart\":4917612345678,\"e\":\"X-12 and X-3\","
               "\"z@example.com\":1,\"f\":\"\\u003a\\n\"}}");

    test_event_has(&t.event, "/event", "\"to ***\"");
    test_event_has(&t.event, "/userId", "\"***\"");
    test_event_has(&t.event, "/messageId", "\"4111111111111111\"");
    test_event_has(&t.event, "/properties",
                   "{\"a\":\"x \\\"***\\\" y\",\"d\":[null,1],"
                   "\"phone\":\"***\",\"cart\":4917612345678,"
                   "\"e\":\"*** and ***\",\"f\":\"\\u003a\\n\"}");
    test_rules_end(&t);

    test_rules(&t);
    test_none(martech_privacy_pattern(t.privacy, test_str("email"),
                                      MARTECH_REDACT_HASH, t.error));
    test_none(martech_privacy_key(t.privacy, test_str("0123456789abcdef"),
                                  t.error));
    test_apply(&t, TRACK, "{\"event\":\"e\",\"userId\":\"Anna@Example.com\","
               "\"properties\":{\"a\":\"<anna@example.com>\"}}");
    test_event_has(&t.event, "/userId",
                   "\"18ad5ee274fd35417922e6d32dbcf89d\"");
    test_event_has(&t.event, "/properties/a",
                   "\"<18ad5ee274fd35417922e6d32dbcf89d>\"");
    test_rules_end(&t);
}


/* Expressions hold for ids and times, too, whatever patterns there are. */

static void
test_values_everywhere(void **state)
{
    test_privacy_t  t;

    (void) state;

    test_rules(&t);
    test_none(martech_privacy_pattern(t.privacy, test_str("card"),
                                      MARTECH_REDACT_MASK, t.error));
    test_none(martech_privacy_value(t.privacy, test_str("user-[0-9]+"),
                                    MARTECH_REDACT_MASK, t.error));

    test_apply(&t, TRACK, "{\"event\":\"e\",\"userId\":\"user-42\","
               "\"messageId\":\"m-user-42-7\",\"originalTimestamp\":"
               "\"user-42\"}");
    test_event_has(&t.event, "/userId", "\"***\"");
    test_event_has(&t.event, "/originalTimestamp", "\"***\"");

    if (memmem(t.event.out, t.event.ev.len, "user-42", 7) != NULL) {
        test_fail("the messageId has the user's id");
    }

    test_rules_end(&t);
}


/* sentAt of a batch is that of its events. */

static void
test_batch_sent_at(void **state)
{
    test_privacy_t  t;

    static const char  body[] =
        "{\"sentAt\":\"2026-01-02T03:04:05.678Z\",\"batch\":[{\"type\":"
        "\"track\",\"event\":\"e\",\"anonymousId\":\"a\"}]}";

    (void) state;

    test_rules(&t);
    test_apply(&t, MARTECH_EVENT_UNKNOWN, body);
    test_event_has(&t.event, "/sentAt", "\"2026-01-02T03:04:05.678Z\"");

    test_pointer(&t, "/sentAt", MARTECH_REDACT_DROP);
    test_apply(&t, MARTECH_EVENT_UNKNOWN, body);
    test_event_has(&t.event, "/sentAt", NULL);
    test_rules_end(&t);
}


static void
test_anonymize(test_privacy_t *t, martech_event_type_t type, const char *body)
{
    test_check(t, type, body);
    martech_privacy_anonymize(t->privacy, &t->event.ev, test_str("192.0.2.7"),
                              test_str(""), NULL, 0, &t->edits);
    martech_event_anonymize(&t->event.ev, t->event.facts.random);
    test_write(t);
}


static void
test_anonymous(void **state)
{
    test_privacy_t  t;

    (void) state;

    test_rules(&t);
    test_anonymize(&t, TRACK,
        "{\"event\":\"e\",\"userId\":\"user-42\",\"name\":\"Ann Lee\","
        "\"context\":{\"externalIds\":[{\"id\":\"ext-777\",\"type\":\"x\"}]},"
        "\"properties\":{\"Name\":\"Ann\",\"NAME\":1,\"_ga_AB12\":\"GS1.1\","
        "\"ajs_anonymous_id\":\"z\",\"my_account_id\":7,\"plain\":5,"
        "\"shop\":\"ext-777/a\",\"size\":\"Really? Yes\","
        "\"products\":[{\"sku\":\"S\",\"Name\":\"Shoe\","
        "\"url\":\"/p?gclid=1&utm_source=a\"}],"
        "\"page\":{\"path\":\"/p?gclid=1#x=2\"},"
        "\"landing\":\"app://open?fbclid=1\",\"qs\":\"gclid=1&a=2\","
        "\"list\":[\"/p?gclid=1\"]}}");

    test_event_has(&t.event, "/name", NULL);
    test_event_has(&t.event, "/properties",
                   "{\"plain\":5,\"shop\":\"***/a\",\"size\":\"Really? Yes\","
                   "\"products\":[{\"sku\":\"S\",\"Name\":\"Shoe\","
                   "\"url\":\"/p?utm_source=a\"}],\"page\":{\"path\":\"/p\"},"
                   "\"landing\":\"app://open\",\"qs\":\"\","
                   "\"list\":[\"/p\"]}");

    test_anonymize(&t, MARTECH_EVENT_PAGE,
                   "{\"userId\":\"user-42\",\"name\":\"Home\"}");
    test_event_has(&t.event, "/name", "\"Home\"");
    test_rules_end(&t);
}


static void
test_client(void **state)
{
    test_privacy_t           t;
    martech_privacy_facts_t  facts;

    (void) state;

    test_rules(&t);
    martech_privacy_ip(t.privacy, MARTECH_REDUCE);
    martech_privacy_agent(t.privacy, MARTECH_REDUCE);

    test_apply(&t, TRACK, "{\"event\":\"e\",\"anonymousId\":\"a\","
               "\"properties\":{\"ip\":\"192.0.2.7\"},\"context\":{"
               "\"ip\":\"192.0.2.7\",\"userAgent\":\"curl/7.88.1\","
               "\"userAgentData\":{\"mobile\":false,\"model\":\"x\"}}}");
    test_event_has(&t.event, "/context/ip", "\"192.0.2.0\"");
    test_event_has(&t.event, "/context/userAgent", "\"curl/7.0.0\"");
    test_event_has(&t.event, "/context/userAgentData", "{\"mobile\":false}");
    test_event_has(&t.event, "/properties/ip", "\"192.0.2.7\"");

    test_apply(&t, TRACK, "{\"event\":\"e\",\"anonymousId\":\"a\","
               "\"context\":{\"ip\":\"nowhere\",\"userAgent\":5}}");
    test_event_has(&t.event, "/context/ip", NULL);
    test_event_has(&t.event, "/context/userAgent", NULL);

    t.event.facts.ip = test_str("2001:db8:1:2::3");
    t.event.facts.user_agent = test_str("(x)");
    martech_privacy_facts(t.privacy, NULL, &t.event.facts, &facts);
    test_str_equal(t.event.facts.ip, "2001:db8:1::");
    test_str_equal(t.event.facts.user_agent, "");

    martech_privacy_ip(t.privacy, MARTECH_REMOVE);
    martech_privacy_facts(t.privacy, NULL, &t.event.facts, &facts);
    test_str_equal(t.event.facts.ip, "");

    test_rules_end(&t);
}


static void
test_ip(void **state)
{
    size_t         i;
    martech_str_t  got;
    unsigned char  out[MARTECH_IP_SIZE];

    static const struct {
        const char  *ip;
        const char  *masked;
    } rows[] = {
        { "192.0.2.7", "192.0.2.0" },
        { "255.255.255.255", "255.255.255.0" },
        { "2001:db8:85a3:8d3:1319:8a2e:370:7348", "2001:db8:85a3::" },
        { "::1", "::" },
        { "::ffff:192.0.2.7", "::ffff:192.0.2.0" },
        { "::ffff:c000:207", "::ffff:192.0.2.0" },
        { "64:ff9b::192.0.2.7", "64:ff9b::c000:200" },
        { "2002:c000:207:1::1", "2002:c000:200::" },
        { "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001::" },
        { "fe80::1", "fe80::" },
        { "192.0.2", "" }, { "192.0.2.7:80", "" }, { "", "" }, { "x", "" },
        { "1.2.3.4.5", "" }, { "fe80::1%eth0", "" }, { "192.0.02.7 ", "" },
    };

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        got.len = martech_ip_mask(test_str(rows[i].ip), out);
        got.data = out;
        test_str_equal(got, rows[i].masked);
    }
}


static void
test_agent(void **state)
{
    size_t         i;
    martech_str_t  got;
    unsigned char  out[MARTECH_AGENT_SIZE];

    static const struct {
        const char  *agent;
        const char  *reduced;
    } rows[] = {
        { "Mozilla/5.0 (Linux; Android 13; SM-G991B Build/TP1A) AppleWebKit/"
          "537.36 (KHTML, like Gecko) Chrome/120.0.6099.109 Mobile "
          "Safari/537.36",
          "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.0 (KHTML, like "
          "Gecko) Chrome/120.0.0.0 Mobile Safari/537.0" },
        { "Mozilla/5.0 (Windows NT 6.1; Win64; x64; rv:121.0) Gecko/20100101 "
          "Firefox/121.0",
          "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Firefox/121.0"
          },
        { "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_2 like Mac OS X) "
          "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1.2 "
          "Mobile/15E148 Safari/604.1",
          "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) "
          "AppleWebKit/605.0.0 (KHTML, like Gecko) Version/17.0.0 Mobile/15 "
          "Safari/604.0" },
        { "Shop/4.2.1 (iPhone14,2; iOS 17.1; user 4711)",
          "Shop/4.0.0 (iOS 17)" },
        { "okhttp/4.9.3", "okhttp/4.0.0" },
        { "App/123456789 deviceid=4711 a\"b\\c/1.0", "" },
        { "x (not closed", "" }, { "", "" },
    };

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        got.len = martech_agent_reduce(test_str(rows[i].agent), out);
        got.data = out;
        test_str_equal(got, rows[i].reduced);
    }
}


static void
test_url(void **state)
{
    long                 n;
    size_t               i, len;
    martech_str_t        got;
    martech_url_rules_t  rules;
    unsigned char       *text, *out;

    static const struct {
        int          query;
        const char  *url;
        const char  *clean;
    } rows[] = {
        { 0, "https://u:p@shop.example/a?utm_source=nl&email=x&b=1#t",
          "https://shop.example/a?utm_source=nl&b=1#t" },
        { 0, "https://shop.example/?e=anna%40example.com",
          "https://shop.example/" },
        { 0, "https://shop.example/?r=%252Fa%253Fx%253Danna%2540example.com&a",
          "https://shop.example/?a" },
        { 0, "https://shop.example/?access_token=1&Token=2&gclid=3",
          "https://shop.example/?gclid=3" },
        { 0, "https://shop.example/#access_token=1&x=2",
          "https://shop.example/#x=2" },
        { 0, "https://shop.example/#/r?code=1", "https://shop.example/#/r" },
        { 0, "/a/b;jsessionid=12/c?%65mail=1", "/a/b/c" },
        { 0, "/u/anna@example.com/x", "/u/***/x" },
        { 0, "https://h/?user%5Bemail%5D=1&f_name=2&x;pass=3;y",
          "https://h/?x;y" },
        { 0, "HTTPS://u@h", "HTTPS://h" },
        { 0, "https://h/?custom=1&click_a=2&click=3", "https://h/?click=3" },
        { 0, "mailto:anna@example.com", "mailto:***" },
        { 0, "https://h/?next=%2Freset%3Ftoken%3D1&b=2", "https://h/?b=2" },
        { 0, "https://h/?next=%252Freset%253Fx%253D1%2526email%253D2&b=2",
          "https://h/?b=2" },
        { 0, "https://h/?next=/reset?Token=1", "https://h/" },
        { 0, "https://h/?next=%2Fcb%23access_token%3D1", "https://h/" },
        { 0, "https://h/?next=%2Fshoes%3Fpage%3D2&f=name%3Dx",
          "https://h/?next=%2Fshoes%3Fpage%3D2&f=name%3Dx" },
        { 0, "https://u:p@[2001:db8::1]:8/a?sid=1&b=%zz",
          "https://[2001:db8::1]:8/a?b=%zz" },
        { 1, "?q=shoes&email=1", "?q=shoes" },
        { 1, "email=1", "" }, { 1, "?email=1", "" }, { 1, "red shoes",
                                                       "red shoes" },
        { 0, "", "" }, { 0, "?", "" }, { 0, "https://", "https://" },
        { 0, "https://h/?a=1&&b=2&", "https://h/?a=1&b=2" },
    };

    (void) state;

    rules.usual = 1;
    rules.campaign = 0;
    rules.count = 2;
    rules.names[0] = test_str("custom");
    rules.names[1] = test_str("click_*");

    for (i = 0; i < test_count(rows); i++) {
        len = strlen(rows[i].url);
        text = test_copy(rows[i].url, len);
        out = test_alloc(len);

        got.data = text;
        got.len = len;

        /* what is left as it is without a look has nothing that goes */

        if (!rows[i].query && martech_url_plain(got)) {
            assert_string_equal(rows[i].url, rows[i].clean);
        }

        n = martech_url_scrub(&rules, rows[i].query, got, out, len);
        assert_true(n >= 0);

        got.data = out;
        got.len = (size_t) n;
        test_str_equal(got, rows[i].clean);

        free(text);
        free(out);
    }

    rules.campaign = 1;
    out = test_alloc(256);
    got = test_str("https://h/p?utm_source=a&gclid=1&utm_term=b%40example.com"
                   "#x");
    got.len = (size_t) martech_url_scrub(&rules, 0, got, out, 256);
    got.data = out;
    test_str_equal(got, "https://h/p?utm_source=a");
    free(out);
}


static void
test_errors(void **state)
{
    size_t          i;
    test_privacy_t  t;

    static const char *const  pointers[] = {
        "", "/", "x", "/a~", "/a~2", "/**", "/a/**",
    };

    (void) state;

    test_rules(&t);

    for (i = 0; i < test_count(pointers); i++) {

        if (martech_privacy_pointer(t.privacy, test_str(pointers[i]),
                                    MARTECH_REDACT_MASK, t.error)
            == NULL)
        {
            test_fail("\"%s\" is taken", pointers[i]);
        }
    }

    assert_non_null(martech_privacy_name(t.privacy, test_str("("), 1,
                                         MARTECH_REDACT_MASK, t.error));
    assert_non_null(martech_privacy_name(t.privacy, test_str(""), 0,
                                         MARTECH_REDACT_MASK, t.error));
    assert_non_null(martech_privacy_value(t.privacy, test_str("["),
                                          MARTECH_REDACT_MASK, t.error));
    assert_non_null(martech_privacy_pattern(t.privacy, test_str("mail"),
                                            MARTECH_REDACT_MASK, t.error));
    assert_non_null(martech_privacy_scrub(t.privacy, test_str("a*b"),
                                          t.error));
    assert_non_null(martech_privacy_scrub(t.privacy, test_str("*"), t.error));
    assert_non_null(martech_privacy_key(t.privacy, test_str("short"),
                                        t.error));
    assert_null(martech_privacy_ready(t.privacy));

    /* too much for the room: the event is not to be stored */

    test_pointer(&t, "/properties/*", MARTECH_REDACT_DROP);
    test_check(&t, TRACK, "{\"event\":\"e\",\"anonymousId\":\"a\","
                          "\"properties\":{\"a\":1,\"b\":2,\"c\":3}}");
    t.edits.max = 2;
    martech_privacy_edit(t.privacy, &t.event.ev, NULL, 0, &t.edits);
    assert_int_equal(t.edits.full, 1);

    test_rules_end(&t);
}


static void
test_personal(void **state)
{
    test_privacy_t  t;
    martech_str_t   personal[3];

    (void) state;

    test_rules(&t);
    martech_privacy_personal(t.privacy, MARTECH_REDACT_MASK);

    personal[0] = test_str("/properties/a~1b");
    personal[1] = test_str("/properties/items/*/name");
    personal[2] = test_str("/context/x");

    test_check(&t, MARTECH_EVENT_UNKNOWN,
               "{\"context\":{\"x\":1,\"y\":2},\"batch\":[{\"type\":\"track\","
               "\"event\":\"e\",\"anonymousId\":\"a\",\"properties\":{"
               "\"a/b\":1,\"items\":[{\"name\":\"n\"}],\"c\":2}}]}");
    martech_privacy_edit(t.privacy, &t.event.ev, personal, 3, &t.edits);
    test_write(&t);

    test_event_has(&t.event, "/properties",
                   "{\"a/b\":\"***\",\"items\":[{\"name\":\"***\"}],\"c\":2}");
    test_event_has(&t.event, "/context/x", "\"***\"");
    test_event_has(&t.event, "/context/y", "2");
    test_rules_end(&t);
}


static void
test_text(void **state)
{
    size_t  n;
    char    out[64];

    static const char  text[] = "/properties/anna@example.com/x";

    (void) state;

    n = martech_privacy_text(text, strlen(text), out, sizeof(out));
    assert_int_equal(n, strlen("/properties/***/x"));
    assert_memory_equal(out, "/properties/***/x", n);

    assert_int_equal(martech_privacy_text(text, strlen(text), out, 5), 5);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_values_everywhere),
        cmocka_unit_test(test_batch_sent_at),
        cmocka_unit_test(test_anonymous),
        cmocka_unit_test(test_client),
        cmocka_unit_test(test_ip),
        cmocka_unit_test(test_agent),
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_personal),
        cmocka_unit_test(test_text),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
