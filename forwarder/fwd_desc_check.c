
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What is wrong with a description whatever its settings are; found while
 * its lines are known.
 */


#include <string.h>

#include <jv.h>

#include "fwd_auth_conf.h"
#include "fwd_body.h"
#include "fwd_config.h"
#include "fwd_desc.h"


static void fwd_desc_check_endpoint(fwd_yaml_t *y, const fwd_desc_t *desc,
    const fwd_desc_http_t *http, const char *base);
static void fwd_desc_check_headers(fwd_yaml_t *y, const fwd_desc_t *desc,
    const fwd_desc_http_t *http, const char *base);
static void fwd_desc_check_pairs(fwd_yaml_t *y, const fwd_desc_t *desc,
    const char *base, const fwd_pair_t *pairs, size_t count);
static void fwd_desc_check_body(fwd_yaml_t *y, const fwd_desc_t *desc,
    const char *path, const char *json);
static void fwd_desc_check_value(fwd_yaml_t *y, const fwd_desc_t *desc,
    const char *path, jv value);
static void fwd_desc_check_text(fwd_yaml_t *y, const fwd_desc_t *desc,
    const char *path, const char *text);
static void fwd_desc_check_template(fwd_yaml_t *y, const fwd_desc_t *desc,
    const char *path, const char *text);
static void fwd_desc_check_fixed(fwd_yaml_t *y, const fwd_desc_t *desc,
    const char *path, const char *text);
static void fwd_desc_check_auth(fwd_yaml_t *y, const fwd_desc_t *desc,
    const char *path, const fwd_desc_auth_t *auth);
static void fwd_desc_check_names(fwd_yaml_t *y, const fwd_desc_t *desc,
    const char *path, const char *text, int fixed);
static int fwd_desc_check_known(const fwd_desc_t *desc, const char *name,
    size_t len);
static int fwd_desc_check_constant(const fwd_desc_t *desc, const char *name,
    size_t len);
static int fwd_desc_check_region(const fwd_desc_t *desc, const char *name,
    size_t len);
static void fwd_desc_check_regions(fwd_yaml_t *y, const fwd_desc_t *desc);
static void fwd_desc_check_rates(fwd_yaml_t *y, const fwd_desc_t *desc);
static void fwd_desc_check_word(fwd_yaml_t *y, const char *path,
    const char *text, const char *const *words);


const char *const  fwd_desc_framings[] = {
    [FWD_FRAMING_OBJECT] = "object",
    [FWD_FRAMING_ARRAY] = "array",
    [FWD_FRAMING_NDJSON] = "ndjson",
    [FWD_FRAMING_FORM] = "form",
    [FWD_FRAMING_BODY] = "body",
    NULL
};

const char *const  fwd_desc_rotations[] = {
    [FWD_ROTATE_NEVER] = "never",
    [FWD_ROTATE_HOUR] = "hour",
    [FWD_ROTATE_DAY] = "day",
    NULL
};


void
fwd_desc_check(fwd_yaml_t *y, const fwd_desc_t *desc)
{
    size_t       i;
    const char  *path;

    if (desc->kind == FWD_KIND_HTTP) {
        fwd_desc_check_regions(y, desc);
        fwd_desc_check_rates(y, desc);
    }

    for (i = 0; i < desc->endpoints_count; i++) {
        path = (desc->endpoints == &desc->http)
               ? "request"
               : fwd_pool_printf(y->pool, "endpoints.%s",
                                 desc->endpoints[i].name);

        fwd_desc_check_endpoint(y, desc, &desc->endpoints[i], path);

        if (desc->endpoints[i].auth != NULL) {
            fwd_desc_check_auth(y, desc,
                                fwd_pool_printf(y->pool, "%s.auth", path),
                                desc->endpoints[i].auth);
        }
    }

    fwd_desc_check_auth(y, desc, "auth", &desc->auth);

    if (desc->kind == FWD_KIND_FILE) {
        fwd_desc_check_fixed(y, desc, "file.path", desc->file.path);
        fwd_desc_check_fixed(y, desc, "file.rotate_size",
                             desc->file.rotate_size);
        fwd_desc_check_fixed(y, desc, "file.rotate_every",
                             desc->file.rotate_every);
        fwd_desc_check_word(y, "file.rotate_every", desc->file.rotate_every,
                            fwd_desc_rotations);
    }
}


