
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Sections of a description: "request" and "endpoints", and what belongs to
 * all of them.  Templates are checked by fwd_desc_check.c.
 */


#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "../martech/martech_time.h"

#include "fwd_auth.h"
#include "fwd_config.h"
#include "fwd_desc.h"
#include "fwd_yaml_json.h"


#define FWD_DESC_AUTH_MAX  64            /* members of "auth" */


static void fwd_desc_endpoint(fwd_yaml_t *y, yaml_node_t *node,
    const char *path, fwd_desc_http_t *http);
static void fwd_desc_signature(fwd_yaml_t *y, const char *path,
    fwd_desc_http_t *http);
static void fwd_desc_validate(fwd_yaml_t *y, const char *path,
    fwd_desc_http_t *http);
static int fwd_desc_endpoint_calls(const fwd_desc_http_t *http);
static int fwd_desc_endpoint_varies(const fwd_desc_http_t *http);
static const char *fwd_desc_lower(fwd_pool_t *pool, const char *text);
static void fwd_desc_auth_own(fwd_yaml_t *y, const char *path,
    fwd_desc_http_t *http);
static void fwd_desc_auth(fwd_yaml_t *y, yaml_node_t *node, const char *path,
    fwd_desc_auth_t *auth);
static void fwd_desc_auth_members(fwd_yaml_t *y, yaml_node_t *map,
    const char *prefix, fwd_desc_auth_t *auth);
static void fwd_desc_regions(fwd_yaml_t *y, fwd_desc_t *desc);


static const char *const  fwd_desc_methods[] = {
    [FWD_METHOD_POST] = "POST",
    [FWD_METHOD_PUT] = "PUT",
    [FWD_METHOD_PATCH] = "PATCH",
    [FWD_METHOD_GET] = "GET",
    [FWD_METHOD_DELETE] = "DELETE",
    NULL
};

static const char *const  fwd_desc_compress[] = { "none", "gzip", NULL };

static const char *const  fwd_desc_ambiguous[] = {
    [FWD_AMBIGUOUS_RETRY] = "retry",
    [FWD_AMBIGUOUS_DEAD] = "dead",
    [FWD_AMBIGUOUS_DONE] = "done",
    NULL
};


static const fwd_field_t  fwd_desc_http_fields[] = {
    { .name = "url", .kind = FWD_FIELD_STRING, .required = 1,
      .offset = offsetof(fwd_desc_http_t, url), .min = "1", .max = "2048" },
    { .name = "method", .kind = FWD_FIELD_WORD, .dflt = "POST",
      .offset = offsetof(fwd_desc_http_t, method),
      .words = fwd_desc_methods },
    { .name = "content_type", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_desc_http_t, content_type),
      .min = "1", .max = "256" },
    { .name = "framing", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_desc_http_t, framing),
      .min = "1", .max = "64" },
    { .name = "idempotency_header", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_desc_http_t, idempotency_header),
      .min = "1", .max = "64" },
    { .name = "answer_key", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_desc_http_t, answer_key),
      .min = "1", .max = "256" },
    { .name = "query", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_http_t, query_node) },
    { .name = "headers", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_http_t, headers_node) },
    { .name = "signature", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_http_t, signature_node) },
    { .name = "body", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_http_t, body_node) },
    { .name = "compress", .kind = FWD_FIELD_WORD, .dflt = "none",
      .offset = offsetof(fwd_desc_http_t, gzip),
      .words = fwd_desc_compress },
    { .name = "batch", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_http_t, batch_node) },
    { .name = "timeout", .kind = FWD_FIELD_TIME,
      .offset = offsetof(fwd_desc_http_t, timeout_ms),
      .min = "100ms", .max = "10m" },
    { .name = "ambiguous", .kind = FWD_FIELD_WORD,
      .offset = offsetof(fwd_desc_http_t, ambiguous),
      .words = fwd_desc_ambiguous },
    { .name = "validate", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_http_t, validate_node) },
    { .name = "auth", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_http_t, auth_node) },
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


