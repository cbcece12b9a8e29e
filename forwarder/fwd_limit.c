
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tokens at hand.
 *
 * There is one lease at a time: the next call gives back what is left of the
 * last one, in the slot where it is booked, which is right at any time
 * because what is given back was not sent.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_limit.h"


#define FWD_LIMIT_WINDOW_MS      10000   /* of the factor without rates */

/* 0.5 % of the shortest window; what it costs is lost for the limit. */
#define FWD_LIMIT_LEASE_PART     200
#define FWD_LIMIT_LEASE_MIN_MS   5
#define FWD_LIMIT_LEASE_MAX_MS   100
#define FWD_LIMIT_LEASE_LONG_MS  60      /* enough at the full rate of calls */
#define FWD_LIMIT_TRIP_MAX_MS    1000
#define FWD_LIMIT_MARGIN_PART    400
#define FWD_LIMIT_MARGIN_MIN_MS  5
#define FWD_LIMIT_MARGIN_MAX_MS  25
#define FWD_LIMIT_WIDTH_PART     500     /* slots of a window */

/* One loop must not empty the bucket while others wait for their part. */
#define FWD_LIMIT_CHUNKS         8

#define FWD_ADAPT_SHARE          0.1     /* less is noise */
#define FWD_ADAPT_CUT            0.3
#define FWD_ADAPT_GROW           0.1
#define FWD_ADAPT_MIN            0.01


static uint64_t fwd_limit_units(const fwd_limit_t *l,
    const fwd_limit_ticket_t *ticket, uint32_t rate);
static uint64_t fwd_limit_clamp(uint64_t n, uint64_t min, uint64_t max);
static void fwd_limit_move(fwd_rate_t *rate, uint64_t slot, int64_t count);
static void fwd_limit_earn(fwd_limit_t *l, uint64_t now_ms);


fwd_rc_t
fwd_limit_init(fwd_limit_t *l, const fwd_rate_conf_t *rates, size_t count)
{
    size_t       i;
    uint64_t     shortest, longest;
    fwd_rate_t  *rate;

    memset(l, 0, sizeof(fwd_limit_t));

    shortest = count ? UINT64_MAX : FWD_LIMIT_WINDOW_MS;
    longest = count ? 0 : FWD_LIMIT_WINDOW_MS;

    if (count != 0) {
        l->rates = calloc(count, sizeof(fwd_rate_t));
        if (l->rates == NULL) {
            return FWD_ERROR;
        }
    }

    for (i = 0; i < count; i++) {
        rate = &l->rates[i];
        rate->conf = rates[i];
        rate->width_ms = rates[i].window_ms / FWD_LIMIT_WIDTH_PART;

        if (rate->width_ms == 0) {
            rate->width_ms = 1;
        }

        if (rates[i].window_ms < shortest) {
            shortest = rates[i].window_ms;
        }

        if (rates[i].window_ms > longest) {
            longest = rates[i].window_ms;
        }
    }

    l->rates_count = (uint32_t) count;
    l->lease_ms = fwd_limit_clamp(shortest / FWD_LIMIT_LEASE_PART,
                                  FWD_LIMIT_LEASE_MIN_MS,
                                  FWD_LIMIT_LEASE_MAX_MS);
    l->margin_ms = fwd_limit_clamp(shortest / FWD_LIMIT_MARGIN_PART,
                                   FWD_LIMIT_MARGIN_MIN_MS,
                                   FWD_LIMIT_MARGIN_MAX_MS);
    l->credit = FWD_LIMIT_CALLS;

    fwd_adapt_init(&l->adapt, longest);

    return FWD_OK;
}


void
fwd_limit_cleanup(fwd_limit_t *l)
{
    free(l->rates);
    l->rates = NULL;
    l->rates_count = 0;
}


static uint64_t
fwd_limit_clamp(uint64_t n, uint64_t min, uint64_t max)
{
    if (n < min) {
        return min;
    }

    return n > max ? max : n;
}


uint32_t
fwd_limit_room(const fwd_limit_t *l, uint64_t now_ms)
{
    uint32_t           i;
    uint64_t           room;
    const fwd_rate_t  *rate;

    room = UINT32_MAX;

    for (i = 0; i < l->rates_count; i++) {
        rate = &l->rates[i];

        if (rate->conf.endpoint != NULL) {
            continue;                    /* known with the calls of a batch */
        }

        if (rate->have == 0 || rate->have < rate->need
            || now_ms > l->until_ms)
        {
            return 0;
        }

        if (rate->conf.unit == FWD_RATE_EVENTS && rate->have < room) {
            room = rate->have;
        }
    }

    return (uint32_t) room;
}


