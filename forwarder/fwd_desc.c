
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reading of destination folders.  What a template may name is checked when
 * it is expanded (fwd_target.c), where the settings are known.
 */


#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fwd_config.h"
#include "fwd_desc.h"


#define FWD_DESC_WORDS_MAX  32


static fwd_rc_t fwd_desc_program(const char **out, const char *file,
    fwd_report_t *report, fwd_pool_t *pool);
static void fwd_desc_settings(fwd_yaml_t *y, fwd_desc_t *desc);
static void fwd_desc_http(fwd_yaml_t *y, fwd_desc_t *desc);
static void fwd_desc_file(fwd_yaml_t *y, fwd_desc_t *desc);


static const char *const  fwd_desc_kinds[] = { "file", "http", NULL };

static const char *const  fwd_desc_methods[] = {
    "POST", "PUT", "PATCH", NULL
};

const char *const  fwd_desc_types[] = {
    "string", "url", "path", "number", "boolean", "size", "time", NULL
};


static const fwd_field_t  fwd_desc_fields[] = {
    { .name = "name", .kind = FWD_FIELD_STRING, .required = 1,
      .offset = offsetof(fwd_desc_t, name), .min = "1", .max = "32" },
    { .name = "kind", .kind = FWD_FIELD_WORD, .required = 1,
      .offset = offsetof(fwd_desc_t, kind), .words = fwd_desc_kinds },
    { .name = "description", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_desc_t, description) },
    { .name = "docs", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_desc_t, docs) },
    { .name = "settings", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_t, settings_node) },
    { .name = "request", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_t, http_node) },
    { .name = "file", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_t, file_node) },
    FWD_LIMITS_FIELDS(fwd_desc_t, limits),
    FWD_POLICY_FIELDS(fwd_desc_t, policy),
    { .name = "consent", .kind = FWD_FIELD_LIST,
      .offset = offsetof(fwd_desc_t, consent),
      .min = "1", .max = "5", .words = fwd_policy_purposes },
    { .name = NULL }
};


static const fwd_field_t  fwd_desc_http_fields[] = {
    { .name = "url", .kind = FWD_FIELD_STRING, .required = 1,
      .offset = offsetof(fwd_desc_http_t, url), .min = "1", .max = "2048" },
    { .name = "method", .kind = FWD_FIELD_WORD, .dflt = "POST",
      .offset = offsetof(fwd_desc_http_t, method),
      .words = fwd_desc_methods },
    { .name = "content_type", .kind = FWD_FIELD_STRING,
      .dflt = "application/json",
      .offset = offsetof(fwd_desc_http_t, content_type),
      .min = "1", .max = "256" },
    { .name = "framing", .kind = FWD_FIELD_STRING, .dflt = "object",
      .offset = offsetof(fwd_desc_http_t, framing),
      .min = "1", .max = "64" },
    { .name = "idempotency_header", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_desc_http_t, idempotency_header),
      .min = "1", .max = "64" },
    { .name = "headers", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_http_t, headers_node) },
    { .name = "signature", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_http_t, signature_node) },
    { .name = NULL }
};


static const fwd_field_t  fwd_desc_signature_fields[] = {
    { .name = "scheme", .kind = FWD_FIELD_STRING, .required = 1,
      .offset = offsetof(fwd_desc_http_t, signature_scheme),
      .min = "1", .max = "64" },
    { .name = "secret", .kind = FWD_FIELD_STRING, .required = 1,
      .offset = offsetof(fwd_desc_http_t, signature_secret),
      .min = "1", .max = "64" },
    { .name = NULL }
};


static const fwd_field_t  fwd_desc_file_fields[] = {
    { .name = "path", .kind = FWD_FIELD_STRING, .required = 1,
      .offset = offsetof(fwd_desc_file_t, path), .min = "1", .max = "4096" },
    { .name = "rotate_size", .kind = FWD_FIELD_STRING, .dflt = "64m",
      .offset = offsetof(fwd_desc_file_t, rotate_size),
      .min = "1", .max = "64" },
    { .name = "rotate_every", .kind = FWD_FIELD_STRING, .dflt = "hour",
      .offset = offsetof(fwd_desc_file_t, rotate_every),
      .min = "1", .max = "64" },
    { .name = NULL }
};


