
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_safe: addresses and names that requests must not go
 * to, and some of those that they may.
 */


#include "fwd_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* forwarder */
#include "fwd_safe.h"


typedef struct {
    const char           *address;
    const char           *why;
} case_t;


static const char *
judge(const fwd_safe_t *safe, const char *text)
{
    union {
        struct sockaddr       sa;
        struct sockaddr_in    sin;
        struct sockaddr_in6   sin6;
    } u;

    memset(&u, 0, sizeof(u));

    if (strchr(text, ':') != NULL) {
        u.sin6.sin6_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &u.sin6.sin6_addr), 1);

    } else {
        u.sin.sin_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, text, &u.sin.sin_addr), 1);
    }

    return fwd_safe_address(safe, &u.sa);
}


static void
refuse(const case_t *cases, size_t count)
{
    size_t       i;
    const char  *why;
    fwd_safe_t   safe;

    memset(&safe, 0, sizeof(fwd_safe_t));

    for (i = 0; i < count; i++) {
        why = judge(&safe, cases[i].address);

        if (why == NULL || strcmp(why, cases[i].why) != 0) {
            fail_msg("%s: %s, expected %s", cases[i].address,
                     why ? why : "allowed", cases[i].why);
        }
    }
}


static void
test_refused(void **state)
{
    static const case_t  cases[] = {
        { "0.0.0.0", "unspecified" },
        { "0.1.2.3", "unspecified" },
        { "10.0.0.0", "private" },
        { "10.255.255.255", "private" },
        { "100.64.0.1", "carrier" },
        { "100.127.255.255", "carrier" },
        { "100.100.100.200", "metadata" },
        { "127.0.0.1", "loopback" },
        { "127.255.255.254", "loopback" },
        { "168.63.129.16", "metadata" },
        { "169.254.0.1", "link-local" },
        { "169.254.169.254", "metadata" },
        { "169.254.170.2", "metadata" },
        { "169.254.170.23", "metadata" },
        { "172.16.0.1", "private" },
        { "172.31.255.255", "private" },
        { "192.0.0.1", "reserved" },
        { "192.0.0.192", "metadata" },
        { "192.0.2.1", "documentation" },
        { "192.31.196.1", "reserved" },
        { "192.52.193.1", "reserved" },
        { "192.88.99.1", "reserved" },
        { "192.168.0.1", "private" },
        { "192.168.255.255", "private" },
        { "192.175.48.1", "reserved" },
        { "198.18.0.1", "benchmark" },
        { "198.19.255.255", "benchmark" },
        { "198.51.100.7", "documentation" },
        { "203.0.113.7", "documentation" },
        { "224.0.0.1", "multicast" },
        { "239.255.255.250", "multicast" },
        { "240.0.0.1", "reserved" },
        { "255.255.255.255", "reserved" }
    };

    (void) state;

    refuse(cases, test_count(cases));
}


