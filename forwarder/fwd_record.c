
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Records, in one walk over an output of a map.
 */


#include <ctype.h>
#include <string.h>

#include "fwd_body.h"
#include "fwd_endpoint.h"
#include "fwd_jv.h"
#include "fwd_mask.h"
#include "fwd_record.h"


/* Bounds the recursion: jq itself makes no deeper values of ours. */
#define FWD_RECORD_DEPTH_MAX  256
#define FWD_RECORD_SIZE_MAX   (64 * 1024 * 1024)


/* Slices of record->steer, which moves while it grows. */
typedef struct {
    size_t                at;
    size_t                len;
} fwd_record_slice_t;


typedef struct {
    fwd_record_writer_t  *w;
    fwd_record_t         *record;
    fwd_record_slice_t    group;
    fwd_record_slice_t    path;
    fwd_record_slice_t    array;
    fwd_record_slice_t    merge;
    jv                    value;         /* "@value"; invalid: none */
    unsigned              plain:1;       /* a member of the record's own */
} fwd_record_steer_t;


typedef fwd_rc_t (*fwd_record_member_pt)(fwd_record_steer_t *s, jv value,
    fwd_error_t *err);


static fwd_rc_t fwd_record_steer(fwd_record_steer_t *s, const char *name,
    jv value, fwd_error_t *err);
static fwd_rc_t fwd_record_endpoint(fwd_record_steer_t *s, jv value,
    fwd_error_t *err);
static fwd_rc_t fwd_record_group(fwd_record_steer_t *s, jv value,
    fwd_error_t *err);
static fwd_rc_t fwd_record_path(fwd_record_steer_t *s, jv value,
    fwd_error_t *err);
static fwd_rc_t fwd_record_array(fwd_record_steer_t *s, jv value,
    fwd_error_t *err);
static fwd_rc_t fwd_record_merge(fwd_record_steer_t *s, jv value,
    fwd_error_t *err);
static fwd_rc_t fwd_record_alone(fwd_record_steer_t *s, jv value,
    fwd_error_t *err);
static fwd_rc_t fwd_record_drop(fwd_record_steer_t *s, jv value,
    fwd_error_t *err);
static fwd_rc_t fwd_record_dead(fwd_record_steer_t *s, jv value,
    fwd_error_t *err);
static fwd_rc_t fwd_record_value(fwd_record_steer_t *s, jv value,
    fwd_error_t *err);
static fwd_rc_t fwd_record_dedup(fwd_record_steer_t *s, jv value,
    fwd_error_t *err);
static fwd_rc_t fwd_record_text(fwd_record_steer_t *s, jv value, size_t max,
    fwd_record_slice_t *slice, fwd_error_t *err);
static fwd_rc_t fwd_record_sorted(fwd_record_steer_t *s, jv value,
    fwd_record_slice_t *slice, fwd_error_t *err);
static fwd_rc_t fwd_record_reason(fwd_record_steer_t *s, jv value,
    fwd_record_kind_t kind, fwd_error_t *err);
static fwd_rc_t fwd_record_node(fwd_record_writer_t *w, jv value,
    fwd_buf_t *out, unsigned depth, int *left_out, fwd_error_t *err);
static fwd_rc_t fwd_record_list(fwd_record_writer_t *w, jv value,
    fwd_buf_t *out, unsigned depth, fwd_error_t *err);
static fwd_rc_t fwd_record_object(fwd_record_writer_t *w, jv value,
    fwd_buf_t *out, unsigned depth, fwd_error_t *err);
static fwd_rc_t fwd_record_ordered(fwd_record_writer_t *w, jv value,
    fwd_buf_t *out, unsigned depth, fwd_error_t *err);
static fwd_rc_t fwd_record_element(fwd_record_writer_t *w, jv value,
    fwd_buf_t *out, unsigned depth, int *left_out, fwd_error_t *err);
static fwd_rc_t fwd_record_member(fwd_record_writer_t *w, jv key, jv value,
    fwd_buf_t *out, unsigned depth, fwd_error_t *err);
