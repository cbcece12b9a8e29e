
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A shard: its lease, the reading of its stream, routing and trimming.
 *
 * All commands of a shard go over one connection, so replies tell the order
 * in which Redis did things; the code relies on it.
 */


#ifndef _FWD_SHARD_H_INCLUDED_
#define _FWD_SHARD_H_INCLUDED_


#include "fwd_engine.h"
#include "fwd_event.h"
#include "fwd_queue.h"
#include "fwd_seen.h"


/* Routed in one step: bounds the time that Redis is busy with a script. */
#define FWD_ROUTE_MAX        256

/* Events read but not routed, per shard, before reading stops. */
#define FWD_UNROUTED_MAX     1024


typedef enum {
    FWD_SHARD_IDLE = 0,           /* no connection */
    FWD_SHARD_CLAIMING,           /* the claim is out */
    FWD_SHARD_WAITING,            /* another owner, or an error: try later */
    FWD_SHARD_RECOVERING,         /* ours; pending entries are collected */
    FWD_SHARD_REREADING,          /* ours; pending entries are read */
    FWD_SHARD_ACTIVE,             /* ours; the reader reads new entries */
    FWD_SHARD_RELEASED            /* given back, or never taken */
} fwd_shard_state_t;


/* A destination that is not configured but has events waiting. */
typedef struct {
    fwd_key_t             q;
    fwd_key_t             q_high;
    fwd_key_t             retry;
    fwd_id_t              retry_min;
    unsigned              retry_some:1;
    unsigned              known:1;       /* retry_min is a true bound */
} fwd_stranger_t;


struct fwd_shard_s {
    fwd_engine_t         *engine;
    fwd_redis_t          *redis;         /* who serves the shard; of the
                                            engine or its topology, in a
                                            cluster NULL at first */
    fwd_reader_t         *reader;        /* in a cluster, else NULL */
    uint32_t              index;
    fwd_shard_state_t     state;         /* set by fwd_shard_set() only */

    fwd_key_t             in;
    fwd_key_t             owner;
    fwd_key_t             epoch_key;
    fwd_key_t             ledger;
    fwd_key_t             entry_dead;    /* dead:_entry */
    fwd_key_t             quarantine;
    fwd_key_t             link;
    char                 *names;         /* memory of all keys */

    uint64_t              epoch;         /* of our lease, 0: never had one */
    uint64_t              claimed_ms;    /* monotonic, when claim was sent */
    uint64_t              lease_ms;      /* monotonic, ours until then */
    uint64_t              renew_ms;      /* monotonic, renew next */
    uint64_t              again_ms;      /* monotonic, next try if WAITING */
    uint64_t              leave_ms;      /* monotonic, end of patience with
                                            what is under way if leaving */
    uint64_t              look_ms;       /* monotonic, next look for entries
                                            that went to another reader */
    fwd_id_t              look_id;       /* first pending entry of the last
                                            look, if it was not in memory */
    uint64_t              sent_ms;       /* when the renew on its way left */
    uint32_t              generation;    /* of reading; entries read under an
                                            older one are not used */
    uint32_t              failed_count;  /* errors in a row, for the wait */

    fwd_idmap_t           events;        /* all in memory, by ID */
    fwd_event_t         **unrouted;      /* ring of references, ID order */
    uint32_t              unrouted_first;
    uint32_t              unrouted_count;
    uint32_t              unrouted_size;
    fwd_route_step_t     *routing;       /* on its way, NULL: none */
    uint32_t              persons_count; /* of the first unrouted, looked up */
    uint32_t              asking_count;  /* of a look-up on its way, 0: none */
    fwd_seen_t            seen;
    uint64_t              remember_number;  /* bucket that is being read */
    fwd_id_t              reread;        /* last pending entry read */
    char                  cursor[FWD_ID_TEXT_MAX];  /* of XAUTOCLAIM */

    fwd_queue_t          *queues;        /* one for each destination, then
                                            their high lanes */
    uint32_t              queues_count;
    fwd_stranger_t       *strangers;
    uint32_t              strangers_count;
    uint64_t              trim_ms;       /* monotonic, next trim */
    fwd_post_t            route;
    fwd_log_limit_t       limit;         /* of errors in steps */
    fwd_log_limit_t       bad_limit;     /* of entries put aside */
    fwd_log_limit_t       held_limit;    /* of "held under our name" */

