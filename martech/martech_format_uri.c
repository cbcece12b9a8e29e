
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * URIs and references to them (RFC 3986), and the same in any script
 * (RFC 3987).
 */


#include <string.h>

#include "martech_format_private.h"


/*
 * What the parts may have of ASCII, a bit for each byte: letters, digits,
 * "-._~" and "!$&'()*+,;=" in all of them, and what is named.
 */
static const uint32_t  martech_format_uri_host[8] =
    { 0x00000000, 0x2bff7fd2, 0x87fffffe, 0x47fffffe };
static const uint32_t  martech_format_uri_user[8] =         /* : */
    { 0x00000000, 0x2fff7fd2, 0x87fffffe, 0x47fffffe };
static const uint32_t  martech_format_uri_first[8] =        /* @ */
    { 0x00000000, 0x2bff7fd2, 0x87ffffff, 0x47fffffe };
static const uint32_t  martech_format_uri_path[8] =         /* : @ / */
    { 0x00000000, 0x2fffffd2, 0x87ffffff, 0x47fffffe };
static const uint32_t  martech_format_uri_query[8] =        /* : @ / ? */
    { 0x00000000, 0xafffffd2, 0x87ffffff, 0x47fffffe };


typedef struct {
    const unsigned char  *p;
    const unsigned char  *end;
    unsigned              iri:1;
} martech_format_uri_t;


static int martech_format_uri_any(const unsigned char *data, size_t len,
    int iri, int reference);
static size_t martech_format_scheme(const unsigned char *data, size_t len);
static int martech_format_authority(martech_format_uri_t *u);
static int martech_format_bracket(martech_format_uri_t *u);
static void martech_format_part(martech_format_uri_t *u,
    const uint32_t *allowed, int query);
static inline int martech_format_bit(const uint32_t *allowed,
    unsigned char ch);
static int martech_format_ucs(uint32_t cp, int query);


int
martech_format_uri(const unsigned char *data, size_t len)
{
    return martech_format_uri_any(data, len, 0, 0);
}


int
martech_format_uri_reference(const unsigned char *data, size_t len)
{
    return martech_format_uri_any(data, len, 0, 1);
}


int
martech_format_iri(const unsigned char *data, size_t len)
{
    return martech_format_uri_any(data, len, 1, 0);
}


int
martech_format_iri_reference(const unsigned char *data, size_t len)
{
    return martech_format_uri_any(data, len, 1, 1);
}


static int
martech_format_uri_any(const unsigned char *data, size_t len, int iri,
    int reference)
{
    size_t                scheme;
    martech_format_uri_t  u;

    scheme = martech_format_scheme(data, len);

    if (scheme == 0 && !reference) {
        return 0;
    }

    u.p = data + scheme;
    u.end = data + len;
    u.iri = (iri != 0);

    if (u.end - u.p >= 2 && u.p[0] == '/' && u.p[1] == '/') {
        u.p += 2;

        if (!martech_format_authority(&u)) {
            return 0;
        }

        if (u.p < u.end && *u.p != '/' && *u.p != '?' && *u.p != '#') {
            return 0;
        }

    } else if (scheme == 0) {

        /* a colon in the first segment would make a scheme of it */

        martech_format_part(&u, martech_format_uri_first, 0);

        if (u.p < u.end && *u.p != '/' && *u.p != '?' && *u.p != '#') {
            return 0;
        }
    }

    martech_format_part(&u, martech_format_uri_path, 0);

    if (u.p < u.end && *u.p == '?') {
        u.p++;
        martech_format_part(&u, martech_format_uri_query, 1);
    }

    if (u.p < u.end && *u.p == '#') {
        u.p++;
        martech_format_part(&u, martech_format_uri_query, 0);
    }

    return u.p == u.end;
}


