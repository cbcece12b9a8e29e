
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Markers: which there are, how one is computed, and those that are neither
 * digests nor encodings.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "../martech/martech_url.h"

#include "fwd_jv.h"
#include "fwd_marker.h"
#include "fwd_marker_private.h"


#define FWD_MARKER_DEPTH_MAX  8          /* markers in each other */
#define FWD_MARKER_NAME_MAX   256        /* of a parameter */
#define FWD_MARKER_WHOLE_MAX  4503599627370496.0     /* 2^52 */


static fwd_rc_t fwd_marker_take(fwd_marker_t *m,
    const fwd_marker_args_t *args, fwd_error_t *err);
static fwd_rc_t fwd_marker_value(fwd_marker_t *m,
    const fwd_marker_args_t *args, jv *value, fwd_error_t *err);
static uint32_t fwd_marker_place(const fwd_marker_t *m,
    const fwd_marker_args_t *args);
static fwd_rc_t fwd_marker_get(fwd_marker_t *m,
    const fwd_marker_args_t *args, jv *out, fwd_error_t *err);
static fwd_rc_t fwd_marker_text(fwd_marker_t *m,
    const fwd_marker_args_t *args, jv *out, fwd_error_t *err);
static fwd_rc_t fwd_marker_json(fwd_marker_t *m,
    const fwd_marker_args_t *args, jv *out, fwd_error_t *err);
static fwd_rc_t fwd_marker_when(fwd_marker_t *m,
    const fwd_marker_args_t *args, jv *out, fwd_error_t *err);
static fwd_rc_t fwd_marker_count(fwd_marker_t *m,
    const fwd_marker_args_t *args, jv *out, fwd_error_t *err);
static fwd_rc_t fwd_marker_query(fwd_marker_t *m,
    const fwd_marker_args_t *args, jv *out, fwd_error_t *err);
static fwd_rc_t fwd_marker_secret(fwd_marker_t *m,
    const fwd_marker_args_t *args, jv *out, fwd_error_t *err);


static const fwd_marker_row_t  fwd_marker_rows[] = {
    { "@get", fwd_marker_get, FWD_MARKER_BIT(FWD_MARKER_ELSE), 1 },
    { "@text", fwd_marker_text, FWD_MARKER_BIT(FWD_MARKER_DO), 0 },
    { "@sha256", fwd_marker_sha256, FWD_MARKER_BIT(FWD_MARKER_DO), 0 },
    { "@number", fwd_marker_count, FWD_MARKER_BIT(FWD_MARKER_AS), 1 },
    { "@time", fwd_marker_when, FWD_MARKER_BIT(FWD_MARKER_AS), 1 },
    { "@uuid5", fwd_marker_uuid5,
      FWD_MARKER_BIT(FWD_MARKER_NAMESPACE) | FWD_MARKER_BIT(FWD_MARKER_DO),
      0 },
    { "@json", fwd_marker_json, 0, 1 },
    { "@query", fwd_marker_query, FWD_MARKER_BIT(FWD_MARKER_NAME), 0 },
    { "@secret", fwd_marker_secret, 0, 0 },
    { "@sha256_base64", fwd_marker_sha256, FWD_MARKER_BIT(FWD_MARKER_DO), 0 },
    { "@sha1", fwd_marker_digest, FWD_MARKER_BIT(FWD_MARKER_DO), 0 },
    { "@md5", fwd_marker_digest, FWD_MARKER_BIT(FWD_MARKER_DO), 0 },
    { "@hmac_sha256", fwd_marker_hmac,
      FWD_MARKER_BIT(FWD_MARKER_KEY) | FWD_MARKER_BIT(FWD_MARKER_DO), 0 },
    { "@base64", fwd_marker_base64, FWD_MARKER_BIT(FWD_MARKER_DO), 0 },
    { "@base64url", fwd_marker_base64, FWD_MARKER_BIT(FWD_MARKER_DO), 0 },
    { NULL, NULL, 0, 0 }
};


void
fwd_marker_init(fwd_marker_t *m)
{
    memset(m, 0, sizeof(fwd_marker_t));
    fwd_buf_init(&m->in, FWD_MARKER_TEXT_MAX);
    fwd_buf_init(&m->out, FWD_MARKER_TEXT_MAX);

    /* letters of all scripts; without it those of ASCII */
    m->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t) 0);

    /* to look for them each time costs more than the digest of a text */
    m->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    m->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    m->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    m->digest = EVP_MD_CTX_new();
}


