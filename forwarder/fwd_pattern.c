
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Patterns of names.
 *
 * Only the last "*" is ever gone back to, so a match takes at most the
 * product of both lengths, whatever the pattern.
 */


#include <string.h>

#include "fwd_pattern.h"


int
fwd_pattern_match(const char *pattern, martech_str_t name)
{
    const char           *star;
    const unsigned char  *p, *end, *again;

    p = name.data;
    end = p + name.len;
    star = NULL;
    again = NULL;

    while (p < end) {

        if (*pattern == '*') {
            star = ++pattern;
            again = p;
            continue;
        }

        if (*pattern == '?') {
            pattern++;
            p++;

            /* a character of UTF-8 is one, whatever its bytes */

            while (p < end && (*p & 0xc0) == 0x80) {
                p++;
            }

            continue;
        }

        if (*pattern != '\0' && (unsigned char) *pattern == *p) {
            pattern++;
            p++;
            continue;
        }

        if (star == NULL) {
            return 0;
        }

        pattern = star;
        p = ++again;
    }

    while (*pattern == '*') {
        pattern++;
    }

    return *pattern == '\0';
}


int
fwd_pattern_list(const fwd_words_t *list, martech_str_t name)
{
    int          wanted, positive;
    size_t       i;
    const char  *word;

    wanted = 0;
    positive = 0;

    for (i = 0; i < list->count; i++) {
        word = list->list[i];

        if (*word == '!') {
            if (fwd_pattern_match(word + 1, name)) {
                return 0;
            }

            continue;
        }

        positive = 1;
        wanted = wanted || fwd_pattern_match(word, name);
    }

    return wanted || !positive;
}
