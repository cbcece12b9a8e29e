
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Writes what the readers of consent strings found, as the files of
 * t/cases/consent have it.
 */


#ifndef _MARTECH_CONSENT_DUMP_H_INCLUDED_
#define _MARTECH_CONSENT_DUMP_H_INCLUDED_


#include "martech_test.h"

/* martech */
#include "martech_consent.h"
#include "martech_consent_gpp.h"
#include "martech_consent_tcf.h"


#define TEST_DUMP_MAX  65536


typedef struct {
    size_t  len;
    char    text[TEST_DUMP_MAX];
} test_dump_t;


static inline void
test_dump(test_dump_t *dump, const char *format, ...)
{
    int      n;
    va_list  args;

    va_start(args, format);
    n = vsnprintf(dump->text + dump->len, TEST_DUMP_MAX - dump->len, format,
                  args);
    va_end(args);

    assert_true(n >= 0 && (size_t) n < TEST_DUMP_MAX - dump->len);

    dump->len += (size_t) n;
}


/* Numbers as ranges, fed one by one in order; 0 ends them. */
typedef struct {
    unsigned  first;
    unsigned  last;
    unsigned  any:1;
} test_ranges_t;


static inline void
test_dump_number(test_dump_t *dump, test_ranges_t *ranges, unsigned n)
{
    if (n != 0 && ranges->first != 0 && n == ranges->last + 1) {
        ranges->last = n;
        return;
    }

    if (ranges->first != 0) {
        test_dump(dump, "%s%u", ranges->any ? "," : "", ranges->first);

        if (ranges->last != ranges->first) {
            test_dump(dump, "-%u", ranges->last);
        }

        ranges->any = 1;
    }

    ranges->first = n;
    ranges->last = n;

    if (n == 0 && !ranges->any) {
        test_dump(dump, "none");
    }
}


/* A set of numbers, 1 the lowest bit. */
static inline void
test_dump_set(test_dump_t *dump, uint64_t set)
{
    unsigned       n;
    test_ranges_t  ranges;

    memset(&ranges, 0, sizeof(ranges));

    for (n = 1; n <= 64; n++) {

        if ((set >> (n - 1)) & 1) {
            test_dump_number(dump, &ranges, n);
        }
    }

    test_dump_number(dump, &ranges, 0);
}


/* Returns how many there are. */
static inline unsigned
test_dump_vendors(test_dump_t *dump, const martech_tcf_vendors_t *vendors)
{
    unsigned       n, count;
    test_ranges_t  ranges;

    memset(&ranges, 0, sizeof(ranges));

    for (n = 1, count = 0; n <= UINT16_MAX; n++) {

        if (martech_tcf_vendor(vendors, n)) {
            test_dump_number(dump, &ranges, n);
            count++;
        }
    }

    test_dump_number(dump, &ranges, 0);

    return count;
}


static inline int
test_dump_compare(const void *one, const void *two)
{
    return strcmp(one, two);
}


/* Sorted as text: the libraries keep no order. */
static inline void
test_dump_restrictions(test_dump_t *dump, const martech_tcf_t *tcf)
{
    char                       (*list)[256];
    unsigned                     i;
    test_dump_t                 *item;
    martech_bits_t               bits;
    martech_tcf_restriction_t    restriction;

    if (tcf->restriction_count == 0) {
        test_dump(dump, " restrictions=none");
        return;
    }

    item = test_alloc(sizeof(test_dump_t));
    list = test_alloc(tcf->restriction_count * sizeof(*list));
    bits = tcf->restrictions;

    for (i = 0; i < tcf->restriction_count; i++) {
        martech_tcf_restriction(&bits, &restriction);
        assert_false(bits.overrun);

        item->len = 0;
        test_dump(item, "%u/%u/", restriction.purpose, restriction.type);
        (void) test_dump_vendors(item, &restriction.vendors);

        assert_true(item->len < sizeof(*list));
        memcpy(list[i], item->text, item->len + 1);
    }

    qsort(list, tcf->restriction_count, sizeof(*list), test_dump_compare);

    for (i = 0; i < tcf->restriction_count; i++) {
        test_dump(dump, "%s%s", i ? "+" : " restrictions=", list[i]);
    }

    free(list);
    free(item);
}


