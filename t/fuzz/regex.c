
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Any bytes as a pattern and as the text it is searched in: the first byte
 * is the syntax, a byte of zero ends the pattern.  Either it is refused with
 * words, or each search ends within its budget and finds what is there.
 */


#include <time.h>

#include "fuzz.h"

/* martech */
#include "martech_regex.h"


#define FUZZ_TEXT_MAX   32768
#define FUZZ_SECONDS    1            /* of a sanitized search; 1 ms alone */


static int
fuzz_find(const martech_regex_t *regex, const unsigned char *text, size_t len)
{
    int      rc;
    size_t   from, to;
    clock_t  start;

    start = clock();
    rc = martech_regex_find(regex, text, len, 0, &from, &to);

    fuzz_assert(clock() - start < FUZZ_SECONDS * CLOCKS_PER_SEC);
    fuzz_assert(rc >= -1 && rc <= 1);

    if (rc == 1) {
        fuzz_assert(from <= to && to <= len);
    }

    return rc;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char              error[MARTECH_REGEX_ERROR_SIZE];
    size_t            i, len, unit;
    unsigned          flags;
    const uint8_t    *end;
    martech_str_t     pattern;
    unsigned char    *copy, *text;
    martech_regex_t  *regex;

    if (size < 2) {
        return 0;
    }

    flags = data[0] & (MARTECH_REGEX_ECMA|MARTECH_REGEX_CASELESS);
    data++;
    size--;

    end = memchr(data, 0, size);
    len = (end == NULL) ? size : (size_t) (end - data);

    copy = fuzz_copy(data, len);
    pattern.data = copy;
    pattern.len = len;

    memset(error, 'x', sizeof(error));
    regex = martech_regex_compile(pattern, flags, error);

    fuzz_assert(memchr(error, '\0', sizeof(error)) != NULL);
    fuzz_assert((regex == NULL) == (error[0] != '\0'));

    if (regex != NULL && (flags & MARTECH_REGEX_ECMA)) {
        fuzz_assert(martech_regex_is_ecma(pattern));
    }

    free(copy);

    if (regex == NULL) {
        return 0;
    }

    /* a text is valid UTF-8 by now: only ASCII is made here */

    unit = size - len;
    text = fuzz_alloc(FUZZ_TEXT_MAX);

    for (i = 0; i < FUZZ_TEXT_MAX; i++) {
        text[i] = unit > 1 ? data[len + 1 + i % (unit - 1)] & 0x7f : 'a';
    }

    text[FUZZ_TEXT_MAX - 1] = 0x01;

    (void) fuzz_find(regex, text, unit < FUZZ_TEXT_MAX ? unit : 0);
    (void) fuzz_find(regex, text, FUZZ_TEXT_MAX);

    free(text);
    martech_regex_free(regex);

    return 0;
}
