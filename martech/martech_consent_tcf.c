
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * TC strings: the core and its segments, separated by points.
 */


#include <string.h>

#include "martech_consent_private.h"
#include "martech_consent_tcf.h"


#define MARTECH_TCF_VERSION         2
#define MARTECH_TCF_CANADA_VERSION  1

/* a segment behind the core begins with its type */
#define MARTECH_TCF_DISCLOSED  1
#define MARTECH_TCF_ALLOWED    2
#define MARTECH_TCF_PUBLISHER  3

#define MARTECH_TCF_TYPE_WIDTH  3


static int martech_tcf_core(martech_tcf_t *tcf, martech_str_t text);
static void martech_tcf_head(martech_tcf_t *tcf, martech_bits_t *bits);
static int martech_tcf_segment(martech_tcf_t *tcf, martech_str_t text);
static void martech_tcf_publisher(martech_tcf_t *tcf, martech_bits_t *bits);
static int martech_tcf_vendors(martech_tcf_vendors_t *vendors,
    martech_bits_t *bits);
static int martech_tcf_ranges(martech_tcf_vendors_t *vendors,
    martech_bits_t *bits);
static unsigned martech_tcf_range(martech_bits_t *bits, unsigned *last);
static int martech_tcf_restrictions(martech_bits_t bits, unsigned count);
static void martech_tcf_letters(char out[3], unsigned value);
static uint32_t martech_tcf_set(martech_bits_t *bits, unsigned width);


int
martech_tcf_read(martech_tcf_t *tcf, martech_str_t text)
{
    martech_str_t  rest;

    memset(tcf, 0, sizeof(martech_tcf_t));

    rest = text;

    if (text.len != 0 && text.data[text.len - 1] == '.') {
        return 0;           /* cut off */
    }

    if (!martech_tcf_core(tcf, martech_consent_cut(&rest, '.'))) {
        return 0;
    }

    while (rest.len != 0) {

        if (!martech_tcf_segment(tcf, martech_consent_cut(&rest, '.'))) {
            return 0;
        }
    }

    return 1;
}


static int
martech_tcf_core(martech_tcf_t *tcf, martech_str_t text)
{
    martech_bits_t  bits;

    if (!martech_bits_open(&bits, text)
        || martech_bits_get(&bits, 6) != MARTECH_TCF_VERSION)
    {
        return 0;
    }

    martech_tcf_head(tcf, &bits);

    if (!martech_tcf_vendors(&tcf->vendors, &bits)
        || !martech_tcf_vendors(&tcf->vendor_interests, &bits))
    {
        return 0;
    }

    tcf->restriction_count = (unsigned) martech_bits_get(&bits, 12);
    tcf->restrictions = bits;

    return !bits.overrun
           && martech_tcf_restrictions(bits, tcf->restriction_count);
}


/* The fields in front of the vendors; an overrun shows behind them. */

static void
martech_tcf_head(martech_tcf_t *tcf, martech_bits_t *bits)
{
    tcf->created_ms = (int64_t) martech_bits_get(bits, 36) * 100;
    tcf->updated_ms = (int64_t) martech_bits_get(bits, 36) * 100;
    tcf->cmp_id = (unsigned) martech_bits_get(bits, 12);
    tcf->cmp_version = (unsigned) martech_bits_get(bits, 12);
    tcf->screen = (unsigned) martech_bits_get(bits, 6);

    martech_tcf_letters(tcf->language, (unsigned) martech_bits_get(bits, 12));

    tcf->vendor_list = (unsigned) martech_bits_get(bits, 12);
    tcf->policy = (unsigned) martech_bits_get(bits, 6);
    tcf->service_specific = martech_bits_get(bits, 1) & 1;
    tcf->non_standard_texts = martech_bits_get(bits, 1) & 1;
    tcf->features = martech_tcf_set(bits, 12);
    tcf->purposes = martech_tcf_set(bits, 24);
    tcf->interests = martech_tcf_set(bits, 24);
    tcf->purpose_one = martech_bits_get(bits, 1) & 1;

    martech_tcf_letters(tcf->country, (unsigned) martech_bits_get(bits, 12));
}


static int
martech_tcf_segment(martech_tcf_t *tcf, martech_str_t text)
{
    martech_bits_t  bits;

    if (text.len == 0 || !martech_bits_open(&bits, text)) {
        return 0;
    }

    switch (martech_bits_get(&bits, MARTECH_TCF_TYPE_WIDTH)) {

    case MARTECH_TCF_DISCLOSED:
        if (!tcf->disclosed_present) {
            tcf->disclosed_present = 1;
            return martech_tcf_vendors(&tcf->disclosed, &bits);
        }

        break;

    case MARTECH_TCF_ALLOWED:
        if (!tcf->allowed_present) {
            tcf->allowed_present = 1;
            return martech_tcf_vendors(&tcf->allowed, &bits);
        }

        break;

    case MARTECH_TCF_PUBLISHER:
        if (!tcf->publisher_present) {
            tcf->publisher_present = 1;
            martech_tcf_publisher(tcf, &bits);
        }

        break;

    default:
        break;
    }

    return !bits.overrun;
}


