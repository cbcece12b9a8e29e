
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Changes to a text that is copied: what stands in a range is left out, or
 * replaced.  Privacy and plan make them, the writer of events applies them.
 */


#ifndef _MARTECH_EDIT_H_INCLUDED_
#define _MARTECH_EDIT_H_INCLUDED_


#include "martech.h"


/*
 * One change.  To take away a member of an object, the range is that of the
 * member, from the quote in front of its name to the end of its value, and
 * with is empty: the commas are then seen to by who copies.  An element of an
 * array is never taken away, but replaced by null.
 */
typedef struct {
    uint32_t       start;                /* offset in the tape's text */
    uint32_t       end;                  /* behind it */
    martech_str_t  with;                 /* JSON text; empty: nothing */
} martech_edit_t;


/*
 * The caller gives room and sets list, max, buf, size; count and used to 0 for
 * each event.
 */
typedef struct {
    martech_edit_t  *list;               /* by start, not overlapping, once
                                            _sort() was called */
    unsigned         max;
    unsigned         count;
    unsigned char   *buf;                /* for the bytes of replacements */
    size_t           size;
    size_t           used;
    unsigned         full:1;             /* something did not fit: the event
                                            must not be stored */
} martech_edits_t;


/*
 * Adds a change, sets full without room.  _sort orders them, drops those that
 * lie within another one, and makes one of those that cross.
 */
void martech_edit_add(martech_edits_t *edits, uint32_t start, uint32_t end,
    martech_str_t with);
void martech_edit_sort(martech_edits_t *edits);

/* Room for so many bytes in buf; NULL (and full) if there is none. */
unsigned char *martech_edit_room(martech_edits_t *edits, size_t size);

/* The first change that ends behind an offset (binary search), or count. */
unsigned martech_edit_at(const martech_edits_t *edits, uint32_t offset);


#endif /* _MARTECH_EDIT_H_INCLUDED_ */
