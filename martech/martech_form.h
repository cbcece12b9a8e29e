
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Names and values of a query string, or of a body that is
 * application/x-www-form-urlencoded.
 */


#ifndef _MARTECH_FORM_H_INCLUDED_
#define _MARTECH_FORM_H_INCLUDED_


#include "martech.h"


/* What is left of a form; start with all of it, without a "?" in front. */
typedef struct {
    martech_str_t  rest;
} martech_form_t;


/*
 * Takes the next pair, as it stands, still encoded; empty pairs ("&&") are
 * passed over, and a name without "=" has an empty value.  0: there is none.
 */
int martech_form_next(martech_form_t *form, martech_str_t *name,
    martech_str_t *value);

/*
 * The first value with this name (which needs no decoding), still encoded;
 * data is NULL if there is none.
 */
martech_str_t martech_form_value(martech_str_t form, const char *name,
    size_t len);

/* 1 if a name, percent-decoded, is this. */
int martech_form_is(martech_str_t name, const char *text, size_t len);

/*
 * A value percent-decoded ("+" is a blank): the slice itself if there is
 * nothing to decode, else in out, which has value.len bytes.
 */
martech_str_t martech_form_decode(martech_str_t value, unsigned char *out);


#endif /* _MARTECH_FORM_H_INCLUDED_ */
