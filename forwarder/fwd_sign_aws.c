
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A request in its canonical form, and the chain of keys that signs its
 * digest.
 */


#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "fwd_sign_aws.h"


#define FWD_AWS_ALGORITHM   "AWS4-HMAC-SHA256"
#define FWD_AWS_TEXT_MAX    (128 * 1024)
#define FWD_AWS_LINES_MAX   16           /* headers that are signed */
#define FWD_AWS_PARAMS_MAX  64
#define FWD_AWS_HEX         (SHA256_DIGEST_LENGTH * 2 + 1)
#define FWD_AWS_STAMP       17           /* 20150830T123600Z, zero */


typedef struct {
    const char           *name;          /* of a buffer that is not ours */
    size_t                name_len;
    const char           *value;
    size_t                value_len;
} fwd_aws_line_t;

typedef struct {
    char                 *name;          /* encoded */
    char                 *value;
} fwd_aws_param_t;

typedef struct {
    const fwd_sign_aws_t  *in;
    fwd_buf_t             text;          /* the canonical request, then what
                                            is signed */
    fwd_buf_t             names;         /* "host;x-amz-date" */
    char                  stamp[FWD_AWS_STAMP];
    char                  hash[FWD_AWS_HEX];     /* of the body */
    char                 *host;
    char                 *path;
    char                 *query;         /* NULL: none */
    fwd_error_t          *err;
} fwd_aws_t;


static fwd_rc_t fwd_aws_url(fwd_aws_t *a);
static void fwd_aws_add(fwd_buf_t *headers, const char *name,
    const char *value);
static fwd_rc_t fwd_aws_request(fwd_aws_t *a, const fwd_buf_t *headers);
static fwd_rc_t fwd_aws_path(fwd_aws_t *a);
static fwd_rc_t fwd_aws_query(fwd_aws_t *a);
static char *fwd_aws_encoded(const char *text, size_t len);
static int fwd_aws_param_order(const void *one, const void *two);
static fwd_rc_t fwd_aws_headers(fwd_aws_t *a, const fwd_buf_t *headers);
static size_t fwd_aws_lines(fwd_aws_line_t *list, size_t n, const char *text,
    size_t len);
static int fwd_aws_line_order(const void *one, const void *two);
static void fwd_aws_value(fwd_buf_t *out, const fwd_aws_line_t *line);
static void fwd_aws_authorize(fwd_aws_t *a, fwd_buf_t *headers);
static void fwd_aws_hex(char *out, const unsigned char *digest);
static void fwd_aws_hmac(unsigned char *out, const void *key, size_t len,
    const char *text);


fwd_rc_t
fwd_sign_aws(fwd_buf_t *headers, const fwd_sign_aws_t *in, fwd_error_t *err)
{
    fwd_rc_t        rc;
    fwd_aws_t       a;
    struct tm       tm;
    time_t          now;
    unsigned char   digest[SHA256_DIGEST_LENGTH];

    memset(&a, 0, sizeof(a));
    a.in = in;
    a.err = err;
    now = (time_t) in->now_s;
    fwd_buf_init(&a.text, FWD_AWS_TEXT_MAX);
    fwd_buf_init(&a.names, FWD_AWS_TEXT_MAX);

    (void) strftime(a.stamp, sizeof(a.stamp), "%Y%m%dT%H%M%SZ",
                    gmtime_r(&now, &tm));
    (void) SHA256(in->body_len ? in->body : "", in->body_len, digest);
    fwd_aws_hex(a.hash, digest);

    fwd_aws_add(headers, "X-Amz-Date", a.stamp);
    fwd_aws_add(headers, "X-Amz-Security-Token", in->session_token);

    if (strcmp(in->service, "s3") == 0) {
        fwd_aws_add(headers, "X-Amz-Content-Sha256", a.hash);
    }

    rc = fwd_aws_url(&a) == FWD_OK && fwd_aws_request(&a, headers) == FWD_OK
         ? FWD_OK : FWD_ERROR;

    if (rc == FWD_OK) {
        fwd_aws_authorize(&a, headers);
    }

    if (rc == FWD_OK && (headers->failed || a.text.failed || a.names.failed))
    {
        rc = fwd_error(err, "the request is too long to be signed");
    }

    free(a.host);
    free(a.path);
    free(a.query);
    fwd_buf_free(&a.text);
    fwd_buf_free(&a.names);

    return rc;
}


