
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * JSON Schema, drafts 2020-12 and 07: compiled once, evaluated over a tape
 * without allocation.
 */


#ifndef _MARTECH_SCHEMA_H_INCLUDED_
#define _MARTECH_SCHEMA_H_INCLUDED_


#include "martech.h"
#include "martech_json.h"


typedef enum {
    MARTECH_SCHEMA_2020_12 = 0,
    MARTECH_SCHEMA_07
} martech_schema_draft_t;


typedef struct martech_schema_s  martech_schema_t;


typedef struct {
    martech_schema_draft_t  draft;       /* of a schema without "$schema" */
    unsigned                formats:1;   /* "format" is an assertion */
} martech_schema_options_t;


/* Where a schema is wrong, and why: for the person who wrote it. */
typedef struct {
    char  pointer[512];                  /* in the schema, RFC 6901 */
    char  reason[256];                   /* a sentence, with what is allowed */
} martech_schema_error_t;


/*
 * One thing that is wrong with a value.  A member that may not be there is
 * the node itself; of one that is missing the node is the object.  A schema
 * "false" is told by the keyword that applies it ("properties", "items"), or
 * by "false" if that is the root or a reference.
 */
typedef struct {
    uint32_t       node;                 /* of the instance's tape */
    const char    *rule;                 /* the keyword: "type", "required" */
    martech_str_t  name;                 /* of a member that is missing or not
                                            allowed, un-escaped, else empty;
                                            into the schema or the text (then
                                            escaped as it stands there) */
    martech_str_t  where;                /* pointer of the rule in the schema,
                                            into the schema */
} martech_schema_violation_t;


/* What an evaluation works with; the caller's, used again for each value. */
typedef struct {
    martech_schema_violation_t  *list;   /* the first of them, in order */
    unsigned                     max;    /* 0: stop at the first, note none */
    unsigned                     count;  /* noted */
    unsigned                     more:1; /* there are others */
    uint64_t                     steps;  /* may be spent; set before each */
    unsigned char               *scratch;
    size_t                       scratch_size;
    size_t                      scratch_used;     /* private */

    /* for a schema with numbers, see martech_schema_number_name() */
    uint64_t                    *sent;   /* bits of the members that are there,
                                            and of those that are not null; */
    uint64_t                    *filled; /* the caller clears them */
    uint32_t                     told;   /* members with a number, 0 if not all
                                            were looked at */
} martech_schema_run_t;


#define MARTECH_SCHEMA_STEPS    100000   /* a usual budget: a step is a keyword
                                            applied to a value */
#define MARTECH_SCHEMA_SCRATCH  65536    /* bytes that are usually enough */


typedef enum {
    MARTECH_SCHEMA_VALID = 0,
    MARTECH_SCHEMA_INVALID,
    MARTECH_SCHEMA_LIMIT                 /* steps, scratch or a pattern's limit
                                            are used up: not known */
} martech_schema_verdict_t;


/*
 * Compiles the schema at a node.  At most 65536 schemas and 128 MiB; keywords
 * of no draft are ignored, as is an unknown "format".  The tape and its text
 * may go afterwards.  NULL without memory or if the schema is wrong; error
 * says where.  References go within the document, and to the meta-schemas of
 * both drafts.  The caller frees it.
 */
martech_schema_t *martech_schema_compile(const martech_json_tape_t *tape,
    uint32_t node, const martech_schema_options_t *options,
    martech_schema_error_t *error) MARTECH_MUST_CHECK;
void martech_schema_free(martech_schema_t *schema);

/*
 * Has each evaluation report the member with this name, if the schema's root
 * itself has it in "properties" or must know it otherwise, in the bit with
 * this number.  Names beside the root's own are not reported, nor ones with
 * escapes: if run->told is less than the value's members, the caller has to
 * look himself.  Not while the schema is in use.
 */
void martech_schema_number_name(martech_schema_t *schema, martech_str_t name,
    unsigned number);

/*
 * Evaluates a value.  Violations are noted in the order of the value, those
 * of one node in the order in which they were found; inside "anyOf", "oneOf",
 * "not", "if" and "contains" none is.  The recursion ends at 2048 schemas
 * within each other, which is MARTECH_SCHEMA_LIMIT, too.
 */
martech_schema_verdict_t martech_schema_check(const martech_schema_t *schema,
    const martech_json_tape_t *tape, uint32_t node,
    martech_schema_run_t *run) MARTECH_MUST_CHECK;

/*
 * The members that the schema's root names in "properties", in its order,
 * those of schemas that it refers to or combines with ("$ref", "allOf",
 * "anyOf", "oneOf", "if") behind them, each once.  _name is that of one of
 * them.  _property is the place of the name of a member of an instance;
 * MARTECH_SCHEMA_MATCHED if only "patternProperties" or "additionalProperties"
 * with a schema of its own (an object) know it, and MARTECH_SCHEMA_UNKNOWN if
 * nothing does.
 */
#define MARTECH_SCHEMA_MATCHED  -2
#define MARTECH_SCHEMA_UNKNOWN  -1

unsigned martech_schema_properties(const martech_schema_t *schema);
martech_str_t martech_schema_name(const martech_schema_t *schema,
    unsigned property);
int martech_schema_property(const martech_schema_t *schema,
    const martech_json_tape_t *tape, uint32_t member);


#endif /* _MARTECH_SCHEMA_H_INCLUDED_ */
