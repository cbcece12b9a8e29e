
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reducing a user agent.  It is read as products ("Name/1.2.3", "Mobile") and
 * comments in parentheses; each is replaced by a coarse form or left out, so
 * that nothing of the sender's gets through that is not understood.
 */


#include <string.h>

#include "martech_agent.h"


#define MARTECH_AGENT_READ_MAX     2048  /* bytes looked at */
#define MARTECH_AGENT_PRODUCT_MAX  24    /* bytes of a product's name */


typedef struct {
    unsigned char  *pos;
    unsigned char  *start;
    unsigned char  *end;
} martech_agent_out_t;


static const unsigned char *martech_agent_comment(martech_agent_out_t *out,
    const unsigned char *p, const unsigned char *end);
static void martech_agent_platform(martech_agent_out_t *out,
    martech_str_t comment);
static void martech_agent_product(martech_agent_out_t *out,
    martech_str_t token);
static int martech_agent_product_known(martech_str_t name, int version);


static int
martech_agent_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}


static int
martech_agent_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}


/* Adds a token behind a blank; one that does not fit is left out whole. */

static void
martech_agent_put(martech_agent_out_t *out, const char *text, size_t len)
{
    size_t  blank;

    blank = (out->pos > out->start) ? 1 : 0;

    if ((size_t) (out->end - out->pos) < len + blank) {
        return;
    }

    if (blank) {
        *out->pos++ = ' ';
    }

    memcpy(out->pos, text, len);
    out->pos += len;
}


size_t
martech_agent_reduce(martech_str_t agent,
    unsigned char out[MARTECH_AGENT_SIZE])
{
    martech_str_t         token;
    martech_agent_out_t   o;
    const unsigned char  *p, *end;

    o.start = out;
    o.pos = out;
    o.end = out + MARTECH_AGENT_SIZE;

    p = agent.data;
    end = p + ((agent.len > MARTECH_AGENT_READ_MAX) ? MARTECH_AGENT_READ_MAX
                                                    : agent.len);
    while (p < end) {

        if (*p == '(') {
            p = martech_agent_comment(&o, p, end);
            continue;
        }

        if (*p <= ' ' || *p == ')') {
            p++;
            continue;
        }

        token.data = p;

        while (p < end && *p > ' ' && *p != '(' && *p != ')') {
            p++;
        }

        token.len = (size_t) (p - token.data);
        martech_agent_product(&o, token);
    }

    return (size_t) (o.pos - out);
}


/* A comment with those within it; one that is not closed ends the text. */

static const unsigned char *
martech_agent_comment(martech_agent_out_t *out, const unsigned char *p,
    const unsigned char *end)
{
    unsigned              depth;
    martech_str_t         comment;
    const unsigned char  *close;

    comment.data = ++p;

    /* nearly always there is none within it */

    close = memchr(p, ')', (size_t) (end - p));

    if (close != NULL && memchr(p, '(', (size_t) (close - p)) == NULL) {
        p = close;

    } else {

        for (depth = 1; p < end; p++) {

            if (*p == '(') {
                depth++;

            } else if (*p == ')' && --depth == 0) {
                break;
            }
        }
    }

    comment.len = (size_t) (p - comment.data);
    martech_agent_platform(out, comment);

    return (p < end) ? p + 1 : p;
}


static const unsigned char *
martech_agent_find(martech_str_t text, const char *word)
{
    size_t                len;
    const unsigned char  *p, *last;

    len = strlen(word);

    if (text.len < len) {
        return NULL;
    }

    last = text.data + text.len - len;

    for (p = text.data; p <= last; p++) {
        p = memchr(p, word[0], (size_t) (last - p) + 1);

        if (p == NULL || memcmp(p, word, len) == 0) {
            return p;
        }
    }

    return NULL;
}


/* Digits behind a word, at most three of them; or none. */

static size_t
martech_agent_major(martech_str_t text, const char *word,
    const unsigned char **digits)
{
    const unsigned char  *p, *end;

    end = text.data + text.len;
    p = martech_agent_find(text, word);

    if (p == NULL) {
        return 0;
    }

    p += strlen(word);
    *digits = p;

    while (p < end && p - *digits < 3 && martech_agent_digit(*p)) {
        p++;
    }

    return (size_t) (p - *digits);
}


/* A platform, with the version in the place of "%"; the end of it. */

static char *
martech_agent_fill(char *out, const char *text, const unsigned char *digits,
    size_t len)
{
    size_t       n;
    const char  *mark;

    n = strlen(text);
    mark = memchr(text, '%', n);

    if (mark == NULL) {
        memcpy(out, text, n);
        return out + n;
    }

    n = (size_t) (mark - text);

    memcpy(out, text, n);
    memcpy(out + n, digits, len);
    out += n + len;

    n = strlen(mark + 1);
    memcpy(out, mark + 1, n);

    return out + n;
}