typedef struct {
    fwd_setting_t         setting;
    fwd_words_t           words;
} fwd_desc_setting_t;


static const fwd_field_t  fwd_setting_fields[] = {
    { .name = "type", .kind = FWD_FIELD_WORD, .dflt = "string",
      .offset = offsetof(fwd_desc_setting_t, setting.kind),
      .words = fwd_desc_types },
    { .name = "required", .kind = FWD_FIELD_BOOL, .dflt = "false",
      .offset = offsetof(fwd_desc_setting_t, setting.required) },
    { .name = "secret", .kind = FWD_FIELD_BOOL, .dflt = "false",
      .offset = offsetof(fwd_desc_setting_t, setting.secret) },
    { .name = "default", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_desc_setting_t, setting.dflt) },
    { .name = "enum", .kind = FWD_FIELD_LIST,
      .offset = offsetof(fwd_desc_setting_t, words),
      .min = "1", .max = "32" },
    { .name = "description", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_desc_setting_t, setting.description) },
    { .name = NULL }
};


static const fwd_field_t  fwd_batch_fields[] = {
    { .name = "count", .kind = FWD_FIELD_NUMBER, .dflt = "100",
      .offset = offsetof(fwd_limits_t, batch_count),
      .min = "1", .max = "10000" },
    { .name = "bytes", .kind = FWD_FIELD_SIZE, .dflt = "512k",
      .offset = offsetof(fwd_limits_t, batch_bytes),
      .min = "1k", .max = "64m" },
    { .name = "linger", .kind = FWD_FIELD_TIME, .dflt = "5ms",
      .offset = offsetof(fwd_limits_t, linger_ms),
      .min = "0", .max = "1m" },
    { .name = NULL }
};


static const fwd_field_t  fwd_retry_fields[] = {
    { .name = "base", .kind = FWD_FIELD_TIME, .dflt = "1s",
      .offset = offsetof(fwd_limits_t, retry.base_ms),
      .min = "1ms", .max = "1h" },
    { .name = "factor", .kind = FWD_FIELD_NUMBER, .dflt = "4",
      .offset = offsetof(fwd_limits_t, retry.factor),
      .min = "1", .max = "16" },
    { .name = "cap", .kind = FWD_FIELD_TIME, .dflt = "300s",
      .offset = offsetof(fwd_limits_t, retry.cap_ms),
      .min = "1ms", .max = "1d" },
    { .name = "attempts", .kind = FWD_FIELD_NUMBER, .dflt = "8",
      .offset = offsetof(fwd_limits_t, retry.attempts),
      .min = "1", .max = "1000" },
    { .name = "age", .kind = FWD_FIELD_TIME, .dflt = "72h",
      .offset = offsetof(fwd_limits_t, retry.age_ms),
      .min = "0", .max = "30d" },
    { .name = NULL }
};


static const fwd_field_t  fwd_window_fields[] = {
    { .name = "count", .kind = FWD_FIELD_NUMBER, .dflt = "4096",
      .offset = offsetof(fwd_limits_t, window_count),
      .min = "1", .max = "1000000" },
    { .name = "bytes", .kind = FWD_FIELD_SIZE, .dflt = "4m",
      .offset = offsetof(fwd_limits_t, window_bytes),
      .min = "64k", .max = "1g" },
    { .name = NULL }
};


void
fwd_limits_default(fwd_limits_t *limits, fwd_pool_t *pool)
{
    fwd_yaml_defaults(fwd_batch_fields, limits, pool);
    fwd_yaml_defaults(fwd_retry_fields, limits, pool);
    fwd_yaml_defaults(fwd_window_fields, limits, pool);
}


