
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reads a pattern: groups, alternatives and quantifiers, in the syntax of
 * ECMA-262 with its flag "u" or in that of PCRE2.  The result is the text for
 * PCRE2 and the tree.
 *
 * After a quantifier the translation may have a callout "(?C)", by which a
 * search is charged for what it costs (martech_regex.c).
 */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "martech_regex_private.h"


/* More are not counted. */
#define MARTECH_REGEX_CHOICES  1e100


/* A quantifier as it was read. */
typedef struct {
    const unsigned char  *where;
    uint32_t              min, max;
    char                  mode;          /* '?' lazy, '+' possessive, or 0 */
} martech_regex_quantifier_t;


static int martech_regex_groups(martech_regex_parser_t *r);
static int martech_regex_alternatives(martech_regex_parser_t *r,
    uint32_t *node);
static int martech_regex_sequence(martech_regex_parser_t *r, uint32_t *node);
static int martech_regex_term(martech_regex_parser_t *r, uint32_t *node,
    int *assertion);
static int martech_regex_group(martech_regex_parser_t *r, uint32_t *node,
    int *assertion);
static int martech_regex_group_head(martech_regex_parser_t *r,
    int *assertion, int *done);
static int martech_regex_group_name(martech_regex_parser_t *r, size_t skip,
    int end);
static int martech_regex_group_flags(martech_regex_parser_t *r, int *done);
static int martech_regex_other(martech_regex_parser_t *r, uint32_t *node);
static int martech_regex_quantifier(martech_regex_parser_t *r,
    martech_regex_quantifier_t *q);
static int martech_regex_counts(martech_regex_parser_t *r,
    martech_regex_quantifier_t *q);
static int martech_regex_repeat(martech_regex_parser_t *r,
    const martech_regex_quantifier_t *q, size_t start, uint32_t *node);
static void martech_regex_weigh(martech_regex_parser_t *r,
    const martech_regex_quantifier_t *q, const martech_regex_traits_t *before);
static int martech_regex_charge(martech_regex_parser_t *r,
    const martech_regex_quantifier_t *q, size_t start);
static int martech_regex_is_anchored(martech_regex_parser_t *r,
    uint32_t node);


int
martech_regex_fail(martech_regex_parser_t *r, const unsigned char *where,
    const char *format, ...)
{
    int      n;
    va_list  args;

    va_start(args, format);
    n = vsnprintf(r->error, MARTECH_REGEX_ERROR_SIZE, format, args);
    va_end(args);

    if (where != NULL && n > 0 && n < MARTECH_REGEX_ERROR_SIZE) {
        snprintf(r->error + n, (size_t) (MARTECH_REGEX_ERROR_SIZE - n),
                 ", at offset %zu", (size_t) (where - r->start));
    }

    return -1;
}


int
martech_regex_put_bytes(martech_regex_parser_t *r, const void *data,
    size_t len)
{
    size_t          size;
    unsigned char  *out;

    if (len > MARTECH_REGEX_TEXT_MAX - r->out_len) {
        return martech_regex_fail(r, NULL, "the pattern is too large");
    }

    if (r->out_len + len > r->out_size) {
        size = 2 * (r->out_len + len) + 256;

        out = realloc(r->out, size);
        if (out == NULL) {
            return martech_regex_fail(r, NULL, "no memory");
        }

        r->out = out;
        r->out_size = size;
    }

    memcpy(r->out + r->out_len, data, len);
    r->out_len += len;

    return 0;
}


int
martech_regex_put(martech_regex_parser_t *r, const char *format, ...)
{
    int      n;
    char     buf[256];
    va_list  args;

    va_start(args, format);
    n = vsnprintf(buf, sizeof(buf), format, args);
    va_end(args);

    return martech_regex_put_bytes(r, buf, (size_t) n);
}


int
martech_regex_put_literal(martech_regex_parser_t *r, uint32_t cp)
{
    martech_regex_sample(r, cp);

    if ((cp >= '0' && cp <= '9') || (cp >= 'A' && cp <= 'Z')
        || (cp >= 'a' && cp <= 'z') || cp == '_' || cp == ' ')
    {
        return martech_regex_put(r, "%c", (int) cp);
    }

    return martech_regex_put(r, "\\x{%x}", (unsigned) cp);
}