static void fwd_record_key(fwd_buf_t *out, jv key);
static fwd_rc_t fwd_record_json(void *data, jv value, fwd_buf_t *out,
    fwd_error_t *err);
static const char *fwd_record_secret(void *data, const char *name);
static martech_str_t fwd_record_slice(const fwd_record_writer_t *w,
    const fwd_record_slice_t *slice);


static const struct {
    const char           *name;
    fwd_record_member_pt  read;
} fwd_record_members[] = {
    { "@endpoint", fwd_record_endpoint },
    { "@group", fwd_record_group },
    { "@path", fwd_record_path },
    { "@array", fwd_record_array },
    { "@merge", fwd_record_merge },
    { "@alone", fwd_record_alone },
    { "@drop", fwd_record_drop },
    { "@error", fwd_record_dead },
    { "@value", fwd_record_value },
    { "@dedup", fwd_record_dedup },
    { NULL, NULL }
};


void
fwd_record_init(fwd_record_writer_t *w, const fwd_dest_conf_t *conf)
{
    memset(w, 0, sizeof(fwd_record_writer_t));

    w->conf = conf;
    w->omit = conf->desc->omit;

    fwd_buf_init(&w->text, FWD_RECORD_SIZE_MAX);
    fwd_buf_init(&w->steer, 4 * FWD_RECORD_GROUP_MAX);

    fwd_marker_init(&w->marker);
    w->marker.secret = fwd_record_secret;
    w->marker.json = fwd_record_json;
    w->marker.data = w;
}


void
fwd_record_cleanup(fwd_record_writer_t *w)
{
    fwd_marker_cleanup(&w->marker);
    fwd_buf_free(&w->text);
    fwd_buf_free(&w->steer);
}


fwd_rc_t
fwd_record_write(fwd_record_writer_t *w, jv value, fwd_record_t *record,
    fwd_error_t *err)
{
    int                 i, left_out;
    jv                  key;
    fwd_rc_t            rc;
    fwd_record_steer_t  s;

    memset(record, 0, sizeof(fwd_record_t));

    if (jv_get_kind(value) != JV_KIND_OBJECT) {
        rc = fwd_error(err, "the map gave %s, allowed are objects",
                       jv_kind_name(jv_get_kind(value)));
        jv_free(value);
        return rc;
    }

    memset(&s, 0, sizeof(s));
    s.w = w;
    s.record = record;
    s.value = jv_invalid();

    fwd_buf_reset(&w->text);
    fwd_buf_reset(&w->steer);
    fwd_buf_add_char(&w->text, '{');
    rc = FWD_OK;

    for (i = jv_object_iter(value); jv_object_iter_valid(value, i);
         i = jv_object_iter_next(value, i))
    {
        key = jv_object_iter_key(value, i);

        if (jv_string_value(key)[0] == '@') {
            rc = fwd_record_steer(&s, jv_string_value(key),
                                  jv_object_iter_value(value, i), err);
            jv_free(key);

        } else {
            s.plain = 1;
            rc = fwd_record_member(w, key, jv_object_iter_value(value, i),
                                   &w->text, 0, err);
        }

        if (rc != FWD_OK) {
            break;
        }
    }

    fwd_buf_add_char(&w->text, '}');

    if (rc == FWD_OK && jv_is_valid(s.value)) {
        fwd_buf_reset(&w->text);

        rc = s.plain ? fwd_error(err, "the map gave \"@value\" beside other "
                                 "members of the record")
                     : fwd_record_node(w, jv_copy(s.value), &w->text, 0,
                                       &left_out, err);
    }

    if (rc == FWD_OK && record->kind != FWD_RECORD_SEND && s.plain) {
        rc = fwd_error(err, "the map gave \"@drop\" or \"@error\" beside "
                       "other members, allowed is it alone");
    }

    if (rc == FWD_OK && record->kind != FWD_RECORD_SEND) {
        fwd_buf_reset(&w->text);
        fwd_jv_dump(&w->text, jv_copy(value));
    }

    jv_free(s.value);
    jv_free(value);

    if (rc == FWD_OK && record->endpoint == FWD_ENDPOINT_SEQUENCE
        && (s.group.len != 0 || s.path.len != 0 || s.array.len != 0
            || s.merge.len != 0))
    {
        rc = fwd_error(err, "the map gave a record of the sequence with "
                       "\"@group\", \"@path\", \"@array\" or \"@merge\", "
                       "allowed are they in its steps");
    }

    if (rc == FWD_OK && (w->text.failed || w->steer.failed)) {
        rc = fwd_error(err, "the map gave a record above %d bytes",
                       FWD_RECORD_SIZE_MAX);
    }

    if (rc == FWD_OK) {
        record->text.data = w->text.data;
        record->text.len = w->text.len;
        record->group = fwd_record_slice(w, &s.group);
        record->path = fwd_record_slice(w, &s.path);
        record->array = fwd_record_slice(w, &s.array);
        record->merge = fwd_record_slice(w, &s.merge);
    }

    return rc;
}