static void
fwd_aws_add(fwd_buf_t *headers, const char *name, const char *value)
{
    if (value != NULL) {
        fwd_buf_add_string(headers, name);
        fwd_buf_add_string(headers, ": ");
        fwd_buf_add_string(headers, value);
        fwd_buf_add_char(headers, '\n');
    }
}


/* The host is what will stand in the header: a port that is usual does not. */

static fwd_rc_t
fwd_aws_url(fwd_aws_t *a)
{
    char       *host, *port, *path, *query;
    CURLU      *url;
    fwd_buf_t   text;

    url = curl_url();
    host = NULL;
    port = NULL;
    path = NULL;
    query = NULL;
    fwd_buf_init(&text, FWD_AWS_TEXT_MAX);

    if (url != NULL
        && curl_url_set(url, CURLUPART_URL, a->in->url, CURLU_PATH_AS_IS)
           == CURLUE_OK
        && curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK
        && curl_url_get(url, CURLUPART_PATH, &path, 0) == CURLUE_OK)
    {
        fwd_buf_add_string(&text, host);

        if (curl_url_get(url, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT)
            == CURLUE_OK)
        {
            fwd_buf_add_char(&text, ':');
            fwd_buf_add_string(&text, port);
        }

        if (curl_url_get(url, CURLUPART_QUERY, &query, 0) == CURLUE_OK) {
            a->query = strdup(query);
        }

        a->path = strdup(path);
        a->host = fwd_buf_string(&text) ? strdup(fwd_buf_string(&text))
                                        : NULL;
    }

    fwd_buf_free(&text);
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_url_cleanup(url);

    if (a->host == NULL || a->path == NULL
        || (query != NULL && a->query == NULL))
    {
        curl_free(query);
        return fwd_error(a->err, "the URL cannot be signed");
    }

    curl_free(query);

    return FWD_OK;
}


static fwd_rc_t
fwd_aws_request(fwd_aws_t *a, const fwd_buf_t *headers)
{
    fwd_buf_add_string(&a->text, a->in->method);
    fwd_buf_add_char(&a->text, '\n');

    if (fwd_aws_path(a) != FWD_OK || fwd_aws_query(a) != FWD_OK
        || fwd_aws_headers(a, headers) != FWD_OK)
    {
        return FWD_ERROR;
    }

    fwd_buf_add_string(&a->text, a->hash);

    return FWD_OK;
}


/*
 * The path is encoded once more, but for s3: "%20" becomes "%2520".  A server
 * takes "//" and dots away before it does so; nobody here sends such a path
 * on purpose.
 */

static fwd_rc_t
fwd_aws_path(fwd_aws_t *a)
{
    int          s3;
    char         code[4];
    const char  *p;

    s3 = (strcmp(a->in->service, "s3") == 0);

    if (!s3 && (strstr(a->path, "//") != NULL || strstr(a->path, "/./") != NULL
                || strstr(a->path, "/../") != NULL))
    {
        return fwd_error(a->err, "a path with empty or dot segments cannot "
                         "be signed");
    }

    for (p = a->path; *p != '\0'; p++) {

        if (isalnum((unsigned char) *p) || strchr("-._~/", *p) != NULL
            || (s3 && *p == '%'))
        {
            fwd_buf_add_char(&a->text, *p);

        } else {
            (void) snprintf(code, sizeof(code), "%%%02X", (unsigned char) *p);
            fwd_buf_add_string(&a->text, code);
        }
    }

    fwd_buf_add_char(&a->text, '\n');

    return FWD_OK;
}


/* Sorted by names, then values; in the URL they stay as they are. */

