
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The numbers of the plans as Prometheus text.  Labels come from the
 * configuration and from plans, never from events, and the number of series
 * has a bound: of rows that have received something, in the order of the
 * configuration, as many are shown as fit.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_METRICS_SERIES  10000
#define NGX_HTTP_MARTECH_METRICS_BUF     65536
#define NGX_HTTP_MARTECH_METRICS_LINE    4096
#define NGX_HTTP_MARTECH_METRICS_LABEL   200     /* bytes of a label's value */


typedef struct {
    ngx_http_martech_plan_t  *plan;
    ngx_uint_t                source;
    ngx_uint_t                row;
} ngx_http_martech_metrics_row_t;


typedef struct {
    ngx_pool_t               *pool;
    ngx_chain_t             **last;
    ngx_buf_t                *buf;
    size_t                    len;
    ngx_array_t               rows;
    unsigned                  failed:1;    /* no memory */
} ngx_http_martech_metrics_t;


static ngx_int_t ngx_http_martech_metrics_rows(ngx_http_martech_metrics_t *m,
    ngx_http_martech_plans_t *plans);
static ngx_uint_t ngx_http_martech_metrics_cost(
    const ngx_http_martech_metrics_row_t *row);
static void ngx_http_martech_metrics_family(ngx_http_martech_metrics_t *m,
    ngx_uint_t first, ngx_uint_t n, const char *name, const char *type,
    const char *help, const char **labels);
static void ngx_http_martech_metrics_rules(ngx_http_martech_metrics_t *m);
static void ngx_http_martech_metrics_fields(ngx_http_martech_metrics_t *m);
static void ngx_http_martech_metrics_announce(ngx_http_martech_metrics_t *m,
    const char *name, const char *type, const char *help);
static void ngx_http_martech_metrics_series(ngx_http_martech_metrics_t *m,
    const ngx_http_martech_metrics_row_t *row, const char *name,
    const char *label, martech_str_t value, ngx_uint_t column);
static u_char *ngx_http_martech_metrics_label(u_char *p, const u_char *data,
    size_t len);
static u_char *ngx_http_martech_metrics_room(ngx_http_martech_metrics_t *m);


