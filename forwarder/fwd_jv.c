
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * JSON text to the values of jq and back.
 *
 * libjq 1.6 parses a byte at a time and grows its output by copies; measured
 * on a 1 kB event with a map of a vendor's size, that was three fifths of the
 * time.
 */


#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../martech/martech_json.h"

#include "fwd_jv.h"


#define FWD_JV_DEPTH_MAX   256           /* as in libjq's own parser */
#define FWD_JV_STACK_TEXT  512           /* texts that need no allocation */
#define FWD_JV_WHOLE_MAX   1e15          /* 15 digits are exact */
#define FWD_JV_PLAIN_MIN   0.001         /* libjq prints less as 1e-4 */

#define FWD_JV_DECIMALS_MAX  6
#define FWD_JV_DECIMAL_LEN   32

/* a byte in each of eight */
#define FWD_JV_EACH(byte)  (0x0101010101010101ULL * (byte))


/* What all functions that walk over a tape need. */
typedef struct {
    const martech_json_tape_t  *tape;
    fwd_jv_names_t             *names;   /* or NULL */
    int                         guard;
} fwd_jv_walk_t;


static jv fwd_jv_node(const fwd_jv_walk_t *w, uint32_t node, uint32_t depth);
static jv fwd_jv_object(const fwd_jv_walk_t *w, uint32_t node,
    uint32_t depth);
static uint32_t fwd_jv_member(const martech_json_tape_t *tape, uint32_t node,
    const char *name, size_t len);
static jv fwd_jv_key(const fwd_jv_walk_t *w, const martech_json_node_t *n);
static jv fwd_jv_array(const fwd_jv_walk_t *w, uint32_t node,
    uint32_t depth);
static jv fwd_jv_string(const unsigned char *data, size_t len, int escaped);
static jv fwd_jv_number(const unsigned char *data, size_t len);
static void fwd_jv_dump_number(fwd_buf_t *b, jv value);
static void fwd_jv_dump_decimal(fwd_buf_t *b, int64_t number,
    unsigned decimals);
static size_t fwd_jv_plain(const unsigned char *p, size_t len);
static void fwd_jv_dump_escape(fwd_buf_t *b, unsigned char c);
static void fwd_jv_dump_array(fwd_buf_t *b, jv value);
static void fwd_jv_dump_object(fwd_buf_t *b, jv value);


static const double  fwd_jv_tens[] = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13,
    1e14, 1e15
};


jv
fwd_jv_parse(fwd_reader_tape_t *rt, martech_str_t text)
{
    fwd_jv_walk_t  w;

    if (fwd_reader_tape_scan(rt, text) != FWD_OK) {
        return jv_invalid();
    }

    w.tape = &rt->tape;
    w.names = NULL;
    w.guard = 0;

    return fwd_jv_node(&w, 0, 0);
}


jv
fwd_jv_parse_guarded(fwd_reader_tape_t *rt, fwd_jv_names_t *names,
    martech_str_t text)
{
    fwd_jv_walk_t  w;

    if (fwd_reader_tape_scan(rt, text) != FWD_OK) {
        return jv_invalid();
    }

    w.tape = &rt->tape;
    w.names = names;
    w.guard = 1;

    return fwd_jv_node(&w, 0, 0);
}


uint32_t
fwd_jv_find(const fwd_reader_tape_t *rt, const char *path)
{
    size_t       len;
    uint32_t     node;
    const char  *dot;

    node = 0;

    do {
        dot = strchr(path, '.');
        len = (dot != NULL) ? (size_t) (dot - path) : strlen(path);
        node = fwd_jv_member(&rt->tape, node, path, len);
        path += len + 1;

    } while (node != 0 && dot != NULL);

    if (node != 0 && rt->tape.nodes[node].kind == MARTECH_JSON_NULL) {
        return 0;
    }

    return node;
}


/* The last of this name, as an object of jq would have it; 0: none. */

static uint32_t
fwd_jv_member(const martech_json_tape_t *tape, uint32_t node,
    const char *name, size_t len)
{
    uint32_t                    i, found;
    const martech_json_node_t  *n;

    found = 0;

    if (tape->nodes[node].kind != MARTECH_JSON_OBJECT) {
        return 0;
    }

    for (i = node + 1; i != tape->nodes[node].next; i = n->next) {
        n = &tape->nodes[i];

        if (n->flags & MARTECH_JSON_KEY_ESCAPED) {
            found = martech_json_name_is(tape, i, name, len) ? i : found;

        } else if (n->key_len == len && tape->text[n->key] == (unsigned char)
                   name[0] && memcmp(tape->text + n->key, name, len) == 0)
        {
            found = i;
        }
    }

    return found;
}


