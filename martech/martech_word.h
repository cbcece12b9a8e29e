
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Short names as two words: their first eight bytes and their last eight,
 * which overlap in a name below sixteen.  Of names of the same length up to
 * MARTECH_WORD_WHOLE the words say all, so that most comparisons of names
 * need no memory and no call; of longer ones the middle is compared besides.
 */


#ifndef _MARTECH_WORD_H_INCLUDED_
#define _MARTECH_WORD_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <string.h>


#define MARTECH_WORD_WHOLE  16


typedef struct {
    uint64_t  head;
    uint64_t  tail;
} martech_word_t;


static inline martech_word_t
martech_word(const unsigned char *data, size_t len)
{
    uint32_t        first, last;
    martech_word_t  word;

    if (len >= 8) {
        memcpy(&word.head, data, 8);
        memcpy(&word.tail, data + len - 8, 8);

    } else if (len >= 4) {
        memcpy(&first, data, 4);
        memcpy(&last, data + len - 4, 4);
        word.head = first;
        word.tail = last;

    } else if (len > 0) {
        word.head = data[0] | (uint32_t) data[len / 2] << 8;
        word.tail = data[len - 1];

    } else {
        word.head = 0;
        word.tail = 0;
    }

    return word;
}


/* Names that differ in the middle alone share a hash. */

static inline uint32_t
martech_word_hash(martech_word_t word, size_t len)
{
    uint64_t  hash;

    hash = (word.head ^ len) * 0x9e3779b97f4a7c15ull;
    hash = (hash ^ (hash >> 32) ^ word.tail) * 0xff51afd7ed558ccdull;

    return (uint32_t) (hash >> 32);
}


/* 1 if two texts of the same length and with these words are the same. */

static inline int
martech_word_same(martech_word_t a, const unsigned char *one,
    martech_word_t b, const unsigned char *two, size_t len)
{
    return a.head == b.head && a.tail == b.tail
           && (len <= MARTECH_WORD_WHOLE
               || memcmp(one + 8, two + 8, len - MARTECH_WORD_WHOLE) == 0);
}


#endif /* _MARTECH_WORD_H_INCLUDED_ */
