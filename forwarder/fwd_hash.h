
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * SipHash-2-4 (J.-P. Aumasson, D. J. Bernstein, 2012) for what is remembered
 * in Redis or has to come out the same in every process.
 */


#ifndef _FWD_HASH_H_INCLUDED_
#define _FWD_HASH_H_INCLUDED_


#include "fwd.h"


typedef struct {
    uint64_t              k0;
    uint64_t              k1;
} fwd_hash_key_t;


uint64_t fwd_hash(const fwd_hash_key_t *key, const void *data, size_t len);


#endif /* _FWD_HASH_H_INCLUDED_ */
