
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Codes and signatures, by libcrypto.  HMAC is made of its definition (RFC
 * 2104) over a plain digest, which is the same in every version of it.
 */


#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "martech_hook_private.h"


#define MARTECH_HOOK_BLOCK_MAX  128      /* of SHA-512 */


static const EVP_MD *martech_hook_mac_digest(martech_hook_mac_e mac);
static int martech_hook_mac_make(const martech_hook_secret_t *secret,
    const martech_hook_text_t *text, unsigned char *out);
static int martech_hook_mac_hmac(const martech_hook_secret_t *secret,
    const martech_hook_text_t *text, EVP_MD_CTX *ctx, unsigned char *out);
static int martech_hook_mac_plain(const martech_hook_secret_t *secret,
    const martech_hook_text_t *text, EVP_MD_CTX *ctx, unsigned char *out);
static int martech_hook_mac_update(EVP_MD_CTX *ctx,
    const martech_hook_text_t *text);
static int martech_hook_mac_ed25519(EVP_PKEY *key,
    const martech_hook_sign_t *sign, martech_hook_text_t *text);
static int martech_hook_mac_ecdsa(EVP_PKEY *key,
    const martech_hook_sign_t *sign, const martech_hook_text_t *text);


static const EVP_MD *
martech_hook_mac_digest(martech_hook_mac_e mac)
{
    switch (mac) {

    case MARTECH_HOOK_HMAC_SHA1:
        return EVP_sha1();

    case MARTECH_HOOK_HMAC_SHA512:
        return EVP_sha512();

    default:
        return EVP_sha256();
    }
}


size_t
martech_hook_mac_len(martech_hook_mac_e mac)
{
    switch (mac) {

    case MARTECH_HOOK_ED25519:
    case MARTECH_HOOK_ECDSA:
        return 0;

    case MARTECH_HOOK_HMAC_SHA1:
        return 20;

    case MARTECH_HOOK_HMAC_SHA512:
        return 64;

    default:
        return 32;
    }
}


/*
 * All signatures are compared, and each in constant time.  With a public key
 * there is nothing to guess.
 */

int
martech_hook_mac_check(const martech_hook_secret_t *secret,
    const martech_hook_sign_t *signs, unsigned count,
    martech_hook_text_t *text)
{
    int            good;
    size_t         len;
    unsigned       i;
    unsigned char  mac[MARTECH_HOOK_MAC_MAX];

    good = 0;
    len = martech_hook_mac_len(secret->signer->mac);

    if (len > 0 && !martech_hook_mac_make(secret, text, mac)) {
        return 0;
    }

    for (i = 0; i < count; i++) {

        if (signs[i].signer != secret->signer) {
            continue;
        }

        if (secret->signer->mac == MARTECH_HOOK_ED25519) {
            good |= martech_hook_mac_ed25519(secret->key, &signs[i], text);

        } else if (secret->signer->mac == MARTECH_HOOK_ECDSA) {
            good |= martech_hook_mac_ecdsa(secret->key, &signs[i], text);

        } else if (signs[i].len == len) {
            good |= (CRYPTO_memcmp(signs[i].bytes, mac, len) == 0);
        }
    }

    OPENSSL_cleanse(mac, sizeof(mac));

    return good;
}


static int
martech_hook_mac_make(const martech_hook_secret_t *secret,
    const martech_hook_text_t *text, unsigned char *out)
{
    int            done;
    EVP_MD_CTX    *ctx;
    martech_str_t  raw;

    if (secret->signer->mac == MARTECH_HOOK_EQUAL) {

        /* digests, so that lengths do not show */

        raw.data = secret->raw;
        raw.len = secret->len;
        martech_hook_sha256(raw, out);
        return 1;
    }

    ctx = EVP_MD_CTX_new();

    if (ctx == NULL) {
        return 0;
    }

    done = (secret->signer->mac == MARTECH_HOOK_SHA256)
           ? martech_hook_mac_plain(secret, text, ctx, out)
           : martech_hook_mac_hmac(secret, text, ctx, out);

    EVP_MD_CTX_free(ctx);

    return done;
}


