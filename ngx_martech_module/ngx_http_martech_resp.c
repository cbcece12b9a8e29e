
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The reply parser: a state machine over bytes, that takes the text of a line
 * or of a bulk at once.
 */


#include <string.h>

#include "ngx_http_martech_resp.h"


enum {
    NGX_HTTP_MARTECH_RESP_TYPE = 0,
    NGX_HTTP_MARTECH_RESP_LINE,
    NGX_HTTP_MARTECH_RESP_LINE_LF,
    NGX_HTTP_MARTECH_RESP_BODY,
    NGX_HTTP_MARTECH_RESP_BODY_CR,
    NGX_HTTP_MARTECH_RESP_BODY_LF
};


typedef struct {
    const char                      *prefix;
    ngx_http_martech_redis_class_e   class;
} ngx_http_martech_resp_prefix_t;


static const ngx_http_martech_resp_prefix_t  ngx_http_martech_resp_prefixes[] =
{
    { "OOM ", NGX_HTTP_MARTECH_REDIS_OOM },
    { "BUSY ", NGX_HTTP_MARTECH_REDIS_BUSY },
    { "TRYAGAIN ", NGX_HTTP_MARTECH_REDIS_BUSY },
    { "MISCONF ", NGX_HTTP_MARTECH_REDIS_BUSY },
    { "NOREPLICAS ", NGX_HTTP_MARTECH_REDIS_BUSY },
    { "CLUSTERDOWN ", NGX_HTTP_MARTECH_REDIS_BUSY },
    { "LOADING ", NGX_HTTP_MARTECH_REDIS_LOADING },
    { "MASTERDOWN ", NGX_HTTP_MARTECH_REDIS_READONLY },
    { "READONLY ", NGX_HTTP_MARTECH_REDIS_READONLY },
    { "UNBLOCKED ", NGX_HTTP_MARTECH_REDIS_READONLY },
    { "MOVED ", NGX_HTTP_MARTECH_REDIS_MOVED },
    { "ASK ", NGX_HTTP_MARTECH_REDIS_MOVED },
    { "NOAUTH ", NGX_HTTP_MARTECH_REDIS_DENIED },
    { "WRONGPASS ", NGX_HTTP_MARTECH_REDIS_DENIED },
    { "NOPERM ", NGX_HTTP_MARTECH_REDIS_DENIED },
    { "ERR AUTH ", NGX_HTTP_MARTECH_REDIS_DENIED },
    { "ERR invalid password", NGX_HTTP_MARTECH_REDIS_DENIED },
};


static int ngx_http_martech_resp_line_end(ngx_http_martech_resp_t *resp);
static int ngx_http_martech_resp_is_integer(
    const ngx_http_martech_resp_t *resp);
static int ngx_http_martech_resp_bulk_begin(ngx_http_martech_resp_t *resp);
static size_t ngx_http_martech_resp_line_len(const unsigned char *p,
    const unsigned char *end);
static const unsigned char *ngx_http_martech_resp_text(
    ngx_http_martech_resp_t *resp, const unsigned char *p, size_t n);


int
ngx_http_martech_resp_parse(ngx_http_martech_resp_t *resp,
    const unsigned char **pos, const unsigned char *end)
{
    int                   rc;
    size_t                n;
    unsigned char         ch;
    const unsigned char  *p;

    for (p = *pos; p < end; /* void */ ) {
        ch = *p++;
        rc = 0;

        switch (resp->state) {

        case NGX_HTTP_MARTECH_RESP_TYPE:

            if (memchr("+-:$_*", ch, 6) == NULL) {
                rc = -1;
                break;
            }

            resp->type = ch;
            resp->len = 0;
            resp->state = NGX_HTTP_MARTECH_RESP_LINE;
            break;

        case NGX_HTTP_MARTECH_RESP_LINE:
            p = ngx_http_martech_resp_text(resp, p - 1,
                               ngx_http_martech_resp_line_len(p - 1, end));

            if (p < end) {
                rc = (*p++ == '\r') ? 0 : -1;
                resp->state = NGX_HTTP_MARTECH_RESP_LINE_LF;
            }

            break;

        case NGX_HTTP_MARTECH_RESP_LINE_LF:
            rc = (ch == '\n') ? ngx_http_martech_resp_line_end(resp) : -1;
            break;

        case NGX_HTTP_MARTECH_RESP_BODY:
            n = (size_t) (end - p) + 1;
            n = (n < resp->rest) ? n : resp->rest;

            p = ngx_http_martech_resp_text(resp, p - 1, n);
            resp->rest -= (uint32_t) n;

            if (resp->rest == 0) {
                resp->state = NGX_HTTP_MARTECH_RESP_BODY_CR;
            }

            break;

        case NGX_HTTP_MARTECH_RESP_BODY_CR:
            resp->state = NGX_HTTP_MARTECH_RESP_BODY_LF;
            rc = (ch == '\r') ? 0 : -1;
            break;

        default: /* NGX_HTTP_MARTECH_RESP_BODY_LF */
            resp->state = NGX_HTTP_MARTECH_RESP_TYPE;
            rc = (ch == '\n') ? 1 : -1;
        }

        if (rc != 0) {
            *pos = p;
            return rc;
        }
    }

    *pos = p;

    return 0;
}


