
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reading of event bodies: from a list of IDs to a list of events.  What is
 * in memory for another destination is not read again; neighbours in the
 * stream are read by one range.
 */


#ifndef _FWD_LOAD_H_INCLUDED_
#define _FWD_LOAD_H_INCLUDED_


#include "fwd_queue.h"


#define FWD_LOAD_MAX  128                /* events of one load */


struct fwd_load_s {
    fwd_queue_t          *queue;         /* NULL: canceled */
    void                (*done)(fwd_load_t *load);
    uint32_t              count;
    uint32_t              next;          /* first ID without an event */
    uint32_t              pending;       /* replies on their way */
    uint64_t              now_ms;        /* wall clock of the request */
    fwd_id_t              ids[FWD_LOAD_MAX];       /* ascending */
    fwd_event_t          *events[FWD_LOAD_MAX];    /* a reference each */
    double                due[FWD_LOAD_MAX];       /* retries only */
    uint32_t              attempts[FWD_LOAD_MAX];
    fwd_attempts_t       *tries[FWD_LOAD_MAX];     /* NULL: not known */
    unsigned              sparse:1;      /* IDs are far apart */
    unsigned              failed:1;      /* a reply was lost or wrong */
};


/* NULL if out of memory.  fwd_load_free() gives the events back. */
fwd_load_t *fwd_load_create(fwd_queue_t *queue,
    void (*done)(fwd_load_t *load));
void fwd_load_free(fwd_load_t *load);

/*
 * Reads the bodies and calls done() once, perhaps at once: events is then
 * complete, an event that Redis does not have is one with bad "missing"; or
 * failed is set.  done() frees the load.
 */
void fwd_load_start(fwd_load_t *load);


#endif /* _FWD_LOAD_H_INCLUDED_ */
