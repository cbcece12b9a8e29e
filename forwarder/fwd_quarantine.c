
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The walk over quarantined events.
 */


#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_cli_plan.h"
#include "fwd_quarantine.h"


#define FWD_QUARANTINE_PIECE  50         /* entries read at a time */
#define FWD_QUARANTINE_NODES  (64 * 1024 * 1024)


typedef struct {
    fwd_cli_t            *cli;
    fwd_quarantine_pt     handler;
    void                 *data;
    uint64_t              left;          /* of the limit */
    martech_json_tape_t   tape;
} fwd_quarantine_walk_t;


static fwd_rc_t fwd_quarantine_shard(fwd_quarantine_walk_t *walk,
    uint64_t shard);
static fwd_rc_t fwd_quarantine_last(fwd_cli_t *cli, const char *key,
    char *last);
static fwd_rc_t fwd_quarantine_piece(fwd_quarantine_walk_t *walk,
    uint64_t shard, const redisReply *reply);
static fwd_rc_t fwd_quarantine_read(fwd_quarantined_t *item,
    const redisReply *entry, martech_json_tape_t *tape);
static void fwd_quarantine_understand(fwd_quarantined_t *item);
static void fwd_quarantine_string(char *out, size_t size,
    const martech_json_tape_t *tape, uint32_t node);
static int fwd_quarantine_matches(const fwd_cli_t *cli,
    const fwd_quarantined_t *item);


fwd_rc_t
fwd_quarantine_each(fwd_cli_t *cli, fwd_quarantine_pt handler, void *data)
{
    fwd_rc_t                rc;
    uint64_t                shard;
    fwd_quarantine_walk_t   walk;

    memset(&walk, 0, sizeof(fwd_quarantine_walk_t));
    walk.cli = cli;
    walk.handler = handler;
    walk.data = data;
    walk.left = cli->o.limit;
    rc = FWD_OK;

    for (shard = 0; rc == FWD_OK && shard < cli->conf.shards; shard++) {
        if (cli->o.shard == FWD_CLI_NOT_GIVEN || cli->o.shard == shard) {
            rc = fwd_quarantine_shard(&walk, shard);
        }
    }

    free(walk.tape.nodes);

    return rc == FWD_NONE ? FWD_OK : rc;
}


int
fwd_quarantine_options(const fwd_cli_t *cli)
{
    if (cli->o.shard != FWD_CLI_NOT_GIVEN
        && cli->o.shard >= cli->conf.shards)
    {
        return fwd_cli_usage(cli, "\"--shard %llu\": there are %llu",
                             (unsigned long long) cli->o.shard,
                             (unsigned long long) cli->conf.shards);
    }

    return FWD_CLI_OK;
}


static fwd_rc_t
fwd_quarantine_shard(fwd_quarantine_walk_t *walk, uint64_t shard)
{
    char         from[FWD_ID_TEXT_MAX + 1], last[FWD_ID_TEXT_MAX];
    size_t       count;
    fwd_rc_t     rc;
    const char  *key;
    redisReply  *reply;

    key = fwd_cli_key(walk->cli, &walk->cli->pool, shard, "quarantine");

    if (fwd_quarantine_last(walk->cli, key, last) != FWD_OK) {
        return FWD_ERROR;
    }

    (void) strcpy(from, "-");
    rc = FWD_OK;
    count = FWD_QUARANTINE_PIECE;

    while (rc == FWD_OK && last[0] != '\0' && count == FWD_QUARANTINE_PIECE)
    {
        reply = fwd_cli_redis_command(walk->cli->redis, &walk->cli->err, key,
                                      "XRANGE %s %s %s COUNT %d", key, from,
                                      last, FWD_QUARANTINE_PIECE);
        if (reply == NULL) {
            return FWD_ERROR;
        }

        count = reply->elements;

        if (count != 0) {
            (void) snprintf(from, sizeof(from), "(%s",
                            reply->element[count - 1]->element[0]->str);
        }

        rc = fwd_quarantine_piece(walk, shard, reply);
        freeReplyObject(reply);
    }

    return rc;
}


static fwd_rc_t
fwd_quarantine_last(fwd_cli_t *cli, const char *key, char *last)
{
    redisReply  *reply;

    reply = fwd_cli_redis_command(cli->redis, &cli->err, key,
                                  "XREVRANGE %s + - COUNT 1", key);
    if (reply == NULL) {
        return FWD_ERROR;
    }

    last[0] = '\0';

    if (reply->elements != 0) {
        (void) snprintf(last, FWD_ID_TEXT_MAX, "%s",
                        reply->element[0]->element[0]->str);
    }

    freeReplyObject(reply);

    return FWD_OK;
}