static void
martech_agent_platform(martech_agent_out_t *out, martech_str_t comment)
{
    char                  text[96], *p;
    size_t                len;
    unsigned              i;
    const unsigned char  *digits;

    static const struct {
        const char  *word;
        const char  *platform;           /* "%": the major version */
        const char  *major;              /* word in front of it, or NULL */
    } platforms[] = {
        { "KHTML, like Gecko", "KHTML, like Gecko", NULL },
        { "Windows Phone", "Windows Phone", NULL },
        { "Windows", "Windows NT 10.0; Win64; x64", NULL },
        { "Android", "Linux; Android 10; K", NULL },
        { "iOS ", "iOS %", "iOS " },
        { "iPad", "iPad; CPU OS %_0 like Mac OS X", "CPU OS " },
        { "iPhone", "iPhone; CPU iPhone OS %_0 like Mac OS X",
          "iPhone OS " },
        { "iPod", "iPhone; CPU iPhone OS %_0 like Mac OS X",
          "iPhone OS " },
        { "Macintosh", "Macintosh; Intel Mac OS X 10_15_7", NULL },
        { "CrOS", "X11; CrOS x86_64 14541.0.0", NULL },
        { "Linux", "X11; Linux x86_64", NULL },
        { "X11", "X11", NULL },
        { "compatible", "compatible", NULL },
    };

    for (i = 0; i < sizeof(platforms) / sizeof(platforms[0]); i++) {

        if (martech_agent_find(comment, platforms[i].word) != NULL) {
            break;
        }
    }

    if (i == sizeof(platforms) / sizeof(platforms[0])) {
        return;
    }

    digits = (const unsigned char *) "0";
    len = 0;

    if (platforms[i].major != NULL) {
        len = martech_agent_major(comment, platforms[i].major, &digits);
    }

    text[0] = '(';
    p = martech_agent_fill(text + 1, platforms[i].platform, digits,
                           len ? len : 1);

    len = martech_agent_major(comment, "rv:", &digits);

    if (len > 0) {
        p = martech_agent_fill(p, "; rv:%.0", digits, len);
    }

    *p++ = ')';

    martech_agent_put(out, text, (size_t) (p - text));
}


/* "Chrome/120.0.6099.109" becomes "Chrome/120.0.0.0". */

static void
martech_agent_product(martech_agent_out_t *out, martech_str_t token)
{
    char                  text[MARTECH_AGENT_PRODUCT_MAX + 16];
    size_t                n;
    unsigned              parts;
    martech_str_t         name;
    const unsigned char  *p, *end;

    end = token.data + token.len;
    p = memchr(token.data, '/', token.len);

    name.data = token.data;
    name.len = (p != NULL) ? (size_t) (p - token.data) : token.len;

    if (!martech_agent_product_known(name, p != NULL)) {
        return;
    }

    memcpy(text, name.data, name.len);
    n = name.len;

    if (p == NULL) {
        martech_agent_put(out, text, n);
        return;
    }

    text[n++] = '/';

    if (++p == end || !martech_agent_digit(*p)) {
        return;
    }

    /* more digits than a version has may be a number of somebody */

    for (parts = 0; p < end && martech_agent_digit(*p) && parts < 4; parts++) {
        text[n++] = (char) *p++;
    }

    if (p < end && martech_agent_digit(*p)) {
        return;
    }

    for (parts = 0; p < end && parts < 3 && *p == '.'; parts++) {

        text[n++] = '.';
        text[n++] = '0';

        for (p++; p < end && martech_agent_digit(*p); p++) { /* void */ }
    }

    martech_agent_put(out, text, n);
}


static int
martech_agent_product_known(martech_str_t name, int version)
{
    size_t    i;
    unsigned  digits;

    static const char *const  bare[] = { "Mobile", "Safari", "Gecko", "like" };

    if (name.len == 0 || name.len > MARTECH_AGENT_PRODUCT_MAX) {
        return 0;
    }

    if (!version) {

        for (i = 0; i < sizeof(bare) / sizeof(bare[0]); i++) {

            if (name.len == strlen(bare[i])
                && memcmp(name.data, bare[i], name.len) == 0)
            {
                return 1;
            }
        }

        return 0;
    }

    digits = 0;

    for (i = 0; i < name.len; i++) {

        if (martech_agent_digit(name.data[i])) {
            digits++;

        } else if (!martech_agent_letter(name.data[i]) && name.data[i] != '-'
                   && name.data[i] != '_' && name.data[i] != '.')
        {
            return 0;
        }
    }

    /* "okhttp3", not a serial number */

    return digits <= 2;
}
