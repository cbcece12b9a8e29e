
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the files of the schema compiler and evaluator share; private to
 * martech_schema*.c.
 *
 * A compiled schema keeps a copy of its documents (text and tape), and for
 * each schema in them a martech_schema_sub_t: what is asked of a value, by
 * the kind of the value.  All of it lives in one arena and is never changed
 * after compilation, so that any number of evaluations may share it.
 */


#ifndef _MARTECH_SCHEMA_CORE_H_INCLUDED_
#define _MARTECH_SCHEMA_CORE_H_INCLUDED_


#include "martech.h"
#include "martech_format.h"
#include "martech_json.h"
#include "martech_regex.h"
#include "martech_schema.h"
#include "martech_word.h"


#define MARTECH_SCHEMA_SUBS_MAX    65536     /* schemas in a document */
#define MARTECH_SCHEMA_ARENA_MAX   (128 * 1024 * 1024)
#define MARTECH_SCHEMA_URI_MAX     2048      /* bytes of a resolved URI */
#define MARTECH_SCHEMA_NEST_MAX    256       /* references and combinations
                                                of one value in a row */
#define MARTECH_SCHEMA_DEPTH_MAX   2048      /* of an evaluation's recursion */

#define MARTECH_SCHEMA_DRAFT_2020  0x01
#define MARTECH_SCHEMA_DRAFT_07    0x02
#define MARTECH_SCHEMA_DRAFT_BOTH  0x03

/* types beside 1 << martech_json_kind_t */
#define MARTECH_SCHEMA_INTEGER     0x80
#define MARTECH_SCHEMA_ANY         0x7f

#define MARTECH_SCHEMA_EMPTY       UINT32_MAX /* a free slot of a table */


/* what is seldom called would cost its callers registers */
#define MARTECH_NOINLINE  __attribute__((noinline))


typedef struct martech_schema_sub_s  martech_schema_sub_t;


/* ---- memory ---- */

typedef struct martech_schema_block_s  martech_schema_block_t;

typedef struct {
    martech_schema_block_t  *blocks;
    unsigned char           *pos;
    size_t                   left;
    size_t                   total;      /* of all blocks */
} martech_schema_arena_t;


/* ---- numbers ---- */

/*
 * A JSON number without rounding.  Short ones are kept as the integer in
 * front of the point and the sign of what is behind it, which nearly always
 * decides; others, and these when they must, have their long form:
 * 0.DIGITS * 10^point.  The digits are those of the text from the first to
 * the last that is not 0; a '.' may stand between them.
 */
typedef struct {
    const unsigned char  *digits;        /* short: the text, without "-" */
    const unsigned char  *end;
    int64_t               value;         /* if short */
    int64_t               point;         /* this and count: if not short */
    uint32_t              count;         /* of digits; 0: the number is 0 */
    int8_t                rest;          /* if short: -1, 0 or 1; 0 means that
                                            value is all */
    uint8_t               negative;
    uint8_t               brief;         /* it is short */
} martech_schema_decimal_t;


/* ---- tables of names ---- */

typedef struct martech_schema_name_s {
    const unsigned char   *data;         /* un-escaped */
    uint32_t               len;
    int32_t                bit;          /* among those whose presence
                                            matters, or -1 */
    int32_t                number;       /* see martech_schema_number_name(),
                                            or -1 */
    martech_word_t         word;
    martech_schema_sub_t  *sub;          /* of "properties", or NULL */
    struct martech_schema_name_s
                          *follower;     /* the next of "properties" */
} martech_schema_name_t;

typedef struct {
    martech_schema_name_t  *names;
    uint32_t               *slots;       /* places of names, or EMPTY */
    uint32_t                mask;        /* slots - 1; there is one always */
    uint32_t                count;
    uint32_t                max;
} martech_schema_names_t;


/* ---- what a schema asks, by kind of value ---- */

typedef struct {
    martech_schema_decimal_t  limit;
    martech_str_t             where;     /* .data NULL: not asked */
} martech_schema_bound_t;

typedef struct {
    uint64_t       limit;
    martech_str_t  where;                /* .data NULL: not asked */
} martech_schema_count_t;

/* The odd ones are upper bounds; the last two exclude the limit itself. */
enum {
    MARTECH_SCHEMA_MINIMUM = 0,
    MARTECH_SCHEMA_MAXIMUM,
    MARTECH_SCHEMA_ABOVE,                /* exclusiveMinimum */
    MARTECH_SCHEMA_BELOW,                /* exclusiveMaximum */

