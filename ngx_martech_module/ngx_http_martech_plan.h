
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tracking plans on the NGINX side: which plan holds for which source of a
 * location, what becomes of an event that breaks it, and the numbers that tell
 * how good the data is.
 *
 *     plan_conf   martech_plan, martech_quarantine: files, compiled once
 *     plan        one event
 *     quality     counters in shared memory, by source and event of the plan
 *     violations  the last ones
 *     quality_page, quality_metrics: what the status location shows of them
 */


#ifndef _NGX_HTTP_MARTECH_PLAN_H_INCLUDED_
#define _NGX_HTTP_MARTECH_PLAN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "martech_edit.h"
#include "martech_event.h"
#include "martech_plan.h"


#define NGX_HTTP_MARTECH_QUARANTINE_MAX      100000     /* entries of a shard */

#define NGX_HTTP_MARTECH_POINTER_MAX         MARTECH_PLAN_POINTER_MAX

/* bytes of counters of one plan; and up to where workers have their own */
#define NGX_HTTP_MARTECH_QUALITY_SIZE_MAX    (256 * 1024 * 1024)
#define NGX_HTTP_MARTECH_QUALITY_SIZE_SPLIT  (64 * 1024 * 1024)
#define NGX_HTTP_MARTECH_QUALITY_COPIES      8

#define NGX_HTTP_MARTECH_VIOLATIONS          50         /* that are shown */


/* A row of counters; those of rules and of fields follow. */
typedef enum {
    NGX_HTTP_MARTECH_QUALITY_RECEIVED = 0,
    NGX_HTTP_MARTECH_QUALITY_VALID,
    NGX_HTTP_MARTECH_QUALITY_REPORTED,
    NGX_HTTP_MARTECH_QUALITY_QUARANTINED,
    NGX_HTTP_MARTECH_QUALITY_REJECTED,
    NGX_HTTP_MARTECH_QUALITY_BYTES,        /* of events as sent */
    NGX_HTTP_MARTECH_QUALITY_LAST,         /* s, wall clock */
    NGX_HTTP_MARTECH_QUALITY_HELD,         /* events looked at for fields */
    NGX_HTTP_MARTECH_QUALITY_COLUMNS
} ngx_http_martech_quality_e;

#define NGX_HTTP_MARTECH_QUALITY_ABSENT                                       \
    (NGX_HTTP_MARTECH_QUALITY_COLUMNS + MARTECH_PLAN_RULES)


/* A plan file; one for all locations that name it. */
typedef struct {
    ngx_str_t        file;                 /* full name */
    martech_plan_t  *plan;
    uint64_t         digest;               /* of the file */
    ngx_array_t      sources;              /* ngx_str_t: whose numbers we keep,
                                              in this order */

    /* numbers, by copy, source, row; the last row is of unplanned events */
    ngx_uint_t       rows;
    uint32_t        *offsets;              /* rows + 1 */
    ngx_uint_t       copies;
    ngx_atomic_t    *counters;
    ngx_shm_zone_t  *zone;
} ngx_http_martech_plan_t;


/* One martech_plan of a configuration level. */
typedef struct {
    ngx_http_martech_plan_t  *plan;
    ngx_str_t                 source;      /* empty: all others */
    ngx_uint_t                used;        /* there is such a source */
} ngx_http_martech_plan_rule_t;


/* The plan of a source of a location. */
typedef struct {
    ngx_http_martech_plan_t  *plan;        /* NULL: none */
    ngx_uint_t                source;      /* in plan->sources */
} ngx_http_martech_plan_use_t;


/* What is needed for one event at a time; of the worker. */
typedef struct {
    martech_plan_work_t       work;
    martech_plan_verdict_t    verdict;
    char                      text[MARTECH_PLAN_TEXT_MAX];
    ngx_uint_t                copy;
} ngx_http_martech_plan_work_t;


/* What the plan has said of an event. */
typedef struct {
    martech_plan_action_t        action;
    const martech_plan_entry_t  *entry;    /* NULL: unplanned, or no plan */
    martech_str_t                members;  /* of context.martech, good until
                                              the next event; or empty */
    const char                  *rule;     /* of a rejected one, else NULL */
} ngx_http_martech_judgement_t;


typedef struct ngx_http_martech_plans_s  ngx_http_martech_plans_t;

/* All plans of a configuration. */
struct ngx_http_martech_plans_s {
    ngx_array_t      plans;                /* ngx_http_martech_plan_t * */
    ngx_array_t      rules;                /* ngx_http_martech_plan_rule_t * */
    ngx_shm_zone_t  *violations;
};


#endif /* _NGX_HTTP_MARTECH_PLAN_H_INCLUDED_ */
