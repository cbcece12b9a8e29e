
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The JSON scanner; look-up in its tape is martech_json_tape.c.
 *
 * One pass, no recursion, no allocation: an event of 720 bytes must cost less
 * than a microsecond, because NGINX itself needs only eight for the whole
 * request.  Strings are most of an event, so they are skipped sixteen bytes
 * at a time where the processor can; everything else is plain C.
 */


#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "martech_json.h"


#define MARTECH_JSON_DEPTH_CAP  1024     /* whatever the limits say */

/* a quote, sixteen bytes behind it, and two more */
#define MARTECH_JSON_ROOM       19

#define martech_json_min(a, b)  (((a) < (b)) ? (a) : (b))

/* what is seldom called would cost its callers registers */
#define MARTECH_JSON_NOINLINE  __attribute__((noinline))


/*
 * State of a scan.  The position is an argument and result of the functions
 * below, so that it stays in a register; they return NULL after a failure,
 * with rc and pos set.
 */
typedef struct {
    const unsigned char     *end;
    const unsigned char     *roomy;      /* in front of it MARTECH_JSON_ROOM
                                            bytes may be read */
    martech_json_tape_t     *tape;
    size_t                   key_max;    /* bytes of a name */
    size_t                   string_max; /* bytes of a string */
    uint32_t                 depth_max;
    uint32_t                 depth;
    const unsigned char     *pos;        /* of a failure */
    martech_rc_t             rc;
} martech_json_scan_t;


static const unsigned char *martech_json_document(martech_json_scan_t *s,
    const unsigned char *p);
static const unsigned char *martech_json_open(martech_json_scan_t *s,
    const unsigned char *p, martech_json_node_t *node, int kind);
static const unsigned char *martech_json_string_scan(martech_json_scan_t *s,
    const unsigned char *p, uint8_t *flags, uint8_t escaped);
static const unsigned char *martech_json_escape_scan(martech_json_scan_t *s,
    const unsigned char *p);
static const unsigned char *martech_json_utf8_scan(martech_json_scan_t *s,
    const unsigned char *p);
static const unsigned char *martech_json_number_scan(martech_json_scan_t *s,
    const unsigned char *p);
static const unsigned char *martech_json_word_scan(martech_json_scan_t *s,
    const unsigned char *p, const char *word, size_t len);
static int martech_json_name_nul(const unsigned char *p, size_t len);


static const unsigned char *
martech_json_fail(martech_json_scan_t *s, const unsigned char *p,
    martech_rc_t rc)
{
    s->pos = p;
    s->rc = rc;

    return NULL;
}


static MARTECH_JSON_NOINLINE const unsigned char *
martech_json_skip_more(martech_json_scan_t *s, const unsigned char *p)
{
    while (p < s->end && *p <= ' ') {

        if (*p == '\n' || *p == '\r') {
            s->tape->lines = 1;

        } else if (*p != ' ' && *p != '\t') {
            break;
        }

        p++;
    }

    return p;
}


/* Between the tokens of what a program writes there nearly never is space. */

static inline const unsigned char *
martech_json_skip_space(martech_json_scan_t *s, const unsigned char *p)
{
    /* its end is set before anything is scanned */
    /* cppcheck-suppress ctuuninitvar */

    if (p < s->end && *p > ' ') {
        return p;
    }

    return martech_json_skip_more(s, p);
}


#ifdef __SSE2__

/*
 * A bit for each of sixteen bytes that needs a look: a quote, a backslash, a
 * control character, or not ASCII.  With 0x02 turned over the quote is 0x20
 * and no other byte passes that bound, so that one signed comparison finds
 * all but the backslash.
 */

static inline unsigned
martech_json_look(const unsigned char *p)
{
    __m128i  bytes, plain;

    bytes = _mm_loadu_si128((const __m128i *) p);

    plain = _mm_cmpgt_epi8(_mm_xor_si128(bytes, _mm_set1_epi8(0x02)),
                           _mm_set1_epi8(0x20));

    plain = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')),
                             plain);

    return (unsigned) _mm_movemask_epi8(plain) ^ 0xffff;
}


