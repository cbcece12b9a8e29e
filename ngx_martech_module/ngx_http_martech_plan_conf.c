
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * martech_plan and martech_quarantine.  A plan file is read and compiled once
 * for a configuration, however many locations name it, and freed with it.  A
 * location looks up the plan of a source by the source's number.
 */


#include "ngx_http_martech.h"


static ngx_http_martech_plan_t *ngx_http_martech_plan_open(ngx_conf_t *cf,
    ngx_str_t *file);
static ngx_int_t ngx_http_martech_plan_read(ngx_conf_t *cf,
    ngx_http_martech_plan_t *plan);
static void ngx_http_martech_plan_cleanup(void *data);
static ngx_int_t ngx_http_martech_plan_layout(ngx_conf_t *cf,
    ngx_http_martech_plan_t *plan);
static char *ngx_http_martech_plan_add(ngx_conf_t *cf, ngx_array_t *rules,
    ngx_http_martech_plan_t *plan, ngx_str_t *source);
static ngx_int_t ngx_http_martech_plan_distinct(ngx_conf_t *cf,
    ngx_http_martech_plan_t **plan, ngx_uint_t n);
static ngx_int_t ngx_http_martech_plan_use(
    ngx_http_martech_plan_use_t *use, ngx_array_t *rules, ngx_str_t *source);


char *
ngx_http_martech_plan(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    char                     *rv;
    ngx_str_t                *value, s;
    ngx_uint_t                i, n;
    ngx_http_martech_plan_t  *plan;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0 && cf->args->nelts == 2) {

        if (mlcf->plans != NGX_CONF_UNSET_PTR) {
            return "is duplicate";
        }

        mlcf->plans = NULL;

        return NGX_CONF_OK;
    }

    if (mlcf->plans == NULL) {
        return "stands beside \"martech_plan off\"";
    }

    if (mlcf->plans == NGX_CONF_UNSET_PTR) {
        mlcf->plans = ngx_array_create(cf->pool, 4,
                                       sizeof(ngx_http_martech_plan_rule_t *));
        if (mlcf->plans == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    plan = ngx_http_martech_plan_open(cf, &value[1]);

    if (plan == NULL) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        ngx_str_null(&s);
        return ngx_http_martech_plan_add(cf, mlcf->plans, plan, &s);
    }

    n = cf->args->nelts;

    for (i = 2; i < n; i++) {

        if (!ngx_http_martech_conf_value(&value[i], "source", &s)
            || s.len == 0)
        {
            return ngx_http_martech_conf_invalid(cf, &value[i],
                                                 "it must be source=NAME");
        }

        rv = ngx_http_martech_plan_add(cf, mlcf->plans, plan, &s);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


/* A source has one plan at a level, and so have all that are not named. */

static char *
ngx_http_martech_plan_add(ngx_conf_t *cf, ngx_array_t *rules,
    ngx_http_martech_plan_t *plan, ngx_str_t *source)
{
    ngx_uint_t                      i;
    ngx_http_martech_plan_rule_t   *rule, **entry;
    ngx_http_martech_main_conf_t   *mmcf;

    entry = rules->elts;

    for (i = 0; i < rules->nelts; i++) {

        if (entry[i]->source.len != source->len
            || ngx_strncmp(entry[i]->source.data, source->data, source->len)
               != 0)
        {
            continue;
        }

        if (source->len == 0) {
            return "is duplicate: there is a plan for all sources already";
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "source \"%V\" has a plan already, \"%V\"",
                           source, &entry[i]->plan->file);
        return NGX_CONF_ERROR;
    }

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_martech_module);

    rule = ngx_pcalloc(cf->pool, sizeof(ngx_http_martech_plan_rule_t));
    entry = ngx_array_push(rules);

    if (rule == NULL || entry == NULL) {
        return NGX_CONF_ERROR;
    }

    *entry = rule;
    rule->plan = plan;
    rule->source = *source;

    entry = ngx_array_push(&mmcf->plans.rules);

    if (entry == NULL) {
        return NGX_CONF_ERROR;
    }

    *entry = rule;

    return NGX_CONF_OK;
}


/* The plan of a file, which may have been read for another location. */

static ngx_http_martech_plan_t *
ngx_http_martech_plan_open(ngx_conf_t *cf, ngx_str_t *file)
{
    ngx_str_t                      name;
    ngx_uint_t                     i;
    ngx_http_martech_plan_t       *plan, **entry;
    ngx_http_martech_main_conf_t  *mmcf;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_martech_module);
    name = *file;

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NULL;
    }

    if (mmcf->plans.plans.elts == NULL
        && (ngx_array_init(&mmcf->plans.plans, cf->pool, 4,
                           sizeof(ngx_http_martech_plan_t *)) != NGX_OK
            || ngx_array_init(&mmcf->plans.rules, cf->pool, 4,
                              sizeof(ngx_http_martech_plan_rule_t *))
               != NGX_OK))
    {
        return NULL;
    }

    entry = mmcf->plans.plans.elts;

    for (i = 0; i < mmcf->plans.plans.nelts; i++) {

        if (entry[i]->file.len == name.len
            && ngx_strncmp(entry[i]->file.data, name.data, name.len) == 0)
        {
            return entry[i];
        }
    }

    plan = ngx_pcalloc(cf->pool, sizeof(ngx_http_martech_plan_t));

    if (plan == NULL
        || ngx_array_init(&plan->sources, cf->pool, 4, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NULL;
    }

    plan->file = name;

    if (ngx_http_martech_plan_read(cf, plan) != NGX_OK
        || ngx_http_martech_plan_layout(cf, plan) != NGX_OK)
    {
        return NULL;
    }

    entry = ngx_array_push(&mmcf->plans.plans);

    if (entry == NULL) {
        return NULL;
    }

    *entry = plan;

    return plan;
}


