
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The description of a destination: what stands in a folder of
 * destinations_path (docs/DESTINATIONS.md).  It names settings, defaults of
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


#define FWD_MAP_SIZE_MAX   (256 * 1024)
#define FWD_ENDPOINTS_MAX  32            /* of a destination */

#define FWD_ENDPOINT_SEQUENCE_NAME  "sequence"   /* of "@endpoint" */

#define FWD_SEQUENCE_STEPS_MAX  16
#define FWD_SEQUENCE_VARS_MAX   16       /* of a step */
#define FWD_SEQUENCE_JQ_MAX     8192     /* bytes of a program of a step */


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
    uint64_t              list;          /* 1 to 100 values */
    const char           *pattern;       /* NULL: any value */
} fwd_setting_t;


/* Limits of a destination: defaults of the table, then of the description,
   then what the configuration says. */
typedef struct {
    uint64_t              batch_count;
    uint64_t              batch_bytes;
    uint64_t              linger_ms;
    uint64_t              record_bytes;  /* of one record; 0: any */
    uint64_t              in_body_bytes; /* of all records; 0: any */
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


/* Of the calls of one endpoint; 0: not said, as of the destination. */
typedef struct {
    uint64_t              count;
    uint64_t              bytes;         /* of the body, uncompressed */
    uint64_t              record;        /* bytes of one; 0: any */
    uint64_t              in_body;       /* bytes of all records; 0: any */
    uint64_t              linger_ms;     /* UINT64_MAX: not said */
} fwd_desc_batch_t;


/* What a check by the vendor has instead. */
typedef struct {
    const char           *url;           /* NULL: the same */
    const char           *body;          /* JSON; NULL: the same */
    fwd_pair_t           *query;
    size_t                query_count;

    yaml_node_t          *query_node;
    yaml_node_t          *body_node;
} fwd_desc_validate_t;


/* "auth": a kind and its members; names of members of a section within are
   joined by a dot ("extra.resource").  fwd_auth.h knows what they mean. */
typedef struct {
    const char           *kind;          /* NULL: there is none */
    size_t                line;
    fwd_pair_t           *members;       /* templates */
    size_t                members_count;
} fwd_desc_auth_t;


/* Templates, "{setting}" not yet replaced. */
typedef struct {
    const char           *name;          /* of the endpoint */
    size_t                line;
    const char           *url;
    size_t                url_line;
    const char           *content_type;
    const char           *framing;
    const char           *idempotency_header;
    const char           *answer_key;    /* fwd_endpoint.h */
    const char           *signature_scheme;
    const char           *signature_secret;
    fwd_pair_t           *headers;
    size_t                headers_count;
    uint64_t              method;        /* fwd_method_t */
    fwd_pair_t           *query;
    size_t                query_count;
    const char           *body;          /* JSON text, or NULL */
    uint64_t              gzip;          /* fwd_compress_t */
    uint64_t              timeout_ms;    /* 0: as of the destination */
    uint64_t              ambiguous;     /* likewise: FWD_AMBIGUOUS_NOT_SAID */
    fwd_desc_batch_t      batch;
    fwd_desc_validate_t  *validate;      /* NULL: there is none */
    fwd_desc_auth_t      *auth;          /* NULL: that of the destination */

    yaml_node_t          *headers_node;
    yaml_node_t          *signature_node;
    yaml_node_t          *query_node;
    yaml_node_t          *body_node;
    yaml_node_t          *batch_node;
    yaml_node_t          *validate_node;
    yaml_node_t          *auth_node;
} fwd_desc_http_t;


/* "regions": what "{region.NAME}" is, by the value of a setting. */
typedef struct {
    const char           *value;
    fwd_pair_t           *pairs;
    size_t                pairs_count;
} fwd_desc_region_t;


/* "version", for the lint. */
typedef struct {
    const char           *name;
    const char           *sunset;        /* "2027-02-16", or NULL */
} fwd_desc_version_t;


/* "dedup": for people and the lint. */
typedef struct {
    const char           *key;           /* NULL: there is none */
    uint64_t              max;           /* bytes; 0: not said */
    uint64_t              window_ms;     /* 0: not said */
} fwd_desc_dedup_t;


/* The text of a jq program, and the line where it begins. */
typedef struct {
    const char           *text;          /* NULL: there is none */
    size_t                line;
} fwd_desc_jq_t;


typedef struct {
    const char           *name;
    fwd_desc_jq_t         jq;
} fwd_desc_var_t;


/* A step of "sequence" (fwd_sequence.h). */
typedef struct {
    const char           *name;
    size_t                line;
    const char           *endpoint;
    fwd_desc_jq_t         when;
    fwd_desc_jq_t         map;
    fwd_desc_var_t        vars[FWD_SEQUENCE_VARS_MAX];
    size_t                vars_count;
    fwd_desc_jq_t         cache_key;     /* no text: there is no cache */
    uint64_t              cache_ttl_ms;
    uint64_t              cache_negative_ms;  /* 0: refusals are forgotten */
    uint64_t              idempotent;
    uint64_t              optional;
    const char           *undo_endpoint;  /* of "compensate"; NULL: none */
    fwd_desc_jq_t         undo_map;

    yaml_node_t          *when_node;     /* while reading only */
    yaml_node_t          *map_node;
    yaml_node_t          *capture_node;
    yaml_node_t          *cache_node;
    yaml_node_t          *key_node;
    yaml_node_t          *undo_node;
    yaml_node_t          *undo_map_node;
} fwd_desc_step_t;


/* Where a sequence that failed goes on. */
typedef enum {
    FWD_RESUME_STEP = 0,
    FWD_RESUME_START
} fwd_resume_t;


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

    fwd_desc_http_t      *endpoints;     /* of "endpoints", or "request" */
    size_t                endpoints_count;
    fwd_desc_auth_t       auth;
    const char           *region_by;     /* name of the setting, or NULL */
    fwd_desc_region_t    *regions;
    size_t                regions_count;
    fwd_words_t           hosts;         /* patterns; none: those of URLs */
    fwd_words_t           answer_headers;  /* lower case; "x*" is a beginning */
    fwd_desc_version_t    version;
    fwd_desc_dedup_t      dedup;
    uint64_t              omit;          /* fwd_omit_t */
    const char           *sequence;      /* JSON text, or NULL */
    fwd_desc_step_t      *steps;         /* the same */
    size_t                steps_count;
    uint64_t              resume;        /* fwd_resume_t */
    unsigned              calls:1;       /* it has keys that need calls */

    yaml_node_t          *settings_node;
    yaml_node_t          *endpoints_node;
    yaml_node_t          *auth_node;
    yaml_node_t          *regions_node;
    yaml_node_t          *version_node;
    yaml_node_t          *dedup_node;
    yaml_node_t          *sequence_node;
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

/*
 * fwd_desc_endpoint.c: reads the sections "request", "endpoints", "auth",
 * "regions", "version" and "dedup"; for fwd_desc.c.
 */
void fwd_desc_endpoints(fwd_yaml_t *y, fwd_desc_t *desc);
void fwd_desc_extras(fwd_yaml_t *y, fwd_desc_t *desc);

/*
 * fwd_desc_sequence.c: reads the section "sequence", once the endpoints are
 * known, and warns of what is hardly meant so.
 */
void fwd_desc_sequence(fwd_yaml_t *y, fwd_desc_t *desc);

/* Reads a map of texts. */
void fwd_desc_pairs(fwd_yaml_t *y, yaml_node_t *map, const char *path,
    fwd_pair_t **pairs, size_t *count);

/*
 * fwd_desc_schema.c: checks the file against the JSON Schema of descriptions;
 * what is wrong is reported with its line.
 */
void fwd_desc_schema(fwd_yaml_t *y);

/* Warns of a version that has ended, or does within 60 days. */
void fwd_desc_sunset(const fwd_desc_t *desc, uint64_t now_ms,
    fwd_report_t *report);

/* The text of the schema. */
extern const char  fwd_desc_schema_text[];

extern const char *const  fwd_desc_types[];   /* of settings */
extern const char *const  fwd_desc_framings[];
extern const char *const  fwd_desc_rotations[];

/* 1 if a text may be the name of a header. */
int fwd_desc_header_valid(const char *name);


#endif /* _FWD_DESC_H_INCLUDED_ */