static void
martech_tcf_publisher(martech_tcf_t *tcf, martech_bits_t *bits)
{
    unsigned  i;

    tcf->publisher_purposes = martech_tcf_set(bits, 24);
    tcf->publisher_interests = martech_tcf_set(bits, 24);
    tcf->custom_count = (unsigned) martech_bits_get(bits, 6);

    for (i = 0; i < tcf->custom_count; i++) {
        tcf->custom_purposes |= martech_bits_get(bits, 1) << i;
    }

    for (i = 0; i < tcf->custom_count; i++) {
        tcf->custom_interests |= martech_bits_get(bits, 1) << i;
    }
}


/* A set with its greatest number; the reader is behind it then. */

static int
martech_tcf_vendors(martech_tcf_vendors_t *vendors, martech_bits_t *bits)
{
    vendors->max = (unsigned) martech_bits_get(bits, 16);
    vendors->list = martech_bits_get(bits, 1) & 1;

    if (vendors->list) {
        return martech_tcf_ranges(vendors, bits);
    }

    vendors->body = *bits;
    martech_bits_skip(bits, vendors->max);

    return !bits->overrun;
}


/* Every range is in order and at most max; ranges may come in any order. */

static int
martech_tcf_ranges(martech_tcf_vendors_t *vendors, martech_bits_t *bits)
{
    unsigned  i, first, last;

    vendors->list = 1;
    vendors->ranges = (unsigned) martech_bits_get(bits, 12);
    vendors->body = *bits;

    for (i = 0; i < vendors->ranges; i++) {

        first = martech_tcf_range(bits, &last);

        if (bits->overrun || first == 0 || last < first
            || last > vendors->max)
        {
            return 0;
        }
    }

    return !bits->overrun;
}


static unsigned
martech_tcf_range(martech_bits_t *bits, unsigned *last)
{
    int       group;
    unsigned  first;

    group = (int) martech_bits_get(bits, 1);
    first = (unsigned) martech_bits_get(bits, 16);

    *last = group ? (unsigned) martech_bits_get(bits, 16) : first;

    return first;
}


int
martech_tcf_vendor(const martech_tcf_vendors_t *vendors, unsigned id)
{
    unsigned        i, first, last;
    martech_bits_t  bits;

    if (id == 0 || id > vendors->max) {
        return 0;
    }

    bits = vendors->body;

    if (!vendors->list) {
        martech_bits_skip(&bits, id - 1);
        return (int) martech_bits_get(&bits, 1);
    }

    for (i = 0; i < vendors->ranges; i++) {

        first = martech_tcf_range(&bits, &last);

        if (id >= first && id <= last) {
            return 1;
        }
    }

    return 0;
}


static int
martech_tcf_restrictions(martech_bits_t bits, unsigned count)
{
    unsigned                   i;
    martech_tcf_restriction_t  restriction;

    for (i = 0; i < count; i++) {

        martech_bits_skip(&bits, 6 + 2);

        /* these have no greatest number of their own */

        restriction.vendors.max = UINT16_MAX;

        if (!martech_tcf_ranges(&restriction.vendors, &bits)) {
            return 0;
        }
    }

    return 1;
}


void
martech_tcf_restriction(martech_bits_t *bits,
    martech_tcf_restriction_t *restriction)
{
    restriction->purpose = (unsigned) martech_bits_get(bits, 6);
    restriction->type = (unsigned) martech_bits_get(bits, 2);
    restriction->vendors.max = UINT16_MAX;

    (void) martech_tcf_ranges(&restriction->vendors, bits);
}


static void
martech_tcf_letters(char out[3], unsigned value)
{
    unsigned  i, letter;

    for (i = 0; i < 2; i++) {
        letter = (value >> (i == 0 ? 6 : 0)) & 0x3f;
        out[i] = (letter < 26) ? (char) ('A' + letter) : '?';
    }

    out[2] = '\0';
}


/* In the text the first bit is number 1, here the lowest is. */

static uint32_t
martech_tcf_set(martech_bits_t *bits, unsigned width)
{
    uint32_t  i, set, value;

    value = (uint32_t) martech_bits_get(bits, width);
    set = 0;

    for (i = 0; i < width; i++) {
        set |= ((value >> (width - 1 - i)) & 1) << i;
    }

    return set;
}


int
martech_tcf_canada_read(martech_tcf_canada_t *tcf, martech_str_t text)
{
    martech_str_t   rest;
    martech_bits_t  bits;

    memset(tcf, 0, sizeof(martech_tcf_canada_t));

    rest = text;

    if (!martech_bits_open(&bits, martech_consent_cut(&rest, '.'))
        || martech_bits_get(&bits, 6) != MARTECH_TCF_CANADA_VERSION)
    {
        return 0;
    }

    /* created, updated, program and version, screen, language, list */

    martech_bits_skip(&bits, 36 + 36 + 12 + 12 + 6 + 12 + 12);

    tcf->policy = (unsigned) martech_bits_get(&bits, 6);

    /* other texts, special features */

    martech_bits_skip(&bits, 1 + 12);

    tcf->express = martech_tcf_set(&bits, 24);
    tcf->implied = martech_tcf_set(&bits, 24);

    /* two lists of vendors, of 17 bits if they are empty */

    martech_bits_skip(&bits, 2 * 17);

    return !bits.overrun;
}
