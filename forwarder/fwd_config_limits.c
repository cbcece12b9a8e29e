
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What only several values together can tell, of one destination and of
 * destinations that name each other.
 *
 * Of two values that contradict each other a default gives way to what is
 * written in the file; two values of the file are an error.
 */


#include <string.h>

#include "fwd_config_private.h"


/* A pair of which the first may not be above the second. */
typedef struct {
    const char           *low_name;
    uint64_t             *low;
    const char           *high_name;
    uint64_t             *high;
} fwd_config_pair_t;


static void fwd_config_pair(fwd_yaml_t *y, const char *path,
    const fwd_config_pair_t *pair);
static void fwd_config_rates(fwd_yaml_t *y, const char *path,
    fwd_dest_conf_t *dest);
static void fwd_config_modes_check(fwd_yaml_t *y, const char *path,
    const fwd_dest_conf_t *dest);
static void fwd_config_unlikely(fwd_yaml_t *y, const char *path,
    const fwd_dest_conf_t *dest);
static const fwd_dest_conf_t *fwd_config_named(fwd_yaml_t *y,
    const fwd_config_t *conf, const fwd_dest_conf_t *dest, const char *key,
    const char *name);
static const fwd_dest_conf_t *fwd_config_find(const fwd_config_t *conf,
    const char *name);
static void fwd_config_heir(fwd_yaml_t *y, const fwd_dest_conf_t *dest,
    const fwd_dest_conf_t *other);
static void fwd_config_cycle(fwd_yaml_t *y, const fwd_config_t *conf,
    const fwd_dest_conf_t *dest);


void
fwd_config_limits(fwd_yaml_t *y, const char *path, fwd_dest_conf_t *dest)
{
    size_t               i;
    fwd_limits_t        *l;
    fwd_breaker_conf_t  *breaker;

    l = &dest->limits;
    breaker = &dest->policy.breaker;

    fwd_config_pair_t  pairs[] = {
        { "retry.base", &l->retry.base_ms, "retry.cap", &l->retry.cap_ms },
        { "connect_timeout", &l->connect_timeout_ms,
          "timeout", &l->timeout_ms },
        { "batch.count", &l->batch_count, "window.count", &l->window_count },
        { "breaker.open", &breaker->open_ms, "breaker.cap", &breaker->cap_ms }
    };

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        fwd_config_pair(y, path, &pairs[i]);
    }

    fwd_config_rates(y, path, dest);
    fwd_config_modes_check(y, path, dest);
    fwd_config_unlikely(y, path, dest);
}


static void
fwd_config_pair(fwd_yaml_t *y, const char *path, const fwd_config_pair_t *pair)
{
    const char  *low;

    if (*pair->low <= *pair->high) {
        return;
    }

    low = fwd_pool_printf(y->pool, "%s.%s", path, pair->low_name);

    if (!fwd_yaml_has(y, low)) {
        *pair->low = *pair->high;
        return;
    }

    if (!fwd_yaml_has(y, fwd_pool_printf(y->pool, "%s.%s", path,
                                         pair->high_name)))
    {
        *pair->high = *pair->low;
        return;
    }

    fwd_report(y->report, y->file, fwd_yaml_at(y, low),
               "\"%s\" is %llu, above %s %llu; allowed is up to that", low,
               (unsigned long long) *pair->low, pair->high_name,
               (unsigned long long) *pair->high);
}


/* A request that is larger than a whole window could never be sent. */

static void
fwd_config_rates(fwd_yaml_t *y, const char *path, fwd_dest_conf_t *dest)
{
    size_t            i;
    uint64_t         *limit;
    const char       *name;
    fwd_rate_conf_t  *rate;

    for (i = 0; i < dest->policy.rates_count; i++) {
        rate = &dest->policy.rates[i];

        if (rate->unit == FWD_RATE_REQUESTS) {
            continue;
        }

        limit = (rate->unit == FWD_RATE_EVENTS) ? &dest->limits.batch_count
                                                : &dest->limits.batch_bytes;

        if (*limit <= rate->count) {
            continue;
        }

        name = fwd_pool_printf(y->pool, "%s.batch.%s", path,
                               rate->unit == FWD_RATE_EVENTS ? "count"
                                                             : "bytes");

        if (!fwd_yaml_has(y, name)) {
            *limit = rate->count;
            continue;
        }

        fwd_report(y->report, y->file, fwd_yaml_at(y, name),
                   "\"%s\" is %llu, but rate[%zu] lets %llu pass at a time; "
                   "allowed is up to that", name, (unsigned long long) *limit,
                   i, (unsigned long long) rate->count);
    }
}


