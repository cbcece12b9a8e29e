
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_campaign: what a URL brings into context.campaign,
 * beside what the sender gave, under the rules of privacy, and through a
 * cookie.
 */


#include "martech_event_test.h"

/* martech */
#include "martech_campaign.h"


typedef struct {
    const char  *body;                   /* of a page event; ' stands for " */
    const char  *campaign;               /* as stored, or "" */
} test_pair_t;


#define PAGE(context)  "{'userId':'u','context':" context "}"
#define URL(url)       PAGE("{'page':{'url':'" url "'}}")


static const test_pair_t  test_pairs[] = {

    /* names */
    { URL("https://a.example/?utm_source=s&utm_medium=m&utm_campaign=c"
          "&utm_term=t&utm_content=o&utm_id=i&utm_source_platform=p"
          "&utm_creative_format=f&utm_marketing_tactic=k"),
      "{'source':'s','medium':'m','name':'c','term':'t','content':'o',"
      "'id':'i','source_platform':'p','creative_format':'f',"
      "'marketing_tactic':'k'}" },
    { URL("https://a.example/?gclid=G&x=1&ScCid=S&mc_eid=person&mtm_kwd=w"
          "&hsa_acc=1"),
      "{'gclid':'G','ScCid':'S','mtm_kwd':'w','hsa_acc':'1'}" },
    { URL("https://a.example/?utm_other=s&UTM_SOURCE=s&xutm_source=s"), "" },
    { URL("https://a.example/?mtm_a%22b=1&pk_-=2"), "" },

    /* values */
    { URL("https://a.example/?utm_source=a+b%26c&utm_medium=&utm_term"),
      "{'source':'a b&c'}" },
    { URL("https://a.example/?utm_source=%22%5C%0A%ff"),
      "{'source':'\\\"\\\\\\n\xef\xbf\xbd'}" },
    { URL("https://a.example/?utm_source=a&utm_source=b"),
      "{'source':'a'}" },
    { URL("https://a.example/?utm_source=a#utm_medium=b"),
      "{'source':'a'}" },
    { URL("https:\\/\\/a.example\\/?utm_source=a\\u0026utm_medium=b"),
      "{'source':'a','medium':'b'}" },

    /* where they are looked for */
    { URL("https://a.example/utm_source=a"), "" },
    { PAGE("{'page':{'url':'https://a.example/','search':'?utm_source=s'}}"),
      "{'source':'s'}" },
    { PAGE("{'page':{'url':'/?utm_source=u','search':'?utm_source=s'}}"),
      "{'source':'u'}" },
    { "{'userId':'u','properties':{'url':'/?utm_source=p'}}",
      "{'source':'p'}" },
    { "{'userId':'u','context':{'page':{'url':'/?utm_source=u'}},"
      "'properties':{'url':'/?utm_source=p'}}", "{'source':'u'}" },
    { PAGE("{'page':{'url':5,'search':null}}"), "" },
    { PAGE("null"), "" },
    { PAGE("{'page':'/?utm_source=a'}"), "" },

    /* the sender's own */
    { PAGE("{'campaign':{'source':'own','x':1},"
           "'page':{'url':'/?utm_source=s&utm_medium=m'}}"),
      "{'medium':'m','source':'own','x':1}" },
    { PAGE("{'campaign':{ },'page':{'url':'/?utm_source=s'}}"),
      "{'source':'s' }" },
    { PAGE("{'campaign':null,'page':{'url':'/?utm_source=s'}}"),
      "{'source':'s'}" },
    { PAGE("{'campaign':'mine','page':{'url':'/?utm_source=s'}}"), "'mine'" },
    { PAGE("{'campaign':{'source':null},'page':{'url':'/?utm_source=s'}}"),
      "{'source':null}" },
};


/* ' becomes " */
static char *
test_quoted(const char *text)
{
    char  *copy, *p;

    copy = strdup(text);
    assert_non_null(copy);

    for (p = copy; *p; p++) {

        if (*p == '\'') {
            *p = '"';
        }
    }

    return copy;
}


typedef struct {
    martech_edit_t            list[64];
    unsigned char             room[65536];
    unsigned char             text[MARTECH_CAMPAIGN_TEXT_MAX];
    martech_edits_t           edits;
    martech_campaign_t        campaign;
    martech_privacy_t        *privacy;
    const char               *cookie;
} test_work_t;


