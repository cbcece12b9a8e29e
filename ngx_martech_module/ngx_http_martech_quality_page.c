
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The numbers of the plans as JSON: in the status page a line for each plan
 * and source; with "?plan=NAME" the events of a plan, a page at a time; with
 * "?plan=" the lines and the last violations.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_QUALITY_LINES      64   /* of the status page */
#define NGX_HTTP_MARTECH_QUALITY_LINE       2048
#define NGX_HTTP_MARTECH_QUALITY_NAME       128  /* bytes shown of a name */

#define NGX_HTTP_MARTECH_QUALITY_LIMIT      100  /* events of a page */
#define NGX_HTTP_MARTECH_QUALITY_LIMIT_MAX  1000
#define NGX_HTTP_MARTECH_QUALITY_PAGE       (1024 * 1024)     /* bytes */
#define NGX_HTTP_MARTECH_QUALITY_EVENT      4096 /* besides its properties */


/* Which rows a page has. */
typedef struct {
    ngx_http_martech_plan_t  *plan;
    ngx_str_t                 source;      /* empty: all */
    ngx_uint_t                from;        /* source * rows + row */
    ngx_uint_t                next;        /* the first that is left out */
    ngx_uint_t                limit;
    size_t                    size;        /* bytes that it may need */
} ngx_http_martech_quality_page_t;


static ngx_int_t ngx_http_martech_quality_index(ngx_http_request_t *r,
    ngx_http_martech_plans_t *plans, ngx_str_t *page);
static void ngx_http_martech_quality_line(ngx_http_martech_plan_t *plan,
    ngx_uint_t source, martech_json_writer_t *w);
static ngx_http_martech_plan_t *ngx_http_martech_quality_find(
    ngx_http_martech_plans_t *plans, ngx_str_t *name);
static ngx_uint_t ngx_http_martech_quality_number(ngx_http_request_t *r,
    const char *name, ngx_uint_t value, ngx_uint_t max);
static void ngx_http_martech_quality_select(
    ngx_http_martech_quality_page_t *page, u_char *rows);
static ngx_int_t ngx_http_martech_quality_events(ngx_http_request_t *r,
    ngx_http_martech_quality_page_t *page, ngx_str_t *out);
static void ngx_http_martech_quality_event(ngx_http_martech_plan_t *plan,
    ngx_uint_t source, ngx_uint_t row, martech_json_writer_t *w);
static void ngx_http_martech_quality_string(martech_json_writer_t *w,
    const char *name, martech_str_t value);


static const char  *ngx_http_martech_quality_columns[] = {
    "received", "valid", "reported", "quarantined", "rejected", "bytes",
    "last_seen", "held"
};


size_t
ngx_http_martech_quality_size(ngx_http_martech_plans_t *plans)
{
    ngx_uint_t                 i, n;
    ngx_http_martech_plan_t  **plan;

    n = 0;
    plan = plans->plans.elts;

    for (i = 0; i < plans->plans.nelts; i++) {
        n += plan[i]->sources.nelts;
    }

    return ngx_min(n, NGX_HTTP_MARTECH_QUALITY_LINES)
           * NGX_HTTP_MARTECH_QUALITY_LINE + 64;
}


void
ngx_http_martech_quality_json(ngx_http_martech_plans_t *plans,
    martech_json_writer_t *w)
{
    ngx_uint_t                 i, k, n;
    ngx_http_martech_plan_t  **plan;

    n = 0;
    plan = plans->plans.elts;

    martech_json_begin(w, '[');

    for (i = 0; i < plans->plans.nelts; i++) {

        for (k = 0; k < plan[i]->sources.nelts; k++) {

            if (n++ < NGX_HTTP_MARTECH_QUALITY_LINES) {
                ngx_http_martech_quality_line(plan[i], k, w);
            }
        }
    }

    martech_json_end(w, ']');
}


/* A source of a plan: the sums of its rows. */

static void
ngx_http_martech_quality_line(ngx_http_martech_plan_t *plan,
    ngx_uint_t source, martech_json_writer_t *w)
{
    uint64_t       n, sums[NGX_HTTP_MARTECH_QUALITY_COLUMNS];
    ngx_str_t     *name;
    ngx_uint_t     i, k;
    martech_str_t  text;

    ngx_memzero(sums, sizeof(sums));

    for (i = 0; i < plan->rows; i++) {

        if (ngx_http_martech_quality_get(plan, source, i,
                                         NGX_HTTP_MARTECH_QUALITY_RECEIVED)
            == 0)
        {
            continue;
        }

        for (k = 0; k < NGX_HTTP_MARTECH_QUALITY_COLUMNS; k++) {
            n = ngx_http_martech_quality_get(plan, source, i, k);

            sums[k] = (k == NGX_HTTP_MARTECH_QUALITY_LAST)
                      ? ngx_max(sums[k], n) : sums[k] + n;
        }
    }

    name = plan->sources.elts;

    text.data = name[source].data;
    text.len = name[source].len;

    martech_json_begin(w, '{');

    ngx_http_martech_quality_string(w, "plan", martech_plan_name(plan->plan));
    ngx_http_martech_quality_string(w, "version",
                                    martech_plan_version(plan->plan));
    ngx_http_martech_quality_string(w, "source", text);

    for (k = 0; k < NGX_HTTP_MARTECH_QUALITY_HELD; k++) {
        martech_json_name(w, ngx_http_martech_quality_columns[k]);
        martech_json_int(w, (int64_t) sums[k]);
    }

    martech_json_name(w, "unplanned");
    martech_json_int(w, (int64_t) ngx_http_martech_quality_get(plan, source,
                                          plan->rows - 1,
                                          NGX_HTTP_MARTECH_QUALITY_RECEIVED));
    martech_json_end(w, '}');
}


