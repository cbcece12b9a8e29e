
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reading of shards.  Numbers come from one script, so that they belong
 * together; ids are read in pieces, so that nobody waits for us.
 */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../martech/martech_shard.h"

#include "fwd_cli_shard.h"


#define FWD_CLI_PIECE       1000         /* ids read at a time */
#define FWD_CLI_SHOT        9            /* answers before destinations */


static fwd_rc_t fwd_cli_names_shard(fwd_cli_t *cli, uint64_t shard,
    fwd_cli_names_t *names);
static void fwd_cli_names_add(fwd_cli_t *cli, fwd_cli_names_t *names,
    const char *name);
static fwd_rc_t fwd_cli_shot_take(fwd_cli_shot_t *shot, size_t count,
    fwd_error_t *err);
static uint64_t fwd_cli_number(const redisReply *reply);
static fwd_rc_t fwd_cli_scan_stream(fwd_cli_t *cli, const char *key,
    void (*handler)(void *data, fwd_id_t id), void *data);
static fwd_rc_t fwd_cli_scan_retry(fwd_cli_t *cli, const char *key,
    void (*handler)(void *data, fwd_id_t id), void *data);


/*
 * KEYS: ledger, owner, in, quarantine, then of each destination q, q:hi,
 * retry, dead; ARGV: the group, how many unread entries to count.  The oldest
 * retry is looked for among the first thousand: they stand in the order in
 * which they are due.
 */

static const char  fwd_cli_shot_lua[] =
    "local function oldest(key, best)\n"
    "  local e = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]\n"
    "  local ms = e and tonumber(string.match(e[1], '^%d+'))\n"
    "  if ms and (best == 0 or ms < best) then return ms end\n"
    "  return best\n"
    "end\n"
    "local last, pending = '', 0\n"
    "local groups = redis.pcall('XINFO', 'GROUPS', KEYS[3])\n"
    "if not groups.err then\n"
    "  for _, info in ipairs(groups) do\n"
    "    local g = {}\n"
    "    for i = 1, #info, 2 do g[info[i]] = info[i + 1] end\n"
    "    if g.name == ARGV[1] then\n"
    "      last, pending = g['last-delivered-id'], g.pending\n"
    "    end\n"
    "  end\n"
    "end\n"
    "local unread, from = 0, last ~= '' and last or '0-0'\n"
    "while from ~= '' and unread < tonumber(ARGV[2]) do\n"
    "  local list = redis.call('XRANGE', KEYS[3], '(' .. from, '+',\n"
    "                          'COUNT', 100)\n"
    "  unread = unread + #list\n"
    "  from = #list == 100 and list[100][1] or ''\n"
    "end\n"
    "local answer = { redis.call('HGETALL', KEYS[1]),\n"
    "  redis.call('GET', KEYS[2]) or '', redis.call('XLEN', KEYS[3]),\n"
    "  last, pending, unread, from, redis.call('XLEN', KEYS[4]),\n"
    "  string.format('%.0f', oldest(KEYS[4], 0)) }\n"
    "for i = 5, #KEYS, 4 do\n"
    "  local best = oldest(KEYS[i + 1], oldest(KEYS[i], 0))\n"
    "  for _, id in ipairs(redis.call('ZRANGE', KEYS[i + 2], 0, 999)) do\n"
    "    local ms = tonumber(string.match(id, '^%d+'))\n"
    "    if ms and (best == 0 or ms < best) then best = ms end\n"
    "  end\n"
    "  answer[#answer + 1] = {\n"
    "    redis.call('XLEN', KEYS[i]), redis.call('XLEN', KEYS[i + 1]),\n"
    "    redis.call('ZCARD', KEYS[i + 2]), redis.call('XLEN', KEYS[i + 3]),\n"
    "    string.format('%.0f', best) }\n"
    "end\n"
    "return answer\n";


/* KEYS: in; ARGV: ID, how many to look at.  Answers count and last ID. */

static const char  fwd_cli_behind_lua[] =
    "local from, n = ARGV[1], 0\n"
    "while n < tonumber(ARGV[2]) do\n"
    "  local list = redis.call('XRANGE', KEYS[1], '(' .. from, '+',\n"
    "                          'COUNT', 100)\n"
    "  if #list == 0 then return { n, '' } end\n"
    "  n = n + #list\n"
    "  from = list[#list][1]\n"
    "end\n"
    "return { n, from }\n";


