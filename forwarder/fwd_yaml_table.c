
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Sections by tables: kinds of values, bounds, and what to say about a value
 * that is not allowed, or a key that nobody knows.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_buf.h"
#include "fwd_units.h"
#include "fwd_yaml.h"


#define FWD_YAML_LIST_MAX  1536          /* bytes of a list of names */
#define FWD_YAML_WORD_MAX  32            /* longer ones are no near miss */


static const fwd_field_t *fwd_yaml_field(const fwd_field_t *fields,
    const char *name);
static fwd_rc_t fwd_yaml_number(const fwd_field_t *field, uint64_t *value,
    const char *text);
static void fwd_yaml_bounds(const fwd_field_t *field, uint64_t *min,
    uint64_t *max);
static void fwd_yaml_list(fwd_yaml_t *y, yaml_node_t *node, const char *path,
    const fwd_field_t *field, fwd_words_t *out);
static int fwd_yaml_allowed(fwd_yaml_t *y, yaml_node_t *node,
    const char *path, const fwd_field_t *field, const char *text);
static void fwd_yaml_text_set(fwd_yaml_t *y, yaml_node_t *node,
    const char *path, const fwd_field_t *field, const char *text,
    const char **out);
static void fwd_yaml_number_set(fwd_yaml_t *y, yaml_node_t *node,
    const char *path, const fwd_field_t *field, const char *text,
    uint64_t *out);
static const char *fwd_yaml_names(fwd_yaml_t *y, const fwd_field_t *fields,
    const char *almost);
static size_t fwd_yaml_distance(const char *a, const char *b);
static size_t fwd_yaml_least(size_t a, size_t b, size_t c);


static const char *const  fwd_yaml_kinds[] = {
    [FWD_FIELD_STRING] = "a text",
    [FWD_FIELD_LIST] = "a list such as [a, b]",
    [FWD_FIELD_NUMBER] = "a number",
    [FWD_FIELD_TIME] = "a time such as 500ms, 10s, 5m, 2h",
    [FWD_FIELD_SIZE] = "a size such as 512k, 64m, 1g",
    [FWD_FIELD_PERCENT] = "a percentage such as 25, 0.5 or 0.25",
    [FWD_FIELD_BOOL] = "true or false",
    [FWD_FIELD_WORD] = "a word",
    [FWD_FIELD_NODE] = "a section"
};


void
fwd_yaml_defaults(const fwd_field_t *fields, void *base, fwd_pool_t *pool)
{
    void               *member;
    const fwd_field_t  *field;

    for (field = fields; field->name != NULL; field++) {

        if (field->dflt == NULL) {
            continue;
        }

        member = (char *) base + field->offset;

        if (field->kind == FWD_FIELD_STRING) {
            *(const char **) member = fwd_pool_string(pool, field->dflt,
                                                      strlen(field->dflt));

        } else if (field->kind != FWD_FIELD_NODE
                   && field->kind != FWD_FIELD_LIST)
        {
            (void) fwd_yaml_number(field, member, field->dflt);
        }
    }
}


void
fwd_yaml_section(fwd_yaml_t *y, yaml_node_t *node, const char *path,
    const fwd_field_t *fields, void *base)
{
    size_t              i;
    uint64_t            seen;
    const char         *key, *full;
    yaml_node_t        *value;
    const fwd_field_t  *field;

    seen = 0;

    if (node != NULL) {

        if (!fwd_yaml_is_map(y, node, *path ? path : "the file")) {
            return;
        }

        i = 0;

        while (fwd_yaml_next(y, node, &i, &key, &value) == FWD_OK) {
            field = fwd_yaml_field(fields, key);

            if (field == NULL) {
                fwd_report(y->report, y->file, y->key_line,
                           "unknown key \"%s\" in %s, allowed are %s", key,
                           *path ? path : "the file",
                           fwd_yaml_names(y, fields, key));
                continue;
            }

            seen |= (uint64_t) 1 << (field - fields);
            full = *path ? fwd_pool_printf(y->pool, "%s.%s", path, key) : key;

            fwd_yaml_value(y, value, full, field, base);
        }
    }

    for (field = fields; field->name != NULL; field++) {
        if (field->required && !(seen & (uint64_t) 1 << (field - fields))) {
            fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                       "%s%s%s is missing, needed is %s", path,
                       *path ? "." : "", field->name,
                       field->allowed ? field->allowed
                                      : fwd_yaml_kinds[field->kind]);
        }
    }
}


static const fwd_field_t *
fwd_yaml_field(const fwd_field_t *fields, const char *name)
{
    const fwd_field_t  *field;

    for (field = fields; field->name != NULL; field++) {
        if (strcmp(field->name, name) == 0) {
            return field;
        }
    }

    return NULL;
}


