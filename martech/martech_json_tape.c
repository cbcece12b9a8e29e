
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Look-up in a scanned document, and un-escaping.
 */


#include <string.h>

#include "martech_json.h"


static int martech_json_slice_equals(martech_str_t slice, int escaped,
    const char *text, size_t len);
static uint32_t martech_json_index(const martech_json_tape_t *tape,
    uint32_t array, const char *token, size_t len);
static size_t martech_json_utf8_encode(unsigned char *out, uint32_t code);
static const unsigned char *martech_json_escape_read(const unsigned char *p,
    const unsigned char *end, uint32_t *code);


uint32_t
martech_json_member(const martech_json_tape_t *tape, uint32_t object,
    const char *name, size_t len)
{
    uint32_t                    i;
    const martech_json_node_t  *nodes;

    nodes = tape->nodes;

    if (nodes[object].kind != MARTECH_JSON_OBJECT) {
        return MARTECH_JSON_NONE;
    }

    for (i = object + 1; i < nodes[object].next; i = nodes[i].next) {

        if (nodes[i].key_len != len
            && !(nodes[i].flags & MARTECH_JSON_KEY_ESCAPED))
        {
            continue;       /* nearly always; saves the call */
        }

        if (martech_json_name_is(tape, i, name, len)) {
            return i;
        }
    }

    return MARTECH_JSON_NONE;
}


int
martech_json_name_is(const martech_json_tape_t *tape, uint32_t node,
    const char *name, size_t len)
{
    martech_str_t               key;
    const martech_json_node_t  *member;

    member = &tape->nodes[node];

    key.data = tape->text + member->key;
    key.len = member->key_len;

    return martech_json_slice_equals(key,
                                     member->flags & MARTECH_JSON_KEY_ESCAPED,
                                     name, len);
}


/* Un-escapes as it compares, so that no length needs a buffer. */

static int
martech_json_slice_equals(martech_str_t slice, int escaped, const char *text,
    size_t len)
{
    size_t                n;
    uint32_t              code;
    unsigned char         bytes[4];
    const unsigned char  *p, *end;

    if (!escaped) {
        return slice.len == len && memcmp(slice.data, text, len) == 0;
    }

    /* an escape is two to six times as long as what it stands for */

    if (slice.len < len || slice.len / 6 > len) {
        return 0;
    }

    p = slice.data;
    end = slice.data + slice.len;

    while (p < end) {

        if (*p != '\\') {
            bytes[0] = *p++;
            n = 1;

        } else {
            p = martech_json_escape_read(p + 1, end, &code);
            n = martech_json_utf8_encode(bytes, code);
        }

        if (len < n || memcmp(bytes, text, n) != 0) {
            return 0;
        }

        text += n;
        len -= n;
    }

    return len == 0;
}


uint32_t
martech_json_pointer(const martech_json_tape_t *tape, uint32_t node,
    const char *pointer)
{
    char    token[1024];
    size_t  n;

    while (*pointer == '/') {
        pointer++;

        for (n = 0; *pointer != '\0' && *pointer != '/'; pointer++) {

            if (n == sizeof(token)) {
                return MARTECH_JSON_NONE;
            }

            if (pointer[0] == '~' && (pointer[1] == '0' || pointer[1] == '1'))
            {
                pointer++;
                token[n++] = (*pointer == '0') ? '~' : '/';

            } else {
                token[n++] = *pointer;
            }
        }

        if (tape->nodes[node].kind == MARTECH_JSON_ARRAY) {
            node = martech_json_index(tape, node, token, n);

        } else {
            node = martech_json_member(tape, node, token, n);
        }

        if (node == MARTECH_JSON_NONE) {
            return MARTECH_JSON_NONE;
        }
    }

    return (*pointer == '\0') ? node : MARTECH_JSON_NONE;
}


