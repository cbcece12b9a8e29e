
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The status page: the counters of all workers together, as JSON or as
 * Prometheus text.  Labels come from our own tables only, so their number is
 * bounded.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_STATUS_SIZE  49152


/* How a counter or gauge is called, in JSON and (with a prefix) in metrics. */
typedef struct {
    const char  *name;
    const char  *help;
} ngx_http_martech_metric_t;


static ngx_http_martech_metric_t
    ngx_http_martech_counters[NGX_HTTP_MARTECH_COUNTERS] =
{
    [NGX_HTTP_MARTECH_COUNT_REQUESTS] =
        { "requests", "requests to collecting locations" },
    [NGX_HTTP_MARTECH_COUNT_RECEIVED] =
        { "events_received", "events read from requests" },
    [NGX_HTTP_MARTECH_COUNT_STORED] =
        { "events_stored", "events acknowledged by redis" },
    [NGX_HTTP_MARTECH_COUNT_SPOOLED] =
        { "events_spooled", "events safe on disk, redis did not take them "
          "in time" },
    [NGX_HTTP_MARTECH_COUNT_QUARANTINED] =
        { "events_quarantined", "events that redis keeps aside for a person, "
          "of those stored and those replayed from disk" },
    [NGX_HTTP_MARTECH_COUNT_REJECTED] =
        { "events_rejected", "events that broke a rule" },
    [NGX_HTTP_MARTECH_COUNT_DROPPED] =
        { "events_dropped", "events that are nowhere: refused, not wanted, or "
          "died with their worker" },
    [NGX_HTTP_MARTECH_COUNT_BYTES] =
        { "body_bytes", "bytes of request bodies" },
    [NGX_HTTP_MARTECH_COUNT_ABORTED] =
        { "requests_aborted", "parked requests that ended before redis "
          "answered" },
    [NGX_HTTP_MARTECH_COUNT_CONNECTS] =
        { "redis_connects", "connections to redis made ready" },
    [NGX_HTTP_MARTECH_COUNT_FAILURES] =
        { "redis_failures", "ready connections to redis lost" },
    [NGX_HTTP_MARTECH_COUNT_RESENT] =
        { "redis_resent", "events sent again after a lost connection" },
    [NGX_HTTP_MARTECH_COUNT_MOVED] =
        { "redis_moved", "events sent on to another node of the cluster" },
    [NGX_HTTP_MARTECH_COUNT_REPLICAS_SHORT] =
        { "redis_replicas_short", "waits for replicas that too few of them "
          "answered in time" },
    [NGX_HTTP_MARTECH_COUNT_FLUSHES] =
        { "redis_writes", "writes to redis" },
    [NGX_HTTP_MARTECH_COUNT_ACK_MS] =
        { "ack_ms", "sum of the time that requests waited for redis, ms" },
    [NGX_HTTP_MARTECH_COUNT_ACKS] =
        { "acks", "requests that waited for redis" },
    [NGX_HTTP_MARTECH_COUNT_SPOOL_FOUND] =
        { "spool_found", "events on disk that were not counted as spooled: "
          "of an earlier run, or of a worker that was killed" },
    [NGX_HTTP_MARTECH_COUNT_SPOOL_REPLAYED] =
        { "spool_replayed", "events from disk acknowledged by redis" },
    [NGX_HTTP_MARTECH_COUNT_SPOOL_LOST] =
        { "spool_lost", "events on disk that could not be read again" },
    [NGX_HTTP_MARTECH_COUNT_SPOOL_TAKEN] =
        { "spool_taken", "events on disk that the workers of another master "
          "have taken over, or that are gone" },
    [NGX_HTTP_MARTECH_COUNT_SPOOL_WRITES] =
        { "spool_writes", "batches written to disk" },
    [NGX_HTTP_MARTECH_COUNT_SPOOL_ERRORS] =
        { "spool_errors", "failures of the disk" },
    [NGX_HTTP_MARTECH_COUNT_SIGNALS_LONG] =
        { "consent_signals_long", "signals of consent that are too long to "
          "be read" }
};


