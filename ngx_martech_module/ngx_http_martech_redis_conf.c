
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The directive "martech_redis": where Redis is, and how to reach it.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_REDIS_PORT     6379
#define NGX_HTTP_MARTECH_SENTINEL_PORT  26379
#define NGX_HTTP_MARTECH_REPLICAS_MAX   16


typedef struct ngx_http_martech_redis_param_s  ngx_http_martech_redis_param_t;

typedef char *(*ngx_http_martech_redis_param_pt)(ngx_conf_t *cf,
    ngx_http_martech_server_t *server, ngx_http_martech_redis_param_t *param,
    ngx_str_t *value, ngx_str_t *s);

/* A parameter; value is all of it, s what is behind its "=". */
struct ngx_http_martech_redis_param_s {
    ngx_str_t                        name;
    ngx_uint_t                       word;     /* 1: it has no value */
    size_t                           offset;   /* in the server, if it has
                                                  one place there */
    ngx_http_martech_redis_param_pt  set;
};


static char *ngx_http_martech_redis_number(ngx_conf_t *cf,
    ngx_http_martech_server_t *server, ngx_http_martech_redis_param_t *param,
    ngx_str_t *value, ngx_str_t *s);
static char *ngx_http_martech_redis_user(ngx_conf_t *cf,
    ngx_http_martech_server_t *server, ngx_http_martech_redis_param_t *param,
    ngx_str_t *value, ngx_str_t *s);
static char *ngx_http_martech_redis_password(ngx_conf_t *cf,
    ngx_http_martech_server_t *server, ngx_http_martech_redis_param_t *param,
    ngx_str_t *value, ngx_str_t *s);
static char *ngx_http_martech_redis_time(ngx_conf_t *cf,
    ngx_http_martech_server_t *server, ngx_http_martech_redis_param_t *param,
    ngx_str_t *value, ngx_str_t *s);
static char *ngx_http_martech_redis_cluster(ngx_conf_t *cf,
    ngx_http_martech_server_t *server, ngx_http_martech_redis_param_t *param,
    ngx_str_t *value, ngx_str_t *s);
static char *ngx_http_martech_redis_sentinel(ngx_conf_t *cf,
    ngx_http_martech_server_t *server, ngx_http_martech_redis_param_t *param,
    ngx_str_t *value, ngx_str_t *s);
static char *ngx_http_martech_redis_tls(ngx_conf_t *cf,
    ngx_http_martech_server_t *server, ngx_http_martech_redis_param_t *param,
    ngx_str_t *value, ngx_str_t *s);
static char *ngx_http_martech_redis_file(ngx_conf_t *cf,
    ngx_http_martech_server_t *server, ngx_http_martech_redis_param_t *param,
    ngx_str_t *value, ngx_str_t *s);
static char *ngx_http_martech_redis_replicas(ngx_conf_t *cf,
    ngx_http_martech_server_t *server, ngx_http_martech_redis_param_t *param,
    ngx_str_t *value, ngx_str_t *s);

static char *ngx_http_martech_redis_params(ngx_conf_t *cf,
    ngx_http_martech_server_t *server);
static ngx_int_t ngx_http_martech_redis_is(
    ngx_http_martech_redis_param_t *param, ngx_str_t *value, ngx_str_t *s);
static ngx_uint_t ngx_http_martech_redis_is_address(ngx_str_t *value);
static char *ngx_http_martech_redis_check(ngx_conf_t *cf,
    ngx_http_martech_server_t *server);
static char *ngx_http_martech_redis_check_tls(ngx_conf_t *cf,
    ngx_http_martech_server_t *server);
static char *ngx_http_martech_redis_check_login(ngx_conf_t *cf,
    ngx_http_martech_server_t *server);
static char *ngx_http_martech_redis_addresses(ngx_conf_t *cf,
    ngx_http_martech_server_t *server);
static char *ngx_http_martech_redis_address(ngx_conf_t *cf,
    ngx_http_martech_server_t *server, ngx_str_t *value);
static ngx_int_t ngx_http_martech_redis_endpoint(ngx_conf_t *cf,
    ngx_http_martech_endpoint_t *endpoint, ngx_url_t *u);


#define ngx_http_martech_redis_offset(field)                                  \
    offsetof(ngx_http_martech_server_t, field)


