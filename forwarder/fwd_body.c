
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Body templates: a tree of the few values in which something is replaced,
 * with texts between them that are ready.
 */


#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#include "../martech/martech_time.h"

#include "fwd_body.h"
#include "fwd_jv.h"
#include "fwd_yaml_json.h"


#define FWD_BODY_DEPTH_MAX  32
#define FWD_BODY_TEXT_MAX   (1024 * 1024)
#define FWD_BODY_FORM_MAX   (512UL * 1024 * 1024)


typedef enum {
    FWD_NODE_TEXT = 0,            /* JSON that is ready */
    FWD_NODE_OBJECT,
    FWD_NODE_ARRAY,
    FWD_NODE_RECORDS,
    FWD_NODE_RECORD,
    FWD_NODE_GROUP,
    FWD_NODE_QUOTED,              /* the records as JSON in a text */
    FWD_NODE_NOW_MS,
    FWD_NODE_NOW_S,
    FWD_NODE_NOW_ISO,
    FWD_NODE_TEMPLATE
} fwd_body_kind_t;


struct fwd_body_s {
    fwd_body_kind_t       kind;
    const char           *text;          /* or the name: of an array, of a
                                            member of the group */
    size_t                len;
    fwd_template_t       *template;
    const char           *key;           /* of a member: its name, JSON, and a
                                            colon; of a form encoded with "=" */
    fwd_body_t           *first;         /* of the members */
    fwd_body_t           *next;
    unsigned              form:1;
    unsigned              absent:1;      /* while compiling: left out */
};


typedef struct {
    const fwd_dest_conf_t  *conf;
    fwd_pool_t           *pool;
    fwd_error_t          *err;
} fwd_body_build_t;


static fwd_body_t *fwd_body_node(fwd_body_build_t *b, jv value,
    unsigned depth);
static fwd_body_t *fwd_body_string(fwd_body_build_t *b, const char *text);
static fwd_rc_t fwd_body_word(const char *text, fwd_body_t *node);
static fwd_body_t *fwd_body_members(fwd_body_build_t *b, jv value, int form,
    unsigned depth);
static const char *fwd_body_name(fwd_body_build_t *b, const char *key,
    int form);
static int fwd_body_empty(const fwd_body_build_t *b, jv value);
static fwd_rc_t fwd_body_put(const fwd_body_t *node,
    const fwd_scope_t *scope, fwd_buf_t *out, const char **missing);
static fwd_rc_t fwd_body_put_members(const fwd_body_t *node,
    const fwd_scope_t *scope, fwd_buf_t *out, const char **missing);
static int fwd_body_is_absent(const fwd_body_t *node,
    const fwd_scope_t *scope);
static void fwd_body_put_records(const fwd_body_t *node,
    const fwd_scope_t *scope, fwd_buf_t *out);
static fwd_rc_t fwd_body_put_group(const fwd_body_t *node,
    const fwd_scope_t *scope, fwd_buf_t *out, const char **missing);
static void fwd_body_put_now(const fwd_body_t *node, uint64_t now_ms,
    fwd_buf_t *out);
static fwd_rc_t fwd_body_put_template(const fwd_body_t *node,
    const fwd_scope_t *scope, fwd_buf_t *out, const char **missing);
static fwd_rc_t fwd_body_put_form(const fwd_body_t *body,
    const fwd_scope_t *scope, fwd_buf_t *out, const char **missing);
static size_t fwd_body_escaped(martech_str_t record, int form);
static size_t fwd_body_cost_node(const fwd_body_t *node, martech_str_t record,
    int form);


static const struct {
    const char           *word;
    fwd_body_kind_t       kind;
} fwd_body_words[] = {
    { "@records", FWD_NODE_RECORDS },
    { "@record", FWD_NODE_RECORD },
    { "@group", FWD_NODE_GROUP },
    { "@text", FWD_NODE_QUOTED },
    { "@now_ms", FWD_NODE_NOW_MS },
    { "@now_s", FWD_NODE_NOW_S },
    { "@now_iso", FWD_NODE_NOW_ISO },
    { NULL, FWD_NODE_TEXT }
};