static void
fwd_desc_check_endpoint(fwd_yaml_t *y, const fwd_desc_t *desc,
    const fwd_desc_http_t *http, const char *base)
{
    const char  *path;

    fwd_desc_check_template(y, desc,
                            fwd_pool_printf(y->pool, "%s.url", base),
                            http->url);

    path = fwd_pool_printf(y->pool, "%s.framing", base);
    fwd_desc_check_fixed(y, desc, path, http->framing);
    fwd_desc_check_word(y, path, http->framing, fwd_desc_framings);

    fwd_desc_check_fixed(y, desc,
                         fwd_pool_printf(y->pool, "%s.signature.secret",
                                         base),
                         http->signature_secret);

    path = fwd_pool_printf(y->pool, "%s.idempotency_header", base);

    if (http->idempotency_header != NULL
        && !fwd_desc_header_valid(http->idempotency_header))
    {
        fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                   "\"%s\" is \"%s\", allowed is the name of a header",
                   path, http->idempotency_header);
    }

    fwd_desc_check_headers(y, desc, http,
                           fwd_pool_printf(y->pool, "%s.headers", base));
    fwd_desc_check_pairs(y, desc, fwd_pool_printf(y->pool, "%s.query", base),
                         http->query, http->query_count);
    fwd_desc_check_body(y, desc, fwd_pool_printf(y->pool, "%s.body", base),
                        http->body);

    if (http->validate == NULL) {
        return;
    }

    base = fwd_pool_printf(y->pool, "%s.validate", base);
    fwd_desc_check_template(y, desc,
                            fwd_pool_printf(y->pool, "%s.url", base),
                            http->validate->url);
    fwd_desc_check_pairs(y, desc, fwd_pool_printf(y->pool, "%s.query", base),
                         http->validate->query,
                         http->validate->query_count);
    fwd_desc_check_body(y, desc, fwd_pool_printf(y->pool, "%s.body", base),
                        http->validate->body);
}


static void
fwd_desc_check_headers(fwd_yaml_t *y, const fwd_desc_t *desc,
    const fwd_desc_http_t *http, const char *base)
{
    size_t       i;
    const char  *path;

    for (i = 0; i < http->headers_count; i++) {
        path = fwd_pool_printf(y->pool, "%s.%s", base,
                               http->headers[i].name);

        if (!fwd_desc_header_valid(http->headers[i].name)) {
            fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                       "header \"%s\" has a bad name, allowed are A-Z a-z "
                       "0-9 - _", http->headers[i].name);
            continue;
        }

        if (strpbrk(http->headers[i].value, "\r\n") != NULL) {
            fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                       "header \"%s\" has a line end in its value, allowed "
                       "is one line", http->headers[i].name);
        }

        fwd_desc_check_template(y, desc, path, http->headers[i].value);
    }
}


static void
fwd_desc_check_pairs(fwd_yaml_t *y, const fwd_desc_t *desc, const char *base,
    const fwd_pair_t *pairs, size_t count)
{
    size_t  i;

    for (i = 0; i < count; i++) {
        fwd_desc_check_template(y, desc,
                                fwd_pool_printf(y->pool, "%s.%s", base,
                                                pairs[i].name),
                                pairs[i].value);
    }
}


/* All texts of a body; where in it one stands is not told. */

static void
fwd_desc_check_body(fwd_yaml_t *y, const fwd_desc_t *desc, const char *path,
    const char *json)
{
    if (json != NULL) {
        fwd_desc_check_value(y, desc, path, jv_parse(json));
    }
}


static void
fwd_desc_check_value(fwd_yaml_t *y, const fwd_desc_t *desc, const char *path,
    jv value)
{
    int  i;

    switch (jv_get_kind(value)) {

    case JV_KIND_STRING:
        fwd_desc_check_text(y, desc, path, jv_string_value(value));
        break;

    case JV_KIND_ARRAY:
        jv_array_foreach(value, n, one) {
            fwd_desc_check_value(y, desc, path, one);
        }

        break;

    case JV_KIND_OBJECT:
        for (i = jv_object_iter(value); jv_object_iter_valid(value, i);
             i = jv_object_iter_next(value, i))
        {
            fwd_desc_check_value(y, desc, path,
                                 jv_object_iter_value(value, i));
        }

        break;

    default:
        break;
    }

    jv_free(value);
}


