
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The configuration file: tables of its sections, and what only several
 * values together can tell.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../martech/martech_shard.h"

#include "fwd_config.h"
#include "fwd_digest.h"
#include "fwd_secret.h"
#include "fwd_target.h"
#include "fwd_units.h"


/* Sections as they are read, before they are understood. */
typedef struct {
    yaml_node_t          *redis;
    yaml_node_t          *stream;
    yaml_node_t          *owner;
    yaml_node_t          *log;
    yaml_node_t          *destinations;
    const char           *password;      /* a reference */
    size_t                redis_line;
    fwd_config_t         *conf;
} fwd_config_raw_t;


static void fwd_config_read(fwd_yaml_t *y, fwd_config_raw_t *raw);
static void fwd_config_redis(fwd_yaml_t *y, fwd_config_raw_t *raw);
static fwd_rc_t fwd_config_address(fwd_redis_conf_t *redis,
    fwd_pool_t *pool);
static void fwd_config_owner(fwd_yaml_t *y, fwd_config_raw_t *raw);
static void fwd_config_dests(fwd_yaml_t *y, fwd_config_raw_t *raw);
static void fwd_config_dest_alone(fwd_yaml_t *y, const fwd_config_t *conf,
    const fwd_dest_conf_t *dest);
static void fwd_config_dest(fwd_yaml_t *y, fwd_config_t *conf,
    fwd_dest_conf_t *dest, yaml_node_t *node);
static void fwd_config_limits(fwd_yaml_t *y, fwd_dest_conf_t *dest);
static void fwd_config_order(fwd_yaml_t *y, const fwd_dest_conf_t *dest,
    const char *low_name, uint64_t *low, uint64_t low_default,
    const char *high_name, uint64_t high);


static const char *const  fwd_config_levels[] = {
    [FWD_LOG_ERROR] = "error",
    [FWD_LOG_WARN] = "warn",
    [FWD_LOG_INFO] = "info",
    [FWD_LOG_DEBUG] = "debug",
    NULL
};

static const char *const  fwd_config_attempts[] = { "failed", "all", NULL };


typedef struct {
    fwd_config_raw_t      raw;
    fwd_config_t          conf;
} fwd_config_root_t;


static const fwd_field_t  fwd_config_fields[] = {
    { .name = "redis", .kind = FWD_FIELD_NODE, .required = 1,
      .offset = offsetof(fwd_config_root_t, raw.redis) },
    { .name = "stream", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_config_root_t, raw.stream) },
    { .name = "owner", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_config_root_t, raw.owner) },
    { .name = "log", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_config_root_t, raw.log) },
    { .name = "destinations_path", .kind = FWD_FIELD_STRING,
      .dflt = "/usr/share/martech/destinations",
      .offset = offsetof(fwd_config_root_t, conf.destinations_path),
      .min = "1", .max = "4096" },
    { .name = "shutdown_timeout", .kind = FWD_FIELD_TIME, .dflt = "10s",
      .offset = offsetof(fwd_config_root_t, conf.shutdown_timeout_ms),
      .min = "0", .max = "10m" },
    { .name = "destinations", .kind = FWD_FIELD_NODE, .required = 1,
      .offset = offsetof(fwd_config_root_t, raw.destinations) },
    { .name = NULL }
};


static const fwd_field_t  fwd_config_redis_fields[] = {
    { .name = "address", .kind = FWD_FIELD_STRING, .required = 1,
      .offset = offsetof(fwd_config_root_t, conf.redis.address),
      .min = "1", .max = "512" },
    { .name = "database", .kind = FWD_FIELD_NUMBER, .dflt = "0",
      .offset = offsetof(fwd_config_root_t, conf.redis.database),
      .min = "0", .max = "1024" },
    { .name = "user", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_config_root_t, conf.redis.user),
      .min = "1", .max = "256" },
    { .name = "password", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_config_root_t, raw.password) },
    { .name = NULL }
};


static const fwd_field_t  fwd_config_stream_fields[] = {
    { .name = "prefix", .kind = FWD_FIELD_STRING, .dflt = "mt",
      .offset = offsetof(fwd_config_root_t, conf.prefix),
      .min = "1", .max = "32" },
    { .name = "shards", .kind = FWD_FIELD_NUMBER, .dflt = "16",
      .offset = offsetof(fwd_config_root_t, conf.shards),
      .min = "1", .max = "1024" },
    { .name = NULL }
};


