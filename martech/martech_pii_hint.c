
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Words that say what a number is: in the name of its member, or in front of
 * it in a text.
 */


#include <string.h>

#include "martech_pii_private.h"


#define MARTECH_PII_HINT_WORD  23        /* bytes of a word looked at */
#define MARTECH_PII_CUE_WORDS  3         /* words in front of a number */
#define MARTECH_PII_CUE_MAX    40        /* bytes in front of a number */


static unsigned martech_pii_hint(const char *word);


/* Joints and a change to upper case separate the words of a name. */

unsigned
martech_pii_hints(martech_str_t name)
{
    char           word[MARTECH_PII_HINT_WORD + 1];
    char           all[MARTECH_PII_HINT_WORD + 1];
    size_t         i, n, m;
    unsigned       hints;
    unsigned char  c;

    hints = 0;
    n = 0;
    m = 0;

    for (i = 0; i < name.len; i++) {
        c = name.data[i];

        if (!martech_pii_alnum(c) || (c >= 'A' && c <= 'Z' && i > 0
                                      && name.data[i - 1] >= 'a'))
        {
            word[n] = '\0';
            hints |= martech_pii_hint(word);
            n = 0;
        }

        if (!martech_pii_alnum(c)) {
            continue;
        }

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        if (n < MARTECH_PII_HINT_WORD) {
            word[n++] = (char) c;
        }

        if (m < MARTECH_PII_HINT_WORD) {
            all[m++] = (char) c;
        }
    }

    word[n] = '\0';
    all[m] = '\0';

    hints |= martech_pii_hint(word) | martech_pii_hint(all);

    if (strstr(all, "phone") || strstr(all, "telefon")
        || strstr(all, "whatsapp") || strstr(all, "msisdn"))
    {
        hints |= MARTECH_PII_HINT_PHONE;
    }

    if (strstr(all, "nationalid") || strstr(all, "socialsec")
        || strstr(all, "personnummer") || strstr(all, "aadha"))
    {
        hints |= MARTECH_PII_HINT_NATIONAL;
    }

    return hints;
}


static unsigned
martech_pii_hint(const char *word)
{
    if (martech_pii_among(word, "tel|phone|telephone|telefon|telefono|mobile|"
                                "mobil|mob|fax|cell|cellphone|handy|"
                                "whatsapp|msisdn|call|sms|rufnummer"))
    {
        return MARTECH_PII_HINT_PHONE;
    }

    if (martech_pii_among(word, "ssn|itin|tin|sin|bsn|sofi|cpf|nir|nif|dni|"
                                "nie|nino|pesel|aadhaar|aadhar|uidai|insee|"
                                "personnummer|burgerservicenummer|steuerid|"
                                "idnr|taxid|nationalid|socialsecurity|"
                                "codicefiscale|rijksregisternummer|niss|inss|"
                                "fodselsnummer|security|hetu"))
    {
        return MARTECH_PII_HINT_NATIONAL;
    }

    return 0;
}


unsigned
martech_pii_cue(const unsigned char *text, const unsigned char *p)
{
    size_t                i, n;
    unsigned              words, hints;
    char                  word[MARTECH_PII_HINT_WORD + 1];
    const unsigned char  *end, *stop;

    hints = 0;
    stop = (p - text > MARTECH_PII_CUE_MAX) ? p - MARTECH_PII_CUE_MAX : text;

    for (words = 0; words < MARTECH_PII_CUE_WORDS; words++) {

        /* what may stand between a word and its number */

        while (p > stop && !martech_pii_alnum(p[-1]) && p[-1] != ';'
               && p[-1] != '&' && p[-1] != ',' && p[-1] != '?')
        {
            p--;
        }

        end = p;

        while (p > stop && martech_pii_letter(p[-1])) {
            p--;
        }

        n = (size_t) (end - p);

        if (n == 0 || n > MARTECH_PII_HINT_WORD) {
            break;
        }

        for (i = 0; i < n; i++) {
            word[i] = (char) (p[i] | 0x20);
        }

        word[n] = '\0';
        hints |= martech_pii_hint(word);
    }

    return hints;
}