/* NGX_DECLINED: there is no such plan. */

ngx_int_t
ngx_http_martech_quality_page(ngx_http_request_t *r,
    ngx_http_martech_plans_t *plans, ngx_str_t *name, ngx_str_t *out)
{
    u_char                           *dst, *src;
    ngx_str_t                         text;
    ngx_http_martech_quality_page_t   page;

    if (name->len == 0) {
        return ngx_http_martech_quality_index(r, plans, out);
    }

    text.data = ngx_pnalloc(r->pool, name->len);

    if (text.data == NULL) {
        return NGX_ERROR;
    }

    dst = text.data;
    src = name->data;

    ngx_unescape_uri(&dst, &src, name->len, 0);
    text.len = dst - text.data;

    ngx_memzero(&page, sizeof(ngx_http_martech_quality_page_t));

    page.plan = ngx_http_martech_quality_find(plans, &text);

    if (page.plan == NULL) {
        return NGX_DECLINED;
    }

    page.from = ngx_http_martech_quality_number(r, "from", 0,
                                                NGX_MAX_INT_T_VALUE);
    page.limit = ngx_http_martech_quality_number(r, "limit",
                                          NGX_HTTP_MARTECH_QUALITY_LIMIT,
                                          NGX_HTTP_MARTECH_QUALITY_LIMIT_MAX);
    page.limit = ngx_max(page.limit, 1);

    if (ngx_http_arg(r, (u_char *) "source", 6, &page.source) != NGX_OK) {
        ngx_str_null(&page.source);
    }

    return ngx_http_martech_quality_events(r, &page, out);
}


static ngx_int_t
ngx_http_martech_quality_index(ngx_http_request_t *r,
    ngx_http_martech_plans_t *plans, ngx_str_t *page)
{
    size_t                 size;
    martech_json_writer_t  w;

    size = ngx_http_martech_quality_size(plans)
           + ngx_http_martech_violations_size();

    page->data = ngx_pnalloc(r->pool, size);

    if (page->data == NULL) {
        return NGX_ERROR;
    }

    martech_json_writer_init(&w, page->data, size);

    martech_json_begin(&w, '{');
    martech_json_name(&w, "plans");
    ngx_http_martech_quality_json(plans, &w);
    martech_json_name(&w, "violations");

    if (ngx_http_martech_violations_json(r->pool, plans, &w) != NGX_OK) {
        return NGX_ERROR;
    }

    martech_json_end(&w, '}');
    martech_json_bytes(&w, "\n", 1);

    page->len = w.pos - page->data;

    return w.overflow ? NGX_ERROR : NGX_OK;
}


static ngx_http_martech_plan_t *
ngx_http_martech_quality_find(ngx_http_martech_plans_t *plans,
    ngx_str_t *name)
{
    ngx_uint_t                 i;
    martech_str_t              s;
    ngx_http_martech_plan_t  **plan;

    plan = plans->plans.elts;

    for (i = 0; i < plans->plans.nelts; i++) {
        s = martech_plan_name(plan[i]->plan);

        if (plan[i]->sources.nelts > 0 && s.len == name->len
            && ngx_memcmp(s.data, name->data, s.len) == 0)
        {
            return plan[i];
        }
    }

    return NULL;
}


/* A number of the query; the default if there is none. */

static ngx_uint_t
ngx_http_martech_quality_number(ngx_http_request_t *r, const char *name,
    ngx_uint_t value, ngx_uint_t max)
{
    ngx_int_t  n;
    ngx_str_t  s;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &s) != NGX_OK) {
        return value;
    }

    n = ngx_atoi(s.data, s.len);

    return (n == NGX_ERROR) ? value : ngx_min((ngx_uint_t) n, max);
}


/* A page ends before it gets too large, but has at least one event. */