uint32_t
martech_regex_node(martech_regex_parser_t *r, martech_regex_kind_t kind,
    const unsigned char *where)
{
    martech_regex_node_t  *node;

    if (r->count == r->max) {
        (void) martech_regex_fail(r, NULL, "the pattern is too large");
        return MARTECH_REGEX_NONE;
    }

    node = &r->nodes[r->count];
    memset(node, 0, sizeof(martech_regex_node_t));

    node->kind = kind;
    node->child = MARTECH_REGEX_NONE;
    node->next = MARTECH_REGEX_NONE;
    node->offset = (uint32_t) (where - r->start);

    return r->count++;
}


uint32_t
martech_regex_take(martech_regex_parser_t *r)
{
    uint32_t       cp;
    unsigned char  ch;

    ch = *r->p++;

    if (ch < 0x80) {
        return ch;
    }

    cp = (ch >= 0xf0) ? (ch & 0x07) : (ch >= 0xe0) ? (ch & 0x0f) : (ch & 0x1f);

    while (r->p < r->end && (*r->p & 0xc0) == 0x80) {
        cp = (cp << 6) | (*r->p++ & 0x3f);
    }

    return cp;
}


void
martech_regex_sample(martech_regex_parser_t *r, uint32_t cp)
{
    uint32_t  i;

    if (cp < 0x80 || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff)
        || r->nsamples == MARTECH_REGEX_SAMPLES)
    {
        return;
    }

    for (i = 0; i < r->nsamples; i++) {
        if (r->samples[i] == cp) {
            return;
        }
    }

    r->samples[r->nsamples++] = cp;
}


int
martech_regex_parse(martech_regex_parser_t *r)
{
    r->p = r->start;
    r->depth = 0;
    r->out_len = 0;
    r->count = 0;
    r->ngroups = 0;

    memset(&r->traits, 0, sizeof(martech_regex_traits_t));
    r->traits.choices = 1;

    martech_regex_set_samples(r);

    /* a reference may stand in front of its group: count them first */

    if (martech_regex_groups(r) != 0) {
        return -1;
    }

    if (martech_regex_alternatives(r, &r->root) != 0) {
        return -1;
    }

    if (r->p < r->end) {
        return martech_regex_fail(r, r->p, "\")\" without \"(\"%s",
                                  r->ecma ? ", write \"\\)\"" : "");
    }

    r->traits.anchored = martech_regex_is_anchored(r, r->root);

    return 0;
}


/* Numbers and names of the groups of an ECMA pattern. */
static int
martech_regex_groups(martech_regex_parser_t *r)
{
    int                     in_class;
    uint32_t                i;
    martech_str_t           name;
    const unsigned char    *p, *end;

    in_class = 0;

    for (p = r->start; p < r->end; p++) {

        if (*p == '\\') {
            p++;
            continue;
        }

        if (in_class || *p == '[') {
            in_class = (*p != ']');
            continue;
        }

        if (*p != '(') {
            continue;
        }

        name.len = 0;
        name.data = NULL;

        if (r->end - p > 1 && p[1] == '?') {
            if (r->end - p < 4 || p[2] != '<' || p[3] == '=' || p[3] == '!') {
                continue;
            }

            end = memchr(p, '>', (size_t) (r->end - p));
            if (end == NULL) {
                continue;
            }

            name.data = p + 3;
            name.len = (size_t) (end - name.data);
        }

        for (i = 0; r->ecma && name.len != 0 && i < r->ngroups; i++) {
            if (r->groups[i].name.len == name.len
                && memcmp(r->groups[i].name.data, name.data, name.len) == 0)
            {
                return martech_regex_fail(r, p, "two groups of one name");
            }
        }

        r->groups[r->ngroups++].name = name;
    }

    return 0;
}


