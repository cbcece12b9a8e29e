
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The JSON writer: into a buffer of the caller, never beyond it.
 */


#include <string.h>

#include "martech_json.h"


static void martech_json_put(martech_json_writer_t *w, const void *data,
    size_t len);
static void martech_json_value_begin(martech_json_writer_t *w);
static size_t martech_json_utf8_len(const unsigned char *p, size_t len);
static void martech_json_put_escape(martech_json_writer_t *w,
    unsigned char ch);


void
martech_json_writer_init(martech_json_writer_t *w, void *buf, size_t size)
{
    w->start = buf;
    w->pos = buf;
    w->end = w->start + size;
    w->comma = 0;
    w->overflow = 0;
}


static void
martech_json_put(martech_json_writer_t *w, const void *data, size_t len)
{
    if ((size_t) (w->end - w->pos) < len) {
        w->overflow = 1;

        /* nothing may follow what was left out */
        w->end = w->pos;
        return;
    }

    memcpy(w->pos, data, len);
    w->pos += len;
}


static void
martech_json_value_begin(martech_json_writer_t *w)
{
    if (w->comma) {
        martech_json_put(w, ",", 1);
    }

    w->comma = 1;
}


void
martech_json_begin(martech_json_writer_t *w, int bracket)
{
    char  ch;

    martech_json_value_begin(w);

    ch = (char) bracket;
    martech_json_put(w, &ch, 1);
    w->comma = 0;
}


void
martech_json_end(martech_json_writer_t *w, int bracket)
{
    char  ch;

    ch = (char) bracket;
    martech_json_put(w, &ch, 1);
    w->comma = 1;
}


void
martech_json_name(martech_json_writer_t *w, const char *name)
{
    martech_json_value_begin(w);

    martech_json_put(w, "\"", 1);
    martech_json_put(w, name, strlen(name));
    martech_json_put(w, "\":", 2);
    w->comma = 0;
}


void
martech_json_string(martech_json_writer_t *w, const void *data, size_t len)
{
    size_t                n;
    const unsigned char  *p, *end, *run;

    martech_json_value_begin(w);
    martech_json_put(w, "\"", 1);

    p = data;
    end = p + len;
    run = p;

    while (p < end) {

        if (*p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\') {
            p++;
            continue;
        }

        n = martech_json_utf8_len(p, (size_t) (end - p));

        if (n > 1) {
            p += n;
            continue;
        }

        martech_json_put(w, run, (size_t) (p - run));

        if (n == 1) {
            martech_json_put_escape(w, *p);

        } else {
            martech_json_put(w, "\xef\xbf\xbd", 3);
        }

        run = ++p;
    }

    if (run < end) {
        martech_json_put(w, run, (size_t) (end - run));
    }

    martech_json_put(w, "\"", 1);
}


/* Length of the well-formed UTF-8 sequence at p, or 0. */

static size_t
martech_json_utf8_len(const unsigned char *p, size_t len)
{
    size_t    i, n;
    uint32_t  code;

    if (*p < 0x80) {
        return 1;
    }

    if (*p < 0xc2 || *p > 0xf4) {
        return 0;
    }

    n = (*p < 0xe0) ? 2 : (*p < 0xf0) ? 3 : 4;

    if (len < n) {
        return 0;
    }

    code = *p & (0xffu >> (n + 1));

    for (i = 1; i < n; i++) {

        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        code = (code << 6) | (p[i] & 0x3f);
    }

    if ((n == 3 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff)))
        || (n == 4 && (code < 0x10000 || code > 0x10ffff)))
    {
        return 0;
    }

    return n;
}


static void
martech_json_put_escape(martech_json_writer_t *w, unsigned char ch)
{
    char               seq[6];
    static const char  hex[] = "0123456789abcdef";

    seq[0] = '\\';

    switch (ch) {

    case '"':
    case '\\':
        seq[1] = (char) ch;
        break;

    case '\n':
        seq[1] = 'n';
        break;

    case '\r':
        seq[1] = 'r';
        break;

    case '\t':
        seq[1] = 't';
        break;

    default:
        seq[1] = 'u';
        seq[2] = '0';
        seq[3] = '0';
        seq[4] = hex[ch >> 4];
        seq[5] = hex[ch & 0x0f];
        martech_json_put(w, seq, 6);
        return;
    }

    martech_json_put(w, seq, 2);
}


void
martech_json_cstring(martech_json_writer_t *w, const char *text)
{
    martech_json_string(w, text, strlen(text));
}


void
martech_json_int(martech_json_writer_t *w, int64_t value)
{
    char      buf[20], *p;
    uint64_t  n;

    martech_json_value_begin(w);

    p = buf + sizeof(buf);
    n = (value < 0) ? (uint64_t) 0 - (uint64_t) value : (uint64_t) value;

    do {
        *--p = (char) ('0' + n % 10);
        n /= 10;
    } while (n > 0);

    if (value < 0) {
        *--p = '-';
    }

    martech_json_put(w, p, (size_t) (buf + sizeof(buf) - p));
}


void
martech_json_bool(martech_json_writer_t *w, int value)
{
    if (value) {
        martech_json_raw(w, "true", 4);

    } else {
        martech_json_raw(w, "false", 5);
    }
}


void
martech_json_raw(martech_json_writer_t *w, const void *data, size_t len)
{
    martech_json_value_begin(w);
    martech_json_put(w, data, len);
}


void
martech_json_bytes(martech_json_writer_t *w, const void *data, size_t len)
{
    martech_json_put(w, data, len);
}
