
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Order of a person: the events of one person leave one after another.
 *
 * Every item of an ordered destination belongs to a person.  It either waits
 * in the list of that person, by ID, or is out: in a batch, or in a step on
 * its way to Redis.  While one is out no other of that person may leave.  A
 * person whose first item has failed is parked until that one is due, and all
 * behind it wait too.
 *
 * Pure: no I/O, no clock.
 */


#ifndef _FWD_ORDER_H_INCLUDED_
#define _FWD_ORDER_H_INCLUDED_


#include "fwd_queue.h"


#define FWD_ORDER_KEY  16


typedef enum {
    FWD_PERSON_IDLE = 0,          /* nothing waits, or something is out */
    FWD_PERSON_READY,             /* in the list of those who may send */
    FWD_PERSON_PARKED             /* its first item is not due yet */
} fwd_person_state_t;


typedef struct fwd_person_s  fwd_person_t;

struct fwd_person_s {
    fwd_link_t            link;          /* in ready or parked of the order */
    fwd_link_t            items;         /* that wait, by ID */
    fwd_person_t         *next;          /* in the same slot of the table */
    double                due;           /* if parked: until then */
    uint32_t              waiting;       /* items that wait */
    uint32_t              out;           /* items that are out */
    fwd_person_state_t    state;
    unsigned char         key[FWD_ORDER_KEY];
};


typedef struct {
    fwd_person_t        **slots;
    uint32_t              size;          /* power of two, or 0 */
    uint32_t              count;         /* persons */
    uint32_t              waiting;       /* items, of all persons */
    uint32_t              ready_count;   /* of these: of ready persons */
    double                now;           /* the last that unpark() was told */
    fwd_link_t            ready;         /* persons, the first waits longest */
    fwd_link_t            parked;        /* persons, by due */
} fwd_persons_t;


void fwd_order_init(fwd_persons_t *order);
void fwd_order_free(fwd_persons_t *order);

/* Who an event is of: its person, or of nobody the event itself. */
void fwd_order_key(unsigned char *key, const fwd_event_t *ev);

/* An item was made: it is out until it is added.  FWD_ERROR: no memory. */
fwd_rc_t fwd_order_enter(fwd_persons_t *order, fwd_item_t *item,
    const unsigned char *key) FWD_MUST_CHECK;

/* An item goes: nobody waits for it any more. */
void fwd_order_leave(fwd_persons_t *order, fwd_item_t *item);

/*
 * The item waits, at its place among those of its person; with a due time
 * that is yet to come it holds the person up until then.
 */
void fwd_order_add(fwd_persons_t *order, fwd_item_t *item);

/*
 * Takes the first waiting item of a ready person.  The person stays ready
 * until hold() is called, so that more of it can go into one batch.
 */
fwd_item_t *fwd_order_first(const fwd_person_t *person);
void fwd_order_take(fwd_persons_t *order, fwd_person_t *person);
void fwd_order_hold(fwd_persons_t *order, fwd_person_t *person);

/* A waiting item leaves without being sent: it is still out afterwards. */
void fwd_order_remove(fwd_persons_t *order, fwd_item_t *item);

/*
 * Those who are due may send.  Returns when the next one is, or a negative
 * number if nobody is parked.
 */
double fwd_order_unpark(fwd_persons_t *order, double now);

/* Items that cannot be sent now whatever the destination says. */
static inline uint32_t
fwd_order_held(const fwd_persons_t *order)
{
    return order->waiting - order->ready_count;
}


#endif /* _FWD_ORDER_H_INCLUDED_ */
