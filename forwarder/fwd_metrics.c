
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The page /metrics.
 *
 * All series of a metric stand together, as the format demands, so the
 * destinations are gone through once for each.
 */


#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "fwd_gate.h"
#include "fwd_metrics.h"


#define FWD_METRICS_LABEL_MAX  512
#define FWD_METRICS_LINE_MAX   1024


/* A number of each destination; value() may say that there is none. */
typedef struct {
    const char           *name;
    const char           *type;
    const char           *help;
    size_t                offset;        /* in fwd_dest_stats_t */
    unsigned              divisor;       /* of the number kept */
} fwd_metrics_plain_t;


static void fwd_metrics_process(fwd_buf_t *out, const fwd_metrics_t *m);
static void fwd_metrics_one(fwd_buf_t *out, const char *name,
    const char *type, const char *help, uint64_t value);
static void fwd_metrics_head(fwd_buf_t *out, const char *name,
    const char *type, const char *help);
static void fwd_metrics_plain(fwd_buf_t *out, const fwd_metrics_t *m,
    const fwd_metrics_plain_t *plain);
static void fwd_metrics_ages(fwd_buf_t *out, const fwd_metrics_t *m);
static uint64_t fwd_metrics_age(const fwd_metrics_t *m, uint64_t since_ms);
static void fwd_metrics_classes(fwd_buf_t *out, const fwd_metrics_t *m);
static void fwd_metrics_dropped(fwd_buf_t *out, const fwd_metrics_t *m);
static void fwd_metrics_class(fwd_buf_t *out, const char *name,
    const char *dest, const uint64_t *counts);
static void fwd_metrics_histograms(fwd_buf_t *out, const fwd_metrics_t *m);
static void fwd_metrics_latency(fwd_buf_t *out,
    const fwd_metrics_dest_t *dest);
static void fwd_metrics_sizes(fwd_buf_t *out, const fwd_metrics_dest_t *dest);
static void fwd_metrics_breakers(fwd_buf_t *out, const fwd_metrics_t *m);
static void fwd_metrics_decimal(char *text, size_t size, uint64_t value,
    unsigned divisor);
static void fwd_metrics_label(char *label, const char *text);
static void fwd_metrics_line(fwd_buf_t *out, const char *fmt, ...)
    FWD_PRINTF(2, 3);


#define FWD_METRICS_DEST(member)  offsetof(fwd_dest_stats_t, member)

static const fwd_metrics_plain_t  fwd_metrics_plains[] = {
    { "queue_depth", "gauge", "Events that wait in Redis.",
      FWD_METRICS_DEST(depth), 1 },
    { "retry_depth", "gauge", "Of these, events that failed before.",
      FWD_METRICS_DEST(depth_retry), 1 },
    { "inflight_requests", "gauge", "Requests under way.",
      FWD_METRICS_DEST(inflight), 1 },
    { "concurrency", "gauge", "Requests allowed at a time.",
      FWD_METRICS_DEST(concurrency), 1 },
    { "limiter_wait_seconds_total", "counter",
      "Time spent waiting for the rate limit.",
      FWD_METRICS_DEST(limited_ms), 1000 },
    { "breaker_opened_total", "counter", "How often the breaker opened.",
      FWD_METRICS_DEST(breaker_opened), 1 },
    { "map_killed_total", "counter",
      "Events whose program ended a loop process.",
      FWD_METRICS_DEST(map_killed), 1 },
    { "shadow_equal_total", "counter",
      "Events of a shadow that give the same records.",
      FWD_METRICS_DEST(shadow_equal), 1 },
    { "answer_warnings_total", "counter",
      "Answers in which answer.jq found something to tell.",
      FWD_METRICS_DEST(warnings), 1 },
    { "shadow_different_total", "counter",
      "Events of a shadow that give other records.",
      FWD_METRICS_DEST(shadow_different), 1 },
    { NULL, NULL, NULL, 0, 0 }
};


static const char *const  fwd_metrics_states[FWD_GATE_STATES] = {
    [FWD_GATE_CLOSED] = "closed",
    [FWD_GATE_THROTTLED] = "throttled",
    [FWD_GATE_HALF_OPEN] = "half_open",
    [FWD_GATE_OPEN] = "open",
    [FWD_GATE_CREDENTIALS] = "credentials",
    [FWD_GATE_PAUSED] = "paused"
};


