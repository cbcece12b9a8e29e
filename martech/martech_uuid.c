
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * UUIDs, RFC 9562.  SHA-1 comes from OpenSSL.
 */


#include <string.h>

#include <openssl/sha.h>

#include "martech_uuid.h"


static void martech_uuid_text(unsigned char *out,
    const unsigned char bytes[16]);


void
martech_uuid7(unsigned char *out, uint64_t ms, const uint64_t random[2])
{
    int            i;
    unsigned char  bytes[16];

    for (i = 0; i < 6; i++) {
        bytes[i] = (unsigned char) (ms >> (40 - 8 * i));
    }

    memcpy(&bytes[6], &random[0], 8);
    memcpy(&bytes[14], &random[1], 2);

    bytes[6] = (unsigned char) (0x70 | (bytes[6] & 0x0f));
    bytes[8] = (unsigned char) (0x80 | (bytes[8] & 0x3f));

    martech_uuid_text(out, bytes);
}


void
martech_uuid5(unsigned char *out, const unsigned char namespace_id[16],
    const void *name, size_t len)
{
    size_t         n;
    unsigned char  digest[SHA_DIGEST_LENGTH], *buf;
    unsigned char  block[16 + MARTECH_UUID5_NAME_MAX];

    /* names are ids, far shorter than the block; a longer one is hashed
       first, so that no allocation can fail here */

    buf = block;
    memcpy(buf, namespace_id, 16);

    if (len <= MARTECH_UUID5_NAME_MAX) {
        memcpy(buf + 16, name, len);
        n = 16 + len;

    } else {
        SHA1(name, len, buf + 16);
        n = 16 + SHA_DIGEST_LENGTH;
    }

    SHA1(buf, n, digest);
    martech_uuid5_of(out, digest);
}


void
martech_uuid5_of(unsigned char *out, const unsigned char digest[20])
{
    unsigned char  bytes[16];

    memcpy(bytes, digest, sizeof(bytes));

    bytes[6] = (unsigned char) (0x50 | (bytes[6] & 0x0f));
    bytes[8] = (unsigned char) (0x80 | (bytes[8] & 0x3f));

    martech_uuid_text(out, bytes);
}


static void
martech_uuid_text(unsigned char *out, const unsigned char bytes[16])
{
    int                i;
    static const char  hex[] = "0123456789abcdef";

    for (i = 0; i < 16; i++) {

        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *out++ = '-';
        }

        *out++ = (unsigned char) hex[bytes[i] >> 4];
        *out++ = (unsigned char) hex[bytes[i] & 0x0f];
    }
}
