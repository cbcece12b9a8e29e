
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_hook: the vectors that vendors have published, and
 * some made here, verify; with one byte changed anywhere, at another time, or
 * by another secret they do not.
 */


#include "martech_test.h"

/* martech */
#include "martech_hook.h"


#define TEST_HEADERS  6
#define TEST_NOW      1750000000000LL


typedef struct {
    const char  *name;
    const char  *value;
} test_header_t;

typedef struct {
    const char     *scheme;
    const char     *secret;
    const char     *url;
    const char     *type;
    const char     *body;
    test_header_t   headers[TEST_HEADERS];   /* the first: its signature */
    int64_t         ms;                  /* what was signed, 0: no time */
    const char     *method;              /* NULL: POST */
} test_vector_t;

#define DEMO     "{\"id\":\"evt_1\",\"type\":\"demo.created\"}"
#define FORM     "application/x-www-form-urlencoded; charset=utf-8"
#define HUBSPOT  "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
#define MFKQ     "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define STATIC   "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="
#define WEBHOOK  "https://www.example.com/webhook_uri"
#define STAMP    "x-twilio-email-event-webhook-timestamp"
#define TWILIO   "CallSid=CA1234567890ABCDE&Caller=%2B1415867531"


static const test_vector_t  test_vectors[] = {

    /* published */

    { "standard", MFKQ, "", "", "{\"test\": 2432232314}",
      { { "webhook-signature",
          "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" },
        { "webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek" },
        { "webhook-timestamp", "1614265330" } }, 1614265330000, NULL },
    { "svix", MFKQ, "", "", "{\"test\": 2432232314}",
      { { "svix-signature",
          "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" },
        { "svix-id", "msg_p5jXN8AQM9LWM0D4loKWxJek" },
        { "svix-timestamp", "1614265330" } }, 1614265330000, NULL },
    { "svix", MFKQ, "", "", "{\"test\": 2432232314}",
      { { "webhook-signature",
          "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" },
        { "webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek" },
        { "webhook-timestamp", "1614265330" } }, 1614265330000, NULL },
    { "github", "It's a Secret to Everybody", "", "", "Hello, World!",
      { { "x-hub-signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570"
          "b6d7586c22c46f4379c8b043e17" } }, 0, NULL },
    { "github", "It's a Secret to Everybody", "", "", "Hello World!",
      { { "x-hub-signature-256", "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb"
          "3d976c214ace1f2937e133263c9" } }, 0, NULL },
    { "intercom", "It's a Secret to Everybody", "", "", "Hello, World!",
      { { "x-hub-signature",
          "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59" } }, 0, NULL },
    { "slack", "8f742231b10e8888abcd99yyyzzz85a5", "", "",
      "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamno"
      "w&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name="
      "roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2F"
      "hooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZ"
      "RskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce"
      "8b6703c",
      { { "x-slack-signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a1"
          "0bd27519666489c69b503" },
        { "x-slack-request-timestamp", "1531420618" } }, 1531420618000, NULL },
    { "hubspot", HUBSPOT, WEBHOOK, "", "{'example_field':'example_value'}",
      { { "x-hubspot-signature-v3",
          "HPW73RUtKmcYoEDADG0s6MmGFWUzWJKAW07r8RDgcQw=" },
        { "x-hubspot-request-timestamp", "15000000" } }, 15000000, NULL },
    { "hubspot_v1", HUBSPOT, WEBHOOK, "", "{'example_field':'example_value'}",
      { { "x-hubspot-signature", "69fc6631a867edd4f9e9e627fc5c1148e3fbdd8b2183"
          "7b6d2b8901c1fa57f750" } }, 0, NULL },
    { "hubspot_v2", HUBSPOT, WEBHOOK, "", "{'example_field':'example_value'}",
      { { "x-hubspot-signature", "4fe4e3a7d3cf09db53be39d0a58130e2aaba074ec123"
          "a9e355b876a689a1c383" } }, 0, NULL },
    { "hubspot_v2", HUBSPOT, WEBHOOK, "", "",
      { { "x-hubspot-signature", "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbf"
          "a152e91e88823087200e" } }, 0, "GET" },
    { "hubspot_v2", HUBSPOT, WEBHOOK, "",
      "{\"example_field\":\"example_value\"}",
      { { "x-hubspot-signature", "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d"
          "93d0d52efaa512af7900" } }, 0, NULL },
    { "twilio", "12345", "https://example.com/myapp.php?foo=1&bar=2", FORM,
      TWILIO "0&Digits=1234&From=%2B14158675310&To=%2B18005551212",
      { { "x-twilio-signature", "L/OH5YylLD5NRKLltdqwSvS0BnU=" } }, 0, NULL },
    { "twilio", "12345", "https://mycompany.com/myapp.php?foo=1&bar=2", FORM,
      "Digits=1234&To=%2B18005551212&From=%2B14158675309&Caller=%2B14158675309"
      "&CallSid=CA1234567890ABCDE",
      { { "x-twilio-signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=" } }, 0, NULL },
    { "twilio", "12345", "https://mycompany.com:443/myapp.php?foo=1&bar=2",
      FORM,
      "Digits=1234&To=%2B18005551212&From=%2B14158675309&Caller=%2B14158675309"
      "&CallSid=CA1234567890ABCDE",
      { { "x-twilio-signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=" } }, 0, NULL },
    { "sendgrid",
      "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEDr2LjtURuePQzplybdC+u4CwrqDqBaWjcM"
      "MsTbhdbcwHBcepxo7yAQGhHPTnlvFYPAZFceEu/1FwCM/QmGUhA==", "", "",
      "{\"category\":\"example_payload\",\"event\":\"test_event\",\"message_id"
      "\":\"message_id\"}",
      { { "x-twilio-email-event-webhook-signature",
          "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi"
          "6BpSzoQsbVRamr2nlxFDWYNH2j/0=" },
        { STAMP, "1588788367" } }, 1588788367000, NULL },
    { "paddle",
      "pdl_ntfset_01hsdn8d43dt7mezr1ef2jtbaw_hKkRiCGyyRhbFwIUuqiTBgI7gnWoV0Gr",
      "", "",
      "{\"data\":{\"id\":\"pri_01hsdn96k2hxjzsq5yerecdj9j\",\"name\":null,\"st"
      "atus\":\"active\",\"quantity\":{\"maximum\":999999,\"minimum\":1},\"tax"
      "_mode\":\"account_setting\",\"product_id\":\"pro_01hsdn8qp7yydry3x1yeg6"
      "a9rv\",\"unit_price\":{\"amount\":\"1000\",\"currency_code\":\"USD\"},"
      "\"custom_data\":null,\"description\":\"testing\",\"import_meta\":null,"
      "\"trial_period\":null,\"billing_cycle\":{\"interval\":\"month\",\"frequ"
      "ency\":1},\"unit_price_overrides\":[]},\"event_id\":\"evt_01hsdn9756396"
      "8dy0szkmgjwh3\",\"event_type\":\"price.created\",\"occurred_at\":\"2024"
      "-03-20T10:07:35.590857Z\",\"notification_id\":\"ntf_01hsdn977e920kbgzt6"
      "r6c9rqc\"}",
      { { "paddle-signature", "ts=1710929255;h1=6c05ef8fa83c44d751be6d259ec955"
          "ce5638e2c54095bf128e408e2fce1589c8" } }, 1710929255000, NULL },
    { "stripe", "SuperSecret123", "", "", "payload",
      { { "stripe-signature", "t=1591664030,v1=e43496b6aae982c4c2fd6f8e92935f1"
          "d90216f1f64d56024e72390acfb988272" } }, 1591664030000, NULL },
    { "zendesk", STATIC, "", "", "{\"event\":\"ticket.updated\",\"id\":123}",
      { { "x-zendesk-webhook-signature",
          "S/RDdU2ERmj7LHDDoWJ2onPYH+t7/f2+LTM4dL7UiLM=" },
        { "x-zendesk-webhook-signature-timestamp", "2021-03-25T05:09:27Z" } },
      1616648967000, NULL },

    /* made elsewhere of one body */

    { "standard", MFKQ, "", "", DEMO,
      { { "webhook-signature",
          "v1,g2DUIKtj8U0cXSlHudDG00bjRNUGLRU3UG+ovavSNMw=" },
        { "webhook-id", "msg_demo1" },
        { "webhook-timestamp", "1750000000" } }, TEST_NOW, NULL },
    { "standard", "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "", "",
      DEMO,
      { { "webhook-signature", "v1a,uS/W1vDaJ74Y24sgs7kGiPNSaySN/NbhgBacT0Eogf"
          "i3WtgwwCxjFnXjxTCWWyYvmHu8w/tnj3KMpW8vJvW2BA==" },
        { "webhook-id", "msg_demo1" },
        { "webhook-timestamp", "1750000000" } }, TEST_NOW, NULL },
    { "stripe", "whsec_demo_secret", "", "", DEMO,
      { { "stripe-signature", "t=1750000000,v1=072e61714fcbf91fef96bdcf1aad0e2"
          "e9302fad0c50010f072d00903304dea0f" } }, TEST_NOW, NULL },
    { "github", "demo-secret", "", "", DEMO,
      { { "x-hub-signature-256", "sha256=1a452f2f928392ca38685723e6dc990a79ba6"
          "8407da37c39afd75f313892f6d7" } }, 0, NULL },
    { "shopify", "demo-secret", "", "", DEMO,
      { { "x-shopify-hmac-sha256",
          "GkUvL5KDkso4aFcj5tyZCnm6aEB9o3w5r9dfMTiS9tc=" } }, 0, NULL },
    { "woocommerce", "demo-secret", "", "", DEMO,
      { { "x-wc-webhook-signature",
          "GkUvL5KDkso4aFcj5tyZCnm6aEB9o3w5r9dfMTiS9tc=" } }, 0, NULL },
    { "typeform", "demo-secret", "", "", DEMO,
      { { "typeform-signature",
          "sha256=GkUvL5KDkso4aFcj5tyZCnm6aEB9o3w5r9dfMTiS9tc=" } }, 0, NULL },
    { "slack", "demo-secret", "", "", DEMO,
      { { "x-slack-signature", "v0=28598e4504ddc19b21650c1abad44226acb539d78ad"
          "dadabd304fb307234071d" },
        { "x-slack-request-timestamp", "1750000000" } }, TEST_NOW, NULL },
    { "calendly", "demo-secret", "", "", DEMO,
      { { "calendly-webhook-signature", "t=1750000000,v1=f39b455de38ea4b098d79"
          "af8d4c427bed52ad43751798ccdf69a767ba2491ca3" } }, TEST_NOW, NULL },
    { "paddle", "demo-secret", "", "", DEMO,
      { { "paddle-signature", "ts=1750000000;h1=53b34fd31051e7a872bebf5a7d9d00"
          "99c82a85064debe23035b12131f0656b45" } }, TEST_NOW, NULL },
    { "hubspot", "demo-secret", "https://hooks.example/hubspot", "", DEMO,
      { { "x-hubspot-signature-v3",
          "pRmN8f+8jQ2XL6tIyRz1M1iYAseJ6zgsVmoFEqys5jI=" },
        { "x-hubspot-request-timestamp", "1750000000000" } }, TEST_NOW, NULL },
    { "intercom", "demo-secret", "", "", DEMO,
      { { "x-hub-signature",
          "sha1=d00df6c4155edc9c86d962b4edb6dfc7ded44a3d" } }, 0, NULL },
    { "segment", "demo-secret", "", "", DEMO,
      { { "x-signature", "d00df6c4155edc9c86d962b4edb6dfc7ded44a3d" } }, 0,
      NULL },
    { "zendesk", STATIC, "", "", DEMO,
      { { "x-zendesk-webhook-signature",
          "mberr8Wu+Pq5Rrvm8KKf1peMHTa9RfcO1qPVHGGSzZI=" },
        { "x-zendesk-webhook-signature-timestamp", "2025-06-15T15:06:40Z" } },
      TEST_NOW, NULL },
    { "mandrill", "demo-secret", "https://hooks.example/mandrill", FORM,
      "mandrill_events=%5B%7B%22event%22%3A%22open%22%2C%22ts%22%3A1750000000"
      "%7D%5D",
      { { "x-mandrill-signature", "MeORoG5SEz8VVyfoQsEroT0K5EM=" } }, 0,
      NULL },
    { "twilio", "12345",
      "https://hooks.example/twilio?bodySHA256=bae570199e1021938b44b6302d8cc1a"
      "cb45460a06d3bb50d6fb1684cad5d0ed5", "application/json", DEMO,
      { { "x-twilio-signature", "CRYg4M6BhnEzq8EGzRwKFjwQYAQ=" } }, 0, NULL },
};


