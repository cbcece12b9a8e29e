
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Endpoints, and how an address of one is found without blocking: by the
 * resolver of http, whose answers live as long as their TTL, or among those
 * that the configuration found.  A failover behind a name is seen with the
 * next lookup.
 */


#include "ngx_http_martech_net.h"


/* addresses of one name that are looked at */
#define NGX_HTTP_MARTECH_ADDRS_MAX  16

/* "[host]:65535" and its zero */
#define NGX_HTTP_MARTECH_NAME_MAX  (NGX_HTTP_MARTECH_HOST_MAX + 9)


/* An endpoint that was made at run time, with all that it points to. */
typedef struct {
    ngx_http_martech_endpoint_t  endpoint;
    ngx_addr_t                   addrs[NGX_HTTP_MARTECH_ADDRS_MAX];
    ngx_sockaddr_t               sockaddrs[NGX_HTTP_MARTECH_ADDRS_MAX];
    u_char                       host[NGX_HTTP_MARTECH_HOST_MAX + 1];
    u_char                       name[NGX_HTTP_MARTECH_NAME_MAX];
} ngx_http_martech_endpoint_own_t;


static void ngx_http_martech_endpoint_fill(
    ngx_http_martech_endpoint_own_t *own, ngx_str_t *host, in_port_t port);
static void ngx_http_martech_endpoint_literal(
    ngx_http_martech_endpoint_own_t *own);
static void ngx_http_martech_endpoint_copy(
    ngx_http_martech_endpoint_own_t *own, ngx_http_martech_endpoint_t *self);
static void ngx_http_martech_resolve_handler(ngx_resolver_ctx_t *ctx);
static void ngx_http_martech_resolve_configured(
    ngx_http_martech_lookup_t *lookup, const char *error);
static void ngx_http_martech_resolve_pick(ngx_http_martech_lookup_t *lookup,
    ngx_addr_t *addrs, ngx_uint_t naddrs);
static ngx_int_t ngx_http_martech_resolve_compare(struct sockaddr *one,
    struct sockaddr *two);


ngx_http_martech_endpoint_t *
ngx_http_martech_endpoint_create(ngx_str_t *host, ngx_str_t *port,
    ngx_http_martech_endpoint_t *self, ngx_log_t *log)
{
    ngx_int_t                         number;
    ngx_str_t                         name;
    ngx_http_martech_endpoint_own_t  *own;

    name = *host;

    if (name.len == 0 || (name.len == 1 && name.data[0] == '?')) {

        if (self == NULL || self->port == 0) {
            return NULL;
        }

        name = self->host;
    }

    number = ngx_atoi(port->data, port->len);

    if (name.len > 2 && name.data[0] == '['
        && name.data[name.len - 1] == ']')
    {
        name.data++;
        name.len -= 2;
    }

    if (number < 1 || number > 65535
        || !ngx_http_martech_endpoint_valid(&name))
    {
        return NULL;
    }

    own = ngx_calloc(sizeof(ngx_http_martech_endpoint_own_t), log);

    if (own == NULL) {
        return NULL;
    }

    ngx_http_martech_endpoint_fill(own, &name, (in_port_t) number);
    ngx_http_martech_endpoint_literal(own);

    if (!own->endpoint.literal && self) {
        ngx_http_martech_endpoint_copy(own, self);
    }

    return &own->endpoint;
}


ngx_http_martech_endpoint_t *
ngx_http_martech_endpoint_parse(ngx_str_t *text,
    ngx_http_martech_endpoint_t *self, ngx_log_t *log)
{
    u_char     *p;
    ngx_str_t   host, port;

    /* the last colon: an IPv6 address has others */

    for (p = text->data + text->len; p > text->data; p--) {

        if (p[-1] == ':') {
            host.data = text->data;
            host.len = p - 1 - text->data;
            port.data = p;
            port.len = text->data + text->len - p;

            return ngx_http_martech_endpoint_create(&host, &port, self, log);
        }
    }

    return NULL;
}


void
ngx_http_martech_endpoint_destroy(ngx_http_martech_endpoint_t *endpoint)
{
    if (endpoint == NULL) {
        return;
    }

    ngx_http_martech_tls_forget(endpoint);
    ngx_free(endpoint);
}


ngx_uint_t
ngx_http_martech_endpoint_same(ngx_http_martech_endpoint_t *one,
    ngx_http_martech_endpoint_t *two)
{
    return one->port == two->port && one->host.len == two->host.len
           && ngx_strncasecmp(one->host.data, two->host.data, one->host.len)
              == 0;
}


