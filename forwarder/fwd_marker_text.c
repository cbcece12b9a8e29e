
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Operations of markers on texts.  All of them read a text once.
 */


#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wchar.h>
#include <wctype.h>

#include "fwd_marker.h"
#include "fwd_marker_private.h"


#define FWD_MARKER_ARG_MAX  32           /* bytes behind the colon */


/* How the argument of an operation looks. */
typedef enum {
    FWD_MARKER_ARG_NONE = 0,
    FWD_MARKER_ARG_TEXT,
    FWD_MARKER_ARG_NUMBER
} fwd_marker_arg_t;


typedef struct {
    const char           *word;
    fwd_marker_op_pt      run;           /* from m->in into m->out */
    fwd_marker_arg_t      arg;
} fwd_marker_op_t;


static size_t fwd_marker_next(const fwd_buf_t *in, size_t at, uint32_t *c);
static void fwd_marker_put(fwd_buf_t *out, uint32_t c);
static int fwd_marker_space(const fwd_marker_t *m, uint32_t c);
static int fwd_marker_digit(uint32_t c);
static int fwd_marker_letter(const fwd_marker_t *m, uint32_t c);
static int fwd_marker_alnum_is(const fwd_marker_t *m, uint32_t c);
static void fwd_marker_op_trim(fwd_marker_t *m, const char *arg);
static void fwd_marker_op_lower(fwd_marker_t *m, const char *arg);
static void fwd_marker_op_upper(fwd_marker_t *m, const char *arg);
static void fwd_marker_op_digits(fwd_marker_t *m, const char *arg);
static void fwd_marker_op_nospace(fwd_marker_t *m, const char *arg);
static void fwd_marker_op_alnum(fwd_marker_t *m, const char *arg);
static void fwd_marker_op_letters(fwd_marker_t *m, const char *arg);
static void fwd_marker_op_words(fwd_marker_t *m, const char *arg);
static void fwd_marker_op_plus(fwd_marker_t *m, const char *arg);
static void fwd_marker_op_nozeros(fwd_marker_t *m, const char *arg);
static size_t fwd_marker_gmail(const fwd_buf_t *in);
static void fwd_marker_op_gmail_dots(fwd_marker_t *m, const char *arg);
static void fwd_marker_op_gmail_plus(fwd_marker_t *m, const char *arg);
static void fwd_marker_op_snake(fwd_marker_t *m, const char *arg);
static void fwd_marker_op_ascii(fwd_marker_t *m, const char *arg);
static void fwd_marker_op_before(fwd_marker_t *m, const char *arg);
static void fwd_marker_op_cut(fwd_marker_t *m, const char *arg);
static void fwd_marker_op_bytes(fwd_marker_t *m, const char *arg);
static void fwd_marker_op_e164(fwd_marker_t *m, const char *arg);


static const fwd_marker_op_t  fwd_marker_ops_table[] = {
    { "trim", fwd_marker_op_trim, FWD_MARKER_ARG_NONE },
    { "lower", fwd_marker_op_lower, FWD_MARKER_ARG_NONE },
    { "upper", fwd_marker_op_upper, FWD_MARKER_ARG_NONE },
    { "digits", fwd_marker_op_digits, FWD_MARKER_ARG_NONE },
    { "nospace", fwd_marker_op_nospace, FWD_MARKER_ARG_NONE },
    { "alnum", fwd_marker_op_alnum, FWD_MARKER_ARG_NONE },
    { "letters", fwd_marker_op_letters, FWD_MARKER_ARG_NONE },
    { "words", fwd_marker_op_words, FWD_MARKER_ARG_NONE },
    { "plus", fwd_marker_op_plus, FWD_MARKER_ARG_NONE },
    { "nozeros", fwd_marker_op_nozeros, FWD_MARKER_ARG_NONE },
    { "gmail_dots", fwd_marker_op_gmail_dots, FWD_MARKER_ARG_NONE },
    { "gmail_plus", fwd_marker_op_gmail_plus, FWD_MARKER_ARG_NONE },
    { "snake", fwd_marker_op_snake, FWD_MARKER_ARG_NONE },
    { "ascii", fwd_marker_op_ascii, FWD_MARKER_ARG_NONE },
    { "before", fwd_marker_op_before, FWD_MARKER_ARG_TEXT },
    { "cut", fwd_marker_op_cut, FWD_MARKER_ARG_NUMBER },
    { "bytes", fwd_marker_op_bytes, FWD_MARKER_ARG_NUMBER },
    { "e164", fwd_marker_op_e164, FWD_MARKER_ARG_NUMBER },
    { NULL, NULL, FWD_MARKER_ARG_NONE }
};


