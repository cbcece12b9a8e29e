
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Ids of visitors.  SHA-256 comes from OpenSSL, by one-shot digests, which
 * allocate nothing.
 */


#include <string.h>

#include <openssl/sha.h>

#include "martech_visitor.h"


#define MARTECH_VISITOR_PART    512
#define MARTECH_VISITOR_AHEAD   3600000                  /* ms */
#define MARTECH_VISITOR_FIRST   1577836800000ULL         /* 2020-01-01 */

/* four parts, each with two bytes for its length */
#define MARTECH_VISITOR_DATA    (4 * (MARTECH_VISITOR_PART + 2))


static void martech_visitor_hmac(martech_str_t key,
    const unsigned char *data, size_t len,
    unsigned char out[SHA256_DIGEST_LENGTH]);


static int
martech_visitor_digit(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


int
martech_visitor_valid(martech_str_t value, uint64_t now_ms, uint64_t *born_ms)
{
    int       digit;
    size_t    i;
    uint64_t  born;

    if (value.len != MARTECH_UUID_LEN) {
        return 0;
    }

    born = 0;

    for (i = 0; i < MARTECH_UUID_LEN; i++) {

        if (i == 8 || i == 13 || i == 18 || i == 23) {

            if (value.data[i] != '-') {
                return 0;
            }

            continue;
        }

        digit = martech_visitor_digit(value.data[i]);

        if (digit < 0) {
            return 0;
        }

        if (i < 13) {
            born = born << 4 | (unsigned) digit;
        }
    }

    if (value.data[14] != '7'
        || (martech_visitor_digit(value.data[19]) & 0x0c) != 0x08
        || born < MARTECH_VISITOR_FIRST
        || born > now_ms + MARTECH_VISITOR_AHEAD)
    {
        return 0;
    }

    *born_ms = born;

    return 1;
}


/* The length goes in front, so that no two visitors write the same bytes. */

static unsigned char *
martech_visitor_part(unsigned char *p, martech_str_t part)
{
    size_t  len;

    len = (part.len < MARTECH_VISITOR_PART) ? part.len : MARTECH_VISITOR_PART;

    *p++ = (unsigned char) (len >> 8);
    *p++ = (unsigned char) len;

    if (len > 0) {
        memcpy(p, part.data, len);
    }

    return p + len;
}


void
martech_visitor_day(const unsigned char salt[MARTECH_VISITOR_SALT],
    const martech_visitor_t *visitor, unsigned char *out)
{
    int             i;
    martech_str_t   key;
    unsigned char  *p, data[MARTECH_VISITOR_DATA];
    unsigned char   digest[SHA256_DIGEST_LENGTH];

    static const char  hex[] = "0123456789abcdef";

    p = martech_visitor_part(data, visitor->source);
    p = martech_visitor_part(p, visitor->host);
    p = martech_visitor_part(p, visitor->ip);
    p = martech_visitor_part(p, visitor->user_agent);

    key.data = salt;
    key.len = MARTECH_VISITOR_SALT;

    martech_visitor_hmac(key, data, (size_t) (p - data), digest);

    digest[6] = (unsigned char) (0x80 | (digest[6] & 0x0f));
    digest[8] = (unsigned char) (0x80 | (digest[8] & 0x3f));

    for (i = 0; i < 16; i++) {

        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *out++ = '-';
        }

        *out++ = (unsigned char) hex[digest[i] >> 4];
        *out++ = (unsigned char) hex[digest[i] & 0x0f];
    }
}


void
martech_visitor_salt(martech_str_t key, uint64_t day,
    unsigned char salt[MARTECH_VISITOR_SALT])
{
    size_t          len;
    unsigned char  *p, digits[20], text[64];

    static const char  name[] = "martech visitor ";

    memcpy(text, name, sizeof(name) - 1);
    p = digits + sizeof(digits);

    do {
        *--p = (unsigned char) ('0' + day % 10);
        day /= 10;
    } while (day > 0);

    len = (size_t) (digits + sizeof(digits) - p);
    memcpy(text + sizeof(name) - 1, p, len);

    martech_visitor_hmac(key, text, sizeof(name) - 1 + len, salt);
}


/* RFC 2104; data has at most MARTECH_VISITOR_DATA bytes. */

static void
martech_visitor_hmac(martech_str_t key, const unsigned char *data, size_t len,
    unsigned char out[SHA256_DIGEST_LENGTH])
{
    size_t         i;
    unsigned char  block[SHA256_CBLOCK];
    unsigned char  buf[SHA256_CBLOCK + MARTECH_VISITOR_DATA];

    memset(block, 0, sizeof(block));

    if (key.len > sizeof(block)) {
        (void) SHA256(key.data, key.len, block);

    } else {
        memcpy(block, key.data, key.len);
    }

    for (i = 0; i < sizeof(block); i++) {
        buf[i] = block[i] ^ 0x36;
    }

    memcpy(buf + sizeof(block), data, len);
    (void) SHA256(buf, sizeof(block) + len, out);

    for (i = 0; i < sizeof(block); i++) {
        buf[i] = block[i] ^ 0x5c;
    }

    memcpy(buf + sizeof(block), out, SHA256_DIGEST_LENGTH);
    (void) SHA256(buf, sizeof(block) + SHA256_DIGEST_LENGTH, out);
}
