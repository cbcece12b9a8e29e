
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What "top" reads: shards, states, and what loops tell of themselves.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_cli_top.h"


typedef struct {
    fwd_top_dest_t       *dest;
    uint64_t              now_ms;
} fwd_top_ages_t;


static fwd_rc_t fwd_top_shards(fwd_top_t *top);
static void fwd_top_owner(fwd_top_t *top, const char *lease);
static void fwd_top_ledger(fwd_top_t *top, const redisReply *ledger);
static fwd_top_dest_t *fwd_top_dest(fwd_top_t *top, const char *name,
    size_t len);
static fwd_top_loop_t *fwd_top_loop(fwd_top_t *top, const char *name);
static fwd_rc_t fwd_top_loops(fwd_top_t *top);
static fwd_rc_t fwd_top_told(fwd_top_t *top, const char *loop);
static void fwd_top_told_dest(fwd_top_dest_t *dest, const char *text,
    size_t len);
static fwd_rc_t fwd_top_ages(fwd_top_t *top);
static void fwd_top_ages_add(void *data, fwd_id_t id);
static void fwd_top_rates(fwd_top_t *top, const fwd_top_dest_t *before);


const uint64_t  fwd_top_age_bounds[FWD_TOP_AGES] = {
    60 * 1000ULL, 5 * 60 * 1000ULL, 3600 * 1000ULL, 6 * 3600 * 1000ULL,
    24 * 3600 * 1000ULL, 3 * 24 * 3600 * 1000ULL, UINT64_MAX
};

const char *const  fwd_top_age_names[FWD_TOP_AGES] = {
    "1m", "5m", "1h", "6h", "1d", "3d", "older"
};


/* Destinations that only a ledger knows are looked for at the start. */

fwd_rc_t
fwd_top_sample(fwd_top_t *top)
{
    size_t           i;
    fwd_rc_t         rc;
    fwd_cli_t       *cli;
    fwd_top_dest_t  *before;

    cli = top->cli;
    before = top->dests;

    if (top->names.count == 0
        && fwd_cli_names(cli, 0, &top->names) != FWD_OK)
    {
        return FWD_ERROR;
    }

    top->before_ms = top->now_ms;
    top->dests = calloc(top->names.count + 1, sizeof(fwd_top_dest_t));

    if (top->loops == NULL) {
        top->loops = calloc(FWD_TOP_LOOPS, sizeof(fwd_top_loop_t));
    }

    if (top->dests == NULL || top->loops == NULL) {
        free(before);
        return fwd_error(&cli->err, "out of memory");
    }

    top->loops_count = 0;
    top->free_shards = 0;

    rc = fwd_cli_redis_time(cli->redis, &cli->err, cli->conf.prefix,
                            &top->now_ms);

    if (rc == FWD_OK) {
        rc = fwd_top_shards(top);
    }

    for (i = 0; rc == FWD_OK && i < top->names.count; i++) {
        rc = fwd_cli_state_read(cli, top->names.list[i],
                                &top->dests[i].state);
    }

    if (rc == FWD_OK) {
        rc = fwd_top_loops(top);
    }

    if (rc == FWD_OK && cli->o.ages) {
        rc = fwd_top_ages(top);
    }

    if (rc == FWD_OK) {
        fwd_top_rates(top, before);
    }

    free(before);

    return rc;
}


static fwd_rc_t
fwd_top_shards(fwd_top_t *top)
{
    size_t          i;
    uint64_t        shard;
    fwd_cli_shot_t  shot;

    top->quarantine = 0;
    top->quarantine_ms = 0;

    for (shard = 0; shard < top->cli->conf.shards; shard++) {

        if (fwd_cli_shot(top->cli, shard, &top->names, 0, &shot) != FWD_OK) {
            fwd_cli_shot_free(&shot);
            return FWD_ERROR;
        }

        fwd_top_owner(top, shot.owner);
        fwd_top_ledger(top, shot.ledger);

        for (i = 0; i < top->names.count; i++) {
            fwd_cli_depth_add(&top->dests[i].depth, &shot.depths[i]);
        }

        top->quarantine += shot.quarantine;

        if (shot.quarantine_ms != 0
            && (top->quarantine_ms == 0
                || shot.quarantine_ms < top->quarantine_ms))
        {
            top->quarantine_ms = shot.quarantine_ms;
        }

        fwd_cli_shot_free(&shot);
    }

    return FWD_OK;
}


