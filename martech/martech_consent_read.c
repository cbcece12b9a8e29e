
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reads a signal of consent: the two headers of browsers and the plain list
 * here, all others in the file of their format.
 */


#include <string.h>

#include "martech_consent_private.h"


static void martech_consent_dispatch(martech_consent_signal_t signal,
    martech_str_t value, const martech_consent_rules_t *rules,
    martech_consent_t *consent);
static int martech_consent_settle(martech_consent_t *consent);
static int martech_consent_on(martech_str_t value);
static int martech_consent_list_word(martech_str_t *name);


int
martech_consent_read(martech_consent_signal_t signal, martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent)
{
    memset(consent, 0, sizeof(martech_consent_t));

    if (value.len > MARTECH_CONSENT_SIGNAL_MAX) {
        return 0;
    }

    value = martech_consent_trim(value);

    if (value.len == 0) {
        return 0;
    }

    martech_consent_dispatch(signal, value, rules, consent);

    return martech_consent_settle(consent);
}


int
martech_consent_read_event(const martech_json_tape_t *tape, uint32_t node,
    const martech_consent_rules_t *rules, martech_consent_t *consent)
{
    memset(consent, 0, sizeof(martech_consent_t));

    martech_consent_object(tape, node, rules, consent);

    return martech_consent_settle(consent);
}


static void
martech_consent_dispatch(martech_consent_signal_t signal, martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent)
{
    switch (signal) {

    /* "0" of DNT allows tracking, yet nobody asked for it: no consent */

    case MARTECH_CONSENT_GPC:
        if (martech_consent_on(value)) {
            martech_consent_say(consent, rules->gpc, 0);
        }

        break;

    case MARTECH_CONSENT_DNT:
        if (martech_consent_on(value)) {
            martech_consent_say(consent, rules->dnt, 0);
        }

        break;

    case MARTECH_CONSENT_TCF:
        martech_consent_tcf(value, rules, consent);
        break;

    case MARTECH_CONSENT_GPP:
        martech_consent_gpp(value, rules, consent);
        break;

    case MARTECH_CONSENT_USP:
        martech_consent_usp(value, consent);
        break;

    case MARTECH_CONSENT_ONETRUST:
        martech_consent_onetrust(value, rules, consent);
        break;

    case MARTECH_CONSENT_COOKIEBOT:
        martech_consent_cookiebot(value, rules, consent);
        break;

    case MARTECH_CONSENT_MODE:
        martech_consent_mode(value, consent);
        break;

    case MARTECH_CONSENT_SEGMENT:
    case MARTECH_CONSENT_EVENT:
        martech_consent_segment(value, rules, consent);
        break;

    case MARTECH_CONSENT_LIST:
        martech_consent_list(value, rules, consent);
        break;

    default:
        break;
    }
}


/* "1", or a list with it: headers that somebody on the way has joined. */

static int
martech_consent_on(martech_str_t value)
{
    while (value.len != 0) {

        if (martech_consent_is(martech_consent_trim(
                                   martech_consent_cut(&value, ',')), "1"))
        {
            return 1;
        }
    }

    return 0;
}


/* 1 if anything is left that was said. */

static int
martech_consent_settle(martech_consent_t *consent)
{
    consent->denied &= MARTECH_PURPOSES_ALL & ~MARTECH_PURPOSE_NECESSARY;
    consent->granted &= MARTECH_PURPOSES_ALL & ~MARTECH_PURPOSE_NECESSARY;
    consent->granted &= ~consent->denied;

    return (consent->granted | consent->denied) != 0;
}


/*
 * A sign of denial that stands apart from its word ("- analytics") holds for
 * the next one, a value ("analytics =denied") for the one before, which is
 * then no consent.
 */

void
martech_consent_list(martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent)
{
    int            granted, apart;
    uint8_t        purposes;
    size_t         i;
    unsigned       words;
    martech_str_t  rest, name;
    unsigned char  buffer[MARTECH_CONSENT_SIGNAL_MAX];

    rest = martech_consent_trim(martech_consent_decode(value, buffer));
    apart = 0;
    purposes = 0;

    for (words = 0; rest.len != 0; words++) {

        if (words == MARTECH_CONSENT_WORDS) {
            memset(consent, 0, sizeof(martech_consent_t));
            return;
        }

        /* a comma, a semicolon or a blank: whichever comes first */

        for (i = 0; i < rest.len && !memchr(",; \t", rest.data[i], 4); i++) {
            /* void */
        }

        name = martech_consent_cut(&rest, i < rest.len ? rest.data[i] : ',');

        if (name.len != 0 && name.data[0] == '=') {
            martech_consent_say(consent, purposes, 0);
            continue;
        }

        if (name.len == 1 && (name.data[0] == '-' || name.data[0] == '!')) {
            apart = 1;
            continue;
        }

        granted = martech_consent_list_word(&name);

        if (granted < 0) {
            continue;
        }

        if (apart) {
            granted = 0;
            apart = 0;
        }

        if (martech_consent_is(name, "all")) {
            purposes = MARTECH_PURPOSES_ALL;

        } else if (martech_consent_is(name, "none")) {
            purposes = MARTECH_PURPOSES_ALL;
            granted = 0;

        } else {
            purposes = martech_consent_category(rules, name);
        }

        martech_consent_say(consent, purposes, granted);
    }
}


/*
 * "name", "-name", "name=granted" and the like: leaves the name; 1: granted,
 * 0: denied, -1: neither.  A value nobody knows is no consent.
 */

static int
martech_consent_list_word(martech_str_t *name)
{
    int            granted;
    martech_str_t  word, value;

    word = *name;
    granted = 1;

    if (word.len != 0 && (word.data[0] == '-' || word.data[0] == '!')) {
        word.data++;
        word.len--;
        granted = 0;
    }

    if (memchr(word.data, '=', word.len) == NULL) {
        *name = word;
        return (word.len != 0) ? granted : -1;
    }

    *name = martech_consent_cut(&word, '=');
    value = word;

    if (name->len == 0) {
        return -1;
    }

    return granted && (martech_consent_is(value, "granted")
                       || martech_consent_is(value, "true")
                       || martech_consent_is(value, "yes")
                       || martech_consent_is(value, "1"));
}
