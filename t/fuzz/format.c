
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Any bytes as a value of any format: yes or no, and what is valid in a
 * narrow format is valid in the wide one.
 */


#include "fuzz.h"

/* martech */
#include "martech_format.h"


static const char *const  fuzz_names[] = {
    "date-time", "date", "time", "duration", "email", "idn-email",
    "hostname", "idn-hostname", "ipv4", "ipv6", "uri", "uri-reference",
    "iri", "iri-reference", "uri-template", "uuid", "json-pointer",
    "relative-json-pointer", "regex"
};

static const struct {
    const char  *narrow;
    const char  *wide;
} fuzz_pairs[] = {
    { "email", "idn-email" }, { "hostname", "idn-hostname" },
    { "uri", "iri" }, { "uri", "uri-reference" },
    { "uri-reference", "iri-reference" }, { "iri", "iri-reference" },
};


static int
fuzz_check(const char *name, const uint8_t *data, size_t size)
{
    int                rc;
    martech_str_t      s;
    unsigned char     *copy;
    martech_format_pt  check;

    s.data = (const unsigned char *) name;
    s.len = strlen(name);

    check = martech_format(s);
    fuzz_assert(check != NULL);

    copy = fuzz_copy(data, size);
    rc = check(copy, size);
    free(copy);

    fuzz_assert(rc == 0 || rc == 1);

    return rc;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t  i;

    for (i = 0; i < sizeof(fuzz_names) / sizeof(fuzz_names[0]); i++) {
        (void) fuzz_check(fuzz_names[i], data, size);
    }

    for (i = 0; i < sizeof(fuzz_pairs) / sizeof(fuzz_pairs[0]); i++) {
        if (fuzz_check(fuzz_pairs[i].narrow, data, size)) {
            fuzz_assert(fuzz_check(fuzz_pairs[i].wide, data, size));
        }
    }

    return 0;
}
