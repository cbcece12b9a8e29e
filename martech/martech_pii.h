
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Personal data in text: e-mail addresses, payment cards, phone numbers,
 * IBANs and national ids, found by their form and their check digits.
 *
 * Each finder reads the text once, or a bounded part of it once for each word,
 * so that no text makes it slow.  docs/PRIVACY.md says what they find.
 */


#ifndef _MARTECH_PII_H_INCLUDED_
#define _MARTECH_PII_H_INCLUDED_


#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "martech.h"


#define MARTECH_PII_EMAIL     0x01
#define MARTECH_PII_CARD      0x02
#define MARTECH_PII_IBAN      0x04
#define MARTECH_PII_NATIONAL  0x08
#define MARTECH_PII_PHONE     0x10
#define MARTECH_PII_COUNT     5
#define MARTECH_PII_ALL       0x1f

#define MARTECH_PII_LEN_MIN   5          /* bytes that any of them has */

/* not a pattern of its own: UUIDs and long hexadecimal numbers */
#define MARTECH_PII_RANDOM    0x20


/* What is known of a value besides its text. */
#define MARTECH_PII_HINT_PHONE     0x01  /* its name speaks of a phone */
#define MARTECH_PII_HINT_NATIONAL  0x02  /* of an id of a person */


typedef struct {
    size_t    from;
    size_t    to;
    unsigned  pattern;                   /* one of the above */
} martech_pii_match_t;


/* "email", "card", "phone", "iban", "national_id"; 0: none of them. */
unsigned martech_pii_pattern(martech_str_t name);

/*
 * Which patterns a text may hold at all, decided by its kinds of characters.
 * Bytes up to limit, which may lie behind the text, can be read.
 */
unsigned martech_pii_may(const unsigned char *text, size_t len,
    const unsigned char *limit);

#define MARTECH_PII_BLOCK  16


/* The same of at most 16 bytes, where 16 can be read. */

static inline unsigned
martech_pii_block(const unsigned char *text, size_t len)
{
#ifdef __SSE2__
    __m128i   bytes, low, at;
    unsigned  digits, mask;

    bytes = _mm_loadu_si128((const __m128i *) text);
    mask = (1u << len) - 1;

    at = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('@')),
             _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('%')),
                          _mm_cmpeq_epi8(bytes, _mm_set1_epi8((char) 0xef))));

    /* digits are what is below 10 after the subtraction, unsigned */

    low = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
    low = _mm_cmpeq_epi8(_mm_min_epu8(low, _mm_set1_epi8(9)), low);

    digits = (unsigned) _mm_movemask_epi8(low) & mask;

    /* four of them away: is there a fifth? */

    digits &= digits - 1;
    digits &= digits - 1;
    digits &= digits - 1;
    digits &= digits - 1;

    return (((unsigned) _mm_movemask_epi8(at) & mask) ? MARTECH_PII_EMAIL : 0)
           | (digits ? (MARTECH_PII_ALL & ~MARTECH_PII_EMAIL) : 0);
#else
    return martech_pii_may(text, len, text + len);
#endif
}


/*
 * The first match of some patterns at an offset or behind it.  Returns 1 if
 * there is one.
 */
int martech_pii_next(unsigned patterns, unsigned hints,
    const unsigned char *text, size_t len, size_t offset,
    martech_pii_match_t *match);

/* The hints of a member's name. */
unsigned martech_pii_hints(martech_str_t name);


#endif /* _MARTECH_PII_H_INCLUDED_ */
