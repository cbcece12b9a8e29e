
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The servers behind fwd_cli_redis.c: which one has a key, and a connection
 * to it that is logged in.  Nobody else includes this.
 */


#ifndef _FWD_CLI_NODES_H_INCLUDED_
#define _FWD_CLI_NODES_H_INCLUDED_


#include "fwd_cli_redis.h"


#define FWD_CLI_SLOTS       16384
#define FWD_CLI_NODES_MAX   1000
#define FWD_CLI_HOST_MAX    256
#define FWD_CLI_SENTINEL_S  1            /* for a sentinel to answer */


typedef struct {
    char                  host[FWD_CLI_HOST_MAX];
    int                   port;
    char                  name[FWD_CLI_HOST_MAX + 8];  /* for messages */
    redisContext         *c;             /* NULL: not connected */
} fwd_cli_node_t;


struct fwd_cli_redis_s {
    const fwd_redis_conf_t  *conf;
    fwd_cli_node_t         *nodes[FWD_CLI_NODES_MAX];
    uint32_t              nodes_count;
    uint16_t              slots[FWD_CLI_SLOTS];  /* index of a node plus 1;
                                                    0: not known */
    fwd_cli_node_t       *ask;           /* the next command goes there */
    unsigned              asking:1;
    unsigned              known:1;       /* nodes (and slots) were found */
    unsigned              hung:1;        /* the last command timed out */
    unsigned              refused:1;     /* no other try will do better */
};


/* The server of a key, connected.  NULL with a text. */
fwd_cli_node_t *fwd_cli_nodes_get(fwd_cli_redis_t *r, const char *key,
    fwd_error_t *err);

/* Its connection is of no use any more. */
void fwd_cli_nodes_drop(fwd_cli_redis_t *r, fwd_cli_node_t *node);

/* All that was found is looked for again. */
void fwd_cli_nodes_forget(fwd_cli_redis_t *r);

/* "MOVED slot host:port", "ASK slot host:port": 1 if that can be followed. */
int fwd_cli_nodes_moved(fwd_cli_redis_t *r, const char *text);
int fwd_cli_nodes_ask(fwd_cli_redis_t *r, const char *text);

void fwd_cli_sleep(uint64_t ms);

/* fwd_cli_dial.c: connects a node and logs in. */
fwd_rc_t fwd_cli_connect(fwd_cli_redis_t *r, fwd_cli_node_t *node,
    fwd_error_t *err) FWD_MUST_CHECK;

/* fwd_cli_dial.c: a connection (port 0: a path), NULL if there is none. */
redisContext *fwd_cli_dial(const char *host, int port, int seconds);

/* fwd_cli_dial.c: "host:port", "[ipv6]:port"; 1 if it is that. */
int fwd_cli_split(const char *address, char *host, int *port);


#endif /* _FWD_CLI_NODES_H_INCLUDED_ */