/* A vector that may be spoiled, with a request made of it. */
typedef struct {
    test_vector_t            vector;
    martech_hook_t           hook;
    martech_hook_request_t   request;
} test_case_t;


static int
test_find(const martech_hook_request_t *request, martech_str_t name,
    martech_str_t *value)
{
    int                   i, found;
    martech_str_t         other;
    const test_header_t  *headers;

    headers = request->data;
    found = 0;

    for (i = 0; i < TEST_HEADERS && headers[i].name; i++) {

        if (strlen(headers[i].name) != name.len
            || memcmp(headers[i].name, name.data, name.len) != 0)
        {
            continue;
        }

        other = test_str(headers[i].value);

        if (found && (other.len != value->len
                      || memcmp(other.data, value->data, other.len) != 0))
        {
            return -1;
        }

        *value = other;
        found = 1;
    }

    return found;
}


static void
test_open(test_case_t *t, const test_vector_t *vector)
{
    const char  *error, *args;

    memset(t, 0, sizeof(*t));

    t->vector = *vector;
    t->hook.scheme = martech_hook_find(test_str(vector->scheme));

    if (t->hook.scheme == NULL) {
        test_fail("no scheme \"%s\"", vector->scheme);
    }

    t->hook.tolerance_ms = t->hook.scheme->tolerance_ms;

    error = martech_hook_secret(&t->hook, test_str(vector->secret));

    if (error) {
        test_fail("%s: %s", vector->scheme, error);
    }

    args = strchr(vector->url, '?');

    t->request.method = test_str(vector->method ? vector->method : "POST");
    t->request.url = test_str(vector->url);
    t->request.args = test_str(args ? args + 1 : "");
    t->request.content_type = test_str(vector->type);
    t->request.body = test_str(vector->body);
    t->request.now_ms = vector->ms ? vector->ms : TEST_NOW;
    t->request.header = test_find;
    t->request.data = t->vector.headers;
}


