
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Ids that states give to persons.  Each is told by its length, the groups it
 * is written in, its dates and its check digits; where that leaves too many
 * other numbers, only with a word that names it.
 */


#include <string.h>

#include "martech_pii_private.h"


typedef unsigned (*martech_pii_id_pt)(const martech_pii_word_t *word,
    const char *shape, unsigned hints);


static unsigned martech_pii_us(const martech_pii_word_t *word,
    const char *shape, unsigned hints);
static unsigned martech_pii_uk(const martech_pii_word_t *word,
    const char *shape, unsigned hints);
static unsigned martech_pii_de(const martech_pii_word_t *word,
    const char *shape, unsigned hints);
static unsigned martech_pii_fr(const martech_pii_word_t *word,
    const char *shape, unsigned hints);
static unsigned martech_pii_es(const martech_pii_word_t *word,
    const char *shape, unsigned hints);
static unsigned martech_pii_it(const martech_pii_word_t *word,
    const char *shape, unsigned hints);
static unsigned martech_pii_nl(const martech_pii_word_t *word,
    const char *shape, unsigned hints);
static unsigned martech_pii_be(const martech_pii_word_t *word,
    const char *shape, unsigned hints);
static unsigned martech_pii_pl(const martech_pii_word_t *word,
    const char *shape, unsigned hints);
static unsigned martech_pii_se(const martech_pii_word_t *word,
    const char *shape, unsigned hints);
static unsigned martech_pii_se_long(const martech_pii_word_t *word,
    const char *shape, unsigned hints);
static unsigned martech_pii_br(const martech_pii_word_t *word,
    const char *shape, unsigned hints);
static unsigned martech_pii_in(const martech_pii_word_t *word,
    const char *shape, unsigned hints);
static unsigned martech_pii_no(const martech_pii_word_t *word,
    const char *shape, unsigned hints);
static unsigned martech_pii_fi(const martech_pii_word_t *word,
    const char *shape, unsigned hints);
static unsigned martech_pii_ch(const martech_pii_word_t *word,
    const char *shape, unsigned hints);


/* By characters, and how many of them in front are digits at least. */

static const struct {
    unsigned           count;
    unsigned           digits;
    martech_pii_id_pt  find;
} martech_pii_ids[] = {
    { 16, 0, martech_pii_it },
    { 15, 5, martech_pii_fr },
    { 13, 13, martech_pii_ch },
    { 12, 12, martech_pii_in },
    { 12, 12, martech_pii_se_long },
    { 11, 11, martech_pii_be },
    { 11, 11, martech_pii_de },
    { 11, 11, martech_pii_br },
    { 11, 11, martech_pii_no },
    { 11, 11, martech_pii_pl },
    { 11, 6, martech_pii_fi },
    { 10, 9, martech_pii_fi },
    { 10, 10, martech_pii_se },
    { 9, 0, martech_pii_uk },
    { 9, 0, martech_pii_es },
    { 9, 9, martech_pii_us },
    { 9, 9, martech_pii_nl },
};


unsigned
martech_pii_national(const martech_pii_word_t *word, unsigned hints)
{
    char      shape[24];
    size_t    i;
    unsigned  count, shaped;

    shaped = 0;
    hints &= MARTECH_PII_HINT_NATIONAL;

    for (i = 0; i < sizeof(martech_pii_ids) / sizeof(martech_pii_ids[0]); i++)
    {
        count = martech_pii_ids[i].count;

        if (word->count < count || word->digits < martech_pii_ids[i].digits
            || !word->edge[count - 1])
        {
            continue;
        }

        if (shaped != count) {

            if (!martech_pii_shape(word, count, shape)) {
                continue;
            }

            shaped = count;
        }

        if (martech_pii_ids[i].find(word, shape, hints)) {
            return count;
        }
    }

    return 0;
}


static unsigned
martech_pii_weighted(const unsigned char *digits, const char *weights)
{
    unsigned  sum;

    for (sum = 0; *weights; weights++, digits++) {
        sum += (unsigned) (*digits - '0') * (unsigned) (*weights - '0');
    }

    return sum;
}


static int
martech_pii_day(unsigned month, unsigned day)
{
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}


/* Social security number; areas 000, 666 and from 900 on are not given. */

static unsigned
martech_pii_us(const martech_pii_word_t *word, const char *shape,
    unsigned hints)
{
    unsigned  area;

    area = martech_pii_number(word->c, 3);

    if (area == 0 || area == 666 || area >= 900
        || martech_pii_number(word->c + 3, 2) == 0
        || martech_pii_number(word->c + 5, 4) == 0)
    {
        return 0;
    }

    return martech_pii_among(shape, "3-2-4|3 2 4|3.2.4")
           || (hints && shape[0] == '9');
}


