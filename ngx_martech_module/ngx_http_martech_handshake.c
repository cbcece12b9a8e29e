
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The first words on a connection to Redis: who we are, which database, and
 * the probe whether it would take an event (see conf for the commands).
 */


#include "ngx_http_martech.h"


static ngx_uint_t ngx_http_martech_handshake_pardoned(
    ngx_http_martech_worker_t *worker);


void
ngx_http_martech_handshake_write(ngx_http_martech_worker_t *worker)
{
    size_t             left;
    ssize_t            n;
    ngx_str_t         *commands;
    ngx_connection_t  *c;

    c = worker->peer.connection;
    commands = &worker->conf->handshake;
    left = commands->len - worker->handshake_bytes;

    while (left > 0) {
        n = c->send(c, commands->data + worker->handshake_bytes, left);

        if (n == NGX_AGAIN || n == 0) {
            break;
        }

        if (n == NGX_ERROR) {
            ngx_http_martech_redis_fail(worker, 0, "cannot send");
            return;
        }

        worker->handshake_bytes += n;
        left -= n;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_http_martech_redis_fail(worker, 0, "event failed");
    }
}


/*
 * How much of an error reply may be logged: a server that does not know a
 * command repeats its arguments, in quotes.
 */

size_t
ngx_http_martech_redis_quotable(ngx_http_martech_resp_t *resp)
{
    size_t  n;

    for (n = 0; n < resp->len; n++) {

        if (resp->text[n] == '\'' || resp->text[n] == '`'
            || resp->text[n] == '"' || resp->text[n] < ' ')
        {
            break;
        }
    }

    return n;
}


/* A server may forbid the name that we give our connection. */

static ngx_uint_t
ngx_http_martech_handshake_pardoned(ngx_http_martech_worker_t *worker)
{
    ngx_http_martech_resp_t  *resp;

    resp = &worker->resp;

    return worker->handshake_done + 1 == worker->conf->handshake_probe
           && ((resp->len > 7 && ngx_strncmp(resp->text, "NOPERM ", 7) == 0)
               || (resp->len > 11
                   && ngx_strncmp(resp->text, "ERR unknown", 11) == 0));
}


/* One reply of the handshake.  NGX_ERROR: the connection has failed. */

ngx_int_t
ngx_http_martech_handshake_reply(ngx_http_martech_worker_t *worker)
{
    u_char                          text[256];
    ngx_http_martech_resp_t        *resp;
    ngx_http_martech_redis_class_e  class;

    resp = &worker->resp;

    if (resp->type == NGX_HTTP_MARTECH_RESP_ERROR
        && !ngx_http_martech_handshake_pardoned(worker))
    {
        class = ngx_http_martech_resp_class(resp->text, resp->len);
        worker->stats->errors[class]++;

        ngx_snprintf(text, sizeof(text), "refuses us: %*s%Z",
                     ngx_http_martech_redis_quotable(resp), resp->text);

        ngx_http_martech_redis_fail(worker, 0, (char *) text);
        return NGX_ERROR;
    }

    worker->handshake_done++;

    if (worker->handshake_done < worker->conf->handshake_count) {
        return NGX_OK;
    }

    if (worker->logged) {
        ngx_log_error(NGX_LOG_NOTICE, worker->log, 0,
                      "martech: redis %V: takes events again after %M ms",
                      &worker->conf->redis,
                      ngx_current_msec - worker->down_since);
    }

    ngx_http_martech_redis_set(worker, NGX_HTTP_MARTECH_REDIS_READY);
    ngx_http_martech_count(worker, CONNECTS, 1);

    worker->ready_since = ngx_current_msec;
    worker->waiting = 0;

    ngx_del_timer(worker->peer.connection->read);
    ngx_http_martech_redis_post(worker);

    return NGX_OK;
}