static martech_hook_rc_t
test_run(test_case_t *t)
{
    void               *body;
    martech_hook_rc_t   rc;

    body = test_alloc(t->request.body.len);
    memcpy(body, t->request.body.data, t->request.body.len);
    t->request.body.data = body;

    t->request.scratch_size = martech_hook_scratch(&t->request);
    t->request.scratch = test_alloc(t->request.scratch_size);

    rc = martech_hook_verify(&t->hook, &t->request);

    free(t->request.scratch);
    free(body);

    return rc;
}


static martech_hook_rc_t
test_close(test_case_t *t)
{
    martech_hook_rc_t  rc;

    rc = test_run(t);
    martech_hook_clear(&t->hook);

    return rc;
}


static void
test_expect(const char *what, const test_vector_t *vector,
    martech_hook_rc_t got, int good)
{
    if ((got == MARTECH_HOOK_OK) != good) {
        test_fail("%s, vector %d: %s gives %d", vector->scheme,
                  (int) (vector - test_vectors), what, (int) got);
    }
}


#define TEST_END  (test_vectors + test_count(test_vectors))


static void
test_good(void **state)
{
    test_case_t           t;
    const test_vector_t  *v;

    (void) state;

    for (v = test_vectors; v < TEST_END; v++) {
        test_open(&t, v);
        test_expect("the vector", v, test_close(&t), 1);
    }
}