/* "@..." is no template: it is replaced as a whole. */

static void
fwd_desc_check_text(fwd_yaml_t *y, const fwd_desc_t *desc, const char *path,
    const char *text)
{
    if (text[0] != '@') {
        fwd_desc_check_template(y, desc, path, text);

    } else if (!fwd_body_word_valid(text)) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                   "\"%s\" has \"%.64s\", allowed are " FWD_BODY_WORDS, path,
                   text);
    }
}


static void
fwd_desc_check_auth(fwd_yaml_t *y, const fwd_desc_t *desc, const char *path,
    const fwd_desc_auth_t *auth)
{
    size_t       i;
    const char  *name;

    for (i = 0; i < auth->members_count; i++) {
        name = fwd_pool_printf(y->pool, "%s.%s", path, auth->members[i].name);

        if (auth->kind != NULL
            && !fwd_auth_member_valid(auth->kind, auth->members[i].name))
        {
            fwd_report(y->report, y->file, fwd_yaml_at(y, name),
                       "\"%s\" is unknown with kind %s", name, auth->kind);
            continue;
        }

        fwd_desc_check_fixed(y, desc, name, auth->members[i].value);
    }
}


static void
fwd_desc_check_template(fwd_yaml_t *y, const fwd_desc_t *desc,
    const char *path, const char *text)
{
    fwd_desc_check_names(y, desc, path, text, 0);
}


/* What is put in once, with the configuration, and as it is. */

static void
fwd_desc_check_fixed(fwd_yaml_t *y, const fwd_desc_t *desc, const char *path,
    const char *text)
{
    fwd_desc_check_names(y, desc, path, text, 1);
}


static void
fwd_desc_check_names(fwd_yaml_t *y, const fwd_desc_t *desc,
    const char *path, const char *text, int fixed)
{
    size_t       i, len;
    const char  *p, **names;

    if (text == NULL) {
        return;
    }

    for (p = text; *p != '\0'; p++) {

        if (*p != '{') {
            continue;
        }

        if (p[1] == '{') {
            p++;
            continue;
        }

        len = strcspn(p + 1, "}");

        if (p[1 + len] == '}'
            && (fixed ? fwd_desc_check_constant(desc, p + 1, len)
                      : fwd_desc_check_known(desc, p + 1, len)))
        {
            p += len;
            continue;
        }

        names = fwd_pool_alloc(y->pool, (desc->settings_count + 1)
                                        * sizeof(char *));

        for (i = 0; i < desc->settings_count; i++) {
            names[i] = desc->settings[i].name;
        }

        fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                   "\"%s\" is \"%s\", allowed in braces are the names of "
                   "settings%s: %s%s", path, text,
                   fixed ? " without a filter" : "",
                   fwd_yaml_words(y->pool, names,
                                  fwd_pool_string(y->pool, p + 1, len)),
                   !desc->calls ? ""
                   : fixed ? "; region.NAME, env, version"
                   : "; region.NAME, env, version, auth.NAME, record.NAME, "
                     "group.NAME, batch.id");
        return;
    }
}


/* "name" or "name|filter". */

static int
fwd_desc_check_known(const fwd_desc_t *desc, const char *name, size_t len)
{
    size_t       i, n;
    const char  *bar, *filter;

    static const char *const  filters[] = { "raw", "path", "digits" };
    static const char *const  beginnings[] = { "auth.", "record.", "group." };

    bar = memchr(name, '|', len);

    if (bar != NULL) {
        filter = bar + 1;
        n = len - (size_t) (filter - name);
        len = (size_t) (bar - name);

        for (i = 0; i < 3; i++) {
            if (strlen(filters[i]) == n && memcmp(filters[i], filter, n) == 0)
            {
                break;
            }
        }

        if (i == 3) {
            return 0;
        }
    }

    for (i = 0; i < 3; i++) {
        n = strlen(beginnings[i]);

        if (len > n && memcmp(beginnings[i], name, n) == 0) {
            return 1;
        }
    }

    return (len == 8 && memcmp(name, "batch.id", 8) == 0)
           || fwd_desc_check_constant(desc, name, len);
}


