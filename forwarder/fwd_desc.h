
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The description of a destination: what stands in a folder of
 * destinations_path (docs/FORWARDER.md).  It names settings, defaults of
 * limits and policies, and templates that become a target once the settings
 * are known.
 */


#ifndef _FWD_DESC_H_INCLUDED_
#define _FWD_DESC_H_INCLUDED_


#include "fwd.h"
#include "fwd_backoff.h"
#include "fwd_config_policy.h"
#include "fwd_pool.h"
#include "fwd_yaml.h"


#define FWD_MAP_SIZE_MAX  (256 * 1024)


typedef enum {
    FWD_KIND_FILE = 0,
    FWD_KIND_HTTP,
    FWD_KIND_UNKNOWN              /* while reading only */
} fwd_kind_name_t;


typedef enum {
    FWD_SETTING_STRING = 0,
    FWD_SETTING_URL,              /* http or https, with a host */
    FWD_SETTING_PATH,             /* absolute */
    FWD_SETTING_NUMBER,
    FWD_SETTING_BOOL,
    FWD_SETTING_SIZE,
    FWD_SETTING_TIME
} fwd_setting_kind_t;


typedef struct {
    const char           *name;
    const char           *description;   /* NULL if there is none */
    const char           *dflt;          /* NULL if there is none */
    const char          **words;         /* allowed values; NULL: any */
    uint64_t              kind;          /* fwd_setting_kind_t */
    uint64_t              required;
    uint64_t              secret;        /* given by reference only, never
                                            shown to a map */
} fwd_setting_t;


/* Limits of a destination: defaults of the table, then of the description,
   then what the configuration says. */
typedef struct {
    uint64_t              batch_count;
    uint64_t              batch_bytes;
    uint64_t              linger_ms;
    fwd_backoff_t         retry;
    uint64_t              timeout_ms;
    uint64_t              connect_timeout_ms;
    uint64_t              concurrency;
    uint64_t              window_count;  /* events in memory, all shards */
    uint64_t              window_bytes;

    yaml_node_t          *batch_node;    /* while reading only */
    yaml_node_t          *retry_node;
    yaml_node_t          *window_node;
} fwd_limits_t;


typedef struct {
    const char           *name;
    const char           *value;
} fwd_pair_t;


/* Templates, "{setting}" not yet replaced. */
typedef struct {
    const char           *url;
    size_t                url_line;
    const char           *content_type;
    const char           *framing;
    const char           *idempotency_header;
    const char           *signature_scheme;
    const char           *signature_secret;
    fwd_pair_t           *headers;
    size_t                headers_count;
    uint64_t              method;        /* fwd_method_t */

    yaml_node_t          *headers_node;
    yaml_node_t          *signature_node;
} fwd_desc_http_t;

typedef struct {
    const char           *path;
    const char           *rotate_size;
    const char           *rotate_every;
} fwd_desc_file_t;


typedef struct {
    const char           *name;
    const char           *folder;
    const char           *description;
    const char           *docs;          /* of the vendor, for people */
    uint64_t              kind;          /* fwd_kind_name_t */
    fwd_setting_t        *settings;
    size_t                settings_count;
    fwd_limits_t          limits;
    fwd_policy_conf_t     policy;        /* defaults, as of limits */
    fwd_words_t           consent;       /* likewise */
    fwd_desc_http_t       http;
    fwd_desc_file_t       file;
    const char           *map;           /* program text, or NULL */
    const char           *map_file;
    const char           *answer;        /* likewise, what answers mean */
    const char           *answer_file;

    yaml_node_t          *settings_node;
    yaml_node_t          *http_node;
    yaml_node_t          *file_node;
} fwd_desc_t;


/*
 * Rows for a table whose struct has a fwd_limits_t member: the keys batch,
 * retry, window, timeout, connect_timeout and concurrency.
 */
#define FWD_LIMITS_FIELDS(type, member)                                       \
    { .name = "batch", .kind = FWD_FIELD_NODE,                                \
      .offset = offsetof(type, member.batch_node) },                          \
    { .name = "retry", .kind = FWD_FIELD_NODE,                                \
      .offset = offsetof(type, member.retry_node) },                          \
    { .name = "window", .kind = FWD_FIELD_NODE,                               \
      .offset = offsetof(type, member.window_node) },                         \
    { .name = "timeout", .kind = FWD_FIELD_TIME, .dflt = "15s",               \
      .offset = offsetof(type, member.timeout_ms),                            \
      .min = "100ms", .max = "10m" },                                         \
    { .name = "connect_timeout", .kind = FWD_FIELD_TIME, .dflt = "5s",        \
      .offset = offsetof(type, member.connect_timeout_ms),                    \
      .min = "100ms", .max = "1m" },                                          \
    { .name = "concurrency", .kind = FWD_FIELD_NUMBER, .dflt = "8",           \
      .offset = offsetof(type, member.concurrency),                           \
      .min = "1", .max = "256" }


/* Defaults of the sections batch, retry and window. */
void fwd_limits_default(fwd_limits_t *limits, fwd_pool_t *pool);

/* Reads these sections from the nodes that a table has set. */
void fwd_limits_read(fwd_yaml_t *y, const char *path, fwd_limits_t *limits);

/*
 * Loads folder/destination.yaml, and folder/map.jq and folder/answer.jq if
 * they are there.  FWD_ERROR with reports if anything is wrong; then the
 * description must not be used.
 */
fwd_rc_t fwd_desc_load(fwd_desc_t **desc, const char *folder,
    const char *name, fwd_report_t *report, fwd_pool_t *pool) FWD_MUST_CHECK;

/*
 * Checks what can be checked without values of settings: the names in the
 * templates, words, names of headers.
 */
void fwd_desc_check(fwd_yaml_t *y, const fwd_desc_t *desc);

extern const char *const  fwd_desc_types[];   /* of settings */
extern const char *const  fwd_desc_framings[];
extern const char *const  fwd_desc_rotations[];

/* 1 if a text may be the name of a header. */
int fwd_desc_header_valid(const char *name);


#endif /* _FWD_DESC_H_INCLUDED_ */
