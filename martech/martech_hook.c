
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Whether a request has been signed by who has the secret.
 *
 * The order is fixed: the signature's header is read, all secrets are tried,
 * and only what was signed well is asked for its time.  A sender that cannot
 * sign learns nothing but that.
 */


#include <string.h>

#include <openssl/crypto.h>

#include "martech_form.h"
#include "martech_hook_private.h"


#define MARTECH_HOOK_SIGNS         8     /* in a header that count */
#define MARTECH_HOOK_SIGNS_PUBLIC  4     /* likewise, each costs a lot */
#define MARTECH_HOOK_URL_MAX       8192


/* What a header of signatures says. */
typedef struct {
    unsigned             count;
    unsigned             public;         /* of them, by a public key */
    martech_hook_sign_t  signs[MARTECH_HOOK_SIGNS];
    martech_str_t        stamp;          /* time; no data: there is none */
    unsigned             broken:1;       /* two times, or too much */
} martech_hook_header_t;


static int martech_hook_value(const martech_hook_scheme_t *scheme,
    const martech_hook_request_t *request, martech_str_t *value,
    unsigned char *room);
static void martech_hook_read(const martech_hook_scheme_t *scheme,
    martech_str_t value, martech_hook_header_t *header);
static void martech_hook_read_sign(const martech_hook_scheme_t *scheme,
    martech_str_t item, martech_hook_header_t *header);
static martech_hook_rc_t martech_hook_stamp(
    const martech_hook_scheme_t *scheme,
    const martech_hook_request_t *request, martech_hook_header_t *header,
    int64_t *ms);
static martech_hook_rc_t martech_hook_try(const martech_hook_t *hook,
    const martech_hook_request_t *request,
    const martech_hook_header_t *header, martech_str_t url);
static int martech_hook_test(const martech_hook_t *hook,
    const martech_hook_header_t *header, martech_hook_text_t *text);
static int martech_hook_digest(const martech_hook_scheme_t *scheme,
    const martech_hook_request_t *request, int *given);
static martech_str_t martech_hook_port(martech_str_t url,
    unsigned char *room);
static martech_hook_rc_t martech_hook_age(const martech_hook_t *hook,
    int64_t now_ms, int64_t ms);


martech_hook_rc_t
martech_hook_verify(const martech_hook_t *hook,
    const martech_hook_request_t *request)
{
    int                           found;
    int64_t                       ms;
    martech_str_t                 value, other;
    unsigned char                 room[MARTECH_HOOK_URL_MAX + 8];
    martech_hook_rc_t             rc, again;
    martech_hook_header_t         header;
    const martech_hook_scheme_t  *scheme;

    scheme = hook->scheme;

    found = martech_hook_value(scheme, request, &value, room);

    if (found <= 0) {
        return found ? MARTECH_HOOK_MALFORMED : MARTECH_HOOK_MISSING;
    }

    martech_hook_read(scheme, value, &header);

    if (header.broken) {
        return MARTECH_HOOK_MALFORMED;
    }

    rc = martech_hook_stamp(scheme, request, &header, &ms);

    if (rc != MARTECH_HOOK_OK) {
        return rc;
    }

    if (header.count == 0) {
        return MARTECH_HOOK_MALFORMED;
    }

    rc = martech_hook_try(hook, request, &header, request->url);

    if (scheme->port) {
        other = martech_hook_port(request->url, room);
        again = martech_hook_try(hook, request, &header, other);

        if (rc != MARTECH_HOOK_OK) {
            rc = again;
        }
    }

    if (rc != MARTECH_HOOK_OK) {
        return rc;
    }

    return martech_hook_age(hook, request->now_ms, ms);
}


/* The value that signs: 1, 0 without it, -1 if there are several. */

static int
martech_hook_value(const martech_hook_scheme_t *scheme,
    const martech_hook_request_t *request, martech_str_t *value,
    unsigned char *room)
{
    int             found;
    martech_str_t   name, arg;
    martech_form_t  args;

    if (scheme->header.len > 0) {
        return martech_hook_header(scheme, request, scheme->header, value);
    }

    found = 0;
    args.rest = request->args;

    while (martech_form_next(&args, &name, &arg)) {

        if (!martech_form_is(name, (const char *) scheme->arg.data,
                             scheme->arg.len))
        {
            continue;
        }

        if (found || arg.len > MARTECH_HOOK_SECRET_MAX * 3) {
            return -1;
        }

        found = 1;
        *value = martech_form_decode(arg, room);
    }

    return found;
}


int
martech_hook_header(const martech_hook_scheme_t *scheme,
    const martech_hook_request_t *request, martech_str_t name,
    martech_str_t *value)
{
    int            found;
    size_t         len;
    martech_str_t  other;
    unsigned char  buf[128];

    found = request->header(request, name, value);
    len = scheme->alias[0].len;

    if (found || len == 0 || name.len < len
        || memcmp(name.data, scheme->alias[0].data, len) != 0
        || scheme->alias[1].len + name.len - len > sizeof(buf))
    {
        return found;
    }

    memcpy(buf, scheme->alias[1].data, scheme->alias[1].len);
    memcpy(buf + scheme->alias[1].len, name.data + len, name.len - len);

    other.data = buf;
    other.len = scheme->alias[1].len + name.len - len;

    return request->header(request, other, value);
}


