
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Sending of a command: where to, and what to do about answers that say
 * "not here" or "not now".  fwd_cli_nodes.c has the connections.
 */


#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "fwd_cli_nodes.h"


#define FWD_CLI_TRIES     12             /* in sum some six seconds */
#define FWD_CLI_PAUSE_MS  1000           /* longest, between two of them */


/* What an answer means for the command. */
typedef enum {
    FWD_CLI_TAKE = 0,             /* it is the answer */
    FWD_CLI_REPEAT,               /* at once: we know better where */
    FWD_CLI_LATER                 /* after a pause */
} fwd_cli_verdict_t;


static redisReply *fwd_cli_send(fwd_cli_redis_t *r, fwd_error_t *err,
    const char *key, const char *text, size_t len);
static redisReply *fwd_cli_send_once(fwd_cli_redis_t *r, fwd_error_t *err,
    const char *key, const char *text, size_t len);
static fwd_cli_verdict_t fwd_cli_judge(fwd_cli_redis_t *r,
    const redisReply *reply);
static int fwd_cli_is(const redisReply *reply, const char *word);
static redisReply *fwd_cli_script_send(fwd_cli_redis_t *r, fwd_error_t *err,
    const char *sha, int keys, const fwd_cli_args_t *args);
static redisReply *fwd_cli_checked(redisReply *reply, fwd_error_t *err);


redisReply *
fwd_cli_redis_command(fwd_cli_redis_t *r, fwd_error_t *err, const char *key,
    const char *fmt, ...)
{
    int          len;
    char        *text;
    va_list      args;
    redisReply  *reply;

    va_start(args, fmt);
    len = redisvFormatCommand(&text, fmt, args);
    va_end(args);

    if (len < 0) {
        (void) fwd_error(err, "out of memory");
        return NULL;
    }

    reply = fwd_cli_send(r, err, key, text, (size_t) len);
    redisFreeCommand(text);

    return fwd_cli_checked(reply, err);
}


/*
 * By its digest, as the forwarder does: an ACL may forbid EVAL.  A server
 * that does not know it, which may be another one by then, is given it.
 */

redisReply *
fwd_cli_redis_script(fwd_cli_redis_t *r, fwd_error_t *err, const char *text,
    int keys, const fwd_cli_args_t *args)
{
    int             i;
    char            sha[2 * SHA_DIGEST_LENGTH + 1];
    redisReply     *reply;
    unsigned char   digest[SHA_DIGEST_LENGTH];

    (void) SHA1((const unsigned char *) text, strlen(text), digest);

    for (i = 0; i < SHA_DIGEST_LENGTH; i++) {
        (void) snprintf(&sha[2 * i], 3, "%02x", digest[i]);
    }

    for (i = 0; i < 3; i++) {
        reply = fwd_cli_script_send(r, err, sha, keys, args);

        if (reply == NULL || !fwd_cli_is(reply, "NOSCRIPT")) {
            return fwd_cli_checked(reply, err);
        }

        freeReplyObject(reply);

        reply = fwd_cli_redis_command(r, err, args->argv[0],
                                      "SCRIPT LOAD %s", text);
        if (reply == NULL) {
            return NULL;
        }

        freeReplyObject(reply);
    }

    (void) fwd_error(err, "redis forgets scripts at once");

    return NULL;
}


static redisReply *
fwd_cli_script_send(fwd_cli_redis_t *r, fwd_error_t *err, const char *sha,
    int keys, const fwd_cli_args_t *args)
{
    int              i, len;
    char            *text, number[12];
    redisReply      *reply;
    fwd_cli_args_t   all;

    fwd_cli_args_init(&all);
    (void) snprintf(number, sizeof(number), "%d", keys);

    fwd_cli_args_text(&all, "EVALSHA");
    fwd_cli_args_text(&all, sha);
    fwd_cli_args_text(&all, number);

    for (i = 0; i < args->count; i++) {
        fwd_cli_args_add(&all, args->argv[i], args->lens[i]);
    }

    len = redisFormatCommandArgv(&text, all.count, all.argv, all.lens);

    fwd_cli_args_free(&all);

    if (len < 0) {
        (void) fwd_error(err, "out of memory");
        return NULL;
    }

    reply = fwd_cli_send(r, err, args->argv[0], text, (size_t) len);
    redisFreeCommand(text);

    return reply;
}


static redisReply *
fwd_cli_checked(redisReply *reply, fwd_error_t *err)
{
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
        (void) fwd_error(err, "redis answers: %s", reply->str);
        freeReplyObject(reply);
        return NULL;
    }

    return reply;
}


