
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the files of martech_regex share: a pattern while it is compiled, as
 * the text that PCRE2 gets and as a tree whose loops can be looked at.
 */


#ifndef _MARTECH_REGEX_PRIVATE_H_INCLUDED_
#define _MARTECH_REGEX_PRIVATE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#define PCRE2_CODE_UNIT_WIDTH  8
#include <pcre2.h>

#include "martech_regex.h"


/* A flag for tests: as where code must not be made at run time. */
#define MARTECH_REGEX_INTERPRET   0x80

#define MARTECH_REGEX_TEXT_MAX    (128 * 1024)   /* bytes, translated */
#define MARTECH_REGEX_DEPTH_MAX   100            /* groups in groups */
#define MARTECH_REGEX_REPEAT_MAX  65535          /* what PCRE2 can count */
#define MARTECH_REGEX_INFINITE    UINT32_MAX

#define MARTECH_REGEX_SAMPLES     256
#define MARTECH_REGEX_SET_WORDS   (MARTECH_REGEX_SAMPLES / 64)

#define MARTECH_REGEX_NONE        UINT32_MAX     /* no node */

/* What every callout costs, before the bytes that were walked over. */
#define MARTECH_REGEX_CALLOUT_COST  10
/* A callout's number says how many steps an item takes at least. */
#define MARTECH_REGEX_NUMBER_SCALE  8
#define MARTECH_REGEX_MIN_FREE      64

/* A repetition that may end in so many places is treated as endless. */
#define MARTECH_REGEX_WIDE          16

/* Cost of one search, about a nanosecond each. */
#define MARTECH_REGEX_BUDGET        1000000


typedef enum {
    MARTECH_REGEX_EMPTY = 0,     /* matches nothing: an assertion, a reference
                                    to a group, the end of an alternative */
    MARTECH_REGEX_BEGIN,         /* "^" */
    MARTECH_REGEX_LOOK,          /* an assertion with a body, its child */
    MARTECH_REGEX_SET,           /* one character */
    MARTECH_REGEX_CAT,
    MARTECH_REGEX_ALT,
    MARTECH_REGEX_REP
} martech_regex_kind_t;


typedef struct {
    martech_regex_kind_t  kind;
    uint32_t              child;         /* the first one, or NONE */
    uint32_t              next;          /* sibling, or NONE */
    uint32_t              min, max;      /* REP */
    uint32_t              offset;        /* in the pattern; REP: of the
                                            quantifier */
    uint32_t              text;          /* SET: where it stands in the
                                            translation */
    uint32_t              text_len;
    unsigned              known:1;       /* set is filled in */
    uint64_t              set[MARTECH_REGEX_SET_WORDS];
                                         /* which samples belong to it */
} martech_regex_node_t;


/* What decides how a pattern must be watched and judged. */
typedef struct {
    double    loops;             /* quantifiers without an end, or wide */
    double    choices;           /* product of all other ways to go on */
    uint32_t  lookbehind;        /* offset of the first one + 1, or 0 */
    unsigned  anchored:1;
    unsigned  long_min:1;        /* an item that is long at least */
    unsigned  opaque:1;          /* something that the tree does not say:
                                    references, assertions with a body */
    unsigned  atomic:1;          /* what does not backtrack */
} martech_regex_traits_t;


typedef struct {
    martech_str_t  name;
} martech_regex_group_t;


typedef struct {
    const unsigned char     *start;
    const unsigned char     *p;
    const unsigned char     *end;
    unsigned                 flags;
    unsigned                 ecma:1;
    unsigned                 callouts:1; /* count what a match costs */
    unsigned                 ways:1;     /* and what alternatives cost */
    unsigned                 depth;

    unsigned char           *out;        /* the translation */
    size_t                   out_len;
    size_t                   out_size;

    martech_regex_node_t    *nodes;
    uint32_t                 count;
    uint32_t                 max;
    uint32_t                 root;

    martech_regex_group_t   *groups;     /* those that capture, in order */
    uint32_t                 ngroups;

    uint32_t                 samples[MARTECH_REGEX_SAMPLES];
    uint32_t                 nsamples;

    pcre2_compile_context   *context;
    martech_regex_traits_t   traits;
    char                    *error;
} martech_regex_parser_t;