    MARTECH_SCHEMA_BOUNDS
};

typedef struct {
    martech_schema_bound_t  bounds[MARTECH_SCHEMA_BOUNDS];
    unsigned                asked;       /* bits of bounds */
    unsigned                natural:1;   /* any that is not negative will do,
                                            and nothing else is asked */
    martech_schema_bound_t  multiple;
    uint64_t                divisor;     /* digits of multipleOf */
} martech_schema_number_t;

typedef struct {
    martech_schema_count_t  min;
    martech_schema_count_t  max;
    martech_regex_t        *pattern;
    martech_str_t           pattern_where;
    martech_format_pt       format;
    martech_str_t           format_where;
} martech_schema_string_t;

typedef struct {
    martech_schema_count_t   min;
    martech_schema_count_t   max;
    martech_schema_sub_t   **prefix;
    uint32_t                 nprefix;
    martech_schema_sub_t    *rest;       /* of the items behind prefix */
    martech_schema_sub_t    *contains;
    martech_str_t            contains_where;
    martech_schema_count_t   contains_min;
    martech_schema_count_t   contains_max;
    martech_str_t            unique_where;   /* .data NULL: may repeat */
} martech_schema_array_t;

typedef struct {
    martech_regex_t       *regex;
    martech_schema_sub_t  *sub;
} martech_schema_pattern_t;

/* If the member is there, others must be, or a schema must hold. */
typedef struct {
    uint32_t               name;         /* place in names */
    uint32_t              *needs;        /* places in names */
    uint32_t               nneeds;
    martech_schema_sub_t  *sub;
    martech_str_t          where;
    const char            *rule;
} martech_schema_dependency_t;

typedef struct {
    martech_schema_names_t        names;
    martech_schema_name_t        *first;     /* of "properties" */
    uint32_t                      bits;      /* names with a bit */
    uint32_t                     *required;  /* places in names */
    uint32_t                      nrequired;
    uint64_t                      required_bits; /* if bits <= 64 */
    martech_str_t                 required_where;
    martech_schema_count_t        min;
    martech_schema_count_t        max;
    martech_schema_pattern_t     *patterns;
    uint32_t                      npatterns;
    martech_schema_sub_t         *additional;
    martech_schema_sub_t         *member_names;
    martech_str_t                 member_names_where;
    martech_schema_dependency_t  *dependencies;
    uint32_t                      ndependencies;
} martech_schema_object_t;

typedef struct {
    const char              *rule;       /* "enum" or "const" */
    martech_str_t            where;
    martech_schema_names_t   strings;    /* the strings among the values */
    uint32_t                *others;     /* nodes of the document */
    uint32_t                 nothers;
} martech_schema_value_t;

typedef struct {
    martech_schema_sub_t  **list;
    uint32_t                count;
    martech_str_t           where;
} martech_schema_subs_t;

/* Schemas for the same value. */
typedef struct {
    martech_schema_sub_t   *ref;
    martech_schema_sub_t   *dynamic;     /* where $dynamicRef goes at first */
    int                     anchor;      /* its name, -1: like $ref */
    martech_schema_subs_t   all;
    martech_schema_subs_t   any;
    martech_schema_subs_t   one;
    martech_schema_sub_t   *not;
    martech_str_t           not_where;
    martech_schema_sub_t   *condition;   /* "if" */
    martech_schema_sub_t   *then;
    martech_schema_sub_t   *otherwise;   /* "else" */
} martech_schema_logic_t;


/* A document: the schema itself, or a meta-schema that it refers to. */
typedef struct {
    martech_json_tape_t     tape;        /* in the arena, as its text */
    martech_schema_sub_t  **subs;        /* by node, NULL: none yet */
    struct martech_schema_resource_s **resources;  /* that begin at a node */
    martech_str_t           uri;         /* in front of pointers, or "" */
} martech_schema_doc_t;

typedef struct {
    int                    anchor;       /* name */
    martech_schema_sub_t  *sub;
} martech_schema_dynamic_t;

/* A schema with a URI of its own: the root, or one with "$id". */
typedef struct martech_schema_resource_s  martech_schema_resource_t;

struct martech_schema_resource_s {
    martech_schema_resource_t  *next;
    martech_schema_doc_t       *doc;
    uint32_t                    node;
    martech_schema_draft_t      draft;
    martech_str_t               uri;
    martech_schema_dynamic_t   *dynamic;
    uint32_t                    ndynamic;
};