static void
fwd_config_modes_check(fwd_yaml_t *y, const char *path,
    const fwd_dest_conf_t *dest)
{
    const char               *key;
    const fwd_policy_conf_t  *policy;

    policy = &dest->policy;

    if (policy->mode == FWD_MODE_SHADOW && policy->shadow_of == NULL) {
        key = fwd_pool_printf(y->pool, "%s.mode", path);
        fwd_report(y->report, y->file, fwd_yaml_at(y, key),
                   "\"%s\" is \"shadow\" but %s.shadow_of is missing, needed "
                   "is the name of another destination", key, path);
    }

    if (policy->mode != FWD_MODE_SHADOW && policy->shadow_of != NULL) {
        key = fwd_pool_printf(y->pool, "%s.shadow_of", path);
        fwd_report(y->report, y->file, fwd_yaml_at(y, key),
                   "\"%s\" is \"%s\" without mode: shadow, needed are both",
                   key, policy->shadow_of);
    }

    key = fwd_pool_printf(y->pool, "%s.fallback_after", path);

    if (policy->fallback == NULL && fwd_yaml_has(y, key)) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, key),
                   "\"%s\" without %s.fallback, needed are both", key, path);
    }
}


static void
fwd_config_unlikely(fwd_yaml_t *y, const char *path,
    const fwd_dest_conf_t *dest)
{
    const char                *key;
    const fwd_limits_t        *l;
    const fwd_policy_conf_t   *policy;

    l = &dest->limits;
    policy = &dest->policy;

    key = fwd_pool_printf(y->pool, "%s.max_age", path);

    if (policy->max_age_ms > l->retry.age_ms && fwd_yaml_has(y, key)) {
        fwd_report_warning(y->report, y->file, fwd_yaml_at(y, key),
                           "\"%s\" is above retry.age: an event that fails is "
                           "given up before it is too old", key);
    }

    key = fwd_pool_printf(y->pool, "%s.on_timeout", path);

    if (dest->desc->kind == FWD_KIND_FILE && fwd_yaml_has(y, key)) {
        fwd_report_warning(y->report, y->file, fwd_yaml_at(y, key),
                           "\"%s\" has no effect on kind file", key);
    }

    key = fwd_pool_printf(y->pool, "%s.concurrency", path);

    if (l->concurrency > 1 && fwd_yaml_has(y, key)
        && l->concurrency * l->batch_count > l->window_count)
    {
        fwd_report_warning(y->report, y->file, fwd_yaml_at(y, key),
                           "\"%s\" is %llu requests of up to %llu events, but "
                           "window.count %llu does not fill them", key,
                           (unsigned long long) l->concurrency,
                           (unsigned long long) l->batch_count,
                           (unsigned long long) l->window_count);
    }
}


void
fwd_config_relations(fwd_yaml_t *y, const fwd_config_t *conf)
{
    size_t                  i;
    const fwd_dest_conf_t  *dest, *other;

    for (i = 0; i < conf->dests_count; i++) {
        dest = &conf->dests[i];

        (void) fwd_config_named(y, conf, dest, "shadow_of",
                                dest->policy.shadow_of);

        other = fwd_config_named(y, conf, dest, "fallback",
                                 dest->policy.fallback);

        if (other != NULL) {
            fwd_config_cycle(y, conf, dest);
            fwd_config_heir(y, dest, other);
        }
    }
}


/*
 * What is handed over is not judged again by the rules of the fallback.  So
 * it may not be stricter about persons: nobody gets what was denied to him.
 */

