
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The breaker.
 *
 * Two rules open it.  A share of failures serves busy destinations; shares,
 * because absolute numbers open on any destination that is busy enough.  It
 * is that of a sliding window, or all of the last so many: else a window full
 * of what went well before would hide for seconds that nothing goes any more.
 * Failures in a row serve quiet ones, whose window is mostly empty; that
 * number does not decay, or rare deliveries would never reach it.
 */


#include <string.h>

#include "fwd_breaker.h"


#define FWD_BREAKER_JITTER  20           /* percent of a length, both ways */


static void fwd_breaker_set(fwd_breaker_t *b, fwd_breaker_state_t state,
    const char *reason);
static void fwd_breaker_count(fwd_breaker_t *b, uint32_t finished,
    uint32_t failed, uint64_t now_ms);
static void fwd_breaker_failed(fwd_breaker_t *b, uint32_t weight,
    uint64_t now_ms, uint64_t random);
static int fwd_breaker_share(const fwd_breaker_t *b);
static void fwd_breaker_open(fwd_breaker_t *b, const char *reason,
    uint64_t now_ms, uint64_t random);
static void fwd_breaker_probed(fwd_breaker_t *b, uint64_t now_ms);


static const fwd_breaker_conf_t  fwd_breaker_defaults = {
    .percent = 50, .count = 20, .window_ms = 10000,
    .in_a_row = 5, .row_ms = 30000, .open_ms = 5000, .cap_ms = 300000
};


void
fwd_breaker_init(fwd_breaker_t *b, const fwd_breaker_conf_t *conf)
{
    fwd_breaker_conf_t        *c;
    const fwd_breaker_conf_t  *dflt;

    memset(b, 0, sizeof(fwd_breaker_t));

    c = &b->conf;
    dflt = &fwd_breaker_defaults;

    c->percent = conf->percent ? conf->percent : dflt->percent;
    c->count = conf->count ? conf->count : dflt->count;
    c->window_ms = conf->window_ms ? conf->window_ms : dflt->window_ms;
    c->in_a_row = conf->in_a_row ? conf->in_a_row : dflt->in_a_row;
    c->row_ms = conf->row_ms ? conf->row_ms : dflt->row_ms;
    c->open_ms = conf->open_ms ? conf->open_ms : dflt->open_ms;
    c->cap_ms = conf->cap_ms ? conf->cap_ms : dflt->cap_ms;

    if (c->window_ms < FWD_BREAKER_BUCKETS) {
        c->window_ms = FWD_BREAKER_BUCKETS;
    }

    b->reason = "";
}


static void
fwd_breaker_set(fwd_breaker_t *b, fwd_breaker_state_t state,
    const char *reason)
{
    b->state = state;
    b->reason = reason;
    b->turn++;
    b->probing = 0;
    b->successes = 0;
}


int
fwd_breaker_allow(fwd_breaker_t *b, uint64_t now_ms, uint64_t *wait_ms)
{
    if (b->state == FWD_BREAKER_CLOSED) {
        return 1;
    }

    if (b->state == FWD_BREAKER_OPEN) {

        if (now_ms < b->until_ms) {

            if (b->until_ms - now_ms < *wait_ms) {
                *wait_ms = b->until_ms - now_ms;
            }

            return 0;
        }

        fwd_breaker_set(b, FWD_BREAKER_HALF_OPEN, "time for a probe");
    }

    return !b->probing;
}


uint32_t
fwd_breaker_sent(fwd_breaker_t *b)
{
    b->probing = (b->state == FWD_BREAKER_HALF_OPEN);

    return b->turn;
}


void
fwd_breaker_report(fwd_breaker_t *b, uint32_t turn,
    fwd_breaker_result_t result, uint64_t now_ms, uint64_t random)
{
    if (turn != b->turn) {
        return;                          /* it left in another state */
    }

    b->probing = 0;

    switch (result) {

    case FWD_BREAKER_OK:
        fwd_breaker_count(b, 1, 0, now_ms);

        /* fall through */

    case FWD_BREAKER_ALIVE:
        b->row = 0;
        b->row_weight = 0;
        b->success_ms = now_ms;
        fwd_breaker_probed(b, now_ms);
        break;

    case FWD_BREAKER_FAILED:
        fwd_breaker_failed(b, 1, now_ms, random);
        break;

    case FWD_BREAKER_UNREACHABLE:
        fwd_breaker_failed(b, 2, now_ms, random);
        break;

    case FWD_BREAKER_NEUTRAL:
        break;
    }
}


