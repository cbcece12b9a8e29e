
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Escapes and classes of a pattern in the syntax of PCRE2: found, and handed
 * on as they are, which leaves their errors to PCRE2.  What would move the
 * match, or call into the pattern again, is refused.
 */


#include <string.h>

#include "martech_regex_private.h"


static int martech_regex_perl_set(martech_regex_parser_t *r,
    const unsigned char *where, uint32_t *node);
static int martech_regex_perl_empty(martech_regex_parser_t *r,
    const unsigned char *where, uint32_t *node);


int
martech_regex_perl_escape(martech_regex_parser_t *r, uint32_t *node)
{
    unsigned char         ch, next;
    const unsigned char  *where, *end;

    where = r->p;

    if (r->end - r->p < 2) {
        return martech_regex_fail(r, where, "\"\\\" at the end");
    }

    ch = r->p[1];
    r->p++;

    /* behind the escaped character */
    (void) martech_regex_take(r);

    next = (r->p < r->end) ? *r->p : 0;

    switch (ch) {

    case 'A': case 'z': case 'Z':
        return martech_regex_perl_empty(r, where, node);

    case 'C': case 'E': case 'G': case 'K': case 'Q': case 'X': case 'N':
        return martech_regex_fail(r, where, "\"\\%c\" is not allowed", ch);

    case 'g':
    case 'k':
        if (ch == 'g' && next != '{') {
            return martech_regex_fail(r, where, "\"\\g\" is allowed with "
                                      "\"{...}\" only");
        }

        end = memchr(r->p, next == '{' ? '}' : next == '<' ? '>' : '\'',
                     (size_t) (r->end - r->p));

        if (end == NULL || (next == '\'' && end == r->p)) {
            return martech_regex_fail(r, where, "\"\\%c\" without a name", ch);
        }

        r->p = end + 1;
        r->traits.opaque = 1;
        return martech_regex_perl_empty(r, where, node);

    case 'x': case 'o': case 'p': case 'P':
        if (next == '{') {
            end = memchr(r->p, '}', (size_t) (r->end - r->p));

            if (end == NULL) {
                return martech_regex_fail(r, where, "\"{\" without \"}\"");
            }

            r->p = end + 1;

        } else if (ch == 'x') {
            while (r->p < r->end && r->p - where < 4
                   && ((*r->p >= '0' && *r->p <= '9')
                       || ((*r->p | 0x20) >= 'a' && (*r->p | 0x20) <= 'f')))
            {
                r->p++;
            }

        } else if (ch != 'o' && r->p < r->end) {
            (void) martech_regex_take(r);
        }

        return martech_regex_perl_set(r, where, node);

    case 'c':
        if (r->p < r->end) {
            (void) martech_regex_take(r);
        }

        return martech_regex_perl_set(r, where, node);

    default:
        break;
    }

    if (ch >= '1' && ch <= '9') {
        if (next >= '0' && next <= '9') {
            return martech_regex_fail(r, where, "write \"\\x{...}\" for a "
                                      "character and \"\\g{...}\" for a "
                                      "group");
        }

        r->traits.opaque = 1;
        return martech_regex_perl_empty(r, where, node);
    }

    while (ch == '0' && r->p < r->end && r->p - where < 4 && *r->p >= '0'
           && *r->p <= '7')
    {
        r->p++;
    }

    return martech_regex_perl_set(r, where, node);
}


int
martech_regex_perl_class(martech_regex_parser_t *r, uint32_t *node)
{
    int                   escaped;
    uint32_t              cp;
    const unsigned char  *where, *p;

    where = r->p++;

    if (r->p < r->end && *r->p == '^') {
        r->p++;
    }

    /* a bracket in front is one of the characters */

    if (r->p < r->end && *r->p == ']') {
        r->p++;
    }

    while (r->p < r->end && *r->p != ']') {
        escaped = (*r->p == '\\');

        if (escaped) {
            r->p++;

            if (r->p < r->end && (*r->p == 'Q' || *r->p == 'E')) {
                return martech_regex_fail(r, r->p - 1, "\"\\%c\" is not "
                                          "allowed", *r->p);
            }
        }

        if (!escaped && r->end - r->p > 1 && r->p[0] == '[' && r->p[1] == ':')
        {
            for (p = r->p + 2; p < r->end && ((*p >= 'a' && *p <= 'z')
                                              || *p == '^'); p++)
            {
                /* void */
            }

            if (r->end - p > 1 && p[0] == ':' && p[1] == ']') {
                r->p = p + 2;
                continue;
            }
        }

        if (r->p < r->end) {
            cp = martech_regex_take(r);
            martech_regex_sample(r, cp);
        }
    }

    if (r->p == r->end) {
        return martech_regex_fail(r, where, "\"[\" without \"]\"");
    }

    r->p++;

    return martech_regex_perl_set(r, where, node);
}


/* What was taken is a set of characters. */
static int
martech_regex_perl_set(martech_regex_parser_t *r, const unsigned char *where,
    uint32_t *node)
{
    *node = martech_regex_node(r, MARTECH_REGEX_SET, where);
    if (*node == MARTECH_REGEX_NONE) {
        return -1;
    }

    r->nodes[*node].text = (uint32_t) r->out_len;
    r->nodes[*node].text_len = (uint32_t) (r->p - where);

    return martech_regex_put_bytes(r, where, (size_t) (r->p - where));
}


/* What was taken is an assertion or a reference. */
static int
martech_regex_perl_empty(martech_regex_parser_t *r,
    const unsigned char *where, uint32_t *node)
{
    *node = martech_regex_node(r, MARTECH_REGEX_EMPTY, where);
    if (*node == MARTECH_REGEX_NONE) {
        return -1;
    }

    return martech_regex_put_bytes(r, where, (size_t) (r->p - where));
}
