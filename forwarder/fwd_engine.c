
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The engine: sets everything up, ticks, and ends in order.
 *
 * The end: no reads any more, off the list of loops, then each shard is given
 * back as soon as nothing of it is on its way, or patience is over.  What
 * could not be settled is in Redis, and the next owner does it.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_depth.h"
#include "fwd_dest.h"
#include "fwd_engine.h"
#include "fwd_lookup.h"
#include "fwd_reader.h"
#include "fwd_server.h"
#include "fwd_shard.h"
#include "fwd_shared.h"


#define FWD_ENGINE_TICK_MS     100
#define FWD_ENGINE_RELEASE_MS  2000      /* for the answers to releases */


static fwd_rc_t fwd_engine_connect(fwd_engine_t *engine, fwd_error_t *err);
static void fwd_engine_tick(uv_timer_t *timer);
static void fwd_engine_tell(fwd_engine_t *engine);
static void fwd_engine_stopping(void *data);
static void fwd_engine_release(fwd_engine_t *engine, uint64_t now);
static int fwd_engine_released(const fwd_engine_t *engine);


fwd_rc_t
fwd_engine_start(fwd_engine_t *engine, fwd_core_t *core,
    const fwd_config_t *conf, fwd_loop_stats_t *stats, fwd_error_t *err)
{
    uint32_t  i;

    memset(engine, 0, sizeof(fwd_engine_t));

    engine->core = core;
    core->engine = engine;
    engine->conf = conf;
    fwd_args_init(&engine->args);
    fwd_reader_tape_init(&engine->tape);

    engine->stats = stats;

    if (stats == NULL) {
        engine->stats = calloc(1, fwd_stats_size(conf->dests_count));
        engine->stats_own = 1;
    }

    engine->dests = calloc(conf->dests_count, sizeof(fwd_dest_t));
    engine->shards = calloc(conf->shards, sizeof(fwd_shard_t));

    if (engine->stats == NULL || engine->dests == NULL
        || engine->shards == NULL)
    {
        return fwd_error(err, "out of memory");
    }

    for (i = 0; i < conf->dests_count; i++) {
        engine->dests_count++;

        if (fwd_dest_init(&engine->dests[i], engine, &conf->dests[i], i, err)
            != FWD_OK)
        {
            return FWD_ERROR;
        }
    }

    for (i = 0; i < conf->shards; i++) {
        engine->shards_count++;

        if (fwd_shard_init(&engine->shards[i], engine, i) != FWD_OK) {
            return fwd_error(err, "out of memory");
        }
    }

    fwd_post_init(&engine->ending, fwd_engine_stopping, engine);

    if (fwd_members_init(engine) != FWD_OK) {
        return fwd_error(err, "out of memory");
    }

    if (uv_timer_init(core->loop, &engine->tick) != 0) {
        return fwd_error(err, "cannot make a timer");
    }

    engine->tick.data = engine;
    (void) uv_timer_start(&engine->tick, fwd_engine_tick, FWD_ENGINE_TICK_MS,
                          FWD_ENGINE_TICK_MS);

    return fwd_engine_connect(engine, err);
}


static fwd_rc_t
fwd_engine_connect(fwd_engine_t *engine, fwd_error_t *err)
{
    uint32_t             i;
    fwd_redis_handler_t  handler;
    fwd_redis_scripts_t  scripts;

    engine->depth = fwd_depth_create(engine);

    if (engine->depth == NULL) {
        return fwd_error(err, "out of memory");
    }

    if (engine->conf->redis.cluster) {
        engine->topology = fwd_topology_create(engine);

        return engine->topology ? FWD_OK : fwd_error(err, "out of memory");
    }

    scripts = fwd_script_texts();
    handler.up = fwd_engine_up;
    handler.down = fwd_engine_down;
    handler.data = engine;

    engine->redis = fwd_redis_create(engine->core, &engine->conf->redis,
                                     "commands", &scripts, &handler);
    engine->reader = fwd_reader_create(engine, engine->shards,
                                       engine->shards_count, NULL);

    for (i = 0; i < engine->shards_count; i++) {
        engine->shards[i].redis = engine->redis;
    }

    if (engine->redis == NULL || engine->reader == NULL) {
        return fwd_error(err, "out of memory");
    }

    return FWD_OK;
}


