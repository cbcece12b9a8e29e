
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The configuration of the forwarder: one YAML file, docs/FORWARDER.md.
 */


#ifndef _FWD_CONFIG_H_INCLUDED_
#define _FWD_CONFIG_H_INCLUDED_


#include "fwd.h"
#include "fwd_desc.h"
#include "fwd_log.h"
#include "fwd_pool.h"
#include "fwd_sign.h"
#include "fwd_yaml.h"


typedef enum {
    FWD_METHOD_POST = 0,
    FWD_METHOD_PUT,
    FWD_METHOD_PATCH
} fwd_method_t;


typedef enum {
    FWD_FRAMING_OBJECT = 0,       /* one record a request */
    FWD_FRAMING_ARRAY,            /* a JSON array of records */
    FWD_FRAMING_NDJSON            /* a record a line */
} fwd_framing_t;


typedef enum {
    FWD_ROTATE_NEVER = 0,
    FWD_ROTATE_HOUR,
    FWD_ROTATE_DAY
} fwd_rotate_t;


/* Where a destination of kind http sends to, ready for use. */
typedef struct {
    const char           *url;           /* may hold a secret: never shown */
    const char          **headers;       /* "Name: value", constant ones */
    size_t                headers_count;
    const char           *idempotency_header;  /* name, or NULL */
    uint64_t              method;
    uint64_t              framing;
    fwd_sign_key_t        key;           /* len 0: requests are not signed */
} fwd_http_target_t;


/* Likewise of kind file. */
typedef struct {
    const char           *path;
    uint64_t              rotate_bytes;
    uint64_t              rotate_every;
} fwd_file_target_t;


typedef struct {
    const char           *name;
    const char           *use;           /* folder of the description */
    size_t                line;          /* in the configuration */
    const fwd_desc_t     *desc;
    const char          **values;        /* of desc->settings, or NULL */
    fwd_limits_t          limits;
    fwd_http_target_t     http;
    fwd_file_target_t     file;

    yaml_node_t          *settings_node;
} fwd_dest_conf_t;


typedef struct {
    const char           *address;       /* as written, for messages */
    const char           *path;          /* of a unix socket, or NULL */
    const char           *host;
    uint64_t              port;
    uint64_t              database;
    const char           *user;          /* NULL: none */
    const char           *password;      /* NULL: none */
} fwd_redis_conf_t;


typedef struct {
    fwd_pool_t            pool;
    const char           *file;

    fwd_redis_conf_t      redis;
    const char           *prefix;
    uint64_t              shards;
    const char           *owner;
    uint64_t              lease_ms;
    uint64_t              log_level;     /* fwd_log_level_t */
    uint64_t              log_attempts;  /* 1: all, 0: failed ones */
    const char           *destinations_path;
    uint64_t              shutdown_timeout_ms;

    fwd_dest_conf_t      *dests;
    size_t                dests_count;
} fwd_config_t;


/*
 * Reads a configuration with everything it names: secrets, destination
 * folders.  On FWD_ERROR the report holds at least one text.  In both cases
 * fwd_config_free() gives the memory back, also that of the report's texts.
 */
fwd_rc_t fwd_config_load(fwd_config_t *conf, const char *file,
    fwd_report_t *report) FWD_MUST_CHECK;
void fwd_config_free(fwd_config_t *conf);

/* 1 if a name has 1 to FWD_NAME_MAX of [a-z0-9_-]. */
int fwd_config_name_valid(const char *name);


#endif /* _FWD_CONFIG_H_INCLUDED_ */