static const fwd_field_t  fwd_config_owner_fields[] = {
    { .name = "name", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_config_root_t, conf.owner),
      .min = "1", .max = "128" },
    { .name = "lease", .kind = FWD_FIELD_TIME, .dflt = "10s",
      .offset = offsetof(fwd_config_root_t, conf.lease_ms),
      .min = "500ms", .max = "10m" },
    { .name = NULL }
};


static const fwd_field_t  fwd_config_log_fields[] = {
    { .name = "level", .kind = FWD_FIELD_WORD, .dflt = "info",
      .offset = offsetof(fwd_config_root_t, conf.log_level),
      .words = fwd_config_levels },
    { .name = "attempts", .kind = FWD_FIELD_WORD, .dflt = "all",
      .offset = offsetof(fwd_config_root_t, conf.log_attempts),
      .words = fwd_config_attempts },
    { .name = NULL }
};


static const char *const  fwd_config_timeouts[] = {
    "retry", "dead", "done", NULL
};

static const fwd_field_t  fwd_config_dest_fields[] = {
    { .name = "use", .kind = FWD_FIELD_STRING, .required = 1,
      .offset = offsetof(fwd_dest_conf_t, use), .min = "1", .max = "32" },
    { .name = "settings", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_dest_conf_t, settings_node) },
    { .name = "max_age", .kind = FWD_FIELD_TIME, .dflt = "0",
      .offset = offsetof(fwd_dest_conf_t, policy.max_age_ms),
      .min = "0", .max = "365d" },
    { .name = "on_timeout", .kind = FWD_FIELD_WORD, .dflt = "retry",
      .offset = offsetof(fwd_dest_conf_t, policy.ambiguous),
      .words = fwd_config_timeouts },
    FWD_LIMITS_FIELDS(fwd_dest_conf_t, limits),
    { .name = NULL }
};


fwd_rc_t
fwd_config_load(fwd_config_t *conf, const char *file, fwd_report_t *report)
{
    fwd_yaml_t         y;
    fwd_config_root_t  root;

    memset(conf, 0, sizeof(fwd_config_t));
    memset(&root, 0, sizeof(fwd_config_root_t));

    fwd_pool_init(&conf->pool);
    report->pool = &conf->pool;
    report->count = 0;

    if (fwd_yaml_open(&y, file, report, &conf->pool) != FWD_OK) {
        return FWD_ERROR;
    }

    root.raw.conf = &root.conf;
    root.conf.file = file;
    fwd_digest_file(root.conf.digest, file);
    fwd_config_read(&y, &root.raw);

    fwd_yaml_close(&y);

    /* the pool moved on while root was filled */
    root.conf.pool = conf->pool;
    *conf = root.conf;

    return report->count ? FWD_ERROR : FWD_OK;
}


void
fwd_config_free(fwd_config_t *conf)
{
    fwd_pool_free(&conf->pool);
}


static void
fwd_config_read(fwd_yaml_t *y, fwd_config_raw_t *raw)
{
    static const fwd_field_t *const  tables[] = {
        fwd_config_fields, fwd_config_redis_fields, fwd_config_stream_fields,
        fwd_config_owner_fields, fwd_config_log_fields
    };

    size_t         i;
    fwd_config_t  *conf;
    martech_str_t  prefix;

    conf = raw->conf;

    for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        fwd_yaml_defaults(tables[i], raw, y->pool);
    }

    fwd_yaml_section(y, fwd_yaml_root(y), 1, "", fwd_config_fields, raw);

    fwd_config_redis(y, raw);
    fwd_yaml_section(y, raw->stream, 0, "stream", fwd_config_stream_fields,
                     raw);
    fwd_config_owner(y, raw);
    fwd_yaml_section(y, raw->log, 0, "log", fwd_config_log_fields, raw);

    prefix.data = (const unsigned char *) conf->prefix;
    prefix.len = strlen(conf->prefix);

    if (!martech_shard_prefix_valid(prefix)) {
        fwd_report(y->report, y->file, fwd_yaml_line(raw->stream),
                   "\"stream.prefix\" is \"%s\", allowed are 1 to %d of "
                   "A-Z a-z 0-9 _ . -", conf->prefix,
                   MARTECH_PREFIX_LEN_MAX);
    }

    fwd_config_dests(y, raw);
}