/* National Insurance number */

static unsigned
martech_pii_uk(const martech_pii_word_t *word, const char *shape,
    unsigned hints)
{
    unsigned              i;
    char                  prefix[3];
    const unsigned char  *c;

    (void) hints;

    c = word->c;

    for (i = 2; i < 8; i++) {

        if (!martech_pii_digit(c[i])) {
            return 0;
        }
    }

    if (c[0] < 'A' || c[1] < 'A' || c[8] < 'A' || c[8] > 'D'
        || strchr("DFIQUV", c[0]) != NULL || strchr("DFIOQUV", c[1]) != NULL)
    {
        return 0;
    }

    prefix[0] = (char) c[0];
    prefix[1] = (char) c[1];
    prefix[2] = '\0';

    return !martech_pii_among(prefix, "BG|GB|KN|NK|NT|TN|ZZ")
           && martech_pii_among(shape, "9|2 2 2 2 1|2 6 1|2-2-2-2-1|2-6-1|"
                                       "8 1|2 7|2 3 3 1");
}


/* Steuer-Identifikationsnummer: ISO 7064, and one digit that repeats */

static unsigned
martech_pii_de(const martech_pii_word_t *word, const char *shape,
    unsigned hints)
{
    unsigned              i, product, twice, seen[10];
    const unsigned char  *c;

    (void) hints;

    c = word->c;

    if (c[0] == '0' || !martech_pii_among(shape, "11|2 3 3 3|2-3-3-3|3 3 3 2|"
                                                 "2/3/3/3|2.3.3.3|10 1|10-1"))
    {
        return 0;
    }

    memset(seen, 0, sizeof(seen));
    product = 10;
    twice = 0;

    for (i = 0; i < 10; i++) {
        seen[c[i] - '0']++;

        product = (product + (unsigned) (c[i] - '0')) % 10;
        product = ((product ? product : 10) * 2) % 11;
    }

    for (i = 0; i < 10; i++) {

        if (seen[i] > 3) {
            return 0;
        }

        twice += (seen[i] > 1);
    }

    return twice == 1
           && (11 - product) % 10 == (unsigned) (c[10] - '0');
}


/* NIR: sex, year, month, place (2A and 2B are Corsica), number, key */

static unsigned
martech_pii_fr(const martech_pii_word_t *word, const char *shape,
    unsigned hints)
{
    unsigned              i, month;
    uint64_t              n;
    const unsigned char  *c;

    (void) hints;

    c = word->c;
    n = 0;

    if (strchr("123478", c[0]) == NULL
        || !martech_pii_among(shape, "15|13 2|13-2|1 2 2 2 3 3 2|"
                                     "1-2-2-2-3-3-2|1.2.2.2.3.3.2|1 2 2 5 3 2"))
    {
        return 0;
    }

    for (i = 0; i < 15; i++) {

        if (martech_pii_digit(c[i])) {
            n = (i < 13) ? n * 10 + (unsigned) (c[i] - '0') : n;

        } else if (i == 6 && c[5] == '2' && (c[6] == 'A' || c[6] == 'B')) {

            /* counts as 19 or 18 */

            n = n / 10 * 100 + ((c[6] == 'A') ? 19 : 18);

        } else {
            return 0;
        }
    }

    month = martech_pii_number(c + 3, 2);

    return ((month >= 1 && month <= 12) || (month >= 20 && month <= 42)
            || month >= 50)
           && 97 - n % 97 == martech_pii_number(c + 13, 2);
}


/* DNI and NIE */

static unsigned
martech_pii_es(const martech_pii_word_t *word, const char *shape,
    unsigned hints)
{
    unsigned              i, n;
    const unsigned char  *c;

    (void) hints;

    c = word->c;

    if (c[0] >= 'X' && c[0] <= 'Z') {
        n = (unsigned) (c[0] - 'X');

    } else if (martech_pii_digit(c[0])) {
        n = (unsigned) (c[0] - '0');

    } else {
        return 0;
    }

    for (i = 1; i < 8; i++) {

        if (!martech_pii_digit(c[i])) {
            return 0;
        }

        n = n * 10 + (unsigned) (c[i] - '0');
    }

    return c[8] == (unsigned char) "TRWAGMYFPDXBNJZSQVHLCKE"[n % 23]
           && martech_pii_among(shape, "9|8-1|8 1|1-7-1|1 7 1|2.3.3-1|"
                                       "2.3.3 1|1-8|1.7.1");
}


/* Codice fiscale; digits may have become letters where two would be equal */

