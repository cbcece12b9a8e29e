
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * YAML to JSON.
 *
 * Aliases are written as often as they stand there, so depth and number of
 * values are bounded.
 */


#include <stdio.h>
#include <string.h>

#include "fwd_yaml_json.h"


typedef struct {
    fwd_yaml_t           *y;
    fwd_buf_t            *out;
    fwd_yaml_lines_t     *lines;
    uint32_t              count;
} fwd_yaml_json_t;


static fwd_rc_t fwd_yaml_json_node(fwd_yaml_json_t *j, yaml_node_t *node,
    uint32_t line, unsigned depth);
static fwd_rc_t fwd_yaml_json_list(fwd_yaml_json_t *j, yaml_node_t *node,
    unsigned depth);
static fwd_rc_t fwd_yaml_json_map(fwd_yaml_json_t *j, yaml_node_t *node,
    unsigned depth);
static void fwd_yaml_json_scalar(fwd_yaml_json_t *j, const yaml_node_t *node);
static int fwd_yaml_json_typed(const char *text, size_t len);
static int fwd_yaml_json_number(const char *p);


fwd_rc_t
fwd_yaml_json(fwd_yaml_t *y, yaml_node_t *node, fwd_buf_t *out,
    fwd_yaml_lines_t *lines)
{
    fwd_rc_t         rc;
    fwd_yaml_json_t  j;

    j.y = y;
    j.out = out;
    j.lines = lines;
    j.count = 0;

    rc = fwd_yaml_json_node(&j, node, (uint32_t) fwd_yaml_line(node), 0);

    if (rc == FWD_OK && out->failed) {
        fwd_report(y->report, y->file, fwd_yaml_line(node),
                   "is larger than %d bytes", FWD_YAML_JSON_MAX);
        return FWD_ERROR;
    }

    return rc;
}


const char *
fwd_yaml_json_text(fwd_yaml_t *y, yaml_node_t *node)
{
    fwd_buf_t    out;
    const char  *text;

    if (node == NULL) {
        return NULL;
    }

    text = NULL;
    fwd_buf_init(&out, FWD_YAML_JSON_MAX);

    if (fwd_yaml_json(y, node, &out, NULL) == FWD_OK) {
        text = fwd_pool_string(y->pool, out.data, out.len);
    }

    fwd_buf_free(&out);

    return text;
}


static fwd_rc_t
fwd_yaml_json_node(fwd_yaml_json_t *j, yaml_node_t *node, uint32_t line,
    unsigned depth)
{
    if (depth > FWD_YAML_JSON_DEPTH || j->count == FWD_YAML_JSON_NODES) {
        fwd_report(j->y->report, j->y->file, fwd_yaml_line(node),
                   "has more than %d levels or %d values",
                   FWD_YAML_JSON_DEPTH, FWD_YAML_JSON_NODES);
        return FWD_ERROR;
    }

    if (j->lines != NULL) {
        j->lines->list[j->count] = line;
        j->lines->count = j->count + 1;
    }

    j->count++;

    switch (node->type) {

    case YAML_SEQUENCE_NODE:
        return fwd_yaml_json_list(j, node, depth + 1);

    case YAML_MAPPING_NODE:
        return fwd_yaml_json_map(j, node, depth + 1);

    default:
        fwd_yaml_json_scalar(j, node);
        return FWD_OK;
    }
}


static fwd_rc_t
fwd_yaml_json_list(fwd_yaml_json_t *j, yaml_node_t *node, unsigned depth)
{
    size_t        i;
    yaml_node_t  *item;

    fwd_buf_add_char(j->out, '[');

    for (i = 0; ; i++) {
        item = fwd_yaml_item(j->y, node, i);

        if (item == NULL) {
            break;
        }

        if (i != 0) {
            fwd_buf_add_char(j->out, ',');
        }

        if (fwd_yaml_json_node(j, item, (uint32_t) fwd_yaml_line(item), depth)
            != FWD_OK)
        {
            return FWD_ERROR;
        }
    }

    fwd_buf_add_char(j->out, ']');

    return FWD_OK;
}


static fwd_rc_t
fwd_yaml_json_map(fwd_yaml_json_t *j, yaml_node_t *node, unsigned depth)
{
    int           some;
    size_t        i, errors;
    const char   *key;
    yaml_node_t  *value;

    some = 0;
    i = 0;
    errors = j->y->report->count;

    fwd_buf_add_char(j->out, '{');

    while (fwd_yaml_next(j->y, node, &i, &key, &value) == FWD_OK) {

        if (some) {
            fwd_buf_add_char(j->out, ',');
        }

        some = 1;

        fwd_json_add(j->out, key, strlen(key));
        fwd_buf_add_char(j->out, ':');

        if (fwd_yaml_json_node(j, value, (uint32_t) j->y->key_line, depth)
            != FWD_OK)
        {
            return FWD_ERROR;
        }
    }

    fwd_buf_add_char(j->out, '}');

    return j->y->report->count == errors ? FWD_OK : FWD_ERROR;
}


static void
fwd_yaml_json_scalar(fwd_yaml_json_t *j, const yaml_node_t *node)
{
    size_t       len;
    const char  *text;

    text = (const char *) node->data.scalar.value;
    len = node->data.scalar.length;

    if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {

        if (len == 0 || strcmp(text, "~") == 0) {
            fwd_buf_add_string(j->out, "null");
            return;
        }

        if (fwd_yaml_json_typed(text, len)) {
            fwd_buf_add(j->out, text, len);
            return;
        }
    }

    fwd_json_add(j->out, text, len);
}


static int
fwd_yaml_json_typed(const char *text, size_t len)
{
    return strlen(text) == len
           && (strcmp(text, "null") == 0 || strcmp(text, "true") == 0
               || strcmp(text, "false") == 0 || fwd_yaml_json_number(text));
}


/* RFC 8259: a number with a leading zero is a text, such as a code. */

static int
fwd_yaml_json_number(const char *p)
{
    size_t  n;

    p += (*p == '-');
    n = strspn(p, "0123456789");

    if (n == 0 || (n > 1 && *p == '0')) {
        return 0;
    }

    p += n;

    if (*p == '.') {
        n = strspn(p + 1, "0123456789");

        if (n == 0) {
            return 0;
        }

        p += n + 1;
    }

    if (*p == 'e' || *p == 'E') {
        p++;
        p += (*p == '+' || *p == '-');
        n = strspn(p, "0123456789");

        if (n == 0) {
            return 0;
        }

        p += n;
    }

    return *p == '\0';
}


void
fwd_json_add(fwd_buf_t *out, const void *data, size_t len)
{
    fwd_buf_add_char(out, '"');
    fwd_json_escape(out, data, len);
    fwd_buf_add_char(out, '"');
}


void
fwd_json_escape(fwd_buf_t *out, const void *data, size_t len)
{
    int                   n;
    char                  text[8];
    const unsigned char  *p, *from, *end;

    p = data;
    end = p + len;

    for (from = p; p < end; p++) {

        if (*p >= ' ' && *p != '"' && *p != '\\' && *p != 0x7f) {
            continue;
        }

        fwd_buf_add(out, from, (size_t) (p - from));
        from = p + 1;

        if (*p == '"' || *p == '\\') {
            fwd_buf_add_char(out, '\\');
            fwd_buf_add_char(out, *p);

        } else if (*p == '\n') {
            fwd_buf_add(out, "\\n", 2);

        } else {
            n = snprintf(text, sizeof(text), "\\u%04x", (unsigned) *p);
            fwd_buf_add(out, text, (size_t) n);
        }
    }

    fwd_buf_add(out, from, (size_t) (p - from));
}