static ngx_http_martech_redis_param_t  ngx_http_martech_redis_table[] = {

    { ngx_string("cluster"), 1, 0,
      ngx_http_martech_redis_cluster },
    { ngx_string("sentinel"), 0, 0,
      ngx_http_martech_redis_sentinel },
    { ngx_string("db"), 0, 0,
      ngx_http_martech_redis_number },
    { ngx_string("user"), 0, ngx_http_martech_redis_offset(login),
      ngx_http_martech_redis_user },
    { ngx_string("password_file"), 0, ngx_http_martech_redis_offset(login),
      ngx_http_martech_redis_password },
    { ngx_string("sentinel_user"), 0,
      ngx_http_martech_redis_offset(sentinel_login),
      ngx_http_martech_redis_user },
    { ngx_string("sentinel_password_file"), 0,
      ngx_http_martech_redis_offset(sentinel_login),
      ngx_http_martech_redis_password },
    { ngx_string("connect_timeout"), 0,
      ngx_http_martech_redis_offset(connect_timeout),
      ngx_http_martech_redis_time },
    { ngx_string("timeout"), 0, ngx_http_martech_redis_offset(timeout),
      ngx_http_martech_redis_time },
    { ngx_string("tls"), 1, 0,
      ngx_http_martech_redis_tls },
    { ngx_string("tls_ca"), 0, ngx_http_martech_redis_offset(tls_ca),
      ngx_http_martech_redis_file },
    { ngx_string("tls_certificate"), 0,
      ngx_http_martech_redis_offset(tls_certificate),
      ngx_http_martech_redis_file },
    { ngx_string("tls_key"), 0, ngx_http_martech_redis_offset(tls_key),
      ngx_http_martech_redis_file },
    { ngx_string("tls_name"), 0, ngx_http_martech_redis_offset(tls_name),
      ngx_http_martech_redis_file },
    { ngx_string("wait_replicas"), 0, 0,
      ngx_http_martech_redis_replicas },

    { ngx_null_string, 0, 0, NULL }
};


