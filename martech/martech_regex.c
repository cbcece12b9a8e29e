
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Compiles patterns and searches with them.
 *
 * PCRE2's own limits hold for one place of the text at which a match may
 * begin, and a run of characters costs nothing by them: they do not bound a
 * search.  So patterns whose cost is more than linear have callouts behind
 * their repetitions, which add up what is walked over and end the search at
 * MARTECH_REGEX_BUDGET.  Others, such as "^[a-z]+$", have none and run as
 * fast as PCRE2 can.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "martech_regex_private.h"


/* what PCRE2 itself may do at one place, heap in KiB */
#define MARTECH_REGEX_MATCH_LIMIT     200000
#define MARTECH_REGEX_HEAP_LIMIT      8192

/* the stack of the compiled code, if 32 KiB of our own do not do */
#define MARTECH_REGEX_STACK_MIN       (64 * 1024)
#define MARTECH_REGEX_STACK_MAX       (4 * 1024 * 1024)

/* ways to go on that need no counting: in all, and at each place */
#define MARTECH_REGEX_FREE_ANCHORED   4096
#define MARTECH_REGEX_FREE_FLOATING   32

#define MARTECH_REGEX_ATTACKS         24
#define MARTECH_REGEX_ATTACK_SIZE     512
#define MARTECH_REGEX_ATTACK_BUDGET   5000000


struct martech_regex_s {
    pcre2_code            *code;
    pcre2_match_data      *data;
    pcre2_match_context   *context;
    pcre2_jit_stack       *stack;        /* made when it is needed first */
    martech_regex_plain_t *plain;        /* NULL: PCRE2 is needed */
    unsigned               jit:1;
    uint64_t               spent;
    uint64_t               budget;
    size_t                 begin;        /* of the match that is tried */
    size_t                 last;         /* where the callout before was */
};


static int martech_regex_read(martech_regex_parser_t *r,
    martech_str_t pattern, unsigned flags, char *error);
static int martech_regex_utf8(martech_regex_parser_t *r);
static int martech_regex_costly(const martech_regex_traits_t *traits);
static int martech_regex_refuse_loops(martech_regex_parser_t *r);
static martech_regex_t *martech_regex_build(martech_regex_parser_t *r);
static int martech_regex_refuse_attacked(martech_regex_parser_t *r,
    martech_regex_t *regex);
static void martech_regex_shorten(martech_regex_t *regex,
    martech_str_t pattern);
static int martech_regex_find_pcre(const martech_regex_t *regex,
    const unsigned char *data, size_t len, size_t offset, size_t *from,
    size_t *to);
static int martech_regex_search(martech_regex_t *regex,
    const unsigned char *data, size_t len, size_t offset);
static int martech_regex_callout(pcre2_callout_block *block, void *data);


martech_regex_t *
martech_regex_compile(martech_str_t pattern, unsigned flags,
    char error[MARTECH_REGEX_ERROR_SIZE])
{
    martech_regex_t         *regex;
    martech_regex_parser_t   r;

    regex = NULL;

    if (martech_regex_read(&r, pattern, flags, error) == 0
        && martech_regex_refuse_loops(&r) == 0)
    {
        regex = martech_regex_build(&r);
    }

    if (regex != NULL && martech_regex_refuse_attacked(&r, regex) != 0) {
        martech_regex_free(regex);
        regex = NULL;
    }

    free(r.nodes);
    free(r.groups);
    free(r.out);

    if (regex != NULL && flags == MARTECH_REGEX_ECMA) {
        martech_regex_shorten(regex, pattern);
    }

    return regex;
}


/* Goes without PCRE2 if that can be; without memory it cannot. */
static void
martech_regex_shorten(martech_regex_t *regex, martech_str_t pattern)
{
    martech_regex_plain_t  plain;

    if (martech_regex_plain(&plain, pattern)) {
        regex->plain = malloc(sizeof(martech_regex_plain_t));

        if (regex->plain != NULL) {
            *regex->plain = plain;
        }
    }
}


void
martech_regex_free(martech_regex_t *regex)
{
    if (regex == NULL) {
        return;
    }

    pcre2_code_free(regex->code);
    pcre2_match_data_free(regex->data);
    pcre2_match_context_free(regex->context);
    pcre2_jit_stack_free(regex->stack);
    free(regex->plain);
    free(regex);
}


int
martech_regex_is_ecma(martech_str_t pattern)
{
    int                      rc;
    char                     error[MARTECH_REGEX_ERROR_SIZE];
    martech_regex_parser_t   r;

    rc = martech_regex_read(&r, pattern, MARTECH_REGEX_ECMA, error);

    free(r.nodes);
    free(r.groups);
    free(r.out);

    return rc == 0;
}