static fwd_rc_t
fwd_aws_query(fwd_aws_t *a)
{
    size_t            i, n, len, name;
    fwd_rc_t          rc;
    const char       *p;
    fwd_aws_param_t   params[FWD_AWS_PARAMS_MAX];

    memset(params, 0, sizeof(params));

    n = 0;
    rc = FWD_OK;
    p = a->query ? a->query : "";

    for ( /* void */ ; *p != '\0' && rc == FWD_OK; p += len + (p[len] == '&'))
    {
        len = strcspn(p, "&");
        name = strcspn(p, "=&");

        if (len == 0) {
            continue;
        }

        if (n == FWD_AWS_PARAMS_MAX) {
            rc = fwd_error(a->err, "a query of more than %d parameters "
                           "cannot be signed", FWD_AWS_PARAMS_MAX);
            break;
        }

        params[n].name = fwd_aws_encoded(p, name);
        params[n].value = fwd_aws_encoded(p + name + (name < len),
                                          len - name - (name < len));

        if (params[n].name == NULL || params[n].value == NULL) {
            rc = fwd_error(a->err, "the query cannot be signed");
        }

        n++;
    }

    if (rc == FWD_OK) {
        qsort(params, n, sizeof(fwd_aws_param_t), fwd_aws_param_order);
    }

    for (i = 0; i < n; i++) {

        if (rc == FWD_OK) {
            fwd_buf_add_string(&a->text, i ? "&" : "");
            fwd_buf_add_string(&a->text, params[i].name);
            fwd_buf_add_char(&a->text, '=');
            fwd_buf_add_string(&a->text, params[i].value);
        }

        curl_free(params[i].name);
        curl_free(params[i].value);
    }

    fwd_buf_add_char(&a->text, '\n');

    return rc;
}


/* What a text means, encoded as it should be; NULL: it holds a zero. */

static char *
fwd_aws_encoded(const char *text, size_t len)
{
    int    n;
    char  *plain, *encoded;

    if (len == 0) {
        return curl_easy_escape(NULL, "", 0);
    }

    plain = curl_easy_unescape(NULL, text, (int) len, &n);
    encoded = NULL;

    if (plain != NULL && n > 0) {
        encoded = curl_easy_escape(NULL, plain, n);
    }

    curl_free(plain);

    return encoded;
}


static int
fwd_aws_param_order(const void *one, const void *two)
{
    int                     order;
    const fwd_aws_param_t  *a = one;
    const fwd_aws_param_t  *b = two;

    order = strcmp(a->name, b->name);

    return order != 0 ? order : strcmp(a->value, b->value);
}


static fwd_rc_t
fwd_aws_headers(fwd_aws_t *a, const fwd_buf_t *headers)
{
    size_t           i, n, k;
    fwd_aws_line_t   list[FWD_AWS_LINES_MAX];

    list[0].name = "host";
    list[0].name_len = 4;
    list[0].value = a->host;
    list[0].value_len = strlen(a->host);

    n = fwd_aws_lines(list, 1, a->in->lines ? a->in->lines : "",
                      a->in->lines ? strlen(a->in->lines) : 0);
    n = fwd_aws_lines(list, n, (const char *) headers->data, headers->len);

    if (n > FWD_AWS_LINES_MAX) {
        return fwd_error(a->err, "more than %d headers to be signed",
                         FWD_AWS_LINES_MAX);
    }

    qsort(list, n, sizeof(fwd_aws_line_t), fwd_aws_line_order);

    for (i = 0; i < n; i++) {

        fwd_buf_add_string(&a->names, i ? ";" : "");

        for (k = 0; k < list[i].name_len; k++) {
            fwd_buf_add_char(&a->text,
                             tolower((unsigned char) list[i].name[k]));
            fwd_buf_add_char(&a->names,
                             tolower((unsigned char) list[i].name[k]));
        }

        fwd_buf_add_char(&a->text, ':');
        fwd_aws_value(&a->text, &list[i]);
        fwd_buf_add_char(&a->text, '\n');
    }

    fwd_buf_add_char(&a->text, '\n');
    fwd_buf_add(&a->text, a->names.data, a->names.len);
    fwd_buf_add_char(&a->text, '\n');

    return FWD_OK;
}


/* Those lines of a text that are signed; the count may be above the most. */

static size_t
fwd_aws_lines(fwd_aws_line_t *list, size_t n, const char *text, size_t len)
{
    size_t       line, name;
    const char  *end;

    for (end = text + len; text < end; text += line + 1) {
        line = 0;

        while (text + line < end && text[line] != '\n') {
            line++;
        }

        for (name = 0; name < line && text[name] != ':'; name++) { /* void */ }

        if (!((name == 12 && strncasecmp(text, "content-type", 12) == 0)
              || (name > 6 && strncasecmp(text, "x-amz-", 6) == 0)))
        {
            continue;
        }

        if (n < FWD_AWS_LINES_MAX && name < line) {
            list[n].name = text;
            list[n].name_len = name;
            list[n].value = text + name + 1;
            list[n].value_len = line - name - 1;
        }

        n++;
    }

    return n;
}