    unsigned              mine:1;        /* we had the lease last, as far as
                                            we know */
    unsigned              leaving:1;     /* to be given back: nothing new */
    unsigned              claim_lost:1;  /* a claim of ours has no answer */
    unsigned              looking:1;
    unsigned              renewing:1;
    unsigned              rereading:1;   /* a read is on its way */
    unsigned              trimming:1;
    unsigned              dirty:1;       /* something was finished or routed
                                            since the last trim */
    unsigned              fenced_once:1; /* no take-over by name any more */
    unsigned              releasing:1;
    unsigned              strangers_known:1;
    unsigned              strangers_asked:1;
    unsigned              asking_stale:1;    /* the answer is of no use */
    unsigned              remembering:1; /* a read of prints is on its way */
    unsigned              remember_stale:1;
    unsigned              remember_logged:1;
};


fwd_rc_t fwd_shard_init(fwd_shard_t *shard, fwd_engine_t *engine,
    uint32_t index) FWD_MUST_CHECK;
void fwd_shard_cleanup(fwd_shard_t *shard);

/* The connection is there, or is lost. */
void fwd_shard_up(fwd_shard_t *shard);
void fwd_shard_down(fwd_shard_t *shard);

/* Called about ten times a second: leases, tries, trims. */
void fwd_shard_tick(fwd_shard_t *shard);

/* 1 if the lease is ours for certain: steps may be sent. */
int fwd_shard_owned(const fwd_shard_t *shard);

/* 1 if events may be sent as well: it is not about to be given back. */
int fwd_shard_sendable(const fwd_shard_t *shard);

/* The reader may ask for new entries. */
int fwd_shard_readable(const fwd_shard_t *shard);

/*
 * The shard is to be given back: nothing is read or sent any more, and the
 * lease goes as soon as nothing is under way, or patience is over.  stay()
 * takes it back before the lease is gone.
 */
void fwd_shard_leave(fwd_shard_t *shard, uint64_t patience_ms);
void fwd_shard_stay(fwd_shard_t *shard);

/* Something of the shard has ended: if it is leaving it may be able to go. */
void fwd_shard_settle(fwd_shard_t *shard);

/* Nothing waits for the shard in memory but what the next owner can load. */
int fwd_shard_settled(fwd_shard_t *shard);

/* fwd_lease.c: asks for the lease; fwd_members.c says when. */
void fwd_shard_claim(fwd_shard_t *shard);

/* fwd_lease.c: extends it. */
void fwd_shard_renew(fwd_shard_t *shard);

/* fwd_lease.c: gives the lease back; finish everything before. */
void fwd_shard_release(fwd_shard_t *shard);

/* fwd_lease.c: a step was refused: stop at once, and ask who holds it. */
void fwd_shard_fenced(fwd_shard_t *shard);

/* Forgets what is in memory: somebody else works on the shard. */
void fwd_shard_drop(fwd_shard_t *shard);

/* After an error: a while until again_ms, longer each time. */
void fwd_shard_later(fwd_shard_t *shard);

/* A step failed: log it, limited. */
void fwd_shard_error(fwd_shard_t *shard, const char *step,
    const redisReply *reply);

/* Read all pending entries again before any new one. */
void fwd_shard_resync(fwd_shard_t *shard, const char *reason);

/* Has all queues look in Redis for pointers that memory does not know. */
void fwd_shard_rewind(fwd_shard_t *shard);

/* fwd_route.c: takes a reference; routed at the end of the round. */
void fwd_shard_add(fwd_shard_t *shard, fwd_event_t *ev);
void fwd_shard_forget_unrouted(fwd_shard_t *shard);
void fwd_shard_forget_routing(fwd_shard_t *shard);

/* The n-th of them, from 0. */
fwd_event_t *fwd_shard_unrouted(const fwd_shard_t *shard, uint32_t n);

/* fwd_route.c: the posted handler. */
void fwd_shard_route(void *data);

/* fwd_trim.c */
void fwd_shard_trim(fwd_shard_t *shard);
void fwd_shard_find_strangers(fwd_shard_t *shard);

/* fwd_recover.c: collects, then reads, all pending entries. */
void fwd_shard_recover(fwd_shard_t *shard);
void fwd_shard_reread(fwd_shard_t *shard);

/* fwd_recover.c: has another reader got new entries of ours? */
void fwd_shard_look(fwd_shard_t *shard);

/* Set by one function, logged there. */
void fwd_shard_set(fwd_shard_t *shard, fwd_shard_state_t state);


#endif /* _FWD_SHARD_H_INCLUDED_ */
