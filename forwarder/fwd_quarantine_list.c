
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Looking at quarantined events, and letting go of them: "plan quarantine
 * ls", "show", "export", "drop".
 */


#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_cli_plan.h"
#include "fwd_quarantine.h"


#define FWD_QUARANTINE_LIST_LIMIT  1000  /* of "ls", unless asked for more */
#define FWD_QUARANTINE_WHY_MAX     160   /* of the column of reasons */


/* What the handlers of a walk share. */
typedef struct {
    fwd_cli_t            *cli;
    uint64_t              count;
    uint64_t              gone;
} fwd_quarantine_list_t;


static fwd_rc_t fwd_quarantine_ls_one(void *data,
    const fwd_quarantined_t *item);
static void fwd_quarantine_why(char *out, const fwd_quarantined_t *item);
static json_t *fwd_quarantine_head(const fwd_quarantined_t *item);
static fwd_rc_t fwd_quarantine_show_one(void *data,
    const fwd_quarantined_t *item);
static fwd_rc_t fwd_quarantine_export_one(void *data,
    const fwd_quarantined_t *item);
static fwd_rc_t fwd_quarantine_line(fwd_cli_t *cli,
    const fwd_quarantined_t *item, size_t flags);
static fwd_rc_t fwd_quarantine_drop_one(void *data,
    const fwd_quarantined_t *item);
static int fwd_quarantine_drop_end(fwd_quarantine_list_t *list);


/*
 * KEYS: ledger, quarantine; ARGV: ID.  The first write is one that a full
 * Redis allows, and lets the rest through.
 */

static const char  fwd_quarantine_drop_lua[] =
    "redis.call('PERSIST', KEYS[1])\n"
    "redis.call('HGET', KEYS[1], 'quarantine_dropped')\n"
    "local n = redis.call('XDEL', KEYS[2], ARGV[1])\n"
    "if n > 0 then\n"
    "  redis.call('HINCRBY', KEYS[1], 'quarantine_dropped', n)\n"
    "end\n"
    "return n\n";


int
fwd_cli_quarantine_ls(fwd_cli_t *cli)
{
    int                     status;
    uint64_t                limit;
    fwd_quarantine_list_t   list;

    memset(&list, 0, sizeof(fwd_quarantine_list_t));
    list.cli = cli;
    limit = cli->o.limit;

    if (limit == FWD_CLI_NOT_GIVEN) {
        cli->o.limit = FWD_QUARANTINE_LIST_LIMIT;
    }

    status = fwd_quarantine_options(cli);

    if (status != FWD_CLI_OK) {
        return status;
    }

    if (!cli->o.json) {
        (void) printf("%-19s  %-16s  %-24s  %-36s  %-20s  %s\n",
                      "TIME (UTC)", "SOURCE", "EVENT", "ID", "PLACE",
                      "VIOLATIONS");
    }

    if (fwd_quarantine_each(cli, fwd_quarantine_ls_one, &list) != FWD_OK) {
        return fwd_cli_fail(cli);
    }

    if (limit == FWD_CLI_NOT_GIVEN
        && list.count == FWD_QUARANTINE_LIST_LIMIT)
    {
        (void) fflush(stdout);
        (void) fprintf(stderr, "the first %d; \"--limit\" shows more\n",
                       FWD_QUARANTINE_LIST_LIMIT);
    }

    return FWD_CLI_OK;
}


