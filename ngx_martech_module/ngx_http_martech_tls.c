
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * TLS to Redis by NGINX's own OpenSSL.  A server is always verified: its
 * chain, and that its certificate is for the name or address we know it by.
 *
 * OpenSSL's words about a connection are not logged but kept for the caller,
 * who knows how often the same fault was logged before.
 */


#include "ngx_http_martech_net.h"


#if (NGX_SSL)


#define NGX_HTTP_MARTECH_TLS_DEPTH  4          /* certificates above it */


static void ngx_http_martech_tls_begin(ngx_http_martech_tls_t *tls,
    ngx_http_martech_server_t *server);
static void ngx_http_martech_tls_writer(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len);
static void ngx_http_martech_tls_done(ngx_connection_t *c);
static ngx_int_t ngx_http_martech_tls_verify(ngx_http_martech_tls_t *tls);
static ngx_int_t ngx_http_martech_tls_check_name(ngx_connection_t *c,
    ngx_str_t *name);
static ngx_uint_t ngx_http_martech_tls_is_address(ngx_str_t *name);
static void ngx_http_martech_tls_end(ngx_http_martech_tls_t *tls,
    ngx_uint_t ok);
static void ngx_http_martech_tls_save(ngx_connection_t *c);


ngx_int_t
ngx_http_martech_tls_create(ngx_conf_t *cf, ngx_http_martech_server_t *server)
{
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));

    if (ssl == NULL) {
        return NGX_ERROR;
    }

    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL) != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(ssl);
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    if (ngx_ssl_trusted_certificate(cf, ssl, &server->tls_ca,
                                    NGX_HTTP_MARTECH_TLS_DEPTH)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (server->tls_ca.len == 0
        && SSL_CTX_set_default_verify_paths(ssl->ctx) == 0)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_default_verify_paths() failed");
        return NGX_ERROR;
    }

    if (server->tls_certificate.len > 0
        && ngx_ssl_certificate(cf, ssl, &server->tls_certificate,
                               &server->tls_key, NULL)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_ssl_client_session_cache(cf, ssl, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    server->ssl = ssl;

    return NGX_OK;
}


void
ngx_http_martech_tls_start(ngx_http_martech_tls_t *tls, ngx_connection_t *c,
    ngx_http_martech_server_t *server, ngx_http_martech_endpoint_t *endpoint)
{
    tls->connection = c;
    tls->endpoint = endpoint;
    tls->error[0] = '\0';
    tls->name = server->tls_name.len ? server->tls_name : endpoint->host;

    tls->saved_read = c->read->handler;
    tls->saved_write = c->write->handler;

    ngx_memzero(&tls->log, sizeof(ngx_log_t));

    tls->log.log_level = NGX_LOG_INFO;
    tls->log.writer = ngx_http_martech_tls_writer;
    tls->log.wdata = tls;

    if (c->pool == NULL) {
        c->pool = ngx_create_pool(512, c->log);

        if (c->pool == NULL) {
            ngx_http_martech_tls_end(tls, 0);
            return;
        }
    }

    c->log = &tls->log;

    ngx_http_martech_tls_begin(tls, server);
}


static void
ngx_http_martech_tls_begin(ngx_http_martech_tls_t *tls,
    ngx_http_martech_server_t *server)
{
    ngx_connection_t  *c;

    c = tls->connection;

    if (ngx_ssl_create_connection(server->ssl, c, NGX_SSL_CLIENT) != NGX_OK) {
        ngx_http_martech_tls_end(tls, 0);
        return;
    }

    SSL_set_app_data(c->ssl->connection, tls);

    if (!ngx_http_martech_tls_is_address(&tls->name)
        && SSL_set_tlsext_host_name(c->ssl->connection,
                                    (char *) tls->name.data)
           == 0)
    {
        ngx_ssl_error(NGX_LOG_ERR, c->log, 0,
                      "SSL_set_tlsext_host_name() failed");
        ngx_http_martech_tls_end(tls, 0);
        return;
    }

    if (tls->endpoint->session
        && ngx_ssl_set_session(c, tls->endpoint->session) != NGX_OK)
    {
        ngx_http_martech_tls_end(tls, 0);
        return;
    }

    c->ssl->save_session = ngx_http_martech_tls_save;

    if (ngx_ssl_handshake(c) == NGX_AGAIN) {
        c->ssl->handler = ngx_http_martech_tls_done;
        return;
    }

    ngx_http_martech_tls_done(c);
}


/* Takes the first message, without the head of a log line. */

static void
ngx_http_martech_tls_writer(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len)
{
    u_char                  *p, *last;
    ngx_http_martech_tls_t  *tls;

    tls = log->wdata;

    if (tls->error[0] != '\0') {
        return;
    }

    last = buf + len;

    while (last > buf && (last[-1] == LF || last[-1] == CR)) {
        last--;
    }

    for (p = buf; p + 1 < last; p++) {

        if (p[0] == ':' && p[1] == ' ') {
            buf = p + 2;
            break;
        }
    }

    len = ngx_min((size_t) (last - buf), sizeof(tls->error) - 1);

    *ngx_cpymem(tls->error, buf, len) = '\0';
}


static void
ngx_http_martech_tls_done(ngx_connection_t *c)
{
    ngx_http_martech_tls_t  *tls;

    tls = SSL_get_app_data(c->ssl->connection);

    if (!c->ssl->handshaked) {

        if (c->read->timedout) {
            ngx_http_martech_error_set(tls->error,
                                       "no TLS handshake in time");
        }

        ngx_http_martech_tls_end(tls, 0);
        return;
    }

    ngx_http_martech_tls_end(tls, ngx_http_martech_tls_verify(tls) == NGX_OK);
}


static ngx_int_t
ngx_http_martech_tls_verify(ngx_http_martech_tls_t *tls)
{
    long               rc;
    ngx_connection_t  *c;

    c = tls->connection;

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK) {
        ngx_http_martech_error_set(tls->error,
                             "the server's certificate is not trusted: %s",
                             X509_verify_cert_error_string(rc));
        return NGX_ERROR;
    }

    if (ngx_http_martech_tls_check_name(c, &tls->name) != NGX_OK) {
        ngx_http_martech_error_set(tls->error,
                             "the server's certificate is not for \"%V\"",
                             &tls->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_martech_tls_check_name(ngx_connection_t *c, ngx_str_t *name)
{
    int    rc;
    X509  *cert;

    if (!ngx_http_martech_tls_is_address(name)) {
        return ngx_ssl_check_host(c, name);
    }

    cert = SSL_get_peer_certificate(c->ssl->connection);

    if (cert == NULL) {
        return NGX_DECLINED;
    }

    rc = X509_check_ip_asc(cert, (char *) name->data, 0);
    X509_free(cert);

    return (rc == 1) ? NGX_OK : NGX_DECLINED;
}


static ngx_uint_t
ngx_http_martech_tls_is_address(ngx_str_t *name)
{
#if (NGX_HAVE_INET6)
    u_char  addr[16];

    if (ngx_inet6_addr(name->data, name->len, addr) == NGX_OK) {
        return 1;
    }
#endif

    return ngx_inet_addr(name->data, name->len) != INADDR_NONE;
}


static void
ngx_http_martech_tls_end(ngx_http_martech_tls_t *tls, ngx_uint_t ok)
{
    ngx_connection_t  *c;

    c = tls->connection;

    c->read->handler = tls->saved_read;
    c->write->handler = tls->saved_write;

    if (ok) {
        tls->error[0] = '\0';

    } else {

        /* the next try is a full one */

        ngx_http_martech_tls_forget(tls->endpoint);

        if (tls->error[0] == '\0') {
            ngx_http_martech_error_set(tls->error,
                                       "the TLS handshake failed");
        }
    }

    tls->handler(tls, ok);
}


/* A session to resume, within the handshake or, with TLS 1.3, later. */

static void
ngx_http_martech_tls_save(ngx_connection_t *c)
{
    ngx_ssl_session_t       *session;
    ngx_http_martech_tls_t  *tls;

    session = ngx_ssl_get_session(c);

    if (session) {
        tls = SSL_get_app_data(c->ssl->connection);

        ngx_http_martech_tls_forget(tls->endpoint);
        tls->endpoint->session = session;
    }
}


void
ngx_http_martech_tls_forget(ngx_http_martech_endpoint_t *endpoint)
{
    if (endpoint->session) {
        ngx_ssl_free_session(endpoint->session);
        endpoint->session = NULL;
    }
}


/*
 * The server is told that we close, if that can be sent now.  What cannot is
 * given up: a second call with "timedout" sends nothing and frees.
 */

void
ngx_http_martech_tls_close(ngx_connection_t *c)
{
    ngx_pool_t  *pool;

    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;

        if (ngx_ssl_shutdown(c) == NGX_AGAIN) {
            c->timedout = 1;
            (void) ngx_ssl_shutdown(c);
        }
    }

    pool = c->pool;

    ngx_close_connection(c);

    if (pool) {
        ngx_destroy_pool(pool);
    }
}


#else


ngx_int_t
ngx_http_martech_tls_create(ngx_conf_t *cf, ngx_http_martech_server_t *server)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"tls\" needs an NGINX that is built with SSL");

    return NGX_ERROR;
}


void
ngx_http_martech_tls_start(ngx_http_martech_tls_t *tls, ngx_connection_t *c,
    ngx_http_martech_server_t *server, ngx_http_martech_endpoint_t *endpoint)
{
    ngx_http_martech_error_set(tls->error, "NGINX is built without SSL");
    tls->handler(tls, 0);
}


void
ngx_http_martech_tls_forget(ngx_http_martech_endpoint_t *endpoint)
{
}


void
ngx_http_martech_tls_close(ngx_connection_t *c)
{
    ngx_close_connection(c);
}


#endif