/* The text is not needed any more once it is compiled. */

static ngx_int_t
ngx_http_martech_plan_read(ngx_conf_t *cf, ngx_http_martech_plan_t *plan)
{
    ngx_str_t              path, content;
    ngx_pool_t            *pool;
    martech_str_t          text;
    ngx_pool_cleanup_t    *cln;
    martech_plan_error_t   err;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, cf->log);

    if (pool == NULL) {
        return NGX_ERROR;
    }

    path = plan->file;

    if (ngx_http_martech_conf_load(cf, pool, &path, MARTECH_PLAN_SIZE_MAX,
                                   &content)
        != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    text.data = content.data;
    text.len = content.len;
    plan->digest = martech_shard_hash(text);

    ngx_memzero(&err, sizeof(martech_plan_error_t));

    plan->plan = martech_plan_compile(content.data, content.len, &err);

    ngx_destroy_pool(pool);

    if (plan->plan == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "plan \"%V\" is wrong at \"%s\": %s",
                           &plan->file, err.pointer,
                           err.reason[0] ? err.reason : "no memory");
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (cln == NULL) {
        martech_plan_free(plan->plan);
        return NGX_ERROR;
    }

    cln->handler = ngx_http_martech_plan_cleanup;
    cln->data = plan;

    return NGX_OK;
}


static void
ngx_http_martech_plan_cleanup(void *data)
{
    ngx_http_martech_plan_t *plan = data;

    martech_plan_free(plan->plan);
    plan->plan = NULL;
}


/* Where the counters of a row begin: each has a column for its fields. */

static ngx_int_t
ngx_http_martech_plan_layout(ngx_conf_t *cf, ngx_http_martech_plan_t *plan)
{
    ngx_uint_t  i, n, entries;

    entries = martech_plan_entries(plan->plan);

    plan->rows = entries + 1;
    plan->offsets = ngx_palloc(cf->pool,
                               (plan->rows + 1) * sizeof(uint32_t));

    if (plan->offsets == NULL) {
        return NGX_ERROR;
    }

    plan->offsets[0] = 0;

    for (i = 0; i < plan->rows; i++) {
        n = (i < entries) ? martech_plan_fields(plan->plan, (unsigned) i) : 0;

        plan->offsets[i + 1] = plan->offsets[i]
                              + NGX_HTTP_MARTECH_QUALITY_ABSENT + (uint32_t) n;
    }

    return NGX_OK;
}