static void
test_body(void **state)
{
    char                 *copy;
    size_t                i, len;
    test_case_t           t;
    const test_vector_t  *v;

    (void) state;

    for (v = test_vectors; v < TEST_END; v++) {
        len = strlen(v->body);

        for (i = 0; i < len; i++) {
            copy = test_alloc(len + 1);
            memcpy(copy, v->body, len + 1);
            copy[i] ^= 1;

            /* an empty pair is none, and the order of pairs is free: what is
               signed of a form are its names and values */

            if (v->type[0] == 'a' && (v->body[i] == '&' || v->body[i] == '='
                                      || v->body[i] == '%'))
            {
                free(copy);
                continue;
            }

            test_open(&t, v);
            t.request.body = test_str(copy);
            t.request.body.len = len;
            test_expect("another body", v, test_close(&t), 0);
            free(copy);
        }
    }
}


/* One byte of each header, the signature's included. */

static void
test_headers(void **state)
{
    int                   h;
    char                 *copy;
    size_t                i, len;
    test_case_t           t;
    const test_vector_t  *v;

    (void) state;

    for (v = test_vectors; v < TEST_END; v++) {
        for (h = 0; h < TEST_HEADERS && v->headers[h].name; h++) {
            len = strlen(v->headers[h].value);

            for (i = 0; i < len; i++) {
                copy = test_alloc(len + 1);
                memcpy(copy, v->headers[h].value, len + 1);
                copy[i] ^= 1;

                test_open(&t, v);
                t.vector.headers[h].value = copy;
                test_expect("another header", v, test_close(&t), 0);
                free(copy);
            }
        }
    }
}