static void
test_refused6(void **state)
{
    static const case_t  cases[] = {
        { "::", "unspecified" },
        { "::1", "loopback" },
        { "::2", "unspecified" },                /* ::0.0.0.2 */
        { "::127.0.0.1", "loopback" },
        { "::10.1.2.3", "private" },
        { "::169.254.169.254", "metadata" },
        { "::ffff:127.0.0.1", "loopback" },
        { "::ffff:7f00:1", "loopback" },
        { "::ffff:10.0.0.1", "private" },
        { "::ffff:169.254.169.254", "metadata" },
        { "::ffff:192.168.1.1", "private" },
        { "::ffff:0:127.0.0.1", "loopback" },
        { "::ffff:0:10.0.0.1", "private" },
        { "64:ff9b::10.0.0.1", "private" },
        { "64:ff9b::127.0.0.1", "loopback" },
        { "64:ff9b::a9fe:a9fe", "metadata" },
        { "64:ff9b:1::1", "private" },
        { "100::1", "discard" },
        { "2001:0:a00:1::", "private" },         /* Teredo: its server */
        { "2001:0:4136:e378:8000:63bf:80ff:fffe", "loopback" },
        { "2001:0:4136:e378:8000:63bf:f5ff:fffe", "private" },
        { "2001:1::1", "reserved" },
        { "2001:5::1", "reserved" },
        { "2001:1ff::1", "reserved" },
        { "2001:2::1", "benchmark" },
        { "2001:10::1", "reserved" },
        { "2001:2f::1", "reserved" },
        { "2001:db8::1", "documentation" },
        { "2002:7f00:1::", "loopback" },         /* 6to4 */
        { "2002:a00:1::1", "private" },
        { "2002:a9fe:a9fe::", "metadata" },
        { "2002:c0a8:101::1", "private" },
        { "2600::5efe:10.0.0.1", "private" },    /* ISATAP */
        { "2600::200:5efe:192.168.0.1", "private" },
        { "3fff::1", "documentation" },
        { "4000::1", "reserved" },
        { "5f00::1", "reserved" },
        { "fc00::1", "private" },
        { "fd00:ec2::254", "metadata" },
        { "fd12:3456:789a::1", "private" },
        { "fe80::1", "link-local" },
        { "fe80::a9fe:a9fe", "metadata" },
        { "febf::1", "link-local" },
        { "fec0::1", "private" },
        { "ff02::1", "multicast" },
        { "ff0e::1", "multicast" }
    };

    (void) state;

    refuse(cases, test_count(cases));
}


static void
test_allowed(void **state)
{
    size_t      i;
    fwd_safe_t  safe;

    static const char *const  cases[] = {
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255",
        "100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.255.255",
        "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.1",
        "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
        "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::200e",
        "2001:4860:4860::8888", "2001:0:4136:e378:8000:63bf:f7f7:f7f7",
        "2002:808:808::1", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8",
        "::ffff:0:8.8.4.4", "::8.8.8.8", "2600::5efe:8.8.8.8",
        "3ffe::1", "2001:3::1", "2001:4:112::1", "2001:200::1"
    };

    (void) state;

    memset(&safe, 0, sizeof(fwd_safe_t));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (judge(&safe, cases[i]) != NULL) {
            fail_msg("%s: %s", cases[i], judge(&safe, cases[i]));
        }
    }
}


static void
test_own_networks(void **state)
{
    fwd_safe_t      safe;
    struct sockaddr  local;
    fwd_safe_net_t  nets[3];

    (void) state;

    memset(&safe, 0, sizeof(fwd_safe_t));
    assert_int_equal(fwd_safe_net(&nets[0], "10.1.0.0/20"), FWD_OK);
    assert_int_equal(fwd_safe_net(&nets[1], "fd00::/8"), FWD_OK);
    assert_int_equal(fwd_safe_net(&nets[2], "169.254.0.0/16"), FWD_OK);
    safe.nets = nets;
    safe.nets_count = 3;

    assert_null(judge(&safe, "10.1.15.255"));
    assert_null(judge(&safe, "::ffff:10.1.0.1"));
    assert_null(judge(&safe, "64:ff9b::10.1.0.1"));
    assert_null(judge(&safe, "fd12::1"));
    assert_null(judge(&safe, "169.254.1.1"));
    assert_string_equal(judge(&safe, "10.1.16.0"), "private");
    assert_string_equal(judge(&safe, "127.0.0.1"), "loopback");

    /* whatever was allowed */
    assert_string_equal(judge(&safe, "169.254.169.254"), "metadata");
    assert_string_equal(judge(&safe, "fd00:ec2::254"), "metadata");

    /* nor in the clothes of another one */
    assert_int_equal(fwd_safe_net(&nets[0], "64:ff9b::/96"), FWD_OK);
    assert_int_equal(fwd_safe_net(&nets[1], "2001::/16"), FWD_OK);
    assert_int_equal(fwd_safe_net(&nets[2], "2600::/16"), FWD_OK);
    assert_null(judge(&safe, "64:ff9b::10.0.0.1"));
    assert_string_equal(judge(&safe, "64:ff9b::169.254.169.254"), "metadata");
    assert_string_equal(judge(&safe, "2001:0:4136:e378:8000:63bf:5601:5601"),
                        "metadata");
    assert_string_equal(judge(&safe, "2001:0:a9fe:a9fe::"), "metadata");
    assert_string_equal(judge(&safe, "2600::5efe:169.254.169.254"),
                        "metadata");

    memset(&local, 0, sizeof(local));
    local.sa_family = AF_UNIX;
    assert_non_null(fwd_safe_address(&safe, &local));
}


