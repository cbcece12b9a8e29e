
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * TLS to Redis.
 *
 * The session is our own and not one of redisCreateSSLContext(), which looks
 * at the chain of a certificate but not at the name in it.
 */


#include <stdlib.h>

#include "fwd_redis.h"
#include "fwd_redis_tls.h"


#if (HIREDIS_MAJOR >= 1 && FWD_HIREDIS_SSL)


#include <arpa/inet.h>
#include <sys/stat.h>

#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>


struct fwd_redis_tls_s {
    SSL_CTX              *ctx;
};


static fwd_rc_t fwd_redis_tls_create(fwd_redis_tls_t **tls,
    const fwd_redis_conf_t *conf, fwd_error_t *err);
static int fwd_redis_tls_trust(SSL_CTX *ctx, const char *ca);
static fwd_rc_t fwd_redis_tls_error(fwd_error_t *err, const char *what);
static int fwd_redis_tls_name(SSL *ssl, const char *name);


int
fwd_redis_tls_supported(void)
{
    return 1;
}


fwd_rc_t
fwd_redis_tls_start(fwd_redis_tls_t **tls, const fwd_redis_conf_t *conf,
    const char *host, redisAsyncContext *ac, fwd_error_t *err)
{
    SSL         *ssl;
    const char  *name;

    if (*tls == NULL && fwd_redis_tls_create(tls, conf, err) != FWD_OK) {
        return FWD_ERROR;
    }

    ssl = SSL_new((*tls)->ctx);
    if (ssl == NULL) {
        return fwd_redis_tls_error(err, "TLS session");
    }

    name = conf->tls_server_name ? conf->tls_server_name : host;

    if (!fwd_redis_tls_name(ssl, name)) {
        SSL_free(ssl);
        return fwd_redis_tls_error(err, "TLS server name");
    }

    /* from here on the session belongs to hiredis, unless it refuses */

    if (redisInitiateSSL(&ac->c, ssl) != REDIS_OK) {
        SSL_free(ssl);
        return fwd_error(err, "TLS: %s", ac->c.errstr);
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_redis_tls_create(fwd_redis_tls_t **tls, const fwd_redis_conf_t *conf,
    fwd_error_t *err)
{
    SSL_CTX          *ctx;
    fwd_redis_tls_t  *made;

    ERR_clear_error();

    made = calloc(1, sizeof(fwd_redis_tls_t));
    ctx = SSL_CTX_new(TLS_client_method());

    if (made == NULL || ctx == NULL) {
        free(made);
        SSL_CTX_free(ctx);
        return fwd_error(err, "out of memory");
    }

    made->ctx = ctx;

    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);

    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1
        || !fwd_redis_tls_trust(ctx, conf->tls_ca))
    {
        fwd_redis_tls_destroy(made);
        return fwd_redis_tls_error(err, "redis.tls.ca");
    }

    if (conf->tls_cert != NULL
        && (SSL_CTX_use_certificate_chain_file(ctx, conf->tls_cert) != 1
            || SSL_CTX_use_PrivateKey_file(ctx,
                   conf->tls_key ? conf->tls_key : conf->tls_cert,
                   SSL_FILETYPE_PEM)
               != 1))
    {
        fwd_redis_tls_destroy(made);
        return fwd_redis_tls_error(err, "redis.tls.cert and key");
    }

    *tls = made;

    return FWD_OK;
}


static int
fwd_redis_tls_trust(SSL_CTX *ctx, const char *ca)
{
    struct stat  st;

    if (ca == NULL) {
        return SSL_CTX_set_default_verify_paths(ctx) == 1;
    }

    if (stat(ca, &st) == 0 && S_ISDIR(st.st_mode)) {
        return SSL_CTX_load_verify_locations(ctx, NULL, ca) == 1;
    }

    return SSL_CTX_load_verify_locations(ctx, ca, NULL) == 1;
}


static int
fwd_redis_tls_name(SSL *ssl, const char *name)
{
    unsigned char  address[16];

    if (name[0] == '\0') {
        return 0;                        /* a unix socket has no name */
    }

    if (inet_pton(AF_INET, name, address) == 1
        || inet_pton(AF_INET6, name, address) == 1)
    {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    }

    return SSL_set_tlsext_host_name(ssl, name) == 1
           && SSL_set1_host(ssl, name) == 1;
}


static fwd_rc_t
fwd_redis_tls_error(fwd_error_t *err, const char *what)
{
    const char  *reason;

    reason = ERR_reason_error_string(ERR_get_error());
    ERR_clear_error();

    return fwd_error(err, "%s: %s", what, reason ? reason : "not accepted");
}


void
fwd_redis_tls_destroy(fwd_redis_tls_t *tls)
{
    if (tls != NULL) {
        SSL_CTX_free(tls->ctx);
        free(tls);
    }
}


#else


int
fwd_redis_tls_supported(void)
{
    return 0;
}


fwd_rc_t
fwd_redis_tls_start(fwd_redis_tls_t **tls, const fwd_redis_conf_t *conf,
    const char *host, redisAsyncContext *ac, fwd_error_t *err)
{
    (void) tls;
    (void) conf;
    (void) host;
    (void) ac;

    return fwd_error(err, "TLS needs hiredis 1.0 or later");
}


void
fwd_redis_tls_destroy(fwd_redis_tls_t *tls)
{
    (void) tls;
}


#endif
