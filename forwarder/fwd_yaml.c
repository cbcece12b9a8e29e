
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * YAML by tables, over the document interface of libyaml.
 *
 * Aliases are the same node seen twice; as the tables, not the document,
 * decide how deep we look, they can neither loop nor multiply.
 */


#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_yaml.h"


static const char *fwd_report_text(fwd_report_t *report, const char *file,
    size_t line, const char *mark, const char *fmt, va_list args);
static fwd_rc_t fwd_yaml_parse(fwd_yaml_t *y, FILE *f);
static yaml_node_t *fwd_yaml_member(fwd_yaml_t *y, yaml_node_t *map,
    const char *name, size_t len, size_t *line);


void
fwd_report(fwd_report_t *report, const char *file, size_t line,
    const char *fmt, ...)
{
    va_list  args;

    if (report->count++ >= FWD_REPORT_MAX) {
        return;
    }

    va_start(args, fmt);
    report->texts[report->count - 1] = fwd_report_text(report, file, line, "",
                                                       fmt, args);
    va_end(args);
}


void
fwd_report_warning(fwd_report_t *report, const char *file, size_t line,
    const char *fmt, ...)
{
    va_list  args;

    if (report->warnings_count++ >= FWD_REPORT_MAX) {
        return;
    }

    va_start(args, fmt);
    report->warnings[report->warnings_count - 1] =
              fwd_report_text(report, file, line, "warning: ", fmt, args);
    va_end(args);
}


static const char *
fwd_report_text(fwd_report_t *report, const char *file, size_t line,
    const char *mark, const char *fmt, va_list args)
{
    char  text[2048];

    (void) vsnprintf(text, sizeof(text), fmt, args);

    return line ? fwd_pool_printf(report->pool, "%s:%zu: %s%s", file, line,
                                  mark, text)
                : fwd_pool_printf(report->pool, "%s: %s%s", file, mark, text);
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
    y->secrets = NULL;

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
        fwd_report(report, file, 1, "is empty, needed are \"key: value\" "
                   "lines");

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


fwd_rc_t
fwd_yaml_open_text(fwd_yaml_t *y, const char *name, const char *text,
    size_t len, fwd_report_t *report, fwd_pool_t *pool)
{
    FILE      *f;
    fwd_rc_t   rc;

    y->file = name;
    y->report = report;
    y->pool = pool;

    f = fmemopen((void *) (uintptr_t) text, len, "r");

    if (f == NULL) {
        fwd_report(report, name, 0, "cannot be read: %s", strerror(errno));
        return FWD_ERROR;
    }

    rc = fwd_yaml_parse(y, f);
    (void) fclose(f);

    if (rc != FWD_OK) {
        return rc;
    }

    if (fwd_yaml_root(y) != NULL
        && fwd_yaml_is_map(y, fwd_yaml_root(y), name))
    {
        return FWD_OK;
    }

    fwd_yaml_close(y);

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
               "%s is not a section, allowed are \"key: value\" lines", path);

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
        y->key_line = fwd_yaml_line(name);

        return FWD_OK;
    }
}


yaml_node_t *
fwd_yaml_item(fwd_yaml_t *y, yaml_node_t *list, size_t n)
{
    yaml_node_item_t  *item;

    if (list->type != YAML_SEQUENCE_NODE) {
        return NULL;
    }

    item = list->data.sequence.items.start;

    if (n >= (size_t) (list->data.sequence.items.top - item)) {
        return NULL;
    }

    return yaml_document_get_node(&y->doc, item[n]);
}


yaml_node_t *
fwd_yaml_find(fwd_yaml_t *y, const char *path, size_t *line)
{
    char         *end;
    size_t        len;
    const char   *p;
    yaml_node_t  *node;

    node = fwd_yaml_root(y);
    *line = 1;

    for (p = path; *p != '\0' && node != NULL; p += (*p == '.')) {

        if (*p == '[') {
            node = fwd_yaml_item(y, node, strtoul(p + 1, &end, 10));
            *line = (node != NULL) ? fwd_yaml_line(node) : *line;
            p = end + 1;
            continue;
        }

        len = strcspn(p, ".[");
        node = fwd_yaml_member(y, node, p, len, line);
        p += len;
    }

    return node;
}


static yaml_node_t *
fwd_yaml_member(fwd_yaml_t *y, yaml_node_t *map, const char *name, size_t len,
    size_t *line)
{
    yaml_node_t       *key;
    yaml_node_pair_t  *pair;

    if (map->type != YAML_MAPPING_NODE) {
        return NULL;
    }

    for (pair = map->data.mapping.pairs.start;
         pair < map->data.mapping.pairs.top;
         pair++)
    {
        key = yaml_document_get_node(&y->doc, pair->key);

        if (key->type == YAML_SCALAR_NODE && key->data.scalar.length == len
            && memcmp(key->data.scalar.value, name, len) == 0)
        {
            *line = fwd_yaml_line(key);
            return yaml_document_get_node(&y->doc, pair->value);
        }
    }

    return NULL;
}


size_t
fwd_yaml_at(fwd_yaml_t *y, const char *path)
{
    size_t  line;

    (void) fwd_yaml_find(y, path, &line);

    return line;
}


int
fwd_yaml_has(fwd_yaml_t *y, const char *path)
{
    size_t  line;

    return fwd_yaml_find(y, path, &line) != NULL;
}
