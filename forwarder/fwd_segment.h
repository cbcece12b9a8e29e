
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The event file being written.  All calls block, and are made in a worker
 * thread, one at a time.
 *
 * An append is all or nothing for the caller: after FWD_OK the lines are on
 * the disk; after anything else they may or may not be in a file, and are to
 * be appended again.
 */


#ifndef _FWD_SEGMENT_H_INCLUDED_
#define _FWD_SEGMENT_H_INCLUDED_


#include "fwd_config.h"
#include "fwd_core.h"


typedef struct {
    const fwd_file_target_t  *target;
    fwd_core_t           *core;          /* for the fail point only */
    int                   fd;            /* -1: none is open */
    uint64_t              size;
    uint64_t              opened_ms;     /* as in its name */
    uint64_t              last_ms;       /* of the newest name in the folder */
    unsigned              looked:1;      /* at what was there at the start */
} fwd_segment_t;


void fwd_segment_init(fwd_segment_t *seg, const fwd_file_target_t *target,
    fwd_core_t *core);
void fwd_segment_close(fwd_segment_t *seg);

/* Writes the records, a line each, and waits until they are on the disk. */
fwd_rc_t fwd_segment_append(fwd_segment_t *seg,
    const martech_str_t *records, uint32_t count, uint64_t now_ms,
    fwd_error_t *err) FWD_MUST_CHECK;


#endif /* _FWD_SEGMENT_H_INCLUDED_ */