static fwd_rc_t
fwd_quarantine_piece(fwd_quarantine_walk_t *walk, uint64_t shard,
    const redisReply *reply)
{
    size_t              i;
    fwd_rc_t            rc;
    fwd_quarantined_t   item;

    item.shard = shard;

    for (i = 0; i < reply->elements; i++) {

        if (fwd_quarantine_read(&item, reply->element[i], &walk->tape)
            != FWD_OK
            || !fwd_quarantine_matches(walk->cli, &item))
        {
            continue;
        }

        if (walk->left == 0) {
            return FWD_NONE;
        }

        walk->left--;
        rc = walk->handler(walk->data, &item);

        if (rc != FWD_OK) {
            return rc;
        }
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_quarantine_read(fwd_quarantined_t *item, const redisReply *entry,
    martech_json_tape_t *tape)
{
    size_t             i;
    martech_str_t      value;
    const redisReply  *fields, *name;

    item->entry = entry->element[0]->str;
    item->tape = tape;
    memset(&item->id, 0, sizeof(martech_str_t));
    memset(&item->src, 0, sizeof(martech_str_t));
    memset(&item->q, 0, sizeof(martech_str_t));

    fields = entry->element[1];

    /* one that is deleted while others are read has none */

    if (fields->type != REDIS_REPLY_ARRAY) {
        return FWD_ERROR;
    }

    for (i = 0; i + 1 < fields->elements; i += 2) {
        name = fields->element[i];
        value.data = (const unsigned char *) fields->element[i + 1]->str;
        value.len = fields->element[i + 1]->len;

        if (strcmp(name->str, "id") == 0) {
            item->id = value;

        } else if (strcmp(name->str, "src") == 0) {
            item->src = value;

        } else if (strcmp(name->str, "q") == 0) {
            item->q = value;
        }
    }

    fwd_quarantine_understand(item);

    return FWD_OK;
}


static void
fwd_quarantine_understand(fwd_quarantined_t *item)
{
    uint32_t                    type, name;
    const martech_json_tape_t  *tape;

    item->type = MARTECH_EVENT_UNKNOWN;
    item->plan = MARTECH_JSON_NONE;
    item->event[0] = '\0';
    tape = item->tape;

    if (fwd_quarantine_scan(item->tape, item->q) != FWD_OK) {
        return;
    }

    type = martech_json_member(tape, 0, "type", 4);

    if (type != MARTECH_JSON_NONE) {
        item->type = martech_event_type(martech_json_slice(tape, type));
        fwd_quarantine_string(item->event, sizeof(item->event), tape, type);
    }

    name = MARTECH_JSON_NONE;

    if (item->type == MARTECH_EVENT_TRACK) {
        name = martech_json_member(tape, 0, "event", 5);

    } else if (item->type == MARTECH_EVENT_PAGE
               || item->type == MARTECH_EVENT_SCREEN)
    {
        name = martech_json_member(tape, 0, "name", 4);
    }

    if (name != MARTECH_JSON_NONE
        && tape->nodes[name].kind == MARTECH_JSON_STRING)
    {
        fwd_quarantine_string(item->event, sizeof(item->event), tape, name);
    }

    item->plan = martech_json_pointer(tape, 0, "/context/martech/plan");
}


static void
fwd_quarantine_string(char *out, size_t size,
    const martech_json_tape_t *tape, uint32_t node)
{
    long           len;
    martech_str_t  slice;

    slice = martech_json_slice(tape, node);
    len = martech_json_unescape(slice, (unsigned char *) out, size - 1);

    out[len < 0 ? 0 : len] = '\0';
}


static int
fwd_quarantine_matches(const fwd_cli_t *cli, const fwd_quarantined_t *item)
{
    int                       found;
    char                      place[FWD_QUARANTINE_PLACE_MAX];
    size_t                    i;
    json_t                   *reasons, *reason;
    const fwd_cli_options_t  *o;

    o = &cli->o;

    if (o->event != NULL && strcmp(o->event, item->event) != 0) {
        return 0;
    }

    if (o->source != NULL
        && (strlen(o->source) != item->src.len
            || memcmp(o->source, item->src.data, item->src.len) != 0))
    {
        return 0;
    }

    found = (o->ids.count == 0);
    (void) fwd_quarantine_place(place, item);

    for (i = 0; i < o->ids.count && !found; i++) {
        found = strcmp(o->ids.list[i], place) == 0
                || (strlen(o->ids.list[i]) == item->id.len
                    && memcmp(o->ids.list[i], item->id.data, item->id.len)
                       == 0);
    }

    if (!found || o->rule == NULL) {
        return found;
    }

    found = 0;
    reasons = fwd_quarantine_reasons(item);

    json_array_foreach(reasons, i, reason) {
        found |= strcmp(json_string_value(json_object_get(reason, "rule")),
                        o->rule) == 0;
    }

    json_decref(reasons);

    return found;
}


const char *
fwd_quarantine_place(char *out, const fwd_quarantined_t *item)
{
    (void) snprintf(out, FWD_QUARANTINE_PLACE_MAX, "%02" PRIu64 "/%s",
                    item->shard, item->entry);

    return out;
}


uint64_t
fwd_quarantine_at(const fwd_quarantined_t *item)
{
    return strtoull(item->entry, NULL, 10);
}


json_t *
fwd_quarantine_reasons(const fwd_quarantined_t *item)
{
    char                        rule[64], pointer[FWD_QUARANTINE_NAME_MAX];
    json_t                     *list;
    uint32_t                    all, i, node;
    const martech_json_tape_t  *tape;

    list = json_array();
    tape = item->tape;

    if (item->plan == MARTECH_JSON_NONE) {
        return list;
    }

    all = martech_json_member(tape, item->plan, "violations", 10);

    if (all == MARTECH_JSON_NONE
        || tape->nodes[all].kind != MARTECH_JSON_ARRAY)
    {
        return list;
    }

    for (i = all + 1; i < tape->nodes[all].next; i = tape->nodes[i].next) {
        node = martech_json_member(tape, i, "rule", 4);
        rule[0] = '\0';

        if (node != MARTECH_JSON_NONE) {
            fwd_quarantine_string(rule, sizeof(rule), tape, node);
        }

        node = martech_json_member(tape, i, "pointer", 7);
        pointer[0] = '\0';

        if (node != MARTECH_JSON_NONE) {
            fwd_quarantine_string(pointer, sizeof(pointer), tape, node);
        }

        (void) json_array_append_new(list, json_pack("{s:s,s:s}", "pointer",
                                                     pointer, "rule", rule));
    }

    return list;
}


const char *
fwd_quarantine_plan(char *out, const fwd_quarantined_t *item)
{
    char      name[80], version[80];
    uint32_t  node;

    out[0] = '\0';

    if (item->plan == MARTECH_JSON_NONE) {
        return out;
    }

    name[0] = version[0] = '\0';
    node = martech_json_member(item->tape, item->plan, "name", 4);

    if (node != MARTECH_JSON_NONE) {
        fwd_quarantine_string(name, sizeof(name), item->tape, node);
    }

    node = martech_json_member(item->tape, item->plan, "version", 7);

    if (node != MARTECH_JSON_NONE) {
        fwd_quarantine_string(version, sizeof(version), item->tape, node);
    }

    (void) snprintf(out, FWD_QUARANTINE_NAME_MAX, "%s %s", name, version);

    return out;
}


fwd_rc_t
fwd_quarantine_scan(martech_json_tape_t *tape, martech_str_t text)
{
    uint32_t              size;
    martech_rc_t          rc;
    martech_limits_t      limits;
    martech_json_node_t  *nodes;

    fwd_quarantine_limits(&limits);

    for ( ;; ) {

        if (tape->nodes_max != 0) {
            rc = martech_json_scan(tape, text.data, text.len, &limits);

            if (rc != MARTECH_JSON_TOKENS) {
                return rc == MARTECH_OK ? FWD_OK : FWD_ERROR;
            }
        }

        size = tape->nodes_max ? tape->nodes_max * 2 : 1024;

        if (size > FWD_QUARANTINE_NODES) {
            return FWD_ERROR;
        }

        nodes = realloc(tape->nodes, size * sizeof(martech_json_node_t));
        if (nodes == NULL) {
            return FWD_ERROR;
        }

        tape->nodes = nodes;
        tape->nodes_max = size;
    }
}


void
fwd_quarantine_limits(martech_limits_t *limits)
{
    martech_limits_default(limits);

    limits->event_size_max = UINT32_MAX;
    limits->string_size_max = UINT32_MAX;
    limits->message_id_max = MARTECH_ID_SIZE_MAX;
    limits->key_size_max = UINT16_MAX;
    limits->depth_max = 64;
}
