
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * GPP strings: a header with the numbers of the sections, and the sections
 * behind it, separated by "~".
 */


#include <string.h>

#include "martech_consent_gpp.h"
#include "martech_consent_private.h"


#define MARTECH_GPP_TYPE     3
#define MARTECH_GPP_VERSION  1

/* a bit for each number, 0 too */
#define MARTECH_GPP_WORDS    ((MARTECH_GPP_ID_MAX + 1) / 64)


/* The sections that apply; all if there is no list. */
typedef struct {
    unsigned  all:1;
    uint64_t  ids[MARTECH_GPP_WORDS];
} martech_gpp_applies_t;


static int martech_gpp_header(martech_gpp_t *gpp, martech_str_t text);
static int martech_gpp_add(martech_gpp_t *gpp, uint32_t *last,
    martech_bits_t *bits);
static void martech_gpp_applies(martech_gpp_applies_t *applies,
    martech_str_t list);
static int martech_gpp_number(martech_str_t text);
static void martech_gpp_section(unsigned id, martech_str_t text,
    const martech_consent_rules_t *rules, martech_consent_t *consent);


int
martech_gpp_read(martech_gpp_t *gpp, martech_str_t text)
{
    unsigned       i;
    martech_str_t  rest;

    rest = text;
    gpp->count = 0;

    if (text.len != 0 && text.data[text.len - 1] == '~') {
        return 0;           /* cut off */
    }

    if (!martech_gpp_header(gpp, martech_consent_cut(&rest, '~'))) {
        return 0;
    }

    for (i = 0; i < gpp->count; i++) {

        if (rest.len == 0) {
            return 0;
        }

        gpp->sections[i].text = martech_consent_cut(&rest, '~');
    }

    return rest.len == 0;
}


static int
martech_gpp_header(martech_gpp_t *gpp, martech_str_t text)
{
    uint32_t        i, count, last;
    martech_bits_t  bits;

    if (!martech_bits_open(&bits, text)
        || martech_bits_get(&bits, 6) != MARTECH_GPP_TYPE
        || martech_bits_get(&bits, 6) != MARTECH_GPP_VERSION)
    {
        return 0;
    }

    count = (uint32_t) martech_bits_get(&bits, 12);
    last = 0;

    for (i = 0; i < count && !bits.overrun; i++) {

        if (!martech_gpp_add(gpp, &last, &bits)) {
            return 0;
        }
    }

    return !bits.overrun;
}


/* Adds one section, or a group: both count on from the number before. */

static int
martech_gpp_add(martech_gpp_t *gpp, uint32_t *last, martech_bits_t *bits)
{
    int       group;
    uint32_t  n, more;

    group = (int) martech_bits_get(bits, 1);
    n = *last + martech_bits_fibonacci(bits, MARTECH_GPP_ID_MAX);
    more = group ? martech_bits_fibonacci(bits, MARTECH_GPP_ID_MAX) : 0;

    if (bits->overrun || n + more > MARTECH_GPP_ID_MAX
        || more >= MARTECH_GPP_SECTIONS - gpp->count)
    {
        return 0;
    }

    *last = n + more;

    for ( /* void */ ; n <= *last; n++) {
        gpp->sections[gpp->count].id = n;
        gpp->sections[gpp->count].text.len = 0;
        gpp->sections[gpp->count].text.data = NULL;
        gpp->count++;
    }

    return 1;
}


void
martech_consent_gpp(martech_str_t value, const martech_consent_rules_t *rules,
    martech_consent_t *consent)
{
    unsigned               i, id;
    martech_gpp_t          gpp;
    martech_str_t          text, list;
    unsigned char          buffer[MARTECH_CONSENT_SIGNAL_MAX];
    martech_gpp_applies_t  applies;

    list = martech_consent_decode(value, buffer);
    text = martech_consent_trim(martech_consent_cut(&list, ';'));

    if (!martech_gpp_read(&gpp, text)) {
        return;
    }

    martech_gpp_applies(&applies, list);

    for (i = 0; i < gpp.count; i++) {
        id = gpp.sections[i].id;

        if (applies.all || (applies.ids[id / 64] >> id % 64) & 1) {
            martech_gpp_section(id, gpp.sections[i].text, rules, consent);
        }
    }
}


/*
 * "2_6" or "2,6".  0 means that it is not known yet which apply, -1 that none
 * does; a list that cannot be read is none.
 */

static void
martech_gpp_applies(martech_gpp_applies_t *applies, martech_str_t list)
{
    int            n;
    size_t         i;
    martech_str_t  rest, word;

    memset(applies, 0, sizeof(martech_gpp_applies_t));

    rest = list;
    applies->all = 1;

    while (rest.len != 0) {

        for (i = 0; i < rest.len && !memchr("_, ", rest.data[i], 3); i++) {
            /* void */
        }

        word = martech_consent_cut(&rest, i < rest.len ? rest.data[i] : ',');

        if (word.len == 0) {
            continue;
        }

        n = martech_gpp_number(word);

        if (n == 0 || (n < 0 && !martech_consent_is(word, "-1"))) {
            applies->all = 1;
            return;
        }

        if (n > 0) {
            applies->ids[n / 64] |= (uint64_t) 1 << n % 64;
        }

        applies->all = 0;
    }
}


/* A number up to MARTECH_GPP_ID_MAX, or -1. */

static int
martech_gpp_number(martech_str_t text)
{
    int     n;
    size_t  i;

    n = 0;

    for (i = 0; i < text.len; i++) {

        if (text.data[i] < '0' || text.data[i] > '9') {
            return -1;
        }

        n = n * 10 + (text.data[i] - '0');

        if (n > MARTECH_GPP_ID_MAX) {
            return -1;
        }
    }

    return n;
}


static void
martech_gpp_section(unsigned id, martech_str_t text,
    const martech_consent_rules_t *rules, martech_consent_t *consent)
{
    switch (id) {

    case MARTECH_GPP_TCF:
        martech_consent_tcf(text, rules, consent);
        break;

    case MARTECH_GPP_CANADA:
        martech_consent_canada(text, consent);
        break;

    case MARTECH_GPP_USP:
        martech_consent_usp(text, consent);
        break;

    default:
        martech_consent_us(id, text, rules, consent);
    }
}