/* U+00C0 to U+017F without their marks; "?": goes. */
static const char  fwd_marker_base[] =
    "AAAAAAACEEEEIIII" "DNOOOOO?OUUUUYTs" "aaaaaaaceeeeiiii"
    "dnooooo?ouuuuyty"
    "AaAaAaCcCcCcCcDd" "DdEeEeEeEeEeGgGg" "GgGgHhHhIiIiIiIi"
    "IiIiJjKkkLlLlLlL" "lLlNnNnNnnNnOoOo" "OoOoRrRrRrSsSsSs"
    "SsTtTtTtUuUuUuUu" "UuUuWwYyYZzZzZzs";


fwd_rc_t
fwd_marker_step(fwd_marker_step_t *step, const char *word, fwd_error_t *err)
{
    size_t                  len;
    const char             *arg;
    const fwd_marker_op_t  *op;

    arg = strchr(word, ':');
    len = (arg != NULL) ? (size_t) (arg - word) : strlen(word);
    arg = (arg != NULL) ? arg + 1 : NULL;

    for (op = fwd_marker_ops_table; op->word != NULL; op++) {
        if (op->word[0] == word[0] && strncmp(op->word, word, len) == 0
            && op->word[len] == '\0')
        {
            break;
        }
    }

    if (op->word == NULL
        || (op->arg == FWD_MARKER_ARG_NONE) != (arg == NULL)
        || (arg != NULL && (*arg == '\0' || strlen(arg)
                                            > FWD_MARKER_ARG_MAX))
        || (op->arg == FWD_MARKER_ARG_NUMBER
            && (strlen(arg) > 7
                || arg[strspn(arg, "0123456789")] != '\0')))
    {
        return fwd_error(err, "the map gave an unknown operation in \"do\"");
    }

    step->run = op->run;
    step->arg = arg;

    return FWD_OK;
}


void
fwd_marker_run(fwd_marker_t *m, const fwd_marker_step_t *step)
{
    fwd_buf_t  swap;

    fwd_buf_reset(&m->out);
    step->run(m, step->arg);

    swap = m->in;
    m->in = m->out;
    m->out = swap;
}


/* The character at an offset, and the next offset; texts of jq are UTF-8. */

static size_t
fwd_marker_next(const fwd_buf_t *in, size_t at, uint32_t *c)
{
    size_t                n, i;
    const unsigned char  *p;

    p = in->data + at;

    if (*p < 0x80) {
        *c = *p;
        return at + 1;
    }

    n = (*p < 0xe0) ? 2 : (*p < 0xf0) ? 3 : 4;

    if (n > in->len - at) {
        n = 1;
    }

    *c = (n == 1) ? *p : (n == 2) ? *p & 0x1fu : (n == 3) ? *p & 0x0fu
                                                          : *p & 0x07u;

    for (i = 1; i < n; i++) {
        *c = *c << 6 | (p[i] & 0x3f);
    }

    return at + n;
}


static void
fwd_marker_put(fwd_buf_t *out, uint32_t c)
{
    if (c < 0x80) {

        if (out->len < out->size && !out->failed) {
            out->data[out->len++] = (unsigned char) c;

        } else {
            fwd_buf_add_char(out, (int) c);
        }

        return;
    }

    if (c < 0x800) {
        fwd_buf_add_char(out, (int) (0xc0 | c >> 6));

    } else {

        if (c < 0x10000) {
            fwd_buf_add_char(out, (int) (0xe0 | c >> 12));

        } else {
            fwd_buf_add_char(out, (int) (0xf0 | c >> 18));
            fwd_buf_add_char(out, (int) (0x80 | (c >> 12 & 0x3f)));
        }

        fwd_buf_add_char(out, (int) (0x80 | (c >> 6 & 0x3f)));
    }

    fwd_buf_add_char(out, (int) (0x80 | (c & 0x3f)));
}


