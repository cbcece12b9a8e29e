
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A small HTTP server for numbers and health.  It has no thread: the owner
 * polls one descriptor and calls fwd_status_run().
 */


#ifndef _FWD_STATUS_H_INCLUDED_
#define _FWD_STATUS_H_INCLUDED_


#include "fwd.h"
#include "fwd_buf.h"


typedef struct fwd_status_s  fwd_status_t;

/*
 * Writes the page of a path and its media type.  Returns the HTTP status, or
 * 0: there is no such page.
 */
typedef int (*fwd_status_page_pt)(void *data, const char *path,
    fwd_buf_t *out, const char **type);


/* Listens on HOST:PORT, [IPV6]:PORT or unix:/PATH. */
fwd_rc_t fwd_status_create(fwd_status_t **status, const char *address,
    fwd_status_page_pt page, void *data, fwd_error_t *err) FWD_MUST_CHECK;

/* Closes everything; NULL is allowed. */
void fwd_status_destroy(fwd_status_t *status);

const char *fwd_status_address(const fwd_status_t *status);

/* Readable when there is something to do. */
int fwd_status_fd(const fwd_status_t *status);

/* Does it; also to be called several times a second, for time-outs. */
void fwd_status_run(fwd_status_t *status);


#endif /* _FWD_STATUS_H_INCLUDED_ */
