
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * "plan replay": quarantined events that pass now go into the stream.
 *
 * Each moves in one step of one shard.  A step whose answer was lost is sent
 * again and finds the entry gone: an entry is never let in twice, and counted
 * once in the ledger.
 */


#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fwd_cli_book.h"
#include "fwd_cli_nodes.h"
#include "fwd_cli_plan.h"
#include "fwd_quarantine_move.h"


typedef struct {
    fwd_cli_t             *cli;
    fwd_quarantine_move_t *move;
    uint64_t               started_ms;   /* monotonic */
    uint64_t               tried;
    uint64_t               moved;
    uint64_t               gone;         /* by somebody else meanwhile */
    uint64_t               left;
    json_t                *events;       /* name -> { moved, left } */
    json_t                *rules;        /* rule -> left */
} fwd_replay_t;


static int fwd_replay_run(fwd_replay_t *r);
static fwd_rc_t fwd_replay_one(void *data, const fwd_quarantined_t *item);
static void fwd_replay_left(fwd_replay_t *r, json_t *event, const char *why);
static fwd_rc_t fwd_replay_send(fwd_replay_t *r,
    const fwd_quarantined_t *item, const char *text, size_t len);
static void fwd_replay_pace(const fwd_replay_t *r);
static void fwd_replay_print(const fwd_replay_t *r);
static uint64_t fwd_replay_now_ms(void);


/*
 * KEYS: ledger, quarantine, in; ARGV: ID of the entry, the event.  What could
 * fail is looked at first; then XADD, which a full Redis refuses, and then
 * nothing has moved.
 */

static const char  fwd_replay_lua[] =
    "local l = redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1])[1]\n"
    "if not l then return 0 end\n"
    "redis.call('HGET', KEYS[1], 'quarantine_replayed')\n"
    "local f = {}\n"
    "for i = 1, #l[2], 2 do f[l[2][i]] = l[2][i + 1] end\n"
    "redis.call('XADD', KEYS[3], '*', 'v', '" MARTECH_FORMAT_VERSION "',\n"
    "           'id', f.id, 'src', f.src, 'e', ARGV[2])\n"
    "redis.call('XDEL', KEYS[2], ARGV[1])\n"
    "redis.call('HINCRBY', KEYS[1], 'quarantine_replayed', 1)\n"
    "return 1\n";


int
fwd_cli_plan_replay(fwd_cli_t *cli)
{
    int              status;
    fwd_replay_t     r;
    fwd_plan_file_t  plan;

    if ((cli->o.plan != NULL) == (cli->o.unchecked != 0)) {
        return fwd_cli_usage(cli, "either \"--plan FILE\" or "
                             "\"--unchecked\" is needed");
    }

    status = fwd_quarantine_options(cli);

    if (status != FWD_CLI_OK) {
        return status;
    }

    memset(&plan, 0, sizeof(fwd_plan_file_t));

    if (cli->o.plan != NULL && fwd_plan_load(&plan, cli->o.plan) != FWD_OK) {
        fwd_plan_close(&plan);
        return FWD_CLI_FAILED;
    }

    memset(&r, 0, sizeof(fwd_replay_t));
    r.cli = cli;
    r.events = json_object();
    r.rules = json_object();
    r.started_ms = fwd_replay_now_ms();
    r.move = fwd_quarantine_move_create(plan.plan);

    if (r.move == NULL) {
        (void) fwd_error(&cli->err, "out of memory");
        status = fwd_cli_fail(cli);

    } else {
        r.move->any = (cli->o.any_plan != 0);
        status = fwd_replay_run(&r);
    }

    fwd_quarantine_move_destroy(r.move);
    json_decref(r.events);
    json_decref(r.rules);
    fwd_plan_close(&plan);

    return status;
}


static int
fwd_replay_run(fwd_replay_t *r)
{
    fwd_rc_t  rc;

    rc = fwd_quarantine_each(r->cli, fwd_replay_one, r);
    fwd_replay_print(r);

    if (rc != FWD_OK) {
        return fwd_cli_fail(r->cli);
    }

    return r->left ? FWD_CLI_FAILED : FWD_CLI_OK;
}