static fwd_rc_t
fwd_record_steer(fwd_record_steer_t *s, const char *name, jv value,
    fwd_error_t *err)
{
    size_t    i;
    fwd_rc_t  rc;

    for (i = 0; fwd_record_members[i].name != NULL; i++) {

        if (strcmp(fwd_record_members[i].name, name) == 0) {
            s->record->steered = 1;

            /* null is as if it was not there: "if" without "else" */

            if (jv_get_kind(value) == JV_KIND_NULL
                && fwd_record_members[i].read != fwd_record_value)
            {
                jv_free(value);
                return FWD_OK;
            }

            rc = fwd_record_members[i].read(s, value, err);
            return rc;
        }
    }

    jv_free(value);

    return fwd_error(err, "the map gave a record with an unknown \"@...\"");
}


static fwd_rc_t
fwd_record_endpoint(fwd_record_steer_t *s, jv value, fwd_error_t *err)
{
    fwd_rc_t               rc;
    const fwd_endpoint_t  *endpoint;

    if (jv_get_kind(value) == JV_KIND_STRING
        && s->w->conf->desc->steps_count != 0
        && strcmp(jv_string_value(value), FWD_ENDPOINT_SEQUENCE_NAME) == 0)
    {
        s->record->endpoint = FWD_ENDPOINT_SEQUENCE;
        jv_free(value);
        return FWD_OK;
    }

    endpoint = (jv_get_kind(value) == JV_KIND_STRING)
               ? fwd_endpoint_find(s->w->conf, jv_string_value(value),
                                   strlen(jv_string_value(value)))
               : NULL;

    rc = (endpoint != NULL) ? FWD_OK
         : fwd_error(err, "the map gave an \"@endpoint\" that is not one of "
                     "destination.yaml");

    s->record->endpoint = endpoint ? endpoint->index : 0;
    jv_free(value);

    return rc;
}


static fwd_rc_t
fwd_record_group(fwd_record_steer_t *s, jv value, fwd_error_t *err)
{
    return fwd_record_sorted(s, value, &s->group, err);
}


static fwd_rc_t
fwd_record_path(fwd_record_steer_t *s, jv value, fwd_error_t *err)
{
    if (jv_get_kind(value) != JV_KIND_OBJECT) {
        jv_free(value);
        return fwd_error(err, "the map gave a \"@path\" that is no object");
    }

    return fwd_record_sorted(s, value, &s->path, err);
}


static fwd_rc_t
fwd_record_array(fwd_record_steer_t *s, jv value, fwd_error_t *err)
{
    return fwd_record_text(s, value, FWD_RECORD_NAME_MAX, &s->array, err);
}


static fwd_rc_t
fwd_record_merge(fwd_record_steer_t *s, jv value, fwd_error_t *err)
{
    return fwd_record_text(s, value, FWD_RECORD_KEY_MAX, &s->merge, err);
}


static fwd_rc_t
fwd_record_alone(fwd_record_steer_t *s, jv value, fwd_error_t *err)
{
    (void) err;

    s->record->alone = (jv_get_kind(value) == JV_KIND_TRUE);
    jv_free(value);

    return FWD_OK;
}