void
fwd_yaml_value(fwd_yaml_t *y, yaml_node_t *node, const char *path,
    const fwd_field_t *field, void *base)
{
    void        *member;
    const char  *text;

    member = (char *) base + field->offset;

    switch (field->kind) {

    case FWD_FIELD_NODE:
        *(yaml_node_t **) member = node;
        return;

    case FWD_FIELD_LIST:
        fwd_yaml_list(y, node, path, field, member);
        return;

    default:
        break;
    }

    text = fwd_yaml_text(y, node, path);

    if (text == NULL) {
        return;
    }

    if (field->kind == FWD_FIELD_STRING) {
        fwd_yaml_text_set(y, node, path, field, text, member);

    } else {
        fwd_yaml_number_set(y, node, path, field, text, member);
    }
}


static void
fwd_yaml_list(fwd_yaml_t *y, yaml_node_t *node, const char *path,
    const fwd_field_t *field, fwd_words_t *out)
{
    size_t        n;
    uint64_t      min, max;
    const char   *text;
    fwd_words_t   words;
    yaml_node_t  *item;

    if (node->type != YAML_SEQUENCE_NODE) {
        fwd_report(y->report, y->file, fwd_yaml_line(node),
                   "\"%s\" is a %s, allowed is %s", path,
                   node->type == YAML_MAPPING_NODE ? "section"
                                                   : "single value",
                   fwd_yaml_kinds[FWD_FIELD_LIST]);
        return;
    }

    n = (size_t) (node->data.sequence.items.top
                  - node->data.sequence.items.start);

    fwd_yaml_bounds(field, &min, &max);

    if (n < min || n > max) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, path),
                   "\"%s\" has %zu items, allowed are %s to %s", path, n,
                   field->min, field->max);
        return;
    }

    words.list = fwd_pool_alloc(y->pool, n * sizeof(char *));
    words.count = 0;

    for (n = 0; n < max; n++) {
        item = fwd_yaml_item(y, node, n);

        if (item == NULL) {
            break;
        }

        text = fwd_yaml_text(y, item, path);

        if (text != NULL && fwd_yaml_allowed(y, item, path, field, text)) {
            words.list[words.count++] = text;
        }
    }

    *out = words;
}


/* 1 if a text, or an item of a list, is; otherwise it is reported. */

static int
fwd_yaml_allowed(fwd_yaml_t *y, yaml_node_t *node, const char *path,
    const fwd_field_t *field, const char *text)
{
    const char         *allowed;
    const char *const  *word;

    allowed = field->allowed;

    if (field->words != NULL) {

        for (word = field->words; *word != NULL; word++) {
            if (strcmp(*word, text) == 0) {
                return 1;
            }
        }

        allowed = fwd_yaml_words(y->pool, field->words, text);

    } else if (field->valid == NULL || field->valid(text)) {
        return 1;
    }

    fwd_report(y->report, y->file, fwd_yaml_line(node),
               "\"%s\" is \"%s\", allowed %s %s", path, text,
               field->words ? "are" : "is", allowed);

    return 0;
}


static void
fwd_yaml_text_set(fwd_yaml_t *y, yaml_node_t *node, const char *path,
    const fwd_field_t *field, const char *text, const char **out)
{
    size_t    len;
    uint64_t  min, max;

    if (field->min != NULL) {
        len = strlen(text);
        fwd_yaml_bounds(field, &min, &max);

        if (len < min || len > max) {
            fwd_report(y->report, y->file, fwd_yaml_line(node),
                       "\"%s\" is \"%s\", allowed is %s to %s characters",
                       path, text, field->min, field->max);
            return;
        }
    }

    if (fwd_yaml_allowed(y, node, path, field, text)) {
        *out = text;
    }
}


static void
fwd_yaml_number_set(fwd_yaml_t *y, yaml_node_t *node, const char *path,
    const fwd_field_t *field, const char *text, uint64_t *out)
{
    int          word;
    uint64_t     value, min, max;
    const char  *or;

    word = (field->words != NULL && (*text < '0' || *text > '9'));
    or = "";

    if (field->kind == FWD_FIELD_WORD || word) {
        if (fwd_yaml_number(field, &value, text) == FWD_OK) {
            *out = value;
            return;
        }

        if (field->kind == FWD_FIELD_WORD) {
            (void) fwd_yaml_allowed(y, node, path, field, text);
            return;
        }

    } else if (fwd_yaml_number(field, &value, text) != FWD_OK) {
        fwd_report(y->report, y->file, fwd_yaml_line(node),
                   "\"%s\" is \"%s\", allowed is %s", path, text,
                   fwd_yaml_kinds[field->kind]);
        return;
    }

    fwd_yaml_bounds(field, &min, &max);

    if (!word && ((value >= min && value <= max)
                  || (value == 0 && field->zero)))
    {
        *out = value;
        return;
    }

    if (field->words != NULL) {
        or = fwd_pool_printf(y->pool, "%s or ",
                             fwd_yaml_words(y->pool, field->words, NULL));
    }

    fwd_report(y->report, y->file, fwd_yaml_line(node),
               "\"%s\" is \"%s\", allowed is %s%s%s to %s", path, text, or,
               field->zero ? "0 or " : "", field->min, field->max);
}


