
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What every file of the forwarder shares: result codes, the error struct
 * and compiler notes.
 */


#ifndef _FWD_H_INCLUDED_
#define _FWD_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "../martech/martech.h"


#define FWD_NAME_MAX         32          /* of a destination, docs/SPEC.md */
#define FWD_GROUP            "forwarder" /* consumer group on every "in" */

#define FWD_MUST_CHECK       __attribute__((warn_unused_result))
#define FWD_PRINTF(n, m)     __attribute__((format(printf, n, m)))


typedef enum {
    FWD_OK = 0,
    FWD_ERROR,                    /* failed; an error struct says why */
    FWD_AGAIN,                    /* not done, may be tried again */
    FWD_FENCED,                   /* the lease of the shard is lost */
    FWD_NONE                      /* there is nothing */
} fwd_rc_t;


/* Objects that several files know by pointer. */
typedef struct fwd_batch_s   fwd_batch_t;
typedef struct fwd_calls_s   fwd_calls_t;
typedef struct fwd_endpoint_s  fwd_endpoint_t;
typedef struct fwd_depth_s   fwd_depth_t;
typedef struct fwd_dest_s    fwd_dest_t;
typedef struct fwd_engine_s  fwd_engine_t;
typedef struct fwd_load_s    fwd_load_t;
typedef struct fwd_queue_s   fwd_queue_t;
typedef struct fwd_reader_s  fwd_reader_t;
typedef struct fwd_route_step_s  fwd_route_step_t;
typedef struct fwd_shard_s   fwd_shard_t;


/* Filled once, by the place that knows; owned by the caller. */
typedef struct {
    char                  text[256];
} fwd_error_t;


/* Writes the text of an error and returns FWD_ERROR. */
fwd_rc_t fwd_error(fwd_error_t *err, const char *fmt, ...) FWD_PRINTF(2, 3);


#endif /* _FWD_H_INCLUDED_ */
