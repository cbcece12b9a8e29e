
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Phone numbers.  They have no check digit, so what is found is a spelling
 * that other numbers do not have: a "+", an area code in parentheses, the
 * groups of a country, or a word in front of it.
 */


#include <string.h>

#include "martech_pii_private.h"


#define MARTECH_PII_GROUPS  8
#define MARTECH_PII_PHONE_MAX  15        /* digits, E.164 */


/* A number as it is written. */
typedef struct {
    unsigned              plus:1;
    unsigned              paren:1;       /* group 0 or 1 is in parentheses */
    unsigned              parens;        /* which */
    unsigned              count;         /* groups */
    unsigned              digits;
    unsigned char         size[MARTECH_PII_GROUPS];
    unsigned char         joint[MARTECH_PII_GROUPS];  /* before a group; '+'
                                                         for several */
    unsigned char         digit[MARTECH_PII_PHONE_MAX + 3];
    const unsigned char  *end[MARTECH_PII_GROUPS];
} martech_pii_call_t;


static int martech_pii_call_read(martech_pii_call_t *call,
    const unsigned char *p, const unsigned char *end);
static const unsigned char *martech_pii_call_joint(martech_pii_call_t *call,
    const unsigned char *p, const unsigned char *end, unsigned char *kind);
static int martech_pii_call_before(const unsigned char *text,
    const unsigned char *p);
static int martech_pii_call_after(const martech_pii_call_t *call,
    unsigned count, const unsigned char *end);
static int martech_pii_call_is(const martech_pii_call_t *call,
    unsigned count, unsigned hints);
static int martech_pii_call_abroad(const unsigned char *digit,
    unsigned digits);
static int martech_pii_call_area(const martech_pii_call_t *call,
    unsigned digits);
static int martech_pii_call_trunk(const martech_pii_call_t *call,
    unsigned count, unsigned digits);
static int martech_pii_call_groups(const martech_pii_call_t *call,
    unsigned count);


const unsigned char *
martech_pii_phone(const unsigned char *text, const unsigned char *p,
    const unsigned char *end, unsigned hints)
{
    unsigned            count;
    martech_pii_call_t  call;

    if (!martech_pii_call_read(&call, p, end)
        || !martech_pii_call_before(text, p))
    {
        return NULL;
    }

    if (!(hints & MARTECH_PII_HINT_PHONE)) {
        hints = martech_pii_cue(text, p);
    }

    for (count = call.count; count > 0; count--) {

        if (martech_pii_call_after(&call, count, end)
            && martech_pii_call_is(&call, count, hints))
        {
            return call.end[count - 1];
        }
    }

    return NULL;
}


static int
martech_pii_call_read(martech_pii_call_t *call, const unsigned char *p,
    const unsigned char *end)
{
    unsigned              n, size;
    unsigned char         kind;
    const unsigned char  *q;

    memset(call, 0, sizeof(martech_pii_call_t));

    kind = 0;

    if (*p == '+') {
        call->plus = 1;
        p++;

    } else if (*p == '%') {

        if (end - p < 3 || p[1] != '2' || (p[2] | 0x20) != 'b') {
            return 0;
        }

        call->plus = 1;
        p += 3;
    }

    if (call->plus && p < end && *p == ' ') {
        p++;
    }

    if (p < end && *p == '(') {
        call->paren = 1;
        p++;

        if (p < end && *p == '+') {
            call->plus = 1;
            call->paren = 0;
            p++;
        }
    }

    for (n = 0; n < MARTECH_PII_GROUPS; n++) {

        for (q = p; q < end && martech_pii_digit(*q)
             && call->digits < sizeof(call->digit);
             q++)
        {
            call->digit[call->digits++] = *q;
        }

        size = (unsigned) (q - p);

        if (size == 0) {
            break;
        }

        call->size[n] = (unsigned char) size;
        call->joint[n] = kind;
        call->end[n] = q;
        call->count = n + 1;

        p = martech_pii_call_joint(call, q, end, &kind);

        if (p == q) {
            break;
        }
    }

    return call->digits >= 6;
}