int
martech_regex_find(const martech_regex_t *regex, const unsigned char *data,
    size_t len, size_t offset, size_t *from, size_t *to)
{
    if (regex->plain == NULL || offset != 0) {
        return martech_regex_find_pcre(regex, data, len, offset, from, to);
    }

    if (!martech_regex_plain_match(regex->plain, data, len)) {
        return 0;
    }

    if (from != NULL) {
        *from = 0;
    }

    if (to != NULL) {
        *to = len;
    }

    return 1;
}


int
martech_regex_test(const martech_regex_t *regex, const unsigned char *data,
    size_t len)
{
    return (regex->plain != NULL)
           ? martech_regex_plain_match(regex->plain, data, len)
           : martech_regex_find_pcre(regex, data, len, 0, NULL, NULL);
}


static int
martech_regex_find_pcre(const martech_regex_t *regex,
    const unsigned char *data, size_t len, size_t offset, size_t *from,
    size_t *to)
{
    int               rc;
    PCRE2_SIZE       *found;
    martech_regex_t  *work;

    if (offset > len) {
        return 0;
    }

    /* what a search works with is a part of the pattern for its caller */
    work = (martech_regex_t *) regex;

    work->spent = 0;

    rc = martech_regex_search(work, data == NULL ? (unsigned char *) "" : data,
                              len, offset);

    if (rc == PCRE2_ERROR_NOMATCH) {
        return 0;
    }

    if (rc < 0) {
        return -1;
    }

    found = pcre2_get_ovector_pointer(work->data);

    if (from != NULL) {
        *from = found[0];
    }

    if (to != NULL) {
        *to = found[1];
    }

    return 1;
}


static int
martech_regex_search(martech_regex_t *regex, const unsigned char *data,
    size_t len, size_t offset)
{
    int  rc;

    regex->begin = offset;
    regex->last = offset;

    if (!regex->jit) {
        return pcre2_match(regex->code, data, len, offset,
                           PCRE2_NO_UTF_CHECK, regex->data, regex->context);
    }

    rc = pcre2_jit_match(regex->code, data, len, offset, 0, regex->data,
                         regex->context);

    if (rc != PCRE2_ERROR_JIT_STACKLIMIT || regex->stack != NULL) {
        return rc;
    }

    regex->stack = pcre2_jit_stack_create(MARTECH_REGEX_STACK_MIN,
                                          MARTECH_REGEX_STACK_MAX, NULL);
    if (regex->stack == NULL) {
        return rc;
    }

    pcre2_jit_stack_assign(regex->context, NULL, regex->stack);

    regex->begin = offset;
    regex->last = offset;

    return pcre2_jit_match(regex->code, data, len, offset, 0, regex->data,
                           regex->context);
}


/* Charges the search for what was done since the last callout. */
static int
martech_regex_callout(pcre2_callout_block *block, void *data)
{
    size_t            at;
    martech_regex_t  *regex = data;

    at = block->current_position;

    if (block->start_match != regex->begin) {
        regex->begin = block->start_match;
        regex->last = regex->begin;
    }

    regex->spent += MARTECH_REGEX_CALLOUT_COST
                    + MARTECH_REGEX_NUMBER_SCALE * block->callout_number
                    + (at > regex->last ? at - regex->last : regex->last - at);
    regex->last = at;

    return regex->spent > regex->budget ? PCRE2_ERROR_MATCHLIMIT : 0;
}


/* Reads a pattern, twice if its cost has to be counted. */
static int
martech_regex_read(martech_regex_parser_t *r, martech_str_t pattern,
    unsigned flags, char *error)
{
    memset(r, 0, sizeof(martech_regex_parser_t));

    error[0] = '\0';

    r->start = pattern.data;
    r->end = pattern.data + pattern.len;
    r->flags = flags;
    r->ecma = (flags & MARTECH_REGEX_ECMA) != 0;
    r->error = error;

    if (pattern.len > MARTECH_REGEX_SIZE_MAX) {
        return martech_regex_fail(r, NULL, "the pattern has %zu bytes, %d are "
                                  "allowed", pattern.len,
                                  MARTECH_REGEX_SIZE_MAX);
    }

    if (martech_regex_utf8(r) != 0) {
        return -1;
    }

    /* each byte is at most an item, its repetition and an empty sequence */

    r->max = 3 * (uint32_t) pattern.len + 8;
    r->nodes = malloc(r->max * sizeof(martech_regex_node_t));
    r->groups = malloc((pattern.len + 1) * sizeof(martech_regex_group_t));

    if (r->nodes == NULL || r->groups == NULL) {
        return martech_regex_fail(r, NULL, "no memory");
    }

    if (martech_regex_parse(r) != 0) {
        return -1;
    }

    if (!martech_regex_costly(&r->traits)) {
        return 0;
    }

    r->callouts = 1;
    r->ways = r->traits.choices > MARTECH_REGEX_FREE_FLOATING;

    return martech_regex_parse(r);
}


