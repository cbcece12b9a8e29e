
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * RS256 by libcrypto.
 */


#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "fwd_jwt.h"


#define FWD_JWT_BITS_MIN  2048
#define FWD_JWT_HEADER    "{\"alg\":\"RS256\",\"typ\":\"JWT\"}"


static EVP_PKEY *fwd_jwt_key(const char *pem);
static int fwd_jwt_no_password(char *buf, int size, int rwflag, void *data);
static void fwd_jwt_base64(fwd_buf_t *out, const void *data, size_t len);


fwd_rc_t
fwd_jwt_key_check(const char *pem, fwd_error_t *err)
{
    EVP_PKEY  *key;

    key = fwd_jwt_key(pem);

    if (key == NULL) {
        return fwd_error(err, "auth.key is not the PEM text of a private RSA "
                         "key of 2048 bits or more (the value is not shown)");
    }

    EVP_PKEY_free(key);

    return FWD_OK;
}


static EVP_PKEY *
fwd_jwt_key(const char *pem)
{
    BIO       *bio;
    EVP_PKEY  *key;

    bio = BIO_new_mem_buf(pem, -1);
    if (bio == NULL) {
        return NULL;
    }

    key = PEM_read_bio_PrivateKey(bio, NULL, fwd_jwt_no_password, NULL);
    BIO_free(bio);
    ERR_clear_error();

    if (key != NULL
        && (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA
            || EVP_PKEY_get_bits(key) < FWD_JWT_BITS_MIN))
    {
        EVP_PKEY_free(key);
        key = NULL;
    }

    return key;
}


/* libcrypto would ask the terminal. */

static int
fwd_jwt_no_password(char *buf, int size, int rwflag, void *data)
{
    (void) buf;
    (void) size;
    (void) rwflag;
    (void) data;

    return -1;
}


fwd_rc_t
fwd_jwt_rs256(fwd_buf_t *out, const char *pem, const char *claims,
    fwd_error_t *err)
{
    size_t          start, len;
    fwd_rc_t        rc;
    EVP_PKEY       *key;
    EVP_MD_CTX     *ctx;
    unsigned char  *signature;

    start = out->len;
    fwd_jwt_base64(out, FWD_JWT_HEADER, sizeof(FWD_JWT_HEADER) - 1);
    fwd_buf_add_char(out, '.');
    fwd_jwt_base64(out, claims, strlen(claims));

    key = fwd_jwt_key(pem);
    ctx = EVP_MD_CTX_new();
    len = key ? (size_t) EVP_PKEY_get_size(key) : 0;
    signature = malloc(len + 1);
    rc = fwd_error(err, "the token cannot be signed");

    if (key != NULL && ctx != NULL && signature != NULL && !out->failed
        && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1
        && EVP_DigestSign(ctx, signature, &len,
                          (const unsigned char *) out->data + start,
                          out->len - start) == 1)
    {
        fwd_buf_add_char(out, '.');
        fwd_jwt_base64(out, signature, len);
        rc = out->failed ? FWD_ERROR : FWD_OK;
    }

    free(signature);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);

    return rc;
}


/* RFC 4648 5, without padding. */

static void
fwd_jwt_base64(fwd_buf_t *out, const void *data, size_t len)
{
    static const char  digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    size_t                i, n;
    uint32_t              bits;
    const unsigned char  *p;

    for (p = data; len > 0; p += n, len -= n) {
        n = len < 3 ? len : 3;
        bits = (uint32_t) p[0] << 16 | (n > 1 ? (uint32_t) p[1] << 8 : 0)
               | (n > 2 ? p[2] : 0);

        for (i = 0; i <= n; i++) {
            fwd_buf_add_char(out, digits[bits >> (18 - 6 * i) & 63]);
        }
    }
}
