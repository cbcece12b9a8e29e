
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Flat names with dots as nested objects.
 *
 * Names are sorted so that those of one object stand together, and a name in
 * front of those that would be below it.  Then one pass opens and closes
 * objects as it goes.
 */


#include <string.h>

#include "martech_nest.h"


/* The parts of a name, or the objects that are open. */
typedef struct {
    martech_str_t  parts[MARTECH_NEST_DEPTH];
    unsigned       count;
} martech_nest_path_t;


static void martech_nest_sort(martech_nest_t *pairs, unsigned count);
static int martech_nest_compare(martech_str_t a, martech_str_t b);
static int martech_nest_whole(martech_str_t name);
static int martech_nest_below(martech_str_t name, martech_str_t above);
static void martech_nest_split(martech_nest_path_t *path, martech_str_t name,
    unsigned max);
static void martech_nest_member(martech_json_writer_t *w,
    martech_nest_path_t *open, const martech_nest_path_t *path,
    martech_str_t value);
static int martech_nest_equal(martech_str_t a, martech_str_t b);
static void martech_nest_name(martech_json_writer_t *w, martech_str_t name);


void
martech_nest_write(martech_json_writer_t *w, martech_nest_t *pairs,
    unsigned count)
{
    unsigned             i, max, depth;
    martech_str_t        leaf = { 0, NULL };
    martech_nest_path_t  open, path;

    martech_nest_sort(pairs, count);

    open.count = 0;
    depth = 0;

    for (i = 0; i < count; i++) {

        if (i > 0 && martech_nest_equal(pairs[i].name, pairs[i - 1].name)) {
            continue;
        }

        max = MARTECH_NEST_DEPTH;

        if (martech_nest_whole(pairs[i].name)) {
            max = 1;

        } else if (leaf.data && martech_nest_below(pairs[i].name, leaf)) {

            /* beside the member that has a value, whose name it begins with */

            max = depth;
        }

        martech_nest_split(&path, pairs[i].name, max);

        if (max == MARTECH_NEST_DEPTH) {
            leaf = pairs[i].name;
            depth = path.count;
        }

        martech_nest_member(w, &open, &path, pairs[i].value);
    }

    while (open.count > 0) {
        martech_json_end(w, '}');
        open.count--;
    }
}


/* Stable, so that the first of equal names stays in front. */

static void
martech_nest_sort(martech_nest_t *pairs, unsigned count)
{
    unsigned        i, k;
    martech_nest_t  pair;

    for (i = 1; i < count; i++) {
        pair = pairs[i];

        for (k = i; k > 0; k--) {

            if (martech_nest_compare(pairs[k - 1].name, pair.name) <= 0) {
                break;
            }

            pairs[k] = pairs[k - 1];
        }

        pairs[k] = pair;
    }
}


/* Names that do not nest come first; else the end counts less than a dot, and
   a dot less than any other byte. */

static int
martech_nest_compare(martech_str_t a, martech_str_t b)
{
    int     whole;
    size_t  i;

    whole = martech_nest_whole(b) - martech_nest_whole(a);

    if (whole) {
        return whole;
    }

    for (i = 0; i < a.len && i < b.len; i++) {

        if (a.data[i] == b.data[i]) {
            continue;
        }

        if (a.data[i] == '.' || b.data[i] == '.') {
            return (a.data[i] == '.') ? -1 : 1;
        }

        return a.data[i] - b.data[i];
    }

    return (a.len > b.len) - (a.len < b.len);
}


/* 1 if there is an empty part, or nothing at all. */

static int
martech_nest_whole(martech_str_t name)
{
    int     dot;
    size_t  i;

    dot = 1;

    for (i = 0; i < name.len; i++) {

        if (dot && name.data[i] == '.') {
            return 1;
        }

        dot = (name.data[i] == '.');
    }

    return dot;
}


static int
martech_nest_below(martech_str_t name, martech_str_t above)
{
    return name.len > above.len && name.data[above.len] == '.'
           && memcmp(name.data, above.data, above.len) == 0;
}


static void
martech_nest_split(martech_nest_path_t *path, martech_str_t name, unsigned max)
{
    const unsigned char  *dot;

    path->count = 0;

    while (path->count + 1 < max) {
        dot = memchr(name.data, '.', name.len);

        if (dot == NULL) {
            break;
        }

        path->parts[path->count].data = name.data;
        path->parts[path->count].len = (size_t) (dot - name.data);
        path->count++;

        name.len -= (size_t) (dot + 1 - name.data);
        name.data = dot + 1;
    }

    path->parts[path->count++] = name;
}


/* Leaves the objects that the name is not in, and enters those it is in. */

static void
martech_nest_member(martech_json_writer_t *w, martech_nest_path_t *open,
    const martech_nest_path_t *path, martech_str_t value)
{
    unsigned  common;

    common = 0;

    while (common < open->count && common + 1 < path->count
           && martech_nest_equal(open->parts[common], path->parts[common]))
    {
        common++;
    }

    while (open->count > common) {
        martech_json_end(w, '}');
        open->count--;
    }

    while (open->count + 1 < path->count) {
        martech_nest_name(w, path->parts[open->count]);
        martech_json_begin(w, '{');

        open->parts[open->count] = path->parts[open->count];
        open->count++;
    }

    martech_nest_name(w, path->parts[path->count - 1]);
    martech_json_string(w, value.data, value.len);
}


static int
martech_nest_equal(martech_str_t a, martech_str_t b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}


static void
martech_nest_name(martech_json_writer_t *w, martech_str_t name)
{
    martech_json_string(w, name.data, name.len);
    martech_json_bytes(w, ":", 1);
    w->comma = 0;
}