void
fwd_marker_cleanup(fwd_marker_t *m)
{
    fwd_buf_free(&m->in);
    fwd_buf_free(&m->out);

    fwd_marker_known_free(m);
    EVP_MD_CTX_free(m->digest);
    EVP_MD_free(m->sha256);
    EVP_MD_free(m->sha1);
    EVP_MD_free(m->md5);

    if (m->locale != (locale_t) 0) {
        freelocale(m->locale);
        m->locale = (locale_t) 0;
    }
}


fwd_rc_t
fwd_marker_compute(fwd_marker_t *m, jv marker, jv *out, fwd_error_t *err)
{
    fwd_rc_t            rc;
    fwd_marker_args_t  *args, space;

    *out = jv_null();

    if (m->depth == FWD_MARKER_DEPTH_MAX) {
        jv_free(marker);
        return fwd_error(err, "the map gave markers in markers, allowed are "
                         "%d", FWD_MARKER_DEPTH_MAX);
    }

    args = fwd_marker_read(m, marker, &space, err);

    if (args == NULL) {
        return FWD_ERROR;
    }

    m->depth++;
    args->busy++;

    rc = args->row->raw ? FWD_OK : fwd_marker_take(m, args, err);

    if (rc == FWD_OK && (args->row->raw || !fwd_marker_blank(&m->in))) {
        rc = args->row->compute(m, args, out, err);
    }

    args->busy--;
    m->depth--;

    if (args == &space) {
        fwd_marker_args_free(&space);
    }

    if (rc == FWD_OK
        && (m->in.failed || m->out.failed))
    {
        jv_free(*out);
        *out = jv_null();
        return fwd_error(err, "the map gave a marker with a text above %d "
                         "bytes", FWD_MARKER_TEXT_MAX);
    }

    return rc;
}


fwd_rc_t
fwd_marker_write(fwd_marker_t *m, jv marker, fwd_buf_t *out, int *wrote,
    jv *value, fwd_error_t *err)
{
    fwd_rc_t  rc;

    m->direct = out;
    m->wrote = 0;

    rc = fwd_marker_compute(m, marker, value, err);

    *wrote = m->wrote;
    m->direct = NULL;
    m->wrote = 0;

    return rc;
}


/* A text of valid UTF-8: where it belongs, or a value. */

jv
fwd_marker_give(fwd_marker_t *m, const void *text, size_t len)
{
    if (m->direct == NULL || m->depth != 1) {
        return jv_string_sized(text, (int) len);
    }

    fwd_jv_dump_text(m->direct, text, len);
    m->wrote = 1;

    return jv_null();
}


const fwd_marker_row_t *
fwd_marker_find(const char *name)
{
    const fwd_marker_row_t  *row;

    for (row = fwd_marker_rows; row->name != NULL; row++) {
        if (row->name[1] == name[1] && strcmp(row->name, name) == 0) {
            return row;
        }
    }

    return NULL;
}


/* The text of the value. */

static fwd_rc_t
fwd_marker_take(fwd_marker_t *m, const fwd_marker_args_t *args,
    fwd_error_t *err)
{
    jv        value;
    uint32_t  place;

    if (args->paths_count != 0) {
        place = fwd_marker_place(m, args);
        fwd_buf_reset(&m->in);

        if (place != 0 && fwd_jv_text(m->event, place, &m->in)) {
            return FWD_OK;
        }

        value = place ? fwd_jv_value(m->event, m->names, place)
                      : jv_copy(args->other);

    } else if (fwd_marker_value(m, args, &value, err) != FWD_OK) {
        return FWD_ERROR;
    }

    return fwd_marker_in(m, value, err);
}


static fwd_rc_t
fwd_marker_value(fwd_marker_t *m, const fwd_marker_args_t *args, jv *value,
    fwd_error_t *err)
{
    uint32_t  place;

    if (args->paths_count != 0) {
        place = fwd_marker_place(m, args);
        *value = place ? fwd_jv_value(m->event, m->names, place)
                       : jv_copy(args->other);
        return FWD_OK;
    }

    if (jv_get_kind(args->value) == JV_KIND_OBJECT
        && fwd_marker_is(args->value))
    {
        return fwd_marker_compute(m, jv_copy(args->value), value, err);
    }

    *value = jv_copy(args->value);

    return FWD_OK;
}


/*
 * Of "@get": the first path that leads to something.  As with "//" of jq,
 * false counts only where no path is left.
 */

