
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


#define MARTECH_JSON_DEPTH_CAP  1024     /* of the parents[] below */


typedef struct {
    const unsigned char     *pos;
    const unsigned char     *end;
    const martech_limits_t  *limits;
    martech_json_tape_t     *tape;
    uint32_t                 depth;
    uint32_t                 parents[MARTECH_JSON_DEPTH_CAP];
} martech_json_scan_t;


static martech_rc_t martech_json_document(martech_json_scan_t *s);
static martech_rc_t martech_json_value(martech_json_scan_t *s,
    martech_json_node_t *node);
static martech_rc_t martech_json_open(martech_json_scan_t *s,
    martech_json_node_t *node, int kind);
static martech_rc_t martech_json_name_scan(martech_json_scan_t *s,
    martech_json_node_t *node);
static martech_rc_t martech_json_string_scan(martech_json_scan_t *s,
    uint8_t *flags, uint8_t escaped);
static martech_rc_t martech_json_escape_scan(martech_json_scan_t *s);
static martech_rc_t martech_json_utf8_scan(martech_json_scan_t *s);
static martech_rc_t martech_json_number_scan(martech_json_scan_t *s);
static martech_rc_t martech_json_word_scan(martech_json_scan_t *s,
    const char *word, size_t len);
static int martech_json_name_nul(const unsigned char *p, size_t len);


static inline void
martech_json_skip_space(martech_json_scan_t *s)
{
    unsigned char         ch;
    const unsigned char  *p;

    p = s->pos;

    while (p < s->end) {
        ch = *p;

        if (ch > ' '
            || (ch != ' ' && ch != '\n' && ch != '\r' && ch != '\t'))
        {
            break;
        }

        p++;
    }

    s->pos = p;
}


martech_rc_t
martech_json_scan(martech_json_tape_t *tape, const unsigned char *text,
    size_t len, const martech_limits_t *limits)
{
    martech_rc_t         rc;
    martech_json_scan_t  s;

    tape->text = text;
    tape->len = len;
    tape->nodes_count = 0;
    tape->error_offset = 0;

    s.pos = text;
    s.end = text + len;
    s.limits = limits;
    s.tape = tape;
    s.depth = 0;

    martech_json_skip_space(&s);

    if (s.pos == s.end) {
        tape->error_offset = len;
        return MARTECH_BODY_EMPTY;
    }

    rc = martech_json_document(&s);

    if (rc != MARTECH_OK) {
        tape->nodes_count = 0;
        tape->error_offset = (size_t) (s.pos - text);
    }

    return rc;
}


/*
 * The grammar as a loop: a value, then whatever may follow it in the
 * container that is open, until the root is complete.
 */

static martech_rc_t
martech_json_document(martech_json_scan_t *s)
{
    uint32_t              parent;
    martech_rc_t          rc;
    martech_json_node_t  *node, *nodes;
    martech_json_tape_t  *tape;

    tape = s->tape;
    nodes = tape->nodes;

value:

    if (tape->nodes_count == tape->nodes_max) {
        return MARTECH_JSON_TOKENS;
    }

    node = &nodes[tape->nodes_count];

    node->key = 0;
    node->key_len = 0;
    node->flags = 0;
    node->count = 0;

    if (s->depth > 0) {
        parent = s->parents[s->depth - 1];
        nodes[parent].count++;

        if (nodes[parent].kind == MARTECH_JSON_OBJECT) {
            rc = martech_json_name_scan(s, node);

            if (rc != MARTECH_OK) {
                return rc;
            }
        }
    }

    if (s->pos == s->end) {
        return MARTECH_JSON_INVALID;
    }

    rc = martech_json_value(s, node);

    if (rc != MARTECH_OK) {
        return rc;
    }

    node->next = ++tape->nodes_count;

    if (node->kind >= MARTECH_JSON_ARRAY) {
        martech_json_skip_space(s);

        if (s->pos == s->end) {
            return MARTECH_JSON_INVALID;
        }

        if (*s->pos != (node->kind == MARTECH_JSON_ARRAY ? ']' : '}')) {
            goto value;
        }
    }

    while (s->depth > 0) {
        martech_json_skip_space(s);

        if (s->pos == s->end) {
            return MARTECH_JSON_INVALID;
        }

        node = &nodes[s->parents[s->depth - 1]];

        if (*s->pos == ',' && node->count > 0) {
            s->pos++;
            martech_json_skip_space(s);
            goto value;
        }

        if (*s->pos != (node->kind == MARTECH_JSON_ARRAY ? ']' : '}')) {
            return MARTECH_JSON_INVALID;
        }

        s->pos++;
        s->depth--;

        node->len = (uint32_t) (s->pos - tape->text) - node->value;
        node->next = tape->nodes_count;
    }

    martech_json_skip_space(s);

    return (s->pos == s->end) ? MARTECH_OK : MARTECH_JSON_INVALID;
}


