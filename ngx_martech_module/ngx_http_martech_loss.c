
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Pages served against pages heard of: a table of the pages of the last half
 * hour, by their ids, and the counts of each source, in shared memory.
 *
 * A page stands in one of few places that its id says, and for as long as a
 * beacon may confirm it.  Where all of them are taken it is left out of the
 * account, not some other page: so the share that is lost stays right, as one
 * of a sample, also where there are more pages than places.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_LOSS_BUCKETS  16384
#define NGX_HTTP_MARTECH_LOSS_WAYS     8

#define NGX_HTTP_MARTECH_LOSS_PAGES                                           \
    (NGX_HTTP_MARTECH_LOSS_BUCKETS * NGX_HTTP_MARTECH_LOSS_WAYS)


typedef enum {
    NGX_HTTP_MARTECH_PLACE_FREE = 0,
    NGX_HTTP_MARTECH_PLACE_COMING,         /* its header is sent, not all */
    NGX_HTTP_MARTECH_PLACE_SEEN,           /* the same, and confirmed */
    NGX_HTTP_MARTECH_PLACE_OPEN,           /* served */
    NGX_HTTP_MARTECH_PLACE_CONFIRMED
} ngx_http_martech_place_e;


typedef struct {
    uint64_t                  number;      /* of the page, from its id */
    uint32_t                  born;        /* s; the lower bits of the time */
    uint16_t                  source;
    uint16_t                  state;       /* ngx_http_martech_place_e */
} ngx_http_martech_place_t;


/* In shared memory, under the mutex of its pool. */
typedef struct {
    ngx_http_martech_loss_t   sources[NGX_HTTP_MARTECH_LOSS_SOURCES];
    ngx_http_martech_place_t  places[NGX_HTTP_MARTECH_LOSS_PAGES];
} ngx_http_martech_pages_t;


static ngx_int_t ngx_http_martech_loss_init(ngx_shm_zone_t *zone,
    void *data);
static uint64_t ngx_http_martech_loss_number(martech_str_t id);
static ngx_uint_t ngx_http_martech_loss_young(ngx_http_martech_place_t *place,
    uint32_t now);
static ngx_uint_t ngx_http_martech_loss_source_locked(
    ngx_http_martech_pages_t *pages, ngx_str_t *name);
static ngx_http_martech_place_t *ngx_http_martech_loss_find_locked(
    ngx_http_martech_pages_t *pages, uint64_t number, uint32_t now);
static void ngx_http_martech_loss_settle_locked(
    ngx_http_martech_place_t *place, ngx_http_martech_loss_t *loss,
    ngx_uint_t delivered);
static void ngx_http_martech_loss_confirm_locked(
    ngx_http_martech_pages_t *pages, ngx_http_martech_place_t *place);


#define ngx_http_martech_loss_lock(zone)                                      \
    ngx_shmtx_lock(&((ngx_slab_pool_t *) (zone)->shm.addr)->mutex)

#define ngx_http_martech_loss_unlock(zone)                                    \
    ngx_shmtx_unlock(&((ngx_slab_pool_t *) (zone)->shm.addr)->mutex)


ngx_int_t
ngx_http_martech_loss_zone(ngx_conf_t *cf, ngx_http_martech_main_conf_t *mmcf)
{
    /* the layout is part of the name: a changed one starts afresh */

    static ngx_str_t  name = ngx_string("martech_pages_1");

    mmcf->loss = ngx_shared_memory_add(cf, &name,
                                       sizeof(ngx_http_martech_pages_t)
                                       + 16 * ngx_pagesize,
                                       &ngx_http_martech_module);
    if (mmcf->loss == NULL) {
        return NGX_ERROR;
    }

    mmcf->loss->init = ngx_http_martech_loss_init;

    return NGX_OK;
}


static ngx_int_t
ngx_http_martech_loss_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *pool;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (!zone->shm.exists) {
        pool->data = ngx_slab_calloc(pool, sizeof(ngx_http_martech_pages_t));

        if (pool->data == NULL) {
            return NGX_ERROR;
        }
    }

    zone->data = pool->data;

    return NGX_OK;
}


