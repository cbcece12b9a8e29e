
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Text and categories: what the readers of consent tools have in common.
 */


#include <string.h>

#include "martech_consent_private.h"


/* longer names of categories are not looked up */
#define MARTECH_CONSENT_CATEGORY_MAX  64


/*
 * The usual names, in small letters and without what separates words.  What
 * two purposes share is granted or denied for both.
 */
static const struct {
    const char  *name;
    uint8_t      purposes;
} martech_consent_usual[] = {

    /* words of banners, plain lists and generic tools */
    { "necessary", MARTECH_PURPOSE_NECESSARY },
    { "strictlynecessary", MARTECH_PURPOSE_NECESSARY },
    { "essential", MARTECH_PURPOSE_NECESSARY },
    { "required", MARTECH_PURPOSE_NECESSARY },
    { "security", MARTECH_PURPOSE_NECESSARY },
    { "functional", MARTECH_PURPOSE_FUNCTIONAL },
    { "functionality", MARTECH_PURPOSE_FUNCTIONAL },
    { "preferences", MARTECH_PURPOSE_FUNCTIONAL
                     | MARTECH_PURPOSE_PERSONALIZATION },
    { "analytics", MARTECH_PURPOSE_ANALYTICS },
    { "analytical", MARTECH_PURPOSE_ANALYTICS },
    { "statistics", MARTECH_PURPOSE_ANALYTICS },
    { "performance", MARTECH_PURPOSE_ANALYTICS },
    { "measurement", MARTECH_PURPOSE_ANALYTICS },
    { "advertising", MARTECH_PURPOSE_ADVERTISING },
    { "ads", MARTECH_PURPOSE_ADVERTISING },
    { "marketing", MARTECH_PURPOSE_ADVERTISING },
    { "targeting", MARTECH_PURPOSE_ADVERTISING },
    { "targetedadvertising", MARTECH_PURPOSE_ADVERTISING },
    { "social", MARTECH_PURPOSE_ADVERTISING },
    { "socialmedia", MARTECH_PURPOSE_ADVERTISING },
    { "marketingandanalytics", MARTECH_PURPOSE_ANALYTICS
                               | MARTECH_PURPOSE_ADVERTISING },
    { "personalization", MARTECH_PURPOSE_PERSONALIZATION },
    { "personalisation", MARTECH_PURPOSE_PERSONALIZATION },

    /* identifiers of OneTrust; the stack is TCF purposes 2 to 10 in one */
    { "c0001", MARTECH_PURPOSE_NECESSARY },
    { "c0002", MARTECH_PURPOSE_ANALYTICS },
    { "c0003", MARTECH_PURPOSE_FUNCTIONAL | MARTECH_PURPOSE_PERSONALIZATION },
    { "c0004", MARTECH_PURPOSE_ADVERTISING },
    { "c0005", MARTECH_PURPOSE_ADVERTISING },
    { "stack42", MARTECH_CONSENT_OPT_OUT },
    { "v2stack42", MARTECH_CONSENT_OPT_OUT }
};


static int martech_consent_letter(int ch);
static int martech_consent_hex(int ch);


uint8_t
martech_consent_category(const martech_consent_rules_t *rules,
    martech_str_t name)
{
    size_t                             i, n;
    char                               word[MARTECH_CONSENT_CATEGORY_MAX + 1];
    const martech_consent_category_t  *category;

    for (i = 0; i < rules->ncategories; i++) {

        category = &rules->categories[i];

        if (category->name.len == name.len
            && memcmp(category->name.data, name.data, name.len) == 0)
        {
            return category->purposes;
        }
    }

    if (name.len > MARTECH_CONSENT_CATEGORY_MAX) {
        return 0;
    }

    for (i = 0, n = 0; i < name.len; i++) {

        if (name.data[i] == '\0') {
            return 0;
        }

        if (!memchr(" _-", name.data[i], 3)) {
            word[n++] = (char) martech_consent_letter(name.data[i]);
        }
    }

    word[n] = '\0';

    for (i = 0;
         i < sizeof(martech_consent_usual) / sizeof(martech_consent_usual[0]);
         i++)
    {
        if (strcmp(martech_consent_usual[i].name, word) == 0) {
            return martech_consent_usual[i].purposes;
        }
    }

    return 0;
}


void
martech_consent_say(martech_consent_t *consent, uint8_t purposes, int granted)
{
    if (granted) {
        consent->granted |= purposes;

    } else {
        consent->denied |= purposes;
    }
}


martech_str_t
martech_consent_cut(martech_str_t *rest, int separator)
{
    martech_str_t         part;
    const unsigned char  *p;

    part = *rest;
    p = part.len ? memchr(part.data, separator, part.len) : NULL;

    if (p == NULL) {
        rest->data += rest->len;
        rest->len = 0;
        return part;
    }

    part.len = (size_t) (p - part.data);
    rest->data += part.len + 1;
    rest->len -= part.len + 1;

    return part;
}


martech_str_t
martech_consent_trim(martech_str_t value)
{
    while (value.len != 0 && memchr(" \t", value.data[0], 2)) {
        value.data++;
        value.len--;
    }

    while (value.len != 0 && memchr(" \t", value.data[value.len - 1], 2)) {
        value.len--;
    }

    if (value.len > 1 && value.data[0] == '"'
        && value.data[value.len - 1] == '"')
    {
        value.data++;
        value.len -= 2;
    }

    return value;
}


int
martech_consent_is(martech_str_t value, const char *text)
{
    size_t  i;

    for (i = 0; i < value.len; i++) {

        if (text[i] == '\0'
            || martech_consent_letter(value.data[i])
               != martech_consent_letter((unsigned char) text[i]))
        {
            return 0;
        }
    }

    return text[i] == '\0';
}


/* Independent of the locale, which tolower() is not. */

static int
martech_consent_letter(int ch)
{
    return (ch >= 'A' && ch <= 'Z') ? ch - 'A' + 'a' : ch;
}


martech_str_t
martech_consent_decode(martech_str_t value, unsigned char *buffer)
{
    int            hi, lo;
    size_t         i;
    martech_str_t  decoded;

    if (value.len == 0 || memchr(value.data, '%', value.len) == NULL) {
        return value;
    }

    decoded.data = buffer;
    decoded.len = 0;

    for (i = 0; i < value.len; i++) {

        if (value.data[i] == '%' && value.len - i > 2) {
            hi = martech_consent_hex(value.data[i + 1]);
            lo = martech_consent_hex(value.data[i + 2]);

            if (hi >= 0 && lo >= 0) {
                buffer[decoded.len++] = (unsigned char) (hi << 4 | lo);
                i += 2;
                continue;
            }
        }

        buffer[decoded.len++] = value.data[i];
    }

    return decoded;
}


static int
martech_consent_hex(int ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch = martech_consent_letter(ch);

    return (ch >= 'a' && ch <= 'f') ? ch - 'a' + 10 : -1;
}
