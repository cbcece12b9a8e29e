
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The nodes of a Redis Cluster: which of them serves which shard, and one
 * connection for commands to each that serves any.
 *
 * shard->redis is set here.  A shard whose slot has moved goes down and comes
 * up again at its new node; its lease went with the slot, so what is in
 * memory stays true.
 */


#ifndef _FWD_TOPOLOGY_H_INCLUDED_
#define _FWD_TOPOLOGY_H_INCLUDED_


#include "fwd.h"
#include "fwd_redis.h"


#define FWD_SLOTS  16384                 /* of a cluster */


typedef struct fwd_node_s      fwd_node_t;
typedef struct fwd_topology_s  fwd_topology_t;


/* Begins to ask the configured node.  NULL if out of memory. */
fwd_topology_t *fwd_topology_create(fwd_engine_t *engine);
void fwd_topology_destroy(fwd_topology_t *t);

/* Called at each tick: asks again if there is reason to, once a second. */
void fwd_topology_tick(fwd_topology_t *t);

/* The node of a shard, or NULL. */
const fwd_node_t *fwd_topology_node(const fwd_topology_t *t, uint32_t shard);

/* One more connection to a node.  NULL if out of memory. */
fwd_redis_t *fwd_node_connect(const fwd_node_t *node, const char *role,
    const fwd_redis_handler_t *handler);

/* The slot of a key: of what stands in its first braces, if there are any. */
uint32_t fwd_slot(const char *key, size_t len);


#endif /* _FWD_TOPOLOGY_H_INCLUDED_ */
