
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What differs between a golden file and what was made, a line a value:
 * "path: got VALUE / want VALUE".  Of long texts the place is shown where
 * they part.
 */


#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fwd_cli_test.h"


#define FWD_GOLDEN_SHOWN   20            /* differences of a file */
#define FWD_GOLDEN_VALUE   160           /* bytes of a value */
#define FWD_GOLDEN_BEFORE  24            /* of a text before it differs */

#define FWD_GOLDEN_NOTHING  "nothing"


static int fwd_golden_count(fwd_golden_t *g, const char *path);
static void fwd_golden_objects(fwd_golden_t *g, const char *path,
    const json_t *got, const json_t *want);
static void fwd_golden_arrays(fwd_golden_t *g, const char *path,
    const json_t *got, const json_t *want);
static int fwd_golden_same(const json_t *got, const json_t *want);
static void fwd_golden_both(fwd_golden_t *g, const char *path,
    const json_t *got, const json_t *want);
static void fwd_golden_show(const fwd_golden_t *g, const char *color,
    const char *text, size_t from);
static size_t fwd_golden_apart(const char *one, const char *two);
static const char *fwd_golden_path(char *out, const char *path,
    const char *name);


void
fwd_golden_say(fwd_golden_t *g, const char *path, const char *fmt, ...)
{
    va_list  args;

    if (!fwd_golden_count(g, path)) {
        return;
    }

    va_start(args, fmt);
    (void) vprintf(fmt, args);
    va_end(args);

    (void) putchar('\n');
}


/* Prints the beginning of a line; 0: enough were shown. */

static int
fwd_golden_count(fwd_golden_t *g, const char *path)
{
    const char  *about;

    if (g->differences++ == 0) {
        about = json_string_value(json_object_get(g->doc, "about"));
        (void) printf("%s%s%s%s%s\n", g->color ? "\033[1m" : "", g->file,
                      g->color ? "\033[0m" : "", about ? ": " : "",
                      about ? about : "");
    }

    if (g->differences > FWD_GOLDEN_SHOWN) {
        return 0;
    }

    (void) printf("    %s%s", path, *path != '\0' ? ": " : "");

    return 1;
}


void
fwd_golden_end(const fwd_golden_t *g)
{
    if (g->differences > FWD_GOLDEN_SHOWN) {
        (void) printf("    ... and %u more\n",
                      (unsigned) (g->differences - FWD_GOLDEN_SHOWN));
    }
}


void
fwd_golden_compare(fwd_golden_t *g, const char *path, const json_t *got,
    const json_t *want)
{
    if (json_is_object(got) && json_is_object(want)) {
        fwd_golden_objects(g, path, got, want);

    } else if (json_is_array(got) && json_is_array(want)) {
        fwd_golden_arrays(g, path, got, want);

    } else if (!fwd_golden_same(got, want)) {
        fwd_golden_both(g, path, got, want);
    }
}


static void
fwd_golden_objects(fwd_golden_t *g, const char *path, const json_t *got,
    const json_t *want)
{
    char         name[FWD_GOLDEN_PATH_MAX];
    void        *iter;
    const char  *key;

    iter = json_object_iter((json_t *) want);

    while (iter != NULL) {
        key = json_object_iter_key(iter);
        fwd_golden_compare(g, fwd_golden_path(name, path, key),
                           json_object_get(got, key),
                           json_object_iter_value(iter));
        iter = json_object_iter_next((json_t *) want, iter);
    }

    iter = json_object_iter((json_t *) got);

    while (iter != NULL) {
        key = json_object_iter_key(iter);

        if (json_object_get(want, key) == NULL) {
            fwd_golden_both(g, fwd_golden_path(name, path, key),
                            json_object_iter_value(iter), NULL);
        }

        iter = json_object_iter_next((json_t *) got, iter);
    }
}


static void
fwd_golden_arrays(fwd_golden_t *g, const char *path, const json_t *got,
    const json_t *want)
{
    char    name[FWD_GOLDEN_PATH_MAX];
    size_t  i;

    for (i = 0; i < json_array_size(got) || i < json_array_size(want); i++) {
        (void) snprintf(name, sizeof(name), "%s[%zu]", path, i);
        fwd_golden_compare(g, name, json_array_get(got, i),
                           json_array_get(want, i));
    }
}


/* Numbers by their value: 12 and 12.0 are the same in JSON. */

static int
fwd_golden_same(const json_t *got, const json_t *want)
{
    if (json_is_real(got) || json_is_real(want)) {
        return json_is_number(got) && json_is_number(want)
               && json_number_value(got) - json_number_value(want) == 0;
    }

    return got != NULL && want != NULL && json_equal(got, want);
}


static void
fwd_golden_both(fwd_golden_t *g, const char *path, const json_t *got,
    const json_t *want)
{
    fwd_golden_text(g, path,
                    got ? fwd_cli_json_text(got, g->pool, NULL) : NULL,
                    want ? fwd_cli_json_text(want, g->pool, NULL) : NULL);
}


void
fwd_golden_text(fwd_golden_t *g, const char *path, const char *got,
    const char *want)
{
    size_t  from;

    if (got != NULL && want != NULL && strcmp(got, want) == 0) {
        return;
    }

    if (!fwd_golden_count(g, path)) {
        return;
    }

    from = (got != NULL && want != NULL) ? fwd_golden_apart(got, want) : 0;

    (void) printf("got ");
    fwd_golden_show(g, "\033[31m", got, from);
    (void) printf(" / want ");
    fwd_golden_show(g, "\033[32m", want, from);
    (void) putchar('\n');
}


static void
fwd_golden_show(const fwd_golden_t *g, const char *color, const char *text,
    size_t from)
{
    size_t  len, i;

    (void) printf("%s", g->color ? color : "");

    if (text == NULL) {
        (void) printf(FWD_GOLDEN_NOTHING);

    } else {
        len = strlen(text + from);

        if (len > FWD_GOLDEN_VALUE) {
            len = FWD_GOLDEN_VALUE;

            while (len != 0 && (text[from + len] & 0xc0) == 0x80) {
                len--;
            }
        }

        (void) printf("%s", from != 0 ? "..." : "");

        /* a difference is a line, and moves nobody's cursor */

        for (i = from; i < from + len; i++) {
            if (text[i] == '\n') {
                (void) printf("\\n");

            } else {
                (void) putchar((unsigned char) text[i] < ' ' ? '?' : text[i]);
            }
        }

        (void) printf("%s", text[from + len] != '\0' ? "..." : "");
    }

    (void) printf("%s", g->color ? "\033[0m" : "");
}


/* Where to begin to show two texts; 0 if all of both can be shown. */

static size_t
fwd_golden_apart(const char *one, const char *two)
{
    size_t  from;

    if (strlen(one) <= FWD_GOLDEN_VALUE && strlen(two) <= FWD_GOLDEN_VALUE) {
        return 0;
    }

    for (from = 0; one[from] == two[from] && one[from] != '\0'; from++) {
        /* void */
    }

    from = from > FWD_GOLDEN_BEFORE ? from - FWD_GOLDEN_BEFORE : 0;

    while (from != 0 && (one[from] & 0xc0) == 0x80) {
        from--;
    }

    return from;
}


static const char *
fwd_golden_path(char *out, const char *path, const char *name)
{
    (void) snprintf(out, FWD_GOLDEN_PATH_MAX, "%s%s%s", path,
                    *path != '\0' ? "." : "", name);

    return out;
}
