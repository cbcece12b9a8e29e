
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Private to the files of the dialects: each of them, see martech_dialect.c.
 */


#ifndef _MARTECH_DIALECT_LIST_H_INCLUDED_
#define _MARTECH_DIALECT_LIST_H_INCLUDED_


#include "martech_dialect.h"


extern const martech_dialect_t  martech_dialect_segment;
extern const martech_dialect_t  martech_dialect_rudderstack;
extern const martech_dialect_t  martech_dialect_ga4;
extern const martech_dialect_t  martech_dialect_posthog;
extern const martech_dialect_t  martech_dialect_matomo;
extern const martech_dialect_t  martech_dialect_plausible;
extern const martech_dialect_t  martech_dialect_umami;
extern const martech_dialect_t  martech_dialect_reporting;
extern const martech_dialect_t  martech_dialect_pixel;
extern const martech_dialect_t  martech_dialect_cloudevents;
extern const martech_dialect_t  martech_dialect_snowplow;


#endif /* _MARTECH_DIALECT_LIST_H_INCLUDED_ */