static uint32_t
fwd_marker_place(const fwd_marker_t *m, const fwd_marker_args_t *args)
{
    uint32_t  i, place;

    place = 0;

    for (i = 0; m->event != NULL && place == 0 && i < args->paths_count; i++)
    {
        place = fwd_jv_find(m->event, args->paths[i]);

        if (i + 1 < args->paths_count
            && m->event->tape.nodes[place].kind == MARTECH_JSON_FALSE)
        {
            place = 0;
        }
    }

    return place;
}


/* The text of a value, which is freed; nothing of what has no text. */

fwd_rc_t
fwd_marker_in(fwd_marker_t *m, jv value, fwd_error_t *err)
{
    jv        computed;
    fwd_rc_t  rc;

    if (jv_is_valid(value) && jv_get_kind(value) == JV_KIND_OBJECT
        && fwd_marker_is(value))
    {
        rc = fwd_marker_compute(m, value, &computed, err);

        if (rc != FWD_OK) {
            return rc;
        }

        value = computed;
    }

    fwd_buf_reset(&m->in);

    switch (jv_get_kind(value)) {

    case JV_KIND_STRING:
        fwd_buf_add(&m->in, jv_string_value(value),
                    (size_t) jv_string_length_bytes(jv_copy(value)));
        jv_free(value);
        break;

    case JV_KIND_NUMBER:
    case JV_KIND_TRUE:
    case JV_KIND_FALSE:
        fwd_jv_dump(&m->in, value);
        break;

    default:
        jv_free(value);
        break;
    }

    return FWD_OK;
}


int
fwd_marker_blank(const fwd_buf_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] > ' ') {
            return 0;
        }
    }

    return 1;
}


void
fwd_marker_ops(fwd_marker_t *m, const fwd_marker_args_t *args)
{
    uint32_t  i;

    for (i = 0; i < args->ops_count; i++) {
        fwd_marker_run(m, &args->ops[i]);
    }
}


static fwd_rc_t
fwd_marker_get(fwd_marker_t *m, const fwd_marker_args_t *args, jv *out,
    fwd_error_t *err)
{
    uint32_t  place;

    (void) err;

    place = fwd_marker_place(m, args);

    if (place == 0) {
        *out = jv_copy(args->other);
        return FWD_OK;
    }

    fwd_buf_reset(&m->in);

    *out = fwd_jv_text(m->event, place, &m->in)
           ? fwd_marker_give(m, m->in.data, m->in.len)
           : fwd_jv_value(m->event, m->names, place);

    return FWD_OK;
}


static fwd_rc_t
fwd_marker_text(fwd_marker_t *m, const fwd_marker_args_t *args,
    jv *out, fwd_error_t *err)
{
    (void) err;

    fwd_marker_ops(m, args);

    if (!fwd_marker_blank(&m->in)) {
        *out = fwd_marker_give(m, m->in.data, m->in.len);
    }

    return FWD_OK;
}


/* Markers may stand in the value. */

static fwd_rc_t
fwd_marker_json(fwd_marker_t *m, const fwd_marker_args_t *args,
    jv *out, fwd_error_t *err)
{
    jv         value;
    fwd_rc_t   rc;
    fwd_buf_t  text;

    if (fwd_marker_value(m, args, &value, err) != FWD_OK) {
        return FWD_ERROR;
    }

    if (jv_get_kind(value) == JV_KIND_NULL) {
        return FWD_OK;
    }

    fwd_buf_init(&text, FWD_MARKER_TEXT_MAX);

    if (m->json != NULL) {
        rc = m->json(m->data, value, &text, err);

    } else {
        fwd_jv_dump(&text, value);
        rc = FWD_OK;
    }

    if (rc == FWD_OK && text.failed) {
        rc = fwd_error(err, "the map gave a marker \"%s\" with more than %d "
                       "bytes", args->row->name, FWD_MARKER_TEXT_MAX);
    }

    if (rc == FWD_OK) {
        *out = jv_string_sized((char *) text.data, (int) text.len);
    }

    fwd_buf_free(&text);

    return rc;
}


