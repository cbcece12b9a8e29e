
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * JSON text to the values of jq and back.
 *
 * libjq 1.6 parses a byte at a time and grows its output by copies; measured
 * on a 1 kB event with a map of a vendor's size, that was three fifths of the
 * time.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../martech/martech_json.h"

#include "fwd_jv.h"


#define FWD_JV_DEPTH_MAX   256           /* as in libjq's own parser */
#define FWD_JV_STACK_TEXT  512           /* texts that need no allocation */
#define FWD_JV_WHOLE_MAX   1e15          /* numbers printed as integers */


static jv fwd_jv_node(const martech_json_tape_t *tape, uint32_t node,
    uint32_t depth, int guard);
static jv fwd_jv_object(const martech_json_tape_t *tape, uint32_t node,
    uint32_t depth, int guard);
static jv fwd_jv_array(const martech_json_tape_t *tape, uint32_t node,
    uint32_t depth, int guard);
static jv fwd_jv_string(const unsigned char *data, size_t len, int escaped);
static jv fwd_jv_number(const unsigned char *data, size_t len);
static void fwd_jv_dump_number(fwd_buf_t *b, jv value);
static void fwd_jv_dump_string(fwd_buf_t *b, jv value);
static void fwd_jv_dump_escape(fwd_buf_t *b, unsigned char c);
static void fwd_jv_dump_array(fwd_buf_t *b, jv value);
static void fwd_jv_dump_object(fwd_buf_t *b, jv value);


jv
fwd_jv_parse(fwd_reader_tape_t *rt, martech_str_t text)
{
    if (fwd_reader_tape_scan(rt, text) != FWD_OK) {
        return jv_invalid();
    }

    return fwd_jv_node(&rt->tape, 0, 0, 0);
}


jv
fwd_jv_parse_guarded(fwd_reader_tape_t *rt, martech_str_t text)
{
    if (fwd_reader_tape_scan(rt, text) != FWD_OK) {
        return jv_invalid();
    }

    return fwd_jv_node(&rt->tape, 0, 0, 1);
}


static jv
fwd_jv_node(const martech_json_tape_t *tape, uint32_t node, uint32_t depth,
    int guard)
{
    const unsigned char        *value;
    const martech_json_node_t  *n;

    n = &tape->nodes[node];
    value = tape->text + n->value;

    switch (n->kind) {

    case MARTECH_JSON_FALSE:
        return jv_false();

    case MARTECH_JSON_TRUE:
        return jv_true();

    case MARTECH_JSON_NUMBER:
        return fwd_jv_number(value, n->len);

    case MARTECH_JSON_STRING:
        return fwd_jv_string(value, n->len,
                             n->flags & MARTECH_JSON_VALUE_ESCAPED);

    case MARTECH_JSON_ARRAY:
        return (depth < FWD_JV_DEPTH_MAX)
               ? fwd_jv_array(tape, node, depth + 1, guard) : jv_invalid();

    case MARTECH_JSON_OBJECT:
        return (depth < FWD_JV_DEPTH_MAX)
               ? fwd_jv_object(tape, node, depth + 1, guard) : jv_invalid();

    default:
        return jv_null();
    }
}


static jv
fwd_jv_object(const martech_json_tape_t *tape, uint32_t node, uint32_t depth,
    int guard)
{
    jv                          object, key, value;
    uint32_t                    i;
    const martech_json_node_t  *n;

    object = jv_object();

    for (i = node + 1; i != tape->nodes[node].next; i = n->next) {
        n = &tape->nodes[i];
        value = fwd_jv_node(tape, i, depth, guard);

        if (!jv_is_valid(value)) {
            jv_free(object);
            return value;
        }

        key = fwd_jv_string(tape->text + n->key, n->key_len,
                            n->flags & MARTECH_JSON_KEY_ESCAPED);

        /* the first byte tells; escaped it may be anything */

        if (guard && n->key_len != 0
            && (tape->text[n->key] == '@' || tape->text[n->key] == '\\')
            && jv_is_valid(key) && jv_string_value(key)[0] == '@')
        {
            key = jv_string_concat(jv_string(FWD_JV_GUARD), key);
        }

        object = jv_object_set(object, key, value);
    }

    return object;
}


static jv
fwd_jv_array(const martech_json_tape_t *tape, uint32_t node, uint32_t depth,
    int guard)
{
    jv        array, value;
    uint32_t  i;

    array = jv_array_sized((int) tape->nodes[node].count);

    for (i = node + 1; i != tape->nodes[node].next; i = tape->nodes[i].next) {
        value = fwd_jv_node(tape, i, depth, guard);

        if (!jv_is_valid(value)) {
            jv_free(array);
            return value;
        }

        array = jv_array_append(array, value);
    }

    return array;
}


static jv
fwd_jv_string(const unsigned char *data, size_t len, int escaped)
{
    jv              value;
    long            n;
    martech_str_t   text;
    unsigned char  *out, stack[FWD_JV_STACK_TEXT];

    if (!escaped) {
        return jv_string_sized((const char *) data, (int) len);
    }

    out = (len <= sizeof(stack)) ? stack : malloc(len);

    if (out == NULL) {
        return jv_invalid();
    }

    text.data = data;
    text.len = len;
    n = martech_json_unescape(text, out, len);

    value = (n < 0) ? jv_invalid()
                    : jv_string_sized((const char *) out, (int) n);

    if (out != stack) {
        free(out);
    }

    return value;
}


