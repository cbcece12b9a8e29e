
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The cookies of two consent tools: OptanonConsent of OneTrust, which is
 * written like a query string, and CookieConsent of Cookiebot, which is
 * nearly an object of JavaScript.
 */


#include <string.h>

#include "martech_consent_private.h"


static void martech_onetrust_groups(martech_str_t groups,
    const martech_consent_rules_t *rules, martech_consent_t *consent);
static martech_str_t martech_cookiebot_field(martech_str_t *rest);


/*
 * Cut first, then decoded: an address of a page in the same cookie may have
 * any text in it.  A cookie that was encoded as a whole is decoded first.
 */

void
martech_consent_onetrust(martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent)
{
    martech_str_t  rest, field, name;
    unsigned char  whole[MARTECH_CONSENT_SIGNAL_MAX];
    unsigned char  buffer[MARTECH_CONSENT_SIGNAL_MAX];

    rest = value;

    if (memchr(rest.data, '=', rest.len) == NULL) {
        rest = martech_consent_decode(rest, whole);
    }

    while (rest.len != 0) {
        field = martech_consent_cut(&rest, '&');
        name = martech_consent_cut(&field, '=');

        if (martech_consent_is(name, "groups")) {
            martech_onetrust_groups(martech_consent_decode(field, buffer),
                                    rules, consent);
            return;
        }
    }
}


/* "C0001:1,C0002:0"; what is not "1" is not granted. */

static void
martech_onetrust_groups(martech_str_t groups,
    const martech_consent_rules_t *rules, martech_consent_t *consent)
{
    unsigned       words;
    martech_str_t  group, name;

    for (words = 0; groups.len != 0; words++) {

        if (words == MARTECH_CONSENT_WORDS) {
            memset(consent, 0, sizeof(martech_consent_t));
            return;
        }

        group = martech_consent_cut(&groups, ',');

        if (memchr(group.data, ':', group.len) == NULL) {
            continue;
        }

        name = martech_consent_cut(&group, ':');

        martech_consent_say(consent, martech_consent_category(rules, name),
                            martech_consent_is(group, "1"));
    }
}


/*
 * "{stamp:'...',necessary:true,statistics:false,...}".  "-1" stands where the
 * region of the person needs no consent.
 */

void
martech_consent_cookiebot(martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent)
{
    int            granted;
    unsigned       words;
    martech_str_t  rest, field, name;
    unsigned char  buffer[MARTECH_CONSENT_SIGNAL_MAX];

    rest = martech_consent_decode(value, buffer);

    if (martech_consent_is(rest, "-1")) {
        martech_consent_say(consent, MARTECH_PURPOSES_ALL, 1);
        return;
    }

    if (rest.len < 2 || rest.data[0] != '{' || rest.data[rest.len - 1] != '}')
    {
        return;
    }

    rest.data++;
    rest.len -= 2;

    for (words = 0; rest.len != 0; words++) {

        if (words == MARTECH_CONSENT_WORDS) {
            memset(consent, 0, sizeof(martech_consent_t));
            return;
        }

        field = martech_cookiebot_field(&rest);
        name = martech_consent_trim(martech_consent_cut(&field, ':'));
        field = martech_consent_trim(field);
        granted = martech_consent_is(field, "true");

        if (granted || martech_consent_is(field, "false")) {
            martech_consent_say(consent,
                                martech_consent_category(rules, name),
                                granted);
        }
    }
}


/* Up to a comma that does not stand between single quotes. */

static martech_str_t
martech_cookiebot_field(martech_str_t *rest)
{
    int            quoted;
    size_t         i;
    martech_str_t  field;

    quoted = 0;
    field = *rest;

    for (i = 0; i < rest->len; i++) {

        if (rest->data[i] == '\'') {
            quoted = !quoted;

        } else if (rest->data[i] == ',' && !quoted) {
            break;
        }
    }

    field.len = i;

    if (i < rest->len) {
        i++;
    }

    rest->data += i;
    rest->len -= i;

    return field;
}
