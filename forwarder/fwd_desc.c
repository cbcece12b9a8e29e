
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

#include "../martech/martech_regex.h"

#include "fwd_config.h"
#include "fwd_desc.h"
#include "fwd_setting.h"


#define FWD_DESC_WORDS_MAX  32


static fwd_rc_t fwd_desc_program(const char **out, const char *file,
    fwd_report_t *report, fwd_pool_t *pool);
static int fwd_desc_steers(const char *map);
static void fwd_desc_settings(fwd_yaml_t *y, fwd_desc_t *desc);
static void fwd_desc_pattern(fwd_yaml_t *y, const char *path,
    const fwd_setting_t *setting);
static void fwd_desc_default(fwd_yaml_t *y, const char *path,
    const fwd_setting_t *setting);
static void fwd_desc_http(fwd_yaml_t *y, fwd_desc_t *desc);
static void fwd_desc_file(fwd_yaml_t *y, fwd_desc_t *desc);


static const char *const  fwd_desc_kinds[] = { "file", "http", NULL };

/* As fwd_omit_t. */
static const char *const  fwd_desc_omits[] = { "none", "null", "empty", NULL };

/* As fwd_resume_t. */
static const char *const  fwd_desc_resumes[] = { "step", "start", NULL };

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
    { .name = "endpoints", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_t, endpoints_node) },
    { .name = "auth", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_t, auth_node) },
    { .name = "regions", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_t, regions_node) },
    { .name = "hosts", .kind = FWD_FIELD_LIST,
      .offset = offsetof(fwd_desc_t, hosts), .min = "1", .max = "64",
      .valid = fwd_safe_pattern_valid,
      .allowed = "a host such as api.example.com or *.example.com" },
    { .name = "answer_headers", .kind = FWD_FIELD_LIST,
      .offset = offsetof(fwd_desc_t, answer_headers),
      .min = "1", .max = "16" },
    { .name = "version", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_t, version_node) },
    { .name = "dedup", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_t, dedup_node) },
    { .name = "omit", .kind = FWD_FIELD_WORD, .dflt = "none",
      .offset = offsetof(fwd_desc_t, omit), .words = fwd_desc_omits },
    { .name = "sequence", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_t, sequence_node) },
    { .name = "sequence_resume", .kind = FWD_FIELD_WORD, .dflt = "step",
      .offset = offsetof(fwd_desc_t, resume), .words = fwd_desc_resumes },
    FWD_LIMITS_FIELDS(fwd_desc_t, limits),
    FWD_POLICY_FIELDS(fwd_desc_t, policy),
    { .name = "consent", .kind = FWD_FIELD_LIST,
      .offset = offsetof(fwd_desc_t, consent),
      .min = "1", .max = "5", .words = fwd_policy_purposes },
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
    { .name = "list", .kind = FWD_FIELD_BOOL, .dflt = "false",
      .offset = offsetof(fwd_desc_setting_t, setting.list) },
    { .name = "pattern", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_desc_setting_t, setting.pattern),
      .min = "1", .max = "1024" },
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
    { .name = "record", .kind = FWD_FIELD_SIZE, .dflt = "0",
      .offset = offsetof(fwd_limits_t, record_bytes),
      .min = "64", .max = "64m", .zero = 1 },
    { .name = "in_body", .kind = FWD_FIELD_SIZE, .dflt = "0",
      .offset = offsetof(fwd_limits_t, in_body_bytes),
      .min = "1k", .max = "64m", .zero = 1 },
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

    fwd_desc_extras(&y, desc);
    fwd_desc_sequence(&y, desc);
    fwd_desc_check(&y, desc);

    /* where the tables have found nothing: they explain better */

    if (report->count == errors) {
        fwd_desc_schema(&y);
    }

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

    desc->calls |= fwd_desc_steers(desc->map);

    *out = desc;

    return FWD_OK;
}


/* 1 if a map says more of its records than what is in them. */

static int
fwd_desc_steers(const char *map)
{
    size_t                    i;
    static const char *const  words[] = {
        "@endpoint", "@group", "@array", "@alone", "@merge", "@path"
    };

    for (i = 0; map != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strstr(map, words[i]) != NULL) {
            return 1;
        }
    }

    return 0;
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
        fwd_desc_pattern(y, path, setting);

        if (raw.words.count > 0) {
            setting->words = fwd_pool_alloc(y->pool, (raw.words.count + 1)
                                                     * sizeof(char *));
            memcpy(setting->words, raw.words.list,
                   raw.words.count * sizeof(char *));
        }

        fwd_desc_default(y, path, setting);
    }
}


/* A pattern that is none is said where it stands. */

static void
fwd_desc_pattern(fwd_yaml_t *y, const char *path,
    const fwd_setting_t *setting)
{
    char              error[MARTECH_REGEX_ERROR_SIZE];
    martech_str_t     text;
    martech_regex_t  *regex;

    if (setting->pattern == NULL) {
        return;
    }

    text.data = (const unsigned char *) setting->pattern;
    text.len = strlen(setting->pattern);

    regex = martech_regex_compile(text, MARTECH_REGEX_ECMA, error);

    if (regex == NULL) {
        path = fwd_pool_printf(y->pool, "%s.pattern", path);
        fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                   "\"%s\" is no pattern: %s", path, error);
    }

    martech_regex_free(regex);
}


/* What nobody writes is not looked at again: it must be good. */

static void
fwd_desc_default(fwd_yaml_t *y, const char *path,
    const fwd_setting_t *setting)
{
    const char  *wanted;

    if (setting->dflt == NULL
        || fwd_setting_check(setting, setting->dflt, &wanted, y->pool)
           == FWD_OK)
    {
        return;
    }

    path = fwd_pool_printf(y->pool, "%s.default", path);
    fwd_report(y->report, y->file, fwd_yaml_at(y, path),
               "\"%s\" is \"%s\", allowed is %s", path, setting->dflt,
               wanted);
}


static void
fwd_desc_http(fwd_yaml_t *y, fwd_desc_t *desc)
{
    if (desc->file_node != NULL) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "file"),
                   "section \"file\" belongs to kind file, not http");
    }

    if (desc->http_node == NULL && desc->endpoints_node == NULL) {
        fwd_report(y->report, y->file, 1,
                   "section \"request\" is missing, kind http needs it");
        return;
    }

    if (desc->http_node != NULL && desc->endpoints_node != NULL) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "request"),
                   "section \"request\" stands beside \"endpoints\", "
                   "allowed is one of them");
        return;
    }

    fwd_desc_endpoints(y, desc);
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
