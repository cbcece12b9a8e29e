
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The texts of the scripts; what they take and answer stands in fwd_script.h.
 */


#ifndef _FWD_LUA_H_INCLUDED_
#define _FWD_LUA_H_INCLUDED_


/* FWD_SCRIPT_COUNT texts, in the order of fwd_script_t. */
const char *const *fwd_lua_texts(void);


#endif /* _FWD_LUA_H_INCLUDED_ */
