
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Markers: which there are, and those that are digests and encodings.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "../martech/martech_base64.h"
#include "../martech/martech_url.h"
#include "../martech/martech_uuid.h"

#include "fwd_jv.h"
#include "fwd_marker.h"


#define FWD_MARKER_DEPTH_MAX  8          /* markers in each other */
#define FWD_MARKER_NAME_MAX   256        /* of a parameter */


typedef fwd_rc_t (*fwd_marker_pt)(fwd_marker_t *m, const char *name,
    jv marker, jv *out, fwd_error_t *err);


typedef struct {
    const char           *name;
    fwd_marker_pt         compute;       /* its text is in m->in, not empty */
    const char           *members[3];    /* allowed beside it */
    unsigned              raw:1;         /* the value need not be a text */
} fwd_marker_row_t;


static const fwd_marker_row_t *fwd_marker_find(jv marker);
static fwd_rc_t fwd_marker_members(const fwd_marker_row_t *row, jv marker,
    fwd_error_t *err);
static fwd_rc_t fwd_marker_in(fwd_marker_t *m, jv value, fwd_error_t *err);
static fwd_rc_t fwd_marker_ops(fwd_marker_t *m, jv marker, fwd_error_t *err);
static int fwd_marker_blank(const fwd_buf_t *text);
static jv fwd_marker_hex(const unsigned char *data, size_t len);
static jv fwd_marker_base64_of(const unsigned char *data, size_t len,
    int url);
static fwd_rc_t fwd_marker_text(fwd_marker_t *m, const char *name, jv marker,
    jv *out, fwd_error_t *err);
static fwd_rc_t fwd_marker_digest(fwd_marker_t *m, const char *name,
    jv marker, jv *out, fwd_error_t *err);
static int fwd_marker_hashed(const fwd_buf_t *text, unsigned char *digest);
static fwd_rc_t fwd_marker_hmac(fwd_marker_t *m, const char *name, jv marker,
    jv *out, fwd_error_t *err);
static fwd_rc_t fwd_marker_base64(fwd_marker_t *m, const char *name,
    jv marker, jv *out, fwd_error_t *err);
static fwd_rc_t fwd_marker_json(fwd_marker_t *m, const char *name, jv marker,
    jv *out, fwd_error_t *err);
static fwd_rc_t fwd_marker_uuid5(fwd_marker_t *m, const char *name, jv marker,
    jv *out, fwd_error_t *err);
static fwd_rc_t fwd_marker_when(fwd_marker_t *m, const char *name, jv marker,
    jv *out, fwd_error_t *err);
static fwd_rc_t fwd_marker_count(fwd_marker_t *m, const char *name, jv marker,
    jv *out, fwd_error_t *err);
static fwd_rc_t fwd_marker_query(fwd_marker_t *m, const char *name, jv marker,
    jv *out, fwd_error_t *err);
static fwd_rc_t fwd_marker_secret(fwd_marker_t *m, const char *name,
    jv marker, jv *out, fwd_error_t *err);


static const fwd_marker_row_t  fwd_marker_rows[] = {
    { "@text", fwd_marker_text, { "do", NULL, NULL }, 0 },
    { "@sha256", fwd_marker_digest, { "do", NULL, NULL }, 0 },
    { "@sha256_base64", fwd_marker_digest, { "do", NULL, NULL }, 0 },
    { "@sha1", fwd_marker_digest, { "do", NULL, NULL }, 0 },
    { "@md5", fwd_marker_digest, { "do", NULL, NULL }, 0 },
    { "@hmac_sha256", fwd_marker_hmac, { "key", "do", NULL }, 0 },
    { "@base64", fwd_marker_base64, { "do", NULL, NULL }, 0 },
    { "@base64url", fwd_marker_base64, { "do", NULL, NULL }, 0 },
    { "@json", fwd_marker_json, { NULL, NULL, NULL }, 1 },
    { "@uuid5", fwd_marker_uuid5, { "namespace", "do", NULL }, 0 },
    { "@time", fwd_marker_when, { "as", NULL, NULL }, 1 },
    { "@number", fwd_marker_count, { "as", NULL, NULL }, 0 },
    { "@query", fwd_marker_query, { "name", NULL, NULL }, 0 },
    { "@secret", fwd_marker_secret, { NULL, NULL, NULL }, 0 },
    { NULL, NULL, { NULL, NULL, NULL }, 0 }
};

