
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Anonymous events: whatever a person left in an event, in any spelling and
 * place, is in nothing that is written of it.
 */


#include "martech_event_test.h"

/* martech */
#include "martech_privacy.h"


#define TEST_EVENTS  200
#define TEST_EDITS   512
#define TEST_ROOM    131072


typedef struct {
    uint64_t  random;
    size_t    len;
    char      text[32768];
    char      id[4][40];               /* anonymousId, userId, groupId, e-mail
                                          without its "@" */
    char      email[80];
    char      name[40];
    char      phone[24];
    char      ip[24];
    char      agent[120];
} test_person_t;


static unsigned
test_random(test_person_t *p, unsigned below)
{
    p->random ^= p->random << 13;
    p->random ^= p->random >> 7;
    p->random ^= p->random << 17;

    return (unsigned) ((p->random >> 20) % below);
}


static void
test_person(test_person_t *p, unsigned number)
{
    p->random = 0x9e3779b97f4a7c15ULL * (number + 1);
    p->len = 0;

    snprintf(p->id[0], sizeof(p->id[0]), "anon-%08x-%04x",
             test_random(p, UINT32_MAX), number);
    snprintf(p->id[1], sizeof(p->id[1]), "user%u", 100000
             + test_random(p, 900000));
    snprintf(p->id[2], sizeof(p->id[2]), "grp%u", 10000
             + test_random(p, 90000));
    snprintf(p->email, sizeof(p->email), "zq%u.person@mail%u.example",
             test_random(p, 10000), number);
    snprintf(p->name, sizeof(p->name), "Qarla%c Xumbert%u",
             'a' + test_random(p, 26), test_random(p, 100));
    snprintf(p->phone, sizeof(p->phone), "+49 176 %08u",
             10000000 + test_random(p, 80000000));
    snprintf(p->ip, sizeof(p->ip), "198.51.100.%u", test_random(p, 256));
    snprintf(p->agent, sizeof(p->agent), "Mozilla/5.0 (Zebra; build %u) "
             "Quux/9.%u", test_random(p, 100000), number);
}


/* A text in one of the spellings a sender may choose. */

static void
test_spell(test_person_t *p, const char *text, char *out)
{
    unsigned  how;

    static const char  hex[] = "0123456789abcdef";

    how = test_random(p, 5);

    for ( /* void */ ; *text; text++) {

        if (how == 1 || (how == 2 && strchr("@+ .", *text))) {
            *out++ = '%';
            *out++ = hex[(unsigned char) *text >> 4];
            *out++ = hex[*text & 15];

        } else if (how == 3) {
            out += sprintf(out, "\\u00%02x", (unsigned) *text);

        } else if (how == 4) {
            out += sprintf(out, "\\\\u00%02x", (unsigned) *text);

        } else {
            *out++ = *text;
        }
    }

    *out = '\0';
}


static const char *
test_secret(test_person_t *p)
{
    switch (test_random(p, 8)) {

    case 0:
        return p->id[0];

    case 1:
        return p->id[1];

    case 2:
        return p->id[2];

    case 3:
        return p->name;

    case 4:
        return p->phone;

    case 5:
        return p->ip;

    case 6:
        return p->agent;

    default:
        return p->email;
    }
}


#define test_add(p, ...)                                                      \
    do {                                                                      \
        (p)->len += (size_t) snprintf((p)->text + (p)->len,                   \
                                      sizeof((p)->text) - (p)->len,           \
                                      __VA_ARGS__);                           \
    } while (0)


/* Members with secrets in values and names; depth bounds the tree. */

static void
test_members(test_person_t *p, unsigned depth)
{
    char      secret[1024];
    unsigned  i, count;

    static const char *const  names[] = {
        "note1", "label", "path", "url", "referrer", "search", "email",
        "variant", "x", "q", "name", "gclid", "title", "listing", "href",
    };

    count = 1 + test_random(p, 5);

    for (i = 0; i < count; i++) {
        test_spell(p, test_secret(p), secret);

        if (i > 0) {
            test_add(p, ",");
        }

        switch (test_random(p, depth ? 8 : 6)) {

        case 0:
            test_add(p, "\"%s\":\"%s\"", names[test_random(p, 15)], secret);
            break;

        case 1:
            test_add(p, "\"%s\":\"https://shop.example/p?utm_source=nl&a=%s"
                     "#%s\"", names[test_random(p, 15)], secret, secret);
            break;

        case 2:
            test_add(p, "\"%s\":\"Hello %s, welcome (%s)\"",
                     names[test_random(p, 15)], secret, secret);
            break;

        case 3:
            test_add(p, "\"k%s\":true", secret);
            break;

        case 4:
            test_add(p, "\"%s\":\"https://shop.example/u/%s/x?utm_term=%s\"",
                     names[test_random(p, 15)], secret, secret);
            break;

        case 5:
            test_add(p, "\"v%u\":[\"%s\",1,{\"l\":\"a %s\"}]", i, secret,
                     secret);
            break;

        default:
            test_add(p, "\"o%u\":{", i);
            test_members(p, depth - 1);
            test_add(p, "}");
        }
    }
}


