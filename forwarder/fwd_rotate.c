
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Names and turns of event files; hours and days are those of UTC.
 */


#include <stdio.h>
#include <string.h>

#include "../martech/martech_time.h"

#include "fwd_rotate.h"


#define FWD_ROTATE_HOUR_MS  (3600ULL * 1000)
#define FWD_ROTATE_DAY_MS   (24 * FWD_ROTATE_HOUR_MS)


void
fwd_rotate_name(char out[FWD_ROTATE_NAME_LEN], uint64_t now_ms)
{
    unsigned char  t[MARTECH_TIME_LEN];

    /* 2026-11-20T19:36:00.123Z */
    martech_time_format(t, (int64_t) now_ms);

    (void) snprintf(out, FWD_ROTATE_NAME_LEN,
                    "events-%.4s%.2s%.2sT%.2s%.2s%.2s.%.3sZ.ndjson",
                    t, t + 5, t + 8, t + 11, t + 14, t + 17, t + 20);
}


fwd_rc_t
fwd_rotate_parse(uint64_t *ms, const char *name)
{
    char     text[MARTECH_TIME_LEN + 1], again[FWD_ROTATE_NAME_LEN];
    int64_t  value;

    if (strlen(name) != FWD_ROTATE_NAME_LEN - 1) {
        return FWD_ERROR;
    }

    (void) snprintf(text, sizeof(text), "%.4s-%.2s-%.2sT%.2s:%.2s:%.6sZ",
                    name + 7, name + 11, name + 13, name + 16, name + 18,
                    name + 20);

    if (martech_time_parse((unsigned char *) text, MARTECH_TIME_LEN, &value)
        != MARTECH_OK)
    {
        return FWD_ERROR;
    }

    /* exactly the name that this time gives */

    fwd_rotate_name(again, (uint64_t) value);

    if (strcmp(again, name) != 0) {
        return FWD_ERROR;
    }

    *ms = (uint64_t) value;

    return FWD_OK;
}


int
fwd_rotate_due(uint64_t opened_ms, uint64_t size, uint64_t now_ms,
    uint64_t rotate_bytes, fwd_rotate_t every)
{
    uint64_t  period;

    if (size >= rotate_bytes) {
        return 1;
    }

    if (every == FWD_ROTATE_NEVER) {
        return 0;
    }

    period = (every == FWD_ROTATE_DAY) ? FWD_ROTATE_DAY_MS
                                       : FWD_ROTATE_HOUR_MS;

    /* a clock that was set back is no reason for a new file */

    return now_ms / period > opened_ms / period;
}
