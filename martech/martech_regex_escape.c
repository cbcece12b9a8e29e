
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Escapes and classes of a pattern, in the syntax of ECMA-262 with its flag
 * "u": what they mean there is written out for PCRE2, which means something
 * else by "\s", "\v", "[]" or "\u0041".
 *
 * One thing is taken more kindly: punctuation may be escaped even if it needs
 * no escape ("\@").
 */


#include <stdio.h>
#include <string.h>

#include "martech_regex_private.h"


/* WhiteSpace and LineTerminator of ECMA-262, and all but these. */
#define MARTECH_REGEX_SPACE                                                   \
    "\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}"        \
    "\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}"
#define MARTECH_REGEX_NOT_SPACE                                               \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}"             \
    "\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}"               \
    "\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}"               \
    "\\x{ff00}-\\x{10ffff}"


/* Long names of the general categories, which PCRE2 knows by the short ones. */
static const struct {
    const char  *name;
    const char  *code;
} martech_regex_categories[] = {
    { "Cased_Letter", "L&" },
    { "Close_Punctuation", "Pe" },
    { "Combining_Mark", "M" },
    { "Connector_Punctuation", "Pc" },
    { "Control", "Cc" },
    { "Currency_Symbol", "Sc" },
    { "Dash_Punctuation", "Pd" },
    { "Decimal_Number", "Nd" },
    { "Enclosing_Mark", "Me" },
    { "Final_Punctuation", "Pf" },
    { "Format", "Cf" },
    { "Initial_Punctuation", "Pi" },
    { "LC", "L&" },
    { "Letter", "L" },
    { "Letter_Number", "Nl" },
    { "Line_Separator", "Zl" },
    { "Lowercase_Letter", "Ll" },
    { "Mark", "M" },
    { "Math_Symbol", "Sm" },
    { "Modifier_Letter", "Lm" },
    { "Modifier_Symbol", "Sk" },
    { "Nonspacing_Mark", "Mn" },
    { "Number", "N" },
    { "Open_Punctuation", "Ps" },
    { "Other", "C" },
    { "Other_Letter", "Lo" },
    { "Other_Number", "No" },
    { "Other_Punctuation", "Po" },
    { "Other_Symbol", "So" },
    { "Paragraph_Separator", "Zp" },
    { "Private_Use", "Co" },
    { "Punctuation", "P" },
    { "Separator", "Z" },
    { "Space_Separator", "Zs" },
    { "Spacing_Mark", "Mc" },
    { "Surrogate", "Cs" },
    { "Symbol", "S" },
    { "Titlecase_Letter", "Lt" },
    { "Unassigned", "Cn" },
    { "Uppercase_Letter", "Lu" },
    { "cntrl", "Cc" },
    { "digit", "Nd" },
    { "punct", "P" },
};


/* What an escape is: one character, or a set that is written already. */
typedef enum {
    MARTECH_REGEX_CHAR = 0,
    MARTECH_REGEX_WRITTEN
} martech_regex_item_t;


static int martech_regex_reference(martech_regex_parser_t *r, uint32_t *node);
static int martech_regex_named(martech_regex_parser_t *r, uint32_t *node);
static int martech_regex_put_reference(martech_regex_parser_t *r,
    uint32_t number, const unsigned char *where, uint32_t *node);
static int martech_regex_escaped(martech_regex_parser_t *r, int in_class,
    martech_regex_item_t *item, uint32_t *cp);
static int martech_regex_shorthand(martech_regex_parser_t *r, int in_class);
static int martech_regex_property(martech_regex_parser_t *r);
static int martech_regex_hex(martech_regex_parser_t *r, uint32_t *cp);
static int martech_regex_unicode(martech_regex_parser_t *r, uint32_t *cp);
static int martech_regex_digits(martech_regex_parser_t *r, int count,
    uint32_t *value);
static int martech_regex_class_item(martech_regex_parser_t *r,
    martech_regex_item_t *item, uint32_t *cp);
static int martech_regex_range(martech_regex_parser_t *r, uint32_t from,
    uint32_t to);


