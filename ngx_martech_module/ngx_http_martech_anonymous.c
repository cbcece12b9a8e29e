
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Visitors without a cookie: an id that holds for a day.
 *
 * It is a keyed hash of what the request shows anyway; its key, the salt, is
 * made anew for each day (UTC) and kept in the memory of the workers alone.
 * Once the next day's has taken its place nobody can tell any more who an id
 * was, and the same visitor has another one.
 */


#include "ngx_http_martech.h"
#include <sys/random.h>


/* In shared memory, under the mutex of its pool. */
typedef struct {
    uint64_t   day;                        /* since 1970; 0: there is none */
    u_char     salt[MARTECH_VISITOR_SALT];
} ngx_http_martech_day_t;


static ngx_int_t ngx_http_martech_anonymous_init(ngx_shm_zone_t *zone,
    void *data);
static ngx_int_t ngx_http_martech_anonymous_salt(ngx_shm_zone_t *zone,
    uint64_t day, u_char *salt);
static ngx_int_t ngx_http_martech_anonymous_salt_locked(
    ngx_http_martech_day_t *today, uint64_t day);


ngx_int_t
ngx_http_martech_anonymous_zone(ngx_conf_t *cf)
{
    ngx_http_martech_main_conf_t  *mmcf;

    static ngx_str_t  name = ngx_string("martech_day_1");

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_martech_module);

    mmcf->days = ngx_shared_memory_add(cf, &name, 8 * ngx_pagesize,
                                       &ngx_http_martech_module);
    if (mmcf->days == NULL) {
        return NGX_ERROR;
    }

    mmcf->days->init = ngx_http_martech_anonymous_init;

    return NGX_OK;
}


static ngx_int_t
ngx_http_martech_anonymous_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *pool;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (!zone->shm.exists) {
        pool->data = ngx_slab_calloc(pool, sizeof(ngx_http_martech_day_t));

        if (pool->data == NULL) {
            return NGX_ERROR;
        }
    }

    zone->data = pool->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_martech_anonymous(ngx_http_request_t *r,
    ngx_http_martech_cookie_t *cookie, ngx_http_martech_source_t *source,
    u_char *out)
{
    u_char                         salt[MARTECH_VISITOR_SALT];
    uint64_t                       day;
    martech_str_t                  key;
    martech_visitor_t              visitor;
    ngx_http_martech_main_conf_t  *mmcf;

    day = (uint64_t) ngx_time() / 86400;

    if (cookie->key.len > 0) {
        key.data = cookie->key.data;
        key.len = cookie->key.len;

        martech_visitor_salt(key, day, salt);

    } else {
        mmcf = ngx_http_get_module_main_conf(r, ngx_http_martech_module);

        if (ngx_http_martech_anonymous_salt(mmcf->days, day, salt) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_memzero(&visitor, sizeof(martech_visitor_t));

    if (source) {
        visitor.source.data = source->name.data;
        visitor.source.len = source->name.len;
    }

    visitor.host.data = r->headers_in.server.data;
    visitor.host.len = r->headers_in.server.len;

    visitor.ip.data = r->connection->addr_text.data;
    visitor.ip.len = r->connection->addr_text.len;

    if (r->headers_in.user_agent) {
        visitor.user_agent.data = r->headers_in.user_agent->value.data;
        visitor.user_agent.len = r->headers_in.user_agent->value.len;
    }

    martech_visitor_day(salt, &visitor, out);

    return NGX_OK;
}


static ngx_int_t
ngx_http_martech_anonymous_salt(ngx_shm_zone_t *zone, uint64_t day,
    u_char *salt)
{
    ngx_int_t                rc;
    ngx_slab_pool_t         *pool;
    ngx_http_martech_day_t  *today;

    pool = (ngx_slab_pool_t *) zone->shm.addr;
    today = zone->data;

    ngx_shmtx_lock(&pool->mutex);

    rc = ngx_http_martech_anonymous_salt_locked(today, day);
    ngx_memcpy(salt, today->salt, MARTECH_VISITOR_SALT);

    ngx_shmtx_unlock(&pool->mutex);

    return rc;
}


/*
 * The clock of a worker stands still within a round: around midnight one of
 * them may ask for yesterday, and gets what is there.
 */

static ngx_int_t
ngx_http_martech_anonymous_salt_locked(ngx_http_martech_day_t *today,
    uint64_t day)
{
    u_char  salt[MARTECH_VISITOR_SALT];

    if (today->day == day || (today->day == day + 1)) {
        return NGX_OK;
    }

    if (getrandom(salt, sizeof(salt), GRND_NONBLOCK) != sizeof(salt)) {
        return NGX_ERROR;
    }

    ngx_memcpy(today->salt, salt, sizeof(salt));
    today->day = day;

    return NGX_OK;
}
