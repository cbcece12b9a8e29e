
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What is signed of a request, part by part.  A slice is used where it is;
 * only a form and a URL with escapes are written anew.
 */


#include <stdlib.h>
#include <string.h>

#include "martech_form.h"
#include "martech_hook_private.h"


typedef struct {
    martech_str_t  name;
    martech_str_t  value;
} martech_hook_pair_t;


static martech_hook_rc_t martech_hook_part(martech_hook_text_t *text,
    const martech_hook_scheme_t *scheme,
    const martech_hook_request_t *request, const martech_hook_part_t *part,
    martech_str_t *piece);
static martech_str_t martech_hook_first(martech_str_t body);
static martech_str_t martech_hook_url(martech_hook_text_t *text,
    martech_str_t url);
static int martech_hook_form(martech_hook_text_t *text, martech_str_t body,
    martech_str_t *piece);
static martech_str_t martech_hook_form_text(martech_hook_text_t *text,
    martech_str_t encoded);
static int martech_hook_form_order(const void *a, const void *b);
static int martech_hook_str_order(martech_str_t a, martech_str_t b);


size_t
martech_hook_scratch(const martech_hook_request_t *request)
{
    /* a form decoded and put together; or what is signed in one piece; or a
       form as JSON, where a byte may become six */

    return MARTECH_HOOK_PAIRS * sizeof(martech_hook_pair_t) + 16384
           + 8 * (request->body.len + request->args.len)
           + 4 * request->url.len;
}


martech_hook_rc_t
martech_hook_text(martech_hook_text_t *text,
    const martech_hook_scheme_t *scheme,
    const martech_hook_request_t *request, martech_str_t url,
    martech_str_t stamp)
{
    unsigned                    i;
    martech_str_t              *piece;
    martech_hook_rc_t           rc;
    const martech_hook_part_t  *part;

    text->count = 0;
    text->free = request->scratch;
    text->end = request->scratch + request->scratch_size;

    for (i = 0; i < MARTECH_HOOK_PARTS; i++) {
        part = &scheme->parts[i];

        if (part->kind == MARTECH_HOOK_END) {
            break;
        }

        piece = &text->pieces[text->count++];

        switch (part->kind) {

        case MARTECH_HOOK_TIME:
            *piece = stamp;
            break;

        case MARTECH_HOOK_URL:
            *piece = scheme->url_plain ? martech_hook_url(text, url) : url;
            break;

        default:
            rc = martech_hook_part(text, scheme, request, part, piece);

            if (rc != MARTECH_HOOK_OK) {
                return rc;
            }
        }
    }

    return MARTECH_HOOK_OK;
}


static martech_hook_rc_t
martech_hook_part(martech_hook_text_t *text,
    const martech_hook_scheme_t *scheme,
    const martech_hook_request_t *request, const martech_hook_part_t *part,
    martech_str_t *piece)
{
    size_t         i;
    unsigned char  digest[32];

    static const char  hex[] = "0123456789abcdef";

    switch (part->kind) {

    case MARTECH_HOOK_LITERAL:
        *piece = part->text;
        return MARTECH_HOOK_OK;

    case MARTECH_HOOK_HEADER:
        return (martech_hook_header(scheme, request, part->text, piece) == 1)
               ? MARTECH_HOOK_OK : MARTECH_HOOK_MALFORMED;

    case MARTECH_HOOK_METHOD:
        *piece = request->method;
        return MARTECH_HOOK_OK;

    case MARTECH_HOOK_FIRST:
        *piece = martech_hook_first(request->body);
        return MARTECH_HOOK_OK;

    case MARTECH_HOOK_FORM:
        return martech_hook_form(text, request->body, piece)
               ? MARTECH_HOOK_OK : MARTECH_HOOK_MALFORMED;

    case MARTECH_HOOK_DIGEST:
        martech_hook_sha256(request->body, digest);

        for (i = 0; i < sizeof(text->digest); i++) {
            text->digest[i] = (unsigned char)
                              hex[(digest[i / 2] >> (i % 2 ? 0 : 4)) & 0x0f];
        }

        piece->data = text->digest;
        piece->len = sizeof(text->digest);
        return MARTECH_HOOK_OK;

    default:
        *piece = request->body;
        return MARTECH_HOOK_OK;
    }
}


/*
 * The first item of an array as it stands.  The sender signs what its own
 * serialiser makes of it, which is what it also sends.
 */

static martech_str_t
martech_hook_first(martech_str_t body)
{
    int                   depth, quoted;
    martech_str_t         item;
    const unsigned char  *p, *end;

    p = body.data;
    end = p + body.len;

    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }

    if (p == end || *p != '[') {
        return body;
    }

    p++;

    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }

    item.data = p;
    depth = 0;
    quoted = 0;

    for ( /* void */ ; p < end; p++) {

        if (quoted) {

            if (*p == '\\' && p + 1 < end) {
                p++;

            } else if (*p == '"') {
                quoted = 0;
            }

            continue;
        }

        if (*p == '"') {
            quoted = 1;

        } else if (*p == '{' || *p == '[') {
            depth++;

        } else if ((*p == ',' || *p == ']') && depth == 0) {
            break;

        } else if (*p == '}' || *p == ']') {
            depth--;
        }
    }

    while (p > item.data && (p[-1] == ' ' || p[-1] == '\n' || p[-1] == '\r'
                             || p[-1] == '\t'))
    {
        p--;
    }

    item.len = (size_t) (p - item.data);

    return item;
}