static int
martech_regex_utf8(martech_regex_parser_t *r)
{
    uint32_t              cp;
    const unsigned char  *p, *last;
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };

    for (p = r->start; p < r->end; p = last) {
        last = p + (*p < 0x80 ? 1 : *p < 0xc0 ? 0 : *p < 0xe0 ? 2
                    : *p < 0xf0 ? 3 : *p < 0xf8 ? 4 : 0);

        if (last == p || last > r->end) {
            return martech_regex_fail(r, p, "not UTF-8");
        }

        r->p = p;
        cp = martech_regex_take(r);

        if (r->p < last || (last - p > 1 && cp < least[last - p - 1])
            || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        {
            return martech_regex_fail(r, p, "not UTF-8");
        }
    }

    return 0;
}


/* 1 if a search may take more than linear time, or much at each place. */
static int
martech_regex_costly(const martech_regex_traits_t *traits)
{
    if (traits->opaque || traits->atomic || traits->long_min) {
        return 1;
    }

    if (traits->anchored) {
        return traits->loops > 1
               || traits->choices > MARTECH_REGEX_FREE_ANCHORED;
    }

    return traits->loops > 0 || traits->choices > MARTECH_REGEX_FREE_FLOATING;
}


static int
martech_regex_refuse_loops(martech_regex_parser_t *r)
{
    uint32_t  node;

    node = MARTECH_REGEX_NONE;

    if (r->traits.loops == 0 || r->traits.atomic
        || martech_regex_loops(r, &node) != 1)
    {
        return 0;
    }

    return martech_regex_fail(r, node == MARTECH_REGEX_NONE ? NULL
                                        : r->start + r->nodes[node].offset,
                              "a match may take exponential time: one text "
                              "can be repeated in many ways, as in \"(a+)+\" "
                              "or \"(a|a)*\"; see the quantifier");
}


static martech_regex_t *
martech_regex_build(martech_regex_parser_t *r)
{
    int               rc;
    char              text[128];
    size_t            offset;
    uint32_t          options;
    martech_regex_t  *regex;

    regex = calloc(1, sizeof(martech_regex_t));
    if (regex == NULL) {
        (void) martech_regex_fail(r, NULL, "no memory");
        return NULL;
    }

    options = PCRE2_UTF|PCRE2_DOLLAR_ENDONLY|PCRE2_NEVER_BACKSLASH_C;

    if (r->ecma) {
        options |= PCRE2_MATCH_UNSET_BACKREF;
    }

    if (r->flags & MARTECH_REGEX_CASELESS) {
        options |= PCRE2_CASELESS;
    }

    regex->code = pcre2_compile(r->out == NULL ? (PCRE2_SPTR) "" : r->out,
                                r->out_len, options, &rc, &offset, NULL);

    if (regex->code == NULL) {
        pcre2_get_error_message(rc, (PCRE2_UCHAR *) text, sizeof(text));
        (void) martech_regex_fail(r, r->traits.lookbehind
                                     ? r->start + r->traits.lookbehind - 1
                                     : NULL, "%s", text);
        martech_regex_free(regex);
        return NULL;
    }

    regex->data = pcre2_match_data_create(1, NULL);
    regex->context = pcre2_match_context_create(NULL);

    if (regex->data == NULL || regex->context == NULL) {
        (void) martech_regex_fail(r, NULL, "no memory");
        martech_regex_free(regex);
        return NULL;
    }

    /* where code must not be made at run time, PCRE2 interprets */

    regex->jit = !(r->flags & MARTECH_REGEX_INTERPRET)
                 && pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE) == 0;
    regex->budget = MARTECH_REGEX_BUDGET;

    pcre2_set_match_limit(regex->context, MARTECH_REGEX_MATCH_LIMIT);
    pcre2_set_heap_limit(regex->context, MARTECH_REGEX_HEAP_LIMIT);

    if (r->callouts) {
        pcre2_set_callout(regex->context, martech_regex_callout, regex);
    }

    return regex;
}


static int
martech_regex_refuse_attacked(martech_regex_parser_t *r,
    martech_regex_t *regex)
{
    int            rc;
    size_t         len;
    uint32_t       node;
    unsigned       i;
    unsigned char  text[MARTECH_REGEX_ATTACK_SIZE];

    if (!r->callouts) {
        return 0;
    }

    regex->budget = MARTECH_REGEX_ATTACK_BUDGET;

    for (i = 0; i < MARTECH_REGEX_ATTACKS; i++) {
        len = martech_regex_attack(r, i, text, sizeof(text), &node);
        if (len == 0) {
            break;
        }

        rc = martech_regex_test(regex, text, len);

        if (rc < 0) {
            return martech_regex_fail(r, r->start + r->nodes[node].offset,
                                      "a match takes too long: a short text "
                                      "that nearly matches was tried in too "
                                      "many ways; see the quantifier");
        }
    }

    regex->budget = MARTECH_REGEX_BUDGET;

    return 0;
}