static void
test_body(test_person_t *p)
{
    test_add(p, "{\"context\":{\"ip\":\"%s\",\"page\":{", p->ip);
    test_members(p, 1);
    test_add(p, "},\"userAgent\":\"%s\",", p->agent);
    test_members(p, 1);
    test_add(p, "},\"integrations\":{");
    test_members(p, 0);
    test_add(p, "},\"batch\":[{\"type\":\"track\",\"event\":\"Order by %s\","
             "\"messageId\":\"m-%s\",\"anonymousId\":\"%s\",\"userId\":"
             "\"%s\",\"groupId\":\"%s\",\"kept\":{",
             p->id[1], p->id[0], p->id[0], p->id[1], p->id[2]);
    test_members(p, 1);
    test_add(p, "},\"traits\":{\"email\":\"%s\",\"phone\":\"%s\",\"name\":"
             "\"%s\"},\"context\":{\"campaign\":{\"source\":\"nl\",\"x\":1},"
             "\"library\":{\"name\":\"a.js\"},\"locale\":\"de\",",
             p->email, p->phone, p->name);
    test_members(p, 2);
    test_add(p, "},\"properties\":{\"plain\":\"stays\",\"products\":[{"
             "\"product_id\":\"sku-1\",\"name\":\"Shoe\",\"price\":9.5}],");
    test_members(p, 3);
    test_add(p, "}}]}");

    assert_true(p->len < sizeof(p->text) - 1);
}


/* All layers of escapes off, in place, until nothing changes. */

static size_t
test_decode(char *text, size_t len)
{
    char    *end;
    size_t   i, n;

    for (i = 0, n = 0; i < len; n++) {

        if (text[i] == '%' && i + 2 < len) {
            char  hex[3] = { text[i + 1], text[i + 2], 0 };
            long  code = strtol(hex, &end, 16);

            if (*end == '\0') {
                text[n] = (char) code;
                i += 3;
                continue;
            }
        }

        if (text[i] == '\\' && i + 5 < len && text[i + 1] == 'u') {
            char  hex[5] = { text[i + 2], text[i + 3], text[i + 4],
                             text[i + 5], 0 };

            text[n] = (char) strtol(hex, NULL, 16);
            i += 6;
            continue;
        }

        if (text[i] == '\\' && i + 1 < len) {
            i++;
        }

        text[n] = text[i++];
    }

    return n;
}


static void
test_absent(const test_event_t *e, const test_person_t *p)
{
    char      *text;
    size_t     i, len;
    unsigned   round;

    const char *const  secrets[] = {
        p->id[0], p->id[1], p->id[2], p->email, p->name, p->phone, p->ip,
        p->agent,
    };

    len = e->ev.len;
    text = (char *) test_copy(e->out, len);

    for (round = 0; round < 4; round++) {

        for (i = 0; i < test_count(secrets); i++) {

            if (memmem(text, len, secrets[i], strlen(secrets[i])) != NULL) {
                test_fail("\"%s\" (round %u) is in %.*s\nof %s", secrets[i],
                          round, (int) e->ev.len, (char *) e->out, p->text);
            }
        }

        len = test_decode(text, len);
    }

    free(text);
}


static void
test_one(unsigned number, int ids_first)
{
    size_t                 room;
    martech_rc_t           rc;
    martech_str_t          ip, agent;
    martech_edits_t        edits;
    martech_privacy_t     *privacy;
    static test_event_t    e;
    static test_person_t   p;
    static martech_edit_t  list[TEST_EDITS];
    static unsigned char   buf[TEST_ROOM];

    room = sizeof(buf);

    test_person(&p, number);
    test_body(&p);
    test_event_init(&e);

    rc = test_event_open(&e, MARTECH_EVENT_UNKNOWN, p.text, p.len);
    assert_int_equal(rc, MARTECH_OK);

    rc = martech_event_check(&e.ev, &e.batch, test_event_node(&e, 0),
                             &e.facts, &e.limits);
    if (rc != MARTECH_OK) {
        test_fail("%s: %s %s", p.text, martech_rc_name(rc), e.ev.field);
    }

    memset(&edits, 0, sizeof(edits));
    edits.list = list;
    edits.max = TEST_EDITS;
    edits.buf = buf;
    edits.size = room;

    privacy = martech_privacy_create();
    ip = test_str(p.ip);
    agent = test_str(p.agent);

    if (ids_first) {
        martech_event_anonymize(&e.ev, e.facts.random);
    }

    martech_privacy_anonymize(privacy, &e.ev, ip, agent, NULL, 0, &edits);

    if (!ids_first) {
        martech_event_anonymize(&e.ev, e.facts.random);
    }

    assert_int_equal(edits.full, 0);

    martech_edit_sort(&edits);
    e.ev.edits = &edits;

    e.bound = martech_event_bound(&e.ev);
    e.out = test_alloc(e.bound);

    (void) martech_event_write(&e.ev, e.out);
    test_event_check(&e, MARTECH_OK);
    test_absent(&e, &p);

    test_event_has(&e, "/event", "\"Order by ***\"");
    test_event_has(&e, "/properties/plain", "\"stays\"");
    test_event_has(&e, "/properties/products", "[{\"product_id\":\"sku-1\","
                   "\"name\":\"Shoe\",\"price\":9.5}]");
    test_event_has(&e, "/context/library", "{\"name\":\"a.js\"}");
    test_event_has(&e, "/context/campaign", "{\"source\":\"nl\"}");
    test_event_has(&e, "/context/locale", "\"de\"");
    test_event_has(&e, "/context/ip", NULL);
    test_event_has(&e, "/kept", NULL);
    test_event_has(&e, "/traits", NULL);

    martech_privacy_free(privacy);
    test_event_close(&e);
}


static void
test_events(void **state)
{
    unsigned  i;

    (void) state;

    for (i = 0; i < TEST_EVENTS; i++) {
        test_one(i, (int) (i & 1));
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_events),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
