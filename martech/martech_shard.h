
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The choice of a shard and the names of its keys, docs/SPEC.md section 1.
 */


#ifndef _MARTECH_SHARD_H_INCLUDED_
#define _MARTECH_SHARD_H_INCLUDED_


#include "martech.h"


#define MARTECH_SHARDS_MAX      1024
#define MARTECH_PREFIX_LEN_MAX  32
#define MARTECH_TAG_LEN_MAX     (MARTECH_PREFIX_LEN_MAX + 8)


/* The 64-bit hash of an identity. */
uint64_t martech_shard_hash(martech_str_t identity);

/* The shard of an identity, 0 to shards - 1; shards is at least 1. */
uint32_t martech_shard(martech_str_t identity, uint32_t shards);

/* 1 if a prefix has 1 to MARTECH_PREFIX_LEN_MAX of [A-Za-z0-9_.-]. */
int martech_shard_prefix_valid(martech_str_t prefix);

/*
 * Writes "{prefix:NN}" and a zero into out, which has room for
 * MARTECH_TAG_LEN_MAX bytes.  Returns the length without the zero.
 */
size_t martech_shard_tag(char *out, martech_str_t prefix, uint32_t shard);


#endif /* _MARTECH_SHARD_H_INCLUDED_ */
