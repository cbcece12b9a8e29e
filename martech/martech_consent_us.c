
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The United States: the four letters of US Privacy, and the GPP sections of
 * the nation and its states.  The law there is one of opting out, so these
 * deny, and grant nothing: who did not object was not asked.
 */


#include <string.h>

#include "martech_consent_gpp.h"
#include "martech_consent_private.h"


/* Where a section has its fields; 0: not at all.  All are two bits wide. */
typedef struct {
    uint8_t  section;
    uint8_t  version;
    uint8_t  sale;
    uint8_t  sharing;
    uint8_t  targeted;
    uint8_t  child;
    uint8_t  child_count;
    uint8_t  bits;                       /* of the core, all fields */
    uint8_t  gpc;                        /* may have a subsection for it */
} martech_gpp_layout_t;


static const martech_gpp_layout_t  martech_gpp_layouts[] = {
    {  7, 1, 18, 20, 22, 48, 2, 60, 1 },     /* the nation */
    {  7, 2, 18, 20, 22, 56, 3, 70, 1 },
    {  8, 1, 12, 14,  0, 34, 2, 46, 1 },     /* California */
    {  9, 1, 12,  0, 14, 32, 1, 40, 0 },     /* Virginia */
    { 10, 1, 12,  0, 14, 30, 1, 38, 1 },     /* Colorado */
    { 11, 1, 14,  0, 16, 34, 1, 42, 0 },     /* Utah */
    { 12, 1, 12,  0, 14, 32, 3, 44, 1 },     /* Connecticut */
    { 13, 1, 12,  0, 14, 32, 3, 46, 0 },     /* Florida */
    { 14, 1, 12,  0, 14, 32, 3, 46, 1 },     /* Montana */
    { 15, 1, 12,  0, 14, 38, 3, 52, 1 },     /* Oregon */
    { 16, 1, 12,  0, 14, 32, 1, 42, 1 },     /* Texas */
    { 17, 1, 12,  0, 14, 34, 5, 52, 1 },     /* Delaware */
    { 18, 1, 14,  0, 16, 34, 1, 42, 1 },     /* Iowa */
    { 19, 1, 12,  0, 14, 32, 1, 42, 1 },     /* Nebraska */
    { 20, 1, 12,  0, 14, 32, 3, 46, 1 },     /* New Hampshire */
    { 21, 1, 12,  0, 14, 36, 5, 54, 1 },     /* New Jersey */
    { 22, 1, 12,  0, 14, 32, 1, 42, 1 },     /* Tennessee */
    { 23, 1, 12,  0, 14, 32, 1, 42, 1 },     /* Minnesota */
    { 24, 1, 16,  0, 18,  0, 0, 22, 1 },     /* Maryland */
    { 25, 1, 16,  0, 18, 20, 1, 24, 0 },     /* Indiana */
    { 26, 1, 16,  0, 18, 20, 1, 24, 0 },     /* Kentucky */
    { 27, 1, 16,  0, 18, 20, 1, 24, 0 }      /* Rhode Island */
};


/* type of the subsection, two bits in front of it */
#define MARTECH_GPP_GPC  1


static const martech_gpp_layout_t *martech_gpp_layout(unsigned section,
    unsigned version);
static unsigned martech_gpp_field(martech_bits_t bits, unsigned offset);
static int martech_gpp_subsections(martech_gpp_us_t *us, martech_str_t rest);
static int martech_usp_letter(unsigned char ch);


int
martech_gpp_us_read(martech_gpp_us_t *us, unsigned section,
    martech_str_t text)
{
    unsigned                     i;
    martech_str_t                rest;
    martech_bits_t               bits;
    const martech_gpp_layout_t  *layout;

    memset(us, 0, sizeof(martech_gpp_us_t));

    rest = text;

    if (!martech_bits_open(&bits, martech_consent_cut(&rest, '.'))) {
        return 0;
    }

    us->version = martech_gpp_field(bits, 0) << 4
                  | martech_gpp_field(bits, 2) << 2
                  | martech_gpp_field(bits, 4);

    layout = martech_gpp_layout(section, us->version);

    if (layout == NULL || bits.count < layout->bits) {
        return 0;
    }

    us->sale = martech_gpp_field(bits, layout->sale);
    us->targeted = layout->targeted
                   ? martech_gpp_field(bits, layout->targeted) : 0;
    us->sharing = layout->sharing
                  ? martech_gpp_field(bits, layout->sharing) : 0;
    us->child_count = layout->child_count;

    for (i = 0; i < us->child_count; i++) {
        us->children[i] = martech_gpp_field(bits, layout->child + i * 2);
    }

    return !layout->gpc || martech_gpp_subsections(us, rest);
}


static const martech_gpp_layout_t *
martech_gpp_layout(unsigned section, unsigned version)
{
    size_t                       i;
    const martech_gpp_layout_t  *layout;

    for (i = 0;
         i < sizeof(martech_gpp_layouts) / sizeof(martech_gpp_layouts[0]);
         i++)
    {
        layout = &martech_gpp_layouts[i];

        if (layout->section == section && layout->version == version) {
            return layout;
        }
    }

    return NULL;
}


static unsigned
martech_gpp_field(martech_bits_t bits, unsigned offset)
{
    martech_bits_skip(&bits, offset);

    return (unsigned) martech_bits_get(&bits, 2);
}


static int
martech_gpp_subsections(martech_gpp_us_t *us, martech_str_t rest)
{
    martech_str_t   text;
    martech_bits_t  bits;

    while (rest.len != 0) {

        text = martech_consent_cut(&rest, '.');

        if (text.len == 0 || !martech_bits_open(&bits, text)) {
            return 0;
        }

        if (martech_bits_get(&bits, 2) == MARTECH_GPP_GPC) {
            us->gpc_present = 1;
            us->gpc |= martech_bits_get(&bits, 1) & 1;
        }
    }

    return 1;
}


/*
 * An opt-out of the sale or sharing of data, of targeted advertising, or no
 * consent for a known child.
 */

void
martech_consent_us(unsigned section, martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent)
{
    int               out;
    unsigned          i;
    martech_gpp_us_t  us;

    if (!martech_gpp_us_read(&us, section, value)) {
        return;
    }

    out = us.sale == MARTECH_GPP_OPTED_OUT
          || us.sharing == MARTECH_GPP_OPTED_OUT
          || us.targeted == MARTECH_GPP_OPTED_OUT;

    for (i = 0; i < us.child_count; i++) {
        out |= us.children[i] == MARTECH_GPP_NO_CONSENT;
    }

    if (out) {
        martech_consent_say(consent, MARTECH_CONSENT_OPT_OUT, 0);
    }

    if (us.gpc) {
        martech_consent_say(consent, rules->gpc, 0);
    }
}


/* "1YYN": version, notice given, opted out of the sale, covered. */

void
martech_consent_usp(martech_str_t value, martech_consent_t *consent)
{
    if (value.len == 4 && value.data[0] == '1'
        && martech_usp_letter(value.data[1])
        && martech_usp_letter(value.data[2])
        && martech_usp_letter(value.data[3])
        && (value.data[2] | 0x20) == 'y')
    {
        martech_consent_say(consent, MARTECH_CONSENT_OPT_OUT, 0);
    }
}


static int
martech_usp_letter(unsigned char ch)
{
    return ch == '-' || (ch | 0x20) == 'y' || (ch | 0x20) == 'n';
}