static void
test_urls(void **state)
{
    int                   n;
    char                  copy[512];
    size_t                i, len;
    test_case_t           t;
    const test_vector_t  *v;

    (void) state;
    n = 0;

    for (v = test_vectors; v < TEST_END; v++) {
        test_open(&t, v);
        n = martech_hook_signs_url(t.hook.scheme);
        martech_hook_clear(&t.hook);

        len = n ? strlen(v->url) : 0;

        for (i = 0; i < len; i++) {
            memcpy(copy, v->url, len + 1);
            copy[i] ^= 1;

            /* a port may be signed or not */

            if (strcmp(v->scheme, "twilio") == 0 && strstr(v->url, ":443")
                && i >= strlen("https://mycompany.com:")
                && i < strlen("https://mycompany.com:443"))
            {
                continue;
            }

            test_open(&t, v);
            t.request.url = test_str(copy);
            test_expect("another URL", v, test_close(&t), 0);
        }
    }
}


static void
test_times(void **state)
{
    test_case_t           t;
    martech_hook_rc_t     rc;
    const test_vector_t  *v;

    (void) state;

    for (v = test_vectors; v < TEST_END; v++) {
        test_open(&t, v);

        if (v->ms == 0) {
            test_expect("a scheme without time", v, test_close(&t), 1);
            continue;
        }

        t.hook.tolerance_ms = 300000;

        t.request.now_ms = v->ms + 300000;
        test_expect("just in time", v, test_run(&t), 1);

        t.request.body = test_str(v->body);
        t.request.now_ms = v->ms + 300001;
        rc = test_run(&t);
        assert_int_equal(rc, MARTECH_HOOK_OLD);

        t.request.body = test_str(v->body);
        t.request.now_ms = v->ms - 300001;
        rc = test_run(&t);
        assert_int_equal(rc, t.hook.scheme->past ? MARTECH_HOOK_OK
                                                 : MARTECH_HOOK_NEW);

        t.request.body = test_str(v->body);
        t.hook.tolerance_ms = 0;
        t.request.now_ms = 0;
        test_expect("no tolerance", v, test_close(&t), 1);
    }
}


/* The time is nothing to a request that nobody has signed. */

static void
test_time_last(void **state)
{
    test_case_t  t;

    (void) state;

    test_open(&t, &test_vectors[0]);
    t.request.now_ms += 900000;
    t.request.body = test_str("{}");
    assert_int_equal(test_close(&t), MARTECH_HOOK_BAD);
}


static void
test_signatures(void **state)
{
    char                  copy[512];
    size_t                len;
    test_case_t           t;
    const char           *value;
    const test_vector_t  *v;

    (void) state;

    for (v = test_vectors; v < TEST_END; v++) {
        value = v->headers[0].value;
        len = strlen(value);

        memcpy(copy, value, len + 1);
        copy[len - 4] = '\0';

        test_open(&t, v);
        t.vector.headers[0].value = copy;
        test_expect("a truncated signature", v, test_close(&t), 0);

        test_open(&t, v);
        t.vector.headers[0].value = "";
        test_expect("an empty one", v, test_close(&t), 0);

        test_open(&t, v);
        t.vector.headers[0].name = "x-other";
        assert_int_equal(test_close(&t), MARTECH_HOOK_MISSING);

        /* twice the same is once; two of them contradict each other */

        memcpy(copy, value, len + 1);
        copy[len - 5] ^= 1;

        test_open(&t, v);
        t.vector.headers[4] = t.vector.headers[0];

        if (t.vector.headers[1].name == NULL) {
            t.vector.headers[1].name = "a";
            t.vector.headers[1].value = "";
        }

        if (t.vector.headers[2].name == NULL) {
            t.vector.headers[2].name = "a";
            t.vector.headers[2].value = "";
        }

        t.vector.headers[3].name = "a";
        t.vector.headers[3].value = "";

        test_expect("the same twice", v, test_run(&t), 1);

        t.request.body = test_str(v->body);
        t.vector.headers[4].value = copy;
        assert_int_equal(test_close(&t), MARTECH_HOOK_MALFORMED);
    }
}


