
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Section redis: where it is, who we are there, and how it is reached.
 */


#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "fwd_config_private.h"
#include "fwd_redis.h"
#include "fwd_secret.h"
#include "fwd_units.h"


/* The section as it is read. */
typedef struct {
    fwd_redis_conf_t      redis;
    const char           *password;      /* references */
    const char           *sentinel_password;
    yaml_node_t          *sentinel;
    yaml_node_t          *tls;
} fwd_config_redis_t;


static fwd_rc_t fwd_config_endpoint(const char *text, const char **path,
    const char **host, size_t *host_len, uint64_t *port);
static int fwd_config_node_valid(const char *text);
static void fwd_config_redis_where(fwd_yaml_t *y, fwd_config_redis_t *raw);
static void fwd_config_redis_secret(fwd_yaml_t *y, const char *path,
    const char *reference, const char **out);
static void fwd_config_redis_tls(fwd_yaml_t *y, fwd_config_redis_t *raw);
static void fwd_config_redis_file(fwd_yaml_t *y, const char *path,
    const char *file);


static const fwd_field_t  fwd_config_redis_fields[] = {
    { .name = "address", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_config_redis_t, redis.address),
      .valid = fwd_config_endpoint_valid, .allowed = FWD_CONFIG_ENDPOINT },
    { .name = "sentinel", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_config_redis_t, sentinel) },
    { .name = "cluster", .kind = FWD_FIELD_BOOL, .dflt = "false",
      .offset = offsetof(fwd_config_redis_t, redis.cluster) },
    { .name = "tls", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_config_redis_t, tls) },
    { .name = "database", .kind = FWD_FIELD_NUMBER, .dflt = "0",
      .offset = offsetof(fwd_config_redis_t, redis.database),
      .min = "0", .max = "1024" },
    { .name = "user", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_config_redis_t, redis.user),
      .min = "1", .max = "256" },
    { .name = "password", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_config_redis_t, password) },
    { .name = NULL }
};


static const fwd_field_t  fwd_config_sentinel_fields[] = {
    { .name = "name", .kind = FWD_FIELD_STRING, .required = 1,
      .offset = offsetof(fwd_config_redis_t, redis.sentinel),
      .min = "1", .max = "256" },
    { .name = "addresses", .kind = FWD_FIELD_LIST, .required = 1,
      .offset = offsetof(fwd_config_redis_t, redis.sentinels),
      .min = "1", .max = "16", .valid = fwd_config_node_valid,
      .allowed = "HOST:PORT or [IPV6]:PORT" },
    { .name = "password", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_config_redis_t, sentinel_password) },
    { .name = NULL }
};


static const fwd_field_t  fwd_config_tls_fields[] = {
    { .name = "ca", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_config_redis_t, redis.tls_ca),
      .min = "1", .max = "4096" },
    { .name = "cert", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_config_redis_t, redis.tls_cert),
      .min = "1", .max = "4096" },
    { .name = "key", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_config_redis_t, redis.tls_key),
      .min = "1", .max = "4096" },
    { .name = "server_name", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_config_redis_t, redis.tls_server_name),
      .min = "1", .max = "253" },
    { .name = NULL }
};


static const fwd_field_t  fwd_config_tls_field = {
    .name = "tls", .kind = FWD_FIELD_BOOL,
    .offset = offsetof(fwd_config_redis_t, redis.tls)
};


void
fwd_config_redis(fwd_yaml_t *y, fwd_config_t *conf, yaml_node_t *node)
{
    size_t              host_len;
    const char         *host;
    fwd_redis_conf_t   *redis;
    fwd_config_redis_t  raw;

    memset(&raw, 0, sizeof(fwd_config_redis_t));
    redis = &raw.redis;

    fwd_yaml_defaults(fwd_config_redis_fields, &raw, y->pool);
    fwd_yaml_section(y, node, "redis", fwd_config_redis_fields, &raw);

    if (raw.sentinel != NULL) {
        fwd_yaml_section(y, raw.sentinel, "redis.sentinel",
                         fwd_config_sentinel_fields, &raw);
    }

    if (redis->address != NULL
        && fwd_config_endpoint(redis->address, &redis->path, &host,
                               &host_len, &redis->port)
           == FWD_OK
        && redis->path == NULL)
    {
        redis->host = fwd_pool_string(y->pool, host, host_len);
    }

    if (raw.tls != NULL) {
        fwd_config_redis_tls(y, &raw);
    }

    if (node->type == YAML_MAPPING_NODE) {
        fwd_config_redis_where(y, &raw);
    }

    fwd_config_redis_secret(y, "redis.password", raw.password,
                            &redis->password);
    fwd_config_redis_secret(y, "redis.sentinel.password",
                            raw.sentinel_password, &redis->sentinel_password);

    if (redis->user != NULL && raw.password == NULL) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "redis.user"),
                   "\"redis.user\" is \"%s\" but redis.password is missing, "
                   "needed are both", redis->user);
    }

    conf->redis = raw.redis;
}


