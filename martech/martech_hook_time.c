
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Times and codes as they stand in headers, read strictly: what is signed is
 * the text, so there must be one text only for a value.
 */


#include <string.h>

#include "martech_base64.h"
#include "martech_hook_private.h"
#include "martech_time.h"


#define MARTECH_HOOK_DATE_LEN  29        /* RFC 9110 section 5.6.7 */


static int64_t martech_hook_date(martech_str_t text);
static size_t martech_hook_hex(martech_str_t text, unsigned char *out,
    size_t size);
static size_t martech_hook_base64(martech_str_t text, int url,
    unsigned char *out, size_t size);


int64_t
martech_hook_time(martech_str_t text, martech_hook_unit_e unit)
{
    int64_t  ms;

    switch (unit) {

    case MARTECH_HOOK_RFC3339:

        if (martech_time_parse(text.data, text.len, &ms) != MARTECH_OK) {
            return -1;
        }

        return ms;

    case MARTECH_HOOK_HTTP_DATE:
        return martech_hook_date(text);

    default:
        ms = (text.len <= 14) ? martech_dialect_integer(text) : -1;

        return (ms >= 0 && unit == MARTECH_HOOK_S) ? ms * 1000 : ms;
    }
}


/* "Sun, 06 Nov 1994 08:49:37 GMT", put as the other reader has it. */

static int64_t
martech_hook_date(martech_str_t text)
{
    int                   month;
    int64_t               ms;
    unsigned char         other[] = "0000-00-00T00:00:00Z";
    const unsigned char  *p;

    static const char  months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    p = text.data;

    if (text.len != MARTECH_HOOK_DATE_LEN || memcmp(p + 3, ", ", 2) != 0
        || p[7] != ' ' || p[11] != ' ' || p[16] != ' '
        || memcmp(p + 25, " GMT", 4) != 0)
    {
        return -1;
    }

    for (month = 0; month < 12; month++) {
        if (memcmp(months + 3 * month, p + 8, 3) == 0) {
            break;
        }
    }

    month++;

    memcpy(other, p + 12, 4);
    other[5] = (unsigned char) ('0' + month / 10);
    other[6] = (unsigned char) ('0' + month % 10);
    memcpy(other + 8, p + 5, 2);
    memcpy(other + 11, p + 17, 8);

    /* month 13 is none */

    if (martech_time_parse(other, sizeof(other) - 1, &ms) != MARTECH_OK) {
        return -1;
    }

    return ms;
}


size_t
martech_hook_decode(martech_hook_encoding_e encoding, martech_str_t text,
    unsigned char *out, size_t size)
{
    switch (encoding) {

    case MARTECH_HOOK_HEX:
        return martech_hook_hex(text, out, size);

    case MARTECH_HOOK_TEXT:
        martech_hook_sha256(text, out);
        return text.len ? 32 : 0;

    default:
        return martech_hook_base64(text, encoding == MARTECH_HOOK_BASE64URL,
                                   out, size);
    }
}


static size_t
martech_hook_hex(martech_str_t text, unsigned char *out, size_t size)
{
    size_t         i;
    unsigned       digit;
    unsigned char  ch;

    if (text.len % 2 || text.len / 2 > size) {
        return 0;
    }

    for (i = 0; i < text.len; i++) {
        ch = text.data[i];

        if (ch >= '0' && ch <= '9') {
            digit = ch - '0';

        } else if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f') {
            digit = (ch | 0x20) - 'a' + 10;

        } else {
            return 0;
        }

        out[i / 2] = (unsigned char) (i % 2 ? out[i / 2] | digit : digit << 4);
    }

    return text.len / 2;
}


/*
 * What is decoded must be written like that again, but for the padding: bits
 * that no byte needs are 0.  A blank was "+" before a proxy took it for one.
 */

static size_t
martech_hook_base64(martech_str_t text, int url, unsigned char *out,
    size_t size)
{
    long           n;
    size_t         i, len;
    martech_str_t  decoded;
    unsigned char  copy[MARTECH_HOOK_SECRET_MAX * 2];
    unsigned char  again[MARTECH_HOOK_SECRET_MAX * 2];

    for (i = 0; i < 2 && text.len > 0 && text.data[text.len - 1] == '='; i++) {
        text.len--;
    }

    len = text.len;

    if (len == 0 || len > MARTECH_HOOK_SECRET_MAX
        || martech_base64_decoded(len) > size + 3)
    {
        return 0;
    }

    for (i = 0; i < len; i++) {
        copy[i] = text.data[i];

        if (url ? (copy[i] == '+' || copy[i] == '/')
                : (copy[i] == '-' || copy[i] == '_'))
        {
            return 0;
        }

        if (copy[i] == ' ' || copy[i] == '-') {
            copy[i] = '+';

        } else if (copy[i] == '_') {
            copy[i] = '/';
        }
    }

    text.data = copy;

    n = martech_base64_decode(text, again);

    if (n <= 0 || (size_t) n > size) {
        return 0;
    }

    memcpy(out, again, (size_t) n);

    decoded.data = out;
    decoded.len = (size_t) n;

    if (martech_base64_encode(decoded, again) < len
        || memcmp(again, copy, len) != 0)
    {
        return 0;
    }

    return decoded.len;
}