static fwd_rc_t
fwd_quarantine_ls_one(void *data, const fwd_quarantined_t *item)
{
    char                    stamp[FWD_CLI_TIME_MAX];
    char                    place[FWD_QUARANTINE_PLACE_MAX];
    char                    why[FWD_QUARANTINE_WHY_MAX];
    size_t                  i;
    char                    event[FWD_QUARANTINE_NAME_MAX];
    fwd_quarantine_list_t  *list = data;

    list->count++;

    if (list->cli->o.json) {
        fwd_cli_print(fwd_quarantine_head(item), 0);
        return FWD_OK;
    }

    (void) snprintf(event, sizeof(event), "%s",
                    item->event[0] ? item->event : "-");

    for (i = 0; event[i] != '\0'; i++) {
        if ((unsigned char) event[i] < 0x20 || event[i] == 0x7f) {
            event[i] = '?';
        }
    }

    fwd_quarantine_why(why, item);

    (void) printf("%-19s  %-16.*s  %-24s  %-36.*s  %-20s  ",
                  fwd_cli_stamp(stamp, fwd_quarantine_at(item)),
                  (int) item->src.len, (const char *) item->src.data, event,
                  (int) item->id.len, (const char *) item->id.data,
                  fwd_quarantine_place(place, item));
    fwd_plan_plain(stdout, why);
    (void) printf("\n");

    return FWD_OK;
}


static void
fwd_quarantine_why(char *out, const fwd_quarantined_t *item)
{
    int      n;
    size_t   i, len;
    json_t  *reasons, *reason;

    len = 0;
    out[0] = '\0';
    reasons = fwd_quarantine_reasons(item);

    json_array_foreach(reasons, i, reason) {
        n = snprintf(out + len, FWD_QUARANTINE_WHY_MAX - len, "%s%s %s",
                     i ? ", " : "",
                     json_string_value(json_object_get(reason, "rule")),
                     json_string_value(json_object_get(reason, "pointer")));

        if (n < 0 || (size_t) n >= FWD_QUARANTINE_WHY_MAX - len) {
            break;
        }

        len += (size_t) n;
    }

    json_decref(reasons);
}


/* All but the event. */

static json_t *
fwd_quarantine_head(const fwd_quarantined_t *item)
{
    char     place[FWD_QUARANTINE_PLACE_MAX], plan[FWD_QUARANTINE_NAME_MAX];
    json_t  *row;

    row = json_pack("{s:s,s:I,s:s,s:I}", "place",
                    fwd_quarantine_place(place, item), "shard",
                    (json_int_t) item->shard, "entry", item->entry, "at",
                    (json_int_t) fwd_quarantine_at(item));

    json_object_set_new(row, "id",
                        json_stringn((const char *) item->id.data,
                                     item->id.len));
    json_object_set_new(row, "src",
                        json_stringn((const char *) item->src.data,
                                     item->src.len));
    json_object_set_new(row, "event", json_string(item->event));
    json_object_set_new(row, "plan",
                        json_string(fwd_quarantine_plan(plan, item)));
    json_object_set_new(row, "violations", fwd_quarantine_reasons(item));

    return row;
}


int
fwd_cli_quarantine_show(fwd_cli_t *cli)
{
    int                     status;
    fwd_quarantine_list_t   list;

    memset(&list, 0, sizeof(fwd_quarantine_list_t));
    list.cli = cli;

    cli->o.ids.list[0] = cli->words[0];
    cli->o.ids.count = 1;

    status = fwd_quarantine_options(cli);

    if (status != FWD_CLI_OK) {
        return status;
    }

    if (fwd_quarantine_each(cli, fwd_quarantine_show_one, &list) != FWD_OK) {
        return fwd_cli_fail(cli);
    }

    if (list.count == 0) {
        (void) fwd_error(&cli->err, "no quarantined event \"%s\"",
                         cli->words[0]);
        return fwd_cli_fail(cli);
    }

    return FWD_CLI_OK;
}


static fwd_rc_t
fwd_quarantine_show_one(void *data, const fwd_quarantined_t *item)
{
    fwd_quarantine_list_t  *list = data;

    list->count++;

    return fwd_quarantine_line(list->cli, item,
                               list->cli->o.json ? JSON_COMPACT
                                                 : JSON_INDENT(2));
}


int
fwd_cli_quarantine_export(fwd_cli_t *cli)
{
    int                     status;
    fwd_quarantine_list_t   list;

    memset(&list, 0, sizeof(fwd_quarantine_list_t));
    list.cli = cli;

    status = fwd_quarantine_options(cli);

    if (status == FWD_CLI_OK
        && fwd_quarantine_each(cli, fwd_quarantine_export_one, &list)
           != FWD_OK)
    {
        return fwd_cli_fail(cli);
    }

    return status;
}


