
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The reader of bits: no copy is made, each access looks at the characters
 * that hold the bits asked for.
 */


#include "martech_bits.h"


/* the character behind that of a bit holds the next six of them */
#define MARTECH_BITS_CHAR  6


/* by character, from "-" on: its value, or -1 */
static const signed char  martech_bits_values[] = {
    62, -1, -1,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61,
    -1, -1, -1, -1, -1, -1, -1,
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
    13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
    -1, -1, -1, -1, 63, -1,
    26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38,
    39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51
};


static int martech_bits_value(unsigned char ch);


int
martech_bits_open(martech_bits_t *bits, martech_str_t text)
{
    size_t  i;

    while (text.len != 0 && text.data[text.len - 1] == '=') {
        text.len--;
    }

    bits->text = text.data;
    bits->count = text.len * MARTECH_BITS_CHAR;
    bits->pos = 0;
    bits->overrun = 0;

    for (i = 0; i < text.len; i++) {

        if (martech_bits_value(text.data[i]) < 0) {
            bits->count = 0;
            return 0;
        }
    }

    return 1;
}


static int
martech_bits_value(unsigned char ch)
{
    unsigned  i;

    i = (unsigned) ch - '-';

    return (i < sizeof(martech_bits_values)) ? martech_bits_values[i] : -1;
}


uint64_t
martech_bits_get(martech_bits_t *bits, unsigned width)
{
    unsigned  n, value;
    uint64_t  result;

    if (bits->count - bits->pos < width) {
        bits->overrun = 1;
        bits->pos = bits->count;
        return 0;
    }

    result = 0;

    while (width != 0) {

        value = (unsigned)
                martech_bits_value(bits->text[bits->pos / MARTECH_BITS_CHAR]);

        /* n bits are left in this character, the low ones */

        n = MARTECH_BITS_CHAR - bits->pos % MARTECH_BITS_CHAR;
        value &= (1u << n) - 1;

        if (n > width) {
            value >>= n - width;
            n = width;
        }

        result = result << n | value;
        bits->pos += n;
        width -= n;
    }

    return result;
}


void
martech_bits_skip(martech_bits_t *bits, size_t width)
{
    if (bits->count - bits->pos < width) {
        bits->overrun = 1;
        bits->pos = bits->count;
        return;
    }

    bits->pos += width;
}


uint32_t
martech_bits_fibonacci(martech_bits_t *bits, uint32_t max)
{
    int       last, bit;
    uint64_t  sum, term, next, swap;

    sum = 0;
    last = 0;
    term = 1;
    next = 2;

    for ( ;; ) {

        bit = (int) martech_bits_get(bits, 1);

        if (bits->overrun) {
            return 0;
        }

        if (bit && last) {
            return (uint32_t) sum;
        }

        if (bit) {
            sum += term;
        }

        if (sum > max) {
            break;
        }

        last = bit;

        /* terms above the greatest number stay: they are only compared */

        if (term <= UINT32_MAX) {
            swap = term + next;
            term = next;
            next = swap;
        }
    }

    bits->overrun = 1;

    return 0;
}
