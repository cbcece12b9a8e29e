
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Flat names with dots as nested objects: "context.page.url" is the member
 * "url" of the object "page" of the object "context".
 */


#ifndef _MARTECH_NEST_H_INCLUDED_
#define _MARTECH_NEST_H_INCLUDED_


#include "martech.h"
#include "martech_json.h"


#define MARTECH_NEST_DEPTH  8            /* parts of a name; what is behind the
                                            last dot of these keeps its dots */


/* Raw bytes; the value becomes a string. */
typedef struct {
    martech_str_t  name;
    martech_str_t  value;
} martech_nest_t;


/*
 * Writes the members of an object that has been begun; the pairs are sorted
 * on the way, in a time that grows with the square of their number.  Of equal
 * names the first counts.  A name with an empty part ("a..b") does not nest,
 * nor does "a.b" below an "a" that has a value itself: both keep their dots.
 */
void martech_nest_write(martech_json_writer_t *w, martech_nest_t *pairs,
    unsigned count);


#endif /* _MARTECH_NEST_H_INCLUDED_ */
