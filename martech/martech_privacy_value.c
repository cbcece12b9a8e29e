
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What becomes of one value: taken away, masked, hashed, or its text without
 * what patterns, expressions and the list of an anonymous event find in it.
 */


#include <string.h>

#include <openssl/sha.h>

#include "martech_privacy_private.h"


typedef struct {
    size_t    from;
    size_t    to;
    uint8_t   how;
    unsigned  lower:1;                   /* an address: hashed without case */
} martech_privacy_match_t;


typedef struct {
    martech_privacy_match_t  list[MARTECH_PRIVACY_MATCHES];
    unsigned                 count;
    unsigned                 more:1;     /* than fit, or an expression gave
                                            up */
} martech_privacy_matches_t;


static int martech_privacy_scrubbed(martech_privacy_work_t *w, unsigned word,
    martech_str_t *text);
static unsigned martech_privacy_query(martech_str_t text);
static void martech_privacy_find(martech_privacy_work_t *w,
    martech_str_t text, unsigned patterns, unsigned hints,
    martech_privacy_matches_t *matches);
static void martech_privacy_find_values(martech_privacy_work_t *w,
    martech_str_t text, martech_privacy_matches_t *matches);
static void martech_privacy_note(martech_privacy_matches_t *matches,
    size_t from, size_t to, unsigned how, int lower);
static unsigned martech_privacy_order(martech_privacy_matches_t *matches);
static int martech_privacy_rewrite(martech_privacy_work_t *w,
    martech_str_t *text, const martech_privacy_matches_t *matches);


static uint32_t
martech_privacy_end(const martech_json_tape_t *tape, uint32_t node)
{
    return tape->nodes[node].value + tape->nodes[node].len
           + (tape->nodes[node].kind == MARTECH_JSON_STRING);
}


void
martech_privacy_drop(martech_privacy_work_t *w, uint32_t node)
{
    static const martech_str_t  nothing = martech_string("");
    static const martech_str_t  null = martech_string("null");

    if (w->tape->nodes[node].key) {
        martech_edit_add(w->edits, w->tape->nodes[node].key - 1,
                         martech_privacy_end(w->tape, node), nothing);
        return;
    }

    /* an element keeps its place */

    martech_edit_add(w->edits,
                     w->tape->nodes[node].value
                     - (w->tape->nodes[node].kind == MARTECH_JSON_STRING),
                     martech_privacy_end(w->tape, node), null);
}


static void
martech_privacy_replace(martech_privacy_work_t *w, uint32_t node,
    martech_str_t with)
{
    martech_edit_add(w->edits,
                     w->tape->nodes[node].value
                     - (w->tape->nodes[node].kind == MARTECH_JSON_STRING),
                     martech_privacy_end(w->tape, node), with);
}


/* A value becomes a string of this text. */

void
martech_privacy_put(martech_privacy_work_t *w, uint32_t node,
    const unsigned char *text, size_t len)
{
    martech_str_t          with;
    unsigned char         *start;
    martech_json_writer_t  writer;

    start = martech_edit_room(w->edits, 0);

    if (start == NULL) {
        return;
    }

    martech_json_writer_init(&writer, start, w->edits->size - w->edits->used);
    martech_json_string(&writer, text, len);

    if (writer.overflow) {
        w->edits->full = 1;
        return;
    }

    with.data = start;
    with.len = (size_t) (writer.pos - start);
    w->edits->used += with.len;

    martech_privacy_replace(w, node, with);
}


/* A value that a rule names. */

void
martech_privacy_apply(martech_privacy_work_t *w, uint32_t node, unsigned how)
{
    int                   lower;
    martech_str_t         text;
    unsigned char         hash[MARTECH_PRIVACY_HASH];
    martech_json_kind_t   kind;
    martech_pii_match_t   match;

    static const martech_str_t  mask = martech_string("\"***\"");

    kind = (martech_json_kind_t) w->tape->nodes[node].kind;

    if (how == MARTECH_REDACT_DROP
        || (how == MARTECH_REDACT_HASH && kind >= MARTECH_JSON_ARRAY))
    {
        martech_privacy_drop(w, node);
        return;
    }

    if (kind == MARTECH_JSON_NULL
        || (kind == MARTECH_JSON_STRING && w->tape->nodes[node].len == 0))
    {
        return;
    }

    /* a hash of two values hides neither */

    if (how == MARTECH_REDACT_MASK || kind == MARTECH_JSON_TRUE
        || kind == MARTECH_JSON_FALSE)
    {
        martech_privacy_replace(w, node, mask);
        return;
    }

    if (!martech_privacy_plain(w, node, &text)) {
        return;
    }

    if (text.len > MARTECH_PRIVACY_SCRATCH) {
        w->edits->full = 1;
        return;
    }

    lower = martech_pii_next(MARTECH_PII_EMAIL, 0, text.data, text.len, 0,
                             &match)
            && match.from == 0 && match.to == text.len;

    martech_privacy_hash(w->privacy, text.data, text.len, lower, hash);
    martech_privacy_put(w, node, hash, sizeof(hash));
}