/* Of persons; docs/SPEC.md has it as text. */
static const unsigned char  fwd_marker_namespace[16] = {
    0x6f, 0x1d, 0x9a, 0x54, 0x2c, 0x0b, 0x4e, 0x57,
    0x9f, 0x7e, 0x0b, 0x3c, 0x1a, 0x5d, 0x8e, 0x42
};


void
fwd_marker_init(fwd_marker_t *m)
{
    memset(m, 0, sizeof(fwd_marker_t));
    fwd_buf_init(&m->in, FWD_MARKER_TEXT_MAX);
    fwd_buf_init(&m->out, FWD_MARKER_TEXT_MAX);

    /* letters of all scripts; without it those of ASCII */
    m->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t) 0);
}


void
fwd_marker_cleanup(fwd_marker_t *m)
{
    fwd_buf_free(&m->in);
    fwd_buf_free(&m->out);

    if (m->locale != (locale_t) 0) {
        freelocale(m->locale);
        m->locale = (locale_t) 0;
    }
}


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


fwd_rc_t
fwd_marker_compute(fwd_marker_t *m, jv marker, jv *out, fwd_error_t *err)
{
    jv                       value;
    fwd_rc_t                 rc;
    const fwd_marker_row_t  *row;

    *out = jv_null();
    row = fwd_marker_find(marker);

    if (row == NULL) {
        jv_free(marker);
        return fwd_error(err, "the map gave a value that begins with an "
                         "unknown \"@...\"");
    }

    if (m->depth == FWD_MARKER_DEPTH_MAX) {
        jv_free(marker);
        return fwd_error(err, "the map gave markers in markers, allowed are "
                         "%d", FWD_MARKER_DEPTH_MAX);
    }

    m->depth++;
    rc = fwd_marker_members(row, marker, err);

    if (rc == FWD_OK && !row->raw) {
        value = jv_object_get(jv_copy(marker), jv_string(row->name));
        rc = fwd_marker_in(m, value, err);
    }

    if (rc == FWD_OK && (row->raw || !fwd_marker_blank(&m->in))) {
        rc = row->compute(m, row->name, marker, out, err);
    }

    m->depth--;
    jv_free(marker);

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


static const fwd_marker_row_t *
fwd_marker_find(jv marker)
{
    jv                       key;
    const fwd_marker_row_t  *row, *found;

    key = jv_object_iter_key(marker, jv_object_iter(marker));
    found = NULL;

    for (row = fwd_marker_rows; row->name != NULL; row++) {
        if (strcmp(row->name, jv_string_value(key)) == 0) {
            found = row;
            break;
        }
    }

    jv_free(key);

    return found;
}


/* A member that nobody reads is a slip of the pen. */

static fwd_rc_t
fwd_marker_members(const fwd_marker_row_t *row, jv marker, fwd_error_t *err)
{
    jv   key;
    int  i, n, known;

    for (i = jv_object_iter(marker); jv_object_iter_valid(marker, i);
         i = jv_object_iter_next(marker, i))
    {
        key = jv_object_iter_key(marker, i);
        known = (strcmp(jv_string_value(key), row->name) == 0);

        for (n = 0; n < 3 && row->members[n] != NULL; n++) {
            known |= (strcmp(jv_string_value(key), row->members[n]) == 0);
        }

        jv_free(key);

        if (!known) {
            return fwd_error(err, "the map gave a marker \"%s\" with a "
                             "member that it does not know", row->name);
        }
    }

    return FWD_OK;
}


/* The text of a value, which is freed; nothing of what has no text. */

static fwd_rc_t
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


static int
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


/* The operations of "do": a word or a list of words. */

static fwd_rc_t
fwd_marker_ops(fwd_marker_t *m, jv marker, fwd_error_t *err)
{
    jv        list, word;
    int       i, n;
    fwd_rc_t  rc;

    list = jv_object_get(jv_copy(marker), jv_string("do"));

    if (!jv_is_valid(list) || jv_get_kind(list) == JV_KIND_NULL) {
        jv_free(list);
        return FWD_OK;
    }

    if (jv_get_kind(list) == JV_KIND_STRING) {
        list = jv_array_append(jv_array(), list);
    }

    if (jv_get_kind(list) != JV_KIND_ARRAY
        || jv_array_length(jv_copy(list)) > FWD_MARKER_OPS_MAX)
    {
        jv_free(list);
        return fwd_error(err, "the map gave a \"do\" that is no list of up "
                         "to %d words", FWD_MARKER_OPS_MAX);
    }

    rc = FWD_OK;
    n = jv_array_length(jv_copy(list));

    for (i = 0; i < n && rc == FWD_OK; i++) {
        word = jv_array_get(jv_copy(list), i);

        rc = (jv_get_kind(word) == JV_KIND_STRING)
             ? fwd_marker_do(m, jv_string_value(word), err)
             : fwd_error(err, "the map gave a \"do\" that is no list of "
                         "words");

        jv_free(word);
    }

    jv_free(list);

    return rc;
}


static jv
fwd_marker_hex(const unsigned char *data, size_t len)
{
    char               text[2 * EVP_MAX_MD_SIZE];
    size_t             i;
    static const char  digits[] = "0123456789abcdef";

    for (i = 0; i < len; i++) {
        text[2 * i] = digits[data[i] >> 4];
        text[2 * i + 1] = digits[data[i] & 15];
    }

    return jv_string_sized(text, (int) (2 * len));
}


/* The alphabet of URLs goes without padding. */

static jv
fwd_marker_base64_of(const unsigned char *data, size_t len, int url)
{
    jv              value;
    size_t          i, n;
    martech_str_t   src;
    unsigned char  *text;

    text = malloc(martech_base64_encoded(len) + 1);

    if (text == NULL) {
        return jv_null();
    }

    src.data = data;
    src.len = len;
    n = martech_base64_encode(src, text);

    for (i = 0; url && i < n; i++) {

        if (text[i] == '=') {
            n = i;

        } else if (text[i] == '+') {
            text[i] = '-';

        } else if (text[i] == '/') {
            text[i] = '_';
        }
    }

    value = jv_string_sized((char *) text, (int) n);
    free(text);

    return value;
}


static fwd_rc_t
fwd_marker_text(fwd_marker_t *m, const char *name, jv marker, jv *out,
    fwd_error_t *err)
{
    fwd_rc_t  rc;

    (void) name;

    rc = fwd_marker_ops(m, marker, err);

    if (rc == FWD_OK && !fwd_marker_blank(&m->in)) {
        *out = jv_string_sized((char *) m->in.data, (int) m->in.len);
    }

    return rc;
}


static fwd_rc_t
fwd_marker_digest(fwd_marker_t *m, const char *name, jv marker, jv *out,
    fwd_error_t *err)
{
    unsigned        len;
    const EVP_MD   *md;
    unsigned char   digest[EVP_MAX_MD_SIZE];

    md = strcmp(name, "@md5") == 0 ? EVP_md5()
         : strcmp(name, "@sha1") == 0 ? EVP_sha1() : EVP_sha256();

    if (md == EVP_sha256() && fwd_marker_hashed(&m->in, digest)) {

        /* senders hash by themselves, too */
        len = 32;

    } else {

        if (fwd_marker_ops(m, marker, err) != FWD_OK) {
            return FWD_ERROR;
        }

        if (fwd_marker_blank(&m->in)) {
            return FWD_OK;
        }

        if (!EVP_Digest(m->in.data, m->in.len, digest, &len, md, NULL)) {
            return fwd_error(err, "the digest of marker \"%s\" is not "
                             "available", name);
        }
    }

    *out = strcmp(name, "@sha256_base64") == 0
           ? fwd_marker_base64_of(digest, len, 0)
           : fwd_marker_hex(digest, len);

    return FWD_OK;
}


/* 64 hex characters, blanks around them apart. */

static int
fwd_marker_hashed(const fwd_buf_t *text, unsigned char *digest)
{
    int         high, low;
    size_t      i, from, to;
    const char *p;

    static const char  digits[] = "0123456789abcdef0123456789ABCDEF";

    from = 0;
    to = text->len;

    while (from < to && text->data[from] <= ' ') {
        from++;
    }

    while (to > from && text->data[to - 1] <= ' ') {
        to--;
    }

    if (to - from != 64) {
        return 0;
    }

    for (i = 0; i < 32; i++) {
        p = memchr(digits, text->data[from + 2 * i], 32);
        high = (p != NULL) ? (int) (p - digits) & 15 : -1;
        p = memchr(digits, text->data[from + 2 * i + 1], 32);
        low = (p != NULL) ? (int) (p - digits) & 15 : -1;

        if (high < 0 || low < 0) {
            return 0;
        }

        digest[i] = (unsigned char) (high << 4 | low);
    }

    return 1;
}


/* The key may be a marker, and most often is: a secret. */

static fwd_rc_t
fwd_marker_hmac(fwd_marker_t *m, const char *name, jv marker, jv *out,
    fwd_error_t *err)
{
    unsigned        len;
    fwd_rc_t        rc;
    fwd_buf_t       text;
    unsigned char   digest[EVP_MAX_MD_SIZE];

    rc = fwd_marker_ops(m, marker, err);

    if (rc != FWD_OK || fwd_marker_blank(&m->in)) {
        return rc;
    }

    fwd_buf_init(&text, FWD_MARKER_TEXT_MAX);
    fwd_buf_add(&text, m->in.data, m->in.len);

    rc = fwd_marker_in(m, jv_object_get(jv_copy(marker), jv_string("key")),
                       err);

    if (rc == FWD_OK && (m->in.len == 0 || text.failed)) {
        rc = fwd_error(err, "the map gave a marker \"%s\" without a key",
                       name);
    }

    if (rc == FWD_OK) {
        (void) HMAC(EVP_sha256(), m->in.data, (int) m->in.len, text.data,
                    text.len, digest, &len);
        *out = fwd_marker_hex(digest, len);
    }

    fwd_buf_free(&text);

    return rc;
}


static fwd_rc_t
fwd_marker_base64(fwd_marker_t *m, const char *name, jv marker, jv *out,
    fwd_error_t *err)
{
    fwd_rc_t  rc;

    rc = fwd_marker_ops(m, marker, err);

    if (rc == FWD_OK && !fwd_marker_blank(&m->in)) {
        *out = fwd_marker_base64_of(m->in.data, m->in.len,
                                    strcmp(name, "@base64url") == 0);
    }

    return rc;
}


/* Markers may stand in the value. */

static fwd_rc_t
fwd_marker_json(fwd_marker_t *m, const char *name, jv marker, jv *out,
    fwd_error_t *err)
{
    jv         value;
    fwd_rc_t   rc;
    fwd_buf_t  text;

    value = jv_object_get(jv_copy(marker), jv_string(name));

    if (!jv_is_valid(value) || jv_get_kind(value) == JV_KIND_NULL) {
        jv_free(value);
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
                       "bytes", name, FWD_MARKER_TEXT_MAX);
    }

    if (rc == FWD_OK) {
        *out = jv_string_sized((char *) text.data, (int) text.len);
    }

    fwd_buf_free(&text);

    return rc;
}


