
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Sets of characters, as far as the look at the loops needs them: which of
 * some 200 sample characters a class matches.  PCRE2 itself is asked, so that
 * no table of ours can say something else than the match does.  The samples
 * are ASCII, one or two of each kind of character beyond it, and what the
 * pattern names.
 */


#include <string.h>

#include "martech_regex_private.h"


#define MARTECH_REGEX_ASCII  128


static const uint32_t  martech_regex_others[] = {
    0x85, 0xa0, 0xa3, 0xaa, 0xab, 0xb2, 0xb7, 0xbb, 0xbd, 0xc9, 0xd7, 0xdf,
    0xe9, 0xff, 0x17f, 0x1c5, 0x2b0, 0x2c6, 0x301, 0x3a9, 0x3c9, 0x416,
    0x436, 0x5d0, 0x639, 0x663, 0x915, 0x903, 0x966, 0xe01, 0x10d0, 0x13a0,
    0x1680, 0x180e, 0x200b, 0x200d, 0x2010, 0x2013, 0x201c, 0x2028, 0x2029,
    0x202f, 0x203f, 0x2068, 0x20ac, 0x20dd, 0x2116, 0x2160, 0x2190, 0x2200,
    0x2460, 0x263a, 0x3000, 0x3005, 0x3042, 0x30a2, 0x4e2d, 0xac00, 0xe000,
    0xfb03, 0xfeff, 0xff10, 0xfffd, 0x10400, 0x1f600, 0x1d7d8, 0xe0061,
    0x10fffd
};


static uint32_t martech_regex_options(martech_regex_parser_t *r);
static size_t martech_regex_encode(uint32_t cp, unsigned char *out);


void
martech_regex_set_samples(martech_regex_parser_t *r)
{
    uint32_t  i;

    for (i = 0; i < MARTECH_REGEX_ASCII; i++) {
        r->samples[i] = i;
    }

    memcpy(r->samples + i, martech_regex_others, sizeof(martech_regex_others));

    r->nsamples = i + sizeof(martech_regex_others) / sizeof(uint32_t);
}


int
martech_regex_set_valid(martech_regex_parser_t *r, const char *text)
{
    int          rc;
    size_t       offset;
    pcre2_code  *code;

    code = pcre2_compile((PCRE2_SPTR) text, PCRE2_ZERO_TERMINATED,
                         martech_regex_options(r), &rc, &offset, NULL);
    pcre2_code_free(code);

    return code != NULL;
}


int
martech_regex_set_known(martech_regex_parser_t *r, uint32_t node)
{
    int                    rc;
    size_t                 offset, len;
    uint32_t               i;
    pcre2_code            *code;
    unsigned char          buf[4];
    pcre2_match_data      *data;
    martech_regex_node_t  *n;

    n = &r->nodes[node];

    if (n->known) {
        return 0;
    }

    code = pcre2_compile(r->out + n->text, n->text_len,
                         martech_regex_options(r), &rc, &offset, NULL);
    data = pcre2_match_data_create(1, NULL);

    if (code == NULL || data == NULL) {
        pcre2_code_free(code);
        pcre2_match_data_free(data);
        return -1;
    }

    for (i = 0; i < r->nsamples; i++) {
        len = martech_regex_encode(r->samples[i], buf);

        if (pcre2_match(code, buf, len, 0, PCRE2_NO_UTF_CHECK, data, NULL)
            > 0)
        {
            n->set[i / 64] |= 1ULL << (i % 64);
        }
    }

    n->known = 1;

    pcre2_code_free(code);
    pcre2_match_data_free(data);

    return 0;
}


static uint32_t
martech_regex_options(martech_regex_parser_t *r)
{
    return PCRE2_UTF|PCRE2_ANCHORED|PCRE2_NEVER_BACKSLASH_C
           |((r->flags & MARTECH_REGEX_CASELESS) ? PCRE2_CASELESS : 0);
}


static size_t
martech_regex_encode(uint32_t cp, unsigned char *out)
{
    if (cp < 0x80) {
        out[0] = (unsigned char) cp;
        return 1;
    }

    if (cp < 0x800) {
        out[0] = (unsigned char) (0xc0 | (cp >> 6));
        out[1] = (unsigned char) (0x80 | (cp & 0x3f));
        return 2;
    }

    if (cp < 0x10000) {
        out[0] = (unsigned char) (0xe0 | (cp >> 12));
        out[1] = (unsigned char) (0x80 | ((cp >> 6) & 0x3f));
        out[2] = (unsigned char) (0x80 | (cp & 0x3f));
        return 3;
    }

    out[0] = (unsigned char) (0xf0 | (cp >> 18));
    out[1] = (unsigned char) (0x80 | ((cp >> 12) & 0x3f));
    out[2] = (unsigned char) (0x80 | ((cp >> 6) & 0x3f));
    out[3] = (unsigned char) (0x80 | (cp & 0x3f));

    return 4;
}


/* A character of a set, a letter or digit if there is one; its length. */
size_t
martech_regex_set_example(martech_regex_parser_t *r, uint32_t node,
    unsigned turn, unsigned char *out)
{
    uint32_t               i, k;
    martech_regex_node_t  *n;

    n = &r->nodes[node];

    if (martech_regex_set_known(r, node) != 0) {
        return 0;
    }

    for (k = 0; k < r->nsamples; k++) {
        i = k;

        /* "a", "1" and blank first: most classes have one of them */

        if (k < 3) {
            i = "a1 "[(k + turn) % 3];
        }

        if (n->set[i / 64] & (1ULL << (i % 64))) {
            return martech_regex_encode(r->samples[i], out);
        }
    }

    return 0;
}