ngx_uint_t
ngx_http_martech_endpoint_valid(ngx_str_t *host)
{
    size_t  i;
    u_char  c, ch;

    if (host->len == 0 || host->len > NGX_HTTP_MARTECH_HOST_MAX) {
        return 0;
    }

    for (i = 0; i < host->len; i++) {
        ch = host->data[i];
        c = (u_char) (ch | 0x20);

        if ((c < 'a' || c > 'z') && (ch < '0' || ch > '9')
            && ch != '.' && ch != '-' && ch != '_' && ch != ':')
        {
            return 0;
        }
    }

    return 1;
}


static void
ngx_http_martech_endpoint_fill(ngx_http_martech_endpoint_own_t *own,
    ngx_str_t *host, in_port_t port)
{
    u_char                       *last;
    ngx_http_martech_endpoint_t  *endpoint;

    endpoint = &own->endpoint;

    ngx_strlow(own->host, host->data, host->len);

    endpoint->host.data = own->host;
    endpoint->host.len = host->len;
    endpoint->port = port;
    endpoint->addrs = own->addrs;

    if (ngx_strlchr(own->host, own->host + host->len, ':')) {
        last = ngx_sprintf(own->name, "[%V]:%d", &endpoint->host, (int) port);

    } else {
        last = ngx_sprintf(own->name, "%V:%d", &endpoint->host, (int) port);
    }

    endpoint->name.data = own->name;
    endpoint->name.len = last - own->name;
}


static void
ngx_http_martech_endpoint_literal(ngx_http_martech_endpoint_own_t *own)
{
    ngx_str_t                    *host;
    ngx_sockaddr_t               *sockaddr;
    ngx_http_martech_endpoint_t  *endpoint;

    endpoint = &own->endpoint;
    host = &endpoint->host;
    sockaddr = &own->sockaddrs[0];

    sockaddr->sockaddr_in.sin_addr.s_addr = ngx_inet_addr(host->data,
                                                          host->len);

    if (sockaddr->sockaddr_in.sin_addr.s_addr != INADDR_NONE) {
        sockaddr->sockaddr.sa_family = AF_INET;
        own->addrs[0].socklen = sizeof(struct sockaddr_in);

#if (NGX_HAVE_INET6)

    } else if (ngx_inet6_addr(host->data, host->len,
                              sockaddr->sockaddr_in6.sin6_addr.s6_addr)
               == NGX_OK)
    {
        sockaddr->sockaddr_in6.sin6_flowinfo = 0;
        sockaddr->sockaddr.sa_family = AF_INET6;
        own->addrs[0].socklen = sizeof(struct sockaddr_in6);

#endif

    } else {
        return;
    }

    own->addrs[0].sockaddr = &sockaddr->sockaddr;
    own->addrs[0].name = endpoint->name;

    endpoint->naddrs = 1;
    endpoint->literal = 1;
}


/* The addresses of the same name at another port. */

static void
ngx_http_martech_endpoint_copy(ngx_http_martech_endpoint_own_t *own,
    ngx_http_martech_endpoint_t *self)
{
    ngx_uint_t                    i;
    ngx_http_martech_endpoint_t  *endpoint;

    endpoint = &own->endpoint;

    if (self->host.len != endpoint->host.len
        || ngx_strncasecmp(self->host.data, endpoint->host.data,
                           self->host.len)
           != 0)
    {
        return;
    }

    for (i = 0; i < self->naddrs && i < NGX_HTTP_MARTECH_ADDRS_MAX; i++) {
        ngx_memcpy(&own->sockaddrs[i], self->addrs[i].sockaddr,
                   self->addrs[i].socklen);

        own->addrs[i].sockaddr = &own->sockaddrs[i].sockaddr;
        own->addrs[i].socklen = self->addrs[i].socklen;
        own->addrs[i].name = endpoint->name;
    }

    endpoint->naddrs = i;
}


void
ngx_http_martech_resolve(ngx_http_martech_lookup_t *lookup,
    ngx_http_martech_endpoint_t *endpoint)
{
    ngx_resolver_ctx_t  *ctx;

    lookup->endpoint = endpoint;
    lookup->socklen = 0;
    lookup->error = NULL;

    if (endpoint->literal || lookup->resolver == NULL) {
        ngx_http_martech_resolve_configured(lookup,
                                            "there is no \"resolver\"");
        return;
    }

    ctx = ngx_resolve_start(lookup->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_http_martech_resolve_configured(lookup, "no resolver starts");
        return;
    }

    ctx->name = endpoint->host;
    ctx->handler = ngx_http_martech_resolve_handler;
    ctx->data = lookup;
    ctx->timeout = lookup->timeout;
    ctx->cancelable = 1;

    lookup->ctx = ctx;

    /* it calls the handler at once if it knows the name, and then is OK */

    if (ngx_resolve_name(ctx) != NGX_OK) {
        lookup->ctx = NULL;
        ngx_http_martech_resolve_configured(lookup, "the resolver fails");
    }
}