static int
ngx_http_martech_resp_line_end(ngx_http_martech_resp_t *resp)
{
    resp->state = NGX_HTTP_MARTECH_RESP_TYPE;

    switch (resp->type) {

    case NGX_HTTP_MARTECH_RESP_BULK:
        return ngx_http_martech_resp_bulk_begin(resp);

    case '*':

        /* the null array of RESP2; no command of ours gets a real one */

        if (resp->len == 2 && memcmp(resp->text, "-1", 2) == 0) {
            resp->type = NGX_HTTP_MARTECH_RESP_NULL;
            resp->len = 0;
            return 1;
        }

        return -1;

    case NGX_HTTP_MARTECH_RESP_NULL:
        return (resp->len == 0) ? 1 : -1;

    case NGX_HTTP_MARTECH_RESP_INTEGER:
        return ngx_http_martech_resp_is_integer(resp) ? 1 : -1;

    default:
        return 1;
    }
}


static int
ngx_http_martech_resp_is_integer(const ngx_http_martech_resp_t *resp)
{
    size_t  i;

    i = (resp->len > 0 && (resp->text[0] == '-' || resp->text[0] == '+'));

    if (i == resp->len || resp->len > 20) {
        return 0;
    }

    while (i < resp->len && resp->text[i] >= '0' && resp->text[i] <= '9') {
        i++;
    }

    return i == resp->len;
}


static int
ngx_http_martech_resp_bulk_begin(ngx_http_martech_resp_t *resp)
{
    size_t    i;
    uint32_t  size;

    if (resp->len == 2 && memcmp(resp->text, "-1", 2) == 0) {
        resp->type = NGX_HTTP_MARTECH_RESP_NULL;
        resp->len = 0;
        return 1;
    }

    if (resp->len == 0 || resp->len > 9) {
        return -1;
    }

    size = 0;

    for (i = 0; i < resp->len; i++) {

        if (resp->text[i] < '0' || resp->text[i] > '9') {
            return -1;
        }

        size = size * 10 + (uint32_t) (resp->text[i] - '0');
    }

    if (size > NGX_HTTP_MARTECH_RESP_BULK_MAX) {
        return -1;
    }

    resp->len = 0;
    resp->rest = size;
    resp->state = (size > 0) ? NGX_HTTP_MARTECH_RESP_BODY
                             : NGX_HTTP_MARTECH_RESP_BODY_CR;

    return 0;
}


/* The bytes up to a line break of either kind, or to the end. */

static size_t
ngx_http_martech_resp_line_len(const unsigned char *p,
    const unsigned char *end)
{
    const unsigned char  *start;

    for (start = p; p < end && *p != '\r' && *p != '\n'; p++) { /* void */ }

    return (size_t) (p - start);
}


/* Adds n bytes, as many as fit, and returns what follows them. */

static const unsigned char *
ngx_http_martech_resp_text(ngx_http_martech_resp_t *resp,
    const unsigned char *p, size_t n)
{
    size_t  room;

    room = sizeof(resp->text) - resp->len;
    room = (n < room) ? n : room;

    memcpy(resp->text + resp->len, p, room);
    resp->len += room;

    return p + n;
}


ngx_http_martech_redis_class_e
ngx_http_martech_resp_class(const char *text, size_t len)
{
    size_t    n;
    unsigned  i, count;

    count = sizeof(ngx_http_martech_resp_prefixes)
            / sizeof(ngx_http_martech_resp_prefixes[0]);

    for (i = 0; i < count; i++) {
        n = strlen(ngx_http_martech_resp_prefixes[i].prefix);

        if (len >= n
            && memcmp(text, ngx_http_martech_resp_prefixes[i].prefix, n) == 0)
        {
            return ngx_http_martech_resp_prefixes[i].class;
        }
    }

    return NGX_HTTP_MARTECH_REDIS_OTHER;
}


const char *
ngx_http_martech_resp_class_name(unsigned class)
{
    static const char  *names[NGX_HTTP_MARTECH_REDIS_CLASSES] = {
        "other", "oom", "busy", "loading", "readonly", "moved", "denied"
    };

    if (class >= NGX_HTTP_MARTECH_REDIS_CLASSES) {
        return names[0];
    }

    return names[class];
}
