
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * From an endpoint to a connection that is ready:
 *
 *     address --> connect --> TLS --> the caller's
 *
 * One timer is the deadline of all of it.
 */


#include "ngx_http_martech_net.h"


static void ngx_http_martech_dial_resolved(ngx_http_martech_lookup_t *lookup);
static void ngx_http_martech_dial_write_handler(ngx_event_t *wev);
static void ngx_http_martech_dial_read_handler(ngx_event_t *rev);
static ngx_err_t ngx_http_martech_dial_connected(ngx_connection_t *c);
static void ngx_http_martech_dial_secured(ngx_http_martech_tls_t *tls,
    ngx_uint_t ok);
static void ngx_http_martech_dial_timeout(ngx_event_t *ev);
static void ngx_http_martech_dial_fail(ngx_http_martech_dial_t *dial,
    ngx_err_t err, const char *what, const char *why);


void
ngx_http_martech_dial(ngx_http_martech_dial_t *dial)
{
    dial->active = 1;
    dial->err = 0;
    dial->error[0] = '\0';
    dial->peer.connection = NULL;
    dial->tls.error[0] = '\0';

    dial->quiet = *dial->log;
    dial->quiet.log_level = NGX_LOG_EMERG;

    dial->dummy.fd = (ngx_socket_t) -1;
    dial->dummy.data = dial;

    ngx_memzero(&dial->timer, sizeof(ngx_event_t));

    dial->timer.handler = ngx_http_martech_dial_timeout;
    dial->timer.data = &dial->dummy;
    dial->timer.log = dial->log;
    dial->timer.cancelable = 1;

    ngx_add_timer(&dial->timer, dial->timeout);

    dial->lookup.resolver = dial->server->resolver;
    dial->lookup.timeout = dial->timeout;

    if (dial->endpoint->naddrs > 0) {

        /* a resolver that is silent must leave time for what we have */

        dial->lookup.timeout = 1 + dial->timeout / 2;
    }

    dial->lookup.log = dial->log;
    dial->lookup.handler = ngx_http_martech_dial_resolved;
    dial->lookup.data = dial;

    ngx_http_martech_resolve(&dial->lookup, dial->endpoint);
}


void
ngx_http_martech_dial_cancel(ngx_http_martech_dial_t *dial)
{
    ngx_connection_t  *c;

    if (!dial->active) {
        return;
    }

    dial->active = 0;

    ngx_http_martech_resolve_cancel(&dial->lookup);

    if (dial->timer.timer_set) {
        ngx_del_timer(&dial->timer);
    }

    c = dial->peer.connection;

    if (c) {
        dial->peer.connection = NULL;
        ngx_http_martech_tls_close(c);
    }
}


static void
ngx_http_martech_dial_resolved(ngx_http_martech_lookup_t *lookup)
{
    ngx_int_t                 rc;
    ngx_connection_t         *c;
    ngx_peer_connection_t    *peer;
    ngx_http_martech_dial_t  *dial;

    dial = lookup->data;

    if (lookup->socklen == 0) {
        ngx_http_martech_dial_fail(dial, 0, "cannot resolve", lookup->error);
        return;
    }

    peer = &dial->peer;

    ngx_memzero(peer, sizeof(ngx_peer_connection_t));

    peer->sockaddr = &lookup->sockaddr.sockaddr;
    peer->socklen = lookup->socklen;
    peer->name = &dial->endpoint->name;
    peer->get = ngx_event_get_peer;
    peer->log = &dial->quiet;
    peer->log_error = NGX_ERROR_INFO;
    peer->so_keepalive = 1;

    ngx_set_socket_errno(0);

    rc = ngx_event_connect_peer(peer);

    if (rc == NGX_ERROR || rc == NGX_BUSY || rc == NGX_DECLINED) {
        ngx_http_martech_dial_fail(dial, ngx_socket_errno, "cannot connect",
                                   NULL);
        return;
    }

    c = peer->connection;

    c->data = dial;
    c->log = dial->log;
    c->read->log = dial->log;
    c->write->log = dial->log;
    c->read->handler = ngx_http_martech_dial_read_handler;
    c->write->handler = ngx_http_martech_dial_write_handler;
    c->sendfile = 0;

    /* a worker that shuts down calls the read handler of idle connections */

    c->idle = 1;

    if (rc == NGX_OK) {
        ngx_http_martech_dial_write_handler(c->write);
    }
}


static void
ngx_http_martech_dial_write_handler(ngx_event_t *wev)
{
    ngx_err_t                 err;
    ngx_connection_t         *c;
    ngx_http_martech_dial_t  *dial;

    c = wev->data;
    dial = c->data;

    err = ngx_http_martech_dial_connected(c);

    if (err) {
        ngx_http_martech_dial_fail(dial, err, "cannot connect", NULL);
        return;
    }

    dial->tls.handler = ngx_http_martech_dial_secured;
    dial->tls.data = dial;

    if (dial->server->ssl) {
        ngx_http_martech_tls_start(&dial->tls, c, dial->server,
                                   dial->endpoint);
        return;
    }

    ngx_http_martech_dial_secured(&dial->tls, 1);
}


/* A refused connection becomes readable as well as writable. */

static void
ngx_http_martech_dial_read_handler(ngx_event_t *rev)
{
    ngx_connection_t         *c;
    ngx_http_martech_dial_t  *dial;

    c = rev->data;
    dial = c->data;

    if (c->close) {

        /* called by a worker that shuts down; "error": it waits no longer */

        c->close = 0;

        if (c->error) {
            ngx_http_martech_dial_fail(dial, 0, "the worker shuts down",
                                       NULL);
        }

        return;
    }

    ngx_http_martech_dial_write_handler(c->write);
}


/* The error of a connect that has ended, or 0. */

static ngx_err_t
ngx_http_martech_dial_connected(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        return ngx_socket_errno;
    }

    if (err == 0 && c->tcp_nodelay == NGX_TCP_NODELAY_UNSET
        && ngx_tcp_nodelay(c) != NGX_OK)
    {
        return ngx_socket_errno;
    }

    return err;
}


static void
ngx_http_martech_dial_secured(ngx_http_martech_tls_t *tls, ngx_uint_t ok)
{
    ngx_connection_t         *c;
    ngx_http_martech_dial_t  *dial;

    dial = tls->data;
    c = dial->peer.connection;

    if (!ok) {
        ngx_http_martech_dial_fail(dial, 0, "TLS", (char *) tls->error);
        return;
    }

    dial->active = 0;
    dial->peer.connection = NULL;

    ngx_del_timer(&dial->timer);

    /* it may be set since the handshake: a read must not be taken for it */

    c->close = 0;

    dial->handler(dial, c);
}


static void
ngx_http_martech_dial_timeout(ngx_event_t *ev)
{
    const char               *why;
    ngx_connection_t         *dummy, *c;
    ngx_http_martech_dial_t  *dial;

    dummy = ev->data;
    dial = dummy->data;
    c = dial->peer.connection;

    why = NULL;

    if (c == NULL) {
        why = "the resolver does not answer in time";

#if (NGX_SSL)

    } else if (c->ssl) {
        why = "no TLS handshake in time";

#endif

    }

    ngx_http_martech_dial_fail(dial, NGX_ETIMEDOUT, "cannot connect", why);
}


static void
ngx_http_martech_dial_fail(ngx_http_martech_dial_t *dial, ngx_err_t err,
    const char *what, const char *why)
{
    ngx_http_martech_error_set(dial->error, why ? "%s: %s" : "%s", what, why);

    dial->err = err;

    ngx_http_martech_dial_cancel(dial);

    dial->handler(dial, NULL);
}
