
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * TLS of a connection to Redis.  Needs hiredis 1.0 with libhiredis_ssl; with
 * an older one all of it refuses.
 */


#ifndef _FWD_REDIS_TLS_H_INCLUDED_
#define _FWD_REDIS_TLS_H_INCLUDED_


#include <hiredis/async.h>

#include "fwd_config.h"


typedef struct fwd_redis_tls_s  fwd_redis_tls_t;


/*
 * Makes a fresh context speak TLS.  host, unless the configuration has a
 * server name, must stand in the certificate.  *tls is made at the first
 * call and used again at the next; destroy() accepts NULL.
 */
fwd_rc_t fwd_redis_tls_start(fwd_redis_tls_t **tls,
    const fwd_redis_conf_t *conf, const char *host, redisAsyncContext *ac,
    fwd_error_t *err) FWD_MUST_CHECK;
void fwd_redis_tls_destroy(fwd_redis_tls_t *tls);


#endif /* _FWD_REDIS_TLS_H_INCLUDED_ */
