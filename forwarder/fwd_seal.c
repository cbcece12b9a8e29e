
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * AES-256-GCM by libcrypto.  The nonce is random: of 2^32 texts under one
 * key, more than a token is ever refreshed, two share one with a chance of
 * 2^-33.
 */


#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "fwd_seal.h"


#define FWD_SEAL_VERSION  0x01
#define FWD_SEAL_NONCE    12
#define FWD_SEAL_TAG      16


static fwd_rc_t fwd_seal_run(unsigned char *out, EVP_CIPHER_CTX *ctx,
    const char *place, const void *text, size_t len);


fwd_rc_t
fwd_seal_key(fwd_seal_key_t *key, const char *hex)
{
    size_t     i;
    unsigned   c, digit;

    memset(key, 0, sizeof(fwd_seal_key_t));

    if (strlen(hex) != FWD_SEAL_KEY * 2) {
        return FWD_ERROR;
    }

    for (i = 0; i < FWD_SEAL_KEY * 2; i++) {
        c = (unsigned char) hex[i] | 0x20;

        if (c >= '0' && c <= '9') {
            digit = c - '0';

        } else if (c >= 'a' && c <= 'f') {
            digit = c - 'a' + 10;

        } else {
            return FWD_ERROR;
        }

        key->bytes[i / 2] = (unsigned char) (key->bytes[i / 2] << 4 | digit);
    }

    return FWD_OK;
}


fwd_rc_t
fwd_seal(fwd_buf_t *out, const fwd_seal_key_t *key, const char *place,
    const void *text, size_t len)
{
    fwd_rc_t         rc;
    unsigned char   *data;
    EVP_CIPHER_CTX  *ctx;

    if (len > INT_MAX / 2) {
        return FWD_ERROR;
    }

    data = malloc(len + FWD_SEAL_EXTRA);
    ctx = EVP_CIPHER_CTX_new();
    rc = FWD_ERROR;

    if (data == NULL || ctx == NULL
        || RAND_bytes(data + 1, FWD_SEAL_NONCE) != 1)
    {
        goto done;
    }

    data[0] = FWD_SEAL_VERSION;

    if (EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->bytes,
                           data + 1) != 1
        || fwd_seal_run(data + 1 + FWD_SEAL_NONCE, ctx, place, text, len)
           != FWD_OK
        || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, FWD_SEAL_TAG,
                               data + 1 + FWD_SEAL_NONCE + len) != 1)
    {
        goto done;
    }

    fwd_buf_add(out, data, len + FWD_SEAL_EXTRA);
    rc = out->failed ? FWD_ERROR : FWD_OK;

done:

    EVP_CIPHER_CTX_free(ctx);
    free(data);

    return rc;
}


fwd_rc_t
fwd_unseal(fwd_buf_t *out, const fwd_seal_key_t *key, const char *place,
    const void *sealed, size_t len)
{
    size_t                n;
    fwd_rc_t              rc;
    unsigned char        *text, tag[FWD_SEAL_TAG];
    EVP_CIPHER_CTX       *ctx;
    const unsigned char  *data;

    data = sealed;

    if (len < FWD_SEAL_EXTRA || len > INT_MAX / 2
        || data[0] != FWD_SEAL_VERSION)
    {
        return FWD_ERROR;
    }

    n = len - FWD_SEAL_EXTRA;
    text = malloc(n + 1);
    ctx = EVP_CIPHER_CTX_new();
    rc = FWD_ERROR;
    memcpy(tag, data + len - FWD_SEAL_TAG, FWD_SEAL_TAG);

    if (text == NULL || ctx == NULL
        || EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->bytes,
                              data + 1) != 1
        || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, FWD_SEAL_TAG, tag)
           != 1
        || fwd_seal_run(text, ctx, place, data + 1 + FWD_SEAL_NONCE, n)
           != FWD_OK)
    {
        goto done;
    }

    fwd_buf_add(out, text, n);
    rc = out->failed ? FWD_ERROR : FWD_OK;

done:

    if (text != NULL) {
        OPENSSL_cleanse(text, n);
        free(text);
    }

    EVP_CIPHER_CTX_free(ctx);

    return rc;
}


/* What both directions have in common. */

static fwd_rc_t
fwd_seal_run(unsigned char *out, EVP_CIPHER_CTX *ctx, const char *place,
    const void *text, size_t len)
{
    int            n;
    unsigned char  rest[FWD_SEAL_TAG];

    return EVP_CipherUpdate(ctx, NULL, &n, (const unsigned char *) place,
                            (int) strlen(place)) == 1
           && EVP_CipherUpdate(ctx, out, &n, text, (int) len) == 1
           && EVP_CipherFinal_ex(ctx, rest, &n) == 1
           ? FWD_OK : FWD_ERROR;
}
