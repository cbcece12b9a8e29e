
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * All readers of consent: the first byte chooses the signal, the rest is its
 * value.  Nothing said contradicts itself, the same is read twice, and what
 * is read as a whole does not depend on what a reader kept from the last.
 */


#include "fuzz.h"

/* martech */
#include "martech_consent.h"
#include "martech_consent_gpp.h"
#include "martech_consent_tcf.h"


#define FUZZ_SPOKEN  (MARTECH_PURPOSES_ALL & ~MARTECH_PURPOSE_NECESSARY)


/* Vendors are looked for where a reader would go wrong: at both ends. */
static void
fuzz_vendors(const martech_tcf_vendors_t *vendors)
{
    fuzz_assert(!martech_tcf_vendor(vendors, 0));
    fuzz_assert(!martech_tcf_vendor(vendors, vendors->max + 1));

    (void) martech_tcf_vendor(vendors, 1);
    (void) martech_tcf_vendor(vendors, vendors->max);
}


static void
fuzz_tcf(martech_str_t text)
{
    unsigned                   i;
    martech_tcf_t              tcf;
    martech_bits_t             bits;
    martech_tcf_canada_t       canada;
    martech_tcf_restriction_t  restriction;

    (void) martech_tcf_canada_read(&canada, text);

    if (!martech_tcf_read(&tcf, text)) {
        return;
    }

    fuzz_vendors(&tcf.vendors);
    fuzz_vendors(&tcf.vendor_interests);

    if (tcf.disclosed_present) {
        fuzz_vendors(&tcf.disclosed);
    }

    if (tcf.allowed_present) {
        fuzz_vendors(&tcf.allowed);
    }

    bits = tcf.restrictions;

    for (i = 0; i < tcf.restriction_count; i++) {
        martech_tcf_restriction(&bits, &restriction);
        fuzz_assert(!bits.overrun);
        fuzz_vendors(&restriction.vendors);
    }
}


static void
fuzz_gpp(martech_str_t text)
{
    unsigned          i;
    martech_gpp_t     gpp;
    martech_gpp_us_t  us;

    if (!martech_gpp_read(&gpp, text)) {
        return;
    }

    fuzz_assert(gpp.count <= MARTECH_GPP_SECTIONS);

    for (i = 0; i < gpp.count; i++) {

        fuzz_assert(i == 0 || gpp.sections[i].id > gpp.sections[i - 1].id);

        if (martech_gpp_us_read(&us, gpp.sections[i].id,
                                gpp.sections[i].text))
        {
            fuzz_assert(us.child_count <= MARTECH_GPP_CHILDREN);
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                       rc;
    char                      out[MARTECH_CONSENT_TEXT_MAX];
    size_t                    len;
    martech_str_t             text;
    martech_consent_t         one, two;
    martech_consent_case_t    c;
    martech_consent_rules_t   rules;
    martech_consent_signal_t  signal;

    if (size == 0) {
        return 0;
    }

    signal = (martech_consent_signal_t) (data[0] % MARTECH_CONSENT_SIGNALS);

    text.data = data + 1;
    text.len = size - 1;

    martech_consent_rules_default(&rules);
    memset(&one, 0, sizeof(one));
    memset(&two, 0xff, sizeof(two));

    rc = martech_consent_read(signal, text, &rules, &one);

    fuzz_assert(rc == martech_consent_read(signal, text, &rules, &two));
    fuzz_assert(one.granted == two.granted && one.denied == two.denied);
    fuzz_assert((one.granted & one.denied) == 0);
    fuzz_assert(((one.granted | one.denied) & ~FUZZ_SPOKEN) == 0);
    fuzz_assert(rc == ((one.granted | one.denied) != 0));

    martech_consent_begin(&c);
    martech_consent_add(&c, signal, &one);
    martech_consent_end(&c, 0);

    fuzz_assert(c.decision.granted
                == (one.granted | MARTECH_PURPOSE_NECESSARY));

    len = martech_consent_write(&c.decision, out);
    fuzz_assert(len <= sizeof(out) && out[len - 1] == '}');

    fuzz_tcf(text);
    fuzz_gpp(text);

    return 0;
}