static const char *
test_other_secret(const char *scheme)
{
    if (strcmp(scheme, "sendgrid") == 0) {

        /* the base point of the curve is a key, too */

        return "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfY"
               "Et6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q=="
               ;
    }

    return (strcmp(scheme, "standard") == 0 || strcmp(scheme, "svix") == 0)
           ? "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX" : "other";
}


static void
test_secrets(void **state)
{
    int                   i;
    test_case_t           t;
    const char           *error;
    const test_vector_t  *v;

    (void) state;

    for (v = test_vectors; v < TEST_END; v++) {
        test_open(&t, v);
        martech_hook_clear(&t.hook);

        for (i = 0; i < MARTECH_HOOK_SECRETS - 1; i++) {
            error = martech_hook_secret(&t.hook,
                                     test_str(test_other_secret(v->scheme)));
            if (error) {
                test_fail("%s: %s", v->scheme, error);
            }
        }

        /* what is signed with the published key is known as such */

        assert_int_not_equal(test_run(&t), MARTECH_HOOK_OK);

        t.request.body = test_str(v->body);
        error = martech_hook_secret(&t.hook, test_str(v->secret));
        assert_null(error);
        test_expect("the eighth secret", v, test_run(&t), 1);

        assert_non_null(martech_hook_secret(&t.hook, test_str(v->secret)));

        martech_hook_clear(&t.hook);
    }
}


static void
test_test_key(void **state)
{
    test_case_t    t;
    test_vector_t  v;

    (void) state;

    v = test_vectors[test_count(test_vectors) - 3];
    assert_string_equal(v.scheme, "zendesk");

    v.secret = "mine";
    test_open(&t, &v);
    assert_int_equal(test_close(&t), MARTECH_HOOK_TEST);
}


static const struct {
    const char  *scheme;
    const char  *secret;
} test_bad_secrets[] = {
    { "standard", "" },
    { "standard", "whsec_" },
    { "standard", "whsec_!!!!" },
    { "standard", "whsec_c2hvcnQ=" },
    { "standard", "whpk_c2hvcnQ=" },
    { "standard", "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" },
    { "sendgrid", "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE" },
    { "sendgrid", "hello" },
};


static void
test_bad_secret(void **state)
{
    size_t          i;
    martech_hook_t  hook;

    (void) state;

    for (i = 0; i < test_count(test_bad_secrets); i++) {
        memset(&hook, 0, sizeof(hook));
        hook.scheme = martech_hook_find(test_str(test_bad_secrets[i].scheme));

        if (martech_hook_secret(&hook, test_str(test_bad_secrets[i].secret))
            == NULL)
        {
            test_fail("\"%s\" is a secret", test_bad_secrets[i].secret);
        }

        assert_int_equal(hook.nsecrets, 0);
        martech_hook_clear(&hook);
    }
}


/* Rotation: several signatures in one header, others passed over. */

static const struct {
    const char         *scheme;
    const char         *secret;
    const char         *value;
    martech_hook_rc_t   rc;
} test_lists[] = {
    { "stripe", "SuperSecret123", "t=1591664030,v0=aa,v1=00,v1=e43496b6aae982c"
      "4c2fd6f8e92935f1d90216f1f64d56024e72390acfb988272", MARTECH_HOOK_OK },
    { "stripe", "SuperSecret123", "t=1591664030,v0=e43496b6aae982c4c2fd6f8e929"
      "35f1d90216f1f64d56024e72390acfb988272", MARTECH_HOOK_MALFORMED },
    { "stripe", "SuperSecret123", "v1=e43496b6aae982c4c2fd6f8e92935f1d90216f1f"
      "64d56024e72390acfb988272", MARTECH_HOOK_NO_TIME },
    { "stripe", "SuperSecret123", "t=1591664030,t=1591664031,v1=e43496b6aae982"
      "c4c2fd6f8e92935f1d90216f1f64d56024e72390acfb988272",
      MARTECH_HOOK_MALFORMED },
    { "stripe", "SuperSecret123", "t=+1591664030,v1=e43496b6aae982c4c2fd6f8e92"
      "935f1d90216f1f64d56024e72390acfb988272", MARTECH_HOOK_MALFORMED },
    { "stripe", "SuperSecret123", "t=,v1=e43496b6aae982c4c2fd6f8e92935f1d90216"
      "f1f64d56024e72390acfb988272", MARTECH_HOOK_MALFORMED },
};