jv
fwd_jv_value(const fwd_reader_tape_t *rt, fwd_jv_names_t *names,
    uint32_t node)
{
    jv             value;
    fwd_jv_walk_t  w;

    w.tape = &rt->tape;
    w.names = names;
    w.guard = 1;

    value = fwd_jv_node(&w, node, 0);

    if (!jv_is_valid(value)) {
        jv_free(value);
        return jv_null();
    }

    return value;
}


int
fwd_jv_text(const fwd_reader_tape_t *rt, uint32_t node, fwd_buf_t *b)
{
    const martech_json_node_t  *n;

    n = &rt->tape.nodes[node];

    if (n->kind != MARTECH_JSON_STRING
        || (n->flags & MARTECH_JSON_VALUE_ESCAPED))
    {
        return 0;
    }

    fwd_buf_add(b, rt->tape.text + n->value, n->len);

    return 1;
}


void
fwd_jv_names_free(fwd_jv_names_t *names)
{
    size_t  i;

    for (i = 0; i < FWD_JV_NAMES; i++) {
        if (names->list[i].len != 0) {
            jv_free(names->list[i].name);
            names->list[i].len = 0;
        }
    }
}


static jv
fwd_jv_node(const fwd_jv_walk_t *w, uint32_t node, uint32_t depth)
{
    const unsigned char        *value;
    const martech_json_node_t  *n;

    n = &w->tape->nodes[node];
    value = w->tape->text + n->value;

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
               ? fwd_jv_array(w, node, depth + 1) : jv_invalid();

    case MARTECH_JSON_OBJECT:
        return (depth < FWD_JV_DEPTH_MAX)
               ? fwd_jv_object(w, node, depth + 1) : jv_invalid();

    default:
        return jv_null();
    }
}


static jv
fwd_jv_object(const fwd_jv_walk_t *w, uint32_t node, uint32_t depth)
{
    jv                          object, value;
    uint32_t                    i;
    const martech_json_node_t  *n;

    object = jv_object();

    for (i = node + 1; i != w->tape->nodes[node].next; i = n->next) {
        n = &w->tape->nodes[i];
        value = fwd_jv_node(w, i, depth);

        if (!jv_is_valid(value)) {
            jv_free(object);
            return value;
        }

        object = jv_object_set(object, fwd_jv_key(w, n), value);
    }

    return object;
}


static jv
fwd_jv_key(const fwd_jv_walk_t *w, const martech_json_node_t *n)
{
    jv                    key;
    const unsigned char  *text;

    text = w->tape->text + n->key;

    if (n->key_len != 0 && !(n->flags & MARTECH_JSON_KEY_ESCAPED)
        && (text[0] != '@' || !w->guard))
    {
        return fwd_jv_name(w->names, (const char *) text, n->key_len);
    }

    key = fwd_jv_string(text, n->key_len,
                        n->flags & MARTECH_JSON_KEY_ESCAPED);

    /* the first byte tells; escaped it may be anything */

    if (w->guard && n->key_len != 0
        && (text[0] == '@' || text[0] == '\\')
        && jv_is_valid(key) && jv_string_value(key)[0] == '@')
    {
        key = jv_string_concat(jv_string(FWD_JV_GUARD), key);
    }

    return key;
}


jv
fwd_jv_name(fwd_jv_names_t *names, const char *text, size_t len)
{
    size_t          place;
    fwd_jv_name_t  *n;

    if (names == NULL || len == 0 || len > FWD_JV_NAME_MAX) {
        return jv_string_sized(text, (int) len);
    }

    /* a place holds the latest name that belongs there */

    place = (len * 7 + (unsigned char) text[0] * 31u
             + (unsigned char) text[len / 2] * 5u
             + (unsigned char) text[len - 1])
            % FWD_JV_NAMES;
    n = &names->list[place];

    if (n->len == len && memcmp(n->text, text, len) == 0) {
        return jv_copy(n->name);
    }

    if (n->len != 0) {
        jv_free(n->name);
    }

    n->name = jv_string_sized(text, (int) len);
    n->text = jv_string_value(n->name);
    n->len = (uint32_t) jv_string_length_bytes(jv_copy(n->name));

    return jv_copy(n->name);
}


