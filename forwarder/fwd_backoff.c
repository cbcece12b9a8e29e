
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Waits between attempts.
 *
 * Full jitter, not a fixed wait with a little noise: events that failed
 * together must not come back together.
 */


#include "fwd_backoff.h"


uint64_t
fwd_backoff_delay(const fwd_backoff_t *b, uint64_t failed_count,
    uint64_t random)
{
    uint64_t  i, ceiling;

    ceiling = b->base_ms;

    for (i = 1; i < failed_count && ceiling < b->cap_ms; i++) {

        if (b->factor <= 1) {
            break;
        }

        /* an overflow is above any cap */
        ceiling = (ceiling > UINT64_MAX / b->factor)
                  ? b->cap_ms : ceiling * b->factor;
    }

    if (ceiling > b->cap_ms) {
        ceiling = b->cap_ms;
    }

    if (ceiling == 0) {
        ceiling = 1;
    }

    return 1 + random % ceiling;
}


int
fwd_backoff_exhausted(const fwd_backoff_t *b, uint64_t failed_count,
    uint64_t age_ms)
{
    return failed_count >= b->attempts && age_ms >= b->age_ms;
}
