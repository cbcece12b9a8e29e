
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * How much waits in Redis for each destination, and since when: asked for
 * the shards that are ours, each every two seconds, one after another.
 */


#ifndef _FWD_DEPTH_H_INCLUDED_
#define _FWD_DEPTH_H_INCLUDED_


#include "fwd_engine.h"


/* For an engine whose shards are set up; NULL if out of memory. */
fwd_depth_t *fwd_depth_create(fwd_engine_t *engine);

/* After the connections have given their last replies. */
void fwd_depth_free(fwd_depth_t *depth);

/* Called ten times a second: asks, and puts sums into engine->stats. */
void fwd_depth_tick(fwd_depth_t *depth);


#endif /* _FWD_DEPTH_H_INCLUDED_ */
