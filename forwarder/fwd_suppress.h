
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A list of persons who get nothing: a file with a userId or anonymousId a
 * line, as it is or as lower-case hex of its SHA-256.
 */


#ifndef _FWD_SUPPRESS_H_INCLUDED_
#define _FWD_SUPPRESS_H_INCLUDED_


#include "fwd.h"


typedef struct fwd_suppress_s  fwd_suppress_t;


/* Reads the file; FWD_ERROR with a text that has its name. */
fwd_rc_t fwd_suppress_create(fwd_suppress_t **list, const char *file,
    fwd_error_t *err) FWD_MUST_CHECK;
void fwd_suppress_destroy(fwd_suppress_t *list);

/* 1 if the id stands in the list. */
int fwd_suppress_has(const fwd_suppress_t *list, martech_str_t id);


#endif /* _FWD_SUPPRESS_H_INCLUDED_ */
