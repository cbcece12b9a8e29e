
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What every map and answer finds defined, docs/DESTINATIONS.md.
 */


#ifndef _FWD_PRELUDE_H_INCLUDED_
#define _FWD_PRELUDE_H_INCLUDED_


/*
 * jq definitions on one line, so that line numbers of programs stay true.
 * Only those whose name the program has are added: each costs at load.  The
 * caller frees it; NULL without memory.
 */
char *fwd_prelude(const char *program);


#endif /* _FWD_PRELUDE_H_INCLUDED_ */