static fwd_rc_t
fwd_replay_one(void *data, const fwd_quarantined_t *item)
{
    size_t         len;
    json_t        *event;
    fwd_rc_t       rc;
    uint64_t       before;
    const char    *why, *text;
    fwd_replay_t  *r = data;

    r->tried++;
    why = fwd_quarantine_check(r->move, item);
    event = fwd_book_at(r->events, item->event[0] ? item->event : "-");

    if (why != NULL) {
        fwd_replay_left(r, event, why);
        return FWD_OK;
    }

    if (r->cli->o.dry_run) {
        r->moved++;
        fwd_book_count(event, "moved", 1);
        return FWD_OK;
    }

    text = fwd_quarantine_form(r->move, item, &len);
    if (text == NULL) {
        return fwd_error(&r->cli->err, "out of memory");
    }

    before = r->moved;
    rc = fwd_replay_send(r, item, text, len);

    if (rc == FWD_OK) {
        fwd_book_count(event, "moved", (int64_t) (r->moved - before));
        fwd_replay_pace(r);
    }

    return rc;
}


/* Each rule counts once of an event, however often it is violated. */

static void
fwd_replay_left(fwd_replay_t *r, json_t *event, const char *why)
{
    unsigned                       i, j;
    const martech_plan_verdict_t  *verdict;

    r->left++;
    fwd_book_count(event, "left", 1);
    verdict = &r->move->verdict;

    if (strcmp(why, "unreadable") == 0 || verdict->count == 0) {
        fwd_book_count(r->rules, why, 1);
        return;
    }

    for (i = 0; i < verdict->count; i++) {

        for (j = 0; j < i; j++) {
            if (strcmp(verdict->list[i].rule, verdict->list[j].rule) == 0) {
                break;
            }
        }

        if (j == i) {
            fwd_book_count(r->rules, verdict->list[i].rule, 1);
        }
    }
}


static fwd_rc_t
fwd_replay_send(fwd_replay_t *r, const fwd_quarantined_t *item,
    const char *text, size_t len)
{
    fwd_cli_t       *cli;
    redisReply      *reply;
    fwd_cli_args_t   args;

    cli = r->cli;

    fwd_cli_args_init(&args);
    fwd_cli_args_text(&args, fwd_cli_key(cli, &args.pool, item->shard,
                                         "ledger"));
    fwd_cli_args_text(&args, fwd_cli_key(cli, &args.pool, item->shard,
                                         "quarantine"));
    fwd_cli_args_text(&args, fwd_cli_key(cli, &args.pool, item->shard,
                                         "in"));
    fwd_cli_args_text(&args, item->entry);
    fwd_cli_args_add(&args, text, len);

    reply = fwd_cli_redis_script(cli->redis, &cli->err, fwd_replay_lua, 3,
                                 &args);
    fwd_cli_args_free(&args);

    if (reply == NULL) {
        return FWD_ERROR;
    }

    r->moved += (reply->integer == 1);
    r->gone += (reply->integer != 1);
    freeReplyObject(reply);

    return FWD_OK;
}


/* Evenly: a burst would stand in front of fresh events. */

static void
fwd_replay_pace(const fwd_replay_t *r)
{
    uint64_t  due_ms, now_ms;

    due_ms = r->started_ms + r->moved * 1000 / r->cli->o.rate;
    now_ms = fwd_replay_now_ms();

    if (due_ms > now_ms) {
        fwd_cli_sleep(due_ms - now_ms);
    }
}


static void
fwd_replay_print(const fwd_replay_t *r)
{
    json_t      *row;
    const char  *name;

    if (r->cli->o.json) {
        fwd_cli_print(json_pack("{s:I,s:I,s:I,s:I,s:b,s:O,s:O}", "matched",
                                (json_int_t) r->tried, "replayed",
                                (json_int_t) r->moved, "left",
                                (json_int_t) r->left, "gone",
                                (json_int_t) r->gone, "dry_run",
                                (int) r->cli->o.dry_run, "events", r->events,
                                "rules", r->rules), 1);
        return;
    }

    (void) printf("%9s  %9s  EVENT\n", r->cli->o.dry_run ? "WOULD GO"
                                                         : "REPLAYED",
                  "LEFT");

    json_object_foreach(r->events, name, row) {
        (void) printf("%9" PRId64 "  %9" PRId64 "  ",
                      fwd_book_get(row, "moved"), fwd_book_get(row, "left"));
        fwd_plan_plain(stdout, name);
        (void) printf("\n");
    }

    json_object_foreach(r->rules, name, row) {
        (void) printf("left because of %s: %" JSON_INTEGER_FORMAT "\n", name,
                      json_integer_value(row));
    }

    if (r->gone != 0) {
        (void) printf("gone meanwhile: %" PRIu64 "\n", r->gone);
    }

    (void) printf("%s %" PRIu64 " of %" PRIu64 " quarantined events\n",
                  r->cli->o.dry_run ? "would have replayed" : "replayed",
                  r->moved, r->tried);
}


static uint64_t
fwd_replay_now_ms(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);

    return (uint64_t) t.tv_sec * 1000 + (uint64_t) t.tv_nsec / 1000000;
}