struct martech_schema_sub_s {
    uint8_t                     types;      /* bits that are allowed */
    uint8_t                     accepts;    /* bits of kinds that need no
                                               other look: any is valid */
    uint8_t                     valued:1;   /* enum or const */
    uint8_t                     listed:1;   /* these, and a type at most */
    uint8_t                     leaf:1;     /* asks of scalars alone, so that
                                               nothing is recursed into */
    uint8_t                     always:1;   /* the schema true */
    uint8_t                     never:1;    /* the schema false */
    uint8_t                     named:1;    /* "name" of the violation is
                                               that of the member */
    uint8_t                     state;      /* of the search for cycles */
    uint16_t                    height;     /* of schemas for one value */
    const char                 *rule;       /* that applies it; of false */
    martech_str_t               where;
    martech_str_t               types_where;
    martech_schema_number_t    *number;
    martech_schema_string_t    *string;
    martech_schema_array_t     *array;
    martech_schema_object_t    *object;
    martech_schema_value_t     *values[2];  /* enum, const */
    martech_schema_logic_t     *logic;
    martech_schema_sub_t       *left_items;    /* unevaluatedItems */
    martech_schema_sub_t       *left_members;  /* unevaluatedProperties */
    martech_schema_resource_t  *resource;
    martech_schema_doc_t       *doc;
    martech_schema_sub_t       *next;    /* to be compiled, later: all */
    uint32_t                    node;
};

struct martech_schema_s {
    martech_schema_arena_t      arena;
    martech_schema_sub_t       *root;
    unsigned                    dynamic:1;  /* there is a $dynamicRef */
    unsigned                    other:1;    /* members without a name have a
                                               schema of their own */
    unsigned                    numbered:1; /* names of the root's members */
    martech_regex_t           **regexes;    /* all, to be freed */
    uint32_t                    nregexes;
    uint32_t                    regexes_max;
    martech_schema_names_t      known;      /* members of the root */
    martech_regex_t           **matches;    /* and patterns of its members */
    uint32_t                    nmatches;
};


/* ---- martech_schema_mem.c ---- */

/* Zeroed, aligned; NULL without memory or beyond MARTECH_SCHEMA_ARENA_MAX. */
void *martech_schema_alloc(martech_schema_arena_t *arena, size_t size);
void martech_schema_arena_free(martech_schema_arena_t *arena);

/* The un-escaped name of a member or text of a string, in the arena if it
   had escapes; .data is NULL without memory. */
martech_str_t martech_schema_text(martech_schema_arena_t *arena,
    martech_str_t slice, int escaped);
martech_str_t martech_schema_key(martech_schema_arena_t *arena,
    const martech_json_tape_t *tape, uint32_t node);

/* A pointer with one more part: "/a" and "b/c" are "/a/b~1c". */
martech_str_t martech_schema_join(martech_schema_arena_t *arena,
    martech_str_t pointer, const void *name, size_t len);


/* ---- martech_schema_names.c ---- */

int martech_schema_names_init(martech_schema_names_t *names,
    martech_schema_arena_t *arena, size_t max);

/* Adds a name unless it is there; fewer than max of them. */
martech_schema_name_t *martech_schema_names_add(martech_schema_names_t *names,
    martech_str_t name);

/* A name of which the word is known, too; NULL if it is not there. */
martech_schema_name_t *martech_schema_names_seek(
    const martech_schema_names_t *names, martech_word_t word,
    const unsigned char *data, size_t len);

static inline int
martech_schema_name_same(const martech_schema_name_t *name,
    martech_word_t word, const unsigned char *data, size_t len)
{
    return name->len == len
           && martech_word_same(name->word, name->data, word, data, len);
}


/*
 * A name that is guessed first, unless it is NULL, then its follower, as
 * senders leave one out; else by the table.
 */

static inline martech_schema_name_t *
martech_schema_names_guess(const martech_schema_names_t *names,
    martech_schema_name_t *guess, const unsigned char *data, size_t len)
{
    martech_word_t  word;

    word = martech_word(data, len);

    if (guess != NULL) {

        if (martech_schema_name_same(guess, word, data, len)) {
            return guess;
        }

        guess = guess->follower;

        if (guess != NULL && martech_schema_name_same(guess, word, data, len))
        {
            return guess;
        }
    }

    return martech_schema_names_seek(names, word, data, len);
}


