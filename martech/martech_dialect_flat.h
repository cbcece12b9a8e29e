
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Private to the files of the dialects: an event that is a flat list of names
 * and values, as in a query string or an object of strings.  The names that
 * a dialect knows have a place each, all others keep their order; of a name
 * that stands more than once the first value counts.
 */


#ifndef _MARTECH_DIALECT_FLAT_H_INCLUDED_
#define _MARTECH_DIALECT_FLAT_H_INCLUDED_


#include "martech_dialect.h"


#define MARTECH_NAMES_MAX        288
#define MARTECH_FLAT_KNOWN_MAX   96
#define MARTECH_FLAT_OTHERS_MAX  256     /* more: the event is refused */

#define MARTECH_NAMES_SLOTS      512     /* a power of two */


/* A set of names, for objects that must have each once. */
typedef struct {
    unsigned       count;
    martech_str_t  names[MARTECH_NAMES_MAX];
    uint32_t       hashes[MARTECH_NAMES_MAX];
    uint16_t       slots[MARTECH_NAMES_SLOTS];
                                         /* number of a name + 1; 0: free */
} martech_names_t;


/* Names in the order of their lengths. */
typedef struct {
    const martech_str_t  *names;
    unsigned              count;
    const uint8_t        *from;          /* by length: the first of it; one
                                            more than len_max + 1 */
    unsigned              len_max;
} martech_flat_table_t;


typedef struct {
    const martech_flat_table_t  *table;
    martech_str_t                known[MARTECH_FLAT_KNOWN_MAX];
                                         /* data is NULL: not there, or "" */
    martech_names_t              names;  /* of the others */
    martech_str_t                values[MARTECH_FLAT_OTHERS_MAX];
} martech_flat_t;


void martech_names_clear(martech_names_t *set);

/* 1 if a name is new in the set; 0 if not, or if the set is full.  The name's
   bytes must stay. */
int martech_names_add(martech_names_t *set, martech_str_t name);


void martech_flat_init(martech_flat_t *flat,
    const martech_flat_table_t *table);

/* An event that is empty again. */
void martech_flat_clear(martech_flat_t *flat);

/*
 * Add the pairs of a form, or the members of an object of a tape (a null
 * counts as absent, another value that is no string as its text); values are
 * decoded into the scratch space.  0: there are too many, or one that no
 * event can hold.
 */
int martech_flat_form(martech_translation_t *t, martech_flat_t *flat,
    martech_str_t form) MARTECH_MUST_CHECK;
int martech_flat_object(martech_translation_t *t, martech_flat_t *flat,
    uint32_t object) MARTECH_MUST_CHECK;

/* Adds what another event of the same table has and this one has not. */
int martech_flat_merge(martech_flat_t *flat, const martech_flat_t *base)
    MARTECH_MUST_CHECK;

/* The value of a known name, which then counts as written. */
martech_str_t martech_flat_take(martech_flat_t *flat, unsigned field);

/* Writes the known names that are left, then the others, as strings. */
void martech_flat_rest(martech_translation_t *t, martech_flat_t *flat);

/* 1 if anything is left. */
int martech_flat_any(const martech_flat_t *flat);


/*
 * The value of a node as bytes, un-escaped into the scratch space if need be;
 * no data for null and for NONE.  The same of a member's name.
 */
martech_str_t martech_flat_value(martech_translation_t *t,
    const martech_json_tape_t *tape, uint32_t node);
martech_str_t martech_flat_key(martech_translation_t *t,
    const martech_json_tape_t *tape, uint32_t node);

/*
 * Members of what is being written: of a page by its URL (path and search are
 * parts of it), referrer and title; all may have no data.
 */
void martech_flat_page(martech_translation_t *t, martech_str_t url,
    martech_str_t referrer, martech_str_t title);


#endif /* _MARTECH_DIALECT_FLAT_H_INCLUDED_ */
