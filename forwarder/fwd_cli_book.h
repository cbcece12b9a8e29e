
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A ledger as a tree that can be added up, and the checks of docs/SPEC.md
 * section 4 on it.
 *
 *     { sources: { SRC: { in, in~, duplicate } },
 *       destinations: { DEST: {
 *         sources: { SRC: { routed, routed~, done, ..., in_to, unoffered,
 *                           refused: { REASON: n } } },
 *         retry, dead_replayed, dead_dropped, waiting, waiting~, letters } },
 *       bad, bad_letters, relinked, quarantine, quarantine_replayed, ... }
 *
 * What an older version counted without a source has the source "".
 */


#ifndef _FWD_CLI_BOOK_H_INCLUDED_
#define _FWD_CLI_BOOK_H_INCLUDED_


/* libraries */
#include <jansson.h>

/* this folder */
#include "fwd.h"
#include "fwd_id.h"


#define FWD_BOOK_ENDS  6

/* done, drop, dead, expired, moved, dry: where a routed event can end. */
extern const char *const  fwd_book_ends[FWD_BOOK_ENDS];


/* The fallback of a destination, or NULL; for fwd_book_check(). */
typedef const char *(*fwd_book_fallback_pt)(void *data, const char *dest);

typedef struct {
    json_t               *differences;   /* array: what is found goes here */
    int64_t               shard;
    unsigned              digests:1;     /* waiting~ is known */
    fwd_book_fallback_pt  fallback;
    int                 (*configured)(void *data, const char *dest);
    void                 *data;
} fwd_book_check_t;


/* Adds a field of a ledger to a book. */
void fwd_book_field(json_t *book, const char *name, const char *value);

/* The tree of a name in an object, made if it is not there. */
json_t *fwd_book_at(json_t *object, const char *name);

/* Adds to a number of an object; reads one, 0 if there is none. */
void fwd_book_count(json_t *object, const char *name, int64_t n);
int64_t fwd_book_get(const json_t *object, const char *name);

/* The sum of a counter over all sources of a destination. */
int64_t fwd_book_sum(const json_t *dest, const char *name);

/* Routed less all ends, of one source. */
int64_t fwd_book_waiting(const json_t *source);

/* Adds every number of one book to another. */
void fwd_book_merge(json_t *to, json_t *from);

/* Checks the book of one shard. */
void fwd_book_check(json_t *book, const fwd_book_check_t *check);

/*
 * Adds a difference: of what, who (destination and source, may be NULL), and
 * the text for people.
 */
void fwd_book_differ(const fwd_book_check_t *check, const char *what,
    const char *dest, const char *source, int64_t expected, int64_t found,
    const char *fmt, ...) FWD_PRINTF(7, 8);


#endif /* _FWD_CLI_BOOK_H_INCLUDED_ */