static fwd_rc_t
fwd_marker_uuid5(fwd_marker_t *m, const char *name, jv marker, jv *out,
    fwd_error_t *err)
{
    jv              value;
    fwd_rc_t        rc;
    unsigned char   text[MARTECH_UUID_LEN], space[16];

    rc = fwd_marker_ops(m, marker, err);

    if (rc != FWD_OK || fwd_marker_blank(&m->in)) {
        return rc;
    }

    memcpy(space, fwd_marker_namespace, sizeof(space));
    value = jv_object_get(jv_copy(marker), jv_string("namespace"));

    if (jv_is_valid(value) && jv_get_kind(value) != JV_KIND_NULL
        && (jv_get_kind(value) != JV_KIND_STRING
            || fwd_marker_uuid(jv_string_value(value), space) != FWD_OK))
    {
        rc = fwd_error(err, "the map gave a marker \"%s\" with a namespace "
                       "that is no UUID", name);
    }

    jv_free(value);

    if (rc == FWD_OK) {
        martech_uuid5(text, space, m->in.data, m->in.len);
        *out = jv_string_sized((char *) text, MARTECH_UUID_LEN);
    }

    return rc;
}


static fwd_rc_t
fwd_marker_when(fwd_marker_t *m, const char *name, jv marker, jv *out,
    fwd_error_t *err)
{
    jv        value, as;
    int64_t   us;
    fwd_rc_t  rc;

    (void) m;

    value = jv_object_get(jv_copy(marker), jv_string(name));
    as = jv_object_get(jv_copy(marker), jv_string("as"));
    rc = fwd_marker_time(value, &us);

    jv_free(value);

    if (jv_get_kind(as) != JV_KIND_STRING) {
        rc = fwd_error(err, "the map gave a marker \"@time\" without \"as\"");

    } else if (rc == FWD_OK) {
        rc = fwd_marker_time_as(us, jv_string_value(as), out, err);
    }

    jv_free(as);

    return rc == FWD_NONE ? FWD_OK : rc;
}