static int
martech_regex_alternatives(martech_regex_parser_t *r, uint32_t *node)
{
    uint32_t  count, first, last, next;

    count = 1;

    if ((r->ways && martech_regex_put(r, "(?C)") != 0)
        || martech_regex_sequence(r, &first) != 0)
    {
        return -1;
    }

    last = first;

    while (r->p < r->end && *r->p == '|') {
        r->p++;
        count++;

        if (martech_regex_put(r, r->ways ? "|(?C)" : "|") != 0
            || martech_regex_sequence(r, &next) != 0)
        {
            return -1;
        }

        r->nodes[last].next = next;
        last = next;
    }

    *node = first;

    if (count == 1) {
        return 0;
    }

    r->traits.choices *= count;

    if (r->traits.choices > MARTECH_REGEX_CHOICES) {
        r->traits.choices = MARTECH_REGEX_CHOICES;
    }

    *node = martech_regex_node(r, MARTECH_REGEX_ALT, r->p);
    if (*node == MARTECH_REGEX_NONE) {
        return -1;
    }

    r->nodes[*node].child = first;

    return 0;
}


static int
martech_regex_sequence(martech_regex_parser_t *r, uint32_t *node)
{
    int                          assertion, rc;
    size_t                       start;
    uint32_t                     item, last;
    martech_regex_traits_t       before;
    martech_regex_quantifier_t   q;

    last = MARTECH_REGEX_NONE;

    *node = martech_regex_node(r, MARTECH_REGEX_CAT, r->p);
    if (*node == MARTECH_REGEX_NONE) {
        return -1;
    }

    while (r->p < r->end && *r->p != '|' && *r->p != ')') {
        assertion = 0;
        start = r->out_len;
        before = r->traits;

        if (martech_regex_term(r, &item, &assertion) != 0) {
            return -1;
        }

        rc = martech_regex_quantifier(r, &q);
        if (rc < 0) {
            return -1;
        }

        if (rc == 1 && assertion) {
            return martech_regex_fail(r, q.where,
                                      "nothing to repeat: an assertion");
        }

        if (rc == 1) {
            martech_regex_weigh(r, &q, &before);

            if (martech_regex_repeat(r, &q, start, &item) != 0) {
                return -1;
            }
        }

        if (last == MARTECH_REGEX_NONE) {
            r->nodes[*node].child = item;

        } else {
            r->nodes[last].next = item;
        }

        last = item;
    }

    return 0;
}


/* One thing that may be repeated, or an assertion. */
static int
martech_regex_term(martech_regex_parser_t *r, uint32_t *node, int *assertion)
{
    const unsigned char  *where;

    where = r->p;

    switch (*r->p) {

    case '(':
        return martech_regex_group(r, node, assertion);

    case '[':
        return r->ecma ? martech_regex_class(r, node)
                       : martech_regex_perl_class(r, node);

    case '\\':
        if (r->end - r->p > 1 && (r->p[1] == 'b' || r->p[1] == 'B')) {
            r->p += 2;
            *assertion = 1;
            *node = martech_regex_node(r, MARTECH_REGEX_EMPTY, where);

            return *node == MARTECH_REGEX_NONE
                   ? -1 : martech_regex_put_bytes(r, where, 2);
        }

        return r->ecma ? martech_regex_escape(r, node)
                       : martech_regex_perl_escape(r, node);

    case '^':
    case '$':
        *assertion = 1;
        *node = martech_regex_node(r, *r->p == '^' ? MARTECH_REGEX_BEGIN
                                                   : MARTECH_REGEX_EMPTY,
                                   where);
        r->p++;

        return *node == MARTECH_REGEX_NONE
               ? -1 : martech_regex_put_bytes(r, where, 1);

    case '*':
    case '+':
    case '?':
        return martech_regex_fail(r, where, "nothing to repeat before \"%c\"",
                                  *where);

    default:
        return martech_regex_other(r, node);
    }
}


/* A character that stands for itself, or the dot. */
static int
martech_regex_other(martech_regex_parser_t *r, uint32_t *node)
{
    int                   rc;
    size_t                start;
    uint32_t              cp;
    const unsigned char  *where;

    where = r->p;

    if (r->ecma && (*r->p == '{' || *r->p == '}' || *r->p == ']')) {
        return martech_regex_fail(r, where, "a lone \"%c\", write \"\\%c\"",
                                  *r->p, *r->p);
    }

    *node = martech_regex_node(r, MARTECH_REGEX_SET, where);
    if (*node == MARTECH_REGEX_NONE) {
        return -1;
    }

    start = r->out_len;
    cp = martech_regex_take(r);

    if (cp != '.') {
        rc = martech_regex_put_literal(r, cp);

    } else if (r->ecma) {
        rc = martech_regex_put(r, "[^\\n\\r\\x{2028}\\x{2029}]");

    } else {
        rc = martech_regex_put(r, ".");
    }

    r->nodes[*node].text = (uint32_t) start;
    r->nodes[*node].text_len = (uint32_t) (r->out_len - start);

    return rc;
}


