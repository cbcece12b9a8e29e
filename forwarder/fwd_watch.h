
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The watchdog of programs of destinations.
 *
 * A program may never end, eat all memory, or overflow the stack, and libjq
 * offers no way out of any of these.  So a loop notes in shared memory which
 * event it gives to a program.  The supervisor kills a loop whose program
 * takes too long; and whatever a loop died of, an event that a program was at
 * work on then is poison: the next loop puts it aside unseen.
 */


#ifndef _FWD_WATCH_H_INCLUDED_
#define _FWD_WATCH_H_INCLUDED_


#include <string.h>

#include <sys/types.h>

#include "fwd.h"
#include "fwd_stats.h"


/* What the supervisor remembers of a loop. */
typedef struct {
    uint64_t              seq;           /* odd: this run was seen ... */
    uint64_t              cpu_ms;        /* ... with that much CPU time */
} fwd_watch_t;


/* In a loop, around each run of a program. */

static inline void
fwd_watch_enter(fwd_loop_stats_t *stats, uint64_t program, uint32_t dest,
    uint32_t shard, fwd_id_t event, martech_str_t message_id)
{
    size_t            len;
    fwd_map_watch_t  *watch;

    watch = &stats->watch;
    len = message_id.len < FWD_WATCH_ID_MAX - 1 ? message_id.len
                                                : FWD_WATCH_ID_MAX - 1;
    watch->program = program;
    watch->dest = dest;
    watch->shard = shard;
    watch->event = event;

    if (len != 0) {
        memcpy(watch->message, message_id.data, len);
    }

    watch->message[len] = '\0';

    __atomic_store_n(&watch->seq, watch->seq + 1, __ATOMIC_RELEASE);
}


static inline void
fwd_watch_leave(fwd_loop_stats_t *stats)
{
    __atomic_store_n(&stats->watch.seq, stats->watch.seq + 1,
                     __ATOMIC_RELEASE);
}


/* 1 if one of these programs must not be run, whatever the event is. */

static inline int
fwd_watch_hung(const fwd_dest_stats_t *stats, uint64_t programs)
{
    return (__atomic_load_n(&stats->hung, __ATOMIC_ACQUIRE) & programs) != 0;
}


/*
 * In the supervisor: 1 if the present run of a program has used more CPU time
 * than that since it was first seen.  Waiting for a processor does not count.
 */
int fwd_watch_overdue(fwd_watch_t *watch, const fwd_loop_stats_t *stats,
    pid_t pid, uint64_t timeout_ms);

/* Which event the loop was at work on when it died; FWD_NONE: on none. */
fwd_rc_t fwd_watch_died(fwd_map_watch_t *what, fwd_loop_stats_t *stats)
    FWD_MUST_CHECK;


/* Shared by all loops; NULL if out of memory. */
fwd_poison_t *fwd_poison_create(void);
void fwd_poison_free(fwd_poison_t *poison);

/*
 * Adds an event of a destination.  Returns how many of it there were within
 * a minute, and since that was too much before, if it is too much; or 0.
 */
unsigned fwd_poison_add(fwd_poison_t *poison, const char *dest,
    uint64_t shard, fwd_id_t event, uint64_t now_ms);

/* 1 if the event must not be given to a program of the destination. */
int fwd_poison_has(const fwd_poison_t *poison, const char *dest,
    uint64_t shard, fwd_id_t event);


#endif /* _FWD_WATCH_H_INCLUDED_ */