static uint64_t
fwd_limit_units(const fwd_limit_t *l, const fwd_limit_ticket_t *ticket,
    uint32_t rate)
{
    return l->rates[rate].conf.endpoint != NULL
           ? ticket->own[rate] : ticket->units[l->rates[rate].conf.unit];
}


fwd_rc_t
fwd_limit_take(fwd_limit_t *l, fwd_limit_ticket_t *ticket, uint64_t now_ms)
{
    uint32_t     i, lacking;
    fwd_rate_t  *rate;

    lacking = (l->rates_count != 0 && now_ms > l->until_ms);

    for (i = 0; i < l->rates_count; i++) {
        rate = &l->rates[i];
        lacking += (rate->have < fwd_limit_units(l, ticket, i));
    }

    for (i = 0; i < l->rates_count; i++) {
        rate = &l->rates[i];

        if (lacking) {
            rate->need = fwd_limit_units(l, ticket, i);

        } else {
            rate->need = 0;
            rate->have -= fwd_limit_units(l, ticket, i);
        }
    }

    if (lacking) {
        return FWD_AGAIN;
    }

    ticket->sent_ms = l->sent_ms;
    ticket->redis_ms = l->redis_ms;
    ticket->hold_ms = l->hold_ms;

    return FWD_OK;
}


/* Calls are limited like anything else, with a little saved up for bursts. */

static void
fwd_limit_earn(fwd_limit_t *l, uint64_t now_ms)
{
    l->credit += (double) (now_ms - l->credit_ms) * FWD_LIMIT_CALLS / 1000;
    l->credit_ms = now_ms;

    if (l->credit > FWD_LIMIT_CALLS) {
        l->credit = FWD_LIMIT_CALLS;
    }
}


int
fwd_limit_may_ask(fwd_limit_t *l, int correction, uint64_t now_ms,
    uint64_t *wait_ms)
{
    uint64_t  wait;

    if (l->asking) {
        return 0;                        /* the answer wakes us */
    }

    fwd_limit_earn(l, now_ms);

    wait = 0;

    if (l->credit < 1) {
        wait = 1 + (uint64_t) ((1 - l->credit) * 1000 / FWD_LIMIT_CALLS);
    }

    if (!correction && l->again_ms > now_ms && l->again_ms - now_ms > wait) {
        wait = l->again_ms - now_ms;
    }

    if (wait != 0 && wait < *wait_ms) {
        *wait_ms = wait;
    }

    return wait == 0;
}


int
fwd_limit_is_dirty(const fwd_limit_t *l, uint64_t now_ms)
{
    uint32_t  i;

    for (i = 0; i < l->rates_count; i++) {
        if (l->rates[i].moves_count != 0
            || (l->rates[i].have != 0 && now_ms > l->until_ms))
        {
            return 1;
        }
    }

    return 0;
}


void
fwd_limit_ask(fwd_limit_t *l, int correction, uint64_t now_ms)
{
    uint32_t     i;
    uint64_t     lease;
    fwd_rate_t  *rate;

    for (i = 0; i < l->rates_count; i++) {
        rate = &l->rates[i];

        if (rate->have != 0) {
            fwd_limit_move(rate, rate->slot, -(int64_t) rate->have);
            rate->have = 0;
        }
    }

    lease = l->lease_ms;

    /* short leases need many calls: where they get scarce, longer ones */

    if (l->credit < FWD_LIMIT_CALLS / 2.0 && lease < FWD_LIMIT_LEASE_LONG_MS)
    {
        lease = FWD_LIMIT_LEASE_LONG_MS;
    }

    l->asked_ms = now_ms;
    l->asked_lease_ms = lease + 2 * fwd_limit_clamp(l->trip_ms, 0,
                                                    FWD_LIMIT_TRIP_MAX_MS);
    l->asking = 1;
    l->correcting = (correction != 0);
    l->credit -= 1;
}


void
fwd_limit_asked(fwd_limit_t *l)
{
    uint32_t  i;

    for (i = 0; i < l->rates_count; i++) {
        l->rates[i].moves_count = 0;
    }
}


uint64_t
fwd_limit_count(const fwd_limit_t *l, const fwd_rate_t *rate)
{
    uint64_t  count;

    count = (uint64_t) ((double) rate->conf.count * l->adapt.factor);

    return count ? count : 1;
}


uint64_t
fwd_limit_min(const fwd_rate_t *rate)
{
    return rate->need ? rate->need : 1;
}


uint64_t
fwd_limit_want(const fwd_limit_t *l, const fwd_rate_t *rate, uint64_t usable)
{
    uint64_t  want;

    want = fwd_limit_count(l, rate) / FWD_LIMIT_CHUNKS;

    if (want > usable) {
        want = usable;
    }

    return want > fwd_limit_min(rate) ? want : fwd_limit_min(rate);
}