static int
fwd_aws_line_order(const void *one, const void *two)
{
    int                    order;
    size_t                 len;
    const fwd_aws_line_t  *a = one;
    const fwd_aws_line_t  *b = two;

    len = a->name_len < b->name_len ? a->name_len : b->name_len;
    order = strncasecmp(a->name, b->name, len);

    return order != 0 ? order : (a->name_len > b->name_len)
                                - (a->name_len < b->name_len);
}


/* Without blanks around it, and only one of those within. */

static void
fwd_aws_value(fwd_buf_t *out, const fwd_aws_line_t *line)
{
    int     blank;
    size_t  i, begun;

    blank = 0;
    begun = 0;

    for (i = 0; i < line->value_len; i++) {

        if (line->value[i] == ' ' || line->value[i] == '\t') {
            blank = 1;
            continue;
        }

        if (blank && begun) {
            fwd_buf_add_char(out, ' ');
        }

        fwd_buf_add_char(out, line->value[i]);
        blank = 0;
        begun = 1;
    }
}


static void
fwd_aws_authorize(fwd_aws_t *a, fwd_buf_t *headers)
{
    char                   day[9], hex[FWD_AWS_HEX];
    fwd_buf_t              key, scope;
    const char            *text;
    unsigned char          digest[SHA256_DIGEST_LENGTH];
    const fwd_sign_aws_t  *in;

    in = a->in;
    memcpy(day, a->stamp, 8);
    day[8] = '\0';
    fwd_buf_init(&key, FWD_AWS_TEXT_MAX);
    fwd_buf_init(&scope, FWD_AWS_TEXT_MAX);

    fwd_buf_add_string(&scope, day);
    fwd_buf_add_char(&scope, '/');
    fwd_buf_add_string(&scope, in->region);
    fwd_buf_add_char(&scope, '/');
    fwd_buf_add_string(&scope, in->service);
    fwd_buf_add_string(&scope, "/aws4_request");

    (void) SHA256(a->text.data, a->text.len, digest);
    fwd_aws_hex(hex, digest);

    fwd_buf_reset(&a->text);
    fwd_buf_add_string(&a->text, FWD_AWS_ALGORITHM "\n");
    fwd_buf_add_string(&a->text, a->stamp);
    fwd_buf_add_char(&a->text, '\n');
    fwd_buf_add(&a->text, scope.data, scope.len);
    fwd_buf_add_char(&a->text, '\n');
    fwd_buf_add_string(&a->text, hex);

    fwd_buf_add_string(&key, "AWS4");
    fwd_buf_add_string(&key, in->secret_key);

    fwd_aws_hmac(digest, key.data, key.len, day);
    fwd_aws_hmac(digest, digest, sizeof(digest), in->region);
    fwd_aws_hmac(digest, digest, sizeof(digest), in->service);
    fwd_aws_hmac(digest, digest, sizeof(digest), "aws4_request");

    text = fwd_buf_string(&a->text);
    fwd_aws_hmac(digest, digest, sizeof(digest), text ? text : "");
    fwd_aws_hex(hex, digest);

    fwd_buf_add_string(headers, "Authorization: " FWD_AWS_ALGORITHM
                                " Credential=");
    fwd_buf_add_string(headers, in->access_key);
    fwd_buf_add_char(headers, '/');
    fwd_buf_add(headers, scope.data, scope.len);
    fwd_buf_add_string(headers, ", SignedHeaders=");
    fwd_buf_add(headers, a->names.data, a->names.len);
    fwd_buf_add_string(headers, ", Signature=");
    fwd_buf_add_string(headers, hex);
    fwd_buf_add_char(headers, '\n');

    if (key.data != NULL) {
        OPENSSL_cleanse(key.data, key.len);
    }

    OPENSSL_cleanse(digest, sizeof(digest));
    a->text.failed |= key.failed | scope.failed;
    fwd_buf_free(&key);
    fwd_buf_free(&scope);
}


static void
fwd_aws_hex(char *out, const unsigned char *digest)
{
    size_t  i;

    for (i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        (void) snprintf(out + i * 2, 3, "%02x", digest[i]);
    }
}


/* out may be the key. */

static void
fwd_aws_hmac(unsigned char *out, const void *key, size_t len,
    const char *text)
{
    unsigned       n;
    unsigned char  digest[SHA256_DIGEST_LENGTH];

    n = 0;

    if (HMAC(EVP_sha256(), key, (int) len, (const unsigned char *) text,
             strlen(text), digest, &n)
        != NULL)
    {
        memcpy(out, digest, sizeof(digest));
    }

    OPENSSL_cleanse(digest, sizeof(digest));
}
