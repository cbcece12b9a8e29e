
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * YAML as JSON: the same values in the same order, with the lines they had.
 */


#ifndef _FWD_YAML_JSON_H_INCLUDED_
#define _FWD_YAML_JSON_H_INCLUDED_


#include "fwd_buf.h"
#include "fwd_yaml.h"


#define FWD_YAML_JSON_MAX    (1024 * 1024)   /* bytes of a text */
#define FWD_YAML_JSON_DEPTH  32
#define FWD_YAML_JSON_NODES  20000


/* Lines of the values of a text, in the order in which they begin. */
typedef struct {
    uint32_t             *list;          /* FWD_YAML_JSON_NODES, the caller's */
    uint32_t              count;
} fwd_yaml_lines_t;


/*
 * Appends the JSON text of a node.  A plain scalar that is null, true, false
 * or a JSON number is that; all others are texts.  lines may be NULL.
 * FWD_ERROR after a report: it is too deep or too large, as by an alias that
 * holds itself, or a key is no text.
 */
fwd_rc_t fwd_yaml_json(fwd_yaml_t *y, yaml_node_t *node, fwd_buf_t *out,
    fwd_yaml_lines_t *lines) FWD_MUST_CHECK;

/* The same as a text in the pool; NULL after a report, or without a node. */
const char *fwd_yaml_json_text(fwd_yaml_t *y, yaml_node_t *node);

/* Appends a text as a JSON string, with quotes; bytes that are not UTF-8
   stay. */
void fwd_json_add(fwd_buf_t *out, const void *data, size_t len);

/* Without the quotes. */
void fwd_json_escape(fwd_buf_t *out, const void *data, size_t len);


#endif /* _FWD_YAML_JSON_H_INCLUDED_ */