void
fwd_limit_answer(fwd_limit_t *l, const uint64_t *granted, uint64_t redis_ms,
    uint64_t wait_ms, uint64_t now_ms)
{
    uint32_t     i;
    fwd_rate_t  *rate;

    l->asking = 0;
    l->trip_ms = now_ms - l->asked_ms;

    if (l->correcting) {
        return;
    }

    l->again_ms = now_ms + wait_ms;

    if (granted == NULL) {
        return;
    }

    l->sent_ms = l->asked_ms;
    l->redis_ms = redis_ms;
    l->hold_ms = l->asked_lease_ms + l->margin_ms;
    l->until_ms = l->asked_ms + l->asked_lease_ms;

    for (i = 0; i < l->rates_count; i++) {
        rate = &l->rates[i];
        rate->have = granted[i];
        rate->slot = fwd_limit_slot(rate, redis_ms + l->hold_ms);
    }
}


void
fwd_limit_failed(fwd_limit_t *l, uint64_t wait_ms, uint64_t now_ms)
{
    l->asking = 0;
    l->again_ms = now_ms + wait_ms;
}


/*
 * Redis has answered after sent_ms, so its time now is redis_ms and what has
 * passed since, at most.
 */

void
fwd_limit_arrived(fwd_limit_t *l, const fwd_limit_ticket_t *ticket,
    uint64_t arrived_ms)
{
    int64_t      count;
    uint32_t     i;
    uint64_t     booked, at;
    fwd_rate_t  *rate;

    if (ticket->redis_ms == 0 || arrived_ms <= ticket->sent_ms) {
        return;
    }

    at = ticket->redis_ms + (arrived_ms - ticket->sent_ms);

    for (i = 0; i < l->rates_count; i++) {
        rate = &l->rates[i];
        booked = fwd_limit_slot(rate, ticket->redis_ms + ticket->hold_ms);

        if (at <= booked) {
            continue;
        }

        count = (int64_t) fwd_limit_units(l, ticket, i);

        fwd_limit_move(rate, booked, -count);
        fwd_limit_move(rate, fwd_limit_slot(rate, at), count);
    }
}


/* Where there is no room, more stays booked than is needed, never less. */

static void
fwd_limit_move(fwd_rate_t *rate, uint64_t slot, int64_t count)
{
    uint32_t           i;
    fwd_limit_move_t  *move, *last;

    last = NULL;

    for (i = 0; i < rate->moves_count; i++) {
        move = &rate->moves[i];

        if (move->slot == slot) {
            move->count += count;
            return;
        }

        if (last == NULL || move->slot > last->slot) {
            last = move;
        }
    }

    if (rate->moves_count < FWD_LIMIT_MOVES_MAX) {
        rate->moves[rate->moves_count].slot = slot;
        rate->moves[rate->moves_count].count = count;
        rate->moves_count++;
        return;
    }

    if (count > 0) {
        last->slot = slot > last->slot ? slot : last->slot;
        last->count = (last->count > 0 ? last->count : 0) + count;
    }
}


uint64_t
fwd_limit_slot(const fwd_rate_t *rate, uint64_t redis_ms)
{
    return (redis_ms + rate->width_ms - 1) / rate->width_ms * rate->width_ms;
}


void
fwd_adapt_init(fwd_adapt_t *a, uint64_t window_ms)
{
    memset(a, 0, sizeof(fwd_adapt_t));

    a->factor = 1;
    a->window_ms = window_ms;
}


int
fwd_adapt_report(fwd_adapt_t *a, int throttled, uint64_t now_ms)
{
    double  share, factor;

    a->finished++;
    a->throttled += (throttled != 0);

    if (a->until_ms == 0) {
        a->until_ms = now_ms + a->window_ms;
    }

    if (now_ms < a->until_ms) {
        return 0;
    }

    share = (double) a->throttled / a->finished;
    factor = a->factor;

    a->until_ms = now_ms + a->window_ms;
    a->clean = (a->throttled == 0) ? a->clean + 1 : 0;
    a->finished = 0;
    a->throttled = 0;

    if (a->rest) {
        a->rest = 0;

    } else if (share > FWD_ADAPT_SHARE) {
        a->factor -= FWD_ADAPT_CUT * share;
        a->rest = 1;

    } else if (a->clean >= 2) {
        a->factor += FWD_ADAPT_GROW;
        a->clean = 0;
    }

    a->factor = (a->factor < FWD_ADAPT_MIN) ? FWD_ADAPT_MIN : a->factor;
    a->factor = (a->factor > 1) ? 1 : a->factor;

    return a->factor != factor;
}
