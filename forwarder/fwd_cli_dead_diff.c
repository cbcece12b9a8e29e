
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the present map of a destination makes of a dead event, against the
 * request that was sent: the JSON paths that differ.
 *
 * The map is told the time at which the letter died, as it was then; what
 * differs is the map, and not the clock.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_buf.h"
#include "fwd_cli_dead.h"
#include "fwd_map.h"


#define FWD_DIFF_PATH_MAX   4096
#define FWD_DIFF_PATHS_MAX  200          /* of one letter */


struct fwd_dead_maps_s {
    fwd_cli_t            *cli;
    fwd_map_t           **maps;          /* as the destinations */
};


typedef struct {
    json_t               *paths;
    fwd_buf_t             path;
    unsigned              values:1;
} fwd_diff_t;


static json_t *fwd_diff_now(fwd_dead_maps_t *maps,
    const fwd_letter_t *letter, const fwd_dest_conf_t *dest,
    fwd_error_t *err);
static fwd_rc_t fwd_diff_mapped(void *data, const fwd_record_t *record);
static fwd_rc_t fwd_diff_record(void *data, const char *text, size_t len);
static json_t *fwd_diff_was(const fwd_letter_t *letter);
static json_t *fwd_diff_lines(const char *text);
static void fwd_diff_any(fwd_diff_t *d, json_t *was, json_t *now);
static void fwd_diff_object(fwd_diff_t *d, json_t *was, json_t *now);
static void fwd_diff_array(fwd_diff_t *d, json_t *was, json_t *now);
static size_t fwd_diff_enter(fwd_diff_t *d, const char *name);
static void fwd_diff_leave(fwd_diff_t *d, size_t len);
static void fwd_diff_add(fwd_diff_t *d, json_t *was, json_t *now);
static json_t *fwd_diff_problem(const char *text);


fwd_dead_maps_t *
fwd_dead_maps_create(fwd_cli_t *cli)
{
    fwd_dead_maps_t  *maps;

    maps = fwd_pool_alloc(&cli->pool, sizeof(fwd_dead_maps_t));
    maps->cli = cli;
    maps->maps = fwd_pool_alloc(&cli->pool, cli->conf.dests_count
                                            * sizeof(fwd_map_t *));

    return maps;
}


void
fwd_dead_maps_destroy(fwd_dead_maps_t *maps)
{
    size_t  i;

    if (maps == NULL) {
        return;
    }

    for (i = 0; i < maps->cli->conf.dests_count; i++) {
        fwd_map_destroy(maps->maps[i]);
    }
}


json_t *
fwd_dead_diff(fwd_dead_maps_t *maps, const fwd_letter_t *letter,
    const fwd_dest_conf_t *dest)
{
    json_t       *was, *now, *result;
    fwd_diff_t    d;
    fwd_error_t   err;

    was = fwd_diff_was(letter);
    if (was == NULL) {
        return fwd_diff_problem("no request is kept to compare with");
    }

    now = fwd_diff_now(maps, letter, dest, &err);

    if (now == NULL) {
        json_decref(was);
        return fwd_diff_problem(err.text);
    }

    d.paths = json_array();
    d.values = (maps->cli->o.show_values != 0);
    fwd_buf_init(&d.path, FWD_DIFF_PATH_MAX);

    /* one record against one: no index in front of all paths */

    if (json_array_size(was) == 1 && json_array_size(now) == 1) {
        fwd_diff_any(&d, json_array_get(was, 0), json_array_get(now, 0));

    } else {
        fwd_diff_any(&d, was, now);
    }

    result = json_pack("{s:o}", "paths", d.paths);

    fwd_buf_free(&d.path);
    json_decref(was);
    json_decref(now);

    return result;
}


static json_t *
fwd_diff_problem(const char *text)
{
    return json_pack("{s:s}", "problem", text);
}


/* The records of today, or NULL with a text. */

static json_t *
fwd_diff_now(fwd_dead_maps_t *maps, const fwd_letter_t *letter,
    const fwd_dest_conf_t *dest, fwd_error_t *err)
{
    size_t             i;
    json_t            *list;
    fwd_rc_t           rc;
    fwd_report_t       report;
    martech_str_t      event;
    const redisReply  *e;

    e = letter->fields[FWD_LETTER_E];

    if (e == NULL) {
        (void) fwd_error(err, "the event is gone");
        return NULL;
    }

    list = json_array();
    event.data = (unsigned char *) e->str;
    event.len = (size_t) e->len;

    if (dest->desc->map == NULL) {
        rc = fwd_diff_record(list, e->str, event.len);

        if (rc != FWD_OK) {
            (void) fwd_error(err, "the event is no JSON");
        }

    } else {
        i = (size_t) (dest - maps->cli->conf.dests);
        rc = FWD_OK;

        if (maps->maps[i] == NULL) {
            memset(&report, 0, sizeof(fwd_report_t));
            report.pool = &maps->cli->conf.pool;
            rc = fwd_map_create(&maps->maps[i], dest, &report);

            if (rc != FWD_OK) {
                (void) fwd_error(err, "the map is no valid program");
            }
        }

        if (rc == FWD_OK) {
            /* nobody looks for the person here, so there is none */
            rc = fwd_map_run(maps->maps[i], event, NULL,
                             fwd_letter_at(letter), fwd_diff_mapped, list,
                             err);
        }
    }

    if (rc != FWD_OK) {
        json_decref(list);
        return NULL;
    }

    return list;
}