void
fwd_engine_up(void *data)
{
    uint32_t       i;
    fwd_engine_t  *engine = data;

    if (!engine->checked) {
        fwd_server_check(engine, engine->redis);
    }

    for (i = 0; i < engine->shards_count; i++) {
        fwd_shard_up(&engine->shards[i]);
    }

    fwd_members_up(engine);
}


void
fwd_engine_down(void *data)
{
    uint32_t       i;
    fwd_engine_t  *engine = data;

    for (i = 0; i < engine->shards_count; i++) {
        fwd_shard_down(&engine->shards[i]);
    }
}


static void
fwd_engine_tick(uv_timer_t *timer)
{
    uint32_t       i;
    fwd_engine_t  *engine;

    engine = timer->data;

    if (engine->topology != NULL) {
        fwd_topology_tick(engine->topology);
    }

    for (i = 0; i < engine->shards_count; i++) {
        fwd_shard_tick(&engine->shards[i]);
    }

    fwd_shared_tick(engine);
    fwd_members_tick(engine);

    for (i = 0; i < engine->dests_count; i++) {
        fwd_gate_tick(&engine->dests[i]);
        fwd_dest_wake(&engine->dests[i]);
    }

    for (i = 0; i < engine->shards_count; i++) {
        fwd_reader_wake(engine->shards[i].reader);
    }

    fwd_reader_wake(engine->reader);
    fwd_depth_tick(engine->depth);
    fwd_engine_tell(engine);

    if (engine->stopping) {
        fwd_engine_stopping(engine);
    }
}


/* Numbers that are true at this moment, for the supervisor. */

static void
fwd_engine_tell(fwd_engine_t *engine)
{
    uint32_t            i, owned, active, held;
    fwd_loop_stats_t   *stats;
    const fwd_shard_t  *shard;

    owned = 0;
    active = 0;
    held = 0;

    for (i = 0; i < engine->shards_count; i++) {
        shard = &engine->shards[i];

        owned += (fwd_shard_owned(shard) != 0);
        active += (shard->state == FWD_SHARD_ACTIVE);

        /* waiting after an error has counted the error */
        held += (shard->state == FWD_SHARD_WAITING
                 && shard->failed_count == 0);
    }

    stats = engine->stats;
    stats->connected = (uint64_t) fwd_redis_is_up(engine->shards[0].redis);
    stats->shards_owned = owned;
    stats->shards_active = active;
    stats->shards_held = held;

    for (i = 0; i < engine->dests_count; i++) {
        stats->dests[i].inflight = engine->dests[i].inflight_count;
    }

    __atomic_store_n(&stats->beat_ms, fwd_core_now_ms(engine->core),
                     __ATOMIC_RELEASE);
}


void
fwd_engine_stop(fwd_engine_t *engine, uint64_t patience_ms,
    void (*stopped)(void *data), void *data)
{
    uint32_t  i;

    if (engine->stopping) {
        return;
    }

    engine->stopping = 1;
    engine->stopped = stopped;
    engine->stopped_data = data;
    engine->stop_ms = fwd_core_now_ms(engine->core)
                      + patience_ms;

    /* without them nothing can come to us any more that others should get */

    fwd_reader_destroy(engine->reader);
    engine->reader = NULL;

    for (i = 0; i < engine->shards_count; i++) {
        fwd_reader_end(&engine->shards[i]);
    }

    fwd_members_leave(engine);
    fwd_engine_stopping(engine);
}


void
fwd_engine_wake(fwd_engine_t *engine)
{
    if (engine->stopping) {
        fwd_post(engine->core, &engine->ending);
    }
}