static ngx_http_martech_metric_t
    ngx_http_martech_gauges[NGX_HTTP_MARTECH_GAUGES] =
{
    [NGX_HTTP_MARTECH_GAUGE_PARKED] =
        { "requests_parked", "requests that wait for redis" },
    [NGX_HTTP_MARTECH_GAUGE_WAITING] =
        { "events_waiting", "events in the buffers of the workers" },
    [NGX_HTTP_MARTECH_GAUGE_BUFFER] =
        { "buffer_bytes", "bytes of the buffers in use" },
    [NGX_HTTP_MARTECH_GAUGE_READY] =
        { "redis_ready", "connections to redis that are ready, of all "
          "workers" },
    [NGX_HTTP_MARTECH_GAUGE_SPOOL_WAITING] =
        { "spool_waiting", "events on disk that wait for redis" },
    [NGX_HTTP_MARTECH_GAUGE_SPOOL_BYTES] =
        { "spool_bytes", "bytes of the segments on disk" },
    [NGX_HTTP_MARTECH_GAUGE_SPOOL_READY] =
        { "spool_ready", "workers whose spool takes events" }
};


static const char  *ngx_http_martech_dropped_names[] = {
    "unavailable", "killed", "left", "consent"
};


static ngx_int_t ngx_http_martech_status_page(ngx_http_request_t *r,
    ngx_http_martech_main_conf_t *mmcf, ngx_uint_t prometheus);
static ngx_int_t ngx_http_martech_status_plan(ngx_http_request_t *r,
    ngx_http_martech_main_conf_t *mmcf, ngx_str_t *name);
static ngx_int_t ngx_http_martech_status_send(ngx_http_request_t *r,
    ngx_str_t *page, ngx_chain_t *more, size_t rest);
static void ngx_http_martech_status_json(ngx_http_request_t *r,
    ngx_http_martech_main_conf_t *mmcf, ngx_http_martech_stats_t *sum,
    ngx_uint_t workers, martech_json_writer_t *w);
static void ngx_http_martech_status_prometheus(ngx_shm_zone_t *zone,
    ngx_http_martech_stats_t *sum, ngx_uint_t workers,
    martech_json_writer_t *w);
static void ngx_http_martech_status_histogram(ngx_http_martech_stats_t *sum,
    martech_json_writer_t *w);
static void ngx_http_martech_status_dialects(ngx_http_martech_stats_t *sum,
    martech_json_writer_t *w);
static void ngx_http_martech_status_dialect_metrics(
    ngx_http_martech_stats_t *sum, martech_json_writer_t *w);
static ngx_uint_t ngx_http_martech_status_dialect(
    ngx_http_martech_stats_t *sum, ngx_uint_t number, char *name);


ngx_int_t
ngx_http_martech_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_str_t                      arg;
    ngx_uint_t                     prometheus;
    ngx_http_martech_loc_conf_t   *mlcf;
    ngx_http_martech_main_conf_t  *mmcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_martech_module);
    mmcf = ngx_http_get_module_main_conf(r, ngx_http_martech_module);

    if (ngx_http_arg(r, (u_char *) "plan", 4, &arg) == NGX_OK) {
        return ngx_http_martech_status_plan(r, mmcf, &arg);
    }

    prometheus = (mlcf->status == NGX_HTTP_MARTECH_STATUS_PROMETHEUS);

    if (ngx_http_arg(r, (u_char *) "format", 6, &arg) == NGX_OK) {
        prometheus = (arg.len == 10
                      && ngx_strncmp(arg.data, "prometheus", 10) == 0);
    }

    return ngx_http_martech_status_page(r, mmcf, prometheus);
}


