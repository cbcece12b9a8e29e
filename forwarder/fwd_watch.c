
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Watching of programs, and the ring of events that killed a loop.
 */


#include <time.h>

#include <sys/mman.h>

#include "fwd_watch.h"


#define FWD_POISON_MINUTE_MS  60000
#define FWD_POISON_MANY       5          /* within a minute: no more */


static fwd_rc_t fwd_watch_cpu(uint64_t *cpu_ms, pid_t pid);
static uint64_t fwd_poison_hash(const char *name);


int
fwd_watch_overdue(fwd_watch_t *watch, const fwd_loop_stats_t *stats,
    pid_t pid, uint64_t timeout_ms)
{
    uint64_t  seq, cpu_ms;

    seq = __atomic_load_n(&stats->watch.seq, __ATOMIC_ACQUIRE);

    if (seq % 2 == 0 || fwd_watch_cpu(&cpu_ms, pid) != FWD_OK) {
        watch->seq = 0;
        return 0;
    }

    if (seq != watch->seq) {
        watch->seq = seq;
        watch->cpu_ms = cpu_ms;
        return 0;
    }

    return cpu_ms - watch->cpu_ms > timeout_ms;
}


static fwd_rc_t
fwd_watch_cpu(uint64_t *cpu_ms, pid_t pid)
{
    clockid_t        clock;
    struct timespec  ts;

    if (clock_getcpuclockid(pid, &clock) != 0
        || clock_gettime(clock, &ts) != 0)
    {
        return FWD_ERROR;
    }

    *cpu_ms = (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;

    return FWD_OK;
}


fwd_rc_t
fwd_watch_died(fwd_map_watch_t *what, fwd_loop_stats_t *stats)
{
    if (stats->watch.seq % 2 == 0) {
        return FWD_NONE;
    }

    *what = stats->watch;
    what->message[FWD_WATCH_ID_MAX - 1] = '\0';

    stats->watch.seq++;

    return FWD_OK;
}


fwd_poison_t *
fwd_poison_create(void)
{
    void  *p;

    p = mmap(NULL, sizeof(fwd_poison_t), PROT_READ|PROT_WRITE,
             MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}


void
fwd_poison_free(fwd_poison_t *poison)
{
    if (poison != NULL) {
        (void) munmap(poison, sizeof(fwd_poison_t));
    }
}


/*
 * A reader may see a half written entry when the ring goes round: at worst
 * it gives an event that is 256 kills old to its program once more.
 */

unsigned
fwd_poison_add(fwd_poison_t *poison, const char *dest, uint64_t shard,
    fwd_id_t event, uint64_t now_ms)
{
    unsigned             n, many;
    uint64_t             hash, i, first;
    fwd_poison_event_t  *e;

    hash = fwd_poison_hash(dest);
    first = poison->count < FWD_POISON_MAX ? 0
                                           : poison->count + 1
                                             - FWD_POISON_MAX;
    many = 1;

    for (i = first; i < poison->count; i++) {
        e = &poison->events[i % FWD_POISON_MAX];

        if (e->dest == hash && e->at_ms + FWD_POISON_MINUTE_MS > now_ms) {
            many = e->told ? 1 : many + 1;
        }
    }

    n = (many > FWD_POISON_MANY) ? many : 0;

    e = &poison->events[poison->count % FWD_POISON_MAX];
    e->dest = hash;
    e->shard = shard;
    e->event = event;
    e->at_ms = now_ms;
    e->told = (n != 0);

    __atomic_store_n(&poison->count, poison->count + 1, __ATOMIC_RELEASE);

    return n;
}


int
fwd_poison_has(const fwd_poison_t *poison, const char *dest, uint64_t shard,
    fwd_id_t event)
{
    uint64_t                   i, count, hash;
    const fwd_poison_event_t  *e;

    if (poison == NULL) {
        return 0;
    }

    count = __atomic_load_n(&poison->count, __ATOMIC_ACQUIRE);

    if (count == 0) {
        return 0;
    }

    if (count > FWD_POISON_MAX) {
        count = FWD_POISON_MAX;
    }

    hash = fwd_poison_hash(dest);

    for (i = 0; i < count; i++) {
        e = &poison->events[i];

        if (e->event.ms == event.ms && e->event.seq == event.seq
            && e->shard == shard && e->dest == hash)
        {
            return 1;
        }
    }

    return 0;
}


/* FNV-1a: a name stays the same over configurations, an index does not. */

static uint64_t
fwd_poison_hash(const char *name)
{
    uint64_t  hash;

    hash = 0xcbf29ce484222325ULL;

    for ( /* void */ ; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char) *name) * 0x100000001b3ULL;
    }

    return hash;
}
