
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the connections to Redis are made of.  It knows NGINX, but neither
 * events nor rings.  Reading order, each needs those above it:
 *
 *     secret      a password in a file, that may change
 *     resolve     endpoints, and the address of one
 *     tls         the handshake and who the server is
 *     dial        from an endpoint to a connection that is ready
 *     query       one request to a server, and its replies
 *     sentinel    who is the master
 *
 * redis_conf reads "martech_redis" into ngx_http_martech_server_t.
 *
 * The objects here belong to the caller, who zeroes them once, sets the public
 * members and then starts them.  A handler is called exactly once for each
 * start, possibly before the start returns, and may free the object: the
 * caller must not touch it after the start unless it knows that the handler
 * was not called.  A cancel may come at any time, also when nothing is under
 * way; no handler is called after it.  All timers are cancelable: none of them
 * keeps a worker that shuts down.
 */


#ifndef _NGX_HTTP_MARTECH_NET_H_INCLUDED_
#define _NGX_HTTP_MARTECH_NET_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include "ngx_http_martech_resp.h"


#define NGX_HTTP_MARTECH_ENDPOINTS_MAX  32
#define NGX_HTTP_MARTECH_HOST_MAX       255    /* bytes of a name */
#define NGX_HTTP_MARTECH_ERROR_MAX      256    /* with its final zero */
#define NGX_HTTP_MARTECH_SECRET_MAX     65536  /* bytes of a password file */
#define NGX_HTTP_MARTECH_QUERY_MAX      4      /* replies of a query */


/* Writes a text for "error": cut to fit, and terminated. */
#define ngx_http_martech_error_set(error, ...)                                \
    *ngx_slprintf(error, (error) + NGX_HTTP_MARTECH_ERROR_MAX - 1,            \
                  __VA_ARGS__) = '\0'


/* ---- secret ---- */

typedef struct {
    ngx_str_t    path;             /* with a final zero; len 0: no secret */
    ngx_str_t    value;            /* never logged; _reload() replaces it */
    ngx_msec_t   tried;            /* ngx_current_msec of the last reload */
    time_t       logged;           /* last fault in the error log */
    unsigned     reloaded:1;       /* tried is valid */
} ngx_http_martech_secret_t;


/* Who we are for a server. */
typedef struct {
    ngx_str_t                  user;     /* len 0: the default user */
    ngx_http_martech_secret_t  password;
} ngx_http_martech_login_t;


/*
 * Reads the file at configuration time, as the user that starts NGINX; what
 * is wrong is logged.  The value without its last line breaks is in memory of
 * its own, which is wiped with the configuration.
 */
ngx_int_t ngx_http_martech_secret_load(ngx_conf_t *cf,
    ngx_http_martech_secret_t *secret, ngx_str_t *path);

/*
 * Reads it again in a worker: blocking, but a small regular file, and at most
 * once per second.  NGX_OK: there is a new value, the old one is wiped;
 * NGX_DECLINED: nothing has changed, or it is too soon to look; NGX_ERROR: it
 * cannot be read, the old value stays, log says why (once per minute).
 */
ngx_int_t ngx_http_martech_secret_reload(ngx_http_martech_secret_t *secret,
    ngx_log_t *log);

/* AUTH for a login: bytes of the command, 0 without a password. */
size_t ngx_http_martech_login_size(ngx_http_martech_login_t *login);
u_char *ngx_http_martech_login_write(u_char *p,
    ngx_http_martech_login_t *login);


/* ---- resolve ---- */

typedef struct {
    ngx_str_t       name;          /* "host:port", "[IPv6]:port" or
                                      "unix:PATH": for logs */
    ngx_str_t       host;          /* without brackets; path of a socket.
                                      Terminated by a zero */
    in_port_t       port;          /* 0: a unix socket */
    ngx_addr_t     *addrs;         /* without a resolver; may be none */
    ngx_uint_t      naddrs;
    unsigned        literal:1;     /* host is an address or a path */

    /* private */
    ngx_sockaddr_t  last;          /* the address that was used last */
    socklen_t       last_len;      /* 0: none so far */
    void           *session;       /* of TLS, to resume */
} ngx_http_martech_endpoint_t;


