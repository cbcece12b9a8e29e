
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The queue of one destination in one shard: what of it is in memory, what
 * waits in Redis, and the steps that finish events.
 *
 * An item is one event of one queue in memory.  It is in exactly one of: the
 * lists of its queue (fresh, held, finished), the retry lane of the
 * destination, a batch, or a step on its way to Redis.  queue->items knows
 * every item, so no event is loaded twice while it is here.
 */


#ifndef _FWD_QUEUE_H_INCLUDED_
#define _FWD_QUEUE_H_INCLUDED_


#include "fwd_attempts.h"
#include "fwd_core.h"
#include "fwd_event.h"
#include "fwd_id.h"
#include "fwd_list.h"
#include "fwd_outcome.h"


typedef struct fwd_item_s  fwd_item_t;

struct fwd_person_s;                     /* fwd_order.h */


/* The ends of an event that leave nothing behind but a number. */
typedef enum {
    FWD_END_DONE = 0,             /* delivered */
    FWD_END_DROP,                 /* it gave no record, or was refused as not
                                     wanted */
    FWD_END_EXPIRED,              /* too old to be sent */
    FWD_END_DRY,                  /* all was done but the sending */
    FWD_END_COUNT
} fwd_end_t;


/* How an item is finished; one list and one script each. */
typedef enum {
    FWD_FINISH_DONE = 0,
    FWD_FINISH_RETRY,
    FWD_FINISH_DEAD,
    FWD_FINISH_KEEP,              /* failed, and stays where it is: order */
    FWD_FINISH_COUNT
} fwd_finish_t;


struct fwd_item_s {
    fwd_link_t            link;
    fwd_event_t          *event;         /* one reference */
    fwd_queue_t          *queue;         /* NULL: the shard was lost, the
                                            outcome is of no use */
    fwd_dest_t           *dest;
    struct fwd_person_s  *person;        /* NULL: the destination keeps no
                                            order */
    double                due;           /* of the retry: ms and fraction,
                                            equal for events sent together */
    uint32_t              attempts;      /* failed so far */
    int                   status;        /* of the last answer, 0: none */
    fwd_outcome_t         outcome;       /* of the last attempt */
    fwd_finish_t          how;           /* decided, not done yet */
    fwd_end_t             end;           /* of FWD_FINISH_DONE */
    const char           *reason;        /* of a dead letter, static */
    fwd_attempts_t       *tries;         /* the last failures; NULL: none, or
                                            no memory for them */
    fwd_batch_t          *letter;        /* of a dead letter: the batch it was
                                            sent in, one reference, or NULL */
    uint32_t              letter_index;  /* its place there */
    unsigned              retry:1;       /* it came from the retry set */
    unsigned              ordered:1;     /* it waits in the list of its
                                            person */
    unsigned              waiting:1;     /* in a list of its queue or lane,
                                            not in a batch or step */
    unsigned              doubtful:1;    /* a step with it was sent, and the
                                            answer lost */
    unsigned              grouped:1;     /* while a step is being built */
    unsigned              left:1;        /* of its batch, while that ends: it
                                            is sent once more */
    unsigned              alone:1;       /* its records share no request: one
                                            of those it was sent with is bad */
};


/* A key of a shard with its length. */
typedef struct {
    const char           *data;
    size_t                len;
} fwd_key_t;


struct fwd_queue_s {
    fwd_shard_t          *shard;
    fwd_dest_t           *dest;
    fwd_queue_t          *lane;          /* of a normal queue its high lane,
                                            and the other way round */
    fwd_key_t             q;
    fwd_key_t             retry;         /* of both lanes */
    fwd_key_t             try;
    fwd_key_t             dead;

    fwd_link_t            fresh;         /* items ready to be sent */
    fwd_link_t            held;          /* routed during a load: behind it */
    fwd_link_t            finished[FWD_FINISH_COUNT];
    fwd_idmap_t           items;         /* every item of this queue */
    fwd_id_t              loaded;        /* pointers up to here were seen */
    fwd_load_t           *load;          /* of pointers, under way */
    fwd_load_t           *retry_load;    /* of due retries, under way */
    uint64_t              due_ms;        /* first retry, wall clock;
                                            UINT64_MAX: there is none */
    uint64_t              far_ms;        /* wall clock; then retries are
                                            loaded that are due later than
                                            any can be; 0: none known */
    fwd_id_t              retry_min;     /* no retry has a smaller ID */
    fwd_id_t              scan_min;      /* the same, of a scan under way */
    uint64_t              scan_ms;       /* monotonic, of the last scan */
    uint32_t              scan_count;    /* members seen by it */
    uint64_t              load_ms;       /* monotonic, no load before: one
                                            has failed */
    uint64_t              move_ms;       /* monotonic, no move before: there
                                            was nothing to move */
    uint32_t              steps_count;   /* finish steps on their way */
    fwd_link_t            ready;         /* in the destination's list while
                                            fresh is not empty */
    fwd_post_t            flush;