static unsigned
martech_pii_it(const martech_pii_word_t *word, const char *shape,
    unsigned hints)
{
    unsigned              i, sum, value;
    const unsigned char  *c;

    static const char  letters[] = "LLLLLLDDLDDLDDDL";
    static const char  omocode[] = "LMNPQRSTUV";
    static const unsigned char  odd[] = {
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14,
        16, 10, 22, 25, 24, 23
    };

    (void) hints;

    c = word->c;
    sum = 0;

    for (i = 0; i < 16; i++) {

        if (letters[i] == 'L' ? martech_pii_digit(c[i])
            : (!martech_pii_digit(c[i]) && strchr(omocode, c[i]) == NULL))
        {
            return 0;
        }

        value = (unsigned) (martech_pii_digit(c[i]) ? c[i] - '0'
                                                    : c[i] - 'A');
        if (i < 15) {
            sum += (i & 1) ? value : odd[value];
        }
    }

    return strchr("ABCDEHLMPRST", c[8]) != NULL
           && sum % 26 == (unsigned) (c[15] - 'A')
           && martech_pii_among(shape, "16|3 3 5 5|3-3-5-5|6 5 5|3 3 2 1 2 5|"
                                       "6-5-5|6 2 3 5");
}


/* BSN: one number of eleven passes, so it needs its name or its dots */

static unsigned
martech_pii_nl(const martech_pii_word_t *word, const char *shape,
    unsigned hints)
{
    unsigned  sum;

    sum = martech_pii_weighted(word->c, "98765432") + 10
          * (unsigned) (word->c[8] - '0');

    /* the last weight is -1, which is 10 of 11 */

    return sum > 0 && sum % 11 == 0
           && (martech_pii_among(shape, "4.2.3")
               || (hints && martech_pii_among(shape,
                                       "9|3 3 3|3-3-3|3.3.3|4 2 3|4-2-3")));
}


/* Numero national: the date, a number, and 97 less the rest */

static unsigned
martech_pii_be(const martech_pii_word_t *word, const char *shape,
    unsigned hints)
{
    unsigned  month, day, n, key;

    month = martech_pii_number(word->c + 2, 2) % 20;
    day = martech_pii_number(word->c + 4, 2);
    n = martech_pii_number(word->c, 9);
    key = martech_pii_number(word->c + 9, 2);

    if (!martech_pii_day(month, day) && !(hints && month == 0)) {
        return 0;
    }

    if (97 - n % 97 != key && 97 - (n + 2000000000u) % 97 != key) {
        return 0;
    }

    return martech_pii_among(shape, "11|2.2.2-3.2|2.2.2.3.2|2-2-2-3-2|"
                                    "2 2 2 3 2|6-3-2|6 3 2|6-3.2|2.2.2 3.2|"
                                    "9-2|2/2/2-3.2");
}


static unsigned
martech_pii_pl(const martech_pii_word_t *word, const char *shape,
    unsigned hints)
{
    unsigned  month, day, sum;

    month = martech_pii_number(word->c + 2, 2);
    day = martech_pii_number(word->c + 4, 2);
    sum = martech_pii_weighted(word->c, "1379137913");

    if ((10 - sum % 10) % 10 != (unsigned) (word->c[10] - '0')
        || !martech_pii_day(month % 20, day))
    {
        return 0;
    }

    /* persons alive are born in two centuries */

    return hints || (month < 40 && martech_pii_among(shape, "11|6 5|6-5"));
}


static int
martech_pii_se_check(const unsigned char *c)
{
    unsigned  day;

    day = martech_pii_number(c + 4, 2);
    day -= (day > 60) ? 60 : 0;

    return martech_pii_day(martech_pii_number(c + 2, 2), day)
           && martech_pii_luhn(c, 10);
}


static unsigned
martech_pii_se(const martech_pii_word_t *word, const char *shape,
    unsigned hints)
{
    return martech_pii_se_check(word->c)
           && (martech_pii_among(shape, "6-4")
               || (hints && martech_pii_among(shape, "10|6 4")));
}


static unsigned
martech_pii_se_long(const martech_pii_word_t *word, const char *shape,
    unsigned hints)
{
    unsigned  century;

    century = martech_pii_number(word->c, 2);

    if ((century != 19 && century != 20) || !martech_pii_se_check(word->c + 2))
    {
        return 0;
    }

    if (martech_pii_among(shape, "8-4")) {
        return 1;
    }

    /* "202611201935" may be a minute */

    return martech_pii_among(shape, "12|8 4")
           && (hints || martech_pii_number(word->c + 8, 2) > 23
               || martech_pii_number(word->c + 10, 2) > 59);
}


