
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Standard Webhooks signatures by libcrypto.
 */


#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "../martech/martech_uuid.h"

#include "fwd_sign.h"


#define FWD_SIGN_PREFIX     "whsec_"
#define FWD_SIGN_BLOCK      64           /* of SHA-256 */
#define FWD_SIGN_NAME_MAX   512          /* bytes of an id that count */


static int fwd_sign_safe(martech_str_t id);
static void fwd_sign_pad(unsigned char *block, const fwd_sign_key_t *key,
    unsigned char byte);


/* Namespace of ids derived by the forwarder; never to be changed. */
static const unsigned char  fwd_sign_namespace[16] = {
    0x6b, 0x0e, 0x1d, 0x6a, 0x52, 0x9c, 0x4f, 0x1e,
    0x9d, 0x37, 0x0c, 0x8a, 0x41, 0xf2, 0xb5, 0x73
};


fwd_rc_t
fwd_sign_key(fwd_sign_key_t *key, const char *secret, fwd_error_t *err)
{
    int            n;
    size_t         len, pad;
    const char    *p;
    unsigned char  out[FWD_SIGN_KEY_MAX + 8];

    if (strncmp(secret, FWD_SIGN_PREFIX, sizeof(FWD_SIGN_PREFIX) - 1) != 0) {
        return fwd_error(err, "does not start with \"" FWD_SIGN_PREFIX "\"");
    }

    p = secret + sizeof(FWD_SIGN_PREFIX) - 1;
    len = strlen(p);

    if (len == 0 || len % 4 != 0 || len / 4 * 3 > sizeof(out)) {
        return fwd_error(err, "is not base64 of %d to %d bytes",
                         FWD_SIGN_KEY_MIN, FWD_SIGN_KEY_MAX);
    }

    pad = (p[len - 1] == '=') + (p[len - 2] == '=');

    n = EVP_DecodeBlock(out, (const unsigned char *) p, (int) len);

    if (n < 0
        || (size_t) n - pad < FWD_SIGN_KEY_MIN
        || (size_t) n - pad > FWD_SIGN_KEY_MAX)
    {
        OPENSSL_cleanse(out, sizeof(out));
        return fwd_error(err, "is not base64 of %d to %d bytes",
                         FWD_SIGN_KEY_MIN, FWD_SIGN_KEY_MAX);
    }

    key->len = (size_t) n - pad;
    memcpy(key->bytes, out, key->len);
    OPENSSL_cleanse(out, sizeof(out));

    return FWD_OK;
}


/*
 * HMAC-SHA-256 by its definition over SHA256_*: the HMAC and EVP_MAC calls
 * of OpenSSL 3 fetch the algorithm anew each time, which costs more than
 * the hash of a whole event.  The key always fits one block.
 */

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

void
fwd_sign_v1(char *out, const fwd_sign_key_t *key, const char *id,
    uint64_t now_s, const void *body, size_t len)
{
    int            n;
    char           stamp[32];
    SHA256_CTX     ctx;
    unsigned char  block[FWD_SIGN_BLOCK], digest[SHA256_DIGEST_LENGTH];

    n = snprintf(stamp, sizeof(stamp), ".%" PRIu64 ".", now_s);

    fwd_sign_pad(block, key, 0x36);
    SHA256_Init(&ctx);
    SHA256_Update(&ctx, block, sizeof(block));
    SHA256_Update(&ctx, id, strlen(id));
    SHA256_Update(&ctx, stamp, (size_t) n);
    SHA256_Update(&ctx, body, len);
    SHA256_Final(digest, &ctx);

    fwd_sign_pad(block, key, 0x5c);
    SHA256_Init(&ctx);
    SHA256_Update(&ctx, block, sizeof(block));
    SHA256_Update(&ctx, digest, sizeof(digest));
    SHA256_Final(digest, &ctx);

    memcpy(out, "v1,", 3);
    EVP_EncodeBlock((unsigned char *) out + 3, digest, sizeof(digest));

    OPENSSL_cleanse(block, sizeof(block));
    OPENSSL_cleanse(&ctx, sizeof(ctx));
}

#pragma GCC diagnostic pop


static void
fwd_sign_pad(unsigned char *block, const fwd_sign_key_t *key,
    unsigned char byte)
{
    size_t  i;

    for (i = 0; i < FWD_SIGN_BLOCK; i++) {
        block[i] = (i < key->len ? key->bytes[i] : 0) ^ byte;
    }
}


void
fwd_sign_id(char *out, martech_str_t message_id, uint32_t part,
    uint32_t replays)
{
    char    name[FWD_SIGN_NAME_MAX + 40];
    size_t  len;

    if (part == 0 && replays == 0 && fwd_sign_safe(message_id)) {
        memcpy(out, message_id.data, message_id.len);
        out[message_id.len] = '\0';
        return;
    }

    len = message_id.len > FWD_SIGN_NAME_MAX
          ? FWD_SIGN_NAME_MAX : message_id.len;

    memcpy(name, message_id.data, len);

    if (part != 0) {
        len += (size_t) snprintf(name + len, sizeof(name) - len,
                                 "\n%" PRIu32, part);
    }

    if (replays != 0) {
        len += (size_t) snprintf(name + len, sizeof(name) - len,
                                 "\nreplay %" PRIu32, replays);
    }

    martech_uuid5((unsigned char *) out, fwd_sign_namespace, name, len);
    out[MARTECH_UUID_LEN] = '\0';
}


void
fwd_sign_batch_id(char *out, const void *ids, size_t len)
{
    martech_uuid5((unsigned char *) out, fwd_sign_namespace, ids, len);
    out[MARTECH_UUID_LEN] = '\0';
}


/* The ids stand in headers and in the signed text, where "." separates. */

static int
fwd_sign_safe(martech_str_t id)
{
    size_t         i;
    unsigned char  c;

    if (id.len == 0 || id.len >= FWD_SIGN_ID_MAX) {
        return 0;
    }

    for (i = 0; i < id.len; i++) {
        c = id.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
              || (c >= 'a' && c <= 'z') || c == '_' || c == '-'))
        {
            return 0;
        }
    }

    return 1;
}