static void
test_list(void **state)
{
    size_t         i;
    test_case_t    t;
    test_vector_t  v;

    (void) state;

    for (i = 0; i < test_count(test_lists); i++) {
        memset(&v, 0, sizeof(v));
        v.scheme = test_lists[i].scheme;
        v.secret = test_lists[i].secret;
        v.url = "";
        v.type = "";
        v.body = "payload";
        v.ms = 1591664030000;
        v.headers[0].name = "stripe-signature";
        v.headers[0].value = test_lists[i].value;

        test_open(&t, &v);
        assert_int_equal(test_close(&t), test_lists[i].rc);
    }
}


/* Of a batch its first event is signed as it stands there. */

static void
test_first(void **state)
{
    test_case_t    t;
    test_vector_t  v;

    (void) state;

    memset(&v, 0, sizeof(v));
    v.scheme = "segment";
    v.secret = "demo-secret";
    v.url = "";
    v.type = "";
    v.body = "[ " DEMO " ,{\"a\":\"]\\\"\"}]";
    v.headers[0].name = "x-signature";
    v.headers[0].value = "d00df6c4155edc9c86d962b4edb6dfc7ded44a3d";

    test_open(&t, &v);
    assert_int_equal(test_close(&t), MARTECH_HOOK_OK);
}


/* The secret itself in the query. */

static const struct {
    const char         *args;
    martech_hook_rc_t   rc;
} test_args[] = {
    { "a=b&secret=s%2bcret", MARTECH_HOOK_OK },
    { "secret=s%2bcre", MARTECH_HOOK_BAD },
    { "secret=", MARTECH_HOOK_MALFORMED },
    { "", MARTECH_HOOK_MISSING },
    { "secret=s%2bcret&secret=x", MARTECH_HOOK_MALFORMED },
};


static void
test_arg(void **state)
{
    size_t         i;
    test_case_t    t;
    test_vector_t  v;

    (void) state;

    for (i = 0; i < test_count(test_args); i++) {
        memset(&v, 0, sizeof(v));
        v.scheme = "mailchimp";
        v.secret = "s+cret";
        v.url = "";
        v.type = FORM;
        v.body = "type=subscribe";

        test_open(&t, &v);
        t.request.args = test_str(test_args[i].args);
        assert_int_equal(test_close(&t), test_args[i].rc);
    }
}


/* What is signed, in words: RFC 4231 and what others have computed. */

static void
test_hmac(void **state)
{
    martech_hook_scheme_t  scheme;
    test_case_t            t;
    test_vector_t          v;

    (void) state;

    memset(&v, 0, sizeof(v));
    v.scheme = "hmac";
    v.secret = "Jefe";
    v.url = "";
    v.type = "";
    v.body = "what do ya want for nothing?";
    v.headers[0].name = "x-sign";
    v.headers[0].value =
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758b"
        "f75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";

    test_open(&t, &v);

    scheme = *t.hook.scheme;
    scheme.header = test_str("x-sign");
    scheme.signers[0].mac = MARTECH_HOOK_HMAC_SHA512;
    t.hook.scheme = &scheme;
    t.hook.secrets[0].signer = &scheme.signers[0];

    assert_null(martech_hook_template(&scheme, test_str("{body}")));
    assert_int_equal(test_run(&t), MARTECH_HOOK_OK);

    t.request.body = test_str("for nothing?");
    t.vector.headers[1].name = "x-part";
    t.vector.headers[1].value = "do ya";
    memset(scheme.parts, 0, sizeof(scheme.parts));
    assert_null(martech_hook_template(&scheme,
                           test_str("what {header:x-part} want {body}")));
    assert_int_equal(test_run(&t), MARTECH_HOOK_OK);

    t.request.body = test_str("for nothing?");
    t.vector.headers[1].name = "x-else";
    assert_int_equal(test_close(&t), MARTECH_HOOK_MALFORMED);
}


