
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Rules for origins, and the headers of a preflight.
 *
 * A browser writes an origin in lower case, without a path and without the
 * port that its scheme has anyway; what is written otherwise is no origin,
 * and equals none.
 */


#include <string.h>

#include "martech_cors.h"


static const char *martech_origin_host_wrong(martech_str_t host);
static const char *martech_origin_port_wrong(martech_str_t port,
    martech_str_t scheme);
static int martech_cors_asked(martech_str_t asked, martech_str_t name);


/* Which headers the clients of all dialects send; no others are let pass, as
   what is allowed here is sent along by any page that is. */

static const martech_str_t  martech_cors_known[] = {
    martech_string("authorization"), martech_string("content-type"),
    martech_string("content-encoding"), martech_string("x-retry-count"),
    martech_string("anonymousid"), martech_string("sentat"),
    martech_string("sp-anonymous"), martech_string("x-umami-cache"),
    martech_string("traceparent"), martech_string("tracestate"),
};


static inline unsigned char
martech_cors_lower(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') ? (unsigned char) (c | 0x20) : c;
}


/* 1 if two texts are the same but for case; the second is in lower case. */

static int
martech_cors_equal(const unsigned char *text, martech_str_t lower)
{
    size_t  i;

    for (i = 0; i < lower.len; i++) {

        if (martech_cors_lower(text[i]) != lower.data[i]) {
            return 0;
        }
    }

    return 1;
}


static inline int
martech_origin_name(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'
           || c == '_' || c == '.';
}


/* The length of "https://" in a text, 0 if there is none. */

static size_t
martech_origin_scheme(martech_str_t text)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < text.len; i++) {
        c = text.data[i];

        if (!((c >= 'a' && c <= 'z')
              || (i > 0 && ((c >= '0' && c <= '9') || c == '+' || c == '-'
                            || c == '.'))))
        {
            break;
        }
    }

    return (i > 0 && text.len - i >= 3
            && memcmp(text.data + i, "://", 3) == 0) ? i + 3 : 0;
}


const char *
martech_origin_rule(martech_origin_rule_t *rule, martech_str_t text,
    unsigned char *buf)
{
    size_t         i, n;
    const char    *wrong;
    martech_str_t  host, port;

    for (i = 0; i < text.len; i++) {
        buf[i] = martech_cors_lower(text.data[i]);
    }

    rule->kind = MARTECH_ORIGIN_EXACT;
    rule->head.data = buf;
    rule->head.len = text.len;
    rule->tail.len = 0;
    rule->tail.data = buf;

    if (text.len == 1 && buf[0] == '*') {
        rule->kind = MARTECH_ORIGIN_ANY;
        return NULL;
    }

    if (text.len == 4 && memcmp(buf, "null", 4) == 0) {
        return NULL;
    }

    if (text.len > MARTECH_ORIGIN_MAX) {
        return "it is too long";
    }

    n = martech_origin_scheme(rule->head);

    if (n == 0) {
        return "it must be SCHEME://HOST[:PORT], SCHEME://*.HOST[:PORT], "
               "null or *";
    }

    host.data = buf + n;
    host.len = text.len - n;

    if (host.len > 2 && host.data[0] == '*' && host.data[1] == '.') {
        rule->kind = MARTECH_ORIGIN_BELOW;
        rule->head.len = n;
        rule->tail.data = host.data + 1;
        rule->tail.len = host.len - 1;

        host.data += 2;
        host.len -= 2;
    }

    /* of an address in brackets, colons are no ports */

    for (i = host.len; i > 0 && host.data[i - 1] != ':'
                       && host.data[i - 1] != ']'; i--)
    {
        /* void */
    }

    port.len = 0;
    port.data = NULL;

    if (i > 0 && host.data[i - 1] == ':') {
        port.data = host.data + i;
        port.len = host.len - i;
        host.len = i - 1;

        rule->head.data = buf;
        wrong = martech_origin_port_wrong(port, rule->head);

        if (wrong) {
            return wrong;
        }
    }

    return martech_origin_host_wrong(host);
}


static const char *
martech_origin_host_wrong(martech_str_t host)
{
    size_t  i;

    static const char  wrong[] = "it has no valid host";
    static const char  path[] = "an origin ends with its host or port, "
                                "without a path";

    if (host.len > 2 && host.data[0] == '['
        && host.data[host.len - 1] == ']')
    {
        for (i = 1; i < host.len - 1; i++) {

            if (!(martech_origin_name(host.data[i]) || host.data[i] == ':')) {
                return wrong;
            }
        }

        return NULL;
    }

    if (host.len == 0 || host.data[0] == '.'
        || host.data[host.len - 1] == '.')
    {
        return wrong;
    }

    for (i = 0; i < host.len; i++) {

        if (host.data[i] == '/') {
            return path;
        }

        if (!martech_origin_name(host.data[i])
            || (host.data[i] == '.' && host.data[i + 1] == '.'))
        {
            return wrong;
        }
    }

    return NULL;
}