static redisReply *
fwd_cli_send(fwd_cli_redis_t *r, fwd_error_t *err, const char *key,
    const char *text, size_t len)
{
    int                 i;
    uint64_t            pause_ms;
    redisReply         *reply;
    fwd_cli_verdict_t   verdict;

    pause_ms = 50;

    for (i = 0; i < FWD_CLI_TRIES; i++) {
        verdict = FWD_CLI_LATER;
        reply = fwd_cli_send_once(r, err, key, text, len);

        if (reply != NULL) {
            verdict = fwd_cli_judge(r, reply);

            if (verdict == FWD_CLI_TAKE || i + 1 == FWD_CLI_TRIES) {
                return reply;
            }

            freeReplyObject(reply);

        } else if (r->hung || r->refused) {
            return NULL;
        }

        if (verdict == FWD_CLI_LATER) {
            fwd_cli_sleep(pause_ms);
            pause_ms = (pause_ms * 2 > FWD_CLI_PAUSE_MS)
                       ? FWD_CLI_PAUSE_MS : pause_ms * 2;
        }
    }

    return NULL;
}


static redisReply *
fwd_cli_send_once(fwd_cli_redis_t *r, fwd_error_t *err, const char *key,
    const char *text, size_t len)
{
    void            *reply;
    fwd_cli_node_t  *node;

    node = fwd_cli_nodes_get(r, key, err);
    if (node == NULL) {
        return NULL;
    }

    if (r->asking) {
        r->asking = 0;
        r->ask = NULL;
        reply = redisCommand(node->c, "ASKING");

        if (reply == NULL) {
            goto lost;
        }

        freeReplyObject(reply);
    }

    if (redisAppendFormattedCommand(node->c, text, len) == REDIS_OK
        && redisGetReply(node->c, &reply) == REDIS_OK)
    {
        return reply;
    }

lost:

    /* what takes that long is not to be asked for a second time */
    r->hung = (node->c->err == REDIS_ERR_IO && errno == EAGAIN);

    (void) fwd_error(err, r->hung ? "redis at %s does not answer"
                                  : "connection to redis at %s is lost",
                     node->name);
    fwd_cli_nodes_drop(r, node);

    return NULL;
}


static fwd_cli_verdict_t
fwd_cli_judge(fwd_cli_redis_t *r, const redisReply *reply)
{
    static const char *const  later[] = {
        "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "BUSY"
    };

    size_t  i;

    if (reply->type != REDIS_REPLY_ERROR) {
        return FWD_CLI_TAKE;
    }

    if (fwd_cli_is(reply, "MOVED") && fwd_cli_nodes_moved(r, reply->str)) {
        return FWD_CLI_REPEAT;
    }

    if (fwd_cli_is(reply, "ASK") && fwd_cli_nodes_ask(r, reply->str)) {
        return FWD_CLI_REPEAT;
    }

    if (fwd_cli_is(reply, "READONLY")) {

        /* a master of yesterday */

        fwd_cli_nodes_forget(r);
        return FWD_CLI_LATER;
    }

    for (i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        if (fwd_cli_is(reply, later[i])) {
            return FWD_CLI_LATER;
        }
    }

    return FWD_CLI_TAKE;
}


static int
fwd_cli_is(const redisReply *reply, const char *word)
{
    size_t  len;

    len = strlen(word);

    return reply->type == REDIS_REPLY_ERROR
           && strncmp(reply->str, word, len) == 0
           && (reply->str[len] == ' ' || reply->str[len] == '\0');
}


fwd_rc_t
fwd_cli_redis_time(fwd_cli_redis_t *r, fwd_error_t *err, const char *key,
    uint64_t *ms)
{
    redisReply  *reply;

    reply = fwd_cli_redis_command(r, err, key, "TIME");

    if (reply == NULL) {
        return FWD_ERROR;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
        freeReplyObject(reply);
        return fwd_error(err, "redis does not tell the time");
    }

    *ms = strtoull(reply->element[0]->str, NULL, 10) * 1000
          + strtoull(reply->element[1]->str, NULL, 10) / 1000;

    freeReplyObject(reply);

    return FWD_OK;
}


void
fwd_cli_args_init(fwd_cli_args_t *args)
{
    memset(args, 0, sizeof(fwd_cli_args_t));
    fwd_pool_init(&args->pool);
}


void
fwd_cli_args_free(fwd_cli_args_t *args)
{
    free(args->argv);
    free(args->lens);
    fwd_pool_free(&args->pool);
}


/* A command that cannot be built is the end, as with the configuration. */

void
fwd_cli_args_add(fwd_cli_args_t *args, const void *data, size_t len)
{
    int  size;

    if (args->count == args->size) {
        size = args->size ? args->size * 2 : 64;
        args->argv = realloc(args->argv, (size_t) size * sizeof(char *));
        args->lens = realloc(args->lens, (size_t) size * sizeof(size_t));

        if (args->argv == NULL || args->lens == NULL) {
            (void) fprintf(stderr, "martech-forwarder: out of memory\n");
            exit(1);
        }

        args->size = size;
    }

    args->argv[args->count] = data;
    args->lens[args->count++] = len;
}


void
fwd_cli_args_text(fwd_cli_args_t *args, const char *text)
{
    fwd_cli_args_add(args, text, strlen(text));
}


void
fwd_cli_args_number(fwd_cli_args_t *args, uint64_t number)
{
    fwd_cli_args_text(args, fwd_pool_printf(&args->pool, "%llu",
                                            (unsigned long long) number));
}