/* Between groups: one joint, or a few with parentheses. */

static const unsigned char *
martech_pii_call_joint(martech_pii_call_t *call, const unsigned char *p,
    const unsigned char *end, unsigned char *kind)
{
    size_t                n;
    unsigned              count;
    unsigned char         one;
    const unsigned char  *start;

    start = p;
    *kind = 0;

    for (count = 0; count < 3 && p < end; count++) {

        if (*p == '(' && !call->paren && call->count == 1) {
            call->paren = 1;
            call->parens = 1;
            p++;

        } else if (*p == ')') {
            p++;

        } else {
            n = martech_pii_joint(p, end, &one);

            if (n == 0) {
                break;
            }

            *kind = (*kind == 0) ? one : '+';
            p += n;
        }
    }

    return (p < end && martech_pii_digit(*p)) ? p : start;
}


/* What stands in front of it must not make it a part of something else. */

static int
martech_pii_call_before(const unsigned char *text, const unsigned char *p)
{
    if (p == text) {
        return 1;
    }

    if (p[-1] == '%') {
        return 0;
    }

    if (martech_pii_alnum(p[-1])) {

        /* the digits of an escape end in front of it, "%3D", and a "+" may
           follow a word: only an escape lets it pass */

        return p - text >= 3 && p[-3] == '%';
    }

    /* "$", sterling, euro: an amount */

    if (p[-1] == '$' || p[-1] == '#' || p[-1] == '_' || p[-1] == '@'
        || (p[-1] == 0xa3 && p - text >= 2 && p[-2] == 0xc2)
        || (p[-1] == 0xac && p - text >= 3 && p[-3] == 0xe2))
    {
        return 0;
    }

    if (p[-1] == '-' || p[-1] == '.' || p[-1] == '/' || p[-1] == '+'
        || p[-1] == '(' || p[-1] == ',')
    {
        return p - text == 1 || !martech_pii_alnum(p[-2]);
    }

    return 1;
}


static int
martech_pii_call_after(const martech_pii_call_t *call, unsigned count,
    const unsigned char *end)
{
    const unsigned char  *p;

    p = call->end[count - 1];

    if (count < call->count) {
        return call->joint[count] == ' ' || call->joint[count] == '+';
    }

    if (p == end) {
        return 1;
    }

    if (martech_pii_alnum(*p) || *p == '_' || *p == '@') {

        /* an extension: "x12" */

        return *p == 'x' && end - p >= 2 && martech_pii_digit(p[1]);
    }

    if (end - p >= 2 && (*p == '-' || *p == '.' || *p == '/' || *p == ','
                         || *p == ':'))
    {
        return !martech_pii_alnum(p[1]);
    }

    return 1;
}


static int
martech_pii_call_is(const martech_pii_call_t *call, unsigned count,
    unsigned hints)
{
    unsigned  i, digits;

    digits = 0;

    for (i = 0; i < count; i++) {
        digits += call->size[i];
    }

    if (digits < 6 || digits > MARTECH_PII_PHONE_MAX + 2) {
        return 0;
    }

    if (call->plus) {

        /* "+12345678.90" is an amount */

        if (count == 2 && call->joint[1] == '.' && call->size[1] < 3) {
            return 0;
        }

        return martech_pii_call_abroad(call->digit, digits);
    }

    if (hints & MARTECH_PII_HINT_PHONE) {
        return digits <= MARTECH_PII_PHONE_MAX + 2;
    }

    if (call->paren && call->parens < count) {
        return martech_pii_call_area(call, digits);
    }

    if (call->digit[0] == '0') {
        return martech_pii_call_trunk(call, count, digits);
    }

    return martech_pii_call_groups(call, count);
}


/* Behind "+" or "00": a country's code, and enough behind it. */

