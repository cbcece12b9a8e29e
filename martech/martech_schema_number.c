
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * JSON numbers by their decimal text, of any size, without rounding and
 * without memory.  Exponents beyond 10^15 count as 10^15.
 */


#include <string.h>

#include "martech_schema_core.h"


#define MARTECH_SCHEMA_SMALL_DIGITS  18          /* that an int64_t holds */
#define MARTECH_SCHEMA_EXPONENT_MAX  1000000000000000


static void martech_schema_decimal_parse(martech_schema_decimal_t *d,
    martech_str_t text);


/* Digits with a fraction or without one; what has an exponent, or is long,
   is read to its long form. */

void
martech_schema_decimal(martech_schema_decimal_t *d, martech_str_t text)
{
    int64_t               value;
    unsigned char         any;
    const unsigned char  *p, *end;

    p = text.data;
    end = p + text.len;

    d->negative = (*p == '-');
    p += d->negative;

    d->digits = p;
    d->end = end;
    d->rest = 0;
    value = 0;

    if (end - p <= MARTECH_SCHEMA_SMALL_DIGITS) {

        while (p < end && (unsigned char) (*p - '0') < 10) {
            value = value * 10 + (*p++ - '0');
        }

        if (p < end && *p == '.') {
            any = 0;

            for (p++; p < end && (unsigned char) (*p - '0') < 10; p++) {
                any |= *p - '0';
            }

            if (any) {
                d->rest = d->negative ? -1 : 1;
            }
        }
    }

    if (p == end) {
        d->brief = 1;
        d->value = d->negative ? -value : value;

        return;
    }

    martech_schema_decimal_parse(d, text);
}


/* The exponent behind "e", with its limit. */

static int64_t
martech_schema_decimal_exponent(const unsigned char *p,
    const unsigned char *end)
{
    int      negative;
    int64_t  n;

    n = 0;
    negative = (p < end && *p == '-');

    if (p < end && (*p == '-' || *p == '+')) {
        p++;
    }

    while (p < end && n < MARTECH_SCHEMA_EXPONENT_MAX) {
        n = n * 10 + (*p++ - '0');
    }

    if (n > MARTECH_SCHEMA_EXPONENT_MAX) {
        n = MARTECH_SCHEMA_EXPONENT_MAX;
    }

    return negative ? -n : n;
}


/* Finds the digits that count, and where the point stands among them. */

static void
martech_schema_decimal_parse(martech_schema_decimal_t *d, martech_str_t text)
{
    int64_t               integer, exponent;
    uint32_t              seen;
    const unsigned char  *p, *end;

    p = text.data + (text.data[0] == '-');
    end = text.data + text.len;

    d->brief = 0;
    d->rest = 0;
    d->digits = NULL;
    d->end = NULL;
    d->count = 0;
    d->point = 0;
    d->negative = (text.data[0] == '-');

    integer = -1;           /* digits in front of the '.', if it was seen */
    exponent = 0;
    seen = 0;               /* from the first digit that is not 0 on */

    for ( /* void */ ; p < end; p++) {

        if (*p == '.') {
            integer = seen;

        } else if (*p == 'e' || *p == 'E') {
            exponent = martech_schema_decimal_exponent(p + 1, end);
            break;

        } else if (*p != '0' || seen > 0) {

            if (seen++ == 0) {
                d->digits = p;
            }

            if (*p != '0') {
                d->end = p + 1;
                d->count = seen;
            }

        } else if (integer >= 0) {
            exponent--;     /* 0.00x: the point stands left of the digits */
        }
    }

    if (d->count == 0) {
        d->negative = 0;
        d->brief = 1;
        d->value = 0;

        return;
    }

    d->point = ((integer >= 0) ? integer : (int64_t) seen) + exponent;
}


static inline int
martech_schema_decimal_zero(const martech_schema_decimal_t *d)
{
    return d->brief && d->value == 0 && d->rest == 0;
}


/* A short number in its long form, too; 0 has none. */

static void
martech_schema_decimal_long(martech_schema_decimal_t *d)
{
    martech_str_t  text;

    if (d->brief && !martech_schema_decimal_zero(d)) {
        text.data = d->digits - d->negative;
        text.len = (size_t) (d->end - text.data);

        martech_schema_decimal_parse(d, text);
    }
}


static inline int
martech_schema_decimal_sign(const martech_schema_decimal_t *d)
{
    if (d->brief) {
        return (d->value != 0) ? (d->value > 0) - (d->value < 0) : d->rest;
    }

    return d->negative ? -1 : 1;
}


static const unsigned char *
martech_schema_decimal_digit(const unsigned char *p)
{
    return (*p == '.') ? p + 1 : p;
}


