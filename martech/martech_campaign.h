
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Campaigns: what the address of a page says of the link that led to it
 * (utm_source=... and the ids of clicks), as members of context.campaign, and
 * as the value of a cookie that keeps it.
 */


#ifndef _MARTECH_CAMPAIGN_H_INCLUDED_
#define _MARTECH_CAMPAIGN_H_INCLUDED_


#include "martech.h"
#include "martech_event.h"
#include "martech_privacy.h"


#define MARTECH_CAMPAIGN_PARAMS      24
#define MARTECH_CAMPAIGN_VALUE_MAX   512     /* bytes of a value, decoded; one
                                                that is longer is left out */
#define MARTECH_CAMPAIGN_NAME_MAX    64
#define MARTECH_CAMPAIGN_SIZE        2048    /* of names and values */
#define MARTECH_CAMPAIGN_PAIRS       256     /* of a query looked at */
#define MARTECH_CAMPAIGN_URL_MAX     8192    /* of an URL with escapes */
#define MARTECH_CAMPAIGN_COOKIE_MAX  3072    /* with its name and attributes
                                                it must stay below 4096 */

/* What _write() may need: each byte six in an escape, quotes, commas. */
#define MARTECH_CAMPAIGN_TEXT_MAX                                             \
    (6 * MARTECH_CAMPAIGN_SIZE + (MARTECH_CAMPAIGN_PARAMS + 1) * 96)


typedef struct {
    martech_str_t  param;                /* its name in a query */
    martech_str_t  name;                 /* its member, needs no escape */
    martech_str_t  value;                /* decoded; in buf */
} martech_campaign_entry_t;


typedef struct {
    martech_campaign_entry_t  list[MARTECH_CAMPAIGN_PARAMS];
    unsigned                  count;
    unsigned                  clicks:1;  /* ids of clicks, too */
    unsigned                  stored:1;  /* they were kept; the caller's */
    size_t                    used;
    unsigned char             buf[MARTECH_CAMPAIGN_SIZE];
} martech_campaign_t;


/* Empty; clicks: 1 to read the ids of clicks, too. */
void martech_campaign_init(martech_campaign_t *c, int clicks);

/*
 * Adds what a query string (with or without "?") has; the first of a name
 * counts.  Parameters that the rules of privacy scrub from a URL are left out;
 * privacy may be NULL.  Returns the number of entries.
 */
unsigned martech_campaign_query(martech_campaign_t *c, martech_str_t query,
    const martech_privacy_t *privacy);

/*
 * The same from the first that has any: context.page.url, context.page.search,
 * properties.url of a checked event.
 */
unsigned martech_campaign_event(martech_campaign_t *c,
    const martech_event_t *ev, const martech_privacy_t *privacy);

/* 1 if the sender has filled in context.campaign itself. */
int martech_campaign_given(const martech_event_t *ev);

/*
 * The members that the event's own context.campaign lacks, as JSON text
 * without braces, and "stored":true if they are; out has
 * MARTECH_CAMPAIGN_TEXT_MAX bytes.  Returns the length.
 */
size_t martech_campaign_write(const martech_campaign_t *c,
    const martech_event_t *ev, unsigned char *out);

/*
 * Puts such members into the event: into the sender's object, by an edit, or
 * as ev->context_extra.  A context.campaign that is no object stays as it is.
 */
void martech_campaign_put(martech_event_t *ev, martech_edits_t *edits,
    martech_str_t members);

/*
 * The value of a cookie, a query string of the same parameters; what does not
 * fit into MARTECH_CAMPAIGN_COOKIE_MAX bytes is left out.  Returns the length.
 */
size_t martech_campaign_cookie(const martech_campaign_t *c,
    unsigned char *out);


#endif /* _MARTECH_CAMPAIGN_H_INCLUDED_ */