static void
test_nets(void **state)
{
    size_t          i;
    fwd_safe_net_t  net;

    static const char *const  bad[] = {
        "", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x",
        "10.0.0/8", "::/129", "::/0000008", "localhost", "10.0.0.0/4294967304",
        "1.2.3.4/ 8"
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(fwd_safe_net(&net, bad[i]), FWD_ERROR);
    }

    assert_int_equal(fwd_safe_net(&net, "0.0.0.0/0"), FWD_OK);
    assert_int_equal(net.bits, 96);
    assert_int_equal(fwd_safe_net(&net, "::/0"), FWD_OK);
    assert_int_equal(net.bits, 0);
}


static void
test_urls_refused(void **state)
{
    size_t       i;
    const char  *why;
    fwd_safe_t   safe;

    /* even to one who may go anywhere by name */

    static const char  *hosts[] = {
        "api.example.com", "*.vendor.example", "localhost", "127.0.0.1",
        "2130706433", "metadata.cloud.internal", "::1", "169.254.169.254",
        "evil.example.com.", "1.2.3"
    };

    static const char *const  cases[] = {
        "http://127.0.0.1/", "http://127.1/", "http://127.0.1/",
        "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/",
        "http://0177.0.0.1/", "http://017700000001/", "http://0/",
        "http://00/", "http://0x0/", "http://127.0.0.1./",
        "http://[::1]/", "http://[::]/", "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/", "http://[fe80::1%25eth0]/",
        "http://[64:ff9b::7f00:1]/", "http://169.254.169.254/latest/",
        "http://2852039166/", "http://0xa9fea9fe/", "http://169.254.43518/",
        "http://[::ffff:a9fe:a9fe]/", "http://localhost/",
        "http://LOCALHOST/", "http://localhost./", "http://a.localhost/",
        "http://metadata.cloud.internal/", "http://intranet/",
        "http://db.corp/", "http://printer.local/", "http://x.home.arpa/",
        "http://1.2.3.4.5/", "http://0x7f.0.0.0.1/", "http://a.0x7f/",
        "http://example.com/", "http://api.example.com.evil.example/",
        "http://xapi.example.com/", "http://vendor.example/",
        "http://evilvendor.example/", "http://.vendor.example/",
        "http://api.example.com@evil.example/",
        "http://evil.example\\@api.example.com/",
        "http://user@api.example.com/", "http://user:p@api.example.com/",
        "http://api.example.com evil.example/", "ftp://api.example.com/",
        "file:///etc/passwd", "gopher://api.example.com/", "api.example.com",
        "http:///", "http://", "", "http://api.example.com\r\n/",
        "http://[::1", "javascript:alert(1)", "dict://api.example.com:11211/",
        "http://api.example.com:99999/", "http://:p@api.example.com/",
        "http://@api.example.com/", "http://api.example.com../",
        "http://api.example.com%2eevil.example/", "http://api.example.com%00/",
        "http://[::ffff:169.254.169.254]/", "http://[fe80::a9fe:a9fe]/",
        "http://127.0.0.1:0/", "http://api.example.com\x01/",
        "http:api.example.com", "http:/\\/127.0.0.1/",
        "http://127\343\200\2020.0.1/",
        "http://\xe2\x93\x9b\xe2\x93\x9eocalhost/"
    };

    (void) state;

    memset(&safe, 0, sizeof(fwd_safe_t));
    safe.hosts.list = hosts;
    safe.hosts.count = sizeof(hosts) / sizeof(hosts[0]);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        why = fwd_safe_url(&safe, cases[i]);

        if (why == NULL) {
            fail_msg("%s is allowed", cases[i]);
        }
    }
}


