
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * How good the data is: counters in shared memory, for each plan by source and
 * by event of the plan.
 *
 * Workers add with atomic operations and no lock.  So that they seldom meet,
 * the counters of a plan are there several times (copies), each worker has
 * one of them, and a reader adds them up.  Memory that no event has touched is
 * not taken from the system.
 *
 * The name of the zone has a digest of the plan and of its sources: a reload
 * with the same plan goes on with the numbers, and another plan starts anew.
 */


#include "ngx_http_martech.h"


static uint64_t ngx_http_martech_quality_digest(ngx_http_martech_plan_t *plan,
    ngx_pool_t *pool);
static ngx_int_t ngx_http_martech_quality_init(ngx_shm_zone_t *zone,
    void *data);
static ngx_atomic_t *ngx_http_martech_quality_row(
    const ngx_http_martech_plan_t *plan, ngx_uint_t copy, ngx_uint_t source,
    ngx_uint_t row);
static void ngx_http_martech_quality_rules(ngx_atomic_t *row,
    const martech_plan_verdict_t *verdict);
static void ngx_http_martech_quality_absent(ngx_http_martech_plan_work_t *work,
    const martech_plan_t *plan, ngx_atomic_t *row);


ngx_int_t
ngx_http_martech_quality_zone(ngx_conf_t *cf, ngx_http_martech_plan_t *plan)
{
    uint64_t          size;
    ngx_str_t         name;
    ngx_core_conf_t  *ccf;

    if (plan->sources.nelts == 0) {

        /* no location takes events by it */

        return NGX_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);

    size = (uint64_t) plan->offsets[plan->rows] * plan->sources.nelts
           * sizeof(ngx_atomic_t);

    if (size > NGX_HTTP_MARTECH_QUALITY_SIZE_MAX) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "plan \"%V\" with %ui events and %ui sources needs "
                      "%uL bytes for its counters, at most %d are allowed: "
                      "divide the plan, or its sources",
                      &plan->file, plan->rows - 1, plan->sources.nelts, size,
                      NGX_HTTP_MARTECH_QUALITY_SIZE_MAX);
        return NGX_ERROR;
    }

    plan->copies = (ccf->worker_processes > 0)
                    ? ngx_min((ngx_uint_t) ccf->worker_processes,
                              NGX_HTTP_MARTECH_QUALITY_COPIES)
                    : NGX_HTTP_MARTECH_QUALITY_COPIES;

    while (plan->copies > 1
           && size * plan->copies > NGX_HTTP_MARTECH_QUALITY_SIZE_SPLIT)
    {
        plan->copies--;
    }

    name.data = ngx_pnalloc(cf->pool, sizeof("martech_quality_") + 16);

    if (name.data == NULL) {
        return NGX_ERROR;
    }

    name.len = ngx_sprintf(name.data, "martech_quality_%016xL",
                           ngx_http_martech_quality_digest(plan, cf->pool))
               - name.data;

    size *= plan->copies;

    /* NGINX keeps about 24 bytes for each page of its own */

    plan->zone = ngx_shared_memory_add(cf, &name,
                                       size + size / 64 + 16 * ngx_pagesize,
                                       &ngx_http_martech_module);
    if (plan->zone == NULL) {
        return NGX_ERROR;
    }

    plan->zone->data = plan;
    plan->zone->init = ngx_http_martech_quality_init;

    return NGX_OK;
}


/* Of all that the layout of the counters, and their meaning, depends on. */

static uint64_t
ngx_http_martech_quality_digest(ngx_http_martech_plan_t *plan,
    ngx_pool_t *pool)
{
    size_t          size;
    u_char         *p;
    ngx_str_t      *source;
    ngx_uint_t      i;
    martech_str_t   text;

    source = plan->sources.elts;
    size = plan->file.len + 64;

    for (i = 0; i < plan->sources.nelts; i++) {
        size += source[i].len + 1;
    }

    p = ngx_pnalloc(pool, size);

    if (p == NULL) {
        return plan->digest;
    }

    text.data = p;

    p = ngx_sprintf(p, "1 %016xL %ui %V", plan->digest, plan->copies,
                    &plan->file);

    for (i = 0; i < plan->sources.nelts; i++) {
        p = ngx_sprintf(p, " %V", &source[i]);
    }

    text.len = p - text.data;

    return martech_shard_hash(text);
}


static ngx_int_t
ngx_http_martech_quality_init(ngx_shm_zone_t *zone, void *data)
{
    size_t                    size;
    ngx_slab_pool_t          *pool;
    ngx_http_martech_plan_t  *plan, *old;

    plan = zone->data;
    old = data;

    if (old) {
        plan->counters = old->counters;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        plan->counters = pool->data;
        return NGX_OK;
    }

    size = (size_t) plan->offsets[plan->rows] * plan->sources.nelts
           * plan->copies * sizeof(ngx_atomic_t);

    plan->counters = ngx_slab_alloc(pool, size);

    if (plan->counters == NULL) {
        return NGX_ERROR;
    }

#if (NGX_DEBUG_MALLOC)

    /* elsewhere fresh memory is zero already, and should stay untouched */

    ngx_memzero((void *) plan->counters, size);

#endif

    pool->data = (void *) plan->counters;

    return NGX_OK;
}


