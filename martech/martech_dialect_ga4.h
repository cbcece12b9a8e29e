
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Private to the files of the GA4 dialect.
 */


#ifndef _MARTECH_DIALECT_GA4_H_INCLUDED_
#define _MARTECH_DIALECT_GA4_H_INCLUDED_


#include "martech_dialect_flat.h"


/* martech_dialect_ga4_hit.c: hits of a page, in query and body. */
martech_rc_t martech_ga4_collect(martech_translation_t *t);

/* martech_dialect_ga4_server.c: JSON of a server or an app. */
martech_rc_t martech_ga4_server(martech_translation_t *t);

/*
 * martech_dialect_ga4_item.c: writes a member "products" of the others of an
 * event that are named pr1 to pr999.
 */
void martech_ga4_products(martech_translation_t *t,
    const martech_flat_t *flat);

/* 1 for "pr1" to "pr999". */
int martech_ga4_is_product(martech_str_t name);

/* Writes "type", and "event" unless a name is that of a page or a screen;
   returns which of the two it is. */
enum {
    MARTECH_GA4_TRACK = 0,
    MARTECH_GA4_PAGE,
    MARTECH_GA4_SCREEN
};

int martech_ga4_name(martech_translation_t *t, martech_str_t name);


#endif /* _MARTECH_DIALECT_GA4_H_INCLUDED_ */