/* A no-break space and a byte order mark are of no use to anybody. */

static int
fwd_marker_space(const fwd_marker_t *m, uint32_t c)
{
    if (c > ' ' && c < 0x7f) {
        return 0;
    }

    if (c <= ' ' || c == 0x7f || c == 0xa0 || c == 0xfeff || c == 0x200b
        || c == 0x202f)
    {
        return 1;
    }

    return c >= 0x80 && m->locale != (locale_t) 0
           && iswspace_l((wint_t) c, m->locale);
}


/* Beyond ASCII the library takes them for letters; the common scripts. */

static int
fwd_marker_digit(uint32_t c)
{
    static const uint32_t  zeros[] = {
        0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6,
        0xd66, 0xe50, 0xed0, 0xf20, 0x1040, 0x17e0, 0x1810, 0xff10
    };
    size_t  i;

    for (i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++) {
        if (c >= zeros[i] && c < zeros[i] + 10) {
            return 1;
        }
    }

    return 0;
}


static int
fwd_marker_letter(const fwd_marker_t *m, uint32_t c)
{
    if (c < 0x80) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }

    return m->locale != (locale_t) 0 && iswalpha_l((wint_t) c, m->locale)
           && !fwd_marker_digit(c);
}


static int
fwd_marker_alnum_is(const fwd_marker_t *m, uint32_t c)
{
    return (c >= '0' && c <= '9') || fwd_marker_letter(m, c)
           || (c >= 0x80 && fwd_marker_digit(c));
}


static void
fwd_marker_op_trim(fwd_marker_t *m, const char *arg)
{
    size_t    at, next, from, to;
    uint32_t  c;

    (void) arg;

    from = SIZE_MAX;
    to = 0;

    for (at = 0; at < m->in.len; at = next) {
        next = fwd_marker_next(&m->in, at, &c);

        if (!fwd_marker_space(m, c)) {
            from = (from == SIZE_MAX) ? at : from;
            to = next;
        }
    }

    if (from != SIZE_MAX) {
        fwd_buf_add(&m->out, m->in.data + from, to - from);
    }
}


static void
fwd_marker_op_lower(fwd_marker_t *m, const char *arg)
{
    size_t    at;
    uint32_t  c;

    (void) arg;

    for (at = 0; at < m->in.len; /* void */) {
        at = fwd_marker_next(&m->in, at, &c);

        if (c < 0x80) {
            c += (c >= 'A' && c <= 'Z') ? 'a' - 'A' : 0;

        } else if (m->locale != (locale_t) 0) {
            c = (uint32_t) towlower_l((wint_t) c, m->locale);
        }

        fwd_marker_put(&m->out, c);
    }
}


static void
fwd_marker_op_upper(fwd_marker_t *m, const char *arg)
{
    size_t    at;
    uint32_t  c;

    (void) arg;

    for (at = 0; at < m->in.len; /* void */) {
        at = fwd_marker_next(&m->in, at, &c);

        if (c < 0x80) {
            c -= (c >= 'a' && c <= 'z') ? 'a' - 'A' : 0;

        } else if (m->locale != (locale_t) 0) {
            c = (uint32_t) towupper_l((wint_t) c, m->locale);
        }

        fwd_marker_put(&m->out, c);
    }
}


static void
fwd_marker_op_digits(fwd_marker_t *m, const char *arg)
{
    size_t  i;

    (void) arg;

    for (i = 0; i < m->in.len; i++) {
        if (m->in.data[i] >= '0' && m->in.data[i] <= '9') {
            fwd_marker_put(&m->out, m->in.data[i]);
        }
    }
}


