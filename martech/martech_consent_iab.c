
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * From the purposes of a TC string to ours (docs/PRIVACY.md): a purpose of
 * ours is granted if each of the framework's purposes that it needs has the
 * person's consent.  Legitimate interest is no consent and does not count.
 */


#include "martech_consent_private.h"
#include "martech_consent_tcf.h"


#define martech_tcf_bit(n)  (1u << ((n) - 1))

/*
 * All need 1, to store or read an id.  The framework's numbers 3 and 4, the
 * advertising profile, are in advertising and not left to personalization:
 * nobody can keep an advertiser from adding an event to a profile.
 */
static const struct {
    uint8_t   purpose;
    uint32_t  needs;
} martech_tcf_map[] = {
    { MARTECH_PURPOSE_FUNCTIONAL,
      martech_tcf_bit(1) },
    { MARTECH_PURPOSE_ANALYTICS,
      martech_tcf_bit(1) | martech_tcf_bit(8) | martech_tcf_bit(9) },
    { MARTECH_PURPOSE_ADVERTISING,
      martech_tcf_bit(1) | martech_tcf_bit(2) | martech_tcf_bit(3)
      | martech_tcf_bit(4) | martech_tcf_bit(7) },
    { MARTECH_PURPOSE_PERSONALIZATION,
      martech_tcf_bit(1) | martech_tcf_bit(5) | martech_tcf_bit(6) }
};


static void martech_consent_map(uint32_t granted, uint32_t unknown,
    martech_consent_t *consent);


void
martech_consent_tcf(martech_str_t value, const martech_consent_rules_t *rules,
    martech_consent_t *consent)
{
    martech_tcf_t      tcf;
    unsigned char      buffer[MARTECH_CONSENT_SIGNAL_MAX];
    martech_consent_t  before;

    before = *consent;
    value = martech_consent_decode(value, buffer);

    if (!martech_tcf_read(&tcf, value) || tcf.policy < rules->tcf_policy_min) {
        return;
    }

    martech_consent_map(tcf.purposes, 0, consent);

    /* the scope of all sites was given up: who said "yes" there may not have
       meant this site, who said "no" did */

    if (!tcf.service_specific) {
        consent->granted &= before.granted;
    }
}


/*
 * Canada: express consent grants.  A purpose that rests on implied consent is
 * not refused, but neither was it asked for: the next signal decides.
 */

void
martech_consent_canada(martech_str_t value, martech_consent_t *consent)
{
    martech_tcf_canada_t  tcf;

    if (martech_tcf_canada_read(&tcf, value)) {
        martech_consent_map(tcf.express, tcf.implied, consent);
    }
}


static void
martech_consent_map(uint32_t granted, uint32_t unknown,
    martech_consent_t *consent)
{
    size_t    i;
    uint32_t  needs;

    for (i = 0; i < sizeof(martech_tcf_map) / sizeof(martech_tcf_map[0]); i++)
    {
        needs = martech_tcf_map[i].needs;

        if ((needs & granted) == needs) {
            martech_consent_say(consent, martech_tcf_map[i].purpose, 1);

        } else if ((needs & (granted | unknown)) != needs) {
            martech_consent_say(consent, martech_tcf_map[i].purpose, 0);
        }
    }
}
