
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Concurrency.
 *
 * The limit grows by one in a round trip in which all went well, which is
 * 1/limit for each answer, and is lowered once in a round trip at most: the
 * requests that were under way together tell of one and the same trouble.
 */


#include <math.h>
#include <string.h>

#include "fwd_aimd.h"


#define FWD_AIMD_START       2
#define FWD_AIMD_ALPHA       0.4         /* weight of the newest round trip */
#define FWD_AIMD_DEVIATIONS  2.5
#define FWD_AIMD_SAMPLES     10          /* before round trips are judged */
#define FWD_AIMD_FAILED_BY     0.9
#define FWD_AIMD_THROTTLED_BY  0.5

/*
 * A round trip that is longer by less than this is noise of this machine: a
 * vendor that answers in a millisecond is not slow when it takes three.
 */
#define FWD_AIMD_NOISE_US    10000


static int fwd_aimd_slow(const fwd_aimd_t *a, uint64_t round_trip_us);
static void fwd_aimd_sample(fwd_aimd_t *a, uint64_t round_trip_us);
static void fwd_aimd_reduce(fwd_aimd_t *a, double by, uint64_t now_us);


void
fwd_aimd_init(fwd_aimd_t *a, uint32_t max)
{
    memset(a, 0, sizeof(fwd_aimd_t));

    a->max = max ? max : 1;
    a->limit = (a->max < FWD_AIMD_START) ? a->max : FWD_AIMD_START;
}


void
fwd_aimd_restart(fwd_aimd_t *a)
{
    a->limit = 1;
    a->samples = 0;
}


uint32_t
fwd_aimd_allowed(const fwd_aimd_t *a)
{
    return (uint32_t) a->limit;
}


void
fwd_aimd_report(fwd_aimd_t *a, fwd_aimd_result_t result,
    uint64_t round_trip_us, uint32_t inflight, uint64_t now_us)
{
    int  slow;

    switch (result) {

    case FWD_AIMD_OK:
        slow = fwd_aimd_slow(a, round_trip_us);
        fwd_aimd_sample(a, round_trip_us);

        if (slow) {
            fwd_aimd_reduce(a, FWD_AIMD_FAILED_BY, now_us);

        } else if (inflight >= fwd_aimd_allowed(a)) {

            /* what was not used does not show that more would do */

            a->limit += 1 / a->limit;
        }

        break;

    case FWD_AIMD_FAILED:
        fwd_aimd_reduce(a, FWD_AIMD_FAILED_BY, now_us);
        break;

    case FWD_AIMD_THROTTLED:
        fwd_aimd_reduce(a, FWD_AIMD_THROTTLED_BY, now_us);
        break;

    case FWD_AIMD_NEUTRAL:
        break;
    }

    if (a->limit > a->max) {
        a->limit = a->max;
    }

    if (a->limit < 1) {
        a->limit = 1;
    }
}


static int
fwd_aimd_slow(const fwd_aimd_t *a, uint64_t round_trip_us)
{
    double  more;

    if (a->samples < FWD_AIMD_SAMPLES) {
        return 0;
    }

    more = FWD_AIMD_DEVIATIONS * a->deviation_us;

    if (more < FWD_AIMD_NOISE_US) {
        more = FWD_AIMD_NOISE_US;
    }

    return (double) round_trip_us > a->mean_us + more;
}


static void
fwd_aimd_sample(fwd_aimd_t *a, uint64_t round_trip_us)
{
    double  difference;

    if (a->samples == 0) {
        a->mean_us = (double) round_trip_us;
        a->deviation_us = 0;

        if (a->least_us == 0) {
            a->least_us = round_trip_us;
        }
    }

    if (a->samples < FWD_AIMD_SAMPLES) {
        a->samples++;
    }

    difference = (double) round_trip_us - a->mean_us;

    a->mean_us += FWD_AIMD_ALPHA * difference;
    a->deviation_us += FWD_AIMD_ALPHA
                       * (fabs(difference) - a->deviation_us);

    /* forgets slowly, as ways change */

    a->least_us += a->least_us / 1024 + 1;

    if (round_trip_us < a->least_us) {
        a->least_us = round_trip_us;
    }
}


static void
fwd_aimd_reduce(fwd_aimd_t *a, double by, uint64_t now_us)
{
    if (a->reduced_us != 0
        && (double) (now_us - a->reduced_us) < a->mean_us)
    {
        return;
    }

    a->reduced_us = now_us;
    a->limit *= by;
}
