
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Base64, character by character: texts are short, and rarely looked at.
 */


#include "martech_base64.h"


#define MARTECH_BASE64_NO   0xff         /* no character of base64 */


static int martech_base64_tail(martech_str_t src, size_t from);


/* By character: its six bits; '-' is '+', '_' is '/'. */

static unsigned char
martech_base64_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (unsigned char) (c - 'A');
    }

    if (c >= 'a' && c <= 'z') {
        return (unsigned char) (c - 'a' + 26);
    }

    if (c >= '0' && c <= '9') {
        return (unsigned char) (c - '0' + 52);
    }

    if (c == '+' || c == '-') {
        return 62;
    }

    if (c == '/' || c == '_') {
        return 63;
    }

    return MARTECH_BASE64_NO;
}


long
martech_base64_decode(martech_str_t src, unsigned char *out)
{
    size_t          i;
    uint32_t        bits;
    unsigned        held;
    unsigned char   value, *p;

    p = out;
    bits = 0;
    held = 0;

    for (i = 0; i < src.len && src.data[i] != '='; i++) {
        value = martech_base64_value(src.data[i]);

        if (value == MARTECH_BASE64_NO) {
            return -1;
        }

        bits = (bits << 6) | value;
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
