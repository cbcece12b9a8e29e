
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Scrubbing of URLs: read once from left to right, and what stays is copied,
 * so that the result is never longer than what was sent.
 */


#include <string.h>

#include "martech_pii.h"
#include "martech_url.h"


#define MARTECH_URL_VALUE_MAX  2048      /* decoded bytes of a value searched;
                                            the rest is searched encoded */


#define MARTECH_URL_SLASH      0x01
#define MARTECH_URL_BACKSLASH  0x02
#define MARTECH_URL_QUERY      0x04
#define MARTECH_URL_HASH       0x08
#define MARTECH_URL_AND        0x10
#define MARTECH_URL_SEMICOLON  0x20
#define MARTECH_URL_EQUALS     0x40

#define MARTECH_URL_PATH_ENDS  (MARTECH_URL_QUERY | MARTECH_URL_HASH)
#define MARTECH_URL_HOST_ENDS  (MARTECH_URL_SLASH | MARTECH_URL_PATH_ENDS)
#define MARTECH_URL_JOINTS     (MARTECH_URL_AND | MARTECH_URL_SEMICOLON)


static unsigned char *martech_url_path(const martech_url_rules_t *rules,
    martech_str_t path, unsigned char *out);
static unsigned char *martech_url_params(const martech_url_rules_t *rules,
    martech_str_t params, unsigned char *out);
static int martech_url_param_goes(const martech_url_rules_t *rules,
    martech_str_t param);
static martech_str_t martech_url_read(martech_str_t text,
    unsigned char buf[MARTECH_URL_NAME_MAX]);
static int martech_url_named(const martech_url_rules_t *rules,
    martech_str_t name);
static int martech_url_name_goes(const martech_url_rules_t *rules,
    martech_str_t name);
static int martech_url_inner(const martech_url_rules_t *rules,
    martech_str_t value);
static int martech_url_inner_goes(const martech_url_rules_t *rules,
    martech_str_t text);
static int martech_url_value_goes(martech_str_t value, int again);
static unsigned char *martech_url_fragment(const martech_url_rules_t *rules,
    martech_str_t fragment, unsigned char *out);


static const unsigned char  martech_url_stops[256] = {
    ['/'] = MARTECH_URL_SLASH,
    ['\\'] = MARTECH_URL_BACKSLASH,
    ['?'] = MARTECH_URL_QUERY,
    ['#'] = MARTECH_URL_HASH,
    ['&'] = MARTECH_URL_AND,
    [';'] = MARTECH_URL_SEMICOLON,
    ['='] = MARTECH_URL_EQUALS
};


static martech_str_t
martech_url_part(const unsigned char *from, const unsigned char *to)
{
    martech_str_t  part;

    part.data = from;
    part.len = (size_t) (to - from);

    return part;
}


static inline unsigned char *
martech_url_copy(unsigned char *out, const unsigned char *from,
    const unsigned char *to)
{
    if (to > from) {
        memmove(out, from, (size_t) (to - from));
        out += to - from;
    }

    return out;
}


/* The first of some characters that part a URL, or the end. */

static inline const unsigned char *
martech_url_until(const unsigned char *p, const unsigned char *end,
    unsigned stops)
{
    while (p < end && !(martech_url_stops[*p] & stops)) {
        p++;
    }

    return p;
}


int
martech_url_absolute(martech_str_t text)
{
    size_t  i;

    static const char  scheme[] = "https://";

    for (i = 0; i < text.len && i < 4; i++) {

        if ((text.data[i] | 0x20) != (unsigned char) scheme[i]) {
            return 0;
        }
    }

    if (i < text.len && (text.data[i] | 0x20) == 's') {
        i++;
    }

    return text.len > i + 3 && memcmp(text.data + i, scheme + 5, 3) == 0;
}


int
martech_url_plain(martech_str_t text)
{
    size_t  i;

    static const unsigned char  special[256] = {
        ['?'] = 1, ['#'] = 1, [';'] = 1, ['@'] = 1, ['%'] = 1, [0xef] = 1
    };

    for (i = 0; i < text.len && !special[text.data[i]]; i++) { /* void */ }

    return i == text.len;
}


