
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reads YAML files by tables: each section is a table of its keys with kind,
 * default and bounds, and everything wrong is reported with file and line.
 * All errors of a file are found, not only the first.
 *
 * The line of an error is that of the value, or, where the value is a section
 * or a list, that of its key.
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
    const char           *warnings[FWD_REPORT_MAX];
    size_t                warnings_count;  /* likewise */
} fwd_report_t;


/* Adds "file:line: text"; line 0 is left out. */
void fwd_report(fwd_report_t *report, const char *file, size_t line,
    const char *fmt, ...) FWD_PRINTF(4, 5);

/* Likewise "file:line: warning: text": allowed, but hardly meant so. */
void fwd_report_warning(fwd_report_t *report, const char *file, size_t line,
    const char *fmt, ...) FWD_PRINTF(4, 5);


/* A list of texts. */
typedef struct {
    const char          **list;
    size_t                count;
} fwd_words_t;


typedef struct {
    const char           *file;
    fwd_pool_t           *pool;
    fwd_report_t         *report;
    size_t                key_line;      /* of the key that next() gave */
    struct fwd_secrets_s  *secrets;      /* what secrets come from; NULL: they
                                            are not watched */
    yaml_document_t       doc;
} fwd_yaml_t;


typedef enum {
    FWD_FIELD_STRING = 0,         /* char *; bounds are its length */
    FWD_FIELD_LIST,               /* fwd_words_t; bounds are its count */
    FWD_FIELD_NUMBER,             /* uint64_t */
    FWD_FIELD_TIME,               /* uint64_t, ms */
    FWD_FIELD_SIZE,               /* uint64_t, bytes */
    FWD_FIELD_PERCENT,            /* uint64_t, hundredths of a percent */
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
    const char *const    *words;         /* FWD_FIELD_LIST: of its items;
                                            a number: allowed beside it */
    int                 (*valid)(const char *text);  /* a text or an item;
                                                        NULL: any */
    const char           *allowed;       /* for people, what valid takes */
    unsigned              required:1;
    unsigned              zero:1;        /* 0 is allowed below min */
} fwd_field_t;


/*
 * Opens a file that holds one document with a mapping.  FWD_ERROR when it
 * cannot be read at all; the report says why, and close() is not needed.
 */
fwd_rc_t fwd_yaml_open(fwd_yaml_t *y, const char *file, fwd_report_t *report,
    fwd_pool_t *pool) FWD_MUST_CHECK;
void fwd_yaml_close(fwd_yaml_t *y);

/* The same of a text; name stands for the file in reports. */
fwd_rc_t fwd_yaml_open_text(fwd_yaml_t *y, const char *name,
    const char *text, size_t len, fwd_report_t *report, fwd_pool_t *pool)
    FWD_MUST_CHECK;

yaml_node_t *fwd_yaml_root(fwd_yaml_t *y);

/* Sets the defaults of a table. */
void fwd_yaml_defaults(const fwd_field_t *fields, void *base,
    fwd_pool_t *pool);

/*
 * Reads a mapping by a table into a struct.  Members without a key keep what
 * they hold, so defaults, or values read before, are set first.  node may be
 * NULL: an absent section.  path is that of the section in the document, as
 * for fwd_yaml_find() ("" = the file).
 */
void fwd_yaml_section(fwd_yaml_t *y, yaml_node_t *node, const char *path,
    const fwd_field_t *fields, void *base);

/* Reads one value by its row; base is where field->offset counts from. */
void fwd_yaml_value(fwd_yaml_t *y, yaml_node_t *node, const char *path,
    const fwd_field_t *field, void *base);

/*
 * Walks a mapping: *i starts at 0.  FWD_NONE at the end.  A key that is no
 * plain text, or stands twice, is reported and passed over.  The line of the
 * key is in y->key_line.
 */
fwd_rc_t fwd_yaml_next(fwd_yaml_t *y, yaml_node_t *map, size_t *i,
    const char **key, yaml_node_t **value);

/* 1 if the node is a mapping; otherwise it is reported. */
int fwd_yaml_is_map(fwd_yaml_t *y, yaml_node_t *node, const char *path);

/* The text of a scalar, in the pool; NULL and a report if it is none. */
const char *fwd_yaml_text(fwd_yaml_t *y, yaml_node_t *node,
    const char *path);

/* The n-th item of a list; NULL behind the end. */
yaml_node_t *fwd_yaml_item(fwd_yaml_t *y, yaml_node_t *list, size_t n);

/*
 * What stands at a path such as "redis.tls.ca" or "rate[0].count"; NULL if
 * there is nothing.  *line is that of the last key or item on the way.
 */
yaml_node_t *fwd_yaml_find(fwd_yaml_t *y, const char *path, size_t *line);

/* The same, only the line, or only whether there is something. */
size_t fwd_yaml_at(fwd_yaml_t *y, const char *path);
int fwd_yaml_has(fwd_yaml_t *y, const char *path);

size_t fwd_yaml_line(const yaml_node_t *node);

/*
 * A list for a message, "a", "b", "c", and behind it, if one of the words is
 * almost the given one (NULL: do not look), which.
 */
const char *fwd_yaml_words(fwd_pool_t *pool, const char *const *words,
    const char *almost);


#endif /* _FWD_YAML_H_INCLUDED_ */