static inline martech_schema_name_t *
martech_schema_names_find(const martech_schema_names_t *names,
    const unsigned char *data, size_t len)
{
    return martech_schema_names_seek(names, martech_word(data, len), data,
                                     len);
}


/* ---- martech_schema_number.c ---- */

void martech_schema_decimal(martech_schema_decimal_t *d, martech_str_t text);
int martech_schema_decimal_compare_long(const martech_schema_decimal_t *a,
    const martech_schema_decimal_t *b);

/* Below 0, 0 or above 0, as strcmp(). */
static inline int
martech_schema_decimal_compare(const martech_schema_decimal_t *a,
    const martech_schema_decimal_t *b)
{
    if (a->brief && b->brief) {

        if (a->value != b->value) {
            return (a->value > b->value) ? 1 : -1;
        }

        if (a->rest != b->rest || a->rest == 0) {
            return a->rest - b->rest;
        }
    }

    return martech_schema_decimal_compare_long(a, b);
}


/* 1 if it has no fraction */
int martech_schema_decimal_integer(const martech_schema_decimal_t *d);
uint64_t martech_schema_decimal_hash(const martech_schema_decimal_t *d);

/* The digits as an integer; 0 if there are more than 18. */
uint64_t martech_schema_decimal_digits(const martech_schema_decimal_t *d);

/* An integer from 0 on, at most UINT64_MAX; -1 if it is none. */
int martech_schema_decimal_count(const martech_schema_decimal_t *d,
    uint64_t *count);
int martech_schema_decimal_multiple(const martech_schema_decimal_t *d,
    const martech_schema_decimal_t *of, uint64_t divisor);


/* ---- martech_schema_uri.c ---- */

/*
 * Resolves a reference against a base (RFC 3986, 5.2) into out.  Its fragment
 * is cut off and given apart, without '#'; .data is NULL if there is none.
 * -1 if the result does not fit.
 */
int martech_schema_uri_resolve(martech_str_t base, martech_str_t ref,
    unsigned char out[MARTECH_SCHEMA_URI_MAX], size_t *len,
    martech_str_t *fragment);

/* Decodes %XX; -1 if it does not fit, or if there is a NUL. */
int martech_schema_uri_decode(martech_str_t text, char *out, size_t size);


/* ---- martech_schema_meta.c ---- */

/* The text of a document of the meta-schemas; NULL if it is none of them. */
const char *martech_schema_meta(martech_str_t uri, const char **name);


/* ---- the evaluation: martech_schema_eval*.c, martech_schema_value.c ---- */

/* Which members or items of a value some schema has looked at. */
typedef struct {
    uint64_t  *bits;
    uint32_t   words;
} martech_schema_marks_t;

typedef struct martech_schema_scope_s  martech_schema_scope_t;

struct martech_schema_scope_s {
    martech_schema_scope_t           *outer;
    const martech_schema_resource_t  *resource;
};

typedef struct {
    const martech_schema_t     *schema;
    const martech_json_tape_t  *tape;
    martech_schema_run_t       *run;
    martech_schema_scope_t     *scope;
    uint32_t                    node;    /* of which members are reported */
    unsigned                    quiet;   /* nothing is noted; the first
                                            violation is enough */
    unsigned                    depth;
} martech_schema_eval_t;


/* martech_schema_eval() of what is not accepted at once */
martech_schema_verdict_t martech_schema_eval_leaf(martech_schema_eval_t *ev,
    const martech_schema_sub_t *sub, uint32_t node);
martech_schema_verdict_t martech_schema_eval_sub(martech_schema_eval_t *ev,
    const martech_schema_sub_t *sub, uint32_t node,
    martech_schema_marks_t *marks);

static inline martech_schema_verdict_t
martech_schema_eval(martech_schema_eval_t *ev,
    const martech_schema_sub_t *sub, uint32_t node,
    martech_schema_marks_t *marks)
{
    if (ev->run->steps == 0) {
        return MARTECH_SCHEMA_LIMIT;
    }

    ev->run->steps--;

    if (sub->accepts & (1u << ev->tape->nodes[node].kind)) {
        return MARTECH_SCHEMA_VALID;
    }

    return sub->leaf ? martech_schema_eval_leaf(ev, sub, node)
                     : martech_schema_eval_sub(ev, sub, node, marks);
}


