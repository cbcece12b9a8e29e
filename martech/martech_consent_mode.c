
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Consent Mode: the parameters gcs and gcd, and its signals by name,
 * "ad_storage=granted&analytics_storage=denied" or the same as JSON.
 */


#include <string.h>

#include "martech_consent_private.h"


typedef enum {

    /* in the order in which gcd has the first four */

    MARTECH_MODE_AD_STORAGE = 0,
    MARTECH_MODE_ANALYTICS,
    MARTECH_MODE_AD_USER_DATA,
    MARTECH_MODE_AD_PERSONAL,
    MARTECH_MODE_FUNCTIONAL,
    MARTECH_MODE_PERSONAL,
    MARTECH_MODE_SIGNALS
} martech_mode_signal_t;


#define MARTECH_MODE_IN_GCD  4

#define martech_mode_bit(signal)  (1u << (signal))

#define MARTECH_MODE_ADS                                                      \
    (martech_mode_bit(MARTECH_MODE_AD_STORAGE)                                \
     | martech_mode_bit(MARTECH_MODE_AD_USER_DATA)                            \
     | martech_mode_bit(MARTECH_MODE_AD_PERSONAL))


static const char *const  martech_mode_names[] = {
    [MARTECH_MODE_AD_STORAGE] = "ad_storage",
    [MARTECH_MODE_ANALYTICS] = "analytics_storage",
    [MARTECH_MODE_AD_USER_DATA] = "ad_user_data",
    [MARTECH_MODE_AD_PERSONAL] = "ad_personalization",
    [MARTECH_MODE_FUNCTIONAL] = "functionality_storage",
    [MARTECH_MODE_PERSONAL] = "personalization_storage"
};


/* What was said of each signal, by bit; both is a denial. */
typedef struct {
    unsigned  granted;
    unsigned  denied;
} martech_mode_t;


static int martech_mode_gcs(martech_mode_t *mode, martech_str_t value);
static int martech_mode_gcd(martech_mode_t *mode, martech_str_t value);
static void martech_mode_json(martech_mode_t *mode, martech_str_t value);
static void martech_mode_query(martech_mode_t *mode, martech_str_t value);
static void martech_mode_field(martech_mode_t *mode, martech_str_t name,
    martech_str_t value);
static void martech_mode_say(martech_mode_t *mode, unsigned bit, int granted);
static void martech_mode_purposes(const martech_mode_t *mode,
    martech_consent_t *consent);


void
martech_consent_mode(martech_str_t value, martech_consent_t *consent)
{
    martech_mode_t  mode;
    unsigned char   buffer[MARTECH_CONSENT_SIGNAL_MAX];

    mode.granted = 0;
    mode.denied = 0;

    if (memchr(value.data, '=', value.len) == NULL) {
        value = martech_consent_decode(value, buffer);
    }

    if (value.len != 0 && value.data[0] == '{') {
        martech_mode_json(&mode, value);

    } else if (!martech_mode_gcs(&mode, value)
               && !martech_mode_gcd(&mode, value))
    {
        martech_mode_query(&mode, value);
    }

    martech_mode_purposes(&mode, consent);
}


/* "G1", ads, analytics; "-" stands for what nobody set. */

static int
martech_mode_gcs(martech_mode_t *mode, martech_str_t value)
{
    size_t                i;
    const unsigned char  *p;

    p = value.data;

    if (value.len != 4 || p[0] != 'G' || p[1] != '1') {
        return 0;
    }

    for (i = 0; i < 2; i++) {

        if (p[i + 2] == '0' || p[i + 2] == '1') {
            martech_mode_say(mode, 1u << i, p[i + 2] == '1');
        }
    }

    return 1;
}


/*
 * "11t1t1t1t5": a letter for each of four signals, with digits between, whose
 * meaning and number is not published.  The letter tells what was set by
 * default and what by the person, and so what holds.
 */

