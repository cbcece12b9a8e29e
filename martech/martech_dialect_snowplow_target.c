
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Where a redirect of the Snowplow dialect may go.
 *
 * A target is followed if its host is one of those configured, or if it is
 * signed; else anybody could make links that look like ours and lead
 * elsewhere.  What a target is made of is narrow on purpose: browsers read
 * odd URLs in other ways than we do, so there must be nothing odd before the
 * path.
 */


#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "martech_dialect_snowplow.h"
#include "martech_form.h"


#define MARTECH_TARGET_MAX  4096         /* bytes of "u" */
#define MARTECH_HOST_MAX    255

#define MARTECH_HMAC_BLOCK  64           /* of SHA-256, RFC 2104 */


/* "http://HOST..." taken apart. */
typedef struct {
    martech_str_t  host;                 /* with a port, if there is one */
    martech_str_t  rest;                 /* path, query, fragment */
} martech_target_t;


static int martech_target_parse(martech_str_t text, martech_target_t *target);
static int martech_target_host(martech_str_t host);
static int martech_target_listed(const martech_dialect_conf_t *conf,
    martech_str_t host);
static int martech_target_is(martech_str_t host, martech_str_t listed);
static int martech_target_signed(const martech_request_t *request,
    martech_str_t text);
static void martech_target_mac(martech_str_t key, martech_str_t text,
    unsigned char out[SHA256_DIGEST_LENGTH]);
static int martech_target_hex(unsigned char c);
static long martech_target_write(const martech_request_t *request,
    martech_str_t front, martech_str_t rest, unsigned char *out, size_t size);


long
martech_snowplow_target(const martech_request_t *request, unsigned char *out,
    size_t size)
{
    martech_str_t     text;
    unsigned char     buf[MARTECH_TARGET_MAX];
    martech_target_t  target;

    text = martech_form_value(request->args, "u", 1);

    if (text.len == 0 || text.len > sizeof(buf)) {
        return -1;
    }

    text = martech_form_decode(text, buf);

    if (!martech_target_parse(text, &target)
        || (!martech_target_listed(request->conf, target.host)
            && !martech_target_signed(request, text)))
    {
        return -1;
    }

    text.len -= target.rest.len;

    return martech_target_write(request, text, target.rest, out, size);
}


static int
martech_target_parse(martech_str_t text, martech_target_t *target)
{
    size_t         i, n;
    unsigned char  c;

    static const char  scheme[] = "https://";

    for (i = 0; i < text.len; i++) {
        c = text.data[i];

        if (c < 0x20 || c == 0x7f || c == '\\') {
            return 0;
        }
    }

    for (n = 0, i = 0; scheme[n] != '\0'; n++) {

        if (scheme[n] == 's'
            && (i == text.len || (text.data[i] | 0x20) != 's'))
        {
            continue;       /* http */
        }

        c = (i < text.len) ? text.data[i] : '\0';

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        if (c != (unsigned char) scheme[n]) {
            return 0;
        }

        i++;
    }

    target->host.data = text.data + i;

    while (i < text.len && text.data[i] != '/' && text.data[i] != '?'
           && text.data[i] != '#')
    {
        i++;
    }

    target->host.len = (size_t) (text.data + i - target->host.data);
    target->rest.data = text.data + i;
    target->rest.len = text.len - i;

    return martech_target_host(target->host);
}


/* Letters, digits, "-" and single dots, then perhaps a port: no user, no
   address in brackets, nothing encoded, nothing beyond ASCII. */