static jv
fwd_jv_number(const unsigned char *data, size_t len)
{
    size_t   i;
    double   number;
    int64_t  whole;
    char    *copy, stack[FWD_JV_STACK_TEXT];

    /* most are short integers; "-0" is the one whose sign would be lost */

    whole = 0;

    for (i = (data[0] == '-'); i < len && len <= 15; i++) {
        if (data[i] < '0' || data[i] > '9') {
            break;
        }

        whole = whole * 10 + (data[i] - '0');
    }

    if (i == len && whole != 0) {
        return jv_number((double) (data[0] == '-' ? -whole : whole));
    }

    copy = (len < sizeof(stack)) ? stack : malloc(len + 1);

    if (copy == NULL) {
        return jv_invalid();
    }

    memcpy(copy, data, len);
    copy[len] = '\0';
    number = strtod(copy, NULL);

    if (copy != stack) {
        free(copy);
    }

    return jv_number(number);
}


void
fwd_jv_dump(fwd_buf_t *b, jv value)
{
    switch (jv_get_kind(value)) {

    case JV_KIND_FALSE:
        fwd_buf_add(b, "false", 5);
        break;

    case JV_KIND_TRUE:
        fwd_buf_add(b, "true", 4);
        break;

    case JV_KIND_NUMBER:
        fwd_jv_dump_number(b, value);
        break;

    case JV_KIND_STRING:
        fwd_jv_dump_string(b, value);
        break;

    case JV_KIND_ARRAY:
        fwd_jv_dump_array(b, value);
        break;

    case JV_KIND_OBJECT:
        fwd_jv_dump_object(b, value);
        break;

    default:
        fwd_buf_add(b, "null", 4);
        break;
    }

    jv_free(value);
}


/* The shortest text of a number with a fraction is libjq's business. */

static void
fwd_jv_dump_number(fwd_buf_t *b, jv value)
{
    jv        text;
    int       n;
    char      digits[32];
    double    number;
    int64_t   whole;

    number = jv_number_value(value);

    if (number > -FWD_JV_WHOLE_MAX && number < FWD_JV_WHOLE_MAX
        && number != 0)
    {
        whole = (int64_t) number;

        if ((double) whole == number) {
            n = snprintf(digits, sizeof(digits), "%lld", (long long) whole);
            fwd_buf_add(b, digits, (size_t) n);
            return;
        }
    }

    text = jv_dump_string(jv_copy(value), 0);
    fwd_buf_add_string(b, jv_string_value(text));
    jv_free(text);
}


static void
fwd_jv_dump_string(fwd_buf_t *b, jv value)
{
    size_t                len;
    const unsigned char  *p, *from, *end;

    len = (size_t) jv_string_length_bytes(jv_copy(value));
    p = (const unsigned char *) jv_string_value(value);
    end = p + len;

    fwd_buf_add_char(b, '"');

    for (from = p; p < end; p++) {

        if (*p >= ' ' && *p != '"' && *p != '\\' && *p != 0x7f) {
            continue;
        }

        fwd_buf_add(b, from, (size_t) (p - from));
        fwd_jv_dump_escape(b, *p);
        from = p + 1;
    }

    fwd_buf_add(b, from, (size_t) (p - from));
    fwd_buf_add_char(b, '"');
}


static void
fwd_jv_dump_escape(fwd_buf_t *b, unsigned char c)
{
    char                text[8];
    const char         *known;

    static const char   plain[] = "\"\\\b\t\r\n\f";
    static const char   names[] = "\"\\btrnf";

    known = (c != '\0') ? strchr(plain, c) : NULL;

    if (known != NULL) {
        fwd_buf_add_char(b, '\\');
        fwd_buf_add_char(b, names[known - plain]);
        return;
    }

    (void) snprintf(text, sizeof(text), "\\u%04x", (unsigned) c);
    fwd_buf_add_string(b, text);
}


static void
fwd_jv_dump_array(fwd_buf_t *b, jv value)
{
    int  i, count;

    count = jv_array_length(jv_copy(value));

    fwd_buf_add_char(b, '[');

    for (i = 0; i < count; i++) {
        if (i != 0) {
            fwd_buf_add_char(b, ',');
        }

        fwd_jv_dump(b, jv_array_get(jv_copy(value), i));
    }

    fwd_buf_add_char(b, ']');
}


static void
fwd_jv_dump_object(fwd_buf_t *b, jv value)
{
    int  i, some;

    some = 0;

    fwd_buf_add_char(b, '{');

    for (i = jv_object_iter(value); jv_object_iter_valid(value, i);
         i = jv_object_iter_next(value, i))
    {
        if (some) {
            fwd_buf_add_char(b, ',');
        }

        some = 1;

        fwd_jv_dump(b, jv_object_iter_key(value, i));
        fwd_buf_add_char(b, ':');
        fwd_jv_dump(b, jv_object_iter_value(value, i));
    }

    fwd_buf_add_char(b, '}');
}
