
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Private to the files of martech_pii: characters of a word, with their
 * joints, and the finders.
 */


#ifndef _MARTECH_PII_PRIVATE_H_INCLUDED_
#define _MARTECH_PII_PRIVATE_H_INCLUDED_


#include "martech_pii.h"


#define MARTECH_PII_CHARS  36            /* of a word; the longest IBAN has 34,
                                            and one more shows its end */


/*
 * Letters (upper case) and digits from a place on, over single joints: what
 * stands before each (0: nothing, ' ', '-', '.', '/'), whether a word may end
 * behind it, and where that is.
 */
typedef struct {
    unsigned       count;
    unsigned       digits;               /* of them in front */
    unsigned char  c[MARTECH_PII_CHARS];
    unsigned char  joint[MARTECH_PII_CHARS];
    unsigned char  edge[MARTECH_PII_CHARS];
    size_t         end[MARTECH_PII_CHARS];
} martech_pii_word_t;


static inline int
martech_pii_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}


static inline int
martech_pii_letter(unsigned char c)
{
    c |= 0x20;

    return c >= 'a' && c <= 'z';
}


static inline int
martech_pii_alnum(unsigned char c)
{
    return martech_pii_digit(c) || martech_pii_letter(c);
}


static inline unsigned
martech_pii_number(const unsigned char *p, unsigned count)
{
    unsigned  n;

    for (n = 0; count > 0; count--) {
        n = n * 10 + (unsigned) (*p++ - '0');
    }

    return n;
}


/* The joint at p: its length, 0 if there is none; kind as in the word. */
size_t martech_pii_joint(const unsigned char *p, const unsigned char *end,
    unsigned char *kind);

/*
 * The lengths of the first characters' groups with what joins them, such as
 * "3-2-4".  Returns 0 if it needs more than 23 bytes.
 */
int martech_pii_shape(const martech_pii_word_t *word, unsigned count,
    char shape[24]);

/* 1 if a word of "a|b|c" is this. */
int martech_pii_among(const char *text, const char *words);

/* Luhn's check over digits in ASCII. */
int martech_pii_luhn(const unsigned char *digits, unsigned count);

/* The hints of the words in front of p, such as "Tel.: ". */
unsigned martech_pii_cue(const unsigned char *text, const unsigned char *p);

/* How many characters of the word are one; 0: none. */
unsigned martech_pii_card(const martech_pii_word_t *word);
unsigned martech_pii_iban(const martech_pii_word_t *word);
unsigned martech_pii_national(const martech_pii_word_t *word,
    unsigned hints);

/* Where a phone number at p ends; NULL: there is none. */
const unsigned char *martech_pii_phone(const unsigned char *text,
    const unsigned char *p, const unsigned char *end, unsigned hints);

/* The address around an "@" at p (at bytes of it); 0: none. */
int martech_pii_email(const unsigned char *text, const unsigned char *from,
    const unsigned char *p, size_t at, const unsigned char *end,
    martech_pii_match_t *match);


#endif /* _MARTECH_PII_PRIVATE_H_INCLUDED_ */
