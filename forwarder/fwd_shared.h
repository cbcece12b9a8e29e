
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the loops of all processes tell each other about destinations through
 * Redis: Retry-After, parked, paused by an operator; and what a loop tells of
 * itself to whoever looks (docs/SPEC.md, keys "state" and "loop").
 */


#ifndef _FWD_SHARED_H_INCLUDED_
#define _FWD_SHARED_H_INCLUDED_


#include "fwd_gate.h"


#define FWD_SHARED_READ_MS     500
#define FWD_SHARED_PUBLISH_MS  1000


/* Called about ten times a second: reads, writes, publishes. */
void fwd_shared_tick(fwd_engine_t *engine);

/* Nothing is sent before this time (Unix ms), by no loop. */
void fwd_shared_hold(fwd_gate_t *gate, uint64_t hold);

/* The gate was parked, or is not any more. */
void fwd_shared_parked(fwd_gate_t *gate);


#endif /* _FWD_SHARED_H_INCLUDED_ */