static inline size_t
martech_json_lowest(unsigned mask)
{
    return (unsigned) __builtin_ctz(mask);
}

#endif


/* Most strings are plain: the first byte to look at is the closing quote. */

static inline const unsigned char *
martech_json_string_skip(martech_json_scan_t *s, const unsigned char *p,
    uint8_t *flags, uint8_t escaped)
{
#ifdef __SSE2__
    unsigned  mask;

    while (p < s->roomy) {
        mask = martech_json_look(p);

        if (mask == 0) {
            p += 16;
            continue;
        }

        p += martech_json_lowest(mask);

        if (*p == '"') {
            return p;
        }

        break;
    }
#endif

    return martech_json_string_scan(s, p, flags, escaped);
}


martech_rc_t
martech_json_scan(martech_json_tape_t *tape, const unsigned char *text,
    size_t len, const martech_limits_t *limits)
{
    const unsigned char  *p;
    martech_json_scan_t   s;

    tape->text = text;
    tape->len = len;
    tape->nodes_count = 0;
    tape->error_offset = 0;
    tape->lines = 0;

    s.end = text + len;
    s.roomy = (len < MARTECH_JSON_ROOM) ? text : s.end - MARTECH_JSON_ROOM + 1;
    s.tape = tape;
    s.key_max = martech_json_min(limits->key_size_max, UINT16_MAX);
    s.string_max = limits->string_size_max;
    s.depth_max = martech_json_min(limits->depth_max, MARTECH_JSON_DEPTH_CAP);
    s.depth = 0;

    p = martech_json_skip_space(&s, text);

    if (p == s.end) {
        tape->error_offset = len;
        return MARTECH_BODY_EMPTY;
    }

    p = martech_json_document(&s, p);

    if (p != NULL) {
        p = martech_json_skip_space(&s, p);

        if (p == s.end) {
            return MARTECH_OK;
        }

        (void) martech_json_fail(&s, p, MARTECH_JSON_INVALID);
    }

    tape->nodes_count = 0;
    tape->error_offset = (size_t) (s.pos - text);

    return s.rc;
}


/* A member's name and the colon; returns where its value starts. */

static MARTECH_JSON_NOINLINE const unsigned char *
martech_json_name_scan(martech_json_scan_t *s, const unsigned char *p,
    martech_json_node_t *node)
{
    size_t                size;
    const unsigned char  *start;

    if (p == s->end || *p != '"') {
        return martech_json_fail(s, p, MARTECH_JSON_INVALID);
    }

    start = ++p;

    p = martech_json_string_skip(s, p, &node->flags,
                                 MARTECH_JSON_KEY_ESCAPED);
    if (p == NULL) {
        return NULL;
    }

    size = (size_t) (p - start);

    if (size > s->key_max) {
        return martech_json_fail(s, p, MARTECH_JSON_KEY_SIZE);
    }

    if ((node->flags & MARTECH_JSON_KEY_ESCAPED)
        && martech_json_name_nul(start, size))
    {
        return martech_json_fail(s, start, MARTECH_JSON_INVALID);
    }

    node->key = (uint32_t) (start - s->tape->text);
    node->key_len = (uint16_t) size;

    p = martech_json_skip_space(s, p + 1);

    if (p == s->end || *p != ':') {
        return martech_json_fail(s, p, MARTECH_JSON_INVALID);
    }

    p = martech_json_skip_space(s, p + 1);

    if (p == s->end) {
        return martech_json_fail(s, p, MARTECH_JSON_INVALID);
    }

    return p;
}


/*
 * The same with one look, which is enough for nearly every name: it is plain,
 * has at most fifteen bytes, and no space is around the colon.  NULL if it is
 * not so; that may be right or wrong.
 */

