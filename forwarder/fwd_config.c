
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The configuration file: its own keys and the small sections.
 */


#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../martech/martech_shard.h"

#include "fwd_answer.h"
#include "fwd_config_private.h"
#include "fwd_map.h"
#include "fwd_sequence.h"
#include "fwd_vault.h"


#define FWD_CONFIG_LEASE_LOW  2000       /* ms; four heart-beats */


/* Sections as they are read, before they are understood. */
typedef struct {
    yaml_node_t          *redis;
    yaml_node_t          *stream;
    yaml_node_t          *owner;
    yaml_node_t          *log;
    yaml_node_t          *dedup;
    yaml_node_t          *map;
    yaml_node_t          *vault;
    yaml_node_t          *destinations;
    fwd_config_t          conf;
} fwd_config_raw_t;


static void fwd_config_read(fwd_yaml_t *y, fwd_config_raw_t *raw,
    const char *known);
static void fwd_config_map(fwd_yaml_t *y, fwd_config_t *conf);
static void fwd_config_loops(fwd_yaml_t *y, const fwd_config_t *conf);
static void fwd_config_owner(fwd_yaml_t *y, fwd_config_t *conf);
static int fwd_config_prefix_valid(const char *text);
static int fwd_config_visible(const char *text);
static fwd_rc_t fwd_config_when(const fwd_config_t *conf,
    const fwd_dest_conf_t *dest, fwd_report_t *report);


static const char *const  fwd_config_levels[] = {
    [FWD_LOG_ERROR] = "error",
    [FWD_LOG_WARN] = "warn",
    [FWD_LOG_INFO] = "info",
    [FWD_LOG_DEBUG] = "debug",
    NULL
};

static const char *const  fwd_config_attempts[] = { "failed", "all", NULL };

static const char *const  fwd_config_auto[] = { "auto", NULL };


static const fwd_field_t  fwd_config_fields[] = {
    { .name = "redis", .kind = FWD_FIELD_NODE, .required = 1,
      .offset = offsetof(fwd_config_raw_t, redis) },
    { .name = "stream", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_config_raw_t, stream) },
    { .name = "owner", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_config_raw_t, owner) },
    { .name = "log", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_config_raw_t, log) },
    { .name = "dedup", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_config_raw_t, dedup) },
    { .name = "map", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_config_raw_t, map) },
    { .name = "loops", .kind = FWD_FIELD_NUMBER, .dflt = "auto",
      .offset = offsetof(fwd_config_raw_t, conf.loops),
      .min = "1", .max = "64", .words = fwd_config_auto },
    { .name = "metrics", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_config_raw_t, conf.metrics),
      .valid = fwd_config_endpoint_valid, .allowed = FWD_CONFIG_ENDPOINT },
    { .name = "destinations_path", .kind = FWD_FIELD_STRING,
      .dflt = "/usr/share/martech/destinations",
      .offset = offsetof(fwd_config_raw_t, conf.destinations_path),
      .min = "1", .max = "4096" },
    { .name = "shutdown_timeout", .kind = FWD_FIELD_TIME, .dflt = "10s",
      .offset = offsetof(fwd_config_raw_t, conf.shutdown_timeout_ms),
      .min = "0", .max = "10m" },
    { .name = "vault", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_config_raw_t, vault) },
    { .name = "credentials_key", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_config_raw_t, conf.credentials_key) },
    { .name = "proxy", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_config_raw_t, conf.proxy),
      .min = "1", .max = "1024" },
    { .name = "proxy_login", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_config_raw_t, conf.proxy_login) },
    { .name = "allow_private", .kind = FWD_FIELD_LIST,
      .offset = offsetof(fwd_config_raw_t, conf.allow_private),
      .min = "1", .max = "64", .valid = fwd_safe_net_valid,
      .allowed = FWD_CONFIG_NET },
    { .name = "destinations", .kind = FWD_FIELD_NODE, .required = 1,
      .offset = offsetof(fwd_config_raw_t, destinations) },
    { .name = NULL }
};


static const fwd_field_t  fwd_config_stream_fields[] = {
    { .name = "prefix", .kind = FWD_FIELD_STRING, .dflt = "mt",
      .offset = offsetof(fwd_config_t, prefix),
      .valid = fwd_config_prefix_valid,
      .allowed = "1 to 32 of A-Z a-z 0-9 _ . -" },
    { .name = "shards", .kind = FWD_FIELD_NUMBER, .dflt = "16",
      .offset = offsetof(fwd_config_t, shards),
      .min = "1", .max = "1024" },
    { .name = NULL }
};


static const fwd_field_t  fwd_config_owner_fields[] = {
    { .name = "name", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_config_t, owner),
      .valid = fwd_config_visible,
      .allowed = "1 to 128 visible ASCII characters" },
    { .name = "lease", .kind = FWD_FIELD_TIME, .dflt = "6s",
      .offset = offsetof(fwd_config_t, lease_ms),
      .min = "500ms", .max = "10m" },
    { .name = NULL }
};


