
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Payment cards and bank accounts: numbers with an issuer or a country in
 * front, and check digits.
 */


#include <string.h>

#include "martech_pii_private.h"


#define MARTECH_PII_CARD_MIN    13
#define MARTECH_PII_CARD_MAX    19
#define MARTECH_PII_CARD_GROUP  6        /* digits of a group at most */

#define L(n)      (1u << (n))
#define L16_19    (L(16) | L(17) | L(18) | L(19))
#define L13_19    (L(13) | L(14) | L(15) | L16_19)


static unsigned martech_pii_card_lengths(const unsigned char *digits);


/* First six digits of issuers, and the lengths of their numbers. */

static const struct {
    uint32_t  from;
    uint32_t  to;
    uint32_t  lengths;
} martech_pii_issuers[] = {
    { 220000, 220499, L16_19 },                      /* Mir */
    { 222100, 272099, L(16) },                       /* Mastercard */
    { 300000, 305999, L(14) | L16_19 },              /* Diners Club */
    { 309500, 309599, L(14) | L16_19 },
    { 340000, 349999, L(15) },                       /* American Express */
    { 352800, 358999, L16_19 },                      /* JCB */
    { 360000, 369999, L(14) | L16_19 },
    { 370000, 379999, L(15) },
    { 380000, 399999, L(14) | L16_19 },
    { 400000, 499999, L(13) | L(16) | L(18) | L(19) },  /* Visa */
    { 500000, 509999, L13_19 },                      /* Maestro, Verve, Elo */
    { 510000, 559999, L(16) },
    { 560000, 589999, L13_19 },
    { 600000, 609999, L(16) },                       /* RuPay, Hipercard */
    { 601100, 601199, L16_19 },                      /* Discover */
    { 620000, 629999, L16_19 },                      /* UnionPay */
    { 630000, 639999, L13_19 },
    { 644000, 659999, L16_19 },
    { 670000, 679999, L13_19 },
    { 810000, 829999, L16_19 },
    { 979200, 979299, L(16) },                       /* Troy */
};


unsigned
martech_pii_card(const martech_pii_word_t *word)
{
    unsigned  i, group, lengths, found;

    if (word->digits < MARTECH_PII_CARD_MIN) {
        return 0;
    }

    lengths = martech_pii_card_lengths(word->c);
    found = 0;
    group = 0;

    for (i = 0; lengths && i < word->digits && i < MARTECH_PII_CARD_MAX; i++) {

        if (i > 0 && word->joint[i]) {

            /* "52.5200066", "1/4111": no number of a card is joined so */

            if (word->joint[i] == '/' || group < 2
                || group > MARTECH_PII_CARD_GROUP
                || (word->joint[i] == '.' && group != 4))
            {
                break;
            }

            group = 0;
        }

        group++;

        if (word->edge[i] && (lengths & L(i + 1))
            && (group == i + 1 || group <= MARTECH_PII_CARD_GROUP)
            && martech_pii_luhn(word->c, i + 1))
        {
            found = i + 1;
        }
    }

    return found;
}


static unsigned
martech_pii_card_lengths(const unsigned char *digits)
{
    size_t    i;
    uint32_t  issuer;
    unsigned  lengths;

    issuer = martech_pii_number(digits, 6);
    lengths = 0;

    for (i = 0; i < sizeof(martech_pii_issuers)
                    / sizeof(martech_pii_issuers[0]); i++)
    {
        if (issuer >= martech_pii_issuers[i].from
            && issuer <= martech_pii_issuers[i].to)
        {
            lengths |= martech_pii_issuers[i].lengths;
        }
    }

    return lengths;
}


/* Countries and the length of their numbers, as the registry has them. */

static const char  martech_pii_countries[] =
    "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27"
    "DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28"
    "IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22"
    "MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24"
    "SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30";


unsigned
martech_pii_iban(const martech_pii_word_t *word)
{
    unsigned       i, len, rest;
    const char    *p;
    unsigned char  c;

    if (word->count < 15 || martech_pii_digit(word->c[0])
        || martech_pii_digit(word->c[1]) || !martech_pii_digit(word->c[2])
        || !martech_pii_digit(word->c[3]))
    {
        return 0;
    }

    for (p = martech_pii_countries; *p; p += 4) {

        if (p[0] == (char) word->c[0] && p[1] == (char) word->c[1]) {
            break;
        }
    }

    if (*p == '\0') {
        return 0;
    }

    len = martech_pii_number((const unsigned char *) p + 2, 2);

    if (word->count < len || !word->edge[len - 1]) {
        return 0;
    }

    rest = 0;

    for (i = 0; i < len; i++) {

        if (word->joint[i] == '.' || word->joint[i] == '/') {
            return 0;
        }

        c = word->c[(i + 4) % len];

        rest = martech_pii_digit(c)
               ? (rest * 10 + (unsigned) (c - '0')) % 97
               : (rest * 100 + (unsigned) (c - 'A') + 10) % 97;
    }

    return (rest == 1) ? len : 0;
}
