
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Loop processes.
 */


#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>

#include "fwd_backoff.h"
#include "fwd_child.h"
#include "fwd_loop.h"


#define FWD_CHILD_YOUNG_MS  10000


static uint32_t fwd_set_loops(const fwd_config_t *conf);
static void fwd_child_later(fwd_child_t *child, const fwd_death_t *death,
    uint64_t now_ms);


/* Of a child that dies again and again. */
static const fwd_backoff_t  fwd_child_backoff = {
    .base_ms = 100, .factor = 2, .cap_ms = 10000
};


fwd_rc_t
fwd_set_create(fwd_set_t **out, fwd_config_t *conf, const char *sha,
    const fwd_poison_t *poison)
{
    void         *p;
    uint32_t      i;
    fwd_set_t    *set;
    fwd_child_t  *child;

    set = calloc(1, sizeof(fwd_set_t));

    if (set == NULL) {
        fwd_config_free(conf);
        return FWD_ERROR;
    }

    set->conf = *conf;
    memset(conf, 0, sizeof(fwd_config_t));
    strncpy(set->sha, sha, FWD_CHECK_SHA_MAX - 1);

    set->count = fwd_set_loops(&set->conf);
    set->children = calloc(set->count, sizeof(fwd_child_t));

    /* each on cache lines of its own */

    set->block_bytes = (fwd_stats_size(set->conf.dests_count) + 127)
                       & ~(size_t) 127;

    p = mmap(NULL, set->count * set->block_bytes, PROT_READ|PROT_WRITE,
             MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    set->blocks = (p == MAP_FAILED) ? NULL : p;

    if (set->children == NULL || set->blocks == NULL) {
        fwd_set_free(set);
        return FWD_ERROR;
    }

    for (i = 0; i < set->count; i++) {
        child = &set->children[i];

        child->set = set;
        child->owner = set->conf.owner;
        child->stats = (void *) (set->blocks + i * set->block_bytes);
        child->stats->poison = poison;

        if (set->count > 1) {
            child->owner = fwd_pool_printf(&set->conf.pool, "%s#%u",
                                           set->conf.owner, i);
        }
    }

    *out = set;

    return FWD_OK;
}


static uint32_t
fwd_set_loops(const fwd_config_t *conf)
{
    int        n;
    cpu_set_t  cpus;

    if (conf->loops != 0) {
        return (uint32_t) conf->loops;
    }

    n = 1;

    if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0) {
        n = CPU_COUNT(&cpus);
    }

    if ((uint64_t) n > conf->shards) {
        n = (int) conf->shards;          /* one without a shard is of no use */
    }

    return (uint32_t) (n < 1 ? 1 : n > FWD_LOOPS_MAX ? FWD_LOOPS_MAX : n);
}


void
fwd_set_free(fwd_set_t *set)
{
    if (set == NULL) {
        return;
    }

    if (set->blocks != NULL) {
        (void) munmap(set->blocks, set->count * set->block_bytes);
    }

    free(set->children);
    fwd_config_free(&set->conf);
    free(set);
}


uint32_t
fwd_set_alive(const fwd_set_t *set)
{
    uint32_t  i, n;

    n = 0;

    for (i = 0; set != NULL && i < set->count; i++) {
        n += (set->children[i].pid != 0);
    }

    return n;
}


void
fwd_set_stop(fwd_set_t *set, int signum, uint64_t until_ms)
{
    uint32_t      i;
    fwd_child_t  *child;

    if (set == NULL) {
        return;
    }

    set->stopping = 1;

    for (i = 0; i < set->count; i++) {
        child = &set->children[i];

        if (child->pid != 0) {
            child->kill_ms = until_ms;
            (void) kill(child->pid, signum);
        }
    }
}


void
fwd_set_successor(fwd_set_t *set, int successor)
{
    uint32_t  i;

    for (i = 0; i < set->count; i++) {
        __atomic_store_n(&set->children[i].stats->successor,
                         (uint64_t) successor, __ATOMIC_RELEASE);
    }
}


void
fwd_set_hung(fwd_set_t *set, uint64_t dest, uint64_t program)
{
    uint32_t  i;

    for (i = 0; i < set->count; i++) {
        (void) __atomic_fetch_or(&set->children[i].stats->dests[dest].hung,
                                 program, __ATOMIC_RELEASE);
    }
}


fwd_rc_t
fwd_child_start(fwd_child_t *child, const char *fail_at, uint64_t now_ms)
{
    pid_t             pid;
    fwd_loop_start_t  start;

    start.conf = &child->set->conf;
    start.owner = child->owner;
    start.stats = child->stats;
    start.fail_at = fail_at;
    start.parent = getpid();

    child->started_ms = now_ms;
    child->start_ms = now_ms + FWD_CHILD_YOUNG_MS;
    child->kill_ms = 0;
    memset(&child->watch, 0, sizeof(fwd_watch_t));

    pid = fork();

    if (pid == 0) {
        _exit(fwd_loop_run(&start));
    }

    if (pid == -1) {
        return FWD_ERROR;
    }

    child->pid = pid;
    child->stats->pid = (uint64_t) pid;

    return FWD_OK;
}


fwd_rc_t
fwd_child_reap(fwd_death_t *death, fwd_child_t *child, uint64_t now_ms)
{
    if (child->pid == 0
        || waitpid(child->pid, &death->status, WNOHANG) != child->pid)
    {
        return FWD_NONE;
    }

    death->pid = child->pid;
    death->poison = (fwd_watch_died(&death->event, child->stats) == FWD_OK);

    child->pid = 0;
    fwd_stats_idle(child->stats, child->set->conf.dests_count);
    fwd_child_later(child, death, now_ms);

    return FWD_OK;
}


/*
 * An event that is put aside is progress: the next may be poison too, and
 * waiting would hold up all the others.  Without one, something is wrong
 * that will be wrong again.
 */

static void
fwd_child_later(fwd_child_t *child, const fwd_death_t *death,
    uint64_t now_ms)
{
    uint64_t  random;

    child->start_ms = now_ms;

    if (now_ms - child->started_ms >= FWD_CHILD_YOUNG_MS || death->poison) {
        child->young_count = 0;
        return;
    }

    if (getrandom(&random, sizeof(random), GRND_NONBLOCK)
        != sizeof(random))
    {
        random = now_ms;
    }

    child->start_ms += fwd_backoff_delay(&fwd_child_backoff,
                                         ++child->young_count, random);
}
