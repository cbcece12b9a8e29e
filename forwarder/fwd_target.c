
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Settings and templates.
 *
 * In a template "{name}" stands for a setting and "{{" for a brace.  In the
 * URL a setting at the very start is taken as it is (it is the base of the
 * URL), all others are percent-encoded.  A header line with a setting that
 * has no value is left out.
 */


#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#include "fwd_buf.h"
#include "fwd_endpoint.h"
#include "fwd_mask.h"
#include "fwd_outbound.h"
#include "fwd_secret.h"
#include "fwd_setting.h"
#include "fwd_target.h"
#include "fwd_template.h"
#include "fwd_units.h"


#define FWD_TARGET_SIZE_MAX  65536
#define FWD_TARGET_LIST_MAX  100

/* How a template is expanded. */
#define FWD_TARGET_ENCODE    1           /* percent-encode, but at its start */
#define FWD_TARGET_SHOW      2           /* for people: no secrets */


typedef struct {
    fwd_yaml_t           *y;
    fwd_dest_conf_t      *dest;
} fwd_target_t;


static void fwd_target_settings(fwd_target_t *t);
static void fwd_target_setting(fwd_target_t *t, const char *key,
    yaml_node_t *node);
static const char *fwd_target_text(fwd_target_t *t, yaml_node_t *node,
    const fwd_setting_t *setting, const char *path);
static fwd_words_t fwd_target_words(fwd_pool_t *pool, const char *text);
static void fwd_target_list(fwd_target_t *t, yaml_node_t *node,
    const fwd_setting_t *setting, const char *path);
static void fwd_target_check(fwd_target_t *t, const yaml_node_t *node,
    const fwd_setting_t *setting, const char *text);
static size_t fwd_target_at(fwd_target_t *t, const char *template);
static const char *fwd_target_names(fwd_target_t *t, const char *almost);
static const fwd_setting_t *fwd_target_find(const fwd_desc_t *desc,
    const char *name, size_t len);
static const char *fwd_target_expand(fwd_target_t *t, const char *template,
    unsigned how);
static void fwd_target_shown(fwd_target_t *t);
static void fwd_target_http(fwd_target_t *t);
static void fwd_target_no_url(fwd_target_t *t);
static void fwd_target_headers(fwd_target_t *t);
static void fwd_target_file(fwd_target_t *t);
static fwd_rc_t fwd_target_word(fwd_target_t *t, const char *what,
    const char *template, const char *const *words, uint64_t *out);


void
fwd_target_build(fwd_yaml_t *y, fwd_dest_conf_t *dest)
{
    size_t        errors;
    fwd_target_t  t;

    t.y = y;
    t.dest = dest;

    errors = y->report->count;

    fwd_target_settings(&t);

    if (y->report->count != errors) {
        return;
    }

    if (fwd_endpoint_needed(dest->desc)) {
        fwd_endpoint_build(y, dest);
        fwd_target_shown(&t);

    } else if (dest->desc->kind == FWD_KIND_HTTP) {
        fwd_target_http(&t);

    } else {
        fwd_target_file(&t);
    }
}


static void
fwd_target_settings(fwd_target_t *t)
{
    size_t            i;
    const char       *key, *path;
    yaml_node_t      *map, *value;
    fwd_dest_conf_t  *dest;

    dest = t->dest;
    path = fwd_pool_printf(t->y->pool, "destinations.%s.settings",
                           dest->name);
    map = dest->settings_node;

    dest->values = fwd_pool_alloc(t->y->pool, dest->desc->settings_count
                                              * sizeof(char *));
    dest->lists = fwd_pool_alloc(t->y->pool, dest->desc->settings_count
                                             * sizeof(fwd_words_t));

    if (map != NULL && fwd_yaml_is_map(t->y, map, path)) {
        i = 0;

        while (fwd_yaml_next(t->y, map, &i, &key, &value) == FWD_OK) {
            fwd_target_setting(t, key, value);
        }
    }

    for (i = 0; i < dest->desc->settings_count; i++) {

        if (dest->values[i] != NULL) {
            continue;
        }

        dest->values[i] = dest->desc->settings[i].dflt;

        if (dest->desc->settings[i].list && dest->values[i] != NULL) {
            dest->lists[i] = fwd_target_words(t->y->pool, dest->values[i]);
        }

        if (dest->values[i] == NULL && dest->desc->settings[i].required) {
            fwd_report(t->y->report, t->y->file, fwd_yaml_at(t->y, path),
                       "%s.%s is missing, needed is a %s", path,
                       dest->desc->settings[i].name,
                       fwd_desc_types[dest->desc->settings[i].kind]);
        }
    }
}


