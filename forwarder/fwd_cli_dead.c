
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The walk over dead letters.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_cli_dead.h"


#define FWD_DEAD_PIECE  50               /* letters read at a time */


/* A stream of letters, and where it ended when the walk began. */
typedef struct {
    const char           *dest;
    uint64_t              shard;
    const char           *key;
    const char           *last;
} fwd_dead_stream_t;


typedef struct {
    fwd_cli_t            *cli;
    const fwd_letter_filter_t  *filter;
    fwd_letter_pt         handler;
    void                 *data;
    uint64_t              left;          /* of the limit */
} fwd_dead_walk_t;


static fwd_rc_t fwd_dead_streams(fwd_cli_t *cli,
    const fwd_letter_filter_t *filter, fwd_dead_stream_t **streams,
    size_t *count);
static fwd_rc_t fwd_dead_last(fwd_cli_t *cli, fwd_dead_stream_t *stream);
static fwd_rc_t fwd_dead_stream(fwd_dead_walk_t *walk,
    const fwd_dead_stream_t *stream);
static fwd_rc_t fwd_dead_piece(fwd_dead_walk_t *walk,
    const fwd_dead_stream_t *stream, const redisReply *reply);


int
fwd_dead_filter(fwd_cli_t *cli, fwd_letter_filter_t *filter)
{
    memset(filter, 0, sizeof(fwd_letter_filter_t));

    filter->dest = cli->o.destination;
    filter->class = cli->o.class;
    filter->reason = cli->o.reason;
    filter->older_ms = cli->o.older_ms;
    filter->newer_ms = cli->o.newer_ms;
    filter->ids = &cli->o.ids;

    if (fwd_letter_code(&filter->code_min, &filter->code_max, cli->o.code)
        != FWD_OK)
    {
        return fwd_cli_usage(cli, "\"--code %s\": a status such as 404 or "
                             "4xx is expected", cli->o.code);
    }

    if (cli->o.shard != FWD_CLI_NOT_GIVEN
        && cli->o.shard >= cli->conf.shards)
    {
        return fwd_cli_usage(cli, "\"--shard %llu\": there are %llu",
                             (unsigned long long) cli->o.shard,
                             (unsigned long long) cli->conf.shards);
    }

    if (fwd_cli_redis_time(cli->redis, &cli->err,
                           fwd_cli_key(cli, &cli->pool, 0, "state"),
                           &filter->now_ms)
        != FWD_OK)
    {
        return fwd_cli_fail(cli);
    }

    return FWD_CLI_OK;
}


fwd_rc_t
fwd_dead_each(fwd_cli_t *cli, const fwd_letter_filter_t *filter,
    fwd_letter_pt handler, void *data)
{
    size_t              i, count;
    fwd_rc_t            rc;
    fwd_dead_walk_t     walk;
    fwd_dead_stream_t  *streams;

    walk.cli = cli;
    walk.filter = filter;
    walk.handler = handler;
    walk.data = data;
    walk.left = cli->o.limit;

    streams = NULL;
    count = 0;

    rc = fwd_dead_streams(cli, filter, &streams, &count);

    for (i = 0; rc == FWD_OK && i < count && walk.left != 0; i++) {
        rc = fwd_dead_stream(&walk, &streams[i]);
    }

    return rc == FWD_NONE ? FWD_OK : rc;
}


/* All ends are noted first: letters move from one stream to another. */

static fwd_rc_t
fwd_dead_streams(fwd_cli_t *cli, const fwd_letter_filter_t *filter,
    fwd_dead_stream_t **streams, size_t *count)
{
    size_t              i;
    uint64_t            shard;
    fwd_cli_names_t     names;
    fwd_dead_stream_t  *stream;

    if (fwd_cli_names(cli, 1, &names) != FWD_OK) {
        return FWD_ERROR;
    }

    if (filter->dest != NULL && !fwd_cli_names_have(&names, filter->dest)) {
        return fwd_error(&cli->err, "no destination \"%s\" is known",
                         filter->dest);
    }

    *count = 0;
    *streams = fwd_pool_alloc(&cli->pool, names.count * cli->conf.shards
                                          * sizeof(fwd_dead_stream_t));

    for (i = 0; i < names.count; i++) {

        if (filter->dest != NULL && strcmp(names.list[i], filter->dest)) {
            continue;
        }

        for (shard = 0; shard < cli->conf.shards; shard++) {

            if (cli->o.shard != FWD_CLI_NOT_GIVEN && shard != cli->o.shard) {
                continue;
            }

            stream = &(*streams)[*count];
            stream->dest = names.list[i];
            stream->shard = shard;
            stream->key = fwd_cli_key(cli, &cli->pool, shard, "dead:%s",
                                      names.list[i]);

            if (fwd_dead_last(cli, stream) != FWD_OK) {
                return FWD_ERROR;
            }

            *count += (stream->last != NULL);
        }
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_dead_last(fwd_cli_t *cli, fwd_dead_stream_t *stream)
{
    const char  *id;
    redisReply  *reply;

    reply = fwd_cli_redis_command(cli->redis, &cli->err, stream->key,
                                  "XREVRANGE %s + - COUNT 1", stream->key);
    if (reply == NULL) {
        return FWD_ERROR;
    }

    stream->last = NULL;

    if (reply->elements != 0) {
        id = reply->element[0]->element[0]->str;
        stream->last = fwd_pool_string(&cli->pool, id, strlen(id));
    }

    freeReplyObject(reply);

    return FWD_OK;
}


static fwd_rc_t
fwd_dead_stream(fwd_dead_walk_t *walk, const fwd_dead_stream_t *stream)
{
    char         from[FWD_ID_TEXT_MAX + 1];
    size_t       count;
    fwd_rc_t     rc;
    const char  *id;
    redisReply  *reply;

    (void) strcpy(from, "-");

    do {
        reply = fwd_cli_redis_command(walk->cli->redis, &walk->cli->err,
                                      stream->key,
                                      "XRANGE %s %s %s COUNT %d",
                                      stream->key, from, stream->last,
                                      FWD_DEAD_PIECE);
        if (reply == NULL) {
            return FWD_ERROR;
        }

        count = reply->elements;
        rc = fwd_dead_piece(walk, stream, reply);

        if (count != 0) {
            id = reply->element[count - 1]->element[0]->str;
            (void) snprintf(from, sizeof(from), "(%s", id);
        }

        freeReplyObject(reply);

    } while (rc == FWD_OK && count == FWD_DEAD_PIECE);

    return rc;
}


static fwd_rc_t
fwd_dead_piece(fwd_dead_walk_t *walk, const fwd_dead_stream_t *stream,
    const redisReply *reply)
{
    size_t         i;
    fwd_rc_t       rc;
    fwd_letter_t   letter;

    letter.dest = stream->dest;
    letter.shard = stream->shard;

    for (i = 0; i < reply->elements; i++) {

        if (fwd_letter_read(&letter, reply->element[i]) != FWD_OK
            || !fwd_letter_matches(walk->filter, &letter))
        {
            continue;
        }

        if (walk->left == 0) {
            return FWD_NONE;
        }

        walk->left--;
        rc = walk->handler(walk->data, &letter);

        if (rc != FWD_OK) {
            return rc;
        }
    }

    return FWD_OK;
}