int
martech_regex_escape(martech_regex_parser_t *r, uint32_t *node)
{
    int                    rc;
    size_t                 start;
    uint32_t               cp;
    unsigned char          ch;
    martech_regex_item_t   item;
    const unsigned char   *where;

    where = r->p;

    if (r->end - r->p < 2) {
        return martech_regex_fail(r, where, "\"\\\" at the end");
    }

    ch = r->p[1];

    if (ch >= '1' && ch <= '9') {
        return martech_regex_reference(r, node);
    }

    if (ch == 'k') {
        return martech_regex_named(r, node);
    }

    start = r->out_len;

    rc = martech_regex_escaped(r, 0, &item, &cp);

    if (rc == 0 && item == MARTECH_REGEX_CHAR) {

        /* half of a pair is in no valid text */

        rc = (cp >= 0xd800 && cp <= 0xdfff) ? martech_regex_put(r, "[^\\x{0}-"
                                                                "\\x{10ffff}]")
                                            : martech_regex_put_literal(r, cp);
    }

    if (rc != 0) {
        return -1;
    }

    *node = martech_regex_node(r, MARTECH_REGEX_SET, where);
    if (*node == MARTECH_REGEX_NONE) {
        return -1;
    }

    r->nodes[*node].text = (uint32_t) start;
    r->nodes[*node].text_len = (uint32_t) (r->out_len - start);

    return 0;
}


static int
martech_regex_reference(martech_regex_parser_t *r, uint32_t *node)
{
    uint32_t              number;
    const unsigned char  *where;

    where = r->p++;
    number = 0;

    while (r->p < r->end && *r->p >= '0' && *r->p <= '9') {
        if (number <= r->ngroups) {
            number = number * 10 + (*r->p - '0');
        }

        r->p++;
    }

    if (number > r->ngroups) {
        return martech_regex_fail(r, where, "a reference to group %u, there "
                                  "are %u", (unsigned) number,
                                  (unsigned) r->ngroups);
    }

    return martech_regex_put_reference(r, number, where, node);
}


/* "\k<name>" */
static int
martech_regex_named(martech_regex_parser_t *r, uint32_t *node)
{
    size_t                len;
    uint32_t              i;
    const unsigned char  *where, *end;

    where = r->p;
    end = memchr(where, '>', (size_t) (r->end - where));

    if (r->end - where < 4 || where[2] != '<' || end == NULL) {
        return martech_regex_fail(r, where, "\"\\k\" without \"<name>\"");
    }

    len = (size_t) (end - where - 3);

    for (i = 0; i < r->ngroups; i++) {
        if (len != 0 && r->groups[i].name.len == len
            && memcmp(r->groups[i].name.data, where + 3, len) == 0)
        {
            r->p = end + 1;
            return martech_regex_put_reference(r, i + 1, where, node);
        }
    }

    return martech_regex_fail(r, where, "a reference to a group that is not "
                              "there");
}


static int
martech_regex_put_reference(martech_regex_parser_t *r, uint32_t number,
    const unsigned char *where, uint32_t *node)
{
    r->traits.opaque = 1;

    *node = martech_regex_node(r, MARTECH_REGEX_EMPTY, where);
    if (*node == MARTECH_REGEX_NONE) {
        return -1;
    }

    return martech_regex_put(r, "\\g{%u}", (unsigned) number);
}