static void
fwd_target_setting(fwd_target_t *t, const char *key, yaml_node_t *node)
{
    const char           *text, *path;
    const fwd_setting_t  *setting;

    setting = fwd_target_find(t->dest->desc, key, strlen(key));

    if (setting == NULL) {
        fwd_report(t->y->report, t->y->file, t->y->key_line,
                   "unknown setting \"%s\" of destination \"%s\", allowed "
                   "are %s", key, t->dest->name, fwd_target_names(t, key));
        return;
    }

    path = fwd_pool_printf(t->y->pool, "destinations.%s.settings.%s",
                           t->dest->name, key);

    if (setting->list && node->type == YAML_SEQUENCE_NODE) {
        fwd_target_list(t, node, setting, path);
        return;
    }

    text = fwd_target_text(t, node, setting, path);

    if (text == NULL) {
        return;
    }

    if (setting->list) {
        t->dest->lists[setting - t->dest->desc->settings] =
                                          fwd_target_words(t->y->pool, text);
    }

    t->dest->values[setting - t->dest->desc->settings] = text;

    fwd_target_check(t, node, setting, text);
}


/* A secret is given by reference, but for a trial. */

static const char *
fwd_target_text(fwd_target_t *t, yaml_node_t *node,
    const fwd_setting_t *setting, const char *path)
{
    if (setting->secret && !t->dest->plain_secrets) {
        return fwd_secret_setting(t->y, node, path, t->dest->name,
                                  t->dest->environment);
    }

    return fwd_yaml_text(t->y, node, path);
}


/* The default of a list, or a single value: a list of one. */

static fwd_words_t
fwd_target_words(fwd_pool_t *pool, const char *text)
{
    fwd_words_t  words;

    words.list = fwd_pool_alloc(pool, sizeof(char *));
    words.list[0] = text;
    words.count = 1;

    return words;
}


static void
fwd_target_list(fwd_target_t *t, yaml_node_t *node,
    const fwd_setting_t *setting, const char *path)
{
    size_t        i;
    const char   *text, *joined;
    fwd_words_t  *words;
    yaml_node_t  *item;

    words = &t->dest->lists[setting - t->dest->desc->settings];
    words->list = fwd_pool_alloc(t->y->pool,
                                 FWD_TARGET_LIST_MAX * sizeof(char *));
    joined = NULL;

    for (i = 0; ; i++) {
        item = fwd_yaml_item(t->y, node, i);

        if (item == NULL) {
            break;
        }

        text = (i < FWD_TARGET_LIST_MAX)
               ? fwd_target_text(t, item, setting, path) : NULL;

        if (text == NULL) {
            fwd_report(t->y->report, t->y->file, fwd_yaml_line(item),
                       "\"%s\" is a list of up to %d values", path,
                       FWD_TARGET_LIST_MAX);
            return;
        }

        fwd_target_check(t, item, setting, text);
        words->list[words->count++] = text;
        joined = joined ? fwd_pool_printf(t->y->pool, "%s,%s", joined, text)
                        : text;
    }

    t->dest->values[setting - t->dest->desc->settings] = joined;
}


static void
fwd_target_check(fwd_target_t *t, const yaml_node_t *node,
    const fwd_setting_t *setting, const char *text)
{
    const char  *wanted;

    if (fwd_setting_check(setting, text, &wanted, t->y->pool) != FWD_OK) {
        fwd_report(t->y->report, t->y->file, fwd_yaml_line(node),
                   "setting \"%s\" of destination \"%s\" is \"%s\", allowed "
                   "is %s", setting->name, t->dest->name,
                   setting->secret ? "(not shown)" : text, wanted);
    }
}


static const fwd_setting_t *
fwd_target_find(const fwd_desc_t *desc, const char *name, size_t len)
{
    size_t  i;

    for (i = 0; i < desc->settings_count; i++) {
        if (strlen(desc->settings[i].name) == len
            && memcmp(desc->settings[i].name, name, len) == 0)
        {
            return &desc->settings[i];
        }
    }

    return NULL;
}


/* NULL if a setting has no value, or after a report. */

