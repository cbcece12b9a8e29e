
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * User agents, reduced to browser, major version and platform.
 */


#ifndef _MARTECH_AGENT_H_INCLUDED_
#define _MARTECH_AGENT_H_INCLUDED_


#include "martech.h"


#define MARTECH_AGENT_SIZE  256          /* bytes of a reduced one at most */


/*
 * Writes what is left of a user agent: the names of products with their major
 * version (the other numbers become 0), and one of a few fixed texts for the
 * platform.  Everything else is left out: the model of the device, builds,
 * languages, comments, tokens that look like a serial number.  The result
 * needs no JSON escape.  Returns its length, which may be 0.
 */
size_t martech_agent_reduce(martech_str_t agent,
    unsigned char out[MARTECH_AGENT_SIZE]);


#endif /* _MARTECH_AGENT_H_INCLUDED_ */