static void
test_urls_allowed(void **state)
{
    size_t          i;
    const char     *why;
    fwd_safe_t      safe;
    fwd_safe_net_t  net;

    static const char  *hosts[] = {
        "api.example.com", "*.vendor.example", "8.8.8.8", "127.0.0.1",
        "2606:4700::1111", "printer.local"
    };

    static const char *const  cases[] = {
        "https://api.example.com/v1?a=b", "http://API.example.COM/",
        "https://api.example.com:8443/", "https://api.example.com./",
        "https://eu.vendor.example/", "https://a.b.vendor.example/x",
        "https://8.8.8.8/", "https://134744072/",
        "https://[2606:4700::1111]:443/"
    };

    (void) state;

    memset(&safe, 0, sizeof(fwd_safe_t));
    safe.hosts.list = hosts;
    safe.hosts.count = sizeof(hosts) / sizeof(hosts[0]);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        why = fwd_safe_url(&safe, cases[i]);

        if (why != NULL) {
            fail_msg("%s: %s", cases[i], why);
        }
    }

    /* one's own network, where the operator says so */

    assert_non_null(fwd_safe_url(&safe, "http://127.0.0.1:8080/"));
    assert_non_null(fwd_safe_url(&safe, "http://printer.local/"));

    assert_int_equal(fwd_safe_net(&net, "127.0.0.0/8"), FWD_OK);
    safe.nets = &net;
    safe.nets_count = 1;

    assert_null(fwd_safe_url(&safe, "http://127.0.0.1:8080/"));
    assert_null(fwd_safe_url(&safe, "http://printer.local/"));
    assert_non_null(fwd_safe_url(&safe, "http://127.0.0.2/"));
}


/* Where nobody has written http, nothing leads there. */

static void
test_tls(void **state)
{
    fwd_safe_t          safe;
    static const char  *hosts[] = { "*.vendor.example" };

    (void) state;

    memset(&safe, 0, sizeof(fwd_safe_t));
    safe.hosts.list = hosts;
    safe.hosts.count = 1;

    assert_null(fwd_safe_url(&safe, "http://a.vendor.example/"));
    safe.tls = 1;
    assert_null(fwd_safe_url(&safe, "https://a.vendor.example/"));
    assert_non_null(fwd_safe_url(&safe, "http://a.vendor.example/"));
    assert_non_null(fwd_safe_url(&safe, "HTTP://a.vendor.example/"));
}


static void
test_patterns(void **state)
{
    (void) state;

    assert_int_equal(fwd_safe_pattern_valid("a.example"), 1);
    assert_int_equal(fwd_safe_pattern_valid("*.a.example"), 1);
    assert_int_equal(fwd_safe_pattern_valid("localhost"), 1);
    assert_int_equal(fwd_safe_pattern_valid("127.0.0.1"), 1);
    assert_int_equal(fwd_safe_pattern_valid("::1"), 1);

    assert_int_equal(fwd_safe_pattern_valid("*.example"), 0);
    assert_int_equal(fwd_safe_pattern_valid("*"), 0);
    assert_int_equal(fwd_safe_pattern_valid("a.*.example"), 0);
    assert_int_equal(fwd_safe_pattern_valid("*a.example.com"), 0);
    assert_int_equal(fwd_safe_pattern_valid("a..example"), 0);
    assert_int_equal(fwd_safe_pattern_valid("a.example."), 0);
    assert_int_equal(fwd_safe_pattern_valid("A.example"), 0);
    assert_int_equal(fwd_safe_pattern_valid("a.example/x"), 0);
    assert_int_equal(fwd_safe_pattern_valid("-a.example"), 0);
    assert_int_equal(fwd_safe_pattern_valid(""), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_refused6),
        cmocka_unit_test(test_allowed),
        cmocka_unit_test(test_own_networks),
        cmocka_unit_test(test_nets),
        cmocka_unit_test(test_urls_refused),
        cmocka_unit_test(test_urls_allowed),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_patterns)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
