
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Secrets as vendors hand them out.  Two of them write the same prefix in
 * front of different things: whether it is part of the key is a matter of the
 * scheme.
 */


#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "martech_base64.h"
#include "martech_hook_private.h"


#define MARTECH_HOOK_KEY_MIN     24      /* bytes: Standard Webhooks */
#define MARTECH_HOOK_KEY_MAX     64
#define MARTECH_HOOK_PUBLIC_LEN  32      /* of ed25519, RFC 8032 */

static const martech_str_t  martech_hook_private_key = martech_string("whsk_");


static const martech_hook_signer_t *martech_hook_secret_signer(
    const martech_hook_scheme_t *scheme, martech_str_t *text);
static const char *martech_hook_secret_read(martech_hook_secret_t *secret,
    martech_str_t text);
static const char *martech_hook_secret_base64(martech_hook_secret_t *secret,
    martech_str_t text);
static const char *martech_hook_secret_spki(martech_hook_secret_t *secret);


const char *
martech_hook_secret(martech_hook_t *hook, martech_str_t text)
{
    const char             *error;
    martech_hook_secret_t  *secret;

    if (hook->nsecrets == MARTECH_HOOK_SECRETS) {
        return "there can be 8 secrets";
    }

    secret = &hook->secrets[hook->nsecrets];

    if (text.len == 0 || text.len > MARTECH_HOOK_SECRET_MAX) {
        return "a secret has 1 to 512 bytes";
    }

    if (text.len >= martech_hook_private_key.len
        && hook->scheme->signers[1].mac == MARTECH_HOOK_ED25519
        && memcmp(text.data, martech_hook_private_key.data,
                  martech_hook_private_key.len)
           == 0)
    {
        return "a private key (whsk_) belongs to the sender, "
               "here the public one (whpk_) is needed";
    }

    secret->signer = martech_hook_secret_signer(hook->scheme, &text);

    error = martech_hook_secret_read(secret, text);

    if (error == NULL) {
        hook->nsecrets++;
    }

    return error;
}


/* The second way to sign is known by its prefix, the first needs none. */

static const martech_hook_signer_t *
martech_hook_secret_signer(const martech_hook_scheme_t *scheme,
    martech_str_t *text)
{
    int                           i;
    const martech_hook_signer_t  *signer;

    for (i = 1; i >= 0; i--) {
        signer = &scheme->signers[i];

        if (signer->mac && signer->key_prefix.len > 0
            && text->len >= signer->key_prefix.len
            && memcmp(text->data, signer->key_prefix.data,
                      signer->key_prefix.len)
               == 0)
        {
            text->data += signer->key_prefix.len;
            text->len -= signer->key_prefix.len;
            return signer;
        }
    }

    return &scheme->signers[0];
}


static const char *
martech_hook_secret_read(martech_hook_secret_t *secret, martech_str_t text)
{
    switch (secret->signer->key) {

    case MARTECH_HOOK_KEY_RAW:
        memcpy(secret->raw, text.data, text.len);
        secret->len = text.len;
        return NULL;

    case MARTECH_HOOK_KEY_HEX:
        secret->len = martech_hook_decode(MARTECH_HOOK_HEX, text, secret->raw,
                                          sizeof(secret->raw));
        return secret->len ? NULL : "a secret must be hex digits";

    case MARTECH_HOOK_KEY_BASE64:
        return martech_hook_secret_base64(secret, text);

    default:
        secret->len = martech_hook_decode(MARTECH_HOOK_BASE64, text,
                                          secret->raw, sizeof(secret->raw));

        if (secret->signer->key == MARTECH_HOOK_KEY_SPKI) {
            return martech_hook_secret_spki(secret);
        }

        if (secret->len != MARTECH_HOOK_PUBLIC_LEN) {
            return "a public key must be base64 of 32 bytes";
        }

        secret->key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
                                                  secret->raw, secret->len);

        return secret->key ? NULL : "a public key cannot be read";
    }
}


static const char *
martech_hook_secret_base64(martech_hook_secret_t *secret, martech_str_t text)
{
    secret->len = martech_hook_decode(MARTECH_HOOK_BASE64, text, secret->raw,
                                      sizeof(secret->raw));

    if (secret->len == 0) {
        return "a secret must be base64";
    }

    /* a prefix is a promise of the standard that names the size, too */

    if (secret->signer->key_prefix.len > 0
        && (secret->len < MARTECH_HOOK_KEY_MIN
            || secret->len > MARTECH_HOOK_KEY_MAX))
    {
        return "a secret must be base64 of 24 to 64 bytes";
    }

    return NULL;
}


/* The structure around a point of P-256 is always the same, RFC 5480. */

static const char *
martech_hook_secret_spki(martech_hook_secret_t *secret)
{
    const unsigned char  *p;

    static const unsigned char  head[] =
        "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86"
        "\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04";

    if (secret->len != sizeof(head) - 1 + 64
        || memcmp(secret->raw, head, sizeof(head) - 1) != 0)
    {
        return "a public key must be base64 of a P-256 key";
    }

    p = secret->raw;
    secret->key = d2i_PUBKEY(NULL, &p, (long) secret->len);

    return secret->key ? NULL : "a public key is not on its curve";
}


void
martech_hook_clear(martech_hook_t *hook)
{
    unsigned  i;

    for (i = 0; i < MARTECH_HOOK_SECRETS; i++) {
        EVP_PKEY_free(hook->secrets[i].key);
    }

    OPENSSL_cleanse(hook->secrets, sizeof(hook->secrets));
    hook->nsecrets = 0;
}
