
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Hosts by their names: patterns, numbers in disguise, names that mean
 * something only here.
 */


#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "fwd_safe.h"


static const char *fwd_safe_literal(const fwd_safe_t *safe,
    const char *host, int *literal);
static int fwd_safe_numeric(const char *host);
static int fwd_safe_local(const char *host);
static int fwd_safe_label_valid(const char *label, size_t len);


/* Names of a machine or of a network, RFC 6761, 6762, 8375, 9476. */
static const char *const  fwd_safe_locals[] = {
    "localhost", "local", "localdomain", "internal", "intranet", "lan",
    "home", "corp", "private", "home.arpa", "alt", "onion", "test",
    "invalid", "arpa"
};


const char *
fwd_safe_host(const fwd_safe_t *safe, const char *host)
{
    int          literal;
    char         name[FWD_SAFE_HOST_MAX + 1];
    size_t       i, len;
    const char  *why;

    len = strlen(host);

    if (len > 1 && host[len - 1] == '.') {
        len--;
    }

    if (len == 0 || len > FWD_SAFE_HOST_MAX) {
        return "no host";
    }

    memcpy(name, host, len);
    name[len] = '\0';

    why = fwd_safe_literal(safe, name, &literal);

    if (why != NULL) {
        return why;
    }

    if (!literal && safe->nets_count == 0 && fwd_safe_local(name)) {
        return "a local name";
    }

    for (i = 0; i < safe->hosts.count; i++) {
        if (fwd_safe_matches(safe->hosts.list[i], name)) {
            return NULL;
        }
    }

    return "not an allowed host";
}


/* Whatever the C library, or a proxy, might take for an address. */

static const char *
fwd_safe_literal(const fwd_safe_t *safe, const char *host, int *literal)
{
    struct in_addr        in;
    struct sockaddr_in    sin;
    struct sockaddr_in6   sin6;

    *literal = 1;

    memset(&sin, 0, sizeof(sin));
    memset(&sin6, 0, sizeof(sin6));

    if (strchr(host, ':') != NULL) {

        /* a zone ("%eth0") says that it is link-local */

        if (inet_pton(AF_INET6, host, &sin6.sin6_addr) != 1) {
            return "no address";
        }

        sin6.sin6_family = AF_INET6;

        return fwd_safe_address(safe,
                             (const struct sockaddr *) (const void *) &sin6);
    }

    if (inet_aton(host, &in) != 0) {
        sin.sin_family = AF_INET;
        sin.sin_addr = in;

        return fwd_safe_address(safe,
                              (const struct sockaddr *) (const void *) &sin);
    }

    *literal = 0;

    return fwd_safe_numeric(host) ? "no address" : NULL;
}


/* No name of the Internet ends in a number. */

static int
fwd_safe_numeric(const char *host)
{
    size_t       len;
    const char  *last;

    last = strrchr(host, '.');
    last = (last != NULL) ? last + 1 : host;
    len = strlen(last);

    if (strspn(last, "0123456789") == len) {
        return 1;
    }

    return len > 1 && last[0] == '0' && (last[1] == 'x' || last[1] == 'X')
           && strspn(last + 2, "0123456789abcdefABCDEF") == len - 2;
}


static int
fwd_safe_local(const char *host)
{
    size_t  i, len, tail;

    if (strchr(host, '.') == NULL) {
        return 1;
    }

    len = strlen(host);

    for (i = 0; i < sizeof(fwd_safe_locals) / sizeof(char *); i++) {
        tail = strlen(fwd_safe_locals[i]);

        if (len > tail && host[len - tail - 1] == '.'
            && strcasecmp(host + len - tail, fwd_safe_locals[i]) == 0)
        {
            return 1;
        }
    }

    return 0;
}


int
fwd_safe_matches(const char *pattern, const char *host)
{
    size_t  len, tail;

    if (strncmp(pattern, "*.", 2) != 0) {
        return strcasecmp(pattern, host) == 0;
    }

    len = strlen(host);
    tail = strlen(pattern + 1);

    return len > tail && host[0] != '.'
           && strcasecmp(host + len - tail, pattern + 1) == 0;
}


int
fwd_safe_pattern_valid(const char *text)
{
    size_t           len, labels;
    fwd_safe_net_t   net;
    const char      *p;

    if (strchr(text, '/') == NULL && fwd_safe_net(&net, text) == FWD_OK) {
        return 1;
    }

    p = text;
    labels = 0;

    if (strncmp(p, "*.", 2) == 0) {
        p += 2;
    }

    if (strlen(p) > FWD_SAFE_HOST_MAX) {
        return 0;
    }

    for ( ;; ) {
        len = strcspn(p, ".");

        if (!fwd_safe_label_valid(p, len)) {
            return 0;
        }

        labels++;
        p += len;

        if (*p == '\0') {
            break;
        }

        p++;
    }

    /* "*.example" would be a whole top-level domain */

    return text[0] != '*' || labels >= 2;
}


static int
fwd_safe_label_valid(const char *label, size_t len)
{
    return len >= 1 && len <= 63 && label[0] != '-' && label[len - 1] != '-'
           && strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") >= len;
}


const char *
fwd_safe_url(const fwd_safe_t *safe, const char *text)
{
    char        *scheme, *host, *user;
    size_t       len;
    CURLU       *url;
    const char  *why;

    url = curl_url();
    if (url == NULL) {
        return "out of memory";
    }

    scheme = NULL;
    host = NULL;
    user = NULL;
    why = "no http:// or https:// URL";

    /*
     * What parsers do not agree about is refused, so that nobody behind us
     * can see another host.
     */

    if (strpbrk(text, " \t\r\n\\") == NULL
        && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK
        && curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK
        && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0)
        && curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK)
    {
        len = strlen(host);

        if (safe->tls && strcmp(scheme, "http") == 0) {
            why = "http, where https is expected";

        } else if (curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK) {
            why = "a login in the URL";

        } else if (host[0] == '[' && host[len - 1] == ']') {
            host[len - 1] = '\0';
            why = fwd_safe_host(safe, host + 1);

        } else {
            why = fwd_safe_host(safe, host);
        }
    }

    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_url_cleanup(url);

    return why;
}