char *
ngx_http_martech_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_main_conf_t *mmcf = conf;

    char                       *rv;
    ngx_http_martech_server_t  *server;

    server = &mmcf->server;

    if (server->nendpoints > 0) {
        return "is duplicate";
    }

    server->connect_timeout = 1000;
    server->timeout = 5000;

    /* the parameters first: they say what the addresses may be */

    rv = ngx_http_martech_redis_params(cf, server);

    if (rv == NGX_CONF_OK) {
        rv = ngx_http_martech_redis_check(cf, server);
    }

    if (rv == NGX_CONF_OK) {
        rv = ngx_http_martech_redis_addresses(cf, server);
    }

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (server->tls && ngx_http_martech_tls_create(cf, server) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_redis_params(ngx_conf_t *cf,
    ngx_http_martech_server_t *server)
{
    ngx_str_t                       *value, s;
    ngx_uint_t                       i, k;
    ngx_http_martech_redis_param_t  *param;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_martech_redis_is_address(&value[i])) {
            continue;
        }

        param = ngx_http_martech_redis_table;

        while (param->name.len > 0
               && !ngx_http_martech_redis_is(param, &value[i], &s))
        {
            param++;
        }

        if (param->name.len == 0) {
            return ngx_http_martech_conf_invalid(cf, &value[i],
                       "it must be an address, cluster, sentinel=, db=, "
                       "user=, password_file=, sentinel_user=, "
                       "sentinel_password_file=, connect_timeout=, timeout=, "
                       "tls, tls_ca=, tls_certificate=, tls_key=, tls_name= "
                       "or wait_replicas=");
        }

        k = param - ngx_http_martech_redis_table;

        if (server->given & ((uint32_t) 1 << k)) {
            return ngx_http_martech_conf_invalid(cf, &value[i],
                                               "it may be given once only");
        }

        server->given |= (uint32_t) 1 << k;

        if (param->set(cf, server, param, &value[i], &s) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_martech_redis_is(ngx_http_martech_redis_param_t *param,
    ngx_str_t *value, ngx_str_t *s)
{
    if (!param->word) {
        return ngx_http_martech_conf_value(value, (char *) param->name.data,
                                           s)
               != NULL;
    }

    return value->len == param->name.len
           && ngx_strncmp(value->data, param->name.data, value->len) == 0;
}


/* A host has no "=", a path may; the words are no hosts. */

static ngx_uint_t
ngx_http_martech_redis_is_address(ngx_str_t *value)
{
    ngx_str_t                        s;
    ngx_http_martech_redis_param_t  *param;

    if (value->len >= 5 && ngx_strncmp(value->data, "unix:", 5) == 0) {
        return 1;
    }

    for (param = ngx_http_martech_redis_table; param->name.len > 0; param++) {

        if (param->word && ngx_http_martech_redis_is(param, value, &s)) {
            return 0;
        }
    }

    return ngx_strlchr(value->data, value->data + value->len, '=') == NULL;
}


static char *
ngx_http_martech_redis_number(ngx_conf_t *cf,
    ngx_http_martech_server_t *server, ngx_http_martech_redis_param_t *param,
    ngx_str_t *value, ngx_str_t *s)
{
    server->database = ngx_atoi(s->data, s->len);

    if (server->database == NGX_ERROR || server->database > 65535) {
        return ngx_http_martech_conf_invalid(cf, value,
                                             "it must be 0 to 65535");
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_redis_user(ngx_conf_t *cf, ngx_http_martech_server_t *server,
    ngx_http_martech_redis_param_t *param, ngx_str_t *value, ngx_str_t *s)
{
    ngx_http_martech_login_t  *login;

    if (s->len == 0 || s->len > 256) {
        return ngx_http_martech_conf_invalid(cf, value,
                                             "1 to 256 bytes are allowed");
    }

    login = (ngx_http_martech_login_t *) ((u_char *) server + param->offset);
    login->user = *s;

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_redis_password(ngx_conf_t *cf,
    ngx_http_martech_server_t *server, ngx_http_martech_redis_param_t *param,
    ngx_str_t *value, ngx_str_t *s)
{
    ngx_http_martech_login_t  *login;

    if (s->len == 0) {
        return ngx_http_martech_conf_invalid(cf, value,
                                             "the path of a file is needed");
    }

    login = (ngx_http_martech_login_t *) ((u_char *) server + param->offset);

    if (ngx_http_martech_secret_load(cf, &login->password, s) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_redis_time(ngx_conf_t *cf, ngx_http_martech_server_t *server,
    ngx_http_martech_redis_param_t *param, ngx_str_t *value, ngx_str_t *s)
{
    ngx_msec_t  ms;

    ms = ngx_parse_time(s, 0);

    if (ms == (ngx_msec_t) NGX_ERROR || ms < 10 || ms > 60000) {
        return ngx_http_martech_conf_invalid(cf, value,
                                             "it must be 10ms to 60s");
    }

    *(ngx_msec_t *) ((u_char *) server + param->offset) = ms;

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_redis_cluster(ngx_conf_t *cf,
    ngx_http_martech_server_t *server, ngx_http_martech_redis_param_t *param,
    ngx_str_t *value, ngx_str_t *s)
{
    if (server->mode != NGX_HTTP_MARTECH_MODE_SINGLE) {
        return ngx_http_martech_conf_invalid(cf, value,
                                  "cluster and sentinel= exclude each other");
    }

    server->mode = NGX_HTTP_MARTECH_MODE_CLUSTER;

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_redis_sentinel(ngx_conf_t *cf,
    ngx_http_martech_server_t *server, ngx_http_martech_redis_param_t *param,
    ngx_str_t *value, ngx_str_t *s)
{
    u_char  *p, ch;

    if (server->mode != NGX_HTTP_MARTECH_MODE_SINGLE) {
        return ngx_http_martech_conf_invalid(cf, value,
                                  "cluster and sentinel= exclude each other");
    }

    for (p = s->data; p < s->data + s->len; p++) {
        ch = (u_char) (*p | 0x20);

        if ((ch < 'a' || ch > 'z') && (*p < '0' || *p > '9')
            && *p != '.' && *p != '_' && *p != '-')
        {
            break;
        }
    }

    if (p < s->data + s->len || s->len == 0 || s->len > 64) {
        return ngx_http_martech_conf_invalid(cf, value,
                             "the name of a master has 1 to 64 letters, "
                             "digits, \".\", \"_\" or \"-\"");
    }

    server->mode = NGX_HTTP_MARTECH_MODE_SENTINEL;
    server->master = *s;

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_redis_tls(ngx_conf_t *cf, ngx_http_martech_server_t *server,
    ngx_http_martech_redis_param_t *param, ngx_str_t *value, ngx_str_t *s)
{
    server->tls = 1;

    return NGX_CONF_OK;
}


/* A file or a name for TLS. */

static char *
ngx_http_martech_redis_file(ngx_conf_t *cf, ngx_http_martech_server_t *server,
    ngx_http_martech_redis_param_t *param, ngx_str_t *value, ngx_str_t *s)
{
    size_t  max;

    max = (param->offset == ngx_http_martech_redis_offset(tls_name))
          ? NGX_HTTP_MARTECH_HOST_MAX : NGX_MAX_PATH - 1;

    if (s->len == 0 || s->len > max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", "
                           "1 to %uz bytes are allowed", value, max);
        return NGX_CONF_ERROR;
    }

    *(ngx_str_t *) ((u_char *) server + param->offset) = *s;

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_redis_replicas(ngx_conf_t *cf,
    ngx_http_martech_server_t *server, ngx_http_martech_redis_param_t *param,
    ngx_str_t *value, ngx_str_t *s)
{
    u_char      *p, *last;
    ngx_int_t    n;
    ngx_str_t    time;
    ngx_msec_t   ms;

    last = s->data + s->len;
    p = ngx_strlchr(s->data, last, ':');

    if (p) {
        time.data = p + 1;
        time.len = last - time.data;

        n = ngx_atoi(s->data, p - s->data);
        ms = ngx_parse_time(&time, 0);

        if (n >= 1 && n <= NGX_HTTP_MARTECH_REPLICAS_MAX
            && ms != (ngx_msec_t) NGX_ERROR && ms >= 10 && ms <= 60000)
        {
            server->wait_replicas = n;
            server->wait_ms = ms;

            return NGX_CONF_OK;
        }
    }

    return ngx_http_martech_conf_invalid(cf, value,
                             "it must be NUMBER:TIME with a number of 1 to 16 "
                             "and a time of 10ms to 60s");
}


/* What goes together and what does not. */

static char *
ngx_http_martech_redis_check(ngx_conf_t *cf,
    ngx_http_martech_server_t *server)
{
    char  *rv;

    if (server->mode == NGX_HTTP_MARTECH_MODE_CLUSTER && server->database > 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"db=%i\", "
                           "a cluster has database 0 only",
                           server->database);
        return NGX_CONF_ERROR;
    }

    if (server->wait_ms >= server->timeout) {

        /* the connection would be given up while it waits */

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the time of wait_replicas= must be shorter than "
                           "timeout=, %M ms", server->timeout);
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_martech_redis_check_login(cf, server);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_martech_redis_check_tls(cf, server);
}


static char *
ngx_http_martech_redis_check_login(ngx_conf_t *cf,
    ngx_http_martech_server_t *server)
{
    ngx_http_martech_login_t  *login;

    login = &server->login;

    if (login->user.len > 0 && login->password.path.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "user=%V needs a password_file=", &login->user);
        return NGX_CONF_ERROR;
    }

    login = &server->sentinel_login;

    if (login->user.len > 0 && login->password.path.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "sentinel_user=%V needs a sentinel_password_file=",
                           &login->user);
        return NGX_CONF_ERROR;
    }

    if (login->password.path.len > 0
        && server->mode != NGX_HTTP_MARTECH_MODE_SENTINEL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "sentinel_password_file=%V needs sentinel=",
                           &login->password.path);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_redis_check_tls(ngx_conf_t *cf,
    ngx_http_martech_server_t *server)
{
    ngx_str_t                       *s;
    ngx_http_martech_redis_param_t  *param;

    for (param = ngx_http_martech_redis_table; param->name.len > 0; param++) {

        if (param->set != ngx_http_martech_redis_file || server->tls) {
            continue;
        }

        s = (ngx_str_t *) ((u_char *) server + param->offset);

        if (s->len > 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V=%V needs tls",
                               &param->name, s);
            return NGX_CONF_ERROR;
        }
    }

    if (server->tls_certificate.len > 0 && server->tls_key.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "tls_certificate=%V needs a tls_key=",
                           &server->tls_certificate);
        return NGX_CONF_ERROR;
    }

    if (server->tls_key.len > 0 && server->tls_certificate.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "tls_key=%V needs a tls_certificate=",
                           &server->tls_key);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_redis_addresses(ngx_conf_t *cf,
    ngx_http_martech_server_t *server)
{
    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    server->endpoints = ngx_pcalloc(cf->pool, (cf->args->nelts - 1)
                                     * sizeof(ngx_http_martech_endpoint_t));
    if (server->endpoints == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (!ngx_http_martech_redis_is_address(&value[i])) {

            if (i == 1) {
                return ngx_http_martech_conf_invalid(cf, &value[i],
                                                "an address must stand first");
            }

            continue;
        }

        if (server->nendpoints == 1
            && server->mode == NGX_HTTP_MARTECH_MODE_SINGLE)
        {
            return ngx_http_martech_conf_invalid(cf, &value[i],
                                     "several addresses need cluster or "
                                     "sentinel=");
        }

        if (server->nendpoints == NGX_HTTP_MARTECH_ENDPOINTS_MAX) {
            return ngx_http_martech_conf_invalid(cf, &value[i],
                                     "there may be up to 32 addresses");
        }

        rv = ngx_http_martech_redis_address(cf, server, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_redis_address(ngx_conf_t *cf,
    ngx_http_martech_server_t *server, ngx_str_t *value)
{
    ngx_url_t                     u;
    ngx_http_martech_endpoint_t  *endpoint;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *value;
    u.no_resolve = 1;
    u.default_port = (server->mode == NGX_HTTP_MARTECH_MODE_SENTINEL)
                     ? NGX_HTTP_MARTECH_SENTINEL_PORT
                     : NGX_HTTP_MARTECH_REDIS_PORT;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK
        || (u.naddrs == 0 && !ngx_http_martech_endpoint_valid(&u.host)))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s in \"%V\", it must be "
                           "host:port, [IPv6]:port or unix:path",
                           u.err ? u.err : "invalid address", &u.url);
        return NGX_CONF_ERROR;
    }

    if (u.family == AF_UNIX
        && (server->tls || server->mode == NGX_HTTP_MARTECH_MODE_CLUSTER))
    {
        return ngx_http_martech_conf_invalid(cf, value, server->tls
                                         ? "a unix socket cannot have tls"
                                         : "a cluster needs host:port");
    }

    endpoint = &server->endpoints[server->nendpoints];

    if (ngx_http_martech_redis_endpoint(cf, endpoint, &u) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    server->nendpoints++;

    return NGX_CONF_OK;
}


/*
 * A name that cannot be resolved now is left to the resolver at run time; if
 * there is one is known when all of http was read, see _server_prepare().
 */

static ngx_int_t
ngx_http_martech_redis_endpoint(ngx_conf_t *cf,
    ngx_http_martech_endpoint_t *endpoint, ngx_url_t *u)
{
    u_char      *p;
    ngx_uint_t   brackets;

    endpoint->literal = (u->naddrs > 0);

    if (!endpoint->literal) {
        (void) ngx_inet_resolve_host(cf->pool, u);
    }

    endpoint->addrs = u->addrs;
    endpoint->naddrs = u->naddrs;

    if (u->family == AF_UNIX) {
        endpoint->host = u->host;
        endpoint->name = u->url;

        return NGX_OK;
    }

    endpoint->host = u->host;
    endpoint->port = u->port;

    if (endpoint->host.len > 2 && endpoint->host.data[0] == '[') {
        endpoint->host.data++;
        endpoint->host.len -= 2;
    }

    /* with a final zero, and not a part of what others quote */

    p = ngx_pnalloc(cf->pool, 2 * endpoint->host.len + sizeof("[]:65535") + 1);

    if (p == NULL) {
        return NGX_ERROR;
    }

    *ngx_cpymem(p, endpoint->host.data, endpoint->host.len) = '\0';
    endpoint->host.data = p;

    p += endpoint->host.len + 1;
    brackets = (ngx_strlchr(endpoint->host.data, p, ':') != NULL);

    endpoint->name.data = p;
    endpoint->name.len = ngx_sprintf(p, brackets ? "[%V]:%d" : "%V:%d",
                                     &endpoint->host, (int) u->port)
                         - p;

    return NGX_OK;
}


ngx_int_t
ngx_http_martech_server_prepare(ngx_conf_t *cf,
    ngx_http_martech_server_t *server)
{
    ngx_uint_t                 i;
    ngx_resolver_t            *resolver;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* without the directive NGINX makes one that has no servers */

    resolver = clcf->resolver;

    if (resolver && resolver->connections.nelts > 0) {
        server->resolver = resolver;
    }

    for (i = 0; i < server->nendpoints; i++) {

        if (server->endpoints[i].naddrs > 0) {
            continue;
        }

        if (server->resolver == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"martech_redis\": host not found in \"%V\", and "
                          "there is no \"resolver\" in http to ask later",
                          &server->endpoints[i].name);
            return NGX_ERROR;
        }

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"martech_redis\": host not found in \"%V\", "
                      "the resolver is asked later",
                      &server->endpoints[i].name);
    }

    return NGX_OK;
}
