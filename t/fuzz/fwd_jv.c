
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * JSON to the values of jq and back: what our reader takes, libjq takes, as
 * the same value; and what we write of it is what libjq writes.
 */


#include "fuzz.h"

/* forwarder */
#include "fwd_jv.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jv                        ours, theirs, text;
    fwd_buf_t                 b;
    martech_str_t             input;
    static fwd_reader_tape_t  rt;

    if (rt.limits.tokens_max == 0) {
        fwd_reader_tape_init(&rt);
    }

    input.data = data;
    input.len = size;

    ours = fwd_jv_parse(&rt, input);

    if (!jv_is_valid(ours)) {
        jv_free(ours);
        return 0;
    }

    theirs = jv_parse_sized((const char *) data, (int) size);
    fuzz_assert(jv_equal(jv_copy(ours), theirs));

    text = jv_dump_string(jv_copy(ours), 0);
    fwd_buf_init(&b, 16 * 1024 * 1024);
    fwd_jv_dump(&b, ours);

    fuzz_assert(!b.failed);
    fuzz_assert(strcmp(fwd_buf_string(&b), jv_string_value(text)) == 0);

    fwd_buf_free(&b);
    jv_free(text);

    return 0;
}