static uint32_t
martech_json_index(const martech_json_tape_t *tape, uint32_t array,
    const char *token, size_t len)
{
    size_t    i;
    uint32_t  n, node;

    if (len == 0 || len > 9 || (token[0] == '0' && len > 1)) {
        return MARTECH_JSON_NONE;
    }

    n = 0;

    for (i = 0; i < len; i++) {

        if (token[i] < '0' || token[i] > '9') {
            return MARTECH_JSON_NONE;
        }

        n = n * 10 + (uint32_t) (token[i] - '0');
    }

    if (n >= tape->nodes[array].count) {
        return MARTECH_JSON_NONE;
    }

    for (node = array + 1; n > 0; n--) {
        node = tape->nodes[node].next;
    }

    return node;
}


martech_str_t
martech_json_slice(const martech_json_tape_t *tape, uint32_t node)
{
    martech_str_t  slice;

    slice.data = tape->text + tape->nodes[node].value;
    slice.len = tape->nodes[node].len;

    return slice;
}


martech_str_t
martech_json_text(const martech_json_tape_t *tape, uint32_t node)
{
    martech_str_t  slice;

    slice = martech_json_slice(tape, node);

    if (tape->nodes[node].kind == MARTECH_JSON_STRING) {
        slice.data--;
        slice.len += 2;
    }

    return slice;
}


int
martech_json_equals(const martech_json_tape_t *tape, uint32_t node,
    const char *text, size_t len)
{
    const martech_json_node_t  *value;

    value = &tape->nodes[node];

    if (value->kind != MARTECH_JSON_STRING
        && value->kind != MARTECH_JSON_NUMBER)
    {
        return 0;
    }

    return martech_json_slice_equals(martech_json_slice(tape, node),
                                     value->flags & MARTECH_JSON_VALUE_ESCAPED,
                                     text, len);
}


static size_t
martech_json_utf8_encode(unsigned char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (unsigned char) code;
        return 1;
    }

    if (code < 0x800) {
        out[0] = (unsigned char) (0xc0 | (code >> 6));
        out[1] = (unsigned char) (0x80 | (code & 0x3f));
        return 2;
    }

    if (code < 0x10000) {
        out[0] = (unsigned char) (0xe0 | (code >> 12));
        out[1] = (unsigned char) (0x80 | ((code >> 6) & 0x3f));
        out[2] = (unsigned char) (0x80 | (code & 0x3f));
        return 3;
    }

    out[0] = (unsigned char) (0xf0 | (code >> 18));
    out[1] = (unsigned char) (0x80 | ((code >> 12) & 0x3f));
    out[2] = (unsigned char) (0x80 | ((code >> 6) & 0x3f));
    out[3] = (unsigned char) (0x80 | (code & 0x3f));

    return 4;
}


/* Reads one escape at p (behind the backslash); returns what follows it. */

static const unsigned char *
martech_json_escape_read(const unsigned char *p, const unsigned char *end,
    uint32_t *code)
{
    uint32_t  hi, lo;

    switch (*p) {

    case 'b':
        *code = '\b';
        return p + 1;

    case 'f':
        *code = '\f';
        return p + 1;

    case 'n':
        *code = '\n';
        return p + 1;

    case 'r':
        *code = '\r';
        return p + 1;

    case 't':
        *code = '\t';
        return p + 1;

    case 'u':
        break;

    default:
        *code = *p;
        return p + 1;
    }

    hi = (uint32_t) martech_json_hex4(p + 1, end);

    if (hi < 0xd800 || hi > 0xdbff) {
        *code = hi;
        return p + 5;
    }

    lo = (uint32_t) martech_json_hex4(p + 7, end);
    *code = 0x10000 + ((hi - 0xd800) << 10) + (lo - 0xdc00);

    return p + 11;
}


long
martech_json_unescape(martech_str_t src, unsigned char *out, size_t size)
{
    size_t                n;
    uint32_t              code;
    unsigned char         bytes[4], *o;
    const unsigned char  *p, *end;

    p = src.data;
    end = src.data + src.len;
    o = out;

    while (p < end) {

        if (*p != '\\') {

            if ((size_t) (o - out) == size) {
                return -1;
            }

            *o++ = *p++;
            continue;
        }

        p = martech_json_escape_read(p + 1, end, &code);
        n = martech_json_utf8_encode(bytes, code);

        if (size - (size_t) (o - out) < n) {
            return -1;
        }

        memcpy(o, bytes, n);
        o += n;
    }

    return (long) (o - out);
}