void
ngx_http_martech_resolve_cancel(ngx_http_martech_lookup_t *lookup)
{
    if (lookup->ctx) {
        ngx_resolve_name_done(lookup->ctx);
        lookup->ctx = NULL;
    }
}


static void
ngx_http_martech_resolve_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_addr_t                  addrs[NGX_HTTP_MARTECH_ADDRS_MAX];
    ngx_uint_t                  i;
    const char                 *error;
    ngx_http_martech_lookup_t  *lookup;

    lookup = ctx->data;
    error = NULL;

    if (ctx->state || ctx->naddrs == 0) {
        error = ctx->state ? ngx_resolver_strerror(ctx->state)
                           : "it has no address";

    } else {

        for (i = 0; i < ctx->naddrs && i < NGX_HTTP_MARTECH_ADDRS_MAX; i++) {
            addrs[i].sockaddr = ctx->addrs[i].sockaddr;
            addrs[i].socklen = ctx->addrs[i].socklen;
        }

        ngx_http_martech_resolve_pick(lookup, addrs, i);
    }

    lookup->ctx = NULL;
    ngx_resolve_name_done(ctx);

    if (error) {
        ngx_http_martech_resolve_configured(lookup, error);
        return;
    }

    lookup->handler(lookup);
}


/* Ends a lookup by what the configuration found, else by the error. */

static void
ngx_http_martech_resolve_configured(ngx_http_martech_lookup_t *lookup,
    const char *error)
{
    ngx_http_martech_endpoint_t  *endpoint;

    endpoint = lookup->endpoint;

    if (endpoint->naddrs == 0) {
        lookup->error = error;
        lookup->handler(lookup);
        return;
    }

    if (!endpoint->literal && lookup->resolver) {
        ngx_log_error(NGX_LOG_INFO, lookup->log, 0,
                      "martech: %V: resolver: %s, "
                      "an address of the configuration is used",
                      &endpoint->name, error);
    }

    ngx_http_martech_resolve_pick(lookup, endpoint->addrs, endpoint->naddrs);

    lookup->handler(lookup);
}


/*
 * The address behind the one that was used last, in an order of their own:
 * resolvers give them in any.  The first choice is random, so that workers do
 * not all begin with the same.
 */

static void
ngx_http_martech_resolve_pick(ngx_http_martech_lookup_t *lookup,
    ngx_addr_t *addrs, ngx_uint_t naddrs)
{
    ngx_uint_t                    i;
    ngx_addr_t                   *first, *next;
    ngx_http_martech_endpoint_t  *endpoint;

    endpoint = lookup->endpoint;

    first = &addrs[0];
    next = NULL;

    if (endpoint->last_len == 0) {
        next = &addrs[(ngx_uint_t) ngx_random() % naddrs];
    }

    for (i = 0; i < naddrs && endpoint->last_len > 0; i++) {

        if (ngx_http_martech_resolve_compare(addrs[i].sockaddr,
                                             first->sockaddr)
            < 0)
        {
            first = &addrs[i];
        }

        if (ngx_http_martech_resolve_compare(addrs[i].sockaddr,
                                             &endpoint->last.sockaddr)
            > 0
            && (next == NULL
                || ngx_http_martech_resolve_compare(addrs[i].sockaddr,
                                                    next->sockaddr)
                   < 0))
        {
            next = &addrs[i];
        }
    }

    if (next == NULL) {
        next = first;
    }

    ngx_memcpy(&lookup->sockaddr, next->sockaddr, next->socklen);
    lookup->socklen = next->socklen;

    if (endpoint->port) {
        ngx_inet_set_port(&lookup->sockaddr.sockaddr, endpoint->port);
    }

    endpoint->last = lookup->sockaddr;
    endpoint->last_len = lookup->socklen;
}


/* By the family, then by the address; the port does not count. */

static ngx_int_t
ngx_http_martech_resolve_compare(struct sockaddr *one, struct sockaddr *two)
{
    if (one->sa_family != two->sa_family) {
        return one->sa_family < two->sa_family ? -1 : 1;
    }

    switch (one->sa_family) {

    case AF_INET:
        return ngx_memcmp(&((struct sockaddr_in *) one)->sin_addr,
                          &((struct sockaddr_in *) two)->sin_addr,
                          sizeof(struct in_addr));

#if (NGX_HAVE_INET6)

    case AF_INET6:
        return ngx_memcmp(&((struct sockaddr_in6 *) one)->sin6_addr,
                          &((struct sockaddr_in6 *) two)->sin6_addr,
                          sizeof(struct in6_addr));

#endif

    default:
        return 0;
    }
}