const char *
fwd_cli_key(const fwd_cli_t *cli, fwd_pool_t *pool, uint64_t shard,
    const char *fmt, ...)
{
    char           tag[MARTECH_TAG_LEN_MAX], rest[256];
    va_list        args;
    martech_str_t  prefix;

    va_start(args, fmt);
    (void) vsnprintf(rest, sizeof(rest), fmt, args);
    va_end(args);

    prefix.data = (const unsigned char *) cli->conf.prefix;
    prefix.len = strlen(cli->conf.prefix);
    (void) martech_shard_tag(tag, prefix, (uint32_t) shard);

    return fwd_pool_printf(pool, "%s:%s", tag, rest);
}


fwd_rc_t
fwd_cli_names(fwd_cli_t *cli, int entry, fwd_cli_names_t *names)
{
    size_t    i;
    uint64_t  shard;

    memset(names, 0, sizeof(fwd_cli_names_t));

    for (i = 0; i < cli->conf.dests_count; i++) {
        fwd_cli_names_add(cli, names, cli->conf.dests[i].name);
    }

    for (shard = 0; shard < cli->conf.shards; shard++) {
        if (fwd_cli_names_shard(cli, shard, names) != FWD_OK) {
            return FWD_ERROR;
        }
    }

    if (entry) {
        fwd_cli_names_add(cli, names, FWD_CLI_NO_DEST);
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_cli_names_shard(fwd_cli_t *cli, uint64_t shard, fwd_cli_names_t *names)
{
    char         name[FWD_NAME_MAX + 1];
    size_t       i, len;
    const char  *p, *key;
    redisReply  *reply;

    key = fwd_cli_key(cli, &cli->pool, shard, "ledger");
    reply = fwd_cli_redis_command(cli->redis, &cli->err, key, "HKEYS %s",
                                  key);
    if (reply == NULL) {
        return FWD_ERROR;
    }

    for (i = 0; i < reply->elements; i++) {
        p = reply->element[i]->str;

        if (strncmp(p, "routed:", 7) != 0) {
            continue;
        }

        len = strcspn(p + 7, ":");

        if (len == 0 || len > FWD_NAME_MAX) {
            continue;
        }

        memcpy(name, p + 7, len);
        name[len] = '\0';
        fwd_cli_names_add(cli, names, name);
    }

    freeReplyObject(reply);

    return FWD_OK;
}


/* The list doubles; what it has outgrown goes with the pool. */

static void
fwd_cli_names_add(fwd_cli_t *cli, fwd_cli_names_t *names, const char *name)
{
    const char  **list;

    if (fwd_cli_names_have(names, name)) {
        return;
    }

    if ((names->count & (names->count - 1)) == 0) {
        list = fwd_pool_alloc(&cli->pool, (names->count ? names->count * 2
                                                        : 1)
                                          * sizeof(char *));
        if (names->count != 0) {
            memcpy(list, names->list, names->count * sizeof(char *));
        }

        names->list = list;
    }

    names->list[names->count++] = fwd_pool_string(&cli->pool, name,
                                                  strlen(name));
}


int
fwd_cli_names_have(const fwd_cli_names_t *names, const char *name)
{
    size_t  i;

    for (i = 0; i < names->count; i++) {
        if (strcmp(names->list[i], name) == 0) {
            return 1;
        }
    }

    return 0;
}


fwd_rc_t
fwd_cli_shot(fwd_cli_t *cli, uint64_t shard, const fwd_cli_names_t *names,
    uint64_t unread, fwd_cli_shot_t *shot)
{
    int              keys;
    size_t           i;
    const char      *name;
    fwd_pool_t      *pool;
    fwd_cli_args_t   args;

    memset(shot, 0, sizeof(fwd_cli_shot_t));
    fwd_cli_args_init(&args);
    pool = &args.pool;

    fwd_cli_args_text(&args, fwd_cli_key(cli, pool, shard, "ledger"));
    fwd_cli_args_text(&args, fwd_cli_key(cli, pool, shard, "owner"));
    fwd_cli_args_text(&args, fwd_cli_key(cli, pool, shard, "in"));
    fwd_cli_args_text(&args, fwd_cli_key(cli, pool, shard, "quarantine"));

    for (i = 0; i < names->count; i++) {
        name = names->list[i];
        fwd_cli_args_text(&args, fwd_cli_key(cli, pool, shard, "q:%s", name));
        fwd_cli_args_text(&args, fwd_cli_key(cli, pool, shard, "q:%s:hi",
                                             name));
        fwd_cli_args_text(&args, fwd_cli_key(cli, pool, shard, "retry:%s",
                                             name));
        fwd_cli_args_text(&args, fwd_cli_key(cli, pool, shard, "dead:%s",
                                             name));
    }

    keys = args.count;
    fwd_cli_args_text(&args, FWD_GROUP);
    fwd_cli_args_number(&args, unread);

    shot->reply = fwd_cli_redis_script(cli->redis, &cli->err,
                                       fwd_cli_shot_lua, keys, &args);
    fwd_cli_args_free(&args);

    if (shot->reply == NULL) {
        return FWD_ERROR;
    }

    return fwd_cli_shot_take(shot, names->count, &cli->err);
}


static fwd_rc_t
fwd_cli_shot_take(fwd_cli_shot_t *shot, size_t count, fwd_error_t *err)
{
    size_t             i;
    fwd_cli_depth_t   *depth;
    const redisReply  *reply, *row;

    reply = shot->reply;

    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements != FWD_CLI_SHOT + count
        || reply->element[0]->type != REDIS_REPLY_ARRAY)
    {
        return fwd_error(err, "unexpected answer of redis");
    }

    shot->ledger = reply->element[0];
    shot->owner = reply->element[1]->str;
    shot->in = fwd_cli_number(reply->element[2]);
    shot->last = reply->element[3]->str;
    shot->pending = fwd_cli_number(reply->element[4]);
    shot->unread = fwd_cli_number(reply->element[5]);
    shot->more = reply->element[6]->str;
    shot->quarantine = fwd_cli_number(reply->element[7]);
    shot->quarantine_ms = fwd_cli_number(reply->element[8]);

    shot->depths = calloc(count ? count : 1, sizeof(fwd_cli_depth_t));
    if (shot->depths == NULL) {
        return fwd_error(err, "out of memory");
    }

    for (i = 0; i < count; i++) {
        row = reply->element[FWD_CLI_SHOT + i];
        depth = &shot->depths[i];

        depth->q = fwd_cli_number(row->element[0]);
        depth->hi = fwd_cli_number(row->element[1]);
        depth->retry = fwd_cli_number(row->element[2]);
        depth->dead = fwd_cli_number(row->element[3]);
        depth->oldest_ms = fwd_cli_number(row->element[4]);
    }

    return FWD_OK;
}


static uint64_t
fwd_cli_number(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER) {
        return (uint64_t) reply->integer;
    }

    return reply->str ? strtoull(reply->str, NULL, 10) : 0;
}


