
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The JSON writer: any bytes as a string come out as JSON, the same if they
 * were UTF-8, and into any smaller buffer only a beginning of that.  The
 * first two bytes of the input are the size of the smaller buffer.
 */


#include "fuzz.h"

/* libraries */
#include <jansson.h>

/* martech */
#include "martech_json.h"


static void
fuzz_write(martech_json_writer_t *w, const uint8_t *data, size_t size)
{
    martech_json_begin(w, '{');
    martech_json_name(w, "text");
    martech_json_string(w, data, size);
    martech_json_name(w, "list");
    martech_json_begin(w, '[');
    martech_json_int(w, -(int64_t) size);
    martech_json_string(w, data, size / 2);
    martech_json_bool(w, (int) size & 1);
    martech_json_end(w, ']');
    martech_json_end(w, '}');
}


/* Reads the string back; it equals the bytes if those were UTF-8. */
static void
fuzz_read(const martech_json_tape_t *tape, const uint8_t *data, size_t size)
{
    long            n;
    json_t         *utf8;
    uint32_t        node;
    martech_str_t   slice;
    unsigned char  *text;

    node = martech_json_pointer(tape, 0, "/text");
    fuzz_assert(node != MARTECH_JSON_NONE);

    slice = martech_json_slice(tape, node);
    text = fuzz_alloc(slice.len);
    n = martech_json_unescape(slice, text, slice.len);
    fuzz_assert(n >= 0);

    utf8 = json_stringn((const char *) data, size);

    if (utf8 != NULL) {
        fuzz_assert((size_t) n == size);
        fuzz_assert(size == 0 || memcmp(text, data, size) == 0);

    } else {
        fuzz_assert(memmem(text, (size_t) n, "\xef\xbf\xbd", 3) != NULL);
    }

    json_decref(utf8);
    free(text);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                 small, len, full;
    uint8_t               *buf, *part;
    martech_limits_t       limits;
    martech_json_node_t    nodes[8];
    martech_json_tape_t    tape;
    martech_json_writer_t  w;

    if (size < 2) {
        return 0;
    }

    small = (size_t) data[0] * 256 + data[1];
    data += 2;
    size -= 2;

    /* six bytes for one, at most */

    full = 6 * (size + size / 2) + 64;
    buf = fuzz_alloc(full);

    martech_json_writer_init(&w, buf, full);
    fuzz_write(&w, data, size);

    fuzz_assert(!w.overflow);
    len = (size_t) (w.pos - w.start);

    martech_limits_default(&limits);
    limits.string_size_max = UINT32_MAX;

    tape.nodes = nodes;
    tape.nodes_max = sizeof(nodes) / sizeof(nodes[0]);

    fuzz_assert(martech_json_scan(&tape, buf, len, &limits) == MARTECH_OK);
    fuzz_assert(tape.nodes_count == 6);
    fuzz_read(&tape, data, size);

    small = small % (len + 8);
    part = fuzz_alloc(small);

    martech_json_writer_init(&w, part, small);
    fuzz_write(&w, data, size);

    fuzz_assert(w.overflow == (small < len));
    fuzz_assert((size_t) (w.pos - w.start) <= small);
    fuzz_assert(memcmp(part, buf, (size_t) (w.pos - w.start)) == 0);

    free(part);
    free(buf);

    return 0;
}
