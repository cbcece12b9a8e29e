
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The engine: sets everything up, ticks, and ends in order.
 *
 * The end has three parts: wait until what is on its way is settled or
 * patience is over, give the leases back, close.  What could not be settled
 * is in Redis, and the next owner does it.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_dest.h"
#include "fwd_engine.h"
#include "fwd_reader.h"
#include "fwd_server.h"
#include "fwd_shard.h"
#include "fwd_shared.h"


#define FWD_ENGINE_TICK_MS     100
#define FWD_ENGINE_RELEASE_MS  2000      /* for the answers to releases */


static void fwd_engine_up(void *data);
static void fwd_engine_down(void *data);
static void fwd_engine_tick(uv_timer_t *timer);
static void fwd_engine_stopping(fwd_engine_t *engine);
static int fwd_engine_settled(const fwd_engine_t *engine);
static int fwd_engine_released(const fwd_engine_t *engine);


fwd_rc_t
fwd_engine_start(fwd_engine_t *engine, fwd_core_t *core,
    const fwd_config_t *conf, fwd_error_t *err)
{
    uint32_t             i;
    fwd_redis_handler_t  handler;
    fwd_redis_scripts_t  scripts;

    memset(engine, 0, sizeof(fwd_engine_t));

    engine->core = core;
    engine->conf = conf;
    fwd_args_init(&engine->args);
    fwd_reader_tape_init(&engine->tape);

    engine->stats = calloc(1, sizeof(fwd_loop_stats_t)
                              + conf->dests_count * sizeof(fwd_dest_stats_t));
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

    if (uv_timer_init(core->loop, &engine->tick) != 0) {
        return fwd_error(err, "cannot make a timer");
    }

    engine->tick.data = engine;
    (void) uv_timer_start(&engine->tick, fwd_engine_tick, FWD_ENGINE_TICK_MS,
                          FWD_ENGINE_TICK_MS);

    scripts = fwd_script_texts();
    handler.up = fwd_engine_up;
    handler.down = fwd_engine_down;
    handler.data = engine;

    engine->redis = fwd_redis_create(core, &conf->redis, "commands",
                                     &scripts, &handler);
    engine->reader = fwd_reader_create(engine);

    for (i = 0; i < conf->shards; i++) {
        engine->shards[i].redis = engine->redis;
    }

    if (engine->redis == NULL || engine->reader == NULL) {
        return fwd_error(err, "out of memory");
    }

    return FWD_OK;
}


static void
fwd_engine_up(void *data)
{
    uint32_t       i;
    fwd_engine_t  *engine = data;

    if (!engine->checked) {
        fwd_server_check(engine);
    }

    for (i = 0; i < engine->shards_count; i++) {
        fwd_shard_up(&engine->shards[i]);
    }
}


static void
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

    for (i = 0; i < engine->shards_count; i++) {
        fwd_shard_tick(&engine->shards[i]);
    }

    fwd_shared_tick(engine);

    for (i = 0; i < engine->dests_count; i++) {
        fwd_gate_tick(&engine->dests[i]);
        fwd_dest_wake(&engine->dests[i]);
    }

    fwd_reader_wake(engine->reader);

    if (engine->stopping) {
        fwd_engine_stopping(engine);
    }
}


void
fwd_engine_stop(fwd_engine_t *engine, void (*stopped)(void *data),
    void *data)
{
    if (engine->stopping) {
        return;
    }

    engine->stopping = 1;
    engine->stopped = stopped;
    engine->stopped_data = data;
    engine->stop_ms = fwd_core_now_ms(engine->core)
                      + engine->conf->shutdown_timeout_ms;

    fwd_reader_stop(engine->reader);
    fwd_engine_stopping(engine);
}


static void
fwd_engine_stopping(fwd_engine_t *engine)
{
    uint32_t  i;
    uint64_t  now;

    now = fwd_core_now_ms(engine->core);

    if (!engine->releasing) {

        if (!fwd_engine_settled(engine)) {

            if (now < engine->stop_ms) {
                return;
            }

            fwd_log(engine->core->log, FWD_LOG_WARN,
                    "stopping with deliveries under way, they stay queued");
        }

        engine->releasing = 1;
        engine->stop_ms = now + FWD_ENGINE_RELEASE_MS;

        for (i = 0; i < engine->shards_count; i++) {
            fwd_shard_release(&engine->shards[i]);
        }
    }

    if ((fwd_engine_released(engine) || now >= engine->stop_ms)
        && engine->stopped != NULL)
    {
        engine->stopped(engine->stopped_data);
        engine->stopped = NULL;
    }
}


static int
fwd_engine_settled(const fwd_engine_t *engine)
{
    uint32_t            i, n;
    const fwd_shard_t  *shard;

    for (i = 0; i < engine->dests_count; i++) {
        if (engine->dests[i].inflight_count != 0) {
            return 0;
        }
    }

    for (i = 0; i < engine->shards_count; i++) {
        shard = &engine->shards[i];

        for (n = 0; n < engine->dests_count; n++) {
            if (!fwd_queue_settled(&shard->queues[n])) {
                return 0;
            }
        }
    }

    return 1;
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

    /* replies of NULL go to shards and queues, so these come first */

    fwd_reader_destroy(engine->reader);
    fwd_redis_destroy(engine->redis);
    engine->reader = NULL;

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

    free(engine->shards);
    free(engine->dests);
    free(engine->stats);
    fwd_reader_tape_free(&engine->tape);
    fwd_args_free(&engine->args);
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
