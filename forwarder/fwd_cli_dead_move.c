
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Dead letters go: "dead drop" for good, "dead replay" back into the stream.
 *
 * Each letter moves in one step of one shard.  A step whose answer was lost
 * is sent again and finds the letter gone: it is never replayed twice, and
 * counted once.
 */


#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fwd_cli_book.h"
#include "fwd_cli_dead.h"
#include "fwd_cli_nodes.h"


#define FWD_MOVE_BODY_MAX  65536         /* of a request that is kept */


typedef struct {
    fwd_cli_t            *cli;
    fwd_dead_maps_t      *maps;          /* with --diff only */
    uint64_t              started_ms;    /* monotonic */
    uint64_t              tried;
    uint64_t              moved;
    uint64_t              would;         /* be moved: a dry run */
    uint64_t              differ;
    json_t               *skipped;       /* reason -> letters */
} fwd_move_t;


static fwd_rc_t fwd_move_drop(void *data, const fwd_letter_t *letter);
static int fwd_move_check(fwd_cli_t *cli);
static fwd_rc_t fwd_move_replay(void *data, const fwd_letter_t *letter);
static const char *fwd_move_refuse(const fwd_move_t *m,
    const fwd_letter_t *letter, const char *to, json_t *body);
static json_t *fwd_move_body(const fwd_letter_t *letter);
static fwd_rc_t fwd_move_send(fwd_move_t *m, const fwd_letter_t *letter,
    const char *to, const json_t *body);
static void fwd_move_say(fwd_move_t *m, const fwd_letter_t *letter,
    const char *to);
static void fwd_move_say_diff(fwd_move_t *m, const fwd_letter_t *letter,
    const char *to, json_t *row);
static void fwd_move_print_path(const json_t *path);
static void fwd_move_pace(fwd_move_t *m);
static int fwd_move_end(fwd_move_t *m, const char *done);
static uint64_t fwd_move_now_ms(void);


/*
 * KEYS: ledger, dead; ARGV: ID of the letter, destination.  The first write
 * is one that a full Redis allows, and lets the rest through.
 */

static const char  fwd_move_drop_lua[] =
    "redis.call('PERSIST', KEYS[1])\n"
    "local n = redis.call('XDEL', KEYS[2], ARGV[1])\n"
    "if n > 0 then\n"
    "  redis.call('HINCRBY', KEYS[1], 'dead_dropped:' .. ARGV[2], n)\n"
    "end\n"
    "return n\n";


/*
 * KEYS: ledger, dead, in; ARGV: ID of the letter, destination, where to,
 * number of the replay, and the body of the request if it goes as sent.
 * XADD comes first: a full Redis refuses it, and then nothing has moved.
 */

static const char  fwd_move_replay_lua[] =
    "local l = redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1])[1]\n"
    "if not l then return 0 end\n"
    "local f = {}\n"
    "for i = 1, #l[2], 2 do f[l[2][i]] = l[2][i + 1] end\n"
    "local a = { 'v', '" MARTECH_FORMAT_VERSION "', 'id', f.id,\n"
    "            'src', f.src, 'e', f.e, 'to', ARGV[3], 'n', ARGV[4] }\n"
    "if ARGV[5] then\n"
    "  a[#a + 1] = 'body'\n"
    "  a[#a + 1] = ARGV[5]\n"
    "end\n"
    "redis.call('XADD', KEYS[3], '*', unpack(a))\n"
    "redis.call('XDEL', KEYS[2], ARGV[1])\n"
    "redis.call('HINCRBY', KEYS[1], 'dead_replayed:' .. ARGV[2], 1)\n"
    "return 1\n";


