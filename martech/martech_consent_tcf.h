
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A TC string of the IAB Transparency and Consent Framework, version 2: all
 * of its fields.  Nothing is copied; the text must stay in place.
 */


#ifndef _MARTECH_CONSENT_TCF_H_INCLUDED_
#define _MARTECH_CONSENT_TCF_H_INCLUDED_


#include "martech_bits.h"


/* A set of purposes or features: number n is bit n - 1. */
#define martech_tcf_has(set, n)  (((set) >> ((n) - 1)) & 1)


/* A set of vendors, as a bit for each or as a list of ranges. */
typedef struct {
    martech_bits_t      body;            /* at the first bit or range */
    unsigned            max;             /* greatest number; of a bit field,
                                            also the number of its bits */
    unsigned            ranges;          /* entries, if it is a list */
    unsigned            list:1;
} martech_tcf_vendors_t;


/* What a publisher forbids or requires for a purpose of some vendors. */
typedef struct {
    unsigned               purpose;
    unsigned               type;         /* 0: forbidden, 1: by consent only,
                                            2: by legitimate interest only */
    martech_tcf_vendors_t  vendors;
} martech_tcf_restriction_t;


typedef struct {
    int64_t                created_ms;
    int64_t                updated_ms;
    unsigned               cmp_id;
    unsigned               cmp_version;
    unsigned               screen;
    unsigned               vendor_list;
    unsigned               policy;
    unsigned               service_specific:1;
    unsigned               non_standard_texts:1;
    unsigned               purpose_one:1;          /* not asked for */
    unsigned               disclosed_present:1;
    unsigned               allowed_present:1;
    unsigned               publisher_present:1;
    char                   language[3];
    char                   country[3];             /* of the publisher */
    uint32_t               features;     /* special features opted in */
    uint32_t               purposes;     /* consent */
    uint32_t               interests;    /* legitimate interest, declared and
                                            not objected to */
    martech_tcf_vendors_t  vendors;                /* consent */
    martech_tcf_vendors_t  vendor_interests;
    unsigned               restriction_count;
    martech_bits_t         restrictions;           /* at the first one */

    martech_tcf_vendors_t  disclosed;    /* segments: the first of each */
    martech_tcf_vendors_t  allowed;
    uint32_t               publisher_purposes;
    uint32_t               publisher_interests;
    unsigned               custom_count;
    uint64_t               custom_purposes;
    uint64_t               custom_interests;
} martech_tcf_t;


/*
 * Reads a TC string; 1 if it is one: version 2, nothing missing, vendors in
 * ranges that are in order.  Segments of unknown types are passed over, and so
 * is what follows the last field of a segment.
 */
int martech_tcf_read(martech_tcf_t *tcf, martech_str_t text);

/* 1 if the set has the vendor. */
int martech_tcf_vendor(const martech_tcf_vendors_t *vendors, unsigned id);

/*
 * The restriction at the reader, a copy of tcf->restrictions at first, to be
 * called restriction_count times.
 */
void martech_tcf_restriction(martech_bits_t *bits,
    martech_tcf_restriction_t *restriction);


/*
 * A TC string of Canada (GPP section 5, version 1), as far as a decision
 * needs it: 1 if it is one, up to its vendors.  These are written in one of
 * two ways that only a look at both tells apart, and nothing depends on them.
 */
typedef struct {
    unsigned               policy;
    uint32_t               express;      /* purposes */
    uint32_t               implied;
} martech_tcf_canada_t;

int martech_tcf_canada_read(martech_tcf_canada_t *tcf, martech_str_t text);


#endif /* _MARTECH_CONSENT_TCF_H_INCLUDED_ */