static int
martech_regex_group(martech_regex_parser_t *r, uint32_t *node,
    int *assertion)
{
    int                   done;
    uint32_t              body;
    const unsigned char  *where;

    where = r->p;

    if (++r->depth > MARTECH_REGEX_DEPTH_MAX) {
        return martech_regex_fail(r, where, "more than %d groups in groups",
                                  MARTECH_REGEX_DEPTH_MAX);
    }

    done = 0;

    if (martech_regex_group_head(r, assertion, &done) != 0) {
        return -1;
    }

    if (done) {
        r->depth--;
        *assertion = 1;
        *node = martech_regex_node(r, MARTECH_REGEX_EMPTY, where);
        return *node == MARTECH_REGEX_NONE ? -1 : 0;
    }

    if (martech_regex_alternatives(r, node) != 0) {
        return -1;
    }

    if (r->p == r->end) {
        return martech_regex_fail(r, where, "\"(\" without \")\"");
    }

    r->p++;
    r->depth--;

    if (*assertion) {
        body = *node;

        *node = martech_regex_node(r, MARTECH_REGEX_LOOK, where);
        if (*node == MARTECH_REGEX_NONE) {
            return -1;
        }

        r->nodes[*node].child = body;
    }

    return martech_regex_put(r, ")");
}


/* Takes what opens a group; *done if that was all of it. */
static int
martech_regex_group_head(martech_regex_parser_t *r, int *assertion, int *done)
{
    size_t                left;
    const unsigned char  *where;

    where = r->p;
    left = (size_t) (r->end - r->p);

    if (left < 2 || where[1] != '?') {
        if (left > 1 && where[1] == '*' && !r->ecma) {
            return martech_regex_fail(r, where, "verbs are not allowed");
        }

        r->p++;
        return martech_regex_put(r, "(");
    }

    if (left < 3) {
        return martech_regex_fail(r, where, "\"(\" without \")\"");
    }

    switch (where[2]) {

    case ':':
        r->p += 3;
        return martech_regex_put(r, "(?:");

    case '=':
    case '!':
        r->p += 3;
        *assertion = 1;
        r->traits.opaque = 1;
        return martech_regex_put_bytes(r, where, 3);

    case '<':
        if (left > 3 && (where[3] == '=' || where[3] == '!')) {
            r->p += 4;
            *assertion = 1;
            r->traits.opaque = 1;

            if (r->traits.lookbehind == 0) {
                r->traits.lookbehind = (uint32_t) (where - r->start) + 1;
            }

            return martech_regex_put_bytes(r, where, 4);
        }

        return martech_regex_group_name(r, 3, '>');

    case '>':
        if (r->ecma) {
            break;
        }

        r->p += 3;
        r->traits.atomic = 1;
        return martech_regex_put(r, "(?>");

    case 'P':
        if (!r->ecma && left > 3 && where[3] == '<') {
            return martech_regex_group_name(r, 4, '>');
        }

        break;

    case '\'':
        if (!r->ecma) {
            return martech_regex_group_name(r, 3, '\'');
        }

        break;

    case 'i':
    case 'm':
    case 's':
    case '-':
        return martech_regex_group_flags(r, done);

    default:
        break;
    }

    return martech_regex_fail(r, where, r->ecma
               ? "an unknown kind of group, allowed are \"(\", \"(?:\", "
                 "\"(?=\", \"(?!\", \"(?<=\", \"(?<!\" and \"(?<name>\""
               : "recursion, conditions, callouts and the like are not "
                 "allowed");
}


static int
martech_regex_group_name(martech_regex_parser_t *r, size_t skip, int end)
{
    const unsigned char  *p, *where;

    where = r->p;

    for (p = where + skip; p < r->end && *p != end; p++) {

        if ((*p >= '0' && *p <= '9' && p > where + skip)
            || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z')
            || *p == '_' || (*p == '$' && r->ecma) || *p >= 0x80)
        {
            continue;
        }

        return martech_regex_fail(r, p, "not part of the name of a group");
    }

    if (p == r->end || p == where + skip) {
        return martech_regex_fail(r, where, "a group without a name");
    }

    r->p = p + 1;

    /* references to it are written by number */

    return r->ecma ? martech_regex_put(r, "(")
                   : martech_regex_put_bytes(r, where, (size_t) (r->p - where));
}