int
fwd_cli_dead_drop(fwd_cli_t *cli)
{
    int                  status;
    fwd_move_t           m;
    fwd_letter_filter_t  filter;

    memset(&m, 0, sizeof(fwd_move_t));
    m.cli = cli;

    status = fwd_dead_filter(cli, &filter);

    if (status != FWD_CLI_OK) {
        return status;
    }

    m.skipped = json_object();

    if (fwd_dead_each(cli, &filter, fwd_move_drop, &m) != FWD_OK) {
        status = fwd_cli_fail(cli);

    } else if (!cli->o.yes && !cli->o.dry_run && m.tried != 0) {
        status = fwd_cli_usage(cli, "would drop %" PRIu64 " dead letters, "
                               "\"--yes\" does it", m.tried);

    } else {
        status = fwd_move_end(&m, "dropped");
    }

    json_decref(m.skipped);

    return status;
}


static fwd_rc_t
fwd_move_drop(void *data, const fwd_letter_t *letter)
{
    fwd_cli_t       *cli;
    fwd_move_t      *m = data;
    redisReply      *reply;
    fwd_cli_args_t   args;

    cli = m->cli;
    m->tried++;

    if (cli->o.dry_run) {
        fwd_move_say(m, letter, NULL);
        return FWD_OK;
    }

    if (!cli->o.yes) {
        return FWD_OK;
    }

    fwd_cli_args_init(&args);
    fwd_cli_args_text(&args, fwd_cli_key(cli, &args.pool, letter->shard,
                                         "ledger"));
    fwd_cli_args_text(&args, fwd_cli_key(cli, &args.pool, letter->shard,
                                         "dead:%s", letter->dest));
    fwd_cli_args_text(&args, letter->entry);
    fwd_cli_args_text(&args, letter->dest);

    reply = fwd_cli_redis_script(cli->redis, &cli->err, fwd_move_drop_lua, 2,
                                 &args);
    fwd_cli_args_free(&args);

    if (reply == NULL) {
        return FWD_ERROR;
    }

    m->moved += (reply->integer == 1);
    freeReplyObject(reply);

    return FWD_OK;
}


int
fwd_cli_dead_replay(fwd_cli_t *cli)
{
    int                  status;
    fwd_move_t           m;
    fwd_letter_filter_t  filter;

    memset(&m, 0, sizeof(fwd_move_t));
    m.cli = cli;

    status = fwd_move_check(cli);

    if (status == FWD_CLI_OK) {
        status = fwd_dead_filter(cli, &filter);
    }

    if (status != FWD_CLI_OK) {
        return status;
    }

    m.skipped = json_object();
    m.started_ms = fwd_move_now_ms();

    if (cli->o.diff) {
        m.maps = fwd_dead_maps_create(cli);
    }

    if (fwd_dead_each(cli, &filter, fwd_move_replay, &m) != FWD_OK) {
        (void) printf("replayed %" PRIu64 " dead letters until then\n",
                      m.moved);
        status = fwd_cli_fail(cli);

    } else {
        status = fwd_move_end(&m, "replayed");
    }

    fwd_dead_maps_destroy(m.maps);
    json_decref(m.skipped);

    return status;
}


static int
fwd_move_check(fwd_cli_t *cli)
{
    const fwd_cli_options_t  *o;

    o = &cli->o;

    if (o->remap && o->as_sent) {
        return fwd_cli_usage(cli, "\"--remap\" and \"--as-sent\" exclude "
                             "each other");
    }

    if (o->diff && (o->as_sent || !o->dry_run)) {
        return fwd_cli_usage(cli, "\"--diff\" goes with \"--dry-run\" and "
                             "without \"--as-sent\"");
    }

    if (o->show_values && !o->diff) {
        return fwd_cli_usage(cli, "\"--show-values\" goes with \"--diff\"");
    }

    if (o->to != NULL && o->as_sent) {
        return fwd_cli_usage(cli, "\"--as-sent\" goes to the same "
                             "destination only");
    }

    if (o->to != NULL && fwd_cli_dest(cli, o->to) == NULL) {
        return fwd_cli_usage(cli, "no destination \"%s\" is configured",
                             o->to);
    }

    return FWD_CLI_OK;
}


