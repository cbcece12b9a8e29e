
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * "ledger": adds the ledgers of all shards up and checks them.
 *
 * The numbers of a shard are read in one step, so they hold whatever moves.
 * The ids that wait cannot be: they count only if the shard was the same
 * before and after.  What the edges say is read first, so that what moves
 * meanwhile can only make more of what is here.
 */


#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fwd_cli_ledger.h"


#define FWD_LEDGER_UNREAD    1000        /* counted in the step itself */
#define FWD_LEDGER_PAUSE_NS  50000000L


static fwd_rc_t fwd_ledger_edge(fwd_ledger_t *l);
static fwd_rc_t fwd_ledger_shard(fwd_ledger_t *l, uint64_t shard);
static fwd_rc_t fwd_ledger_try(fwd_ledger_t *l, uint64_t shard,
    json_t **book, int *quiet);
static json_t *fwd_ledger_book(fwd_ledger_t *l, const fwd_cli_shot_t *shot);
static fwd_rc_t fwd_ledger_digests(fwd_ledger_t *l, uint64_t shard,
    const fwd_cli_shot_t *shot, json_t *book);
static void fwd_ledger_digest_add(void *data, fwd_id_t id);
static void fwd_ledger_check(fwd_ledger_t *l, json_t *book, uint64_t shard,
    int digests);
static void fwd_ledger_check_edge(fwd_ledger_t *l);
static void fwd_ledger_quarantine(fwd_ledger_t *l);
static int fwd_ledger_configured(void *data, const char *dest);
static const char *fwd_ledger_fallback(void *data, const char *dest);
static fwd_rc_t fwd_ledger_accept(fwd_ledger_t *l);
static fwd_rc_t fwd_ledger_accept_one(fwd_ledger_t *l, const json_t *row);
static uint64_t fwd_ledger_now_ms(void);


int
fwd_cli_ledger(fwd_cli_t *cli)
{
    int            status;
    fwd_rc_t       rc;
    uint64_t       shard;
    fwd_ledger_t   l;

    memset(&l, 0, sizeof(fwd_ledger_t));
    l.cli = cli;
    l.total = json_object();
    l.edge = json_object();
    l.differences = json_array();
    l.moving = json_array();
    l.deadline_ms = fwd_ledger_now_ms() + cli->o.wait_ms;

    rc = fwd_ledger_edge(&l);

    if (rc == FWD_OK) {
        rc = fwd_cli_names(cli, 1, &l.names);
    }

    for (shard = 0; rc == FWD_OK && shard < cli->conf.shards; shard++) {
        rc = fwd_ledger_shard(&l, shard);
    }

    if (rc == FWD_OK) {
        fwd_ledger_check_edge(&l);

        if (cli->o.accept) {
            rc = fwd_ledger_accept(&l);
        }
    }

    if (rc != FWD_OK) {
        status = fwd_cli_fail(cli);

    } else {
        if (cli->o.json) {
            fwd_ledger_print_json(&l);

        } else {
            fwd_ledger_print(&l);
        }

        status = json_array_size(l.differences) ? FWD_CLI_FAILED
                                                : FWD_CLI_OK;
    }

    json_decref(l.total);
    json_decref(l.edge);
    json_decref(l.differences);
    json_decref(l.moving);

    return status;
}


/* Fields "<instance>:<counter>"; an instance may have ended long ago. */

static fwd_rc_t
fwd_ledger_edge(fwd_ledger_t *l)
{
    size_t       i;
    fwd_cli_t   *cli;
    const char  *key, *counter;
    redisReply  *reply;

    cli = l->cli;
    key = fwd_cli_key(cli, &cli->pool, 0, "edge");
    reply = fwd_cli_redis_command(cli->redis, &cli->err, key, "HGETALL %s",
                                  key);
    if (reply == NULL) {
        return FWD_ERROR;
    }

    for (i = 0; i + 1 < reply->elements; i += 2) {
        counter = strrchr(reply->element[i]->str, ':');

        if (counter != NULL && strcmp(counter + 1, "at") != 0) {
            fwd_book_count(l->edge, counter + 1,
                           strtoll(reply->element[i + 1]->str, NULL, 10));
        }
    }

    freeReplyObject(reply);

    return FWD_OK;
}