static inline const unsigned char *
martech_json_name_quick(martech_json_scan_t *s, const unsigned char *p,
    martech_json_node_t *node)
{
#ifdef __SSE2__
    unsigned              mask;
    const unsigned char  *end;

    if (p < s->roomy && *p == '"') {
        mask = martech_json_look(p + 1);
        end = p + 1 + martech_json_lowest(mask | 0x8000);

        if (end[0] == '"' && end[1] == ':' && end[2] > ' '
            && (size_t) (end - p - 1) <= s->key_max)
        {
            node->key = (uint32_t) (p + 1 - s->tape->text);
            node->key_len = (uint16_t) (end - p - 1);

            return end + 2;
        }
    }
#else
    (void) s;
    (void) p;
    (void) node;
#endif

    return NULL;
}


/* A string from behind its opening quote. */

static inline const unsigned char *
martech_json_string_value(martech_json_scan_t *s, const unsigned char *start,
    martech_json_node_t *node)
{
    const unsigned char  *p;

    p = martech_json_string_skip(s, start, &node->flags,
                                 MARTECH_JSON_VALUE_ESCAPED);
    if (p == NULL) {
        return NULL;
    }

    node->kind = MARTECH_JSON_STRING;
    node->value = (uint32_t) (start - s->tape->text);
    node->len = (uint32_t) (p - start);

    if (node->len > s->string_max) {
        return martech_json_fail(s, p, MARTECH_JSON_STRING_SIZE);
    }

    return p + 1;
}


/*
 * Scalars are complete on return; of a container only the bracket is read,
 * and it becomes the innermost one.
 */

static inline const unsigned char *
martech_json_value(martech_json_scan_t *s, const unsigned char *p,
    martech_json_node_t *node)
{
    const unsigned char  *start;

    if (*p == '"') {
        return martech_json_string_value(s, p + 1, node);
    }

    start = p;
    node->value = (uint32_t) (p - s->tape->text);

    switch (*p) {

    case '{':
        return martech_json_open(s, p, node, MARTECH_JSON_OBJECT);

    case '[':
        return martech_json_open(s, p, node, MARTECH_JSON_ARRAY);

    case 't':
        node->kind = MARTECH_JSON_TRUE;
        p = martech_json_word_scan(s, p, "true", 4);
        break;

    case 'f':
        node->kind = MARTECH_JSON_FALSE;
        p = martech_json_word_scan(s, p, "false", 5);
        break;

    case 'n':
        node->kind = MARTECH_JSON_NULL;
        p = martech_json_word_scan(s, p, "null", 4);
        break;

    default:
        node->kind = MARTECH_JSON_NUMBER;
        p = martech_json_number_scan(s, p);
    }

    if (p == NULL) {
        return NULL;
    }

    node->len = (uint32_t) (p - start);

    return p;
}


/*
 * What stands in front of a value: the name of a member; nothing if it is an
 * item or the root.
 */

static inline const unsigned char *
martech_json_before(martech_json_scan_t *s, const unsigned char *p,
    martech_json_node_t *node, int named)
{
    const unsigned char  *value;

    if (named) {
        value = martech_json_name_quick(s, p, node);

        return (value != NULL) ? value : martech_json_name_scan(s, p, node);
    }

    node->key = 0;
    node->key_len = 0;

    if (p == s->end) {
        return martech_json_fail(s, p, MARTECH_JSON_INVALID);
    }

    return p;
}


static inline unsigned char
martech_json_bracket(const martech_json_node_t *container)
{
    return (container->kind == MARTECH_JSON_OBJECT) ? '}' : ']';
}


/*
 * The grammar as a loop: a value, then whatever may follow it in the
 * container that is open, until the root is complete.
 */

