
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * One request to a server, on a connection of its own: what we ask of
 * sentinels and nodes now and then.  It is not for events.
 */


#include "ngx_http_martech_net.h"


#define NGX_HTTP_MARTECH_QUERY_BUFFER  4096


static ngx_int_t ngx_http_martech_query_compose(
    ngx_http_martech_query_t *query);
static void ngx_http_martech_query_dialed(ngx_http_martech_dial_t *dial,
    ngx_connection_t *c);
static void ngx_http_martech_query_write_handler(ngx_event_t *wev);
static void ngx_http_martech_query_read_handler(ngx_event_t *rev);
static ngx_int_t ngx_http_martech_query_parse(
    ngx_http_martech_query_t *query, const u_char *p, const u_char *end);
static ngx_int_t ngx_http_martech_query_reply(
    ngx_http_martech_query_t *query);
static void ngx_http_martech_query_timeout(ngx_event_t *ev);
static void ngx_http_martech_query_lost(ngx_http_martech_query_t *query,
    const char *what);
static void ngx_http_martech_query_fail(ngx_http_martech_query_t *query,
    ngx_err_t err, const char *what);


void
ngx_http_martech_query(ngx_http_martech_query_t *query)
{
    query->active = 1;
    query->denied = 0;
    query->err = 0;
    query->error[0] = '\0';
    query->connection = NULL;
    query->done = 0;
    query->sent = 0;
    query->start = ngx_current_msec;

    query->dummy.fd = (ngx_socket_t) -1;
    query->dummy.data = query;

    ngx_memzero(&query->resp, sizeof(ngx_http_martech_resp_t));
    ngx_memzero(&query->timer, sizeof(ngx_event_t));

    query->timer.handler = ngx_http_martech_query_timeout;
    query->timer.data = &query->dummy;
    query->timer.log = query->log;
    query->timer.cancelable = 1;

    if (ngx_http_martech_query_compose(query) != NGX_OK) {
        ngx_http_martech_query_fail(query, 0, "no memory");
        return;
    }

    query->dial.server = query->server;
    query->dial.endpoint = query->endpoint;
    query->dial.timeout = query->timeout;
    query->dial.log = query->log;
    query->dial.handler = ngx_http_martech_query_dialed;
    query->dial.data = query;

    ngx_http_martech_dial(&query->dial);
}


void
ngx_http_martech_query_cancel(ngx_http_martech_query_t *query)
{
    ngx_connection_t  *c;

    if (!query->active) {
        return;
    }

    query->active = 0;

    ngx_http_martech_dial_cancel(&query->dial);

    c = query->connection;

    if (c) {
        query->connection = NULL;
        ngx_http_martech_tls_close(c);
    }

    if (query->timer.timer_set) {
        ngx_del_timer(&query->timer);
    }

    if (query->out.data) {

        /* it may have a password in it */

        ngx_explicit_memzero(query->out.data, query->out.len);
        ngx_free(query->out.data);
        ngx_str_null(&query->out);
    }
}


/* AUTH and the command in one piece: they go out together. */

static ngx_int_t
ngx_http_martech_query_compose(ngx_http_martech_query_t *query)
{
    u_char  *p;
    size_t   size;

    size = ngx_http_martech_login_size(query->login);

    query->auth = (size > 0);

    p = ngx_alloc(size + query->command.len, query->log);

    if (p == NULL) {
        return NGX_ERROR;
    }

    query->out.data = p;

    p = ngx_http_martech_login_write(p, query->login);
    p = ngx_cpymem(p, query->command.data, query->command.len);

    query->out.len = p - query->out.data;

    return NGX_OK;
}


static void
ngx_http_martech_query_dialed(ngx_http_martech_dial_t *dial,
    ngx_connection_t *c)
{
    ngx_msec_t                 elapsed;
    ngx_http_martech_query_t  *query;

    query = dial->data;

    if (c == NULL) {
        ngx_http_martech_query_fail(query, dial->err, (char *) dial->error);
        return;
    }

    query->connection = c;

    elapsed = ngx_current_msec - query->start;

    ngx_add_timer(&query->timer, (elapsed < query->timeout)
                                 ? query->timeout - elapsed : 1);

    c->data = query;
    c->read->handler = ngx_http_martech_query_read_handler;
    c->write->handler = ngx_http_martech_query_write_handler;

    ngx_http_martech_query_write_handler(c->write);
}


static void
ngx_http_martech_query_write_handler(ngx_event_t *wev)
{
    ssize_t                    n;
    ngx_connection_t          *c;
    ngx_http_martech_query_t  *query;

    c = wev->data;
    query = c->data;

    while (query->sent < query->out.len) {
        n = c->send(c, query->out.data + query->sent,
                    query->out.len - query->sent);

        if (n == NGX_ERROR) {
            ngx_http_martech_query_lost(query, "cannot send");
            return;
        }

        if (n == NGX_AGAIN || n == 0) {
            break;
        }

        query->sent += n;
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_http_martech_query_fail(query, 0, "event failed");
    }
}