void
ngx_http_martech_loss_open(ngx_shm_zone_t *zone, ngx_http_martech_page_t *page,
    ngx_str_t *source)
{
    uint32_t                   now;
    ngx_uint_t                 i;
    ngx_http_martech_pages_t  *pages;
    ngx_http_martech_place_t  *place;

    pages = zone->data;
    now = (uint32_t) ngx_time();

    page->place = NGX_DECLINED;
    page->number = ngx_http_martech_loss_number(page->id);

    place = &pages->places[page->number % NGX_HTTP_MARTECH_LOSS_BUCKETS
                           * NGX_HTTP_MARTECH_LOSS_WAYS];

    ngx_http_martech_loss_lock(zone);

    for (i = 0; i < NGX_HTTP_MARTECH_LOSS_WAYS; i++) {

        if (ngx_http_martech_loss_young(&place[i], now)) {
            continue;
        }

        place[i].number = page->number;
        place[i].born = now;
        place[i].source = (uint16_t)
                          ngx_http_martech_loss_source_locked(pages, source);
        place[i].state = NGX_HTTP_MARTECH_PLACE_COMING;

        page->place = &place[i] - pages->places;
        break;
    }

    ngx_http_martech_loss_unlock(zone);
}


/* 64 of the random bits of an id of hex digits. */

static uint64_t
ngx_http_martech_loss_number(martech_str_t id)
{
    size_t    i;
    u_char    ch;
    uint64_t  number;

    number = 0;

    for (i = 0; i < id.len && i < 16; i++) {
        ch = id.data[i];
        number = number << 4 | ((ch <= '9') ? ch - '0' : ch - 'a' + 10);
    }

    return number;
}


/* 1 if the place is taken by a page that a beacon may still confirm. */

static ngx_uint_t
ngx_http_martech_loss_young(ngx_http_martech_place_t *place, uint32_t now)
{
    return place->state != NGX_HTTP_MARTECH_PLACE_FREE
           && now - place->born < NGX_HTTP_MARTECH_PAGE_AGE;
}


/* Names are those of the configuration, and of former ones. */

static ngx_uint_t
ngx_http_martech_loss_source_locked(ngx_http_martech_pages_t *pages,
    ngx_str_t *name)
{
    u_char      *known;
    ngx_uint_t   i;

    for (i = 0; i < NGX_HTTP_MARTECH_LOSS_SOURCES - 1; i++) {
        known = pages->sources[i].name;

        if (known[0] == '\0') {
            ngx_memcpy(known, name->data,
                       ngx_min(name->len, NGX_HTTP_MARTECH_PAGE_SOURCE));
            return i;
        }

        if (ngx_strncmp(known, name->data, name->len) == 0
            && known[name->len] == '\0')
        {
            return i;
        }
    }

    ngx_memcpy(pages->sources[i].name, "(other)", sizeof("(other)"));

    return i;
}


void
ngx_http_martech_loss_served(ngx_shm_zone_t *zone,
    ngx_http_martech_page_t *page, ngx_str_t *source, ngx_uint_t delivered)
{
    ngx_http_martech_loss_t   *loss;
    ngx_http_martech_pages_t  *pages;
    ngx_http_martech_place_t  *place;

    pages = zone->data;
    place = NULL;

    ngx_http_martech_loss_lock(zone);

    loss = &pages->sources[ngx_http_martech_loss_source_locked(pages,
                                                               source)];

    if (page->linked && page->place != NGX_DECLINED) {
        place = &pages->places[page->place];

        /* a page may take longer to be sent than it is remembered */

        if (place->number != page->number) {
            place = NULL;
        }
    }

    if (place) {
        ngx_http_martech_loss_settle_locked(place, loss, delivered);

    } else {
        loss->observed += delivered;
        loss->untracked += (delivered && page->linked);
    }

    ngx_http_martech_loss_unlock(zone);
}