/* "(?i)" and "(?i:" of PCRE2. */
static int
martech_regex_group_flags(martech_regex_parser_t *r, int *done)
{
    const unsigned char  *p, *where;

    where = r->p;

    if (r->ecma) {
        return martech_regex_fail(r, where,
                                  "flags in the pattern are not allowed");
    }

    for (p = where + 2; p < r->end && (*p == 'i' || *p == 's' || *p == '-');
         p++)
    {
        /* void */
    }

    if (p == r->end || (*p != ')' && *p != ':')) {
        return martech_regex_fail(r, where, "a flag of a group that is not "
                                  "allowed, only \"i\" and \"s\" are");
    }

    *done = (*p == ')');
    r->p = p + 1;

    return martech_regex_put_bytes(r, where, (size_t) (r->p - where));
}


/* 1 if a quantifier stands at r->p, and is taken; 0 if none does. */
static int
martech_regex_quantifier(martech_regex_parser_t *r,
    martech_regex_quantifier_t *q)
{
    int  rc;

    if (r->p == r->end) {
        return 0;
    }

    q->where = r->p;
    q->mode = 0;
    q->min = 0;
    q->max = MARTECH_REGEX_INFINITE;

    switch (*r->p) {

    case '*':
        q->min = 0;
        r->p++;
        break;

    case '+':
        q->min = 1;
        r->p++;
        break;

    case '?':
        q->min = 0;
        q->max = 1;
        r->p++;
        break;

    case '{':
        rc = martech_regex_counts(r, q);
        if (rc != 1) {
            return rc;
        }

        break;

    default:
        return 0;
    }

    if (r->p < r->end && (*r->p == '?' || (*r->p == '+' && !r->ecma))) {
        q->mode = (char) *r->p++;
    }

    if (r->p < r->end && (*r->p == '*' || *r->p == '+' || *r->p == '?')) {
        return martech_regex_fail(r, r->p, "nothing to repeat: there is a "
                                  "quantifier before \"%c\"", *r->p);
    }

    return 1;
}


/* "{n}", "{n,}" or "{n,m}". */
static int
martech_regex_counts(martech_regex_parser_t *r, martech_regex_quantifier_t *q)
{
    int                   i, digits;
    uint32_t              n[2];
    const unsigned char  *p;

    p = r->p + 1;
    n[0] = 0;
    n[1] = MARTECH_REGEX_INFINITE;

    for (i = 0; i < 2; i++) {
        uint32_t  value;

        value = 0;

        for (digits = 0; p < r->end && *p >= '0' && *p <= '9'; p++) {
            if (value <= MARTECH_REGEX_REPEAT_MAX) {
                value = value * 10 + (*p - '0');
            }

            digits++;
        }

        if (digits != 0) {
            n[i] = value;
        }

        if (i == 0 && digits == 0) {
            return 0;
        }

        if (i == 0 && p < r->end && *p == ',') {
            p++;
            continue;
        }

        if (i == 0) {
            n[1] = n[0];
        }

        break;
    }

    if (p == r->end || *p != '}') {
        return 0;
    }

    if (n[0] > MARTECH_REGEX_REPEAT_MAX
        || (n[1] != MARTECH_REGEX_INFINITE && n[1] > MARTECH_REGEX_REPEAT_MAX))
    {
        return martech_regex_fail(r, r->p, "a number above %d",
                                  MARTECH_REGEX_REPEAT_MAX);
    }

    if (n[0] > n[1]) {
        return martech_regex_fail(r, r->p, "numbers out of order");
    }

    r->p = p + 1;
    q->min = n[0];
    q->max = n[1];

    return 1;
}