/* A pattern that needs no PCRE2: items one behind the other. */

#define MARTECH_REGEX_PLAIN_ITEMS  12

typedef uint16_t  martech_regex_plain_bits_t;

typedef struct {
    uint32_t                    min;
    uint32_t                    max;
    unsigned                    tail:1;  /* the text may end in front of it */
} martech_regex_plain_item_t;

typedef struct {
    uint32_t                    count;
    martech_regex_plain_item_t  items[MARTECH_REGEX_PLAIN_ITEMS];
    martech_regex_plain_bits_t  sets[256];   /* by byte: the items that it may
                                                stand for; of ASCII alone */
} martech_regex_plain_t;


/*
 * martech_regex_parse.c: reads the whole pattern.  MARTECH_OK, or -1 with the
 * error filled in.  May be called again with another value of callouts.
 */
int martech_regex_parse(martech_regex_parser_t *r);

/* The error text, with the offset in the pattern; always -1. */
int martech_regex_fail(martech_regex_parser_t *r,
    const unsigned char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A new node, MARTECH_REGEX_NONE if there are too many. */
uint32_t martech_regex_node(martech_regex_parser_t *r,
    martech_regex_kind_t kind, const unsigned char *where);

/* Appends to the translation; 0, or -1 with the error filled in. */
int martech_regex_put(martech_regex_parser_t *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int martech_regex_put_bytes(martech_regex_parser_t *r, const void *data,
    size_t len);

/* A code point as a literal of the translation. */
int martech_regex_put_literal(martech_regex_parser_t *r, uint32_t cp);

/* Takes a character of the pattern, which is valid UTF-8. */
uint32_t martech_regex_take(martech_regex_parser_t *r);

/* Makes sure that the look at the loops knows a character. */
void martech_regex_sample(martech_regex_parser_t *r, uint32_t cp);

/*
 * martech_regex_escape.c: what begins with "\" or "[", at r->p.  Each adds
 * its translation and sets *node.
 */
int martech_regex_escape(martech_regex_parser_t *r, uint32_t *node);
int martech_regex_class(martech_regex_parser_t *r, uint32_t *node);

/* The same for the syntax of PCRE2, which is handed on as it is. */
int martech_regex_perl_escape(martech_regex_parser_t *r, uint32_t *node);
int martech_regex_perl_class(martech_regex_parser_t *r, uint32_t *node);

/* martech_regex_set.c: fills in the set of a node of kind SET; 0 or -1. */
int martech_regex_set_known(martech_regex_parser_t *r, uint32_t node);
void martech_regex_set_samples(martech_regex_parser_t *r);

/* A character of a set, chosen by turn; its length, or 0. */
size_t martech_regex_set_example(martech_regex_parser_t *r, uint32_t node,
    unsigned turn, unsigned char *out);

/* 1 if a piece of a pattern compiles. */
int martech_regex_set_valid(martech_regex_parser_t *r, const char *text);

/*
 * martech_regex_loops.c: 1 and *node if a loop can match the same text in so
 * many ways that their number grows exponentially with its length, 0 if there
 * is none, -1 if that is not known.
 */
int martech_regex_loops(martech_regex_parser_t *r, uint32_t *node);

/*
 * martech_regex_attack.c: texts that would make loops of the pattern try all
 * they can.  Writes the text with the given number; its length, or 0 if there
 * is no more.
 */
size_t martech_regex_attack(martech_regex_parser_t *r, unsigned number,
    unsigned char *out, size_t size, uint32_t *node);

/*
 * martech_regex_plain.c: 1 if a pattern in the syntax of ECMA-262, which must
 * be a valid one, is plain; then _match tells whether all of a text is as the
 * pattern says, which is what a search for it would find.
 */
int martech_regex_plain(martech_regex_plain_t *plain, martech_str_t pattern);
int martech_regex_plain_match(const martech_regex_plain_t *plain,
    const unsigned char *data, size_t len);


#endif /* _MARTECH_REGEX_PRIVATE_H_INCLUDED_ */
