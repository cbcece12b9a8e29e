
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Who an id is: "identity show", "identity forget".
 *
 * A link lies in the shard whose owner saw it made.  That is the shard of
 * its anonymousId but for an alias, so all shards are looked at.
 */


#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../martech/martech_shard.h"
#include "../martech/martech_uuid.h"

#include "fwd_cli_shard.h"
#include "fwd_identity.h"


#define FWD_CLI_HSCAN  "500"


/* Links that were asked for. */
typedef struct {
    fwd_cli_t            *cli;
    json_t               *links;         /* { shard, anonymousId, userId } */
    const char           *anonymous;     /* one of these is NULL */
    const char           *user;
} fwd_links_t;


static int fwd_links_open(fwd_cli_t *cli, fwd_links_t *links);
static fwd_rc_t fwd_links_by_anonymous(fwd_links_t *links,
    uint64_t shard);
static fwd_rc_t fwd_links_by_user(fwd_links_t *links, uint64_t shard);
static void fwd_links_add(fwd_links_t *links, uint64_t shard,
    const redisReply *anonymous, const redisReply *user);
static json_t *fwd_links_text(const redisReply *reply);
static void fwd_links_person(char *out, const fwd_links_t *links);
static void fwd_links_print(const fwd_links_t *links);
static fwd_rc_t fwd_links_remove(fwd_links_t *links, size_t *removed);


int
fwd_cli_identity_show(fwd_cli_t *cli)
{
    int          status;
    char         person[MARTECH_UUID_LEN + 1];
    fwd_links_t  links;

    status = fwd_links_open(cli, &links);

    if (status != FWD_CLI_OK) {
        return status;
    }

    fwd_links_person(person, &links);

    if (cli->o.json) {
        fwd_cli_print(json_pack("{s:s,s:O}", "person", person, "links",
                                links.links), 1);

    } else {
        (void) printf("person  %s\n", person);
        fwd_links_print(&links);
    }

    json_decref(links.links);

    return FWD_CLI_OK;
}


int
fwd_cli_identity_forget(fwd_cli_t *cli)
{
    int          status;
    size_t       removed;
    fwd_links_t  links;

    status = fwd_links_open(cli, &links);

    if (status != FWD_CLI_OK) {
        return status;
    }

    if (!cli->o.json) {
        fwd_links_print(&links);
    }

    removed = 0;

    if (!cli->o.yes && json_array_size(links.links) != 0) {
        status = fwd_cli_usage(cli, "would remove %zu links, \"--yes\" does "
                               "it", json_array_size(links.links));

    } else if (fwd_links_remove(&links, &removed) != FWD_OK) {
        status = fwd_cli_fail(cli);

    } else if (cli->o.json) {
        fwd_cli_print(json_pack("{s:I,s:O}", "removed",
                                (json_int_t) removed, "links", links.links),
                      1);

    } else {
        (void) printf("removed %zu links\n", removed);
    }

    json_decref(links.links);

    return status;
}


static int
fwd_links_open(fwd_cli_t *cli, fwd_links_t *links)
{
    fwd_rc_t  rc;
    uint64_t  shard;

    links->cli = cli;
    links->anonymous = cli->o.anonymous;
    links->user = cli->o.user;

    if ((links->anonymous != NULL) == (links->user != NULL)) {
        return fwd_cli_usage(cli, "one of \"--anonymous\" and \"--user\" is "
                             "needed");
    }

    links->links = json_array();
    rc = FWD_OK;

    for (shard = 0; rc == FWD_OK && shard < cli->conf.shards; shard++) {
        rc = links->user ? fwd_links_by_user(links, shard)
                         : fwd_links_by_anonymous(links, shard);
    }

    if (rc != FWD_OK) {
        json_decref(links->links);
        return fwd_cli_fail(cli);
    }

    return FWD_CLI_OK;
}


static fwd_rc_t
fwd_links_by_anonymous(fwd_links_t *links, uint64_t shard)
{
    fwd_cli_t   *cli;
    redisReply  *reply, name;
    const char  *key;

    cli = links->cli;
    key = fwd_cli_key(cli, &cli->pool, shard, "link");

    reply = fwd_cli_redis_command(cli->redis, &cli->err, key, "HGET %s %s",
                                  key, links->anonymous);
    if (reply == NULL) {
        return FWD_ERROR;
    }

    if (reply->type == REDIS_REPLY_STRING) {
        name.str = (char *) links->anonymous;
        name.len = strlen(links->anonymous);
        fwd_links_add(links, shard, &name, reply);
    }

    freeReplyObject(reply);

    return FWD_OK;
}