static ngx_int_t
ngx_http_martech_quality_events(ngx_http_request_t *r,
    ngx_http_martech_quality_page_t *page, ngx_str_t *out)
{
    u_char                 *rows;
    ngx_uint_t              i, count;
    martech_json_writer_t   w;

    count = page->plan->rows * page->plan->sources.nelts;

    /* a byte for each row: which of them are shown */

    rows = ngx_pcalloc(r->pool, count);

    if (rows == NULL) {
        return NGX_ERROR;
    }

    ngx_http_martech_quality_select(page, rows);

    out->data = ngx_pnalloc(r->pool, page->size);

    if (out->data == NULL) {
        return NGX_ERROR;
    }

    martech_json_writer_init(&w, out->data, page->size);

    martech_json_begin(&w, '{');
    ngx_http_martech_quality_string(&w, "plan",
                                    martech_plan_name(page->plan->plan));
    ngx_http_martech_quality_string(&w, "version",
                                    martech_plan_version(page->plan->plan));
    martech_json_name(&w, "events");
    martech_json_begin(&w, '[');

    for (i = page->from; i < page->next; i++) {

        if (rows[i]) {
            ngx_http_martech_quality_event(page->plan, i / page->plan->rows,
                                           i % page->plan->rows, &w);
        }
    }

    martech_json_end(&w, ']');

    if (page->next < count) {
        martech_json_name(&w, "next");
        martech_json_int(&w, (int64_t) page->next);
    }

    martech_json_end(&w, '}');
    martech_json_bytes(&w, "\n", 1);

    out->len = w.pos - out->data;

    return w.overflow ? NGX_ERROR : NGX_OK;
}


static void
ngx_http_martech_quality_select(ngx_http_martech_quality_page_t *page,
    u_char *rows)
{
    size_t                    size;
    unsigned                  k;
    ngx_str_t                *source;
    ngx_uint_t                i, n, row;
    martech_str_t             name;
    const char               *type;
    ngx_http_martech_plan_t  *plan;

    plan = page->plan;
    source = plan->sources.elts;
    page->size = NGX_HTTP_MARTECH_QUALITY_LINE;
    n = 0;

    for (i = page->from; i < plan->rows * plan->sources.nelts; i++) {
        row = i % plan->rows;

        if ((page->source.len > 0
             && (source[i / plan->rows].len != page->source.len
                 || ngx_memcmp(source[i / plan->rows].data, page->source.data,
                               page->source.len) != 0))
            || ngx_http_martech_quality_get(plan, i / plan->rows, row,
                                            NGX_HTTP_MARTECH_QUALITY_RECEIVED)
               == 0)
        {
            continue;
        }

        name = ngx_http_martech_quality_name(plan, row, &type);
        size = NGX_HTTP_MARTECH_QUALITY_EVENT + 6 * name.len;

        for (k = 0; k < ngx_http_martech_quality_fields(plan, row); k++) {
            size += 6 * martech_plan_field(plan->plan, (unsigned) row, k).len
                    + 32;
        }

        if (n > 0 && (n == page->limit
                      || page->size + size > NGX_HTTP_MARTECH_QUALITY_PAGE))
        {
            break;
        }

        rows[i] = 1;
        n++;
        page->size += size;
    }

    page->next = i;
}


static void
ngx_http_martech_quality_event(ngx_http_martech_plan_t *plan,
    ngx_uint_t source, ngx_uint_t row, martech_json_writer_t *w)
{
    unsigned        i, n;
    uint64_t        value;
    ngx_str_t      *sources;
    const char     *type;
    martech_str_t   name;

    sources = plan->sources.elts;
    name = ngx_http_martech_quality_name(plan, row, &type);

    martech_json_begin(w, '{');
    martech_json_name(w, "source");
    martech_json_string(w, sources[source].data, sources[source].len);
    martech_json_name(w, "type");
    martech_json_cstring(w, type);
    martech_json_name(w, "event");
    martech_json_string(w, name.data, name.len);

    for (i = 0; i < NGX_HTTP_MARTECH_QUALITY_COLUMNS; i++) {
        martech_json_name(w, ngx_http_martech_quality_columns[i]);
        martech_json_int(w, (int64_t) ngx_http_martech_quality_get(plan,
                                                            source, row, i));
    }

    martech_json_name(w, "violating");
    martech_json_begin(w, '{');

    for (i = 0; i < MARTECH_PLAN_RULES; i++) {
        value = ngx_http_martech_quality_get(plan, source, row,
                                       NGX_HTTP_MARTECH_QUALITY_COLUMNS + i);
        if (value > 0) {
            martech_json_name(w, martech_plan_rule_name(i));
            martech_json_int(w, (int64_t) value);
        }
    }

    martech_json_end(w, '}');

    n = ngx_http_martech_quality_fields(plan, row);

    martech_json_name(w, "absent");
    martech_json_begin(w, '{');

    for (i = 0; i < n; i++) {
        name = martech_plan_field(plan->plan, (unsigned) row, i);

        /* a name of the plan is a value to the writer: it escapes it */

        martech_json_string(w, name.data, name.len);
        martech_json_bytes(w, ":", 1);
        w->comma = 0;
        martech_json_int(w, (int64_t) ngx_http_martech_quality_get(plan,
                              source, row,
                              NGX_HTTP_MARTECH_QUALITY_ABSENT + i));
    }

    martech_json_end(w, '}');
    martech_json_end(w, '}');
}


static void
ngx_http_martech_quality_string(martech_json_writer_t *w, const char *name,
    martech_str_t value)
{
    martech_json_name(w, name);
    martech_json_string(w, value.data,
                        ngx_min(value.len, NGX_HTTP_MARTECH_QUALITY_NAME));
}
