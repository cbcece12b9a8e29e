
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Addresses: IPv4 and IPv6 (RFC 2673 and 4291), and mailboxes (RFC 5321,
 * with RFC 6531 those in any script).
 */


#include <string.h>

#include "martech_format_private.h"


#define MARTECH_FORMAT_LOCAL_MAX  64
#define MARTECH_FORMAT_EMAIL_MAX  254


static int martech_format_mailbox(const unsigned char *data, size_t len,
    int idn);
static size_t martech_format_quoted(const unsigned char *data, size_t len,
    int idn);
static size_t martech_format_dot_atom(const unsigned char *data, size_t len,
    int idn);
static int martech_format_literal(const unsigned char *data, size_t len);


/* four numbers up to 255, without leading zeros */
int
martech_format_ipv4(const unsigned char *data, size_t len)
{
    int                   value, digits, parts;
    const unsigned char  *p, *end;

    p = data;
    end = data + len;

    for (parts = 0; parts < 4; parts++) {
        if (parts > 0 && (p == end || *p++ != '.')) {
            return 0;
        }

        value = 0;

        for (digits = 0; p < end && digits < 3 && martech_format_is_digit(*p);
             digits++)
        {
            value = value * 10 + (*p++ - '0');
        }

        if (digits == 0 || value > 255
            || (digits > 1 && p[-digits] == '0'))
        {
            return 0;
        }
    }

    return p == end;
}


/* eight groups, of which a run of zeros may be "::"; no zone */
int
martech_format_ipv6(const unsigned char *data, size_t len)
{
    int                   groups, digits, gap;
    const unsigned char  *p, *end, *start;

    p = data;
    end = data + len;
    groups = 0;
    gap = 0;

    if (len >= 2 && p[0] == ':' && p[1] == ':') {
        gap = 1;
        p += 2;
    }

    while (p < end) {
        start = p;

        for (digits = 0; p < end && digits < 5 && martech_format_is_hex(*p);
             digits++)
        {
            p++;
        }

        if (p < end && *p == '.') {
            if (!martech_format_ipv4(start, (size_t) (end - start))) {
                return 0;
            }

            groups += 2;
            p = end;
            break;
        }

        if (digits == 0 || digits > 4) {
            return 0;
        }

        groups++;

        if (p == end) {
            break;
        }

        if (*p++ != ':' || p == end || groups > 8) {
            return 0;
        }

        if (*p == ':') {
            if (gap) {
                return 0;
            }

            gap = 1;
            p++;
        }
    }

    return gap ? groups <= 7 : groups == 8;
}


int
martech_format_email(const unsigned char *data, size_t len)
{
    return martech_format_mailbox(data, len, 0);
}


int
martech_format_idn_email(const unsigned char *data, size_t len)
{
    return martech_format_mailbox(data, len, 1);
}


static int
martech_format_mailbox(const unsigned char *data, size_t len, int idn)
{
    size_t  n;

    if (len == 0 || len > MARTECH_FORMAT_EMAIL_MAX) {
        return 0;
    }

    n = (data[0] == '"') ? martech_format_quoted(data, len, idn)
                         : martech_format_dot_atom(data, len, idn);

    if (n == 0 || n > MARTECH_FORMAT_LOCAL_MAX || n == len || data[n] != '@')
    {
        return 0;
    }

    data += n + 1;
    len -= n + 1;

    if (len > 2 && data[0] == '[') {
        return data[len - 1] == ']' && martech_format_literal(data + 1,
                                                              len - 2);
    }

    return idn ? martech_format_idn_hostname(data, len)
               : martech_format_hostname(data, len);
}


/* The length of a quoted string in front, or 0. */
static size_t
martech_format_quoted(const unsigned char *data, size_t len, int idn)
{
    size_t  i;

    for (i = 1; i < len; i++) {
        if (data[i] == '"') {
            return i + 1;
        }

        if (data[i] == '\\') {
            i++;

            if (i == len) {
                return 0;
            }
        }

        if (data[i] < 0x20 || data[i] == 0x7f || (data[i] >= 0x80 && !idn)) {
            return 0;
        }
    }

    return 0;
}


/* The length of words with single dots between them in front, or 0. */
static size_t
martech_format_dot_atom(const unsigned char *data, size_t len, int idn)
{
    size_t  i, word;

    word = 0;

    for (i = 0; i < len; i++) {
        if (data[i] == '.') {
            if (word == 0) {
                return 0;
            }

            word = 0;
            continue;
        }

        if (!martech_format_is_alpha(data[i])
            && !martech_format_is_digit(data[i])
            && !(data[i] >= 0x80 && idn)
            && (data[i] == '\0' || data[i] >= 0x80
                || strchr("!#$%&'*+-/=?^_`{|}~", data[i]) == NULL))
        {
            break;
        }

        word++;
    }

    return word == 0 ? 0 : i;
}


/* What may stand in brackets behind the "@". */
static int
martech_format_literal(const unsigned char *data, size_t len)
{
    size_t             i;
    static const char  tag[] = "ipv6:";

    for (i = 0; i < 5 && i < len; i++) {
        if ((data[i] | 0x20) != (tag[i] | 0x20)) {
            return martech_format_ipv4(data, len);
        }
    }

    return i == 5 && martech_format_ipv6(data + 5, len - 5);
}