/* A lease is "<epoch> <name>". */

static void
fwd_top_owner(fwd_top_t *top, const char *lease)
{
    const char      *name;
    fwd_top_loop_t  *loop;

    name = strchr(lease, ' ');

    if (name == NULL) {
        top->free_shards++;
        return;
    }

    loop = fwd_top_loop(top, name + 1);

    if (loop != NULL) {
        loop->shards++;
    }
}


static fwd_top_loop_t *
fwd_top_loop(fwd_top_t *top, const char *name)
{
    uint32_t         i;
    fwd_top_loop_t  *loop;

    for (i = 0; i < top->loops_count; i++) {
        if (strcmp(top->loops[i].name, name) == 0) {
            return &top->loops[i];
        }
    }

    if (top->loops_count == FWD_TOP_LOOPS) {
        return NULL;
    }

    loop = &top->loops[top->loops_count++];

    memset(loop, 0, sizeof(fwd_top_loop_t));
    (void) snprintf(loop->name, sizeof(loop->name), "%s", name);

    return loop;
}


/* "routed:<dest>[:<source>]" and "done:..."; digests have a "~". */

static void
fwd_top_ledger(fwd_top_t *top, const redisReply *ledger)
{
    size_t           i;
    uint64_t         n;
    const char      *name;
    fwd_top_dest_t  *dest;

    for (i = 0; i + 1 < ledger->elements; i += 2) {
        name = ledger->element[i]->str;
        n = strtoull(ledger->element[i + 1]->str, NULL, 10);

        if (strncmp(name, "routed:", 7) == 0) {
            dest = fwd_top_dest(top, name + 7, strcspn(name + 7, ":"));

            if (dest != NULL) {
                dest->routed += n;
            }

        } else if (strncmp(name, "done:", 5) == 0) {
            dest = fwd_top_dest(top, name + 5, strcspn(name + 5, ":"));

            if (dest != NULL) {
                dest->done += n;
            }
        }
    }
}


static fwd_top_dest_t *
fwd_top_dest(fwd_top_t *top, const char *name, size_t len)
{
    size_t  i;

    for (i = 0; i < top->names.count; i++) {
        if (strlen(top->names.list[i]) == len
            && memcmp(top->names.list[i], name, len) == 0)
        {
            return &top->dests[i];
        }
    }

    return NULL;
}


static fwd_rc_t
fwd_top_loops(fwd_top_t *top)
{
    size_t           i;
    fwd_rc_t         rc;
    fwd_cli_t       *cli;
    fwd_pool_t       pool;
    const char      *key;
    redisReply      *reply;
    fwd_top_loop_t  *loop;

    cli = top->cli;
    fwd_pool_init(&pool);

    key = fwd_cli_key(cli, &pool, 0, "loops");
    reply = fwd_cli_redis_command(cli->redis, &cli->err, key,
                                  "ZRANGE %s 0 -1 WITHSCORES", key);
    fwd_pool_free(&pool);

    if (reply == NULL) {
        return FWD_ERROR;
    }

    for (i = 0; i + 1 < reply->elements; i += 2) {
        loop = fwd_top_loop(top, reply->element[i]->str);

        if (loop != NULL) {
            loop->until_ms = (uint64_t) strtod(reply->element[i + 1]->str,
                                               NULL);
        }
    }

    freeReplyObject(reply);
    rc = FWD_OK;

    for (i = 0; rc == FWD_OK && i < top->loops_count; i++) {
        rc = fwd_top_told(top, top->loops[i].name);
    }

    return rc;
}