    unsigned              high:1;        /* goes before others; its retries
                                            are in the normal lane */
    unsigned              moving:1;      /* to the fallback, under way */
    unsigned              behind:1;      /* Redis has pointers after loaded */
    unsigned              rewound:1;     /* during the load: start again */
    unsigned              retry_known:1; /* retry_min is a true bound */
    unsigned              retry_some:1;  /* retry_min is set */
    unsigned              scan_some:1;
    unsigned              scanning:1;
    unsigned              scan_valid:1;  /* nothing was missed meanwhile */
};


/* Sets up and tears down the memory; keys live as long as the shard. */
void fwd_queue_init(fwd_queue_t *queue, fwd_shard_t *shard, fwd_dest_t *dest);
void fwd_queue_cleanup(fwd_queue_t *queue);

/* Makes the second the high lane of the first. */
void fwd_queue_pair(fwd_queue_t *normal, fwd_queue_t *high);

/*
 * The shard is ours (again): all of q and retry is looked at from the start;
 * what is in memory stays.
 */
void fwd_queue_start(fwd_queue_t *queue);

/*
 * The shard is lost: items that wait are freed, items in batches become
 * orphans.
 */
void fwd_queue_drop(fwd_queue_t *queue);

/*
 * A pointer was written for this event.  It is kept in memory if the window
 * has room and nothing stands before it in Redis.
 */
void fwd_queue_offer(fwd_queue_t *queue, fwd_event_t *ev);

/* Moves an item into fresh, at the end or back to the front. */
void fwd_queue_add_fresh(fwd_queue_t *queue, fwd_item_t *item, int front);

/* Takes the first of fresh; there is one. */
fwd_item_t *fwd_queue_take_fresh(fwd_queue_t *queue);

/*
 * Frees what waits in memory and is in no batch or step; nothing is loaded
 * until the queue is rewound, as it is here for a later load.
 */
void fwd_queue_unload(fwd_queue_t *queue);

/*
 * Frees an item that is in no list; it will be loaded again.  One with a
 * place in an order goes back there.
 */
void fwd_queue_forget(fwd_item_t *item);

/* Looks at all pointers again; what is in memory is passed over. */
void fwd_queue_rewind(fwd_queue_t *queue);

/* Pointers from the start have to be looked at again, after a pause. */
void fwd_queue_load_failed(fwd_queue_t *queue);

/* Makes an item and takes a reference of its own.  NULL: no memory. */
fwd_item_t *fwd_item_create(fwd_queue_t *queue, fwd_event_t *ev);
void fwd_item_free(fwd_item_t *item);

/* Keeps with the event how far it is (fwd_attempts.h); empty: forgets it. */
void fwd_item_progress(fwd_item_t *item, martech_str_t progress);

/*
 * Finishes an item that is in no list; the step goes out at the end of the
 * round.  An orphan is freed.
 */
void fwd_queue_finish(fwd_item_t *item, fwd_finish_t how);

/* fwd_finish.c: the posted handler, sends what is finished. */
void fwd_queue_flush(void *queue);

/* 1 if nothing of the queue is on its way to Redis or waits to be. */
int fwd_queue_settled(const fwd_queue_t *queue);

/* fwd_fetch.c: loads pointers behind the loaded ones, if there are any. */
void fwd_queue_fetch(fwd_queue_t *queue);

/* fwd_retry.c: loads retries that are due; looks for the next due time. */
void fwd_queue_fetch_due(fwd_queue_t *queue);

/* fwd_retry.c: asks for the attempts of what is loaded, then starts. */
void fwd_retry_tries(fwd_load_t *load);

/*
 * fwd_retry.c: a retry is about to be written, and has been.  The bound for
 * trimming is lowered before: a trim may be sent before the reply comes.
 */
void fwd_queue_retry_adding(fwd_queue_t *queue, fwd_id_t id);
void fwd_queue_retry_added(fwd_queue_t *queue, const fwd_item_t *item);

/* fwd_retry.c: Redis may have retries that nobody told us of. */
void fwd_queue_retry_doubt(fwd_queue_t *queue);

/* fwd_retry.c: Redis has a retry that is due then. */
void fwd_queue_retry_due(fwd_queue_t *queue, uint64_t due_ms);

/*
 * fwd_retry.c: makes retry_min exact in the background, if it is not known
 * or the last look is long ago.
 */
void fwd_queue_scan(fwd_queue_t *queue);

/* fwd_fetch.c: lets go of a load whose replies are still to come. */
void fwd_load_cancel(fwd_load_t *load);


#endif /* _FWD_QUEUE_H_INCLUDED_ */
