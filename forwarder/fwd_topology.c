
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The map of a cluster.
 *
 * It is read as a whole (CLUSTER SLOTS) at the start, and again whenever a
 * node says that a slot is elsewhere, is lost, or a shard has no node; from
 * another node each time, because the one that was asked may be the one that
 * knows nothing any more.
 *
 * While a slot is on its way from node to node its keys are in two places,
 * and Redis runs no script over them: steps are tried again at each tick
 * until they are together again.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_engine.h"
#include "fwd_members.h"
#include "fwd_server.h"
#include "fwd_shard.h"
#include "fwd_topology.h"


#define FWD_TOPOLOGY_MS       1000       /* between two questions */
#define FWD_TOPOLOGY_LOOK_MS  30000      /* without any reason */
#define FWD_TOPOLOGY_HOST     256


struct fwd_node_s {
    fwd_link_t            link;
    fwd_topology_t       *topology;
    fwd_redis_t          *redis;
    uint64_t              port;
    unsigned              used:1;        /* serves a shard */
    char                  host[FWD_TOPOLOGY_HOST];
};


/* Where a shard is, by the last map. */
typedef struct {
    uint32_t              slot;
    fwd_node_t           *node;          /* of shard->redis, or NULL */
    char                  host[FWD_TOPOLOGY_HOST];
    uint64_t              port;          /* 0: nobody serves it */
} fwd_place_t;


struct fwd_topology_s {
    fwd_engine_t         *engine;
    fwd_redis_t          *seed;          /* the configured node */
    fwd_redis_t          *asked;         /* whose answer is awaited */
    fwd_link_t            nodes;
    fwd_place_t          *places;        /* one for each shard */
    fwd_post_t            apply;
    fwd_post_t            ask;
    uint64_t              asked_ms;      /* monotonic, last question */
    uint32_t              turn;          /* who is asked next */
    fwd_log_limit_t       limit;
    unsigned              stale:1;       /* the map may be wrong */
};


static void fwd_topology_seed_up(void *data);
static void fwd_topology_seed_down(void *data);
static void fwd_topology_ask(void *data);
static fwd_redis_t *fwd_topology_whom(fwd_topology_t *t);
static void fwd_topology_reply(void *data, redisReply *reply);
static void fwd_topology_range(fwd_topology_t *t, const redisReply *range);
static void fwd_topology_apply(void *data);
static void fwd_topology_move(fwd_topology_t *t, uint32_t index);
static void fwd_topology_sweep(fwd_topology_t *t);
static fwd_node_t *fwd_node_get(fwd_topology_t *t, const char *host,
    uint64_t port);
static void fwd_node_up(void *data);
static void fwd_node_down(void *data);
static void fwd_node_elsewhere(void *data);


fwd_topology_t *
fwd_topology_create(fwd_engine_t *engine)
{
    uint32_t              i;
    fwd_topology_t       *t;
    fwd_redis_handler_t   handler;

    t = calloc(1, sizeof(fwd_topology_t));
    if (t == NULL) {
        return NULL;
    }

    t->engine = engine;
    t->stale = 1;
    fwd_list_init(&t->nodes);
    fwd_post_init(&t->apply, fwd_topology_apply, t);
    fwd_post_init(&t->ask, fwd_topology_ask, t);

    t->places = calloc(engine->shards_count, sizeof(fwd_place_t));

    handler.up = fwd_topology_seed_up;
    handler.down = fwd_topology_seed_down;
    handler.data = t;

    if (t->places != NULL) {
        t->seed = fwd_redis_create(engine->core, &engine->conf->redis,
                                   "topology", NULL, &handler);
    }

    if (t->seed == NULL) {
        free(t->places);
        free(t);
        return NULL;
    }

    for (i = 0; i < engine->shards_count; i++) {
        t->places[i].slot = fwd_slot(engine->shards[i].in.data,
                                     engine->shards[i].in.len);
    }

    return t;
}


void
fwd_topology_destroy(fwd_topology_t *t)
{
    uint32_t     i;
    fwd_node_t  *node;

    if (t == NULL) {
        return;
    }

    fwd_post_cancel(&t->apply);
    fwd_post_cancel(&t->ask);

    for (i = 0; i < t->engine->shards_count; i++) {
        t->places[i].node = NULL;
    }

    while (!fwd_list_empty(&t->nodes)) {
        node = fwd_list_data(t->nodes.next, fwd_node_t, link);

        fwd_redis_destroy(node->redis);
        fwd_list_remove(&node->link);
        free(node);
    }

    fwd_redis_destroy(t->seed);

    /* not before: replies of NULL go over it */

    for (i = 0; i < t->engine->shards_count; i++) {
        t->engine->shards[i].redis = NULL;
    }

    t->engine->topology = NULL;
    free(t->places);
    free(t);
}