static fwd_rc_t
fwd_ledger_shard(fwd_ledger_t *l, uint64_t shard)
{
    int              quiet;
    json_t          *book;
    struct timespec  pause;

    pause.tv_sec = 0;
    pause.tv_nsec = FWD_LEDGER_PAUSE_NS;

    for ( ;; ) {
        if (fwd_ledger_try(l, shard, &book, &quiet) != FWD_OK) {
            return FWD_ERROR;
        }

        if (quiet || fwd_ledger_now_ms() >= l->deadline_ms) {
            break;
        }

        json_decref(book);
        (void) nanosleep(&pause, NULL);
    }

    if (!quiet) {
        json_array_append_new(l->moving, json_integer((json_int_t) shard));
    }

    fwd_ledger_check(l, book, shard, quiet);
    fwd_book_merge(l->total, book);
    json_decref(book);

    return FWD_OK;
}


static fwd_rc_t
fwd_ledger_try(fwd_ledger_t *l, uint64_t shard, json_t **book, int *quiet)
{
    fwd_rc_t        rc;
    uint64_t        unread;
    fwd_cli_shot_t  before, after;

    memset(&after, 0, sizeof(fwd_cli_shot_t));
    *book = NULL;

    rc = fwd_cli_shot(l->cli, shard, &l->names, FWD_LEDGER_UNREAD, &before);

    if (rc == FWD_OK) {
        *book = fwd_ledger_book(l, &before);
        rc = fwd_ledger_digests(l, shard, &before, *book);
    }

    if (rc == FWD_OK && before.more[0] != '\0') {
        rc = fwd_cli_behind(l->cli, shard, before.more, &unread);
        fwd_book_count(*book, "unread", (int64_t) unread);
    }

    if (rc == FWD_OK) {
        rc = fwd_cli_shot(l->cli, shard, &l->names, 0, &after);
    }

    if (rc == FWD_OK) {
        *quiet = fwd_cli_shot_same(&before, &after);
        l->unsure |= (!*quiet && before.more[0] != '\0');

    } else {
        json_decref(*book);
    }

    fwd_cli_shot_free(&before);
    fwd_cli_shot_free(&after);

    return rc;
}


static json_t *
fwd_ledger_book(fwd_ledger_t *l, const fwd_cli_shot_t *shot)
{
    size_t                  i;
    json_t                 *book, *dest;
    const fwd_cli_depth_t  *depth;

    book = json_object();

    for (i = 0; i + 1 < shot->ledger->elements; i += 2) {
        fwd_book_field(book, shot->ledger->element[i]->str,
                       shot->ledger->element[i + 1]->str);
    }

    for (i = 0; i < l->names.count; i++) {
        depth = &shot->depths[i];
        dest = fwd_book_at(fwd_book_at(book, "destinations"),
                           l->names.list[i]);

        fwd_book_count(dest, "waiting", (int64_t) (depth->q + depth->hi
                                                   + depth->retry));
        fwd_book_count(dest, "letters", (int64_t) depth->dead);
    }

    fwd_book_count(book, "quarantine", (int64_t) shot->quarantine);
    fwd_book_count(book, "unread", (int64_t) shot->unread);
    fwd_book_count(book, "pending", (int64_t) shot->pending);

    return book;
}


static fwd_rc_t
fwd_ledger_digests(fwd_ledger_t *l, uint64_t shard,
    const fwd_cli_shot_t *shot, json_t *book)
{
    size_t                  i;
    json_t                 *dest;
    uint64_t                digest;
    const fwd_cli_depth_t  *depth;

    for (i = 0; i < l->names.count; i++) {
        depth = &shot->depths[i];

        if (depth->q + depth->hi + depth->retry == 0) {
            continue;
        }

        digest = 0;

        if (fwd_cli_waiting(l->cli, shard, l->names.list[i],
                            fwd_ledger_digest_add, &digest)
            != FWD_OK)
        {
            return FWD_ERROR;
        }

        dest = fwd_book_at(fwd_book_at(book, "destinations"),
                           l->names.list[i]);
        fwd_book_count(dest, "waiting~", (int64_t) (digest & 0xffffffff));
    }

    return FWD_OK;
}


static void
fwd_ledger_digest_add(void *data, fwd_id_t id)
{
    uint64_t  *digest = data;

    *digest += fwd_id_digest(id);
}


static void
fwd_ledger_check(fwd_ledger_t *l, json_t *book, uint64_t shard, int digests)
{
    fwd_book_check_t  check;

    memset(&check, 0, sizeof(fwd_book_check_t));
    check.differences = l->differences;
    check.shard = (int64_t) shard;
    check.digests = (digests != 0);
    check.fallback = fwd_ledger_fallback;
    check.configured = fwd_ledger_configured;
    check.data = l->cli;

    fwd_book_check(book, &check);
}


/*
 * What edges have stored in "in", at once or from their disks, and what was let
 * in from the quarantine, was routed, is bad, or is still to be routed.
 */

