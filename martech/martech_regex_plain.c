
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Plain patterns, which most of a plan are: "^[A-Z]{2}-\d{6,10}$" and the
 * like, a sequence of ASCII characters and sets with counts, held against all
 * of a text.  They are matched here, in a tenth of the time that a call of
 * PCRE2 takes, and with the same result.
 *
 * A pattern is plain only if a greedy walk cannot go wrong: what follows an
 * item of variable count must not begin with a character of it.  All others
 * are left to PCRE2, as is what this file does not know.
 */


#include <string.h>

#include "martech_regex_private.h"


/* What reads a pattern. */
typedef struct {
    const unsigned char    *p;
    const unsigned char    *end;
    martech_regex_plain_t  *plain;
} martech_regex_plain_reader_t;


static int martech_regex_plain_items(martech_regex_plain_reader_t *r);
static int martech_regex_plain_one(martech_regex_plain_reader_t *r,
    martech_regex_plain_bits_t item);
static int martech_regex_plain_class(martech_regex_plain_reader_t *r,
    martech_regex_plain_bits_t item);
static int martech_regex_plain_char(martech_regex_plain_reader_t *r,
    martech_regex_plain_bits_t item, int *ch);
static int martech_regex_plain_counts(martech_regex_plain_reader_t *r,
    martech_regex_plain_item_t *item);
static int martech_regex_plain_number(martech_regex_plain_reader_t *r,
    uint32_t *n);
static int martech_regex_plain_certain(const martech_regex_plain_t *plain);


int
martech_regex_plain_match(const martech_regex_plain_t *plain,
    const unsigned char *data, size_t len)
{
    unsigned                           bit;
    const unsigned char               *p, *end, *start, *most;
    const martech_regex_plain_item_t  *item, *last;

    bit = 1;
    p = data;
    end = data + len;
    last = plain->items + plain->count;

    for (item = plain->items; item < last; item++, bit <<= 1) {

        if (item->tail && p == end) {
            return 1;
        }

        start = p;
        most = ((size_t) (end - p) > item->max) ? p + item->max : end;

        while (p < most && (plain->sets[*p] & bit)) {
            p++;
        }

        if ((size_t) (p - start) < item->min) {
            return 0;
        }
    }

    return p == end;
}


int
martech_regex_plain(martech_regex_plain_t *plain, martech_str_t pattern)
{
    martech_regex_plain_reader_t  r;

    memset(plain, 0, sizeof(martech_regex_plain_t));

    r.p = pattern.data;
    r.end = pattern.data + pattern.len;
    r.plain = plain;

    if (pattern.len < 2 || *r.p != '^') {
        return 0;
    }

    r.p++;

    if (!martech_regex_plain_items(&r) || r.end - r.p != 1 || *r.p != '$'
        || !martech_regex_plain_certain(plain))
    {
        plain->count = 0;
        return 0;
    }

    return 1;
}


/*
 * The items up to "$"; at their end there may be a group that stands once or
 * not at all, "(?:-[A-Z]{2})?".
 */

static int
martech_regex_plain_items(martech_regex_plain_reader_t *r)
{
    int                          tail;
    martech_regex_plain_bits_t   bit;
    martech_regex_plain_item_t  *item;

    tail = 0;

    while (r->p < r->end && *r->p != '$') {

        if (r->end - r->p > 3 && memcmp(r->p, "(?:", 3) == 0 && !tail) {
            r->p += 3;
            tail = 1;
            continue;
        }

        if (*r->p == ')') {
            /* an item must be in it; then "$" must follow */
            return tail == 2 && r->end - r->p == 3
                   && memcmp(r->p, ")?$", 3) == 0 && (r->p += 2) != NULL;
        }

        if (r->plain->count == MARTECH_REGEX_PLAIN_ITEMS) {
            return 0;
        }

        bit = (martech_regex_plain_bits_t) (1u << r->plain->count);
        item = &r->plain->items[r->plain->count++];

        if (!martech_regex_plain_one(r, bit)
            || !martech_regex_plain_counts(r, item))
        {
            return 0;
        }

        if (tail == 1) {
            tail = 2;
            item->tail = 1;
        }
    }

    return !tail;
}


static int
martech_regex_plain_one(martech_regex_plain_reader_t *r,
    martech_regex_plain_bits_t item)
{
    int  ch;

    if (*r->p == '[') {
        return martech_regex_plain_class(r, item);
    }

    return strchr("(){}]|*+?.^$", *r->p) == NULL
           && martech_regex_plain_char(r, item, &ch);
}


/* A set in brackets; what is negated has characters beyond ASCII. */

