
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the files of the schema compiler share; private to them.
 *
 * A document is first searched for what has a name ("$id", "$anchor"), then
 * its schemas are compiled from a queue, so that nothing recurses but the
 * search; references are resolved when the queue is empty, which may put the
 * schemas they go to into it.
 *
 * Functions return 0, or -1 with the error told.
 */


#ifndef _MARTECH_SCHEMA_COMPILE_H_INCLUDED_
#define _MARTECH_SCHEMA_COMPILE_H_INCLUDED_


#include "martech_schema_core.h"


/* What a keyword's value has to be. */
typedef enum {
    MARTECH_SCHEMA_FORM_ANY = 0,
    MARTECH_SCHEMA_FORM_STRING,
    MARTECH_SCHEMA_FORM_BOOLEAN,
    MARTECH_SCHEMA_FORM_NUMBER,
    MARTECH_SCHEMA_FORM_COUNT,           /* an integer, 0 or more */
    MARTECH_SCHEMA_FORM_STRINGS,         /* an array of different strings */
    MARTECH_SCHEMA_FORM_ARRAY,
    MARTECH_SCHEMA_FORM_OBJECT,
    MARTECH_SCHEMA_FORM_TYPE,
    MARTECH_SCHEMA_FORM_SCHEMA,
    MARTECH_SCHEMA_FORM_SCHEMAS,         /* an array of at least one */
    MARTECH_SCHEMA_FORM_MAP,             /* an object of schemas */
    MARTECH_SCHEMA_FORM_ITEMS,           /* of 07: a schema or an array */
    MARTECH_SCHEMA_FORM_REQUIRED_MAP,    /* an object of STRINGS */
    MARTECH_SCHEMA_FORM_DEPENDENCIES     /* an object of both */
} martech_schema_form_t;


typedef struct martech_schema_keyword_s  martech_schema_keyword_t;
typedef struct martech_schema_compiler_s  martech_schema_compiler_t;


/* One keyword at work. */
typedef struct {
    const martech_schema_keyword_t  *keyword;
    martech_schema_sub_t            *sub;
    uint32_t                         node;   /* of its value */
    martech_str_t                    where;
} martech_schema_use_t;


typedef int (*martech_schema_apply_pt)(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);

struct martech_schema_keyword_s {
    const char               *name;
    unsigned                  drafts;
    martech_schema_form_t     form;
    martech_schema_apply_pt   apply;     /* NULL: an annotation */
    size_t                    offset;    /* of what apply sets */
};


/* A name that a reference may use. */
typedef struct martech_schema_anchor_s  martech_schema_anchor_t;

struct martech_schema_anchor_s {
    martech_schema_anchor_t    *next;
    martech_schema_resource_t  *resource;
    martech_str_t               name;
    uint32_t                    node;
    int                         dynamic; /* number of the name, or -1 */
};

/* A reference to be resolved. */
typedef struct martech_schema_ref_s  martech_schema_ref_t;

struct martech_schema_ref_s {
    martech_schema_ref_t       *next;
    martech_schema_sub_t       *sub;
    martech_str_t               text;
    martech_str_t               where;
    int                         dynamic;
};

struct martech_schema_compiler_s {
    martech_schema_t           *schema;
    martech_schema_arena_t     *arena;   /* of the schema */
    martech_schema_error_t     *error;
    martech_schema_draft_t      draft;   /* of the options */
    unsigned                    formats;
    martech_schema_resource_t  *resources;
    martech_schema_anchor_t    *anchors;
    martech_schema_ref_t       *refs;
    martech_schema_sub_t       *queue;
    martech_schema_sub_t      **queue_end;
    martech_schema_sub_t       *done;
    uint32_t                    nsubs;
    uint32_t                    nnames;  /* of resources and anchors */
    int                         ndynamic;
    unsigned char               uri[MARTECH_SCHEMA_URI_MAX];  /* at work */
};


/* ---- martech_schema_compile.c ---- */

/* Tells an error; returns -1. */
int martech_schema_fail(martech_schema_compiler_t *c, martech_str_t where,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
int martech_schema_nomem(martech_schema_compiler_t *c);

/* A document of its own from a node of another tape; NULL: error told. */
martech_schema_doc_t *martech_schema_doc(martech_schema_compiler_t *c,
    const martech_json_tape_t *tape, uint32_t node, martech_str_t uri);

/* The schema at a node, which is compiled later; NULL: error told. */
martech_schema_sub_t *martech_schema_sub(martech_schema_compiler_t *c,
    martech_schema_doc_t *doc, uint32_t node, martech_str_t where,
    const char *rule);

/* Compiles all that waits in the queue. */
int martech_schema_drain(martech_schema_compiler_t *c);


/* ---- martech_schema_index.c ---- */

/* Finds resources and anchors of a document; its root is at a URI. */
int martech_schema_index(martech_schema_compiler_t *c,
    martech_schema_doc_t *doc);

/* A number as part of a pointer; its length. */
size_t martech_schema_index_text(uint32_t n, char out[16]);

/* The pointer of a node of a document; .data is NULL without memory. */
martech_str_t martech_schema_pointer(martech_schema_compiler_t *c,
    const martech_schema_doc_t *doc, uint32_t node);

/* The resource that a node belongs to. */
martech_schema_resource_t *martech_schema_resource(
    const martech_schema_doc_t *doc, uint32_t node);


/* ---- martech_schema_ref.c ---- */

/* Resolves references until none is left, then sets up the dynamic ones. */
int martech_schema_link(martech_schema_compiler_t *c);

/* Refuses schemas that apply themselves to the same value again. */
int martech_schema_cycles(martech_schema_compiler_t *c);


/* ---- martech_schema_keyword.c ---- */

const martech_schema_keyword_t *martech_schema_keyword(martech_str_t name,
    martech_schema_draft_t draft);

/* 0 if a keyword's value is what it has to be. */
int martech_schema_form(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);


/* ---- handlers: martech_schema_assert.c, martech_schema_apply.c ---- */

int martech_schema_set_type(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_value(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_bound(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_multiple(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_string_count(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_array_count(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_object_count(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_pattern(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_format(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_unique(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);

int martech_schema_set_ref(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_logic(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_list(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_left(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_items(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_prefix(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_contains(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_definitions(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_properties(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_patterns(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_member(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_required(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);
int martech_schema_set_dependencies(martech_schema_compiler_t *c,
    const martech_schema_use_t *use);

/* The part for objects of a schema, with a table for all of its names;
   NULL: error told. */
martech_schema_object_t *martech_schema_object(martech_schema_compiler_t *c,
    martech_schema_sub_t *sub);

/* A pattern of the schema, kept for martech_schema_free(); NULL: error. */
martech_regex_t *martech_schema_regex(martech_schema_compiler_t *c,
    martech_str_t text, martech_str_t where);


#endif /* _MARTECH_SCHEMA_COMPILE_H_INCLUDED_ */
