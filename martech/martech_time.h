
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Time stamps: RFC 3339 text to and from milliseconds since 1970, UTC.
 * Reads no clock.
 */


#ifndef _MARTECH_TIME_H_INCLUDED_
#define _MARTECH_TIME_H_INCLUDED_


#include "martech.h"


#define MARTECH_TIME_LEN  24        /* "2026-11-20T19:36:00.123Z" */


/*
 * Reads what docs/SPEC.md section 3 calls readable; years 1970 to 9999.
 * Returns MARTECH_OK, or MARTECH_JSON_INVALID with *ms untouched.
 */
martech_rc_t martech_time_parse(const unsigned char *text, size_t len,
    int64_t *ms) MARTECH_MUST_CHECK;

/*
 * Writes exactly MARTECH_TIME_LEN bytes, no zero.  ms is clamped to the
 * years 1970 to 9999.
 */
void martech_time_format(unsigned char *out, int64_t ms);


#endif /* _MARTECH_TIME_H_INCLUDED_ */