static const fwd_field_t  fwd_desc_batch_fields[] = {
    { .name = "count", .kind = FWD_FIELD_NUMBER,
      .offset = offsetof(fwd_desc_batch_t, count),
      .min = "1", .max = "10000" },
    { .name = "bytes", .kind = FWD_FIELD_SIZE,
      .offset = offsetof(fwd_desc_batch_t, bytes),
      .min = "1k", .max = "64m" },
    { .name = "record", .kind = FWD_FIELD_SIZE,
      .offset = offsetof(fwd_desc_batch_t, record),
      .min = "64", .max = "64m" },
    { .name = "in_body", .kind = FWD_FIELD_SIZE,
      .offset = offsetof(fwd_desc_batch_t, in_body),
      .min = "1k", .max = "64m" },
    { .name = "linger", .kind = FWD_FIELD_TIME,
      .offset = offsetof(fwd_desc_batch_t, linger_ms),
      .min = "0", .max = "1m" },
    { .name = NULL }
};


static const fwd_field_t  fwd_desc_validate_fields[] = {
    { .name = "url", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_desc_validate_t, url),
      .min = "1", .max = "2048" },
    { .name = "query", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_validate_t, query_node) },
    { .name = "body", .kind = FWD_FIELD_NODE,
      .offset = offsetof(fwd_desc_validate_t, body_node) },
    { .name = NULL }
};


static const fwd_field_t  fwd_desc_version_fields[] = {
    { .name = "name", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_desc_version_t, name),
      .min = "1", .max = "64" },
    { .name = "sunset", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_desc_version_t, sunset),
      .min = "10", .max = "10" },
    { .name = NULL }
};


static const fwd_field_t  fwd_desc_dedup_fields[] = {
    { .name = "key", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_desc_dedup_t, key), .min = "1", .max = "128" },
    { .name = "max", .kind = FWD_FIELD_NUMBER,
      .offset = offsetof(fwd_desc_dedup_t, max),
      .min = "1", .max = "4096" },
    { .name = "window", .kind = FWD_FIELD_TIME,
      .offset = offsetof(fwd_desc_dedup_t, window_ms),
      .min = "1s", .max = "365d" },
    { .name = NULL }
};


void
fwd_desc_endpoints(fwd_yaml_t *y, fwd_desc_t *desc)
{
    size_t            i, n;
    const char       *key, *path;
    yaml_node_t      *map, *value;
    fwd_desc_http_t  *http;

    map = desc->endpoints_node;

    if (map == NULL) {
        desc->endpoints = &desc->http;
        desc->endpoints_count = 1;
        desc->http.name = "main";

        fwd_desc_endpoint(y, desc->http_node, "request", &desc->http);
        desc->calls = fwd_desc_endpoint_calls(&desc->http);
        return;
    }

    if (!fwd_yaml_is_map(y, map, "endpoints")) {
        return;
    }

    n = (size_t) (map->data.mapping.pairs.top
                  - map->data.mapping.pairs.start);

    if (n < 1 || n > FWD_ENDPOINTS_MAX) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "endpoints"),
                   "\"endpoints\" has %zu members, allowed are 1 to %d", n,
                   FWD_ENDPOINTS_MAX);
        return;
    }

    desc->calls = 1;
    desc->endpoints = fwd_pool_alloc(y->pool, n * sizeof(fwd_desc_http_t));
    i = 0;

    while (fwd_yaml_next(y, map, &i, &key, &value) == FWD_OK) {

        if (!fwd_config_name_valid(key)) {
            fwd_report(y->report, y->file, y->key_line,
                       "endpoint name \"%s\", allowed are 1 to 32 of "
                       "a-z 0-9 _ -", key);
            continue;
        }

        if (strcmp(key, FWD_ENDPOINT_SEQUENCE_NAME) == 0) {
            fwd_report(y->report, y->file, y->key_line,
                       "endpoint name \"%s\" is kept for records that go "
                       "through the sequence", key);
            continue;
        }

        path = fwd_pool_printf(y->pool, "endpoints.%s", key);
        http = &desc->endpoints[desc->endpoints_count++];
        http->name = key;
        http->line = y->key_line;

        if (fwd_yaml_is_map(y, value, path)) {
            fwd_desc_endpoint(y, value, path, http);
        }
    }

    if (desc->endpoints_count != 0) {
        desc->http = desc->endpoints[0];
    }
}