static ngx_int_t
ngx_http_martech_status_page(ngx_http_request_t *r,
    ngx_http_martech_main_conf_t *mmcf, ngx_uint_t prometheus)
{
    size_t                     size, rest;
    ngx_str_t                  page;
    ngx_uint_t                 workers;
    ngx_chain_t               *more;
    martech_json_writer_t      w;
    ngx_http_martech_stats_t  *sum;

    more = NULL;
    rest = 0;
    size = NGX_HTTP_MARTECH_STATUS_SIZE
           + ngx_http_martech_quality_size(&mmcf->plans)
           + ngx_http_martech_loss_size(mmcf);

    sum = ngx_palloc(r->pool, sizeof(ngx_http_martech_stats_t));
    page.data = ngx_pnalloc(r->pool, size);

    if (sum == NULL || page.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_martech_stats_sum(mmcf->zone, sum, &workers);

    martech_json_writer_init(&w, page.data, size);

    if (prometheus) {
        ngx_http_martech_status_prometheus(mmcf->zone, sum, workers, &w);
        ngx_http_martech_loss_metrics(mmcf, r->pool, &w);

        if (ngx_http_martech_quality_metrics(r->pool, &mmcf->plans, &more,
                                             &rest)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_str_set(&r->headers_out.content_type,
                    "text/plain; version=0.0.4");

    } else {
        ngx_http_martech_status_json(r, mmcf, sum, workers, &w);
        ngx_str_set(&r->headers_out.content_type, "application/json");
    }

    if (w.overflow) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    page.len = w.pos - page.data;

    return ngx_http_martech_status_send(r, &page, more, rest);
}


static ngx_int_t
ngx_http_martech_status_plan(ngx_http_request_t *r,
    ngx_http_martech_main_conf_t *mmcf, ngx_str_t *name)
{
    ngx_int_t  rc;
    ngx_str_t  page;

    rc = ngx_http_martech_quality_page(r, &mmcf->plans, name, &page);

    if (rc == NGX_DECLINED) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&r->headers_out.content_type, "application/json");

    return ngx_http_martech_status_send(r, &page, NULL, 0);
}


/* A page, and more of it in a chain of so many bytes. */

static ngx_int_t
ngx_http_martech_status_send(ngx_http_request_t *r, ngx_str_t *page,
    ngx_chain_t *more, size_t rest)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out, *last;

    b = ngx_calloc_buf(r->pool);

    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = page->len + rest;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->pos = page->data;
    b->last = page->data + page->len;
    b->memory = 1;

    out.buf = b;
    out.next = more;

    for (last = &out; last->next; last = last->next) {
        /* void */
    }

    last->buf->last_buf = 1;
    last->buf->last_in_chain = 1;

    return ngx_http_output_filter(r, &out);
}


static void
ngx_http_martech_status_reasons(martech_json_writer_t *w, const char *name,
    uint64_t *values)
{
    ngx_uint_t  i;

    martech_json_name(w, name);
    martech_json_begin(w, '{');

    for (i = 1; i < NGX_HTTP_MARTECH_REASONS; i++) {

        if (values[i] > 0) {
            martech_json_name(w, ngx_http_martech_reason_name(i));
            martech_json_int(w, (int64_t) values[i]);
        }
    }

    martech_json_end(w, '}');
}


static void
ngx_http_martech_status_json(ngx_http_request_t *r,
    ngx_http_martech_main_conf_t *mmcf, ngx_http_martech_stats_t *sum,
    ngx_uint_t workers, martech_json_writer_t *w)
{
    ngx_uint_t   i;
    const char  *name;

    martech_json_begin(w, '{');

    martech_json_name(w, "version");
    martech_json_cstring(w, MARTECH_VERSION);
    martech_json_name(w, "workers");
    martech_json_int(w, workers);

    for (i = 0; i < NGX_HTTP_MARTECH_COUNTERS; i++) {
        martech_json_name(w, ngx_http_martech_counters[i].name);
        martech_json_int(w, (int64_t) sum->counters[i]);
    }

    for (i = 0; i < NGX_HTTP_MARTECH_GAUGES; i++) {
        martech_json_name(w, ngx_http_martech_gauges[i].name);
        martech_json_int(w, (int64_t) sum->gauges[i]);
    }

    ngx_http_martech_status_reasons(w, "rejected", sum->rejected);
    ngx_http_martech_status_reasons(w, "refused", sum->refused);

    martech_json_name(w, "dropped");
    martech_json_begin(w, '{');

    for (i = 0; i < NGX_HTTP_MARTECH_DROPPED_REASONS; i++) {
        martech_json_name(w, ngx_http_martech_dropped_names[i]);
        martech_json_int(w, (int64_t) sum->dropped[i]);
    }

    for (i = 0; i < NGX_HTTP_MARTECH_DROP_SLOTS; i++) {
        name = ngx_http_martech_stats_drop_name(mmcf->zone, i);

        if (name) {
            martech_json_name(w, name);
            martech_json_int(w, (int64_t) sum->drops[i]);
        }
    }

    martech_json_end(w, '}');

    martech_json_name(w, "redis_errors");
    martech_json_begin(w, '{');

    for (i = 0; i < NGX_HTTP_MARTECH_REDIS_CLASSES; i++) {
        martech_json_name(w, ngx_http_martech_resp_class_name(i));
        martech_json_int(w, (int64_t) sum->errors[i]);
    }

    martech_json_end(w, '}');

    ngx_http_martech_status_dialects(sum, w);
    ngx_http_martech_loss_json(mmcf, r->pool, w);

    martech_json_name(w, "plans");
    ngx_http_martech_quality_json(&mmcf->plans, w);

    martech_json_end(w, '}');
    martech_json_bytes(w, "\n", 1);
}