int
martech_schema_decimal_compare_long(const martech_schema_decimal_t *a,
    const martech_schema_decimal_t *b)
{
    int                        sign;
    uint32_t                   i;
    const unsigned char       *p, *q;
    martech_schema_decimal_t   x, y;

    sign = martech_schema_decimal_sign(a);

    if (sign != martech_schema_decimal_sign(b)) {
        return (sign > martech_schema_decimal_sign(b)) ? 1 : -1;
    }

    if (sign == 0) {
        return 0;
    }

    x = *a;
    y = *b;
    martech_schema_decimal_long(&x);
    martech_schema_decimal_long(&y);

    if (x.point != y.point) {
        return (x.point > y.point) ? sign : -sign;
    }

    p = x.digits;
    q = y.digits;

    for (i = 0; i < x.count && i < y.count; i++) {
        p = martech_schema_decimal_digit(p);
        q = martech_schema_decimal_digit(q);

        if (*p != *q) {
            return (*p > *q) ? sign : -sign;
        }

        p++;
        q++;
    }

    if (x.count == y.count) {
        return 0;
    }

    return (x.count > y.count) ? sign : -sign;
}


int
martech_schema_decimal_integer(const martech_schema_decimal_t *d)
{
    return d->brief ? d->rest == 0 : d->point >= (int64_t) d->count;
}


uint64_t
martech_schema_decimal_hash(const martech_schema_decimal_t *d)
{
    uint32_t                   i;
    uint64_t                   hash;
    const unsigned char       *p;
    martech_schema_decimal_t   x;

    if (martech_schema_decimal_zero(d)) {
        return 0;
    }

    x = *d;
    martech_schema_decimal_long(&x);

    hash = 0xcbf29ce484222325ull ^ (uint64_t) x.point ^ x.negative;
    p = x.digits;

    for (i = 0; i < x.count; i++) {
        p = martech_schema_decimal_digit(p);
        hash = (hash ^ *p++) * 0x100000001b3ull;
    }

    return hash;
}


uint64_t
martech_schema_decimal_digits(const martech_schema_decimal_t *d)
{
    uint32_t                   i;
    uint64_t                   n;
    const unsigned char       *p;
    martech_schema_decimal_t   x;

    x = *d;
    martech_schema_decimal_long(&x);

    if (x.brief || x.count > MARTECH_SCHEMA_SMALL_DIGITS) {
        return 0;
    }

    n = 0;
    p = x.digits;

    for (i = 0; i < x.count; i++) {
        p = martech_schema_decimal_digit(p);
        n = n * 10 + (uint64_t) (*p++ - '0');
    }

    return n;
}


int
martech_schema_decimal_count(const martech_schema_decimal_t *d,
    uint64_t *count)
{
    uint64_t  n;
    int64_t   zeros;

    if (!martech_schema_decimal_integer(d)
        || martech_schema_decimal_sign(d) < 0)
    {
        return -1;
    }

    if (d->brief) {
        *count = (uint64_t) d->value;
        return 0;
    }

    n = martech_schema_decimal_digits(d);
    zeros = d->point - (int64_t) d->count;

    while (n != 0 && zeros > 0 && n <= UINT64_MAX / 10) {
        n *= 10;
        zeros--;
    }

    *count = (n == 0 || zeros > 0) ? UINT64_MAX : n;

    return 0;
}


/*
 * With d = X * 10^a and of = D * 10^b, X and D integers that do not end in 0,
 * the quotient is X * 10^(a - b) / D.  If a < b it is no integer, because 10
 * does not divide X.  Else D must divide the dividend; D is below 2^60, so of
 * the powers of ten no more than 64 can make a difference.
 */

int
martech_schema_decimal_multiple(const martech_schema_decimal_t *d,
    const martech_schema_decimal_t *of, uint64_t divisor)
{
    int64_t                    zeros;
    uint32_t                   i;
    uint64_t                   rest;
    const unsigned char       *p;
    martech_schema_decimal_t   x, y;

    if (martech_schema_decimal_zero(d)) {
        return 1;
    }

    if (d->brief && of->brief && d->rest == 0 && of->rest == 0) {
        return d->value % of->value == 0;
    }

    x = *d;
    y = *of;
    martech_schema_decimal_long(&x);
    martech_schema_decimal_long(&y);

    zeros = (x.point - (int64_t) x.count) - (y.point - (int64_t) y.count);

    if (zeros < 0) {
        return 0;
    }

    rest = 0;
    p = x.digits;

    for (i = 0; i < x.count; i++) {
        p = martech_schema_decimal_digit(p);
        rest = (rest * 10 + (uint64_t) (*p++ - '0')) % divisor;
    }

    for (i = 0; i < zeros && i < 64 && rest != 0; i++) {
        rest = rest * 10 % divisor;
    }

    return rest == 0;
}