/* These escapes, and no others, are undone before the URL is signed. */

static martech_str_t
martech_hook_url(martech_hook_text_t *text, martech_str_t url)
{
    size_t         i;
    martech_str_t  plain;
    unsigned char  ch, *p, code[2];

    static const char  codes[] = "3A2F3F4021242728292A2C3B";

    if (url.len > (size_t) (text->end - text->free)) {
        url.len = 0;
        return url;
    }

    p = text->free;

    for (i = 0; i < url.len; i++) {
        ch = url.data[i];

        if (ch == '%' && url.len - i > 2
            && martech_hook_decode(MARTECH_HOOK_HEX,
                             (martech_str_t) { 2, url.data + i + 1 }, code, 1))
        {
            size_t  n;

            for (n = 0; n < sizeof(codes) - 1; n += 2) {
                if ((url.data[i + 1] | 0x20) == (codes[n] | 0x20)
                    && (url.data[i + 2] | 0x20) == (codes[n + 1] | 0x20))
                {
                    ch = code[0];
                    i += 2;
                    break;
                }
            }
        }

        *p++ = ch;
    }

    plain.data = text->free;
    plain.len = (size_t) (p - text->free);
    text->free = p;

    return plain;
}


int
martech_hook_is_form(const martech_hook_request_t *request)
{
    static const char  form[] = "application/x-www-form-urlencoded";

    size_t  i;

    if (request->content_type.len < sizeof(form) - 1) {
        return 0;
    }

    for (i = 0; i < sizeof(form) - 1; i++) {
        if ((request->content_type.data[i] | 0x20) != (form[i] | 0x20)) {
            return 0;
        }
    }

    return request->content_type.len == i
           || request->content_type.data[i] == ';'
           || request->content_type.data[i] == ' ';
}


/*
 * Names and values one behind the other, by name, then by value; a pair that
 * stands there twice counts once.
 */

static int
martech_hook_form(martech_hook_text_t *text, martech_str_t body,
    martech_str_t *piece)
{
    size_t                i, n, skip;
    unsigned char        *p;
    martech_str_t         name, value;
    martech_form_t        form;
    martech_hook_pair_t  *pairs;

    skip = (0 - (uintptr_t) text->free) % sizeof(void *);

    if ((size_t) (text->end - text->free)
        < skip + MARTECH_HOOK_PAIRS * sizeof(martech_hook_pair_t)
          + 2 * body.len)
    {
        return 0;
    }

    pairs = (martech_hook_pair_t *) (text->free + skip);
    text->free += skip + MARTECH_HOOK_PAIRS * sizeof(martech_hook_pair_t);

    form.rest = body;
    n = 0;

    while (martech_form_next(&form, &name, &value)) {

        if (n == MARTECH_HOOK_PAIRS) {
            return 0;
        }

        pairs[n].name = martech_hook_form_text(text, name);
        pairs[n].value = martech_hook_form_text(text, value);
        n++;
    }

    qsort(pairs, n, sizeof(martech_hook_pair_t), martech_hook_form_order);

    p = text->free;
    piece->data = p;

    for (i = 0; i < n; i++) {

        if (i > 0 && martech_hook_form_order(&pairs[i - 1], &pairs[i]) == 0) {
            continue;
        }

        if (pairs[i].name.len > 0) {
            memcpy(p, pairs[i].name.data, pairs[i].name.len);
            p += pairs[i].name.len;
        }

        if (pairs[i].value.len > 0) {
            memcpy(p, pairs[i].value.data, pairs[i].value.len);
            p += pairs[i].value.len;
        }
    }

    piece->len = (size_t) (p - text->free);
    text->free = p;

    return 1;
}


static martech_str_t
martech_hook_form_text(martech_hook_text_t *text, martech_str_t encoded)
{
    martech_str_t  plain;

    plain = martech_form_decode(encoded, text->free);

    if (plain.data == text->free) {
        text->free += plain.len;
    }

    return plain;
}


static int
martech_hook_form_order(const void *a, const void *b)
{
    int                         order;
    const martech_hook_pair_t  *left, *right;

    left = a;
    right = b;

    order = martech_hook_str_order(left->name, right->name);

    return order ? order : martech_hook_str_order(left->value, right->value);
}


static int
martech_hook_str_order(martech_str_t a, martech_str_t b)
{
    int     order;
    size_t  len;

    len = (a.len < b.len) ? a.len : b.len;
    order = len ? memcmp(a.data, b.data, len) : 0;

    if (order || a.len == b.len) {
        return order;
    }

    return (a.len < b.len) ? -1 : 1;
}
