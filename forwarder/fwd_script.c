
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Arguments and replies of the scripts.  The texts stand in fwd_lua.c.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "fwd_lua.h"
#include "fwd_script.h"


#define FWD_ARGS_SIZE_MIN  256
#define FWD_ARGS_PLAIN     UINT32_MAX    /* argv points outside of scratch */
#define FWD_ARGS_SCRATCH_MAX  (16 * 1024 * 1024)


static fwd_rc_t fwd_args_grow(fwd_args_t *args);


void
fwd_args_init(fwd_args_t *args)
{
    unsigned       i, n;
    unsigned int   len;
    const char    *text;
    unsigned char  digest[EVP_MAX_MD_SIZE];

    memset(args, 0, sizeof(fwd_args_t));
    fwd_buf_init(&args->scratch, FWD_ARGS_SCRATCH_MAX);

    for (i = 0; i < FWD_SCRIPT_COUNT; i++) {
        text = fwd_lua_texts()[i];

        /* cannot fail: SHA-1 is there, the text is short */
        (void) EVP_Digest(text, strlen(text), digest, &len, EVP_sha1(), NULL);

        for (n = 0; n < 20; n++) {
            (void) snprintf(&args->sha[i][n * 2], 3, "%02x", digest[n]);
        }
    }
}


void
fwd_args_free(fwd_args_t *args)
{
    free(args->argv);
    free(args->lens);
    free(args->offsets);
    fwd_buf_free(&args->scratch);
    memset(args, 0, sizeof(fwd_args_t));
}


void
fwd_args_script(fwd_args_t *args, fwd_script_t script, uint32_t keys)
{
    fwd_args_reset(args);
    fwd_args_add(args, "EVALSHA", 7);
    fwd_args_add(args, args->sha[script], 40);
    fwd_args_number(args, keys);
}


void
fwd_args_reset(fwd_args_t *args)
{
    args->count = 0;
    args->failed = 0;
    fwd_buf_reset(&args->scratch);
}


void
fwd_args_add(fwd_args_t *args, const void *data, size_t len)
{
    if (args->count == args->size && fwd_args_grow(args) != FWD_OK) {
        args->failed = 1;
        return;
    }

    /* hiredis takes no NULL, also with length 0 */
    args->argv[args->count] = (data != NULL) ? data : "";
    args->lens[args->count] = len;
    args->offsets[args->count] = FWD_ARGS_PLAIN;
    args->count++;
}


void
fwd_args_text(fwd_args_t *args, const char *text)
{
    fwd_args_add(args, text, strlen(text));
}


void
fwd_args_number(fwd_args_t *args, uint64_t number)
{
    int   n;
    char  text[24];

    n = snprintf(text, sizeof(text), "%llu", (unsigned long long) number);
    fwd_args_copy(args, text, (size_t) n);
}


void
fwd_args_signed(fwd_args_t *args, int64_t number)
{
    int   n;
    char  text[24];

    n = snprintf(text, sizeof(text), "%lld", (long long) number);
    fwd_args_copy(args, text, (size_t) n);
}


void
fwd_args_id(fwd_args_t *args, fwd_id_t id)
{
    char    text[FWD_ID_TEXT_MAX];
    size_t  len;

    len = fwd_id_format(text, id);
    fwd_args_copy(args, text, len);
}


void
fwd_args_due(fwd_args_t *args, double due)
{
    int   n;
    char  text[40];

    /* enough digits to come back as the same double */
    n = snprintf(text, sizeof(text), "%.17g", due);
    fwd_args_copy(args, text, (size_t) n);
}


fwd_rc_t
fwd_args_send(fwd_args_t *args, fwd_redis_t *r, fwd_redis_reply_pt cb,
    void *data, uint64_t timeout_ms)
{
    uint32_t  i;

    if (args->failed || args->scratch.failed) {
        return FWD_AGAIN;
    }

    /* scratch does not move any more */

    for (i = 0; i < args->count; i++) {
        if (args->offsets[i] != FWD_ARGS_PLAIN) {
            args->argv[i] = (char *) args->scratch.data + args->offsets[i];
        }
    }

    return fwd_redis_command(r, cb, data, (int) args->count, args->argv,
                             args->lens, timeout_ms);
}


static fwd_rc_t
fwd_args_grow(fwd_args_t *args)
{
    size_t        *lens;
    uint32_t       size, *offsets;
    const char   **argv;

    size = args->size ? args->size * 2 : FWD_ARGS_SIZE_MIN;

    argv = realloc(args->argv, size * sizeof(char *));
    if (argv == NULL) {
        return FWD_ERROR;
    }

    args->argv = argv;

    lens = realloc(args->lens, size * sizeof(size_t));
    if (lens == NULL) {
        return FWD_ERROR;
    }

    args->lens = lens;

    offsets = realloc(args->offsets, size * sizeof(uint32_t));
    if (offsets == NULL) {
        return FWD_ERROR;
    }

    args->offsets = offsets;
    args->size = size;

    return FWD_OK;
}


void
fwd_args_copy(fwd_args_t *args, const void *data, size_t len)
{
    size_t  offset;

    offset = args->scratch.len;

    fwd_buf_add(&args->scratch, data, len);
    fwd_args_add(args, "", len);

    if (!args->failed) {
        args->offsets[args->count - 1] = (uint32_t) offset;
    }
}


fwd_redis_scripts_t
fwd_script_texts(void)
{
    fwd_redis_scripts_t  scripts;

    scripts.texts = fwd_lua_texts();
    scripts.count = FWD_SCRIPT_COUNT;

    return scripts;
}


fwd_rc_t
fwd_script_result(fwd_redis_t *r, const redisReply *reply)
{
    if (reply == NULL) {
        return FWD_AGAIN;
    }

    if (reply->type == REDIS_REPLY_STRING
        && strcmp(reply->str, "FENCED") == 0)
    {
        return FWD_FENCED;
    }

    if (reply->type != REDIS_REPLY_ERROR) {
        return FWD_OK;
    }

    if (fwd_redis_is_error(reply, "NOSCRIPT")) {
        fwd_redis_reload_scripts(r);
        return FWD_AGAIN;
    }

    if (fwd_redis_is_elsewhere(reply)) {
        return FWD_ERROR;                /* at once would be a busy loop */
    }

    /* the connection has seen it as well, and is made anew */
    return fwd_redis_is_away(reply) ? FWD_AGAIN : FWD_ERROR;
}