/* A name that is known with the configuration. */

static int
fwd_desc_check_constant(const fwd_desc_t *desc, const char *name, size_t len)
{
    size_t  i;

    for (i = 0; i < desc->settings_count; i++) {
        if (strlen(desc->settings[i].name) == len
            && memcmp(desc->settings[i].name, name, len) == 0)
        {
            return 1;
        }
    }

    return (len == 3 && memcmp(name, "env", 3) == 0)
           || (len == 7 && memcmp(name, "version", 7) == 0
               && desc->version.name != NULL)
           || (len > 7 && memcmp(name, "region.", 7) == 0
               && fwd_desc_check_region(desc, name + 7, len - 7));
}


/* Every region has it: none of them is without a host. */

static int
fwd_desc_check_region(const fwd_desc_t *desc, const char *name, size_t len)
{
    size_t                    i, n;
    const fwd_desc_region_t  *region;

    for (i = 0; i < desc->regions_count; i++) {
        region = &desc->regions[i];

        for (n = 0; n < region->pairs_count; n++) {
            if (strlen(region->pairs[n].name) == len
                && memcmp(region->pairs[n].name, name, len) == 0)
            {
                break;
            }
        }

        if (n == region->pairs_count) {
            return 0;
        }
    }

    return desc->regions_count != 0;
}


/* The setting that chooses has a region for each of its values. */

static void
fwd_desc_check_regions(fwd_yaml_t *y, const fwd_desc_t *desc)
{
    size_t                i, n;
    const char          **word;
    const fwd_setting_t  *setting;

    if (desc->region_by == NULL) {
        return;
    }

    setting = NULL;

    for (i = 0; i < desc->settings_count; i++) {
        if (strcmp(desc->settings[i].name, desc->region_by) == 0) {
            setting = &desc->settings[i];
        }
    }

    if (setting == NULL || setting->words == NULL) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "regions.by"),
                   "\"regions.by\" is \"%s\", allowed is the name of a "
                   "setting with enum", desc->region_by);
        return;
    }

    for (word = setting->words; *word != NULL; word++) {

        for (n = 0; n < desc->regions_count; n++) {
            if (strcmp(desc->regions[n].value, *word) == 0) {
                break;
            }
        }

        if (n == desc->regions_count) {
            fwd_report(y->report, y->file, fwd_yaml_at(y, "regions"),
                       "\"regions\" has no \"%s\", needed is each value "
                       "of %s", *word, desc->region_by);
        }
    }
}


/* A row of "rate" that names an endpoint names one that there is. */

static void
fwd_desc_check_rates(fwd_yaml_t *y, const fwd_desc_t *desc)
{
    size_t       i, n;
    const char  *name;

    for (i = 0; i < desc->policy.rates_count; i++) {
        name = desc->policy.rates[i].endpoint;

        if (name == NULL) {
            continue;
        }

        for (n = 0; n < desc->endpoints_count; n++) {
            if (strcmp(desc->endpoints[n].name, name) == 0) {
                break;
            }
        }

        if (n == desc->endpoints_count) {
            fwd_report(y->report, y->file,
                       fwd_yaml_at(y, fwd_pool_printf(y->pool,
                                                      "rate[%zu].endpoint",
                                                      i)),
                       "\"rate[%zu].endpoint\" is \"%s\", allowed is the "
                       "name of an endpoint", i, name);
        }
    }
}


/* A word that is no template. */

static void
fwd_desc_check_word(fwd_yaml_t *y, const char *path, const char *text,
    const char *const *words)
{
    const char *const  *word;

    if (text == NULL || strchr(text, '{') != NULL) {
        return;
    }

    for (word = words; *word != NULL; word++) {
        if (strcmp(*word, text) == 0) {
            return;
        }
    }

    fwd_report(y->report, y->file, fwd_yaml_at(y, path),
               "\"%s\" is \"%s\", allowed are %s", path, text,
               fwd_yaml_words(y->pool, words, text));
}


int
fwd_desc_header_valid(const char *name)
{
    return *name != '\0'
           && name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")] == '\0';
}
