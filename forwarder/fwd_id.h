
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * IDs of stream entries ("1700000000000-0") and a map from IDs to objects.
 */


#ifndef _FWD_ID_H_INCLUDED_
#define _FWD_ID_H_INCLUDED_


#include "fwd.h"


#define FWD_ID_TEXT_MAX  42              /* two 64-bit numbers, "-", zero */


typedef struct {
    uint64_t              ms;
    uint64_t              seq;
} fwd_id_t;


/*
 * Reads "ms-seq" in decimal, nothing around it.  FWD_ERROR for anything else;
 * then *id is untouched.
 */
fwd_rc_t fwd_id_parse(fwd_id_t *id, const char *text, size_t len)
    FWD_MUST_CHECK;

/* Writes the text and a zero; out has FWD_ID_TEXT_MAX.  Returns its length. */
size_t fwd_id_format(char *out, fwd_id_t id);

/* Less than 0, 0 or greater, as a stands before, at or behind b. */
int fwd_id_compare(fwd_id_t a, fwd_id_t b);

/*
 * What an ID adds to a digest of the ledger, docs/SPEC.md section 4: below
 * 2^32, and the same as the scripts compute with the doubles of Lua.
 */
uint64_t fwd_id_digest(fwd_id_t id);

/* The smallest ID behind this one. */
fwd_id_t fwd_id_next(fwd_id_t id);

static inline int
fwd_id_is_zero(fwd_id_t id)
{
    return id.ms == 0 && id.seq == 0;
}


/*
 * Map from ID to a pointer, open addressing.  It holds no memory while it is
 * empty, so a thousand idle queues cost nothing.
 */
typedef struct {
    fwd_id_t              id;
    void                 *value;         /* NULL: the slot is free */
} fwd_idmap_slot_t;

typedef struct {
    fwd_idmap_slot_t     *slots;
    uint32_t              size;          /* power of two, or 0 */
    uint32_t              count;
} fwd_idmap_t;


/* Adds an ID that is not in the map; value is not NULL. */
fwd_rc_t fwd_idmap_add(fwd_idmap_t *map, fwd_id_t id, void *value)
    FWD_MUST_CHECK;

/* The value of an ID, or NULL. */
void *fwd_idmap_get(const fwd_idmap_t *map, fwd_id_t id);

/* Removes an ID; nothing happens if it is not there. */
void fwd_idmap_remove(fwd_idmap_t *map, fwd_id_t id);

/* Calls the handler with every value; it must not change the map. */
void fwd_idmap_each(const fwd_idmap_t *map,
    void (*handler)(void *value, void *data), void *data);

void fwd_idmap_free(fwd_idmap_t *map);


#endif /* _FWD_ID_H_INCLUDED_ */
