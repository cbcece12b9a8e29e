
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * One event loop with everything in it: connections, shards, destinations.
 * Nothing is shared with another engine, so there may be several.
 */


#ifndef _FWD_ENGINE_H_INCLUDED_
#define _FWD_ENGINE_H_INCLUDED_


#include "fwd_config.h"
#include "fwd_core.h"
#include "fwd_event.h"
#include "fwd_members.h"
#include "fwd_redis.h"
#include "fwd_script.h"
#include "fwd_stats.h"
#include "fwd_topology.h"
#include "fwd_wanted.h"


struct fwd_engine_s {
    fwd_core_t           *core;
    const fwd_config_t   *conf;
    fwd_loop_stats_t     *stats;         /* never NULL */
    fwd_redis_t          *redis;         /* all commands but reading; NULL
                                            in a cluster */
    fwd_reader_t         *reader;        /* likewise: there a shard has its
                                            own */
    fwd_topology_t       *topology;      /* of a cluster, else NULL */
    fwd_members_t         members;
    fwd_depth_t          *depth;         /* looks how much waits */
    fwd_args_t            args;          /* of the command being built */
    fwd_reader_tape_t     tape;
    fwd_shard_t          *shards;
    uint32_t              shards_count;
    fwd_dest_t           *dests;
    uint32_t              dests_count;
    uv_timer_t            tick;
    fwd_post_t            ending;        /* posted next step of the end */
    fwd_candidate_t       candidate;     /* the event being judged */
    struct fwd_lookup_s  *lookup;        /* of fwd_recall.c; NULL: empty */
    uint64_t              stop_ms;       /* monotonic, end of patience */
    uint64_t              publish_ms;    /* monotonic, fwd_shared.c */
    void                (*stopped)(void *data);
    void                 *stopped_data;

    unsigned              needs_person:1;    /* one of the destinations */
    unsigned              checked:1;     /* the server was looked at */
    unsigned              stopping:1;
    unsigned              releasing:1;   /* patience is over: leases go */
    unsigned              stats_own:1;   /* stats were allocated here */
};


/*
 * Starts to work; conf, core and stats stay the caller's.  stats is a block
 * of fwd_stats_size(), or NULL: numbers that nobody sees.  FWD_ERROR with a
 * text.
 */
fwd_rc_t fwd_engine_start(fwd_engine_t *engine, fwd_core_t *core,
    const fwd_config_t *conf, fwd_loop_stats_t *stats, fwd_error_t *err)
    FWD_MUST_CHECK;

/*
 * Stops reading and sending, waits for what is on its way up to that time,
 * gives the leases back, and calls stopped().
 */
void fwd_engine_stop(fwd_engine_t *engine, uint64_t patience_ms,
    void (*stopped)(void *data), void *data);

/* Something of the end is done: look for the next thing. */
void fwd_engine_wake(fwd_engine_t *engine);

/* A connection for commands is there, or is lost. */
void fwd_engine_up(void *engine);
void fwd_engine_down(void *engine);

/* Closes what is left; run the loop until it is empty, then free. */
void fwd_engine_close(fwd_engine_t *engine);
void fwd_engine_free(fwd_engine_t *engine);

/* 1 while loops of an older configuration are giving their leases back. */
int fwd_engine_successor(const fwd_engine_t *engine);

/* The index of a destination by name, or -1. */
int fwd_engine_dest(const fwd_engine_t *engine, martech_str_t name);


#endif /* _FWD_ENGINE_H_INCLUDED_ */