static void
fwd_yaml_bounds(const fwd_field_t *field, uint64_t *min, uint64_t *max)
{
    *min = 0;
    *max = UINT64_MAX;

    if (field->min != NULL) {
        (void) fwd_yaml_number(field, min, field->min);
        (void) fwd_yaml_number(field, max, field->max);
    }
}


/*
 * Numbers of all kinds; a word stands for its index.  Of texts and lists
 * only the bounds are numbers.
 */

static fwd_rc_t
fwd_yaml_number(const fwd_field_t *field, uint64_t *value, const char *text)
{
    static const char *const  bools[] = { "false", "true", NULL };

    uint64_t            i;
    const char *const  *words;

    words = (field->kind == FWD_FIELD_BOOL) ? bools : field->words;

    for (i = 0; words != NULL && words[i] != NULL; i++) {
        if (strcmp(words[i], text) == 0) {
            *value = i;
            return FWD_OK;
        }
    }

    switch (field->kind) {

    case FWD_FIELD_TIME:
        return fwd_units_time(value, text);

    case FWD_FIELD_SIZE:
        return fwd_units_size(value, text);

    case FWD_FIELD_PERCENT:
        return fwd_units_percent(value, text);

    case FWD_FIELD_STRING:
    case FWD_FIELD_LIST:
    case FWD_FIELD_NUMBER:
        return fwd_units_number(value, text);

    default:
        return FWD_ERROR;
    }
}


static const char *
fwd_yaml_names(fwd_yaml_t *y, const fwd_field_t *fields, const char *almost)
{
    size_t       i;
    const char  *words[64 + 1];

    for (i = 0; i < 64 && fields[i].name != NULL; i++) {
        words[i] = fields[i].name;
    }

    words[i] = NULL;

    return fwd_yaml_words(y->pool, words, almost);
}


const char *
fwd_yaml_words(fwd_pool_t *pool, const char *const *words, const char *almost)
{
    size_t       distance, best;
    fwd_buf_t    list;
    const char  *near, *text;

    near = NULL;
    best = (almost != NULL) ? strlen(almost) / 3 : 0;

    fwd_buf_init(&list, FWD_YAML_LIST_MAX);

    for ( /* void */ ; *words != NULL; words++) {
        fwd_buf_add_string(&list, list.len ? ", \"" : "\"");
        fwd_buf_add_string(&list, *words);
        fwd_buf_add_char(&list, '"');

        distance = (almost != NULL && best > 0)
                   ? fwd_yaml_distance(almost, *words) : SIZE_MAX;

        if (distance <= best && (near == NULL || distance < best)) {
            near = *words;
            best = distance;
        }
    }

    text = list.len ? fwd_pool_string(pool, list.data, list.len) : "none";
    fwd_buf_free(&list);

    if (near != NULL) {
        text = fwd_pool_printf(pool, "%s; did you mean \"%s\"?", text, near);
    }

    return text;
}


/*
 * Edits from one word to the other: a letter more, less or another one, or
 * two that changed places.
 */

static size_t
fwd_yaml_distance(const char *a, const char *b)
{
    size_t  i, n, same, alen, blen;
    size_t  d[FWD_YAML_WORD_MAX + 1][FWD_YAML_WORD_MAX + 1];

    alen = strlen(a);
    blen = strlen(b);

    if (alen > FWD_YAML_WORD_MAX || blen > FWD_YAML_WORD_MAX) {
        return SIZE_MAX;
    }

    for (i = 0; i <= alen; i++) {

        for (n = 0; n <= blen; n++) {

            if (i == 0 || n == 0) {
                d[i][n] = i + n;
                continue;
            }

            same = (a[i - 1] == b[n - 1]);
            d[i][n] = fwd_yaml_least(d[i - 1][n] + 1, d[i][n - 1] + 1,
                                     d[i - 1][n - 1] + !same);

            if (i > 1 && n > 1 && a[i - 1] == b[n - 2] && a[i - 2] == b[n - 1])
            {
                d[i][n] = fwd_yaml_least(d[i][n], d[i - 2][n - 2] + 1,
                                         d[i][n]);
            }
        }
    }

    return d[alen][blen];
}


static size_t
fwd_yaml_least(size_t a, size_t b, size_t c)
{
    a = (b < a) ? b : a;

    return (c < a) ? c : a;
}