static void
ngx_http_martech_query_read_handler(ngx_event_t *rev)
{
    u_char                     buf[NGX_HTTP_MARTECH_QUERY_BUFFER];
    ssize_t                    n;
    ngx_connection_t          *c;
    ngx_http_martech_query_t  *query;

    c = rev->data;
    query = c->data;

    if (c->close) {

        /* a worker that shuts down may need the answer still, to store */

        c->close = 0;

        if (c->error) {
            ngx_http_martech_query_fail(query, 0, "the worker shuts down");
            return;
        }
    }

    for ( ;; ) {
        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_http_martech_query_lost(query, "connection lost");
            return;
        }

        if (ngx_http_martech_query_parse(query, buf, buf + n) != NGX_OK) {
            return;
        }
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_martech_query_fail(query, 0, "event failed");
    }
}


/* NGX_DONE: the query is over. */

static ngx_int_t
ngx_http_martech_query_parse(ngx_http_martech_query_t *query,
    const u_char *p, const u_char *end)
{
    int  rc;

    for ( ;; ) {
        rc = ngx_http_martech_resp_parse(&query->resp, &p, end);

        if (rc == 0) {
            return NGX_OK;
        }

        if (rc < 0) {
            ngx_http_martech_query_fail(query, 0, "sends what is no reply");
            return NGX_DONE;
        }

        if (ngx_http_martech_query_reply(query) != NGX_OK) {
            return NGX_DONE;
        }
    }
}


static ngx_int_t
ngx_http_martech_query_reply(ngx_http_martech_query_t *query)
{
    u_char                    text[NGX_HTTP_MARTECH_ERROR_MAX];
    ngx_uint_t                i;
    ngx_http_martech_resp_t  *resp;

    resp = &query->resp;
    i = query->done++;

    if (resp->type == NGX_HTTP_MARTECH_RESP_ERROR
        && ngx_http_martech_resp_class(resp->text, resp->len)
           == NGX_HTTP_MARTECH_REDIS_DENIED)
    {
        query->denied = 1;
    }

    if (query->auth) {

        if (i == 0) {

            if (resp->type != NGX_HTTP_MARTECH_RESP_ERROR) {
                return NGX_OK;
            }

            ngx_http_martech_error_set(text, "refuses us: %*s",
                                       ngx_http_martech_query_quotable(resp),
                                       resp->text);

            ngx_http_martech_query_fail(query, 0, (char *) text);
            return NGX_DONE;
        }

        i--;
    }

    query->replies[i] = *resp;

    if (i + 1 < query->count) {
        return NGX_OK;
    }

    ngx_http_martech_query_cancel(query);

    query->handler(query, 1);

    return NGX_DONE;
}


static void
ngx_http_martech_query_timeout(ngx_event_t *ev)
{
    ngx_connection_t          *dummy;
    ngx_http_martech_query_t  *query;

    dummy = ev->data;
    query = dummy->data;

    ngx_http_martech_query_fail(query, NGX_ETIMEDOUT,
                                "does not answer in time");
}


/* TLS knows better why, if it says anything. */

static void
ngx_http_martech_query_lost(ngx_http_martech_query_t *query, const char *what)
{
    if (query->dial.tls.error[0] != '\0') {
        what = (char *) query->dial.tls.error;
    }

    ngx_http_martech_query_fail(query, 0, what);
}


static void
ngx_http_martech_query_fail(ngx_http_martech_query_t *query, ngx_err_t err,
    const char *what)
{
    query->err = err;

    ngx_http_martech_error_set(query->error, "%s", what);

    ngx_http_martech_query_cancel(query);

    query->handler(query, 0);
}


size_t
ngx_http_martech_query_size(ngx_uint_t n, ngx_str_t *args)
{
    size_t      size;
    ngx_uint_t  i;

    size = sizeof("*" CRLF) - 1 + NGX_INT_T_LEN;

    for (i = 0; i < n; i++) {
        size += sizeof("$" CRLF CRLF) - 1 + NGX_SIZE_T_LEN + args[i].len;
    }

    return size;
}


u_char *
ngx_http_martech_query_write(u_char *p, ngx_uint_t n, ngx_str_t *args)
{
    ngx_uint_t  i;

    p = ngx_sprintf(p, "*%ui" CRLF, n);

    for (i = 0; i < n; i++) {
        p = ngx_sprintf(p, "$%uz" CRLF, args[i].len);
        p = ngx_cpymem(p, args[i].data, args[i].len);
        *p++ = CR;
        *p++ = LF;
    }

    return p;
}


/*
 * A server that does not know a command repeats its arguments, in quotes; our
 * commands have passwords among them.
 */

size_t
ngx_http_martech_query_quotable(ngx_http_martech_resp_t *resp)
{
    size_t  n;

    for (n = 0; n < resp->len; n++) {

        if (resp->text[n] == '\'' || resp->text[n] == '`'
            || resp->text[n] == '"' || resp->text[n] < ' ')
        {
            break;
        }
    }

    return n;
}
