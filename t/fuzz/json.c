
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Our JSON scanner against jansson: both take the same documents and find
 * the same values in them.  The differences that are meant:
 *
 *   - numbers that jansson cannot hold are an error there, text to us;
 *   - jansson ends at 2048 open containers, we at the limit we are given;
 *   - jansson loses a NUL byte that it puts back into its input, behind a
 *     number for example, and reads on; we stop there;
 *   - of members with one name jansson keeps the last, our tape has all.
 */


#include "fuzz.h"

/* libraries */
#include <jansson.h>

/* martech */
#include "martech_json.h"


#define FUZZ_DEPTH_MAX  1000

/* look-up by name is a walk; beyond this an input only costs time */
#define FUZZ_MEMBERS_MAX  500


static void fuzz_value(const martech_json_tape_t *tape, uint32_t node,
    json_t *want);


/* The un-escaped slice in a block of its own; its size is at most src.len. */
static unsigned char *
fuzz_unescape(martech_str_t src, size_t *len)
{
    long            n;
    unsigned char  *out;

    out = fuzz_alloc(src.len);
    n = martech_json_unescape(src, out, src.len);
    fuzz_assert(n >= 0 && (size_t) n <= src.len);

    *len = (size_t) n;

    return out;
}


static void
fuzz_string(const martech_json_tape_t *tape, uint32_t node, json_t *want)
{
    size_t           len;
    unsigned char   *out;
    martech_str_t    slice;

    slice = martech_json_slice(tape, node);
    out = fuzz_unescape(slice, &len);

    fuzz_assert(json_is_string(want));
    fuzz_assert(len == json_string_length(want));
    fuzz_assert(len == 0 || memcmp(out, json_string_value(want), len) == 0);

    fuzz_assert(martech_json_equals(tape, node, json_string_value(want),
                                    len));

    if (!(tape->nodes[node].flags & MARTECH_JSON_VALUE_ESCAPED)) {
        fuzz_assert(len == slice.len);
        fuzz_assert(len == 0 || memcmp(out, slice.data, len) == 0);
    }

    if (len > 0) {

        /* one byte too little is not enough, and says so */

        fuzz_assert(martech_json_unescape(slice, out, len - 1) == -1);
    }

    free(out);
}


static void
fuzz_number(const martech_json_tape_t *tape, uint32_t node, json_t *want)
{
    char           *text, *end;
    martech_str_t   s;

    s = martech_json_slice(tape, node);
    fuzz_assert(s.len > 0);

    text = fuzz_alloc(s.len + 1);
    memcpy(text, s.data, s.len);
    text[s.len] = '\0';

    if (json_is_integer(want)) {
        fuzz_assert(strtoll(text, &end, 10) == json_integer_value(want));

    } else {
        fuzz_assert(json_is_real(want));
        fuzz_assert(strtod(text, &end) == json_real_value(want));
    }

    fuzz_assert(*end == '\0');

    free(text);
}


static void
fuzz_array(const martech_json_tape_t *tape, uint32_t node, json_t *want)
{
    size_t    n;
    uint32_t  i;

    fuzz_assert(json_is_array(want));
    fuzz_assert(tape->nodes[node].count == json_array_size(want));

    n = 0;

    for (i = node + 1; i != tape->nodes[node].next; i = tape->nodes[i].next) {
        fuzz_assert(tape->nodes[i].key == 0 && tape->nodes[i].key_len == 0);
        fuzz_value(tape, i, json_array_get(want, n));
        n++;
    }

    fuzz_assert(n == json_array_size(want));
}


static martech_str_t
fuzz_key(const martech_json_tape_t *tape, uint32_t node)
{
    martech_str_t  key;

    key.data = tape->text + tape->nodes[node].key;
    key.len = tape->nodes[node].key_len;

    return key;
}


/* The last member of an object with this name, by a look at every one. */
static uint32_t
fuzz_last(const martech_json_tape_t *tape, uint32_t object,
    const unsigned char *name, size_t len)
{
    size_t           n;
    uint32_t         i, last;
    unsigned char   *key;

    last = MARTECH_JSON_NONE;

    for (i = object + 1; i != tape->nodes[object].next;
         i = tape->nodes[i].next)
    {
        key = fuzz_unescape(fuzz_key(tape, i), &n);

        if (n == len && (n == 0 || memcmp(key, name, n) == 0)) {
            last = i;
        }

        free(key);
    }

    return last;
}


