
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Asking Redis Sentinels where the master is: one after the other, a second
 * each, with connections that last for one question.
 */


#ifndef _FWD_SENTINEL_H_INCLUDED_
#define _FWD_SENTINEL_H_INCLUDED_


#include "fwd_config.h"
#include "fwd_core.h"


typedef struct fwd_sentinel_s  fwd_sentinel_t;

/* host NULL: none of them knew.  Called once, never from within ask(). */
typedef void (*fwd_sentinel_pt)(void *data, const char *host, uint64_t port);


/*
 * Asks, beginning with number *first of the list, which is set to the one
 * that knew.  NULL if out of memory.  It frees itself after the call.
 */
fwd_sentinel_t *fwd_sentinel_ask(fwd_core_t *core,
    const fwd_redis_conf_t *conf, uint32_t *first, fwd_sentinel_pt cb,
    void *data);

/* The answer is not wanted any more; NULL is allowed. */
void fwd_sentinel_cancel(fwd_sentinel_t *s);


#endif /* _FWD_SENTINEL_H_INCLUDED_ */
