
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reading of rates and breakers.
 */


#include <string.h>

#include "fwd_config_policy.h"
#include "fwd_units.h"


#define FWD_RATES_MAX         8          /* of a destination */
#define FWD_RATE_COUNT_MAX    1000000000
#define FWD_FALLBACK_AFTER    (5 * 60 * 1000)    /* ms */


/* A rate as it is read; what count may look like depends on the unit. */
typedef struct {
    fwd_rate_conf_t       rate;
    const char           *count;
} fwd_policy_rate_t;


static void fwd_policy_rates(fwd_yaml_t *y, const char *path,
    fwd_policy_conf_t *policy);
static void fwd_policy_rate(fwd_yaml_t *y, yaml_node_t *node,
    const char *path, fwd_rate_conf_t *rate);


const char *const  fwd_policy_orders[] = {
    [FWD_ORDER_NONE] = "none",
    [FWD_ORDER_PERSON] = "person",
    NULL
};

const char *const  fwd_policy_timeouts[] = {
    [FWD_AMBIGUOUS_RETRY] = "retry",
    [FWD_AMBIGUOUS_DEAD] = "dead",
    [FWD_AMBIGUOUS_DONE] = "done",
    NULL
};

const char *const  fwd_policy_purposes[] = {
    "necessary", "functional", "analytics", "advertising", "personalization",
    NULL
};

static const char *const  fwd_rate_units[] = {
    [FWD_RATE_EVENTS] = "events",
    [FWD_RATE_REQUESTS] = "requests",
    [FWD_RATE_BYTES] = "bytes",
    NULL
};


static const fwd_field_t  fwd_rate_fields[] = {
    { .name = "count", .kind = FWD_FIELD_STRING, .required = 1,
      .offset = offsetof(fwd_policy_rate_t, count),
      .allowed = "a number" },
    { .name = "per", .kind = FWD_FIELD_TIME, .required = 1,
      .offset = offsetof(fwd_policy_rate_t, rate.window_ms),
      .min = "100ms", .max = "1d" },
    { .name = "unit", .kind = FWD_FIELD_WORD, .dflt = "events",
      .offset = offsetof(fwd_policy_rate_t, rate.unit),
      .words = fwd_rate_units },
    { .name = "endpoint", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_policy_rate_t, rate.endpoint),
      .min = "1", .max = "32" },
    { .name = NULL }
};


static const fwd_field_t  fwd_breaker_fields[] = {
    { .name = "percent", .kind = FWD_FIELD_NUMBER, .dflt = "50",
      .offset = offsetof(fwd_breaker_conf_t, percent),
      .min = "1", .max = "100" },
    { .name = "count", .kind = FWD_FIELD_NUMBER, .dflt = "20",
      .offset = offsetof(fwd_breaker_conf_t, count),
      .min = "1", .max = "100000" },
    { .name = "window", .kind = FWD_FIELD_TIME, .dflt = "10s",
      .offset = offsetof(fwd_breaker_conf_t, window_ms),
      .min = "100ms", .max = "10m" },
    { .name = "in_a_row", .kind = FWD_FIELD_NUMBER, .dflt = "5",
      .offset = offsetof(fwd_breaker_conf_t, in_a_row),
      .min = "1", .max = "10000" },
    { .name = "row_time", .kind = FWD_FIELD_TIME, .dflt = "30s",
      .offset = offsetof(fwd_breaker_conf_t, row_ms),
      .min = "0", .max = "1h" },
    { .name = "open", .kind = FWD_FIELD_TIME, .dflt = "5s",
      .offset = offsetof(fwd_breaker_conf_t, open_ms),
      .min = "10ms", .max = "1h" },
    { .name = "cap", .kind = FWD_FIELD_TIME, .dflt = "5m",
      .offset = offsetof(fwd_breaker_conf_t, cap_ms),
      .min = "10ms", .max = "1d" },
    { .name = NULL }
};


void
fwd_policy_default(fwd_policy_conf_t *policy, fwd_pool_t *pool)
{
    fwd_yaml_defaults(fwd_breaker_fields, &policy->breaker, pool);
    policy->fallback_after_ms = FWD_FALLBACK_AFTER;
}


void
fwd_policy_read(fwd_yaml_t *y, const char *path, fwd_policy_conf_t *policy)
{
    const char  *dot;

    dot = *path ? "." : "";

    if (policy->rate_node != NULL) {
        fwd_policy_rates(y, fwd_pool_printf(y->pool, "%s%srate", path, dot),
                         policy);
    }

    fwd_yaml_section(y, policy->breaker_node,
                     fwd_pool_printf(y->pool, "%s%sbreaker", path, dot),
                     fwd_breaker_fields, &policy->breaker);

    /* the nodes die with the document */
    policy->rate_node = NULL;
    policy->breaker_node = NULL;
}


static void
fwd_policy_rates(fwd_yaml_t *y, const char *path, fwd_policy_conf_t *policy)
{
    size_t        i, n;
    yaml_node_t  *list;

    list = policy->rate_node;

    if (list->type != YAML_SEQUENCE_NODE) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                   "\"%s\" is no list, allowed is a list such as "
                   "[ { count: 100, per: 10s, unit: requests } ]", path);
        return;
    }

    n = (size_t) (list->data.sequence.items.top
                  - list->data.sequence.items.start);

    if (n < 1 || n > FWD_RATES_MAX) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                   "\"%s\" has %zu items, allowed are 1 to %d", path, n,
                   FWD_RATES_MAX);
        return;
    }

    policy->rates = fwd_pool_alloc(y->pool, n * sizeof(fwd_rate_conf_t));
    policy->rates_count = n;

    for (i = 0; i < n; i++) {
        fwd_policy_rate(y, fwd_yaml_item(y, list, i),
                        fwd_pool_printf(y->pool, "%s[%zu]", path, i),
                        &policy->rates[i]);
    }
}


static void
fwd_policy_rate(fwd_yaml_t *y, yaml_node_t *node, const char *path,
    fwd_rate_conf_t *rate)
{
    fwd_rc_t            rc;
    const char         *count;
    fwd_policy_rate_t   raw;

    memset(&raw, 0, sizeof(fwd_policy_rate_t));
    fwd_yaml_defaults(fwd_rate_fields, &raw, y->pool);
    fwd_yaml_section(y, node, path, fwd_rate_fields, &raw);

    *rate = raw.rate;

    if (raw.count == NULL) {
        return;
    }

    count = fwd_pool_printf(y->pool, "%s.count", path);

    if (rate->unit == FWD_RATE_BYTES) {
        rc = fwd_units_size(&rate->count, raw.count);

        if (rc != FWD_OK || rate->count < 1024
            || rate->count > (uint64_t) 1024 << 30)
        {
            fwd_report(y->report, y->file, fwd_yaml_at(y, count),
                       "\"%s\" is \"%s\", allowed is 1k to 1024g", count,
                       raw.count);
        }

        return;
    }

    rc = fwd_units_number(&rate->count, raw.count);

    if (rc != FWD_OK || rate->count < 1 || rate->count > FWD_RATE_COUNT_MAX) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, count),
                   "\"%s\" is \"%s\", allowed is 1 to %d", count, raw.count,
                   FWD_RATE_COUNT_MAX);
    }
}