static void
fwd_ledger_check_edge(fwd_ledger_t *l)
{
    json_t            *row;
    int64_t            here, stored;
    const char        *source;
    fwd_book_check_t   check;

    fwd_ledger_quarantine(l);

    if (json_object_get(l->edge, "stored") == NULL) {
        return;
    }

    here = fwd_book_get(l->total, "bad") + fwd_book_get(l->total, "unread")
           + fwd_book_get(l->total, "pending");

    json_object_foreach(json_object_get(l->total, "sources"), source, row) {
        here += fwd_book_get(row, "in");
    }

    stored = fwd_book_get(l->edge, "stored")
             + fwd_book_get(l->edge, "replayed")
             - fwd_book_get(l->edge, "quarantined")
             + fwd_book_get(l->total, "quarantine_replayed");
    l->twice = here - stored;

    if (here >= stored || l->unsure) {
        return;
    }

    memset(&check, 0, sizeof(fwd_book_check_t));
    check.differences = l->differences;
    check.shard = -1;

    fwd_book_differ(&check, "edge", NULL, NULL, stored, here,
                    "edges have stored %" PRId64 " events, but only %" PRId64
                    " are known here", stored, here);
}


/*
 * What was put aside and is in none of three places is not lost unseen: the
 * stream has an upper bound, and lets go of its oldest.
 */

static void
fwd_ledger_quarantine(fwd_ledger_t *l)
{
    l->evicted = fwd_book_get(l->edge, "quarantined")
                 - fwd_book_get(l->total, "quarantine")
                 - fwd_book_get(l->total, "quarantine_replayed")
                 - fwd_book_get(l->total, "quarantine_dropped");

    if (l->evicted < 0) {
        l->evicted = 0;
    }
}


static int
fwd_ledger_configured(void *data, const char *dest)
{
    return fwd_cli_dest(data, dest) != NULL;
}


static const char *
fwd_ledger_fallback(void *data, const char *dest)
{
    const fwd_dest_conf_t  *conf;

    conf = fwd_cli_dest(data, dest);

    return conf ? conf->policy.fallback : NULL;
}


/*
 * Events that were there before a destination was are neither routed to it
 * nor refused.  Nobody but a person can know, and says so once.
 */

static fwd_rc_t
fwd_ledger_accept(fwd_ledger_t *l)
{
    size_t       i;
    json_t      *row;
    const char  *what;

    for (i = json_array_size(l->differences); i-- > 0; ) {
        row = json_array_get(l->differences, i);
        what = json_string_value(json_object_get(row, "what"));

        if (strcmp(what, "offered") != 0
            || fwd_book_get(row, "expected") <= fwd_book_get(row, "found"))
        {
            continue;
        }

        if (fwd_ledger_accept_one(l, row) != FWD_OK) {
            return FWD_ERROR;
        }

        (void) json_array_remove(l->differences, i);
    }

    return FWD_OK;
}


/* The total that is written stays right when this is repeated. */

static fwd_rc_t
fwd_ledger_accept_one(fwd_ledger_t *l, const json_t *row)
{
    json_t      *known;
    int64_t      gap;
    uint64_t     shard;
    fwd_cli_t   *cli;
    const char  *key, *dest, *source, *field;
    redisReply  *reply;

    cli = l->cli;
    shard = (uint64_t) fwd_book_get(row, "shard");
    dest = json_string_value(json_object_get(row, "destination"));
    source = json_string_value(json_object_get(row, "source"));
    gap = fwd_book_get(row, "expected") - fwd_book_get(row, "found");

    key = fwd_cli_key(cli, &cli->pool, shard, "ledger");
    field = fwd_pool_printf(&cli->pool, "unoffered:%s:%s", dest, source);

    reply = fwd_cli_redis_command(cli->redis, &cli->err, key, "HGET %s %s",
                                  key, field);
    if (reply == NULL) {
        return FWD_ERROR;
    }

    known = json_integer(reply->str ? strtoll(reply->str, NULL, 10) : 0);
    freeReplyObject(reply);

    reply = fwd_cli_redis_command(cli->redis, &cli->err, key,
                                  "HSET %s %s %lld", key, field,
                                  (long long) (json_integer_value(known)
                                               + gap));
    json_decref(known);

    if (reply == NULL) {
        return FWD_ERROR;
    }

    freeReplyObject(reply);

    return FWD_OK;
}


static uint64_t
fwd_ledger_now_ms(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);

    return (uint64_t) t.tv_sec * 1000 + (uint64_t) t.tv_nsec / 1000000;
}