static void
fwd_marker_op_nospace(fwd_marker_t *m, const char *arg)
{
    size_t    at;
    uint32_t  c;

    (void) arg;

    for (at = 0; at < m->in.len; /* void */) {
        at = fwd_marker_next(&m->in, at, &c);

        if (!fwd_marker_space(m, c)) {
            fwd_marker_put(&m->out, c);
        }
    }
}


static void
fwd_marker_op_alnum(fwd_marker_t *m, const char *arg)
{
    size_t    at;
    uint32_t  c;

    (void) arg;

    for (at = 0; at < m->in.len; /* void */) {
        at = fwd_marker_next(&m->in, at, &c);

        if (fwd_marker_alnum_is(m, c)) {
            fwd_marker_put(&m->out, c);
        }
    }
}


static void
fwd_marker_op_letters(fwd_marker_t *m, const char *arg)
{
    size_t    at;
    uint32_t  c;

    (void) arg;

    for (at = 0; at < m->in.len; /* void */) {
        at = fwd_marker_next(&m->in, at, &c);

        if (fwd_marker_letter(m, c)) {
            fwd_marker_put(&m->out, c);
        }
    }
}


static void
fwd_marker_op_words(fwd_marker_t *m, const char *arg)
{
    int       blank;
    size_t    at;
    uint32_t  c;

    (void) arg;

    blank = 0;

    for (at = 0; at < m->in.len; /* void */) {
        at = fwd_marker_next(&m->in, at, &c);

        if (fwd_marker_space(m, c)) {
            blank = 1;

        } else if (fwd_marker_letter(m, c)) {

            if (blank && m->out.len != 0) {
                fwd_buf_add_char(&m->out, ' ');
            }

            blank = 0;
            fwd_marker_put(&m->out, c);
        }
    }
}


static void
fwd_marker_op_plus(fwd_marker_t *m, const char *arg)
{
    (void) arg;

    if (m->in.len != 0 && m->in.data[0] != '+') {
        fwd_buf_add_char(&m->out, '+');
    }

    fwd_buf_add(&m->out, m->in.data, m->in.len);
}


static void
fwd_marker_op_nozeros(fwd_marker_t *m, const char *arg)
{
    size_t  i;

    (void) arg;

    for (i = 0; i < m->in.len && m->in.data[i] == '0'; i++) { /* void */ }

    fwd_buf_add(&m->out, m->in.data + i, m->in.len - i);
}


/* Bytes in front of the "@" of an address there; 0: it is another one. */

static size_t
fwd_marker_gmail(const fwd_buf_t *in)
{
    size_t                    i, n;
    const unsigned char      *at;
    static const char *const  hosts[] = { "gmail.com", "googlemail.com" };

    at = (in->len != 0) ? memrchr(in->data, '@', in->len) : NULL;

    if (at == NULL) {
        return 0;
    }

    n = in->len - (size_t) (at + 1 - in->data);

    for (i = 0; i < 2; i++) {
        if (n == strlen(hosts[i])
            && strncasecmp((const char *) at + 1, hosts[i], n) == 0)
        {
            return (size_t) (at - in->data);
        }
    }

    return 0;
}


static void
fwd_marker_op_gmail_dots(fwd_marker_t *m, const char *arg)
{
    size_t  i, local;

    (void) arg;

    local = fwd_marker_gmail(&m->in);

    for (i = 0; i < m->in.len; i++) {
        if (i >= local || m->in.data[i] != '.') {
            fwd_buf_add_char(&m->out, m->in.data[i]);
        }
    }
}


static void
fwd_marker_op_gmail_plus(fwd_marker_t *m, const char *arg)
{
    size_t                local;
    const unsigned char  *plus;

    (void) arg;

    local = fwd_marker_gmail(&m->in);
    plus = local ? memchr(m->in.data, '+', local) : NULL;

    if (plus == NULL) {
        fwd_buf_add(&m->out, m->in.data, m->in.len);
        return;
    }

    fwd_buf_add(&m->out, m->in.data, (size_t) (plus - m->in.data));
    fwd_buf_add(&m->out, m->in.data + local, m->in.len - local);
}


/* "Order Completed", "orderCompleted", "order-completed": order_completed. */

