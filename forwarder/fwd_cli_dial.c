
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A connection to one server, logged in; and what stands in addresses and
 * keys.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fwd_cli_nodes.h"


#define FWD_CLI_CONNECT_S   3
#define FWD_CLI_ANSWER_S    15


static fwd_rc_t fwd_cli_login(fwd_cli_redis_t *r, fwd_cli_node_t *node,
    fwd_error_t *err);
static fwd_rc_t fwd_cli_login_step(fwd_cli_redis_t *r, fwd_cli_node_t *node,
    redisReply *reply, fwd_error_t *err);


fwd_rc_t
fwd_cli_connect(fwd_cli_redis_t *r, fwd_cli_node_t *node, fwd_error_t *err)
{
    node->c = fwd_cli_dial(node->host, node->port, FWD_CLI_CONNECT_S);

    if (node->c == NULL) {
        return fwd_error(err, "cannot connect to redis at %s", node->name);
    }

    if (fwd_cli_login(r, node, err) != FWD_OK) {
        fwd_cli_nodes_drop(r, node);
        return FWD_ERROR;
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_cli_login(fwd_cli_redis_t *r, fwd_cli_node_t *node, fwd_error_t *err)
{
    redisReply              *reply;
    const fwd_redis_conf_t  *conf;

    conf = r->conf;

    if (conf->password != NULL) {
        reply = conf->user
                ? redisCommand(node->c, "AUTH %s %s", conf->user,
                               conf->password)
                : redisCommand(node->c, "AUTH %s", conf->password);

        if (fwd_cli_login_step(r, node, reply, err) != FWD_OK) {
            return FWD_ERROR;
        }
    }

    if (conf->database != 0) {
        reply = redisCommand(node->c, "SELECT %llu",
                             (unsigned long long) conf->database);

        if (fwd_cli_login_step(r, node, reply, err) != FWD_OK) {
            return FWD_ERROR;
        }
    }

    /* nice to have; an ACL may forbid it */

    reply = redisCommand(node->c, "CLIENT SETNAME martech-forwarder:cli");
    freeReplyObject(reply);

    return FWD_OK;
}


static fwd_rc_t
fwd_cli_login_step(fwd_cli_redis_t *r, fwd_cli_node_t *node,
    redisReply *reply, fwd_error_t *err)
{
    fwd_rc_t  rc;

    if (reply == NULL) {
        return fwd_error(err, "redis at %s does not answer", node->name);
    }

    rc = FWD_OK;

    if (reply->type == REDIS_REPLY_ERROR) {
        r->refused = (strncmp(reply->str, "LOADING", 7) != 0);
        rc = fwd_error(err, "redis at %s refuses the login: %s", node->name,
                       reply->str);
    }

    freeReplyObject(reply);

    return rc;
}


redisContext *
fwd_cli_dial(const char *host, int port, int seconds)
{
    redisContext    *c;
    struct timeval   connect, answer;

    connect.tv_sec = seconds;
    connect.tv_usec = 0;

    answer.tv_sec = (seconds == FWD_CLI_SENTINEL_S) ? seconds
                                                    : FWD_CLI_ANSWER_S;
    answer.tv_usec = 0;

    c = (port == 0) ? redisConnectUnixWithTimeout(host, connect)
                    : redisConnectWithTimeout(host, port, connect);

    if (c != NULL && (c->err || redisSetTimeout(c, answer) != REDIS_OK)) {
        redisFree(c);
        return NULL;
    }

    return c;
}


int
fwd_cli_split(const char *address, char *host, int *port)
{
    size_t       len;
    const char  *colon;

    colon = strrchr(address, ':');
    if (colon == NULL) {
        return 0;
    }

    len = (size_t) (colon - address);
    *port = atoi(colon + 1);

    if (len > 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }

    if (len == 0 || len >= FWD_CLI_HOST_MAX || *port <= 0 || *port > 65535) {
        return 0;
    }

    memcpy(host, address, len);
    host[len] = '\0';

    return 1;
}


/* What stands between braces decides alone, if it is there. */

uint32_t
fwd_cli_redis_slot(const char *key)
{
    int          bit;
    size_t       i, len;
    uint32_t     crc;
    const char  *open, *end;

    len = strlen(key);
    open = strchr(key, '{');

    if (open != NULL) {
        end = strchr(open + 1, '}');

        if (end != NULL && end != open + 1) {
            key = open + 1;
            len = (size_t) (end - key);
        }
    }

    crc = 0;

    for (i = 0; i < len; i++) {
        crc ^= (uint32_t) (unsigned char) key[i] << 8;

        for (bit = 0; bit < 8; bit++) {
            crc = (crc & 0x8000) ? (crc << 1) ^ 0x1021 : crc << 1;
        }
    }

    return (crc & 0xffff) % FWD_CLI_SLOTS;
}


void
fwd_cli_sleep(uint64_t ms)
{
    struct timespec  t;

    t.tv_sec = (time_t) (ms / 1000);
    t.tv_nsec = (long) (ms % 1000) * 1000000;

    (void) nanosleep(&t, NULL);
}
