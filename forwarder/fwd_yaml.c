
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * YAML by tables, over the document interface of libyaml.
 *
 * Aliases are the same node seen twice; as the tables, not the document,
 * decide how deep we look, they can neither loop nor multiply.
 */


#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fwd_buf.h"
#include "fwd_units.h"
#include "fwd_yaml.h"


#define FWD_YAML_LIST_MAX  1024          /* bytes of a list of names */


static fwd_rc_t fwd_yaml_parse(fwd_yaml_t *y, FILE *f);
static const fwd_field_t *fwd_yaml_field(const fwd_field_t *fields,
    const char *name);
static fwd_rc_t fwd_yaml_number(fwd_field_kind_t kind, uint64_t *value,
    const char *text);
static void fwd_yaml_set(fwd_yaml_t *y, yaml_node_t *node, const char *path,
    const fwd_field_t *field, void *base);
static void fwd_yaml_set_word(fwd_yaml_t *y, yaml_node_t *node,
    const char *path, const fwd_field_t *field, const char *text,
    uint64_t *out);
static const char *fwd_yaml_words(fwd_yaml_t *y, const char *const *words);
static const char *fwd_yaml_names(fwd_yaml_t *y, const fwd_field_t *fields);


static const char *const  fwd_yaml_kinds[] = {
    [FWD_FIELD_STRING] = "a text",
    [FWD_FIELD_NUMBER] = "a number",
    [FWD_FIELD_TIME] = "a time such as 500ms, 10s, 5m, 2h",
    [FWD_FIELD_SIZE] = "a size such as 512k, 64m, 1g",
    [FWD_FIELD_BOOL] = "true or false",
    [FWD_FIELD_WORD] = "a word",
    [FWD_FIELD_NODE] = "a section"
};

static const char *const  fwd_yaml_bools[] = { "false", "true", NULL };


void
fwd_report(fwd_report_t *report, const char *file, size_t line,
    const char *fmt, ...)
{
    char     text[1024];
    va_list  args;

    if (report->count++ >= FWD_REPORT_MAX) {
        return;
    }

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    report->texts[report->count - 1] = line
        ? fwd_pool_printf(report->pool, "%s:%zu: %s", file, line, text)
        : fwd_pool_printf(report->pool, "%s: %s", file, text);
}


fwd_rc_t
fwd_yaml_open(fwd_yaml_t *y, const char *file, fwd_report_t *report,
    fwd_pool_t *pool)
{
    FILE      *f;
    fwd_rc_t   rc;

    y->file = file;
    y->report = report;
    y->pool = pool;

    f = fopen(file, "re");

    if (f == NULL) {
        fwd_report(report, file, 0, "cannot be opened: %s", strerror(errno));
        return FWD_ERROR;
    }

    rc = fwd_yaml_parse(y, f);

    (void) fclose(f);

    if (rc != FWD_OK) {
        return rc;
    }

    if (fwd_yaml_root(y) == NULL) {
        fwd_report(report, file, 0, "is empty");

    } else if (fwd_yaml_is_map(y, fwd_yaml_root(y), "the file")) {
        return FWD_OK;
    }

    fwd_yaml_close(y);

    return FWD_ERROR;
}


static fwd_rc_t
fwd_yaml_parse(fwd_yaml_t *y, FILE *f)
{
    int              more;
    yaml_parser_t    parser;
    yaml_document_t  extra;

    if (!yaml_parser_initialize(&parser)) {
        fwd_report(y->report, y->file, 0, "out of memory");
        return FWD_ERROR;
    }

    yaml_parser_set_input_file(&parser, f);

    if (!yaml_parser_load(&parser, &y->doc)) {
        fwd_report(y->report, y->file, parser.problem_mark.line + 1,
                   "is not YAML: %s",
                   parser.problem ? parser.problem : "cannot be read");
        yaml_parser_delete(&parser);
        return FWD_ERROR;
    }

    if (yaml_document_get_root_node(&y->doc) == NULL) {
        yaml_parser_delete(&parser);
        return FWD_OK;
    }

    if (!yaml_parser_load(&parser, &extra)) {
        fwd_report(y->report, y->file, parser.problem_mark.line + 1,
                   "is not YAML: %s",
                   parser.problem ? parser.problem : "cannot be read");
        goto failed;
    }

    more = (yaml_document_get_root_node(&extra) != NULL);
    yaml_document_delete(&extra);

    if (more) {
        fwd_report(y->report, y->file, parser.mark.line + 1,
                   "holds a second document, one is allowed");
        goto failed;
    }

    yaml_parser_delete(&parser);

    return FWD_OK;

failed:

    yaml_document_delete(&y->doc);
    yaml_parser_delete(&parser);

    return FWD_ERROR;
}