/* What excludes each other. */

static void
fwd_config_redis_where(fwd_yaml_t *y, fwd_config_redis_t *raw)
{
    int                      address;
    const fwd_redis_conf_t  *redis;

    redis = &raw->redis;
    address = fwd_yaml_has(y, "redis.address");

    if (!address && raw->sentinel == NULL) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "redis"),
                   "redis has neither \"address\" nor \"sentinel\", needed "
                   "is one of them");
    }

    if (address && raw->sentinel != NULL) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "redis.sentinel"),
                   "redis has both \"address\" and \"sentinel\", allowed is "
                   "one of them");
    }

    if (redis->cluster && raw->sentinel != NULL) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "redis.cluster"),
                   "\"redis.cluster\" is \"true\" together with "
                   "redis.sentinel, allowed is one of them: a cluster fails "
                   "over by itself");
    }

    if (redis->cluster && redis->database != 0) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "redis.database"),
                   "\"redis.database\" is \"%llu\", allowed is 0 with "
                   "redis.cluster: a cluster has no others",
                   (unsigned long long) redis->database);
    }

    if (redis->tls && redis->path != NULL) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "redis.tls"),
                   "\"redis.tls\" with redis.address \"%s\", allowed is a "
                   "HOST:PORT: a unix socket has no TLS", redis->address);
    }

    if (redis->tls && !fwd_redis_tls_supported()) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "redis.tls"),
                   "\"redis.tls\" needs hiredis 1.0 or later, this program "
                   "was built with %d.%d; allowed is no TLS, or a tunnel",
                   HIREDIS_MAJOR, HIREDIS_MINOR);
    }
}


static void
fwd_config_redis_secret(fwd_yaml_t *y, const char *path,
    const char *reference, const char **out)
{
    fwd_error_t  err;

    if (reference != NULL
        && fwd_secret_read(out, reference, y->secrets, y->pool, &err) != FWD_OK)
    {
        fwd_report(y->report, y->file, fwd_yaml_at(y, path), "\"%s\" %s",
                   path, err.text);
    }
}


static void
fwd_config_redis_tls(fwd_yaml_t *y, fwd_config_redis_t *raw)
{
    fwd_redis_conf_t  *redis;

    redis = &raw->redis;

    if (raw->tls->type == YAML_SCALAR_NODE) {
        fwd_yaml_value(y, raw->tls, "redis.tls", &fwd_config_tls_field, raw);
        return;
    }

    fwd_yaml_section(y, raw->tls, "redis.tls", fwd_config_tls_fields, raw);
    redis->tls = (raw->tls->type == YAML_MAPPING_NODE);

    if ((redis->tls_cert != NULL) != (redis->tls_key != NULL)) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "redis.tls"),
                   "\"redis.tls.%s\" is missing, needed are cert and key "
                   "together", redis->tls_cert ? "key" : "cert");
    }

    fwd_config_redis_file(y, "redis.tls.ca", redis->tls_ca);
    fwd_config_redis_file(y, "redis.tls.cert", redis->tls_cert);
    fwd_config_redis_file(y, "redis.tls.key", redis->tls_key);
}


static void
fwd_config_redis_file(fwd_yaml_t *y, const char *path, const char *file)
{
    if (file != NULL && access(file, R_OK) != 0) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                   "\"%s\" is \"%s\", which cannot be read: %s; allowed is "
                   "a PEM file", path, file, strerror(errno));
    }
}


static fwd_rc_t
fwd_config_endpoint(const char *text, const char **path, const char **host,
    size_t *host_len, uint64_t *port)
{
    const char  *p, *end;

    *path = NULL;

    if (strncmp(text, "unix:", 5) == 0) {
        *path = text + 5;

        /* sun_path of Linux */
        return (text[5] == '/' && strlen(text + 5) < 108) ? FWD_OK
                                                          : FWD_ERROR;
    }

    if (*text == '[') {
        *host = text + 1;
        end = strchr(*host, ']');
        p = (end != NULL) ? end + 1 : "";

    } else {
        *host = text;
        end = strchr(*host, ':');
        p = (end != NULL) ? end : "";
    }

    if (end == NULL || end == *host || *p != ':'
        || fwd_units_number(port, p + 1) != FWD_OK
        || *port == 0 || *port > 65535)
    {
        return FWD_ERROR;
    }

    *host_len = (size_t) (end - *host);

    return FWD_OK;
}


int
fwd_config_endpoint_valid(const char *text)
{
    size_t       len;
    uint64_t     port;
    const char  *path, *host;

    return fwd_config_endpoint(text, &path, &host, &len, &port) == FWD_OK;
}


/* A sentinel tells addresses of other machines: it has no unix socket. */

static int
fwd_config_node_valid(const char *text)
{
    return strncmp(text, "unix:", 5) != 0 && fwd_config_endpoint_valid(text);
}