static int
martech_regex_plain_class(martech_regex_plain_reader_t *r,
    martech_regex_plain_bits_t item)
{
    int                   from, to;
    const unsigned char  *start;

    start = ++r->p;

    if (r->p < r->end && *r->p == '^') {
        return 0;
    }

    while (r->p < r->end && *r->p != ']') {

        if (*r->p == '[' || !martech_regex_plain_char(r, item, &from)) {
            return 0;
        }

        if (r->end - r->p < 2 || r->p[0] != '-' || r->p[1] == ']') {
            continue;
        }

        r->p++;

        if (from == -1 || *r->p == '['
            || !martech_regex_plain_char(r, 0, &to) || to < from)
        {
            return 0;
        }

        for ( /* void */ ; from <= to; from++) {
            r->plain->sets[from] |= item;
        }
    }

    if (r->p == r->end || r->p == start) {
        return 0;
    }

    r->p++;

    return 1;
}


/* "\d" or "\w" */

static void
martech_regex_plain_type(martech_regex_plain_reader_t *r,
    martech_regex_plain_bits_t item, int type)
{
    int  ch;

    for (ch = '0'; ch <= '9'; ch++) {
        r->plain->sets[ch] |= item;
    }

    if (type == 'd') {
        return;
    }

    for (ch = 'a'; ch <= 'z'; ch++) {
        r->plain->sets[ch] |= item;
        r->plain->sets[ch - 'a' + 'A'] |= item;
    }

    r->plain->sets['_'] |= item;
}


/*
 * Adds a character to the set of an item, and says which; or all of "\d" or
 * "\w", and says -1.
 */

static int
martech_regex_plain_char(martech_regex_plain_reader_t *r,
    martech_regex_plain_bits_t item, int *ch)
{
    *ch = *r->p++;

    if (*ch < 0x20 || *ch > 0x7e) {
        return 0;
    }

    if (*ch == '\\') {

        if (r->p == r->end) {
            return 0;
        }

        *ch = *r->p++;

        if (*ch < 0x20 || *ch > 0x7e) {
            return 0;
        }

        if (*ch == 'd' || *ch == 'w') {
            martech_regex_plain_type(r, item, *ch);
            *ch = -1;

            return 1;
        }

        /* letters and digits mean something else each */

        if (strchr("^$\\.*+?()[]{}|/-", *ch) == NULL) {
            return 0;
        }
    }

    r->plain->sets[*ch] |= item;

    return 1;
}


/* "?", "+", "*" or "{n,m}", if it is there; "??" and "?+" are not plain. */

static int
martech_regex_plain_counts(martech_regex_plain_reader_t *r,
    martech_regex_plain_item_t *item)
{
    item->min = 1;
    item->max = 1;

    if (r->p == r->end) {
        return 1;
    }

    switch (*r->p) {

    case '?':
        item->min = 0;
        break;

    case '*':
        item->min = 0;
        item->max = UINT32_MAX;
        break;

    case '+':
        item->max = UINT32_MAX;
        break;

    case '{':
        r->p++;

        if (!martech_regex_plain_number(r, &item->min)) {
            return 0;
        }

        item->max = item->min;

        if (r->p < r->end && *r->p == ',') {
            r->p++;
            item->max = UINT32_MAX;

            if (r->p < r->end && *r->p != '}'
                && !martech_regex_plain_number(r, &item->max))
            {
                return 0;
            }
        }

        if (r->p == r->end || *r->p != '}' || item->max < item->min) {
            return 0;
        }

        break;

    default:
        return 1;
    }

    r->p++;

    return r->p == r->end || (*r->p != '?' && *r->p != '+');
}


static int
martech_regex_plain_number(martech_regex_plain_reader_t *r, uint32_t *n)
{
    const unsigned char  *start;

    start = r->p;
    *n = 0;

    while (r->p < r->end && *r->p >= '0' && *r->p <= '9') {

        if (*n > MARTECH_REGEX_REPEAT_MAX) {
            return 0;
        }

        *n = *n * 10 + (uint32_t) (*r->p++ - '0');
    }

    return r->p > start;
}


/* 1 if a character may stand for both of two items. */

static int
martech_regex_plain_overlap(const martech_regex_plain_t *plain, uint32_t i,
    uint32_t k)
{
    size_t    ch;
    unsigned  both;

    both = 1u << i | 1u << k;

    for (ch = 0; ch < sizeof(plain->sets) / sizeof(plain->sets[0]); ch++) {

        if ((plain->sets[ch] & both) == both) {
            return 1;
        }
    }

    return 0;
}


/*
 * 1 if the walk need never go back: whatever may stand next behind an item of
 * variable count, up to the first item that must be there, is not of its set.
 * The first item of the tail must be there if any of it is, because the walk
 * looks no further than for the end of the text.
 */

static int
martech_regex_plain_certain(const martech_regex_plain_t *plain)
{
    uint32_t                           i, k;
    const martech_regex_plain_item_t  *items;

    items = plain->items;

    for (i = 0; i < plain->count; i++) {

        if (items[i].tail && items[i].min == 0) {
            return 0;
        }

        for (k = i + 1; items[i].min != items[i].max && k < plain->count; k++)
        {
            if (martech_regex_plain_overlap(plain, i, k)) {
                return 0;
            }

            if (items[k].min > 0) {
                break;
            }
        }
    }

    return 1;
}
