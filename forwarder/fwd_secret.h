
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Secrets stand in a configuration by reference only: "file:PATH" or
 * "env:NAME".
 */


#ifndef _FWD_SECRET_H_INCLUDED_
#define _FWD_SECRET_H_INCLUDED_


#include "fwd.h"
#include "fwd_pool.h"


#define FWD_SECRET_SIZE_MAX  16384


/*
 * Reads what a reference names into the pool; one line end at the end of a
 * file is cut off.  FWD_ERROR if the text is no reference, or the secret
 * cannot be read, is empty or too long.  The error text never holds the
 * secret, nor a text that is no reference: it may be one.
 */
fwd_rc_t fwd_secret_read(const char **value, const char *reference,
    fwd_pool_t *pool, fwd_error_t *err) FWD_MUST_CHECK;


#endif /* _FWD_SECRET_H_INCLUDED_ */