void
fwd_cli_shot_free(fwd_cli_shot_t *shot)
{
    freeReplyObject(shot->reply);
    free(shot->depths);
    memset(shot, 0, sizeof(fwd_cli_shot_t));
}


/* The same steps leave the same ledger; its fields may change their order. */

int
fwd_cli_shot_same(const fwd_cli_shot_t *a, const fwd_cli_shot_t *b)
{
    size_t  i, j;

    if (a->ledger->elements != b->ledger->elements || a->in != b->in
        || a->pending != b->pending || strcmp(a->last, b->last) != 0)
    {
        return 0;
    }

    for (i = 0; i + 1 < a->ledger->elements; i += 2) {

        for (j = 0; j + 1 < b->ledger->elements; j += 2) {

            if (strcmp(a->ledger->element[i]->str,
                       b->ledger->element[j]->str) == 0)
            {
                break;
            }
        }

        if (j + 1 >= b->ledger->elements
            || strcmp(a->ledger->element[i + 1]->str,
                      b->ledger->element[j + 1]->str) != 0)
        {
            return 0;
        }
    }

    return 1;
}


void
fwd_cli_depth_add(fwd_cli_depth_t *to, const fwd_cli_depth_t *from)
{
    to->q += from->q;
    to->hi += from->hi;
    to->retry += from->retry;
    to->dead += from->dead;

    if (from->oldest_ms != 0
        && (to->oldest_ms == 0 || from->oldest_ms < to->oldest_ms))
    {
        to->oldest_ms = from->oldest_ms;
    }
}