static void
fwd_engine_stopping(void *data)
{
    uint64_t       now;
    fwd_engine_t  *engine = data;

    if (engine->stopped == NULL) {
        return;
    }

    now = fwd_core_now_ms(engine->core);

    /* the others have to know of it before there is something to take */

    if (!fwd_members_gone(engine) && !engine->releasing
        && now < engine->stop_ms)
    {
        return;
    }

    fwd_engine_release(engine, now);

    if ((fwd_engine_released(engine) && engine->core->holds == 0)
        || (engine->releasing && now >= engine->stop_ms))
    {
        engine->stopped(engine->stopped_data);
        engine->stopped = NULL;
    }
}


static void
fwd_engine_release(fwd_engine_t *engine, uint64_t now)
{
    uint32_t      i;
    uint64_t      patience;
    fwd_shard_t  *shard;

    if (!engine->releasing && now >= engine->stop_ms) {
        fwd_log(engine->core->log, FWD_LOG_WARN,
                "stopping with deliveries under way, they stay queued");

        engine->releasing = 1;
        engine->stop_ms = now + FWD_ENGINE_RELEASE_MS;
    }

    patience = engine->releasing ? 0 : engine->stop_ms - now;

    for (i = 0; i < engine->shards_count; i++) {
        shard = &engine->shards[i];

        if (shard->state < FWD_SHARD_CLAIMING
            || shard->state == FWD_SHARD_WAITING)
        {
            fwd_shard_set(shard, FWD_SHARD_RELEASED);

        } else if (!shard->leaving) {
            fwd_shard_leave(shard, patience);

        } else if (engine->releasing) {
            fwd_shard_release(shard);
        }
    }
}


static int
fwd_engine_released(const fwd_engine_t *engine)
{
    uint32_t  i;

    for (i = 0; i < engine->shards_count; i++) {
        if (engine->shards[i].state != FWD_SHARD_RELEASED) {
            return 0;
        }
    }

    return 1;
}


void
fwd_engine_close(fwd_engine_t *engine)
{
    uint32_t  i;

    if (engine->tick.data != NULL) {
        (void) uv_timer_stop(&engine->tick);
        uv_close((uv_handle_t *) &engine->tick, NULL);
    }

    fwd_post_cancel(&engine->ending);

    /* replies of NULL go to shards and queues, so these come first */

    fwd_reader_destroy(engine->reader);
    engine->reader = NULL;

    for (i = 0; i < engine->shards_count; i++) {
        fwd_reader_end(&engine->shards[i]);
    }

    fwd_redis_destroy(engine->redis);
    fwd_topology_destroy(engine->topology);
    fwd_depth_free(engine->depth);
    engine->depth = NULL;

    for (i = 0; i < engine->dests_count; i++) {
        fwd_dest_close(&engine->dests[i]);
    }
}


void
fwd_engine_free(fwd_engine_t *engine)
{
    uint32_t  i;

    for (i = 0; i < engine->shards_count; i++) {
        fwd_shard_cleanup(&engine->shards[i]);
    }

    for (i = 0; i < engine->dests_count; i++) {
        fwd_dest_cleanup(&engine->dests[i]);
    }

    fwd_members_cleanup(engine);
    free(engine->shards);
    free(engine->dests);
    fwd_candidate_free(&engine->candidate);
    fwd_lookup_destroy(engine->lookup);

    if (engine->stats_own) {
        free(engine->stats);
    }

    fwd_reader_tape_free(&engine->tape);
    fwd_args_free(&engine->args);
}


int
fwd_engine_successor(const fwd_engine_t *engine)
{
    return __atomic_load_n(&engine->stats->successor, __ATOMIC_ACQUIRE) != 0;
}


int
fwd_engine_dest(const fwd_engine_t *engine, martech_str_t name)
{
    uint32_t  i;

    for (i = 0; i < engine->dests_count; i++) {
        if (strlen(engine->dests[i].conf->name) == name.len
            && memcmp(engine->dests[i].conf->name, name.data, name.len) == 0)
        {
            return (int) i;
        }
    }

    return -1;
}
