
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Finding of servers: the configured one, the master that the sentinels
 * name, or the nodes of a cluster.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_cli_nodes.h"


static fwd_rc_t fwd_cli_find(fwd_cli_redis_t *r, fwd_error_t *err);
static fwd_rc_t fwd_cli_find_master(fwd_cli_redis_t *r, fwd_error_t *err);
static fwd_rc_t fwd_cli_ask_sentinel(fwd_cli_redis_t *r, const char *address);
static fwd_rc_t fwd_cli_find_slots(fwd_cli_redis_t *r, fwd_error_t *err);
static void fwd_cli_take_slots(fwd_cli_redis_t *r,
    const fwd_cli_node_t *from, const redisReply *reply);
static uint32_t fwd_cli_add_node(fwd_cli_redis_t *r, const char *host,
    int port);


fwd_cli_redis_t *
fwd_cli_redis_create(const fwd_redis_conf_t *conf)
{
    fwd_cli_redis_t  *r;

    r = calloc(1, sizeof(fwd_cli_redis_t));
    if (r == NULL) {
        (void) fprintf(stderr, "martech-forwarder: out of memory\n");
        exit(1);
    }

    r->conf = conf;

    return r;
}


void
fwd_cli_redis_destroy(fwd_cli_redis_t *r)
{
    uint32_t  i;

    if (r == NULL) {
        return;
    }

    for (i = 0; i < r->nodes_count; i++) {
        fwd_cli_nodes_drop(r, r->nodes[i]);
        free(r->nodes[i]);
    }

    free(r);
}


fwd_cli_node_t *
fwd_cli_nodes_get(fwd_cli_redis_t *r, const char *key, fwd_error_t *err)
{
    uint32_t         n;
    fwd_cli_node_t  *node;

    r->hung = 0;
    r->refused = 0;

    if (!r->known && fwd_cli_find(r, err) != FWD_OK) {
        return NULL;
    }

    if (r->asking) {
        node = r->ask;

    } else if (r->conf->cluster) {
        n = r->slots[fwd_cli_redis_slot(key)];

        if (n == 0) {
            r->known = 0;
            (void) fwd_error(err, "no node of the cluster has the slot of "
                             "\"%s\"", key);
            return NULL;
        }

        node = r->nodes[n - 1];

    } else {
        node = r->nodes[0];
    }

    if (node->c == NULL && fwd_cli_connect(r, node, err) != FWD_OK) {
        fwd_cli_nodes_forget(r);
        return NULL;
    }

    return node;
}


void
fwd_cli_nodes_drop(fwd_cli_redis_t *r, fwd_cli_node_t *node)
{
    if (node->c != NULL) {
        redisFree(node->c);
        node->c = NULL;
    }

    r->known = 0;
}


void
fwd_cli_nodes_forget(fwd_cli_redis_t *r)
{
    r->known = 0;
    r->asking = 0;
}


/* Connections to servers that stay are kept. */

static fwd_rc_t
fwd_cli_find(fwd_cli_redis_t *r, fwd_error_t *err)
{
    const fwd_redis_conf_t  *conf;

    conf = r->conf;

    if (conf->tls) {
        r->refused = 1;
        return fwd_error(err, "redis with tls cannot be reached by commands "
                         "of this program");
    }

    if (conf->sentinel != NULL) {
        return fwd_cli_find_master(r, err);
    }

    if (r->nodes_count == 0) {
        (void) fwd_cli_add_node(r, conf->path ? conf->path : conf->host,
                                conf->path ? 0 : (int) conf->port);
    }

    if (conf->cluster) {
        return fwd_cli_find_slots(r, err);
    }

    r->known = 1;

    return FWD_OK;
}


static fwd_rc_t
fwd_cli_find_master(fwd_cli_redis_t *r, fwd_error_t *err)
{
    size_t  i;

    for (i = 0; i < r->conf->sentinels.count; i++) {

        if (fwd_cli_ask_sentinel(r, r->conf->sentinels.list[i]) == FWD_OK) {
            r->known = 1;
            return FWD_OK;
        }
    }

    return fwd_error(err, "no sentinel knows a master \"%s\"",
                     r->conf->sentinel);
}


/* The master becomes the first and only node. */

static fwd_rc_t
fwd_cli_ask_sentinel(fwd_cli_redis_t *r, const char *address)
{
    int            port;
    char           host[FWD_CLI_HOST_MAX];
    redisReply    *reply;
    redisContext  *c;

    if (!fwd_cli_split(address, host, &port)) {
        return FWD_ERROR;
    }

    c = fwd_cli_dial(host, port, FWD_CLI_SENTINEL_S);
    if (c == NULL) {
        return FWD_ERROR;
    }

    if (r->conf->sentinel_password != NULL) {
        freeReplyObject(redisCommand(c, "AUTH %s",
                                     r->conf->sentinel_password));
    }

    reply = redisCommand(c, "SENTINEL get-master-addr-by-name %s",
                         r->conf->sentinel);
    redisFree(c);

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != 2)
    {
        freeReplyObject(reply);
        return FWD_ERROR;
    }

    port = atoi(reply->element[1]->str);

    if (r->nodes_count != 0
        && (strcmp(r->nodes[0]->host, reply->element[0]->str) != 0
            || r->nodes[0]->port != port))
    {
        fwd_cli_nodes_drop(r, r->nodes[0]);
        free(r->nodes[0]);
        r->nodes_count = 0;
    }

    (void) fwd_cli_add_node(r, reply->element[0]->str, port);

    freeReplyObject(reply);

    return FWD_OK;
}


