
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Patterns of names: "*" stands for any bytes, "?" for one character; case
 * counts, and a pattern matches the whole name.
 */


#ifndef _FWD_PATTERN_H_INCLUDED_
#define _FWD_PATTERN_H_INCLUDED_


#include "fwd_config.h"


int fwd_pattern_match(const char *pattern, martech_str_t name);

/*
 * A list: 1 if the name matches one of its patterns, or all of them begin
 * with "!", and matches none that begins with "!".
 */
int fwd_pattern_list(const fwd_words_t *list, martech_str_t name);


#endif /* _FWD_PATTERN_H_INCLUDED_ */