static int
martech_pii_call_abroad(const unsigned char *digit, unsigned digits)
{
    if (digits < 7 || digits > MARTECH_PII_PHONE_MAX || digit[0] == '0') {
        return 0;
    }

    if (digit[0] == '1') {
        return digits == 11 && digit[1] >= '2' && digit[4] >= '2';
    }

    /* codes that no country has */

    return memcmp(digit, "28", 2) != 0 && memcmp(digit, "83", 2) != 0
           && memcmp(digit, "89", 2) != 0 && memcmp(digit, "99", 2) != 0
           && memcmp(digit, "210", 3) != 0 && memcmp(digit, "214", 3) != 0
           && memcmp(digit, "215", 3) != 0 && memcmp(digit, "217", 3) != 0
           && memcmp(digit, "219", 3) != 0;
}


/* "(212) 555-0123", "(030) 1234567", "8 (495) 123-45-67", "(11) 91234-5678" */

static int
martech_pii_call_area(const martech_pii_call_t *call, unsigned digits)
{
    unsigned              size, rest;
    const unsigned char  *area;

    area = call->digit + (call->parens ? call->size[0] : 0);
    size = call->size[call->parens];
    rest = (unsigned) (call->digit + digits - area) - size;

    if (call->parens && call->size[0] > 3) {
        return 0;
    }

    if (area[0] == '0') {
        return size <= 5 && rest >= 5 && rest <= 9;
    }

    if (size == 3 && area[0] >= '2') {
        return rest == 7;
    }

    return size == 2 && (rest == 8 || rest == 9);
}


/* "030 1234567", "0176/12345678", "01 42 68 53 00", "0044 20 7946 0958" */

static int
martech_pii_call_trunk(const martech_pii_call_t *call, unsigned count,
    unsigned digits)
{
    unsigned  i, pairs;

    if (count == 1) {
        return 0;
    }

    if (call->digit[1] == '0') {
        return digits >= 11 && call->size[0] >= 4
               && martech_pii_call_abroad(call->digit + 2, digits - 2);
    }

    if (digits < 9 || digits > 12 || call->size[0] > 5) {
        return 0;
    }

    pairs = 0;

    for (i = 0; i < count; i++) {
        pairs += (call->size[i] == 2);

        if (call->size[i] == 1) {
            return 0;
        }
    }

    if (call->size[0] != 2) {
        return 1;
    }

    /* "01.02.2026 1230" is a date; five pairs are French */

    return pairs == count ? count == 5 : call->size[1] >= 4;
}


/* Without a trunk zero, groups that other numbers are not written in. */

static int
martech_pii_call_groups(const martech_pii_call_t *call, unsigned count)
{
    unsigned              i, first;
    const unsigned char  *digit;

    for (i = 1; i < count; i++) {

        if (call->joint[i] == '+') {
            return 0;
        }
    }

    digit = call->digit;
    first = (count == 4 && call->size[0] == 1 && digit[0] == '1') ? 1 : 0;
    digit += first;

    /* North America: "212-555-0123", "1.212.555.0123" */

    if (count - first == 3 && call->size[first] == 3
        && call->size[first + 1] == 3 && call->size[first + 2] == 4)
    {
        return digit[0] >= '2' && digit[3] >= '2'
               && (call->joint[first + 1] == call->joint[first + 2]
                   || call->joint[first + 1] == '/');
    }

    /* China: "138 1234 5678" */

    if (count == 3 && call->size[0] == 3 && call->size[1] == 4
        && call->size[2] == 4)
    {
        return digit[0] == '1' && digit[1] >= '3'
               && call->joint[1] == call->joint[2];
    }

    /* Spain: "612 34 56 78" */

    if (count == 4 && call->size[0] == 3 && call->size[1] == 2
        && call->size[2] == 2 && call->size[3] == 2)
    {
        return digit[0] == '6' || digit[0] == '7' || digit[0] == '9';
    }

    /* India: "98765 43210"; Brazil: "11 91234-5678" */

    if (count == 2 && call->size[0] == 5 && call->size[1] == 5) {
        return digit[0] >= '6' && call->joint[1] == ' ';
    }

    return count == 3 && call->size[0] == 2 && call->size[1] == 5
           && call->size[2] == 4 && digit[0] != '0' && digit[2] == '9'
           && call->joint[1] == ' ' && call->joint[2] == '-';
}
