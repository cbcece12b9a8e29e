
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A growing byte buffer with a maximum.  A failed append leaves the buffer
 * empty and marks it failed, so a row of appends needs one test at the end.
 */


#ifndef _FWD_BUF_H_INCLUDED_
#define _FWD_BUF_H_INCLUDED_


#include "fwd.h"


typedef struct {
    unsigned char        *data;
    size_t                len;
    size_t                size;          /* allocated */
    size_t                max;           /* never grows above */
    unsigned              failed:1;      /* out of memory or above max */
} fwd_buf_t;


void fwd_buf_init(fwd_buf_t *b, size_t max);

void fwd_buf_add(fwd_buf_t *b, const void *data, size_t len);
void fwd_buf_add_string(fwd_buf_t *b, const char *text);
void fwd_buf_add_char(fwd_buf_t *b, int c);

/* Forgets the contents and a failure, keeps the memory. */
void fwd_buf_reset(fwd_buf_t *b);

/* The contents with a zero behind, owned by the buffer; NULL if it failed. */
const char *fwd_buf_string(fwd_buf_t *b);

/* Gives the memory back; the buffer can be used again. */
void fwd_buf_free(fwd_buf_t *b);


#endif /* _FWD_BUF_H_INCLUDED_ */