static void
ngx_http_martech_status_line(martech_json_writer_t *w, const char *fmt, ...)
{
    u_char   line[512], *last;
    va_list  args;

    va_start(args, fmt);
    last = ngx_vslprintf(line, line + sizeof(line), fmt, args);
    va_end(args);

    martech_json_bytes(w, line, last - line);
}


static void
ngx_http_martech_status_prometheus(ngx_shm_zone_t *zone,
    ngx_http_martech_stats_t *sum, ngx_uint_t workers,
    martech_json_writer_t *w)
{
    ngx_uint_t                  i;
    const char                 *name;
    ngx_http_martech_metric_t  *m;

    ngx_http_martech_status_line(w,
                    "# HELP martech_workers worker processes that count\n"
                    "# TYPE martech_workers gauge\n"
                    "martech_workers %ui\n", workers);

    for (i = 0; i < NGX_HTTP_MARTECH_COUNTERS; i++) {
        m = &ngx_http_martech_counters[i];

        if (i == NGX_HTTP_MARTECH_COUNT_ACK_MS
            || i == NGX_HTTP_MARTECH_COUNT_ACKS
            || i == NGX_HTTP_MARTECH_COUNT_REJECTED
            || i == NGX_HTTP_MARTECH_COUNT_DROPPED)
        {
            /* part of the histogram, or given by reason below */
            continue;
        }

        ngx_http_martech_status_line(w,
                    "# HELP martech_%s_total %s\n"
                    "# TYPE martech_%s_total counter\n"
                    "martech_%s_total %uL\n",
                    m->name, m->help, m->name, m->name, sum->counters[i]);
    }

    for (i = 0; i < NGX_HTTP_MARTECH_GAUGES; i++) {
        m = &ngx_http_martech_gauges[i];

        ngx_http_martech_status_line(w,
                    "# HELP martech_%s %s\n"
                    "# TYPE martech_%s gauge\n"
                    "martech_%s %uL\n",
                    m->name, m->help, m->name, m->name, sum->gauges[i]);
    }

    ngx_http_martech_status_line(w,
                    "# HELP martech_events_rejected_total events that broke "
                    "a rule\n"
                    "# TYPE martech_events_rejected_total counter\n");

    for (i = 1; i < MARTECH_RC_COUNT; i++) {
        ngx_http_martech_status_line(w,
                    "martech_events_rejected_total{reason=\"%s\"} %uL\n",
                    ngx_http_martech_reason_name(i), sum->rejected[i]);
    }

    ngx_http_martech_status_line(w,
                    "# HELP martech_events_dropped_total events that are "
                    "nowhere\n"
                    "# TYPE martech_events_dropped_total counter\n");

    for (i = 0; i < NGX_HTTP_MARTECH_DROPPED_REASONS; i++) {
        ngx_http_martech_status_line(w,
                    "martech_events_dropped_total{reason=\"%s\"} %uL\n",
                    ngx_http_martech_dropped_names[i], sum->dropped[i]);
    }

    for (i = 0; i < NGX_HTTP_MARTECH_DROP_SLOTS; i++) {
        name = ngx_http_martech_stats_drop_name(zone, i);

        if (name) {
            ngx_http_martech_status_line(w,
                    "martech_events_dropped_total{reason=\"%s\"} %uL\n",
                    name, sum->drops[i]);
        }
    }

    ngx_http_martech_status_line(w,
                    "# HELP martech_requests_refused_total requests refused "
                    "as a whole\n"
                    "# TYPE martech_requests_refused_total counter\n");

    for (i = 1; i < NGX_HTTP_MARTECH_REASONS; i++) {
        ngx_http_martech_status_line(w,
                    "martech_requests_refused_total{reason=\"%s\"} %uL\n",
                    ngx_http_martech_reason_name(i), sum->refused[i]);
    }

    ngx_http_martech_status_line(w,
                    "# HELP martech_redis_errors_total error replies of "
                    "redis\n"
                    "# TYPE martech_redis_errors_total counter\n");

    for (i = 0; i < NGX_HTTP_MARTECH_REDIS_CLASSES; i++) {
        ngx_http_martech_status_line(w,
                    "martech_redis_errors_total{class=\"%s\"} %uL\n",
                    ngx_http_martech_resp_class_name(i), sum->errors[i]);
    }

    ngx_http_martech_status_dialect_metrics(sum, w);
    ngx_http_martech_status_histogram(sum, w);
}


