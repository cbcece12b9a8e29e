
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_uuid: the fields of version 7 bit by bit and its
 * order in time, and version 5 against vectors of others.
 */


#include "martech_test.h"

/* martech */
#include "martech_uuid.h"


/* The name space for domain names, RFC 9562 section 6.6. */
static const unsigned char  test_dns[16] = {
    0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
    0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8
};


/*
 * The first is appendix A.4 of RFC 9562; the others were computed with
 * another implementation.
 */
static const struct {
    const char            *name;
    const char            *uuid;
} test_names[] = {
    { "www.example.com", "2ed6657d-e927-568b-95e1-2665a8aea6a2" },
    { "python.org", "886313e1-3b8a-5372-9b90-0c9aee199e5d" },
    { "", "4ebd0208-8328-5d69-8c44-ec50939c0967" },
    { "a", "4f3f2898-69e3-5a0d-820a-c4e87987dbce" },
    { "user-1", "d35a2a2a-d1d1-55ed-90a7-348c3da59deb" },
    { "zo\xc3\xab", "d2b2dc91-ed63-5ddb-b7a0-d368677dc3aa" },
};


/* Names of so many letters x: both sides of the block sizes of SHA-1. */
static const struct {
    size_t                 len;
    const char            *uuid;
} test_lengths[] = {
    { 38, "f3ddef67-6e5b-53ca-baa2-12b379ef6ced" },
    { 39, "2f80c0d1-1c62-579f-8d68-e61ad5592c9b" },
    { 40, "e56fd57a-7633-5e1d-8f80-70e05ac413e5" },
    { 47, "a112377b-8258-5ef7-b5b0-d2540bc03abb" },
    { 48, "83993b6c-dea9-55ca-be5b-9989c85943fc" },
    { 49, "a0f0b33b-afbf-5cad-b334-d8140d5af575" },
    { 103, "69b5a616-6ae8-5c37-8b46-37d527314c4d" },
    { 104, "c917ca2c-8395-5e00-8f28-a898d41a4b8d" },
    { 111, "1a48738a-dc98-5032-bf56-974c361d949d" },
    { 112, "0243b19e-8bd4-5b57-95a2-1fcacc3142a0" },
    { 113, "4e772fc6-7f5c-5655-afd4-f6e0a2e8e912" },
    { 500, "03b4a837-b5ab-59de-989d-11515d6e79db" },
};


/* The 128 bits of a text form; fails if it is not one in lower case. */
static void
test_uuid_bits(const unsigned char *text, unsigned char bits[16])
{
    int          i, n;
    const char  *at;
    static const char  hex[] = "0123456789abcdef";

    n = 0;

    for (i = 0; i < MARTECH_UUID_LEN; i++) {

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            assert_int_equal(text[i], '-');
            continue;
        }

        at = text[i] ? strchr(hex, text[i]) : NULL;
        if (at == NULL) {
            test_fail("\"%.36s\" has no lower case digit at %d", text, i);
        }

        bits[n / 2] = (unsigned char) ((n % 2 ? bits[n / 2] << 4 : 0)
                                       | (at - hex));
        n++;
    }
}


static void
test_uuid7_layout(void **state)
{
    uint64_t        random[2];
    unsigned char  *out;

    (void) state;

    out = test_alloc(MARTECH_UUID_LEN);

    /* all bits zero, all bits set: what stays is layout */

    random[0] = 0;
    random[1] = 0;

    martech_uuid7(out, 0, random);
    assert_memory_equal(out, "00000000-0000-7000-8000-000000000000", 36);

    /* the time of RFC 9562 appendix A.6 */

    martech_uuid7(out, 0x017f22e279b0, random);
    assert_memory_equal(out, "017f22e2-79b0-7000-8000-000000000000", 36);

    random[0] = UINT64_MAX;
    random[1] = UINT64_MAX;

    martech_uuid7(out, 0, random);
    assert_memory_equal(out, "00000000-0000-7fff-bfff-ffffffffffff", 36);

    martech_uuid7(out, 0xffffffffffff, random);
    assert_memory_equal(out, "ffffffff-ffff-7fff-bfff-ffffffffffff", 36);

    /* a time that has no room leaves the version alone */

    martech_uuid7(out, UINT64_MAX, random);
    assert_memory_equal(out + 13, "-7fff-bfff-", 11);

    free(out);
}


