
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The reply parser: a state machine over bytes, that takes the text of a line
 * or of a bulk at once.  Arrays need no recursion: what is left of each open
 * one is a number.
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


static int ngx_http_martech_resp_begin(ngx_http_martech_resp_t *resp, int ch);
static int ngx_http_martech_resp_line_end(ngx_http_martech_resp_t *resp);
static int ngx_http_martech_resp_integer(ngx_http_martech_resp_t *resp);
static int ngx_http_martech_resp_bulk_begin(ngx_http_martech_resp_t *resp);
static int ngx_http_martech_resp_array_begin(ngx_http_martech_resp_t *resp);
static int ngx_http_martech_resp_number(const ngx_http_martech_resp_t *resp,
    uint32_t max, uint32_t *n);
static int ngx_http_martech_resp_is_null(const ngx_http_martech_resp_t *resp);
static int ngx_http_martech_resp_null(ngx_http_martech_resp_t *resp);
static void ngx_http_martech_resp_scalar(ngx_http_martech_resp_t *resp);
static int ngx_http_martech_resp_end(ngx_http_martech_resp_t *resp);
static size_t ngx_http_martech_resp_line_len(const unsigned char *p,
    const unsigned char *end);
static void ngx_http_martech_resp_line(ngx_http_martech_resp_t *resp,
    const unsigned char *p, size_t n);
static void ngx_http_martech_resp_text(ngx_http_martech_resp_t *resp,
    const void *p, size_t n);


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
            rc = ngx_http_martech_resp_begin(resp, ch);
            break;

        case NGX_HTTP_MARTECH_RESP_LINE:
            n = ngx_http_martech_resp_line_len(p - 1, end);

            ngx_http_martech_resp_line(resp, p - 1, n);
            p = p - 1 + n;

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

            ngx_http_martech_resp_text(resp, p - 1, n);
            p = p - 1 + n;
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
            rc = (ch == '\n') ? ngx_http_martech_resp_end(resp) : -1;
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
ngx_http_martech_resp_begin(ngx_http_martech_resp_t *resp, int ch)
{
    if (memchr("+-:$_*", ch, 6) == NULL) {
        return -1;
    }

    if (resp->depth == 0) {
        resp->type = ch;
        resp->len = 0;
        resp->cut = 0;
        resp->scalars = 0;
        resp->count = 0;
    }

    resp->element = ch;
    resp->line_len = 0;
    resp->state = NGX_HTTP_MARTECH_RESP_LINE;

    if (ch == NGX_HTTP_MARTECH_RESP_STATUS
        || ch == NGX_HTTP_MARTECH_RESP_ERROR)
    {
        ngx_http_martech_resp_scalar(resp);
    }

    return 0;
}


static int
ngx_http_martech_resp_line_end(ngx_http_martech_resp_t *resp)
{
    switch (resp->element) {

    case NGX_HTTP_MARTECH_RESP_BULK:
        return ngx_http_martech_resp_bulk_begin(resp);

    case NGX_HTTP_MARTECH_RESP_ARRAY:
        return ngx_http_martech_resp_array_begin(resp);

    case NGX_HTTP_MARTECH_RESP_NULL:
        return (resp->line_len == 0) ? ngx_http_martech_resp_null(resp) : -1;

    case NGX_HTTP_MARTECH_RESP_INTEGER:
        return ngx_http_martech_resp_integer(resp);

    default:
        return ngx_http_martech_resp_end(resp);
    }
}


static int
ngx_http_martech_resp_integer(ngx_http_martech_resp_t *resp)
{
    size_t  i;

    i = (resp->line_len > 0
         && (resp->line[0] == '-' || resp->line[0] == '+'));

    if (i == resp->line_len || resp->line_len > 20) {
        return -1;
    }

    while (i < resp->line_len && resp->line[i] >= '0' && resp->line[i] <= '9')
    {
        i++;
    }

    if (i < resp->line_len) {
        return -1;
    }

    ngx_http_martech_resp_scalar(resp);
    ngx_http_martech_resp_text(resp, resp->line, resp->line_len);

    return ngx_http_martech_resp_end(resp);
}


