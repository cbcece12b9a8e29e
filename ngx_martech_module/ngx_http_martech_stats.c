
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Counters in shared memory.
 *
 * Each worker owns one block, claimed by its pid, and is the only one that
 * writes it; so counting is a plain addition, and no lock or atomic operation
 * stands in the way of an event.  A block whose owner has gone is claimed by
 * a later worker, which goes on with its totals: sums never go back, across
 * reloads and crashes.  Gauges belong to the living and start at 0.
 *
 * During a reload old and new workers count side by side in blocks of their
 * own.  When more processes live than there are blocks, the last block is
 * shared, and counts may get lost there; the status page shows how many
 * blocks are in use.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_BLOCKS  128


/* What all workers share besides their blocks. */
typedef struct {
    uint64_t                   id;         /* random; names us in segments */
    ngx_atomic_t               orphans;    /* events on disk whose worker has
                                              left, until they are adopted */
    u_char                     drops[NGX_HTTP_MARTECH_DROP_SLOTS]
                                    [NGX_HTTP_MARTECH_DROP_LEN + 1];
                                           /* reasons of martech_drop, of
                                              former configurations, too; set
                                              by the master */
    ngx_http_martech_shared_totals_t  totals;
} ngx_http_martech_zone_head_t;


typedef struct {
    ngx_http_martech_zone_head_t  *head;
    ngx_http_martech_stats_t      *blocks;
    ngx_http_martech_worker_t     *worker; /* of this process */
    ngx_http_martech_main_conf_t  *conf;
    ngx_uint_t                     drops[NGX_HTTP_MARTECH_DROPS_MAX];
                                           /* slots, by number */
} ngx_http_martech_zone_t;