void
fwd_limits_read(fwd_yaml_t *y, const char *path, fwd_limits_t *limits)
{
    size_t  i;

    struct {
        const char         *name;
        yaml_node_t        *node;
        const fwd_field_t  *fields;
    } sections[] = {
        { "batch", limits->batch_node, fwd_batch_fields },
        { "retry", limits->retry_node, fwd_retry_fields },
        { "window", limits->window_node, fwd_window_fields }
    };

    for (i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        fwd_yaml_section(y, sections[i].node,
                         fwd_pool_printf(y->pool, "%s%s%s", path,
                                         *path ? "." : "", sections[i].name),
                         sections[i].fields, limits);
    }

    /* the nodes die with the document */
    limits->batch_node = NULL;
    limits->retry_node = NULL;
    limits->window_node = NULL;
}


fwd_rc_t
fwd_desc_load(fwd_desc_t **out, const char *folder, const char *name,
    fwd_report_t *report, fwd_pool_t *pool)
{
    size_t       errors;
    fwd_desc_t  *desc;
    fwd_yaml_t   y;

    errors = report->count;

    desc = fwd_pool_alloc(pool, sizeof(fwd_desc_t));
    desc->folder = folder;
    desc->kind = FWD_KIND_UNKNOWN;

    fwd_yaml_defaults(fwd_desc_fields, desc, pool);
    fwd_limits_default(&desc->limits, pool);
    fwd_policy_default(&desc->policy, pool);

    if (fwd_yaml_open(&y, fwd_pool_printf(pool, "%s/destination.yaml",
                                          folder), report, pool)
        != FWD_OK)
    {
        return FWD_ERROR;
    }

    fwd_yaml_section(&y, fwd_yaml_root(&y), "", fwd_desc_fields, desc);

    if (desc->name != NULL && strcmp(desc->name, name) != 0) {
        fwd_report(report, y.file, fwd_yaml_at(&y, "name"),
                   "\"name\" is \"%s\", allowed is the name of the folder, "
                   "\"%s\"", desc->name, name);
    }

    fwd_limits_read(&y, "", &desc->limits);
    fwd_policy_read(&y, "", &desc->policy);
    fwd_desc_settings(&y, desc);

    if (desc->kind == FWD_KIND_HTTP) {
        fwd_desc_http(&y, desc);

    } else if (desc->kind == FWD_KIND_FILE) {
        fwd_desc_file(&y, desc);
    }

    fwd_desc_check(&y, desc);

    fwd_yaml_close(&y);

    desc->map_file = fwd_pool_printf(pool, "%s/map.jq", folder);
    desc->answer_file = fwd_pool_printf(pool, "%s/answer.jq", folder);

    if (fwd_desc_program(&desc->map, desc->map_file, report, pool) != FWD_OK
        || fwd_desc_program(&desc->answer, desc->answer_file, report, pool)
           != FWD_OK
        || report->count != errors)
    {
        return FWD_ERROR;
    }

    *out = desc;

    return FWD_OK;
}


static void
fwd_desc_settings(fwd_yaml_t *y, fwd_desc_t *desc)
{
    size_t              i, n;
    const char         *key, *path;
    yaml_node_t        *map, *value;
    fwd_setting_t      *setting;
    fwd_desc_setting_t  raw;

    map = desc->settings_node;

    if (map == NULL || !fwd_yaml_is_map(y, map, "settings")) {
        return;
    }

    n = (size_t) (map->data.mapping.pairs.top
                  - map->data.mapping.pairs.start);
    desc->settings = fwd_pool_alloc(y->pool, n * sizeof(fwd_setting_t));

    i = 0;

    while (fwd_yaml_next(y, map, &i, &key, &value) == FWD_OK) {
        path = fwd_pool_printf(y->pool, "settings.%s", key);

        if (!fwd_config_name_valid(key)) {
            fwd_report(y->report, y->file, y->key_line,
                       "setting name \"%s\", allowed are 1 to 32 of "
                       "a-z 0-9 _ -", key);
            continue;
        }

        memset(&raw, 0, sizeof(raw));
        fwd_yaml_defaults(fwd_setting_fields, &raw, y->pool);
        fwd_yaml_section(y, value, path, fwd_setting_fields, &raw);

        setting = &desc->settings[desc->settings_count++];
        *setting = raw.setting;
        setting->name = key;

        if (raw.words.count > 0) {
            setting->words = fwd_pool_alloc(y->pool, (raw.words.count + 1)
                                                     * sizeof(char *));
            memcpy(setting->words, raw.words.list,
                   raw.words.count * sizeof(char *));
        }
    }
}


