
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reading markers.
 *
 * Those with "@get" are most often constants of the program: jq gives the same
 * value with each event, not an equal one.  They are read once and known by
 * their address, which stays theirs because they are kept.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_marker.h"
#include "fwd_marker_private.h"


static size_t fwd_marker_known_place(jv marker);
static fwd_rc_t fwd_marker_walk(fwd_marker_args_t *args, jv marker,
    fwd_error_t *err);
static fwd_rc_t fwd_marker_member(fwd_marker_args_t *args, const char *name,
    jv value, fwd_error_t *err);
static fwd_rc_t fwd_marker_steps(fwd_marker_args_t *args, fwd_error_t *err);
static fwd_rc_t fwd_marker_inner(fwd_marker_args_t *args, fwd_error_t *err);
static fwd_rc_t fwd_marker_paths(fwd_marker_args_t *args, jv value,
    fwd_error_t *err);
static fwd_rc_t fwd_marker_path(fwd_marker_args_t *args, jv path,
    fwd_error_t *err);


/* Places of fwd_marker_member_t. */
static const char *const  fwd_marker_names[] = {
    "do", "as", "key", "name", "namespace", "else"
};


int
fwd_marker_is(jv object)
{
    jv   key;
    int  i, is;

    i = jv_object_iter(object);

    if (!jv_object_iter_valid(object, i)) {
        return 0;
    }

    key = jv_object_iter_key(object, i);
    is = (jv_string_value(key)[0] == '@');
    jv_free(key);

    return is;
}


int
fwd_marker_is_known(const fwd_marker_t *m, jv object)
{
    const fwd_marker_args_t  *args;

    args = m->known[fwd_marker_known_place(object)];

    return args != NULL && args->marker.u.ptr == object.u.ptr;
}


/* Two values of one address are one; libjq would take both to compare. */

static size_t
fwd_marker_known_place(jv marker)
{
    uint64_t  address;

    address = (uint64_t) (uintptr_t) marker.u.ptr;

    /* the golden ratio spreads neighbours */

    return (size_t) (address * 0x9e3779b97f4a7c15ULL >> 40)
           % FWD_MARKER_KNOWN;
}


fwd_marker_args_t *
fwd_marker_read(fwd_marker_t *m, jv marker, fwd_marker_args_t *space,
    fwd_error_t *err)
{
    size_t               place;
    fwd_marker_args_t  **known;

    place = fwd_marker_known_place(marker);
    known = &m->known[place];

    if (*known != NULL && (*known)->marker.u.ptr == marker.u.ptr) {
        jv_free(marker);
        return *known;
    }

    if (fwd_marker_walk(space, marker, err) != FWD_OK) {
        fwd_marker_args_free(space);
        jv_free(marker);
        return NULL;
    }

    if (space->paths_count == 0 || (*known != NULL && (*known)->busy != 0)) {
        jv_free(marker);
        return space;
    }

    if (*known == NULL) {
        *known = malloc(sizeof(fwd_marker_args_t));

        if (*known == NULL) {
            jv_free(marker);
            return space;
        }

    } else {
        fwd_marker_args_free(*known);
    }

    **known = *space;
    (*known)->marker = marker;

    return *known;
}


void
fwd_marker_args_free(fwd_marker_args_t *args)
{
    int  n;

    jv_free(args->marker);
    jv_free(args->value);
    jv_free(args->other);

    for (n = 0; n < FWD_MARKER_MEMBERS; n++) {
        jv_free(args->members[n]);
    }
}


void
fwd_marker_known_free(fwd_marker_t *m)
{
    size_t  i;

    for (i = 0; i < FWD_MARKER_KNOWN; i++) {
        if (m->known[i] != NULL) {
            fwd_marker_args_free(m->known[i]);
            free(m->known[i]);
            m->known[i] = NULL;
        }
    }
}


/* The first name says which one it is. */

static fwd_rc_t
fwd_marker_walk(fwd_marker_args_t *args, jv marker, fwd_error_t *err)
{
    jv        key;
    int       i, n;
    fwd_rc_t  rc;

    args->marker = jv_null();
    args->row = NULL;
    args->value = jv_null();
    args->other = jv_null();
    args->paths_count = 0;
    args->ops_count = 0;
    args->busy = 0;

    for (n = 0; n < FWD_MARKER_MEMBERS; n++) {
        args->members[n] = jv_null();
    }

    rc = FWD_OK;

    for (i = jv_object_iter(marker);
         rc == FWD_OK && jv_object_iter_valid(marker, i);
         i = jv_object_iter_next(marker, i))
    {
        key = jv_object_iter_key(marker, i);
        rc = fwd_marker_member(args, jv_string_value(key),
                               jv_object_iter_value(marker, i), err);
        jv_free(key);
    }

    if (rc == FWD_OK) {
        rc = fwd_marker_steps(args, err);
    }

    if (rc != FWD_OK) {
        return rc;
    }

    if (strcmp(args->row->name, "@get") != 0) {
        return fwd_marker_inner(args, err);
    }

    args->other = jv_copy(args->members[FWD_MARKER_ELSE]);

    return fwd_marker_paths(args, args->value, err);
}


