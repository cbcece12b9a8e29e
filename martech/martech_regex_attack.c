
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Texts that a pattern nearly matches: one of its repetitions goes on for
 * long, and then comes a character that fits nowhere.  They find what the
 * look at the loops cannot see, such as references and possessive parts.
 */


#include <string.h>

#include "martech_regex_private.h"


#define MARTECH_REGEX_PUMP      48           /* rounds of the repetition */
#define MARTECH_REGEX_ROUNDS    8            /* at most, of all others */
#define MARTECH_REGEX_MISFIT    0x01


typedef struct {
    martech_regex_parser_t  *r;
    uint32_t                 pump;           /* the repetition */
    unsigned                 cut:1;          /* nothing is behind it */
    unsigned                 stop:1;
    unsigned                 turn;
    unsigned char           *p;
    unsigned char           *end;
} martech_regex_text_t;


static void martech_regex_text(martech_regex_text_t *t, uint32_t node);
static void martech_regex_text_rep(martech_regex_text_t *t, uint32_t node);
static void martech_regex_text_alt(martech_regex_text_t *t, uint32_t node);


size_t
martech_regex_attack(martech_regex_parser_t *r, unsigned number,
    unsigned char *out, size_t size, uint32_t *node)
{
    uint32_t              i;
    unsigned              n;
    martech_regex_text_t  t;

    n = 0;

    for (i = 0; i < r->count; i++) {
        if (r->nodes[i].kind == MARTECH_REGEX_REP
            && r->nodes[i].max > 2 && n++ == number / 2)
        {
            break;
        }
    }

    if (i == r->count) {
        return 0;
    }

    memset(&t, 0, sizeof(martech_regex_text_t));

    t.r = r;
    t.pump = i;
    t.cut = number % 2;
    t.p = out;
    t.end = out + size - 1;

    martech_regex_text(&t, r->root);

    *t.p++ = MARTECH_REGEX_MISFIT;
    *node = i;

    return (size_t) (t.p - out);
}


static void
martech_regex_text(martech_regex_text_t *t, uint32_t node)
{
    size_t         len;
    uint32_t       child;
    unsigned char  buf[4];

    if (t->stop || t->p == t->end) {
        return;
    }

    switch (t->r->nodes[node].kind) {

    case MARTECH_REGEX_SET:
        len = martech_regex_set_example(t->r, node, t->turn, buf);

        if (len <= (size_t) (t->end - t->p)) {
            memcpy(t->p, buf, len);
            t->p += len;
        }

        break;

    case MARTECH_REGEX_REP:
        martech_regex_text_rep(t, node);
        break;

    case MARTECH_REGEX_ALT:
        martech_regex_text_alt(t, node);
        break;

    case MARTECH_REGEX_CAT:
        for (child = t->r->nodes[node].child; child != MARTECH_REGEX_NONE;
             child = t->r->nodes[child].next)
        {
            martech_regex_text(t, child);
        }

        break;

    case MARTECH_REGEX_LOOK:

        /* a text for its body, if that is what is tried */

        if (node > t->pump) {
            martech_regex_text(t, t->r->nodes[node].child);
        }

        break;

    default:
        break;
    }
}


static void
martech_regex_text_rep(martech_regex_text_t *t, uint32_t node)
{
    uint32_t  i, n, min, max;

    min = t->r->nodes[node].min;
    max = t->r->nodes[node].max;

    if (node == t->pump) {
        n = max < MARTECH_REGEX_PUMP ? max : MARTECH_REGEX_PUMP;

    } else {
        n = min > MARTECH_REGEX_ROUNDS ? MARTECH_REGEX_ROUNDS : min;
        n += (n == 0 && max != 0);
    }

    for (i = 0; i < n && !t->stop && t->p < t->end; i++) {
        if (node == t->pump) {
            t->turn = t->cut ? 0 : i;
        }

        martech_regex_text(t, t->r->nodes[node].child);
    }

    if (node == t->pump) {
        t->turn = 0;
        t->stop = t->cut;
    }
}


static void
martech_regex_text_alt(martech_regex_text_t *t, uint32_t node)
{
    uint32_t  child, count, n;

    count = 0;

    for (child = t->r->nodes[node].child; child != MARTECH_REGEX_NONE;
         child = t->r->nodes[child].next)
    {
        count++;
    }

    n = t->turn % count;
    child = t->r->nodes[node].child;

    /* the alternative that has the repetition: nodes follow their bodies */

    while (n-- > 0) {
        child = t->r->nodes[child].next;
    }

    martech_regex_text(t, child);
}