static int
martech_mode_gcd(martech_mode_t *mode, martech_str_t value)
{
    size_t         i;
    unsigned       n;
    unsigned char  ch;

    if (value.len == 0 || value.data[0] != '1') {
        return 0;
    }

    for (i = 0; i < value.len; i++) {
        ch = value.data[i];

        if (!((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z'))) {
            return 0;
        }
    }

    for (i = 0, n = 0; i < value.len && n < MARTECH_MODE_IN_GCD; i++) {
        ch = value.data[i];

        if (ch <= '9') {
            continue;
        }

        if (memchr("nrtv", ch, 4)) {
            martech_mode_say(mode, 1u << n, 1);

        } else if (memchr("mpqu", ch, 4)) {
            martech_mode_say(mode, 1u << n, 0);
        }

        n++;
    }

    return 1;
}


static void
martech_mode_json(martech_mode_t *mode, martech_str_t value)
{
    uint32_t              i;
    martech_str_t         name;
    martech_json_tape_t   tape;
    martech_json_node_t   nodes[MARTECH_CONSENT_NODES];

    if (!martech_consent_scan(&tape, nodes, value)) {
        return;
    }

    for (i = 1; i < nodes[0].next; i = nodes[i].next) {

        if (nodes[i].kind == MARTECH_JSON_STRING) {
            name.data = tape.text + nodes[i].key;
            name.len = nodes[i].key_len;

            martech_mode_field(mode, name, martech_json_slice(&tape, i));
        }
    }
}


static void
martech_mode_query(martech_mode_t *mode, martech_str_t value)
{
    martech_str_t  rest, field, name;
    unsigned char  buffer[MARTECH_CONSENT_SIGNAL_MAX];

    rest = value;

    while (rest.len != 0) {
        field = martech_consent_cut(&rest, '&');

        if (memchr(field.data, '=', field.len) == NULL) {
            continue;
        }

        name = martech_consent_cut(&field, '=');

        martech_mode_field(mode, name, martech_consent_decode(field, buffer));
    }
}


static void
martech_mode_field(martech_mode_t *mode, martech_str_t name,
    martech_str_t value)
{
    unsigned  i;

    if (martech_consent_is(name, "gcs")) {
        (void) martech_mode_gcs(mode, value);
        return;
    }

    if (martech_consent_is(name, "gcd")) {
        (void) martech_mode_gcd(mode, value);
        return;
    }

    /* ads that are not personal: the older way to say the same */

    if (martech_consent_is(name, "npa") && martech_consent_is(value, "1")) {
        martech_mode_say(mode, martech_mode_bit(MARTECH_MODE_AD_PERSONAL), 0);
        return;
    }

    for (i = 0; i < MARTECH_MODE_SIGNALS; i++) {

        if (!martech_consent_is(name, martech_mode_names[i])) {
            continue;
        }

        if (martech_consent_is(value, "granted")) {
            martech_mode_say(mode, 1u << i, 1);

        } else if (martech_consent_is(value, "denied")) {
            martech_mode_say(mode, 1u << i, 0);
        }

        return;
    }
}


static void
martech_mode_say(martech_mode_t *mode, unsigned bit, int granted)
{
    if (granted) {
        mode->granted |= bit;

    } else {
        mode->denied |= bit;
    }
}


/*
 * Advertising needs all that was said of ads, and ad_storage at least: older
 * senders say no more.  ad_personalization cannot be left to our purpose of
 * that name: an advertiser is told an event, or is not.
 */

static void
martech_mode_purposes(const martech_mode_t *mode, martech_consent_t *consent)
{
    unsigned  i, bit;
    static const struct {
        unsigned  signal;
        uint8_t   purpose;
    } direct[] = {
        { MARTECH_MODE_ANALYTICS, MARTECH_PURPOSE_ANALYTICS },
        { MARTECH_MODE_FUNCTIONAL, MARTECH_PURPOSE_FUNCTIONAL },
        { MARTECH_MODE_PERSONAL, MARTECH_PURPOSE_PERSONALIZATION }
    };

    for (i = 0; i < sizeof(direct) / sizeof(direct[0]); i++) {
        bit = martech_mode_bit(direct[i].signal);

        if ((mode->granted | mode->denied) & bit) {
            martech_consent_say(consent, direct[i].purpose,
                                !(mode->denied & bit));
        }
    }

    if (mode->denied & MARTECH_MODE_ADS) {
        martech_consent_say(consent, MARTECH_PURPOSE_ADVERTISING, 0);

    } else if (mode->granted & martech_mode_bit(MARTECH_MODE_AD_STORAGE)) {
        martech_consent_say(consent, MARTECH_PURPOSE_ADVERTISING, 1);
    }

    /* who wants no personal ads is not taken to want anything personal */

    bit = martech_mode_bit(MARTECH_MODE_PERSONAL);

    if (!((mode->granted | mode->denied) & bit)
        && (mode->denied & martech_mode_bit(MARTECH_MODE_AD_PERSONAL)))
    {
        martech_consent_say(consent, MARTECH_PURPOSE_PERSONALIZATION, 0);
    }
}