/* A member that nobody reads is a slip of the pen. */

static fwd_rc_t
fwd_marker_member(fwd_marker_args_t *args, const char *name, jv value,
    fwd_error_t *err)
{
    int  n;

    if (args->row == NULL) {
        args->row = fwd_marker_find(name);
        args->value = value;

        return args->row != NULL ? FWD_OK
               : fwd_error(err, "the map gave a value that begins with an "
                           "unknown \"@...\"");
    }

    for (n = 0; n < FWD_MARKER_MEMBERS; n++) {
        if ((args->row->members & FWD_MARKER_BIT(n))
            && strcmp(fwd_marker_names[n], name) == 0)
        {
            args->members[n] = value;
            return FWD_OK;
        }
    }

    jv_free(value);

    return fwd_error(err, "the map gave a marker \"%s\" with a member that it "
                     "does not know", args->row->name);
}


/* "do": a word or a list of words. */

static fwd_rc_t
fwd_marker_steps(fwd_marker_args_t *args, fwd_error_t *err)
{
    jv        list, word;
    int       i, n, one;
    fwd_rc_t  rc;

    list = args->members[FWD_MARKER_DO];

    if (jv_get_kind(list) == JV_KIND_NULL) {
        return FWD_OK;
    }

    one = (jv_get_kind(list) == JV_KIND_STRING);
    n = one ? 1
        : jv_get_kind(list) == JV_KIND_ARRAY ? jv_array_length(jv_copy(list))
                                             : FWD_MARKER_OPS_MAX + 1;

    if (n > FWD_MARKER_OPS_MAX) {
        return fwd_error(err, "the map gave a \"do\" that is no list of up "
                         "to %d words", FWD_MARKER_OPS_MAX);
    }

    rc = FWD_OK;

    for (i = 0; i < n && rc == FWD_OK; i++) {
        word = one ? jv_copy(list) : jv_array_get(jv_copy(list), i);

        rc = (jv_get_kind(word) == JV_KIND_STRING)
             ? fwd_marker_step(&args->ops[i], jv_string_value(word), err)
             : fwd_error(err, "the map gave a \"do\" that is no list of "
                         "words");

        jv_free(word);                   /* the list has it */
    }

    args->ops_count = (uint32_t) n;

    return rc;
}


/* "@get" as the value of another marker. */

static fwd_rc_t
fwd_marker_inner(fwd_marker_args_t *args, fwd_error_t *err)
{
    jv        paths, other;
    fwd_rc_t  rc;

    if (jv_get_kind(args->value) != JV_KIND_OBJECT) {
        return FWD_OK;
    }

    paths = jv_object_get(jv_copy(args->value), jv_string("@get"));
    other = jv_object_get(jv_copy(args->value), jv_string("else"));

    /* with other members it is no such marker; it is refused by itself */

    if (jv_is_valid(paths)
        && jv_object_length(jv_copy(args->value)) == 1 + jv_is_valid(other))
    {
        rc = fwd_marker_paths(args, paths, err);

        if (jv_is_valid(other)) {
            args->other = jv_copy(other);
        }

    } else {
        rc = FWD_OK;
    }

    jv_free(paths);                      /* args->value has them */
    jv_free(other);

    return rc;
}


/* A path, or a list of them. */

static fwd_rc_t
fwd_marker_paths(fwd_marker_args_t *args, jv value, fwd_error_t *err)
{
    int       i, n;
    fwd_rc_t  rc;

    if (jv_get_kind(value) != JV_KIND_ARRAY) {
        return fwd_marker_path(args, jv_copy(value), err);
    }

    n = jv_array_length(jv_copy(value));
    rc = (n >= 1 && n <= FWD_MARKER_PATHS_MAX) ? FWD_OK
         : fwd_error(err, "the map gave a marker \"@get\" with %d paths, "
                     "allowed are 1 to %d", n, FWD_MARKER_PATHS_MAX);

    for (i = 0; i < n && rc == FWD_OK; i++) {
        rc = fwd_marker_path(args, jv_array_get(jv_copy(value), i), err);
    }

    return rc;
}


static fwd_rc_t
fwd_marker_path(fwd_marker_args_t *args, jv path, fwd_error_t *err)
{
    if (jv_get_kind(path) != JV_KIND_STRING
        || *jv_string_value(path) == '\0')
    {
        jv_free(path);
        return fwd_error(err, "the map gave a marker \"@get\" with a path "
                         "that is no text");
    }

    args->paths[args->paths_count++] = jv_string_value(path);
    jv_free(path);                       /* the marker has it */

    return FWD_OK;
}
