
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * URI templates (RFC 6570).
 */


#include <string.h>

#include "martech_format_private.h"


static const unsigned char *martech_format_expression(const unsigned char *p,
    const unsigned char *end);
static const unsigned char *martech_format_variable(const unsigned char *p,
    const unsigned char *end);
static int martech_format_percent(const unsigned char *p,
    const unsigned char *end);


int
martech_format_uri_template(const unsigned char *data, size_t len)
{
    const unsigned char  *p, *end;

    p = data;
    end = data + len;

    while (p < end) {

        if (*p == '{') {
            p = martech_format_expression(p + 1, end);
            if (p == NULL) {
                return 0;
            }

        } else if (*p == '%') {
            if (!martech_format_percent(p, end)) {
                return 0;
            }

            p += 3;

        } else if (*p >= 0x80) {
            if (martech_format_take(&p, end) == MARTECH_FORMAT_BAD) {
                return 0;
            }

        } else if (*p <= 0x20 || *p == 0x7f || strchr("\"<>\\^`|}", *p)) {
            return 0;

        } else {
            p++;
        }
    }

    return 1;
}


/* What is behind the closing brace, or NULL. */
static const unsigned char *
martech_format_expression(const unsigned char *p, const unsigned char *end)
{
    if (p < end && *p != '\0' && strchr("+#./;?&=,!@|", *p) != NULL) {
        p++;
    }

    for ( ;; ) {
        p = martech_format_variable(p, end);

        if (p == NULL || p == end) {
            return NULL;
        }

        if (*p == '}') {
            return p + 1;
        }

        if (*p++ != ',') {
            return NULL;
        }
    }
}


/* A name with its modifier; what is behind it, or NULL. */
static const unsigned char *
martech_format_variable(const unsigned char *p, const unsigned char *end)
{
    int  digits, empty;

    for (empty = 1; p < end; empty = 0) {

        if (*p == '.' && !empty) {
            p++;
            empty = 1;
        }

        if (p < end && (martech_format_is_alpha(*p)
                        || martech_format_is_digit(*p) || *p == '_'))
        {
            p++;

        } else if (martech_format_percent(p, end)) {
            p += 3;

        } else {
            break;
        }
    }

    if (empty || p == end) {
        return NULL;
    }

    if (*p == '*') {
        return p + 1;
    }

    if (*p != ':') {
        return p;
    }

    /* a length from 1 to 9999 */

    p++;

    if (p == end || *p == '0') {
        return NULL;
    }

    for (digits = 0; p < end && digits < 4 && martech_format_is_digit(*p);
         digits++)
    {
        p++;
    }

    return digits == 0 ? NULL : p;
}


static int
martech_format_percent(const unsigned char *p, const unsigned char *end)
{
    return end - p >= 3 && p[0] == '%' && martech_format_is_hex(p[1])
           && martech_format_is_hex(p[2]);
}