static void
fwd_config_heir(fwd_yaml_t *y, const fwd_dest_conf_t *dest,
    const fwd_dest_conf_t *other)
{
    size_t              i, n, line;
    const fwd_words_t  *have, *need;

    have = &dest->wanted.consent;
    need = &other->wanted.consent;
    line = fwd_yaml_at(y, fwd_pool_printf(y->pool, "destinations.%s.fallback",
                                          dest->name));

    for (i = 0; i < need->count; i++) {

        for (n = 0; n < have->count; n++) {
            if (strcmp(need->list[i], have->list[n]) == 0) {
                break;
            }
        }

        if (n == have->count) {
            fwd_report(y->report, y->file, line,
                       "the fallback \"%s\" needs consent to \"%s\", for "
                       "which \"%s\" does not ask; allowed is one that needs "
                       "no more", other->name, need->list[i], dest->name);
        }
    }

    if (other->wanted.suppress != NULL
        && (dest->wanted.suppress == NULL
            || strcmp(dest->wanted.suppress, other->wanted.suppress) != 0))
    {
        fwd_report(y->report, y->file, line,
                   "the fallback \"%s\" has a suppress file that \"%s\" has "
                   "not; allowed is the same for both", other->name,
                   dest->name);
    }
}


/* NULL if there is no name, or after a report. */

static const fwd_dest_conf_t *
fwd_config_named(fwd_yaml_t *y, const fwd_config_t *conf,
    const fwd_dest_conf_t *dest, const char *key, const char *name)
{
    size_t                  i, n;
    const char             *path, **names;
    const fwd_dest_conf_t  *other;

    if (name == NULL) {
        return NULL;
    }

    path = fwd_pool_printf(y->pool, "destinations.%s.%s", dest->name, key);
    other = fwd_config_find(conf, name);

    if (other == NULL || other == dest) {
        names = fwd_pool_alloc(y->pool, (conf->dests_count + 1)
                                        * sizeof(char *));

        for (i = 0, n = 0; i < conf->dests_count; i++) {
            if (&conf->dests[i] != dest) {
                names[n++] = conf->dests[i].name;
            }
        }

        fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                   "\"%s\" is \"%s\", allowed is another destination: %s",
                   path, name, fwd_yaml_words(y->pool, names, name));
        return NULL;
    }

    if (!other->wanted.enabled || other->policy.mode != FWD_MODE_SEND) {
        fwd_report_warning(y->report, y->file, fwd_yaml_at(y, path),
                           "\"%s\" is \"%s\", which %s", path, name,
                           other->wanted.enabled ? "does not send"
                                                 : "is not enabled");
    }

    return other;
}


static const fwd_dest_conf_t *
fwd_config_find(const fwd_config_t *conf, const char *name)
{
    size_t  i;

    for (i = 0; i < conf->dests_count; i++) {
        if (strcmp(conf->dests[i].name, name) == 0) {
            return &conf->dests[i];
        }
    }

    return NULL;
}


/* Said once a cycle, at the first of its destinations. */

static void
fwd_config_cycle(fwd_yaml_t *y, const fwd_config_t *conf,
    const fwd_dest_conf_t *dest)
{
    size_t                  steps;
    const char             *text;
    const fwd_dest_conf_t  *next;

    next = dest;
    text = dest->name;

    for (steps = 0; steps <= conf->dests_count; steps++) {
        next = (next->policy.fallback != NULL)
               ? fwd_config_find(conf, next->policy.fallback) : NULL;

        if (next == NULL || next < dest) {
            return;
        }

        text = fwd_pool_printf(y->pool, "%s -> %s", text, next->name);

        if (next == dest) {
            break;
        }
    }

    /* a cycle further on is said there */

    if (next != dest) {
        return;
    }

    fwd_report(y->report, y->file,
               fwd_yaml_at(y, fwd_pool_printf(y->pool,
                                              "destinations.%s.fallback",
                                              dest->name)),
               "fallbacks lead in a circle: %s; allowed is a chain with an "
               "end", text);
}