static const char *
martech_origin_port_wrong(martech_str_t port, martech_str_t origin)
{
    size_t    i;
    unsigned  n;

    static const char  wrong[] = "a port is a number from 1 to 65535";

    if (port.len == 0 || port.len > 5) {
        return wrong;
    }

    for (i = 0, n = 0; i < port.len; i++) {

        if (port.data[i] < '0' || port.data[i] > '9') {
            return wrong;
        }

        n = n * 10 + (port.data[i] - '0');
    }

    if (n == 0 || n > 65535 || port.data[0] == '0') {
        return wrong;
    }

    if ((n == 443 && origin.data[4] == 's'
         && memcmp(origin.data, "http", 4) == 0)
        || (n == 80 && origin.data[4] == ':'
            && memcmp(origin.data, "http", 4) == 0))
    {
        return "browsers leave out the usual port of http and https";
    }

    return NULL;
}


int
martech_origin_allowed(const martech_origin_rule_t *rule,
    martech_str_t origin)
{
    size_t                i;
    unsigned char         c, last;
    martech_str_t         label;
    const unsigned char  *tail;

    if (rule->kind == MARTECH_ORIGIN_ANY) {
        return 1;
    }

    if (rule->kind == MARTECH_ORIGIN_EXACT) {
        return origin.len == rule->head.len
               && martech_cors_equal(origin.data, rule->head);
    }

    if (origin.len > MARTECH_ORIGIN_MAX
        || origin.len <= rule->head.len + rule->tail.len
        || !martech_cors_equal(origin.data, rule->head))
    {
        return 0;
    }

    tail = origin.data + origin.len - rule->tail.len;

    if (!martech_cors_equal(tail, rule->tail)) {
        return 0;
    }

    /* what stands for "*" must be names and nothing that ends a host */

    label.data = origin.data + rule->head.len;
    label.len = (size_t) (tail - label.data);
    last = '.';

    for (i = 0; i < label.len; i++) {
        c = martech_cors_lower(label.data[i]);

        if (!martech_origin_name(c) || (c == '.' && last == '.')) {
            return 0;
        }

        last = c;
    }

    return last != '.';
}


int
martech_origin_same(martech_str_t origin, martech_str_t host, int secure)
{
    int            https;
    size_t         i, n;
    martech_str_t  port;

    static const martech_str_t  schemes[] = {
        martech_string("http://"), martech_string("https://")
    };

    static const martech_str_t  ports[] = {
        martech_string(":80"), martech_string(":443")
    };

    https = origin.len > 8 && martech_cors_equal(origin.data, schemes[1]);

    if (!https && (secure || origin.len <= 7
                   || !martech_cors_equal(origin.data, schemes[0])))
    {
        return 0;
    }

    n = schemes[https].len;
    port = ports[https];

    if (host.len > port.len
        && memcmp(host.data + host.len - port.len, port.data, port.len) == 0)
    {
        host.len -= port.len;
    }

    if (host.len == 0 || origin.len - n != host.len) {
        return 0;
    }

    for (i = 0; i < host.len; i++) {

        if (martech_cors_lower(origin.data[n + i])
            != martech_cors_lower(host.data[i]))
        {
            return 0;
        }
    }

    return 1;
}


size_t
martech_cors_headers(martech_str_t asked, unsigned char *out)
{
    size_t                i;
    unsigned char        *p;
    const martech_str_t  *name;

    p = out;

    for (i = 0;
         i < sizeof(martech_cors_known) / sizeof(martech_cors_known[0]);
         i++)
    {
        name = &martech_cors_known[i];

        if (!martech_cors_asked(asked, *name)) {
            continue;
        }

        if (p > out) {
            *p++ = ',';
            *p++ = ' ';
        }

        memcpy(p, name->data, name->len);
        p += name->len;
    }

    return (size_t) (p - out);
}


/* 1 if a list, "a, b", has the name. */

static int
martech_cors_asked(martech_str_t asked, martech_str_t name)
{
    const unsigned char  *p, *stop, *last, *end;

    p = asked.data;
    end = p + asked.len;

    while (p < end) {

        while (p < end && (*p == ' ' || *p == '\t' || *p == ',')) {
            p++;
        }

        for (stop = p; stop < end && *stop != ','; stop++) { /* void */ }

        for (last = stop;
             last > p && (last[-1] == ' ' || last[-1] == '\t');
             last--)
        {
            /* void */
        }

        if ((size_t) (last - p) == name.len && martech_cors_equal(p, name)) {
            return 1;
        }

        p = stop;
    }

    return 0;
}
