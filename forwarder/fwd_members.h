
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Which loops live, and how many shards this one should have: each says
 * every half second that it is there, all see the same sorted list, and the
 * place in it gives the share.
 *
 * A loop that has too few shards claims free ones, all at once; one that has
 * too many gives them back one at a time, each when nothing of it is under
 * way.
 */


#ifndef _FWD_MEMBERS_H_INCLUDED_
#define _FWD_MEMBERS_H_INCLUDED_


#include "fwd_core.h"
#include "fwd_log.h"


typedef struct {
    char                 *key;           /* {P:00}:loops */
    size_t                key_len;
    fwd_post_t            look;          /* for shards to claim or give */
    uint64_t              start_ms;      /* monotonic, of the engine */
    uint64_t              beat_ms;       /* monotonic, next beat */
    uint32_t              count;         /* loops that live, with us */
    uint32_t              rank;          /* ours among them, from 0 */
    uint32_t              quota;         /* shards we should have */
    uint32_t              quota_before;  /* at the beat before: more is kept
                                            until it was seen twice */
    uint64_t              grace_ms;      /* monotonic: until then no more
                                            than quota_kept is claimed */
    uint32_t              quota_kept;    /* before the connection was lost */
    uint32_t              cursor;        /* of the present look */
    fwd_log_limit_t       limit;
    unsigned              known:1;       /* there was an answer */
    unsigned              beating:1;     /* a beat is on its way */
    unsigned              left:1;        /* no beats any more */
    unsigned              unsettled:1;   /* shards are on the move */
} fwd_members_t;


fwd_rc_t fwd_members_init(fwd_engine_t *engine) FWD_MUST_CHECK;
void fwd_members_cleanup(fwd_engine_t *engine);

/*
 * The connection is there.  If it was before, the others may need a moment to
 * be back as well, and their shards are not taken in it.
 */
void fwd_members_up(fwd_engine_t *engine);

/* Called at each tick of the engine. */
void fwd_members_tick(fwd_engine_t *engine);

/* A claim was answered, a shard became free: go on at the end of the round. */
void fwd_members_wake(fwd_engine_t *engine);

/* Takes us off the list; fwd_members_gone() when that is done, or in vain. */
void fwd_members_leave(fwd_engine_t *engine);
int fwd_members_gone(const fwd_engine_t *engine);

/*
 * How long a read may wait for new entries, in ms: a shard that is given
 * back has to wait for the end of it.
 */
uint64_t fwd_members_patience(const fwd_engine_t *engine);

/* The share of a loop: all are within one of each other. */
uint32_t fwd_members_share(uint32_t shards, uint32_t count, uint32_t rank);


#endif /* _FWD_MEMBERS_H_INCLUDED_ */
