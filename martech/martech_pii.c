
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Looking for personal data: goes over a text once, and asks the finders
 * where a word begins.
 */


#include <string.h>

#include "martech_pii_private.h"


#define MARTECH_PII_DIGITS_MIN  5        /* less than any pattern has */
#define MARTECH_PII_CHECKED_MIN  8       /* characters with check digits */
#define MARTECH_PII_HEX_MIN     24       /* digits of a random id */
#define MARTECH_PII_UUID        36


static void martech_pii_word(martech_pii_word_t *word,
    const unsigned char *p, const unsigned char *end);
static size_t martech_pii_at(const unsigned char *p,
    const unsigned char *end);
static int martech_pii_uuid(const unsigned char *p, const unsigned char *end);
static int martech_pii_here(unsigned patterns, unsigned hints,
    const unsigned char *text, const unsigned char *p,
    const unsigned char *end, martech_pii_match_t *match);
static unsigned martech_pii_checked(unsigned patterns, unsigned hints,
    const unsigned char *text, const unsigned char *p,
    const unsigned char *end, martech_pii_match_t *match);
static const unsigned char *martech_pii_random(const unsigned char *p,
    const unsigned char *end);


static const char *const  martech_pii_names[MARTECH_PII_COUNT] = {
    "email", "card", "iban", "national_id", "phone"
};


unsigned
martech_pii_pattern(martech_str_t name)
{
    unsigned  i;

    for (i = 0; i < MARTECH_PII_COUNT; i++) {

        if (name.len == strlen(martech_pii_names[i])
            && memcmp(name.data, martech_pii_names[i], name.len) == 0)
        {
            return 1u << i;
        }
    }

    return 0;
}


/* What stands for "@" begins with one of three bytes. */

#ifdef __SSE2__

unsigned
martech_pii_may(const unsigned char *text, size_t len,
    const unsigned char *limit)
{
    size_t                left;
    __m128i               bytes, low, ats, count, digits;
    unsigned char         block[MARTECH_PII_BLOCK];
    const unsigned char  *p, *end;

    /* 16 bytes of it from n on leave the last n of a block */

    static const unsigned char  last[32] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255
    };

    if (len <= MARTECH_PII_BLOCK) {

        if (limit - text < MARTECH_PII_BLOCK) {
            memcpy(block, text, len);
            text = block;
        }

        return martech_pii_block(text, len);
    }

    /* digits are counted up to 255 in each of sixteen places, which is more
       than is asked for */

    ats = _mm_setzero_si128();
    count = _mm_setzero_si128();
    end = text + len;

    for (p = text; p < end; p += MARTECH_PII_BLOCK) {
        left = (size_t) (end - p);

        if (left >= MARTECH_PII_BLOCK) {
            bytes = _mm_loadu_si128((const __m128i *) p);

        } else {
            bytes = _mm_and_si128(
                _mm_loadu_si128((const __m128i *) (end - MARTECH_PII_BLOCK)),
                _mm_loadu_si128((const __m128i *) (last + left)));
        }

        ats = _mm_or_si128(ats,
                  _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('@')),
                      _mm_or_si128(
                          _mm_cmpeq_epi8(bytes, _mm_set1_epi8('%')),
                          _mm_cmpeq_epi8(bytes,
                                         _mm_set1_epi8((char) 0xef)))));

        low = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
        digits = _mm_cmpeq_epi8(_mm_min_epu8(low, _mm_set1_epi8(9)), low);
        count = _mm_adds_epu8(count, _mm_and_si128(digits, _mm_set1_epi8(1)));
    }

    count = _mm_sad_epu8(count, _mm_setzero_si128());

    return (_mm_movemask_epi8(ats) ? MARTECH_PII_EMAIL : 0)
           | ((_mm_extract_epi16(count, 0) + _mm_extract_epi16(count, 4)
               >= MARTECH_PII_DIGITS_MIN)
              ? (MARTECH_PII_ALL & ~MARTECH_PII_EMAIL) : 0);
}

#else

unsigned
martech_pii_may(const unsigned char *text, size_t len,
    const unsigned char *limit)
{
    unsigned              digits, at;
    const unsigned char  *p, *end;

    (void) limit;

    digits = 0;
    at = 0;
    end = text + len;

    for (p = text; p < end; p++) {
        at |= (*p == '@' || *p == '%' || *p == 0xef);
        digits += (unsigned) martech_pii_digit(*p);
    }

    return (at ? MARTECH_PII_EMAIL : 0)
           | ((digits >= MARTECH_PII_DIGITS_MIN)
              ? (MARTECH_PII_ALL & ~MARTECH_PII_EMAIL) : 0);
}

#endif


