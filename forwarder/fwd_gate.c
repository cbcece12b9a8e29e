
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The gate of a destination: its making, its state, and what is shared.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../martech/martech_shard.h"

#include "fwd_dest.h"
#include "fwd_gate.h"
#include "fwd_shard.h"
#include "fwd_steady.h"
#include "fwd_shared.h"
#include "fwd_watch.h"


/* A probe of refused credentials: 30 s, 60 s, ... 10 min. */
#define FWD_GATE_PROBE_MS       30000
#define FWD_GATE_PROBE_MAX_MS   600000
#define FWD_GATE_UNKNOWN_MS     5000
#define FWD_GATE_PROBE_JITTER   5        /* the part by which loops differ */


static fwd_rc_t fwd_gate_keys(fwd_gate_t *gate);
static void fwd_gate_key(fwd_key_t *key, char **p, const char *tag,
    const char *what, const char *name);
static fwd_gate_state_t fwd_gate_look(const fwd_gate_t *gate);


static const char *const  fwd_gate_names[FWD_GATE_STATES] = {
    [FWD_GATE_CLOSED] = "closed",
    [FWD_GATE_THROTTLED] = "throttled",
    [FWD_GATE_HALF_OPEN] = "half_open",
    [FWD_GATE_OPEN] = "open",
    [FWD_GATE_CREDENTIALS] = "credentials",
    [FWD_GATE_PAUSED] = "paused"
};


const char *
fwd_gate_state_name(fwd_gate_state_t state)
{
    return fwd_gate_names[state];
}


fwd_rc_t
fwd_gate_create(fwd_dest_t *dest)
{
    uint32_t                  max;
    fwd_gate_t               *gate;
    const fwd_policy_conf_t  *policy;

    gate = calloc(1, sizeof(fwd_gate_t));
    if (gate == NULL) {
        return FWD_ERROR;
    }

    dest->gate = gate;
    gate->dest = dest;
    gate->unknown_ms = fwd_core_now_ms(dest->engine->core)
                       + FWD_GATE_UNKNOWN_MS;
    policy = &dest->conf->policy;

    max = (dest->conf->desc->kind == FWD_KIND_FILE)
          ? 1 : (uint32_t) dest->conf->limits.concurrency;

    fwd_list_init(&gate->steps);
    fwd_breaker_init(&gate->breaker, &policy->breaker);
    fwd_aimd_init(&gate->aimd, max);

    /*
     * A new start is a new chance: secrets or settings may have changed.  But
     * not that of a loop in the place of one that died.
     */
    gate->shared.parked_dirty = (dest->engine->stats->beat_ms == 0);

    if (fwd_limit_init(&gate->limit, policy->rates, policy->rates_count)
        != FWD_OK)
    {
        return FWD_ERROR;
    }

    return fwd_gate_keys(gate);
}


static fwd_rc_t
fwd_gate_keys(fwd_gate_t *gate)
{
    char           *p, tag[MARTECH_TAG_LEN_MAX], name[FWD_NAME_MAX + 24];
    size_t          tag_len;
    uint32_t        i, count;
    const char     *dest;
    martech_str_t   prefix;

    dest = gate->dest->conf->name;
    count = gate->limit.rates_count;
    prefix.data = (const unsigned char *) gate->dest->engine->conf->prefix;
    prefix.len = strlen(gate->dest->engine->conf->prefix);

    tag_len = martech_shard_tag(tag, prefix, 0);

    p = malloc((1 + count) * (tag_len + FWD_NAME_MAX + 40));
    gate->limits = calloc(count + 1, sizeof(fwd_key_t));
    gate->names = p;

    if (p == NULL || gate->limits == NULL) {
        return FWD_ERROR;
    }

    fwd_gate_key(&gate->shared.key, &p, tag, "state", dest);

    for (i = 0; i < count; i++) {
        (void) snprintf(name, sizeof(name), "%s:%u", dest, (unsigned) i);
        fwd_gate_key(&gate->limits[i], &p, tag, "limit", name);
    }

    return FWD_OK;
}


static void
fwd_gate_key(fwd_key_t *key, char **p, const char *tag, const char *what,
    const char *name)
{
    key->data = *p;
    key->len = (size_t) sprintf(*p, "%s:%s:%s", tag, what, name);
    *p += key->len + 1;
}


void
fwd_gate_destroy(fwd_dest_t *dest)
{
    if (dest->gate == NULL) {
        return;
    }

    fwd_limit_cleanup(&dest->gate->limit);
    free(dest->gate->limits);
    free(dest->gate->names);
    free(dest->gate);
    dest->gate = NULL;
}