static int
ngx_http_martech_resp_bulk_begin(ngx_http_martech_resp_t *resp)
{
    uint32_t  size;

    if (ngx_http_martech_resp_is_null(resp)) {
        return ngx_http_martech_resp_null(resp);
    }

    if (!ngx_http_martech_resp_number(resp, NGX_HTTP_MARTECH_RESP_BULK_MAX,
                                      &size))
    {
        return -1;
    }

    ngx_http_martech_resp_scalar(resp);

    resp->rest = size;
    resp->state = (size > 0) ? NGX_HTTP_MARTECH_RESP_BODY
                             : NGX_HTTP_MARTECH_RESP_BODY_CR;

    return 0;
}


static int
ngx_http_martech_resp_array_begin(ngx_http_martech_resp_t *resp)
{
    uint32_t  count;

    if (ngx_http_martech_resp_is_null(resp)) {
        return ngx_http_martech_resp_null(resp);
    }

    if (!ngx_http_martech_resp_number(resp, NGX_HTTP_MARTECH_RESP_COUNT_MAX
                                            - resp->count, &count)
        || resp->depth == NGX_HTTP_MARTECH_RESP_DEPTH_MAX)
    {
        return -1;
    }

    if (count == 0) {
        return ngx_http_martech_resp_end(resp);
    }

    resp->count += count;
    resp->left[resp->depth++] = count;
    resp->state = NGX_HTTP_MARTECH_RESP_TYPE;

    return 0;
}


/* The length of a bulk or an array; 0 if it is none, or more than max. */

static int
ngx_http_martech_resp_number(const ngx_http_martech_resp_t *resp,
    uint32_t max, uint32_t *n)
{
    size_t  i;

    if (resp->line_len == 0 || resp->line_len > 9) {
        return 0;
    }

    *n = 0;

    for (i = 0; i < resp->line_len; i++) {

        if (resp->line[i] < '0' || resp->line[i] > '9') {
            return 0;
        }

        *n = *n * 10 + (uint32_t) (resp->line[i] - '0');
    }

    return *n <= max;
}


/* "$-1" and "*-1": the nulls of RESP2 */

static int
ngx_http_martech_resp_is_null(const ngx_http_martech_resp_t *resp)
{
    return resp->line_len == 2 && memcmp(resp->line, "-1", 2) == 0;
}


static int
ngx_http_martech_resp_null(ngx_http_martech_resp_t *resp)
{
    if (resp->depth == 0) {
        resp->type = NGX_HTTP_MARTECH_RESP_NULL;
    }

    ngx_http_martech_resp_scalar(resp);

    return ngx_http_martech_resp_end(resp);
}


/* A scalar begins: what follows is its text. */

static void
ngx_http_martech_resp_scalar(ngx_http_martech_resp_t *resp)
{
    if (resp->scalars++ > 0) {
        ngx_http_martech_resp_text(resp, "\n", 1);
    }
}


/* An element is complete, and with it the arrays of which it is the last. */

static int
ngx_http_martech_resp_end(ngx_http_martech_resp_t *resp)
{
    resp->state = NGX_HTTP_MARTECH_RESP_TYPE;

    while (resp->depth > 0) {

        if (--resp->left[resp->depth - 1] > 0) {
            return 0;
        }

        resp->depth--;
    }

    return 1;
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


/*
 * Adds n bytes to the present line.  One that is too long for a number keeps
 * a length that no number has.
 */

static void
ngx_http_martech_resp_line(ngx_http_martech_resp_t *resp,
    const unsigned char *p, size_t n)
{
    size_t  room;

    if (resp->element == NGX_HTTP_MARTECH_RESP_STATUS
        || resp->element == NGX_HTTP_MARTECH_RESP_ERROR)
    {
        ngx_http_martech_resp_text(resp, p, n);
        return;
    }

    room = sizeof(resp->line) - resp->line_len;
    room = (n < room) ? n : room;

    memcpy(resp->line + resp->line_len, p, room);
    resp->line_len += room;
}


/* Adds n bytes to the text, as many as fit. */

static void
ngx_http_martech_resp_text(ngx_http_martech_resp_t *resp, const void *p,
    size_t n)
{
    size_t  room;

    room = sizeof(resp->text) - resp->len;

    if (n > room) {
        resp->cut = 1;
        n = room;
    }

    memcpy(resp->text + resp->len, p, n);
    resp->len += n;
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