static void
fwd_config_redis(fwd_yaml_t *y, fwd_config_raw_t *raw)
{
    fwd_error_t        err;
    fwd_redis_conf_t  *redis;

    if (raw->redis == NULL) {
        return;
    }

    redis = &raw->conf->redis;
    raw->redis_line = fwd_yaml_line(raw->redis);

    fwd_yaml_section(y, raw->redis, 0, "redis", fwd_config_redis_fields, raw);

    if (redis->address != NULL
        && fwd_config_address(redis, y->pool) != FWD_OK)
    {
        fwd_report(y->report, y->file, raw->redis_line,
                   "\"redis.address\" is \"%s\", allowed is unix:/PATH, "
                   "HOST:PORT or [IPV6]:PORT", redis->address);
    }

    if (raw->password != NULL
        && fwd_secret_read(&redis->password, raw->password, y->pool, &err)
           != FWD_OK)
    {
        fwd_report(y->report, y->file, raw->redis_line,
                   "\"redis.password\" %s", err.text);
    }

    if (redis->user != NULL && raw->password == NULL) {
        fwd_report(y->report, y->file, raw->redis_line,
                   "\"redis.user\" is \"%s\" but redis.password is missing",
                   redis->user);
    }
}


static fwd_rc_t
fwd_config_address(fwd_redis_conf_t *redis, fwd_pool_t *pool)
{
    const char  *p, *start, *end;

    p = redis->address;

    if (strncmp(p, "unix:", 5) == 0) {
        redis->path = p + 5;

        /* sun_path of Linux */
        return (p[5] == '/' && strlen(p + 5) < 108) ? FWD_OK : FWD_ERROR;
    }

    if (*p == '[') {
        start = p + 1;
        end = strchr(start, ']');
        p = (end != NULL) ? end + 1 : "";

    } else {
        start = p;
        end = strchr(start, ':');
        p = (end != NULL) ? end : "";
    }

    if (end == NULL || end == start || *p != ':'
        || fwd_units_number(&redis->port, p + 1) != FWD_OK
        || redis->port == 0 || redis->port > 65535)
    {
        return FWD_ERROR;
    }

    redis->host = fwd_pool_string(pool, start, (size_t) (end - start));

    return FWD_OK;
}


static void
fwd_config_owner(fwd_yaml_t *y, fwd_config_raw_t *raw)
{
    char           host[128];
    const char    *p;
    fwd_config_t  *conf;

    conf = raw->conf;

    fwd_yaml_section(y, raw->owner, 0, "owner", fwd_config_owner_fields, raw);

    if (conf->owner == NULL) {
        if (gethostname(host, sizeof(host)) != 0) {
            host[0] = '\0';
        }

        host[sizeof(host) - 1] = '\0';
        conf->owner = fwd_pool_printf(y->pool, "%s-%ld",
                                      host[0] ? host : "forwarder",
                                      (long) getpid());
        return;
    }

    /* it is a part of the lease, "<epoch> <name>", and stands in logs */

    for (p = conf->owner; *p != '\0'; p++) {
        if (*p <= ' ' || *p > '~') {
            fwd_report(y->report, y->file, fwd_yaml_line(raw->owner),
                       "\"owner.name\" is \"%s\", allowed are 1 to 128 "
                       "visible ASCII characters", conf->owner);
            return;
        }
    }
}


static void
fwd_config_dests(fwd_yaml_t *y, fwd_config_raw_t *raw)
{
    size_t            i, n;
    const char       *key;
    yaml_node_t      *map, *value;
    fwd_config_t     *conf;
    fwd_dest_conf_t  *dest;

    conf = raw->conf;
    map = raw->destinations;

    if (map == NULL || !fwd_yaml_is_map(y, map, "destinations")) {
        return;
    }

    n = (size_t) (map->data.mapping.pairs.top
                  - map->data.mapping.pairs.start);

    if (n == 0) {
        fwd_report(y->report, y->file, fwd_yaml_line(map),
                   "\"destinations\" is empty, at least one is needed");
        return;
    }

    conf->dests = fwd_pool_alloc(y->pool, n * sizeof(fwd_dest_conf_t));
    i = 0;

    while (fwd_yaml_next(y, map, &i, &key, &value) == FWD_OK) {
        dest = &conf->dests[conf->dests_count++];
        dest->name = key;
        dest->line = fwd_yaml_line(value);

        /* "_entry" is where unreadable entries go (docs/SPEC.md) */

        if (!fwd_config_name_valid(key) || key[0] == '_') {
            fwd_report(y->report, y->file, dest->line,
                       "destination name \"%s\", allowed are 1 to %d of "
                       "a-z 0-9 _ -, the first not _", key, FWD_NAME_MAX);
        }

        fwd_config_dest(y, conf, dest, value);
        fwd_config_dest_alone(y, conf, dest);
    }
}