/* Scalars are complete on return; of a container only the bracket is read. */

static martech_rc_t
martech_json_value(martech_json_scan_t *s, martech_json_node_t *node)
{
    size_t        size;
    martech_rc_t  rc;

    node->value = (uint32_t) (s->pos - s->tape->text);

    switch (*s->pos) {

    case '"':
        s->pos++;
        node->value++;
        node->kind = MARTECH_JSON_STRING;

        rc = martech_json_string_scan(s, &node->flags,
                                      MARTECH_JSON_VALUE_ESCAPED);
        if (rc != MARTECH_OK) {
            return rc;
        }

        size = (size_t) (s->pos - s->tape->text) - node->value;
        s->pos++;

        if (size > s->limits->string_size_max) {
            return MARTECH_JSON_STRING_SIZE;
        }

        node->len = (uint32_t) size;
        return MARTECH_OK;

    case '{':
        return martech_json_open(s, node, MARTECH_JSON_OBJECT);

    case '[':
        return martech_json_open(s, node, MARTECH_JSON_ARRAY);

    case 't':
        node->kind = MARTECH_JSON_TRUE;
        rc = martech_json_word_scan(s, "true", 4);
        break;

    case 'f':
        node->kind = MARTECH_JSON_FALSE;
        rc = martech_json_word_scan(s, "false", 5);
        break;

    case 'n':
        node->kind = MARTECH_JSON_NULL;
        rc = martech_json_word_scan(s, "null", 4);
        break;

    default:
        node->kind = MARTECH_JSON_NUMBER;
        rc = martech_json_number_scan(s);
    }

    node->len = (uint32_t) (s->pos - s->tape->text) - node->value;

    return rc;
}


static martech_rc_t
martech_json_open(martech_json_scan_t *s, martech_json_node_t *node, int kind)
{
    if (s->depth >= s->limits->depth_max
        || s->depth >= MARTECH_JSON_DEPTH_CAP)
    {
        return MARTECH_JSON_DEPTH;
    }

    node->kind = (uint8_t) kind;
    node->len = 0;

    s->parents[s->depth++] = (uint32_t) (node - s->tape->nodes);
    s->pos++;

    return MARTECH_OK;
}


static martech_rc_t
martech_json_name_scan(martech_json_scan_t *s, martech_json_node_t *node)
{
    size_t                size;
    martech_rc_t          rc;
    const unsigned char  *start;

    if (s->pos == s->end || *s->pos != '"') {
        return MARTECH_JSON_INVALID;
    }

    start = ++s->pos;

    rc = martech_json_string_scan(s, &node->flags, MARTECH_JSON_KEY_ESCAPED);

    if (rc != MARTECH_OK) {
        return rc;
    }

    size = (size_t) (s->pos - start);

    if (size > s->limits->key_size_max || size > UINT16_MAX) {
        return MARTECH_JSON_KEY_SIZE;
    }

    if ((node->flags & MARTECH_JSON_KEY_ESCAPED)
        && martech_json_name_nul(start, size))
    {
        return MARTECH_JSON_INVALID;
    }

    node->key = (uint32_t) (start - s->tape->text);
    node->key_len = (uint16_t) size;

    s->pos++;
    martech_json_skip_space(s);

    if (s->pos == s->end || *s->pos != ':') {
        return MARTECH_JSON_INVALID;
    }

    s->pos++;
    martech_json_skip_space(s);

    return MARTECH_OK;
}


/*
 * Stops at the closing quote.  A byte needs a look if it is a quote, a
 * backslash, a control character or not ASCII; the signed comparison finds
 * the last two at once.
 */

