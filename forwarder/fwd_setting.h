
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Values of settings: whether one is what its description allows.  It knows
 * neither who gave it nor where it stands.
 */


#ifndef _FWD_SETTING_H_INCLUDED_
#define _FWD_SETTING_H_INCLUDED_


#include "fwd_desc.h"


#define FWD_SETTING_URL_WANTED  "an http:// or https:// URL with a host"


/*
 * FWD_ERROR: the type, the pattern or the words of the setting do not allow
 * the text; *wanted says what they do, and may be of the pool.  A pattern
 * that is none allows all: it has been reported with the description.
 */
fwd_rc_t fwd_setting_check(const fwd_setting_t *setting, const char *text,
    const char **wanted, fwd_pool_t *pool) FWD_MUST_CHECK;

/* 1 if the text is a URL that requests may be sent to. */
int fwd_setting_url_valid(const char *text);


#endif /* _FWD_SETTING_H_INCLUDED_ */
