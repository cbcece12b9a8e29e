
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A batch: events on their way to a destination in one request, the records
 * that stand for them, and the outcome.
 */


#ifndef _FWD_BATCH_H_INCLUDED_
#define _FWD_BATCH_H_INCLUDED_


#include "fwd_buf.h"
#include "fwd_limit.h"
#include "fwd_list.h"
#include "fwd_outcome.h"
#include "fwd_queue.h"


#define FWD_BATCH_MAPPED_MAX  (256 * 1024 * 1024)
#define FWD_EXCHANGE_ANSWER_MAX  4096    /* bytes of an answer kept */
#define FWD_BATCH_DEAD_MAX    256        /* bytes of a reason, and a zero */


/*
 * What went over the wire, for dead letters; empty while all goes well.  The
 * constant part of the request stands in the target of the destination.
 */
typedef struct {
    fwd_buf_t             request_headers;  /* "Name: value\n", of this one */
    fwd_buf_t             headers;       /* of the answer, some */
    fwd_buf_t             answer;        /* its beginning */
    uint32_t              part;          /* the record, if each is a request
                                            of its own */
    fwd_buf_t             url;           /* of a call; may hold secrets */
    int                   status;        /* of a call */
    unsigned              requested:1;   /* a request was made */
} fwd_exchange_t;


/* How a record is to be sent (fwd_record.h); slices of batch->steer. */
typedef struct {
    uint32_t              endpoint;      /* index */
    martech_str_t         group;
    martech_str_t         path;
    martech_str_t         array;
    martech_str_t         merge;
    unsigned              alone:1;
} fwd_steer_t;


struct fwd_batch_s {
    fwd_link_t            link;
    uint32_t              refs;          /* dead letters that wait to be
                                            written keep their batch */
    fwd_core_t           *core;
    fwd_dest_t           *dest;

    fwd_item_t          **items;         /* sorted by shard and ID; a slot is
                                            never NULL */
    uint32_t              items_count;
    uint32_t              items_size;

    martech_str_t        *records;       /* JSON texts, in the order of the
                                            items */
    uint32_t             *record_items;  /* index of the item of a record */
    uint32_t              records_count;
    uint32_t              records_size;
    size_t                bytes;         /* of all records */
    fwd_buf_t             mapped;        /* what a map has made */
    unsigned              mapped_used:1; /* records are offsets into mapped
                                            until fwd_batch_seal() */
    fwd_steer_t          *steers;        /* of the records; NULL: nothing was
                                            said of them */
    uint32_t              steers_size;
    fwd_buf_t             steer;         /* their texts; offsets, likewise */
    fwd_calls_t          *calls;         /* fwd_call.h; NULL: it is a request
                                            as it is */

    uint64_t              started_us;    /* monotonic */
    uint32_t              attempt;       /* highest of the items, from 1 */

    /* set by the kind before it calls fwd_batch_done() */
    fwd_outcome_t         outcome;
    int                   status;        /* HTTP status, 0 if there is none */
    uint64_t              wait_ms;       /* of THROTTLED and PAUSED: hold the
                                            destination; 0: not asked */
    char                  reason[256];   /* for the log, never personal */
    fwd_verdict_t        *verdicts;      /* of each record; NULL: all have
                                            the outcome above */
    fwd_verdict_t         said;          /* about all of them */
    fwd_buf_t             reasons;       /* texts of these, vendor's words:
                                            never logged */
    fwd_exchange_t        exchange;
    char                  dead[FWD_BATCH_DEAD_MAX];  /* the event is a dead
                                            letter for this reason (a
                                            sequence); "": as outcome says */
    unsigned              decided:1;     /* by the destination's answer.jq:
                                            no second thoughts */
    unsigned              whole:1;       /* REJECTED means each event: not to
                                            be split */
    unsigned              answer_error:1;    /* answer.jq failed */
    unsigned              connect_failed:1;  /* no connection came about */
    unsigned              singly:1;      /* REJECTED means: each record alone */
    unsigned              counted:1;     /* its requests were reported one by
                                            one (a sequence) */
    unsigned              filled:1;      /* it has its records already: it
                                            grew, or waits for tokens */

    /* of the gate */
    fwd_limit_ticket_t    ticket;        /* tokens of this attempt */
    uint32_t              turn;          /* of the breaker */
    unsigned              probe:1;       /* of refused credentials */
};


/* NULL if out of memory. */
fwd_batch_t *fwd_batch_create(fwd_core_t *core, fwd_dest_t *dest);

/* Gives a reference back; the last one frees the batch, not its items. */
void fwd_batch_free(fwd_batch_t *batch);
fwd_batch_t *fwd_batch_ref(fwd_batch_t *batch);

/* Forgets what came of an attempt; the next one begins. */
void fwd_batch_reset_outcome(fwd_batch_t *batch);

/* The same of one call; what was said of the others stays. */
void fwd_batch_reset_call(fwd_batch_t *batch);

/* The records of an item: index of the first, and their number. */
uint32_t fwd_batch_records(const fwd_batch_t *batch, uint32_t item,
    uint32_t *count);

/* Adds an item without records. */
fwd_rc_t fwd_batch_add(fwd_batch_t *batch, fwd_item_t *item) FWD_MUST_CHECK;

/*
 * Adds a record of the last item: a slice that lives as long as the item, or
 * bytes that are copied.
 */
fwd_rc_t fwd_batch_add_slice(fwd_batch_t *batch, martech_str_t text)
    FWD_MUST_CHECK;
fwd_rc_t fwd_batch_add_copy(fwd_batch_t *batch, const void *data, size_t len)
    FWD_MUST_CHECK;

/* Says how the last record is to be sent. */
fwd_rc_t fwd_batch_steer(fwd_batch_t *batch, const fwd_steer_t *steer)
    FWD_MUST_CHECK;

/* Takes the last item out again, with its records. */
void fwd_batch_pop(fwd_batch_t *batch);

/* No record is added any more: records become slices of the final text. */
void fwd_batch_seal(fwd_batch_t *batch);

/* Forgets the records, to build them anew. */
void fwd_batch_reset_records(fwd_batch_t *batch);

/*
 * fwd_judge.c: one request of the batch has ended; outcome is set.  Of a
 * batch whose counted is set it is said request by request, else it is a part
 * of fwd_batch_done().
 */
void fwd_batch_count(fwd_batch_t *batch, uint32_t events);

/*
 * fwd_judge.c: why one more failure of this outcome would be the last that
 * the only event of the batch gets; NULL: it would be tried again.
 */
const char *fwd_batch_last(const fwd_batch_t *batch, fwd_outcome_t outcome);

/* fwd_judge.c: the kind is through with the batch; outcome is set. */
void fwd_batch_done(fwd_batch_t *batch);

/*
 * fwd_dest.c: frees a batch and its items; the events are in Redis and will
 * be loaded again.
 */
void fwd_batch_forget(fwd_batch_t *batch);


#endif /* _FWD_BATCH_H_INCLUDED_ */