static const char *
fwd_target_expand(fwd_target_t *t, const char *template, unsigned how)
{
    char                 *safe;
    const char           *p, *end, *value, *text;
    fwd_buf_t             out;
    const fwd_setting_t  *setting;

    text = NULL;
    fwd_buf_init(&out, FWD_TARGET_SIZE_MAX);

    for (p = template; *p != '\0'; p++) {

        if (*p != '{' || p[1] == '{') {
            fwd_buf_add_char(&out, *p);
            p += (*p == '{');
            continue;
        }

        end = strchr(p, '}');
        setting = (end == NULL) ? NULL
                  : fwd_target_find(t->dest->desc, p + 1,
                                    (size_t) (end - p - 1));

        value = (end == NULL) ? NULL
                : fwd_template_value(t->dest, p + 1, (size_t) (end - p - 1));

        if (value == NULL) {
            goto done;
        }

        if ((how & FWD_TARGET_SHOW) && setting != NULL && setting->secret) {
            fwd_buf_add_string(&out, FWD_MASK);

        } else if ((how & FWD_TARGET_ENCODE) && p != template) {
            safe = curl_easy_escape(NULL, value, 0);
            fwd_buf_add_string(&out, safe ? safe : "");
            curl_free(safe);

        } else {
            fwd_buf_add_string(&out, value);
        }

        p = end;
    }

    if (fwd_buf_string(&out) != NULL) {
        text = fwd_pool_string(t->y->pool, out.data, out.len);
    }

done:

    fwd_buf_free(&out);

    return text;
}


/* For dead letters of events that no call was made for. */

static void
fwd_target_shown(fwd_target_t *t)
{
    fwd_http_target_t  *http;

    http = &t->dest->http;
    http->url_shown = t->dest->desc->http.url;
    http->method = t->dest->desc->http.method;
    http->framing = FWD_FRAMING_BODY;
}


static void
fwd_target_http(fwd_target_t *t)
{
    const char             *text;
    fwd_error_t             err;
    fwd_http_target_t      *http;
    const fwd_desc_http_t  *from;

    http = &t->dest->http;
    from = &t->dest->desc->http;

    http->method = from->method;

    http->url = fwd_target_expand(t, from->url, FWD_TARGET_ENCODE);
    http->url_shown = fwd_target_expand(t, from->url,
                                        FWD_TARGET_ENCODE|FWD_TARGET_SHOW);

    if (http->url == NULL || !fwd_setting_url_valid(http->url)) {
        fwd_target_no_url(t);

    } else if (!t->dest->plain_secrets) {
        fwd_outbound_build(t->y, t->dest, &http->url, 1);
    }

    if (fwd_target_word(t, "framing", from->framing, fwd_desc_framings,
                        &http->framing)
        == FWD_OK
        && http->framing == FWD_FRAMING_OBJECT)
    {
        /* one event a request, whatever the limits say */
        t->dest->limits.batch_count = 1;
    }

    http->idempotency_header = from->idempotency_header;

    if (from->signature_secret != NULL) {
        text = fwd_target_expand(t, from->signature_secret, 0);

        if (text != NULL && fwd_sign_key(&http->key, text, &err) != FWD_OK) {
            fwd_report(t->y->report, t->y->file,
                       fwd_target_at(t, from->signature_secret),
                       "the signing secret of destination \"%s\" %s",
                       t->dest->name, err.text);
        }
    }

    fwd_target_headers(t);
}


/* The value may hold a secret. */

static void
fwd_target_no_url(fwd_target_t *t)
{
    const fwd_desc_t  *desc;

    desc = t->dest->desc;

    if (strchr(desc->http.url, '{') == NULL) {
        fwd_report(t->y->report, fwd_pool_printf(t->y->pool,
                                                 "%s/destination.yaml",
                                                 desc->folder),
                   desc->http.url_line,
                   "\"request.url\" is \"%s\", allowed is "
                   FWD_SETTING_URL_WANTED, desc->http.url);
        return;
    }

    fwd_report(t->y->report, t->y->file, fwd_target_at(t, desc->http.url),
               "destination \"%s\" has no valid URL, \"%s\" with its "
               "settings; allowed is " FWD_SETTING_URL_WANTED,
               t->dest->name, desc->http.url);
}


