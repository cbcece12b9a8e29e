
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the files of fwd_try.h share.  Nobody else includes this.
 */


#ifndef _FWD_TRY_PRIVATE_H_INCLUDED_
#define _FWD_TRY_PRIVATE_H_INCLUDED_


#include "fwd_answer.h"
#include "fwd_try.h"


#define FWD_TRY_REASONS_MAX  (64 * 1024)


/* A call of a batch as it is sent; out->events are not set. */
fwd_rc_t fwd_try_build(fwd_try_call_t *out, const fwd_dest_conf_t *conf,
    const fwd_try_input_t *in, fwd_batch_t *batch, uint32_t n,
    fwd_auth_t *auth, fwd_pool_t *pool, fwd_error_t *err) FWD_MUST_CHECK;

/* The id of an event, for that of its calls. */
void fwd_try_message(fwd_event_t *ev, martech_str_t text, fwd_pool_t *pool);

/* The word of answer.jq; out is NULL for one record. */
const char *fwd_try_word(const fwd_verdict_t *v,
    const fwd_answer_output_t *out);


#endif /* _FWD_TRY_PRIVATE_H_INCLUDED_ */