static const unsigned char *
martech_json_document(martech_json_scan_t *s, const unsigned char *p)
{
    uint32_t              count;
    unsigned char         close;         /* the parent's bracket, 0: none */
    martech_json_node_t  *node, *nodes, *fresh, *parent;

    nodes = s->tape->nodes;
    fresh = nodes;
    parent = NULL;
    close = 0;
    count = 0;

    for ( ;; ) {

        if (count == s->tape->nodes_max) {
            return martech_json_fail(s, p, MARTECH_JSON_TOKENS);
        }

        node = fresh++;
        count++;

        node->flags = 0;
        node->count = 0;
        node->next = count;

        p = martech_json_before(s, p, node, close == '}');

        if (p == NULL) {
            return NULL;
        }

        p = martech_json_value(s, p, node);

        if (p == NULL) {
            return NULL;
        }

        if (node->kind >= MARTECH_JSON_ARRAY) {

            /* "next" leads out of it until it is complete */

            node->next = (parent != NULL) ? (uint32_t) (parent - nodes) : 0;
            parent = node;
            close = martech_json_bracket(parent);

            p = martech_json_skip_space(s, p);

            if (p < s->end && *p != ']' && *p != '}') {
                parent->count = 1;
                continue;
            }

        } else if (parent == NULL) {
            s->tape->nodes_count = count;
            return p;
        }

        /* what may follow a value: a comma, or the ends of containers */

        if (p < s->roomy && p[0] == ',' && p[1] > ' ') {
            p++;
            parent->count++;
            continue;
        }

        for ( ;; ) {
            p = martech_json_skip_space(s, p);

            if (p == s->end) {
                return martech_json_fail(s, p, MARTECH_JSON_INVALID);
            }

            if (*p == ',') {
                p = martech_json_skip_space(s, p + 1);
                parent->count++;
                break;
            }

            if (*p != close) {
                return martech_json_fail(s, p, MARTECH_JSON_INVALID);
            }

            p++;
            node = parent;
            parent = &nodes[node->next];

            node->len = (uint32_t) (p - s->tape->text) - node->value;
            node->next = count;

            if (--s->depth == 0) {
                s->tape->nodes_count = count;
                return p;
            }

            close = martech_json_bracket(parent);
        }
    }
}


static const unsigned char *
martech_json_open(martech_json_scan_t *s, const unsigned char *p,
    martech_json_node_t *node, int kind)
{
    if (s->depth == s->depth_max) {
        return martech_json_fail(s, p, MARTECH_JSON_DEPTH);
    }

    s->depth++;
    node->kind = (uint8_t) kind;

    return p + 1;
}


/* The general case of a string; stops at the closing quote. */

static const unsigned char *
martech_json_string_scan(martech_json_scan_t *s, const unsigned char *p,
    uint8_t *flags, uint8_t escaped)
{
    const unsigned char  *end;

    end = s->end;

    for ( ;; ) {

#ifdef __SSE2__
        while (end - p >= 16) {
            unsigned  mask;

            mask = martech_json_look(p);

            if (mask) {
                p += martech_json_lowest(mask);
                break;
            }

            p += 16;
        }
#endif

        while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
        {
            p++;
        }

        if (p == end) {
            return martech_json_fail(s, p, MARTECH_JSON_INVALID);
        }

        if (*p == '"') {
            return p;
        }

        if (*p == '\\') {
            *flags |= escaped;
            p = martech_json_escape_scan(s, p);

        } else if (*p >= 0x80) {
            p = martech_json_utf8_scan(s, p);

        } else {
            return martech_json_fail(s, p, MARTECH_JSON_INVALID);
        }

        if (p == NULL) {
            return NULL;
        }
    }
}


static const unsigned char *
martech_json_escape_scan(martech_json_scan_t *s, const unsigned char *at)
{
    int                   hi, lo;
    const unsigned char  *p;

    p = at + 1;

    if (p == s->end) {
        return martech_json_fail(s, at, MARTECH_JSON_INVALID);
    }

    switch (*p) {

    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return p + 1;

    case 'u':
        break;

    default:
        return martech_json_fail(s, at, MARTECH_JSON_INVALID);
    }

    hi = martech_json_hex4(p + 1, s->end);

    if (hi < 0) {
        return martech_json_fail(s, at, MARTECH_JSON_INVALID);
    }

    if (hi < 0xd800 || hi > 0xdfff) {
        return p + 5;
    }

    if (hi > 0xdbff || s->end - p < 7 || p[5] != '\\' || p[6] != 'u') {
        return martech_json_fail(s, at, MARTECH_JSON_UTF8);
    }

    lo = martech_json_hex4(p + 7, s->end);

    if (lo < 0) {
        return martech_json_fail(s, at, MARTECH_JSON_INVALID);
    }

    if (lo < 0xdc00 || lo > 0xdfff) {
        return martech_json_fail(s, at, MARTECH_JSON_UTF8);
    }

    return p + 11;
}