static void
fwd_desc_endpoint(fwd_yaml_t *y, yaml_node_t *node, const char *path,
    fwd_desc_http_t *http)
{
    const char  *name;

    fwd_yaml_defaults(fwd_desc_http_fields, http, y->pool);
    http->ambiguous = FWD_AMBIGUOUS_NOT_SAID;
    http->batch.linger_ms = UINT64_MAX;

    fwd_yaml_section(y, node, path, fwd_desc_http_fields, http);
    http->url_line = fwd_yaml_at(y, fwd_pool_printf(y->pool, "%s.url", path));

    fwd_desc_signature(y, path, http);
    fwd_desc_pairs(y, http->headers_node,
                   fwd_pool_printf(y->pool, "%s.headers", path),
                   &http->headers, &http->headers_count);
    fwd_desc_pairs(y, http->query_node,
                   fwd_pool_printf(y->pool, "%s.query", path),
                   &http->query, &http->query_count);
    fwd_yaml_section(y, http->batch_node,
                     fwd_pool_printf(y->pool, "%s.batch", path),
                     fwd_desc_batch_fields, &http->batch);
    http->body = fwd_yaml_json_text(y, http->body_node);
    fwd_desc_validate(y, path, http);
    fwd_desc_auth_own(y, path, http);

    if (http->framing == NULL) {
        http->framing = http->body ? "body" : "object";
    }

    if (http->content_type == NULL) {
        http->content_type = strcmp(http->framing, "form") == 0
                             ? "application/x-www-form-urlencoded"
                             : "application/json";
    }

    name = fwd_pool_printf(y->pool, "%s.framing", path);

    if (http->body == NULL && http->body_node == NULL
        && (strcmp(http->framing, "form") == 0
            || strcmp(http->framing, "body") == 0))
    {
        fwd_report(y->report, y->file, fwd_yaml_at(y, name),
                   "\"%s\" is \"%s\" without %s.body, needed are both", name,
                   http->framing, path);
    }

    if (http->body != NULL && strcmp(http->framing, "form") != 0
        && strcmp(http->framing, "body") != 0)
    {
        fwd_report(y->report, y->file, fwd_yaml_at(y, name),
                   "\"%s\" is \"%s\" beside %s.body, allowed are body and "
                   "form", name, http->framing, path);
    }
}


static void
fwd_desc_signature(fwd_yaml_t *y, const char *path, fwd_desc_http_t *http)
{
    const char  *scheme;

    if (http->signature_node == NULL) {
        return;
    }

    fwd_yaml_section(y, http->signature_node,
                     fwd_pool_printf(y->pool, "%s.signature", path),
                     fwd_desc_signature_fields, http);

    if (http->signature_scheme != NULL
        && strcmp(http->signature_scheme, "standard-webhooks") != 0)
    {
        scheme = fwd_pool_printf(y->pool, "%s.signature.scheme", path);
        fwd_report(y->report, y->file, fwd_yaml_at(y, scheme),
                   "\"%s\" is \"%s\", allowed is \"standard-webhooks\"",
                   scheme, http->signature_scheme);
    }
}


static void
fwd_desc_validate(fwd_yaml_t *y, const char *path, fwd_desc_http_t *http)
{
    fwd_desc_validate_t  *validate;

    if (http->validate_node == NULL) {
        return;
    }

    path = fwd_pool_printf(y->pool, "%s.validate", path);
    validate = fwd_pool_alloc(y->pool, sizeof(fwd_desc_validate_t));

    fwd_yaml_section(y, http->validate_node, path, fwd_desc_validate_fields,
                     validate);
    fwd_desc_pairs(y, validate->query_node,
                   fwd_pool_printf(y->pool, "%s.query", path),
                   &validate->query, &validate->query_count);
    validate->body = fwd_yaml_json_text(y, validate->body_node);

    http->validate = validate;
}


/* 1 if a request has keys that the frame of a batch cannot express. */