void
fwd_topology_tick(fwd_topology_t *t)
{
    uint64_t  now;

    now = fwd_core_now_ms(t->engine->core);

    if (now - t->asked_ms >= FWD_TOPOLOGY_LOOK_MS
        || (t->stale && now - t->asked_ms >= FWD_TOPOLOGY_MS))
    {
        fwd_topology_ask(t);
    }
}


const fwd_node_t *
fwd_topology_node(const fwd_topology_t *t, uint32_t shard)
{
    return t->places[shard].node;
}


fwd_redis_t *
fwd_node_connect(const fwd_node_t *node, const char *role,
    const fwd_redis_handler_t *handler)
{
    fwd_engine_t  *engine;

    engine = node->topology->engine;

    return fwd_redis_create_at(engine->core, &engine->conf->redis,
                               node->host, node->port, role, NULL, handler);
}


static void
fwd_topology_seed_up(void *data)
{
    fwd_topology_t  *t = data;

    if (t->stale) {
        fwd_post(t->engine->core, &t->ask);
    }
}


static void
fwd_topology_seed_down(void *data)
{
    (void) data;                         /* the others are asked as well */
}


static void
fwd_topology_ask(void *data)
{
    fwd_redis_t     *r;
    fwd_topology_t  *t = data;

    if (t->asked != NULL) {
        return;
    }

    r = fwd_topology_whom(t);

    if (fwd_redis_words(r, fwd_topology_reply, t, "CLUSTER", "SLOTS", NULL)
        == FWD_OK)
    {
        t->asked = r;
        t->asked_ms = fwd_core_now_ms(t->engine->core);
    }
}


/* The next of those that are connected, the seed among them. */

static fwd_redis_t *
fwd_topology_whom(fwd_topology_t *t)
{
    uint32_t     n, count;
    fwd_node_t  *node;
    fwd_link_t  *link;

    count = (uint32_t) fwd_redis_is_up(t->seed);

    for (link = t->nodes.next; link != &t->nodes; link = link->next) {
        node = fwd_list_data(link, fwd_node_t, link);
        count += (uint32_t) fwd_redis_is_up(node->redis);
    }

    if (count == 0) {
        return NULL;
    }

    n = t->turn++ % count;

    for (link = t->nodes.next; link != &t->nodes; link = link->next) {
        node = fwd_list_data(link, fwd_node_t, link);

        if (fwd_redis_is_up(node->redis)) {

            if (n == 0) {
                return node->redis;
            }

            n--;
        }
    }

    return t->seed;
}


static void
fwd_topology_reply(void *data, redisReply *reply)
{
    size_t           i;
    uint32_t         suppressed;
    fwd_topology_t  *t = data;

    if (reply == NULL) {
        t->asked = NULL;
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY) {
        t->asked = NULL;

        if (fwd_log_pass(&t->limit, fwd_core_now_ms(t->engine->core), 30000,
                         &suppressed))
        {
            fwd_log(t->engine->core->log, FWD_LOG_ERROR,
                    "the map of the cluster cannot be read",
                    fwd_kv_text("reason", reply->type == REDIS_REPLY_ERROR
                                          ? reply->str : "unexpected reply"),
                    fwd_kv_int("suppressed", suppressed));
        }

        return;
    }

    for (i = 0; i < t->engine->shards_count; i++) {
        t->places[i].port = 0;
    }

    for (i = 0; i < reply->elements; i++) {
        fwd_topology_range(t, reply->element[i]);
    }

    t->asked = NULL;

    /* this may be the connection of a node that is needed no longer */
    fwd_post(t->engine->core, &t->apply);
}


/* [first slot, last slot, [host, port, ...] of the master, replicas ...] */

static void
fwd_topology_range(fwd_topology_t *t, const redisReply *range)
{
    uint32_t           i;
    const char        *host;
    fwd_place_t       *place;
    const redisReply  *node;

    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3) {
        return;
    }

    node = range->element[2];

    if (node->type != REDIS_REPLY_ARRAY || node->elements < 2
        || node->element[1]->type != REDIS_REPLY_INTEGER
        || node->element[1]->integer <= 0
        || node->element[1]->integer > 65535)
    {
        return;
    }

    host = (node->element[0]->type == REDIS_REPLY_STRING)
           ? node->element[0]->str : "";

    if (host[0] == '?') {
        return;                          /* it has a name but none is known */
    }

    if (host[0] == '\0') {
        host = fwd_redis_host(t->asked); /* where the answer comes from */
    }

    for (i = 0; i < t->engine->shards_count; i++) {
        place = &t->places[i];

        if (place->slot >= (uint64_t) range->element[0]->integer
            && place->slot <= (uint64_t) range->element[1]->integer)
        {
            (void) snprintf(place->host, sizeof(place->host), "%s", host);
            place->port = (uint64_t) node->element[1]->integer;
        }
    }
}