ngx_int_t
ngx_http_martech_quality_metrics(ngx_pool_t *pool,
    ngx_http_martech_plans_t *plans, ngx_chain_t **out, size_t *len)
{
    ngx_http_martech_metrics_t   m;

    static const char           *actions[] = {
        "report", "quarantine", "reject"
    };

    *out = NULL;
    *len = 0;

    if (plans->plans.nelts == 0) {
        return NGX_OK;
    }

    ngx_memzero(&m, sizeof(ngx_http_martech_metrics_t));

    m.pool = pool;
    m.last = out;

    if (ngx_http_martech_metrics_rows(&m, plans) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_martech_metrics_family(&m, NGX_HTTP_MARTECH_QUALITY_RECEIVED, 1,
             "plan_events_total", "counter", "events by event of a plan",
             NULL);
    ngx_http_martech_metrics_family(&m, NGX_HTTP_MARTECH_QUALITY_VALID, 1,
             "plan_events_valid_total", "counter", "those without a violation",
             NULL);
    ngx_http_martech_metrics_family(&m, NGX_HTTP_MARTECH_QUALITY_REPORTED, 3,
             "plan_events_violating_total", "counter",
             "those with one, by what became of them", actions);
    ngx_http_martech_metrics_rules(&m);
    ngx_http_martech_metrics_family(&m, NGX_HTTP_MARTECH_QUALITY_BYTES, 1,
             "plan_bytes_total", "counter", "bytes of events as sent", NULL);
    ngx_http_martech_metrics_family(&m, NGX_HTTP_MARTECH_QUALITY_LAST, 1,
             "plan_last_seen_seconds", "gauge", "when the last one came",
             NULL);
    ngx_http_martech_metrics_family(&m, NGX_HTTP_MARTECH_QUALITY_HELD, 1,
             "plan_events_held_total", "counter",
             "events held against a schema", NULL);
    ngx_http_martech_metrics_fields(&m);

    *len = m.len;

    return m.failed ? NGX_ERROR : NGX_OK;
}


/* The rows that are shown, and how many are not. */

static ngx_int_t
ngx_http_martech_metrics_rows(ngx_http_martech_metrics_t *m,
    ngx_http_martech_plans_t *plans)
{
    u_char                          *p;
    ngx_uint_t                       i, k, n, left, series, cost;
    ngx_http_martech_plan_t        **plan;
    ngx_http_martech_metrics_row_t  *slot, row;

    if (ngx_array_init(&m->rows, m->pool, 64,
                       sizeof(ngx_http_martech_metrics_row_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    left = 0;
    series = 0;
    plan = plans->plans.elts;

    for (i = 0; i < plans->plans.nelts; i++) {
        n = plan[i]->rows * plan[i]->sources.nelts;

        for (k = 0; k < n; k++) {
            row.plan = plan[i];
            row.source = k / plan[i]->rows;
            row.row = k % plan[i]->rows;

            if (ngx_http_martech_quality_get(row.plan, row.source, row.row,
                                          NGX_HTTP_MARTECH_QUALITY_RECEIVED)
                == 0)
            {
                continue;
            }

            cost = ngx_http_martech_metrics_cost(&row);

            if (series + cost > NGX_HTTP_MARTECH_METRICS_SERIES) {
                left++;
                continue;
            }

            slot = ngx_array_push(&m->rows);

            if (slot == NULL) {
                return NGX_ERROR;
            }

            *slot = row;
            series += cost;
        }
    }

    ngx_http_martech_metrics_announce(m, "plan_events_left_out", "gauge",
                                      "events of plans that are not shown, "
                                      "there are too many");

    p = ngx_http_martech_metrics_room(m);

    if (p) {
        n = ngx_sprintf(p, "martech_plan_events_left_out %ui\n", left) - p;
        m->buf->last += n;
        m->len += n;
    }

    return NGX_OK;
}


/* How many series a row has. */

static ngx_uint_t
ngx_http_martech_metrics_cost(const ngx_http_martech_metrics_row_t *row)
{
    ngx_uint_t  i, n;

    n = NGX_HTTP_MARTECH_QUALITY_COLUMNS
        + ngx_http_martech_quality_fields(row->plan, row->row);

    for (i = 0; i < MARTECH_PLAN_RULES; i++) {

        if (ngx_http_martech_quality_get(row->plan, row->source, row->row,
                                         NGX_HTTP_MARTECH_QUALITY_COLUMNS + i)
            > 0)
        {
            n++;
        }
    }

    return n;
}


/* Columns of all rows, told apart by a label "action" if there are several. */

static void
ngx_http_martech_metrics_family(ngx_http_martech_metrics_t *m,
    ngx_uint_t first, ngx_uint_t n, const char *name, const char *type,
    const char *help, const char **labels)
{
    ngx_uint_t                       i, k;
    martech_str_t                    value;
    ngx_http_martech_metrics_row_t  *row;

    ngx_http_martech_metrics_announce(m, name, type, help);

    row = m->rows.elts;
    value.data = NULL;
    value.len = 0;

    for (i = 0; i < m->rows.nelts; i++) {

        for (k = 0; k < n; k++) {

            if (labels) {
                value.data = (const u_char *) labels[k];
                value.len = ngx_strlen(labels[k]);
            }

            ngx_http_martech_metrics_series(m, &row[i], name,
                                            labels ? "action" : NULL, value,
                                            first + k);
        }
    }
}


static void
ngx_http_martech_metrics_rules(ngx_http_martech_metrics_t *m)
{
    ngx_uint_t                       i, k, column;
    martech_str_t                    value;
    ngx_http_martech_metrics_row_t  *row;

    ngx_http_martech_metrics_announce(m, "plan_violations_total", "counter",
                                      "events that broke a rule of a plan");
    row = m->rows.elts;

    for (i = 0; i < m->rows.nelts; i++) {

        for (k = 0; k < MARTECH_PLAN_RULES; k++) {
            column = NGX_HTTP_MARTECH_QUALITY_COLUMNS + k;

            if (ngx_http_martech_quality_get(row[i].plan, row[i].source,
                                             row[i].row, column)
                == 0)
            {
                continue;
            }

            value.data = (const u_char *)
                             martech_plan_rule_name((unsigned) k);
            value.len = ngx_strlen(value.data);

            ngx_http_martech_metrics_series(m, &row[i],
                                            "plan_violations_total", "rule",
                                            value, column);
        }
    }
}


static void
ngx_http_martech_metrics_fields(ngx_http_martech_metrics_t *m)
{
    unsigned                         k;
    ngx_uint_t                       i;
    martech_str_t                    value;
    ngx_http_martech_metrics_row_t  *row;

    ngx_http_martech_metrics_announce(m, "plan_field_absent_total", "counter",
                                      "of events held against a schema: "
                                      "those without the field, or with null");
    row = m->rows.elts;

    for (i = 0; i < m->rows.nelts; i++) {

        for (k = 0;
             k < ngx_http_martech_quality_fields(row[i].plan, row[i].row);
             k++)
        {
            value = martech_plan_field(row[i].plan->plan,
                                       (unsigned) row[i].row, k);

            ngx_http_martech_metrics_series(m, &row[i],
                                       "plan_field_absent_total", "field",
                                       value,
                                       NGX_HTTP_MARTECH_QUALITY_ABSENT + k);
        }
    }
}


static void
ngx_http_martech_metrics_announce(ngx_http_martech_metrics_t *m,
    const char *name, const char *type, const char *help)
{
    u_char  *p, *start;

    start = ngx_http_martech_metrics_room(m);

    if (start == NULL) {
        return;
    }

    p = ngx_snprintf(start, NGX_HTTP_MARTECH_METRICS_LINE,
                     "# HELP martech_%s %s\n# TYPE martech_%s %s\n",
                     name, help, name, type);

    m->buf->last = p;
    m->len += p - start;
}


static void
ngx_http_martech_metrics_series(ngx_http_martech_metrics_t *m,
    const ngx_http_martech_metrics_row_t *row, const char *name,
    const char *label, martech_str_t value, ngx_uint_t column)
{
    u_char         *p, *start;
    ngx_str_t      *source;
    const char     *type;
    martech_str_t   plan, event;

    p = ngx_http_martech_metrics_room(m);

    if (p == NULL) {
        return;
    }

    start = p;
    source = row->plan->sources.elts;
    plan = martech_plan_name(row->plan->plan);
    event = ngx_http_martech_quality_name(row->plan, row->row, &type);

    p = ngx_sprintf(p, "martech_%s{plan=\"", name);
    p = ngx_http_martech_metrics_label(p, plan.data, plan.len);
    p = ngx_sprintf(p, "\",source=\"%V\",type=\"%s\",event=\"",
                    &source[row->source], type);
    p = ngx_http_martech_metrics_label(p, event.data, event.len);

    if (label) {
        p = ngx_sprintf(p, "\",%s=\"", label);
        p = ngx_http_martech_metrics_label(p, value.data, value.len);
    }

    p = ngx_sprintf(p, "\"} %uL\n",
                    ngx_http_martech_quality_get(row->plan, row->source,
                                                 row->row, column));
    m->buf->last = p;
    m->len += p - start;
}


/* Cut between two characters, and escaped as the format has it. */

static u_char *
ngx_http_martech_metrics_label(u_char *p, const u_char *data, size_t len)
{
    size_t  i;

    if (len > NGX_HTTP_MARTECH_METRICS_LABEL) {
        len = NGX_HTTP_MARTECH_METRICS_LABEL;

        while (len > 0 && (data[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    for (i = 0; i < len; i++) {

        if (data[i] == '\n') {
            *p++ = '\\';
            *p++ = 'n';
            continue;
        }

        if (data[i] == '"' || data[i] == '\\') {
            *p++ = '\\';
        }

        *p++ = data[i];
    }

    return p;
}


/* Room for a line; NULL without memory. */

static u_char *
ngx_http_martech_metrics_room(ngx_http_martech_metrics_t *m)
{
    ngx_chain_t  *cl;

    if (m->failed) {
        return NULL;
    }

    if (m->buf && m->buf->end - m->buf->last >= NGX_HTTP_MARTECH_METRICS_LINE)
    {
        return m->buf->last;
    }

    cl = ngx_alloc_chain_link(m->pool);
    m->buf = ngx_create_temp_buf(m->pool, NGX_HTTP_MARTECH_METRICS_BUF);

    if (cl == NULL || m->buf == NULL) {
        m->failed = 1;
        return NULL;
    }

    cl->buf = m->buf;
    cl->next = NULL;

    *m->last = cl;
    m->last = &cl->next;

    return m->buf->last;
}
