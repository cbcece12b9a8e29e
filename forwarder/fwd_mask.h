
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What of a request may be shown to a person.  Settings that are declared as
 * secret are left out when templates are expanded (fwd_target.c); here is the
 * rest: secrets that somebody wrote where they are not declared.
 */


#ifndef _FWD_MASK_H_INCLUDED_
#define _FWD_MASK_H_INCLUDED_


#include "fwd.h"
#include "fwd_buf.h"


#define FWD_MASK  "***"


/* 1 if a header, or a parameter of a URL, has such a name. */
int fwd_mask_name(const char *name, size_t len);

/* Appends a URL without its user part and the values of such parameters. */
void fwd_mask_url(fwd_buf_t *out, const char *url);


#endif /* _FWD_MASK_H_INCLUDED_ */
