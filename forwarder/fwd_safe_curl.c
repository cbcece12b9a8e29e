
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * libcurl asks for a socket with the address that it is for: what a name
 * server has said is of no interest before, and cannot change after.  The
 * second look, when the connection stands, is at what the system says that it
 * is connected to; it also finds connections that were made for another
 * handle.
 */


#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "fwd_safe_curl.h"


static curl_socket_t fwd_safe_open(void *data, curlsocktype purpose,
    struct curl_sockaddr *address);
static const char *fwd_safe_peer(const fwd_safe_t *safe, const char *peer);
static int fwd_safe_connected(void *data, char *peer, char *local,
    int peer_port, int local_port);


void
fwd_safe_attach(fwd_safe_guard_t *guard, const fwd_safe_t *safe, CURL *easy)
{
    guard->safe = safe;
    guard->refused = NULL;

    (void) curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void) curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void) curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    (void) curl_easy_setopt(easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
    (void) curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    (void) curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                            (long) CURL_SSLVERSION_TLSv1_2);

    /* "" is no proxy, NULL would be that of the environment */

    (void) curl_easy_setopt(easy, CURLOPT_PROXY,
                            safe->proxy ? safe->proxy : "");
    (void) curl_easy_setopt(easy, CURLOPT_NOPROXY, "");

    if (safe->proxy != NULL) {
        (void) curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
        (void) curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
        (void) curl_easy_setopt(easy, CURLOPT_PROXY_SSLVERSION,
                                (long) CURL_SSLVERSION_TLSv1_2);
    }

    if (safe->proxy_login != NULL) {
        (void) curl_easy_setopt(easy, CURLOPT_PROXYUSERPWD,
                                safe->proxy_login);
    }

    (void) curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, fwd_safe_open);
    (void) curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, guard);
    (void) curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION,
                            fwd_safe_connected);
    (void) curl_easy_setopt(easy, CURLOPT_PREREQDATA, guard);
}


static curl_socket_t
fwd_safe_open(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    const char        *why;
    fwd_safe_guard_t  *guard = data;

    (void) purpose;

    /* the operator's proxy is where he says; it resolves names itself */

    if (guard->safe->proxy == NULL) {
        why = fwd_safe_address(guard->safe, &address->addr);

        if (why != NULL) {
            guard->refused = why;
            return CURL_SOCKET_BAD;
        }
    }

    guard->refused = NULL;               /* another address of the name was */

    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}


/* Asked before each request, also before one that libcurl repeats. */

static int
fwd_safe_connected(void *data, char *peer, char *local, int peer_port,
    int local_port)
{
    fwd_safe_guard_t  *guard = data;

    (void) local;
    (void) peer_port;
    (void) local_port;

    if (guard->safe->proxy == NULL) {
        guard->refused = fwd_safe_peer(guard->safe, peer);

        if (guard->refused != NULL) {
            return CURL_PREREQFUNC_ABORT;
        }
    }

    if (guard->sent && guard->again != NULL && !guard->again(guard->data)) {
        return CURL_PREREQFUNC_ABORT;
    }

    guard->sent = 1;

    return CURL_PREREQFUNC_OK;
}


/* Why this address, as text, is refused; NULL: it is not. */

static const char *
fwd_safe_peer(const fwd_safe_t *safe, const char *peer)
{
    struct sockaddr_in    sin;
    struct sockaddr_in6   sin6;

    memset(&sin, 0, sizeof(sin));
    memset(&sin6, 0, sizeof(sin6));
    sin.sin_family = AF_INET;
    sin6.sin6_family = AF_INET6;

    if (peer != NULL && inet_pton(AF_INET, peer, &sin.sin_addr) == 1) {
        return fwd_safe_address(safe,
                                (const struct sockaddr *) (const void *) &sin);
    }

    if (peer != NULL && inet_pton(AF_INET6, peer, &sin6.sin6_addr) == 1) {
        return fwd_safe_address(safe,
                               (const struct sockaddr *) (const void *) &sin6);
    }

    return "unknown";
}