static fwd_rc_t
fwd_record_drop(fwd_record_steer_t *s, jv value, fwd_error_t *err)
{
    return fwd_record_reason(s, value, FWD_RECORD_DROP, err);
}


static fwd_rc_t
fwd_record_dead(fwd_record_steer_t *s, jv value, fwd_error_t *err)
{
    return fwd_record_reason(s, value, FWD_RECORD_DEAD, err);
}


static fwd_rc_t
fwd_record_value(fwd_record_steer_t *s, jv value, fwd_error_t *err)
{
    (void) err;

    s->value = value;

    return FWD_OK;
}


static fwd_rc_t
fwd_record_dedup(fwd_record_steer_t *s, jv value, fwd_error_t *err)
{
    (void) s;
    (void) err;

    jv_free(value);

    return FWD_OK;
}


/* A text, or the text of a marker. */

static fwd_rc_t
fwd_record_text(fwd_record_steer_t *s, jv value, size_t max,
    fwd_record_slice_t *slice, fwd_error_t *err)
{
    jv        computed;
    fwd_rc_t  rc;

    if (jv_get_kind(value) == JV_KIND_OBJECT && fwd_marker_is(value)) {
        rc = fwd_marker_compute(&s->w->marker, value, &computed, err);

        if (rc != FWD_OK) {
            return rc;
        }

        value = computed;
    }

    slice->at = s->w->steer.len;

    if (jv_get_kind(value) == JV_KIND_STRING) {
        fwd_buf_add(&s->w->steer, jv_string_value(value),
                    (size_t) jv_string_length_bytes(jv_copy(value)));

    } else if (jv_get_kind(value) == JV_KIND_NUMBER) {
        fwd_jv_dump(&s->w->steer, jv_copy(value));
    }

    slice->len = s->w->steer.len - slice->at;
    rc = FWD_OK;

    if (jv_get_kind(value) != JV_KIND_NULL
        && (slice->len == 0 || slice->len > max))
    {
        rc = fwd_error(err, "the map gave an \"@array\" or \"@merge\" that is "
                       "no text of 1 to %zu bytes", max);
    }

    jv_free(value);

    return rc;
}


/* Equal values have equal texts: names are sorted. */

static fwd_rc_t
fwd_record_sorted(fwd_record_steer_t *s, jv value, fwd_record_slice_t *slice,
    fwd_error_t *err)
{
    int        left_out;
    fwd_rc_t   rc;
    fwd_buf_t  out;

    fwd_buf_init(&out, FWD_RECORD_GROUP_MAX);
    s->w->sorted = 1;
    rc = fwd_record_node(s->w, value, &out, 0, &left_out, err);
    s->w->sorted = 0;

    if (rc == FWD_OK && out.failed) {
        rc = fwd_error(err, "the map gave a \"@group\" or \"@path\" above %d "
                       "bytes", FWD_RECORD_GROUP_MAX);
    }

    if (rc == FWD_OK) {
        slice->at = s->w->steer.len;
        slice->len = out.len;
        fwd_buf_add(&s->w->steer, out.data, out.len);
    }

    fwd_buf_free(&out);

    return rc;
}


/* Reasons are names of counters: what no name has becomes "_". */

static fwd_rc_t
fwd_record_reason(fwd_record_steer_t *s, jv value, fwd_record_kind_t kind,
    fwd_error_t *err)
{
    size_t       i;
    const char  *p;

    if (jv_get_kind(value) != JV_KIND_STRING
        || *jv_string_value(value) == '\0')
    {
        jv_free(value);
        return fwd_error(err, "the map gave a \"@drop\" or \"@error\" that is "
                         "no text");
    }

    p = jv_string_value(value);

    for (i = 0; i < FWD_RECORD_REASON_MAX && p[i] != '\0'; i++) {
        s->record->reason[i] = isalnum((unsigned char) p[i])
                               ? (char) tolower((unsigned char) p[i]) : '_';
    }

    s->record->reason[i] = '\0';
    s->record->kind = kind;
    jv_free(value);

    return FWD_OK;
}