/* Buckets that time has left behind are emptied on the way. */

static void
fwd_breaker_count(fwd_breaker_t *b, uint32_t finished, uint32_t failed,
    uint64_t now_ms)
{
    uint64_t               number;
    fwd_breaker_bucket_t  *bucket;

    number = now_ms / (b->conf.window_ms / FWD_BREAKER_BUCKETS);

    if (number >= b->bucket + FWD_BREAKER_BUCKETS) {
        memset(b->buckets, 0, sizeof(b->buckets));
        b->bucket = number;
    }

    while (b->bucket < number) {
        b->bucket++;
        memset(&b->buckets[b->bucket % FWD_BREAKER_BUCKETS], 0,
               sizeof(fwd_breaker_bucket_t));
    }

    bucket = &b->buckets[number % FWD_BREAKER_BUCKETS];
    bucket->finished += finished;
    bucket->failed += failed;
}


static void
fwd_breaker_failed(fwd_breaker_t *b, uint32_t weight, uint64_t now_ms,
    uint64_t random)
{
    fwd_breaker_count(b, weight, weight, now_ms);
    b->row++;
    b->row_weight += weight;

    if (b->state == FWD_BREAKER_HALF_OPEN) {
        fwd_breaker_open(b, "the probe failed", now_ms, random);
        return;
    }

    if (b->row_weight >= b->conf.count || fwd_breaker_share(b)) {
        fwd_breaker_open(b, "share of failures", now_ms, random);
        return;
    }

    if (b->row >= b->conf.in_a_row
        && (b->success_ms == 0 || now_ms - b->success_ms >= b->conf.row_ms))
    {
        fwd_breaker_open(b, "failures in a row", now_ms, random);
    }
}


static int
fwd_breaker_share(const fwd_breaker_t *b)
{
    size_t    i;
    uint64_t  finished, failed;

    finished = 0;
    failed = 0;

    for (i = 0; i < FWD_BREAKER_BUCKETS; i++) {
        finished += b->buckets[i].finished;
        failed += b->buckets[i].failed;
    }

    return finished >= b->conf.count
           && failed * 100 >= finished * b->conf.percent;
}


/*
 * Lengths double while it opens again soon: one that closed and opens at once
 * goes on where it was.
 */

static void
fwd_breaker_open(fwd_breaker_t *b, const char *reason, uint64_t now_ms,
    uint64_t random)
{
    uint32_t  i;
    uint64_t  length, span;

    if (b->state == FWD_BREAKER_CLOSED) {
        b->since_ms = now_ms ? now_ms : 1;

        if (now_ms - b->closed_ms >= b->length_ms + b->conf.window_ms) {
            b->openings = 0;
        }
    }

    length = b->conf.open_ms;

    for (i = 0; i < b->openings && length < b->conf.cap_ms; i++) {
        length *= 2;
    }

    if (length > b->conf.cap_ms) {
        length = b->conf.cap_ms;
    }

    span = length * FWD_BREAKER_JITTER / 100;

    b->length_ms = length - span + random % (2 * span + 1);
    b->until_ms = now_ms + b->length_ms;
    b->openings++;
    b->opened++;

    fwd_breaker_set(b, FWD_BREAKER_OPEN, reason);
}


static void
fwd_breaker_probed(fwd_breaker_t *b, uint64_t now_ms)
{
    if (b->state != FWD_BREAKER_HALF_OPEN) {
        return;
    }

    if (++b->successes < FWD_BREAKER_SUCCESSES) {
        return;
    }

    /* the failures of before would open it again at the next one */

    memset(b->buckets, 0, sizeof(b->buckets));

    b->since_ms = 0;
    b->closed_ms = now_ms;

    fwd_breaker_set(b, FWD_BREAKER_CLOSED, "probes succeeded");
}
