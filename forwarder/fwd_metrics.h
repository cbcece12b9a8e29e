
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The numbers as Prometheus reads them (text format 0.0.4).
 */


#ifndef _FWD_METRICS_H_INCLUDED_
#define _FWD_METRICS_H_INCLUDED_


#include "fwd_buf.h"
#include "fwd_stats.h"


/* One destination, over all loops there are and were. */
typedef struct {
    const char           *name;
    fwd_dest_stats_t      stats;
} fwd_metrics_dest_t;


typedef struct {
    const char           *version;
    const char           *format;        /* of the stream */
    const char           *config;        /* sha256 of the file */
    uint64_t              now_ms;        /* Unix */
    uint64_t              loops;         /* wanted */
    uint64_t              loops_up;
    uint64_t              loops_died;    /* unasked, ever */
    uint64_t              shards;
    uint64_t              reload_ok;     /* 1: the last one was accepted */
    uint64_t              reload_ms;     /* Unix, of the last accepted one */
    fwd_loop_sums_t       sum;           /* of all loops */
    fwd_metrics_dest_t   *dests;
    size_t                dests_count;
} fwd_metrics_t;


/* Appends the page; out->failed if it does not fit. */
void fwd_metrics_write(fwd_buf_t *out, const fwd_metrics_t *m);


#endif /* _FWD_METRICS_H_INCLUDED_ */
