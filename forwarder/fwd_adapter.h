
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * hiredis on libuv: connects the hooks of an async context to a poll handle.
 * It knows nothing of commands, deadlines or reconnecting.
 */


#ifndef _FWD_ADAPTER_H_INCLUDED_
#define _FWD_ADAPTER_H_INCLUDED_


#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include "fwd_core.h"


/*
 * Attaches a fresh context; from here on hiredis calls us.  The adapter
 * frees itself when hiredis gives the context up.
 */
fwd_rc_t fwd_adapter_attach(fwd_core_t *core, redisAsyncContext *ac)
    FWD_MUST_CHECK;


#endif /* _FWD_ADAPTER_H_INCLUDED_ */