/* The length of a scheme with its colon, or 0. */
static size_t
martech_format_scheme(const unsigned char *data, size_t len)
{
    size_t  i;

    if (len == 0 || !martech_format_is_alpha(data[0])) {
        return 0;
    }

    for (i = 1; i < len; i++) {
        if (data[i] == ':') {
            return i + 1;
        }

        if (!martech_format_is_alpha(data[i])
            && !martech_format_is_digit(data[i]) && data[i] != '+'
            && data[i] != '-' && data[i] != '.')
        {
            break;
        }
    }

    return 0;
}


/* user, host and port, up to what cannot be part of them */
static int
martech_format_authority(martech_format_uri_t *u)
{
    const unsigned char  *start;

    start = u->p;
    martech_format_part(u, martech_format_uri_host, 0);

    if (u->p == u->end || (*u->p != ':' && *u->p != '@' && *u->p != '[')) {
        return 1;
    }

    martech_format_part(u, martech_format_uri_user, 0);

    if (u->p < u->end && *u->p == '@') {
        start = ++u->p;
    }

    u->p = start;

    if (u->p < u->end && *u->p == '[') {
        if (!martech_format_bracket(u)) {
            return 0;
        }

    } else {
        martech_format_part(u, martech_format_uri_host, 0);
    }

    if (u->p < u->end && *u->p == ':') {
        for (u->p++; u->p < u->end && martech_format_is_digit(*u->p); u->p++)
        {
            /* void */
        }
    }

    return 1;
}


/* "[2001:db8::1]", or "[v1.x]" of times to come */
static int
martech_format_bracket(martech_format_uri_t *u)
{
    size_t                i, len;
    const unsigned char  *p, *close;

    p = u->p + 1;
    close = memchr(p, ']', (size_t) (u->end - p));

    if (close == NULL) {
        return 0;
    }

    u->p = close + 1;
    len = (size_t) (close - p);

    if (len == 0 || (p[0] | 0x20) != 'v') {
        return martech_format_ipv6(p, len);
    }

    for (i = 1; i < len && martech_format_is_hex(p[i]); i++) {
        /* void */
    }

    if (i == 1 || i + 1 >= len || p[i] != '.') {
        return 0;
    }

    for (i++; i < len; i++) {
        if (!martech_format_bit(martech_format_uri_user, p[i])) {
            return 0;
        }
    }

    return 1;
}


/* Goes on while the characters may stand in a part. */
static void
martech_format_part(martech_format_uri_t *u, const uint32_t *allowed,
    int query)
{
    uint32_t              cp;
    const unsigned char  *p, *end, *next;

    p = u->p;
    end = u->end;

    for ( ;; ) {

        /* letters, which are most of it, may be in all parts */

        while (p < end && (martech_format_is_alpha(*p)
                           || martech_format_bit(allowed, *p)))
        {
            p++;
        }

        u->p = p;

        if (p == u->end) {
            return;
        }

        if (*p == '%') {
            if (u->end - p < 3 || !martech_format_is_hex(p[1])
                || !martech_format_is_hex(p[2]))
            {
                return;
            }

            p += 3;

        } else if (*p >= 0x80 && u->iri) {
            next = p;
            cp = martech_format_take(&next, u->end);

            if (!martech_format_ucs(cp, query)) {
                return;
            }

            p = next;

        } else {
            return;
        }
    }
}


static inline int
martech_format_bit(const uint32_t *allowed, unsigned char ch)
{
    return (int) (allowed[ch >> 5] >> (ch & 31)) & 1;
}


/* ucschar of RFC 3987, and iprivate in a query */
static int
martech_format_ucs(uint32_t cp, int query)
{
    if (cp == MARTECH_FORMAT_BAD) {
        return 0;
    }

    if ((cp >= 0xa0 && cp <= 0xd7ff) || (cp >= 0xf900 && cp <= 0xfdcf)
        || (cp >= 0xfdf0 && cp <= 0xffef))
    {
        return 1;
    }

    if (cp >= 0xe000 && cp <= 0xf8ff) {
        return query;
    }

    if (cp < 0x10000 || (cp & 0xfffe) == 0xfffe) {
        return 0;
    }

    return cp <= 0xdffff || (cp >= 0xe1000 && cp <= 0xeffff)
           || (query && cp >= 0xf0000);
}
