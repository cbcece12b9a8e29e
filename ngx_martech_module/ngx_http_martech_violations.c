
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The last violations of tracking plans, in shared memory, for the person who
 * repairs the sender.  They have names of the plan, and a pointer from which
 * what looks like personal data was taken; never a value.
 *
 * An event leaves one of them, its first.  A worker that finds another one
 * writing does not wait: what it had to say is left out.
 */


#include "ngx_http_martech.h"

#include "martech_privacy.h"


#define NGX_HTTP_MARTECH_VIOLATION_NAME  128     /* bytes shown */


typedef struct {
    uint64_t  time_ms;
    uint32_t  count;                             /* of the event */
    uint8_t   action;                            /* martech_plan_action_t */
    uint8_t   type;                              /* martech_event_type_t */
    uint16_t  plan_len;
    uint16_t  source_len;
    uint16_t  event_len;                         /* 0: not planned */
    uint16_t  pointer_len;
    char      rule[32];
    u_char    plan[NGX_HTTP_MARTECH_VIOLATION_NAME];
    u_char    source[NGX_HTTP_MARTECH_VIOLATION_NAME];
    u_char    event[NGX_HTTP_MARTECH_VIOLATION_NAME];
    u_char    pointer[NGX_HTTP_MARTECH_POINTER_MAX];
} ngx_http_martech_violation_t;


typedef struct {
    uint64_t                      count;         /* noted, ever */
    ngx_http_martech_violation_t  ring[NGX_HTTP_MARTECH_VIOLATIONS];
} ngx_http_martech_violations_t;


static ngx_int_t ngx_http_martech_violations_init(ngx_shm_zone_t *zone,
    void *data);
static uint16_t ngx_http_martech_violations_copy(u_char *to,
    const u_char *from, size_t len);
static void ngx_http_martech_violation_json(
    const ngx_http_martech_violation_t *v, martech_json_writer_t *w);


ngx_int_t
ngx_http_martech_violations_zone(ngx_conf_t *cf,
    ngx_http_martech_plans_t *plans)
{
    size_t  size;

    /* the layout is part of the name: a changed one starts afresh */

    static ngx_str_t  name = ngx_string("martech_violations_1");

    size = sizeof(ngx_http_martech_violations_t) + 16 * ngx_pagesize;

    plans->violations = ngx_shared_memory_add(cf, &name, size,
                                              &ngx_http_martech_module);
    if (plans->violations == NULL) {
        return NGX_ERROR;
    }

    plans->violations->init = ngx_http_martech_violations_init;

    return NGX_OK;
}


static ngx_int_t
ngx_http_martech_violations_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *pool;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (!zone->shm.exists) {
        pool->data = ngx_slab_calloc(pool,
                                     sizeof(ngx_http_martech_violations_t));
        if (pool->data == NULL) {
            return NGX_ERROR;
        }
    }

    zone->data = pool->data;

    return NGX_OK;
}


/* All is made before the lock is taken. */

void
ngx_http_martech_violations_note(ngx_http_martech_worker_t *worker,
    const ngx_http_martech_plan_use_t *use, const martech_event_t *ev)
{
    char                            pointer[NGX_HTTP_MARTECH_POINTER_MAX];
    size_t                          len;
    ngx_str_t                      *source;
    martech_str_t                   name;
    ngx_shm_zone_t                 *zone;
    ngx_slab_pool_t                *pool;
    martech_plan_verdict_t         *verdict;
    ngx_http_martech_violation_t    v;
    ngx_http_martech_violations_t  *all;

    verdict = &worker->plan->verdict;
    source = use->plan->sources.elts;

    v.time_ms = ev->facts->now_ms;
    v.count = verdict->count;
    v.action = (uint8_t) verdict->action;
    v.type = (uint8_t) ev->type;
    v.event_len = 0;

    ngx_cpystrn((u_char *) v.rule, (u_char *) verdict->list[0].rule,
                sizeof(v.rule));

    name = martech_plan_name(use->plan->plan);
    v.plan_len = ngx_http_martech_violations_copy(v.plan, name.data, name.len);
    v.source_len = ngx_http_martech_violations_copy(v.source,
                                                    source[use->source].data,
                                                    source[use->source].len);

    if (verdict->entry >= 0) {
        name = martech_plan_entry(use->plan->plan,
                                  (unsigned) verdict->entry)->name;
        v.event_len = ngx_http_martech_violations_copy(v.event, name.data,
                                                       name.len);
    }

    len = martech_plan_pointer(ev, &verdict->list[0], pointer,
                               sizeof(pointer));
    v.pointer_len = (uint16_t) martech_privacy_text(pointer, len,
                                                    (char *) v.pointer,
                                                    sizeof(v.pointer));

    zone = worker->conf->plans.violations;
    pool = (ngx_slab_pool_t *) zone->shm.addr;
    all = zone->data;

    if (!ngx_shmtx_trylock(&pool->mutex)) {
        return;
    }

    all->ring[all->count++ % NGX_HTTP_MARTECH_VIOLATIONS] = v;

    ngx_shmtx_unlock(&pool->mutex);
}


