
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * One route step: the first unrouted events of a shard, what becomes of each
 * at every destination, and the script call that says so.
 */


#ifndef _FWD_ROUTE_H_INCLUDED_
#define _FWD_ROUTE_H_INCLUDED_


#include "fwd_shard.h"
#include "fwd_wanted.h"


#define FWD_ROUTE_SOURCES  32            /* different ones in a step */


/* What becomes of an event at a destination. */
enum {
    FWD_VERDICT_NONE = 0,         /* not asked, not counted */
    FWD_VERDICT_NORMAL,           /* a pointer */
    FWD_VERDICT_HIGH,             /* one in the high lane */
    FWD_VERDICT_REFUSED           /* and above: + fwd_wanted_answer_t */
};


/* What an event is. */
typedef enum {
    FWD_ROUTE_BAD = 0,            /* goes to dead:_entry */
    FWD_ROUTE_TO,                 /* an operator's, for one destination */
    FWD_ROUTE_DUPLICATE,
    FWD_ROUTE_GOOD
} fwd_route_kind_t;


struct fwd_route_step_s {
    fwd_shard_t          *shard;         /* NULL: nobody waits for it */
    uint32_t              count;         /* events */
    uint32_t              dests_count;
    uint64_t              bucket;        /* of fingerprints */
    size_t                prints_len;    /* to be appended there */
    uint32_t              queues_count;
    uint32_t              sources_count;
    uint32_t              duplicates;
    uint32_t              refused;       /* event and destination */
    uint32_t             *queues;        /* indexes, in the order of keys */
    uint32_t             *queue_events;  /* of each index */
    uint8_t              *verdicts;      /* FWD_ROUTE_MAX a destination */
    uint8_t               kinds[FWD_ROUTE_MAX];
    uint8_t               sources[FWD_ROUTE_MAX];   /* index of the name */
    martech_str_t         source_names[FWD_ROUTE_SOURCES];
    unsigned char         prints[FWD_ROUTE_MAX * FWD_SEEN_BYTES];
};


/*
 * How many of the first events can go in one step: they have one bucket of
 * fingerprints, and not too many sources.
 */
uint32_t fwd_route_count(const fwd_shard_t *shard, uint64_t *bucket);

/* Judges the events; everything they need is here.  NULL: no memory. */
fwd_route_step_t *fwd_route_step_create(fwd_shard_t *shard, uint32_t count,
    uint64_t bucket);
void fwd_route_step_free(fwd_route_step_t *step);

/* fwd_route_args.c: builds the command. */
void fwd_route_step_args(fwd_route_step_t *step, fwd_args_t *args);

static inline uint8_t *
fwd_route_verdicts(const fwd_route_step_t *step, uint32_t dest)
{
    return step->verdicts + (size_t) dest * FWD_ROUTE_MAX;
}


#endif /* _FWD_ROUTE_H_INCLUDED_ */