/*
 * HMAC by one-shot digests, which allocate nothing: the blocks of the key and
 * the data stand together in scratch 3.
 */

void
martech_privacy_hash(const martech_privacy_t *privacy,
    const unsigned char *data, size_t len, int lower, unsigned char *out)
{
    size_t          i;
    unsigned char  *block;
    unsigned char   key[SHA256_CBLOCK], digest[SHA256_DIGEST_LENGTH];

    static const unsigned char  hex[] = "0123456789abcdef";

    memset(key, 0, sizeof(key));

    if (privacy->key_len > sizeof(key)) {
        (void) SHA256(privacy->key, privacy->key_len, key);

    } else {
        memcpy(key, privacy->key, privacy->key_len);
    }

    block = martech_privacy_scratch(privacy, 3);

    for (i = 0; i < sizeof(key); i++) {
        block[i] = key[i] ^ 0x36;
    }

    for (i = 0; i < len; i++) {
        block[sizeof(key) + i] = (lower && data[i] >= 'A' && data[i] <= 'Z')
                                 ? data[i] | 0x20 : data[i];
    }

    (void) SHA256(block, sizeof(key) + len, digest);

    for (i = 0; i < sizeof(key); i++) {
        block[i] = key[i] ^ 0x5c;
    }

    memcpy(block + sizeof(key), digest, sizeof(digest));
    (void) SHA256(block, sizeof(key) + sizeof(digest), digest);

    for (i = 0; i < MARTECH_PRIVACY_HASH / 2; i++) {
        out[2 * i] = hex[digest[i] >> 4];
        out[2 * i + 1] = hex[digest[i] & 15];
    }
}


int
martech_privacy_plain(martech_privacy_work_t *w, uint32_t node,
    martech_str_t *text)
{
    long  n;

    *text = martech_json_slice(w->tape, node);

    if (!(w->tape->nodes[node].flags & MARTECH_JSON_VALUE_ESCAPED)
        || w->tape->nodes[node].kind != MARTECH_JSON_STRING)
    {
        return 1;
    }

    n = martech_json_unescape(*text, martech_privacy_scratch(w->privacy, 0),
                              MARTECH_PRIVACY_SCRATCH);
    if (n < 0) {
        w->edits->full = 1;
        return 0;
    }

    text->data = martech_privacy_scratch(w->privacy, 0);
    text->len = (size_t) n;

    return 1;
}


void
martech_privacy_string(martech_privacy_work_t *w, uint32_t node,
    unsigned word, unsigned patterns, unsigned hints)
{
    int                        changed;
    unsigned                   drop;
    martech_str_t              text;
    martech_privacy_matches_t  matches;

    if (!martech_privacy_plain(w, node, &text)) {
        return;
    }

    changed = martech_privacy_scrubbed(w, word, &text);

    matches.count = 0;
    matches.more = 0;

    martech_privacy_find(w, text, patterns, hints, &matches);
    drop = martech_privacy_order(&matches);

    if (drop) {
        martech_privacy_drop(w, node);
        return;
    }

    if (matches.more) {
        martech_privacy_apply(w, node, MARTECH_REDACT_MASK);
        return;
    }

    if (matches.count > 0) {
        changed = 1;

        if (!martech_privacy_rewrite(w, &text, &matches)) {
            w->edits->full = 1;
            return;
        }
    }

    /* what only shows once it is decoded cannot be cut out */

    if (w->secrets && martech_privacy_hidden(w, text)) {
        martech_privacy_apply(w, node, MARTECH_REDACT_MASK);
        return;
    }

    if (changed) {
        martech_privacy_put(w, node, text.data, text.len);
    }
}