/* Cut between two characters. */

static uint16_t
ngx_http_martech_violations_copy(u_char *to, const u_char *from, size_t len)
{
    if (len > NGX_HTTP_MARTECH_VIOLATION_NAME) {
        len = NGX_HTTP_MARTECH_VIOLATION_NAME;

        while (len > 0 && (from[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    ngx_memcpy(to, from, len);

    return (uint16_t) len;
}


size_t
ngx_http_martech_violations_size(void)
{
    /* a byte becomes six in an escape */

    return NGX_HTTP_MARTECH_VIOLATIONS
           * (6 * sizeof(ngx_http_martech_violation_t) + 256);
}


/* The last one first. */

ngx_int_t
ngx_http_martech_violations_json(ngx_pool_t *pool,
    ngx_http_martech_plans_t *plans, martech_json_writer_t *w)
{
    uint64_t                        i, n;
    ngx_slab_pool_t                *slab;
    ngx_http_martech_violations_t  *all, *copy;

    martech_json_begin(w, '[');

    if (plans->violations) {
        copy = ngx_palloc(pool, sizeof(ngx_http_martech_violations_t));

        if (copy == NULL) {
            return NGX_ERROR;
        }

        slab = (ngx_slab_pool_t *) plans->violations->shm.addr;
        all = plans->violations->data;

        ngx_shmtx_lock(&slab->mutex);
        *copy = *all;
        ngx_shmtx_unlock(&slab->mutex);

        n = ngx_min(copy->count, NGX_HTTP_MARTECH_VIOLATIONS);

        for (i = 1; i <= n; i++) {
            ngx_http_martech_violation_json(
                 &copy->ring[(copy->count - i) % NGX_HTTP_MARTECH_VIOLATIONS],
                 w);
        }
    }

    martech_json_end(w, ']');

    return NGX_OK;
}


static void
ngx_http_martech_violation_json(const ngx_http_martech_violation_t *v,
    martech_json_writer_t *w)
{
    static const char  *actions[] = {
        "accept", "report", "quarantine", "reject"
    };
    static const char  *types[] = {
        "", "track", "identify", "page", "screen", "group", "alias"
    };

    martech_json_begin(w, '{');

    martech_json_name(w, "time");
    martech_json_int(w, (int64_t) v->time_ms);
    martech_json_name(w, "plan");
    martech_json_string(w, v->plan, v->plan_len);
    martech_json_name(w, "source");
    martech_json_string(w, v->source, v->source_len);
    martech_json_name(w, "type");
    martech_json_cstring(w, types[v->type]);

    if (v->event_len > 0) {
        martech_json_name(w, "event");
        martech_json_string(w, v->event, v->event_len);
    }

    martech_json_name(w, "rule");
    martech_json_cstring(w, v->rule);
    martech_json_name(w, "pointer");
    martech_json_string(w, v->pointer, v->pointer_len);
    martech_json_name(w, "action");
    martech_json_cstring(w, actions[v->action]);
    martech_json_name(w, "violations");
    martech_json_int(w, v->count);

    martech_json_end(w, '}');
}