/*
 * Two destinations that write to one folder would each take the other's file
 * for one of a crash.
 */

static void
fwd_config_dest_alone(fwd_yaml_t *y, const fwd_config_t *conf,
    const fwd_dest_conf_t *dest)
{
    const fwd_dest_conf_t  *other;

    if (dest->file.path == NULL) {
        return;
    }

    for (other = conf->dests; other < dest; other++) {

        if (other->file.path != NULL
            && strcmp(other->file.path, dest->file.path) == 0)
        {
            fwd_report(y->report, y->file, dest->line,
                       "destinations \"%s\" and \"%s\" write to one folder "
                       "\"%s\", each needs its own",
                       other->name, dest->name, dest->file.path);
        }
    }
}


static void
fwd_config_dest(fwd_yaml_t *y, fwd_config_t *conf, fwd_dest_conf_t *dest,
    yaml_node_t *node)
{
    size_t            errors;
    const char       *path;
    fwd_dest_conf_t   first;

    path = fwd_pool_printf(y->pool, "destinations.%s", dest->name);

    if (!fwd_yaml_is_map(y, node, path)) {
        return;
    }

    /* "use" has to be known before the limits: it brings their defaults */

    errors = y->report->count;
    first = *dest;
    fwd_yaml_section(y, node, 0, path, fwd_config_dest_fields, &first);

    if (first.use == NULL) {
        return;
    }

    if (!fwd_config_name_valid(first.use)) {
        fwd_report(y->report, y->file, fwd_yaml_line(node),
                   "\"%s.use\" is \"%s\", allowed is the name of a folder in "
                   "%s", path, first.use, conf->destinations_path);
        return;
    }

    if (fwd_desc_load((fwd_desc_t **) &dest->desc,
                      fwd_pool_printf(y->pool, "%s/%s",
                                      conf->destinations_path, first.use),
                      first.use, y->report, y->pool)
        != FWD_OK)
    {
        fwd_report(y->report, y->file, fwd_yaml_line(node),
                   "\"%s.use\" is \"%s\", which cannot be used", path,
                   first.use);
        return;
    }

    if (y->report->count != errors) {
        return;
    }

    dest->limits = dest->desc->limits;
    fwd_yaml_section(y, node, 0, path, fwd_config_dest_fields, dest);
    fwd_limits_read(y, path, &dest->limits);

    fwd_target_build(y, dest);
    fwd_config_limits(y, dest);
}


/*
 * Values that contradict each other.  A default gives way to what is written
 * in the file; two values of the file are an error.
 */

static void
fwd_config_limits(fwd_yaml_t *y, fwd_dest_conf_t *dest)
{
    fwd_limits_t        *l;
    const fwd_limits_t  *dflt;

    l = &dest->limits;
    dflt = &dest->desc->limits;

    fwd_config_order(y, dest, "retry.base", &l->retry.base_ms,
                     dflt->retry.base_ms, "retry.cap", l->retry.cap_ms);
    fwd_config_order(y, dest, "connect_timeout", &l->connect_timeout_ms,
                     dflt->connect_timeout_ms, "timeout", l->timeout_ms);
    fwd_config_order(y, dest, "batch.count", &l->batch_count,
                     dflt->batch_count, "window.count", l->window_count);
}


static void
fwd_config_order(fwd_yaml_t *y, const fwd_dest_conf_t *dest,
    const char *low_name, uint64_t *low, uint64_t low_default,
    const char *high_name, uint64_t high)
{
    if (*low <= high) {
        return;
    }

    if (*low == low_default) {
        *low = high;
        return;
    }

    fwd_report(y->report, y->file, dest->line,
               "destination \"%s\": %s %llu is above %s %llu", dest->name,
               low_name, (unsigned long long) *low, high_name,
               (unsigned long long) high);
}


int
fwd_config_name_valid(const char *name)
{
    size_t  len;

    len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

    return len >= 1 && len <= FWD_NAME_MAX && name[len] == '\0';
}