/* *left_out is 1, and nothing was written, for what "omit" names. */

static fwd_rc_t
fwd_record_node(fwd_record_writer_t *w, jv value, fwd_buf_t *out,
    unsigned depth, int *left_out, fwd_error_t *err)
{
    jv        computed;
    int       wrote;
    size_t    at;
    jv_kind   kind;
    fwd_rc_t  rc;

    *left_out = 0;

    if (depth > FWD_RECORD_DEPTH_MAX) {
        jv_free(value);
        return fwd_error(err, "the map gave a value of more than %d levels",
                         FWD_RECORD_DEPTH_MAX);
    }

    at = out->len;
    kind = jv_get_kind(value);

    if (kind == JV_KIND_OBJECT
        && (fwd_marker_is_known(&w->marker, value) || fwd_marker_is(value)))
    {
        rc = fwd_marker_write(&w->marker, value, out, &wrote, &computed, err);

        if (rc != FWD_OK) {
            return rc;
        }

        value = computed;
        kind = wrote ? JV_KIND_INVALID : jv_get_kind(value);
    }

    rc = FWD_OK;

    switch (kind) {

    case JV_KIND_INVALID:                /* written */
        break;

    case JV_KIND_ARRAY:
        rc = fwd_record_list(w, value, out, depth + 1, err);
        break;

    case JV_KIND_OBJECT:
        rc = fwd_record_object(w, value, out, depth + 1, err);
        break;

    case JV_KIND_NULL:
        *left_out = (w->omit != FWD_OMIT_NONE);
        fwd_buf_add(out, "null", 4);
        break;

    case JV_KIND_STRING:
        fwd_record_key(out, value);
        break;

    default:
        fwd_jv_dump(out, value);
        break;
    }

    /* "", [] and {} */

    *left_out |= (w->omit == FWD_OMIT_EMPTY && out->len - at == 2
                  && (out->data[at] == '"' || out->data[at] == '['
                      || out->data[at] == '{'));

    if (*left_out && !out->failed) {
        out->len = at;
    }

    return rc;
}


/* Elements stay, but for null: an array has places. */

static fwd_rc_t
fwd_record_list(fwd_record_writer_t *w, jv value, fwd_buf_t *out,
    unsigned depth, fwd_error_t *err)
{
    int       i, n, left_out, some, comma;
    size_t    at;
    fwd_rc_t  rc;

    rc = FWD_OK;
    some = 0;
    n = jv_array_length(jv_copy(value));

    fwd_buf_add_char(out, '[');

    for (i = 0; i < n && rc == FWD_OK; i++) {
        at = out->len;
        comma = some;

        if (comma) {
            fwd_buf_add_char(out, ',');
        }

        rc = fwd_record_element(w, jv_array_get(jv_copy(value), i), out,
                                depth, &left_out, err);

        if (left_out && !out->failed) {
            out->len = at;

        } else {
            some = 1;
        }
    }

    fwd_buf_add_char(out, ']');
    jv_free(value);

    return rc;
}


/* Of an element only null is left out; so what is empty is written. */

static fwd_rc_t
fwd_record_element(fwd_record_writer_t *w, jv value, fwd_buf_t *out,
    unsigned depth, int *left_out, fwd_error_t *err)
{
    fwd_rc_t     rc;
    const char  *empty;

    if (w->omit == FWD_OMIT_NONE) {
        return fwd_record_node(w, value, out, depth, left_out, err);
    }

    empty = (jv_get_kind(value) == JV_KIND_ARRAY) ? "[]"
            : (jv_get_kind(value) == JV_KIND_STRING) ? "\"\"" : "{}";

    if (jv_get_kind(value) == JV_KIND_NULL
        || (jv_get_kind(value) == JV_KIND_OBJECT
            && (fwd_marker_is_known(&w->marker, value)
                || fwd_marker_is(value))))
    {
        empty = NULL;
    }

    rc = fwd_record_node(w, value, out, depth, left_out, err);

    if (*left_out && empty != NULL) {
        fwd_buf_add(out, empty, 2);
        *left_out = 0;
    }

    return rc;
}