static int
fwd_desc_endpoint_calls(const fwd_desc_http_t *http)
{
    return http->query_node != NULL || http->body_node != NULL
           || http->batch_node != NULL || http->validate_node != NULL
           || http->auth != NULL
           || http->gzip != FWD_COMPRESS_NONE || http->timeout_ms != 0
           || http->answer_key != NULL
           || http->ambiguous != FWD_AMBIGUOUS_NOT_SAID
           || http->method == FWD_METHOD_GET
           || http->method == FWD_METHOD_DELETE
           || fwd_desc_endpoint_varies(http);
}


/* 1 if a template needs what is known with a call only. */

static int
fwd_desc_endpoint_varies(const fwd_desc_http_t *http)
{
    size_t       i, n;
    const char  *text;

    static const char *const  names[] = {
        "{auth.", "{record.", "{group.", "{batch.", "|"
    };

    for (i = 0; i <= http->headers_count; i++) {
        text = (i == 0) ? http->url : http->headers[i - 1].value;

        for (n = 0; text != NULL && n < 5; n++) {
            if (strstr(text, names[n]) != NULL) {
                return 1;
            }
        }
    }

    return 0;
}


void
fwd_desc_pairs(fwd_yaml_t *y, yaml_node_t *map, const char *path,
    fwd_pair_t **pairs, size_t *count)
{
    size_t        i, n;
    const char   *key, *text;
    yaml_node_t  *value;

    *count = 0;

    if (map == NULL || !fwd_yaml_is_map(y, map, path)) {
        return;
    }

    n = (size_t) (map->data.mapping.pairs.top
                  - map->data.mapping.pairs.start);
    *pairs = fwd_pool_alloc(y->pool, (n + 1) * sizeof(fwd_pair_t));

    i = 0;

    while (fwd_yaml_next(y, map, &i, &key, &value) == FWD_OK) {
        text = fwd_yaml_text(y, value, path);

        if (text != NULL) {
            (*pairs)[*count].name = key;
            (*pairs)[*count].value = text;
            (*count)++;
        }
    }
}


void
fwd_desc_extras(fwd_yaml_t *y, fwd_desc_t *desc)
{
    size_t   i;
    int64_t  ms;
    char     time[32];

    fwd_yaml_section(y, desc->version_node, "version",
                     fwd_desc_version_fields, &desc->version);
    fwd_yaml_section(y, desc->dedup_node, "dedup", fwd_desc_dedup_fields,
                     &desc->dedup);

    if (desc->version.sunset != NULL) {
        (void) snprintf(time, sizeof(time), "%sT00:00:00Z",
                        desc->version.sunset);

        if (martech_time_parse((unsigned char *) time, strlen(time), &ms)
            != MARTECH_OK)
        {
            fwd_report(y->report, y->file, fwd_yaml_at(y, "version.sunset"),
                       "\"version.sunset\" is \"%s\", allowed is a day such "
                       "as 2027-02-16", desc->version.sunset);
        }
    }

    fwd_desc_auth(y, desc->auth_node, "auth", &desc->auth);
    fwd_desc_regions(y, desc);

    for (i = 0; i < desc->answer_headers.count; i++) {
        desc->answer_headers.list[i] =
                      fwd_desc_lower(y->pool, desc->answer_headers.list[i]);
    }

    if (desc->auth.kind != NULL || desc->sequence_node != NULL) {
        desc->calls = 1;
    }

    /* the nodes die with the document */
    desc->version_node = NULL;
    desc->dedup_node = NULL;
    desc->auth_node = NULL;
    desc->regions_node = NULL;
}


static const char *
fwd_desc_lower(fwd_pool_t *pool, const char *text)
{
    char  *copy, *p;

    copy = fwd_pool_string(pool, text, strlen(text));

    for (p = copy; *p != '\0'; p++) {
        *p = (char) tolower((unsigned char) *p);
    }

    return copy;
}


/*
 * "auth" of an endpoint: a section, or "none" for short.  There is one token
 * a destination, so it cannot be one of oauth2.
 */

