
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The first words on a connection to Redis: who we are, which database,
 * whether the server is the master, and the probe whether it would take an
 * event.
 *
 * The probe is an XADD that must not create its stream.  It writes nothing,
 * but is refused by a server that would refuse our events: read-only, full,
 * loading, no rights.  Only then the connection is READY.
 */


#include "ngx_http_martech.h"


static ngx_http_martech_handshake_e ngx_http_martech_handshake_command(
    ngx_http_martech_node_t *node);
static ngx_int_t ngx_http_martech_handshake_error(
    ngx_http_martech_node_t *node, ngx_http_martech_handshake_e command);
static ngx_uint_t ngx_http_martech_handshake_pardoned(
    ngx_http_martech_node_t *node, ngx_http_martech_handshake_e command);


ngx_int_t
ngx_http_martech_handshake_start(ngx_http_martech_node_t *node)
{
    char                           tag[MARTECH_TAG_LEN_MAX];
    size_t                         size;
    u_char                        *p, number[NGX_INT_T_LEN],
                                   key[MARTECH_TAG_LEN_MAX
                                       + sizeof(":probe")];
    ngx_str_t                      args[6];
    martech_str_t                  prefix;
    ngx_http_martech_server_t     *server;
    ngx_http_martech_main_conf_t  *conf;

    conf = node->worker->conf;
    server = &conf->server;

    /* made each time: the password may have changed */

    if (node->handshake) {
        ngx_explicit_memzero(node->handshake, node->handshake_len);
        ngx_free(node->handshake);
    }

    size = 1024 + ngx_http_martech_login_size(&server->login);

    p = ngx_alloc(size, node->worker->log);

    if (p == NULL) {
        node->handshake = NULL;
        return NGX_ERROR;
    }

    node->handshake = p;
    node->handshake_sent = 0;
    node->handshake_done = 0;
    node->handshake_count = 0;

    if (server->login.password.value.len > 0) {
        p = ngx_http_martech_login_write(p, &server->login);
        node->commands[node->handshake_count++] = NGX_HTTP_MARTECH_SAY_AUTH;
    }

    if (server->database > 0) {
        ngx_str_set(&args[0], "SELECT");
        args[1].data = number;
        args[1].len = ngx_sprintf(number, "%i", server->database) - number;
        p = ngx_http_martech_query_write(p, 2, args);
        node->commands[node->handshake_count++] = NGX_HTTP_MARTECH_SAY_SELECT;
    }

    ngx_str_set(&args[0], "CLIENT");
    ngx_str_set(&args[1], "SETNAME");
    ngx_str_set(&args[2], "martech-edge");
    p = ngx_http_martech_query_write(p, 3, args);
    node->commands[node->handshake_count++] = NGX_HTTP_MARTECH_SAY_NAME;

    if (server->mode == NGX_HTTP_MARTECH_MODE_SENTINEL) {
        ngx_str_set(&args[0], "ROLE");
        p = ngx_http_martech_query_write(p, 1, args);
        node->commands[node->handshake_count++] = NGX_HTTP_MARTECH_SAY_ROLE;
    }

    prefix.data = conf->prefix.data;
    prefix.len = conf->prefix.len;

    (void) martech_shard_tag(tag, prefix, 0);

    ngx_str_set(&args[0], "XADD");
    args[1].data = key;
    args[1].len = ngx_sprintf(key, "%s:probe", tag) - key;
    ngx_str_set(&args[2], "NOMKSTREAM");
    ngx_str_set(&args[3], "*");
    ngx_str_set(&args[4], "v");
    ngx_str_set(&args[5], MARTECH_FORMAT_VERSION);
    p = ngx_http_martech_query_write(p, 6, args);
    node->commands[node->handshake_count++] = NGX_HTTP_MARTECH_SAY_PROBE;

    node->handshake_len = p - node->handshake;

    return NGX_OK;
}