static fwd_rc_t
fwd_record_object(fwd_record_writer_t *w, jv value, fwd_buf_t *out,
    unsigned depth, fwd_error_t *err)
{
    int       i;
    fwd_rc_t  rc;

    if (w->sorted) {
        return fwd_record_ordered(w, value, out, depth, err);
    }

    rc = FWD_OK;

    fwd_buf_add_char(out, '{');

    for (i = jv_object_iter(value);
         jv_object_iter_valid(value, i) && rc == FWD_OK;
         i = jv_object_iter_next(value, i))
    {
        rc = fwd_record_member(w, jv_object_iter_key(value, i),
                               jv_object_iter_value(value, i), out, depth,
                               err);
    }

    fwd_buf_add_char(out, '}');
    jv_free(value);

    return rc;
}


/* By names. */

static fwd_rc_t
fwd_record_ordered(fwd_record_writer_t *w, jv value, fwd_buf_t *out,
    unsigned depth, fwd_error_t *err)
{
    jv        keys, key;
    int       i, n;
    fwd_rc_t  rc;

    rc = FWD_OK;
    keys = jv_keys(jv_copy(value));
    n = jv_array_length(jv_copy(keys));

    fwd_buf_add_char(out, '{');

    for (i = 0; i < n && rc == FWD_OK; i++) {
        key = jv_array_get(jv_copy(keys), i);
        rc = fwd_record_member(w, key, jv_object_get(jv_copy(value),
                                                     jv_copy(key)),
                               out, depth, err);
    }

    fwd_buf_add_char(out, '}');
    jv_free(keys);
    jv_free(value);

    return rc;
}


/* A member with the comma before it, or nothing; key and value are freed. */

static fwd_rc_t
fwd_record_member(fwd_record_writer_t *w, jv key, jv value, fwd_buf_t *out,
    unsigned depth, fwd_error_t *err)
{
    int       left_out;
    size_t    at;
    fwd_rc_t  rc;

    /* sent as it stands it would show what was to be a digest */

    if (jv_string_value(key)[0] == '@') {
        jv_free(key);
        jv_free(value);

        return fwd_error(err, "the map gave an object with a name \"@...\" "
                         "that is not its first");
    }

    at = out->len;

    if (at != 0 && out->data[at - 1] != '{') {
        fwd_buf_add_char(out, ',');
    }

    fwd_record_key(out, key);
    fwd_buf_add_char(out, ':');

    rc = fwd_record_node(w, value, out, depth, &left_out, err);

    if (left_out && !out->failed) {
        out->len = at;
    }

    return rc;
}


/* A text, without the guard of names that begin with "@". */

static void
fwd_record_key(fwd_buf_t *out, jv key)
{
    size_t       len;
    const char  *text;

    text = jv_string_value(key);
    len = (size_t) jv_string_length_bytes(jv_copy(key));

    if (text[0] == FWD_JV_GUARD[0] && text[1] == '@') {
        text++;
        len--;
    }

    fwd_jv_dump_text(out, text, len);
    jv_free(key);
}


static fwd_rc_t
fwd_record_json(void *data, jv value, fwd_buf_t *out, fwd_error_t *err)
{
    int  left_out;

    return fwd_record_node(data, value, out, 0, &left_out, err);
}


static const char *
fwd_record_secret(void *data, const char *name)
{
    size_t                      i;
    const fwd_dest_conf_t      *conf;
    const fwd_record_writer_t  *w = data;

    conf = w->conf;

    for (i = 0; i < conf->desc->settings_count; i++) {
        if (conf->desc->settings[i].secret && conf->values[i] != NULL
            && strcmp(conf->desc->settings[i].name, name) == 0)
        {
            return w->show ? FWD_MASK : conf->values[i];
        }
    }

    return NULL;
}


static martech_str_t
fwd_record_slice(const fwd_record_writer_t *w,
    const fwd_record_slice_t *slice)
{
    martech_str_t  text;

    text.data = slice->len ? w->steer.data + slice->at : NULL;
    text.len = slice->len;

    return text;
}