void
fwd_yaml_close(fwd_yaml_t *y)
{
    yaml_document_delete(&y->doc);
}


yaml_node_t *
fwd_yaml_root(fwd_yaml_t *y)
{
    return yaml_document_get_root_node(&y->doc);
}


size_t
fwd_yaml_line(const yaml_node_t *node)
{
    return node->start_mark.line + 1;
}


int
fwd_yaml_is_map(fwd_yaml_t *y, yaml_node_t *node, const char *path)
{
    if (node->type == YAML_MAPPING_NODE) {
        return 1;
    }

    fwd_report(y->report, y->file, fwd_yaml_line(node),
               "%s is not a section with \"key: value\" lines", path);

    return 0;
}


const char *
fwd_yaml_text(fwd_yaml_t *y, yaml_node_t *node, const char *path)
{
    if (node->type != YAML_SCALAR_NODE) {
        fwd_report(y->report, y->file, fwd_yaml_line(node),
                   "\"%s\" is a %s, allowed is a single value", path,
                   node->type == YAML_MAPPING_NODE ? "section" : "list");
        return NULL;
    }

    if (memchr(node->data.scalar.value, '\0', node->data.scalar.length)) {
        fwd_report(y->report, y->file, fwd_yaml_line(node),
                   "\"%s\" holds a zero byte", path);
        return NULL;
    }

    return fwd_pool_string(y->pool, node->data.scalar.value,
                           node->data.scalar.length);
}


fwd_rc_t
fwd_yaml_next(fwd_yaml_t *y, yaml_node_t *map, size_t *i, const char **key,
    yaml_node_t **value)
{
    yaml_node_t       *name, *other;
    yaml_node_pair_t  *pair, *p;

    for ( ;; ) {
        pair = map->data.mapping.pairs.start + *i;

        if (pair >= map->data.mapping.pairs.top) {
            return FWD_NONE;
        }

        (*i)++;

        name = yaml_document_get_node(&y->doc, pair->key);

        *key = fwd_yaml_text(y, name, "key");
        if (*key == NULL) {
            continue;
        }

        for (p = map->data.mapping.pairs.start; p < pair; p++) {
            other = yaml_document_get_node(&y->doc, p->key);

            if (other->type == YAML_SCALAR_NODE
                && strcmp((char *) other->data.scalar.value, *key) == 0)
            {
                break;
            }
        }

        if (p < pair) {
            fwd_report(y->report, y->file, fwd_yaml_line(name),
                       "duplicate key \"%s\", the first is in line %zu",
                       *key, fwd_yaml_line(other));
            continue;
        }

        *value = yaml_document_get_node(&y->doc, pair->value);

        return FWD_OK;
    }
}


void
fwd_yaml_defaults(const fwd_field_t *fields, void *base, fwd_pool_t *pool)
{
    char               **text;
    uint64_t            *number;
    const fwd_field_t   *field;

    for (field = fields; field->name != NULL; field++) {

        if (field->dflt == NULL) {
            continue;
        }

        text = (char **) ((char *) base + field->offset);
        number = (uint64_t *) ((char *) base + field->offset);

        switch (field->kind) {

        case FWD_FIELD_NODE:
            break;

        case FWD_FIELD_STRING:
            *text = fwd_pool_string(pool, field->dflt, strlen(field->dflt));
            break;

        case FWD_FIELD_WORD:
            *number = 0;

            while (strcmp(field->words[*number], field->dflt) != 0) {
                (*number)++;
            }

            break;

        default:
            (void) fwd_yaml_number(field->kind, number, field->dflt);
            break;
        }
    }
}


void
fwd_yaml_section(fwd_yaml_t *y, yaml_node_t *node, size_t line,
    const char *path, const fwd_field_t *fields, void *base)
{
    size_t              i;
    uint64_t            seen;
    const char         *key, *full;
    yaml_node_t        *value;
    const fwd_field_t  *field;

    seen = 0;

    if (node != NULL) {

        if (!fwd_yaml_is_map(y, node, *path ? path : "the file")) {
            return;
        }

        line = fwd_yaml_line(node);
        i = 0;

        while (fwd_yaml_next(y, node, &i, &key, &value) == FWD_OK) {
            field = fwd_yaml_field(fields, key);

            if (field == NULL) {
                fwd_report(y->report, y->file, fwd_yaml_line(value),
                           "unknown key \"%s\" in %s, allowed are %s", key,
                           *path ? path : "the file",
                           fwd_yaml_names(y, fields));
                continue;
            }

            seen |= (uint64_t) 1 << (field - fields);
            full = *path ? fwd_pool_printf(y->pool, "%s.%s", path, key) : key;

            fwd_yaml_set(y, value, full, field, base);
        }
    }

    for (field = fields; field->name != NULL; field++) {
        if (field->required && !(seen & (uint64_t) 1 << (field - fields))) {
            fwd_report(y->report, y->file, line, "%s%s%s is missing", path,
                       *path ? "." : "", field->name);
        }
    }
}