/* Well-formed byte sequences as in table 3-7 of the Unicode Standard. */

static const unsigned char *
martech_json_utf8_scan(martech_json_scan_t *s, const unsigned char *p)
{
    size_t         len;
    unsigned char  low, high;

    low = 0x80;
    high = 0xbf;

    if (*p >= 0xc2 && *p <= 0xdf) {
        len = 2;

    } else if (*p >= 0xe0 && *p <= 0xef) {
        len = 3;
        low = (*p == 0xe0) ? 0xa0 : 0x80;
        high = (*p == 0xed) ? 0x9f : 0xbf;

    } else if (*p >= 0xf0 && *p <= 0xf4) {
        len = 4;
        low = (*p == 0xf0) ? 0x90 : 0x80;
        high = (*p == 0xf4) ? 0x8f : 0xbf;

    } else {
        return martech_json_fail(s, p, MARTECH_JSON_UTF8);
    }

    if ((size_t) (s->end - p) < len || p[1] < low || p[1] > high) {
        return martech_json_fail(s, p, MARTECH_JSON_UTF8);
    }

    if (len > 2 && (p[2] & 0xc0) != 0x80) {
        return martech_json_fail(s, p, MARTECH_JSON_UTF8);
    }

    if (len > 3 && (p[3] & 0xc0) != 0x80) {
        return martech_json_fail(s, p, MARTECH_JSON_UTF8);
    }

    return p + len;
}


static inline const unsigned char *
martech_json_digits(const unsigned char *p, const unsigned char *end)
{
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }

    return p;
}


static const unsigned char *
martech_json_number_scan(martech_json_scan_t *s, const unsigned char *at)
{
    const unsigned char  *p, *start;

    p = at;

    if (*p == '-') {
        p++;
    }

    start = p;
    p = martech_json_digits(p, s->end);

    if (p == start || (*start == '0' && p - start > 1)) {
        return martech_json_fail(s, at, MARTECH_JSON_INVALID);
    }

    if (p < s->end && *p == '.') {
        start = ++p;
        p = martech_json_digits(p, s->end);

        if (p == start) {
            return martech_json_fail(s, at, MARTECH_JSON_INVALID);
        }
    }

    if (p < s->end && (*p == 'e' || *p == 'E')) {
        p++;

        if (p < s->end && (*p == '+' || *p == '-')) {
            p++;
        }

        start = p;
        p = martech_json_digits(p, s->end);

        if (p == start) {
            return martech_json_fail(s, at, MARTECH_JSON_INVALID);
        }
    }

    return p;
}


static const unsigned char *
martech_json_word_scan(martech_json_scan_t *s, const unsigned char *p,
    const char *word, size_t len)
{
    if ((size_t) (s->end - p) < len || memcmp(p, word, len) != 0) {
        return martech_json_fail(s, p, MARTECH_JSON_INVALID);
    }

    return p + len;
}


/* The value of four hex digits, or -1. */

int
martech_json_hex4(const unsigned char *p, const unsigned char *end)
{
    int  i, value;

    if (end - p < 4) {
        return -1;
    }

    value = 0;

    for (i = 0; i < 4; i++) {
        value <<= 4;

        if (p[i] >= '0' && p[i] <= '9') {
            value |= p[i] - '0';

        } else if ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'f') {
            value |= (p[i] | 0x20) - 'a' + 10;

        } else {
            return -1;
        }
    }

    return value;
}


/* 1 if a name, scanned already, holds the escape of NUL. */

static int
martech_json_name_nul(const unsigned char *p, size_t len)
{
    const unsigned char  *end;

    end = p + len;

    while (p < end) {

        if (*p != '\\') {
            p++;
            continue;
        }

        if (p[1] == 'u' && martech_json_hex4(p + 2, end) == 0) {
            return 1;
        }

        p += 2;
    }

    return 0;
}