/* Any node that answers will do; the configured one is asked first. */

static fwd_rc_t
fwd_cli_find_slots(fwd_cli_redis_t *r, fwd_error_t *err)
{
    uint32_t         i, count;
    redisReply      *reply;
    fwd_cli_node_t  *node;

    count = r->nodes_count;

    for (i = 0; i < count && !r->refused; i++) {
        node = r->nodes[i];

        if (node->c == NULL && fwd_cli_connect(r, node, err) != FWD_OK) {
            continue;
        }

        reply = redisCommand(node->c, "CLUSTER SLOTS");

        if (reply == NULL) {
            (void) fwd_error(err, "connection to redis at %s is lost",
                             node->name);
            fwd_cli_nodes_drop(r, node);
            continue;
        }

        if (reply->type == REDIS_REPLY_ARRAY && reply->elements != 0) {
            fwd_cli_take_slots(r, node, reply);
            freeReplyObject(reply);
            r->known = 1;
            return FWD_OK;
        }

        (void) fwd_error(err, "redis at %s knows no slots: %s", node->name,
                         reply->type == REDIS_REPLY_ERROR ? reply->str
                                                          : "none assigned");
        freeReplyObject(reply);
    }

    return FWD_ERROR;
}


/* Rows of first slot, last slot, [host, port, ...] of the master, replicas. */

static void
fwd_cli_take_slots(fwd_cli_redis_t *r, const fwd_cli_node_t *from,
    const redisReply *reply)
{
    size_t             i;
    uint32_t           n;
    long long          slot;
    const char        *host;
    const redisReply  *row, *master;

    memset(r->slots, 0, sizeof(r->slots));

    for (i = 0; i < reply->elements; i++) {
        row = reply->element[i];

        if (row->elements < 3 || row->element[2]->elements < 2) {
            continue;
        }

        master = row->element[2];
        host = master->element[0]->str;

        if (host == NULL || host[0] == '\0') {
            host = from->host;           /* it does not know its own */
        }

        n = fwd_cli_add_node(r, host, (int) master->element[1]->integer);

        for (slot = row->element[0]->integer;
             slot >= 0 && slot <= row->element[1]->integer
             && slot < FWD_CLI_SLOTS;
             slot++)
        {
            r->slots[slot] = (uint16_t) n;
        }
    }
}


/* Its number, from 1; 0 if there are too many. */

static uint32_t
fwd_cli_add_node(fwd_cli_redis_t *r, const char *host, int port)
{
    uint32_t         i;
    fwd_cli_node_t  *node;

    for (i = 0; i < r->nodes_count; i++) {
        if (r->nodes[i]->port == port
            && strcmp(r->nodes[i]->host, host) == 0)
        {
            return i + 1;
        }
    }

    if (r->nodes_count == FWD_CLI_NODES_MAX) {
        return 0;
    }

    node = calloc(1, sizeof(fwd_cli_node_t));
    if (node == NULL) {
        return 0;
    }

    (void) snprintf(node->host, sizeof(node->host), "%s", host);
    node->port = port;

    if (port == 0) {
        (void) snprintf(node->name, sizeof(node->name), "unix:%s",
                        node->host);

    } else {
        (void) snprintf(node->name, sizeof(node->name), "%s:%d", node->host,
                        port);
    }

    r->nodes[r->nodes_count++] = node;

    return r->nodes_count;
}


int
fwd_cli_nodes_moved(fwd_cli_redis_t *r, const char *text)
{
    int          port;
    char         host[FWD_CLI_HOST_MAX];
    long         slot;
    uint32_t     n;
    const char  *p;

    slot = strtol(text + sizeof("MOVED ") - 1, (char **) &p, 10);

    if (slot < 0 || slot >= FWD_CLI_SLOTS || *p != ' ' || !r->conf->cluster
        || !fwd_cli_split(p + 1, host, &port))
    {
        return 0;
    }

    n = fwd_cli_add_node(r, host, port);
    r->slots[slot] = (uint16_t) n;

    return n != 0;
}


int
fwd_cli_nodes_ask(fwd_cli_redis_t *r, const char *text)
{
    int          port;
    char         host[FWD_CLI_HOST_MAX];
    uint32_t     n;
    const char  *p;

    p = strrchr(text, ' ');

    if (p == NULL || !r->conf->cluster || !fwd_cli_split(p + 1, host, &port))
    {
        return 0;
    }

    n = fwd_cli_add_node(r, host, port);

    if (n == 0) {
        return 0;
    }

    r->ask = r->nodes[n - 1];
    r->asking = 1;

    return 1;
}