/*
 * An endpoint from what a server says, as host and port or as "host:port" (an
 * IPv6 address may stand without brackets).  An empty host or "?" is that of
 * self, the endpoint that said so; self may be NULL.  NULL: out of memory, or
 * the text is no endpoint.
 */
ngx_http_martech_endpoint_t *ngx_http_martech_endpoint_create(
    ngx_str_t *host, ngx_str_t *port, ngx_http_martech_endpoint_t *self,
    ngx_log_t *log);
ngx_http_martech_endpoint_t *ngx_http_martech_endpoint_parse(ngx_str_t *text,
    ngx_http_martech_endpoint_t *self, ngx_log_t *log);

/*
 * Only for endpoints from one of the above; NULL is allowed.  Close the
 * connections that were made with it before.
 */
void ngx_http_martech_endpoint_destroy(ngx_http_martech_endpoint_t *endpoint);

/* 1 if it may be a name or an address, without brackets. */
ngx_uint_t ngx_http_martech_endpoint_valid(ngx_str_t *host);

/* 1 if both have the same host and port. */
ngx_uint_t ngx_http_martech_endpoint_same(ngx_http_martech_endpoint_t *one,
    ngx_http_martech_endpoint_t *two);


typedef struct ngx_http_martech_lookup_s  ngx_http_martech_lookup_t;

typedef void (*ngx_http_martech_lookup_pt)(ngx_http_martech_lookup_t *lookup);

struct ngx_http_martech_lookup_s {
    ngx_resolver_t               *resolver;    /* or NULL */
    ngx_msec_t                    timeout;     /* of the resolver, > 0 */
    ngx_log_t                    *log;
    ngx_http_martech_lookup_pt    handler;
    void                         *data;        /* the caller's */

    /* for the handler */
    ngx_sockaddr_t                sockaddr;    /* with the port */
    socklen_t                     socklen;     /* 0: there is no address */
    const char                   *error;       /* then: why */

    /* private */
    ngx_http_martech_endpoint_t  *endpoint;
    ngx_resolver_ctx_t           *ctx;
};


/*
 * Finds an address: that of a literal; else one that the resolver gives; else,
 * or if it fails, one from configuration time.  Of several the next is taken
 * each time, beginning anywhere.  The endpoint must live until the handler.
 */
void ngx_http_martech_resolve(ngx_http_martech_lookup_t *lookup,
    ngx_http_martech_endpoint_t *endpoint);
void ngx_http_martech_resolve_cancel(ngx_http_martech_lookup_t *lookup);


/* ---- redis_conf ---- */

typedef enum {
    NGX_HTTP_MARTECH_MODE_SINGLE = 0,
    NGX_HTTP_MARTECH_MODE_SENTINEL,
    NGX_HTTP_MARTECH_MODE_CLUSTER
} ngx_http_martech_mode_e;


/* "martech_redis" */
typedef struct {
    ngx_http_martech_mode_e       mode;
    ngx_http_martech_endpoint_t  *endpoints;   /* as configured: the server,
                                                  sentinels, or some nodes */
    ngx_uint_t                    nendpoints;  /* 0: no directive */
    ngx_str_t                     master;      /* its name, with sentinels */
    ngx_int_t                     database;
    ngx_http_martech_login_t      login;
    ngx_http_martech_login_t      sentinel_login;
    ngx_msec_t                    connect_timeout;
    ngx_msec_t                    timeout;
    ngx_uint_t                    wait_replicas;   /* 0: do not wait */
    ngx_msec_t                    wait_ms;
    ngx_resolver_t               *resolver;    /* of http, or NULL */
    ngx_ssl_t                    *ssl;         /* NULL: without TLS */
    ngx_str_t                     tls_name;    /* len 0: the host's */

    /* private: until the directive is complete */
    unsigned                      tls:1;
    ngx_str_t                     tls_ca;
    ngx_str_t                     tls_certificate;
    ngx_str_t                     tls_key;
    uint32_t                      given;       /* parameters, by index */
} ngx_http_martech_server_t;