static void
fwd_desc_http(fwd_yaml_t *y, fwd_desc_t *desc)
{
    size_t            i, n;
    const char       *key;
    yaml_node_t      *map, *value;
    fwd_desc_http_t  *http;

    http = &desc->http;

    if (desc->file_node != NULL) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "file"),
                   "section \"file\" belongs to kind file, not http");
    }

    if (desc->http_node == NULL) {
        fwd_report(y->report, y->file, 1,
                   "section \"request\" is missing, kind http needs it");
        return;
    }

    fwd_yaml_defaults(fwd_desc_http_fields, http, y->pool);
    fwd_yaml_section(y, desc->http_node, "request", fwd_desc_http_fields,
                     http);
    http->url_line = fwd_yaml_at(y, "request.url");

    if (http->signature_node != NULL) {
        fwd_yaml_section(y, http->signature_node, "request.signature",
                         fwd_desc_signature_fields, http);

        if (http->signature_scheme != NULL
            && strcmp(http->signature_scheme, "standard-webhooks") != 0)
        {
            fwd_report(y->report, y->file,
                       fwd_yaml_at(y, "request.signature.scheme"),
                       "\"request.signature.scheme\" is \"%s\", allowed is "
                       "\"standard-webhooks\"", http->signature_scheme);
        }
    }

    map = http->headers_node;

    if (map == NULL || !fwd_yaml_is_map(y, map, "request.headers")) {
        return;
    }

    n = (size_t) (map->data.mapping.pairs.top
                  - map->data.mapping.pairs.start);
    http->headers = fwd_pool_alloc(y->pool, n * sizeof(fwd_pair_t));

    i = 0;

    while (fwd_yaml_next(y, map, &i, &key, &value) == FWD_OK) {
        http->headers[http->headers_count].name = key;
        http->headers[http->headers_count].value =
                                   fwd_yaml_text(y, value, "request.headers");

        if (http->headers[http->headers_count].value != NULL) {
            http->headers_count++;
        }
    }
}


static void
fwd_desc_file(fwd_yaml_t *y, fwd_desc_t *desc)
{
    if (desc->http_node != NULL) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "request"),
                   "section \"request\" belongs to kind http, not file");
    }

    if (desc->file_node == NULL) {
        fwd_report(y->report, y->file, 1,
                   "section \"file\" is missing, kind file needs it");
        return;
    }

    fwd_yaml_defaults(fwd_desc_file_fields, &desc->file, y->pool);
    fwd_yaml_section(y, desc->file_node, "file", fwd_desc_file_fields,
                     &desc->file);
}


/* *out stays NULL if there is no such file. */

static fwd_rc_t
fwd_desc_program(const char **out, const char *file, fwd_report_t *report,
    fwd_pool_t *pool)
{
    int      fd;
    char    *text;
    size_t   len;
    ssize_t  n;

    fd = open(file, O_RDONLY|O_CLOEXEC|O_NONBLOCK);

    if (fd == -1) {

        if (errno == ENOENT) {
            return FWD_OK;
        }

        fwd_report(report, file, 0, "cannot be opened: %s",
                   strerror(errno));
        return FWD_ERROR;
    }

    text = fwd_pool_alloc(pool, FWD_MAP_SIZE_MAX + 1);
    len = 0;

    do {
        n = read(fd, text + len, FWD_MAP_SIZE_MAX + 1 - len);
        len += (n > 0) ? (size_t) n : 0;
    } while (n > 0 && len <= FWD_MAP_SIZE_MAX);

    (void) close(fd);

    if (n < 0 || len > FWD_MAP_SIZE_MAX || memchr(text, '\0', len) != NULL) {
        fwd_report(report, file, 0,
                   "cannot be read, holds a zero byte, or has more than "
                   "%d bytes", FWD_MAP_SIZE_MAX);
        return FWD_ERROR;
    }

    *out = text;

    return FWD_OK;
}