static inline void
test_dump_purposes(test_dump_t *dump, const char *name, uint8_t purposes)
{
    int       any;
    unsigned  i;

    test_dump(dump, "%s", name);

    for (i = 0, any = 0; i < MARTECH_PURPOSES; i++) {

        if (purposes & 1u << i) {
            test_dump(dump, "%s%s", any ? "," : "",
                      martech_consent_purpose_name(i));
            any = 1;
        }
    }

    if (!any) {
        test_dump(dump, "none");
    }
}


static inline void
test_dump_tcf(test_dump_t *dump, const martech_tcf_t *tcf)
{
    unsigned  n;

    test_dump(dump, "created=%lld updated=%lld cmp=%u/%u screen=%u"
              " language=%s list=%u policy=%u specific=%u texts=%u one=%u"
              " country=%s", (long long) tcf->created_ms,
              (long long) tcf->updated_ms, tcf->cmp_id, tcf->cmp_version,
              tcf->screen, tcf->language, tcf->vendor_list, tcf->policy,
              tcf->service_specific, tcf->non_standard_texts,
              tcf->purpose_one, tcf->country);

    test_dump(dump, " features=");
    test_dump_set(dump, tcf->features);
    test_dump(dump, " purposes=");
    test_dump_set(dump, tcf->purposes);
    test_dump(dump, " interests=");
    test_dump_set(dump, tcf->interests);
    test_dump(dump, " vendors=");
    (void) test_dump_vendors(dump, &tcf->vendors);
    test_dump(dump, " vendor_interests=");
    (void) test_dump_vendors(dump, &tcf->vendor_interests);

    test_dump_restrictions(dump, tcf);

    if (tcf->disclosed_present) {
        test_dump(dump, " disclosed=");
        n = test_dump_vendors(dump, &tcf->disclosed);
        test_dump(dump, " disclosed_count=%u", n);

    } else {
        test_dump(dump, " disclosed=absent");
    }

    if (!tcf->publisher_present) {
        test_dump(dump, " publisher=absent");
        return;
    }

    test_dump(dump, " publisher=");
    test_dump_set(dump, tcf->publisher_purposes);
    test_dump(dump, "/");
    test_dump_set(dump, tcf->publisher_interests);
    test_dump(dump, "/%u/", tcf->custom_count);
    test_dump_set(dump, tcf->custom_purposes);
    test_dump(dump, "/");
    test_dump_set(dump, tcf->custom_interests);
}


static inline void
test_dump_us(test_dump_t *dump, unsigned id, martech_str_t text)
{
    unsigned          i;
    martech_gpp_us_t  us;

    if (!martech_gpp_us_read(&us, id, text)) {
        return;
    }

    test_dump(dump, " %u=version:%u,sale:%u,share:%u,ta:%u,child:", id,
              us.version, us.sale, us.sharing, us.targeted);

    for (i = 0; i < us.child_count; i++) {
        test_dump(dump, "%s%u", i ? "." : "", us.children[i]);
    }

    test_dump(dump, "%s,gpc:%s", us.child_count ? "" : "none",
              !us.gpc_present ? "absent" : us.gpc ? "1" : "0");
}


static inline void
test_dump_gpp(test_dump_t *dump, const martech_gpp_t *gpp)
{
    unsigned              i;
    martech_str_t         text;
    martech_tcf_t         tcf;
    test_ranges_t         ranges;
    martech_tcf_canada_t  canada;

    memset(&ranges, 0, sizeof(ranges));

    test_dump(dump, "ids=");

    for (i = 0; i < gpp->count; i++) {
        test_dump_number(dump, &ranges, gpp->sections[i].id);
    }

    test_dump_number(dump, &ranges, 0);

    for (i = 0; i < gpp->count; i++) {
        text = gpp->sections[i].text;

        if (gpp->sections[i].id == MARTECH_GPP_TCF
            && martech_tcf_read(&tcf, text))
        {
            test_dump(dump, " 2=purposes:");
            test_dump_set(dump, tcf.purposes);
        }

        if (gpp->sections[i].id == MARTECH_GPP_CANADA
            && martech_tcf_canada_read(&canada, text))
        {
            test_dump(dump, " 5=express:");
            test_dump_set(dump, canada.express);
            test_dump(dump, ",implied:");
            test_dump_set(dump, canada.implied);
        }

        test_dump_us(dump, gpp->sections[i].id, text);
    }
}


#endif /* _MARTECH_CONSENT_DUMP_H_INCLUDED_ */
