
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the fuzz targets share.  A property that does not hold ends the
 * process, which libFuzzer reports with the input.
 */


#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


#define fuzz_assert(condition)                                                \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, \
                    #condition);                                              \
            abort();                                                          \
        }                                                                     \
    } while (0)


/* A block of exactly size bytes, of which none may be touched if it is 0. */
static inline void *
fuzz_alloc(size_t size)
{
    void  *p;

    p = malloc(size);
    if (p == NULL && size != 0) {
        abort();
    }

    return p;
}


static inline void *
fuzz_copy(const void *data, size_t size)
{
    void  *p;

    p = fuzz_alloc(size);

    if (size != 0) {
        memcpy(p, data, size);
    }

    return p;
}


#endif /* _FUZZ_H_INCLUDED_ */