/* 1 if the text was a URL that was cleaned. */

static int
martech_privacy_scrubbed(martech_privacy_work_t *w, unsigned word,
    martech_str_t *text)
{
    long            n;
    unsigned char  *out;

    if (w->url == NULL) {
        return 0;
    }

    if (word != MARTECH_WORD_URL && word != MARTECH_WORD_SEARCH
        && !martech_url_absolute(*text))
    {
        word = w->secrets ? martech_privacy_query(*text) : MARTECH_WORD_OTHER;

        if (word == MARTECH_WORD_OTHER) {
            return 0;
        }
    }

    if (word != MARTECH_WORD_SEARCH && martech_url_plain(*text)) {
        return 0;
    }

    out = martech_privacy_scratch(w->privacy, 1);

    n = martech_url_scrub(w->url, word == MARTECH_WORD_SEARCH, *text, out,
                          MARTECH_PRIVACY_SCRATCH);
    if (n < 0) {
        w->edits->full = 1;
        return 0;
    }

    if ((size_t) n == text->len && memcmp(out, text->data, text->len) == 0) {
        return 0;
    }

    text->data = out;
    text->len = (size_t) n;

    return 1;
}


/*
 * In an anonymous event each text with parameters is read as a URL, or as a
 * query string, whatever its member is called: ids of clicks are in them.
 */

static unsigned
martech_privacy_query(martech_str_t text)
{
    size_t         i;
    unsigned       blank;
    unsigned char  c;

    blank = 0;

    for (i = 0; i < text.len; i++) {
        c = text.data[i];

        if (c == '?' || c == '#') {
            return memchr(text.data + i, '=', text.len - i)
                   ? MARTECH_WORD_URL : MARTECH_WORD_OTHER;
        }

        if (c == '=' && !blank) {
            return (i > 0) ? MARTECH_WORD_SEARCH : MARTECH_WORD_OTHER;
        }

        blank |= (c == ' ');
    }

    return MARTECH_WORD_OTHER;
}


static void
martech_privacy_find(martech_privacy_work_t *w, martech_str_t text,
    unsigned patterns, unsigned hints, martech_privacy_matches_t *matches)
{
    size_t               at, from, to;
    unsigned             i;
    martech_pii_match_t  match;

    at = 0;

    while (!matches->more && patterns
           && martech_pii_next(patterns, hints, text.data, text.len, at,
                               &match))
    {
        for (i = 0; i < MARTECH_PII_COUNT && match.pattern != (1u << i); i++) {
            /* void */
        }

        martech_privacy_note(matches, match.from, match.to,
                             (i < MARTECH_PII_COUNT
                              && (w->privacy->patterns & match.pattern))
                             ? w->privacy->pattern_how[i]
                             : MARTECH_REDACT_MASK,
                             match.pattern == MARTECH_PII_EMAIL);
        at = match.to;
    }

    martech_privacy_find_values(w, text, matches);

    if (w->secrets == NULL) {
        return;
    }

    for (at = 0; !matches->more
         && martech_privacy_secret(w->secrets, text, at, &from, &to);
         at = to)
    {
        martech_privacy_note(matches, from, to, MARTECH_REDACT_MASK, 0);
    }
}


static void
martech_privacy_find_values(martech_privacy_work_t *w, martech_str_t text,
    martech_privacy_matches_t *matches)
{
    int                            rc;
    size_t                         at, from, to;
    unsigned                       i;
    const martech_privacy_rule_t  *rule;

    for (i = 0; i < w->privacy->nvalues; i++) {
        rule = &w->privacy->values[i];

        for (at = 0; at <= text.len && !matches->more; at = to) {
            rc = martech_regex_find(rule->regex, text.data, text.len, at,
                                    &from, &to);
            if (rc == 0) {
                break;
            }

            if (rc < 0) {
                matches->more = 1;
                break;
            }

            if (to > from) {
                martech_privacy_note(matches, from, to, rule->how, 0);
                continue;
            }

            /* an empty match: on by one character */

            for (to++; to < text.len && (text.data[to] & 0xc0) == 0x80; to++) {
                /* void */
            }
        }
    }
}


