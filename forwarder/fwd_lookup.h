
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What was looked up not long ago, in memory: the last ones by their key,
 * each for its time.  The one that nobody asked for the longest goes first.
 * Pure: time is an argument, and there is no I/O.
 */


#ifndef _FWD_LOOKUP_H_INCLUDED_
#define _FWD_LOOKUP_H_INCLUDED_


#include "fwd.h"


typedef struct fwd_lookup_s  fwd_lookup_t;


/* At most so many values, and so many bytes of keys and values. */
fwd_lookup_t *fwd_lookup_create(uint32_t max, size_t bytes);
void fwd_lookup_destroy(fwd_lookup_t *l);

/* FWD_NONE: not there, or too old.  The slice lives until the next call. */
fwd_rc_t fwd_lookup_get(fwd_lookup_t *l, martech_str_t key, uint64_t now_ms,
    martech_str_t *value) FWD_MUST_CHECK;

/* In place of what was there; without memory there is nothing then. */
void fwd_lookup_put(fwd_lookup_t *l, martech_str_t key, martech_str_t value,
    uint64_t until_ms);

void fwd_lookup_forget(fwd_lookup_t *l, martech_str_t key);

/* How many there are. */
uint32_t fwd_lookup_count(const fwd_lookup_t *l);


#endif /* _FWD_LOOKUP_H_INCLUDED_ */
