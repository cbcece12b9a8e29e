
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A destination over all shards of an engine: decides what is sent when,
 * judges outcomes, and hands events to their queues to be finished.  How
 * something is sent is the business of its kind.
 */


#ifndef _FWD_DEST_H_INCLUDED_
#define _FWD_DEST_H_INCLUDED_


#include "fwd_batch.h"
#include "fwd_engine.h"
#include "fwd_gate.h"
#include "fwd_map.h"
#include "fwd_order.h"
#include "fwd_queue.h"
#include "fwd_stats.h"
#include "fwd_wanted.h"


/*
 * A kind of destination.  create() checks what can be checked without I/O.
 * send() takes a sealed batch with at least one record and calls
 * fwd_batch_done() once, later.  destroy() ends what is under way without
 * calling done; NULL is allowed.
 */
typedef struct {
    const char           *name;
    fwd_rc_t            (*create)(void **ctx, fwd_core_t *core,
                                  const fwd_dest_conf_t *conf,
                                  fwd_error_t *err);
    void                (*send)(void *ctx, fwd_batch_t *batch);
    void                (*destroy)(void *ctx);
} fwd_kind_t;


typedef struct fwd_shadow_s  fwd_shadow_t;
typedef struct fwd_groups_s  fwd_groups_t;


#define FWD_DEST_REASONS_MAX  64         /* kept, of one destination */


struct fwd_dest_s {
    fwd_engine_t         *engine;
    const fwd_dest_conf_t  *conf;
    const fwd_kind_t     *kind;
    void                 *ctx;           /* of the kind */
    fwd_dest_stats_t     *stats;         /* never NULL */
    fwd_map_t            *map;           /* NULL: events go as they are */
    const char           *versions;      /* of a dead letter: JSON */
    fwd_gate_t           *gate;
    fwd_wanted_t         *wanted;        /* NULL: every event */
    fwd_persons_t        *order;         /* NULL: events may overtake */
    fwd_shadow_t         *shadow;        /* NULL: nothing to compare with */
    fwd_dest_t           *fallback;      /* NULL: there is none */
    uint32_t              index;

    fwd_link_t            again;         /* batches to be sent as they are:
                                            halves, and paused ones */
    fwd_link_t            ready;         /* queues with fresh items */
    fwd_link_t            ready_high;    /* the same, high lanes */
    fwd_link_t            lane;          /* retries, by due, shard, ID */
    uint32_t              lane_count;
    uint32_t              lane_loads;    /* loads of retries under way */
    uint32_t              fresh_count;   /* items ready, all queues */
    size_t                fresh_bytes;
    uint64_t              fresh_ms;      /* monotonic, since when ready */
    uint32_t              window_count;  /* fresh items in memory, in any
                                            state */
    size_t                window_bytes;
    uint32_t              retry_count;   /* retry items in memory */
    uint32_t              inflight_count;  /* batches */
    uint32_t              turn;          /* fresh batches since a retry */
    uint32_t              next_fetch;    /* where the next load starts */
    uint32_t              paused_count;  /* pauses in a row */
    uint32_t              gone_count;    /* answers 404 or 410 in a row */
    uint64_t              hold_ms;       /* monotonic, nothing sent before:
                                            a pause that the kind asked for */
    uint64_t              diverted_ms;   /* since when down, as last logged */
    uint64_t              rest_ms;       /* monotonic, no program is run
                                            before */
    uint64_t              due_ms;        /* wall clock, no retry of any queue
                                            is due before */
    fwd_post_t            run;
    uv_timer_t            timer;
    fwd_log_limit_t       limit;         /* of failures of the map */
    fwd_groups_t         *groups;        /* batches that grow; NULL: all events
                                            of the destination fit together */
    char                 *reasons[FWD_DEST_REASONS_MAX];  /* of "@error" */
    uint32_t              reasons_count;
    unsigned              behind:1;      /* some queue may be behind */
    unsigned              timer_open:1;
    unsigned              needs_person:1;    /* events have it known */
    unsigned              diverting:1;   /* events go to the fallback */
    unsigned              held_up:1;     /* by order, and it was said */
};


fwd_rc_t fwd_dest_init(fwd_dest_t *dest, fwd_engine_t *engine,
    const fwd_dest_conf_t *conf, uint32_t index, fwd_error_t *err)
    FWD_MUST_CHECK;
void fwd_dest_close(fwd_dest_t *dest);
void fwd_dest_cleanup(fwd_dest_t *dest);

/* Something changed: look what can be sent, at the end of the round. */
void fwd_dest_wake(fwd_dest_t *dest);

