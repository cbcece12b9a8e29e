
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The persons of an ordered destination.
 */


#include <stdlib.h>
#include <string.h>

#include "../martech/martech_shard.h"

#include "fwd_order.h"


#define FWD_ORDER_SLOTS_MIN  64


static fwd_person_t *fwd_order_person(fwd_persons_t *order,
    const unsigned char *key);
static fwd_rc_t fwd_order_grow(fwd_persons_t *order);
static uint32_t fwd_order_slot(const fwd_persons_t *order,
    const unsigned char *key);
static void fwd_order_forget(fwd_persons_t *order, fwd_person_t *person);
static void fwd_order_place(fwd_persons_t *order, fwd_person_t *person);
static void fwd_order_idle(fwd_persons_t *order, fwd_person_t *person);


void
fwd_order_init(fwd_persons_t *order)
{
    memset(order, 0, sizeof(fwd_persons_t));

    fwd_list_init(&order->ready);
    fwd_list_init(&order->parked);
}


/* Persons go with their last item, so only the table is left. */

void
fwd_order_free(fwd_persons_t *order)
{
    free(order->slots);
    fwd_order_init(order);
}


void
fwd_order_key(unsigned char *key, const fwd_event_t *ev)
{
    uint64_t  hash[2];

    if (ev->person_some) {
        memcpy(key, ev->person, FWD_ORDER_KEY);
        return;
    }

    /* of nobody: two that share a key only wait for each other */

    hash[0] = martech_shard_hash(ev->message_id);
    hash[1] = ev->message_id.len;

    memcpy(key, hash, FWD_ORDER_KEY);
}


fwd_rc_t
fwd_order_enter(fwd_persons_t *order, fwd_item_t *item,
    const unsigned char *key)
{
    fwd_person_t  *person;

    person = fwd_order_person(order, key);

    if (person == NULL) {
        return FWD_ERROR;
    }

    /* out already now: a new item must not pass one that is parked */

    item->person = person;
    person->out++;

    return FWD_OK;
}


void
fwd_order_leave(fwd_persons_t *order, fwd_item_t *item)
{
    fwd_person_t  *person;

    person = item->person;

    if (person == NULL) {
        return;
    }

    if (item->ordered) {
        fwd_order_remove(order, item);
    }

    item->person = NULL;
    person->out--;

    if (person->out == 0 && person->waiting == 0) {
        fwd_order_forget(order, person);
        return;
    }

    fwd_order_place(order, person);
}


/* Mostly the new one is the last: look from the end. */

void
fwd_order_add(fwd_persons_t *order, fwd_item_t *item)
{
    fwd_link_t    *link;
    fwd_item_t    *other;
    fwd_person_t  *person;

    person = item->person;

    for (link = person->items.prev; link != &person->items;
         link = link->prev)
    {
        other = fwd_list_data(link, fwd_item_t, link);

        if (fwd_id_compare(other->event->id, item->event->id) < 0) {
            break;
        }
    }

    fwd_list_insert_before(link->next, &item->link);

    item->waiting = 1;
    item->ordered = 1;

    person->out--;
    person->waiting++;
    order->waiting++;

    if (person->state == FWD_PERSON_READY) {
        order->ready_count++;
    }

    fwd_order_place(order, person);
}


void
fwd_order_remove(fwd_persons_t *order, fwd_item_t *item)
{
    fwd_person_t  *person;

    person = item->person;

    fwd_list_remove(&item->link);

    item->waiting = 0;
    item->ordered = 0;

    person->out++;
    person->waiting--;
    order->waiting--;

    if (person->state == FWD_PERSON_READY) {
        order->ready_count--;
    }

    if (person->waiting == 0) {
        fwd_order_idle(order, person);
    }
}


fwd_item_t *
fwd_order_first(const fwd_person_t *person)
{
    if (fwd_list_empty(&person->items)) {
        return NULL;
    }

    return fwd_list_data(person->items.next, fwd_item_t, link);
}


void
fwd_order_take(fwd_persons_t *order, fwd_person_t *person)
{
    fwd_item_t  *item;

    item = fwd_order_first(person);

    fwd_list_remove(&item->link);

    item->waiting = 0;
    item->ordered = 0;

    person->out++;
    person->waiting--;
    order->waiting--;
    order->ready_count--;
}


