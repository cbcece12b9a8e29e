
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Finds loops that take exponential time: "(a+)+", "(a|a)*", "(\w+\s?)*".
 *
 * The pattern becomes an automaton with one state for each of its characters
 * (Glushkov's).  A backtracking matcher tries every way through it, and their
 * number is exponential in the length of the text just if some state can be
 * left and reached again by two different ways with the same text.  Two such
 * ways are a cycle in the product of the automaton with itself that leaves
 * its diagonal, or an edge that stands twice.
 *
 * Large counts are cut, which keeps the loops: "{2,40}" is "{2,}", and the
 * copies of an exact count are at most MARTECH_REGEX_COPIES.
 */


#include <stdlib.h>
#include <string.h>

#include "martech_regex_private.h"


#define MARTECH_REGEX_STATES  768
#define MARTECH_REGEX_COPIES  6
#define MARTECH_REGEX_WORK    40000000      /* edges looked at */


typedef struct {
    uint32_t   node;             /* its SET */
    uint32_t   loop;             /* the outermost REP around it, or NONE */
} martech_regex_state_t;


typedef struct {
    martech_regex_parser_t  *r;
    martech_regex_state_t    states[MARTECH_REGEX_STATES];
    uint32_t                 count;
    uint32_t                 loop;       /* around what is added now */
    uint64_t                 work;

    /* how often a state follows another, at most 2: row by row */
    unsigned char            follow[MARTECH_REGEX_STATES]
                                   [MARTECH_REGEX_STATES];
    uint64_t                 reach[MARTECH_REGEX_STATES]
                                  [MARTECH_REGEX_STATES / 64];
} martech_regex_automaton_t;


/* A part of the pattern: where it begins and ends, and how often. */
typedef struct {
    uint32_t       from, to;             /* its states */
    unsigned       empty;                /* ways to match nothing, at most 2 */
    unsigned char  first[MARTECH_REGEX_STATES];
    unsigned char  last[MARTECH_REGEX_STATES];
} martech_regex_part_t;


/* One component of the automaton, and its product with itself. */
typedef struct {
    uint32_t        count;
    uint32_t       *states;
    uint32_t       *edges;               /* followers, of all states */
    uint32_t       *begin;               /* of each in edges; count + 1 */
    unsigned char  *seen;                /* of each pair: 1 from the diagonal,
                                            2 to it */
    uint32_t       *queue;
    unsigned char  *overlap;             /* of each pair of sets */
} martech_regex_product_t;


static int martech_regex_add(martech_regex_automaton_t *a, uint32_t node,
    martech_regex_part_t *part);
static int martech_regex_add_set(martech_regex_automaton_t *a, uint32_t node,
    martech_regex_part_t *part);
static int martech_regex_add_look(martech_regex_automaton_t *a, uint32_t node,
    martech_regex_part_t *part);
static int martech_regex_add_cat(martech_regex_automaton_t *a, uint32_t node,
    martech_regex_part_t *part);
static int martech_regex_add_alt(martech_regex_automaton_t *a, uint32_t node,
    martech_regex_part_t *part);
static int martech_regex_add_rep(martech_regex_automaton_t *a, uint32_t node,
    martech_regex_part_t *part);
static void martech_regex_option(martech_regex_automaton_t *a,
    martech_regex_part_t *part, const martech_regex_part_t *before,
    const martech_regex_part_t *next);
static void martech_regex_counts_cut(const martech_regex_node_t *rep,
    uint32_t *min, uint32_t *max);
static void martech_regex_part_empty(martech_regex_automaton_t *a,
    martech_regex_part_t *part);
static void martech_regex_join(martech_regex_automaton_t *a,
    martech_regex_part_t *part, const martech_regex_part_t *next);
static void martech_regex_link(martech_regex_automaton_t *a,
    const martech_regex_part_t *from, const martech_regex_part_t *to);
static unsigned char martech_regex_two(unsigned n);
static void martech_regex_closure(martech_regex_automaton_t *a);
static int martech_regex_components(martech_regex_automaton_t *a,
    uint32_t *node);
static int martech_regex_component(martech_regex_automaton_t *a,
    uint32_t *states, uint32_t count, uint32_t *node);
static int martech_regex_product(martech_regex_automaton_t *a,
    martech_regex_product_t *p, uint32_t *node);
static void martech_regex_edges(martech_regex_automaton_t *a,
    martech_regex_product_t *p, int backward);
static int martech_regex_walk(martech_regex_automaton_t *a,
    martech_regex_product_t *p, unsigned char mark);
static int martech_regex_overlap(martech_regex_automaton_t *a,
    martech_regex_product_t *p);


int
martech_regex_loops(martech_regex_parser_t *r, uint32_t *node)
{
    int                         rc;
    martech_regex_part_t       *part;
    martech_regex_automaton_t  *a;

    a = calloc(1, sizeof(martech_regex_automaton_t));
    part = malloc(sizeof(martech_regex_part_t));
    rc = -1;

    if (a != NULL && part != NULL) {
        a->r = r;
        a->loop = MARTECH_REGEX_NONE;

        rc = martech_regex_add(a, r->root, part);
    }

    if (rc == 0) {
        martech_regex_closure(a);
        rc = martech_regex_components(a, node);
    }

    free(part);
    free(a);

    return rc;
}


/* Adds a node to the automaton; -1 if there are too many states. */
static int
martech_regex_add(martech_regex_automaton_t *a, uint32_t node,
    martech_regex_part_t *part)
{
    switch (a->r->nodes[node].kind) {

    case MARTECH_REGEX_SET:
        return martech_regex_add_set(a, node, part);

    case MARTECH_REGEX_CAT:
        return martech_regex_add_cat(a, node, part);

    case MARTECH_REGEX_ALT:
        return martech_regex_add_alt(a, node, part);

    case MARTECH_REGEX_REP:
        return martech_regex_add_rep(a, node, part);

    case MARTECH_REGEX_LOOK:
        return martech_regex_add_look(a, node, part);

    default:
        martech_regex_part_empty(a, part);
        return 0;
    }
}


static int
martech_regex_add_set(martech_regex_automaton_t *a, uint32_t node,
    martech_regex_part_t *part)
{
    if (a->count == MARTECH_REGEX_STATES) {
        return -1;
    }

    martech_regex_part_empty(a, part);

    a->states[a->count].node = node;
    a->states[a->count].loop = a->loop;

    part->empty = 0;
    part->first[a->count] = 1;
    part->last[a->count] = 1;
    part->to = ++a->count;

    return 0;
}


/* The body is looked at for itself: nothing leads into it or out of it. */
static int
martech_regex_add_look(martech_regex_automaton_t *a, uint32_t node,
    martech_regex_part_t *part)
{
    uint32_t  loop;

    loop = a->loop;
    a->loop = MARTECH_REGEX_NONE;

    if (martech_regex_add(a, a->r->nodes[node].child, part) != 0) {
        return -1;
    }

    a->loop = loop;
    martech_regex_part_empty(a, part);

    return 0;
}


static int
martech_regex_add_cat(martech_regex_automaton_t *a, uint32_t node,
    martech_regex_part_t *part)
{
    uint32_t               child;
    martech_regex_part_t  *next;

    martech_regex_part_empty(a, part);

    next = malloc(sizeof(martech_regex_part_t));
    if (next == NULL) {
        return -1;
    }

    for (child = a->r->nodes[node].child; child != MARTECH_REGEX_NONE;
         child = a->r->nodes[child].next)
    {
        if (martech_regex_add(a, child, next) != 0) {
            free(next);
            return -1;
        }

        martech_regex_join(a, part, next);
    }

    free(next);

    return 0;
}


static int
martech_regex_add_alt(martech_regex_automaton_t *a, uint32_t node,
    martech_regex_part_t *part)
{
    uint32_t               i, child;
    martech_regex_part_t  *next;

    martech_regex_part_empty(a, part);
    part->empty = 0;

    next = malloc(sizeof(martech_regex_part_t));
    if (next == NULL) {
        return -1;
    }

    for (child = a->r->nodes[node].child; child != MARTECH_REGEX_NONE;
         child = a->r->nodes[child].next)
    {
        if (martech_regex_add(a, child, next) != 0) {
            free(next);
            return -1;
        }

        for (i = next->from; i < next->to; i++) {
            part->first[i] = next->first[i];
            part->last[i] = next->last[i];
        }

        part->empty = martech_regex_two(part->empty + next->empty);
        part->to = next->to;
    }

    free(next);

    return 0;
}


/* Copies of the body: first those that are needed, then those that are not. */
static int
martech_regex_add_rep(martech_regex_automaton_t *a, uint32_t node,
    martech_regex_part_t *part)
{
    int                    rc;
    uint32_t               i, min, max, copies, loop;
    martech_regex_part_t  *next, *base;

    martech_regex_counts_cut(&a->r->nodes[node], &min, &max);
    martech_regex_part_empty(a, part);

    next = malloc(2 * sizeof(martech_regex_part_t));
    if (next == NULL) {
        return -1;
    }

    base = next + 1;
    loop = a->loop;

    if (loop == MARTECH_REGEX_NONE && max == MARTECH_REGEX_INFINITE) {
        a->loop = node;
    }

    copies = (max != MARTECH_REGEX_INFINITE) ? max : min + (min == 0);
    rc = 0;

    for (i = 0; i < copies; i++) {
        rc = martech_regex_add(a, a->r->nodes[node].child, next);
        if (rc != 0) {
            break;
        }

        if (max == MARTECH_REGEX_INFINITE && i == copies - 1) {
            martech_regex_link(a, next, next);
        }

        if (i < min) {
            martech_regex_join(a, part, next);
            continue;
        }

        martech_regex_option(a, part, (i == min) ? part : base, next);
        *base = *next;
    }

    a->loop = loop;
    free(next);

    return rc;
}


/*
 * Appends a copy that may be left out, and with it all that follow: it is
 * reached from the copy before, not from any.
 */
static void
martech_regex_option(martech_regex_automaton_t *a,
    martech_regex_part_t *part, const martech_regex_part_t *before,
    const martech_regex_part_t *next)
{
    uint32_t  i;

    martech_regex_link(a, before, next);

    for (i = next->from; i < next->to; i++) {
        if (before == part) {
            part->first[i] = martech_regex_two(part->empty * next->first[i]);
        }

        part->last[i] = next->last[i];
    }

    part->to = next->to;
}


static void
martech_regex_counts_cut(const martech_regex_node_t *rep, uint32_t *min,
    uint32_t *max)
{
    *min = rep->min;
    *max = rep->max;

    if (*max - *min > MARTECH_REGEX_COPIES) {
        *max = MARTECH_REGEX_INFINITE;
    }

    if (*min > MARTECH_REGEX_COPIES) {
        if (*max != MARTECH_REGEX_INFINITE) {
            *max = MARTECH_REGEX_COPIES + (*max - *min);
        }

        *min = MARTECH_REGEX_COPIES;
    }
}


static void
martech_regex_part_empty(martech_regex_automaton_t *a,
    martech_regex_part_t *part)
{
    memset(part, 0, sizeof(martech_regex_part_t));

    part->from = a->count;
    part->to = a->count;
    part->empty = 1;
}


/* Appends a part to another. */
static void
martech_regex_join(martech_regex_automaton_t *a, martech_regex_part_t *part,
    const martech_regex_part_t *next)
{
    uint32_t  i;

    martech_regex_link(a, part, next);

    for (i = next->from; i < next->to; i++) {
        part->first[i] = martech_regex_two(part->empty * next->first[i]);
    }

    for (i = part->from; i < part->to; i++) {
        part->last[i] = martech_regex_two(part->last[i] * next->empty);
    }

    for (i = next->from; i < next->to; i++) {
        part->last[i] = next->last[i];
    }

    part->empty = martech_regex_two(part->empty * next->empty);
    part->to = next->to;
}


/* The last characters of one part are followed by the first of another. */
static void
martech_regex_link(martech_regex_automaton_t *a,
    const martech_regex_part_t *from, const martech_regex_part_t *to)
{
    uint32_t  i, k;

    for (i = from->from; i < from->to; i++) {
        if (from->last[i] == 0) {
            continue;
        }

        for (k = to->from; k < to->to; k++) {
            a->follow[i][k] = martech_regex_two(a->follow[i][k]
                                           + from->last[i] * to->first[k]);
        }
    }
}


static unsigned char
martech_regex_two(unsigned n)
{
    return n > 2 ? 2 : (unsigned char) n;
}


/* Which state can be reached from which (Warshall's, on words of bits). */
static void
martech_regex_closure(martech_regex_automaton_t *a)
{
    uint32_t  i, k, w, words;

    words = (a->count + 63) / 64;

    for (i = 0; i < a->count; i++) {
        for (k = 0; k < a->count; k++) {
            if (a->follow[i][k]) {
                a->reach[i][k / 64] |= 1ULL << (k % 64);
            }
        }
    }

    for (k = 0; k < a->count; k++) {
        for (i = 0; i < a->count; i++) {
            if (!(a->reach[i][k / 64] & (1ULL << (k % 64)))) {
                continue;
            }

            for (w = 0; w < words; w++) {
                a->reach[i][w] |= a->reach[k][w];
            }
        }
    }
}


static int
martech_regex_components(martech_regex_automaton_t *a, uint32_t *node)
{
    int       rc;
    uint32_t  i, k, count;
    uint32_t  states[MARTECH_REGEX_STATES];
    uint8_t   done[MARTECH_REGEX_STATES];

    memset(done, 0, sizeof(done));

    for (i = 0; i < a->count; i++) {
        count = 0;

        for (k = i; k < a->count && !done[i]; k++) {
            if ((a->reach[i][k / 64] & (1ULL << (k % 64)))
                && (a->reach[k][i / 64] & (1ULL << (i % 64))))
            {
                states[count++] = k;
            }
        }

        for (k = 0; k < count; k++) {
            done[states[k]] = 1;
        }

        if (count == 0) {
            continue;
        }

        rc = martech_regex_component(a, states, count, node);
        if (rc != 0) {
            return rc;
        }
    }

    return 0;
}


static int
martech_regex_component(martech_regex_automaton_t *a, uint32_t *states,
    uint32_t count, uint32_t *node)
{
    int                       rc;
    uint32_t                  i, k;
    martech_regex_product_t   p;

    for (i = 0; i < count; i++) {
        if (martech_regex_set_known(a->r, a->states[states[i]].node) != 0) {
            return -1;
        }

        for (k = 0; k < count; k++) {
            if (a->follow[states[i]][states[k]] > 1) {
                *node = a->states[states[k]].loop;
                return 1;
            }
        }
    }

    if (count == 1) {
        return 0;
    }

    p.count = count;
    p.states = states;
    p.edges = malloc(count * count * sizeof(uint32_t));
    p.begin = malloc((count + 1) * sizeof(uint32_t));
    p.seen = calloc(count, count);
    p.queue = malloc(count * count * sizeof(uint32_t));
    p.overlap = malloc(count * count);

    rc = -1;

    if (p.edges != NULL && p.begin != NULL && p.seen != NULL
        && p.queue != NULL && p.overlap != NULL)
    {
        rc = martech_regex_product(a, &p, node);
    }

    free(p.edges);
    free(p.begin);
    free(p.seen);
    free(p.queue);
    free(p.overlap);

    return rc;
}


/* Pairs of two states on a way from the diagonal and back to it. */
static int
martech_regex_product(martech_regex_automaton_t *a,
    martech_regex_product_t *p, uint32_t *node)
{
    uint32_t  i;

    if (martech_regex_overlap(a, p) != 0) {
        return -1;
    }

    martech_regex_edges(a, p, 0);

    if (martech_regex_walk(a, p, 1) != 0) {
        return -1;
    }

    martech_regex_edges(a, p, 1);

    if (martech_regex_walk(a, p, 2) != 0) {
        return -1;
    }

    for (i = 0; i < p->count * p->count; i++) {
        if (p->seen[i] == 3 && i / p->count != i % p->count) {
            *node = a->states[p->states[i / p->count]].loop;
            return 1;
        }
    }

    return 0;
}


static int
martech_regex_overlap(martech_regex_automaton_t *a,
    martech_regex_product_t *p)
{
    uint32_t         i, k, w;
    unsigned char    common;
    const uint64_t  *x, *y;

    a->work += (uint64_t) p->count * p->count;

    if (a->work > MARTECH_REGEX_WORK) {
        return -1;
    }

    for (i = 0; i < p->count; i++) {
        x = a->r->nodes[a->states[p->states[i]].node].set;

        for (k = 0; k < p->count; k++) {
            y = a->r->nodes[a->states[p->states[k]].node].set;
            common = 0;

            for (w = 0; w < MARTECH_REGEX_SET_WORDS; w++) {
                common |= (x[w] & y[w]) != 0;
            }

            p->overlap[i * p->count + k] = common;
        }
    }

    return 0;
}


/* Lists the followers, or what is followed. */
static void
martech_regex_edges(martech_regex_automaton_t *a, martech_regex_product_t *p,
    int backward)
{
    uint32_t  i, k, n;

    n = 0;

    for (i = 0; i < p->count; i++) {
        p->begin[i] = n;

        for (k = 0; k < p->count; k++) {
            if (backward ? a->follow[p->states[k]][p->states[i]]
                         : a->follow[p->states[i]][p->states[k]])
            {
                p->edges[n++] = k;
            }
        }
    }

    p->begin[p->count] = n;
}


/*
 * Marks all pairs that can be reached from the diagonal.  A pair is entered
 * only where its two sets have a character in common, in either direction.
 */
static int
martech_regex_walk(martech_regex_automaton_t *a, martech_regex_product_t *p,
    unsigned char mark)
{
    uint32_t  head, tail, pair, i, k, x, y;

    tail = 0;

    for (i = 0; i < p->count; i++) {
        p->seen[i * p->count + i] |= mark;
        p->queue[tail++] = i * p->count + i;
    }

    for (head = 0; head < tail; head++) {
        x = p->queue[head] / p->count;
        y = p->queue[head] % p->count;

        a->work += (uint64_t) (p->begin[x + 1] - p->begin[x])
                   * (p->begin[y + 1] - p->begin[y]);

        if (a->work > MARTECH_REGEX_WORK) {
            return -1;
        }

        for (i = p->begin[x]; i < p->begin[x + 1]; i++) {
            for (k = p->begin[y]; k < p->begin[y + 1]; k++) {
                pair = p->edges[i] * p->count + p->edges[k];

                if (!(p->seen[pair] & mark) && p->overlap[pair]) {
                    p->seen[pair] |= mark;
                    p->queue[tail++] = pair;
                }
            }
        }
    }

    return 0;
}