static void
ngx_http_martech_loss_settle_locked(ngx_http_martech_place_t *place,
    ngx_http_martech_loss_t *loss, ngx_uint_t delivered)
{
    switch (place->state) {

    case NGX_HTTP_MARTECH_PLACE_SEEN:

        /* a beacon came, so as much of it did as was needed */

        place->state = NGX_HTTP_MARTECH_PLACE_CONFIRMED;
        loss->observed++;
        loss->served++;
        loss->confirmed++;
        break;

    case NGX_HTTP_MARTECH_PLACE_COMING:

        if (!delivered) {
            place->state = NGX_HTTP_MARTECH_PLACE_FREE;
            break;
        }

        place->state = NGX_HTTP_MARTECH_PLACE_OPEN;
        loss->observed++;
        loss->served++;
        break;
    }
}


void
ngx_http_martech_loss_beacon(ngx_shm_zone_t *zone, martech_str_t id,
    ngx_str_t *source)
{
    uint64_t                   number;
    ngx_http_martech_pages_t  *pages;
    ngx_http_martech_place_t  *place;

    pages = zone->data;
    number = ngx_http_martech_loss_number(id);

    ngx_http_martech_loss_lock(zone);

    place = (id.len > 0)
            ? ngx_http_martech_loss_find_locked(pages, number,
                                                (uint32_t) ngx_time())
            : NULL;

    if (place) {
        ngx_http_martech_loss_confirm_locked(pages, place);

    } else {
        pages->sources[ngx_http_martech_loss_source_locked(pages, source)]
            .unknown++;
    }

    ngx_http_martech_loss_unlock(zone);
}


static ngx_http_martech_place_t *
ngx_http_martech_loss_find_locked(ngx_http_martech_pages_t *pages,
    uint64_t number, uint32_t now)
{
    ngx_uint_t                 i;
    ngx_http_martech_place_t  *place;

    place = &pages->places[number % NGX_HTTP_MARTECH_LOSS_BUCKETS
                           * NGX_HTTP_MARTECH_LOSS_WAYS];

    for (i = 0; i < NGX_HTTP_MARTECH_LOSS_WAYS; i++) {

        if (place[i].number == number
            && ngx_http_martech_loss_young(&place[i], now))
        {
            return &place[i];
        }
    }

    return NULL;
}


/* A page counts once, however much it sends; and for its own source. */

static void
ngx_http_martech_loss_confirm_locked(ngx_http_martech_pages_t *pages,
    ngx_http_martech_place_t *place)
{
    switch (place->state) {

    case NGX_HTTP_MARTECH_PLACE_COMING:
        place->state = NGX_HTTP_MARTECH_PLACE_SEEN;
        break;

    case NGX_HTTP_MARTECH_PLACE_OPEN:
        place->state = NGX_HTTP_MARTECH_PLACE_CONFIRMED;
        pages->sources[place->source].confirmed++;
        break;
    }
}


ngx_uint_t
ngx_http_martech_loss_sum(ngx_shm_zone_t *zone, ngx_http_martech_loss_t *loss)
{
    uint32_t                   now;
    ngx_uint_t                 i, n;
    ngx_http_martech_pages_t  *pages;
    ngx_http_martech_place_t  *place;

    pages = zone->data;
    now = (uint32_t) ngx_time();

    ngx_http_martech_loss_lock(zone);

    ngx_memcpy(loss, pages->sources, sizeof(pages->sources));

    ngx_http_martech_loss_unlock(zone);

    /*
     * Not under the lock, which would hold up all workers: pages that are
     * confirmed meanwhile are in neither number for this once.
     */

    for (i = 0; i < NGX_HTTP_MARTECH_LOSS_PAGES; i++) {
        place = &pages->places[i];

        if (place->state == NGX_HTTP_MARTECH_PLACE_OPEN
            && ngx_http_martech_loss_young(place, now))
        {
            loss[place->source].open++;
        }
    }

    n = 0;

    for (i = 0; i < NGX_HTTP_MARTECH_LOSS_SOURCES; i++) {

        if (loss[i].name[0] != '\0') {
            loss[n++] = loss[i];
        }
    }

    return n;
}
