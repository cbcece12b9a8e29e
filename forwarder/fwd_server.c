
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Checks of the Redis server at start.  They warn only: the operator may
 * know better, and a wrong answer must not stop deliveries.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_server.h"


#define FWD_SERVER_MAJOR  6
#define FWD_SERVER_MINOR  2


typedef struct {
    const char           *name;          /* of the CONFIG parameter */
    const char           *wanted;
    const char           *why;
} fwd_server_rule_t;


static void fwd_server_version(void *data, redisReply *reply);
static void fwd_server_policy(void *data, redisReply *reply);
static void fwd_server_aof(void *data, redisReply *reply);
static void fwd_server_rule(fwd_engine_t *engine, const redisReply *reply,
    const fwd_server_rule_t *rule);


static const fwd_server_rule_t  fwd_server_policy_rule = {
    "maxmemory-policy", "noeviction",
    "redis may throw events away when its memory is full"
};

static const fwd_server_rule_t  fwd_server_aof_rule = {
    "appendonly", "yes",
    "events are lost when redis ends"
};


void
fwd_server_check(fwd_engine_t *engine, fwd_redis_t *r)
{
    if (fwd_redis_words(r, fwd_server_version, engine, "INFO", "server", NULL)
        != FWD_OK
        || fwd_redis_words(r, fwd_server_policy, engine, "CONFIG", "GET",
                           fwd_server_policy_rule.name, NULL)
           != FWD_OK
        || fwd_redis_words(r, fwd_server_aof, engine, "CONFIG", "GET",
                           fwd_server_aof_rule.name, NULL)
           != FWD_OK)
    {
        return;                          /* the next connection asks */
    }
}


static void
fwd_server_version(void *data, redisReply *reply)
{
    long           major, minor;
    char          *p;
    fwd_engine_t  *engine = data;

    if (reply == NULL || reply->type == REDIS_REPLY_ERROR
        || reply->str == NULL)
    {
        return;
    }

    p = strstr(reply->str, "redis_version:");
    if (p == NULL) {
        return;
    }

    major = strtol(p + 14, &p, 10);
    minor = (*p == '.') ? strtol(p + 1, NULL, 10) : 0;

    if (major < FWD_SERVER_MAJOR
        || (major == FWD_SERVER_MAJOR && minor < FWD_SERVER_MINOR))
    {
        fwd_log(engine->core->log, FWD_LOG_ERROR,
                "redis is too old, 6.2 or later is needed",
                fwd_kv_int("major", major),
                fwd_kv_int("minor", minor));
    }
}


static void
fwd_server_policy(void *data, redisReply *reply)
{
    fwd_server_rule(data, reply, &fwd_server_policy_rule);
}


static void
fwd_server_aof(void *data, redisReply *reply)
{
    fwd_server_rule(data, reply, &fwd_server_aof_rule);
}


static void
fwd_server_rule(fwd_engine_t *engine, const redisReply *reply,
    const fwd_server_rule_t *rule)
{
    fwd_log_t  *log;

    if (reply == NULL) {
        return;
    }

    log = engine->core->log;
    engine->checked = 1;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[1]->type != REDIS_REPLY_STRING)
    {
        fwd_log(log, FWD_LOG_WARN,
                "redis configuration cannot be checked",
                fwd_kv_text("parameter", rule->name),
                fwd_kv_text("wanted", rule->wanted));
        return;
    }

    if (strcmp(reply->element[1]->str, rule->wanted) != 0) {
        fwd_log(log, FWD_LOG_WARN, "redis is not configured to keep events",
                fwd_kv_text("parameter", rule->name),
                fwd_kv_text("value", reply->element[1]->str),
                fwd_kv_text("wanted", rule->wanted),
                fwd_kv_text("why", rule->why));
    }
}