static fwd_rc_t
fwd_top_told(fwd_top_t *top, const char *loop)
{
    size_t           i;
    fwd_cli_t       *cli;
    fwd_pool_t       pool;
    const char      *key;
    redisReply      *reply;
    fwd_top_dest_t  *dest;

    cli = top->cli;
    fwd_pool_init(&pool);

    key = fwd_cli_key(cli, &pool, 0, "loop:%s", loop);
    reply = fwd_cli_redis_command(cli->redis, &cli->err, key, "HGETALL %s",
                                  key);
    fwd_pool_free(&pool);

    if (reply == NULL) {
        return FWD_ERROR;
    }

    for (i = 0; i + 1 < reply->elements; i += 2) {
        dest = fwd_top_dest(top, reply->element[i]->str,
                            (size_t) reply->element[i]->len);

        if (dest != NULL) {
            fwd_top_told_dest(dest, reply->element[i + 1]->str,
                              (size_t) reply->element[i + 1]->len);
        }
    }

    freeReplyObject(reply);

    return FWD_OK;
}


static void
fwd_top_told_dest(fwd_top_dest_t *dest, const char *text, size_t len)
{
    double       p99;
    json_t      *told;
    const char  *breaker;

    told = json_loadb(text, len, 0, NULL);

    if (told == NULL) {
        return;
    }

    breaker = json_string_value(json_object_get(told, "breaker"));
    p99 = json_number_value(json_object_get(told, "p99"));

    dest->loops++;
    dest->inflight += (uint64_t)
                      json_integer_value(json_object_get(told, "inflight"));

    if (breaker == NULL || strcmp(breaker, "closed") == 0) {
        dest->closed++;

    } else {
        (void) snprintf(dest->breaker, sizeof(dest->breaker), "%s", breaker);
    }

    if (p99 > dest->p99_ms) {
        dest->p99_ms = p99;
    }

    json_decref(told);
}


static fwd_rc_t
fwd_top_ages(fwd_top_t *top)
{
    size_t          i;
    uint64_t        shard;
    fwd_top_ages_t  ages;

    ages.now_ms = top->now_ms;

    for (i = 0; i < top->names.count; i++) {
        ages.dest = &top->dests[i];

        if (ages.dest->depth.oldest_ms == 0) {
            continue;                    /* nothing waits */
        }

        for (shard = 0; shard < top->cli->conf.shards; shard++) {
            if (fwd_cli_waiting(top->cli, shard, top->names.list[i],
                                fwd_top_ages_add, &ages)
                != FWD_OK)
            {
                return FWD_ERROR;
            }
        }
    }

    return FWD_OK;
}


static void
fwd_top_ages_add(void *data, fwd_id_t id)
{
    size_t           i;
    uint64_t         age_ms;
    fwd_top_ages_t  *ages = data;

    age_ms = ages->now_ms > id.ms ? ages->now_ms - id.ms : 0;
    i = 0;

    while (i + 1 < FWD_TOP_AGES && age_ms >= fwd_top_age_bounds[i]) {
        i++;
    }

    ages->dest->ages[i]++;
}


static void
fwd_top_rates(fwd_top_t *top, const fwd_top_dest_t *before)
{
    size_t           i;
    double           seconds;
    fwd_top_dest_t  *dest;

    for (i = 0; i < top->names.count; i++) {
        dest = &top->dests[i];
        dest->in_rate = -1;
        dest->done_rate = -1;

        if (before != NULL && top->now_ms > top->before_ms) {
            seconds = (double) (top->now_ms - top->before_ms) / 1000;
            dest->in_rate = (double) (int64_t) (dest->routed
                                                - before[i].routed) / seconds;
            dest->done_rate = (double) (int64_t) (dest->done
                                                  - before[i].done) / seconds;
        }
    }
}