static const fwd_field_t  fwd_config_log_fields[] = {
    { .name = "level", .kind = FWD_FIELD_WORD, .dflt = "info",
      .offset = offsetof(fwd_config_t, log_level),
      .words = fwd_config_levels },
    { .name = "attempts", .kind = FWD_FIELD_WORD, .dflt = "all",
      .offset = offsetof(fwd_config_t, log_attempts),
      .words = fwd_config_attempts },
    { .name = NULL }
};


static const fwd_field_t  fwd_config_dedup_fields[] = {
    { .name = "window", .kind = FWD_FIELD_TIME, .dflt = "1h",
      .offset = offsetof(fwd_config_t, dedup_window_ms),
      .min = "1s", .max = "24h", .zero = 1 },
    { .name = "events", .kind = FWD_FIELD_NUMBER, .dflt = "2000000",
      .offset = offsetof(fwd_config_t, dedup_max),
      .min = "1000", .max = "100000000" },
    { .name = NULL }
};


static const fwd_field_t  fwd_config_map_fields[] = {
    { .name = "timeout", .kind = FWD_FIELD_TIME, .dflt = "1s",
      .offset = offsetof(fwd_config_t, map_timeout_ms),
      .min = "100ms", .max = "1m" },
    { .name = "memory", .kind = FWD_FIELD_SIZE, .dflt = "1g",
      .offset = offsetof(fwd_config_t, map_memory),
      .min = "64m", .max = "1024g", .zero = 1 },
    { .name = NULL }
};


fwd_rc_t
fwd_config_load(fwd_config_t *conf, const char *file, fwd_report_t *report)
{
    return fwd_config_load_known(conf, file, NULL, report);
}


fwd_rc_t
fwd_config_load_known(fwd_config_t *conf, const char *file,
    const char *known, fwd_report_t *report)
{
    fwd_yaml_t        y;
    fwd_config_raw_t  raw;

    memset(conf, 0, sizeof(fwd_config_t));
    memset(&raw, 0, sizeof(fwd_config_raw_t));

    fwd_pool_init(&conf->pool);
    report->pool = &conf->pool;
    report->count = 0;
    report->warnings_count = 0;

    if (fwd_yaml_open(&y, file, report, &conf->pool) != FWD_OK) {
        return FWD_ERROR;
    }

    raw.conf.file = file;
    fwd_digest_file(raw.conf.digest, file);
    y.secrets = &raw.conf.secrets;
    fwd_config_read(&y, &raw, known);

    fwd_yaml_close(&y);

    /* the pool moved on while raw was filled */
    raw.conf.pool = conf->pool;
    *conf = raw.conf;

    return report->count ? FWD_ERROR : FWD_OK;
}


void
fwd_config_free(fwd_config_t *conf)
{
    fwd_pool_free(&conf->pool);
}


static void
fwd_config_read(fwd_yaml_t *y, fwd_config_raw_t *raw, const char *known)
{
    size_t         i;
    fwd_config_t  *conf;

    conf = &raw->conf;

    fwd_yaml_defaults(fwd_config_fields, raw, y->pool);
    fwd_yaml_section(y, fwd_yaml_root(y), "", fwd_config_fields, raw);

    struct {
        const char         *name;
        yaml_node_t        *node;
        const fwd_field_t  *fields;
    } sections[] = {
        { "stream", raw->stream, fwd_config_stream_fields },
        { "owner", raw->owner, fwd_config_owner_fields },
        { "log", raw->log, fwd_config_log_fields },
        { "dedup", raw->dedup, fwd_config_dedup_fields },
        { "map", raw->map, fwd_config_map_fields }
    };

    /* others may have their secrets there */

    fwd_vault_config(y, raw->vault, known);
    fwd_config_outbound(y, conf);

    if (raw->redis != NULL) {
        fwd_config_redis(y, conf, raw->redis);
    }

    for (i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        fwd_yaml_defaults(sections[i].fields, conf, y->pool);
        fwd_yaml_section(y, sections[i].node, sections[i].name,
                         sections[i].fields, conf);
    }

    fwd_config_owner(y, conf);
    fwd_config_loops(y, conf);
    fwd_config_map(y, conf);

    if (raw->destinations != NULL) {
        fwd_config_dests(y, conf, raw->destinations);
    }
}


static void
fwd_config_loops(fwd_yaml_t *y, const fwd_config_t *conf)
{
    if (conf->loops > conf->shards) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "loops"),
                   "\"loops\" is \"%llu\", above stream.shards %llu: a shard "
                   "has one loop, so more would be idle; allowed are auto or "
                   "1 to %llu", (unsigned long long) conf->loops,
                   (unsigned long long) conf->shards,
                   (unsigned long long) conf->shards);
    }
}