void
fwd_metrics_write(fwd_buf_t *out, const fwd_metrics_t *m)
{
    const fwd_metrics_plain_t  *plain;

    fwd_metrics_process(out, m);

    for (plain = fwd_metrics_plains; plain->name != NULL; plain++) {
        fwd_metrics_plain(out, m, plain);
    }

    fwd_metrics_ages(out, m);
    fwd_metrics_classes(out, m);
    fwd_metrics_dropped(out, m);
    fwd_metrics_histograms(out, m);
    fwd_metrics_breakers(out, m);
}


static void
fwd_metrics_process(fwd_buf_t *out, const fwd_metrics_t *m)
{
    char  version[FWD_METRICS_LABEL_MAX], format[FWD_METRICS_LABEL_MAX];
    char  config[FWD_METRICS_LABEL_MAX], age[32];
    fwd_metrics_label(version, m->version);
    fwd_metrics_label(format, m->format);
    fwd_metrics_label(config, m->config);

    fwd_metrics_head(out, "build_info", "gauge", "The program.");
    fwd_metrics_line(out, "martech_forwarder_build_info{version=\"%s\","
                     "stream_format=\"%s\"} 1\n", version, format);

    fwd_metrics_head(out, "config_info", "gauge",
                     "The configuration, by the sha256 of its file.");
    fwd_metrics_line(out, "martech_forwarder_config_info{sha256=\"%s\"} 1\n",
                     config);

    fwd_metrics_one(out, "config_last_reload_successful", "gauge",
                    "1 if the last configuration read was accepted.",
                    m->reload_ok);
    fwd_metrics_one(out, "config_last_reload_success_timestamp_seconds",
                    "gauge", "When a configuration was accepted, Unix time.",
                    m->reload_ms / 1000);
    fwd_metrics_one(out, "loops", "gauge", "Loop processes wanted.",
                    m->loops);
    fwd_metrics_one(out, "loops_up", "gauge", "Loop processes that work.",
                    m->loops_up);
    fwd_metrics_one(out, "loops_died_total", "counter",
                    "Loop processes that ended unasked.", m->loops_died);
    fwd_metrics_one(out, "shards", "gauge", "Shards of the stream.",
                    m->shards);
    fwd_metrics_one(out, "shards_owned", "gauge", "Shards that are ours.",
                    m->sum.shards_owned);
    fwd_metrics_one(out, "routed_events_total", "counter",
                    "Events routed.", m->sum.routed);
    fwd_metrics_one(out, "duplicate_events_total", "counter",
                    "Events refused because their messageId was seen.",
                    m->sum.duplicates);
    fwd_metrics_one(out, "refused_events_total", "counter",
                    "Events that a destination does not want.",
                    m->sum.refused);
    fwd_metrics_one(out, "quarantine_entries", "gauge",
                    "Quarantined events in shards that are ours.",
                    m->sum.quarantine);

    fwd_metrics_decimal(age, sizeof(age),
                        fwd_metrics_age(m, m->sum.quarantine_ms), 1000);
    fwd_metrics_head(out, "quarantine_oldest_age_seconds", "gauge",
                     "Age of the oldest quarantined event, 0 if there is "
                     "none.");
    fwd_metrics_line(out, "martech_forwarder_quarantine_oldest_age_seconds "
                     "%s\n", age);
}


static void
fwd_metrics_one(fwd_buf_t *out, const char *name, const char *type,
    const char *help, uint64_t value)
{
    fwd_metrics_head(out, name, type, help);
    fwd_metrics_line(out, "martech_forwarder_%s %" PRIu64 "\n", name, value);
}


static void
fwd_metrics_head(fwd_buf_t *out, const char *name, const char *type,
    const char *help)
{
    fwd_metrics_line(out, "# HELP martech_forwarder_%s %s\n"
                     "# TYPE martech_forwarder_%s %s\n",
                     name, help, name, type);
}


static void
fwd_metrics_plain(fwd_buf_t *out, const fwd_metrics_t *m,
    const fwd_metrics_plain_t *plain)
{
    char             label[FWD_METRICS_LABEL_MAX], number[32];
    size_t           i;
    const char      *base;
    const uint64_t  *value;

    fwd_metrics_head(out, plain->name, plain->type, plain->help);

    for (i = 0; i < m->dests_count; i++) {
        base = (const char *) &m->dests[i].stats;
        value = (const uint64_t *) (const void *) (base + plain->offset);

        fwd_metrics_label(label, m->dests[i].name);
        fwd_metrics_decimal(number, sizeof(number), *value, plain->divisor);
        fwd_metrics_line(out, "martech_forwarder_%s{destination=\"%s\"} %s\n",
                         plain->name, label, number);
    }
}


/* Without anything that waits, or was ever delivered, there is no age. */