static int
martech_regex_repeat(martech_regex_parser_t *r,
    const martech_regex_quantifier_t *q, size_t start, uint32_t *node)
{
    int       rc;
    uint32_t  rep;

    if (q->max == MARTECH_REGEX_INFINITE) {
        rc = martech_regex_put(r, "{%u,}", (unsigned) q->min);

    } else {
        rc = martech_regex_put(r, "{%u,%u}", (unsigned) q->min,
                               (unsigned) q->max);
    }

    if (rc != 0
        || (q->mode != 0 && martech_regex_put(r, "%c", q->mode) != 0)
        || martech_regex_charge(r, q, start) != 0)
    {
        return -1;
    }

    r->traits.atomic |= (q->mode == '+');

    rep = martech_regex_node(r, MARTECH_REGEX_REP, q->where);
    if (rep == MARTECH_REGEX_NONE) {
        return -1;
    }

    r->nodes[rep].child = *node;
    r->nodes[rep].min = q->min;
    r->nodes[rep].max = q->max;

    *node = rep;

    return 0;
}


/*
 * Notes what a repetition may cost: the loops and ways of its body count for
 * each copy of it.  The rest needs an order of magnitude only.
 */
static void
martech_regex_weigh(martech_regex_parser_t *r,
    const martech_regex_quantifier_t *q, const martech_regex_traits_t *before)
{
    double    body;
    uint32_t  i;

    body = r->traits.choices / before->choices;

    for (i = 1; body > 1 && q->max != MARTECH_REGEX_INFINITE && i < q->max
                && r->traits.choices < MARTECH_REGEX_CHOICES; i++)
    {
        r->traits.choices *= body;
    }

    if (q->max != MARTECH_REGEX_INFINITE && q->max > 1) {
        r->traits.loops += (r->traits.loops - before->loops) * (q->max - 1);
    }

    if (q->max == MARTECH_REGEX_INFINITE
        || q->max - q->min > MARTECH_REGEX_WIDE)
    {
        r->traits.loops++;

    } else {
        r->traits.choices *= q->max - q->min + 1;
    }

    if (r->traits.choices > MARTECH_REGEX_CHOICES) {
        r->traits.choices = MARTECH_REGEX_CHOICES;
    }

    if (r->traits.loops > MARTECH_REGEX_CHOICES) {
        r->traits.loops = MARTECH_REGEX_CHOICES;
    }

    if (q->min > MARTECH_REGEX_MIN_FREE) {
        r->traits.long_min = 1;
    }
}


/* Has the search count what a repetition costs. */
static int
martech_regex_charge(martech_regex_parser_t *r,
    const martech_regex_quantifier_t *q, size_t start)
{
    int       n;
    char      buf[16];
    uint32_t  i, number;

    if (!r->callouts) {
        return 0;
    }

    if (q->min != q->max && martech_regex_put(r, "(?C)") != 0) {
        return -1;
    }

    if (q->min <= MARTECH_REGEX_MIN_FREE) {
        return 0;
    }

    /* what fails within the item would not reach a callout behind it */

    number = q->min / MARTECH_REGEX_NUMBER_SCALE;
    n = snprintf(buf, sizeof(buf), "(?C%u)",
                 (unsigned) (number > 255 ? 255 : number));

    if (martech_regex_put_bytes(r, buf, (size_t) n) != 0) {
        return -1;
    }

    memmove(r->out + start + n, r->out + start,
            r->out_len - start - (size_t) n);
    memcpy(r->out + start, buf, (size_t) n);

    for (i = 0; i < r->count; i++) {
        if (r->nodes[i].kind == MARTECH_REGEX_SET
            && r->nodes[i].text >= start)
        {
            r->nodes[i].text += (uint32_t) n;
        }
    }

    return 0;
}


/* 1 if a match can begin at one place only. */
static int
martech_regex_is_anchored(martech_regex_parser_t *r, uint32_t node)
{
    martech_regex_node_t  *n;

    n = &r->nodes[node];

    if (n->kind == MARTECH_REGEX_BEGIN) {
        return 1;
    }

    if (n->child == MARTECH_REGEX_NONE) {
        return 0;
    }

    if (n->kind == MARTECH_REGEX_CAT) {
        return martech_regex_is_anchored(r, n->child);
    }

    if (n->kind != MARTECH_REGEX_ALT) {
        return 0;
    }

    for (node = n->child; node != MARTECH_REGEX_NONE;
         node = r->nodes[node].next)
    {
        if (!martech_regex_is_anchored(r, node)) {
            return 0;
        }
    }

    return 1;
}