int
martech_pii_next(unsigned patterns, unsigned hints, const unsigned char *text,
    size_t len, size_t offset, martech_pii_match_t *match)
{
    size_t                n;
    const unsigned char  *p, *from, *end, *word;

    end = text + len;
    from = text + offset;
    p = from;
    word = NULL;

    if (patterns == MARTECH_PII_EMAIL
        && !(martech_pii_may(p, (size_t) (end - p), end) & MARTECH_PII_EMAIL))
    {
        return 0;
    }

    while (p < end) {
        n = (*p == '@' || *p == '%' || *p >= 0x80) ? martech_pii_at(p, end)
                                                   : 0;
        if (n > 0) {

            if ((patterns & MARTECH_PII_EMAIL)
                && martech_pii_email(text, from, p, n, end, match))
            {
                return 1;
            }

            p += n;
            word = p;
            continue;
        }

        if (!martech_pii_alnum(*p) && *p != '+' && *p != '(' && *p != '%') {
            p++;
            word = p;
            continue;
        }

        /* within a word, unless it begins here; "+" and "(" begin one */

        if (martech_pii_alnum(*p) && word != p
            && p > text && martech_pii_alnum(p[-1]))
        {
            p++;
            continue;
        }

        if (patterns & ~MARTECH_PII_EMAIL) {

            if (martech_pii_uuid(p, end) && !(patterns & MARTECH_PII_RANDOM)) {
                p += MARTECH_PII_UUID;
                continue;
            }

            if (martech_pii_here(patterns, hints, text, p, end, match)) {
                return 1;
            }
        }

        /* the two digits of an escape are no part of the word behind it */

        if (*p == '%' && end - p >= 3 && martech_pii_alnum(p[1])
            && martech_pii_alnum(p[2]))
        {
            p += 3;
            word = p;
            continue;
        }

        p++;
    }

    return 0;
}


/* What stands for "@": its length, or 0. */

static size_t
martech_pii_at(const unsigned char *p, const unsigned char *end)
{
    if (*p == '@') {
        return 1;
    }

    if (*p == '%' && end - p >= 3 && p[1] == '4' && p[2] == '0') {
        return 3;
    }

    /* U+FF20, U+FE6B */

    if (*p == 0xef && end - p >= 3
        && ((p[1] == 0xbc && p[2] == 0xa0) || (p[1] == 0xb9 && p[2] == 0xab)))
    {
        return 3;
    }

    return 0;
}


static int
martech_pii_uuid(const unsigned char *p, const unsigned char *end)
{
    unsigned  i, digits;

    static const unsigned char  hex[256] = {
        ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1,
        ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1, ['a'] = 1, ['b'] = 1,
        ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['A'] = 1, ['B'] = 1,
        ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1
    };

    if (end - p < MARTECH_PII_UUID || p[8] != '-' || p[13] != '-'
        || p[18] != '-' || p[23] != '-')
    {
        return 0;
    }

    digits = 0;

    for (i = 0; i < MARTECH_PII_UUID; i++) {
        digits += hex[p[i]];
    }

    if (digits != MARTECH_PII_UUID - 4) {
        return 0;
    }

    return end - p == MARTECH_PII_UUID
           || !martech_pii_alnum(p[MARTECH_PII_UUID]);
}


/* A match that begins at p, where a word may begin. */

static int
martech_pii_here(unsigned patterns, unsigned hints, const unsigned char *text,
    const unsigned char *p, const unsigned char *end,
    martech_pii_match_t *match)
{
    const unsigned char  *to;

    match->from = (size_t) (p - text);

    if (martech_pii_alnum(*p)) {

        if (martech_pii_uuid(p, end)) {
            match->to = match->from + MARTECH_PII_UUID;
            match->pattern = MARTECH_PII_RANDOM;

            return (patterns & MARTECH_PII_RANDOM) != 0;
        }

        if (martech_pii_checked(patterns, hints, text, p, end, match)) {
            return 1;
        }

        to = (patterns & MARTECH_PII_RANDOM) ? martech_pii_random(p, end)
                                             : NULL;
        if (to != NULL) {
            match->to = (size_t) (to - text);
            match->pattern = MARTECH_PII_RANDOM;
            return 1;
        }
    }

    if (!(patterns & MARTECH_PII_PHONE) || martech_pii_letter(*p)) {
        return 0;
    }

    to = martech_pii_phone(text, p, end, hints);

    if (to == NULL) {
        return 0;
    }

    match->to = (size_t) (to - text);
    match->pattern = MARTECH_PII_PHONE;

    return 1;
}


/* The patterns that are told by check digits. */

static unsigned
martech_pii_checked(unsigned patterns, unsigned hints,
    const unsigned char *text, const unsigned char *p,
    const unsigned char *end, martech_pii_match_t *match)
{
    unsigned            n;
    martech_pii_word_t  word;

    if (!(patterns & (MARTECH_PII_CARD | MARTECH_PII_IBAN
                      | MARTECH_PII_NATIONAL)))
    {
        return 0;
    }

    /* ids that begin with a letter have a second one, or are a NIE */

    if (end - p < MARTECH_PII_CHECKED_MIN
        || (martech_pii_letter(*p) && !martech_pii_letter(p[1])
            && ((*p | 0x20) < 'x' || (*p | 0x20) > 'z')))
    {
        return 0;
    }

    martech_pii_word(&word, p, end);

    n = 0;

    if (patterns & MARTECH_PII_IBAN) {
        n = martech_pii_iban(&word);
        match->pattern = MARTECH_PII_IBAN;
    }

    if (n == 0 && (patterns & MARTECH_PII_CARD)) {
        n = martech_pii_card(&word);
        match->pattern = MARTECH_PII_CARD;
    }

    if (n == 0 && (patterns & MARTECH_PII_NATIONAL)
        && word.count >= MARTECH_PII_CHECKED_MIN)
    {
        /* only ids of digits alone need a word that names them */

        n = martech_pii_national(&word,
                                 hints | ((word.digits >= 9)
                                          ? martech_pii_cue(text, p) : 0));
        match->pattern = MARTECH_PII_NATIONAL;
    }

    if (n > 0) {
        match->to = (size_t) (p - text) + word.end[n - 1];
    }

    return n;
}


