
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The decision on consent: which signal speaks first of a purpose, what holds
 * if none does, and how it is named and written down.
 */


#include <string.h>

#include "martech_consent_private.h"


/* by bit number */
static const char *const  martech_consent_purpose_names[] = {
    "necessary",
    "functional",
    "analytics",
    "advertising",
    "personalization"
};


static const char *const  martech_consent_signal_names[] = {
    [MARTECH_CONSENT_DEFAULT] = "default",
    [MARTECH_CONSENT_GPC] = "gpc",
    [MARTECH_CONSENT_DNT] = "dnt",
    [MARTECH_CONSENT_TCF] = "tcf",
    [MARTECH_CONSENT_GPP] = "gpp",
    [MARTECH_CONSENT_USP] = "usp",
    [MARTECH_CONSENT_ONETRUST] = "onetrust",
    [MARTECH_CONSENT_COOKIEBOT] = "cookiebot",
    [MARTECH_CONSENT_MODE] = "consent_mode",
    [MARTECH_CONSENT_SEGMENT] = "segment",
    [MARTECH_CONSENT_LIST] = "list",
    [MARTECH_CONSENT_EVENT] = "event"
};


static void martech_consent_write_list(martech_json_writer_t *w,
    const char *name, uint8_t purposes);


void
martech_consent_rules_default(martech_consent_rules_t *rules)
{
    memset(rules, 0, sizeof(martech_consent_rules_t));

    rules->gpc = MARTECH_CONSENT_OPT_OUT;
    rules->dnt = MARTECH_PURPOSES_ALL & ~MARTECH_PURPOSE_NECESSARY;
}


void
martech_consent_begin(martech_consent_case_t *c)
{
    memset(c, 0, sizeof(martech_consent_case_t));

    c->open = MARTECH_PURPOSES_ALL & ~MARTECH_PURPOSE_NECESSARY;
    c->decision.granted = MARTECH_PURPOSE_NECESSARY;
}


void
martech_consent_add(martech_consent_case_t *c,
    martech_consent_signal_t signal, const martech_consent_t *consent)
{
    uint8_t   spoken;
    unsigned  i;

    spoken = (consent->granted | consent->denied) & c->open;

    if (spoken == 0) {
        return;
    }

    c->open &= ~spoken;
    c->decision.granted |= spoken & ~consent->denied;

    for (i = 0; i < MARTECH_PURPOSES; i++) {

        if (spoken & 1u << i) {
            c->decision.by[i] = (uint8_t) signal;
        }
    }
}


void
martech_consent_end(martech_consent_case_t *c, uint8_t granted)
{
    c->decision.granted |= granted & c->open;
    c->open = 0;
}


uint8_t
martech_consent_purpose(martech_str_t name)
{
    unsigned  i;

    for (i = 0; i < MARTECH_PURPOSES; i++) {

        if (name.len == strlen(martech_consent_purpose_names[i])
            && memcmp(name.data, martech_consent_purpose_names[i], name.len)
               == 0)
        {
            return (uint8_t) (1u << i);
        }
    }

    return 0;
}


const char *
martech_consent_purpose_name(unsigned bit_number)
{
    if (bit_number >= MARTECH_PURPOSES) {
        return NULL;
    }

    return martech_consent_purpose_names[bit_number];
}


uint8_t
martech_consent_purposes(martech_str_t list)
{
    uint8_t        purpose, purposes;
    martech_str_t  name;

    if (list.len == 3 && memcmp(list.data, "all", 3) == 0) {
        return MARTECH_PURPOSES_ALL;
    }

    /* a comma at the end would be passed over below */

    if (list.len == 0 || list.data[list.len - 1] == ',') {
        return 0;
    }

    purposes = 0;

    while (list.len != 0) {

        name = martech_consent_trim(martech_consent_cut(&list, ','));
        purpose = martech_consent_purpose(name);

        if (purpose == 0) {
            return 0;
        }

        purposes |= purpose;
    }

    return purposes;
}


martech_consent_signal_t
martech_consent_signal(martech_str_t name)
{
    unsigned  i;

    for (i = MARTECH_CONSENT_DEFAULT + 1; i < MARTECH_CONSENT_SIGNALS; i++) {

        if (name.len == strlen(martech_consent_signal_names[i])
            && memcmp(name.data, martech_consent_signal_names[i], name.len)
               == 0)
        {
            return (martech_consent_signal_t) i;
        }
    }

    return MARTECH_CONSENT_DEFAULT;
}


const char *
martech_consent_signal_name(martech_consent_signal_t signal)
{
    if ((unsigned) signal >= MARTECH_CONSENT_SIGNALS) {
        return NULL;
    }

    return martech_consent_signal_names[signal];
}


size_t
martech_consent_write(const martech_consent_decision_t *decision, char *out)
{
    unsigned               i, by;
    martech_json_writer_t  w;

    martech_json_writer_init(&w, out, MARTECH_CONSENT_TEXT_MAX);

    martech_json_name(&w, "consent");
    martech_json_begin(&w, '{');

    martech_consent_write_list(&w, "granted", decision->granted);
    martech_consent_write_list(&w, "denied",
                               MARTECH_PURPOSES_ALL & ~decision->granted);

    martech_json_name(&w, "by");
    martech_json_begin(&w, '{');

    for (i = 1; i < MARTECH_PURPOSES; i++) {

        by = decision->by[i];

        if (by == MARTECH_CONSENT_DEFAULT || by >= MARTECH_CONSENT_SIGNALS) {
            continue;
        }

        martech_json_name(&w, martech_consent_purpose_names[i]);
        martech_json_cstring(&w, martech_consent_signal_names[by]);
    }

    martech_json_end(&w, '}');
    martech_json_end(&w, '}');

    return (size_t) (w.pos - w.start);
}


static void
martech_consent_write_list(martech_json_writer_t *w, const char *name,
    uint8_t purposes)
{
    unsigned  i;

    martech_json_name(w, name);
    martech_json_begin(w, '[');

    for (i = 0; i < MARTECH_PURPOSES; i++) {

        if (purposes & 1u << i) {
            martech_json_cstring(w, martech_consent_purpose_names[i]);
        }
    }

    martech_json_end(w, ']');
}