static void
fuzz_object(const martech_json_tape_t *tape, uint32_t node, json_t *want)
{
    size_t           len, distinct, members;
    json_t          *value;
    uint32_t         i, first;
    unsigned char   *name;

    fuzz_assert(json_is_object(want));

    if (tape->nodes[node].count > FUZZ_MEMBERS_MAX) {
        return;
    }

    distinct = 0;
    members = 0;

    for (i = node + 1; i != tape->nodes[node].next; i = tape->nodes[i].next) {
        members++;

        name = fuzz_unescape(fuzz_key(tape, i), &len);

        first = martech_json_member(tape, node, (char *) name, len);
        fuzz_assert(first != MARTECH_JSON_NONE && first <= i);

        if (fuzz_last(tape, node, name, len) == i) {
            distinct++;

            value = json_object_getn(want, (char *) name, len);
            fuzz_assert(value != NULL);
            fuzz_value(tape, i, value);
        }

        free(name);
    }

    fuzz_assert(members == tape->nodes[node].count);
    fuzz_assert(distinct == json_object_size(want));
}


static void
fuzz_value(const martech_json_tape_t *tape, uint32_t node, json_t *want)
{
    const martech_json_node_t  *n;

    fuzz_assert(want != NULL);
    fuzz_assert(node < tape->nodes_count);

    n = &tape->nodes[node];

    fuzz_assert(n->next > node && n->next <= tape->nodes_count);
    fuzz_assert((size_t) n->value + n->len <= tape->len);

    switch (n->kind) {

    case MARTECH_JSON_NULL:
        fuzz_assert(json_is_null(want));
        break;

    case MARTECH_JSON_TRUE:
        fuzz_assert(json_is_true(want));
        break;

    case MARTECH_JSON_FALSE:
        fuzz_assert(json_is_false(want));
        break;

    case MARTECH_JSON_NUMBER:
        fuzz_number(tape, node, want);
        break;

    case MARTECH_JSON_STRING:
        fuzz_string(tape, node, want);
        break;

    case MARTECH_JSON_ARRAY:
        fuzz_array(tape, node, want);
        return;

    default:
        fuzz_assert(n->kind == MARTECH_JSON_OBJECT);
        fuzz_object(tape, node, want);
        return;
    }

    fuzz_assert(n->next == node + 1);
}


/* The text of a node is a document of its own, with the same tree. */
static void
fuzz_text(const martech_json_tape_t *tape, const martech_limits_t *limits)
{
    uint32_t             node, nodes_max;
    martech_rc_t         rc;
    martech_str_t        text;
    martech_json_tape_t  part;

    node = tape->nodes_count / 2;
    nodes_max = tape->nodes[node].next - node;
    text = martech_json_text(tape, node);

    part.nodes = fuzz_alloc(nodes_max * sizeof(martech_json_node_t));
    part.nodes_max = nodes_max;

    rc = martech_json_scan(&part, text.data, text.len, limits);

    fuzz_assert(rc == MARTECH_OK);
    fuzz_assert(part.nodes_count == nodes_max);
    fuzz_assert(part.nodes[0].kind == tape->nodes[node].kind);

    free(part.nodes);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t               *want;
    json_error_t          error;
    martech_rc_t          rc;
    martech_limits_t      limits;
    martech_json_tape_t   tape;

    martech_limits_default(&limits);

    limits.depth_max = FUZZ_DEPTH_MAX;
    limits.tokens_max = UINT32_MAX;
    limits.key_size_max = UINT16_MAX;
    limits.string_size_max = UINT32_MAX;

    /* a value takes a byte at least, so this is always enough */

    tape.nodes_max = (uint32_t) size + 1;
    tape.nodes = fuzz_alloc(tape.nodes_max * sizeof(martech_json_node_t));

    rc = martech_json_scan(&tape, data, size, &limits);

    fuzz_assert(rc != MARTECH_JSON_TOKENS);

    want = json_loadb((const char *) data, size,
                      JSON_DECODE_ANY|JSON_ALLOW_NUL, &error);

    if (rc == MARTECH_OK) {
        fuzz_assert(tape.nodes_count > 0);
        fuzz_assert(tape.nodes[0].next == tape.nodes_count);

        if (want != NULL) {
            fuzz_value(&tape, 0, want);

        } else {
            fuzz_assert(json_error_code(&error)
                        == json_error_numeric_overflow);
        }

        fuzz_text(&tape, &limits);

    } else {
        fuzz_assert(tape.nodes_count == 0);
        fuzz_assert(tape.error_offset <= size);
        fuzz_assert(want == NULL || rc == MARTECH_JSON_DEPTH
                    || rc == MARTECH_JSON_KEY_SIZE
                    || (tape.error_offset < size
                        && data[tape.error_offset] == '\0'));
    }

    json_decref(want);
    free(tape.nodes);

    return 0;
}