static fwd_rc_t
fwd_diff_mapped(void *data, const fwd_record_t *record)
{
    return fwd_diff_record(data, (const char *) record->text.data,
                           record->text.len);
}


static fwd_rc_t
fwd_diff_record(void *data, const char *text, size_t len)
{
    json_t  *record;

    record = json_loadb(text, len, JSON_DECODE_ANY, NULL);

    return (record != NULL && json_array_append_new(data, record) == 0)
           ? FWD_OK : FWD_ERROR;
}


/* The records of the request: an array, lines, or one alone. */

static json_t *
fwd_diff_was(const fwd_letter_t *letter)
{
    json_t      *request, *list, *one;
    const char  *body;

    request = fwd_letter_json(letter, FWD_LETTER_REQUEST);
    body = json_string_value(json_object_get(request, "body"));
    list = NULL;

    if (body != NULL && body[0] != '\0') {
        one = json_loads(body, JSON_DECODE_ANY, NULL);

        if (json_is_array(one)) {
            list = one;

        } else if (one != NULL) {
            list = json_pack("[o]", one);

        } else {
            list = fwd_diff_lines(body);
        }
    }

    json_decref(request);

    return list;
}


static json_t *
fwd_diff_lines(const char *text)
{
    size_t   len;
    json_t  *list;

    list = json_array();

    while (text[0] != '\0') {
        len = strcspn(text, "\n");

        if (len != 0 && fwd_diff_record(list, text, len) != FWD_OK) {
            json_decref(list);
            return NULL;
        }

        text += len + (text[len] == '\n');
    }

    return list;
}


static void
fwd_diff_any(fwd_diff_t *d, json_t *was, json_t *now)
{
    if (json_is_object(was) && json_is_object(now)) {
        fwd_diff_object(d, was, now);

    } else if (json_is_array(was) && json_is_array(now)) {
        fwd_diff_array(d, was, now);

    } else if (json_is_number(was) && json_is_number(now)) {

        /* 1 and 1.0 are the same */

        if (json_number_value(was) < json_number_value(now)
            || json_number_value(was) > json_number_value(now))
        {
            fwd_diff_add(d, was, now);
        }

    } else if (!json_equal(was, now)) {
        fwd_diff_add(d, was, now);
    }
}


static void
fwd_diff_object(fwd_diff_t *d, json_t *was, json_t *now)
{
    size_t       len;
    json_t      *value, *other;
    const char  *name;

    json_object_foreach(was, name, value) {
        len = fwd_diff_enter(d, name);
        other = json_object_get(now, name);

        if (other == NULL) {
            fwd_diff_add(d, value, NULL);

        } else {
            fwd_diff_any(d, value, other);
        }

        fwd_diff_leave(d, len);
    }

    json_object_foreach(now, name, value) {

        if (json_object_get(was, name) == NULL) {
            len = fwd_diff_enter(d, name);
            fwd_diff_add(d, NULL, value);
            fwd_diff_leave(d, len);
        }
    }
}


static void
fwd_diff_array(fwd_diff_t *d, json_t *was, json_t *now)
{
    char     index[24];
    size_t   i, len;
    json_t  *a, *b;

    for (i = 0; i < json_array_size(was) || i < json_array_size(now); i++) {
        (void) snprintf(index, sizeof(index), "%zu", i);
        len = fwd_diff_enter(d, index);

        a = json_array_get(was, i);
        b = json_array_get(now, i);

        if (a == NULL || b == NULL) {
            fwd_diff_add(d, a, b);

        } else {
            fwd_diff_any(d, a, b);
        }

        fwd_diff_leave(d, len);
    }
}


/* Appends "/name", escaped as in RFC 6901; returns the length before. */

static size_t
fwd_diff_enter(fwd_diff_t *d, const char *name)
{
    size_t  len;

    len = d->path.len;
    fwd_buf_add_char(&d->path, '/');

    for (; *name != '\0'; name++) {

        if (*name == '~') {
            fwd_buf_add_string(&d->path, "~0");

        } else if (*name == '/') {
            fwd_buf_add_string(&d->path, "~1");

        } else {
            fwd_buf_add_char(&d->path, *name);
        }
    }

    return len;
}


/* A path that was too long for the buffer has left it empty. */

static void
fwd_diff_leave(fwd_diff_t *d, size_t len)
{
    if (d->path.failed) {
        fwd_buf_reset(&d->path);
        return;
    }

    if (d->path.len > len) {
        d->path.len = len;
    }
}


static void
fwd_diff_add(fwd_diff_t *d, json_t *was, json_t *now)
{
    json_t      *row;
    const char  *change, *path;

    if (json_array_size(d->paths) == FWD_DIFF_PATHS_MAX) {
        return;
    }

    change = (was == NULL) ? "added" : (now == NULL) ? "removed" : "changed";

    path = d->path.len != 0 ? fwd_buf_string(&d->path) : "";
    row = json_pack("{s:s,s:s}", "path", path ? path : "(too long)",
                    "change", change);

    if (d->values && was != NULL) {
        json_object_set(row, "was", was);
    }

    if (d->values && now != NULL) {
        json_object_set(row, "now", now);
    }

    (void) json_array_append_new(d->paths, row);
}