/* What the edge does with an event between its check and its writing. */
static void
test_prepare(test_event_t *t)
{
    martech_str_t             cookie;
    uint64_t                  fresh[2] = { 0, 0 };
    test_work_t              *work;
    martech_privacy_added_t   added;

    work = t->data;

    memset(&work->edits, 0, sizeof(martech_edits_t));
    work->edits.list = work->list;
    work->edits.max = test_count(work->list);
    work->edits.buf = work->room;
    work->edits.size = sizeof(work->room);

    martech_campaign_init(&work->campaign, 1);

    if (work->privacy) {
        martech_privacy_edit(work->privacy, &t->ev, NULL, 0, &work->edits);
    }

    if (martech_campaign_event(&work->campaign, &t->ev, work->privacy) == 0
        && work->cookie && !martech_campaign_given(&t->ev))
    {
        cookie.data = (const unsigned char *) work->cookie;
        cookie.len = strlen(work->cookie);

        (void) martech_campaign_query(&work->campaign, cookie, work->privacy);
        work->campaign.stored = 1;
    }

    added.visitor = t->ev.visitor;
    added.campaign.data = work->text;
    added.campaign.len = martech_campaign_write(&work->campaign, &t->ev,
                                                work->text);

    if (work->privacy) {
        martech_privacy_added(work->privacy, &t->ev, NULL, 0, &added,
                              &work->edits);
        t->ev.visitor = added.visitor;
    }

    martech_campaign_put(&t->ev, &work->edits, added.campaign);
    assert_int_equal(work->edits.full, 0);

    martech_edit_sort(&work->edits);
    t->ev.edits = &work->edits;
    martech_event_edited(&t->ev, fresh);
}


/* context.campaign (or another member) of a page as it is stored, or "". */
static char *
test_stored(test_work_t *work, const char *body, const char *pointer,
    const char *visitor)
{
    char          *quoted, *text;
    uint32_t       node;
    martech_str_t  s;
    test_event_t   t;

    quoted = test_quoted(body);

    test_event_init(&t);
    t.prepare = test_prepare;
    t.data = work;
    t.facts.visitor.data = (const unsigned char *) visitor;
    t.facts.visitor.len = strlen(visitor);

    assert_int_equal(test_event_open(&t, MARTECH_EVENT_PAGE, quoted,
                                     strlen(quoted)), MARTECH_OK);
    assert_int_equal(test_event_build(&t, 0), MARTECH_OK);

    node = martech_json_pointer(&t.canonical.tape, 0, pointer);
    s.len = 0;
    s.data = t.out;

    if (node != MARTECH_JSON_NONE) {
        s = martech_json_text(&t.canonical.tape, node);
    }

    text = strndup((const char *) s.data, s.len);
    assert_non_null(text);

    test_event_close(&t);
    free(quoted);

    return text;
}


static void
test_equal(test_work_t *work, const char *body, const char *pointer,
    const char *visitor, const char *want)
{
    char  *got, *expected;

    got = test_stored(work, body, pointer, visitor);
    expected = test_quoted(want);

    if (strcmp(got, expected) != 0) {
        test_fail("%s: got %s, want %s", body, got, expected);
    }

    free(got);
    free(expected);
}


static test_work_t *
test_work(void)
{
    test_work_t  *work;

    work = test_alloc(sizeof(test_work_t));

    work->privacy = NULL;
    work->cookie = NULL;

    return work;
}


static void
test_events(void **state)
{
    size_t        i;
    test_work_t  *work;

    (void) state;

    work = test_work();

    for (i = 0; i < test_count(test_pairs); i++) {
        test_equal(work, test_pairs[i].body, "/context/campaign", "",
                   test_pairs[i].campaign);
    }

    free(work);
}


static void
test_cookies(void **state)
{
    test_work_t  *work;

    (void) state;

    work = test_work();
    work->cookie = "utm_source=old&gclid=G%201";

    test_equal(work, PAGE("{}"), "/context/campaign", "",
               "{'source':'old','gclid':'G 1','stored':true}");
    test_equal(work, URL("/?utm_source=new"), "/context/campaign", "",
               "{'source':'new'}");
    test_equal(work, PAGE("{'campaign':{'name':'own'}}"),
               "/context/campaign", "", "{'name':'own'}");
    test_equal(work, PAGE("{'campaign':{}}"), "/context/campaign", "",
               "{'source':'old','gclid':'G 1','stored':true}");

    work->cookie = "\"rubbish; x";
    test_equal(work, PAGE("{}"), "/context/campaign", "", "");

    free(work);
}


