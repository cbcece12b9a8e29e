
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_base64: each byte at each place, all short lengths
 * with and without padding, and what is no base64.
 */


#include "martech_test.h"

/* martech */
#include "martech_base64.h"


#define TEST_LENGTH  70


static long
decode(const char *text, unsigned char *out)
{
    martech_str_t  s;

    s.data = (const unsigned char *) text;
    s.len = strlen(text);

    return martech_base64_decode(s, out);
}


/* The bits that the i-th of seven characters stands for; the last has two that
   are of no byte. */

static int
six_bits(const unsigned char *out, size_t i)
{
    uint32_t  bits;

    out += i / 4 * 3;
    bits = ((uint32_t) out[0] << 16) | ((uint32_t) out[1] << 8)
           | (i < 4 ? out[2] : 0);

    return (int) (bits >> (18 - i % 4 * 6) & 0x3f);
}


/* A character counts wherever it stands, and nothing else does. */

static void
test_characters(void **state)
{
    int            ch;
    long           n;
    size_t         i;
    char           text[10];
    const char    *known;
    unsigned char  out[12];

    static const char  alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "abcdefghijklmnopqrstuvwxyz0123456789+/";

    (void) state;

    for (ch = 1; ch < 256; ch++) {
        known = (ch == '-') ? alphabet + 62
                            : (ch == '_') ? alphabet + 63
                                          : strchr(alphabet, ch);

        for (i = 0; i < 7; i++) {
            memcpy(text, "AAAAAAA", 8);
            text[i] = (char) ch;

            n = decode(text, out);

            if (known == NULL) {
                assert_int_equal(n, (ch == '=' && i == 6) ? 4 : -1);
                continue;
            }

            assert_int_equal(n, 5);
            assert_int_equal(six_bits(out, i),
                             (known - alphabet) & (i == 6 ? 0x3c : 0x3f));
        }
    }
}


static void
test_lengths(void **state)
{
    size_t         i, len, size;
    martech_str_t  bytes, text;
    unsigned char  in[TEST_LENGTH], coded[TEST_LENGTH * 2];
    unsigned char  out[TEST_LENGTH * 2];

    (void) state;

    for (i = 0; i < TEST_LENGTH; i++) {
        in[i] = (unsigned char) (i * 151 + 7);
    }

    for (len = 0; len <= TEST_LENGTH; len++) {
        bytes.data = in;
        bytes.len = len;

        size = martech_base64_encode(bytes, coded);
        assert_int_equal(size, (len + 2) / 3 * 4);

        text.data = coded;
        text.len = size;

        for ( ;; ) {
            assert_int_equal(martech_base64_decode(text, out), len);
            assert_memory_equal(out, in, len);

            if (text.len == 0 || coded[text.len - 1] != '=') {
                break;
            }

            text.len--;
        }
    }
}


static void
test_wrong(void **state)
{
    size_t         i;
    unsigned char  out[24];

    static const char *const  texts[] = {
        "A", "AAAAA", "A===", "AA===", "AA=A", "====", "AAAA====",
        "AAAA=A", "AA A", "AAAA\n", "A=AA", "AAAAA="
    };

    (void) state;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {

        if (decode(texts[i], out) != -1) {
            fail_msg("\"%s\" is taken for base64", texts[i]);
        }
    }
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_wrong),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
