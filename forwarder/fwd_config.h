
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The configuration of the forwarder: one YAML file, docs/FORWARDER.md.
 */


#ifndef _FWD_CONFIG_H_INCLUDED_
#define _FWD_CONFIG_H_INCLUDED_


#include "fwd.h"
#include "fwd_desc.h"
#include "fwd_digest.h"
#include "fwd_log.h"
#include "fwd_pool.h"
#include "fwd_safe.h"
#include "fwd_secret.h"
#include "fwd_sign.h"
#include "fwd_yaml.h"


typedef enum {
    FWD_METHOD_POST = 0,
    FWD_METHOD_PUT,
    FWD_METHOD_PATCH,
    FWD_METHOD_GET,
    FWD_METHOD_DELETE
} fwd_method_t;


typedef enum {
    FWD_COMPRESS_NONE = 0,
    FWD_COMPRESS_GZIP
} fwd_compress_t;


typedef enum {
    FWD_FRAMING_OBJECT = 0,       /* one record a request */
    FWD_FRAMING_ARRAY,            /* a JSON array of records */
    FWD_FRAMING_NDJSON,           /* a record a line */
    FWD_FRAMING_FORM,             /* fields of a form, by a template */
    FWD_FRAMING_BODY              /* JSON by a template */
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
    const char           *url_shown;     /* the same with "***" for secrets */
    const char          **headers_shown;
    const char           *idempotency_header;  /* name, or NULL */
    uint64_t              method;
    uint64_t              framing;
    fwd_sign_key_t        key;           /* len 0: requests are not signed */
    fwd_endpoint_t       *endpoints;     /* fwd_endpoint.h; NULL: a batch is a
                                            request by what stands above */
    size_t                endpoints_count;
    fwd_safe_t            safe;          /* where it may go */
} fwd_http_target_t;


/* Likewise of kind file. */
typedef struct {
    const char           *path;
    uint64_t              rotate_bytes;
    uint64_t              rotate_every;
} fwd_file_target_t;


/* Which events a destination gets. */
typedef struct {
    uint64_t              enabled;
    fwd_words_t           sources;       /* none: all */
    fwd_words_t           events;        /* patterns of names; with "!" in
                                            front: not these; none: all */
    fwd_words_t           consent;       /* purposes that must be granted */
    fwd_words_t           high;          /* patterns: these go first */
    const char           *when;          /* text of a jq program, or NULL */
    size_t                when_line;     /* in the configuration */
    uint64_t              rollout;       /* persons of 10,000 */
    const char           *suppress;      /* file with ids, or NULL */

    yaml_node_t          *priority_node; /* while reading only */
} fwd_wanted_conf_t;


typedef struct {
    const char           *name;
    const char           *use;           /* folder of the description */
    size_t                line;          /* in the configuration */
    const fwd_desc_t     *desc;
    const char          **values;        /* of desc->settings, or NULL; lists
                                            joined by commas */
    fwd_words_t          *lists;         /* of those that are lists */
    const char           *environment;   /* "production", ...: "{env}" */
    fwd_words_t           allow_private; /* networks that are not public */
    const char           *credentials_key;  /* of the configuration; NULL */
    fwd_limits_t          limits;
    fwd_wanted_conf_t     wanted;
    fwd_policy_conf_t     policy;
    fwd_http_target_t     http;
    fwd_file_target_t     file;

    yaml_node_t          *settings_node; /* while reading only */
    unsigned              plain_secrets:1;  /* likewise: secrets are values,
                                            not references */
} fwd_dest_conf_t;


typedef struct {
    const char           *address;       /* as written, for messages */
    const char           *path;          /* of a unix socket, or NULL */
    const char           *host;
    uint64_t              port;
    uint64_t              database;
    const char           *user;          /* NULL: none */
    const char           *password;      /* NULL: none */

    uint64_t              cluster;       /* 1: address is one of its nodes */
    const char           *sentinel;      /* name of the master; NULL: none */
    fwd_words_t           sentinels;     /* HOST:PORT; then no address */
    const char           *sentinel_password;
    uint64_t              tls;           /* 1: with the files below */
    const char           *tls_ca;        /* file or folder; NULL: system's */
    const char           *tls_cert;
    const char           *tls_key;
    const char           *tls_server_name;
} fwd_redis_conf_t;


typedef struct {
    fwd_pool_t            pool;
    const char           *file;
    char                  digest[FWD_DIGEST_MAX];  /* of the file's text */

    fwd_secrets_t         secrets;       /* where they came from */
    const char           *credentials_key;  /* of tokens in Redis, 32 bytes as
                                            hex; NULL: none */
    const char           *proxy;         /* URL; NULL: none */
    const char           *proxy_login;   /* NULL: none */
    fwd_words_t           allow_private; /* networks, of destinations that do
                                            not say */

    fwd_redis_conf_t      redis;
    const char           *prefix;
    uint64_t              shards;
    const char           *owner;
    uint64_t              lease_ms;
    uint64_t              log_level;     /* fwd_log_level_t */
    uint64_t              log_attempts;  /* 1: all, 0: failed ones */
    const char           *destinations_path;
    uint64_t              shutdown_timeout_ms;
    uint64_t              loops;         /* processes; 0: one a processor */
    uint64_t              dedup_window_ms;    /* 0: off */
    uint64_t              dedup_max;     /* events remembered a shard */
    uint64_t              map_timeout_ms;     /* of one event */
    uint64_t              map_memory;    /* bytes of a loop process; 0: any */
    const char           *metrics;       /* HOST:PORT or unix:/PATH of the
                                            status server; NULL: none */

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

/*
 * The same, with what the keeper of secrets (fwd_keeper.h) said last: then
 * Vault is not asked if that has all.
 */
fwd_rc_t fwd_config_load_known(fwd_config_t *conf, const char *file,
    const char *known, fwd_report_t *report) FWD_MUST_CHECK;

void fwd_config_free(fwd_config_t *conf);

/*
 * Compiles all maps and all "when", so that their errors are shown together.
 * The environment must be empty by then (fwd_map.h).
 */
fwd_rc_t fwd_config_programs(const fwd_config_t *conf, fwd_report_t *report)
    FWD_MUST_CHECK;

extern const char *const  fwd_environments[];

/* 1 if a name has 1 to FWD_NAME_MAX of [a-z0-9_-]. */
int fwd_config_name_valid(const char *name);


#endif /* _FWD_CONFIG_H_INCLUDED_ */