/* Takes an escape that stands for a character or a set of them. */
static int
martech_regex_escaped(martech_regex_parser_t *r, int in_class,
    martech_regex_item_t *item, uint32_t *cp)
{
    unsigned char         ch;
    const unsigned char  *where;

    where = r->p;

    if (r->end - r->p < 2) {
        return martech_regex_fail(r, where, "\"\\\" at the end");
    }

    ch = r->p[1];
    r->p += 2;
    *item = MARTECH_REGEX_CHAR;

    switch (ch) {

    case 'd': case 'D': case 'w': case 'W': case 's': case 'S':
        *item = MARTECH_REGEX_WRITTEN;
        return martech_regex_shorthand(r, in_class);

    case 'p': case 'P':
        *item = MARTECH_REGEX_WRITTEN;
        return martech_regex_property(r);

    case 't':
        *cp = '\t';
        return 0;

    case 'n':
        *cp = '\n';
        return 0;

    case 'v':
        *cp = 0x0b;
        return 0;

    case 'f':
        *cp = '\f';
        return 0;

    case 'r':
        *cp = '\r';
        return 0;

    case 'b':
        *cp = 0x08;
        return 0;

    case '0':
        *cp = 0;

        if (r->p < r->end && *r->p >= '0' && *r->p <= '9') {
            return martech_regex_fail(r, where, "octal numbers are not "
                                      "allowed, write \"\\x..\"");
        }

        return 0;

    case 'c':
        if (r->p < r->end && (((*r->p | 0x20) >= 'a')
                              && ((*r->p | 0x20) <= 'z')))
        {
            *cp = *r->p++ & 0x1f;
            return 0;
        }

        return martech_regex_fail(r, where, "\"\\c\" without a letter");

    case 'x':
        return martech_regex_hex(r, cp);

    case 'u':
        return martech_regex_unicode(r, cp);

    case '_':
        break;

    default:
        if (ch > 0x20 && ch < 0x7f && !(ch >= '0' && ch <= '9')
            && !((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z'))
        {
            *cp = ch;
            return 0;
        }

        break;
    }

    if (ch == 'A' || ch == 'Z' || ch == 'z' || ch == 'Q' || ch == 'E') {
        return martech_regex_fail(r, where, "\"\\%c\" is not part of this "
                                  "syntax, use \"^\", \"$\" or escapes", ch);
    }

    return martech_regex_fail(r, where, "an unknown escape");
}


static int
martech_regex_shorthand(martech_regex_parser_t *r, int in_class)
{
    unsigned char  ch;

    ch = r->p[-1];

    if (ch == 's' || ch == 'S') {
        return martech_regex_put(r, in_class ? "%s" : "[%s]",
                                 ch == 's' ? MARTECH_REGEX_SPACE
                                           : MARTECH_REGEX_NOT_SPACE);
    }

    /* without PCRE2_UCP these are the ASCII ones, as in ECMA-262 */

    return martech_regex_put(r, "\\%c", ch);
}


/* The rest of "\p{...}" */
static int
martech_regex_property(martech_regex_parser_t *r)
{
    char                  text[96];
    size_t                i, len;
    const char           *name, *prefix;
    const unsigned char  *where, *end, *p;

    where = r->p - 2;
    end = memchr(r->p, '}', (size_t) (r->end - r->p));

    if (r->p == r->end || *r->p != '{' || end == NULL) {
        return martech_regex_fail(r, where, "\"\\%c\" without \"{...}\"",
                                  where[1]);
    }

    name = (const char *) r->p + 1;
    len = (size_t) (end - r->p - 1);
    prefix = "";

    p = memchr(name, '=', len);

    if (p != NULL) {
        size_t  n;

        n = (size_t) ((const char *) p - name);

        if ((n == 6 && memcmp(name, "Script", n) == 0)
            || (n == 2 && memcmp(name, "sc", n) == 0))
        {
            prefix = "sc:";

        } else if ((n == 17 && memcmp(name, "Script_Extensions", n) == 0)
                   || (n == 3 && memcmp(name, "scx", n) == 0))
        {
            prefix = "scx:";

        } else if (!((n == 16 && memcmp(name, "General_Category", n) == 0)
                     || (n == 2 && memcmp(name, "gc", n) == 0)))
        {
            return martech_regex_fail(r, where, "an unknown kind of property");
        }

        name += n + 1;
        len -= n + 1;
    }

    for (i = 0; i < len; i++) {
        if (!((name[i] >= '0' && name[i] <= '9') || name[i] == '_'
              || ((name[i] | 0x20) >= 'a' && (name[i] | 0x20) <= 'z')))
        {
            return martech_regex_fail(r, where, "an unknown property");
        }
    }

    if (len == 0 || len > 64) {
        return martech_regex_fail(r, where, "an unknown property");
    }

    snprintf(text, sizeof(text), "\\%c{%s%.*s}", where[1], prefix, (int) len,
             name);

    for (i = 0; i < sizeof(martech_regex_categories)
                    / sizeof(martech_regex_categories[0]); i++)
    {
        if (prefix[0] == '\0'
            && strlen(martech_regex_categories[i].name) == len
            && memcmp(martech_regex_categories[i].name, name, len) == 0)
        {
            snprintf(text, sizeof(text), "\\%c{%s}", where[1],
                     martech_regex_categories[i].code);
        }
    }

    if (!martech_regex_set_valid(r, text)) {
        return martech_regex_fail(r, where, "an unknown property");
    }

    r->p = end + 1;

    return martech_regex_put(r, "%s", text);
}


static int
martech_regex_hex(martech_regex_parser_t *r, uint32_t *cp)
{
    if (martech_regex_digits(r, 2, cp) != 0) {
        return martech_regex_fail(r, r->p, "\"\\x\" without two hexadecimal "
                                  "digits");
    }

    return 0;
}


/* The rest of "\u0041", of "\ud83d\ude00" or of "\u{1f600}". */
static int
martech_regex_unicode(martech_regex_parser_t *r, uint32_t *cp)
{
    uint32_t              low;
    const unsigned char  *where, *p;

    where = r->p - 2;

    if (r->p < r->end && *r->p == '{') {
        r->p++;
        *cp = 0;

        for (p = r->p; r->p < r->end && *cp <= 0x10ffff; /* void */ ) {
            if (martech_regex_digits(r, 1, &low) != 0) {
                break;
            }

            *cp = *cp * 16 + low;
        }

        if (r->p == p || r->p == r->end || *r->p != '}' || *cp > 0x10ffff) {
            return martech_regex_fail(r, where, "\"\\u{...}\" is no code "
                                      "point");
        }

        r->p++;
        return 0;
    }

    if (martech_regex_digits(r, 4, cp) != 0) {
        return martech_regex_fail(r, where, "\"\\u\" without four hexadecimal "
                                  "digits");
    }

    if (*cp < 0xd800 || *cp > 0xdbff || r->end - r->p < 6
        || r->p[0] != '\\' || r->p[1] != 'u')
    {
        return 0;
    }

    p = r->p;
    r->p += 2;

    if (martech_regex_digits(r, 4, &low) == 0 && low >= 0xdc00
        && low <= 0xdfff)
    {
        *cp = 0x10000 + ((*cp & 0x3ff) << 10) + (low & 0x3ff);
        return 0;
    }

    r->p = p;

    return 0;
}


/* Takes hexadecimal digits; r->p stays where it is if there are too few. */
static int
martech_regex_digits(martech_regex_parser_t *r, int count, uint32_t *value)
{
    int            i;
    uint32_t       n;
    unsigned char  ch;

    if (r->end - r->p < count) {
        return -1;
    }

    n = 0;

    for (i = 0; i < count; i++) {
        ch = r->p[i];

        if (ch >= '0' && ch <= '9') {
            n = n * 16 + (ch - '0');

        } else if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f') {
            n = n * 16 + ((ch | 0x20) - 'a') + 10;

        } else {
            return -1;
        }
    }

    r->p += count;
    *value = n;

    return 0;
}


int
martech_regex_class(martech_regex_parser_t *r, uint32_t *node)
{
    int                    negated, rc;
    size_t                 start, body;
    uint32_t               from, to;
    martech_regex_item_t   item, last;
    const unsigned char   *where, *at;

    where = r->p++;
    start = r->out_len;
    negated = (r->p < r->end && *r->p == '^');
    r->p += negated;

    if (martech_regex_put(r, negated ? "[^" : "[") != 0) {
        return -1;
    }

    body = r->out_len;

    while (r->p < r->end && *r->p != ']') {
        at = r->p;

        if (martech_regex_class_item(r, &item, &from) != 0) {
            return -1;
        }

        to = from;

        if (r->end - r->p > 1 && r->p[0] == '-' && r->p[1] != ']') {
            r->p++;
            last = MARTECH_REGEX_CHAR;

            if (item == MARTECH_REGEX_CHAR
                && martech_regex_class_item(r, &last, &to) != 0)
            {
                return -1;
            }

            if (item != MARTECH_REGEX_CHAR || last != MARTECH_REGEX_CHAR) {
                return martech_regex_fail(r, at, "a range with a set at its "
                                          "end, write \"\\-\" for a dash");
            }

            if (from > to) {
                return martech_regex_fail(r, at, "a range out of order");
            }
        }

        if (item == MARTECH_REGEX_CHAR
            && martech_regex_range(r, from, to) != 0)
        {
            return -1;
        }
    }

    if (r->p == r->end) {
        return martech_regex_fail(r, where, "\"[\" without \"]\"");
    }

    r->p++;

    /* "[]" is nothing, "[^]" anything */

    if (r->out_len == body) {
        r->out_len = start;
        rc = martech_regex_put(r, negated ? "[\\x{0}-\\x{10ffff}]"
                                          : "[^\\x{0}-\\x{10ffff}]");

    } else {
        rc = martech_regex_put(r, "]");
    }

    if (rc != 0) {
        return -1;
    }

    *node = martech_regex_node(r, MARTECH_REGEX_SET, where);
    if (*node == MARTECH_REGEX_NONE) {
        return -1;
    }

    r->nodes[*node].text = (uint32_t) start;
    r->nodes[*node].text_len = (uint32_t) (r->out_len - start);

    return 0;
}


static int
martech_regex_class_item(martech_regex_parser_t *r,
    martech_regex_item_t *item, uint32_t *cp)
{
    if (*r->p == '\\') {
        return martech_regex_escaped(r, 1, item, cp);
    }

    *item = MARTECH_REGEX_CHAR;
    *cp = martech_regex_take(r);

    return 0;
}


/* Writes a range; surrogates are in no valid text, and left out. */
static int
martech_regex_range(martech_regex_parser_t *r, uint32_t from, uint32_t to)
{
    if (from >= 0xd800 && from <= 0xdfff) {
        from = 0xe000;
    }

    if (to >= 0xd800 && to <= 0xdfff) {
        to = 0xd7ff;
    }

    if (from > to) {
        return 0;
    }

    martech_regex_sample(r, from);
    martech_regex_sample(r, to);

    if (from == to) {
        return martech_regex_put(r, "\\x{%x}", (unsigned) from);
    }

    return martech_regex_put(r, "\\x{%x}-\\x{%x}", (unsigned) from,
                             (unsigned) to);
}