static fwd_rc_t
fwd_marker_when(fwd_marker_t *m, const fwd_marker_args_t *args,
    jv *out, fwd_error_t *err)
{
    jv        as, value;
    int64_t   us;
    fwd_rc_t  rc;

    as = args->members[FWD_MARKER_AS];

    if (jv_get_kind(as) != JV_KIND_STRING) {
        return fwd_error(err, "the map gave a marker \"@time\" without "
                         "\"as\"");
    }

    if (fwd_marker_value(m, args, &value, err) != FWD_OK) {
        return FWD_ERROR;
    }

    rc = fwd_marker_time(value, &us);
    jv_free(value);

    if (rc == FWD_OK) {
        rc = fwd_marker_time_as(us, jv_string_value(as), out, err);
    }

    return rc == FWD_NONE ? FWD_OK : rc;
}


static fwd_rc_t
fwd_marker_count(fwd_marker_t *m, const fwd_marker_args_t *args,
    jv *out, fwd_error_t *err)
{
    jv        as, value;
    int       whole;
    double    number;
    fwd_rc_t  rc;

    as = args->members[FWD_MARKER_AS];
    whole = (jv_get_kind(as) == JV_KIND_STRING
             && strcmp(jv_string_value(as), "int") == 0);

    if (!whole && jv_get_kind(as) != JV_KIND_NULL) {
        return fwd_error(err, "the map gave a marker \"%s\" with another "
                         "\"as\" than \"int\"", args->row->name);
    }

    if (fwd_marker_value(m, args, &value, err) != FWD_OK) {
        return FWD_ERROR;
    }

    if (jv_get_kind(value) == JV_KIND_NUMBER) {
        number = jv_number_value(value);

    } else {
        rc = fwd_marker_in(m, value, err);

        if (rc != FWD_OK
            || fwd_marker_number(m->in.data, m->in.len, &number) != FWD_OK)
        {
            return rc;
        }
    }

    /* those beyond have no fraction */

    if (whole && number > -FWD_MARKER_WHOLE_MAX
        && number < FWD_MARKER_WHOLE_MAX)
    {
        number = (number < 0) ? -(double) (int64_t) (0.5 - number)
                              : (double) (int64_t) (number + 0.5);
    }

    *out = jv_number(number);

    return FWD_OK;
}


static fwd_rc_t
fwd_marker_query(fwd_marker_t *m, const fwd_marker_args_t *args,
    jv *out, fwd_error_t *err)
{
    jv              wanted;
    size_t          n, len;
    martech_str_t   part;
    unsigned char   text[FWD_MARKER_NAME_MAX], *p, *end, *amp, *eq;

    wanted = args->members[FWD_MARKER_NAME];

    if (jv_get_kind(wanted) != JV_KIND_STRING) {
        return fwd_error(err, "the map gave a marker \"%s\" without \"name\"",
                         args->row->name);
    }

    len = (size_t) jv_string_length_bytes(jv_copy(wanted));
    end = m->in.data + m->in.len;
    p = memchr(m->in.data, '#', m->in.len);
    end = (p != NULL) ? p : end;
    p = memchr(m->in.data, '?', (size_t) (end - m->in.data));
    p = (p != NULL) ? p + 1 : end;

    for ( /* void */ ; p < end; p = amp + 1) {
        amp = memchr(p, '&', (size_t) (end - p));
        amp = (amp != NULL) ? amp : end;
        eq = memchr(p, '=', (size_t) (amp - p));
        eq = (eq != NULL) ? eq : amp;

        part.data = p;
        part.len = (size_t) (eq - p);

        if (part.len > sizeof(text)) {
            continue;
        }

        n = martech_url_decode(part, text, sizeof(text));

        if (n != len || memcmp(text, jv_string_value(wanted), n) != 0) {
            continue;
        }

        part.data = (eq < amp) ? eq + 1 : amp;
        part.len = (size_t) (amp - part.data);

        fwd_buf_reset(&m->out);
        fwd_buf_add(&m->out, part.data, part.len);

        if (!m->out.failed && m->out.len != 0) {
            n = martech_url_decode(part, m->out.data, m->out.len);
            *out = jv_string_sized((char *) m->out.data, (int) n);
        }

        break;
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_marker_secret(fwd_marker_t *m, const fwd_marker_args_t *args,
    jv *out, fwd_error_t *err)
{
    const char  *value;

    value = fwd_buf_string(&m->in);
    value = (value != NULL && m->secret != NULL)
            ? m->secret(m->data, value) : NULL;

    if (value == NULL) {
        return fwd_error(err, "the map gave a marker \"%s\" that names no "
                         "secret setting with a value", args->row->name);
    }

    *out = jv_string(value);

    return FWD_OK;
}