static fwd_rc_t
fwd_move_replay(void *data, const fwd_letter_t *letter)
{
    json_t      *body;
    fwd_rc_t     rc;
    const char  *to, *why;
    fwd_move_t  *m = data;

    m->tried++;
    to = m->cli->o.to ? m->cli->o.to : letter->dest;
    body = m->cli->o.as_sent ? fwd_move_body(letter) : NULL;
    why = fwd_move_refuse(m, letter, to, body);
    rc = FWD_OK;

    if (why != NULL) {
        fwd_book_count(m->skipped, why, 1);

    } else if (m->cli->o.dry_run) {
        fwd_move_say(m, letter, to);

    } else {
        rc = fwd_move_send(m, letter, to, body);
        fwd_move_pace(m);
    }

    json_decref(body);

    return rc;
}


/* NULL, or why this letter cannot be replayed. */

static const char *
fwd_move_refuse(const fwd_move_t *m, const fwd_letter_t *letter,
    const char *to, json_t *body)
{
    if (fwd_letter_text(letter, FWD_LETTER_E)[0] == '\0') {
        return "the event is gone";
    }

    if (strcmp(to, FWD_CLI_NO_DEST) == 0) {
        return "it has no destination (see --to)";
    }

    if (fwd_cli_dest(m->cli, to) == NULL) {
        return "the destination is not configured";
    }

    if (!m->cli->o.as_sent) {
        return NULL;
    }

    if (body == NULL || json_string_length(body) == 0) {
        return "no request is kept";
    }

    if (json_string_length(body) >= FWD_MOVE_BODY_MAX) {
        return "the request is kept in part only";
    }

    return NULL;
}


static json_t *
fwd_move_body(const fwd_letter_t *letter)
{
    json_t  *request, *body;

    request = fwd_letter_json(letter, FWD_LETTER_REQUEST);
    body = json_object_get(request, "body");

    if (json_is_string(body)) {
        (void) json_incref(body);

    } else {
        body = NULL;
    }

    json_decref(request);

    return body;
}


static fwd_rc_t
fwd_move_send(fwd_move_t *m, const fwd_letter_t *letter, const char *to,
    const json_t *body)
{
    fwd_cli_t       *cli;
    redisReply      *reply;
    fwd_cli_args_t   args;

    cli = m->cli;

    fwd_cli_args_init(&args);
    fwd_cli_args_text(&args, fwd_cli_key(cli, &args.pool, letter->shard,
                                         "ledger"));
    fwd_cli_args_text(&args, fwd_cli_key(cli, &args.pool, letter->shard,
                                         "dead:%s", letter->dest));
    fwd_cli_args_text(&args, fwd_cli_key(cli, &args.pool, letter->shard,
                                         "in"));
    fwd_cli_args_text(&args, letter->entry);
    fwd_cli_args_text(&args, letter->dest);
    fwd_cli_args_text(&args, to);
    fwd_cli_args_number(&args, fwd_letter_number(letter, FWD_LETTER_REPLAYS)
                               + 1);

    if (body != NULL) {
        fwd_cli_args_add(&args, json_string_value(body),
                         json_string_length(body));
    }

    reply = fwd_cli_redis_script(cli->redis, &cli->err, fwd_move_replay_lua,
                                 3, &args);
    fwd_cli_args_free(&args);

    if (reply == NULL) {
        return FWD_ERROR;
    }

    m->moved += (reply->integer == 1);
    freeReplyObject(reply);

    return FWD_OK;
}


