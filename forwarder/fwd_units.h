
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Numbers with units, as people write them in a configuration.
 */


#ifndef _FWD_UNITS_H_INCLUDED_
#define _FWD_UNITS_H_INCLUDED_


#include "fwd.h"


/* Decimal digits only.  FWD_ERROR if text is anything else or too large. */
fwd_rc_t fwd_units_number(uint64_t *value, const char *text) FWD_MUST_CHECK;

/* A number with ms, s, m, h or d; the unit may be missing only from 0. */
fwd_rc_t fwd_units_time(uint64_t *ms, const char *text) FWD_MUST_CHECK;

/* A percentage with up to two decimals, in hundredths of a percent. */
fwd_rc_t fwd_units_percent(uint64_t *value, const char *text) FWD_MUST_CHECK;

/* A number of bytes, with k, m or g for powers of 1024. */
fwd_rc_t fwd_units_size(uint64_t *bytes, const char *text) FWD_MUST_CHECK;


#endif /* _FWD_UNITS_H_INCLUDED_ */