long
martech_url_scrub(const martech_url_rules_t *rules, int query,
    martech_str_t text, unsigned char *out, size_t size)
{
    unsigned char        *o, *mark;
    const unsigned char  *p, *end, *stop, *at;

    if (size < text.len) {
        return -1;
    }

    o = out;
    p = text.data;
    end = p + text.len;

    if (query) {

        if (p < end && *p == '?') {
            p++;
            *o++ = '?';
        }

        mark = o;
        stop = martech_url_until(p, end, MARTECH_URL_HASH);
        o = martech_url_params(rules, martech_url_part(p, stop), o);

        if (o == mark) {
            o = out;
        }

        return (long) (martech_url_fragment(rules, martech_url_part(stop, end),
                                            o) - out);
    }

    /* the scheme may be left out, the host not behind "//" */

    stop = martech_url_until(p, end, MARTECH_URL_HOST_ENDS);

    if (stop > p && stop[-1] == ':' && end - stop >= 2) {
        p = stop;
    }

    if (end - p >= 2 && p[0] == '/' && p[1] == '/') {
        p += 2;
        o = martech_url_copy(o, text.data, p);

        stop = martech_url_until(p, end, MARTECH_URL_HOST_ENDS
                                         | MARTECH_URL_BACKSLASH);

        for (at = stop; at > p && at[-1] != '@'; at--) { /* void */ }

        p = (at > p) ? at : p;
        o = martech_url_copy(o, p, stop);
        p = stop;

    } else {
        p = text.data;
    }

    stop = martech_url_until(p, end, MARTECH_URL_PATH_ENDS);
    o = martech_url_path(rules, martech_url_part(p, stop), o);
    p = stop;

    if (p < end && *p == '?') {
        stop = martech_url_until(p, end, MARTECH_URL_HASH);

        *o++ = '?';
        mark = o;
        o = martech_url_params(rules, martech_url_part(p + 1, stop), o);

        if (o == mark) {
            o--;
        }

        p = stop;
    }

    return (long) (martech_url_fragment(rules, martech_url_part(p, end), o)
                   - out);
}


/* Parameters may hang on each segment: "/cart;jsessionid=1/pay". */

static unsigned char *
martech_url_path(const martech_url_rules_t *rules, martech_str_t path,
    unsigned char *out)
{
    size_t                from, at;
    unsigned char        *start;
    martech_str_t         param;
    martech_pii_match_t   match;
    const unsigned char  *p, *end, *stop;

    start = out;
    p = path.data;
    end = p + path.len;

    while (p < end) {
        stop = martech_url_until(p + 1, end,
                                 MARTECH_URL_SLASH | MARTECH_URL_SEMICOLON);
        param = martech_url_part(p + 1, stop);

        if (*p != ';' || !martech_url_param_goes(rules, param)) {
            out = martech_url_copy(out, p, stop);
        }

        p = stop;
    }

    /* addresses, in place: what replaces one is shorter */

    path = martech_url_part(start, out);
    out = start;
    at = 0;

    while (martech_pii_next(MARTECH_PII_EMAIL, 0, path.data, path.len, at,
                            &match))
    {
        from = match.from;
        out = martech_url_copy(out, path.data + at, path.data + from);

        memcpy(out, "***", 3);
        out += 3;
        at = match.to;
    }

    return martech_url_copy(out, path.data + at, path.data + path.len);
}


static unsigned char *
martech_url_params(const martech_url_rules_t *rules, martech_str_t params,
    unsigned char *out)
{
    unsigned char         joint;
    unsigned char        *start;
    martech_str_t         param;
    const unsigned char  *p, *end, *stop;

    start = out;
    joint = '&';
    p = params.data;
    end = p + params.len;

    while (p < end) {
        stop = martech_url_until(p, end, MARTECH_URL_JOINTS);
        param = martech_url_part(p, stop);

        if (param.len > 0 && !martech_url_param_goes(rules, param)) {

            if (out > start) {
                *out++ = joint;
            }

            out = martech_url_copy(out, p, stop);
        }

        if (stop == end) {
            break;
        }

        joint = *stop;
        p = stop + 1;
    }

    return out;
}


static int
martech_url_param_goes(const martech_url_rules_t *rules, martech_str_t param)
{
    martech_str_t         name, value;
    unsigned char         buf[MARTECH_URL_NAME_MAX];
    const unsigned char  *p, *end;

    end = param.data + param.len;
    p = martech_url_until(param.data, end, MARTECH_URL_EQUALS);

    name = martech_url_part(param.data, p);
    value = martech_url_part((p < end) ? p + 1 : p, end);

    name = martech_url_read(name, buf);

    if (martech_url_named(rules, name)) {
        return 1;
    }

    return martech_url_value_goes(name, 0) || martech_url_value_goes(value, 1)
           || martech_url_inner(rules, value);
}


/* The name of a parameter, decoded and in lower case. */

static martech_str_t
martech_url_read(martech_str_t text, unsigned char buf[MARTECH_URL_NAME_MAX])
{
    size_t         n;
    martech_str_t  name;

    name.len = martech_url_decode(text, buf, MARTECH_URL_NAME_MAX);
    name.data = buf;

    for (n = 0; n < name.len; n++) {

        if (buf[n] >= 'A' && buf[n] <= 'Z') {
            buf[n] |= 0x20;
        }
    }

    return name;
}


/* 1 if a parameter of that name goes. */

static int
martech_url_named(const martech_url_rules_t *rules, martech_str_t name)
{
    if (rules->campaign) {
        return name.len < 5 || memcmp(name.data, "utm_", 4) != 0;
    }

    return martech_url_name_goes(rules, name);
}


/*
 * A value that is a URL itself ("?next=/reset?token=1"), encoded up to twice:
 * it goes as a whole if a parameter in it does.
 */