static void
fwd_metrics_ages(fwd_buf_t *out, const fwd_metrics_t *m)
{
    char                     label[FWD_METRICS_LABEL_MAX], number[32];
    size_t                   i;
    const fwd_dest_stats_t  *stats;

    fwd_metrics_head(out, "oldest_age_seconds", "gauge",
                     "Age of the oldest event that waits, 0 if none does.");

    for (i = 0; i < m->dests_count; i++) {
        stats = &m->dests[i].stats;

        fwd_metrics_label(label, m->dests[i].name);
        fwd_metrics_decimal(number, sizeof(number),
                            fwd_metrics_age(m, stats->oldest_ms), 1000);
        fwd_metrics_line(out, "martech_forwarder_oldest_age_seconds"
                         "{destination=\"%s\"} %s\n", label, number);
    }

    fwd_metrics_head(out, "freshness_seconds", "gauge",
                     "Time since the youngest delivered event came in.");

    for (i = 0; i < m->dests_count; i++) {
        stats = &m->dests[i].stats;

        if (stats->fresh_ms == 0) {
            continue;
        }

        fwd_metrics_label(label, m->dests[i].name);
        fwd_metrics_decimal(number, sizeof(number),
                            fwd_metrics_age(m, stats->fresh_ms), 1000);
        fwd_metrics_line(out, "martech_forwarder_freshness_seconds"
                         "{destination=\"%s\"} %s\n", label, number);
    }
}


static void
fwd_metrics_dropped(fwd_buf_t *out, const fwd_metrics_t *m)
{
    char                       label[FWD_METRICS_LABEL_MAX];
    size_t                     i, n;
    const fwd_reason_stats_t  *row;

    fwd_metrics_head(out, "dropped_events_total", "counter",
                     "Events that a map has dropped, by its reason.");

    for (i = 0; i < m->dests_count; i++) {
        fwd_metrics_label(label, m->dests[i].name);

        for (n = 0; n < FWD_STATS_REASONS; n++) {
            row = &m->dests[i].stats.reasons[n];

            if (row->name[0] != '\0') {
                fwd_metrics_line(out, "martech_forwarder_dropped_events_total"
                                 "{destination=\"%s\",reason=\"%s\"} %"
                                 PRIu64 "\n", label, row->name, row->count);
            }
        }
    }
}


static uint64_t
fwd_metrics_age(const fwd_metrics_t *m, uint64_t since_ms)
{
    /* IDs are of the clock of Redis, which may be ahead of ours */

    return (since_ms == 0 || since_ms > m->now_ms) ? 0
                                                   : m->now_ms - since_ms;
}


static void
fwd_metrics_classes(fwd_buf_t *out, const fwd_metrics_t *m)
{
    size_t  i;

    fwd_metrics_head(out, "attempts_total", "counter",
                     "Requests that ended, by class.");

    for (i = 0; i < m->dests_count; i++) {
        fwd_metrics_class(out, "attempts_total", m->dests[i].name,
                          m->dests[i].stats.attempts);
    }

    fwd_metrics_head(out, "events_total", "counter",
                     "Events in requests that ended, by class.");

    for (i = 0; i < m->dests_count; i++) {
        fwd_metrics_class(out, "events_total", m->dests[i].name,
                          m->dests[i].stats.events);
    }
}


static void
fwd_metrics_class(fwd_buf_t *out, const char *name, const char *dest,
    const uint64_t *counts)
{
    int   i;
    char  label[FWD_METRICS_LABEL_MAX];

    fwd_metrics_label(label, dest);

    for (i = 0; i < FWD_OUTCOME_COUNT; i++) {
        fwd_metrics_line(out, "martech_forwarder_%s{destination=\"%s\","
                         "class=\"%s\"} %" PRIu64 "\n", name, label,
                         fwd_outcome_name((fwd_outcome_t) i), counts[i]);
    }
}


static void
fwd_metrics_histograms(fwd_buf_t *out, const fwd_metrics_t *m)
{
    size_t  i;

    fwd_metrics_head(out, "attempt_duration_seconds", "histogram",
                     "Time from the start of a request to its outcome.");

    for (i = 0; i < m->dests_count; i++) {
        fwd_metrics_latency(out, &m->dests[i]);
    }

    fwd_metrics_head(out, "batch_events", "histogram",
                     "Events in a request.");

    for (i = 0; i < m->dests_count; i++) {
        fwd_metrics_sizes(out, &m->dests[i]);
    }
}