static void
test_template(void **state)
{
    size_t                 i;
    martech_hook_scheme_t  scheme;

    static const char *const  bad[] = {
        "", "{", "{body", "{nothing}", "{header:}", "{header:X}",
        "{header:a b}", "a{}", ("{body}{body}{body}{body}{body}{body}{body}"
                                "{body}{body}{body}{body}{body}{body}")
    };

    static const char *const  names[] = {
        "{", "a {b}", "{/a|}", "{|/a}", "{header:A}", "{topic"
    };

    (void) state;

    for (i = 0; i < test_count(bad); i++) {
        memset(&scheme, 0, sizeof(scheme));

        if (martech_hook_template(&scheme, test_str(bad[i])) == NULL) {
            test_fail("\"%s\" is a template", bad[i]);
        }
    }

    for (i = 0; i < test_count(names); i++) {

        if (martech_hook_names(test_str(names[i])) == NULL) {
            test_fail("\"%s\" is a template of names", names[i]);
        }
    }

    assert_null(martech_hook_names(test_str("Paid {/a|header:x-b} {topic}")));
    assert_null(martech_hook_names(test_str("Paid")));
}


/* ---- what becomes of a payload ---- */

static const struct {
    const char  *scheme;
    const char  *type;
    const char  *body;
    const char  *batch;                  /* NULL: nothing to store */
} test_maps[] = {
    { "stripe", "", "{\"id\":\"evt_1\",\"type\":\"a.b\",\"created\":1750000000"
      ",\"data\":{\"object\":{\"customer\":\"cus_1\"}}}",
      "{\"batch\":[{\"type\":\"track\",\"event\":\"a.b\",\"messageId\":\"evt_1"
      "\",\"userId\":\"cus_1\",\"timestamp\":\"2025-06-15T15:06:40.000Z\",\"pr"
      "operties\":{\"id\":\"evt_1\",\"type\":\"a.b\",\"created\":1750000000,\""
      "data\":{\"object\":{\"customer\":\"cus_1\"}}},\"context\":{\"webhook\":"
      "{\"scheme\":\"stripe\",\"id\":\"evt_1\",\"topic\":\"a.b\"}}}]}" },
    { "segment", "", "[{\"type\":\"page\"},7]",
      "{\"batch\":[{\"type\":\"page\"},null]}" },
    { "slack", "", "{\"type\":\"url_verification\",\"challenge\":\"abc\"}",
      NULL },
    { "intercom", "", "{\"topic\":\"ping\"}", NULL },
    { "mandrill", FORM, "mandrill_events=%5B%5D", NULL },
};


static void
test_map(void **state)
{
    size_t                i;
    test_case_t           t;
    test_vector_t         v;
    martech_hook_map_t    map;
    martech_limits_t      limits;
    martech_json_tape_t   tape;
    martech_json_node_t   nodes[256];
    char                  out[8192];

    (void) state;

    martech_limits_default(&limits);

    for (i = 0; i < test_count(test_maps); i++) {
        memset(&v, 0, sizeof(v));
        v.scheme = test_maps[i].scheme;
        v.secret = "s";
        v.url = "";
        v.type = test_maps[i].type;
        v.body = test_maps[i].body;

        test_open(&t, &v);

        memset(&map, 0, sizeof(map));
        map.hook = &t.hook;
        map.request = &t.request;
        map.limits = &limits;
        map.tape = &tape;
        tape.nodes = nodes;
        tape.nodes_max = test_count(nodes);

        t.request.scratch_size = martech_hook_scratch(&t.request);
        t.request.scratch = test_alloc(t.request.scratch_size);

        assert_int_equal(martech_hook_payload(&map), MARTECH_OK);
        assert_int_equal(martech_json_scan(&tape, map.payload.data,
                                           map.payload.len, &limits),
                         MARTECH_OK);

        martech_json_writer_init(&map.out, out, sizeof(out) - 1);
        assert_int_equal(martech_hook_map(&map), MARTECH_OK);
        *map.out.pos = '\0';

        assert_int_equal(map.silent, test_maps[i].batch == NULL);

        if (test_maps[i].batch) {
            assert_string_equal(out, test_maps[i].batch);
        }

        if (strcmp(v.scheme, "slack") == 0) {
            assert_int_equal(map.reply_len, 3);
            assert_memory_equal(map.reply, "abc", 3);
        }

        free(t.request.scratch);
        martech_hook_clear(&t.hook);
    }
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_body),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_time_last),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_test_key),
        cmocka_unit_test(test_bad_secret),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_arg),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_template),
        cmocka_unit_test(test_map),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