/* 1 if no program may be run for a moment. */
int fwd_dest_rests(const fwd_dest_t *dest);

/*
 * 1 if one more event of that size may be held in memory.  For high lanes
 * there is a quarter more room, so that they need not wait for it.
 */
int fwd_dest_has_room(const fwd_dest_t *dest, size_t bytes, unsigned high);

/* Retries that may still be loaded. */
uint32_t fwd_dest_retry_room(const fwd_dest_t *dest);

/* Lets go of batches that wait and hold events of a shard. */
void fwd_dest_recall(fwd_dest_t *dest, const fwd_shard_t *shard);

/* A retry of some queue is due at this time (wall clock). */
void fwd_dest_due(fwd_dest_t *dest, uint64_t due_ms);

/* Puts a loaded retry into the lane. */
void fwd_dest_add_retry(fwd_dest_t *dest, fwd_item_t *item);

/*
 * fwd_order_select.c: the next batch of an ordered destination, and how much
 * of it may be in memory: what waits for an event that failed must not keep
 * others out.
 */
fwd_batch_t *fwd_order_select(fwd_dest_t *dest, uint64_t *wait_ms);
int fwd_order_has_room(const fwd_dest_t *dest, size_t bytes);
int fwd_order_loads(fwd_dest_t *dest);
uint64_t fwd_order_window(const fwd_dest_t *dest);

/* fwd_fallback.c: moves what waits while the destination is down. */
fwd_rc_t fwd_fallback_init(fwd_dest_t *dest, fwd_error_t *err)
    FWD_MUST_CHECK;
void fwd_fallback_run(fwd_dest_t *dest);

/*
 * fwd_shadow.c: a destination that does not send.  end() finishes a batch
 * that is ready to be sent; dropped() is told of events without a record.
 */
fwd_rc_t fwd_shadow_create(fwd_dest_t *dest, fwd_error_t *err)
    FWD_MUST_CHECK;
void fwd_shadow_destroy(fwd_dest_t *dest);
void fwd_shadow_end(fwd_dest_t *dest, fwd_batch_t *batch);
void fwd_shadow_dropped(fwd_dest_t *dest, const fwd_item_t *item);

/* The text of a reason that stays; only some are kept apart. */
const char *fwd_dest_reason(fwd_dest_t *dest, const char *reason);

/*
 * fwd_group.c: batches of events that may share a call, while they grow.
 * take() maps what is fresh and returns one that is to go now, or NULL and
 * lowers *wait_ms; recall() is of a shard, or NULL: of all.
 */
fwd_rc_t fwd_groups_create(fwd_dest_t *dest, fwd_error_t *err)
    FWD_MUST_CHECK;
void fwd_groups_destroy(fwd_dest_t *dest);
int fwd_groups_wait(const fwd_dest_t *dest);
fwd_batch_t *fwd_groups_take(fwd_dest_t *dest, uint64_t *wait_ms);
void fwd_groups_recall(fwd_dest_t *dest, const fwd_shard_t *shard);

/* fwd_select.c: fresh events as they are, and their records. */
fwd_batch_t *fwd_select_fresh(fwd_dest_t *dest);
fwd_rc_t fwd_fill_one(fwd_dest_t *dest, fwd_batch_t *batch, fwd_item_t *item)
    FWD_MUST_CHECK;
void fwd_fill_return(fwd_dest_t *dest, fwd_item_t **items, uint32_t count);

/*
 * fwd_judge_calls.c: sends on what a batch of several calls has left: 1 if
 * the item is in another batch, or in its place, again.
 */
fwd_verdict_how_t fwd_judge_how(const fwd_batch_t *batch, uint32_t index);
void fwd_judge_again(fwd_batch_t *batch);

/*
 * fwd_select.c: the next batch to be sent, or NULL.  *wait_ms is set to the
 * time after which there may be one without anything else happening.
 */
fwd_batch_t *fwd_dest_select(fwd_dest_t *dest, uint64_t *wait_ms);

/* fwd_select.c: events that one batch may hold now. */
uint32_t fwd_select_max(const fwd_dest_t *dest);

/*
 * fwd_select.c: makes the records of a batch.  Items that give none are
 * finished; what does not fit any more goes back.  FWD_NONE if nothing is
 * left to send, FWD_AGAIN if that is for want of memory.
 */
fwd_rc_t fwd_dest_fill(fwd_dest_t *dest, fwd_batch_t *batch) FWD_MUST_CHECK;


extern const fwd_kind_t  fwd_kind_http;
extern const fwd_kind_t  fwd_kind_file;


#endif /* _FWD_DEST_H_INCLUDED_ */
