
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What error replies of Redis mean.
 */


#include <string.h>

#include "fwd_redis.h"


static int fwd_redis_is_one_of(const redisReply *reply,
    const char *const *words);


int
fwd_redis_is_error(const redisReply *reply, const char *word)
{
    size_t  len;

    len = strlen(word);

    return reply->type == REDIS_REPLY_ERROR
           && strncmp(reply->str, word, len) == 0
           && (reply->str[len] == ' ' || reply->str[len] == '\0');
}


int
fwd_redis_is_elsewhere(const redisReply *reply)
{
    static const char *const  words[] = {
        "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", NULL
    };

    return fwd_redis_is_one_of(reply, words);
}


int
fwd_redis_is_away(const redisReply *reply)
{
    static const char *const  words[] = {
        "LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "NOAUTH", NULL
    };

    return fwd_redis_is_one_of(reply, words);
}


static int
fwd_redis_is_one_of(const redisReply *reply, const char *const *words)
{
    size_t  i;

    for (i = 0; words[i] != NULL; i++) {
        if (fwd_redis_is_error(reply, words[i])) {
            return 1;
        }
    }

    return 0;
}
