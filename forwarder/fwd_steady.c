
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Wall-clock time without steps.
 */


#include <time.h>

#include "fwd_core.h"
#include "fwd_steady.h"


#define FWD_STEADY_PART  4               /* of the time that has passed */


static fwd_steady_t  fwd_steady;


uint64_t
fwd_steady_look(fwd_steady_t *steady, uint64_t wall_ms, uint64_t passed_us)
{
    double  passed, behind, most;

    if (steady->now == 0) {
        steady->now = (double) wall_ms;
        steady->passed_us = passed_us;
        return wall_ms;
    }

    passed = (double) (passed_us - steady->passed_us) / 1000;
    most = passed / FWD_STEADY_PART;

    steady->passed_us = passed_us;
    steady->now += passed;

    behind = (double) wall_ms - steady->now;
    steady->now += behind > most ? most : behind < -most ? -most : behind;

    return (uint64_t) steady->now;
}


/* Time in which the machine sleeps has passed as well. */

uint64_t
fwd_steady_ms(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_BOOTTIME, &ts);

    return fwd_steady_look(&fwd_steady, fwd_wall_ms(),
                           (uint64_t) ts.tv_sec * 1000000
                           + (uint64_t) ts.tv_nsec / 1000);
}