/*
 * Turning one random bit turns one bit of the id or none, and 74 of the 128
 * turn one: no bit is used twice, none of the 74 is constant.
 */
static void
test_uuid7_random_bits(void **state)
{
    int             i, k, n, used;
    uint64_t        random[2];
    unsigned char   text[MARTECH_UUID_LEN], zero[16], bits[16], seen[16];

    (void) state;

    random[0] = 0;
    random[1] = 0;

    martech_uuid7(text, 1795203360000, random);
    test_uuid_bits(text, zero);

    memset(seen, 0, sizeof(seen));
    used = 0;

    for (i = 0; i < 128; i++) {
        random[0] = 0;
        random[1] = 0;
        random[i / 64] = (uint64_t) 1 << (i % 64);

        martech_uuid7(text, 1795203360000, random);
        test_uuid_bits(text, bits);

        n = 0;

        for (k = 0; k < 16; k++) {
            bits[k] ^= zero[k];
            n += __builtin_popcount(bits[k]);
            assert_int_equal(seen[k] & bits[k], 0);
            seen[k] |= bits[k];
        }

        assert_true(n <= 1);
        used += n;
    }

    assert_int_equal(used, 74);

    /* none of them in the time, the version or the variant */

    assert_memory_equal(seen, "\0\0\0\0\0\0\x0f\xff\x3f\xff\xff\xff\xff\xff"
                              "\xff\xff", 16);
}


/* Later is greater, whatever the random bits. */
static void
test_uuid7_order(void **state)
{
    uint64_t       ms, high[2], low[2];
    unsigned char  before[MARTECH_UUID_LEN], after[MARTECH_UUID_LEN];

    (void) state;

    high[0] = UINT64_MAX;
    high[1] = UINT64_MAX;
    low[0] = 0;
    low[1] = 0;

    for (ms = 1; ms < ((uint64_t) 1 << 48) - 1; ms += 1 + ms / 7) {
        martech_uuid7(before, ms, high);
        martech_uuid7(after, ms + 1, low);
        assert_true(memcmp(before, after, MARTECH_UUID_LEN) < 0);
    }
}


static void
test_uuid5_vectors(void **state)
{
    size_t          i;
    unsigned char  *out, *name;

    (void) state;

    out = test_alloc(MARTECH_UUID_LEN);

    for (i = 0; i < test_count(test_names); i++) {
        name = test_copy(test_names[i].name, strlen(test_names[i].name));

        martech_uuid5(out, test_dns, name, strlen(test_names[i].name));

        if (memcmp(out, test_names[i].uuid, MARTECH_UUID_LEN) != 0) {
            test_fail("\"%s\": %.36s", test_names[i].name, out);
        }

        free(name);
    }

    for (i = 0; i < test_count(test_lengths); i++) {
        name = test_alloc(test_lengths[i].len);
        memset(name, 'x', test_lengths[i].len);

        martech_uuid5(out, test_dns, name, test_lengths[i].len);

        if (memcmp(out, test_lengths[i].uuid, MARTECH_UUID_LEN) != 0) {
            test_fail("%zu letters: %.36s", test_lengths[i].len, out);
        }

        free(name);
    }

    free(out);
}


/* Version and variant hold for every name; the name space counts. */
static void
test_uuid5_layout(void **state)
{
    int            i;
    unsigned char  a[MARTECH_UUID_LEN], b[MARTECH_UUID_LEN], bits[16];
    unsigned char  other[16];

    (void) state;

    memcpy(other, test_dns, 16);
    other[15] ^= 1;

    for (i = 0; i < 1000; i++) {
        martech_uuid5(a, test_dns, &i, sizeof(i));
        test_uuid_bits(a, bits);

        assert_int_equal(bits[6] >> 4, 5);
        assert_int_equal(bits[8] >> 6, 2);

        martech_uuid5(b, other, &i, sizeof(i));
        assert_memory_not_equal(a, b, MARTECH_UUID_LEN);
    }
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_uuid7_layout),
        cmocka_unit_test(test_uuid7_random_bits),
        cmocka_unit_test(test_uuid7_order),
        cmocka_unit_test(test_uuid5_vectors),
        cmocka_unit_test(test_uuid5_layout),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
