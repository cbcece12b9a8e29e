
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * JSON text to the values of jq and back.  Both do what jv_parse_sized() and
 * jv_dump_string() do, in 0.4 to 0.6 of the time, by our own scanner and by
 * appending to a buffer.
 */


#ifndef _FWD_JV_H_INCLUDED_
#define _FWD_JV_H_INCLUDED_


#include <jv.h>

#include "fwd_buf.h"
#include "fwd_event.h"


/*
 * The value of a JSON text; a tape is for the time of the call.  An invalid
 * jv without a message if the text is no JSON, or is deeper than jq can hold.
 */
jv fwd_jv_parse(fwd_reader_tape_t *rt, martech_str_t text);

/*
 * The same of what others have written: a name that begins with "@" gets
 * FWD_JV_GUARD in front, so that it is no marker in the output of a map.  The
 * writer of records takes it off.
 */
#define FWD_JV_GUARD  "\x01"

/*
 * Names that come again with each event: a text of jq is checked, copied and
 * hashed when it is made.  All zero is empty.
 */
#define FWD_JV_NAMES     256
#define FWD_JV_NAME_MAX  32              /* bytes */

typedef struct {
    jv                    name;
    const char           *text;          /* of the name */
    uint32_t              len;           /* 0: the place is free */
} fwd_jv_name_t;

typedef struct {
    fwd_jv_name_t         list[FWD_JV_NAMES];
} fwd_jv_names_t;

/* names may be NULL. */
jv fwd_jv_parse_guarded(fwd_reader_tape_t *rt, fwd_jv_names_t *names,
    martech_str_t text);

/*
 * Where the object that was parsed last has "name.name"; 0: nowhere, or null
 * is there.
 */
uint32_t fwd_jv_find(const fwd_reader_tape_t *rt, const char *path);

/* What is there, guarded; names may be NULL. */
jv fwd_jv_value(const fwd_reader_tape_t *rt, fwd_jv_names_t *names,
    uint32_t node);

/* Appends the text that is there; 0: there is none, or it has escapes. */
int fwd_jv_text(const fwd_reader_tape_t *rt, uint32_t node, fwd_buf_t *b);

void fwd_jv_names_free(fwd_jv_names_t *names);

/* A name as a text of jq; names may be NULL. */
jv fwd_jv_name(fwd_jv_names_t *names, const char *text, size_t len);

/* Appends the text of a value, and frees the value. */
void fwd_jv_dump(fwd_buf_t *b, jv value);

/* Appends a text between quotes. */
void fwd_jv_dump_text(fwd_buf_t *b, const char *text, size_t len);


#endif /* _FWD_JV_H_INCLUDED_ */
