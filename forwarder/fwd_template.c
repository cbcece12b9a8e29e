
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Templates.
 */


#include <string.h>

#include <curl/curl.h>

#include "fwd_jv.h"
#include "fwd_mask.h"
#include "fwd_template.h"


#define FWD_TEMPLATE_TEXT_MAX  65536


typedef enum {
    FWD_PART_TEXT = 0,
    FWD_PART_SECRET,              /* a setting; its value may change */
    FWD_PART_AUTH,
    FWD_PART_RECORD,
    FWD_PART_GROUP,
    FWD_PART_ID
} fwd_part_kind_t;


typedef enum {
    FWD_FILTER_RAW = 0,
    FWD_FILTER_PATH,              /* percent-encoded */
    FWD_FILTER_DIGITS
} fwd_filter_t;


typedef struct {
    fwd_part_kind_t       kind;
    fwd_filter_t          filter;
    const char           *text;          /* or the name */
    size_t                len;
    size_t                setting;       /* index */
} fwd_part_t;


struct fwd_template_s {
    fwd_part_t           *parts;
    size_t                count;
};


typedef struct {
    const fwd_dest_conf_t  *conf;
    fwd_pool_t           *pool;
    fwd_template_t       *t;
    fwd_buf_t             text;          /* constant so far */
} fwd_template_build_t;


static fwd_rc_t fwd_template_name(fwd_template_build_t *b, const char *name,
    size_t len, fwd_filter_t filter);
static void fwd_template_flush(fwd_template_build_t *b);
static void fwd_template_add(fwd_buf_t *out, const char *text, size_t len,
    fwd_filter_t filter);
static fwd_rc_t fwd_template_part(const fwd_part_t *part,
    const fwd_scope_t *scope, fwd_buf_t *out);
static fwd_rc_t fwd_template_member(jv object, const fwd_part_t *part,
    fwd_buf_t *out);
static int fwd_template_has(const fwd_template_t *t, fwd_part_kind_t kind);


/* Names that are known with a call only. */
static const struct {
    const char           *start;
    fwd_part_kind_t       kind;
} fwd_template_starts[] = {
    { "auth.", FWD_PART_AUTH },
    { "record.", FWD_PART_RECORD },
    { "group.", FWD_PART_GROUP }
};


fwd_template_t *
fwd_template_compile(const fwd_dest_conf_t *conf, const char *text,
    fwd_template_place_t place, fwd_pool_t *pool)
{
    size_t                 n, len;
    fwd_rc_t               rc;
    const char            *p, *end, *bar;
    fwd_filter_t           filter;
    fwd_template_build_t   b;

    n = 1;

    for (p = text; *p != '\0'; p++) {
        n += 2 * (*p == '{');
    }

    b.conf = conf;
    b.pool = pool;
    b.t = fwd_pool_alloc(pool, sizeof(fwd_template_t));
    b.t->parts = fwd_pool_alloc(pool, n * sizeof(fwd_part_t));
    fwd_buf_init(&b.text, FWD_TEMPLATE_TEXT_MAX);
    rc = FWD_OK;

    for (p = text; *p != '\0' && rc == FWD_OK; p++) {

        if (*p != '{' || p[1] == '{') {
            fwd_buf_add_char(&b.text, *p);
            p += (*p == '{');
            continue;
        }

        len = strcspn(p + 1, "}");
        end = p + 1 + len;
        bar = memchr(p + 1, '|', len);
        filter = (place == FWD_TEMPLATE_PLAIN
                  || (place == FWD_TEMPLATE_URL && p == text))
                 ? FWD_FILTER_RAW : FWD_FILTER_PATH;

        if (bar != NULL) {
            filter = (bar[1] == 'r') ? FWD_FILTER_RAW
                     : (bar[1] == 'd') ? FWD_FILTER_DIGITS : FWD_FILTER_PATH;
            len = (size_t) (bar - p - 1);
        }

        rc = fwd_template_name(&b, p + 1, len, filter);
        p = (*end != '\0') ? end : end - 1;
    }

    fwd_template_flush(&b);

    if (b.text.failed) {
        rc = FWD_NONE;
    }

    fwd_buf_free(&b.text);

    return rc == FWD_OK ? b.t : NULL;
}