/* Items of other kinds, such as former versions, are passed over. */

static void
martech_hook_read(const martech_hook_scheme_t *scheme, martech_str_t value,
    martech_hook_header_t *header)
{
    size_t         len;
    martech_str_t  item;

    header->count = 0;
    header->public = 0;
    header->broken = 0;
    header->stamp.len = 0;
    header->stamp.data = NULL;

    while (value.len > 0) {
        item = martech_hook_split(&value, scheme->separator);

        while (item.len > 0 && item.data[0] == ' ') {
            item.data++;
            item.len--;
        }

        while (item.len > 0 && item.data[item.len - 1] == ' ') {
            item.len--;
        }

        len = scheme->time_prefix.len;

        if (len > 0 && item.len >= len
            && memcmp(item.data, scheme->time_prefix.data, len) == 0)
        {
            item.data += len;
            item.len -= len;

            if (header->stamp.data
                && (header->stamp.len != item.len
                    || memcmp(header->stamp.data, item.data, item.len) != 0))
            {
                header->broken = 1;
            }

            header->stamp = item;
            continue;
        }

        martech_hook_read_sign(scheme, item, header);
    }
}


static void
martech_hook_read_sign(const martech_hook_scheme_t *scheme,
    martech_str_t item, martech_hook_header_t *header)
{
    int                           i;
    size_t                        len, fixed;
    martech_str_t                 text;
    martech_hook_sign_t          *sign;
    const martech_hook_signer_t  *signer;

    for (i = 0; i < 2; i++) {
        signer = &scheme->signers[i];
        len = signer->prefix.len;

        if (signer->mac == 0 || item.len < len
            || (len > 0 && memcmp(item.data, signer->prefix.data, len) != 0))
        {
            continue;
        }

        fixed = martech_hook_mac_len(signer->mac);

        if (header->count == MARTECH_HOOK_SIGNS
            || (fixed == 0 && header->public == MARTECH_HOOK_SIGNS_PUBLIC))
        {
            header->broken = 1;
            return;
        }

        text.data = item.data + len;
        text.len = item.len - len;

        sign = &header->signs[header->count];
        sign->signer = signer;
        sign->len = martech_hook_decode(signer->encoding, text, sign->bytes,
                                        sizeof(sign->bytes));

        if (sign->len > 0 && (fixed == 0 || sign->len == fixed)) {
            header->count++;
            header->public += (fixed == 0);
        }

        return;
    }
}


martech_str_t
martech_hook_split(martech_str_t *text, int ch)
{
    martech_str_t         part;
    const unsigned char  *p;

    part = *text;
    p = ch ? memchr(text->data, ch, text->len) : NULL;

    if (p == NULL) {
        text->data += text->len;
        text->len = 0;
        return part;
    }

    part.len = (size_t) (p - part.data);
    text->data += part.len + 1;
    text->len -= part.len + 1;

    return part;
}


static martech_hook_rc_t
martech_hook_stamp(const martech_hook_scheme_t *scheme,
    const martech_hook_request_t *request, martech_hook_header_t *header,
    int64_t *ms)
{
    int  found;

    *ms = -1;

    if (scheme->time_header.len > 0) {
        found = martech_hook_header(scheme, request, scheme->time_header,
                                    &header->stamp);
        if (found < 0) {
            return MARTECH_HOOK_MALFORMED;
        }

        if (found == 0) {
            return MARTECH_HOOK_NO_TIME;
        }

    } else if (scheme->time_prefix.len == 0) {
        return MARTECH_HOOK_OK;
    }

    if (header->stamp.data == NULL) {
        return header->count ? MARTECH_HOOK_NO_TIME : MARTECH_HOOK_MALFORMED;
    }

    *ms = martech_hook_time(header->stamp, scheme->unit);

    return (*ms < 0) ? MARTECH_HOOK_MALFORMED : MARTECH_HOOK_OK;
}


/* All secrets are tried, whichever is the one. */

