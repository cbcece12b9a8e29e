
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The record of a dead letter (docs/SPEC.md section 4): what a person needs
 * to see why an event was not delivered, and to send it again.  It is built
 * when the step is, so nothing of it is kept before but the batch, once for
 * all its events.
 */


#ifndef _FWD_DEAD_H_INCLUDED_
#define _FWD_DEAD_H_INCLUDED_


#include "fwd_config.h"
#include "fwd_dest.h"
#include "fwd_script.h"


#define FWD_DEAD_BODY_MAX  65536         /* bytes of a request kept */


/* Adds the fields of an item, in the order of the script, to a step. */
void fwd_dead_args(fwd_args_t *args, const fwd_item_t *item, uint64_t now_ms);

/* About how many bytes that will be. */
size_t fwd_dead_size(const fwd_item_t *item);

/* The same of an event in a batch of calls: the call that it failed in. */
void fwd_dead_call(fwd_buf_t *out, const fwd_batch_t *batch,
    const fwd_dest_conf_t *conf, uint32_t index);

/*
 * Parts of it, JSON; empty if nothing was sent or answered.  The buffer is
 * appended to.
 */
void fwd_dead_history(fwd_buf_t *out, const fwd_attempts_t *tries);
void fwd_dead_request(fwd_buf_t *out, const fwd_batch_t *batch,
    const fwd_http_target_t *target, uint32_t index);
void fwd_dead_answer(fwd_buf_t *out, const fwd_batch_t *batch,
    uint32_t index);
void fwd_dead_versions(fwd_buf_t *out, const fwd_dest_conf_t *conf,
    const char *config);

/* A sentence for a person; "" if there is nothing to add. */
const char *fwd_dead_hint(const char *reason, fwd_outcome_t outcome,
    int status);


#endif /* _FWD_DEAD_H_INCLUDED_ */
