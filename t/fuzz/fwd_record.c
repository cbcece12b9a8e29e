
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Records and markers: whatever a map gives, what is written is JSON, without
 * the secret unless the map asks for it, and errors hold no value.
 */


#include "fuzz.h"

/* forwarder */
#include "fwd_jv.h"
#include "fwd_record.h"


static fwd_setting_t  fuzz_settings[] = {
    { .name = "token", .kind = FWD_SETTING_STRING, .secret = 1 }
};

static const char  *fuzz_values[] = { "hunter2" };


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jv                          value;
    fwd_rc_t                    rc;
    fwd_error_t                 err;
    fwd_record_t                record;
    martech_str_t               input;
    static fwd_desc_t           desc;
    static fwd_dest_conf_t      conf;
    static fwd_reader_tape_t    rt;
    static fwd_record_writer_t  w;

    if (rt.limits.tokens_max == 0) {
        fwd_reader_tape_init(&rt);
        desc.settings = fuzz_settings;
        desc.settings_count = 1;
        conf.desc = &desc;
        conf.values = fuzz_values;
        fwd_record_init(&w, &conf);
        w.marker.event = &rt;            /* it is its own event */
    }

    if (size == 0) {
        return 0;
    }

    /* as a map would give it; the first byte: what is left out, and whose */

    w.omit = data[0] % 3;
    input.data = data + 1;
    input.len = size - 1;

    value = (data[0] & 0x80) ? fwd_jv_parse_guarded(&rt, NULL, input)
                             : fwd_jv_parse(&rt, input);

    if (!jv_is_valid(value)) {
        jv_free(value);
        return 0;
    }

    err.text[0] = '\0';
    rc = fwd_record_write(&w, value, &record, &err);

    if (rc != FWD_OK) {
        fuzz_assert(err.text[0] != '\0');
        return 0;
    }

    value = jv_parse_sized((const char *) record.text.data,
                           (int) record.text.len);
    fuzz_assert(jv_is_valid(value));
    jv_free(value);

    /* an event cannot ask for a secret */

    if ((data[0] & 0x80) && record.text.len != 0
        && memmem(input.data, input.len, "hunter2", 7) == NULL
        && memmem(input.data, input.len, "\\u", 2) == NULL)
    {
        fuzz_assert(memmem(record.text.data, record.text.len, "hunter2", 7)
                    == NULL);
    }

    return 0;
}
