
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_config with all it reads: one good file, and many
 * that are wrong in one place.  Each error must name the line, the value and
 * what is allowed; and all of a file are found at once.
 */


#include "fwd_test.h"

/* forwarder */
#include "fwd_config.h"


#define TEST_HEAD                                                             \
    "redis:\n"                                                                \
    "  address: 127.0.0.1:6379\n"                                             \
    "destinations_path: %s\n"

#define TEST_DESTS                                                            \
    "destinations:\n"                                                         \
    "  hook:\n"                                                               \
    "    use: hook\n"                                                         \
    "    settings: { url: \"http://a.example:1/x\" }\n"


static const char  test_hook[] =
    "name: hook\n"
    "kind: http\n"
    "settings:\n"
    "  url: { type: url, required: true }\n"
    "  secret: { secret: true }\n"
    "  framing: { enum: [object, array], default: object }\n"
    "  region: { enum: [eu, us], default: eu }\n"
    "  level: { type: number, default: 3 }\n"
    "request:\n"
    "  url: \"{url}\"\n"
    "  framing: \"{framing}\"\n"
    "  headers: { X-Region: \"{region}\", X-Secret: \"{secret}\" }\n"
    "  signature: { scheme: standard-webhooks, secret: \"{secret}\" }\n"
    "batch: { count: 50 }\n";

static const char  test_file[] =
    "name: file\n"
    "kind: file\n"
    "settings:\n"
    "  path: { type: path, required: true }\n"
    "  rotate_size: { type: size, default: 64m }\n"
    "file: { path: \"{path}\", rotate_size: \"{rotate_size}\" }\n";


static const char  test_vendor[] =
    "name: vendor\n"
    "kind: http\n"
    "request: { url: \"http://h.example/\", framing: array }\n"
    "rate: [ { count: 20, per: 1s }, { count: 2k, per: 1s, unit: bytes } ]\n"
    "breaker: { in_a_row: 3 }\n"
    "max_age: 24h\n"
    "consent: [advertising]\n"
    "on_timeout: done\n"
    "order: person\n";