void
fwd_gate_tick(fwd_dest_t *dest)
{
    uint64_t           wait;
    fwd_gate_t        *gate;
    fwd_dest_stats_t  *stats;

    gate = dest->gate;
    stats = dest->stats;
    wait = 0;

    if (gate->parked != FWD_PARKED_STOP
        && fwd_watch_hung(stats, FWD_PROGRAM_MAP|FWD_PROGRAM_WHEN))
    {
        fwd_gate_park(gate, FWD_PARKED_STOP, 0, fwd_wall_ms());
        fwd_shared_parked(gate);
    }

    if (fwd_limit_is_dirty(&gate->limit, fwd_tokens_now_ms())
        && fwd_limit_may_ask(&gate->limit, 1, fwd_tokens_now_ms(), &wait))
    {
        fwd_tokens_ask(gate, 1);
    }

    if (gate->limited_ms != 0) {
        fwd_gate_limited(gate, fwd_gate_wants(dest));
    }

    fwd_gate_update(gate, "");

    stats->breaker = gate->state;
    stats->breaker_opened += gate->breaker.opened - gate->opened_told;
    gate->opened_told = gate->breaker.opened;
    stats->concurrency = fwd_gate_concurrency(gate);
    stats->inflight = dest->inflight_count;
}


uint64_t
fwd_gate_open_since_ms(const fwd_dest_t *dest)
{
    uint64_t           open, parked;
    const fwd_gate_t  *gate;

    gate = dest->gate;
    open = gate->breaker.since_ms;
    parked = gate->parked_ms;

    return (open == 0 || (parked != 0 && parked < open)) ? parked : open;
}


void
fwd_gate_park(fwd_gate_t *gate, fwd_parked_t parked, uint32_t tries,
    uint64_t at)
{
    uint32_t     i;
    uint64_t     now, wait, passed;
    fwd_core_t  *core;

    core = gate->dest->engine->core;
    now = fwd_wall_ms();
    wait = FWD_GATE_PROBE_MS;

    for (i = 0; i < tries && wait < FWD_GATE_PROBE_MAX_MS; i++) {
        wait *= 2;
    }

    if (wait > FWD_GATE_PROBE_MAX_MS) {
        wait = FWD_GATE_PROBE_MAX_MS;
    }

    /* the first loop that probes tells the others, and they wait again */

    wait += fwd_core_random(core) % (wait / FWD_GATE_PROBE_JITTER);

    passed = (now > at) ? now - at : 0;
    wait = (wait > passed) ? wait - passed : 0;

    if (parked == FWD_PARKED_NOT) {
        gate->parked_ms = 0;
        tries = 0;                       /* the next time it starts anew */

        /* its programs get another chance */
        __atomic_store_n(&gate->dest->stats->hung, 0, __ATOMIC_RELEASE);

    } else if (gate->parked_ms == 0) {
        gate->parked_ms = fwd_core_now_ms(core) + 1;
    }

    gate->parked = parked;
    gate->parked_tries = tries;
    gate->parked_at = at;
    gate->probe_ms = fwd_core_now_ms(core) + wait;

    fwd_gate_update(gate, parked == FWD_PARKED_STOP ? "stop"
                          : parked == FWD_PARKED_NOT ? "resumed"
                          : "credentials were refused");
}


void
fwd_gate_hold(fwd_gate_t *gate, uint64_t hold)
{
    uint64_t  now, wait;

    now = fwd_steady_ms();
    wait = (hold > now) ? hold - now : 0;

    /* clocks differ, and a wrong one must not hold us for days */

    if (wait > FWD_RETRY_DAILY_MAX_MS) {
        wait = FWD_RETRY_DAILY_MAX_MS;
    }

    gate->hold_ms = wait ? fwd_core_now_ms(gate->dest->engine->core) + wait
                         : 0;
}


static fwd_gate_state_t
fwd_gate_look(const fwd_gate_t *gate)
{
    uint64_t  now;

    if (gate->paused) {
        return FWD_GATE_PAUSED;
    }

    if (gate->parked != FWD_PARKED_NOT) {
        return FWD_GATE_CREDENTIALS;
    }

    if (gate->breaker.state == FWD_BREAKER_OPEN) {
        return FWD_GATE_OPEN;
    }

    if (gate->breaker.state == FWD_BREAKER_HALF_OPEN) {
        return FWD_GATE_HALF_OPEN;
    }

    now = fwd_core_now_ms(gate->dest->engine->core);

    return (now < gate->hold_ms || now < gate->learned_ms)
           ? FWD_GATE_THROTTLED : FWD_GATE_CLOSED;
}


void
fwd_gate_update(fwd_gate_t *gate, const char *reason)
{
    fwd_gate_state_t  state;

    state = fwd_gate_look(gate);

    if (state == gate->state) {
        return;
    }

    fwd_log(gate->dest->engine->core->log,
            state == FWD_GATE_CLOSED ? FWD_LOG_INFO : FWD_LOG_WARN,
            "destination changed state",
            fwd_kv_text("destination", gate->dest->conf->name),
            fwd_kv_text("from", fwd_gate_names[gate->state]),
            fwd_kv_text("to", fwd_gate_names[state]),
            fwd_kv_text("reason", reason));

    gate->state = state;
    fwd_dest_wake(gate->dest);
}
