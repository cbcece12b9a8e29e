
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * E-mail addresses: what stands around an "@", as they are written in forms
 * and URLs, not all that the standards allow.
 */


#include <string.h>

#include "martech_pii_private.h"


#define MARTECH_PII_QUOTED_MAX  64       /* bytes of a quoted local part */


static const unsigned char *martech_pii_local(const unsigned char *from,
    const unsigned char *p);
static const unsigned char *martech_pii_domain(const unsigned char *p,
    const unsigned char *end);
static int martech_pii_file(const unsigned char *last,
    const unsigned char *end);


int
martech_pii_email(const unsigned char *text, const unsigned char *from,
    const unsigned char *p, size_t at, const unsigned char *end,
    martech_pii_match_t *match)
{
    const unsigned char  *start, *stop;

    start = martech_pii_local(from, p);

    if (start == p) {
        return 0;
    }

    stop = martech_pii_domain(p + at, end);

    if (stop == NULL) {
        return 0;
    }

    match->from = (size_t) (start - text);
    match->to = (size_t) (stop - text);
    match->pattern = MARTECH_PII_EMAIL;

    return 1;
}


static const unsigned char *
martech_pii_local(const unsigned char *from, const unsigned char *p)
{
    const unsigned char  *start, *q;

    /* "..."@: the quote in front of it */

    if (p > from + 1 && p[-1] == '"') {

        for (q = p - 2; q > from && *q != '"'
             && p - q < MARTECH_PII_QUOTED_MAX;
             q--)
        {
            /* void */
        }

        return (*q == '"' && q < p - 2) ? q : p;
    }

    start = p;

    while (start > from
           && (martech_pii_alnum(start[-1]) || start[-1] >= 0x80
               || strchr("._%+-'!#$*~^{}|`", start[-1]) != NULL)
           && start[-1] != '\0')
    {
        start--;
    }

    /* what cannot be its first character; "%3D" and "%22" may stand before */

    while (start < p && (*start == '.' || *start == '\'' || *start == '%'
                         || *start == '#' || *start == '-'))
    {
        if (*start == '%' && p - start > 3) {
            start += 2;
        }

        start++;
    }

    return start;
}


static const unsigned char *
martech_pii_domain(const unsigned char *p, const unsigned char *end)
{
    const unsigned char  *host, *last, *q;

    host = p;

    if (p < end && *p == '[') {

        for (p++; p < end && p - host < 48
             && (martech_pii_alnum(*p) || *p == '.' || *p == ':');
             p++)
        {
            /* void */
        }

        return (p < end && *p == ']' && p - host > 4) ? p + 1 : NULL;
    }

    while (p < end && (martech_pii_alnum(*p) || *p == '-' || *p == '.'
                       || *p >= 0x80))
    {
        /* punctuation: of citations, and in full width */

        if (end - p >= 2 && ((*p == 0xe2 && p[1] == 0x80)
                             || (*p == 0xe3 && p[1] == 0x80)
                             || (*p == 0xef && p[1] == 0xbc)))
        {
            break;
        }

        p++;
    }

    /* a full stop or a dash behind it belongs to the sentence */

    while (p > host && (p[-1] == '.' || p[-1] == '-')) {
        p--;
    }

    for (last = p; last > host && last[-1] != '.'; last--) { /* void */ }

    if (last - 1 <= host || last[-2] == '.' || p - last < 2
        || martech_pii_file(last, p))
    {
        return NULL;
    }

    /* a top-level domain is of letters */

    if (p - last > 4 && (last[0] | 0x20) == 'x' && (last[1] | 0x20) == 'n'
        && last[2] == '-' && last[3] == '-')
    {
        return p;
    }

    for (q = last; q < p && (martech_pii_letter(*q) || *q >= 0x80); q++) {
        /* void */
    }

    return (q == p) ? p : NULL;
}


/* Names of files look like addresses: "logo@2x.png", "lib@next.tgz". */

static int
martech_pii_file(const unsigned char *last, const unsigned char *end)
{
    char    name[8];
    size_t  i, len;

    len = (size_t) (end - last);

    if (len >= sizeof(name)) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        name[i] = (char) (last[i] | 0x20);
    }

    name[len] = '\0';

    return martech_pii_among(name, "png|jpg|jpeg|gif|webp|svg|avif|ico|css|"
                                   "js|mjs|cjs|json|html|htm|tgz|gz|tar|bz|"
                                   "woff|ttf|otf|pdf|txt|xml|yml|yaml|php|"
                                   "scss|map|min|lock|mpeg|wav");
}