static int
test_setup(void **state)
{
    (void) state;

    test_folder_make();

    /* errors then begin with the plain name of the file */

    if (chdir(test_folder) != 0) {
        abort();
    }

    (void) mkdir(test_path("hook"), 0700);
    test_write("hook/destination.yaml", test_hook);
    (void) mkdir(test_path("file"), 0700);
    test_write("file/destination.yaml", test_file);
    (void) mkdir(test_path("vendor"), 0700);
    test_write("vendor/destination.yaml", test_vendor);
    test_write("ids", "# people who said no\nuser-1\n");
    test_write("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    test_write("bad-secret", "whsec_tooshort\n");
    test_write("empty", "\n");

    (void) setenv("TEST_PASSWORD", "correct horse", 1);

    return 0;
}


static int
test_teardown(void **state)
{
    (void) state;

    test_folder_remove();

    return 0;
}


/* %s in the text becomes the test's folder. */

static fwd_rc_t
test_load(fwd_config_t *conf, fwd_report_t *report, const char *text)
{
    char         out[8192];
    size_t       n;
    const char  *p;

    n = 0;

    for (p = text; *p != '\0'; p++) {
        if (p[0] == '%' && p[1] == 's') {
            n += (size_t) sprintf(out + n, "%s", test_folder);
            p++;

        } else {
            out[n++] = *p;
        }
    }

    out[n] = '\0';
    test_write("conf.yaml", out);

    return fwd_config_load(conf, "conf.yaml", report);
}


static void
test_good(void **state)
{
    fwd_config_t            conf;
    fwd_report_t            report;
    const fwd_dest_conf_t  *dest;

    (void) state;

    if (test_load(&conf, &report,
                  "redis: { address: \"[::1]:6380\", database: 3,"
                  " user: u, password: \"env:TEST_PASSWORD\" }\n"
                  "stream: { prefix: p, shards: 4 }\n"
                  "owner: { name: fw-1, lease: 2s }\n"
                  "log: { level: warn, attempts: failed }\n"
                  "shutdown_timeout: 3s\n"
                  "destinations_path: %s\n"
                  "destinations:\n"
                  "  a:\n"
                  "    use: hook\n"
                  "    settings: { url: \"https://example.com/x\","
                  " framing: array, secret: \"file:%s/secret\" }\n"
                  "    retry: { base: 2s, attempts: 3 }\n"
                  "  b:\n"
                  "    use: file\n"
                  "    settings: { path: /tmp/x, rotate_size: 1g }\n"
                  "  c:\n"
                  "    use: hook\n"
                  "    settings: { url: \"http://c.example/x\" }\n"
                  "    timeout: 1s\n"
                  "    retry: { cap: 20ms }\n"
                  "    batch: { count: 7, linger: 0 }\n")
        != FWD_OK)
    {
        test_fail("%s", report.texts[0]);
    }

    assert_string_equal(conf.redis.host, "::1");
    assert_int_equal(conf.redis.port, 6380);
    assert_int_equal(conf.redis.database, 3);
    assert_string_equal(conf.redis.password, "correct horse");
    assert_int_equal(conf.shards, 4);
    assert_int_equal(conf.lease_ms, 2000);
    assert_int_equal(conf.log_level, FWD_LOG_WARN);
    assert_int_equal(conf.log_attempts, 0);
    assert_int_equal(conf.shutdown_timeout_ms, 3000);
    assert_int_equal(conf.dests_count, 3);

    dest = &conf.dests[0];
    assert_string_equal(dest->http.url, "https://example.com/x");
    assert_int_equal(dest->http.framing, FWD_FRAMING_ARRAY);
    assert_int_equal(dest->http.key.len, 24);
    assert_int_equal(dest->http.headers_count, 3);
    assert_string_equal(dest->http.headers[1], "X-Region: eu");
    assert_int_equal(dest->limits.batch_count, 50);
    assert_int_equal(dest->limits.retry.base_ms, 2000);
    assert_int_equal(dest->limits.retry.factor, 4);
    assert_int_equal(dest->limits.retry.attempts, 3);

    dest = &conf.dests[1];
    assert_string_equal(dest->file.path, "/tmp/x");
    assert_true(dest->file.rotate_bytes == 1024ULL * 1024 * 1024);
    assert_int_equal(dest->file.rotate_every, FWD_ROTATE_HOUR);
    assert_int_equal(dest->limits.concurrency, 1);

    /* without a secret: no signature, and no header that names it */

    dest = &conf.dests[2];
    assert_int_equal(dest->http.key.len, 0);
    assert_int_equal(dest->http.headers_count, 2);
    assert_int_equal(dest->limits.batch_count, 1);

    /* defaults give way to what is written */

    assert_int_equal(dest->limits.connect_timeout_ms, 1000);
    assert_int_equal(dest->limits.retry.base_ms, 20);

    fwd_config_free(&conf);
}


/* Every key beyond those of test_good ends in its member. */

static const char  test_all_keys[] =
    "redis:\n"
    "  sentinel: { name: main, addresses: [\"a:26379\", \"[::1]:26380\"],"
    " password: \"env:TEST_PASSWORD\" }\n"
    "loops: 3\n"
    "metrics: unix:/run/martech.sock\n"
    "dedup: { window: 0, events: 1000 }\n"
    "map: { timeout: 2s, memory: 0 }\n"
    "destinations_path: %s\n"
    "destinations:\n"
    "  a:\n"
    "    use: hook\n"
    "    settings: { url: \"https://example.com/x\" }\n"
    "    enabled: false\n"
    "    sources: [web, app.v2]\n"
    "    events: [\"Order *\", \"!Order Viewed\"]\n"
    "    when: '.event.type == \"track\"'\n"
    "    consent: [advertising, analytics]\n"
    "    rollout: 2.5\n"
    "    suppress: %s/ids\n"
    "    priority: { high: [\"Order Completed\"] }\n"
    "    rate:\n"
    "      - { count: 100, per: 10s, unit: requests }\n"
    "      - { count: 7, per: 100ms }\n"
    "      - { count: 1m, per: 1d, unit: bytes }\n"
    "    breaker: { percent: 60, count: 30, window: 20s, in_a_row: 6,"
    " row_time: 31s, open: 7s, cap: 6m }\n"
    "    max_age: 48h\n"
    "    order: person\n"
    "    on_timeout: dead\n"
    "    mode: shadow\n"
    "    shadow_of: b\n"
    "    fallback: c\n"
    "    fallback_after: 90s\n"
    "  b: { use: vendor, settings: {} }\n"
    "  c: { use: vendor, rate: [ { count: 2, per: 1s } ], order: none,"
    " consent: [analytics], breaker: { open: 20m } }\n";


static void
test_every_key(void **state)
{
    fwd_config_t              conf;
    fwd_report_t              report;
    const fwd_dest_conf_t    *dest;
    const fwd_policy_conf_t  *policy;

    (void) state;

    if (test_load(&conf, &report, test_all_keys) != FWD_OK) {
        test_fail("%s", report.texts[0]);
    }

    assert_null(conf.redis.address);
    assert_string_equal(conf.redis.sentinel, "main");
    assert_int_equal(conf.redis.sentinels.count, 2);
    assert_string_equal(conf.redis.sentinels.list[1], "[::1]:26380");
    assert_string_equal(conf.redis.sentinel_password, "correct horse");
    assert_int_equal(conf.lease_ms, 6000);
    assert_int_equal(conf.loops, 3);
    assert_string_equal(conf.metrics, "unix:/run/martech.sock");
    assert_int_equal(conf.dedup_window_ms, 0);
    assert_int_equal(conf.dedup_max, 1000);
    assert_int_equal(conf.map_timeout_ms, 2000);
    assert_int_equal(conf.map_memory, 0);

    dest = &conf.dests[0];
    assert_int_equal(dest->wanted.enabled, 0);
    assert_int_equal(dest->wanted.sources.count, 2);
    assert_string_equal(dest->wanted.sources.list[1], "app.v2");
    assert_int_equal(dest->wanted.events.count, 2);
    assert_string_equal(dest->wanted.events.list[1], "!Order Viewed");
    assert_string_equal(dest->wanted.when, ".event.type == \"track\"");
    assert_int_equal(dest->wanted.when_line, 15);
    assert_int_equal(dest->wanted.consent.count, 2);
    assert_int_equal(dest->wanted.rollout, 250);
    assert_string_equal(dest->wanted.suppress + strlen(test_folder), "/ids");
    assert_string_equal(dest->wanted.high.list[0], "Order Completed");

    policy = &dest->policy;
    assert_int_equal(policy->rates_count, 3);
    assert_int_equal(policy->rates[0].unit, FWD_RATE_REQUESTS);
    assert_int_equal(policy->rates[0].count, 100);
    assert_int_equal(policy->rates[0].window_ms, 10000);
    assert_int_equal(policy->rates[1].unit, FWD_RATE_EVENTS);
    assert_int_equal(policy->rates[1].window_ms, 100);
    assert_int_equal(policy->rates[2].count, 1024 * 1024);
    assert_int_equal(policy->breaker.percent, 60);
    assert_int_equal(policy->breaker.count, 30);
    assert_int_equal(policy->breaker.window_ms, 20000);
    assert_int_equal(policy->breaker.in_a_row, 6);
    assert_int_equal(policy->breaker.row_ms, 31000);
    assert_int_equal(policy->breaker.open_ms, 7000);
    assert_int_equal(policy->breaker.cap_ms, 360000);
    assert_int_equal(policy->max_age_ms, 48 * 3600 * 1000);
    assert_int_equal(policy->order, FWD_ORDER_PERSON);
    assert_int_equal(policy->ambiguous, FWD_AMBIGUOUS_DEAD);
    assert_int_equal(policy->mode, FWD_MODE_SHADOW);
    assert_string_equal(policy->shadow_of, "b");
    assert_string_equal(policy->fallback, "c");
    assert_int_equal(policy->fallback_after_ms, 90000);

    fwd_config_free(&conf);
}


/* A description gives defaults; of what a file leaves out nothing is zero. */

static void
test_policy_defaults(void **state)
{
    fwd_config_t            conf;
    fwd_report_t            report;
    const fwd_dest_conf_t  *dest;

    (void) state;

    if (test_load(&conf, &report, test_all_keys) != FWD_OK) {
        test_fail("%s", report.texts[0]);
    }

    dest = &conf.dests[1];
    assert_int_equal(dest->wanted.enabled, 1);
    assert_int_equal(dest->wanted.rollout, 10000);
    assert_int_equal(dest->wanted.sources.count, 0);
    assert_null(dest->wanted.when);
    assert_int_equal(dest->wanted.consent.count, 1);
    assert_string_equal(dest->wanted.consent.list[0], "advertising");
    assert_int_equal(dest->policy.rates_count, 2);
    assert_int_equal(dest->policy.rates[1].unit, FWD_RATE_BYTES);
    assert_int_equal(dest->policy.breaker.percent, 50);
    assert_int_equal(dest->policy.breaker.in_a_row, 3);
    assert_int_equal(dest->policy.max_age_ms, 24 * 3600 * 1000);
    assert_int_equal(dest->policy.order, FWD_ORDER_PERSON);
    assert_int_equal(dest->policy.ambiguous, FWD_AMBIGUOUS_DONE);
    assert_int_equal(dest->policy.mode, FWD_MODE_SEND);
    assert_int_equal(dest->policy.fallback_after_ms, 300000);

    /* a batch is not larger than what a rate lets pass */

    assert_int_equal(dest->limits.batch_count, 20);
    assert_int_equal(dest->limits.batch_bytes, 2048);

    /* the configuration has the last word; a list is replaced as a whole */

    dest = &conf.dests[2];
    assert_int_equal(dest->policy.rates_count, 1);
    assert_int_equal(dest->limits.batch_count, 2);
    assert_int_equal(dest->limits.batch_bytes, 512 * 1024);
    assert_int_equal(dest->policy.order, FWD_ORDER_NONE);
    assert_string_equal(dest->wanted.consent.list[0], "analytics");
    assert_int_equal(dest->policy.breaker.in_a_row, 3);
    assert_int_equal(dest->policy.breaker.cap_ms, 20 * 60 * 1000);

    fwd_config_free(&conf);
}


/* 64 MiB are too much to keep as a case. */

static void
test_suppress_too_large(void **state)
{
    fwd_config_t  conf;
    fwd_report_t  report;

    (void) state;

    test_write("large", "a\n");
    assert_int_equal(truncate(test_path("large"), 64 * 1024 * 1024 + 1), 0);

    assert_int_equal(test_load(&conf, &report, TEST_HEAD TEST_DESTS
                               "    suppress: large\n"), FWD_ERROR);
    assert_non_null(strstr(report.texts[0], "a plain file of up to 64m"));

    fwd_config_free(&conf);
}


static const struct {
    const char  *text;
    const char  *place;                  /* how an error begins */
    const char  *wanted;                 /* what stands in it */
} test_bad_files[] = {

    { "", "conf.yaml:1: ", "is empty" },
    { "a: [", "conf.yaml:", "is not YAML" },
    { "- a\n", "conf.yaml:1: ", "is not a section" },
    { TEST_HEAD TEST_DESTS "---\na: 1\n", "conf.yaml:", "second document" },
    { TEST_DESTS, "conf.yaml:1: ", "redis is missing" },
    { TEST_HEAD, "conf.yaml:1: ", "destinations is missing" },
    { TEST_HEAD TEST_DESTS "colour: red\n", "conf.yaml:8: ",
      "unknown key \"colour\"" },
    { TEST_HEAD TEST_DESTS "redis: {}\n", "conf.yaml:8: ",
      "duplicate key \"redis\", the first is in line 1" },
    { TEST_HEAD TEST_DESTS "log: loud\n", "conf.yaml:8: ",
      "is not a section" },
    { TEST_HEAD TEST_DESTS "log:\n  level: loud\n", "conf.yaml:9: ",
      "\"log.level\" is \"loud\", allowed are \"error\", \"warn\"" },
    { TEST_HEAD TEST_DESTS "log:\n  level: [info]\n", "conf.yaml:9: ",
      "\"log.level\" is a list" },
    { TEST_HEAD TEST_DESTS "stream:\n  shards: 0\n", "conf.yaml:9: ",
      "\"stream.shards\" is \"0\", allowed is 1 to 1024" },
    { TEST_HEAD TEST_DESTS "stream:\n  shards: 1025\n", "conf.yaml:9: ",
      "\"1025\"" },
    { TEST_HEAD TEST_DESTS "stream:\n  shards: -1\n", "conf.yaml:9: ",
      "allowed is a number" },
    { TEST_HEAD TEST_DESTS "stream:\n  shards: 16k\n", "conf.yaml:9: ",
      "\"16k\"" },
    { TEST_HEAD TEST_DESTS "stream: { shards: 99999999999999999999 }\n",
      "conf.yaml:8: ", "99999999999999999999" },
    { TEST_HEAD TEST_DESTS "stream: { prefix: \"a b\" }\n", "conf.yaml:8: ",
      "\"a b\"" },
    { TEST_HEAD TEST_DESTS "owner:\n  lease: 10\n", "conf.yaml:9: ",
      "allowed is a time" },
    { TEST_HEAD TEST_DESTS "owner:\n  lease: 1ms\n", "conf.yaml:9: ",
      "allowed is 500ms to 10m" },
    { TEST_HEAD TEST_DESTS "owner: { name: \"a b\" }\n", "conf.yaml:8: ",
      "visible ASCII" },
    { TEST_HEAD TEST_DESTS "shutdown_timeout: soon\n", "conf.yaml:8: ",
      "\"soon\"" },

    /* redis */
    { "redis: { address: nowhere }\n" TEST_DESTS, "conf.yaml:1: ",
      "\"redis.address\" is \"nowhere\", allowed is unix:" },
    { "redis: { address: \"h:0\" }\n" TEST_DESTS, "conf.yaml:1: ", "\"h:0\"" },
    { "redis: { address: \"h:65536\" }\n" TEST_DESTS, "conf.yaml:1: ",
      "h:65536" },
    { "redis: { address: \"unix:relative\" }\n" TEST_DESTS, "conf.yaml:1: ",
      "unix:relative" },
    { "redis: { address: \"[::1]6379\" }\n" TEST_DESTS, "conf.yaml:1: ",
      "[::1]6379" },
    { "redis: { address: \"h:1\", password: hunter2 }\n" TEST_DESTS,
      "conf.yaml:1: ", "the value is not shown" },
    { "redis: { address: \"h:1\", password: \"env:NOT_SET\" }\n" TEST_DESTS,
      "conf.yaml:1: ", "\"NOT_SET\" is not set" },
    { "redis: { address: \"h:1\", password: \"file:/no/such\" }\n"
      TEST_DESTS, "conf.yaml:1: ", "\"/no/such\" cannot be opened" },
    { "redis: { address: \"h:1\", password: \"file:%s/empty\" }\n"
      TEST_DESTS, "conf.yaml:1: ", "is empty" },
    { "redis: { address: \"h:1\", user: me }\n" TEST_DESTS, "conf.yaml:1: ",
      "redis.password is missing" },

    /* destinations */
    { TEST_HEAD "destinations: {}\n", "conf.yaml:4: ", "at least one" },
    { TEST_HEAD "destinations: 7\n", "conf.yaml:4: ", "is not a section" },
    { TEST_HEAD "destinations:\n  Hook: { use: hook }\n", "conf.yaml:5: ",
      "destination name \"Hook\"" },
    { TEST_HEAD "destinations:\n  _entry: { use: hook }\n", "conf.yaml:5: ",
      "destination name \"_entry\"" },
    { TEST_HEAD "destinations:\n  aaaaaaaaaabbbbbbbbbbccccccccccddd:"
      " { use: hook }\n", "conf.yaml:5: ", "1 to 32" },
    { TEST_HEAD "destinations:\n  a: {}\n", "conf.yaml:5: ",
      "destinations.a.use is missing" },
    { TEST_HEAD "destinations:\n  a: { use: none }\n", "conf.yaml:5: ",
      "\"none\"" },
    { TEST_HEAD "destinations:\n  a: { use: ../hook }\n", "conf.yaml:5: ",
      "\"../hook\"" },
    { TEST_HEAD "destinations:\n  a: { use: hook }\n", "conf.yaml:5: ",
      "destinations.a.settings.url is missing" },
    { TEST_HEAD TEST_DESTS "    speed: 9\n", "conf.yaml:8: ",
      "unknown key \"speed\"" },
    { TEST_HEAD TEST_DESTS "    concurrency: 0\n", "conf.yaml:8: ",
      "allowed is 1 to 256" },
    { TEST_HEAD TEST_DESTS "    timeout: 1s\n    connect_timeout: 2s\n",
      "conf.yaml:9: ",
      "connect_timeout\" is 2000, above timeout 1000" },
    { TEST_HEAD TEST_DESTS "    retry: { base: 10s, cap: 1s }\n",
      "conf.yaml:8: ", "retry.base\" is 10000, above retry.cap" },
    { TEST_HEAD TEST_DESTS "    retry: { factor: 17 }\n", "conf.yaml:8: ",
      "\"destinations.hook.retry.factor\" is \"17\"" },
    { TEST_HEAD TEST_DESTS "    batch: { bytes: 65m }\n", "conf.yaml:8: ",
      "allowed is 1k to 64m" },
    { TEST_HEAD "destinations:\n  f:\n    use: file\n"
      "    settings: { path: /x }\n    batch: { count: 500 }\n"
      "    window: { count: 100 }\n", "conf.yaml:8: ",
      "batch.count\" is 500, above window.count 100" },

    /* settings */
    { TEST_HEAD "destinations:\n  a:\n    use: hook\n    settings:\n"
      "      url: ftp://x/\n", "conf.yaml:8: ",
      "is \"ftp://x/\", allowed is an http:// or https:// URL" },
    { TEST_HEAD "destinations:\n  a:\n    use: hook\n    settings:\n"
      "      url: nothing\n", "conf.yaml:8: ", "\"nothing\"" },
    { TEST_HEAD "destinations:\n  a:\n    use: hook\n    settings:\n"
      "      url: http://h.example/\n      colour: red\n", "conf.yaml:9: ",
      "unknown setting \"colour\"" },
    { TEST_HEAD "destinations:\n  a:\n    use: hook\n    settings:\n"
      "      url: http://h.example/\n      framing: cube\n", "conf.yaml:9: ",
      "is \"cube\", allowed is one of object, array" },
    { TEST_HEAD "destinations:\n  a:\n    use: hook\n    settings:\n"
      "      url: http://h.example/\n      level: high\n", "conf.yaml:9: ",
      "is \"high\", allowed is a number" },
    { TEST_HEAD "destinations:\n  a:\n    use: hook\n    settings:\n"
      "      url: http://h.example/\n      secret: hunter2\n", "conf.yaml:9: ",
      "the value is not shown" },
    { TEST_HEAD "destinations:\n  a:\n    use: hook\n    settings:\n"
      "      url: http://h.example/\n      secret: \"file:%s/bad-secret\"\n",
      "conf.yaml:9: ", "is not base64 of 24 to 64 bytes" },
    { TEST_HEAD "destinations:\n  a:\n    use: file\n"
      "    settings: { path: events }\n", "conf.yaml:7: ",
      "is \"events\", allowed is an absolute path" },
};


static void
test_bad(void **state)
{
    size_t        i, n;
    fwd_rc_t      rc;
    fwd_config_t  conf;
    fwd_report_t  report;

    (void) state;

    for (i = 0; i < test_count(test_bad_files); i++) {
        rc = test_load(&conf, &report, test_bad_files[i].text);

        for (n = 0; n < report.count; n++) {
            if (strncmp(report.texts[n], test_bad_files[i].place,
                        strlen(test_bad_files[i].place))
                == 0
                && strstr(report.texts[n], test_bad_files[i].wanted) != NULL)
            {
                break;
            }
        }

        if (rc != FWD_ERROR || n == report.count) {
            test_fail("row %zu \"%s\": %s", i, test_bad_files[i].wanted,
                      report.count ? report.texts[0] : "accepted");
        }

        for (n = 0; n < report.count; n++) {
            assert_null(strstr(report.texts[n], "hunter2"));
            assert_null(strstr(report.texts[n], "tooshort"));
        }

        fwd_config_free(&conf);
    }
}


static void
test_all_errors_at_once(void **state)
{
    fwd_config_t  conf;
    fwd_report_t  report;

    (void) state;

    assert_int_equal(test_load(&conf, &report,
                               "redis: { address: x }\n"
                               "stream: { shards: 0 }\n"
                               "log: { level: x }\n"
                               "owner: { lease: x }\n"
                               "destinations_path: %s\n"
                               "destinations:\n"
                               "  A: { use: hook }\n"
                               "  b: { use: nothing }\n"), FWD_ERROR);

    assert_in_range(report.count, 6, 12);

    fwd_config_free(&conf);
}


static const struct {
    const char  *text;
    const char  *wanted;
} test_bad_descriptions[] = {
    { "kind: http\nrequest: { url: \"http://h.example/\" }\n",
      "name is missing" },
    { "name: other\nkind: http\nrequest: { url: \"http://h.example/\" }\n",
      "the name of the folder, \"bad\"" },
    { "name: bad\nkind: smtp\n", "\"kind\" is \"smtp\"" },
    { "name: bad\nkind: http\n", "section \"request\" is missing" },
    { "name: bad\nkind: file\n", "section \"file\" is missing" },
    { "name: bad\nkind: file\nfile: { path: /x }\nrequest: { url: x }\n",
      "belongs to kind http" },
    { "name: bad\nkind: http\nrequest: { url: \"{nope}\" }\n",
      "allowed in braces are the names of settings" },
    { "name: bad\nkind: http\nrequest: { url: \"http://h.example/{open\" }\n",
      "allowed in braces" },
    { "name: bad\nkind: http\nrequest: { url: \"gopher://h/\" }\n",
      "\"request.url\" is \"gopher://h/\"" },
    { "name: bad\nkind: http\nrequest: { url: \"http://h.example/\","
      " framing: cube }\n", "\"request.framing\" is \"cube\"" },
    { "name: bad\nkind: http\nrequest: { url: \"http://h.example/\","
      " method: HEAD }\n", "\"request.method\" is \"HEAD\"" },
    { "name: bad\nkind: http\nrequest: { url: \"http://h.example/\","
      " headers: { \"X Y\": a } }\n", "has a bad name" },
    { "name: bad\nkind: http\nrequest: { url: \"http://h.example/\","
      " headers: { X: \"a\\r\\nY: b\" } }\n", "has a line end" },
    { "name: bad\nkind: http\nrequest: { url: \"http://h.example/\","
      " signature: { scheme: md5, secret: \"x\" } }\n", "\"md5\"" },
    { "name: bad\nkind: http\nsettings: { Bad: {} }\n"
      "request: { url: \"http://h.example/\" }\n", "setting name \"Bad\"" },
    { "name: bad\nkind: http\nsettings: { a: { type: blob } }\n"
      "request: { url: \"http://h.example/\" }\n",
      "\"settings.a.type\" is \"blob\"" },
    { "name: bad\nkind: http\nsettings: { a: { type: number, default: few } }\n"
      "request: { url: \"http://h.example/\" }\n",
      "\"settings.a.default\" is \"few\", allowed is a number" },
    { "name: bad\nkind: http\nsettings: { a: { enum: [us, eu], default: mars "
      "} }\n"
      "request: { url: \"http://h.example/\" }\n",
      "is \"mars\", allowed is one of us, eu" },
    { "name: bad\nkind: http\nsettings: { a: { pattern: \"^G-\", default: "
      "g-1 } }\n"
      "request: { url: \"http://h.example/\" }\n",
      "is \"g-1\", allowed is what matches ^G-" },
    { "name: bad\nkind: http\nsettings: { a: {} }\nauth: { kind: bearer, "
      "token: \"{a|raw}\" }\n"
      "request: { url: \"http://h.example/\" }\n",
      "\"auth.token\" is \"{a|raw}\", allowed in braces are the names of "
      "settings without a filter" },
    { "name: bad\nkind: http\nauth: { kind: bearer, token: \"{auth.b}\" }\n"
      "request: { url: \"http://h.example/\" }\n",
      "\"auth.token\" is \"{auth.b}\"" },
    { "name: bad\nkind: http\nauth: { kind: bearer, token: a, user: b }\n"
      "request: { url: \"http://h.example/\" }\n",
      "\"auth.user\" is unknown with kind bearer" },
    { "name: bad\nkind: http\nauth: { kind: oauth2, grant: "
      "client_credentials, extra: { a: b },\n  token: c, token_url: "
      "\"https://h.example/\" }\n"
      "request: { url: \"http://h.example/\" }\n",
      "\"auth.token\" is unknown with kind oauth2" },
    { "name: bad\nkind: http\nrequest: { url: \"http://h.example/\",\n"
      "  auth: { kind: basic, user: a, name: b } }\n",
      "\"request.auth.name\" is unknown with kind basic" },
    { "name: bad\nkind: http\nrequest: { url: \"http://h.example/\",\n"
      "  body: { a: [ \"@record\", { b: \"@nothing\" } ] } }\n",
      "\"request.body\" has \"@nothing\", allowed are @records, " },
    { "name: bad\nkind: http\nrequest: { url: \"http://h.example/\", "
      "framing: form,\n"
      "  body: { a: \"@recordset\" } }\n",
      "\"request.body\" has \"@recordset\"" },
    { "name: bad\nkind: http\nrequest: { url: \"http://h.example/\", body: a,\n"
      "  validate: { body: { a: \"@now\" } } }\n",
      "\"request.validate.body\" has \"@now\"" },
    { "name: bad\nkind: http\nsettings: { a: { enum: [array] } }\n"
      "request: { url: \"http://h.example/\", framing: \"{a|raw}\" }\n",
      "\"request.framing\" is \"{a|raw}\"" },
    { "name: bad\nkind: file\nsettings: { p: { type: path } }\n"
      "file: { path: \"{p|raw}\" }\n",
      "\"file.path\" is \"{p|raw}\"" },
};


static void
test_bad_description(void **state)
{
    size_t        i, n;
    fwd_config_t  conf;
    fwd_report_t  report;

    (void) state;

    (void) mkdir(test_path("bad"), 0700);

    for (i = 0; i < test_count(test_bad_descriptions); i++) {
        test_write("bad/destination.yaml", test_bad_descriptions[i].text);

        assert_int_equal(test_load(&conf, &report, TEST_HEAD
                                   "destinations:\n  a: { use: bad }\n"),
                         FWD_ERROR);

        for (n = 0; n < report.count; n++) {
            if (strstr(report.texts[n], test_bad_descriptions[i].wanted)) {
                break;
            }
        }

        if (n == report.count) {
            test_fail("row %zu \"%s\": %s", i,
                      test_bad_descriptions[i].wanted,
                      report.count ? report.texts[0] : "accepted");
        }

        fwd_config_free(&conf);
    }
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_policy_defaults),
        cmocka_unit_test(test_suppress_too_large),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_all_errors_at_once),
        cmocka_unit_test(test_bad_description),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
