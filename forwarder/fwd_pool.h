
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Memory that lives and dies together: a configuration with all its strings.
 * Secrets are wiped when the pool goes.
 */


#ifndef _FWD_POOL_H_INCLUDED_
#define _FWD_POOL_H_INCLUDED_


#include "fwd.h"


typedef struct fwd_pool_block_s  fwd_pool_block_t;

typedef struct {
    fwd_pool_block_t     *blocks;
} fwd_pool_t;


void fwd_pool_init(fwd_pool_t *pool);
void fwd_pool_free(fwd_pool_t *pool);

/*
 * Zeroed memory, or text with a zero behind it.  Never NULL: a configuration
 * is read before there is any work, so running out of memory ends the
 * process with a message.
 */
void *fwd_pool_alloc(fwd_pool_t *pool, size_t size);
char *fwd_pool_string(fwd_pool_t *pool, const void *data, size_t len);

/* The same from a format; more than 16 KiB are cut off. */
char *fwd_pool_printf(fwd_pool_t *pool, const char *fmt, ...)
    FWD_PRINTF(2, 3);


#endif /* _FWD_POOL_H_INCLUDED_ */