static ngx_atomic_t *
ngx_http_martech_quality_row(const ngx_http_martech_plan_t *plan,
    ngx_uint_t copy, ngx_uint_t source, ngx_uint_t row)
{
    size_t  n;

    n = (copy % plan->copies) * plan->sources.nelts + source;

    return plan->counters + n * plan->offsets[plan->rows]
           + plan->offsets[row];
}


void
ngx_http_martech_quality_count(ngx_http_martech_plan_work_t *work,
    const ngx_http_martech_plan_use_t *use, const martech_event_t *ev)
{
    ngx_uint_t                     n;
    ngx_atomic_t                  *row;
    const martech_plan_verdict_t  *verdict;

    verdict = &work->verdict;

    n = (verdict->entry >= 0) ? (ngx_uint_t) verdict->entry
                              : use->plan->rows - 1;

    row = ngx_http_martech_quality_row(use->plan, work->copy, use->source,
                                       n);

    (void) ngx_atomic_fetch_add(&row[NGX_HTTP_MARTECH_QUALITY_RECEIVED], 1);

    (void) ngx_atomic_fetch_add(&row[NGX_HTTP_MARTECH_QUALITY_BYTES],
                       ev->batch->tape->nodes[ev->node].len);

    row[NGX_HTTP_MARTECH_QUALITY_LAST] = ev->facts->now_ms / 1000;

    if (verdict->count == 0) {
        (void) ngx_atomic_fetch_add(&row[NGX_HTTP_MARTECH_QUALITY_VALID], 1);

    } else {
        ngx_http_martech_quality_rules(row, verdict);
    }

    if (verdict->action != MARTECH_PLAN_ACCEPT) {
        n = NGX_HTTP_MARTECH_QUALITY_REPORTED + verdict->action
            - MARTECH_PLAN_REPORT;
        (void) ngx_atomic_fetch_add(&row[n], 1);
    }

    if (verdict->held) {
        ngx_http_martech_quality_absent(work, use->plan->plan, row);
    }
}


/* An event counts once for a rule, however often it breaks it. */

static void
ngx_http_martech_quality_rules(ngx_atomic_t *row,
    const martech_plan_verdict_t *verdict)
{
    uint64_t    done;
    unsigned    i;
    ngx_uint_t  n;

    done = 0;

    for (i = 0; i < verdict->count; i++) {
        n = martech_plan_rule(verdict->list[i].rule);

        if (done & ((uint64_t) 1 << n)) {
            continue;
        }

        done |= (uint64_t) 1 << n;

        (void) ngx_atomic_fetch_add(
                               &row[NGX_HTTP_MARTECH_QUALITY_COLUMNS + n], 1);
    }
}


/* Planned fields that are not there, or null. */

static void
ngx_http_martech_quality_absent(ngx_http_martech_plan_work_t *work,
    const martech_plan_t *plan, ngx_atomic_t *row)
{
    uint64_t    bits[MARTECH_PLAN_FIELD_WORDS];
    unsigned    i, fields;
    ngx_uint_t  n;

    if (!martech_plan_nulls(plan, &work->work, &work->verdict, bits)) {
        return;
    }

    (void) ngx_atomic_fetch_add(&row[NGX_HTTP_MARTECH_QUALITY_HELD], 1);

    fields = martech_plan_fields(plan, (unsigned) work->verdict.entry);

    for (i = 0; i < fields; i++) {

        if (bits[i / 64] & ((uint64_t) 1 << i % 64)) {
            n = NGX_HTTP_MARTECH_QUALITY_ABSENT + i;
            (void) ngx_atomic_fetch_add(&row[n], 1);
        }
    }
}


uint64_t
ngx_http_martech_quality_get(const ngx_http_martech_plan_t *plan,
    ngx_uint_t source, ngx_uint_t row, ngx_uint_t column)
{
    uint64_t       sum;
    ngx_uint_t     i;
    ngx_atomic_t  *counters;

    sum = 0;

    for (i = 0; i < plan->copies; i++) {
        counters = ngx_http_martech_quality_row(plan, i, source, row);

        if (column == NGX_HTTP_MARTECH_QUALITY_LAST) {
            sum = ngx_max(sum, counters[column]);

        } else {
            sum += counters[column];
        }
    }

    return sum;
}


unsigned
ngx_http_martech_quality_fields(const ngx_http_martech_plan_t *plan,
    ngx_uint_t row)
{
    /* of unplanned events there are none */

    return plan->offsets[row + 1] - plan->offsets[row]
           - NGX_HTTP_MARTECH_QUALITY_ABSENT;
}


martech_str_t
ngx_http_martech_quality_name(const ngx_http_martech_plan_t *plan,
    ngx_uint_t row, const char **type)
{
    const martech_plan_entry_t  *entry;

    static const char           *types[] = {
        "", "track", "identify", "page", "screen", "group", "alias"
    };
    static const martech_str_t   unplanned = martech_string("(unplanned)");

    if (row == plan->rows - 1) {
        *type = "";
        return unplanned;
    }

    entry = martech_plan_entry(plan->plan, (unsigned) row);
    *type = types[entry->type];

    return entry->name;
}