/* What is added passes the rules as if it had been sent. */
static void
test_privacy(void **state)
{
    char          error[MARTECH_PRIVACY_ERROR_SIZE];
    test_work_t  *work;

    static const martech_str_t  email = martech_string("email");
    static const martech_str_t  gclid = martech_string("gclid");
    static const martech_str_t  term = martech_string("/context/campaign/term");
    static const martech_str_t  medium = martech_string("medium");
    static const martech_str_t  id = martech_string("/anonymousId");
    static const martech_str_t  key = martech_string("0123456789abcdef");

    (void) state;

    work = test_work();
    work->privacy = martech_privacy_create();
    assert_non_null(work->privacy);

    assert_null(martech_privacy_pattern(work->privacy, email,
                                        MARTECH_REDACT_MASK, error));
    assert_null(martech_privacy_scrub(work->privacy, gclid, error));
    assert_null(martech_privacy_pointer(work->privacy, term,
                                        MARTECH_REDACT_DROP, error));
    assert_null(martech_privacy_name(work->privacy, medium, 0,
                                     MARTECH_REDACT_MASK, error));

    /* a scrubbed parameter, a URL's address, a pointer, a name */

    test_equal(work, URL("/?utm_source=s&gclid=G&utm_content=a%40b.example"),
               "/context/campaign", "", "{'source':'s'}");
    test_equal(work, URL("/?utm_term=t&utm_medium=m"), "/context/campaign", "",
               "{'medium':'***'}");
    test_equal(work, URL("/?utm_term=t"), "/context/campaign", "", "");
    test_equal(work, PAGE("{'campaign':{'term':'t'},"
                          "'page':{'url':'/?utm_source=s'}}"),
               "/context/campaign", "", "{'source':'s'}");

    test_equal(work, PAGE("{}"), "/anonymousId", "id", "'id'");

    assert_null(martech_privacy_key(work->privacy, key, error));
    assert_null(martech_privacy_pointer(work->privacy, id,
                                        MARTECH_REDACT_HASH, error));

    /* HMAC-SHA256 of "id" with this key, by Python */

    test_equal(work, PAGE("{}"), "/anonymousId", "id",
               "'15ab896bf637e42307084fa3d78be110'");

    assert_null(martech_privacy_pointer(work->privacy, id,
                                        MARTECH_REDACT_DROP, error));
    test_equal(work, PAGE("{}"), "/anonymousId", "id", "");

    martech_privacy_free(work->privacy);
    free(work);
}


/* No value beyond its limit, no more of them, no more bytes. */
static void
test_limits(void **state)
{
    size_t               n;
    unsigned             i;
    char                *query, *p;
    unsigned char       *out;
    martech_str_t        text;
    martech_campaign_t   c;

    (void) state;

    query = test_alloc(65536);
    out = test_alloc(MARTECH_CAMPAIGN_COOKIE_MAX);

    for (n = 511; n <= 514; n++) {
        p = query + sprintf(query, "utm_source=");
        memset(p, 'x', n);
        text.data = (unsigned char *) query;
        text.len = (size_t) (p - query) + n;

        martech_campaign_init(&c, 1);
        assert_int_equal(martech_campaign_query(&c, text, NULL), n <= 512);
    }

    for (p = query, i = 0; i < 40; i++) {
        p += sprintf(p, "pk_%u=v&", i);
    }

    text.len = (size_t) (p - query);
    martech_campaign_init(&c, 1);
    assert_int_equal(martech_campaign_query(&c, text, NULL),
                     MARTECH_CAMPAIGN_PARAMS);

    for (p = query, i = 0; i < 10; i++) {
        p += sprintf(p, "pk_%u=", i);
        memset(p, '/', 500);
        p += 500;
        *p++ = '&';
    }

    text.len = (size_t) (p - query);
    martech_campaign_init(&c, 1);
    assert_int_equal(martech_campaign_query(&c, text, NULL), 4);

    /* three bytes each in a cookie */

    n = martech_campaign_cookie(&c, out);
    assert_in_range(n, 1500, MARTECH_CAMPAIGN_COOKIE_MAX);

    martech_campaign_init(&c, 1);
    text.data = out;
    text.len = n;
    assert_int_equal(martech_campaign_query(&c, text, NULL), 2);

    free(query);
    free(out);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_privacy),
        cmocka_unit_test(test_limits),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