static martech_rc_t
martech_json_string_scan(martech_json_scan_t *s, uint8_t *flags,
    uint8_t escaped)
{
    unsigned char         ch;
    martech_rc_t          rc;
    const unsigned char  *p;

    for ( ;; ) {
        p = s->pos;

#ifdef __SSE2__
        while (s->end - p >= 16) {
            int      mask;
            __m128i  bytes, look;

            bytes = _mm_loadu_si128((const __m128i *) p);

            look = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
            look = _mm_or_si128(look,
                                _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
            look = _mm_or_si128(look,
                                _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));

            mask = _mm_movemask_epi8(look);

            if (mask) {
                p += __builtin_ctz((unsigned) mask);
                break;
            }

            p += 16;
        }
#endif

        while (p < s->end && *p >= 0x20 && *p < 0x80 && *p != '"'
               && *p != '\\')
        {
            p++;
        }

        s->pos = p;

        if (p == s->end) {
            return MARTECH_JSON_INVALID;
        }

        ch = *p;

        if (ch == '"') {
            return MARTECH_OK;
        }

        if (ch == '\\') {
            *flags |= escaped;
            rc = martech_json_escape_scan(s);

        } else if (ch >= 0x80) {
            rc = martech_json_utf8_scan(s);

        } else {
            rc = MARTECH_JSON_INVALID;
        }

        if (rc != MARTECH_OK) {
            return rc;
        }
    }
}


static martech_rc_t
martech_json_escape_scan(martech_json_scan_t *s)
{
    int                   hi, lo;
    const unsigned char  *p;

    p = s->pos + 1;

    if (p == s->end) {
        return MARTECH_JSON_INVALID;
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
        s->pos = p + 1;
        return MARTECH_OK;

    case 'u':
        break;

    default:
        return MARTECH_JSON_INVALID;
    }

    hi = martech_json_hex4(p + 1, s->end);

    if (hi < 0) {
        return MARTECH_JSON_INVALID;
    }

    if (hi < 0xd800 || hi > 0xdfff) {
        s->pos = p + 5;
        return MARTECH_OK;
    }

    if (hi > 0xdbff || s->end - p < 7 || p[5] != '\\' || p[6] != 'u') {
        return MARTECH_JSON_UTF8;
    }

    lo = martech_json_hex4(p + 7, s->end);

    if (lo < 0) {
        return MARTECH_JSON_INVALID;
    }

    if (lo < 0xdc00 || lo > 0xdfff) {
        return MARTECH_JSON_UTF8;
    }

    s->pos = p + 11;

    return MARTECH_OK;
}


/* Well-formed byte sequences as in table 3-7 of the Unicode Standard. */

static martech_rc_t
martech_json_utf8_scan(martech_json_scan_t *s)
{
    size_t                len;
    unsigned char         low, high;
    const unsigned char  *p;

    p = s->pos;
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
        return MARTECH_JSON_UTF8;
    }

    if ((size_t) (s->end - p) < len || p[1] < low || p[1] > high) {
        return MARTECH_JSON_UTF8;
    }

    if (len > 2 && (p[2] & 0xc0) != 0x80) {
        return MARTECH_JSON_UTF8;
    }

    if (len > 3 && (p[3] & 0xc0) != 0x80) {
        return MARTECH_JSON_UTF8;
    }

    s->pos = p + len;

    return MARTECH_OK;
}


static inline const unsigned char *
martech_json_digits(const unsigned char *p, const unsigned char *end)
{
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }

    return p;
}


static martech_rc_t
martech_json_number_scan(martech_json_scan_t *s)
{
    const unsigned char  *p, *start;

    p = s->pos;

    if (*p == '-') {
        p++;
    }

    start = p;
    p = martech_json_digits(p, s->end);

    if (p == start || (*start == '0' && p - start > 1)) {
        return MARTECH_JSON_INVALID;
    }

    if (p < s->end && *p == '.') {
        start = ++p;
        p = martech_json_digits(p, s->end);

        if (p == start) {
            return MARTECH_JSON_INVALID;
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
            return MARTECH_JSON_INVALID;
        }
    }

    s->pos = p;

    return MARTECH_OK;
}


static martech_rc_t
martech_json_word_scan(martech_json_scan_t *s, const char *word, size_t len)
{
    if ((size_t) (s->end - s->pos) < len || memcmp(s->pos, word, len) != 0) {
        return MARTECH_JSON_INVALID;
    }

    s->pos += len;

    return MARTECH_OK;
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
