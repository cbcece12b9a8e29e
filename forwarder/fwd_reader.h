
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reading of new entries: one connection waits for all shards of an engine
 * together (XREADGROUP BLOCK), so an idle system costs one command a second
 * and an event is here as soon as it is stored.
 */


#ifndef _FWD_READER_H_INCLUDED_
#define _FWD_READER_H_INCLUDED_


#include "fwd_engine.h"


/* NULL if out of memory. */
fwd_reader_t *fwd_reader_create(fwd_engine_t *engine);
void fwd_reader_destroy(fwd_reader_t *reader);

/* Something changed: read if nothing is being read and somebody wants to. */
void fwd_reader_wake(fwd_reader_t *reader);

/* No more reads. */
void fwd_reader_stop(fwd_reader_t *reader);


#endif /* _FWD_READER_H_INCLUDED_ */