/* Ends of the word count from p. */

static void
martech_pii_word(martech_pii_word_t *word, const unsigned char *p,
    const unsigned char *end)
{
    size_t                n;
    unsigned              i;
    unsigned char         kind;
    const unsigned char  *start;

    start = p;
    kind = 0;
    i = 0;

    word->digits = 0;

    while (i < MARTECH_PII_CHARS && p < end && martech_pii_alnum(*p)) {

        if (martech_pii_digit(*p)) {
            word->c[i] = *p;
            word->digits += (word->digits == i);

        } else {
            word->c[i] = (unsigned char) (*p & ~0x20);
        }

        word->joint[i] = kind;
        word->edge[i] = (++p == end || !martech_pii_alnum(*p));
        word->end[i] = (size_t) (p - start);
        i++;

        kind = 0;

        if (p < end && !martech_pii_alnum(*p)) {
            n = martech_pii_joint(p, end, &kind);

            if (n == 0) {
                break;
            }

            p += n;
        }
    }

    word->count = i;
}


size_t
martech_pii_joint(const unsigned char *p, const unsigned char *end,
    unsigned char *kind)
{
    switch (*p) {

    case ' ':
    case '-':
    case '.':
    case '/':
        *kind = *p;
        return 1;

    case '%':
        if (end - p >= 3 && p[1] == '2'
            && (p[2] == '0' || (p[2] | 0x20) == 'd'))
        {
            *kind = (p[2] == '0') ? ' ' : '-';
            return 3;
        }

        return 0;

    case 0xc2:
        if (end - p >= 2 && p[1] == 0xa0) {
            *kind = ' ';
            return 2;
        }

        return 0;

    case 0xe2:

        /* hyphens and dashes U+2010 to U+2014, narrow blanks */

        if (end - p >= 3 && p[1] == 0x80) {

            if (p[2] >= 0x90 && p[2] <= 0x94) {
                *kind = '-';
                return 3;
            }

            if (p[2] == 0xaf || p[2] == 0x89) {
                *kind = ' ';
                return 3;
            }
        }

        return 0;

    default:
        return 0;
    }
}


/* A hexadecimal number too long for anything but a hash or a random id. */

static const unsigned char *
martech_pii_random(const unsigned char *p, const unsigned char *end)
{
    unsigned              letters, digits;
    unsigned char         c;
    const unsigned char  *start;

    letters = 0;
    digits = 0;

    for (start = p; p < end && martech_pii_alnum(*p); p++) {
        c = *p | 0x20;

        if (martech_pii_digit(*p)) {
            digits++;

        } else if (c >= 'a' && c <= 'f') {
            letters++;

        } else {
            return NULL;
        }
    }

    return (p - start >= MARTECH_PII_HEX_MIN && letters && digits) ? p : NULL;
}


int
martech_pii_shape(const martech_pii_word_t *word, unsigned count,
    char shape[24])
{
    unsigned  i, n, size;

    n = 0;
    size = 0;

    for (i = 0; i <= count; i++) {

        if (i < count && (i == 0 || word->joint[i] == 0)) {
            size++;
            continue;
        }

        if (n > 19) {
            return 0;
        }

        if (size > 9) {
            shape[n++] = (char) ('0' + size / 10);
        }

        shape[n++] = (char) ('0' + size % 10);

        if (i < count) {
            shape[n++] = (char) word->joint[i];
        }

        size = 1;
    }

    shape[n] = '\0';

    return 1;
}


int
martech_pii_among(const char *text, const char *words)
{
    const char  *p, *t;

    if (*text == '\0') {
        return 0;
    }

    for (p = words; *p; p++) {

        for (t = text; *t && *t == *p; t++) {
            p++;
        }

        if (*t == '\0' && (*p == '|' || *p == '\0')) {
            return 1;
        }

        while (*p && *p != '|') {
            p++;
        }

        if (*p == '\0') {
            break;
        }
    }

    return 0;
}


int
martech_pii_luhn(const unsigned char *digits, unsigned count)
{
    unsigned  i, sum, n;

    sum = 0;

    for (i = 0; i < count; i++) {
        n = (unsigned) (digits[count - 1 - i] - '0');

        if (i & 1) {
            n *= 2;
            n -= (n > 9) ? 9 : 0;
        }

        sum += n;
    }

    return sum % 10 == 0;
}