static fwd_rc_t
fwd_template_name(fwd_template_build_t *b, const char *name, size_t len,
    fwd_filter_t filter)
{
    size_t                i, n;
    const char           *value;
    fwd_part_t           *part;
    fwd_part_kind_t       kind;
    const fwd_setting_t  *setting;

    kind = FWD_PART_TEXT;
    n = 0;
    i = 0;

    for (i = 0; i < b->conf->desc->settings_count; i++) {
        setting = &b->conf->desc->settings[i];

        if (setting->secret && strlen(setting->name) == len
            && memcmp(setting->name, name, len) == 0)
        {
            if (b->conf->values[i] == NULL) {
                return FWD_NONE;
            }

            kind = FWD_PART_SECRET;
            break;
        }
    }

    for (n = 0; kind == FWD_PART_TEXT && n < 3; n++) {
        if (len > strlen(fwd_template_starts[n].start)
            && memcmp(fwd_template_starts[n].start, name,
                      strlen(fwd_template_starts[n].start)) == 0)
        {
            kind = fwd_template_starts[n].kind;
            name += strlen(fwd_template_starts[n].start);
            len -= strlen(fwd_template_starts[n].start);
        }
    }

    if (kind == FWD_PART_TEXT && len == 8 && memcmp(name, "batch.id", 8) == 0)
    {
        kind = FWD_PART_ID;
    }

    if (kind == FWD_PART_TEXT) {
        value = fwd_template_value(b->conf, name, len);

        if (value == NULL) {
            return FWD_NONE;
        }

        fwd_template_add(&b->text, value, strlen(value), filter);
        return FWD_OK;
    }

    fwd_template_flush(b);

    part = &b->t->parts[b->t->count++];
    part->kind = kind;
    part->filter = filter;
    part->text = fwd_pool_string(b->pool, name, len);
    part->len = len;
    part->setting = i;

    return FWD_OK;
}


static void
fwd_template_flush(fwd_template_build_t *b)
{
    fwd_part_t  *part;

    if (b->text.len == 0) {
        return;
    }

    part = &b->t->parts[b->t->count++];
    part->kind = FWD_PART_TEXT;
    part->text = fwd_pool_string(b->pool, b->text.data, b->text.len);
    part->len = b->text.len;
    fwd_buf_reset(&b->text);
}


const char *
fwd_template_value(const fwd_dest_conf_t *conf, const char *name, size_t len)
{
    size_t                    i;
    const char               *by;
    const fwd_desc_t         *desc;
    const fwd_desc_region_t  *region;

    desc = conf->desc;

    for (i = 0; i < desc->settings_count; i++) {
        if (strlen(desc->settings[i].name) == len
            && memcmp(desc->settings[i].name, name, len) == 0)
        {
            return conf->values[i];
        }
    }

    if (len == 3 && memcmp(name, "env", 3) == 0) {
        return conf->environment ? conf->environment : "production";
    }

    if (len == 7 && memcmp(name, "version", 7) == 0) {
        return desc->version.name;
    }

    if (len < 8 || memcmp(name, "region.", 7) != 0 || desc->region_by == NULL)
    {
        return NULL;
    }

    by = fwd_template_value(conf, desc->region_by, strlen(desc->region_by));

    for (region = desc->regions;
         by != NULL && region < desc->regions + desc->regions_count;
         region++)
    {
        for (i = 0; strcmp(region->value, by) == 0 && i < region->pairs_count;
             i++)
        {
            if (strlen(region->pairs[i].name) == len - 7
                && memcmp(region->pairs[i].name, name + 7, len - 7) == 0)
            {
                return region->pairs[i].value;
            }
        }
    }

    return NULL;
}