static int
martech_hook_mac_hmac(const martech_hook_secret_t *secret,
    const martech_hook_text_t *text, EVP_MD_CTX *ctx, unsigned char *out)
{
    int            done;
    size_t         i, block;
    unsigned       len;
    const EVP_MD  *md;
    unsigned char  pad[MARTECH_HOOK_BLOCK_MAX], inner[MARTECH_HOOK_MAC_MAX];

    md = martech_hook_mac_digest(secret->signer->mac);
    block = (size_t) EVP_MD_block_size(md);

    memset(pad, 0, sizeof(pad));

    if (secret->len <= block) {
        memcpy(pad, secret->raw, secret->len);

    } else if (EVP_Digest(secret->raw, secret->len, pad, &len, md, NULL) != 1)
    {
        return 0;
    }

    for (i = 0; i < block; i++) {
        pad[i] ^= 0x36;
    }

    done = EVP_DigestInit_ex(ctx, md, NULL) == 1
           && EVP_DigestUpdate(ctx, pad, block) == 1
           && martech_hook_mac_update(ctx, text)
           && EVP_DigestFinal_ex(ctx, inner, &len) == 1;

    for (i = 0; i < block; i++) {
        pad[i] ^= 0x36 ^ 0x5c;
    }

    done = done && EVP_DigestInit_ex(ctx, md, NULL) == 1
           && EVP_DigestUpdate(ctx, pad, block) == 1
           && EVP_DigestUpdate(ctx, inner, len) == 1
           && EVP_DigestFinal_ex(ctx, out, &len) == 1;

    OPENSSL_cleanse(pad, sizeof(pad));

    return done;
}


static int
martech_hook_mac_plain(const martech_hook_secret_t *secret,
    const martech_hook_text_t *text, EVP_MD_CTX *ctx, unsigned char *out)
{
    unsigned  len;

    return EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1
           && EVP_DigestUpdate(ctx, secret->raw, secret->len) == 1
           && martech_hook_mac_update(ctx, text)
           && EVP_DigestFinal_ex(ctx, out, &len) == 1;
}


static int
martech_hook_mac_update(EVP_MD_CTX *ctx, const martech_hook_text_t *text)
{
    unsigned  i;

    for (i = 0; i < text->count; i++) {
        if (EVP_DigestUpdate(ctx, text->pieces[i].data, text->pieces[i].len)
            != 1)
        {
            return 0;
        }
    }

    return 1;
}


/* This one wants its text in one piece. */

static int
martech_hook_mac_ed25519(EVP_PKEY *key, const martech_hook_sign_t *sign,
    martech_hook_text_t *text)
{
    int             good;
    size_t          len;
    unsigned        i;
    EVP_MD_CTX     *ctx;
    unsigned char  *p;

    len = 0;

    for (i = 0; i < text->count; i++) {

        if (text->pieces[i].len > (size_t) (text->end - text->free) - len) {
            return 0;
        }

        p = text->free + len;
        len += text->pieces[i].len;

        if (text->pieces[i].len > 0) {
            memcpy(p, text->pieces[i].data, text->pieces[i].len);
        }
    }

    ctx = EVP_MD_CTX_new();

    if (ctx == NULL) {
        return 0;
    }

    good = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1
           && EVP_DigestVerify(ctx, sign->bytes, sign->len, text->free, len)
              == 1;

    EVP_MD_CTX_free(ctx);

    return good;
}


static int
martech_hook_mac_ecdsa(EVP_PKEY *key, const martech_hook_sign_t *sign,
    const martech_hook_text_t *text)
{
    int          good;
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();

    if (ctx == NULL) {
        return 0;
    }

    good = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1
           && martech_hook_mac_update(ctx, text)
           && EVP_DigestVerifyFinal(ctx, sign->bytes, sign->len) == 1;

    EVP_MD_CTX_free(ctx);

    return good;
}


void
martech_hook_sha256(martech_str_t text, unsigned char out[32])
{
    unsigned  len;

    if (EVP_Digest(text.data, text.len, out, &len, EVP_sha256(), NULL) != 1) {
        memset(out, 0, 32);
    }
}