fwd_body_t *
fwd_body_compile(const fwd_dest_conf_t *conf, const char *json, int form,
    fwd_pool_t *pool, fwd_error_t *err)
{
    jv                value;
    fwd_body_t       *body;
    fwd_body_build_t  b;

    b.conf = conf;
    b.pool = pool;
    b.err = err;

    value = jv_parse(json);

    if (form) {

        if (jv_get_kind(value) != JV_KIND_OBJECT) {
            jv_free(value);
            (void) fwd_error(err, "is no section, which a form needs");
            return NULL;
        }

        body = fwd_body_members(&b, value, 1, 1);

        if (body != NULL) {
            body->form = 1;
        }

        return body;
    }

    body = fwd_body_node(&b, value, 0);

    if (body != NULL && body->absent) {
        (void) fwd_error(err, "is a setting without a value");
        return NULL;
    }

    return body;
}


static fwd_body_t *
fwd_body_node(fwd_body_build_t *b, jv value, unsigned depth)
{
    fwd_buf_t    text;
    fwd_body_t  *node;

    if (depth > FWD_BODY_DEPTH_MAX) {
        jv_free(value);
        (void) fwd_error(b->err, "has more than %d levels",
                         FWD_BODY_DEPTH_MAX);
        return NULL;
    }

    switch (jv_get_kind(value)) {

    case JV_KIND_STRING:
        node = fwd_body_string(b, jv_string_value(value));
        jv_free(value);
        return node;

    case JV_KIND_OBJECT:
    case JV_KIND_ARRAY:
        return fwd_body_members(b, value, 0, depth + 1);

    default:
        node = fwd_pool_alloc(b->pool, sizeof(fwd_body_t));
        fwd_buf_init(&text, 64);
        fwd_jv_dump(&text, value);
        node->text = fwd_pool_string(b->pool, text.data, text.len);
        node->len = text.len;
        fwd_buf_free(&text);
        return node;
    }
}


static fwd_body_t *
fwd_body_string(fwd_body_build_t *b, const char *text)
{
    fwd_body_t  *node;

    node = fwd_pool_alloc(b->pool, sizeof(fwd_body_t));

    if (text[0] != '@') {
        node->kind = FWD_NODE_TEMPLATE;
        node->template = fwd_template_compile(b->conf, text,
                                              FWD_TEMPLATE_PLAIN, b->pool);
        node->absent = (node->template == NULL);
        return node;
    }

    if (fwd_body_word(text, node) != FWD_OK) {
        (void) fwd_error(b->err, "has \"%.64s\", allowed are "
                         FWD_BODY_WORDS, text);
        return NULL;
    }

    if (node->text != NULL) {
        node->text = fwd_pool_string(b->pool, node->text, node->len);
    }

    return node;
}


int
fwd_body_word_valid(const char *text)
{
    fwd_body_t  node;

    return fwd_body_word(text, &node) == FWD_OK;
}


/* Its kind, and the name in it, which stays in the text. */

static fwd_rc_t
fwd_body_word(const char *text, fwd_body_t *node)
{
    size_t  i, len;

    for (i = 0; fwd_body_words[i].word != NULL; i++) {
        len = strlen(fwd_body_words[i].word);

        if (strncmp(text, fwd_body_words[i].word, len) != 0) {
            continue;
        }

        node->kind = fwd_body_words[i].kind;

        if (text[len] == '\0') {
            return FWD_OK;
        }

        if ((node->kind == FWD_NODE_RECORDS && text[len] == ':')
            || (node->kind == FWD_NODE_GROUP && text[len] == '.'))
        {
            node->text = text + len + 1;
            node->len = strlen(node->text);
            return FWD_OK;
        }
    }

    return FWD_ERROR;
}