char *
ngx_http_martech_quarantine(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_main_conf_t *mmcf = conf;

    ngx_int_t   n;
    ngx_str_t  *value, s;

    if (mmcf->quarantine != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (!ngx_http_martech_conf_value(&value[1], "max", &s)) {
        return ngx_http_martech_conf_invalid(cf, &value[1], "it must be max=");
    }

    n = ngx_atoi(s.data, s.len);

    if (n == NGX_ERROR || n < 100 || n > 100000000) {
        return ngx_http_martech_conf_invalid(cf, &value[1],
                                             "it must be 100 to 100000000");
    }

    mmcf->quarantine = n;

    return NGX_CONF_OK;
}


char *
ngx_http_martech_plan_merge(ngx_conf_t *cf, ngx_http_martech_loc_conf_t *prev,
    ngx_http_martech_loc_conf_t *conf)
{
    ngx_str_t                    *name;
    ngx_uint_t                    i, n;
    ngx_http_martech_source_t   **source;
    ngx_http_martech_plan_use_t  *use;

    ngx_conf_merge_ptr_value(conf->plans, prev->plans, NULL);

    if ((!conf->collect && conf->observed == NULL) || conf->plans == NULL) {
        return NGX_CONF_OK;
    }

    n = conf->sources ? conf->sources->sources.nelts : 1;
    source = conf->sources ? conf->sources->sources.elts : NULL;

    use = ngx_pcalloc(cf->pool, n * sizeof(ngx_http_martech_plan_use_t));

    if (use == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->uses = use;

    for (i = 0; i < n; i++) {
        name = source ? &source[i]->name
                      : &ngx_http_martech_source_default()->name;

        if (ngx_http_martech_plan_use(&use[i], conf->plans, name) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* The rule that names the source wins. */

static ngx_int_t
ngx_http_martech_plan_use(ngx_http_martech_plan_use_t *use,
    ngx_array_t *rules, ngx_str_t *source)
{
    ngx_str_t                      *name;
    ngx_uint_t                      i;
    ngx_http_martech_plan_rule_t  **rule;

    rule = rules->elts;

    for (i = 0; i < rules->nelts; i++) {

        if (rule[i]->source.len == 0) {

            if (use->plan == NULL) {
                use->plan = rule[i]->plan;
            }

        } else if (rule[i]->source.len == source->len
                   && ngx_strncmp(rule[i]->source.data, source->data,
                                  source->len) == 0)
        {
            rule[i]->used = 1;
            use->plan = rule[i]->plan;
            break;
        }
    }

    if (use->plan == NULL) {
        return NGX_OK;
    }

    name = use->plan->sources.elts;

    for (i = 0; i < use->plan->sources.nelts; i++) {

        if (name[i].len == source->len
            && ngx_strncmp(name[i].data, source->data, source->len) == 0)
        {
            use->source = i;
            return NGX_OK;
        }
    }

    name = ngx_array_push(&use->plan->sources);

    if (name == NULL) {
        return NGX_ERROR;
    }

    *name = *source;
    use->source = i;

    return NGX_OK;
}


ngx_int_t
ngx_http_martech_plan_prepare(ngx_conf_t *cf,
    ngx_http_martech_main_conf_t *mmcf)
{
    ngx_uint_t                      i;
    ngx_http_martech_plan_t       **plan;
    ngx_http_martech_plan_rule_t  **rule;

    if (mmcf->plans.plans.nelts == 0) {
        return NGX_OK;
    }

    rule = mmcf->plans.rules.elts;

    for (i = 0; i < mmcf->plans.rules.nelts; i++) {

        if (rule[i]->source.len > 0 && !rule[i]->used && mmcf->collects > 0)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"martech_plan\": no location that collects with "
                          "plan \"%V\" has a source \"%V\"",
                          &rule[i]->plan->file, &rule[i]->source);
            return NGX_ERROR;
        }
    }

    plan = mmcf->plans.plans.elts;

    for (i = 0; i < mmcf->plans.plans.nelts; i++) {

        if (ngx_http_martech_plan_distinct(cf, plan, i) != NGX_OK
            || ngx_http_martech_quality_zone(cf, plan[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_martech_violations_zone(cf, &mmcf->plans);
}


/*
 * Numbers of a plan are shown by its name and the source; two of a kind would
 * be one series twice, and Prometheus takes nothing from such a page.
 */

static ngx_int_t
ngx_http_martech_plan_distinct(ngx_conf_t *cf, ngx_http_martech_plan_t **plan,
    ngx_uint_t n)
{
    ngx_str_t      *a, *b;
    ngx_uint_t      i, j, k;
    martech_str_t   name, other;

    name = martech_plan_name(plan[n]->plan);
    a = plan[n]->sources.elts;

    for (i = 0; i < n; i++) {
        other = martech_plan_name(plan[i]->plan);

        if (other.len != name.len
            || ngx_memcmp(other.data, name.data, name.len) != 0)
        {
            continue;
        }

        b = plan[i]->sources.elts;

        for (j = 0; j < plan[n]->sources.nelts * plan[i]->sources.nelts; j++) {
            k = j / plan[i]->sources.nelts;

            if (a[k].len == b[j % plan[i]->sources.nelts].len
                && ngx_strncmp(a[k].data, b[j % plan[i]->sources.nelts].data,
                               a[k].len) == 0)
            {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "plans \"%V\" and \"%V\" have one name, and "
                              "both are for source \"%V\": give one of them "
                              "another \"name\"",
                              &plan[i]->file, &plan[n]->file, &a[k]);
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}