static void
fwd_target_headers(fwd_target_t *t)
{
    size_t                  i;
    const char             *text, *name;
    fwd_http_target_t      *http;
    const fwd_desc_http_t  *from;

    http = &t->dest->http;
    from = &t->dest->desc->http;

    http->headers = fwd_pool_alloc(t->y->pool, (from->headers_count + 1)
                                               * sizeof(char *));
    http->headers_shown = fwd_pool_alloc(t->y->pool,
                                         (from->headers_count + 1)
                                         * sizeof(char *));

    text = fwd_pool_printf(t->y->pool, "Content-Type: %s",
                           from->content_type);

    http->headers[0] = text;
    http->headers_shown[0] = text;
    http->headers_count = 1;

    for (i = 0; i < from->headers_count; i++) {
        name = from->headers[i].name;
        text = fwd_target_expand(t, from->headers[i].value, 0);

        if (text == NULL) {
            continue;
        }

        if (strpbrk(text, "\r\n") != NULL) {
            fwd_report(t->y->report, t->y->file,
                       fwd_target_at(t, from->headers[i].value),
                       "header \"%s\" of destination \"%s\" has a line end "
                       "in its value, allowed is one line", name,
                       t->dest->name);
            continue;
        }

        http->headers[http->headers_count] =
                         fwd_pool_printf(t->y->pool, "%s: %s", name, text);

        text = fwd_target_expand(t, from->headers[i].value,
                                 FWD_TARGET_SHOW);
        http->headers_shown[http->headers_count++] =
                         fwd_pool_printf(t->y->pool, "%s: %s", name,
                                         text ? text : FWD_MASK);
    }
}


static void
fwd_target_file(fwd_target_t *t)
{
    const char             *text;
    fwd_file_target_t      *file;
    const fwd_desc_file_t  *from;

    file = &t->dest->file;
    from = &t->dest->desc->file;

    file->path = fwd_target_expand(t, from->path, 0);

    if (file->path == NULL || file->path[0] != '/') {
        fwd_report(t->y->report, t->y->file, fwd_target_at(t, from->path),
                   "destination \"%s\" has no absolute path, \"%s\" with "
                   "its settings; allowed is one that begins with /",
                   t->dest->name, from->path);
    }

    text = fwd_target_expand(t, from->rotate_size, 0);

    if (text == NULL
        || fwd_units_size(&file->rotate_bytes, text) != FWD_OK
        || file->rotate_bytes < 4096)
    {
        fwd_report(t->y->report, t->y->file,
                   fwd_target_at(t, from->rotate_size),
                   "rotate_size of destination \"%s\" is \"%s\", allowed is "
                   "4k or more", t->dest->name, text ? text : "");
    }

    (void) fwd_target_word(t, "rotate_every", from->rotate_every,
                           fwd_desc_rotations, &file->rotate_every);

    /* a file has one end */
    t->dest->limits.concurrency = 1;
}


static fwd_rc_t
fwd_target_word(fwd_target_t *t, const char *what, const char *template,
    const char *const *words, uint64_t *out)
{
    const char  *text;

    *out = 0;
    text = fwd_target_expand(t, template, 0);

    if (text == NULL) {
        return FWD_ERROR;
    }

    for ( /* void */ ; words[*out] != NULL; (*out)++) {
        if (strcmp(words[*out], text) == 0) {
            return FWD_OK;
        }
    }

    *out = 0;
    fwd_report(t->y->report, t->y->file, fwd_target_at(t, template),
               "%s of destination \"%s\" is \"%s\", allowed are %s", what,
               t->dest->name, text, fwd_yaml_words(t->y->pool, words, text));

    return FWD_ERROR;
}


/* The line of the setting that a template names first, or of the section. */

static size_t
fwd_target_at(fwd_target_t *t, const char *template)
{
    size_t       len;
    const char  *brace;

    brace = strchr(template, '{');

    if (brace == NULL) {
        return t->dest->line;
    }

    len = strcspn(brace + 1, "}");

    return fwd_yaml_at(t->y, fwd_pool_printf(t->y->pool,
                                             "destinations.%s.settings.%.*s",
                                             t->dest->name, (int) len,
                                             brace + 1));
}


static const char *
fwd_target_names(fwd_target_t *t, const char *almost)
{
    size_t             i;
    const char       **names;
    const fwd_desc_t  *desc;

    desc = t->dest->desc;
    names = fwd_pool_alloc(t->y->pool, (desc->settings_count + 1)
                                       * sizeof(char *));

    for (i = 0; i < desc->settings_count; i++) {
        names[i] = desc->settings[i].name;
    }

    return fwd_yaml_words(t->y->pool, names, almost);
}
