
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Numbers with units: "10s", "500ms", "64m".
 */


#include <string.h>

#include "fwd_units.h"


typedef struct {
    const char           *name;
    uint64_t              factor;
} fwd_unit_t;


static fwd_rc_t fwd_units_parse(uint64_t *value, const char *text,
    const fwd_unit_t *units);


static const fwd_unit_t  fwd_units_none[] = {
    { "", 1 },
    { NULL, 0 }
};

static const fwd_unit_t  fwd_units_times[] = {
    { "ms", 1 },
    { "s", 1000 },
    { "m", 60 * 1000 },
    { "h", 3600 * 1000 },
    { "d", 24 * 3600 * 1000 },
    { NULL, 0 }
};

static const fwd_unit_t  fwd_units_sizes[] = {
    { "", 1 },
    { "k", 1024 },
    { "m", 1024 * 1024 },
    { "g", 1024 * 1024 * 1024 },
    { NULL, 0 }
};


fwd_rc_t
fwd_units_number(uint64_t *value, const char *text)
{
    return fwd_units_parse(value, text, fwd_units_none);
}


fwd_rc_t
fwd_units_time(uint64_t *ms, const char *text)
{
    if (strcmp(text, "0") == 0) {
        *ms = 0;
        return FWD_OK;
    }

    return fwd_units_parse(ms, text, fwd_units_times);
}


fwd_rc_t
fwd_units_size(uint64_t *bytes, const char *text)
{
    return fwd_units_parse(bytes, text, fwd_units_sizes);
}


fwd_rc_t
fwd_units_percent(uint64_t *value, const char *text)
{
    size_t       len;
    uint64_t     n, factor;
    const char  *p;

    len = strspn(text, "0123456789");

    /* longer ones are out of any range */

    if (len == 0 || len > 9) {
        return FWD_ERROR;
    }

    n = 0;
    factor = 100;

    for (p = text; *p >= '0' && *p <= '9'; p++) {
        n = n * 10 + (uint64_t) (*p - '0');
    }

    if (*p == '.' && p[1] != '\0') {
        for (p++; *p >= '0' && *p <= '9' && factor > 1; p++) {
            n = n * 10 + (uint64_t) (*p - '0');
            factor /= 10;
        }
    }

    if (*p != '\0') {
        return FWD_ERROR;
    }

    *value = n * factor;

    return FWD_OK;
}


static fwd_rc_t
fwd_units_parse(uint64_t *value, const char *text, const fwd_unit_t *units)
{
    uint64_t           n;
    const char        *p;
    const fwd_unit_t  *unit;

    n = 0;

    for (p = text; *p >= '0' && *p <= '9'; p++) {

        if (n > (UINT64_MAX - 9) / 10) {
            return FWD_ERROR;
        }

        n = n * 10 + (uint64_t) (*p - '0');
    }

    if (p == text) {
        return FWD_ERROR;
    }

    for (unit = units; unit->name != NULL; unit++) {

        if (strcmp(p, unit->name) != 0) {
            continue;
        }

        if (n > UINT64_MAX / unit->factor) {
            return FWD_ERROR;
        }

        *value = n * unit->factor;

        return FWD_OK;
    }

    return FWD_ERROR;
}