martech_schema_verdict_t martech_schema_eval_value(martech_schema_eval_t *ev,
    const martech_schema_sub_t *sub, const martech_schema_value_t *value,
    uint32_t node);
martech_schema_verdict_t martech_schema_eval_number(martech_schema_eval_t *ev,
    const martech_schema_number_t *number, uint32_t node);
martech_schema_verdict_t martech_schema_eval_string(martech_schema_eval_t *ev,
    const martech_schema_string_t *string, uint32_t node);
martech_schema_verdict_t martech_schema_eval_count(martech_schema_eval_t *ev,
    uint32_t node, const martech_schema_count_t *min,
    const martech_schema_count_t *max, const char *min_rule,
    const char *max_rule);
martech_schema_verdict_t martech_schema_eval_array(martech_schema_eval_t *ev,
    const martech_schema_array_t *array, uint32_t node,
    martech_schema_marks_t *marks);
martech_schema_verdict_t martech_schema_eval_object(martech_schema_eval_t *ev,
    const martech_schema_object_t *object, uint32_t node,
    martech_schema_marks_t *marks);
martech_schema_verdict_t martech_schema_eval_logic(martech_schema_eval_t *ev,
    const martech_schema_logic_t *logic, uint32_t node,
    martech_schema_marks_t *marks);
martech_schema_verdict_t martech_schema_eval_left(martech_schema_eval_t *ev,
    const martech_schema_sub_t *left, uint32_t node,
    martech_schema_marks_t *marks);

/* martech_json_slice(), in line: every scalar needs it */
static inline martech_str_t
martech_schema_slice(const martech_schema_eval_t *ev, uint32_t node)
{
    martech_str_t               slice;
    const martech_json_node_t  *n;

    n = &ev->tape->nodes[node];
    slice.data = ev->tape->text + n->value;
    slice.len = n->len;

    return slice;
}


/* A search in a string costs by its length. */
#define MARTECH_SCHEMA_MATCH_STEPS(len)  (4 + (len) / 64)

/* The greater verdict of two. */
static inline martech_schema_verdict_t
martech_schema_worse(martech_schema_verdict_t a, martech_schema_verdict_t b)
{
    return (a > b) ? a : b;
}


/* 1 if nothing more can be learned. */
static inline int
martech_schema_ends(const martech_schema_eval_t *ev,
    martech_schema_verdict_t rc)
{
    return rc == MARTECH_SCHEMA_LIMIT
           || (rc == MARTECH_SCHEMA_INVALID && ev->quiet);
}


/* Takes steps; 0 if there are not so many. */
static inline int
martech_schema_spend(martech_schema_eval_t *ev, uint64_t steps)
{
    if (ev->run->steps < steps) {
        ev->run->steps = 0;
        return 0;
    }

    ev->run->steps -= steps;

    return 1;
}


/* Notes a violation if that is wanted; returns MARTECH_SCHEMA_INVALID. */
martech_schema_verdict_t martech_schema_note(martech_schema_eval_t *ev,
    uint32_t node, const char *rule, martech_str_t where, martech_str_t name);

/* Scratch memory, given back by setting run->scratch_used back. */
void *martech_schema_take(martech_schema_eval_t *ev, size_t size);

/* The text of a string or of a member's name un-escaped; 0 without scratch. */
int martech_schema_plain(martech_schema_eval_t *ev, martech_str_t slice,
    int escaped, martech_str_t *text);

/* All marks of one value; words is 0 if nobody looks at them. */
int martech_schema_marks_init(martech_schema_eval_t *ev,
    martech_schema_marks_t *marks, uint32_t count);
void martech_schema_marks_merge(martech_schema_marks_t *marks,
    const martech_schema_marks_t *from);

static inline void
martech_schema_mark(martech_schema_marks_t *marks, uint32_t n)
{
    marks->bits[n / 64] |= (uint64_t) 1 << (n % 64);
}


/* 1: equal, 0: not, -1: steps are used up. */
int martech_schema_equal(martech_schema_eval_t *ev,
    const martech_json_tape_t *a, uint32_t i, const martech_json_tape_t *b,
    uint32_t j);

/* 1: all items differ, 0: two are equal, -1: steps or scratch used up. */
int martech_schema_unique(martech_schema_eval_t *ev, uint32_t array);


#endif /* _MARTECH_SCHEMA_CORE_H_INCLUDED_ */