static jv
fwd_jv_array(const fwd_jv_walk_t *w, uint32_t node, uint32_t depth)
{
    jv        array, value;
    uint32_t  i;

    array = jv_array_sized((int) w->tape->nodes[node].count);

    for (i = node + 1; i != w->tape->nodes[node].next;
         i = w->tape->nodes[i].next)
    {
        value = fwd_jv_node(w, i, depth);

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
    size_t   i, point;
    double   number;
    int64_t  whole;
    char    *copy, stack[FWD_JV_STACK_TEXT];

    /*
     * Most are short: up to 15 digits are a whole number without rounding,
     * and a power of ten divides it with one rounding, as it should be.  "-0"
     * is the one whose sign would be lost.
     */

    whole = 0;
    point = len;

    for (i = (data[0] == '-'); i < len && len <= 16; i++) {

        if (data[i] == '.' && point == len) {
            point = i;
            continue;
        }

        if (data[i] < '0' || data[i] > '9') {
            break;
        }

        whole = whole * 10 + (data[i] - '0');
    }

    if (i == len && whole != 0 && whole < (int64_t) FWD_JV_WHOLE_MAX) {
        number = (double) (data[0] == '-' ? -whole : whole);

        return jv_number(point == len ? number
                                      : number / fwd_jv_tens[len - point - 1]);
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
        fwd_jv_dump_text(b, jv_string_value(value),
                         (size_t) jv_string_length_bytes(jv_copy(value)));
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


/*
 * Whole numbers, and those that up to six decimals say exactly, are most.  The
 * shortest text of any other is libjq's business.
 */

static void
fwd_jv_dump_number(fwd_buf_t *b, jv value)
{
    jv        text;
    double    number, more;
    unsigned  decimals;

    number = jv_number_value(value);

    if (number > -FWD_JV_WHOLE_MAX && number < FWD_JV_WHOLE_MAX
        && (number >= FWD_JV_PLAIN_MIN || number <= -FWD_JV_PLAIN_MIN))
    {
        more = number;

        for (decimals = 0; decimals <= FWD_JV_DECIMALS_MAX; decimals++) {
            more = nearbyint(number * fwd_jv_tens[decimals]);

            if (more <= -FWD_JV_WHOLE_MAX || more >= FWD_JV_WHOLE_MAX) {
                break;
            }

            if (more / fwd_jv_tens[decimals] == number) {
                fwd_jv_dump_decimal(b, (int64_t) more, decimals);
                return;
            }
        }
    }

    text = jv_dump_string(jv_copy(value), 0);
    fwd_buf_add_string(b, jv_string_value(text));
    jv_free(text);
}


static void
fwd_jv_dump_decimal(fwd_buf_t *b, int64_t number, unsigned decimals)
{
    char      text[FWD_JV_DECIMAL_LEN], *p;
    uint64_t  rest;
    unsigned  n;

    p = text + sizeof(text);
    rest = (uint64_t) (number < 0 ? -number : number);

    for (n = 0; rest != 0 || n <= decimals; n++) {

        if (n == decimals && n != 0) {
            *--p = '.';
        }

        *--p = (char) ('0' + rest % 10);
        rest /= 10;
    }

    if (number < 0) {
        *--p = '-';
    }

    fwd_buf_add(b, p, (size_t) (text + sizeof(text) - p));
}


void
fwd_jv_dump_text(fwd_buf_t *b, const char *text, size_t len)
{
    size_t                n;
    const unsigned char  *p, *end;

    p = (const unsigned char *) text;
    end = p + len;

    fwd_buf_add_char(b, '"');

    while (p < end) {
        n = fwd_jv_plain(p, (size_t) (end - p));
        fwd_buf_add(b, p, n);
        p += n;

        if (p < end) {
            fwd_jv_dump_escape(b, *p++);
        }
    }

    fwd_buf_add_char(b, '"');
}


/* How many bytes need no escape. */

static size_t
fwd_jv_plain(const unsigned char *p, size_t len)
{
    size_t    n;
    uint64_t  x, some, quote, slash, del;

    /* eight at a time: the high bit of a byte that is 0, or below a blank */

    for (n = 0; len - n >= 8; n += 8) {
        memcpy(&x, p + n, 8);
        quote = x ^ FWD_JV_EACH('"');
        slash = x ^ FWD_JV_EACH('\\');
        del = x ^ FWD_JV_EACH(0x7f);

        some = ((x - FWD_JV_EACH(' ')) & ~x)
               | ((quote - FWD_JV_EACH(1)) & ~quote)
               | ((slash - FWD_JV_EACH(1)) & ~slash)
               | ((del - FWD_JV_EACH(1)) & ~del);

        if (some & FWD_JV_EACH(0x80)) {
            break;
        }
    }

    while (n < len && p[n] >= ' ' && p[n] != '"' && p[n] != '\\'
           && p[n] != 0x7f)
    {
        n++;
    }

    return n;
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