static fwd_rc_t
fwd_quarantine_export_one(void *data, const fwd_quarantined_t *item)
{
    fwd_quarantine_list_t  *list = data;

    return fwd_quarantine_line(list->cli, item, JSON_COMPACT);
}


/* With its values an event goes out as the bytes that it is. */

static fwd_rc_t
fwd_quarantine_line(fwd_cli_t *cli, const fwd_quarantined_t *item,
    size_t flags)
{
    int      lines;
    char    *text;
    size_t   len;
    json_t  *row;

    row = fwd_quarantine_head(item);
    text = json_dumps(row, flags);
    json_decref(row);

    if (text == NULL) {
        return fwd_error(&cli->err, "an entry is not UTF-8");
    }

    len = strlen(text);
    lines = (flags != JSON_COMPACT);

    if (cli->o.values && item->tape->nodes_count != 0) {
        (void) printf("%.*s,%s\"q\":", (int) len - 1 - lines, text,
                      lines ? "\n  " : "");
        (void) fwrite(item->q.data, 1, item->q.len, stdout);
        (void) printf("%s}\n", lines ? "\n" : "");

    } else {
        (void) printf("%s\n", text);
    }

    free(text);

    if (ferror(stdout)) {
        return fwd_error(&cli->err, "cannot write");
    }

    return FWD_OK;
}


int
fwd_cli_quarantine_drop(fwd_cli_t *cli)
{
    int                     status;
    fwd_quarantine_list_t   list;

    memset(&list, 0, sizeof(fwd_quarantine_list_t));
    list.cli = cli;

    status = fwd_quarantine_options(cli);

    if (status != FWD_CLI_OK) {
        return status;
    }

    if (fwd_quarantine_each(cli, fwd_quarantine_drop_one, &list) != FWD_OK) {
        return fwd_cli_fail(cli);
    }

    return fwd_quarantine_drop_end(&list);
}


static fwd_rc_t
fwd_quarantine_drop_one(void *data, const fwd_quarantined_t *item)
{
    fwd_cli_t              *cli;
    redisReply             *reply;
    fwd_cli_args_t          args;
    fwd_quarantine_list_t  *list = data;

    cli = list->cli;
    list->count++;

    if (!cli->o.yes || cli->o.dry_run) {
        return FWD_OK;
    }

    fwd_cli_args_init(&args);
    fwd_cli_args_text(&args, fwd_cli_key(cli, &args.pool, item->shard,
                                         "ledger"));
    fwd_cli_args_text(&args, fwd_cli_key(cli, &args.pool, item->shard,
                                         "quarantine"));
    fwd_cli_args_text(&args, item->entry);

    reply = fwd_cli_redis_script(cli->redis, &cli->err,
                                 fwd_quarantine_drop_lua, 2, &args);
    fwd_cli_args_free(&args);

    if (reply == NULL) {
        return FWD_ERROR;
    }

    list->gone += (reply->integer == 1);
    freeReplyObject(reply);

    return FWD_OK;
}


static int
fwd_quarantine_drop_end(fwd_quarantine_list_t *list)
{
    uint64_t    count;
    fwd_cli_t  *cli;

    cli = list->cli;

    if (!cli->o.yes && !cli->o.dry_run && list->count != 0) {
        return fwd_cli_usage(cli, "would drop %" PRIu64 " quarantined "
                             "events, \"--yes\" does it", list->count);
    }

    if (cli->o.json) {
        fwd_cli_print(json_pack("{s:I,s:I,s:b}", "matched",
                                (json_int_t) list->count, "dropped",
                                (json_int_t) list->gone, "dry_run",
                                (int) cli->o.dry_run), 0);
        return FWD_CLI_OK;
    }

    count = cli->o.dry_run ? list->count : list->gone;

    (void) printf("%sdropped %" PRIu64 " of %" PRIu64
                  " quarantined events\n", cli->o.dry_run ? "would have "
                                                          : "",
                  count, list->count);

    return FWD_CLI_OK;
}