static fwd_body_t *
fwd_body_members(fwd_body_build_t *b, jv value, int form, unsigned depth)
{
    int           i, n, object;
    jv            one;
    fwd_body_t   *node, *member, **last;

    object = (jv_get_kind(value) == JV_KIND_OBJECT);
    node = fwd_pool_alloc(b->pool, sizeof(fwd_body_t));
    node->kind = object ? FWD_NODE_OBJECT : FWD_NODE_ARRAY;
    last = &node->first;
    n = object ? 0 : jv_array_length(jv_copy(value));

    for (i = object ? jv_object_iter(value) : 0;
         object ? jv_object_iter_valid(value, i) : i < n;
         i = object ? jv_object_iter_next(value, i) : i + 1)
    {
        one = object ? jv_object_iter_value(value, i)
                     : jv_array_get(jv_copy(value), i);

        if (object && fwd_body_empty(b, one)) {
            jv_free(one);
            continue;
        }

        member = fwd_body_node(b, one, depth);

        if (member == NULL) {
            jv_free(value);
            return NULL;
        }

        if (member->absent) {
            continue;
        }

        if (object) {
            one = jv_object_iter_key(value, i);
            member->key = fwd_body_name(b, jv_string_value(one), form);
            jv_free(one);
        }

        *last = member;
        last = &member->next;
    }

    jv_free(value);

    return node;
}


static const char *
fwd_body_name(fwd_body_build_t *b, const char *key, int form)
{
    char        *safe;
    fwd_buf_t    text;
    const char  *name;

    if (form) {
        safe = curl_easy_escape(NULL, key, 0);
        name = fwd_pool_printf(b->pool, "%s=", safe ? safe : "");
        curl_free(safe);
        return name;
    }

    fwd_buf_init(&text, FWD_BODY_TEXT_MAX);
    fwd_json_add(&text, key, strlen(key));
    fwd_buf_add_char(&text, ':');
    name = fwd_pool_string(b->pool, text.data, text.len);
    fwd_buf_free(&text);

    return name;
}


/* What "omit" leaves out of records it leaves out here. */

static int
fwd_body_empty(const fwd_body_build_t *b, jv value)
{
    int  empty;

    if (b->conf->desc->omit == FWD_OMIT_NONE) {
        return 0;
    }

    if (jv_get_kind(value) == JV_KIND_NULL) {
        return 1;
    }

    if (b->conf->desc->omit != FWD_OMIT_EMPTY) {
        return 0;
    }

    switch (jv_get_kind(value)) {

    case JV_KIND_STRING:
        return *jv_string_value(value) == '\0';

    case JV_KIND_ARRAY:
        return jv_array_length(jv_copy(value)) == 0;

    case JV_KIND_OBJECT:
        empty = !jv_object_iter_valid(value, jv_object_iter(value));
        return empty;

    default:
        return 0;
    }
}


fwd_rc_t
fwd_body_write(const fwd_body_t *body, const fwd_scope_t *scope,
    fwd_buf_t *out, const char **missing)
{
    return body->form ? fwd_body_put_form(body, scope, out, missing)
                      : fwd_body_put(body, scope, out, missing);
}


static fwd_rc_t
fwd_body_put(const fwd_body_t *node, const fwd_scope_t *scope,
    fwd_buf_t *out, const char **missing)
{
    fwd_buf_t  text;

    switch (node->kind) {

    case FWD_NODE_OBJECT:
    case FWD_NODE_ARRAY:
        return fwd_body_put_members(node, scope, out, missing);

    case FWD_NODE_RECORDS:
        fwd_body_put_records(node, scope, out);
        return FWD_OK;

    case FWD_NODE_RECORD:
        if (scope->count != 0) {
            fwd_buf_add(out, scope->texts[0].data, scope->texts[0].len);
        }

        return FWD_OK;

    case FWD_NODE_GROUP:
        return fwd_body_put_group(node, scope, out, missing);

    case FWD_NODE_QUOTED:
        fwd_buf_init(&text, FWD_BODY_FORM_MAX);
        fwd_body_put_records(node, scope, &text);
        fwd_json_add(out, text.data, text.len);

        if (text.failed) {
            out->failed = 1;
        }

        fwd_buf_free(&text);
        return FWD_OK;

    case FWD_NODE_NOW_MS:
    case FWD_NODE_NOW_S:
    case FWD_NODE_NOW_ISO:
        fwd_body_put_now(node, scope->now_ms, out);
        return FWD_OK;

    case FWD_NODE_TEMPLATE:
        return fwd_body_put_template(node, scope, out, missing);

    default:
        fwd_buf_add(out, node->text, node->len);
        return FWD_OK;
    }
}


