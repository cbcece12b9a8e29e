
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * W3C Trace Context, as far as an event carries it on.
 */


#include <string.h>

#include "martech_event.h"


#define MARTECH_TRACEPARENT_LEN  55      /* of version 00 */

#define MARTECH_TRACE_ID         3       /* offsets and lengths, hex digits */
#define MARTECH_TRACE_ID_LEN     32
#define MARTECH_PARENT_ID        36
#define MARTECH_PARENT_ID_LEN    16
#define MARTECH_TRACE_FLAGS      53


static int martech_trace_hex(const unsigned char *p, size_t len, int zeros);


martech_str_t
martech_traceparent(martech_str_t value)
{
    martech_str_t         none;
    const unsigned char  *p;

    none.data = NULL;
    none.len = 0;

    p = value.data;

    if (value.len != MARTECH_TRACEPARENT_LEN || memcmp(p, "00-", 3) != 0
        || p[MARTECH_PARENT_ID - 1] != '-'
        || p[MARTECH_TRACE_FLAGS - 1] != '-'
        || !martech_trace_hex(p + MARTECH_TRACE_ID, MARTECH_TRACE_ID_LEN, 0)
        || !martech_trace_hex(p + MARTECH_PARENT_ID, MARTECH_PARENT_ID_LEN, 0)
        || !martech_trace_hex(p + MARTECH_TRACE_FLAGS, 2, 1))
    {
        return none;
    }

    return value;
}


/* 1 if there are lower-case hex digits only, and not, or also, all zeros. */

static int
martech_trace_hex(const unsigned char *p, size_t len, int zeros)
{
    size_t  i;

    for (i = 0; i < len; i++) {

        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f'))) {
            return 0;
        }

        zeros |= (p[i] != '0');
    }

    return zeros;
}