static void
martech_privacy_note(martech_privacy_matches_t *matches, size_t from,
    size_t to, unsigned how, int lower)
{
    martech_privacy_match_t  *match;

    if (matches->count == MARTECH_PRIVACY_MATCHES) {
        matches->more = 1;
        return;
    }

    match = &matches->list[matches->count++];

    match->from = from;
    match->to = to;
    match->how = (uint8_t) how;
    match->lower = (unsigned) lower;
}


/* By place; those that touch a part of another become one.  1: the member is
   to be dropped. */

static unsigned
martech_privacy_order(martech_privacy_matches_t *matches)
{
    unsigned                  i, j, n, drop;
    martech_privacy_match_t   match, *last;

    drop = 0;

    for (i = 0; i < matches->count; i++) {
        match = matches->list[i];
        drop |= (match.how == MARTECH_REDACT_DROP);

        for (j = i; j > 0 && matches->list[j - 1].from > match.from; j--) {
            matches->list[j] = matches->list[j - 1];
        }

        matches->list[j] = match;
    }

    n = 0;

    for (i = 0; i < matches->count; i++) {
        match = matches->list[i];
        last = n ? &matches->list[n - 1] : NULL;

        if (last == NULL || match.from >= last->to) {
            matches->list[n++] = match;
            continue;
        }

        last->to = (match.to > last->to) ? match.to : last->to;
        last->how = martech_redact_worse(last->how, match.how);
    }

    matches->count = n;

    return drop;
}


/* The text with its matches replaced, in scratch 2. */

static int
martech_privacy_rewrite(martech_privacy_work_t *w, martech_str_t *text,
    const martech_privacy_matches_t *matches)
{
    size_t                          at, len;
    unsigned                        i;
    unsigned char                  *out, *p, *end;
    const martech_privacy_match_t  *match;

    out = martech_privacy_scratch(w->privacy, 2);
    end = out + MARTECH_PRIVACY_SCRATCH;
    p = out;
    at = 0;

    for (i = 0; i <= matches->count; i++) {
        match = (i < matches->count) ? &matches->list[i] : NULL;
        len = (match ? match->from : text->len) - at;

        if ((size_t) (end - p) < len + MARTECH_PRIVACY_HASH) {
            return 0;
        }

        memcpy(p, text->data + at, len);
        p += len;

        if (match == NULL) {
            break;
        }

        if (match->how == MARTECH_REDACT_HASH) {

            if (match->to - match->from > MARTECH_PRIVACY_SCRATCH) {
                return 0;
            }

            martech_privacy_hash(w->privacy, text->data + match->from,
                                 match->to - match->from, match->lower, p);
            p += MARTECH_PRIVACY_HASH;

        } else {
            memcpy(p, "***", 3);
            p += 3;
        }

        at = match->to;
    }

    text->data = out;
    text->len = (size_t) (p - out);

    return 1;
}


/*
 * A number of a card is one everywhere; of the others only digits are left in
 * a number, so that its name must tell.
 */

void
martech_privacy_number(martech_privacy_work_t *w, uint32_t node,
    unsigned hints)
{
    size_t               i, from, to;
    unsigned             patterns;
    martech_str_t        text;
    martech_pii_match_t  match;

    text = martech_json_slice(w->tape, node);

    if (w->secrets
        && martech_privacy_secret(w->secrets, text, 0, &from, &to))
    {
        martech_privacy_apply(w, node, MARTECH_REDACT_MASK);
        return;
    }

    patterns = w->patterns & MARTECH_PII_CARD;

    if (hints & MARTECH_PII_HINT_PHONE) {
        patterns |= w->patterns & MARTECH_PII_PHONE;
    }

    if (hints & MARTECH_PII_HINT_NATIONAL) {
        patterns |= w->patterns & MARTECH_PII_NATIONAL;
    }

    for (i = 0; i < text.len; i++) {

        if (text.data[i] < '0' || text.data[i] > '9') {
            return;
        }
    }

    if (!martech_pii_next(patterns, hints, text.data, text.len, 0, &match)
        || match.from != 0 || match.to != text.len)
    {
        return;
    }

    for (i = 0; match.pattern != (1u << i); i++) { /* void */ }

    martech_privacy_apply(w, node, (w->privacy->patterns & match.pattern)
                                   ? w->privacy->pattern_how[i]
                                   : MARTECH_REDACT_MASK);
}