/*
 * To be called at postconfiguration: finds the resolver of http, and fails
 * with a message if a name has no address and there is none.
 */
ngx_int_t ngx_http_martech_server_prepare(ngx_conf_t *cf,
    ngx_http_martech_server_t *server);


/* ---- tls ---- */

/* Makes server->ssl; what is wrong is logged.  Without SSL always fails. */
ngx_int_t ngx_http_martech_tls_create(ngx_conf_t *cf,
    ngx_http_martech_server_t *server);


typedef struct ngx_http_martech_tls_s  ngx_http_martech_tls_t;

typedef void (*ngx_http_martech_tls_pt)(ngx_http_martech_tls_t *tls,
    ngx_uint_t ok);

struct ngx_http_martech_tls_s {
    ngx_http_martech_tls_pt       handler;
    void                         *data;        /* the caller's */

    /*
     * What failed, a text.  For the handler; and later, instead of the log,
     * for whom a read or write fails.  Empty: nothing.
     */
    u_char                        error[NGX_HTTP_MARTECH_ERROR_MAX];

    /* private */
    ngx_connection_t             *connection;
    ngx_http_martech_endpoint_t  *endpoint;
    ngx_str_t                     name;        /* who the server must be */
    ngx_log_t                     log;         /* takes OpenSSL's words */
    ngx_event_handler_pt          saved_read;
    ngx_event_handler_pt          saved_write;
};


/*
 * The handshake on a connection, and the check of the server's certificate.
 * The connection's handlers are ours until the end and then as before; a
 * timer on c->read is taken as the deadline; c->data is not used.  When it
 * fails the caller closes the connection.  Cancel it by closing it.
 *
 * tls and endpoint must live as long as the connection: c->log is tls->log,
 * and sessions to resume come later.
 */
void ngx_http_martech_tls_start(ngx_http_martech_tls_t *tls,
    ngx_connection_t *c, ngx_http_martech_server_t *server,
    ngx_http_martech_endpoint_t *endpoint);

/* Forgets the session of an endpoint. */
void ngx_http_martech_tls_forget(ngx_http_martech_endpoint_t *endpoint);

/* Closes a connection with or without TLS, at once and for good. */
void ngx_http_martech_tls_close(ngx_connection_t *c);


/* ---- dial ---- */

typedef struct ngx_http_martech_dial_s  ngx_http_martech_dial_t;

/* c is NULL if it failed: see err and error. */
typedef void (*ngx_http_martech_dial_pt)(ngx_http_martech_dial_t *dial,
    ngx_connection_t *c);

struct ngx_http_martech_dial_s {
    ngx_http_martech_server_t    *server;      /* resolver and TLS */
    ngx_http_martech_endpoint_t  *endpoint;
    ngx_msec_t                    timeout;     /* for all of it, > 0 */
    ngx_log_t                    *log;         /* of the connection */
    ngx_http_martech_dial_pt      handler;
    void                         *data;        /* the caller's */

    /* for the handler */
    ngx_err_t                     err;         /* 0 or of the system */
    u_char                        error[NGX_HTTP_MARTECH_ERROR_MAX];
                                               /* what failed; a text */

    /* private */
    ngx_http_martech_lookup_t     lookup;
    ngx_peer_connection_t         peer;
    ngx_http_martech_tls_t        tls;         /* error: see there */
    ngx_log_t                     quiet;
    ngx_event_t                   timer;
    ngx_connection_t              dummy;       /* for the timer's log lines */
    unsigned                      active:1;
};


/*
 * Resolves, connects, and makes TLS if server->ssl.  The connection is the
 * handler's from then on: it sets c->data and both handlers, and closes it by
 * ngx_http_martech_tls_close().  It is writable, has no timer, and c->idle is
 * set, so that the read handler is called with c->close when the worker shuts
 * down; if it does so already, only ngx_exiting tells.  With TLS, dial and
 * endpoint must live as long as the connection.
 */
void ngx_http_martech_dial(ngx_http_martech_dial_t *dial);
void ngx_http_martech_dial_cancel(ngx_http_martech_dial_t *dial);


