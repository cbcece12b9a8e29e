
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reads YAML files by tables: each section is a table of its keys with kind,
 * default and bounds, and everything wrong is reported with file and line.
 * All errors of a file are found, not only the first.
 */


#ifndef _FWD_YAML_H_INCLUDED_
#define _FWD_YAML_H_INCLUDED_


#include <yaml.h>

#include "fwd.h"
#include "fwd_pool.h"


#define FWD_REPORT_MAX  100              /* errors kept */


/* What is wrong with a configuration; texts live in the pool. */
typedef struct {
    fwd_pool_t           *pool;
    const char           *texts[FWD_REPORT_MAX];
    size_t                count;         /* may be above FWD_REPORT_MAX */
} fwd_report_t;


/* Adds "file:line: text"; line 0 is left out. */
void fwd_report(fwd_report_t *report, const char *file, size_t line,
    const char *fmt, ...) FWD_PRINTF(4, 5);


typedef struct {
    const char           *file;
    fwd_pool_t           *pool;
    fwd_report_t         *report;
    yaml_document_t       doc;
} fwd_yaml_t;


typedef enum {
    FWD_FIELD_STRING = 0,         /* char *; bounds are its length */
    FWD_FIELD_NUMBER,             /* uint64_t */
    FWD_FIELD_TIME,               /* uint64_t, ms */
    FWD_FIELD_SIZE,               /* uint64_t, bytes */
    FWD_FIELD_BOOL,               /* uint64_t, 0 or 1 */
    FWD_FIELD_WORD,               /* uint64_t, index into words */
    FWD_FIELD_NODE                /* yaml_node_t *; the caller reads it */
} fwd_field_kind_t;


typedef struct {
    const char           *name;          /* NULL ends a table */
    fwd_field_kind_t      kind;
    size_t                offset;        /* of the member in the struct */
    const char           *dflt;          /* as in the file; NULL: none */
    const char           *min;           /* as in the file; NULL: none */
    const char           *max;
    const char *const    *words;
    unsigned              required:1;
} fwd_field_t;


/*
 * Opens a file that holds one document with a mapping.  FWD_ERROR when it
 * cannot be read at all; the report says why, and close() is not needed.
 */
fwd_rc_t fwd_yaml_open(fwd_yaml_t *y, const char *file, fwd_report_t *report,
    fwd_pool_t *pool) FWD_MUST_CHECK;
void fwd_yaml_close(fwd_yaml_t *y);

yaml_node_t *fwd_yaml_root(fwd_yaml_t *y);

/* Sets the defaults of a table. */
void fwd_yaml_defaults(const fwd_field_t *fields, void *base,
    fwd_pool_t *pool);

/*
 * Reads a mapping by a table into a struct.  Members without a key keep what
 * they hold, so defaults, or values read before, are set first.  node may be
 * NULL: an absent section.  path names the section in messages ("" = the
 * file), line is where it should have stood.
 */
void fwd_yaml_section(fwd_yaml_t *y, yaml_node_t *node, size_t line,
    const char *path, const fwd_field_t *fields, void *base);

/*
 * Walks a mapping: *i starts at 0.  FWD_NONE at the end.  A key that is no
 * plain text, or stands twice, is reported and passed over.
 */
fwd_rc_t fwd_yaml_next(fwd_yaml_t *y, yaml_node_t *map, size_t *i,
    const char **key, yaml_node_t **value);

/* 1 if the node is a mapping; otherwise it is reported. */
int fwd_yaml_is_map(fwd_yaml_t *y, yaml_node_t *node, const char *path);

/* The text of a scalar, in the pool; NULL and a report if it is none. */
const char *fwd_yaml_text(fwd_yaml_t *y, yaml_node_t *node,
    const char *path);

size_t fwd_yaml_line(const yaml_node_t *node);


#endif /* _FWD_YAML_H_INCLUDED_ */