void
ngx_http_martech_handshake_write(ngx_http_martech_node_t *node)
{
    size_t             left;
    ssize_t            n;
    ngx_connection_t  *c;

    c = node->connection;
    left = node->handshake_len - node->handshake_sent;

    while (left > 0) {
        n = c->send(c, node->handshake + node->handshake_sent, left);

        if (n == NGX_AGAIN || n == 0) {
            break;
        }

        if (n == NGX_ERROR) {
            ngx_http_martech_node_fail(node, 0, "cannot send");
            return;
        }

        node->handshake_sent += n;
        left -= n;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_http_martech_node_fail(node, 0, "event failed");
    }
}


/* What the next reply is the answer to. */

static ngx_http_martech_handshake_e
ngx_http_martech_handshake_command(ngx_http_martech_node_t *node)
{
    return node->commands[node->handshake_done];
}


/* One reply of the handshake.  NGX_ERROR: the connection has failed. */

ngx_int_t
ngx_http_martech_handshake_reply(ngx_http_martech_node_t *node)
{
    ngx_http_martech_resp_t       *resp;
    ngx_http_martech_handshake_e   command;

    resp = &node->resp;
    command = ngx_http_martech_handshake_command(node);

    if (resp->type == NGX_HTTP_MARTECH_RESP_ERROR
        && !ngx_http_martech_handshake_pardoned(node, command))
    {
        return ngx_http_martech_handshake_error(node, command);
    }

    if (command == NGX_HTTP_MARTECH_SAY_ROLE
        && (resp->len < 6 || ngx_strncmp(resp->text, "master", 6) != 0))
    {
        node->worker->stats->errors[NGX_HTTP_MARTECH_REDIS_READONLY]++;
        ngx_http_martech_node_fail(node, 0, "is not the master");
        return NGX_ERROR;
    }

    node->handshake_done++;

    if (node->handshake_done == node->handshake_count) {
        ngx_explicit_memzero(node->handshake, node->handshake_len);
        ngx_http_martech_node_ready(node);
    }

    return NGX_OK;
}


/* A refused login may be an old password: its file is looked at again. */

static ngx_int_t
ngx_http_martech_handshake_error(ngx_http_martech_node_t *node,
    ngx_http_martech_handshake_e command)
{
    u_char                           text[NGX_HTTP_MARTECH_ERROR_MAX];
    ngx_http_martech_secret_t       *secret;
    ngx_http_martech_redis_class_e   class;

    class = ngx_http_martech_resp_class(node->resp.text, node->resp.len);
    node->worker->stats->errors[class]++;

    if (class == NGX_HTTP_MARTECH_REDIS_DENIED) {
        secret = &node->worker->conf->server.login.password;

        if (ngx_http_martech_secret_reload(secret, node->worker->log)
            == NGX_OK)
        {
            ngx_log_error(NGX_LOG_NOTICE, node->worker->log, 0,
                          "martech: redis %V: the password file has changed "
                          "and was read again", &node->name);
        }
    }

    ngx_http_martech_error_set(text, "refuses us: %*s",
                               ngx_http_martech_query_quotable(&node->resp),
                               node->resp.text);

    ngx_http_martech_node_fail(node, 0, (char *) text);

    return NGX_ERROR;
}


/*
 * A server may forbid the name that we give our connection.  A node of a
 * cluster need not have the slot of the probe.
 */

static ngx_uint_t
ngx_http_martech_handshake_pardoned(ngx_http_martech_node_t *node,
    ngx_http_martech_handshake_e command)
{
    ngx_http_martech_resp_t  *resp;

    resp = &node->resp;

    if (command == NGX_HTTP_MARTECH_SAY_NAME) {
        return (resp->len > 7 && ngx_strncmp(resp->text, "NOPERM ", 7) == 0)
               || (resp->len > 11
                   && ngx_strncmp(resp->text, "ERR unknown", 11) == 0);
    }

    return command == NGX_HTTP_MARTECH_SAY_PROBE
           && node->worker->conf->server.mode == NGX_HTTP_MARTECH_MODE_CLUSTER
           && ngx_http_martech_resp_class(resp->text, resp->len)
              == NGX_HTTP_MARTECH_REDIS_MOVED;
}
