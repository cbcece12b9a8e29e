
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Bits of a base64url text, read in place from the first to the last: consent
 * strings are records of bits, six to a character.
 */


#ifndef _MARTECH_BITS_H_INCLUDED_
#define _MARTECH_BITS_H_INCLUDED_


#include "martech.h"


/* A copy of it is a reader of its own, at the same place. */
typedef struct {
    const unsigned char  *text;
    size_t                count;         /* bits in all */
    size_t                pos;           /* bits read; at most count */
    unsigned              overrun:1;     /* more was asked for; stays set */
} martech_bits_t;


/*
 * Opens a text; "=" at its end does not count.  Returns 0 if it has another
 * character that is not base64url, 1 otherwise, also if it is empty.
 */
int martech_bits_open(martech_bits_t *bits, martech_str_t text);

/*
 * The next width bits, at most 57, the first one the highest.  Beyond the end:
 * zero and overrun.
 */
uint64_t martech_bits_get(martech_bits_t *bits, unsigned width);

/* Passes over bits; beyond the end: overrun. */
void martech_bits_skip(martech_bits_t *bits, size_t width);

/*
 * The next number in Fibonacci coding: a bit for each of 1, 2, 3, 5, 8 ...,
 * and one more bit behind the last that is set.  A number above max is an
 * overrun.
 */
uint32_t martech_bits_fibonacci(martech_bits_t *bits, uint32_t max);


#endif /* _MARTECH_BITS_H_INCLUDED_ */