static fwd_rc_t
fwd_links_by_user(fwd_links_t *links, uint64_t shard)
{
    char               cursor[24];
    size_t             i, len;
    fwd_cli_t         *cli;
    const char        *key;
    redisReply        *reply;
    const redisReply  *list;

    cli = links->cli;
    key = fwd_cli_key(cli, &cli->pool, shard, "link");
    len = strlen(links->user);
    (void) strcpy(cursor, "0");

    do {
        reply = fwd_cli_redis_command(cli->redis, &cli->err, key,
                                      "HSCAN %s %s COUNT " FWD_CLI_HSCAN,
                                      key, cursor);
        if (reply == NULL) {
            return FWD_ERROR;
        }

        (void) snprintf(cursor, sizeof(cursor), "%s",
                        reply->element[0]->str);
        list = reply->element[1];

        for (i = 0; i + 1 < list->elements; i += 2) {
            if ((size_t) list->element[i + 1]->len == len
                && memcmp(list->element[i + 1]->str, links->user, len) == 0)
            {
                fwd_links_add(links, shard, list->element[i],
                                 list->element[i + 1]);
            }
        }

        freeReplyObject(reply);

    } while (strcmp(cursor, "0") != 0);

    return FWD_OK;
}


/* A scan may show a link twice. */

static void
fwd_links_add(fwd_links_t *links, uint64_t shard,
    const redisReply *anonymous, const redisReply *user)
{
    size_t   i;
    json_t  *link, *row;

    link = json_pack("{s:I,s:o,s:o}", "shard", (json_int_t) shard,
                     "anonymousId", fwd_links_text(anonymous),
                     "userId", fwd_links_text(user));

    json_array_foreach(links->links, i, row) {
        if (json_equal(row, link)) {
            json_decref(link);
            return;
        }
    }

    json_array_append_new(links->links, link);
}


static json_t *
fwd_links_text(const redisReply *reply)
{
    json_t  *text;

    text = json_stringn(reply->str, (size_t) reply->len);

    return text ? text : json_string("(not UTF-8)");
}


/* Of the user, if there is one, else of the anonymousId. */

static void
fwd_links_person(char *out, const fwd_links_t *links)
{
    size_t          i;
    json_t         *row, *linked;
    uint64_t        home;
    const char     *name;
    martech_str_t   id;

    name = links->user ? links->user : links->anonymous;

    if (links->user == NULL) {
        id.data = (const unsigned char *) links->anonymous;
        id.len = strlen(links->anonymous);
        home = martech_shard(id, (uint32_t) links->cli->conf.shards);
        linked = NULL;

        json_array_foreach(links->links, i, row) {
            if (linked == NULL
                || (uint64_t) json_integer_value(json_object_get(row,
                                                                 "shard"))
                   == home)
            {
                linked = json_object_get(row, "userId");
            }
        }

        if (linked != NULL) {
            name = json_string_value(linked);
        }
    }

    id.data = (const unsigned char *) name;
    id.len = strlen(name);

    fwd_identity_uuid((unsigned char *) out, id);
    out[MARTECH_UUID_LEN] = '\0';
}


static void
fwd_links_print(const fwd_links_t *links)
{
    size_t       i;
    json_t      *row;
    const char  *anonymous, *user;

    json_array_foreach(links->links, i, row) {
        anonymous = json_string_value(json_object_get(row, "anonymousId"));
        user = json_string_value(json_object_get(row, "userId"));

        (void) printf("link    %s -> %s  (shard %" JSON_INTEGER_FORMAT
                      ")\n", anonymous, user,
                      json_integer_value(json_object_get(row, "shard")));
    }

    if (json_array_size(links->links) == 0) {
        (void) printf("no links\n");
    }
}


/* Only what it was when it was shown: the device may have a new user. */

static fwd_rc_t
fwd_links_remove(fwd_links_t *links, size_t *removed)
{
    static const char  text[] =
        "if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then\n"
        "  return redis.call('HDEL', KEYS[1], ARGV[1])\n"
        "end\n"
        "return 0\n";

    size_t           i;
    json_t          *row, *shard;
    redisReply      *reply;
    fwd_cli_args_t   args;

    json_array_foreach(links->links, i, row) {
        shard = json_object_get(row, "shard");

        fwd_cli_args_init(&args);
        fwd_cli_args_text(&args,
                          fwd_cli_key(links->cli, &args.pool,
                                      (uint64_t) json_integer_value(shard),
                                      "link"));
        fwd_cli_args_text(&args,
                          json_string_value(json_object_get(row,
                                                            "anonymousId")));
        fwd_cli_args_text(&args, json_string_value(json_object_get(row,
                                                                "userId")));

        reply = fwd_cli_redis_script(links->cli->redis, &links->cli->err,
                                     text, 1, &args);
        fwd_cli_args_free(&args);

        if (reply == NULL) {
            return FWD_ERROR;
        }

        *removed += (size_t) reply->integer;
        freeReplyObject(reply);
    }

    return FWD_OK;
}