static unsigned
martech_pii_br(const martech_pii_word_t *word, const char *shape,
    unsigned hints)
{
    unsigned              i, first, second;
    const unsigned char  *c;

    (void) hints;

    c = word->c;

    for (i = 1; i < 11 && c[i] == c[0]; i++) { /* void */ }

    if (i == 11 || !martech_pii_among(shape, "11|3.3.3-2|3 3 3 2|9-2|3-3-3-2|"
                                             "3.3.3.2|9/2|3.3.3/2|9 2"))
    {
        return 0;
    }

    first = 10 * (unsigned) (c[0] - '0')
            + martech_pii_weighted(c + 1, "98765432");
    first = (first * 10 % 11) % 10;

    second = 11 * (unsigned) (c[0] - '0') + 10 * (unsigned) (c[1] - '0')
             + martech_pii_weighted(c + 2, "98765432");
    second = (second * 10 % 11) % 10;

    return first == (unsigned) (c[9] - '0')
           && second == (unsigned) (c[10] - '0');
}


/* Aadhaar: Verhoeff's check, the group of the pentagon */

static unsigned
martech_pii_in(const martech_pii_word_t *word, const char *shape,
    unsigned hints)
{
    unsigned  i, check, n, swap, flip;

    static const unsigned char  permute[8][10] = {
        { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 }, { 1, 5, 7, 6, 2, 8, 3, 0, 9, 4 },
        { 5, 8, 0, 3, 7, 9, 6, 1, 4, 2 }, { 8, 9, 1, 6, 0, 4, 3, 5, 2, 7 },
        { 9, 4, 5, 3, 1, 2, 6, 8, 7, 0 }, { 4, 2, 8, 6, 5, 7, 3, 9, 0, 1 },
        { 2, 7, 9, 3, 8, 0, 6, 4, 1, 5 }, { 7, 0, 4, 6, 9, 1, 3, 2, 5, 8 },
    };

    if (word->c[0] < '2') {
        return 0;
    }

    check = 0;

    for (i = 0; i < 12; i++) {
        n = permute[i % 8][word->c[11 - i] - '0'];

        /* five turns, and five turns after a reflection */

        flip = check / 5;
        swap = n / 5;
        check = flip ? (check % 5 + 5 - n % 5) % 5 : (check + n % 5) % 5;
        check += (flip != swap) ? 5 : 0;
    }

    return check == 0
           && (martech_pii_among(shape, "4 4 4|4-4-4")
               || (hints && martech_pii_among(shape, "12|4.4.4")));
}


static unsigned
martech_pii_no(const martech_pii_word_t *word, const char *shape,
    unsigned hints)
{
    unsigned  first, second, day, month;

    (void) hints;

    day = martech_pii_number(word->c, 2);
    month = martech_pii_number(word->c + 2, 2);
    day -= (day > 40) ? 40 : 0;
    month -= (month > 40) ? 40 : 0;

    first = (11 - martech_pii_weighted(word->c, "376189452") % 11) % 11;
    second = (11 - martech_pii_weighted(word->c, "5432765432") % 11) % 11;

    return martech_pii_day(month, day)
           && first == (unsigned) (word->c[9] - '0')
           && second == (unsigned) (word->c[10] - '0')
           && martech_pii_among(shape, "11|6 5|6-5|2 2 2 3 2|6 3 2|3 3 3 2");
}


/* "131052-308T", "131052A308T": the sign stands for the century */

static unsigned
martech_pii_fi(const martech_pii_word_t *word, const char *shape,
    unsigned hints)
{
    unsigned              n;
    const unsigned char  *c, *last;

    (void) hints;

    c = word->c;
    last = c + 6;

    if (strcmp(shape, "11") == 0) {

        if (strchr("ABCDEFUVWXY", c[6]) == NULL) {
            return 0;
        }

        last++;

    } else if (strcmp(shape, "6-4") != 0) {
        return 0;
    }

    for (n = 0; n < 3; n++) {

        if (!martech_pii_digit(last[n])) {
            return 0;
        }
    }

    n = martech_pii_number(c, 6) * 1000 + martech_pii_number(last, 3);

    return martech_pii_day(martech_pii_number(c + 2, 2),
                           martech_pii_number(c, 2))
           && last[3] == (unsigned char) "0123456789ABCDEFHJKLMNPRSTUVWXY"
                                                                    [n % 31];
}


/* AHV number: an EAN of Switzerland */

static unsigned
martech_pii_ch(const martech_pii_word_t *word, const char *shape,
    unsigned hints)
{
    unsigned  sum;

    (void) hints;

    sum = martech_pii_weighted(word->c, "131313131313");

    return memcmp(word->c, "756", 3) == 0
           && (10 - sum % 10) % 10 == (unsigned) (word->c[12] - '0')
           && martech_pii_among(shape, "13|3.4.4.2|3 4 4 2|3-4-4-2");
}
