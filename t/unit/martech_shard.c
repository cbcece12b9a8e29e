
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_shard: the vectors of docs/SPEC.md section 1,
 * which other programs rely on, the spread, and the tag.
 */


#include "martech_test.h"

/* martech */
#include "martech_shard.h"


/* The named ones stand in the specification; the others are by hand. */
static const struct {
    const char            *data;
    size_t                 len;
    uint64_t               hash;
    uint32_t               of_16;
    uint32_t               of_1024;
    uint32_t               of_7;
} test_vectors[] = {
    { "a", 1, 0xed8170de1919a24d, 13, 589, 0 },
    { "user-1", 6, 0x37e1a4c14b42972d, 13, 813, 0 },
    { "507f191e-810c-4972-9de8-60ea00000001", 36, 0xd132c77f7b93d845, 5, 69,
      6 },
    { "zo\xc3\xab", 4, 0xf1d9dd9168b84374, 4, 884, 0 },

    { "", 0, 0xecba3df2c3383c52, 2, 82, 0 },
    { "\0", 1, 0x9091d60726574ae6, 6, 742, 4 },
    { "\xff\xff\xff", 3, 0xae3af056e5f89c2e, 14, 46, 5 },
};


static void
test_hash_vectors(void **state)
{
    size_t           i;
    unsigned char   *copy;
    martech_str_t    s;

    (void) state;

    for (i = 0; i < test_count(test_vectors); i++) {
        copy = test_copy(test_vectors[i].data, test_vectors[i].len);
        s.data = copy;
        s.len = test_vectors[i].len;

        if (martech_shard_hash(s) != test_vectors[i].hash) {
            test_fail("row %zu: hash %llx", i,
                      (unsigned long long) martech_shard_hash(s));
        }

        assert_int_equal(martech_shard(s, 16), test_vectors[i].of_16);
        assert_int_equal(martech_shard(s, 1024), test_vectors[i].of_1024);
        assert_int_equal(martech_shard(s, 7), test_vectors[i].of_7);
        assert_int_equal(martech_shard(s, 1), 0);

        free(copy);
    }
}


/* Short counting names fill 16 shards evenly; FNV alone would not. */
static void
test_spread(void **state)
{
    char           name[16];
    int            i, count[16];
    martech_str_t  s;

    (void) state;

    memset(count, 0, sizeof(count));

    for (i = 0; i < 16000; i++) {
        s.len = (size_t) snprintf(name, sizeof(name), "user-%d", i);
        s.data = (unsigned char *) name;
        count[martech_shard(s, 16)]++;
    }

    for (i = 0; i < 16; i++) {
        if (count[i] < 850 || count[i] > 1150) {
            test_fail("shard %d holds %d of 16000", i, count[i]);
        }
    }
}


static void
test_tag(void **state)
{
    static const struct {
        const char   *prefix;
        uint32_t      shard;
        const char   *tag;
    } table[] = {
        { "mt", 0, "{mt:00}" },
        { "mt", 9, "{mt:09}" },
        { "mt", 10, "{mt:10}" },
        { "mt", 99, "{mt:99}" },
        { "mt", 100, "{mt:100}" },
        { "mt", 999, "{mt:999}" },
        { "mt", 1023, "{mt:1023}" },
        { "x", 5, "{x:05}" },
        { "0123456789abcdef0123456789ABCDEF", 1023,
          "{0123456789abcdef0123456789ABCDEF:1023}" },
    };

    char    *out;
    size_t   i, len;

    (void) state;

    for (i = 0; i < test_count(table); i++) {
        out = test_alloc(MARTECH_TAG_LEN_MAX);
        memset(out, 'x', MARTECH_TAG_LEN_MAX);

        len = martech_shard_tag(out, test_str(table[i].prefix),
                                table[i].shard);

        assert_int_equal(len, strlen(table[i].tag));
        assert_int_equal(out[len], '\0');
        assert_string_equal(out, table[i].tag);

        free(out);
    }
}


static void
test_prefix_valid(void **state)
{
    static const char  allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz"
                                   "0123456789_.-";

    int            c, i, want;
    char           text[MARTECH_PREFIX_LEN_MAX + 1];
    size_t         len;
    martech_str_t  s;

    (void) state;

    memset(text, 'p', sizeof(text));
    s.data = (unsigned char *) text;

    for (len = 0; len <= sizeof(text); len++) {
        s.len = len;
        assert_int_equal(martech_shard_prefix_valid(s),
                         len >= 1 && len <= MARTECH_PREFIX_LEN_MAX);
    }

    s.len = 3;

    for (i = 0; i < 3; i++) {
        for (c = 0; c < 256; c++) {
            text[i] = (char) c;
            want = (c != 0 && strchr(allowed, c) != NULL);

            if (martech_shard_prefix_valid(s) != want) {
                test_fail("byte %02x at %d: not %d", (unsigned) c, i, want);
            }
        }

        text[i] = 'p';
    }
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_hash_vectors),
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_tag),
        cmocka_unit_test(test_prefix_valid),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