void
fwd_order_hold(fwd_persons_t *order, fwd_person_t *person)
{
    fwd_order_idle(order, person);
}


double
fwd_order_unpark(fwd_persons_t *order, double now)
{
    fwd_person_t  *person;

    order->now = now;

    while (!fwd_list_empty(&order->parked)) {
        person = fwd_list_data(order->parked.next, fwd_person_t, link);

        if (person->due > now) {
            return person->due;
        }

        fwd_order_idle(order, person);
        fwd_order_place(order, person);
    }

    return -1;
}


/* Into the list that it belongs to, unless it is in one. */

static void
fwd_order_place(fwd_persons_t *order, fwd_person_t *person)
{
    fwd_link_t    *link;
    fwd_item_t    *first;
    fwd_person_t  *other;

    if (person->state != FWD_PERSON_IDLE || person->out != 0
        || person->waiting == 0)
    {
        return;
    }

    first = fwd_order_first(person);

    if (first->due <= order->now) {
        person->state = FWD_PERSON_READY;
        order->ready_count += person->waiting;
        fwd_list_push(&order->ready, &person->link);
        return;
    }

    person->due = first->due;
    person->state = FWD_PERSON_PARKED;

    for (link = order->parked.prev; link != &order->parked;
         link = link->prev)
    {
        other = fwd_list_data(link, fwd_person_t, link);

        if (other->due <= person->due) {
            break;
        }
    }

    fwd_list_insert_before(link->next, &person->link);
}


static void
fwd_order_idle(fwd_persons_t *order, fwd_person_t *person)
{
    if (person->state == FWD_PERSON_IDLE) {
        return;
    }

    if (person->state == FWD_PERSON_READY) {
        order->ready_count -= person->waiting;
    }

    person->state = FWD_PERSON_IDLE;
    fwd_list_remove(&person->link);
}


/* Finds or makes. */

static fwd_person_t *
fwd_order_person(fwd_persons_t *order, const unsigned char *key)
{
    uint32_t       slot;
    fwd_person_t  *person;

    if (order->count >= order->size && fwd_order_grow(order) != FWD_OK) {
        return NULL;
    }

    slot = fwd_order_slot(order, key);

    for (person = order->slots[slot]; person != NULL; person = person->next) {

        if (memcmp(person->key, key, FWD_ORDER_KEY) == 0) {
            return person;
        }
    }

    person = calloc(1, sizeof(fwd_person_t));
    if (person == NULL) {
        return NULL;
    }

    memcpy(person->key, key, FWD_ORDER_KEY);
    fwd_list_init(&person->items);

    person->next = order->slots[slot];
    order->slots[slot] = person;
    order->count++;

    return person;
}


static void
fwd_order_forget(fwd_persons_t *order, fwd_person_t *person)
{
    fwd_person_t  **place;

    place = &order->slots[fwd_order_slot(order, person->key)];

    while (*place != person) {
        place = &(*place)->next;
    }

    *place = person->next;
    order->count--;

    fwd_order_idle(order, person);
    free(person);
}


static fwd_rc_t
fwd_order_grow(fwd_persons_t *order)
{
    uint32_t        i, slot, size;
    fwd_persons_t     grown;
    fwd_person_t   *person, *next;

    size = order->size ? order->size * 2 : FWD_ORDER_SLOTS_MIN;

    grown.size = size;
    grown.slots = calloc(size, sizeof(fwd_person_t *));

    if (grown.slots == NULL) {
        return FWD_ERROR;
    }

    for (i = 0; i < order->size; i++) {

        for (person = order->slots[i]; person != NULL; person = next) {
            next = person->next;
            slot = fwd_order_slot(&grown, person->key);

            person->next = grown.slots[slot];
            grown.slots[slot] = person;
        }
    }

    free(order->slots);

    order->slots = grown.slots;
    order->size = size;

    return FWD_OK;
}


/* Keys are hashes: any of their bytes will do. */

static uint32_t
fwd_order_slot(const fwd_persons_t *order, const unsigned char *key)
{
    uint32_t  n;

    memcpy(&n, key, sizeof(uint32_t));

    return n & (order->size - 1);
}