static void
ngx_http_martech_status_histogram(ngx_http_martech_stats_t *sum,
    martech_json_writer_t *w)
{
    uint64_t    below;
    ngx_uint_t  i, ms;

    ngx_http_martech_status_line(w,
                    "# HELP martech_ack_seconds time that requests waited "
                    "for redis\n"
                    "# TYPE martech_ack_seconds histogram\n");

    below = 0;

    for (i = 0; i < NGX_HTTP_MARTECH_ACK_BUCKETS - 1; i++) {
        below += sum->ack_ms[i];
        ms = ngx_http_martech_stats_bound(i);

        ngx_http_martech_status_line(w,
                    "martech_ack_seconds_bucket{le=\"%ui.%03ui\"} %uL\n",
                    ms / 1000, ms % 1000, below);
    }

    below += sum->ack_ms[i];

    ngx_http_martech_status_line(w,
                    "martech_ack_seconds_bucket{le=\"+Inf\"} %uL\n"
                    "martech_ack_seconds_sum %uL.%03uL\n"
                    "martech_ack_seconds_count %uL\n",
                    below,
                    sum->counters[NGX_HTTP_MARTECH_COUNT_ACK_MS] / 1000,
                    sum->counters[NGX_HTTP_MARTECH_COUNT_ACK_MS] % 1000,
                    sum->counters[NGX_HTTP_MARTECH_COUNT_ACKS]);
}


/* Of each dialect that somebody has spoken. */

static void
ngx_http_martech_status_dialects(ngx_http_martech_stats_t *sum,
    martech_json_writer_t *w)
{
    char        name[NGX_HTTP_MARTECH_DIALECT_NAME];
    ngx_uint_t  i;

    martech_json_name(w, "dialects");
    martech_json_begin(w, '{');

    for (i = 0; i < NGX_HTTP_MARTECH_DIALECT_SLOTS; i++) {

        if (!ngx_http_martech_status_dialect(sum, i, name)) {
            continue;
        }

        martech_json_name(w, name);
        martech_json_begin(w, '{');
        martech_json_name(w, "events_received");
        martech_json_int(w, (int64_t) sum->dialects[i].received);
        martech_json_name(w, "events_accepted");
        martech_json_int(w, (int64_t) sum->dialects[i].accepted);
        martech_json_name(w, "requests_silent");
        martech_json_int(w, (int64_t) sum->dialects[i].silent);
        martech_json_end(w, '}');
    }

    martech_json_end(w, '}');
}


static void
ngx_http_martech_status_dialect_metrics(ngx_http_martech_stats_t *sum,
    martech_json_writer_t *w)
{
    char        name[NGX_HTTP_MARTECH_DIALECT_NAME];
    uint64_t   *value;
    ngx_uint_t  i, k;

    static struct {
        const char  *name;
        const char  *help;
        size_t       offset;
    } metrics[] = {
        { "events_received", "events read from requests, by wire format",
          offsetof(ngx_http_martech_dialect_stats_t, received) },
        { "events_accepted", "events that broke no rule, by wire format",
          offsetof(ngx_http_martech_dialect_stats_t, accepted) },
        { "requests_silent", "requests that bring no events, by wire format",
          offsetof(ngx_http_martech_dialect_stats_t, silent) }
    };

    for (k = 0; k < sizeof(metrics) / sizeof(metrics[0]); k++) {
        ngx_http_martech_status_line(w,
                    "# HELP martech_dialect_%s_total %s\n"
                    "# TYPE martech_dialect_%s_total counter\n",
                    metrics[k].name, metrics[k].help, metrics[k].name);

        for (i = 0; i < NGX_HTTP_MARTECH_DIALECT_SLOTS; i++) {

            if (!ngx_http_martech_status_dialect(sum, i, name)) {
                continue;
            }

            value = (uint64_t *) ((u_char *) &sum->dialects[i]
                                  + metrics[k].offset);

            ngx_http_martech_status_line(w,
                    "martech_dialect_%s_total{dialect=\"%s\"} %uL\n",
                    metrics[k].name, name, *value);
        }
    }
}


/* The name of a dialect; 0: nobody has spoken it. */

static ngx_uint_t
ngx_http_martech_status_dialect(ngx_http_martech_stats_t *sum,
    ngx_uint_t number, char *name)
{
    ngx_http_martech_dialect_stats_t  *stats;

    stats = &sum->dialects[number];

    if ((stats->received | stats->silent) == 0) {
        return 0;
    }

    ngx_http_martech_dialect_name(number, name);

    return 1;
}