fwd_rc_t
fwd_cli_waiting(fwd_cli_t *cli, uint64_t shard, const char *dest,
    void (*handler)(void *data, fwd_id_t id), void *data)
{
    fwd_rc_t    rc;
    fwd_pool_t  pool;

    fwd_pool_init(&pool);

    rc = fwd_cli_scan_stream(cli, fwd_cli_key(cli, &pool, shard, "q:%s",
                                              dest), handler, data);

    if (rc == FWD_OK) {
        rc = fwd_cli_scan_stream(cli, fwd_cli_key(cli, &pool, shard,
                                                  "q:%s:hi", dest),
                                 handler, data);
    }

    if (rc == FWD_OK) {
        rc = fwd_cli_scan_retry(cli, fwd_cli_key(cli, &pool, shard,
                                                 "retry:%s", dest),
                                handler, data);
    }

    fwd_pool_free(&pool);

    return rc;
}


static fwd_rc_t
fwd_cli_scan_stream(fwd_cli_t *cli, const char *key,
    void (*handler)(void *data, fwd_id_t id), void *data)
{
    char               from[FWD_ID_TEXT_MAX + 1];
    size_t             i, count;
    fwd_id_t           id;
    redisReply        *reply;
    const redisReply  *text;

    (void) strcpy(from, "-");

    do {
        reply = fwd_cli_redis_command(cli->redis, &cli->err, key,
                                      "XRANGE %s %s + COUNT %d", key, from,
                                      FWD_CLI_PIECE);
        if (reply == NULL) {
            return FWD_ERROR;
        }

        count = reply->elements;

        for (i = 0; i < count; i++) {
            text = reply->element[i]->element[0];

            if (fwd_id_parse(&id, text->str, (size_t) text->len) == FWD_OK) {
                handler(data, id);
                from[0] = '(';
                (void) fwd_id_format(from + 1, id);
            }
        }

        freeReplyObject(reply);

    } while (count == FWD_CLI_PIECE);

    return FWD_OK;
}


/* By rank: exact as long as nothing moves, else as good as a guess. */

static fwd_rc_t
fwd_cli_scan_retry(fwd_cli_t *cli, const char *key,
    void (*handler)(void *data, fwd_id_t id), void *data)
{
    size_t             i, count;
    uint64_t           from;
    fwd_id_t           id;
    redisReply        *reply;
    const redisReply  *text;

    from = 0;

    do {
        reply = fwd_cli_redis_command(cli->redis, &cli->err, key,
                                      "ZRANGE %s %llu %llu", key,
                                      (unsigned long long) from,
                                      (unsigned long long)
                                      (from + FWD_CLI_PIECE - 1));
        if (reply == NULL) {
            return FWD_ERROR;
        }

        count = reply->elements;
        from += count;

        for (i = 0; i < count; i++) {
            text = reply->element[i];

            if (fwd_id_parse(&id, text->str, (size_t) text->len) == FWD_OK) {
                handler(data, id);
            }
        }

        freeReplyObject(reply);

    } while (count == FWD_CLI_PIECE);

    return FWD_OK;
}


fwd_rc_t
fwd_cli_behind(fwd_cli_t *cli, uint64_t shard, const char *last,
    uint64_t *count)
{
    int              more;
    char             from[FWD_ID_TEXT_MAX];
    redisReply      *reply;
    fwd_cli_args_t   args;

    *count = 0;
    (void) snprintf(from, sizeof(from), "%s", last[0] ? last : "0-0");

    do {
        fwd_cli_args_init(&args);
        fwd_cli_args_text(&args, fwd_cli_key(cli, &args.pool, shard, "in"));
        fwd_cli_args_text(&args, from);
        fwd_cli_args_number(&args, FWD_CLI_PIECE);

        reply = fwd_cli_redis_script(cli->redis, &cli->err,
                                     fwd_cli_behind_lua, 1, &args);
        fwd_cli_args_free(&args);

        if (reply == NULL) {
            return FWD_ERROR;
        }

        *count += (uint64_t) reply->element[0]->integer;
        more = (reply->element[1]->len != 0);
        (void) snprintf(from, sizeof(from), "%s", reply->element[1]->str);

        freeReplyObject(reply);

    } while (more);

    return FWD_OK;
}
