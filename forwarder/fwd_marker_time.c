
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Markers of times and numbers.
 */


#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../martech/martech_time.h"

#include "fwd_marker.h"


#define FWD_MARKER_YEAR_9999_S  253402300799.0
#define FWD_MARKER_DAY_MS       (24 * 3600 * 1000LL)
#define FWD_MARKER_DIGITS_MAX   64


fwd_rc_t
fwd_marker_time(jv value, int64_t *us)
{
    double   seconds;
    int64_t  ms;

    if (jv_get_kind(value) == JV_KIND_NUMBER) {
        seconds = jv_number_value(value);

        /* not a number fails both */

        if (!(seconds >= 0 && seconds <= FWD_MARKER_YEAR_9999_S)) {
            return FWD_NONE;
        }

        *us = (int64_t) llround(seconds * 1e6);
        return FWD_OK;
    }

    if (jv_get_kind(value) != JV_KIND_STRING
        || martech_time_parse((const unsigned char *) jv_string_value(value),
                              (size_t) jv_string_length_bytes(jv_copy(value)),
                              &ms)
           != MARTECH_OK)
    {
        return FWD_NONE;
    }

    *us = ms * 1000;

    return FWD_OK;
}


fwd_rc_t
fwd_marker_time_as(int64_t us, const char *as, jv *out, fwd_error_t *err)
{
    char     text[MARTECH_TIME_LEN];
    int64_t  ms;

    ms = us / 1000;

    if (strcmp(as, "s") == 0) {
        *out = jv_number((double) (us / 1000000));
        return FWD_OK;
    }

    if (strcmp(as, "ms") == 0) {
        *out = jv_number((double) ms);
        return FWD_OK;
    }

    if (strcmp(as, "us") == 0) {
        *out = jv_number((double) us);
        return FWD_OK;
    }

    if (strcmp(as, "day_ms") == 0) {
        *out = jv_number((double) (ms - ms % FWD_MARKER_DAY_MS));
        return FWD_OK;
    }

    /* "2026-11-20T19:36:00.123Z" and parts of it */

    martech_time_format((unsigned char *) text, ms);

    if (strcmp(as, "iso") == 0) {
        *out = jv_string_sized(text, MARTECH_TIME_LEN);
        return FWD_OK;
    }

    if (strcmp(as, "iso_s") == 0) {
        text[19] = 'Z';
        *out = jv_string_sized(text, 20);
        return FWD_OK;
    }

    text[10] = ' ';

    if (strcmp(as, "sql") == 0) {
        *out = jv_string_sized(text, 19);
        return FWD_OK;
    }

    if (strcmp(as, "sql_ms") == 0) {
        *out = jv_string_sized(text, 23);
        return FWD_OK;
    }

    return fwd_error(err, "the map gave a marker \"@time\" with an unknown "
                     "\"as\"");
}


/*
 * Of "." and "," the last one is the point, if it stands once; a single ","
 * with three digits behind it separates thousands.
 */

static const unsigned char *
fwd_marker_point(const unsigned char *p, const unsigned char *end)
{
    size_t                 dots, commas;
    const unsigned char   *dot, *comma;

    dots = 0;
    commas = 0;
    dot = NULL;
    comma = NULL;

    for ( /* void */ ; p < end; p++) {

        if (*p == '.') {
            dots++;
            dot = p;

        } else if (*p == ',') {
            commas++;
            comma = p;
        }
    }

    if (dots != 0 && commas != 0) {

        if (dot > comma) {
            return dots == 1 ? dot : NULL;
        }

        return commas == 1 ? comma : NULL;
    }

    if (dots == 1) {
        return dot;
    }

    if (commas != 1) {
        return NULL;
    }

    for (p = comma + 1; p < end && *p >= '0' && *p <= '9'; p++) {
        /* void */
    }

    return p - comma == 4 ? NULL : comma;
}


fwd_rc_t
fwd_marker_number(const unsigned char *text, size_t len, double *number)
{
    char                   digits[FWD_MARKER_DIGITS_MAX + 1], *last;
    size_t                 n, letters;
    const unsigned char   *p, *end, *point;

    end = text + len;
    point = fwd_marker_point(text, end);
    n = 0;
    letters = 0;

    for (p = text; p < end; p++) {

        if (n == FWD_MARKER_DIGITS_MAX) {
            return FWD_NONE;
        }

        if ((*p >= '0' && *p <= '9')
            || (*p == '-' && n == 0)
            || ((*p == 'e' || *p == 'E') && n != 0 && p + 1 < end
                && ((p[1] >= '0' && p[1] <= '9') || p[1] == '-'
                    || p[1] == '+')))
        {
            digits[n++] = (char) *p;

            if ((*p == 'e' || *p == 'E') && (p[1] == '-' || p[1] == '+')) {
                digits[n++] = (char) *++p;
            }

        } else if (p == point) {
            digits[n++] = '.';

        } else if (*p == '.' || *p == ',' || *p == ' ' || *p == '\''
                   || *p == '+' || *p >= 0x80 || *p == '$' || *p == '\t')
        {
            continue;                    /* separators, signs of currencies */

        } else if (*p >= 'A' && *p <= 'Z' && ++letters <= 3) {
            continue;                    /* codes of currencies */

        } else {
            return FWD_NONE;
        }
    }

    digits[n] = '\0';

    if (strpbrk(digits, "0123456789") == NULL) {
        return FWD_NONE;
    }

    *number = strtod(digits, &last);

    return *last == '\0' && isfinite(*number) ? FWD_OK : FWD_NONE;
}