static const fwd_field_t *
fwd_yaml_field(const fwd_field_t *fields, const char *name)
{
    const fwd_field_t  *field;

    for (field = fields; field->name != NULL; field++) {
        if (strcmp(field->name, name) == 0) {
            return field;
        }
    }

    return NULL;
}


static void
fwd_yaml_set(fwd_yaml_t *y, yaml_node_t *node, const char *path,
    const fwd_field_t *field, void *base)
{
    void        *member;
    uint64_t     value, min, max;
    const char  *text;

    member = (char *) base + field->offset;

    if (field->kind == FWD_FIELD_NODE) {
        *(yaml_node_t **) member = node;
        return;
    }

    text = fwd_yaml_text(y, node, path);
    if (text == NULL) {
        return;
    }

    if (field->kind == FWD_FIELD_WORD) {
        fwd_yaml_set_word(y, node, path, field, text, member);
        return;
    }

    if (field->kind == FWD_FIELD_STRING) {
        value = strlen(text);

    } else if (fwd_yaml_number(field->kind, &value, text) != FWD_OK) {
        fwd_report(y->report, y->file, fwd_yaml_line(node),
                   "\"%s\" is \"%s\", allowed is %s", path, text,
                   fwd_yaml_kinds[field->kind]);
        return;
    }

    min = 0;
    max = UINT64_MAX;

    if (field->min != NULL) {
        (void) fwd_yaml_number(field->kind, &min, field->min);
        (void) fwd_yaml_number(field->kind, &max, field->max);
    }

    if (value < min || value > max) {
        fwd_report(y->report, y->file, fwd_yaml_line(node),
                   "\"%s\" is \"%s\", allowed is %s to %s%s", path, text,
                   field->min, field->max,
                   field->kind == FWD_FIELD_STRING ? " characters" : "");
        return;
    }

    if (field->kind == FWD_FIELD_STRING) {
        *(const char **) member = text;

    } else {
        *(uint64_t *) member = value;
    }
}


static void
fwd_yaml_set_word(fwd_yaml_t *y, yaml_node_t *node, const char *path,
    const fwd_field_t *field, const char *text, uint64_t *out)
{
    uint64_t  i;

    for (i = 0; field->words[i] != NULL; i++) {
        if (strcmp(field->words[i], text) == 0) {
            *out = i;
            return;
        }
    }

    fwd_report(y->report, y->file, fwd_yaml_line(node),
               "\"%s\" is \"%s\", allowed are %s", path, text,
               fwd_yaml_words(y, field->words));
}


static fwd_rc_t
fwd_yaml_number(fwd_field_kind_t kind, uint64_t *value, const char *text)
{
    switch (kind) {

    case FWD_FIELD_TIME:
        return fwd_units_time(value, text);

    case FWD_FIELD_SIZE:
        return fwd_units_size(value, text);

    case FWD_FIELD_BOOL:

        for (*value = 0; fwd_yaml_bools[*value] != NULL; (*value)++) {
            if (strcmp(fwd_yaml_bools[*value], text) == 0) {
                return FWD_OK;
            }
        }

        return FWD_ERROR;

    default:
        return fwd_units_number(value, text);
    }
}


static const char *
fwd_yaml_words(fwd_yaml_t *y, const char *const *words)
{
    fwd_buf_t    list;
    const char  *text;

    fwd_buf_init(&list, FWD_YAML_LIST_MAX);

    for ( /* void */ ; *words != NULL; words++) {
        fwd_buf_add_string(&list, list.len ? ", \"" : "\"");
        fwd_buf_add_string(&list, *words);
        fwd_buf_add_char(&list, '"');
    }

    text = fwd_pool_string(y->pool, list.data, list.len);
    fwd_buf_free(&list);

    return text;
}


static const char *
fwd_yaml_names(fwd_yaml_t *y, const fwd_field_t *fields)
{
    size_t       i;
    const char  *words[64 + 1];

    for (i = 0; i < 64 && fields[i].name != NULL; i++) {
        words[i] = fields[i].name;
    }

    words[i] = NULL;

    return fwd_yaml_words(y, words);
}