static fwd_rc_t
fwd_body_put_members(const fwd_body_t *node, const fwd_scope_t *scope,
    fwd_buf_t *out, const char **missing)
{
    int                object, some;
    const fwd_body_t  *member;

    object = (node->kind == FWD_NODE_OBJECT);
    some = 0;

    fwd_buf_add_char(out, object ? '{' : '[');

    for (member = node->first; member != NULL; member = member->next) {

        if (object && fwd_body_is_absent(member, scope)) {
            continue;
        }

        if (some) {
            fwd_buf_add_char(out, ',');
        }

        some = 1;

        if (object) {
            fwd_buf_add_string(out, member->key);
        }

        if (fwd_body_put(member, scope, out, missing) != FWD_OK) {
            return FWD_NONE;
        }
    }

    fwd_buf_add_char(out, object ? '}' : ']');

    return FWD_OK;
}


/* A member of the group that it does not have. */

static int
fwd_body_is_absent(const fwd_body_t *node, const fwd_scope_t *scope)
{
    jv   value;
    int  absent;

    if (node->kind != FWD_NODE_GROUP) {
        return 0;
    }

    if (node->text == NULL) {
        return !jv_is_valid(scope->group);
    }

    if (jv_get_kind(scope->group) != JV_KIND_OBJECT) {
        return 1;
    }

    value = jv_object_get(jv_copy(scope->group), jv_string(node->text));
    absent = !jv_is_valid(value) || jv_get_kind(value) == JV_KIND_NULL;
    jv_free(value);

    return absent;
}


/* With a name only the records of that "@array". */

static void
fwd_body_put_records(const fwd_body_t *node, const fwd_scope_t *scope,
    fwd_buf_t *out)
{
    int                   some;
    uint32_t              i;
    const martech_str_t  *array;

    some = 0;

    fwd_buf_add_char(out, '[');

    for (i = 0; i < scope->count; i++) {

        if (node->text != NULL) {
            array = (scope->arrays != NULL) ? &scope->arrays[i] : NULL;

            if (array == NULL || array->len != node->len
                || memcmp(array->data, node->text, node->len) != 0)
            {
                continue;
            }
        }

        if (some) {
            fwd_buf_add_char(out, ',');
        }

        some = 1;
        fwd_buf_add(out, scope->texts[i].data, scope->texts[i].len);
    }

    fwd_buf_add_char(out, ']');
}


static fwd_rc_t
fwd_body_put_group(const fwd_body_t *node, const fwd_scope_t *scope,
    fwd_buf_t *out, const char **missing)
{
    jv  value;

    value = jv_copy(scope->group);

    if (node->text != NULL) {

        if (jv_get_kind(value) == JV_KIND_OBJECT) {
            value = jv_object_get(value, jv_string(node->text));

        } else {
            jv_free(value);
            value = jv_invalid();
        }
    }

    if (!jv_is_valid(value)) {
        jv_free(value);
        *missing = "@group";
        return FWD_NONE;
    }

    fwd_jv_dump(out, value);

    return FWD_OK;
}


static void
fwd_body_put_now(const fwd_body_t *node, uint64_t now_ms, fwd_buf_t *out)
{
    int            n;
    char           text[32];
    unsigned char  time[MARTECH_TIME_LEN];

    if (node->kind == FWD_NODE_NOW_ISO) {
        martech_time_format(time, (int64_t) now_ms);
        fwd_json_add(out, time, MARTECH_TIME_LEN);
        return;
    }

    n = snprintf(text, sizeof(text), "%llu",
                 (unsigned long long) (node->kind == FWD_NODE_NOW_S
                                       ? now_ms / 1000 : now_ms));
    fwd_buf_add(out, text, (size_t) n);
}