static void
fwd_marker_op_snake(fwd_marker_t *m, const char *arg)
{
    int       low, wanted;
    size_t    at;
    uint32_t  c;

    (void) arg;

    low = 0;                             /* a small letter or digit before */
    wanted = 0;

    for (at = 0; at < m->in.len; /* void */) {
        at = fwd_marker_next(&m->in, at, &c);

        if (!fwd_marker_alnum_is(m, c)) {
            wanted = 1;
            low = 0;
            continue;
        }

        if (c >= 'A' && c <= 'Z') {
            wanted |= low;
            c += 'a' - 'A';
            low = 0;

        } else {
            low = 1;
        }

        if (wanted && m->out.len != 0) {
            fwd_buf_add_char(&m->out, '_');
        }

        wanted = 0;
        fwd_marker_put(&m->out, c);
    }
}


static void
fwd_marker_op_ascii(fwd_marker_t *m, const char *arg)
{
    char      base;
    size_t    at;
    uint32_t  c;

    (void) arg;

    for (at = 0; at < m->in.len; /* void */) {
        at = fwd_marker_next(&m->in, at, &c);

        if (c < 0x80) {
            fwd_buf_add_char(&m->out, (int) c);
            continue;
        }

        base = (c >= 0xc0 && c < 0x180) ? fwd_marker_base[c - 0xc0] : '?';

        if (c == 0xdf) {
            fwd_buf_add(&m->out, "ss", 2);

        } else if (c == 0xc6 || c == 0xe6) {
            fwd_buf_add(&m->out, c == 0xc6 ? "AE" : "ae", 2);

        } else if (base != '?') {
            fwd_buf_add_char(&m->out, base);
        }
    }
}


static void
fwd_marker_op_before(fwd_marker_t *m, const char *arg)
{
    const unsigned char  *p;

    p = (m->in.len != 0)
        ? memmem(m->in.data, m->in.len, arg, strlen(arg)) : NULL;

    fwd_buf_add(&m->out, m->in.data,
                p != NULL ? (size_t) (p - m->in.data) : m->in.len);
}


static void
fwd_marker_op_cut(fwd_marker_t *m, const char *arg)
{
    size_t    at;
    uint32_t  c;
    uint64_t  left;

    left = strtoul(arg, NULL, 10);

    for (at = 0; at < m->in.len && left != 0; left--) {
        at = fwd_marker_next(&m->in, at, &c);
    }

    fwd_buf_add(&m->out, m->in.data, at);
}


/* Not in the middle of a character. */

static void
fwd_marker_op_bytes(fwd_marker_t *m, const char *arg)
{
    size_t  len;

    len = strtoul(arg, NULL, 10);

    if (len >= m->in.len) {
        len = m->in.len;

    } else {
        while (len > 0 && (m->in.data[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    fwd_buf_add(&m->out, m->in.data, len);
}


/*
 * A number with "+" or "00" has its country; zeros of a national one are for
 * dialling.  Without either, more than ten digits that begin with the code
 * have it, too.
 */

static void
fwd_marker_op_e164(fwd_marker_t *m, const char *arg)
{
    int            global;
    size_t         i;
    fwd_buf_t      swap;

    for (i = 0; i < m->in.len && m->in.data[i] <= ' '; i++) { /* void */ }

    global = (i < m->in.len && m->in.data[i] == '+');
    fwd_marker_op_digits(m, NULL);

    swap = m->in;
    m->in = m->out;
    m->out = swap;
    fwd_buf_reset(&m->out);

    if (m->in.len == 0) {
        return;
    }

    i = 0;

    if (!global && m->in.len > 2 && memcmp(m->in.data, "00", 2) == 0) {
        global = 1;
        i = 2;
    }

    if (!global && m->in.len > 10 && m->in.data[0] != '0'
        && memcmp(m->in.data, arg, strlen(arg)) == 0)
    {
        global = 1;
    }

    if (!global) {
        fwd_buf_add_string(&m->out, arg);

        while (i < m->in.len && m->in.data[i] == '0') {
            i++;
        }
    }

    fwd_buf_add(&m->out, m->in.data + i, m->in.len - i);
}