/* ---- query ---- */

typedef struct ngx_http_martech_query_s  ngx_http_martech_query_t;

typedef void (*ngx_http_martech_query_pt)(ngx_http_martech_query_t *query,
    ngx_uint_t ok);

struct ngx_http_martech_query_s {
    ngx_http_martech_server_t    *server;
    ngx_http_martech_endpoint_t  *endpoint;
    ngx_http_martech_login_t     *login;       /* NULL: no AUTH; copied */
    ngx_str_t                     command;     /* one or more; copied */
    ngx_uint_t                    count;       /* of commands, 1 to _MAX */
    ngx_msec_t                    timeout;     /* for all of it, > 0 */
    ngx_log_t                    *log;
    ngx_http_martech_query_pt     handler;
    void                         *data;        /* the caller's */

    /*
     * For the handler.  ok: all replies are there, which may be errors.
     * Else error tells what failed, and denied whether it is the login.
     */
    ngx_http_martech_resp_t       replies[NGX_HTTP_MARTECH_QUERY_MAX];
    ngx_err_t                     err;
    u_char                        error[NGX_HTTP_MARTECH_ERROR_MAX];
    unsigned                      denied:1;

    /* private */
    unsigned                      auth:1;      /* its reply comes first */
    unsigned                      active:1;
    ngx_http_martech_dial_t       dial;
    ngx_connection_t             *connection;
    ngx_http_martech_resp_t       resp;
    ngx_uint_t                    done;        /* replies so far */
    ngx_msec_t                    start;
    ngx_str_t                     out;         /* AUTH and command */
    size_t                        sent;
    ngx_event_t                   timer;
    ngx_connection_t              dummy;
};


/* Connects, asks, takes the replies and closes.  NGINX's memory only. */
void ngx_http_martech_query(ngx_http_martech_query_t *query);
void ngx_http_martech_query_cancel(ngx_http_martech_query_t *query);

/*
 * A command of n arguments in the protocol of Redis: the most bytes it may
 * have, and the writer, which returns the end.
 */
size_t ngx_http_martech_query_size(ngx_uint_t n, ngx_str_t *args);
u_char *ngx_http_martech_query_write(u_char *p, ngx_uint_t n,
    ngx_str_t *args);

/* Bytes of an error reply that may be logged: it may repeat arguments. */
size_t ngx_http_martech_query_quotable(ngx_http_martech_resp_t *resp);


/* ---- sentinel ---- */

typedef struct ngx_http_martech_sentinel_s  ngx_http_martech_sentinel_t;

/*
 * The master is the handler's, who destroys it; NULL: no sentinel knows one,
 * error tells what the last one did.
 */
typedef void (*ngx_http_martech_sentinel_pt)(
    ngx_http_martech_sentinel_t *sentinel,
    ngx_http_martech_endpoint_t *master);

struct ngx_http_martech_sentinel_s {
    ngx_http_martech_server_t    *server;
    ngx_log_t                    *log;
    ngx_http_martech_sentinel_pt  handler;
    void                         *data;        /* the caller's */

    /* for the handler */
    u_char                        error[NGX_HTTP_MARTECH_ERROR_MAX];

    /* private */
    ngx_http_martech_query_t      query;
    ngx_uint_t                    asked;       /* sentinels of this round */
    ngx_uint_t                    ordered;     /* order is valid */
    ngx_uint_t                    order[NGX_HTTP_MARTECH_ENDPOINTS_MAX];
};


/*
 * Asks the sentinels one after the other, each within connect_timeout; the
 * one that knows is asked first the next time.  The caller has to check by
 * ROLE that the master is one.
 */
void ngx_http_martech_sentinel(ngx_http_martech_sentinel_t *sentinel);
void ngx_http_martech_sentinel_cancel(ngx_http_martech_sentinel_t *sentinel);

/* The master it gave was of no use: another one is asked first. */
void ngx_http_martech_sentinel_doubt(ngx_http_martech_sentinel_t *sentinel);


#endif /* _NGX_HTTP_MARTECH_NET_H_INCLUDED_ */