static fwd_rc_t
fwd_body_put_template(const fwd_body_t *node, const fwd_scope_t *scope,
    fwd_buf_t *out, const char **missing)
{
    fwd_rc_t     rc;
    fwd_buf_t    text;
    const char  *ready;

    ready = fwd_template_constant(node->template);

    if (ready != NULL) {
        fwd_json_add(out, ready, strlen(ready));
        return FWD_OK;
    }

    fwd_buf_init(&text, FWD_BODY_TEXT_MAX);
    rc = fwd_template_expand(node->template, scope, &text, missing);

    if (rc == FWD_OK) {
        fwd_json_add(out, text.data, text.len);
        out->failed |= text.failed;
    }

    fwd_buf_free(&text);

    return rc;
}


/* Texts stand in a form as they are, all others as JSON. */

static fwd_rc_t
fwd_body_put_form(const fwd_body_t *body, const fwd_scope_t *scope,
    fwd_buf_t *out, const char **missing)
{
    jv                 plain;
    int                some;
    char              *safe;
    fwd_rc_t           rc;
    fwd_buf_t          text;
    const fwd_body_t  *member;

    some = 0;
    rc = FWD_OK;
    fwd_buf_init(&text, FWD_BODY_FORM_MAX);

    for (member = body->first; member != NULL; member = member->next) {

        if (fwd_body_is_absent(member, scope)) {
            continue;
        }

        fwd_buf_reset(&text);

        if (member->kind == FWD_NODE_TEMPLATE) {
            rc = fwd_template_expand(member->template, scope, &text, missing);

        } else {
            rc = fwd_body_put(member, scope, &text, missing);
        }

        if (rc != FWD_OK) {
            break;
        }

        /* a text of the group without its quotes */

        if (text.len > 1 && text.data[0] == '"'
            && member->kind != FWD_NODE_TEMPLATE)
        {
            plain = jv_parse_sized((char *) text.data, (int) text.len);

            if (jv_get_kind(plain) == JV_KIND_STRING) {
                fwd_buf_reset(&text);
                fwd_buf_add_string(&text, jv_string_value(plain));
            }

            jv_free(plain);
        }

        if (some) {
            fwd_buf_add_char(out, '&');
        }

        some = 1;
        fwd_buf_add_string(out, member->key);

        if (text.len != 0) {
            safe = curl_easy_escape(NULL, (char *) text.data,
                                    (int) text.len);
            fwd_buf_add_string(out, safe ? safe : "");
            out->failed |= (safe == NULL);
            curl_free(safe);
        }

        out->failed |= text.failed;
    }

    fwd_buf_free(&text);

    return rc;
}


/* A form may write a byte as three, a text as six. */

static size_t
fwd_body_escaped(martech_str_t record, int form)
{
    size_t         i, len;
    unsigned char  c;

    len = record.len;

    for (i = 0; i < record.len; i++) {
        c = record.data[i];

        if (form) {
            len += ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
                    || (c >= 'A' && c <= 'Z') || c == '-' || c == '_'
                    || c == '.' || c == '~') ? 0 : 2;

        } else {
            len += (c == '"' || c == '\\') ? 1 : (c < ' ' || c == 0x7f) ? 5
                                                                        : 0;
        }
    }

    return len + (form ? 3 : 1);
}


static size_t
fwd_body_cost_node(const fwd_body_t *node, martech_str_t record, int form)
{
    size_t             cost;
    const fwd_body_t  *member;

    cost = 0;

    if (node->kind == FWD_NODE_RECORDS || node->kind == FWD_NODE_RECORD) {
        return form ? fwd_body_escaped(record, 1) : record.len + 1;
    }

    if (node->kind == FWD_NODE_QUOTED) {
        return fwd_body_escaped(record, form) + (form ? record.len / 2 : 0);
    }

    for (member = node->first; member != NULL; member = member->next) {
        cost += fwd_body_cost_node(member, record, form);
    }

    return cost;
}


size_t
fwd_body_cost(const fwd_body_t *body, martech_str_t record)
{
    return fwd_body_cost_node(body, record, body->form);
}


int
fwd_body_is_single(const fwd_body_t *body)
{
    const fwd_body_t  *member;

    if (body->kind == FWD_NODE_RECORD) {
        return 1;
    }

    for (member = body->first; member != NULL; member = member->next) {
        if (fwd_body_is_single(member)) {
            return 1;
        }
    }

    return 0;
}
