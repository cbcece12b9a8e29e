
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_bits: widths across characters, ends, and the
 * Fibonacci code against one that is written here.
 */


#include "martech_test.h"

/* martech */
#include "martech_bits.h"


static const char  test_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";


static void
test_characters(void **state)
{
    int             ch;
    char            text[1];
    martech_str_t   s;
    martech_bits_t  bits;
    const char     *found;

    (void) state;

    s.data = (unsigned char *) text;
    s.len = 1;

    for (ch = 0; ch < 256; ch++) {
        text[0] = (char) ch;
        found = ch ? strchr(test_alphabet, ch) : NULL;

        assert_int_equal(martech_bits_open(&bits, s),
                         found != NULL || ch == '=');

        if (found != NULL) {
            assert_int_equal(martech_bits_get(&bits, 6),
                             found - test_alphabet);
        }
    }
}


static void
test_widths(void **state)
{
    unsigned        width, pos, i;
    uint64_t        want;
    martech_str_t   s;
    martech_bits_t  bits;

    (void) state;

    /* 64 characters of all values: 384 bits, number i of them in want */

    s.len = 64;
    s.data = test_copy(test_alphabet, 64);

    for (width = 1; width <= 57; width++) {

        for (pos = 0; pos + width <= 384; pos++) {

            for (i = pos, want = 0; i < pos + width; i++) {
                want = want << 1 | (((i / 6) >> (5 - i % 6)) & 1);
            }

            assert_true(martech_bits_open(&bits, s));
            martech_bits_skip(&bits, pos);
            assert_int_equal(martech_bits_get(&bits, width), want);
            assert_int_equal(bits.pos, pos + width);
            assert_false(bits.overrun);
        }
    }

    free((void *) s.data);
}


static void
test_end(void **state)
{
    martech_bits_t  bits;

    (void) state;

    assert_true(martech_bits_open(&bits, test_str("__==")));
    assert_int_equal(martech_bits_get(&bits, 12), 0xfff);
    assert_int_equal(martech_bits_get(&bits, 0), 0);
    assert_false(bits.overrun);
    assert_int_equal(martech_bits_get(&bits, 1), 0);
    assert_true(bits.overrun);

    assert_true(martech_bits_open(&bits, test_str("__")));
    assert_int_equal(martech_bits_get(&bits, 13), 0);
    assert_true(bits.overrun);
    assert_int_equal(martech_bits_get(&bits, 1), 0);

    assert_true(martech_bits_open(&bits, test_str("__")));
    martech_bits_skip(&bits, SIZE_MAX);
    assert_true(bits.overrun);

    assert_true(martech_bits_open(&bits, test_str("")));
    assert_false(bits.overrun);
    assert_int_equal(martech_bits_fibonacci(&bits, 9), 0);
    assert_true(bits.overrun);
}


/* The greatest terms first; the code has the smallest in front. */

static martech_str_t
test_fibonacci_code(char *text, unsigned n)
{
    int            i, used, set[40];
    char           code[42];
    unsigned       terms[40];
    martech_str_t  s;

    terms[0] = 1;
    terms[1] = 2;

    for (i = 2; i < 40; i++) {
        terms[i] = terms[i - 1] + terms[i - 2];
    }

    for (i = 39, used = 0; i >= 0; i--) {
        set[i] = n >= terms[i];
        n -= set[i] ? terms[i] : 0;
        used = (set[i] && used == 0) ? i + 1 : used;
    }

    memset(code, 0, sizeof(code));

    for (i = 0; i < used; i++) {
        code[i] = (char) set[i];
    }

    code[used++] = 1;

    s.data = (unsigned char *) text;
    s.len = (size_t) (used + 5) / 6;

    for (i = 0; i < (int) s.len * 6; i++) {
        text[i / 6] = (char) ((i % 6 ? text[i / 6] : 0) * 2
                              + (i < used ? code[i] : 0));
    }

    for (i = 0; i < (int) s.len; i++) {
        text[i] = test_alphabet[(int) text[i]];
    }

    return s;
}


static void
test_fibonacci(void **state)
{
    char            text[8];
    unsigned        n;
    martech_bits_t  bits;

    (void) state;

    for (n = 1; n < 20000; n++) {
        assert_true(martech_bits_open(&bits, test_fibonacci_code(text, n)));
        assert_int_equal(martech_bits_fibonacci(&bits, n), n);
        assert_false(bits.overrun);

        assert_true(martech_bits_open(&bits, test_fibonacci_code(text, n)));
        assert_int_equal(martech_bits_fibonacci(&bits, n - 1), 0);
        assert_true(bits.overrun);
    }
}


/* A long row of zeros, and the greatest number. */

static void
test_fibonacci_long(void **state)
{
    size_t          size;
    char           *text;
    martech_str_t   s;
    martech_bits_t  bits;

    (void) state;

    size = 100000;
    text = test_alloc(size);
    memset(text, 'A', size);
    text[size - 1] = 'D';

    s.data = (unsigned char *) text;
    s.len = size;

    assert_true(martech_bits_open(&bits, s));
    assert_int_equal(martech_bits_fibonacci(&bits, UINT32_MAX), 0);
    assert_true(bits.overrun);

    free(text);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_fibonacci),
        cmocka_unit_test(test_fibonacci_long),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