static void
fwd_desc_auth_own(fwd_yaml_t *y, const char *path, fwd_desc_http_t *http)
{
    const char  *text;

    if (http->auth_node == NULL) {
        return;
    }

    path = fwd_pool_printf(y->pool, "%s.auth", path);
    http->auth = fwd_pool_alloc(y->pool, sizeof(fwd_desc_auth_t));
    text = http->auth_node->type == YAML_SCALAR_NODE
           ? fwd_yaml_text(y, http->auth_node, path) : NULL;

    if (text != NULL && strcmp(text, fwd_auth_kinds[FWD_AUTH_NONE]) == 0) {
        http->auth->kind = text;

    } else {
        fwd_desc_auth(y, http->auth_node, path, http->auth);
    }

    http->auth_node = NULL;              /* it dies with the document */

    if (http->auth->kind != NULL
        && strcmp(http->auth->kind, fwd_auth_kinds[FWD_AUTH_OAUTH2]) == 0)
    {
        fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                   "\"%s\" is oauth2, which is for the whole destination "
                   "only", path);
    }
}


static void
fwd_desc_auth(fwd_yaml_t *y, yaml_node_t *node, const char *path,
    fwd_desc_auth_t *auth)
{
    size_t       i;
    const char  *name;

    if (node == NULL || !fwd_yaml_is_map(y, node, path)) {
        return;
    }

    auth->line = fwd_yaml_at(y, path);
    auth->members = fwd_pool_alloc(y->pool,
                                   FWD_DESC_AUTH_MAX * sizeof(fwd_pair_t));

    fwd_desc_auth_members(y, node, "", auth);

    for (i = 0; fwd_auth_kinds[i] != NULL; i++) {
        if (auth->kind != NULL
            && strcmp(fwd_auth_kinds[i], auth->kind) == 0)
        {
            return;
        }
    }

    name = fwd_pool_printf(y->pool, "%s.kind", path);
    fwd_report(y->report, y->file, fwd_yaml_at(y, name),
               "\"%s\" is \"%s\", allowed are %s", name,
               auth->kind ? auth->kind : "",
               fwd_yaml_words(y->pool, fwd_auth_kinds, auth->kind));
}


static void
fwd_desc_auth_members(fwd_yaml_t *y, yaml_node_t *map, const char *prefix,
    fwd_desc_auth_t *auth)
{
    size_t        i;
    const char   *key, *text;
    fwd_pair_t   *pair;
    yaml_node_t  *value;

    i = 0;

    while (fwd_yaml_next(y, map, &i, &key, &value) == FWD_OK) {

        if (value->type == YAML_MAPPING_NODE && *prefix == '\0') {
            fwd_desc_auth_members(y, value,
                                  fwd_pool_printf(y->pool, "%s.", key), auth);
            continue;
        }

        text = fwd_yaml_text(y, value, "auth");

        if (text == NULL) {
            continue;
        }

        if (*prefix == '\0' && strcmp(key, "kind") == 0) {
            auth->kind = text;
            continue;
        }

        if (auth->members_count == FWD_DESC_AUTH_MAX) {
            fwd_report(y->report, y->file, y->key_line,
                       "\"auth\" has more than %d members",
                       FWD_DESC_AUTH_MAX);
            return;
        }

        pair = &auth->members[auth->members_count++];
        pair->name = fwd_pool_printf(y->pool, "%s%s", prefix, key);
        pair->value = text;
    }
}


static void
fwd_desc_regions(fwd_yaml_t *y, fwd_desc_t *desc)
{
    size_t              i, n;
    const char         *key;
    yaml_node_t        *map, *value;
    fwd_desc_region_t  *region;

    map = desc->regions_node;

    if (map == NULL || !fwd_yaml_is_map(y, map, "regions")) {
        return;
    }

    n = (size_t) (map->data.mapping.pairs.top
                  - map->data.mapping.pairs.start);
    desc->regions = fwd_pool_alloc(y->pool,
                                   (n + 1) * sizeof(fwd_desc_region_t));
    i = 0;

    while (fwd_yaml_next(y, map, &i, &key, &value) == FWD_OK) {

        if (strcmp(key, "by") == 0) {
            desc->region_by = fwd_yaml_text(y, value, "regions.by");
            continue;
        }

        region = &desc->regions[desc->regions_count++];
        region->value = key;
        fwd_desc_pairs(y, value, fwd_pool_printf(y->pool, "regions.%s", key),
                       &region->pairs, &region->pairs_count);
    }

    if (desc->region_by == NULL) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "regions"),
                   "\"regions.by\" is missing, needed is the name of a "
                   "setting");
    }
}
