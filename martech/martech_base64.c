
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Base64.
 */


#include "martech_base64.h"


static int martech_base64_tail(martech_str_t src, size_t from);


/*
 * By character: its six bits and one more, so that 0 is no character of
 * base64; "-" is "+", "_" is "/".
 */

static const unsigned char  martech_base64_values[256] = {
    ['+'] = 63, ['-'] = 63, ['/'] = 64, ['_'] = 64,
    ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, ['4'] = 57,
    ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62,
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5,
    ['F'] = 6, ['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10,
    ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15,
    ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20,
    ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25,
    ['Z'] = 26,
    ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31,
    ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
    ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41,
    ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46,
    ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51,
    ['z'] = 52,
};


long
martech_base64_decode(martech_str_t src, unsigned char *out)
{
    size_t          i;
    uint32_t        bits, a, b, c, d;
    unsigned        held;
    unsigned char   value, *p;

    p = out;

    /* four at once as long as they are characters */

    for (i = 0; src.len - i >= 4; i += 4) {
        a = martech_base64_values[src.data[i]];
        b = martech_base64_values[src.data[i + 1]];
        c = martech_base64_values[src.data[i + 2]];
        d = martech_base64_values[src.data[i + 3]];

        if (a == 0 || b == 0 || c == 0 || d == 0) {
            break;
        }

        bits = ((a - 1) << 18) | ((b - 1) << 12) | ((c - 1) << 6) | (d - 1);

        *p++ = (unsigned char) (bits >> 16);
        *p++ = (unsigned char) (bits >> 8);
        *p++ = (unsigned char) bits;
    }

    bits = 0;
    held = 0;

    for ( /* void */ ; i < src.len && src.data[i] != '='; i++) {
        value = martech_base64_values[src.data[i]];

        if (value == 0) {
            return -1;
        }

        bits = (bits << 6) | (value - 1u);
        held += 6;

        if (held >= 8) {
            held -= 8;
            *p++ = (unsigned char) (bits >> held);
        }
    }

    if (held == 6 || !martech_base64_tail(src, i)) {
        return -1;
    }

    return (long) (p - out);
}


/* 1 if nothing but padding stands at the end, and not too much of it. */

static int
martech_base64_tail(martech_str_t src, size_t from)
{
    size_t  i;

    for (i = from; i < src.len; i++) {
        if (src.data[i] != '=') {
            return 0;
        }
    }

    return src.len - from <= 2;
}


size_t
martech_base64_encode(martech_str_t src, unsigned char *out)
{
    size_t          i, left;
    uint32_t        bits;
    unsigned char  *p;

    static const unsigned char  alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    p = out;

    for (i = 0; i < src.len; i += 3) {
        left = src.len - i;

        bits = (uint32_t) src.data[i] << 16;
        bits |= (left > 1) ? (uint32_t) src.data[i + 1] << 8 : 0;
        bits |= (left > 2) ? src.data[i + 2] : 0;

        *p++ = alphabet[bits >> 18];
        *p++ = alphabet[(bits >> 12) & 0x3f];
        *p++ = (left > 1) ? alphabet[(bits >> 6) & 0x3f] : '=';
        *p++ = (left > 2) ? alphabet[bits & 0x3f] : '=';
    }

    return (size_t) (p - out);
}
