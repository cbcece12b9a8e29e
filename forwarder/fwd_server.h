
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A look at the Redis server: is it new enough, does it keep what it is
 * given?
 */


#ifndef _FWD_SERVER_H_INCLUDED_
#define _FWD_SERVER_H_INCLUDED_


#include "fwd_engine.h"


/* Asks; warnings go to the log when the answers come.  Changes nothing. */
void fwd_server_check(fwd_engine_t *engine, fwd_redis_t *r);


#endif /* _FWD_SERVER_H_INCLUDED_ */
