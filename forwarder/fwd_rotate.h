
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Names of event files, and when the next file is due.  Pure.
 */


#ifndef _FWD_ROTATE_H_INCLUDED_
#define _FWD_ROTATE_H_INCLUDED_


#include "fwd_config.h"


#define FWD_ROTATE_NAME_LEN  35   /* "events-20261120T193600.123Z.ndjson" + 0 */


/* The name of a file that is opened now; names sort by time. */
void fwd_rotate_name(char out[FWD_ROTATE_NAME_LEN], uint64_t now_ms);

/* The time in a name; FWD_ERROR if it is not one of ours. */
fwd_rc_t fwd_rotate_parse(uint64_t *ms, const char *name) FWD_MUST_CHECK;

/* 1 if the file opened then, of that size, is not to be written any more. */
int fwd_rotate_due(uint64_t opened_ms, uint64_t size, uint64_t now_ms,
    uint64_t rotate_bytes, fwd_rotate_t every);


#endif /* _FWD_ROTATE_H_INCLUDED_ */
