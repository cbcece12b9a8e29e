
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Answers as they come in.
 */


#include <ctype.h>
#include <string.h>

#include "fwd_reply.h"


#define FWD_REPLY_NAME_MAX  64


static int fwd_reply_wanted(const fwd_reply_t *reply, const char *name);
static void fwd_reply_keep(fwd_reply_t *reply, const char *name,
    const char *value, size_t len);


void
fwd_reply_init(fwd_reply_t *reply)
{
    memset(reply, 0, sizeof(fwd_reply_t));

    fwd_buf_init(&reply->body, FWD_REPLY_BODY_MAX);
    fwd_buf_init(&reply->headers, FWD_REPLY_HEADERS_MAX);
}


void
fwd_reply_reset(fwd_reply_t *reply)
{
    fwd_buf_reset(&reply->body);
    fwd_buf_reset(&reply->headers);
    reply->head_bytes = 0;
    reply->retry_after[0] = '\0';
    reply->cut = 0;
    reply->flooded = 0;
}


void
fwd_reply_free(fwd_reply_t *reply)
{
    fwd_buf_free(&reply->body);
    fwd_buf_free(&reply->headers);
}


int
fwd_reply_header(fwd_reply_t *reply, const char *line, size_t len)
{
    char         name[FWD_REPLY_NAME_MAX];
    size_t       i;
    const char  *colon;

    reply->head_bytes += len;

    if (reply->head_bytes > FWD_REPLY_HEAD_MAX) {
        reply->flooded = 1;
        return 0;
    }

    if (len > 5 && memcmp(line, "HTTP/", 5) == 0) {

        /* an interim answer came before: this one counts */

        reply->retry_after[0] = '\0';
        fwd_buf_reset(&reply->headers);
        return 1;
    }

    colon = memchr(line, ':', len);

    if (colon == NULL || (size_t) (colon - line) >= sizeof(name)) {
        return 1;
    }

    for (i = 0; i < (size_t) (colon - line); i++) {
        name[i] = (char) tolower((unsigned char) line[i]);
    }

    name[i] = '\0';
    len -= i + 1;
    colon++;

    while (len > 0 && (*colon == ' ' || *colon == '\t')) {
        colon++;
        len--;
    }

    while (len > 0 && isspace((unsigned char) colon[len - 1])) {
        len--;
    }

    fwd_reply_keep(reply, name, colon, len);

    return 1;
}


static void
fwd_reply_keep(fwd_reply_t *reply, const char *name, const char *value,
    size_t len)
{
    if (strcmp(name, "retry-after") == 0
        && len < sizeof(reply->retry_after))
    {
        memcpy(reply->retry_after, value, len);
        reply->retry_after[len] = '\0';
    }

    /* a buffer that overflows forgets all it has */

    if (!fwd_reply_wanted(reply, name)
        || reply->headers.len + strlen(name) + len + 3
           > FWD_REPLY_HEADERS_MAX)
    {
        return;
    }

    fwd_buf_add_string(&reply->headers, name);
    fwd_buf_add(&reply->headers, ": ", 2);
    fwd_buf_add(&reply->headers, value, len);
    fwd_buf_add_char(&reply->headers, '\n');
}


/*
 * What says how to go on, and what a vendor's support asks for.  All others
 * may hold anything, also what is secret (cookies).
 */

static int
fwd_reply_wanted(const fwd_reply_t *reply, const char *name)
{
    size_t                    len, i, n;
    static const char *const  whole[] = {
        "content-type", "retry-after", "date"
    };
    static const char *const  ends[] = { "request-id", "trace-id" };

    for (i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        if (strcmp(name, whole[i]) == 0) {
            return 1;
        }
    }

    len = strlen(name);

    for (i = 0; i < reply->more_count; i++) {
        n = strcspn(reply->more[i], "*");

        if (len >= n && memcmp(name, reply->more[i], n) == 0
            && (reply->more[i][n] == '*' || len == n))
        {
            return 1;
        }
    }

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        n = strlen(ends[i]);

        if (len >= n && strcmp(name + len - n, ends[i]) == 0) {
            return 1;
        }
    }

    return strncmp(name, "x-ratelimit-", 12) == 0
           || strncmp(name, "ratelimit", 9) == 0;
}


int
fwd_reply_body(fwd_reply_t *reply, const char *data, size_t len)
{
    size_t  room;

    room = FWD_REPLY_BODY_MAX - reply->body.len;

    fwd_buf_add(&reply->body, data, len < room ? len : room);

    if (len > room) {

        /* the status is known; an endless answer need not be read */

        reply->cut = 1;
        return 0;
    }

    return 1;
}
