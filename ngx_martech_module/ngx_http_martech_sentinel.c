
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Who is the master: asks one sentinel after the other.  One that does not
 * answer or does not know the name is no proof that there is no master, so
 * all of them are asked before we give up.
 */


#include "ngx_http_martech_net.h"


static void ngx_http_martech_sentinel_ask(
    ngx_http_martech_sentinel_t *sentinel);
static void ngx_http_martech_sentinel_answer(ngx_http_martech_query_t *query,
    ngx_uint_t ok);
static ngx_http_martech_endpoint_t *ngx_http_martech_sentinel_master(
    ngx_http_martech_sentinel_t *sentinel, ngx_http_martech_resp_t *resp);
static void ngx_http_martech_sentinel_first(
    ngx_http_martech_sentinel_t *sentinel);


void
ngx_http_martech_sentinel(ngx_http_martech_sentinel_t *sentinel)
{
    ngx_uint_t  i;

    if (!sentinel->ordered) {

        for (i = 0; i < sentinel->server->nendpoints; i++) {
            sentinel->order[i] = i;
        }

        sentinel->ordered = 1;
    }

    sentinel->asked = 0;
    sentinel->error[0] = '\0';

    ngx_http_martech_sentinel_ask(sentinel);
}


void
ngx_http_martech_sentinel_cancel(ngx_http_martech_sentinel_t *sentinel)
{
    ngx_http_martech_query_cancel(&sentinel->query);
}


/*
 * A sentinel that was cut off from the others goes on naming the master that
 * it knew.
 */

void
ngx_http_martech_sentinel_doubt(ngx_http_martech_sentinel_t *sentinel)
{
    ngx_uint_t  i, first;

    if (!sentinel->ordered) {
        return;
    }

    first = sentinel->order[0];

    for (i = 1; i < sentinel->server->nendpoints; i++) {
        sentinel->order[i - 1] = sentinel->order[i];
    }

    sentinel->order[i - 1] = first;
}


static void
ngx_http_martech_sentinel_ask(ngx_http_martech_sentinel_t *sentinel)
{
    u_char                      command[256];
    ngx_str_t                   args[3];
    ngx_http_martech_query_t   *query;
    ngx_http_martech_server_t  *server;

    server = sentinel->server;
    query = &sentinel->query;

    ngx_str_set(&args[0], "SENTINEL");
    ngx_str_set(&args[1], "get-master-addr-by-name");
    args[2] = server->master;

    query->command.data = command;
    query->command.len = ngx_http_martech_query_write(command, 3, args)
                         - command;
    query->count = 1;

    query->server = server;
    query->endpoint = &server->endpoints[sentinel->order[sentinel->asked]];
    query->login = &server->sentinel_login;
    query->timeout = server->connect_timeout;
    query->log = sentinel->log;
    query->handler = ngx_http_martech_sentinel_answer;
    query->data = sentinel;

    ngx_http_martech_query(query);
}


static void
ngx_http_martech_sentinel_answer(ngx_http_martech_query_t *query,
    ngx_uint_t ok)
{
    ngx_http_martech_resp_t      *resp;
    ngx_http_martech_endpoint_t  *master;
    ngx_http_martech_sentinel_t  *sentinel;

    sentinel = query->data;
    resp = &query->replies[0];

    if (!ok) {
        ngx_http_martech_error_set(sentinel->error, "sentinel %V: %s",
                                   &query->endpoint->name, query->error);

    } else if (resp->type == NGX_HTTP_MARTECH_RESP_ERROR) {
        ngx_http_martech_error_set(sentinel->error, "sentinel %V: %*s",
                                   &query->endpoint->name,
                                   ngx_http_martech_query_quotable(resp),
                                   resp->text);

    } else {
        master = ngx_http_martech_sentinel_master(sentinel, resp);

        if (master) {
            ngx_http_martech_sentinel_first(sentinel);
            sentinel->handler(sentinel, master);
            return;
        }

        ngx_http_martech_error_set(sentinel->error,
                                   "sentinel %V: knows no master \"%V\"",
                                   &query->endpoint->name,
                                   &sentinel->server->master);
    }

    if (query->denied) {

        /* a new password is tried with the next round */

        (void) ngx_http_martech_secret_reload(
                   &sentinel->server->sentinel_login.password, sentinel->log);
    }

    if (++sentinel->asked < sentinel->server->nendpoints) {
        ngx_http_martech_sentinel_ask(sentinel);
        return;
    }

    sentinel->handler(sentinel, NULL);
}


/* The reply is an array of two, host and port; or null. */

static ngx_http_martech_endpoint_t *
ngx_http_martech_sentinel_master(ngx_http_martech_sentinel_t *sentinel,
    ngx_http_martech_resp_t *resp)
{
    u_char     *p, *last;
    ngx_str_t   host, port;

    if (resp->type != NGX_HTTP_MARTECH_RESP_ARRAY || resp->cut) {
        return NULL;
    }

    p = (u_char *) resp->text;
    last = p + resp->len;

    host.data = p;
    p = ngx_strlchr(p, last, LF);

    if (p == NULL) {
        return NULL;
    }

    host.len = p - host.data;
    port.data = p + 1;
    port.len = last - port.data;

    return ngx_http_martech_endpoint_create(&host, &port, NULL,
                                            sentinel->log);
}


/* The sentinel that knew is asked first the next time. */

static void
ngx_http_martech_sentinel_first(ngx_http_martech_sentinel_t *sentinel)
{
    ngx_uint_t  i, index;

    index = sentinel->order[sentinel->asked];

    for (i = sentinel->asked; i > 0; i--) {
        sentinel->order[i] = sentinel->order[i - 1];
    }

    sentinel->order[0] = index;
}