static void
fwd_template_add(fwd_buf_t *out, const char *text, size_t len,
    fwd_filter_t filter)
{
    char    *safe;
    size_t   i;

    switch (filter) {

    case FWD_FILTER_RAW:
        fwd_buf_add(out, text, len);
        return;

    case FWD_FILTER_DIGITS:
        for (i = 0; i < len; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                fwd_buf_add_char(out, text[i]);
            }
        }

        return;

    default:
        safe = len ? curl_easy_escape(NULL, text, (int) len) : NULL;

        if (safe != NULL) {
            fwd_buf_add_string(out, safe);
            curl_free(safe);
        }

        return;
    }
}


fwd_rc_t
fwd_template_expand(const fwd_template_t *t, const fwd_scope_t *scope,
    fwd_buf_t *out, const char **missing)
{
    size_t  i, at;

    at = out->len;

    for (i = 0; i < t->count; i++) {

        if (fwd_template_part(&t->parts[i], scope, out) == FWD_OK) {
            continue;
        }

        if (missing != NULL) {
            *missing = t->parts[i].text;
        }

        if (!out->failed) {
            out->len = at;
        }

        return FWD_NONE;
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_template_part(const fwd_part_t *part, const fwd_scope_t *scope,
    fwd_buf_t *out)
{
    const char  *text;

    switch (part->kind) {

    case FWD_PART_TEXT:
        fwd_buf_add(out, part->text, part->len);
        return FWD_OK;

    case FWD_PART_RECORD:
        return fwd_template_member(scope->path, part, out);

    case FWD_PART_GROUP:
        return fwd_template_member(scope->group, part, out);

    case FWD_PART_SECRET:
        text = scope->conf->values[part->setting];

        if (text != NULL && scope->show) {
            fwd_buf_add_string(out, FWD_MASK);
            return FWD_OK;
        }

        break;

    case FWD_PART_AUTH:
        text = (scope->captured != NULL)
               ? scope->captured(scope->data, part->text) : NULL;
        break;

    default:
        text = scope->id;
        break;
    }

    if (text == NULL) {
        return FWD_NONE;
    }

    fwd_template_add(out, text, strlen(text), part->filter);

    return FWD_OK;
}


/* A text, a number or a truth value of an object. */

static fwd_rc_t
fwd_template_member(jv object, const fwd_part_t *part, fwd_buf_t *out)
{
    jv         value;
    fwd_rc_t   rc;
    fwd_buf_t  text;

    if (jv_get_kind(object) != JV_KIND_OBJECT) {
        return FWD_NONE;
    }

    value = jv_object_get(jv_copy(object), jv_string(part->text));
    rc = FWD_OK;

    switch (jv_get_kind(value)) {

    case JV_KIND_STRING:

        /* of a path, these would lead out of it */

        if (*jv_string_value(value) == '\0'
            || (part->filter == FWD_FILTER_PATH
                && (strcmp(jv_string_value(value), ".") == 0
                    || strcmp(jv_string_value(value), "..") == 0)))
        {
            rc = FWD_NONE;
            break;
        }

        fwd_template_add(out, jv_string_value(value),
                         (size_t) jv_string_length_bytes(jv_copy(value)),
                         part->filter);
        break;

    case JV_KIND_NUMBER:
    case JV_KIND_TRUE:
    case JV_KIND_FALSE:
        fwd_buf_init(&text, 64);
        fwd_jv_dump(&text, jv_copy(value));
        fwd_template_add(out, (char *) text.data, text.len, part->filter);
        fwd_buf_free(&text);
        break;

    default:
        rc = FWD_NONE;
        break;
    }

    jv_free(value);

    return rc;
}


const char *
fwd_template_constant(const fwd_template_t *t)
{
    if (t->count == 0) {
        return "";
    }

    return (t->count == 1 && t->parts[0].kind == FWD_PART_TEXT)
           ? t->parts[0].text : NULL;
}


int
fwd_template_needs_record(const fwd_template_t *t)
{
    return fwd_template_has(t, FWD_PART_RECORD);
}


int
fwd_template_needs_group(const fwd_template_t *t)
{
    return fwd_template_has(t, FWD_PART_GROUP);
}


static int
fwd_template_has(const fwd_template_t *t, fwd_part_kind_t kind)
{
    size_t  i;

    for (i = 0; i < t->count; i++) {
        if (t->parts[i].kind == kind) {
            return 1;
        }
    }

    return 0;
}