static void
fwd_move_say(fwd_move_t *m, const fwd_letter_t *letter, const char *to)
{
    char     id[FWD_LETTER_PLAIN_MAX], place[FWD_LETTER_PLACE_MAX];
    json_t  *row;

    m->would++;
    (void) fwd_letter_place(place, letter);
    (void) fwd_letter_plain(id, letter, FWD_LETTER_ID);

    if (m->cli->o.json) {
        row = json_pack("{s:s,s:s,s:s}", "destination", letter->dest,
                        "place", place, "id", id);

        if (to != NULL) {
            json_object_set_new(row, "to", json_string(to));
            json_object_set_new(row, "as_sent",
                                json_boolean(m->cli->o.as_sent));
        }

        fwd_move_say_diff(m, letter, to, row);
        fwd_cli_print(row, 0);
        return;
    }

    if (to == NULL) {
        (void) printf("would drop %s of %s, place %s\n", id, letter->dest,
                      place);

    } else {
        (void) printf("would replay %s of %s, place %s, to %s, %s\n", id,
                      letter->dest, place, to,
                      m->cli->o.as_sent ? "as sent" : "by the present map");
    }

    fwd_move_say_diff(m, letter, to, NULL);
}


/* Into the row, or printed if there is none. */

static void
fwd_move_say_diff(fwd_move_t *m, const fwd_letter_t *letter, const char *to,
    json_t *row)
{
    size_t   i;
    json_t  *diff, *path, *paths;

    if (m->maps == NULL || to == NULL) {
        return;
    }

    diff = fwd_dead_diff(m->maps, letter, fwd_cli_dest(m->cli, to));
    paths = json_object_get(diff, "paths");
    m->differ += (json_array_size(paths) != 0
                  || json_object_get(diff, "problem") != NULL);

    if (row != NULL) {
        json_object_update(row, diff);

    } else if (paths == NULL) {
        (void) printf("    %s\n", json_string_value(json_object_get(diff,
                                                             "problem")));

    } else {
        json_array_foreach(paths, i, path) {
            fwd_move_print_path(path);
        }
    }

    json_decref(diff);
}


static void
fwd_move_print_path(const json_t *path)
{
    char        *text;
    size_t       i;
    const char  *name;

    static const char *const  names[] = { "was", "now" };

    name = json_string_value(json_object_get(path, "path"));

    (void) printf("    %-8s %s",
                  json_string_value(json_object_get(path, "change")),
                  name[0] ? name : "/");

    for (i = 0; i < 2; i++) {
        text = json_dumps(json_object_get(path, names[i]),
                          JSON_ENCODE_ANY | JSON_COMPACT);

        if (text != NULL) {
            (void) printf("  %s %s", names[i], text);
            free(text);
        }
    }

    (void) printf("\n");
}


/* Evenly: a burst would stand in front of fresh events. */

static void
fwd_move_pace(fwd_move_t *m)
{
    uint64_t  due_ms, now_ms;

    due_ms = m->started_ms + m->moved * 1000 / m->cli->o.rate;
    now_ms = fwd_move_now_ms();

    if (due_ms > now_ms) {
        fwd_cli_sleep(due_ms - now_ms);
    }
}


static int
fwd_move_end(fwd_move_t *m, const char *done)
{
    json_t      *n;
    const char  *why;

    if (m->cli->o.json) {
        fwd_cli_print(json_pack("{s:I,s:I,s:b,s:O}", "matched",
                                (json_int_t) m->tried, done,
                                (json_int_t) m->moved, "dry_run",
                                (int) m->cli->o.dry_run, "skipped",
                                m->skipped), 0);

    } else {
        if (m->maps != NULL) {
            (void) printf("%" PRIu64 " of %" PRIu64 " would differ\n",
                          m->differ, m->tried);
        }

        (void) printf("%s%s %" PRIu64 " of %" PRIu64 " dead letters\n",
                      m->cli->o.dry_run ? "would have " : "", done,
                      m->cli->o.dry_run ? m->would : m->moved, m->tried);

        json_object_foreach(m->skipped, why, n) {
            (void) printf("left %" JSON_INTEGER_FORMAT ": %s\n",
                          json_integer_value(n), why);
        }
    }

    return json_object_size(m->skipped) ? FWD_CLI_FAILED : FWD_CLI_OK;
}


static uint64_t
fwd_move_now_ms(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);

    return (uint64_t) t.tv_sec * 1000 + (uint64_t) t.tv_nsec / 1000000;
}
