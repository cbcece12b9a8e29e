
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Doubly linked list with the link inside the object: adding and removing
 * allocates nothing, and an object can leave a list it cannot name.
 */


#ifndef _FWD_LIST_H_INCLUDED_
#define _FWD_LIST_H_INCLUDED_


#include <stddef.h>


typedef struct fwd_link_s  fwd_link_t;

struct fwd_link_s {
    fwd_link_t           *prev;
    fwd_link_t           *next;          /* NULL: in no list */
};


#define fwd_list_data(link, type, member)                                     \
    ((type *) (void *) ((char *) (link) - offsetof(type, member)))


static inline void
fwd_list_init(fwd_link_t *list)
{
    list->prev = list;
    list->next = list;
}


static inline int
fwd_list_empty(const fwd_link_t *list)
{
    return list->next == list;
}


static inline void
fwd_list_insert_before(fwd_link_t *place, fwd_link_t *link)
{
    link->prev = place->prev;
    link->next = place;
    place->prev->next = link;
    place->prev = link;
}


static inline void
fwd_list_push(fwd_link_t *list, fwd_link_t *link)
{
    fwd_list_insert_before(list, link);
}


static inline void
fwd_list_remove(fwd_link_t *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = NULL;
    link->next = NULL;
}


/* Moves all of one list to the end of another. */
static inline void
fwd_list_move(fwd_link_t *to, fwd_link_t *from)
{
    if (fwd_list_empty(from)) {
        return;
    }

    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;

    fwd_list_init(from);
}


#endif /* _FWD_LIST_H_INCLUDED_ */
