
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The fingerprints of routed events between Redis and memory, fwd_seen.h.
 */


#ifndef _FWD_REMEMBER_H_INCLUDED_
#define _FWD_REMEMBER_H_INCLUDED_


#include "../martech/martech_shard.h"

#include "fwd_shard.h"


#define FWD_REMEMBER_KEY_MAX  (MARTECH_TAG_LEN_MAX + 32)


/*
 * Whether everything is known that an event of this bucket has to be compared
 * with.  FWD_AGAIN: it is being read, the shard's route is posted then.
 */
fwd_rc_t fwd_remember_ready(fwd_shard_t *shard, uint64_t number)
    FWD_MUST_CHECK;

/* The key of a bucket; returns its length. */
size_t fwd_remember_key(char *out, const fwd_shard_t *shard, uint64_t number);

/* How long Redis keeps a bucket after the last fingerprint, ms. */
uint64_t fwd_remember_ttl(const fwd_shard_t *shard);

/* Redis has appended these, and the string has that length now. */
void fwd_remember_added(fwd_shard_t *shard, uint64_t number,
    const unsigned char *prints, size_t len, uint64_t length);

/* Another owner may have written: everything is read again. */
void fwd_remember_clear(fwd_shard_t *shard);


#endif /* _FWD_REMEMBER_H_INCLUDED_ */