static int
martech_target_host(martech_str_t host)
{
    size_t         i, digits;
    unsigned char  c, before;

    if (host.len == 0 || host.len > MARTECH_HOST_MAX) {
        return 0;
    }

    before = '.';

    for (i = 0; i < host.len && host.data[i] != ':'; i++) {
        c = host.data[i];

        if (c == '.' ? before == '.'
                     : c != '-' && !(c >= '0' && c <= '9')
                       && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
        {
            return 0;
        }

        before = c;
    }

    if (before == '.') {
        return 0;
    }

    if (i == host.len) {
        return 1;
    }

    for (digits = 0, i++; i < host.len; i++, digits++) {

        if (host.data[i] < '0' || host.data[i] > '9') {
            return 0;
        }
    }

    return digits >= 1 && digits <= 5;
}


static int
martech_target_listed(const martech_dialect_conf_t *conf, martech_str_t host)
{
    unsigned  i;

    for (i = 0; i < conf->ntargets; i++) {

        if (martech_target_is(host, conf->targets[i])) {
            return 1;
        }
    }

    return 0;
}


/* "*.example.com" is what is below it, not the domain itself. */

static int
martech_target_is(martech_str_t host, martech_str_t listed)
{
    size_t         i;
    unsigned char  a, b;

    if (listed.len > 2 && listed.data[0] == '*' && listed.data[1] == '.') {
        listed.data++;
        listed.len--;

        if (host.len <= listed.len) {
            return 0;
        }

        host.data += host.len - listed.len;
        host.len = listed.len;
    }

    if (host.len != listed.len || host.len == 0) {
        return 0;
    }

    for (i = 0; i < host.len; i++) {
        a = host.data[i];
        b = listed.data[i];

        a |= (a >= 'A' && a <= 'Z') ? 0x20 : 0;
        b |= (b >= 'A' && b <= 'Z') ? 0x20 : 0;

        if (a != b) {
            return 0;
        }
    }

    return 1;
}


/* The parameter "sig": HMAC-SHA256 of the target as decoded, in hex. */

static int
martech_target_signed(const martech_request_t *request, martech_str_t text)
{
    int             high, low;
    size_t          i;
    martech_str_t   hex;
    unsigned char   mac[SHA256_DIGEST_LENGTH], sent[SHA256_DIGEST_LENGTH];

    hex = martech_form_value(request->args, "sig", 3);

    if (request->conf->key.len == 0 || hex.len != 2 * sizeof(sent)) {
        return 0;
    }

    for (i = 0; i < sizeof(sent); i++) {
        high = martech_target_hex(hex.data[2 * i]);
        low = martech_target_hex(hex.data[2 * i + 1]);

        if (high < 0 || low < 0) {
            return 0;
        }

        sent[i] = (unsigned char) (high * 16 + low);
    }

    martech_target_mac(request->conf->key, text, mac);

    return CRYPTO_memcmp(mac, sent, sizeof(sent)) == 0;
}


/* RFC 2104; a target is short, so each digest is of one block of memory. */

static void
martech_target_mac(martech_str_t key, martech_str_t text,
    unsigned char out[SHA256_DIGEST_LENGTH])
{
    size_t         i;
    unsigned char  pad[MARTECH_HMAC_BLOCK] = { 0 };
    unsigned char  inner[MARTECH_HMAC_BLOCK + MARTECH_TARGET_MAX];
    unsigned char  outer[MARTECH_HMAC_BLOCK + SHA256_DIGEST_LENGTH];

    if (key.len > MARTECH_HMAC_BLOCK) {
        SHA256(key.data, key.len, pad);

    } else {
        memcpy(pad, key.data, key.len);
    }

    for (i = 0; i < MARTECH_HMAC_BLOCK; i++) {
        inner[i] = pad[i] ^ 0x36;
        outer[i] = pad[i] ^ 0x5c;
    }

    memcpy(inner + MARTECH_HMAC_BLOCK, text.data, text.len);
    SHA256(inner, MARTECH_HMAC_BLOCK + text.len, outer + MARTECH_HMAC_BLOCK);
    SHA256(outer, sizeof(outer), out);

    OPENSSL_cleanse(pad, sizeof(pad));
    OPENSSL_cleanse(inner, sizeof(inner));
    OPENSSL_cleanse(outer, sizeof(outer));
}


static int
martech_target_hex(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


/* 1 for what RFC 3986 section 2.3 leaves as it is. */

static int
martech_target_unreserved(unsigned char c)
{
    return (c >= '0' && c <= '9')
           || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
           || c == '-' || c == '.' || c == '_' || c == '~';
}


static unsigned char *
martech_target_encode(unsigned char *p, unsigned char c)
{
    static const char  hex[] = "0123456789ABCDEF";

    *p++ = '%';
    *p++ = (unsigned char) hex[c >> 4];
    *p++ = (unsigned char) hex[c & 0x0f];

    return p;
}


/*
 * Behind the host the macro of the network user id is replaced, and what no
 * URL may have (RFC 3986 section 2) is percent-encoded, as it was before we
 * decoded it.
 */

static long
martech_target_write(const martech_request_t *request, martech_str_t front,
    martech_str_t rest, unsigned char *out, size_t size)
{
    size_t                   i, k;
    unsigned char           *p, c, buf[MARTECH_ID_SIZE_MAX];
    martech_snowplow_user_t  user;

    static const martech_str_t  macro = martech_string("${SP_NUID}");

    martech_snowplow_user(request, buf, &user);

    if (request->denied) {
        user.nuid.len = 0;
    }

    if (size < front.len || size - front.len < 4 * MARTECH_ID_SIZE_MAX) {
        return -1;
    }

    memcpy(out, front.data, front.len);
    p = out + front.len;

    for (i = 0; i < rest.len; i++) {
        c = rest.data[i];

        if (size - (size_t) (p - out) < 3 * MARTECH_ID_SIZE_MAX) {
            return -1;
        }

        if (c == '$' && rest.len - i >= macro.len
            && memcmp(rest.data + i, macro.data, macro.len) == 0)
        {
            for (k = 0; k < user.nuid.len && k < MARTECH_ID_SIZE_MAX; k++) {
                c = user.nuid.data[k];

                if (martech_target_unreserved(c)) {
                    *p++ = c;

                } else {
                    p = martech_target_encode(p, c);
                }
            }

            i += macro.len - 1;

        } else if (c > 0x20 && c < 0x7f
                   && memchr("\"<>^`{|}", c, 8) == NULL)
        {
            *p++ = c;

        } else {
            p = martech_target_encode(p, c);
        }
    }

    return (long) (p - out);
}