static int
martech_url_inner(const martech_url_rules_t *rules, martech_str_t value)
{
    unsigned       i;
    unsigned char  buf[MARTECH_URL_VALUE_MAX];

    for (i = 0; i < 3; i++) {

        if (martech_url_inner_goes(rules, value)) {
            return 1;
        }

        if (value.len == 0 || memchr(value.data, '%', value.len) == NULL) {
            break;
        }

        value.len = martech_url_decode(value, buf, sizeof(buf));
        value.data = buf;
    }

    return 0;
}


static int
martech_url_inner_goes(const martech_url_rules_t *rules, martech_str_t text)
{
    unsigned char         buf[MARTECH_URL_NAME_MAX];
    const unsigned char  *p, *end, *stop, *name;

    end = text.data + text.len;

    for (p = martech_url_until(text.data, end, MARTECH_URL_PATH_ENDS);
         p < end;
         p = stop)
    {
        p++;

        stop = martech_url_until(p, end, MARTECH_URL_JOINTS
                                         | MARTECH_URL_PATH_ENDS);
        name = martech_url_until(p, stop, MARTECH_URL_EQUALS);

        if (name < stop
            && martech_url_named(rules, martech_url_read(
                                            martech_url_part(p, name), buf)))
        {
            return 1;
        }
    }

    return 0;
}


static int
martech_url_name_goes(const martech_url_rules_t *rules, martech_str_t name)
{
    unsigned              i;
    const martech_str_t  *rule;

    for (i = 0; i < rules->count; i++) {
        rule = &rules->names[i];

        if (rule->len > 0 && rule->data[rule->len - 1] == '*') {

            if (name.len + 1 >= rule->len
                && memcmp(name.data, rule->data, rule->len - 1) == 0)
            {
                return 1;
            }

        } else if (name.len == rule->len
                   && memcmp(name.data, rule->data, name.len) == 0)
        {
            return 1;
        }
    }

    return rules->usual && martech_url_usual(name);
}


/* An address in a value, also in one that was encoded twice. */

static int
martech_url_value_goes(martech_str_t value, int again)
{
    martech_str_t        decoded;
    unsigned char        buf[MARTECH_URL_VALUE_MAX];
    martech_pii_match_t  match;

    if (martech_pii_next(MARTECH_PII_EMAIL, 0, value.data, value.len, 0,
                         &match))
    {
        return 1;
    }

    if (!again || memchr(value.data, '%', value.len) == NULL) {
        return 0;
    }

    decoded.len = martech_url_decode(value, buf, sizeof(buf));
    decoded.data = buf;

    if (martech_pii_next(MARTECH_PII_EMAIL, 0, decoded.data, decoded.len, 0,
                         &match))
    {
        return 1;
    }

    decoded.len = martech_url_decode(decoded, buf, sizeof(buf));

    return martech_pii_next(MARTECH_PII_EMAIL, 0, decoded.data, decoded.len,
                            0, &match);
}


/* "#a=1&b=2", "#/route?a=1", "#route"; begins with "#" or is empty. */

static unsigned char *
martech_url_fragment(const martech_url_rules_t *rules, martech_str_t fragment,
    unsigned char *out)
{
    unsigned char        *start, *mark;
    martech_pii_match_t   match;
    const unsigned char  *p, *end, *stop;

    if (fragment.len == 0 || rules->campaign) {
        return out;
    }

    start = out;
    p = fragment.data + 1;
    end = fragment.data + fragment.len;
    *out++ = '#';

    if (memchr(p, '=', (size_t) (end - p)) == NULL) {

        if (martech_pii_next(MARTECH_PII_EMAIL, 0, p, (size_t) (end - p), 0,
                             &match))
        {
            return start;
        }

        return martech_url_copy(out, p, end);
    }

    mark = out;

    if (memchr(p, '?', (size_t) (end - p)) != NULL) {
        stop = martech_url_until(p, end, MARTECH_URL_QUERY);
        out = martech_url_path(rules, martech_url_part(p, stop), out);
        p = stop + 1;
        *out++ = '?';
        mark = out;
    }

    out = martech_url_params(rules, martech_url_part(p, end), out);

    return (out == mark) ? out - 1 : out;
}


static int
martech_url_hex(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


/* out may be the text itself. */

size_t
martech_url_decode(martech_str_t src, unsigned char *out, size_t size)
{
    size_t                n;
    const unsigned char  *p, *end;

    p = src.data;
    end = p + src.len;

    for (n = 0; p < end && n < size; n++) {


        if (*p != '%' || end - p < 3 || martech_url_hex(p[1]) < 0
            || martech_url_hex(p[2]) < 0)
        {
            out[n] = (*p == '+') ? ' ' : *p;
            p++;
            continue;
        }

        out[n] = (unsigned char) (martech_url_hex(p[1]) * 16
                                  + martech_url_hex(p[2]));
        p += 3;
    }

    return n;
}