static fwd_rc_t
fwd_marker_count(fwd_marker_t *m, const char *name, jv marker, jv *out,
    fwd_error_t *err)
{
    jv        as;
    int       whole;
    double    number;

    as = jv_object_get(jv_copy(marker), jv_string("as"));
    whole = (jv_get_kind(as) == JV_KIND_STRING
             && strcmp(jv_string_value(as), "int") == 0);

    if (!whole && jv_is_valid(as) && jv_get_kind(as) != JV_KIND_NULL) {
        jv_free(as);
        return fwd_error(err, "the map gave a marker \"%s\" with another "
                         "\"as\" than \"int\"", name);
    }

    jv_free(as);

    if (fwd_marker_number(m->in.data, m->in.len, &number) == FWD_OK) {

        if (whole) {
            number = (number < 0) ? -(double) (int64_t) (0.5 - number)
                                  : (double) (int64_t) (number + 0.5);
        }

        *out = jv_number(number);
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_marker_query(fwd_marker_t *m, const char *name, jv marker, jv *out,
    fwd_error_t *err)
{
    jv              wanted;
    size_t          n, len;
    martech_str_t   part;
    unsigned char   text[FWD_MARKER_NAME_MAX], *p, *end, *amp, *eq;

    wanted = jv_object_get(jv_copy(marker), jv_string("name"));

    if (jv_get_kind(wanted) != JV_KIND_STRING) {
        jv_free(wanted);
        return fwd_error(err, "the map gave a marker \"%s\" without \"name\"",
                         name);
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

    jv_free(wanted);

    return FWD_OK;
}


static fwd_rc_t
fwd_marker_secret(fwd_marker_t *m, const char *name, jv marker, jv *out,
    fwd_error_t *err)
{
    const char  *value;

    (void) marker;

    value = fwd_buf_string(&m->in);
    value = (value != NULL && m->secret != NULL)
            ? m->secret(m->data, value) : NULL;

    if (value == NULL) {
        return fwd_error(err, "the map gave a marker \"%s\" that names no "
                         "secret setting with a value", name);
    }

    *out = jv_string(value);

    return FWD_OK;
}


fwd_rc_t
fwd_marker_uuid(const char *text, unsigned char uuid[16])
{
    int     n;
    size_t  i;

    n = 0;

    for (i = 0; i < 16; i++) {

        if (i == 4 || i == 6 || i == 8 || i == 10) {

            if (text[n++] != '-') {
                return FWD_ERROR;
            }
        }

        if (sscanf(text + n, "%2hhx", &uuid[i]) != 1
            || text[n] == '\0' || text[n + 1] == '\0')
        {
            return FWD_ERROR;
        }

        n += 2;
    }

    return text[n] == '\0' ? FWD_OK : FWD_ERROR;
}