/* While a program runs the loop does nothing else, so no lease is renewed. */

static void
fwd_config_map(fwd_yaml_t *y, fwd_config_t *conf)
{
    if (conf->map_timeout_ms <= conf->lease_ms / 2) {
        return;
    }

    if (!fwd_yaml_has(y, "map.timeout")) {
        conf->map_timeout_ms = conf->lease_ms / 2;
        return;
    }

    fwd_report(y->report, y->file, fwd_yaml_at(y, "map.timeout"),
               "\"map.timeout\" is %llums, more than half of owner.lease "
               "%llums: leases would end meanwhile; allowed are at most "
               "%llums", (unsigned long long) conf->map_timeout_ms,
               (unsigned long long) conf->lease_ms,
               (unsigned long long) conf->lease_ms / 2);
}


static void
fwd_config_owner(fwd_yaml_t *y, fwd_config_t *conf)
{
    char  host[128];

    if (conf->lease_ms < FWD_CONFIG_LEASE_LOW) {
        fwd_report_warning(y->report, y->file, fwd_yaml_at(y, "owner.lease"),
                           "\"owner.lease\" is below 2s: one slow answer of "
                           "Redis may cost all shards");
    }

    if (conf->owner != NULL) {
        return;
    }

    if (gethostname(host, sizeof(host)) != 0) {
        host[0] = '\0';
    }

    host[sizeof(host) - 1] = '\0';
    conf->owner = fwd_pool_printf(y->pool, "%s-%ld",
                                  host[0] ? host : "forwarder",
                                  (long) getpid());
}


static int
fwd_config_prefix_valid(const char *text)
{
    martech_str_t  prefix;

    prefix.data = (const unsigned char *) text;
    prefix.len = strlen(text);

    return martech_shard_prefix_valid(prefix);
}


/* It is a part of the lease, "<epoch> <name>", and stands in logs. */

static int
fwd_config_visible(const char *text)
{
    const char  *p;

    for (p = text; *p > ' ' && *p <= '~'; p++) { /* void */ }

    return *p == '\0' && p > text && p - text <= 128;
}


int
fwd_config_name_valid(const char *name)
{
    size_t  len;

    len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

    return len >= 1 && len <= FWD_NAME_MAX && name[len] == '\0';
}


fwd_rc_t
fwd_config_programs(const fwd_config_t *conf, fwd_report_t *report)
{
    size_t                  i;
    fwd_rc_t                rc;
    fwd_map_t              *map;
    fwd_sequence_t         *seq;
    const fwd_dest_conf_t  *dest;

    rc = FWD_OK;

    for (i = 0; i < conf->dests_count; i++) {
        dest = &conf->dests[i];

        if (dest->wanted.when != NULL
            && fwd_config_when(conf, dest, report) != FWD_OK)
        {
            rc = FWD_ERROR;
        }

        map = NULL;

        if (dest->desc->map != NULL
            && fwd_map_create(&map, dest, report) != FWD_OK)
        {
            rc = FWD_ERROR;
            map = NULL;
        }

        fwd_map_destroy(map);
        map = NULL;

        if (dest->desc->answer != NULL
            && fwd_answer_create(&map, dest, report) != FWD_OK)
        {
            rc = FWD_ERROR;
            map = NULL;
        }

        fwd_map_destroy(map);

        if (fwd_sequence_create(&seq, dest, report) != FWD_OK) {
            rc = FWD_ERROR;
        }

        fwd_sequence_destroy(seq);
    }

    return rc;
}


/* As a map, but its errors stand in another file. */

static fwd_rc_t
fwd_config_when(const fwd_config_t *conf, const fwd_dest_conf_t *dest,
    fwd_report_t *report)
{
    size_t            len;
    const char       *text, *p;
    fwd_map_t        *map;
    fwd_desc_t        desc;
    fwd_report_t      errors;
    fwd_dest_conf_t   copy;

    copy = *dest;
    desc = *dest->desc;
    desc.map = dest->wanted.when;
    desc.map_file = "when";
    copy.desc = &desc;

    errors.pool = report->pool;
    errors.count = 0;

    if (fwd_map_create(&map, &copy, &errors) == FWD_OK) {
        fwd_map_destroy(map);
        return FWD_OK;
    }

    /* the first one says it; "when:LINE: jq: error: " is not ours to show */

    text = errors.count ? errors.texts[0] : "";
    p = strstr(text, "error: ");
    text = (p != NULL) ? p + 7 : text;
    len = strlen(text);

    if (len > 0 && text[len - 1] == ':') {
        len--;
    }

    fwd_report(report, conf->file, dest->wanted.when_line,
               "\"destinations.%s.when\" is no jq program: %.*s; allowed is "
               "one over {event, person, now}", dest->name, (int) len, text);

    return FWD_ERROR;
}
