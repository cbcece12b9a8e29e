
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the commands read of a shard: its keys, how full they are, and the
 * ids in its queues.
 */


#ifndef _FWD_CLI_SHARD_H_INCLUDED_
#define _FWD_CLI_SHARD_H_INCLUDED_


#include "fwd_cli.h"
#include "fwd_id.h"


#define FWD_CLI_NO_DEST  "_entry"        /* entries that could not be read */


/* Names of destinations, in the pool of the command. */
typedef struct {
    const char          **list;
    size_t                count;
} fwd_cli_names_t;


/* Of one destination in one shard, or the sum over all. */
typedef struct {
    uint64_t              q;
    uint64_t              hi;
    uint64_t              retry;
    uint64_t              dead;
    uint64_t              oldest_ms;     /* Unix ms, 0: nothing waits */
} fwd_cli_depth_t;


/* A shard at one moment. */
typedef struct {
    redisReply           *reply;         /* owns what follows */
    const redisReply     *ledger;        /* name, value, name, ... */
    const char           *owner;         /* lease, or "" */
    uint64_t              in;            /* entries */
    const char           *last;          /* ID up to which they were read,
                                            or "" */
    uint64_t              pending;       /* read, not routed */
    uint64_t              unread;        /* behind last, as far as counted */
    const char           *more;          /* ID up to which that was, or ""
                                            if it was to the end */
    uint64_t              quarantine;    /* entries */
    uint64_t              quarantine_ms; /* Unix ms of the oldest, 0: none */
    fwd_cli_depth_t      *depths;        /* by name; owned */
} fwd_cli_shot_t;


/* A key of a shard, "{P:NN}:" and the rest by format, in the pool. */
const char *fwd_cli_key(const fwd_cli_t *cli, fwd_pool_t *pool,
    uint64_t shard, const char *fmt, ...) FWD_PRINTF(4, 5);

/*
 * All destinations: those of the configuration, those that only ledgers
 * know, and if entry is 1, FWD_CLI_NO_DEST.
 */
fwd_rc_t fwd_cli_names(fwd_cli_t *cli, int entry, fwd_cli_names_t *names)
    FWD_MUST_CHECK;

/* 1 if a name is among them. */
int fwd_cli_names_have(const fwd_cli_names_t *names, const char *name);

/*
 * Reads a shard in one step, and counts up to that many entries that were
 * not read yet; fwd_cli_shot_free() in both cases.
 */
fwd_rc_t fwd_cli_shot(fwd_cli_t *cli, uint64_t shard,
    const fwd_cli_names_t *names, uint64_t unread, fwd_cli_shot_t *shot)
    FWD_MUST_CHECK;
void fwd_cli_shot_free(fwd_cli_shot_t *shot);

/* 1 if nothing has moved between two of the same shard. */
int fwd_cli_shot_same(const fwd_cli_shot_t *a, const fwd_cli_shot_t *b);

/* Adds one depth to another. */
void fwd_cli_depth_add(fwd_cli_depth_t *to, const fwd_cli_depth_t *from);

/*
 * Calls the handler with every ID that waits for a destination in a shard:
 * both lanes, and retries.
 */
fwd_rc_t fwd_cli_waiting(fwd_cli_t *cli, uint64_t shard, const char *dest,
    void (*handler)(void *data, fwd_id_t id), void *data) FWD_MUST_CHECK;

/* How many entries of "in" stand behind an ID. */
fwd_rc_t fwd_cli_behind(fwd_cli_t *cli, uint64_t shard, const char *last,
    uint64_t *count) FWD_MUST_CHECK;


#endif /* _FWD_CLI_SHARD_H_INCLUDED_ */
