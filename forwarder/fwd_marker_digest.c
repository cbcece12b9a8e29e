
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Markers that are digests and encodings.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "../martech/martech_base64.h"
#include "../martech/martech_uuid.h"

#include "fwd_marker.h"
#include "fwd_marker_private.h"


static int fwd_marker_hashed(const fwd_buf_t *text, unsigned char *digest);
static jv fwd_marker_hex(fwd_marker_t *m, const unsigned char *data,
    size_t len);
static jv fwd_marker_base64_of(fwd_marker_t *m, const unsigned char *data,
    size_t len, int url);


/* Of persons; docs/SPEC.md has it as text. */
static const unsigned char  fwd_marker_namespace[16] = {
    0x6f, 0x1d, 0x9a, 0x54, 0x2c, 0x0b, 0x4e, 0x57,
    0x9f, 0x7e, 0x0b, 0x3c, 0x1a, 0x5d, 0x8e, 0x42
};


/* Senders hash by themselves, too. */

fwd_rc_t
fwd_marker_sha256(fwd_marker_t *m, const fwd_marker_args_t *args, jv *out,
    fwd_error_t *err)
{
    unsigned char  digest[32];

    if (!fwd_marker_hashed(&m->in, digest)) {
        return fwd_marker_digest(m, args, out, err);
    }

    *out = strcmp(args->row->name, "@sha256_base64") == 0
           ? fwd_marker_base64_of(m, digest, 32, 0)
           : fwd_marker_hex(m, digest, 32);

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


fwd_rc_t
fwd_marker_digest(fwd_marker_t *m, const fwd_marker_args_t *args, jv *out,
    fwd_error_t *err)
{
    unsigned        len;
    const char     *name;
    const EVP_MD   *md;
    unsigned char   digest[EVP_MAX_MD_SIZE];

    fwd_marker_ops(m, args);

    if (fwd_marker_blank(&m->in)) {
        return FWD_OK;
    }

    name = args->row->name;
    md = strcmp(name, "@md5") == 0 ? m->md5
         : strcmp(name, "@sha1") == 0 ? m->sha1 : m->sha256;

    if (md == NULL || m->digest == NULL
        || !EVP_DigestInit_ex(m->digest, md, NULL)
        || !EVP_DigestUpdate(m->digest, m->in.data, m->in.len)
        || !EVP_DigestFinal_ex(m->digest, digest, &len))
    {
        return fwd_error(err, "the digest of marker \"%s\" is not available",
                         name);
    }

    *out = strcmp(name, "@sha256_base64") == 0
           ? fwd_marker_base64_of(m, digest, len, 0)
           : fwd_marker_hex(m, digest, len);

    return FWD_OK;
}


/* The key may be a marker, and most often is: a secret. */

fwd_rc_t
fwd_marker_hmac(fwd_marker_t *m, const fwd_marker_args_t *args,
    jv *out, fwd_error_t *err)
{
    unsigned        len;
    fwd_rc_t        rc;
    fwd_buf_t       text;
    unsigned char   digest[EVP_MAX_MD_SIZE];

    fwd_marker_ops(m, args);

    if (fwd_marker_blank(&m->in)) {
        return FWD_OK;
    }

    fwd_buf_init(&text, FWD_MARKER_TEXT_MAX);
    fwd_buf_add(&text, m->in.data, m->in.len);

    rc = fwd_marker_in(m, jv_copy(args->members[FWD_MARKER_KEY]), err);

    if (rc == FWD_OK && (m->in.len == 0 || text.failed)) {
        rc = fwd_error(err, "the map gave a marker \"%s\" without a key",
                       args->row->name);
    }

    if (rc == FWD_OK) {
        (void) HMAC(EVP_sha256(), m->in.data, (int) m->in.len, text.data,
                    text.len, digest, &len);
        *out = fwd_marker_hex(m, digest, len);
    }

    fwd_buf_free(&text);

    return rc;
}


fwd_rc_t
fwd_marker_uuid5(fwd_marker_t *m, const fwd_marker_args_t *args,
    jv *out, fwd_error_t *err)
{
    jv              value;
    unsigned char   text[MARTECH_UUID_LEN], space[16], digest[20];

    fwd_marker_ops(m, args);

    if (fwd_marker_blank(&m->in)) {
        return FWD_OK;
    }

    memcpy(space, fwd_marker_namespace, sizeof(space));
    value = args->members[FWD_MARKER_NAMESPACE];

    if (jv_get_kind(value) != JV_KIND_NULL
        && (jv_get_kind(value) != JV_KIND_STRING
            || fwd_marker_uuid(jv_string_value(value), space) != FWD_OK))
    {
        return fwd_error(err, "the map gave a marker \"%s\" with a namespace "
                         "that is no UUID", args->row->name);
    }

    if (m->in.len <= MARTECH_UUID5_NAME_MAX && m->sha1 != NULL
        && m->digest != NULL
        && EVP_DigestInit_ex(m->digest, m->sha1, NULL)
        && EVP_DigestUpdate(m->digest, space, sizeof(space))
        && EVP_DigestUpdate(m->digest, m->in.data, m->in.len)
        && EVP_DigestFinal_ex(m->digest, digest, NULL))
    {
        martech_uuid5_of(text, digest);

    } else {
        martech_uuid5(text, space, m->in.data, m->in.len);
    }

    *out = fwd_marker_give(m, text, MARTECH_UUID_LEN);

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


fwd_rc_t
fwd_marker_base64(fwd_marker_t *m, const fwd_marker_args_t *args,
    jv *out, fwd_error_t *err)
{
    (void) err;

    fwd_marker_ops(m, args);

    if (!fwd_marker_blank(&m->in)) {
        *out = fwd_marker_base64_of(m, m->in.data, m->in.len,
                                    strcmp(args->row->name, "@base64url") == 0);
    }

    return FWD_OK;
}


/* The alphabet of URLs goes without padding. */

static jv
fwd_marker_base64_of(fwd_marker_t *m, const unsigned char *data, size_t len,
    int url)
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

    value = fwd_marker_give(m, text, n);
    free(text);

    return value;
}


static jv
fwd_marker_hex(fwd_marker_t *m, const unsigned char *data, size_t len)
{
    char               text[2 * EVP_MAX_MD_SIZE];
    size_t             i;
    static const char  digits[] = "0123456789abcdef";

    for (i = 0; i < len; i++) {
        text[2 * i] = digits[data[i] >> 4];
        text[2 * i + 1] = digits[data[i] & 15];
    }

    return fwd_marker_give(m, text, 2 * len);
}
