
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * How a destination is delivered to: rates, breaker, age, order, time-outs.
 * A description gives defaults of its vendor, the configuration has the last
 * word, both with the same keys.
 */


#ifndef _FWD_CONFIG_POLICY_H_INCLUDED_
#define _FWD_CONFIG_POLICY_H_INCLUDED_


#include "fwd.h"
#include "fwd_pool.h"
#include "fwd_yaml.h"


typedef enum {
    FWD_RATE_EVENTS = 0,
    FWD_RATE_REQUESTS,
    FWD_RATE_BYTES
} fwd_rate_unit_t;


/* At most count of a unit in any window of that length, all loops of all
   processes together. */
typedef struct {
    uint64_t              count;
    uint64_t              unit;          /* fwd_rate_unit_t */
    uint64_t              window_ms;
    const char           *endpoint;      /* only calls of this one; NULL: all */
} fwd_rate_conf_t;


typedef struct {
    uint64_t              percent;       /* opens at this share of failures */
    uint64_t              count;         /* ... of at least that many ... */
    uint64_t              window_ms;     /* ... in the last so long */
    uint64_t              in_a_row;      /* or after that many in a row ... */
    uint64_t              row_ms;        /* ... without a success so long */
    uint64_t              open_ms;       /* first time before a probe */
    uint64_t              cap_ms;        /* longest */
} fwd_breaker_conf_t;


typedef enum {
    FWD_ORDER_NONE = 0,
    FWD_ORDER_PERSON              /* events of a person one after another */
} fwd_order_t;


/* What a time-out after the request was sent means for its events. */
typedef enum {
    FWD_AMBIGUOUS_RETRY = 0,      /* perhaps twice */
    FWD_AMBIGUOUS_DEAD,           /* a person decides */
    FWD_AMBIGUOUS_DONE,           /* perhaps never */
    FWD_AMBIGUOUS_NOT_SAID        /* of an endpoint: as of all */
} fwd_ambiguous_t;


typedef enum {
    FWD_MODE_SEND = 0,
    FWD_MODE_DRY_RUN,             /* map and frame, do not send */
    FWD_MODE_SHADOW               /* and compare with another destination */
} fwd_mode_t;


/* How a destination is delivered to, beside its limits. */
typedef struct {
    fwd_rate_conf_t      *rates;
    size_t                rates_count;
    fwd_breaker_conf_t    breaker;
    uint64_t              max_age_ms;    /* of an event; 0: no limit */
    uint64_t              order;         /* fwd_order_t */
    uint64_t              ambiguous;     /* fwd_ambiguous_t */
    uint64_t              mode;          /* fwd_mode_t */
    const char           *shadow_of;     /* destination to compare with */
    const char           *fallback;      /* destination, or NULL */
    uint64_t              fallback_after_ms;  /* the breaker is open so long */

    yaml_node_t          *rate_node;     /* while reading only */
    yaml_node_t          *breaker_node;
} fwd_policy_conf_t;


/* Rows for a table whose struct has a fwd_policy_conf_t member. */
#define FWD_POLICY_FIELDS(type, member)                                       \
    { .name = "rate", .kind = FWD_FIELD_NODE,                                 \
      .offset = offsetof(type, member.rate_node) },                           \
    { .name = "breaker", .kind = FWD_FIELD_NODE,                              \
      .offset = offsetof(type, member.breaker_node) },                        \
    { .name = "max_age", .kind = FWD_FIELD_TIME, .dflt = "0",                 \
      .offset = offsetof(type, member.max_age_ms),                            \
      .min = "100ms", .max = "365d", .zero = 1 },                             \
    { .name = "order", .kind = FWD_FIELD_WORD, .dflt = "none",                \
      .offset = offsetof(type, member.order), .words = fwd_policy_orders },   \
    { .name = "on_timeout", .kind = FWD_FIELD_WORD, .dflt = "retry",          \
      .offset = offsetof(type, member.ambiguous),                             \
      .words = fwd_policy_timeouts }


extern const char *const  fwd_policy_orders[];
extern const char *const  fwd_policy_timeouts[];

/* Purposes that a person can consent to (docs/SPEC.md). */
extern const char *const  fwd_policy_purposes[];


/* Defaults of the breaker and the fallback. */
void fwd_policy_default(fwd_policy_conf_t *policy, fwd_pool_t *pool);

/*
 * Reads rate and breaker from the nodes that a table has set.  A list of
 * rates replaces the one that was there before.
 */
void fwd_policy_read(fwd_yaml_t *y, const char *path,
    fwd_policy_conf_t *policy);


#endif /* _FWD_CONFIG_POLICY_H_INCLUDED_ */
