
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The pool: a list of single allocations.  A configuration has a few hundred
 * of them, so nothing cleverer is wanted.
 */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "fwd_pool.h"


#define FWD_POOL_TEXT_MAX  16384


struct fwd_pool_block_s {
    fwd_pool_block_t     *next;
    size_t                size;
};


void
fwd_pool_init(fwd_pool_t *pool)
{
    pool->blocks = NULL;
}


void
fwd_pool_free(fwd_pool_t *pool)
{
    fwd_pool_block_t  *block, *next;

    for (block = pool->blocks; block != NULL; block = next) {
        next = block->next;

        OPENSSL_cleanse(block + 1, block->size);
        free(block);
    }

    pool->blocks = NULL;
}


void *
fwd_pool_alloc(fwd_pool_t *pool, size_t size)
{
    fwd_pool_block_t  *block;

    block = calloc(1, sizeof(fwd_pool_block_t) + size);

    if (block == NULL) {
        (void) fprintf(stderr, "martech-forwarder: out of memory\n");
        exit(1);
    }

    block->size = size;
    block->next = pool->blocks;
    pool->blocks = block;

    return block + 1;
}


char *
fwd_pool_string(fwd_pool_t *pool, const void *data, size_t len)
{
    char  *s;

    s = fwd_pool_alloc(pool, len + 1);

    if (len != 0) {
        memcpy(s, data, len);
    }

    return s;
}


char *
fwd_pool_printf(fwd_pool_t *pool, const char *fmt, ...)
{
    int      n;
    char     text[FWD_POOL_TEXT_MAX];
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    if (n < 0) {
        n = 0;

    } else if ((size_t) n >= sizeof(text)) {
        n = sizeof(text) - 1;
    }

    return fwd_pool_string(pool, text, (size_t) n);
}