#define ngx_http_martech_stats_gauge_at(block, gauge)                         \
    ((ngx_atomic_t *) &(block)->gauges[NGX_HTTP_MARTECH_GAUGE_##gauge])


static ngx_int_t ngx_http_martech_stats_init(ngx_shm_zone_t *zone,
    void *data);
static void ngx_http_martech_stats_drops(ngx_http_martech_zone_t *ours);
static ngx_http_martech_stats_t *ngx_http_martech_stats_take(
    ngx_http_martech_zone_t *ours, ngx_uint_t dead);
static void ngx_http_martech_stats_orphan(ngx_http_martech_zone_t *ours,
    ngx_http_martech_stats_t *block);


/* Upper bounds of the acknowledgement time, ms; the last is infinite. */

static ngx_uint_t  ngx_http_martech_ack_bounds[NGX_HTTP_MARTECH_ACK_BUCKETS] = {
    1, 2, 5, 10, 25, 50, 100, 500, 1000, NGX_MAX_UINT32_VALUE
};


ngx_int_t
ngx_http_martech_stats_zone(ngx_conf_t *cf,
    ngx_http_martech_main_conf_t *mmcf)
{
    size_t                    size;
    ngx_http_martech_zone_t  *zone;

    /* the layout is part of the name: a changed one starts afresh */

    static ngx_str_t  name = ngx_string("martech_stats_6");

    size = sizeof(ngx_http_martech_zone_head_t)
           + NGX_HTTP_MARTECH_BLOCKS * sizeof(ngx_http_martech_stats_t)
           + 16 * ngx_pagesize;

    mmcf->zone = ngx_shared_memory_add(cf, &name, size,
                                       &ngx_http_martech_module);
    if (mmcf->zone == NULL) {
        return NGX_ERROR;
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_martech_zone_t));

    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->conf = mmcf;

    mmcf->zone->data = zone;
    mmcf->zone->init = ngx_http_martech_stats_init;

    return NGX_OK;
}


static ngx_int_t
ngx_http_martech_stats_init(ngx_shm_zone_t *zone, void *data)
{
    size_t                    size;
    ngx_slab_pool_t          *pool;
    ngx_http_martech_zone_t  *ours, *old;

    ours = zone->data;
    old = data;

    if (old) {
        ours->head = old->head;
        ours->blocks = old->blocks;

        /* of this process only where it is master and worker in one */

        ours->worker = old->worker;

        /* a reload may have come because the rights are there now */

        ours->head->totals.refused = 0;

        ngx_http_martech_stats_drops(ours);

        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (!zone->shm.exists) {
        size = sizeof(ngx_http_martech_zone_head_t)
               + NGX_HTTP_MARTECH_BLOCKS * sizeof(ngx_http_martech_stats_t);

        pool->data = ngx_slab_calloc(pool, size);

        if (pool->data == NULL) {
            return NGX_ERROR;
        }

        ours->head = pool->data;
        ours->head->id = ngx_http_martech_random64();
    }

    ours->head = pool->data;
    ours->blocks = (ngx_http_martech_stats_t *) (ours->head + 1);

    ngx_http_martech_stats_drops(ours);

    return NGX_OK;
}


/* Gives each reason of the configuration its slot, an old one if it can. */

static void
ngx_http_martech_stats_drops(ngx_http_martech_zone_t *ours)
{
    u_char      *slot;
    ngx_str_t   *name;
    ngx_uint_t   i, k;

    for (i = 0; i < ours->conf->ndrops; i++) {
        name = &ours->conf->drops[i];

        for (k = 0; k < NGX_HTTP_MARTECH_DROP_SLOTS - 1; k++) {
            slot = ours->head->drops[k];

            if (slot[0] == '\0' || (ngx_strlen(slot) == name->len
                                    && ngx_memcmp(slot, name->data, name->len)
                                       == 0))
            {
                break;
            }
        }

        slot = ours->head->drops[k];

        if (k == NGX_HTTP_MARTECH_DROP_SLOTS - 1) {
            ngx_memcpy(slot, "other", sizeof("other"));

        } else if (slot[0] == '\0') {
            ngx_memcpy(slot, name->data, name->len);
        }

        ours->drops[i] = k;
    }
}


ngx_uint_t
ngx_http_martech_stats_drop(ngx_shm_zone_t *zone, ngx_uint_t number)
{
    ngx_http_martech_zone_t  *ours;

    ours = zone->data;

    return ours->drops[number];
}


const char *
ngx_http_martech_stats_drop_name(ngx_shm_zone_t *zone, ngx_uint_t slot)
{
    ngx_http_martech_zone_t  *ours;

    ours = zone->data;

    return ours->head->drops[slot][0] ? (char *) ours->head->drops[slot]
                                      : NULL;
}


ngx_http_martech_worker_t *
ngx_http_martech_stats_worker(ngx_shm_zone_t *zone,
    ngx_http_martech_worker_t *worker)
{
    ngx_http_martech_zone_t    *ours;
    ngx_http_martech_worker_t  *former;

    ours = zone->data;

    former = ours->worker;
    ours->worker = worker;

    return former;
}


ngx_http_martech_stats_t *
ngx_http_martech_stats_claim(ngx_shm_zone_t *zone)
{
    ngx_http_martech_zone_t   *ours;
    ngx_http_martech_stats_t  *block;

    ours = zone->data;

    /* those of the dead first: their events have to be accounted for */

    block = ngx_http_martech_stats_take(ours, 1);

    if (block == NULL) {
        block = ngx_http_martech_stats_take(ours, 0);
    }

    return block ? block : &ours->blocks[NGX_HTTP_MARTECH_BLOCKS - 1];
}


static ngx_http_martech_stats_t *
ngx_http_martech_stats_take(ngx_http_martech_zone_t *ours, ngx_uint_t dead)
{
    ngx_uint_t                 i;
    ngx_atomic_uint_t          pid;
    ngx_http_martech_stats_t  *block;

    for (i = 0; i < NGX_HTTP_MARTECH_BLOCKS - 1; i++) {
        block = &ours->blocks[i];
        pid = block->pid;

        if (dead != (pid != 0) || !ngx_http_martech_stats_free(pid)
            || !ngx_atomic_cmp_set(&block->pid, pid, ngx_pid))
        {
            continue;
        }

        /* events in memory died with the former owner */

        ngx_http_martech_dropped(block, KILLED,
                              block->gauges[NGX_HTTP_MARTECH_GAUGE_WAITING]);

        ngx_http_martech_stats_orphan(ours, block);
        ngx_memzero(block->gauges, sizeof(block->gauges));

        return block;
    }

    return NULL;
}


ngx_uint_t
ngx_http_martech_stats_free(ngx_atomic_uint_t pid)
{
    if (pid == 0 || pid == (ngx_atomic_uint_t) ngx_pid) {
        return 1;
    }

    return kill((pid_t) pid, 0) == -1 && ngx_errno == NGX_ESRCH;
}


/* The events that a block's owner has on disk have lost it. */

static void
ngx_http_martech_stats_orphan(ngx_http_martech_zone_t *ours,
    ngx_http_martech_stats_t *block)
{
    ngx_atomic_t       *gauge;
    ngx_atomic_uint_t   n;

    gauge = ngx_http_martech_stats_gauge_at(block, SPOOL_WAITING);
    n = *gauge;

    if (n > 0 && ngx_atomic_cmp_set(gauge, n, 0)) {
        (void) ngx_atomic_fetch_add(&ours->head->orphans, n);
    }

    /* who adopts the segments counts their bytes */

    block->gauges[NGX_HTTP_MARTECH_GAUGE_SPOOL_BYTES] = 0;
}


uint64_t
ngx_http_martech_stats_orphans(ngx_shm_zone_t *zone)
{
    ngx_uint_t                 i;
    ngx_http_martech_zone_t   *ours;
    ngx_http_martech_stats_t  *block;

    ours = zone->data;

    for (i = 0; i < NGX_HTTP_MARTECH_BLOCKS - 1; i++) {
        block = &ours->blocks[i];

        if (block->pid != 0 && block->pid != (ngx_atomic_uint_t) ngx_pid
            && ngx_http_martech_stats_free(block->pid))
        {
            ngx_http_martech_stats_orphan(ours, block);
        }
    }

    return ours->head->orphans;
}


uint64_t
ngx_http_martech_stats_adopt(ngx_shm_zone_t *zone, uint64_t found)
{
    ngx_atomic_uint_t         n, orphans;
    ngx_http_martech_zone_t  *ours;

    ours = zone->data;

    (void) ngx_http_martech_stats_orphans(zone);

    do {
        orphans = ours->head->orphans;
        n = ngx_min(orphans, found);
    } while (!ngx_atomic_cmp_set(&ours->head->orphans, orphans, orphans - n));

    return n;
}


ngx_int_t
ngx_http_martech_stats_forget(ngx_shm_zone_t *zone, uint64_t n)
{
    ngx_http_martech_zone_t  *ours;

    ours = zone->data;

    return ngx_atomic_cmp_set(&ours->head->orphans, n, 0) ? NGX_OK
                                                          : NGX_DECLINED;
}


uint64_t
ngx_http_martech_stats_id(ngx_shm_zone_t *zone)
{
    ngx_http_martech_zone_t  *ours;

    ours = zone->data;

    return ours->head->id;
}


ngx_http_martech_shared_totals_t *
ngx_http_martech_stats_totals(ngx_shm_zone_t *zone)
{
    ngx_http_martech_zone_t  *ours;

    ours = zone->data;

    return &ours->head->totals;
}


uint64_t
ngx_http_martech_stats_gauge(ngx_shm_zone_t *zone,
    ngx_http_martech_gauge_e gauge)
{
    uint64_t                   sum;
    ngx_uint_t                 i;
    ngx_http_martech_zone_t   *ours;
    ngx_http_martech_stats_t  *block;

    ours = zone->data;
    sum = 0;

    for (i = 0; i < NGX_HTTP_MARTECH_BLOCKS; i++) {
        block = &ours->blocks[i];

        if (block->pid != 0) {
            sum += block->gauges[gauge];
        }
    }

    return sum;
}


void
ngx_http_martech_stats_release(ngx_shm_zone_t *zone,
    ngx_http_martech_stats_t *stats)
{
    ngx_http_martech_stats_orphan(zone->data, stats);

    ngx_memzero(stats->gauges, sizeof(stats->gauges));

    (void) ngx_atomic_cmp_set(&stats->pid, ngx_pid, 0);
}


void
ngx_http_martech_stats_sum(ngx_shm_zone_t *zone,
    ngx_http_martech_stats_t *sum, ngx_uint_t *workers)
{
    ngx_uint_t                 i, k;
    ngx_http_martech_zone_t   *ours;
    ngx_http_martech_stats_t  *block;

    ours = zone->data;
    *workers = 0;

    ngx_memzero(sum, sizeof(ngx_http_martech_stats_t));

    for (i = 0; i < NGX_HTTP_MARTECH_BLOCKS; i++) {
        block = &ours->blocks[i];

        for (k = 0; k < NGX_HTTP_MARTECH_COUNTERS; k++) {
            sum->counters[k] += block->counters[k];
        }

        for (k = 0; k < NGX_HTTP_MARTECH_REASONS; k++) {
            sum->rejected[k] += block->rejected[k];
            sum->refused[k] += block->refused[k];
        }

        for (k = 0; k < NGX_HTTP_MARTECH_DROPPED_REASONS; k++) {
            sum->dropped[k] += block->dropped[k];
        }

        for (k = 0; k < NGX_HTTP_MARTECH_DROP_SLOTS; k++) {
            sum->drops[k] += block->drops[k];
        }

        for (k = 0; k < NGX_HTTP_MARTECH_REDIS_CLASSES; k++) {
            sum->errors[k] += block->errors[k];
        }

        for (k = 0; k < NGX_HTTP_MARTECH_ACK_BUCKETS; k++) {
            sum->ack_ms[k] += block->ack_ms[k];
        }

        /* most blocks have never had a request, nor seen a page */

        for (k = 0; k < NGX_HTTP_MARTECH_DIALECT_SLOTS
                    && (block->counters[NGX_HTTP_MARTECH_COUNT_REQUESTS]
                        || block->counters[NGX_HTTP_MARTECH_COUNT_RECEIVED]);
             k++)
        {
            sum->dialects[k].received += block->dialects[k].received;
            sum->dialects[k].accepted += block->dialects[k].accepted;
            sum->dialects[k].silent += block->dialects[k].silent;
        }

        if (block->pid == 0
            || (block->pid != (ngx_atomic_uint_t) ngx_pid
                && ngx_http_martech_stats_free(block->pid)))
        {
            /* what it has on disk waits for somebody to adopt it */

            sum->gauges[NGX_HTTP_MARTECH_GAUGE_SPOOL_WAITING] +=
                         block->gauges[NGX_HTTP_MARTECH_GAUGE_SPOOL_WAITING];
            continue;
        }

        (*workers)++;

        for (k = 0; k < NGX_HTTP_MARTECH_GAUGES; k++) {
            sum->gauges[k] += block->gauges[k];
        }
    }

    sum->gauges[NGX_HTTP_MARTECH_GAUGE_SPOOL_WAITING] += ours->head->orphans;
}


void
ngx_http_martech_stats_ack(ngx_http_martech_stats_t *stats, ngx_msec_t ms)
{
    ngx_uint_t  i;

    for (i = 0; ms > ngx_http_martech_ack_bounds[i]; i++) {

        if (i == NGX_HTTP_MARTECH_ACK_BUCKETS - 1) {
            break;
        }
    }

    stats->ack_ms[i]++;
    stats->counters[NGX_HTTP_MARTECH_COUNT_ACK_MS] += ms;
    stats->counters[NGX_HTTP_MARTECH_COUNT_ACKS]++;
}


ngx_uint_t
ngx_http_martech_stats_bound(ngx_uint_t bucket)
{
    return ngx_http_martech_ack_bounds[bucket];
}