static void
fwd_topology_apply(void *data)
{
    uint32_t         i;
    fwd_topology_t  *t = data;

    t->stale = 0;

    for (i = 0; i < t->engine->shards_count; i++) {
        fwd_topology_move(t, i);
    }

    fwd_topology_sweep(t);
}


static void
fwd_topology_move(fwd_topology_t *t, uint32_t index)
{
    fwd_node_t   *node;
    fwd_place_t  *place;
    fwd_shard_t  *shard;

    place = &t->places[index];
    shard = &t->engine->shards[index];

    /* without anybody for it the old node is as good as none */

    node = place->port ? fwd_node_get(t, place->host, place->port)
                       : place->node;

    if (node == NULL || !fwd_redis_is_up(node->redis)) {
        t->stale = 1;                    /* it may be wrong already */
    }

    if (node == NULL || node == place->node) {
        return;
    }

    fwd_log(t->engine->core->log, FWD_LOG_INFO, "shard is at a node",
            fwd_kv_int("shard", index),
            fwd_kv_text("host", node->host),
            fwd_kv_int("port", node->port));

    if (place->node != NULL) {
        fwd_shard_down(shard);
    }

    place->node = node;
    shard->redis = node->redis;

    if (fwd_redis_is_up(node->redis)) {
        fwd_shard_up(shard);
    }
}


/* Closes what serves no shard any more. */

static void
fwd_topology_sweep(fwd_topology_t *t)
{
    uint32_t     i;
    fwd_link_t  *link, *next;
    fwd_node_t  *node;

    for (link = t->nodes.next; link != &t->nodes; link = link->next) {
        fwd_list_data(link, fwd_node_t, link)->used = 0;
    }

    for (i = 0; i < t->engine->shards_count; i++) {
        if (t->places[i].node != NULL) {
            t->places[i].node->used = 1;
        }
    }

    for (link = t->nodes.next; link != &t->nodes; link = next) {
        next = link->next;
        node = fwd_list_data(link, fwd_node_t, link);

        if (!node->used) {
            fwd_list_remove(link);
            fwd_redis_destroy(node->redis);
            free(node);
        }
    }
}


static fwd_node_t *
fwd_node_get(fwd_topology_t *t, const char *host, uint64_t port)
{
    fwd_link_t           *link;
    fwd_node_t           *node;
    fwd_redis_handler_t   handler;
    fwd_redis_scripts_t   scripts;

    for (link = t->nodes.next; link != &t->nodes; link = link->next) {
        node = fwd_list_data(link, fwd_node_t, link);

        if (node->port == port && strcmp(node->host, host) == 0) {
            return node;
        }
    }

    node = calloc(1, sizeof(fwd_node_t));
    if (node == NULL) {
        return NULL;
    }

    node->topology = t;
    node->port = port;
    (void) snprintf(node->host, sizeof(node->host), "%s", host);

    scripts = fwd_script_texts();
    handler.up = fwd_node_up;
    handler.down = fwd_node_down;
    handler.data = node;

    node->redis = fwd_redis_create_at(t->engine->core,
                                      &t->engine->conf->redis, node->host,
                                      port, "commands", &scripts, &handler);
    if (node->redis == NULL) {
        free(node);
        return NULL;
    }

    fwd_redis_on_elsewhere(node->redis, fwd_node_elsewhere);
    fwd_list_push(&t->nodes, &node->link);

    return node;
}


static void
fwd_node_up(void *data)
{
    uint32_t         i;
    fwd_node_t      *node = data;
    fwd_engine_t    *engine;
    fwd_topology_t  *t;

    t = node->topology;
    engine = t->engine;

    fwd_server_check(engine, node->redis);

    for (i = 0; i < engine->shards_count; i++) {
        if (t->places[i].node == node) {
            fwd_shard_up(&engine->shards[i]);
        }
    }

    if (t->places[0].node == node) {
        fwd_members_up(engine);
    }
}


static void
fwd_node_down(void *data)
{
    uint32_t         i;
    fwd_node_t      *node = data;
    fwd_topology_t  *t;

    t = node->topology;
    t->stale = 1;

    for (i = 0; i < t->engine->shards_count; i++) {
        if (t->places[i].node == node) {
            fwd_shard_down(&t->engine->shards[i]);
        }
    }
}


static void
fwd_node_elsewhere(void *data)
{
    fwd_node_t  *node = data;

    node->topology->stale = 1;
}
