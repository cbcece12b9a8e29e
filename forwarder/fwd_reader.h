
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reading of new entries: one connection waits for all shards of an engine
 * together (XREADGROUP BLOCK), so an idle system costs one command a second
 * and an event is here as soon as it is stored.
 *
 * A cluster answers no read about several slots: there each shard that is
 * ours has a reader of its own.
 */


#ifndef _FWD_READER_H_INCLUDED_
#define _FWD_READER_H_INCLUDED_


#include "fwd_engine.h"


/* Reads for shards that are neighbours; node: at a node of the cluster, or
   NULL.  NULL if out of memory. */
fwd_reader_t *fwd_reader_create(fwd_engine_t *engine, fwd_shard_t *shards,
    uint32_t count, const fwd_node_t *node);
void fwd_reader_destroy(fwd_reader_t *reader);

/* Something changed: read if nothing is being read and somebody wants to. */
void fwd_reader_wake(fwd_reader_t *reader);

/* A shard may be readable now: wakes its reader, or makes one. */
void fwd_reader_begin(fwd_shard_t *shard);

/* A shard needs a reader of its own no longer. */
void fwd_reader_end(fwd_shard_t *shard);

/* 1 while a read for the shard is on its way. */
int fwd_reader_reads(const fwd_shard_t *shard);


#endif /* _FWD_READER_H_INCLUDED_ */
