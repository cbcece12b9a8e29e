
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Resolution of URI references, RFC 3986 section 5.2, as far as "$id" and
 * "$ref" need it: URIs are names here, nothing is fetched.
 */


#include <string.h>

#include "martech_schema_core.h"


typedef struct {
    martech_str_t         scheme;        /* with its ':' */
    martech_str_t         authority;     /* with its "//" */
    martech_str_t         path;
    martech_str_t         query;         /* with its '?' */
    martech_str_t         fragment;      /* without its '#' */
} martech_schema_uri_t;


typedef struct {
    unsigned char        *data;
    size_t                len;
    int                   overflow;
} martech_schema_uri_out_t;


static void martech_schema_uri_parse(martech_schema_uri_t *uri,
    martech_str_t text);
static void martech_schema_uri_path(martech_schema_uri_out_t *out,
    martech_str_t directory, martech_str_t path);


/* Cuts a slice off the front of the text. */

static martech_str_t
martech_schema_uri_cut(martech_str_t *text, size_t len)
{
    martech_str_t  part;

    part.data = text->data;
    part.len = len;

    text->data += len;
    text->len -= len;

    return part;
}


/* How many bytes stand in front of the first of some characters. */

static size_t
martech_schema_uri_span(martech_str_t text, const char *stop)
{
    size_t  n;

    for (n = 0; n < text.len; n++) {

        if (text.data[n] != '\0' && strchr(stop, text.data[n]) != NULL) {
            break;
        }
    }

    return n;
}


static void
martech_schema_uri_parse(martech_schema_uri_t *uri, martech_str_t text)
{
    size_t  n;

    memset(uri, 0, sizeof(martech_schema_uri_t));

    if (text.len == 0) {
        return;             /* there may be no bytes to point to */
    }

    n = martech_schema_uri_span(text, ":/?#");

    if (n > 0 && n < text.len && text.data[n] == ':') {
        uri->scheme = martech_schema_uri_cut(&text, n + 1);
    }

    if (text.len >= 2 && text.data[0] == '/' && text.data[1] == '/') {
        uri->authority = text;
        (void) martech_schema_uri_cut(&text, 2);
        n = martech_schema_uri_span(text, "/?#");
        uri->authority.len = n + 2;
        (void) martech_schema_uri_cut(&text, n);
    }

    uri->path = martech_schema_uri_cut(&text,
                                       martech_schema_uri_span(text, "?#"));
    uri->query = martech_schema_uri_cut(&text,
                                        martech_schema_uri_span(text, "#"));

    if (text.len > 0) {
        (void) martech_schema_uri_cut(&text, 1);
        uri->fragment = text;
    }
}


static void
martech_schema_uri_put(martech_schema_uri_out_t *out, martech_str_t part)
{
    if (part.len > MARTECH_SCHEMA_URI_MAX - out->len) {
        out->overflow = 1;
        return;
    }

    if (part.len > 0) {
        memcpy(out->data + out->len, part.data, part.len);
        out->len += part.len;
    }
}


int
martech_schema_uri_resolve(martech_str_t base, martech_str_t ref,
    unsigned char out[MARTECH_SCHEMA_URI_MAX], size_t *len,
    martech_str_t *fragment)
{
    martech_str_t             directory;
    martech_schema_uri_t      b, r;
    martech_schema_uri_out_t  o;

    o.data = out;
    o.len = 0;
    o.overflow = 0;

    martech_schema_uri_parse(&b, base);
    martech_schema_uri_parse(&r, ref);

    directory.data = NULL;
    directory.len = 0;

    if (r.scheme.len == 0) {
        r.scheme = b.scheme;

        if (r.authority.len == 0) {
            r.authority = b.authority;

            if (r.path.len == 0) {
                r.path = b.path;

                if (r.query.len == 0) {
                    r.query = b.query;
                }

            } else if (r.path.data[0] != '/') {
                directory = b.path;

                while (directory.len > 0
                       && directory.data[directory.len - 1] != '/')
                {
                    directory.len--;
                }

                if (directory.len == 0 && b.authority.len > 0) {
                    directory.data = (const unsigned char *) "/";
                    directory.len = 1;
                }
            }
        }
    }

    martech_schema_uri_put(&o, r.scheme);
    martech_schema_uri_put(&o, r.authority);
    martech_schema_uri_path(&o, directory, r.path);
    martech_schema_uri_put(&o, r.query);

    *len = o.len;
    *fragment = r.fragment;

    return o.overflow ? -1 : 0;
}


/* Writes a path without "." and "..". */

static void
martech_schema_uri_path(martech_schema_uri_out_t *out,
    martech_str_t directory, martech_str_t path)
{
    size_t         start, n;
    martech_str_t  rest, segment;

    start = out->len;
    martech_schema_uri_put(out, directory);
    martech_schema_uri_put(out, path);

    if (out->overflow) {
        return;
    }

    rest.data = out->data + start;
    rest.len = out->len - start;
    out->len = start;

    while (rest.len > 0) {
        n = (rest.data[0] == '/') ? 1 : 0;

        while (n < rest.len && rest.data[n] != '/') {
            n++;
        }

        segment = martech_schema_uri_cut(&rest, n);

        if (segment.len == 2 && memcmp(segment.data, "/.", 2) == 0) {

            if (rest.len == 0) {
                out->data[out->len++] = '/';
            }

            continue;
        }

        if (segment.len == 3 && memcmp(segment.data, "/..", 3) == 0) {

            while (out->len > start && out->data[--out->len] != '/') {
                /* void */
            }

            if (rest.len == 0) {
                out->data[out->len++] = '/';
            }

            continue;
        }

        /* the result is never ahead of what is read */

        memmove(out->data + out->len, segment.data, segment.len);
        out->len += segment.len;
    }
}


int
martech_schema_uri_decode(martech_str_t text, char *out, size_t size)
{
    int     ch, high, low;
    size_t  i, n;

    n = 0;

    for (i = 0; i < text.len; i++) {
        ch = text.data[i];

        if (ch == '%' && text.len - i > 2) {
            high = memchr("0123456789", text.data[i + 1], 10)
                   ? text.data[i + 1] - '0'
                   : (text.data[i + 1] | 0x20) - 'a' + 10;
            low = memchr("0123456789", text.data[i + 2], 10)
                  ? text.data[i + 2] - '0'
                  : (text.data[i + 2] | 0x20) - 'a' + 10;

            if (high < 0 || high > 15 || low < 0 || low > 15) {
                return -1;
            }

            ch = high * 16 + low;
            i += 2;
        }

        if (ch == '\0' || n + 1 >= size) {
            return -1;
        }

        out[n++] = (char) ch;
    }

    out[n] = '\0';

    return 0;
}
