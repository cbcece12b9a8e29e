
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What steps of sequences have found out before: in the memory of this loop,
 * and in Redis for all loops (docs/SPEC.md, key "sc").  Redis away, slow or
 * full is as if nothing was known.
 *
 * Keys are digests.  A value that was forgotten elsewhere may live here for
 * a minute more: whoever meets it forgets it himself.
 */


#ifndef _FWD_RECALL_H_INCLUDED_
#define _FWD_RECALL_H_INCLUDED_


#include "../martech/martech_shard.h"

#include "fwd_engine.h"
#include "fwd_lookup.h"


#define FWD_RECALL_KEY_MAX  (MARTECH_TAG_LEN_MAX + 160)


typedef struct fwd_recall_wait_s  fwd_recall_wait_t;

/* One question; a member of the object that asks. */
typedef struct {
    fwd_recall_wait_t    *wait;          /* NULL: nothing is under way */
    void                (*done)(void *data, martech_str_t value);
    void                 *data;
} fwd_recall_t;


/* Whose value: names and digest are [a-z0-9_-] (fwd_sequence.h). */
typedef struct {
    const char           *dest;
    const char           *step;
    const char           *digest;        /* hex */
} fwd_recall_key_t;


/*
 * FWD_OK: *value lives until the next call of anything here.  FWD_NONE: not
 * known.  FWD_AGAIN: done() will be called, with an empty value if it is not
 * known; no command may be given to Redis in it.
 */
fwd_rc_t fwd_recall_get(fwd_engine_t *engine, const fwd_recall_key_t *key,
    fwd_recall_t *recall, martech_str_t *value) FWD_MUST_CHECK;

/* done() is not called any more. */
void fwd_recall_cancel(fwd_recall_t *recall);

/* Stores it, here and in Redis. */
void fwd_recall_put(fwd_engine_t *engine, const fwd_recall_key_t *key,
    martech_str_t value, uint64_t ttl_ms);

void fwd_recall_forget(fwd_engine_t *engine, const fwd_recall_key_t *key);


#endif /* _FWD_RECALL_H_INCLUDED_ */
