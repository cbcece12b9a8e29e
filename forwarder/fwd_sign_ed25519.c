
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Asymmetric signatures of Standard Webhooks: Ed25519 (RFC 8032).
 */


#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "fwd_sign.h"


#define FWD_SIGN_SK_PREFIX  "whsk_"
#define FWD_SIGN_SEED       32
#define FWD_SIGN_ED25519    64           /* bytes of a signature */


fwd_rc_t
fwd_sign_ed25519(EVP_PKEY **key, const char *secret, fwd_error_t *err)
{
    int            n;
    size_t         len, pad, have;
    const char    *p;
    unsigned char  out[FWD_SIGN_SEED * 2 + 8];

    *key = NULL;

    if (strncmp(secret, FWD_SIGN_SK_PREFIX, sizeof(FWD_SIGN_SK_PREFIX) - 1)
        != 0)
    {
        return fwd_error(err, "does not start with \"" FWD_SIGN_SK_PREFIX
                         "\"");
    }

    p = secret + sizeof(FWD_SIGN_SK_PREFIX) - 1;
    len = strlen(p);

    if (len != 0 && len % 4 == 0 && len / 4 * 3 <= sizeof(out)) {
        pad = (size_t) (p[len - 1] == '=') + (p[len - 2] == '=');
        n = EVP_DecodeBlock(out, (const unsigned char *) p, (int) len);
        have = n < 0 ? 0 : (size_t) n - pad;

        if (have == FWD_SIGN_SEED || have == FWD_SIGN_SEED * 2) {
            *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, out,
                                                FWD_SIGN_SEED);
        }
    }

    OPENSSL_cleanse(out, sizeof(out));

    if (*key == NULL) {
        return fwd_error(err, "is not base64 of %d or %d bytes",
                         FWD_SIGN_SEED, FWD_SIGN_SEED * 2);
    }

    return FWD_OK;
}


/* The algorithm reads its text twice, so it must stand in one piece. */

fwd_rc_t
fwd_sign_v1a(char *out, EVP_PKEY *key, const char *id, uint64_t now_s,
    const void *body, size_t len)
{
    char           *text;
    size_t          head, signature_len;
    fwd_rc_t        rc;
    EVP_MD_CTX     *ctx;
    unsigned char   signature[FWD_SIGN_ED25519];

    head = strlen(id) + 24;
    text = malloc(head + len);
    ctx = EVP_MD_CTX_new();
    rc = FWD_ERROR;
    signature_len = sizeof(signature);

    if (text != NULL && ctx != NULL) {
        head = (size_t) snprintf(text, head, "%s.%" PRIu64 ".", id, now_s);
        memcpy(text + head, body, len);

        if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1
            && EVP_DigestSign(ctx, signature, &signature_len,
                              (const unsigned char *) text, head + len) == 1)
        {
            memcpy(out, "v1a,", 4);
            EVP_EncodeBlock((unsigned char *) out + 4, signature,
                            (int) signature_len);
            rc = FWD_OK;
        }
    }

    EVP_MD_CTX_free(ctx);
    free(text);

    return rc;
}