static martech_hook_rc_t
martech_hook_try(const martech_hook_t *hook,
    const martech_hook_request_t *request,
    const martech_hook_header_t *header, martech_str_t url)
{
    int                     good, given;
    unsigned                i;
    martech_hook_rc_t       rc;
    martech_hook_text_t     text;
    martech_hook_request_t  part;

    part = *request;
    good = martech_hook_digest(hook->scheme, request, &given);

    if (given) {

        /* in this form of it the body is not signed but by its digest */

        part.body.len = 0;
    }

    if (!martech_hook_is_form(request)
        && hook->scheme->digest_arg.len > 0)
    {
        if (request->body.len > 0 && !given) {
            return MARTECH_HOOK_BAD;
        }

        part.body.len = 0;
    }

    rc = martech_hook_text(&text, hook->scheme, &part, url, header->stamp);

    if (rc != MARTECH_HOOK_OK) {
        return rc;
    }

    given = 0;

    for (i = 0; i < hook->nsecrets; i++) {
        given |= martech_hook_mac_check(&hook->secrets[i], header->signs,
                                        header->count, &text);
    }

    if (good & given) {
        return MARTECH_HOOK_OK;
    }

    return (good && martech_hook_test(hook, header, &text))
           ? MARTECH_HOOK_TEST : MARTECH_HOOK_BAD;
}


/* What a vendor signs to try an address, with a key that everybody knows. */

static int
martech_hook_test(const martech_hook_t *hook,
    const martech_hook_header_t *header, martech_hook_text_t *text)
{
    martech_hook_secret_t  secret;

    if (hook->scheme->test_key.len == 0) {
        return 0;
    }

    secret.signer = &hook->scheme->signers[0];
    secret.len = hook->scheme->test_key.len;
    secret.key = NULL;
    memcpy(secret.raw, hook->scheme->test_key.data, secret.len);

    return martech_hook_mac_check(&secret, header->signs, header->count,
                                  text);
}


/* 1 unless the URL names a digest of the body, and it is another one. */

static int
martech_hook_digest(const martech_hook_scheme_t *scheme,
    const martech_hook_request_t *request, int *given)
{
    martech_str_t  value;
    unsigned char  named[32], real[32];

    *given = 0;

    if (scheme->digest_arg.len == 0) {
        return 1;
    }

    value = martech_form_value(request->args,
                               (const char *) scheme->digest_arg.data,
                               scheme->digest_arg.len);
    if (value.data == NULL) {
        return 1;
    }

    *given = 1;

    if (martech_hook_decode(MARTECH_HOOK_HEX, value, named, sizeof(named))
        != sizeof(named))
    {
        return 0;
    }

    martech_hook_sha256(request->body, real);

    return CRYPTO_memcmp(named, real, sizeof(real)) == 0;
}


/*
 * The same URL with the usual port of its scheme, or without the port that it
 * has: the sender may have signed either.
 */

static martech_str_t
martech_hook_port(martech_str_t url, unsigned char *room)
{
    size_t         host, end, colon, len;
    unsigned char *p;
    martech_str_t  other;

    static const martech_str_t  https = martech_string("https://");
    static const martech_str_t  http = martech_string("http://");

    if (url.len > https.len
        && memcmp(url.data, https.data, https.len) == 0)
    {
        host = https.len;

    } else if (url.len > http.len
               && memcmp(url.data, http.data, http.len) == 0)
    {
        host = http.len;

    } else {
        return url;
    }

    if (url.len > MARTECH_HOOK_URL_MAX) {
        return url;
    }

    colon = 0;

    for (end = host; end < url.len && url.data[end] != '/'
                     && url.data[end] != '?'; end++)
    {
        if (url.data[end] == ':') {
            colon = end;

        } else if (url.data[end] == ']') {
            colon = 0;
        }
    }

    p = room;
    len = colon ? colon : end;

    memcpy(p, url.data, len);
    p += len;

    if (colon == 0) {
        len = (host == https.len) ? 4 : 3;
        memcpy(p, (host == https.len) ? ":443" : ":80", len);
        p += len;
    }

    memcpy(p, url.data + end, url.len - end);
    p += url.len - end;

    other.data = room;
    other.len = (size_t) (p - room);

    return other;
}


static martech_hook_rc_t
martech_hook_age(const martech_hook_t *hook, int64_t now_ms, int64_t ms)
{
    if (ms < 0 || hook->tolerance_ms == 0) {
        return MARTECH_HOOK_OK;
    }

    if (ms < now_ms - hook->tolerance_ms) {
        return MARTECH_HOOK_OLD;
    }

    if (ms > now_ms + hook->tolerance_ms && !hook->scheme->past) {
        return MARTECH_HOOK_NEW;
    }

    return MARTECH_HOOK_OK;
}


/* Nothing is ever stored of it, so it need not be signed. */

int
martech_hook_is_hello(const martech_hook_t *hook,
    const martech_hook_request_t *request)
{
    size_t                i;
    martech_str_t         value;
    const martech_str_t  *hello;

    hello = &hook->scheme->hello;

    if (hello->len == 0 || request->body.len <= hello->len + 1
        || request->body.len > 64
        || memcmp(request->body.data, hello->data, hello->len) != 0
        || request->body.data[hello->len] != '='
        || martech_hook_header(hook->scheme, request, hook->scheme->header,
                               &value)
           != 0)
    {
        return 0;
    }

    for (i = hello->len + 1; i < request->body.len; i++) {

        if (request->body.data[i] < '0' || request->body.data[i] > '9') {
            return 0;
        }
    }

    return 1;
}