static void
fwd_metrics_latency(fwd_buf_t *out, const fwd_metrics_dest_t *dest)
{
    char      label[FWD_METRICS_LABEL_MAX], number[32];
    size_t    i;
    uint64_t  count;

    fwd_metrics_label(label, dest->name);
    count = 0;

    for (i = 0; i < FWD_STATS_LATENCIES; i++) {
        count += dest->stats.latencies[i];

        if (i < FWD_STATS_LATENCIES - 1) {
            fwd_metrics_decimal(number, sizeof(number),
                                fwd_stats_latencies[i], 1000);

        } else {
            (void) snprintf(number, sizeof(number), "+Inf");
        }

        fwd_metrics_line(out, "martech_forwarder_attempt_duration_seconds"
                         "_bucket{destination=\"%s\",le=\"%s\"} %" PRIu64
                         "\n", label, number, count);
    }

    fwd_metrics_decimal(number, sizeof(number), dest->stats.latency_us,
                        1000000);
    fwd_metrics_line(out, "martech_forwarder_attempt_duration_seconds_sum"
                     "{destination=\"%s\"} %s\n"
                     "martech_forwarder_attempt_duration_seconds_count"
                     "{destination=\"%s\"} %" PRIu64 "\n",
                     label, number, label, count);
}


static void
fwd_metrics_sizes(fwd_buf_t *out, const fwd_metrics_dest_t *dest)
{
    char      label[FWD_METRICS_LABEL_MAX], number[32];
    size_t    i;
    uint64_t  count, sum;

    fwd_metrics_label(label, dest->name);
    count = 0;
    sum = 0;

    for (i = 0; i < FWD_STATS_SIZES; i++) {
        count += dest->stats.sizes[i];

        if (i < FWD_STATS_SIZES - 1) {
            fwd_metrics_decimal(number, sizeof(number), fwd_stats_sizes[i],
                                1);

        } else {
            (void) snprintf(number, sizeof(number), "+Inf");
        }

        fwd_metrics_line(out, "martech_forwarder_batch_events_bucket"
                         "{destination=\"%s\",le=\"%s\"} %" PRIu64 "\n",
                         label, number, count);
    }

    for (i = 0; i < FWD_OUTCOME_COUNT; i++) {
        sum += dest->stats.events[i];
    }

    fwd_metrics_line(out, "martech_forwarder_batch_events_sum"
                     "{destination=\"%s\"} %" PRIu64 "\n"
                     "martech_forwarder_batch_events_count"
                     "{destination=\"%s\"} %" PRIu64 "\n",
                     label, sum, label, count);
}


static void
fwd_metrics_breakers(fwd_buf_t *out, const fwd_metrics_t *m)
{
    char    label[FWD_METRICS_LABEL_MAX];
    size_t  i, state;

    fwd_metrics_head(out, "breaker_state", "gauge",
                     "1 for the worst state of all loops.");

    for (i = 0; i < m->dests_count; i++) {
        fwd_metrics_label(label, m->dests[i].name);

        for (state = 0; state < FWD_GATE_STATES; state++) {
            fwd_metrics_line(out, "martech_forwarder_breaker_state"
                             "{destination=\"%s\",state=\"%s\"} %d\n", label,
                             fwd_metrics_states[state],
                             m->dests[i].stats.breaker == state);
        }
    }
}


/* Exact, and without the rounding of doubles or the comma of a locale. */

static void
fwd_metrics_decimal(char *text, size_t size, uint64_t value,
    unsigned divisor)
{
    int       digits;
    uint64_t  rest;

    rest = value % divisor;

    if (rest == 0) {
        (void) snprintf(text, size, "%" PRIu64, value / divisor);
        return;
    }

    digits = (divisor == 1000) ? 3 : 6;

    while (rest % 10 == 0) {
        rest /= 10;
        digits--;
    }

    (void) snprintf(text, size, "%" PRIu64 ".%0*" PRIu64, value / divisor,
                    digits, rest);
}


static void
fwd_metrics_label(char *label, const char *text)
{
    size_t  n;

    n = 0;

    for ( /* void */ ; *text != '\0' && n < FWD_METRICS_LABEL_MAX - 2;
         text++)
    {
        if (*text == '\\' || *text == '"' || *text == '\n') {
            label[n++] = '\\';
        }

        label[n++] = (*text == '\n') ? 'n' : *text;
    }

    label[n] = '\0';
}


static void
fwd_metrics_line(fwd_buf_t *out, const char *fmt, ...)
{
    int      n;
    char     line[FWD_METRICS_LINE_MAX];
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);

    if (n > 0 && (size_t) n < sizeof(line)) {
        fwd_buf_add(out, line, (size_t) n);
    }
}
